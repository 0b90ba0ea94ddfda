//! The objects of the dialect, as far as they are read: of requests, replies and chunks alike, since a message
//! sent back is the message that was received. Source: `OpenAI` API reference, "Chat"; `LiteLLM` for
//! `reasoning_content`, `thinking_blocks` and `cache_control`, vLLM and `OpenRouter` for `reasoning`, vLLM
//! (pull request 2976) for `stop_reason`, Google for `extra_content`, Groq for `x_groq`, Perplexity and xAI for
//! `citations`, Mistral for parts of type `thinking`.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::message::Text;
use crate::message::read::object;

object! {
    Body<'a> {
        model: Text<'a>,
        messages: Vec<Message<'a>>,
        tools: Vec<Tool<'a>>,
        tool_choice: &'a RawValue,
        parallel_tool_calls: bool,
        max_tokens: u64,
        max_completion_tokens: u64,
        temperature: &'a RawValue,
        top_p: &'a RawValue,
        top_k: &'a RawValue,
        frequency_penalty: &'a RawValue,
        presence_penalty: &'a RawValue,
        seed: &'a RawValue,
        logit_bias: &'a RawValue,
        logprobs: &'a RawValue,
        top_logprobs: &'a RawValue,
        n: &'a RawValue,
        stop: &'a RawValue,
        response_format: ResponseFormat<'a>,
        reasoning_effort: Text<'a>,
        user: Text<'a>,
        safety_identifier: Text<'a>,
        service_tier: &'a RawValue,
        stream: bool,
        stream_options: StreamOptions<'a>,
        prompt_cache_key: &'a RawValue,
        prompt_cache_options: &'a RawValue,
        prompt_cache_retention: &'a RawValue,
        metadata: &'a RawValue,
        verbosity: &'a RawValue,
        cache_control: &'a RawValue,
        functions: &'a RawValue,
        function_call: &'a RawValue,
        ..rest
    }
}

object! {
    StreamOptions<'a> { include_usage: bool, ..rest }
}

object! {
    ResponseFormat<'a> { kind as "type": Text<'a>, json_schema: JsonSchema<'a>, }
}

object! {
    JsonSchema<'a> { name: Text<'a>, description: Text<'a>, strict: bool, schema: &'a RawValue, ..rest }
}

object! {
    Tool<'a> {
        kind as "type": Text<'a>,
        function: FunctionDefinition<'a>,
        cache_control: &'a RawValue,
        ..rest
    }
}

object! {
    FunctionDefinition<'a> {
        name: Text<'a>,
        description: Text<'a>,
        parameters: &'a RawValue,
        strict: bool,
        cache_control: &'a RawValue,
        ..rest
    }
}

object! {
    /// `tool_choice` where it is an object.
    ToolChoice<'a> {
        kind as "type": Text<'a>,
        function: ChosenFunction<'a>,
        allowed_tools: AllowedTools<'a>,
    }
}

object! {
    ChosenFunction<'a> { name: Text<'a>, }
}

object! {
    AllowedTools<'a> { mode: Text<'a>, tools: &'a RawValue, }
}

object! {
    /// A message of a request or a reply, or the `delta` of a chunk.
    Message<'a> {
        role: Text<'a>,
        content: &'a RawValue,
        name: Text<'a>,
        refusal: Text<'a>,
        tool_calls: Vec<ToolCall<'a>>,
        tool_call_id: Text<'a>,
        function_call: &'a RawValue,
        reasoning_content: Text<'a>,
        reasoning: &'a RawValue,
        thinking_blocks: Vec<ThinkingBlock<'a>>,
        cache_control: &'a RawValue,
        annotations: &'a RawValue,
        ..rest
    }
}

object! {
    ToolCall<'a> {
        index: u64,
        id: Text<'a>,
        kind as "type": Text<'a>,
        function: Function<'a>,
        cache_control: &'a RawValue,
        extra_content: &'a RawValue,
        ..rest
    }
}

object! {
    ExtraContent<'a> { google: GoogleContent<'a>, }
}

object! {
    GoogleContent<'a> { thought_signature: Text<'a>, }
}

object! {
    Function<'a> { name: Text<'a>, arguments: Text<'a>, ..rest }
}

object! {
    ThinkingBlock<'a> { kind as "type": Text<'a>, thinking: Text<'a>, signature: Text<'a>, data: Text<'a>, }
}

object! {
    Part<'a> {
        kind as "type": Text<'a>,
        text: Text<'a>,
        thinking: &'a RawValue,
        signature: Text<'a>,
        data: Text<'a>,
        refusal: Text<'a>,
        image_url: ImageUrl<'a>,
        file: Attachment<'a>,
        cache_control: &'a RawValue,
        prompt_cache_breakpoint: &'a RawValue,
        ..rest
    }
}

object! {
    ImageUrl<'a> { url: Text<'a>, detail: Text<'a>, ..rest }
}

object! {
    Attachment<'a> { file_data: Text<'a>, file_id: Text<'a>, filename: Text<'a>, ..rest }
}

object! {
    /// A completion, or a chunk of one.
    Completion<'a> {
        id: Text<'a>,
        object: Text<'a>,
        created: u64,
        model: Text<'a>,
        choices: Vec<Choice<'a>>,
        usage: Usage,
        error: &'a RawValue,
        x_groq: Groq<'a>,
        citations: &'a RawValue,
        search_results: &'a RawValue,
        ..rest
    }
}

object! {
    Choice<'a> {
        index: u64,
        message: Message<'a>,
        delta: Message<'a>,
        finish_reason: Text<'a>,
        stop_reason: &'a RawValue,
        logprobs: &'a RawValue,
        ..rest
    }
}

object! {
    Logprobs<'a> { content: &'a RawValue, refusal: &'a RawValue, ..rest }
}

object! {
    /// A page that was found.
    Found<'a> { url: Text<'a>, title: Text<'a>, ..rest }
}

object! {
    Groq<'a> { usage: Usage, error: &'a RawValue, }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Usage {
    pub(crate) prompt_tokens: Option<u64>,
    pub(crate) completion_tokens: Option<u64>,
    pub(crate) prompt_tokens_details: Option<PromptDetails>,
    pub(crate) completion_tokens_details: Option<CompletionDetails>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct PromptDetails {
    pub(crate) cached_tokens: Option<u64>,
    pub(crate) cache_write_tokens: Option<u64>,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct CompletionDetails {
    pub(crate) reasoning_tokens: Option<u64>,
}
