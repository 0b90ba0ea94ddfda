//! Requests, replies and streams of one dialect in the words of another.
//!
//! Both ways go through the canonical form of `message`: the reader of one dialect, the writer of the
//! other. Invariants: the same input gives the same bytes, so that a provider's prompt cache is found again; of
//! what cannot be carried over everything is named in [`Losses`] or refused; a stream is ended only where the
//! upstream ended it.
//!
//! ```
//! use llm_edge_core::dialect::{ChatFields, ChatMembers, Dialect, Platform};
//! use llm_edge_core::translate::{Options, between};
//!
//! let pair = between(Dialect::OpenaiChat, Dialect::AnthropicMessages).expect("both have codecs");
//! let body = br#"{"model":"claude","messages":[{"role":"user","content":"Hi"}],"seed":7}"#;
//! let options =
//!     Options { request_id: "req_1", created_s: 0, max_tokens_default: 4096, chat_fields: ChatFields::Openai, chat_members: ChatMembers::ALL, replays_reasoning: None, tool_id_length: None, platform: Platform::Own, cache_breakpoints: false, stream: None, json_array: false };
//! let mut upstream = Vec::new();
//! let translated = pair.request(body, "claude-x", &options, &mut upstream).expect("it can be carried over");
//! assert_eq!(translated.losses.to_string(), "seed");
//! assert!(upstream.starts_with(br#"{"model":"claude-x","max_tokens":4096,"#));
//! ```

use std::borrow::Cow;
use std::fmt::{self, Debug, Formatter};

use crate::dialect::count::{self, CountClient, CountUpstream};
use crate::dialect::{
    ChatFields, ChatMembers, Client, Dialect, Platform, ReplayedReasoning, Upstream, codec,
};
use crate::event_stream::EventStream;
use crate::message::{
    CallIds, Carries, Event, Fault, Framed, MessageReader, Repeat, Request, Sink, StreamReader, StreamWriter,
    Target, Thoughts, name_calls, seed,
};
use crate::ndjson::{Line, LineScanner};
use crate::sse::SseScanner;
use crate::tap::{Outcome, Usage};

pub use crate::message::{Losses, Malformed, Untranslatable};

/// What the gateway adds to a request.
#[derive(Clone, Copy, Debug)]
pub struct Options<'a> {
    /// The request's id, for replies and calls of tools to which the upstream gives none.
    pub request_id: &'a str,
    /// Now, in seconds since 1970, for dialects whose replies tell it.
    pub created_s: u64,
    /// The bound on generated tokens where the client sets none and the upstream's dialect insists on one.
    pub max_tokens_default: u64,
    /// Which members the upstream's chat requests may have.
    pub chat_fields: ChatFields,
    /// What of them the upstream calls otherwise, or does not know.
    pub chat_members: &'a ChatMembers,
    /// Where the upstream's chat takes the reasoning of earlier turns back; `None`: nowhere.
    pub replays_reasoning: Option<ReplayedReasoning>,
    /// Of how many letters and digits ids of tool calls must be there, where it insists.
    pub tool_id_length: Option<u8>,
    /// Where the upstream's API is served.
    pub platform: Platform,
    /// Whether to mark tools, system prompt and settled turns for the provider's prompt cache, where the
    /// client marks nothing.
    pub cache_breakpoints: bool,
    /// Whether the reply shall be a stream, where something else than the body says so.
    pub stream: Option<bool>,
    /// Whether a stream shall come as one JSON array of what its events would hold, for dialects that have it so.
    pub json_array: bool,
}

/// What the translation of a reply needs of its request.
#[derive(Clone, Debug)]
pub struct Context {
    /// The model as the client called it, for replies that do not name theirs.
    pub model: String,
    /// Whether the client wants the usage of a stream.
    pub include_usage: bool,
    /// Whether the client wants to see reasoning, for dialects that let it say so.
    pub include_thoughts: bool,
    /// Whether the client wants a stream as one JSON array, for dialects that have it so.
    pub json_array: bool,
    /// When the request came, in seconds since 1970.
    pub created_s: u64,
    /// What ids are made of that the upstream does not give: letters and digits, in every request others.
    pub reply_seed: String,
    /// What the reply repeats of the request, for dialects whose replies do: members in JSON.
    pub settings: Vec<u8>,
}

/// A request in the upstream's dialect was written.
#[derive(Debug)]
pub struct Translated {
    /// What of it could not be carried over.
    pub losses: Losses,
    /// For its reply.
    pub context: Context,
    /// Whether the reply will be a stream.
    pub stream: bool,
}

