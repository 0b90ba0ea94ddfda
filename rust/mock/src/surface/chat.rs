//! `OpenAI` chat completions. Source: `CreateChatCompletionResponse`, `CreateChatCompletionStreamResponse`.
//!
//! Thinking goes into `reasoning_content`, as the servers do it that offer thinking on this surface.

use serde_json::Value;

use crate::ask::{self, Ask, Choice, Thinking, Tool, field, list_field, text_field};
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::pieces;
use crate::script::{Finish, Part, Script, Usage};
use crate::tape::Tape;
use crate::ticket::Ticket;

/// Understands a request.
pub(crate) fn read(body: &Value) -> Result<Ask, Failure> {
    let messages = ask::messages(body, "messages")?;
    if field(body, "n").is_some_and(|n| n.as_u64() != Some(1)) {
        return Err(Failure::bad_request(Some("n"), "n: the mock gives one choice"));
    }
    let mut ask = Ask {
        user_text: ask::last_text(messages, "user"),
        input_tokens: ask::input_tokens(body, &["messages", "tools", "response_format"]),
        output_limit: ask::limit(body, "max_completion_tokens")?.or(ask::limit(body, "max_tokens")?),
        stops: ask::strings(body, "stop"),
        stream: ask::flag(body, "stream")?,
        include_usage: include_usage(body),
        tool_result: tool_result(messages),
        schema: body.pointer("/response_format/json_schema/schema").cloned(),
        thinking: Thinking::off_if(text_field(body, "reasoning_effort") == Some("none")),
        ..Ask::default()
    };
    ask.offer(list_field(body, "tools").iter().filter_map(tool).collect(), &choice(body))?;
    Ok(ask)
}

/// Whether the stream's last chunk is to tell the usage.
pub(super) fn include_usage(body: &Value) -> bool {
    body.pointer("/stream_options/include_usage") == Some(&Value::Bool(true))
}

/// What a tool gave, where the last message tells it; Ollama's has the same form.
pub(super) fn tool_result(messages: &[Value]) -> Option<String> {
    let last = messages.last().filter(|last| text_field(last, "role") == Some("tool"))?;
    Some(last.get("content").map(ask::content_text).unwrap_or_default())
}

/// A function on offer, which Cohere and Ollama describe in the same words.
pub(super) fn tool(tool: &Value) -> Option<Tool> {
    let function = field(tool, "function")?;
    let schema = field(function, "parameters").cloned().unwrap_or_default();
    Some(Tool { name: text_field(function, "name")?.to_owned(), schema })
}

fn choice(body: &Value) -> Choice<'_> {
    let Some(choice) = field(body, "tool_choice") else { return Choice::Auto };
    match choice.as_str() {
        Some("none") => Choice::None,
        Some("required") => Choice::Any,
        Some(_) => Choice::Auto,
        None => choice.pointer("/function/name").and_then(Value::as_str).map_or(Choice::Auto, Choice::Named),
    }
}

/// The whole reply.
pub(crate) fn unary(script: &Script, ticket: &mut Ticket<'_>) -> Json {
    let id = ticket.id("chatcmpl-", 29);
    let mut message = object! {"role": "assistant", "content": script.text()};
    if let Some(thinking) = script.thinking() {
        message.put("reasoning_content", thinking);
    }
    for part in &script.parts {
        if let Part::Call { name, arguments } = part {
            let call = object! {
                "id": ticket.id("call_", 24),
                "type": "function",
                "function": object! {"name": name, "arguments": arguments},
            };
            message.put("tool_calls", &[call]);
        }
    }
    message.put("refusal", &());
    message.put("annotations", &Vec::<Json>::new());
    let choice = object! {
        "index": 0_u64, "message": message, "logprobs": (), "finish_reason": finish_reason(&script.finish),
    };
    object! {
        "id": id,
        "object": "chat.completion",
        "created": ticket.created,
        "model": ticket.model,
        "choices": [choice],
        "usage": usage(script.usage),
        "service_tier": "default",
        "system_fingerprint": "fp_mock",
    }
}

/// The reply as a stream of chunks.
pub(crate) fn stream(script: &Script, ticket: &mut Ticket<'_>) -> Tape {
    let chunks = Chunks {
        id: ticket.id("chatcmpl-", 29),
        created: ticket.created,
        model: ticket.model,
        extras: ticket.extras,
        with_usage: ticket.include_usage,
    };
    let mut tape = Tape::default();
    let mut delta = |delta: Json, content: bool| tape.data(&chunks.choice(&delta, None), content);
    delta(object! {"role": "assistant", "content": script.text().map(|_| ""), "refusal": ()}, false);
    for part in &script.parts {
        match part {
            Part::Thinking(text) => {
                for run in pieces::runs(text, script.run) {
                    delta(object! {"reasoning_content": run}, true);
                }
            }
            Part::Text(text) => {
                for run in pieces::runs(text, script.run) {
                    delta(object! {"content": run}, true);
                }
            }
            Part::Call { name, arguments } => {
                let call = object! {
                    "index": 0_u64, "id": ticket.id("call_", 24), "type": "function",
                    "function": object! {"name": name, "arguments": ""},
                };
                delta(object! {"tool_calls": [call]}, true);
                for run in pieces::runs(arguments, script.run) {
                    let call = object! {"index": 0_u64, "function": object! {"arguments": run}};
                    delta(object! {"tool_calls": [call]}, true);
                }
            }
        }
    }
    tape.data(&chunks.choice(&object! {}, Some(finish_reason(&script.finish))), false);
    if chunks.with_usage {
        tape.data(&chunks.chunk(&[], Some(&usage(script.usage))), false);
    }
    tape.done();
    tape
}

/// What all chunks of one stream share.
struct Chunks<'a> {
    id: String,
    created: u64,
    model: &'a str,
    extras: bool,
    with_usage: bool,
}

impl Chunks<'_> {
    fn choice(&self, delta: &Json, finish_reason: Option<&str>) -> Json {
        let mut choice = object! {"index": 0_u64, "delta": delta};
        if self.extras {
            choice.put("logprobs", &());
        }
        choice.put("finish_reason", &finish_reason);
        self.chunk(&[choice], None)
    }

    /// A chunk; `usage` is a member only where the client asked for it.
    fn chunk(&self, choices: &[Json], usage: Option<&Json>) -> Json {
        let mut chunk = object! {
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
        };
        if self.extras {
            chunk.put("service_tier", "default");
            chunk.put("system_fingerprint", "fp_mock");
        }
        chunk.put("choices", choices);
        if self.with_usage {
            chunk.put("usage", &usage);
        }
        chunk
    }
}

/// Why it ended, in `OpenAI`'s words.
pub(super) fn finish_reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop | Finish::StopString(_) => "stop",
        Finish::Length => "length",
        Finish::Calls => "tool_calls",
    }
}

/// `CompletionUsage`.
pub(super) fn usage(usage: Usage) -> Json {
    object! {
        "prompt_tokens": usage.input,
        "completion_tokens": usage.output,
        "total_tokens": usage.input + usage.output,
        "prompt_tokens_details": object! {"cached_tokens": 0_u64, "audio_tokens": 0_u64},
        "completion_tokens_details": object! {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0_u64,
            "accepted_prediction_tokens": 0_u64,
            "rejected_prediction_tokens": 0_u64,
        },
    }
}
