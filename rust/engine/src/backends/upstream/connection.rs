//! One upstream connection: a request is written, a reply's head is read, its body is read by the relay.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::task::{Context, Poll, Waker, ready};

use llm_edge_core::http1::{HeadLimits, Http1Error, Progress, ResponseHead};

use crate::socket::{Socket, advance};

/// See the module. `buffer` holds what was read and not yet used; it is empty while the connection is idle.
pub(crate) struct Connection {
    socket: Socket,
    pub(crate) buffer: Vec<u8>,
    pub(crate) head: ResponseHead,
    pub(crate) idle_since_ms: u64,
    /// Whether an earlier exchange used it: then a failed first write says nothing about the upstream.
    pub(crate) reused: bool,
    /// Whether the request was not written whole: the connection is good for this reply only.
    pub(crate) spoiled: bool,
}

/// Why no reply head could be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The connection ended or broke.
    Closed(io::Error),
    /// What came is not HTTP/1.1 as we insist on it.
    Invalid(Http1Error),
}

/// The write failed; `written` bytes were taken before.
pub(crate) struct WriteError {
    pub(crate) written: usize,
    pub(crate) error: io::Error,
}

impl Connection {
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            buffer: Vec::new(),
            head: ResponseHead::default(),
            idle_since_ms: 0,
            reused: false,
            spoiled: false,
        }
    }

    /// False when the peer has sent or closed while the connection was idle: either way it is of no use.
    pub(crate) fn looks_alive(&self) -> bool {
        self.buffer.is_empty()
            && self.socket.poll_readable(&mut Context::from_waker(Waker::noop())).is_pending()
    }

    /// Writes a request, as much as possible with one call. Ends early, and without error, when the upstream
    /// answers or closes before it has read everything: its reply says why.
    ///
    /// # Errors
    /// [`WriteError`] with the number of bytes taken before it.
    pub(crate) async fn send(
        &mut self,
        mut slices: &mut [IoSlice<'_>],
        limits: &HeadLimits,
    ) -> Result<(), WriteError> {
        let mut written = 0;
        while !slices.is_empty() {
            match poll_fn(|cx| self.poll_send(cx, slices, limits)).await {
                Ok(Some(0)) => {
                    return Err(WriteError { written, error: io::ErrorKind::WriteZero.into() });
                }
                Ok(Some(n)) => {
                    written += n;
                    slices = advance(slices, n);
                }
                Ok(None) => {
                    self.spoiled = true;
                    return Ok(());
                }
                Err(error) => return Err(WriteError { written, error }),
            }
        }
        poll_fn(|cx| self.socket.poll_flush(cx)).await.map_err(|error| WriteError { written, error })
    }

    /// Writes once; `None` when a final reply has begun instead, or the upstream has closed. What comes in
    /// while the upstream takes no more is read, since it may be no answer at all: a session ticket of TLS,
    /// or an interim reply.
    fn poll_send(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
        limits: &HeadLimits,
    ) -> Poll<io::Result<Option<usize>>> {
        if let Poll::Ready(written) = self.socket.poll_write(cx, slices) {
            return Poll::Ready(written.map(Some));
        }
        loop {
            if ready!(self.socket.poll_readable(cx)).is_err() {
                return Poll::Ready(Ok(None));
            }
            match ready!(self.socket.poll_read(cx, &mut self.buffer)) {
                Ok(0) | Err(_) => return Poll::Ready(Ok(None)),
                Ok(_) if self.is_answered(limits) => return Poll::Ready(Ok(None)),
                Ok(_) => {}
            }
        }
    }

    /// Whether the buffer holds the head of a final reply, or something that can be none. Interim replies
    /// are dropped.
    fn is_answered(&mut self, limits: &HeadLimits) -> bool {
        loop {
            self.head.reset();
            match self.head.parse(&self.buffer, false, limits) {
                Ok(Progress::Partial) => return false,
                Ok(Progress::Complete) if self.head.status < 200 => self.skip_head(),
                Ok(Progress::Complete) | Err(_) => return true,
            }
        }
    }

    /// Reads until `buffer` begins with a complete head, which is then in `head`.
    ///
    /// # Errors
    /// [`ReadError`]
    pub(crate) async fn read_head(&mut self, limits: &HeadLimits) -> Result<(), ReadError> {
        self.head.reset();
        loop {
            if !self.buffer.is_empty() {
                match self.head.parse(&self.buffer, false, limits).map_err(ReadError::Invalid)? {
                    Progress::Complete => return Ok(()),
                    Progress::Partial => {}
                }
            }
            match self.read().await {
                Ok(0) => return Err(ReadError::Closed(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => {}
                Err(e) => return Err(ReadError::Closed(e)),
            }
        }
    }

    /// Drops the head of an interim reply, so that the next head can be read.
    pub(crate) fn skip_head(&mut self) {
        self.buffer.drain(..self.head.len.min(self.buffer.len()));
    }

    /// Waits until a read has something to say, be it an error.
    pub(crate) async fn readable(&self) {
        // The read that follows meets the same error and tells it.
        drop(poll_fn(|cx| self.socket.poll_readable(cx)).await);
    }

    /// Reads once into the room that `buffer` has; 0 stands for the end.
    ///
    /// # Errors
    /// The socket's.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        poll_fn(|cx| self.socket.poll_read(cx, &mut self.buffer)).await
    }
}