/// A whole reply in the surface's dialect was written.
#[derive(Debug)]
pub struct Replied {
    /// What of it could not be carried over.
    pub losses: Losses,
    /// What it says of its tokens.
    pub usage: Usage,
}

/// Two dialects between which can be translated.
#[derive(Clone, Copy)]
pub struct Pair {
    surface: &'static Client,
    target: &'static Upstream,
    /// Where tokens are counted instead of generated.
    count: Option<(&'static CountClient, &'static CountUpstream)>,
}

/// Whether requests of `surface` can be sent to an upstream that speaks `target`: `None` where clients do not
/// speak the one or upstreams the other in chat-like generation, and where they are the same and nothing is to
/// be translated.
pub fn between(surface: Dialect, target: Dialect) -> Option<Pair> {
    if surface == target {
        return None;
    }
    let (surface, target) = (codec(surface)?.client.as_ref()?, codec(target)?.upstream.as_ref()?);
    Some(Pair { surface, target, count: None })
}

/// The same for the question how many tokens a request has.
pub fn between_counts(surface: Dialect, target: Dialect) -> Option<Pair> {
    let count = (count::client(surface)?, count::upstream(target)?);
    Some(Pair { count: Some(count), ..between(surface, target)? })
}

impl Pair {
    /// Appends the upstream's request body for the client's `body`, asking for `model`.
    ///
    /// # Errors
    /// [`Untranslatable`] with the path of what is at fault; nothing is appended then.
    pub fn request(
        self,
        body: &[u8],
        model: &str,
        options: &Options<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Translated, Untranslatable> {
        let start = out.len();
        let translated = self.written(body, model, options, out);
        if translated.is_err() {
            out.truncate(start);
        }
        translated
    }

    fn written(
        self,
        body: &[u8],
        model: &str,
        options: &Options<'_>,
        out: &mut Vec<u8>,
    ) -> Result<Translated, Untranslatable> {
        let body = std::str::from_utf8(body).map_err(|error| Untranslatable {
            path: String::new(),
            message: format!("the body is not UTF-8 at byte {}", error.valid_up_to()),
        })?;
        let mut losses = Losses::default();
        let mut request = match self.count {
            None => (self.surface.read_request)(body, &mut losses)?,
            Some((client, _)) => client.read(body, &mut losses)?,
        };
        request.stream = options.stream.unwrap_or(request.stream);
        if let Some(length) = options.tool_id_length {
            request.fit_tool_ids(length);
        }
        let target = Target {
            model,
            max_tokens_default: options.max_tokens_default,
            chat_fields: options.chat_fields,
            chat_members: options.chat_members,
            replays_reasoning: options.replays_reasoning,
            platform: options.platform,
            cache_breakpoints: options.cache_breakpoints && self.count.is_none(),
            counts: self.count.is_some(),
        };
        let mut unwritten = Losses::default();
        if !self.target.takes_shared || options.chat_fields != ChatFields::Openai || self.count.is_some() {
            self.leave_out_shared(&mut request, &mut unwritten);
        }
        // Little is added, but for escapes.
        out.reserve(body.len() + body.len() / 8);
        let written = match self.count {
            None => (self.target.write_request)(&request, &target, &mut unwritten, out),
            Some((_, upstream)) => upstream.write(&request, &target, &mut unwritten, out),
        };
        written.map_err(|fault| in_words(fault, self.surface.words))?;
        let mut named = Losses::default();
        named.append(unwritten, request.words);
        losses.append(named, self.surface.words);
        let asked = request.model.and_then(|name| name.decode().map(Cow::into_owned));
        let context = Context {
            model: asked.unwrap_or_else(|| model.to_owned()),
            include_usage: request.include_usage,
            include_thoughts: request.thoughts == Some(Thoughts::Told),
            json_array: options.json_array,
            created_s: options.created_s,
            reply_seed: seed(options, body),
            settings: request.settings,
        };
        Ok(Translated { losses, context, stream: request.stream })
    }

    fn leave_out_shared(self, request: &mut Request<'_>, losses: &mut Losses) {
        for (name, value) in request.shared.drain(..) {
            // What is counted does not hang on them, and of these words one says what is so by default.
            losses.add_if(self.count.is_none() && (name, value) != ("verbosity", "\"medium\""), name);
        }
        let blocks = request.turns.iter_mut().flat_map(|turn| &mut turn.blocks).chain(&mut request.system);
        for block in blocks {
            block.leave_out_detail(losses);
            block.leave_out_refusal(losses);
        }
    }

    /// Appends a whole reply (status 2xx) in the surface's dialect.
    ///
    /// # Errors
    /// [`Malformed`] where the upstream's is not what its dialect says; nothing is appended then.
    pub fn reply(self, context: &Context, body: &[u8], out: &mut Vec<u8>) -> Result<Replied, Malformed> {
        let body = std::str::from_utf8(body).map_err(|_| Malformed::new("the reply is not UTF-8"))?;
        let mut losses = Losses::default();
        if let Some((client, upstream)) = self.count {
            client.reply(upstream.tokens(body)?, out);
            return Ok(Replied { losses, usage: Usage::default() });
        }
        let mut reply = (self.target.read_reply)(body, self.surface.carries, &mut losses)?;
        name_calls(&mut reply, &context.reply_seed);
        out.reserve(body.len() + body.len() / 8);
        (self.surface.write_reply)(&reply, context, &mut losses, out);
        Ok(Replied { losses, usage: reply.usage.reported() })
    }

    /// Appends an error body (status 400 and up) in the surface's shape, with what the upstream said.
    pub fn error(self, status: u16, body: &[u8], request_id: &str, out: &mut Vec<u8>) {
        (self.surface.write_error)(&Fault::of_body(body), Some(status), request_id, out);
    }

    /// A translator for one streamed reply.
    pub fn stream(self, context: Context) -> StreamTranslator {
        let seed = context.reply_seed.clone();
        self.translator((self.surface.stream_writer)(context), seed)
    }

    /// One that says nothing in the surface's dialect, and knows what happened in the stream.
    pub fn watcher(self) -> StreamTranslator {
        self.translator(Box::new(Silent), String::new())
    }

    fn translator(self, writer: Box<dyn StreamWriter + Send>, seed: String) -> StreamTranslator {
        StreamTranslator {
            source: match (self.target.stream_reader)() {
                Framed::Sse(reader) => {
                    Source::Sse { scanner: SseScanner::new(), reader, repeat: Repeat::default() }
                }
                Framed::EventStream(reader) => Source::EventStream { decoder: EventStream::new(), reader },
                Framed::Lines(reader) => Source::Lines { scanner: LineScanner::new(), reader },
            },
            writer,
            ids: CallIds::new(seed),
            carries: self.surface.carries,
            losses: Losses::default(),
            seen: Outcome::default(),
            malformed: None,
        }
    }

    /// Whether clients of the surface pass over a comment in a stream of events.
    pub fn reads_comments(self) -> bool {
        self.surface.reads_comments
    }

    /// The media type of the target's streams, without parameters.
    pub fn stream_media_type(self) -> &'static str {
        self.target.stream_media_type
    }
}

