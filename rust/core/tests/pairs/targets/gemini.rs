//! Google's `generateContent`.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{Extra, Target, before, beside, short, unsaid};
use crate::answers::Answer;
use crate::gemini::{gemini, gemini_stream, is_googles, sse};
use crate::told::Told;

/// What models from the third generation on have and older ones have not is told from the name.
pub(super) const NEW: Target = Target {
    dialect: Dialect::Gemini,
    model: ("gemini-3-flash-preview", "Gemini 3"),
    by_itself: &[
        ("cache marker", "caches without markers"),
        ("service tier: ", "what it does by itself"),
        ("a stream", "the path says it"),
    ],
    has_ids: false,
    says,
    reply: gemini,
    stream: |answer, size| gemini_stream(answer, size).into_bytes(),
    extras,
};

pub(super) const OLD: Target = Target { model: ("gemini-2.5-flash", "Gemini 2.5"), ..NEW };

/// Nothing is encrypted, signatures are Google's, and what was written to a cache is not counted.
fn says(answer: &Answer) -> Option<Told> {
    let mut told = is_googles(answer).then(|| Told::by(answer))?;
    told.thinking.iter_mut().for_each(|(_, signature)| signature.insert_str(0, "google:"));
    told.cache_write = 0;
    Some(told)
}

/// The short text with one more chunk before the last.
fn with_chunk(candidate: &Value) -> Vec<u8> {
    let stream = gemini_stream(&short(), 1000);
    let last = &stream[stream.rfind("data: ").unwrap()..];
    before(&stream, last, &sse(&json!({"candidates": [candidate]})))
}

fn extras() -> Vec<Extra> {
    let of_candidate = |name, member: &str, value: Value| {
        let mut reply = gemini(&short());
        reply["candidates"][0][member] = value.clone();
        let mut candidate = json!({"index": 0});
        candidate[member] = value;
        unsaid(name, &NEW, reply, with_chunk(&candidate))
    };
    let with_part = |name, part: Value| {
        let mut reply = gemini(&short());
        reply["candidates"][0]["content"]["parts"].as_array_mut().unwrap().push(part.clone());
        unsaid(
            name,
            &NEW,
            reply,
            with_chunk(&json!({"index": 0, "content": {"role": "model", "parts": [part]}})),
        )
    };
    let mut second = gemini(&short());
    let other = json!({"index": 1, "content": {"role": "model", "parts": [{"text": "Other"}]}, "finishReason": "STOP"});
    second["candidates"].as_array_mut().unwrap().push(other.clone());
    let unsigned = with_part("reasoning without a signature", json!({"text": "Hm.", "thought": true}));
    vec![
        Extra {
            says: Told { thinking: vec![("Hm.".to_owned(), String::new())], ..(NEW.says)(&short()).unwrap() },
            ..unsigned
        },
        beside(
            of_candidate(
                "log probabilities",
                "logprobsResult",
                json!({"chosenCandidates": [{"token": "It", "logProbability": -0.5}]}),
            ),
            "token It",
        ),
        beside(
            of_candidate(
                "citations of web pages",
                "groundingMetadata",
                json!({"groundingChunks": [{"web": {"uri": "https://example.com", "title": "t"}}]}),
            ),
            "page https://example.com",
        ),
        of_candidate("what a search found", "groundingMetadata", json!({"webSearchQueries": ["x"]})),
        with_part(
            "call of a tool that the provider runs",
            json!({"executableCode": {"language": "PYTHON", "code": "1"}}),
        ),
        with_part("image", json!({"inlineData": {"mimeType": "image/png", "data": "aGk="}})),
        beside(unsaid("further choices", &NEW, second, with_chunk(&other)), "choice Other"),
    ]
}
