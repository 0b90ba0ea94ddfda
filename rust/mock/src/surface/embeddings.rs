//! Embeddings of each API that has them. Sources: `CreateEmbeddingResponse`, `BatchEmbedContentsResponse`,
//! `EmbedByTypeResponse`; `EmbedResponse` of `github.com/ollama/ollama/api`.
//!
//! A vector is the sum of one random direction per word piece, at length 1: equal texts have equal vectors,
//! texts that share words are near each other. That is enough to try a semantic cache on.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::Called;
use super::gemini::{member, members};
use crate::ask::{field, list_field, text_field};
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::lorem::{self, Numbers};
use crate::pieces;

/// Kinds of vectors that Cohere has.
const KINDS: [&str; 6] = ["float", "int8", "uint8", "binary", "ubinary", "base64"];
const TASKS: [&str; 5] = ["search_document", "search_query", "classification", "clustering", "image"];
const COHERE_INPUTS_MAX: usize = 96;
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
                object! {"object": "embedding", "index": index, "embedding": packed(&vector)}
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

/// The reply to Cohere's `/v2/embed`.
pub(crate) fn cohere(body: &Value, id: &str, dims: usize) -> Result<Json, Failure> {
    if !text_field(body, "input_type").is_some_and(|task| TASKS.contains(&task)) {
        let message = format!("input_type: must be one of {}", TASKS.join(", "));
        return Err(Failure::bad_request(Some("input_type"), message));
    }
    let kinds: Vec<&str> = match field(body, "embedding_types") {
        None => vec!["float"],
        Some(list) => list
            .as_array()
            .and_then(|list| list.iter().map(Value::as_str).collect::<Option<_>>())
            .filter(|kinds: &Vec<&str>| kinds.iter().all(|kind| KINDS.contains(kind)))
            .ok_or_else(|| {
                let message = format!("embedding_types: must be a list of {}", KINDS.join(", "));
                Failure::bad_request(Some("embedding_types"), message)
            })?,
    };
    let texts = cohere_texts(body)?;
    let dims = wanted(body.get("output_dimension"), "output_dimension", dims)?;
    let inputs: Vec<Input<'_>> = texts.iter().map(|text| Input::Text(Cow::Borrowed(text))).collect();
    let tokens: u64 = inputs.iter().map(Input::tokens).sum();
    affordable(tokens, dims, "texts")?;
    let vectors: Vec<Vec<f32>> = inputs.iter().map(|input| input.vector(dims)).collect();
    let mut embeddings = object! {};
    for kind in KINDS.into_iter().filter(|kind| kinds.contains(kind)) {
        let of_kind: Vec<Json> = vectors.iter().map(|vector| of_kind(vector, kind)).collect();
        embeddings.put(kind, &of_kind);
    }
    let mut reply = object! {"id": id, "embeddings": embeddings};
    if body.get("inputs").is_none() {
        reply.put("texts", &texts.iter().map(Json::of).collect::<Vec<_>>());
    }
    reply.put(
        "meta",
        &object! {
            "api_version": object! {"version": "2"}, "billed_units": object! {"input_tokens": tokens},
        },
    );
    reply.put("response_type", "embeddings_by_type");
    Ok(reply)
}

/// The texts, given alone or as the one part of a content.
fn cohere_texts(body: &Value) -> Result<Vec<String>, Failure> {
    let wrong = || {
        let message = "texts: there must be `texts` or `inputs`, 1 to 96 of them; the mock embeds no images";
        Failure::bad_request(Some("texts"), message)
    };
    let texts: Option<Vec<String>> = if body.get("inputs").is_some() {
        let text = |input: &Value| {
            let parts: Option<Vec<&str>> =
                list_field(input, "content").iter().map(|part| text_field(part, "text")).collect();
            parts.filter(|parts| !parts.is_empty()).map(|parts| parts.join("\n"))
        };
        list_field(body, "inputs").iter().map(text).collect()
    } else {
        list_field(body, "texts").iter().map(|text| text.as_str().map(str::to_owned)).collect()
    };
    texts.filter(|texts| (1..=COHERE_INPUTS_MAX).contains(&texts.len())).ok_or_else(wrong)
}

/// One vector, as numbers of the kind that is asked for, or packed.
fn of_kind(vector: &[f32], kind: &str) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "from -127 to 127")]
    let whole = || vector.iter().map(|x| (x * 127.0).round() as i16);
    // One bit a dimension, the first one highest.
    let bits = || {
        let byte = |eight: &[f32]| {
            let bit = |sum: i16, (place, x): (usize, &f32)| sum | (i16::from(*x > 0.0) << (7 - place));
            eight.iter().enumerate().fold(0, bit)
        };
        vector.chunks(8).map(byte)
    };
    let numbers: Vec<i16> = match kind {
        "int8" => whole().collect(),
        "uint8" => whole().map(|x| x + 128).collect(),
        "binary" => bits().map(|byte| byte - 128).collect(),
        "ubinary" => bits().collect(),
        "base64" => return Json::of(&packed(vector)),
        _ => return Json::of(vector),
    };
    Json::of(numbers.as_slice())
}

fn packed(vector: &[f32]) -> String {
    STANDARD.encode(vector.iter().flat_map(|x| x.to_le_bytes()).collect::<Vec<u8>>())
}

/// The reply to Ollama's `/api/embed`. The durations, in nanoseconds, are made of the count, as in its chat.
pub(crate) fn ollama(body: &Value, model: &str, dims: usize) -> Result<Json, Failure> {
    let wrong = || Failure::bad_request(Some("input"), "input: must be a string or a list of strings");
    let texts: Vec<&str> = match field(body, "input") {
        None => Vec::new(),
        Some(Value::String(text)) if text.is_empty() => Vec::new(),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(list)) if list.len() <= INPUTS_MAX => {
            list.iter().map(Value::as_str).collect::<Option<_>>().ok_or_else(wrong)?
        }
        Some(_) => return Err(wrong()),
    };
    let dims = wanted(body.get("dimensions"), "dimensions", dims)?;
    let inputs: Vec<Input<'_>> = texts.into_iter().map(|text| Input::Text(text.into())).collect();
    let tokens: u64 = inputs.iter().map(Input::tokens).sum();
    affordable(tokens, dims, "input")?;
    let embeddings: Vec<Json> = inputs.iter().map(|input| Json::of(input.vector(dims).as_slice())).collect();
    Ok(object! {
        "model": model,
        "embeddings": embeddings,
        "total_duration": 1_000_000 + tokens * 10_000,
        "load_duration": 1_000_000_u64,
        "prompt_eval_count": tokens,
    })
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
