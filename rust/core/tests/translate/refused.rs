//! Requests that cannot be carried over: refused, with the path of what is at fault.

use llm_edge_core::translate::{Pair, Untranslatable};
use serde_json::{Value, json};

use crate::{OPTIONS, anthropic_to_chat, chat_to_anthropic, request};

fn refusal(pair: Pair, body: &str) -> Untranslatable {
    let mut out = Vec::new();
    let refused = pair.request(body.as_bytes(), "m", &OPTIONS, &mut out).map(|_| ()).expect_err(body);
    assert!(out.is_empty());
    refused
}

#[test]
fn chat_requests_are_refused_by_path() {
    let user = |content: Value| json!({"messages": [{"role": "user", "content": "x"}, {"role": "user", "content": content}]});
    let call = |call: Value| json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]}]});
    let arguments = |text: &str| call(json!({"id": "c", "function": {"name": "f", "arguments": text}}));
    let with = |member: &str, value: Value| {
        let mut body = json!({"messages": [{"role": "user", "content": "x"}]});
        body[member] = value;
        body
    };
    for (body, path) in [
        (json!({}), "messages"),
        (json!({"messages": []}), "messages"),
        (json!({"messages": {}}), "messages"),
        (json!({"messages": [{"role": "system", "content": "alone"}]}), "messages"),
        (json!({"messages": [{"content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": 1}]}), "messages[0].role"),
        (json!({"messages": [{"role": "robot"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "function", "content": "x"}]}), "messages[0].role"),
        (json!({"messages": [{"role": "tool", "content": "x"}]}), "messages[0].tool_call_id"),
        (
            json!({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://a"}}]}, {"role": "user", "content": "x"}]}),
            "messages",
        ),
        (user(json!(7)), "messages[1].content"),
        (user(json!([{"text": "x"}])), "messages[1].content[0].type"),
        (user(json!([{"type": "text"}])), "messages[1].content[0].text"),
        (
            user(json!([{"type": "thinking", "thinking": "x", "signature": "c2ln"}])),
            "messages[1].content[0].type",
        ),
        (user(json!([{"type": "text", "text": 7}])), "messages[1].content[0].text"),
        (
            user(
                json!([{"type": "text", "text": "a"}, {"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}]),
            ),
            "messages[1].content[1].type",
        ),
        (
            user(json!([{"type": "image_url", "image_url": {"url": "ftp://a"}}])),
            "messages[1].content[0].image_url.url",
        ),
        (
            user(json!([{"type": "image_url", "image_url": {"url": "data:image/png,abc"}}])),
            "messages[1].content[0].image_url.url",
        ),
        (user(json!([{"type": "image_url"}])), "messages[1].content[0].image_url"),
        (user(json!([{"type": "file", "file": {"file_id": "f"}}])), "messages[1].content[0].file.file_id"),
        (
            user(json!([{"type": "file", "file": {"file_data": "data:text/plain;base64,aGk="}}])),
            "messages[1].content[0].file.file_data",
        ),
        (arguments("{"), "messages[1].tool_calls[0].function.arguments"),
        (arguments("[]"), "messages[1].tool_calls[0].function.arguments"),
        (arguments("{} {}"), "messages[1].tool_calls[0].function.arguments"),
        (call(json!({"function": {"name": "f"}})), "messages[1].tool_calls[0].id"),
        (call(json!({"id": "c", "function": {}})), "messages[1].tool_calls[0].function.name"),
        (call(json!({"id": "c", "type": "custom", "custom": {}})), "messages[1].tool_calls[0].type"),
        (
            json!({"messages": [{"role": "assistant", "thinking_blocks": [{"type": "x"}]}]}),
            "messages[0].thinking_blocks[0].type",
        ),
        (json!({"messages": [{"role": "assistant", "function_call": {}}]}), "messages[0].function_call"),
        (with("functions", json!([{}])), "functions"),
        (with("model", json!(1)), "model"),
        (with("max_tokens", json!(-1)), "max_tokens"),
        (with("temperature", json!("hot")), "temperature"),
        (with("stop", json!(["a", 1])), "stop[1]"),
        (with("reasoning_effort", json!("most")), "reasoning_effort"),
        (with("tool_choice", json!("maybe")), "tool_choice"),
        (with("tool_choice", json!({"type": "custom"})), "tool_choice.type"),
        (with("tools", json!([{"type": "custom", "custom": {}}])), "tools[0].type"),
        (
            with("tools", json!([{"type": "function", "function": {"parameters": {}}}])),
            "tools[0].function.name",
        ),
        (
            with("tools", json!([{"type": "function", "function": {"name": "f", "parameters": [1]}}])),
            "tools[0].function.parameters",
        ),
        (with("response_format", json!({"type": "xml"})), "response_format.type"),
    ] {
        let refused = refusal(chat_to_anthropic(), &body.to_string());
        assert_eq!(refused.path, path, "{body}: {}", refused.message);
        assert!(!refused.message.is_empty() && !refused.message.contains(" line "), "{}", refused.message);
    }
}

#[test]
fn anthropic_requests_are_refused_by_path() {
    let user = |block: Value| json!({"max_tokens": 1, "messages": [{"role": "user", "content": [block]}]});
    let with = |member: &str, value: Value| {
        let mut body = json!({"max_tokens": 1, "messages": [{"role": "user", "content": "x"}]});
        body[member] = value;
        body
    };
    for (body, path) in [
        (json!({"max_tokens": 1}), "messages"),
        (json!({"messages": []}), "max_tokens"),
        (json!({"max_tokens": 1, "messages": [{"role": "user"}]}), "messages[0].content"),
        (json!({"max_tokens": 1, "messages": [{"role": "tool", "content": "x"}]}), "messages[0].role"),
        (user(json!({"text": "x"})), "messages[0].content[0].type"),
        (user(json!({"type": "image"})), "messages[0].content[0].source"),
        (
            user(json!({"type": "image", "source": {"type": "file", "file_id": "f"}})),
            "messages[0].content[0].source.type",
        ),
        (
            user(json!({"type": "document", "source": {"type": "url", "url": "https://a"}})),
            "messages[0].content[0]",
        ),
        (
            user(json!({"type": "tool_use", "id": "a", "name": "f", "input": []})),
            "messages[0].content[0].input",
        ),
        (user(json!({"type": "tool_result", "content": "x"})), "messages[0].content[0].tool_use_id"),
        (
            user(json!({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "text"}]})),
            "messages[0].content[0].content[0].text",
        ),
        (with("system", json!([{"type": "text", "text": 1}])), "system[0].text"),
        (with("max_tokens", json!("many")), "max_tokens"),
        (with("tools", json!([{"name": "f"}])), "tools[0].input_schema"),
        (with("tool_choice", json!({"type": "tool", "name": "gone"})), "tool_choice.name"),
        (with("tool_choice", json!({"type": "every"})), "tool_choice.type"),
        (with("thinking", json!({"type": "enabled"})), "thinking.budget_tokens"),
        (with("thinking", json!({"type": "deep"})), "thinking.type"),
        (with("output_config", json!({"effort": "minimal"})), "output_config.effort"),
        (with("output_config", json!({"format": {"type": "xml"}})), "output_config.format.type"),
    ] {
        let refused = refusal(anthropic_to_chat(), &body.to_string());
        assert_eq!(refused.path, path, "{body}: {}", refused.message);
    }
}

#[test]
fn what_is_not_one_json_object_is_refused() {
    for pair in [chat_to_anthropic(), anthropic_to_chat()] {
        for body in [
            "",
            "[]",
            "nul",
            "{\"messages\":[",
            "{} {}",
            "\u{feff}{}",
            "{\"messages\":[{\"role\":\"user\",\"content\":\"\u{1}\"}]}",
        ] {
            refusal(pair, body);
        }
        assert!(pair.request(b"{\"a\":\"\xff\"}", "m", &OPTIONS, &mut Vec::new()).is_err());
        let deep = format!("{{\"messages\":{}", "[".repeat(100_000));
        refusal(pair, &deep);
    }
}

#[test]
fn a_member_that_comes_twice_is_refused() {
    for (pair, body, path) in [
        (chat_to_anthropic(), r#"{"model":"a","messages":[],"model":"b"}"#, "model"),
        (
            chat_to_anthropic(),
            r#"{"messages":[{"role":"user","content":"a","c\u006fntent":"b"}]}"#,
            "messages[0].content",
        ),
        (anthropic_to_chat(), r#"{"max_tokens":1,"messages":[],"max_tokens":1}"#, "max_tokens"),
    ] {
        let refused = refusal(pair, body);
        assert!(refused.message.contains("duplicate field"), "{}", refused.message);
        assert!(refused.path == path || refused.path.ends_with("c\\u006fntent"), "{}", refused.path);
    }
}

#[test]
fn a_name_from_the_body_never_leaves_the_alphabet_of_headers() {
    let body =
        json!({"messages": [{"role": "user", "content": "x"}], "bad\r\nname": 1, "ü": 1, "good-1.x": 1});
    let (_, translated) = request(chat_to_anthropic(), &body, &OPTIONS).unwrap();
    let names: Vec<_> = translated.losses.names().collect();
    assert_eq!(names.len(), 2);
    assert!(names.contains(&"good-1.x") && names.contains(&"other"));
}
