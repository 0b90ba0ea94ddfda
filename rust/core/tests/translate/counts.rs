//! How many tokens a request has, asked in one dialect and answered in another.

use llm_edge_core::dialect::{Dialect, Platform, unwrapped_question};
use llm_edge_core::translate::{Options, Pair, between_counts};
use serde_json::{Value, json};

use crate::cache::MARKED;
use crate::{OPTIONS, answered, request, sent};

const CLIENTS: [Dialect; 3] = [Dialect::AnthropicMessages, Dialect::Gemini, Dialect::OpenaiResponses];

fn pair(surface: Dialect, target: Dialect) -> Pair {
    between_counts(surface, target).unwrap()
}

/// A prompt with a tool, and with settings that are no part of it.
fn asked(surface: Dialect) -> Value {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    match surface {
        Dialect::AnthropicMessages => json!({
            "model": "c", "system": "Be brief.", "messages": [{"role": "user", "content": "Grüße"}],
            "tools": [{"name": "look", "description": "Looks.", "input_schema": schema}],
        }),
        Dialect::Gemini => json!({"generateContentRequest": {
            "model": "models/c", "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [{"role": "user", "parts": [{"text": "Grüße"}]}],
            "tools": [{"functionDeclarations": [
                {"name": "look", "description": "Looks.", "parametersJsonSchema": schema},
            ]}],
            "generationConfig": {"maxOutputTokens": 9, "temperature": 0.5, "stopSequences": ["x"], "seed": 3},
        }}),
        _ => json!({
            "model": "c", "instructions": "Be brief.", "input": [{"role": "user", "content": "Grüße"}],
            "tools": [{"type": "function", "name": "look", "description": "Looks.", "parameters": schema}],
        }),
    }
}

#[test]
fn the_prompt_is_counted_and_nothing_else_is_asked() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}});
    for surface in CLIENTS {
        for target in
            [Dialect::AnthropicMessages, Dialect::Gemini, Dialect::OpenaiResponses, Dialect::BedrockConverse]
        {
            let Some(pair) = between_counts(surface, target) else {
                assert_eq!(surface, target);
                continue;
            };
            let (body, losses) = sent(pair, &asked(surface));
            assert_eq!(losses, "", "{surface:?} to {target:?}");
            let (prompt, members) = match target {
                Dialect::Gemini => (
                    &body["generateContentRequest"],
                    &["model", "systemInstruction", "contents", "tools", "generationConfig"][..],
                ),
                Dialect::BedrockConverse => {
                    (&body["input"]["converse"], &["system", "messages", "toolConfig"][..])
                }
                Dialect::AnthropicMessages => (&body, &["model", "system", "messages", "tools"][..]),
                _ => (&body, &["model", "instructions", "input", "tools"][..]),
            };
            let found: Vec<_> = prompt.as_object().unwrap().keys().map(String::as_str).collect();
            assert!(found.iter().all(|name| members.contains(name)), "{surface:?} to {target:?}: {found:?}");
            let text = body.to_string();
            for part in ["Be brief.", "Grüße", "look", "Looks.", &schema["properties"].to_string()] {
                assert!(text.contains(part), "{surface:?} to {target:?}: {part}");
            }
            assert!(!text.contains("cache"), "{text}");
            let (marked, _) = request(pair, &asked(surface), &MARKED).unwrap();
            assert_eq!(serde_json::from_str::<Value>(&marked).unwrap(), body);
        }
    }
}

#[test]
fn googles_question_may_stand_alone_and_names_the_model_asked_there() {
    let question = json!({"contents": [{"parts": [{"text": "Hi"}]}]});
    let (body, _) = sent(pair(Dialect::Gemini, Dialect::AnthropicMessages), &question);
    assert_eq!(body["messages"][0]["content"][0]["text"], "Hi");
    let (body, _) =
        sent(pair(Dialect::AnthropicMessages, Dialect::Gemini), &asked(Dialect::AnthropicMessages));
    assert_eq!(body["generateContentRequest"]["model"], "models/m");
}

