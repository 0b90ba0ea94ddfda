//! What the dialects that took their form from `OpenAI`'s chat write alike. Each stands for itself where its
//! vendor has changed something.

use crate::message::json::Json;
use crate::message::{Block, Losses, Part, Request, Role, Source, Text, Tool, ToolChoice, Turn};

/// What a failed tool's result begins with: the form has no other place for it.
pub(super) const TOOL_FAILED: &str = "Error: ";

/// How a dialect writes what each speaker says.
pub(super) struct Speech<'s> {
    /// Blocks of an operator or a user, with the word for who speaks.
    pub(super) message: fn(&str, &[&Block<'_>], &mut Vec<u8>),
    pub(super) user: fn(&Turn<'_>, &mut Losses, &mut Vec<u8>),
    pub(super) assistant: &'s dyn Fn(&Turn<'_>, &mut Losses, &mut Vec<u8>),
}

/// Writes the conversation, each turn by itself.
pub(super) fn turns(request: &Request<'_>, speech: &Speech<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    for turn in &request.turns {
        match turn.role {
            Role::System => (speech.message)("system", &turn.blocks.iter().collect::<Vec<_>>(), out),
            Role::User => (speech.user)(turn, losses, out),
            Role::Assistant => (speech.assistant)(turn, losses, out),
        }
    }
    // Anthropic's models go on from there, others answer it.
    losses.add_if(request.turns.last().is_some_and(|turn| turn.role == Role::Assistant), "prefill");
}

/// Writes the member `messages`, the system prompt first.
pub(super) fn messages(request: &Request<'_>, speech: &Speech<'_>, losses: &mut Losses, out: &mut Vec<u8>) {
    out.key("messages").open(b'[');
    if !request.system.is_empty() {
        (speech.message)("system", &request.system.iter().collect::<Vec<_>>(), out);
    }
    turns(request, speech, losses, out);
    out.close(b']');
}

/// Hands out the results of tools in a user's turn, which are messages of their own, and gives what stands behind
/// them: media of results, because a tool's message is text only, and what the user says.
pub(super) fn results_apart<'t>(
    turn: &'t Turn<'t>,
    losses: &mut Losses,
    mut result: impl FnMut(&'t Text<'t>, &'t [Block<'t>], bool),
) -> Vec<&'t Block<'t>> {
    let mut rest: Vec<&Block<'_>> = Vec::new();
    for block in &turn.blocks {
        if let Part::ToolResult { id, content, is_error } = &block.part {
            losses.add_if(*is_error, "messages[].content[].is_error");
            result(id, content, *is_error);
            let media = content.iter().filter(|block| !matches!(block.part, Part::Text(_)));
            rest.extend(media.inspect(|_| losses.add("messages[].content[].content[]")));
        }
    }
    rest.extend(turn.blocks.iter().filter(|block| !matches!(block.part, Part::ToolResult { .. })));
    rest
}

/// Writes a user's turn: the results of tools as messages of their own, the rest as one message behind them.
pub(super) fn user(
    message: fn(&str, &[&Block<'_>], &mut Vec<u8>),
    turn: &Turn<'_>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) {
    let result = |id: &Text<'_>, content: &[Block<'_>], is_error| tool_message(id, content, is_error, out);
    let rest = results_apart(turn, losses, result);
    if !rest.is_empty() {
        message("user", &rest, out);
    }
}

/// Writes the result of a tool: one text as such, several as parts.
fn tool_message(id: &Text<'_>, content: &[Block<'_>], is_error: bool, out: &mut Vec<u8>) {
    let mut texts = content.iter().filter_map(|block| match &block.part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    out.open(b'{');
    out.key("role").raw("\"tool\"");
    out.key("tool_call_id").text(id);
    out.key("content");
    let first = match (texts.next(), is_error) {
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
                text_part("text", text, out);
            }
            out.close(b']');
        }
    }
    out.close(b'}');
}

/// Writes one text as such, everything else as an array of what `part` makes of it.
pub(super) fn text_or_parts(blocks: &[&Block<'_>], part: fn(&Part<'_>, &mut Vec<u8>), out: &mut Vec<u8>) {
    if let [Block { part: Part::Text(text), .. }] = blocks {
        return out.text(text);
    }
    out.open(b'[');
    for block in blocks {
        part(&block.part, out);
    }
    out.close(b']');
}

/// A part that is a text, in a member named as its type is.
pub(super) fn text_part(kind: &str, text: &Text<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").string(kind);
    out.key(kind).text(text);
    out.close(b'}');
}

/// An image as a part.
pub(super) fn image_part(source: &Source<'_>, detail: Option<&Text<'_>>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"image_url\"");
    out.key("image_url").open(b'{');
    url(out.key("url"), source);
    if let Some(detail) = detail {
        out.key("detail").text(detail);
    }
    out.close(b'}');
    out.close(b'}');
}

/// The address of an image or a document, or the whole of it as a `data:` one.
pub(super) fn url(out: &mut Vec<u8>, source: &Source<'_>) {
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

/// A tool on offer; without `parameters` nothing is said of its arguments.
pub(super) fn function(tool: &Tool<'_>, parameters: Option<&str>, strict: Option<bool>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"function\"");
    out.key("function").open(b'{');
    out.key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        out.key("description").text(description);
    }
    if let Some(parameters) = parameters {
        out.key("parameters").raw(parameters);
    }
    if let Some(strict) = strict {
        out.key("strict").raw(if strict { "true" } else { "false" });
    }
    out.close(b'}');
    out.close(b'}');
}

/// A call, as requests have it.
pub(super) fn call(id: &Text<'_>, name: &Text<'_>, input: &str, out: &mut Vec<u8>) {
    call_with(id, name, input, |_| {}, out);
}

/// A call with what stands in it beside.
pub(super) fn call_with(
    id: &Text<'_>,
    name: &Text<'_>,
    input: &str,
    more: impl FnOnce(&mut Vec<u8>),
    out: &mut Vec<u8>,
) {
    out.open(b'{');
    out.key("id").text(id);
    out.key("type").raw("\"function\"");
    out.key("function").open(b'{');
    out.key("name").text(name);
    out.key("arguments").string(input);
    out.close(b'}');
    more(out);
    out.close(b'}');
}

/// The calls of a turn, where it has any.
pub(super) fn calls(turn: &Turn<'_>, out: &mut Vec<u8>) {
    let calls = turn.blocks.iter().filter_map(|block| match &block.part {
        Part::ToolCall { id, name, input } => Some((id, name, input)),
        _ => None,
    });
    let mut calls = calls.peekable();
    if calls.peek().is_some() {
        out.key("tool_calls").open(b'[');
        calls.for_each(|(id, name, input)| call(id, name, input, out));
        out.close(b']');
    }
}

/// The choice that a word of `tool_choice` stands for.
pub(super) fn choice<'a>(word: &Text<'_>) -> Option<ToolChoice<'a>> {
    match word.raw() {
        "auto" => Some(ToolChoice::Auto),
        "none" => Some(ToolChoice::None),
        "required" => Some(ToolChoice::Any),
        _ => None,
    }
}
