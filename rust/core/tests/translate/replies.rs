//! Whole replies, and errors.

use llm_edge_core::dialect::Dialect;
use llm_edge_core::translate::between;
use serde_json::{Value, json};

use crate::answers::{Said, Teller, answers, chat_usage};
use crate::{answered, anthropic_to_chat, chat_to_anthropic, context, responses_to, to_responses};

/// Input as a value wherever it is told as text.
fn with_parsed_arguments(mut completion: Value) -> Value {
    if let Some(items) = completion["output"].as_array_mut() {
        for call in items.iter_mut().filter(|item| item["type"] == "function_call") {
            call["arguments"] = serde_json::from_str(call["arguments"].as_str().unwrap()).unwrap();
        }
        return completion;
    }
    if let Some(calls) = completion["choices"][0]["message"]["tool_calls"].as_array_mut() {
        for call in calls {
            let text = call["function"]["arguments"].as_str().unwrap();
            call["function"]["arguments"] = serde_json::from_str(text).unwrap();
        }
    }
    completion
}

/// A message without the members that say nothing.
fn without_nulls(mut message: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|_, value| !value.is_null());
                members.remove("caller");
                members.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut message);
    message
}

#[test]
fn an_answer_of_anthropic_is_told_as_a_completion() {
    for answer in answers() {
        let (reply, losses) = answered(chat_to_anthropic(), &answer.anthropic()).unwrap();
        assert_eq!(losses, "", "{}", answer.name);
        assert_eq!(with_parsed_arguments(reply), with_parsed_arguments(answer.chat()), "{}", answer.name);
    }
}

#[test]
fn a_completion_is_told_as_an_answer_of_anthropic() {
    for answer in answers() {
        let (reply, losses) = answered(anthropic_to_chat(), &answer.chat()).unwrap();
        assert_eq!(losses, "", "{}", answer.name);
        let mut expected = answer.anthropic();
        // A completion tells reasoning before all text, which is the order of these answers.
        assert!(answer.said.iter().rposition(|s| matches!(s, Said::Thinking(..))).is_none_or(|at| at < 2));
        expected["content"].as_array_mut().unwrap().retain(|block| block["text"] != "");
        assert_eq!(without_nulls(reply), without_nulls(expected), "{}", answer.name);
    }
}

#[test]
fn an_answer_of_others_is_told_as_a_response() {
    for answer in answers() {
        let expected = answer.responses(Teller::Gateway);
        for (target, reply) in
            [(Dialect::OpenaiChat, answer.chat()), (Dialect::AnthropicMessages, answer.anthropic())]
        {
            let (reply, losses) = answered(responses_to(target), &reply).unwrap();
            assert_eq!(losses, "", "{}", answer.name);
            let (reply, expected) = (with_parsed_arguments(reply), with_parsed_arguments(expected.clone()));
            assert_eq!(reply, expected, "{} of {target:?}", answer.name);
        }
    }
}

#[test]
fn a_response_is_told_as_others_have_it() {
    for answer in answers() {
        let (given, expected) = (answer.responses(Teller::Maker), answer.of_responses());
        let (reply, losses) = answered(to_responses(Dialect::OpenaiChat), &given).unwrap();
        assert_eq!(losses, "", "{}", answer.name);
        assert_eq!(with_parsed_arguments(reply), with_parsed_arguments(expected.chat()), "{}", answer.name);
        let (reply, losses) = answered(to_responses(Dialect::AnthropicMessages), &given).unwrap();
        assert_eq!(losses, "", "{}", answer.name);
        assert_eq!(without_nulls(reply), without_nulls(expected.anthropic()), "{}", answer.name);
    }
}

