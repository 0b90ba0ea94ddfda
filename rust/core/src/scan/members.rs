//! The members of one JSON object, or the elements of one array, one after the other, each with its value skipped.
//!
//! Used by the request scan and by the reply tap, so that both read JSON by the same rules.

use super::{ScanError, ScanErrorKind, Text, skip, text};
use crate::dialect::Field;
use crate::span::Span;

/// A walk over the members of an object in `body`; offsets count from the start of `body`.
pub(crate) struct Members<'a> {
    body: &'a [u8],
    /// Where to look next: behind `{`, or behind a value.
    at: usize,
    /// Whether a member has been read, so that a comma must stand before the next one.
    begun: bool,
}

/// One member.
#[derive(Clone, Copy)]
pub(crate) struct Member {
    /// The opening quote of the key.
    pub(crate) start: usize,
    /// The key.
    pub(crate) key: Text,
    /// First byte of the value.
    pub(crate) value_start: usize,
    /// One past the last byte of the value.
    pub(crate) value_end: usize,
}

impl<'a> Members<'a> {
    /// The members of the object that is the whole document, white space around it allowed.
    pub(crate) fn of_document(body: &'a [u8]) -> Result<Self, ScanError> {
        let open = skip::white_space(body, 0);
        match body.get(open) {
            Some(b'{') => Ok(Self { body, at: open + 1, begun: false }),
            Some(_) => Err(ScanError::new(ScanErrorKind::NotAnObject, open)),
            None => Err(ScanError::new(ScanErrorKind::Truncated, open)),
        }
    }

    /// The members of the object that starts at `open`; `None` when none starts there.
    pub(crate) fn of_value(body: &'a [u8], open: usize) -> Option<Self> {
        (body.get(open) == Some(&b'{')).then_some(Self { body, at: open + 1, begun: false })
    }

    /// The members from the one whose key's opening quote is at `key`, wherever its object began.
    pub(crate) fn from_key(body: &'a [u8], key: usize) -> Self {
        Self { body, at: key, begun: false }
    }

    /// The next member, or `None` behind the closing bracket.
    pub(crate) fn next(&mut self) -> Result<Option<Member>, ScanError> {
        let body = self.body;
        let mut at = skip::white_space(body, self.at);
        match body.get(at) {
            Some(b'}') => {
                self.at = at + 1;
                return Ok(None);
            }
            Some(b',') if self.begun => at = skip::white_space(body, at + 1),
            _ if self.begun => return Err(expected(body, at, "`,` or `}`")),
            _ => {}
        }
        let start = at;
        if body.get(start) != Some(&b'"') {
            return Err(expected(body, at, "a key in double quotes"));
        }
        let (key_end, escaped) = skip::string_end(body, start)?;
        let key = Text { raw: Span::new(start + 1, key_end - 1), escaped };
        at = skip::white_space(body, key_end);
        if body.get(at) != Some(&b':') {
            return Err(expected(body, at, "`:`"));
        }
        let value_start = skip::white_space(body, at + 1);
        let value_end = skip::value_end(body, value_start)?;
        self.at = value_end;
        self.begun = true;
        Ok(Some(Member { start, key, value_start, value_end }))
    }

    /// After the last member: only white space may follow.
    pub(crate) fn end_of_document(&self) -> Result<(), ScanError> {
        let end = skip::white_space(self.body, self.at);
        if end == self.body.len() {
            return Ok(());
        }
        Err(ScanError::new(ScanErrorKind::TrailingBytes, end))
    }
}

/// A walk over the elements of an array.
pub(crate) struct Elements<'a> {
    body: &'a [u8],
    /// Where to look next: behind `[`, or behind an element.
    at: usize,
    begun: bool,
}

impl<'a> Elements<'a> {
    /// The elements of the array that `body` begins with, white space before it allowed; `None` when it begins
    /// with something else.
    pub(crate) fn of(body: &'a [u8]) -> Option<Self> {
        let open = skip::white_space(body, 0);
        (body.get(open) == Some(&b'[')).then_some(Self { body, at: open + 1, begun: false })
    }

    /// The next element, or `None` behind the closing bracket.
    pub(crate) fn next(&mut self) -> Result<Option<&'a [u8]>, ScanError> {
        let body = self.body;
        let mut at = skip::white_space(body, self.at);
        match body.get(at) {
            Some(b']') => {
                self.at = at + 1;
                return Ok(None);
            }
            Some(b',') if self.begun => at = skip::white_space(body, at + 1),
            _ if self.begun => return Err(expected(body, at, "`,` or `]`")),
            _ => {}
        }
        let end = skip::value_end(body, at)?;
        self.at = end;
        self.begun = true;
        Ok(body.get(at..end))
    }

    /// Whether nothing but white space follows the closing bracket.
    pub(crate) fn is_end_of_document(&self) -> bool {
        skip::white_space(self.body, self.at) == self.body.len()
    }
}

