//! `OpenAI` responses. Source: `Response`, `ResponseStreamEvent`.
//!
//! A stream is told twice: as deltas and, at each level's end, as the finished thing. Both come from the same
//! script, and the last event holds exactly what the unary reply would.

use serde_json::Value;

use crate::ask::{self, Ask, Choice, Thinking, Tool, field, list_field, text_field};
use crate::failure::Failure;
use crate::json::{Json, ToJson, object};
use crate::pieces::{self, Run};
use crate::script::{Finish, Part, Script, Usage};
use crate::tape::Tape;
use crate::ticket::Ticket;

/// Understands a request.
pub(crate) fn read(body: &Value) -> Result<Ask, Failure> {
    let wrong = || {
        Failure::bad_request(Some("input"), "input: must be a string or a list of items that is not empty")
    };
    let (user_text, tool_result) = match body.get("input") {
        Some(Value::String(text)) => (text.clone(), None),
        Some(Value::Array(items)) if !items.is_empty() => (ask::last_text(items, "user"), tool_result(items)),
        _ => return Err(wrong()),
    };
    let mut ask = Ask {
        user_text,
        tool_result,
        input_tokens: ask::input_tokens(body, &["instructions", "input", "tools", "text"]),
        output_limit: ask::limit(body, "max_output_tokens")?,
        stream: ask::flag(body, "stream")?,
        schema: body.pointer("/text/format/schema").cloned(),
        thinking: Thinking::off_if(body.pointer("/reasoning/effort").and_then(Value::as_str) == Some("none")),
        ..Ask::default()
    };
    ask.offer(list_field(body, "tools").iter().filter_map(tool).collect(), &choice(body))?;
    Ok(ask)
}

/// The reply to `/v1/responses/input_tokens`.
pub(crate) fn count(body: &Value) -> Result<Json, Failure> {
    Ok(object! {"object": "response.input_tokens", "input_tokens": read(body)?.input_tokens})
}

fn tool_result(items: &[Value]) -> Option<String> {
    let last = items.last().filter(|last| text_field(last, "type") == Some("function_call_output"))?;
    Some(last.get("output").map(ask::content_text).unwrap_or_default())
}

fn tool(tool: &Value) -> Option<Tool> {
    (text_field(tool, "type") == Some("function")).then_some(())?;
    let schema = field(tool, "parameters").cloned().unwrap_or_default();
    Some(Tool { name: text_field(tool, "name")?.to_owned(), schema })
}

fn choice(body: &Value) -> Choice<'_> {
    let Some(choice) = field(body, "tool_choice") else { return Choice::Auto };
    match choice.as_str() {
        Some("none") => Choice::None,
        Some("required") => Choice::Any,
        Some(_) => Choice::Auto,
        None => text_field(choice, "name").map_or(Choice::Auto, Choice::Named),
    }
}

/// The whole reply.
pub(crate) fn unary(script: &Script, ticket: &mut Ticket<'_>) -> Json {
    let id = ticket.id("resp_", 48);
    let output: Vec<Json> = items(script, ticket).iter().map(|item| item.whole(script)).collect();
    Frame { id: &id, ticket }.ended(script, &output)
}

/// An item of the output with its ids.
struct Item<'a> {
    id: String,
    part: &'a Part,
    call_id: String,
    encrypted: bool,
}

fn items<'a>(script: &'a Script, ticket: &mut Ticket<'_>) -> Vec<Item<'a>> {
    let encrypted = list_field(ticket.request, "include").iter().any(|i| i == "reasoning.encrypted_content");
    let item = |part: &'a Part| {
        let prefix = match part {
            Part::Thinking(_) => "rs_",
            Part::Text(_) => "msg_",
            Part::Call { .. } => "fc_",
        };
        Item { id: ticket.id(prefix, 48), call_id: ticket.id("call_", 24), part, encrypted }
    };
    script.parts.iter().map(item).collect()
}

