//! The oracle upstream: listeners of every kind, one log.
//!
//! The HTTP/1.1 side is written here on bare sockets, since faults need every byte; HTTP/2 is the `h2` crate,
//! for the same reason one layer below hyper.

mod http1;
mod http2;
mod request;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::json;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::ask::{Ask, Dialect};
use super::log::Log;
use super::reply::error_body;
use super::tls::Identity;
use request::Request;

const BACKLOG: i32 = 4096;
const ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// How long a stalled reply waits for its peer to leave.
const STALL_MAX: Duration = Duration::from_mins(1);

/// A connection whose TCP side can be reached.
trait Wire: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&self) -> &TcpStream;

    /// Makes the close that follows a reset (RST), taking back what was not sent.
    fn arm_reset(&self) {
        drop(SockRef::from(self.tcp()).set_linger(Some(Duration::ZERO)));
    }
}

impl Wire for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Wire for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// An oracle that is serving.
#[derive(Debug)]
pub struct Oracle {
    /// HTTP/1.1 and HTTP/2 with prior knowledge.
    pub plain: SocketAddr,
    /// The same over TLS, by ALPN.
    pub tls: SocketAddr,
    /// Nobody listens here, and nobody else can.
    pub refused: SocketAddr,
    /// Accepts, and resets at once.
    pub reset: SocketAddr,
    /// Accept and say nothing, not even TLS.
    pub tarpits: Vec<Tarpit>,
    /// What was seen.
    pub log: Arc<Log>,
    resets: Arc<std::sync::atomic::AtomicU64>,
    _refused: Socket,
}

/// A listener that answers nothing, and writes down when its peers come and go.
#[derive(Debug)]
pub struct Tarpit {
    /// Where it is.
    pub address: SocketAddr,
    seen: Arc<Mutex<Visits>>,
}

#[derive(Debug, Default)]
struct Visits {
    come: usize,
    gone: Vec<Instant>,
}

impl Tarpit {
    /// Connections so far.
    pub fn come(&self) -> usize {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).come
    }

    /// When peers went away, in that order.
    pub fn gone(&self) -> Vec<Instant> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).gone.clone()
    }
}

#[derive(Debug)]
struct Shared {
    log: Arc<Log>,
}

