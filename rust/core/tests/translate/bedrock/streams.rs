//! Streamed replies: folded as whole ones, cut anywhere, cut short, broken anywhere, failed.

use llm_edge_core::translate::Pair;
use serde_json::{Value, json};

use super::{anthropic, chat, event, exception, message, usage};
use crate::answers::{answers, events, fold_anthropic, fold_chat};
use crate::{answered, context, streamed};

type Fold = fn(&str) -> Value;

/// An answer to a surface: its name, the pair, the upstream's messages and whole reply, how the client folds.
type Case = (String, Pair, Vec<Vec<u8>>, Value, Fold);

/// Every answer to both surfaces.
fn matrix(sizes: &[usize]) -> Vec<Case> {
    let mut all: Vec<Case> = Vec::new();
    for answer in answers() {
        for &size in sizes {
            let name = format!("{} by {size}", answer.name);
            let (whole, stream) = (answer.bedrock(), answer.bedrock_events(size));
            all.push((name.clone(), chat(), stream.clone(), whole.clone(), fold_chat));
            all.push((name, anthropic(), stream, whole, fold_anthropic));
        }
    }
    all
}

#[test]
fn a_folded_stream_is_the_whole_reply() {
    for (name, pair, stream, whole, fold) in matrix(&[1, 3, 1000]) {
        let (told, ended) = streamed(pair, [stream.concat().as_slice()]);
        ended.unwrap_or_else(|malformed| panic!("{name}: {}", malformed.message));
        let (mut whole, _) = answered(pair, &whole).unwrap();
        let mut folded = fold(&told);
        for reply in [&mut folded, &mut whole] {
            if let Some(calls) =
                reply.pointer_mut("/choices/0/message/tool_calls").and_then(Value::as_array_mut)
            {
                for call in calls {
                    let text = call["function"]["arguments"].as_str().unwrap();
                    call["function"]["arguments"] = serde_json::from_str(text).unwrap();
                }
            }
        }
        assert_eq!(folded, whole, "{name}");
    }
}

#[test]
fn where_the_stream_is_cut_does_not_show() {
    for (name, pair, stream, ..) in matrix(&[3]) {
        let bytes = stream.concat();
        let (whole, _) = streamed(pair, [bytes.as_slice()]);
        assert_eq!(streamed(pair, bytes.chunks(1)), (whole.clone(), Ok(())), "{name}");
        for at in 0..bytes.len() {
            let (front, back) = bytes.split_at(at);
            assert_eq!(streamed(pair, [front, back]), (whole.clone(), Ok(())), "{name} at {at}");
        }
    }
}

#[test]
fn a_stream_that_is_cut_short_has_no_end() {
    for (name, pair, stream, ..) in matrix(&[1000]) {
        let bytes = stream.concat();
        for at in 0..bytes.len() {
            let (told, ended) = streamed(pair, [&bytes[..at]]);
            assert!(ended.is_err(), "{name} at {at}");
            assert!(!told.contains("[DONE]") && !told.contains("message_stop"), "{name} at {at}");
        }
        // Neither is one from which a message is missing that must be there.
        for missing in [0, stream.len() - 2, stream.len() - 1] {
            let mut rest = stream.clone();
            rest.remove(missing);
            let (told, ended) = streamed(pair, [rest.concat().as_slice()]);
            assert!(ended.is_err(), "{name} without {missing}");
            assert!(!told.contains("[DONE]") && !told.contains("message_stop"), "{name} without {missing}");
        }
    }
}

#[test]
fn no_bit_of_a_stream_can_be_flipped() {
    let stream = answers()[5].bedrock_events(1000).concat();
    for pair in [chat(), anthropic()] {
        for bit in 0..stream.len() * 8 {
            let mut broken = stream.clone();
            broken[bit / 8] ^= 1 << (bit % 8);
            let (told, ended) = streamed(pair, [broken.as_slice()]);
            assert!(ended.is_err(), "bit {bit}");
            assert!(!told.contains("[DONE]") && !told.contains("message_stop"), "bit {bit}");
        }
    }
}

