//! Requests of the dialect → the canonical form.

use serde_json::value::RawValue;

use super::{signatures, wire};
use crate::dialect::chat_form;
use crate::message::read::{At, says_something};
use crate::message::{
    Block, Effort, Format, Losses, Part, Reasoning, Request, Role, Sampling, Schema, Source, Text, Tier,
    Tool, ToolChoice, Turn, Untranslatable, tool_input,
};

/// A marker for the end of what is worth caching, in the words of Anthropic, which are those of the convention.
pub(in crate::dialect) const EPHEMERAL: &str = r#"{"type":"ephemeral"}"#;

/// What is called otherwise where reasoning is told as text alone, without the blocks that `LiteLLM` has beside it.
const REASONING_TEXT: &[(&str, &str)] = &[
    ("messages[].content[].thinking", REASONING_CONTENT),
    ("messages[].thinking", REASONING_CONTENT),
    ("messages[].thinking_blocks", REASONING_CONTENT),
];

const REASONING_CONTENT: &str = "messages[].reasoning_content";

/// The only type of file that the API takes.
const PDF: Text<'_> = Text::plain("application/pdf");

/// Those of the members that say something.
pub(in crate::dialect) fn shared<'a, const N: usize>(
    members: [(&'static str, Option<&'a RawValue>); N],
) -> Vec<(&'static str, &'a str)> {
    let given = |(name, value): (&'static str, Option<&'a RawValue>)| {
        value.filter(|value| says_something(value)).map(|value| (name, value.get()))
    };
    members.into_iter().filter_map(given).collect()
}

/// The tier of service, and the word for one that only `OpenAI` has.
pub(in crate::dialect) fn tier(
    asked: Option<&RawValue>,
) -> Result<(Option<Tier>, Option<&RawValue>), Untranslatable> {
    let Some(asked) = asked.filter(|asked| says_something(asked)) else { return Ok((None, None)) };
    let at = At::ROOT.member("service_tier");
    let word = Text::of(asked).ok_or_else(|| at.error("must be a string"))?;
    Ok(match word.raw() {
        "auto" => (Some(Tier::Auto), None),
        "default" => (Some(Tier::Standard), None),
        _ => (None, Some(asked)),
    })
}

/// Reads a request.
pub(super) fn request<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, Untranslatable> {
    let at = At::ROOT;
    let body: wire::Body<'a> = at.parse(body)?;
    losses.unknown("", &body.rest, &[]);
    if body.functions.is_some() || body.function_call.is_some() {
        let name = if body.functions.is_some() { "functions" } else { "function_call" };
        return Err(at.member(name).error("is the form before `tools`. hint: use `tools` and `tool_choice`"));
    }
    let messages = at.required("messages", body.messages)?;
    let words =
        if messages.iter().any(|message| reasoning(message).is_some()) { REASONING_TEXT } else { &[] };
    let (system, turns) = conversation(messages, losses)?;
    let stream = body.stream.unwrap_or_default();
    let stream_options = body.stream_options.unwrap_or_default();
    let (tier, own_tier) = tier(body.service_tier)?;
    // Obfuscation is padding.
    losses.unknown("stream_options.", &stream_options.rest, &["include_obfuscation"]);
    Ok(Request {
        model: body.model,
        system,
        turns,
        tools: tools(body.tools.unwrap_or_default(), losses)?,
        tool_choice: body.tool_choice.map(|choice| tool_choice(choice, losses)).transpose()?,
        parallel_tools: body.parallel_tool_calls,
        max_tokens: body.max_completion_tokens.or(body.max_tokens),
        sampling: Sampling {
            temperature: at.number("temperature", body.temperature)?,
            top_p: at.number("top_p", body.top_p)?,
            top_k: at.number("top_k", body.top_k)?,
            frequency_penalty: at.number("frequency_penalty", body.frequency_penalty)?,
            presence_penalty: at.number("presence_penalty", body.presence_penalty)?,
            seed: at.number("seed", body.seed)?,
            top_logprobs: at.number("top_logprobs", body.top_logprobs)?,
            n: at.number("n", body.n)?,
            logit_bias: body.logit_bias.filter(|bias| says_something(bias)).map(RawValue::get),
            logprobs: body.logprobs.filter(|asked| says_something(asked)).map(RawValue::get),
        },
        stop: body.stop.map(stop).transpose()?.unwrap_or_default(),
        format: body.response_format.map(|format| response_format(format, losses)).transpose()?.flatten(),
        reasoning: body.reasoning_effort.as_ref().map(effort).transpose()?,
        user: body.safety_identifier.or(body.user),
        tier,
        shared: shared([
            ("service_tier", own_tier),
            ("prompt_cache_key", body.prompt_cache_key),
            ("prompt_cache_options", body.prompt_cache_options),
            ("prompt_cache_retention", body.prompt_cache_retention),
            ("metadata", body.metadata),
            ("verbosity", body.verbosity),
        ]),
        cache: body.cache_control.map(RawValue::get),
        stream,
        thoughts: None,
        include_usage: stream && stream_options.include_usage.unwrap_or_default(),
        words,
        settings: Vec::new(),
    })
}

