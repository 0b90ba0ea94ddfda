//! The canonical form → replies of the dialect, whole, streamed and failed.
//!
//! Reasoning is told twice, as `LiteLLM` does: as text in `reasoning_content`, and in `thinking_blocks` with
//! the signature that makes it acceptable when it is sent back; Google's stands on its call too (see [`signatures`]). Source: `OpenAI` API reference, "The chat
//! completion object" and "The chat completion chunk object".

use super::signatures;
use crate::dialect::chat_form::call_with;
use crate::message::citation::openai_members;
use crate::message::json::Json;
use crate::message::logprobs::{Bytes, openai};
use crate::message::{
    Answer, Citation, Event, Fault, Losses, Malformed, Part, Reply, Stop, StreamWriter, Text, Usage,
    redacted_block, redacted_members, reply_id, thinking_block, thinking_members,
};
use crate::translate::Context;

/// Writes a whole reply.
pub(super) fn reply(reply: &Reply<'_>, context: &Context, _losses: &mut Losses, out: &mut Vec<u8>) {
    out.push(b'{');
    head("chat.completion", reply.id.as_ref(), reply.model.as_ref(), reply.created, context, out);
    out.key("choices").open(b'[');
    reply.choices().for_each(|answer| choice(&answer, out));
    out.close(b']');
    usage(out.key("usage"), &reply.usage);
    out.close(b'}');
}

fn choice(answer: &Answer<'_, '_>, out: &mut Vec<u8>) {
    let parts = answer.parts;
    out.open(b'{');
    out.key("index").number(answer.index);
    out.key("message").open(b'{');
    out.key("role").raw("\"assistant\"");
    let texts = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    joined("content", texts, out);
    let refusals = parts.iter().filter_map(|part| match part {
        Part::Refusal(text) => Some(text),
        _ => None,
    });
    joined("refusal", refusals, out);
    annotations(parts, out);
    reasoning(parts, out);
    calls(parts, out);
    out.close(b'}');
    out.key("logprobs");
    if answer.logprobs.is_empty() {
        out.raw("null");
    } else {
        let mut likely = Vec::new();
        openai(answer.logprobs, Bytes::OrNull, &mut likely);
        logprobs(&likely, out);
    }
    out.key("finish_reason").string(finish_reason(answer.stop));
    out.close(b'}');
}

/// The calls, each with Google's signature where one stands before it.
fn calls(parts: &[Part<'_>], out: &mut Vec<u8>) {
    if !parts.iter().any(|part| matches!(part, Part::ToolCall { .. })) {
        return;
    }
    out.key("tool_calls").open(b'[');
    let mut signature = None;
    for part in parts {
        if let Part::ToolCall { id, name, input } = part {
            let extra = |out: &mut Vec<u8>| signed(signature.as_ref(), out);
            call_with(id, name, input, extra, out);
        }
        signature = match part {
            Part::Thinking { signature, .. } => signatures::of_google(signature.as_ref()),
            _ => None,
        };
    }
    out.close(b']');
}

fn signed(signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
    if let Some(signature) = signature {
        signatures::extra_content(signature, out);
    }
}

/// The members that a completion and each of its chunks begin with.
fn head(
    object: &str,
    id: Option<&Text<'_>>,
    model: Option<&Text<'_>>,
    created: Option<u64>,
    context: &Context,
    out: &mut Vec<u8>,
) {
    out.key("id").text(&reply_id(id, "chatcmpl-", context));
    out.key("object").string(object);
    out.key("created").number(created.unwrap_or(context.created_s));
    match model {
        Some(model) => out.key("model").text(model),
        None => out.key("model").string(&context.model),
    }
}

/// Texts as one; null where there are none.
fn joined<'t>(key: &str, texts: impl Iterator<Item = &'t Text<'t>>, out: &mut Vec<u8>) {
    let mut texts = texts.peekable();
    out.key(key);
    if texts.peek().is_none() {
        return out.raw("null");
    }
    out.push(b'"');
    texts.for_each(|text| out.extend_from_slice(text.raw().as_bytes()));
    out.push(b'"');
}

fn annotations(parts: &[Part<'_>], out: &mut Vec<u8>) {
    let cited = parts.iter().filter_map(|part| match part {
        Part::Citation(citation) => Some(citation),
        _ => None,
    });
    let mut cited = cited.peekable();
    if cited.peek().is_some() {
        out.key("annotations").open(b'[');
        cited.for_each(|citation| annotation(citation, out));
        out.close(b']');
    }
}

fn annotation(citation: &Citation<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"url_citation\"");
    out.key("url_citation").open(b'{');
    openai_members(citation, out);
    out.close(b'}');
    out.close(b'}');
}

