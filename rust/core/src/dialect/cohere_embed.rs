//! Cohere embeddings, version 2: what models of Cohere are reached by, and no client speaks to the gateway.
//! Source: Cohere `OpenAPI` document of 2026-05-31 (`embedv2`).
//!
//! It insists on being told what the vectors are for, and by itself cuts what is too long. Vectors are asked for as
//! numbers, which every model has.

use serde_json::value::RawValue;

use super::{
    Content as NoContent, EmbeddingCodec, EmbeddingUpstream, Facts, Terminal, UsagePaths, cohere_chat,
};
use crate::embedding::{Content, Part, Reply, Request, Task, Vector};
use crate::message::json::Json;
use crate::message::read::{At, object};
use crate::message::{Losses, Malformed, Text, Untranslatable};
use crate::routing::Contents;

pub(super) const FACTS: Facts = Facts {
    // No client sends them.
    fields: &[],
    terminal: Terminal::Event(&[]),
    error_events: &[],
    error_members: &[],
    refusals: cohere_chat::FACTS.refusals,
    content: NoContent::None,
    usage_at: &[&["meta", "billed_units"], &["meta", "tokens"]],
    usage: UsagePaths {
        input: &["input_tokens"],
        input_apart: &["image_tokens"],
        output: &[],
        output_apart: &[],
        cached_input: &[],
        cache_write: &[],
        cache_write_1h: &[],
        cache_apart: false,
        reasoning: &[],
        searches: &[],
    },
    usage_on_request: false,
    contents: Contents::NONE,
    wants: &[],
};

pub(super) const CODEC: EmbeddingCodec = EmbeddingCodec {
    client: None,
    upstream: EmbeddingUpstream { write_request: request, read_reply: reply },
};

/// What the vectors are for, in words that others have taken over.
pub(super) fn task(word: &str) -> Option<Task> {
    Some(match word {
        "search_query" => Task::Query,
        "search_document" => Task::Document,
        "classification" => Task::Classification,
        "clustering" => Task::Clustering,
        _ => return None,
    })
}

/// The word for a task, and whether it is the right one. What stands in an index is what most vectors are for.
fn word(task: Option<Task>) -> (&'static str, bool) {
    match task {
        Some(Task::Query) => ("search_query", true),
        None | Some(Task::Document) => ("search_document", true),
        Some(Task::Classification) => ("classification", true),
        Some(Task::Clustering) => ("clustering", true),
        // Both sides alike.
        Some(Task::Similarity) => ("clustering", false),
        Some(Task::Question | Task::FactCheck | Task::CodeQuery) => ("search_query", false),
    }
}

fn request(
    request: &Request<'_>,
    model: &str,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    losses.add_if(request.user.is_some(), "user");
    losses.add_if(request.inputs.iter().any(|input| input.title.is_some()), "title");
    let (word, is_right) = word(request.task);
    losses.add_if(!is_right, "input_type");
    out.push(b'{');
    out.key("model").string(model);
    out.key("input_type").string(word);
    // Older models know no parts.
    if request.inputs.iter().all(|input| matches!(input.content, Content::Text(_))) {
        out.key("texts").open(b'[');
        for input in &request.inputs {
            out.text(&input.text(losses)?);
        }
    } else {
        out.key("inputs").open(b'[');
        request.inputs.iter().try_for_each(|input| parts(&input.content, out))?;
    }
    out.close(b']');
    out.key("embedding_types").raw("[\"float\"]");
    if let Some(dimensions) = request.dimensions {
        out.key("output_dimension").number(dimensions);
    }
    if let Some(cut) = request.too_long.cut() {
        out.key("truncate").string(if cut { "END" } else { "NONE" });
    }
    out.close(b'}');
    Ok(())
}

fn parts(content: &Content<'_>, out: &mut Vec<u8>) -> Result<(), Untranslatable> {
    out.open(b'{');
    out.key("content").open(b'[');
    match content {
        Content::Text(text) => text_part(text, out),
        Content::Parts(parts) => parts.iter().for_each(|part| match part {
            Part::Text(text) => text_part(text, out),
            Part::Image { media_type, data } => image_part(media_type, data, out),
        }),
        Content::Tokens => return Err(At::ROOT.member("input").tokens()),
    }
    out.close(b']');
    out.close(b'}');
    Ok(())
}

fn text_part(text: &Text<'_>, out: &mut Vec<u8>) {
    out.open(b'{');
    out.key("type").raw("\"text\"");
    out.key("text").text(text);
    out.close(b'}');
}

fn image_part(media_type: &Text<'_>, data: &Text<'_>, out: &mut Vec<u8>) {
    // Addresses have the other alphabet for what they hold.
    let data = data.raw().replace('-', "+").replace('_', "/");
    out.open(b'{');
    out.key("type").raw("\"image_url\"");
    out.key("image_url").open(b'{');
    out.key("url").text(&Text::escaped(format!("data:{};base64,{data}", media_type.raw())));
    out.close(b'}');
    out.close(b'}');
}

object! {
    Answer<'a> { embeddings: &'a RawValue, meta: Meta<'a>, ..rest }
}

object! {
    Embeddings<'a> { float: Vec<&'a RawValue>, ..rest }
}

object! {
    Meta<'a> { billed_units: Counts<'a>, tokens: Counts<'a>, }
}

object! {
    /// Each a number, whole but maybe written with a fraction.
    Counts<'a> { input_tokens: &'a RawValue, image_tokens: &'a RawValue, }
}

/// What is the same in every reply, or what was sent.
const HARMLESS: &[&str] = &["id", "response_type", "texts", "images", "inputs"];

fn reply<'a>(body: &'a str, losses: &mut Losses) -> Result<Reply<'a>, Malformed> {
    let at = At::ROOT;
    let body: Answer<'a> = at.parse(body)?;
    losses.unknown("", &body.rest, HARMLESS);
    let embeddings = at.required("embeddings", body.embeddings)?;
    let at = at.member("embeddings");
    let by_type: Embeddings<'a> = at.parse(embeddings.get())?;
    losses.unknown("embeddings.", &by_type.rest, &[]);
    let list = at.required("float", by_type.float)?;
    let at = at.member("float");
    let vector = |(index, json): (usize, &'a RawValue)| {
        Vector::of(json).ok_or_else(|| at.index(index).error("is not an array of numbers"))
    };
    let vectors = list.into_iter().enumerate().map(vector).collect::<Result<_, _>>()?;
    Ok(Reply { model: None, vectors, input_tokens: body.meta.and_then(tokens) })
}

fn tokens(meta: Meta<'_>) -> Option<u64> {
    let counts = meta.tokens.filter(|counts| counts.input_tokens.is_some()).or(meta.billed_units)?;
    let count = |number: Option<&RawValue>| {
        let digits = number.map_or("", RawValue::get);
        digits.strip_suffix(".0").unwrap_or(digits).parse::<u64>().ok()
    };
    match (count(counts.input_tokens), count(counts.image_tokens)) {
        (None, None) => None,
        (texts, images) => Some(texts.unwrap_or_default().saturating_add(images.unwrap_or_default())),
    }
}
