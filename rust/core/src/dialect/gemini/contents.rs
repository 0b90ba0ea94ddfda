//! The turns of the canonical form → the contents of the dialect.
//!
//! A result names the function that it is of, and belongs to its call by name and place: ids are left out, because
//! Vertex AI refuses them. So the results of one turn stand in the order of its calls, in one content, before
//! anything else.
//!
//! Models from Gemini 3 on refuse a step whose first call has no signature. Calls that others made get the value
//! that Google's documentation gives for them.

use std::collections::BTreeMap;

use super::read::media_type_of;
use super::thinking::Model;
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::turns::{self, Merged, Piece};
use crate::message::{Block, Losses, Maker, Part, Request, Source, Text, Untranslatable, tool_input};

/// What Google documents for calls that its models did not make ("Thought signatures", FAQ; Vertex AI, "Thought
/// signatures").
const NOT_SIGNED: Text<'_> = Text::plain("skip_thought_signature_validator");
/// The same as JSON.
pub(in crate::dialect) const NOT_SIGNED_JSON: &str = "\"skip_thought_signature_validator\"";

/// Whether a block is more than an empty text, which other dialects have beside calls.
pub(super) fn says_something(block: &Block<'_>) -> bool {
    !matches!(&block.part, Part::Text(text) if text.is_empty())
}

/// The turns, less what says nothing and the reasoning of other makers' models.
pub(super) fn merged<'r>(request: &'r Request<'r>, losses: &mut Losses) -> Vec<Merged<'r>> {
    turns::merged(request, losses, |turn, block, losses| {
        let foreign = is_foreign(&block.part, &turn.blocks);
        let redacted = matches!(block.part, Part::Redacted(_));
        losses.add_if(foreign && !redacted, "messages[].thinking");
        losses.add_if(foreign && redacted, "messages[].redacted_thinking");
        !foreign && says_something(block)
    })
}

/// Google's signature on reasoning.
fn signature<'a>(part: &Part<'a>) -> Option<Text<'a>> {
    match part {
        Part::Thinking { signature, .. } => {
            signature.as_ref().and_then(|sealed| Maker::Google.unseal(sealed))
        }
        _ => None,
    }
}

/// Whether a part is reasoning of another maker's model. Of Google's, some of it may stand apart from the signature.
fn is_foreign(part: &Part<'_>, turn: &[Block<'_>]) -> bool {
    match part {
        Part::Thinking { signature: sealed, .. } => {
            let signed = sealed.as_ref().is_some_and(|sealed| !sealed.is_empty());
            signature(part).is_none()
                && (signed || !turn.iter().any(|block| signature(&block.part).is_some()))
        }
        Part::Redacted(_) => true,
        _ => false,
    }
}

/// Writes the contents.
pub(super) struct Contents<'r> {
    model: Model,
    /// The name and the place in its turn of the last call with an id.
    calls: BTreeMap<&'r str, (&'r Text<'r>, usize)>,
}

impl<'r> Contents<'r> {
    /// For a request to this model.
    pub(super) const fn new(model: Model) -> Self {
        Self { model, calls: BTreeMap::new() }
    }

    /// Writes them.
    pub(super) fn write(
        mut self,
        turns: &'r [Merged<'r>],
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Untranslatable> {
        out.key("contents").open(b'[');
        for turn in turns {
            out.open(b'{');
            out.key("role").raw(if turn.assistant { "\"model\"" } else { "\"user\"" });
            out.key("parts").open(b'[');
            if turn.assistant {
                self.said_by_model(&turn.pieces, losses, out)?;
            } else {
                self.said_by_user(&turn.pieces, losses, out)?;
            }
            out.close(b']');
            out.close(b'}');
        }
        out.close(b']');
        Ok(())
    }

