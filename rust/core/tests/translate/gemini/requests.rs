//! Requests, member by member: what becomes of each, and what is named as lost.

use serde_json::{Value, json};

use super::{AnthropicMessages, Gemini, OpenaiChat, pair, sent_to};
use crate::sent;

fn user(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

fn contents(parts: &Value) -> Value {
    json!([{"role": "user", "parts": parts}])
}

#[test]
fn a_chat_request_with_everything_reaches_gemini() {
    let body = json!({
        "model": "x", "stream": true, "max_completion_tokens": 100, "temperature": 1.5, "top_p": 0.9, "top_k": 5,
        "frequency_penalty": 0.5, "presence_penalty": -0.5, "seed": 7, "stop": ["END"], "n": 1, "user": "u-1",
        "service_tier": "auto", "parallel_tool_calls": true, "reasoning_effort": "high",
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}},
        "tool_choice": {"type": "function", "function": {"name": "g"}},
        "tools": [
            {"type": "function", "function": {"name": "f", "description": "d\n",
                "parameters": {"type": "object", "properties": {"z": {"type": ["string", "null"]}, "a": {}}}}},
            {"type": "function", "function": {"name": "g", "parameters": {}}, "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "developer", "content": [{"type": "text", "text": "Very."}, {"type": "text", "text": ""}]},
            {"role": "user", "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk/+w=="}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a.PNG?x=1"}},
                {"type": "image_url", "image_url": {"url": "https://example.com/a"}},
                {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
            ]},
            {"role": "assistant", "content": "", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"z\": \"\\u00fc\\\"\", \"n\": 1.50}"}},
                {"id": "call_2", "type": "function", "function": {"name": "g", "arguments": ""}},
                {"id": "call_3", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            ]},
            {"role": "tool", "tool_call_id": "call_3", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
            {"role": "tool", "tool_call_id": "call_1", "content": " {\"sky\": \"blue\"}"},
            {"role": "tool", "tool_call_id": "call_2", "content": "{not json"},
            {"role": "user", "content": "Thanks"},
        ],
    });
    let (told, losses) = sent_to(pair(OpenaiChat, Gemini), "gemini-2.5-flash", &body);
    // A model before the third generation.
    assert_eq!(losses, "user,response_format,messages[].content[].file.filename");
    assert_eq!(
        told,
        json!({
            "generationConfig": {"maxOutputTokens": 100, "temperature": 1.5, "topP": 0.9, "topK": 5,
                "frequencyPenalty": 0.5, "presencePenalty": -0.5, "seed": 7, "stopSequences": ["END"],
                "thinkingConfig": {"thinkingBudget": 24576, "includeThoughts": true}},
            "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}},
            "tools": [{"functionDeclarations": [
                {"name": "f", "description": "d\n", "parametersJsonSchema":
                    {"type": "object", "properties": {"z": {"type": ["string", "null"]}, "a": {}}}},
                {"name": "g"},
            ]}],
            "systemInstruction": {"parts": [{"text": "Be brief."}, {"text": "Very."}]},
            "contents": [
                {"role": "user", "parts": [
                    {"text": "What is this?"},
                    {"inlineData": {"mimeType": "image/png", "data": "aGk/+w=="}},
                    {"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/a.PNG?x=1"}},
                    {"fileData": {"fileUri": "https://example.com/a"}},
                    {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
                ]},
                {"role": "model", "parts": [
                    {"functionCall": {"name": "f", "args": {"z": "ü\"", "n": 1.50}}},
                    {"functionCall": {"name": "g", "args": {}}},
                    {"functionCall": {"name": "f", "args": {}}},
                ]},
                {"role": "user", "parts": [
                    {"functionResponse": {"name": "f", "response": {"sky": "blue"}}},
                    {"functionResponse": {"name": "g", "response": {"result": "{not json"}}},
                    {"functionResponse": {"name": "f", "response": {"result": ["a", "b"]}}},
                    {"text": "Thanks"},
                ]},
            ],
        })
    );
}

