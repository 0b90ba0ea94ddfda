//! The mock's tokens: word pieces by a rule simple enough to do by hand.
//!
//! One piece is a word of up to eight letters or digits together with one white space before it, or any
//! other single character. Invariant: the pieces of a text, put together, are the text; the same text has
//! the same count on every surface, streamed or not.

/// Letters or digits in one piece.
const WORD_CHARS_MAX: usize = 8;

/// Splits a text into its pieces.
pub(crate) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, tail) = rest.split_at_checked(piece_len(rest))?;
        rest = tail;
        (!piece.is_empty()).then_some(piece)
    })
}

/// Bytes of the first piece; 0 for the empty text.
fn piece_len(text: &str) -> usize {
    let mut chars = text.chars();
    let Some(first) = chars.next() else { return 0 };
    let (mut len, mut word_chars) = (first.len_utf8(), usize::from(first.is_alphanumeric()));
    if word_chars == 0 && !first.is_whitespace() {
        return len;
    }
    for next in chars {
        if word_chars == WORD_CHARS_MAX || !next.is_alphanumeric() {
            break;
        }
        word_chars += 1;
        len += next.len_utf8();
    }
    len
}

/// How many pieces a text has.
pub(crate) fn count(text: &str) -> u64 {
    u64::try_from(pieces(text).count()).unwrap_or(u64::MAX)
}

/// The text up to and with its piece number `limit`.
pub(crate) fn first(text: &str, limit: u64) -> &str {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let bytes = pieces(text).take(limit).map(str::len).sum();
    text.split_at_checked(bytes).map_or(text, |(head, _)| head)
}

/// How a text is cut into the content events of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run {
    /// So many pieces in each.
    Pieces(usize),
    /// So many bytes in each, as far as characters stay whole.
    Bytes(usize),
}

/// The text in runs; put together, they are the text.
pub(crate) fn runs(text: &str, run: Run) -> Vec<&str> {
    let mut rest = text;
    let mut take = |bytes: usize| {
        let (head, tail) = rest.split_at_checked(bytes)?;
        rest = tail;
        Some(head)
    };
    match run {
        Run::Pieces(many) => {
            let lengths: Vec<usize> = pieces(text).map(str::len).collect();
            lengths.chunks(many.max(1)).filter_map(|run| take(run.iter().sum())).collect()
        }
        Run::Bytes(bytes) => {
            let mut ends = Vec::with_capacity(text.len() / bytes.max(1) + 1);
            let mut at = 0;
            while at < text.len() {
                let end = text.floor_char_boundary(at + bytes);
                // A character that is larger than a run stays whole.
                let next = if end > at { end } else { text.ceil_char_boundary(at + 1) };
                ends.push(next - at);
                at = next;
            }
            ends.into_iter().filter_map(take).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_put_together_are_the_text() {
        for text in [
            "",
            "Hello, world!",
            "  two  spaces\n\nand a verylongwordindeed",
            "žluťoučký kůň 漢字かな交じり文 🙂🙂",
        ] {
            assert_eq!(pieces(text).collect::<String>(), text);
            for run in [Run::Pieces(1), Run::Pieces(7), Run::Bytes(1), Run::Bytes(5)] {
                assert_eq!(runs(text, run).concat(), text);
                assert!(runs(text, run).iter().all(|run| !run.is_empty()));
            }
        }
    }

    #[test]
    fn words_spaces_and_signs_count_by_the_rule() {
        assert_eq!(
            pieces("Hello, world! 123456789").collect::<Vec<_>>(),
            ["Hello", ",", " world", "!", " 12345678", "9"]
        );
        assert_eq!(first("one two three", 2), "one two");
        assert_eq!(first("one", 5), "one");
        assert_eq!(count(""), 0);
    }
}
