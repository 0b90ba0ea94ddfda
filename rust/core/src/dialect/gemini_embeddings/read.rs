//! Requests and replies of the two dialects → the canonical form.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::TASKS;
use crate::embedding::{Content, Encoding, Input, Part, Reply, Request, Task, TooLong, Vector};
use crate::message::read::{At, object};
use crate::message::{Losses, Malformed, Text, Untranslatable};

object! {
    Several<'a> { requests: Vec<One<'a>>, ..rest }
}

object! {
    One<'a> {
        content: Contents<'a>,
        task_type as "taskType" or "task_type": Text<'a>,
        title: Text<'a>,
        dimensions as "outputDimensionality" or "output_dimensionality": u64,
        config as "embedContentConfig" or "embed_content_config": Config<'a>,
        ..rest
    }
}

object! {
    Config<'a> {
        task_type as "taskType" or "task_type": Text<'a>,
        title: Text<'a>,
        dimensions as "outputDimensionality" or "output_dimensionality": u64,
        auto_truncate as "autoTruncate" or "auto_truncate": bool,
        ..rest
    }
}

object! {
    Contents<'a> { parts: Vec<Piece<'a>>, ..rest }
}

object! {
    Piece<'a> {
        text: Text<'a>,
        inline_data as "inlineData" or "inline_data": Blob<'a>,
        ..rest
    }
}

object! {
    Blob<'a> { mime_type as "mimeType" or "mime_type": Text<'a>, data: Text<'a>, ..rest }
}

object! {
    Answer<'a> {
        embedding: Embedding<'a>,
        embeddings: Vec<Embedding<'a>>,
        usage as "usageMetadata": Usage,
        error: &'a RawValue,
        ..rest
    }
}

object! {
    Embedding<'a> { values: &'a RawValue, ..rest }
}

#[derive(Debug, Deserialize)]
pub(super) struct Usage {
    #[serde(rename = "promptTokenCount")]
    prompt: Option<u64>,
}

/// How the members of one input are called from outside.
struct Names {
    own: &'static str,
    config: &'static str,
    content: &'static str,
    part: &'static str,
    task: &'static str,
}

const ONE: Names = Names {
    own: "",
    config: "embedContentConfig.",
    content: "content.",
    part: "content.parts[].",
    task: "taskType",
};

const EACH: Names = Names {
    own: "requests[].",
    config: "requests[].embedContentConfig.",
    content: "requests[].content.",
    part: "requests[].content.parts[].",
    task: "requests[].taskType",
};

/// What is asked beside the content.
#[derive(PartialEq, Eq)]
struct Asked {
    dimensions: Option<u64>,
    task: Option<Task>,
    cut: Option<bool>,
}

/// Reads a request for one input.
pub(super) fn request<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, Untranslatable> {
    let at = At::ROOT;
    let (input, asked) = one(&at, at.parse(body)?, &ONE, losses)?;
    Ok(whole(vec![input], &asked))
}

/// Reads a request for several.
pub(super) fn requests<'a>(body: &'a str, losses: &mut Losses) -> Result<Request<'a>, Untranslatable> {
    let at = At::ROOT;
    let body: Several<'a> = at.parse(body)?;
    losses.unknown("", &body.rest, &["model"]);
    let at = at.member("requests");
    let mut inputs = Vec::new();
    let mut common: Option<Asked> = None;
    for (index, request) in At::ROOT.required("requests", body.requests)?.into_iter().enumerate() {
        let (input, asked) = one(&at.index(index), request, &EACH, losses)?;
        inputs.push(input);
        match &common {
            None => common = Some(asked),
            Some(common) if *common == asked => {}
            Some(_) => {
                return Err(at.index(index).error(
                    "asks for another kind of vector than the first one, and the provider's API has one kind in a call. hint: ask for each kind by itself",
                ));
            }
        }
    }
    match common {
        Some(asked) => Ok(whole(inputs, &asked)),
        None => Err(at.error("must not be empty")),
    }
}

fn whole<'a>(inputs: Vec<Input<'a>>, asked: &Asked) -> Request<'a> {
    Request {
        inputs,
        dimensions: asked.dimensions,
        task: asked.task,
        too_long: asked.cut.map_or(TooLong::Unsaid { refused: false }, |cut| TooLong::Said { cut }),
        user: None,
        encoding: Encoding::Numbers,
    }
}