#[test]
fn what_a_reply_loses_is_named() {
    let reply = json!({"id": "r1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "pause_turn",
        "stop_sequence": "END", "stop_details": {"type": "refusal"}, "container": {"id": "c"},
        "content": [{"type": "text", "text": "a", "citations": [{"type": "char_location"}]},
            {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}],
        "usage": {"input_tokens": 1, "output_tokens": 1}});
    let (told, losses) = answered(chat_to_anthropic(), &reply).unwrap();
    assert_eq!(told["choices"][0]["message"]["content"], "a");
    for name in
        ["stop_sequence", "stop_details", "container", "content[].citations", "content[].server_tool_use"]
    {
        assert!(losses.split(',').any(|lost| lost == name), "{name} in {losses}");
    }
    assert!(losses.ends_with(",stop_reason"), "{losses}");

    let choice = json!({"index": 0, "finish_reason": "eos", "logprobs": {"content": [1]},
        "message": {"role": "assistant", "content": "a", "annotations": [{"type": "url_citation"}], "audio": {"id": "a"}}});
    let reply = json!({"id": "r1", "model": "m", "choices": [choice, choice], "usage": null, "novel": 1});
    let (told, losses) = answered(anthropic_to_chat(), &reply).unwrap();
    assert_eq!(told["stop_reason"], "end_turn");
    assert_eq!(
        losses,
        "novel,choices[],choices[].logprobs,choices[].message.audio,choices[].message.annotations,choices[].finish_reason"
    );
}

#[test]
fn spellings_of_other_servers_are_understood() {
    let message = json!({"role": "assistant", "content": [{"type": "text", "text": "a"}], "reasoning": "r",
        "tool_calls": [{"function": {"name": "f", "arguments": ""}}]});
    let reply = json!({"id": "r1", "choices": [{"message": message, "finish_reason": "stop"}],
        "x_groq": {"usage": chat_usage()}});
    let (told, losses) = answered(anthropic_to_chat(), &reply).unwrap();
    assert_eq!(losses, "");
    assert_eq!(told["content"][0], json!({"type": "thinking", "thinking": "r", "signature": ""}));
    assert_eq!(told["content"][2]["input"], json!({}));
    assert_eq!(told["content"][2]["id"], "r1_0");
    // A client that was told `end_turn` would not run the tool.
    assert_eq!(told["stop_reason"], "tool_use");
    assert_eq!(told["usage"]["cache_read_input_tokens"], 85);
    assert_eq!(told["model"], "asked");
    let refused =
        json!({"choices": [{"message": {"content": null, "refusal": "No."}, "finish_reason": "stop"}]});
    let (told, _) = answered(anthropic_to_chat(), &refused).unwrap();
    assert_eq!((&told["content"][0]["text"], &told["stop_reason"]), (&json!("No."), &json!("refusal")));
}

#[test]
fn thoughts_among_the_parts_of_content_are_thoughts() {
    let told = |content: Value| {
        let message = json!({"role": "assistant", "content": content});
        let reply = json!({"id": "r1", "choices": [{"message": message, "finish_reason": "stop"}]});
        let (told, losses) = answered(anthropic_to_chat(), &reply).unwrap();
        (without_nulls(told["content"].clone()), losses)
    };
    let thought = |text: &str| json!({"type": "thinking", "thinking": text, "signature": ""});
    let text = json!({"type": "text", "text": "a"});
    let thinking = json!([{"type": "text", "text": "Hm."}, {"type": "text", "text": " Yes."}]);
    let (content, losses) = told(json!([{"type": "thinking", "thinking": thinking, "closed": true}, text]));
    assert_eq!((content, losses.as_str()), (json!([thought("Hm. Yes."), text]), ""));
    let (content, losses) = told(json!([{"type": "thinking", "thinking": "Hm."}, text]));
    assert_eq!((content, losses.as_str()), (json!([thought("Hm."), text]), ""));
    let empty = json!({"type": "thinking", "thinking": ""});
    let (content, _) = told(json!([empty, text, {"type": "thinking", "thinking": []}]));
    assert_eq!(content, json!([text]));
    let (content, losses) =
        told(json!([{"type": "thinking", "thinking": [{"type": "tool_reference"}]}, text]));
    assert_eq!((content, losses.as_str()), (json!([text]), "choices[].message.content[].thinking[]"));
}

