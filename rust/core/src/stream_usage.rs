//! Usage of streams whose client did not ask for it: asked for upstream, taken out again.
//!
//! Some dialects tell in a stream what it used only where `stream_options.include_usage` asks (`OpenAI` API
//! reference, `chat/create`). The usage then comes in one more event, whose `choices` are empty, and every
//! other event has a `usage` that is null. Invariant: with both taken out, the client's stream is byte for byte
//! what it would have been; an event that is not of that form passes as it came.

use core::ops::Range;

use crate::dialect::{Dialect, facts};
use crate::scan::{Edit, Members, Scan, included_usage, white_space};
use crate::span::Span;
use crate::sse;

/// How `body`, of which `scan` was made, has to be changed to ask for usage; `None` where its dialect tells
/// without, where it is not streamed, and where its client asks itself.
pub fn ask<'a>(body: &[u8], dialect: Dialect, scan: &Scan) -> Option<Edit<'a>> {
    if !facts(dialect).usage_on_request || scan.stream != Some(true) || scan.include_usage == Some(true) {
        return None;
    }
    let Some(options) = scan.stream_options else {
        let behind_brace = Span::new(white_space(body, 0) + 1, white_space(body, 0) + 1);
        return Some(Edit { span: behind_brace, text: br#""stream_options":{"include_usage":true},"# });
    };
    let start = options.start as usize;
    let Some(mut members) = Members::of_value(body, start) else {
        return Some(Edit { span: options, text: br#"{"include_usage":true}"# });
    };
    let mut text: &[u8] = br#""include_usage":true"#;
    while let Ok(Some(member)) = members.next() {
        if let Some(value) = included_usage(body, &member) {
            return Some(Edit { span: value, text: b"true" });
        }
        text = br#""include_usage":true,"#;
    }
    Some(Edit { span: Span::new(start + 1, start + 1), text })
}

/// What of an event is the client's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// All of it.
    Whole,
    /// All but these bytes.
    Without(Range<usize>),
    /// Nothing: it came only because usage was asked for.
    Nothing,
}

/// What of `event`, from its first byte to the end of its empty line, the client would have got without asking
/// for usage.
pub fn kept(event: &[u8]) -> Kept {
    data(event).and_then(|data| within(event, data)).unwrap_or(Kept::Whole)
}

/// Where the value of the event's one `data` field is; `None` when there are none or several.
fn data(event: &[u8]) -> Option<Range<usize>> {
    let mut found = None;
    let mut start = 0;
    while start < event.len() {
        let rest = event.get(start..)?;
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        if let sse::Field::Data(value) = sse::field(rest.get(..length)?) {
            if found.is_some() {
                return None;
            }
            found = Some(start + length - value.len()..start + length);
        }
        start += length + 1;
    }
    found
}

fn within(event: &[u8], data: Range<usize>) -> Option<Kept> {
    let start = data.start;
    let document = event.get(data)?;
    let mut members = Members::of_document(document).ok()?;
    let mut usage = None;
    let mut without_choices = false;
    // Where the member before ends, if there is one.
    let mut before = None;
    while let Some(member) = members.next().ok()? {
        // Behind the first member of all: the comma that follows it goes.
        if let Some(Range { end, .. }) = usage.as_mut().filter(|range: &&mut Range<usize>| range.end == 0) {
            *end = member.start;
        }
        let value = member.value(document);
        match member.key.raw.of(document) {
            b"usage" if usage.is_some() => return None,
            b"usage" if value == b"null" => {
                usage = Some(match before {
                    Some(before) => before..member.value_end,
                    None => member.start..0,
                });
            }
            b"usage" if value.starts_with(b"{") => usage = Some(0..member.value_end),
            b"choices" => {
                without_choices = matches!(value, [b'[', inner @ .., b']'] if inner.trim_ascii().is_empty());
            }
            _ => {}
        }
        before = Some(member.value_end);
    }
    members.end_of_document().ok()?;
    match usage? {
        // An object: what a null stands for begins behind a brace or a member.
        Range { start: 0, .. } => without_choices.then_some(Kept::Nothing),
        Range { end: 0, .. } => None,
        null => Some(Kept::Without(start + null.start..start + null.end)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::{scan, splice};

    fn asked(body: &str) -> Option<String> {
        let found = scan(body.as_bytes(), Dialect::OpenaiChat).unwrap();
        let edit = ask(body.as_bytes(), Dialect::OpenaiChat, &found)?;
        Some(String::from_utf8(splice(body.as_bytes(), None, Some(edit)).concat()).unwrap())
    }

    #[test]
    fn a_stream_is_asked_for_its_usage_wherever_its_options_stand() {
        for (body, with) in [
            (
                r#" {"stream":true,"model":"m"}"#,
                r#" {"stream_options":{"include_usage":true},"stream":true,"model":"m"}"#,
            ),
            (
                r#"{"stream":true,"stream_options":null}"#,
                r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
            ),
            (
                r#"{"stream_options":{ },"stream":true}"#,
                r#"{"stream_options":{"include_usage":true },"stream":true}"#,
            ),
            (
                r#"{"stream_options":{"include_obfuscation":false},"stream":true}"#,
                r#"{"stream_options":{"include_usage":true,"include_obfuscation":false},"stream":true}"#,
            ),
            (
                r#"{"stream":true,"stream_options":{"a":1, "include_usage" : false }}"#,
                r#"{"stream":true,"stream_options":{"a":1, "include_usage" : true }}"#,
            ),
            (
                r#"{"stream":true,"stream_options":{"include\u005fusage":null}}"#,
                r#"{"stream":true,"stream_options":{"include\u005fusage":true}}"#,
            ),
        ] {
            assert_eq!(asked(body).as_deref(), Some(with));
            let found = scan(with.as_bytes(), Dialect::OpenaiChat).unwrap();
            assert_eq!(found.include_usage, Some(true));
        }
    }

    #[test]
    fn who_does_not_stream_or_asks_himself_is_left_alone() {
        for body in [
            r#"{"model":"m"}"#,
            r#"{"stream":false}"#,
            r#"{"stream":true,"stream_options":{"include_usage":true}}"#,
        ] {
            assert_eq!(asked(body), None);
        }
        let body = br#"{"stream":true}"#;
        let found = scan(body, Dialect::AnthropicMessages).unwrap();
        assert_eq!(ask(body, Dialect::AnthropicMessages, &found), None);
    }

    #[test]
    fn what_came_because_usage_was_asked_for_is_taken_out() {
        for (event, without) in [
            (
                "data: {\"choices\":[{\"delta\":{}}],\"usage\":null}\n\n",
                "data: {\"choices\":[{\"delta\":{}}]}\n\n",
            ),
            (
                "data: {\"choices\":[{}], \"usage\" : null ,\"obfuscation\":\"x\"}\r\n\r\n",
                "data: {\"choices\":[{}] ,\"obfuscation\":\"x\"}\r\n\r\n",
            ),
            ("id: 1\ndata:{\"usage\":null, \"choices\":[{}]}\n\n", "id: 1\ndata:{\"choices\":[{}]}\n\n"),
            ("data: {\"id\":1,\"choices\":[ ],\"usage\":{\"prompt_tokens\":1}}\n\n", ""),
            ("data: {\"usage\":{\"prompt_tokens\":1},\"choices\":[]}\n\n", ""),
        ] {
            let event = event.as_bytes();
            let kept = match kept(event) {
                Kept::Whole => event.to_vec(),
                Kept::Without(range) => [&event[..range.start], &event[range.end..]].concat(),
                Kept::Nothing => Vec::new(),
            };
            assert_eq!(String::from_utf8(kept).unwrap(), without);
        }
    }

    #[test]
    fn any_other_event_passes_as_it_came() {
        for event in [
            "data: [DONE]\n\n",
            ": keep-alive\n\n",
            "data: {\"choices\":[]}\n\n",
            "data: {\"choices\":[{}],\"usage\":{\"prompt_tokens\":1}}\n\n",
            "data: {\"choices\":[{\"usage\":null}]}\n\n",
            "data: {\"choices\":[{}],\ndata: \"usage\":null}\n\n",
            "data: {\"usage\":null,\"choices\":[{}],\"usage\":null}\n\n",
            "data: {\"choices\":[{}],\"usage\":null\n\n",
            "data: {\"usage\":null}\n\n",
            "data: {}\n\n",
            "\n",
        ] {
            assert_eq!(kept(event.as_bytes()), Kept::Whole, "{event}");
        }
    }
}
