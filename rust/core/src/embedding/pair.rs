//! Requests and replies for embeddings, between two dialects.
//!
//! Invariants: as many vectors come back as inputs were sent, in their order; the same input gives the same bytes.
//!
//! ```
//! use llm_edge_core::dialect::Dialect;
//! use llm_edge_core::embedding::between;
//!
//! let pair = between(Dialect::OpenaiEmbeddings, Dialect::OllamaEmbed).expect("both have codecs");
//! let mut upstream = Vec::new();
//! let body = br#"{"model":"e","input":"Hi","user":"u"}"#;
//! let translated = pair.request(body, "nomic", &mut upstream).expect("it can be carried over");
//! assert_eq!(translated.losses.to_string(), "user");
//! assert_eq!(upstream, br#"{"model":"nomic","input":["Hi"],"truncate":false}"#);
//! let mut reply = Vec::new();
//! let vectors = br#"{"model":"nomic","embeddings":[[0.5,-1]],"prompt_eval_count":1}"#;
//! pair.reply(&translated.context, vectors, &mut reply).expect("it is a reply");
//! assert!(reply.starts_with(br#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[0.5,-1]}]"#));
//! ```

use std::fmt::{self, Debug, Formatter};

use super::{Encoding, Vector};
use crate::dialect::{Dialect, EmbeddingClient, EmbeddingUpstream, embedding_codec};
use crate::message::{Fault, Losses, Malformed, Untranslatable};
use crate::tap::Usage;
use crate::translate::{Replied, in_words};

/// What the translation of a reply needs of its request.
#[derive(Clone, Debug)]
pub struct Context {
    /// The model as the client called it, for replies that do not name theirs.
    pub model: String,
    /// How many inputs it has.
    inputs: usize,
    encoding: Encoding,
}

/// A request in the upstream's dialect was written.
#[derive(Debug)]
pub struct Translated {
    /// What of it could not be carried over.
    pub losses: Losses,
    /// For its reply.
    pub context: Context,
}

/// Two dialects of embeddings between which can be translated.
#[derive(Clone, Copy)]
pub struct Pair {
    surface: &'static EmbeddingClient,
    target: &'static EmbeddingUpstream,
}

/// Whether requests for embeddings in `surface` can be sent to an upstream that speaks `target`: `None` where one of
/// them has no embeddings or no client speaks the first, and where they are the same.
pub fn between(surface: Dialect, target: Dialect) -> Option<Pair> {
    if surface == target {
        return None;
    }
    Some(Pair {
        surface: embedding_codec(surface)?.client.as_ref()?,
        target: &embedding_codec(target)?.upstream,
    })
}

impl Pair {
    /// Appends the upstream's request body for the client's `body`, asking for `model`.
    ///
    /// # Errors
    /// [`Untranslatable`] with the path of what is at fault; nothing is appended then.
    pub fn request(self, body: &[u8], model: &str, out: &mut Vec<u8>) -> Result<Translated, Untranslatable> {
        let start = out.len();
        let translated = self.written(body, model, out);
        if translated.is_err() {
            out.truncate(start);
        }
        translated
    }

    fn written(self, body: &[u8], model: &str, out: &mut Vec<u8>) -> Result<Translated, Untranslatable> {
        let body = std::str::from_utf8(body).map_err(|error| Untranslatable {
            path: String::new(),
            message: format!("the body is not UTF-8 at byte {}", error.valid_up_to()),
        })?;
        let mut losses = Losses::default();
        let request = (self.surface.read_request)(body, &mut losses)?;
        // Little is added.
        out.reserve(body.len() + body.len() / 8);
        let mut unwritten = Losses::default();
        let written = (self.target.write_request)(&request, model, &mut unwritten, out);
        written.map_err(|fault| in_words(fault, self.surface.words))?;
        losses.append(unwritten, self.surface.words);
        let context =
            Context { model: model.to_owned(), inputs: request.inputs.len(), encoding: request.encoding };
        Ok(Translated { losses, context })
    }

    /// Appends a reply (status 2xx) in the surface's dialect.
    ///
    /// # Errors
    /// [`Malformed`] where the upstream's is not what its dialect says, or has not one vector for each input;
    /// nothing is appended then.
    pub fn reply(self, context: &Context, body: &[u8], out: &mut Vec<u8>) -> Result<Replied, Malformed> {
        let body = std::str::from_utf8(body).map_err(|_| Malformed::new("the reply is not UTF-8"))?;
        let mut losses = Losses::default();
        let mut reply = (self.target.read_reply)(body, &mut losses)?;
        let (got, asked) = (reply.vectors.len(), context.inputs);
        if got != asked {
            return Err(Malformed::new(format!("the reply holds {got} embeddings for {asked} inputs")));
        }
        if context.encoding == Encoding::Base64 {
            let too_large = || Malformed::new("a number of an embedding does not fit single precision");
            let packed: Option<_> = reply.vectors.iter().map(Vector::packed).collect();
            reply.vectors = packed.ok_or_else(too_large)?;
        }
        out.reserve(body.len() + body.len() / 8);
        (self.surface.write_reply)(&reply, &context.model, out);
        let usage = Usage { input_tokens: reply.input_tokens.unwrap_or_default(), ..Usage::default() };
        Ok(Replied { losses, usage })
    }

    /// Appends an error body (status 400 and up) in the surface's shape, with what the upstream said.
    pub fn error(self, status: u16, body: &[u8], request_id: &str, out: &mut Vec<u8>) {
        (self.surface.write_error)(&Fault::of_body(body), Some(status), request_id, out);
    }
}

impl Debug for Pair {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pair").finish_non_exhaustive()
    }
}
