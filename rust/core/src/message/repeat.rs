//! Events that say the same but for a piece of text, as most of a stream do.
//!
//! An event that told one piece and nothing else is remembered as what stands before and behind that piece. The
//! next one, if it differs in the piece only, is not parsed again. Invariant: it means what its reader would
//! have found, since equal bytes around a JSON string are equal structure around it, and a reader that has just
//! read such an event is left as it was by another one.

use super::{Event, Text};

/// Longest surroundings that are remembered.
const AROUND_BYTES_MAX: usize = 1024;

/// What kind of piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text,
    Thinking,
    ToolInput { call: usize },
}

impl Piece {
    /// The event that tells such a piece.
    pub(crate) fn event(self, text: Text<'_>) -> Event<'_> {
        match self {
            Self::Text => Event::Text(text),
            Self::Thinking => Event::Thinking(text),
            Self::ToolInput { call } => Event::ToolInput { call, piece: text },
        }
    }
}

/// What one event made its reader hand over.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Told {
    #[default]
    Nothing,
    /// One piece, at this address and so long.
    Piece { piece: Piece, address: usize, length: usize },
    /// Something else, or more.
    Else,
}

impl Told {
    /// With one more event.
    pub(crate) fn and(self, event: &Event<'_>) -> Self {
        let (piece, text) = match event {
            Event::Text(text) => (Piece::Text, text),
            Event::Thinking(text) => (Piece::Thinking, text),
            Event::ToolInput { call, piece } => (Piece::ToolInput { call: *call }, piece),
            _ => return Self::Else,
        };
        match self {
            Self::Nothing => {
                let raw = text.raw();
                Self::Piece { piece, address: raw.as_ptr().addr(), length: raw.len() }
            }
            Self::Piece { .. } | Self::Else => Self::Else,
        }
    }
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Repeat {
    piece: Option<Piece>,
    before: String,
    behind: String,
}

impl Repeat {
    /// The piece of an event that repeats the last one with another text.
    pub(crate) fn piece<'a>(&self, data: &'a str) -> Option<(Piece, Text<'a>)> {
        let text = data.strip_prefix(self.before.as_str())?.strip_suffix(self.behind.as_str())?;
        // With escapes in it, it is for the parser to judge; empty, it may mean nothing at all.
        let plain =
            !text.is_empty() && text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\');
        plain.then_some((self.piece?, Text::plain(text)))
    }

    /// Remembers an event that was read, or that there is nothing to repeat.
    pub(crate) fn learn(&mut self, data: &str, told: Told) {
        self.piece = None;
        let Told::Piece { piece, address, length } = told else { return };
        // A text of ours, or one that was decoded, lies elsewhere.
        let Some(start) = address.checked_sub(data.as_ptr().addr()) else { return };
        let (Some(before), Some(behind)) = (data.get(..start), data.get(start.saturating_add(length)..))
        else {
            return;
        };
        let is_string = before.ends_with('"') && behind.starts_with('"');
        if is_string && before.len() + behind.len() <= AROUND_BYTES_MAX {
            self.piece = Some(piece);
            before.clone_into(&mut self.before);
            behind.clone_into(&mut self.behind);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learnt(data: &str, text: &str) -> Repeat {
        let at = data.find(text).unwrap();
        let told = Told::default().and(&Event::Text(Text::plain(data.get(at..at + text.len()).unwrap())));
        let mut repeat = Repeat::default();
        repeat.learn(data, told);
        repeat
    }

    #[test]
    fn only_what_differs_in_the_text_alone_is_a_repetition() {
        let repeat = learnt(r#"{"i":0,"t":"abc"}"#, "abc");
        assert_eq!(repeat.piece(r#"{"i":0,"t":"é d"}"#), Some((Piece::Text, Text::plain("é d"))));
        for other in [
            r#"{"i":1,"t":"abc"}"#,
            r#"{"i":0,"t":"abc"} "#,
            r#"{"i":0,"t":""}"#,
            r#"{"i":0,"t":"a","t":"b"}"#,
            r#"{"i":0,"t":"a\n"}"#,
            r#"{"i":0,"t":"\"}"#,
            "{\"i\":0,\"t\":\"a\u{1}\"}",
            r#"{"i":0,"t":"}"#,
            r#"{"i":0,"t":1}"#,
        ] {
            assert_eq!(repeat.piece(other), None, "{other}");
        }
    }

    #[test]
    fn nothing_is_learnt_of_a_text_that_lies_elsewhere_or_of_two() {
        let data = r#"{"t":"abc"}"#;
        let mut repeat = Repeat::default();
        let owned = Event::Text(Text::escaped("abc".to_owned()));
        repeat.learn(data, Told::default().and(&owned));
        assert_eq!(repeat.piece(data), None);
        let text = || Event::Text(Text::plain(data.get(6..9).unwrap()));
        repeat.learn(data, Told::default().and(&text()).and(&text()));
        assert_eq!(repeat.piece(data), None);
        repeat.learn(data, Told::default().and(&text()));
        assert!(repeat.piece(data).is_some());
        repeat.learn(data, Told::default());
        assert_eq!(repeat.piece(data), None, "what came between is forgotten");
    }
}
