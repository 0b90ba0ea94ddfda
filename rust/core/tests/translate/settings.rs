//! What a response repeats of its request: as it was carried over, in the whole reply and in the stream.

use llm_edge_core::dialect::Dialect::AnthropicMessages;
use llm_edge_core::translate::Context;
use serde_json::{Value, json};

use crate::answers::{answers, events};
use crate::{OPTIONS, request, responses_to};

const NAMES: &[&str] = &[
    "instructions",
    "max_output_tokens",
    "metadata",
    "parallel_tool_calls",
    "reasoning",
    "store",
    "temperature",
    "text",
    "tool_choice",
    "tools",
    "top_p",
    "truncation",
];

fn settings(response: &Value) -> Value {
    NAMES
        .iter()
        .map(|name| ((*name).to_owned(), response[*name].clone()))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn context(body: &Value) -> Context {
    request(responses_to(AnthropicMessages), body, &OPTIONS).unwrap().1.context
}

fn replied(context: &Context) -> Value {
    let mut out = Vec::new();
    let upstream = answers().swap_remove(0).anthropic().to_string();
    responses_to(AnthropicMessages).reply(context, upstream.as_bytes(), &mut out).unwrap();
    serde_json::from_slice(&out).unwrap()
}

#[test]
fn a_response_repeats_what_its_request_set() {
    let schema = json!({"type": "object", "properties": {"q": {"type": "string"}}});
    let format = json!({"type": "json_schema", "name": "x", "strict": true, "schema": schema});
    let body = json!({
        "input": "Hi", "instructions": "Be \"brief\".", "max_output_tokens": 100, "temperature": 0.50, "top_p": 1,
        "metadata": {"ticket": "7"}, "parallel_tool_calls": false, "reasoning": {"effort": "low"},
        "text": {"format": format}, "tool_choice": {"type": "function", "name": "f"}, "store": true,
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": true},
            {"type": "function", "name": "g"},
            {"type": "web_search"},
        ],
    });
    let wanted = json!({
        "instructions": "Be \"brief\".", "max_output_tokens": 100, "temperature": 0.5, "top_p": 1,
        "metadata": {"ticket": "7"}, "parallel_tool_calls": false,
        "reasoning": {"effort": "low", "summary": null}, "text": {"format": format},
        "tool_choice": {"type": "function", "name": "f"}, "store": false, "truncation": "disabled",
        // The upstream was not given the search.
        "tools": [
            {"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": true},
            {"type": "function", "name": "g", "parameters": {"type": "object", "properties": {}}, "strict": false},
        ],
    });
    let context = context(&body);
    assert_eq!(settings(&replied(&context)), wanted);
    let mut out = Vec::new();
    let mut translator = responses_to(AnthropicMessages).stream(context);
    translator.push(answers().swap_remove(0).anthropic_stream(3).as_bytes(), &mut out).unwrap();
    translator.finish(&mut out).unwrap();
    let stream = String::from_utf8(out).unwrap();
    let told: Vec<Value> = events(&stream)
        .into_iter()
        .filter_map(|(_, data)| serde_json::from_str::<Value>(data).unwrap().get("response").map(settings))
        .collect();
    assert_eq!(told, vec![wanted; 3], "when it is created, when it is under way and when it is done");
}

#[test]
fn what_a_request_leaves_out_is_told_as_the_default() {
    let bare = replied(&context(&json!({"input": "Hi"})));
    let null = json!({
        "input": "Hi", "instructions": null, "max_output_tokens": null, "metadata": null, "temperature": null,
        "top_p": null, "tools": null, "tool_choice": null, "text": null, "reasoning": null,
        "parallel_tool_calls": null,
    });
    assert_eq!(replied(&context(&null)), bare);
    assert_eq!(bare["tools"], json!([]));
    assert_eq!(bare["tool_choice"], "auto");
    assert_eq!(bare["parallel_tool_calls"], true);
    assert_eq!(bare["text"], json!({"format": {"type": "text"}}));
}

#[test]
fn a_summary_that_was_asked_for_is_told_as_it_was_asked_of_the_upstream() {
    let reasoning =
        |asked: Value| replied(&context(&json!({"input": "Hi", "reasoning": asked})))["reasoning"].clone();
    assert_eq!(reasoning(json!({"summary": "detailed"})), json!({"effort": null, "summary": "auto"}));
    assert_eq!(reasoning(json!({"effort": "low"})), json!({"effort": "low", "summary": null}));
    assert_eq!(
        reasoning(json!({"effort": "none", "summary": "auto"})),
        json!({"effort": "none", "summary": null})
    );
}
