//! Replies of the benchmark upstream, made once for each model name.
//!
//! | model | reply |
//! |---|---|
//! | `unary-1024` | a chat completion with a body of that many bytes |
//! | `sse-64x200` | a chat stream: so many content events of so many bytes, then finish, usage and `[DONE]` |
//! | `sse-64x200-25ms` | the same, a pause after each burst |
//! | `message-1024`, `message-64x200` | a message with a body of that size, a stream of a message, as Anthropic sends them |
//! | `content-1024` | generated content with a body of that size, as Google sends it |
//!
//! A stream is one HTTP chunk for each event, written in bursts of [`BURST`] events, as servers under load
//! write them.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

use crate::Failure;

/// Events in one write.
pub const BURST: usize = 8;

const FIELDS: &str = "date: Mon, 05 Jan 2026 10:00:00 GMT\r\nserver: upstream\r\nx-request-id: req_0123456789abcdef0123456789abcdef\r\nopenai-processing-ms: 42\r\n";
const TEXT: &str = "The quick brown fox jumps over the lazy dog while the five boxing wizards watch. ";
const EVENT_HEAD: &str = r#"data: {"id":"chatcmpl-0123456789abcdefghijklmnopqrs","object":"chat.completion.chunk","created":1767607200,"model":"bench","choices":[{"index":0,"delta":{"#;
const MESSAGE_USAGE: &str = r#"{"input_tokens":200,"output_tokens":64}"#;
const USAGE: &str = r#""usage":{"prompt_tokens":200,"completion_tokens":64,"total_tokens":264}"#;

/// A reply, ready to be written.
#[derive(Debug)]
pub struct Reply {
    /// Head and body.
    pub bytes: Vec<u8>,
    /// Where each write ends; the last is the length of `bytes`.
    pub bursts: Vec<usize>,
    /// Wait between two writes.
    pub pause: Duration,
}

/// Replies made so far.
#[derive(Debug, Default)]
pub struct Shelf(HashMap<Vec<u8>, Rc<Reply>>);

impl Shelf {
    /// The reply of a model.
    ///
    /// # Errors
    /// The name is none of the table's.
    pub fn reply(&mut self, model: &[u8]) -> Result<Rc<Reply>, Failure> {
        if let Some(known) = self.0.get(model) {
            return Ok(Rc::clone(known));
        }
        let name = str::from_utf8(model)?;
        let made = Rc::new(parse(name).ok_or_else(|| format!("unknown model `{name}`"))?);
        self.0.insert(model.to_vec(), Rc::clone(&made));
        Ok(made)
    }
}

fn parse(name: &str) -> Option<Reply> {
    if let Some(bytes) = name.strip_prefix("unary-") {
        return Some(unary(bytes.parse().ok()?));
    }
    if let Some(size) = name.strip_prefix("message-") {
        return match size.split_once('x') {
            None => Some(message(size.parse().ok()?)),
            Some((frames, bytes)) => Some(message_stream(frames.parse().ok()?, bytes.parse().ok()?)),
        };
    }
    if let Some(bytes) = name.strip_prefix("content-") {
        return Some(content(bytes.parse().ok()?));
    }
    let mut parts = name.strip_prefix("sse-")?.split('-');
    let (frames, bytes) = parts.next()?.split_once('x')?;
    let pause = match parts.next() {
        Some(pause) => Duration::from_millis(pause.strip_suffix("ms")?.parse().ok()?),
        None => Duration::ZERO,
    };
    Some(stream(frames.parse().ok()?, bytes.parse().ok()?, pause))
}

fn text(bytes: usize) -> String {
    TEXT.chars().cycle().take(bytes).collect()
}

fn unary(bytes: usize) -> Reply {
    let body = |text: &str| {
        format!(
            r#"{{"id":"chatcmpl-0123456789abcdefghijklmnopqrs","object":"chat.completion","created":1767607200,"model":"bench","choices":[{{"index":0,"message":{{"role":"assistant","content":"{text}"}},"finish_reason":"stop"}}],{USAGE}}}"#
        )
    };
    document(&body(&text(bytes.saturating_sub(body("").len()))))
}

fn message(bytes: usize) -> Reply {
    let body = |text: &str| {
        format!(
            r#"{{"id":"msg_0123456789abcdefghijklmn","type":"message","role":"assistant","model":"bench","content":[{{"type":"text","text":"{text}"}}],"stop_reason":"end_turn","stop_sequence":null,"usage":{MESSAGE_USAGE}}}"#
        )
    };
    document(&body(&text(bytes.saturating_sub(body("").len()))))
}

