//! The canonical form → requests of the dialect.
//!
//! Invariant: what grows from turn to turn, the messages, comes last, and a message depends on its own turns
//! only; so but for cache markers a conversation's body is a prefix of its continuation's. Markers are no
//! content for the provider's cache, and there are never more than [`MARKERS_MAX`].
//!
//! An operator's message in the middle of the conversation becomes a block of the user's turn in
//! `<system>…</system>`: moved to the top it would change the prefix of every later turn, and the role `system`
//! among the messages is known to some models only.
//!
//! Source: Anthropic API reference, "Create a Message"; "Prompt caching"; "Adaptive thinking".

use crate::message::json::Json;
use crate::message::read::At;
use crate::message::{
    Block, Effort, Format, Losses, Maker, Part, Reasoning, Request, Role, Source, Target, Text, Tier, Tool,
    ToolChoice, Untranslatable, redacted_block, thinking_block,
};

/// Most cache markers that the API takes.
const MARKERS_MAX: usize = 4;

/// The marker that is set for clients that set none.
const EPHEMERAL: &str = r#"{"type":"ephemeral"}"#;

/// Longest end-user name that the API takes.
const USER_BYTES_MAX: usize = 512;

/// Writes a request.
pub(super) fn request(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    let turns = merged(request, losses);
    if turns.is_empty() {
        let error = "must hold something said by the user: this model does not answer a system prompt alone";
        return Err(At::ROOT.member("messages").error(error));
    }
    let mut markers = Markers::of(request, &turns, target.cache_breakpoints);
    losses.add_if(markers.surplus > 0, "cache_control");
    out.push(b'{');
    out.key("model").string(target.model);
    out.key("max_tokens").number(request.max_tokens.unwrap_or(target.max_tokens_default));
    sampling(request, losses, out);
    stop_sequences(&request.stop, losses, out);
    if let Some(user) = &request.user {
        if user.raw().len() <= USER_BYTES_MAX {
            out.key("metadata").open(b'{');
            out.key("user_id").text(user);
            out.close(b'}');
        } else {
            losses.add("user");
        }
    }
    match request.tier {
        Some(Tier::Auto) => out.key("service_tier").raw("\"auto\""),
        Some(Tier::Standard) => out.key("service_tier").raw("\"standard_only\""),
        None => {}
    }
    thinking(request, losses, out);
    output_config(request, losses, out);
    if request.stream {
        out.key("stream").raw("true");
    }
    tools(request, &mut markers, out);
    markers.write(request.cache, out);
    system(request, &mut markers, losses, out)?;
    out.key("messages").open(b'[');
    for (index, turn) in turns.iter().enumerate() {
        out.open(b'{');
        out.key("role").raw(if turn.assistant { "\"assistant\"" } else { "\"user\"" });
        out.key("content").open(b'[');
        for (at, piece) in turn.pieces.iter().enumerate() {
            let auto = markers.stable == Some((index, at));
            write_piece(piece, auto, &mut markers, losses, out);
        }
        out.close(b']');
        out.close(b'}');
    }
    out.close(b']');
    out.close(b'}');
    Ok(())
}

fn system(
    request: &Request<'_>,
    markers: &mut Markers,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    let blocks: Vec<_> = request.system.iter().filter(|block| is_acceptable(block, losses)).collect();
    let Some(last) = blocks.len().checked_sub(1) else { return Ok(()) };
    out.key("system").open(b'[');
    for (index, block) in blocks.into_iter().enumerate() {
        let Part::Text(text) = &block.part else {
            return Err(At::ROOT.member("messages").error("holds a system prompt that is not text"));
        };
        let auto = markers.auto && index == last;
        text_block(text, |out| markers.write(block.cache.or(auto.then_some(EPHEMERAL)), out), out);
    }
    out.close(b']');
    Ok(())
}

/// A turn as the API wants it: speakers alternate, results of tools first.
struct Merged<'r> {
    assistant: bool,
    pieces: Vec<Piece<'r>>,
}

/// A block of it.
struct Piece<'r> {
    block: &'r Block<'r>,
    /// Said by the operator.
    system: bool,
}