    /// The results of tools first, then what came with them and could not be put into them, then the rest.
    fn said_by_user(
        &mut self,
        pieces: &'r [Piece<'r>],
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Untranslatable> {
        let mut results = Vec::new();
        for piece in pieces {
            if let Part::ToolResult { id, content, is_error } = &piece.block.part {
                let (name, place) = self.calls.get(id.raw()).ok_or_else(|| unknown_call(id))?;
                results.push((*place, *name, content, *is_error));
            }
        }
        results.sort_by_key(|(place, ..)| *place);
        let mut behind = Vec::new();
        for (_, name, content, is_error) in results {
            self.result(name, content, is_error, &mut behind, out);
        }
        for block in behind {
            losses.add("messages[].content[].content[]");
            part(&block.part, None, losses, out)?;
        }
        for piece in pieces {
            match (&piece.block.part, piece.of_operator()) {
                (Part::ToolResult { .. }, _) => {}
                (_, Some(text)) => text_part(&text, None, out),
                (other, None) => part(other, None, losses, out)?,
            }
        }
        Ok(())
    }

    fn result(
        &self,
        name: &Text<'_>,
        content: &'r [Block<'r>],
        is_error: bool,
        behind: &mut Vec<&'r Block<'r>>,
        out: &mut Vec<u8>,
    ) {
        out.open(b'{');
        out.key("functionResponse").open(b'{');
        out.key("name").text(name);
        response(content, is_error, out.key("response"));
        let mut inside = Vec::new();
        for block in content.iter().filter(|block| !matches!(block.part, Part::Text(_))) {
            match data(&block.part) {
                Some(data) if !self.model.is_old() => inside.push(data),
                _ => behind.push(block),
            }
        }
        if !inside.is_empty() {
            out.key("parts").open(b'[');
            for (media_type, data) in inside {
                out.open(b'{');
                blob(media_type, data, out);
                out.close(b'}');
            }
            out.close(b']');
        }
        out.close(b'}');
        out.close(b'}');
    }

    fn said_by_model(
        &mut self,
        pieces: &'r [Piece<'r>],
        losses: &mut Losses,
        out: &mut Vec<u8>,
    ) -> Result<(), Untranslatable> {
        let first_call = pieces.iter().position(|piece| matches!(piece.block.part, Part::ToolCall { .. }));
        // Clients of chat completions that leave out what stands on a call tell all reasoning before all text before
        // all calls. The last signature before the calls is theirs then, and it is so in any order. Older models
        // sign the first part, whatever it is.
        let of_call = pieces
            .get(..first_call.unwrap_or_default())
            .filter(|_| !self.model.is_old())
            .and_then(|before| before.iter().rposition(|piece| signature(&piece.block.part).is_some()));
        let mut pending: Option<Text<'_>> = None;
        let mut call_signature = None;
        let mut calls = 0;
        for (index, piece) in pieces.iter().enumerate() {
            match &piece.block.part {
                Part::Thinking { text, .. } => {
                    if !text.is_empty() {
                        thought_part(text, out);
                    }
                    if let Some(signature) = signature(&piece.block.part) {
                        if of_call == Some(index) {
                            call_signature = Some(signature);
                        } else {
                            flush(&mut pending, out);
                            pending = Some(signature);
                        }
                    }
                }
                Part::ToolCall { id, name, input } => {
                    let mut signature = pending.take();
                    if calls == 0 {
                        if let Some(own) = call_signature.take() {
                            flush(&mut signature, out);
                            signature = Some(own);
                        }
                        if signature.is_none() && !self.model.is_old() {
                            signature = Some(NOT_SIGNED);
                        }
                    }
                    self.calls.insert(id.raw(), (name, calls));
                    calls += 1;
                    call_part(name, input, signature.as_ref(), out);
                }
                other => part(other, pending.take().as_ref(), losses, out)?,
            }
        }
        flush(&mut pending, out);
        Ok(())
    }
}

/// A signature that no part waits for stands on an empty one, as Google itself does it.
fn flush(pending: &mut Option<Text<'_>>, out: &mut Vec<u8>) {
    if let Some(signature) = pending.take() {
        text_part(&Text::default(), Some(&signature), out);
    }
}

