//! Anthropic messages. Source: `Message`, `MessageStreamEvent` of the API reference.

use serde_json::Value;

use crate::ask::{self, Ask, Choice, Thinking, Tool, field, list_field, text_field};
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::lorem;
use crate::pieces::{self, Run};
use crate::script::{Finish, Part, Script, Usage};
use crate::tape::Tape;
use crate::ticket::Ticket;

const READ: [&str; 5] = ["system", "messages", "tools", "output_config", "output_format"];

/// Understands a request.
pub(crate) fn read(body: &Value) -> Result<Ask, Failure> {
    let Some(limit) = ask::limit(body, "max_tokens")? else {
        return Err(Failure::bad_request(Some("max_tokens"), "max_tokens: Field required"));
    };
    let mut ask = read_counted(body)?;
    ask.output_limit = Some(limit);
    ask.stream = ask::flag(body, "stream")?;
    Ok(ask)
}

/// Understands what a token count needs.
fn read_counted(body: &Value) -> Result<Ask, Failure> {
    let messages = ask::messages(body, "messages")?;
    let schema =
        body.pointer("/output_config/format/schema").or_else(|| body.pointer("/output_format/schema"));
    let mut ask = Ask {
        user_text: ask::last_text(messages, "user"),
        input_tokens: ask::input_tokens(body, &READ),
        stops: ask::strings(body, "stop_sequences"),
        tool_result: tool_result(messages),
        schema: schema.cloned(),
        thinking: Thinking::off_if(
            body.pointer("/thinking/type").and_then(Value::as_str) == Some("disabled"),
        ),
        ..Ask::default()
    };
    ask.offer(list_field(body, "tools").iter().filter_map(tool).collect(), &choice(body))?;
    Ok(ask)
}

/// The reply to `/v1/messages/count_tokens`.
pub(crate) fn count(body: &Value) -> Result<Json, Failure> {
    Ok(object! {"input_tokens": read_counted(body)?.input_tokens})
}

fn tool_result(messages: &[Value]) -> Option<String> {
    let blocks = list_field(messages.last()?, "content");
    let result = blocks.iter().rev().find(|block| text_field(block, "type") == Some("tool_result"))?;
    Some(result.get("content").map(ask::content_text).unwrap_or_default())
}

// Tools that Anthropic runs itself have a type and no schema: they are not ours to call.
fn tool(tool: &Value) -> Option<Tool> {
    let schema = field(tool, "input_schema")?.clone();
    Some(Tool { name: text_field(tool, "name")?.to_owned(), schema })
}

fn choice(body: &Value) -> Choice<'_> {
    let Some(choice) = field(body, "tool_choice") else { return Choice::Auto };
    match text_field(choice, "type") {
        Some("none") => Choice::None,
        Some("any") => Choice::Any,
        Some("tool") => text_field(choice, "name").map_or(Choice::Any, Choice::Named),
        _ => Choice::Auto,
    }
}

/// The whole reply.
pub(crate) fn unary(script: &Script, ticket: &mut Ticket<'_>) -> Json {
    let id = ticket.id("msg_01", 22);
    let mut content = Vec::new();
    for part in &script.parts {
        content.push(match part {
            Part::Thinking(text) => {
                object! {"type": "thinking", "thinking": text, "signature": lorem::signature(text)}
            }
            Part::Text(text) => object! {"type": "text", "text": text, "citations": ()},
            Part::Call { name, arguments } => tool_use(ticket, name, &Json(arguments.clone().into_bytes())),
        });
    }
    let (reason, sequence) = stop(&script.finish);
    message(&id, ticket.model, &content, Some(reason), sequence, &usage(script.usage, script.usage.output))
}

fn message(
    id: &str,
    model: &str,
    content: &[Json],
    stop_reason: Option<&str>,
    stop_sequence: Option<&str>,
    usage: &Json,
) -> Json {
    object! {
        "model": model,
        "id": id,
        "type": "message",
        "role": "assistant",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": stop_sequence,
        "stop_details": (),
        "container": (),
        "usage": usage,
    }
}

