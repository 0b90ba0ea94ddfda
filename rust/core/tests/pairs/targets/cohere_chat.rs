//! Cohere's chat.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{Extra, Target, before, short, unsaid};
use crate::answers::Answer;
use crate::told::Told;

pub(super) const TARGET: Target = Target {
    dialect: Dialect::CohereChat,
    model: ("m", ""),
    by_itself: &[
        ("cache marker", "caches without markers"),
        ("reasoning: whether it is told", "what it does by itself"),
        ("service tier: ", "has one tier"),
        ("tool choice: auto", "what it does by itself"),
    ],
    has_ids: true,
    says: |answer| {
        let told = Told::by(&answer.of_cohere()?);
        Some(Told { cache_write: 0, reasoning: 0, ..told })
    },
    reply: Answer::cohere,
    stream: |answer, size| answer.cohere_stream(size).into_bytes(),
    extras,
};

fn extras() -> Vec<Extra> {
    let event = |event: Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let stream = short().cohere_stream(1000);
    let citation = json!({"start": 0, "end": 2, "text": "It", "sources": [], "type": "TEXT_CONTENT"});
    let mut cited = short().cohere();
    cited["message"]["citations"] = json!([citation]);
    let began = json!({"type": "citation-start", "index": 0, "delta": {"message": {"citations": citation}}});
    let ended = json!({"type": "citation-end", "index": 0});
    let mut likely = short().cohere();
    let token = json!({"text": "It was", "token_ids": [1], "logprobs": [-0.5]});
    likely["logprobs"] = json!([token]);
    let delta = json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": ""}}},
        "logprobs": token});
    let beside = |event: &str| before(&stream, "event: content-end", event);
    vec![
        unsaid("citations", &TARGET, cited, beside(&(event(began) + &event(ended)))),
        unsaid("log probabilities", &TARGET, likely, beside(&event(delta))),
    ]
}
