//! Requests of the dialect → the canonical form.

use serde_json::value::RawValue;

use super::wire;
use crate::message::read::{At, says_something};
use crate::message::{
    Block, Effort, Format, Losses, Part, Reasoning, Request, Role, Sampling, Schema, Source, Text, Thoughts,
    Tier, Tool, ToolChoice, Turn, Untranslatable,
};

/// Members that cannot change the reply: in which steps the input of a tool is streamed.
const HARMLESS_IN_TOOLS: &[&str] = &["eager_input_streaming"];

/// How a line begins that Claude Code puts before its system prompt, for Anthropic's billing. It differs from
/// request to request, so that with it no other provider's prompt cache would ever be read.
pub(in crate::dialect) const BILLING: &str = "x-anthropic-billing-header:";

/// Reads a request.
pub(super) fn request<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, Untranslatable> {
    let request = request_to_count(body, losses)?;
    At::ROOT.required("max_tokens", request.max_tokens)?;
    Ok(request)
}

/// The same without the bound that only a generation needs.
pub(in crate::dialect) fn request_to_count<'a>(
    body: &'a str,
    losses: &mut Losses,
) -> Result<Request<'a>, Untranslatable> {
    let at = At::ROOT;
    let body: wire::Body<'a> = at.parse(body)?;
    losses.unknown("", &body.rest, &[]);
    let system = match body.system {
        Some(system) => system_blocks(blocks(&at.member("system"), system, losses)?),
        None => Vec::new(),
    };
    let output = body.output_config.unwrap_or_default();
    losses.unknown("output_config.", &output.rest, &[]);
    let metadata = body.metadata.unwrap_or_default();
    losses.unknown("metadata.", &metadata.rest, &[]);
    let tools = tools(body.tools.unwrap_or_default(), losses)?;
    let parallel_tools = body.tool_choice.as_ref().and_then(|choice| choice.disable_parallel_tool_use);
    let stream = body.stream.unwrap_or_default();
    let thoughts = thoughts(body.thinking.as_ref(), losses);
    Ok(Request {
        model: body.model,
        system,
        turns: turns(at.required("messages", body.messages)?, losses)?,
        tool_choice: body.tool_choice.map(|choice| tool_choice(choice, &tools, losses)).transpose()?,
        tools,
        parallel_tools: parallel_tools.map(|disabled| !disabled),
        max_tokens: body.max_tokens,
        sampling: Sampling {
            temperature: at.number("temperature", body.temperature)?,
            top_p: at.number("top_p", body.top_p)?,
            top_k: at.number("top_k", body.top_k)?,
            ..Sampling::default()
        },
        stop: body.stop_sequences.unwrap_or_default(),
        reasoning: reasoning(body.thinking, output.effort, losses)?,
        format: output.format.map(|format| output_format(format, losses)).transpose()?,
        user: metadata.user_id,
        tier: body.service_tier.and_then(|tier| match tier.raw() {
            "auto" => Some(Tier::Auto),
            "standard_only" => Some(Tier::Standard),
            _ => {
                losses.add("service_tier");
                None
            }
        }),
        shared: Vec::new(),
        cache: body.cache_control.map(RawValue::get),
        stream,
        thoughts,
        include_usage: stream,
        words: &[],
        settings: Vec::new(),
    })
}

/// Leaves out the line that is meant for Anthropic alone.
fn system_blocks(mut blocks: Vec<Block<'_>>) -> Vec<Block<'_>> {
    if let Some(Block { part: Part::Text(text), .. }) = blocks.first_mut()
        && text.raw().starts_with(BILLING)
    {
        *text = text.split_once("\\n").map(|(_, rest)| rest).unwrap_or_default();
        if text.is_empty() {
            blocks.remove(0);
        }
    }
    blocks
}

fn turns<'a>(messages: Vec<wire::Message<'a>>, losses: &mut Losses) -> Result<Vec<Turn<'a>>, Untranslatable> {
    let all = At::ROOT.member("messages");
    let mut turns = Vec::with_capacity(messages.len());
    for (index, message) in messages.into_iter().enumerate() {
        let at = all.index(index);
        losses.unknown("messages[].", &message.rest, &[]);
        let role = match at.required("role", message.role)?.raw() {
            "user" => Role::User,
            "assistant" => Role::Assistant,
            "system" => Role::System,
            _ => return Err(at.member("role").error("is none of user, assistant, system")),
        };
        let content = at.required("content", message.content)?;
        turns.push(Turn { role, blocks: blocks(&at.member("content"), content, losses)? });
    }
    Ok(turns)
}

/// Steps to the innermost content there is: `messages[].content[].content[].source.content`.
const DEPTH_MAX: usize = 8;

