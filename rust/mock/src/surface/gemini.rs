//! Google's `generateContent` and its streamed form. Source: Gemini API reference, "Generating content".
//!
//! The model stands in the path. Members are spelt `likeThis` or `like_this`, and Google's own clients mix the
//! two (the JSON mapping of protocol buffers allows it). A stream has no closing event: its last chunk tells why the model stopped.

use serde_json::Value;

use crate::ask::{self, Ask, Choice, Thinking, Tool, field, list_field, text_field};
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::lorem;
use crate::pieces;
use crate::script::{Finish, Part, Script, Usage};
use crate::tape::Tape;
use crate::ticket::Ticket;

const READ: [&str; 4] = ["systemInstruction", "system_instruction", "contents", "tools"];

/// `value[key]`, or the same with the key's other spelling; absent and `null` being the same.
pub(super) fn member<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    let snake = |key: &str| {
        let spelt =
            |c: char| c.is_ascii_uppercase().then_some('_').into_iter().chain([c.to_ascii_lowercase()]);
        key.chars().flat_map(spelt).collect::<String>()
    };
    field(value, key).or_else(|| field(value, &snake(key)))
}

/// The list in [`member`]; empty when it is absent or no list.
pub(super) fn members<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    member(value, key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// Understands a request.
pub(crate) fn read(body: &Value) -> Result<Ask, Failure> {
    let contents = ask::messages(body, "contents")?;
    let none = Value::Null;
    let config = member(body, "generationConfig").unwrap_or(&none);
    let budget = member(config, "thinkingConfig").and_then(|thinking| member(thinking, "thinkingBudget"));
    let name =
        if config.get("max_output_tokens").is_some() { "max_output_tokens" } else { "maxOutputTokens" };
    let output_limit = ask::limit(config, name)?;
    let mut ask = Ask {
        user_text: user_text(contents),
        input_tokens: ask::input_tokens(body, &READ),
        output_limit,
        stops: members(config, "stopSequences").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        tool_result: tool_result(contents),
        schema: member(config, "responseJsonSchema").or_else(|| member(config, "responseSchema")).cloned(),
        thinking: Thinking::off_if(budget.and_then(Value::as_u64) == Some(0)),
        ..Ask::default()
    };
    let declared = list_field(body, "tools").iter().flat_map(|tool| members(tool, "functionDeclarations"));
    ask.offer(declared.filter_map(tool).collect(), &choice(body))?;
    Ok(ask)
}

/// The reply to `:countTokens`; what is counted is given alone, or as the request that would generate.
pub(crate) fn count(body: &Value) -> Result<Json, Failure> {
    Ok(object! {"totalTokens": read(member(body, "generateContentRequest").unwrap_or(body))?.input_tokens})
}

fn user_text(contents: &[Value]) -> String {
    let users = |content: &&Value| text_field(content, "role").is_none_or(|role| role == "user");
    let last = contents.iter().rev().find(users);
    last.and_then(|content| content.get("parts")).map(ask::content_text).unwrap_or_default()
}

fn tool_result(contents: &[Value]) -> Option<String> {
    let parts = list_field(contents.last()?, "parts");
    let result = parts.iter().rev().find_map(|part| member(part, "functionResponse"))?;
    Some(field(result, "response").map(Value::to_string).unwrap_or_default())
}

fn tool(declaration: &Value) -> Option<Tool> {
    let schema = member(declaration, "parametersJsonSchema").or_else(|| field(declaration, "parameters"));
    Some(Tool {
        name: text_field(declaration, "name")?.to_owned(),
        schema: schema.cloned().unwrap_or_default(),
    })
}

fn choice(body: &Value) -> Choice<'_> {
    let config = member(body, "toolConfig").and_then(|config| member(config, "functionCallingConfig"));
    let Some(config) = config else { return Choice::Auto };
    match text_field(config, "mode") {
        Some("NONE") => Choice::None,
        Some("ANY") => match members(config, "allowedFunctionNames") {
            [Value::String(name), ..] => Choice::Named(name),
            _ => Choice::Any,
        },
        _ => Choice::Auto,
    }
}

