//! The canonical form of chat-like generation, used only between two different dialects.
//!
//! A dialect's `read` makes it of a body, another's `write` makes a body of it; nothing else knows it. It
//! borrows from the body: texts stay escaped as they came ([`Text`]), and what no dialect needs to look into
//! (schemas, tool inputs, cache markers) is the JSON text it came as.
//!
//! Invariant: what a reader finds and cannot put here, and what a writer finds here and cannot express, is
//! named in [`Losses`] or refused. Source: the API references of the dialects, each in its own folder.

mod base64;
pub(crate) mod citation;
pub(crate) mod claude;
mod fault;
mod ids;
mod input;
pub(crate) mod json;
pub(crate) mod logprobs;
mod losses;
pub(crate) mod read;
mod repeat;
mod reply;
mod strict;
mod text;
mod thinking;
mod tool_ids;
pub(crate) mod turns;

pub(crate) use base64::{decode_base64, encode_base64};
pub(crate) use citation::Citation;
pub(crate) use fault::Fault;
pub(crate) use ids::{CallIds, name_calls, reply_id, seed};
pub(crate) use input::{Input, tool_input};
pub(crate) use logprobs::Logprob;
pub use losses::Losses;
pub(crate) use repeat::{Repeat, Told};
pub(crate) use reply::{
    Answer, Carries, Choice, Event, Framed, MessageReader, Reply, Sink, Stop, StreamReader, StreamWriter,
    Usage,
};
pub(crate) use text::Text;
pub(crate) use thinking::{Maker, redacted_block, redacted_members, thinking_block, thinking_members};
pub use tool_ids::fitted as fit_tool_ids;

use std::borrow::Cow;

use self::json::Json;
use crate::dialect::{ChatFields, ChatMembers, Platform, ReplayedReasoning};

/// A request that the target's dialect cannot express, or that is not what its own dialect asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untranslatable {
    /// Where, such as `messages[3].tool_calls[0].function.arguments`; empty for the whole body.
    pub path: String,
    /// What is wrong there, and how to mend it.
    pub message: String,
}

/// A reply that is not what its dialect says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// What is wrong with it.
    pub message: Cow<'static, str>,
}

impl Malformed {
    /// A reply with this fault.
    pub(crate) fn new(message: impl Into<Cow<'static, str>>) -> Self {
        Self { message: message.into() }
    }
}

impl From<Untranslatable> for Malformed {
    fn from(fault: Untranslatable) -> Self {
        match fault.path.as_str() {
            "" => Self::new(fault.message),
            path => Self::new(format!("`{path}`: {}", fault.message)),
        }
    }
}

/// A request for one generation.
#[derive(Debug, Default)]
pub(crate) struct Request<'a> {
    /// The model as the client calls it.
    pub(crate) model: Option<Text<'a>>,
    /// What stands before the first turn.
    pub(crate) system: Vec<Block<'a>>,
    /// The conversation, in order; two turns of one role may follow each other.
    pub(crate) turns: Vec<Turn<'a>>,
    pub(crate) tools: Vec<Tool<'a>>,
    pub(crate) tool_choice: Option<ToolChoice<'a>>,
    /// Whether one turn may call several tools; not said: the dialect's default, which is yes in all of them.
    pub(crate) parallel_tools: Option<bool>,
    pub(crate) max_tokens: Option<u64>,
    pub(crate) sampling: Sampling<'a>,
    pub(crate) stop: Vec<Text<'a>>,
    pub(crate) format: Option<Format<'a>>,
    pub(crate) reasoning: Option<Reasoning>,
    /// An opaque name of the end user.
    pub(crate) user: Option<Text<'a>>,
    pub(crate) tier: Option<Tier>,
    /// Members that OpenAI's APIs share and no other has, as JSON: hints for its prompt cache, the application's notes.
    pub(crate) shared: Vec<(&'static str, &'a str)>,
    /// A marker that the provider moves to the last block by itself.
    pub(crate) cache: Option<&'a str>,
    pub(crate) stream: bool,
    /// Whether the client wants to be told of the reasoning, where it says so.
    pub(crate) thoughts: Option<Thoughts>,
    /// Whether the client wants the usage of a stream.
    pub(crate) include_usage: bool,
    /// What this request calls otherwise than its dialect does, as [`Client::words`](crate::dialect::Client).
    pub(crate) words: &'static [(&'static str, &'static str)],
    /// What its reply says of these settings, for dialects whose replies do: members in JSON.
    pub(crate) settings: Vec<u8>,
}

