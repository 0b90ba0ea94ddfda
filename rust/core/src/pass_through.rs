//! What is passed on without being read: which paths a route lets through, and the model that a body names.
//!
//! Paths are those that [`is_plain_path`](crate::surface::is_plain_path) takes: what is compared here is what is
//! asked for there.

use crate::scan::Text;
use crate::span::Span;
use memchr::memmem::Finder;

/// Whether one of the patterns covers a path, or a model's name. A pattern is one, or the beginning of one followed
/// by `*`.
pub fn covers<P: AsRef<str>>(patterns: &[P], path: &[u8]) -> bool {
    patterns.iter().any(|pattern| match pattern.as_ref().strip_suffix('*') {
        Some(start) => path.starts_with(start.as_bytes()),
        None => pattern.as_ref().as_bytes() == path,
    })
}

/// Why the model of a form cannot be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FormFault {
    /// The media type says no boundary, or one that is none.
    Boundary,
    /// It ends before its last boundary, or a part of it has no end.
    Cut,
    /// Two parts are called `model`, or one is called so in a way that not everybody reads.
    Model,
}

impl FormFault {
    /// For people.
    pub const fn message(self) -> &'static str {
        match self {
            Self::Boundary => "the `boundary` of the form's `Content-Type` is missing or not valid",
            Self::Cut => "the form ends before its last boundary",
            Self::Model => "the form's `model` is named more than once, or in an extended spelling (`name*`)",
        }
    }
}

/// The text of the part called `model` of a form (RFC 7578), if there is one; a file is none.
///
/// # Errors
/// [`FormFault`] where another reader could see another model.
pub fn form_model(body: &[u8], content_type: &[u8]) -> Result<Option<Text>, FormFault> {
    let boundary = parameter(content_type, b"boundary").ok_or(FormFault::Boundary)?;
    // RFC 2046 §5.1.1.
    let allowed = |b: &u8| b.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(b);
    if !(1..=70).contains(&boundary.len()) || !boundary.iter().all(allowed) {
        return Err(FormFault::Boundary);
    }
    let delimiter = [b"\r\n--", boundary].concat();
    let finder = Finder::new(&delimiter);
    // The first one needs no line end before it.
    let opening = delimiter.get(2..).unwrap_or_default();
    let mut at = if body.starts_with(opening) {
        opening.len()
    } else {
        finder.find(body).ok_or(FormFault::Cut)? + delimiter.len()
    };
    let mut model = None;
    loop {
        let rest = body.get(at..).unwrap_or_default();
        if rest.starts_with(b"--") {
            return Ok(model);
        }
        let padding = rest.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
        let head_at = at + padding;
        let head_and_more = body.get(head_at..).unwrap_or_default();
        let head_len = match head_and_more {
            [b'\r', b'\n', b'\r', b'\n', ..] => 0,
            [b'\r', b'\n', ..] => memchr::memmem::find(head_and_more, b"\r\n\r\n").ok_or(FormFault::Cut)?,
            _ => return Err(FormFault::Cut),
        };
        let start = head_at + head_len + 4;
        // The line end before a delimiter is the delimiter's; of an empty part it is the head's.
        let search_at = start - 2;
        let end = search_at + finder.find(body.get(search_at..).unwrap_or_default()).ok_or(FormFault::Cut)?;
        if is_model(head_and_more.get(..head_len).unwrap_or_default())? {
            let raw = Span::new(start, end.max(start));
            if model.replace(Text { raw, escaped: false }).is_some() {
                return Err(FormFault::Model);
            }
        }
        at = end + delimiter.len();
    }
}

/// Whether a part's head calls it `model`.
fn is_model(head: &[u8]) -> Result<bool, FormFault> {
    const FIELD: &[u8] = b"content-disposition:";
    let mut found = None;
    for line in head.split(|b| *b == b'\n').map(<[u8]>::trim_ascii) {
        let Some((name, value)) = line.split_at_checked(FIELD.len()) else { continue };
        if name.eq_ignore_ascii_case(FIELD) && found.replace(value).is_some() {
            return Err(FormFault::Model);
        }
    }
    let Some(disposition) = found else { return Ok(false) };
    if parameter(disposition, b"name*").is_some() {
        return Err(FormFault::Model);
    }
    Ok(parameter(disposition, b"name") == Some(b"model"))
}