#[test]
fn an_anthropic_request_with_everything_reaches_gemini() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}});
    let body = json!({
        "model": "x", "max_tokens": 100, "top_k": 5, "stop_sequences": ["1", "2", "3", "4", "5", "6"],
        "metadata": {"user_id": "u"}, "service_tier": "standard_only", "thinking": {"type": "enabled", "budget_tokens": 31_999},
        "tool_choice": {"type": "auto", "disable_parallel_tool_use": true},
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "strict": true, "cache_control": {"type": "ephemeral"}}],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Hi"},
                {"type": "document", "source": {"type": "url", "url": "https://example.com/x"}}]},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "ZGF0YQ=="},
                {"type": "text", "text": "Let me see."},
                {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
                {"type": "tool_use", "id": "toolu_2", "name": "f", "input": {}},
            ]},
            {"role": "user", "content": [
                {"type": "text", "text": "And?"},
                {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": "no"},
                {"type": "tool_result", "tool_use_id": "toolu_2", "content": [{"type": "text", "text": "{\"a\":1}"}, image]},
            ]},
            {"role": "system", "content": "Mind the gap."},
        ],
    });
    let config = json!({"maxOutputTokens": 100, "topK": 5, "stopSequences": ["1", "2", "3", "4", "5"]});
    let call = |signature: Option<&str>| {
        let mut part = json!({"functionCall": {"name": "f", "args": {}}});
        if let Some(signature) = signature {
            part["thoughtSignature"] = signature.into();
        }
        part
    };
    let expected = |thinking: Value, signature: Option<&str>, results: Vec<Value>| {
        let mut config = config.clone();
        config["thinkingConfig"] = thinking;
        let mut last = results;
        last.extend([json!({"text": "And?"}), json!({"text": "<system>Mind the gap.</system>"})]);
        json!({
            "generationConfig": config,
            "toolConfig": {"functionCallingConfig": {"mode": "VALIDATED"}},
            "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": {"type": "object"}}]}],
            "systemInstruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Hi"},
                    {"fileData": {"mimeType": "application/pdf", "fileUri": "https://example.com/x"}}]},
                {"role": "model", "parts": [{"text": "Let me see."}, call(signature), call(None)]},
                {"role": "user", "parts": last},
            ],
        })
    };
    let failed = json!({"functionResponse": {"name": "f", "response": {"error": "no"}}});
    let blob = json!({"inlineData": {"mimeType": "image/png", "data": "aGk="}});
    let lost = "messages[].content[].thinking,messages[].content[].redacted_thinking,messages[].role,metadata.user_id,stop_sequences,";
    let (told, losses) = sent_to(pair(AnthropicMessages, Gemini), "gemini-3.1-pro-preview", &body);
    let with_image = json!({"functionResponse": {"name": "f", "response": {"a": 1}, "parts": [blob]}});
    let thinking = json!({"thinkingBudget": 31_999, "includeThoughts": true});
    assert_eq!(
        told,
        expected(thinking, Some("skip_thought_signature_validator"), vec![failed.clone(), with_image])
    );
    assert_eq!(losses, format!("{lost}tool_choice.disable_parallel_tool_use"));
    // An older model knows neither signatures nor images in results.
    let (told, losses) = sent_to(pair(AnthropicMessages, Gemini), "gemini-2.5-flash", &body);
    let result = json!({"functionResponse": {"name": "f", "response": {"a": 1}}});
    let thinking = json!({"thinkingBudget": 24_576, "includeThoughts": true});
    assert_eq!(told, expected(thinking, None, vec![failed, result, blob]));
    assert_eq!(
        losses,
        format!(
            "{lost}thinking.budget_tokens,tool_choice.disable_parallel_tool_use,messages[].content[].content[]"
        )
    );
}

