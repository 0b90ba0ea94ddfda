//! Replies from and to `openai_responses`, beyond what all dialects are asked: what servers leave out or tell in
//! other places, what fails, and what is bounded.

use llm_edge_core::dialect::Dialect::{AnthropicMessages, OpenaiChat};
use llm_edge_core::translate::Malformed;
use serde_json::{Value, json};

use crate::answers::{
    Teller, answers, chunk, events, fold_anthropic, fold_chat, fold_responses, numbered, response,
};
use crate::{SEED, answered, context, responses_to, streamed, to_responses};

fn message(text: &str) -> Value {
    json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "output_text", "text": text, "annotations": null}]})
}

fn call(id: &str, arguments: &str) -> Value {
    json!({"id": format!("fc_{id}"), "type": "function_call", "status": "completed", "call_id": id, "name": "f",
        "arguments": arguments})
}

fn completed(output: Value) -> Value {
    let mut response = response("completed", &Value::Null, &Value::Null, None);
    response["output"] = output;
    json!({"type": "response.completed", "response": response})
}

fn begun(output_index: usize, item: Value) -> Value {
    let mut event = json!({"type": "response.output_item.added", "output_index": output_index});
    event["item"] = item;
    event
}

fn done(output_index: usize, item: Value) -> Value {
    let mut event = json!({"type": "response.output_item.done", "output_index": output_index});
    event["item"] = item;
    event
}

/// An event about the item at this place.
fn about(kind: &str, output_index: usize, member: &str, value: Value) -> Value {
    let mut event = json!({"type": format!("response.{kind}"), "output_index": output_index, "item_id": "i"});
    event[member] = value;
    event
}

/// The client's stream for these events, and what it lost.
fn told(surface: llm_edge_core::dialect::Dialect, events: &[Value]) -> (String, Result<String, Malformed>) {
    let mut translator = to_responses(surface).stream(context());
    let mut out = Vec::new();
    let ended = translator.push(numbered(events).as_bytes(), &mut out);
    let ended = ended.and_then(|()| translator.finish(&mut out));
    (String::from_utf8(out).unwrap(), ended.map(|()| translator.losses().to_string()))
}

/// The message a client of Anthropic gets.
fn content(events: &[Value]) -> (Value, Value) {
    let (stream, losses) = told(AnthropicMessages, events);
    assert_eq!(losses, Ok(String::new()));
    let message = fold_anthropic(&stream);
    (message["content"].clone(), message["stop_reason"].clone())
}

#[test]
fn what_is_told_late_is_told_once() {
    let text = json!([{"type": "text", "text": "Hi", "citations": null}]);
    let expected = (text, json!("end_turn"));
    let added = || begun(0, json!({"type": "message", "id": "msg_1", "content": null}));
    let delta = || about("output_text.delta", 0, "delta", json!("Hi"));
    let whole = || about("output_text.done", 0, "text", json!("Hi"));
    let item = || done(0, message("Hi"));
    let end = || completed(json!([message("Hi")]));
    let start = || json!({"type": "response.created", "response": null});
    for events in [
        vec![end()],
        vec![start(), end()],
        vec![start(), added(), end()],
        vec![start(), item(), end()],
        vec![start(), added(), item(), end()],
        vec![start(), added(), whole(), item(), end()],
        vec![start(), added(), delta(), whole(), item(), end()],
        vec![start(), delta(), end()],
        vec![start(), delta(), completed(json!([]))],
        vec![start(), delta(), json!({"type": "response.completed", "response": null})],
        // Places that are not counted as in the end.
        vec![start(), about("output_text.delta", 5, "delta", json!("Hi")), end()],
    ] {
        assert_eq!(content(&events), expected, "{events:?}");
    }
}

