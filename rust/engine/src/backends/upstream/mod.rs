//! Upstream connections: one pool per worker and origin. Over HTTP/1.1 last in first out, each connection
//! owned by one exchange at a time; over HTTP/2 shared, the least loaded first.

mod connection;
mod http2;
mod resolve;
mod tls;
mod tunnel;

pub(crate) use connection::{Connection, End, ReadError};
pub(crate) use resolve::Resolver;
pub(crate) use tls::private_key;

use std::cell::{Cell, RefCell};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::uri;
use llm_edge_core::address::{AddressRange, is_local_name, reserved};
use llm_edge_core::snapshot::{self, Http2, Limits, Scheme};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::sync::Notify;

use crate::deadlines::Deadlines;
use crate::descriptors;
use crate::shared::Shared;
use crate::socket::Socket;
use http2::{Link, LinkOptions};
use resolve::Name;
use tunnel::{Tunnel, TunnelError};

/// What the kernel takes from an upstream whose reply is not read, because its client has stalled; the kernel
/// doubles it for its own use. Left to itself it takes up to tens of megabytes. A connection moves this much
/// in a round trip: 2.5 MB/s at 100 ms.
const RECEIVED_BYTES_MAX: usize = 256 * 1024;

/// One upstream address, with this worker's connections to it.
pub(crate) struct Origin {
    /// Where connections are made to: the upstream, or the proxy that leads there.
    host: Host,
    port: u16,
    tunnel: Option<Tunnel>,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    http2: Http2,
    clock: Rc<Deadlines>,
    limits: Cell<PoolLimits>,
    opened: Cell<u32>,
    #[expect(clippy::vec_box, reason = "they go in and out for every request, and are large")]
    idle: RefCell<Vec<Box<Connection>>>,
    links: RefCell<Vec<Rc<Link>>>,
    /// What ALPN chose last.
    speaks_http1: Cell<bool>,
    /// Requests that wait for a place on a connection, and connections being opened for them.
    waiting: Cell<usize>,
    connecting: Cell<usize>,
    /// A place may be free, a connection may have to be opened.
    changed: Rc<Notify>,
}

enum Host {
    /// Configured as an address: the operator's word.
    Address(IpAddr),
    Name {
        name: Arc<Name>,
        is_local: bool,
        allowed: Vec<AddressRange>,
    },
}

/// The limits that concern a pool.
#[derive(Clone, Copy)]
struct PoolLimits {
    idle_max: usize,
    idle_ms: u64,
    age_max_ms: u64,
    links_max: usize,
    head_bytes_max: u32,
    ping_ms: u32,
    dns_ttl: Duration,
}

impl PoolLimits {
    fn of(limits: &Limits) -> Self {
        Self {
            idle_max: limits.upstream_idle_max as usize,
            idle_ms: u64::from(limits.upstream_idle_ms),
            age_max_ms: u64::from(limits.upstream_age_max_ms),
            links_max: limits.upstream_http2_connections_max as usize,
            head_bytes_max: limits.upstream_head_bytes_max,
            ping_ms: limits.upstream_ping_ms,
            dns_ttl: Duration::from_millis(u64::from(limits.dns_ttl_ms)),
        }
    }
}

/// Why no connection could be had; no request byte was written.
#[derive(Debug)]
pub(crate) enum ConnectError {
    /// The name did not resolve.
    Name(io::Error),
    /// The name leads only where a name may not lead, in a word.
    Reserved(&'static str),
    /// Nobody answered, or said no.
    Tcp(io::Error),
    /// The certificate or the handshake failed.
    Tls(io::Error),
    /// The proxy did not lead on.
    Tunnel(TunnelError),
    /// It is the proxy (`host:port`) where that happened.
    Proxy(String, Box<Self>),
    /// HTTP/2 is all we were told to speak, and it does not.
    Protocol(io::Error),
}

impl std::fmt::Display for ConnectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Name(e) => write!(f, "its name does not resolve ({e})"),
            Self::Reserved(kind) => {
                write!(f, "its name leads to a {kind} address, which its `allow_addresses` does not hold")
            }
            Self::Tcp(e) => write!(f, "it does not accept connections ({e})"),
            Self::Tls(e) => {
                write!(f, "the TLS handshake failed ({e})")?;
                tls::hint(e).map_or(Ok(()), |hint| write!(f, ". hint: {hint}"))
            }
            Self::Tunnel(e) => e.fmt(f),
            Self::Proxy(proxy, e) => write!(f, "its proxy `{proxy}` is of no use: {e}"),
            Self::Protocol(e) => write!(f, "it does not speak HTTP/2 ({e})"),
        }
    }
}

