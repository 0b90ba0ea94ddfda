//! The canonical form → replies of the dialect, whole, streamed and failed.
//!
//! Every chunk of a stream is a whole reply in itself, and a call is told in one piece: its arguments are held until
//! they are there, at most [`HELD_BYTES_MAX`] of all calls, and must be the JSON text of an object. Those that were
//! cut at the bound on tokens are left out with their call. A signature is told with the part behind its reasoning;
//! the reasoning itself only to those who asked for it.
//!
//! Sources: see the dialect; for errors the table of codes in Google API documentation ("Errors").

use super::contents::{text_part, thought_part};
use super::signature::{wrap, wrap_redacted};
use crate::message::json::Json;
use crate::message::logprobs;
use crate::message::{
    Answer, Citation, Event, Fault, Input, Logprob, Losses, Malformed, Part, Reply, Stop, StreamWriter, Text,
    Usage, reply_id, tool_input,
};
use crate::rejection::google_status;
use crate::translate::Context;

/// Most bytes of tool input that are held.
const HELD_BYTES_MAX: usize = 1024 * 1024;

/// Writes a whole reply.
pub(super) fn reply(reply: &Reply<'_>, context: &Context, _losses: &mut Losses, out: &mut Vec<u8>) {
    out.push(b'{');
    out.key("candidates").open(b'[');
    reply.choices().for_each(|one| answer(&one, context, out));
    out.close(b']');
    usage(out.key("usageMetadata"), &reply.usage);
    tail(reply.id.as_ref(), reply.model.as_ref(), context, out);
    out.close(b'}');
}

fn answer(answer: &Answer<'_, '_>, context: &Context, out: &mut Vec<u8>) {
    let mut beside = Beside::default();
    beside.add(answer.logprobs);
    for part in answer.parts {
        if let Part::Citation(citation) = part {
            beside.cite(citation);
        }
    }
    let index = answer.index.to_string();
    let end = End { index: &index, stop: Some(answer.stop), beside: Some(&beside) };
    candidate(&end, out, |out| {
        let mut signature = Pending::default();
        for part in answer.parts {
            match part {
                Part::Text(text) | Part::Refusal(text) => text_part(text, signature.take().as_ref(), out),
                Part::Thinking { text, signature: own } => {
                    if context.include_thoughts && !text.is_empty() {
                        // It is other reasoning than what was signed.
                        signature.flush(out);
                        thought_part(text, out);
                    }
                    if let Some(own) = own.as_ref().filter(|own| !own.is_empty()) {
                        signature.put(wrap(own), out);
                    }
                }
                Part::Redacted(data) => signature.put(wrap_redacted(data), out),
                Part::ToolCall { id, name, input } => call(id, name, input, signature.take().as_ref(), out),
                Part::Image(..) | Part::Document { .. } | Part::ToolResult { .. } | Part::Citation(_) => {}
            }
        }
        signature.flush(out);
    });
}

/// What a candidate holds behind its parts.
struct End<'b> {
    /// The number of the answer, in JSON.
    index: &'b str,
    stop: Option<Stop>,
    beside: Option<&'b Beside>,
}

/// The member `candidates` of a chunk, which has one.
fn candidates(end: &End<'_>, out: &mut Vec<u8>, parts: impl FnOnce(&mut Vec<u8>)) {
    out.key("candidates").open(b'[');
    candidate(end, out, parts);
    out.close(b']');
}

/// One candidate, with what `parts` writes.
fn candidate(end: &End<'_>, out: &mut Vec<u8>, parts: impl FnOnce(&mut Vec<u8>)) {
    out.open(b'{');
    out.key("content").open(b'{');
    out.key("parts").open(b'[');
    parts(out);
    out.close(b']');
    out.key("role").raw("\"model\"");
    out.close(b'}');
    if let Some(stop) = end.stop {
        out.key("finishReason").string(match stop {
            Stop::End | Stop::Sequence | Stop::Tools => "STOP",
            Stop::Length => "MAX_TOKENS",
            Stop::Refusal | Stop::Filter => "SAFETY",
        });
    }
    out.key("index").raw(end.index);
    if let Some(beside) = end.beside {
        beside.write(out);
    }
    out.close(b'}');
}

/// What is told with the next chunk beside its parts: tokens, for each those that were likely in its place, and pages.
#[derive(Default)]
struct Beside {
    chosen: Vec<u8>,
    top: Vec<u8>,
    /// Pages that the text leans on.
    cited: Vec<u8>,
}

