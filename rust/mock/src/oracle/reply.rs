//! The reply to a question, in its dialect: what the upstream sends and what the verifier expects.
//!
//! Invariant: everything here is a pure function of the [`Ask`] and the orders of the attempt. Sources: the
//! vendors' API references; none of the gateway's own tables.

use std::fmt::Write as _;

use serde_json::{Value, json};

use super::ask::{Ask, Dialect, Vendor};
use super::order::{LineEnds, Order, Shape};
use super::story::{self, Numbers};

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// The `event` field, where the dialect has one.
    pub name: &'static str,
    /// The data.
    pub data: String,
}

/// The model every reply names: what a gateway makes of the client's word must not change the reply.
const MODEL: &str = "oracle";
const CREATED: u64 = 1_700_000_000;

/// A reply of 200.
#[derive(Clone, Debug)]
pub enum Reply {
    /// One JSON document.
    Document(Vec<u8>),
    /// Events, as they are sent.
    Stream(Vec<Event>),
}

/// What the attempt with these orders replies, if not with an error status.
pub fn reply(ask: &Ask, orders: &[Order]) -> Reply {
    let huge = orders.iter().find_map(|order| match order {
        Order::Huge(bytes) => Some(*bytes),
        _ => None,
    });
    let pieces = story::tell(ask.seed, ask.events, ask.size, huge.unwrap_or(0));
    if !ask.stream || ask.dialect == Dialect::Embeddings {
        return Reply::Document(document(ask, &pieces).to_string().into_bytes());
    }
    let ends = |order: &Order| !matches!(order, Order::NoTerminal | Order::ErrorEvent(..));
    let mut events = stream(ask, &pieces, orders.iter().all(ends));
    for order in orders {
        if let Order::ErrorEvent(after, shape) = order {
            fail(ask, &mut events, *after, *shape);
        }
    }
    Reply::Stream(events)
}

/// Tokens, as far as the oracle counts them: pieces.
fn usage(ask: &Ask) -> (u64, u64) {
    (ask.seed % 1000 + 1, u64::from(ask.events))
}

fn openai_usage(ask: &Ask) -> Value {
    let (input, output) = usage(ask);
    json!({"prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output})
}

fn document(ask: &Ask, pieces: &[String]) -> Value {
    let text = pieces.concat();
    let (input, output) = usage(ask);
    match ask.dialect {
        Dialect::Chat => json!({
            "id": format!("chatcmpl-{}", ask.id), "object": "chat.completion", "created": CREATED, "model": MODEL,
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text, "refusal": null},
                "logprobs": null, "finish_reason": "stop"}],
            "usage": openai_usage(ask),
        }),
        Dialect::Completions => json!({
            "id": format!("cmpl-{}", ask.id), "object": "text_completion", "created": CREATED, "model": MODEL,
            "choices": [{"index": 0, "text": text, "logprobs": null, "finish_reason": "stop"}],
            "usage": openai_usage(ask),
        }),
        Dialect::Responses => response(ask, "completed", Some(&text)),
        Dialect::Embeddings => {
            let mut numbers = Numbers::new(ask.seed);
            let halves = (0..u64::from(ask.events) * 8).map(|_| numbers.below(1 << 20));
            #[expect(clippy::cast_precision_loss, reason = "20 bits, and a power of two below")]
            let vector: Vec<f64> = halves.map(|n| n as f64 / 1_048_576.0 - 0.5).collect();
            json!({
                "object": "list", "model": MODEL,
                "data": [{"object": "embedding", "index": 0, "embedding": vector}],
                "usage": {"prompt_tokens": input, "total_tokens": input},
            })
        }
        Dialect::Messages => json!({
            "id": format!("msg_{}", ask.id), "type": "message", "role": "assistant", "model": MODEL,
            "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": input, "output_tokens": output},
        }),
        Dialect::Gemini => generated(ask, &text, Some("STOP")),
    }
}

/// A reply of Google's API, and each chunk of one: they have one shape.
fn generated(ask: &Ask, text: &str, finish: Option<&str>) -> Value {
    let (input, output) = usage(ask);
    let mut candidate = json!({"content": {"parts": [{"text": text}], "role": "model"}, "index": 0});
    if let (Some(finish), Value::Object(members)) = (finish, &mut candidate) {
        drop(members.insert("finishReason".to_owned(), finish.into()));
    }
    json!({
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": input, "candidatesTokenCount": output, "totalTokenCount": input + output,
        },
        "modelVersion": MODEL, "responseId": format!("r{}", ask.id),
    })
}

