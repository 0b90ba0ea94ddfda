//! Google's Gemini: `generateContent` and `streamGenerateContent`, of the Gemini API and of Vertex AI. Sources: the
//! discovery documents of `generativelanguage` v1beta and `aiplatform` v1, the SDK `google-genai` 3.6, and Gemini
//! API documentation ("Thought signatures", "Thinking", "Function calling", "File input methods").
//!
//! The model and whether to stream stand in the path, not in the body. Members have two spellings, as in all JSON
//! that stands for protocol buffers: `systemInstruction` is also taken as `system_instruction`. A stream has no
//! last event of its own: it is whole if a reason for its end came and then the end. Asked without `alt=sse` it is
//! one JSON array of what otherwise are the events.
//!
//! `candidatesTokenCount` does not include `thoughtsTokenCount`, nor `promptTokenCount` what the provider's own
//! tools put into the prompt; the total includes all of them.

mod contents;
mod read;
mod read_reply;
mod schema;
mod signature;
mod thinking;
mod wire;
mod write;
pub(super) mod write_reply;

use super::{Client, Codec, Content, Facts, Field, Terminal, Upstream, UsagePaths, refusal, refusal_saying};
use crate::message::{Carries, Framed};
use crate::retry::Disposition;
use crate::routing::{Asks, Capability, Contents};

pub(super) const FACTS: Facts = Facts {
    fields: &[
        ("contents", Field::Content),
        ("systemInstruction", Field::Content),
        ("system_instruction", Field::Alias("systemInstruction")),
        ("generationConfig", Field::GenerationConfig),
        ("generation_config", Field::Alias("generationConfig")),
        ("tools", Field::Tools),
        ("toolConfig", Field::Content),
        ("tool_config", Field::Alias("toolConfig")),
        ("safetySettings", Field::Content),
        ("safety_settings", Field::Alias("safetySettings")),
        ("cachedContent", Field::Content),
        ("cached_content", Field::Alias("cachedContent")),
        ("serviceTier", Field::Content),
        ("service_tier", Field::Alias("serviceTier")),
        // The one in the path is obeyed.
        ("model", Field::Content),
        ("store", Field::Content),
        ("labels", Field::Irrelevant),
    ],
    terminal: Terminal::Reason(&[&["candidates", "finishReason"], &["promptFeedback", "blockReason"]]),
    error_events: &["error"],
    error_members: &[&["error"]],
    refusals: &[
        // A quota of the day is not back in a minute.
        refusal_saying(429, "PerDay", Disposition::Elsewhere),
        refusal(429, Disposition::Retry),
        refusal(503, Disposition::Retry),
        // A key that is not valid or has expired is no 401 here.
        refusal_saying(400, "\"API_KEY_INVALID\"", Disposition::Elsewhere),
        refusal(401, Disposition::Elsewhere),
        refusal(403, Disposition::Elsewhere),
    ],
    content: Content::At(&["candidates", "content", "parts"]),
    usage_at: &[&["usageMetadata"]],
    usage: UsagePaths {
        input: &["promptTokenCount"],
        input_apart: &["toolUsePromptTokenCount"],
        output: &["candidatesTokenCount"],
        output_apart: &["thoughtsTokenCount"],
        cached_input: &["cachedContentTokenCount"],
        cache_write: &[],
        cache_write_1h: &[],
        cache_apart: false,
        reasoning: &["thoughtsTokenCount"],
        searches: &[],
    },
    usage_on_request: false,
    contents: Contents {
        turns: "contents",
        parts: &["parts"],
        types: &[],
        data: &["inlineData", "inline_data", "fileData", "file_data"],
        conversation: &[&["cachedContent"], &["cached_content"]],
    },
    wants: &[
        (&["generationConfig", "responseSchema"], Asks::Given, Capability::JsonSchema),
        (&["generationConfig", "responseJsonSchema"], Asks::Given, Capability::JsonSchema),
        (&["generation_config", "response_schema"], Asks::Given, Capability::JsonSchema),
        (&["generation_config", "response_json_schema"], Asks::Given, Capability::JsonSchema),
        (&["generationConfig", "thinkingConfig", "thinkingBudget"], Asks::Given, Capability::Reasoning),
        (&["generationConfig", "thinkingConfig", "thinkingLevel"], Asks::Given, Capability::Reasoning),
        (&["generation_config", "thinking_config", "thinking_budget"], Asks::Given, Capability::Reasoning),
        (&["generation_config", "thinking_config", "thinking_level"], Asks::Given, Capability::Reasoning),
    ],
};

/// What is lost of a request, in its own words.
const WORDS: &[(&str, &str)] = &[
    ("frequency_penalty", "generationConfig.frequencyPenalty"),
    ("logprobs", "generationConfig.responseLogprobs"),
    ("max_tokens", "generationConfig.maxOutputTokens"),
    ("messages", "contents"),
    ("messages[].content", "contents[].parts"),
    ("messages[].content[]", "contents[].parts[]"),
    ("messages[].content[].content[]", "contents[].parts[].functionResponse.parts[]"),
    ("messages[].content[].is_error", "contents[].parts[].functionResponse.response.error"),
    ("messages[].content[].redacted_thinking", "contents[].parts[].thoughtSignature"),
    ("messages[].content[].thinking", "contents[].parts[].thought"),
    ("messages[].redacted_thinking", "contents[].parts[].thoughtSignature"),
    ("messages[].thinking", "contents[].parts[].thought"),
    ("messages[].thinking_blocks", "contents[].parts[].thought"),
    ("messages[].tool_calls[].function.name", "contents[].parts[].functionCall.name"),
    ("n", "generationConfig.candidateCount"),
    ("presence_penalty", "generationConfig.presencePenalty"),
    ("reasoning_effort", "generationConfig.thinkingConfig"),
    ("response_format", "generationConfig.responseMimeType"),
    ("seed", "generationConfig.seed"),
    ("stop", "generationConfig.stopSequences"),
    ("stop_sequences", "generationConfig.stopSequences"),
    ("temperature", "generationConfig.temperature"),
    ("thinking.budget_tokens", "generationConfig.thinkingConfig.thinkingBudget"),
    ("thinking.type", "generationConfig.thinkingConfig"),
    ("top_k", "generationConfig.topK"),
    ("top_logprobs", "generationConfig.logprobs"),
    ("top_p", "generationConfig.topP"),
];

pub(super) use contents::NOT_SIGNED_JSON;
pub(super) use read::request as read_request;
pub(crate) use signature::{THINKING, WRAPPED};
pub(super) use write::request as write_request;

pub(super) const CODEC: Codec = Codec {
    client: Some(Client {
        read_request: read::request,
        words: WORDS,
        carries: Carries { stop_sequence: false, logprobs: true, choices: true },
        write_reply: write_reply::reply,
        write_error: write_reply::error,
        stream_writer: |context| Box::new(write_reply::Chunks::new(context)),
        // It takes every line that is no event for a reply. Source: google-genai 3.4, `_api_client.py`.
        reads_comments: false,
    }),
    upstream: Some(Upstream {
        write_request: write::request,
        read_reply: read_reply::reply,
        stream_reader: || Framed::Sse(Box::new(read_reply::Chunks::default())),
        stream_media_type: crate::sse::MEDIA_TYPE,
        takes_shared: false,
    }),
};