/// A text, or an array of blocks.
fn blocks<'a>(
    at: &At<'_>,
    content: &'a RawValue,
    losses: &mut Losses,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    if let Some(text) = Text::of(content) {
        return Ok(vec![Block { part: Part::Text(text), cache: None }]);
    }
    // Every level is read once more by the one above it.
    if at.depth() > DEPTH_MAX {
        return Err(at.error("is nested deeper than the API allows"));
    }
    let list: Vec<wire::Block<'a>> = at.parse(content.get())?;
    let mut blocks = Vec::with_capacity(list.len());
    for (index, block) in list.into_iter().enumerate() {
        read_block(&at.index(index), block, losses, &mut blocks)?;
    }
    Ok(blocks)
}

/// Reads one block, which may become none or several.
fn read_block<'a>(
    at: &At<'_>,
    mut block: wire::Block<'a>,
    losses: &mut Losses,
    blocks: &mut Vec<Block<'a>>,
) -> Result<(), Untranslatable> {
    let kind = at.required("type", block.kind.take())?;
    // Those of an earlier turn no model reads; of a document it is asked for some.
    let asked = kind.raw() != "text" && block.citations.is_some_and(says_something);
    losses.add_if(asked, "messages[].content[].citations");
    let part = match kind.raw() {
        "text" => Part::Text(at.required("text", block.text)?),
        "image" => Part::Image(media(&at.member("source"), block.source)?, None),
        "document" => return document(at, block, losses, blocks),
        "search_result" => return search_result(at, block, losses, blocks),
        "tool_use" => Part::ToolCall {
            id: at.required("id", block.id)?,
            name: at.required("name", block.name)?,
            input: object(at, "input", at.required("input", block.input)?)?.into(),
        },
        "tool_result" => Part::ToolResult {
            id: at.required("tool_use_id", block.tool_use_id)?,
            content: match block.content {
                Some(content) => self::blocks(&at.member("content"), content, losses)?,
                None => Vec::new(),
            },
            is_error: block.is_error.unwrap_or_default(),
        },
        "thinking" => {
            Part::Thinking { text: at.required("thinking", block.thinking)?, signature: block.signature }
        }
        "redacted_thinking" => Part::Redacted(at.required("data", block.data)?),
        // What only Anthropic's own servers make and understand; the text around it stays.
        other => {
            losses.named("messages[].content[].", other);
            return Ok(());
        }
    };
    losses.unknown("messages[].content[].", &block.rest, &["caller"]);
    blocks.push(Block { part, cache: block.cache_control.map(RawValue::get) });
    Ok(())
}

/// The JSON text of an object.
fn object<'a>(at: &At<'_>, name: &'static str, value: &'a RawValue) -> Result<&'a str, Untranslatable> {
    let json = value.get();
    if json.starts_with('{') { Ok(json) } else { Err(at.member(name).error("must be an object")) }
}

fn source<'a>(at: &At<'_>, source: Option<&'a RawValue>) -> Result<wire::Source<'a>, Untranslatable> {
    let source = source.ok_or_else(|| at.error("is missing"))?;
    at.parse(source.get())
}

/// Bytes or an address.
fn media<'a>(at: &At<'_>, from: Option<&'a RawValue>) -> Result<Source<'a>, Untranslatable> {
    known_media(at, source(at, from)?)
}

fn known_media<'a>(at: &At<'_>, source: wire::Source<'a>) -> Result<Source<'a>, Untranslatable> {
    match source.kind.as_ref().map_or("", Text::raw) {
        "base64" => Ok(Source::Base64 {
            media_type: at.required("media_type", source.media_type)?,
            data: at.required("data", source.data)?,
        }),
        "url" => Ok(Source::Url(at.required("url", source.url)?)),
        _ => Err(at.member("type").error("cannot be sent to this model. hint: use `base64` or `url`")),
    }
}

fn document<'a>(
    at: &At<'_>,
    block: wire::Block<'a>,
    losses: &mut Losses,
    blocks: &mut Vec<Block<'a>>,
) -> Result<(), Untranslatable> {
    losses.unknown("messages[].content[].", &block.rest, &[]);
    let cache = block.cache_control.map(RawValue::get);
    let at = at.member("source");
    let source = source(&at, block.source)?;
    let part = match source.kind.as_ref().map_or("", Text::raw) {
        "text" => {
            losses.add_if(block.title.is_some(), "messages[].content[].title");
            Part::Text(at.required("data", source.data)?)
        }
        "content" => {
            losses.add_if(block.title.is_some(), "messages[].content[].title");
            let content = at.required("content", source.content)?;
            blocks.append(&mut self::blocks(&at.member("content"), content, losses)?);
            return Ok(());
        }
        _ => Part::Document { source: known_media(&at, source)?, title: block.title },
    };
    blocks.push(Block { part, cache });
    Ok(())
}