/// The fault with its path as the client calls the member it is in; of a member called otherwise, more than its name
/// is not known.
pub(crate) fn in_words(fault: Untranslatable, words: &[(&str, &str)]) -> Untranslatable {
    let end = fault.path.find(['.', '[']).unwrap_or(fault.path.len());
    let member = fault.path.get(..end).unwrap_or_default();
    match words.iter().find(|(of, _)| *of == member) {
        Some((_, word)) => Untranslatable { path: (*word).to_owned(), ..fault },
        None => fault,
    }
}

impl Debug for Pair {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}

/// Translates one streamed reply as it passes. What it appends depends on the bytes of the stream only, not on
/// how they were cut; it keeps one event, and what the surface's dialect makes it hold back.
pub struct StreamTranslator {
    source: Source,
    writer: Box<dyn StreamWriter + Send>,
    /// Of what ids of calls are made that have none.
    ids: CallIds<'static>,
    /// What the surface's dialect has a place for.
    carries: Carries,
    losses: Losses,
    seen: Outcome,
    malformed: Option<Malformed>,
}

/// The upstream's stream, by how its events are framed.
enum Source {
    Sse { scanner: SseScanner, reader: Box<dyn StreamReader + Send>, repeat: Repeat },
    EventStream { decoder: EventStream, reader: Box<dyn MessageReader + Send> },
    Lines { scanner: LineScanner, reader: Box<dyn StreamReader + Send> },
}

/// Writes nothing.
struct Silent;

impl StreamWriter for Silent {
    fn write(&mut self, _event: Event<'_>, _out: &mut Vec<u8>) -> Result<(), Malformed> {
        Ok(())
    }
}

/// Whether the upstream has ended the stream, well or not, so that nothing counts any more.
const fn is_over(seen: &Outcome) -> bool {
    seen.terminal || seen.error_event
}

