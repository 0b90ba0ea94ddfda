//! The upstream's body on its way through: found, tapped, never changed.
//!
//! Invariant: concatenating the payload of all runs gives the upstream's payload, byte for byte. Whole
//! chunks keep the framing they came in and cost nothing; only a chunk that a read cut in two is framed
//! anew, so that the client's stream is at a chunk border after every write and an error event can always
//! be put behind it.

use std::rc::Rc;
use std::time::Duration;

use llm_edge_core::http1::{Chunked, Http1Error, Known, ResponseFraming, Step};
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::routing::Keepsakes;
use llm_edge_core::sse;
use llm_edge_core::surface::Dialect;
use llm_edge_core::surface::Operation;
use llm_edge_core::tap::{Outcome, Payload, Tap};

use super::holdback::{EventSize, Holdback};
use super::inflate::{self, Watch};
use super::translate::{self, Translator};
use crate::backends::cache::memory::Stored;
use crate::backends::owners::Owner;
use crate::backends::upstream::{Connection, End, Origin};
use crate::deadlines::Lapse;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::Place;
use crate::stamp::Stamp;
use crate::stations::cache::Keep;
use crate::stations::send::Begun;
use crate::telemetry::bank::INTER_CHUNK_US;

/// Runs handed out at one time; more in a buffer are handed out at the next.
pub(crate) const RUNS_MAX: usize = 8;

/// A piece of the relay's buffer that goes to the client.
#[derive(Clone, Copy, Default)]
pub(crate) struct Run {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) kind: RunKind,
}

/// What a run consists of.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) enum RunKind {
    /// Payload.
    #[default]
    Payload,
    /// Whole chunks, framing included.
    Chunks,
}

/// How the client's side is framed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Framing {
    /// So many bytes.
    Length(u64),
    /// HTTP/1.1 chunks: whole ones pass as they are.
    Chunked,
    /// The door frames by itself, or the connection's end says it.
    Payload,
}

impl Framing {
    /// The length, where it is announced.
    pub(crate) fn length(self) -> Option<u64> {
        match self {
            Self::Length(n) => Some(n),
            Self::Chunked | Self::Payload => None,
        }
    }
}

/// What an advance yielded.
pub(crate) enum Progress {
    /// Runs to write (possibly none); more follows.
    More,
    /// Runs to write; the body is complete.
    Whole,
    /// Runs to write; the body broke off and the client must be told.
    Broken(Rejection),
}

const STOPPED_SENDING: &str = "the upstream stopped sending its reply (`deadlines.progress_ms`)";

enum Decoder {
    /// Bytes still to come.
    Length(u64),
    Chunked(Chunked),
    UntilClose,
    /// What came is whole when the connection says so, not when a length is reached; the length is what the
    /// upstream announced.
    UntilEnd(Option<u64>),
}

/// A position in an event stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Position {
    BetweenEvents,
    InsideEvent,
}

/// What only the upstream's account will understand: who goes on with it must come back there.
struct Given {
    keepsakes: Keepsakes,
    found: Vec<u64>,
    owner: Owner,
}

impl Given {
    fn by(owner: Owner) -> Self {
        Self { keepsakes: Keepsakes::default(), found: Vec::new(), owner }
    }

    #[cold]
    fn look(&mut self, payload: &[u8]) {
        self.keepsakes.push(payload, |keepsake| self.found.push(keepsake));
    }

    /// Before the client has it.
    #[cold]
    fn remember(&mut self, x: &Exchange) {
        for keepsake in self.found.drain(..) {
            x.worker.shared.owners.gave(keepsake, self.owner);
        }
    }
}

/// See the module.
pub(crate) struct Relay {
    connection: Box<Connection>,
    origin: Rc<Origin>,
    decoder: Decoder,
    /// First byte of the buffer that was not looked at.
    at: usize,
    runs: [Run; RUNS_MAX],
    run_count: usize,
    /// Hand out whole chunks with their framing.
    keep_chunks: bool,
    tap: Watch,
    /// Puts an event stream into the client's dialect.
    translator: Option<Box<Translator>>,
    /// Looks for what only the upstream's account will understand.
    keepsakes: Option<Box<Given>>,
    payload: Payload,
    /// The payload is compressed.
    coded: bool,
    /// Keeps back an event that has not come whole.
    holdback: Holdback,
    /// Where the bytes so far end.
    position: Position,
    event_size: EventSize,
    /// The body as far as it has come, where the reply is to be kept.
    gathered: Option<Vec<u8>>,
    keep: Option<(Keep, Vec<u8>)>,
    status: u16,
    progress_ms: u32,
    latest_ms: u64,
    /// When bytes of an event stream came last.
    piece: Option<Stamp>,
    complete: bool,
}

