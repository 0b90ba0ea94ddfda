//! Requests from and to `openai_responses`: what becomes of each member, what is named as lost, what is refused.

use llm_edge_core::dialect::ChatFields;
use llm_edge_core::dialect::Dialect::{AnthropicMessages, OpenaiChat};
use llm_edge_core::translate::Options;
use serde_json::{Value, json};

use crate::{OPTIONS, answered, request, responses_to, sent, to_responses};

const SCHEMA: &str = r#"{"type":"object","properties":{"q":{"type":"string"}}}"#;

fn everything() -> Value {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let mut body = json!({
        "model": "gpt", "stream": true, "stream_options": {"include_obfuscation": false}, "store": false,
        "instructions": "Be brief.", "max_output_tokens": 100, "temperature": 0.5, "top_p": 1,
        "parallel_tool_calls": false, "tool_choice": {"type": "function", "name": "f"},
        "reasoning": {"effort": "none", "summary": null}, "include": ["reasoning.encrypted_content"],
        "text": {"format": {"type": "json_schema", "name": "x", "strict": true, "schema": schema}, "verbosity": "medium"},
        "safety_identifier": "u-1", "user": "old", "service_tier": "default", "truncation": "disabled",
        "prompt_cache_key": "k", "background": false, "previous_response_id": null, "top_logprobs": 0,
        "tools": [{"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": true},
            {"type": "function", "name": "g", "parameters": null, "strict": null}],
    });
    body["input"] = json!([
        {"role": "developer", "content": "Very."},
        {"type": "message", "role": "user", "content": [
            {"type": "input_text", "text": "What is this?"},
            {"type": "input_image", "image_url": "data:image/png;base64,aGk=", "detail": "auto"},
            {"type": "input_image", "image_url": "https://example.com/a.png"},
            {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}]},
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}],
            "encrypted_content": "signature:c2ln", "status": null},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "redacted:ZGF0YQ=="},
        {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed",
            "content": [{"type": "output_text", "text": "Let me see.", "annotations": [], "logprobs": []}]},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "status": "completed",
            "arguments": "{\"q\": \"\\u00fc\\\"\", \"n\": 1.50}"},
        {"type": "function_call", "call_id": "call_2", "name": "g", "arguments": ""},
        {"type": "function_call_output", "call_id": "call_1", "output": "sunny"},
        {"type": "function_call_output", "call_id": "call_2", "output": [
            {"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "data:image/png;base64,aGk="}]},
        {"role": "user", "content": "Thanks"},
    ]);
    body
}

#[test]
fn a_request_with_everything_reaches_anthropic() {
    let (told, losses) = sent(responses_to(AnthropicMessages), &everything());
    assert_eq!(losses, "prompt_cache_key,reasoning.effort");
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}});
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(
        told,
        json!({
            "model": "m", "max_tokens": 100, "temperature": 0.5, "metadata": {"user_id": "u-1"},
            "service_tier": "standard_only",
            "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": schema}}, "stream": true,
            "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
            "tools": [{"name": "f", "description": "d", "input_schema": schema, "strict": true},
                {"name": "g", "input_schema": {"type": "object", "properties": {}}}],
            "system": [text("Be brief."), text("Very.")],
            "messages": [
                {"role": "user", "content": [text("What is this?"), image,
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                    {"type": "document", "title": "a.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}}]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                    text("Let me see."),
                    {"type": "tool_use", "id": "call_1", "name": "f", "input": {"q": "ü\"", "n": 1.50}},
                    {"type": "tool_use", "id": "call_2", "name": "g", "input": {}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": [text("a"), image]},
                    text("Thanks")]},
            ],
        })
    );
    let (_, translated) = request(responses_to(AnthropicMessages), &everything(), &OPTIONS).unwrap();
    assert!(translated.stream && translated.context.include_usage);
    assert_eq!(translated.context.model, "gpt");
}