/// Everything that the dialect has and others have too.
fn everything() -> Value {
    json!({
        "model": "models/g", "store": true, "labels": {"a": "b"}, "serviceTier": "standard",
        "systemInstruction": {"role": "system", "parts": [{"text": "Be brief."}, {"text": "Very."}]},
        "generationConfig": {"maxOutputTokens": 100, "temperature": 0.5, "topP": 0.9, "topK": 5, "candidateCount": 1,
            "stopSequences": ["END"], "presencePenalty": 0.25, "frequencyPenalty": 0.5, "seed": 7,
            "responseMimeType": "application/json", "responseModalities": ["TEXT"],
            "responseJsonSchema": {"type": "object"},
            "thinkingConfig": {"includeThoughts": true, "thinkingLevel": "LOW"}},
        "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
        "tools": [{"functionDeclarations": [
            {"name": "f", "description": "d", "parametersJsonSchema": {"type": "object", "properties": {}}}]}],
        "contents": [
            {"parts": [{"text": "What is this?"}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
                {"inlineData": {"mimeType": "application/pdf", "data": "JVBERg=="}},
                {"inlineData": {"mimeType": "text/plain", "data": "cGxhaW4"}},
                {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://example.com/a"}}]},
            {"role": "model", "parts": [{"text": "Let me see."},
                {"functionCall": {"id": "c1", "name": "f", "args": {"a": 1.50}}},
                {"functionCall": {"name": "f"}}]},
            {"role": "user", "parts": [
                {"functionResponse": {"id": "c1", "name": "f", "response": {"result": "sunny"}}},
                {"functionResponse": {"id": "made-up", "name": "f", "response": {"error": "no"}}},
                {"text": "And?"}]},
        ],
    })
}

#[test]
fn a_gemini_request_with_everything_reaches_chat() {
    let (told, losses) = sent(pair(Gemini, OpenaiChat), &everything());
    assert_eq!(losses, "generationConfig.topK,contents[].parts[].functionResponse.response.error");
    let call = |id: &str, arguments: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments}});
    assert_eq!(
        told,
        json!({
            "model": "m", "max_completion_tokens": 100, "temperature": 0.5, "top_p": 0.9, "frequency_penalty": 0.5,
            "presence_penalty": 0.25, "seed": 7, "stop": ["END"], "service_tier": "default",
            "reasoning_effort": "low",
            "response_format": {"type": "json_schema", "json_schema": {"name": "output", "strict": false, "schema": {"type": "object"}}},
            "tool_choice": {"type": "function", "function": {"name": "f"}},
            "tools": [{"type": "function", "function": {"name": "f", "description": "d",
                "parameters": {"type": "object", "properties": {}}}}],
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "Be brief."}, {"type": "text", "text": "Very."}]},
                {"role": "user", "content": [
                    {"type": "text", "text": "What is this?"},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}},
                    {"type": "file", "file": {"filename": "document.pdf", "file_data": "data:application/pdf;base64,JVBERg=="}},
                    {"type": "text", "text": "plain"},
                    {"type": "image_url", "image_url": {"url": "https://example.com/a"}},
                ]},
                {"role": "assistant", "content": "Let me see.",
                    "tool_calls": [call("c1", &json!({"a": 1.50}).to_string()), call("call_1_2", "{}")]},
                {"role": "tool", "tool_call_id": "c1", "content": "sunny"},
                {"role": "tool", "tool_call_id": "call_1_2", "content": "Error: no"},
                {"role": "user", "content": "And?"},
            ],
        })
    );
}

#[test]
fn a_gemini_request_with_everything_reaches_anthropic() {
    let (told, losses) = sent(pair(Gemini, AnthropicMessages), &everything());
    // A tool that must be called and thinking exclude each other there.
    assert_eq!(
        losses,
        "generationConfig.thinkingConfig,generationConfig.topP,generationConfig.frequencyPenalty,generationConfig.presencePenalty,generationConfig.seed"
    );
    assert_eq!(told["max_tokens"], 100);
    assert_eq!(told["tool_choice"], json!({"type": "tool", "name": "f"}));
    assert_eq!(told["output_config"]["format"]["schema"], json!({"type": "object"}));
    assert_eq!(
        told["messages"][1]["content"],
        json!([{"type": "text", "text": "Let me see."}, {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1.50}},
            {"type": "tool_use", "id": "call_1_2", "name": "f", "input": {}}])
    );
    assert_eq!(
        told["messages"][2]["content"],
        json!([{"type": "tool_result", "tool_use_id": "c1", "content": "sunny"},
            {"type": "tool_result", "tool_use_id": "call_1_2", "content": "no", "is_error": true},
            {"type": "text", "text": "And?"}])
    );
}

