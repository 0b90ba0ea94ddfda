//! HTTP/2: framing, flow control and flood defences are hyper's and h2's; a stream becomes an exchange like
//! any other request.
//!
//! The head is written out as the same spans that the HTTP/1.1 codec makes, so that no station can tell the
//! difference. When a client resets a stream, hyper drops its future, which drops the exchange.

mod outgoing;
mod watched;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use hyper_util::rt::{TokioIo, TokioTimer};
use llm_edge_core::http1::{Progress, RequestHead, write as http};
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::snapshot::Limits;
use llm_edge_core::span::Span;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;

use super::Client;
use super::http1::explained;
use crate::deadlines::{Lapse, Timer};
use crate::exchange::{Exchange, serve as serve_exchange};
use crate::fail_points::fail_point;
use crate::panics::{Panic, caught};
use crate::stamp::Stamp;
use crate::stations::authenticate::Remembered;
use crate::stations::body::{BodyError, Pace};
use crate::stations::stream;
use crate::worker::Worker;
use outgoing::Outgoing;
use watched::Watched;

/// Streams one connection may have open.
const STREAMS_MAX: u32 = 256;
/// What a stream may send before it must be told that it may send more: most requests fit.
const STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const CONNECTION_WINDOW_BYTES: u32 = 1024 * 1024;
/// What of a reply waits for the client beyond what its window lets out.
const SEND_BUFFER_BYTES: usize = 64 * 1024;

/// What an exchange needs of its stream.
pub(crate) struct Stream {
    incoming: RefCell<Option<Incoming>>,
    read: Cell<bool>,
    pub(crate) timer: Timer,
    pub(crate) remembered: RefCell<Option<Remembered>>,
}

/// Runs a connection's streams on its thread, and keeps hold of their tasks.
#[derive(Clone)]
struct Streams(Rc<Connection>);

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + 'static,
    F::Output: 'static,
{
    fn execute(&self, future: F) {
        let task = tokio::task::spawn_local(future);
        // hyper calls the service, which opens the stream, and hands its future over right after.
        if let Some(stream) = self.0.opened_last.borrow_mut().take() {
            stream.task.replace(Some(task.abort_handle()));
        }
    }
}

/// What is known of a connection while hyper drives it.
pub(super) struct Connection {
    worker: Rc<Worker>,
    open: Cell<u32>,
    /// When the last stream ended, on the worker's coarse clock; the connection's start before the first.
    quiet_since_ms: Cell<u64>,
    begun: Cell<bool>,
    next_stream: Cell<u64>,
    streams: RefCell<HashMap<u64, Rc<Handle>>>,
    opened_last: RefCell<Option<Rc<Handle>>>,
}

/// An open stream as its connection sees it.
#[derive(Default)]
struct Handle {
    /// Since when its client has not come back for more, having been handed something.
    handed_out_ms: Cell<Option<u64>>,
    task: RefCell<Option<AbortHandle>>,
}

/// How often a connection's deadlines are looked at.
const LOOK_MS: u32 = 500;
/// The same while it is to end.
const LEAVING_LOOK_MS: u32 = 50;
/// What a connection gets to say its farewell.
const FAREWELL: Duration = Duration::from_millis(500);
/// Pings find a peer that is gone without a word.
const PING_EVERY: Duration = Duration::from_secs(30);

