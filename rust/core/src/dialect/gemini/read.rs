//! Requests of the dialect → the canonical form.
//!
//! Invariant: every call has an id and every result that of its call, also where the client gives none: it is then
//! made of the places of content and part, so that it is the same in every later turn. A signature stands on the
//! part that it was made with; in the canonical form it belongs to the reasoning before that part.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::signature::{Signed, unwrap};
use super::{schema, wire};
use crate::message::read::{At, says_something};
use crate::message::{
    Block, Effort, Format, Losses, Part, Reasoning, Request, Role, Sampling, Schema, Source, Text, Thoughts,
    Tier, Tool, ToolChoice, Turn, Untranslatable, decode_base64,
};

/// Members that cannot change the reply. The model is named in the path, which is obeyed, and `store` is about what
/// Google keeps.
const HARMLESS: &[&str] = &["model", "store", "labels"];

/// Reads a request.
pub(in crate::dialect) fn request<'a>(
    body: &'a str,
    losses: &mut Losses,
) -> Result<Request<'a>, Untranslatable> {
    let at = At::ROOT;
    let body: wire::Body<'a> = at.parse(body)?;
    losses.unknown("", &body.rest, HARMLESS);
    if body.cached_content.is_some_and(|name| !name.is_empty()) {
        let error =
            "names content that this model's provider does not have. hint: send it in `contents` instead";
        return Err(at.member("cachedContent").error(error));
    }
    let mut config = body.generation_config.unwrap_or_default();
    let at_config = at.member("generationConfig");
    losses.unknown("generationConfig.", &config.rest, &[]);
    let modalities = config.response_modalities.as_deref().unwrap_or_default();
    losses.add_if(modalities.iter().any(|one| one.raw() != "TEXT"), "generationConfig.responseModalities");
    let tools = tools(body.tools.unwrap_or_default(), losses)?;
    let thinking = config.thinking_config.take().unwrap_or_default();
    losses.unknown("generationConfig.thinkingConfig.", &thinking.rest, &[]);
    Ok(Request {
        model: None,
        system: body.system_instruction.map_or(Ok(Vec::new()), |content| system(content, losses))?,
        turns: Conversation::default().read(at.required("contents", body.contents)?, losses)?,
        tool_choice: body
            .tool_config
            .map(|config| tool_choice(config, &tools, losses))
            .transpose()?
            .flatten(),
        tools,
        parallel_tools: None,
        max_tokens: config.max_output_tokens,
        sampling: Sampling {
            temperature: at_config.number("temperature", config.temperature)?,
            top_p: at_config.number("topP", config.top_p)?,
            top_k: at_config.number("topK", config.top_k)?,
            frequency_penalty: at_config.number("frequencyPenalty", config.frequency_penalty)?,
            presence_penalty: at_config.number("presencePenalty", config.presence_penalty)?,
            seed: at_config.number("seed", config.seed)?,
            top_logprobs: at_config.number("logprobs", config.logprobs)?,
            n: at_config.number("candidateCount", config.candidate_count)?,
            logit_bias: None,
            logprobs: config.response_logprobs.filter(|asked| says_something(asked)).map(RawValue::get),
        },
        format: format(&at_config, &config, losses)?,
        stop: config.stop_sequences.unwrap_or_default(),
        // Left out it means no, and then what is told goes no further.
        thoughts: thinking.include_thoughts.unwrap_or_default().then_some(Thoughts::Told),
        reasoning: reasoning(&at_config, &thinking)?,
        user: None,
        tier: body.service_tier.and_then(|tier| match tier.raw() {
            "standard" => Some(Tier::Standard),
            "unspecified" | "" => None,
            _ => {
                losses.add("serviceTier");
                None
            }
        }),
        shared: Vec::new(),
        cache: None,
        stream: false,
        // Every reply of the dialect tells it.
        include_usage: true,
        words: &[],
        settings: Vec::new(),
    })
}

