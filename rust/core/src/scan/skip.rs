//! Where a JSON value ends, found by its quotes and brackets alone.
//!
//! The byte-wise walk here is the rule; [`super::simd`] is a faster way to the same answer and may say
//! "unusual" at any time, upon which the walk here decides. Errors therefore come from here only.

use super::{ScanError, ScanErrorKind};

/// Most brackets that may be open at once inside one value.
pub const DEPTH_MAX: usize = 1024;

/// Strings are looked at byte by byte this far before a search is set up: keys and most values end sooner.
const SHORT_STRING_BYTES: usize = 24;

/// The first byte at or behind `at` that is not JSON white space.
#[inline]
pub(crate) fn white_space(body: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = body.get(at) {
        at += 1;
    }
    at
}

/// One past the value that starts at `at`.
pub(super) fn value_end(body: &[u8], at: usize) -> Result<usize, ScanError> {
    match body.get(at) {
        Some(b'"') => long_string_end(body, at + 1),
        Some(b'{' | b'[') => {
            #[cfg(target_arch = "x86_64")]
            if let Some(end) = super::simd::container_end(body, at) {
                return Ok(end);
            }
            container_end(body, at)
        }
        Some(_) => scalar_end(body, at),
        None => Err(ScanError::new(ScanErrorKind::Truncated, at)),
    }
}

/// One past the closing quote of the string whose opening quote is at `open`, and whether a backslash
/// stands in it.
#[inline]
pub(super) fn string_end(body: &[u8], open: usize) -> Result<(usize, bool), ScanError> {
    let inner = body.get(open + 1..).unwrap_or_default();
    for (at, byte) in inner.iter().take(SHORT_STRING_BYTES).enumerate() {
        match byte {
            b'"' => return Ok((open + at + 2, false)),
            b'\\' => return Ok((long_string_end(body, open + at + 1)?, true)),
            _ => {}
        }
    }
    let from = (open + 1 + SHORT_STRING_BYTES).min(body.len());
    let end = long_string_end(body, from)?;
    let escaped = memchr::memchr(b'\\', body.get(from..end).unwrap_or_default()).is_some();
    Ok((end, escaped))
}

/// One past the closing quote of a string, looked for from `at`, which no backslash precedes.
fn long_string_end(body: &[u8], at: usize) -> Result<usize, ScanError> {
    #[cfg(target_arch = "x86_64")]
    if let Some(end) = super::simd::string_end(body, at) {
        return Ok(end);
    }
    string_end_scalar(body, at)
}

/// [`long_string_end`] without SIMD of our own.
fn string_end_scalar(body: &[u8], mut at: usize) -> Result<usize, ScanError> {
    let truncated = || ScanError::new(ScanErrorKind::Truncated, body.len());
    loop {
        let rest = body.get(at..).unwrap_or_default();
        let next = at + memchr::memchr2(b'"', b'\\', rest).ok_or_else(truncated)?;
        if body.get(next) == Some(&b'"') {
            return Ok(next + 1);
        }
        at = next + 2;
    }
}

/// One past the closing bracket that matches the opening one at `open`.
fn container_end(body: &[u8], open: usize) -> Result<usize, ScanError> {
    let mut nest = Nest::default();
    let mut at = open;
    loop {
        match body.get(at) {
            Some(b'"') => {
                at = string_end_scalar(body, at + 1)?;
                continue;
            }
            Some(&bracket @ (b'{' | b'[')) => {
                if !nest.open(bracket) {
                    return Err(ScanError::new(ScanErrorKind::TooDeep, at));
                }
            }
            Some(&bracket @ (b'}' | b']')) => match nest.close(bracket) {
                Some(0) => return Ok(at + 1),
                Some(_) => {}
                None => return Err(ScanError::new(ScanErrorKind::Expected("the other closing bracket"), at)),
            },
            Some(b'\\') => {
                return Err(ScanError::new(ScanErrorKind::Expected("no backslash outside a string"), at));
            }
            Some(_) => {}
            None => return Err(ScanError::new(ScanErrorKind::Truncated, at)),
        }
        at += 1;
    }
}

/// One past a number, `true`, `false` or `null`. Numbers are held to their alphabet, not to their grammar.
fn scalar_end(body: &[u8], at: usize) -> Result<usize, ScanError> {
    let rest = body.get(at..).unwrap_or_default();
    let in_word = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let len = rest.iter().position(|byte| !in_word(byte)).unwrap_or(rest.len());
    let word = rest.get(..len).unwrap_or_default();
    let known = match word {
        b"true" | b"false" | b"null" => true,
        [b'-' | b'0'..=b'9', digits @ ..] => {
            digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E'))
        }
        _ => false,
    };
    if known {
        return Ok(at + len);
    }
    Err(ScanError::new(ScanErrorKind::Expected("a JSON value"), at))
}

/// The brackets that are open: one bit each, set for `{`.
#[derive(Default)]
pub(super) struct Nest {
    depth: usize,
    curly: [u64; DEPTH_MAX / 64],
}

