//! The request's body: read behind the head, in the same buffer.

use std::io::{self, IoSlice};

use llm_edge_core::http1::{Chunked, RequestFraming, Step};
use llm_edge_core::span::Span;

use super::wire::Wire;
use crate::buffers::BUFFER_BYTES;
use crate::exchange::Exchange;
use crate::stations::body::{BodyError, Pace};

/// What is set aside for a body at once: its announcement alone must not take what it promises.
const STEP_BYTES: usize = 256 * 1024;

/// Makes room for more of a body that ends at `end`.
fn make_room(x: &mut Exchange, end: usize) {
    let input = &mut x.input;
    // Room to spare makes the last read a short one, which tells the event queue that the socket is drained and
    // spares another system call.
    let missing = (end - input.len()).saturating_add(64);
    let room = input.capacity() - input.len();
    if room >= missing || room >= STEP_BYTES / 16 {
        return;
    }
    // A buffer that is mostly used is grown, often in place.
    if input.len() >= input.capacity() / 2 {
        let total = input.len() + missing.min(input.len().max(STEP_BYTES));
        return input.reserve_exact(total.next_multiple_of(BUFFER_BYTES) - input.len());
    }
    // Not by growing it, which would move all that it has room for, used or not, and touch as many pages.
    let total = input.len() + missing.min(STEP_BYTES);
    let mut larger = Vec::with_capacity(total.next_multiple_of(BUFFER_BYTES));
    larger.extend_from_slice(input);
    let small = std::mem::replace(input, larger);
    x.worker.buffers.give(small);
}

fn pace_of(x: &Exchange) -> Pace {
    Pace::begin(x.worker.deadlines.now_ms())
}

impl Wire {
    /// Reads the request to its end and tells where its body is.
    ///
    /// # Errors
    /// [`BodyError`]: the body is not all there, and will not be.
    pub(crate) async fn read_body(&self, x: &mut Exchange) -> Result<Span, BodyError> {
        let start = x.request.len;
        let end = match x.request.framing {
            RequestFraming::None => start,
            RequestFraming::Length(length) => self.read_length(x, start, length).await?,
            RequestFraming::Chunked => return Box::pin(self.read_chunked(x, start)).await,
        };
        self.finish_request(x, end);
        Ok(Span::new(start, end))
    }

    /// Whatever lies behind `end` belongs to the next request.
    fn finish_request(&self, x: &mut Exchange, end: usize) {
        if let Some(ahead) = x.input.get(end..).filter(|ahead| !ahead.is_empty()) {
            self.keep_pending(ahead);
            x.input.truncate(end);
        }
        self.set_request_read(true);
    }

    async fn read_length(&self, x: &mut Exchange, start: usize, length: u64) -> Result<usize, BodyError> {
        if length > x.loaded.snapshot.limits.body_bytes_max {
            return Err(BodyError::TooLarge);
        }
        let end = start + usize::try_from(length).map_err(|_| BodyError::TooLarge)?;
        if x.input.len() < end {
            self.say_continue(x, start).await?;
        }
        let pace = pace_of(x);
        while x.input.len() < end {
            make_room(x, end);
            self.read_more(x, &pace, x.input.len() - start).await?;
            // Counted as it arrives: an announcement alone takes no room from others.
            x.hold((x.input.len().min(end) - start) as u64)?;
        }
        Ok(end)
    }

    async fn read_chunked(&self, x: &mut Exchange, start: usize) -> Result<Span, BodyError> {
        let mut decoder = Chunked::new();
        // Payload moves down over the framing: `filled` is where it ends, `at` what was looked at.
        let (mut filled, mut at) = (start, start);
        let pace = pace_of(x);
        loop {
            match decoder.step(&x.input, at).map_err(BodyError::Invalid)? {
                Step::Size { next, .. } | Step::ChunkEnd { next, .. } | Step::Trailer { next } => at = next,
                Step::Data { start: from, end: to } => {
                    x.hold((filled - start + (to - from)) as u64)?;
                    x.input.copy_within(from..to, filled);
                    filled += to - from;
                    at = to;
                }
                Step::End { next } => {
                    self.finish_request(x, next);
                    x.input.truncate(filled);
                    return Ok(Span::new(start, filled));
                }
                Step::NeedMore => {
                    x.input.truncate(filled);
                    at = filled;
                    self.say_continue(x, start).await?;
                    self.read_more(x, &pace, filled - start).await?;
                }
            }
        }
    }

    /// Tells a client that waits for it to send its body (RFC 9110 §10.1.1).
    async fn say_continue(&self, x: &mut Exchange, start: usize) -> Result<(), BodyError> {
        if std::mem::take(&mut x.request.expect_continue) && x.input.len() <= start {
            let mut slices = [IoSlice::new(b"HTTP/1.1 100 Continue\r\n\r\n")];
            self.write(&mut slices).await.map_err(|_| BodyError::Gone)?;
        }
        Ok(())
    }

    async fn read_more(&self, x: &mut Exchange, pace: &Pace, received: usize) -> Result<(), BodyError> {
        pace.arm(&self.timer, &x.loaded.snapshot.limits, received);
        match self.timer.limit(self.read(&mut x.input)).await {
            Ok(Ok(0)) => Err(BodyError::Gone),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(e)) if e.kind() == io::ErrorKind::Interrupted => Ok(()),
            Ok(Err(_)) => Err(BodyError::Gone),
            Err(_) => Err(pace.lapsed(x.worker.deadlines.now_ms(), &x.loaded.snapshot.limits, received)),
        }
    }
}
