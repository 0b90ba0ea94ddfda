//! HTTP/2 to an upstream: connections that many exchanges share, and the stream that one of them has.
//!
//! Framing, flow control and header compression are the h2 crate's. Invariants: a body is whole only when the
//! upstream has declared its end (`END_STREAM`), whatever else ends it is an error (B04); what was read and not
//! yet taken by the relay is bounded by the stream's window, which is given back only as the relay takes
//! (B10); a stream dropped before its end is reset at once (B01); an error says "unprocessed" only where the
//! upstream said so (RFC 9113 §8.7) or no byte was written since the request was handed over (B03).

mod head;
mod link;

pub(super) use link::{Link, LinkOptions};

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::Response;
use http::header::CONTENT_LENGTH;

use super::connection::{Invalid, ReadError, WriteError};
use crate::buffers::BUFFER_BYTES;
use link::Seat;

/// The largest piece of a request's body handed over at a time.
const PIECE_BYTES: usize = 16 * 1024;

/// One exchange's stream; until its request is sent, a place kept for one.
pub(crate) struct Stream {
    seat: Seat,
    /// Bytes the connection had written when the request was handed over.
    written_before: u64,
    state: State,
    /// A piece of the body that was received and not yet taken.
    held: Bytes,
}

enum State {
    /// Nothing was sent yet.
    Kept,
    /// The request is on its way, or all of it has left.
    Sent(ResponseFuture, SendStream<Bytes>),
    /// The reply came before the request had left.
    Answered(Box<Result<Response<RecvStream>, h2::Error>>, SendStream<Bytes>),
    /// The body is being read.
    Reading(Receiving),
    /// The upstream has declared the end.
    Ended,
    /// The body broke off, which the next read tells.
    Broken(io::Error),
    /// An error was told.
    Gone,
}

struct Receiving {
    body: RecvStream,
    /// Bytes that were announced and have not come, where a length was announced.
    missing: Option<u64>,
    /// Held because a request that has not left whole is reset when this goes, and not before.
    _sending: SendStream<Bytes>,
}

impl Stream {
    fn new(seat: Seat) -> Self {
        Self { seat, written_before: 0, state: State::Kept, held: Bytes::new() }
    }

    /// Whether the connection has carried another stream before this one.
    pub(super) fn is_reused(&self) -> bool {
        self.seat.is_reused()
    }

