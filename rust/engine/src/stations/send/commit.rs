//! The commit point: a stream is held until it has said something, so that an error told before that can still
//! be answered by another place, unseen by the client.
//!
//! Nothing of the reply is taken: the relay begins at its first byte as if nobody had looked. Bounded: a stream
//! that says nothing within [`HELD_BYTES_MAX`] is let go.

use std::ops::ControlFlow;

use llm_edge_core::dialect::Dialect;
use llm_edge_core::http1::{Chunked, ResponseFraming, Step};
use llm_edge_core::rejection::Rejection;
use llm_edge_core::sse;
use llm_edge_core::tap::Tap;
use llm_edge_core::translate::StreamTranslator;

use super::{Awaited, Begun};
use crate::backends::upstream::{Connection, End};
use crate::exchange::Exchange;
use crate::fail_points::fail_point;

/// Most bytes of a stream that are held.
const HELD_BYTES_MAX: usize = 64 * 1024;

/// How a stream failed before it said anything.
pub(super) enum Failure {
    /// It told so itself.
    Told,
    /// Nothing more came in time.
    Broke(Rejection),
}

/// Waits for the stream's first word; `None` when the reply may go to the client.
pub(super) async fn wait(x: &Exchange, begun: &mut Begun) -> Option<Failure> {
    fail_point!("send.commit");
    let dialect = begun.dialect?;
    if !begun.is_event_stream() {
        return None;
    }
    // Most streams begin with a word, in the read that brought their head.
    match decide(begun, dialect) {
        ControlFlow::Break(failure) => failure,
        ControlFlow::Continue(()) => Box::pin(hold(x, begun, dialect)).await,
    }
}

/// What is known of the stream so far, if that is enough.
fn decide(begun: &mut Begun, dialect: Dialect) -> ControlFlow<Option<Failure>> {
    match look(&begun.connection, Watch::of(begun, dialect)) {
        Seen::Word => {
            begun.has_word = true;
            ControlFlow::Break(None)
        }
        Seen::End => ControlFlow::Break(None),
        Seen::Error => ControlFlow::Break(Some(Failure::Told)),
        Seen::Nothing => ControlFlow::Continue(()),
    }
}

async fn hold(x: &Exchange, begun: &mut Begun, dialect: Dialect) -> Option<Failure> {
    loop {
        if begun.connection.buffer.len() - begun.connection.head.len >= HELD_BYTES_MAX {
            return None;
        }
        x.client.timer().arm_before(begun.progress_ms, begun.latest_ms);
        match x.client.timer().limit(begun.connection.read()).await {
            // The relay meets the end again and tells the client.
            Ok(Ok(0) | Err(_)) => return None,
            Ok(Ok(_)) => {}
            Err(lapse) => {
                let message = "the upstream stopped sending its reply (`deadlines.progress_ms`)";
                return Some(Failure::Broke(lapse.rejection(message)));
            }
        }
        if let ControlFlow::Break(failure) = decide(begun, dialect) {
            return failure;
        }
    }
}

enum Seen {
    /// Something for the reader.
    Word,
    /// The end, without a word: that is how it goes on.
    End,
    /// An error, and nothing before it.
    Error,
    /// Formalities.
    Nothing,
}

/// Who understands the stream.
enum Watch {
    /// Of server-sent events little has to be understood.
    Tap(Tap),
    /// What is framed otherwise is read as for its translation.
    Translator(Box<StreamTranslator>),
}

impl Watch {
    fn of(begun: &Begun, dialect: Dialect) -> Self {
        match begun.translation.as_deref().map(|translation| &translation.reply) {
            Some(Awaited::Generation { pair, .. }) if pair.stream_media_type() != sse::MEDIA_TYPE => {
                Self::Translator(Box::new(pair.watcher()))
            }
            _ => Self::Tap(Tap::sse(dialect)),
        }
    }

    /// Looks at so much of `payload` that it is known whether the stream may go; `None` while it is not.
    fn look_at(&mut self, payload: &[u8]) -> Option<Seen> {
        /// About an event: what comes behind the first word need not be looked at twice.
        const PIECE_BYTES: usize = 512;
        payload.chunks(PIECE_BYTES).find_map(|piece| self.push(piece))
    }

    fn push(&mut self, piece: &[u8]) -> Option<Seen> {
        let (content, error, ended) = match self {
            Self::Tap(tap) => {
                tap.push(piece);
                (tap.content_seen(), tap.error_seen(), tap.terminal_seen())
            }
            Self::Translator(translator) => {
                // Nothing is written, and what is wrong with it is the relay's to tell.
                let is_broken = translator.push(piece, &mut Vec::new()).is_err();
                let seen = translator.outcome();
                (seen.content, seen.error_event, seen.terminal || is_broken)
            }
        };
        match (content, error) {
            (true, _) => Some(Seen::Word),
            (_, true) => Some(Seen::Error),
            _ => ended.then_some(Seen::End),
        }
    }
}

fn look(connection: &Connection, mut watch: Watch) -> Seen {
    let buffer = &connection.buffer;
    let body = buffer.get(connection.head.len..).unwrap_or_default();
    let (seen, is_all) = match connection.end() {
        End::Declared(_) => (watch.look_at(body), connection.is_ended()),
        End::Framed(ResponseFraming::Chunked) => in_chunks(buffer, connection.head.len, &mut watch),
        End::Framed(ResponseFraming::None) => (None, true),
        End::Framed(ResponseFraming::Length(length)) => (watch.look_at(body), body.len() as u64 >= length),
        End::Framed(ResponseFraming::UntilClose) => (watch.look_at(body), false),
    };
    seen.unwrap_or(if is_all { Seen::End } else { Seen::Nothing })
}

/// What is seen in the chunks that begin at `at`, and whether the last of them, or one that is none, is there.
fn in_chunks(buffer: &[u8], mut at: usize, watch: &mut Watch) -> (Option<Seen>, bool) {
    let mut decoder = Chunked::new();
    loop {
        at = match decoder.step(buffer, at) {
            Ok(Step::Size { next, .. } | Step::ChunkEnd { next, .. } | Step::Trailer { next }) => next,
            Ok(Step::Data { start, end }) => {
                let seen = watch.look_at(buffer.get(start..end).unwrap_or_default());
                if seen.is_some() {
                    return (seen, false);
                }
                end
            }
            Ok(Step::NeedMore) => return (None, false),
            // What is wrong with it is the relay's to tell.
            Ok(Step::End { .. }) | Err(_) => return (None, true),
        };
    }
}
