//! Requests and replies of the dialect → the canonical form.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::cohere_embed;
use crate::embedding::{Content, Encoding, Input, Reply, Request, Task, TooLong, Vector};
use crate::message::read::{At, object};
use crate::message::{Losses, Malformed, Text, Untranslatable};

object! {
    Body<'a> {
        input: &'a RawValue,
        encoding_format: Text<'a>,
        dimensions: u64,
        user: Text<'a>,
        input_type: Text<'a>,
        ..rest
    }
}

object! {
    Answer<'a> { data: Vec<Item<'a>>, model: Text<'a>, usage: Usage, error: &'a RawValue, ..rest }
}

object! {
    Item<'a> { index: u64, embedding: &'a RawValue, ..rest }
}

#[derive(Debug, Deserialize)]
pub(super) struct Usage {
    prompt_tokens: Option<u64>,
}

/// Reads a request.
pub(super) fn request<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, Untranslatable> {
    let at = At::ROOT;
    let body: Body<'a> = at.parse(body)?;
    losses.unknown("", &body.rest, &["model"]);
    let encoding = match body.encoding_format.as_ref().map_or("float", Text::raw) {
        "float" => Encoding::Numbers,
        "base64" => Encoding::Base64,
        _ => return Err(at.member("encoding_format").error("is none of float, base64")),
    };
    Ok(Request {
        inputs: inputs(&at.member("input"), at.required("input", body.input)?)?,
        dimensions: body.dimensions,
        task: body.input_type.and_then(|word| task(&word, losses)),
        too_long: TooLong::Unsaid { refused: true },
        user: body.user.filter(|user| !user.is_empty()),
        encoding,
    })
}

const WRONG: &str = "must be a text, a list of texts, or ids of tokens";

fn inputs<'a>(at: &At<'_>, input: &'a RawValue) -> Result<Vec<Input<'a>>, Untranslatable> {
    if let Some(text) = Text::of(input) {
        return Ok(vec![of(Content::Text(text))]);
    }
    let list: Vec<&'a RawValue> = match input.get().as_bytes() {
        [b'[', ..] => at.parse(input.get())?,
        _ => return Err(at.error(WRONG)),
    };
    let Some(first) = list.first() else { return Err(at.error("must not be empty")) };
    if is_number(first) {
        return Ok(vec![of(Content::Tokens)]);
    }
    let of_one = |(index, one): (usize, &&'a RawValue)| match (Text::of(one), one.get().as_bytes()) {
        (Some(text), _) => Ok(of(Content::Text(text))),
        (None, [b'[', ..]) => Ok(of(Content::Tokens)),
        _ => Err(at.index(index).error(WRONG)),
    };
    list.iter().enumerate().map(of_one).collect()
}

fn of(content: Content<'_>) -> Input<'_> {
    Input { title: None, content }
}

fn is_number(json: &RawValue) -> bool {
    json.get().starts_with(|first: char| first == '-' || first.is_ascii_digit())
}

fn task(word: &Text<'_>, losses: &mut Losses) -> Option<Task> {
    let task = match word.raw() {
        "query" => Some(Task::Query),
        "document" | "passage" => Some(Task::Document),
        word => cohere_embed::task(word),
    };
    losses.add_if(task.is_none() && !word.is_empty(), "input_type");
    task
}

/// Reads a reply.
pub(super) fn reply<'a>(body: &'a str, losses: &mut Losses) -> Result<Reply<'a>, Malformed> {
    let at = At::ROOT;
    let body: Answer<'a> = at.parse(body)?;
    super::super::fail(body.error)?;
    losses.unknown("", &body.rest, &["object", "id", "created"]);
    let at = at.member("data");
    let mut vectors = Vec::new();
    for (position, item) in At::ROOT.required("data", body.data)?.into_iter().enumerate() {
        losses.unknown("data[].", &item.rest, &["object"]);
        let at = at.index(position);
        let embedding = at.required("embedding", item.embedding)?;
        let base64 = || Text::of(embedding).and_then(|text| Vector::of_base64(&text));
        let vector = Vector::of(embedding).or_else(base64);
        let vector = vector.ok_or_else(|| at.member("embedding").error("is not an array of numbers"))?;
        vectors.push((item.index.unwrap_or(position as u64), vector));
    }
    // Some servers answer in the order in which they were done.
    vectors.sort_by_key(|(index, _)| *index);
    if (0_u64..).zip(&vectors).any(|(place, (index, _))| place != *index) {
        return Err(at.error("does not hold each `index` once").into());
    }
    Ok(Reply {
        model: body.model.filter(|model| !model.is_empty()),
        vectors: vectors.into_iter().map(|(_, vector)| vector).collect(),
        input_tokens: body.usage.and_then(|usage| usage.prompt_tokens),
    })
}
