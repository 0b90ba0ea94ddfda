//! One upstream exchange's connection: a request is written, a reply's head is read, its body is read by the
//! relay. Over HTTP/1.1 it is a socket, over HTTP/2 one stream of a shared one; stations see no difference.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::net::IpAddr;
use std::task::{Context, Poll, Waker, ready};

use llm_edge_core::http1::{HeadLimits, Http1Error, Known, Progress, ResponseFraming, ResponseHead};

use super::http2::Stream;
use crate::socket::{Socket, advance};

/// See the module. `buffer` holds what was read and not yet used; it is empty while the connection is idle.
pub(crate) struct Connection {
    wire: Wire,
    pub(crate) buffer: Vec<u8>,
    pub(crate) head: ResponseHead,
    pub(crate) idle_since_ms: u64,
    /// On the worker's coarse clock: from then on it takes no further request.
    pub(super) expires_ms: u64,
    /// Where it leads to, unless that was configured as an address.
    pub(super) address: Option<IpAddr>,
    /// Whether an earlier exchange used it: then a failed first write says nothing about the upstream.
    pub(crate) reused: bool,
    /// Whether the request was not written whole: the connection is good for this reply only.
    pub(crate) spoiled: bool,
}

enum Wire {
    Http1(Socket),
    Http2(Box<Stream>),
}

/// What ends a reply's body.
pub(crate) enum End {
    /// The bytes themselves, as HTTP/1.1 frames them.
    Framed(ResponseFraming),
    /// The upstream, by ending the stream; with the length that it announced.
    Declared(Option<u64>),
}

/// Why no reply head could be read.
#[derive(Debug)]
pub(crate) enum ReadError {
    /// The connection ended or broke.
    Closed(io::Error),
    /// What came is not HTTP as we insist on it.
    Invalid(Invalid),
    /// The upstream has said, or it is certain, that it did nothing for this request: another attempt is safe.
    Unprocessed(io::Error),
}

/// How a reply is not HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Invalid {
    Http1(Http1Error),
    Http2(&'static str),
}

impl Invalid {
    /// For people.
    pub(crate) fn message(self) -> &'static str {
        match self {
            Self::Http1(e) => e.message(),
            Self::Http2(message) => message,
        }
    }
}

/// The write failed; `written` bytes were taken before. 0: the upstream did nothing for this request.
pub(crate) struct WriteError {
    pub(crate) written: usize,
    pub(crate) error: io::Error,
}