/// A search result becomes its title and source, and its texts.
fn search_result<'a>(
    at: &At<'_>,
    block: wire::Block<'a>,
    losses: &mut Losses,
    blocks: &mut Vec<Block<'a>>,
) -> Result<(), Untranslatable> {
    losses.add("messages[].content[].search_result");
    let title = at.required("title", block.title)?;
    let source = at.required("source", block.source.and_then(Text::of))?;
    let head = Text::escaped(format!("{}\\n{}", title.raw(), source.raw()));
    blocks.push(Block { part: Part::Text(head), cache: None });
    let content = at.required("content", block.content)?;
    blocks.append(&mut self::blocks(&at.member("content"), content, losses)?);
    Ok(())
}

fn tools<'a>(tools: Vec<wire::Tool<'a>>, losses: &mut Losses) -> Result<Vec<Tool<'a>>, Untranslatable> {
    let all = At::ROOT.member("tools");
    let mut read = Vec::with_capacity(tools.len());
    for (index, tool) in tools.into_iter().enumerate() {
        let at = all.index(index);
        if let Some(kind) = tool.kind.filter(|kind| kind.raw() != "custom") {
            // Run by Anthropic, or of a shape that only its models were taught.
            losses.named("tools[].", kind.raw());
            continue;
        }
        losses.unknown("tools[].", &tool.rest, HARMLESS_IN_TOOLS);
        let schema = at.required("input_schema", tool.input_schema)?;
        read.push(Tool {
            name: at.required("name", tool.name)?,
            description: tool.description,
            schema: Some(object(&at, "input_schema", schema)?.into()),
            strict: tool.strict,
            strict_if_able: tool.strict == Some(true),
            cache: tool.cache_control.map(RawValue::get),
        });
    }
    Ok(read)
}

fn tool_choice<'a>(
    choice: wire::ToolChoice<'a>,
    tools: &[Tool<'_>],
    losses: &mut Losses,
) -> Result<ToolChoice<'a>, Untranslatable> {
    let at = At::ROOT.member("tool_choice");
    losses.unknown("tool_choice.", &choice.rest, &[]);
    match choice.kind.as_ref().map_or("", Text::raw) {
        "auto" => Ok(ToolChoice::Auto),
        "none" => Ok(ToolChoice::None),
        "any" => Ok(ToolChoice::Any),
        "tool" => {
            let name = at.required("name", choice.name)?;
            if tools.iter().any(|tool| tool.name == name) {
                Ok(ToolChoice::Named(name))
            } else {
                Err(at.member("name").error("names no tool that this model can be given"))
            }
        }
        _ => Err(at.member("type").error("is none of auto, any, tool, none")),
    }
}

fn output_format<'a>(format: wire::Format<'a>, losses: &mut Losses) -> Result<Format<'a>, Untranslatable> {
    let at = At::ROOT.member("output_config");
    let at = at.member("format");
    losses.unknown("output_config.format.", &format.rest, &[]);
    if format.kind.is_none_or(|kind| kind.raw() != "json_schema") {
        return Err(at.member("type").error("must be `json_schema`"));
    }
    let schema = object(&at, "schema", at.required("schema", format.schema)?)?;
    Ok(Format::Schema(Schema::bare(schema.into())))
}

fn thoughts(thinking: Option<&wire::Thinking<'_>>, losses: &mut Losses) -> Option<Thoughts> {
    match thinking?.display.as_ref()?.raw() {
        "summarized" => Some(Thoughts::Told),
        "omitted" => Some(Thoughts::Untold),
        _ => {
            losses.add("thinking.display");
            None
        }
    }
}

fn reasoning(
    thinking: Option<wire::Thinking<'_>>,
    effort: Option<Text<'_>>,
    losses: &mut Losses,
) -> Result<Option<Reasoning>, Untranslatable> {
    let effort = match effort {
        Some(effort) => {
            Some(Effort::of(effort.raw()).filter(|known| *known != Effort::Minimal).ok_or_else(|| {
                let at = At::ROOT.member("output_config");
                at.member("effort").error("is none of low, medium, high, xhigh, max")
            })?)
        }
        None => None,
    };
    let asked = match thinking {
        None => None,
        Some(thinking) => {
            let at = At::ROOT.member("thinking");
            losses.unknown("thinking.", &thinking.rest, &[]);
            match thinking.kind.as_ref().map_or("", Text::raw) {
                "disabled" => return Ok(Some(Reasoning::Off)),
                "enabled" => Some(Reasoning::Budget(at.required("budget_tokens", thinking.budget_tokens)?)),
                "adaptive" => Some(Reasoning::Adaptive),
                "between_tools" => {
                    losses.add("thinking.type");
                    Some(Reasoning::Adaptive)
                }
                _ => {
                    return Err(at
                        .member("type")
                        .error("is none of enabled, disabled, adaptive, between_tools"));
                }
            }
        }
    };
    losses.add_if(effort.is_some() && matches!(asked, Some(Reasoning::Budget(_))), "thinking.budget_tokens");
    Ok(effort.map(Reasoning::Effort).or(asked))
}
