//! The listener: sockets, the first bytes of a connection, and which protocol they speak.

use std::future::Future;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener, ToSocketAddrs};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use rustls::ServerConfig;
use socket2::{Domain, Protocol, Type};
use tokio::io::{Interest, Ready};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::{http1, http2};
use crate::deadlines::Lapse;
use crate::options::Options;
use crate::socket::Socket;
use crate::worker::Worker;

const BACKLOG: i32 = 1024;
/// What the kernel takes for a client that does not read, beyond what it has on the way; connections have it
/// from their listener. Left to itself it takes megabytes of every stalled stream.
#[cfg(target_os = "linux")]
const UNSENT_BYTES_MAX: u32 = 128 * 1024;

/// One listening socket per worker, all on one address; returns the address.
///
/// # Errors
/// What could not be bound and why, for people.
pub(crate) fn bind(options: &Options, workers: usize) -> Result<(SocketAddr, Vec<StdListener>), String> {
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
    listener: StdListener,
    tls: Option<Arc<ServerConfig>>,
) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
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
            Ok((tcp, _)) => open(&worker, tcp, tls.as_ref()),
            // Out of descriptors: trying again at once would only burn the processor.
            Err(e) if !is_of_peer(&e) => tokio::time::sleep(Duration::from_millis(100)).await,
            Err(_) => {}
        }
    }
    // Where this cannot be had, a client that knocks between the last look and the close is reset.
    if refuse_newcomers(&listener).is_ok() {
        let until = tokio::time::Instant::now() + HANDSHAKE_GRACE;
        while let Ok(accepted) = tokio::time::timeout_at(until, listener.accept()).await {
            match accepted {
                Ok((tcp, _)) => open(&worker, tcp, tls.as_ref()),
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
        if let Ok((tcp, _)) = accepted {
            open(&worker, tcp, tls.as_ref());
        }
    }
    Ok(())
}

/// What a handshake that had begun before the drain gets to come to its end: a round trip.
const HANDSHAKE_GRACE: Duration = Duration::from_millis(50);

/// Drops the first packet of every new handshake with this listener. Its sender repeats it a second later, and
/// then meets a closed port or, behind a shared one, the process that takes over.
#[cfg(target_os = "linux")]
fn refuse_newcomers(listener: &TcpListener) -> io::Result<()> {
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
    socket2::SockRef::from(listener).attach_filter(&[
        SockFilter::new(LOAD_BYTE, 0, 0, FLAGS_AT),
        SockFilter::new(AND, 0, 0, SYN_ACK),
        SockFilter::new(IF_EQUAL, 0, 1, SYN),
        SockFilter::new(KEEP, 0, 0, 0),
        SockFilter::new(KEEP, 0, 0, u32::MAX),
    ])
}

#[cfg(not(target_os = "linux"))]
fn refuse_newcomers(_: &TcpListener) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Errors of one connection that was gone before it was accepted.
fn is_of_peer(e: &io::Error) -> bool {
    matches!(
        e.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

fn open(worker: &Rc<Worker>, tcp: TcpStream, tls: Option<&TlsAcceptor>) {
    let Some(count) = worker.admit_connection() else { return };
    // Small writes must not wait for the acknowledgement of earlier ones.
    if tcp.set_nodelay(true).is_err() {
        return;
    }
    let worker = Rc::clone(worker);
    match tls {
        None => drop(tokio::task::spawn_local(async move {
            plain(worker, tcp).await;
            drop(count);
        })),
        Some(acceptor) => {
            let acceptor = acceptor.clone();
            drop(tokio::task::spawn_local(async move {
                Box::pin(secured(worker, tcp, acceptor)).await;
                drop(count);
            }));
        }
    }
}

/// The client connection preface of HTTP/2 (RFC 9113 §3.4) begins so; no HTTP/1.1 request does.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

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
