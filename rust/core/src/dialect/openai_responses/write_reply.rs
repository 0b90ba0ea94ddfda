//! The canonical form → replies of the dialect, whole, streamed and failed.
//!
//! The dialect tells everything again when it is done: a stream ends with the whole response. So the answer is
//! kept, at most [`KEPT_BYTES_MAX`] of it. Ids of items are made of the reply's and of their place in it.
//! What a response repeats of its request comes with the [`Context`]. Source: `OpenAI` API reference, "The response object", "Streaming events", and
//! the types of its SDK (3.57), which tell what must be there.

use super::wire::{OWN_REASONING, REDACTED, SIGNATURE};
use crate::dialect::chat_form::text_part;
use crate::message::citation::openai_members;
use crate::message::json::Json;
use crate::message::logprobs::{Bytes, openai};
use crate::message::{
    Citation, Event, Fault, Logprob, Losses, Malformed, Part, Reply, Stop, StreamWriter, Text, Usage,
    reply_id, tool_input,
};
use crate::translate::Context;

/// Most bytes of an answer that are kept for its end.
const KEPT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// About how many bytes of how likely its tokens were are kept; further tokens are told without.
const LIKELY_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Pages that no text leans on.
const NO_TEXT: &str = "citations";

/// What an item counts for beside its text.
const ITEM_BYTES: usize = 256;

/// Writes a whole reply.
pub(super) fn reply(reply: &Reply<'_>, context: &Context, losses: &mut Losses, out: &mut Vec<u8>) {
    let head = Head::new(reply.id.as_ref(), reply.model.as_ref(), reply.created, context);
    let mut items: Vec<Item> = Vec::with_capacity(reply.parts.len());
    // Pages that were told before the text that leans on them.
    let mut early = Vec::new();
    let mut likely = Likely::default();
    likely.add(&reply.logprobs);
    for part in &reply.parts {
        let (kind, text) = match part {
            Part::Text(text) => {
                // A stream does not tell where one text ends and the next begins.
                if let Some(Item { kind: Kind::Message, text: said, .. }) = items.last_mut() {
                    said.push_str(text.raw());
                    continue;
                }
                (Kind::Message, text.raw())
            }
            Part::Refusal(text) => (Kind::Refusal, text.raw()),
            Part::Thinking { text, signature } => {
                let encrypted = signature.as_ref().map(|signature| Encrypted::new(SIGNATURE, signature));
                (Kind::Reasoning(encrypted), text.raw())
            }
            Part::Redacted(data) => (Kind::Reasoning(Some(Encrypted::new(REDACTED, data))), ""),
            Part::ToolCall { id, name, input } => {
                let mut item = Item::new(&head, items.len(), Kind::call(id, name));
                item.text.push_str(Text::escape(input).raw());
                items.push(item);
                continue;
            }
            Part::Citation(citation) => {
                let told = annotation(citation);
                match items.iter_mut().rfind(|item| matches!(item.kind, Kind::Message)) {
                    Some(item) => item.cited.push(told),
                    None => early.push(told),
                }
                continue;
            }
            Part::Image(..) | Part::Document { .. } | Part::ToolResult { .. } => continue,
        };
        if !text.is_empty() || matches!(kind, Kind::Reasoning(Some(_))) {
            let mut item = Item::new(&head, items.len(), kind);
            item.text.push_str(text);
            if matches!(item.kind, Kind::Message) {
                item.cited.append(&mut early);
            }
            items.push(item);
        }
    }
    losses.add_if(!early.is_empty(), NO_TEXT);
    if let Some(item) = items.iter_mut().find(|item| matches!(item.kind, Kind::Message)) {
        item.likely = likely;
    }
    let state = State::Ended { stop: reply.stop, usage: &reply.usage, items: &items };
    head.response(&state, &context.settings, out);
}

/// What is the same in all that is told of one response.
struct Head {
    id: Text<'static>,
    model: Text<'static>,
    created: u64,
}

/// How far a response has come.
enum State<'s> {
    InProgress,
    Ended { stop: Stop, usage: &'s Usage, items: &'s [Item] },
    Failed(&'s Fault<'s>),
}

/// Why a response is not complete, if it is not.
const fn incomplete(stop: Stop) -> Option<&'static str> {
    match stop {
        Stop::End | Stop::Sequence | Stop::Tools | Stop::Refusal => None,
        Stop::Length => Some("max_output_tokens"),
        Stop::Filter => Some("content_filter"),
    }
}

