//! The canonical form → requests of the dialect.
//!
//! Invariant: what grows from turn to turn, the messages, comes last, and every message depends on its own turn
//! only; so a conversation's body is a prefix of its continuation's, which is what the provider caches by.
//! Source: `OpenAI` API reference, "Create chat completion".

use crate::dialect::chat_form::{
    Speech, calls, function, image_part, messages, text_or_parts, text_part, url, user,
};
use crate::dialect::{ChatFields, ChatMembers, ReplayedReasoning};
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::{
    Block, Effort, Format, Losses, Part, Reasoning, Request, Source, Target, Text, Tier, ToolChoice, Turn,
    Untranslatable,
};

/// Longest end-user name that the API takes.
pub(in crate::dialect) const USER_BYTES_MAX: usize = 128;

/// Most stop sequences that the API takes.
const STOP_MAX: usize = 4;

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
    let members = Members { known: target.chat_members };
    if let Some(tokens) = request.max_tokens {
        out.key(match target.chat_fields {
            ChatFields::Openai => "max_completion_tokens",
            ChatFields::Common => "max_tokens",
        })
        .number(tokens);
    }
    sampling(request, members, losses, out);
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
    let tier = request.tier.map(|tier| match tier {
        Tier::Auto => "\"auto\"",
        Tier::Standard => "\"default\"",
    });
    members.write("service_tier", tier, losses, out);
    request.name_unwanted_thoughts(losses);
    if let Some(effort) = effort(request.reasoning, losses)
        && let Some(name) = members.name("reasoning_effort", losses)
    {
        out.key(name).string(effort);
    }
    match &request.format {
        Some(Format::Json) => out.key("response_format").raw(r#"{"type":"json_object"}"#),
        Some(Format::Schema(schema)) => {
            out.key("response_format").open(b'{');
            out.key("type").raw("\"json_schema\"");
            out.key("json_schema").open(b'{');
            schema.members(out);
            out.close(b'}');
            out.close(b'}');
        }
        None => {}
    }
    for (name, value) in &request.shared {
        members.write(name, Some(value), losses, out);
    }
    if request.stream {
        out.key("stream").raw("true");
        // Who does not know it tells without being asked.
        if let Some(name) = target.chat_members.called("stream_options") {
            out.key(name).raw(r#"{"include_usage":true}"#);
        }
    }
    tools(request, target, losses, out);
    let assistant = |turn: &Turn<'_>, losses: &mut Losses, out: &mut Vec<u8>| {
        assistant(turn, target.replays_reasoning, losses, out);
    };
    let user = |turn: &Turn<'_>, losses: &mut Losses, out: &mut Vec<u8>| user(message, turn, losses, out);
    messages(request, &Speech { message, user, assistant: &assistant }, losses, out);
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

/// What the server knows of the members, and how it calls them.
#[derive(Clone, Copy)]
struct Members<'m> {
    known: &'m ChatMembers,
}

impl<'m> Members<'m> {
    /// What a member is called there; where it is not known, that is a loss.
    fn name(self, name: &'static str, losses: &mut Losses) -> Option<&'m str> {
        let called = self.known.called(name);
        losses.add_if(called.is_none(), name);
        called
    }

    fn write(self, name: &'static str, value: Option<&str>, losses: &mut Losses, out: &mut Vec<u8>) {
        if let Some(value) = value
            && let Some(name) = self.name(name, losses)
        {
            out.key(name).raw(value);
        }
    }
}

fn sampling(request: &Request<'_>, members: Members<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
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
    ] {
        members.write(name, value, losses, out);
    }
    losses.add_if(sampling.top_k.is_some(), "top_k");
    members.write("n", sampling.n.filter(|n| n.trim_end_matches(".0") != "1"), losses, out);
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
            Effort::of_budget(tokens)
        }
    };
    Some(effort.name())
}

fn tools(request: &Request<'_>, target: &Target<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let members = Members { known: target.chat_members };
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
    let parallel = request.parallel_tools.map(|parallel| if parallel { "true" } else { "false" });
    members.write("parallel_tool_calls", parallel, losses, out);
    out.key("tools").open(b'[');
    for tool in &request.tools {
        let strict = tool.strict_for(target);
        losses.add_if(tool.strict == Some(true) && strict != Some(true), "tools[].strict");
        function(tool, tool.schema.as_deref(), strict, out);
    }
    out.close(b']');
}

