//! Which API a request speaks: method and path → [`Surface`] and [`Operation`].
//!
//! Paths are compared byte for byte after the query is cut off: no decoding, no collapsing of `//`, no dot
//! segments. What is authorised is therefore what is served. The one exception is the id in
//! `/v1/models/{id}`, which is the rest of the path, percent-decoded once (SDKs send `mock%2Fecho`).

use serde::{Deserialize, Serialize};

/// The family of API spoken to the client; decides the shape of errors and model lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surface {
    /// `OpenAI`'s: `{"error":{message,type,param,code}}`.
    OpenAi,
    /// Anthropic's: `{"type":"error","error":{type,message},"request_id"}`.
    Anthropic,
}

/// What the client wants done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /v1/chat/completions`
    ChatCompletions,
    /// `POST /v1/completions`
    Completions,
    /// `POST /v1/responses`
    Responses,
    /// `POST /v1/embeddings`
    Embeddings,
    /// `POST /v1/messages`
    Messages,
    /// `POST /v1/messages/count_tokens`
    CountTokens,
    /// `GET /v1/models`
    ListModels,
    /// `GET /v1/models/{id}`
    ShowModel,
}

impl Operation {
    /// Every operation, in declaration order (the order of per-operation tables).
    pub const ALL: [Self; 8] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Responses,
        Self::Embeddings,
        Self::Messages,
        Self::CountTokens,
        Self::ListModels,
        Self::ShowModel,
    ];

    /// The name used in configuration, logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChatCompletions => "chat_completions",
            Self::Completions => "completions",
            Self::Responses => "responses",
            Self::Embeddings => "embeddings",
            Self::Messages => "messages",
            Self::CountTokens => "count_tokens",
            Self::ListModels => "list_models",
            Self::ShowModel => "show_model",
        }
    }

    /// The wire format of request and reply; `None` for what the gateway answers itself.
    pub const fn dialect(self) -> Option<Dialect> {
        match self {
            Self::ChatCompletions => Some(Dialect::OpenaiChat),
            Self::Completions => Some(Dialect::OpenaiCompletions),
            Self::Responses => Some(Dialect::OpenaiResponses),
            Self::Embeddings => Some(Dialect::OpenaiEmbeddings),
            Self::Messages | Self::CountTokens => Some(Dialect::AnthropicMessages),
            Self::ListModels | Self::ShowModel => None,
        }
    }

    /// The wire format of a generation, which may be said in another one; `None` for everything else.
    pub const fn generation(self) -> Option<Dialect> {
        match self {
            Self::ChatCompletions | Self::Completions | Self::Responses | Self::Messages => self.dialect(),
            Self::Embeddings | Self::CountTokens | Self::ListModels | Self::ShowModel => None,
        }
    }

    /// The method this operation is called with.
    pub const fn method(self) -> &'static str {
        match self {
            Self::ListModels | Self::ShowModel => "GET",
            Self::ChatCompletions
            | Self::Completions
            | Self::Responses
            | Self::Embeddings
            | Self::Messages
            | Self::CountTokens => "POST",
        }
    }
}

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dialect {
    /// `OpenAI` chat completions.
    OpenaiChat,
    /// `OpenAI` text completions.
    OpenaiCompletions,
    /// `OpenAI` responses.
    OpenaiResponses,
    /// `OpenAI` embeddings.
    OpenaiEmbeddings,
    /// Anthropic messages (and its token count).
    AnthropicMessages,
    /// Google's `generateContent` and `streamGenerateContent`.
    Gemini,
}

impl Dialect {
    /// Every dialect, in declaration order.
    pub const ALL: [Self; 6] = [
        Self::OpenaiChat,
        Self::OpenaiCompletions,
        Self::OpenaiResponses,
        Self::OpenaiEmbeddings,
        Self::AnthropicMessages,
        Self::Gemini,
    ];

    /// The name used in configuration, logs, metrics and messages.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OpenaiChat => "openai_chat",
            Self::OpenaiCompletions => "openai_completions",
            Self::OpenaiResponses => "openai_responses",
            Self::OpenaiEmbeddings => "openai_embeddings",
            Self::AnthropicMessages => "anthropic_messages",
            Self::Gemini => "gemini",
        }
    }
}

/// What a path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint<'a> {
    /// An operation of a surface. `model_id` is the undecoded rest of `/v1/models/{id}`.
    Api {
        /// The API family.
        surface: Surface,
        /// The operation.
        operation: Operation,
        /// The undecoded id, for [`Operation::ShowModel`].
        model_id: Option<&'a [u8]>,
    },
    /// `GET /livez` and its alias `/healthz`.
    Livez,
    /// `GET /readyz`.
    Readyz,
    /// A known path called with another method.
    MethodNotAllowed {
        /// The API family, for the error's shape.
        surface: Surface,
        /// The value of `Allow`.
        allow: &'static str,
    },
    /// Nothing here.
    NotFound {
        /// The API family guessed from the prefix, for the error's shape.
        surface: Surface,
    },
}

