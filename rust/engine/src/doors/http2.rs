//! HTTP/2: framing, flow control and flood defences are hyper's and h2's; a stream becomes an exchange like
//! any other request.
//!
//! The head is written out as the same spans that the HTTP/1.1 codec makes, so that no station can tell the
//! difference. When a client resets a stream, hyper drops its future, which drops the exchange.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as HyperBody, Frame, Incoming};
use hyper::header::{HeaderName, HeaderValue};
use hyper_util::rt::TokioIo;
use llm_edge_core::http1::{Field, Known, RequestFraming, RequestHead};
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::span::Span;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Client;
use crate::deadlines::Timer;
use crate::exchange::{Body, Ending, Exchange, Reply, serve as serve_exchange};
use crate::stations::authenticate::Remembered;
use crate::stations::body::BodyError;
use crate::stations::stream::{self, Framing, Progress};
use crate::worker::Worker;

/// Streams one connection may have open.
const STREAMS_MAX: u32 = 256;
/// What a stream may send before it must be told that it may send more: most requests fit.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;

/// What an exchange needs of its stream.
pub(crate) struct Stream {
    incoming: RefCell<Option<Incoming>>,
    read: Cell<bool>,
    pub(crate) timer: Timer,
    pub(crate) remembered: RefCell<Option<Remembered>>,
}

#[derive(Clone)]
struct OnThisThread;

impl<F> hyper::rt::Executor<F> for OnThisThread
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        drop(tokio::task::spawn_local(future));
    }
}

/// Serves a connection until it ends.
pub(super) async fn serve<S>(worker: Rc<Worker>, socket: S)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = worker.loaded().snapshot.limits.clone();
    let service = {
        let worker = Rc::clone(&worker);
        hyper::service::service_fn(move |request| answer(Rc::clone(&worker), request))
    };
    let connection = hyper::server::conn::http2::Builder::new(OnThisThread)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(limits.head_bytes_max)
        .serve_connection(TokioIo::new(socket), service);
    tokio::pin!(connection);
    let drain = worker.drain.notified();
    tokio::pin!(drain);
    if worker.shared.draining() {
        connection.as_mut().graceful_shutdown();
    }
    // What ended the connection concerns its client, who has seen it; the exchanges settle by themselves.
    tokio::select! {
        _ = connection.as_mut() => {}
        () = &mut drain => {
            connection.as_mut().graceful_shutdown();
            drop(connection.await);
        }
    }
}

