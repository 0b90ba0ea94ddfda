//! Reasoning signatures, there and back: Gemini 3 refuses a step whose first call comes back without its own.

use llm_edge_core::dialect::Dialect::OpenaiResponses;
use serde_json::{Value, json};

use super::answers::{base64, fold, gemini_stream, wrapped};
use super::{AnthropicMessages, Dialect, Gemini, OpenaiChat, ended, pair, sent_to, sse};
use crate::answers::{answers, fold_anthropic, fold_chat, fold_responses};
use crate::{answered, sent};

const MODEL: &str = "gemini-3-flash-preview";

/// What Gemini is sent of a reply of its own that a client of `surface` sends back, with the results of its calls.
fn returned(surface: Dialect, reply: &Value) -> Vec<Value> {
    let (body, ids): (Value, Vec<Value>) = if surface == OpenaiChat {
        let message = reply["choices"][0]["message"].clone();
        let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
        let ids: Vec<Value> = calls.iter().map(|call| call["id"].clone()).collect();
        let mut messages = vec![json!({"role": "user", "content": "x"}), message];
        messages.extend(ids.iter().map(|id| json!({"role": "tool", "tool_call_id": id, "content": "r"})));
        messages.push(json!({"role": "user", "content": "y"}));
        (json!({"messages": messages}), ids)
    } else if surface == OpenaiResponses {
        let mut input = vec![json!({"role": "user", "content": "x"})];
        let said = reply["output"].as_array().unwrap();
        let calls = said.iter().filter(|item| item["type"] == "function_call");
        let ids: Vec<Value> = calls.map(|call| call["call_id"].clone()).collect();
        input.extend(said.iter().cloned());
        input.extend(
            ids.iter().map(|id| json!({"type": "function_call_output", "call_id": id, "output": "r"})),
        );
        input.push(json!({"role": "user", "content": "y"}));
        (json!({"input": input}), ids)
    } else {
        let calls = reply["content"].as_array().unwrap().iter().filter(|block| block["type"] == "tool_use");
        let ids: Vec<Value> = calls.map(|call| call["id"].clone()).collect();
        let mut results: Vec<Value> =
            ids.iter().map(|id| json!({"type": "tool_result", "tool_use_id": id, "content": "r"})).collect();
        results.push(json!({"type": "text", "text": "y"}));
        let messages = json!([{"role": "user", "content": "x"},
            {"role": "assistant", "content": reply["content"]}, {"role": "user", "content": results}]);
        (json!({"max_tokens": 9, "messages": messages}), ids)
    };
    let (told, losses) = sent_to(pair(surface, Gemini), MODEL, &body);
    // What is told as text too is not told twice.
    assert!(losses.is_empty(), "{losses}");
    let contents = told["contents"].as_array().unwrap();
    assert_eq!(contents[2]["parts"].as_array().unwrap().len(), ids.len() + 1);
    contents[1]["parts"].as_array().unwrap().clone()
}

/// Every way a reply reaches a client and comes back: the parts that Gemini is sent then.
fn there_and_back(parts: &[Value]) -> Vec<(String, Vec<Value>)> {
    let content = json!({"role": "model", "parts": parts});
    let whole = json!({"candidates": [{"content": content, "finishReason": "STOP"}], "responseId": "r1", "modelVersion": "m"});
    let stream: String = parts
        .iter()
        .map(|part| sse(&json!({"candidates": [{"content": {"parts": [part]}}], "responseId": "r1"})))
        .collect();
    let stream = stream + &sse(&json!({"candidates": [{"finishReason": "STOP"}]}));
    let mut all = Vec::new();
    for surface in [OpenaiChat, OpenaiResponses, AnthropicMessages] {
        let (reply, _) = answered(pair(surface, Gemini), &whole).unwrap();
        all.push((format!("{surface:?} whole"), returned(surface, &reply)));
        let told = ended(pair(surface, Gemini), &stream);
        let reply = match surface {
            OpenaiChat => fold_chat(&told),
            OpenaiResponses => fold_responses(&told),
            _ => fold_anthropic(&told),
        };
        all.push((format!("{surface:?} streamed"), returned(surface, &reply)));
    }
    all
}

fn thought(text: &str) -> Value {
    json!({"text": text, "thought": true})
}

fn text(text: &str, signature: Option<&str>) -> Value {
    signed(json!({"text": text}), signature)
}

fn call(name: &str, signature: Option<&str>) -> Value {
    signed(json!({"functionCall": {"name": name, "args": {"a": 1}}}), signature)
}

fn signed(mut part: Value, signature: Option<&str>) -> Value {
    if let Some(signature) = signature {
        part["thoughtSignature"] = signature.into();
    }
    part
}

/// Without the parts that may come back or not.
fn without_thoughts(parts: &[Value]) -> Vec<Value> {
    parts.iter().filter(|part| part["thought"] != true).cloned().collect()
}

