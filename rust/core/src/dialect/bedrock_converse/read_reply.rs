//! Replies of the dialect, whole and streamed → the canonical form.
//!
//! Invariants: one block is open at a time, and a delta belongs to it or begins the next; a stream is at its end
//! when both `messageStop` and `metadata` came, never otherwise. Of the blocks of a stream only calls are begun
//! by an event of their own.
//!
//! Source: service model `bedrock-runtime` 2023-09-30 of botocore 1.44 (`ConverseResponse`, `ConverseStreamOutput`).

use serde_json::value::RawValue;

use super::wire;
use crate::event_stream::Message;
use crate::message::read::At;
use crate::message::{
    Event, Fault, Losses, Maker, Malformed, MessageReader, Part, Reply, Sink, Stop, Text, Usage,
    decode_base64, encode_base64,
};

/// Members that tell of the serving, not of the reply, one that is the same in every reply, and padding.
const HARMLESS: &[&str] = &["metrics", "performanceConfig", "serviceTier", "role", "p"];

/// A tool that the provider runs itself.
const SERVER_TOOL: &str = "server_tool_use";

/// Longest encrypted reasoning of one block in a stream.
const REDACTED_BYTES_MAX: usize = 1024 * 1024;

/// Reads a whole reply.
pub(super) fn reply<'a>(body: &'a str, losses: &mut Losses) -> Result<Reply<'a>, Malformed> {
    let at = At::ROOT;
    let body: wire::Reply<'a> = at.parse(body)?;
    losses.unknown("", &body.rest, HARMLESS);
    let output = at.required("output", body.output)?;
    losses.unknown("output.", &output.rest, &[]);
    let at_output = at.member("output");
    let message = at_output.required("message", output.message)?;
    losses.unknown("output.message.", &message.rest, &["role"]);
    let at_message = at_output.member("message");
    let list = at_message.member("content");
    let mut parts = Vec::new();
    for (index, block) in at_message.required("content", message.content)?.into_iter().enumerate() {
        read_block(&list.index(index), block, losses, &mut parts)?;
    }
    let called = parts.iter().any(|part| matches!(part, Part::ToolCall { .. }));
    let reason = at.required("stopReason", body.stop_reason)?;
    Ok(Reply {
        id: None,
        model: None,
        created: None,
        parts,
        logprobs: Vec::new(),
        stop: stop(&reason, called, losses)?,
        stop_sequence: None,
        further: Vec::new(),
        usage: body.usage.as_ref().map(usage).unwrap_or_default(),
    })
}

/// Reads one block, which may become none or several parts.
fn read_block<'a>(
    at: &At<'_>,
    block: wire::Block<'a>,
    losses: &mut Losses,
    parts: &mut Vec<Part<'a>>,
) -> Result<(), Malformed> {
    losses.unknown("content[].", &block.rest, &[]);
    if let Some(text) = block.text {
        parts.push(Part::Text(text));
    }
    if let Some(reasoning) = block.reasoning {
        losses.unknown("content[].reasoningContent.", &reasoning.rest, &[]);
        if let Some(told) = reasoning.text {
            losses.unknown("content[].reasoningContent.reasoningText.", &told.rest, &[]);
            let signature = told.signature.filter(|text| !text.is_empty());
            let signature = signature.map(|text| Maker::Anthropic.seal(text));
            parts.push(Part::Thinking { text: told.text.unwrap_or_default(), signature });
        }
        if let Some(data) = reasoning.redacted {
            parts.push(Part::Redacted(Maker::Bedrock.seal(data)));
        }
    }
    if let Some(call) = block.tool_use {
        losses.unknown("content[].toolUse.", &call.rest, &[]);
        let at = at.member("toolUse");
        if is_server_tool(&call, losses) {
            return Ok(());
        }
        let input = at.required("input", call.input)?;
        parts.push(Part::ToolCall {
            id: at.required("toolUseId", call.id)?,
            name: at.required("name", call.name)?,
            input: self::input(input)?.into(),
        });
    }
    if let Some(cited) = block.citations {
        losses.add_if(cited.citations.is_some(), "content[].citations");
        losses.unknown("content[].citationsContent.", &cited.rest, &[]);
        for piece in cited.content.unwrap_or_default() {
            losses.unknown("content[].citationsContent.content[].", &piece.rest, &[]);
            parts.extend(piece.text.map(Part::Text));
        }
    }
    Ok(())
}

/// Whether a call is the provider's own affair, which is named.
fn is_server_tool(call: &wire::ToolUse<'_>, losses: &mut Losses) -> bool {
    let is_own = call.kind.as_ref().is_some_and(|kind| kind.raw() == SERVER_TOOL);
    losses.add_if(is_own, "content[].server_tool_use");
    is_own
}

/// The JSON text of a tool's input.
fn input(value: &RawValue) -> Result<&str, Malformed> {
    let json = value.get();
    if json.starts_with('{') { Ok(json) } else { Err(Malformed::new("the input of a tool is not an object")) }
}

