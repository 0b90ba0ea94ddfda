//! Translation between dialects: whole, streamed, cut anywhere, and what of it is refused or named as lost.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "in a test a panic is the finding"
)]

mod answers;
mod bedrock;
mod beside;
mod cache;
mod cohere;
mod counts;
mod endings;
mod every_pair;
mod gemini;
mod ids;
mod ollama;
mod refused;
mod replies;
mod requests;
mod responses;
mod responses_streams;
mod settings;
mod streams;
mod structured;
mod thinking;
mod words;

use llm_edge_core::dialect::{ChatFields, ChatMembers, Dialect, Platform};
use llm_edge_core::translate::{Context, Malformed, Options, Pair, Translated, Untranslatable, between};
use serde_json::Value;

pub(crate) const OPTIONS: Options<'static> = Options {
    request_id: "req_1",
    created_s: 1_700_000_000,
    max_tokens_default: 4096,
    chat_fields: ChatFields::Openai,
    chat_members: ChatMembers::ALL,
    replays_reasoning: None,
    tool_id_length: None,
    platform: Platform::Own,
    cache_breakpoints: false,
    stream: None,
    json_array: false,
};

/// A client that speaks `OpenAI` chat, a provider that speaks Anthropic messages.
pub(crate) fn chat_to_anthropic() -> Pair {
    between(Dialect::OpenaiChat, Dialect::AnthropicMessages).unwrap()
}

/// The other way round.
pub(crate) fn anthropic_to_chat() -> Pair {
    between(Dialect::AnthropicMessages, Dialect::OpenaiChat).unwrap()
}

/// A client that speaks `OpenAI` responses.
pub(crate) fn responses_to(target: Dialect) -> Pair {
    between(Dialect::OpenaiResponses, target).unwrap()
}

/// A provider that speaks `OpenAI` responses.
pub(crate) fn to_responses(surface: Dialect) -> Pair {
    between(surface, Dialect::OpenaiResponses).unwrap()
}

/// Providers that speak Cohere's chat, to clients of either.
pub(crate) fn chat_to_cohere() -> Pair {
    between(Dialect::OpenaiChat, Dialect::CohereChat).unwrap()
}

pub(crate) fn anthropic_to_cohere() -> Pair {
    between(Dialect::AnthropicMessages, Dialect::CohereChat).unwrap()
}

/// What a response repeats of a request that sets nothing.
const SETTINGS: &str = r#""background":false,"instructions":null,"max_output_tokens":null,"metadata":{},"parallel_tool_calls":true,"previous_response_id":null,"reasoning":{"effort":null,"summary":null},"store":false,"temperature":null,"text":{"format":{"type":"text"}},"tool_choice":"auto","tools":[],"top_p":null,"truncation":"disabled""#;

/// What ids are made of that the upstream does not give.
pub(crate) const SEED: &str = "5eed";

pub(crate) fn context() -> Context {
    Context {
        model: "asked".to_owned(),
        include_usage: true,
        include_thoughts: true,
        json_array: false,
        created_s: OPTIONS.created_s,
        reply_seed: SEED.to_owned(),
        settings: SETTINGS.as_bytes().to_vec(),
    }
}

/// The upstream's body as it is written, and what is said about it.
pub(crate) fn request(
    pair: Pair,
    body: &Value,
    options: &Options<'_>,
) -> Result<(String, Translated), Untranslatable> {
    request_of(pair, "m", body, options)
}

/// The same, asking for `model`.
pub(crate) fn request_of(
    pair: Pair,
    model: &str,
    body: &Value,
    options: &Options<'_>,
) -> Result<(String, Translated), Untranslatable> {
    let mut out = b"kept".to_vec();
    let translated = pair.request(body.to_string().as_bytes(), model, options, &mut out);
    let written = String::from_utf8(out.split_off(4)).unwrap();
    assert_eq!(out, b"kept");
    assert!(translated.is_ok() || written.is_empty());
    translated.map(|translated| (written, translated))
}

/// The upstream's body, read back, and the names of what is lost.
pub(crate) fn sent(pair: Pair, body: &Value) -> (Value, String) {
    let (written, translated) = request(pair, body, &OPTIONS).unwrap();
    (serde_json::from_str(&written).unwrap(), translated.losses.to_string())
}

/// The client's reply, read back, and the names of what is lost.
pub(crate) fn answered(pair: Pair, body: &Value) -> Result<(Value, String), Malformed> {
    let mut out = Vec::new();
    let losses = pair.reply(&context(), body.to_string().as_bytes(), &mut out)?.losses;
    Ok((serde_json::from_slice(&out).unwrap(), losses.to_string()))
}

/// The client's stream for the upstream's, given in these pieces; and how it ended.
pub(crate) fn streamed<'p>(
    pair: Pair,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> (String, Result<(), Malformed>) {
    let mut translator = pair.stream(context());
    let mut out = Vec::new();
    let ended = pieces.into_iter().try_for_each(|piece| translator.push(piece, &mut out));
    let ended = ended.and_then(|()| translator.finish(&mut out));
    (String::from_utf8(out).unwrap(), ended)
}

#[test]
fn only_different_dialects_of_generation_are_translated() {
    let clients =
        [Dialect::OpenaiChat, Dialect::OpenaiResponses, Dialect::AnthropicMessages, Dialect::Gemini];
    let own = [Dialect::BedrockConverse, Dialect::CohereChat, Dialect::OllamaChat];
    let upstreams = [clients.as_slice(), &own].concat();
    for surface in Dialect::ALL {
        for target in Dialect::ALL {
            let both_halves = clients.contains(&surface) && upstreams.contains(&target);
            assert_eq!(between(surface, target).is_some(), both_halves && surface != target);
        }
    }
}