/// All keys of an object and below in the other spelling, but for those that are names of clients.
fn snake_case(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(key, value)| {
                let lower = |ch: char| {
                    let ch = if ch.is_ascii_uppercase() {
                        format!("_{}", ch.to_ascii_lowercase())
                    } else {
                        ch.to_string()
                    };
                    ch.chars().collect::<Vec<_>>()
                };
                (key.chars().flat_map(lower).collect::<String>(), snake_case(value))
            })
            .collect(),
        Value::Array(list) => list.iter().map(snake_case).collect(),
        other => other.clone(),
    }
}

#[test]
fn both_spellings_mean_the_same() {
    for target in [OpenaiChat, AnthropicMessages] {
        let snake = snake_case(&everything());
        assert!(snake["generation_config"]["max_output_tokens"].is_number());
        assert_eq!(sent(pair(Gemini, target), &snake), sent(pair(Gemini, target), &everything()));
    }
}

#[test]
fn texts_schemas_and_inputs_pass_byte_for_byte() {
    let schema = r#"{"type":"object", "properties": {"b":{"type":"number","maximum":1e400},"a":{}}}"#;
    let text = r#""tab\t \u00e9 \/ \ud83d\ude00 \" ü""#;
    let chat = format!(
        r#"{{"messages":[{{"content":{text},"role":"user"}},{{"role":"assistant","tool_calls":[{{"id":"c","function":{{"arguments":"{{\"n\": 1.0e+2}}","name":"f"}}}}]}},{{"role":"tool","tool_call_id":"c","content":"{{\"k\": 1.0e+3}}"}}],"tools":[{{"function":{{"parameters":{schema},"name":"f"}},"type":"function"}}]}}"#
    );
    let mut out = Vec::new();
    pair(OpenaiChat, Gemini).request(chat.as_bytes(), "m", &crate::OPTIONS, &mut out).unwrap();
    let told = String::from_utf8(out.clone()).unwrap();
    for piece in [
        format!("\"text\":{text}"),
        format!("\"parametersJsonSchema\":{schema}"),
        r#""args":{"n": 1.0e+2}"#.to_owned(),
        r#""response":{"k": 1.0e+3}"#.to_owned(),
    ] {
        assert!(told.contains(&piece), "{piece} in {told}");
    }
    let mut back = Vec::new();
    pair(Gemini, OpenaiChat).request(&out, "m", &crate::OPTIONS, &mut back).unwrap();
    let back = String::from_utf8(back).unwrap();
    assert!(back.contains(&format!("\"content\":{text}")), "{back}");
    assert!(back.contains(&format!("\"parameters\":{schema}")));
    assert!(back.contains(r#""arguments":"{\"n\": 1.0e+2}""#));
    assert!(back.contains(r#""content":"{\"k\": 1.0e+3}""#));
}

#[test]
fn an_answer_is_json_beside_functions_only_where_the_model_takes_both() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    let schema = json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}});
    for (model, format, tools, kept) in [
        ("gemini-3-flash-preview", &schema, &tools, true),
        ("an-alias", &schema, &tools, true),
        ("gemini-2.5-flash", &schema, &json!([]), true),
        ("gemini-2.5-flash", &schema, &tools, false),
        ("gemini-2.0-flash", &json!({"type": "json_object"}), &tools, false),
    ] {
        let body = json!({"messages": user("Hi"), "tools": tools, "response_format": format});
        let (told, losses) = sent_to(pair(OpenaiChat, Gemini), model, &body);
        assert_eq!(told["generationConfig"]["responseMimeType"] == "application/json", kept, "{model}");
        assert_eq!(losses, if kept { "" } else { "response_format" }, "{model}");
        assert!(kept || told["generationConfig"] == json!({}), "{model}");
    }
}

