//! Amazon Bedrock's Converse and `ConverseStream`. Source: service model `bedrock-runtime` 2023-09-30 of botocore
//! 1.44 (`ConverseRequest`, `ConverseResponse`, `ConverseStreamOutput`, `CountTokens`).
//!
//! The model stands in the path, and the path says whether the reply is streamed. In a stream only calls are
//! begun by an event; `metadata`, which has the usage, comes behind `messageStop`.

use serde_json::Value;

use crate::ask::{self, Ask, Choice, Thinking, Tool, field, list_field, text_field};
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::lorem;
use crate::pieces;
use crate::script::{Finish, Part, Script, Usage};
use crate::tape::Tape;
use crate::ticket::Ticket;

const READ: [&str; 4] = ["system", "messages", "toolConfig", "outputConfig"];

/// Understands a request.
pub(crate) fn read(body: &Value) -> Result<Ask, Failure> {
    let messages = ask::messages(body, "messages")?;
    let none = Value::Null;
    let config = field(body, "inferenceConfig").unwrap_or(&none);
    let thinking = body.pointer("/additionalModelRequestFields/thinking/type").and_then(Value::as_str);
    let mut ask = Ask {
        user_text: ask::last_text(messages, "user"),
        input_tokens: ask::input_tokens(body, &READ),
        output_limit: ask::limit(config, "maxTokens")?,
        stops: ask::strings(config, "stopSequences"),
        tool_result: tool_result(messages),
        schema: schema(body)?,
        thinking: Thinking::off_if(thinking == Some("disabled")),
        ..Ask::default()
    };
    let tools = field(body, "toolConfig").unwrap_or(&none);
    ask.offer(list_field(tools, "tools").iter().filter_map(tool).collect(), &choice(tools))?;
    Ok(ask)
}

/// The reply to `count-tokens`, whose input is a whole request.
pub(crate) fn count(body: &Value) -> Result<Json, Failure> {
    let Some(input) = body.pointer("/input/converse") else {
        let message = "input.converse: must be there; the mock counts nothing else";
        return Err(Failure::bad_request(Some("input"), message));
    };
    Ok(object! {"inputTokens": read(input)?.input_tokens})
}

/// The schema demanded of the answer, which is written as a text.
fn schema(body: &Value) -> Result<Option<Value>, Failure> {
    let place = "/outputConfig/textFormat/structure/jsonSchema/schema";
    let Some(text) = body.pointer(place).and_then(Value::as_str) else { return Ok(None) };
    serde_json::from_str(text).map(Some).map_err(|error| {
        Failure::bad_request(Some("outputConfig"), format!("outputConfig: the schema is not JSON: {error}"))
    })
}

fn tool_result(messages: &[Value]) -> Option<String> {
    let blocks = list_field(messages.last()?, "content");
    let result = blocks.iter().rev().find_map(|block| field(block, "toolResult"))?;
    let said = |block: &Value| match field(block, "json") {
        Some(json) => Some(json.to_string()),
        None => text_field(block, "text").map(str::to_owned),
    };
    Some(list_field(result, "content").iter().filter_map(said).collect::<Vec<_>>().join("\n"))
}

// Cache points and tools that Amazon runs itself are not ours to call.
fn tool(tool: &Value) -> Option<Tool> {
    let spec = field(tool, "toolSpec")?;
    let schema = spec.pointer("/inputSchema/json").cloned().unwrap_or_default();
    Some(Tool { name: text_field(spec, "name")?.to_owned(), schema })
}

fn choice(config: &Value) -> Choice<'_> {
    let Some(choice) = field(config, "toolChoice") else { return Choice::Auto };
    if let Some(name) = choice.pointer("/tool/name").and_then(Value::as_str) {
        Choice::Named(name)
    } else if choice.get("any").is_some() {
        Choice::Any
    } else {
        Choice::Auto
    }
}

/// The whole reply.
pub(crate) fn unary(script: &Script, ticket: &mut Ticket<'_>) -> Json {
    let mut content = Vec::new();
    for part in &script.parts {
        content.push(match part {
            Part::Thinking(text) => {
                let thought = object! {"text": text, "signature": lorem::signature(text)};
                object! {"reasoningContent": object! {"reasoningText": thought}}
            }
            Part::Text(text) => object! {"text": text},
            Part::Call { name, arguments } => {
                let mut call = tool_use(name, ticket);
                call.put("input", &Json(arguments.clone().into_bytes()));
                object! {"toolUse": call}
            }
        });
    }
    object! {
        "metrics": metrics(),
        "output": object! {"message": object! {"content": content, "role": "assistant"}},
        "stopReason": reason(&script.finish),
        "usage": usage(script.usage),
    }
}

fn tool_use(name: &str, ticket: &mut Ticket<'_>) -> Json {
    object! {"name": name, "toolUseId": ticket.id("tooluse_", 22)}
}

/// The reply as a stream of messages.
pub(crate) fn stream(script: &Script, ticket: &mut Ticket<'_>) -> Tape {
    let mut events = Events { tape: Tape::default(), ticket };
    events.add("messageStart", object! {"role": "assistant"}, false);
    for (index, part) in script.parts.iter().enumerate() {
        let text = match part {
            Part::Thinking(text) | Part::Text(text) => text,
            Part::Call { name, arguments } => {
                let start = object! {"toolUse": tool_use(name, events.ticket)};
                events.add("contentBlockStart", object! {"contentBlockIndex": index, "start": start}, false);
                arguments
            }
        };
        for run in pieces::runs(text, script.run) {
            let delta = match part {
                Part::Thinking(_) => object! {"reasoningContent": object! {"text": run}},
                Part::Text(_) => object! {"text": run},
                Part::Call { .. } => object! {"toolUse": object! {"input": run}},
            };
            events.delta(index, &delta, true);
        }
        if let Part::Thinking(text) = part {
            let signature = object! {"signature": lorem::signature(text)};
            events.delta(index, &object! {"reasoningContent": signature}, false);
        }
        events.add("contentBlockStop", object! {"contentBlockIndex": index}, false);
    }
    events.add("messageStop", object! {"stopReason": reason(&script.finish)}, false);
    events.add("metadata", object! {"metrics": metrics(), "usage": usage(script.usage)}, false);
    events.tape
}

/// A stream under way.
struct Events<'t, 'a> {
    tape: Tape,
    ticket: &'t mut Ticket<'a>,
}

impl Events<'_, '_> {
    /// Adds an event, padded as the vendor pads it, so that its length does not tell what it says.
    fn add(&mut self, event_type: &str, mut payload: Json, content: bool) {
        if self.ticket.extras {
            payload.put("p", self.ticket.padding());
        }
        self.tape.message(event_type, &payload, content);
    }

    fn delta(&mut self, index: usize, delta: &Json, content: bool) {
        self.add("contentBlockDelta", object! {"contentBlockIndex": index, "delta": delta}, content);
    }
}

const fn reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Calls => "tool_use",
        Finish::StopString(_) => "stop_sequence",
    }
}

fn usage(usage: Usage) -> Json {
    object! {
        "cacheReadInputTokens": 0_u64,
        "cacheWriteInputTokens": 0_u64,
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.output,
    }
}

// A member that must be there; the mock does not measure itself.
fn metrics() -> Json {
    object! {"latencyMs": 1_u64}
}