/// What a new connection turned out to be.
enum Opened {
    Http1(Box<Connection>),
    Http2(Rc<Link>),
}

impl Origin {
    /// Sees that connections could be made.
    ///
    /// # Errors
    /// When the host is no TLS server name, or the certificates cannot be used.
    pub(crate) fn check(origin: &snapshot::Origin, shared: &Shared) -> Result<(), String> {
        client_tls(origin, shared).map(drop)
    }

    /// An origin without connections.
    ///
    /// # Errors
    /// As [`Origin::check`].
    pub(crate) fn new(
        origin: &snapshot::Origin,
        limits: &Limits,
        clock: &Rc<Deadlines>,
        shared: &Shared,
    ) -> Result<Self, String> {
        let (to, port) = origin.proxy.as_ref().map_or((&origin.host, origin.port), |p| (&p.host, p.port));
        let host = match to.parse() {
            Ok(address) => Host::Address(address),
            Err(_) => Host::Name {
                name: shared.resolver.name(to),
                is_local: is_local_name(to),
                allowed: origin.allow_addresses.clone(),
            },
        };
        let tls = client_tls(origin, shared)?;
        Ok(Self {
            host,
            port,
            tunnel: origin.proxy.as_ref().map(|proxy| Tunnel::new(proxy, origin, shared)),
            // Without TLS nothing tells whether the other side speaks it.
            http2: if tls.is_none() && origin.http2 == Http2::Auto { Http2::Never } else { origin.http2 },
            tls,
            clock: Rc::clone(clock),
            limits: Cell::new(PoolLimits::of(limits)),
            opened: Cell::new(0),
            idle: RefCell::new(Vec::new()),
            links: RefCell::new(Vec::new()),
            speaks_http1: Cell::new(false),
            waiting: Cell::new(0),
            connecting: Cell::new(0),
            changed: Rc::new(Notify::new()),
        })
    }

    /// `host:port` of the proxy that leads there, if one does.
    pub(crate) fn proxy(&self) -> Option<&str> {
        self.tunnel.as_ref().map(Tunnel::proxy)
    }

    /// Takes over the limits of a new snapshot.
    pub(crate) fn set_limits(&self, limits: &Limits) {
        self.limits.set(PoolLimits::of(limits));
    }

    /// An idle connection that still looks alive (asks the event queue's memory, not the kernel), or a place
    /// on a shared one.
    pub(crate) fn take_idle(&self) -> Option<Box<Connection>> {
        // Those who wait for a place go first.
        if self.http2 != Http2::Never
            && self.waiting.get() == 0
            && let Some(connection) = self.take_place()
        {
            return Some(connection);
        }
        self.take_pooled()
    }

    fn take_pooled(&self) -> Option<Box<Connection>> {
        loop {
            let connection = self.idle.borrow_mut().pop()?;
            if connection.looks_alive() {
                return Some(connection);
            }
        }
    }

    /// A place on the least loaded of the connections that have one.
    fn take_place(&self) -> Option<Box<Connection>> {
        let links = self.links.borrow();
        let free = links.iter().filter(|link| link.open_streams() < link.streams_max() && !link.is_ended());
        free.min_by_key(|link| link.open_streams()).map(|link| Connection::http2(link.take_place()))
    }

