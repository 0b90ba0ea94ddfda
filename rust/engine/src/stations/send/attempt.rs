//! One attempt: a connection, the request on it, the head of the reply.
//!
//! It changes nothing of the exchange, so that two can be under way side by side.

use std::io::{self, IoSlice};

use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::scan::PIECES_MAX;
use llm_edge_core::snapshot::Deadlines;

use super::super::guard::Screened;
use super::request::Request;
use crate::backends::upstream::{Connection, ReadError};
use crate::deadlines::Timer;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::stamp::Stamp;

/// Interim replies (1xx) before the final one that are put up with.
const INTERIM_MAX: u32 = 16;

/// Times an attempt is made anew at once because the upstream did nothing for it on a shared connection.
const AGAIN_MAX: u32 = 2;

/// How an attempt failed.
pub(super) enum Failed {
    /// No byte of the request was written, or the upstream says that it did not process it: another attempt
    /// is safe.
    Unsent(Rejection),
    /// It may have been executed.
    Sent(Rejection),
}

impl Failed {
    pub(super) fn rejection(&self) -> &Rejection {
        match self {
            Self::Unsent(rejection) | Self::Sent(rejection) => rejection,
        }
    }
}

/// A reply whose head is there.
pub(super) struct Replied {
    pub(super) connection: Box<Connection>,
    pub(super) sent: Stamp,
    pub(super) first_byte: Stamp,
}

/// What an attempt needs to know.
pub(super) struct Attempt<'a> {
    pub(super) x: &'a Exchange,
    pub(super) timer: &'a Timer,
    pub(super) deadlines: Deadlines,
    pub(super) request: &'a Request,
    pub(super) screened: &'a Screened,
    pub(super) latest_ms: u64,
}

impl Attempt<'_> {
    /// Sends the request and waits for the head of its reply.
    pub(super) async fn run(&self) -> Result<Replied, Failed> {
        let Self { x, request, .. } = *self;
        let mut again = 0;
        loop {
            x.facts.attempts.set(x.facts.attempts.get() + 1);
            let mut connection = match request.origin.take_idle() {
                Some(idle) => idle,
                None => Box::pin(self.connect()).await?,
            };
            connection.buffer = x.worker.buffers.take();
            self.timer.arm_before(self.deadlines.first_byte_ms, self.latest_ms);
            fail_point!("send.write");
            match self.write(&mut connection).await {
                Ok(()) => {}
                // The upstream had closed a kept-alive connection just then: take another one.
                Err(Failed::Unsent(_))
                    if connection.reused && (again < AGAIN_MAX || !connection.is_shared()) =>
                {
                    again += 1;
                    x.worker.buffers.give(connection.buffer);
                    continue;
                }
                Err(failed) => return Err(failed),
            }
            let sent = Stamp::now();
            fail_point!("send.read");
            match self.read_head(&mut connection).await {
                Ok(()) => {}
                // A shared connection that is going away did nothing for this request: take another one.
                Err(Failed::Unsent(_)) if again < AGAIN_MAX => {
                    again += 1;
                    x.worker.buffers.give(connection.buffer);
                    continue;
                }
                Err(failed) => return Err(failed),
            }
            return Ok(Replied { connection, sent, first_byte: Stamp::now() });
        }
    }

    async fn connect(&self) -> Result<Box<Connection>, Failed> {
        fail_point!("send.connect");
        let Self { request, .. } = *self;
        let connect_ms = self.deadlines.connect_ms;
        self.timer.arm_before(connect_ms, self.latest_ms);
        match self.timer.limit(request.origin.connect(connect_ms)).await {
            Ok(Ok(connection)) => {
                // Otherwise it waited for a place on one that was there.
                let opened = u64::from(!connection.reused);
                self.x.worker.bank.worker.upstream_connections_opened.add(opened);
                Ok(connection)
            }
            Ok(Err(e)) => Err(Failed::Unsent(Rejection::new(
                Code::UpstreamUnreachable,
                format!("provider `{}` cannot be reached: {e}", request.provider),
            ))),
            Err(lapse) => {
                let by = request.origin.proxy().map(|proxy| format!(", through its proxy `{proxy}`,"));
                Err(Failed::Unsent(lapse.rejection(&format!(
                    "provider `{}`{} did not accept the connection within {} ms (`deadlines.connect_ms`)",
                    request.provider,
                    by.unwrap_or_default(),
                    connect_ms
                ))))
            }
        }
    }

    async fn write(&self, connection: &mut Connection) -> Result<(), Failed> {
        let Self { x, request, .. } = *self;
        let mut slices = [IoSlice::new(&[]); 1 + PIECES_MAX];
        let mut count = 1;
        if let Some(first) = slices.first_mut() {
            *first = IoSlice::new(&request.head);
        }
        if !request.joined {
            let pieces = request.pieces(x, self.screened);
            for (slice, piece) in slices.iter_mut().skip(1).zip(pieces.into_iter().filter(|p| !p.is_empty()))
            {
                *slice = IoSlice::new(piece);
                count += 1;
            }
        }
        let slices = slices.get_mut(..count).unwrap_or_default();
        match self.timer.limit(connection.send(slices, &x.loaded.upstream_head_limits)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(failure)) => {
                let rejection = closed(request, &failure.error);
                if failure.written == 0 {
                    Err(Failed::Unsent(rejection))
                } else {
                    Err(Failed::Sent(rejection))
                }
            }
            Err(lapse) => Err(Failed::Sent(lapse.rejection("the upstream stopped reading the request"))),
        }
    }

    async fn read_head(&self, connection: &mut Connection) -> Result<(), Failed> {
        let Self { x, request, .. } = *self;
        let limits = &x.loaded.upstream_head_limits;
        let mut interim = 0;
        let rejection = loop {
            match self.timer.limit(connection.read_head(limits)).await {
                Ok(Ok(())) if connection.head.status < 200 && interim < INTERIM_MAX => {
                    interim += 1;
                    connection.skip_head();
                }
                Ok(Ok(())) if connection.head.status < 200 => {
                    break Rejection::new(
                        Code::UpstreamInvalid,
                        format!("provider `{}` sent one interim reply after the other", request.provider),
                    );
                }
                Ok(Ok(())) => return Ok(()),
                Ok(Err(ReadError::Closed(e))) => break closed(request, &e),
                Ok(Err(ReadError::Unprocessed(e))) => return Err(Failed::Unsent(closed(request, &e))),
                Ok(Err(ReadError::Invalid(e))) => {
                    break Rejection::new(
                        Code::UpstreamInvalid,
                        format!("provider `{}` did not send valid HTTP: {}", request.provider, e.message()),
                    );
                }
                Err(lapse) => {
                    let message = format!(
                        "provider `{}` did not begin its reply in time (`deadlines.first_byte_ms`, `deadlines.total_ms`)",
                        request.provider
                    );
                    break lapse.rejection(&message);
                }
            }
        };
        Err(Failed::Sent(rejection))
    }
}

fn closed(request: &Request, error: &io::Error) -> Rejection {
    let what = if error.kind() == io::ErrorKind::UnexpectedEof { "closed" } else { "broke" };
    // TLS 1.3 tells whom it does not let in only now.
    let alert = error.get_ref().and_then(|inner| match inner.downcast_ref() {
        Some(rustls::Error::AlertReceived(alert)) => Some(format!(" (TLS alert {alert:?})")),
        _ => None,
    });
    let alert = alert.unwrap_or_default();
    Rejection::new(
        Code::UpstreamClosed,
        format!("provider `{}` {what} the connection before it replied{alert}", request.provider),
    )
}
