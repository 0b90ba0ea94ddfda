//! What holds for any bytes that are taken for a request, a reply or a stream of a dialect: what is written for
//! them is JSON, the same every time, and does not show how a stream was cut.

use llm_edge_core::dialect::{ChatFields, ChatMembers, Dialect, Platform, ReplayedReasoning};
use llm_edge_core::translate::{Context, Malformed, Options, Pair, between};
use serde::de::IgnoredAny;

fn assert_json(text: &[u8]) {
    assert!(serde_json::from_slice::<IgnoredAny>(text).is_ok(), "{}", text.escape_ascii());
}

fn streamed(pair: Pair, bytes: &[u8], size: usize, json_array: bool) -> (Vec<u8>, Result<(), Malformed>) {
    let context = Context {
        model: "m".to_owned(),
        include_usage: true,
        include_thoughts: true,
        json_array,
        created_s: 0,
        reply_seed: String::new(),
        settings: Vec::new(),
    };
    let mut translator = pair.stream(context);
    let mut out = Vec::new();
    let pushed = bytes.chunks(size).try_for_each(|piece| translator.push(piece, &mut out));
    let ended = pushed.and_then(|()| translator.finish(&mut out));
    (out, ended)
}

/// Checks everything that reads `dialect`, writing `other`.
#[allow(dead_code, reason = "dialects that only upstreams speak have no requests to read")]
pub fn check(dialect: Dialect, other: Dialect, bytes: &[u8]) {
    check_request(between(dialect, other).expect("both have codecs"), "m", bytes);
    let reply = between(other, dialect).expect("both have codecs");
    check_reply(reply, bytes);
    check_stream(reply, bytes);
}

/// Every dialect that clients speak, in front of a dialect that only upstreams speak.
#[allow(dead_code, reason = "the others are checked from both sides")]
pub const SURFACES: [Dialect; 4] =
    [Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::AnthropicMessages, Dialect::Gemini];

/// Checks what becomes of a request, asking for `model`.
pub fn check_request(pair: Pair, model: &str, bytes: &[u8]) {
    let plain = Options {
        request_id: "",
        created_s: 0,
        max_tokens_default: 1,
        chat_fields: ChatFields::Openai,
        chat_members: ChatMembers::ALL,
        replays_reasoning: None,
        tool_id_length: None,
        platform: Platform::Own,
        cache_breakpoints: false,
        stream: None,
        json_array: false,
    };
    let marked = Options { cache_breakpoints: true, ..plain };
    let vertex = Options { platform: Platform::Vertex, chat_fields: ChatFields::Common, ..plain };
    let array = Options {
        stream: Some(true),
        json_array: true,
        tool_id_length: Some(9),
        replays_reasoning: Some(ReplayedReasoning::Content),
        ..plain
    };
    for options in [plain, marked, vertex, array] {
        let mut out = Vec::new();
        match pair.request(bytes, model, &options, &mut out) {
            Ok(translated) => {
                assert_json(&out);
                assert!(translated.losses.to_string().bytes().all(|byte| byte.is_ascii_graphic()));
                assert_json(&[b"{", translated.context.settings.as_slice(), b"}"].concat());
                let mut again = Vec::new();
                assert!(pair.request(bytes, model, &options, &mut again).is_ok());
                assert_eq!(out, again);
            }
            Err(_) => assert!(out.is_empty()),
        }
    }
}

/// Checks what becomes of a whole reply and of an error.
pub fn check_reply(pair: Pair, bytes: &[u8]) {
    let context = Context {
        model: "m".to_owned(),
        include_usage: false,
        include_thoughts: false,
        json_array: false,
        created_s: 0,
        reply_seed: String::new(),
        settings: Vec::new(),
    };
    let mut out = Vec::new();
    match pair.reply(&context, bytes, &mut out) {
        Ok(_) => assert_json(&out),
        Err(_) => assert!(out.is_empty()),
    }
    let mut out = Vec::new();
    pair.error(500, bytes, "r", &mut out);
    assert_json(&out);
}

/// Checks what becomes of a stream.
pub fn check_stream(pair: Pair, bytes: &[u8]) {
    check_array(pair, bytes);
    let (whole, ended) = streamed(pair, bytes, bytes.len().max(1), false);
    assert_eq!(streamed(pair, bytes, 1, false), (whole.clone(), ended.clone()));
    let text = std::str::from_utf8(&whole).expect("text");
    assert!(text.is_empty() || text.ends_with("\n\n"));
    for line in text.lines() {
        match line.strip_prefix("data: ") {
            Some("[DONE]") => assert!(ended.is_ok()),
            Some(data) => assert_json(data.as_bytes()),
            None => assert!(line.is_empty() || line.starts_with("event: "), "{line}"),
        }
    }
}

/// Checks the same stream for a client that wants an array of JSON, as Google's do: it is closed where it ends well.
/// In other dialects that changes nothing.
fn check_array(pair: Pair, bytes: &[u8]) {
    let (whole, ended) = streamed(pair, bytes, bytes.len().max(1), true);
    assert_eq!(streamed(pair, bytes, 1, true), (whole.clone(), ended.clone()));
    if whole.starts_with(b"[") && ended.is_ok() {
        assert_json(&whole);
    } else if whole.starts_with(b"[") {
        assert_json(&[whole.as_slice(), b"]"].concat());
    }
}
