//! A client's connection: socket, deadline, and what is remembered between two requests.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use crate::deadlines::Timer;
use crate::socket::{Socket, advance};
use crate::stations::authenticate::Remembered;
use crate::worker::Worker;

/// Bytes a client may send ahead of its turn; beyond them nothing more is read until then.
const PENDING_BYTES_MAX: usize = 64 * 1024;
/// What is read and thrown away before a close, at most, in bytes and milliseconds.
const LINGER_BYTES_MAX: usize = 64 * 1024 * 1024;
const LINGER_MS: u32 = 2_000;

/// See the module. Borrowed for single polls only, never across a wait.
pub(crate) struct Wire {
    socket: RefCell<Socket>,
    pending: RefCell<Vec<u8>>,
    request_read: Cell<bool>,
    write_stall_ms: Cell<u32>,
    pub(crate) timer: Timer,
    pub(crate) remembered: RefCell<Option<Remembered>>,
}

impl Wire {
    pub(super) fn new(worker: &Rc<Worker>, socket: Socket, pending: Vec<u8>) -> Self {
        Self {
            socket: RefCell::new(socket),
            pending: RefCell::new(pending),
            request_read: Cell::new(true),
            write_stall_ms: Cell::new(0),
            timer: worker.deadlines.timer(),
            remembered: RefCell::new(None),
        }
    }

    /// Waits, holding no buffer, for the first byte of a request; false when none will come.
    pub(super) async fn await_request(&self, worker: &Worker, first: bool) -> bool {
        let loaded = worker.loaded();
        let limits = &loaded.snapshot.limits;
        self.write_stall_ms.set(limits.write_stall_ms);
        if !self.pending.borrow().is_empty() {
            return true;
        }
        if worker.shared.draining() {
            // What has arrived is still answered.
            return self.is_readable().await;
        }
        self.timer.arm(if first { limits.head_ms } else { limits.idle_ms });
        drop(loaded);
        self.timer.set_idle(true);
        let readable = self.timer.limit(poll_fn(|cx| self.socket.borrow().poll_readable(cx))).await;
        self.timer.set_idle(false);
        matches!(readable, Ok(Ok(())))
    }

    /// What the client sent ahead, or an empty buffer.
    pub(super) fn take_pending(&self, worker: &Worker) -> Vec<u8> {
        let pending = std::mem::take(&mut *self.pending.borrow_mut());
        if pending.is_empty() { worker.buffers.take() } else { pending }
    }

    /// Keeps bytes that belong to the next request.
    pub(super) fn keep_pending(&self, bytes: &[u8]) {
        self.pending.borrow_mut().extend_from_slice(bytes);
    }

    pub(super) fn set_request_read(&self, read: bool) {
        self.request_read.set(read);
    }

    pub(crate) fn request_is_read(&self) -> bool {
        self.request_read.get()
    }

    /// Reads once into the room that `buffer` has; 0 stands for the end.
    pub(super) async fn read(&self, buffer: &mut Vec<u8>) -> io::Result<usize> {
        poll_fn(|cx| self.socket.borrow_mut().poll_read(cx, buffer)).await
    }

    /// Ready when the client has left. While the request is still being read its reader notices by itself.
    pub(super) fn poll_gone(&self, cx: &mut Context<'_>) -> Poll<()> {
        if !self.request_read.get() {
            return Poll::Pending;
        }
        loop {
            let mut pending = self.pending.borrow_mut();
            if pending.len() >= PENDING_BYTES_MAX {
                return Poll::Pending;
            }
            let mut socket = self.socket.borrow_mut();
            match ready!(socket.poll_readable(cx)) {
                Ok(()) => {}
                Err(_) => return Poll::Ready(()),
            }
            match ready!(socket.poll_read(cx, &mut pending)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
    }

    /// Whether the client has sent so much ahead of its turn that its end cannot be found by reading on.
    pub(super) fn has_stopped_reading(&self) -> bool {
        self.request_read.get() && self.pending.borrow().len() >= PENDING_BYTES_MAX
    }

    /// Returns when the client has left, without reading.
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "polled only once `has_stopped_reading`: the request is read, so its exchange touches the socket no more, and the reply is written after this was dropped"
    )]
    pub(super) async fn gone_unread(&self) {
        self.socket.borrow().read_closed().await;
    }

    /// Writes all of `slices`.
    ///
    /// # Errors
    /// The socket's, or `TimedOut` when the client reads nothing for `limits.write_stall_ms`, or the worker
    /// is cut.
    pub(super) async fn write(&self, mut slices: &mut [IoSlice<'_>]) -> io::Result<()> {
        self.timer.arm(self.write_stall_ms.get());
        while !slices.is_empty() {
            let written = self
                .timer
                .limit(poll_fn(|cx| self.socket.borrow_mut().poll_write(cx, slices)))
                .await
                .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            slices = advance(slices, written);
            if !slices.is_empty() {
                self.timer.arm(self.write_stall_ms.get());
            }
        }
        self.timer
            .limit(poll_fn(|cx| self.socket.borrow_mut().poll_flush(cx)))
            .await
            .map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
    }

    /// Whether the client has sent something that was not read: closing now would make its reply a reset.
    pub(super) async fn has_unread(&self) -> bool {
        !self.pending.borrow().is_empty() || self.is_readable().await
    }

    async fn is_readable(&self) -> bool {
        poll_fn(|cx| Poll::Ready(matches!(self.socket.borrow().poll_readable(cx), Poll::Ready(Ok(()))))).await
    }

    /// Says that no more follows, and reads what the client still sends, for a while.
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "the connection's task is the only user left: no exchange, no watcher"
    )]
    pub(super) async fn linger(&self) {
        self.timer.arm(LINGER_MS);
        let mut waste = Vec::with_capacity(crate::buffers::BUFFER_BYTES);
        let mut total = 0;
        let drain = async {
            if self.socket.borrow_mut().shutdown().await.is_err() {
                return;
            }
            while let Ok(n) = self.read(&mut waste).await {
                total += n;
                if n == 0 || total > LINGER_BYTES_MAX {
                    return;
                }
                waste.clear();
            }
        };
        let _ = self.timer.limit(drain).await;
    }

    /// Makes the connection's end a reset.
    pub(super) fn abort(&self) {
        // Where the socket will not have it, it is gone already.
        drop(self.socket.borrow().reset_on_close());
    }

    /// Ends the connection in good order (TLS wants to say so).
    #[expect(
        clippy::await_holding_refcell_ref,
        reason = "the connection's task is the only user left: no exchange, no watcher"
    )]
    pub(super) async fn close(&self) {
        self.timer.arm(LINGER_MS);
        let mut socket = self.socket.borrow_mut();
        // The peer may be gone already; there is nothing left to tell it.
        drop(self.timer.limit(socket.shutdown()).await);
    }
}
