//! What a request needs of a model, read out of its body where a route's targets differ in it.
//!
//! Structure is read, never text: a prompt that speaks of pictures has none. What is malformed needs nothing here; who
//! is sent it will say so.

use super::{Capabilities, Capability};
use crate::dialect::{Dialect, Path, facts};
use crate::scan::{Elements, Members, Scan};

/// Bytes of text that make a token, about: what English prose and code come to in the vocabularies of the large
/// vendors. A tokenizer is not run on the way of a request.
const BYTES_PER_TOKEN: usize = 4;
/// Tokens that a picture, page or piece of sound is taken for.
const MEDIA_TOKENS: usize = 1000;
/// How deep content may lie in content (a picture in the result of a tool).
const DEPTH_MAX: usize = 3;

/// What a request needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Of a model.
    pub capabilities: Capabilities,
    /// Tokens of the prompt, an estimate.
    pub input_tokens: u64,
}

/// Where the content of a dialect's requests is.
#[derive(Clone, Copy, Debug)]
pub struct Contents {
    /// The top-level array of turns.
    pub turns: &'static str,
    /// The array of parts within one, or within a part.
    pub parts: &'static [&'static str],
    /// What a part needs by its `type`.
    pub types: &'static [(&'static str, Capability)],
    /// Members of a part that hold data, with their kind in one of [`MEDIA_TYPES`].
    pub data: &'static [&'static str],
    /// Where a client says which conversation it is, what counts first.
    pub conversation: &'static [Path],
}

impl Contents {
    /// For requests without any that could need something.
    pub const NONE: Self = Self { turns: "", parts: &[], types: &[], data: &[], conversation: &[] };
}

/// Members that name the media type of data.
const MEDIA_TYPES: [&str; 2] = ["mimeType", "mime_type"];

/// What a member of a request asks for.
#[derive(Clone, Copy, Debug)]
pub enum Asks {
    /// By being this text.
    Is(&'static str),
    /// By being there: neither null, `false`, `"none"`, 0, nor an object or array with nothing in it.
    Given,
}

/// What a member of a request asks for where it is there.
pub type Want = (Path, Asks, Capability);

/// What a request needs; `scan` is what was found in `body`, a request in `dialect`.
pub fn needs(body: &[u8], dialect: Dialect, scan: &Scan) -> Needs {
    let facts = facts(dialect);
    let mut seen = Seen { capabilities: Capabilities::NONE, media: 0, media_bytes: 0 };
    if scan.tools {
        seen.capabilities = seen.capabilities.with(Capability::Tools);
    }
    if let Ok(mut members) = Members::of_document(body) {
        while let Ok(Some(member)) = members.next() {
            let (key, value) = (member.key.raw.of(body), member.value(body));
            if key == facts.contents.turns.as_bytes() {
                seen.look(value, &facts.contents, 0);
            }
            for (path, asks, capability) in facts.wants {
                if let Some((first, rest)) = path.split_first()
                    && key == first.as_bytes()
                    && asks.by(at(value, rest))
                {
                    seen.capabilities = seen.capabilities.with(*capability);
                }
            }
        }
    }
    let text = body.len().saturating_sub(seen.media_bytes).div_ceil(BYTES_PER_TOKEN);
    Needs {
        capabilities: seen.capabilities,
        input_tokens: text.saturating_add(seen.media.saturating_mul(MEDIA_TOKENS)) as u64,
    }
}

struct Seen {
    capabilities: Capabilities,
    media: usize,
    media_bytes: usize,
}

impl Seen {
    /// Looks at an array of turns or parts.
    fn look(&mut self, array: &[u8], contents: &Contents, depth: usize) {
        let Some(mut elements) = Elements::of(array) else { return };
        while let Ok(Some(element)) = elements.next() {
            let needed = Members::of_value(element, 0).and_then(|m| self.part(element, m, contents, depth));
            if let Some(capability) = needed {
                self.capabilities = self.capabilities.with(capability);
                self.media += 1;
                self.media_bytes += element.len();
            }
        }
    }

    /// What a turn or part itself needs.
    fn part(
        &mut self,
        element: &[u8],
        mut members: Members<'_>,
        contents: &Contents,
        depth: usize,
    ) -> Option<Capability> {
        let mut needed = None;
        while let Ok(Some(member)) = members.next() {
            let (key, value) = (member.key.raw.of(element), member.value(element));
            let is = |name: &&str| name.as_bytes() == key;
            if key == b"type" {
                let known = contents.types.iter().find(|(name, _)| is_text(value, name));
                needed = needed.or(known.map(|(_, capability)| *capability));
            } else if contents.data.iter().any(is) {
                needed = needed.or(of_media(value));
            } else if depth < DEPTH_MAX && contents.parts.iter().any(is) {
                self.look(value, contents, depth + 1);
            }
        }
        needed
    }
}

/// What data of a kind needs; what is neither seen nor heard, nothing.
fn of_media(object: &[u8]) -> Option<Capability> {
    let kind = MEDIA_TYPES.iter().find_map(|name| at(object, &[name]))?;
    let starts = |start: &[u8]| kind.get(1..).is_some_and(|kind| kind.starts_with(start));
    if starts(b"audio/") {
        Some(Capability::Audio)
    } else {
        (starts(b"image/") || starts(b"video/") || starts(b"application/pdf")).then_some(Capability::Vision)
    }
}

/// The value at a path of members below `value`.
pub(super) fn at<'a>(value: &'a [u8], path: &[&str]) -> Option<&'a [u8]> {
    let Some((first, rest)) = path.split_first() else { return Some(value) };
    let mut members = Members::of_value(value, 0)?;
    while let Ok(Some(member)) = members.next() {
        if member.key.raw.of(value) == first.as_bytes() {
            return at(member.value(value), rest);
        }
    }
    None
}

