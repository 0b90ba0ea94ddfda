//! Bedrock's Converse as an upstream's dialect.

mod answers;
mod cache_points;
mod refused;
mod replies;
mod requests;
mod streams;

use llm_edge_core::dialect::Dialect;
use llm_edge_core::translate::{Pair, between};
use serde_json::Value;

use crate::{OPTIONS, request_of};

pub(crate) use answers::{event, exception, message, usage};

pub(crate) const CLAUDE: &str = "eu.anthropic.claude-sonnet-4-5-20250929-v1:0";
pub(crate) const NOVA: &str = "us.amazon.nova-2-lite-v1:0";
pub(crate) const LLAMA: &str = "us.meta.llama4-scout-17b-instruct-v1:0";
pub(crate) const HIDDEN: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";

/// A client that speaks `OpenAI` chat.
pub(crate) fn chat() -> Pair {
    between(Dialect::OpenaiChat, Dialect::BedrockConverse).unwrap()
}

/// A client that speaks Anthropic messages.
pub(crate) fn anthropic() -> Pair {
    between(Dialect::AnthropicMessages, Dialect::BedrockConverse).unwrap()
}

/// The upstream's body for `model`, read back, and the names of what is lost.
pub(crate) fn sent(pair: Pair, model: &str, body: &Value) -> (Value, String) {
    let (written, translated) = request_of(pair, model, body, &OPTIONS).unwrap();
    (serde_json::from_str(&written).unwrap(), translated.losses.to_string())
}