#[test]
fn usage_may_come_before_the_reason_for_stopping() {
    let answer = &answers()[0];
    let mut stream = answer.bedrock_events(9);
    let last = stream.len() - 1;
    stream.swap(last - 1, last);
    let (told, ended) = streamed(chat(), [stream.concat().as_slice()]);
    assert_eq!(ended, Ok(()));
    assert_eq!(fold_chat(&told)["usage"]["prompt_tokens"], 100);
}

#[test]
fn what_follows_the_end_does_not_count() {
    let mut stream = answers()[0].bedrock_events(9).concat();
    let whole = streamed(anthropic(), [stream.as_slice()]);
    stream.extend(event("metadata", &json!({"usage": {"inputTokens": 1}})));
    stream.extend_from_slice(b"rubbish that is no message");
    assert_eq!(streamed(anthropic(), [stream.as_slice()]), whole);
    let mut translator = chat().stream(context());
    translator.push(&stream, &mut Vec::new()).unwrap();
    assert!(translator.has_ended());
}

#[test]
fn a_failure_inside_a_stream_is_told_and_ends_it() {
    let begun = answers()[0].bedrock_events(3);
    let begun = begun[..begun.len() - 2].concat();
    let said = json!({"message": "boom"});
    let failure = [(":message-type", "error"), (":error-code", "InternalError"), (":error-message", "boom")];
    for (failure, kind, code) in [
        (exception("throttlingException", &said), "rate_limit_error", "throttlingException"),
        (exception("validationException", &said), "invalid_request_error", "validationException"),
        (exception("serviceUnavailableException", &said), "overloaded_error", "serviceUnavailableException"),
        (exception("modelTimeoutException", &said), "timeout_error", "modelTimeoutException"),
        (
            exception("modelStreamErrorException", &json!({"message": "boom", "originalStatusCode": 500})),
            "api_error",
            "modelStreamErrorException",
        ),
        (exception("internalServerException", &said), "api_error", "internalServerException"),
        (exception("novelException", &said), "api_error", "novelException"),
        (message(&failure, b""), "api_error", "InternalError"),
    ] {
        for start in [begun.as_slice(), b""] {
            let stream =
                [start, &failure, &event("messageStop", &json!({"stopReason": "end_turn"}))].concat();
            let (told, ended) = streamed(anthropic(), [stream.as_slice()]);
            assert_eq!(ended, Ok(()), "{code}");
            let (name, data) = *events(&told).last().unwrap();
            let error =
                json!({"type": "error", "error": {"type": kind, "message": "boom"}, "request_id": null});
            assert_eq!((name, serde_json::from_str::<Value>(data).unwrap()), ("error", error), "{code}");
            let (told, ended) = streamed(chat(), [stream.as_slice()]);
            assert_eq!(ended, Ok(()));
            assert!(!told.contains("[DONE]"));
            let data: Value = serde_json::from_str(events(&told).last().unwrap().1).unwrap();
            let error = json!({"message": "boom", "type": kind, "param": null, "code": code});
            assert_eq!(data, json!({"error": error}));
        }
    }
}