#[test]
fn arguments_are_told_once_wherever_they_come() {
    let input = r#"{"a":"ü}"}"#;
    let added = || begun(0, call("c1", ""));
    let delta = |piece: &str| about("function_call_arguments.delta", 0, "delta", json!(piece));
    let whole = || about("function_call_arguments.done", 0, "arguments", json!(input));
    let item = || done(0, call("c1", input));
    let end = || completed(json!([call("c1", input)]));
    for events in [
        vec![end()],
        vec![added(), end()],
        vec![item(), end()],
        vec![added(), item(), end()],
        vec![added(), whole(), item(), end()],
        vec![added(), delta(&input[..5]), delta(&input[5..]), whole(), item(), end()],
        vec![begun(0, call("c1", input)), end()],
        vec![added(), delta(input), completed(json!([]))],
    ] {
        let (content, stop) = content(&events);
        assert_eq!(
            (&content[0]["input"], &content[0]["id"]),
            (&json!({"a": "ü}"}), &json!("c1")),
            "{events:?}"
        );
        assert_eq!((content.as_array().unwrap().len(), stop), (1, json!("tool_use")));
    }
    for arguments in [json!(""), Value::Null] {
        let mut none = call("c1", "");
        none["arguments"] = arguments;
        let (stream, _) = told(OpenaiChat, &[begun(0, call("c1", "")), completed(json!([none]))]);
        let message = &fold_chat(&stream)["choices"][0]["message"];
        assert_eq!(message["tool_calls"][0]["function"]["arguments"], "{}");
    }
}

