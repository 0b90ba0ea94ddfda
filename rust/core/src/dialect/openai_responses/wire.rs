//! The objects of the dialect, as far as they are read: an item of a request and one of a reply are the same,
//! since clients send back what they received. Members that differ in type from one kind of item or event to
//! the next stay raw. Source: `OpenAI` API reference, "Responses", and the types of its SDK (3.57); the SDK of
//! Perplexity (0.46) for what its events leave out and its usage adds.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::Text;
use crate::message::read::object;

/// What `encrypted_content` begins with where it holds the signature of another maker's reasoning, in the
/// canonical form. `OpenAI`'s own is base64, where no colon is.
pub(in crate::dialect) const SIGNATURE: &str = "signature:";

/// The same for reasoning that another provider keeps to itself.
pub(in crate::dialect) const REDACTED: &str = "redacted:";

/// How ids of reasoning begin that is told here: `OpenAI` does not know it.
pub(in crate::dialect) const OWN_REASONING: &str = "rs_edge";

object! {
    Body<'a> {
        model: Text<'a>,
        input: &'a RawValue,
        instructions: &'a RawValue,
        tools: Vec<Tool<'a>>,
        tool_choice: &'a RawValue,
        parallel_tool_calls: bool,
        max_output_tokens: u64,
        temperature: &'a RawValue,
        top_p: &'a RawValue,
        top_logprobs: &'a RawValue,
        text: TextConfig<'a>,
        reasoning: Reasoning<'a>,
        include: Vec<Text<'a>>,
        metadata: &'a RawValue,
        user: Text<'a>,
        safety_identifier: Text<'a>,
        service_tier: &'a RawValue,
        truncation: Text<'a>,
        stream: bool,
        stream_options: StreamOptions<'a>,
        background: bool,
        previous_response_id: &'a RawValue,
        conversation: &'a RawValue,
        prompt: &'a RawValue,
        prompt_cache_key: &'a RawValue,
        prompt_cache_options: &'a RawValue,
        prompt_cache_retention: &'a RawValue,
        ..rest
    }
}

object! {
    StreamOptions<'a> { ..rest }
}

object! {
    TextConfig<'a> { format: &'a RawValue, verbosity: &'a RawValue, ..rest }
}

object! {
    Format<'a> {
        kind as "type": Text<'a>,
        name: Text<'a>,
        description: Text<'a>,
        strict: bool,
        schema: &'a RawValue,
        ..rest
    }
}

object! {
    Reasoning<'a> { effort: Text<'a>, summary: Text<'a>, generate_summary: Text<'a>, ..rest }
}

object! {
    Tool<'a> {
        kind as "type": Text<'a>,
        name: Text<'a>,
        description: Text<'a>,
        parameters: &'a RawValue,
        strict: bool,
        ..rest
    }
}

object! {
    /// `tool_choice` where it is an object.
    ToolChoice<'a> { kind as "type": Text<'a>, name: Text<'a>, mode: Text<'a>, tools: &'a RawValue, }
}

object! {
    /// An item of the input or of the output.
    Item<'a> {
        kind as "type": Text<'a>,
        id: Text<'a>,
        role: Text<'a>,
        content: &'a RawValue,
        call_id: Text<'a>,
        name: &'a RawValue,
        arguments: &'a RawValue,
        output: &'a RawValue,
        summary: &'a RawValue,
        encrypted_content: Text<'a>,
        ..rest
    }
}

object! {
    /// A part of a message, of a tool's result, or of reasoning.
    Part<'a> {
        kind as "type": Text<'a>,
        text: Text<'a>,
        refusal: Text<'a>,
        image_url: Text<'a>,
        detail: Text<'a>,
        file_id: Text<'a>,
        file_url: Text<'a>,
        file_data: Text<'a>,
        filename: Text<'a>,
        prompt_cache_breakpoint: &'a RawValue,
        annotations: &'a RawValue,
        logprobs: &'a RawValue,
        ..rest
    }
}

object! {
    /// A whole reply, also inside the events that begin and end a stream.
    Response<'a> {
        id: Text<'a>,
        created_at: &'a RawValue,
        model: Text<'a>,
        status: Text<'a>,
        error: &'a RawValue,
        incomplete_details: IncompleteDetails<'a>,
        output: Vec<Item<'a>>,
        usage: Usage,
        ..rest
    }
}

object! {
    IncompleteDetails<'a> { reason: Text<'a>, }
}

object! {
    Event<'a> {
        kind as "type": Text<'a>,
        object: &'a RawValue,
        response: Response<'a>,
        output_index: u64,
        content_index: u64,
        summary_index: u64,
        item: Item<'a>,
        delta: &'a RawValue,
        text: &'a RawValue,
        refusal: &'a RawValue,
        arguments: &'a RawValue,
        logprobs: &'a RawValue,
        annotation: &'a RawValue,
        error: &'a RawValue,
    }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Usage {
    pub(crate) input_tokens: Option<u64>,
    pub(crate) input_tokens_details: Option<InputDetails>,
    pub(crate) output_tokens: Option<u64>,
    pub(crate) output_tokens_details: Option<OutputDetails>,
}

#[derive(Debug, Default, Deserialize)]
#[expect(clippy::struct_field_names, reason = "they are the wire's")]
pub(crate) struct InputDetails {
    pub(crate) cached_tokens: Option<u64>,
    pub(crate) cache_write_tokens: Option<u64>,
    /// Perplexity's words for the two.
    pub(crate) cache_read_input_tokens: Option<u64>,
    pub(crate) cache_creation_input_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct OutputDetails {
    pub(crate) reasoning_tokens: Option<u64>,
}
