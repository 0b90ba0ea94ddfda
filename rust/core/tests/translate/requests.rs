//! Requests, member by member: what becomes of each, and what is named as lost.

use llm_edge_core::dialect::{ChatFields, ChatMembers, Dialect, ReplayedReasoning};
use llm_edge_core::translate::{Options, between};
use serde_json::{Value, json};

use crate::{OPTIONS, anthropic_to_chat, chat_to_anthropic, request, responses_to, sent};

fn user(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

#[test]
fn a_chat_request_with_everything_reaches_anthropic() {
    let body = json!({
        "model": "claude", "stream": true, "stream_options": {"include_usage": true, "include_obfuscation": true},
        "max_completion_tokens": 100, "max_tokens": 7, "temperature": 0.5, "top_p": 0.95, "top_k": 5,
        "stop": ["END", "\n"], "user": "u-1", "service_tier": "default", "parallel_tool_calls": false,
        "reasoning_effort": "high", "prompt_cache_key": "k", "n": 1, "logprobs": false, "metadata": null,
        "response_format": {"type": "json_schema",
            "json_schema": {"name": "x", "strict": true, "schema": {"type": "object"}}},
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d\n", "strict": true,
                "parameters": {"type": "object", "properties": {"z": {"type": "string"}, "a": {}}}}},
            {"type": "function", "function": {"name": "g", "parameters": {}, "strict": false},
                "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Very.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk/+w=="}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.png", "detail": "auto"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
            ]},
            {"role": "assistant", "content": "", "reasoning_content": "Hm.",
                "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "ZGF0YQ=="}],
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"z\": \"\\u00fc\\\"\", \"n\": 1.50}"}},
                    {"id": "fn.g:0", "type": "function", "function": {"name": "g", "arguments": ""}},
                ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "fn.g:0", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "Thanks"},
        ],
    });
    let (told, losses) = sent(chat_to_anthropic(), &body);
    assert_eq!(losses, "prompt_cache_key,temperature,top_k,stop");
    let cached = json!({"type": "ephemeral"});
    assert_eq!(
        told,
        json!({
            "model": "m", "max_tokens": 100, "top_p": 0.95,
            "stop_sequences": ["END"], "metadata": {"user_id": "u-1"}, "service_tier": "standard_only",
            "thinking": {"type": "adaptive"},
            "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object"}}},
            "stream": true, "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
            "tools": [
                {"name": "f", "description": "d\n", "strict": true,
                    "input_schema": {"type": "object", "properties": {"z": {"type": "string"}, "a": {}}}},
                {"name": "g", "input_schema": {"type": "object", "properties": {}},
                    "cache_control": {"type": "ephemeral", "ttl": "1h"}},
            ],
            "system": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Very.", "cache_control": cached}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk/+w=="}},
                    {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
                    {"type": "document", "title": "a.pdf",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
                ]},
                {"role": "assistant", "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                    {"type": "tool_use", "id": "call_1", "name": "f", "input": {"z": "ü\"", "n": 1.50}},
                    {"type": "tool_use", "id": "fn_g_0", "name": "g", "input": {}},
                ]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "sunny"},
                    {"type": "tool_result", "tool_use_id": "fn_g_0",
                        "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                    {"type": "text", "text": "Thanks"},
                ]},
            ],
        })
    );
    let (_, translated) = request(chat_to_anthropic(), &body, &OPTIONS).unwrap();
    assert!(translated.stream && translated.context.include_usage);
    assert_eq!(translated.context.model, "claude");
}

