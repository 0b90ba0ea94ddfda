//! Streamed replies: folded as whole ones, cut anywhere, cut short, held back, failed, and as one array.

use llm_edge_core::translate::{Options, Pair};
use serde_json::{Value, json};

use super::answers::{fold, fold_chunks, gemini, gemini_stream, is_googles};
use super::{AnthropicMessages, Dialect, Gemini, OpenaiChat, ended, lost, pair, sse};
use crate::answers::{answers, chat_usage, chunk, events, fold_anthropic, fold_chat};
use crate::{OPTIONS, answered, context, streamed};

type Fold = fn(&str) -> Value;

/// Every answer in every direction: its name, the pair, the upstream's stream and whole reply, how the client folds.
fn matrix() -> Vec<(String, Pair, String, Value, Fold)> {
    let mut all: Vec<(String, Pair, String, Value, Fold)> = Vec::new();
    for answer in answers() {
        for size in [1, 3, 1000] {
            let name = |other: Dialect| format!("{} {other:?} by {size}", answer.name);
            let (whole, stream) = (answer.anthropic(), answer.anthropic_stream(size));
            all.push((name(AnthropicMessages), pair(Gemini, AnthropicMessages), stream, whole, fold));
            let (whole, stream) = (answer.chat(), answer.chat_stream(size));
            all.push((name(OpenaiChat), pair(Gemini, OpenaiChat), stream, whole, fold));
            if is_googles(&answer) {
                let (whole, stream) = (gemini(&answer), gemini_stream(&answer, size));
                for (surface, fold) in [(OpenaiChat, fold_chat as Fold), (AnthropicMessages, fold_anthropic)]
                {
                    all.push((name(surface), pair(surface, Gemini), stream.clone(), whole.clone(), fold));
                }
            }
        }
    }
    all
}

#[test]
fn a_folded_stream_is_the_whole_reply() {
    for (name, pair, stream, whole, fold) in matrix() {
        let (told, ended) = streamed(pair, [stream.as_bytes()]);
        ended.unwrap_or_else(|malformed| panic!("{name}: {}", malformed.message));
        let (whole, _) = answered(pair, &whole).unwrap();
        assert_eq!(without_empty_texts(fold(&told)), without_empty_texts(whole), "{name}");
    }
}

/// Anthropic's SDK keeps the text block that an empty text opens.
fn without_empty_texts(mut reply: Value) -> Value {
    if let Some(blocks) = reply["content"].as_array_mut() {
        blocks.retain(|block| block["text"] != "");
    } else if reply["content"].is_null() {
        reply.as_object_mut().unwrap().remove("content");
    }
    reply
}

#[test]
fn where_the_stream_is_cut_does_not_show() {
    for (name, pair, stream, ..) in matrix().into_iter().filter(|(name, ..)| name.ends_with(" 3")) {
        let bytes = stream.as_bytes();
        let (whole, _) = streamed(pair, [bytes]);
        assert_eq!(streamed(pair, bytes.chunks(1)), (whole.clone(), Ok(())), "{name}");
        for at in 0..bytes.len() {
            let (front, back) = bytes.split_at(at);
            assert_eq!(streamed(pair, [front, back]), (whole.clone(), Ok(())), "{name} at {at}");
        }
    }
}

#[test]
fn a_stream_that_is_cut_short_has_no_end() {
    for (name, pair, stream, ..) in matrix().into_iter().filter(|(name, ..)| name.ends_with(" 1000")) {
        // The last event may lack its empty line, but nothing of its data.
        let last = stream.trim_end().len();
        for at in (0..last).filter(|at| stream.is_char_boundary(*at)) {
            let (told, ended) = streamed(pair, [&stream.as_bytes()[..at]]);
            assert!(ended.is_err(), "{name} at {at}");
            let ends = ["[DONE]", "message_stop", "finishReason"];
            assert!(!ends.iter().any(|end| told.contains(end)), "{name} at {at}: {told}");
        }
        assert_eq!(streamed(pair, [&stream.as_bytes()[..last]]).1, Ok(()), "{name}");
    }
}

