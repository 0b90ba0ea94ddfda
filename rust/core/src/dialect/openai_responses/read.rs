//! Requests of the dialect → the canonical form.
//!
//! What stands on `OpenAI`'s servers (an earlier response, a conversation, a prompt template, a file) another
//! provider does not have, and what they compressed it cannot read, so a request that leans on it is refused:
//! answered without it, it would be another question. Items that only `OpenAI`'s own tools make are left out and named; the conversation around them
//! stays.

use serde_json::value::RawValue;

use super::settings::{self, AsTheyCame};
use super::wire;
use crate::dialect::chat_form;
use crate::dialect::openai_chat::read as chat;
use crate::message::read::{At, says_something};
use crate::message::{
    Block, Effort, Format, Losses, Maker, Part, Reasoning, Request, Role, Sampling, Schema, Source, Text,
    Thoughts, Tool, ToolChoice, Turn, Untranslatable, tool_input,
};

/// What a reply tells of itself and clients send back; no model reads it.
const HARMLESS_IN_ITEMS: &[&str] = &["status"];

/// What stands between the parts of a reasoning summary where they are one text.
pub(super) const BETWEEN_PARTS: &str = "\\n\\n";

/// Reads a request.
pub(in crate::dialect) fn request<'a>(
    body: &'a str,
    losses: &mut Losses,
) -> Result<Request<'a>, Untranslatable> {
    let at = At::ROOT;
    let body: wire::Body<'a> = at.parse(body)?;
    refuse_state(&body)?;
    losses.unknown("", &body.rest, &[]);
    losses.add_if(body.truncation.as_ref().is_some_and(|how| how.raw() != "disabled"), "truncation");
    let (system, turns) = conversation(&body, losses)?;
    let tools = tools(body.tools.unwrap_or_default(), losses)?;
    let text = body.text.unwrap_or_default();
    let (tier, own_tier) = chat::tier(body.service_tier)?;
    losses.unknown("text.", &text.rest, &[]);
    let top_logprobs = at.number("top_logprobs", body.top_logprobs)?.filter(|count| *count != "0");
    let logprobs = included(&body.include.unwrap_or_default(), losses) || top_logprobs.is_some();
    losses.add_if(body.metadata.is_some(), "metadata");
    let came = AsTheyCame {
        instructions: body.instructions,
        metadata: body.metadata.filter(|metadata| metadata.get().starts_with('{')),
        format: text.format,
    };
    let stream = body.stream.unwrap_or_default();
    // Obfuscation is padding.
    losses.unknown(
        "stream_options.",
        &body.stream_options.unwrap_or_default().rest,
        &["include_obfuscation"],
    );
    let mut request = Request {
        model: body.model,
        system,
        turns,
        tool_choice: body.tool_choice.map(|choice| tool_choice(choice, &tools, losses)).transpose()?,
        tools,
        parallel_tools: body.parallel_tool_calls,
        max_tokens: body.max_output_tokens,
        sampling: Sampling {
            temperature: at.number("temperature", body.temperature)?,
            top_p: at.number("top_p", body.top_p)?,
            logprobs: logprobs.then_some("true"),
            top_logprobs,
            ..Sampling::default()
        },
        format: text.format.map(|format| text_format(format, losses)).transpose()?.flatten(),
        reasoning: body.reasoning.as_ref().map(|asked| reasoning(asked, losses)).transpose()?.flatten(),
        user: body.safety_identifier.or(body.user),
        tier,
        shared: chat::shared([
            ("service_tier", own_tier),
            ("prompt_cache_key", body.prompt_cache_key),
            ("prompt_cache_options", body.prompt_cache_options),
            ("prompt_cache_retention", body.prompt_cache_retention),
            ("verbosity", text.verbosity),
        ]),
        stream,
        thoughts: body.reasoning.as_ref().and_then(summary).map(|_| Thoughts::Told),
        include_usage: stream,
        ..Request::default()
    };
    request.settings = settings::of(&request, &came);
    Ok(request)
}

fn refuse_state(body: &wire::Body<'_>) -> Result<(), Untranslatable> {
    let leans_on = [
        (
            "previous_response_id",
            body.previous_response_id,
            "names a response that this model's provider does not have. hint: send the whole conversation as `input`",
        ),
        (
            "conversation",
            body.conversation,
            "names a conversation that this model's provider does not have. hint: send it whole as `input`",
        ),
        (
            "prompt",
            body.prompt,
            "names a template that this model's provider does not have. hint: send its text as `instructions`",
        ),
    ];
    for (name, value, error) in leans_on {
        if value.is_some() {
            return Err(At::ROOT.member(name).error(error));
        }
    }
    if body.background == Some(true) {
        return Err(At::ROOT
            .member("background")
            .error("is not offered by this model's provider. hint: leave it out and use `stream`"));
    }
    Ok(())
}