/// Serves a connection until it ends, by itself or by a deadline.
pub(super) async fn serve<S>(worker: Rc<Worker>, socket: S)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let limits = worker.loaded().snapshot.limits.clone();
    let state = Rc::new(Connection {
        open: Cell::new(0),
        quiet_since_ms: Cell::new(worker.deadlines.now_ms()),
        begun: Cell::new(false),
        next_stream: Cell::new(0),
        streams: RefCell::default(),
        opened_last: RefCell::default(),
        worker: Rc::clone(&worker),
    });
    let service = {
        let state = Rc::clone(&state);
        hyper::service::service_fn(move |request| answer(state.open(), request))
    };
    let connection = hyper::server::conn::http2::Builder::new(Streams(Rc::clone(&state)))
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .max_concurrent_streams(STREAMS_MAX)
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        // h2 answers a list beyond its bound with a bare 431. Up to twice ours it is let through to the codec,
        // whose answer names the limit.
        .max_header_list_size(limits.head_bytes_max.saturating_mul(2))
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .serve_connection(TokioIo::new(Watched::new(socket, &worker.deadlines)), service);
    tokio::pin!(connection);
    let drain = worker.drain.notified();
    tokio::pin!(drain);
    let mut leave = if worker.shared.draining() { Leave::Begun(Stamp::now()) } else { Leave::No };
    if let Leave::Begun(_) = leave {
        connection.as_mut().graceful_shutdown();
    }
    let timer = worker.deadlines.timer();
    loop {
        timer.arm(if leave == Leave::No { LOOK_MS } else { LEAVING_LOOK_MS });
        // What ended the connection concerns its client, who has seen it; exchanges settle by themselves.
        let told = timer
            .limit(poll_fn(|cx| {
                if connection.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Told::Ended);
                }
                if leave == Leave::No && drain.as_mut().poll(cx).is_ready() {
                    return Poll::Ready(Told::Drain);
                }
                match leave {
                    Leave::AtNextStream(at) if state.next_stream.get() != at => Poll::Ready(Told::Leave),
                    _ => Poll::Pending,
                }
            }))
            .await;
        match told {
            Ok(Told::Ended) => return,
            Ok(Told::Drain) => leave = Leave::AtNextStream(state.next_stream.get()),
            Ok(Told::Leave) => {
                leave = Leave::Begun(Stamp::now());
                connection.as_mut().graceful_shutdown();
            }
            Err(Lapse::Elapsed) => match (state.overdue(&limits), leave) {
                (Overdue::Quiet, Leave::No) | (Overdue::No, Leave::AtNextStream(_))
                    if state.is_quiet_for(LEAVING_LOOK_MS) =>
                {
                    leave = Leave::Begun(Stamp::now());
                    connection.as_mut().graceful_shutdown();
                }
                (Overdue::Quiet, _) => return,
                // A client that reads nothing while it asks nothing does not hear that it was told to go.
                (Overdue::No, Leave::Begun(at)) if state.is_quiet_for(0) && at.elapsed() > FAREWELL => return,
                (Overdue::No, _) => {}
            },
            Err(Lapse::Closing) => {
                connection.as_mut().graceful_shutdown();
                drop(tokio::time::timeout(FAREWELL, connection).await);
                return;
            }
        }
    }
}

enum Told {
    Ended,
    Drain,
    Leave,
}

/// Whether the client was told to go elsewhere.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Leave {
    No,
    /// It is told when it asks for more than these streams, or has none left: some clients (Python's h2) give up
    /// whatever is under way when they hear of it.
    AtNextStream(u64),
    Begun(Stamp),
}

enum Overdue {
    No,
    /// No stream for too long.
    Quiet,
}

impl Connection {
    fn overdue(&self, limits: &Limits) -> Overdue {
        let now_ms = self.worker.deadlines.now_ms();
        let since = |then: u64| now_ms.saturating_sub(then);
        for stream in self.streams.borrow().values() {
            if stream.handed_out_ms.get().is_some_and(|then| since(then) > u64::from(limits.write_stall_ms)) {
                stream.handed_out_ms.set(None);
                self.worker.bank.worker.stalled_streams.add(1);
                // Dropping its future resets the stream, and with it the exchange. Others of this client
                // are not at fault.
                if let Some(task) = &*stream.task.borrow() {
                    task.abort();
                }
            }
        }
        let quiet_ms = if self.begun.get() { limits.idle_ms } else { limits.head_ms };
        if self.is_quiet_for(quiet_ms) { Overdue::Quiet } else { Overdue::No }
    }

    /// No stream has been open for longer than that: what the last one said has left.
    fn is_quiet_for(&self, ms: u32) -> bool {
        let since_ms = self.worker.deadlines.now_ms().saturating_sub(self.quiet_since_ms.get());
        self.open.get() == 0 && since_ms > u64::from(ms)
    }

    /// Counts a stream for as long as the returned value lives.
    fn open(self: &Rc<Self>) -> Open {
        self.begun.set(true);
        self.open.set(self.open.get() + 1);
        let id = self.next_stream.get();
        self.next_stream.set(id + 1);
        let stream = Rc::new(Handle::default());
        self.streams.borrow_mut().insert(id, Rc::clone(&stream));
        self.opened_last.replace(Some(Rc::clone(&stream)));
        Open { connection: Rc::clone(self), id, stream }
    }
}

/// One open stream of a connection.
pub(super) struct Open {
    connection: Rc<Connection>,
    id: u64,
    stream: Rc<Handle>,
}

impl Open {
    /// A frame was handed out: from now on its client owes us a step.
    fn handed_out(&self) {
        self.stream.handed_out_ms.set(Some(self.connection.worker.deadlines.now_ms()));
    }

