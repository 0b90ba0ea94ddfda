//! Ollama's own chat as an upstream's dialect.

pub(crate) mod told;

use llm_edge_core::dialect::Dialect;
use llm_edge_core::translate::{Pair, between};
use serde_json::{Value, json};

use self::told::is_ollamas;
use crate::answers::{Answer, answers, events, fold_anthropic, fold_chat};
use crate::{OPTIONS, answered, context, request_of, streamed};

fn chat() -> Pair {
    between(Dialect::OpenaiChat, Dialect::OllamaChat).unwrap()
}

fn anthropic() -> Pair {
    between(Dialect::AnthropicMessages, Dialect::OllamaChat).unwrap()
}

fn sent(pair: Pair, model: &str, body: &Value) -> (Value, String) {
    let (written, translated) = request_of(pair, model, body, &OPTIONS).unwrap();
    (serde_json::from_str(&written).unwrap(), translated.losses.to_string())
}

#[test]
fn a_chat_request_with_everything_reaches_it() {
    let body = json!({
        "model": "x", "max_completion_tokens": 100, "temperature": 1.5, "top_p": 0.9, "top_k": 5, "seed": 7,
        "frequency_penalty": 0.5, "presence_penalty": 0, "stop": ["END"], "reasoning_effort": "high",
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
        "tools": [{"type": "function", "function": {"name": "f", "description": "d",
            "parameters": {"type": "object", "properties": {"z": {}}}}}, {"type": "function", "function": {"name": "g"}}],
        "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "developer", "content": " Very."},
            {"role": "user", "content": [{"type": "text", "text": "What is "}, {"type": "text", "text": "this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk/+w=="}}]},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{\"z\": \"ü\\\"\", \"n\": 1.50}"}},
                {"id": "c2", "type": "function", "function": {"name": "g", "arguments": ""}}]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "Thanks"},
        ],
    });
    let (told, losses) = sent(chat(), "gpt-oss:20b", &body);
    assert_eq!(losses, "");
    assert_eq!(
        told,
        json!({
            "model": "gpt-oss:20b", "stream": false, "think": "high", "format": {"type": "object"},
            "options": {"num_predict": 100, "temperature": 1.5, "top_p": 0.9, "top_k": 5, "frequency_penalty": 0.5,
                "presence_penalty": 0, "seed": 7, "stop": ["END"]},
            "tools": [
                {"type": "function", "function": {"name": "f", "description": "d",
                    "parameters": {"type": "object", "properties": {"z": {}}}}},
                {"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}},
            ],
            "messages": [
                {"role": "system", "content": "Be brief. Very."},
                {"role": "user", "content": "What is this?", "images": ["aGk/+w=="]},
                {"role": "assistant", "content": "", "tool_calls": [
                    {"id": "c1", "function": {"name": "f", "arguments": {"z": "ü\"", "n": 1.50}}},
                    {"id": "c2", "function": {"name": "g", "arguments": {}}}]},
                {"role": "tool", "tool_name": "f", "tool_call_id": "c1", "content": "sunny"},
                {"role": "tool", "tool_name": "g", "tool_call_id": "c2", "content": "ab"},
                {"role": "user", "content": "Thanks"},
            ],
        })
    );
}

#[test]
fn an_anthropic_request_with_everything_reaches_it() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}});
    let body = json!({
        "model": "x", "max_tokens": 9, "stream": true, "metadata": {"user_id": "u"},
        "thinking": {"type": "enabled", "budget_tokens": 2000}, "cache_control": {"type": "ephemeral"},
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": true}],
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "mine", "signature": ""},
                {"type": "thinking", "thinking": "theirs", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="}, {"type": "text", "text": "b"},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "text", "text": "c"},
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [{"type": "text", "text": "d"}, image]}]},
            {"role": "assistant", "content": []},
            {"role": "system", "content": "e"},
        ],
    });
    let (told, losses) = sent(anthropic(), "qwen3", &body);
    assert_eq!(
        losses,
        "thinking.budget_tokens,metadata.user_id,tool_choice,tool_choice.disable_parallel_tool_use,tools[].strict,\
         messages[].content[].thinking,messages[].content[].redacted_thinking,messages[].content[].is_error,messages[].content[].content[]"
    );
    assert_eq!(
        told,
        json!({
            "model": "qwen3", "stream": true, "think": true, "options": {"num_predict": 9},
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
            "messages": [
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": "b", "thinking": "mine",
                    "tool_calls": [{"id": "t1", "function": {"name": "f", "arguments": {}}}]},
                {"role": "tool", "tool_name": "f", "tool_call_id": "t1", "content": "Error: d"},
                {"role": "user", "content": "c", "images": ["aGk="]},
                {"role": "system", "content": "e"},
            ],
        })
    );
}

