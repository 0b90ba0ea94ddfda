//! Which API a request speaks: method and path → [`Surface`] and [`Operation`].
//!
//! Paths are compared byte for byte after the query is cut off: no decoding, no collapsing of `//`, no dot
//! segments. What is authorised is therefore what is served. The one exception is the model in
//! `/v1/models/{id}`, `/v1beta/models/{id}:{method}` and `/openai/deployments/{id}/…`, which is percent-decoded once
//! (SDKs send `mock%2Fecho`).

use serde::{Deserialize, Serialize};

/// The family of API spoken to the client; decides the shape of errors and model lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Surface {
    /// `OpenAI`'s: `{"error":{message,type,param,code}}`.
    OpenAi,
    /// Anthropic's: `{"type":"error","error":{type,message},"request_id"}`.
    Anthropic,
    /// Google's: `{"error":{code,message,status,details}}`.
    Gemini,
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
    /// `POST /v1beta/models/{id}:generateContent`
    GenerateContent,
    /// `POST /v1beta/models/{id}:streamGenerateContent`
    StreamGenerateContent,
    /// `POST /v1beta/models/{id}:countTokens`
    GeminiCountTokens,
    /// Bedrock's `POST /model/{id}/converse`; asked of upstreams only.
    Converse,
    /// Bedrock's `POST /model/{id}/converse-stream`; asked of upstreams only.
    ConverseStream,
    /// Cohere's `POST /v2/chat`; asked of upstreams only.
    CohereChat,
    /// Ollama's `POST /api/chat`; asked of upstreams only.
    OllamaChat,
    /// `POST /v1/responses/input_tokens`
    InputTokens,
    /// Bedrock's `POST /model/{id}/count-tokens`; asked of upstreams only.
    BedrockCountTokens,
    /// `POST /v1/responses/compact`
    CompactResponse,
    /// `GET` and `DELETE /v1/responses/{id}`, `GET …/input_items`, `POST …/cancel`
    StoredResponse,
    /// Whatever else is below `/v1` of `OpenAI`'s API, where a route lets it through.
    OpenaiPassThrough,
    /// The same of Anthropic's.
    AnthropicPassThrough,
    /// The same of Google's, below `/v1beta`.
    GeminiPassThrough,
    /// `POST /v1beta/models/{id}:embedContent`
    EmbedContent,
    /// `POST /v1beta/models/{id}:batchEmbedContents`
    BatchEmbedContents,
    /// Cohere's `POST /v2/embed`; asked of upstreams only.
    CohereEmbed,
    /// Ollama's `POST /api/embed`; asked of upstreams only.
    OllamaEmbed,
    /// `POST /v1/rerank`, `POST /v2/rerank`
    Rerank,
}

