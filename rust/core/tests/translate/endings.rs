//! Why an answer ends: stop sequences and refusals, whole and streamed.

use llm_edge_core::dialect::ChatFields;
use llm_edge_core::dialect::Dialect::{
    self, AnthropicMessages, BedrockConverse, CohereChat, Gemini, OllamaChat, OpenaiChat, OpenaiResponses,
};
use llm_edge_core::translate::{Options, Pair, between};
use serde_json::{Value, json};

use crate::answers::{Answer, Said, chunk, fold_anthropic, fold_chat, fold_responses, numbered, response};
use crate::{OPTIONS, answered, context, streamed};

fn pair(surface: Dialect, target: Dialect) -> Pair {
    between(surface, target).unwrap()
}

/// What a client makes of a stream, and what is lost of it.
fn heard(pair: Pair, stream: &[u8], fold: fn(&str) -> Value) -> (Value, String) {
    let (told, ended) = streamed(pair, [stream]);
    assert_eq!(ended, Ok(()));
    let mut translator = pair.stream(context());
    translator.push(stream, &mut Vec::new()).unwrap();
    translator.finish(&mut Vec::new()).unwrap();
    (fold(&told), translator.losses().to_string())
}

/// An answer that ends at a stop sequence, in Anthropic's words.
fn stopped() -> Answer {
    Answer { name: "stopped", said: vec![Said::Text("One, two, ")], stop: ("stop_sequence", "stop") }
}

#[test]
fn that_a_stop_sequence_came_is_told_to_who_has_a_word_for_it() {
    let answer = stopped();
    let stream = answer.bedrock_events(3).concat();
    for (surface, at, word) in [
        (AnthropicMessages, "/stop_reason", "stop_sequence"),
        (OpenaiChat, "/choices/0/finish_reason", "stop"),
        (OpenaiResponses, "/status", "completed"),
        (Gemini, "/candidates/0/finishReason", "STOP"),
    ] {
        let (reply, losses) = answered(pair(surface, BedrockConverse), &answer.bedrock()).unwrap();
        assert_eq!((reply.pointer(at), losses.as_str()), (Some(&json!(word)), ""), "{surface:?}");
    }
    let of_bedrock = pair(AnthropicMessages, BedrockConverse);
    assert_eq!(heard(of_bedrock, &stream, fold_anthropic).0["stop_reason"], "stop_sequence");

    let of_cohere = pair(AnthropicMessages, CohereChat);
    let mut reply = answer.cohere();
    reply["finish_reason"] = "STOP_SEQUENCE".into();
    let (told, _) = answered(of_cohere, &reply).unwrap();
    assert_eq!((&told["stop_reason"], &told["stop_sequence"]), (&json!("stop_sequence"), &Value::Null));
    let stream = answer.cohere_stream(3).replace("\"COMPLETE\"", "\"STOP_SEQUENCE\"");
    let (told, _) = heard(of_cohere, stream.as_bytes(), fold_anthropic);
    assert_eq!((&told["stop_reason"], &told["stop_sequence"]), (&json!("stop_sequence"), &Value::Null));
}

#[test]
fn which_stop_sequence_it_was_is_told_where_a_server_says_so() {
    let answer = stopped();
    let whole = |reason: Value| {
        let mut reply = answer.chat();
        reply["choices"][0]["stop_reason"] = reason;
        reply
    };
    let stream = |reason: &Value| {
        let last = json!([{"index": 0, "delta": {}, "finish_reason": "stop", "stop_reason": reason}]);
        chunk("r1", &json!([{"index": 0, "delta": {"content": "One, two, "}}]), &Value::Null)
            + &chunk("r1", &last, &Value::Null)
            + "data: [DONE]\n\n"
    };
    let of_chat = pair(AnthropicMessages, OpenaiChat);
    for (reason, stop, sequence, lost) in [
        (json!("\"three\""), "stop_sequence", json!("\"three\""), ""),
        (Value::Null, "end_turn", Value::Null, ""),
        // The number of a token.
        (json!(2), "end_turn", Value::Null, "choices[].stop_reason"),
    ] {
        for (told, losses) in [
            answered(of_chat, &whole(reason.clone())).unwrap(),
            heard(of_chat, stream(&reason).as_bytes(), fold_anthropic),
        ] {
            assert_eq!((&told["stop_reason"], &told["stop_sequence"]), (&json!(stop), &sequence));
            assert_eq!(losses, lost);
        }
    }
    let of_chat = pair(Gemini, OpenaiChat);
    let (told, losses) = answered(of_chat, &whole(json!("three"))).unwrap();
    assert_eq!(told["candidates"][0]["finishReason"], "STOP");
    assert_eq!(losses, "choices[].stop_reason");
    let of_claude = pair(OpenaiChat, AnthropicMessages);
    let (told, _) = heard(of_claude, answer.anthropic_stream(3).as_bytes(), fold_chat);
    assert_eq!(told["choices"][0]["finish_reason"], "stop");
}