    /// A new connection or a place on one, within about `connect_ms` (0: no limit of ours), which the
    /// addresses of the name share: one that does not answer must not take the time of the others.
    ///
    /// # Errors
    /// [`ConnectError`]: no request byte was written, so another attempt is safe.
    pub(crate) async fn connect(&self, connect_ms: u32) -> Result<Box<Connection>, ConnectError> {
        if self.http2 == Http2::Never {
            return match self.open(connect_ms).await? {
                Opened::Http1(connection) => Ok(connection),
                Opened::Http2(link) => Ok(Connection::http2(link.take_place())),
            };
        }
        let mut behind_others = self.waiting.get() > 0;
        let _waiting = Waiting::one_more(self);
        loop {
            let mut changed = pin!(self.changed.notified());
            changed.as_mut().enable();
            if !behind_others && let Some(connection) = self.take_place().or_else(|| self.take_pooled()) {
                return Ok(connection);
            }
            if self.may_open() {
                let opened = {
                    let _connecting = Connecting::one_more(self);
                    self.open(connect_ms).await?
                };
                self.speaks_http1.set(matches!(opened, Opened::Http1(_)));
                match opened {
                    Opened::Http1(connection) => return Ok(connection),
                    Opened::Http2(link) => {
                        self.links.borrow_mut().push(Rc::clone(&link));
                        // Whoever opens it goes first.
                        return Ok(Connection::http2(link.take_place()));
                    }
                }
            }
            changed.await;
            behind_others = false;
        }
    }

    /// Whether one more connection should be opened for those who wait. While it is not known that the
    /// upstream speaks HTTP/1.1 only, one at a time is tried for as many as it may carry.
    fn may_open(&self) -> bool {
        if self.speaks_http1.get() {
            return true;
        }
        let mut links = self.links.borrow_mut();
        links.retain(|link| !link.is_ended());
        let connecting = self.connecting.get();
        let carried = links.last().map_or(usize::MAX, |link| link.streams_max()).max(1);
        // One that has not said how many streams it carries may have room for all who wait; and a free place
        // is for whoever waits longest.
        links.iter().all(|link| link.is_settled() && link.open_streams() >= link.streams_max())
            && links.len() + connecting < self.limits.get().links_max
            && connecting.saturating_mul(carried) < self.waiting.get()
    }

    async fn open(&self, connect_ms: u32) -> Result<Opened, ConnectError> {
        let (tcp, address) = match &self.tunnel {
            None => self.reach(connect_ms).await?,
            Some(tunnel) => Box::pin(self.reach_through(tunnel, connect_ms))
                .await
                .map_err(|e| ConnectError::Proxy(tunnel.proxy().to_owned(), Box::new(e)))?,
        };
        let expires_ms = self.expiry();
        let Some((config, name)) = &self.tls else {
            if self.http2 == Http2::Always {
                return self.link(tcp, uri::Scheme::HTTP, address, expires_ms).await;
            }
            return Ok(http1(Socket::Plain(tcp), address, expires_ms));
        };
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
        let tls = Box::pin(connector.connect(name.clone(), tcp)).await.map_err(ConnectError::Tls)?;
        match tls.get_ref().1.alpn_protocol() {
            Some(b"h2") => self.link(tls, uri::Scheme::HTTPS, address, expires_ms).await,
            _ if self.http2 == Http2::Always => {
                Err(ConnectError::Protocol(io::Error::other("it did not choose `h2` by ALPN")))
            }
            _ => Ok(http1(Socket::Tls(Box::new(tls.into())), address, expires_ms)),
        }
    }

    /// A bare connection to where connections are made to, and the address that its name led to.
    async fn reach(&self, connect_ms: u32) -> Result<(TcpStream, Option<IpAddr>), ConnectError> {
        let (tcp, address) = match &self.host {
            Host::Address(address) => (self.dial(&[*address], connect_ms).await?.0, None),
            Host::Name { name, is_local, allowed } => {
                let found = name.addresses(self.limits.get().dns_ttl).await.map_err(ConnectError::Name)?;
                let (tcp, address) = self.dial(&permitted(found, *is_local, allowed)?, connect_ms).await?;
                (tcp, Some(address))
            }
        };
        tcp.set_nodelay(true).map_err(ConnectError::Tcp)?;
        // Where it cannot be had, only memory is lost.
        drop(socket2::SockRef::from(&tcp).set_recv_buffer_size(RECEIVED_BYTES_MAX));
        Ok((tcp, address))
    }

    async fn reach_through(
        &self,
        tunnel: &Tunnel,
        connect_ms: u32,
    ) -> Result<(TcpStream, Option<IpAddr>), ConnectError> {
        let (mut tcp, address) = self.reach(connect_ms).await?;
        let head_bytes_max = self.limits.get().head_bytes_max;
        tunnel.open(&mut tcp, head_bytes_max).await.map_err(ConnectError::Tunnel)?;
        Ok((tcp, address))
    }

