//! Requests, member by member.

use serde_json::{Value, json};

use super::{CLAUDE, LLAMA, NOVA, anthropic, chat, sent};
use crate::{OPTIONS, request_of};

#[test]
fn a_chat_request_with_everything_reaches_claude() {
    let body = json!({
        "model": "claude", "stream": true, "stream_options": {"include_usage": true},
        "max_completion_tokens": 100, "temperature": 0.5, "top_p": 0.95, "top_k": 5,
        "stop": ["END", "\n"], "user": "u-1", "service_tier": "default", "parallel_tool_calls": false,
        "reasoning_effort": "high", "prompt_cache_key": "k",
        "response_format": {"type": "json_schema",
            "json_schema": {"name": "x", "strict": true, "schema": {"type": "object", "title": "a \"b\""}}},
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d\n", "strict": true,
                "parameters": {"type": "object", "properties": {"z": {"type": "string"}}}}},
            {"type": "function", "function": {"name": "g", "description": "", "parameters": {}},
                "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        ],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Very.", "cache_control": {"type": "ephemeral"}}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk/+w=="}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
            ]},
            {"role": "assistant", "content": "", "reasoning_content": "Hm.",
                "thinking_blocks": [{"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                    {"type": "redacted_thinking", "data": "bedrock:ZGF0YQ=="}],
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"z\": \"\\u00fc\\\"\", \"n\": 1.50}"}},
                    {"id": "fn.g:0", "type": "function", "function": {"name": "g", "arguments": ""}},
                ]},
            {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
            {"role": "tool", "tool_call_id": "fn.g:0", "content": [{"type": "text", "text": ""}, {"type": "text", "text": "b"}]},
            {"role": "user", "content": "Thanks"},
        ],
    });
    let (told, losses) = sent(chat(), "eu.anthropic.claude-opus-4-6-v1", &body);
    assert_eq!(losses, "prompt_cache_key,temperature,top_k,stop");
    assert_eq!(
        told,
        json!({
            "inferenceConfig": {"maxTokens": 100, "topP": 0.95, "stopSequences": ["END"]},
            "additionalModelRequestFields": {"thinking": {"type": "adaptive"},
                "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}},
            "requestMetadata": {"user_id": "u-1"}, "serviceTier": {"type": "default"},
            "outputConfig": {"effort": "high", "textFormat": {"type": "json_schema", "structure":
                {"jsonSchema": {"name": "x", "schema": json!({"type": "object", "title": "a \"b\""}).to_string()}}}},
            "toolConfig": {"tools": [
                {"toolSpec": {"name": "f", "description": "d\n", "strict": true,
                    "inputSchema": {"json": {"type": "object", "properties": {"z": {"type": "string"}}}}}},
                {"toolSpec": {"name": "g", "inputSchema": {"json": {"type": "object", "properties": {}}}}},
                {"cachePoint": {"type": "default", "ttl": "1h"}},
            ]},
            "system": [{"text": "Be brief."}, {"text": "Very."}, {"cachePoint": {"type": "default"}}],
            "messages": [
                {"role": "user", "content": [
                    {"text": "What is this?"},
                    {"image": {"format": "png", "source": {"bytes": "aGk/+w=="}}},
                    {"document": {"format": "pdf", "name": "a", "source": {"bytes": "JVBERg=="}}},
                ]},
                {"role": "assistant", "content": [
                    {"reasoningContent": {"reasoningText": {"text": "Hm.", "signature": "c2ln"}}},
                    {"reasoningContent": {"redactedContent": "ZGF0YQ=="}},
                    {"toolUse": {"toolUseId": "call_1", "name": "f", "input": {"z": "ü\"", "n": 1.50}}},
                    {"toolUse": {"toolUseId": "fn_g_0", "name": "g", "input": {}}},
                ]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "call_1", "content": [{"text": "sunny"}]}},
                    {"toolResult": {"toolUseId": "fn_g_0", "content": [{"text": ""}, {"text": "b"}]}},
                    {"text": "Thanks"},
                ]},
            ],
        })
    );
    let (_, translated) = request_of(chat(), CLAUDE, &body, &OPTIONS).unwrap();
    assert!(translated.stream && translated.context.include_usage);
    assert_eq!(translated.context.model, "claude");
}