#[test]
fn a_reply_that_is_none_is_malformed() {
    let call = |arguments: &str| {
        let call = json!({"id": "c", "function": {"name": "f", "arguments": arguments}});
        json!({"choices": [{"message": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]})
    };
    for (reply, said) in [
        (json!([]), "an object"),
        (json!({}), "no choice"),
        (json!({"choices": [{"message": {}}]}), "finish_reason"),
        (json!({"error": {"message": "boom"}}), "boom"),
        (json!({"error": "boom"}), "boom"),
        (call("{\"a\":"), "arguments"),
        (call("[]"), "arguments"),
        (call("{} {}"), "arguments"),
    ] {
        let malformed = answered(anthropic_to_chat(), &reply).unwrap_err();
        assert!(malformed.message.contains(said), "{said} in {}", malformed.message);
    }
    for (reply, said) in [
        (json!({"content": []}), "stop_reason"),
        (json!({"stop_reason": "end_turn"}), "content"),
        (json!({"type": "error", "error": {"message": "boom"}}), "boom"),
        (json!({"content": [{"type": "text"}], "stop_reason": "end_turn"}), "content[0].text"),
    ] {
        let malformed = answered(chat_to_anthropic(), &reply).unwrap_err();
        assert!(malformed.message.contains(said), "{said} in {}", malformed.message);
    }
    for reply in [&b"{\"content\":[\xff]}"[..], b"", b"<html>", b"{\"choices\":[]} x"] {
        for pair in [chat_to_anthropic(), anthropic_to_chat()] {
            let mut out = Vec::new();
            assert!(pair.reply(&context(), reply, &mut out).is_err());
            assert!(out.is_empty());
        }
    }
}

#[test]
fn an_error_is_told_in_the_shape_of_the_surface() {
    let told = |pair: llm_edge_core::translate::Pair, status, body: &str| {
        let mut out = Vec::new();
        pair.error(status, body.as_bytes(), "req_1", &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let anthropic =
        r#"{"type":"error","error":{"type":"overloaded_error","message":"Busy \"now\""},"request_id":"x"}"#;
    assert_eq!(
        told(chat_to_anthropic(), 529, anthropic),
        json!({"error": {"message": "Busy \"now\"", "type": "overloaded_error", "param": null, "code": "overloaded_error"}})
    );
    let chat = r#"{"error":{"message":"Too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
    let shape = |kind: &str, message: &str| json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_1"});
    assert_eq!(told(anthropic_to_chat(), 400, chat), shape("invalid_request_error", "Too long"));
    let quota = r#"{"error":{"message":"Pay","type":"insufficient_quota","code":"insufficient_quota"}}"#;
    assert_eq!(told(anthropic_to_chat(), 429, quota), shape("rate_limit_error", "Pay"));
    assert_eq!(told(anthropic_to_chat(), 502, "<html>"), shape("api_error", "<html>"));
    assert_eq!(told(chat_to_anthropic(), 500, "")["error"]["type"], "upstream_error");
}

#[test]
fn an_error_has_a_code_for_programs_whatever_the_upstream_says() {
    use Dialect::{AnthropicMessages, BedrockConverse, CohereChat, OpenaiChat, OpenaiResponses};
    let error = |surface, target, status, body: &str| {
        let mut out = Vec::new();
        between(surface, target).unwrap().error(status, body.as_bytes(), "req_1", &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()["error"].clone()
    };
    let busy = r#"{"message":"Too many requests"}"#;
    for surface in [OpenaiChat, OpenaiResponses] {
        let code = |target, status, body: &str| error(surface, target, status, body)["code"].clone();
        assert_eq!(code(CohereChat, 429, busy), "rate_limit_error");
        assert_eq!(code(BedrockConverse, 424, busy), "api_error");
        assert_eq!(code(BedrockConverse, 408, busy), "timeout_error");
        let own = r#"{"error":{"type":"not_found_error","message":"No."}}"#;
        assert_eq!(code(AnthropicMessages, 404, own), "not_found_error");
        let numbered = r#"{"error":{"code":402,"message":"Pay."}}"#;
        assert_eq!(code(Dialect::Gemini, 402, numbered), "402");
    }
    // Bedrock's status for a model that failed: nothing is wrong with the request.
    assert_eq!(error(AnthropicMessages, BedrockConverse, 424, busy)["type"], "api_error");
    assert_eq!(error(AnthropicMessages, BedrockConverse, 408, busy)["type"], "timeout_error");
    let with_code = r#"{"error":{"message":"Too long","code":"context_length_exceeded"}}"#;
    assert_eq!(error(OpenaiResponses, OpenaiChat, 400, with_code)["code"], "context_length_exceeded");
}