impl Operation {
    /// Every operation, in declaration order (the order of per-operation tables).
    pub const ALL: [Self; 27] = [
        Self::ChatCompletions,
        Self::Completions,
        Self::Responses,
        Self::Embeddings,
        Self::Messages,
        Self::CountTokens,
        Self::ListModels,
        Self::ShowModel,
        Self::GenerateContent,
        Self::StreamGenerateContent,
        Self::GeminiCountTokens,
        Self::Converse,
        Self::ConverseStream,
        Self::CohereChat,
        Self::OllamaChat,
        Self::InputTokens,
        Self::BedrockCountTokens,
        Self::CompactResponse,
        Self::StoredResponse,
        Self::OpenaiPassThrough,
        Self::AnthropicPassThrough,
        Self::GeminiPassThrough,
        Self::EmbedContent,
        Self::BatchEmbedContents,
        Self::CohereEmbed,
        Self::OllamaEmbed,
        Self::Rerank,
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
            Self::GenerateContent => "generate_content",
            Self::StreamGenerateContent => "stream_generate_content",
            Self::GeminiCountTokens => "gemini_count_tokens",
            Self::Converse => "converse",
            Self::ConverseStream => "converse_stream",
            Self::CohereChat => "cohere_chat",
            Self::OllamaChat => "ollama_chat",
            Self::InputTokens => "input_tokens",
            Self::BedrockCountTokens => "bedrock_count_tokens",
            Self::CompactResponse => "compact_response",
            Self::StoredResponse => "stored_response",
            Self::OpenaiPassThrough => "openai_pass_through",
            Self::AnthropicPassThrough => "anthropic_pass_through",
            Self::GeminiPassThrough => "gemini_pass_through",
            Self::EmbedContent => "embed_content",
            Self::BatchEmbedContents => "batch_embed_contents",
            Self::CohereEmbed => "cohere_embed",
            Self::OllamaEmbed => "ollama_embed",
            Self::Rerank => "rerank",
        }
    }

    /// What a path of this API is that no other operation names.
    pub const fn pass_through(surface: Surface) -> Self {
        match surface {
            Surface::OpenAi => Self::OpenaiPassThrough,
            Surface::Anthropic => Self::AnthropicPassThrough,
            Surface::Gemini => Self::GeminiPassThrough,
        }
    }

    /// The wire format of request and reply; `None` for what the gateway answers itself, and for what it passes
    /// on without reading it.
    pub const fn dialect(self) -> Option<Dialect> {
        match self {
            Self::ChatCompletions => Some(Dialect::OpenaiChat),
            Self::Completions => Some(Dialect::OpenaiCompletions),
            Self::Responses | Self::InputTokens | Self::CompactResponse => Some(Dialect::OpenaiResponses),
            Self::Embeddings => Some(Dialect::OpenaiEmbeddings),
            Self::Messages | Self::CountTokens => Some(Dialect::AnthropicMessages),
            Self::GenerateContent | Self::StreamGenerateContent | Self::GeminiCountTokens => {
                Some(Dialect::Gemini)
            }
            Self::Converse | Self::ConverseStream | Self::BedrockCountTokens => {
                Some(Dialect::BedrockConverse)
            }
            Self::CohereChat => Some(Dialect::CohereChat),
            Self::OllamaChat => Some(Dialect::OllamaChat),
            Self::EmbedContent => Some(Dialect::GeminiEmbedContent),
            Self::BatchEmbedContents => Some(Dialect::GeminiBatchEmbedContents),
            Self::CohereEmbed => Some(Dialect::CohereEmbed),
            Self::OllamaEmbed => Some(Dialect::OllamaEmbed),
            Self::Rerank => Some(Dialect::Rerank),
            Self::ListModels
            | Self::ShowModel
            | Self::StoredResponse
            | Self::OpenaiPassThrough
            | Self::AnthropicPassThrough
            | Self::GeminiPassThrough => None,
        }
    }

    /// Whether the gateway has the answer itself.
    pub const fn is_answered_here(self) -> bool {
        matches!(self, Self::ListModels | Self::ShowModel)
    }

    /// Whether the end of its path is the client's, and any of several methods calls it.
    pub const fn keeps_path(self) -> bool {
        self.dialect().is_none() && !self.is_answered_here()
    }

    /// The wire format of a generation, which may be said in another one; `None` for everything else.
    pub const fn generation(self) -> Option<Dialect> {
        match self {
            Self::ChatCompletions
            | Self::Completions
            | Self::Responses
            | Self::Messages
            | Self::GenerateContent
            | Self::StreamGenerateContent
            | Self::Converse
            | Self::ConverseStream
            | Self::CohereChat
            | Self::OllamaChat => self.dialect(),
            _ => None,
        }
    }

    /// The wire format of a question how many tokens a request has, which may be asked in another one; `None` for
    /// everything else.
    pub const fn count(self) -> Option<Dialect> {
        match self {
            Self::CountTokens | Self::GeminiCountTokens | Self::InputTokens | Self::BedrockCountTokens => {
                self.dialect()
            }
            _ => None,
        }
    }

    /// The wire format of embeddings, which may be said in another one; `None` for everything else.
    pub const fn embedding(self) -> Option<Dialect> {
        match self {
            Self::Embeddings
            | Self::EmbedContent
            | Self::BatchEmbedContents
            | Self::CohereEmbed
            | Self::OllamaEmbed => self.dialect(),
            _ => None,
        }
    }

    /// Whether the operation itself says that the reply is a stream, or is none; `None` where a member of the
    /// body does.
    pub const fn streams(self) -> Option<bool> {
        match self {
            Self::StreamGenerateContent | Self::ConverseStream => Some(true),
            Self::GenerateContent | Self::Converse => Some(false),
            _ => None,
        }
    }

    /// What the query must say for a stream to come as events.
    pub const fn events_query(self) -> &'static str {
        match self {
            Self::StreamGenerateContent => "alt=sse",
            _ => "",
        }
    }

    /// Whether the model is named in the path, not in the body.
    pub const fn names_model_in_path(self) -> bool {
        matches!(self, Self::GenerateContent | Self::StreamGenerateContent | Self::GeminiCountTokens)
            || self.repeats_model()
    }

    /// Whether the body names the model of the path once more.
    pub const fn repeats_model(self) -> bool {
        matches!(self, Self::EmbedContent | Self::BatchEmbedContents)
    }

    /// The method this operation is called with, where it is one.
    pub const fn method(self) -> &'static str {
        match self {
            Self::ListModels | Self::ShowModel => "GET",
            _ => "POST",
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
    /// Amazon Bedrock's Converse.
    BedrockConverse,
    /// Cohere chat, version 2.
    CohereChat,
    /// Ollama's own chat.
    OllamaChat,
    /// Google's `embedContent`.
    GeminiEmbedContent,
    /// Google's `batchEmbedContents`.
    GeminiBatchEmbedContents,
    /// Cohere embeddings, version 2.
    CohereEmbed,
    /// Ollama's own embeddings.
    OllamaEmbed,
    /// The ranking of documents as Cohere has it, and others after it.
    Rerank,
}

