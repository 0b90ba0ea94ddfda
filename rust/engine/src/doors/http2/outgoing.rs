//! Replies over HTTP/2: pulled by hyper as the client's window allows.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body as HyperBody, Frame};
use hyper::header::{HeaderName, HeaderValue};
use llm_edge_core::rejection::Rejection;

use super::Open;
use crate::exchange::{Body, Ending, Exchange, Reply};
use crate::fail_points::fail_point;
use crate::panics::{Panic, caught};
use crate::stations::stream::{self, Progress, Relay};

/// The response for a reply; the body settles it.
pub(super) async fn respond(mut reply: Reply, open: Open) -> hyper::Response<Outgoing> {
    fail_point!("http2.respond");
    reply.begin();
    // A reply that breaks off before its first byte becomes an error of its own, as on HTTP/1.1.
    let mut first = None;
    let mut length = None;
    if let Body::Relay(relay) = &mut reply.body
        && !relay.is_event_stream()
    {
        let mut relay = std::mem::replace(&mut reply.body, Body::Whole(Vec::new()));
        if let Body::Relay(relay) = &mut relay {
            length = relay.framing(false).length();
            first = Some(advance(relay, &mut reply.exchange).await);
        }
        reply.body = relay;
        if let Some(Progress::Broken(rejection)) = &first {
            let rejection = rejection.clone();
            let Reply { exchange, .. } = reply;
            reply = stream::reject(exchange, &rejection);
            reply.begin();
            first = None;
        }
    }
    let mut response = hyper::Response::new(());
    *response.status_mut() =
        hyper::StatusCode::from_u16(reply.status).unwrap_or(hyper::StatusCode::BAD_GATEWAY);
    for line in reply.fields.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = line.split_at(colon);
        // The codec has checked both; HTTP/2 wants names in lower case, which `from_bytes` sees to.
        if let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(name),
            HeaderValue::from_bytes(value.get(1..).unwrap_or_default().trim_ascii()),
        ) {
            response.headers_mut().append(name, value);
        }
    }
    let length = match &mut reply.body {
        Body::Whole(bytes) => Some(bytes.len() as u64),
        Body::Stored(stored) => Some(stored.body.len() as u64),
        Body::Relay(relay) if first.is_none() => relay.framing(false).length(),
        Body::Relay(_) => length,
    };
    if let Some(length) = length {
        response.headers_mut().insert(hyper::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.map(|()| Outgoing { state: State::Ready(Box::new(reply), first.map(Box::new)), open })
}

/// A reply's body, pulled by hyper as the client's window allows.
pub(super) struct Outgoing {
    state: State,
    open: Open,
}

type Next = Pin<Box<dyn Future<Output = (Box<Reply>, Bytes, Option<Ended>)>>>;

enum State {
    /// Nothing under way; the progress is one that was made before hyper asked.
    Ready(Box<Reply>, Option<Box<Progress>>),
    Waiting(Next),
    /// The stream must be reset after what was written. A reset takes back what still waits to be written, so
    /// the connection gets one turn for that first; where the client's window has no room, it is lost.
    Broken {
        written: bool,
    },
    Over,
}

enum Ended {
    Whole,
    Cut(Rejection),
}

/// The client cannot take the rest: the stream is reset.
#[derive(Debug)]
pub(super) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the reply broke off")
    }
}

impl std::error::Error for Cut {}

impl HyperBody for Outgoing {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        self.open.taken();
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Broken { written: true } => return Poll::Ready(Some(Err(Cut))),
                State::Broken { written: false } => {
                    self.state = State::Broken { written: true };
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                State::Ready(reply, progress) => self.state = State::Waiting(Box::pin(next(reply, progress))),
                State::Waiting(mut future) => match future.as_mut().poll(cx) {
                    Poll::Pending => {
                        self.state = State::Waiting(future);
                        return Poll::Pending;
                    }
                    Poll::Ready((reply, bytes, ended)) => {
                        self.state = match ended {
                            None => State::Ready(reply, None),
                            Some(Ended::Whole) => {
                                reply.finish(Ending::Whole);
                                State::Over
                            }
                            Some(Ended::Cut(rejection)) => {
                                reply.finish(Ending::Cut(rejection.code));
                                State::Broken { written: false }
                            }
                        };
                        if !bytes.is_empty() {
                            self.open.handed_out();
                            return Poll::Ready(Some(Ok(Frame::data(bytes))));
                        }
                    }
                },
            }
        }
    }
}

/// The next step of a relayed body; a panic is one that breaks it off.
async fn advance(relay: &mut Relay, exchange: &mut Exchange) -> Progress {
    let advanced = caught(pin!(async {
        fail_point!("stream.advance");
        relay.advance(exchange).await
    }))
    .await;
    advanced.unwrap_or_else(|Panic| relay.failed(&Panic::rejection(&exchange.worker)))
}

async fn next(mut reply: Box<Reply>, progress: Option<Box<Progress>>) -> (Box<Reply>, Bytes, Option<Ended>) {
    let mut body = std::mem::replace(&mut reply.body, Body::Whole(Vec::new()));
    let (bytes, ended) = match &mut body {
        Body::Whole(_) if reply.exchange.is_head_request() => (Bytes::new(), Some(Ended::Whole)),
        Body::Whole(bytes) => (Bytes::from(std::mem::take(bytes)), Some(Ended::Whole)),
        Body::Stored(stored) => (Bytes::copy_from_slice(&stored.body), Some(Ended::Whole)),
        Body::Relay(relay) => {
            let progress = match progress {
                Some(made) => *made,
                None => advance(relay, &mut reply.exchange).await,
            };
            let (buffer, runs) = relay.runs();
            let mut bytes = Vec::with_capacity(runs.iter().map(|run| run.end - run.start).sum());
            for run in runs {
                bytes.extend_from_slice(buffer.get(run.start..run.end).unwrap_or_default());
            }
            let ended = match progress {
                Progress::More => None,
                Progress::Whole => Some(Ended::Whole),
                Progress::Broken(rejection) => {
                    bytes.extend_from_slice(&relay.farewell(&reply.exchange, &rejection));
                    Some(Ended::Cut(rejection))
                }
            };
            (Bytes::from(bytes), ended)
        }
    };
    reply.body = body;
    reply.exchange.facts.reply_bytes += bytes.len() as u64;
    reply.replied();
    (reply, bytes, ended)
}
