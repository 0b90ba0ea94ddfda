//! The objects of the dialect, as far as they are read. Source: service model `bedrock-runtime` 2023-09-30 of
//! botocore 1.44 (`ConverseResponse`, `ConverseStreamOutput`).

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::Text;
use crate::message::read::object;

object! {
    /// A cache marker of a client, in Anthropic's words.
    Marker<'a> { kind as "type": Text<'a>, ttl: Text<'a>, ..rest }
}

object! {
    Reply<'a> {
        output: Output<'a>,
        stop_reason as "stopReason": Text<'a>,
        usage: Usage,
        ..rest
    }
}

object! {
    Output<'a> { message: Message<'a>, ..rest }
}

object! {
    Message<'a> { content: Vec<Block<'a>>, ..rest }
}

object! {
    /// A content block: one of its members says of which kind.
    Block<'a> {
        text: Text<'a>,
        tool_use as "toolUse": ToolUse<'a>,
        reasoning as "reasoningContent": Reasoning<'a>,
        citations as "citationsContent": Cited<'a>,
        ..rest
    }
}

object! {
    /// A call; in the start of a streamed one without its input.
    ToolUse<'a> {
        id as "toolUseId": Text<'a>,
        name: Text<'a>,
        input: &'a RawValue,
        kind as "type": Text<'a>,
        ..rest
    }
}

object! {
    Reasoning<'a> {
        text as "reasoningText": ReasoningText<'a>,
        redacted as "redactedContent": Text<'a>,
        ..rest
    }
}

object! {
    ReasoningText<'a> { text: Text<'a>, signature: Text<'a>, ..rest }
}

object! {
    /// Text that rests on sources.
    Cited<'a> { content: Vec<CitedText<'a>>, citations: &'a RawValue, ..rest }
}

object! {
    CitedText<'a> { text: Text<'a>, ..rest }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Usage {
    #[serde(rename = "inputTokens")]
    pub(crate) input: Option<u64>,
    #[serde(rename = "outputTokens")]
    pub(crate) output: Option<u64>,
    #[serde(rename = "cacheReadInputTokens")]
    pub(crate) cache_read: Option<u64>,
    #[serde(rename = "cacheWriteInputTokens")]
    pub(crate) cache_write: Option<u64>,
    /// What was written, by how long it is to be kept.
    #[serde(rename = "cacheDetails")]
    pub(crate) cache_details: Option<Vec<CacheDetail>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct CacheDetail {
    pub(crate) ttl: String,
    #[serde(rename = "inputTokens")]
    pub(crate) input: u64,
}

object! {
    /// The payload of an event, of any type.
    Event<'a> {
        index as "contentBlockIndex": u64,
        start: Start<'a>,
        delta: Delta<'a>,
        stop_reason as "stopReason": Text<'a>,
        usage: Usage,
        ..rest
    }
}

object! {
    Start<'a> { tool_use as "toolUse": ToolUse<'a>, ..rest }
}

object! {
    Delta<'a> {
        text: Text<'a>,
        tool_use as "toolUse": InputDelta<'a>,
        reasoning as "reasoningContent": ReasoningDelta<'a>,
        citation: &'a RawValue,
        ..rest
    }
}

object! {
    InputDelta<'a> { input: Text<'a>, ..rest }
}

object! {
    ReasoningDelta<'a> {
        text: Text<'a>,
        signature: Text<'a>,
        redacted as "redactedContent": Text<'a>,
        ..rest
    }
}
