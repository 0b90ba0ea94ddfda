//! Requests that cannot be carried over: refused, with the path of what is at fault.

use llm_edge_core::translate::{Pair, Untranslatable};
use serde_json::{Value, json};

use super::{AnthropicMessages, Gemini, OpenaiChat, pair};
use crate::OPTIONS;

fn refusal(pair: Pair, body: &str) -> Untranslatable {
    let mut out = Vec::new();
    let refused = pair.request(body.as_bytes(), "m", &OPTIONS, &mut out).map(|_| ()).expect_err(body);
    assert!(out.is_empty());
    refused
}

type Cases = Vec<(Value, &'static str)>;

fn check(cases: Cases) {
    for (body, path) in cases {
        let refused = refusal(pair(Gemini, OpenaiChat), &body.to_string());
        assert_eq!(refused.path, path, "{body}: {}", refused.message);
        assert!(!refused.message.is_empty() && !refused.message.contains(" line "), "{}", refused.message);
    }
}

#[test]
fn contents_are_refused_by_path() {
    let parts = |parts: Value| json!({"contents": [{"parts": [{"text": "x"}]}, {"parts": parts}]});
    let model =
        |part: Value| json!({"contents": [{"parts": [{"text": "x"}]}, {"role": "model", "parts": [part]}]});
    check(vec![
        (json!({}), "contents"),
        (json!({"contents": {}}), "contents"),
        (json!({"contents": [{"role": "user"}]}), "contents[0].parts"),
        (json!({"contents": [{"role": "assistant", "parts": [{"text": "x"}]}]}), "contents[0].role"),
        (parts(json!([{"text": 7}])), "contents[1].parts[0].text"),
        (parts(json!([{}])), "contents[1].parts[0]"),
        (parts(json!([{"inlineData": {"data": "aGk="}}])), "contents[1].parts[0].inlineData.mimeType"),
        (parts(json!([{"inlineData": {"mimeType": "image/png"}}])), "contents[1].parts[0].inlineData.data"),
        (
            parts(json!([{"inlineData": {"mimeType": "audio/wav", "data": "aGk="}}])),
            "contents[1].parts[0].inlineData.mimeType",
        ),
        (
            parts(json!([{"inlineData": {"mimeType": "text/plain", "data": "_w"}}])),
            "contents[1].parts[0].inlineData.data",
        ),
        (parts(json!([{"fileData": {"mimeType": "image/png"}}])), "contents[1].parts[0].fileData.fileUri"),
        (
            parts(
                json!([{"fileData": {"fileUri": "https://generativelanguage.googleapis.com/v1beta/files/a"}}]),
            ),
            "contents[1].parts[0].fileData.fileUri",
        ),
        (
            parts(json!([{"fileData": {"mimeType": "image/png", "fileUri": "gs://a/b.png"}}])),
            "contents[1].parts[0].fileData.fileUri",
        ),
        (
            parts(json!([{"fileData": {"fileUri": "https://www.youtube.com/watch?v=1"}}])),
            "contents[1].parts[0].fileData.mimeType",
        ),
        (model(json!({"functionCall": {"args": {}}})), "contents[1].parts[0].functionCall.name"),
        (model(json!({"functionCall": {"name": "f", "args": []}})), "contents[1].parts[0].functionCall.args"),
        (
            model(json!({"functionCall": {"name": "f", "partialArgs": [{}]}})),
            "contents[1].parts[0].functionCall.partialArgs",
        ),
        (
            parts(json!([{"functionResponse": {"name": "f", "response": {}}}])),
            "contents[1].parts[0].functionResponse",
        ),
        (
            parts(json!([{"functionResponse": {"response": {}}}])),
            "contents[1].parts[0].functionResponse.name",
        ),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
                {"parts": [{"functionResponse": {"name": "f", "response": "x"}}]}]}),
            "contents[1].parts[0].functionResponse.response",
        ),
        (
            json!({"contents": [{"role": "model", "parts": [{"functionCall": {"name": "f"}}]},
                {"parts": [{"functionResponse": {"name": "f", "response": {}}}, {"functionResponse": {"name": "f", "response": {}}}]}]}),
            "contents[1].parts[1].functionResponse",
        ),
    ]);
    let refused = refusal(pair(Gemini, AnthropicMessages), r#"{"contents":[]}"#);
    assert_eq!(refused.path, "contents");
}

