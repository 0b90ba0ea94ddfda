//! Keeps back the start of an event until the rest has come.
//!
//! Servers write whole events, so this is the exception: reads that end between two events pass untouched
//! and cost one question to the tap. Where one does not, payload is copied here, everything up to the last
//! event's end is released, and the rest waits. Bounded: an event larger than [`HELD_BYTES_MAX`] passes as it
//! comes, and from then on the stream does.
//!
//! Where the gateway has asked for usage and the client has not, every event is held until it is whole, and
//! goes without what came only because of that ([`stream_usage`]); there `limits.event_bytes_max` is the bound.

use llm_edge_core::http1::{Chunked, Step};
use llm_edge_core::stream_usage::{self, Kept};
use llm_edge_core::translate::Malformed;

use super::relay::{Run, RunKind};

/// Most bytes of one event that are kept back.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// See the module.
pub(super) struct Holdback {
    on: bool,
    takes_out_usage: bool,
    held: Vec<u8>,
    /// So many bytes of what is held are known to end no event.
    looked: usize,
    released: Vec<u8>,
    has_released: bool,
}

impl Holdback {
    /// `takes_out_usage` where the gateway has asked for the usage of this stream, and the client has not.
    pub(super) fn new(on: bool, takes_out_usage: bool) -> Self {
        Self {
            on,
            takes_out_usage: on && takes_out_usage,
            held: Vec::new(),
            looked: 0,
            released: Vec::new(),
            has_released: false,
        }
    }

    /// See the module.
    pub(super) fn takes_out_usage(&self) -> bool {
        self.takes_out_usage
    }

    /// Takes the payload of the runs, and releases what is the client's of the whole events there are.
    pub(super) fn take_out_usage(&mut self, buffer: &[u8], runs: &[Run]) {
        self.append(buffer, runs);
        let Self { held, released, looked, .. } = self;
        let mut start = 0;
        while let Some(end) = first_event_end(held, start + *looked) {
            let event = held.get(start..end).unwrap_or_default();
            match stream_usage::kept(event) {
                Kept::Whole => released.extend_from_slice(event),
                Kept::Without(out) => {
                    released.extend_from_slice(event.get(..out.start).unwrap_or_default());
                    released.extend_from_slice(event.get(out.end..).unwrap_or_default());
                }
                Kept::Nothing => {}
            }
            start = end;
            *looked = 0;
        }
        held.drain(..start);
        *looked = held.len();
        self.has_released = true;
    }

    /// Takes the payload of the runs, and releases what `say` makes of it.
    pub(super) fn translate(
        &mut self,
        buffer: &[u8],
        runs: &[Run],
        say: impl FnOnce(&[u8], &mut Vec<u8>) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        self.append(buffer, runs);
        self.has_released = true;
        let said = say(&self.held, &mut self.released);
        self.held.clear();
        said
    }

    /// What is held.
    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    /// Releases what is held besides what was.
    pub(super) fn release_held(&mut self) {
        self.released.append(&mut self.held);
    }

    /// Whether something is kept back.
    pub(super) fn is_holding(&self) -> bool {
        !self.held.is_empty()
    }

    /// What goes to the client instead of the runs, if anything does.
    pub(super) fn released(&self) -> Option<&[u8]> {
        self.has_released.then_some(self.released.as_slice())
    }

    /// What was released has been written.
    pub(super) fn clear_released(&mut self) {
        self.released.clear();
        self.has_released = false;
    }

    /// Takes the payload of the runs; false when they shall pass as they are.
    pub(super) fn take(&mut self, buffer: &[u8], runs: &[Run]) -> bool {
        if !self.on {
            return false;
        }
        self.append(buffer, runs);
        let end = last_event_end(&self.held);
        if self.held.len() - end > HELD_BYTES_MAX {
            self.on = false;
            std::mem::swap(&mut self.held, &mut self.released);
        } else {
            self.released.extend_from_slice(self.held.get(..end).unwrap_or_default());
            self.held.drain(..end);
        }
        self.has_released = true;
        true
    }

    /// The stream has come to its end: all of it goes.
    pub(super) fn release_all(&mut self, buffer: &[u8], runs: &[Run]) {
        self.append(buffer, runs);
        std::mem::swap(&mut self.held, &mut self.released);
        self.has_released = true;
    }

    fn append(&mut self, buffer: &[u8], runs: &[Run]) {
        for run in runs {
            let bytes = buffer.get(run.start..run.end).unwrap_or_default();
            match run.kind {
                RunKind::Payload => self.held.extend_from_slice(bytes),
                RunKind::Chunks => append_payload(&mut self.held, bytes),
            }
        }
    }
}

/// How large the event under way has become, told read by read: up to one read less than it is.
#[derive(Default)]
pub(super) struct EventSize {
    events: u64,
    bytes: usize,
}

impl EventSize {
    /// Takes note of a read of `bytes` after which so many events had ended; returns the size so far.
    pub(super) fn after(&mut self, events: u64, between_events: bool, bytes: usize) -> usize {
        if between_events || events != self.events {
            *self = Self { events, bytes: 0 };
        } else {
            self.bytes += bytes;
        }
        self.bytes
    }
}