#[test]
fn a_stream_of_gemini_3_keeps_its_last_signature() {
    let part = |part: Value| {
        json!({"candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0}],
        "responseId": "r1", "modelVersion": "m"})
    };
    let mut last = part(json!({"text": "", "thoughtSignature": "c2ln"}));
    last["candidates"][0]["finishReason"] = "STOP".into();
    let stream = sse(&part(json!({"text": "Hm.", "thought": true})))
        + &sse(&part(json!({"text": "Yes"})))
        + &sse(&part(json!({"text": "."})))
        + &sse(&last);
    let message = fold_anthropic(&ended(pair(AnthropicMessages, Gemini), &stream));
    assert_eq!(
        without_nulls(&message["content"]),
        json!([{"type": "thinking", "thinking": "Hm.", "signature": ""}, {"type": "text", "text": "Yes."},
            {"type": "thinking", "thinking": "", "signature": "google:c2ln"}])
    );
    let completion = fold_chat(&ended(pair(OpenaiChat, Gemini), &stream));
    let message = &completion["choices"][0]["message"];
    assert_eq!((&message["content"], &message["reasoning_content"]), (&json!("Yes."), &json!("Hm.")));
    assert!(message["thinking_blocks"].to_string().contains("google:c2ln"));
}

fn without_nulls(blocks: &Value) -> Value {
    let mut blocks = blocks.clone();
    for block in blocks.as_array_mut().unwrap() {
        block.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    }
    blocks
}

#[test]
fn calls_of_one_chunk_and_of_several_are_told_apart() {
    let call = |city: &str| json!({"functionCall": {"name": "f", "args": {"city": city}}});
    let chunk = |parts: Value| {
        sse(
            &json!({"responseId": "r1", "candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}),
        )
    };
    let stream = chunk(json!([call("a"), call("b")])) + &chunk(json!([call("c\"}")]));
    let message = fold_anthropic(&ended(pair(AnthropicMessages, Gemini), &stream));
    for (at, city) in ["a", "b", "c\"}"].iter().enumerate() {
        let block = &message["content"][at];
        assert_eq!(block["id"], format!("call_r1_{at}"));
        assert_eq!(block["input"], json!({"city": city}));
    }
    assert_eq!(message["stop_reason"], "tool_use");
    let completion = fold_chat(&ended(pair(OpenaiChat, Gemini), &stream));
    assert_eq!(completion["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(completion["choices"][0]["message"]["tool_calls"].as_array().unwrap().len(), 3);
}

#[test]
fn a_reason_in_every_chunk_is_told_once_and_the_last_usage_counts() {
    let chunk = |text: &str, count: u64| {
        let content = json!({"parts": [{"text": text}]});
        sse(&json!({"candidates": [{"content": content, "finishReason": "STOP"}],
            "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": count}}))
    };
    let stream = chunk("a", 1)
        + &chunk("b", 2)
        + &chunk("c", 3)
        + "data: {\"usageMetadata\":{\"promptTokenCount\":1,\"candidatesTokenCount\":9}}\n\n";
    let completion = fold_chat(&ended(pair(OpenaiChat, Gemini), &stream));
    assert_eq!(completion["choices"][0]["message"]["content"], "abc");
    assert_eq!(completion["usage"]["completion_tokens"], 9);
}

#[test]
fn a_prompt_that_is_refused_is_told_so() {
    let stream =
        sse(&json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 3}}));
    let message = fold_anthropic(&ended(pair(AnthropicMessages, Gemini), &stream));
    assert_eq!((&message["stop_reason"], &message["usage"]["input_tokens"]), (&json!("refusal"), &json!(3)));
}

fn call_piece(index: u64, id: Option<&str>, arguments: &str) -> String {
    let mut call = json!({"index": index, "function": {"arguments": arguments}});
    if let Some(id) = id {
        call["function"]["name"] = format!("tool_{id}").into();
        call["id"] = id.into();
    }
    chunk("r1", &json!([{"index": 0, "delta": {"tool_calls": [call]}}]), &Value::Null)
}

fn finish(reason: &str) -> String {
    let last = json!([{"index": 0, "delta": {}, "finish_reason": reason}]);
    chunk("r1", &last, &Value::Null) + "data: [DONE]\n\n"
}

#[test]
fn a_call_is_told_when_it_is_complete_and_in_its_turn() {
    let stream = [
        call_piece(0, Some("a"), "{\"x\":\""),
        call_piece(1, Some("b"), "{\"y\":\r\n2}"),
        call_piece(0, None, "}\"}"),
        call_piece(2, Some("c"), ""),
        finish("tool_calls"),
    ];
    let mut translator = pair(Gemini, OpenaiChat).stream(context());
    let mut out = Vec::new();
    let mut told = Vec::new();
    for piece in &stream {
        translator.push(piece.as_bytes(), &mut out).unwrap();
        told.push(std::str::from_utf8(&out).unwrap().matches("functionCall").count());
    }
    assert_eq!(told, [0, 0, 2, 2, 3]);
    translator.finish(&mut out).unwrap();
    let reply = fold(std::str::from_utf8(&out).unwrap());
    let calls: Vec<_> = reply["candidates"][0]["content"]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["functionCall"].clone())
        .collect();
    assert_eq!(
        calls,
        [
            json!({"id": "a", "name": "tool_a", "args": {"x": "}"}}),
            json!({"id": "b", "name": "tool_b", "args": {"y": 2}}),
            json!({"id": "c", "name": "tool_c", "args": {}}),
        ]
    );
}