    /// The client takes more.
    fn taken(&self) {
        self.stream.handed_out_ms.set(None);
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let connection = &self.connection;
        if std::thread::panicking() {
            connection.worker.shared.panics.count();
        }
        connection.streams.borrow_mut().remove(&self.id);
        connection.open.set(connection.open.get().saturating_sub(1));
        connection.quiet_since_ms.set(connection.worker.deadlines.now_ms());
    }
}

async fn answer(
    open: Open,
    request: hyper::Request<Incoming>,
) -> Result<hyper::Response<Outgoing>, Infallible> {
    fail_point!("http2.stream");
    let worker = Rc::clone(&open.connection.worker);
    let (parts, incoming) = request.into_parts();
    let stream = Rc::new(Stream {
        read: Cell::new(incoming.is_end_stream()),
        incoming: RefCell::new(Some(incoming)),
        timer: worker.deadlines.timer(),
        remembered: RefCell::new(None),
    });
    // As large as the head, since a stream costs its client a few bytes: a buffer of the worker's for each of
    // thousands that wait would be a hundred times what they sent.
    let mut input = Vec::with_capacity(head_bytes(&parts));
    let mut head = worker.take_head();
    let checked = write_out(&parts, &mut input, &mut head, &worker);
    let again = Rc::clone(&stream);
    let x = Exchange::new(&worker, Client::Http2(stream), input, head);
    let reply = match checked {
        Ok(()) => caught(Box::pin(serve_exchange(x)).as_mut()).await.unwrap_or_else(|Panic| {
            let x = Exchange::new(&worker, Client::Http2(again), Vec::new(), RequestHead::default());
            stream::reject(x, &Panic::rejection(&worker))
        }),
        Err(rejection) => stream::reject(x, &rejection),
    };
    Ok(outgoing::respond(reply, open).await)
}

/// About what the head takes when it is written out.
fn head_bytes(parts: &hyper::http::request::Parts) -> usize {
    let fields = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4);
    let target = parts.uri.path_and_query().map_or(1, |target| target.as_str().len());
    let authority = parts.uri.authority().map_or(0, |authority| authority.as_str().len());
    fields.sum::<usize>() + target + authority + 64
}

/// Writes the head into `input` as HTTP/1.1 has it and lets the codec read it: one set of rules for both.
fn write_out(
    parts: &hyper::http::request::Parts,
    input: &mut Vec<u8>,
    head: &mut RequestHead,
    worker: &Worker,
) -> Result<(), Rejection> {
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    input.extend_from_slice(parts.method.as_str().as_bytes());
    input.push(b' ');
    input.extend_from_slice(target.as_bytes());
    input.extend_from_slice(b" HTTP/1.1\r\n");
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    if let Some(authority) = authority {
        http::field(input, b"host", authority);
    }
    for (name, value) in &parts.headers {
        let is_host = name == hyper::header::HOST;
        if is_host && authority.is_some_and(|authority| !authority.eq_ignore_ascii_case(value.as_bytes())) {
            return Err(Rejection::new(Code::BadHttp, "`:authority` and `host` name different hosts"));
        }
        // The length of the body is the stream's, and whoever expects a go-ahead has it from flow control.
        let said_otherwise = matches!(*name, hyper::header::CONTENT_LENGTH | hyper::header::EXPECT);
        let said_before = is_host && authority.is_some();
        if !(said_otherwise || said_before) {
            http::field(input, name.as_str().as_bytes(), value.as_bytes());
        }
    }
    input.extend_from_slice(b"\r\n");
    let loaded = worker.loaded();
    match head.parse(input, &loaded.head_limits) {
        Ok(Progress::Complete) => Ok(()),
        Ok(Progress::Partial) => Err(Rejection::new(Code::BadHttp, "the request's head is not complete")),
        Err(e) => Err(explained(e, worker)),
    }
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
        let pace = Pace::begin(x.worker.deadlines.now_ms());
        loop {
            let received = x.input.len() - start;
            pace.arm(&self.timer, &x.loaded.snapshot.limits, received);
            let frame = match self.timer.limit(incoming.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(None) if incoming.is_end_stream() => break,
                // A reset without an error code ends the body as if it were whole.
                Ok(None | Some(Err(_))) => return Err(BodyError::Gone),
                Err(_) => {
                    let now_ms = x.worker.deadlines.now_ms();
                    return Err(pace.lapsed(now_ms, &x.loaded.snapshot.limits, received));
                }
            };
            if let Ok(data) = frame.into_data() {
                x.hold((received + data.len()) as u64)?;
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
