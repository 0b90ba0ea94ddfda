//! `OpenAI` embeddings. Never streamed. Source: `OpenAI` API reference, "Embeddings".
//!
//! `input_type`, what the vectors are for, is not `OpenAI`'s; servers that follow it (`OpenRouter`, Voyage, NVIDIA)
//! have it under this name, each with a few of the words.

mod read;
mod write;

use super::{
    Content, EmbeddingClient, EmbeddingCodec, EmbeddingUpstream, Facts, Field, Terminal, openai_chat,
};
use crate::routing::Contents;

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
    contents: Contents::NONE,
    wants: &[],
};

pub(super) const CODEC: EmbeddingCodec = EmbeddingCodec {
    client: Some(EmbeddingClient {
        read_request: read::request,
        words: &[("input[].parts", "input")],
        write_reply: write::reply,
        write_error: openai_chat::write_reply::error,
    }),
    upstream: EmbeddingUpstream { write_request: write::request, read_reply: read::reply },
};