impl Relay {
    pub(super) fn new(begun: Begun, keep: Option<(Keep, Vec<u8>)>) -> Box<Self> {
        let is_stream = begun.translation.is_some() && begun.is_event_stream();
        let Begun {
            connection,
            origin,
            dialect,
            translation,
            progress_ms,
            latest_ms,
            usage_asked,
            has_word,
            owner,
            ..
        } = begun;
        let head = &connection.head;
        let decoder = match connection.end() {
            End::Declared(length) => Decoder::UntilEnd(length),
            End::Framed(ResponseFraming::None) => Decoder::Length(0),
            End::Framed(ResponseFraming::Length(n)) => Decoder::Length(n),
            End::Framed(ResponseFraming::Chunked) => Decoder::Chunked(Chunked::new()),
            End::Framed(ResponseFraming::UntilClose) => Decoder::UntilClose,
        };
        let coding = coding(&connection);
        // What the client gets is an event stream, whatever form the upstream's has.
        let is_foreign = is_stream && !connection.is_plain(sse::MEDIA_TYPE);
        let payload = match dialect {
            _ if is_foreign => Payload::Sse,
            Some(_) => payload_kind(&connection, coding),
            // Of what is not read it is not known how it ends.
            None => Payload::Opaque,
        };
        let status = head.status;
        let at = head.len;
        let came_with_head = at < connection.buffer.len();
        let coded = coding.is_some();
        let tap = if is_foreign {
            Watch::Told(Outcome::default())
        } else {
            watch(payload, dialect, coding, has_word)
        };
        // Only what is complete and successful is kept, and only what we can tell to be complete.
        let keep = keep.filter(|_| status == 200 && payload != Payload::Opaque);
        // Made where it stays: it is too large to be moved there.
        Box::write(
            Box::new_uninit(),
            Self {
                gathered: keep.is_some().then(Vec::new),
                keep,
                connection,
                origin,
                decoder,
                at,
                runs: [Run::default(); RUNS_MAX],
                run_count: 0,
                keep_chunks: false,
                tap,
                keepsakes: owner.map(|owner| Box::new(Given::by(*owner))),
                translator: translation.and_then(|t| Translator::new(*t)).map(Box::new),
                payload,
                coded,
                holdback: Holdback::new(payload == Payload::Sse && !coded, usage_asked),
                position: Position::BetweenEvents,
                event_size: EventSize::default(),
                status,
                progress_ms,
                latest_ms,
                // Bytes that came with the head are the first piece.
                piece: (payload == Payload::Sse && came_with_head).then(Stamp::now),
                complete: false,
            },
        )
    }

    pub(crate) fn is_event_stream(&self) -> bool {
        self.payload == Payload::Sse
    }

    /// Whether its bytes are compressed.
    pub(super) fn is_coded(&self) -> bool {
        self.coded
    }

    /// The bytes that tell the client, inside its event stream, that it broke off; empty where it has none.
    pub(crate) fn farewell(&self, x: &Exchange, rejection: &Rejection) -> Vec<u8> {
        if !self.is_event_stream() || self.coded {
            return Vec::new();
        }
        let array = self.translator.as_ref().and_then(|translator| {
            translator.last_element(&rejection.body(x.facts.surface, x.request_id.as_str()))
        });
        if let Some(element) = array {
            return element;
        }
        // An event of which the client has a part must not swallow this one.
        let mut event = if self.client_is_inside_event() { b"\n\n".to_vec() } else { Vec::new() };
        let told = match x.facts.operation {
            Some(Operation::Responses | Operation::StoredResponse) => {
                let next = self.translator.as_ref().and_then(|translator| translator.sequence_number());
                rejection.response_event(next)
            }
            _ => rejection.stream_event(x.facts.surface, x.request_id.as_str()),
        };
        event.extend_from_slice(&told);
        event
    }

    /// What is held back has not come to the client, and a translator hands out whole events only.
    fn client_is_inside_event(&self) -> bool {
        self.position == Position::InsideEvent && !self.holdback.is_holding() && self.translator.is_none()
    }