#[test]
fn what_gemini_has_no_word_for_is_named() {
    for (member, value, lost) in [
        ("n", json!(2), ""),
        ("seed", json!(3_000_000_000_u64), "seed"),
        ("seed", json!(-5), ""),
        ("logit_bias", json!({"1": 5}), "logit_bias"),
        ("logprobs", json!(true), ""),
        ("top_logprobs", json!(3), "top_logprobs"),
        ("top_logprobs", json!(0), ""),
        ("service_tier", json!("default"), ""),
        ("response_format", json!({"type": "json_object"}), ""),
        ("user", json!("u"), "user"),
        ("stop", json!(["1", "2", "3", "4", "5", "6"]), "stop"),
        ("parallel_tool_calls", json!(false), ""),
        (
            "messages",
            json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y"}]),
            "prefill",
        ),
        (
            "messages",
            json!([{"role": "user", "content": "x"}, {"role": "system", "content": "y"}]),
            "messages[].role",
        ),
        (
            "messages",
            json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": "y",
                "thinking_blocks": [{"type": "thinking", "thinking": "t", "signature": "openai:c2ln"}]}, {"role": "user", "content": "z"}]),
            "messages[].thinking_blocks",
        ),
    ] {
        let mut body = json!({"model": "x", "messages": user("Hi")});
        body[member] = value.clone();
        assert_eq!(sent(pair(OpenaiChat, Gemini), &body).1, lost, "{member}: {value}");
    }
}

#[test]
fn what_others_have_no_word_for_is_named() {
    let config = |member: &str, value: Value| json!({"generationConfig": {member: value}});
    for (more, lost) in [
        (
            json!({"safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}]}),
            "safetySettings",
        ),
        (json!({"serviceTier": "flex"}), "serviceTier"),
        (json!({"serviceTier": "unspecified"}), ""),
        (json!({"novel": 1}), "novel"),
        (json!({"cachedContent": ""}), ""),
        (config("responseModalities", json!(["TEXT", "IMAGE"])), "generationConfig.responseModalities"),
        (config("speechConfig", json!({"a": 1})), "generationConfig.speechConfig"),
        (config("mediaResolution", json!("MEDIA_RESOLUTION_LOW")), "generationConfig.mediaResolution"),
        (config("responseMimeType", json!("text/x.enum")), "generationConfig.responseMimeType"),
        (config("responseMimeType", json!("text/plain")), ""),
        (config("responseSchema", json!({"type": "OBJECT"})), "generationConfig.responseSchema"),
        (config("thinkingConfig", json!({"novel": 1})), "generationConfig.thinkingConfig.novel"),
        (config("thinkingConfig", json!({"thinkingLevel": "THINKING_LEVEL_UNSPECIFIED"})), ""),
        (
            json!({"tools": [{"googleSearch": {}, "codeExecution": {}, "urlContext": null}]}),
            "tools[].codeExecution,tools[].googleSearch",
        ),
        (
            json!({"tools": [{"functionDeclarations": [{"name": "f", "behavior": "NON_BLOCKING", "response": {"type": "STRING"}}]}]}),
            "tools[].functionDeclarations[].behavior,tools[].functionDeclarations[].response",
        ),
        (
            json!({"toolConfig": {"retrievalConfig": {"languageCode": "en"}, "functionCallingConfig": {"mode": "VALIDATED"}}}),
            "toolConfig.retrievalConfig,toolConfig.functionCallingConfig.mode",
        ),
        (
            json!({"tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}, {"name": "h"}]}],
                "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}}}),
            "toolConfig.functionCallingConfig.allowedFunctionNames",
        ),
        (
            json!({"tools": [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}],
                "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f", "g"]}}}),
            "",
        ),
        (
            json!({"contents": contents(&json!([{"text": "x", "videoMetadata": {"fps": 1}}, {"executableCode": {"code": "1"}},
                {"codeExecutionResult": {}}, {"toolResponse": {}}, {"novel": 1}]))}),
            "contents[].parts[].videoMetadata,contents[].parts[].executableCode,contents[].parts[].codeExecutionResult,\
             contents[].parts[].toolResponse,contents[].parts[].novel",
        ),
        (
            json!({"contents": contents(&json!([{"text": "x"}, {"inlineData": {"mimeType": "image/png", "data": "aGk=", "displayName": "a"}}]))}),
            "contents[].parts[].inlineData.displayName",
        ),
    ] {
        let mut body = json!({"contents": contents(&json!([{"text": "x"}]))});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        assert_eq!(sent(pair(Gemini, OpenaiChat), &body).1, lost, "{more}");
    }
}

