//! What request and response heads have in common: lines, fields, and what the fields say about framing.
//!
//! Lines are found by the first control character: a line may hold none but the tab, so whatever is found is
//! either its CRLF or an error. A head that arrives in pieces is taken line by line, and the search goes on
//! where it stopped, so that each byte is looked at once however slowly it comes.

use super::bytes::{self, span};
use super::field::is;
use super::mask::{BLOCK, Hit, hits_in_two};
use super::{Field, HeadLimits, Http1Error, Known, Progress, Version};
use crate::span::Span;

/// Most fields that `Connection` may name. Each is looked up among all fields, so there has to be a limit;
/// real messages name one or two.
const CONNECTION_OPTIONS_MAX: u32 = 16;

/// Where in the buffer the search for the next line stands. Places in a buffer plus one or two do not wrap.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Lines {
    /// First byte of the line that is looked at.
    pub(super) start: usize,
    /// So many of its bytes are known to be clean.
    scanned: usize,
}

impl Lines {
    /// The length of the current line, if its CRLF is there. `rest` is the buffer from the line's start on.
    #[inline]
    pub(super) fn length(&mut self, rest: &[u8]) -> Result<Option<usize>, Http1Error> {
        let mut at = self.scanned;
        loop {
            at = bytes::find_control(rest, at);
            match rest.get(at..).unwrap_or_default() {
                [b'\r', b'\n', ..] => return Ok(Some(at)),
                [b'\t', ..] => at = at.wrapping_add(1),
                [] | [b'\r'] => break,
                [b'\r', ..] => return Err(Http1Error::BareCr),
                [b'\n', ..] => return Err(Http1Error::BareLf),
                _ => return Err(Http1Error::ControlByte),
            }
        }
        self.scanned = at;
        Ok(None)
    }

    /// Goes to the line behind one of `length` bytes and its CRLF.
    #[inline]
    pub(super) fn advance(&mut self, length: usize) {
        self.start = self.start.wrapping_add(length).wrapping_add(2);
        self.scanned = 0;
    }
}

/// What the fields seen so far say.
#[derive(Clone, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each told by a field of its own")]
pub(super) struct Facts {
    /// Where the next line is.
    pub(super) lines: Lines,
    /// The value of `Content-Length`.
    pub(super) length: Option<u64>,
    /// `Transfer-Encoding: chunked`.
    pub(super) chunked: bool,
    /// `Connection: close`.
    close: bool,
    /// `Connection: keep-alive`.
    keep_alive: bool,
    /// `Connection` names other fields.
    nominates: bool,
    /// There was an `Upgrade`.
    pub(super) upgrade: bool,
    /// One bit for each kind of field there is.
    seen: u64,
}

impl Facts {
    /// Reads fields up to the empty line; `note` is told of each.
    #[inline]
    pub(super) fn fields(
        &mut self,
        buf: &[u8],
        version: Version,
        limits: &HeadLimits,
        fields: &mut Vec<Field>,
        mut note: impl FnMut(&Field) -> Result<(), Http1Error>,
    ) -> Result<Progress, Http1Error> {
        let view = cut(buf, limits.head_bytes_max);
        let mut lines = self.lines;
        let mut rest = view.get(lines.start..).unwrap_or_default();
        loop {
            let usual = usual(rest, lines.start);
            let length = if let Some((_, length)) = usual {
                length
            } else {
                let Some(length) = lines.length(rest)? else {
                    self.lines = lines;
                    let full = view.len() >= limits.head_bytes_max;
                    return if full { Err(Http1Error::HeadTooLarge) } else { Ok(Progress::Partial) };
                };
                if length == 0 {
                    lines.advance(length);
                    self.lines = lines;
                    if self.nominates {
                        nominate(view, fields)?;
                    }
                    return Ok(Progress::Complete);
                }
                length
            };
            if fields.len() >= limits.headers_max {
                return Err(Http1Error::TooManyFields);
            }
            let field = match usual {
                Some((field, _)) => field,
                None => field(rest, rest.get(..length).unwrap_or_default(), lines.start)?,
            };
            match field.known {
                Known::ContentLength => self.content_length(field.value.of(view))?,
                Known::TransferEncoding => self.transfer_encoding(field.value.of(view), version)?,
                Known::HopByHop => self.hop_by_hop(field.name.of(view), field.value.of(view)),
                _ => {}
            }
            note(&field)?;
            self.seen |= bit(field.known);
            fields.push(field);
            lines.advance(length);
            rest = rest.get(length.wrapping_add(2)..).unwrap_or_default();
        }
    }