impl Request<'_> {
    /// Whether the model shall reason, and the client asks to be told of it.
    pub(crate) fn wants_thoughts(&self) -> bool {
        self.thoughts == Some(Thoughts::Told) && self.reasoning != Some(Reasoning::Off)
    }

    /// Names it where the client wants no word of the reasoning, for dialects that cannot be asked for that.
    pub(crate) fn name_unwanted_thoughts(&self, losses: &mut Losses) {
        losses.add_if(self.thoughts == Some(Thoughts::Untold), "thinking.display");
    }
}

/// Numbers that steer sampling, each the JSON text it came as.
#[derive(Debug, Default)]
pub(crate) struct Sampling<'a> {
    pub(crate) temperature: Option<&'a str>,
    pub(crate) top_p: Option<&'a str>,
    pub(crate) top_k: Option<&'a str>,
    pub(crate) frequency_penalty: Option<&'a str>,
    pub(crate) presence_penalty: Option<&'a str>,
    pub(crate) seed: Option<&'a str>,
    pub(crate) logit_bias: Option<&'a str>,
    pub(crate) logprobs: Option<&'a str>,
    pub(crate) top_logprobs: Option<&'a str>,
    pub(crate) n: Option<&'a str>,
}

/// Who speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The operator, in the middle of a conversation.
    System,
    User,
    Assistant,
}

#[derive(Debug)]
pub(crate) struct Turn<'a> {
    pub(crate) role: Role,
    pub(crate) blocks: Vec<Block<'a>>,
}

/// A piece of content, and whether the prompt up to its end shall be cached.
#[derive(Debug)]
pub(crate) struct Block<'a> {
    pub(crate) part: Part<'a>,
    pub(crate) cache: Option<&'a str>,
}

impl Block<'_> {
    /// Makes an ordinary text of a refusal.
    pub(crate) fn leave_out_refusal(&mut self, losses: &mut Losses) {
        if let Part::Refusal(text) = &mut self.part {
            losses.add("messages[].refusal");
            self.part = Part::Text(std::mem::take(text));
        }
    }

    /// Takes the detail from images, also from those that a tool gave.
    pub(crate) fn leave_out_detail(&mut self, losses: &mut Losses) {
        match &mut self.part {
            Part::Image(_, detail) => losses.add_if(detail.take().is_some(), "messages[].content[].detail"),
            Part::ToolResult { content, .. } => {
                for block in content {
                    block.leave_out_detail(losses);
                }
            }
            _ => {}
        }
    }
}

