//! The canonical form → replies of the dialect, whole, streamed and failed.
//!
//! Invariant: blocks are opened and closed one after the other, whatever order the pieces of several tool calls
//! come in; a call that is not at its turn is held back, at most [`HELD_BYTES_MAX`] of all of them.
//! Source: Anthropic API reference, "Create a Message", "Streaming messages", "Errors".

use crate::message::json::Json;
use crate::message::{
    Citation, Event, Fault, Input, Losses, Malformed, Part, Reply, Stop, StreamWriter, Text, Usage,
    redacted_block, reply_id, thinking_block,
};
use crate::translate::Context;

/// Most bytes of tool input that wait for their turn.
const HELD_BYTES_MAX: usize = 1024 * 1024;

/// Most bytes of pages that wait for a text.
const WAITING_BYTES_MAX: usize = 256 * 1024;

/// What a page counts for beside its text.
const PAGE_BYTES: usize = 128;

/// Pages that no text leans on. A block of an empty one would not be taken back.
const NO_TEXT: &str = "citations";

/// Writes a whole reply.
pub(super) fn reply(reply: &Reply<'_>, context: &Context, losses: &mut Losses, out: &mut Vec<u8>) {
    out.push(b'{');
    head(reply.id.as_ref(), reply.model.as_ref(), context, out);
    out.key("content").open(b'[');
    let mut parts = reply.parts.iter().peekable();
    while let Some(part) = parts.next() {
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                let cited = std::iter::from_fn(|| parts.next_if(|next| matches!(next, Part::Citation(_))));
                text_block(text, cited, out);
            }
            Part::Citation(_) => losses.add(NO_TEXT),
            Part::Thinking { text, signature } => signed_block(text, signature.as_ref(), out),
            Part::Redacted(data) => redacted_block(data, out),
            Part::ToolCall { id, name, input } => tool_block(id, name, input, out),
            Part::Image(..) | Part::Document { .. } | Part::ToolResult { .. } => {}
        }
    }
    out.close(b']');
    stop(Some(reply.stop), reply.stop_sequence.as_ref(), out);
    usage(out.key("usage"), &reply.usage);
    out.close(b'}');
}

fn head(id: Option<&Text<'_>>, model: Option<&Text<'_>>, context: &Context, out: &mut Vec<u8>) {
    out.key("id").text(&reply_id(id, "msg_", context));
    out.key("type").raw("\"message\"");
    out.key("role").raw("\"assistant\"");
    match model {
        Some(model) => out.key("model").text(model),
        None => out.key("model").string(&context.model),
    }
}

/// The members that tell why the model stopped, if it did.
fn stop(stop: Option<Stop>, sequence: Option<&Text<'_>>, out: &mut Vec<u8>) {
    out.key("stop_reason").raw(match stop {
        None => "null",
        Some(Stop::End) => "\"end_turn\"",
        Some(Stop::Sequence) => "\"stop_sequence\"",
        Some(Stop::Length) => "\"max_tokens\"",
        Some(Stop::Tools) => "\"tool_use\"",
        Some(Stop::Refusal | Stop::Filter) => "\"refusal\"",
    });
    match sequence {
        Some(sequence) => out.key("stop_sequence").text(sequence),
        None => out.key("stop_sequence").raw("null"),
    }
    for name in ["stop_details", "container"] {
        out.key(name).raw("null");
    }
}

fn usage(out: &mut Vec<u8>, usage: &Usage) {
    out.open(b'{');
    counts(out, usage);
    for name in ["cache_creation", "inference_geo", "service_tier"] {
        out.key(name).raw("null");
    }
    out.close(b'}');
}

/// What the usage in a `message_delta` holds too, which is no more than this.
fn counts(out: &mut Vec<u8>, usage: &Usage) {
    let fresh = usage.input.saturating_sub(usage.cache_read).saturating_sub(usage.cache_write);
    out.key("input_tokens").number(fresh);
    out.key("cache_creation_input_tokens").number(usage.cache_write);
    out.key("cache_read_input_tokens").number(usage.cache_read);
    out.key("output_tokens").number(usage.output);
    out.key("output_tokens_details").open(b'{');
    out.key("thinking_tokens").number(usage.reasoning);
    out.close(b'}');
    out.key("server_tool_use").raw("null");
}

/// A text with those of the parts that are citations.
fn text_block<'r>(text: &Text<'_>, cited: impl Iterator<Item = &'r Part<'r>>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"text\"");
    out.key("text").text(text);
    let mut cited = cited.peekable();
    out.key("citations");
    if cited.peek().is_none() {
        out.raw("null");
    } else {
        out.open(b'[');
        for part in cited {
            if let Part::Citation(one) = part {
                citation(one, out);
            }
        }
        out.close(b']');
    }
    out.close(b'}');
}

fn no_text(out: &mut Vec<u8>) {
    text_block(&Text::default(), std::iter::empty(), out);
}

