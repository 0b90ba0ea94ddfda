//! The canonical form → requests of the dialect.
//!
//! Invariant: what grows from turn to turn, the messages, comes last, and every message depends on its own turn
//! only; so a conversation's body is a prefix of its continuation's. Cohere caches by itself, so that markers say
//! nothing to it.
//!
//! What a model said before it called tools is its `tool_plan`, as it came. Reasoning has no signatures here: what is
//! unsigned is sent, what another provider has signed is not meant for this one.
//!
//! Source: Cohere `OpenAPI` document of 2026-05-31 (`chatv2`); Cohere documentation, "Structured outputs" (what is not
//! taken together) and "Reasoning".

use serde_json::value::RawValue;

use crate::dialect::chat_form::{
    Speech, calls, function, image_part, messages, text_or_parts, text_part, user,
};
use crate::message::json::Json;
use crate::message::read::{At, object};
use crate::message::{
    Block, Effort, Format, Losses, Part, Reasoning, Request, Role, Target, Text, Tool, ToolChoice, Turn,
    Untranslatable,
};

/// Most stop sequences that the API takes.
const STOP_MAX: usize = 5;

/// Tokens of reasoning that stand for a low and for a medium effort: between the bounds from which on a budget
/// counts as such where it goes the other way. Higher efforts have no bound.
const BUDGET_LOW: u64 = 2048;
const BUDGET_MEDIUM: u64 = 8192;

/// Writes a request.
pub(super) fn request(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    refuse_media(request)?;
    out.push(b'{');
    out.key("model").string(target.model);
    if let Some(tokens) = request.max_tokens {
        out.key("max_tokens").number(tokens);
    }
    sampling(request, losses, out);
    if !request.stop.is_empty() {
        losses.add_if(request.stop.len() > STOP_MAX, "stop_sequences");
        out.key("stop_sequences").open(b'[');
        request.stop.iter().take(STOP_MAX).for_each(|stop| out.text(stop));
        out.close(b']');
    }
    losses.add_if(request.user.is_some(), "user");
    request.name_unwanted_thoughts(losses);
    thinking(request.reasoning, losses, out);
    response_format(request, losses, out);
    if request.stream {
        out.key("stream").raw("true");
    }
    tools(request, losses, out)?;
    messages(request, &SPEECH, losses, out);
    out.close(b'}');
    Ok(())
}

/// The API takes images of the user, and no documents.
fn refuse_media(request: &Request<'_>) -> Result<(), Untranslatable> {
    fn check(at: &At<'_>, blocks: &[Block<'_>], images: bool) -> Result<(), Untranslatable> {
        for (index, block) in blocks.iter().enumerate() {
            let at = at.index(index);
            match &block.part {
                Part::Document { .. } => {
                    let error = "is a document, which this model's API does not take. hint: send its text";
                    return Err(at.error(error));
                }
                Part::Image(..) if !images => {
                    return Err(at.error(
                        "is an image that the user did not send, which this model's API does not take",
                    ));
                }
                Part::ToolResult { content, .. } => check(&at.member("content"), content, images)?,
                Part::Text(_)
                | Part::Refusal(_)
                | Part::Image(..)
                | Part::ToolCall { .. }
                | Part::Thinking { .. }
                | Part::Redacted(_)
                | Part::Citation(_) => {}
            }
        }
        Ok(())
    }
    check(&At::ROOT.member("system"), &request.system, false)?;
    let all = At::ROOT.member("messages");
    for (index, turn) in request.turns.iter().enumerate() {
        let at = all.index(index);
        check(&at.member("content"), &turn.blocks, turn.role == Role::User)?;
    }
    Ok(())
}

fn sampling(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let sampling = &request.sampling;
    // Scales that are narrower here than elsewhere.
    for (name, said, value, low, high) in [
        ("temperature", "temperature", sampling.temperature, "0", "1"),
        ("p", "top_p", sampling.top_p, "0.01", "0.99"),
        ("k", "top_k", sampling.top_k, "0", "500"),
        ("frequency_penalty", "frequency_penalty", sampling.frequency_penalty, "0", "1"),
        ("presence_penalty", "presence_penalty", sampling.presence_penalty, "0", "1"),
    ] {
        if let Some(value) = value {
            let within = within(value, low, high);
            losses.add_if(within != value, said);
            out.key(name).raw(within);
        }
    }
    if let Some(seed) = sampling.seed {
        if seed.bytes().all(|byte| byte.is_ascii_digit()) {
            out.key("seed").raw(seed);
        } else {
            losses.add("seed");
        }
    }
    match sampling.logprobs {
        Some("true") => out.key("logprobs").raw("true"),
        Some(_) => losses.add("logprobs"),
        None => {}
    }
    losses.unlike_default(&[
        ("logit_bias", sampling.logit_bias, ""),
        ("top_logprobs", sampling.top_logprobs, "0"),
        ("n", sampling.n, "1"),
    ]);
}

/// A number, or the bound that it lies beyond.
fn within<'v>(value: &'v str, low: &'v str, high: &'v str) -> &'v str {
    let number = |text: &str| text.parse().unwrap_or(0.0_f64);
    if number(value) < number(low) {
        low
    } else if number(value) > number(high) {
        high
    } else {
        value
    }
}

