//! Why a request body was refused, and how that is told to its sender.

use crate::rejection::{Code, Rejection};

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanErrorKind {
    /// The body starts with a byte order mark (RFC 8259 §8.1 forbids sending one).
    ByteOrderMark,
    /// The body is something else than a JSON object.
    NotAnObject,
    /// The body ends before the object does.
    Truncated,
    /// Something else stands where this was expected.
    Expected(&'static str),
    /// Bytes follow the object.
    TrailingBytes,
    /// More than [`super::DEPTH_MAX`] brackets are open.
    TooDeep,
    /// A field that is acted on comes twice; parsers differ in which one they take.
    DuplicateField(&'static str),
    /// A key equals a field that is acted on but for its capitals; some parsers take one for the other.
    FieldCase(&'static str),
    /// A field that is acted on has another type than this.
    WrongType {
        /// The field.
        field: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// A string is not valid UTF-8, or holds a bad escape or a bare control character.
    BadString,
}

/// A refused body: what is wrong, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScanError {
    /// What is wrong.
    pub kind: ScanErrorKind,
    /// Where, in bytes from the start of the body.
    pub offset: usize,
}

impl ScanError {
    pub(super) fn new(kind: ScanErrorKind, offset: usize) -> Self {
        Self { kind, offset }
    }

    /// The request field at fault, where it is one.
    pub fn field(&self) -> Option<&'static str> {
        match self.kind {
            ScanErrorKind::DuplicateField(field)
            | ScanErrorKind::FieldCase(field)
            | ScanErrorKind::WrongType { field, .. } => Some(field),
            ScanErrorKind::ByteOrderMark
            | ScanErrorKind::NotAnObject
            | ScanErrorKind::Truncated
            | ScanErrorKind::Expected(_)
            | ScanErrorKind::TrailingBytes
            | ScanErrorKind::TooDeep
            | ScanErrorKind::BadString => None,
        }
    }

    /// The answer for the client; `body` is what was scanned, to tell line and column. Nothing of the body
    /// is repeated.
    pub fn rejection(&self, body: &[u8]) -> Rejection {
        let code = match self.kind {
            ScanErrorKind::WrongType { .. } => Code::InvalidField,
            _ => Code::InvalidJson,
        };
        let (line, column) = line_and_column(body, self.offset);
        let what = match self.kind {
            ScanErrorKind::ByteOrderMark => "a byte order mark before the JSON object".to_owned(),
            ScanErrorKind::NotAnObject => "the body is not a JSON object".to_owned(),
            ScanErrorKind::Truncated => "the body ends before the JSON object does".to_owned(),
            ScanErrorKind::Expected(what) => format!("expected {what}"),
            ScanErrorKind::TrailingBytes => "bytes after the JSON object".to_owned(),
            ScanErrorKind::TooDeep => format!("more than {} nested brackets", super::DEPTH_MAX),
            ScanErrorKind::DuplicateField(field) => format!("field `{field}` is given twice"),
            ScanErrorKind::FieldCase(field) => {
                format!("a field differs from `{field}` only in case. hint: write `{field}`")
            }
            ScanErrorKind::WrongType { field, expected } => format!("field `{field}` must be {expected}"),
            ScanErrorKind::BadString => {
                "a string with invalid UTF-8, a bad escape or a bare control character".to_owned()
            }
        };
        let rejection = Rejection::new(
            code,
            format!("request body, line {line} column {column} (byte {}): {what}", self.offset),
        );
        match self.field() {
            Some(field) => rejection.param(field),
            None => rejection,
        }
    }
}

/// Line and column, both from 1, of a byte offset; columns count bytes.
fn line_and_column(body: &[u8], offset: usize) -> (usize, usize) {
    let before = body.get(..offset).unwrap_or(body);
    let line = memchr::memchr_iter(b'\n', before).count() + 1;
    let line_start = memchr::memrchr(b'\n', before).map_or(0, |at| at + 1);
    (line, before.len() - line_start + 1)
}