fn unknown_call(id: &Text<'_>) -> Untranslatable {
    /// Longest id that is repeated.
    const ID_CHARS_MAX: usize = 64;
    let id: String = id.raw().chars().take(ID_CHARS_MAX).collect();
    At::ROOT.member("messages").error(format!(
        "holds a result for the call `{id}`, which no message before it makes; this model's API wants the name of the function. hint: send the call with its result"
    ))
}

/// What a tool gave as the object that the API wants: the one it gave, or its texts in a member.
fn response(content: &[Block<'_>], is_error: bool, out: &mut Vec<u8>) {
    let texts: Vec<&Text<'_>> = content
        .iter()
        .filter_map(|block| match &block.part {
            Part::Text(text) => Some(text),
            _ => None,
        })
        .collect();
    let object = match texts.as_slice() {
        [one] if one.raw().trim_ascii_start().starts_with('{') => tool_input((*one).clone()),
        _ => None,
    };
    if let (Some(object), false) = (&object, is_error) {
        return out.raw(object);
    }
    out.open(b'{');
    out.key(if is_error { "error" } else { "result" });
    match (object, texts.as_slice()) {
        (Some(object), _) => out.raw(&object),
        (None, []) => out.raw("\"\""),
        (None, [one]) => out.text(one),
        (None, several) => {
            out.open(b'[');
            for text in several {
                out.text(text);
            }
            out.close(b']');
        }
    }
    out.close(b'}');
}

/// The bytes of an image or a document, where they are there.
fn data<'p>(part: &'p Part<'_>) -> Option<(&'p Text<'p>, &'p Text<'p>)> {
    match part {
        Part::Image(Source::Base64 { media_type, data }, _)
        | Part::Document { source: Source::Base64 { media_type, data }, .. } => Some((media_type, data)),
        _ => None,
    }
}

/// A part that is no reasoning, no call and no result.
fn part(
    part: &Part<'_>,
    signature: Option<&Text<'_>>,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    let source = match part {
        Part::Text(text) | Part::Refusal(text) => {
            text_part(text, signature, out);
            return Ok(());
        }
        Part::Image(source, _) => source,
        Part::Document { source, title } => {
            losses.add_if(title.is_some(), "messages[].content[].title");
            source
        }
        Part::ToolCall { .. }
        | Part::ToolResult { .. }
        | Part::Thinking { .. }
        | Part::Redacted(_)
        | Part::Citation(_) => {
            return Ok(());
        }
    };
    out.open(b'{');
    match source {
        Source::Base64 { media_type, data } => blob(media_type, data, out),
        Source::Url(url) => {
            if url.strip_prefix("https://").is_none() {
                let error = format!(
                    "holds `{}`, which this model's API does not fetch. hint: use `https://`, or send it as base64",
                    url.raw().chars().take(64).collect::<String>()
                );
                return Err(At::ROOT.member("messages").error(error));
            }
            out.key("fileData").open(b'{');
            let document = matches!(part, Part::Document { .. }).then_some("application/pdf");
            if let Some(media_type) = document.or_else(|| media_type_of(url.raw())) {
                out.key("mimeType").string(media_type);
            }
            out.key("fileUri").text(url);
            out.close(b'}');
        }
    }
    signed(signature, out);
    out.close(b'}');
    Ok(())
}

fn blob(media_type: &Text<'_>, data: &Text<'_>, out: &mut Vec<u8>) {
    out.key("inlineData").open(b'{');
    out.key("mimeType").text(media_type);
    out.key("data").text(data);
    out.close(b'}');
}

fn signed(signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
    if let Some(signature) = signature {
        out.key("thoughtSignature").text(signature);
    }
}

/// A text, as requests and replies have it.
pub(super) fn text_part(text: &Text<'_>, signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("text").text(text);
    signed(signature, out);
    out.close(b'}');
}

/// Reasoning.
pub(super) fn thought_part(text: &Text<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("text").text(text);
    out.key("thought").raw("true");
    out.close(b'}');
}

fn call_part(name: &Text<'_>, input: &str, signature: Option<&Text<'_>>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("functionCall").open(b'{');
    out.key("name").text(name);
    out.key("args").raw(input);
    out.close(b'}');
    signed(signature, out);
    out.close(b'}');
}
