//! Embeddings: what can be asked for in each API that clients speak, and what becomes of it at each target.
//!
//! Of answers there is nothing to list: vectors and their count of tokens come whole or not at all, which
//! `tests/embeddings` shows.

use llm_edge_core::dialect::Dialect;
use llm_edge_core::embedding::{Pair, between};
use llm_edge_core::translate::Untranslatable;
use serde_json::{Value, json};

use crate::Fate;
use crate::asked::{Sent, fate_by};
use crate::surfaces::{Feature, feature, with};

/// An API of embeddings that clients speak.
pub(crate) struct Surface {
    pub(crate) dialect: Dialect,
    pub(crate) title: &'static str,
    pub(crate) features: fn() -> Vec<Feature>,
}

pub(crate) const SURFACES: &[Surface] = &[
    Surface { dialect: Dialect::OpenaiEmbeddings, title: "OpenAI's embeddings", features: openai },
    Surface { dialect: Dialect::GeminiEmbedContent, title: "Google's `embedContent`", features: one },
    Surface {
        dialect: Dialect::GeminiBatchEmbedContents,
        title: "Google's `batchEmbedContents`",
        features: several,
    },
];

/// Those that upstreams speak, with what each does by itself: features that begin so, and why nothing is said of them.
pub(crate) const TARGETS: &[(Dialect, &[(&str, &str)])] = &[
    (Dialect::OpenaiEmbeddings, &[("long inputs: refused", "what it does by itself")]),
    (Dialect::GeminiBatchEmbedContents, &[]),
    (Dialect::GeminiEmbedContent, &[]),
    (Dialect::CohereEmbed, &[("kind of vector: document", "what is sent where none is asked for")]),
    (Dialect::OllamaEmbed, &[]),
];

const TEXT: &str = "mark_text \"漢字\" \\ 😀\n\u{1}é";
const HERE: (&str, &str) = ("vectors as base64", "they are packed here");

fn openai() -> Vec<Feature> {
    let plain = || json!({"model": "asked", "input": "plain"});
    let more = |member: &str, value: Value| with(plain(), member, value);
    vec![
        feature("text", plain(), more("input", json!(TEXT))),
        feature("several texts", plain(), more("input", json!(["plain", "mark_second"]))),
        feature("ids of tokens", plain(), more("input", json!([4711, 4712]))),
        feature("dimensions", plain(), more("dimensions", json!(256))),
        feature("kind of vector: query", plain(), more("input_type", json!("search_query"))),
        feature("kind of vector: document", plain(), more("input_type", json!("search_document"))),
        feature("kind of vector: clustering", plain(), more("input_type", json!("clustering"))),
        feature(HERE.0, plain(), more("encoding_format", json!("base64"))),
        feature("end user", plain(), more("user", json!("mark_user"))),
        feature("a member that nobody knows", plain(), more("unknown_member", json!("mark_value"))),
    ]
}

fn one() -> Vec<Feature> {
    features(&|request| request)
}

fn several() -> Vec<Feature> {
    let plain = || json!({"model": "models/asked", "content": {"parts": [{"text": "plain"}]}});
    let mut second = plain();
    second["content"]["parts"][0]["text"] = json!("mark_second");
    let batch = |requests: Vec<Value>| json!({"requests": requests});
    let mut all = features(&|request| json!({"requests": [request]}));
    all.insert(1, feature("several texts", batch(vec![plain()]), batch(vec![plain(), second])));
    all
}

/// What one request of Google's can hold; `whole` makes the body of it.
fn features(whole: &dyn Fn(Value) -> Value) -> Vec<Feature> {
    let content = |parts: Value| json!({"model": "models/asked", "content": {"parts": parts}});
    let plain = || content(json!([{"text": "plain"}]));
    let more = |name: &'static str, member: &str, value: Value| {
        feature(name, whole(plain()), whole(with(plain(), member, value)))
    };
    let parts = |name: &'static str, parts: Value| feature(name, whole(plain()), whole(content(parts)));
    let config = |member: &str, value: Value| json!({member: value});
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "aW1hZ2U="}});
    vec![
        parts("text", json!([{"text": TEXT}])),
        parts("several parts", json!([{"text": "mark_first"}, {"text": "mark_second"}])),
        parts("image", json!([image])),
        parts(
            "file",
            json!([{"fileData": {"mimeType": "image/png", "fileUri": "https://example.com/mark"}}]),
        ),
        more("dimensions", "outputDimensionality", json!(256)),
        more("kind of vector: query", "taskType", json!("RETRIEVAL_QUERY")),
        more("kind of vector: document", "taskType", json!("RETRIEVAL_DOCUMENT")),
        more("kind of vector: clustering", "taskType", json!("CLUSTERING")),
        more("kind of vector: similarity", "taskType", json!("SEMANTIC_SIMILARITY")),
        more("title", "title", json!("mark_title")),
        more("long inputs: cut", "embedContentConfig", config("autoTruncate", json!(true))),
        more("long inputs: refused", "embedContentConfig", config("autoTruncate", json!(false))),
        more("text out of pictures of documents", "embedContentConfig", config("documentOcr", json!(true))),
        more("a member that nobody knows", "unknown_member", json!("mark_value")),
    ]
}