fn merged<'r>(request: &'r Request<'r>, losses: &mut Losses) -> Vec<Merged<'r>> {
    let mut turns: Vec<Merged<'r>> = Vec::with_capacity(request.turns.len());
    for turn in &request.turns {
        let system = turn.role == Role::System;
        losses.add_if(system, "messages[].role");
        let said = turn.blocks.iter().filter(|block| is_acceptable(block, losses));
        let pieces = said.map(|block| Piece { block, system });
        let assistant = turn.role == Role::Assistant;
        match turns.last_mut() {
            Some(last) if last.assistant == assistant => last.pieces.extend(pieces),
            _ => turns.push(Merged { assistant, pieces: pieces.collect() }),
        }
        if turns.last().is_some_and(|last| last.pieces.is_empty()) {
            turns.pop();
        }
    }
    for turn in turns.iter_mut().filter(|turn| !turn.assistant) {
        turn.pieces.sort_by_key(|piece| !matches!(piece.block.part, Part::ToolResult { .. }));
    }
    turns
}

/// Whether the API takes a block: no empty text, which other dialects have beside calls, and no reasoning that
/// its models have not signed.
fn is_acceptable(block: &Block<'_>, losses: &mut Losses) -> bool {
    match &block.part {
        Part::Text(text) if is_blank(text) => {
            losses.add_if(block.cache.is_some(), "messages[].cache_control");
            false
        }
        Part::Thinking { signature, .. }
            if signature.as_ref().and_then(|s| Maker::Anthropic.unseal(s)).is_none() =>
        {
            losses.add("messages[].thinking_blocks");
            false
        }
        _ => true,
    }
}

/// Whether a text is empty but for white space.
fn is_blank(text: &Text<'_>) -> bool {
    let mut rest = text.raw();
    loop {
        rest = rest.trim_start_matches(' ');
        match ["\\n", "\\r", "\\t"].iter().find_map(|escape| rest.strip_prefix(escape)) {
            Some(behind) => rest = behind,
            None => return rest.is_empty(),
        }
    }
}

/// Where cache markers go.
struct Markers {
    /// Whether they are ours to set.
    auto: bool,
    /// The block that ours goes on, by turn and place.
    stable: Option<(usize, usize)>,
    /// How many of the client's are too many; the first ones go, since later ones cover what they covered.
    surplus: usize,
}

impl Markers {
    fn of(request: &Request<'_>, turns: &[Merged<'_>], wanted: bool) -> Self {
        fn marked(block: &Block<'_>) -> usize {
            let inside = match &block.part {
                Part::ToolResult { content, .. } => content.iter().map(marked).sum(),
                _ => 0,
            };
            let blank = matches!(&block.part, Part::Text(text) if is_blank(text));
            inside + usize::from(block.cache.is_some() && !blank && takes_marker(&block.part))
        }
        let of_tools = request.tools.iter().filter(|tool| tool.cache.is_some()).count();
        let of_system: usize = request.system.iter().map(marked).sum();
        let of_turns: usize =
            turns.iter().flat_map(|turn| &turn.pieces).map(|piece| marked(piece.block)).sum();
        let set = of_tools + of_system + of_turns + usize::from(request.cache.is_some());
        let auto = wanted && set == 0;
        let stable = if auto { stable(turns) } else { None };
        Self { auto, stable, surplus: set.saturating_sub(MARKERS_MAX) }
    }

    /// Writes a marker, unless it is one too many.
    fn write(&mut self, marker: Option<&str>, out: &mut Vec<u8>) {
        let Some(marker) = marker else { return };
        if self.surplus > 0 {
            self.surplus -= 1;
        } else {
            out.key("cache_control").raw(marker);
        }
    }
}

