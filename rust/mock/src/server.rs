//! The listener: one background thread, one `current_thread` runtime, HTTP/1.1 and HTTP/2 (prior knowledge).

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use crate::answer::State;

const BACKLOG: i32 = 1024;
const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(30);
// When no connection can be accepted (file descriptors), trying again at once would only burn the core.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The mock provider.
///
/// ```
/// let mock = llm_edge_mock::Mock::start("127.0.0.1:0".parse().unwrap())?;
/// println!("http://{}/v1", mock.address());
/// mock.stop();
/// # std::io::Result::Ok(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Mock;

/// A mock that is serving; it stops when this is dropped.
#[derive(Debug)]
pub struct MockHandle {
    address: SocketAddr,
    running: Mutex<Option<(oneshot::Sender<()>, JoinHandle<()>)>>,
}

impl Mock {
    /// Binds `address` (port 0: any free one) and serves it on one background thread named `mock`.
    ///
    /// # Errors
    /// The address cannot be bound (taken, not ours), or no thread or runtime can be made.
    pub fn start(address: SocketAddr) -> io::Result<MockHandle> {
        let listener = bind(address)?;
        let address = listener.local_addr()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let serve = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => {}
                    () = serve(listener) => {}
                }
            });
        };
        let thread = std::thread::Builder::new().name("mock".to_owned()).spawn(serve)?;
        Ok(MockHandle { address, running: Mutex::new(Some((stop, thread))) })
    }
}

impl MockHandle {
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

impl Drop for MockHandle {
    fn drop(&mut self) {
        self.stop();
    }
}

fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket.into())
}

async fn serve(listener: TcpListener) {
    let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
    let state = Arc::new(State::new());
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_READ_TIMEOUT)
        .pipeline_flush(true)
        // One copied write is cheaper than a vector of the small pieces that frames of a stream are.
        .writev(false);
    let builder = Arc::new(builder);
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                drop(tokio::spawn(connection(stream, Arc::clone(&builder), Arc::clone(&state))));
            }
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, builder: Arc<auto::Builder<TokioExecutor>>, state: Arc<State>) {
    if stream.set_nodelay(true).is_err() {
        return; // Gone already.
    }
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(state.answer(request).await) }
    });
    // A client that leaves, a cut on order: both end the connection, and neither is news.
    drop(builder.serve_connection(TokioIo::new(stream), service).await);
}
