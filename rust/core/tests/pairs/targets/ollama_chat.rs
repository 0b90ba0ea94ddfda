//! Ollama's own chat.

use llm_edge_core::dialect::Dialect;
use serde_json::json;

use super::{Extra, Target, short, unsaid};
use crate::answers::Answer;
use crate::ollama::is_ollamas;
use crate::told::Told;

pub(super) const TARGET: Target = Target {
    dialect: Dialect::OllamaChat,
    model: ("m", ""),
    by_itself: &[
        ("cache marker", "caches without markers"),
        ("reasoning: as the model sees fit", "what it does by itself"),
        ("reasoning: whether it is told", "what it does by itself"),
        ("service tier: ", "has one tier"),
        ("tool choice: auto", "what it does by itself"),
    ],
    has_ids: true,
    says: |answer| {
        let told = is_ollamas(answer).then(|| Told::by(answer))?;
        let thinking = told.thinking.into_iter().map(|(text, _)| (text, String::new())).collect();
        Some(Told { thinking, cache_read: 0, cache_write: 0, reasoning: 0, ..told })
    },
    reply: Answer::ollama,
    stream: |answer, size| answer.ollama_stream(size).into_bytes(),
    extras,
};

fn extras() -> Vec<Extra> {
    let likely = json!([{"token": "It", "logprob": -0.5}]);
    let mut reply = short().ollama();
    reply["logprobs"] = likely.clone();
    let stream = short().ollama_stream(1000);
    let (first, rest) = stream.split_once('\n').unwrap();
    let mut line: serde_json::Value = serde_json::from_str(first).unwrap();
    line["logprobs"] = likely;
    vec![unsaid("log probabilities", &TARGET, reply, format!("{line}\n{rest}").into_bytes())]
}