fn stop(reason: &Text<'_>, called: bool, losses: &mut Losses) -> Result<Stop, Malformed> {
    Ok(match reason.raw() {
        // A client that believed it would never run the tools.
        "end_turn" | "stop_sequence" if called => Stop::Tools,
        "end_turn" => Stop::End,
        "stop_sequence" => Stop::Sequence,
        "tool_use" => Stop::Tools,
        "max_tokens" | "model_context_window_exceeded" => Stop::Length,
        "guardrail_intervened" | "content_filtered" => Stop::Filter,
        "malformed_model_output" | "malformed_tool_use" => {
            return Err(Malformed::new(format!("the model's output is broken (`{}`)", reason.raw())));
        }
        _ => {
            losses.add("stopReason");
            if called { Stop::Tools } else { Stop::End }
        }
    })
}

/// Here the parts of the prompt are counted apart.
fn usage(told: &wire::Usage) -> Usage {
    let cache_read = told.cache_read.unwrap_or_default();
    let cache_write = told.cache_write.unwrap_or_default();
    let fresh = told.input.unwrap_or_default();
    let for_an_hour = told.cache_details.iter().flatten().filter(|detail| detail.ttl == "1h");
    Usage {
        input: fresh.saturating_add(cache_read).saturating_add(cache_write),
        cache_read,
        cache_write,
        cache_write_1h: for_an_hour.map(|detail| detail.input).sum(),
        output: told.output.unwrap_or_default(),
        reasoning: 0,
    }
}

/// What an exception says, its class in words that clients know.
fn exception<'a>(message: &Message<'a>) -> Fault<'a> {
    let kind = match message.exception_type {
        "throttlingException" => "rate_limit_error",
        "validationException" => "invalid_request_error",
        "serviceUnavailableException" | "modelNotReadyException" => "overloaded_error",
        "modelTimeoutException" => "timeout_error",
        _ => "api_error",
    };
    Fault {
        kind: Some(Text::plain(kind)),
        code: Some(Text::escape(message.exception_type)),
        ..Fault::of_body(message.payload)
    }
}

/// What is told of a failure that the service's model does not know.
fn error<'a>(message: &Message<'a>) -> Fault<'a> {
    let said = if message.error_message.is_empty() { message.error_code } else { message.error_message };
    Fault {
        message: Text::escape(said),
        kind: Some(Text::plain("api_error")),
        code: Some(Text::escape(message.error_code)),
        param: None,
    }
}

/// Reads a stream of events.
#[derive(Default)]
pub(super) struct Events {
    started: bool,
    stopped: bool,
    told_usage: bool,
    open: Option<Open>,
    calls: usize,
}

/// The block under way.
struct Open {
    index: u64,
    kind: Kind,
}

enum Kind {
    /// Its first delta tells.
    Untold,
    Text,
    Thinking {
        /// What of it came encrypted.
        redacted: Vec<u8>,
    },
    Tool {
        call: usize,
        /// Whether a piece of its input came.
        told: bool,
    },
    /// One that is named as lost.
    Silent,
}

impl MessageReader for Events {
    fn read(&mut self, message: &Message<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        match message.message_type {
            "event" => {}
            "exception" => return sink.emit(Event::Error(exception(message))),
            "error" => return sink.emit(Event::Error(error(message))),
            _ => return Err(Malformed::new("a message of the stream is of no known type")),
        }
        let kind = message.event_type;
        match kind {
            "messageStart" if !std::mem::replace(&mut self.started, true) => {
                return sink.emit(Event::Start {
                    id: None,
                    model: None,
                    created: None,
                    usage: Usage::default(),
                });
            }
            "messageStart" => return Err(Malformed::new("`messageStart` came twice")),
            "initial-response" => return Ok(()),
            _ if !self.started => {
                return Err(Malformed::new("the stream does not begin with `messageStart`"));
            }
            "contentBlockStart" | "contentBlockDelta" | "contentBlockStop" if self.stopped => {
                return Err(Malformed::new("content came behind `messageStop`"));
            }
            "contentBlockStart" | "contentBlockDelta" | "contentBlockStop" | "messageStop" | "metadata" => {}
            other => {
                sink.losses.named("", other);
                return Ok(());
            }
        }
        let data = std::str::from_utf8(message.payload);
        let data = data.map_err(|_| Malformed::new("an event of the stream is not UTF-8"))?;
        let event: wire::Event<'_> = At::ROOT.parse(data)?;
        sink.losses.unknown("", &event.rest, HARMLESS);
        match kind {
            "contentBlockStart" => {
                self.close(sink)?;
                let index = At::ROOT.required("contentBlockIndex", event.index)?;
                self.open_block(index, event.start.unwrap_or_default(), sink)
            }
            "contentBlockDelta" => {
                let index = At::ROOT.required("contentBlockIndex", event.index)?;
                self.turn_to(index, sink)?.delta(event.delta.unwrap_or_default(), sink)
            }
            "contentBlockStop" => self.close(sink),
            "messageStop" => {
                self.close(sink)?;
                let reason = At::ROOT.required("stopReason", event.stop_reason)?;
                let stop = stop(&reason, self.calls > 0, sink.losses)?;
                self.stopped = true;
                sink.emit(Event::Stop(stop))?;
                self.end(sink)
            }
            _ => {
                self.told_usage = true;
                sink.emit(Event::Usage(event.usage.as_ref().map(usage).unwrap_or_default()))?;
                self.end(sink)
            }
        }
    }
}

