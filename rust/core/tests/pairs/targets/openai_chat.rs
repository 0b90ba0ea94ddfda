//! `OpenAI` chat.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{Extra, Target, before, beside, short, unsaid};
use crate::answers::{Answer, chunk};
use crate::told::{Stop, Told};

pub(super) const TARGET: Target = Target {
    dialect: Dialect::OpenaiChat,
    model: ("m", ""),
    by_itself: &[
        ("cache marker", "caches without markers"),
        ("reasoning: as the model sees fit", "what it does by itself"),
        ("reasoning: whether it is told", "what it does by itself"),
    ],
    has_ids: true,
    says: |answer| Some(Told::by(answer)),
    reply: Answer::chat,
    stream: |answer, size| answer.chat_stream(size).into_bytes(),
    extras,
};

/// A stream with one more chunk before the one that tells why the model stopped.
fn with_chunk(choice: &Value) -> Vec<u8> {
    let stream = short().chat_stream(1000);
    let chunk = chunk("r1", &json!([choice]), &Value::Null);
    let last = stream.rmatch_indices("data: ").nth(2).unwrap().0;
    [&stream[..last], &chunk, &stream[last..]].concat().into_bytes()
}

fn extras() -> Vec<Extra> {
    let of_choice = |name, member: &str, value: Value| {
        let mut reply = short().chat();
        reply["choices"][0][member] = value.clone();
        let mut choice = json!({"index": 0, "delta": {}});
        choice[member] = value;
        unsaid(name, &TARGET, reply, with_chunk(&choice))
    };
    let of_message = |name, member: &str, value: Value| {
        let mut reply = short().chat();
        reply["choices"][0]["message"][member] = value.clone();
        let mut choice = json!({"index": 0, "delta": {}});
        choice["delta"][member] = value;
        unsaid(name, &TARGET, reply, with_chunk(&choice))
    };
    let mut second = short().chat();
    let choice = json!({"index": 1, "message": {"content": "Other"}, "finish_reason": "stop"});
    second["choices"].as_array_mut().unwrap().push(choice);
    let other = chunk(
        "r1",
        &json!([{"index": 1, "delta": {"content": "Other"}, "finish_reason": "stop"}]),
        &Value::Null,
    );
    let choices = before(&short().chat_stream(1000), "data: [DONE]", &other);
    let unsigned = of_message("reasoning without a signature", "reasoning_content", json!("Hm."));
    vec![
        Extra {
            says: Told { thinking: vec![("Hm.".to_owned(), String::new())], ..Told::by(&short()) },
            ..unsigned
        },
        refused(),
        beside(
            of_choice(
                "log probabilities",
                "logprobs",
                json!({"content": [{"token": "It", "logprob": -0.5}]}),
            ),
            "token It",
        ),
        beside(
            of_message(
                "citations of web pages",
                "annotations",
                json!([{"type": "url_citation", "url_citation": {"url": "https://example.com", "title": "t",
                    "start_index": 0, "end_index": 2}}]),
            ),
            "page https://example.com",
        ),
        of_message("audio", "audio", json!({"id": "a", "data": "aGk="})),
        beside(unsaid("further choices", &TARGET, second, choices), "choice Other"),
    ]
}

/// A refusal that is no content.
fn refused() -> Extra {
    let mut reply = short().chat();
    let choice = &mut reply["choices"][0];
    choice["message"]["refusal"] = choice["message"]["content"].take();
    choice["finish_reason"] = "stop".into();
    let stream = short().chat_stream(1000);
    let stream = stream.replace("\"content\":\"It was\"", "\"refusal\":\"It was\"");
    let stream = stream.replace("\"length\"", "\"stop\"").into_bytes();
    let says = Told { stop: Stop::Refusal, ..Told::by(&short()) };
    Extra { name: "refusal in a member of its own", says, reply, stream }
}