/// A refusal as `OpenAI`'s two APIs tell it: whole and streamed, and the latter's text in two pieces.
fn refused_chat() -> (Value, String) {
    let whole = json!({"id": "r1", "object": "chat.completion", "created": 1_700_000_000, "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "logprobs": null,
            "message": {"role": "assistant", "content": null, "refusal": "I can\"t, no."}}]});
    let delta = |delta: Value| chunk("r1", &json!([{"index": 0, "delta": delta}]), &Value::Null);
    let last = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    let stream = delta(json!({"role": "assistant", "content": "", "refusal": null}))
        + &delta(json!({"refusal": "I can\"t"}))
        + &delta(json!({"refusal": ", no."}))
        + &chunk("r1", &last, &Value::Null)
        + "data: [DONE]\n\n";
    (whole, stream)
}

fn refused_response() -> (Value, String) {
    let part = json!({"type": "refusal", "refusal": "I can\"t, no."});
    let item = json!({"id": "msg_r1_0", "type": "message", "status": "completed", "role": "assistant",
        "content": [part]});
    let whole = response("completed", &json!([item]), &Value::Null, None);
    let mut begun = item.clone();
    begun["content"] = json!([]);
    let about = |kind: &str, member: &str, value: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "item_id": "msg_r1_0", "output_index": 0,
            "content_index": 0});
        event[member] = value;
        event
    };
    let start = response("in_progress", &json!([]), &Value::Null, None);
    let stream = numbered(&[
        json!({"type": "response.created", "response": start}),
        json!({"type": "response.output_item.added", "output_index": 0, "item": begun}),
        about("content_part.added", "part", json!({"type": "refusal", "refusal": ""})),
        about("refusal.delta", "delta", json!("I can\"t")),
        about("refusal.delta", "delta", json!(", no.")),
        about("refusal.done", "refusal", json!("I can\"t, no.")),
        about("content_part.done", "part", part),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": whole}),
    ]);
    (whole, stream)
}

#[test]
fn a_refusal_is_one_to_every_client() {
    type Fold = fn(&str) -> Value;
    type Check = fn(&Value, &str);
    let chat: Check = |told, name| {
        let choice = &told["choices"][0];
        let message = &choice["message"];
        assert_eq!(
            (&message["content"], &message["refusal"]),
            (&Value::Null, &json!("I can\"t, no.")),
            "{name}"
        );
        // The answer is complete; `content_filter` says that one was cut.
        assert_eq!(choice["finish_reason"], "stop", "{name}");
    };
    let responses: Check = |told, name| {
        assert_eq!(told["output"], refused_response().0["output"], "{name}");
        assert_eq!(
            (&told["status"], &told["incomplete_details"]),
            (&json!("completed"), &Value::Null),
            "{name}"
        );
    };
    let anthropic: Check = |told, name| {
        let text = json!([{"type": "text", "text": "I can\"t, no.", "citations": null}]);
        assert_eq!((&told["content"], &told["stop_reason"]), (&text, &json!("refusal")), "{name}");
    };
    let google: Check = |told, name| {
        let candidate = &told["candidates"][0];
        assert_eq!(candidate["content"]["parts"][0]["text"], "I can\"t, no.", "{name}");
        assert_eq!(candidate["finishReason"], "SAFETY", "{name}");
    };
    let surfaces: [(Dialect, Fold, Check); 4] = [
        (OpenaiChat, fold_chat, chat),
        (OpenaiResponses, fold_responses, responses),
        (AnthropicMessages, fold_anthropic, anthropic),
        (Gemini, crate::gemini::answers::fold, google),
    ];
    for (target, (whole, stream)) in [(OpenaiChat, refused_chat()), (OpenaiResponses, refused_response())] {
        for (surface, fold, check) in surfaces.into_iter().filter(|(surface, ..)| *surface != target) {
            let pair = pair(surface, target);
            for (how, (told, losses)) in [
                ("whole", answered(pair, &whole).unwrap()),
                ("streamed", heard(pair, stream.as_bytes(), fold)),
            ] {
                let name = format!("{target:?} to {surface:?}, {how}");
                check(&told, &name);
                assert_eq!(losses, "", "{name}");
            }
        }
    }
}

