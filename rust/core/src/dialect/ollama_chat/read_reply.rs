//! Replies of the dialect, whole and streamed → the canonical form.
//!
//! Invariant: a stream is at its end when a line said `"done":true`, never otherwise. Calls come whole, and from
//! older servers without an id; one is made of the reply's time and the call's place in it, so that it is the
//! same whenever the reply is sent back.

use serde_json::value::RawValue;

use super::wire;
use crate::message::read::At;
use crate::message::{
    Event, Fault, Losses, Malformed, Part, Reply, Sink, Stop, StreamReader, Text, Untranslatable, Usage,
};

/// Members that tell of the serving, not of the reply.
const HARMLESS: &[&str] = &[
    "total_duration",
    "load_duration",
    "prompt_eval_duration",
    "eval_duration",
    "remote_model",
    "remote_host",
];

/// Reads a whole reply.
pub(super) fn reply<'a>(body: &'a str, losses: &mut Losses) -> Result<Reply<'a>, Malformed> {
    let at = At::ROOT;
    let body: wire::Reply<'a> = at.parse(body)?;
    if let Some(error) = body.error {
        return Err(Fault::of_error(error).inside_reply());
    }
    losses.unknown("", &body.rest, HARMLESS);
    let (reason, usage) = (body.done_reason.as_ref().map(Text::borrowed), usage(&body));
    if body.done != Some(true) {
        return Err(Malformed::new("the reply is not done"));
    }
    let message = at.required("message", body.message)?;
    message_losses(&message, losses);
    let mut parts = Vec::new();
    if let Some(text) = message.thinking.filter(|text| !text.is_empty()) {
        parts.push(Part::Thinking { text, signature: None });
    }
    parts.extend(message.content.filter(|text| !text.is_empty()).map(Part::Text));
    let calls = message.tool_calls.unwrap_or_default();
    let called = !calls.is_empty();
    for (index, call) in calls.into_iter().enumerate() {
        let Call { id, name, input } = call_of(call, body.created_at.as_ref(), index, losses)?;
        parts.push(Part::ToolCall { id, name, input: input.into() });
    }
    let stop = stop(reason.as_ref(), called, losses);
    Ok(Reply {
        id: None,
        model: body.model,
        created: None,
        parts,
        logprobs: Vec::new(),
        stop,
        stop_sequence: None,
        further: Vec::new(),
        usage,
    })
}

/// A call, whole.
struct Call<'a> {
    id: Text<'a>,
    name: Text<'a>,
    /// The JSON text of an object.
    input: &'a str,
}

fn call_of<'a>(
    call: wire::ToolCall<'a>,
    time: Option<&Text<'_>>,
    index: usize,
    losses: &mut Losses,
) -> Result<Call<'a>, Untranslatable> {
    losses.unknown("message.tool_calls[].", &call.rest, &["type"]);
    let message = At::ROOT.member("message");
    let list = message.member("tool_calls");
    let at = list.index(index);
    let function = at.required("function", call.function)?;
    let at = at.member("function");
    losses.unknown("message.tool_calls[].function.", &function.rest, &["index"]);
    let input = function.arguments.map_or("{}", RawValue::get);
    if !input.starts_with('{') {
        return Err(at.member("arguments").error("is not an object"));
    }
    let id = call.id.filter(|id| !id.is_empty()).or_else(|| time.map(|time| made_id(time, index)));
    Ok(Call { id: id.unwrap_or_default(), name: at.required("name", function.name)?, input })
}

fn made_id(time: &Text<'_>, index: usize) -> Text<'static> {
    let hash = blake3::hash(time.raw().as_bytes()).to_hex();
    Text::escaped(format!("call_{}_{index}", hash.get(..16).unwrap_or_default()))
}

fn message_losses(message: &wire::Message<'_>, losses: &mut Losses) {
    losses.unknown("message.", &message.rest, &["role"]);
}

fn usage(told: &wire::Reply<'_>) -> Usage {
    Usage {
        input: told.prompt_eval_count.unwrap_or_default(),
        output: told.eval_count.unwrap_or_default(),
        ..Usage::default()
    }
}

/// The reason; servers that are older than it give none.
fn stop(reason: Option<&Text<'_>>, called: bool, losses: &mut Losses) -> Stop {
    match reason.map_or("stop", Text::raw) {
        "length" => Stop::Length,
        "stop" | "tool_calls" if called => Stop::Tools,
        "stop" => Stop::End,
        _ => {
            losses.add("done_reason");
            if called { Stop::Tools } else { Stop::End }
        }
    }
}

/// Reads a stream of lines.
#[derive(Default)]
pub(super) struct Lines {
    started: bool,
    calls: usize,
    /// When the reply began, by the server's clock.
    time: Option<Text<'static>>,
}

impl StreamReader for Lines {
    fn read(&mut self, data: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let line: wire::Reply<'_> = At::ROOT.parse(data)?;
        if let Some(error) = line.error {
            return sink.emit(Event::Error(Fault::of_error(error)));
        }
        sink.losses.unknown("", &line.rest, HARMLESS);
        if !std::mem::replace(&mut self.started, true) {
            self.time = line.created_at.as_ref().map(|time| time.clone().into_owned());
            let model = line.model.clone();
            sink.emit(Event::Start { id: None, model, created: None, usage: Usage::default() })?;
        }
        let (reason, usage) = (line.done_reason.as_ref().map(Text::borrowed), usage(&line));
        let done = line.done == Some(true);
        self.message(line.message.unwrap_or_default(), sink)?;
        if !done {
            return Ok(());
        }
        let stop = stop(reason.as_ref(), self.calls > 0, sink.losses);
        sink.emit(Event::Stop(stop))?;
        sink.emit(Event::Usage(usage))?;
        sink.emit(Event::End)
    }
}

impl Lines {
    fn message(&mut self, message: wire::Message<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        message_losses(&message, sink.losses);
        if let Some(text) = message.thinking.filter(|text| !text.is_empty()) {
            sink.emit(Event::Thinking(text))?;
        }
        if let Some(text) = message.content.filter(|text| !text.is_empty()) {
            sink.emit(Event::Text(text))?;
        }
        for call in message.tool_calls.unwrap_or_default() {
            let index = self.calls;
            self.calls += 1;
            let Call { id, name, input } = call_of(call, self.time.as_ref(), index, sink.losses)?;
            sink.emit(Event::ToolCall { call: index, id, name })?;
            sink.emit(Event::ToolInput { call: index, piece: Text::escape(input) })?;
        }
        Ok(())
    }
}
