//! Events of a server-sent-event stream, found without copying as long as they lie whole in what was read.
//!
//! Invariant: the events handed out depend on the bytes of the stream only, never on how they were cut into
//! reads; and nothing is kept beyond one event of at most [`LINE_BYTES_MAX`] of data.
//!
//! Source: WHATWG HTML §9.2.6 "Interpreting an event stream". Deviations: bytes are not decoded (no field
//! here depends on it), `id` and `retry` are ignored, and [`SseScanner::finish`] hands out an event whose
//! closing empty line is missing, marked as such, where the standard drops it.

/// What such a stream is called. Source: WHATWG HTML §9.2.
pub const MEDIA_TYPE: &str = "text/event-stream";

/// Longest line, and longest data of one event, that is kept; of anything longer only the fact is told.
pub const LINE_BYTES_MAX: usize = 1024 * 1024;

/// Buffers that have grown beyond this are given back when the scanner is reset.
const KEPT_BYTES_MAX: usize = 64 * 1024;

/// One event of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field; empty when absent.
    pub name: &'a [u8],
    /// The `data` fields, joined by line feeds; empty when [`Self::oversize`].
    pub data: &'a [u8],
    /// The event was longer than [`LINE_BYTES_MAX`] and its data was not kept.
    pub oversize: bool,
    /// `data` lies in the slice that was pushed.
    pub in_place: bool,
}

/// Finds events in a stream that arrives in pieces.
#[derive(Debug, Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "separate facts about one place in the stream, not one state"
)]
pub struct SseScanner {
    /// The beginning of a line whose end has not come yet, up to the cap.
    line: Vec<u8>,
    /// That line is longer than what was kept.
    line_oversize: bool,
    /// The `event` field of the event under way, from an earlier push.
    name: Vec<u8>,
    /// The data of the event under way, as far as it could not be left in place.
    data: Vec<u8>,
    /// The event under way has a `data` field.
    has_data: bool,
    /// The data of the event under way was too long.
    data_oversize: bool,
    /// The last byte was CR: an LF that follows belongs to it.
    after_cr: bool,
    /// The first line is over, so that no byte order mark can come any more.
    begun: bool,
    /// A line has come since the last empty one.
    inside_event: bool,
}

/// What the event under way has in the slice being pushed. `data` is set only while it is the only one.
#[derive(Default)]
struct InPlace<'a> {
    name: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
}

