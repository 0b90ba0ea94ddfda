//! The APIs the mock speaks: which path is which, and one file for the words of each.
//!
//! Each text surface has the same three functions: `read` (request → [`Ask`]), `unary` and `stream`
//! (script → bytes). A new surface is a file with these and a row here.

pub(crate) mod chat;
pub(crate) mod cohere;
pub(crate) mod completions;
pub(crate) mod converse;
pub(crate) mod embeddings;
pub(crate) mod gemini;
pub(crate) mod messages;
pub(crate) mod models;
pub(crate) mod ollama;
pub(crate) mod rerank;
pub(crate) mod responses;

use hyper::Method;
use hyper::header::HeaderMap;
use serde_json::Value;

use crate::ask::Ask;
use crate::failure::Failure;
use crate::json::Json;
use crate::script::Script;
use crate::tape::Tape;
use crate::ticket::Ticket;

/// The media type of server-sent events.
pub(crate) const EVENT_STREAM: &str = "text/event-stream; charset=utf-8";
const AMAZON_EVENT_STREAM: &str = "application/vnd.amazon.eventstream";
const JSON_LINES: &str = "application/x-ndjson";

/// Whose shapes are spoken: errors and model lists differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Family {
    OpenAi,
    Anthropic,
    Google,
    Amazon,
    Cohere,
    Ollama,
}

/// A surface whose answer is text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Surface {
    Chat,
    Completions,
    Responses,
    Messages,
    Gemini,
    Converse,
    Cohere,
    Ollama,
}

/// What a method and a path ask for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Endpoint<'a> {
    Text(Surface),
    /// Of the surfaces that count at a path of their own.
    CountTokens(Surface),
    /// Of the families that have the model in the body.
    Embeddings(Family),
    Rerank,
    ListModels,
    /// The id as it stands in the path.
    ShowModel(&'a str),
    /// A method of a surface that has the model in its paths, called on the model of this id.
    Method(Surface, &'a str, Called),
    /// The version of the server, which Ollama's clients ask for.
    Version,
}

/// See [`Endpoint::Method`]; embeddings are Google's alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    Generate,
    Stream,
    CountTokens,
    Embed,
    BatchEmbed,
}

/// Finds the endpoint, and the family to answer in.
pub(crate) fn endpoint<'a>(
    method: &Method,
    path: &'a str,
    headers: &HeaderMap,
) -> (Family, Result<Endpoint<'a>, Failure>) {
    // Google's clients call methods below `/v1` too, where its models are those of all families.
    let (beta, stable) = (path.strip_prefix("/v1beta/models"), path.strip_prefix("/v1/models"));
    if let Some(tail) = beta.or(stable.filter(|tail| *method == Method::POST && tail.contains(':'))) {
        return google(method, path, tail);
    }
    if let Some(tail) = path.strip_prefix("/model/") {
        return (Family::Amazon, amazon(method, path, tail));
    }
    let (family, endpoint) = match path {
        "/v2/chat" => (Family::Cohere, Ok(Endpoint::Text(Surface::Cohere))),
        "/v2/embed" => (Family::Cohere, Ok(Endpoint::Embeddings(Family::Cohere))),
        "/v2/rerank" => (Family::Cohere, Ok(Endpoint::Rerank)),
        "/api/chat" => (Family::Ollama, Ok(Endpoint::Text(Surface::Ollama))),
        "/api/embed" => (Family::Ollama, Ok(Endpoint::Embeddings(Family::Ollama))),
        "/api/tags" => (Family::Ollama, Ok(Endpoint::ListModels)),
        "/api/version" => (Family::Ollama, Ok(Endpoint::Version)),
        _ if path.starts_with("/v2/") => (Family::Cohere, Err(unknown(path))),
        _ if path.starts_with("/api/") => (Family::Ollama, Err(unknown(path))),
        _ => below_v1(path, headers),
    };
    (family, endpoint.and_then(|endpoint| endpoint.called_with(method)))
}

/// Finds the endpoint of the two APIs that are below `/v1`, with or without that in front.
fn below_v1<'a>(path: &'a str, headers: &HeaderMap) -> (Family, Result<Endpoint<'a>, Failure>) {
    let tail = path.strip_prefix("/v1").filter(|tail| tail.starts_with('/')).unwrap_or(path);
    let by_header = if headers.contains_key("anthropic-version") {
        Family::Anthropic
    } else if headers.contains_key("x-goog-api-key") {
        Family::Google
    } else {
        Family::OpenAi
    };
    let (family, endpoint) = match tail {
        "/chat/completions" => (Family::OpenAi, Endpoint::Text(Surface::Chat)),
        "/completions" => (Family::OpenAi, Endpoint::Text(Surface::Completions)),
        "/responses" => (Family::OpenAi, Endpoint::Text(Surface::Responses)),
        "/responses/input_tokens" => (Family::OpenAi, Endpoint::CountTokens(Surface::Responses)),
        "/embeddings" => (Family::OpenAi, Endpoint::Embeddings(Family::OpenAi)),
        "/rerank" => (Family::OpenAi, Endpoint::Rerank),
        "/messages" => (Family::Anthropic, Endpoint::Text(Surface::Messages)),
        "/messages/count_tokens" => (Family::Anthropic, Endpoint::CountTokens(Surface::Messages)),
        "/models" => (by_header, Endpoint::ListModels),
        _ => {
            let Some(id) = tail.strip_prefix("/models/").filter(|id| !id.is_empty()) else {
                return (by_header, Err(unknown(path)));
            };
            (by_header, Endpoint::ShowModel(id))
        }
    };
    (family, Ok(endpoint))
}