/// Finds the endpoint for a method and a path (no query). `anthropic_version` says whether the request
/// carries an `anthropic-version` header: `GET /v1/models` then answers in Anthropic's shape.
pub fn endpoint<'a>(method: &[u8], path: &'a [u8], anthropic_version: bool) -> Endpoint<'a> {
    match path {
        b"/livez" | b"/healthz" | b"/readyz" if !matches!(method, b"GET" | b"HEAD") => {
            return Endpoint::MethodNotAllowed { surface: Surface::OpenAi, allow: "GET" };
        }
        b"/livez" | b"/healthz" => return Endpoint::Livez,
        b"/readyz" => return Endpoint::Readyz,
        _ => {}
    }
    let (prefix, rest) = if let Some(rest) = path.strip_prefix(b"/openai") {
        (Some(Surface::OpenAi), rest)
    } else if let Some(rest) = path.strip_prefix(b"/anthropic") {
        (Some(Surface::Anthropic), rest)
    } else {
        (None, path)
    };
    let (versioned, tail) = match rest.strip_prefix(b"/v1") {
        Some(tail) => (true, tail),
        None => (false, rest),
    };
    let by_header = if anthropic_version { Surface::Anthropic } else { Surface::OpenAi };
    let found = match tail {
        b"/chat/completions" => Some((Surface::OpenAi, Operation::ChatCompletions, None)),
        b"/completions" => Some((Surface::OpenAi, Operation::Completions, None)),
        b"/responses" => Some((Surface::OpenAi, Operation::Responses, None)),
        b"/embeddings" => Some((Surface::OpenAi, Operation::Embeddings, None)),
        b"/messages" => Some((Surface::Anthropic, Operation::Messages, None)),
        b"/messages/count_tokens" => Some((Surface::Anthropic, Operation::CountTokens, None)),
        b"/models" => Some((prefix.unwrap_or(by_header), Operation::ListModels, None)),
        _ => match tail.strip_prefix(b"/models/") {
            Some(id) if !id.is_empty() => Some((prefix.unwrap_or(by_header), Operation::ShowModel, Some(id))),
            _ => None,
        },
    };
    let Some((surface, operation, model_id)) = found else {
        let messages = tail.starts_with(b"/messages");
        return Endpoint::NotFound {
            surface: prefix.unwrap_or(if messages { Surface::Anthropic } else { by_header }),
        };
    };
    // A prefix names its API, and only OpenAI's is also served without `/v1`.
    if prefix.is_some_and(|p| p != surface) || (!versioned && surface == Surface::Anthropic) {
        return Endpoint::NotFound { surface: prefix.unwrap_or(surface) };
    }
    if method != operation.method().as_bytes() {
        return Endpoint::MethodNotAllowed { surface, allow: operation.method() };
    }
    Endpoint::Api { surface, operation, model_id }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(method: &str, path: &str, anthropic: bool) -> Option<(Surface, Operation)> {
        match endpoint(method.as_bytes(), path.as_bytes(), anthropic) {
            Endpoint::Api { surface, operation, .. } => Some((surface, operation)),
            _ => None,
        }
    }

    #[test]
    fn every_documented_spelling_reaches_its_operation() {
        for path in ["/v1/chat/completions", "/openai/v1/chat/completions", "/chat/completions"] {
            assert_eq!(api("POST", path, false), Some((Surface::OpenAi, Operation::ChatCompletions)));
        }
        for path in ["/v1/messages", "/anthropic/v1/messages"] {
            assert_eq!(api("POST", path, false), Some((Surface::Anthropic, Operation::Messages)));
        }
        assert_eq!(api("GET", "/v1/models", true), Some((Surface::Anthropic, Operation::ListModels)));
        assert_eq!(api("GET", "/openai/v1/models", true), Some((Surface::OpenAi, Operation::ListModels)));
        assert_eq!(
            api("GET", "/v1/models/mock%2Fecho", false),
            Some((Surface::OpenAi, Operation::ShowModel))
        );
    }

    #[test]
    fn other_spellings_of_a_path_are_not_that_path() {
        for path in [
            "//v1/chat/completions",
            "/v1//chat/completions",
            "/v1/chat%2fcompletions",
            "/v1/../v1/chat/completions",
            "/v1/chat/completions;x",
            "/V1/chat/completions",
            "/v1/chat/completions/",
            "/messages",
            "/openai/v1/messages",
            "/anthropic/v1/chat/completions",
        ] {
            assert!(
                matches!(endpoint(b"POST", path.as_bytes(), false), Endpoint::NotFound { .. }),
                "{path} must not be found"
            );
        }
    }

    #[test]
    fn a_known_path_with_another_method_names_the_right_one() {
        assert_eq!(
            endpoint(b"GET", b"/v1/messages", false),
            Endpoint::MethodNotAllowed { surface: Surface::Anthropic, allow: "POST" }
        );
    }
}