/// Whether the probabilities of tokens are asked for. Reasoning in a form that can be sent back is told anyway.
fn included(include: &[Text<'_>], losses: &mut Losses) -> bool {
    for name in include.iter().map(Text::raw) {
        if !matches!(name, "reasoning.encrypted_content" | "message.output_text.logprobs") {
            losses.named("include[].", name);
        }
    }
    include.iter().any(|name| name.raw() == "message.output_text.logprobs")
}

type Conversation<'a> = (Vec<Block<'a>>, Vec<Turn<'a>>);

fn conversation<'a>(body: &wire::Body<'a>, losses: &mut Losses) -> Result<Conversation<'a>, Untranslatable> {
    let (mut system, mut turns) = (Vec::new(), Vec::new());
    if let Some(instructions) = body.instructions {
        let text = Text::of(instructions);
        let text = text.ok_or_else(|| At::ROOT.member("instructions").error("must be a text"))?;
        system.push(Block { part: Part::Text(text), cache: None });
    }
    let input = At::ROOT.required("input", body.input)?;
    let at = At::ROOT.member("input");
    if let Some(text) = Text::of(input) {
        let blocks = vec![Block { part: Part::Text(text), cache: None }];
        turns.push(Turn { role: Role::User, blocks });
        return Ok((system, turns));
    }
    let items: Vec<wire::Item<'a>> = at.parse(input.get())?;
    for (index, item) in items.into_iter().enumerate() {
        let Some(Turn { role, mut blocks }) = turn(&at.index(index), item, losses)? else { continue };
        match turns.last_mut() {
            None if role == Role::System => system.append(&mut blocks),
            // What the model said in one go comes as several items.
            Some(Turn { role: Role::Assistant, blocks: said }) if role == Role::Assistant => {
                said.append(&mut blocks);
            }
            _ => turns.push(Turn { role, blocks }),
        }
    }
    Ok((system, turns))
}

/// What an item says; nothing where it is named as lost.
fn turn<'a>(
    at: &At<'_>,
    item: wire::Item<'a>,
    losses: &mut Losses,
) -> Result<Option<Turn<'a>>, Untranslatable> {
    let kind = item.kind.clone();
    let kind = match &kind {
        Some(kind) => kind.raw(),
        None if item.role.is_some() => "message",
        None => "item_reference",
    };
    let (role, blocks) = match kind {
        "message" => {
            let role = match at.required("role", item.role)?.raw() {
                "user" => Role::User,
                "assistant" => Role::Assistant,
                "system" | "developer" => Role::System,
                _ => return Err(at.member("role").error("is none of user, assistant, system, developer")),
            };
            let said = at.required("content", item.content)?;
            (role, content(&at.member("content"), said, losses)?)
        }
        "function_call" => {
            let name = at.required("name", item.name.and_then(Text::of))?;
            let arguments = item.arguments.and_then(Text::of);
            let error = || at.member("arguments").error("must be the JSON text of an object, or empty");
            let input = tool_input(arguments.unwrap_or_default()).ok_or_else(error)?;
            (Role::Assistant, one(Part::ToolCall { id: at.required("call_id", item.call_id)?, name, input }))
        }
        "function_call_output" => {
            let output = at.required("output", item.output)?;
            let content = content(&at.member("output"), output, losses)?;
            let id = at.required("call_id", item.call_id)?;
            (Role::User, one(Part::ToolResult { id, content, is_error: false }))
        }
        "reasoning" => (Role::Assistant, one(reasoned(at, &item, losses)?)),
        "item_reference" => {
            return Err(at.error(
                "is an item that this model's provider does not have. hint: send the item itself, with `store: false`",
            ));
        }
        "compaction" => {
            return Err(at.error(
                "holds earlier turns that only OpenAI's models can read. hint: send the turns themselves",
            ));
        }
        other => {
            losses.named("input[].", other);
            return Ok(None);
        }
    };
    losses.unknown("input[].", &item.rest, HARMLESS_IN_ITEMS);
    Ok(Some(Turn { role, blocks }))
}