fn reasoning(parts: &[Part<'_>], out: &mut Vec<u8>) {
    let mut texts = parts.iter().filter_map(|part| match part {
        Part::Thinking { text, .. } => Some(text),
        _ => None,
    });
    let told = texts.clone().any(|text| !text.is_empty());
    if told {
        joined("reasoning_content", &mut texts, out);
    }
    if parts.iter().any(|part| matches!(part, Part::Thinking { .. } | Part::Redacted(_))) {
        out.key("thinking_blocks").open(b'[');
        for part in parts {
            match part {
                Part::Thinking { text, signature } => thinking_block(text, signature.as_ref(), out),
                Part::Redacted(data) => redacted_block(data, out),
                _ => {}
            }
        }
        out.close(b']');
    }
}

/// The object that holds these tokens.
fn logprobs(tokens: &[u8], out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("content").open(b'[');
    out.extend_from_slice(tokens);
    out.close(b']');
    out.key("refusal").raw("null");
    out.close(b'}');
}

const fn finish_reason(stop: Stop) -> &'static str {
    match stop {
        // A refusal is an answer that is complete; a client knows it by its member.
        Stop::End | Stop::Sequence | Stop::Refusal => "stop",
        Stop::Length => "length",
        Stop::Tools => "tool_calls",
        Stop::Filter => "content_filter",
    }
}

fn usage(out: &mut Vec<u8>, usage: &Usage) {
    out.open(b'{');
    out.key("prompt_tokens").number(usage.input);
    out.key("completion_tokens").number(usage.output);
    out.key("total_tokens").number(usage.input.saturating_add(usage.output));
    out.key("prompt_tokens_details").open(b'{');
    out.key("cached_tokens").number(usage.cache_read);
    out.key("cache_write_tokens").number(usage.cache_write);
    out.close(b'}');
    if usage.reasoning > 0 {
        out.key("completion_tokens_details").open(b'{');
        out.key("reasoning_tokens").number(usage.reasoning);
        out.close(b'}');
    }
    out.close(b'}');
}

/// Writes an error body.
pub(in crate::dialect) fn error(
    fault: &Fault<'_>,
    status: Option<u16>,
    _request_id: &str,
    out: &mut Vec<u8>,
) {
    out.push(b'{');
    out.key("error").open(b'{');
    out.key("message").text(&fault.message);
    out.key("type").text(fault.kind.as_ref().unwrap_or(&Text::plain("upstream_error")));
    match &fault.param {
        Some(param) => out.key("param").text(param),
        None => out.key("param").raw("null"),
    }
    out.key("code").text(&fault.code(status));
    out.close(b'}');
    out.close(b'}');
}

/// Writes a stream of chunks.
pub(super) struct Chunks {
    context: Context,
    /// What every chunk begins with, up to the opening bracket of `choices`.
    head: Vec<u8>,
    usage: Usage,
    /// Blocks of reasoning that are complete.
    thoughts: usize,
    /// Another one has begun.
    is_thinking: bool,
    /// Google's signature that was told last, for a call that follows it.
    signature: Option<Text<'static>>,
    /// Tokens that are told with the next chunk.
    logprobs: Vec<u8>,
    /// The number of the answer.
    index: u64,
    /// What every chunk of it begins with, up to the opening brace of `delta`.
    opening: Vec<u8>,
    /// Streams of further answers, which know of none.
    further: Vec<Chunks>,
    /// The one of them under way.
    current: Option<usize>,
}

impl Chunks {
    /// A stream of which nothing is written yet.
    pub(super) fn new(context: Context) -> Self {
        Self {
            context,
            head: Vec::new(),
            usage: Usage::default(),
            thoughts: 0,
            is_thinking: false,
            signature: None,
            logprobs: Vec::new(),
            index: 0,
            opening: Vec::new(),
            further: Vec::new(),
            current: None,
        }
    }

    /// The stream of a further answer, which is begun.
    fn further(&self, index: u64, out: &mut Vec<u8>) -> Self {
        let mut further = Self { head: self.head.clone(), index, ..Self::new(self.context.clone()) };
        further.begin(out);
        further
    }

    fn turn_to(&mut self, index: u64, out: &mut Vec<u8>) {
        if index == self.index {
            self.current = None;
            return;
        }
        let known = self.further.iter().position(|answer| answer.index == index);
        self.current = Some(known.unwrap_or_else(|| {
            self.further.push(self.further(index, out));
            self.further.len() - 1
        }));
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        self.opening.clone_from(&self.head);
        self.opening.open(b'{');
        self.opening.key("index").number(self.index);
        self.opening.key("delta").open(b'{');
        let delta = |out: &mut Vec<u8>| {
            out.key("role").raw("\"assistant\"");
            out.key("content").raw("\"\"");
        };
        self.chunk(out, delta, None);
    }

    fn start(&mut self, id: Option<&Text<'_>>, model: Option<&Text<'_>>, created: Option<u64>) {
        self.head.extend_from_slice(b"data: ");
        self.head.open(b'{');
        head("chat.completion.chunk", id, model, created, &self.context, &mut self.head);
        self.head.key("choices").open(b'[');
    }