fn content(bytes: usize) -> Reply {
    let body = |text: &str| {
        format!(
            r#"{{"candidates":[{{"content":{{"parts":[{{"text":"{text}"}}],"role":"model"}},"finishReason":"STOP","index":0}}],"usageMetadata":{{"promptTokenCount":200,"candidatesTokenCount":64,"totalTokenCount":264}},"modelVersion":"bench","responseId":"0123456789abcdefghijklmn"}}"#
        )
    };
    document(&body(&text(bytes.saturating_sub(body("").len()))))
}

fn document(body: &str) -> Reply {
    let head = format!(
        "HTTP/1.1 200 OK\r\n{FIELDS}content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let bytes = (head + body).into_bytes();
    Reply { bursts: vec![bytes.len()], bytes, pause: Duration::ZERO }
}

fn message_stream(frames: usize, bytes: usize) -> Reply {
    let event = |kind: &str, rest: &str| format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{rest}}}\n\n");
    let content = |text: &str| {
        event(
            "content_block_delta",
            &format!(r#","index":0,"delta":{{"type":"text_delta","text":"{text}"}}"#),
        )
    };
    let content = content(&text(bytes.saturating_sub(content("").len())));
    let start = format!(
        r#","message":{{"id":"msg_0123456789abcdefghijklmn","type":"message","role":"assistant","model":"bench","content":[],"stop_reason":null,"stop_sequence":null,"usage":{MESSAGE_USAGE}}}"#
    );
    let block = r#","index":0,"content_block":{"type":"text","text":""}"#;
    let end = r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":64}"#;
    let first = [event("message_start", &start), event("content_block_start", block)];
    let last = [
        event("content_block_stop", r#","index":0"#),
        event("message_delta", end),
        event("message_stop", ""),
    ];
    events(first, &content, frames, last, Duration::ZERO)
}

fn stream(frames: usize, bytes: usize, pause: Duration) -> Reply {
    let content =
        |text: &str| format!("{EVENT_HEAD}\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n");
    let content = content(&text(bytes.saturating_sub(content("").len())));
    let last = [
        format!("{EVENT_HEAD}}},\"finish_reason\":\"stop\"}}]}}\n\n"),
        format!(
            "data: {{\"id\":\"chatcmpl-0123456789abcdefghijklmnopqrs\",\"object\":\"chat.completion.chunk\",\"choices\":[],{USAGE}}}\n\n"
        ),
        "data: [DONE]\n\n".to_owned(),
    ];
    events([], &content, frames, last, pause)
}

fn events<const FIRST: usize>(
    first: [String; FIRST],
    content: &str,
    frames: usize,
    last: [String; 3],
    pause: Duration,
) -> Reply {
    let mut out = format!(
        "HTTP/1.1 200 OK\r\n{FIELDS}content-type: text/event-stream; charset=utf-8\r\ntransfer-encoding: chunked\r\n\r\n"
    );
    let mut bursts = Vec::new();
    for event in first {
        chunk(&mut out, &event);
    }
    for frame in 1..=frames {
        chunk(&mut out, content);
        if frame % BURST == 0 {
            bursts.push(out.len());
        }
    }
    for event in last {
        chunk(&mut out, &event);
    }
    out.push_str("0\r\n\r\n");
    bursts.push(out.len());
    Reply { bytes: out.into_bytes(), bursts, pause }
}

fn chunk(out: &mut String, data: &str) {
    // Writing to a String cannot fail.
    let _ = write!(out, "{:x}\r\n{data}\r\n", data.len());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unary_body_has_the_size_asked_for() {
        for model in ["unary-1024", "message-1024", "content-1024"] {
            let reply = parse(model).unwrap();
            let head = memchr::memmem::find(&reply.bytes, b"\r\n\r\n").unwrap() + 4;
            assert_eq!(reply.bytes.len() - head, 1024, "{model}");
            assert!(serde_json::from_slice::<serde_json::Value>(&reply.bytes[head..]).is_ok(), "{model}");
        }
    }

    #[test]
    fn a_stream_has_the_events_asked_for_in_bursts() {
        let reply = parse("sse-64x200-25ms").unwrap();
        let events = memchr::memmem::find_iter(&reply.bytes, b"\r\nc8\r\ndata: ").count();
        // The first chunk follows the head's empty line.
        assert_eq!(events, 64);
        assert_eq!(reply.bursts.len(), 64 / BURST + 1);
        assert_eq!(reply.bursts.last(), Some(&reply.bytes.len()));
        assert_eq!(reply.pause, Duration::from_millis(25));
    }

    #[test]
    fn an_unknown_model_has_no_reply() {
        assert!(parse("gpt").is_none());
        assert!(parse("sse-9").is_none());
    }
}