    /// Whether there is a field of that kind.
    #[inline]
    pub(super) fn has(&self, known: Known) -> bool {
        self.seen & bit(known) != 0
    }

    /// Whether the connection outlives the message (RFC 9112 §9.3).
    pub(super) fn persistent(&self, version: Version) -> bool {
        !self.close && (version == Version::Http11 || self.keep_alive)
    }

    /// RFC 9112 §6.3 lets a recipient take a list of equal values as one; two readers may not agree, so no.
    #[inline(never)]
    fn content_length(&mut self, value: &[u8]) -> Result<(), Http1Error> {
        if self.has(Known::ContentLength) {
            return Err(Http1Error::LengthRepeated);
        }
        if self.chunked {
            return Err(Http1Error::LengthAndCoding);
        }
        self.length = Some(decimal(value).ok_or(Http1Error::LengthValue)?);
        Ok(())
    }

    /// RFC 9112 §6.1 knows other codings and their lists; nobody sends them, and readers disagree on them.
    #[inline(never)]
    fn transfer_encoding(&mut self, value: &[u8], version: Version) -> Result<(), Http1Error> {
        if self.chunked {
            return Err(Http1Error::CodingRepeated);
        }
        if version == Version::Http10 {
            return Err(Http1Error::CodingInHttp10);
        }
        if !is(value, b"chunked") {
            return Err(Http1Error::CodingValue);
        }
        if self.length.is_some() {
            return Err(Http1Error::LengthAndCoding);
        }
        self.chunked = true;
        Ok(())
    }

    #[inline(never)]
    fn hop_by_hop(&mut self, name: &[u8], value: &[u8]) {
        if is(name, b"upgrade") {
            self.upgrade = true;
        } else if !is(name, b"connection") {
        } else if is(value, b"keep-alive") {
            self.keep_alive = true;
        } else if is(value, b"close") {
            self.close = true;
        } else {
            self.connection(value);
        }
    }

    /// Reads a `Connection` that says more than the usual.
    #[cold]
    fn connection(&mut self, value: &[u8]) {
        for option in options(value) {
            if is(option, b"close") {
                self.close = true;
            } else if is(option, b"keep-alive") {
                self.keep_alive = true;
            } else if !option.is_empty() {
                self.nominates = true;
            }
        }
    }
}

/// Marks the fields that `Connection` names (RFC 9110 §7.6.1), wherever they stand. Framing and `Host`
/// have been acted on already and are never passed on as they came, so they keep their kind.
#[cold]
fn nominate(view: &[u8], fields: &mut [Field]) -> Result<(), Http1Error> {
    let mut named = 0_u32;
    for at in 0..fields.len() {
        let Some(Field { name, value, known: Known::HopByHop }) = fields.get(at).copied() else {
            continue;
        };
        if !is(name.of(view), b"connection") {
            continue;
        }
        for option in options(value.of(view)).filter(|option| !option.is_empty()) {
            named = named.saturating_add(1);
            if named > CONNECTION_OPTIONS_MAX {
                return Err(Http1Error::ConnectionOptions);
            }
            for field in fields.iter_mut().filter(|field| field.name.of(view).eq_ignore_ascii_case(option)) {
                if !matches!(field.known, Known::Host | Known::ContentLength | Known::TransferEncoding) {
                    field.known = Known::HopByHop;
                }
            }
        }
    }
    Ok(())
}

#[inline]
fn bit(known: Known) -> u64 {
    // There are fewer than 64 kinds; a 65th would share a bit, and `find` would still be right.
    1_u64.wrapping_shl(u32::from(known as u8))
}

/// The elements of a comma-separated list, trimmed; empty ones too.
pub(super) fn options(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii)
}

/// At most `max` bytes of `buf`, and no more than spans can name.
#[inline]
pub(super) fn cut(buf: &[u8], max: usize) -> &[u8] {
    buf.get(..max.min(u32::MAX as usize)).unwrap_or(buf)
}

