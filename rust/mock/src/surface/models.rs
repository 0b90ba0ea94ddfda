//! The list of models and one of it, in each family's shape.

use super::Family;
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::model::{MODELS, Model};

// 2026-01-01: the same in every build, so that a list can be compared with another.
const CREATED: u64 = 1_767_225_600;
const CREATED_AT: &str = "2026-01-01T00:00:00Z";

/// All models.
pub(crate) fn list(family: Family) -> Json {
    let data: Vec<Json> = MODELS.iter().map(|id| model(family, id)).collect();
    match family {
        // Amazon and Cohere list theirs in other APIs.
        Family::OpenAi | Family::Amazon | Family::Cohere => object! {"object": "list", "data": data},
        Family::Anthropic => object! {
            "data": data,
            "has_more": false,
            "first_id": MODELS.first().copied(),
            "last_id": MODELS.last().copied(),
        },
        Family::Google | Family::Ollama => object! {"models": data},
    }
}

/// The model of an id as it stands in a path, percent-encoded.
pub(crate) fn show(family: Family, id: &str) -> Result<Json, Failure> {
    let id =
        percent_decoded(id).ok_or_else(|| Failure::not_found(None, "model: the id is not valid UTF-8"))?;
    match Model::parse(&id) {
        Ok(_) => Ok(model(family, &id)),
        Err(unknown) => Err(Failure::not_found(Some("model_not_found"), unknown.message())),
    }
}

fn model(family: Family, id: &str) -> Json {
    match family {
        Family::OpenAi | Family::Amazon | Family::Cohere => {
            object! {"id": id, "object": "model", "created": CREATED, "owned_by": "mock"}
        }
        Family::Anthropic => object! {
            "type": "model",
            "id": id,
            "display_name": format!("Mock {id}"),
            "created_at": CREATED_AT,
            "lifecycle": "active",
            "capabilities": (),
            "max_input_tokens": 1_000_000_u64,
            "max_tokens": 100_000_u64,
        },
        Family::Google => object! {
            "name": format!("models/{id}"),
            "version": "001",
            "displayName": format!("Mock {id}"),
            "inputTokenLimit": 1_000_000_u64,
            "outputTokenLimit": 100_000_u64,
            "supportedGenerationMethods": serde_json::json!(["generateContent", "countTokens"]),
        },
        Family::Ollama => object! {
            "name": id,
            "model": id,
            "modified_at": CREATED_AT,
            "size": 0_u64,
            "digest": "",
            "details": serde_json::json!({
                "parent_model": "", "format": "mock", "family": "mock", "families": ["mock"],
                "parameter_size": "0B", "quantization_level": "",
            }),
        },
    }
}

/// `None` where an escape is broken or the text is not UTF-8.
pub(crate) fn percent_decoded(text: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let hex = [bytes.next()?, bytes.next()?];
            hex.iter().all(u8::is_ascii_hexdigit).then_some(())?;
            decoded.push(u8::from_str_radix(str::from_utf8(&hex).ok()?, 16).ok()?);
        } else {
            decoded.push(byte);
        }
    }
    String::from_utf8(decoded).ok()
}
