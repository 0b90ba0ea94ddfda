//! A tunnel through an HTTP proxy: it is asked to connect to the upstream, and what follows is between the
//! upstream and us.
//!
//! Upstreams without TLS are reached so too: one way for both, and no proxy gets to see a request as its own.
//! Invariant: no byte of what follows the proxy's answer is taken here, since the upstream may speak first
//! (HTTP/2 does). Source: RFC 9110 §9.3.6.

use std::io;
use std::sync::Arc;

use llm_edge_core::http1::{HeadLimits, Progress, ResponseHead};
use llm_edge_core::snapshot;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::shared::{Credential, Shared};

/// How much of an answer is looked at in one go; most are shorter.
const PIECE_BYTES: usize = 512;

/// The way to one upstream through one proxy.
pub(super) struct Tunnel {
    /// `host:port` of the proxy, for messages.
    proxy: String,
    /// `host:port` of the upstream. Its name is the proxy's to resolve.
    target: String,
    credential: Option<Arc<Credential>>,
}

/// Why a proxy that was reached did not lead on.
#[derive(Debug)]
pub(crate) enum TunnelError {
    /// The connection ended before it had answered, or broke.
    Closed(io::Error),
    /// What came is not the answer of an HTTP proxy.
    Invalid(&'static str),
    /// It wants to know who asks, and was not told.
    Nameless,
    /// It was told, and does not take it.
    Unknown,
    /// It said no.
    Refused(u16),
}

impl std::fmt::Display for TunnelError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Closed(e) if e.kind() == io::ErrorKind::UnexpectedEof => {
                f.write_str("it closed the connection before it answered")
            }
            Self::Closed(e) => write!(f, "the connection to it broke ({e})"),
            Self::Invalid(why) => write!(f, "it does not answer as an HTTP proxy does: {why}"),
            Self::Nameless => f.write_str("it asks for a user and a password (407)"),
            Self::Unknown => f.write_str("it does not accept our user and password (407)"),
            Self::Refused(status) => write!(f, "it refuses to connect (status {status})"),
        }
    }
}

impl Tunnel {
    pub(super) fn new(proxy: &snapshot::Proxy, origin: &snapshot::Origin, shared: &Shared) -> Self {
        Self {
            proxy: authority(&proxy.host, proxy.port),
            target: authority(&origin.host, origin.port),
            credential: proxy.credential.as_ref().map(|slot| shared.credentials.slot(slot)),
        }
    }

    /// `host:port` of the proxy.
    pub(super) fn proxy(&self) -> &str {
        &self.proxy
    }

    /// Has the proxy at the other end of `tcp` connect to the upstream.
    ///
    /// # Errors
    /// [`TunnelError`]: nothing was sent to the upstream.
    pub(super) async fn open(&self, tcp: &mut TcpStream, head_bytes_max: u32) -> Result<(), TunnelError> {
        tcp.write_all(&self.request()).await.map_err(TunnelError::Closed)?;
        match read_status(tcp, head_bytes_max).await? {
            200..300 => Ok(()),
            407 if self.credential.is_some() => Err(TunnelError::Unknown),
            407 => Err(TunnelError::Nameless),
            status => Err(TunnelError::Refused(status)),
        }
    }

    fn request(&self) -> Vec<u8> {
        let target = &self.target;
        let mut head = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
        if let Some(credential) = &self.credential {
            let before = head.len();
            head.extend_from_slice(b"proxy-authorization: ");
            if credential.write(&mut head) {
                head.extend_from_slice(b"\r\n");
            } else {
                head.truncate(before);
            }
        }
        head.extend_from_slice(b"\r\n");
        head
    }
}

/// The status of the answer, of which nothing but the head is taken from the socket.
async fn read_status(tcp: &mut TcpStream, head_bytes_max: u32) -> Result<u16, TunnelError> {
    let limits =
        HeadLimits { head_bytes_max: head_bytes_max as usize, headers_max: 1000, target_bytes_max: 0 };
    let mut answer = Vec::new();
    let mut head = ResponseHead::default();
    loop {
        let mut piece = [0; PIECE_BYTES];
        let seen = tcp.peek(&mut piece).await.map_err(TunnelError::Closed)?;
        if seen == 0 {
            return Err(TunnelError::Closed(io::ErrorKind::UnexpectedEof.into()));
        }
        let before = answer.len();
        answer.extend_from_slice(piece.get(..seen).unwrap_or_default());
        let progress = head.parse(&answer, false, &limits).map_err(|e| TunnelError::Invalid(e.message()))?;
        let taken = match progress {
            Progress::Partial => seen,
            Progress::Complete => head.len.saturating_sub(before).min(seen),
        };
        tcp.read_exact(piece.get_mut(..taken).unwrap_or_default()).await.map_err(TunnelError::Closed)?;
        match progress {
            Progress::Complete if head.status >= 200 => return Ok(head.status),
            // An interim answer.
            Progress::Complete => {
                answer.clear();
                head.reset();
            }
            Progress::Partial => {}
        }
    }
}

fn authority(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_stands_in_brackets() {
        assert_eq!(authority("::1", 443), "[::1]:443");
        assert_eq!(authority("up.test", 8443), "up.test:8443");
    }
}