    /// The framing for a client that can (or cannot) take chunks.
    pub(crate) fn framing(&mut self, client_takes_chunks: bool) -> Framing {
        match self.decoder {
            // Behind the announced length of an event stream there would be no room to say that it broke off.
            Decoder::Length(n) | Decoder::UntilEnd(Some(n)) if self.payload != Payload::Sse || self.coded => {
                Framing::Length(n)
            }
            Decoder::Length(_) | Decoder::Chunked(_) | Decoder::UntilClose | Decoder::UntilEnd(_)
                if client_takes_chunks =>
            {
                self.keep_chunks = true;
                Framing::Chunked
            }
            Decoder::Length(_) | Decoder::Chunked(_) | Decoder::UntilClose | Decoder::UntilEnd(_) => {
                Framing::Payload
            }
        }
    }

    /// The runs of the last advance, with the buffer they are in.
    pub(crate) fn runs(&self) -> (&[u8], &[Run]) {
        let runs = self.runs.get(..self.run_count).unwrap_or_default();
        match self.holdback.released() {
            Some(released) => (released, runs),
            None => (&self.connection.buffer, runs),
        }
    }

    /// Whether an advance would have something to say without waiting.
    pub(crate) fn has_more(&self) -> bool {
        self.at < self.connection.buffer.len()
            || match self.decoder {
                Decoder::Length(left) => left == 0,
                Decoder::UntilEnd(_) => self.connection.is_ended(),
                Decoder::Chunked(_) | Decoder::UntilClose => false,
            }
    }

    /// After a panic: nothing more of the upstream's bytes, and why.
    pub(crate) fn failed(&mut self, rejection: &Rejection) -> Progress {
        self.run_count = 0;
        self.connection.spoiled = true;
        Progress::Broken(rejection.clone())
    }

    /// Waits for the next bytes and tells what they are. Whatever the last advance handed out must have been
    /// written.
    pub(crate) async fn advance(&mut self, x: &mut Exchange) -> Progress {
        self.run_count = 0;
        self.holdback.clear_released();
        if self.latest_ms <= x.worker.deadlines.now_ms() {
            let message = "the upstream's reply took too long (`deadlines.total_ms`)";
            return self.broken(x, Lapse::Elapsed.rejection(message));
        }
        if !self.has_more() {
            self.connection.buffer.clear();
            self.at = 0;
            x.client.timer().arm_before(self.progress_ms, self.latest_ms);
            if self.payload == Payload::Sse {
                // Between two events of a model that thinks, a stream holds no buffer.
                x.worker.buffers.give(std::mem::take(&mut self.connection.buffer));
                if let Err(lapse) = x.client.timer().limit(self.connection.readable()).await {
                    return self.broken(x, lapse.rejection(STOPPED_SENDING));
                }
                self.connection.buffer = x.worker.buffers.take();
            }
            match x.client.timer().limit(self.connection.read()).await {
                Ok(Ok(0)) => return self.closed(x),
                Ok(Ok(_)) => self.count_piece(x),
                Ok(Err(_)) => return self.broken(x, closed_early()),
                Err(lapse) => return self.broken(x, lapse.rejection(STOPPED_SENDING)),
            }
        }
        let looked = match &mut self.decoder {
            Decoder::Length(_) => {
                self.look_length();
                Ok(())
            }
            Decoder::UntilClose | Decoder::UntilEnd(_) => {
                self.hand_out(self.at, self.connection.buffer.len(), RunKind::Payload);
                self.at = self.connection.buffer.len();
                self.complete = self.connection.is_ended();
                Ok(())
            }
            Decoder::Chunked(_) => self.look_chunked(),
        };
        if let Err(e) = looked {
            let message = format!("the upstream's reply is not valid HTTP: {}", e.message());
            return self.broken(x, Rejection::new(Code::UpstreamInvalid, message));
        }
        self.tap_runs();
        // Asked before the tap's finish, which takes what is left for an event.
        self.position =
            if self.tap.between_events() { Position::BetweenEvents } else { Position::InsideEvent };
        self.pass_on(x)
    }

    fn count_piece(&mut self, x: &Exchange) {
        if self.payload != Payload::Sse {
            return;
        }
        let now = Stamp::now();
        let before = self.piece.replace(now);
        if let (Some(before), Some(target)) = (before, x.facts.place.as_ref().and_then(Place::loaded)) {
            target.cells.inter_chunk.observe(&INTER_CHUNK_US, now.us_since(before));
        }
    }