fn delta(index: u64, delta: &Value) -> Vec<u8> {
    event("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta}))
}

#[test]
fn a_stream_that_breaks_its_dialect_is_malformed_from_then_on() {
    let start = event("messageStart", &json!({"role": "assistant"}));
    let stop = event("messageStop", &json!({"stopReason": "end_turn"}));
    let call = event(
        "contentBlockStart",
        &json!({"contentBlockIndex": 0, "start": {"toolUse": {"toolUseId": "a", "name": "f"}}}),
    );
    let text = delta(0, &json!({"text": "x"}));
    let reasoning = |member: &str, value: &str| delta(0, &json!({"reasoningContent": {member: value}}));
    for bad in [
        vec![stop.clone()],
        vec![text.clone()],
        vec![start.clone(), start.clone()],
        vec![start.clone(), stop.clone(), text.clone()],
        vec![start.clone(), event("messageStop", &json!({}))],
        vec![start.clone(), event("messageStop", &json!({"stopReason": "malformed_tool_use"}))],
        vec![start.clone(), event("contentBlockDelta", &json!({"delta": {"text": "x"}}))],
        vec![start.clone(), delta(0, &json!({"toolUse": {"input": "{}"}}))],
        vec![start.clone(), text.clone(), delta(0, &json!({"toolUse": {"input": "{}"}}))],
        vec![start.clone(), text.clone(), reasoning("text", "r")],
        vec![start.clone(), reasoning("text", "r"), text.clone()],
        vec![start.clone(), call.clone(), text.clone()],
        vec![start.clone(), call.clone(), reasoning("text", "r")],
        vec![start.clone(), reasoning("redactedContent", "no base64")],
        vec![start.clone(), delta(0, &json!({"text": 1}))],
        vec![start.clone(), message(&[(":message-type", "event"), (":event-type", "metadata")], b"{")],
        vec![start.clone(), message(&[(":message-type", "event"), (":event-type", "metadata")], b"\"\xff\"")],
        vec![start.clone(), message(&[(":message-type", "novel")], b"{}")],
        vec![start.clone(), message(&[], b"{}")],
        vec![start.clone(), b"data: {}\n\n\n\n".to_vec()],
    ] {
        let bad = bad.concat();
        for pair in [chat(), anthropic()] {
            let mut translator = pair.stream(context());
            let mut out = Vec::new();
            let malformed = translator.push(&bad, &mut out).expect_err(&bad.escape_ascii().to_string());
            let written = out.len();
            let rest = answers()[0].bedrock_events(3).concat();
            assert_eq!(translator.push(&rest, &mut out), Err(malformed.clone()));
            assert_eq!(translator.finish(&mut out), Err(malformed));
            assert_eq!(out.len(), written);
        }
    }
}

#[test]
fn encrypted_reasoning_is_bounded() {
    let piece = delta(0, &json!({"reasoningContent": {"redactedContent": "AAAA".repeat(64 * 1024)}}));
    let mut translator = chat().stream(context());
    translator.push(&event("messageStart", &json!({})), &mut Vec::new()).unwrap();
    let refused = (0..100).find(|_| translator.push(&piece, &mut Vec::new()).is_err());
    assert_eq!(refused, Some(5));
}

#[test]
fn what_a_stream_loses_is_named() {
    let start = |index: u64, start: Value| {
        event("contentBlockStart", &json!({"contentBlockIndex": index, "start": start}))
    };
    let stream = [
        message(&[(":message-type", "event"), (":event-type", "initial-response")], b""),
        event("messageStart", &json!({"role": "assistant"})),
        start(0, json!({"toolUse": {"toolUseId": "s", "name": "g", "type": "server_tool_use"}})),
        delta(0, &json!({"toolUse": {"input": "{}"}})),
        start(1, json!({"image": {"format": "png"}})),
        delta(1, &json!({"image": {"source": {"bytes": "aGk="}}})),
        start(2, json!({})),
        delta(2, &json!({"text": "a"})),
        delta(2, &json!({"citation": {"title": "t"}})),
        delta(2, &json!({"novel": 1})),
        event("novel", &json!({"a": 1})),
        event("messageStop", &json!({"stopReason": "end_turn", "additionalModelResponseFields": {"a": 1}})),
        event("metadata", &json!({"usage": usage(), "metrics": {}, "trace": {"guardrail": {"a": 1}}})),
    ]
    .concat();
    let mut translator = chat().stream(context());
    let mut out = Vec::new();
    translator.push(&stream, &mut out).unwrap();
    translator.finish(&mut out).unwrap();
    assert_eq!(
        translator.losses().to_string(),
        "content[].server_tool_use,content[].image,content[].citations,content[].novel,novel,\
         additionalModelResponseFields,trace"
    );
    let folded = fold_chat(&String::from_utf8(out).unwrap());
    assert_eq!(folded["choices"][0]["message"]["content"], "a");
    assert_eq!(folded["choices"][0]["message"].get("tool_calls"), None);
}