#[test]
fn arguments_that_are_no_object_are_never_told() {
    for arguments in ["[]", "{}{}", "1", "{\"x\":", "{\"x\":1,}", "{x}"] {
        let stream = call_piece(0, Some("a"), arguments) + &finish("tool_calls");
        let (told, ended) = streamed(pair(Gemini, OpenaiChat), [stream.as_bytes()]);
        assert!(ended.is_err() && !told.contains("functionCall"), "{arguments}: {told}");
    }
    // Cut at the bound on tokens, the call is left out, and why shows.
    let stream =
        call_piece(0, Some("a"), "{\"x\":1}") + &call_piece(1, Some("b"), "{\"x\":") + &finish("length");
    let reply = fold(&ended(pair(Gemini, OpenaiChat), &stream));
    assert_eq!(reply["candidates"][0]["finishReason"], "MAX_TOKENS");
    assert_eq!(reply["candidates"][0]["content"]["parts"].as_array().unwrap().len(), 1);
}

#[test]
fn what_is_held_back_is_bounded() {
    let mut translator = pair(Gemini, OpenaiChat).stream(context());
    let mut out = Vec::new();
    translator.push(call_piece(0, Some("a"), "{\"x\":\"").as_bytes(), &mut out).unwrap();
    let piece = call_piece(0, None, &"x".repeat(64 * 1024));
    let refused = (0..100).find(|_| translator.push(piece.as_bytes(), &mut out).is_err());
    assert_eq!(refused, Some(15));
}

