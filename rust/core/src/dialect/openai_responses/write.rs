//! The canonical form → requests of the dialect.
//!
//! Invariant: what grows from turn to turn, the input, comes last, and every item depends on its own block only;
//! so a conversation's body is a prefix of its continuation's, which is what the provider caches by.
//!
//! Nothing is left on the provider's servers (`store: false`): the client has the whole conversation, reasoning
//! included, and sends it again. Source: `OpenAI` API reference, "Create a model response".

use std::cell::Cell;

use super::read;
use crate::dialect::ChatFields;
use crate::dialect::chat_form::{self, Speech, TOOL_FAILED, text_or_parts, url};
use crate::dialect::openai_chat::write as chat;
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::{
    Block, Format, Losses, Maker, Part, Request, Source, Target, Text, Tier, Tool, ToolChoice, Turn,
    Untranslatable,
};

/// The lowest bound on generated tokens that the API takes.
const MAX_TOKENS_MIN: u64 = 16;

/// Writes a request.
pub(in crate::dialect) fn request(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    if request.system.is_empty() && request.turns.is_empty() {
        return Err(At::ROOT
            .member("messages")
            .error("must hold something: this model's API takes no empty input"));
    }
    out.push(b'{');
    out.key("model").string(target.model);
    if !target.counts {
        out.key("store").raw("false");
    }
    if let Some(tokens) = request.max_tokens {
        losses.add_if(tokens < MAX_TOKENS_MIN, "max_tokens");
        out.key("max_output_tokens").number(tokens.max(MAX_TOKENS_MIN));
    }
    sampling(request, losses, out);
    losses.add_if(!request.stop.is_empty(), "stop");
    if let Some(user) = &request.user {
        if target.chat_fields == ChatFields::Openai && user.raw().len() <= chat::USER_BYTES_MAX {
            out.key("safety_identifier").text(user);
        } else {
            losses.add("user");
        }
    }
    match request.tier {
        Some(Tier::Auto) => out.key("service_tier").raw("\"auto\""),
        Some(Tier::Standard) => out.key("service_tier").raw("\"default\""),
        None => {}
    }
    let effort = chat::effort(request.reasoning, losses);
    let is_told = request.wants_thoughts() && may_reason(target.model);
    let reasons = effort.is_some() || is_told;
    if reasons {
        out.key("reasoning").open(b'{');
        if let Some(effort) = effort {
            out.key("effort").string(effort);
        }
        // Accounts that `OpenAI` has not verified are refused summaries, and so none is asked for unasked.
        // Source: BerriAI/litellm, issue 16032.
        if is_told {
            out.key("summary").raw("\"auto\"");
        }
        out.close(b'}');
    }
    include(request, target, reasons, losses, out);
    let mut verbosity = None;
    for (name, value) in &request.shared {
        match *name {
            "verbosity" => verbosity = Some(*value),
            name => out.key(name).raw(value),
        }
    }
    text(request.format.as_ref(), verbosity, out);
    if request.stream {
        out.key("stream").raw("true");
    }
    tools(request, target, losses, out);
    input(request, losses, out);
    out.close(b'}');
    Ok(())
}