#[test]
fn an_assistant_thinks_in_the_parts_of_its_content() {
    let said = |parts: Value| {
        json!({"messages": [{"role": "user", "content": "x"}, {"role": "assistant", "content": parts},
            {"role": "user", "content": "y"}]})
    };
    let signed = said(json!([
        {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
        {"type": "redacted_thinking", "data": "ZGF0YQ=="},
        {"type": "text", "text": "So."},
    ]));
    let (told, losses) = sent(chat_to_anthropic(), &signed);
    assert_eq!(losses, "");
    assert_eq!(told["messages"][1]["content"], signed["messages"][1]["content"]);
    // As Mistral's models do, without a signature.
    let parts = json!([{"type": "text", "text": "H"}, {"type": "text", "text": "m."}, {"type": "reference"}]);
    let (told, losses) = sent(
        chat_to_anthropic(),
        &said(
            json!([{"type": "thinking", "thinking": parts, "closed": true}, {"type": "text", "text": "So."}]),
        ),
    );
    assert_eq!(losses, "messages[].content[].thinking[],messages[].thinking_blocks");
    assert_eq!(told["messages"][1]["content"], json!([{"type": "text", "text": "So."}]));
}

#[test]
fn an_anthropic_request_with_everything_reaches_chat() {
    let body = json!({
        "model": "gpt", "stream": true, "max_tokens": 100, "temperature": 0.5, "top_p": 0.9, "top_k": 5,
        "stop_sequences": ["1", "2", "3", "4", "5"], "metadata": {"user_id": "u-1"}, "service_tier": "auto",
        "output_config": {"effort": "xhigh", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "thinking": {"type": "adaptive"}, "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}, "strict": true,
                "cache_control": {"type": "ephemeral"}},
            {"type": "web_search_20260318", "name": "web_search"},
        ],
        "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=1; cch=2a;"},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}, "cache_control": {"type": "ephemeral"}},
                {"type": "document", "title": "a.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERg=="}},
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "plain"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"z": "ü\"", "n": 1.50}},
                {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}, "cache_control": {"type": "ephemeral"}},
            ]},
            {"role": "user", "content": [
                {"type": "text", "text": "And?"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny", "cache_control": {"type": "ephemeral"}},
                {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}},
                    {"type": "text", "text": "b"}]},
            ]},
            {"role": "system", "content": "Mind the gap."},
        ],
    });
    let (told, losses) = sent(anthropic_to_chat(), &body);
    assert_eq!(
        losses,
        "tools[].web_search_20260318,stop_sequences,top_k,tools[].strict,messages[].content[].thinking,\
         messages[].content[].redacted_thinking,messages[].content[].is_error,messages[].content[].content[]"
            .replacen("stop_sequences,top_k", "top_k,stop_sequences", 1)
    );
    assert_eq!(
        told,
        json!({
            "model": "m", "max_completion_tokens": 100, "temperature": 0.5, "top_p": 0.9,
            "stop": ["1", "2", "3", "4"], "safety_identifier": "u-1", "service_tier": "auto",
            "reasoning_effort": "xhigh",
            "response_format": {"type": "json_schema", "json_schema": {"name": "output", "strict": false, "schema": {"type": "object"}}},
            "stream": true, "stream_options": {"include_usage": true},
            "tool_choice": {"type": "function", "function": {"name": "f"}}, "parallel_tool_calls": false,
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "strict": false,
                "parameters": {"type": "object", "properties": {}}}}],
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
                    {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
                    {"type": "text", "text": "plain"},
                ]},
                {"role": "assistant", "content": "Let me see.", "tool_calls": [
                    {"id": "toolu_1", "type": "function", "function": {"name": "f", "arguments": json!({"z": "ü\"", "n": 1.50}).to_string()}},
                    {"id": "toolu_2", "type": "function", "function": {"name": "f", "arguments": "{}"}},
                ]},
                {"role": "tool", "tool_call_id": "toolu_1", "content": "sunny"},
                {"role": "tool", "tool_call_id": "toolu_2", "content": [
                    {"type": "text", "text": "Error: a"}, {"type": "text", "text": "b"}]},
                {"role": "user", "content": [
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {"type": "text", "text": "And?"}]},
                {"role": "system", "content": "Mind the gap."},
            ],
        })
    );
}

