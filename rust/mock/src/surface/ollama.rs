//! Ollama's own chat. Source: Ollama's API documentation ("Generate a chat completion", "List local models",
//! "Version"), types of the package `ollama` 0.6.3 (`ChatRequest`, `ChatResponse`, `ListResponse`).
//!
//! A stream is what is sent unless it is declined: lines that each have the shape of a whole reply, the last one
//! with `"done":true` and the counts. Calls come whole, and there is no choice of tools.

use serde_json::Value;

use super::chat;
use crate::ask::{self, Ask, Choice, Thinking, field, list_field};
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::pieces;
use crate::script::{Finish, Part, Script};
use crate::tape::Tape;
use crate::ticket::Ticket;

// That of the API described, which clients may compare with the one they need.
const VERSION: &str = "0.12.6";

/// Understands a request.
pub(crate) fn read(body: &Value) -> Result<Ask, Failure> {
    let messages = ask::messages(body, "messages")?;
    let none = Value::Null;
    let options = field(body, "options").unwrap_or(&none);
    let mut ask = Ask {
        user_text: ask::last_text(messages, "user"),
        input_tokens: ask::input_tokens(body, &["messages", "tools", "format"]),
        output_limit: output_limit(options)?,
        stops: ask::strings(options, "stop"),
        stream: field(body, "stream").is_none() || ask::flag(body, "stream")?,
        tool_result: chat::tool_result(messages),
        schema: field(body, "format").filter(|format| format.is_object()).cloned(),
        thinking: Thinking::off_if(body.get("think") == Some(&Value::Bool(false))),
        ..Ask::default()
    };
    ask.offer(list_field(body, "tools").iter().filter_map(chat::tool).collect(), &Choice::Auto)?;
    Ok(ask)
}

/// A number below 1 is no limit.
fn output_limit(options: &Value) -> Result<Option<u64>, Failure> {
    match field(options, "num_predict").map(Value::as_i64) {
        None | Some(Some(..=0)) => Ok(None),
        Some(_) => ask::limit(options, "num_predict"),
    }
}

/// The reply to `/api/version`.
pub(crate) fn version() -> Json {
    object! {"version": VERSION}
}

/// The whole reply.
pub(crate) fn unary(script: &Script, ticket: &mut Ticket<'_>) -> Json {
    let mut message = object! {"role": "assistant", "content": script.text().unwrap_or_default()};
    if let Some(thinking) = script.thinking() {
        message.put("thinking", thinking);
    }
    for part in &script.parts {
        if let Part::Call { name, arguments } = part {
            message.put("tool_calls", &[call(name, arguments, ticket)]);
        }
    }
    done(&message, script, ticket)
}

/// The reply as a stream of lines.
pub(crate) fn stream(script: &Script, ticket: &mut Ticket<'_>) -> Tape {
    let mut tape = Tape::default();
    let mut add = |message: &Json, ticket: &Ticket<'_>| {
        let mut line = line(message, ticket);
        line.put("done", &false);
        tape.line(&line, true);
    };
    for part in &script.parts {
        match part {
            Part::Thinking(text) => {
                for run in pieces::runs(text, script.run) {
                    add(&object! {"role": "assistant", "content": "", "thinking": run}, ticket);
                }
            }
            Part::Text(text) => {
                for run in pieces::runs(text, script.run) {
                    add(&object! {"role": "assistant", "content": run}, ticket);
                }
            }
            Part::Call { name, arguments } => {
                let calls = [call(name, arguments, ticket)];
                add(&object! {"role": "assistant", "content": "", "tool_calls": calls}, ticket);
            }
        }
    }
    tape.line(&done(&object! {"role": "assistant", "content": ""}, script, ticket), false);
    tape
}

fn call(name: &str, arguments: &str, ticket: &mut Ticket<'_>) -> Json {
    let arguments = Json(arguments.to_owned().into_bytes());
    let function = object! {"index": 0_u64, "name": name, "arguments": arguments};
    object! {"id": ticket.id("call_", 8), "function": function}
}

fn line(message: &Json, ticket: &Ticket<'_>) -> Json {
    object! {"model": ticket.model, "created_at": ticket.created_at(), "message": message}
}

/// What ends a reply. The durations, in nanoseconds, are made of the counts: the mock does not measure itself.
fn done(message: &Json, script: &Script, ticket: &Ticket<'_>) -> Json {
    let mut done = line(message, ticket);
    let (reading_ns, writing_ns) = (script.usage.input * 10_000, script.usage.output * 100_000);
    done.put("done", &true);
    done.put("done_reason", if script.finish == Finish::Length { "length" } else { "stop" });
    done.put("total_duration", &(1_000_000 + reading_ns + writing_ns));
    done.put("load_duration", &1_000_000_u64);
    done.put("prompt_eval_count", &script.usage.input);
    done.put("prompt_eval_duration", &reading_ns);
    done.put("eval_count", &script.usage.output);
    done.put("eval_duration", &writing_ns);
    done
}