fn one(part: Part<'_>) -> Vec<Block<'_>> {
    vec![Block { part, cache: None }]
}

/// A text, or an array of parts.
fn content<'a>(
    at: &At<'_>,
    content: &'a RawValue,
    losses: &mut Losses,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    if let Some(text) = Text::of(content) {
        return Ok(one(Part::Text(text)));
    }
    let parts: Vec<wire::Part<'a>> = at.parse(content.get())?;
    let block = |(index, part)| block(&at.index(index), part, losses);
    parts.into_iter().enumerate().map(block).collect()
}

fn block<'a>(at: &At<'_>, part: wire::Part<'a>, losses: &mut Losses) -> Result<Block<'a>, Untranslatable> {
    // Annotations and probabilities are what a reply tells of itself; no model reads them.
    losses.unknown("input[].content[].", &part.rest, &[]);
    let kind = at.required("type", part.kind)?;
    let media = matches!(kind.raw(), "input_image" | "input_file");
    if media && part.file_id.is_some() {
        return Err(at
            .member("file_id")
            .error("names a file that this model's provider does not have. hint: send the file itself"));
    }
    let content = match kind.raw() {
        "input_text" | "output_text" | "text" => Part::Text(at.required("text", part.text)?),
        "refusal" => Part::Refusal(at.required("refusal", part.refusal)?),
        "input_image" => {
            let url = at.required("image_url", part.image_url)?;
            let source = chat::image_source(&at.member("image_url"), url)?;
            Part::Image(source, part.detail.filter(chat::says_more))
        }
        "input_file" => {
            let source = match (part.file_url, part.file_data) {
                (Some(url), _) => Source::Url(url),
                (None, data) => {
                    chat::document_source(&at.member("file_data"), at.required("file_data", data)?)?
                }
            };
            Part::Document { source, title: part.filename }
        }
        _ => {
            return Err(at.member("type").error(
                "names content that cannot be sent to this model. hint: use `input_text`, `input_image` or `input_file`",
            ));
        }
    };
    Ok(Block { part: content, cache: part.prompt_cache_breakpoint.map(|_| chat::EPHEMERAL) })
}

/// Reasoning that a client sends back: ours is unpacked, `OpenAI`'s own is named as such.
fn reasoned<'a>(at: &At<'_>, item: &wire::Item<'a>, losses: &mut Losses) -> Result<Part<'a>, Untranslatable> {
    let text = reasoning_text(at, item, losses, "input[].content")?;
    let Some(encrypted) = item.encrypted_content.clone().filter(|content| !content.is_empty()) else {
        return Ok(Part::Thinking { text, signature: None });
    };
    if let Some(data) = encrypted.strip_prefix(wire::REDACTED) {
        return Ok(Part::Redacted(data));
    }
    let signature = encrypted.strip_prefix(wire::SIGNATURE);
    let signature = signature.or_else(|| sealed(item.id.as_ref(), &encrypted));
    Ok(Part::Thinking { text, signature })
}

/// What `OpenAI` needs to take an item of reasoning back, as one signature.
pub(super) fn sealed(id: Option<&Text<'_>>, encrypted: &Text<'_>) -> Option<Text<'static>> {
    let id = id.filter(|id| !id.is_empty())?;
    Some(Maker::OpenAi.seal(Text::escaped(format!("{}:{}", id.raw(), encrypted.raw()))))
}

/// The summary of reasoning as one text, or, where there is none, the reasoning itself.
pub(super) fn reasoning_text<'a>(
    at: &At<'_>,
    item: &wire::Item<'a>,
    losses: &mut Losses,
    lost: &'static str,
) -> Result<Text<'a>, Untranslatable> {
    let summary = texts(&at.member("summary"), item.summary)?;
    let content = texts(&at.member("content"), item.content)?;
    losses.add_if(!summary.is_empty() && !content.is_empty(), lost);
    let texts = if summary.is_empty() { content } else { summary };
    Ok(match <[Text<'a>; 1]>::try_from(texts) {
        Ok([one]) => one,
        Err(texts) => {
            let raw: Vec<&str> = texts.iter().map(Text::raw).collect();
            Text::escaped(raw.join(BETWEEN_PARTS))
        }
    })
}

/// The texts of parts that have some.
pub(super) fn texts<'a>(at: &At<'_>, parts: Option<&'a RawValue>) -> Result<Vec<Text<'a>>, Untranslatable> {
    let Some(parts) = parts else { return Ok(Vec::new()) };
    let parts: Vec<wire::Part<'a>> = at.parse(parts.get())?;
    Ok(parts.into_iter().filter_map(|part| part.text).filter(|text| !text.is_empty()).collect())
}

