//! What a whole request has for the model to read, found in one walk without a tree.
//!
//! The walk knows the members that carry text, those that carry none (ids, signatures, markers) and those that carry
//! pictures, sound or files, which are counted by the piece. Everything else inside a message is text: so is a body
//! that is no JSON from where it stops being it, and what is nested deeper than [`DEPTH_MAX`].
//!
//! Invariant: the walk looks at each byte a bounded number of times, and allocates two buffers at most, whatever the
//! body is.

use super::counter::Counter;
use super::form::{Form, Part, form};
use super::table::{Exactness, Table};
use super::text;
use crate::scan::{Elements, Member, Members, white_space};
use crate::surface::Dialect;

/// How deep inside a member of the request content is told apart. Messages with the results of tools that hold
/// pictures need ten.
const DEPTH_MAX: u32 = 16;
/// Where in a string the words `;base64,` must come to make it a file.
const DATA_HEAD_BYTES: usize = 256;

/// What a request has for the model to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// Tokens of all of it.
    pub input: u64,
    /// Whether that is the provider's own number: prompts and embeddings without more than text, by a vocabulary
    /// that its vendor publishes. What is put around messages is not published by anybody.
    pub exact: bool,
    /// Pictures, which have a flat number each.
    pub images: u32,
    /// Recordings, which have a flat number each.
    pub audio: u32,
    /// Other files, which have a flat number each.
    pub files: u32,
}

/// Estimates the tokens of `body`, a request in `dialect`, by `table`.
///
/// ```
/// use llm_edge_core::surface::Dialect;
/// use llm_edge_core::tokens::{Table, request};
///
/// let body = br#"{"model":"gpt-4o","messages":[{"role":"user","content":"Hello, world"}]}"#;
/// assert_eq!(request(body, Dialect::OpenaiChat, Table::O200k).input, 3 + 4 + 3);
/// ```
pub fn request(body: &[u8], dialect: Dialect, table: Table) -> Estimate {
    let form = form(dialect);
    let mut walk = Walk {
        form,
        counter: Counter::new(table),
        buffer: String::new(),
        added: 0,
        images: 0,
        audio: 0,
        files: 0,
        is_plain: form.is_plain,
    };
    walk.request(body, 0);
    let (text, exactness) = walk.counter.finish();
    Estimate {
        input: text.saturating_add(walk.added),
        exact: walk.is_plain && exactness == Exactness::Exact,
        images: walk.images,
        audio: walk.audio,
        files: walk.files,
    }
}

struct Walk {
    form: &'static Form,
    counter: Counter,
    buffer: String,
    /// Tokens that no text stands for; they are the provider's own and not scaled.
    added: u64,
    images: u32,
    audio: u32,
    files: u32,
    is_plain: bool,
}

/// What is counted by the piece.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Media {
    Image,
    Audio,
    File,
}

/// What a member inside a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    /// Of no concern to the model, or counted with the message.
    Formal,
    /// JSON that the model reads as it is written.
    Json,
    /// A file, of the kind that its media type says.
    Blob,
    Media(Media),
    /// As many as the list has.
    Pictures,
}

/// Members that are something else than content, in all dialects.
const INSIDE: &[(&str, Inside)] = &[
    ("type", Inside::Formal),
    ("role", Inside::Formal),
    ("id", Inside::Formal),
    ("model", Inside::Formal),
    ("tool_call_id", Inside::Formal),
    ("tool_use_id", Inside::Formal),
    ("toolUseId", Inside::Formal),
    ("call_id", Inside::Formal),
    ("status", Inside::Formal),
    ("index", Inside::Formal),
    ("is_error", Inside::Formal),
    ("thought", Inside::Formal),
    ("cache_control", Inside::Formal),
    ("cachePoint", Inside::Formal),
    ("annotations", Inside::Formal),
    ("citations", Inside::Formal),
    ("signature", Inside::Formal),
    ("thoughtSignature", Inside::Formal),
    ("thought_signature", Inside::Formal),
    ("encrypted_content", Inside::Formal),
    ("encrypted_index", Inside::Formal),
    ("redactedContent", Inside::Formal),
    ("videoMetadata", Inside::Formal),
    ("video_metadata", Inside::Formal),
    ("mediaResolution", Inside::Formal),
    ("media_resolution", Inside::Formal),
    ("taskType", Inside::Formal),
    ("outputDimensionality", Inside::Formal),
    // An answer that was spoken before is named, not sent again.
    ("audio", Inside::Formal),
    ("args", Inside::Json),
    ("response", Inside::Json),
    ("json", Inside::Json),
    ("inlineData", Inside::Blob),
    ("inline_data", Inside::Blob),
    ("fileData", Inside::Blob),
    ("file_data", Inside::Blob),
    ("image", Inside::Media(Media::Image)),
    ("image_url", Inside::Media(Media::Image)),
    ("input_audio", Inside::Media(Media::Audio)),
    ("video", Inside::Media(Media::File)),
    ("video_url", Inside::Media(Media::File)),
    ("document", Inside::Media(Media::File)),
    ("images", Inside::Pictures),
];

