//! The canonical form → requests of the dialect.
//!
//! Invariant: what grows from turn to turn, the messages, comes last, and a message depends on what was said up to
//! it only; so but for cache points a conversation's body is a prefix of its continuation's.
//!
//! Two things the API cannot say are said by leaving out. There is no choice `none`: the tools are left out, and
//! so none can be called. And the API refuses calls and results of earlier turns where no tools are on offer at
//! all: then one is offered that does nothing. Both are named, because the model is told of other tools than the
//! client sent.
//!
//! A cache point is a block of its own behind what it ends. There is none inside a tool's result, so that what
//! is marked there ends with the result; and none is taken behind a document that is no PDF.
//!
//! Sources: service model `bedrock-runtime` 2023-09-30 of botocore 1.44; Amazon Bedrock user guide, "Prompt
//! caching", "Structured outputs"; what the API refuses beyond that is from issues of its clients
//! (strands-agents/harness-sdk 1966, maximhq/bifrost 7003, `BerriAI/litellm` 34347 and 36536).

use super::document::{Name, Names, document_format, image_format};
use super::model::Maker;
use super::wire;
use crate::message;
use crate::message::claude::{Steering, Thinking, at_most_one, name_foreign, stop_sequences, tool_id};
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::turns::{self, EPHEMERAL, MarkerRules, Markers, Merged, Piece, is_blank, merged};
use crate::message::{
    Block, Format, Losses, Part, Request, Source, Target, Text, Tier, Tool, ToolChoice, Untranslatable,
};

/// Longest name of a tool and longest id of a call that the API takes.
const NAME_BYTES_MAX: usize = 64;

/// Longest value of the request's metadata that the API takes.
const METADATA_BYTES_MAX: usize = 256;

/// The tool that is on offer where calls were made and the client offers none.
const NO_TOOL: &str = r#"{"toolSpec":{"name":"no_tool","description":"Does nothing. Never call it.","inputSchema":{"json":{"type":"object","properties":{}}}}}"#;

/// A cache point is a block, and so none stands inside a tool's result.
const CACHE_POINTS: MarkerRules = MarkerRules {
    follows: takes_cache_point,
    count: |block| {
        let blank = matches!(&block.part, Part::Text(text) if is_blank(text));
        usize::from(!blank && takes_cache_point(&block.part) && marker(block).is_some())
    },
};

