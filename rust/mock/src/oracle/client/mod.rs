//! The verifying client's transport: HTTP/1.1 written here, HTTP/2 by the `h2` crate; what was received, and
//! how it ended.

mod http1;
mod http2;

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

use super::ask::Vendor;
use super::tls::{Identity, server_name};
pub use http1::Http1;
pub use http2::{Http2, Http2Pool};

/// A reply, or what there was of it.
#[derive(Clone, Debug)]
pub struct Received {
    /// The final status.
    pub status: u16,
    /// Names in lower case.
    pub fields: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Why it broke off; `None` when the framing says that it is whole.
    pub cut: Option<String>,
}

impl Received {
    /// The value of the first field of this name.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What came of a request.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// A final head arrived.
    Reply(Received),
    /// The connection failed before.
    NoReply(String),
    /// Nothing was decided in time.
    Hung,
}

/// Where and how to call.
#[derive(Clone, Debug)]
pub struct Peer {
    /// The listener.
    pub address: SocketAddr,
    /// Trust and keys, when it speaks TLS.
    pub identity: Option<Arc<Identity>>,
    /// The key that callers show.
    pub key: Option<String>,
}

/// Peers by the name of their gateway.
pub type Peers = std::collections::HashMap<String, Peer>;

/// A connection, plain or not.
pub enum Link {
    /// TCP.
    Plain(TcpStream),
    /// TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

impl Peer {
    /// Connects, and shakes hands for one protocol.
    ///
    /// # Errors
    /// The connection's, or TLS's.
    pub async fn connect(&self, alpn: &[u8]) -> io::Result<Link> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let Some(identity) = &self.identity else { return Ok(Link::Plain(stream)) };
        let stream = identity.connector(alpn)?.connect(server_name(), stream).await?;
        Ok(Link::Tls(Box::new(stream)))
    }

    /// The header fields of every call, as lines.
    fn field_lines(&self, vendor: Vendor) -> String {
        let mut lines = String::from("content-type: application/json\r\n");
        if let Some(key) = &self.key {
            let name = match vendor {
                Vendor::OpenAi => "authorization: Bearer ",
                Vendor::Anthropic => "x-api-key: ",
                Vendor::Google => "x-goog-api-key: ",
            };
            lines.extend([name, key, "\r\n"]);
        }
        if vendor == Vendor::Anthropic {
            lines.push_str("anthropic-version: 2023-06-01\r\n");
        }
        lines
    }
}

impl Link {
    /// The TCP side.
    pub fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    /// Makes the close that follows a reset.
    pub fn arm_reset(&self) {
        drop(socket2::SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO)));
    }
}

impl AsyncRead for Link {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Link {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