#[test]
fn texts_schemas_and_inputs_pass_byte_for_byte() {
    let schema = r#"{"type":"object", "properties": {"b":{"type":"number","maximum":1e400},"a":{}}}"#;
    let text = r#""tab\t \u00e9 \/ \ud83d\ude00 \" ü""#;
    let chat = format!(
        r#"{{"messages":[{{"content":{text},"role":"user"}},{{"role":"assistant","tool_calls":[{{"id":"c","function":{{"arguments":"{{\"n\": 1.0e+2}}","name":"f"}}}}]}}],"tools":[{{"function":{{"parameters":{schema},"name":"f"}},"type":"function"}}]}}"#
    );
    let mut out = Vec::new();
    chat_to_anthropic().request(chat.as_bytes(), "m", &OPTIONS, &mut out).unwrap();
    let told = String::from_utf8(out.clone()).unwrap();
    assert!(told.contains(&format!("\"text\":{text}")), "{told}");
    assert!(told.contains(&format!("\"input_schema\":{schema}")));
    assert!(told.contains(r#""input":{"n": 1.0e+2}"#));
    let mut back = Vec::new();
    anthropic_to_chat().request(&out, "m", &OPTIONS, &mut back).unwrap();
    let back = String::from_utf8(back).unwrap();
    assert!(back.contains(&format!("\"content\":{text}")), "{back}");
    assert!(back.contains(&format!("\"parameters\":{schema}")));
    assert!(back.contains(r#""arguments":"{\"n\": 1.0e+2}""#));
}

#[test]
fn what_anthropic_has_no_word_for_is_named() {
    for (member, value, lost) in [
        ("n", json!(2), "n"),
        ("seed", json!(7), "seed"),
        ("logit_bias", json!({"1": 5}), "logit_bias"),
        ("logprobs", json!(true), "logprobs"),
        ("top_logprobs", json!(3), "top_logprobs"),
        ("frequency_penalty", json!(0.5), "frequency_penalty"),
        ("presence_penalty", json!(-1), "presence_penalty"),
        ("temperature", json!(1.5), "temperature"),
        ("service_tier", json!("flex"), "service_tier"),
        ("reasoning_effort", json!("minimal"), "reasoning_effort"),
        ("response_format", json!({"type": "json_object"}), "response_format"),
        ("response_format", json!({"type": "text"}), ""),
        ("user", json!("u".repeat(600)), "user"),
        ("metadata", json!({"a": "b"}), "metadata"),
        ("store", json!(true), "store"),
        ("store", json!(false), ""),
        ("verbosity", json!("low"), "verbosity"),
        ("web_search_options", json!({"search_context_size": "low"}), "web_search_options"),
        ("modalities", json!(["text", "audio"]), "modalities"),
        ("prediction", json!({"type": "content"}), "prediction"),
        ("a b", json!(1), "other"),
        ("frequency_penalty", json!(0.0), ""),
        ("frequency_penalty", json!(0), ""),
        ("prompt_cache_retention", json!("24h"), "prompt_cache_retention"),
        ("prompt_cache_key", json!("k"), "prompt_cache_key"),
        ("stream_options", json!({"novel": 1}), "stream_options.novel"),
        (
            "tool_choice",
            json!({"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [{}]}}),
            "tool_choice.allowed_tools.tools",
        ),
        (
            "tools",
            json!([{"type": "function", "novel": 1, "function": {"name": "f", "new": 2}}]),
            "tools[].novel,tools[].function.new",
        ),
        ("messages", json!([{"role": "user", "name": "Bo", "content": "x"}]), "messages[].name"),
        (
            "messages",
            json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y", "reasoning_content": "r", "refusal": "z", "annotations": [1], "audio": {"id": "a"}}]),
            "messages[].audio,messages[].refusal,messages[].reasoning_content",
        ),
        (
            "messages",
            json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "", "cache_control": {"type": "ephemeral"},
                "thinking_blocks": [{"type": "thinking", "thinking": "unsigned", "signature": ""}]}]),
            "messages[].thinking_blocks,messages[].cache_control",
        ),
        (
            "messages",
            json!([{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]),
            "messages[].role",
        ),
        (
            "messages",
            json!([{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "https://a", "detail": "high"}}]}]),
            "messages[].content[].image_url.detail",
        ),
    ] {
        let mut body = json!({"model": "x", "messages": user("Hi")});
        body[member] = value.clone();
        let (told, losses) = sent(chat_to_anthropic(), &body);
        assert_eq!(losses, lost, "{member}: {value}");
        if member == "temperature" {
            assert_eq!(told["temperature"], 1);
        }
    }
}

#[test]
fn what_chat_has_no_word_for_is_named() {
    let content = |block: Value| json!([{"role": "user", "content": [{"type": "text", "text": "x"}, block]}]);
    for (member, value, lost) in [
        ("top_k", json!(5), "top_k"),
        ("container", json!("c"), "container"),
        ("speed", json!("fast"), "speed"),
        ("metadata", json!({"user_id": "u".repeat(129)}), "metadata.user_id"),
        (
            "thinking",
            json!({"type": "enabled", "budget_tokens": 2000, "display": "omitted"}),
            "thinking.display,thinking.budget_tokens",
        ),
        ("thinking", json!({"type": "between_tools"}), "thinking.type"),
        ("thinking", json!({"type": "disabled"}), "thinking.type"),
        ("cache_control", json!({"type": "ephemeral"}), ""),
        ("output_config", json!({"novel": 1}), "output_config.novel"),
        (
            "tools",
            json!([{"name": "f", "input_schema": {}, "defer_loading": true, "eager_input_streaming": true}]),
            "tools[].defer_loading",
        ),
        (
            "messages",
            json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]),
            "prefill",
        ),
        ("messages", content(json!({"type": "text", "text": "y", "citations": [1]})), ""),
        (
            "messages",
            content(json!({"type": "document", "title": "t", "source": {"type": "text", "data": "y"}})),
            "messages[].content[].title",
        ),
        (
            "messages",
            content(json!({"type": "container_upload", "file_id": "f"})),
            "messages[].content[].container_upload",
        ),
        (
            "messages",
            content(
                json!({"type": "search_result", "title": "t", "source": "s", "content": [{"type": "text", "text": "y"}]}),
            ),
            "messages[].content[].search_result",
        ),
        (
            "messages",
            content(
                json!({"type": "tool_use", "id": "a", "name": "f", "input": {}, "caller": {"type": "direct"}}),
            ),
            "",
        ),
    ] {
        let mut body = json!({"model": "x", "max_tokens": 5, "messages": user("Hi")});
        body[member] = value.clone();
        assert_eq!(sent(anthropic_to_chat(), &body).1, lost, "{member}: {value}");
    }
}