    /// One chunk with this `delta`.
    fn chunk(&self, out: &mut Vec<u8>, delta: impl FnOnce(&mut Vec<u8>), finish_reason: Option<Stop>) {
        out.extend_from_slice(&self.opening);
        delta(out);
        out.close(b'}');
        if !self.logprobs.is_empty() {
            logprobs(&self.logprobs, out.key("logprobs"));
        }
        match finish_reason {
            Some(stop) => out.key("finish_reason").string(self::finish_reason(stop)),
            None => out.key("finish_reason").raw("null"),
        }
        out.close(b'}');
        out.close(b']');
        if self.context.include_usage {
            out.key("usage").raw("null");
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn thinking(&mut self, text: &Text<'_>, signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
        let delta = |out: &mut Vec<u8>| {
            if !text.is_empty() {
                out.key("reasoning_content").text(text);
            }
            thought(self.thoughts, out, |out| thinking_members(text, signature, out));
        };
        self.chunk(out, delta, None);
        self.is_thinking = signature.is_none();
        self.thoughts += usize::from(signature.is_some());
    }

    fn redacted(&mut self, data: &Text<'_>, out: &mut Vec<u8>) {
        self.thoughts += usize::from(self.is_thinking);
        let delta = |out: &mut Vec<u8>| thought(self.thoughts, out, |out| redacted_members(data, out));
        self.chunk(out, delta, None);
        self.is_thinking = false;
        self.thoughts += 1;
    }
}

/// A piece of a block of reasoning. It says which, as pieces of every list in a chunk must: `OpenAI`'s SDK cannot put
/// them together otherwise.
fn thought(index: usize, out: &mut Vec<u8>, members: impl FnOnce(&mut Vec<u8>)) {
    out.key("thinking_blocks").open(b'[');
    out.open(b'{');
    out.key("index").number(index as u64);
    members(out);
    out.close(b'}');
    out.close(b']');
}

impl StreamWriter for Chunks {
    fn write(&mut self, event: Event<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        // What is the same for all answers, the first writes.
        if let Some(at) = self.current
            && !matches!(event, Event::Choice(_) | Event::Usage(_) | Event::End | Event::Error(_))
        {
            return self.further.get_mut(at).map_or(Ok(()), |answer| answer.write(event, out));
        }
        let signature = self.signature.take();
        match event {
            Event::Start { id, model, created, usage } => {
                self.usage = usage;
                self.start(id.as_ref(), model.as_ref(), created);
                self.begin(out);
            }
            Event::Text(text) => self.chunk(out, |out| out.key("content").text(&text), None),
            Event::Logprobs(list) => {
                openai(&list, Bytes::OrNull, &mut self.logprobs);
                return Ok(());
            }
            Event::Refusal(text) => self.chunk(out, |out| out.key("refusal").text(&text), None),
            Event::Thinking(text) => self.thinking(&text, None, out),
            Event::Signature(signature) => {
                self.thinking(&Text::default(), Some(&signature), out);
                self.signature = signatures::of_google(Some(&signature)).map(Text::into_owned);
            }
            Event::Redacted(data) => self.redacted(&data, out),
            Event::ToolCall { call, id, name } => {
                let function = |out: &mut Vec<u8>| {
                    out.key("name").text(&name);
                    out.key("arguments").raw("\"\"");
                };
                let extra = |out: &mut Vec<u8>| signed(signature.as_ref(), out);
                self.chunk(out, |out| tool_call(call, Some(&id), function, extra, out), None);
            }
            Event::ToolInput { call, piece } => {
                let function = |out: &mut Vec<u8>| out.key("arguments").text(&piece);
                self.chunk(out, |out| tool_call(call, None, function, |_| {}, out), None);
            }
            Event::Choice(index) => {
                self.turn_to(index, out);
                return Ok(());
            }
            // Nobody hands it over: the dialect has no place for it.
            Event::StopSequence(_) => return Ok(()),
            Event::Citation(citation) => {
                let delta = |out: &mut Vec<u8>| {
                    out.key("annotations").open(b'[');
                    annotation(&citation, out);
                    out.close(b']');
                };
                self.chunk(out, delta, None);
            }
            Event::Stop(stop) => self.chunk(out, |_| {}, Some(stop)),
            Event::Usage(usage) => {
                self.usage = usage;
                return Ok(());
            }
            Event::End => {
                if self.context.include_usage {
                    out.extend_from_slice(&self.head);
                    out.close(b']');
                    usage(out.key("usage"), &self.usage);
                    out.extend_from_slice(b"}\n\n");
                }
                out.extend_from_slice(b"data: [DONE]\n\n");
            }
            Event::Error(fault) => {
                out.extend_from_slice(b"data: ");
                error(&fault, None, "", out);
                out.extend_from_slice(b"\n\n");
            }
        }
        // A chunk was written, and they with it.
        self.logprobs.clear();
        Ok(())
    }
}

fn tool_call(
    call: usize,
    id: Option<&Text<'_>>,
    function: impl FnOnce(&mut Vec<u8>),
    extra: impl FnOnce(&mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    out.key("tool_calls").open(b'[');
    out.open(b'{');
    out.key("index").number(call as u64);
    if let Some(id) = id {
        out.key("id").text(id);
        out.key("type").raw("\"function\"");
    }
    out.key("function").open(b'{');
    function(out);
    out.close(b'}');
    extra(out);
    out.close(b'}');
    out.close(b']');
}
