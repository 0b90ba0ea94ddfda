//! Canned replies for benchmarks: written once per surface and size, then only handed out.
//!
//! The mock is the upstream of benchmarks that share their cores with it, so this path looks at as little of
//! a request as it can: where `model` is the first member, the body is neither parsed nor hashed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;

use crate::ask::Ask;
use crate::lorem;
use crate::model::{Fixed, Model};
use crate::pieces::Run;
use crate::script::{Part, Script};
use crate::surface::Surface;
use crate::tape::{Mark, Tape};
use crate::ticket::Ticket;

// What is asked for is a handful; a client that asks for more makes the mock write them anew.
const CANNED_MAX: usize = 64;
const CREATED: u64 = 1_767_225_600;
const INPUT_TOKENS: u64 = 8;

/// A written reply: a stream when there are marks, else one body.
#[derive(Clone)]
pub(crate) struct Canned {
    pub(crate) bytes: Bytes,
    pub(crate) marks: Option<Arc<[Mark]>>,
}

/// The replies written so far.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<HashMap<(Surface, Fixed), Canned>>);

impl Shelf {
    /// The reply of `fixed` on a surface.
    pub(crate) fn reply(&self, surface: Surface, fixed: Fixed) -> Canned {
        let mut shelf = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if shelf.len() >= CANNED_MAX && !shelf.contains_key(&(surface, fixed)) {
            shelf.clear();
        }
        shelf.entry((surface, fixed)).or_insert_with(|| write(surface, fixed)).clone()
    }
}

/// The `fixed` model of a body that begins with it, found without reading on.
pub(crate) fn peek(body: &[u8]) -> Option<Fixed> {
    let rest = body.strip_prefix(b"{\"model\":")?;
    let rest = rest.strip_prefix(b" ").unwrap_or(rest).strip_prefix(b"\"")?;
    let name = rest.iter().take(128).position(|byte| *byte == b'"').and_then(|end| rest.get(..end))?;
    let name = str::from_utf8(name).ok()?;
    if !name.strip_prefix("mock/").unwrap_or(name).starts_with("fixed") {
        return None;
    }
    match Model::parse(name) {
        Ok(Model::Fixed(fixed)) => Some(fixed),
        _ => None,
    }
}

fn write(surface: Surface, fixed: Fixed) -> Canned {
    match fixed {
        Fixed::Unary { bytes } => {
            let body = |text_bytes| {
                let script = script(text_bytes, Run::Pieces(1));
                surface.unary(&script, &mut ticket()).0
            };
            let around = body(1).len();
            Canned { bytes: Bytes::from(body(bytes.saturating_sub(around) + 1)), marks: None }
        }
        Fixed::Stream { frames, size } => {
            let around = longest_event(&stream(surface, 1, 1));
            let (bytes, marks) = stream(surface, frames, size.saturating_sub(around) + 1).finish();
            Canned { bytes, marks: Some(marks.into()) }
        }
    }
}

fn stream(surface: Surface, frames: usize, text_bytes: usize) -> Tape {
    surface.stream(&script(frames * text_bytes, Run::Bytes(text_bytes)), &mut ticket())
}

fn script(text_bytes: usize, run: Run) -> Script {
    let ask = Ask { input_tokens: INPUT_TOKENS, ..Ask::default() };
    Script { run, ..Script::of(vec![Part::Text(lorem::bytes(text_bytes))], &ask) }
}

fn ticket() -> Ticket<'static> {
    Ticket::new(0, CREATED, "fixed", &Value::Null, true).without_extras()
}

/// Bytes of the longest content event.
fn longest_event(tape: &Tape) -> usize {
    let ends = tape.marks.iter().map(|mark| mark.end);
    let starts = std::iter::once(0).chain(ends);
    tape.marks
        .iter()
        .zip(starts)
        .filter(|(mark, _)| mark.content)
        .map(|(mark, start)| mark.end - start)
        .max()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SURFACES: [Surface; 8] = [
        Surface::Chat,
        Surface::Completions,
        Surface::Responses,
        Surface::Messages,
        Surface::Gemini,
        Surface::Converse,
        Surface::Cohere,
        Surface::Ollama,
    ];

    #[test]
    fn a_reply_has_about_the_size_asked_for() {
        for surface in SURFACES {
            for bytes in [4096, 65536] {
                let canned = write(surface, Fixed::Unary { bytes });
                assert!(canned.bytes.len().abs_diff(bytes) < 16, "{surface:?} {}", canned.bytes.len());
            }
        }
    }

    #[test]
    fn a_stream_has_the_frames_asked_for() {
        for surface in SURFACES {
            let tape = write(surface, Fixed::Stream { frames: 64, size: 300 });
            let marks = tape.marks.unwrap();
            assert_eq!(marks.iter().filter(|mark| mark.content).count(), 64, "{surface:?}");
            let first = marks.iter().position(|mark| mark.content).unwrap();
            assert!((marks[first + 1].end - marks[first].end).abs_diff(300) < 8, "{surface:?}");
        }
        assert!(longest_event(&stream(Surface::Chat, 1, 1)) <= 200, "200-byte frames must be possible");
    }

    #[test]
    fn only_a_leading_model_is_peeked_at() {
        assert_eq!(peek(br#"{"model":"fixed?bytes=9","x":1}"#), Some(Fixed::Unary { bytes: 9 }));
        assert_eq!(
            peek(br#"{"model": "mock/fixed?frames=2"}"#),
            Some(Fixed::Stream { frames: 2, size: 200 })
        );
        assert_eq!(peek(br#"{"x":1,"model":"fixed"}"#), None);
        assert_eq!(peek(br#"{"model":"echo"}"#), None);
        assert_eq!(peek(br#"{"model":"fixed?bytes=9"#), None);
    }
}
