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

use crate::dialect::openai_chat::write::{TOOL_FAILED, url};
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

/// The schema of a tool without arguments; the API insists on one.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

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
    thinking(request.reasoning, losses, out);
    response_format(request, losses, out);
    if request.stream {
        out.key("stream").raw("true");
    }
    tools(request, losses, out)?;
    messages(request, losses, out);
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
                Part::Image(_) if !images => {
                    return Err(at.error(
                        "is an image that the user did not send, which this model's API does not take",
                    ));
                }
                Part::ToolResult { content, .. } => check(&at.member("content"), content, images)?,
                Part::Text(_)
                | Part::Image(_)
                | Part::ToolCall { .. }
                | Part::Thinking { .. }
                | Part::Redacted(_) => {}
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
    losses.add_if(sampling.logit_bias.is_some(), "logit_bias");
    losses.add_if(sampling.top_logprobs.is_some_and(|number| number != "0"), "top_logprobs");
    losses.add_if(sampling.n.is_some_and(|number| number != "1"), "n");
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
        out.key("json_schema").raw(schema);
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
    for one in offered {
        tool(one, out);
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

fn tool(tool: &Tool<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"function\"");
    out.key("function").open(b'{');
    out.key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        out.key("description").text(description);
    }
    out.key("parameters").raw(tool.schema.as_deref().unwrap_or(NO_ARGUMENTS));
    out.close(b'}');
    out.close(b'}');
}

fn messages(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    out.key("messages").open(b'[');
    if !request.system.is_empty() {
        message("system", &request.system.iter().collect::<Vec<_>>(), out);
    }
    for turn in &request.turns {
        match turn.role {
            Role::System => message("system", &turn.blocks.iter().collect::<Vec<_>>(), out),
            Role::User => user(turn, losses, out),
            Role::Assistant => assistant(turn, losses, out),
        }
    }
    // Anthropic's models go on from there, others answer it.
    losses.add_if(request.turns.last().is_some_and(|turn| turn.role == Role::Assistant), "prefill");
    out.close(b']');
}

/// The results of tools as messages of their own, the rest as one message behind them.
fn user(turn: &Turn<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let mut rest: Vec<&Block<'_>> = Vec::new();
    for block in &turn.blocks {
        if let Part::ToolResult { id, content, is_error } = &block.part {
            losses.add_if(*is_error, "messages[].content[].is_error");
            tool_message(id, content, *is_error, out);
            // A tool's message is text only.
            let media = content.iter().filter(|block| !matches!(block.part, Part::Text(_)));
            rest.extend(media.inspect(|_| losses.add("messages[].content[].content[]")));
        }
    }
    rest.extend(turn.blocks.iter().filter(|block| !matches!(block.part, Part::ToolResult { .. })));
    if !rest.is_empty() {
        message("user", &rest, out);
    }
}

fn tool_message(id: &Text<'_>, content: &[Block<'_>], is_error: bool, out: &mut Vec<u8>) {
    let mut texts: Vec<Text<'_>> = content.iter().filter_map(text_of).map(Text::borrowed).collect();
    if is_error {
        match texts.first_mut() {
            Some(first) => *first = Text::escaped(format!("{TOOL_FAILED}{}", first.raw())),
            None => texts.push(Text::plain(TOOL_FAILED)),
        }
    }
    out.open(b'{');
    out.key("role").raw("\"tool\"");
    out.key("tool_call_id").text(id);
    out.key("content");
    match texts.as_slice() {
        [] => out.raw("\"\""),
        [one] => out.text(one),
        several => {
            out.open(b'[');
            for text in several {
                part("text", text, out);
            }
            out.close(b']');
        }
    }
    out.close(b'}');
}

fn text_of<'b>(block: &'b Block<'_>) -> Option<&'b Text<'b>> {
    match &block.part {
        Part::Text(text) => Some(text),
        _ => None,
    }
}

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
            Part::Text(text) => {
                // In the dialect all text comes before the calls.
                losses.add_if(calling, "messages[].content");
                if called {
                    plan.push(text);
                } else {
                    content.push(block);
                }
            }
            Part::Thinking { .. } => content.push(block),
            Part::Image(_) | Part::Document { .. } | Part::ToolResult { .. } => {}
        }
    }
    if content.is_empty() && !called {
        return;
    }
    out.open(b'{');
    out.key("role").raw("\"assistant\"");
    if !content.is_empty() {
        out.key("content");
        parts(&content, out);
    }
    if plan.iter().any(|text| !text.is_empty()) {
        out.key("tool_plan").text(&Text::escaped(plan.iter().map(|text| text.raw()).collect()));
    }
    if called {
        out.key("tool_calls").open(b'[');
        for block in &turn.blocks {
            if let Part::ToolCall { id, name, input } = &block.part {
                call(id, name, input, out);
            }
        }
        out.close(b']');
    }
    out.close(b'}');
}

fn call(id: &Text<'_>, name: &Text<'_>, input: &str, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("id").text(id);
    out.key("type").raw("\"function\"");
    out.key("function").open(b'{');
    out.key("name").text(name);
    out.key("arguments").string(input);
    out.close(b'}');
    out.close(b'}');
}

fn message(role: &str, blocks: &[&Block<'_>], out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("role").string(role);
    out.key("content");
    parts(blocks, out);
    out.close(b'}');
}

/// One text as such, everything else as an array.
fn parts(blocks: &[&Block<'_>], out: &mut Vec<u8>) {
    if let [Block { part: Part::Text(text), .. }] = blocks {
        return out.text(text);
    }
    out.open(b'[');
    for block in blocks {
        match &block.part {
            Part::Text(text) => part("text", text, out),
            Part::Thinking { text, .. } => part("thinking", text, out),
            Part::Image(source) => {
                out.open(b'{');
                out.key("type").raw("\"image_url\"");
                out.key("image_url").open(b'{');
                url(out.key("url"), source);
                out.close(b'}');
                out.close(b'}');
            }
            Part::Document { .. } | Part::ToolCall { .. } | Part::ToolResult { .. } | Part::Redacted(_) => {}
        }
    }
    out.close(b']');
}

/// A part that is a text, named as its type is.
fn part(kind: &str, text: &Text<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").string(kind);
    out.key(kind).text(text);
    out.close(b'}');
}
