//! Ollama's own chat API, `/api/chat`. It is spoken to upstreams only.
//!
//! A stream is newline-delimited JSON; every line has the shape of a whole reply, and the last one says
//! `"done":true`. Failures are a line, or a body, with an `error`.
//!
//! Sources: Ollama's API documentation ("Generate a chat completion"), types of the packages `ollama` 0.6.3
//! (Python) and `github.com/ollama/ollama/api`.

mod read_reply;
mod wire;
mod write;

use super::{Codec, Content, Facts, Terminal, Upstream, UsagePaths, refusal};
use crate::message::Framed;
use crate::retry::Disposition;
use crate::routing::Contents;

pub(super) const FACTS: Facts = Facts {
    // No client sends them.
    fields: &[],
    // Lines have no types; who watches server-sent events does not see them.
    terminal: Terminal::Event(&[]),
    error_events: &[],
    error_members: &[&["error"]],
    refusals: &[
        // Its queue is full, or that of its makers' cloud.
        refusal(429, Disposition::Retry),
        refusal(503, Disposition::Retry),
        refusal(401, Disposition::Elsewhere),
        refusal(403, Disposition::Elsewhere),
    ],
    content: Content::None,
    // The counts are members of the reply itself.
    usage_at: &[],
    usage: UsagePaths {
        input: &["prompt_eval_count"],
        input_apart: &[],
        output: &["eval_count"],
        output_apart: &[],
        cached_input: &[],
        cache_write: &[],
        cache_write_1h: &[],
        cache_apart: false,
        reasoning: &[],
        searches: &[],
    },
    usage_on_request: false,
    contents: Contents::NONE,
    wants: &[],
};

pub(super) const CODEC: Codec = Codec {
    client: None,
    upstream: Some(Upstream {
        write_request: write::request,
        read_reply: |body, _, losses| read_reply::reply(body, losses),
        stream_reader: || Framed::Lines(Box::new(read_reply::Lines::default())),
        stream_media_type: "application/x-ndjson",
        takes_shared: false,
    }),
};