#[test]
fn an_anthropic_request_with_everything_reaches_nova() {
    let body = json!({
        "model": "nova", "stream": true, "max_tokens": 100, "temperature": 0.5, "top_p": 0.9, "top_k": 5,
        "stop_sequences": ["1", "2"], "metadata": {"user_id": "u-1"}, "service_tier": "auto",
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": true},
        "tools": [
            {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}, "strict": true,
                "cache_control": {"type": "ephemeral"}},
            {"type": "web_search_20260318", "name": "web_search"},
        ],
        "system": [{"type": "text", "text": "x-anthropic-billing-header: cc_version=1;"},
            {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "document", "title": "über a.csv", "source": {"type": "base64", "media_type": "text/csv", "data": "YSxi"}},
            ]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"z": "ü\"", "n": 1.50}},
            ]},
            {"role": "user", "content": [
                {"type": "text", "text": "And?"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "aGk="}}]},
            ]},
            {"role": "system", "content": "Mind the gap."},
        ],
    });
    let (told, losses) = sent(anthropic(), NOVA, &body);
    assert_eq!(
        losses,
        "tools[].web_search_20260318,messages[].content[].thinking,messages[].role,top_k,thinking,\
         tool_choice.disable_parallel_tool_use,cache_control,messages[].content[].title"
    );
    assert_eq!(
        told,
        json!({
            "inferenceConfig": {"maxTokens": 100, "temperature": 0.5, "topP": 0.9, "stopSequences": ["1", "2"]},
            "requestMetadata": {"user_id": "u-1"},
            "toolConfig": {"toolChoice": {"tool": {"name": "f"}}, "tools": [
                {"toolSpec": {"name": "f", "description": "d", "strict": true,
                    "inputSchema": {"json": {"type": "object", "properties": {}}}}},
            ]},
            "system": [{"text": "Be brief."}, {"cachePoint": {"type": "default"}}],
            "messages": [
                {"role": "user", "content": [
                    {"text": "What is this?"},
                    {"document": {"format": "csv", "name": "-ber a", "source": {"bytes": "YSxi"}}},
                ]},
                {"role": "assistant", "content": [
                    {"text": "Let me see."},
                    {"toolUse": {"toolUseId": "toolu_1", "name": "f", "input": {"z": "ü\"", "n": 1.50}}},
                ]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "toolu_1", "status": "error", "content": [
                        {"text": "a"}, {"image": {"format": "jpeg", "source": {"bytes": "aGk="}}}]}},
                    {"text": "And?"},
                    {"text": "<system>Mind the gap.</system>"},
                ]},
            ],
        })
    );
}

#[test]
fn a_small_request_has_nothing_that_was_not_asked_for() {
    let body = json!({"model": "x", "messages": [{"role": "user", "content": "Hi"}]});
    for model in [CLAUDE, NOVA, LLAMA] {
        let (told, losses) = sent(chat(), model, &body);
        assert_eq!(told, json!({"messages": [{"role": "user", "content": [{"text": "Hi"}]}]}));
        assert_eq!(losses, "");
    }
}