/// What the `type` of an object says of all of it.
fn of_type(name: &[u8]) -> Option<Inside> {
    match name {
        b"image" | b"image_url" | b"input_image" | b"computer_screenshot" | b"image_generation_call" => {
            Some(Inside::Media(Media::Image))
        }
        b"input_audio" | b"audio" => Some(Inside::Media(Media::Audio)),
        b"file" | b"input_file" | b"document" | b"video_url" | b"container_upload" => {
            Some(Inside::Media(Media::File))
        }
        b"redacted_thinking" | b"item_reference" | b"compaction" => Some(Inside::Formal),
        _ => None,
    }
}

impl Walk {
    /// A request, which may be inside another one.
    fn request(&mut self, body: &[u8], depth: u32) {
        let start = white_space(body, 0);
        let Some(mut members) = Members::of_value(body, start).filter(|_| depth < 2) else {
            return self.unread(body);
        };
        self.added += self.form.added.reply;
        let mut read = 0;
        loop {
            match members.next() {
                Ok(Some(member)) => {
                    read = member.value_end;
                    let key = member.key.raw.of(body);
                    let part = self.form.parts.iter().find(|(name, _)| name.as_bytes() == key);
                    if let Some((_, part)) = part {
                        self.part(*part, member.value(body), depth);
                    }
                }
                Ok(None) => return,
                Err(_) => return self.unread(body.get(read..).unwrap_or_default()),
            }
        }
    }

    fn part(&mut self, part: Part, value: &[u8], depth: u32) {
        if matches!(value, b"null" | b"[]" | b"{}" | b"\"\"") {
            return;
        }
        match part {
            Part::Messages => self.messages(value),
            Part::Instruction => {
                self.added += self.form.added.instruction;
                self.content(value, 0);
            }
            Part::Prompt => self.prompt(value, 0),
            Part::Definitions => {
                self.added += self.form.added.tools;
                self.json(value);
            }
            Part::Format => self.format(value, 0),
            Part::Request => {
                // It has been counted with the request around it.
                self.added = self.added.saturating_sub(self.form.added.reply);
                self.request(value, depth + 1);
            }
        }
    }

    fn messages(&mut self, value: &[u8]) {
        let Some(mut elements) = Elements::of(value) else { return self.message(value) };
        while let Ok(Some(element)) = elements.next() {
            self.message(element);
        }
    }

    fn message(&mut self, value: &[u8]) {
        self.added += self.form.added.message;
        if self.form.added.name > 0 && has_name(value) {
            self.added += self.form.added.name;
        }
        self.content(value, 0);
    }

    /// Text, a list of it, or an object with some.
    fn content(&mut self, value: &[u8], depth: u32) {
        match value {
            _ if depth > DEPTH_MAX => self.json(value),
            [b'"', raw @ .., b'"'] => self.string(raw),
            [b'[', ..] => {
                let Some(mut elements) = Elements::of(value) else { return };
                while let Ok(Some(element)) = elements.next() {
                    self.content(element, depth + 1);
                }
            }
            [b'{', ..] => self.object(value, depth),
            b"null" | b"true" | b"false" => {}
            _ => self.unread(value),
        }
    }

    fn object(&mut self, object: &[u8], depth: u32) {
        match type_of(object).and_then(of_type) {
            Some(Inside::Media(Media::File)) if has_text(object) => {}
            Some(Inside::Media(media)) => return self.media(media, object),
            Some(Inside::Formal) => return,
            _ => {}
        }
        let Some(mut members) = Members::of_value(object, 0) else { return };
        while let Ok(Some(member)) = members.next() {
            let value = member.value(object);
            match inside(&member, object) {
                None => self.content(value, depth + 1),
                Some(Inside::Formal) => {}
                Some(Inside::Json) => self.json(value),
                Some(Inside::Blob) => self.media(kind_of(value), value),
                Some(Inside::Media(media)) => self.media(media, value),
                Some(Inside::Pictures) => {
                    let Some(mut elements) = Elements::of(value) else { continue };
                    while let Ok(Some(element)) = elements.next() {
                        self.media(Media::Image, element);
                    }
                }
            }
        }
    }

