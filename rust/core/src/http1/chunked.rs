//! The chunked transfer coding (RFC 9112 §7.1), decoded where it lies.
//!
//! The decoder is told where to look and says what it found there, one step at a time; its state is a few
//! bytes and survives any cut. Extensions are read over and trailers checked and dropped: nobody acts on
//! either. Deviations, towards refusing: no white space around the size, no control character but the tab in
//! an extension, not even quoted; a bound on what carries no payload.

use core::ops::Range;

use super::Http1Error;
use super::bytes;

/// Most bytes of chunk extensions and trailer fields that one message may carry.
pub const EXTRA_BYTES_MAX: u32 = 8 * 1024;
/// Most digits of a chunk size, leading zeros included.
const SIZE_DIGITS_MAX: u8 = 16;
/// Largest chunk, in bytes; nothing real comes near, and sums of two still fit.
const CHUNK_BYTES_MAX: u64 = 1 << 63;

/// What one look at the bytes yielded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Part of (or a whole) chunk-size line was consumed. A size of 0 is known as such only when its line is
    /// complete, and is then a [`Step::Trailer`].
    Size {
        /// Next byte to look at.
        next: usize,
        /// Whether the line ended here.
        complete: bool,
    },
    /// `buf[start..end]` is payload.
    Data {
        /// First byte of the payload.
        start: usize,
        /// One past its last; the next byte to look at.
        end: usize,
    },
    /// The CRLF after a chunk's payload, or part of it, was consumed.
    ChunkEnd {
        /// Next byte to look at.
        next: usize,
        /// Whether the chunk is over.
        complete: bool,
    },
    /// Bytes of the last-chunk line or the trailer section were consumed.
    Trailer {
        /// Next byte to look at.
        next: usize,
    },
    /// The final CRLF was consumed (in one step with the last-chunk line where both are there): the body is
    /// complete. Asked again, the decoder says the same of the place it is asked about.
    End {
        /// First byte that does not belong to the message.
        next: usize,
    },
    /// Nothing was consumed: there are no more bytes to look at.
    NeedMore,
}

/// Where in the coding the next byte stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// In the digits of a size.
    #[default]
    Size,
    /// Behind the semicolon of a size line.
    Extension,
    /// Behind the CR of a size line.
    SizeLf,
    /// In the payload.
    Data,
    /// Behind the payload.
    DataCr,
    /// Behind the CR after the payload.
    DataLf,
    /// At the beginning of a trailer line.
    TrailerLine,
    /// In the name of a trailer field.
    TrailerName,
    /// In the value of a trailer field.
    TrailerValue,
    /// Behind the CR of a trailer line.
    TrailerLf,
    /// Behind the CR of the empty line.
    FinalLf,
    /// Behind the body.
    Done,
}

/// Decoder of one chunked body.
///
/// ```
/// use llm_edge_core::http1::{Chunked, Step};
///
/// let bytes = b"5\r\nhello\r\n0\r\n\r\n";
/// let (mut decoder, mut at, mut body) = (Chunked::new(), 0, Vec::new());
/// loop {
///     at = match decoder.step(bytes, at)? {
///         Step::Data { start, end } => {
///             body.extend_from_slice(&bytes[start..end]);
///             end
///         }
///         Step::Size { next, .. } | Step::ChunkEnd { next, .. } | Step::Trailer { next } => next,
///         Step::End { .. } => break,
///         Step::NeedMore => unreachable!("the example is complete"),
///     };
/// }
/// assert_eq!(body, b"hello");
/// # Ok::<(), llm_edge_core::http1::Http1Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Chunked {
    state: State,
    /// Digits of the size seen so far.
    digits: u8,
    /// Bytes of extensions and trailers seen so far.
    extra: u32,
    /// The size seen so far, then the payload bytes still to come.
    remaining: u64,
}