/// The field at the beginning of `rest`, which is at `start`, and the length of its line, if it is written as
/// nearly all are: a name of up to 31 plain bytes, a colon, one space, a value of two or more bytes, CRLF, and
/// something behind it. `None` says nothing: the line is then read step by step.
#[expect(
    clippy::inline_always,
    reason = "left to itself it is called, which costs a request 700 instructions"
)]
#[inline(always)]
fn usual(rest: &[u8], start: usize) -> Option<(Field, usize)> {
    let near = rest.first_chunk()?;
    let colons = hits_in_two(Hit::Colon, near);
    let colon = colons.trailing_zeros();
    let controls = hits_in_two(Hit::Control, near);
    let length = match controls {
        0 => bytes::find_control(rest, 2 * BLOCK),
        _ => controls.trailing_zeros() as usize,
    };
    let (name, behind) = rest.split_at_checked(colon as usize)?;
    let [b':', b' ', first, .., last, b'\r', b'\n'] =
        behind.get(..length.wrapping_add(2).wrapping_sub(name.len()))?
    else {
        return None;
    };
    if *first <= b' ' || *last <= b' ' {
        return None;
    }
    let mut known = Known::named(name);
    if known == Known::Other {
        let name_bits = 1_u32.checked_shl(colon)?.wrapping_sub(1);
        if name_bits == 0 || hits_in_two(Hit::NotPlain, near) & name_bits != 0 {
            return None;
        }
        known = Known::beginning(name);
    }
    let colon = start.wrapping_add(name.len());
    let value = span(colon.wrapping_add(2), start.wrapping_add(length));
    Some((Field { name: span(start, colon), value, known }, length))
}

/// The field in `line`, which is not empty and begins at `start`; `rest` is the buffer from there on.
#[inline(never)]
fn field(rest: &[u8], line: &[u8], start: usize) -> Result<Field, Http1Error> {
    let Some((name, [b':', value @ ..])) = line.split_at_checked(bytes::find_colon(rest, line)) else {
        return Err(no_colon(line));
    };
    let mut known = Known::named(name);
    if known == Known::Other {
        // A known name is made of token bytes; only others have to be looked at.
        known = if bytes::is_plain(rest, name) { Known::beginning(name) } else { odd_name(name)? };
    }
    let colon = start.wrapping_add(name.len());
    Ok(Field { name: span(start, colon), value: trimmed(value, colon.wrapping_add(1)), known })
}

#[cold]
fn no_colon(line: &[u8]) -> Http1Error {
    if matches!(line, [b' ' | b'\t', ..]) { Http1Error::Folded } else { Http1Error::FieldName }
}

/// The kind of a field whose name is not made of letters, digits, hyphens and dots alone.
#[cold]
fn odd_name(name: &[u8]) -> Result<Known, Http1Error> {
    match name {
        [b' ' | b'\t', ..] => Err(Http1Error::Folded),
        [.., b' ' | b'\t'] => Err(Http1Error::SpaceBeforeColon),
        [] => Err(Http1Error::FieldName),
        _ if !name.iter().all(|byte| bytes::is_token(*byte)) => Err(Http1Error::FieldName),
        _ if name.contains(&b'_') => Ok(Known::Underscore),
        _ => Ok(Known::beginning(name)),
    }
}

/// The place of `value`, which begins at `start` and holds no control characters, without spaces and tabs
/// around it.
#[inline]
fn trimmed(value: &[u8], start: usize) -> Span {
    match value {
        // The usual form: one space before, none behind.
        [b' ', first, .., last] if *first > b' ' && *last > b' ' => {
            span(start.wrapping_add(1), start.wrapping_add(value.len()))
        }
        _ => trimmed_slowly(value, start),
    }
}

#[inline(never)]
fn trimmed_slowly(value: &[u8], start: usize) -> Span {
    let behind = value.trim_ascii_start();
    let start = start.wrapping_add(value.len()).wrapping_sub(behind.len());
    span(start, start.wrapping_add(behind.trim_ascii_end().len()))
}

/// A number of 1 to 19 decimal digits; so many fit 64 bits.
fn decimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || digits.len() > 19 {
        return None;
    }
    let mut number = 0_u64;
    for digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_digits_and_nothing_else() {
        assert_eq!(decimal(b"0"), Some(0));
        assert_eq!(decimal(b"007"), Some(7));
        assert_eq!(decimal(b"9999999999999999999"), Some(9_999_999_999_999_999_999));
        for text in [&b""[..], b"+3", b"-1", b"0x3", b"3, 3", b"3 3", b"18446744073709551619", b"1e3", b"3\0"]
        {
            assert_eq!(decimal(text), None);
        }
    }

    #[test]
    fn every_kind_has_its_own_bit() {
        assert!((Known::CacheStatus as u8) < 64);
    }
}
