//! Response heads.
//!
//! Interim responses (1xx) are heads of their own: parse, reset, parse on. Deviations from RFC 9112: a
//! response with both a length and a coding is refused instead of repaired (§6.3), a status line without the
//! space before an absent reason is accepted, as servers that leave it out are in use and no other reading
//! of the line exists.

use super::bytes::span;
use super::head::{Facts, cut};
use super::{Field, HeadLimits, Http1Error, Known, Progress, Version};
use crate::span::Span;

/// How a response's body is delimited (RFC 9112 §6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ResponseFraming {
    /// There is none: 1xx, 204, 304, or the reply to HEAD.
    #[default]
    None,
    /// So many bytes.
    Length(u64),
    /// See [`super::Chunked`].
    Chunked,
    /// All bytes until the connection closes.
    UntilClose,
}

/// A response head by its places in the buffer it was parsed from.
#[derive(Clone, Debug, Default)]
pub struct ResponseHead {
    /// 100–599, never 101.
    pub status: u16,
    /// The reason phrase; may be empty.
    pub reason: Span,
    /// The version.
    pub version: Version,
    /// The fields in the order they came.
    pub fields: Vec<Field>,
    /// How the body is delimited.
    pub framing: ResponseFraming,
    /// Whether the connection can carry another request afterwards.
    pub keep_alive: bool,
    /// Bytes of the head from `buf[0]`, the empty line included; 0 until it is complete.
    pub len: usize,
    /// Whether the status line is behind us.
    started: bool,
    facts: Facts,
}

impl ResponseHead {
    /// Looks at `buf`: all bytes of this message so far, from its first byte. `head_request` says that the
    /// request's method was HEAD.
    ///
    /// Call it again with more bytes after [`Progress::Partial`]; it goes on where it stopped. Call
    /// [`ResponseHead::reset`] between messages, interim ones too.
    ///
    /// # Errors
    /// Why the response is refused. It is the same error however the bytes were cut.
    pub fn parse(
        &mut self,
        buf: &[u8],
        head_request: bool,
        limits: &HeadLimits,
    ) -> Result<Progress, Http1Error> {
        if self.len != 0 {
            return Ok(Progress::Complete);
        }
        if !self.started && self.start(buf, limits)? == Progress::Partial {
            return Ok(Progress::Partial);
        }
        let progress = self.facts.fields(buf, self.version, limits, &mut self.fields, |_| Ok(()))?;
        if progress == Progress::Complete {
            self.finish(head_request)?;
        }
        Ok(progress)
    }

    /// Forgets the message and keeps the vector's room.
    pub fn reset(&mut self) {
        let mut fields = core::mem::take(&mut self.fields);
        fields.clear();
        *self = Self { fields, ..Self::default() };
    }

    /// The first field of that kind.
    #[inline]
    pub fn find(&self, known: Known) -> Option<&Field> {
        if !self.facts.has(known) && known != Known::HopByHop {
            return None;
        }
        self.fields.iter().find(|field| field.known == known)
    }

    /// Reads the status line.
    #[inline]
    fn start(&mut self, buf: &[u8], limits: &HeadLimits) -> Result<Progress, Http1Error> {
        let view = cut(buf, limits.head_bytes_max);
        let Some(length) = self.facts.lines.length(view)? else {
            return if view.len() >= limits.head_bytes_max {
                Err(Http1Error::HeadTooLarge)
            } else {
                Ok(Progress::Partial)
            };
        };
        self.status_line(view.get(..length).unwrap_or_default())?;
        self.facts.lines.advance(length);
        self.started = true;
        Ok(Progress::Complete)
    }

    /// Reads `version SP status SP reason`.
    #[inline]
    fn status_line(&mut self, line: &[u8]) -> Result<(), Http1Error> {
        let Some((version, rest)) = line.split_first_chunk::<9>() else {
            return Err(Http1Error::StatusLine);
        };
        self.version = match version {
            b"HTTP/1.1 " => Version::Http11,
            b"HTTP/1.0 " => Version::Http10,
            [b'H', b'T', b'T', b'P', b'/', major, b'.', minor, b' ']
                if major.is_ascii_digit() && minor.is_ascii_digit() =>
            {
                return Err(Http1Error::Version);
            }
            _ => return Err(Http1Error::StatusLine),
        };
        let [hundreds @ b'1'..=b'5', tens, ones, reason @ ..] = rest else {
            return Err(Http1Error::StatusLine);
        };
        if !tens.is_ascii_digit() || !ones.is_ascii_digit() || !matches!(reason.first(), None | Some(b' ')) {
            return Err(Http1Error::StatusLine);
        }
        self.status = [hundreds, tens, ones].into_iter().fold(0_u16, |status, digit| {
            status.wrapping_mul(10).wrapping_add(u16::from(digit.wrapping_sub(b'0')))
        });
        if self.status == 101 {
            return Err(Http1Error::Switched);
        }
        let reason = if reason.is_empty() { line.len() } else { REASON_START };
        self.reason = span(reason, line.len());
        Ok(())
    }

    /// Draws the conclusions once all fields are there.
    #[inline]
    fn finish(&mut self, head_request: bool) -> Result<(), Http1Error> {
        let facts = &self.facts;
        // RFC 9112 §6.3. A 304 or the reply to HEAD may announce the body it does not have; 1xx and 204 may
        // not, and one that does comes from a server that might send it: what follows is anybody's guess.
        let announced = facts.chunked || facts.length.is_some_and(|bytes| bytes != 0);
        let surprising = announced && (self.status == 204 || self.status < 200);
        if surprising && self.status < 200 {
            return Err(Http1Error::InterimBody);
        }
        self.framing = match facts.length {
            _ if head_request || self.status < 200 || matches!(self.status, 204 | 304) => {
                ResponseFraming::None
            }
            _ if facts.chunked => ResponseFraming::Chunked,
            Some(bytes) => ResponseFraming::Length(bytes),
            None => ResponseFraming::UntilClose,
        };
        self.keep_alive =
            facts.persistent(self.version) && self.framing != ResponseFraming::UntilClose && !surprising;
        self.len = facts.lines.start;
        Ok(())
    }
}

/// Where a reason phrase begins: behind `HTTP/1.1 200 `.
const REASON_START: usize = 13;