impl Chunked {
    /// A decoder before the first chunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the next byte is the first of a chunk-size line.
    #[inline]
    pub fn at_boundary(&self) -> bool {
        self.state == State::Size && self.digits == 0
    }

    /// The chunk at `buf[at..]`, where one begins and lies whole there: its payload, and the byte behind it. The steps
    /// would find the same; this one leaves the decoder where it is, at a boundary.
    #[inline]
    pub fn whole(&self, buf: &[u8], at: usize) -> Option<(Range<usize>, usize)> {
        if !self.at_boundary() {
            return None;
        }
        let rest = buf.get(at..)?;
        let (bytes, line) = usual_size(rest)?;
        let end = line.checked_add(usize::try_from(bytes).ok()?)?;
        let ended = rest.get(end..)?.starts_with(b"\r\n");
        ended.then(|| (at.wrapping_add(line)..at.wrapping_add(end), at.wrapping_add(end).wrapping_add(2)))
    }

    /// Looks at `buf[at..]` and takes one step. No step but [`Step::NeedMore`] consumes nothing; each byte is
    /// to be offered once, in order.
    ///
    /// # Errors
    /// The bytes are not a chunked body as we insist on it. It is the same error however they were cut.
    #[inline]
    pub fn step(&mut self, buf: &[u8], at: usize) -> Result<Step, Http1Error> {
        match self.state {
            State::Data => Ok(self.data(buf, at)),
            State::DataCr | State::DataLf => self.chunk_end(buf, at),
            State::Size | State::Extension | State::SizeLf => self.size_line(buf, at),
            State::TrailerLine
            | State::TrailerName
            | State::TrailerValue
            | State::TrailerLf
            | State::FinalLf => self.trailer(buf, at, at),
            State::Done => Ok(Step::End { next: at }),
        }
    }

    #[inline]
    fn data(&mut self, buf: &[u8], at: usize) -> Step {
        let available = buf.len().saturating_sub(at);
        if available == 0 {
            return Step::NeedMore;
        }
        // A chunk longer than `usize` can say is longer than what is there.
        let taken = usize::try_from(self.remaining).unwrap_or(usize::MAX).min(available);
        self.remaining = self.remaining.saturating_sub(taken as u64);
        if self.remaining == 0 {
            self.state = State::DataCr;
        }
        Step::Data { start: at, end: at.saturating_add(taken) }
    }

    #[inline]
    fn chunk_end(&mut self, buf: &[u8], at: usize) -> Result<Step, Http1Error> {
        if self.state == State::DataCr && buf.get(at..).unwrap_or_default().starts_with(b"\r\n") {
            self.state = State::Size;
            return Ok(Step::ChunkEnd { next: at.wrapping_add(2), complete: true });
        }
        let mut next = at;
        if self.state == State::DataCr {
            match buf.get(next) {
                Some(b'\r') => self.state = State::DataLf,
                Some(_) => return Err(Http1Error::ChunkEnd),
                None => return Ok(Step::NeedMore),
            }
            next = next.saturating_add(1);
        }
        match buf.get(next) {
            Some(b'\n') => {
                self.state = State::Size;
                Ok(Step::ChunkEnd { next: next.saturating_add(1), complete: true })
            }
            Some(_) => Err(Http1Error::ChunkEnd),
            None if next == at => Ok(Step::NeedMore),
            None => Ok(Step::ChunkEnd { next, complete: false }),
        }
    }

    #[inline]
    fn size_line(&mut self, buf: &[u8], at: usize) -> Result<Step, Http1Error> {
        if self.at_boundary()
            && let Some((bytes, line)) = usual_size(buf.get(at..).unwrap_or_default())
        {
            self.remaining = bytes;
            self.state = State::Data;
            return Ok(Step::Size { next: at.wrapping_add(line), complete: true });
        }
        self.any_size_line(buf, at)
    }

