//! Where the requests of a dialect keep what a model reads, and what is added that no text stands for.
//!
//! The numbers are flat: nothing here looks into a picture. Their sources:
//! - `OpenAI`: the cookbook's "How to count tokens with Tiktoken" (3 for a message, 1 for its role, 1 for a name, 3
//!   before the reply); "Images and vision" (85 for low detail, 765 for a picture of 1024 × 1024 at high detail);
//!   "Managing realtime costs" (10 for a second of the caller's voice). A file is a page: its picture and as much
//!   text.
//! - Anthropic: the examples of "Token counting" (4 for a message with its role, 3 before the reply), "Tool use"
//!   (346 for the prompt that comes with tools), "Vision" (1,600 for a picture that is not scaled down), "PDF
//!   support" (1,500 to 3,000 for the text of a page, and its picture).
//! - Google: "Understand and count tokens" (nothing for a message; 258 for a picture or a page, 32 for a second of
//!   sound).
//!
//! A recording has a minute; how long it is stands nowhere in a request.

use crate::surface::Dialect;

/// What a top-level member of a request is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Messages: a list of them, one alone, or the text of one.
    Messages,
    /// What the model is told before them.
    Instruction,
    /// A text, several, or tokens themselves.
    Prompt,
    /// JSON that the model reads, as it is written.
    Definitions,
    /// JSON of which the model reads a schema, where there is one.
    Format,
    /// A request inside the request.
    Request,
}

/// The form of a dialect's requests.
#[derive(Debug)]
pub(super) struct Form {
    pub(super) parts: &'static [(&'static str, Part)],
    pub(super) added: Added,
    /// Whether nothing but the text is what the model reads.
    pub(super) is_plain: bool,
}

/// Tokens that come to those of the text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Added {
    /// Around a message, its role included.
    pub(super) message: u64,
    /// Around what the model is told before them.
    pub(super) instruction: u64,
    /// With the name of a message's author.
    pub(super) name: u64,
    /// Before the reply.
    pub(super) reply: u64,
    /// With tools, however many.
    pub(super) tools: u64,
    pub(super) image: u64,
    /// A picture that the client wants looked at roughly.
    pub(super) image_low: u64,
    pub(super) audio: u64,
    pub(super) file: u64,
}

const OPENAI: Added = Added {
    message: 4,
    instruction: 4,
    name: 1,
    reply: 3,
    tools: 0,
    image: 765,
    image_low: 85,
    audio: 600,
    file: 1530,
};
const ANTHROPIC: Added = Added {
    message: 4,
    instruction: 0,
    name: 0,
    reply: 3,
    tools: 346,
    image: 1600,
    image_low: 1600,
    audio: 600,
    file: 3000,
};
const GOOGLE: Added = Added {
    message: 0,
    instruction: 0,
    name: 0,
    reply: 0,
    tools: 0,
    image: 258,
    image_low: 258,
    audio: 1920,
    file: 258,
};
const PLAIN: Added = Added {
    message: 0,
    instruction: 0,
    name: 0,
    reply: 0,
    tools: 0,
    image: 765,
    image_low: 765,
    audio: 600,
    file: 1530,
};

/// The form of `dialect`.
pub(super) const fn form(dialect: Dialect) -> &'static Form {
    match dialect {
        Dialect::OpenaiChat => &Form {
            parts: &[
                ("messages", Part::Messages),
                ("tools", Part::Definitions),
                ("functions", Part::Definitions),
                ("response_format", Part::Format),
            ],
            added: OPENAI,
            is_plain: false,
        },
        Dialect::OpenaiResponses => &Form {
            parts: &[
                ("input", Part::Messages),
                ("instructions", Part::Instruction),
                ("tools", Part::Definitions),
                ("text", Part::Format),
            ],
            added: OPENAI,
            is_plain: false,
        },
        Dialect::AnthropicMessages => &Form {
            parts: &[
                ("messages", Part::Messages),
                ("system", Part::Instruction),
                ("tools", Part::Definitions),
                ("output_config", Part::Format),
                ("output_format", Part::Format),
            ],
            added: ANTHROPIC,
            is_plain: false,
        },
        Dialect::Gemini => &Form {
            parts: &[
                ("contents", Part::Messages),
                ("systemInstruction", Part::Instruction),
                ("system_instruction", Part::Instruction),
                ("tools", Part::Definitions),
                ("generationConfig", Part::Format),
                ("generation_config", Part::Format),
                ("generateContentRequest", Part::Request),
                ("generate_content_request", Part::Request),
            ],
            added: GOOGLE,
            is_plain: false,
        },
        Dialect::BedrockConverse => &Form {
            parts: &[
                ("messages", Part::Messages),
                ("system", Part::Instruction),
                ("toolConfig", Part::Definitions),
            ],
            added: ANTHROPIC,
            is_plain: false,
        },
        Dialect::CohereChat | Dialect::OllamaChat => &Form {
            parts: &[
                ("messages", Part::Messages),
                ("tools", Part::Definitions),
                ("documents", Part::Definitions),
                ("response_format", Part::Format),
                ("format", Part::Definitions),
            ],
            added: OPENAI,
            is_plain: false,
        },
        Dialect::OpenaiCompletions => &Form {
            parts: &[("prompt", Part::Prompt), ("suffix", Part::Prompt)],
            added: PLAIN,
            is_plain: true,
        },
        Dialect::OpenaiEmbeddings | Dialect::OllamaEmbed => {
            &Form { parts: &[("input", Part::Prompt)], added: PLAIN, is_plain: true }
        }
        Dialect::GeminiEmbedContent => {
            &Form { parts: &[("content", Part::Messages)], added: GOOGLE, is_plain: false }
        }
        Dialect::GeminiBatchEmbedContents => {
            &Form { parts: &[("requests", Part::Messages)], added: GOOGLE, is_plain: false }
        }
        Dialect::CohereEmbed => &Form {
            parts: &[("texts", Part::Prompt), ("inputs", Part::Messages), ("images", Part::Messages)],
            added: PLAIN,
            is_plain: false,
        },
        Dialect::Rerank => &Form {
            parts: &[("query", Part::Prompt), ("documents", Part::Messages)],
            added: PLAIN,
            is_plain: false,
        },
    }
}
