//! Cohere as the provider: requests member by member, replies, streams, what is refused.

use llm_edge_core::translate::Pair;
use serde_json::{Value, json};

use crate::answers::{Said, answers, chat_usage, events, fold_anthropic, fold_chat};
use crate::{
    OPTIONS, answered, anthropic_to_chat, anthropic_to_cohere, chat_to_anthropic, chat_to_cohere, context,
    request, sent, streamed,
};

fn user(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

#[test]
fn a_chat_request_with_everything_reaches_cohere() {
    let schema = json!({"type": "object", "properties": {"z": {"type": "string"}}, "required": ["z"]});
    let body = json!({
        "model": "command", "stream": true, "stream_options": {"include_usage": true},
        "max_completion_tokens": 100, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "seed": 7,
        "frequency_penalty": 0.25, "presence_penalty": 0, "logprobs": true, "n": 1,
        "stop": ["1", "2", "3", "4", "5"], "service_tier": "default", "reasoning_effort": "none",
        "tools": [{"type": "function", "function": {"name": "f", "description": "d\n", "strict": true, "parameters": schema}}],
        "tool_choice": "required", "parallel_tool_calls": true,
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Very.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk/+w=="}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            ]},
            {"role": "assistant", "content": "I will look.",
                "thinking_blocks": [{"type": "thinking", "thinking": "Hm."}],
                "tool_calls": [
                    {"id": "f_1", "type": "function", "function": {"name": "f", "arguments": "{\"z\": \"\\u00fc\\\"\", \"n\": 1.50}"}},
                    {"id": "f_2", "type": "function", "function": {"name": "f", "arguments": ""}},
                ]},
            {"role": "tool", "tool_call_id": "f_1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "f_2", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "assistant", "content": [{"type": "text", "text": "It is"}, {"type": "text", "text": " sunny."}],
                "thinking_blocks": [{"type": "thinking", "thinking": "So.", "signature": ""}, {"type": "thinking", "thinking": ""}]},
            {"role": "system", "content": "Mind the gap."},
            {"role": "user", "content": "Thanks"},
        ],
    });
    let (told, losses) = sent(chat_to_cohere(), &body);
    assert_eq!(losses, "");
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    assert_eq!(
        told,
        json!({
            "model": "m", "max_tokens": 100, "temperature": 0.5, "p": 0.9, "k": 5, "seed": 7,
            "frequency_penalty": 0.25, "presence_penalty": 0, "logprobs": true,
            "stop_sequences": ["1", "2", "3", "4", "5"], "thinking": {"type": "disabled"}, "stream": true,
            "tool_choice": "REQUIRED", "strict_tools": true,
            "tools": [{"type": "function", "function": {"name": "f", "description": "d\n", "parameters": schema}}],
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Very."}]},
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk/+w=="}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                ]},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "Hm."}], "tool_plan": "I will look.",
                    "tool_calls": [call("f_1", "{\"z\": \"\\u00fc\\\"\", \"n\": 1.50}"), call("f_2", "{}")]},
                {"role": "tool", "tool_call_id": "f_1", "content": "sunny"},
                {"role": "tool", "tool_call_id": "f_2", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "assistant", "content": [{"type": "thinking", "thinking": "So."},
                    {"type": "text", "text": "It is"}, {"type": "text", "text": " sunny."}]},
                {"role": "system", "content": "Mind the gap."},
                {"role": "user", "content": "Thanks"},
            ],
        })
    );
    let (_, translated) = request(chat_to_cohere(), &body, &OPTIONS).unwrap();
    assert!(translated.stream && translated.context.include_usage);
}

