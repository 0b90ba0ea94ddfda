//! What differs between wire formats: one file or folder per dialect, one row each in [`facts`] for what is data,
//! and one in `codec` for what must be read and written.
//!
//! Invariant: code elsewhere never asks "is this Anthropic?"; it reads the [`Facts`] of the dialect it was
//! handed, or calls its `Codec`.

mod anthropic_messages;
mod bedrock_converse;
mod chat_form;
mod cohere_chat;
mod cohere_embed;
pub(crate) mod count;
mod gemini;
mod gemini_embeddings;
mod ollama_chat;
mod ollama_embed;
mod openai_chat;
mod openai_completions;
mod openai_embeddings;
mod openai_responses;
mod own;
mod rerank;

pub use anthropic_messages::form as messages_form;
pub(crate) use gemini::{THINKING, WRAPPED};

pub use count::unwrapped as unwrapped_question;
pub use own::Taker;

pub use crate::message::fit_tool_ids;

use std::collections::BTreeMap;
use std::fmt;

use serde_json::value::RawValue;

use crate::embedding;
use crate::message::{
    Carries, Fault, Framed, Losses, Malformed, Reply, Request, StreamWriter, Target, Untranslatable,
};
use crate::retry::{Disposition, Refusal};
use crate::routing::{Contents, Want};
use crate::translate::Context;

pub use crate::surface::Dialect;
pub use gemini_embeddings::renamed;

/// What the request scan does with a top-level member of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The model's name, a string.
    Model,
    /// The names of models to turn to one after the other, an array of strings (`OpenRouter` API reference, "Model
    /// fallbacks").
    Models,
    /// Whether the reply is streamed, a boolean.
    Stream,
    /// An upper bound on generated tokens, an integer. Of several, the highest `rank` is taken.
    MaxTokens {
        /// Which of two limits is obeyed when both are sent.
        rank: u8,
    },
    /// The object that may hold `include_usage`.
    StreamOptions,
    /// The object that may hold `maxOutputTokens`, an upper bound on generated tokens.
    GenerationConfig,
    /// The array of tools on offer.
    Tools,
    /// Another spelling of the field of this name, which has a row of its own. They are one field: it may come
    /// once, in either spelling.
    Alias(&'static str),
    /// Content that rules may look at: not read by the scan, but refused when it comes twice.
    Content,
    /// Cannot change one byte of the reply; left out of cache keys. Refused when it comes twice.
    Irrelevant,
}

/// Where a reply reports one number, as a path of member names from the usage object.
pub type Path = &'static [&'static str];

/// Where a usage object keeps its numbers. An empty path: the dialect does not report it.
#[derive(Clone, Copy, Debug)]
pub struct UsagePaths {
    /// Tokens of the prompt.
    pub input: Path,
    /// Tokens of the prompt that `input` leaves out.
    pub input_apart: Path,
    /// Tokens generated.
    pub output: Path,
    /// Tokens generated that `output` leaves out.
    pub output_apart: Path,
    /// Prompt tokens read from the provider's prompt cache.
    pub cached_input: Path,
    /// Prompt tokens written to the provider's prompt cache.
    pub cache_write: Path,
    /// Of these, those that are to be kept for an hour.
    pub cache_write_1h: Path,
    /// Whether `input` leaves out both what was read from the cache and what was written to it.
    pub cache_apart: bool,
    /// Generated tokens that were reasoning.
    pub reasoning: Path,
    /// Searches that a ranking is billed for.
    pub searches: Path,
}

/// Which members of `OpenAI`'s chat requests a server knows. Some refuse what they do not know, others pass
/// over it in silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatFields {
    /// Those of `OpenAI`'s own current API: `max_completion_tokens`, `safety_identifier`.
    Openai,
    /// Those that everybody has: `max_tokens`.
    #[default]
    Common,
}

/// Members of `OpenAI`'s chat requests that a server calls otherwise, or does not know.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "BTreeMap<String, Option<String>>")]
pub struct ChatMembers(Vec<(String, Option<String>)>);