    fn string(&mut self, raw: &[u8]) {
        if let Some(media) = data(raw) {
            return self.media(media, raw);
        }
        self.counter.add(text::unescaped(raw, &mut self.buffer));
    }

    /// One thing that is not text; `value` may say that a rough look will do.
    fn media(&mut self, media: Media, value: &[u8]) {
        let added = &self.form.added;
        let (tokens, pieces) = match media {
            Media::Image if wants_low_detail(value) => (added.image_low, &mut self.images),
            Media::Image => (added.image, &mut self.images),
            Media::Audio => (added.audio, &mut self.audio),
            Media::File => (added.file, &mut self.files),
        };
        self.added += tokens;
        *pieces = pieces.saturating_add(1);
        self.is_plain = false;
    }

    /// A text, several, or their tokens: one list of numbers or several.
    fn prompt(&mut self, value: &[u8], depth: u32) {
        match value {
            [b'"', raw @ .., b'"'] => self.string(raw),
            [b'[', ..] if depth < 2 => {
                let Some(mut elements) = Elements::of(value) else { return };
                while let Ok(Some(element)) = elements.next() {
                    self.prompt(element, depth + 1);
                }
            }
            [b'0'..=b'9', ..] => self.counter.add_tokens(1),
            _ => self.content(value, 0),
        }
    }

    /// The schemas in it, however they are called: other members are settings.
    fn format(&mut self, value: &[u8], depth: u32) {
        const SCHEMAS: [&[u8]; 5] = [
            b"schema",
            b"responseSchema",
            b"response_schema",
            b"responseJsonSchema",
            b"response_json_schema",
        ];
        const AROUND: [&[u8]; 3] = [b"json_schema", b"format", b"jsonSchema"];
        let Some(mut members) = Members::of_value(value, 0).filter(|_| depth < 3) else { return };
        while let Ok(Some(member)) = members.next() {
            let key = member.key.raw.of(value);
            if SCHEMAS.contains(&key) {
                self.json(member.value(value));
            } else if AROUND.contains(&key) {
                self.format(member.value(value), depth + 1);
            }
        }
    }

    fn json(&mut self, value: &[u8]) {
        self.counter.add(text::compact(value, &mut self.buffer));
    }

    /// What is not understood, as it is.
    fn unread(&mut self, bytes: &[u8]) {
        self.is_plain = false;
        self.counter.add(&text::lossy(bytes));
    }
}

fn inside(member: &Member, object: &[u8]) -> Option<Inside> {
    let key = member.key.raw.of(object);
    INSIDE.iter().find(|(name, _)| name.as_bytes() == key).map(|(_, inside)| *inside)
}

/// The first member of an object that is called so.
fn member<'a>(object: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let mut members = Members::of_value(object, 0)?;
    while let Ok(Some(member)) = members.next() {
        if member.key.raw.of(object) == name {
            return Some(member.value(object));
        }
    }
    None
}

fn string_of(value: &[u8]) -> Option<&[u8]> {
    match value {
        [b'"', raw @ .., b'"'] => Some(raw),
        _ => None,
    }
}

fn type_of(object: &[u8]) -> Option<&[u8]> {
    member(object, b"type").and_then(string_of)
}

fn has_name(message: &[u8]) -> bool {
    // The name of a function that was called is content.
    member(message, b"name").is_some() && member(message, b"role").is_some()
}

/// Whether a document of Anthropic's is text that stands in the request.
fn has_text(document: &[u8]) -> bool {
    member(document, b"source").and_then(type_of).is_some_and(|kind| matches!(kind, b"text" | b"content"))
}

/// The kind that a media type says, in an object that has one.
fn kind_of(blob: &[u8]) -> Media {
    let name = member(blob, b"mimeType").or_else(|| member(blob, b"mime_type")).and_then(string_of);
    name.map_or(Media::File, kind_of_media_type)
}

fn kind_of_media_type(name: &[u8]) -> Media {
    match name.split(|byte| *byte == b'/').next() {
        Some(b"image") => Media::Image,
        Some(b"audio") => Media::Audio,
        _ => Media::File,
    }
}