fn tools<'a>(tools: Vec<wire::Tool<'a>>, losses: &mut Losses) -> Result<Vec<Tool<'a>>, Untranslatable> {
    let all = At::ROOT.member("tools");
    let mut read = Vec::with_capacity(tools.len());
    for (index, tool) in tools.into_iter().enumerate() {
        let at = all.index(index);
        let kind = at.required("type", tool.kind)?;
        if kind.raw() != "function" {
            // Run by the provider, or of a shape that only its models were taught.
            losses.named("tools[].", kind.raw());
            continue;
        }
        losses.unknown("tools[].", &tool.rest, &[]);
        let schema = tool.parameters.filter(|schema| says_something(schema)).map(RawValue::get);
        if schema.is_some_and(|schema| !schema.starts_with('{')) {
            return Err(at.member("parameters").error("must be a JSON Schema object"));
        }
        read.push(Tool {
            name: at.required("name", tool.name)?,
            description: tool.description,
            schema: schema.map(Into::into),
            strict: tool.strict,
            // The API is strict where it can be, unless it is told not to.
            strict_if_able: tool.strict.is_none(),
            cache: None,
        });
    }
    Ok(read)
}

fn tool_choice<'a>(
    choice: &'a RawValue,
    tools: &[Tool<'_>],
    losses: &mut Losses,
) -> Result<ToolChoice<'a>, Untranslatable> {
    let at = At::ROOT.member("tool_choice");
    if let Some(word) = Text::of(choice) {
        return chat_form::choice(&word).ok_or_else(|| at.error("is none of auto, none, required"));
    }
    let choice: wire::ToolChoice<'a> = at.parse(choice.get())?;
    match choice.kind.as_ref().map_or("", Text::raw) {
        "function" => {
            let name = at.required("name", choice.name)?;
            if tools.iter().any(|tool| tool.name == name) {
                Ok(ToolChoice::Named(name))
            } else {
                Err(at.member("name").error("names no tool that this model can be given"))
            }
        }
        "allowed_tools" => {
            losses.add_if(choice.tools.is_some(), "tool_choice.tools");
            let word = at.required("mode", choice.mode)?;
            chat_form::choice(&word).ok_or_else(|| at.member("mode").error("is none of auto, required"))
        }
        _ => Err(at
            .member("type")
            .error("must be `function` or `allowed_tools`: other tools this model cannot be given")),
    }
}

fn text_format<'a>(format: &'a RawValue, losses: &mut Losses) -> Result<Option<Format<'a>>, Untranslatable> {
    let at = At::ROOT.member("text");
    let at = at.member("format");
    let format: wire::Format<'a> = at.parse(format.get())?;
    match format.kind.as_ref().map_or("", Text::raw) {
        "text" => Ok(None),
        "json_object" => Ok(Some(Format::Json)),
        "json_schema" => {
            losses.unknown("text.format.", &format.rest, &[]);
            Ok(Some(Format::Schema(Schema {
                json: at.required("schema", format.schema)?.get().into(),
                name: format.name,
                description: format.description,
                // Of a format it is not strict by itself, other than of a tool.
                strict: Some(format.strict.unwrap_or_default()),
            })))
        }
        _ => Err(at.member("type").error("is none of text, json_object, json_schema")),
    }
}

/// How the reasoning is to be told.
fn summary<'r, 'a>(asked: &'r wire::Reasoning<'a>) -> Option<&'r Text<'a>> {
    asked.summary.as_ref().or(asked.generate_summary.as_ref())
}

fn reasoning(asked: &wire::Reasoning<'_>, losses: &mut Losses) -> Result<Option<Reasoning>, Untranslatable> {
    losses.unknown("reasoning.", &asked.rest, &[]);
    let summary = summary(asked);
    // How long it is is the target's affair.
    losses.add_if(summary.is_some_and(|how| how.raw() != "auto"), "reasoning.summary");
    let Some(effort) = &asked.effort else {
        return Ok(summary.map(|_| Reasoning::Adaptive));
    };
    if effort.raw() == "none" {
        return Ok(Some(Reasoning::Off));
    }
    let known = Effort::of(effort.raw()).map(Reasoning::Effort);
    let error = || {
        let at = At::ROOT.member("reasoning");
        at.member("effort").error("is none of none, minimal, low, medium, high, xhigh, max")
    };
    known.map(Some).ok_or_else(error)
}