fn response(ask: &Ask, status: &str, text: Option<&str>) -> Value {
    let (input, output) = usage(ask);
    let content =
        |text: &str| json!([{"type": "output_text", "annotations": [], "logprobs": [], "text": text}]);
    let item = text.map(|text| {
        json!({"id": format!("msg_{}", ask.id), "type": "message", "status": status, "role": "assistant",
            "content": content(text)})
    });
    let usage = text.map(|_| {
        json!({"input_tokens": input, "input_tokens_details": {"cached_tokens": 0}, "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": 0}, "total_tokens": input + output})
    });
    json!({
        "id": format!("resp_{}", ask.id), "object": "response", "created_at": CREATED, "status": status,
        "error": null, "incomplete_details": null, "instructions": null, "model": MODEL,
        "output": item.into_iter().collect::<Vec<_>>(), "parallel_tool_calls": true, "tool_choice": "auto",
        "tools": [], "temperature": 1.0, "top_p": 1.0, "metadata": {}, "usage": usage,
    })
}

/// All events, or all but what says that this is the end.
fn stream(ask: &Ask, pieces: &[String], ended: bool) -> Vec<Event> {
    let mut events = match ask.dialect {
        Dialect::Chat | Dialect::Completions => chunks(ask, pieces),
        Dialect::Responses => response_events(ask, pieces),
        Dialect::Messages => message_events(ask, pieces),
        Dialect::Gemini => return generated_chunks(ask, pieces, ended),
        Dialect::Embeddings => Vec::new(),
    };
    if !ended {
        drop(events.pop());
    }
    events
}

/// The reason for the end stands on the last words, or on a chunk of its own behind them: Google sends both.
fn generated_chunks(ask: &Ask, pieces: &[String], ended: bool) -> Vec<Event> {
    let apart = pieces.is_empty() || ask.seed.is_multiple_of(2);
    let last = pieces.len().saturating_sub(1);
    let finish = |here: bool| (here && ended).then_some("STOP");
    let event = |chunk: Value| Event { name: "", data: chunk.to_string() };
    let chunk = |(at, piece): (usize, &String)| event(generated(ask, piece, finish(at == last && !apart)));
    let mut events: Vec<Event> = pieces.iter().enumerate().map(chunk).collect();
    if apart && ended {
        events.push(event(generated(ask, "", finish(true))));
    }
    events
}

fn chunks(ask: &Ask, pieces: &[String]) -> Vec<Event> {
    let chat = ask.dialect == Dialect::Chat;
    let chunk = |choices: Value, usage: Value| {
        let (id, object) = if chat {
            (format!("chatcmpl-{}", ask.id), "chat.completion.chunk")
        } else {
            (format!("cmpl-{}", ask.id), "text_completion")
        };
        let mut chunk = json!({
            "id": id, "object": object, "created": CREATED, "model": MODEL, "choices": choices,
        });
        // Servers say `"usage":null` in every chunk only where usage was asked for.
        if let (true, Value::Object(members)) = (ask.usage, &mut chunk) {
            drop(members.insert("usage".to_owned(), usage));
        }
        Event { name: "", data: chunk.to_string() }
    };
    let choice = |text: &str, finish: Option<&str>| {
        if chat {
            let delta = if finish.is_some() { json!({}) } else { json!({ "content": text }) };
            json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}])
        } else {
            json!([{"index": 0, "text": text, "logprobs": null, "finish_reason": finish}])
        }
    };
    let mut events = Vec::with_capacity(pieces.len() + 4);
    if chat {
        let delta = json!({"role": "assistant", "content": ""});
        events.push(chunk(json!([{"index": 0, "delta": delta, "finish_reason": null}]), Value::Null));
    }
    events.extend(pieces.iter().map(|piece| chunk(choice(piece, None), Value::Null)));
    events.push(chunk(choice("", Some("stop")), Value::Null));
    if ask.usage {
        events.push(chunk(json!([]), openai_usage(ask)));
    }
    events.push(Event { name: "", data: "[DONE]".to_owned() });
    events
}

