//! A connection as a server sees it: pieces of bytes in, requests out. What the tests drive the codec with.

use llm_edge_core::http1::{
    Chunked, HeadLimits, Http1Error, Progress, RequestFraming, RequestHead, Step, Version,
};

pub(crate) const LIMITS: HeadLimits =
    HeadLimits { head_bytes_max: 4096, headers_max: 16, target_bytes_max: 256 };

/// A request with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Vec<u8>,
    pub(crate) target: Vec<u8>,
    pub(crate) version: Version,
    pub(crate) fields: Vec<(Vec<u8>, Vec<u8>)>,
    pub(crate) framing: RequestFraming,
    pub(crate) keep_alive: bool,
    pub(crate) expect_continue: bool,
    pub(crate) upgrade: bool,
    pub(crate) body: Vec<u8>,
}

/// What became of all the bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) requests: Vec<Request>,
    pub(crate) error: Option<Http1Error>,
    /// A request said that it was the last.
    pub(crate) closed: bool,
    /// Bytes of a request that is not complete have arrived.
    pub(crate) pending: bool,
}

#[derive(Debug, Default)]
enum Body {
    #[default]
    Head,
    Length(usize),
    Chunked(Chunked),
}

#[derive(Debug, Default)]
pub(crate) struct Connection {
    /// Bytes of the current message from its first one on.
    buf: Vec<u8>,
    head: RequestHead,
    body: Body,
    /// How far into `buf` the body has been read.
    at: usize,
    current: Vec<u8>,
    outcome: Outcome,
}

impl Connection {
    /// Offers more bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        if self.outcome.error.is_some() || self.outcome.closed {
            return;
        }
        self.buf.extend_from_slice(bytes);
        loop {
            match self.advance() {
                Ok(true) if !self.outcome.closed => {}
                Ok(_) => break,
                Err(error) => {
                    self.outcome.error = Some(error);
                    break;
                }
            }
        }
    }

    /// Ends the connection.
    pub(crate) fn finish(mut self) -> Outcome {
        self.outcome.pending = self.outcome.error.is_none() && !self.outcome.closed && !self.buf.is_empty();
        self.outcome
    }

    /// Whether there may be more to do with the bytes at hand.
    fn advance(&mut self) -> Result<bool, Http1Error> {
        match &mut self.body {
            Body::Head => {
                if self.head.parse(&self.buf, &LIMITS)? == Progress::Partial {
                    return Ok(false);
                }
                self.at = self.head.len;
                match self.head.framing {
                    RequestFraming::None => self.complete(),
                    RequestFraming::Length(bytes) => {
                        self.body = Body::Length(usize::try_from(bytes).unwrap());
                    }
                    RequestFraming::Chunked => self.body = Body::Chunked(Chunked::new()),
                }
                Ok(true)
            }
            Body::Length(left) => {
                let taken = (*left).min(self.buf.len() - self.at);
                self.current.extend_from_slice(&self.buf[self.at..self.at + taken]);
                self.at += taken;
                *left -= taken;
                let done = *left == 0;
                if done {
                    self.complete();
                }
                Ok(done)
            }
            Body::Chunked(chunked) => {
                let step = chunked.step(&self.buf, self.at)?;
                match step {
                    Step::NeedMore => return Ok(false),
                    Step::Size { next, .. } | Step::ChunkEnd { next, .. } | Step::Trailer { next } => {
                        assert!(next > self.at, "{step:?} consumed nothing");
                        self.at = next;
                    }
                    Step::Data { start, end } => {
                        assert!(start == self.at && end > start);
                        self.current.extend_from_slice(&self.buf[start..end]);
                        self.at = end;
                    }
                    Step::End { next } => {
                        assert!(next > self.at);
                        self.at = next;
                        self.complete();
                    }
                }
                Ok(true)
            }
        }
    }

    fn complete(&mut self) {
        let (head, buf) = (&self.head, &self.buf);
        let fields = head
            .fields
            .iter()
            .map(|field| (field.name.of(buf).to_vec(), field.value.of(buf).to_vec()))
            .collect();
        self.outcome.requests.push(Request {
            method: head.method.of(buf).to_vec(),
            target: head.target.of(buf).to_vec(),
            version: head.version,
            fields,
            framing: head.framing,
            keep_alive: head.keep_alive,
            expect_continue: head.expect_continue,
            upgrade: head.upgrade,
            body: std::mem::take(&mut self.current),
        });
        self.outcome.closed = !head.keep_alive || head.upgrade;
        self.buf.drain(..self.at);
        self.at = 0;
        self.body = Body::Head;
        self.head.reset();
    }
}

/// What becomes of `pieces`, offered one after the other.
pub(crate) fn outcome<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Outcome {
    let mut connection = Connection::default();
    for piece in pieces {
        connection.feed(piece);
    }
    connection.finish()
}

/// What becomes of `bytes`, after making sure that it is the same whole, byte by byte and cut in two anywhere.
pub(crate) fn outcome_however_cut(bytes: &[u8]) -> Outcome {
    let whole = outcome([bytes]);
    assert_eq!(outcome(bytes.chunks(1)), whole, "byte by byte: {}", bytes.escape_ascii());
    for cut in 0..=bytes.len() {
        let (first, second) = bytes.split_at(cut);
        assert_eq!(outcome([first, second]), whole, "cut at {cut}: {}", bytes.escape_ascii());
    }
    whole
}
