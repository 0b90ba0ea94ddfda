//! The ranking of documents by how much they say of a query: Cohere's API, which Jina, vLLM, Together, `OpenRouter` and
//! others serve too. It passes as it is. Sources: Cohere `OpenAPI` document (`rerankv2`), vLLM "Re-rank API",
//! `OpenRouter` API reference ("Submit a rerank request").
//!
//! Cohere counts searches (`meta.billed_units`), the others tokens (`usage`).

use super::{Content, Facts, Field, Terminal, UsagePaths, refusal, refusal_saying};
use crate::retry::Disposition;
use crate::routing::Contents;

pub(super) const FACTS: Facts = Facts {
    fields: &[
        ("model", Field::Model),
        ("query", Field::Content),
        ("documents", Field::Content),
        ("top_n", Field::Content),
    ],
    terminal: Terminal::Event(&[]),
    error_events: &["error"],
    error_members: &[&["error"]],
    refusals: &[
        // The quota of a trial key at Cohere.
        refusal_saying(429, "API calls / month", Disposition::Elsewhere),
        refusal_saying(429, "insufficient_quota", Disposition::Elsewhere),
        refusal(429, Disposition::Retry),
        refusal(503, Disposition::Retry),
        refusal(529, Disposition::Retry),
        refusal(401, Disposition::Elsewhere),
        refusal(402, Disposition::Elsewhere),
        refusal(403, Disposition::Elsewhere),
    ],
    content: Content::None,
    usage_at: &[&["usage"], &["meta", "billed_units"]],
    usage: UsagePaths {
        input: &["total_tokens"],
        input_apart: &[],
        output: &[],
        output_apart: &[],
        cached_input: &[],
        cache_write: &[],
        cache_write_1h: &[],
        cache_apart: false,
        reasoning: &[],
        searches: &["search_units"],
    },
    usage_on_request: false,
    contents: Contents::NONE,
    wants: &[],
};