    /// What was looked at goes to the client, in the form that it is to have there.
    fn pass_on(&mut self, x: &mut Exchange) -> Progress {
        // A client that leaves now is still billed for what the upstream has reported.
        x.facts.usage = self.tap.usage();
        if let Some(given) = &mut self.keepsakes {
            given.remember(x);
        }
        if x.awaits_first_token() && self.tap.content_seen() {
            x.first_token();
        }
        if self.holdback.takes_out_usage() {
            return self.advance_without_usage(x);
        }
        if let Some(mut translator) = self.translator.take() {
            let progress = self.advance_translated(x, &mut translator);
            self.translator = Some(translator);
            return progress;
        }
        let progress = match (self.complete, self.payload) {
            (true, _) => self.finish(x),
            (false, Payload::Sse) => self.within_bounds(x),
            (false, Payload::Json | Payload::Opaque) => Progress::More,
        };
        self.hold_back(matches!(progress, Progress::Whole));
        progress
    }

    /// The rest of an advance where the client did not ask for the usage that comes: events pass one by one.
    fn advance_without_usage(&mut self, x: &mut Exchange) -> Progress {
        let runs = self.runs.get(..self.run_count).unwrap_or_default();
        self.holdback.take_out_usage(&self.connection.buffer, runs);
        gather(&mut self.gathered, self.keep.as_ref(), self.holdback.released().unwrap_or_default());
        let progress = if self.complete {
            gather(&mut self.gathered, self.keep.as_ref(), self.holdback.held());
            self.finish(x)
        } else {
            self.within_bounds(x)
        };
        if matches!(progress, Progress::Whole) {
            self.holdback.release_held();
        }
        self.hand_out_released();
        progress
    }

    /// The rest of an advance where the client speaks another dialect: events are said in that, one by one.
    fn advance_translated(&mut self, x: &mut Exchange, translator: &mut Translator) -> Progress {
        let runs = self.runs.get(..self.run_count).unwrap_or_default();
        let complete = self.complete;
        let mut is_sound = false;
        let said = self.holdback.translate(&self.connection.buffer, runs, |payload, out| {
            translator.push(payload, out)?;
            is_sound = true;
            if complete { translator.finish(out) } else { Ok(()) }
        });
        self.tap.tell(|| translator.outcome());
        gather(&mut self.gathered, self.keep.as_ref(), self.holdback.released().unwrap_or_default());
        let progress = match said {
            Ok(()) if complete => {
                x.worker.count_translated(false, !translator.losses().is_empty());
                self.finish(x)
            }
            Ok(()) => self.within_bounds(x),
            Err(_) if complete && is_sound && !self.tap.finish().terminal => self.broken(x, ended_early()),
            Err(malformed) => self.broken(x, translate::malformed(&malformed)),
        };
        self.hand_out_released();
        progress
    }

    /// An event without an end in sight is an error: every client would have to hold all of it.
    fn within_bounds(&mut self, x: &mut Exchange) -> Progress {
        let max = x.loaded.snapshot.limits.event_bytes_max;
        let bytes = self.runs.iter().take(self.run_count).map(|run| run.end - run.start).sum();
        let Some(events) = self.tap.events() else { return Progress::More };
        if self.event_size.after(events, self.tap.between_events(), bytes) <= max as usize {
            return Progress::More;
        }
        let message = format!(
            "an event of the upstream's stream is larger than {max} bytes (`limits.event_bytes_max`)"
        );
        self.broken(x, Rejection::new(Code::UpstreamInvalid, message))
    }

    fn look_length(&mut self) {
        let Decoder::Length(left) = &mut self.decoder else { return };
        let there = self.connection.buffer.len().saturating_sub(self.at);
        let take = usize::try_from(*left).unwrap_or(usize::MAX).min(there);
        *left -= take as u64;
        self.complete = *left == 0;
        let start = self.at;
        self.at += take;
        self.hand_out(start, self.at, RunKind::Payload);
    }

