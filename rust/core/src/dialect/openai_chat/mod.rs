//! `OpenAI` chat completions, and the many servers that speak it. Source: `OpenAI` API reference, "Chat".
//!
//! `x_groq` is where Groq puts usage and the error that stopped a stream; vLLM's older streams report a
//! failure as `{"object":"error",…}`, which the tap knows by itself.

pub(super) mod read;
mod read_reply;
mod signatures;
mod wire;
pub(super) mod write;
pub(super) mod write_reply;

use super::{Client, Codec, Content, Facts, Field, Terminal, Upstream, UsagePaths};
use crate::message::{Carries, Framed};
use crate::routing::{Asks, Capability, Contents};

pub(super) const USAGE: UsagePaths = UsagePaths {
    input: &["prompt_tokens"],
    input_apart: &[],
    output: &["completion_tokens"],
    output_apart: &[],
    cached_input: &["prompt_tokens_details", "cached_tokens"],
    cache_write: &["prompt_tokens_details", "cache_write_tokens"],
    cache_write_1h: &[],
    cache_apart: false,
    reasoning: &["completion_tokens_details", "reasoning_tokens"],
    searches: &[],
};

pub(super) const FACTS: Facts = Facts {
    fields: &[
        ("model", Field::Model),
        ("models", Field::Models),
        ("messages", Field::Content),
        ("stream", Field::Stream),
        ("stream_options", Field::StreamOptions),
        ("max_tokens", Field::MaxTokens { rank: 0 }),
        ("max_completion_tokens", Field::MaxTokens { rank: 1 }),
        ("tools", Field::Tools),
        ("functions", Field::Content),
        ("response_format", Field::Content),
        ("n", Field::Content),
        ("user", Field::Irrelevant),
        ("safety_identifier", Field::Irrelevant),
        ("prompt_cache_key", Field::Irrelevant),
        ("metadata", Field::Irrelevant),
    ],
    terminal: Terminal::Data("[DONE]"),
    error_events: &["error"],
    error_members: &[&["error"], &["x_groq", "error"]],
    refusals: super::OPENAI_REFUSALS,
    content: Content::Choice("delta"),
    usage_at: &[&["usage"], &["x_groq", "usage"]],
    usage: USAGE,
    usage_on_request: true,
    contents: Contents {
        turns: "messages",
        parts: &["content"],
        types: &[("image_url", Capability::Vision), ("input_audio", Capability::Audio)],
        data: &[],
        conversation: &[&["prompt_cache_key"]],
    },
    wants: &[
        (&["response_format", "type"], Asks::Is("json_schema"), Capability::JsonSchema),
        (&["reasoning_effort"], Asks::Given, Capability::Reasoning),
        (&["functions"], Asks::Given, Capability::Tools),
        (&["audio"], Asks::Given, Capability::Audio),
    ],
};

/// What is lost of a request, in its own words.
const WORDS: &[(&str, &str)] = &[
    ("messages[].content[].content[]", "messages[].content[]"),
    ("messages[].content[].detail", "messages[].content[].image_url.detail"),
    ("messages[].content[].redacted_thinking", "messages[].thinking_blocks"),
    ("messages[].content[].thinking", "messages[].thinking_blocks"),
    ("messages[].content[].title", "messages[].content[].file.filename"),
    ("messages[].redacted_thinking", "messages[].thinking_blocks"),
    ("messages[].thinking", "messages[].thinking_blocks"),
    ("metadata.user_id", "user"),
    ("stop_sequences", "stop"),
    ("thinking.type", "reasoning_effort"),
];

pub(super) const CODEC: Codec = Codec {
    client: Some(Client {
        read_request: read::request,
        words: WORDS,
        carries: Carries { stop_sequence: false, logprobs: true, choices: true },
        write_reply: write_reply::reply,
        write_error: write_reply::error,
        stream_writer: |context| Box::new(write_reply::Chunks::new(context)),
        reads_comments: true,
    }),
    upstream: Some(Upstream {
        write_request: write::request,
        read_reply: read_reply::reply,
        stream_reader: || Framed::Sse(Box::new(read_reply::Chunks::default())),
        stream_media_type: crate::sse::MEDIA_TYPE,
        takes_shared: true,
    }),
};