#[test]
fn reasoning_is_asked_for_as_the_model_takes_it() {
    let ask = |model: &str, body: Value, surface| {
        let mut body = body;
        body["messages"] = user("x");
        body["max_tokens"] = 9.into();
        let (told, losses) = sent_to(pair(surface, Gemini), model, &body);
        (told["generationConfig"]["thinkingConfig"].clone(), losses)
    };
    let effort = |model: &str, effort: &str| ask(model, json!({"reasoning_effort": effort}), OpenaiChat);
    let level = |level: &str| json!({"thinkingLevel": level, "includeThoughts": true});
    let budget = |tokens: i64| json!({"thinkingBudget": tokens, "includeThoughts": true});
    let none = String::new;
    let lost = |name: &str| name.to_owned();
    for flash in [
        "gemini-3-flash-preview",
        "models/gemini-3.5-flash",
        "projects/p/publishers/google/models/gemini-4-x",
    ] {
        assert_eq!(effort(flash, "minimal"), (level("MINIMAL"), none()), "{flash}");
        assert_eq!(effort(flash, "medium"), (level("MEDIUM"), none()));
        assert_eq!(effort(flash, "max"), (level("HIGH"), lost("reasoning_effort")));
        assert_eq!(effort(flash, "none"), (json!({"thinkingLevel": "MINIMAL"}), lost("reasoning_effort")));
    }
    let pro = "gemini-3.1-pro-preview";
    assert_eq!(effort(pro, "minimal"), (level("LOW"), lost("reasoning_effort")));
    assert_eq!(effort(pro, "none"), (json!({"thinkingLevel": "LOW"}), lost("reasoning_effort")));
    for (name, tokens) in [("minimal", 1024), ("low", 1024), ("medium", 8192), ("high", 24_576)] {
        assert_eq!(effort("gemini-2.5-flash", name), (budget(tokens), none()), "{name}");
        assert_eq!(effort("an-alias", name), (budget(tokens), none()), "what every model takes");
    }
    assert_eq!(effort("gemini-2.5-pro", "xhigh"), (budget(24_576), lost("reasoning_effort")));
    assert_eq!(effort("gemini-2.5-flash", "none"), (json!({"thinkingBudget": 0}), none()));
    assert_eq!(effort("gemini-2.5-pro", "none"), (json!({"thinkingBudget": 128}), lost("reasoning_effort")));
    assert_eq!(effort("an-alias", "none"), (Value::Null, lost("reasoning_effort")));
    let thinking =
        |model: &str, thinking: Value| ask(model, json!({"thinking": thinking}), AnthropicMessages);
    let enabled = |tokens: u64| json!({"type": "enabled", "budget_tokens": tokens});
    assert_eq!(thinking(pro, enabled(2000)), (budget(2000), none()));
    assert_eq!(thinking("gemini-2.5-pro", enabled(40_000)), (budget(32_768), lost("thinking.budget_tokens")));
    assert_eq!(
        thinking("gemini-2.5-flash", enabled(30_000)),
        (budget(24_576), lost("thinking.budget_tokens"))
    );
    assert_eq!(thinking(pro, json!({"type": "adaptive"})), (json!({"includeThoughts": true}), none()));
    assert_eq!(thinking("gemini-2.5-flash", json!({"type": "adaptive"})), (budget(-1), none()));
    assert_eq!(ask(pro, json!({}), OpenaiChat).0, Value::Null);
}

#[test]
fn reasoning_is_asked_for_in_the_words_of_the_target() {
    let ask = |config: Value, target| {
        let body = json!({"contents": contents(&json!([{"text": "x"}])), "generationConfig": {"thinkingConfig": config}});
        sent(pair(Gemini, target), &body).0
    };
    let chat = |config: Value| ask(config, OpenaiChat)["reasoning_effort"].clone();
    assert_eq!(chat(json!({"thinkingLevel": "MINIMAL"})), "minimal");
    assert_eq!(chat(json!({"thinkingLevel": "high"})), "high");
    assert_eq!(chat(json!({"thinkingBudget": 5000})), "medium");
    assert_eq!(chat(json!({"thinkingBudget": 0})), Value::Null);
    let anthropic = |config: Value| ask(config, AnthropicMessages)["thinking"].clone();
    assert_eq!(anthropic(json!({"thinkingBudget": -1})), json!({"type": "adaptive"}));
    let told = json!({"type": "adaptive", "display": "summarized"});
    assert_eq!(anthropic(json!({"includeThoughts": true})), told);
    let body = json!({"contents": contents(&json!([{"text": "x"}])), "generationConfig": {"thinkingConfig": {"includeThoughts": true}}});
    for (body, shown) in [(body, true), (json!({"contents": contents(&json!([{"text": "x"}]))}), false)] {
        let (_, translated) = crate::request(pair(Gemini, OpenaiChat), &body, &crate::OPTIONS).unwrap();
        assert_eq!(translated.context.include_thoughts, shown);
    }
}

