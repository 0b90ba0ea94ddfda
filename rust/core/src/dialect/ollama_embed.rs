//! Ollama's own embeddings, `/api/embed`. They are spoken to upstreams only. Sources: Ollama's API documentation
//! ("Generate embeddings"), `EmbedHandler` of `github.com/ollama/ollama/server`.
//!
//! By itself it cuts what is too long.

use serde_json::value::RawValue;

use super::{Content, EmbeddingCodec, EmbeddingUpstream, Facts, ollama_chat};
use crate::embedding::{Reply, Request, Vector};
use crate::message::json::Json;
use crate::message::read::{At, object};
use crate::message::{Losses, Malformed, Text, Untranslatable};

pub(super) const FACTS: Facts = Facts { content: Content::None, ..ollama_chat::FACTS };

pub(super) const CODEC: EmbeddingCodec = EmbeddingCodec {
    client: None,
    upstream: EmbeddingUpstream { write_request: request, read_reply: reply },
};

fn request(
    request: &Request<'_>,
    model: &str,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    losses.add_if(request.user.is_some(), "user");
    losses.add_if(request.inputs.iter().any(|input| input.title.is_some()), "title");
    losses.add_if(request.task.is_some(), "input_type");
    out.push(b'{');
    out.key("model").string(model);
    out.key("input").open(b'[');
    for input in &request.inputs {
        out.text(&input.text(losses)?);
    }
    out.close(b']');
    if let Some(cut) = request.too_long.cut() {
        out.key("truncate").raw(if cut { "true" } else { "false" });
    }
    if let Some(dimensions) = request.dimensions {
        out.key("dimensions").number(dimensions);
    }
    out.close(b'}');
    Ok(())
}

object! {
    Answer<'a> {
        model: Text<'a>,
        embeddings: Vec<&'a RawValue>,
        prompt_eval_count: u64,
        error: &'a RawValue,
        ..rest
    }
}

/// How long it took.
const HARMLESS: &[&str] = &["total_duration", "load_duration"];

fn reply<'a>(body: &'a str, losses: &mut Losses) -> Result<Reply<'a>, Malformed> {
    let at = At::ROOT;
    let body: Answer<'a> = at.parse(body)?;
    super::fail(body.error)?;
    losses.unknown("", &body.rest, HARMLESS);
    let list = at.required("embeddings", body.embeddings)?;
    let at = at.member("embeddings");
    let vector = |(index, json): (usize, &'a RawValue)| {
        Vector::of(json).ok_or_else(|| at.index(index).error("is not an array of numbers"))
    };
    Ok(Reply {
        model: body.model.filter(|model| !model.is_empty()),
        vectors: list.into_iter().enumerate().map(vector).collect::<Result<_, _>>()?,
        input_tokens: body.prompt_eval_count,
    })
}
