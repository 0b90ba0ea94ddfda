//! Replies of the dialect, whole and streamed → the canonical form.
//!
//! A stream tells everything several times: piece by piece, as a whole part, as a whole item, and once more in
//! its last event. Some servers leave out the earlier tellings. Invariant: whatever is told is handed over once,
//! when it comes first; a stream is at its end when the response is completed or incomplete, never otherwise.

use serde_json::value::RawValue;

use super::{read, wire};
use crate::message::citation::{self, Place, list_of_openai};
use crate::message::logprobs::of_openai;
use crate::message::read::{At, says_something};
use crate::message::{
    Carries, Citation, Event, Fault, Logprob, Losses, Malformed, Part, Reply, Sink, Stop, StreamReader, Text,
    Told, Untranslatable, Usage, tool_input,
};

/// Members that repeat the request, or tell of the serving and not of the reply.
const HARMLESS: &[&str] = &[
    "object",
    "background",
    "billing",
    "completed_at",
    "frequency_penalty",
    "instructions",
    "max_output_tokens",
    "max_tool_calls",
    "metadata",
    "output_text",
    "parallel_tool_calls",
    "presence_penalty",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "reasoning",
    "safety_identifier",
    "service_tier",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tool_usage",
    "tools",
    "top_logprobs",
    "top_p",
    "truncation",
    "user",
];

/// How far an item has come, and that a call comes from the model itself.
const HARMLESS_IN_ITEMS: &[&str] = &["status", "caller"];

/// Most items of one streamed reply.
const ITEMS_MAX: usize = 1024;

/// Where annotations stand.
const ANNOTATIONS: Place =
    Place { list: "output[].content[].annotations", member: "output[].content[].annotations[]." };

/// Reads a whole reply.
pub(super) fn reply<'a>(
    body: &'a str,
    carries: Carries,
    losses: &mut Losses,
) -> Result<Reply<'a>, Malformed> {
    let mut body: wire::Response<'a> = At::ROOT.parse(body)?;
    if let Some(error) = body.error {
        return Err(Fault::of_error(error).inside_reply());
    }
    losses.unknown("", &body.rest, HARMLESS);
    let list = At::ROOT.member("output");
    let (mut parts, mut logprobs) = (Vec::new(), Vec::new());
    let (mut called, mut refused) = (false, false);
    for (index, item) in At::ROOT.required("output", body.output.take())?.into_iter().enumerate() {
        let at = list.index(index);
        item_losses(&item, losses);
        match item.kind.as_ref().map_or("", Text::raw) {
            "message" => {
                for said in said(&at, item.content, losses)? {
                    refused |= said.refusal;
                    logprobs.append(&mut likely(said.logprobs, carries, losses));
                    let is_first = !parts.iter().any(|part| matches!(part, Part::Text(_)));
                    let cited = cited(said.annotations, is_first, losses);
                    parts.push(if said.refusal { Part::Refusal(said.text) } else { Part::Text(said.text) });
                    parts.extend(cited.into_iter().map(Part::Citation));
                }
            }
            "function_call" => {
                called = true;
                parts.push(call_part(&at, item)?);
            }
            "reasoning" => {
                let text = read::reasoning_text(&at, &item, losses, "output[].content")?;
                let signature = signature(&item);
                if !text.is_empty() || signature.is_some() {
                    parts.push(Part::Thinking { text, signature });
                }
            }
            other => losses.named("output[].", other),
        }
    }
    Ok(Reply {
        stop: stop(&body, called, refused, losses)?,
        id: body.id.filter(|id| !id.is_empty()),
        model: body.model.filter(|model| !model.is_empty()),
        created: body.created_at.and_then(seconds),
        parts,
        logprobs,
        stop_sequence: None,
        further: Vec::new(),
        usage: body.usage.map(usage).unwrap_or_default(),
    })
}

fn item_losses(item: &wire::Item<'_>, losses: &mut Losses) {
    if matches!(item.kind.as_ref().map_or("", Text::raw), "message" | "function_call" | "reasoning") {
        losses.unknown("output[].", &item.rest, HARMLESS_IN_ITEMS);
    }
}

