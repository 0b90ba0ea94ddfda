//! What a client's frames cost, counted as they pass.
//!
//! h2 bounds streams, header lists, CONTINUATION frames and resets that were not yet taken up; it does not
//! bound frames that ask for an answer or a look and carry nothing: PING, SETTINGS, PRIORITY, empty DATA,
//! `RST_STREAM` of a stream that has just begun (CVE-2019-9512, -9513, -9515, -9518, CVE-2023-44487). A client
//! has a purse of them which fills with time; with an empty one its connection ends.
//! Invariant: the bytes go on untouched; of a frame only its header (RFC 9113 §4.1) is looked at.

use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::deadlines::Deadlines;
use crate::doors::listener::PREFACE;

/// Idle frames a client may send at once. One that cancels all of its streams a few times over fits.
const PURSE_MAX: u64 = 2_000;
/// Idle frames that it may send per second, for ever.
const REFILL_PER_S: u64 = 500;

/// See the module.
pub(super) struct Watched<S> {
    socket: S,
    frames: Frames,
    purse: Purse,
}

impl<S> Watched<S> {
    pub(super) fn new(socket: S, deadlines: &Rc<Deadlines>) -> Self {
        Self {
            socket,
            frames: Frames::default(),
            purse: Purse { left: PURSE_MAX, filled_ms: deadlines.now_ms(), deadlines: Rc::clone(deadlines) },
        }
    }
}

struct Purse {
    left: u64,
    filled_ms: u64,
    deadlines: Rc<Deadlines>,
}

impl Purse {
    /// Takes `count` out; false when there are not as many.
    fn spend(&mut self, count: u64) -> bool {
        if count == 0 {
            return true;
        }
        let now_ms = self.deadlines.now_ms();
        let earned = now_ms.saturating_sub(self.filled_ms).saturating_mul(REFILL_PER_S) / 1000;
        if earned > 0 {
            self.filled_ms = now_ms;
            self.left = self.left.saturating_add(earned).min(PURSE_MAX);
        }
        match self.left.checked_sub(count) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

/// Length of a frame's header.
const HEADER_BYTES: usize = 9;

/// Finds the frame headers in a stream of bytes, however it is cut.
#[derive(Debug, Default)]
struct Frames {
    /// Bytes of the connection preface seen so far; it comes before the first frame.
    preface: usize,
    header: [u8; HEADER_BYTES],
    header_len: usize,
    payload_left: usize,
}

impl Frames {
    /// Looks at the next bytes; returns how many frames in them were idle ones.
    fn look(&mut self, mut bytes: &[u8]) -> u64 {
        let mut idle = 0;
        let skipped = (PREFACE.len() - self.preface).min(bytes.len());
        self.preface += skipped;
        bytes = bytes.get(skipped..).unwrap_or_default();
        loop {
            let skipped = self.payload_left.min(bytes.len());
            self.payload_left -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            if bytes.is_empty() {
                return idle;
            }
            let room = self.header.get_mut(self.header_len..).unwrap_or_default();
            let taken = room.len().min(bytes.len());
            for (into, byte) in room.iter_mut().zip(bytes) {
                *into = *byte;
            }
            self.header_len += taken;
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.header_len == HEADER_BYTES {
                self.header_len = 0;
                let [a, b, c, kind, flags, ..] = self.header;
                self.payload_left = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                idle += u64::from(is_idle(kind, flags, self.payload_left));
            }
        }
    }
}

/// Whether a frame moves nothing of a request or reply forward (types and flags: RFC 9113 §6).
fn is_idle(kind: u8, flags: u8, length: usize) -> bool {
    const END_STREAM: u8 = 0x1;
    const ACK: u8 = 0x1;
    match kind {
        // DATA
        0 => length == 0 && flags & END_STREAM == 0,
        // HEADERS opens a stream; how many may be open is bounded. WINDOW_UPDATE lets a reply go on.
        1 | 8 => false,
        // SETTINGS, PING: what answers ours was asked for.
        4 | 6 => flags & ACK == 0,
        // PRIORITY, RST_STREAM, GOAWAY, CONTINUATION and what nobody knows
        _ => true,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        ready!(Pin::new(&mut self.socket).poll_read(cx, into))?;
        let read = into.filled().get(before..).unwrap_or_default();
        let idle = self.frames.look(read);
        if self.purse.spend(idle) {
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::Error::other("too many frames that carry nothing")))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, u8::try_from(payload.len()).unwrap(), kind, flags, 0, 0, 0, 1];
        bytes.extend_from_slice(payload);
        bytes
    }

    #[test]
    fn idle_frames_are_counted_however_the_bytes_are_cut() {
        let mut bytes = PREFACE.to_vec();
        for (kind, flags, payload) in [
            (4, 0, &[0; 6][..]),     // SETTINGS: idle
            (4, 1, &[]),             // its ACK
            (1, 4, b"headers"),      // HEADERS
            (9, 4, b"more of them"), // CONTINUATION: idle
            (0, 0, b"data"),         // DATA
            (0, 0, &[]),             // empty: idle
            (0, 1, &[]),             // empty, but the end
            (6, 0, &[6; 8]),         // PING, payload like headers: idle
            (6, 1, &[0; 8]),         // its ACK
            (8, 0, &[0, 0, 0, 9]),   // WINDOW_UPDATE
            (3, 0, &[0, 0, 0, 8]),   // RST_STREAM: idle
            (0xbe, 0, &[1, 2, 3]),   // unknown: idle
        ] {
            bytes.extend_from_slice(&frame(kind, flags, payload));
        }
        for piece in 1..=bytes.len() {
            let mut frames = Frames::default();
            let idle: u64 = bytes.chunks(piece).map(|cut| frames.look(cut)).sum();
            assert_eq!(idle, 6, "pieces of {piece}");
            assert_eq!((frames.header_len, frames.payload_left), (0, 0));
        }
    }

    #[test]
    fn a_purse_is_empty_once_and_fills_with_time() {
        let deadlines = Deadlines::new(std::time::Instant::now());
        let mut purse = Purse { left: PURSE_MAX, filled_ms: 0, deadlines: Rc::clone(&deadlines) };
        assert!(purse.spend(PURSE_MAX));
        assert!(!purse.spend(1));
        std::thread::sleep(std::time::Duration::from_millis(20));
        deadlines.look_at_clock();
        assert!(purse.spend(5));
    }
}