#[test]
fn a_request_with_everything_reaches_chat() {
    let (told, losses) = sent(responses_to(OpenaiChat), &everything());
    assert_eq!(losses, "reasoning.effort,input[].reasoning,input[].output[]");
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let call = |id: &str, name: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": name, "arguments": arguments}});
    assert_eq!(
        told,
        json!({
            "model": "m", "max_completion_tokens": 100, "temperature": 0.5, "top_p": 1,
            "safety_identifier": "u-1", "service_tier": "default", "stream": true, "prompt_cache_key": "k", "verbosity": "medium",
            "stream_options": {"include_usage": true}, "parallel_tool_calls": false,
            "response_format": {"type": "json_schema", "json_schema": {"name": "x", "strict": true, "schema": schema}},
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema, "strict": true}},
                {"type": "function", "function": {"name": "g", "strict": false}}],
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Very."}]},
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}}]},
                {"role": "assistant", "content": "Let me see.", "tool_calls": [
                    call("call_1", "f", "{\"q\": \"\\u00fc\\\"\", \"n\": 1.50}"), call("call_2", "g", "{}")]},
                {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
                {"role": "tool", "tool_call_id": "call_2", "content": "a"},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]},
                {"role": "user", "content": "Thanks"},
            ],
        })
    );
}

#[test]
fn a_chat_request_with_everything_reaches_responses() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    let body = json!({
        "model": "x", "stream": true, "max_tokens": 100, "temperature": 0.5, "top_p": 0.9, "top_k": 5, "stop": ["END"],
        "n": 1, "frequency_penalty": 0.0, "presence_penalty": 0.5, "seed": 7, "logit_bias": {"1": 5}, "logprobs": true,
        "top_logprobs": 2, "user": "u-1", "service_tier": "auto", "reasoning_effort": "high", "parallel_tool_calls": true,
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}},
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": schema, "strict": true}},
            {"type": "function", "function": {"name": "g"}}],
        "messages": [
            {"role": "system", "content": "Be brief."}, {"role": "developer", "content": "Very."},
            {"role": "user", "content": [{"type": "text", "text": "What?"},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "JVBERg=="}}]},
            {"role": "assistant", "content": "", "thinking_blocks": [
                {"type": "thinking", "thinking": "Hm.", "signature": "openai:rs_1:Z0FB"},
                {"type": "thinking", "thinking": "", "signature": "openai:rs_2:Z0FC"},
                {"type": "thinking", "thinking": "Not theirs.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="}],
                "tool_calls": [call("c1", "{\"q\": \"\\u00fc\\\"\"}"), call("c2", "")]},
            {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "c2", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "system", "content": "Mind the gap."},
            {"role": "assistant", "content": [{"type": "text", "text": "One."}, {"type": "text", "text": "Two."}]},
            {"role": "user", "content": "Thanks"},
        ],
    });
    let (told, losses) = sent(to_responses(OpenaiChat), &body);
    assert_eq!(losses, "top_k,presence_penalty,seed,logit_bias,stop,messages[].thinking_blocks");
    assert_eq!(
        told,
        json!({
            "model": "m", "store": false, "max_output_tokens": 100, "temperature": 0.5, "top_p": 0.9,
            "safety_identifier": "u-1", "service_tier": "auto", "reasoning": {"effort": "high"},
            "top_logprobs": 2,
            "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
            "text": {"format": {"type": "json_schema", "name": "x", "strict": false, "schema": schema}},
            "stream": true, "tool_choice": {"type": "function", "name": "f"}, "parallel_tool_calls": true,
            "tools": [{"type": "function", "name": "f", "description": "d", "parameters": schema, "strict": true},
                {"type": "function", "name": "g", "parameters": {"type": "object", "properties": {}}, "strict": false}],
            "instructions": "Be brief.\n\nVery.",
            "input": [
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "What?"},
                    {"type": "input_image", "detail": "auto", "image_url": "https://example.com/a.png"},
                    {"type": "input_file", "filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}]},
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "Z0FB"},
                {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "Z0FC"},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{\"q\": \"\\u00fc\\\"\"}"},
                {"type": "function_call", "call_id": "c2", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "sunny"},
                {"type": "function_call_output", "call_id": "c2",
                    "output": [{"type": "input_text", "text": "a"}, {"type": "input_text", "text": "b"}]},
                {"type": "message", "role": "system", "content": "Mind the gap."},
                {"type": "message", "role": "assistant", "content": "One."},
                {"type": "message", "role": "assistant", "content": "Two."},
                {"type": "message", "role": "user", "content": "Thanks"},
            ],
        })
    );
}