impl ChatMembers {
    /// All by their own names.
    pub const ALL: &'static Self = &Self(Vec::new());

    /// Whether a member is known there.
    pub fn knows(&self, name: &str) -> bool {
        self.called(name).is_some()
    }

    /// What a member is called there; `None` where it is not known.
    pub(crate) fn called<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        let own = self.0.iter().find(|(known, _)| known == name);
        own.map_or(Some(name), |(_, called)| called.as_deref())
    }
}

impl TryFrom<BTreeMap<String, Option<String>>> for ChatMembers {
    type Error = NoChatMember;

    fn try_from(members: BTreeMap<String, Option<String>>) -> Result<Self, NoChatMember> {
        const KNOWN: [&str; 13] = [
            "temperature",
            "top_p",
            "frequency_penalty",
            "presence_penalty",
            "seed",
            "logit_bias",
            "logprobs",
            "top_logprobs",
            "n",
            "service_tier",
            "reasoning_effort",
            "parallel_tool_calls",
            "stream_options",
        ];
        let is_word = |name: &String| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        match members.iter().find(|(name, own)| !KNOWN.contains(&name.as_str()) || !own.iter().all(is_word)) {
            Some((name, _)) => Err(NoChatMember(name.clone())),
            None => Ok(Self(members.into_iter().collect())),
        }
    }
}

/// This is no member that can be called otherwise, or no word is what it is to be called.
#[derive(Debug, PartialEq, Eq)]
pub struct NoChatMember(String);