fn system<'a>(content: wire::Content<'a>, losses: &mut Losses) -> Result<Vec<Block<'a>>, Untranslatable> {
    let at = At::ROOT.member("systemInstruction");
    losses.unknown("systemInstruction.", &content.rest, &[]);
    let mut blocks = Vec::new();
    for (index, part) in content.parts.unwrap_or_default().into_iter().enumerate() {
        let list = at.member("parts");
        let at = list.index(index);
        losses.unknown("systemInstruction.parts[].", &part.rest, &[]);
        let text = part.text.ok_or_else(|| at.error("must be a text"))?;
        blocks.push(block(Part::Text(text)));
    }
    Ok(blocks)
}

fn block(part: Part<'_>) -> Block<'_> {
    Block { part, cache: None }
}

/// The contents, with what is known of the calls in them.
#[derive(Default)]
struct Conversation<'a> {
    /// The calls of the last turn that had any.
    calls: Vec<Call<'a>>,
    /// Whether the user has spoken since, so that a further call is of another turn.
    user_spoke: bool,
}

struct Call<'a> {
    id: Text<'a>,
    name: Text<'a>,
    answered: bool,
}

/// Where a part stands.
struct Place<'p> {
    at: At<'p>,
    content: usize,
    part: usize,
}

impl<'a> Conversation<'a> {
    fn read(
        mut self,
        contents: Vec<wire::Content<'a>>,
        losses: &mut Losses,
    ) -> Result<Vec<Turn<'a>>, Untranslatable> {
        let all = At::ROOT.member("contents");
        let mut turns = Vec::with_capacity(contents.len());
        for (index, content) in contents.into_iter().enumerate() {
            let at = all.index(index);
            losses.unknown("contents[].", &content.rest, &[]);
            let role = match content.role.as_ref().map_or("", Text::raw) {
                // `function` is how results were sent once.
                "user" | "" | "function" => Role::User,
                "model" => Role::Assistant,
                _ => return Err(at.member("role").error("is none of user, model")),
            };
            let parts = at.required("parts", content.parts)?;
            let mut blocks = Vec::with_capacity(parts.len());
            let mut thought = Thought::default();
            if role == Role::User {
                self.user_spoke = true;
            } else if parts.iter().any(|part| part.function_call.is_some())
                && std::mem::take(&mut self.user_spoke)
            {
                self.calls.clear();
            }
            for (part_index, part) in parts.into_iter().enumerate() {
                let list = at.member("parts");
                let place = Place { at: list.index(part_index), content: index, part: part_index };
                self.part(&place, part, &mut thought, losses, &mut blocks)?;
            }
            thought.end(&mut blocks);
            turns.push(Turn { role, blocks });
        }
        Ok(turns)
    }

    /// Reads one part, which may become none or several blocks.
    fn part(
        &mut self,
        place: &Place<'_>,
        part: wire::Part<'a>,
        thought: &mut Thought<'a>,
        losses: &mut Losses,
        blocks: &mut Vec<Block<'a>>,
    ) -> Result<(), Untranslatable> {
        losses.unknown("contents[].parts[].", &part.rest, &[]);
        let signature = part.thought_signature.filter(|signature| !signature.is_empty());
        let signed = signature.is_some();
        if part.thought == Some(true) {
            // A text that is signed already has its say; this is another one.
            if let Some(text) = part.text {
                thought.text.push(text);
            }
            if let Some(signature) = signature {
                thought.sign(signature, blocks);
            }
            return Ok(());
        }
        match signature {
            Some(signature) => thought.sign(signature, blocks),
            None => thought.end(blocks),
        }
        let at = &place.at;
        let content = if let Some(text) = part.text {
            // An empty text only carries a signature.
            if text.is_empty() {
                return Ok(());
            }
            Part::Text(text)
        } else if let Some(blob) = part.inline_data {
            inline_data(&at.member("inlineData"), blob, losses)?
        } else if let Some(file) = part.file_data {
            file_data(&at.member("fileData"), file, losses)?
        } else if let Some(call) = part.function_call {
            self.call(place, call, losses)?
        } else if let Some(response) = part.function_response {
            self.result(place, response, losses)?
        } else if let Some(name) = own_part(part.executable_code, part.code_execution_result)
            .or_else(|| own_call(part.tool_call, part.tool_response))
        {
            // What only Google's own servers make and understand; the text around it stays.
            losses.named("contents[].parts[].", name);
            return Ok(());
        } else if signed || !part.rest.is_empty() {
            return Ok(());
        } else {
            return Err(at.error("holds nothing that is known here. hint: use `text`, `inlineData`, `fileData`, `functionCall` or `functionResponse`"));
        };
        blocks.push(block(content));
        Ok(())
    }

    fn call(
        &mut self,
        place: &Place<'_>,
        call: wire::FunctionCall<'a>,
        losses: &mut Losses,
    ) -> Result<Part<'a>, Untranslatable> {
        let at = place.at.member("functionCall");
        losses.unknown("contents[].parts[].functionCall.", &call.rest, &[]);
        if call.partial_args.is_some() || call.will_continue == Some(true) {
            return Err(at.member("partialArgs").error("must be whole. hint: send `args`"));
        }
        let name = at.required("name", call.name)?;
        let id = call.id.filter(|id| !id.is_empty());
        let id = id.unwrap_or_else(|| Text::escaped(format!("call_{}_{}", place.content, place.part)));
        self.calls.push(Call { id: id.clone(), name: name.clone(), answered: false });
        Ok(Part::ToolCall { id, name, input: Cow::Borrowed(args(&at, call.args)?) })
    }

    fn result(
        &mut self,
        place: &Place<'_>,
        response: wire::FunctionResponse<'a>,
        losses: &mut Losses,
    ) -> Result<Part<'a>, Untranslatable> {
        let at = place.at.member("functionResponse");
        losses.unknown("contents[].parts[].functionResponse.", &response.rest, &[]);
        let name = at.required("name", response.name)?;
        let given = response.id.filter(|id| !id.is_empty());
        let by_id = self.calls.iter().position(|call| given.as_ref() == Some(&call.id));
        // Clients make ids for results of calls that had none.
        let by_name = || self.calls.iter().position(|call| !call.answered && call.name == name);
        let call = by_id.or_else(by_name).and_then(|index| self.calls.get_mut(index));
        let call = call.ok_or_else(|| {
            at.error("answers no call of the content before. hint: its `id`, or its `name`, must be that of a `functionCall`")
        })?;
        call.answered = true;
        let id = call.id.clone();
        let (mut content, is_error) = told(at.required("response", response.response)?)
            .ok_or_else(|| at.member("response").error("must be an object"))?;
        for (index, part) in response.parts.unwrap_or_default().into_iter().enumerate() {
            let list = at.member("parts");
            let at = list.index(index);
            losses.unknown("contents[].parts[].functionResponse.parts[].", &part.rest, &[]);
            let blob = at.required("inlineData", part.inline_data)?;
            content.push(block(inline_data(&at.member("inlineData"), blob, losses)?));
        }
        Ok(Part::ToolResult { id, content, is_error })
    }
}

