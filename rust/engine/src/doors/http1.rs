//! HTTP/1.1: one task per connection, one request after the other.
//!
//! While a request is on its way the client is watched: when it leaves, the exchange is dropped, which
//! closes the upstream's connection (B01). What a client sends ahead of its turn waits in `pending`.

mod intake;
mod output;
mod wire;

pub(crate) use wire::Wire;

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use llm_edge_core::http1::{Http1Error, Progress, RequestFraming, RequestHead};
use llm_edge_core::rejection::{Code, Rejection};

use super::Client;
use crate::deadlines::Lapse;
use crate::exchange::{Exchange, serve as serve_exchange};
use crate::fail_points::fail_point;
use crate::panics::{Panic, caught};
use crate::socket::Socket;
use crate::stations::head::refused;
use crate::stations::stream;
use crate::worker::Worker;

/// What becomes of a connection after a reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum After {
    /// Another request may come.
    Keep,
    /// The client was told, or left: close.
    Close,
    /// Only a reset tells the client that its reply is not whole.
    Abort,
    /// The client may still be sending: read what comes for a while, or the reset would eat our reply.
    Linger,
}

/// Serves a connection until it ends. `pending` was read from it before.
pub(crate) async fn serve(worker: Rc<Worker>, socket: Socket, pending: Vec<u8>) {
    let wire = Rc::new(Wire::new(&worker, socket, pending));
    let mut first = true;
    loop {
        if !wire.await_request(&worker, first).await {
            break;
        }
        first = false;
        // Boxed, so that an idle connection is small; in place, since all of it would be moved there.
        match Box::into_pin(Box::write(Box::new_uninit(), one_request(&worker, &wire))).await {
            After::Keep => {}
            After::Close => {
                if wire.has_unread().await {
                    wire.linger().await;
                }
                break;
            }
            After::Linger => {
                wire.linger().await;
                break;
            }
            After::Abort => return wire.abort(),
        }
    }
    wire.close().await;
}

async fn one_request(worker: &Rc<Worker>, wire: &Rc<Wire>) -> After {
    let mut input = wire.take_pending(worker);
    let mut head = worker.take_head();
    match read_head(worker, wire, &mut input, &mut head).await {
        Ok(()) => {}
        Err(HeadFailure::Gone) => return After::Close,
        Err(HeadFailure::Refused(rejection)) => {
            let x = Exchange::new(worker, Client::Http1(Rc::clone(wire)), input, RequestHead::default());
            let reply = stream::reject(x, &rejection);
            output::write(wire, reply, false, false).await;
            return After::Linger;
        }
    }
    let without_body = matches!(head.framing, RequestFraming::None | RequestFraming::Length(0));
    wire.set_request_read(without_body);
    if let Some(ahead) = input.get(head.len..).filter(|ahead| without_body && !ahead.is_empty()) {
        wire.keep_pending(ahead);
        input.truncate(head.len);
    }
    let keep_alive = head.keep_alive && !head.upgrade;
    let takes_chunks = head.version == llm_edge_core::http1::Version::Http11;
    let x = Exchange::new(worker, Client::Http1(Rc::clone(wire)), input, head);
    // A block of its own: what it holds and what writing holds are never there together.
    let reply = {
        let exchange = pin!(serve_exchange(x));
        unless_gone(wire, pin!(caught(exchange))).await
    };
    let Some(reply) = reply else { return After::Close };
    if let Ok(reply) = reply {
        return output::write(wire, reply, keep_alive, takes_chunks).await;
    }
    let x = Exchange::new(worker, Client::Http1(Rc::clone(wire)), Vec::new(), RequestHead::default());
    output::write(wire, stream::reject(x, &Panic::rejection(worker)), false, takes_chunks).await
}

enum HeadFailure {
    Gone,
    Refused(Rejection),
}

async fn read_head(
    worker: &Rc<Worker>,
    wire: &Wire,
    input: &mut Vec<u8>,
    head: &mut RequestHead,
) -> Result<(), HeadFailure> {
    fail_point!("http1.head");
    let loaded = worker.loaded();
    let head_ms = loaded.snapshot.limits.head_ms;
    wire.timer.arm(head_ms);
    loop {
        if !input.is_empty() {
            match head.parse(input, &loaded.head_limits) {
                Ok(Progress::Complete) => return Ok(()),
                Ok(Progress::Partial) => {}
                Err(e) => return Err(HeadFailure::Refused(explained(e, worker))),
            }
        }
        match wire.timer.limit(wire.read(input)).await {
            Ok(Ok(0) | Err(_)) | Err(Lapse::Closing) => return Err(HeadFailure::Gone),
            Ok(Ok(_)) => {}
            Err(Lapse::Elapsed) if input.is_empty() => return Err(HeadFailure::Gone),
            Err(Lapse::Elapsed) => {
                return Err(HeadFailure::Refused(Rejection::new(
                    Code::RequestTimeout,
                    format!("the request's head was not complete after {head_ms} ms (`limits.head_ms`)"),
                )));
            }
        }
    }
}

/// The codec's refusal, with the named limit where it was one.
pub(super) fn explained(error: Http1Error, worker: &Worker) -> Rejection {
    let mut rejection = refused(error);
    let loaded = worker.loaded();
    let limits = &loaded.snapshot.limits;
    let limit = match error {
        Http1Error::HeadTooLarge => format!(" (`limits.head_bytes_max` is {})", limits.head_bytes_max),
        Http1Error::TooManyFields => format!(" (`limits.headers_max` is {})", limits.headers_max),
        Http1Error::TargetTooLong => format!(" (`limits.target_bytes_max` is {})", limits.target_bytes_max),
        _ => return rejection,
    };
    rejection.message.push_str(&limit);
    rejection
}

/// Drives `future` to its end, unless the client leaves before.
async fn unless_gone<F: Future>(wire: &Wire, mut future: Pin<&mut F>) -> Option<F::Output> {
    let mut gone_unread = None;
    poll_fn(|cx| {
        if let Poll::Ready(output) = future.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if wire.poll_gone(cx).is_ready() {
            return Poll::Ready(None);
        }
        if !wire.has_stopped_reading() {
            return Poll::Pending;
        }
        // Boxed: it is as good as never needed.
        let gone = gone_unread.get_or_insert_with(|| Box::pin(wire.gone_unread()));
        gone.as_mut().poll(cx).map(|()| None)
    })
    .await
}