    /// Walks over the buffer's chunks until its end, the body's end, or until the runs are full.
    fn look_chunked(&mut self) -> Result<(), Http1Error> {
        let Decoder::Chunked(decoder) = &mut self.decoder else { return Ok(()) };
        let buffer = &self.connection.buffer;
        let mut runs = Runs { runs: &mut self.runs, count: 0 };
        // Where the chunk begins, if its size line lies whole in this buffer.
        let mut chunk = decoder.at_boundary().then_some(self.at);
        let mut data: Option<(usize, usize)> = None;
        let mut at = self.at;
        let suspect = at + self.tap.first_suspect(buffer.get(at..).unwrap_or_default());
        let gathers =
            self.gathered.is_some() && !self.holdback.takes_out_usage() && self.translator.is_none();
        // One place stays free for the piece that is open when the bytes end.
        let (tap, keepsakes) = (&mut self.tap, &mut self.keepsakes);
        let mut look = |start: usize, end: usize| {
            let payload = buffer.get(start..end).unwrap_or_default();
            tap.push_piece(payload, end > suspect);
            if let Some(given) = keepsakes {
                given.look(payload);
            }
            if gathers {
                gather(&mut self.gathered, self.keep.as_ref(), payload);
            }
        };
        while runs.count + 1 < RUNS_MAX {
            // As most chunks are.
            if let Some((payload, next)) = decoder.whole(buffer, at) {
                look(payload.start, payload.end);
                if self.keep_chunks {
                    runs.push(at, next, RunKind::Chunks);
                } else {
                    runs.push(payload.start, payload.end, RunKind::Payload);
                }
                at = next;
                chunk = Some(next);
                continue;
            }
            match decoder.step(buffer, at)? {
                Step::Size { next, .. } | Step::Trailer { next } => at = next,
                Step::Data { start, end } => {
                    look(start, end);
                    if self.keep_chunks {
                        data = Some((start, end));
                    } else {
                        runs.push(start, end, RunKind::Payload);
                    }
                    at = end;
                }
                Step::ChunkEnd { next, complete } => {
                    at = next;
                    if complete {
                        match (chunk, data.take()) {
                            (Some(start), Some(_)) => runs.push(start, next, RunKind::Chunks),
                            (None, Some((start, end))) => runs.push(start, end, RunKind::Payload),
                            (_, None) => {}
                        }
                        chunk = Some(next);
                    }
                }
                Step::End { next } => {
                    at = next;
                    self.complete = true;
                    break;
                }
                Step::NeedMore => break,
            }
        }
        if let Some((start, end)) = data {
            runs.push(start, end, RunKind::Payload);
        }
        self.run_count = runs.count;
        self.at = at;
        Ok(())
    }

    fn hand_out(&mut self, start: usize, end: usize, kind: RunKind) {
        let mut runs = Runs { runs: &mut self.runs, count: self.run_count };
        runs.push(start, end, kind);
        self.run_count = runs.count;
    }

    /// Keeps back the start of an event that has not come whole: of a stream that breaks off there, the client
    /// then sees whole events and our error, never half an event that its parser would choke on.
    fn hold_back(&mut self, whole: bool) {
        if whole {
            if self.holdback.is_holding() {
                let runs = self.runs.get(..self.run_count).unwrap_or_default();
                self.holdback.release_all(&self.connection.buffer, runs);
                self.hand_out_released();
            }
        } else if self.holdback.is_holding() || self.position == Position::InsideEvent {
            let runs = self.runs.get(..self.run_count).unwrap_or_default();
            if self.holdback.take(&self.connection.buffer, runs) {
                self.hand_out_released();
            }
        }
    }

    fn hand_out_released(&mut self) {
        let length = self.holdback.released().map_or(0, <[u8]>::len);
        self.run_count = 0;
        self.hand_out(0, length, RunKind::Payload);
    }

    /// Lets the tap see what was handed out; chunked bodies were tapped chunk by chunk.
    fn tap_runs(&mut self) {
        if matches!(self.decoder, Decoder::Chunked(_)) {
            return;
        }
        for run in self.runs.get(..self.run_count).unwrap_or_default() {
            let payload = self.connection.buffer.get(run.start..run.end).unwrap_or_default();
            if self.complete {
                self.tap.push_whole(payload);
            } else {
                self.tap.push(payload);
            }
            if let Some(given) = &mut self.keepsakes {
                given.look(payload);
            }
            if !self.holdback.takes_out_usage() && self.translator.is_none() {
                gather(&mut self.gathered, self.keep.as_ref(), payload);
            }
        }
    }

    /// The connection has ended, and what was kept back until now with it.
    fn closed(&mut self, x: &mut Exchange) -> Progress {
        match self.decoder {
            Decoder::UntilClose => self.connection.spoiled = true,
            Decoder::UntilEnd(_) => {}
            Decoder::Length(_) | Decoder::Chunked(_) => return self.broken(x, closed_early()),
        }
        self.complete = true;
        self.pass_on(x)
    }

    fn broken(&mut self, x: &mut Exchange, rejection: Rejection) -> Progress {
        self.connection.spoiled = true;
        x.facts.usage = self.tap.finish().usage;
        Progress::Broken(rejection)
    }

