//! Replies of the dialect, whole and streamed → the canonical form.
//!
//! Invariant: a stream is at its end when a reason for it came and then the end itself, never otherwise. Until then
//! the last reason and the last usage are held, since some models tell both in every chunk.

use serde_json::value::RawValue;

use super::{read, wire};
use crate::message::logprobs::Token;
use crate::message::read::{At, says_something};
use crate::message::{
    Carries, Choice, Citation, Event, Fault, Logprob, Losses, Maker, Malformed, Part, Reply, Sink, Stop,
    StreamReader, Text, Usage,
};

/// Members that tell of the serving, not of the reply.
const HARMLESS: &[&str] = &["createTime", "modelStatus"];

/// Verdicts of filters on what they let through, and counts that the usage tells too.
const HARMLESS_IN_CANDIDATES: &[&str] = &["safetyRatings", "avgLogprobs", "tokenCount"];

/// Most calls of one streamed reply.
const CALLS_MAX: usize = 512;

/// Most answers of one streamed reply; Google gives eight.
const ANSWERS_MAX: usize = 128;

/// Most pages that one streamed reply leans on.
const CITED_MAX: usize = 256;

/// Reads a whole reply.
pub(super) fn reply<'a>(
    body: &'a str,
    carries: Carries,
    losses: &mut Losses,
) -> Result<Reply<'a>, Malformed> {
    let body: wire::Reply<'a> = At::ROOT.parse(body)?;
    if let Some(error) = body.error {
        return Err(Fault::of_error(error).inside_reply());
    }
    losses.unknown("", &body.rest, HARMLESS);
    let blocked = body.prompt_feedback.as_ref().is_some_and(|feedback| is_blocked(feedback, losses));
    let mut candidates = body.candidates.unwrap_or_default();
    candidates.sort_by_key(|candidate| candidate.index);
    let mut candidates = candidates.into_iter();
    let candidate = candidates.next().unwrap_or_default();
    losses.add_if(!carries.choices && candidates.len() > 0, "candidates[]");
    let reply = body.response_id.as_ref();
    let stop = blocked.then_some(Stop::Filter);
    let first = answer(candidate, stop, reply, carries, losses)?;
    let further = candidates.filter(|_| carries.choices);
    let further: Result<Vec<_>, _> =
        further.map(|candidate| answer(candidate, stop, reply, carries, losses)).collect();
    Ok(Reply {
        further: further?,
        id: body.response_id,
        model: body.model_version,
        created: None,
        parts: first.parts,
        logprobs: first.logprobs,
        stop: first.stop,
        stop_sequence: None,
        usage: body.usage_metadata.as_ref().map(usage).unwrap_or_default(),
    })
}

/// Reads one answer, which ended with `stop` if it does not say how; `reply` is the id of all.
fn answer<'a>(
    candidate: wire::Candidate<'a>,
    stop: Option<Stop>,
    reply: Option<&Text<'a>>,
    carries: Carries,
    losses: &mut Losses,
) -> Result<Choice<'a>, Malformed> {
    name_losses(&candidate, losses);
    let index = candidate.index.unwrap_or_default();
    let cited = cited(candidate.grounding_metadata, candidate.citation_metadata, losses);
    let logprobs = logprobs(candidate.logprobs_result, carries, losses);
    let mut calls = Calls { reply: reply.cloned().unwrap_or_default(), answer: index, count: 0 };
    let mut gathered = Gathered::default();
    for part in parts(candidate.content, losses) {
        for said in read_part(part, &mut calls, losses)?.into_iter().flatten() {
            gathered.take(said);
        }
    }
    gathered.cite(cited);
    let reason = candidate.finish_reason.filter(|reason| !reason.is_empty());
    let ended = reason.map(|reason| self::stop(&reason, candidate.finish_message.as_ref(), calls.count > 0));
    let stop = ended.transpose().map_err(Fault::inside_reply)?.or(stop);
    let stop = stop.ok_or_else(|| Malformed::new("the reply has no `finishReason`"))?;
    Ok(Choice { index, parts: gathered.parts, logprobs, stop, stop_sequence: None })
}

