//! Messages of an `application/vnd.amazon.eventstream`, found without copying where they lie whole in what was
//! read.
//!
//! A message is a prelude (its length, that of its headers, and a CRC of the two), headers, a payload, and a CRC
//! of all before it. Invariants: a message is handed out only when both CRCs are right; what is handed out, and
//! the fault if there is one, depend on the bytes of the stream only, never on how they were cut; nothing is
//! kept beyond one message of at most [`MESSAGE_BYTES_MAX`].
//!
//! Sources: "Event stream encoding" (AWS, Amazon Transcribe developer guide and Smithy's "Amazon Event Stream
//! Specification"), `eventstream.py` of botocore 1.44. The CRC is that of gzip, RFC 1952 §8. Deviation: the
//! specification allows payloads of 16 MiB; the bound here is that of other event streams.

use std::fmt::{self, Display, Formatter};

/// Longest message that is taken.
pub const MESSAGE_BYTES_MAX: usize = 1024 * 1024;

/// Longest headers of a message, by the specification.
pub const HEADERS_BYTES_MAX: usize = 128 * 1024;

/// Two lengths and their CRC.
const PRELUDE_BYTES: usize = 12;

/// A CRC.
const CRC_BYTES: usize = 4;

/// One message of the stream: its payload, and those headers that say what it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// `:message-type`: `event`, `exception` or `error`; empty when absent, as all that follow.
    pub message_type: &'a str,
    /// `:event-type`: which event.
    pub event_type: &'a str,
    /// `:exception-type`: which of the failures that the service's model knows.
    pub exception_type: &'a str,
    /// `:error-code`: which other failure.
    pub error_code: &'a str,
    /// `:error-message`: what is said of it; its payload is empty.
    pub error_message: &'a str,
    /// The rest.
    pub payload: &'a [u8],
}

/// How a stream breaks the encoding. Nothing behind it can be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventStreamError {
    /// The CRC of the two lengths is another one.
    PreludeChecksum,
    /// The CRC of a message is another one.
    MessageChecksum,
    /// The lengths contradict each other.
    Length,
    /// A message is longer than [`MESSAGE_BYTES_MAX`].
    MessageTooLong,
    /// The headers of a message are longer than [`HEADERS_BYTES_MAX`].
    HeadersTooLong,
    /// The headers of a message are not what the encoding says, or say a thing twice.
    Headers,
}

impl Display for EventStreamError {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PreludeChecksum => "the prelude of a message does not have its checksum",
            Self::MessageChecksum => "a message does not have its checksum",
            Self::Length => "the lengths of a message contradict each other",
            Self::MessageTooLong => "a message is too long",
            Self::HeadersTooLong => "the headers of a message are too long",
            Self::Headers => "the headers of a message are broken",
        })
    }
}

/// Finds messages in a stream that arrives in pieces.
#[derive(Debug, Default)]
pub struct EventStream {
    /// The beginning of a message whose end has not come yet.
    kept: Vec<u8>,
    fault: Option<EventStreamError>,
}

/// A message's lengths, which are known to be right.
#[derive(Clone, Copy)]
struct Prelude {
    message_bytes: usize,
    headers_bytes: usize,
}

impl EventStream {
    /// A decoder at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the stream stands between two messages.
    pub fn between_messages(&self) -> bool {
        self.kept.is_empty()
    }

    /// Takes the next bytes of the stream and hands out every message that ends in them.
    ///
    /// # Errors
    /// The first fault of the stream, now and from then on; the messages before it were handed out.
    pub fn push(
        &mut self,
        bytes: &[u8],
        mut on_message: impl FnMut(Message<'_>),
    ) -> Result<(), EventStreamError> {
        match self.fault {
            Some(fault) => Err(fault),
            None => self.take(bytes, &mut on_message).inspect_err(|fault| self.fault = Some(*fault)),
        }
    }

    fn take(
        &mut self,
        mut rest: &[u8],
        on_message: &mut impl FnMut(Message<'_>),
    ) -> Result<(), EventStreamError> {
        if !self.kept.is_empty() {
            rest = self.keep(rest, PRELUDE_BYTES);
            let Some(prelude) = Prelude::of(&self.kept)? else { return Ok(()) };
            rest = self.keep(rest, prelude.message_bytes);
            if self.kept.len() < prelude.message_bytes {
                return Ok(());
            }
            on_message(Message::of(&self.kept, prelude)?);
            self.kept.clear();
        }
        while let Some(prelude) = Prelude::of(rest)? {
            let Some((message, behind)) = rest.split_at_checked(prelude.message_bytes) else { break };
            on_message(Message::of(message, prelude)?);
            rest = behind;
        }
        self.kept.extend_from_slice(rest);
        Ok(())
    }

    /// Keeps what is missing of the first `length` bytes of a message and gives back what is behind.
    fn keep<'a>(&mut self, bytes: &'a [u8], length: usize) -> &'a [u8] {
        let missing = length.saturating_sub(self.kept.len());
        let (piece, behind) = bytes.split_at_checked(missing).unwrap_or((bytes, &[]));
        self.kept.extend_from_slice(piece);
        behind
    }
}