#[derive(Debug)]
pub(crate) enum Part<'a> {
    Text(Text<'a>),
    /// What the model said instead of an answer. Writers for other APIs than `OpenAI`'s are given a text in its place.
    Refusal(Text<'a>),
    /// With the detail in which it is to be looked at, where `OpenAI`'s clients said one.
    Image(Source<'a>, Option<Text<'a>>),
    Document {
        source: Source<'a>,
        title: Option<Text<'a>>,
    },
    ToolCall {
        id: Text<'a>,
        name: Text<'a>,
        /// The JSON text of an object.
        input: Cow<'a, str>,
    },
    ToolResult {
        id: Text<'a>,
        content: Vec<Block<'a>>,
        is_error: bool,
    },
    /// Reasoning that may be shown; with a signature it may be sent back.
    Thinking {
        text: Text<'a>,
        signature: Option<Text<'a>>,
    },
    /// Reasoning that only the provider can read.
    Redacted(Text<'a>),
    /// Of a reply: a page that the text before it leans on.
    Citation(Citation<'a>),
}

/// Where the bytes of an image or a document are.
#[derive(Debug)]
pub(crate) enum Source<'a> {
    Base64 { media_type: Text<'a>, data: Text<'a> },
    Url(Text<'a>),
}

#[derive(Debug)]
pub(crate) struct Tool<'a> {
    pub(crate) name: Text<'a>,
    pub(crate) description: Option<Text<'a>>,
    /// JSON Schema; none: the tool takes no arguments.
    pub(crate) schema: Option<Cow<'a, str>>,
    /// Whether a call must be as the schema says, where the client says so.
    pub(crate) strict: Option<bool>,
    /// Whether `OpenAI`'s APIs shall be as strict as they can be with this schema: the client's own takes others, or
    /// leaves it to them.
    pub(crate) strict_if_able: bool,
    pub(crate) cache: Option<&'a str>,
}

impl Tool<'_> {
    /// The schema for dialects that insist on one.
    pub(crate) fn schema_or_empty(&self) -> &str {
        self.schema.as_deref().unwrap_or(r#"{"type":"object","properties":{}}"#)
    }

    /// Whether one of `OpenAI`'s APIs is to be told that a call must be as the schema says.
    pub(crate) fn strict_for(&self, target: &Target<'_>) -> Option<bool> {
        match self.strict {
            // Others who speak the dialect do not all know what nobody asked for.
            None if target.chat_fields != ChatFields::Openai => None,
            _ if self.strict_if_able => Some(self.schema.as_deref().is_some_and(strict::is_strict)),
            strict => strict,
        }
    }
}

#[derive(Debug)]
pub(crate) enum ToolChoice<'a> {
    Auto,
    None,
    /// Some tool must be called.
    Any,
    /// This tool must be called.
    Named(Text<'a>),
}

/// What the text of the reply must be.
#[derive(Debug)]
pub(crate) enum Format<'a> {
    /// Some JSON object.
    Json,
    Schema(Schema<'a>),
}

/// A schema for the text of the reply.
#[derive(Debug)]
pub(crate) struct Schema<'a> {
    pub(crate) json: Cow<'a, str>,
    /// A label.
    pub(crate) name: Option<Text<'a>>,
    /// What the reply is for.
    pub(crate) description: Option<Text<'a>>,
    /// Whether the model is to be held to it, where the client's API leaves that open.
    pub(crate) strict: Option<bool>,
}

impl<'a> Schema<'a> {
    /// One to which the model is held, of a client who can say no more of it.
    pub(crate) const fn bare(json: Cow<'a, str>) -> Self {
        Self { json, name: None, description: None, strict: None }
    }

    /// Writes the members that `OpenAI`'s two APIs have of it. Others hold the model to schemas that these refuse to be
    /// strict about.
    pub(crate) fn members(&self, out: &mut Vec<u8>) {
        out.key("name").text(self.name.as_ref().unwrap_or(&Text::plain("output")));
        if let Some(description) = &self.description {
            out.key("description").text(description);
        }
        let strict = self.strict.unwrap_or_else(|| strict::is_strict(&self.json));
        out.key("strict").raw(if strict { "true" } else { "false" });
        out.key("schema").raw(&self.json);
    }

    /// The schema for an API that takes no description of it.
    pub(crate) fn alone(&self, losses: &mut Losses) -> &str {
        losses.add_if(self.description.is_some(), "response_format.json_schema.description");
        &self.json
    }
}

/// How much the model shall reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reasoning {
    Off,
    /// As the model sees fit, at this effort.
    Effort(Effort),
    /// As the model sees fit.
    Adaptive,
    /// At most so many tokens.
    Budget(u64),
}

/// Whether the client is told what the model thinks, or a summary of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thoughts {
    Told,
    Untold,
}

/// From these budgets on, reasoning counts as of medium and of high effort: about where the vendors' own
/// examples put them.
const BUDGET_MEDIUM: u64 = 4096;
const BUDGET_HIGH: u64 = 16_384;

/// The words that both vendors use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Effort {
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
    Max,
}

impl Effort {
    /// The effort of this name.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "minimal" => Self::Minimal,
            "low" => Self::Low,
            "medium" => Self::Medium,
            "high" => Self::High,
            "xhigh" => Self::XHigh,
            "max" => Self::Max,
            _ => return None,
        })
    }

    /// The effort that comes nearest to this budget of tokens.
    pub(crate) const fn of_budget(tokens: u64) -> Self {
        match tokens {
            ..BUDGET_MEDIUM => Self::Low,
            BUDGET_MEDIUM..BUDGET_HIGH => Self::Medium,
            BUDGET_HIGH.. => Self::High,
        }
    }

    /// Its name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Minimal => "minimal",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::XHigh => "xhigh",
            Self::Max => "max",
        }
    }
}

/// Which capacity serves the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tier {
    /// The provider's choice.
    Auto,
    /// The ordinary one only.
    Standard,
}

/// What a writer of requests is told beside the request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target<'m> {
    /// The model's name at the upstream.
    pub(crate) model: &'m str,
    /// The bound on generated tokens where the client sets none and the dialect insists on one.
    pub(crate) max_tokens_default: u64,
    /// Which members its requests may have.
    pub(crate) chat_fields: ChatFields,
    /// What of them it calls otherwise, or does not know.
    pub(crate) chat_members: &'m ChatMembers,
    /// Where it takes the reasoning of earlier turns back; `None`: nowhere.
    pub(crate) replays_reasoning: Option<ReplayedReasoning>,
    /// Where the upstream's API is served.
    pub(crate) platform: Platform,
    /// Whether to mark what the provider should cache, where the client marks nothing.
    pub(crate) cache_breakpoints: bool,
    /// Whether its tokens are to be counted only.
    pub(crate) counts: bool,
}
