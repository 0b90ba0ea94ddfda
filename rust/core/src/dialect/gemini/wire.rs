//! The objects of the dialect, as far as they are read: of requests, replies and chunks alike, since a content sent
//! back is the content that was received. Sources: see the dialect.

use std::borrow::Cow;
use std::fmt::{self, Formatter};

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::message::Text;
use crate::message::read::{Key, object};

object! {
    Body<'a> {
        contents: Vec<Content<'a>>,
        system_instruction as "systemInstruction" or "system_instruction": Content<'a>,
        generation_config as "generationConfig" or "generation_config": GenerationConfig<'a>,
        tools: Vec<Entries<'a>>,
        tool_config as "toolConfig" or "tool_config": ToolConfig<'a>,
        cached_content as "cachedContent" or "cached_content": Text<'a>,
        service_tier as "serviceTier" or "service_tier": Text<'a>,
        ..rest
    }
}

object! {
    Content<'a> { role: Text<'a>, parts: Vec<Part<'a>>, ..rest }
}

object! {
    /// A part of any type.
    Part<'a> {
        text: Text<'a>,
        thought: bool,
        thought_signature as "thoughtSignature" or "thought_signature": Text<'a>,
        inline_data as "inlineData" or "inline_data": Blob<'a>,
        file_data as "fileData" or "file_data": FileData<'a>,
        function_call as "functionCall" or "function_call": FunctionCall<'a>,
        function_response as "functionResponse" or "function_response": FunctionResponse<'a>,
        executable_code as "executableCode" or "executable_code": &'a RawValue,
        code_execution_result as "codeExecutionResult" or "code_execution_result": &'a RawValue,
        tool_call as "toolCall" or "tool_call": &'a RawValue,
        tool_response as "toolResponse" or "tool_response": &'a RawValue,
        ..rest
    }
}

object! {
    Blob<'a> { mime_type as "mimeType" or "mime_type": Text<'a>, data: Text<'a>, ..rest }
}

object! {
    FileData<'a> {
        mime_type as "mimeType" or "mime_type": Text<'a>,
        file_uri as "fileUri" or "file_uri": Text<'a>,
        ..rest
    }
}

object! {
    FunctionCall<'a> {
        id: Text<'a>,
        name: Text<'a>,
        args: &'a RawValue,
        partial_args as "partialArgs" or "partial_args": &'a RawValue,
        will_continue as "willContinue" or "will_continue": bool,
        ..rest
    }
}

object! {
    FunctionResponse<'a> {
        id: Text<'a>,
        name: Text<'a>,
        response: &'a RawValue,
        parts: Vec<Part<'a>>,
        ..rest
    }
}

object! {
    FunctionDeclaration<'a> {
        name: Text<'a>,
        description: Text<'a>,
        parameters: &'a RawValue,
        parameters_json_schema as "parametersJsonSchema" or "parameters_json_schema": &'a RawValue,
        ..rest
    }
}

object! {
    ToolConfig<'a> {
        function_calling_config as "functionCallingConfig" or "function_calling_config": FunctionCallingConfig<'a>,
        ..rest
    }
}

object! {
    FunctionCallingConfig<'a> {
        mode: Text<'a>,
        allowed_function_names as "allowedFunctionNames" or "allowed_function_names": Vec<Text<'a>>,
        ..rest
    }
}

object! {
    GenerationConfig<'a> {
        max_output_tokens as "maxOutputTokens" or "max_output_tokens": u64,
        temperature: &'a RawValue,
        top_p as "topP" or "top_p": &'a RawValue,
        top_k as "topK" or "top_k": &'a RawValue,
        candidate_count as "candidateCount" or "candidate_count": &'a RawValue,
        stop_sequences as "stopSequences" or "stop_sequences": Vec<Text<'a>>,
        presence_penalty as "presencePenalty" or "presence_penalty": &'a RawValue,
        frequency_penalty as "frequencyPenalty" or "frequency_penalty": &'a RawValue,
        seed: &'a RawValue,
        response_logprobs as "responseLogprobs" or "response_logprobs": &'a RawValue,
        logprobs: &'a RawValue,
        response_mime_type as "responseMimeType" or "response_mime_type": Text<'a>,
        response_schema as "responseSchema" or "response_schema": &'a RawValue,
        response_json_schema as "responseJsonSchema" or "response_json_schema": &'a RawValue,
        internal_json_schema as "_responseJsonSchema" or "_response_json_schema": &'a RawValue,
        response_format as "responseFormat" or "response_format": ResponseFormat<'a>,
        response_modalities as "responseModalities" or "response_modalities": Vec<Text<'a>>,
        thinking_config as "thinkingConfig" or "thinking_config": ThinkingConfig<'a>,
        ..rest
    }
}