/// The JSON text of a call's arguments.
pub(super) fn args<'a>(at: &At<'_>, args: Option<&'a RawValue>) -> Result<&'a str, Untranslatable> {
    match args.map(RawValue::get) {
        None => Ok("{}"),
        Some(json) if json.starts_with('{') => Ok(json),
        Some(_) => Err(at.member("args").error("must be an object")),
    }
}

/// The name of a part about code that Google runs.
pub(super) fn own_part(code: Option<&RawValue>, result: Option<&RawValue>) -> Option<&'static str> {
    code.map(|_| "executableCode").or(result.map(|_| "codeExecutionResult"))
}

/// The name of a part about a tool that Google runs.
pub(super) fn own_call(call: Option<&RawValue>, response: Option<&RawValue>) -> Option<&'static str> {
    call.map(|_| "toolCall").or(response.map(|_| "toolResponse"))
}

/// Reasoning that waits for its signature.
#[derive(Default)]
struct Thought<'a> {
    text: Vec<Text<'a>>,
}

impl<'a> Thought<'a> {
    /// The reasoning so far is what was signed.
    fn sign(&mut self, signature: Text<'a>, blocks: &mut Vec<Block<'a>>) {
        match unwrap(signature) {
            Signed::Thinking(signature) => {
                let text = self.take();
                blocks.push(block(Part::Thinking { text, signature: Some(signature) }));
            }
            Signed::Redacted(data) => {
                self.end(blocks);
                blocks.push(block(Part::Redacted(data)));
            }
        }
    }