/// The payload of whole chunks, which were decoded once already and are therefore sound.
fn append_payload(out: &mut Vec<u8>, chunks: &[u8]) {
    let mut decoder = Chunked::new();
    let mut at = 0;
    while let Ok(step) = decoder.step(chunks, at) {
        at = match step {
            Step::Size { next, .. } | Step::ChunkEnd { next, .. } | Step::Trailer { next } => next,
            Step::Data { start, end } => {
                out.extend_from_slice(chunks.get(start..end).unwrap_or_default());
                end
            }
            Step::End { .. } | Step::NeedMore => return,
        };
    }
}

/// One past the first empty line that ends at or behind `from`.
fn first_event_end(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let at = from + memchr::memchr2(b'\n', b'\r', bytes.get(from..)?)?;
        if closes_event(bytes, at) {
            return Some(at + 1);
        }
        from = at + 1;
    }
}

/// Whether the line end at `at` makes an empty line.
fn closes_event(bytes: &[u8], at: usize) -> bool {
    let before = bytes.get(..at).unwrap_or_default();
    match bytes.get(at) {
        Some(b'\n') => before.ends_with(b"\n") || before.ends_with(b"\r\n\r"),
        _ => before.ends_with(b"\r"),
    }
}

/// One past the last empty line; 0 when there is none. Looks from the end, where it is not far.
fn last_event_end(bytes: &[u8]) -> usize {
    let mut end = bytes.len();
    while let Some(at) = bytes.get(..end).and_then(|head| memchr::memrchr2(b'\n', b'\r', head)) {
        if closes_event(bytes, at) {
            return at + 1;
        }
        end = at;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(bytes: &[u8]) -> [Run; 1] {
        [Run { start: 0, end: bytes.len(), kind: RunKind::Payload }]
    }

    #[test]
    fn whole_events_go_and_the_start_of_another_waits() {
        let mut holdback = Holdback::new(true, false);
        let first = b"data: 1\n\ndata: 2\r\n\r\ndat";
        assert!(holdback.take(first, &payload(first)));
        assert_eq!(holdback.released(), Some(&b"data: 1\n\ndata: 2\r\n\r\n"[..]));
        holdback.clear_released();
        let chunk = b"6\r\na: 3\n\n\r\n";
        let runs = [Run { start: 0, end: chunk.len(), kind: RunKind::Chunks }];
        assert!(holdback.take(chunk, &runs));
        assert_eq!(holdback.released(), Some(&b"data: 3\n\n"[..]));
        assert!(!holdback.is_holding());
    }

    #[test]
    fn the_last_empty_line_is_found_however_lines_end() {
        for (bytes, end) in [
            (&b"a\n\nb"[..], 3),
            (b"a\r\n\r\nb\r\nc", 5),
            (b"a\r\rb", 3),
            (b"a\nb\r\nc\r", 0),
            (b"\n\n", 2),
            (b"a\n\nb\n\nc\n", 6),
            (b"", 0),
        ] {
            assert_eq!(last_event_end(bytes), end, "{bytes:?}");
        }
    }

    #[test]
    fn usage_goes_out_of_events_however_they_come() {
        let stream = b"data: {\"choices\":[{}],\"usage\":null}\r\n\r\n: wait\n\n\
            data: {\"choices\":[],\"usage\":{\"prompt_tokens\":1}}\n\ndata: [DONE]\n";
        let without = b"data: {\"choices\":[{}]}\r\n\r\n: wait\n\ndata: [DONE]\n";
        for size in 1..stream.len() {
            let mut holdback = Holdback::new(true, true);
            let mut got = Vec::new();
            for piece in stream.chunks(size) {
                holdback.take_out_usage(piece, &payload(piece));
                got.extend_from_slice(holdback.released().unwrap());
                holdback.clear_released();
            }
            holdback.release_held();
            got.extend_from_slice(holdback.released.as_slice());
            assert_eq!(got, without, "pieces of {size}");
        }
    }

    #[test]
    fn an_event_grows_until_another_one_has_ended() {
        let mut size = EventSize::default();
        assert_eq!(
            [size.after(1, true, 50), size.after(1, false, 70), size.after(1, false, 70)],
            [0, 70, 140]
        );
        assert_eq!(size.after(2, false, 90), 0, "its end and the start of the next one");
        assert_eq!(size.after(2, false, 10), 10);
        assert_eq!(size.after(2, true, 10), 0, "a comment has ended");
    }

    #[test]
    fn an_event_beyond_the_bound_passes_and_so_does_all_after_it() {
        let mut holdback = Holdback::new(true, false);
        let big = vec![b'x'; HELD_BYTES_MAX + 1];
        assert!(holdback.take(&big, &payload(&big)));
        assert_eq!(holdback.released().map(<[u8]>::len), Some(big.len()));
        holdback.clear_released();
        assert!(!holdback.take(b"y", &payload(b"y")));
    }
}