impl Events {
    fn open_block(
        &mut self,
        index: u64,
        start: wire::Start<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        sink.losses.unknown("content[].", &start.rest, &[]);
        let kind = match start.tool_use {
            Some(call) if is_server_tool(&call, sink.losses) => Kind::Silent,
            Some(tool) => {
                sink.losses.unknown("content[].toolUse.", &tool.rest, &[]);
                let call = self.calls;
                self.calls += 1;
                let start = At::ROOT.member("start");
                let at = start.member("toolUse");
                let (id, name) = (at.required("toolUseId", tool.id)?, at.required("name", tool.name)?);
                sink.emit(Event::ToolCall { call, id, name })?;
                Kind::Tool { call, told: false }
            }
            None if start.rest.is_empty() => Kind::Untold,
            None => Kind::Silent,
        };
        self.open = Some(Open { index, kind });
        Ok(())
    }

    /// The block of this index, which is the one under way or the next one.
    fn turn_to(&mut self, index: u64, sink: &mut Sink<'_>) -> Result<&mut Open, Malformed> {
        if self.open.as_ref().is_some_and(|open| open.index != index) {
            self.close(sink)?;
        }
        Ok(self.open.get_or_insert(Open { index, kind: Kind::Untold }))
    }

    /// Ends the block under way. A tool without arguments streams none; here it has an empty object.
    fn close(&mut self, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        match self.open.take().map(|open| open.kind) {
            Some(Kind::Tool { call, told: false }) => {
                sink.emit(Event::ToolInput { call, piece: Text::plain("{}") })
            }
            Some(Kind::Thinking { redacted }) if !redacted.is_empty() => {
                let data = Text::escaped(encode_base64(&redacted));
                sink.emit(Event::Redacted(Maker::Bedrock.seal(data)))
            }
            _ => Ok(()),
        }
    }

    /// Ends the reply once all of it is told.
    fn end(&mut self, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if self.stopped && self.told_usage { sink.emit(Event::End) } else { Ok(()) }
    }
}

impl Open {
    fn delta(&mut self, delta: wire::Delta<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if matches!(self.kind, Kind::Silent) {
            return Ok(());
        }
        sink.losses.unknown("content[].", &delta.rest, &[]);
        sink.losses.add_if(delta.citation.is_some(), "content[].citations");
        if let Some(text) = delta.text {
            self.become_text()?;
            if !text.is_empty() {
                sink.emit(Event::Text(text))?;
            }
        }
        if let Some(reasoning) = delta.reasoning {
            self.reasoning(reasoning, sink)?;
        }
        let call = delta.tool_use.unwrap_or_default();
        sink.losses.unknown("content[].toolUse.", &call.rest, &[]);
        match (call.input, &mut self.kind) {
            (None, _) => Ok(()),
            (Some(piece), Kind::Tool { .. }) if piece.is_empty() => Ok(()),
            (Some(piece), Kind::Tool { call, told }) => {
                *told = true;
                sink.emit(Event::ToolInput { call: *call, piece })
            }
            (Some(_), _) => Err(Malformed::new("input is of a tool call that did not begin")),
        }
    }

    fn become_text(&mut self) -> Result<(), Malformed> {
        match self.kind {
            Kind::Untold => self.kind = Kind::Text,
            Kind::Text => {}
            _ => return Err(Malformed::new("a delta of text is of a block of another type")),
        }
        Ok(())
    }

    fn reasoning(&mut self, delta: wire::ReasoningDelta<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        sink.losses.unknown("content[].reasoningContent.", &delta.rest, &[]);
        if matches!(self.kind, Kind::Untold) {
            self.kind = Kind::Thinking { redacted: Vec::new() };
        }
        let Kind::Thinking { redacted } = &mut self.kind else {
            return Err(Malformed::new("a delta of reasoning is of a block of another type"));
        };
        if let Some(text) = delta.text.filter(|text| !text.is_empty()) {
            sink.emit(Event::Thinking(text))?;
        }
        if let Some(signature) = delta.signature.filter(|text| !text.is_empty()) {
            sink.emit(Event::Signature(Maker::Anthropic.seal(signature)))?;
        }
        if let Some(piece) = delta.redacted {
            // Each piece is encoded by itself, with padding behind it, so that the texts cannot be strung together.
            let decoded = piece.decode().and_then(|piece| decode_base64(&piece));
            redacted.extend(decoded.ok_or_else(|| Malformed::new("encrypted reasoning is not base64"))?);
            if redacted.len() > REDACTED_BYTES_MAX {
                return Err(Malformed::new("encrypted reasoning is too long"));
            }
        }
        Ok(())
    }
}