fn one<'a>(
    at: &At<'_>,
    request: One<'a>,
    names: &Names,
    losses: &mut Losses,
) -> Result<(Input<'a>, Asked), Untranslatable> {
    losses.unknown(names.own, &request.rest, &["model"]);
    let config = request.config.unwrap_or_default();
    losses.unknown(names.config, &config.rest, &[]);
    let task = config.task_type.or(request.task_type);
    let asked = Asked {
        dimensions: config.dimensions.or(request.dimensions),
        task: task.and_then(|word| self::task(&word, names, losses)),
        cut: config.auto_truncate,
    };
    let content = at.required("content", request.content)?;
    losses.unknown(names.content, &content.rest, &["role"]);
    let at_content = at.member("content");
    let list = at_content.member("parts");
    let mut parts = Vec::new();
    for (index, piece) in at_content.required("parts", content.parts)?.into_iter().enumerate() {
        parts.push(part(&list.index(index), piece, names, losses)?);
    }
    let content = match parts.pop() {
        None => return Err(list.error("must not be empty")),
        Some(Part::Text(text)) if parts.is_empty() => Content::Text(text),
        Some(last) => {
            parts.push(last);
            Content::Parts(parts)
        }
    };
    Ok((Input { title: config.title.or(request.title).filter(|title| !title.is_empty()), content }, asked))
}

fn part<'a>(
    at: &At<'_>,
    piece: Piece<'a>,
    names: &Names,
    losses: &mut Losses,
) -> Result<Part<'a>, Untranslatable> {
    match (piece.text, piece.inline_data) {
        (Some(text), None) => {
            losses.unknown(names.part, &piece.rest, &[]);
            Ok(Part::Text(text))
        }
        (None, Some(blob)) if blob.mime_type.as_ref().is_some_and(|of| of.raw().starts_with("image")) => {
            losses.unknown(names.part, &piece.rest, &[]);
            losses.unknown(names.part, &blob.rest, &["displayName", "display_name"]);
            let at = at.member("inlineData");
            Ok(Part::Image {
                media_type: at.required("mimeType", blob.mime_type)?,
                data: at.required("data", blob.data)?,
            })
        }
        _ => Err(at.error("must be a text, or an image as `inlineData`")),
    }
}

fn task(word: &Text<'_>, names: &Names, losses: &mut Losses) -> Option<Task> {
    let known = TASKS.iter().find(|(name, _)| *name == word.raw()).map(|(_, task)| *task);
    let unsaid = matches!(word.raw(), "" | "TASK_TYPE_UNSPECIFIED");
    losses.add_if(known.is_none() && !unsaid, names.task);
    known
}

/// Reads the reply to a request for one input.
pub(super) fn reply<'a>(body: &'a str, losses: &mut Losses) -> Result<Reply<'a>, Malformed> {
    let body = answer(body, losses)?;
    let at = At::ROOT.member("embedding");
    let vector = vector(&at, &At::ROOT.required("embedding", body.embedding)?, "embedding.", losses)?;
    Ok(Reply { model: None, vectors: vec![vector], input_tokens: body.usage.and_then(|usage| usage.prompt) })
}

/// Reads the reply to a request for several.
pub(super) fn replies<'a>(body: &'a str, losses: &mut Losses) -> Result<Reply<'a>, Malformed> {
    let body = answer(body, losses)?;
    let at = At::ROOT.member("embeddings");
    let mut vectors = Vec::new();
    for (index, embedding) in At::ROOT.required("embeddings", body.embeddings)?.into_iter().enumerate() {
        vectors.push(vector(&at.index(index), &embedding, "embeddings[].", losses)?);
    }
    Ok(Reply { model: None, vectors, input_tokens: body.usage.and_then(|usage| usage.prompt) })
}

fn answer<'a>(body: &'a str, losses: &mut Losses) -> Result<Answer<'a>, Malformed> {
    let body: Answer<'a> = At::ROOT.parse(body)?;
    super::super::fail(body.error)?;
    losses.unknown("", &body.rest, &[]);
    Ok(body)
}

fn vector<'a>(
    at: &At<'_>,
    embedding: &Embedding<'a>,
    place: &str,
    losses: &mut Losses,
) -> Result<Vector<'a>, Untranslatable> {
    // How a vector of several rows is laid out; one row is what everybody has.
    losses.unknown(place, &embedding.rest, &["shape"]);
    let values = at.required("values", embedding.values)?;
    Vector::of(values).ok_or_else(|| at.member("values").error("is not an array of numbers"))
}