#[test]
fn what_it_has_no_word_for_is_named_or_refused() {
    for (member, value, lost) in [
        ("n", json!(2), "n"),
        ("n", json!(1), ""),
        ("logit_bias", json!({"1": 5}), "logit_bias"),
        ("logprobs", json!(true), "logprobs"),
        ("top_logprobs", json!(2), "top_logprobs"),
        ("user", json!("u"), "user"),
        ("service_tier", json!("default"), ""),
        ("response_format", json!({"type": "json_object"}), ""),
        ("reasoning_effort", json!("low"), "reasoning_effort"),
        ("reasoning_effort", json!("none"), ""),
        ("tool_choice", json!("auto"), ""),
        ("tool_choice", json!("none"), "tools[]"),
        ("tool_choice", json!("required"), "tool_choice"),
        ("parallel_tool_calls", json!(false), "parallel_tool_calls"),
    ] {
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let mut body = json!({"tools": tools, "messages": [{"role": "user", "content": "x"}]});
        body[member] = value.clone();
        let (told, losses) = sent(chat(), "llama3.3", &body);
        assert_eq!(losses, lost, "{member}: {value}");
        assert_eq!(told.get("tools").is_none(), value == "none" && member == "tool_choice");
    }
    for (effort, level, lost) in [
        ("minimal", "low", "reasoning_effort"),
        ("medium", "medium", ""),
        ("max", "high", "reasoning_effort"),
    ] {
        let body = json!({"reasoning_effort": effort, "messages": [{"role": "user", "content": "x"}]});
        let (told, losses) = sent(chat(), "gpt-oss", &body);
        assert_eq!((told["think"].as_str(), losses.as_str()), (Some(level), lost));
    }
    let base64 = json!({"type": "base64", "media_type": "application/pdf", "data": "aGk="});
    let url = json!({"type": "url", "url": "https://a"});
    for (block, said) in [
        (json!({"type": "document", "source": base64}), "a document"),
        (json!({"type": "image", "source": url}), "by its address"),
        (
            json!({"type": "tool_result", "tool_use_id": "a", "content": [{"type": "document", "source": base64}]}),
            "a document",
        ),
    ] {
        let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": [block]}]});
        let refused = request_of(anthropic(), "m", &body, &OPTIONS).unwrap_err();
        assert_eq!(refused.path, "messages");
        assert!(refused.message.contains(said), "{}", refused.message);
    }
}

fn tellable() -> impl Iterator<Item = Answer> {
    answers().into_iter().filter(is_ollamas)
}

#[test]
fn an_answer_is_told_whole_and_streamed() {
    for answer in tellable() {
        for pair in [chat(), anthropic()] {
            let (mut whole, losses) = answered(pair, &answer.ollama()).unwrap();
            assert_eq!(losses, "", "{}", answer.name);
            for size in [1, 3, 1000] {
                let (told, ended) = streamed(pair, [answer.ollama_stream(size).as_bytes()]);
                assert_eq!(ended, Ok(()), "{}", answer.name);
                let mut folded =
                    if told.starts_with("event") { fold_anthropic(&told) } else { fold_chat(&told) };
                for reply in [&mut folded, &mut whole] {
                    let calls =
                        reply.pointer_mut("/choices/0/message/tool_calls").and_then(Value::as_array_mut);
                    for call in
                        calls.into_iter().flatten().filter(|call| call["function"]["arguments"].is_string())
                    {
                        let text = call["function"]["arguments"].as_str().unwrap();
                        call["function"]["arguments"] = serde_json::from_str(text).unwrap();
                    }
                }
                assert_eq!(folded, whole, "{} by {size}", answer.name);
            }
        }
        let (told, _) = answered(chat(), &answer.ollama()).unwrap();
        let (message, expected) = (&told["choices"][0], &answer.chat()["choices"][0]);
        assert_eq!(message["message"]["content"], expected["message"]["content"], "{}", answer.name);
        assert_eq!(message["message"]["reasoning_content"], expected["message"]["reasoning_content"]);
        assert_eq!(message["finish_reason"], expected["finish_reason"]);
        assert_eq!(message["message"]["tool_calls"].is_null(), expected["message"]["tool_calls"].is_null());
        assert_eq!(told["usage"]["prompt_tokens"], 100);
        assert_eq!(told["usage"]["completion_tokens"], 20);
        assert_eq!(told["model"], "m");
    }
}