/// Whether the prompt was refused.
fn is_blocked(feedback: &wire::PromptFeedback<'_>, losses: &mut Losses) -> bool {
    losses.unknown("promptFeedback.", &feedback.rest, &["safetyRatings"]);
    feedback.block_reason.as_ref().is_some_and(|reason| !reason.is_empty())
}

fn name_losses(candidate: &wire::Candidate<'_>, losses: &mut Losses) {
    losses.unknown("candidates[].", &candidate.rest, HARMLESS_IN_CANDIDATES);
}

/// The pages that an answer leans on. Which of its bytes lean on which page is lost: other dialects count characters,
/// and in a stream those have gone by.
fn cited<'a>(
    grounding: Option<&'a RawValue>,
    citation: Option<&'a RawValue>,
    losses: &mut Losses,
) -> Vec<Citation<'a>> {
    if grounding.is_none() && citation.is_none() {
        return Vec::new();
    }
    let read: Option<wire::GroundingMetadata<'a>> =
        grounding.and_then(|told| serde_json::from_str(told.get()).ok());
    losses.add_if(read.is_none() && grounding.is_some(), "candidates[].groundingMetadata");
    let grounding = read.unwrap_or_default();
    let read: Option<wire::CitationMetadata<'a>> =
        citation.and_then(|told| serde_json::from_str(told.get()).ok());
    losses.add_if(read.is_none() && citation.is_some(), "candidates[].citationMetadata");
    let citation = read.unwrap_or_default();
    losses.unknown("candidates[].groundingMetadata.", &grounding.rest, &[]);
    losses.unknown("candidates[].citationMetadata.", &citation.rest, &[]);
    let mut cited = Vec::new();
    for chunk in grounding.chunks.unwrap_or_default() {
        losses.unknown("candidates[].groundingMetadata.groundingChunks[].", &chunk.rest, &[]);
        if let Some(page) = chunk.web {
            losses.unknown("candidates[].groundingMetadata.groundingChunks[].web.", &page.rest, &[]);
            cited.extend(page.uri.map(|uri| Citation::of(uri, page.title)));
        }
    }
    for page in citation.citations.unwrap_or_default() {
        losses.unknown("candidates[].citationMetadata.citationSources[].", &page.rest, &[]);
        cited.extend(page.uri.map(|uri| Citation::of(uri, page.title)));
    }
    cited
}

/// How likely the tokens were.
fn logprobs<'a>(told: Option<&'a RawValue>, carries: Carries, losses: &mut Losses) -> Vec<Logprob<'a>> {
    let Some(told) = told.filter(|told| says_something(told)) else { return Vec::new() };
    if !carries.logprobs {
        losses.add("candidates[].logprobsResult");
        return Vec::new();
    }
    let told: wire::LogprobsResult<'a> = serde_json::from_str(told.get()).unwrap_or_else(|_| {
        losses.add("candidates[].logprobsResult");
        wire::LogprobsResult::default()
    });
    let token = |told: wire::LogprobCandidate<'a>| Token {
        text: told.token.unwrap_or_default(),
        logprob: told.log_probability.map_or("0", RawValue::get),
        bytes: None,
    };
    let mut top = told.top_candidates.unwrap_or_default().into_iter();
    let chosen = told.chosen_candidates.unwrap_or_default();
    // What was likely in the place of what, is not told.
    losses.add_if(chosen.len() < top.len(), "candidates[].logprobsResult");
    let read = chosen.into_iter().map(|chosen| {
        let top = top.next().and_then(|top| top.candidates).unwrap_or_default();
        Logprob { chosen: token(chosen), top: top.into_iter().map(token).collect() }
    });
    read.collect()
}

fn parts<'a>(content: Option<wire::Content<'a>>, losses: &mut Losses) -> Vec<wire::Part<'a>> {
    let content = content.unwrap_or_default();
    losses.unknown("candidates[].content.", &content.rest, &[]);
    content.parts.unwrap_or_default()
}