    /// The framing says that the body is complete; does the dialect say so too?
    fn finish(&mut self, x: &mut Exchange) -> Progress {
        let outcome = self.tap.finish();
        x.facts.usage = outcome.usage;
        x.facts.error_event = outcome.error_event;
        let good = (200..300).contains(&self.status);
        // A length or a last chunk is the upstream's word that a document is whole; an event stream must
        // also end as its dialect says, and what ends with the connection must at least be whole JSON.
        let framed = self.payload == Payload::Json && !matches!(self.decoder, Decoder::UntilClose);
        if good && !outcome.terminal && !outcome.error_event && !framed && self.payload != Payload::Opaque {
            self.connection.spoiled = true;
            return Progress::Broken(ended_early());
        }
        if outcome.terminal && outcome.content && !outcome.error_event {
            self.store(x);
        }
        Progress::Whole
    }

    fn store(&mut self, x: &Exchange) {
        if let (Some(body), Some((keep, fields))) = (self.gathered.take(), self.keep.take()) {
            fail_point!("cache.store");
            let stored = Stored {
                status: self.status,
                fields,
                body,
                since: Stamp::now(),
                ttl: Duration::from_millis(keep.ttl_ms),
            };
            x.worker.shared.cache.store(keep.key, stored);
            x.worker.bank.worker.cache_stored.add(1);
        }
    }

    /// Gives the connection back to its pool, if another request may use it, and the buffer to the worker.
    pub(crate) fn give_back(mut self: Box<Self>, x: &Exchange) {
        let clean = self.complete && self.at >= self.connection.buffer.len();
        x.worker.buffers.give(std::mem::take(&mut self.connection.buffer));
        if clean && self.connection.head.keep_alive && !self.connection.spoiled {
            self.origin.put_idle(self.connection, x.worker.deadlines.now_ms());
        }
    }
}

/// Appends to runs; neighbours of one kind grow together.
struct Runs<'a> {
    runs: &'a mut [Run; RUNS_MAX],
    count: usize,
}

impl Runs<'_> {
    fn push(&mut self, start: usize, end: usize, kind: RunKind) {
        if start >= end {
            return;
        }
        if let Some(last) = self.count.checked_sub(1).and_then(|at| self.runs.get_mut(at))
            && last.kind == kind
            && last.end == start
        {
            last.end = end;
            return;
        }
        if let Some(slot) = self.runs.get_mut(self.count) {
            *slot = Run { start, end, kind };
            self.count += 1;
        }
    }
}

fn gather(gathered: &mut Option<Vec<u8>>, keep: Option<&(Keep, Vec<u8>)>, payload: &[u8]) {
    if let (Some(body), Some((keep, _))) = (gathered.as_mut(), keep) {
        if (body.len() + payload.len()) as u64 > keep.reply_bytes_max {
            *gathered = None;
        } else {
            body.extend_from_slice(payload);
        }
    }
}

fn ended_early() -> Rejection {
    Rejection::new(Code::UpstreamClosed, "the upstream ended its reply before it was complete")
}

fn closed_early() -> Rejection {
    Rejection::new(Code::UpstreamClosed, "the upstream closed the connection before its reply was complete")
}

/// The coding of the reply's bytes, when there is one.
fn coding(connection: &Connection) -> Option<&[u8]> {
    let field = connection.head.find(Known::ContentEncoding)?;
    let coding = field.value.of(&connection.buffer);
    (!coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")).then_some(coding)
}

/// What looks into the reply. By itself, so that it is made in one place and moved once.
#[inline(never)]
fn watch(payload: Payload, dialect: Option<Dialect>, coding: Option<&[u8]>, has_word: bool) -> Watch {
    let mut tap = dialect.map_or_else(Tap::none, |dialect| Tap::new(payload, dialect));
    if has_word {
        tap.know_content();
    }
    Watch::new(tap, coding)
}

/// What the reply consists of, by its `Content-Type`.
fn payload_kind(connection: &Connection, coding: Option<&[u8]>) -> Payload {
    let media = connection.head.find(Known::ContentType);
    let media = media.map(|field| field.value.of(&connection.buffer)).unwrap_or_default();
    let is = |name: &[u8]| media.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if coding.is_some_and(|coding| !inflate::knows(coding)) {
        Payload::Opaque
    } else if is(b"text/event-stream") {
        Payload::Sse
    } else if is(b"application/json") {
        Payload::Json
    } else {
        Payload::Opaque
    }
}