/// Writes a request.
pub(in crate::dialect) fn request(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    let maker = Maker::of(target.model);
    let turns = merged(request, losses, |_, block, losses| is_acceptable(block, maker, losses));
    match turns.first() {
        Some(first) if !first.assistant => {}
        _ => {
            let error =
                "must begin with something said by the user: this model's API takes no other beginning";
            return Err(At::ROOT.member("messages").error(error));
        }
    }
    refuse_tool_names(&request.tools)?;
    let wanted = target.cache_breakpoints && maker.surely_caches();
    let markers = Markers::of(request, &turns, &CACHE_POINTS, wanted, losses);
    let thinking = maker.is_claude().then(|| Thinking::of(request, &turns, target.model, losses));
    let steering = steering(request, thinking.as_ref(), losses);
    name_foreign(&request.sampling, losses);
    let mut writer = Writer { maker, thinking, markers, names: Names::default(), losses, out };
    writer.out.push(b'{');
    writer.inference_config(request, &steering);
    writer.additional_fields(request, &steering);
    writer.metadata(request.user.as_ref());
    match request.tier {
        Some(Tier::Standard) => writer.out.key("serviceTier").raw(r#"{"type":"default"}"#),
        // Which is what happens where nothing is said.
        Some(Tier::Auto) | None => {}
    }
    if target.counts {
        // The question has no place for it, and its schema is part of the prompt.
        writer.losses.add_if(request.format.is_some(), "response_format");
    } else {
        writer.output_config(request);
    }
    writer.tool_config(request, &turns);
    writer.system(request)?;
    writer.messages(request, &turns)?;
    writer.out.close(b'}');
    Ok(())
}

/// The model would call a tool by a name that its client does not know, were it changed.
fn refuse_tool_names(tools: &[Tool<'_>]) -> Result<(), Untranslatable> {
    match tools.iter().find(|tool| !is_fit(&tool.name)) {
        None => Ok(()),
        Some(tool) => Err(At::ROOT.member("tools").error(format!(
            "has the name `{}`, which this model's API does not take. hint: use at most {NAME_BYTES_MAX} letters, digits, `_` and `-`",
            beginning(&tool.name)
        ))),
    }
}

fn is_fit(name: &Text<'_>) -> bool {
    let name = name.raw();
    let fit = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    !name.is_empty() && name.len() <= NAME_BYTES_MAX && name.bytes().all(fit)
}

/// As much of a text as belongs into a message.
fn beginning<'t>(text: &'t Text<'_>) -> &'t str {
    let text = text.raw();
    text.get(..text.floor_char_boundary(100)).unwrap_or_default()
}

/// The numbers that steer sampling; how many of the likeliest tokens count can be said to Anthropic's models only.
fn steering<'a>(request: &Request<'a>, thinking: Option<&Thinking>, losses: &mut Losses) -> Steering<'a> {
    if let Some(thinking) = thinking {
        return Steering::of(request, thinking, losses);
    }
    let sampling = &request.sampling;
    losses.add_if(sampling.top_k.is_some(), "top_k");
    let temperature = sampling.temperature.map(|number| at_most_one(number, losses));
    Steering { temperature, top_p: sampling.top_p, top_k: None }
}

/// Whether the API takes a block for a model of this maker. What it encrypted itself it takes back in its own
/// encoding only.
fn is_acceptable(block: &Block<'_>, maker: Maker, losses: &mut Losses) -> bool {
    match &block.part {
        Part::Thinking { .. } if !maker.is_claude() => {
            losses.add("messages[].thinking_blocks");
            false
        }
        Part::Redacted(data) => {
            let is_own = message::Maker::Bedrock.unseal(data).is_some();
            losses.add_if(!is_own, "messages[].redacted_thinking");
            is_own
        }
        _ => turns::is_acceptable(block, losses),
    }
}

fn takes_cache_point(part: &Part<'_>) -> bool {
    match part {
        Part::Thinking { .. } | Part::Redacted(_) => false,
        Part::Document { source: Source::Base64 { media_type, .. }, .. } => {
            media_type.raw() == "application/pdf"
        }
        _ => true,
    }
}

/// The client's marker on a block, or the last one in it.
fn marker<'b>(block: &'b Block<'_>) -> Option<&'b str> {
    block.cache.or_else(|| match &block.part {
        Part::ToolResult { content, .. } => content.iter().rev().find_map(|inside| inside.cache),
        _ => None,
    })
}

/// How many markers of the client's a block has, in and on it.
fn markers_of(block: &Block<'_>) -> usize {
    let inside = match &block.part {
        Part::ToolResult { content, .. } => content.iter().filter(|inside| inside.cache.is_some()).count(),
        _ => 0,
    };
    inside + usize::from(block.cache.is_some())
}

/// Writes one body.
struct Writer<'w> {
    maker: Maker,
    /// Of models that take what Anthropic's do.
    thinking: Option<Thinking>,
    markers: Markers,
    /// Of the documents so far.
    names: Names,
    losses: &'w mut Losses,
    out: &'w mut Vec<u8>,
}