/// A line, taken apart.
pub(crate) enum Field<'a> {
    Name(&'a [u8]),
    Data(&'a [u8]),
    Other,
}

impl SseScanner {
    /// A scanner at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Forgets the stream and keeps the buffers for the next one.
    pub fn reset(&mut self) {
        let mut fresh = Self::default();
        for (old, new) in [
            (&mut self.line, &mut fresh.line),
            (&mut self.name, &mut fresh.name),
            (&mut self.data, &mut fresh.data),
        ] {
            if old.capacity() <= KEPT_BYTES_MAX {
                old.clear();
                std::mem::swap(old, new);
            }
        }
        *self = fresh;
    }

    /// Whether the stream stands between two events, so that another one could be put in here.
    pub fn between_events(&self) -> bool {
        !self.inside_event && !self.line_pending()
    }

    /// Takes the next bytes of the stream and hands out every event that ends in them.
    pub fn push(&mut self, bytes: &[u8], mut on_event: impl FnMut(Event<'_>)) {
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        let mut here = InPlace::default();
        if self.line_pending() {
            let Some(end) = memchr::memchr2(b'\n', b'\r', rest) else { return self.keep(rest) };
            let (tail, after) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.keep(tail);
            rest = self.behind_terminator(after);
            self.kept_line();
        }
        loop {
            let end = match rest {
                [b'\n', ..] => 0,
                _ => match memchr::memchr2(b'\n', b'\r', rest) {
                    Some(end) => end,
                    None => break,
                },
            };
            let Some((line, after)) = rest.split_at_checked(end) else { break };
            rest = self.behind_terminator(after);
            if line.is_empty() {
                self.begun = true;
                self.dispatch(&mut here, &mut on_event);
            } else {
                self.line(line, &mut here);
            }
        }
        self.keep(rest);
        if let Some(name) = here.name {
            replace(&mut self.name, name);
        }
        if let Some(data) = here.data {
            self.data.extend_from_slice(data);
        }
    }

    /// The stream is over: hands out what is left as an event, even though no empty line ended it. Callers
    /// must judge whether its data is whole.
    pub fn finish(&mut self, mut on_event: impl FnMut(Event<'_>)) {
        if self.line_pending() {
            self.kept_line();
        }
        self.dispatch(&mut InPlace::default(), &mut on_event);
    }

    /// Whether the beginning of a line waits for its end.
    fn line_pending(&self) -> bool {
        !self.line.is_empty()
    }

    /// What follows a line terminator that stands at the start of `rest`.
    #[inline]
    fn behind_terminator<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        if rest == b"\r" {
            self.after_cr = true;
        }
        match rest {
            [b'\r', b'\n', after @ ..] | [_, after @ ..] => after,
            [] => &[],
        }
    }

    /// Keeps a piece of a line until its end comes, up to the cap.
    fn keep(&mut self, piece: &[u8]) {
        let room = LINE_BYTES_MAX - self.line.len();
        self.line_oversize |= piece.len() > room;
        self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
    }

    /// A line that lies whole in the slice being pushed.
    fn line<'a>(&mut self, line: &'a [u8], here: &mut InPlace<'a>) {
        let oversize = line.len() > LINE_BYTES_MAX;
        let line = self.without_byte_order_mark(line);
        self.inside_event |= !line.is_empty();
        match field(line) {
            Field::Data(_) if oversize => {
                here.data = None;
                self.drop_data();
            }
            Field::Data(value) if !self.has_data => {
                self.has_data = true;
                here.data = Some(value);
            }
            Field::Data(value) => {
                if let Some(first) = here.data.take() {
                    self.data.extend_from_slice(first);
                }
                self.join(value);
            }
            Field::Name(value) if !oversize => here.name = Some(value),
            Field::Name(_) | Field::Other => {}
        }
    }

    /// The kept line is complete. Nothing of the event under way is in place then.
    fn kept_line(&mut self) {
        let mut kept = std::mem::take(&mut self.line);
        let oversize = std::mem::take(&mut self.line_oversize);
        let line = self.without_byte_order_mark(&kept);
        self.inside_event |= !line.is_empty();
        match field(line) {
            Field::Data(_) if oversize => self.drop_data(),
            Field::Data(value) if !self.has_data => {
                self.has_data = true;
                replace(&mut self.data, value);
            }
            Field::Data(value) => self.join(value),
            Field::Name(value) if !oversize => replace(&mut self.name, value),
            Field::Name(_) | Field::Other => {}
        }
        kept.clear();
        self.line = kept;
    }

    /// The line without the mark that may open a stream.
    #[inline]
    fn without_byte_order_mark<'a>(&mut self, line: &'a [u8]) -> &'a [u8] {
        if std::mem::replace(&mut self.begun, true) {
            return line;
        }
        line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line)
    }

    /// Adds a second or later `data` field.
    fn join(&mut self, value: &[u8]) {
        if self.data_oversize || self.data.len() + 1 + value.len() > LINE_BYTES_MAX {
            return self.drop_data();
        }
        self.data.push(b'\n');
        self.data.extend_from_slice(value);
    }

    /// The data of this event is too long to be looked at.
    fn drop_data(&mut self) {
        self.data.clear();
        self.has_data = true;
        self.data_oversize = true;
    }

    /// An empty line: hands out the event under way, if it has data.
    #[inline]
    fn dispatch(&mut self, here: &mut InPlace<'_>, on_event: &mut impl FnMut(Event<'_>)) {
        self.inside_event = false;
        if self.has_data {
            on_event(Event {
                name: here.name.unwrap_or(&self.name),
                data: here.data.unwrap_or(&self.data),
                oversize: self.data_oversize,
                in_place: here.data.is_some(),
            });
        }
        *here = InPlace::default();
        self.name.clear();
        self.data.clear();
        self.has_data = false;
        self.data_oversize = false;
    }
}

/// Takes a line apart: the name up to the first colon, the value behind it less one space.
#[inline]
pub(crate) fn field(line: &[u8]) -> Field<'_> {
    fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
        match line.strip_prefix(name)? {
            [b':', b' ', value @ ..] | [b':', value @ ..] => Some(value),
            [] => Some(&[]),
            _ => None,
        }
    }
    if let Some(data) = value(line, b"data") {
        Field::Data(data)
    } else if let Some(name) = value(line, b"event") {
        Field::Name(name)
    } else {
        Field::Other
    }
}

/// Sets a buffer's content and keeps its memory.
fn replace(buffer: &mut Vec<u8>, content: &[u8]) {
    buffer.clear();
    buffer.extend_from_slice(content);
}