/// The whole reply.
pub(crate) fn unary(script: &Script, ticket: &mut Ticket<'_>) -> Json {
    let id = ticket.id("", 22);
    let parts: Vec<Json> = parts(script, ticket).into_iter().map(|(part, _)| part).collect();
    chunk(&id, ticket.model, &parts, Some(reason(&script.finish)), script.usage)
}

/// The reply as a stream of events.
pub(crate) fn stream(script: &Script, ticket: &mut Ticket<'_>) -> Tape {
    let mut tape = Tape::default();
    let id = ticket.id("", 22);
    for (part, piece) in parts(script, ticket) {
        let pieces = match piece {
            Piece::Whole => vec![part],
            Piece::Text { text, thought, signature } => {
                let runs = pieces::runs(text, script.run);
                let last = runs.len().saturating_sub(1);
                let piece = |(at, run)| self::text(run, thought, signature.as_deref().filter(|_| at == last));
                runs.into_iter().enumerate().map(piece).collect()
            }
        };
        for piece in pieces {
            tape.data(&chunk(&id, ticket.model, &[piece], None, script.usage), true);
        }
    }
    let end = chunk(&id, ticket.model, &[text("", false, None)], Some(reason(&script.finish)), script.usage);
    tape.data(&end, false);
    tape
}

/// How a part comes in a stream.
enum Piece<'a> {
    Whole,
    Text { text: &'a str, thought: bool, signature: Option<String> },
}

/// What is said; the signature of a thought stands on the part behind it.
fn parts<'a>(script: &'a Script, ticket: &mut Ticket<'_>) -> Vec<(Json, Piece<'a>)> {
    let mut signature = None;
    let mut parts = Vec::new();
    for part in &script.parts {
        parts.push(match part {
            Part::Thinking(thought) => {
                signature = Some(lorem::signature(thought));
                (text(thought, true, None), Piece::Text { text: thought, thought: true, signature: None })
            }
            Part::Text(said) => {
                let signature = signature.take();
                let whole = text(said, false, signature.as_deref());
                (whole, Piece::Text { text: said, thought: false, signature })
            }
            Part::Call { name, arguments } => {
                let call = object! {
                    "id": ticket.id("", 8), "name": name, "args": Json(arguments.clone().into_bytes()),
                };
                // Current models sign the first call of a step also where no thought is shown.
                let signature = signature.take().unwrap_or_else(|| lorem::signature(name));
                (object! {"functionCall": call, "thoughtSignature": signature}, Piece::Whole)
            }
        });
    }
    parts
}

fn text(text: &str, thought: bool, signature: Option<&str>) -> Json {
    let mut part = object! {"text": text};
    if thought {
        part.put("thought", &Value::Bool(true));
    }
    if let Some(signature) = signature {
        part.put("thoughtSignature", signature);
    }
    part
}

fn chunk(id: &str, model: &str, parts: &[Json], reason: Option<&str>, usage: Usage) -> Json {
    let mut candidate = object! {"content": object! {"parts": parts, "role": "model"}};
    if let Some(reason) = reason {
        candidate.put("finishReason", reason);
    }
    candidate.put("index", &0_u64);
    let mut counts = object! {
        "promptTokenCount": usage.input,
        "candidatesTokenCount": usage.output.saturating_sub(usage.reasoning),
        "totalTokenCount": usage.input + usage.output,
    };
    if usage.reasoning > 0 {
        counts.put("thoughtsTokenCount", &usage.reasoning);
    }
    object! {"candidates": &[candidate][..], "usageMetadata": counts, "modelVersion": model, "responseId": id}
}

const fn reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Length => "MAX_TOKENS",
        Finish::Stop | Finish::Calls | Finish::StopString(_) => "STOP",
    }
}
