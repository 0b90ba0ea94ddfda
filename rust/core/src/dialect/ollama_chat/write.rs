//! The canonical form → requests of the dialect.
//!
//! Invariant: what grows from turn to turn, the messages, comes last, and a message depends on what was said up to
//! it only; so a conversation's body is a prefix of its continuation's, which is what the server caches by.
//!
//! A message has one text: texts that stand beside each other are put together as they are. There is no choice of
//! tools: where none may be called, none is on offer; that one must be called cannot be said.
//!
//! Source: Ollama's API documentation; types of the package `ollama` 0.6.3 (`ChatRequest`).

use std::collections::HashMap;

use crate::dialect::chat_form::{TOOL_FAILED, function, results_apart};
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::{
    Block, Effort, Format, Losses, Part, Reasoning, Request, Role, Source, Target, Text, ToolChoice, Turn,
    Untranslatable,
};

/// Models that can be told how hard to think; others only whether.
const LEVELS: &str = "gpt-oss";

/// Writes a request.
pub(super) fn request(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    out.push(b'{');
    out.key("model").string(target.model);
    // It would be by default.
    out.key("stream").raw(if request.stream { "true" } else { "false" });
    request.name_unwanted_thoughts(losses);
    think(request.reasoning, target.model, losses, out);
    match &request.format {
        Some(Format::Json) => out.key("format").raw("\"json\""),
        Some(Format::Schema(schema)) => out.key("format").raw(schema.alone(losses)),
        None => {}
    }
    options(request, losses, out);
    // There is one tier, and the server caches by itself.
    losses.add_if(request.user.is_some(), "user");
    tools(request, losses, out);
    out.key("messages").open(b'[');
    let mut writer = Writer { names: HashMap::new(), losses, out };
    if !request.system.is_empty() {
        writer.message("system", request.system.iter())?;
    }
    for turn in &request.turns {
        match turn.role {
            Role::System => writer.message("system", turn.blocks.iter())?,
            Role::User => writer.user(turn)?,
            Role::Assistant => writer.assistant(turn)?,
        }
    }
    out.close(b']');
    out.close(b'}');
    Ok(())
}

fn think(reasoning: Option<Reasoning>, model: &str, losses: &mut Losses, out: &mut Vec<u8>) {
    let effort = match reasoning {
        // Which is what a model that thinks does by itself; others refuse to be asked.
        None | Some(Reasoning::Adaptive) => return,
        Some(Reasoning::Off) => return out.key("think").raw("false"),
        Some(Reasoning::Budget(_)) => {
            losses.add("thinking.budget_tokens");
            return out.key("think").raw("true");
        }
        Some(Reasoning::Effort(effort)) => effort,
    };
    if !model.contains(LEVELS) {
        losses.add("reasoning_effort");
        return out.key("think").raw("true");
    }
    let level = match effort {
        Effort::Minimal | Effort::Low => Effort::Low,
        Effort::Medium => Effort::Medium,
        Effort::High | Effort::XHigh | Effort::Max => Effort::High,
    };
    losses.add_if(level != effort, "reasoning_effort");
    out.key("think").string(level.name());
}

fn options(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let sampling = &request.sampling;
    let start = out.len();
    out.key("options").open(b'{');
    let opened = out.len();
    if let Some(tokens) = request.max_tokens {
        out.key("num_predict").number(tokens);
    }
    out.given(&[
        ("temperature", sampling.temperature),
        ("top_p", sampling.top_p),
        ("top_k", sampling.top_k),
        ("frequency_penalty", sampling.frequency_penalty),
        ("presence_penalty", sampling.presence_penalty),
        ("seed", sampling.seed),
    ]);
    if !request.stop.is_empty() {
        out.key("stop").open(b'[');
        request.stop.iter().for_each(|stop| out.text(stop));
        out.close(b']');
    }
    if out.len() == opened {
        out.truncate(start);
    } else {
        out.close(b'}');
    }
    losses.unlike_default(&[
        ("logit_bias", sampling.logit_bias, ""),
        ("logprobs", sampling.logprobs, ""),
        ("top_logprobs", sampling.top_logprobs, "0"),
        ("n", sampling.n, "1"),
    ]);
}

fn tools(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    if request.tools.is_empty() {
        return;
    }
    match request.tool_choice {
        None | Some(ToolChoice::Auto) => {}
        Some(ToolChoice::None) => return losses.add("tools[]"),
        Some(ToolChoice::Any | ToolChoice::Named(_)) => losses.add("tool_choice"),
    }
    losses.add_if(request.parallel_tools == Some(false), "parallel_tool_calls");
    out.key("tools").open(b'[');
    for tool in &request.tools {
        losses.add_if(tool.strict == Some(true), "tools[].strict");
        function(tool, Some(tool.schema_or_empty()), None, out);
    }
    out.close(b']');
}

/// Writes the messages of one body.
struct Writer<'w, 'r> {
    /// Of the tools called so far, by the ids of the calls: a result says which tool it is of.
    names: HashMap<&'r str, &'r Text<'r>>,
    losses: &'w mut Losses,
    out: &'w mut Vec<u8>,
}