    /// The reasoning so far was not signed.
    fn end(&mut self, blocks: &mut Vec<Block<'a>>) {
        if !self.text.is_empty() {
            let text = self.take();
            blocks.push(block(Part::Thinking { text, signature: None }));
        }
    }

    fn take(&mut self) -> Text<'a> {
        let mut texts = std::mem::take(&mut self.text);
        match texts.len() {
            1 => texts.remove(0),
            _ => Text::escaped(texts.iter().map(Text::raw).collect()),
        }
    }
}

/// What a tool gave: the one text that most clients put it into, or the object as it is; and whether it failed.
/// `None` where it is no object.
fn told(response: &RawValue) -> Option<(Vec<Block<'_>>, bool)> {
    let wire::Entries(members) = serde_json::from_str(response.get()).ok()?;
    let (value, is_error) = match members.as_slice() {
        [(key, value)] if key == "result" || key == "output" => (*value, false),
        [(key, value)] if key == "error" => (*value, true),
        _ => (response, false),
    };
    let text = Text::of(value).unwrap_or_else(|| Text::escape(value.get()));
    let said = (!text.is_empty()).then(|| block(Part::Text(text)));
    Some((said.into_iter().collect(), is_error))
}

fn inline_data<'a>(
    at: &At<'_>,
    blob: wire::Blob<'a>,
    losses: &mut Losses,
) -> Result<Part<'a>, Untranslatable> {
    losses.unknown("contents[].parts[].inlineData.", &blob.rest, &[]);
    let media_type = at.required("mimeType", blob.mime_type)?;
    let data = at.required("data", blob.data)?;
    match kind(media_type.raw()) {
        Some(Kind::Image) => Ok(Part::Image(Source::Base64 { media_type, data }, None)),
        Some(Kind::Pdf) => Ok(Part::Document { source: Source::Base64 { media_type, data }, title: None }),
        Some(Kind::Text) => {
            let text = data.decode().and_then(|data| decode_base64(&data));
            let text = text.and_then(|text| String::from_utf8(text).ok());
            let text = text.ok_or_else(|| at.member("data").error("must be UTF-8 in base64"))?;
            Ok(Part::Text(Text::escape(&text)))
        }
        None => Err(at.member("mimeType").error(UNSUPPORTED)),
    }
}

const UNSUPPORTED: &str =
    "names content that cannot be sent to this model. hint: use text, an image or `application/pdf`";

fn file_data<'a>(
    at: &At<'_>,
    file: wire::FileData<'a>,
    losses: &mut Losses,
) -> Result<Part<'a>, Untranslatable> {
    losses.unknown("contents[].parts[].fileData.", &file.rest, &["displayName", "display_name"]);
    let url = at.required("fileUri", file.file_uri)?;
    let url = if url.raw().contains("\\/") { Text::escaped(url.raw().replace("\\/", "/")) } else { url };
    let rest = url.strip_prefix("https://").or(url.strip_prefix("http://"));
    let host = rest.as_ref().map_or("", |rest| rest.raw().split('/').next().unwrap_or_default());
    if host.is_empty() || host == "generativelanguage.googleapis.com" {
        let error = "names a file that this model's provider does not have. hint: send it as `inlineData`";
        return Err(at.member("fileUri").error(error));
    }
    let media_type = file.mime_type.as_ref().map(Text::raw).or(media_type_of(url.raw()));
    match media_type.and_then(kind) {
        Some(Kind::Image) => Ok(Part::Image(Source::Url(url), None)),
        Some(Kind::Pdf) => Ok(Part::Document { source: Source::Url(url), title: None }),
        Some(Kind::Text) | None => Err(at.member("mimeType").error(UNSUPPORTED)),
    }
}

