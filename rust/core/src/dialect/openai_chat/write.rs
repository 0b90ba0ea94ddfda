//! The canonical form → requests of the dialect.
//!
//! Invariant: what grows from turn to turn, the messages, comes last, and every message depends on its own turn
//! only; so a conversation's body is a prefix of its continuation's, which is what the provider caches by.
//! Source: `OpenAI` API reference, "Create chat completion".

use crate::dialect::ChatFields;
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::{
    Block, Effort, Format, Losses, Part, Reasoning, Request, Role, Source, Target, Text, Tier, Tool,
    ToolChoice, Turn, Untranslatable,
};

/// Longest end-user name that the API takes.
pub(in crate::dialect) const USER_BYTES_MAX: usize = 128;

/// Most stop sequences that the API takes.
const STOP_MAX: usize = 4;

/// From these budgets on, reasoning counts as of medium and of high effort: about where the vendors' own
/// examples put them.
const BUDGET_MEDIUM: u64 = 4096;
const BUDGET_HIGH: u64 = 16_384;

/// What a failed tool's result begins with: the dialect has no other place for it.
pub(in crate::dialect) const TOOL_FAILED: &str = "Error: ";

/// Writes a request.
pub(super) fn request(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    refuse_linked_documents(request)?;
    out.push(b'{');
    out.key("model").string(target.model);
    if let Some(tokens) = request.max_tokens {
        out.key(match target.chat_fields {
            ChatFields::Openai => "max_completion_tokens",
            ChatFields::Common => "max_tokens",
        })
        .number(tokens);
    }
    sampling(request, losses, out);
    if !request.stop.is_empty() {
        losses.add_if(request.stop.len() > STOP_MAX, "stop_sequences");
        out.key("stop").open(b'[');
        request.stop.iter().take(STOP_MAX).for_each(|stop| out.text(stop));
        out.close(b']');
    }
    if let Some(user) = &request.user {
        if target.chat_fields == ChatFields::Openai && user.raw().len() <= USER_BYTES_MAX {
            out.key("safety_identifier").text(user);
        } else {
            losses.add("metadata.user_id");
        }
    }
    match request.tier {
        Some(Tier::Auto) => out.key("service_tier").raw("\"auto\""),
        Some(Tier::Standard) => out.key("service_tier").raw("\"default\""),
        None => {}
    }
    if let Some(effort) = effort(request.reasoning, losses) {
        out.key("reasoning_effort").string(effort);
    }
    match &request.format {
        Some(Format::Json) => out.key("response_format").raw(r#"{"type":"json_object"}"#),
        Some(Format::Schema(schema)) => {
            out.key("response_format").open(b'{');
            out.key("type").raw("\"json_schema\"");
            out.key("json_schema").open(b'{');
            out.key("name").raw("\"output\"");
            out.key("strict").raw("true");
            out.key("schema").raw(schema);
            out.close(b'}');
            out.close(b'}');
        }
        None => {}
    }
    if request.stream {
        out.key("stream").raw("true");
        out.key("stream_options").raw(r#"{"include_usage":true}"#);
    }
    tools(request, out);
    messages(request, losses, out);
    out.close(b'}');
    Ok(())
}

/// The API fetches images, but no documents.
fn refuse_linked_documents(request: &Request<'_>) -> Result<(), Untranslatable> {
    fn linked(block: &Block<'_>) -> bool {
        match &block.part {
            Part::Document { source: Source::Url(_), .. } => true,
            Part::ToolResult { content, .. } => content.iter().any(linked),
            _ => false,
        }
    }
    let all = At::ROOT.member("messages");
    for (index, turn) in request.turns.iter().enumerate() {
        if let Some(block) = turn.blocks.iter().position(linked) {
            let at = all.index(index);
            let at = at.member("content");
            let error = "holds a document by its address, which this model's API does not fetch. hint: send it as base64";
            return Err(at.index(block).error(error));
        }
    }
    Ok(())
}

fn sampling(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let sampling = &request.sampling;
    for (name, value) in [
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("frequency_penalty", sampling.frequency_penalty),
        ("presence_penalty", sampling.presence_penalty),
        ("seed", sampling.seed),
        ("logit_bias", sampling.logit_bias),
        ("logprobs", sampling.logprobs),
        ("top_logprobs", sampling.top_logprobs),
        ("n", sampling.n),
    ] {
        if let Some(value) = value {
            out.key(name).raw(value);
        }
    }
    losses.add_if(sampling.top_k.is_some(), "top_k");
}

/// The effort that comes nearest to what is asked for; `None` where nothing is said of it.
pub(in crate::dialect) fn effort(reasoning: Option<Reasoning>, losses: &mut Losses) -> Option<&'static str> {
    let effort = match reasoning? {
        // Models that do not reason refuse the member, and those that must know no `none`.
        Reasoning::Off => {
            losses.add("thinking.type");
            return None;
        }
        // What a model that reasons does by itself.
        Reasoning::Adaptive => return None,
        Reasoning::Effort(effort) => effort,
        Reasoning::Budget(tokens) => {
            losses.add("thinking.budget_tokens");
            match tokens {
                ..BUDGET_MEDIUM => Effort::Low,
                BUDGET_MEDIUM..BUDGET_HIGH => Effort::Medium,
                BUDGET_HIGH.. => Effort::High,
            }
        }
    };
    Some(effort.name())
}

fn tools(request: &Request<'_>, out: &mut Vec<u8>) {
    // Without tools the API refuses to be told how to use them.
    if request.tools.is_empty() {
        return;
    }
    match &request.tool_choice {
        None => {}
        Some(ToolChoice::Auto) => out.key("tool_choice").raw("\"auto\""),
        Some(ToolChoice::None) => out.key("tool_choice").raw("\"none\""),
        Some(ToolChoice::Any) => out.key("tool_choice").raw("\"required\""),
        Some(ToolChoice::Named(name)) => {
            out.key("tool_choice").open(b'{');
            out.key("type").raw("\"function\"");
            out.key("function").open(b'{');
            out.key("name").text(name);
            out.close(b'}');
            out.close(b'}');
        }
    }
    if let Some(parallel) = request.parallel_tools {
        out.key("parallel_tool_calls").raw(if parallel { "true" } else { "false" });
    }
    out.key("tools").open(b'[');
    request.tools.iter().for_each(|one| tool(one, out));
    out.close(b']');
}

fn tool(tool: &Tool<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"function\"");
    out.key("function").open(b'{');
    out.key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        out.key("description").text(description);
    }
    if let Some(schema) = &tool.schema {
        out.key("parameters").raw(schema);
    }
    if let Some(strict) = tool.strict {
        out.key("strict").raw(if strict { "true" } else { "false" });
    }
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
    let mut texts = content.iter().filter_map(|block| match &block.part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    out.open(b'{');
    out.key("role").raw("\"tool\"");
    out.key("tool_call_id").text(id);
    out.key("content");
    let first = texts.next();
    let first = match (first, is_error) {
        (Some(text), true) => Text::escaped(format!("{TOOL_FAILED}{}", text.raw())),
        (Some(text), false) => text.borrowed(),
        (None, true) => Text::plain(TOOL_FAILED),
        (None, false) => Text::default(),
    };
    match texts.next() {
        None => out.text(&first),
        Some(second) => {
            out.open(b'[');
            for text in [&first, second].into_iter().chain(texts) {
                text_part(text, out);
            }
            out.close(b']');
        }
    }
    out.close(b'}');
}