/// A page. What of it was cited, and the index by which Anthropic finds it again, others do not tell.
fn citation(citation: &Citation<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"web_search_result_location\"");
    out.key("cited_text").raw("\"\"");
    out.key("encrypted_index").raw("\"\"");
    match &citation.title {
        Some(title) => out.key("title").text(title),
        None => out.key("title").raw("null"),
    }
    out.key("url").text(&citation.url);
    out.close(b'}');
}

/// Reasoning of other providers has no signature; an empty one keeps the shape, and no one takes it back.
fn signed_block(text: &Text<'_>, signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
    thinking_block(text, Some(signature.unwrap_or(&Text::default())), out);
}

fn tool_block(id: &Text<'_>, name: &Text<'_>, input: &str, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"tool_use\"");
    out.key("id").text(id);
    out.key("name").text(name);
    out.key("input").raw(input);
    out.key("caller").raw(r#"{"type":"direct"}"#);
    out.close(b'}');
}

/// Writes an error body.
pub(super) fn error(fault: &Fault<'_>, status: Option<u16>, request_id: &str, out: &mut Vec<u8>) {
    out.push(b'{');
    out.key("type").raw("\"error\"");
    out.key("error").open(b'{');
    out.key("type").string(fault.anthropic_kind(status));
    out.key("message").text(&fault.message);
    out.close(b'}');
    if request_id.is_empty() {
        out.key("request_id").raw("null");
    } else {
        out.key("request_id").string(request_id);
    }
    out.close(b'}');
}

/// Writes a stream of events.
pub(super) struct Events {
    context: Context,
    open: Option<Open>,
    /// Blocks closed so far: the index of the one that is open, or of the next.
    index: u64,
    calls: Vec<Call>,
    /// The first call that has not been opened.
    next: usize,
    held_bytes: usize,
    /// Pages that came while no text was open, for the one that comes next.
    waiting: Vec<Citation<'static>>,
    waiting_bytes: usize,
    /// Whether there were too many of them.
    lost: bool,
    stop: Option<Stop>,
    stop_sequence: Option<Text<'static>>,
    usage: Usage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    /// The same, in a block of its own.
    Refusal,
    Thinking,
    Tool(usize),
}

/// A call, held back until its turn comes.
struct Call {
    id: Text<'static>,
    name: Text<'static>,
    held: Vec<Text<'static>>,
    input: Input,
}

impl Events {
    /// A stream of which nothing is written yet.
    pub(super) fn new(context: Context) -> Self {
        Self {
            context,
            open: None,
            index: 0,
            calls: Vec::new(),
            next: 0,
            held_bytes: 0,
            waiting: Vec::new(),
            waiting_bytes: 0,
            lost: false,
            stop: None,
            stop_sequence: None,
            usage: Usage::default(),
        }
    }

    /// Opens a block of this kind, unless it is open.
    fn turn_to(&mut self, open: Open, block: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
        if self.open == Some(open) {
            return;
        }
        self.close(out);
        self.open = Some(open);
        event("content_block_start", out, |out| {
            out.key("index").number(self.index);
            block(out.key("content_block"));
        });
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            event("content_block_stop", out, |out| out.key("index").number(self.index));
            self.index += 1;
        }
    }

    fn delta(&self, kind: &str, member: &str, text: &Text<'_>, out: &mut Vec<u8>) {
        event("content_block_delta", out, |out| {
            out.key("index").number(self.index);
            out.key("delta").open(b'{');
            out.key("type").string(kind);
            out.key(member).text(text);
            out.close(b'}');
        });
    }

    fn text(&mut self, text: &Text<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.leave_calls(out)?;
        self.turn_to(Open::Text, no_text, out);
        for page in std::mem::take(&mut self.waiting) {
            self.cited(&page, out);
        }
        self.delta("text_delta", "text", text, out);
        Ok(())
    }

    /// A page for the text that is open. One that is closed has had its say, and a call that is open goes on.
    fn cite(&mut self, page: Citation<'_>, out: &mut Vec<u8>) {
        if self.open == Some(Open::Text) {
            return self.cited(&page, out);
        }
        let title = page.title.as_ref().map_or(0, |title| title.raw().len());
        let bytes = PAGE_BYTES.saturating_add(page.url.raw().len()).saturating_add(title);
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        if self.waiting_bytes > WAITING_BYTES_MAX {
            self.lost = true;
        } else {
            self.waiting.push(page.into_owned());
        }
    }

    fn cited(&self, page: &Citation<'_>, out: &mut Vec<u8>) {
        event("content_block_delta", out, |out| {
            out.key("index").number(self.index);
            out.key("delta").open(b'{');
            out.key("type").raw("\"citations_delta\"");
            citation(page, out.key("citation"));
            out.close(b'}');
        });
    }

    fn thinking(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.leave_calls(out)?;
        self.turn_to(Open::Thinking, |out| signed_block(&Text::default(), None, out), out);
        Ok(())
    }

    /// A piece of a call's input, written if the call is at its turn.
    fn input(&mut self, call: usize, piece: Text<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let at_turn = self.open == Some(Open::Tool(call));
        let Some(known) = self.calls.get_mut(call) else {
            return Err(Malformed::new("input is of a tool call that did not begin"));
        };
        known.input.take(piece.raw())?;
        if at_turn {
            self.delta("input_json_delta", "partial_json", &piece, out);
            self.open_calls(out);
        } else if call >= self.next {
            self.held_bytes = self.held_bytes.saturating_add(piece.raw().len());
            if self.held_bytes > HELD_BYTES_MAX {
                return Err(Malformed::new("too much input of interleaved tool calls"));
            }
            known.held.push(piece.into_owned());
        }
        Ok(())
    }

    /// Opens the calls whose turn it is: each is followed by the next once its input is complete.
    fn open_calls(&mut self, out: &mut Vec<u8>) {
        while self.next < self.calls.len() {
            if let Some(Open::Tool(open)) = self.open
                && !self.calls.get(open).is_some_and(|call| call.input.is_complete())
            {
                return;
            }
            self.open_next(out);
        }
    }

    fn open_next(&mut self, out: &mut Vec<u8>) {
        let call = self.next;
        self.next += 1;
        let Some(known) = self.calls.get_mut(call) else { return };
        let (id, name) = (known.id.clone(), known.name.clone());
        let held = std::mem::take(&mut known.held);
        self.turn_to(Open::Tool(call), |out| tool_block(&id, &name, "{}", out), out);
        for piece in held {
            self.held_bytes = self.held_bytes.saturating_sub(piece.raw().len());
            self.delta("input_json_delta", "partial_json", &piece, out);
        }
    }

    /// Something else than calls follows, so that all of them must have had their say.
    fn leave_calls(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        while self.next < self.calls.len() {
            self.open_next(out);
        }
        // One that was cut at the bound on tokens is as it should be.
        if self.stop == Some(Stop::Length) || self.calls.iter().all(|call| call.input.may_end()) {
            return Ok(());
        }
        Err(Malformed::new("the arguments of a tool call are not the JSON text of an object"))
    }
}