#[test]
fn vertex_ai_is_asked_without_what_googles_own_api_wraps_around() {
    let unwrapped =
        |body: &str| unwrapped_question(body.as_bytes()).map(|out| String::from_utf8(out).unwrap());
    assert_eq!(
        unwrapped(
            r#"{"generateContentRequest": {"model":"models/m", "contents":[{"parts": [{"text":"ü\u00fc"}]}],
            "toolConfig":{}, "safetySettings":[], "tools":[], "generationConfig":{"seed": 1}}}"#
        )
        .unwrap(),
        r#"{"contents":[{"parts": [{"text":"ü\u00fc"}]}],"tools":[],"generationConfig":{"seed": 1}}"#,
    );
    let snake = r#"{"generate_content_request":{"system_instruction":{}, "contents":[]}}"#;
    assert_eq!(unwrapped(snake).unwrap(), r#"{"contents":[],"system_instruction":{}}"#);
    for alone in
        [r#"{"contents":[]}"#, r#"{"generateContentRequest":null}"#, r#"{"generateContentRequest":1}"#]
    {
        assert_eq!(unwrapped(alone), None);
    }
}

#[test]
fn what_a_question_has_no_place_for_is_not_asked() {
    let with = |member: &str, value: Value| {
        let mut body = asked(Dialect::AnthropicMessages);
        body[member] = value;
        body
    };
    let format = json!({"format": {"type": "json_schema", "schema": {}}});
    let amazon = pair(Dialect::AnthropicMessages, Dialect::BedrockConverse);
    let (body, losses) = sent(amazon, &with("output_config", format));
    assert_eq!(body["input"]["converse"].get("outputConfig"), None);
    assert_eq!(losses, "output_config.format");

    let chosen = with("tool_choice", json!({"type": "any"}));
    let google = pair(Dialect::AnthropicMessages, Dialect::Gemini);
    let on_vertex = Options { platform: Platform::Vertex, ..OPTIONS };
    let (body, translated) = request(google, &chosen, &on_vertex).unwrap();
    let body: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((body.get("toolConfig"), translated.losses.to_string()), (None, String::new()));
    assert!(body.get("tools").is_some());
    assert!(sent(google, &chosen).0["generateContentRequest"].get("toolConfig").is_some());
}

#[test]
fn the_answer_is_the_number_in_the_clients_shape() {
    let upstreams = [
        (Dialect::AnthropicMessages, json!({"input_tokens": 21})),
        (Dialect::Gemini, json!({"totalTokens": 21, "promptTokensDetails": [{"modality": "TEXT"}]})),
        (Dialect::OpenaiResponses, json!({"object": "response.input_tokens", "input_tokens": 21})),
        (Dialect::BedrockConverse, json!({"inputTokens": 21})),
    ];
    let answers = [
        json!({"input_tokens": 21}),
        json!({"totalTokens": 21}),
        json!({"object": "response.input_tokens", "input_tokens": 21}),
    ];
    for (surface, answer) in CLIENTS.into_iter().zip(answers) {
        for (target, reply) in &upstreams {
            let Some(pair) = between_counts(surface, *target) else { continue };
            assert_eq!(answered(pair, reply).unwrap(), (answer.clone(), String::new()));
        }
    }
}

#[test]
fn what_is_no_number_of_tokens_is_no_answer() {
    let pair = pair(Dialect::AnthropicMessages, Dialect::Gemini);
    for reply in [
        json!({}),
        json!({"totalTokens": -1}),
        json!({"totalTokens": "9"}),
        json!({"totalTokens": 1.5}),
        json!([1]),
    ] {
        assert!(answered(pair, &reply).is_err(), "{reply}");
    }
}

#[test]
fn not_every_dialect_counts() {
    for target in [Dialect::OpenaiChat, Dialect::CohereChat, Dialect::OllamaChat] {
        assert!(CLIENTS.into_iter().all(|surface| between_counts(surface, target).is_none()));
    }
    assert!(between_counts(Dialect::OpenaiChat, Dialect::Gemini).is_none());
}