#[test]
fn reasoning_is_asked_for_in_the_words_of_the_target() {
    let chat = |effort: &str, choice: Value| {
        let tools = json!([{"type": "function", "function": {"name": "f"}}]);
        let body =
            json!({"messages": user("x"), "reasoning_effort": effort, "tools": tools, "tool_choice": choice});
        let (told, losses) = sent(chat_to_anthropic(), &body);
        (told["thinking"]["type"].clone(), told["output_config"]["effort"].clone(), losses)
    };
    assert_eq!(chat("none", json!("auto")), (Value::Null, json!("low"), "reasoning_effort".to_owned()));
    assert_eq!(chat("max", json!("auto")), (json!("adaptive"), json!("max"), String::new()));
    // Forced calls and thinking exclude each other.
    assert_eq!(chat("low", json!("required")), (Value::Null, json!("low"), "reasoning_effort".to_owned()));
    let anthropic = |thinking: Value, output: Value| {
        let body =
            json!({"max_tokens": 9, "messages": user("x"), "thinking": thinking, "output_config": output});
        sent(anthropic_to_chat(), &body).0["reasoning_effort"].clone()
    };
    let enabled = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    assert_eq!(anthropic(enabled(4095), Value::Null), "low");
    assert_eq!(anthropic(enabled(4096), Value::Null), "medium");
    assert_eq!(anthropic(enabled(16_384), Value::Null), "high");
    assert_eq!(anthropic(enabled(1024), json!({"effort": "max"})), "max");
    assert_eq!(anthropic(json!({"type": "disabled"}), json!({"effort": "max"})), Value::Null);
    assert_eq!(anthropic(json!({"type": "adaptive"}), Value::Null), Value::Null);
}

