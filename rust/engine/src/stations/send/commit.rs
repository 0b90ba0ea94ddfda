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

use super::Begun;
use crate::backends::upstream::{Connection, End};
use crate::exchange::Exchange;

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
    let dialect = begun.dialect?;
    if !begun.connection.is_plain(sse::MEDIA_TYPE) {
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
    match look(&begun.connection, dialect) {
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

fn look(connection: &Connection, dialect: Dialect) -> Seen {
    let mut tap = Tap::sse(dialect);
    let mut ended = false;
    let buffer = &connection.buffer;
    let body = buffer.get(connection.head.len..).unwrap_or_default();
    match connection.end() {
        End::Declared(_) => {
            ended = connection.is_ended();
            look_at(&mut tap, body);
        }
        End::Framed(ResponseFraming::Chunked) => {
            let mut decoder = Chunked::new();
            let mut at = connection.head.len;
            loop {
                at = match decoder.step(buffer, at) {
                    Ok(Step::Size { next, .. } | Step::ChunkEnd { next, .. } | Step::Trailer { next }) => {
                        next
                    }
                    Ok(Step::Data { start, end }) => {
                        if look_at(&mut tap, buffer.get(start..end).unwrap_or_default()) {
                            break;
                        }
                        end
                    }
                    Ok(Step::NeedMore) => break,
                    // What is wrong with it is the relay's to tell.
                    Ok(Step::End { .. }) | Err(_) => {
                        ended = true;
                        break;
                    }
                };
            }
        }
        End::Framed(ResponseFraming::None) => ended = true,
        End::Framed(ResponseFraming::Length(length)) => {
            ended = body.len() as u64 >= length;
            look_at(&mut tap, body);
        }
        End::Framed(ResponseFraming::UntilClose) => {
            look_at(&mut tap, body);
        }
    }
    if tap.content_seen() {
        Seen::Word
    } else if tap.error_seen() {
        Seen::Error
    } else if ended || tap.terminal_seen() {
        Seen::End
    } else {
        Seen::Nothing
    }
}

/// Shows the tap so much of `payload` that it knows whether the stream may go; true when it does.
fn look_at(tap: &mut Tap, payload: &[u8]) -> bool {
    /// About an event: what comes behind the first word need not be looked at twice.
    const PIECE_BYTES: usize = 512;
    payload.chunks(PIECE_BYTES).any(|piece| {
        tap.push(piece);
        tap.content_seen() || tap.error_seen()
    })
}