type Conversation<'a> = (Vec<Block<'a>>, Vec<Turn<'a>>);

fn conversation<'a>(
    messages: Vec<wire::Message<'a>>,
    losses: &mut Losses,
) -> Result<Conversation<'a>, Untranslatable> {
    let all = At::ROOT.member("messages");
    let (mut system, mut turns) = (Vec::new(), Vec::with_capacity(messages.len()));
    for (index, message) in messages.into_iter().enumerate() {
        let at = all.index(index);
        // Annotations are what a reply tells of itself; no model reads them.
        losses.unknown("messages[].", &message.rest, &[]);
        losses.add_if(message.name.is_some(), "messages[].name");
        if message.function_call.is_some() {
            return Err(at
                .member("function_call")
                .error("is the form before `tool_calls`. hint: use `tool_calls`"));
        }
        let role = at.required("role", message.role.clone())?;
        let cache = message.cache_control.map(RawValue::get);
        let (role, mut blocks) = match role.raw() {
            "system" | "developer" => (Role::System, content(&at, message.content, Role::System, losses)?),
            "user" => (Role::User, content(&at, message.content, Role::User, losses)?),
            "assistant" => (Role::Assistant, assistant(&at, message, losses)?),
            "tool" => {
                let id = at.required("tool_call_id", message.tool_call_id)?;
                let content = content(&at, message.content, Role::User, losses)?;
                let part = Part::ToolResult { id, content, is_error: false };
                (Role::User, vec![Block { part, cache: None }])
            }
            "function" => {
                return Err(at
                    .member("role")
                    .error("`function` is the form before `tool`. hint: use `tool`"));
            }
            _ => return Err(at.member("role").error("is none of system, developer, user, assistant, tool")),
        };
        if let (Some(last), Some(_)) = (blocks.last_mut(), cache) {
            last.cache = last.cache.or(cache);
        }
        if role == Role::System && turns.is_empty() {
            system.append(&mut blocks);
        } else {
            turns.push(Turn { role, blocks });
        }
    }
    Ok((system, turns))
}

fn assistant<'a>(
    at: &At<'_>,
    message: wire::Message<'a>,
    losses: &mut Losses,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    let mut thoughts = Vec::new();
    if let Some(text) = reasoning(&message) {
        thoughts.push(Part::Thinking { text, signature: None });
    }
    let other = message.reasoning.is_some_and(|told| Text::of(told).is_none());
    losses.add_if(other && message.thinking_blocks.is_none(), REASONING_CONTENT);
    for (index, block) in message.thinking_blocks.unwrap_or_default().into_iter().enumerate() {
        let list = at.member("thinking_blocks");
        thoughts.push(thinking_part(&list.index(index), block)?);
    }
    let mut said = content(at, message.content, Role::Assistant, losses)?;
    if let Some(refusal) = message.refusal.filter(|text| !text.is_empty()) {
        said.push(Block { part: Part::Refusal(refusal), cache: None });
    }
    let mut calls = Vec::new();
    for (index, told) in message.tool_calls.unwrap_or_default().into_iter().enumerate() {
        let list = at.member("tool_calls");
        calls.push(call(&list.index(index), told, losses)?);
    }
    Ok(signatures::in_order(thoughts, said, calls))
}

