//! HTTP/1.1: one connection, kept alive, read strictly (RFC 9112).

use std::io;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{Link, Outcome, Peer, Received};
use crate::oracle::ask::Vendor;

/// A client of one peer; one request at a time.
pub struct Http1 {
    peer: Peer,
    link: Option<Link>,
    buffer: Vec<u8>,
}

const FIELDS_MAX: usize = 200;

impl Http1 {
    /// Not connected yet.
    pub fn new(peer: Peer) -> Self {
        Self { peer, link: None, buffer: Vec::new() }
    }

    /// Sends a request and reads its reply to the end.
    pub async fn call(&mut self, target: &str, vendor: Vendor, body: &[u8]) -> Outcome {
        if let Err(e) = self.send(target, vendor, body).await {
            self.link = None;
            return Outcome::NoReply(e.to_string());
        }
        self.receive().await
    }

    /// Sends a request, on the kept connection if there is one.
    ///
    /// # Errors
    /// The connection's.
    pub async fn send(&mut self, target: &str, vendor: Vendor, body: &[u8]) -> io::Result<()> {
        let head = self.head(target, vendor, body.len());
        self.write(&[head.as_bytes(), body].concat()).await
    }

    /// The head of a request with a body of this length.
    pub fn head(&self, target: &str, vendor: Vendor, length: usize) -> String {
        format!(
            "POST {target} HTTP/1.1\r\nhost: {}\r\n{}content-length: {length}\r\n\r\n",
            self.peer.address,
            self.peer.field_lines(vendor)
        )
    }

    /// Writes bytes, on the kept connection if there is one.
    ///
    /// # Errors
    /// The connection's.
    pub async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let link = if let Some(link) = self.link.take() {
            link
        } else {
            self.buffer.clear();
            self.peer.connect(b"http/1.1").await?
        };
        let link = self.link.insert(link);
        link.write_all(bytes).await?;
        link.flush().await
    }

    /// Reads the reply. The connection is kept where the framing and its peer allow.
    pub async fn receive(&mut self) -> Outcome {
        let head = match self.read_head().await {
            Ok(head) => head,
            Err(e) => {
                self.link = None;
                return Outcome::NoReply(e.to_string());
            }
        };
        let mut reply = Received { status: head.status, fields: head.fields, body: Vec::new(), cut: None };
        let framed = match self.read_body(&mut reply).await {
            Ok(framed) => framed,
            Err(e) => {
                reply.cut = Some(e.to_string());
                false
            }
        };
        let closes = reply.field("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        if reply.cut.is_none() && !self.buffer.is_empty() {
            // It would be taken for the next reply.
            reply.cut = Some("VIOLATION: bytes behind the reply".to_owned());
        }
        if !framed || closes || reply.cut.is_some() {
            self.link = None;
        }
        Outcome::Reply(reply)
    }

    /// Reads until the reply's body has begun to come. `false` when it ends before.
    pub async fn first_bytes(&mut self) -> bool {
        if self.read_head().await.is_err() {
            return false;
        }
        !self.buffer.is_empty() || self.more().await.is_ok()
    }

    /// Goes away in mid-request: by a reset, or by a plain close.
    pub fn abandon(&mut self, reset: bool) {
        if let Some(link) = self.link.take()
            && reset
        {
            link.arm_reset();
        }
        self.buffer.clear();
    }

    async fn more(&mut self) -> io::Result<()> {
        let link = self.link.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        if link.read_buf(&mut self.buffer).await? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended early"));
        }
        Ok(())
    }

    async fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut looked = 0;
        loop {
            let rest = self.buffer.get(looked..).unwrap_or_default();
            if let Some(at) = rest.windows(2).position(|two| two == b"\r\n") {
                let mut line: Vec<u8> = self.buffer.drain(..looked + at + 2).collect();
                line.truncate(looked + at);
                return Ok(line);
            }
            looked = self.buffer.len().saturating_sub(1);
            self.more().await?;
        }
    }

    async fn read_head(&mut self) -> io::Result<Head> {
        loop {
            let head = self.read_one_head().await?;
            if head.status >= 200 {
                return Ok(head);
            }
        }
    }

    async fn read_one_head(&mut self) -> io::Result<Head> {
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let line = String::from_utf8(self.line().await?).map_err(|_| bad("status line"))?;
        let rest = line.strip_prefix("HTTP/1.1 ").ok_or_else(|| bad("status line"))?;
        let status = rest.get(..3).and_then(|digits| digits.parse().ok()).ok_or_else(|| bad("status"))?;
        let mut fields = Vec::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Ok(Head { status, fields });
            }
            let line = String::from_utf8(line).map_err(|_| bad("field"))?;
            let (name, value) = line.split_once(':').ok_or_else(|| bad("field without a colon"))?;
            if name.is_empty() || name.ends_with(' ') || fields.len() > FIELDS_MAX {
                return Err(bad("field"));
            }
            fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
    }

    /// Reads the body; `false` when only the connection's end could tell its end.
    async fn read_body(&mut self, reply: &mut Received) -> io::Result<bool> {
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        if matches!(reply.status, 204 | 304) {
            return Ok(true);
        }
        if let Some(coding) = reply.field("transfer-encoding") {
            if coding != "chunked" || reply.field("content-length").is_some() {
                return Err(bad("transfer coding"));
            }
            return self.read_chunks(reply).await.map(|()| true);
        }
        let Some(length) = reply.field("content-length").map(str::to_owned) else {
            loop {
                reply.body.append(&mut self.buffer);
                match self.more().await {
                    Ok(()) => {}
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                    Err(e) => return Err(e),
                }
            }
        };
        let length: usize = length.parse().map_err(|_| bad("content-length"))?;
        loop {
            let take = self.buffer.len().min(length - reply.body.len());
            reply.body.extend(self.buffer.drain(..take));
            if reply.body.len() == length {
                return Ok(true);
            }
            self.more().await?;
        }
    }

    async fn read_chunks(&mut self, reply: &mut Received) -> io::Result<()> {
        let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        loop {
            let line = self.line().await?;
            let digits = std::str::from_utf8(&line).unwrap_or_default().split(';').next().unwrap_or_default();
            if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
                return Err(bad("chunk size"));
            }
            let size = usize::from_str_radix(digits, 16).map_err(|_| bad("chunk size"))?;
            let mut left = size;
            while left > 0 {
                // What has come of a chunk is handed on at once, as every client does.
                let take = self.buffer.len().min(left);
                reply.body.extend(self.buffer.drain(..take));
                left -= take;
                if left > 0 {
                    self.more().await?;
                }
            }
            if !self.line().await?.is_empty() {
                if size == 0 {
                    // A trailer field; the empty line follows.
                    while !self.line().await?.is_empty() {}
                    return Ok(());
                }
                return Err(bad("chunk end"));
            }
            if size == 0 {
                return Ok(());
            }
        }
    }
}

struct Head {
    status: u16,
    fields: Vec<(String, String)>,
}