/// What a `data:` URL with base64 holds, if it is one (RFC 2397). A slash in it may be escaped.
fn data(raw: &[u8]) -> Option<Media> {
    let media_type = raw.strip_prefix(b"data:")?;
    let head = media_type.get(..DATA_HEAD_BYTES.min(media_type.len()))?;
    memchr::memmem::find(head, b";base64,").map(|_| match media_type {
        [b'i', b'm', b'a', b'g', b'e', ..] => Media::Image,
        [b'a', b'u', b'd', b'i', b'o', ..] => Media::Audio,
        _ => Media::File,
    })
}

/// Whether `detail` is `low`, in the picture's object or one inside it.
fn wants_low_detail(value: &[u8]) -> bool {
    let is_low = |object: &[u8]| member(object, b"detail") == Some(b"\"low\"");
    is_low(value) || member(value, b"image_url").is_some_and(is_low)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn estimate(dialect: Dialect, body: &str) -> Estimate {
        request(body.as_bytes(), dialect, Table::O200k)
    }

    fn tokens(dialect: Dialect, body: &str) -> u64 {
        estimate(dialect, body).input
    }

    fn text(text: &str) -> u64 {
        super::super::count(text, Table::O200k).0
    }

    /// The example of the cookbook, whose numbers are those that `OpenAI` answered with.
    const COOKBOOK: &str = r#"{"messages":[
        {"role":"system","content":"You are a helpful, pattern-following assistant that translates corporate jargon into plain English."},
        {"role":"system","name":"example_user","content":"New synergies will help drive top-line growth."},
        {"role":"system","name":"example_assistant","content":"Things working well together will increase revenue."},
        {"role":"system","name":"example_user","content":"Let's circle back when we have more bandwidth to touch base on opportunities for increased leverage."},
        {"role":"system","name":"example_assistant","content":"Let's talk later when we're less busy about how to do better."},
        {"role":"user","content":"This late pivot means we don't have time to boil the ocean for the client deliverable."}
    ],"temperature":0}"#;

    #[test]
    fn openais_own_example_has_openais_own_numbers() {
        assert_eq!(request(COOKBOOK.as_bytes(), Dialect::OpenaiChat, Table::Cl100k).input, 129);
        assert_eq!(request(COOKBOOK.as_bytes(), Dialect::OpenaiChat, Table::O200k).input, 124);
    }

    #[test]
    fn anthropics_own_examples_are_near() {
        let near = |body: &str, told: u64| {
            let tokens = request(body.as_bytes(), Dialect::AnthropicMessages, Table::Claude).input;
            assert!(tokens.abs_diff(told) * 5 <= told, "{tokens} instead of {told}");
        };
        near(
            r#"{"model":"claude-opus-4-6","system":"You are a scientist","messages":[{"role":"user","content":"Hello, Claude"}]}"#,
            14,
        );
        near(
            r#"{"tools":[{"name":"get_weather","description":"Get the current weather in a given location","input_schema":{"type":"object","properties":{"location":{"type":"string","description":"The city and state, e.g. San Francisco, CA"}},"required":["location"]}}],"messages":[{"role":"user","content":"What's the weather like in San Francisco?"}]}"#,
            403,
        );
    }

    #[test]
    fn googles_own_example_is_near() {
        let body = r#"{"contents":[{"parts":[{"text":"The quick brown fox jumps over the lazy dog."}]}]}"#;
        let tokens = request(body.as_bytes(), Dialect::Gemini, Table::Gemini).input;
        assert!((10..=11).contains(&tokens), "{tokens} instead of 10");
    }

    #[test]
    fn the_same_conversation_has_the_same_text_in_every_dialect() {
        let said =
            text("Be brief.") + text("What is the time?") + text("get_time") + text("{}") + text("ten");
        let bodies = [
            (
                Dialect::OpenaiChat,
                4 * 4 + 3,
                r#"{"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":[{"type":"text","text":"What is the time?"}]},{"role":"assistant","content":null,"tool_calls":[{"id":"call_1","type":"function","function":{"name":"get_time","arguments":"{}"}}]},{"role":"tool","tool_call_id":"call_1","content":"ten"}]}"#,
            ),
            (
                Dialect::OpenaiResponses,
                4 * 4 + 3,
                r#"{"instructions":"Be brief.","input":[{"role":"user","content":[{"type":"input_text","text":"What is the time?"}]},{"type":"function_call","call_id":"call_1","name":"get_time","arguments":"{}"},{"type":"function_call_output","call_id":"call_1","output":"ten"}]}"#,
            ),
            (
                Dialect::AnthropicMessages,
                4 * 4 + 3,
                r#"{"system":[{"type":"text","text":"Be brief.","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"What is the time?"},{"role":"assistant","content":[{"type":"tool_use","id":"toolu_1","name":"get_time","input":{}}]},{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_1","content":"ten"}]}]}"#,
            ),
            (
                Dialect::Gemini,
                0,
                r#"{"system_instruction":{"parts":[{"text":"Be brief."}]},"contents":[{"role":"user","parts":[{"text":"What is the time?"}]},{"role":"model","parts":[{"functionCall":{"name":"get_time","args":{}},"thoughtSignature":"QUJD"}]},{"role":"user","parts":[{"functionResponse":{"name":"get_time","response":{"result":"ten"}}}]}]}"#,
            ),
        ];
        for (dialect, added, body) in bodies {
            let tokens = tokens(dialect, body);
            // Where the arguments of a call are JSON, not text, and its answer an object.
            assert!(tokens.abs_diff(said + added) <= 8, "{dialect:?}: {tokens} instead of {}", said + added);
        }
    }

    #[test]
    fn the_request_inside_a_question_for_its_tokens_is_counted_once() {
        let inner = r#"{"contents":[{"parts":[{"text":"Hello there"}]}]}"#;
        let outer = format!(r#"{{"generateContentRequest":{inner}}}"#);
        assert_eq!(tokens(Dialect::Gemini, &outer), tokens(Dialect::Gemini, inner));
    }

    #[test]
    fn prompts_are_exact_and_tokens_count_themselves() {
        for (body, tokens) in [
            (r#"{"prompt":"Hello, world"}"#, 3),
            (r#"{"prompt":["Hello, world","Hello"],"suffix":"!"}"#, 5),
            (r#"{"prompt":[1,22,333]}"#, 3),
            (r#"{"prompt":[[1,22],[333]]}"#, 3),
            (r#"{"prompt":null}"#, 0),
        ] {
            let found = estimate(Dialect::OpenaiCompletions, body);
            assert_eq!((found.input, found.exact), (tokens, true), "{body}");
        }
        let chat = r#"{"messages":[{"role":"user","content":"Hello"}]}"#;
        assert!(!estimate(Dialect::OpenaiChat, chat).exact);
        assert!(!request(br#"{"prompt":"Hello"}"#, Dialect::OpenaiCompletions, Table::Claude).exact);
    }

    #[test]
    #[expect(clippy::too_many_lines, reason = "a table")]
    fn base64_is_never_counted_as_text() {
        let data = "iVBORw0KGgoAAAANSUhEUgAA".repeat(4000);
        let bodies = [
            (
                Dialect::OpenaiChat,
                Media::Image,
                765,
                r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,DATA"}}]}]}"#,
            ),
            (
                Dialect::OpenaiChat,
                Media::Image,
                85,
                r#"{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,DATA","detail":"low"}}]}]}"#,
            ),
            (
                Dialect::OpenaiChat,
                Media::Audio,
                600,
                r#"{"messages":[{"role":"user","content":[{"input_audio":{"data":"DATA","format":"wav"},"type":"input_audio"}]}]}"#,
            ),
            (
                Dialect::OpenaiChat,
                Media::File,
                1530,
                r#"{"messages":[{"role":"user","content":[{"type":"file","file":{"file_data":"data:application/pdf;base64,DATA","filename":"a.pdf"}}]}]}"#,
            ),
            (
                Dialect::OpenaiChat,
                Media::Image,
                765,
                r#"{"messages":[{"role":"tool","content":"data:image\/png;base64,DATA"}]}"#,
            ),
            (
                Dialect::OpenaiResponses,
                Media::Image,
                765,
                r#"{"input":[{"role":"user","content":[{"type":"input_image","image_url":"data:image/png;base64,DATA"}]}]}"#,
            ),
            (
                Dialect::OpenaiResponses,
                Media::Image,
                765,
                r#"{"input":[{"type":"image_generation_call","id":"ig_1","result":"DATA"}]}"#,
            ),
            (
                Dialect::OpenaiResponses,
                Media::File,
                1530,
                r#"{"input":[{"role":"user","content":[{"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,DATA"}]}]}"#,
            ),
            (
                Dialect::AnthropicMessages,
                Media::Image,
                1600,
                r#"{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"DATA"}}]}]}"#,
            ),
            (
                Dialect::AnthropicMessages,
                Media::Image,
                1600,
                r#"{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"t","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"DATA"}}]}]}]}"#,
            ),
            (
                Dialect::AnthropicMessages,
                Media::File,
                3000,
                r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"DATA"}}]}]}"#,
            ),
            (
                Dialect::Gemini,
                Media::Image,
                258,
                r#"{"contents":[{"parts":[{"inlineData":{"mimeType":"image/png","data":"DATA"}}]}]}"#,
            ),
            (
                Dialect::Gemini,
                Media::Audio,
                1920,
                r#"{"contents":[{"parts":[{"inline_data":{"data":"DATA","mime_type":"audio/mp3"}}]}]}"#,
            ),
            (
                Dialect::Gemini,
                Media::File,
                258,
                r#"{"contents":[{"parts":[{"fileData":{"mimeType":"application/pdf","fileUri":"https://example.org/DATA"}}]}]}"#,
            ),
            (
                Dialect::OllamaChat,
                Media::Image,
                765,
                r#"{"messages":[{"role":"user","content":"","images":["DATA"]}]}"#,
            ),
        ];
        for (dialect, media, flat, body) in bodies {
            let found = estimate(dialect, &body.replace("DATA", &data));
            let pieces =
                [(Media::Image, found.images), (Media::Audio, found.audio), (Media::File, found.files)];
            for (kind, number) in pieces {
                assert_eq!(number, u32::from(kind == media), "{body}");
            }
            let added = &form(dialect).added;
            assert_eq!(found.input, flat + added.message + added.reply, "{body}");
        }
    }

    #[test]
    fn a_document_of_text_is_text() {
        let body = r#"{"messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","media_type":"text/plain","data":"Nine words that stand in the request as text."}}]}]}"#;
        let found = estimate(Dialect::AnthropicMessages, body);
        assert_eq!(found.files, 0);
        assert!(found.input >= 7 + text("Nine words that stand in the request as text."));
    }

    #[test]
    fn escapes_are_read_before_they_are_counted() {
        let plain = r#"{"messages":[{"role":"user","content":"naïve “quotes” 😀"}]}"#;
        let escaped =
            r#"{"messages":[{"role":"user","content":"na\u00efve \u201cquotes\u201d \ud83d\ude00"}]}"#;
        assert_eq!(tokens(Dialect::OpenaiChat, escaped), tokens(Dialect::OpenaiChat, plain));
    }

    #[test]
    fn tools_and_schemas_count_without_their_white_space() {
        let tight = r#"{"messages":[],"tools":[{"type":"function","function":{"name":"f","description":"does it"}}],"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}}}"#;
        let loose = tight.replace(':', " :\n  ").replace("}}]", "} } ]");
        let found = tokens(Dialect::OpenaiChat, tight);
        assert_eq!(tokens(Dialect::OpenaiChat, &loose), found);
        let tools = r#"[{"type":"function","function":{"name":"f","description":"does it"}}]"#;
        assert_eq!(found, 3 + text(tools) + text(r#"{"type":"object"}"#));
    }

    #[test]
    fn what_is_no_request_is_text() {
        for body in ["", "no JSON at all", "[1,2]", "{\"messages\":[{", "\u{feff}{}"] {
            assert!(tokens(Dialect::OpenaiChat, body) >= text(body), "{body}");
        }
        let cut = r#"{"messages":[{"role":"user","content":"Hello there, how are"#;
        assert!(tokens(Dialect::OpenaiChat, cut) > text("Hello there, how are"));
    }

    #[test]
    fn depth_costs_neither_the_stack_nor_time() {
        let deep = format!(r#"{{"messages":{}1{}}}"#, "[".repeat(900), "]".repeat(900));
        assert!(tokens(Dialect::OpenaiChat, &deep) > 0);
        let nested = format!(r#"{{"input":{}1{}}}"#, r#"{"a":"#.repeat(500), "}".repeat(500));
        assert!(tokens(Dialect::OpenaiResponses, &nested) > 0);
    }

    proptest! {
        #[test]
        fn nothing_fails_and_nothing_is_out_of_proportion(body in any::<Vec<u8>>(), which in 0..Dialect::ALL.len()) {
            let found = request(&body, Dialect::ALL[which], Table::ClaudeLater);
            prop_assert!(found.input <= 128 * body.len() as u64 + 512);
        }

        #[test]
        fn broken_requests_are_counted_too(cut in 0..COOKBOOK.len()) {
            let found = request(&COOKBOOK.as_bytes()[..cut], Dialect::OpenaiChat, Table::O200k);
            prop_assert!(found.input <= 2 * cut as u64 + 16);
        }
    }
}
