//! `OpenAI` responses.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{Extra, Target, before, beside, short, unsaid};
use crate::answers::Teller;
use crate::told::{Stop, Told};

pub(super) const TARGET: Target = Target {
    dialect: Dialect::OpenaiResponses,
    model: ("m", ""),
    by_itself: &[
        ("cache marker", "caches without markers"),
        ("reasoning: as the model sees fit", "what it does by itself"),
    ],
    has_ids: true,
    says: |answer| Some(Told::by(&answer.of_responses())),
    reply: |answer| answer.responses(Teller::Maker),
    stream: |answer, size| answer.responses_stream(size).into_bytes(),
    extras,
};

fn event(event: &Value) -> String {
    format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
}

/// The stream of a reply that begins as the short one, with these events behind what that one tells.
fn ended(reply: &Value, events: &[Value]) -> Vec<u8> {
    let stream = short().responses_stream(1000);
    let last = stream.rfind("event: ").unwrap();
    let kind = format!("response.{}", reply["status"].as_str().unwrap());
    let end = event(&json!({"type": kind, "response": reply}));
    let more: String = events.iter().map(event).collect();
    [&stream[..last], &more, &end].concat().into_bytes()
}

/// A reply with one more item behind the text.
fn with_item(name: &'static str, item: &Value) -> Extra {
    let mut reply = short().responses(Teller::Maker);
    reply["output"].as_array_mut().unwrap().push(item.clone());
    let begun = json!({"type": "response.output_item.added", "output_index": 1, "item": item});
    let done = json!({"type": "response.output_item.done", "output_index": 1, "item": item});
    let stream = ended(&reply, &[begun, done]);
    unsaid(name, &TARGET, reply, stream)
}

/// A reply with something else in place of an empty list, wherever it is told.
fn instead(name: &'static str, empty: &str, full: &str, told: &str) -> Extra {
    let reply = short().responses(Teller::Maker).to_string().replace(empty, full);
    let stream = short().responses_stream(1000).replace(empty, full);
    let stream = before(&stream, "event: response.output_text.done", told);
    unsaid(name, &TARGET, serde_json::from_str(&reply).unwrap(), stream)
}

fn extras() -> Vec<Extra> {
    let cited = |name, annotation: &Value| {
        let told = json!({"type": "response.output_text.annotation.added", "item_id": "msg_r1_0",
            "output_index": 0, "content_index": 0, "annotation_index": 0, "annotation": annotation});
        instead(name, "\"annotations\":[]", &format!("\"annotations\":[{annotation}]"), &event(&told))
    };
    let page = json!({"type": "url_citation", "url": "https://example.com", "title": "t", "start_index": 0,
        "end_index": 2});
    let reasoning = |name, signature: &str, item: &Value| {
        let thinking = vec![("Hm.".to_owned(), signature.to_owned())];
        Extra { says: Told { thinking, ..Told::by(&short()) }, ..with_item(name, item) }
    };
    let summary = json!([{"type": "summary_text", "text": "Hm."}]);
    vec![
        reasoning(
            "reasoning without a signature",
            "",
            &json!({"id": "rs_1", "type": "reasoning", "summary": summary}),
        ),
        reasoning(
            "reasoning beside its summary",
            "openai:rs_1:c2ln",
            &json!({"id": "rs_1", "type": "reasoning", "summary": summary, "encrypted_content": "c2ln",
                "content": [{"type": "reasoning_text", "text": "All of it."}]}),
        ),
        refused(),
        likely(),
        beside(cited("citations of web pages", &page), "page https://example.com"),
        cited(
            "citations of files",
            &json!({"type": "file_citation", "file_id": "f", "filename": "a.pdf", "index": 2}),
        ),
        instead(
            "phase of a message",
            "\"role\":\"assistant\"",
            "\"phase\":\"commentary\",\"role\":\"assistant\"",
            "",
        ),
        with_item(
            "call of a tool that the provider runs",
            &json!({"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}),
        ),
        with_item(
            "call of a tool of another kind",
            &json!({"id": "ctc_1", "type": "custom_tool_call", "call_id": "c1", "name": "f", "input": "x"}),
        ),
    ]
}

/// The text in one piece, whose delta tells how likely it was.
fn likely() -> Extra {
    let tokens = json!([{"token": "It was", "logprob": -0.5}]);
    let mut reply = short().responses(Teller::Maker);
    reply["output"][0]["content"][0]["logprobs"] = tokens.clone();
    let stream = short().responses_stream(1000).replace("\"logprobs\":[]", &format!("\"logprobs\":{tokens}"));
    let delta = "\"delta\":\"It was\"";
    let stream = stream.replace(delta, &format!("{delta},\"logprobs\":{tokens}")).into_bytes();
    beside(unsaid("log probabilities", &TARGET, reply, stream), "token It was")
}

/// A refusal as a part of its own kind, behind a text.
fn refused() -> Extra {
    let part = json!({"type": "refusal", "refusal": " No."});
    let mut reply = short().responses(Teller::Maker);
    reply["status"] = "completed".into();
    reply["incomplete_details"] = Value::Null;
    let item = json!({"id": "msg_1", "type": "message", "status": "completed", "role": "assistant", "content": [part]});
    reply["output"].as_array_mut().unwrap().push(item.clone());
    let mut begun = item.clone();
    begun["content"] = json!([]);
    let place = |kind: &str, member: &str, value: Value| {
        let mut event = json!({"type": kind, "item_id": "msg_1", "output_index": 1, "content_index": 0});
        event[member] = value;
        event
    };
    let stream = ended(
        &reply,
        &[
            json!({"type": "response.output_item.added", "output_index": 1, "item": begun}),
            place("response.content_part.added", "part", json!({"type": "refusal", "refusal": ""})),
            place("response.refusal.delta", "delta", json!(" No.")),
            place("response.refusal.done", "refusal", json!(" No.")),
            place("response.content_part.done", "part", part),
            json!({"type": "response.output_item.done", "output_index": 1, "item": item}),
        ],
    );
    let says = Told { text: "It was No.".to_owned(), stop: Stop::Refusal, ..Told::by(&short()) };
    Extra { name: "refusal in a member of its own", says, reply, stream }
}