fn response_events(ask: &Ask, pieces: &[String]) -> Vec<Event> {
    let text = pieces.concat();
    let item_id = format!("msg_{}", ask.id);
    let part = |text: &str| json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text});
    let item = |status: &str, content: Value| json!({"id": item_id, "type": "message", "status": status, "role": "assistant", "content": content});
    let mut events = Vec::with_capacity(pieces.len() + 8);
    let mut push = |name: &'static str, mut data: Value| {
        if let Value::Object(members) = &mut data {
            drop(members.insert("type".to_owned(), name.into()));
            drop(members.insert("sequence_number".to_owned(), events.len().into()));
        }
        events.push(Event { name, data: data.to_string() });
    };
    push("response.created", json!({"response": response(ask, "in_progress", None)}));
    push("response.output_item.added", json!({"output_index": 0, "item": item("in_progress", json!([]))}));
    let at = json!({"item_id": item_id, "output_index": 0, "content_index": 0});
    let with = |name: &str, value: Value| {
        let mut data = at.clone();
        if let Value::Object(members) = &mut data {
            drop(members.insert(name.to_owned(), value));
        }
        data
    };
    push("response.content_part.added", with("part", part("")));
    for piece in pieces {
        push("response.output_text.delta", with("delta", piece.as_str().into()));
    }
    push("response.output_text.done", with("text", text.as_str().into()));
    push("response.content_part.done", with("part", part(&text)));
    push(
        "response.output_item.done",
        json!({"output_index": 0, "item": item("completed", json!([part(&text)]))}),
    );
    push("response.completed", json!({"response": response(ask, "completed", Some(&text))}));
    events
}

fn message_events(ask: &Ask, pieces: &[String]) -> Vec<Event> {
    let (input, output) = usage(ask);
    let mut events = Vec::with_capacity(pieces.len() + 6);
    let mut push = |name: &'static str, mut data: Value| {
        if let Value::Object(members) = &mut data {
            drop(members.insert("type".to_owned(), name.into()));
        }
        events.push(Event { name, data: data.to_string() });
    };
    push(
        "message_start",
        json!({"message": {
            "id": format!("msg_{}", ask.id), "type": "message", "role": "assistant", "model": MODEL, "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": {"input_tokens": input, "output_tokens": 1},
        }}),
    );
    push("content_block_start", json!({"index": 0, "content_block": {"type": "text", "text": ""}}));
    push("ping", json!({}));
    for piece in pieces {
        push("content_block_delta", json!({"index": 0, "delta": {"type": "text_delta", "text": piece}}));
    }
    push("content_block_stop", json!({"index": 0}));
    push(
        "message_delta",
        json!({
            "delta": {"stop_reason": "end_turn", "stop_sequence": null}, "usage": {"output_tokens": output},
        }),
    );
    push("message_stop", json!({}));
    events
}

/// Opening events before the first piece of content.
const fn opening(dialect: Dialect) -> usize {
    match dialect {
        Dialect::Chat => 1,
        Dialect::Completions | Dialect::Embeddings | Dialect::Gemini => 0,
        Dialect::Responses | Dialect::Messages => 3,
    }
}

/// Cuts the stream behind so many content events and puts an error there.
fn fail(ask: &Ask, events: &mut Vec<Event>, after: u64, shape: Shape) {
    let content = usize::try_from(after).unwrap_or(usize::MAX).min(ask.events as usize);
    events.truncate(opening(ask.dialect) + content);
    let message = "the model fell over on order";
    let event = |name: &'static str, data: &Value| Event { name, data: data.to_string() };
    let done = || Event { name: "", data: "[DONE]".to_owned() };
    match (shape, ask.dialect) {
        (Shape::Own | Shape::Failed, Dialect::Messages) => events.push(event(
            "error",
            &json!({"type": "error", "error": {"type": "overloaded_error", "message": message}}),
        )),
        (Shape::Own, Dialect::Responses) => {
            let number = events.len();
            events.push(event("error", &json!({
                "type": "error", "sequence_number": number, "code": "server_error", "message": message, "param": null,
            })));
        }
        (Shape::Failed, Dialect::Responses) => {
            let number = events.len();
            let mut failed = response(ask, "failed", None);
            if let Some(error) = failed.get_mut("error") {
                *error = json!({"code": "server_error", "message": message});
            }
            events.push(event(
                "response.failed",
                &json!({
                    "type": "response.failed", "sequence_number": number, "response": failed,
                }),
            ));
        }
        (Shape::Vllm, _) => {
            events.push(event("", &json!({
                "object": "error", "message": message, "type": "InternalServerError", "param": null, "code": 500,
            })));
            events.push(done());
        }
        (Shape::Own | Shape::Failed, Dialect::Gemini) => {
            events.push(event("", &google_error(503, message)));
        }
        (Shape::Own | Shape::Failed, _) => {
            events.push(event(
                "",
                &json!({"error": {
                    "message": message, "type": "server_error", "param": null, "code": "server_error",
                }}),
            ));
            events.push(done());
        }
    }
}