    /// A size line byte by byte: cut, with an extension, of an odd size, the last one, or broken.
    fn any_size_line(&mut self, buf: &[u8], at: usize) -> Result<Step, Http1Error> {
        let mut next = at;
        while let Some(byte) = buf.get(next).copied() {
            next = next.saturating_add(1);
            match self.state {
                State::Size => match hex(byte) {
                    Some(_) if self.digits == SIZE_DIGITS_MAX => return Err(Http1Error::ChunkSize),
                    Some(digit) => {
                        self.digits = self.digits.saturating_add(1);
                        self.remaining = self.remaining << 4 | u64::from(digit);
                    }
                    None if self.digits == 0 => return Err(Http1Error::ChunkSize),
                    None if self.remaining > CHUNK_BYTES_MAX => return Err(Http1Error::ChunkTooLarge),
                    None => match byte {
                        b'\r' => self.state = State::SizeLf,
                        b';' => self.state = State::Extension,
                        _ => return Err(Http1Error::ChunkSize),
                    },
                },
                State::Extension => match byte {
                    b'\r' => self.state = State::SizeLf,
                    _ if bytes::is_control(byte) => return Err(Http1Error::ChunkExtension),
                    _ => self.count_extra()?,
                },
                _ if byte != b'\n' => return Err(Http1Error::ChunkSize),
                _ => {
                    self.digits = 0;
                    if self.remaining == 0 {
                        self.state = State::TrailerLine;
                        return self.trailer(buf, at, next);
                    }
                    self.state = State::Data;
                    return Ok(Step::Size { next, complete: true });
                }
            }
        }
        Ok(if next == at { Step::NeedMore } else { Step::Size { next, complete: false } })
    }

    /// Goes on at `next`; the step began at `at`.
    fn trailer(&mut self, buf: &[u8], at: usize, mut next: usize) -> Result<Step, Http1Error> {
        while let Some(byte) = buf.get(next).copied() {
            next = next.saturating_add(1);
            self.state = match (self.state, byte) {
                (State::TrailerLine, b'\r') => State::FinalLf,
                (State::TrailerLine | State::TrailerName, _) if bytes::is_token(byte) => {
                    self.count_extra()?;
                    State::TrailerName
                }
                (State::TrailerName, b':') => State::TrailerValue,
                (State::TrailerValue, b'\r') => State::TrailerLf,
                (State::TrailerValue, _) if !bytes::is_control(byte) => {
                    self.count_extra()?;
                    State::TrailerValue
                }
                (State::TrailerLf, b'\n') => State::TrailerLine,
                (State::FinalLf, b'\n') => {
                    self.state = State::Done;
                    return Ok(Step::End { next });
                }
                _ => return Err(Http1Error::Trailer),
            };
        }
        Ok(if next == at { Step::NeedMore } else { Step::Trailer { next } })
    }

    #[inline]
    fn count_extra(&mut self) -> Result<(), Http1Error> {
        self.extra = self.extra.saturating_add(1);
        if self.extra > EXTRA_BYTES_MAX { Err(Http1Error::ExtraTooLarge) } else { Ok(()) }
    }
}

/// The size and length of a whole size line of one to eight digits that is not the last chunk's.
#[inline]
fn usual_size(line: &[u8]) -> Option<(u64, usize)> {
    let mut size = 0_u64;
    let mut digits = 0_usize;
    for byte in line.iter().take(8) {
        let Some(digit) = hex(*byte) else { break };
        size = size << 4 | u64::from(digit);
        digits = digits.wrapping_add(1);
    }
    let whole = size != 0 && line.get(digits..).unwrap_or_default().starts_with(b"\r\n");
    whole.then_some((size, digits.wrapping_add(2)))
}

/// The value of a hexadecimal digit.
#[inline]
fn hex(byte: u8) -> Option<u8> {
    let digit = byte.wrapping_sub(b'0');
    if digit < 10 {
        return Some(digit);
    }
    let letter = (byte | 0x20).wrapping_sub(b'a');
    (letter < 6).then_some(letter.wrapping_add(10))
}