/// What the reply shall hold beside the answer. Models that do not reason refuse to be asked for encrypted reasoning, as
/// they refuse an effort.
fn include(
    request: &Request<'_>,
    target: &Target<'_>,
    reasons: bool,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) {
    let sampling = &request.sampling;
    let own = target.chat_fields == ChatFields::Openai && !target.counts;
    if !own {
        losses.unlike_default(&[
            ("logprobs", sampling.logprobs, ""),
            ("top_logprobs", sampling.top_logprobs, "0"),
        ]);
        return;
    }
    let items = match (reasons, sampling.logprobs.is_some()) {
        (false, false) => None,
        (true, false) => Some(r#"["reasoning.encrypted_content"]"#),
        (false, true) => Some(r#"["message.output_text.logprobs"]"#),
        (true, true) => Some(r#"["reasoning.encrypted_content","message.output_text.logprobs"]"#),
    };
    out.given(&[("include", items), ("top_logprobs", sampling.top_logprobs)]);
}

fn text(format: Option<&Format<'_>>, verbosity: Option<&str>, out: &mut Vec<u8>) {
    if format.is_none() && verbosity.is_none() {
        return;
    }
    out.key("text").open(b'{');
    match format {
        Some(Format::Json) => out.key("format").raw(r#"{"type":"json_object"}"#),
        Some(Format::Schema(schema)) => {
            out.key("format").open(b'{');
            out.key("type").raw("\"json_schema\"");
            schema.members(out);
            out.close(b'}');
        }
        None => {}
    }
    if let Some(verbosity) = verbosity {
        out.key("verbosity").raw(verbosity);
    }
    out.close(b'}');
}

fn sampling(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let sampling = &request.sampling;
    out.given(&[("temperature", sampling.temperature), ("top_p", sampling.top_p)]);
    losses.unlike_default(&[
        ("top_k", sampling.top_k, ""),
        ("frequency_penalty", sampling.frequency_penalty, "0"),
        ("presence_penalty", sampling.presence_penalty, "0"),
        ("seed", sampling.seed, ""),
        ("logit_bias", sampling.logit_bias, ""),
        ("n", sampling.n, "1"),
    ]);
}

fn tools(request: &Request<'_>, target: &Target<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    // Without tools the API refuses to be told how to use them.
    if request.tools.is_empty() {
        return;
    }
    if let Some(choice) = &request.tool_choice {
        tool_choice(choice, out.key("tool_choice"));
    }
    if let Some(parallel) = request.parallel_tools {
        out.key("parallel_tool_calls").raw(if parallel { "true" } else { "false" });
    }
    out.key("tools").open(b'[');
    for one in &request.tools {
        let strict = one.strict_for(target) == Some(true);
        losses.add_if(one.strict == Some(true) && !strict, "tools[].strict");
        tool(one, strict, out);
    }
    out.close(b']');
}

pub(super) fn tool_choice(choice: &ToolChoice<'_>, out: &mut Vec<u8>) {
    match choice {
        ToolChoice::Auto => out.raw("\"auto\""),
        ToolChoice::None => out.raw("\"none\""),
        ToolChoice::Any => out.raw("\"required\""),
        ToolChoice::Named(name) => {
            out.open(b'{');
            out.key("type").raw("\"function\"");
            out.key("name").text(name);
            out.close(b'}');
        }
    }
}

pub(super) fn tool(tool: &Tool<'_>, strict: bool, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"function\"");
    out.key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        out.key("description").text(description);
    }
    out.key("parameters").raw(tool.schema_or_empty());
    // Left out it would be yes, other than in the dialects that requests come from.
    out.key("strict").raw(if strict { "true" } else { "false" });
    out.close(b'}');
}

fn input(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let texts = request.system.iter().map(|block| match &block.part {
        Part::Text(text) => Some(text.raw()),
        _ => None,
    });
    let texts: Option<Vec<&str>> = texts.collect();
    // For `json_object` the API looks for the word JSON in the input, and not in the instructions; and it answers
    // no instructions alone.
    let as_input = matches!(request.format, Some(Format::Json)) || request.turns.is_empty();
    let instructions = texts.filter(|_| !as_input);
    if let Some(texts) = instructions.as_ref().filter(|texts| !texts.is_empty()) {
        out.key("instructions").text(&Text::escaped(texts.join(read::BETWEEN_PARTS)));
    }
    out.key("input").open(b'[');
    if instructions.is_none() && !request.system.is_empty() {
        message("system", &request.system.iter().collect::<Vec<_>>(), out);
    }
    let refusals = Cell::new(0);
    let assistant = |turn: &Turn<'_>, losses: &mut Losses, out: &mut Vec<u8>| {
        assistant(turn, &refusals, losses, out);
    };
    chat_form::turns(request, &Speech { message, user, assistant: &assistant }, losses, out);
    out.close(b']');
}

/// The results of tools as items of their own, the rest as one message behind them.
fn user(turn: &Turn<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    for block in &turn.blocks {
        if let Part::ToolResult { id, content, is_error } = &block.part {
            losses.add_if(*is_error, "messages[].content[].is_error");
            result(id, content, *is_error, out);
        }
    }
    let rest = turn.blocks.iter().filter(|block| !matches!(block.part, Part::ToolResult { .. }));
    let rest: Vec<&Block<'_>> = rest.collect();
    if !rest.is_empty() {
        message("user", &rest, out);
    }
}

fn result(id: &Text<'_>, content: &[Block<'_>], is_error: bool, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"function_call_output\"");
    out.key("call_id").text(id);
    out.key("output");
    match content {
        [] => out.string(if is_error { TOOL_FAILED } else { "" }),
        [Block { part: Part::Text(text), .. }] if is_error => {
            out.text(&Text::escaped(format!("{}{}", TOOL_FAILED, text.raw())));
        }
        [Block { part: Part::Text(text), .. }] => out.text(text),
        blocks => {
            out.open(b'[');
            if is_error {
                text_part(&Text::plain(TOOL_FAILED), out);
            }
            for block in blocks {
                part(&block.part, out);
            }
            out.close(b']');
        }
    }
    out.close(b'}');
}

