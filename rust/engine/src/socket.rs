//! A byte stream to a peer, with the few operations the path of a request needs.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use tokio::io::{AsyncReadExt, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsStream;

/// See the module.
pub(crate) enum Socket {
    Plain(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Socket {
    /// Whether the peer may have sent something since the last short read: asks the event queue's memory,
    /// not the kernel.
    pub(crate) fn poll_readable(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            // What rustls has already decrypted, or the peer's farewell, is no longer in the socket.
            Self::Tls(tls) if !tls_wants_read(tls) => Poll::Ready(Ok(())),
            Self::Tls(tls) => tls.get_ref().0.poll_read_ready(cx),
            Self::Plain(tcp) => tcp.poll_read_ready(cx),
            Self::Unix(unix) => unix.poll_read_ready(cx),
        }
    }

    /// Returns once the peer has sent the end of what it sends, or is gone, even while bytes before that end
    /// are still unread. Never returns where the system does not tell (only Linux does).
    pub(crate) async fn read_closed(&self) {
        // EPOLLRDHUP: tokio has a name for it only as part of an interest, and this is the one interest that
        // holds nothing else a socket here could become ready for.
        #[cfg(target_os = "linux")]
        drop(match self {
            Self::Plain(tcp) => tcp.ready(tokio::io::Interest::PRIORITY).await,
            Self::Unix(unix) => unix.ready(tokio::io::Interest::PRIORITY).await,
            Self::Tls(tls) => tls.get_ref().0.ready(tokio::io::Interest::PRIORITY).await,
        });
        #[cfg(not(target_os = "linux"))]
        std::future::pending::<()>().await;
    }

    /// Reads once into the spare room of `buffer` (which must have some); 0 stands for the end.
    pub(crate) fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        buffer: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        if buffer.capacity() == buffer.len() {
            buffer.reserve(crate::buffers::BUFFER_BYTES);
        }
        // `read_buf` fills spare capacity without clearing it, and a read that leaves room marks the socket
        // as drained, which spares the next look a system call.
        match self {
            Self::Plain(tcp) => pin!(tcp.read_buf(buffer)).poll(cx),
            Self::Unix(unix) => pin!(unix.read_buf(buffer)).poll(cx),
            Self::Tls(tls) => pin!(tls.read_buf(buffer)).poll(cx),
        }
    }

    /// Writes what it can of `slices` with one call; 0 only for nothing to write.
    pub(crate) fn poll_write(
        &mut self,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match (self, slices) {
            (Self::Plain(tcp), [one]) => Pin::new(tcp).poll_write(cx, one),
            (Self::Plain(tcp), _) => Pin::new(tcp).poll_write_vectored(cx, slices),
            (Self::Unix(unix), [one]) => Pin::new(unix).poll_write(cx, one),
            (Self::Unix(unix), _) => Pin::new(unix).poll_write_vectored(cx, slices),
            (Self::Tls(tls), [one]) => Pin::new(&mut **tls).poll_write(cx, one),
            (Self::Tls(tls), _) => Pin::new(&mut **tls).poll_write_vectored(cx, slices),
        }
    }

    /// Makes the peer see a reset when this socket is dropped. A Unix socket has no such thing.
    pub(crate) fn reset_on_close(&self) -> io::Result<()> {
        match self {
            Self::Plain(tcp) => tcp.set_zero_linger(),
            Self::Tls(tls) => tls.get_ref().0.set_zero_linger(),
            Self::Unix(_) => Ok(()),
        }
    }

    /// Pushes out what TLS still holds; nothing to do on a plain socket.
    pub(crate) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) | Self::Unix(_) => Poll::Ready(Ok(())),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_flush(cx),
        }
    }

    /// Says that no more bytes follow.
    pub(crate) async fn shutdown(&mut self) -> io::Result<()> {
        poll_fn(|cx| match self {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Unix(unix) => Pin::new(unix).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(&mut **tls).poll_shutdown(cx),
        })
        .await
    }
}

fn tls_wants_read(tls: &TlsStream<TcpStream>) -> bool {
    match tls {
        TlsStream::Client(client) => client.get_ref().1.wants_read(),
        TlsStream::Server(server) => server.get_ref().1.wants_read(),
    }
}

/// Takes `written` bytes off the front of `slices`; returns what is left to write.
pub(crate) fn advance<'a, 'b>(mut slices: &'b mut [IoSlice<'a>], written: usize) -> &'b mut [IoSlice<'a>] {
    IoSlice::advance_slices(&mut slices, written);
    slices
}