#[test]
fn parallel_calls_may_interleave() {
    let delta = |at: usize, piece: &str| about("function_call_arguments.delta", at, "delta", json!(piece));
    let stream = [
        begun(0, call("c1", "")),
        begun(1, call("c2", "")),
        delta(1, "{\"b\":"),
        delta(0, "{\"a\":1}"),
        delta(1, "2}"),
        completed(json!([call("c1", "{\"a\":1}"), call("c2", "{\"b\":2}")])),
    ];
    let (anthropic, _) = content(&stream);
    assert_eq!((&anthropic[0]["input"], &anthropic[1]["input"]), (&json!({"a": 1}), &json!({"b": 2})));

    let piece = |index: u64, id: Option<&str>, arguments: &str| {
        let function = json!({"name": id.map(|_| "f"), "arguments": arguments});
        let call = json!({"index": index, "id": id, "function": function});
        chunk("r1", &json!([{"index": 0, "delta": {"tool_calls": [call]}}]), &Value::Null)
    };
    let stream = [
        piece(0, Some("a"), "{\"x\":"),
        piece(1, Some("b"), ""),
        piece(1, None, "{\"y\":"),
        piece(0, None, "1}"),
        piece(2, Some("c"), ""),
        piece(1, None, "2}"),
        finish("tool_calls"),
    ];
    let (told, ended) = streamed(responses_to(OpenaiChat), [stream.concat().as_bytes()]);
    assert_eq!(ended, Ok(()));
    let output = fold_responses(&told)["output"].clone();
    for (at, (id, arguments)) in [("a", r#"{"x":1}"#), ("b", r#"{"y":2}"#), ("c", "{}")].iter().enumerate() {
        assert_eq!((&output[at]["call_id"], &output[at]["arguments"]), (&json!(id), &json!(arguments)));
    }
}

fn finish(reason: &str) -> String {
    let last = json!([{"index": 0, "delta": {}, "finish_reason": reason}]);
    chunk("r1", &last, &Value::Null) + "data: [DONE]\n\n"
}

#[test]
fn arguments_that_are_cut_pass_only_at_the_bound_on_tokens() {
    let function = json!({"name": "f", "arguments": "{\"x\":"});
    let call = json!({"index": 0, "id": "a", "function": function});
    let begun = chunk("r1", &json!([{"index": 0, "delta": {"tool_calls": [call]}}]), &Value::Null);
    let told = |reason: &str| {
        let stream = begun.clone() + &finish(reason);
        streamed(responses_to(OpenaiChat), [stream.as_bytes()])
    };
    let (stream, ended) = told("tool_calls");
    assert!(ended.is_err() && !stream.contains("response.completed"));
    let (stream, ended) = told("length");
    assert_eq!(ended, Ok(()));
    let folded = fold_responses(&stream);
    assert_eq!(
        (&folded["status"], &folded["output"][0]["status"]),
        (&json!("incomplete"), &json!("incomplete"))
    );
}

#[test]
fn reasoning_is_told_as_a_summary_or_as_it_is() {
    let delta = |kind: &str, part: &str, at: u64, text: &str| {
        let mut event = about(kind, 0, "delta", json!(text));
        event[part] = at.into();
        event
    };
    let summary = |at, text| delta("reasoning_summary_text.delta", "summary_index", at, text);
    let content = |at, text| delta("reasoning_text.delta", "content_index", at, text);
    let texts = |kind: &str, texts: &[&str]| -> Value {
        texts.iter().map(|text| json!({"type": kind, "text": text})).collect()
    };
    let item = |shown: &[&str], whole: &[&str]| {
        json!({"id": "rs_1", "type": "reasoning", "encrypted_content": "Z0FB",
            "summary": texts("summary_text", shown), "content": texts("reasoning_text", whole)})
    };
    let start =
        || begun(0, json!({"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "part"}));
    for (events, item, text, lost) in [
        (vec![], item(&[], &[]), "", ""),
        (
            vec![summary(0, "O"), summary(0, "ne"), summary(1, "Two")],
            item(&["One", "Two"], &[]),
            "One\n\nTwo",
            "",
        ),
        (vec![], item(&["One", "", "Two"], &[]), "One\n\nTwo", ""),
        (vec![summary(0, "One")], item(&["One", "Two"], &[]), "One\n\nTwo", ""),
        (vec![content(0, "O"), content(0, "ne")], item(&[], &["One"]), "One", ""),
        (vec![], item(&[], &["One"]), "One", ""),
        (vec![summary(0, "One"), content(0, "1")], item(&["One"], &["1"]), "One", "output[].content"),
        (vec![], item(&["One"], &["1"]), "One", "output[].content"),
    ] {
        let mut stream = vec![start()];
        stream.extend(events.iter().cloned());
        let end = completed(json!([item]));
        let (whole, losses) = answered(to_responses(AnthropicMessages), &end["response"]).unwrap();
        let expected = json!({"type": "thinking", "thinking": text, "signature": "openai:rs_1:Z0FB"});
        assert_eq!((&whole["content"][0], losses.as_str()), (&expected, lost));
        let untold = [stream.clone(), vec![end.clone()]].concat();
        stream.extend([done(0, item), end]);
        for stream in [stream, untold] {
            let (stream, losses) = told(AnthropicMessages, &stream);
            assert_eq!(losses.unwrap(), lost, "{text}");
            assert_eq!(fold_anthropic(&stream)["content"], json!([expected]), "{text}");
        }
    }
    // What cannot be shown and not be sent back is nothing.
    let bare = completed(json!([{"id": "rs_1", "type": "reasoning", "summary": []}, message("Hi")]));
    let (whole, _) = answered(to_responses(AnthropicMessages), &bare["response"]).unwrap();
    let (stream, _) = told(AnthropicMessages, &[bare]);
    for content in [&whole["content"], &fold_anthropic(&stream)["content"]] {
        assert_eq!(content, &json!([{"type": "text", "text": "Hi", "citations": null}]));
    }
}

#[test]
fn a_refusal_is_told_as_one() {
    let refused = json!({"id": "msg_1", "type": "message", "role": "assistant", "status": "completed",
        "content": [{"type": "refusal", "refusal": "No."}]});
    let end = completed(json!([refused]));
    let (whole, losses) = answered(to_responses(AnthropicMessages), &end["response"]).unwrap();
    assert_eq!((&whole["content"][0]["text"], &whole["stop_reason"]), (&json!("No."), &json!("refusal")));
    assert_eq!(losses, "");
    let delta = about("refusal.delta", 0, "delta", json!("No."));
    let whole = about("refusal.done", 0, "refusal", json!("No."));
    for events in [vec![end.clone()], vec![delta, whole.clone(), end.clone()], vec![whole, end]] {
        let (content, stop) = content(&events);
        assert_eq!((&content[0]["text"], stop), (&json!("No."), json!("refusal")));
    }
}

#[test]
fn a_response_stops_as_its_status_says() {
    let reply = |status: Value, reason: Value| json!({"id": "r1", "status": status, "incomplete_details": reason, "output": [message("Hi")]});
    for (status, reason, stop, lost) in [
        (json!("completed"), Value::Null, "end_turn", ""),
        (Value::Null, Value::Null, "end_turn", ""),
        (json!("incomplete"), json!({"reason": "max_output_tokens"}), "max_tokens", ""),
        (json!("incomplete"), json!({"reason": "content_filter"}), "refusal", ""),
        (json!("incomplete"), json!({"reason": "steered"}), "max_tokens", "incomplete_details.reason"),
        (json!("incomplete"), Value::Null, "max_tokens", "incomplete_details.reason"),
    ] {
        let reply = reply(status.clone(), reason);
        let (told, losses) = answered(to_responses(AnthropicMessages), &reply).unwrap();
        assert_eq!((&told["stop_reason"], losses.as_str()), (&json!(stop), lost), "{reply}");
        let kind = if status == "incomplete" { "response.incomplete" } else { "response.completed" };
        let (stream, losses) = self::told(AnthropicMessages, &[json!({"type": kind, "response": reply})]);
        assert_eq!(losses.unwrap(), lost);
        assert_eq!(fold_anthropic(&stream)["stop_reason"], stop);
    }
    for status in ["queued", "in_progress", "cancelled", "failed"] {
        let reply = reply(json!(status), Value::Null);
        let malformed = answered(to_responses(OpenaiChat), &reply).unwrap_err();
        assert!(malformed.message.contains(status), "{}", malformed.message);
        assert!(told(OpenaiChat, &[json!({"type": "response.completed", "response": reply})]).1.is_err());
    }
}

#[test]
fn what_a_reply_loses_is_named() {
    let part = json!({"type": "output_text", "text": "a", "annotations": [{"type": "url_citation"}], "logprobs": [{"token": "a", "logprob": -1}]});
    let output = json!([
        {"type": "web_search_call", "id": "ws_1", "action": {"type": "search"}},
        {"type": "search_results", "results": [{"url": "u"}], "queries": ["q"]},
        {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "phase": "final_answer", "content": [part]},
    ]);
    let mut end = completed(output);
    end["response"]["moderation"] = json!({"input": {}});
    let (told, losses) = answered(to_responses(OpenaiChat), &end["response"]).unwrap();
    assert_eq!(told["choices"][0]["message"]["content"], "a");
    let names = "moderation,output[].web_search_call,output[].search_results,output[].phase,\
                 output[].content[].annotations";
    assert_eq!(losses, names);

    let web_search = json!({"type": "web_search_call", "id": "ws_1", "status": "in_progress"});
    let stream = [
        begun(0, web_search.clone()),
        about("web_search_call.searching", 0, "novel", json!(1)),
        done(0, web_search),
        about("output_text.delta", 1, "delta", json!("a")),
        about("output_text.annotation.added", 1, "annotation", json!({"type": "url_citation"})),
        json!({"type": "response.reasoning.search_queries", "queries": ["q"], "thought": null}),
        json!({"type": "response.reasoning.search_queries", "queries": ["q2"]}),
        end,
    ];
    let (stream, losses) = self::told(OpenaiChat, &stream);
    assert_eq!(
        losses.unwrap(),
        "output[].web_search_call,output[].content[].annotations,response.reasoning.search_queries,moderation,\
         output[].search_results,output[].phase,output[].content[].logprobs"
    );
    assert_eq!(fold_chat(&stream)["choices"][0]["message"]["content"], "a");
}

#[test]
fn usage_and_times_are_understood_as_other_servers_tell_them() {
    let usage = json!({"input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
        "cost": {"currency": "USD", "total_cost": 0.1}, "input_tokens_details": {"cache_read_input_tokens": 85,
        "cache_creation_input_tokens": 5}, "output_tokens_details": null});
    let reply = json!({"id": "", "created_at": 1_700_000_001.25, "status": "requires_action", "usage": usage,
        "output": [call("c1", "{}")], "error": null, "previous_response_id": null, "store": true});
    let (told, losses) = answered(to_responses(OpenaiChat), &reply).unwrap();
    assert_eq!(losses, "");
    assert_eq!(
        (&told["id"], &told["created"], &told["model"]),
        (&json!(format!("chatcmpl-{SEED}")), &json!(1_700_000_001), &json!("asked"))
    );
    assert_eq!(told["usage"]["prompt_tokens_details"], json!({"cached_tokens": 85, "cache_write_tokens": 5}));
    assert_eq!(told["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn a_reply_that_is_none_is_malformed() {
    for (reply, said) in [
        (json!([]), "an object"),
        (json!({}), "output"),
        (
            json!({"error": {"code": "server_error", "message": "boom"}, "status": "failed", "output": []}),
            "boom",
        ),
        (json!({"output": [{"type": "function_call", "name": "f", "arguments": "{}"}]}), "output[0].call_id"),
        (json!({"output": [{"type": "function_call", "call_id": "c", "arguments": "{}"}]}), "output[0].name"),
        (json!({"output": [message("a"), call("c", "[]")]}), "output[1].arguments"),
        (json!({"output": [{"type": "message", "content": [{"text": 1}]}]}), "output[0].content[0].text"),
    ] {
        let malformed = answered(to_responses(OpenaiChat), &reply).unwrap_err();
        assert!(malformed.message.contains(said), "{said} in {}", malformed.message);
    }
}

#[test]
fn a_stream_that_breaks_its_dialect_is_malformed_from_then_on() {
    let text = || about("output_text.delta", 0, "delta", json!("x"));
    for bad in [
        numbered(&[about("function_call_arguments.delta", 0, "delta", json!("{"))]),
        numbered(&[text(), about("function_call_arguments.delta", 0, "delta", json!("{"))]),
        numbered(&[text(), about("reasoning_text.delta", 0, "delta", json!("x"))]),
        numbered(&[begun(0, call("c1", "")), text()]),
        numbered(&[about("output_text.delta", 0, "delta", json!(7))]),
        numbered(&[about("reasoning_text.delta", 0, "delta", json!({"text": "x"}))]),
        numbered(&[begun(0, call("c1", "")), about("function_call_arguments.delta", 0, "delta", json!({}))]),
        numbered(&[done(
            0,
            json!({"type": "function_call", "call_id": "c", "name": "f", "arguments": {"q": 1}}),
        )]),
        numbered(&[begun(0, json!({"type": "function_call", "name": "f"}))]),
        numbered(&[begun(0, json!({"type": "function_call", "call_id": "c"}))]),
        numbered(&[json!({"type": "response.completed", "response": {"status": "queued"}})]),
        numbered(&[json!({"type": "response.created", "response": []})]),
        numbered(&(0..1100).map(|at| begun(at, json!({"type": "message"}))).collect::<Vec<_>>()),
        numbered(&[completed((0..1100).map(|_| message("x")).collect())]),
        "data: [DONE]\n\n".to_owned(),
        "data: {\n\n".to_owned(),
    ] {
        for surface in [OpenaiChat, AnthropicMessages] {
            let mut translator = to_responses(surface).stream(context());
            let mut out = Vec::new();
            let malformed = translator.push(bad.as_bytes(), &mut out).expect_err(&bad);
            let written = out.len();
            let rest = answers()[0].responses_stream(3);
            assert_eq!(translator.push(rest.as_bytes(), &mut out), Err(malformed.clone()));
            assert_eq!(translator.finish(&mut out), Err(malformed));
            assert_eq!(out.len(), written);
        }
    }
}

#[test]
fn an_error_inside_a_stream_is_told_and_ends_it() {
    let stream = answers()[0].responses_stream(3);
    let stream = &stream[..stream.find("event: response.output_text.done").unwrap()];
    let mut failed = response("failed", &json!([]), &Value::Null, None);
    failed["error"] = json!({"code": "rate_limit_exceeded", "message": "boom"});
    let limited = (
        "rate_limit_error",
        json!({"message": "boom", "type": "upstream_error", "param": null, "code": "rate_limit_exceeded"}),
    );
    let other = |kind: &str, code: Value| {
        ("api_error", json!({"message": "boom", "type": kind, "param": null, "code": code}))
    };
    for (event, (kind, chat)) in [
        (json!({"type": "response.failed", "response": failed}), limited.clone()),
        (json!({"type": "error", "code": "rate_limit_exceeded", "message": "boom", "param": null}), limited),
        (
            json!({"type": "error", "error": {"type": "server_error", "code": null, "message": "boom"}}),
            other("server_error", json!("server_error")),
        ),
        (
            json!({"type": "response.failed", "response": null, "error": {"message": "boom"}}),
            other("upstream_error", json!("api_error")),
        ),
        (
            json!({"object": "error", "type": "InternalServerError", "message": "boom", "code": 500}),
            other("InternalServerError", json!("500")),
        ),
    ] {
        let stream = format!("{stream}data: {event}\n\ndata: [DONE]\n\n");
        let (told, ended) = streamed(to_responses(AnthropicMessages), [stream.as_bytes()]);
        assert_eq!(ended, Ok(()), "{event}");
        let data: Value = serde_json::from_str(events(&told).last().unwrap().1).unwrap();
        assert_eq!(data["error"], json!({"type": kind, "message": "boom"}), "{event}");
        let (told, ended) = streamed(to_responses(OpenaiChat), [stream.as_bytes()]);
        assert_eq!(ended, Ok(()), "{event}");
        let data: Value = serde_json::from_str(events(&told).last().unwrap().1).unwrap();
        assert_eq!(data, json!({"error": chat}), "{event}");
    }
}

#[test]
fn a_client_of_responses_hears_of_a_failure_in_both_ways() {
    let begun = answers()[0].chat_stream(3);
    let begun = &begun[..begun.find("data: [DONE]").unwrap()];
    for (kind, code) in [
        ("rate_limit_error", "rate_limit_exceeded"),
        ("invalid_request_error", "invalid_prompt"),
        ("x", "server_error"),
    ] {
        let failure = json!({"error": {"message": "boom", "type": kind, "code": 7, "param": "p"}});
        let stream = format!("{begun}data: {failure}\n\n");
        let (told, ended) = streamed(responses_to(OpenaiChat), [stream.as_bytes()]);
        assert_eq!(ended, Ok(()));
        let told = events(&told);
        let [.., (error, first), (failed, last)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((*error, *failed), ("error", "response.failed"));
        let first: Value = serde_json::from_str(first).unwrap();
        assert_eq!(first["error"], json!({"type": kind, "code": "7", "message": "boom", "param": "p"}));
        assert_eq!(
            (&first["code"], &first["message"], &first["param"]),
            (&json!("7"), &json!("boom"), &json!("p"))
        );
        let last: Value = serde_json::from_str(last).unwrap();
        assert_eq!(last["sequence_number"], told.len() - 1);
        let mut expected = response("failed", &json!([]), &Value::Null, None);
        expected["error"] = json!({"code": code, "message": "boom"});
        assert_eq!(last["response"], expected);
    }
    // Of a response that did not begin nothing more can be told.
    let (told, _) = streamed(responses_to(OpenaiChat), [&b"data: {\"error\":\"boom\"}\n\n"[..]]);
    assert_eq!(events(&told).len(), 1);
}

#[test]
fn texts_on_both_sides_of_a_call_are_items_in_their_order() {
    let delta = |delta: Value| chunk("r1", &json!([{"index": 0, "delta": delta}]), &Value::Null);
    let call = json!({"index": 0, "id": "a", "function": {"name": "f", "arguments": "{}"}});
    let stream = delta(json!({"reasoning": "Hm."}))
        + &delta(json!({"content": "Before."}))
        + &delta(json!({"tool_calls": [call]}))
        + &delta(json!({"content": "Be"}))
        + &delta(json!({"content": "hind."}))
        + &finish("stop");
    let (told, ended) = streamed(responses_to(OpenaiChat), [stream.as_bytes()]);
    assert_eq!(ended, Ok(()));
    let output = fold_responses(&told)["output"].clone();
    let ids: Vec<_> = output.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["rs_edge_r1_0", "msg_r1_1", "fc_r1_2", "msg_r1_3"]);
    assert_eq!(output[0].get("encrypted_content"), None);
    assert_eq!(output[3]["content"][0]["text"], "Behind.");
}

#[test]
fn what_is_kept_for_the_end_is_bounded() {
    let mut translator = responses_to(OpenaiChat).stream(context());
    let mut out = Vec::new();
    let text = "x".repeat(512 * 1024);
    let piece = chunk("r1", &json!([{"index": 0, "delta": {"content": text}}]), &Value::Null);
    let refused = (0..100).find(|_| translator.push(piece.as_bytes(), &mut out).is_err());
    assert_eq!(refused, Some(15));
    // Items without any text count as well.
    let mut translator = responses_to(AnthropicMessages).stream(context());
    let mut out = Vec::new();
    let start = "data: {\"type\":\"message_start\",\"message\":{\"id\":\"r\",\"model\":\"m\"}}\n\n";
    translator.push(start.as_bytes(), &mut out).unwrap();
    let block = "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\"}}\n\n";
    let refused = (0..100_000).find(|_| translator.push(block.as_bytes(), &mut out).is_err());
    assert!(refused.is_some());
}

#[test]
fn an_error_body_has_the_shape_that_chat_has() {
    let mut out = Vec::new();
    let body = br#"{"type":"error","error":{"type":"overloaded_error","message":"Busy"}}"#;
    responses_to(AnthropicMessages).error(529, body, "req_1", &mut out);
    let error =
        json!({"message": "Busy", "type": "overloaded_error", "param": null, "code": "overloaded_error"});
    assert_eq!(serde_json::from_slice::<Value>(&out).unwrap(), json!({"error": error}));
}

#[test]
fn a_repeated_event_is_read_as_the_first_one_was() {
    // Without numbers events differ in their text alone, so that most are not parsed again.
    let sse = |event: &Value| format!("data: {event}\n\n");
    let unnumbered = |events: &[Value]| -> String { events.iter().map(sse).collect() };
    let delta = |text: &str| about("output_text.delta", 0, "delta", json!(text));
    let whole = |text: &str| about("output_text.done", 0, "text", json!(text));
    let start = || json!({"type": "response.created", "response": {"id": "r1"}});
    let stream = unnumbered(&[
        start(),
        delta("a"),
        delta("b"),
        delta("c\n"),
        whole("abc"),
        whole("x"),
        completed(json!([])),
    ]);
    let (told, ended) = streamed(to_responses(OpenaiChat), [stream.as_bytes()]);
    assert_eq!(ended, Ok(()));
    assert_eq!(fold_chat(&told)["choices"][0]["message"]["content"], "abc\n");
    let stream = unnumbered(&[start(), whole("a"), whole("b"), completed(json!([]))]);
    let (told, _) = streamed(to_responses(OpenaiChat), [stream.as_bytes()]);
    assert_eq!(fold_chat(&told)["choices"][0]["message"]["content"], "a");
}

#[test]
fn ids_are_the_same_in_the_stream_and_in_the_whole() {
    for answer in answers() {
        let (told, _) = streamed(responses_to(AnthropicMessages), [answer.anthropic_stream(3).as_bytes()]);
        let whole = answer.responses(Teller::Gateway);
        let ids = |response: &Value| -> Vec<Value> {
            response["output"].as_array().unwrap().iter().map(|item| item["id"].clone()).collect()
        };
        assert_eq!(ids(&fold_responses(&told)), ids(&whole), "{}", answer.name);
    }
}

#[test]
fn an_error_of_the_gateway_has_the_number_behind_the_last_event() {
    let stream = answers()[0].anthropic_stream(3);
    for end in 1..stream.matches("\n\n").count() {
        let cut = stream.match_indices("\n\n").nth(end - 1).unwrap().0 + 2;
        let mut translator = responses_to(AnthropicMessages).stream(context());
        let mut out = Vec::new();
        translator.push(&stream.as_bytes()[..cut], &mut out).unwrap();
        let told = String::from_utf8(out).unwrap();
        let count = events(&told).len() as u64;
        assert_eq!(translator.sequence_number(), Some(count));
    }
    assert_eq!(to_responses(AnthropicMessages).stream(context()).sequence_number(), None);
}
