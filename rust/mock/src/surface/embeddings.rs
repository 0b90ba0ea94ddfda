//! Embeddings of `OpenAI`'s API and of Google's. Sources: `CreateEmbeddingResponse`, `BatchEmbedContentsResponse`.
//!
//! A vector is the sum of one random direction per word piece, at length 1: equal texts have equal vectors,
//! texts that share words are near each other. That is enough to try a semantic cache on.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Called;
use super::gemini::{member, members};
use crate::ask::text_field;
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::lorem::{self, Numbers};
use crate::pieces;

const DIMS_MAX: u64 = 16_384;
const INPUTS_MAX: usize = 2048;
/// Pieces × dimensions over all inputs: a request costs at most about a second.
const WORK_MAX: u64 = 1 << 28;

/// The whole reply, with vectors of `dims` dimensions unless the request says `dimensions`.
pub(crate) fn unary(body: &Value, model: &str, dims: usize) -> Result<Json, Failure> {
    let inputs = inputs(body)?;
    let dims = wanted(body.get("dimensions"), "dimensions", dims)?;
    let base64 = match text_field(body, "encoding_format") {
        Some("base64") => true,
        Some("float") | None => false,
        Some(_) => {
            let message = "encoding_format: must be `float` or `base64`";
            return Err(Failure::bad_request(Some("encoding_format"), message));
        }
    };
    let tokens: u64 = inputs.iter().map(Input::tokens).sum();
    affordable(tokens, dims, "input")?;
    let data: Vec<Json> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = input.vector(dims);
            if base64 {
                let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
                object! {"object": "embedding", "index": index, "embedding": STANDARD.encode(bytes)}
            } else {
                object! {"object": "embedding", "index": index, "embedding": vector.as_slice()}
            }
        })
        .collect();
    Ok(object! {
        "object": "list",
        "data": data,
        "model": model,
        "usage": object! {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

/// The reply to `embedContent` or `batchEmbedContents`, of the model that the path calls `model`.
pub(crate) fn google(body: &Value, called: Called, model: &str, dims: usize) -> Result<Json, Failure> {
    if called == Called::Embed {
        let (input, dims) = content(body, model, dims)?;
        affordable(input.tokens(), dims, "content")?;
        let values = object! {"values": input.vector(dims).as_slice()};
        return Ok(object! {
            "embedding": values, "usageMetadata": object! {"promptTokenCount": input.tokens()},
        });
    }
    let requests = members(body, "requests");
    if !(1..=INPUTS_MAX).contains(&requests.len()) || requests.iter().any(|one| one.get("model").is_none()) {
        let message = "requests: must be a list of at most 2048 requests, not empty, each with its `model`";
        return Err(Failure::bad_request(Some("requests"), message));
    }
    let inputs: Vec<(Input<'_>, usize)> =
        requests.iter().map(|one| content(one, model, dims)).collect::<Result<_, _>>()?;
    let tokens: u64 = inputs.iter().map(|(input, _)| input.tokens()).sum();
    affordable(tokens, inputs.iter().map(|(_, dims)| *dims).max().unwrap_or_default(), "requests")?;
    let embeddings: Vec<Json> =
        inputs.iter().map(|(input, dims)| object! {"values": input.vector(*dims).as_slice()}).collect();
    Ok(object! {"embeddings": embeddings, "usageMetadata": object! {"promptTokenCount": tokens}})
}

/// What one request of Google's asks for, and in how many dimensions.
fn content<'a>(request: &'a Value, model: &str, dims: usize) -> Result<(Input<'a>, usize), Failure> {
    let named = request.get("model").and_then(Value::as_str);
    if named.is_some_and(|named| named.strip_prefix("models/") != Some(model)) {
        let message = format!("model: must be the one of the path, `models/{model}`");
        return Err(Failure::bad_request(Some("model"), message));
    }
    let wrong = || Failure::bad_request(Some("content"), "content: must have parts that are texts");
    let parts = members(request.get("content").ok_or_else(wrong)?, "parts");
    let texts: Vec<&str> =
        parts.iter().map(|part| text_field(part, "text")).collect::<Option<_>>().ok_or_else(wrong)?;
    let text = match texts.as_slice() {
        [] => return Err(wrong()),
        [text] => Cow::Borrowed(*text),
        texts => Cow::Owned(texts.join("\n")),
    };
    let config = member(request, "embedContentConfig").and_then(|of| member(of, "outputDimensionality"));
    let asked = config.or_else(|| member(request, "outputDimensionality"));
    Ok((Input::Text(text), wanted(asked, "outputDimensionality", dims)?))
}

/// The number of dimensions that is asked for, or else the model's.
fn wanted(asked: Option<&Value>, name: &'static str, dims: usize) -> Result<usize, Failure> {
    let Some(value) = asked.filter(|value| !value.is_null()) else { return Ok(dims) };
    let wanted = value.as_u64().filter(|dims| (1..=DIMS_MAX).contains(dims));
    wanted.and_then(|dims| usize::try_from(dims).ok()).ok_or_else(|| {
        Failure::bad_request(Some(name), format!("{name}: must be a whole number from 1 to {DIMS_MAX}"))
    })
}

fn affordable(tokens: u64, dims: usize, name: &'static str) -> Result<(), Failure> {
    if tokens.saturating_mul(u64::try_from(dims).unwrap_or(u64::MAX)) > WORK_MAX {
        return Err(Failure::bad_request(
            Some(name),
            format!("{name}: more text than the mock embeds at once"),
        ));
    }
    Ok(())
}

enum Input<'a> {
    Text(Cow<'a, str>),
    Ids(Vec<u64>),
}

fn inputs(body: &Value) -> Result<Vec<Input<'_>>, Failure> {
    let wrong = || {
        let message =
            "input: must be a string, a list of token ids, or a list of at most 2048 of these, none empty";
        Failure::bad_request(Some("input"), message)
    };
    let one = |value: &'_ Value| -> Option<Vec<u64>> {
        let ids: Vec<u64> = value.as_array()?.iter().map(Value::as_u64).collect::<Option<_>>()?;
        (!ids.is_empty()).then_some(ids)
    };
    let input = body.get("input").ok_or_else(wrong)?;
    if let Some(text) = input.as_str().filter(|text| !text.is_empty()) {
        return Ok(vec![Input::Text(text.into())]);
    }
    if let Some(ids) = one(input) {
        return Ok(vec![Input::Ids(ids)]);
    }
    let items = input.as_array().filter(|items| (1..=INPUTS_MAX).contains(&items.len())).ok_or_else(wrong)?;
    items
        .iter()
        .map(|item| {
            let text = item.as_str().filter(|text| !text.is_empty()).map(|text| Input::Text(text.into()));
            text.or_else(|| one(item).map(Input::Ids)).ok_or_else(wrong)
        })
        .collect()
}

impl Input<'_> {
    fn tokens(&self) -> u64 {
        match self {
            Self::Text(text) => pieces::count(text),
            Self::Ids(ids) => u64::try_from(ids.len()).unwrap_or(u64::MAX),
        }
    }

    fn vector(&self, dims: usize) -> Vec<f32> {
        let seeds: Vec<u64> = match self {
            Self::Text(text) => pieces::pieces(text)
                .map(|piece| lorem::hash(piece.trim_start().to_lowercase().as_bytes()))
                .collect(),
            Self::Ids(ids) => ids.iter().map(|id| lorem::hash(&id.to_le_bytes())).collect(),
        };
        let mut sum = vec![0.0_f64; dims];
        for seed in seeds {
            let mut numbers = Numbers::new(seed);
            for x in &mut sum {
                *x += numbers.fraction() - 0.5;
            }
        }
        let length = sum.iter().map(|x| x * x).sum::<f64>().sqrt();
        #[expect(
            clippy::cast_possible_truncation,
            reason = "components of a unit vector, rounded to single precision"
        )]
        let unit = |x: &f64| (x / length) as f32;
        sum.iter().map(unit).collect()
    }
}