impl Item<'_> {
    /// The item as it is announced: without its content.
    fn begun(&self) -> Json {
        let none: [Json; 0] = [];
        match self.part {
            Part::Thinking(_) => self.reasoning(&none),
            Part::Text(_) => self.message("in_progress", &none),
            Part::Call { name, .. } => self.call("in_progress", name, ""),
        }
    }

    /// The item as it is in the end.
    fn whole(&self, script: &Script) -> Json {
        let status = if script.finish == Finish::Length { "incomplete" } else { "completed" };
        match self.part {
            Part::Thinking(text) => self.reasoning(&[object! {"type": "summary_text", "text": text}]),
            Part::Text(text) => self.message(status, &[text_part(text)]),
            Part::Call { name, arguments } => self.call("completed", name, arguments),
        }
    }

    fn reasoning(&self, summary: &[Json]) -> Json {
        let mut item = object! {"id": self.id, "type": "reasoning", "summary": summary};
        if self.encrypted {
            item.put("encrypted_content", &format!("gAAAAA{}", self.id));
        }
        item
    }

    fn message(&self, status: &str, content: &[Json]) -> Json {
        object! {"id": self.id, "type": "message", "status": status, "content": content, "role": "assistant"}
    }

    fn call(&self, status: &str, name: &str, arguments: &str) -> Json {
        object! {
            "id": self.id, "type": "function_call", "status": status, "arguments": arguments,
            "call_id": self.call_id, "name": name,
        }
    }
}

fn text_part(text: &str) -> Json {
    let none: [Json; 0] = [];
    object! {"type": "output_text", "annotations": none, "logprobs": none, "text": text}
}

/// The `Response` object around the output.
struct Frame<'a, 'b> {
    id: &'a str,
    ticket: &'a Ticket<'b>,
}

impl Frame<'_, '_> {
    fn ended(&self, script: &Script, output: &[Json]) -> Json {
        let status = if script.finish == Finish::Length { "incomplete" } else { "completed" };
        self.response(status, output, Some(&usage(script.usage)))
    }

    fn response(&self, status: &str, output: &[Json], usage: Option<&Json>) -> Json {
        let request = self.ticket.request;
        let given = |key: &str| request.get(key).cloned();
        let or = |key: &str, default: Value| field(request, key).cloned().unwrap_or(default);
        let incomplete = (status == "incomplete").then(|| object! {"reason": "max_output_tokens"});
        let plain_text = serde_json::json!({"format": {"type": "text"}, "verbosity": "medium"});
        object! {
            "id": self.id,
            "object": "response",
            "created_at": self.ticket.created,
            "status": status,
            "background": false,
            "completed_at": (status == "completed").then_some(self.ticket.created),
            "error": (),
            "incomplete_details": incomplete,
            "instructions": given("instructions"),
            "max_output_tokens": given("max_output_tokens"),
            "max_tool_calls": (),
            "model": self.ticket.model,
            "output": output,
            "parallel_tool_calls": or("parallel_tool_calls", Value::Bool(true)),
            "previous_response_id": given("previous_response_id"),
            "prompt_cache_key": given("prompt_cache_key"),
            "reasoning": or("reasoning", serde_json::json!({"effort": null, "summary": null})),
            "safety_identifier": given("safety_identifier"),
            "service_tier": "default",
            "store": or("store", Value::Bool(true)),
            "temperature": or("temperature", Value::from(1.0)),
            "text": or("text", plain_text),
            "tool_choice": or("tool_choice", Value::from("auto")),
            "tools": or("tools", Value::Array(Vec::new())),
            "top_logprobs": or("top_logprobs", Value::from(0)),
            "top_p": or("top_p", Value::from(1.0)),
            "truncation": or("truncation", Value::from("disabled")),
            "usage": usage,
            "user": given("user"),
            "metadata": or("metadata", serde_json::json!({})),
        }
    }
}