#[test]
fn what_steers_a_request_is_refused_by_path() {
    let with = |member: &str, value: Value| {
        let mut body = json!({"contents": [{"parts": [{"text": "x"}]}]});
        body[member] = value;
        body
    };
    let config = |member: &str, value: Value| with("generationConfig", json!({member: value}));
    let nested = format!("{}{}", r#"{"type":"ARRAY","items":"#.repeat(40), "{}");
    let nested: Value = serde_json::from_str(&(nested + &"}".repeat(40))).unwrap();
    let declare = |declaration: Value| with("tools", json!([{"functionDeclarations": [declaration]}]));
    check(vec![
        (with("cachedContent", json!("cachedContents/a")), "cachedContent"),
        (with("systemInstruction", json!({"parts": [{"inlineData": {}}]})), "systemInstruction.parts[0]"),
        (with("system_instruction", json!("x")), "system_instruction"),
        (
            json!({"contents": [], "systemInstruction": {"parts": []}, "system_instruction": {"parts": []}}),
            "system_instruction",
        ),
        (config("maxOutputTokens", json!(-1)), "generationConfig.maxOutputTokens"),
        (config("temperature", json!("hot")), "generationConfig.temperature"),
        (config("stopSequences", json!(["a", 1])), "generationConfig.stopSequences[1]"),
        (config("responseJsonSchema", json!(true)), "generationConfig.responseJsonSchema"),
        (
            with(
                "generationConfig",
                json!({"responseJsonSchema": {"a": 1}, "responseSchema": {"type": "OBJECT"}}),
            ),
            "generationConfig.responseSchema",
        ),
        (
            config("thinkingConfig", json!({"thinkingLevel": "LOW", "thinkingBudget": 1})),
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        (
            config("thinkingConfig", json!({"thinkingLevel": "DEEP"})),
            "generationConfig.thinkingConfig.thinkingLevel",
        ),
        (
            config("thinkingConfig", json!({"thinkingBudget": -2})),
            "generationConfig.thinkingConfig.thinkingBudget",
        ),
        (declare(json!({"description": "d"})), "tools[0].functionDeclarations[0].name"),
        (declare(json!({"name": "f", "parameters": [1]})), "tools[0].functionDeclarations[0].parameters"),
        (declare(json!({"name": "f", "parameters": nested})), "tools[0].functionDeclarations[0].parameters"),
        (
            declare(
                json!({"name": "f", "parameters": {"type": "OBJECT"}, "parametersJsonSchema": {"type": "object"}}),
            ),
            "tools[0].functionDeclarations[0].parameters",
        ),
        (
            with("toolConfig", json!({"functionCallingConfig": {"mode": "SOMETIMES"}})),
            "toolConfig.functionCallingConfig.mode",
        ),
        (
            with(
                "toolConfig",
                json!({"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["gone"]}}),
            ),
            "toolConfig.functionCallingConfig.allowedFunctionNames[0]",
        ),
    ]);
}

#[test]
fn what_gemini_cannot_be_told_is_refused() {
    let chat = |message: Value| json!({"messages": [{"role": "user", "content": "x"}, message]});
    let url =
        |url: &str| json!({"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]});
    for (body, said) in [
        (json!({"messages": []}), "said by the user"),
        (json!({"messages": [{"role": "system", "content": "alone"}]}), "said by the user"),
        (
            json!({"messages": [{"role": "system", "content": [{"type": "image_url", "image_url": {"url": "https://a"}}]}, {"role": "user", "content": "x"}]}),
            "not text",
        ),
        (chat(url("http://example.com/a.png")), "https"),
        (chat(json!({"role": "tool", "tool_call_id": "gone", "content": "r"})), "`gone`"),
    ] {
        let refused = refusal(pair(OpenaiChat, Gemini), &body.to_string());
        assert_eq!(refused.path, "messages");
        assert!(refused.message.contains(said), "{}", refused.message);
    }
}