/// A part of a message.
struct Said<'a> {
    text: Text<'a>,
    refusal: bool,
    /// How likely its tokens were.
    logprobs: Option<&'a RawValue>,
    annotations: Option<&'a RawValue>,
}

impl<'a> Said<'a> {
    /// A text of which nothing else is told.
    const fn of(text: Text<'a>) -> Self {
        Self { text, refusal: false, logprobs: None, annotations: None }
    }
}

/// The parts of a message, the empty ones included.
fn said<'a>(
    at: &At<'_>,
    content: Option<&'a RawValue>,
    losses: &mut Losses,
) -> Result<Vec<Said<'a>>, Untranslatable> {
    let Some(content) = content else { return Ok(Vec::new()) };
    if let Some(text) = Text::of(content) {
        return Ok(vec![Said::of(text)]);
    }
    let parts: Vec<wire::Part<'a>> = at.member("content").parse(content.get())?;
    let mut read = Vec::with_capacity(parts.len());
    for part in parts {
        losses.unknown("output[].content[].", &part.rest, &[]);
        let (logprobs, annotations) = (part.logprobs, part.annotations);
        match (part.text, part.refusal) {
            (Some(text), _) => read.push(Said { logprobs, annotations, ..Said::of(text) }),
            (None, Some(text)) => read.push(Said { refusal: true, logprobs, ..Said::of(text) }),
            (None, None) => losses.add("output[].content[]"),
        }
    }
    Ok(read)
}

/// The pages that a text leans on. Places in it are those in the answer's text only where it `is_first`.
fn cited<'a>(list: Option<&'a RawValue>, is_first: bool, losses: &mut Losses) -> Vec<Citation<'a>> {
    let mut cited = list_of_openai(list, &ANNOTATIONS, losses);
    for citation in cited.iter_mut().filter(|_| !is_first) {
        citation.range = None;
    }
    cited
}

/// How likely the tokens of a text were.
fn likely<'a>(told: Option<&'a RawValue>, carries: Carries, losses: &mut Losses) -> Vec<Logprob<'a>> {
    let Some(told) = told.filter(|told| says_something(told)) else { return Vec::new() };
    let read = of_openai(told).filter(|_| carries.logprobs);
    losses.add_if(read.is_none(), "output[].content[].logprobs");
    read.unwrap_or_default()
}

fn call_part<'a>(at: &At<'_>, item: wire::Item<'a>) -> Result<Part<'a>, Untranslatable> {
    Ok(Part::ToolCall {
        id: at.required("call_id", item.call_id.filter(|id| !id.is_empty()))?,
        name: at.required("name", item.name.and_then(Text::of))?,
        input: tool_input(item.arguments.and_then(Text::of).unwrap_or_default())
            .ok_or_else(|| at.member("arguments").error("is not the JSON text of an object"))?,
    })
}

fn some_text(value: Option<&RawValue>) -> Result<Option<Text<'_>>, Malformed> {
    let Some(value) = value else { return Ok(None) };
    let text = Text::of(value).ok_or_else(|| Malformed::new("what should be a text is none"))?;
    Ok((!text.is_empty()).then_some(text))
}