fn assistant(turn: &Turn<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let mut content: Vec<&Block<'_>> = Vec::new();
    let mut called = false;
    for block in &turn.blocks {
        match &block.part {
            Part::Thinking { .. } => losses.add("messages[].content[].thinking"),
            Part::Redacted(_) => losses.add("messages[].content[].redacted_thinking"),
            Part::ToolCall { .. } => called = true,
            Part::Text(_) | Part::Image(_) | Part::Document { .. } | Part::ToolResult { .. } => {
                // In the dialect all text comes before the calls.
                losses.add_if(called, "messages[].content");
                content.push(block);
            }
        }
    }
    if content.is_empty() && !called {
        return;
    }
    out.open(b'{');
    out.key("role").raw("\"assistant\"");
    out.key("content");
    if content.is_empty() {
        out.raw("null");
    } else {
        parts(&content, out);
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

/// A call, as requests and whole replies have it.
pub(super) fn call(id: &Text<'_>, name: &Text<'_>, input: &str, out: &mut Vec<u8>) {
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
            Part::Text(text) => text_part(text, out),
            Part::Image(source) => {
                out.open(b'{');
                out.key("type").raw("\"image_url\"");
                out.key("image_url").open(b'{');
                url(out.key("url"), source);
                out.close(b'}');
                out.close(b'}');
            }
            Part::Document { source, title } => {
                out.open(b'{');
                out.key("type").raw("\"file\"");
                out.key("file").open(b'{');
                out.key("filename").text(title.as_ref().unwrap_or(&Text::plain("document.pdf")));
                url(out.key("file_data"), source);
                out.close(b'}');
                out.close(b'}');
            }
            Part::ToolCall { .. } | Part::ToolResult { .. } | Part::Thinking { .. } | Part::Redacted(_) => {}
        }
    }
    out.close(b']');
}

fn text_part(text: &Text<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"text\"");
    out.key("text").text(text);
    out.close(b'}');
}

/// The address of an image or a document, or the whole of it as a `data:` one.
pub(in crate::dialect) fn url(out: &mut Vec<u8>, source: &Source<'_>) {
    match source {
        Source::Url(url) => out.text(url),
        Source::Base64 { media_type, data } => {
            out.comma();
            for piece in ["\"data:", media_type.raw(), ";base64,", data.raw(), "\""] {
                out.extend_from_slice(piece.as_bytes());
            }
        }
    }
}