#[test]
fn tools_may_be_left_to_the_model_forbidden_or_asked_for() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for (chat, anthropic) in [
        (json!("auto"), json!({"type": "auto"})),
        (json!("none"), json!({"type": "none"})),
        (json!("required"), json!({"type": "any"})),
        (json!({"type": "function", "function": {"name": "f"}}), json!({"type": "tool", "name": "f"})),
    ] {
        let body = json!({"messages": user("x"), "tools": tools, "tool_choice": chat});
        let told = sent(chat_to_anthropic(), &body).0;
        assert_eq!(told["tool_choice"], anthropic);
        let mut back = told;
        back["max_tokens"] = 1.into();
        assert_eq!(sent(anthropic_to_chat(), &back).0["tool_choice"], chat);
        // Without tools neither API takes a choice.
        let body = json!({"messages": user("x"), "tool_choice": "auto", "parallel_tool_calls": false});
        assert!(sent(chat_to_anthropic(), &body).0["tool_choice"].is_null());
    }
}

#[test]
fn turns_alternate_and_results_come_first() {
    let call = json!({"id": "c", "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"messages": [
        {"role": "user", "content": "a"}, {"role": "user", "content": " \n\t"}, {"role": "user", "content": "b"},
        {"role": "assistant", "content": null}, {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d", "tool_calls": [call]},
        {"role": "system", "content": "e"}, {"role": "tool", "tool_call_id": "c", "content": ""},
    ]});
    let (told, losses) = sent(chat_to_anthropic(), &body);
    assert_eq!(losses, "messages[].role");
    let text = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(
        told["messages"],
        json!([
            {"role": "user", "content": [text("a"), text("b"), text("c")]},
            {"role": "assistant", "content": [text("d"), {"type": "tool_use", "id": "c", "name": "f", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c"}, text("<system>e</system>")]},
        ])
    );
    assert_eq!(told["max_tokens"], OPTIONS.max_tokens_default);
}

#[test]
fn only_the_billing_line_goes_from_the_system_prompt() {
    let told = |system: Value| {
        let body = json!({"max_tokens": 1, "system": system, "messages": user("x")});
        sent(anthropic_to_chat(), &body).0["messages"][0]["content"].clone()
    };
    assert_eq!(told(json!("x-anthropic-billing-header: a;\nBe brief.")), "Be brief.");
    assert_eq!(told(json!("x-anthropic-billing-header: a;")), "x");
    assert_eq!(told(json!("Be x-anthropic-billing-header: a;")), "Be x-anthropic-billing-header: a;");
}

#[test]
fn what_anthropic_refuses_beside_something_else_is_left_out_and_named() {
    for (more, kept, lost) in [
        (json!({"temperature": 0.5, "top_p": 0.9}), json!({"temperature": 0.5}), "top_p"),
        (json!({"temperature": 0.5, "top_p": 1}), json!({"temperature": 0.5}), ""),
        (json!({"top_p": 0.9, "top_k": 3}), json!({"top_p": 0.9, "top_k": 3}), ""),
        (json!({"temperature": 1, "reasoning_effort": "low"}), json!({}), ""),
        (json!({"temperature": 0.2, "top_k": 3, "reasoning_effort": "low"}), json!({}), "temperature,top_k"),
        (json!({"top_p": 0.9, "reasoning_effort": "low"}), json!({}), "top_p"),
        (json!({"top_p": 0.97, "reasoning_effort": "low"}), json!({"top_p": 0.97}), ""),
        (
            json!({"temperature": 0.2, "reasoning_effort": "none"}),
            json!({"temperature": 0.2}),
            "reasoning_effort",
        ),
    ] {
        let mut body = json!({"model": "x", "messages": user("Hi")});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (told, losses) = sent(chat_to_anthropic(), &body);
        assert_eq!(losses, lost, "{more}");
        for name in ["temperature", "top_p", "top_k"] {
            assert_eq!(told.get(name), kept.get(name), "{more}");
        }
    }
}

#[test]
fn a_server_that_only_speaks_like_openai_gets_the_members_that_everybody_has() {
    let body = json!({"model": "x", "max_tokens": 5, "metadata": {"user_id": "u"}, "messages": user("Hi")});
    let options = Options { chat_fields: ChatFields::Common, ..OPTIONS };
    let mut out = Vec::new();
    let pair = anthropic_to_chat();
    let translated = pair.request(body.to_string().as_bytes(), "m", &options, &mut out).unwrap();
    let told: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(told["max_tokens"], 5);
    assert_eq!(told.get("max_completion_tokens"), None);
    assert_eq!(told.get("safety_identifier"), None);
    assert_eq!(translated.losses.to_string(), "metadata.user_id");
    assert_eq!(sent(pair, &body).0["max_completion_tokens"], 5);
}

#[test]
fn what_a_server_calls_otherwise_is_called_so_and_what_it_does_not_know_is_named() {
    let members: ChatMembers = serde_json::from_value(json!({
        "seed": "random_seed", "logprobs": null, "stream_options": null, "reasoning_effort": null,
        "parallel_tool_calls": null, "n": null,
    }))
    .unwrap();
    let options = Options { chat_members: &members, stream: Some(true), ..OPTIONS };
    let pair = between(Dialect::Gemini, Dialect::OpenaiChat).unwrap();
    let told = |config: Value| {
        let body = json!({"contents": [{"parts": [{"text": "Hi"}]}], "generationConfig": config});
        let mut out = Vec::new();
        let translated = pair.request(body.to_string().as_bytes(), "m", &options, &mut out).unwrap();
        (serde_json::from_slice::<Value>(&out).unwrap(), translated.losses.to_string())
    };
    let (sent, losses) = told(json!({"seed": 7, "responseLogprobs": true, "candidateCount": 2}));
    assert_eq!(sent["random_seed"], 7);
    for name in ["seed", "logprobs", "n", "stream_options"] {
        assert_eq!(sent.get(name), None, "{name}");
    }
    assert_eq!(losses, "generationConfig.responseLogprobs,generationConfig.candidateCount");
    // What comes anyway is no loss.
    let (sent, losses) = told(json!({"candidateCount": 1}));
    assert_eq!((sent.get("n"), losses.as_str()), (None, ""));
}

#[test]
fn what_only_openai_has_a_word_for_is_called_as_the_server_calls_it() {
    for (called, written, losses) in [(json!("tier"), "tier", ""), (Value::Null, "", "service_tier")] {
        let members: ChatMembers = serde_json::from_value(json!({"service_tier": called})).unwrap();
        let options = Options { chat_members: &members, ..OPTIONS };
        let body = json!({"input": "Hi", "service_tier": "flex"});
        let mut out = Vec::new();
        let translated = responses_to(Dialect::OpenaiChat)
            .request(body.to_string().as_bytes(), "m", &options, &mut out)
            .unwrap();
        let sent: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(translated.losses.to_string(), losses);
        assert_eq!(sent.get("service_tier"), None);
        assert_eq!(sent.get(written).is_some(), losses.is_empty());
    }
}

#[test]
fn ids_of_tools_have_the_form_that_the_server_insists_on() {
    let options = Options { tool_id_length: Some(9), ..OPTIONS };
    let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "f", "input": {}});
    let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "ok"});
    let turns = |ids: [&str; 2]| {
        json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": ids.map(call)},
            {"role": "user", "content": ids.map(result)}])
    };
    let told = |ids: [&str; 2]| -> Vec<String> {
        let body = json!({"max_tokens": 5, "messages": turns(ids)});
        let mut out = Vec::new();
        anthropic_to_chat().request(body.to_string().as_bytes(), "m", &options, &mut out).unwrap();
        let body: Value = serde_json::from_slice(&out).unwrap();
        let messages = body["messages"].as_array().unwrap();
        let called = messages[1]["tool_calls"].as_array().unwrap().iter().map(|call| &call["id"]);
        let answered = messages[2..].iter().map(|message| &message["tool_call_id"]);
        called.chain(answered).map(|id| id.as_str().unwrap().to_owned()).collect()
    };
    let [first, second, third, fourth] = <[String; 4]>::try_from(told(["toolu_01", "toolu_02"])).unwrap();
    assert_eq!((&first, &second), (&third, &fourth));
    assert_ne!(first, second);
    for id in [&first, &second] {
        assert!(id.len() == 9 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id}");
    }
    // The same in every turn, and what fits stays.
    assert_eq!(told(["toolu_02", "D681PevKs"]), [&second, "D681PevKs", &second, "D681PevKs"]);
}