fn is_text(value: &[u8], text: &str) -> bool {
    matches!(value, [b'"', inner @ .., b'"'] if inner == text.as_bytes())
}

impl Asks {
    fn by(self, value: Option<&[u8]>) -> bool {
        let Some(value) = value else { return false };
        match self {
            Self::Is(text) => is_text(value, text),
            Self::Given => {
                let is_empty = matches!(
                    value,
                    [b'{', inner @ .., b'}'] | [b'[', inner @ .., b']'] if inner.trim_ascii().is_empty()
                );
                !is_empty && !matches!(value, b"null" | b"false" | b"0" | b"\"none\"")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;

    fn of(dialect: Dialect, body: &str) -> Vec<&'static str> {
        let scan = scan(body.as_bytes(), dialect).unwrap();
        needs(body.as_bytes(), dialect, &scan).capabilities.iter().map(Capability::name).collect()
    }

    #[test]
    fn what_is_asked_for_in_the_words_of_each_dialect_is_seen() {
        use Dialect::{AnthropicMessages, Gemini, OpenaiChat, OpenaiResponses};
        for (dialect, body, expected) in [
            (OpenaiChat, r#"{"messages":[{"role":"user","content":"see \"image_url\""}]}"#, vec![]),
            (
                OpenaiChat,
                r#"{"messages":[{"content":[{"type":"image_url","image_url":{}}]}]}"#,
                vec!["vision"],
            ),
            (OpenaiChat, r#"{"messages":[{"content":[{"type":"input_audio"}]}]}"#, vec!["audio"]),
            (OpenaiChat, r#"{"tools":[{"function":{"parameters":{"type":"image_url"}}}]}"#, vec!["tools"]),
            (OpenaiChat, r#"{"tools":[],"functions":[]}"#, vec![]),
            (OpenaiChat, r#"{"response_format":{"type":"json_schema"}}"#, vec!["json_schema"]),
            (OpenaiChat, r#"{"response_format":{"type":"json_object"}}"#, vec![]),
            (OpenaiChat, r#"{"reasoning_effort":"low"}"#, vec!["reasoning"]),
            (OpenaiChat, r#"{"reasoning_effort":"none"}"#, vec![]),
            (OpenaiResponses, r#"{"input":[{"content":[{"type":"input_image"}]}]}"#, vec!["vision"]),
            (OpenaiResponses, r#"{"text":{"format":{"type":"json_schema"}}}"#, vec!["json_schema"]),
            (OpenaiResponses, r#"{"reasoning":{"effort":"high"}}"#, vec!["reasoning"]),
            (OpenaiResponses, r#"{"reasoning":{"effort":null},"input":"hello"}"#, vec![]),
            (AnthropicMessages, r#"{"messages":[{"content":[{"type":"image"}]}]}"#, vec!["vision"]),
            (
                AnthropicMessages,
                r#"{"messages":[{"content":[{"type":"tool_result","content":[{"type":"image"}]}]}]}"#,
                vec!["vision"],
            ),
            (AnthropicMessages, r#"{"thinking":{"type":"enabled","budget_tokens":1024}}"#, vec!["reasoning"]),
            (AnthropicMessages, r#"{"thinking":{"type":"disabled"}}"#, vec![]),
            (
                AnthropicMessages,
                r#"{"output_config":{"format":{"type":"json_schema"}}}"#,
                vec!["json_schema"],
            ),
            (
                Gemini,
                r#"{"contents":[{"parts":[{"inline_data":{"mime_type":"image/png","data":"A"}}]}]}"#,
                vec!["vision"],
            ),
            (Gemini, r#"{"contents":[{"parts":[{"fileData":{"mimeType":"audio/wav"}}]}]}"#, vec!["audio"]),
            (Gemini, r#"{"generationConfig":{"responseJsonSchema":{"type":"object"}}}"#, vec!["json_schema"]),
            (Gemini, r#"{"generationConfig":{"thinkingConfig":{"thinkingBudget":0}}}"#, vec![]),
            (
                Gemini,
                r#"{"generationConfig":{"thinkingConfig":{"thinkingLevel":"high"}}}"#,
                vec!["reasoning"],
            ),
        ] {
            assert_eq!(of(dialect, body), expected, "{dialect:?} {body}");
        }
    }

    #[test]
    fn data_is_not_counted_as_text() {
        let picture = "A".repeat(1_000_000);
        let body = format!(
            r#"{{"messages":[{{"content":[{{"type":"image_url","image_url":{{"url":"data:image/png;base64,{picture}"}}}}]}}]}}"#
        );
        let scan = scan(body.as_bytes(), Dialect::OpenaiChat).unwrap();
        let tokens = needs(body.as_bytes(), Dialect::OpenaiChat, &scan).input_tokens;
        assert!((1000..1020).contains(&tokens), "{tokens}");
    }
}