#[test]
fn calls_without_an_id_are_given_one_that_stays() {
    let call = json!({"function": {"name": "f", "arguments": {}}});
    let mut body = answers()[0].ollama();
    body["message"]["tool_calls"] = json!([call, call]);
    let ids = |body: &Value| {
        let (told, _) = answered(chat(), body).unwrap();
        let calls = told["choices"][0]["message"]["tool_calls"].clone();
        [0, 1].map(|at| calls[at]["id"].as_str().unwrap().to_owned())
    };
    let [first, second] = ids(&body);
    assert!(first != second && first.starts_with("call_") && first.len() < 40);
    assert_eq!(ids(&body), [first.clone(), second]);
    body["created_at"] = "2025-05-27T22:54:58.641643Z".into();
    assert_ne!(ids(&body)[0], first);
}

#[test]
fn where_the_stream_is_cut_does_not_show_but_for_its_end() {
    for answer in tellable() {
        for pair in [chat(), anthropic()] {
            let stream = answer.ollama_stream(3);
            let bytes = stream.as_bytes();
            let (whole, _) = streamed(pair, [bytes]);
            assert_eq!(streamed(pair, bytes.chunks(1)), (whole.clone(), Ok(())));
            for at in 0..bytes.len() {
                let (front, back) = bytes.split_at(at);
                assert_eq!(streamed(pair, [front, back]), (whole.clone(), Ok(())), "{} at {at}", answer.name);
                // The last line may lack its end, but nothing of its data.
                let (told, ended) = streamed(pair, [front]);
                assert_eq!(ended.is_ok(), at + 1 == bytes.len(), "{} at {at}", answer.name);
                assert_eq!(told.contains("[DONE]") || told.contains("message_stop"), ended.is_ok());
            }
        }
    }
}

#[test]
fn a_failure_inside_a_stream_is_told_and_ends_it() {
    let begun = answers()[0].ollama_stream(3);
    let begun = &begun[..begun.rfind("{\"created_at\"").unwrap()];
    let stream = format!("{begun}{{\"error\":\"model runner has stopped\"}}\n");
    let (told, ended) = streamed(anthropic(), [stream.as_bytes()]);
    assert_eq!(ended, Ok(()));
    let data: Value = serde_json::from_str(events(&told).last().unwrap().1).unwrap();
    assert_eq!(data["error"], json!({"type": "api_error", "message": "model runner has stopped"}));
}

#[test]
fn what_is_no_reply_is_malformed() {
    let call = |arguments: Value| json!({"done": true, "message": {"tool_calls": [{"function": {"name": "f", "arguments": arguments}}]}});
    for (body, said) in [
        (json!({"error": "boom"}), "boom"),
        (json!({"message": {"content": "a"}}), "not done"),
        (json!({"message": {"content": "a"}, "done": false}), "not done"),
        (json!({"done": true}), "message"),
        (call(json!("{}")), "message.tool_calls[0].function.arguments"),
        (json!({"done": true, "message": {"tool_calls": [{}]}}), "message.tool_calls[0].function"),
        (json!([]), "an object"),
    ] {
        let malformed = answered(chat(), &body).unwrap_err();
        assert!(malformed.message.contains(said), "{said} in {}", malformed.message);
    }
    for bad in
        ["{\n", "[]\n", "{\"message\":{\"content\":1}}\n", "data: {}\n", "{\"done\":true,\"done\":true}\n"]
    {
        let mut translator = anthropic().stream(context());
        assert!(translator.push(bad.as_bytes(), &mut Vec::new()).is_err(), "{bad}");
        assert!(translator.finish(&mut Vec::new()).is_err());
    }
    assert!(streamed(chat(), [&b"\xff\n"[..]]).1.is_err());
    let long = format!("{{\"x\":\"{}\"}}\n", "x".repeat(1024 * 1024));
    assert!(streamed(chat(), [long.as_bytes()]).1.unwrap_err().message.contains("too long"));
}

#[test]
fn what_a_reply_loses_is_named() {
    let mut body = answers()[0].ollama();
    body["done_reason"] = "load".into();
    body["logprobs"] = json!([{"token": "a"}]);
    body["message"]["novel"] = 1.into();
    let (told, losses) = answered(chat(), &body).unwrap();
    assert_eq!(losses, "logprobs,message.novel,done_reason");
    assert_eq!(told["choices"][0]["finish_reason"], "stop");
}
