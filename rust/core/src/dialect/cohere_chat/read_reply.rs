//! Replies of the dialect, whole and streamed → the canonical form.
//!
//! A `tool_plan`, what a model says before it calls tools, is text, as it is of other providers' models. Invariant: in
//! a stream one call is open at a time, and a piece of input belongs to it or the stream is malformed.

use serde_json::value::RawValue;

use super::wire;
use crate::message::read::{At, says_something};
use crate::message::{
    Event, Fault, Losses, Malformed, Part, Reply, Sink, Stop, StreamReader, Text, Untranslatable, Usage,
    tool_input,
};

/// Members that are the same in every reply.
const HARMLESS: &[&str] = &["role"];

/// Reads a whole reply.
pub(super) fn reply<'a>(body: &'a str, losses: &mut Losses) -> Result<Reply<'a>, Malformed> {
    let at = At::ROOT;
    let body: wire::Reply<'a> = at.parse(body)?;
    losses.unknown("", &body.rest, HARMLESS);
    losses.add_if(body.logprobs.is_some_and(says_something), "logprobs");
    let message = at.required("message", body.message)?;
    losses.unknown("message.", &message.rest, HARMLESS);
    losses.add_if(message.citations.is_some_and(says_something), "message.citations");
    let at = at.member("message");
    let mut parts = Vec::new();
    for (index, part) in message.content.unwrap_or_default().into_iter().enumerate() {
        let list = at.member("content");
        let Some(part) = content(&list.index(index), part, losses)? else { continue };
        match (parts.last_mut(), part) {
            // In a stream nothing would tell where one ends.
            (Some(Part::Thinking { text, .. }), Part::Thinking { text: more, .. }) => {
                text.append(&more);
            }
            (_, part) => parts.push(part),
        }
    }
    parts.extend(message.tool_plan.filter(|plan| !plan.is_empty()).map(Part::Text));
    let calls = message.tool_calls.unwrap_or_default();
    let called = !calls.is_empty();
    for (index, call) in calls.into_iter().enumerate() {
        let list = at.member("tool_calls");
        parts.push(call_part(&list.index(index), call, losses)?);
    }
    let reason = At::ROOT.required("finish_reason", body.finish_reason)?;
    Ok(Reply {
        id: body.id.filter(|id| !id.is_empty()),
        model: None,
        created: None,
        parts,
        logprobs: Vec::new(),
        stop: stop(&reason, called, losses).map_err(Fault::inside_reply)?,
        stop_sequence: None,
        further: Vec::new(),
        usage: body.usage.map(usage).unwrap_or_default(),
    })
}

fn content<'a>(
    at: &At<'_>,
    part: wire::Part<'a>,
    losses: &mut Losses,
) -> Result<Option<Part<'a>>, Untranslatable> {
    losses.unknown("message.content[].", &part.rest, &[]);
    Ok(match at.required("type", part.kind)?.raw() {
        "text" => Some(Part::Text(at.required("text", part.text)?)),
        "thinking" => Some(Part::Thinking { text: at.required("thinking", part.thinking)?, signature: None }),
        other => {
            losses.named("message.content[].", other);
            None
        }
    })
}

fn call_part<'a>(
    at: &At<'_>,
    call: wire::ToolCall<'a>,
    losses: &mut Losses,
) -> Result<Part<'a>, Untranslatable> {
    call_losses(&call, losses);
    let function = at.required("function", call.function)?;
    let at_function = at.member("function");
    Ok(Part::ToolCall {
        id: at.required("id", call.id.filter(|id| !id.is_empty()))?,
        name: at_function.required("name", function.name)?,
        input: tool_input(function.arguments.unwrap_or_default())
            .ok_or_else(|| at_function.member("arguments").error("is not the JSON text of an object"))?,
    })
}