impl Connection {
    /// Whether the reply is of this media type, and not compressed.
    pub(crate) fn is_plain(&self, media_type: &str) -> bool {
        let value = |known| self.head.find(known).map(|field| field.value.of(&self.buffer));
        let is = |value: &[u8], name: &[u8]| {
            value.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name))
        };
        value(Known::ContentType).is_some_and(|media| is(media, media_type.as_bytes()))
            && value(Known::ContentEncoding).is_none_or(|coding| coding.is_empty() || is(coding, b"identity"))
    }

    pub(super) fn http1(socket: Socket) -> Box<Self> {
        Box::new(Self::new(Wire::Http1(socket)))
    }

    pub(super) fn http2(stream: Stream) -> Box<Self> {
        let reused = stream.is_reused();
        Box::new(Self { reused, ..Self::new(Wire::Http2(Box::new(stream))) })
    }

    fn new(wire: Wire) -> Self {
        Self {
            wire,
            buffer: Vec::new(),
            head: ResponseHead::default(),
            idle_since_ms: 0,
            expires_ms: u64::MAX,
            address: None,
            reused: false,
            spoiled: false,
        }
    }

    /// Whether it is one stream of a connection that others use as well.
    pub(crate) fn is_shared(&self) -> bool {
        matches!(self.wire, Wire::Http2(_))
    }

    /// What ends the reply's body, once its head is there.
    pub(crate) fn end(&self) -> End {
        match (&self.wire, self.head.framing) {
            (Wire::Http1(_), framing) => End::Framed(framing),
            (Wire::Http2(_), ResponseFraming::None) => End::Declared(Some(0)),
            (Wire::Http2(_), ResponseFraming::Length(length)) => End::Declared(Some(length)),
            (Wire::Http2(_), ResponseFraming::Chunked | ResponseFraming::UntilClose) => End::Declared(None),
        }
    }

    /// Whether the upstream has said that nothing follows what `buffer` holds. False over HTTP/1.1, where a
    /// read tells.
    pub(crate) fn is_ended(&self) -> bool {
        match &self.wire {
            Wire::Http1(_) => false,
            Wire::Http2(stream) => stream.is_ended(),
        }
    }

    /// False when the peer has sent or closed while the connection was idle: either way it is of no use.
    pub(crate) fn looks_alive(&self) -> bool {
        match &self.wire {
            Wire::Http1(socket) => {
                self.buffer.is_empty()
                    && socket.poll_readable(&mut Context::from_waker(Waker::noop())).is_pending()
            }
            Wire::Http2(_) => false,
        }
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
        if let Wire::Http2(stream) = &mut self.wire {
            self.spoiled = !Box::pin(stream.send(slices)).await?;
            return Ok(());
        }
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
        match &mut self.wire {
            Wire::Http1(socket) => {
                poll_fn(|cx| socket.poll_flush(cx)).await.map_err(|error| WriteError { written, error })
            }
            Wire::Http2(_) => Ok(()),
        }
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
        let Wire::Http1(socket) = &mut self.wire else { return Poll::Ready(Ok(None)) };
        if let Poll::Ready(written) = socket.poll_write(cx, slices) {
            return Poll::Ready(written.map(Some));
        }
        loop {
            let Wire::Http1(socket) = &mut self.wire else { return Poll::Ready(Ok(None)) };
            if ready!(socket.poll_readable(cx)).is_err() {
                return Poll::Ready(Ok(None));
            }
            match ready!(socket.poll_read(cx, &mut self.buffer)) {
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
        if let Wire::Http2(stream) = &mut self.wire {
            stream.read_head(&mut self.buffer).await?;
            return match self.parse_head(limits)? {
                Progress::Complete => Ok(()),
                Progress::Partial => Err(ReadError::Invalid(Invalid::Http2("its head is not complete"))),
            };
        }
        loop {
            if !self.buffer.is_empty() {
                match self.parse_head(limits)? {
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

    fn parse_head(&mut self, limits: &HeadLimits) -> Result<Progress, ReadError> {
        let parsed = self.head.parse(&self.buffer, false, limits);
        parsed.map_err(|e| ReadError::Invalid(Invalid::Http1(e)))
    }

    /// Drops the head of an interim reply, so that the next head can be read.
    pub(crate) fn skip_head(&mut self) {
        self.buffer.drain(..self.head.len.min(self.buffer.len()));
    }

    /// Waits until a read has something to say, be it an error.
    pub(crate) async fn readable(&mut self) {
        match &mut self.wire {
            // The read that follows meets the same error and tells it.
            Wire::Http1(socket) => drop(poll_fn(|cx| socket.poll_readable(cx)).await),
            Wire::Http2(stream) => poll_fn(|cx| stream.poll_readable(cx)).await,
        }
    }

    /// Reads once into the room that `buffer` has; 0 stands for the end: over HTTP/2 the one the upstream
    /// has declared, over HTTP/1.1 that of the connection.
    ///
    /// # Errors
    /// The socket's; over HTTP/2 whatever ended the stream before its declared end.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        match &mut self.wire {
            Wire::Http1(socket) => poll_fn(|cx| socket.poll_read(cx, &mut self.buffer)).await,
            Wire::Http2(stream) => poll_fn(|cx| stream.poll_read(cx, &mut self.buffer)).await,
        }
    }
}