/// What the model said in a turn, sorted as the dialect has it.
struct Said<'t> {
    content: Vec<&'t Block<'t>>,
    /// What the model declined with.
    refusals: Vec<&'t Text<'t>>,
    /// Reasoning for a member of its own.
    thoughts: Vec<&'t Text<'t>>,
    /// Whether there is more in it than reasoning.
    speaks: bool,
    calls: bool,
}

const THINKING: &str = "messages[].content[].thinking";

/// Sorts it; reasoning goes along where the server takes it back. Its text is all that such a server told, so that
/// the signature of another maker's is no loss there.
fn said<'t>(turn: &'t Turn<'t>, replays: Option<ReplayedReasoning>, losses: &mut Losses) -> Said<'t> {
    let mut said =
        Said { content: Vec::new(), refusals: Vec::new(), thoughts: Vec::new(), speaks: false, calls: false };
    for block in &turn.blocks {
        match (&block.part, replays) {
            (Part::Thinking { text, signature }, Some(_)) if text.is_empty() => {
                let signed = signature.as_ref().is_some_and(|signature| !signature.is_empty());
                losses.add_if(signed, THINKING);
            }
            (Part::Thinking { .. }, Some(ReplayedReasoning::Content)) => said.content.push(block),
            (Part::Thinking { text, .. }, Some(_)) => said.thoughts.push(text),
            (Part::Thinking { .. }, None) => losses.add(THINKING),
            (Part::Redacted(_), _) => losses.add("messages[].content[].redacted_thinking"),
            (Part::ToolCall { .. }, _) => said.calls = true,
            // Requests hold none.
            (Part::Citation(_), _) => {}
            (Part::Refusal(text), _) => {
                said.speaks = true;
                said.refusals.push(text);
            }
            (Part::Text(_) | Part::Image(..) | Part::Document { .. } | Part::ToolResult { .. }, _) => {
                // In the dialect all text comes before the calls.
                losses.add_if(said.calls, "messages[].content");
                said.speaks = true;
                said.content.push(block);
            }
        }
    }
    said
}

fn assistant(turn: &Turn<'_>, replays: Option<ReplayedReasoning>, losses: &mut Losses, out: &mut Vec<u8>) {
    let Said { content, refusals, thoughts, speaks, calls: called } = said(turn, replays, losses);
    if !speaks && !called {
        // Servers refuse a message that is reasoning only.
        return losses.add_if(!thoughts.is_empty() || !content.is_empty(), THINKING);
    }
    out.open(b'{');
    out.key("role").raw("\"assistant\"");
    out.key("content");
    if content.is_empty() {
        out.raw("null");
    } else {
        text_or_parts(&content, part, out);
    }
    if !refusals.is_empty() {
        out.key("refusal").text(&Text::escaped(refusals.iter().map(|text| text.raw()).collect()));
    }
    if !thoughts.is_empty() {
        out.key(match replays {
            Some(ReplayedReasoning::Reasoning) => "reasoning",
            Some(ReplayedReasoning::ReasoningContent | ReplayedReasoning::Content) | None => {
                "reasoning_content"
            }
        });
        // In one piece, as it was told.
        out.text(&Text::escaped(thoughts.iter().map(|text| text.raw()).collect()));
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
        Part::Text(text) => text_part("text", text, out),
        Part::Image(source, detail) => image_part(source, detail.as_ref(), out),
        Part::Document { source, title } => {
            out.open(b'{');
            out.key("type").raw("\"file\"");
            out.key("file").open(b'{');
            out.key("filename").text(title.as_ref().unwrap_or(&Text::plain("document.pdf")));
            url(out.key("file_data"), source);
            out.close(b'}');
            out.close(b'}');
        }
        Part::Thinking { text, .. } => {
            out.open(b'{');
            out.key("type").raw("\"thinking\"");
            out.key("thinking").open(b'[');
            text_part("text", text, out);
            out.close(b']');
            out.close(b'}');
        }
        Part::Refusal(_)
        | Part::ToolCall { .. }
        | Part::ToolResult { .. }
        | Part::Redacted(_)
        | Part::Citation(_) => {}
    }
}
