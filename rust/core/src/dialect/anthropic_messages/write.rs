//! The canonical form → requests of the dialect.
//!
//! Invariant: what grows from turn to turn, the messages, comes last, and a message depends on its own turns
//! only; so but for cache markers a conversation's body is a prefix of its continuation's. Markers are no
//! content for the provider's cache.
//!
//! Source: Anthropic API reference, "Create a Message"; "Prompt caching".

use super::form::VERTEX_VERSION;
use crate::dialect::Platform;
use crate::message::claude::{Steering, Thinking, name_foreign, stop_sequences, tool_id};
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::turns::{EPHEMERAL, MarkerRules, Markers, Piece, is_acceptable, is_blank, merged};
use crate::message::{
    Block, Format, Losses, Part, Request, Source, Target, Text, Tier, Tool, ToolChoice, Untranslatable,
    redacted_block, thinking_block,
};

/// Markers are members of blocks, those inside a tool's result included.
const MARKERS: MarkerRules = MarkerRules { follows: takes_marker, count: marked };

/// Longest end-user name that the API takes.
const USER_BYTES_MAX: usize = 512;

/// Writes a request.
pub(in crate::dialect) fn request(
    request: &Request<'_>,
    target: &Target<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    let turns = merged(request, losses, |_, block, losses| is_acceptable(block, losses));
    if turns.is_empty() {
        let error = "must hold something said by the user: this model does not answer a system prompt alone";
        return Err(At::ROOT.member("messages").error(error));
    }
    let mut markers = Markers::of(request, &turns, &MARKERS, target.cache_breakpoints, losses);
    let thinking = Thinking::of(request, &turns, target.model, losses);
    out.push(b'{');
    // Where tokens are counted, the model is in the path of neither.
    if target.platform == Platform::Vertex && !target.counts {
        out.key("anthropic_version").string(VERTEX_VERSION);
    } else {
        out.key("model").string(target.model);
    }
    if !target.counts {
        out.key("max_tokens")
            .number(request.max_tokens.unwrap_or_else(|| thinking.bound(target.max_tokens_default)));
    }
    sampling(request, &thinking, losses, out);
    stop_sequences("stop_sequences", &request.stop, losses, out);
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
    thinking.write(out);
    output_config(request, &thinking, losses, out);
    if request.stream {
        out.key("stream").raw("true");
    }
    tools(request, &thinking, &mut markers, losses, out);
    mark(markers.take(request.cache), out);
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
        text_block(text, markers.take(block.cache.or(auto.then_some(EPHEMERAL))), out);
    }
    out.close(b']');
    Ok(())
}

/// Writes a marker, if there is one.
fn mark(marker: Option<&str>, out: &mut Vec<u8>) {
    if let Some(marker) = marker {
        out.key("cache_control").raw(marker);
    }
}

fn marked(block: &Block<'_>) -> usize {
    let inside = match &block.part {
        Part::ToolResult { content, .. } => content.iter().map(marked).sum(),
        _ => 0,
    };
    let blank = matches!(&block.part, Part::Text(text) if is_blank(text));
    inside + usize::from(block.cache.is_some() && !blank && takes_marker(&block.part))
}

const fn takes_marker(part: &Part<'_>) -> bool {
    !matches!(part, Part::Thinking { .. } | Part::Redacted(_))
}

fn sampling(request: &Request<'_>, thinking: &Thinking, losses: &mut Losses, out: &mut Vec<u8>) {
    let Steering { temperature, top_p, top_k } = Steering::of(request, thinking, losses);
    for (name, value) in [("temperature", temperature), ("top_p", top_p), ("top_k", top_k)] {
        if let Some(value) = value {
            out.key(name).raw(value);
        }
    }
    name_foreign(&request.sampling, losses);
}

