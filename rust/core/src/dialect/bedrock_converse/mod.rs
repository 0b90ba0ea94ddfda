//! Amazon Bedrock's Converse and `ConverseStream`: one API for the models of many makers. It is spoken to
//! upstreams only. The model is in the URL, and so is whether the reply is streamed.
//!
//! A stream is an `application/vnd.amazon.eventstream`; its messages are named by their headers. It is at its end
//! with `metadata`, which comes behind `messageStop` and has the usage: without it nobody would know what a
//! reply cost, and the service model makes usage and metrics members that it must have.
//!
//! `inputTokens` does not include the tokens read from or written to the prompt cache.
//!
//! Sources: service model `bedrock-runtime` 2023-09-30 of botocore 1.44; Amazon Bedrock user guide, "Prompt
//! caching", "Structured outputs".

mod document;
mod model;
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
    terminal: Terminal::Event(&["metadata"]),
    error_events: &[
        "internalServerException",
        "modelStreamErrorException",
        "modelTimeoutException",
        "serviceUnavailableException",
        "throttlingException",
        "validationException",
    ],
    error_members: &[],
    refusals: &[
        // Throttling, and a model that is not ready. 408 and 424 are the model's own failure: it has run.
        refusal(429, Disposition::Retry),
        refusal(503, Disposition::Retry),
        refusal(401, Disposition::Elsewhere),
        refusal(403, Disposition::Elsewhere),
    ],
    content: Content::EventSuffix("Delta"),
    usage_at: &[&["usage"]],
    usage: UsagePaths {
        input: &["inputTokens"],
        input_apart: &[],
        output: &["outputTokens"],
        output_apart: &[],
        cached_input: &["cacheReadInputTokens"],
        cache_write: &["cacheWriteInputTokens"],
        cache_write_1h: &[],
        cache_apart: true,
        reasoning: &[],
        searches: &[],
    },
    usage_on_request: false,
    contents: Contents::NONE,
    wants: &[],
};

pub(super) use write::request as write_request;

pub(super) const CODEC: Codec = Codec {
    client: None,
    upstream: Some(Upstream {
        write_request: write::request,
        read_reply: |body, _, losses| read_reply::reply(body, losses),
        stream_reader: || Framed::EventStream(Box::new(read_reply::Events::default())),
        stream_media_type: "application/vnd.amazon.eventstream",
        takes_shared: false,
    }),
};