/// The value of a parameter behind a header field's value, without its quotes. Of one that comes twice, the first.
fn parameter<'a>(value: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut rest = value.get(memchr::memchr(b';', value)? + 1..)?;
    loop {
        rest = rest.trim_ascii_start();
        let equals = memchr::memchr2(b'=', b';', rest)?;
        let (key, after) = (rest.get(..equals)?.trim_ascii(), rest.get(equals + 1..)?);
        if rest.get(equals) == Some(&b';') {
            rest = after;
            continue;
        }
        let (found, more) = if let Some(quoted) = after.trim_ascii_start().strip_prefix(b"\"") {
            let end = quoted_end(quoted)?;
            (quoted.get(..end)?, quoted.get(end + 1..)?)
        } else {
            let end = memchr::memchr(b';', after).unwrap_or(after.len());
            (after.get(..end)?.trim_ascii(), after.get(end..)?)
        };
        if key.eq_ignore_ascii_case(name) {
            return Some(found);
        }
        rest = more.get(memchr::memchr(b';', more)? + 1..)?;
    }
}

/// Where a quoted string ends, what stands behind a backslash not being its end.
fn quoted_end(quoted: &[u8]) -> Option<usize> {
    let mut escaped = false;
    quoted.iter().position(|byte| match byte {
        _ if escaped => {
            escaped = false;
            false
        }
        b'\\' => {
            escaped = true;
            false
        }
        byte => *byte == b'"',
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(body: &str) -> Result<Option<&str>, FormFault> {
        let found = form_model(body.as_bytes(), b"multipart/form-data; charset=utf-8; boundary=\"x y\"")?;
        Ok(found.map(|text| std::str::from_utf8(text.raw.of(body.as_bytes())).unwrap()))
    }

    #[test]
    fn a_pattern_covers_itself_or_what_begins_like_it() {
        let patterns = ["images/*", "files*", "moderations"];
        for path in ["images/generations", "files", "files/file-1/content", "moderations"] {
            assert!(covers(&patterns, path.as_bytes()), "{path}");
        }
        for path in ["images", "moderations/x", "audio/speech", ""] {
            assert!(!covers(&patterns, path.as_bytes()), "{path}");
        }
    }

    #[test]
    fn a_form_tells_its_model() {
        let part = |head: &str, value: &str| format!("--x y\r\n{head}\r\n\r\n{value}\r\n");
        let file = part("Content-Disposition: form-data; name=\"file\"; filename=\"model\"", "\r\n--x\r\n");
        let named = part("content-disposition: form-data; name=\"model\"", "whisper-1");
        let end = "--x y--\r\n";
        assert_eq!(model(&format!("{file}{named}{end}")), Ok(Some("whisper-1")));
        assert_eq!(model(&format!("preamble\r\n{named}{file}--x y--")), Ok(Some("whisper-1")));
        assert_eq!(model(&format!("{file}{end}")), Ok(None));
        assert_eq!(model(&format!("--x y\r\n\r\nno head\r\n{end}")), Ok(None));
        let bare = part("X: 1\r\nContent-Disposition: form-data; name=model ; x=1", "");
        assert_eq!(model(&format!("{bare}{end}")), Ok(Some("")));
        assert_eq!(model(end), Ok(None));
    }

    #[test]
    fn a_form_that_two_could_read_in_two_ways_is_refused() {
        let part = |head: &str| format!("--x y\r\n{head}\r\n\r\nv\r\n");
        let named = part("Content-Disposition: form-data; name=model");
        let end = "--x y--";
        assert_eq!(model(&format!("{named}{named}{end}")), Err(FormFault::Model));
        let extended = part("Content-Disposition: form-data; name*=utf-8''model");
        assert_eq!(model(&format!("{extended}{end}")), Err(FormFault::Model));
        let twice =
            part("Content-Disposition: form-data; name=a\r\nContent-Disposition: form-data; name=model");
        assert_eq!(model(&format!("{twice}{end}")), Err(FormFault::Model));
        for cut in [named.as_str(), "--x y\r\nContent-Disposition: form-data", "--x y", "", "--x y!\r\n"] {
            assert_eq!(model(cut), Err(FormFault::Cut), "{cut}");
        }
        for media in
            ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\"\t\""]
        {
            assert_eq!(form_model(b"--x--", media.as_bytes()), Err(FormFault::Boundary), "{media}");
        }
    }
}
