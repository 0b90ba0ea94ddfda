//! Anthropic messages and their token count. Source: Anthropic API reference, "Messages" and "Streaming".
//!
//! Usage comes in two parts: the input in `message_start`, the cumulative output in `message_delta`.
//! `input_tokens` does not include the tokens read from or written to the prompt cache.

pub mod form;
mod read;
mod read_reply;
mod wire;
mod write;
mod write_reply;

use super::{Client, Codec, Content, Facts, Field, Terminal, Upstream, UsagePaths, refusal, refusal_saying};
use crate::message::{Carries, Framed};
use crate::retry::Disposition;
use crate::routing::{Asks, Capability, Contents};

pub(super) const FACTS: Facts = Facts {
    fields: &[
        ("model", Field::Model),
        ("messages", Field::Content),
        ("system", Field::Content),
        ("stream", Field::Stream),
        ("max_tokens", Field::MaxTokens { rank: 0 }),
        ("tools", Field::Tools),
        ("metadata", Field::Irrelevant),
    ],
    terminal: Terminal::Event(&["message_stop"]),
    error_events: &["error"],
    error_members: &[&["error"]],
    refusals: &[
        // A spending cap answers 429 without a time to come back.
        refusal_saying(429, "enforced_spend_limit_reached", Disposition::Elsewhere),
        // The account's affair, and yet a bad request.
        refusal_saying(400, "\"Your credit balance is too low", Disposition::Elsewhere),
        refusal_saying(400, "\"This organization has been disabled", Disposition::Elsewhere),
        // `OpenRouter`'s guardrails, which find fault with the prompt and not with the key.
        refusal_saying(403, "\"Request blocked", Disposition::Relay),
        refusal(429, Disposition::Retry),
        refusal(503, Disposition::Retry),
        refusal(529, Disposition::Retry),
        refusal(401, Disposition::Elsewhere),
        refusal(402, Disposition::Elsewhere),
        refusal(403, Disposition::Elsewhere),
    ],
    content: Content::EventSuffix("_delta"),
    usage_at: &[&["message", "usage"], &["usage"]],
    usage: UsagePaths {
        input: &["input_tokens"],
        input_apart: &[],
        output: &["output_tokens"],
        output_apart: &[],
        cached_input: &["cache_read_input_tokens"],
        cache_write: &["cache_creation_input_tokens"],
        cache_write_1h: &["cache_creation", "ephemeral_1h_input_tokens"],
        cache_apart: true,
        reasoning: &[],
        searches: &[],
    },
    usage_on_request: false,
    contents: Contents {
        turns: "messages",
        parts: &["content"],
        types: &[("image", Capability::Vision)],
        data: &[],
        conversation: &[&["metadata", "user_id"]],
    },
    wants: &[
        (&["output_config", "format", "type"], Asks::Is("json_schema"), Capability::JsonSchema),
        (&["output_format", "type"], Asks::Is("json_schema"), Capability::JsonSchema),
        (&["thinking", "type"], Asks::Is("enabled"), Capability::Reasoning),
        (&["thinking", "type"], Asks::Is("adaptive"), Capability::Reasoning),
    ],
};

/// What is lost of a request, in its own words.
const WORDS: &[(&str, &str)] = &[
    ("messages[].cache_control", "messages[].content[].cache_control"),
    ("messages[].redacted_thinking", "messages[].content[].redacted_thinking"),
    ("messages[].thinking", "messages[].content[].thinking"),
    ("messages[].thinking_blocks", "messages[].content[].thinking"),
    ("messages[].tool_calls[].function.name", "messages[].content[].name"),
    ("parallel_tool_calls", "tool_choice.disable_parallel_tool_use"),
    ("reasoning_effort", "thinking"),
    ("response_format", "output_config.format"),
    ("stop", "stop_sequences"),
    ("user", "metadata.user_id"),
];

pub(super) use read::{BILLING, request_to_count};
pub(super) use write::request as write_request;

pub(super) const CODEC: Codec = Codec {
    client: Some(Client {
        read_request: read::request,
        words: WORDS,
        carries: Carries { stop_sequence: true, logprobs: false, choices: false },
        write_reply: write_reply::reply,
        write_error: write_reply::error,
        stream_writer: |context| Box::new(write_reply::Events::new(context)),
        reads_comments: true,
    }),
    upstream: Some(Upstream {
        write_request: write::request,
        read_reply: |body, _, losses| read_reply::reply(body, losses),
        stream_reader: || Framed::Sse(Box::new(read_reply::Events::default())),
        stream_media_type: crate::sse::MEDIA_TYPE,
        takes_shared: false,
    }),
};
