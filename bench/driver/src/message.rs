//! Where a message ends: the least HTTP/1.1 a canned peer needs. Trusts its input; only for loopback.

use memchr::memmem;

use crate::Failure;

/// Request or reply, as far as its framing goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Bytes up to and with the empty line.
    pub bytes: usize,
    /// How the body ends.
    pub body: Body,
    /// The sender closes after it.
    pub close: bool,
}

/// How a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// After so many bytes; 0 when nothing is said.
    Length(usize),
    /// With the last chunk.
    Chunked,
}

/// The head at the start of `data`, if it is all there.
///
/// # Errors
/// A `content-length` that is no number.
pub fn head(data: &[u8]) -> Result<Option<Head>, Failure> {
    let Some(end) = memmem::find(data, b"\r\n\r\n") else { return Ok(None) };
    let mut head = Head { bytes: end + 4, body: Body::Length(0), close: false };
    let mut lines = data.get(..end).unwrap_or_default();
    while let Some(at) = memmem::find(lines, b"\r\n") {
        lines = lines.get(at + 2..).unwrap_or_default();
        if let Some(value) = value(lines, b"content-length:") {
            head.body = Body::Length(str::from_utf8(value)?.trim().parse()?);
        } else if let Some(value) = value(lines, b"transfer-encoding:") {
            if value.to_ascii_lowercase().ends_with(b"chunked") {
                head.body = Body::Chunked;
            }
        } else if let Some(value) = value(lines, b"connection:") {
            head.close = value.trim_ascii().eq_ignore_ascii_case(b"close");
        }
    }
    Ok(Some(head))
}

/// The status of a reply whose head starts `data`.
pub fn status(data: &[u8]) -> Option<u16> {
    str::from_utf8(data.get(9..12)?).ok()?.parse().ok()
}

/// What follows `name` when the line starts with it, in any case.
fn value<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let start = line.get(..name.len())?;
    if !start.eq_ignore_ascii_case(name) {
        return None;
    }
    let rest = line.get(name.len()..)?;
    rest.get(..memmem::find(rest, b"\r\n").unwrap_or(rest.len()))
}

/// The model a request body asks for, looked for near its start and its end; what precedes its last `/` is
/// left out.
pub fn model(body: &[u8]) -> Option<&[u8]> {
    let start = body.get(..body.len().min(NEAR))?;
    let end = body.get(body.len().saturating_sub(NEAR)..)?;
    named(start).or_else(|| named(end))
}

/// The model in a path of Google's API: between the last `/` and the method's colon.
pub fn model_in_path(head: &[u8]) -> Option<&[u8]> {
    let line = head.get(..memmem::find(head, b"\r\n")?)?;
    let name = line.split(|byte| *byte == b' ').nth(1)?.rsplit(|byte| *byte == b'/').next()?;
    name.get(..memchr::memchr(b':', name)?)
}

const NEAR: usize = 128;

fn named(part: &[u8]) -> Option<&[u8]> {
    let at = memmem::find(part, b"\"model\":")? + b"\"model\":".len();
    let rest = part.get(at..)?.trim_ascii_start().strip_prefix(b"\"")?;
    let name = rest.get(..memchr::memchr(b'"', rest)?)?;
    name.rsplit(|byte| *byte == b'/').next()
}

/// Whether a chunked body whose last bytes are `tail` has ended; canned replies carry no trailers.
pub fn ends_chunked(tail: &[u8]) -> bool {
    tail.ends_with(b"\r\n0\r\n\r\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn framing_is_found_in_any_case() {
        let data = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 12\r\n\r\nrest";
        assert_eq!(
            head(data).unwrap(),
            Some(Head { bytes: data.len() - 4, body: Body::Length(12), close: false })
        );
        let data = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n";
        assert_eq!(head(data).unwrap(), Some(Head { bytes: data.len(), body: Body::Chunked, close: true }));
        assert_eq!(status(data), Some(200));
        assert_eq!(head(b"HTTP/1.1 200 OK\r\n").unwrap(), None);
    }

    #[test]
    fn the_model_is_named_without_its_provider() {
        assert_eq!(model(br#"{"model":"up/unary-9","x":1}"#), Some(&b"unary-9"[..]));
        assert_eq!(model(br#"{"a":1, "model": "unary-9"}"#), Some(&b"unary-9"[..]));
        assert_eq!(model(br#"{"model":"unary"#), None);
        let line = b"POST /v1beta/models/content-9:generateContent HTTP/1.1\r\nhost: x:1\r\n";
        assert_eq!(model_in_path(line), Some(&b"content-9"[..]));
        assert_eq!(model_in_path(b"POST /v1/messages HTTP/1.1\r\nhost: x:1\r\n"), None);
    }
}