fn signature(item: &wire::Item<'_>) -> Option<Text<'static>> {
    let encrypted = item.encrypted_content.as_ref().filter(|content| !content.is_empty())?;
    read::sealed(item.id.as_ref(), encrypted)
}

/// Whole seconds; some servers tell fractions.
fn seconds(time: &RawValue) -> Option<u64> {
    time.get().split('.').next()?.parse().ok()
}

fn usage(usage: wire::Usage) -> Usage {
    let input = usage.input_tokens_details.unwrap_or_default();
    Usage {
        input: usage.input_tokens.unwrap_or_default(),
        cache_read: input.cached_tokens.or(input.cache_read_input_tokens).unwrap_or_default(),
        cache_write: input.cache_write_tokens.or(input.cache_creation_input_tokens).unwrap_or_default(),
        cache_write_1h: 0,
        output: usage.output_tokens.unwrap_or_default(),
        reasoning: usage.output_tokens_details.and_then(|d| d.reasoning_tokens).unwrap_or_default(),
    }
}

fn stop(
    response: &wire::Response<'_>,
    called: bool,
    refused: bool,
    losses: &mut Losses,
) -> Result<Stop, Malformed> {
    match response.status.as_ref().map_or("completed", Text::raw) {
        "completed" | "requires_action" => {}
        "incomplete" => {
            let reason = response.incomplete_details.as_ref().and_then(|details| details.reason.as_ref());
            return Ok(match reason.map_or("", Text::raw) {
                "content_filter" => Stop::Filter,
                "max_output_tokens" => Stop::Length,
                _ => {
                    losses.add("incomplete_details.reason");
                    Stop::Length
                }
            });
        }
        status => return Err(Malformed::new(format!("the response has the status `{status}`"))),
    }
    Ok(match (refused, called) {
        (true, _) => Stop::Refusal,
        (false, true) => Stop::Tools,
        (false, false) => Stop::End,
    })
}

/// Reads a stream of events.
#[derive(Default)]
pub(super) struct Events {
    started: bool,
    refused: bool,
    /// Whether it was told how likely tokens were.
    likely: bool,
    calls: usize,
    items: Vec<Item>,
}

/// An item under way, or told.
struct Item {
    /// Its place in the output.
    index: u64,
    kind: Kind,
    /// Whether it was told as a whole.
    done: bool,
    /// Whether the last event has told it once more.
    matched: bool,
    /// Whether pages that it leans on were told.
    cited: bool,
}

enum Kind {
    Message {
        /// How many of its parts were told, the last one at least in part.
        told: u64,
    },
    Reasoning {
        told: u64,
        /// Whether it is the reasoning itself that is told, and not its summary.
        content: Option<bool>,
    },
    Call {
        call: usize,
        /// Whether a piece of its input came.
        told: bool,
    },
    /// One that is named as lost.
    Silent,
}

impl Kind {
    const fn is_like(&self, other: &Self) -> bool {
        matches!(
            (self, other),
            (Self::Message { .. }, Self::Message { .. })
                | (Self::Reasoning { .. }, Self::Reasoning { .. })
                | (Self::Call { .. }, Self::Call { .. })
        )
    }
}

impl StreamReader for Events {
    fn read(&mut self, data: &str, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let event: wire::Event<'_> = At::ROOT.parse(data)?;
        let kind = event.kind.clone();
        let kind = kind.as_ref().map_or("", Text::raw);
        let failed = event.response.as_ref().and_then(|response| response.error);
        if let Some(error) = failed {
            return sink.emit(Event::Error(Fault::of_error(error)));
        }
        let says_error = event.object.is_some_and(|object| object.get() == "\"error\"");
        if event.error.is_some() || says_error || matches!(kind, "error" | "response.failed") {
            let mut fault = Fault::of_body(data.as_bytes());
            // The type of such an event says no more than that there is one.
            fault.kind = fault.kind.filter(|said| !matches!(said.raw(), "error" | "response.failed"));
            return sink.emit(Event::Error(fault));
        }
        match kind {
            "response.created" | "response.in_progress" | "response.queued" => match &event.response {
                Some(response) => self.start(Some(response), sink),
                None => Ok(()),
            },
            "response.completed" | "response.incomplete" => self.end(kind, event.response, sink),
            _ => {
                self.start(None, sink)?;
                self.event(kind, event, sink)?;
                // Of what is told as a whole, a repetition would say nothing new.
                if !matches!(kind.rsplit_once('.'), Some((_, "delta"))) {
                    sink.told = Told::Else;
                }
                Ok(())
            }
        }
    }
}

impl Events {
    fn start(&mut self, response: Option<&wire::Response<'_>>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        let some = |text: &&Text<'_>| !text.is_empty();
        let id = response.and_then(|response| response.id.as_ref()).filter(some).map(Text::borrowed);
        let model = response.and_then(|response| response.model.as_ref()).filter(some).map(Text::borrowed);
        let created = response.and_then(|response| response.created_at).and_then(seconds);
        sink.emit(Event::Start { id, model, created, usage: Usage::default() })
    }

    fn event(&mut self, kind: &str, event: wire::Event<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let index = event.output_index.unwrap_or_default();
        let part = event.content_index.unwrap_or_default();
        match kind {
            "response.output_item.added" => {
                self.added(index, &event.item.unwrap_or_default(), sink).map(|_| ())
            }
            "response.output_item.done" => {
                let item = event.item.unwrap_or_default();
                let known = self.items.iter().rposition(|known| known.index == index);
                let at = known.map_or_else(|| self.added(index, &item, sink), Ok)?;
                self.done(at, &item, sink)
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let at = self.at(index, Kind::Message { told: 0 })?;
                let refusal = kind == "response.refusal.delta";
                let logprobs = event.logprobs;
                let said = some_text(event.delta)?.map(|text| Said { refusal, logprobs, ..Said::of(text) });
                self.text(at, part, said, true, sink)
            }
            "response.output_text.done" | "response.refusal.done" => {
                let at = self.at(index, Kind::Message { told: 0 })?;
                let refusal = kind == "response.refusal.done";
                let logprobs = event.logprobs;
                let text = some_text(event.text.or(event.refusal))?;
                let said = text.map(|text| Said { refusal, logprobs, ..Said::of(text) });
                self.text(at, part, said, false, sink)
            }
            "response.reasoning_summary_text.delta" => {
                let part = event.summary_index.unwrap_or_default();
                let at = self.at(index, Kind::Reasoning { told: 0, content: None })?;
                self.thinking(at, part, some_text(event.delta)?, false, sink)
            }
            "response.reasoning_text.delta" => {
                let at = self.at(index, Kind::Reasoning { told: 0, content: None })?;
                self.thinking(at, part, some_text(event.delta)?, true, sink)
            }
            "response.function_call_arguments.delta" => {
                self.input(index, some_text(event.delta)?, true, sink)
            }
            "response.function_call_arguments.done" => {
                self.input(index, some_text(event.arguments)?, false, sink)
            }
            "response.output_text.annotation.added" => {
                let at = self.at(index, Kind::Message { told: 0 })?;
                self.cited(at, part, event.annotation, sink)
            }
            // What they tell, the item tells once more when it is done.
            "response.content_part.added"
            | "response.content_part.done"
            | "response.reasoning_summary_part.added"
            | "response.reasoning_summary_part.done"
            | "response.reasoning_summary_text.done"
            | "response.reasoning_text.done" => Ok(()),
            other => {
                // How a tool of the provider gets on; the call itself is named.
                let silent = |known: &Item| known.index == index && matches!(known.kind, Kind::Silent);
                if event.output_index.is_none() || !self.items.iter().any(silent) {
                    sink.losses.named("", other);
                }
                Ok(())
            }
        }
    }

    /// Begins an item; where it is known already, that one goes on.
    fn added(&mut self, index: u64, item: &wire::Item<'_>, sink: &mut Sink<'_>) -> Result<usize, Malformed> {
        let kind = match item.kind.as_ref().map_or("", Text::raw) {
            "message" => Kind::Message { told: 0 },
            "reasoning" => Kind::Reasoning { told: 0, content: None },
            "function_call" => {
                let call = self.calls;
                self.calls += 1;
                let id = item.call_id.as_ref().filter(|id| !id.is_empty());
                let id = id.ok_or_else(|| Malformed::new("a tool call has no `call_id`"))?.borrowed();
                let name = some_text(item.name)?;
                let name = name.ok_or_else(|| Malformed::new("a tool call has no `name`"))?;
                sink.emit(Event::ToolCall { call, id, name })?;
                Kind::Call { call, told: false }
            }
            other => {
                sink.losses.named("output[].", other);
                Kind::Silent
            }
        };
        self.push(index, kind)
    }

    fn push(&mut self, index: u64, kind: Kind) -> Result<usize, Malformed> {
        if self.items.len() >= ITEMS_MAX {
            return Err(Malformed::new("the reply has too many items"));
        }
        self.items.push(Item { index, kind, done: false, matched: false, cited: false });
        Ok(self.items.len() - 1)
    }

    /// The item at this place of the output; begun where its beginning was not told.
    fn at(&mut self, index: u64, kind: Kind) -> Result<usize, Malformed> {
        match self.items.iter().rposition(|known| known.index == index) {
            Some(at) => Ok(at),
            None => self.push(index, kind),
        }
    }

    /// A piece of a part of a message, or the whole of it, which counts only where no piece came.
    fn text(
        &mut self,
        at: usize,
        part: u64,
        said: Option<Said<'_>>,
        piece: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        let Some(Said { text, refusal, logprobs, .. }) = said else { return Ok(()) };
        self.refused |= refusal;
        match self.items.get_mut(at).map(|item| &mut item.kind) {
            Some(Kind::Message { told }) if piece || part >= *told => {
                *told = (*told).max(part.saturating_add(1));
                self.likely |= logprobs.is_some_and(says_something);
                let likely = likely(logprobs, sink.carries, sink.losses);
                if !likely.is_empty() {
                    sink.emit(Event::Logprobs(likely))?;
                }
                sink.emit(if refusal { Event::Refusal(text) } else { Event::Text(text) })
            }
            Some(Kind::Message { .. } | Kind::Silent) => Ok(()),
            _ => Err(Malformed::new("a text is of an item of another type")),
        }
    }

    /// A page that a text leans on.
    fn cited(
        &mut self,
        at: usize,
        part: u64,
        annotation: Option<&RawValue>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        let is_first = part == 0 && self.is_first_message(at);
        let Some(item) = self.items.get_mut(at) else { return Ok(()) };
        item.cited = true;
        let citation = annotation.and_then(|one| citation::of_openai(one, &ANNOTATIONS, sink.losses));
        let Some(mut citation) = citation else { return Ok(()) };
        citation.range = citation.range.filter(|_| is_first);
        sink.emit(Event::Citation(citation))
    }

    fn is_first_message(&self, at: usize) -> bool {
        let first = self.items.iter().position(|item| matches!(item.kind, Kind::Message { .. }));
        first == Some(at)
    }

    /// A piece of reasoning, or of its summary: what is told first is taken.
    fn thinking(
        &mut self,
        at: usize,
        part: u64,
        text: Option<Text<'_>>,
        is_content: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        let Some(text) = text else { return Ok(()) };
        match self.items.get_mut(at).map(|item| &mut item.kind) {
            Some(Kind::Reasoning { told, content }) => {
                if *content.get_or_insert(is_content) != is_content {
                    sink.losses.add("output[].content");
                    return Ok(());
                }
                if *told > 0 && part >= *told {
                    sink.emit(Event::Thinking(Text::plain(read::BETWEEN_PARTS)))?;
                }
                *told = (*told).max(part.saturating_add(1));
                sink.emit(Event::Thinking(text))
            }
            Some(Kind::Silent) => Ok(()),
            _ => Err(Malformed::new("reasoning is of an item of another type")),
        }
    }

    fn input(
        &mut self,
        index: u64,
        text: Option<Text<'_>>,
        piece: bool,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        let known = self.items.iter_mut().rfind(|known| known.index == index);
        match known.map(|item| &mut item.kind) {
            Some(Kind::Call { call, told }) => match text {
                Some(text) if piece || !*told => {
                    *told = true;
                    sink.emit(Event::ToolInput { call: *call, piece: text })
                }
                _ => Ok(()),
            },
            Some(Kind::Silent) => Ok(()),
            _ => Err(Malformed::new("arguments are of a tool call that did not begin")),
        }
    }

    /// Takes of a whole item what was not told before.
    fn done(&mut self, at: usize, item: &wire::Item<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let is_first = self.is_first_message(at);
        let Some(known) = self.items.get_mut(at) else { return Ok(()) };
        if std::mem::replace(&mut known.done, true) {
            return Ok(());
        }
        item_losses(item, sink.losses);
        match known.kind {
            Kind::Message { .. } => {
                let was_cited = known.cited;
                let parts = said(&At::ROOT.member("item"), item.content, sink.losses)?;
                for (part, said) in (0..).zip(parts) {
                    let (late, annotations) = (said.logprobs, said.annotations.filter(|_| !was_cited));
                    self.text(at, part, Some(said).filter(|said| !said.text.is_empty()), false, sink)?;
                    // Where the pieces came without them, the text has gone by.
                    let late = !self.likely && late.is_some_and(says_something);
                    sink.losses.add_if(late, "output[].content[].logprobs");
                    for citation in cited(annotations, is_first && part == 0, sink.losses) {
                        sink.emit(Event::Citation(citation))?;
                    }
                }
                Ok(())
            }
            Kind::Call { call, told } => {
                known.kind = Kind::Call { call, told: true };
                if told {
                    return Ok(());
                }
                // A tool without arguments may stream none; here it has an empty object.
                let whole = some_text(item.arguments)?;
                sink.emit(Event::ToolInput { call, piece: whole.unwrap_or(Text::plain("{}")) })
            }
            Kind::Reasoning { .. } => {
                self.reasoned(at, item, sink)?;
                signature(item).map_or(Ok(()), |signature| sink.emit(Event::Signature(signature)))
            }
            Kind::Silent => Ok(()),
        }
    }

    /// The parts of an item of reasoning that were not told.
    fn reasoned(&mut self, at: usize, item: &wire::Item<'_>, sink: &mut Sink<'_>) -> Result<(), Malformed> {
        let place = At::ROOT.member("item");
        let Some(Item { kind: Kind::Reasoning { told, content }, .. }) = self.items.get(at) else {
            return Ok(());
        };
        let (told, content) = (*told, *content);
        let summary = read::texts(&place.member("summary"), item.summary)?;
        let whole = read::texts(&place.member("content"), item.content)?;
        sink.losses.add_if(!summary.is_empty() && !whole.is_empty(), "output[].content");
        let is_content = content.unwrap_or(summary.is_empty());
        let texts = if is_content { whole } else { summary };
        for (part, text) in (0..).zip(texts).filter(|(part, _)| *part >= told) {
            self.thinking(at, part, Some(text), is_content, sink)?;
        }
        Ok(())
    }

    /// The last event, which tells the whole response once more.
    fn end(
        &mut self,
        kind: &str,
        response: Option<wire::Response<'_>>,
        sink: &mut Sink<'_>,
    ) -> Result<(), Malformed> {
        let mut response = response.unwrap_or_default();
        self.start(Some(&response), sink)?;
        sink.losses.unknown("", &response.rest, HARMLESS);
        for item in response.output.take().unwrap_or_default() {
            if let Some(at) = self.matching(&item, sink)? {
                self.done(at, &item, sink)?;
            }
        }
        for at in 0..self.items.len() {
            // What no event told as a whole ends here.
            self.done(at, &wire::Item::default(), sink)?;
        }
        if kind == "response.incomplete" {
            response.status = Some(Text::plain("incomplete"));
        }
        let stop = stop(&response, self.calls > 0, self.refused, sink.losses)?;
        sink.emit(Event::Stop(stop))?;
        if let Some(told) = response.usage {
            sink.emit(Event::Usage(usage(told)))?;
        }
        sink.emit(Event::End)
    }

    /// The item of the stream that this one of the whole response is: places are not counted alike everywhere,
    /// so that it is the next one of its kind. Begun where the stream told none; none where it is named as lost.
    fn matching(&mut self, item: &wire::Item<'_>, sink: &mut Sink<'_>) -> Result<Option<usize>, Malformed> {
        let kind = match item.kind.as_ref().map_or("", Text::raw) {
            "message" => Kind::Message { told: 0 },
            "reasoning" => Kind::Reasoning { told: 0, content: None },
            "function_call" => Kind::Call { call: 0, told: false },
            other => {
                sink.losses.named("output[].", other);
                return Ok(None);
            }
        };
        let at = match self.items.iter().position(|known| !known.matched && known.kind.is_like(&kind)) {
            Some(at) => at,
            None => self.added(u64::MAX, item, sink)?,
        };
        if let Some(known) = self.items.get_mut(at) {
            known.matched = true;
        }
        Ok(Some(at))
    }
}
