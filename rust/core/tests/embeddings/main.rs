//! Embeddings between dialects: what is sent, what comes back, what is refused or named as lost.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "in a test a panic is the finding"
)]

mod replies;
mod requests;

use llm_edge_core::dialect::Dialect;
use llm_edge_core::embedding::{Context, Pair, between};
use llm_edge_core::translate::{Malformed, Untranslatable};
use serde_json::Value;

pub(crate) use Dialect::{
    CohereEmbed, GeminiBatchEmbedContents, GeminiEmbedContent, OllamaEmbed, OpenaiEmbeddings,
};

/// Those that clients speak.
pub(crate) const SURFACES: [Dialect; 3] = [OpenaiEmbeddings, GeminiEmbedContent, GeminiBatchEmbedContents];

/// Those that upstreams speak.
pub(crate) const TARGETS: [Dialect; 5] =
    [OpenaiEmbeddings, GeminiEmbedContent, GeminiBatchEmbedContents, CohereEmbed, OllamaEmbed];

pub(crate) fn pair(surface: Dialect, target: Dialect) -> Pair {
    between(surface, target).unwrap()
}

/// The upstream's body, read back, the names of what is lost, and what the reply needs.
pub(crate) fn request(pair: Pair, body: &Value) -> Result<(Value, String, Context), Untranslatable> {
    let mut out = b"kept".to_vec();
    let translated = pair.request(body.to_string().as_bytes(), "m", &mut out);
    let written = out.split_off(4);
    assert_eq!(out, b"kept");
    assert!(translated.is_ok() || written.is_empty());
    let translated = translated?;
    let sent = serde_json::from_slice(&written).unwrap();
    Ok((sent, translated.losses.to_string(), translated.context))
}

/// The same of a request that can be carried over.
pub(crate) fn sent(surface: Dialect, target: Dialect, body: &Value) -> (Value, String) {
    let (sent, losses, _) = request(pair(surface, target), body).unwrap();
    (sent, losses)
}

/// The client's reply to `asked`, as text, and the names of what is lost.
pub(crate) fn answered(pair: Pair, asked: &Value, reply: &str) -> Result<(String, String), Malformed> {
    let (_, _, context) = request(pair, asked).unwrap();
    let mut out = b"kept".to_vec();
    let replied = pair.reply(&context, reply.as_bytes(), &mut out);
    let written = String::from_utf8(out.split_off(4)).unwrap();
    assert_eq!(out, b"kept");
    assert!(replied.is_ok() || written.is_empty());
    Ok((written, replied?.losses.to_string()))
}

#[test]
fn only_different_dialects_of_embeddings_are_translated() {
    for surface in Dialect::ALL {
        for target in Dialect::ALL {
            let both = SURFACES.contains(&surface) && TARGETS.contains(&target);
            assert_eq!(
                between(surface, target).is_some(),
                both && surface != target,
                "{surface:?} {target:?}"
            );
        }
    }
}