fn call<'a>(
    at: &At<'_>,
    call: wire::ToolCall<'a>,
    losses: &mut Losses,
) -> Result<signatures::Call<'a>, Untranslatable> {
    losses.unknown("messages[].tool_calls[].", &call.rest, &[]);
    if call.kind.is_some_and(|kind| kind.raw() != "function") {
        return Err(at.member("type").error("must be `function`: other calls this model cannot be given"));
    }
    let function = at.required("function", call.function)?;
    let at_function = at.member("function");
    losses.unknown("messages[].tool_calls[].function.", &function.rest, &[]);
    let part = Part::ToolCall {
        id: at.required("id", call.id)?,
        name: at_function.required("name", function.name)?,
        input: tool_input(function.arguments.unwrap_or_default()).ok_or_else(|| {
            at_function.member("arguments").error("must be the JSON text of an object, or empty")
        })?,
    };
    let extra = call.extra_content.filter(|extra| says_something(extra));
    let signature = extra.and_then(signatures::sealed);
    losses.add_if(extra.is_some() && signature.is_none(), "messages[].tool_calls[].extra_content");
    let block = Block { part, cache: call.cache_control.map(RawValue::get) };
    Ok(signatures::Call { block, signature })
}

/// Reasoning that is told as text alone. Beside blocks it is their text once more.
fn reasoning<'a>(message: &wire::Message<'a>) -> Option<Text<'a>> {
    let blocks = message.thinking_blocks.as_ref().is_some_and(|blocks| !blocks.is_empty());
    if blocks { None } else { told(message.reasoning_content.as_ref(), message.reasoning) }
}

/// The text that is told of reasoning, under either name.
pub(super) fn told<'a>(content: Option<&Text<'a>>, reasoning: Option<&'a RawValue>) -> Option<Text<'a>> {
    let said = |text: &Text<'_>| !text.is_empty();
    content.cloned().filter(said).or_else(|| reasoning.and_then(Text::of).filter(said))
}

/// A thinking block of `LiteLLM`'s convention.
pub(super) fn thinking_part<'a>(
    at: &At<'_>,
    block: wire::ThinkingBlock<'a>,
) -> Result<Part<'a>, Untranslatable> {
    match block.kind.as_ref().map_or("", Text::raw) {
        "thinking" => {
            Ok(Part::Thinking { text: block.thinking.unwrap_or_default(), signature: block.signature })
        }
        "redacted_thinking" => Ok(Part::Redacted(at.required("data", block.data)?)),
        _ => Err(at.member("type").error("must be `thinking` or `redacted_thinking`")),
    }
}

/// A text, or parts that are texts and together one thought; `part` is how one that is none is called.
pub(super) fn thought<'a>(
    at: &At<'_>,
    thinking: &'a RawValue,
    losses: &mut Losses,
    part: &'static str,
) -> Result<Option<Text<'a>>, Untranslatable> {
    if let Some(text) = Text::of(thinking) {
        return Ok(Some(text));
    }
    let parts: Vec<wire::Part<'a>> = at.member("thinking").parse(thinking.get())?;
    losses.add_if(parts.iter().any(|part| part.text.is_none()), part);
    Ok(parts.into_iter().filter_map(|part| part.text).reduce(|mut before, text| {
        before.append(&text);
        before
    }))
}

/// A text, or an array of parts; only an assistant thinks in them.
fn content<'a>(
    at: &At<'_>,
    content: Option<&'a RawValue>,
    role: Role,
    losses: &mut Losses,
) -> Result<Vec<Block<'a>>, Untranslatable> {
    let Some(content) = content else { return Ok(Vec::new()) };
    if let Some(text) = Text::of(content) {
        return Ok(vec![Block { part: Part::Text(text), cache: None }]);
    }
    let at = at.member("content");
    let parts: Vec<wire::Part<'a>> = at.parse(content.get())?;
    let block = |(index, part)| block(&at.index(index), part, role, losses);
    parts.into_iter().enumerate().map(block).collect()
}

