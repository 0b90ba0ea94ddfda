//! Upstream connections: one pool per worker and origin, last in first out, each connection owned by one
//! exchange at a time.

mod connection;
mod tls;

pub(crate) use connection::{Connection, ReadError};
pub(crate) use tls::{client_config, platform_config};

use std::cell::{Cell, RefCell};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use llm_edge_core::snapshot::{self, Scheme};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;

use crate::socket::Socket;

/// What the kernel takes from an upstream whose reply is not read, because its client has stalled; the kernel
/// doubles it for its own use. Left to itself it takes up to tens of megabytes. A connection moves this much
/// in a round trip: 2.5 MB/s at 100 ms.
const RECEIVED_BYTES_MAX: usize = 256 * 1024;

/// One upstream address, with this worker's idle connections to it.
pub(crate) struct Origin {
    host: String,
    port: u16,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    idle: RefCell<Vec<Connection>>,
    idle_max: Cell<usize>,
}

/// Why no connection could be had; no request byte was written.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// The name did not resolve.
    Name(io::Error),
    /// Nobody answered, or said no.
    Tcp(io::Error),
    /// The certificate or the handshake failed.
    Tls(io::Error),
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(e) => write!(f, "its name does not resolve ({e})"),
            Self::Tcp(e) => write!(f, "it does not accept connections ({e})"),
            Self::Tls(e) => write!(f, "the TLS handshake failed ({e})"),
        }
    }
}

impl Origin {
    /// An origin without connections.
    ///
    /// # Errors
    /// When the host is no TLS server name, or the certificates cannot be used.
    pub(crate) fn new(origin: &snapshot::Origin) -> Result<Self, String> {
        let tls = match origin.scheme {
            Scheme::Http => None,
            Scheme::Https => {
                let name = ServerName::try_from(origin.host.clone())
                    .map_err(|_| format!("`{}` is not a host name or address TLS can check", origin.host))?;
                let config = match &origin.ca_pem {
                    Some(pem) => client_config(pem)?,
                    None => platform_config()?,
                };
                Some((config, name))
            }
        };
        Ok(Self {
            host: origin.host.clone(),
            port: origin.port,
            tls,
            idle: RefCell::new(Vec::new()),
            idle_max: Cell::new(usize::MAX),
        })
    }

    /// Says how many idle connections to keep.
    pub(crate) fn set_idle_max(&self, idle_max: usize) {
        self.idle_max.set(idle_max);
    }

    /// An idle connection that still looks alive: asks the event queue's memory, not the kernel.
    pub(crate) fn take_idle(&self) -> Option<Connection> {
        loop {
            let connection = self.idle.borrow_mut().pop()?;
            if connection.looks_alive() {
                return Some(connection);
            }
        }
    }

    /// A new connection, within about `connect_ms` (0: no limit of ours), which the addresses of the name
    /// share: one that does not answer must not take the time of the others.
    ///
    /// # Errors
    /// [`ConnectError`]: no request byte was written, so another attempt is safe.
    pub(crate) async fn connect(&self, connect_ms: u32) -> Result<Connection, ConnectError> {
        let addresses: Vec<_> = tokio::net::lookup_host((self.host.as_str(), self.port))
            .await
            .map_err(ConnectError::Name)?
            .collect();
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
        let share =
            Duration::from_millis(u64::from(connect_ms)) / u32::try_from(addresses.len()).unwrap_or(1).max(1);
        for address in &addresses {
            let connecting = TcpStream::connect(address);
            let connected = if share.is_zero() || addresses.len() == 1 {
                connecting.await
            } else {
                tokio::time::timeout(share, connecting)
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            };
            match connected {
                Ok(tcp) => return self.secure(tcp).await,
                Err(e) => last = e,
            }
        }
        Err(ConnectError::Tcp(last))
    }

    async fn secure(&self, tcp: TcpStream) -> Result<Connection, ConnectError> {
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        // Where it cannot be had, only memory is lost.
        drop(socket2::SockRef::from(&tcp).set_recv_buffer_size(RECEIVED_BYTES_MAX));
        let Some((config, name)) = &self.tls else {
            return Ok(Connection::new(Socket::Plain(tcp)));
        };
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
        let tls = Box::pin(connector.connect(name.clone(), tcp)).await.map_err(ConnectError::Tls)?;
        Ok(Connection::new(Socket::Tls(Box::new(tls.into()))))
    }

    /// Takes back a connection whose reply was read to its end.
    pub(crate) fn put_idle(&self, mut connection: Connection, now_ms: u64) {
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.idle_max.get() {
            connection.idle_since_ms = now_ms;
            connection.reused = true;
            idle.push(connection);
        }
    }

    /// Closes idle connections that the peer has closed, or that are older than `idle_ms`.
    pub(crate) fn retire(&self, now_ms: u64, idle_ms: u32) {
        self.idle.borrow_mut().retain(|connection| {
            connection.looks_alive() && now_ms.saturating_sub(connection.idle_since_ms) < u64::from(idle_ms)
        });
    }
}