fn call_losses(call: &wire::ToolCall<'_>, losses: &mut Losses) {
    let other = call.kind.as_ref().is_some_and(|kind| kind.raw() != "function");
    losses.add_if(other, "message.tool_calls[].type");
    losses.unknown("message.tool_calls[].", &call.rest, &[]);
    let function = call.function.as_ref().map_or(&[][..], |function| &function.rest);
    losses.unknown("message.tool_calls[].function.", function, &[]);
}

/// Why the model stopped, or that the answer failed.
fn stop(reason: &Text<'_>, called: bool, losses: &mut Losses) -> Result<Stop, Fault<'static>> {
    match reason.raw() {
        "MAX_TOKENS" => Ok(Stop::Length),
        "COMPLETE" | "STOP_SEQUENCE" | "TOOL_CALL" if called => Ok(Stop::Tools),
        "TOOL_CALL" => Ok(Stop::Tools),
        "COMPLETE" => Ok(Stop::End),
        "STOP_SEQUENCE" => Ok(Stop::Sequence),
        // What has come by then is not the answer.
        "ERROR" => Err(failed("the generation failed")),
        "TIMEOUT" => Err(failed("the generation took longer than the provider allows")),
        _ => {
            losses.add("finish_reason");
            Ok(if called { Stop::Tools } else { Stop::End })
        }
    }
}

fn failed(message: &'static str) -> Fault<'static> {
    Fault { message: Text::plain(message), ..Fault::default() }
}

fn usage(usage: wire::Usage<'_>) -> Usage {
    let tokens = usage.tokens.or(usage.billed_units).unwrap_or_default();
    Usage {
        input: count(tokens.input_tokens),
        cache_read: count(usage.cached_tokens),
        cache_write: 0,
        cache_write_1h: 0,
        output: count(tokens.output_tokens),
        reasoning: 0,
    }
}

/// A whole number, whether or not it is written with a fraction; 0 for anything else.
fn count(number: Option<&RawValue>) -> u64 {
    let digits = number.map_or("", |number| number.get());
    digits.strip_suffix(".0").unwrap_or(digits).parse().unwrap_or_default()
}

/// Reads a stream of events.
#[derive(Default)]
pub(super) struct Events {
    started: bool,
    calls: usize,
    open: Option<Open>,
}

/// The call under way, the last that began.
struct Open {
    index: Option<u64>,
    /// Whether a piece of its input came.
    told: bool,
}

impl StreamReader for Events {
    fn read(&mut self, data: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let event: wire::Event<'_> = At::ROOT.parse(data)?;
        let kind = event.kind.as_ref().map_or("", Text::raw);
        // A failure may be told as it is outside of streams: by a message, without a type.
        if kind == "error" || (kind.is_empty() && event.message.is_some()) {
            return sink.emit(Event::Error(Fault::of_body(data.as_bytes())));
        }
        sink.losses.add_if(event.logprobs.is_some_and(says_something), "logprobs");
        let delta = event.delta.unwrap_or_default();
        sink.losses.unknown("", &delta.rest, HARMLESS);
        match kind {
            "message-start" => return self.start(event.id, sink),
            "message-end" => return self.end(delta, sink),
            _ if !self.started => {
                return Err(Malformed::new("the stream does not begin with `message-start`"));
            }
            _ => {}
        }
        let piece = delta.message.unwrap_or_default();
        sink.losses.unknown("message.", &piece.rest, HARMLESS);
        sink.losses.add_if(piece.citations.is_some_and(says_something), "message.citations");
        match kind {
            "tool-call-start" => {
                self.close(sink)?;
                self.open(event.index, piece.tool_calls, sink)
            }
            "tool-call-delta" => self.input(event.index, piece.tool_calls, sink),
            "tool-call-end" => self.close(sink),
            "content-start" | "content-delta" => {
                self.close(sink)?;
                told(piece.content, sink)
            }
            "tool-plan-delta" => {
                self.close(sink)?;
                match piece.tool_plan.filter(|plan| !plan.is_empty()) {
                    Some(plan) => sink.emit(Event::Text(plan)),
                    None => Ok(()),
                }
            }
            "content-end" | "citation-start" | "citation-end" | "debug" => Ok(()),
            other => {
                sink.losses.named("", other);
                Ok(())
            }
        }
    }
}

/// Hands over a piece of content.
fn told(content: Option<&RawValue>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let Some(content) = content else { return Ok(()) };
    let part: wire::Part<'_> = At::ROOT.member("content").parse(content.get())?;
    sink.losses.unknown("message.content[].", &part.rest, &[]);
    if let Some(kind) = part.kind.filter(|kind| !matches!(kind.raw(), "text" | "thinking")) {
        sink.losses.named("message.content[].", kind.raw());
    }
    let some = |text: &Text<'_>| !text.is_empty();
    part.thinking.filter(some).map_or(Ok(()), |text| sink.emit(Event::Thinking(text)))?;
    part.text.filter(some).map_or(Ok(()), |text| sink.emit(Event::Text(text)))
}

impl Events {
    fn start(&mut self, id: Option<Text<'_>>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if std::mem::replace(&mut self.started, true) {
            return Err(Malformed::new("`message-start` came twice"));
        }
        let id = id.filter(|id| !id.is_empty());
        sink.emit(Event::Start { id, model: None, created: None, usage: Usage::default() })
    }

    fn end(&mut self, delta: wire::Delta<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if let Some(error) = delta.error {
            return sink.emit(Event::Error(Fault::of_error(error)));
        }
        if !self.started {
            return Err(Malformed::new("the stream does not begin with `message-start`"));
        }
        self.close(sink)?;
        let reason = At::ROOT.member("delta").required("finish_reason", delta.finish_reason)?;
        match stop(&reason, self.calls > 0, sink.losses) {
            Ok(stop) => sink.emit(Event::Stop(stop))?,
            Err(fault) => return sink.emit(Event::Error(fault)),
        }
        if let Some(told) = delta.usage {
            sink.emit(Event::Usage(usage(told)))?;
        }
        sink.emit(Event::End)
    }

    fn open(
        &mut self,
        index: Option<u64>,
        call: Option<&RawValue>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        let at = At::ROOT.member("tool_calls");
        let call = At::ROOT.required("tool_calls", call)?;
        let call: wire::ToolCall<'_> = at.parse(call.get())?;
        call_losses(&call, sink.losses);
        let function = at.required("function", call.function)?;
        let id = at.required("id", call.id.filter(|id| !id.is_empty()))?;
        let name = at.member("function").required("name", function.name)?;
        let piece = function.arguments.filter(|piece| !piece.is_empty());
        let number = self.calls;
        self.calls += 1;
        self.open = Some(Open { index, told: piece.is_some() });
        sink.emit(Event::ToolCall { call: number, id, name })?;
        piece.map_or(Ok(()), |piece| sink.emit(Event::ToolInput { call: number, piece }))
    }

    fn input(
        &mut self,
        index: Option<u64>,
        call: Option<&RawValue>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        let (Some(open), Some(number)) = (&mut self.open, self.calls.checked_sub(1)) else {
            return Err(Malformed::new("a piece of input is of a tool call that is not open"));
        };
        if open.index != index {
            return Err(Malformed::new("a piece of input is of a tool call that is not open"));
        }
        let call = At::ROOT.required("tool_calls", call)?;
        let call: wire::ToolCall<'_> = At::ROOT.member("tool_calls").parse(call.get())?;
        call_losses(&call, sink.losses);
        match call.function.and_then(|function| function.arguments).filter(|piece| !piece.is_empty()) {
            Some(piece) => {
                open.told = true;
                sink.emit(Event::ToolInput { call: number, piece })
            }
            None => Ok(()),
        }
    }

    /// Ends the call under way. A tool without arguments may have streamed none; here it has an empty object.
    fn close(&mut self, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        match (self.open.take(), self.calls.checked_sub(1)) {
            (Some(Open { told: false, .. }), Some(call)) => {
                sink.emit(Event::ToolInput { call, piece: Text::plain("{}") })
            }
            _ => Ok(()),
        }
    }
}
