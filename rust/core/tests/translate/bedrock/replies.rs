//! Whole replies, and errors.

use serde_json::{Value, json};

use super::{anthropic, chat, usage};
use crate::answers::{Said, answers};
use crate::{SEED, answered, context};

/// Input as a value wherever it is told as text.
fn with_parsed_arguments(mut completion: Value) -> Value {
    if let Some(calls) = completion["choices"][0]["message"]["tool_calls"].as_array_mut() {
        for call in calls {
            let text = call["function"]["arguments"].as_str().unwrap();
            call["function"]["arguments"] = serde_json::from_str(text).unwrap();
        }
    }
    completion
}

#[test]
fn an_answer_is_told_as_a_completion() {
    for answer in answers() {
        let (reply, losses) = answered(chat(), &answer.bedrock()).unwrap();
        assert_eq!(losses, "", "{}", answer.name);
        // It has neither id nor model nor time, and no count of reasoning; what it encrypts is marked as its own.
        let mut expected = answer.chat();
        expected["id"] = format!("chatcmpl-{SEED}").into();
        expected["model"] = "asked".into();
        expected["usage"].as_object_mut().unwrap().remove("completion_tokens_details");
        let expected = expected.to_string().replace("\"data\":\"", "\"data\":\"bedrock:");
        let expected = serde_json::from_str(&expected).unwrap();
        assert_eq!(with_parsed_arguments(reply), with_parsed_arguments(expected), "{}", answer.name);
    }
}

#[test]
fn an_answer_is_told_as_a_message() {
    for answer in answers() {
        let (reply, losses) = answered(anthropic(), &answer.bedrock()).unwrap();
        assert_eq!(losses, "", "{}", answer.name);
        let expected = answer.anthropic();
        assert_eq!(reply["stop_reason"], expected["stop_reason"]);
        let blocks = reply["content"].as_array().unwrap();
        assert_eq!(blocks.len(), answer.said.len());
        for (block, said) in blocks.iter().zip(&answer.said) {
            match said {
                Said::Text(text) => assert_eq!(block["text"], *text),
                Said::Thinking(text, signature) => {
                    assert_eq!((&block["thinking"], &block["signature"]), (&json!(text), &json!(signature)));
                }
                Said::Redacted(data) => assert_eq!(block["data"], format!("bedrock:{data}")),
                Said::Call(id, name, input) => {
                    let input: Value = serde_json::from_str(input).unwrap();
                    assert_eq!((&block["id"], &block["name"]), (&json!(id), &json!(name)));
                    assert_eq!(block["input"], input);
                }
            }
        }
        // The parts of the prompt are counted apart on both sides.
        assert_eq!(reply["usage"]["input_tokens"], 10);
        assert_eq!(reply["usage"]["cache_read_input_tokens"], 85);
        assert_eq!(reply["usage"]["cache_creation_input_tokens"], 5);
        assert_eq!(reply["usage"]["output_tokens"], 20);
    }
}

fn reply(content: &Value, reason: &str) -> Value {
    json!({"output": {"message": {"role": "assistant", "content": content}}, "stopReason": reason,
        "usage": usage(), "metrics": {"latencyMs": 1}})
}

#[test]
fn every_reason_for_stopping_has_a_meaning() {
    let call = json!([{"toolUse": {"toolUseId": "a", "name": "f", "input": {}}}]);
    let text = json!([{"text": "a"}]);
    for (content, reason, told, lost) in [
        (&text, "end_turn", "stop", ""),
        (&text, "stop_sequence", "stop", ""),
        (&text, "max_tokens", "length", ""),
        (&text, "model_context_window_exceeded", "length", ""),
        (&text, "guardrail_intervened", "content_filter", ""),
        (&text, "content_filtered", "content_filter", ""),
        (&text, "novel", "stop", "stopReason"),
        (&call, "tool_use", "tool_calls", ""),
        (&call, "end_turn", "tool_calls", ""),
        (&call, "novel", "tool_calls", "stopReason"),
    ] {
        let (reply, losses) = answered(chat(), &reply(content, reason)).unwrap();
        assert_eq!(
            (reply["choices"][0]["finish_reason"].as_str(), losses.as_str()),
            (Some(told), lost),
            "{reason}"
        );
    }
}

#[test]
fn what_a_reply_loses_is_named() {
    let mut body = reply(
        &json!([
            {"citationsContent": {"content": [{"text": "a"}, {"text": "b"}], "citations": [{"title": "t"}]}},
            {"image": {"format": "png", "source": {"bytes": "aGk="}}},
            {"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use", "input": {}}},
            {"reasoningContent": {"reasoningText": {"text": "r", "novel": 1}}},
        ]),
        "end_turn",
    );
    body["trace"] = json!({"guardrail": {"modelOutput": ["x"]}});
    body["additionalModelResponseFields"] = json!({"stop_sequence": "X"});
    body["performanceConfig"] = json!({"latency": "standard"});
    body["serviceTier"] = json!({"type": "default"});
    let (told, losses) = answered(anthropic(), &body).unwrap();
    let texts: Vec<_> = told["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
    assert_eq!(texts, ["text", "text", "thinking"]);
    assert_eq!(told["stop_reason"], "end_turn");
    let mut names: Vec<_> = losses.split(',').collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "additionalModelResponseFields",
            "content[].citations",
            "content[].image",
            "content[].reasoningContent.reasoningText.novel",
            "content[].server_tool_use",
            "trace"
        ]
    );
}

#[test]
fn a_reply_that_is_none_is_malformed() {
    let call = |call: Value| reply(&json!([{"toolUse": call}]), "tool_use");
    for (body, said) in [
        (json!([]), "an object"),
        (json!({}), "output"),
        (json!({"message": "boom"}), "output"),
        (json!({"output": {}}), "output.message"),
        (json!({"output": {"message": {}}}), "output.message.content"),
        (json!({"output": {"message": {"content": []}}}), "stopReason"),
        (reply(&json!([{"text": 1}]), "end_turn"), "text"),
        (reply(&json!([]), "malformed_model_output"), "malformed_model_output"),
        (reply(&json!([]), "malformed_tool_use"), "malformed_tool_use"),
        (call(json!({"toolUseId": "a", "name": "f", "input": "{}"})), "not an object"),
        (call(json!({"toolUseId": "a", "name": "f"})), "output.message.content[0].toolUse.input"),
        (call(json!({"toolUseId": "a", "input": {}})), "content[0].toolUse.name"),
    ] {
        let malformed = answered(chat(), &body).unwrap_err();
        assert!(malformed.message.contains(said), "{said} in {}", malformed.message);
    }
    for body in [&b"{\"output\":[\xff]}"[..], b"", b"<html>", b"{\"output\":{}} x"] {
        let mut out = Vec::new();
        assert!(anthropic().reply(&context(), body, &mut out).is_err());
        assert!(out.is_empty());
    }
}

#[test]
fn an_error_is_told_in_the_shape_of_the_surface() {
    let told = |pair: llm_edge_core::translate::Pair, status, body: &str| {
        let mut out = Vec::new();
        pair.error(status, body.as_bytes(), "req_1", &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let busy = r#"{"message":"Too many requests, please wait before trying again."}"#;
    assert_eq!(told(anthropic(), 429, busy)["error"]["type"], "rate_limit_error");
    assert_eq!(
        told(chat(), 429, busy)["error"]["message"],
        "Too many requests, please wait before trying again."
    );
    let denied = r#"{"Message":"User is not authorized"}"#;
    assert_eq!(
        told(anthropic(), 403, denied)["error"],
        json!({"type": "permission_error", "message": "User is not authorized"})
    );
}