fn block<'a>(
    at: &At<'_>,
    part: wire::Part<'a>,
    role: Role,
    losses: &mut Losses,
) -> Result<Block<'a>, Untranslatable> {
    // Whether a thought came to its end is said of those of Mistral's models.
    losses.unknown("messages[].content[].", &part.rest, &["input_audio", "closed"]);
    let kind = at.required("type", part.kind)?;
    let content = match kind.raw() {
        "text" => Part::Text(at.required("text", part.text)?),
        "refusal" => Part::Refusal(at.required("refusal", part.refusal)?),
        "image_url" => {
            let image = at.required("image_url", part.image_url)?;
            losses.unknown("messages[].content[].image_url.", &image.rest, &[]);
            let at = at.member("image_url");
            let url = at.required("url", image.url)?;
            Part::Image(image_source(&at.member("url"), url)?, image.detail.filter(says_more))
        }
        "file" => document(&at.member("file"), at.required("file", part.file)?, losses)?,
        "thinking" if role == Role::Assistant => {
            let thinking = at.required("thinking", part.thinking)?;
            let text = thought(at, thinking, losses, "messages[].content[].thinking[]")?;
            Part::Thinking { text: text.unwrap_or_default(), signature: part.signature }
        }
        "redacted_thinking" if role == Role::Assistant => Part::Redacted(at.required("data", part.data)?),
        _ => {
            return Err(at.member("type").error(
                "names content that cannot be sent to this model. hint: use `text`, `image_url` or `file`",
            ));
        }
    };
    let marked = part.prompt_cache_breakpoint.map(|_| EPHEMERAL);
    Ok(Block { part: content, cache: part.cache_control.map(RawValue::get).or(marked) })
}

/// Whether the detail in which an image is looked at is another than that which nobody has to ask for.
pub(in crate::dialect) fn says_more(detail: &Text<'_>) -> bool {
    detail.raw() != "auto"
}

/// An image by its address, which may be a `data:` one.
pub(in crate::dialect) fn image_source<'a>(at: &At<'_>, url: Text<'a>) -> Result<Source<'a>, Untranslatable> {
    // A solidus may be written with an escape.
    let url = if url.raw().contains("\\/") { Text::escaped(url.raw().replace("\\/", "/")) } else { url };
    if let Some(data) = url.strip_prefix("data:") {
        return base64(&data).ok_or_else(|| at.error("must be `data:TYPE;base64,DATA`"));
    }
    if url.strip_prefix("https://").or(url.strip_prefix("http://")).is_some() {
        return Ok(Source::Url(url));
    }
    Err(at.error("must begin with `https://`, `http://` or `data:`"))
}

/// `TYPE;base64,DATA`, parameters allowed.
fn base64<'a>(url: &Text<'a>) -> Option<Source<'a>> {
    let (media_type, data) = url.split_once(";base64,")?;
    let media_type = media_type.split_once(";").map_or(media_type, |(essence, _)| essence);
    (!media_type.is_empty() && !data.is_empty()).then_some(Source::Base64 { media_type, data })
}

fn document<'a>(
    at: &At<'_>,
    file: wire::Attachment<'a>,
    losses: &mut Losses,
) -> Result<Part<'a>, Untranslatable> {
    losses.unknown("messages[].content[].file.", &file.rest, &[]);
    if file.file_id.is_some() {
        return Err(at
            .member("file_id")
            .error("names a file that this model's provider does not have. hint: send `file_data`"));
    }
    let data = at.required("file_data", file.file_data)?;
    Ok(Part::Document { source: document_source(&at.member("file_data"), data)?, title: file.filename })
}

/// A document as base64, with or without the head of a `data:` address.
pub(in crate::dialect) fn document_source<'a>(
    at: &At<'_>,
    data: Text<'a>,
) -> Result<Source<'a>, Untranslatable> {
    let data = if data.raw().contains("\\/") { Text::escaped(data.raw().replace("\\/", "/")) } else { data };
    match data.strip_prefix("data:") {
        Some(url) => base64(&url)
            .filter(|source| matches!(source, Source::Base64 { media_type, .. } if *media_type == PDF))
            .ok_or_else(|| at.error("must be `data:application/pdf;base64,DATA`")),
        None => Ok(Source::Base64 { media_type: PDF, data }),
    }
}

