//! Replies of the dialect, whole and streamed → the canonical form.
//!
//! Invariant: a stream is at its end when `[DONE]` came and a reason for stopping before it, never otherwise.

use serde_json::value::RawValue;

use super::{read, wire};
use crate::message::citation::{Place, list_of_openai};
use crate::message::logprobs::of_openai;
use crate::message::read::{At, says_something};
use crate::message::{
    Carries, Choice, Citation, Event, Fault, Logprob, Losses, Malformed, Part, Reply, Sink, Stop,
    StreamReader, Text, Untranslatable, Usage, tool_input,
};

/// Members that tell of the serving, not of the reply, the filter verdicts of Azure on what it let through, and
/// the finish reason of `OpenRouter` in another provider's words.
const HARMLESS: &[&str] = &[
    "system_fingerprint",
    "service_tier",
    "obfuscation",
    "provider",
    "native_finish_reason",
    "prompt_filter_results",
    "content_filter_results",
    "content_filter_offsets",
];

/// Most calls of one streamed reply.
const CALLS_MAX: usize = 512;

/// Where annotations stand.
const ANNOTATIONS: Place =
    Place { list: "choices[].message.annotations", member: "choices[].message.annotations[]." };

/// Most answers of one streamed reply; `OpenAI` gives no more.
const ANSWERS_MAX: usize = 128;

/// Most pages of one streamed reply that are listed beside it.
const FOUND_MAX: usize = 256;

/// Reads a whole reply.
pub(super) fn reply<'a>(
    body: &'a str,
    carries: Carries,
    losses: &mut Losses,
) -> Result<Reply<'a>, Malformed> {
    let at = At::ROOT;
    let body: wire::Completion<'a> = at.parse(body)?;
    if let Some(error) = body.error {
        return Err(Fault::of_error(error).inside_reply());
    }
    losses.unknown("", &body.rest, HARMLESS);
    let mut choices = body.choices.unwrap_or_default();
    choices.sort_by_key(|choice| choice.index);
    let mut choices = choices.into_iter();
    let choice = choices.next().ok_or_else(|| Malformed::new("the reply has no choice"))?;
    losses.add_if(!carries.choices && choices.len() > 0, "choices[]");
    let mut first = answer(choice, body.id.as_ref(), carries, losses)?;
    // Behind the text and what it cites itself, as at the end of a stream.
    let found = found(body.citations, body.search_results, losses);
    let behind = first.parts.iter().position(|part| matches!(part, Part::Refusal(_) | Part::ToolCall { .. }));
    let behind = behind.unwrap_or(first.parts.len());
    first.parts.splice(behind..behind, found.into_iter().map(Part::Citation));
    let further = choices.filter(|_| carries.choices);
    let further: Result<Vec<_>, _> =
        further.map(|choice| answer(choice, body.id.as_ref(), carries, losses)).collect();
    Ok(Reply {
        further: further?,
        id: body.id.filter(|id| !id.is_empty()),
        model: body.model.filter(|model| !model.is_empty()),
        created: body.created,
        parts: first.parts,
        logprobs: first.logprobs,
        stop: first.stop,
        stop_sequence: first.stop_sequence,
        usage: body.usage.or(body.x_groq.and_then(|groq| groq.usage)).map(usage).unwrap_or_default(),
    })
}