#[test]
fn texts_schemas_and_inputs_pass_byte_for_byte() {
    let schema = r#"{"type":"object", "properties": {"b":{"type":"number","maximum":1e400},"a":{}}}"#;
    let text = r#""tab\t \u00e9 \/ \ud83d\ude00 \" ü""#;
    let body = format!(
        r#"{{"messages":[{{"content":{text},"role":"user"}},{{"role":"assistant","tool_calls":[{{"id":"c","function":{{"arguments":"{{\"n\": 1.0e+2}}","name":"f"}}}}]}}],"tools":[{{"function":{{"parameters":{schema},"name":"f"}},"type":"function"}}]}}"#
    );
    let mut out = Vec::new();
    chat().request(body.as_bytes(), CLAUDE, &OPTIONS, &mut out).unwrap();
    let told = String::from_utf8(out).unwrap();
    assert!(told.contains(&format!("\"text\":{text}")), "{told}");
    assert!(told.contains(&format!("\"inputSchema\":{{\"json\":{schema}}}")));
    assert!(told.contains(r#""input":{"n": 1.0e+2}"#));
}

#[test]
fn tools_may_be_left_to_the_model_forbidden_or_asked_for() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let one_at_a_time = json!({"type": "auto", "disable_parallel_tool_use": true});
    for (choice, parallel, told_choice, additional, lost) in [
        (json!("auto"), json!(true), json!({"auto": {}}), Value::Null, ""),
        (json!("auto"), json!(false), Value::Null, one_at_a_time.clone(), ""),
        (Value::Null, json!(false), Value::Null, one_at_a_time, ""),
        (json!("required"), json!(true), json!({"any": {}}), Value::Null, ""),
        // Both places at once are refused.
        (json!("required"), json!(false), json!({"any": {}}), Value::Null, "parallel_tool_calls"),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            Value::Null,
            json!({"tool": {"name": "f"}}),
            Value::Null,
            "",
        ),
    ] {
        let body = json!({"messages": [{"role": "user", "content": "x"}], "tools": tools, "tool_choice": choice,
            "parallel_tool_calls": parallel});
        let (told, losses) = sent(chat(), CLAUDE, &body);
        assert_eq!(told["toolConfig"]["toolChoice"], told_choice, "{choice} {parallel}");
        assert_eq!(told["additionalModelRequestFields"]["tool_choice"], additional, "{choice} {parallel}");
        assert_eq!(losses, lost);
    }
}

#[test]
fn where_no_tool_may_be_called_none_is_on_offer() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let body = json!({"messages": [{"role": "user", "content": "x"}], "tools": tools, "tool_choice": "none"});
    let (told, losses) = sent(chat(), CLAUDE, &body);
    assert_eq!((told.get("toolConfig"), losses.as_str()), (None, "tools[]"));
    // Without any the API refuses the calls of earlier turns.
    let call = json!({"id": "c", "function": {"name": "f", "arguments": "{}"}});
    let messages = json!([{"role": "user", "content": "x"}, {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "y"}]);
    for body in
        [json!({"messages": messages, "tools": tools, "tool_choice": "none"}), json!({"messages": messages})]
    {
        let (told, losses) = sent(chat(), CLAUDE, &body);
        assert_eq!(told["toolConfig"]["tools"][0]["toolSpec"]["name"], "no_tool");
        assert_eq!(told["toolConfig"].get("toolChoice"), None);
        assert_eq!(losses, "tools[]");
    }
    let (told, losses) = sent(chat(), CLAUDE, &json!({"messages": messages, "tools": tools}));
    assert_eq!(told["toolConfig"]["tools"][0]["toolSpec"]["name"], "f");
    assert_eq!(losses, "");
}

#[test]
fn reasoning_is_asked_for_as_claude_knows_it() {
    let anthropic = |thinking: Value, output: Value| {
        let body = json!({"max_tokens": 9000, "messages": [{"role": "user", "content": "x"}],
            "thinking": thinking, "output_config": output});
        let (told, _) = sent(anthropic(), "eu.anthropic.claude-opus-4-6-v1", &body);
        (told["additionalModelRequestFields"]["thinking"].clone(), told["outputConfig"]["effort"].clone())
    };
    let enabled = json!({"type": "enabled", "budget_tokens": 2000});
    assert_eq!(anthropic(enabled.clone(), Value::Null), (enabled, Value::Null));
    assert_eq!(
        anthropic(json!({"type": "disabled"}), Value::Null),
        (json!({"type": "disabled"}), Value::Null)
    );
    assert_eq!(
        anthropic(json!({"type": "adaptive"}), json!({"effort": "max"})),
        (json!({"type": "adaptive"}), json!("max"))
    );
    assert_eq!(anthropic(Value::Null, Value::Null), (Value::Null, Value::Null));
}

