//! The objects of the dialect, as far as they are read: of requests, replies and events alike, since a block
//! sent back is the block that was received. Source: Anthropic API reference, "Create a Message" and
//! "Streaming messages".

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::Text;
use crate::message::read::object;

object! {
    Body<'a> {
        model: Text<'a>,
        messages: Vec<Message<'a>>,
        system: &'a RawValue,
        max_tokens: u64,
        metadata: Metadata<'a>,
        output_config: OutputConfig<'a>,
        service_tier: Text<'a>,
        stop_sequences: Vec<Text<'a>>,
        stream: bool,
        temperature: &'a RawValue,
        top_p: &'a RawValue,
        top_k: &'a RawValue,
        thinking: Thinking<'a>,
        tool_choice: ToolChoice<'a>,
        tools: Vec<Tool<'a>>,
        cache_control: &'a RawValue,
        ..rest
    }
}

object! {
    Metadata<'a> { user_id: Text<'a>, ..rest }
}

object! {
    OutputConfig<'a> { effort: Text<'a>, format: Format<'a>, ..rest }
}

object! {
    Format<'a> { kind as "type": Text<'a>, schema: &'a RawValue, ..rest }
}

object! {
    Thinking<'a> { kind as "type": Text<'a>, budget_tokens: u64, display: Text<'a>, ..rest }
}

object! {
    ToolChoice<'a> { kind as "type": Text<'a>, name: Text<'a>, disable_parallel_tool_use: bool, ..rest }
}

object! {
    Tool<'a> {
        kind as "type": Text<'a>,
        name: Text<'a>,
        description: Text<'a>,
        input_schema: &'a RawValue,
        strict: bool,
        cache_control: &'a RawValue,
        ..rest
    }
}

object! {
    Message<'a> { role: Text<'a>, content: &'a RawValue, ..rest }
}

object! {
    /// A content block of any type.
    Block<'a> {
        kind as "type": Text<'a>,
        text: Text<'a>,
        source: &'a RawValue,
        title: Text<'a>,
        id: Text<'a>,
        name: Text<'a>,
        input: &'a RawValue,
        tool_use_id: Text<'a>,
        content: &'a RawValue,
        is_error: bool,
        thinking: Text<'a>,
        signature: Text<'a>,
        data: Text<'a>,
        citations: &'a RawValue,
        cache_control: &'a RawValue,
        ..rest
    }
}

object! {
    Source<'a> {
        kind as "type": Text<'a>,
        media_type: Text<'a>,
        data: Text<'a>,
        url: Text<'a>,
        content: &'a RawValue,
    }
}

object! {
    /// A whole reply, or the one that opens a stream.
    Reply<'a> {
        id: Text<'a>,
        model: Text<'a>,
        content: Vec<Block<'a>>,
        stop_reason: Text<'a>,
        usage: Usage,
        error: &'a RawValue,
        ..rest
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Usage {
    pub(crate) input_tokens: Option<u64>,
    pub(crate) cache_creation_input_tokens: Option<u64>,
    pub(crate) cache_creation: Option<CacheCreation>,
    pub(crate) cache_read_input_tokens: Option<u64>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct CacheCreation {
    pub(crate) ephemeral_1h_input_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct OutputDetails {
    pub(crate) thinking_tokens: Option<u64>,
}

object! {
    /// An event of a stream, of any type.
    Event<'a> {
        kind as "type": Text<'a>,
        message: Reply<'a>,
        index: u64,
        content_block: Block<'a>,
        delta: Delta<'a>,
        usage: Usage,
    }
}

object! {
    Delta<'a> {
        kind as "type": Text<'a>,
        text: Text<'a>,
        partial_json: Text<'a>,
        thinking: Text<'a>,
        signature: Text<'a>,
        citation: &'a RawValue,
        stop_reason: Text<'a>,
        ..rest
    }
}

object! {
    /// A citation of any type.
    Citation<'a> { kind as "type": Text<'a>, url: Text<'a>, title: Text<'a>, ..rest }
}
