//! The canonical form of embeddings, used only between two different dialects.
//!
//! As in [`message`](crate::message), a dialect's reader makes it of a body and another's writer makes a body of
//! it, and what cannot be carried over is named or refused. Vectors stay the JSON text they came as, so that no digit
//! is lost; only where a client wants them as base64 are they read.
//!
//! Sources: the API references of the dialects, each in its own file.

mod pair;
mod vector;

pub use crate::dialect::renamed;
pub use pair::{Context, Pair, Translated, between};
pub(crate) use vector::Vector;

use crate::message::read::At;
use crate::message::{Losses, Text, Untranslatable};

/// A request for the vectors of some inputs.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// What each becomes a vector, in order; at least one.
    pub(crate) inputs: Vec<Input<'a>>,
    /// How many numbers a vector shall have.
    pub(crate) dimensions: Option<u64>,
    pub(crate) task: Option<Task>,
    pub(crate) too_long: TooLong,
    /// An opaque name of the end user.
    pub(crate) user: Option<Text<'a>>,
    pub(crate) encoding: Encoding,
}

#[derive(Debug)]
pub(crate) struct Input<'a> {
    pub(crate) title: Option<Text<'a>>,
    pub(crate) content: Content<'a>,
}

#[derive(Debug)]
pub(crate) enum Content<'a> {
    Text(Text<'a>),
    /// Of one vector together.
    Parts(Vec<Part<'a>>),
    /// Ids that only the tokenizer of their model can read.
    Tokens,
}

#[derive(Debug)]
pub(crate) enum Part<'a> {
    Text(Text<'a>),
    /// As base64, in either alphabet.
    Image {
        media_type: Text<'a>,
        data: Text<'a>,
    },
}

/// What the vectors are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    Query,
    Document,
    Similarity,
    Classification,
    Clustering,
    Question,
    FactCheck,
    CodeQuery,
}

/// What becomes of an input that is longer than the model can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TooLong {
    /// The client does not say. `refused`: its API refuses it by itself.
    Unsaid {
        refused: bool,
    },
    Said {
        cut: bool,
    },
}

impl TooLong {
    /// Whether it shall be cut, as far as the client says so.
    pub(crate) const fn said(self) -> Option<bool> {
        match self {
            Self::Unsaid { .. } => None,
            Self::Said { cut } => Some(cut),
        }
    }

    /// Whether it shall be cut; `None`: as the provider does it.
    pub(crate) const fn cut(self) -> Option<bool> {
        match self {
            Self::Unsaid { refused: true } => Some(false),
            Self::Unsaid { refused: false } => None,
            Self::Said { cut } => Some(cut),
        }
    }
}

/// How the client wants its vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// Arrays of numbers.
    Numbers,
    /// Base64 of numbers in single precision, the lowest byte first.
    Base64,
}

/// The vectors.
#[derive(Debug)]
pub(crate) struct Reply<'a> {
    /// The model that made them, as its provider calls it.
    pub(crate) model: Option<Text<'a>>,
    /// In the order of the inputs.
    pub(crate) vectors: Vec<Vector<'a>>,
    /// Tokens of all inputs, where the provider counts them.
    pub(crate) input_tokens: Option<u64>,
}

impl Input<'_> {
    /// The input as one text, for dialects that embed nothing else: parts become lines of it.
    pub(crate) fn text(&self, losses: &mut Losses) -> Result<Text<'_>, Untranslatable> {
        let at = At::ROOT.member("input");
        match &self.content {
            Content::Text(text) => Ok(text.borrowed()),
            Content::Parts(parts) => {
                losses.add("input[].parts");
                let mut lines = String::new();
                for part in parts {
                    let Part::Text(text) = part else {
                        return Err(at.error(
                            "holds an image, and the provider's API embeds texts only. hint: leave it out",
                        ));
                    };
                    if !lines.is_empty() {
                        lines.push_str("\\n");
                    }
                    lines.push_str(text.raw());
                }
                Ok(Text::escaped(lines))
            }
            Content::Tokens => Err(at.tokens()),
        }
    }
}

impl At<'_> {
    /// That token ids stand here.
    pub(crate) fn tokens(&self) -> Untranslatable {
        self.error(
            "holds ids of tokens, which only the tokenizer of their own model can read. hint: send the text",
        )
    }
}