#[test]
fn an_anthropic_request_with_everything_reaches_cohere() {
    let body = json!({
        "model": "command", "max_tokens": 100, "temperature": 1, "top_k": 501, "metadata": {"user_id": "u-1"},
        "stop_sequences": ["1", "2", "3", "4", "5", "6"], "service_tier": "auto",
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}},
        "tool_choice": {"type": "tool", "name": "g", "disable_parallel_tool_use": true},
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": true},
            {"name": "g", "input_schema": {"type": "object", "properties": {}}, "strict": true}],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": "What is this?"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                {"type": "text", "text": "Let me "}, {"type": "text", "text": "see."},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"n": 1.50}},
                {"type": "text", "text": " Done."},
            ]},
            {"role": "user", "content": [
                {"type": "text", "text": "And?"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                    {"type": "text", "text": "a"}]},
            ]},
            {"role": "assistant", "content": [{"type": "thinking", "thinking": "x", "signature": "c2ln"}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true},
                {"type": "tool_result", "tool_use_id": "toolu_3"}]},
            {"role": "assistant", "content": "It"},
        ],
    });
    let (told, losses) = sent(anthropic_to_cohere(), &body);
    assert_eq!(
        losses,
        "top_k,stop_sequences,metadata.user_id,output_config.format,tool_choice.disable_parallel_tool_use,tools[],tools[].strict,\
         messages[].content[].thinking,messages[].content[].redacted_thinking,messages[].content,\
         messages[].content[].is_error,messages[].content[].content[],prefill"
    );
    assert_eq!(
        told,
        json!({
            "model": "m", "max_tokens": 100, "temperature": 1, "k": 500,
            "stop_sequences": ["1", "2", "3", "4", "5"], "thinking": {"type": "enabled", "token_budget": 2000},
            "tool_choice": "REQUIRED",
            "tools": [{"type": "function", "function": {"name": "g", "parameters": {"type": "object", "properties": {}}}}],
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "What is this?"},
                {"role": "assistant", "tool_plan": "Let me see. Done.", "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": "{\"n\":1.5}"}}]},
                {"role": "tool", "tool_call_id": "toolu_1", "content": "Error: a"},
                {"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {"type": "text", "text": "And?"}]},
                {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: "},
                {"role": "tool", "tool_call_id": "toolu_3", "content": ""},
                {"role": "assistant", "content": "It"},
            ],
        })
    );
}

#[test]
fn what_cohere_has_no_word_for_is_named() {
    for (member, value, kept, lost) in [
        ("temperature", json!(1.5), ("temperature", json!(1)), "temperature"),
        ("temperature", json!(-1), ("temperature", json!(0)), "temperature"),
        ("top_p", json!(1), ("p", json!(0.99)), "top_p"),
        ("top_p", json!(0), ("p", json!(0.01)), "top_p"),
        ("top_k", json!(-1), ("k", json!(0)), "top_k"),
        ("frequency_penalty", json!(1.5), ("frequency_penalty", json!(1)), "frequency_penalty"),
        ("presence_penalty", json!(-0.5), ("presence_penalty", json!(0)), "presence_penalty"),
        ("seed", json!(-7), ("seed", Value::Null), "seed"),
        ("logit_bias", json!({"1": 5}), ("logit_bias", Value::Null), "logit_bias"),
        ("logprobs", json!(2), ("logprobs", Value::Null), "logprobs"),
        ("top_logprobs", json!(3), ("top_logprobs", Value::Null), "top_logprobs"),
        ("top_logprobs", json!(0), ("top_logprobs", Value::Null), ""),
        ("n", json!(2), ("n", Value::Null), "n"),
        ("user", json!("u"), ("user", Value::Null), "user"),
        (
            "reasoning_effort",
            json!("low"),
            ("thinking", json!({"type": "enabled", "token_budget": 2048})),
            "reasoning_effort",
        ),
        (
            "reasoning_effort",
            json!("medium"),
            ("thinking", json!({"type": "enabled", "token_budget": 8192})),
            "reasoning_effort",
        ),
        ("reasoning_effort", json!("max"), ("thinking", json!({"type": "enabled"})), "reasoning_effort"),
        (
            "response_format",
            json!({"type": "json_object"}),
            ("response_format", json!({"type": "json_object"})),
            "",
        ),
        (
            "response_format",
            json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}),
            ("response_format", json!({"type": "json_object", "json_schema": {"type": "object"}})),
            "",
        ),
    ] {
        let mut body = json!({"model": "x", "messages": user("Hi")});
        body[member] = value.clone();
        let (told, losses) = sent(chat_to_cohere(), &body);
        assert_eq!((losses.as_str(), &told[kept.0]), (lost, &kept.1), "{member}: {value}");
    }
    let anthropic = |thinking: Value| {
        let body = json!({"max_tokens": 9, "messages": user("x"), "thinking": thinking});
        sent(anthropic_to_cohere(), &body)
    };
    assert_eq!(
        anthropic(json!({"type": "adaptive"})),
        (
            json!({"model": "m", "max_tokens": 9, "thinking": {"type": "enabled"}, "messages": user("x")}),
            String::new()
        )
    );
    assert_eq!(
        anthropic(json!({"type": "enabled", "budget_tokens": 0})).0["thinking"],
        json!({"type": "disabled"})
    );
}