object! {
    ResponseFormat<'a> { text: TextFormat<'a>, ..rest }
}

object! {
    TextFormat<'a> { mime_type as "mimeType" or "mime_type": Text<'a>, schema: &'a RawValue, ..rest }
}

object! {
    ThinkingConfig<'a> {
        include_thoughts as "includeThoughts" or "include_thoughts": bool,
        thinking_budget as "thinkingBudget" or "thinking_budget": i64,
        thinking_level as "thinkingLevel" or "thinking_level": Text<'a>,
        ..rest
    }
}

object! {
    /// A reply, or a chunk of one.
    Reply<'a> {
        candidates: Vec<Candidate<'a>>,
        prompt_feedback as "promptFeedback": PromptFeedback<'a>,
        usage_metadata as "usageMetadata": Usage,
        model_version as "modelVersion": Text<'a>,
        response_id as "responseId": Text<'a>,
        error: &'a RawValue,
        ..rest
    }
}

object! {
    Candidate<'a> {
        content: Content<'a>,
        finish_reason as "finishReason": Text<'a>,
        finish_message as "finishMessage": Text<'a>,
        index: u64,
        logprobs_result as "logprobsResult": &'a RawValue,
        grounding_metadata as "groundingMetadata": &'a RawValue,
        citation_metadata as "citationMetadata": &'a RawValue,
        ..rest
    }
}

object! {
    GroundingMetadata<'a> { chunks as "groundingChunks": Vec<GroundingChunk<'a>>, ..rest }
}

object! {
    GroundingChunk<'a> { web: Page<'a>, ..rest }
}

object! {
    /// The Gemini API has the first name, Vertex AI the other.
    CitationMetadata<'a> { citations as "citationSources" or "citations": Vec<Page<'a>>, ..rest }
}

object! {
    Page<'a> { uri: Text<'a>, title: Text<'a>, ..rest }
}

object! {
    LogprobsResult<'a> {
        chosen_candidates as "chosenCandidates": Vec<LogprobCandidate<'a>>,
        top_candidates as "topCandidates": Vec<TopCandidates<'a>>,
    }
}

object! {
    /// What is zero or empty may be left out.
    LogprobCandidate<'a> { token: Text<'a>, log_probability as "logProbability": &'a RawValue, }
}

object! {
    TopCandidates<'a> { candidates: Vec<LogprobCandidate<'a>>, }
}

object! {
    PromptFeedback<'a> { block_reason as "blockReason": Text<'a>, ..rest }
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Usage {
    #[serde(rename = "promptTokenCount")]
    pub(crate) prompt: Option<u64>,
    #[serde(rename = "toolUsePromptTokenCount")]
    pub(crate) tool_use_prompt: Option<u64>,
    #[serde(rename = "cachedContentTokenCount")]
    pub(crate) cached_content: Option<u64>,
    #[serde(rename = "candidatesTokenCount")]
    pub(crate) candidates: Option<u64>,
    #[serde(rename = "thoughtsTokenCount")]
    pub(crate) thoughts: Option<u64>,
}

/// An object of which every member counts, also one whose value says nothing.
#[derive(Debug, Default)]
pub(crate) struct Entries<'a>(pub(crate) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Entries<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Entries<'de>, M::Error> {
                let mut members = Vec::new();
                while let Some(Key(key)) = map.next_key()? {
                    members.push((key, map.next_value()?));
                }
                Ok(Entries(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}
