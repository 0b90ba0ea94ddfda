//! `OpenAI` embeddings. Never streamed. Source: `OpenAI` API reference, "Embeddings".

use super::{Content, Facts, Field, Terminal, openai_chat};

pub(super) const FACTS: Facts = Facts {
    fields: &[("model", Field::Model), ("input", Field::Content), ("user", Field::Irrelevant)],
    terminal: Terminal::Event(&[]),
    error_events: &["error"],
    error_members: &[&["error"]],
    refusals: super::OPENAI_REFUSALS,
    content: Content::None,
    usage_at: &[&["usage"]],
    usage: openai_chat::USAGE,
    usage_on_request: false,
};
