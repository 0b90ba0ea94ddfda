//! `OpenAI` responses. Source: `OpenAI` API reference, "Responses" and "Streaming events".
//!
//! No field is irrelevant to the reply: the response object repeats `user`, `metadata`,
//! `safety_identifier` and `prompt_cache_key`, so a reply stored for one caller would show them to another.

mod read;
mod read_reply;
mod settings;
mod wire;
mod write;
mod write_reply;

use super::openai_chat::write_reply::error;
use super::{Client, Codec, Content, Facts, Field, Terminal, Upstream, UsagePaths};
use crate::message::{Carries, Framed};
use crate::routing::{Asks, Capability, Contents};

pub(super) const FACTS: Facts = Facts {
    fields: &[
        ("model", Field::Model),
        ("models", Field::Models),
        ("input", Field::Content),
        ("instructions", Field::Content),
        ("stream", Field::Stream),
        ("stream_options", Field::StreamOptions),
        ("max_output_tokens", Field::MaxTokens { rank: 1 }),
        ("tools", Field::Tools),
        ("previous_response_id", Field::Content),
        ("conversation", Field::Content),
        ("background", Field::Content),
        ("store", Field::Content),
        ("user", Field::Content),
        ("metadata", Field::Content),
    ],
    terminal: Terminal::Event(&["response.completed", "response.incomplete", "response.failed", "error"]),
    error_events: &["error", "response.failed"],
    error_members: &[&["error"]],
    refusals: super::OPENAI_REFUSALS,
    content: Content::EventSuffix(".delta"),
    usage_at: &[&["response", "usage"], &["usage"]],
    usage: UsagePaths {
        input: &["input_tokens"],
        input_apart: &[],
        output: &["output_tokens"],
        output_apart: &[],
        cached_input: &["input_tokens_details", "cached_tokens"],
        cache_write: &["input_tokens_details", "cache_write_tokens"],
        cache_write_1h: &[],
        cache_apart: false,
        reasoning: &["output_tokens_details", "reasoning_tokens"],
        searches: &[],
    },
    usage_on_request: false,
    contents: Contents {
        turns: "input",
        parts: &["content", "output"],
        types: &[("input_image", Capability::Vision), ("input_audio", Capability::Audio)],
        data: &[],
        conversation: &[&["conversation"], &["conversation", "id"], &["prompt_cache_key"]],
    },
    wants: &[
        (&["text", "format", "type"], Asks::Is("json_schema"), Capability::JsonSchema),
        (&["reasoning", "effort"], Asks::Given, Capability::Reasoning),
    ],
};

/// What is lost of a request, in its own words. Places in the conversation cannot be told, since several items are
/// one turn of it.
const WORDS: &[(&str, &str)] = &[
    ("cache_control", "input[].content[].prompt_cache_breakpoint"),
    ("max_tokens", "max_output_tokens"),
    ("messages", "input"),
    ("messages[].cache_control", "input[].content[].prompt_cache_breakpoint"),
    ("messages[].content", "input[].content"),
    ("messages[].content[]", "input[].content[]"),
    ("messages[].content[].content[]", "input[].output[]"),
    ("messages[].content[].detail", "input[].content[].detail"),
    ("messages[].content[].redacted_thinking", "input[].reasoning"),
    ("messages[].content[].thinking", "input[].reasoning"),
    ("messages[].content[].title", "input[].content[].filename"),
    ("messages[].redacted_thinking", "input[].reasoning"),
    ("messages[].refusal", "input[].content[].refusal"),
    ("messages[].role", "input[].role"),
    ("messages[].thinking", "input[].reasoning"),
    ("messages[].thinking_blocks", "input[].reasoning"),
    ("messages[].tool_calls[].function.name", "input[].name"),
    ("metadata.user_id", "user"),
    ("reasoning_effort", "reasoning.effort"),
    ("response_format", "text.format"),
    ("response_format.json_schema.description", "text.format.description"),
    ("thinking.type", "reasoning.effort"),
    ("verbosity", "text.verbosity"),
];

pub(super) use read::request as read_request;
pub(super) use wire::{OWN_REASONING, REDACTED, SIGNATURE};
pub(super) use write::request as write_request;

pub(super) const CODEC: Codec = Codec {
    client: Some(Client {
        read_request: read::request,
        words: WORDS,
        carries: Carries { stop_sequence: false, logprobs: true, choices: false },
        write_reply: write_reply::reply,
        write_error: error,
        stream_writer: |context| Box::new(write_reply::Events::new(context)),
        reads_comments: true,
    }),
    upstream: Some(Upstream {
        write_request: write::request,
        read_reply: read_reply::reply,
        stream_reader: || Framed::Sse(Box::new(read_reply::Events::default())),
        stream_media_type: crate::sse::MEDIA_TYPE,
        takes_shared: true,
    }),
};