/// What becomes of `feature`; an error where something of it is lost in silence.
pub(crate) fn fate(
    surface: &Surface,
    (target, by_itself): &(Dialect, &[(&str, &'static str)]),
    feature: &Feature,
) -> Result<Fate, String> {
    let pair = between(surface.dialect, *target).unwrap();
    let here: &[(&str, &'static str)] = &[HERE];
    let reason = here.iter().chain(*by_itself).find(|(begin, _)| feature.name.starts_with(begin));
    fate_by(|request| sent(pair, request), feature, reason.map(|(_, reason)| *reason), true)
}

fn sent(pair: Pair, request: &Value) -> Result<Sent, Untranslatable> {
    let mut body = Vec::new();
    let translated = pair.request(request.to_string().as_bytes(), "m", &mut body)?;
    let body = String::from_utf8(body).unwrap();
    Ok(Sent { body, losses: translated.losses.names().map(str::to_owned).collect() })
}

/// Hands out every document that is made, by its kind: bodies for upstreams, replies and errors for clients.
pub(crate) fn documents(mut line: impl FnMut(&str, Dialect, Dialect, &str, &str)) {
    for surface in SURFACES {
        for (target, _) in TARGETS {
            let Some(pair) = between(surface.dialect, *target) else { continue };
            let mut put = |kind: &str, name: &str, document: Vec<u8>| {
                line(kind, surface.dialect, *target, name, &String::from_utf8(document).unwrap());
            };
            for feature in (surface.features)() {
                for request in [&feature.without, &feature.with] {
                    let mut body = Vec::new();
                    let Ok(translated) = pair.request(request.to_string().as_bytes(), "m", &mut body) else {
                        continue;
                    };
                    let inputs = inputs(&body);
                    put("requests", feature.name, body);
                    // Of vectors in base64 no vendor's document says what they look like.
                    if feature.name != HERE.0 {
                        let mut told = Vec::new();
                        pair.reply(&translated.context, reply(*target, inputs).as_bytes(), &mut told)
                            .unwrap();
                        put("replies", feature.name, told);
                    }
                }
            }
            for status in [400, 401, 404, 429, 500, 503] {
                let mut out = Vec::new();
                pair.error(status, br#"{"error":{"message":"mark_message"}}"#, "req_1", &mut out);
                put("errors", &status.to_string(), out);
            }
        }
    }
}

/// How many inputs a request has.
fn inputs(body: &[u8]) -> usize {
    let body: Value = serde_json::from_slice(body).unwrap();
    let list = ["requests", "texts", "inputs", "input"].into_iter().find_map(|name| body[name].as_array());
    list.map_or(1, Vec::len)
}

fn reply(target: Dialect, inputs: usize) -> String {
    let vectors = vec![json!([0.5, -1.25]); inputs];
    let reply = match target {
        Dialect::OpenaiEmbeddings => {
            let item = |(index, vector)| json!({"object": "embedding", "index": index, "embedding": vector});
            let data: Vec<Value> = vectors.iter().enumerate().map(item).collect();
            json!({"object": "list", "data": data, "model": "m-1", "usage": {"prompt_tokens": 3, "total_tokens": 3}})
        }
        Dialect::GeminiEmbedContent => {
            json!({"embedding": {"values": vectors[0]}, "usageMetadata": {"promptTokenCount": 3}})
        }
        Dialect::GeminiBatchEmbedContents => {
            let each: Vec<Value> = vectors.iter().map(|vector| json!({"values": vector})).collect();
            json!({"embeddings": each, "usageMetadata": {"promptTokenCount": 3}})
        }
        Dialect::CohereEmbed => json!({"id": "e", "embeddings": {"float": vectors},
            "meta": {"billed_units": {"input_tokens": 3}}}),
        _ => json!({"model": "m-1", "embeddings": vectors, "prompt_eval_count": 3}),
    };
    reply.to_string()
}

#[test]
fn every_pair_of_embeddings_has_its_entries() {
    for surface in Dialect::ALL {
        for target in Dialect::ALL {
            if between(surface, target).is_some() {
                assert!(SURFACES.iter().any(|known| known.dialect == surface), "no requests of {surface:?}");
                assert!(TARGETS.iter().any(|(known, _)| *known == target), "no answers of {target:?}");
            }
        }
    }
}
