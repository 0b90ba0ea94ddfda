//! What only the account understands that gave it: ids of kept responses, and reasoning that it encrypted.
//!
//! Both are found in bytes, in requests and in replies alike, wherever a piece ends. A text that looks like one does no
//! harm: nobody has given it.
//! Source: `OpenAI` API reference, `responses/create` (`previous_response_id`, `reasoning.encrypted_content`).

use std::borrow::Cow;

use memchr::memmem;
use twox_hash::XxHash3_64;

use crate::dialect::{THINKING, WRAPPED};
use crate::message::{Maker, Text, decode_base64};

/// How an id of a response begins, as a JSON string.
const ID: &[u8] = b"\"resp_";
/// Behind this member's name stands encrypted reasoning.
const SEALED: &[u8] = b"\"encrypted_content\"";
/// The longest of both, less one byte: what may be the beginning of one.
const REST_MAX: usize = SEALED.len() - 1;
/// A word that is longer is no keepsake.
const WORD_BYTES_MAX: usize = 1 << 20;

/// Finds them in bytes that come in pieces.
#[derive(Default)]
pub struct Keepsakes {
    state: State,
    /// The end of the piece before, where something may begin.
    rest: Vec<u8>,
    word: Word,
}

#[derive(Default)]
struct Word {
    hash: XxHash3_64,
    bytes: usize,
    is_escaped: bool,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum State {
    /// Between two of them.
    #[default]
    Searching,
    /// Behind the member's name: a colon and a quote follow, or nothing that matters.
    BeforeWord,
    /// Inside one.
    InWord,
}

impl Keepsakes {
    /// Looks at the next piece; each keepsake that ends in it is told by its number.
    pub fn push(&mut self, piece: &[u8], mut found: impl FnMut(u64)) {
        let mut at = 0;
        while at < piece.len() {
            let rest = piece.get(at..).unwrap_or_default();
            at += match self.state {
                State::Searching => self.search(rest),
                State::BeforeWord => self.before_word(rest),
                State::InWord => self.in_word(rest, &mut found),
            };
        }
    }

    /// Looks for the next beginning; returns how many bytes are done with.
    fn search(&mut self, piece: &[u8]) -> usize {
        if !self.rest.is_empty() {
            return self.search_over_the_edge(piece);
        }
        if let Some((end, state)) = begins(piece) {
            self.enter(state);
            return end;
        }
        self.rest.extend_from_slice(tail(piece));
        piece.len()
    }

    fn search_over_the_edge(&mut self, piece: &[u8]) -> usize {
        let before = self.rest.len();
        let edge = piece.get(..piece.len().min(REST_MAX)).unwrap_or_default();
        self.rest.extend_from_slice(edge);
        let rest = std::mem::take(&mut self.rest);
        // What ends in the piece before was found there.
        if let Some((end, state)) = begins(&rest).filter(|(end, _)| *end > before) {
            self.enter(state);
            return end - before;
        }
        if edge.len() == piece.len() {
            self.rest.extend_from_slice(tail(&rest));
            return piece.len();
        }
        // From here on the piece alone is looked at; nothing is passed over, since nothing began before it.
        0
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.word = Word::default();
        if state == State::InWord {
            self.word.add(ID.get(1..).unwrap_or_default());
        }
    }

    fn before_word(&mut self, piece: &[u8]) -> usize {
        for (at, byte) in piece.iter().enumerate() {
            match byte {
                b':' | b' ' | b'\t' | b'\n' | b'\r' => {}
                b'"' => {
                    self.state = State::InWord;
                    return at + 1;
                }
                _ => {
                    self.state = State::Searching;
                    return at;
                }
            }
        }
        piece.len()
    }