    /// Sends the request whose head is rendered at the start of the first slice; the rest is its body. False
    /// when the reply came before all of it was sent.
    ///
    /// # Errors
    /// [`WriteError`]; 0 bytes written where the upstream did nothing for it.
    pub(super) async fn send(&mut self, slices: &[IoSlice<'_>]) -> Result<bool, WriteError> {
        let (head, first) = slices.first().map_or((&[][..], &[][..]), |slice| split_head(slice));
        let bodies = || std::iter::once(first).chain(slices.iter().skip(1).map(|slice| &**slice));
        let mut left: usize = bodies().map(<[u8]>::len).sum();
        let unsendable = || WriteError { written: 1, error: io::ErrorKind::InvalidInput.into() };
        let request = head::request(head, self.seat.scheme()).ok_or_else(unsendable)?;
        self.written_before = self.seat.written();
        let (reply, sending) = self.seat.open(request, left == 0).map_err(|e| self.write_error(e))?;
        self.state = State::Sent(reply, sending);
        for mut piece in bodies() {
            while !piece.is_empty() {
                let wanted = piece.len().min(PIECE_BYTES);
                let Some(room) = poll_fn(|cx| self.poll_room(cx, wanted)).await? else { return Ok(false) };
                let (now, later) = piece.split_at(room.min(wanted));
                left -= now.len();
                piece = later;
                let State::Sent(_, sending) = &mut self.state else { return Ok(false) };
                if sending.send_data(Bytes::copy_from_slice(now), left == 0).is_err() {
                    // The upstream has closed the stream; why is the reply's affair.
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// How many bytes may be sent now, up to `wanted`; `None` when the reply is there instead.
    fn poll_room(&mut self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<Option<usize>, WriteError>> {
        let State::Sent(reply, sending) = &mut self.state else { return Poll::Ready(Ok(None)) };
        sending.reserve_capacity(wanted);
        let room = sending.capacity();
        if room > 0 {
            return Poll::Ready(Ok(Some(room)));
        }
        let answered = Pin::new(reply).poll(cx);
        if let Poll::Ready(answer) = answered {
            if let Err(error) = answer {
                return Poll::Ready(Err(self.write_error(error)));
            }
            self.answered(answer);
            return Poll::Ready(Ok(None));
        }
        match ready!(sending.poll_capacity(cx)) {
            Some(Ok(room)) => Poll::Ready(Ok(Some(room))),
            Some(Err(error)) => Poll::Ready(Err(self.write_error(error))),
            // The upstream takes no more: its reply, for which we are registered, says why.
            None => Poll::Pending,
        }
    }

    /// Waits for the reply and appends its head as HTTP/1.1 has it.
    ///
    /// # Errors
    /// [`ReadError`]
    pub(super) async fn read_head(&mut self, buffer: &mut Vec<u8>) -> Result<(), ReadError> {
        if let State::Sent(reply, _) = &mut self.state {
            let answer = reply.await;
            self.answered(answer);
        }
        let State::Answered(answer, sending) = std::mem::replace(&mut self.state, State::Gone) else {
            return Err(ReadError::Closed(io::ErrorKind::UnexpectedEof.into()));
        };
        let response = answer.map_err(|error| self.read_error(error))?;
        head::render(&response, buffer);
        let length =
            response.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        let body = response.into_body();
        self.state = State::Reading(Receiving { body, missing: length, _sending: sending });
        Ok(())
    }

    fn answered(&mut self, answer: Result<Response<RecvStream>, h2::Error>) {
        if let State::Sent(_, sending) = std::mem::replace(&mut self.state, State::Gone) {
            self.state = State::Answered(Box::new(answer), sending);
        }
    }

    /// Ready when the next read has something to say.
    pub(super) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.held.is_empty() {
            let State::Reading(receiving) = &mut self.state else { return Poll::Ready(()) };
            match ready!(receiving.body.poll_data(cx)) {
                Some(Ok(data)) => {
                    receiving.missing = receiving.missing.map(|left| left.saturating_sub(data.len() as u64));
                    self.held = data;
                }
                // A whole reply, and no more of the request is wanted (RFC 9113 §8.1). That it is whole is
                // then known by its length alone: h2 forgets the end that was declared before.
                Some(Err(error)) if is_enough(&error) && receiving.missing == Some(0) => {
                    self.state = State::Ended;
                }
                Some(Err(error)) => self.state = State::Broken(io_error(error)),
                None => self.state = State::Ended,
            }
        }
        Poll::Ready(())
    }

    /// Appends what came, as far as it fits into the room `buffer` has (which is made if there is none); 0
    /// stands for the declared end. Only what is taken makes room for more at the upstream.
    pub(super) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        if buffer.capacity() == buffer.len() {
            buffer.reserve(BUFFER_BYTES);
        }
        let mut taken = 0;
        while buffer.len() < buffer.capacity() {
            if self.poll_readable(cx).is_pending() {
                return if taken > 0 { Poll::Ready(Ok(taken)) } else { Poll::Pending };
            }
            if self.held.is_empty() {
                // The end, or what broke it off: told when what came before it was taken.
                if taken > 0 {
                    break;
                }
                return Poll::Ready(match std::mem::replace(&mut self.state, State::Gone) {
                    State::Ended => {
                        self.state = State::Ended;
                        Ok(0)
                    }
                    State::Broken(error) => Err(error),
                    State::Kept | State::Sent(..) | State::Answered(..) | State::Reading(_) | State::Gone => {
                        Err(io::ErrorKind::BrokenPipe.into())
                    }
                });
            }
            let fits = self.held.len().min(buffer.capacity() - buffer.len());
            buffer.extend_from_slice(self.held.get(..fits).unwrap_or_default());
            self.held.advance(fits);
            taken += fits;
            if let State::Reading(receiving) = &mut self.state {
                // It can only fail when more is given back than was taken.
                drop(receiving.body.flow_control().release_capacity(fits));
            }
        }
        Poll::Ready(Ok(taken))
    }

    /// Whether the upstream has declared the end, and all before it was taken.
    pub(super) fn is_ended(&self) -> bool {
        self.held.is_empty()
            && match &self.state {
                State::Reading(receiving) => receiving.body.is_end_stream(),
                State::Ended => true,
                State::Kept | State::Sent(..) | State::Answered(..) | State::Broken(_) | State::Gone => false,
            }
    }

    fn write_error(&self, error: h2::Error) -> WriteError {
        WriteError { written: usize::from(!self.is_unprocessed(&error)), error: io_error(error) }
    }

    fn read_error(&self, error: h2::Error) -> ReadError {
        if self.is_unprocessed(&error) {
            return ReadError::Unprocessed(io_error(error));
        }
        if error.is_library() {
            return ReadError::Invalid(Invalid::Http2(
                "it broke the rules of HTTP/2, or its head is too large",
            ));
        }
        ReadError::Closed(io_error(error))
    }

    fn is_unprocessed(&self, error: &h2::Error) -> bool {
        // h2 gives a GOAWAY as the error of those streams only that lie above its last one.
        let refused =
            error.is_remote() && (error.is_go_away() || error.reason() == Some(Reason::REFUSED_STREAM));
        refused || self.seat.written() == self.written_before
    }
}

fn is_enough(error: &h2::Error) -> bool {
    error.is_remote() && error.is_reset() && error.reason() == Some(Reason::NO_ERROR)
}

/// The rendered head, its empty line included, and what follows it.
fn split_head(slice: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memmem::find(slice, b"\r\n\r\n").map_or(slice.len(), |at| at + 4);
    slice.split_at(end.min(slice.len()))
}

fn io_error(error: h2::Error) -> io::Error {
    if error.is_io() {
        return error.into_io().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
    }
    io::Error::other(error)
}
