//! Dialects that clients speak: requests for each thing that can be asked for, and how a reply is understood. One
//! file for each.

mod anthropic_messages;
mod gemini;
mod openai_chat;
mod openai_responses;

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use crate::told::Told;

/// One thing that can be asked for.
pub(crate) struct Feature {
    /// The same in all surfaces that have it: a row of the page.
    pub(crate) name: &'static str,
    /// A request without it.
    pub(crate) without: Value,
    /// The same request with it. Texts that must arrive hold words that begin with `mark_`; numbers are nowhere
    /// else in the request.
    pub(crate) with: Value,
}

/// A dialect that clients speak.
pub(crate) struct Surface {
    pub(crate) dialect: Dialect,
    pub(crate) title: &'static str,
    /// A request that sets nothing.
    pub(crate) plain: fn() -> Value,
    pub(crate) features: fn() -> Vec<Feature>,
    /// Features that no target needs to be told of, and why.
    pub(crate) harmless: &'static [(&'static str, &'static str)],
    /// Whether a reply can tell how much was written to the prompt cache.
    pub(crate) counts_cache_writes: bool,
    /// Of what stands beside an answer, the kinds that a reply can tell.
    pub(crate) tells: &'static [&'static str],
    /// The whole reply that a stream amounts to, as the vendor's SDK folds it.
    pub(crate) fold: fn(&str) -> Value,
    /// What a whole reply says.
    pub(crate) told: fn(&Value) -> Told,
}

pub(crate) const SURFACES: &[Surface] =
    &[openai_chat::SURFACE, openai_responses::SURFACE, anthropic_messages::SURFACE, gemini::SURFACE];

/// A request of `base` with one more member.
pub(crate) fn with(mut base: Value, member: &str, value: Value) -> Value {
    base[member] = value;
    base
}

pub(crate) fn feature(name: &'static str, without: Value, with: Value) -> Feature {
    Feature { name, without, with }
}

/// The address of an image.
const ADDRESS: &str = "https://example.com/mark_address.png";

/// A text that must not lose a character.
const TEXT: &str = "mark_text \"漢字\" \\ 😀\n\u{1}é";

/// A JSON Schema that nothing may change.
fn schema() -> Value {
    json!({"type": "object", "properties": {"mark_city": {"type": "string", "maxLength": 4711}}, "required": ["mark_city"]})
}