fn thinking(reasoning: Option<Reasoning>, losses: &mut Losses, out: &mut Vec<u8>) {
    let Some(reasoning) = reasoning else { return };
    let budget = match reasoning {
        Reasoning::Off | Reasoning::Budget(0) => {
            return out.key("thinking").raw(r#"{"type":"disabled"}"#);
        }
        Reasoning::Adaptive => None,
        Reasoning::Budget(tokens) => Some(tokens),
        Reasoning::Effort(effort) => {
            losses.add("reasoning_effort");
            match effort {
                Effort::Minimal | Effort::Low => Some(BUDGET_LOW),
                Effort::Medium => Some(BUDGET_MEDIUM),
                Effort::High | Effort::XHigh | Effort::Max => None,
            }
        }
    };
    out.key("thinking").open(b'{');
    out.key("type").raw("\"enabled\"");
    if let Some(tokens) = budget {
        out.key("token_budget").number(tokens);
    }
    out.close(b'}');
}

fn response_format(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let Some(format) = &request.format else { return };
    // The API refuses the two together.
    if !request.tools.is_empty() {
        return losses.add("response_format");
    }
    out.key("response_format").open(b'{');
    out.key("type").raw("\"json_object\"");
    if let Format::Schema(schema) = format {
        out.key("json_schema").raw(schema.alone(losses));
    }
    out.close(b'}');
}

fn tools(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) -> Result<(), Untranslatable> {
    if request.tools.is_empty() {
        return Ok(());
    }
    losses.add_if(request.parallel_tools == Some(false), "parallel_tool_calls");
    let word = match &request.tool_choice {
        None | Some(ToolChoice::Auto) => None,
        Some(ToolChoice::None) => Some("\"NONE\""),
        Some(ToolChoice::Any | ToolChoice::Named(_)) => Some("\"REQUIRED\""),
    };
    if let Some(word) = word {
        out.key("tool_choice").raw(word);
    }
    // Where one tool must be called, it must be the only one: the API cannot name it.
    let chosen = |tool: &&Tool<'_>| match &request.tool_choice {
        Some(ToolChoice::Named(name)) => tool.name == *name,
        _ => true,
    };
    let offered: Vec<&Tool<'_>> = request.tools.iter().filter(chosen).collect();
    if offered.is_empty() {
        return Err(At::ROOT.member("tool_choice").error("names no tool of this request"));
    }
    losses.add_if(offered.len() < request.tools.len(), "tools[]");
    let strict = |tool: &&Tool<'_>| tool.strict == Some(true);
    if offered.iter().all(|tool| strict(tool) && has_required(tool)) {
        out.key("strict_tools").raw("true");
    } else {
        losses.add_if(offered.iter().any(strict), "tools[].strict");
    }
    out.key("tools").open(b'[');
    for tool in offered {
        function(tool, Some(tool.schema_or_empty()), None, out);
    }
    out.close(b']');
    Ok(())
}

object! {
    Schema<'a> { required: Vec<&'a RawValue>, }
}

/// Whether a tool has a parameter that must be there; without one the API is not strict about it.
fn has_required(tool: &Tool<'_>) -> bool {
    let schema = tool.schema.as_deref().and_then(|schema| serde_json::from_str::<Schema<'_>>(schema).ok());
    schema.and_then(|schema| schema.required).is_some_and(|required| !required.is_empty())
}

const SPEECH: Speech<'static> =
    Speech { message, user: |turn, losses, out| user(message, turn, losses, out), assistant: &assistant };

fn assistant(turn: &Turn<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let called = turn.blocks.iter().any(|block| matches!(block.part, Part::ToolCall { .. }));
    let (mut content, mut plan, mut calling) = (Vec::new(), Vec::new(), false);
    for block in &turn.blocks {
        match &block.part {
            Part::Thinking { signature, .. } if signature.as_ref().is_some_and(|s| !s.is_empty()) => {
                losses.add("messages[].content[].thinking");
            }
            Part::Redacted(_) => losses.add("messages[].content[].redacted_thinking"),
            Part::Thinking { text, .. } if text.is_empty() => {}
            Part::ToolCall { .. } => calling = true,
            Part::Text(text) | Part::Refusal(text) => {
                // In the dialect all text comes before the calls.
                losses.add_if(calling, "messages[].content");
                if called {
                    plan.push(text);
                } else {
                    content.push(block);
                }
            }
            Part::Thinking { .. } => content.push(block),
            Part::Image(..) | Part::Document { .. } | Part::ToolResult { .. } | Part::Citation(_) => {}
        }
    }
    if content.is_empty() && !called {
        return;
    }
    out.open(b'{');
    out.key("role").raw("\"assistant\"");
    if !content.is_empty() {
        text_or_parts(&content, part, out.key("content"));
    }
    if plan.iter().any(|text| !text.is_empty()) {
        out.key("tool_plan").text(&Text::escaped(plan.iter().map(|text| text.raw()).collect()));
    }
    calls(turn, out);
    out.close(b'}');
}

fn message(role: &str, blocks: &[&Block<'_>], out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("role").string(role);
    text_or_parts(blocks, part, out.key("content"));
    out.close(b'}');
}

fn part(part: &Part<'_>, out: &mut Vec<u8>) {
    match part {
        Part::Text(text) | Part::Refusal(text) => text_part("text", text, out),
        Part::Thinking { text, .. } => text_part("thinking", text, out),
        Part::Image(source, detail) => image_part(source, detail.as_ref(), out),
        Part::Document { .. }
        | Part::ToolCall { .. }
        | Part::ToolResult { .. }
        | Part::Redacted(_)
        | Part::Citation(_) => {}
    }
}