#[test]
fn an_error_inside_a_stream_is_told_and_ends_it() {
    let begun = gemini_stream(&answers()[0], 3);
    let begun = &begun[..begun.rfind("data: ").unwrap()];
    let failure = r#"{"error":{"code":503,"message":"boom","status":"UNAVAILABLE"}}"#;
    let stream = format!("{begun}data: {failure}\r\n\r\n{}", gemini_stream(&answers()[0], 3));
    let told = ended(pair(AnthropicMessages, Gemini), &stream);
    let data: Value = serde_json::from_str(events(&told).last().unwrap().1).unwrap();
    assert_eq!(data["error"], json!({"type": "overloaded_error", "message": "boom"}));
    let told = ended(pair(OpenaiChat, Gemini), &stream);
    assert!(!told.contains("[DONE]"));
    let data: Value = serde_json::from_str(events(&told).last().unwrap().1).unwrap();
    assert_eq!(
        data["error"],
        json!({"message": "boom", "type": "UNAVAILABLE", "param": null, "code": "503"})
    );
    for (word, kind) in [
        ("RESOURCE_EXHAUSTED", "rate_limit_error"),
        ("UNAUTHENTICATED", "authentication_error"),
        ("PERMISSION_DENIED", "permission_error"),
        ("NOT_FOUND", "not_found_error"),
        ("DEADLINE_EXCEEDED", "timeout_error"),
        ("INVALID_ARGUMENT", "invalid_request_error"),
        ("INTERNAL", "api_error"),
    ] {
        let failed = format!("data: {{\"error\":{{\"message\":\"boom\",\"status\":\"{word}\"}}}}\n\n");
        assert!(ended(pair(AnthropicMessages, Gemini), &failed).contains(kind), "{word}");
    }
    // A call that is none is a failure too.
    let chunk =
        sse(&json!({"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "f("}]}));
    let told = ended(pair(OpenaiChat, Gemini), &(begun.to_owned() + &chunk));
    assert!(told.contains("MALFORMED_FUNCTION_CALL`: f(") && !told.contains("[DONE]"), "{told}");
    for (target, begun, failure, error) in [
        (
            AnthropicMessages,
            answers()[0].anthropic_stream(3),
            "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"boom\"}}\n\n",
            json!({"code": 503, "message": "boom", "status": "UNAVAILABLE"}),
        ),
        (
            OpenaiChat,
            answers()[0].chat_stream(3),
            "data: {\"error\":{\"message\":\"boom\",\"type\":\"server_error\",\"code\":500}}\n\n",
            json!({"code": 500, "message": "boom", "status": "INTERNAL"}),
        ),
        (
            OpenaiChat,
            String::new(),
            "data: {\"error\":{\"message\":\"boom\",\"type\":\"rate_limit_exceeded\",\"code\":\"rate_limit_exceeded\"}}\n\n",
            json!({"code": 429, "message": "boom", "status": "RESOURCE_EXHAUSTED"}),
        ),
    ] {
        let begun: String = begun.split_inclusive("\n\n").take(4).collect();
        let told = ended(pair(Gemini, target), &(begun + failure));
        let data: Value = serde_json::from_str(events(&told).last().unwrap().1).unwrap();
        assert_eq!(data, json!({"error": error}));
        assert!(!told.contains("finishReason"));
    }
}

#[test]
fn a_stream_may_be_asked_for_as_one_array() {
    let body = json!({"contents": [{"parts": [{"text": "x"}]}]}).to_string();
    for (asked, stream, array) in [
        (None, false, false),
        (Some(false), false, false),
        (Some(true), true, false),
        (Some(true), true, true),
    ] {
        let mut out = Vec::new();
        let options = Options { stream: asked, json_array: array, ..OPTIONS };
        let translated = pair(Gemini, OpenaiChat).request(body.as_bytes(), "m", &options, &mut out).unwrap();
        let upstream: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((translated.stream, translated.context.json_array), (stream, array));
        assert_eq!(upstream["stream"] == true, stream);
        assert!(translated.context.include_usage);
    }
    for answer in answers() {
        for target in [OpenaiChat, AnthropicMessages] {
            let stream =
                if target == OpenaiChat { answer.chat_stream(3) } else { answer.anthropic_stream(3) };
            let mut asked = context();
            asked.json_array = true;
            let mut translator = pair(Gemini, target).stream(asked);
            let mut out = Vec::new();
            translator.push(stream.as_bytes(), &mut out).unwrap();
            translator.finish(&mut out).unwrap();
            let chunks: Vec<Value> = serde_json::from_slice(&out).unwrap();
            assert_eq!(
                fold_chunks(chunks.into_iter()),
                fold(&ended(pair(Gemini, target), &stream)),
                "{}",
                answer.name
            );
        }
    }
    let mut asked = context();
    asked.json_array = true;
    for begun in [String::new(), answers()[0].chat_stream(3).split_inclusive("\n\n").take(4).collect()] {
        let mut translator = pair(Gemini, OpenaiChat).stream(asked.clone());
        let mut out = Vec::new();
        let failed = begun + "data: {\"error\":{\"message\":\"boom\"}}\n\n";
        translator.push(failed.as_bytes(), &mut out).unwrap();
        let chunks: Vec<Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(chunks.last().unwrap()["error"]["message"], "boom");
    }
}

#[test]
fn a_stream_that_breaks_its_dialect_is_malformed_from_then_on() {
    for bad in [
        "data: {\r\n\r\n",
        "data: []\n\n",
        "data: {\"candidates\":{}}\n\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{}}]}}]}\n\n",
        "data: {\"candidates\":[{\"content\":{\"parts\":[{\"functionCall\":{\"name\":\"f\",\"args\":1}}]}}]}\n\n",
        "data: [DONE]\n\n",
    ] {
        let mut translator = pair(OpenaiChat, Gemini).stream(context());
        let mut out = Vec::new();
        let malformed = translator.push(bad.as_bytes(), &mut out).unwrap_err();
        let written = out.len();
        assert_eq!(
            translator.push(gemini_stream(&answers()[0], 3).as_bytes(), &mut out),
            Err(malformed.clone())
        );
        assert_eq!(translator.finish(&mut out), Err(malformed));
        assert_eq!(out.len(), written, "{bad}");
    }
    let call = json!({"functionCall": {"name": "f"}});
    let chunk = sse(&json!({"candidates": [{"content": {"parts": vec![call; 513]}}]}));
    let (_, ended) = streamed(pair(OpenaiChat, Gemini), [chunk.as_bytes()]);
    assert!(ended.unwrap_err().message.contains("too many"));
}

#[test]
fn what_a_stream_loses_is_named() {
    let chunk = |candidate: Value| sse(&json!({"candidates": [candidate]}));
    let stream = chunk(json!({"content": {"parts": [{"text": "a"}, {"executableCode": {"code": "1"}}]}}))
        + &chunk(json!({"index": 1, "content": {"parts": [{"text": "b"}]}, "finishReason": "STOP"}))
        + &chunk(json!({"groundingMetadata": {"a": 1}, "finishReason": "STOP", "safetyRatings": [{}]}));
    let losses = lost(pair(OpenaiChat, Gemini), &stream).to_string();
    assert_eq!(losses, "candidates[].content.parts[].executableCode,candidates[].groundingMetadata.a");
    let choices =
        json!([{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [], "refusal": [1]}}]);
    let stream = crate::answers::chunk("r1", &choices, &chat_usage()) + &finish("stop");
    assert_eq!(lost(pair(Gemini, OpenaiChat), &stream).to_string(), "choices[].logprobs.refusal");
}