#[test]
fn turns_alternate_and_results_come_first() {
    let call = |id: &str| json!({"id": id, "function": {"name": "f", "arguments": "{}"}});
    let body = json!({"tools": [{"type": "function", "function": {"name": "f"}}], "messages": [
        {"role": "user", "content": "a"}, {"role": "user", "content": " \n\t"}, {"role": "user", "content": "b"},
        {"role": "assistant", "content": null}, {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d", "tool_calls": [call("c"), call("e")]},
        {"role": "system", "content": "f"}, {"role": "tool", "tool_call_id": "c", "content": ""},
        {"role": "tool", "tool_call_id": "e", "content": []},
    ]});
    let (told, losses) = sent(chat(), CLAUDE, &body);
    assert_eq!(losses, "messages[].role");
    assert_eq!(
        told["messages"],
        json!([
            {"role": "user", "content": [{"text": "a"}, {"text": "b"}, {"text": "c"}]},
            {"role": "assistant", "content": [{"text": "d"},
                {"toolUse": {"toolUseId": "c", "name": "f", "input": {}}},
                {"toolUse": {"toolUseId": "e", "name": "f", "input": {}}}]},
            {"role": "user", "content": [
                {"toolResult": {"toolUseId": "c", "content": [{"text": ""}]}},
                {"toolResult": {"toolUseId": "e", "content": []}},
                {"text": "<system>f</system>"}]},
        ])
    );
}

#[test]
fn ids_are_as_long_as_the_api_takes_and_stay_apart() {
    let id = |end: char| format!("call_{}{end}", "x".repeat(200));
    let call = |id: String| json!({"id": id, "function": {"name": "gone.tool", "arguments": "{}"}});
    let body = json!({"tools": [{"type": "function", "function": {"name": "f"}}], "messages": [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [call(id('a')), call(id('b')), call("x".repeat(64))]},
        {"role": "tool", "tool_call_id": id('a'), "content": "1"},
        {"role": "tool", "tool_call_id": id('b'), "content": "2"},
    ]});
    let (told, losses) = sent(chat(), CLAUDE, &body);
    let content = |turn: usize, at: usize, kind: &str| {
        told["messages"][turn]["content"][at][kind]["toolUseId"].as_str().unwrap().to_owned()
    };
    let (a, b) = (content(1, 0, "toolUse"), content(1, 1, "toolUse"));
    assert!(a != b && a.len() == 64 && b.len() == 64 && a.starts_with("call_xxx"));
    assert_eq!((content(2, 0, "toolResult"), content(2, 1, "toolResult")), (a, b));
    assert_eq!(content(1, 2, "toolUse"), "x".repeat(64));
    // A tool that is no longer on offer may have had any name.
    assert_eq!(told["messages"][1]["content"][0]["toolUse"]["name"], "gone_tool");
    assert_eq!(losses, "messages[].tool_calls[].function.name");
}

#[test]
fn no_two_documents_have_one_name() {
    let pdf = |name: &str| json!({"type": "file", "file": {"filename": name, "file_data": "JVBERg=="}});
    let file = json!({"type": "file", "file": {"file_data": "JVBERg=="}});
    let text = json!({"type": "text", "text": "x"});
    let body = json!({"messages": [
        {"role": "user", "content": [text, pdf("report.pdf"), file]},
        {"role": "assistant", "content": "y"},
        {"role": "user", "content": [text, pdf("Report.pdf"), file]},
    ]});
    let (told, losses) = sent(chat(), CLAUDE, &body);
    let name = |turn: usize, at: usize| told["messages"][turn]["content"][at]["document"]["name"].clone();
    assert_eq!(
        [name(0, 1), name(0, 2), name(2, 1), name(2, 2)],
        ["report", "document", "Report (2)", "document (2)"]
    );
    assert_eq!(losses, "");
}