fn usage(usage: Usage) -> Json {
    object! {
        "input_tokens": usage.input,
        "input_tokens_details": object! {"cached_tokens": 0_u64, "cache_write_tokens": 0_u64},
        "output_tokens": usage.output,
        "output_tokens_details": object! {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.input + usage.output,
    }
}

/// The events of a stream, numbered.
#[derive(Default)]
struct Events {
    tape: Tape,
    sequence_number: u64,
}

impl Events {
    /// Adds an event; `fill` puts its members between the type and the number.
    fn add(&mut self, kind: &str, content: bool, fill: impl FnOnce(&mut Json)) {
        let mut event = object! {"type": kind};
        fill(&mut event);
        event.put("sequence_number", &self.sequence_number);
        self.sequence_number += 1;
        self.tape.event(kind, &event, content);
    }

    /// Adds an event about a place inside an item.
    fn at(
        &mut self,
        kind: &str,
        place: &Place<'_>,
        content: bool,
        key: &str,
        value: &(impl ToJson + ?Sized),
    ) {
        self.add(kind, content, |event| {
            event.put("item_id", place.item_id);
            event.put("output_index", &place.output_index);
            if let Some(key) = place.inner {
                event.put(key, &0_u64);
            }
            event.put(key, value);
            if kind.starts_with("response.output_text.") {
                event.put("logprobs", &Vec::<Json>::new());
            }
        });
    }
}

/// Where in the output an event belongs.
struct Place<'a> {
    item_id: &'a str,
    output_index: usize,
    /// The name of the index inside the item, which is always 0 here.
    inner: Option<&'static str>,
}

/// The reply as a stream of events.
pub(crate) fn stream(script: &Script, ticket: &mut Ticket<'_>) -> Tape {
    let id = ticket.id("resp_", 48);
    let items = items(script, ticket);
    let frame = Frame { id: &id, ticket };
    let mut events = Events::default();
    let begun = frame.response("in_progress", &[], None);
    events.add("response.created", false, |event| event.put("response", &begun));
    events.add("response.in_progress", false, |event| event.put("response", &begun));
    for (output_index, item) in items.iter().enumerate() {
        events.add("response.output_item.added", false, |event| {
            event.put("output_index", &output_index);
            event.put("item", &item.begun());
        });
        inside(&mut events, item, output_index, script.run);
        events.add("response.output_item.done", false, |event| {
            event.put("output_index", &output_index);
            event.put("item", &item.whole(script));
        });
    }
    let output: Vec<Json> = items.iter().map(|item| item.whole(script)).collect();
    let kind = if script.finish == Finish::Length { "response.incomplete" } else { "response.completed" };
    events.add(kind, false, |event| event.put("response", &frame.ended(script, &output)));
    events.tape
}

/// The events between an item's announcement and its end.
fn inside(events: &mut Events, item: &Item<'_>, output_index: usize, run: Run) {
    let place = |inner| Place { item_id: &item.id, output_index, inner };
    match item.part {
        Part::Thinking(text) => {
            let place = place(Some("summary_index"));
            let part = |text: &str| object! {"type": "summary_text", "text": text};
            events.at("response.reasoning_summary_part.added", &place, false, "part", &part(""));
            for run in pieces::runs(text, run) {
                events.at("response.reasoning_summary_text.delta", &place, true, "delta", run);
            }
            events.at("response.reasoning_summary_text.done", &place, false, "text", text);
            events.at("response.reasoning_summary_part.done", &place, false, "part", &part(text));
        }
        Part::Text(text) => {
            let place = place(Some("content_index"));
            events.at("response.content_part.added", &place, false, "part", &text_part(""));
            for run in pieces::runs(text, run) {
                events.at("response.output_text.delta", &place, true, "delta", run);
            }
            events.at("response.output_text.done", &place, false, "text", text);
            events.at("response.content_part.done", &place, false, "part", &text_part(text));
        }
        Part::Call { name, arguments } => {
            let place = place(None);
            for run in pieces::runs(arguments, run) {
                events.at("response.function_call_arguments.delta", &place, true, "delta", run);
            }
            events.add("response.function_call_arguments.done", false, |event| {
                event.put("item_id", &item.id);
                event.put("output_index", &output_index);
                event.put("name", name);
                event.put("arguments", arguments);
            });
        }
    }
}
