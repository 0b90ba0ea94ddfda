//! The JSON text of a tool's input: how far it has come, told from its pieces as they pass, and what it is once it
//! is there.
//!
//! Pieces are the insides of JSON strings, still escaped; they are cut between any two characters of the text,
//! never inside an escape of theirs. Only brackets and quotes are followed: whether the text between them is
//! JSON is for who runs the tool, or for [`tool_input`] where it must be known.

use std::borrow::Cow;

use serde::de::IgnoredAny;

use super::{Malformed, Text};

/// The JSON text of an object out of a text that holds it, `{}` for an empty one; `None` where it holds something
/// else.
pub(crate) fn tool_input(arguments: Text<'_>) -> Option<Cow<'_, str>> {
    let text = arguments.decode()?;
    if text.trim_ascii().is_empty() {
        return Some(Cow::Borrowed("{}"));
    }
    let object =
        text.trim_ascii_start().starts_with('{') && serde_json::from_str::<IgnoredAny>(&text).is_ok();
    object.then_some(text)
}

/// Most brackets that may be open.
const DEPTH_MAX: u32 = 128;

/// The state between two pieces.
#[derive(Debug, Default)]
pub(crate) struct Input {
    depth: u32,
    begun: bool,
    in_string: bool,
    /// A backslash of the text itself came last.
    escaped: bool,
}

impl Input {
    /// Whether the object is closed, so that nothing can follow.
    pub(crate) const fn is_complete(&self) -> bool {
        self.begun && self.depth == 0
    }

    /// Whether the text may end here; an empty one stands for an object without members.
    pub(crate) const fn may_end(&self) -> bool {
        self.depth == 0
    }

    /// Follows one piece.
    pub(crate) fn take(&mut self, piece: &str) -> Result<(), Malformed> {
        let mut rest = piece.as_bytes();
        while let [byte, behind @ ..] = rest {
            rest = behind;
            let mut byte = *byte;
            if byte == b'\\' {
                (byte, rest) = unescape(rest);
            }
            self.byte(byte)?;
        }
        Ok(())
    }

    fn byte(&mut self, byte: u8) -> Result<(), Malformed> {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return Ok(());
        }
        match byte {
            b' ' | b'\n' | b'\r' | b'\t' => return Ok(()),
            b'{' if !self.begun => self.begun = true,
            _ if self.depth == 0 => {
                return Err(Malformed::new(
                    "the arguments of a tool call are not the JSON text of an object",
                ));
            }
            _ => {}
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' if self.depth == DEPTH_MAX => {
                return Err(Malformed::new("the arguments of a tool call are nested too deep"));
            }
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth -= 1,
            _ => {}
        }
        Ok(())
    }
}

/// The character that an escape stands for, given what follows its backslash, and the rest. Of those beyond
/// ASCII it does not matter which.
fn unescape(rest: &[u8]) -> (u8, &[u8]) {
    match rest {
        [b'u', a, b, c, d, behind @ ..] => {
            let digits = [*a, *b, *c, *d];
            let unit = std::str::from_utf8(&digits).ok().and_then(|d| u16::from_str_radix(d, 16).ok());
            let ascii = unit.and_then(|unit| u8::try_from(unit).ok()).filter(u8::is_ascii);
            (ascii.unwrap_or(b'x'), behind)
        }
        [b'n', behind @ ..] => (b'\n', behind),
        [b'r', behind @ ..] => (b'\r', behind),
        [b't', behind @ ..] => (b'\t', behind),
        [b'b' | b'f', behind @ ..] => (b'x', behind),
        [other, behind @ ..] => (*other, behind),
        [] => (b'x', &[]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complete(pieces: &[&str]) -> Option<bool> {
        let mut input = Input::default();
        pieces.iter().try_for_each(|piece| input.take(piece)).ok().map(|()| input.is_complete())
    }

    #[test]
    fn brackets_in_texts_do_not_count() {
        assert_eq!(complete(&[r#"{\"a\":\"}\""#]), Some(false));
        assert_eq!(complete(&[r#"{\"a\":\"}\""#, "}"]), Some(true));
        assert_eq!(complete(&[r#"{\"a\":\"\\\"}"#, r#"\"}"#, r" \n"]), Some(true));
        assert_eq!(complete(&[r#"{\"a\":\"\\"#, r#"\\\"}"#]), Some(true));
        assert_eq!(complete(&[r"{\u0022}\u0022: \ud83d", r"\ude00}"]), Some(true));
        assert_eq!(complete(&["", r"\n "]), Some(false));
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for pieces in [&["[]"][..], &["1"], &["{}", "{}"], &["{}x"], &["}"]] {
            assert_eq!(complete(pieces), None, "{pieces:?}");
        }
        assert_eq!(complete(&[&"{[".repeat(100)]), None);
    }
}