impl fmt::Display for NoChatMember {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` is no member that a chat request may call otherwise", self.0)
    }
}

/// Where a chat server takes the reasoning of earlier turns back, which it told as text. Some refuse a turn with calls
/// of tools without it ("The `reasoning_content` in the thinking mode must be passed back to the API"), some refuse
/// the member of another's name ("property … is unsupported").
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplayedReasoning {
    /// In the member of this name, as `DeepSeek` wants it.
    ReasoningContent,
    /// In the member of this name, as `Groq` wants it.
    Reasoning,
    /// In `content`, as parts of type `thinking`, as `Mistral` wants it.
    Content,
}

/// Where a vendor's API is served, as far as requests differ there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Platform {
    /// At the vendor's own.
    #[default]
    Own,
    /// At Google's Vertex AI: Anthropic's version stands in the body, and the model, where the path names it, only
    /// there; what is to be counted for Gemini is not wrapped.
    Vertex,
}

/// What ends a stream as its maker meant it to.
#[derive(Clone, Copy, Debug)]
pub enum Terminal {
    /// An event whose data is exactly this.
    Data(&'static str),
    /// An event of one of these types (the `event` field, or the member `type` where it is left out).
    Event(&'static [&'static str]),
    /// An event with a text that is not empty at one of these paths, and the end of the stream behind it. Other
    /// events may come in between. Of an array on the path the first element is meant. Every event is read
    /// for usage and errors, because every one may tell both; and the stream may come as one JSON array.
    Reason(&'static [Path]),
}

/// What tells that an event of a stream carries something for the reader, not only the opening formalities.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    /// An event whose type ends so.
    EventSuffix(&'static str),
    /// The first of `choices` holds under this name a non-empty string, or an object with a member
    /// other than `role` that is neither null nor empty.
    Choice(&'static str),
    /// At this path there is an object with a member that is neither null nor empty. Of an array on the path
    /// the first element is meant.
    At(Path),
    /// The dialect has no streams.
    None,
}

/// The facts of one wire format.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// Top-level request members that are acted on. At most 32 rows, at most
    /// [`crate::scan::IRRELEVANT_MAX`] of them [`Field::Irrelevant`].
    pub fields: &'static [(&'static str, Field)],
    /// What ends a stream.
    pub terminal: Terminal,
    /// Event types by which the upstream says that the reply failed.
    pub error_events: &'static [&'static str],
    /// Members whose non-null presence in an event or a whole reply says that it failed.
    pub error_members: &'static [Path],
    /// By which replies the upstream says that it did not do what was asked; the first row that fits counts.
    /// Others may have been executed, 500, 502 and 504 above all, and are never sent again (B03).
    pub refusals: &'static [Refusal],
    /// What the first useful event looks like.
    pub content: Content,
    /// Where an event or a whole reply may hold the usage object; of several, the last one is taken.
    pub usage_at: &'static [Path],
    /// Where the usage object keeps its numbers.
    pub usage: UsagePaths,
    /// Whether a stream tells its usage only where `stream_options.include_usage` asks for it.
    pub usage_on_request: bool,
    /// Where requests have what a model must be able to take.
    pub contents: Contents,
    /// Which members of a request ask for something that not every model can do.
    pub wants: &'static [Want],
}

const fn refusal(status: u16, disposition: Disposition) -> Refusal {
    Refusal { status, marker: None, disposition }
}

const fn refusal_saying(status: u16, marker: &'static str, disposition: Disposition) -> Refusal {
    Refusal { status, marker: Some(marker), disposition }
}

/// What `OpenAI` says and the many that follow it. 529 is Anthropic's, and comes through some of their proxies; Google
/// has its own words at its endpoint in this form too. Each vendor's words are in
/// `tests/behaviour/failure/refusals.py`.
const OPENAI_REFUSALS: &[Refusal] = &[
    refusal_saying(429, "insufficient_quota", Disposition::Elsewhere),
    refusal_saying(429, "billing_hard_limit_reached", Disposition::Elsewhere),
    refusal_saying(429, "PerDay", Disposition::Elsewhere),
    // xAI, where credits have run out; `OpenRouter`, where those for nothing have.
    refusal_saying(429, "used all available credits", Disposition::Elsewhere),
    refusal_saying(429, "free-models-per-day", Disposition::Elsewhere),
    refusal_saying(400, "\"API_KEY_INVALID\"", Disposition::Elsewhere),
    // xAI's status for it is that of a bad request, and Groq's for an account that is shut.
    refusal_saying(400, "\"Incorrect API key provided", Disposition::Elsewhere),
    refusal_saying(400, "\"organization_restricted\"", Disposition::Elsewhere),
    // Groq: more tokens than the account may ever have in a minute. Another's limit may be higher.
    refusal_saying(413, "\"rate_limit_exceeded\"", Disposition::Elsewhere),
    // Fireworks, where a bill is not paid or a limit of the month's is reached.
    refusal_saying(412, " is suspended", Disposition::Elsewhere),
    // What is not allowed is the prompt: `OpenRouter`'s moderation and guardrails, xAI's guidelines, Together's length.
    refusal_saying(403, "\"flagged_input\"", Disposition::Relay),
    refusal_saying(403, "\"Request blocked", Disposition::Relay),
    refusal_saying(403, "\"Content violates usage guidelines", Disposition::Relay),
    refusal_saying(403, "`max_new_tokens`", Disposition::Relay),
    refusal(429, Disposition::Retry),
    // Groq's own status for what it had no room for.
    refusal_saying(498, "\"capacity_exceeded\"", Disposition::Retry),
    refusal(503, Disposition::Retry),
    refusal(529, Disposition::Retry),
    refusal(401, Disposition::Elsewhere),
    refusal(402, Disposition::Elsewhere),
    refusal(403, Disposition::Elsewhere),
];

/// The facts of `dialect`.
pub const fn facts(dialect: Dialect) -> &'static Facts {
    match dialect {
        Dialect::OpenaiChat => &openai_chat::FACTS,
        Dialect::OpenaiCompletions => &openai_completions::FACTS,
        Dialect::OpenaiResponses => &openai_responses::FACTS,
        Dialect::OpenaiEmbeddings => &openai_embeddings::FACTS,
        Dialect::AnthropicMessages => &anthropic_messages::FACTS,
        Dialect::Gemini => &gemini::FACTS,
        Dialect::BedrockConverse => &bedrock_converse::FACTS,
        Dialect::CohereChat => &cohere_chat::FACTS,
        Dialect::OllamaChat => &ollama_chat::FACTS,
        Dialect::GeminiEmbedContent => &gemini_embeddings::FACTS,
        Dialect::GeminiBatchEmbedContents => &gemini_embeddings::BATCH_FACTS,
        Dialect::CohereEmbed => &cohere_embed::FACTS,
        Dialect::OllamaEmbed => &ollama_embed::FACTS,
        Dialect::Rerank => &rerank::FACTS,
    }
}

/// How chat-like generation is read and written in one wire format; see [`crate::message`]. Either half may be
/// missing: not every API that models are reached by is one that clients speak to the gateway.
pub(crate) struct Codec {
    pub(crate) client: Option<Client>,
    pub(crate) upstream: Option<Upstream>,
}

/// What is read of a client that speaks the dialect, and written to it.
pub(crate) struct Client {
    pub(crate) read_request: for<'a> fn(&'a str, &mut Losses) -> Result<Request<'a>, Untranslatable>,
    /// What writers of requests name, and what it is called here, where that is something else.
    pub(crate) words: &'static [(&'static str, &'static str)],
    /// What of a reply it has a place for.
    pub(crate) carries: Carries,
    pub(crate) write_reply: fn(&Reply<'_>, &Context, &mut Losses, &mut Vec<u8>),
    /// With the status, where the error is not inside a stream, and the request's id, where it is known.
    pub(crate) write_error: fn(&Fault<'_>, Option<u16>, &str, &mut Vec<u8>),
    pub(crate) stream_writer: fn(Context) -> Box<dyn StreamWriter + Send>,
    /// Whether the vendor's own SDK passes over a comment in a stream of events.
    pub(crate) reads_comments: bool,
}

/// What is written to an upstream that speaks the dialect, and read of it.
pub(crate) struct Upstream {
    pub(crate) write_request:
        fn(&Request<'_>, &Target<'_>, &mut Losses, &mut Vec<u8>) -> Result<(), Untranslatable>,
    pub(crate) read_reply: for<'a> fn(&'a str, Carries, &mut Losses) -> Result<Reply<'a>, Malformed>,
    pub(crate) stream_reader: fn() -> Framed,
    /// Of its streams, without parameters.
    pub(crate) stream_media_type: &'static str,
    /// Whether its requests have what OpenAI's APIs share.
    pub(crate) takes_shared: bool,
}

/// The codec of `dialect`; `None` where it has no chat-like generation.
pub(crate) const fn codec(dialect: Dialect) -> Option<&'static Codec> {
    match dialect {
        Dialect::OpenaiChat => Some(&openai_chat::CODEC),
        Dialect::OpenaiResponses => Some(&openai_responses::CODEC),
        Dialect::AnthropicMessages => Some(&anthropic_messages::CODEC),
        Dialect::Gemini => Some(&gemini::CODEC),
        Dialect::BedrockConverse => Some(&bedrock_converse::CODEC),
        Dialect::CohereChat => Some(&cohere_chat::CODEC),
        Dialect::OllamaChat => Some(&ollama_chat::CODEC),
        Dialect::OpenaiCompletions
        | Dialect::OpenaiEmbeddings
        | Dialect::GeminiEmbedContent
        | Dialect::GeminiBatchEmbedContents
        | Dialect::CohereEmbed
        | Dialect::OllamaEmbed
        | Dialect::Rerank => None,
    }
}

/// How embeddings are read and written in one wire format; see [`crate::embedding`].
pub(crate) struct EmbeddingCodec {
    /// `None` where no client speaks it to the gateway.
    pub(crate) client: Option<EmbeddingClient>,
    pub(crate) upstream: EmbeddingUpstream,
}

/// As [`Client`].
pub(crate) struct EmbeddingClient {
    pub(crate) read_request:
        for<'a> fn(&'a str, &mut Losses) -> Result<embedding::Request<'a>, Untranslatable>,
    pub(crate) words: &'static [(&'static str, &'static str)],
    /// With the model as the client called it.
    pub(crate) write_reply: fn(&embedding::Reply<'_>, &str, &mut Vec<u8>),
    pub(crate) write_error: fn(&Fault<'_>, Option<u16>, &str, &mut Vec<u8>),
}

/// As [`Upstream`]; a request is for the model of this name.
pub(crate) struct EmbeddingUpstream {
    pub(crate) write_request:
        fn(&embedding::Request<'_>, &str, &mut Losses, &mut Vec<u8>) -> Result<(), Untranslatable>,
    pub(crate) read_reply: for<'a> fn(&'a str, &mut Losses) -> Result<embedding::Reply<'a>, Malformed>,
}

/// The codec of `dialect`; `None` where it has no embeddings.
pub(crate) const fn embedding_codec(dialect: Dialect) -> Option<&'static EmbeddingCodec> {
    match dialect {
        Dialect::OpenaiEmbeddings => Some(&openai_embeddings::CODEC),
        Dialect::GeminiEmbedContent => Some(&gemini_embeddings::CODEC),
        Dialect::GeminiBatchEmbedContents => Some(&gemini_embeddings::BATCH_CODEC),
        Dialect::CohereEmbed => Some(&cohere_embed::CODEC),
        Dialect::OllamaEmbed => Some(&ollama_embed::CODEC),
        Dialect::OpenaiChat
        | Dialect::OpenaiCompletions
        | Dialect::OpenaiResponses
        | Dialect::AnthropicMessages
        | Dialect::Gemini
        | Dialect::BedrockConverse
        | Dialect::CohereChat
        | Dialect::OllamaChat
        | Dialect::Rerank => None,
    }
}

/// Fails where a whole reply is an error in spite of its status.
fn fail(error: Option<&RawValue>) -> Result<(), Malformed> {
    error.map_or(Ok(()), |error| Err(Fault::of_error(error).inside_reply()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::IRRELEVANT_MAX;

    #[test]
    fn every_table_fits_the_fixed_sizes_of_the_scan() {
        for dialect in Dialect::ALL {
            let fields = facts(dialect).fields;
            assert!(fields.len() <= 32, "{dialect:?}");
            let irrelevant = fields.iter().filter(|(_, field)| *field == Field::Irrelevant).count();
            assert!(irrelevant <= IRRELEVANT_MAX, "{dialect:?}");
        }
    }

    #[test]
    fn no_table_names_a_field_twice_also_not_in_other_capitals() {
        for dialect in Dialect::ALL {
            let mut names: Vec<_> =
                facts(dialect).fields.iter().map(|(name, _)| name.to_ascii_lowercase()).collect();
            assert!(names.iter().all(|n| n.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')));
            names.sort_unstable();
            names.dedup();
            assert_eq!(names.len(), facts(dialect).fields.len(), "{dialect:?}");
        }
    }

    #[test]
    fn every_name_of_two_words_has_its_other_spelling() {
        for (name, field) in facts(Dialect::Gemini).fields {
            let snake: String = name
                .chars()
                .flat_map(|ch| {
                    ch.is_ascii_uppercase().then_some('_').into_iter().chain([ch.to_ascii_lowercase()])
                })
                .collect();
            let alias = facts(Dialect::Gemini).fields.iter().find(|(other, _)| *other == snake);
            let is_its_own = snake == *name;
            match (is_its_own, field) {
                (true, Field::Alias(of)) => {
                    assert!(facts(Dialect::Gemini).fields.iter().any(|(other, _)| other == of), "{name}");
                }
                (true, _) => assert!(!name.contains('_'), "{name}"),
                (false, _) => assert_eq!(alias.map(|(_, field)| *field), Some(Field::Alias(name)), "{name}"),
            }
        }
    }
}