/// Goes on with what one more event means, unless nothing counts any more.
#[inline]
fn step(
    malformed: &mut Option<Malformed>,
    mut sink: Sink<'_>,
    read: impl FnOnce(&mut Sink<'_>) -> Result<(), Malformed>,
) {
    if malformed.is_none() && !is_over(sink.seen) {
        *malformed = read(&mut sink).err();
    }
}

impl StreamTranslator {
    /// Takes the next bytes of the upstream's stream and appends what they mean in the surface's dialect.
    ///
    /// # Errors
    /// [`Malformed`] where the stream is not what its dialect says, now and from then on; what was appended
    /// before is whole events.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
        let Self { source, writer, ids, carries, losses, seen, malformed } = self;
        match source {
            Source::Sse { scanner, reader, repeat } => scanner.push(bytes, |event| {
                let sink = Sink::new(writer.as_mut(), *carries, losses, out, seen, ids);
                step(malformed, sink, |sink| translate(&event, reader.as_mut(), repeat, sink));
            }),
            Source::EventStream { decoder, reader } => {
                let pushed = decoder.push(bytes, |message| {
                    let sink = Sink::new(writer.as_mut(), *carries, losses, out, seen, ids);
                    step(malformed, sink, |sink| reader.read(&message, sink));
                });
                if let Err(fault) = pushed
                    && malformed.is_none()
                    && !is_over(seen)
                {
                    *malformed = Some(Malformed::new(format!("the stream is broken: {fault}")));
                }
            }
            Source::Lines { scanner, reader } => scanner.push(bytes, |line| {
                let sink = Sink::new(writer.as_mut(), *carries, losses, out, seen, ids);
                step(malformed, sink, |sink| read_line(&line, reader.as_mut(), sink));
            }),
        }
        malformed.clone().map_or(Ok(()), Err)
    }

    /// The upstream's stream is over.
    ///
    /// # Errors
    /// [`Malformed`] where neither its dialect's last event nor an error came; no end is appended then.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self.source {
            // Some servers leave out the empty line behind their last event; half an event cannot be read.
            Source::Sse { .. } => self.push(b"\n\n", out)?,
            Source::EventStream { .. } => {}
            // The same of the last line's end.
            Source::Lines { .. } => self.push(b"\n", out)?,
        }
        let Self { source, writer, ids, carries, losses, seen, malformed } = self;
        if let Source::Sse { reader, .. } = source {
            let sink = Sink::new(writer.as_mut(), *carries, losses, out, seen, ids);
            step(malformed, sink, |sink| reader.finish(sink));
        }
        match &self.malformed {
            Some(malformed) => Err(malformed.clone()),
            None if self.has_ended() => Ok(()),
            None => Err(Malformed::new("the stream ended before its last event")),
        }
    }

    /// Whether the upstream's last event, or an error, has come. A dialect without a last event ends with
    /// [`Self::finish`] only.
    pub fn has_ended(&self) -> bool {
        self.malformed.is_none() && is_over(&self.seen)
    }

    /// What has happened in the stream so far, for those who cannot read its framing; its events are not counted.
    pub fn outcome(&self) -> Outcome {
        self.seen
    }

    /// The number that the next event in the surface's dialect would have, where it numbers them.
    pub fn sequence_number(&self) -> Option<u64> {
        self.writer.sequence_number()
    }

    /// What of the reply could not be carried over so far.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }
}

impl Debug for StreamTranslator {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamTranslator").field("losses", &self.losses).finish_non_exhaustive()
    }
}

fn translate(
    event: &crate::sse::Event<'_>,
    reader: &mut dyn StreamReader,
    repeat: &mut Repeat,
    sink: &mut Sink<'_>,
) -> Result<(), Malformed> {
    let data = text(event.data, event.oversize)?;
    if data.is_empty() {
        return Ok(());
    }
    if let Some((piece, text)) = repeat.piece(data) {
        return sink.emit(piece.event(text));
    }
    reader.read(data, sink)?;
    repeat.learn(data, sink.told);
    Ok(())
}

fn read_line(line: &Line<'_>, reader: &mut dyn StreamReader, sink: &mut Sink<'_>) -> Result<(), Malformed> {
    reader.read(text(line.data, line.oversize)?, sink)
}

/// The data of one event.
fn text(data: &[u8], oversize: bool) -> Result<&str, Malformed> {
    if oversize {
        return Err(Malformed::new("an event of the stream is too long"));
    }
    std::str::from_utf8(data).map_err(|_| Malformed::new("an event of the stream is not UTF-8"))
}
