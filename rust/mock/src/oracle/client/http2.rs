//! HTTP/2: several requests on each of a few connections.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, SendStream};
use tokio::sync::Mutex;

use super::{Outcome, Peer, Received};
use crate::oracle::ask::Vendor;

/// Connections to one peer, shared by all who hold it.
pub struct Http2Pool {
    peer: Peer,
    slots: Vec<Mutex<Option<SendRequest<Bytes>>>>,
    next: AtomicUsize,
}

/// A client on one of the pool's connections.
pub struct Http2 {
    pool: Arc<Http2Pool>,
    slot: usize,
}

/// A request that waits for its reply.
pub struct Waiting {
    response: ResponseFuture,
    stream: SendStream<Bytes>,
}

impl Http2Pool {
    /// Not connected yet.
    pub fn new(peer: Peer, connections: usize) -> Arc<Self> {
        let slots = (0..connections.max(1)).map(|_| Mutex::new(None)).collect();
        Arc::new(Self { peer, slots, next: AtomicUsize::new(0) })
    }

    /// A client on the next connection in turn.
    pub fn client(self: &Arc<Self>) -> Http2 {
        let slot = self.next.fetch_add(1, Ordering::Relaxed) % self.slots.len();
        Http2 { pool: Arc::clone(self), slot }
    }

    async fn ready(&self, slot: usize) -> io::Result<SendRequest<Bytes>> {
        let slot = self.slots.get(slot).ok_or(io::ErrorKind::NotFound)?;
        let mut held = slot.lock().await;
        if let Some(sender) = held.as_ref()
            && let Ok(ready) = sender.clone().ready().await
        {
            return Ok(ready);
        }
        let link = self.peer.connect(b"h2").await?;
        let mut builder = h2::client::Builder::new();
        builder.initial_window_size(1 << 20).initial_connection_window_size(16 << 20);
        let (sender, connection) = builder.handshake::<_, Bytes>(link).await.map_err(io::Error::other)?;
        drop(tokio::spawn(async move { drop(connection.await) }));
        let ready = sender.ready().await.map_err(io::Error::other)?;
        *held = Some(ready.clone());
        Ok(ready)
    }
}

impl Http2 {
    /// Sends a request and reads its reply to the end.
    pub async fn call(&mut self, target: &str, vendor: Vendor, body: &[u8]) -> Outcome {
        match self.send(target, vendor, body, body.len()).await {
            Ok(waiting) => Self::receive(waiting).await,
            Err(e) => Outcome::NoReply(e.to_string()),
        }
    }

    /// Sends a request with the first `upto` bytes of its body; less than all of them leaves it open.
    ///
    /// # Errors
    /// The connection's.
    pub async fn send(
        &mut self,
        target: &str,
        vendor: Vendor,
        body: &[u8],
        upto: usize,
    ) -> io::Result<Waiting> {
        let mut sender = self.pool.ready(self.slot).await?;
        let scheme = if self.pool.peer.identity.is_some() { "https" } else { "http" };
        let uri = format!("{scheme}://{}{target}", self.pool.peer.address);
        let mut request = http::Request::post(uri);
        for line in self.pool.peer.field_lines(vendor).split_terminator("\r\n") {
            if let Some((name, value)) = line.split_once(": ") {
                request = request.header(name, value);
            }
        }
        let request = request.body(()).map_err(io::Error::other)?;
        let (response, mut stream) = sender.send_request(request, false).map_err(io::Error::other)?;
        // The requests are small: what exceeds the window is queued by the crate.
        let part = Bytes::copy_from_slice(body.get(..upto).unwrap_or(body));
        let whole = part.len() == body.len();
        stream.send_data(part, whole).map_err(io::Error::other)?;
        Ok(Waiting { response, stream })
    }

    /// Reads the reply.
    pub async fn receive(waiting: Waiting) -> Outcome {
        // Dropping the sending half of a stream that is not over would reset it.
        let Waiting { response, stream: _stream } = waiting;
        let response = match response.await {
            Ok(response) => response,
            Err(e) => return Outcome::NoReply(e.to_string()),
        };
        let (parts, mut body) = response.into_parts();
        let field = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        };
        let fields = parts.headers.iter().map(field).collect();
        let mut reply = Received { status: parts.status.as_u16(), fields, body: Vec::new(), cut: None };
        loop {
            match body.data().await {
                Some(Ok(data)) => {
                    drop(body.flow_control().release_capacity(data.len()));
                    reply.body.extend_from_slice(&data);
                }
                Some(Err(e)) => {
                    reply.cut = Some(e.to_string());
                    break;
                }
                None if body.is_end_stream() => break,
                None => {
                    reply.cut = Some("the stream was reset without an error".to_owned());
                    break;
                }
            }
        }
        Outcome::Reply(reply)
    }
}

impl Waiting {
    /// Waits until the reply's body has begun to come, and then goes away. `false` when it ends before.
    pub async fn first_bytes(self) -> Option<Begun> {
        let Self { response, stream } = self;
        let mut body = response.await.ok()?.into_body();
        let data = body.data().await?.ok()?;
        drop(body.flow_control().release_capacity(data.len()));
        Some(Begun { stream, _body: body })
    }

    /// Goes away in mid-request.
    pub fn abandon(mut self) {
        self.stream.send_reset(Reason::CANCEL);
    }
}

/// A reply that has begun to come.
pub struct Begun {
    stream: SendStream<Bytes>,
    _body: h2::RecvStream,
}

impl Begun {
    /// Goes away in mid-reply.
    pub fn abandon(mut self) {
        self.stream.send_reset(Reason::CANCEL);
    }
}