/// Finds the endpoint of Google's API, given what follows `/v1beta/models`.
fn google<'a>(method: &Method, path: &str, tail: &'a str) -> (Family, Result<Endpoint<'a>, Failure>) {
    let called = tail.strip_prefix('/').and_then(|rest| {
        let (id, name) = rest.rsplit_once(':')?;
        let called = match name {
            "generateContent" => Called::Generate,
            "streamGenerateContent" => Called::Stream,
            "countTokens" => Called::CountTokens,
            "embedContent" => Called::Embed,
            "batchEmbedContents" => Called::BatchEmbed,
            _ => return None,
        };
        Some(Endpoint::Method(Surface::Gemini, id, called))
    });
    let endpoint = match (called, tail.strip_prefix('/')) {
        (Some(endpoint), _) => endpoint.called_with(method),
        (None, None) if tail.is_empty() => Ok(Endpoint::ListModels),
        (None, Some(id)) if !id.is_empty() && *method == Method::GET => Ok(Endpoint::ShowModel(id)),
        _ => Err(unknown(path)),
    };
    (Family::Google, endpoint)
}

/// Finds the endpoint of Amazon's API, given what follows `/model/`.
fn amazon<'a>(method: &Method, path: &str, tail: &'a str) -> Result<Endpoint<'a>, Failure> {
    // A slash of an id is encoded.
    let Some((id, name)) = tail.split_once('/').filter(|(id, _)| !id.is_empty()) else {
        return Err(unknown(path));
    };
    let called = match name {
        "converse" => Called::Generate,
        "converse-stream" => Called::Stream,
        "count-tokens" => Called::CountTokens,
        _ => return Err(unknown(path)),
    };
    Endpoint::Method(Surface::Converse, id, called).called_with(method)
}

fn unknown(path: &str) -> Failure {
    Failure::not_found(Some("unknown_path"), format!("path: the mock has no `{path}`"))
}

impl Endpoint<'_> {
    /// The endpoint, if this is the method that it is called with.
    fn called_with(self, method: &Method) -> Result<Self, Failure> {
        let wanted = match self {
            Self::ListModels | Self::ShowModel(_) | Self::Version => Method::GET,
            Self::Text(_) | Self::CountTokens(_) | Self::Embeddings(_) | Self::Rerank | Self::Method(..) => {
                Method::POST
            }
        };
        if *method == wanted {
            Ok(self)
        } else {
            Err(Failure::method(if wanted == Method::GET { "GET" } else { "POST" }))
        }
    }
}

impl Surface {
    /// Understands a request.
    pub(crate) fn read(self, body: &Value) -> Result<Ask, Failure> {
        match self {
            Self::Chat => chat::read(body),
            Self::Completions => completions::read(body),
            Self::Responses => responses::read(body),
            Self::Messages => messages::read(body),
            Self::Gemini => gemini::read(body),
            Self::Converse => converse::read(body),
            Self::Cohere => cohere::read(body),
            Self::Ollama => ollama::read(body),
        }
    }

    /// The whole reply.
    pub(crate) fn unary(self, script: &Script, ticket: &mut Ticket<'_>) -> Json {
        match self {
            Self::Chat => chat::unary(script, ticket),
            Self::Completions => completions::unary(script, ticket),
            Self::Responses => responses::unary(script, ticket),
            Self::Messages => messages::unary(script, ticket),
            Self::Gemini => gemini::unary(script, ticket),
            Self::Converse => converse::unary(script, ticket),
            Self::Cohere => cohere::unary(script, ticket),
            Self::Ollama => ollama::unary(script, ticket),
        }
    }

    /// The reply as a stream of events.
    pub(crate) fn stream(self, script: &Script, ticket: &mut Ticket<'_>) -> Tape {
        match self {
            Self::Chat => chat::stream(script, ticket),
            Self::Completions => completions::stream(script, ticket),
            Self::Responses => responses::stream(script, ticket),
            Self::Messages => messages::stream(script, ticket),
            Self::Gemini => gemini::stream(script, ticket),
            Self::Converse => converse::stream(script, ticket),
            Self::Cohere => cohere::stream(script, ticket),
            Self::Ollama => ollama::stream(script, ticket),
        }
    }

    /// The media type of a stream.
    pub(crate) fn stream_media_type(self) -> &'static str {
        match self {
            Self::Chat
            | Self::Completions
            | Self::Responses
            | Self::Messages
            | Self::Gemini
            | Self::Cohere => EVENT_STREAM,
            Self::Converse => AMAZON_EVENT_STREAM,
            Self::Ollama => JSON_LINES,
        }
    }
}