impl Writer<'_> {
    /// Writes an object under this key, unless it stays empty.
    fn object(&mut self, key: &str, members: impl FnOnce(&mut Self)) {
        let start = self.out.len();
        self.out.key(key).open(b'{');
        let opened = self.out.len();
        members(self);
        if self.out.len() == opened {
            self.out.truncate(start);
        } else {
            self.out.close(b'}');
        }
    }

    fn inference_config(&mut self, request: &Request<'_>, steering: &Steering<'_>) {
        self.object("inferenceConfig", |Self { losses, out, .. }| {
            if let Some(tokens) = request.max_tokens {
                out.key("maxTokens").number(tokens);
            }
            if let Some(temperature) = steering.temperature {
                out.key("temperature").raw(temperature);
            }
            if let Some(top_p) = steering.top_p {
                out.key("topP").raw(top_p);
            }
            stop_sequences("stopSequences", &request.stop, losses, out);
        });
    }

    /// What only Anthropic's models have is passed on to them in their own words.
    fn additional_fields(&mut self, request: &Request<'_>, steering: &Steering<'_>) {
        let one_at_a_time = request.parallel_tools == Some(false) && !request.tools.is_empty();
        let Some(thinking) = self.thinking else {
            self.losses.add_if(request.reasoning.is_some(), "reasoning_effort");
            self.losses.add_if(one_at_a_time, "parallel_tool_calls");
            return;
        };
        self.object("additionalModelRequestFields", |Self { losses, out, .. }| {
            if let Some(top_k) = steering.top_k {
                out.key("top_k").raw(top_k);
            }
            thinking.write(out);
            if one_at_a_time {
                // Beside a choice in `toolConfig` it is refused.
                match thinking.tool_choice(request, losses) {
                    None | Some(ToolChoice::Auto) => {
                        out.key("tool_choice").raw(r#"{"type":"auto","disable_parallel_tool_use":true}"#);
                    }
                    Some(ToolChoice::Any | ToolChoice::Named(_)) => losses.add("parallel_tool_calls"),
                    Some(ToolChoice::None) => {}
                }
            }
        });
    }

    fn metadata(&mut self, user: Option<&Text<'_>>) {
        let Some(user) = user else { return };
        let fit = |byte: u8| byte.is_ascii_alphanumeric() || b" :_@$#=/+,-.".contains(&byte);
        if user.raw().len() <= METADATA_BYTES_MAX && user.raw().bytes().all(fit) {
            self.out.key("requestMetadata").open(b'{');
            self.out.key("user_id").text(user);
            self.out.close(b'}');
        } else {
            self.losses.add("user");
        }
    }

    fn output_config(&mut self, request: &Request<'_>) {
        self.object("outputConfig", |Self { thinking, losses, out, .. }| {
            if let Some(effort) = thinking.and_then(|thinking| thinking.effort) {
                out.key("effort").string(effort.name());
            }
            match &request.format {
                Some(Format::Schema(schema)) => {
                    out.key("textFormat").open(b'{');
                    out.key("type").raw("\"json_schema\"");
                    out.key("structure").open(b'{');
                    out.key("jsonSchema").open(b'{');
                    if let Some(name) = &schema.name {
                        out.key("name").text(name);
                    }
                    if let Some(description) = &schema.description {
                        out.key("description").text(description);
                    }
                    // Its JSON as a text.
                    out.key("schema").string(&schema.json);
                    out.close(b'}');
                    out.close(b'}');
                    out.close(b'}');
                }
                Some(Format::Json) => losses.add("response_format"),
                None => {}
            }
        });
    }

    fn tool_config(&mut self, request: &Request<'_>, turns: &[Merged<'_>]) {
        let is_forbidden = matches!(request.tool_choice, Some(ToolChoice::None));
        let offered = if is_forbidden { &[] } else { request.tools.as_slice() };
        let is_of_tools =
            |piece: &Piece<'_>| matches!(piece.block.part, Part::ToolCall { .. } | Part::ToolResult { .. });
        let called = turns.iter().flat_map(|turn| &turn.pieces).any(is_of_tools);
        self.losses.add_if(offered.len() < request.tools.len() || (offered.is_empty() && called), "tools[]");
        if offered.is_empty() && !called {
            return;
        }
        self.out.key("toolConfig").open(b'{');
        if !offered.is_empty() {
            self.tool_choice(request);
        }
        self.out.key("tools").open(b'[');
        if offered.is_empty() {
            self.out.raw(NO_TOOL);
        }
        for (index, tool) in offered.iter().enumerate() {
            self.tool(tool);
            let auto = self.markers.auto && self.maker.caches_tools() && index + 1 == offered.len();
            let marker = self.markers.take(tool.cache.or(auto.then_some(EPHEMERAL)));
            self.cache_point(marker, self.maker.caches_tools());
        }
        self.out.close(b']');
        self.out.close(b'}');
    }

    fn tool_choice(&mut self, request: &Request<'_>) {
        let one_at_a_time = request.parallel_tools == Some(false) && self.maker.is_claude();
        let choice = match &self.thinking {
            Some(thinking) => thinking.tool_choice(request, self.losses),
            None => request.tool_choice.as_ref(),
        };
        match choice {
            Some(ToolChoice::Auto) if !one_at_a_time => self.out.key("toolChoice").raw(r#"{"auto":{}}"#),
            Some(ToolChoice::Any) => self.out.key("toolChoice").raw(r#"{"any":{}}"#),
            Some(ToolChoice::Named(name)) => {
                self.out.key("toolChoice").open(b'{');
                self.out.key("tool").open(b'{');
                self.out.key("name").text(name);
                self.out.close(b'}');
                self.out.close(b'}');
            }
            Some(ToolChoice::Auto | ToolChoice::None) | None => {}
        }
    }

    fn tool(&mut self, tool: &Tool<'_>) {
        let out = &mut *self.out;
        out.open(b'{');
        out.key("toolSpec").open(b'{');
        out.key("name").text(&tool.name);
        if let Some(description) = tool.description.as_ref().filter(|text| !text.is_empty()) {
            out.key("description").text(description);
        }
        out.key("inputSchema").open(b'{');
        out.key("json").raw(tool.schema_or_empty());
        out.close(b'}');
        if tool.strict == Some(true) {
            out.key("strict").raw("true");
        }
        out.close(b'}');
        out.close(b'}');
    }

    fn system(&mut self, request: &Request<'_>) -> Result<(), Untranslatable> {
        let said = request.system.iter();
        let blocks: Vec<_> = said.filter(|block| is_acceptable(block, self.maker, self.losses)).collect();
        let Some(last) = blocks.len().checked_sub(1) else { return Ok(()) };
        self.out.key("system").open(b'[');
        for (index, block) in blocks.into_iter().enumerate() {
            let Part::Text(text) = &block.part else {
                return Err(At::ROOT.member("messages").error("holds a system prompt that is not text"));
            };
            self.text(text);
            let auto = self.markers.auto && index == last;
            let marker = self.markers.take(block.cache.or(auto.then_some(EPHEMERAL)));
            self.cache_point(marker, self.maker.caches());
        }
        self.out.close(b']');
        Ok(())
    }

    fn messages(&mut self, request: &Request<'_>, turns: &[Merged<'_>]) -> Result<(), Untranslatable> {
        // The provider does not move a marker to the end by itself, so that it is put there.
        let end = request.cache.and_then(|_| {
            let last = turns.len().checked_sub(1)?;
            let pieces = &turns.get(last)?.pieces;
            Some((last, pieces.iter().rposition(|piece| takes_cache_point(&piece.block.part))?))
        });
        self.losses.add_if(request.cache.is_some() && end.is_none(), "cache_control");
        self.out.key("messages").open(b'[');
        for (index, turn) in turns.iter().enumerate() {
            self.out.open(b'{');
            self.out.key("role").raw(if turn.assistant { "\"assistant\"" } else { "\"user\"" });
            self.out.key("content").open(b'[');
            for (at, piece) in turn.pieces.iter().enumerate() {
                let set = match Some((index, at)) {
                    place if place == end => request.cache,
                    place if place == self.markers.stable => Some(EPHEMERAL),
                    _ => None,
                };
                self.piece(piece, set)?;
            }
            self.out.close(b']');
            self.out.close(b'}');
        }
        self.out.close(b']');
        Ok(())
    }

    fn piece(&mut self, piece: &Piece<'_>, set: Option<&str>) -> Result<(), Untranslatable> {
        match piece.of_operator() {
            Some(text) => self.text(&text),
            None => self.block(&piece.block.part)?,
        }
        let own = marker(piece.block);
        self.losses.add_if(markers_of(piece.block) > 1, "messages[].cache_control");
        if takes_cache_point(&piece.block.part) {
            let marker = self.markers.take(own.or(set));
            self.cache_point(marker, self.maker.caches());
        } else {
            self.losses.add_if(own.is_some(), "messages[].cache_control");
        }
        Ok(())
    }

    /// A block that ends what shall be cached, where the model takes such.
    fn cache_point(&mut self, marker: Option<&str>, is_taken: bool) {
        let Some(marker) = marker else { return };
        if !is_taken {
            return self.losses.add("cache_control");
        }
        let marker: wire::Marker<'_> = serde_json::from_str(marker).unwrap_or_default();
        let ttl = marker.ttl.as_ref().filter(|ttl| matches!(ttl.raw(), "5m" | "1h"));
        let is_known = marker.kind.is_none_or(|kind| kind.raw() == "ephemeral") && marker.rest.is_empty();
        self.losses.add_if(!is_known || (marker.ttl.is_some() && ttl.is_none()), "cache_control");
        self.out.open(b'{');
        self.out.key("cachePoint").open(b'{');
        self.out.key("type").raw("\"default\"");
        if let Some(ttl) = ttl {
            self.out.key("ttl").text(ttl);
        }
        self.out.close(b'}');
        self.out.close(b'}');
    }

    fn text(&mut self, text: &Text<'_>) {
        self.out.open(b'{');
        self.out.key("text").text(text);
        self.out.close(b'}');
    }

    fn block(&mut self, part: &Part<'_>) -> Result<(), Untranslatable> {
        match part {
            Part::Text(text) | Part::Refusal(text) => self.text(text),
            // Requests hold none.
            Part::Citation(_) => {}
            Part::Image(source, _) => self.image(source)?,
            Part::Document { source, title } => self.document(source, title.as_ref())?,
            Part::ToolCall { id, name, input } => self.tool_use(id, name, input),
            Part::ToolResult { id, content, is_error } => self.tool_result(id, content, *is_error)?,
            Part::Thinking { text, signature } => self.thinking(text, signature.as_ref()),
            Part::Redacted(data) => {
                self.out.open(b'{');
                self.out.key("reasoningContent").open(b'{');
                self.out
                    .key("redactedContent")
                    .text(&message::Maker::Bedrock.unseal(data).unwrap_or_default());
                self.out.close(b'}');
                self.out.close(b'}');
            }
        }
        Ok(())
    }

    fn image(&mut self, source: &Source<'_>) -> Result<(), Untranslatable> {
        let (media_type, data) = bytes(source, "an image")?;
        let format = image_format(media_type.raw()).ok_or_else(|| foreign("an image", media_type))?;
        self.out.open(b'{');
        self.out.key("image").open(b'{');
        self.out.key("format").string(format);
        self.source(data);
        self.out.close(b'}');
        self.out.close(b'}');
        Ok(())
    }

    fn document(&mut self, source: &Source<'_>, title: Option<&Text<'_>>) -> Result<(), Untranslatable> {
        let (media_type, data) = bytes(source, "a document")?;
        let format = document_format(media_type.raw()).ok_or_else(|| foreign("a document", media_type))?;
        let Name { name, is_whole } = self.names.name(title, format);
        self.losses.add_if(!is_whole, "messages[].content[].title");
        self.out.open(b'{');
        self.out.key("document").open(b'{');
        self.out.key("format").string(format);
        self.out.key("name").string(&name);
        self.source(data);
        self.out.close(b'}');
        self.out.close(b'}');
        Ok(())
    }

    fn source(&mut self, data: &Text<'_>) {
        self.out.key("source").open(b'{');
        self.out.key("bytes").text(data);
        self.out.close(b'}');
    }

    fn tool_use(&mut self, id: &Text<'_>, name: &Text<'_>, input: &str) {
        self.out.open(b'{');
        self.out.key("toolUse").open(b'{');
        self.out.key("toolUseId").text(&short_id(id));
        // One that is on offer is fit; others cannot be called again.
        self.losses.add_if(!is_fit(name), "messages[].tool_calls[].function.name");
        self.out.key("name").text(&if is_fit(name) { name.clone() } else { short_id(name) });
        self.out.key("input").raw(input);
        self.out.close(b'}');
        self.out.close(b'}');
    }

    /// What a tool gave; unlike messages it may be blank, or nothing.
    fn tool_result(
        &mut self,
        id: &Text<'_>,
        content: &[Block<'_>],
        is_error: bool,
    ) -> Result<(), Untranslatable> {
        self.out.open(b'{');
        self.out.key("toolResult").open(b'{');
        self.out.key("toolUseId").text(&short_id(id));
        self.out.key("content").open(b'[');
        for block in content {
            match &block.part {
                Part::Text(_) | Part::Refusal(_) | Part::Image(..) | Part::Document { .. } => {
                    self.block(&block.part)?;
                }
                Part::ToolCall { .. }
                | Part::ToolResult { .. }
                | Part::Thinking { .. }
                | Part::Redacted(_)
                | Part::Citation(_) => {
                    self.losses.add("messages[].content[].content[]");
                }
            }
        }
        self.out.close(b']');
        if is_error {
            self.out.key("status").raw("\"error\"");
        }
        self.out.close(b'}');
        self.out.close(b'}');
        Ok(())
    }

    fn thinking(&mut self, text: &Text<'_>, signature: Option<&Text<'_>>) {
        self.out.open(b'{');
        self.out.key("reasoningContent").open(b'{');
        self.out.key("reasoningText").open(b'{');
        self.out.key("text").text(text);
        if let Some(signature) = signature.and_then(|text| message::Maker::Anthropic.unseal(text)) {
            self.out.key("signature").text(&signature);
        }
        self.out.close(b'}');
        self.out.close(b'}');
        self.out.close(b'}');
    }
}

/// An id that is as long as the API takes. A longer one ends in a hash of all of it, so that it is the same in the
/// call and in its result, and nobody else's.
fn short_id<'a>(id: &Text<'a>) -> Text<'a> {
    let fit = tool_id(id);
    if fit.raw().len() <= NAME_BYTES_MAX {
        return fit;
    }
    let hash = blake3::hash(id.raw().as_bytes()).to_hex();
    let beginning = fit.raw().get(..NAME_BYTES_MAX - 17).unwrap_or_default();
    Text::escaped(format!("{beginning}_{}", hash.get(..16).unwrap_or_default()))
}

/// The type and the bytes of an image or a document. The API fetches nothing but from S3.
fn bytes<'s, 'a>(source: &'s Source<'a>, what: &str) -> Result<(&'s Text<'a>, &'s Text<'a>), Untranslatable> {
    match source {
        Source::Base64 { media_type, data } => Ok((media_type, data)),
        Source::Url(url) => Err(At::ROOT.member("messages").error(format!(
            "holds {what} by its address `{}`, which this model's API does not fetch. hint: send it as base64",
            beginning(url)
        ))),
    }
}

fn foreign(what: &str, media_type: &Text<'_>) -> Untranslatable {
    At::ROOT.member("messages").error(format!(
        "holds {what} of type `{}`, which this model's API does not take",
        beginning(media_type)
    ))
}