/// Reads one answer; `reply` is the id of all.
fn answer<'a>(
    choice: wire::Choice<'a>,
    reply: Option<&Text<'a>>,
    carries: Carries,
    losses: &mut Losses,
) -> Result<Choice<'a>, Malformed> {
    let at = At::ROOT;
    name_losses(&choice, losses);
    let number = choice.index.unwrap_or_default();
    let stop_sequence = stop_sequence(choice.stop_reason, carries, losses);
    let logprobs = logprobs(choice.logprobs, carries, losses);
    let message = choice.message.ok_or_else(|| Malformed::new("the reply has no message"))?;
    message_losses(&message, losses);
    let mut parts = Vec::new();
    if let Some(blocks) = message.thinking_blocks.filter(|blocks| !blocks.is_empty()) {
        let at = at.member("thinking_blocks");
        for (index, block) in blocks.into_iter().enumerate() {
            parts.push(read::thinking_part(&at.index(index), block)?);
        }
    } else if let Some(text) = read::told(message.reasoning_content.as_ref(), message.reasoning) {
        parts.push(Part::Thinking { text, signature: None });
    }
    for said in said(message.content, losses)? {
        parts.push(match said {
            Said::Text(text) => Part::Text(text),
            Said::Thought(text) => Part::Thinking { text, signature: None },
        });
    }
    let cited = list_of_openai(message.annotations, &ANNOTATIONS, losses);
    parts.extend(cited.into_iter().map(Part::Citation));
    let refusal = message.refusal.filter(|text| !text.is_empty());
    let refused = refusal.is_some();
    parts.extend(refusal.map(Part::Refusal));
    let calls = message.tool_calls.unwrap_or_default();
    let called = !calls.is_empty();
    for (index, call) in calls.into_iter().enumerate() {
        let list = at.member("tool_calls");
        call_losses(&call, losses);
        let place = CallPlace { choice: number, call: index };
        parts.push(call_part(&list.index(index), call, reply, place)?);
    }
    let reason = choice.finish_reason.filter(|reason| !reason.is_empty());
    let reason = reason.ok_or_else(|| Malformed::new("the reply has no `finish_reason`"))?;
    let stop = after_sequence(stop(&reason, called, refused, losses), choice.stop_reason);
    Ok(Choice { index: number, parts, logprobs, stop, stop_sequence })
}

fn call_part<'a>(
    at: &At<'_>,
    call: wire::ToolCall<'a>,
    reply: Option<&Text<'a>>,
    place: CallPlace,
) -> Result<Part<'a>, Untranslatable> {
    let function = at.required("function", call.function)?;
    let at = at.member("function");
    let id = call.id.filter(|id| !id.is_empty()).or_else(|| made_id(reply, place));
    Ok(Part::ToolCall {
        id: at.required("id", id)?,
        name: at.required("name", function.name)?,
        input: tool_input(function.arguments.unwrap_or_default())
            .ok_or_else(|| at.member("arguments").error("is not the JSON text of an object"))?,
    })
}

/// Where in a reply a call stands.
#[derive(Clone, Copy)]
struct CallPlace {
    choice: u64,
    call: usize,
}

/// An id for a call that came without: that of the reply and the call's place in it, so that it is the same
/// whenever the reply is sent back and no other reply's.
fn made_id(reply: Option<&Text<'_>>, place: CallPlace) -> Option<Text<'static>> {
    let reply = reply.filter(|id| !id.is_empty())?.raw();
    let CallPlace { choice, call } = place;
    Some(Text::escaped(match choice {
        0 => format!("{reply}_{call}"),
        _ => format!("{reply}_{choice}_{call}"),
    }))
}

fn name_losses(choice: &wire::Choice<'_>, losses: &mut Losses) {
    losses.unknown("choices[].", &choice.rest, HARMLESS);
}

/// How likely the tokens were. A refusal is told without.
fn logprobs<'a>(told: Option<&'a RawValue>, carries: Carries, losses: &mut Losses) -> Vec<Logprob<'a>> {
    let Some(told) = told.filter(|told| says_something(told)) else { return Vec::new() };
    if !carries.logprobs {
        losses.add("choices[].logprobs");
        return Vec::new();
    }
    let told: wire::Logprobs<'a> = serde_json::from_str(told.get()).unwrap_or_else(|_| {
        losses.add("choices[].logprobs");
        wire::Logprobs::default()
    });
    losses.unknown("choices[].logprobs.", &told.rest, &[]);
    losses.add_if(told.refusal.is_some_and(says_something), "choices[].logprobs.refusal");
    let Some(list) = told.content else { return Vec::new() };
    of_openai(list).unwrap_or_else(|| {
        losses.add("choices[].logprobs");
        Vec::new()
    })
}

fn message_losses(message: &wire::Message<'_>, losses: &mut Losses) {
    // The details repeat what `reasoning` says.
    losses.unknown("choices[].message.", &message.rest, &["reasoning_details"]);
    losses.add_if(message.function_call.is_some(), "choices[].message.function_call");
}

fn call_losses(call: &wire::ToolCall<'_>, losses: &mut Losses) {
    losses.unknown("choices[].message.tool_calls[].", &call.rest, &[]);
    let extra = call.extra_content.is_some_and(says_something);
    losses.add_if(extra, "choices[].message.tool_calls[].extra_content");
    let function = call.function.as_ref().map_or(&[][..], |function| &function.rest);
    losses.unknown("choices[].message.tool_calls[].function.", function, &[]);
}

