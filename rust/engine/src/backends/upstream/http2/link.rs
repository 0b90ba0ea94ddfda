//! A connection that carries streams, the task that drives it, and the places on it.
//!
//! A place is taken before a stream is opened and given back when the stream is dropped, so no more streams
//! are opened than the peer allows, and whoever waits for a place is told when one is free.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Ping, SendStream};
use http::Request;
use http::uri::Scheme;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;

use super::Stream;

/// Streams we open on one connection, whatever the peer allows: they share its loss and its congestion.
const STREAMS_MAX: usize = 100;
/// What a stream may receive before the relay takes it: with the relay's own buffer it stays below 256 KiB.
const STREAM_WINDOW_BYTES: u32 = 192 * 1024;
/// All streams' windows and more, so that one that stands still never stops another.
const CONNECTION_WINDOW_BYTES: u32 = 32 * 1024 * 1024;
/// h2's allowance for the bookkeeping of small frames that wait; beyond it the connection is closed. Windows
/// full of events of 50 bytes on every stream stay below.
const SMALL_FRAMES_BYTES: usize = 128 * 1024 * 1024;
/// Stands for the peer's bound on streams until its settings have come; nobody allows just so many.
const NOT_SAID: usize = 0x7FFF_FFF1;
/// Streams that were reset and of which frames may still be on the way.
const RESET_STREAMS_MAX: usize = 1024;

/// What a connection is opened with.
#[derive(Clone, Copy)]
pub(crate) struct LinkOptions {
    pub(crate) head_bytes_max: u32,
    pub(crate) ping_ms: u32,
    /// Where it leads to, unless that was configured as an address.
    pub(crate) address: Option<IpAddr>,
    /// On the worker's coarse clock: from then on it takes no further stream.
    pub(crate) expires_ms: u64,
}

/// See the module.
pub(crate) struct Link {
    requests: RefCell<SendRequest<Bytes>>,
    shared: Rc<Shared>,
    scheme: Scheme,
    pub(crate) options: LinkOptions,
    /// On the worker's coarse clock; kept by the pool.
    pub(crate) idle_since_ms: Cell<u64>,
}

/// What the connection's task, its places and its socket tell one another.
struct Shared {
    open: Cell<usize>,
    opened: Cell<u64>,
    ended: Cell<bool>,
    written: Cell<u64>,
    /// Something was read since the last look.
    heard: Cell<bool>,
    /// What the peer allows, once it has said so.
    allowed: Cell<Option<usize>>,
    /// Places became free, or the connection ended.
    changed: Rc<Notify>,
}

impl Link {
    /// Speaks the preface and starts the task that drives the connection. The first stream may be opened at
    /// once, others when the peer has said how many it allows.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) async fn open<S>(
        io: S,
        scheme: Scheme,
        options: LinkOptions,
        changed: &Rc<Notify>,
    ) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let shared = Rc::new(Shared {
            open: Cell::new(0),
            opened: Cell::new(0),
            ended: Cell::new(false),
            written: Cell::new(0),
            heard: Cell::new(false),
            allowed: Cell::new(None),
            changed: Rc::clone(changed),
        });
        let watched = Watched { io, shared: Rc::clone(&shared) };
        let (requests, connection) = h2::client::Builder::new()
            .enable_push(false)
            .initial_max_send_streams(NOT_SAID)
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .data_frame_budget(SMALL_FRAMES_BYTES)
            .max_header_list_size(options.head_bytes_max)
            .max_concurrent_reset_streams(RESET_STREAMS_MAX)
            .handshake::<_, Bytes>(watched)
            .await
            .map_err(super::io_error)?;
        let task = drive(connection, Rc::clone(&shared), options.ping_ms);
        drop(tokio::task::spawn_local(task));
        Ok(Self { requests: RefCell::new(requests), shared, scheme, options, idle_since_ms: Cell::new(0) })
    }

    /// Whether it takes no stream any more: it has ended, or the peer has said so (GOAWAY).
    pub(crate) fn is_ended(&self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        self.shared.ended.get()
            || matches!(self.requests.borrow_mut().poll_ready(&mut cx), Poll::Ready(Err(_)))
    }

    /// Streams open, and places kept for one.
    pub(crate) fn open_streams(&self) -> usize {
        self.shared.open.get()
    }

    /// Streams it may carry at one time.
    pub(crate) fn streams_max(&self) -> usize {
        self.shared.allowed.get().unwrap_or(1)
    }

    /// Whether the peer has said how many.
    pub(crate) fn is_settled(&self) -> bool {
        self.shared.allowed.get().is_some()
    }

    /// A place for one stream; the caller has seen that there is one.
    pub(crate) fn take_place(self: &Rc<Self>) -> Stream {
        self.shared.open.set(self.shared.open.get() + 1);
        Stream::new(Seat { link: Rc::clone(self) })
    }
}