/// What is made of content of a type.
enum Kind {
    Image,
    Pdf,
    Text,
}

fn kind(media_type: &str) -> Option<Kind> {
    match media_type {
        "application/pdf" => Some(Kind::Pdf),
        _ if media_type.starts_with("image/") => Some(Kind::Image),
        _ if media_type.starts_with("text/") => Some(Kind::Text),
        _ => None,
    }
}

/// The type that the name of a file tells.
pub(super) fn media_type_of(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let (_, ending) = path.rsplit_once('.')?;
    Some(match ending.to_ascii_lowercase().as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "avif" => "image/avif",
        "pdf" => "application/pdf",
        _ => return None,
    })
}

fn tools<'a>(tools: Vec<wire::Entries<'a>>, losses: &mut Losses) -> Result<Vec<Tool<'a>>, Untranslatable> {
    let all = At::ROOT.member("tools");
    let mut read = Vec::new();
    for (index, wire::Entries(members)) in tools.into_iter().enumerate() {
        let at = all.index(index);
        for (name, value) in members {
            match &*name {
                _ if value.get() == "null" => {}
                "functionDeclarations" | "function_declarations" => {
                    let list = at.member("functionDeclarations");
                    let declarations: Vec<wire::FunctionDeclaration<'a>> = list.parse(value.get())?;
                    for (index, declaration) in declarations.into_iter().enumerate() {
                        read.push(tool(&list.index(index), declaration, losses)?);
                    }
                }
                // Run by Google.
                other => losses.named("tools[].", other),
            }
        }
    }
    Ok(read)
}

fn tool<'a>(
    at: &At<'_>,
    declaration: wire::FunctionDeclaration<'a>,
    losses: &mut Losses,
) -> Result<Tool<'a>, Untranslatable> {
    losses.unknown("tools[].functionDeclarations[].", &declaration.rest, &[]);
    let json = declaration.parameters_json_schema.filter(|schema| says_something(schema));
    let own = declaration.parameters.filter(|schema| says_something(schema));
    Ok(Tool {
        name: at.required("name", declaration.name)?,
        description: declaration.description,
        schema: schema_of(at, ("parametersJsonSchema", json), ("parameters", own), losses)?,
        strict: None,
        strict_if_able: false,
        cache: None,
    })
}

/// A schema, of which there may be one in either form.
fn schema_of<'a>(
    at: &At<'_>,
    (json_name, json): (&'static str, Option<&'a RawValue>),
    (own_name, own): (&'static str, Option<&'a RawValue>),
    losses: &mut Losses,
) -> Result<Option<Cow<'a, str>>, Untranslatable> {
    match (json, own) {
        (Some(_), Some(_)) => Err(at.member(own_name).error(format!("excludes `{json_name}`"))),
        (Some(schema), None) if schema.get().starts_with('{') => Ok(Some(Cow::Borrowed(schema.get()))),
        (Some(_), None) => Err(at.member(json_name).error("must be a JSON Schema object")),
        (None, Some(schema)) => {
            let at = at.member(own_name);
            Ok(Some(Cow::Owned(schema::json_schema(&at, schema, losses)?)))
        }
        (None, None) => Ok(None),
    }
}

