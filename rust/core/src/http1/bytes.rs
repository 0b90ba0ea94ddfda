//! Byte classes, and how to find them sixteen bytes at a time.
//!
//! Most of the time spent on a head goes into three searches: the next control character (which ends a line
//! or makes it illegal), the colon after a name, and the first byte that is not plainly harmless. Each is a
//! mask over a block of sixteen bytes (see [`super::mask`]); what is rarer goes through a table.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "sums of places in one buffer and block sizes; nothing a peer sends is added up here"
)]

use super::mask::{BLOCK, Hit, hits};
use crate::span::Span;

/// A byte of a token (RFC 9110 §5.6.2).
const TOKEN: u8 = 1;
/// A byte that may stand in a path or query (RFC 3986 §3.3, §3.4), percent signs included; plus `[` and `]`,
/// which clients send unescaped in queries and which nobody reads as anything else.
const TARGET: u8 = 2;
/// A byte of a host name or address, without the colon before the port. Narrower than RFC 3986 `reg-name`:
/// no percent-encoding and no sub-delimiters, which no name in use has.
const HOST: u8 = 4;

static CLASS: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut table = [0_u8; 256];
    let mut byte = 0_u8;
    loop {
        let alphanumeric = byte.is_ascii_alphanumeric();
        let mut class = 0;
        if alphanumeric
            || matches!(
                byte,
                b'!' | b'#'
                    | b'$'
                    | b'%'
                    | b'&'
                    | b'\''
                    | b'*'
                    | b'+'
                    | b'-'
                    | b'.'
                    | b'^'
                    | b'_'
                    | b'`'
                    | b'|'
                    | b'~'
            )
        {
            class |= TOKEN;
        }
        if byte.is_ascii_graphic()
            && !matches!(byte, b'"' | b'#' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}')
        {
            class |= TARGET;
        }
        if alphanumeric || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            class |= HOST;
        }
        #[expect(clippy::indexing_slicing, reason = "a byte indexes 256 entries; evaluated at compile time")]
        {
            table[byte as usize] = class;
        }
        if byte == u8::MAX {
            return table;
        }
        byte += 1;
    }
}

#[inline]
fn has(byte: u8, class: u8) -> bool {
    // A `u8` always indexes an array of 256; the compiler knows and drops the check.
    CLASS.get(usize::from(byte)).is_some_and(|have| have & class != 0)
}

/// Whether `byte` may stand in a token.
#[inline]
pub(super) fn is_token(byte: u8) -> bool {
    has(byte, TOKEN)
}

/// Whether `byte` may stand in a host name.
#[inline]
pub(super) fn is_host(byte: u8) -> bool {
    has(byte, HOST)
}

/// Whether `byte` is a control character that no field value may hold (RFC 9110 §5.5): all but the tab.
#[inline]
pub(super) fn is_control(byte: u8) -> bool {
    (byte < b' ' && byte != b'\t') || byte == 0x7f
}

/// The place of the first control character in `buf`, tabs included, from `from` on; `buf.len()` if there is
/// none.
#[inline]
pub(super) fn find_control(buf: &[u8], from: usize) -> usize {
    let mut rest = buf.get(from..).unwrap_or_default();
    while let Some((block, behind)) = rest.split_first_chunk() {
        let found = hits(Hit::Control, block);
        if found != 0 {
            return buf.len() - rest.len() + found.trailing_zeros() as usize;
        }
        rest = behind;
    }
    first_in_last(buf, buf.len() - rest.len(), Hit::Control)
}

/// The place of the first colon in `line`; `line.len()` or more if there is none. `buf` begins where the line
/// does and goes on behind it.
#[inline]
pub(super) fn find_colon(buf: &[u8], line: &[u8]) -> usize {
    // Most names end in their first block.
    if let Some(block) = buf.first_chunk() {
        let found = hits(Hit::Colon, block);
        if found != 0 {
            return found.trailing_zeros() as usize;
        }
    }
    first(buf, 0, line.len(), Hit::Colon)
}

/// Whether `name` is not empty and holds nothing but letters, digits, hyphens and dots, which may stand in any
/// name. `buf` begins where the name does and goes on behind it.
#[inline]
pub(super) fn is_plain(buf: &[u8], name: &[u8]) -> bool {
    let mut left = name.len();
    let mut rest = buf;
    while let Some((block, behind)) = rest.split_first_chunk::<BLOCK>() {
        let found = hits(Hit::NotPlain, block);
        if left <= BLOCK {
            return left != 0 && found & !(u32::MAX << left) == 0;
        }
        if found != 0 {
            return false;
        }
        left -= BLOCK;
        rest = behind;
    }
    plain_run(buf, 0, name.len()) == name.len() && !name.is_empty()
}

