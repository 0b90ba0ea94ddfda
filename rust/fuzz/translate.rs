//! What holds for any bytes that are taken for a request, a reply or a stream of a dialect: what is written for
//! them is JSON, the same every time, and does not show how a stream was cut.

use llm_edge_core::dialect::{ChatFields, Dialect};
use llm_edge_core::translate::{Context, Malformed, Options, Pair, between};
use serde::de::IgnoredAny;

fn assert_json(text: &[u8]) {
    assert!(serde_json::from_slice::<IgnoredAny>(text).is_ok(), "{}", text.escape_ascii());
}

fn streamed(pair: Pair, bytes: &[u8], size: usize) -> (Vec<u8>, Result<(), Malformed>) {
    let context = Context { model: "m".to_owned(), include_usage: true, created_s: 0 };
    let mut translator = pair.stream(context);
    let mut out = Vec::new();
    let pushed = bytes.chunks(size).try_for_each(|piece| translator.push(piece, &mut out));
    let ended = pushed.and_then(|()| translator.finish(&mut out));
    (out, ended)
}

/// Checks everything that reads `dialect`, writing `other`.
pub fn check(dialect: Dialect, other: Dialect, bytes: &[u8]) {
    check_requests(dialect, other, bytes);
    check_replies(other, dialect, bytes);
}

/// Checks the reader of requests of `surface` and the writer of those of `target`.
pub fn check_requests(surface: Dialect, target: Dialect, bytes: &[u8]) {
    let request = between(surface, target).expect("both have codecs");
    for cache_breakpoints in [false, true] {
        let chat_fields = ChatFields::default();
        let options =
            Options { created_s: 0, max_tokens_default: 1, chat_fields, cache_breakpoints, stream: None };
        let mut out = Vec::new();
        match request.request(bytes, "m", &options, &mut out) {
            Ok(translated) => {
                assert_json(&out);
                assert!(translated.losses.to_string().bytes().all(|byte| byte.is_ascii_graphic()));
            }
            Err(_) => assert!(out.is_empty()),
        }
    }
}

/// Checks the reader of replies of `target` and the writer of those of `surface`.
pub fn check_replies(surface: Dialect, target: Dialect, bytes: &[u8]) {
    let reply = between(surface, target).expect("both have codecs");
    let context = Context { model: "m".to_owned(), include_usage: false, created_s: 0 };
    let mut out = Vec::new();
    match reply.reply(&context, bytes, &mut out) {
        Ok(_) => assert_json(&out),
        Err(_) => assert!(out.is_empty()),
    }
    let mut out = Vec::new();
    reply.error(500, bytes, "r", &mut out);
    assert_json(&out);

    let (whole, ended) = streamed(reply, bytes, bytes.len().max(1));
    assert_eq!(streamed(reply, bytes, 1), (whole.clone(), ended.clone()));
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
