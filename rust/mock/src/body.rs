//! Reply bodies: whole ones, and event streams that keep a beat and may break off.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::tape::Mark;

// A moment for what was sent to leave before the connection breaks.
const BEFORE_CUT: Duration = Duration::from_millis(5);

/// When content events leave: the first after `first`, each further one `step` later.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beat {
    pub(crate) first: Duration,
    pub(crate) step: Duration,
}

/// The body of a reply.
pub(crate) enum ReplyBody {
    /// All at once.
    Whole(Option<Bytes>),
    /// Event by event.
    Events(Events),
}

/// A body that breaks off: the connection dies without a proper end.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut on order")
    }
}

impl std::error::Error for Cut {}

/// A written stream on its way out.
pub(crate) struct Events {
    bytes: Bytes,
    marks: Arc<[Mark]>,
    next: usize,
    content_sent: u32,
    beat: Beat,
    started: Instant,
    sleep: Option<Pin<Box<Sleep>>>,
    cut: bool,
}

impl Events {
    /// A stream that leaves at `beat` from now on and, if `cut`, dies instead of ending.
    pub(crate) fn new(bytes: Bytes, marks: Arc<[Mark]>, beat: Beat, cut: bool) -> Self {
        Self { bytes, marks, next: 0, content_sent: 0, beat, started: Instant::now(), sleep: None, cut }
    }

    /// The next event, without waiting.
    fn take(&mut self) -> Option<Bytes> {
        let mark = self.marks.get(self.next)?;
        let left = self.marks.get(self.next.wrapping_sub(1)).map_or(0, |before| before.end);
        self.next += 1;
        self.content_sent += u32::from(mark.content);
        Some(self.bytes.slice(left..mark.end))
    }

    /// The time to wait for before the next event, if any.
    fn due(&self) -> Option<Instant> {
        match self.marks.get(self.next) {
            Some(mark) if mark.content => {
                let wait = self.beat.first + self.beat.step * self.content_sent;
                (!wait.is_zero()).then_some(self.started + wait)
            }
            Some(_) => None,
            None => self.cut.then(|| Instant::now() + BEFORE_CUT),
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        let events = match self.get_mut() {
            Self::Whole(bytes) => return Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Self::Events(events) => events,
        };
        if events.sleep.is_none() {
            events.sleep = events.due().map(|due| Box::pin(sleep_until(due)));
        }
        if let Some(sleep) = &mut events.sleep {
            if sleep.as_mut().poll(context).is_pending() {
                return Poll::Pending;
            }
            events.sleep = None;
        }
        Poll::Ready(match events.take() {
            Some(event) => Some(Ok(Frame::data(event))),
            None => events.cut.then_some(Err(Cut)),
        })
    }

    fn is_end_stream(&self) -> bool {
        matches!(self, Self::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(bytes) => {
                SizeHint::with_exact(bytes.as_ref().and_then(|b| u64::try_from(b.len()).ok()).unwrap_or(0))
            }
            Self::Events(_) => SizeHint::default(),
        }
    }
}