fn output_config(request: &Request<'_>, thinking: &Thinking, losses: &mut Losses, out: &mut Vec<u8>) {
    let schema = match &request.format {
        Some(Format::Schema(schema)) => Some(schema.alone(losses)),
        Some(Format::Json) => {
            losses.add("response_format");
            None
        }
        None => None,
    };
    if thinking.effort.is_none() && schema.is_none() {
        return;
    }
    out.key("output_config").open(b'{');
    if let Some(effort) = thinking.effort {
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

fn tools(
    request: &Request<'_>,
    thinking: &Thinking,
    markers: &mut Markers,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) {
    let Some(last) = request.tools.len().checked_sub(1) else { return };
    tool_choice(request, thinking.tool_choice(request, losses), out);
    out.key("tools").open(b'[');
    for (index, tool) in request.tools.iter().enumerate() {
        let auto = markers.auto && index == last;
        write_tool(tool, tool.cache.or(auto.then_some(EPHEMERAL)), markers, out);
    }
    out.close(b']');
}

fn tool_choice(request: &Request<'_>, choice: Option<&ToolChoice<'_>>, out: &mut Vec<u8>) {
    let one_at_a_time = request.parallel_tools == Some(false);
    let word = match choice {
        None if one_at_a_time => "\"auto\"",
        None => return,
        Some(ToolChoice::Auto) => "\"auto\"",
        Some(ToolChoice::None) => "\"none\"",
        Some(ToolChoice::Any) => "\"any\"",
        Some(ToolChoice::Named(_)) => "\"tool\"",
    };
    out.key("tool_choice").open(b'{');
    out.key("type").raw(word);
    if let Some(ToolChoice::Named(name)) = choice {
        out.key("name").text(name);
    }
    if one_at_a_time && !matches!(choice, Some(ToolChoice::None)) {
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
    out.key("input_schema").raw(tool.schema_or_empty());
    if tool.strict == Some(true) {
        out.key("strict").raw("true");
    }
    mark(markers.take(marker), out);
    out.close(b'}');
}

fn write_piece(piece: &Piece<'_>, auto: bool, markers: &mut Markers, losses: &mut Losses, out: &mut Vec<u8>) {
    let marker = piece.block.cache.or(auto.then_some(EPHEMERAL));
    if let Some(text) = piece.of_operator() {
        return text_block(&text, markers.take(marker), out);
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
        Part::Text(text) | Part::Refusal(text) => return text_block(text, markers.take(marker), out),
        // Requests hold none.
        Part::Citation(_) => return,
        Part::Image(from, _) => {
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
            out.key("id").text(&tool_id(id));
            out.key("name").text(name);
            out.key("input").raw(input);
        }
        Part::ToolResult { id, content, is_error } => {
            out.open(b'{');
            out.key("type").raw("\"tool_result\"");
            out.key("tool_use_id").text(&tool_id(id));
            let of_text = result(content, marker, markers, losses, out);
            if *is_error {
                out.key("is_error").raw("true");
            }
            mark(markers.take(marker.or(of_text)), out);
            return out.close(b'}');
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
    mark(markers.take(marker), out);
    out.close(b'}');
}

/// What a tool gave: one text as such, nothing not at all, else blocks. The marker of one text is given back, since the
/// result that ends with it can have it: without the marker, in the next turn, the text stands there the same way.
fn result<'c>(
    content: &[Block<'c>],
    marker: Option<&str>,
    markers: &mut Markers,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Option<&'c str> {
    let said: Vec<&Block<'c>> = content.iter().filter(|block| is_acceptable(block, losses)).collect();
    match said.as_slice() {
        [] => None,
        [Block { part: Part::Text(text), cache }] if cache.is_none() || marker.is_none() => {
            out.key("content").text(text);
            *cache
        }
        blocks => {
            out.key("content").open(b'[');
            for block in blocks {
                write_block(&block.part, block.cache, markers, losses, out);
            }
            out.close(b']');
            None
        }
    }
}

fn text_block(text: &Text<'_>, marker: Option<&str>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"text\"");
    out.key("text").text(text);
    mark(marker, out);
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
