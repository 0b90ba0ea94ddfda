//! Cohere chat, version 2: what models of Cohere are reached by, and no client speaks to the gateway.
//! Source: Cohere `OpenAPI` document of 2026-05-31 (`chatv2`), Cohere's Python SDK 7.3.
//!
//! Usage comes at the end, as billed units and as tokens. Billed units leave out what Cohere adds to a prompt of its
//! own; tokens are what was used. Both may be written with a fraction (`18.0`). A failure inside a stream is told by
//! the last event.

mod read_reply;
mod wire;
mod write;

use super::{Codec, Content, Facts, Field, Terminal, Upstream, UsagePaths, refusal, refusal_saying};
use crate::message::Framed;
use crate::retry::Disposition;
use crate::routing::Contents;

pub(super) const FACTS: Facts = Facts {
    fields: &[
        ("model", Field::Model),
        ("messages", Field::Content),
        ("documents", Field::Content),
        ("stream", Field::Stream),
        ("max_tokens", Field::MaxTokens { rank: 0 }),
        ("tools", Field::Tools),
        ("response_format", Field::Content),
    ],
    terminal: Terminal::Event(&["message-end"]),
    error_events: &[],
    error_members: &[&["delta", "error"]],
    refusals: &[
        // The quota of a trial key: no time to come back is near.
        refusal_saying(429, "API calls / month", Disposition::Elsewhere),
        refusal(429, Disposition::Retry),
        refusal(503, Disposition::Retry),
        refusal(401, Disposition::Elsewhere),
        refusal(402, Disposition::Elsewhere),
        refusal(403, Disposition::Elsewhere),
    ],
    content: Content::EventSuffix("-delta"),
    usage_at: &[&["delta", "usage"], &["usage"]],
    usage: UsagePaths {
        input: &["tokens", "input_tokens"],
        input_apart: &[],
        output: &["tokens", "output_tokens"],
        output_apart: &[],
        cached_input: &["cached_tokens"],
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
        stream_reader: || Framed::Sse(Box::new(read_reply::Events::default())),
        stream_media_type: crate::sse::MEDIA_TYPE,
        takes_shared: false,
    }),
};