impl Dialect {
    /// Every dialect, in declaration order.
    pub const ALL: [Self; 14] = [
        Self::OpenaiChat,
        Self::OpenaiCompletions,
        Self::OpenaiResponses,
        Self::OpenaiEmbeddings,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::BedrockConverse,
        Self::CohereChat,
        Self::OllamaChat,
        Self::GeminiEmbedContent,
        Self::GeminiBatchEmbedContents,
        Self::CohereEmbed,
        Self::OllamaEmbed,
        Self::Rerank,
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
            Self::BedrockConverse => "bedrock_converse",
            Self::CohereChat => "cohere_chat",
            Self::OllamaChat => "ollama_chat",
            Self::GeminiEmbedContent => "gemini_embed_content",
            Self::GeminiBatchEmbedContents => "gemini_batch_embed_contents",
            Self::CohereEmbed => "cohere_embed",
            Self::OllamaEmbed => "ollama_embed",
            Self::Rerank => "rerank",
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
        /// The undecoded name of the model, or of what else is asked for, where the path holds one.
        model_id: Option<&'a [u8]>,
    },
    /// `GET /livez` and its alias `/healthz`.
    Livez,
    /// `GET /readyz`.
    Readyz,
    /// A path below an API's version that no operation names; a route may let it through.
    Other {
        /// The API family.
        surface: Surface,
        /// What follows `/v1/`; see [`is_plain_path`].
        rest: &'a [u8],
    },
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

/// Finds the endpoint for a method and a path (no query). `by_header` tells the API family by the
/// request's fields: `GET /v1/models`, which all of them have, is answered in its shape.
pub fn endpoint<'a>(method: &[u8], path: &'a [u8], by_header: impl Fn() -> Surface + Copy) -> Endpoint<'a> {
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
    if prefix == Some(Surface::OpenAi)
        && let Some(endpoint) = deployment(method, rest)
    {
        return endpoint;
    }
    let (versioned, tail) = match rest.strip_prefix(b"/v1") {
        Some(tail) => (true, tail),
        None => (false, rest),
    };
    let found = match tail {
        b"/chat/completions" => Some((Surface::OpenAi, Operation::ChatCompletions, None)),
        b"/completions" => Some((Surface::OpenAi, Operation::Completions, None)),
        b"/responses" => Some((Surface::OpenAi, Operation::Responses, None)),
        b"/embeddings" => Some((Surface::OpenAi, Operation::Embeddings, None)),
        b"/responses/input_tokens" => Some((Surface::OpenAi, Operation::InputTokens, None)),
        b"/responses/compact" => Some((Surface::OpenAi, Operation::CompactResponse, None)),
        b"/rerank" => Some((Surface::OpenAi, Operation::Rerank, None)),
        // Where Cohere has it, whose clients put the version into the path themselves.
        b"/v2/rerank" if prefix.is_none() && !versioned => Some((Surface::OpenAi, Operation::Rerank, None)),
        b"/messages" => Some((Surface::Anthropic, Operation::Messages, None)),
        b"/messages/count_tokens" => Some((Surface::Anthropic, Operation::CountTokens, None)),
        b"/models" => Some((prefix.unwrap_or_else(by_header), Operation::ListModels, None)),
        _ if prefix.is_none()
            && let Some(endpoint) = gemini(method, path) =>
        {
            return endpoint;
        }
        _ => match tail.strip_prefix(b"/models/") {
            Some(id) if !id.is_empty() => {
                Some((prefix.unwrap_or_else(by_header), Operation::ShowModel, Some(id)))
            }
            _ => None,
        },
    };
    let Some((surface, operation, model_id)) = found else {
        let told = || if tail.starts_with(b"/messages") { Surface::Anthropic } else { by_header() };
        let surface = prefix.unwrap_or_else(told);
        return match tail.strip_prefix(b"/responses/") {
            Some(stored) if surface == Surface::OpenAi => stored_response(method, stored),
            _ if versioned || (surface == Surface::OpenAi && is_known_family(tail)) => other(surface, tail),
            _ => Endpoint::NotFound { surface },
        };
    };
    // A prefix names its API, and only OpenAI's is also served without `/v1`.
    if prefix.is_some_and(|p| p != surface) || (!versioned && surface != Surface::OpenAi) {
        return Endpoint::NotFound { surface: prefix.unwrap_or(surface) };
    }
    called(method, surface, operation, model_id)
}