fn tool_use(ticket: &mut Ticket<'_>, name: &str, input: &Json) -> Json {
    object! {
        "type": "tool_use", "id": ticket.id("toolu_01", 22), "name": name, "input": input,
        "caller": object! {"type": "direct"},
    }
}

/// The reply as a stream of events.
pub(crate) fn stream(script: &Script, ticket: &mut Ticket<'_>) -> Tape {
    let mut tape = Tape::default();
    let id = ticket.id("msg_01", 22);
    let start = message(&id, ticket.model, &[], None, None, &usage(script.usage, 1));
    tape.event("message_start", &object! {"type": "message_start", "message": start}, false);
    for (index, part) in script.parts.iter().enumerate() {
        block(&mut tape, index, part, script.run, ticket);
    }
    let (reason, sequence) = stop(&script.finish);
    let end = object! {
        "type": "message_delta",
        "delta": object! {"stop_reason": reason, "stop_sequence": sequence, "stop_details": (), "container": ()},
        "usage": object! {
            "input_tokens": script.usage.input,
            "cache_creation_input_tokens": 0_u64,
            "cache_read_input_tokens": 0_u64,
            "output_tokens": script.usage.output,
            "output_tokens_details": object! {"thinking_tokens": script.usage.reasoning},
            "server_tool_use": (),
        },
    };
    tape.event("message_delta", &end, false);
    tape.event("message_stop", &object! {"type": "message_stop"}, false);
    tape
}

/// One content block: start, deltas, stop; a ping behind the first start, as the vendor sends it.
fn block(tape: &mut Tape, index: usize, part: &Part, run: Run, ticket: &mut Ticket<'_>) {
    let (empty, text, kind, key) = match part {
        Part::Thinking(text) => {
            let empty = object! {"type": "thinking", "thinking": "", "signature": ""};
            (empty, text, "thinking_delta", "thinking")
        }
        Part::Text(text) => {
            (object! {"type": "text", "text": "", "citations": ()}, text, "text_delta", "text")
        }
        Part::Call { name, arguments } => {
            (tool_use(ticket, name, &object! {}), arguments, "input_json_delta", "partial_json")
        }
    };
    let start = object! {"type": "content_block_start", "index": index, "content_block": empty};
    tape.event("content_block_start", &start, false);
    if index == 0 {
        tape.event("ping", &object! {"type": "ping"}, false);
    }
    let mut delta = |kind: &str, key: &str, text: &str, content: bool| {
        let mut delta = object! {"type": kind};
        delta.put(key, text);
        let event = object! {"type": "content_block_delta", "index": index, "delta": delta};
        tape.event("content_block_delta", &event, content);
    };
    for run in pieces::runs(text, run) {
        delta(kind, key, run, true);
    }
    if let Part::Thinking(text) = part {
        delta("signature_delta", "signature", &lorem::signature(text), false);
    }
    tape.event("content_block_stop", &object! {"type": "content_block_stop", "index": index}, false);
}

fn stop(finish: &Finish) -> (&'static str, Option<&str>) {
    match finish {
        Finish::Stop => ("end_turn", None),
        Finish::Length => ("max_tokens", None),
        Finish::Calls => ("tool_use", None),
        Finish::StopString(sequence) => ("stop_sequence", Some(sequence)),
    }
}

fn usage(usage: Usage, output: u64) -> Json {
    object! {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": 0_u64,
        "cache_read_input_tokens": 0_u64,
        "cache_creation": object! {"ephemeral_5m_input_tokens": 0_u64, "ephemeral_1h_input_tokens": 0_u64},
        "output_tokens": output,
        "output_tokens_details": object! {"thinking_tokens": usage.reasoning.min(output)},
        "service_tier": "standard",
        "inference_geo": "not_available",
        "server_tool_use": (),
    }
}
