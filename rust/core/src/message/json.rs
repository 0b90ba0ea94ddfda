//! Writing JSON onto the end of a buffer.
//!
//! Invariant: a comma stands exactly where a value ended before. Which place that is shows from the last byte,
//! because every value ends in something else than an opening bracket, a colon or the space before a document.

use super::Text;
use crate::scan::escape_json;

/// What is written onto the end of a buffer.
pub(crate) trait Json {
    /// The comma that belongs before another member or element.
    fn comma(&mut self);
    /// `"name":`
    fn key(&mut self, name: &str) -> &mut Self;
    /// Opens an object or an array as an element, or as the value of the key just written.
    fn open(&mut self, bracket: u8);
    /// Closes it.
    fn close(&mut self, bracket: u8);
    /// A value in JSON.
    fn raw(&mut self, json: &str);
    /// A text as it came.
    fn text(&mut self, text: &Text<'_>);
    /// A text of ours, or one that was decoded.
    fn string(&mut self, text: &str);
    /// A whole number.
    fn number(&mut self, number: u64);
    /// The members that have a value in JSON.
    fn given(&mut self, members: &[(&str, Option<&str>)]);
}

impl Json for Vec<u8> {
    #[inline]
    fn comma(&mut self) {
        if !matches!(self.last(), None | Some(b'{' | b'[' | b':' | b' ')) {
            self.push(b',');
        }
    }

    #[inline]
    fn key(&mut self, name: &str) -> &mut Self {
        self.comma();
        self.push(b'"');
        self.extend_from_slice(name.as_bytes());
        self.extend_from_slice(b"\":");
        self
    }

    #[inline]
    fn open(&mut self, bracket: u8) {
        self.comma();
        self.push(bracket);
    }

    #[inline]
    fn close(&mut self, bracket: u8) {
        self.push(bracket);
    }

    #[inline]
    fn raw(&mut self, json: &str) {
        self.comma();
        self.extend_from_slice(json.as_bytes());
    }

    #[inline]
    fn text(&mut self, text: &Text<'_>) {
        self.comma();
        self.push(b'"');
        self.extend_from_slice(text.raw().as_bytes());
        self.push(b'"');
    }

    fn string(&mut self, text: &str) {
        self.comma();
        self.push(b'"');
        escape_json(self, text);
        self.push(b'"');
    }

    fn number(&mut self, number: u64) {
        let mut digits = [0_u8; 20];
        let (mut at, mut rest) = (digits.len(), number);
        loop {
            at -= 1;
            if let Some(digit) = digits.get_mut(at) {
                *digit = b'0' + u8::try_from(rest % 10).unwrap_or_default();
            }
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.comma();
        self.extend_from_slice(digits.get(at..).unwrap_or_default());
    }

    fn given(&mut self, members: &[(&str, Option<&str>)]) {
        for (name, value) in members {
            if let Some(value) = value {
                self.key(name).raw(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_stand_between_values_only() {
        let mut out = Vec::new();
        out.open(b'{');
        out.key("a").open(b'[');
        out.number(0);
        out.number(u64::MAX);
        out.open(b'{');
        out.close(b'}');
        out.string("{");
        out.text(&Text::plain("["));
        out.close(b']');
        out.key("b").raw("null");
        out.close(b'}');
        assert_eq!(out, br#"{"a":[0,18446744073709551615,{},"{","["],"b":null}"#);
    }
}