/// The pages that Perplexity and xAI list beside an answer, the former also with their titles.
fn found<'a>(
    urls: Option<&'a RawValue>,
    results: Option<&'a RawValue>,
    losses: &mut Losses,
) -> Vec<Citation<'a>> {
    let some = |list: &&RawValue| says_something(list);
    if let Some(results) = results.filter(some) {
        let read: Option<Vec<wire::Found<'a>>> = serde_json::from_str(results.get()).ok();
        losses.add_if(read.is_none(), "search_results");
        let read = read.unwrap_or_default().into_iter().filter_map(|one| {
            losses.unknown("search_results[].", &one.rest, &[]);
            Some(Citation::of(one.url?, one.title))
        });
        return read.collect();
    }
    let Some(urls) = urls.filter(some) else { return Vec::new() };
    let read: Option<Vec<Text<'a>>> = serde_json::from_str(urls.get()).ok();
    losses.add_if(read.is_none(), "citations");
    read.unwrap_or_default().into_iter().map(|url| Citation::of(url, None)).collect()
}

/// What `content` consists of.
enum Said<'a> {
    Text(Text<'a>),
    Thought(Text<'a>),
}

/// What is said in `content`, which some servers give as parts; Mistral's models think in them.
fn said<'a>(content: Option<&'a RawValue>, losses: &mut Losses) -> Result<Vec<Said<'a>>, Untranslatable> {
    let Some(content) = content else { return Ok(Vec::new()) };
    if let Some(text) = Text::of(content) {
        return Ok(if text.is_empty() { Vec::new() } else { vec![Said::Text(text)] });
    }
    let at = At::ROOT.member("content");
    let parts: Vec<wire::Part<'a>> = at.parse(content.get())?;
    let mut said = Vec::with_capacity(parts.len());
    for part in parts {
        match (part.text, part.thinking) {
            (Some(text), _) => said.push(Said::Text(text)),
            (None, Some(thinking)) => {
                said.extend(
                    read::thought(&at, thinking, losses, "choices[].message.content[].thinking[]")?
                        .filter(|text| !text.is_empty())
                        .map(Said::Thought),
                );
            }
            (None, None) => losses.add("choices[].message.content[]"),
        }
    }
    Ok(said)
}

fn usage(usage: wire::Usage) -> Usage {
    let prompt = usage.prompt_tokens_details.unwrap_or_default();
    Usage {
        input: usage.prompt_tokens.unwrap_or_default(),
        cache_read: prompt.cached_tokens.unwrap_or_default(),
        cache_write: prompt.cache_write_tokens.unwrap_or_default(),
        cache_write_1h: 0,
        output: usage.completion_tokens.unwrap_or_default(),
        reasoning: usage.completion_tokens_details.and_then(|d| d.reasoning_tokens).unwrap_or_default(),
    }
}

fn stop(reason: &Text<'_>, called: bool, refused: bool, losses: &mut Losses) -> Stop {
    match reason.raw() {
        "length" => Stop::Length,
        "content_filter" => Stop::Filter,
        _ if refused => Stop::Refusal,
        // Some servers say `stop` behind calls; a client that believed it would never run them.
        "stop" | "tool_calls" | "function_call" if called => Stop::Tools,
        "tool_calls" | "function_call" => Stop::Tools,
        "stop" => Stop::End,
        _ => {
            losses.add("choices[].finish_reason");
            if called { Stop::Tools } else { Stop::End }
        }
    }
}

/// Which of the client's stop sequences the answer came to, where a server says so.
fn stop_sequence<'a>(
    reason: Option<&'a RawValue>,
    carries: Carries,
    losses: &mut Losses,
) -> Option<Text<'a>> {
    let reason = reason?;
    let sequence = Text::of(reason).filter(|_| carries.stop_sequence);
    // A token's number says nothing to who has sent texts.
    losses.add_if(sequence.is_none(), "choices[].stop_reason");
    sequence
}

/// The reason, where the server tells a stop sequence beside it.
fn after_sequence(stop: Stop, reason: Option<&RawValue>) -> Stop {
    let sequence = stop == Stop::End && reason.and_then(Text::of).is_some();
    if sequence { Stop::Sequence } else { stop }
}