fn called<'a>(
    method: &[u8],
    surface: Surface,
    operation: Operation,
    model_id: Option<&'a [u8]>,
) -> Endpoint<'a> {
    if method == operation.method().as_bytes() {
        Endpoint::Api { surface, operation, model_id }
    } else {
        Endpoint::MethodNotAllowed { surface, allow: operation.method() }
    }
}

/// The endpoint of a path that only Azure has, `rest` being what follows `/openai`: a deployment is a model. Source:
/// "Azure OpenAI REST API reference", data plane.
fn deployment<'a>(method: &[u8], rest: &'a [u8]) -> Option<Endpoint<'a>> {
    const METHODS: [(&[u8], Operation); 3] = [
        (b"/chat/completions", Operation::ChatCompletions),
        (b"/completions", Operation::Completions),
        (b"/embeddings", Operation::Embeddings),
    ];
    let surface = Surface::OpenAi;
    let tail = rest.strip_prefix(b"/deployments/")?;
    let found = METHODS.iter().find_map(|(end, operation)| Some((tail.strip_suffix(*end)?, *operation)));
    Some(match found {
        Some((id, operation)) if !id.is_empty() => called(method, surface, operation, Some(id)),
        _ => Endpoint::NotFound { surface },
    })
}

/// The endpoint for what follows `/v1/responses/`. Source: `OpenAI` API reference, "Responses".
fn stored_response<'a>(method: &[u8], rest: &'a [u8]) -> Endpoint<'a> {
    let surface = Surface::OpenAi;
    let end = memchr::memchr(b'/', rest).unwrap_or(rest.len());
    let (id, what) = rest.split_at(end);
    let allow = match what {
        b"" => "GET, DELETE",
        b"/input_items" => "GET",
        b"/cancel" => "POST",
        _ => return Endpoint::NotFound { surface },
    };
    if !is_plain_path(id) {
        return Endpoint::NotFound { surface };
    }
    if allow.as_bytes().split(|b| b", ".contains(b)).any(|allowed| !allowed.is_empty() && allowed == method) {
        Endpoint::Api { surface, operation: Operation::StoredResponse, model_id: Some(rest) }
    } else {
        Endpoint::MethodNotAllowed { surface, allow }
    }
}