fn tool_choice<'a>(
    config: wire::ToolConfig<'a>,
    tools: &[Tool<'_>],
    losses: &mut Losses,
) -> Result<Option<ToolChoice<'a>>, Untranslatable> {
    let at = At::ROOT.member("toolConfig");
    losses.unknown("toolConfig.", &config.rest, &[]);
    let Some(config) = config.function_calling_config else { return Ok(None) };
    losses.unknown("toolConfig.functionCallingConfig.", &config.rest, &[]);
    let at = at.member("functionCallingConfig");
    let allowed = config.allowed_function_names.unwrap_or_default();
    let list = at.member("allowedFunctionNames");
    for (index, name) in allowed.iter().enumerate() {
        if !tools.iter().any(|tool| tool.name == *name) {
            return Err(list.index(index).error("names no tool that this model can be given"));
        }
    }
    let mode = config.mode.as_ref().map_or("", Text::raw);
    if let ("ANY", [name]) = (mode, allowed.as_slice()) {
        return Ok(Some(ToolChoice::Named(name.clone())));
    }
    let all = tools.iter().all(|tool| allowed.contains(&tool.name));
    losses.add_if(
        !allowed.is_empty() && !all && mode != "NONE",
        "toolConfig.functionCallingConfig.allowedFunctionNames",
    );
    match mode {
        "" | "MODE_UNSPECIFIED" => Ok(None),
        "AUTO" => Ok(Some(ToolChoice::Auto)),
        "ANY" => Ok(Some(ToolChoice::Any)),
        "NONE" => Ok(Some(ToolChoice::None)),
        "VALIDATED" => {
            losses.add("toolConfig.functionCallingConfig.mode");
            Ok(Some(ToolChoice::Auto))
        }
        _ => Err(at.member("mode").error("is none of AUTO, ANY, NONE, VALIDATED")),
    }
}

fn format<'a>(
    at: &At<'_>,
    config: &wire::GenerationConfig<'a>,
    losses: &mut Losses,
) -> Result<Option<Format<'a>>, Untranslatable> {
    let given = config.response_json_schema.or(config.internal_json_schema);
    let schema =
        schema_of(at, ("responseJsonSchema", given), ("responseSchema", config.response_schema), losses)?;
    let newer = config.response_format.as_ref();
    if let Some(format) = newer {
        losses.unknown("generationConfig.responseFormat.", &format.rest, &[]);
    }
    if let Some(text) = newer.and_then(|format| format.text.as_ref()) {
        losses.unknown("generationConfig.responseFormat.text.", &text.rest, &[]);
        if text.mime_type.as_ref().is_some_and(|mime_type| mime_type.raw() == "APPLICATION_JSON") {
            let schema = text.schema.map(RawValue::get).filter(|schema| schema.starts_with('{'));
            return Ok(Some(json(schema.map(Cow::Borrowed))));
        }
    }
    match config.response_mime_type.as_ref().map_or("", Text::raw) {
        "application/json" => Ok(Some(json(schema))),
        "" | "text/plain" => {
            losses.add_if(schema.is_some(), "generationConfig.responseSchema");
            Ok(None)
        }
        _ => {
            losses.add("generationConfig.responseMimeType");
            Ok(None)
        }
    }
}

/// JSON, of this schema if there is one.
fn json(schema: Option<Cow<'_, str>>) -> Format<'_> {
    schema.map_or(Format::Json, |schema| Format::Schema(Schema::bare(schema)))
}

fn reasoning(at: &At<'_>, config: &wire::ThinkingConfig<'_>) -> Result<Option<Reasoning>, Untranslatable> {
    let at = at.member("thinkingConfig");
    let level = config.thinking_level.as_ref().filter(|level| level.raw() != "THINKING_LEVEL_UNSPECIFIED");
    match (level, config.thinking_budget) {
        (Some(_), Some(_)) => Err(at.member("thinkingBudget").error("excludes `thinkingLevel`")),
        (Some(level), None) => match level.raw().to_ascii_lowercase().as_str() {
            level @ ("minimal" | "low" | "medium" | "high") => Ok(Effort::of(level).map(Reasoning::Effort)),
            _ => Err(at.member("thinkingLevel").error("is none of MINIMAL, LOW, MEDIUM, HIGH")),
        },
        (None, Some(0)) => Ok(Some(Reasoning::Off)),
        (None, Some(-1)) => Ok(Some(Reasoning::Adaptive)),
        (None, Some(tokens)) => match u64::try_from(tokens) {
            Ok(tokens) => Ok(Some(Reasoning::Budget(tokens))),
            Err(_) => Err(at.member("thinkingBudget").error("must be -1, 0 or a number of tokens")),
        },
        (None, None) => Ok(None),
    }
}