#[test]
fn a_signature_comes_back_on_the_part_it_stood_on() {
    for parts in [
        vec![call("f", Some("QQ=="))],
        vec![call("f", Some("QQ==")), call("g", None), call("f", None)],
        vec![thought("Hm."), call("f", Some("QQ=="))],
        vec![text("Let me see.", None), call("f", Some("QQ=="))],
        vec![thought("One."), text("Let me see.", Some("QQ==")), call("f", Some("Qg=="))],
        vec![thought("One."), text("Let me see.", None), thought("Two."), call("f", Some("Qg=="))],
        vec![thought("Hm."), text("Yes.", Some("QQ=="))],
        vec![text("Yes.", Some("QQ=="))],
        vec![call("f", Some("QQ==")), text("", Some("Qg=="))],
        vec![call("f", Some("QQ==")), call("f", Some("Qg=="))],
        vec![call("f", Some("QQ==")), call("g", None), call("f", Some("Qg==")), text("", Some("Qw=="))],
        vec![text("Let me see.", Some("QQ==")), call("f", Some("Qg==")), text("", Some("Qw=="))],
    ] {
        for (way, back) in there_and_back(&parts) {
            assert_eq!(without_thoughts(&back), without_thoughts(&parts), "{way}");
            let thoughts = |parts: &[Value]| -> String {
                let thoughts = parts.iter().filter(|part| part["thought"] == true);
                thoughts.map(|part| part["text"].as_str().unwrap()).collect()
            };
            assert_eq!(thoughts(&back), thoughts(&parts), "{way}");
        }
    }
}

#[test]
fn a_signature_behind_all_text_is_kept_in_the_turn() {
    let parts = [thought("Hm."), text("Yes.", None), text("", Some("QQ=="))];
    for (way, back) in there_and_back(&parts) {
        let parts = without_thoughts(&back);
        // A chat message has one text only, which comes behind its reasoning.
        let expected = if way.starts_with("OpenaiChat") {
            vec![text("Yes.", Some("QQ=="))]
        } else {
            vec![text("Yes.", None), text("", Some("QQ=="))]
        };
        assert_eq!(parts, expected, "{way}");
    }
}

/// The message that a chat client is told of these parts.
fn told_to_chat(parts: &[Value]) -> Value {
    let content = json!({"role": "model", "parts": parts});
    let whole = json!({"candidates": [{"content": content, "finishReason": "STOP"}], "responseId": "r1"});
    answered(pair(OpenaiChat, Gemini), &whole).unwrap().0
}

#[test]
fn a_call_has_its_signature_on_it_where_googles_own_endpoint_puts_it() {
    let parts = [text("Let me see.", Some("Qg==")), call("f", Some("QQ==")), call("g", None)];
    let calls = told_to_chat(&parts)["choices"][0]["message"]["tool_calls"].take();
    assert_eq!(calls[0]["extra_content"], json!({"google": {"thought_signature": "QQ=="}}));
    assert_eq!(calls[1].get("extra_content"), None);
}

#[test]
fn what_a_client_leaves_out_of_a_message_does_not_mislead() {
    let parts = vec![thought("Hm."), call("f", Some("QQ==")), call("f", Some("Qg=="))];
    // One that knows Google's member, and not LiteLLM's.
    let mut reply = told_to_chat(&parts);
    reply["choices"][0]["message"].as_object_mut().unwrap().remove("thinking_blocks");
    assert_eq!(returned(OpenaiChat, &reply), parts);
    // One that knows LiteLLM's, and not Google's.
    let mut reply = told_to_chat(&parts[..2]);
    reply["choices"][0]["message"]["tool_calls"][0].as_object_mut().unwrap().remove("extra_content");
    assert_eq!(returned(OpenaiChat, &reply), parts[..2]);
    // One that knows neither.
    let mut reply = told_to_chat(&parts);
    let message = reply["choices"][0]["message"].as_object_mut().unwrap();
    message.remove("thinking_blocks");
    message.remove("reasoning_content");
    for call in message["tool_calls"].as_array_mut().unwrap() {
        call.as_object_mut().unwrap().remove("extra_content");
    }
    let mark = Some("skip_thought_signature_validator");
    assert_eq!(returned(OpenaiChat, &reply), [call("f", mark), call("f", None)]);
}

#[test]
fn a_model_before_the_third_generation_signs_its_first_part() {
    let block = json!({"type": "thinking", "thinking": "", "signature": "google:QQ=="});
    let content = json!([block, {"type": "text", "text": "Let me see."},
        {"type": "tool_use", "id": "t", "name": "f", "input": {"a": 1}}]);
    let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": content},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "t", "content": "r"}]}]});
    let (told, _) = sent_to(pair(AnthropicMessages, Gemini), "gemini-2.5-flash", &body);
    assert_eq!(told["contents"][1]["parts"], json!([text("Let me see.", Some("QQ==")), call("f", None)]));
}