/// Whether a model may reason. Those of `OpenAI`'s that do not refuse to be asked what they thought, and have nothing
/// to tell. Source: `OpenAI` API documentation, "Models".
fn may_reason(model: &str) -> bool {
    !["gpt-3", "gpt-4", "chatgpt"].iter().any(|family| model.contains(family))
}

/// What the model said, each block as an item, in its order.
fn assistant(turn: &Turn<'_>, refusals: &Cell<usize>, losses: &mut Losses, out: &mut Vec<u8>) {
    for block in &turn.blocks {
        match &block.part {
            Part::Text(text) => {
                // Beside calls other dialects have empty ones.
                if !text.is_empty() {
                    message("assistant", &[block], out);
                }
            }
            Part::Refusal(text) => refusal(text, refusals.replace(refusals.get() + 1), out),
            // Requests hold none.
            Part::Citation(_) => {}
            Part::ToolCall { id, name, input } => {
                out.open(b'{');
                out.key("type").raw("\"function_call\"");
                out.key("call_id").text(id);
                out.key("name").text(name);
                out.key("arguments").string(input);
                out.close(b'}');
            }
            Part::Thinking { text, signature } => {
                if !reasoning(text, signature.as_ref(), out) {
                    losses.add("messages[].thinking");
                }
            }
            Part::Redacted(_) => losses.add("messages[].redacted_thinking"),
            Part::Image(..) | Part::Document { .. } | Part::ToolResult { .. } => {
                losses.add("messages[].content[]");
            }
        }
    }
}

/// A refusal, as a message with one part: other than for text there is no form without an id, which must not come
/// twice in a request and stays the same from turn to turn.
fn refusal(text: &Text<'_>, number: usize, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"message\"");
    out.key("id").string(&format!("msg_refusal_{number}"));
    out.key("role").raw("\"assistant\"");
    out.key("status").raw("\"completed\"");
    out.key("content").open(b'[');
    chat_form::text_part("refusal", text, out);
    out.close(b']');
    out.close(b'}');
}

/// Writes reasoning that the provider has told itself, and whether it has.
fn reasoning(text: &Text<'_>, signature: Option<&Text<'_>>, out: &mut Vec<u8>) -> bool {
    let own = signature.and_then(|signature| Maker::OpenAi.unseal(signature));
    let Some((id, encrypted)) = own.and_then(|own| own.split_once(":")) else { return false };
    out.open(b'{');
    out.key("type").raw("\"reasoning\"");
    out.key("id").text(&id);
    out.key("summary").open(b'[');
    if !text.is_empty() {
        out.open(b'{');
        out.key("type").raw("\"summary_text\"");
        out.key("text").text(text);
        out.close(b'}');
    }
    out.close(b']');
    out.key("encrypted_content").text(&encrypted);
    out.close(b'}');
    true
}

fn message(role: &str, blocks: &[&Block<'_>], out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"message\"");
    out.key("role").string(role);
    out.key("content");
    text_or_parts(blocks, part, out);
    out.close(b'}');
}

fn part(part: &Part<'_>, out: &mut Vec<u8>) {
    match part {
        Part::Text(text) => text_part(text, out),
        Part::Image(source, detail) => {
            out.open(b'{');
            out.key("type").raw("\"input_image\"");
            out.key("detail").text(detail.as_ref().unwrap_or(&Text::plain("auto")));
            url(out.key("image_url"), source);
            out.close(b'}');
        }
        Part::Document { source, title } => {
            out.open(b'{');
            out.key("type").raw("\"input_file\"");
            match source {
                Source::Url(url) => out.key("file_url").text(url),
                Source::Base64 { .. } => {
                    out.key("filename").text(title.as_ref().unwrap_or(&Text::plain("document.pdf")));
                    url(out.key("file_data"), source);
                }
            }
            out.close(b'}');
        }
        Part::Refusal(_)
        | Part::ToolCall { .. }
        | Part::ToolResult { .. }
        | Part::Thinking { .. }
        | Part::Redacted(_)
        | Part::Citation(_) => {}
    }
}

fn text_part(text: &Text<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"input_text\"");
    out.key("text").text(text);
    out.close(b'}');
}