fn tools<'a>(tools: Vec<wire::Tool<'a>>, losses: &mut Losses) -> Result<Vec<Tool<'a>>, Untranslatable> {
    let all = At::ROOT.member("tools");
    let mut read = Vec::with_capacity(tools.len());
    for (index, tool) in tools.into_iter().enumerate() {
        let at = all.index(index);
        if tool.kind.is_some_and(|kind| kind.raw() != "function") {
            return Err(at
                .member("type")
                .error("must be `function`: other tools this model cannot be given"));
        }
        losses.unknown("tools[].", &tool.rest, &[]);
        let function = at.required("function", tool.function)?;
        let at = at.member("function");
        losses.unknown("tools[].function.", &function.rest, &[]);
        let schema = function.parameters.filter(|schema| says_something(schema)).map(RawValue::get);
        if schema.is_some_and(|schema| !schema.starts_with('{')) {
            return Err(at.member("parameters").error("must be a JSON Schema object"));
        }
        read.push(Tool {
            name: at.required("name", function.name)?,
            description: function.description,
            schema: schema.map(Into::into),
            strict: function.strict,
            strict_if_able: false,
            cache: tool.cache_control.or(function.cache_control).map(RawValue::get),
        });
    }
    Ok(read)
}

fn tool_choice<'a>(choice: &'a RawValue, losses: &mut Losses) -> Result<ToolChoice<'a>, Untranslatable> {
    let at = At::ROOT.member("tool_choice");
    if let Some(word) = Text::of(choice) {
        return chat_form::choice(&word).ok_or_else(|| at.error("is none of auto, none, required"));
    }
    let choice: wire::ToolChoice<'a> = at.parse(choice.get())?;
    match choice.kind.as_ref().map_or("", Text::raw) {
        "function" => {
            let function = at.required("function", choice.function)?;
            Ok(ToolChoice::Named(at.member("function").required("name", function.name)?))
        }
        "allowed_tools" => {
            let allowed = at.required("allowed_tools", choice.allowed_tools)?;
            losses.add_if(allowed.tools.is_some(), "tool_choice.allowed_tools.tools");
            let at = at.member("allowed_tools");
            let word = at.required("mode", allowed.mode)?;
            chat_form::choice(&word).ok_or_else(|| at.member("mode").error("is none of auto, required"))
        }
        _ => Err(at.member("type").error("must be `function` or `allowed_tools`")),
    }
}

fn stop(stop: &RawValue) -> Result<Vec<Text<'_>>, Untranslatable> {
    match Text::of(stop) {
        Some(one) => Ok(vec![one]),
        None => At::ROOT.member("stop").parse(stop.get()),
    }
}

fn response_format<'a>(
    format: wire::ResponseFormat<'a>,
    losses: &mut Losses,
) -> Result<Option<Format<'a>>, Untranslatable> {
    let at = At::ROOT.member("response_format");
    match format.kind.as_ref().map_or("", Text::raw) {
        "text" => Ok(None),
        "json_object" => Ok(Some(Format::Json)),
        "json_schema" => {
            let schema = at.required("json_schema", format.json_schema)?;
            losses.unknown("response_format.json_schema.", &schema.rest, &[]);
            let Some(json) = schema.schema else {
                losses.add_if(schema.description.is_some(), "response_format.json_schema.description");
                return Ok(Some(Format::Json));
            };
            Ok(Some(Format::Schema(Schema {
                json: json.get().into(),
                name: schema.name,
                description: schema.description,
                strict: Some(schema.strict.unwrap_or_default()),
            })))
        }
        _ => Err(at.member("type").error("is none of text, json_object, json_schema")),
    }
}

fn effort(effort: &Text<'_>) -> Result<Reasoning, Untranslatable> {
    if effort.raw() == "none" {
        return Ok(Reasoning::Off);
    }
    let known = Effort::of(effort.raw()).map(Reasoning::Effort);
    known.ok_or_else(|| {
        At::ROOT.member("reasoning_effort").error("is none of none, minimal, low, medium, high, xhigh, max")
    })
}
