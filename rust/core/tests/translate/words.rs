//! What is lost or refused is named as the client calls it, whichever API the request would have gone to.

use llm_edge_core::dialect::Dialect::{
    self, AnthropicMessages, BedrockConverse, OpenaiChat, OpenaiResponses,
};
use llm_edge_core::translate::between;
use serde_json::{Value, json};

use crate::{OPTIONS, request, sent};

/// A conversation in which the assistant said `said`.
fn conversation(said: &Value) -> Value {
    json!([{"role": "user", "content": "x"}, said, {"role": "user", "content": "y"}])
}

#[test]
fn a_loss_has_the_clients_name() {
    let thinking = json!({"type": "thinking", "thinking": "x", "signature": "google:c2ln"});
    let redacted = json!({"type": "redacted_thinking", "data": "google:ZGF0YQ=="});
    let chat = |block: &Value| {
        ("messages", conversation(&json!({"role": "assistant", "content": "z", "thinking_blocks": [block]})))
    };
    let anthropic = |block: &Value| {
        let text = json!({"type": "text", "text": "z"});
        ("messages", conversation(&json!({"role": "assistant", "content": [block, text]})))
    };
    let responses = |encrypted: &str| {
        let item = json!({"type": "reasoning", "id": "r", "summary": [], "encrypted_content": encrypted});
        ("input", conversation(&item))
    };
    for (surface, targets, (member, value), lost) in [
        (
            OpenaiChat,
            &[AnthropicMessages, BedrockConverse, OpenaiResponses][..],
            chat(&thinking),
            "messages[].thinking_blocks",
        ),
        (
            OpenaiChat,
            &[AnthropicMessages, BedrockConverse, OpenaiResponses],
            chat(&redacted),
            "messages[].thinking_blocks",
        ),
        (OpenaiChat, &[OpenaiResponses], ("reasoning_effort", json!("none")), "reasoning_effort"),
        (OpenaiChat, &[OpenaiResponses], ("stop", json!("x")), "stop"),
        (
            OpenaiChat,
            &[BedrockConverse, AnthropicMessages],
            ("response_format", json!({"type": "json_object"})),
            "response_format",
        ),
        (
            AnthropicMessages,
            &[BedrockConverse, OpenaiChat, OpenaiResponses],
            anthropic(&thinking),
            "messages[].content[].thinking",
        ),
        (
            AnthropicMessages,
            &[BedrockConverse, OpenaiChat, OpenaiResponses],
            anthropic(&redacted),
            "messages[].content[].redacted_thinking",
        ),
        (AnthropicMessages, &[OpenaiResponses], ("stop_sequences", json!(["x"])), "stop_sequences"),
        (
            AnthropicMessages,
            &[OpenaiResponses],
            ("metadata", json!({"user_id": "x".repeat(200)})),
            "metadata.user_id",
        ),
        (AnthropicMessages, &[BedrockConverse], ("thinking", json!({"type": "adaptive"})), "thinking"),
        (
            OpenaiResponses,
            &[AnthropicMessages, BedrockConverse, OpenaiChat],
            responses("signature:google:c2ln"),
            "input[].reasoning",
        ),
        (
            OpenaiResponses,
            &[AnthropicMessages, BedrockConverse, OpenaiChat],
            responses("redacted:google:ZGF0YQ=="),
            "input[].reasoning",
        ),
        (OpenaiResponses, &[OpenaiChat], ("reasoning", json!({"effort": "none"})), "reasoning.effort"),
        (OpenaiResponses, &[BedrockConverse], ("reasoning", json!({"effort": "high"})), "reasoning.effort"),
        (
            OpenaiResponses,
            &[AnthropicMessages, BedrockConverse],
            ("text", json!({"format": {"type": "json_object"}})),
            "text.format",
        ),
        (OpenaiResponses, &[AnthropicMessages], ("user", json!("x".repeat(600))), "user"),
    ] {
        for target in targets {
            let mut body = json!({"model": "x", "max_tokens": 100});
            if surface == OpenaiResponses {
                body = json!({"model": "x", "input": "Hi"});
            } else {
                body["messages"] = json!([{"role": "user", "content": "Hi"}]);
            }
            body[member] = value.clone();
            let pair = between(surface, *target).unwrap();
            assert_eq!(sent(pair, &body).1, lost, "{surface:?} to {target:?}: {body}");
        }
    }
}

#[test]
fn a_refusal_has_the_clients_path() {
    let part = json!({"type": "input_file", "file_url": "https://example.com/a.pdf"});
    let linked = json!({"input": [{"role": "user", "content": [part]}]});
    let block = json!({"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}});
    let of_anthropic = json!({"max_tokens": 1, "messages": [{"role": "user", "content": [block]}]});
    for (surface, target, body, path) in [
        (OpenaiResponses, OpenaiChat, linked.clone(), "input"),
        (OpenaiResponses, BedrockConverse, linked, "input"),
        (OpenaiResponses, AnthropicMessages, json!({"input": []}), "input"),
        (AnthropicMessages, OpenaiChat, of_anthropic.clone(), "messages[0].content[0]"),
        (AnthropicMessages, BedrockConverse, of_anthropic, "messages"),
        (AnthropicMessages, OpenaiResponses, json!({"max_tokens": 1, "messages": []}), "messages"),
        (OpenaiChat, OpenaiResponses, json!({"messages": []}), "messages"),
    ] as [(Dialect, Dialect, Value, &str); 7]
    {
        let refused = request(between(surface, target).unwrap(), &body, &OPTIONS).unwrap_err();
        assert_eq!(refused.path, path, "{surface:?} to {target:?}: {}", refused.message);
    }
}