/// An error's body in the dialect's shape.
pub fn error_body(dialect: Dialect, status: u16, message: &str) -> Vec<u8> {
    let kind = match status {
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..=499 => "invalid_request_error",
        _ => "api_error",
    };
    let body = match dialect.vendor() {
        Vendor::OpenAi => json!({"error": {"message": message, "type": kind, "param": null, "code": null}}),
        Vendor::Anthropic => json!({"type": "error", "error": {"type": kind, "message": message}}),
        Vendor::Google => google_error(status, message),
    };
    body.to_string().into_bytes()
}

/// `google.rpc.Status`, and the HTTP status in its `code`.
fn google_error(status: u16, message: &str) -> Value {
    let name = match status {
        400 => "INVALID_ARGUMENT",
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        500 => "INTERNAL",
        504 => "DEADLINE_EXCEEDED",
        402..=499 => "FAILED_PRECONDITION",
        _ => "UNAVAILABLE",
    };
    json!({"error": {"code": status, "message": message, "status": name}})
}

/// The bytes of the events, one piece each, as these orders have them written.
pub fn written(events: &[Event], orders: &[Order]) -> Vec<Vec<u8>> {
    let has = |order: &Order| orders.contains(order);
    let style = Style {
        ends: orders.iter().find_map(|order| match order {
            Order::Ends(ends) => Some(*ends),
            _ => None,
        }),
        space: if has(&Order::NoSpace) { "" } else { " " },
        several_lines: has(&Order::MultiLine),
    };
    let comments = has(&Order::Comments);
    let mut count = 0;
    let mut pieces: Vec<Vec<u8>> = Vec::with_capacity(events.len());
    for (at, event) in events.iter().enumerate() {
        let mut text = String::with_capacity(event.data.len() + 64);
        if at == 0 && has(&Order::Bom) {
            text.push('\u{feff}');
        }
        if comments && at % 3 == 1 {
            let end = style.end(&mut count);
            let _ = write!(text, ": keep-alive {at}{end}{end}");
        }
        style.write(&mut text, event, &mut count);
        pieces.push(text.into_bytes());
    }
    if let (true, Some(last)) = (has(&Order::NoLastBlank), pieces.last_mut()) {
        while last.ends_with(b"\n") || last.ends_with(b"\r") {
            let _ = last.pop();
        }
        last.push(b'\n');
    }
    pieces
}

struct Style {
    ends: Option<LineEnds>,
    space: &'static str,
    several_lines: bool,
}

impl Style {
    fn end(&self, count: &mut usize) -> &'static str {
        *count += 1;
        match self.ends {
            None => "\n",
            Some(LineEnds::Crlf) => "\r\n",
            Some(LineEnds::Cr) => "\r",
            Some(LineEnds::Mixed) => ["\n", "\r\n", "\r"].get(*count % 3).copied().unwrap_or("\n"),
        }
    }

    fn write(&self, text: &mut String, event: &Event, count: &mut usize) {
        let space = self.space;
        if !event.name.is_empty() {
            // Writing into a string cannot fail.
            let _ = write!(text, "event:{space}{}{}", event.name, self.end(count));
        }
        for line in self.lines(&event.data) {
            let _ = write!(text, "data:{space}{line}{}", self.end(count));
        }
        // LF behind a CR would belong to it: an event must not be ended by half a line end.
        let end = self.end(count);
        text.push_str(if text.ends_with('\r') && end.starts_with('\n') { "\r" } else { end });
    }

    /// JSON may be broken at any white space; the reader puts a line feed back there.
    fn lines<'a>(&self, data: &'a str) -> Vec<&'a str> {
        match data.split_once('{') {
            Some(("", rest)) if self.several_lines => vec!["{", rest],
            _ => vec![data],
        }
    }
}

/// The events as a reader gets them: data over several lines comes with line feeds in it.
pub fn as_read(events: &[Event], orders: &[Order]) -> Vec<Event> {
    if !orders.contains(&Order::MultiLine) {
        return events.to_vec();
    }
    let joined = |data: &str| data.strip_prefix('{').map(|rest| format!("{{\n{rest}"));
    let read = |event: &Event| Event {
        name: event.name,
        data: joined(&event.data).unwrap_or_else(|| event.data.clone()),
    };
    events.iter().map(read).collect()
}
