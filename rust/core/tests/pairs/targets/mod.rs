//! Dialects that upstreams speak: answers as their models tell them, and what they need not be asked for. One file
//! for each.

mod anthropic_messages;
mod bedrock_converse;
mod cohere_chat;
mod gemini;
mod ollama_chat;
mod openai_chat;
mod openai_responses;

use llm_edge_core::dialect::Dialect;
use serde_json::Value;

use crate::answers::{Answer, answers};
use crate::told::Told;

/// A dialect that upstreams speak.
pub(crate) struct Target {
    pub(crate) dialect: Dialect,
    /// The model that is asked, where its name makes a difference, and which models stand behind it.
    pub(crate) model: (&'static str, &'static str),
    /// Which features it has by itself, and how; those that begin so.
    pub(crate) by_itself: &'static [(&'static str, &'static str)],
    /// Whether calls and their results are told apart by ids; if not, by names and places.
    pub(crate) has_ids: bool,
    /// What the dialect makes of an answer; `None` where it has no words for it.
    pub(crate) says: fn(&Answer) -> Option<Told>,
    /// The answer as a whole reply.
    pub(crate) reply: fn(&Answer) -> Value,
    /// The answer as a stream, its texts in pieces of so many characters.
    pub(crate) stream: fn(&Answer, usize) -> Vec<u8>,
    /// What only some dialects tell, beside or instead of a text.
    pub(crate) extras: fn() -> Vec<Extra>,
}

/// Something that few dialects tell.
pub(crate) struct Extra {
    /// The same in all targets that have it: a row of the page.
    pub(crate) name: &'static str,
    /// What of it others can say: no more than the short text, where it is lost.
    pub(crate) says: Told,
    pub(crate) reply: Value,
    pub(crate) stream: Vec<u8>,
}

pub(crate) const TARGETS: &[Target] = &[
    openai_chat::TARGET,
    openai_responses::TARGET,
    anthropic_messages::TARGET,
    gemini::NEW,
    gemini::OLD,
    bedrock_converse::CLAUDE,
    bedrock_converse::OTHERS,
    cohere_chat::TARGET,
    ollama_chat::TARGET,
];

/// An answer that is a short text.
pub(crate) fn short() -> Answer {
    answers().into_iter().find(|answer| answer.name == "cut").unwrap()
}

/// A stream with one more event before that which begins so.
fn before(stream: &str, begin: &str, event: &str) -> Vec<u8> {
    let at = stream.find(begin).unwrap_or_else(|| panic!("no {begin} in {stream}"));
    [&stream[..at], event, &stream[at..]].concat().into_bytes()
}

/// The same with something that stands beside the text.
fn beside(extra: Extra, what: &str) -> Extra {
    let says = Told { beside: vec![what.to_owned()], ..extra.says };
    Extra { says, ..extra }
}

/// Something of which nothing can be said by others, told beside the short text.
fn unsaid(name: &'static str, target: &Target, reply: Value, stream: Vec<u8>) -> Extra {
    let says = (target.says)(&short()).unwrap();
    Extra { name, says, reply, stream }
}
