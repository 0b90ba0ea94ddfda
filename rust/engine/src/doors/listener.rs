//! The listener: sockets, the first bytes of a connection, and which protocol they speak.

use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Protocol, Type};
use tokio::io::{AsyncReadExt as _, Interest, Ready};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio_rustls::TlsAcceptor;

use super::balance::{Accepted, Handed, Peers};
use super::rewind::Rewind;
use super::unix::{self, SocketFile};
use super::{http1, http2, turns};
use crate::deadlines::Lapse;
use crate::descriptors;
use crate::fail_points::fail_point;
use crate::options::Options;
use crate::shared::Seat;
use crate::socket::Socket;
use crate::worker::Worker;

const BACKLOG: i32 = 1024;
/// What the kernel takes for a client that does not read, beyond what it has on the way; connections have it
/// from their listener. Left to itself it takes megabytes of every stalled stream.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 128 * 1024;

/// Where the API is listened on.
#[derive(Debug)]
pub(crate) enum Place {
    Tcp(SocketAddr),
    Unix(SocketFile),
}

/// A worker's listening socket: one of its own, or a share of the one that a Unix socket's file leads to.
pub(crate) enum Listening {
    Tcp(StdListener),
    Unix(StdUnixListener),
}

/// One listening socket per worker, all on one address; returns the address.
///
/// # Errors
/// What could not be bound and why, for people.
pub(crate) fn bind(options: &Options, workers: usize) -> Result<(Place, Vec<Listening>), String> {
    if let Some(wanted) = &options.listen.unix {
        let (file, socket) = unix::bind(wanted, options.reuse_port, BACKLOG)?;
        let shares = (0..workers).map(|_| socket.try_clone().map(Listening::Unix));
        let shares = shares.collect::<Result<_, _>>();
        return Ok((Place::Unix(file), shares.map_err(|e| format!("listen.api: {e}"))?));
    }
    let (address, sockets) = bind_tcp(options, workers)?;
    Ok((Place::Tcp(address), sockets.into_iter().map(Listening::Tcp).collect()))
}

fn bind_tcp(options: &Options, workers: usize) -> Result<(SocketAddr, Vec<StdListener>), String> {
    let wanted = (options.listen.host.as_str(), options.listen.port);
    let shown = format!("{}:{}", wanted.0, wanted.1);
    let mut address = wanted
        .to_socket_addrs()
        .map_err(|e| format!("listen.api: `{shown}` is not an address: {e}"))?
        .next()
        .ok_or_else(|| format!("listen.api: `{shown}` has no address"))?;
    let explain = |e: io::Error| match e.kind() {
        io::ErrorKind::AddrInUse => format!(
            "listen.api: `{shown}` is taken by another program. hint: choose another port (`--port`, 0 takes any free one)"
        ),
        io::ErrorKind::PermissionDenied => {
            format!(
                "listen.api: `{shown}` needs privileges this process does not have. hint: use a port above 1023"
            )
        }
        _ => format!("listen.api: `{shown}` cannot be bound: {e}"),
    };
    // Workers share the port by SO_REUSEPORT, which would also let a stranger's process in: so first see
    // whether the port is free without it.
    if !options.reuse_port {
        let probe = socket(address, false).map_err(explain)?;
        address = probe.local_addr().map_err(explain)?;
    }
    let mut sockets = Vec::with_capacity(workers);
    for _ in 0..workers {
        let socket = socket(address, true).map_err(explain)?;
        address = socket.local_addr().map_err(explain)?;
        sockets.push(socket);
    }
    Ok((address, sockets))
}