#[test]
fn an_anthropic_request_with_everything_reaches_responses() {
    let schema: Value = serde_json::from_str(SCHEMA).unwrap();
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}});
    let body = json!({
        "model": "x", "stream": true, "max_tokens": 1, "metadata": {"user_id": "u-1"}, "top_k": 5,
        "stop_sequences": ["END"], "thinking": {"type": "enabled", "budget_tokens": 5000},
        "tool_choice": {"type": "any", "disable_parallel_tool_use": true},
        "tools": [{"name": "f", "input_schema": schema, "cache_control": {"type": "ephemeral"}}],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [image, {"type": "document", "source": {"type": "url", "url": "https://example.com/a.pdf"}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "openai:rs_1:Z0FB"},
                {"type": "text", "text": "Before."},
                {"type": "tool_use", "id": "t1", "name": "f", "input": {"q": 1}},
                {"type": "text", "text": "Between."},
                {"type": "tool_use", "id": "t2", "name": "f", "input": {}},
                {"type": "tool_use", "id": "t3", "name": "f", "input": {}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "And?"},
                {"type": "tool_result", "tool_use_id": "t1", "is_error": true, "content": [{"type": "text", "text": "a"}, image]},
                {"type": "tool_result", "tool_use_id": "t2", "is_error": true, "content": "boom"},
                {"type": "tool_result", "tool_use_id": "t3", "is_error": true}]},
        ],
    });
    let (told, losses) = sent(to_responses(AnthropicMessages), &body);
    assert_eq!(
        losses,
        "max_tokens,top_k,stop_sequences,thinking.budget_tokens,messages[].content[].is_error"
    );
    let image = json!({"type": "input_image", "detail": "auto", "image_url": "data:image/png;base64,aGk="});
    let output =
        |id: &str, output: Value| json!({"type": "function_call_output", "call_id": id, "output": output});
    let call = |id: &str, arguments: &str| json!({"type": "function_call", "call_id": id, "name": "f", "arguments": arguments});
    assert_eq!(
        told,
        json!({
            "model": "m", "store": false, "max_output_tokens": 16, "safety_identifier": "u-1",
            "reasoning": {"effort": "medium"}, "include": ["reasoning.encrypted_content"], "stream": true,
            "tool_choice": "required", "parallel_tool_calls": false,
            "tools": [{"type": "function", "name": "f", "parameters": schema, "strict": false}],
            "instructions": "Be brief.",
            "input": [
                {"type": "message", "role": "user",
                    "content": [image, {"type": "input_file", "file_url": "https://example.com/a.pdf"}]},
                {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Hm."}], "encrypted_content": "Z0FB"},
                {"type": "message", "role": "assistant", "content": "Before."},
                call("t1", "{\"q\":1}"),
                {"type": "message", "role": "assistant", "content": "Between."},
                call("t2", "{}"),
                call("t3", "{}"),
                output("t1", json!([{"type": "input_text", "text": "Error: "}, {"type": "input_text", "text": "a"}, image])),
                output("t2", json!("Error: boom")),
                output("t3", json!("Error: ")),
                {"type": "message", "role": "user", "content": "And?"},
            ],
        })
    );
}