    fn in_word(&mut self, piece: &[u8], found: &mut impl FnMut(u64)) -> usize {
        if self.word.is_escaped {
            self.word.is_escaped = false;
            self.word.add(piece.get(..1).unwrap_or_default());
            return 1;
        }
        let end = memchr::memchr2(b'"', b'\\', piece);
        self.word.add(piece.get(..end.unwrap_or(piece.len())).unwrap_or_default());
        let Some(end) = end else { return piece.len() };
        if piece.get(end) == Some(&b'\\') {
            // How a client writes it again is its own affair (`\/` for `/`).
            self.word.is_escaped = true;
        } else {
            if self.word.bytes >= ID.len() && self.word.bytes <= WORD_BYTES_MAX {
                found(std::hash::Hasher::finish(&self.word.hash));
            }
            self.state = State::Searching;
        }
        end + 1
    }
}

impl Word {
    fn add(&mut self, bytes: &[u8]) {
        std::hash::Hasher::write(&mut self.hash, bytes);
        self.bytes += bytes.len();
    }
}

/// Where the first beginning ends, and what follows it.
fn begins(bytes: &[u8]) -> Option<(usize, State)> {
    let id = memmem::find(bytes, ID).map(|at| (at + ID.len(), State::InWord));
    // Only what stands before the id counts.
    let before = id.map_or(bytes.len(), |(end, _)| end);
    let sealed = memmem::find(bytes.get(..before)?, SEALED).map(|at| (at + SEALED.len(), State::BeforeWord));
    sealed.or(id)
}

/// The end of a piece, as far as something may begin there.
fn tail(piece: &[u8]) -> &[u8] {
    let tail = piece.get(piece.len().saturating_sub(REST_MAX)..).unwrap_or_default();
    memchr::memrchr(b'"', tail).map_or(&[], |at| tail.get(at..).unwrap_or_default())
}

/// Finds, in a whole request of another API, encrypted reasoning that its client was given as a signature: each is told
/// by the number that [`Keepsakes`] gave it when it came.
pub fn sealed(body: &[u8], mut found: impl FnMut(u64)) {
    let mark = Maker::OpenAi.mark();
    let mut tell = |signature: &str| {
        if let Some((_, encrypted)) = signature.strip_prefix(mark).and_then(|own| own.split_once(':')) {
            found(XxHash3_64::oneshot(encrypted.as_bytes()));
        }
    };
    texts(body, OF_OPENAI, |text| tell(&text));
    // As Google's clients have it.
    texts(body, WRAPPED, |text| {
        let wrapped = decode_base64(&text).and_then(|bytes| String::from_utf8(bytes).ok());
        wrapped.iter().filter_map(|wrapped| wrapped.strip_prefix(THINKING)).for_each(&mut tell);
    });
}

/// How a JSON string with the signature begins.
const OF_OPENAI: &str = "\"openai:";

/// The JSON strings that begin so, quote included.
fn texts(body: &[u8], beginning: &str, mut tell: impl FnMut(Cow<'_, str>)) {
    let mut at = 0;
    while let Some(quote) = body.get(at..).and_then(|rest| memmem::find(rest, beginning.as_bytes())) {
        let start = at + quote + 1;
        at = start;
        // Inside a string none begins.
        if start.checked_sub(2).and_then(|before| body.get(before)) == Some(&b'\\') {
            continue;
        }
        let Some(raw) = body.get(start..).and_then(text) else { return };
        at += raw.len();
        if let Some(text) = std::str::from_utf8(raw).ok().and_then(|raw| Text::plain(raw).decode()) {
            tell(text);
        }
    }
}

/// A JSON string up to the quote that ends it; `None` where it does not end.
fn text(bytes: &[u8]) -> Option<&[u8]> {
    let mut end = 0;
    loop {
        end += memchr::memchr2(b'"', b'\\', bytes.get(end..)?)?;
        if bytes.get(end) == Some(&b'"') {
            return bytes.get(..end);
        }
        end += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::encode_base64;

    fn found(pieces: &[&[u8]]) -> Vec<u64> {
        let mut keepsakes = Keepsakes::default();
        let mut found = Vec::new();
        for piece in pieces {
            keepsakes.push(piece, |number| found.push(number));
        }
        found
    }

    fn number(word: &[u8]) -> u64 {
        XxHash3_64::oneshot(word)
    }

    #[test]
    fn both_kinds_are_found_wherever_a_piece_ends() {
        let text = br#"{"id":"resp_12ab","output":[{"type":"reasoning","encrypted_content" : "gAAA\/b=="},
            {"encrypted_content":null,"text":"resp no"}],"previous_response_id":"resp_34"}"#;
        let expected = [number(b"resp_12ab"), number(b"gAAA/b=="), number(b"resp_34")];
        assert_eq!(found(&[text]), expected);
        for cut in 0..text.len() {
            assert_eq!(found(&[&text[..cut], &text[cut..]]), expected, "cut at {cut}");
        }
        let bytes: Vec<&[u8]> = text.chunks(1).collect();
        assert_eq!(found(&bytes), expected);
    }

    #[test]
    fn a_word_that_never_ends_is_none() {
        assert!(found(&[br#"{"id":"resp_12"#]).is_empty());
        assert_eq!(found(&[br#"{"encrypted_content":{"a":1},"id":"resp_1"}"#]), [number(b"resp_1")]);
    }

    #[test]
    fn what_was_given_as_a_signature_is_found_again() {
        let of = |body: &str| {
            let mut all = Vec::new();
            sealed(body.as_bytes(), |number| all.push(number));
            all
        };
        let given = found(&[br#"{"encrypted_content":"gAA/A=="}"#]);
        assert_eq!(of(r#"{"signature":"openai:rs_1:gAA/A=="}"#), given);
        assert_eq!(of(r#"{"signature":"openai:rs_1:gAA\/A=="}"#), given);
        let wrapped = encode_base64(b"llm-edge:openai:rs_1:gAA/A==");
        assert_eq!(of(&format!(r#"{{"thoughtSignature":"{wrapped}"}}"#)), given);
        for none in [
            "openai:rs_1:gAA",
            r#""openai:rs_1:gAA"#,
            r#""openai:x""#,
            r#""xopenai:rs_1:gAA""#,
            "\"openai:\\",
        ] {
            assert!(of(none).is_empty(), "{none}");
        }
        assert_eq!(OF_OPENAI, format!("\"{}", Maker::OpenAi.mark()));
    }

    #[test]
    fn a_text_is_read_once_whatever_stands_in_it() {
        // Read again for each, this would not end.
        for text in [r#"\"openai:"#, r#"\"bGxtLWVkZ2"#, r#""openai:"#] {
            let body = format!(r#"{{"content":"{}"}}"#, text.repeat(200_000));
            sealed(body.as_bytes(), |number| assert_eq!(number, 0));
        }
    }
}