/// Reads a stream of chunks.
#[derive(Default)]
pub(super) struct Chunks {
    started: bool,
    /// Pages listed beside the answer, which many chunks repeat; told at its end.
    found: Vec<Citation<'static>>,
    answers: Vec<UnderWay>,
    /// The number of the answer that was told of last.
    current: u64,
}

/// An answer under way.
#[derive(Default)]
struct UnderWay {
    index: u64,
    refused: bool,
    stopped: bool,
    /// Listed pages that were told.
    cited: usize,
    calls: Vec<Call>,
}

/// A call under way.
struct Call {
    /// What the upstream counts it by; some give every call the same.
    index: u64,
    id: Text<'static>,
}

impl StreamReader for Chunks {
    fn read(&mut self, data: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if data == "[DONE]" {
            if self.answers.is_empty() || !self.answers.iter().all(|answer| answer.stopped) {
                return Err(Malformed::new("`[DONE]` came before any `finish_reason`"));
            }
            return sink.emit(Event::End);
        }
        let chunk: wire::Completion<'_> = At::ROOT.parse(data)?;
        let stopped_early = chunk.x_groq.as_ref().and_then(|groq| groq.error);
        if let Some(error) = stopped_early {
            return sink.emit(Event::Error(Fault::of_error(error)));
        }
        if chunk.error.is_some() || chunk.object.as_ref().is_some_and(|object| object.raw() == "error") {
            return sink.emit(Event::Error(Fault::of_body(data.as_bytes())));
        }
        sink.losses.unknown("", &chunk.rest, HARMLESS);
        let choices = chunk.choices.unwrap_or_default();
        if !choices.is_empty() && !std::mem::replace(&mut self.started, true) {
            let id = chunk.id.as_ref().filter(|id| !id.is_empty()).map(Text::borrowed);
            let model = chunk.model.filter(|model| !model.is_empty());
            sink.emit(Event::Start { id, model, created: chunk.created, usage: Usage::default() })?;
        }
        if chunk.citations.is_some() || chunk.search_results.is_some() {
            self.find(found(chunk.citations, chunk.search_results, sink.losses), sink.losses);
        }
        for choice in choices {
            let index = choice.index.unwrap_or_default();
            if index != 0 && !sink.carries.choices {
                sink.losses.add("choices[]");
                continue;
            }
            if index != self.current {
                self.current = index;
                sink.emit(Event::Choice(index))?;
            }
            let at = self.answer(index)?;
            if let Some(answer) = self.answers.get_mut(at) {
                answer.choice(choice, chunk.id.as_ref(), &self.found, sink)?;
            }
        }
        match chunk.usage.or(chunk.x_groq.and_then(|groq| groq.usage)) {
            Some(told) => sink.emit(Event::Usage(usage(told))),
            None => Ok(()),
        }
    }
}

impl Chunks {
    /// Keeps what was not listed before.
    fn find(&mut self, found: Vec<Citation<'_>>, losses: &mut Losses) {
        for page in found {
            if self.found.iter().any(|known| known.url == page.url) {
                continue;
            }
            if self.answers.iter().any(|answer| answer.stopped) || self.found.len() >= FOUND_MAX {
                losses.add("citations");
                return;
            }
            self.found.push(page.into_owned());
        }
    }

    /// The place of the answer of this number.
    fn answer(&mut self, index: u64) -> Result<usize, Malformed> {
        if let Some(at) = self.answers.iter().position(|answer| answer.index == index) {
            return Ok(at);
        }
        if self.answers.len() >= ANSWERS_MAX {
            return Err(Malformed::new("the reply has too many choices"));
        }
        self.answers.push(UnderWay { index, ..UnderWay::default() });
        Ok(self.answers.len() - 1)
    }
}

