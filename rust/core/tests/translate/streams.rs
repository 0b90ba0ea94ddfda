//! Streamed replies: folded as whole ones, cut anywhere, cut short, interleaved, failed.

use llm_edge_core::dialect::Dialect::{AnthropicMessages, CohereChat, OpenaiChat};
use llm_edge_core::translate::Pair;
use serde_json::{Value, json};

use crate::answers::{Teller, answers, chat_usage, chunk, events, fold_anthropic, fold_chat, fold_responses};
use crate::{
    answered, anthropic_to_chat, anthropic_to_cohere, chat_to_anthropic, chat_to_cohere, context,
    responses_to, streamed, to_responses,
};

type Fold = fn(&str) -> Value;

/// Every answer in all directions: its name, the pair, the upstream's stream and whole reply, how the client
/// folds.
fn matrix() -> Vec<(String, Pair, String, Value, Fold)> {
    let mut all: Vec<(String, Pair, String, Value, Fold)> = Vec::new();
    for answer in answers() {
        for size in [1, 3, 1000] {
            let name = format!("{} by {size}", answer.name);
            let (whole, stream) = (answer.anthropic(), answer.anthropic_stream(size));
            let (chat, chat_stream) = (answer.chat(), answer.chat_stream(size));
            let mut add = |pair: Pair, of: &str, stream: &String, whole: &Value, fold: Fold| {
                all.push((format!("{of}: {name}"), pair, stream.clone(), whole.clone(), fold));
            };
            add(chat_to_anthropic(), "anthropic as chat", &stream, &whole, fold_chat);
            add(anthropic_to_chat(), "chat as anthropic", &chat_stream, &chat, fold_anthropic);
            let (told, told_stream) = (answer.responses(Teller::Maker), answer.responses_stream(size));
            let pair = responses_to(AnthropicMessages);
            add(pair, "anthropic as responses", &stream, &whole, fold_responses);
            add(responses_to(OpenaiChat), "chat as responses", &chat_stream, &chat, fold_responses);
            add(to_responses(OpenaiChat), "responses as chat", &told_stream, &told, fold_chat);
            let pair = to_responses(AnthropicMessages);
            add(pair, "responses as anthropic", &told_stream, &told, fold_anthropic);
            if let Some(answer) = answer.of_cohere() {
                let (whole, stream) = (answer.cohere(), answer.cohere_stream(size));
                add(chat_to_cohere(), "cohere as chat", &stream, &whole, fold_chat);
                add(anthropic_to_cohere(), "cohere as anthropic", &stream, &whole, fold_anthropic);
                add(responses_to(CohereChat), "cohere as responses", &stream, &whole, fold_responses);
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
        let (mut folded, mut whole) = (fold(&told), whole);
        for reply in [&mut folded, &mut whole] {
            parse_arguments(reply);
        }
        assert_eq!(folded, whole, "{name}");
    }
}

/// Blanks between the tokens of arguments are not the point.
fn parse_arguments(reply: &mut Value) {
    for item in reply.get_mut("output").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(text) = item["arguments"].as_str() {
            item["arguments"] = serde_json::from_str(text).unwrap();
        }
    }
    if let Some(calls) = reply.pointer_mut("/choices/0/message/tool_calls").and_then(Value::as_array_mut) {
        for call in calls {
            call["function"]["arguments"] =
                serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        }
    }
}

#[test]
fn where_the_stream_is_cut_does_not_show() {
    // Those of responses are long, and as much to the point in few pieces.
    let size = |name: &str| if name.contains("responses") { " 1000" } else { " 3" };
    for (name, pair, stream, ..) in matrix().into_iter().filter(|(name, ..)| name.ends_with(size(name))) {
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
        let mut malformed = 0;
        for at in (0..last).filter(|at| stream.is_char_boundary(*at)) {
            let (told, ended) = streamed(pair, [&stream.as_bytes()[..at]]);
            assert!(ended.is_err(), "{name} at {at}");
            let ends = ["[DONE]", "message_stop", "response.completed", "response.incomplete"];
            assert!(!ends.iter().any(|end| told.contains(end)), "{name} at {at}");
            malformed += 1;
        }
        assert!(malformed > 100);
        assert_eq!(streamed(pair, [&stream.as_bytes()[..last]]).1, Ok(()), "{name}");
    }
}

#[test]
fn usage_comes_only_to_those_who_asked() {
    let answer = &answers()[0];
    let mut asked = context();
    asked.include_usage = false;
    let mut translator = chat_to_anthropic().stream(asked);
    let mut out = Vec::new();
    translator.push(answer.anthropic_stream(9).as_bytes(), &mut out).unwrap();
    assert!(translator.has_ended());
    let told = String::from_utf8(out).unwrap();
    assert!(told.ends_with("data: [DONE]\n\n") && !told.contains("usage"), "{told}");
}

fn call_piece(index: u64, id: Option<&str>, arguments: &str) -> String {
    let mut function = json!({"arguments": arguments});
    let mut call = json!({"index": index});
    if let Some(id) = id {
        function["name"] = format!("tool_{id}").into();
        call["id"] = id.into();
    }
    call["function"] = function;
    chunk("r1", &json!([{"index": 0, "delta": {"tool_calls": [call]}}]), &Value::Null)
}

fn finish(reason: &str) -> String {
    let last = json!([{"index": 0, "delta": {}, "finish_reason": reason}]);
    chunk("r1", &last, &Value::Null) + "data: [DONE]\n\n"
}

#[test]
fn interleaved_calls_come_out_one_after_the_other() {
    let stream = [
        call_piece(0, Some("a"), "{\"x\":\""),
        call_piece(1, Some("b"), ""),
        call_piece(1, None, "{\"y\":"),
        call_piece(0, None, "}"),
        call_piece(2, Some("c"), ""),
        call_piece(0, None, "\"}"),
        call_piece(1, None, "2}"),
        finish("tool_calls"),
    ]
    .concat();
    let (told, ended) = streamed(anthropic_to_chat(), [stream.as_bytes()]);
    assert_eq!(ended, Ok(()));
    let message = fold_anthropic(&told);
    for (at, (id, input)) in
        [("a", json!({"x": "}"})), ("b", json!({"y": 2})), ("c", json!({}))].iter().enumerate()
    {
        let block = &message["content"][at];
        assert_eq!((&block["id"], &block["input"]), (&json!(id), input));
    }
    // The first one is told as it comes, not at the end.
    let before = told.find("\"a\"").unwrap();
    assert!(before < told.find("\"b\"").unwrap());
}

#[test]
fn calls_that_share_an_index_are_told_apart_by_their_ids() {
    let stream =
        call_piece(0, Some("a"), "{}") + &call_piece(0, Some("b"), "{\"k\":") + &call_piece(0, None, "1}");
    let (told, ended) = streamed(anthropic_to_chat(), [(stream + &finish("stop")).as_bytes()]);
    assert_eq!(ended, Ok(()));
    let message = fold_anthropic(&told);
    assert_eq!(message["content"][1]["input"], json!({"k": 1}));
    assert_eq!(message["stop_reason"], "tool_use");
}

#[test]
fn arguments_that_are_cut_pass_only_at_the_bound_on_tokens() {
    let begun = call_piece(0, Some("a"), "{\"x\":");
    let (told, ended) = streamed(anthropic_to_chat(), [(begun.clone() + &finish("tool_calls")).as_bytes()]);
    assert!(ended.is_err() && !told.contains("message_stop"));
    let (told, ended) = streamed(anthropic_to_chat(), [(begun + &finish("length")).as_bytes()]);
    assert_eq!(ended, Ok(()));
    assert!(told.contains("\"max_tokens\""));
    for arguments in ["[]", "{}{}", "1"] {
        let stream = call_piece(0, Some("a"), arguments) + &finish("tool_calls");
        assert!(streamed(anthropic_to_chat(), [stream.as_bytes()]).1.is_err(), "{arguments}");
    }
}

#[test]
fn what_waits_for_its_turn_is_bounded() {
    let mut translator = anthropic_to_chat().stream(context());
    let mut out = Vec::new();
    let first = call_piece(0, Some("a"), "{") + &call_piece(1, Some("b"), "{\\\"");
    translator.push(first.as_bytes(), &mut out).unwrap();
    let piece = call_piece(1, None, &"x".repeat(64 * 1024));
    let refused = (0..100).find(|_| translator.push(piece.as_bytes(), &mut out).is_err());
    assert_eq!(refused, Some(15));
}

#[test]
fn an_error_inside_a_stream_is_told_and_ends_it() {
    let begun = answers()[0].chat_stream(3);
    let begun = &begun[..begun.find("data: [DONE]").unwrap()];
    for failure in [
        r#"{"error":{"message":"boom","type":"server_error","code":500}}"#,
        r#"{"object":"error","message":"boom","type":"InternalServerError","param":null,"code":500}"#,
        r#"{"choices":[],"x_groq":{"error":"boom"}}"#,
        r#"{"id":"r1","choices":[],"error":{"message":"boom","code":502}}"#,
    ] {
        let stream = format!("{begun}data: {failure}\n\ndata: [DONE]\n\n");
        let (told, ended) = streamed(anthropic_to_chat(), [stream.as_bytes()]);
        assert_eq!(ended, Ok(()), "{failure}");
        let (name, data) = *events(&told).last().unwrap();
        let data: Value = serde_json::from_str(data).unwrap();
        let error =
            json!({"type": "error", "error": {"type": "api_error", "message": "boom"}, "request_id": null});
        assert_eq!((name, data), ("error", error), "{failure}");
    }
    let stream = answers()[0].anthropic_stream(3);
    let stream = stream[..stream.find("event: message_delta").unwrap()].to_owned()
        + "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"boom\"}}\n\n";
    let (told, ended) = streamed(chat_to_anthropic(), [stream.as_bytes()]);
    assert_eq!(ended, Ok(()));
    assert!(!told.contains("[DONE]"));
    let data: Value = serde_json::from_str(events(&told).last().unwrap().1).unwrap();
    let error =
        json!({"message": "boom", "type": "overloaded_error", "param": null, "code": "overloaded_error"});
    assert_eq!(data, json!({"error": error}));
}

#[test]
fn a_stream_that_breaks_its_dialect_is_malformed_from_then_on() {
    let start = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"r\",\"model\":\"m\"}}\n\n";
    let text = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n";
    for bad in [
        "data: {\"type\":\"message_stop\"}\n\n".to_owned(),
        format!("{start}{start}"),
        format!("{start}data: {{\"type\":\"message_stop\"}}\n\n"),
        format!(
            "{start}data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"text_delta\",\"text\":\"x\"}}}}\n\n"
        ),
        format!(
            "{start}{text}data: {{\"type\":\"content_block_delta\",\"index\":1,\"delta\":{{\"type\":\"text_delta\",\"text\":\"x\"}}}}\n\n"
        ),
        format!(
            "{start}{text}data: {{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"input_json_delta\",\"partial_json\":\"x\"}}}}\n\n"
        ),
        format!("{start}data: {{\n\n"),
        format!("{start}data: \u{1}\n\n"),
    ] {
        let mut translator = chat_to_anthropic().stream(context());
        let mut out = Vec::new();
        let malformed = translator.push(bad.as_bytes(), &mut out).unwrap_err();
        let written = out.len();
        let rest = answers()[0].anthropic_stream(3);
        assert_eq!(translator.push(rest.as_bytes(), &mut out), Err(malformed.clone()));
        assert_eq!(translator.finish(&mut out), Err(malformed));
        assert_eq!(out.len(), written);
    }
    for bad in [
        "data: [DONE]\n\n",
        "data: {\"choices\":{}}\n\n",
        "data: \n\ndata: {\"choices\":[{\"delta\":{\"tool_calls\":[{\"index\":0,\"function\":{}}]}}]}\n\n",
    ] {
        let mut translator = anthropic_to_chat().stream(context());
        assert!(translator.push(bad.as_bytes(), &mut Vec::new()).is_err(), "{bad}");
    }
    let long = format!("data: {{\"choices\":[],\"x\":\"{}\"}}\n\n", "x".repeat(1024 * 1024));
    assert!(streamed(anthropic_to_chat(), [long.as_bytes()]).1.unwrap_err().message.contains("too long"));
}

#[test]
fn what_a_stream_loses_is_named() {
    let stream = concat!(
        "data: {\"type\":\"message_start\",\"message\":{\"id\":\"r\",\"model\":\"m\",\"container\":{\"id\":\"c\"}}}\n\n",
        "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"server_tool_use\",\"id\":\"s\"}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"x\"}}\n\n",
        "data: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
        "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"text\",\"text\":\"a\"}}\n\n",
        "data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"citations_delta\",\"citation\":{}}}\n\n",
        "data: {\"type\":\"novel\"}\n\n",
        "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"X\"}}\n\n",
        "data: {\"type\":\"message_stop\"}\n\n",
    );
    let mut translator = chat_to_anthropic().stream(context());
    let mut out = Vec::new();
    translator.push(stream.as_bytes(), &mut out).unwrap();
    translator.finish(&mut out).unwrap();
    let losses = translator.losses().to_string();
    assert_eq!(losses, "container,content[].server_tool_use,content[].citations,stop_sequence");
    let folded = fold_chat(&String::from_utf8(out).unwrap());
    assert_eq!(folded["choices"][0]["message"]["content"], "a");

    let choices = json!([{"index": 0, "delta": {"content": "a"}, "logprobs": {"content": [1]}},
        {"index": 1, "delta": {"content": "b"}}]);
    let stream = chunk("r1", &choices, &chat_usage()) + &finish("stop");
    let mut translator = anthropic_to_chat().stream(context());
    translator.push(stream.as_bytes(), &mut Vec::new()).unwrap();
    assert_eq!(translator.losses().to_string(), "choices[].logprobs,choices[]");
}

#[test]
fn thoughts_among_the_parts_of_content_are_streamed_as_such() {
    let piece =
        |content: Value| chunk("r1", &json!([{"index": 0, "delta": {"content": content}}]), &Value::Null);
    let thought = |text: &str| json!([{"type": "thinking", "thinking": [{"type": "text", "text": text}]}]);
    let stream = [piece(thought("Hm.")), piece(thought(" Yes.")), piece(json!("a")), finish("stop")].concat();
    let (told, ended) = streamed(anthropic_to_chat(), [stream.as_bytes()]);
    ended.unwrap();
    let folded = fold_anthropic(&told);
    assert_eq!(folded["content"][0]["thinking"], "Hm. Yes.");
    assert_eq!(folded["content"][1]["text"], "a");
}

#[test]
fn the_usage_of_a_message_delta_counts_and_says_no_more() {
    let usage = json!({"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120,
        "prompt_tokens_details": {"cached_tokens": 85}, "completion_tokens_details": {"reasoning_tokens": 7}});
    let text = json!([{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]);
    let stream = chunk("r1", &text, &usage) + "data: [DONE]\n\n";
    let (told, ended) = streamed(anthropic_to_chat(), [stream.as_bytes()]);
    ended.unwrap();
    let (_, delta) = events(&told).into_iter().find(|(name, _)| *name == "message_delta").unwrap();
    let delta: Value = serde_json::from_str(delta).unwrap();
    // What a whole message says besides, the tier and the region among it, Anthropic's events do not.
    let counts = json!({"input_tokens": 15, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 85,
        "output_tokens": 20, "output_tokens_details": {"thinking_tokens": 7}, "server_tool_use": null});
    assert_eq!(delta["usage"], counts);
}