impl Prelude {
    /// The prelude of the message that begins here; `None` where it is not all there.
    fn of(message: &[u8]) -> Result<Option<Self>, EventStreamError> {
        let Some((prelude, _)) = message.split_first_chunk::<PRELUDE_BYTES>() else { return Ok(None) };
        let [t0, t1, t2, t3, h0, h1, h2, h3, c0, c1, c2, c3] = *prelude;
        let lengths = [t0, t1, t2, t3, h0, h1, h2, h3];
        if crc32fast::hash(&lengths) != u32::from_be_bytes([c0, c1, c2, c3]) {
            return Err(EventStreamError::PreludeChecksum);
        }
        let message_bytes = length([t0, t1, t2, t3]);
        let headers_bytes = length([h0, h1, h2, h3]);
        if message_bytes > MESSAGE_BYTES_MAX {
            return Err(EventStreamError::MessageTooLong);
        }
        if headers_bytes > HEADERS_BYTES_MAX {
            return Err(EventStreamError::HeadersTooLong);
        }
        if message_bytes < PRELUDE_BYTES + headers_bytes + CRC_BYTES {
            return Err(EventStreamError::Length);
        }
        Ok(Some(Self { message_bytes, headers_bytes }))
    }
}

fn length(bytes: [u8; 4]) -> usize {
    usize::try_from(u32::from_be_bytes(bytes)).unwrap_or(usize::MAX)
}

impl<'a> Message<'a> {
    /// Takes a whole message apart.
    fn of(message: &'a [u8], prelude: Prelude) -> Result<Self, EventStreamError> {
        let (covered, crc) = message.split_last_chunk::<CRC_BYTES>().ok_or(EventStreamError::Length)?;
        if crc32fast::hash(covered) != u32::from_be_bytes(*crc) {
            return Err(EventStreamError::MessageChecksum);
        }
        let (_, content) = covered.split_at_checked(PRELUDE_BYTES).ok_or(EventStreamError::Length)?;
        let (headers, payload) =
            content.split_at_checked(prelude.headers_bytes).ok_or(EventStreamError::Length)?;
        let mut found = Self { payload, ..Self::default() };
        found.take_headers(headers).ok_or(EventStreamError::Headers)?;
        Ok(found)
    }

    /// Notes the headers that say what the message is, and passes over all others by their type.
    fn take_headers(&mut self, mut rest: &'a [u8]) -> Option<()> {
        while !rest.is_empty() {
            let name = piece_of(&mut rest, 1)?;
            let (kind, behind) = rest.split_first()?;
            rest = behind;
            let place = match name {
                b":message-type" => Some(&mut self.message_type),
                b":event-type" => Some(&mut self.event_type),
                b":exception-type" => Some(&mut self.exception_type),
                b":error-code" => Some(&mut self.error_code),
                b":error-message" => Some(&mut self.error_message),
                _ => None,
            };
            match (kind, place) {
                (7, Some(place)) => {
                    let text = std::str::from_utf8(piece_of(&mut rest, 2)?).ok()?;
                    if !std::mem::replace(place, text).is_empty() {
                        return None;
                    }
                }
                (_, Some(_)) | (10.., None) => return None,
                // true and false
                (0 | 1, None) => {}
                // 8, 16, 32 bits; 64 bits and a timestamp of as many
                (2, None) => rest = rest.split_at_checked(1)?.1,
                (3, None) => rest = rest.split_at_checked(2)?.1,
                (4, None) => rest = rest.split_at_checked(4)?.1,
                (5 | 8, None) => rest = rest.split_at_checked(8)?.1,
                // bytes and text
                (6 | 7, None) => {
                    piece_of(&mut rest, 2)?;
                }
                // a UUID
                (9, None) => rest = rest.split_at_checked(16)?.1,
            }
        }
        Some(())
    }
}

/// Takes a piece off the front, behind its length in one or two bytes.
fn piece_of<'a>(rest: &mut &'a [u8], length_bytes: usize) -> Option<&'a [u8]> {
    let (length, behind) = rest.split_at_checked(length_bytes)?;
    let length = length.iter().fold(0, |length, byte| (length << 8) | usize::from(*byte));
    let (piece, behind) = behind.split_at_checked(length)?;
    *rest = behind;
    Some(piece)
}