impl Head {
    fn new(id: Option<&Text<'_>>, model: Option<&Text<'_>>, created: Option<u64>, context: &Context) -> Self {
        let owned = |text: &Text<'_>| text.clone().into_owned();
        Self {
            id: reply_id(id, "resp_", context),
            model: model.map_or_else(|| Text::escape(&context.model), owned),
            created: created.unwrap_or(context.created_s),
        }
    }

    /// Writes the response; `settings` are what it repeats of its request.
    fn response(&self, state: &State<'_>, settings: &[u8], out: &mut Vec<u8>) {
        let (status, reason) = match state {
            State::InProgress => ("in_progress", None),
            State::Failed(_) => ("failed", None),
            State::Ended { stop, .. } => match incomplete(*stop) {
                None => ("completed", None),
                reason => ("incomplete", reason),
            },
        };
        out.open(b'{');
        out.key("id").text(&self.id);
        out.key("object").raw("\"response\"");
        out.key("created_at").number(self.created);
        out.key("status").string(status);
        match state {
            State::Failed(fault) => failure(fault, out.key("error")),
            State::InProgress | State::Ended { .. } => out.key("error").raw("null"),
        }
        out.key("incomplete_details");
        match reason {
            None => out.raw("null"),
            Some(reason) => {
                out.open(b'{');
                out.key("reason").string(reason);
                out.close(b'}');
            }
        }
        out.key("model").text(&self.model);
        out.key("output").open(b'[');
        if let State::Ended { items, .. } = state {
            for (at, item) in items.iter().enumerate() {
                item.write(item_status(at, items.len(), reason), out);
            }
        }
        out.close(b']');
        if let State::Ended { usage, .. } = state {
            write_usage(usage, out.key("usage"));
        }
        if !settings.is_empty() {
            out.comma();
            out.extend_from_slice(settings);
        }
        out.close(b'}');
    }
}

/// What is cut off, is so in the last item.
const fn item_status(at: usize, items: usize, reason: Option<&str>) -> &'static str {
    if reason.is_some() && at + 1 == items { "incomplete" } else { "completed" }
}

/// A failure as responses tell it: with one of their words, which clients choose by whether to try again.
fn failure(fault: &Fault<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("code").raw(match fault.anthropic_kind(None) {
        "rate_limit_error" => "\"rate_limit_exceeded\"",
        "invalid_request_error" => "\"invalid_prompt\"",
        _ => "\"server_error\"",
    });
    out.key("message").text(&fault.message);
    out.close(b'}');
}

fn write_usage(usage: &Usage, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("input_tokens").number(usage.input);
    out.key("input_tokens_details").open(b'{');
    out.key("cached_tokens").number(usage.cache_read);
    out.key("cache_write_tokens").number(usage.cache_write);
    out.close(b'}');
    out.key("output_tokens").number(usage.output);
    out.key("output_tokens_details").open(b'{');
    out.key("reasoning_tokens").number(usage.reasoning);
    out.close(b'}');
    out.key("total_tokens").number(usage.input.saturating_add(usage.output));
    out.close(b'}');
}

/// An item of the output.
struct Item {
    id: Text<'static>,
    kind: Kind,
    /// Its text, summary or arguments so far, as it stands in a JSON string.
    text: String,
    likely: Likely,
    /// Pages that it leans on, each as an annotation.
    cited: Vec<Vec<u8>>,
    closed: bool,
}

/// How likely tokens were, as elements of an array.
#[derive(Default)]
struct Likely {
    /// As a part has them.
    whole: Vec<u8>,
    /// As events have them, without bytes.
    told: Vec<u8>,
}