/// The end of what will be sent again as it is. Results of tools are; what a user typed last may stand beside
/// context that the client puts in for this once, so that the turn before it is marked.
fn stable(turns: &[Merged<'_>]) -> Option<(usize, usize)> {
    let last = turns.len().checked_sub(1)?;
    let results = |piece: &Piece<'_>| matches!(piece.block.part, Part::ToolResult { .. });
    let settled = turns.get(last)?.pieces.iter().all(results);
    let turn = if settled { last } else { last.checked_sub(1)? };
    let pieces = &turns.get(turn)?.pieces;
    Some((turn, pieces.iter().rposition(|piece| takes_marker(&piece.block.part))?))
}

const fn takes_marker(part: &Part<'_>) -> bool {
    !matches!(part, Part::Thinking { .. } | Part::Redacted(_))
}

fn sampling(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let sampling = &request.sampling;
    // The API refuses these beside thinking.
    let thinks = thinks(request);
    if let Some(temperature) = sampling.temperature {
        // The scale ends at 1 here, at 2 elsewhere.
        let high = temperature.parse().is_ok_and(|number: f64| number > 1.0);
        losses.add_if(high || (thinks && !is_one(temperature)), "temperature");
        if !thinks {
            out.key("temperature").raw(if high { "1" } else { temperature });
        }
    }
    if let Some(top_p) = sampling.top_p {
        // Current models take one of the two; at 1 it says nothing.
        if sampling.temperature.is_none() || thinks {
            out.key("top_p").raw(top_p);
        } else {
            losses.add_if(!is_one(top_p), "top_p");
        }
    }
    if let Some(top_k) = sampling.top_k {
        if thinks {
            losses.add("top_k");
        } else {
            out.key("top_k").raw(top_k);
        }
    }
    for (name, value, default) in [
        ("frequency_penalty", sampling.frequency_penalty, "0"),
        ("presence_penalty", sampling.presence_penalty, "0"),
        ("seed", sampling.seed, ""),
        ("logit_bias", sampling.logit_bias, ""),
        ("logprobs", sampling.logprobs, ""),
        ("top_logprobs", sampling.top_logprobs, "0"),
        ("n", sampling.n, "1"),
    ] {
        losses.add_if(value.is_some_and(|value| value.trim_end_matches(".0") != default), name);
    }
}

fn is_one(number: &str) -> bool {
    number.parse().is_ok_and(|number: f64| (number - 1.0).abs() < f64::EPSILON)
}

/// Whether the request will ask the model to think.
fn thinks(request: &Request<'_>) -> bool {
    request.reasoning.is_some_and(|reasoning| reasoning != Reasoning::Off) && !is_forced(request)
}

/// The API refuses to think where it is told to call a tool.
fn is_forced(request: &Request<'_>) -> bool {
    matches!(request.tool_choice, Some(ToolChoice::Any | ToolChoice::Named(_))) && !request.tools.is_empty()
}

fn stop_sequences(stop: &[Text<'_>], losses: &mut Losses, out: &mut Vec<u8>) {
    // The API refuses sequences of white space alone.
    losses.add_if(stop.iter().any(is_blank), "stop");
    if stop.iter().all(is_blank) {
        return;
    }
    out.key("stop_sequences").open(b'[');
    stop.iter().filter(|text| !is_blank(text)).for_each(|text| out.text(text));
    out.close(b']');
}

fn thinking(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let Some(reasoning) = request.reasoning else { return };
    match reasoning {
        Reasoning::Off => out.key("thinking").raw(r#"{"type":"disabled"}"#),
        _ if is_forced(request) => losses.add("reasoning_effort"),
        Reasoning::Adaptive | Reasoning::Effort(_) => out.key("thinking").raw(r#"{"type":"adaptive"}"#),
        Reasoning::Budget(tokens) => {
            out.key("thinking").open(b'{');
            out.key("type").raw("\"enabled\"");
            out.key("budget_tokens").number(tokens);
            out.close(b'}');
        }
    }
}

fn output_config(request: &Request<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    let effort = match request.reasoning {
        Some(Reasoning::Effort(Effort::Minimal)) => {
            losses.add("reasoning_effort");
            Some(Effort::Low)
        }
        Some(Reasoning::Effort(effort)) => Some(effort),
        Some(Reasoning::Off | Reasoning::Adaptive | Reasoning::Budget(_)) | None => None,
    };
    let schema = match request.format {
        Some(Format::Schema(schema)) => Some(schema),
        Some(Format::Json) => {
            losses.add("response_format");
            None
        }
        None => None,
    };
    if effort.is_none() && schema.is_none() {
        return;
    }
    out.key("output_config").open(b'{');
    if let Some(effort) = effort {
        out.key("effort").string(effort.name());
    }
    if let Some(schema) = schema {
        out.key("format").open(b'{');
        out.key("type").raw("\"json_schema\"");
        out.key("schema").raw(schema);
        out.close(b'}');
    }
    out.close(b'}');
}

fn tools(request: &Request<'_>, markers: &mut Markers, out: &mut Vec<u8>) {
    let Some(last) = request.tools.len().checked_sub(1) else { return };
    tool_choice(request, out);
    out.key("tools").open(b'[');
    for (index, tool) in request.tools.iter().enumerate() {
        let auto = markers.auto && index == last;
        write_tool(tool, tool.cache.or(auto.then_some(EPHEMERAL)), markers, out);
    }
    out.close(b']');
}

fn tool_choice(request: &Request<'_>, out: &mut Vec<u8>) {
    let one_at_a_time = request.parallel_tools == Some(false);
    let word = match &request.tool_choice {
        None if one_at_a_time => "\"auto\"",
        None => return,
        Some(ToolChoice::Auto) => "\"auto\"",
        Some(ToolChoice::None) => "\"none\"",
        Some(ToolChoice::Any) => "\"any\"",
        Some(ToolChoice::Named(_)) => "\"tool\"",
    };
    out.key("tool_choice").open(b'{');
    out.key("type").raw(word);
    if let Some(ToolChoice::Named(name)) = &request.tool_choice {
        out.key("name").text(name);
    }
    if one_at_a_time && !matches!(request.tool_choice, Some(ToolChoice::None)) {
        out.key("disable_parallel_tool_use").raw("true");
    }
    out.close(b'}');
}

fn write_tool(tool: &Tool<'_>, marker: Option<&str>, markers: &mut Markers, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        out.key("description").text(description);
    }
    out.key("input_schema").raw(tool.schema.unwrap_or(r#"{"type":"object","properties":{}}"#));
    if tool.strict == Some(true) {
        out.key("strict").raw("true");
    }
    markers.write(marker, out);
    out.close(b'}');
}

fn write_piece(piece: &Piece<'_>, auto: bool, markers: &mut Markers, losses: &mut Losses, out: &mut Vec<u8>) {
    let marker = piece.block.cache.or(auto.then_some(EPHEMERAL));
    if let (Part::Text(text), true) = (&piece.block.part, piece.system) {
        let wrapped = Text::escaped(format!("<system>{}</system>", text.raw()));
        return text_block(&wrapped, |out| markers.write(marker, out), out);
    }
    write_block(&piece.block.part, marker, markers, losses, out);
}

fn write_block(
    part: &Part<'_>,
    marker: Option<&str>,
    markers: &mut Markers,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) {
    match part {
        Part::Text(text) => return text_block(text, |out| markers.write(marker, out), out),
        Part::Image(from) => {
            out.open(b'{');
            out.key("type").raw("\"image\"");
            source(from, out);
        }
        Part::Document { source: from, title } => {
            out.open(b'{');
            out.key("type").raw("\"document\"");
            source(from, out);
            if let Some(title) = title {
                out.key("title").text(title);
            }
        }
        Part::ToolCall { id, name, input } => {
            out.open(b'{');
            out.key("type").raw("\"tool_use\"");
            tool_id(out.key("id"), id);
            out.key("name").text(name);
            out.key("input").raw(input);
        }
        Part::ToolResult { id, content, is_error } => {
            out.open(b'{');
            out.key("type").raw("\"tool_result\"");
            tool_id(out.key("tool_use_id"), id);
            result(content, markers, losses, out);
            if *is_error {
                out.key("is_error").raw("true");
            }
        }
        Part::Thinking { text, signature } => {
            losses.add_if(marker.is_some(), "messages[].cache_control");
            return thinking_block(text, signature.as_ref(), out);
        }
        Part::Redacted(data) => {
            losses.add_if(marker.is_some(), "messages[].cache_control");
            return redacted_block(data, out);
        }
    }
    markers.write(marker, out);
    out.close(b'}');
}

/// What a tool gave: one text as such, nothing not at all, else blocks.
fn result(content: &[Block<'_>], markers: &mut Markers, losses: &mut Losses, out: &mut Vec<u8>) {
    let said: Vec<&Block<'_>> = content.iter().filter(|block| is_acceptable(block, losses)).collect();
    match said.as_slice() {
        [] => {}
        [Block { part: Part::Text(text), cache: None }] => out.key("content").text(text),
        blocks => {
            out.key("content").open(b'[');
            for block in blocks {
                write_block(&block.part, block.cache, markers, losses, out);
            }
            out.close(b']');
        }
    }
}

fn text_block(text: &Text<'_>, marker: impl FnOnce(&mut Vec<u8>), out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"text\"");
    out.key("text").text(text);
    marker(out);
    out.close(b'}');
}

fn source(source: &Source<'_>, out: &mut Vec<u8>) {
    out.key("source").open(b'{');
    match source {
        Source::Base64 { media_type, data } => {
            out.key("type").raw("\"base64\"");
            out.key("media_type").text(media_type);
            out.key("data").text(data);
        }
        Source::Url(url) => {
            out.key("type").raw("\"url\"");
            out.key("url").text(url);
        }
    }
    out.close(b'}');
}

/// An id with other characters than the API takes, some servers make such, has them replaced, in the call and
/// in its result alike.
fn tool_id(out: &mut Vec<u8>, id: &Text<'_>) {
    let fit = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if id.raw().chars().all(fit) {
        out.text(id);
    } else {
        out.string(&id.raw().replace(|c: char| !fit(c), "_"));
    }
}