impl<'r> Writer<'_, 'r> {
    /// The results of tools as messages of their own, the rest as one message behind them.
    fn user(&mut self, turn: &'r Turn<'r>) -> Result<(), Untranslatable> {
        let Self { names, losses, out } = self;
        let rest = results_apart(turn, losses, |id, content, is_error| {
            result(names.get(id.raw()).copied(), id, content, is_error, out);
        });
        if rest.is_empty() { Ok(()) } else { self.message("user", rest.into_iter()) }
    }

    fn assistant(&mut self, turn: &'r Turn<'r>) -> Result<(), Untranslatable> {
        let mut called = false;
        for block in &turn.blocks {
            match &block.part {
                Part::Thinking { signature, .. } => {
                    self.losses.add_if(is_signed(signature.as_ref()), "messages[].thinking_blocks");
                }
                Part::Redacted(_) => self.losses.add("messages[].content[].redacted_thinking"),
                Part::ToolCall { id, name, .. } => {
                    called = true;
                    self.names.insert(id.raw(), name);
                }
                // In the dialect all text comes before the calls.
                Part::Text(_) | Part::Refusal(_) => self.losses.add_if(called, "messages[].content"),
                Part::Image(..) | Part::Document { .. } | Part::ToolResult { .. } | Part::Citation(_) => {}
            }
        }
        let mut thoughts = thoughts(turn).peekable();
        let is_silent = !called && thoughts.peek().is_none() && texts(turn.blocks.iter()).all(Text::is_empty);
        if is_silent {
            return Ok(());
        }
        self.out.open(b'{');
        self.out.key("role").raw("\"assistant\"");
        joined("content", texts(turn.blocks.iter()), self.out);
        if thoughts.peek().is_some() {
            joined("thinking", thoughts, self.out);
        }
        self.images(turn.blocks.iter())?;
        if called {
            self.out.key("tool_calls").open(b'[');
            for block in &turn.blocks {
                if let Part::ToolCall { id, name, input } = &block.part {
                    self.call(id, name, input);
                }
            }
            self.out.close(b']');
        }
        self.out.close(b'}');
        Ok(())
    }

    fn call(&mut self, id: &Text<'_>, name: &Text<'_>, input: &str) {
        self.out.open(b'{');
        self.out.key("id").text(id);
        self.out.key("function").open(b'{');
        self.out.key("name").text(name);
        self.out.key("arguments").raw(input);
        self.out.close(b'}');
        self.out.close(b'}');
    }

    fn message<'b>(
        &mut self,
        role: &str,
        blocks: impl Iterator<Item = &'b Block<'b>> + Clone,
    ) -> Result<(), Untranslatable> {
        self.out.open(b'{');
        self.out.key("role").string(role);
        joined("content", texts(blocks.clone()), self.out);
        self.images(blocks)?;
        self.out.close(b'}');
        Ok(())
    }

    fn images<'b>(&mut self, blocks: impl Iterator<Item = &'b Block<'b>>) -> Result<(), Untranslatable> {
        let mut opened = false;
        for block in blocks {
            match &block.part {
                Part::Image(Source::Base64 { data, .. }, _) => {
                    if !std::mem::replace(&mut opened, true) {
                        self.out.key("images").open(b'[');
                    }
                    self.out.text(data);
                }
                Part::Image(Source::Url(_), _) => {
                    return Err(refused(
                        "an image by its address, which the server does not fetch. hint: send it as base64",
                    ));
                }
                Part::Document { .. } => {
                    return Err(refused("a document, which the server does not read. hint: send its text"));
                }
                _ => {}
            }
        }
        if opened {
            self.out.close(b']');
        }
        Ok(())
    }
}

/// What a tool of this name gave, if its call was seen.
fn result(name: Option<&Text<'_>>, id: &Text<'_>, content: &[Block<'_>], is_error: bool, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("role").raw("\"tool\"");
    if let Some(name) = name {
        out.key("tool_name").text(name);
    }
    out.key("tool_call_id").text(id);
    let failed = Text::plain(TOOL_FAILED);
    let said = texts(content.iter());
    joined("content", is_error.then_some(&failed).into_iter().chain(said), out);
    out.close(b'}');
}

fn refused(what: &str) -> Untranslatable {
    At::ROOT.member("messages").error(format!("holds {what}"))
}

fn is_signed(signature: Option<&Text<'_>>) -> bool {
    signature.is_some_and(|signature| !signature.is_empty())
}

/// Reasoning that no provider has signed: that of models like these.
fn thoughts<'b>(turn: &'b Turn<'b>) -> impl Iterator<Item = &'b Text<'b>> {
    turn.blocks.iter().filter_map(|block| match &block.part {
        Part::Thinking { text, signature } if !is_signed(signature.as_ref()) => Some(text),
        _ => None,
    })
}

fn texts<'b>(blocks: impl Iterator<Item = &'b Block<'b>>) -> impl Iterator<Item = &'b Text<'b>> {
    blocks.filter_map(|block| match &block.part {
        Part::Text(text) => Some(text),
        _ => None,
    })
}

/// Texts as one.
fn joined<'t>(key: &str, texts: impl Iterator<Item = &'t Text<'t>>, out: &mut Vec<u8>) {
    out.key(key);
    out.push(b'"');
    texts.for_each(|text| out.extend_from_slice(text.raw().as_bytes()));
    out.push(b'"');
}
