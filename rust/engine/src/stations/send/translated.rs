//! A request in the words of its target's dialect.
//!
//! The rules are [`llm_edge_core::translate`]'s; here is what a route wants of them, and what the client is told.

use std::time::{SystemTime, UNIX_EPOCH};

use llm_edge_core::dialect::ChatFields;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::snapshot::TranslationPolicy;
use llm_edge_core::translate::{Context, Losses, Options, Pair, Untranslatable};

use super::super::guard::Screened;
use crate::exchange::Exchange;

/// What the reply to a translated request needs.
pub(crate) struct Translation {
    pub(crate) pair: Pair,
    pub(crate) context: Context,
    /// What of the request could not be carried over.
    pub(crate) losses: Losses,
}

/// Between which dialects a request is translated, and what neither of its bodies says.
#[derive(Clone, Copy)]
pub(super) struct Crossing {
    pub(super) pair: Pair,
    /// Whether the operation asked for a stream, or for none.
    pub(super) stream: Option<bool>,
    /// A stream is wanted as one JSON array.
    pub(super) json_array: bool,
    pub(super) chat_fields: ChatFields,
}

/// The model's names.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    /// As the client called it.
    pub(super) asked: &'a str,
    /// As the target calls it.
    pub(super) sent: &'a str,
}

/// Writes the body for a target that the pair leads to.
///
/// # Errors
/// 400 naming what cannot be said there, or the first loss where the route is strict.
pub(super) fn body(
    x: &Exchange,
    screened: &Screened,
    crossing: Crossing,
    names: Names<'_>,
    policy: TranslationPolicy,
) -> Result<(Vec<u8>, Translation), Rejection> {
    let options = Options {
        created_s: SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs(),
        max_tokens_default: policy.max_tokens,
        chat_fields: crossing.chat_fields,
        cache_breakpoints: policy.cache_breakpoints,
        stream: crossing.stream,
        json_array: crossing.json_array,
    };
    let mut out = Vec::new();
    let body = screened.envelope().body.of(&x.input);
    let mut translated = crossing.pair.request(body, names.sent, &options, &mut out).map_err(refused)?;
    names.asked.clone_into(&mut translated.context.model);
    if policy.strict && !translated.losses.is_empty() {
        let losses = translated.losses;
        let message = format!(
            "the model's provider speaks another dialect, which cannot carry `{losses}`, and the route is strict (`translation.strict`). hint: leave it out"
        );
        let first = losses.names().next().unwrap_or_default().to_owned();
        return Err(Rejection::new(Code::Untranslatable, message).param(first));
    }
    x.worker.count_translated(true, !translated.losses.is_empty());
    Ok((out, Translation { pair: crossing.pair, context: translated.context, losses: translated.losses }))
}

fn refused(fault: Untranslatable) -> Rejection {
    let Untranslatable { path, message } = fault;
    if path.is_empty() {
        return Rejection::new(Code::Untranslatable, message);
    }
    let message = format!("`{path}` {message}");
    Rejection::new(Code::Untranslatable, message).param(path)
}
