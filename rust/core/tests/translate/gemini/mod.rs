//! Gemini, as the dialect of the client and of the provider.

pub(crate) mod answers;
mod refused;
mod replies;
mod requests;
mod signatures;
mod streams;

use llm_edge_core::dialect::Dialect::{self, AnthropicMessages, Gemini, OpenaiChat};
use llm_edge_core::translate::{Losses, Pair, between};
use serde_json::Value;

use crate::{OPTIONS, streamed};

pub(crate) use answers::sse;

pub(crate) fn pair(surface: Dialect, target: Dialect) -> Pair {
    between(surface, target).unwrap()
}

/// The upstream's body for a model of this name, read back, and the names of what is lost.
pub(crate) fn sent_to(pair: Pair, model: &str, body: &Value) -> (Value, String) {
    let mut out = Vec::new();
    let translated = pair.request(body.to_string().as_bytes(), model, &OPTIONS, &mut out).unwrap();
    (serde_json::from_slice(&out).unwrap(), translated.losses.to_string())
}

/// The client's stream, which must end well, and what is lost of it.
pub(crate) fn ended(pair: Pair, stream: &str) -> String {
    let (told, ended) = streamed(pair, [stream.as_bytes()]);
    ended.unwrap_or_else(|malformed| panic!("{}\n{stream}\n{told}", malformed.message));
    told
}

/// What is named as lost of a stream.
pub(crate) fn lost(pair: Pair, stream: &str) -> Losses {
    let mut translator = pair.stream(crate::context());
    let mut out = Vec::new();
    translator.push(stream.as_bytes(), &mut out).unwrap();
    translator.finish(&mut out).unwrap();
    translator.losses().clone()
}