#[test]
fn schemas_in_the_words_of_openapi_become_json_schemas() {
    let schema = json!({
        "type": "OBJECT", "title": "t", "required": ["a"], "propertyOrdering": ["a", "b", "c", "d", "nullable"],
        "properties": {
            "a": {"type": "STRING", "nullable": true, "enum": ["x"], "format": "enum", "minLength": "3"},
            "b": {"type": "ARRAY", "items": {"type": "INTEGER", "format": "int64", "minimum": 1}, "max_items": "4", "minItems": 2},
            "c": {"any_of": [{"type": "NUMBER"}, {"type": "BOOLEAN"}], "nullable": true, "description": "\"c\""},
            "d": {"type": "object", "additionalProperties": {"type": "NULL"}, "nullable": false},
            "nullable": {"type": "STRING", "example": "e", "default": "3", "minLength": "x"},
        },
    });
    let expected = json!({
        "type": "object", "title": "t", "required": ["a"],
        "properties": {
            "a": {"type": ["string", "null"], "enum": ["x", null], "format": "enum", "minLength": 3},
            "b": {"type": "array", "items": {"type": "integer", "format": "int64", "minimum": 1}, "maxItems": 4, "minItems": 2},
            "c": {"anyOf": [{"type": "number"}, {"type": "boolean"}, {"type": "null"}], "description": "\"c\""},
            "d": {"type": "object", "additionalProperties": {"type": "null"}},
            "nullable": {"type": "string", "example": "e", "default": "3", "minLength": "x"},
        },
    });
    let body = json!({"contents": contents(&json!([{"text": "x"}])),
        "tools": [{"functionDeclarations": [{"name": "f", "parameters": schema}, {"name": "g", "parameters": {}}]}],
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": schema}});
    let (told, losses) = sent(pair(Gemini, OpenaiChat), &body);
    assert_eq!(losses, "");
    assert_eq!(told["tools"][0]["function"]["parameters"], expected);
    assert_eq!(told["tools"][1]["function"], json!({"name": "g"}));
    assert_eq!(told["response_format"]["json_schema"]["schema"], expected);
    // The order of keys is what some models write by.
    let ordered = r#"{"contents":[{"parts":[{"text":"x"}]}],"generationConfig":{"responseMimeType":"application/json",
        "responseSchema":{"properties":{"b":{"type":"STRING"},"a":{"type":"STRING"}},"type":"OBJECT","propertyOrdering":["b","a"]}}}"#;
    let mut out = Vec::new();
    let translated =
        pair(Gemini, OpenaiChat).request(ordered.as_bytes(), "m", &crate::OPTIONS, &mut out).unwrap();
    assert_eq!(translated.losses.to_string(), "");
    let written = String::from_utf8(out).unwrap();
    let schema = r#""schema":{"properties":{"b":{"type":"string"},"a":{"type":"string"}},"type":"object"}"#;
    assert!(written.contains(schema), "{written}");
    let mut other = body;
    other["generationConfig"]["responseSchema"]["propertyOrdering"] = json!(["b", "a"]);
    assert_eq!(sent(pair(Gemini, OpenaiChat), &other).1, "propertyOrdering");
    let newer = json!({"contents": contents(&json!([{"text": "x"}])), "generationConfig": {"responseFormat":
        {"text": {"mimeType": "APPLICATION_JSON", "schema": {"type": "object"}}}}});
    let told = sent(pair(Gemini, OpenaiChat), &newer).0;
    assert_eq!(told["response_format"]["json_schema"]["schema"], json!({"type": "object"}));
}

