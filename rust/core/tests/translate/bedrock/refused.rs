//! Requests that cannot be carried over, and what is left out of others by name.

use serde_json::{Value, json};

use super::{CLAUDE, HIDDEN, LLAMA, NOVA, anthropic, chat, sent};
use crate::{OPTIONS, request_of};

#[test]
fn what_the_api_cannot_be_asked_is_refused() {
    let user = |block: Value| json!({"max_tokens": 1, "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, block]}]});
    let image = |source: Value| user(json!({"type": "image", "source": source}));
    let document = |source: Value| user(json!({"type": "document", "source": source}));
    let url = json!({"type": "url", "url": "https://example.com/a"});
    let base64 = |media_type: &str| json!({"type": "base64", "media_type": media_type, "data": "aGk="});
    let tool = |name: &str| json!({"max_tokens": 1, "tools": [{"name": name, "input_schema": {}}], "messages": [{"role": "user", "content": "x"}]});
    for (body, path, said) in [
        (image(url.clone()), "messages", "`https://example.com/a`"),
        (document(url.clone()), "messages", "send it as base64"),
        (
            user(
                json!({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "image", "source": url}]}),
            ),
            "messages",
            "an image by its address",
        ),
        (image(base64("image/tiff")), "messages", "`image/tiff`"),
        (document(base64("application/zip")), "messages", "`application/zip`"),
        (tool("a.b"), "tools", "`a.b`"),
        (tool(&"x".repeat(65)), "tools", "64"),
        (tool(""), "tools", "``"),
        (json!({"max_tokens": 1, "messages": []}), "messages", "user"),
        (json!({"max_tokens": 1, "system": "x", "messages": []}), "messages", "user"),
        (
            json!({"max_tokens": 1, "messages": [{"role": "assistant", "content": "Hello!"}, {"role": "user", "content": "x"}]}),
            "messages",
            "user",
        ),
        (json!({"max_tokens": 1, "messages": [{"role": "user", "content": " "}]}), "messages", "user"),
    ] {
        let mut out = Vec::new();
        let refused =
            anthropic().request(body.to_string().as_bytes(), CLAUDE, &OPTIONS, &mut out).unwrap_err();
        assert_eq!(refused.path, path, "{body}");
        assert!(refused.message.contains(said), "{said} in {}", refused.message);
        assert!(out.is_empty());
    }
    let system = json!({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://a"}}]}, {"role": "user", "content": "x"}]});
    assert_eq!(request_of(chat(), CLAUDE, &system, &OPTIONS).unwrap_err().path, "messages");
}

#[test]
fn what_the_api_has_no_word_for_is_named() {
    let image =
        json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk=", "detail": "high"}});
    for (member, value, claude, other) in [
        ("n", json!(2), "n", "n"),
        ("seed", json!(7), "seed", "seed"),
        ("logit_bias", json!({"1": 5}), "logit_bias", "logit_bias"),
        ("logprobs", json!(true), "logprobs", "logprobs"),
        ("frequency_penalty", json!(0.5), "frequency_penalty", "frequency_penalty"),
        ("presence_penalty", json!(0), "", ""),
        ("temperature", json!(1.5), "temperature", "temperature"),
        ("temperature", json!(0.5), "", ""),
        ("top_k", json!(5), "", "top_k"),
        ("top_p", json!(0.5), "", ""),
        ("stop", json!([" ", "END"]), "stop", "stop"),
        ("reasoning_effort", json!("high"), "", "reasoning_effort"),
        ("response_format", json!({"type": "json_object"}), "response_format", "response_format"),
        ("response_format", json!({"type": "json_schema", "json_schema": {"schema": {}}}), "", ""),
        ("user", json!("ü"), "user", "user"),
        ("user", json!("x".repeat(257)), "user", "user"),
        ("user", json!("user-1"), "", ""),
        ("service_tier", json!("flex"), "service_tier", "service_tier"),
        ("service_tier", json!("auto"), "", ""),
        ("parallel_tool_calls", json!(false), "", "parallel_tool_calls"),
        ("parallel_tool_calls", json!(true), "", ""),
        ("tool_choice", json!("none"), "tools[]", "tools[]"),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "text", "text": "x"}, image]}]),
            "messages[].content[].image_url.detail",
            "messages[].content[].image_url.detail",
        ),
        (
            "messages",
            json!([{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]),
            "messages[].role",
            "messages[].role",
        ),
    ] {
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let mut body = json!({"model": "x", "tools": tools, "messages": [{"role": "user", "content": "Hi"}]});
        body[member] = value.clone();
        for (model, lost) in [(CLAUDE, claude), (HIDDEN, claude), (NOVA, other), (LLAMA, other)] {
            assert_eq!(sent(chat(), model, &body).1, lost, "{member}: {value} to {model}");
        }
    }
}

#[test]
fn reasoning_goes_to_the_models_that_made_it() {
    let thought = |signature: &str| json!({"type": "thinking", "thinking": "Hm.", "signature": signature});
    let redacted = |data: &str| json!({"type": "redacted_thinking", "data": data});
    for (block, model, kept) in [
        (thought("c2ln"), CLAUDE, true),
        (thought("c2ln"), HIDDEN, true),
        (thought("c2ln"), LLAMA, false),
        (thought("google:c2ln"), CLAUDE, false),
        (thought("openai:c2ln"), CLAUDE, false),
        (thought(""), CLAUDE, false),
        (redacted("bedrock:ZGF0YQ=="), CLAUDE, true),
        (redacted("bedrock:ZGF0YQ=="), LLAMA, true),
        (redacted("ZGF0YQ=="), CLAUDE, false),
        (redacted("openai:ZGF0YQ=="), CLAUDE, false),
    ] {
        let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "x"},
            {"role": "assistant", "content": [block, {"type": "text", "text": "y"}]}]});
        let (told, losses) = sent(anthropic(), model, &body);
        let content = told["messages"][1]["content"].as_array().unwrap();
        assert_eq!(content.len(), 1 + usize::from(kept), "{block} to {model}");
        let lost = format!("messages[].content[].{}", block["type"].as_str().unwrap());
        assert_eq!(losses, if kept { "" } else { &lost }, "{block} to {model}");
    }
}