/// Something else than `what` stands at `at`, or nothing more at all.
fn expected(body: &[u8], at: usize, what: &'static str) -> ScanError {
    let kind = if at >= body.len() { ScanErrorKind::Truncated } else { ScanErrorKind::Expected(what) };
    ScanError::new(kind, at)
}

impl Member {
    /// The value as written.
    pub(crate) fn value<'a>(&self, body: &'a [u8]) -> &'a [u8] {
        body.get(self.value_start..self.value_end).unwrap_or_default()
    }

    /// The row of `fields` that this key names, if any.
    pub(super) fn field(
        &self,
        body: &[u8],
        fields: &'static [(&'static str, Field)],
    ) -> Result<Option<(u32, &'static str, Field)>, ScanError> {
        let raw = self.key.raw.of(body);
        if self.key.escaped || !raw.is_ascii() {
            return self.field_spelt_oddly(body, fields);
        }
        for (row, &(name, field)) in (0_u32..).zip(fields) {
            if name.as_bytes() == raw {
                return Ok(Some((row, name, field)));
            }
            if name.as_bytes().eq_ignore_ascii_case(raw) {
                return Err(ScanError::new(ScanErrorKind::FieldCase(name), self.start));
            }
        }
        Ok(None)
    }

    /// [`Self::field`] for keys with escapes or characters beyond ASCII.
    #[cold]
    fn field_spelt_oddly(
        &self,
        body: &[u8],
        fields: &'static [(&'static str, Field)],
    ) -> Result<Option<(u32, &'static str, Field)>, ScanError> {
        let key = self.key.decode(body)?;
        for (row, &(name, field)) in (0_u32..).zip(fields) {
            if name == key {
                return Ok(Some((row, name, field)));
            }
            if key.chars().map(text::fold_case).eq(name.chars().map(text::fold_case)) {
                return Err(ScanError::new(ScanErrorKind::FieldCase(name), self.start));
            }
        }
        Ok(None)
    }

    /// Whether the value is `null`.
    pub(crate) fn is_null(&self, body: &[u8]) -> bool {
        self.value(body) == b"null"
    }

    /// The value as a string; `None` for null.
    pub(super) fn text(&self, body: &[u8], name: &'static str) -> Result<Option<Text>, ScanError> {
        match self.value(body) {
            [b'"', inner @ .., b'"'] => Ok(Some(Text {
                raw: Span::new(self.value_start + 1, self.value_end - 1),
                escaped: memchr::memchr(b'\\', inner).is_some(),
            })),
            b"null" => Ok(None),
            _ => Err(self.wrong_type(name, "a string")),
        }
    }

    /// The value as a boolean; `None` for null.
    pub(super) fn boolean(&self, body: &[u8], name: &'static str) -> Result<Option<bool>, ScanError> {
        match self.value(body) {
            b"true" => Ok(Some(true)),
            b"false" => Ok(Some(false)),
            b"null" => Ok(None),
            _ => Err(self.wrong_type(name, "a boolean")),
        }
    }

    /// The value as a whole number from 0 to `u64::MAX`; `None` for null.
    pub(super) fn count(&self, body: &[u8], name: &'static str) -> Result<Option<u64>, ScanError> {
        if self.is_null(body) {
            return Ok(None);
        }
        match whole_number(self.value(body)) {
            Some(number) => Ok(Some(number)),
            None => Err(self.wrong_type(name, "a whole number, not negative")),
        }
    }

    /// Whether the value is an array that is not empty; `false` for null.
    pub(super) fn filled_array(&self, body: &[u8], name: &'static str) -> Result<bool, ScanError> {
        match self.value(body) {
            [b'[', inner @ .., b']'] => Ok(skip::white_space(inner, 0) < inner.len()),
            b"null" => Ok(false),
            _ => Err(self.wrong_type(name, "an array")),
        }
    }

    /// The value has another type than `expected`.
    pub(super) fn wrong_type(&self, field: &'static str, expected: &'static str) -> ScanError {
        ScanError::new(ScanErrorKind::WrongType { field, expected }, self.value_start)
    }
}

/// A JSON number without sign, fraction and exponent that fits 64 bits.
pub(crate) fn whole_number(value: &[u8]) -> Option<u64> {
    match value {
        [] | [b'0', _, ..] => return None,
        _ => {}
    }
    value.iter().try_fold(0_u64, |number, &byte| {
        let digit = byte.checked_sub(b'0').filter(|digit| *digit < 10)?;
        number.checked_mul(10)?.checked_add(u64::from(digit))
    })
}