#[test]
fn tools_are_strict_together_or_not_at_all() {
    let tool = |strict: bool, required: Value| {
        json!({"type": "function", "function": {"name": "f", "strict": strict,
            "parameters": {"type": "object", "properties": {"a": {}}, "required": required}}})
    };
    let bare = json!({"type": "function", "function": {"name": "f", "strict": true}});
    for (tools, strict, lost) in [
        (json!([tool(true, json!(["a"])), tool(true, json!(["a"]))]), json!(true), ""),
        (json!([tool(true, json!(["a"])), tool(false, json!(["a"]))]), Value::Null, "tools[].strict"),
        (json!([tool(true, json!([]))]), Value::Null, "tools[].strict"),
        (json!([tool(true, json!("a"))]), Value::Null, "tools[].strict"),
        (json!([bare]), Value::Null, "tools[].strict"),
        (json!([tool(false, json!(["a"]))]), Value::Null, ""),
    ] {
        let (told, losses) = sent(chat_to_cohere(), &json!({"messages": user("x"), "tools": tools}));
        assert_eq!((&told["strict_tools"], losses.as_str()), (&strict, lost), "{tools}");
    }
    let (told, _) = sent(chat_to_cohere(), &json!({"messages": user("x"), "tools": [bare]}));
    assert_eq!(told["tools"][0]["function"]["parameters"], json!({"type": "object", "properties": {}}));
}

#[test]
fn a_tool_that_must_be_called_is_the_only_one_on_offer() {
    let tool = |name: &str| json!({"type": "function", "function": {"name": name}});
    let told = |choice: Value| {
        let body = json!({"messages": user("x"), "tools": [tool("f"), tool("g")], "tool_choice": choice});
        let (told, losses) = sent(chat_to_cohere(), &body);
        (told["tool_choice"].clone(), told["tools"].as_array().unwrap().len(), losses)
    };
    assert_eq!(told(json!("auto")), (Value::Null, 2, String::new()));
    assert_eq!(told(json!("none")), (json!("NONE"), 2, String::new()));
    assert_eq!(told(json!("required")), (json!("REQUIRED"), 2, String::new()));
    let named = json!({"type": "function", "function": {"name": "g"}});
    assert_eq!(told(named), (json!("REQUIRED"), 1, "tools[]".to_owned()));
    let alone = json!({"messages": user("x"), "tool_choice": "none", "parallel_tool_calls": false});
    assert_eq!(sent(chat_to_cohere(), &alone), (json!({"model": "m", "messages": user("x")}), String::new()));
}

#[test]
fn what_cohere_cannot_be_sent_is_refused_by_path() {
    let image = json!({"type": "image_url", "image_url": {"url": "https://a"}});
    let file = json!({"type": "file", "file": {"file_data": "JVBERg=="}});
    let document = json!({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}});
    let result = json!({"type": "tool_result", "tool_use_id": "a", "content": [document]});
    let gone = json!({"type": "function", "function": {"name": "gone"}});
    for (pair, body, path) in [
        (
            chat_to_cohere(),
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, file]}]}),
            "messages[0].content[1]",
        ),
        (
            anthropic_to_cohere(),
            json!({"max_tokens": 1, "messages": [{"role": "user", "content": [result]}]}),
            "messages[0].content[0].content[0]",
        ),
        (
            chat_to_cohere(),
            json!({"messages": [{"role": "system", "content": [image]}, {"role": "user", "content": "x"}]}),
            "system[0]",
        ),
        (
            chat_to_cohere(),
            json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": [image]}]}),
            "messages[1].content[0]",
        ),
        (
            chat_to_cohere(),
            json!({"messages": user("x"), "tool_choice": gone,
                "tools": [{"type": "function", "function": {"name": "f"}}]}),
            "tool_choice",
        ),
    ] {
        let refused = request(pair, &body, &OPTIONS).unwrap_err();
        assert_eq!(refused.path, path, "{body}: {}", refused.message);
    }
}

