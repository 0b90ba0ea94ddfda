//! A request in the words of its target's dialect.
//!
//! The rules are [`llm_edge_core::translate`]'s and [`llm_edge_core::embedding`]'s; here is what a route wants of them,
//! and what the client is told.

use std::time::{SystemTime, UNIX_EPOCH};

use llm_edge_core::dialect::{ChatFields, ChatMembers, Platform, ReplayedReasoning};
use llm_edge_core::embedding;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::snapshot::{Between, TranslationPolicy};
use llm_edge_core::translate::{Context, Losses, Malformed, Options, Pair, Replied, Untranslatable};

use super::super::guard::Screened;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;

/// What the reply to a translated request needs.
pub(crate) struct Translation {
    pub(crate) reply: Awaited,
    /// What of the request could not be carried over.
    pub(crate) losses: Losses,
}

/// Between which dialects the reply is translated, with what that needs of the request.
pub(crate) enum Awaited {
    Generation { pair: Pair, context: Context },
    Embeddings { pair: embedding::Pair, context: embedding::Context },
}

impl Awaited {
    /// The media type of the upstream's streams, without parameters; `None` where it has none.
    pub(crate) fn stream_media_type(&self) -> Option<&'static str> {
        match self {
            Self::Generation { pair, .. } => Some(pair.stream_media_type()),
            Self::Embeddings { .. } => None,
        }
    }

    /// Whether the client wants a stream as one JSON array.
    pub(crate) fn wants_array(&self) -> bool {
        matches!(self, Self::Generation { context, .. } if context.json_array)
    }

    /// Appends a whole reply in the client's dialect.
    pub(crate) fn write(&self, body: &[u8], out: &mut Vec<u8>) -> Result<Replied, Malformed> {
        match self {
            Self::Generation { pair, context } => pair.reply(context, body, out),
            Self::Embeddings { pair, context } => pair.reply(context, body, out),
        }
    }

    /// Appends an error body in the client's dialect.
    pub(crate) fn write_error(&self, status: u16, body: &[u8], request_id: &str, out: &mut Vec<u8>) {
        match self {
            Self::Generation { pair, .. } => pair.error(status, body, request_id, out),
            Self::Embeddings { pair, .. } => pair.error(status, body, request_id, out),
        }
    }
}

/// Between which dialects a request is translated, and what neither of its bodies says.
#[derive(Clone, Copy)]
pub(super) struct Crossing<'a> {
    pub(super) between: Between,
    /// Whether the operation asked for a stream, or for none.
    pub(super) stream: Option<bool>,
    /// A stream is wanted as one JSON array.
    pub(super) json_array: bool,
    pub(super) chat_fields: ChatFields,
    pub(super) chat_members: &'a ChatMembers,
    pub(super) replays_reasoning: Option<ReplayedReasoning>,
    pub(super) tool_id_length: Option<u8>,
    pub(super) platform: Platform,
}

/// The model's names.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// As the client called it.
    pub(super) asked: &'a str,
    /// As the target calls it.
    pub(super) sent: &'a str,
}

/// Header fields that ask for something, in the words of one vendor: no other has it.
const ASKS: [&str; 2] = ["anthropic-beta", "openai-beta"];

/// Writes the body for a target that the pair leads to.
///
/// # Errors
/// 400 naming what cannot be said there, or the first loss where the route is strict.
pub(super) fn body(
    x: &Exchange,
    screened: &Screened,
    crossing: Crossing<'_>,
    names: Names<'_>,
    policy: TranslationPolicy,
) -> Result<(Vec<u8>, Translation), Rejection> {
    fail_point!("translate.request");
    let mut out = Vec::new();
    let body = screened.envelope().body.of(&x.input);
    let (reply, mut losses) = match crossing.between {
        Between::Generation(pair) => {
            let options = crossing.options(policy, x.request_id.as_str());
            let mut translated = pair.request(body, names.sent, &options, &mut out).map_err(refused)?;
            names.asked.clone_into(&mut translated.context.model);
            (Awaited::Generation { pair, context: translated.context }, translated.losses)
        }
        Between::Embeddings(pair) => {
            let mut translated = pair.request(body, names.sent, &mut out).map_err(refused)?;
            names.asked.clone_into(&mut translated.context.model);
            (Awaited::Embeddings { pair, context: translated.context }, translated.losses)
        }
    };
    for name in ASKS.into_iter().filter(|name| x.header(name).is_some()) {
        losses.add(name);
    }
    refuse_losses(&losses, policy, "speaks another dialect, which cannot carry")?;
    x.worker.count_translated(true, !losses.is_empty());
    Ok((out, Translation { reply, losses }))
}

/// Refuses a request that could not go on whole, where the route is strict.
///
/// # Errors
/// 400 naming what would be lost, `why` being what stands before it.
pub(super) fn refuse_losses(losses: &Losses, policy: TranslationPolicy, why: &str) -> Result<(), Rejection> {
    if !policy.strict || losses.is_empty() {
        return Ok(());
    }
    let message = format!(
        "the model's provider {why} `{losses}`, and the route is strict (`translation.strict`). hint: leave it out"
    );
    let first = losses.names().next().unwrap_or_default().to_owned();
    Err(Rejection::new(Code::Untranslatable, message).param(first))
}

impl Crossing<'_> {
    fn options<'o>(&'o self, policy: TranslationPolicy, request_id: &'o str) -> Options<'o> {
        Options {
            request_id,
            created_s: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
            max_tokens_default: policy.max_tokens,
            chat_fields: self.chat_fields,
            chat_members: self.chat_members,
            replays_reasoning: self.replays_reasoning,
            tool_id_length: self.tool_id_length,
            platform: self.platform,
            cache_breakpoints: policy.cache_breakpoints,
            stream: self.stream,
            json_array: self.json_array,
        }
    }
}

fn refused(fault: Untranslatable) -> Rejection {
    let Untranslatable { path, message } = fault;
    if path.is_empty() {
        return Rejection::new(Code::Untranslatable, message);
    }
    let message = format!("`{path}` {message}");
    Rejection::new(Code::Untranslatable, message).param(path)
}