impl UnderWay {
    fn choice(
        &mut self,
        choice: wire::Choice<'_>,
        reply: Option<&Text<'_>>,
        found: &[Citation<'static>],
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        name_losses(&choice, sink.losses);
        if let Some(delta) = choice.delta {
            message_losses(&delta, sink.losses);
            if let Some(blocks) = delta.thinking_blocks.filter(|blocks| !blocks.is_empty()) {
                for block in blocks {
                    thinking(block, sink)?;
                }
            } else if let Some(text) = read::told(delta.reasoning_content.as_ref(), delta.reasoning) {
                sink.emit(Event::Thinking(text))?;
            }
            if choice.logprobs.is_some() {
                let likely = logprobs(choice.logprobs, sink.carries, sink.losses);
                if !likely.is_empty() {
                    sink.emit(Event::Logprobs(likely))?;
                }
            }
            for said in said(delta.content, sink.losses)? {
                sink.emit(match said {
                    Said::Text(text) => Event::Text(text),
                    Said::Thought(text) => Event::Thinking(text),
                })?;
            }
            if let Some(refusal) = delta.refusal.filter(|text| !text.is_empty()) {
                self.refused = true;
                sink.emit(Event::Refusal(refusal))?;
            }
            if delta.annotations.is_some() {
                for citation in list_of_openai(delta.annotations, &ANNOTATIONS, sink.losses) {
                    sink.emit(Event::Citation(citation))?;
                }
            }
            let calls = delta.tool_calls.unwrap_or_default();
            if !calls.is_empty() && self.calls.is_empty() {
                // While the text that leans on them is not closed.
                self.cite(found, sink)?;
            }
            for call in calls {
                call_losses(&call, sink.losses);
                self.call(call, reply, sink)?;
            }
        }
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.stopped = true;
            self.cite(found, sink)?;
            let stop = stop(&reason, !self.calls.is_empty(), self.refused, sink.losses);
            let stop = after_sequence(stop, choice.stop_reason);
            if let Some(sequence) = stop_sequence(choice.stop_reason, sink.carries, sink.losses) {
                sink.emit(Event::StopSequence(sequence))?;
            }
            sink.emit(Event::Stop(stop))?;
        }
        Ok(())
    }

    /// Tells the listed pages that were not told yet, which are the first answer's.
    fn cite(&mut self, found: &[Citation<'static>], sink: &mut Sink<'_>) -> Result<(), Malformed> {
        for page in found.iter().skip(self.cited).filter(|_| self.index == 0) {
            sink.emit(Event::Citation(page.clone()))?;
        }
        self.cited = found.len();
        Ok(())
    }

    fn call(
        &mut self,
        call: wire::ToolCall<'_>,
        reply: Option<&Text<'_>>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        let function = call.function.unwrap_or_default();
        let id = call.id.filter(|id| !id.is_empty());
        let last = self.calls.last().map(|last| last.index);
        // Without an index, an id begins another call and its absence goes on with the last one.
        let fresh = self.calls.len() as u64;
        let index = call.index.unwrap_or_else(|| if id.is_some() { fresh } else { last.unwrap_or_default() });
        let known = self
            .calls
            .iter()
            .rposition(|known| known.index == index && id.as_ref().is_none_or(|id| known.id == *id));
        let known = if let Some(known) = known {
            known
        } else {
            let known = self.calls.len();
            if known >= CALLS_MAX {
                return Err(Malformed::new("the reply calls too many tools"));
            }
            let id = id
                .or_else(|| made_id(reply, CallPlace { choice: self.index, call: known }))
                .ok_or_else(|| Malformed::new("a tool call has no `id`"))?;
            let name = function
                .name
                .filter(|name| !name.is_empty())
                .ok_or_else(|| Malformed::new("a tool call has no `name`"))?;
            sink.emit(Event::ToolCall { call: known, id: id.borrowed(), name })?;
            self.calls.push(Call { index, id: id.into_owned() });
            known
        };
        match function.arguments.filter(|piece| !piece.is_empty()) {
            Some(piece) => sink.emit(Event::ToolInput { call: known, piece }),
            None => Ok(()),
        }
    }
}

fn thinking(block: wire::ThinkingBlock<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
    match read::thinking_part(&At::ROOT.member("thinking_blocks"), block)? {
        Part::Thinking { text, signature } => {
            if !text.is_empty() {
                sink.emit(Event::Thinking(text))?;
            }
            match signature.filter(|signature| !signature.is_empty()) {
                Some(signature) => sink.emit(Event::Signature(signature)),
                None => Ok(()),
            }
        }
        Part::Redacted(data) => sink.emit(Event::Redacted(data)),
        Part::Text(_)
        | Part::Refusal(_)
        | Part::Image(..)
        | Part::Document { .. }
        | Part::ToolCall { .. }
        | Part::ToolResult { .. }
        | Part::Citation(_) => Ok(()),
    }
}
