//! Cohere's chat, version 2. Source: Cohere `OpenAPI` document of 2026-05-31 (`chatv2`).
//!
//! What a model says before it calls tools is its `tool_plan`. Everywhere else this API has lists, an event of a
//! stream has the one thing that it adds to them.

use serde_json::Value;

use super::chat;
use crate::ask::{self, Ask, Choice, Plan, Thinking, field, list_field, text_field};
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::pieces;
use crate::script::{Finish, Part, Script, Usage};
use crate::tape::Tape;
use crate::ticket::Ticket;

const READ: [&str; 4] = ["messages", "documents", "tools", "response_format"];

/// Understands a request.
pub(crate) fn read(body: &Value) -> Result<Ask, Failure> {
    let messages = ask::messages(body, "messages")?;
    let mut ask = Ask {
        user_text: ask::last_text(messages, "user"),
        input_tokens: ask::input_tokens(body, &READ),
        output_limit: ask::limit(body, "max_tokens")?,
        stops: ask::strings(body, "stop_sequences"),
        stream: ask::flag(body, "stream")?,
        tool_result: tool_result(messages),
        schema: body.pointer("/response_format/json_schema").filter(|schema| !schema.is_null()).cloned(),
        plan: Plan::Told,
        thinking: Thinking::off_if(
            body.pointer("/thinking/type").and_then(Value::as_str) == Some("disabled"),
        ),
        ..Ask::default()
    };
    let choice = match text_field(body, "tool_choice") {
        Some("REQUIRED") => Choice::Any,
        Some("NONE") => Choice::None,
        _ => Choice::Auto,
    };
    ask.offer(list_field(body, "tools").iter().filter_map(chat::tool).collect(), &choice)?;
    Ok(ask)
}

/// A result is a text, or a list of texts and documents.
fn tool_result(messages: &[Value]) -> Option<String> {
    let last = messages.last().filter(|last| text_field(last, "role") == Some("tool"))?;
    let said = |part: &Value| {
        let document = part.pointer("/document/data").map(|data| match data {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        });
        document.or_else(|| text_field(part, "text").map(str::to_owned))
    };
    Some(match field(last, "content") {
        Some(Value::Array(parts)) => parts.iter().filter_map(said).collect::<Vec<_>>().join("\n"),
        content => content.map(ask::content_text).unwrap_or_default(),
    })
}

/// The whole reply.
pub(crate) fn unary(script: &Script, ticket: &mut Ticket<'_>) -> Json {
    let id = ticket.uuid();
    let mut message = object! {"role": "assistant"};
    let mut content = Vec::new();
    for part in &script.parts {
        match part {
            Part::Thinking(text) => content.push(object! {"type": "thinking", "thinking": text}),
            Part::Text(text) if script.finish == Finish::Calls => message.put("tool_plan", text),
            Part::Text(text) => content.push(object! {"type": "text", "text": text}),
            Part::Call { name, arguments } => {
                message.put("tool_calls", &[call(name, arguments, ticket)]);
            }
        }
    }
    if !content.is_empty() {
        message.put("content", &content);
    }
    object! {
        "id": id,
        "message": message,
        "finish_reason": reason(&script.finish),
        "usage": usage(script.usage),
    }
}

fn call(name: &str, arguments: &str, ticket: &mut Ticket<'_>) -> Json {
    object! {
        "id": ticket.id(&format!("{name}_"), 12),
        "type": "function",
        "function": object! {"name": name, "arguments": arguments},
    }
}

/// The reply as a stream of events.
pub(crate) fn stream(script: &Script, ticket: &mut Ticket<'_>) -> Tape {
    let mut tape = Tape::default();
    let none: [Json; 0] = [];
    let message = object! {
        "role": "assistant", "content": none, "tool_plan": "", "tool_calls": none, "citations": none,
    };
    let start = object! {
        "id": ticket.uuid(), "type": "message-start", "delta": object! {"message": message},
    };
    tape.event("message-start", &start, false);
    // Content and calls are counted apart; there is one call at most.
    let mut contents = 0;
    for part in &script.parts {
        match part {
            Part::Text(plan) if script.finish == Finish::Calls => {
                for run in pieces::runs(plan, script.run) {
                    add(&mut tape, "tool-plan-delta", None, Some(&object! {"tool_plan": run}), true);
                }
            }
            Part::Thinking(text) => content(&mut tape, &mut contents, "thinking", text, script),
            Part::Text(text) => content(&mut tape, &mut contents, "text", text, script),
            Part::Call { name, arguments } => {
                let start = object! {"tool_calls": call(name, "", ticket)};
                add(&mut tape, "tool-call-start", Some(0), Some(&start), false);
                for run in pieces::runs(arguments, script.run) {
                    let piece = object! {"function": object! {"arguments": run}};
                    let delta = object! {"tool_calls": piece};
                    add(&mut tape, "tool-call-delta", Some(0), Some(&delta), true);
                }
                add(&mut tape, "tool-call-end", Some(0), None, false);
            }
        }
    }
    let delta = object! {"finish_reason": reason(&script.finish), "usage": usage(script.usage)};
    tape.event("message-end", &object! {"type": "message-end", "delta": delta}, false);
    tape
}

/// One piece of content: start, deltas, end. `kind` is its type, and the name of what it says.
fn content(tape: &mut Tape, contents: &mut usize, kind: &str, text: &str, script: &Script) {
    let index = Some(*contents);
    *contents += 1;
    let mut start = object! {"type": kind};
    start.put(kind, "");
    add(tape, "content-start", index, Some(&object! {"content": start}), false);
    for run in pieces::runs(text, script.run) {
        let mut piece = object! {};
        piece.put(kind, run);
        add(tape, "content-delta", index, Some(&object! {"content": piece}), true);
    }
    add(tape, "content-end", index, None, false);
}

/// Adds an event that says what it adds to the message.
fn add(tape: &mut Tape, kind: &str, index: Option<usize>, message: Option<&Json>, content: bool) {
    let mut event = object! {"type": kind};
    if let Some(index) = index {
        event.put("index", &index);
    }
    if let Some(message) = message {
        event.put("delta", &object! {"message": message});
    }
    tape.event(kind, &event, content);
}

const fn reason(finish: &Finish) -> &'static str {
    match finish {
        Finish::Stop => "COMPLETE",
        Finish::Length => "MAX_TOKENS",
        Finish::Calls => "TOOL_CALL",
        Finish::StopString(_) => "STOP_SEQUENCE",
    }
}

fn usage(usage: Usage) -> Json {
    let tokens = object! {"input_tokens": usage.input, "output_tokens": usage.output};
    object! {"billed_units": tokens, "tokens": tokens, "cached_tokens": 0_u64}
}