impl StreamWriter for Events {
    fn write(&mut self, told: Event<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match told {
            Event::Start { id, model, usage: told, .. } => {
                self.usage = told;
                event("message_start", out, |out| {
                    out.key("message").open(b'{');
                    head(id.as_ref(), model.as_ref(), &self.context, out);
                    out.key("content").raw("[]");
                    stop(None, None, out);
                    usage(out.key("usage"), &self.usage);
                    out.close(b'}');
                });
            }
            Event::Text(text) => self.text(&text, out)?,
            Event::Refusal(text) => {
                self.leave_calls(out)?;
                self.turn_to(Open::Refusal, no_text, out);
                self.delta("text_delta", "text", &text, out);
            }
            Event::Thinking(text) => {
                self.thinking(out)?;
                self.delta("thinking_delta", "thinking", &text, out);
            }
            Event::Signature(signature) => {
                self.thinking(out)?;
                self.delta("signature_delta", "signature", &signature, out);
                // What follows it is another block.
                self.close(out);
            }
            Event::Redacted(data) => {
                self.leave_calls(out)?;
                self.close(out);
                self.turn_to(Open::Thinking, |out| redacted_block(&data, out), out);
                self.close(out);
            }
            Event::ToolCall { id, name, .. } => {
                self.calls.push(Call {
                    id: id.into_owned(),
                    name: name.into_owned(),
                    held: Vec::new(),
                    input: Input::default(),
                });
                self.open_calls(out);
            }
            Event::ToolInput { call, piece } => self.input(call, piece, out)?,
            Event::Citation(page) => self.cite(page, out),
            // Nobody hands them over: the dialect has no place for them.
            Event::Logprobs(_) | Event::Choice(_) => {}
            Event::StopSequence(sequence) => self.stop_sequence = Some(sequence.into_owned()),
            Event::Stop(stop) => self.stop = Some(stop),
            Event::Usage(usage) => self.usage = usage,
            Event::End => {
                self.leave_calls(out)?;
                self.close(out);
                event("message_delta", out, |out| {
                    out.key("delta").open(b'{');
                    stop(self.stop, self.stop_sequence.as_ref(), out);
                    out.close(b'}');
                    out.key("usage").open(b'{');
                    counts(out, &self.usage);
                    out.close(b'}');
                });
                event("message_stop", out, |_| {});
            }
            Event::Error(fault) => {
                out.extend_from_slice(b"event: error\ndata: ");
                error(&fault, None, "", out);
                out.extend_from_slice(b"\n\n");
            }
        }
        Ok(())
    }

    fn name_losses(&self, losses: &mut Losses) {
        losses.add_if(self.lost || !self.waiting.is_empty(), NO_TEXT);
    }
}

/// One event, whose data says its type once more.
fn event(kind: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut Vec<u8>)) {
    for piece in ["event: ", kind, "\ndata: {\"type\":\"", kind, "\""] {
        out.extend_from_slice(piece.as_bytes());
    }
    members(out);
    out.extend_from_slice(b"}\n\n");
}
