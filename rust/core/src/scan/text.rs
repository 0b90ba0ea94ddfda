//! JSON strings as they stand in a body: read with escapes resolved, written with escapes added.

use std::borrow::Cow;

use super::{ScanError, ScanErrorKind};
use crate::span::Span;

/// A JSON string in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text {
    /// The bytes between the quotes, as written.
    pub raw: Span,
    /// Whether they hold a backslash.
    pub escaped: bool,
}

impl Text {
    /// The string itself, with escapes resolved; borrowed from `body` where there are none.
    ///
    /// # Errors
    /// [`ScanErrorKind::BadString`] where the text is not UTF-8 or holds a control character, an unknown
    /// escape or half a surrogate pair.
    pub fn decode<'a>(&self, body: &'a [u8]) -> Result<Cow<'a, str>, ScanError> {
        decode(self.raw.of(body), self.escaped)
            .map_err(|at| ScanError::new(ScanErrorKind::BadString, self.raw.start as usize + at))
    }
}

/// Decodes the bytes between two quotes; `Err` is the offset of the fault in `raw`.
pub(super) fn decode(raw: &[u8], escaped: bool) -> Result<Cow<'_, str>, usize> {
    let text = std::str::from_utf8(raw).map_err(|e| e.valid_up_to())?;
    if let Some(at) = raw.iter().position(|&byte| byte < 0x20) {
        return Err(at);
    }
    if !escaped {
        return Ok(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = text;
    while let Some((plain, tail)) = rest.split_once('\\') {
        out.push_str(plain);
        let at = text.len() - tail.len() - 1;
        let (ch, after) = escape(tail).ok_or(at)?;
        out.push(ch);
        rest = after;
    }
    out.push_str(rest);
    Ok(Cow::Owned(out))
}

/// Reads one escape, given what follows its backslash: the character and the rest.
pub(crate) fn escape(tail: &str) -> Option<(char, &str)> {
    let mut chars = tail.chars();
    let ch = match chars.next()? {
        '"' => '"',
        '\\' => '\\',
        '/' => '/',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'u' => {
            let (unit, after) = code_unit(chars.as_str())?;
            if !(0xd800..0xdc00).contains(&unit) {
                return Some((char::from_u32(unit)?, after));
            }
            let (low, after) = code_unit(after.strip_prefix("\\u")?)?;
            let low = low.checked_sub(0xdc00).filter(|low| *low < 0x400)?;
            return Some((char::from_u32(0x1_0000 + ((unit - 0xd800) << 10) + low)?, after));
        }
        _ => return None,
    };
    Some((ch, chars.as_str()))
}

/// Four hexadecimal digits.
pub(crate) fn code_unit(text: &str) -> Option<(u32, &str)> {
    let (digits, after) = text.split_at_checked(4)?;
    // `from_str_radix` alone would take a sign.
    if !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some((u32::from_str_radix(digits, 16).ok()?, after))
}

/// Folds what case-insensitive key look-ups fold: ASCII capitals, and the two other characters whose simple
/// folding is an ASCII letter (long s, Kelvin sign).
pub(super) fn fold_case(ch: char) -> char {
    match ch {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => ch.to_ascii_lowercase(),
    }
}

/// A change of a body: `text` stands where `span` was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edit<'a> {
    /// What goes; empty where something is only put in.
    pub span: Span,
    /// What comes, as it must stand in the body: the text of a string escaped by [`escape_json`].
    pub text: &'a [u8],
}

/// Most pieces that [`splice`] makes.
pub const PIECES_MAX: usize = 5;

/// The pieces of `body` with up to two changes, which do not overlap, made to it; nothing is copied.
pub fn splice<'a>(body: &'a [u8], one: Option<Edit<'a>>, other: Option<Edit<'a>>) -> [&'a [u8]; PIECES_MAX] {
    let (first, second) = match (one, other) {
        (Some(one), Some(other)) if other.span.start < one.span.start => (Some(other), Some(one)),
        (None, other) => (other, None),
        in_order => in_order,
    };
    let Some(first) = first else { return [body, &[], &[], &[], &[]] };
    let piece = |from: u32, to: usize| body.get(from as usize..to).unwrap_or_default();
    let before = piece(0, first.span.start as usize);
    let Some(second) = second else {
        return [before, first.text, piece(first.span.end, body.len()), &[], &[]];
    };
    let between = piece(first.span.end, second.span.start as usize);
    [before, first.text, between, second.text, piece(second.span.end, body.len())]
}

/// Appends `text` as it must stand between the quotes of a JSON string (RFC 8259 §7).
pub fn escape_json(out: &mut Vec<u8>, text: &str) {
    out.reserve(text.len());
    for &byte in text.as_bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            0..0x20 => {
                let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
                out.extend_from_slice(b"\\u00");
                out.extend_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_of_surrogates_is_one_character_and_half_a_pair_is_refused() {
        assert_eq!(decode(br"\ud83d\ude00", true).unwrap(), "\u{1f600}");
        for bad in
            [&br"\ud83d"[..], br"\ude00", br"\ud83d\u0041", br"\ud83dx", br"\u+041", br"\x41", br"\u12"]
        {
            assert!(decode(bad, true).is_err(), "{}", bad.escape_ascii());
        }
    }

    #[test]
    fn the_offset_of_a_bad_escape_is_that_of_its_backslash() {
        assert_eq!(decode(br"ab\tcd\qe", true), Err(6));
    }

    #[test]
    fn what_is_escaped_reads_back_the_same() {
        let text: String = (0u8..=127).map(char::from).chain("äöü€😀".chars()).collect();
        let mut raw = Vec::new();
        escape_json(&mut raw, &text);
        assert_eq!(decode(&raw, true).unwrap(), text);
        let quoted = format!("\"{}\"", String::from_utf8(raw).unwrap());
        assert_eq!(serde_json::from_str::<String>(&quoted).unwrap(), text);
    }
}
