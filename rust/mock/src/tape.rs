//! A stream of events, written in advance: bytes and where each event ends.
//!
//! Most are server-sent events; Ollama's are lines, Amazon's are binary messages. Sources: WHATWG HTML §9.2;
//! "Event stream encoding" (Smithy's "Amazon Event Stream Specification"), whose CRC is that of RFC 1952 §8.

use bytes::Bytes;
use flate2::Crc;

use crate::json::Json;

/// What the header of a message is, in Amazon's encoding: a text.
const TEXT_HEADER: u8 = 7;

/// Where an event ends, and whether it carries content (what is paced, counted and cut by).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark {
    pub(crate) end: usize,
    pub(crate) content: bool,
}

/// The events of one stream.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tape {
    pub(crate) bytes: Vec<u8>,
    pub(crate) marks: Vec<Mark>,
}

impl Tape {
    /// Adds an event without a name.
    pub(crate) fn data(&mut self, data: &Json, content: bool) {
        self.raw(&[b"data: ", &data.0, b"\n\n"], content);
    }

    /// Adds a named event.
    pub(crate) fn event(&mut self, name: &str, data: &Json, content: bool) {
        self.raw(&[b"event: ", name.as_bytes(), b"\ndata: ", &data.0, b"\n\n"], content);
    }

    /// Adds `OpenAI`'s end of a stream.
    pub(crate) fn done(&mut self) {
        self.raw(&[b"data: [DONE]\n\n"], false);
    }

    /// Adds a line of JSON.
    pub(crate) fn line(&mut self, data: &Json, content: bool) {
        self.raw(&[&data.0, b"\n"], content);
    }

    /// Adds an event in Amazon's encoding: two lengths and their CRC, headers, the payload, a CRC of it all.
    pub(crate) fn message(&mut self, event_type: &str, payload: &Json, content: bool) {
        let headers = [
            header(":event-type", event_type),
            header(":content-type", "application/json"),
            header(":message-type", "event"),
        ]
        .concat();
        let message = amazon_message(&headers, &payload.0);
        self.raw(&[&message], content);
    }

    fn raw(&mut self, parts: &[&[u8]], content: bool) {
        for part in parts {
            self.bytes.extend_from_slice(part);
        }
        self.marks.push(Mark { end: self.bytes.len(), content });
    }

    /// Leaves out everything behind content event number `after`.
    pub(crate) fn cut(&mut self, after: usize) {
        let content = |mark: &Mark| mark.content;
        let kept = if after == 0 {
            self.marks.iter().position(content).unwrap_or(self.marks.len())
        } else {
            let nth = self.marks.iter().enumerate().filter(|(_, mark)| mark.content).nth(after - 1);
            nth.map_or(self.marks.len(), |(position, _)| position + 1)
        };
        self.marks.truncate(kept);
        self.bytes.truncate(self.marks.last().map_or(0, |mark| mark.end));
    }

    /// How many events carry content.
    pub(crate) fn content_events(&self) -> usize {
        self.marks.iter().filter(|mark| mark.content).count()
    }

    /// The finished stream.
    pub(crate) fn finish(self) -> (Bytes, Vec<Mark>) {
        (Bytes::from(self.bytes), self.marks)
    }
}

fn header(name: &str, text: &str) -> Vec<u8> {
    // Our own names and words: each fits its length.
    let name_length = u8::try_from(name.len()).unwrap_or(u8::MAX);
    let text_length = u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes();
    [&[name_length], name.as_bytes(), &[TEXT_HEADER], &text_length, text.as_bytes()].concat()
}

fn amazon_message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
    let mut message = [length(16 + headers.len() + payload.len()), length(headers.len())].concat();
    message.extend(crc(&message));
    message.extend_from_slice(headers);
    message.extend_from_slice(payload);
    message.extend(crc(&message));
    message
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    let mut crc = Crc::new();
    crc.update(bytes);
    crc.sum().to_be_bytes()
}

/// The data of unnamed events as the elements of an array, which stays open where the stream is cut.
pub(crate) fn as_array(events: &[u8], marks: &[Mark], cut: bool) -> (Bytes, Vec<Mark>) {
    let mut bytes = Vec::with_capacity(events.len());
    let mut array = Vec::with_capacity(marks.len());
    let mut start = 0;
    for (at, mark) in marks.iter().enumerate() {
        let event = events.get(start..mark.end).unwrap_or_default();
        start = mark.end;
        bytes.extend_from_slice(if at == 0 { b"[" } else { b",\r\n" });
        bytes.extend_from_slice(event.strip_prefix(b"data: ").unwrap_or(event).trim_ascii_end());
        if at + 1 == marks.len() && !cut {
            bytes.push(b']');
        }
        array.push(Mark { end: bytes.len(), content: mark.content });
    }
    (Bytes::from(bytes), array)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::object;

    #[test]
    fn a_message_of_nothing_is_that_of_the_specification() {
        // Source: "Amazon Event Stream Specification", test vectors (`empty_message`).
        let wanted = b"\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff";
        assert_eq!(amazon_message(b"", b""), wanted);
    }

    #[test]
    fn a_cut_keeps_that_many_content_events_and_what_is_before_them() {
        let mut tape = Tape::default();
        for content in [false, true, true, false, true, false] {
            tape.data(&object! {}, content);
        }
        for (after, kept) in [(0, 1), (1, 2), (2, 3), (3, 5), (9, 6)] {
            let mut cut = tape.clone();
            cut.cut(after);
            assert_eq!(
                (cut.marks.len(), cut.bytes.len()),
                (kept, kept * "data: {}\n\n".len()),
                "after {after}"
            );
        }
    }
}