/// The first place in `buf[from..end]` that does not hold a letter, digit, hyphen or dot: bytes which are
/// legal both in field names and in hosts. `end` if all are.
#[inline]
pub(super) fn plain_run(buf: &[u8], from: usize, end: usize) -> usize {
    first(buf, from, end, Hit::NotPlain)
}

/// Whether every byte of `buf[from..end]` may stand in a path or query.
#[inline]
pub(super) fn is_target(buf: &[u8], from: usize, end: usize) -> bool {
    let odd = first(buf, from, end, Hit::NotPath);
    odd == end || buf.get(odd..end).is_some_and(|rest| rest.iter().all(|byte| has(*byte, TARGET)))
}

/// The first `hit` in `buf[from..end]`, or `end`. May look at bytes behind `end`, never acts on them.
#[inline]
fn first(buf: &[u8], from: usize, end: usize, hit: Hit) -> usize {
    let mut rest = buf.get(from..).unwrap_or_default();
    let mut at = from;
    while at < end {
        let Some((block, behind)) = rest.split_first_chunk() else {
            return first_in_last(buf, at, hit).min(end);
        };
        let found = hits(hit, block);
        if found != 0 {
            return (at + found.trailing_zeros() as usize).min(end);
        }
        rest = behind;
        at += BLOCK;
    }
    end
}

/// The first `hit` in fewer than sixteen bytes, `buf[at..]`, or `buf.len()`.
fn first_in_last(buf: &[u8], at: usize, hit: Hit) -> usize {
    let found = if let Some(block) = buf.last_chunk::<BLOCK>() {
        // A block that begins before `at`.
        hits(hit, block) >> BLOCK.saturating_sub(buf.len() - at)
    } else {
        // The letter is no hit of any kind.
        let mut block = [b'a'; BLOCK];
        for (to, from) in block.iter_mut().zip(buf.get(at..).unwrap_or_default()) {
            *to = *from;
        }
        hits(hit, &block)
    };
    if found == 0 { buf.len() } else { at + found.trailing_zeros() as usize }
}

/// A span; the caller has cut its buffer at 4 GiB.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "heads are cut at their limit, which is below 4 GiB")]
pub(super) fn span(start: usize, end: usize) -> Span {
    Span { start: start as u32, end: end as u32 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_finds_the_first_place_in_buffers_of_every_length() {
        for len in 0..50 {
            for from in 0..=len {
                let clean = vec![b'a'; len];
                assert_eq!(find_control(&clean, from), len);
                assert_eq!(find_colon(&clean[from..], &clean[from..]), len - from);
                assert_eq!(is_plain(&clean, &clean[..from]), from != 0);
                for hit in from..len {
                    let mut buf = vec![b'a'; len];
                    buf[hit..].fill(b'\r');
                    assert_eq!(find_control(&buf, from), hit);
                    buf[hit..].fill(b':');
                    assert_eq!(find_colon(&buf[from..], &buf[from..]), hit - from);
                    let before = find_colon(&buf[from..], &buf[from..hit]);
                    assert!(before >= hit - from, "what is behind the line is not in it");
                    assert_eq!(is_plain(&buf[from..], &buf[from..hit]), hit != from);
                    assert!(!is_plain(&buf[from..], &buf[from..=hit]));
                    assert_eq!(plain_run(&buf, from, len), hit);
                    buf[hit..].fill(b'|');
                    assert!(!is_target(&buf, from, len));
                    assert!(is_target(&buf, from, hit));
                }
            }
        }
    }

    #[test]
    fn plain_and_path_bytes_belong_to_the_classes_they_stand_for() {
        for byte in 0..=u8::MAX {
            let block = [byte; BLOCK];
            if hits(Hit::NotPlain, &block) == 0 {
                assert!(is_token(byte) && is_host(byte), "{byte:#x}");
            }
            if hits(Hit::NotPath, &block) == 0 {
                assert!(has(byte, TARGET), "{byte:#x}");
            }
        }
    }

    #[test]
    fn no_delimiter_of_a_head_is_a_token_target_or_host_byte() {
        for byte in [b' ', b'\t', b'\r', b'\n', 0, 0x7f, 0x80, 0xff, b'"', b'<', b'>', b'\\', b'{', b'}'] {
            assert!(!is_token(byte) && !has(byte, TARGET) && !is_host(byte), "{byte:#x}");
        }
        for byte in b":/?@,;=()[]" {
            assert!(!is_token(*byte) && !is_host(*byte), "{byte:#x}");
        }
        assert!(!has(b'#', TARGET));
    }
}