    async fn link<S>(
        &self,
        socket: S,
        scheme: uri::Scheme,
        address: Option<IpAddr>,
        expires_ms: u64,
    ) -> Result<Opened, ConnectError>
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + 'static,
    {
        let limits = self.limits.get();
        let options = LinkOptions {
            head_bytes_max: limits.head_bytes_max,
            ping_ms: limits.ping_ms,
            address,
            expires_ms,
        };
        let link = Box::pin(Link::open(socket, scheme, options, &self.changed)).await;
        let link = link.map_err(ConnectError::Protocol)?;
        link.idle_since_ms.set(self.clock.now_ms());
        Ok(Opened::Http2(Rc::new(link)))
    }

    async fn dial(&self, addresses: &[IpAddr], connect_ms: u32) -> Result<(TcpStream, IpAddr), ConnectError> {
        let mut last = io::Error::new(io::ErrorKind::NotFound, "no address");
        let share =
            Duration::from_millis(u64::from(connect_ms)) / u32::try_from(addresses.len()).unwrap_or(1).max(1);
        for address in addresses {
            let connecting = TcpStream::connect(SocketAddr::new(*address, self.port));
            let connected = if share.is_zero() || addresses.len() == 1 {
                connecting.await
            } else {
                tokio::time::timeout(share, connecting)
                    .await
                    .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            };
            match connected {
                Ok(tcp) if descriptors::is_reserved(&tcp) => {
                    return Err(ConnectError::Tcp(io::Error::from_raw_os_error(libc::EMFILE)));
                }
                Ok(tcp) => return Ok((tcp, *address)),
                Err(e) => last = e,
            }
        }
        Err(ConnectError::Tcp(last))
    }

    /// When a connection opened now is too old.
    fn expiry(&self) -> u64 {
        let count = self.opened.get();
        self.opened.set(count.wrapping_add(1));
        self.clock.now_ms() + life_ms(self.limits.get().age_max_ms, count)
    }

    /// Takes back a connection whose reply was read to its end.
    pub(crate) fn put_idle(&self, mut connection: Box<Connection>, now_ms: u64) {
        if connection.is_shared() || connection.expires_ms <= now_ms {
            return;
        }
        let mut idle = self.idle.borrow_mut();
        if idle.len() < self.limits.get().idle_max {
            connection.idle_since_ms = now_ms;
            connection.reused = true;
            idle.push(connection);
        }
    }

    /// Closes idle connections that the peer has closed, that are too old or unused for too long, and those
    /// to addresses that the name no longer leads to; shared ones end with their last stream. Called once a
    /// second.
    pub(crate) fn retire(&self, now_ms: u64) {
        let limits = self.limits.get();
        let leads_to = |address: Option<IpAddr>| match (&self.host, address) {
            (Host::Name { name, .. }, Some(address)) => name.lists(address),
            (Host::Name { .. } | Host::Address(_), _) => true,
        };
        self.idle.borrow_mut().retain(|connection| {
            connection.looks_alive()
                && now_ms.saturating_sub(connection.idle_since_ms) < limits.idle_ms
                && now_ms < connection.expires_ms
                && leads_to(connection.address)
        });
        self.links.borrow_mut().retain(|link| {
            if link.open_streams() > 0 {
                link.idle_since_ms.set(now_ms);
            }
            !link.is_ended()
                && now_ms.saturating_sub(link.idle_since_ms.get()) < limits.idle_ms
                && now_ms < link.options.expires_ms
                && leads_to(link.options.address)
        });
        if let Host::Name { name, .. } = &self.host {
            if !self.idle.borrow().is_empty() || !self.links.borrow().is_empty() {
                name.still_used();
            }
            name.refresh(limits.dns_ttl);
        }
    }
}

fn http1(socket: Socket, address: Option<IpAddr>, expires_ms: u64) -> Opened {
    let mut connection = Connection::http1(socket);
    connection.address = address;
    connection.expires_ms = expires_ms;
    Opened::Http1(connection)
}