impl Likely {
    fn add(&mut self, list: &[Logprob<'_>]) {
        openai(list, Bytes::Always, &mut self.whole);
        openai(list, Bytes::Never, &mut self.told);
    }

    fn append(&mut self, more: Self) {
        for (list, more) in [(&mut self.whole, more.whole), (&mut self.told, more.told)] {
            if list.is_empty() {
                *list = more;
            } else if !more.is_empty() {
                list.push(b',');
                list.extend_from_slice(&more);
            }
        }
    }

    fn bytes(&self) -> usize {
        self.whole.len().saturating_add(self.told.len())
    }
}

/// A page that a text leans on.
fn annotation(citation: &Citation<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    out.open(b'{');
    out.key("type").raw("\"url_citation\"");
    openai_members(citation, &mut out);
    out.close(b'}');
    out
}

/// The member that holds these tokens.
fn logprobs(list: &[u8], out: &mut Vec<u8>) {
    out.key("logprobs").open(b'[');
    out.extend_from_slice(list);
    out.close(b']');
}

enum Kind {
    Message,
    /// A message too, with a part that says no.
    Refusal,
    Reasoning(Option<Encrypted>),
    Call {
        id: Text<'static>,
        name: Text<'static>,
    },
}

impl Kind {
    fn call(id: &Text<'_>, name: &Text<'_>) -> Self {
        Self::Call { id: id.clone().into_owned(), name: name.clone().into_owned() }
    }
}

/// What the client sends back for the provider to go on from, and cannot read.
struct Encrypted {
    /// What it is.
    mark: &'static str,
    content: Text<'static>,
}

impl Encrypted {
    fn new(mark: &'static str, content: &Text<'_>) -> Self {
        Self { mark, content: content.clone().into_owned() }
    }
}

impl Item {
    fn new(head: &Head, at: usize, kind: Kind) -> Self {
        let prefix = match kind {
            Kind::Message | Kind::Refusal => "msg",
            Kind::Reasoning(_) => OWN_REASONING,
            Kind::Call { .. } => "fc",
        };
        let of = head.id.raw();
        let id = Text::escaped(format!("{prefix}_{}_{at}", of.strip_prefix("resp_").unwrap_or(of)));
        Self { id, kind, text: String::new(), likely: Likely::default(), cited: Vec::new(), closed: false }
    }

    fn text(&self) -> Text<'_> {
        Text::plain(&self.text)
    }

    /// The item as it is so far.
    fn write(&self, status: &str, out: &mut Vec<u8>) {
        out.open(b'{');
        out.key("id").text(&self.id);
        match &self.kind {
            Kind::Message | Kind::Refusal => {
                out.key("type").raw("\"message\"");
                out.key("status").string(status);
                out.key("role").raw("\"assistant\"");
                out.key("content");
                self.parts(out);
            }
            Kind::Reasoning(encrypted) => {
                out.key("type").raw("\"reasoning\"");
                out.key("summary");
                self.parts(out);
                if let Some(Encrypted { mark, content }) = encrypted {
                    out.key("encrypted_content").text(&Text::escaped(format!("{mark}{}", content.raw())));
                }
            }
            Kind::Call { id, name } => {
                out.key("type").raw("\"function_call\"");
                out.key("status").string(status);
                out.key("call_id").text(id);
                out.key("name").text(name);
                out.key("arguments").text(&self.text());
            }
        }
        out.close(b'}');
    }

    /// The one part it has, or none before there is text.
    fn parts(&self, out: &mut Vec<u8>) {
        out.open(b'[');
        if !self.text.is_empty() {
            self.part(&self.text(), &self.likely.whole, &self.cited, out);
        }
        out.close(b']');
    }

    fn part(&self, text: &Text<'_>, likely: &[u8], cited: &[Vec<u8>], out: &mut Vec<u8>) {
        if matches!(self.kind, Kind::Refusal) {
            return text_part("refusal", text, out);
        }
        out.open(b'{');
        if matches!(self.kind, Kind::Message) {
            out.key("type").raw("\"output_text\"");
            out.key("annotations").open(b'[');
            out.extend_from_slice(&cited.join(&b','));
            out.close(b']');
            logprobs(likely, out);
        } else {
            out.key("type").raw("\"summary_text\"");
        }
        out.key("text").text(text);
        out.close(b'}');
    }

    /// Writes where in the output something belongs.
    fn place(&self, at: usize, out: &mut Vec<u8>) {
        out.key("item_id").text(&self.id);
        out.key("output_index").number(at as u64);
        match self.kind {
            Kind::Message | Kind::Refusal => out.key("content_index").number(0),
            Kind::Reasoning(_) => out.key("summary_index").number(0),
            Kind::Call { .. } => {}
        }
    }