#[test]
fn tools_may_be_left_to_the_model_forbidden_or_asked_for() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for (chat, gemini) in [
        (json!("auto"), json!({"mode": "AUTO"})),
        (json!("none"), json!({"mode": "NONE"})),
        (json!("required"), json!({"mode": "ANY"})),
        (
            json!({"type": "function", "function": {"name": "f"}}),
            json!({"mode": "ANY", "allowedFunctionNames": ["f"]}),
        ),
    ] {
        let body = json!({"messages": user("x"), "tools": tools, "tool_choice": chat});
        let told = sent(pair(OpenaiChat, Gemini), &body).0;
        assert_eq!(told["toolConfig"]["functionCallingConfig"], gemini);
        assert_eq!(sent(pair(Gemini, OpenaiChat), &told).0["tool_choice"], chat);
    }
    let body = json!({"messages": user("x"), "tool_choice": "auto"});
    assert!(sent(pair(OpenaiChat, Gemini), &body).0["toolConfig"].is_null());
    let strict = json!([{"type": "function", "function": {"name": "f", "strict": true}}]);
    let body = json!({"messages": user("x"), "tools": strict});
    assert_eq!(
        sent(pair(OpenaiChat, Gemini), &body).0["toolConfig"]["functionCallingConfig"]["mode"],
        "VALIDATED"
    );
}

#[test]
fn turns_alternate_and_results_come_first_and_in_the_order_of_their_calls() {
    let call = |id: &str, name: &str| json!({"id": id, "function": {"name": name, "arguments": "{}"}});
    let result = |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
    let body = json!({"messages": [
        {"role": "user", "content": "a"}, {"role": "user", "content": ""}, {"role": "user", "content": "b"},
        {"role": "assistant", "content": null}, {"role": "user", "content": "c"},
        {"role": "assistant", "content": "d", "tool_calls": [call("1", "f"), call("2", "g")]},
        {"role": "user", "content": "e"}, result("2", "two"), result("1", ""),
        {"role": "assistant", "tool_calls": [call("1", "h")]}, result("1", "again"),
    ]});
    let (told, losses) = sent_to(pair(OpenaiChat, Gemini), "gemini-2.5-flash", &body);
    assert_eq!(losses, "");
    let text = |text: &str| json!({"text": text});
    let call = |name: &str| json!({"functionCall": {"name": name, "args": {}}});
    let result =
        |name: &str, text: &str| json!({"functionResponse": {"name": name, "response": {"result": text}}});
    assert_eq!(
        told["contents"],
        json!([
            {"role": "user", "parts": [text("a"), text("b"), text("c")]},
            {"role": "model", "parts": [text("d"), call("f"), call("g")]},
            {"role": "user", "parts": [result("f", ""), result("g", "two"), text("e")]},
            {"role": "model", "parts": [call("h")]},
            {"role": "user", "parts": [result("h", "again")]},
        ])
    );
}

#[test]
fn results_without_ids_belong_to_the_calls_of_their_name_in_order() {
    let call = |name: &str| json!({"functionCall": {"name": name}});
    let result =
        |name: &str, text: &str| json!({"functionResponse": {"name": name, "response": {"output": text}}});
    let object = json!({"functionResponse": {"name": "f", "response": {"output": 1, "more": 2}, "parts":
        [{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]}});
    let body = json!({"contents": [
        {"role": "user", "parts": [{"text": "x"}]},
        {"role": "model", "parts": [call("f"), call("g"), call("f")]},
        {"role": "function", "parts": [result("g", "1"), result("f", "2"), object]},
        {"role": "model", "parts": [call("f")]},
        {"role": "user", "parts": [{"function_response": {"name": "f", "response": {}}}]},
    ]});
    let told = sent(pair(Gemini, AnthropicMessages), &body).0;
    let results = told["messages"][2]["content"].as_array().unwrap();
    let ids: Vec<_> = results.iter().map(|block| block["tool_use_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["call_1_1", "call_1_0", "call_1_2"]);
    assert_eq!(results[2]["content"][0]["text"], json!({"output": 1, "more": 2}).to_string());
    assert_eq!(results[2]["content"][1]["type"], "image");
    assert_eq!(told["messages"][4]["content"][0]["tool_use_id"], "call_3_0");
    assert_eq!(told["messages"][4]["content"][0]["content"], "{}");
}
