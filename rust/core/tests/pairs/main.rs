//! Every pair of dialects: what of each request and each reply is carried, changed, dropped or refused, and the
//! page that says so, `docs/reference/translation-pairs.md`.
//!
//! A dialect comes in by one file and one line each: as a surface in [`surfaces`], with a request for each thing
//! that can be asked for in it, and as a target in [`targets`], with answers as its models tell them. Nothing in the page
//! is written by hand: a cell is what happened when the request was translated ([`asked`]) or the answer
//! ([`answered`]), and where something went missing without being named, there is no page but a failure.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "in a test a panic is the finding"
)]

mod answered;
#[path = "../translate/answers.rs"]
#[allow(dead_code, reason = "the other tests of translation use the rest")]
mod answers;
mod asked;
#[path = "../translate/bedrock/answers.rs"]
#[allow(dead_code, reason = "the other tests of translation use the rest")]
mod bedrock;
mod documents;
mod embeddings;
#[path = "../translate/gemini/answers.rs"]
#[allow(dead_code, reason = "the other tests of translation use the rest")]
mod gemini;
#[path = "../translate/ollama/told.rs"]
mod ollama;
mod page;
mod structure;
mod surfaces;
mod targets;
mod told;

use llm_edge_core::dialect::{ChatFields, ChatMembers, Dialect, Platform};
use llm_edge_core::translate::{Context, Options, Pair, between};

use crate::surfaces::{SURFACES, Surface};
use crate::targets::{TARGETS, Target};

pub(crate) const OPTIONS: Options<'static> = Options {
    request_id: "req_1",
    created_s: 1_700_000_000,
    max_tokens_default: 4096,
    chat_fields: ChatFields::Openai,
    chat_members: ChatMembers::ALL,
    replays_reasoning: None,
    tool_id_length: None,
    platform: Platform::Own,
    cache_breakpoints: false,
    stream: None,
    json_array: false,
};

/// Of a request that sets nothing, but wants to be told everything.
pub(crate) fn context(surface: &Surface, pair: Pair) -> Context {
    let request = (surface.plain)().to_string();
    let translated = pair.request(request.as_bytes(), "m", &OPTIONS, &mut Vec::new()).unwrap();
    Context { model: "asked".to_owned(), include_usage: true, include_thoughts: true, ..translated.context }
}

/// What became of one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    Carried,
    /// It is nothing to tell this target, for the reason given.
    NotNeeded(&'static str),
    /// Something of it arrived, and this is named.
    Changed(String),
    /// Nothing of it arrived, and this is named.
    Dropped(String),
    /// The request was refused, with this message.
    Refused(String),
    /// The other side cannot say it.
    Unsaid,
}

/// Every pair between which is translated.
pub(crate) fn pairs() -> Vec<(&'static Surface, &'static Target)> {
    let mut pairs = Vec::new();
    for surface in SURFACES {
        for target in TARGETS {
            if between(surface.dialect, target.dialect).is_some() {
                pairs.push((surface, target));
            }
        }
    }
    pairs
}

#[test]
fn every_pair_has_its_entries() {
    for surface in Dialect::ALL {
        for target in Dialect::ALL {
            if between(surface, target).is_some() {
                assert!(
                    SURFACES.iter().any(|known| known.dialect == surface),
                    "no requests of {surface:?}. hint: add an entry to `surfaces::SURFACES`"
                );
                assert!(
                    TARGETS.iter().any(|known| known.dialect == target),
                    "no answers of {target:?}. hint: add an entry to `targets::TARGETS`"
                );
            }
        }
    }
}

#[test]
fn the_page_is_what_the_translation_does() {
    page::check();
}