async fn answer(
    worker: Rc<Worker>,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Outgoing>, Infallible> {
    let (parts, incoming) = request.into_parts();
    let stream = Rc::new(Stream {
        read: Cell::new(incoming.is_end_stream()),
        incoming: RefCell::new(Some(incoming)),
        timer: worker.deadlines.timer(),
        remembered: RefCell::new(None),
    });
    let mut input = worker.buffers.take();
    let mut head = worker.take_head();
    let checked = write_out(&parts, &mut input, &mut head, &worker);
    let x = Exchange::new(&worker, Client::Http2(stream), input, head);
    let reply = match checked {
        Ok(()) => Box::pin(serve_exchange(x)).await,
        Err(rejection) => stream::reject(x, &rejection),
    };
    Ok(respond(reply).await)
}

/// Writes the head into `input` and its places into `head`.
fn write_out(
    parts: &hyper::http::request::Parts,
    input: &mut Vec<u8>,
    head: &mut RequestHead,
    worker: &Worker,
) -> Result<(), Rejection> {
    let mut put = |bytes: &[u8]| {
        let start = input.len();
        input.extend_from_slice(bytes);
        Span::new(start, input.len())
    };
    head.method = put(parts.method.as_str().as_bytes());
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    head.target = put(target.as_bytes());
    let limits = worker.loaded().snapshot.limits.clone();
    if target.len() > limits.target_bytes_max as usize {
        let message =
            format!("the target is too long (`limits.target_bytes_max` is {})", limits.target_bytes_max);
        return Err(Rejection::new(Code::TargetTooLong, message));
    }
    if parts.uri.authority().is_none() && !parts.headers.contains_key("host") {
        return Err(Rejection::new(Code::BadHttp, "the request names no host (`:authority` or `host`)"));
    }
    if parts.headers.len() > usize::from(limits.headers_max) {
        let message = format!("too many header fields (`limits.headers_max` is {})", limits.headers_max);
        return Err(Rejection::new(Code::HeadTooLarge, message));
    }
    for (name, value) in &parts.headers {
        let known = Known::of(name.as_str().as_bytes());
        head.fields.push(Field {
            name: put(name.as_str().as_bytes()),
            value: put(value.as_bytes().trim_ascii()),
            known,
        });
    }
    head.framing = RequestFraming::None;
    head.keep_alive = true;
    head.len = input.len();
    Ok(())
}

impl Stream {
    /// Reads the request to its end, behind the head.
    ///
    /// # Errors
    /// [`BodyError`]: the body is not all there, and will not be.
    pub(crate) async fn read_body(&self, x: &mut Exchange) -> Result<Span, BodyError> {
        let start = x.input.len();
        let incoming = self.incoming.borrow_mut().take();
        let Some(mut incoming) = incoming else { return Ok(Span::new(start, start)) };
        if let Some(length) = incoming.size_hint().exact() {
            x.hold(length)?;
        }
        loop {
            self.timer.arm(x.loaded.snapshot.limits.body_progress_ms);
            let frame = match self.timer.limit(incoming.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return Err(BodyError::Gone),
                Ok(None) => break,
                Err(_) => return Err(BodyError::Stalled),
            };
            if let Ok(data) = frame.into_data() {
                x.hold((x.input.len() - start + data.len()) as u64)?;
                x.input.extend_from_slice(&data);
            }
        }
        self.read.set(true);
        Ok(Span::new(start, x.input.len()))
    }

    pub(crate) fn request_is_read(&self) -> bool {
        self.read.get()
    }
}

async fn respond(mut reply: Reply) -> hyper::Response<Outgoing> {
    reply.begin();
    // A reply that breaks off before its first byte becomes an error of its own, as on HTTP/1.1.
    let mut first = None;
    if let Body::Relay(relay) = &mut reply.body
        && !relay.is_event_stream()
    {
        let mut relay = std::mem::replace(&mut reply.body, Body::Whole(Vec::new()));
        if let Body::Relay(relay) = &mut relay {
            let _ = relay.framing(false);
            first = Some(relay.advance(&mut reply.exchange).await);
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
        Body::Relay(relay) => match relay.framing(false) {
            Framing::Length(n) if first.is_none() => Some(n),
            Framing::Length(_) | Framing::Chunked | Framing::Payload => None,
        },
    };
    if let Some(length) = length {
        response.headers_mut().insert(hyper::header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response.map(|()| Outgoing { state: State::Ready(Box::new(reply), first.map(Box::new)) })
}

/// A reply's body, pulled by hyper as the client's window allows.
struct Outgoing {
    state: State,
}

type Next = Pin<Box<dyn Future<Output = (Box<Reply>, Bytes, Option<Ended>)>>>;

enum State {
    /// Nothing under way; the progress is one that was made before hyper asked.
    Ready(Box<Reply>, Option<Box<Progress>>),
    Waiting(Next),
    /// The stream must be reset after what was written.
    Broken,
    Over,
}

enum Ended {
    Whole,
    Cut(Rejection),
}

/// The client cannot take the rest: the stream is reset.
#[derive(Debug)]
struct Cut;

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
        loop {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Over => return Poll::Ready(None),
                State::Broken => return Poll::Ready(Some(Err(Cut))),
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
                                State::Broken
                            }
                        };
                        if !bytes.is_empty() {
                            return Poll::Ready(Some(Ok(Frame::data(bytes))));
                        }
                    }
                },
            }
        }
    }
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
                None => relay.advance(&mut reply.exchange).await,
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