/// What one part says.
enum Said<'a> {
    Thinking(Text<'a>),
    /// The signature of the reasoning before.
    Signature(Text<'a>),
    Text(Text<'a>),
    Call {
        call: usize,
        id: Text<'a>,
        name: Text<'a>,
        input: &'a str,
    },
}

/// The calls of one reply.
struct Calls<'a> {
    /// The reply's id; empty where it has none.
    reply: Text<'a>,
    /// The number of the answer that they are of.
    answer: u64,
    count: usize,
}

impl Calls<'_> {
    fn made_id(&self, call: usize) -> String {
        match self.answer {
            0 => format!("call_{}_{call}", self.reply.raw()),
            answer => format!("call_{}_{answer}_{call}", self.reply.raw()),
        }
    }

    /// The place of one more call, and its id: its own, or one that is made of the reply's id and the call's place
    /// in it, so that no other reply's is the same; empty where the reply has none either.
    fn next<'p>(&mut self, id: Option<Text<'p>>) -> Result<(usize, Text<'p>), Malformed> {
        let call = self.count;
        if call >= CALLS_MAX {
            return Err(Malformed::new("the reply calls too many tools"));
        }
        self.count += 1;
        let own = id.filter(|id| !id.is_empty());
        let of_reply = || Text::escaped(self.made_id(call));
        let id = own.or_else(|| (!self.reply.is_empty()).then(of_reply)).unwrap_or_default();
        Ok((call, id))
    }
}

/// Reads one part. It may say two things: a signature stands on the part behind its reasoning.
fn read_part<'a>(
    part: wire::Part<'a>,
    calls: &mut Calls<'_>,
    losses: &mut Losses,
) -> Result<[Option<Said<'a>>; 2], Malformed> {
    losses.unknown("candidates[].content.parts[].", &part.rest, &[]);
    let some = |text: &Text<'_>| !text.is_empty();
    let signature = part.thought_signature.filter(some);
    let signature = signature.map(|signature| Said::Signature(Maker::Google.seal(signature)));
    if part.thought == Some(true) {
        return Ok([part.text.filter(some).map(Said::Thinking), signature]);
    }
    if let Some(text) = part.text {
        return Ok([signature, some(&text).then_some(Said::Text(text))]);
    }
    if let Some(call) = part.function_call {
        losses.unknown("candidates[].content.parts[].functionCall.", &call.rest, &[]);
        if call.partial_args.is_some() || call.will_continue == Some(true) {
            return Err(Malformed::new(
                "the arguments of a tool call come in parts, which was not asked for",
            ));
        }
        let at = At::ROOT.member("functionCall");
        let input = read::args(&at, call.args)?;
        let name = at.required("name", call.name.filter(some))?;
        let (call, id) = calls.next(call.id)?;
        return Ok([signature, Some(Said::Call { call, id, name, input })]);
    }
    let other = part
        .inline_data
        .map(|_| "inlineData")
        .or(part.file_data.map(|_| "fileData"))
        .or_else(|| read::own_part(part.executable_code, part.code_execution_result))
        .or_else(|| read::own_call(part.tool_call, part.tool_response))
        .or(part.function_response.map(|_| "functionResponse"));
    if let Some(name) = other {
        losses.named("candidates[].content.parts[].", name);
    }
    Ok([signature, None])
}

/// What a whole reply says, with reasoning and its signature in one.
#[derive(Default)]
struct Gathered<'a> {
    parts: Vec<Part<'a>>,
    /// Whether the last part is reasoning that may still be signed or go on.
    open: bool,
}

impl<'a> Gathered<'a> {
    /// Pages belong to the text, which a call may follow.
    fn cite(&mut self, cited: Vec<Citation<'a>>) {
        let text = self.parts.iter().rposition(|part| matches!(part, Part::Text(_)));
        let behind = text.map_or(self.parts.len(), |at| at + 1);
        let cited = cited.into_iter().map(Part::Citation);
        self.parts.splice(behind..behind, cited);
    }