#[test]
fn a_budget_beside_an_effort_is_named() {
    let body = json!({"max_tokens": 9, "messages": user("x"), "output_config": {"effort": "low"},
        "thinking": {"type": "enabled", "budget_tokens": 2000}});
    assert_eq!(sent(anthropic_to_chat(), &body).1, "thinking.budget_tokens");
}

#[test]
fn content_is_not_read_deeper_than_the_api_has_it() {
    let nested = |depth: usize| {
        let open = r#"{"type":"tool_result","tool_use_id":"a","content":["#.repeat(depth);
        let close = "]}".repeat(depth);
        format!(
            r#"{{"max_tokens":1,"messages":[{{"role":"user","content":[{open}{{"type":"text","text":"x"}}{close}]}}]}}"#
        )
    };
    let ask = |body: &str| anthropic_to_chat().request(body.as_bytes(), "m", &OPTIONS, &mut Vec::new());
    assert!(ask(&nested(1)).is_ok());
    let refused = ask(&nested(400)).unwrap_err();
    assert!(refused.message.contains("deeper"), "{}", refused.message);
}

#[test]
fn reasoning_that_somebody_else_signed_or_encrypted_is_left_out_and_named() {
    for (block, kept) in [
        (json!({"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}), true),
        (json!({"type": "thinking", "thinking": "Hm.", "signature": "google:c2ln"}), false),
        (json!({"type": "redacted_thinking", "data": "ZGF0YQ=="}), true),
        (json!({"type": "redacted_thinking", "data": "bedrock:ZGF0YQ=="}), false),
    ] {
        let body = json!({"messages": [{"role": "user", "content": "x"},
            {"role": "assistant", "content": "y", "thinking_blocks": [block]}]});
        let (told, losses) = sent(chat_to_anthropic(), &body);
        let content = told["messages"][1]["content"].as_array().unwrap();
        assert_eq!(content.len(), 1 + usize::from(kept), "{block}");
        assert_eq!(losses, if kept { "" } else { "messages[].thinking_blocks" }, "{block}");
    }
}

/// What a chat server that takes reasoning back so, or `nowhere`, is sent of what the model said, and what is named as lost.
fn replayed(form: &str, said: &Value) -> (Value, String) {
    let replays_reasoning = serde_json::from_str(&format!("\"{form}\"")).ok();
    let options = Options { replays_reasoning, ..OPTIONS };
    let body = json!({"max_tokens": 5, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": said}, {"role": "user", "content": "y"}]});
    let (written, translated) = request(anthropic_to_chat(), &body, &options).unwrap();
    let told: Value = serde_json::from_str(&written).unwrap();
    (told["messages"][1].clone(), translated.losses.to_string())
}

#[test]
fn reasoning_goes_back_where_the_server_takes_it() {
    let thinking =
        |text: &str, signature: &str| json!({"type": "thinking", "thinking": text, "signature": signature});
    let call = json!({"type": "tool_use", "id": "c", "name": "f", "input": {}});
    let said = json!([thinking("H\"", ""), thinking("m.", "c2ln"), {"type": "text", "text": "So."}, call]);
    let calls = json!([{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}]);
    for member in ["reasoning_content", "reasoning"] {
        let (told, losses) = replayed(member, &said);
        assert_eq!(
            told,
            json!({"role": "assistant", "content": "So.", member: "H\"m.", "tool_calls": calls})
        );
        assert_eq!(losses, "");
    }
    let part = |text: &str| json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]});
    let content = json!([part("H\""), part("m."), {"type": "text", "text": "So."}]);
    let expected = json!({"role": "assistant", "content": content, "tool_calls": calls});
    assert_eq!(replayed("content", &said), (expected, String::new()));
    // OpenAI and those who refuse what it does not have.
    let (told, losses) = replayed("nowhere", &said);
    assert_eq!(told, json!({"role": "assistant", "content": "So.", "tool_calls": calls}));
    assert_eq!(losses, "messages[].content[].thinking");
}

#[test]
fn reasoning_that_says_nothing_to_the_server_is_named() {
    let redacted = json!({"type": "redacted_thinking", "data": "ZGF0YQ=="});
    let text = json!({"type": "text", "text": "So."});
    let thinking =
        |text: &str, signature: &str| json!({"type": "thinking", "thinking": text, "signature": signature});
    let named = "messages[].content[].thinking";
    for form in ["reasoning_content", "reasoning", "content"] {
        let (told, losses) = replayed(form, &json!([redacted, thinking("", ""), text]));
        assert_eq!(told, json!({"role": "assistant", "content": "So."}), "{form}");
        assert_eq!(losses, "messages[].content[].redacted_thinking", "{form}");
        let (told, losses) = replayed(form, &json!([thinking("", "google:c2ln"), text]));
        assert_eq!(
            (told, losses.as_str()),
            (json!({"role": "assistant", "content": "So."}), named),
            "{form}"
        );
        // Servers refuse a message that is reasoning only, so that there is none.
        let (told, losses) = replayed(form, &json!([thinking("Hm.", "")]));
        assert_eq!((told, losses.as_str()), (json!({"role": "user", "content": "y"}), named), "{form}");
    }
}

#[test]
fn reasoning_goes_back_whoever_the_client_is() {
    let options = Options { replays_reasoning: Some(ReplayedReasoning::ReasoningContent), ..OPTIONS };
    let summary = json!([{"type": "summary_text", "text": "Hm."}]);
    let item = json!({"type": "reasoning", "id": "rs_1", "summary": summary});
    let call = json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"});
    let responses = json!({"input": [{"role": "user", "content": "x"}, item, call]});
    let parts = json!([{"text": "Hm.", "thought": true}, {"functionCall": {"name": "f", "args": {}}}]);
    let gemini =
        json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}, {"role": "model", "parts": parts}]});
    for (surface, body) in [(Dialect::OpenaiResponses, responses), (Dialect::Gemini, gemini)] {
        let pair = between(surface, Dialect::OpenaiChat).unwrap();
        let (written, translated) = request(pair, &body, &options).unwrap();
        let told: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(told["messages"][1]["reasoning_content"], "Hm.", "{surface:?}");
        assert!(!translated.losses.to_string().contains("thought"), "{surface:?}: {}", translated.losses);
    }
}

