//! What a response repeats of its request.
//!
//! Told as it was carried over: what the upstream was not asked for is not told as if it had been. Metadata is the
//! client's own note, and comes back although no upstream has seen it. Source: `OpenAI` API reference, "The response
//! object".

use serde_json::value::RawValue;

use super::write;
use crate::message::json::Json;
use crate::message::{Reasoning, Request};

/// Members that are repeated as they came.
pub(super) struct AsTheyCame<'a> {
    pub(super) instructions: Option<&'a RawValue>,
    pub(super) metadata: Option<&'a RawValue>,
    /// Of the text.
    pub(super) format: Option<&'a RawValue>,
}

/// The members, in JSON; the API's defaults where the request says nothing.
pub(super) fn of(request: &Request<'_>, came: &AsTheyCame<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    out.key("background").raw("false");
    out.key("instructions").raw(came.instructions.map_or("null", RawValue::get));
    out.key("max_output_tokens");
    match request.max_tokens {
        Some(tokens) => out.number(tokens),
        None => out.raw("null"),
    }
    out.key("metadata").raw(came.metadata.map_or("{}", RawValue::get));
    out.key("parallel_tool_calls").raw(if request.parallel_tools == Some(false) { "false" } else { "true" });
    out.key("previous_response_id").raw("null");
    out.key("reasoning").open(b'{');
    out.key("effort");
    match effort(request.reasoning) {
        Some(effort) => out.string(effort),
        None => out.raw("null"),
    }
    out.key("summary").raw(if request.wants_thoughts() { "\"auto\"" } else { "null" });
    out.close(b'}');
    out.key("store").raw("false");
    out.key("temperature").raw(request.sampling.temperature.unwrap_or("null"));
    out.key("text").open(b'{');
    out.key("format").raw(came.format.map_or(r#"{"type":"text"}"#, RawValue::get));
    out.close(b'}');
    out.key("tool_choice");
    match &request.tool_choice {
        Some(choice) => write::tool_choice(choice, &mut out),
        None => out.raw("\"auto\""),
    }
    out.key("tools").open(b'[');
    request.tools.iter().for_each(|tool| write::tool(tool, tool.strict == Some(true), &mut out));
    out.close(b']');
    out.key("top_p").raw(request.sampling.top_p.unwrap_or("null"));
    out.key("truncation").raw("\"disabled\"");
    out
}

const fn effort(reasoning: Option<Reasoning>) -> Option<&'static str> {
    match reasoning {
        Some(Reasoning::Off) => Some("none"),
        Some(Reasoning::Effort(effort)) => Some(effort.name()),
        Some(Reasoning::Adaptive | Reasoning::Budget(_)) | None => None,
    }
}