impl Beside {
    fn add(&mut self, list: &[Logprob<'_>]) {
        logprobs::google(list, &mut self.chosen, &mut self.top);
    }

    fn cite(&mut self, citation: &Citation<'_>) {
        let out = &mut self.cited;
        out.open(b'{');
        out.key("web").open(b'{');
        out.key("uri").text(&citation.url);
        if let Some(title) = &citation.title {
            out.key("title").text(title);
        }
        out.close(b'}');
        out.close(b'}');
    }

    /// Writes the members that hold them, if there are any.
    fn write(&self, out: &mut Vec<u8>) {
        if !self.cited.is_empty() {
            out.key("groundingMetadata").open(b'{');
            out.key("groundingChunks").open(b'[');
            out.extend_from_slice(&self.cited);
            out.close(b']');
            out.close(b'}');
        }
        if self.chosen.is_empty() {
            return;
        }
        out.key("logprobsResult").open(b'{');
        for (name, list) in [("topCandidates", &self.top), ("chosenCandidates", &self.chosen)] {
            out.key(name).open(b'[');
            out.extend_from_slice(list);
            out.close(b']');
        }
        out.close(b'}');
    }
}

/// The members that a reply and each of its chunks end with.
fn tail(id: Option<&Text<'_>>, model: Option<&Text<'_>>, context: &Context, out: &mut Vec<u8>) {
    match model {
        Some(model) => out.key("modelVersion").text(model),
        None => out.key("modelVersion").string(&context.model),
    }
    out.key("responseId").text(&reply_id(id, "", context));
}

fn usage(out: &mut Vec<u8>, usage: &Usage) {
    out.open(b'{');
    out.key("promptTokenCount").number(usage.input);
    out.key("candidatesTokenCount").number(usage.output.saturating_sub(usage.reasoning));
    out.key("totalTokenCount").number(usage.input.saturating_add(usage.output));
    if usage.cache_read > 0 {
        out.key("cachedContentTokenCount").number(usage.cache_read);
    }
    if usage.reasoning > 0 {
        out.key("thoughtsTokenCount").number(usage.reasoning);
    }
    out.close(b'}');
}

fn call(id: &Text<'_>, name: &Text<'_>, input: &str, signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("functionCall").open(b'{');
    out.key("id").text(id);
    out.key("name").text(name);
    one_line(input, out.key("args"));
    out.close(b'}');
    if let Some(signature) = signature {
        out.key("thoughtSignature").text(signature);
    }
    out.close(b'}');
}

/// JSON without line ends, which stand between its tokens only: an event ends at one.
fn one_line(json: &str, out: &mut Vec<u8>) {
    json.split(['\n', '\r']).for_each(|line| out.extend_from_slice(line.as_bytes()));
}

/// A signature that waits for its part.
#[derive(Default)]
struct Pending(Option<Text<'static>>);

impl Pending {
    /// Waits with this one; the one before gets a part of its own, an empty text.
    fn put(&mut self, signature: Text<'_>, out: &mut Vec<u8>) {
        self.flush(out);
        self.0 = Some(signature.into_owned());
    }

    fn take(&mut self) -> Option<Text<'static>> {
        self.0.take()
    }

    fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(signature) = self.take() {
            text_part(&Text::default(), Some(&signature), out);
        }
    }
}

/// Writes an error body.
pub(in crate::dialect) fn error(
    fault: &Fault<'_>,
    status: Option<u16>,
    _request_id: &str,
    out: &mut Vec<u8>,
) {
    let code = status.unwrap_or_else(|| code(fault));
    out.push(b'{');
    out.key("error").open(b'{');
    out.key("code").number(code.into());
    out.key("message").text(&fault.message);
    out.key("status").string(google_status(code));
    out.close(b'}');
    out.close(b'}');
}

/// The status that a failure inside a stream would have had.
fn code(fault: &Fault<'_>) -> u16 {
    let told = fault.code.as_ref().and_then(|code| code.raw().parse().ok());
    told.filter(|code| (400..600).contains(code)).unwrap_or_else(|| match fault.anthropic_kind(None) {
        "invalid_request_error" => 400,
        "authentication_error" => 401,
        "billing_error" => 402,
        "permission_error" => 403,
        "not_found_error" => 404,
        "request_too_large" => 413,
        "rate_limit_error" => 429,
        "timeout_error" => 504,
        "overloaded_error" => 503,
        _ => 500,
    })
}