/// A place on a connection for as long as it lives.
pub(super) struct Seat {
    link: Rc<Link>,
}

impl Seat {
    pub(super) fn scheme(&self) -> &Scheme {
        &self.link.scheme
    }

    pub(super) fn is_reused(&self) -> bool {
        self.link.shared.opened.get() > 0
    }

    /// Bytes the connection has written so far.
    pub(super) fn written(&self) -> u64 {
        self.link.shared.written.get()
    }

    /// Opens the stream.
    ///
    /// # Errors
    /// h2's; no byte was written.
    pub(super) fn open(
        &self,
        request: Request<()>,
        without_body: bool,
    ) -> Result<(ResponseFuture, SendStream<Bytes>), h2::Error> {
        let shared = &self.link.shared;
        shared.opened.set(shared.opened.get() + 1);
        // A handle of its own: one that has sent remembers a stream that must wait, and refuses the next.
        let mut requests = self.link.requests.borrow().clone();
        requests.send_request(request, without_body)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let shared = &self.link.shared;
        shared.open.set(shared.open.get().saturating_sub(1));
        shared.changed.notify_one();
    }
}

enum Told {
    Ended,
    Look,
}

/// Drives the connection until it ends, or is silent although it was pinged.
async fn drive<S>(mut connection: h2::client::Connection<Watched<S>, Bytes>, shared: Rc<Shared>, ping_ms: u32)
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
{
    let mut pings = connection.ping_pong();
    let mut pinged = false;
    let every = Duration::from_millis(u64::from(ping_ms));
    loop {
        let look = async {
            if every.is_zero() {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(every).await;
        };
        let mut look = pin!(look);
        let told = poll_fn(|cx| {
            if Pin::new(&mut connection).poll(cx).is_ready() {
                return Poll::Ready(Told::Ended);
            }
            let said = connection.max_concurrent_send_streams();
            let allowed = (said != NOT_SAID).then_some(said.min(STREAMS_MAX));
            if shared.allowed.replace(allowed) < allowed {
                shared.changed.notify_waiters();
            }
            if let Some(pings) = &mut pings {
                // Only taken off: that something was read is what counts.
                drop(pings.poll_pong(cx));
            }
            look.as_mut().poll(cx).map(|()| Told::Look)
        })
        .await;
        match told {
            Told::Ended => break,
            Told::Look if shared.heard.replace(false) || shared.open.get() == 0 => pinged = false,
            Told::Look if pinged => break,
            Told::Look => {
                pinged = pings.as_mut().is_some_and(|pings| pings.send_ping(Ping::opaque()).is_ok());
            }
        }
    }
    shared.ended.set(true);
    drop(connection);
    shared.changed.notify_waiters();
}

/// The socket, with what is noted of its traffic.
struct Watched<S> {
    io: S,
    shared: Rc<Shared>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.shared.heard.set(true);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> Watched<S> {
    fn note(&self, polled: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(written)) = polled {
            self.shared.written.set(self.shared.written.get() + written as u64);
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write(cx, buf);
        self.note(polled)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        self.note(polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
