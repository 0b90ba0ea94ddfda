//! JSON as text: a string without its escapes, and a value without the white space around its members.
//!
//! Nothing is refused here, unlike in [`crate::scan::Text`], which the gateway acts on: a bad escape stands for
//! itself, half a pair of surrogates and bytes that are no UTF-8 for U+FFFD.

use std::borrow::Cow;

use crate::scan;

/// The string between two quotes; written into `buffer`, which is emptied before, where it is not there as it is.
pub(super) fn unescaped<'a>(raw: &'a [u8], buffer: &'a mut String) -> &'a str {
    let text = lossy(raw);
    if let Cow::Borrowed(text) = text
        && !text.contains('\\')
    {
        return text;
    }
    buffer.clear();
    let mut rest = text.as_ref();
    while let Some((plain, tail)) = rest.split_once('\\') {
        buffer.push_str(plain);
        // A bad escape is a backslash like any other character.
        let (ch, behind) = escape(tail).unwrap_or(('\\', tail));
        buffer.push(ch);
        rest = behind;
    }
    buffer.push_str(rest);
    buffer
}

/// A value as it is written, but for white space outside its strings.
pub(super) fn compact<'a>(value: &[u8], buffer: &'a mut String) -> &'a str {
    buffer.clear();
    let text = lossy(value);
    let mut in_string = false;
    let mut escaped = false;
    // Runs of what is kept are copied at once.
    for part in text.split_inclusive(|ch: char| {
        if escaped {
            escaped = false;
        } else if in_string {
            escaped = ch == '\\';
            in_string = ch != '"';
        } else {
            in_string = ch == '"';
            return matches!(ch, ' ' | '\t' | '\n' | '\r');
        }
        false
    }) {
        buffer.push_str(part.strip_suffix([' ', '\t', '\n', '\r']).unwrap_or(part));
    }
    buffer
}

/// As UTF-8, with U+FFFD where it is not.
pub(super) fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    let mut chunks = bytes.utf8_chunks();
    let Some(first) = chunks.next() else { return Cow::Borrowed("") };
    if first.invalid().is_empty() {
        return Cow::Borrowed(first.valid());
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in std::iter::once(first).chain(chunks) {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    Cow::Owned(text)
}

/// The character of an escape, given what follows its backslash, and what is behind it. Half a surrogate pair is a
/// character that nobody knows.
fn escape(tail: &str) -> Option<(char, &str)> {
    scan::escape(tail).or_else(|| {
        let (_, behind) = scan::code_unit(tail.strip_prefix('u')?)?;
        Some((char::REPLACEMENT_CHARACTER, behind))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scan::escape_json;

    #[test]
    fn bad_escapes_stand_for_themselves() {
        for (raw, text) in [
            (&br"a\nb"[..], "a\nb"),
            (br"\ud83d\ude00", "\u{1f600}"),
            (br"\ud83d", "\u{fffd}"),
            (br"\ud83dA", "\u{fffd}A"),
            (br"\ud83d\n", "\u{fffd}\n"),
            (br"\ud83d\ud83d\ude00", "\u{fffd}\u{1f600}"),
            (br"\x41", "\\x41"),
            (br"\u12", "\\u12"),
            (br"\u+041", "\\u+041"),
            (b"tail\\", "tail\\"),
            (b"\xffA", "\u{fffd}A"),
        ] {
            assert_eq!(unescaped(raw, &mut String::new()), text, "{}", raw.escape_ascii());
        }
    }

    #[test]
    fn white_space_goes_outside_strings_only() {
        let value = b"{ \"a b\" : [ 1,\n\t2 ], \"c\": \"\\\" \\\\\" , \"d\": true }";
        assert_eq!(compact(value, &mut String::new()), "{\"a b\":[1,2],\"c\":\"\\\" \\\\\",\"d\":true}");
    }

    proptest! {
        #[test]
        fn what_is_escaped_reads_back(text in any::<String>()) {
            let mut raw = Vec::new();
            escape_json(&mut raw, &text);
            let mut buffer = String::new();
            prop_assert_eq!(unescaped(&raw, &mut buffer), text);
        }
    }
}