/// How long the `count`th connection may live: somewhere in the last tenth of the allowed age, so that those
/// that were opened together do not all go together.
fn life_ms(age_max_ms: u64, count: u32) -> u64 {
    // Multiples of the golden ratio fall far from one another, however many there are.
    let spread = u64::from(count.wrapping_mul(0x9E37_79B9) >> 16);
    age_max_ms - ((age_max_ms / 10).saturating_mul(spread) >> 16)
}

/// Of the addresses a name leads to, those it may lead to (B21).
///
/// # Errors
/// There is none.
fn permitted(
    mut found: Vec<IpAddr>,
    is_local: bool,
    allowed: &[AddressRange],
) -> Result<Vec<IpAddr>, ConnectError> {
    let mut refused = None;
    found.retain(|address| match reserved(*address) {
        None => true,
        Some("loopback") if is_local => true,
        Some(_) if allowed.iter().any(|range| range.contains(*address)) => true,
        Some(kind) => {
            refused = Some(kind);
            false
        }
    });
    match (found.is_empty(), refused) {
        (true, Some(kind)) => Err(ConnectError::Reserved(kind)),
        _ => Ok(found),
    }
}

/// The name the upstream's certificate must hold, and how TLS is spoken; `None` without TLS.
fn client_tls(
    origin: &snapshot::Origin,
    shared: &Shared,
) -> Result<Option<(Arc<ClientConfig>, ServerName<'static>)>, String> {
    if origin.scheme == Scheme::Http {
        return Ok(None);
    }
    let name = ServerName::try_from(origin.host.clone())
        .map_err(|_| format!("`{}` is not a host name or address TLS can check", origin.host))?;
    Ok(Some((tls::config(origin, &shared.credentials)?, name)))
}

/// Counts one for as long as it lives.
struct Counted<'a>(&'a Cell<usize>);

impl<'a> Counted<'a> {
    fn one_more(cell: &'a Cell<usize>) -> Self {
        cell.set(cell.get() + 1);
        Self(cell)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get().saturating_sub(1));
    }
}

/// A request that waits for a place. When it is done, however that ends, the next one looks: there may be
/// another place, or the one that this was told of and did not take.
struct Waiting<'a> {
    _count: Counted<'a>,
    changed: &'a Notify,
}

impl<'a> Waiting<'a> {
    fn one_more(origin: &'a Origin) -> Self {
        Self { _count: Counted::one_more(&origin.waiting), changed: &origin.changed }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.changed.notify_one();
    }
}

/// A connection being opened; however that ends, those who wait look again.
struct Connecting<'a> {
    _count: Counted<'a>,
    changed: &'a Notify,
}

impl<'a> Connecting<'a> {
    fn one_more(origin: &'a Origin) -> Self {
        Self { _count: Counted::one_more(&origin.connecting), changed: &origin.changed }
    }
}

impl Drop for Connecting<'_> {
    fn drop(&mut self) {
        // The waiters are polled later, when the count is down.
        self.changed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_opened_together_go_one_after_the_other() {
        let mut lives: Vec<_> = (0..100).map(|count| life_ms(600_000, count)).collect();
        lives.sort_unstable();
        assert!(lives.iter().all(|life| (540_000..=600_000).contains(life)));
        // Of 100 in a minute, no two within a fifth of a second.
        assert!(lives.windows(2).all(|pair| pair[1] - pair[0] > 200));
        assert_eq!(life_ms(1, 77), 1);
    }

    #[test]
    fn of_several_addresses_those_that_are_allowed_stay() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let found = vec![ip("10.0.0.1"), ip("127.0.0.1"), ip("169.254.169.254")];
        let none: &[AddressRange] = &[];
        assert_eq!(permitted(found.clone(), false, none).unwrap(), [ip("10.0.0.1")]);
        assert_eq!(permitted(found.clone(), true, none).unwrap(), [ip("10.0.0.1"), ip("127.0.0.1")]);
        let allowed = ["169.254.0.0/16".parse().unwrap()];
        assert_eq!(permitted(found, false, &allowed).unwrap(), [ip("10.0.0.1"), ip("169.254.169.254")]);
        let refused = permitted(vec![ip("169.254.169.254")], true, none);
        assert!(matches!(refused, Err(ConnectError::Reserved("link-local"))));
    }
}
