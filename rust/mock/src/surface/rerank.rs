//! The ranking of documents. Sources: Cohere `OpenAPI` document (`rerankv2`); vLLM, whose replies have `usage`.
//!
//! A document's score is the part of the query's words that it holds, from 0 to 1: words are runs of letters and
//! digits, capitals do not count, nor does how often a word stands there. Equal scores stay in the order of the
//! documents. A search of up to 100 documents is one unit.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::ask::{field, flag, limit, text_field};
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::pieces;

const DOCUMENTS_MAX: usize = 10_000;
const DOCUMENTS_PER_UNIT: usize = 100;

/// The whole reply.
pub(crate) fn unary(body: &Value, model: &str, id: &str) -> Result<Json, Failure> {
    let query = text_field(body, "query").filter(|query| !query.is_empty());
    let query = query
        .ok_or_else(|| Failure::bad_request(Some("query"), "query: must be a string that is not empty"))?;
    let documents = documents(body)?;
    let top = limit(body, "top_n")?.and_then(|top| usize::try_from(top).ok()).unwrap_or(usize::MAX);
    let show = flag(body, "return_documents")?;
    let wanted = words(query);
    let mut ranked: Vec<(usize, f64)> =
        documents.iter().map(|text| score(&wanted, text)).enumerate().collect();
    ranked.sort_by(|(_, left), (_, right)| right.total_cmp(left));
    ranked.truncate(top);
    let results: Vec<Json> = ranked
        .into_iter()
        .map(|(index, score)| {
            let mut result = object! {"index": index, "relevance_score": score};
            if let Some(text) = documents.get(index).filter(|_| show) {
                result.put("document", &object! {"text": *text});
            }
            result
        })
        .collect();
    let tokens: u64 = documents.iter().map(|text| pieces::count(text)).sum::<u64>() + pieces::count(query);
    Ok(object! {
        "id": id,
        "model": model,
        "results": results,
        "meta": object! {
            "api_version": object! {"version": "2"},
            "billed_units": object! {"search_units": documents.len().div_ceil(DOCUMENTS_PER_UNIT)},
        },
        "usage": object! {"prompt_tokens": tokens, "total_tokens": tokens},
    })
}

fn documents(body: &Value) -> Result<Vec<&str>, Failure> {
    let list = field(body, "documents").and_then(Value::as_array);
    let list = list.filter(|list| (1..=DOCUMENTS_MAX).contains(&list.len()));
    list.and_then(|list| list.iter().map(text).collect::<Option<_>>()).ok_or_else(|| {
        let message = "documents: must be a list of at most 10000 texts, or of objects with a `text`";
        Failure::bad_request(Some("documents"), message)
    })
}

fn text(document: &Value) -> Option<&str> {
    document.as_str().or_else(|| text_field(document, "text"))
}

fn words(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

fn score(wanted: &BTreeSet<String>, text: &str) -> f64 {
    let found = words(text).intersection(wanted).count();
    let count = |words: usize| f64::from(u32::try_from(words).unwrap_or(u32::MAX));
    if wanted.is_empty() { 0.0 } else { count(found) / count(wanted.len()) }
}