#[test]
fn signatures_that_no_part_waits_for_are_not_lost() {
    let signed = |signature: &str| json!({"type": "thinking", "thinking": "", "signature": signature});
    let calls = json!([{"id": "1", "function": {"name": "f", "arguments": "{}"}}]);
    let body = json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "tool_calls": calls,
        "thinking_blocks": [signed("google:QQ=="), signed("google:Qg=="), signed("google:Qw==")]},
        {"role": "tool", "tool_call_id": "1", "content": "r"}]});
    let (told, _) = sent_to(pair(OpenaiChat, Gemini), MODEL, &body);
    let mut first = call("f", Some("Qw=="));
    first["functionCall"]["args"] = json!({});
    assert_eq!(told["contents"][1]["parts"], json!([text("", Some("QQ==")), text("y", Some("Qg==")), first]));
}

#[test]
fn calls_of_others_are_marked_once_a_turn_and_only_for_models_that_ask() {
    let calls = |id: &str| {
        json!({"role": "assistant", "tool_calls": [{"id": id, "function": {"name": "f", "arguments": "{}"}},
        {"id": format!("{id}b"), "function": {"name": "f", "arguments": "{}"}}]})
    };
    let result = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "r"});
    let body = json!({"messages": [{"role": "user", "content": "x"}, calls("1"), result("1"), result("1b"), calls("2"), result("2"), result("2b")]});
    let marks = |model: &str| {
        let told = sent_to(pair(OpenaiChat, Gemini), model, &body).0;
        let marks = |turn: usize| {
            let parts = told["contents"][turn]["parts"].as_array().unwrap();
            parts.iter().map(|part| part["thoughtSignature"].clone()).collect::<Vec<_>>()
        };
        [marks(1), marks(3)].concat()
    };
    let mark = json!("skip_thought_signature_validator");
    let once = vec![mark.clone(), Value::Null, mark, Value::Null];
    assert_eq!(marks(MODEL), once);
    assert_eq!(marks("an-alias"), once);
    assert_eq!(marks("gemini-2.5-pro"), vec![Value::Null; 4]);
}

#[test]
fn reasoning_of_anthropic_comes_back_to_it_through_a_gemini_client() {
    for answer in answers() {
        for stream in [false, true] {
            let to_anthropic = pair(Gemini, AnthropicMessages);
            let reply = if stream {
                fold(&ended(to_anthropic, &answer.anthropic_stream(3)))
            } else {
                answered(to_anthropic, &answer.anthropic()).unwrap().0
            };
            let mut content = reply["candidates"][0]["content"].clone();
            for part in content["parts"].as_array_mut().unwrap() {
                // As Google's Python SDK encodes bytes.
                if let Some(signature) = part["thoughtSignature"].as_str() {
                    part["thoughtSignature"] = signature.replace('+', "-").replace('/', "_").into();
                }
            }
            if content["parts"] == json!([]) {
                continue;
            }
            let results: Vec<Value> = content["parts"].as_array().unwrap().iter()
                .filter(|part| part["functionCall"].is_object())
                .map(|part| json!({"functionResponse": {"id": part["functionCall"]["id"], "name": part["functionCall"]["name"], "response": {"result": "r"}}}))
                .chain([json!({"text": "y"})])
                .collect();
            let body = json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}, content, {"role": "user", "parts": results}]});
            let (told, losses) = sent(to_anthropic, &body);
            assert_eq!(losses, "", "{}", answer.name);
            assert_eq!(told["messages"][1]["content"], answer.anthropic()["content"], "{}", answer.name);
        }
    }
}

#[test]
fn reasoning_of_google_does_not_reach_anthropic() {
    let content = json!({"role": "model", "parts": [{"text": "Hm.", "thought": true}, {"text": "Yes.", "thoughtSignature": "CiQBVKhc7g=="}]});
    let body = json!({"contents": [{"parts": [{"text": "x"}]}, content, {"parts": [{"text": "y"}]}]});
    let (told, losses) = sent(pair(Gemini, AnthropicMessages), &body);
    assert_eq!(losses, "contents[].parts[].thought");
    assert_eq!(told["messages"][1]["content"], json!([{"type": "text", "text": "Yes."}]));
    // Nor Anthropic's Google, that of the one client or of the other.
    for signature in ["c2ln", "openai:c2ln"] {
        let block = json!({"type": "thinking", "thinking": "Hm.", "signature": signature});
        let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "x"},
            {"role": "assistant", "content": [block, {"type": "text", "text": "Yes."}]}, {"role": "user", "content": "y"}]});
        let (told, losses) = sent_to(pair(AnthropicMessages, Gemini), MODEL, &body);
        assert_eq!(losses, "messages[].content[].thinking");
        assert_eq!(told["contents"][1]["parts"], json!([{"text": "Yes."}]));
    }
}

#[test]
fn what_a_client_is_told_is_base64() {
    assert_eq!(wrapped("c2ln"), "bGxtLWVkZ2U6YzJsbg==");
    assert_eq!(base64("llm-edge-redacted:ZGF0YQ=="), "bGxtLWVkZ2UtcmVkYWN0ZWQ6WkdGMFlRPT0=");
    let signed = answers().into_iter().find(|answer| answer.name == "thinking").unwrap();
    assert!(gemini_stream(&signed, 3).contains("\"thoughtSignature\":\"c2ln\""));
}