/// Whether what has no version is one of the families of paths that `OpenAI`'s clients are known to leave it out of.
fn is_known_family(tail: &[u8]) -> bool {
    const FAMILIES: [&[u8]; 6] = [b"audio", b"batches", b"files", b"images", b"moderations", b"uploads"];
    let family = tail.split(|b| *b == b'/').nth(1).unwrap_or_default();
    FAMILIES.contains(&family)
}

/// The endpoint for a path that is not known here, `tail` being what follows the version.
fn other(surface: Surface, tail: &[u8]) -> Endpoint<'_> {
    match tail.strip_prefix(b"/") {
        // Below this are models, and a route is found by a model's name.
        Some(rest) if is_plain_path(rest) && !rest.starts_with(b"models/") => {
            Endpoint::Other { surface, rest }
        }
        _ => Endpoint::NotFound { surface },
    }
}

/// Whether a path means the same to everybody who reads it: no segment is empty, `.` or `..`, and nothing in it is
/// percent-encoded, so that nothing can be decoded into such a one.
pub fn is_plain_path(path: &[u8]) -> bool {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~:@+,=".contains(b);
    path.split(|b| *b == b'/')
        .all(|segment| !matches!(segment, b"" | b"." | b"..") && segment.iter().all(plain))
}

/// The endpoint of Google's API. `/v1beta` and the prefix `/genai` are its own, `/v1` is `OpenAI`'s too and
/// Google's where a method is called. Source: Gemini API reference, "All methods".
fn gemini<'a>(method: &[u8], path: &'a [u8]) -> Option<Endpoint<'a>> {
    const METHODS: [(&[u8], Operation); 5] = [
        (b":generateContent", Operation::GenerateContent),
        (b":streamGenerateContent", Operation::StreamGenerateContent),
        (b":countTokens", Operation::GeminiCountTokens),
        (b":embedContent", Operation::EmbedContent),
        (b":batchEmbedContents", Operation::BatchEmbedContents),
    ];
    let surface = Surface::Gemini;
    let rest = path.strip_prefix(b"/genai").unwrap_or(path);
    let beta = rest.strip_prefix(b"/v1beta");
    let own = beta.is_some() || rest.len() < path.len();
    let tail = beta.or_else(|| rest.strip_prefix(b"/v1")).unwrap_or_default();
    let id = tail.strip_prefix(b"/models/").filter(|id| !id.is_empty());
    let operation =
        id.and_then(|id| METHODS.iter().find_map(|(name, op)| Some((id.strip_suffix(*name)?, *op))));
    Some(match (operation, id) {
        (Some(([], _)), _) => Endpoint::NotFound { surface },
        (Some((id, operation)), _) => called(method, surface, operation, Some(id)),
        _ if !own => return None,
        (None, Some(id)) if method == b"GET" || memchr::memchr(b':', id).is_none() => {
            called(method, surface, Operation::ShowModel, Some(id))
        }
        (None, None) if tail == b"/models" => called(method, surface, Operation::ListModels, None),
        (None, _) => other(surface, tail),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(method: &str, path: &str, by_header: Surface) -> Option<(Surface, Operation)> {
        match endpoint(method.as_bytes(), path.as_bytes(), || by_header) {
            Endpoint::Api { surface, operation, .. } => Some((surface, operation)),
            _ => None,
        }
    }

    #[test]
    fn every_documented_spelling_reaches_its_operation() {
        for path in ["/v1/chat/completions", "/openai/v1/chat/completions", "/chat/completions"] {
            assert_eq!(
                api("POST", path, Surface::OpenAi),
                Some((Surface::OpenAi, Operation::ChatCompletions))
            );
        }
        for path in ["/v1/rerank", "/v2/rerank", "/rerank", "/openai/v1/rerank"] {
            assert_eq!(api("POST", path, Surface::OpenAi), Some((Surface::OpenAi, Operation::Rerank)));
        }
        for path in ["/v1/messages", "/anthropic/v1/messages"] {
            assert_eq!(api("POST", path, Surface::OpenAi), Some((Surface::Anthropic, Operation::Messages)));
        }
        assert_eq!(
            api("GET", "/v1/models", Surface::Anthropic),
            Some((Surface::Anthropic, Operation::ListModels))
        );
        assert_eq!(
            api("GET", "/openai/v1/models", Surface::Anthropic),
            Some((Surface::OpenAi, Operation::ListModels))
        );
        assert_eq!(api("GET", "/v1/models", Surface::Gemini), Some((Surface::Gemini, Operation::ListModels)));
        assert_eq!(
            api("GET", "/v1/models/mock%2Fecho", Surface::OpenAi),
            Some((Surface::OpenAi, Operation::ShowModel))
        );
    }

    #[test]
    fn a_deployment_of_azures_is_a_model() {
        let found = |path: &'static str| match endpoint(b"POST", path.as_bytes(), || Surface::Anthropic) {
            Endpoint::Api { surface: Surface::OpenAi, operation, model_id } => {
                Some((operation, std::str::from_utf8(model_id.unwrap_or_default()).unwrap()))
            }
            _ => None,
        };
        for (path, operation, id) in [
            ("/openai/deployments/d/chat/completions", Operation::ChatCompletions, "d"),
            ("/openai/deployments/a%2Fb/completions", Operation::Completions, "a%2Fb"),
            ("/openai/deployments/a/b/embeddings", Operation::Embeddings, "a/b"),
            ("/openai/deployments/chat/completions", Operation::Completions, "chat"),
        ] {
            assert_eq!(found(path), Some((operation, id)), "{path}");
        }
        for path in [
            "/openai/deployments//chat/completions",
            "/openai/deployments/chat/completions/",
            "/openai/deployments/d/images/generations",
            "/openai/deployments/embeddings",
            "/openai/v1/deployments/d/embeddings",
            "/deployments/d/embeddings",
        ] {
            assert_eq!(found(path), None, "{path}");
        }
    }

    #[test]
    fn googles_methods_are_called_on_a_model_in_the_path() {
        let by_header = || Surface::OpenAi;
        let found = |method: &str, path: &'static str| match endpoint(
            method.as_bytes(),
            path.as_bytes(),
            by_header,
        ) {
            Endpoint::Api { surface: Surface::Gemini, operation, model_id } => {
                Some((operation, model_id.map_or("", |id| std::str::from_utf8(id).unwrap())))
            }
            _ => None,
        };
        for (method, path, operation, id) in [
            ("POST", "/v1beta/models/g-2:generateContent", Operation::GenerateContent, "g-2"),
            ("POST", "/v1/models/g-2:generateContent", Operation::GenerateContent, "g-2"),
            ("POST", "/genai/v1beta/models/a/b:generateContent", Operation::GenerateContent, "a/b"),
            ("POST", "/genai/v1/models/a:8b:streamGenerateContent", Operation::StreamGenerateContent, "a:8b"),
            ("POST", "/v1beta/models/a%2Fb:countTokens", Operation::GeminiCountTokens, "a%2Fb"),
            ("POST", "/v1/models/e-1:embedContent", Operation::EmbedContent, "e-1"),
            ("POST", "/genai/v1beta/models/a/b:batchEmbedContents", Operation::BatchEmbedContents, "a/b"),
            ("GET", "/v1beta/models", Operation::ListModels, ""),
            ("GET", "/genai/v1/models", Operation::ListModels, ""),
            ("GET", "/v1beta/models/a:8b", Operation::ShowModel, "a:8b"),
        ] {
            assert_eq!(found(method, path), Some((operation, id)), "{path}");
        }
        for path in [
            "/v1beta/models/:generateContent",
            "/v1beta/models/g:predict",
            "/genai/v1beta/models/",
            "/genai/models/g:generateContent",
            "/genai",
        ] {
            let found = endpoint(b"POST", path.as_bytes(), || Surface::OpenAi);
            assert_eq!(found, Endpoint::NotFound { surface: Surface::Gemini }, "{path}");
        }
        let get = endpoint(b"GET", b"/v1beta/models/g:generateContent", || Surface::OpenAi);
        assert_eq!(get, Endpoint::MethodNotAllowed { surface: Surface::Gemini, allow: "POST" });
        assert_eq!(
            api("GET", "/v1/models/g:8b", Surface::OpenAi),
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
            "/v1/v2/rerank",
            "/openai/v2/rerank",
            "/anthropic/v1/rerank",
            "/v2/embeddings",
        ] {
            assert!(
                !matches!(endpoint(b"POST", path.as_bytes(), || Surface::OpenAi), Endpoint::Api { .. }),
                "{path} must not be found"
            );
        }
    }

    #[test]
    fn what_no_operation_names_is_found_by_its_api_and_path() {
        let found = |method: &str, path: &'static str, by_header: Surface| match endpoint(
            method.as_bytes(),
            path.as_bytes(),
            || by_header,
        ) {
            Endpoint::Other { surface, rest } => Some((surface, std::str::from_utf8(rest).unwrap())),
            _ => None,
        };
        for (path, by_header, surface, rest) in [
            ("/v1/files", Surface::OpenAi, Surface::OpenAi, "files"),
            ("/files/a-1", Surface::OpenAi, Surface::OpenAi, "files/a-1"),
            ("/openai/v1/images/edits", Surface::Anthropic, Surface::OpenAi, "images/edits"),
            ("/v1/files", Surface::Anthropic, Surface::Anthropic, "files"),
            ("/v1/messages/batches", Surface::OpenAi, Surface::Anthropic, "messages/batches"),
            ("/anthropic/v1/files", Surface::OpenAi, Surface::Anthropic, "files"),
            ("/v1beta/cachedContents", Surface::OpenAi, Surface::Gemini, "cachedContents"),
            ("/genai/v1/files/x", Surface::OpenAi, Surface::Gemini, "files/x"),
        ] {
            assert_eq!(found("GET", path, by_header), Some((surface, rest)), "{path}");
        }
        for path in [
            "/anthropic/files",
            "/v1beta/models/g:predict",
            "/v1/models/",
            "/v1/files/",
            "/v1/a%20b",
            "/",
            "/V1/files",
            "/x",
        ] {
            assert_eq!(found("GET", path, Surface::OpenAi), None, "{path}");
        }
    }

    #[test]
    fn a_kept_response_is_asked_for_by_its_id() {
        for (method, path) in [
            ("GET", "/v1/responses/r-1"),
            ("DELETE", "/openai/v1/responses/r-1"),
            ("POST", "/responses/r-1/cancel"),
            ("GET", "/v1/responses/r-1/input_items"),
        ] {
            let stored = Some((Surface::OpenAi, Operation::StoredResponse));
            assert_eq!(api(method, path, Surface::OpenAi), stored, "{path}");
        }
        assert_eq!(
            api("POST", "/v1/responses/compact", Surface::OpenAi),
            Some((Surface::OpenAi, Operation::CompactResponse))
        );
        for path in ["/v1/responses/", "/v1/responses/..", "/v1/responses/a/b", "/anthropic/v1/responses/a"] {
            assert_eq!(api("GET", path, Surface::OpenAi), None, "{path}");
        }
    }

    #[test]
    fn a_known_path_with_another_method_names_the_right_one() {
        assert_eq!(
            endpoint(b"GET", b"/v1/messages", || Surface::OpenAi),
            Endpoint::MethodNotAllowed { surface: Surface::Anthropic, allow: "POST" }
        );
    }
}