impl Oracle {
    /// Binds free ports of 127.0.0.1 and serves them on the current runtime.
    ///
    /// # Errors
    /// A port cannot be bound.
    pub fn start(identity: &Identity, tarpits: usize) -> io::Result<Self> {
        let log = Arc::new(Log::default());
        let shared = Arc::new(Shared { log: Arc::clone(&log) });
        let local = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (plain_listener, plain) = listen(local)?;
        let (tls_listener, tls) = listen(local)?;
        let (reset_listener, reset) = listen(local)?;
        let unused = bound(local)?;
        let refused = unused.local_addr()?.as_socket().unwrap_or(local);
        let acceptor = identity.acceptor();
        drop(tokio::spawn(accept(plain_listener, {
            let shared = Arc::clone(&shared);
            move |stream| drop(tokio::spawn(serve(stream, Arc::clone(&shared))))
        })));
        drop(tokio::spawn(accept(tls_listener, move |stream| {
            drop(tokio::spawn(serve_tls(stream, acceptor.clone(), Arc::clone(&shared))));
        })));
        let resets = Arc::new(std::sync::atomic::AtomicU64::new(0));
        drop(tokio::spawn(accept(reset_listener, {
            let resets = Arc::clone(&resets);
            move |stream: TcpStream| {
                stream.arm_reset();
                resets.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        })));
        let tarpits = (0..tarpits).map(|_| tarpit(local)).collect::<io::Result<_>>()?;
        Ok(Self { plain, tls, refused, reset, tarpits, log, resets, _refused: unused })
    }

    /// Connections that were reset at once.
    pub fn resets(&self) -> u64 {
        self.resets.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// An oracle on a background thread of its own, plain HTTP only; it stops when this is dropped.
#[derive(Debug)]
pub struct OracleHandle {
    address: SocketAddr,
    running: Mutex<Option<(oneshot::Sender<()>, std::thread::JoinHandle<()>)>>,
}

impl OracleHandle {
    /// Binds `address` (port 0: any free one) and serves HTTP/1.1 and HTTP/2 (prior knowledge) there.
    ///
    /// # Errors
    /// The address cannot be bound, or no thread or runtime can be made.
    pub fn start(address: SocketAddr) -> io::Result<Self> {
        let socket = bound(address)?;
        socket.listen(BACKLOG)?;
        let address = socket.local_addr()?.as_socket().unwrap_or(address);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serve_all = move || {
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(socket.into()) else { return };
                let shared = Arc::new(Shared { log: Arc::default() });
                let each = move |stream| drop(tokio::spawn(serve(stream, Arc::clone(&shared))));
                tokio::select! {
                    _ = stopped => {}
                    () = accept(listener, each) => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("oracle".to_owned()).spawn(serve_all)?;
        Ok(Self { address, running: Mutex::new(Some((stop, thread))) })
    }

    /// The address that is served, with the real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes the listener and every connection, and waits for the thread to end. A second call does nothing.
    pub fn stop(&self) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some((stop, thread)) = running {
            // Either may have ended by itself already; then there is nothing left to stop.
            let _ = stop.send(());
            drop(thread.join());
        }
    }
}

impl Drop for OracleHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

fn bound(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn listen(address: SocketAddr) -> io::Result<(TcpListener, SocketAddr)> {
    let socket = bound(address)?;
    socket.listen(BACKLOG)?;
    let listener = TcpListener::from_std(socket.into())?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn accept(listener: TcpListener, mut each: impl FnMut(TcpStream)) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                drop(stream.set_nodelay(true));
                each(stream);
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

fn tarpit(address: SocketAddr) -> io::Result<Tarpit> {
    let (listener, address) = listen(address)?;
    let seen = Arc::new(Mutex::new(Visits::default()));
    let visits = Arc::clone(&seen);
    let visit = move |mut stream: TcpStream| {
        visits.lock().unwrap_or_else(PoisonError::into_inner).come += 1;
        let visits = Arc::clone(&visits);
        drop(tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while matches!(stream.read(&mut buffer).await, Ok(1..)) {}
            visits.lock().unwrap_or_else(PoisonError::into_inner).gone.push(Instant::now());
        }));
    };
    drop(tokio::spawn(accept(listener, visit)));
    Ok(Tarpit { address, seen })
}

async fn serve_tls(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    let Ok(stream) = acceptor.accept(stream).await else { return };
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        http2::serve(stream, shared).await;
    } else {
        http1::serve(stream, shared).await;
    }
}

/// The first bytes tell HTTP/2 with prior knowledge (RFC 9113 §3.4).
async fn serve(stream: TcpStream, shared: Arc<Shared>) {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0";
    let mut first = [0; PREFACE.len()];
    loop {
        match stream.peek(&mut first).await {
            Ok(0) | Err(_) => return,
            Ok(n) if n == PREFACE.len() && first == PREFACE => return http2::serve(stream, shared).await,
            Ok(n) if PREFACE.starts_with(first.get(..n).unwrap_or_default()) => {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            Ok(_) => return http1::serve(stream, shared).await,
        }
    }
}

/// What a request comes to.
enum Answer {
    /// The oracle's reply to this question.
    Oracle(Box<Ask>),
    /// A small document of its own.
    Plain(u16, Vec<u8>),
}

fn answer(shared: &Shared, request: &Request) -> Answer {
    let path = request.target.split('?').next().unwrap_or_default();
    if request.method == "GET" {
        if let Some(id) = request.target.strip_prefix("/oracle/log?id=").and_then(|id| id.parse().ok()) {
            return Answer::Plain(200, shared.log.json(id).to_string().into_bytes());
        }
        if path == "/v1/models" {
            let model = json!({"id": "oracle", "object": "model", "created": 0, "owned_by": "oracle"});
            return Answer::Plain(200, json!({"object": "list", "data": [model]}).to_string().into_bytes());
        }
    }
    let Some(dialect) = Dialect::of_target(&request.target).filter(|_| request.method == "POST") else {
        let message = "the oracle serves POST on chat/completions, completions, responses, embeddings, messages, \
                       models/NAME:generateContent, models/NAME:streamGenerateContent";
        return Answer::Plain(404, error_body(Dialect::Chat, 404, message));
    };
    match Ask::read(dialect, &request.target, &request.body) {
        Ok(ask) => Answer::Oracle(Box::new(ask)),
        Err(message) => Answer::Plain(400, error_body(dialect, 400, &message)),
    }
}
