//! Lines of newline-delimited JSON, found without copying where they lie whole in what was read.
//!
//! Invariant: the lines handed out depend on the bytes of the stream only, never on how they were cut, and nothing
//! is kept beyond one line of at most [`LINE_BYTES_MAX`]. Source: the format's own description (ndjson.org); white
//! space around a document is for who reads it.

pub use crate::sse::LINE_BYTES_MAX;

/// One line with something in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line<'a> {
    /// What stands before the line feed; empty when [`Self::oversize`].
    pub data: &'a [u8],
    /// The line was longer than [`LINE_BYTES_MAX`] and was not kept.
    pub oversize: bool,
}

/// Finds lines in a stream that arrives in pieces.
#[derive(Debug, Default)]
pub struct LineScanner {
    /// The beginning of a line whose end has not come yet.
    kept: Vec<u8>,
    oversize: bool,
}

impl LineScanner {
    /// A scanner at the start of a stream.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes the next bytes of the stream and hands out every line that ends in them and is not blank.
    pub fn push(&mut self, bytes: &[u8], mut on_line: impl FnMut(Line<'_>)) {
        let mut rest = bytes;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            rest = behind.strip_prefix(b"\n").unwrap_or(behind);
            if self.kept.is_empty() && !self.oversize {
                hand_out(line, line.len() > LINE_BYTES_MAX, &mut on_line);
            } else {
                self.keep(line);
                hand_out(&self.kept, self.oversize, &mut on_line);
                self.kept.clear();
                self.oversize = false;
            }
        }
        self.keep(rest);
    }

    fn keep(&mut self, piece: &[u8]) {
        self.oversize |= self.kept.len() + piece.len() > LINE_BYTES_MAX;
        if self.oversize {
            self.kept.clear();
        } else {
            self.kept.extend_from_slice(piece);
        }
    }
}

fn hand_out(line: &[u8], oversize: bool, on_line: &mut impl FnMut(Line<'_>)) {
    if oversize {
        on_line(Line { data: &[], oversize });
    } else if !line.trim_ascii().is_empty() {
        on_line(Line { data: line, oversize });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines<'p>(pieces: impl IntoIterator<Item = &'p [u8]>) -> Vec<(Vec<u8>, bool)> {
        let (mut scanner, mut lines) = (LineScanner::new(), Vec::new());
        for piece in pieces {
            scanner.push(piece, |line| lines.push((line.data.to_vec(), line.oversize)));
        }
        lines
    }

    #[test]
    fn how_a_stream_is_cut_does_not_show() {
        let stream = b"{\"a\":1}\r\n\n  \n{\"b\":\"\xc3\xbc\"}\n{\"c\"";
        let whole = lines([&stream[..]]);
        assert_eq!(whole, [(b"{\"a\":1}\r".to_vec(), false), ("{\"b\":\"ü\"}".as_bytes().to_vec(), false)]);
        assert_eq!(lines(stream.chunks(1)), whole);
        for at in 0..stream.len() {
            assert_eq!(lines([&stream[..at], &stream[at..]]), whole, "cut at {at}");
        }
    }

    #[test]
    fn a_line_that_is_too_long_is_told_and_not_kept() {
        let mut stream = vec![b'x'; LINE_BYTES_MAX];
        stream.push(b'\n');
        assert_eq!(lines([stream.as_slice()])[0].0.len(), LINE_BYTES_MAX);
        stream.insert(0, b'x');
        stream.extend_from_slice(b"y\n");
        let told = [(vec![], true), (b"y".to_vec(), false)];
        assert_eq!(lines([stream.as_slice()]), told);
        assert_eq!(lines(stream.chunks(1000)), told);
    }
}