    fn take(&mut self, said: Said<'a>) {
        match said {
            Said::Thinking(more) => {
                if let (true, Some(Part::Thinking { text, .. })) = (self.open, self.parts.last_mut()) {
                    *text = Text::escaped(format!("{}{}", text.raw(), more.raw()));
                } else {
                    self.parts.push(Part::Thinking { text: more, signature: None });
                }
                self.open = true;
            }
            Said::Signature(own) => {
                if let (true, Some(Part::Thinking { signature, .. })) = (self.open, self.parts.last_mut()) {
                    *signature = Some(own);
                } else {
                    self.parts.push(Part::Thinking { text: Text::default(), signature: Some(own) });
                }
                self.open = false;
            }
            Said::Text(text) => {
                self.parts.push(Part::Text(text));
                self.open = false;
            }
            Said::Call { id, name, input, .. } => {
                self.parts.push(Part::ToolCall { id, name, input: input.into() });
                self.open = false;
            }
        }
    }
}

/// Why the model stopped, or how it failed.
fn stop<'a>(reason: &Text<'_>, message: Option<&Text<'a>>, called: bool) -> Result<Stop, Fault<'a>> {
    match reason.raw() {
        "STOP" if called => Ok(Stop::Tools),
        "STOP" => Ok(Stop::End),
        "MAX_TOKENS" => Ok(Stop::Length),
        "SAFETY"
        | "RECITATION"
        | "LANGUAGE"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR"
        | "ESCALATION" => Ok(Stop::Filter),
        // The rest is failures: a call that is none, a call too many, a reason that nobody knows.
        other => {
            let told = message.map_or("", Text::raw);
            let colon = if told.is_empty() { "" } else { ": " };
            Err(Fault {
                message: Text::escaped(format!("the model stopped with `{other}`{colon}{told}")),
                kind: Some(Text::plain("INTERNAL")),
                code: Some(Text::plain("500")),
                param: None,
            })
        }
    }
}

fn usage(told: &wire::Usage) -> Usage {
    let count = Option::unwrap_or_default;
    Usage {
        input: count(told.prompt).saturating_add(count(told.tool_use_prompt)),
        cache_read: count(told.cached_content),
        cache_write: 0,
        cache_write_1h: 0,
        output: count(told.candidates).saturating_add(count(told.thoughts)),
        reasoning: count(told.thoughts),
    }
}

/// Reads a stream of chunks.
#[derive(Default)]
pub(super) struct Chunks {
    started: bool,
    reply: Option<Text<'static>>,
    answers: Vec<UnderWay>,
    /// The number of the answer that was told of last.
    current: u64,
    /// Whether the prompt was refused.
    blocked: bool,
    usage: Usage,
}

/// An answer under way.
#[derive(Default)]
struct UnderWay {
    index: u64,
    calls: usize,
    stop: Option<Stop>,
    /// Addresses of the pages that were told; some models tell them in several chunks.
    cited: Vec<Text<'static>>,
}

impl StreamReader for Chunks {
    fn read(&mut self, data: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let chunk: wire::Reply<'_> = At::ROOT.parse(data)?;
        if chunk.error.is_some() {
            return sink.emit(Event::Error(Fault::of_body(data.as_bytes())));
        }
        sink.losses.unknown("", &chunk.rest, HARMLESS);
        if let Some(told) = &chunk.usage_metadata {
            self.usage = usage(told);
        }
        if !std::mem::replace(&mut self.started, true) {
            self.reply = chunk.response_id.clone().map(Text::into_owned);
            let (id, model) = (chunk.response_id, chunk.model_version);
            sink.emit(Event::Start { id, model, created: None, usage: self.usage })?;
        }
        if chunk.prompt_feedback.is_some_and(|feedback| is_blocked(&feedback, sink.losses)) {
            self.blocked = true;
        }
        for candidate in chunk.candidates.unwrap_or_default() {
            let index = candidate.index.unwrap_or_default();
            if index == 0 || sink.carries.choices {
                self.turn_to(index, sink)?;
                self.candidate(candidate, sink)?;
            } else {
                sink.losses.add("candidates[]");
            }
            if sink.seen.error_event {
                return Ok(());
            }
        }
        Ok(())
    }