#[test]
fn an_answer_of_cohere_is_told_to_every_client() {
    for answer in answers() {
        let Some(answer) = answer.of_cohere() else { continue };
        let (reply, losses) = answered(chat_to_cohere(), &answer.cohere()).unwrap();
        assert_eq!(losses, "", "{}", answer.name);
        // Its reasoning is not signed, no model is named, nothing is told of the cache's growth.
        let mut expected = answer.chat();
        expected["model"] = "asked".into();
        expected["usage"] = chat_usage();
        expected["usage"]["prompt_tokens_details"]["cache_write_tokens"] = 0.into();
        expected["usage"].as_object_mut().unwrap().remove("completion_tokens_details");
        let message = &mut expected["choices"][0]["message"];
        if let Some(blocks) = message.get_mut("thinking_blocks").and_then(Value::as_array_mut) {
            for block in blocks {
                block.as_object_mut().unwrap().remove("signature");
            }
        }
        assert_eq!(reply, expected, "{}", answer.name);
        let (reply, losses) = answered(anthropic_to_cohere(), &answer.cohere()).unwrap();
        assert_eq!((losses.as_str(), &reply["stop_reason"]), ("", &json!(answer.stop.0)), "{}", answer.name);
        let usage = &reply["usage"];
        assert_eq!((&usage["input_tokens"], &usage["cache_read_input_tokens"]), (&json!(15), &json!(85)));
        let said: Vec<_> = reply["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
        let expected: Vec<_> = answer
            .said
            .iter()
            .map(|said| match said {
                Said::Text(_) => "text",
                Said::Thinking(..) => "thinking",
                Said::Redacted(_) => "redacted_thinking",
                Said::Call(..) => "tool_use",
            })
            .collect();
        assert_eq!(said, expected, "{}", answer.name);
    }
}

/// In a stream nothing tells where one of them ends, and the client is to be told the same.
#[test]
fn reasoning_in_several_blocks_is_one() {
    let block = |text: &str| json!({"type": "thinking", "thinking": text});
    let reply = json!({"id": "r1", "finish_reason": "COMPLETE", "usage": {},
        "message": {"content": [block("One, "), block("two"), {"type": "text", "text": "Then"}, block("three")]}});
    let begin = |index| piece("content-start", index, &json!({"content": block("")}));
    let more = |index, text: &str| piece("content-delta", index, &json!({"content": {"thinking": text}}));
    let stream = stream_of(&[
        start(),
        begin(0),
        more(0, "One, "),
        json!({"type": "content-end", "index": 0}),
        begin(1),
        more(1, "two"),
        piece("content-delta", 2, &json!({"content": {"text": "Then"}})),
        more(3, "three"),
        end(&json!({"finish_reason": "COMPLETE", "usage": {}})),
    ]);
    let (whole, _) = answered(anthropic_to_cohere(), &reply).unwrap();
    assert_eq!(whole["content"][0]["thinking"], "One, two");
    assert_eq!(whole["content"][2]["thinking"], "three");
    let (told, ended) = streamed(anthropic_to_cohere(), [stream.as_bytes()]);
    assert_eq!((fold_anthropic(&told), ended), (whole, Ok(())));
}

/// What an answer said comes back as it was when the client sends it back.
#[test]
fn a_plan_goes_back_as_it_came() {
    for answer in answers() {
        let Some(answer) = answer.of_cohere() else { continue };
        let expected = answer.cohere()["message"].clone();
        if expected.as_object().unwrap().len() == 1 {
            continue;
        }
        let one_text = |mut message: Value| {
            // One text may be written without its brackets.
            if let Some([part]) = message["content"].as_array().map(Vec::as_slice)
                && let Some(text) = part.get("text")
            {
                message["content"] = text.clone();
            }
            message
        };
        for pair in [chat_to_cohere(), anthropic_to_cohere()] {
            let (reply, _) = answered(pair, &answer.cohere()).unwrap();
            let (message, max_tokens) = match reply.get("choices") {
                Some(choices) => (choices[0]["message"].clone(), Value::Null),
                None => (json!({"role": "assistant", "content": reply["content"]}), json!(5)),
            };
            let mut body = json!({"messages": [{"role": "user", "content": "x"}, message, {"role": "user", "content": "y"}]});
            body["max_tokens"] = max_tokens;
            let (told, losses) = sent(pair, &body);
            let mut back = told["messages"][1].clone();
            for call in back["tool_calls"].as_array_mut().into_iter().flatten() {
                let arguments = call["function"]["arguments"].as_str().unwrap();
                call["function"]["arguments"] = serde_json::from_str(arguments).unwrap();
            }
            let mut expected = one_text(expected.clone());
            for call in expected["tool_calls"].as_array_mut().into_iter().flatten() {
                let arguments = call["function"]["arguments"].as_str().unwrap();
                call["function"]["arguments"] = serde_json::from_str(arguments).unwrap();
            }
            assert_eq!((back, losses.as_str()), (expected, ""), "{}", answer.name);
        }
    }
}

#[test]
fn what_a_reply_of_cohere_loses_is_named() {
    let reply = json!({"id": "r1", "finish_reason": "NOVEL", "logprobs": [{"token_ids": [1]}], "novel": 1,
        "message": {"role": "assistant", "citations": [{"start": 0}], "new": 2,
            "content": [{"type": "text", "text": "a", "more": 3}, {"type": "sound"}],
            "tool_calls": [{"id": "c", "type": "special", "x": 4, "function": {"name": "f", "y": 5}}]}});
    let (told, losses) = answered(anthropic_to_cohere(), &reply).unwrap();
    assert_eq!(
        losses,
        "novel,logprobs,message.new,message.citations,message.content[].more,message.content[].sound,\
         message.tool_calls[].type,message.tool_calls[].x,message.tool_calls[].function.y,finish_reason"
    );
    assert_eq!((&told["stop_reason"], &told["content"][1]["input"]), (&json!("tool_use"), &json!({})));
}

#[test]
fn usage_is_what_was_used_however_it_is_written() {
    let told = |usage: Value| {
        let reply = json!({"finish_reason": "STOP_SEQUENCE", "message": {}, "usage": usage});
        let usage = answered(chat_to_cohere(), &reply).unwrap().0["usage"].clone();
        let count = |value: &Value| value.as_u64().unwrap();
        (
            count(&usage["prompt_tokens"]),
            count(&usage["completion_tokens"]),
            count(&usage["prompt_tokens_details"]["cached_tokens"]),
        )
    };
    let billed = json!({"input_tokens": 5, "output_tokens": 6});
    let tokens = json!({"input_tokens": 71.0, "output_tokens": 26});
    assert_eq!(told(json!({"billed_units": billed, "tokens": tokens, "cached_tokens": 60.0})), (71, 26, 60));
    assert_eq!(told(json!({"billed_units": billed})), (5, 6, 0));
    assert_eq!(told(json!({"tokens": {"input_tokens": "many", "output_tokens": 0.5}})), (0, 0, 0));
    assert_eq!(told(Value::Null), (0, 0, 0));
}

#[test]
fn a_reply_that_is_none_of_coheres_is_malformed() {
    let call = |arguments: &str| {
        let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": arguments}});
        json!({"finish_reason": "TOOL_CALL", "message": {"tool_calls": [call]}})
    };
    for (reply, said) in [
        (json!([]), "an object"),
        (json!({"finish_reason": "COMPLETE"}), "message"),
        (json!({"message": {}}), "finish_reason"),
        (json!({"message": "boom", "id": "x"}), "message"),
        (json!({"finish_reason": "ERROR", "message": {"content": []}}), "the generation failed"),
        (json!({"finish_reason": "TIMEOUT", "message": {"content": []}}), "longer than"),
        (
            json!({"finish_reason": "COMPLETE", "message": {"content": [{"type": "text"}]}}),
            "message.content[0].text",
        ),
        (
            json!({"finish_reason": "COMPLETE", "message": {"tool_calls": [{"id": ""}]}}),
            "message.tool_calls[0].function",
        ),
        (call("{\"a\":"), "message.tool_calls[0].function.arguments"),
        (call("[]"), "message.tool_calls[0].function.arguments"),
    ] {
        for pair in [chat_to_cohere(), anthropic_to_cohere()] {
            let malformed = answered(pair, &reply).unwrap_err();
            assert!(malformed.message.contains(said), "{said} in {}", malformed.message);
        }
    }
}

#[test]
fn an_error_of_cohere_is_told_in_the_shape_of_the_surface() {
    let told = |pair: Pair, status| {
        let mut out = Vec::new();
        pair.error(status, br#"{"id":"x","message":"Too many"}"#, "req_1", &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let chat =
        json!({"message": "Too many", "type": "upstream_error", "param": null, "code": "rate_limit_error"});
    assert_eq!(told(chat_to_cohere(), 429), json!({"error": chat}));
    assert_eq!(
        told(anthropic_to_cohere(), 429),
        json!({"type": "error", "error": {"type": "rate_limit_error", "message": "Too many"}, "request_id": "req_1"})
    );
}

fn stream_of(events: &[Value]) -> String {
    let sse = |event: &Value| format!("data: {event}\n\n");
    events.iter().map(sse).collect()
}

fn start() -> Value {
    json!({"type": "message-start", "id": "r1", "delta": {"message": {"role": "assistant"}}})
}

fn piece(kind: &str, index: u64, message: &Value) -> Value {
    json!({"type": kind, "index": index, "delta": {"message": message}})
}

fn end(delta: &Value) -> Value {
    json!({"type": "message-end", "delta": delta})
}

fn call(index: u64, id: &str, arguments: &str) -> Value {
    let call = json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    piece("tool-call-start", index, &json!({"tool_calls": call}))
}

fn input(index: u64, arguments: &str) -> Value {
    piece("tool-call-delta", index, &json!({"tool_calls": {"function": {"arguments": arguments}}}))
}

#[test]
fn a_call_without_input_is_an_empty_object_wherever_it_ends() {
    let done = || end(&json!({"finish_reason": "TOOL_CALL"}));
    let closed = json!({"type": "tool-call-end", "index": 0});
    for stream in [
        vec![start(), call(0, "a", ""), closed.clone(), call(1, "b", "{\"x\""), input(1, ":1}"), done()],
        // Without the end of a call the next one ends it.
        vec![start(), call(0, "a", ""), call(1, "b", ""), input(1, "{\"x\":1}"), done()],
        vec![start(), call(0, "a", ""), closed.clone(), closed, call(0, "b", "{\"x\":1}"), done()],
    ] {
        let stream = stream_of(&stream);
        let (told, ended) = streamed(anthropic_to_cohere(), [stream.as_bytes()]);
        assert_eq!(ended, Ok(()), "{stream}");
        let folded = fold_anthropic(&told);
        assert_eq!(
            (&folded["content"][0]["input"], &folded["content"][1]["input"]),
            (&json!({}), &json!({"x": 1}))
        );
        let (told, _) = streamed(chat_to_cohere(), [stream.as_bytes()]);
        let calls = fold_chat(&told)["choices"][0]["message"]["tool_calls"].clone();
        assert_eq!(calls[0]["function"]["arguments"], "{}");
    }
    let open = stream_of(&[start(), call(0, "a", ""), done()]);
    let (told, _) = streamed(chat_to_cohere(), [open.as_bytes()]);
    assert_eq!(fold_chat(&told)["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn a_failure_inside_a_stream_of_cohere_is_told_and_ends_it() {
    let begun = stream_of(&[start(), piece("content-delta", 0, &json!({"content": {"text": "It"}}))]);
    for (failure, message) in [
        (end(&json!({"error": "boom", "finish_reason": "ERROR"})), "boom"),
        (end(&json!({"finish_reason": "ERROR"})), "the generation failed"),
        (end(&json!({"finish_reason": "TIMEOUT"})), "the generation took longer than the provider allows"),
        (json!({"message": "boom", "id": "x"}), "boom"),
        (json!({"type": "error", "message": "boom"}), "boom"),
    ] {
        let stream =
            begun.clone() + &stream_of(&[failure.clone(), end(&json!({"finish_reason": "COMPLETE"}))]);
        let (told, ended) = streamed(chat_to_cohere(), [stream.as_bytes()]);
        assert_eq!(ended, Ok(()), "{failure}");
        assert!(!told.contains("[DONE]") && told.contains("\"It\""));
        let last: Value = serde_json::from_str(events(&told).last().unwrap().1).unwrap();
        assert_eq!(last["error"]["message"], message, "{failure}");
        let (told, _) = streamed(anthropic_to_cohere(), [stream.as_bytes()]);
        assert_eq!(events(&told).last().unwrap().0, "error");
    }
}

#[test]
fn a_stream_that_breaks_coheres_rules_is_malformed_from_then_on() {
    let text = || piece("content-delta", 0, &json!({"content": {"text": "It"}}));
    for bad in [
        vec![text()],
        vec![end(&json!({"finish_reason": "COMPLETE"}))],
        vec![start(), start()],
        vec![start(), end(&json!({}))],
        vec![start(), input(0, "{}")],
        vec![start(), call(0, "a", ""), input(1, "{}")],
        vec![start(), call(0, "a", ""), text(), input(0, "{}")],
        vec![start(), call(0, "", "")],
        vec![start(), piece("tool-call-start", 0, &json!({}))],
        vec![start(), piece("content-delta", 0, &json!({"content": "It"}))],
        vec![start(), json!([])],
    ] {
        let bad = stream_of(&bad);
        for pair in [chat_to_cohere(), anthropic_to_cohere()] {
            let mut translator = pair.stream(context());
            let mut out = Vec::new();
            let Err(malformed) = translator.push(bad.as_bytes(), &mut out) else { panic!("{bad}") };
            let written = out.len();
            let rest = answers()[0].cohere_stream(3);
            assert_eq!(translator.push(rest.as_bytes(), &mut out), Err(malformed.clone()));
            assert_eq!(translator.finish(&mut out), Err(malformed));
            assert_eq!(out.len(), written);
        }
    }
    // What others end a stream with does not end this one.
    let done = stream_of(&[start()]) + "data: [DONE]\n\n";
    assert!(streamed(chat_to_cohere(), [done.as_bytes()]).1.is_err());
    // Behind the end nothing counts.
    let after = stream_of(&[start(), end(&json!({"finish_reason": "COMPLETE"}))]) + "data: [DONE]\n\n";
    assert_eq!(streamed(chat_to_cohere(), [after.as_bytes()]).1, Ok(()));
}

#[test]
fn what_a_stream_of_cohere_loses_is_named() {
    let mut likely = piece("content-delta", 0, &json!({"content": {"text": "a", "more": 1}}));
    likely["logprobs"] = json!({"token_ids": [1]});
    let stream = stream_of(&[
        start(),
        json!({"type": "debug", "prompt": "x"}),
        piece("content-start", 0, &json!({"content": {"type": "sound"}})),
        likely,
        piece("citation-start", 0, &json!({"citations": {"start": 0}})),
        json!({"type": "citation-end", "index": 0}),
        json!({"type": "novel"}),
        piece("content-end", 0, &json!({"new": 1})),
        end(&json!({"finish_reason": "NOVEL", "extra": 1})),
    ]);
    let mut translator = chat_to_cohere().stream(context());
    let mut out = Vec::new();
    translator.push(stream.as_bytes(), &mut out).unwrap();
    assert!(translator.has_ended());
    assert_eq!(
        translator.losses().to_string(),
        "message.content[].sound,logprobs,message.content[].more,message.citations,novel,message.new,extra,finish_reason"
    );
    assert_eq!(fold_chat(&String::from_utf8(out).unwrap())["choices"][0]["message"]["content"], "a");
}

#[test]
fn cohere_is_no_dialect_of_clients() {
    // The other two go both ways; this one is only asked.
    for pair in [chat_to_anthropic(), anthropic_to_chat()] {
        assert!(answered(pair, &answers()[0].cohere()).is_err());
    }
}
