//! What a response repeats of its request.
//!
//! Told as it was carried over: what the upstream was not asked for is not told as if it had been. Source: `OpenAI`
//! API reference, "The response object".

use serde_json::value::RawValue;

use super::write;
use crate::message::json::Json;
use crate::message::{Effort, Reasoning, Request};

/// What a response says where its request says nothing.
const DEFAULTS: &[(&str, &str)] = &[
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("store", "false"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", "\"auto\""),
    ("tools", "[]"),
    ("top_p", "null"),
    ("truncation", "\"disabled\""),
];

/// Members that are repeated as they came.
pub(super) struct AsTheyCame<'a> {
    pub(super) instructions: Option<&'a RawValue>,
    pub(super) metadata: Option<&'a RawValue>,
    /// Of the text.
    pub(super) format: Option<&'a RawValue>,
}

/// The members of the defaults.
pub(super) fn defaults(out: &mut Vec<u8>) {
    for (name, json) in DEFAULTS {
        out.key(name).raw(json);
    }
}

/// The same members as a request sets them.
pub(super) fn of(request: &Request<'_>, came: &AsTheyCame<'_>) -> Vec<u8> {
    let mut out = Vec::with_capacity(512);
    for (name, default) in DEFAULTS {
        out.key(name);
        let start = out.len();
        set(name, request, came, &mut out);
        if out.len() == start {
            out.raw(default);
        }
    }
    out
}

/// Writes what a request says of one of them, if it does.
fn set(name: &str, request: &Request<'_>, came: &AsTheyCame<'_>, out: &mut Vec<u8>) {
    let raw = |out: &mut Vec<u8>, json: Option<&str>| json.into_iter().for_each(|json| out.raw(json));
    match name {
        "instructions" => raw(out, came.instructions.map(RawValue::get)),
        "max_output_tokens" => request.max_tokens.into_iter().for_each(|tokens| out.number(tokens)),
        "metadata" => raw(out, came.metadata.map(RawValue::get)),
        "parallel_tool_calls" if request.parallel_tools == Some(false) => out.raw("false"),
        "reasoning" => {
            if let Some(effort) = effort(request.reasoning) {
                out.open(b'{');
                out.key("effort").string(effort);
                out.key("summary").raw("null");
                out.close(b'}');
            }
        }
        "temperature" => raw(out, request.sampling.temperature),
        "text" => {
            if let Some(format) = came.format {
                out.open(b'{');
                out.key("format").raw(format.get());
                out.close(b'}');
            }
        }
        "tool_choice" => request.tool_choice.iter().for_each(|choice| write::tool_choice(choice, out)),
        "tools" if !request.tools.is_empty() => {
            out.open(b'[');
            request.tools.iter().for_each(|tool| write::tool(tool, out));
            out.close(b']');
        }
        "top_p" => raw(out, request.sampling.top_p),
        _ => {}
    }
}

const fn effort(reasoning: Option<Reasoning>) -> Option<&'static str> {
    match reasoning {
        Some(Reasoning::Off) => Some("none"),
        Some(Reasoning::Effort(effort)) => Some(Effort::name(effort)),
        Some(Reasoning::Adaptive | Reasoning::Budget(_)) | None => None,
    }
}
