//! Leaving members and elements out of JSON, or writing others, everything else staying byte for byte.

use std::borrow::Cow;

use super::{Elements, Member, Members};
use crate::span::Span;

/// What is left out of a document, or written in its place.
pub(crate) struct Cuts<'a> {
    body: &'a [u8],
    spans: Vec<(Span, Cow<'static, str>)>,
}

impl<'a> Cuts<'a> {
    pub(crate) fn of(body: &'a [u8]) -> Self {
        Self { body, spans: Vec::new() }
    }

    /// Writes something else for a part of the document.
    pub(crate) fn replace(&mut self, part: &[u8], with: impl Into<Cow<'static, str>>) {
        self.spans.push((Span::within(part, self.body), with.into()));
    }

    /// Leaves out what stands from the beginning of one part to that of another behind it.
    pub(crate) fn cut_between(&mut self, start: &[u8], end: &[u8]) {
        let (start, end) = (Span::within(start, self.body).start, Span::within(end, self.body).start);
        self.spans.push((Span { start, end }, "".into()));
    }

    /// Leaves out those of the members or elements of one bracket, in their order, that are to go; each with the comma
    /// before it, or, in front of all that stay, with the one behind it.
    pub(crate) fn cut_among(&mut self, parts: &[(&[u8], bool)]) {
        let mut stays_before = false;
        for (at, (part, goes)) in parts.iter().enumerate() {
            if !goes {
                stays_before = true;
                continue;
            }
            let mut span = Span::within(part, self.body);
            if stays_before {
                if let Some((before, _)) = at.checked_sub(1).and_then(|before| parts.get(before)) {
                    span.start = Span::within(before, self.body).end;
                }
            } else if let Some((next, _)) = parts.get(at + 1) {
                span.end = Span::within(next, self.body).start;
            }
            self.spans.push((span, "".into()));
        }
    }

    /// The document so; `None` where nothing is another.
    pub(crate) fn apply(mut self) -> Option<Vec<u8>> {
        if self.spans.is_empty() {
            return None;
        }
        self.spans.sort_by_key(|(span, _)| span.start);
        let mut out = Vec::with_capacity(self.body.len());
        let mut copied = 0;
        for (span, with) in &self.spans {
            // What lies in a part that is left out goes with it.
            let Some(before) = self.body.get(copied..span.start as usize) else { continue };
            out.extend_from_slice(before);
            out.extend_from_slice(with.as_bytes());
            copied = copied.max(span.end as usize);
        }
        out.extend_from_slice(self.body.get(copied..).unwrap_or_default());
        Some(out)
    }
}

/// The value of the first member of this name, as it is usually written; `None` where there is none, or no object.
pub(crate) fn member<'a>(object: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let mut members = Members::of_document(object).ok()?;
    while let Some(member) = members.next().ok()? {
        if member.key.raw.of(object) == name.as_bytes() {
            return Some(member.value(object));
        }
    }
    None
}

/// The members of an object; none where it is no object, or broken.
pub(crate) fn members(object: &[u8]) -> Vec<Member> {
    let mut all = Vec::new();
    if let Ok(mut members) = Members::of_document(object) {
        while let Ok(Some(member)) = members.next() {
            all.push(member);
        }
    }
    all
}

/// The elements of an array; none where it is no array, or broken.
pub(crate) fn elements(array: &[u8]) -> Vec<&[u8]> {
    let mut all = Vec::new();
    if let Some(mut elements) = Elements::of(array) {
        while let Ok(Some(element)) = elements.next() {
            all.push(element);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_go_with_what_is_left_out() {
        let body = b"[ 1 , 2 ,3, 4 ]";
        let left = |gone: &[&[u8]]| {
            let mut cuts = Cuts::of(body);
            let parts: Vec<_> = elements(body).into_iter().map(|part| (part, gone.contains(&part))).collect();
            cuts.cut_among(&parts);
            cuts.apply().map(|out| String::from_utf8(out).unwrap())
        };
        assert_eq!(left(&[]), None);
        for (gone, rest) in [
            (&[&b"1"[..]][..], "[ 2 ,3, 4 ]"),
            (&[b"1", b"2"], "[ 3, 4 ]"),
            (&[b"2"], "[ 1 ,3, 4 ]"),
            (&[b"2", b"3"], "[ 1, 4 ]"),
            (&[b"4"], "[ 1 , 2 ,3 ]"),
            (&[b"1", b"4"], "[ 2 ,3 ]"),
            (&[b"1", b"3"], "[ 2, 4 ]"),
            (&[b"1", b"2", b"3", b"4"], "[  ]"),
        ] {
            assert_eq!(left(gone).unwrap(), rest);
        }
    }
}