#[test]
fn reasoning_of_a_chat_client_reaches_who_takes_it_unsigned() {
    let call = json!({"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let chat = |member: &str, told: &Value| {
        json!({"messages": [{"role": "user", "content": "x"},
            {"role": "assistant", "content": null, member: told, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c", "content": "r"}]})
    };
    // As it comes from a client of responses.
    let summary = json!([{"type": "summary_text", "text": "H\"m."}]);
    let responses = json!({"input": [{"role": "user", "content": "x"}, {"type": "reasoning", "summary": summary},
        {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "c", "output": "r"}]});
    for (target, expected) in [
        (Dialect::CohereChat, json!({"content": [{"type": "thinking", "thinking": "H\"m."}]})),
        (Dialect::OllamaChat, json!({"content": "", "thinking": "H\"m."})),
    ] {
        let like = sent(responses_to(target), &responses);
        for member in ["reasoning_content", "reasoning"] {
            let (told, losses) =
                sent(between(Dialect::OpenaiChat, target).unwrap(), &chat(member, &json!("H\"m.")));
            for (key, value) in expected.as_object().unwrap() {
                assert_eq!(told["messages"][1][key], *value, "{target:?} {member}");
            }
            assert_eq!((&told, losses.as_str()), (&like.0, like.1.as_str()), "{target:?} {member}");
            assert_eq!(losses, "");
        }
    }
    // Others want it signed.
    for target in
        [Dialect::AnthropicMessages, Dialect::Gemini, Dialect::BedrockConverse, Dialect::OpenaiResponses]
    {
        let pair = between(Dialect::OpenaiChat, target).unwrap();
        for told in [json!("Hm."), json!({"text": "Hm."})] {
            let (_, losses) = sent(pair, &chat("reasoning", &told));
            assert!(losses.starts_with("messages[].reasoning_content"), "{target:?}: {losses}");
            assert!(!losses.contains("thinking"), "{target:?}: {losses}");
        }
        let (_, losses) = sent(pair, &chat("reasoning_content", &json!("")));
        assert!(!losses.contains("reasoning"), "{target:?}: {losses}");
    }
}