#[test]
fn reasoning_comes_back_as_the_item_it_was() {
    let item = json!({"id": "rs_1", "type": "reasoning", "encrypted_content": "Z0FB",
        "summary": [{"type": "summary_text", "text": "One."}, {"type": "summary_text", "text": "Two."}]});
    let call =
        json!({"id": "fc_1", "type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"});
    let reply = json!({"id": "r1", "status": "completed", "output": [item, call]});
    let (told, _) = answered(to_responses(AnthropicMessages), &reply).unwrap();
    let body = json!({"max_tokens": 100, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": told["content"]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "y"}]}]});
    let (body, losses) = sent(to_responses(AnthropicMessages), &body);
    let whole = json!({"id": "rs_1", "type": "reasoning", "encrypted_content": "Z0FB",
        "summary": [{"type": "summary_text", "text": "One.\n\nTwo."}]});
    assert_eq!((&body["input"][1], losses.as_str()), (&whole, ""));
    let (told, _) = answered(to_responses(OpenaiChat), &reply).unwrap();
    let mut message = told["choices"][0]["message"].clone();
    message["refusal"].take();
    let body = json!({"messages": [{"role": "user", "content": "x"}, message]});
    let (body, losses) = sent(to_responses(OpenaiChat), &body);
    assert_eq!((&body["input"][1], losses.as_str()), (&whole, "prefill"));
}

#[test]
fn reasoning_of_another_maker_is_dropped_and_named() {
    let answer = |encrypted: &str| {
        json!({"input": [{"role": "user", "content": "x"},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": encrypted}, {"role": "user", "content": "y"}]})
    };
    // OpenAI's own, from a turn that was not translated, and one that names an item on its servers.
    for encrypted in ["Z0FB", ""] {
        let (told, losses) = sent(responses_to(AnthropicMessages), &answer(encrypted));
        assert_eq!(losses, "input[].reasoning", "{encrypted}");
        assert_eq!(told["messages"].as_array().unwrap().len(), 1);
    }
    assert_eq!(sent(responses_to(AnthropicMessages), &answer("signature:c2ln")).1, "");
    assert_eq!(
        sent(responses_to(AnthropicMessages), &answer("signature:google:c2ln")).1,
        "input[].reasoning"
    );
    for signature in ["c2ln", "google:c2ln", "openai:", "openai:c2ln"] {
        let thinking = json!({"type": "thinking", "thinking": "x", "signature": signature});
        let body = json!({"messages": [{"role": "user", "content": "x"},
            {"role": "assistant", "content": "y", "thinking_blocks": [thinking]}, {"role": "user", "content": "z"}]});
        let (told, losses) = sent(to_responses(OpenaiChat), &body);
        assert_eq!(losses, "messages[].thinking_blocks", "{signature}");
        assert!(!told.to_string().contains("reasoning"));
    }
}

#[test]
fn what_a_reply_told_is_taken_back_in_the_next_turn() {
    let reply = json!({"id": "r1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 1}, "content": [
            {"type": "redacted_thinking", "data": "ZGF0YQ=="}, {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            {"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "t1", "name": "f", "input": {"a": 1}}]});
    let (told, _) = answered(responses_to(AnthropicMessages), &reply).unwrap();
    let mut input = vec![json!({"role": "user", "content": "x"})];
    input.extend(told["output"].as_array().unwrap().iter().cloned());
    input.push(json!({"type": "function_call_output", "call_id": "t1", "output": "y"}));
    let (body, losses) = sent(responses_to(AnthropicMessages), &json!({"input": input}));
    assert_eq!(losses, "");
    assert_eq!(body["messages"][1]["content"], reply["content"]);
}

#[test]
fn what_others_have_no_word_for_is_named() {
    let item = |item: Value| json!([{"role": "user", "content": "x"}, item]);
    let part =
        |part: Value| json!([{"role": "user", "content": [{"type": "input_text", "text": "x"}, part]}]);
    for (member, value, lost) in [
        ("store", json!(true), "store"),
        ("store", json!(false), ""),
        ("truncation", json!("auto"), "truncation"),
        ("metadata", json!({"a": "b"}), "metadata"),
        ("max_tool_calls", json!(3), "max_tool_calls"),
        ("service_tier", json!("flex"), "service_tier"),
        ("prompt_cache_retention", json!("24h"), "prompt_cache_retention"),
        ("stream_options", json!({"novel": 1}), "stream_options.novel"),
        ("text", json!({"verbosity": "low"}), "text.verbosity"),
        ("text", json!({"format": {"type": "text"}}), ""),
        (
            "text",
            json!({"format": {"type": "json_schema", "schema": {}, "description": "d"}}),
            "text.format.description",
        ),
        ("text", json!({"novel": 1}), "text.novel"),
        ("reasoning", json!({"effort": "low", "summary": "auto"}), ""),
        ("reasoning", json!({"effort": "low", "summary": "detailed"}), "reasoning.summary"),
        ("reasoning", json!({"effort": "low", "context": "all_turns"}), "reasoning.context"),
        (
            "include",
            json!(["file_search_call.results", "reasoning.encrypted_content"]),
            "include[].file_search_call.results",
        ),
        ("include", json!(["message.output_text.logprobs"]), "logprobs"),
        ("top_logprobs", json!(2), "logprobs,top_logprobs"),
        (
            "tools",
            json!([{"type": "web_search"}, {"type": "custom", "name": "c"}, {"type": "mcp", "server_label": "s", "server_url": "u"},
                {"type": "function", "name": "f", "parameters": {}, "defer_loading": true}]),
            "tools[].web_search,tools[].custom,tools[].mcp,tools[].defer_loading",
        ),
        ("tool_choice", json!({"type": "allowed_tools", "mode": "auto", "tools": [{}]}), "tool_choice.tools"),
        (
            "input",
            item(json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {}})),
            "input[].web_search_call",
        ),
        (
            "input",
            item(json!({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"})),
            "input[].custom_tool_call",
        ),
        (
            "input",
            item(json!({"type": "tool_search_call", "arguments": {"a": 1}, "output": {}})),
            "input[].tool_search_call",
        ),
        ("input", item(json!({"role": "user", "content": "y", "phase": "commentary"})), "input[].phase"),
        (
            "input",
            part(json!({"type": "input_image", "image_url": "https://a", "detail": "high"})),
            "input[].content[].detail",
        ),
        ("input", part(json!({"type": "refusal", "refusal": "No."})), "input[].content[].refusal"),
        ("input", part(json!({"type": "input_text", "text": "y", "novel": 1})), "input[].content[].novel"),
    ] {
        let mut body = json!({"model": "x", "input": "Hi"});
        body[member] = value.clone();
        assert_eq!(sent(responses_to(AnthropicMessages), &body).1, lost, "{member}: {value}");
    }
    let prompt = json!({"prompt_cache_breakpoint": {"mode": "explicit"}, "type": "input_text", "text": "y"});
    let (told, losses) = sent(responses_to(AnthropicMessages), &json!({"input": part(prompt)}));
    assert_eq!(told["messages"][0]["content"][1]["cache_control"], json!({"type": "ephemeral"}));
    assert_eq!(losses, "");
}

#[test]
fn requests_are_refused_by_path() {
    let part = |part: Value| json!({"input": [{"role": "user", "content": "x"}, {"role": "user", "content": [part]}]});
    let item = |item: Value| json!({"input": [{"role": "user", "content": "x"}, item]});
    let with = |member: &str, value: Value| {
        let mut body = json!({"input": "x"});
        body[member] = value;
        body
    };
    for (body, path) in [
        (json!({}), "input"),
        (json!({"input": 7}), "input"),
        (json!({"input": []}), "input"),
        (with("previous_response_id", json!("resp_1")), "previous_response_id"),
        (with("conversation", json!({"id": "conv_1"})), "conversation"),
        (with("prompt", json!({"id": "pmpt_1"})), "prompt"),
        (with("background", json!(true)), "background"),
        (with("instructions", json!([{"role": "user", "content": "x"}])), "instructions"),
        (with("max_output_tokens", json!(-1)), "max_output_tokens"),
        (with("temperature", json!("hot")), "temperature"),
        (with("top_logprobs", json!("many")), "top_logprobs"),
        (with("include", json!([1])), "include[0]"),
        (with("reasoning", json!({"effort": "most"})), "reasoning.effort"),
        (with("text", json!({"format": {"type": "xml"}})), "text.format.type"),
        (with("text", json!({"format": {"type": "json_schema"}})), "text.format.schema"),
        (with("tool_choice", json!("maybe")), "tool_choice"),
        (with("tool_choice", json!({"type": "function", "name": "gone"})), "tool_choice.name"),
        (with("tool_choice", json!({"type": "web_search"})), "tool_choice.type"),
        (with("tools", json!([{"name": "f"}])), "tools[0].type"),
        (with("tools", json!([{"type": "function", "parameters": {}}])), "tools[0].name"),
        (with("tools", json!([{"type": "function", "name": "f", "parameters": [1]}])), "tools[0].parameters"),
        (item(json!({"type": "item_reference", "id": "msg_1"})), "input[1]"),
        (item(json!({"id": "msg_1"})), "input[1]"),
        (item(json!({"type": "compaction", "id": "cmp_1", "encrypted_content": "Z0FB"})), "input[1]"),
        (item(json!({"role": "robot", "content": "x"})), "input[1].role"),
        (item(json!({"type": "message", "content": "x"})), "input[1].role"),
        (item(json!({"role": "user"})), "input[1].content"),
        (item(json!({"role": "user", "content": 7})), "input[1].content"),
        (item(json!({"type": "function_call", "name": "f", "arguments": "{}"})), "input[1].call_id"),
        (item(json!({"type": "function_call", "call_id": "c", "arguments": "{}"})), "input[1].name"),
        (
            item(json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{"})),
            "input[1].arguments",
        ),
        (
            item(json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "[]"})),
            "input[1].arguments",
        ),
        (item(json!({"type": "function_call_output", "call_id": "c"})), "input[1].output"),
        (item(json!({"type": "function_call_output", "output": "x"})), "input[1].call_id"),
        (
            item(json!({"type": "function_call_output", "call_id": "c", "output": [{"type": "input_text"}]})),
            "input[1].output[0].text",
        ),
        (item(json!({"type": "reasoning", "id": "r", "summary": [{"text": 1}]})), "input[1].summary[0].text"),
        (part(json!({"text": "x"})), "input[1].content[0].type"),
        (part(json!({"type": "input_audio"})), "input[1].content[0].type"),
        (part(json!({"type": "input_image"})), "input[1].content[0].image_url"),
        (part(json!({"type": "input_image", "file_id": "file_1"})), "input[1].content[0].file_id"),
        (part(json!({"type": "input_image", "image_url": "ftp://a"})), "input[1].content[0].image_url"),
        (part(json!({"type": "input_file", "file_id": "file_1"})), "input[1].content[0].file_id"),
        (part(json!({"type": "input_file", "filename": "a"})), "input[1].content[0].file_data"),
        (
            part(json!({"type": "input_file", "file_data": "data:text/plain;base64,aGk="})),
            "input[1].content[0].file_data",
        ),
    ] {
        let refused = request(responses_to(AnthropicMessages), &body, &OPTIONS).expect_err(&body.to_string());
        assert_eq!(refused.path, path, "{body}: {}", refused.message);
        assert!(!refused.message.is_empty() && !refused.message.contains(" line "), "{}", refused.message);
    }
    // Chat fetches no documents; responses do.
    let linked = part(json!({"type": "input_file", "file_url": "https://example.com/a.pdf"}));
    assert!(request(responses_to(OpenaiChat), &linked, &OPTIONS).is_err());
    assert!(request(to_responses(OpenaiChat), &json!({"messages": []}), &OPTIONS).is_err());
}

#[test]
fn reasoning_is_asked_for_and_taken_in_the_words_of_either() {
    let asked = |reasoning: Value| {
        let (told, losses) =
            sent(responses_to(AnthropicMessages), &json!({"input": "x", "reasoning": reasoning}));
        (told["thinking"]["type"].clone(), told["output_config"]["effort"].clone(), losses)
    };
    assert_eq!(asked(json!({"effort": "high"})), (json!("adaptive"), json!("high"), String::new()));
    assert_eq!(asked(json!({"effort": "none"})), (Value::Null, json!("low"), "reasoning.effort".to_owned()));
    assert_eq!(asked(json!({"summary": "auto"})), (json!("adaptive"), Value::Null, String::new()));
    assert_eq!(asked(json!({})), (Value::Null, Value::Null, String::new()));
    let sent = |thinking: Value, chat_fields: ChatFields| {
        let body =
            json!({"max_tokens": 20, "messages": [{"role": "user", "content": "x"}], "thinking": thinking});
        let options = Options { chat_fields, ..OPTIONS };
        let (written, translated) = request(to_responses(AnthropicMessages), &body, &options).unwrap();
        let told: Value = serde_json::from_str(&written).unwrap();
        (told["reasoning"]["effort"].clone(), told["include"].clone(), translated.losses.to_string())
    };
    let enabled = json!({"type": "enabled", "budget_tokens": 20_000});
    let include = json!(["reasoning.encrypted_content"]);
    let lost = "thinking.budget_tokens".to_owned();
    assert_eq!(sent(enabled.clone(), ChatFields::Openai), (json!("high"), include, lost.clone()));
    assert_eq!(sent(enabled, ChatFields::Common), (json!("high"), Value::Null, lost));
    // A model that does not reason refuses both members.
    let adaptive = sent(json!({"type": "adaptive"}), ChatFields::Openai);
    assert_eq!(adaptive, (Value::Null, Value::Null, String::new()));
    let off = sent(json!({"type": "disabled"}), ChatFields::Openai);
    assert_eq!(off, (Value::Null, Value::Null, "thinking.type".to_owned()));
}

#[test]
fn a_server_that_only_speaks_like_openai_is_not_told_the_end_user() {
    let body = json!({"user": "u", "messages": [{"role": "user", "content": "x"}]});
    let options = Options { chat_fields: ChatFields::Common, ..OPTIONS };
    let (written, translated) = request(to_responses(OpenaiChat), &body, &options).unwrap();
    assert!(!written.contains("safety_identifier"));
    assert_eq!(translated.losses.to_string(), "user");
}

#[test]
fn the_system_prompt_stands_where_the_api_looks_for_it() {
    let told = |body: Value| {
        let (told, losses) = sent(to_responses(OpenaiChat), &body);
        assert_eq!(losses, "");
        (told["instructions"].clone(), told["input"][0]["role"].clone(), told["input"][0]["content"].clone())
    };
    let system = json!({"role": "system", "content": "Answer in JSON."});
    let user = json!({"role": "user", "content": "x"});
    let instructions = (json!("Answer in JSON."), json!("user"), json!("x"));
    assert_eq!(told(json!({"messages": [system, user]})), instructions);
    let message = (Value::Null, json!("system"), json!("Answer in JSON."));
    let format = json!({"type": "json_object"});
    assert_eq!(told(json!({"messages": [system, user], "response_format": format})), message);
    assert_eq!(told(json!({"messages": [system]})), message);
    let image = json!([{"type": "image_url", "image_url": {"url": "https://a"}}]);
    let image = told(json!({"messages": [{"role": "system", "content": image}, user]}));
    assert_eq!(
        (&image.0, &image.1, &image.2[0]["type"]),
        (&Value::Null, &json!("system"), &json!("input_image"))
    );
}

#[test]
fn texts_schemas_and_inputs_pass_byte_for_byte() {
    let schema = r#"{"type":"object", "properties": {"b":{"type":"number","maximum":1e400},"a":{}}}"#;
    let text = r#""tab\t \u00e9 \/ \ud83d\ude00 \" ü""#;
    let body = format!(
        r#"{{"input":[{{"content":{text},"role":"user"}},{{"type":"function_call","call_id":"c","arguments":"{{\"n\": 1.0e+2}}","name":"f"}}],"tools":[{{"parameters":{schema},"name":"f","type":"function"}}]}}"#
    );
    for dialect in [OpenaiChat, AnthropicMessages] {
        let mut out = Vec::new();
        responses_to(dialect).request(body.as_bytes(), "m", &OPTIONS, &mut out).unwrap();
        let mut back = Vec::new();
        to_responses(dialect).request(&out, "m", &OPTIONS, &mut back).unwrap();
        let back = String::from_utf8(back).unwrap();
        assert!(back.contains(&format!("\"content\":{text}")), "{back}");
        assert!(back.contains(&format!("\"parameters\":{schema}")));
        assert!(back.contains(r#""arguments":"{\"n\": 1.0e+2}""#));
    }
}