/// Writes a stream of chunks, as events or as the elements of one array.
pub(super) struct Chunks {
    context: Context,
    /// What every chunk ends with, from the comma behind its other members.
    tail: Vec<u8>,
    begun: bool,
    signature: Pending,
    beside: Option<Box<Beside>>,
    calls: Vec<Call>,
    /// The first call that has not been written.
    next: usize,
    held_bytes: usize,
    stop: Option<Stop>,
    usage: Usage,
    /// The number of the answer, and the same in JSON.
    index: u64,
    number: String,
    /// Streams of further answers, which know of none.
    further: Vec<Chunks>,
    /// The one of them under way.
    current: Option<usize>,
}

/// A call that waits for the rest of its input, or for the calls before it.
struct Call {
    id: Text<'static>,
    name: Text<'static>,
    held: String,
    input: Input,
}

impl Chunks {
    /// A stream of which nothing is written yet.
    pub(super) fn new(context: Context) -> Self {
        Self {
            context,
            tail: Vec::new(),
            begun: false,
            signature: Pending::default(),
            beside: None,
            calls: Vec::new(),
            next: 0,
            held_bytes: 0,
            stop: None,
            usage: Usage::default(),
            index: 0,
            number: "0".to_owned(),
            further: Vec::new(),
            current: None,
        }
    }

    /// The stream of a further answer.
    fn further(&self, index: u64) -> Self {
        let number = index.to_string();
        Self { tail: self.tail.clone(), index, number, ..Self::new(self.context.clone()) }
    }

    fn turn_to(&mut self, index: u64) {
        if index == self.index {
            self.current = None;
            return;
        }
        let known = self.further.iter().position(|answer| answer.index == index);
        self.current = Some(known.unwrap_or_else(|| {
            self.further.push(self.further(index));
            self.further.len() - 1
        }));
    }

    /// What is told of a further answer. The array, where it is one, is begun by whichever comes first.
    fn write_further(&mut self, at: usize, told: Event<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let Some(answer) = self.further.get_mut(at) else { return Ok(()) };
        answer.begun |= self.begun;
        let written = answer.write(told, out);
        self.begun |= answer.begun;
        written
    }

    /// The last chunks of the further answers, before that of the first.
    fn end_further(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        for answer in &mut self.further {
            answer.begun |= self.begun;
            answer.end(None, out)?;
            self.begun = true;
        }
        Ok(())
    }

    /// The last chunk of this answer; `usage` is told with that of the last one.
    fn end(&mut self, usage: Option<Usage>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.leave_calls(out)?;
        self.framed(out, |this, out| {
            out.push(b'{');
            let signature = this.signature.take();
            let stop = Some(this.stop.unwrap_or(Stop::End));
            let end = End { index: &this.number, stop, beside: this.beside.as_deref() };
            candidates(&end, out, |out| text_part(&Text::default(), signature.as_ref(), out));
            if let Some(usage) = usage {
                self::usage(out.key("usageMetadata"), &usage);
            }
            out.extend_from_slice(&this.tail);
            out.close(b'}');
        });
        Ok(())
    }

    /// One event, or one element.
    fn framed(&mut self, out: &mut Vec<u8>, document: impl FnOnce(&mut Self, &mut Vec<u8>)) {
        let begun = std::mem::replace(&mut self.begun, true);
        match (self.context.json_array, begun) {
            (false, _) => out.extend_from_slice(b"data: "),
            (true, false) => out.push(b'['),
            (true, true) => out.extend_from_slice(b",\r\n"),
        }
        document(self, out);
        if !self.context.json_array {
            out.extend_from_slice(b"\n\n");
        }
    }

    /// The array, where it is one, is over.
    fn close(&self, out: &mut Vec<u8>) {
        if self.context.json_array {
            out.push(b']');
        }
    }

    /// One chunk with what `parts` writes.
    fn chunk(&mut self, out: &mut Vec<u8>, parts: impl FnOnce(&mut Self, &mut Vec<u8>)) {
        self.framed(out, |this, out| {
            out.push(b'{');
            let beside = this.beside.take();
            let index = std::mem::take(&mut this.number);
            let end = End { index: &index, stop: None, beside: beside.as_deref() };
            candidates(&end, out, |out| parts(this, out));
            this.number = index;
            out.extend_from_slice(&this.tail);
            out.close(b'}');
        });
    }