#[test]
fn a_filter_is_no_refusal() {
    let answer =
        Answer { name: "cut", said: vec![Said::Text("It was")], stop: ("refusal", "content_filter") };
    let (told, _) = answered(pair(OpenaiChat, AnthropicMessages), &answer.anthropic()).unwrap();
    let choice = &told["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["refusal"]),
        (&json!("content_filter"), &Value::Null)
    );
    let (told, _) = answered(pair(OpenaiResponses, AnthropicMessages), &answer.anthropic()).unwrap();
    assert_eq!(told["incomplete_details"]["reason"], "content_filter");
}

#[test]
fn a_refusal_of_an_earlier_turn_goes_back_as_one() {
    let user = |text: &str| json!({"role": "user", "content": text});
    let said = json!({"role": "assistant", "content": null, "refusal": "No.\n"});
    let asked = json!({"messages": [user("a"), said, user("b")]});
    let (sent, losses) = crate::sent(pair(OpenaiChat, OpenaiResponses), &asked);
    let part = json!([{"type": "refusal", "refusal": "No.\n"}]);
    let message = |number: usize| {
        json!({"type": "message", "id": format!("msg_refusal_{number}"), "role": "assistant",
            "status": "completed", "content": part})
    };
    assert_eq!(sent["input"][1], message(0));
    assert_eq!(losses, "");
    let twice = json!({"messages": [user("a"), said, user("b"), said, user("c")]});
    assert_eq!(crate::sent(pair(OpenaiChat, OpenaiResponses), &twice).0["input"][3], message(1));
    let part_of_content = json!({"messages": [user("a"), {"role": "assistant", "content": part}, user("b")]});
    assert_eq!(crate::sent(pair(OpenaiChat, OpenaiResponses), &part_of_content).0, sent);

    let text = json!({"type": "output_text", "text": "Well:", "annotations": []});
    let items = json!([{"type": "message", "role": "user", "content": "a"},
        {"type": "message", "role": "assistant", "content": [text, part[0]]}, {"role": "user", "content": "b"}]);
    let asked_as_items = json!({"input": items});
    let (sent, losses) = crate::sent(pair(OpenaiResponses, OpenaiChat), &asked_as_items);
    assert_eq!(sent["messages"][1], json!({"role": "assistant", "content": "Well:", "refusal": "No.\n"}));
    assert_eq!(losses, "");

    for target in [AnthropicMessages, Gemini, BedrockConverse, CohereChat, OllamaChat] {
        let (sent, losses) = crate::sent(pair(OpenaiChat, target), &asked);
        assert!(sent.to_string().contains("No."), "{sent}");
        assert_eq!(losses, "messages[].refusal", "{target:?}");
        let (sent, losses) = crate::sent(pair(OpenaiResponses, target), &asked_as_items);
        assert!(sent.to_string().contains("No."), "{sent}");
        assert_eq!(losses, "input[].content[].refusal", "{target:?}");
    }
    // What is OpenAI's own, servers that are only like it may not take.
    let common = Options { chat_fields: ChatFields::Common, ..OPTIONS };
    let (sent, translated) =
        crate::request(pair(OpenaiResponses, OpenaiChat), &asked_as_items, &common).unwrap();
    assert!(sent.contains("No.") && !sent.contains("refusal"), "{sent}");
    assert_eq!(translated.losses.to_string(), "input[].content[].refusal");
}