impl Nest {
    /// Notes an opening bracket; `false` when it is one too many.
    #[inline]
    pub(super) fn open(&mut self, bracket: u8) -> bool {
        let Some(word) = self.curly.get_mut(self.depth / 64) else { return false };
        let bit = 1_u64 << (self.depth % 64);
        if bracket == b'{' {
            *word |= bit;
        } else {
            *word &= !bit;
        }
        self.depth += 1;
        true
    }

    /// Notes a closing bracket: how many are still open, `None` when it is not the one that must come.
    #[inline]
    pub(super) fn close(&mut self, bracket: u8) -> Option<usize> {
        let depth = self.depth.checked_sub(1)?;
        let curly = (self.curly.get(depth / 64)? >> (depth % 64)) & 1 == 1;
        if curly != (bracket == b'}') {
            return None;
        }
        self.depth = depth;
        Some(depth)
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    /// Pieces that meet at block borders in every way: quotes, brackets, runs of backslashes, fillers.
    fn json_like() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            4 => "[\\[\\]{}]{1,3}".prop_map(String::into_bytes),
            4 => Just(b"\"".to_vec()),
            3 => (1_usize..70).prop_map(|n| vec![b'\\'; n]),
            3 => Just(b"\\\"".to_vec()),
            4 => (0_usize..130).prop_map(|n| vec![b'x'; n]),
            2 => "\"[a-z\\[{]{0,80}\"".prop_map(String::into_bytes),
            1 => vec(any::<u8>(), 0..8),
        ];
        vec(piece, 0..24).prop_map(|pieces| pieces.concat())
    }

    /// A container that is well nested, so that the fast way gets to its end.
    fn nested() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            "\"([a-z {}\\[\\]]|\\\\\"|\\\\\\\\){0,150}\"".prop_map(String::into_bytes),
            (0_usize..70).prop_map(|n| format!("\"{}\"", "\\\\".repeat(n)).into_bytes()),
            Just(b"12.5".to_vec()),
        ];
        leaf.prop_recursive(6, 60, 6, |inner| {
            (vec(inner, 0..6), any::<bool>()).prop_map(|(parts, curly)| {
                let inner = parts.join(&b","[..]);
                let (open, close) = if curly { (b"{", b"}") } else { (b"[", b"]") };
                [&open[..], &inner, &close[..]].concat()
            })
        })
    }

    #[cfg(target_arch = "x86_64")]
    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn vectors_and_bytes_agree_on_anything(mut body in json_like(), first in "[\\[{]") {
            body.splice(0..0, first.into_bytes());
            if let Some(end) = super::super::simd::container_end(&body, 0) {
                prop_assert_eq!(container_end(&body, 0), Ok(end));
            } else if available() {
                prop_assert!(container_end(&body, 0).is_err() || body.contains(&b'\\'));
            }
            if let Some(end) = super::super::simd::string_end(&body, 1) {
                prop_assert_eq!(string_end_scalar(&body, 1), Ok(end));
            } else if available() {
                prop_assert!(string_end_scalar(&body, 1).is_err());
            }
        }

        #[test]
        fn vectors_find_the_end_of_every_sound_container(
            value in nested(), before in 0_usize..70, after in vec(any::<u8>(), 0..70),
        ) {
            let mut body = vec![b' '; before];
            body.extend_from_slice(&value);
            let end = body.len();
            body.extend_from_slice(&after);
            if matches!(value.first(), Some(b'[' | b'{')) {
                prop_assert_eq!(container_end(&body, before), Ok(end));
                // What follows may be anything here, even what no JSON document holds.
                let fast = super::super::simd::container_end(&body, before);
                prop_assert!(fast == Some(end) || !available() || after.contains(&b'\\'));
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn available() -> bool {
        is_x86_feature_detected!("avx2") && is_x86_feature_detected!("pclmulqdq")
    }

    #[test]
    fn a_quote_behind_an_even_run_of_backslashes_ends_the_string_wherever_blocks_meet() {
        for lead in 0..130 {
            for run in 0..70 {
                let text = [vec![b'a'; lead], vec![b'\\'; run], b"\"tail\"]".to_vec()].concat();
                let body = [&b"[\""[..], &text].concat();
                let closes = 2 + lead + run + if run % 2 == 0 { 1 } else { 6 };
                assert_eq!(string_end(&body, 1), Ok((closes, run > 0)), "lead {lead}, run {run}");
            }
        }
    }

    #[test]
    fn brackets_are_counted_to_the_cap_and_not_beyond() {
        let nested = |depth: usize| ["[".repeat(depth), "]".repeat(depth)].concat().into_bytes();
        assert_eq!(value_end(&nested(DEPTH_MAX), 0), Ok(2 * DEPTH_MAX));
        assert_eq!(
            value_end(&nested(DEPTH_MAX + 1), 0),
            Err(ScanError::new(ScanErrorKind::TooDeep, DEPTH_MAX))
        );
    }

    #[test]
    fn the_wrong_closing_bracket_is_refused() {
        for body in [&b"[}"[..], b"{]", b"[{]}", b"{\"a\":[}]"] {
            assert!(value_end(body, 0).is_err());
        }
    }
}