    /// A piece of a call's input, which may complete it.
    fn input(&mut self, call: usize, piece: &Text<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let Some(known) = self.calls.get_mut(call) else {
            return Err(Malformed::new("input is of a tool call that did not begin"));
        };
        known.input.take(piece.raw())?;
        self.held_bytes = self.held_bytes.saturating_add(piece.raw().len());
        if self.held_bytes > HELD_BYTES_MAX {
            return Err(Malformed::new("too much input of tool calls"));
        }
        known.held.push_str(piece.raw());
        self.complete_calls(out)
    }

    /// Writes the calls that are complete and have none before them that is not.
    fn complete_calls(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        while self.calls.get(self.next).is_some_and(|call| call.input.is_complete()) {
            self.write_next(out)?;
        }
        Ok(())
    }

    fn write_next(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let Some(known) = self.calls.get_mut(self.next) else { return Ok(()) };
        self.next += 1;
        let held = std::mem::take(&mut known.held);
        let (id, name) = (known.id.clone(), known.name.clone());
        self.held_bytes = self.held_bytes.saturating_sub(held.len());
        let input = tool_input(Text::escaped(held)).ok_or_else(|| {
            Malformed::new("the arguments of a tool call are not the JSON text of an object")
        })?;
        self.chunk(out, |this, out| call(&id, &name, &input, this.signature.take().as_ref(), out));
        Ok(())
    }

    /// Something else than calls follows, so that all of them must have had their say.
    fn leave_calls(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        while self.next < self.calls.len() {
            let cut = self.calls.get(self.next).is_some_and(|call| !call.input.may_end());
            if cut && self.stop == Some(Stop::Length) {
                self.next += 1;
            } else {
                self.write_next(out)?;
            }
        }
        Ok(())
    }
}

impl StreamWriter for Chunks {
    fn write(&mut self, told: Event<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        // What is the same for all answers, the first writes.
        if let Some(at) = self.current
            && !matches!(told, Event::Choice(_) | Event::Usage(_) | Event::End | Event::Error(_))
        {
            return self.write_further(at, told, out);
        }
        match told {
            Event::Start { id, model, usage, .. } => {
                self.usage = usage;
                self.tail.push(b',');
                let mut members = Vec::new();
                tail(id.as_ref(), model.as_ref(), &self.context, &mut members);
                self.tail.append(&mut members);
            }
            Event::Text(text) | Event::Refusal(text) => {
                self.leave_calls(out)?;
                self.chunk(out, |this, out| text_part(&text, this.signature.take().as_ref(), out));
            }
            Event::Thinking(text) => {
                self.leave_calls(out)?;
                if self.context.include_thoughts {
                    self.chunk(out, |this, out| {
                        // It is other reasoning than what was signed.
                        this.signature.flush(out);
                        thought_part(&text, out);
                    });
                }
            }
            Event::Signature(signature) => self.sign(&wrap(&signature), out)?,
            Event::Redacted(data) => self.sign(&wrap_redacted(&data), out)?,
            Event::ToolCall { id, name, .. } => self.calls.push(Call {
                id: id.into_owned(),
                name: name.into_owned(),
                held: String::new(),
                input: Input::default(),
            }),
            Event::ToolInput { call, piece } => self.input(call, &piece, out)?,
            Event::Choice(index) => self.turn_to(index),
            // Nobody hands it over: the dialect has no place for it.
            Event::StopSequence(_) => {}
            Event::Logprobs(list) => self.beside.get_or_insert_default().add(&list),
            Event::Citation(citation) => self.beside.get_or_insert_default().cite(&citation),
            Event::Stop(stop) => self.stop = Some(stop),
            Event::Usage(usage) => self.usage = usage,
            Event::End => {
                self.end_further(out)?;
                self.end(Some(self.usage), out)?;
                self.close(out);
            }
            Event::Error(fault) => {
                self.framed(out, |_, out| error(&fault, None, "", out));
                self.close(out);
            }
        }
        Ok(())
    }
}

impl Chunks {
    fn sign(&mut self, signature: &Text<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.leave_calls(out)?;
        if self.signature.0.is_some() {
            self.chunk(out, |this, out| this.signature.flush(out));
        }
        self.signature.0 = Some(signature.clone().into_owned());
        Ok(())
    }
}