    /// The event of this name for items of this kind.
    const fn names(&self) -> &'static Names {
        match self.kind {
            Kind::Message => &Names {
                part_added: "response.content_part.added",
                delta: "response.output_text.delta",
                done: "response.output_text.done",
                whole: "text",
                part_done: "response.content_part.done",
            },
            Kind::Refusal => &Names {
                part_added: "response.content_part.added",
                delta: "response.refusal.delta",
                done: "response.refusal.done",
                whole: "refusal",
                part_done: "response.content_part.done",
            },
            Kind::Reasoning(_) => &Names {
                part_added: "response.reasoning_summary_part.added",
                delta: "response.reasoning_summary_text.delta",
                done: "response.reasoning_summary_text.done",
                whole: "text",
                part_done: "response.reasoning_summary_part.done",
            },
            Kind::Call { .. } => &Names {
                part_added: "",
                delta: "response.function_call_arguments.delta",
                done: "response.function_call_arguments.done",
                whole: "arguments",
                part_done: "",
            },
        }
    }
}

/// How the events of one kind of item are called; none of that name where it is empty.
struct Names {
    part_added: &'static str,
    delta: &'static str,
    done: &'static str,
    /// The member that holds the text when it is done.
    whole: &'static str,
    part_done: &'static str,
}

/// Writes a stream of events.
pub(super) struct Events {
    context: Context,
    head: Head,
    started: bool,
    sequence: Sequence,
    items: Vec<Item>,
    /// The item whose text goes on. Calls stay open beside it, since their pieces may come in any order.
    open: Option<usize>,
    /// The items that are calls.
    calls: Vec<usize>,
    kept_bytes: usize,
    /// Tokens of the text that comes next.
    likely: Likely,
    /// Of all tokens so far.
    likely_bytes: usize,
    /// Whether there were too many of them.
    likely_lost: bool,
    /// Pages that it leans on.
    cited: Vec<Vec<u8>>,
    stop: Stop,
    usage: Usage,
}

/// Numbers the events of a stream.
#[derive(Default)]
struct Sequence(u64);

impl Sequence {
    /// One event, whose data says its type once more.
    fn event(&mut self, kind: &str, out: &mut Vec<u8>, members: impl FnOnce(&mut Vec<u8>)) {
        for piece in ["event: ", kind, "\ndata: {\"type\":\"", kind, "\""] {
            out.extend_from_slice(piece.as_bytes());
        }
        out.key("sequence_number").number(self.0);
        self.0 += 1;
        members(out);
        out.extend_from_slice(b"}\n\n");
    }
}

impl Events {
    /// A stream of which nothing is written yet.
    pub(super) fn new(context: Context) -> Self {
        Self {
            head: Head::new(None, None, None, &context),
            context,
            started: false,
            sequence: Sequence::default(),
            items: Vec::new(),
            open: None,
            calls: Vec::new(),
            kept_bytes: 0,
            likely: Likely::default(),
            likely_bytes: 0,
            likely_lost: false,
            cited: Vec::new(),
            stop: Stop::End,
            usage: Usage::default(),
        }
    }

    fn keep(&mut self, bytes: usize) -> Result<(), Malformed> {
        self.kept_bytes = self.kept_bytes.saturating_add(bytes);
        if self.kept_bytes > KEPT_BYTES_MAX {
            return Err(Malformed::new("the answer is too long to be told once more at its end"));
        }
        Ok(())
    }