    fn finish(&mut self, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if self.answers.is_empty() {
            self.answers.push(UnderWay::default());
        }
        let blocked = self.blocked.then_some(Stop::Filter);
        // Before any of them is told to be complete, all must be.
        if self.answers.iter().any(|answer| answer.stop.or(blocked).is_none()) {
            return Err(Malformed::new("the stream ended before any `finishReason`"));
        }
        for at in 0..self.answers.len() {
            let Some((index, stop)) = self.answers.get(at).map(|answer| (answer.index, answer.stop)) else {
                continue;
            };
            self.turn_to(index, sink)?;
            stop.or(blocked).map_or(Ok(()), |stop| sink.emit(Event::Stop(stop)))?;
        }
        sink.emit(Event::Usage(self.usage))?;
        sink.emit(Event::End)
    }
}

impl Chunks {
    /// What follows is of the answer of this number.
    fn turn_to(&mut self, index: u64, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if index != std::mem::replace(&mut self.current, index) {
            sink.emit(Event::Choice(index))?;
        }
        Ok(())
    }

    fn candidate(&mut self, candidate: wire::Candidate<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let index = candidate.index.unwrap_or_default();
        let reply = self.reply.as_ref().map_or(Text::default(), Text::borrowed);
        if let Some(answer) = self.answers.iter_mut().find(|answer| answer.index == index) {
            return answer.candidate(candidate, reply, sink);
        }
        if self.answers.len() >= ANSWERS_MAX {
            return Err(Malformed::new("the reply has too many candidates"));
        }
        let mut answer = UnderWay { index, ..UnderWay::default() };
        let read = answer.candidate(candidate, reply, sink);
        self.answers.push(answer);
        read
    }
}

impl UnderWay {
    fn candidate(
        &mut self,
        candidate: wire::Candidate<'_>,
        reply: Text<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        name_losses(&candidate, sink.losses);
        let (grounding, citation) = (candidate.grounding_metadata, candidate.citation_metadata);
        let cited = cited(grounding, citation, sink.losses);
        let likely = logprobs(candidate.logprobs_result, sink.carries, sink.losses);
        if !likely.is_empty() {
            sink.emit(Event::Logprobs(likely))?;
        }
        let mut calls = Calls { reply, answer: self.index, count: self.calls };
        let parts = parts(candidate.content, sink.losses);
        // While the text that leans on them is not closed, as a signature or a call would.
        let behind = parts.iter().rposition(is_text).map_or(0, |at| at + 1);
        let mut parts = parts.into_iter();
        for part in parts.by_ref().take(behind) {
            tell(part, &mut calls, sink)?;
        }
        self.cite(cited, sink)?;
        for part in parts {
            tell(part, &mut calls, sink)?;
        }
        self.calls = calls.count;
        let Some(reason) = candidate.finish_reason.filter(|reason| !reason.is_empty()) else { return Ok(()) };
        match stop(&reason, candidate.finish_message.as_ref(), self.calls > 0) {
            Ok(stop) => {
                self.stop = Some(stop);
                Ok(())
            }
            Err(fault) => sink.emit(Event::Error(fault)),
        }
    }

    fn cite(&mut self, cited: Vec<Citation<'_>>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        for page in cited {
            if self.cited.contains(&page.url) {
                continue;
            }
            if self.cited.len() >= CITED_MAX {
                sink.losses.add("candidates[].groundingMetadata");
                return Ok(());
            }
            self.cited.push(page.url.clone().into_owned());
            sink.emit(Event::Citation(page))?;
        }
        Ok(())
    }
}

/// Whether it says something to the user.
fn is_text(part: &wire::Part<'_>) -> bool {
    part.thought != Some(true) && part.text.as_ref().is_some_and(|text| !text.is_empty())
}

fn tell(part: wire::Part<'_>, calls: &mut Calls<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
    let said = read_part(part, calls, sink.losses)?;
    said.into_iter().flatten().try_for_each(|one| emit(one, sink))
}

fn emit(said: Said<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
    match said {
        Said::Thinking(text) => sink.emit(Event::Thinking(text)),
        Said::Signature(signature) => sink.emit(Event::Signature(signature)),
        Said::Text(text) => sink.emit(Event::Text(text)),
        Said::Call { call, id, name, input } => {
            sink.emit(Event::ToolCall { call, id, name })?;
            sink.emit(Event::ToolInput { call, piece: Text::escape(input) })
        }
    }
}