fn socket(address: SocketAddr, share: bool) -> io::Result<StdListener> {
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    if share {
        socket.set_reuse_port(true)?;
    }
    socket.bind(&address.into())?;
    if share {
        #[cfg(target_os = "linux")]
        socket.set_tcp_notsent_lowat(UNSENT_BYTES_MAX)?;
        socket.listen(BACKLOG)?;
    } else {
        // Two sockets may be bound without SO_REUSEPORT as long as neither listens.
        socket.listen(0)?;
    }
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

/// Accepts until the worker drains. Then nobody new may knock, whoever had knocked before is let in, and the
/// listener closes with an empty queue: what a listener has queued when it closes, the kernel resets.
pub(crate) async fn accept(
    worker: Rc<Worker>,
    listening: Listening,
    tls: Option<Arc<ServerConfig>>,
    peers: Peers,
) -> io::Result<()> {
    let listener = Acceptor::new(listening)?;
    let tls = tls.map(TlsAcceptor::from);
    let drain = worker.drain.notified();
    tokio::pin!(drain);
    loop {
        let accepted = tokio::select! {
            biased;
            accepted = listener.accept() => accepted,
            () = &mut drain => break,
        };
        match accepted {
            Ok((accepted, peer)) => admit_caught(&worker, &peers, accepted, peer, tls.as_ref()),
            // Out of descriptors: trying again at once would only burn the processor.
            Err(e) if !is_of_peer(&e) => {
                worker.bank.worker.accept_pauses.add(1);
                tokio::time::sleep(ACCEPT_PAUSE).await;
                descriptors::look();
            }
            Err(_) => {}
        }
    }
    // Where this cannot be had, a client that knocks between the last look and the close is reset.
    if listener.refuse_newcomers().is_ok() {
        let until = tokio::time::Instant::now() + HANDSHAKE_GRACE;
        while let Ok(accepted) = tokio::time::timeout_at(until, listener.accept()).await {
            match accepted {
                Ok((accepted, peer)) => admit_caught(&worker, &peers, accepted, peer, tls.as_ref()),
                Err(e) if !is_of_peer(&e) => tokio::time::sleep(Duration::from_millis(5)).await,
                Err(_) => {}
            }
        }
    }
    // Without tokio's budget, which would end the loop before the queue is empty.
    let queued = tokio::task::unconstrained(std::future::poll_fn(|cx| match listener.poll_accept(cx) {
        Poll::Ready(accepted) => Poll::Ready(Some(accepted)),
        Poll::Pending => Poll::Ready(None),
    }));
    tokio::pin!(queued);
    while let Some(accepted) = std::future::poll_fn(|cx| queued.as_mut().poll(cx)).await {
        if let Ok((accepted, peer)) = accepted {
            admit_caught(&worker, &peers, accepted, peer, tls.as_ref());
        }
    }
    Ok(())
}

/// Serves what other workers hand over, for as long as the worker lives.
pub(crate) async fn take_over(
    worker: Rc<Worker>,
    mut handed: UnboundedReceiver<Handed>,
    tls: Option<Arc<ServerConfig>>,
) {
    let tls = tls.map(TlsAcceptor::from);
    while let Some(handed) = handed.recv().await {
        // What the runtime cannot take is closed, like a connection that was gone before it was accepted.
        if let Ok((accepted, seat)) = Accepted::take(handed) {
            drop(worker.shared.panics.outlive(|| {
                fail_point!("listener.take_over");
                open(&worker, accepted, seat, tls.as_ref());
            }));
        }
    }
}

enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Acceptor {
    fn new(listening: Listening) -> io::Result<Self> {
        Ok(match listening {
            Listening::Tcp(listener) => Self::Tcp(TcpListener::from_std(listener)?),
            Listening::Unix(listener) => Self::Unix(UnixListener::from_std(listener)?),
        })
    }

    /// A connection and its client's address. Whoever reaches a Unix socket is on this machine and has none.
    fn poll_accept(&self, cx: &mut Context<'_>) -> Poll<io::Result<(Accepted, Option<IpAddr>)>> {
        match self {
            Self::Tcp(listener) => {
                listener.poll_accept(cx).map_ok(|(tcp, peer)| (Accepted::Tcp(tcp), Some(peer.ip())))
            }
            Self::Unix(listener) => listener.poll_accept(cx).map_ok(|(unix, _)| (Accepted::Unix(unix), None)),
        }
    }

    async fn accept(&self) -> io::Result<(Accepted, Option<IpAddr>)> {
        std::future::poll_fn(|cx| self.poll_accept(cx)).await
    }

    /// Drops the first packet of every new handshake with this listener. Its sender repeats it a second later,
    /// and then meets a closed port or, behind a shared one, the process that takes over.
    #[cfg(target_os = "linux")]
    fn refuse_newcomers(&self) -> io::Result<()> {
        use socket2::SockFilter;
        /// Where the flags are in a TCP header (RFC 9293 §3.1), and two of them.
        const FLAGS_AT: u32 = 13;
        const SYN: u32 = 0x02;
        const SYN_ACK: u32 = 0x12;
        /// Classic BPF: load a byte, mask it, compare it, return how much of the packet is kept.
        const LOAD_BYTE: u16 = 0x30;
        const AND: u16 = 0x54;
        const IF_EQUAL: u16 = 0x15;
        const KEEP: u16 = 0x06;
        let Self::Tcp(listener) = self else { return Err(io::ErrorKind::Unsupported.into()) };
        socket2::SockRef::from(listener).attach_filter(&[
            SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_AT),
            SockFilter::new(AND, 0, 0, SYN_ACK),
            SockFilter::new(IF_EQUAL, 0, 1, SYN),
            SockFilter::new(KEEP, 0, 0, 0),
            SockFilter::new(KEEP, 0, 0, u32::MAX),
        ])
    }

    #[cfg(not(target_os = "linux"))]
    fn refuse_newcomers(&self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

/// What a handshake that had begun before the drain gets to come to its end: a round trip.
const HANDSHAKE_GRACE: Duration = Duration::from_millis(50);

/// How long no connection is accepted after the process had no descriptor for one.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Errors of one connection that was gone before it was accepted.
fn is_of_peer(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

/// A panic costs the connection it happened on, not the listener.
fn admit_caught(
    worker: &Rc<Worker>,
    peers: &Peers,
    accepted: Accepted,
    peer: Option<IpAddr>,
    tls: Option<&TlsAcceptor>,
) {
    drop(worker.shared.panics.outlive(|| admit(worker, peers, accepted, peer, tls)));
}

/// Serves an accepted connection, or hands it to a worker that has clearly fewer.
fn admit(
    worker: &Rc<Worker>,
    peers: &Peers,
    accepted: Accepted,
    peer: Option<IpAddr>,
    tls: Option<&TlsAcceptor>,
) {
    fail_point!("listener.open");
    let lighter = if worker.shared.draining() { None } else { peers.lighter() };
    let Some(own) = peers.own_load() else { return };
    let Some(mut seat) = worker.admit_connection(own, peer) else { return };
    let Some(lighter) = lighter else { return open(worker, accepted, seat, tls) };
    seat.move_to(&lighter.load);
    if let Ok(handed) = accepted.hand(seat)
        && lighter.handed.send(handed).is_ok()
    {
        worker.bank.worker.connections_handed_over.add(1);
    }
}

fn open(worker: &Rc<Worker>, accepted: Accepted, seat: Seat, tls: Option<&TlsAcceptor>) {
    let count = worker.count_connection(seat);
    let own = Rc::clone(worker);
    let tcp = match accepted {
        Accepted::Tcp(tcp) => tcp,
        Accepted::Unix(socket) => {
            return turns::begin(worker, async move {
                Box::pin(local(own, socket)).await;
                drop(count);
            });
        }
    };
    // Small writes must not wait for the acknowledgement of earlier ones.
    if tcp.set_nodelay(true).is_err() {
        return;
    }
    match tls {
        None => turns::begin(worker, async move {
            plain(own, tcp).await;
            drop(count);
        }),
        Some(acceptor) => {
            let acceptor = acceptor.clone();
            turns::begin(worker, async move {
                Box::pin(secured(own, tcp, acceptor)).await;
                drop(count);
            });
        }
    }
}

/// The client connection preface of HTTP/2 (RFC 9113 §3.4) begins so; no HTTP/1.1 request does.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How long a connection that was just opened may take to send its first byte once a drain has begun.
const DRAIN_GRACE: Duration = Duration::from_millis(100);

async fn plain(worker: Rc<Worker>, tcp: TcpStream) {
    let mut first = [0u8; 24];
    let mut pause = Duration::from_millis(5);
    let timer = worker.deadlines.timer();
    timer.arm(worker.loaded().snapshot.limits.head_ms);
    timer.set_idle(true);
    // A look without taking: the bytes belong to the protocol that is found.
    let mut look = Box::pin(async {
        loop {
            match tcp.peek(&mut first).await {
                Ok(0) | Err(_) => return None,
                Ok(n) => {
                    let seen = first.get(..n).unwrap_or_default();
                    if seen == PREFACE {
                        return Some(true);
                    }
                    if !PREFACE.starts_with(seen) {
                        return Some(false);
                    }
                    // Less than the preface so far: rare enough to wait by the clock, ever longer.
                    tokio::time::sleep(pause).await;
                    if tcp.ready(Interest::READABLE).await.is_ok_and(Ready::is_read_closed) {
                        return Some(false);
                    }
                    pause = (pause * 2).min(Duration::from_millis(320));
                }
            }
        }
    });
    let mut is_http2 = timer.limit(look.as_mut()).await;
    if matches!(is_http2, Err(Lapse::Closing)) {
        // Its request may be on the way: whoever was let in is answered.
        is_http2 = tokio::time::timeout(DRAIN_GRACE, look.as_mut()).await.map_err(|_| Lapse::Closing);
    }
    drop((timer, look));
    match is_http2 {
        Ok(Some(false)) => http1::serve(worker, Socket::Plain(tcp), Vec::new()).await,
        Ok(Some(true)) => Box::pin(http2::serve(worker, tcp)).await,
        Ok(None) | Err(_) => {}
    }
}

/// As [`plain`], on a Unix socket: it cannot be looked at without taking, so what was read is read again.
async fn local(worker: Rc<Worker>, mut socket: UnixStream) {
    let timer = worker.deadlines.timer();
    timer.arm(worker.loaded().snapshot.limits.head_ms);
    timer.set_idle(true);
    let mut first = worker.buffers.take();
    let is_http2 = {
        let mut look = Box::pin(async {
            loop {
                match socket.read_buf(&mut first).await {
                    Ok(0) | Err(_) if first.is_empty() => return None,
                    Ok(0) | Err(_) => return Some(false),
                    Ok(_) if first.len() < PREFACE.len() && PREFACE.starts_with(&first) => {}
                    Ok(_) => return Some(first.starts_with(PREFACE)),
                }
            }
        });
        match timer.limit(look.as_mut()).await {
            Err(Lapse::Closing) => {
                tokio::time::timeout(DRAIN_GRACE, look.as_mut()).await.map_err(|_| Lapse::Closing)
            }
            looked => looked,
        }
    };
    drop(timer);
    match is_http2 {
        Ok(Some(false)) => http1::serve(worker, Socket::Unix(socket), first).await,
        Ok(Some(true)) => http2::serve(worker, Rewind::new(first, socket)).await,
        Ok(None) | Err(_) => worker.buffers.give(first),
    }
}

async fn secured(worker: Rc<Worker>, tcp: TcpStream, acceptor: TlsAcceptor) {
    let timer = worker.deadlines.timer();
    timer.arm(worker.loaded().snapshot.limits.head_ms);
    timer.set_idle(true);
    let Ok(Ok(stream)) = timer.limit(acceptor.accept(tcp)).await else { return };
    drop(timer);
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2::serve(worker, stream).await;
    } else {
        http1::serve(worker, Socket::Tls(Box::new(stream.into())), Vec::new()).await;
    }
}