    /// What stands beside an answer costs none: of too many tokens the first ones are told.
    fn likely(&mut self, list: &[Logprob<'_>]) {
        if self.likely_bytes >= LIKELY_BYTES_MAX {
            self.likely_lost = true;
            return;
        }
        let before = self.likely.bytes();
        self.likely.add(list);
        self.likely_bytes += self.likely.bytes().saturating_sub(before);
    }

    fn begin(&mut self, kind: Kind, out: &mut Vec<u8>) -> Result<usize, Malformed> {
        self.close_open(out);
        self.keep(ITEM_BYTES)?;
        let at = self.items.len();
        let item = Item::new(&self.head, at, kind);
        self.sequence.event("response.output_item.added", out, |out| {
            out.key("output_index").number(at as u64);
            item.write("in_progress", out.key("item"));
        });
        self.items.push(item);
        Ok(at)
    }

    /// The item whose text goes on, if it is of such a kind, or a new one.
    fn turn_to(&mut self, kind: Kind, out: &mut Vec<u8>) -> Result<usize, Malformed> {
        let open = self.open.and_then(|at| Some((at, &self.items.get(at)?.kind)));
        match (open, &kind) {
            (Some((at, Kind::Message)), Kind::Message)
            | (Some((at, Kind::Refusal)), Kind::Refusal)
            | (Some((at, Kind::Reasoning(_))), Kind::Reasoning(_)) => Ok(at),
            _ => {
                let at = self.begin(kind, out)?;
                self.open = Some(at);
                Ok(at)
            }
        }
    }

    fn add(&mut self, at: usize, piece: &Text<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        self.keep(piece.raw().len())?;
        let Some(item) = self.items.get_mut(at) else { return Ok(()) };
        let names = item.names();
        if item.text.is_empty() && !names.part_added.is_empty() {
            self.sequence.event(names.part_added, out, |out| {
                item.place(at, out);
                item.part(&Text::default(), &[], &[], out.key("part"));
            });
        }
        self.sequence.event(names.delta, out, |out| {
            item.place(at, out);
            out.key("delta").text(piece);
            if matches!(item.kind, Kind::Message) {
                logprobs(&self.likely.told, out);
            }
        });
        item.text.push_str(piece.raw());
        if matches!(item.kind, Kind::Message) && !self.likely.whole.is_empty() {
            item.likely.append(std::mem::take(&mut self.likely));
        }
        if matches!(item.kind, Kind::Message) && !self.cited.is_empty() {
            self.tell_cited(at, out);
        }
        Ok(())
    }

    /// A page that the text under way leans on, or else the one that comes next.
    fn cite(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let told = annotation(citation);
        self.keep(told.len())?;
        self.cited.push(told);
        let is_text = |item: &Item| matches!(item.kind, Kind::Message) && !item.text.is_empty();
        if let Some(at) = self.open.filter(|at| self.items.get(*at).is_some_and(is_text)) {
            self.tell_cited(at, out);
        }
        Ok(())
    }

    /// Tells the pages that this item leans on.
    fn tell_cited(&mut self, at: usize, out: &mut Vec<u8>) {
        let Some(item) = self.items.get_mut(at) else { return };
        for told in self.cited.drain(..) {
            if !item.closed {
                self.sequence.event("response.output_text.annotation.added", out, |out| {
                    item.place(at, out);
                    out.key("annotation_index").number(item.cited.len() as u64);
                    out.key("annotation").extend_from_slice(&told);
                });
            }
            item.cited.push(told);
        }
    }

    fn close_open(&mut self, out: &mut Vec<u8>) {
        if let Some(at) = self.open.take() {
            self.close(at, "completed", out);
        }
    }

    fn close(&mut self, at: usize, status: &str, out: &mut Vec<u8>) {
        let Some(item) = self.items.get_mut(at).filter(|item| !item.closed) else { return };
        item.closed = true;
        let names = item.names();
        if !item.text.is_empty() {
            self.sequence.event(names.done, out, |out| {
                item.place(at, out);
                if let Kind::Call { name, .. } = &item.kind {
                    out.key("name").text(name);
                }
                out.key(names.whole).text(&item.text());
                if matches!(item.kind, Kind::Message) {
                    logprobs(&item.likely.told, out);
                }
            });
            if !names.part_done.is_empty() {
                self.sequence.event(names.part_done, out, |out| {
                    item.place(at, out);
                    item.part(&item.text(), &item.likely.whole, &item.cited, out.key("part"));
                });
            }
        }
        self.sequence.event("response.output_item.done", out, |out| {
            out.key("output_index").number(at as u64);
            item.write(status, out.key("item"));
        });
    }

    /// Reasoning ends with what makes it acceptable when it is sent back.
    fn encrypted(&mut self, at: usize, mark: &'static str, content: &Text<'_>) -> Result<(), Malformed> {
        self.keep(content.raw().len())?;
        if let Some(item) = self.items.get_mut(at) {
            item.kind = Kind::Reasoning(Some(Encrypted::new(mark, content)));
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        let reason = incomplete(self.stop);
        self.end_likely(out)?;
        if let Some(at) = self.items.iter().rposition(|item| matches!(item.kind, Kind::Message)) {
            self.tell_cited(at, out);
        }
        self.end_calls(out)?;
        for at in 0..self.items.len() {
            self.close(at, item_status(at, self.items.len(), reason), out);
        }
        let kind = if reason.is_some() { "response.incomplete" } else { "response.completed" };
        let state = State::Ended { stop: self.stop, usage: &self.usage, items: &self.items };
        let settings = &self.context.settings;
        self.sequence.event(kind, out, |out| self.head.response(&state, settings, out.key("response")));
        Ok(())
    }

    /// Tokens that no text followed belong to the last one.
    fn end_likely(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        if self.likely.whole.is_empty() {
            return Ok(());
        }
        let goes_on =
            |item: &Item| matches!(item.kind, Kind::Message) && !item.closed && !item.text.is_empty();
        match self.items.iter().rposition(goes_on) {
            Some(at) => self.add(at, &Text::default(), out),
            None => Ok(()),
        }
    }

    /// Every call must have had its say; one without arguments has an empty object.
    fn end_calls(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        for at in std::mem::take(&mut self.calls) {
            let Some(item) = self.items.get(at) else { continue };
            if item.text.is_empty() {
                self.add(at, &Text::plain("{}"), out)?;
            } else if self.stop != Stop::Length && tool_input(item.text()).is_none() {
                // One that was cut at the bound on tokens is as it should be.
                return Err(Malformed::new(
                    "the arguments of a tool call are not the JSON text of an object",
                ));
            }
        }
        Ok(())
    }

    /// `OpenAI`'s SDKs raise on any data with a member `error`, and other clients wait for `response.failed`: so
    /// both, in the order of the API.
    fn fail(&mut self, fault: &Fault<'_>, out: &mut Vec<u8>) {
        let param = |out: &mut Vec<u8>| match &fault.param {
            Some(param) => out.key("param").text(param),
            None => out.key("param").raw("null"),
        };
        self.sequence.event("error", out, |out| {
            out.key("code").text(&fault.code(None));
            out.key("message").text(&fault.message);
            param(out);
            out.key("error").open(b'{');
            out.key("type").text(fault.kind.as_ref().unwrap_or(&Text::plain("upstream_error")));
            out.key("code").text(&fault.code(None));
            out.key("message").text(&fault.message);
            param(out);
            out.close(b'}');
        });
        if self.started {
            let state = State::Failed(fault);
            let (head, settings) = (&self.head, &self.context.settings);
            self.sequence.event("response.failed", out, |out| {
                head.response(&state, settings, out.key("response"));
            });
        }
    }
}

impl StreamWriter for Events {
    fn write(&mut self, told: Event<'_>, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match told {
            Event::Start { id, model, created, usage } => {
                self.usage = usage;
                self.head = Head::new(id.as_ref(), model.as_ref(), created, &self.context);
                self.started = true;
                for kind in ["response.created", "response.in_progress"] {
                    let (head, settings) = (&self.head, &self.context.settings);
                    self.sequence.event(kind, out, |out| {
                        head.response(&State::InProgress, settings, out.key("response"));
                    });
                }
            }
            Event::Text(text) => {
                let at = self.turn_to(Kind::Message, out)?;
                self.add(at, &text, out)?;
            }
            Event::Refusal(text) => {
                let at = self.turn_to(Kind::Refusal, out)?;
                self.add(at, &text, out)?;
            }
            Event::Thinking(text) => {
                let at = self.turn_to(Kind::Reasoning(None), out)?;
                self.add(at, &text, out)?;
            }
            Event::Signature(signature) => {
                let at = self.turn_to(Kind::Reasoning(None), out)?;
                self.encrypted(at, SIGNATURE, &signature)?;
                self.close_open(out);
            }
            Event::Redacted(data) => {
                let at = self.begin(Kind::Reasoning(None), out)?;
                self.encrypted(at, REDACTED, &data)?;
                self.close(at, "completed", out);
            }
            Event::ToolCall { id, name, .. } => {
                let at = self.begin(Kind::call(&id, &name), out)?;
                self.calls.push(at);
            }
            Event::ToolInput { call, piece } => {
                let Some(at) = self.calls.get(call).copied() else {
                    return Err(Malformed::new("input is of a tool call that did not begin"));
                };
                self.add(at, &piece, out)?;
            }
            Event::Citation(citation) => self.cite(&citation, out)?,
            Event::Logprobs(list) => self.likely(&list),
            // Nobody hands them over: the dialect has no place for them.
            Event::Choice(_) | Event::StopSequence(_) => {}
            Event::Stop(stop) => self.stop = stop,
            Event::Usage(usage) => self.usage = usage,
            Event::End => self.end(out)?,
            Event::Error(fault) => self.fail(&fault, out),
        }
        Ok(())
    }

    fn name_losses(&self, losses: &mut Losses) {
        losses.add_if(!self.cited.is_empty(), NO_TEXT);
        losses.add_if(self.likely_lost, "logprobs");
    }

    fn sequence_number(&self) -> Option<u64> {
        Some(self.sequence.0)
    }
}
