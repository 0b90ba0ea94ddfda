//! `OpenAI` text completions, still the main door of many local servers. Source: `OpenAI` API reference,
//! "Completions".

use super::{Content, Facts, Field, Terminal, openai_chat};
use crate::routing::Contents;

pub(super) const FACTS: Facts = Facts {
    fields: &[
        ("model", Field::Model),
        ("models", Field::Models),
        ("prompt", Field::Content),
        ("suffix", Field::Content),
        ("stream", Field::Stream),
        ("stream_options", Field::StreamOptions),
        ("max_tokens", Field::MaxTokens { rank: 0 }),
        ("n", Field::Content),
        ("user", Field::Irrelevant),
    ],
    terminal: Terminal::Data("[DONE]"),
    error_events: &["error"],
    error_members: &[&["error"]],
    refusals: super::OPENAI_REFUSALS,
    content: Content::Choice("text"),
    usage_at: &[&["usage"]],
    usage: openai_chat::USAGE,
    usage_on_request: true,
    contents: Contents::NONE,
    wants: &[],
};
