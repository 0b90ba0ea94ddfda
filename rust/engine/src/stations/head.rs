//! Head: which endpoint is meant. The codec has already refused what is not HTTP as we insist on it.

use std::sync::atomic::Ordering;

use llm_edge_core::http1::{Http1Error, Known};
use llm_edge_core::percent::decode_once;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::span::Span;
use llm_edge_core::surface::{Endpoint, Operation, Surface, endpoint};

use super::authorize::OwnReply;
use crate::exchange::{Exchange, State};
use crate::fail_points::fail_point;

/// A request to an endpoint we serve.
pub(crate) struct Head {
    pub(crate) surface: Surface,
    pub(crate) operation: Operation,
    /// What follows `?` in the target; empty without.
    query: Span,
    /// The undecoded name of the model, where the path holds one; of an operation that keeps the client's path,
    /// what goes on in the upstream's.
    pub(crate) model_id: Span,
    /// What Google's API and Azure's have in their queries.
    sorted: Option<Box<SortedQuery>>,
}

/// A query of which some is for us.
#[derive(Default)]
struct SortedQuery {
    /// What goes upstream.
    kept: Vec<u8>,
    /// The caller's key, undecoded; empty without.
    key: Span,
    /// A stream is wanted as events, not as one JSON array.
    wants_events: bool,
}

impl SortedQuery {
    fn keep(&mut self, parameter: &[u8]) {
        if !self.kept.is_empty() {
            self.kept.push(b'&');
        }
        self.kept.extend_from_slice(parameter);
    }
}

impl Head {
    /// The part of the query that goes upstream, out of the exchange's `input`.
    #[inline]
    pub(crate) fn query<'a>(&'a self, input: &'a [u8]) -> &'a [u8] {
        match &self.sorted {
            None => self.query.of(input),
            Some(query) => &query.kept,
        }
    }

    /// Whether a stream is wanted as one JSON array.
    pub(crate) fn wants_array(&self) -> bool {
        self.operation.streams() == Some(true)
            && self.sorted.as_ref().is_some_and(|query| !query.wants_events)
    }

    /// The caller's key, where the query holds it.
    pub(crate) fn query_key(&self) -> Option<Span> {
        self.sorted.as_ref().map(|query| query.key).filter(|key| !key.is_empty())
    }
}

/// What a head asks for.
pub(crate) enum Checked {
    /// An operation of an API.
    Api(Head),
    /// `/livez` or `/readyz`, which need no key.
    Probe(OwnReply),
}

/// Finds the endpoint.
///
/// # Errors
/// 404 for an unknown path, 405 for another method.
pub(crate) fn check(x: &mut Exchange) -> Result<Checked, Rejection> {
    fail_point!("head");
    let target = x.request.target;
    let bytes = target.of(&x.input);
    let cut = memchr::memchr(b'?', bytes).unwrap_or(bytes.len());
    let start = target.start as usize;
    let path = Span::new(start, start + cut);
    let query = Span::new((start + cut + 1).min(target.end as usize), target.end as usize);
    // One look through the pointer: the borrows below are of different fields.
    let x: &mut State = x;
    let fields = &x.request.fields;
    let by_header = || fields.iter().find_map(|field| family(field.known)).unwrap_or(Surface::OpenAi);
    match endpoint(x.request.method.of(&x.input), path.of(&x.input), by_header) {
        Endpoint::Api { surface, operation, model_id } => {
            x.facts.surface = surface;
            x.facts.operation = Some(operation);
            let model_id = model_id.map_or(Span::default(), |id| Span::within(id, &x.input));
            let sorted = sorted_query(&x.input, surface, path, query);
            Ok(Checked::Api(Head { surface, operation, query, model_id, sorted }))
        }
        Endpoint::Other { surface, rest } if x.loaded.snapshot.passes_through => {
            let method = x.request.method.of(&x.input);
            let (operation, rest) = (Operation::pass_through(surface), Span::within(rest, &x.input));
            x.facts.surface = surface;
            if !PASSED_METHODS.as_bytes().split(|b| b", ".contains(b)).any(|known| known == method)
                || method.is_empty()
            {
                return Err(not_allowed(PASSED_METHODS));
            }
            x.facts.operation = Some(operation);
            let sorted = sorted_query(&x.input, surface, path, query);
            Ok(Checked::Api(Head { surface, operation, query, model_id: rest, sorted }))
        }
        Endpoint::Livez => Ok(Checked::Probe(OwnReply::text(200, "ok\n"))),
        Endpoint::Readyz => {
            let ready = x.worker.shared.ready.load(Ordering::Relaxed) && !x.worker.shared.draining();
            Ok(Checked::Probe(if ready {
                OwnReply::text(200, "ready\n")
            } else {
                OwnReply::text(503, "draining\n")
            }))
        }
        Endpoint::MethodNotAllowed { surface, allow } => {
            x.facts.surface = surface;
            Err(not_allowed(allow))
        }
        Endpoint::Other { surface, .. } => Err(unknown(x, surface, path, true)),
        Endpoint::NotFound { surface } => Err(unknown(x, surface, path, false)),
    }
}

/// The rejection for a path that is not known; `is_other`: a provider may have it.
#[cold]
fn unknown(x: &mut State, surface: Surface, path: Span, is_other: bool) -> Rejection {
    x.facts.surface = surface;
    let path = path.of(&x.input);
    let hint = if path.starts_with(b"/openai/deployments/") {
        "of a deployment's, `chat/completions`, `completions` and `embeddings` are served; everything else has its place below `/openai/v1`"
    } else if is_other && !x.loaded.snapshot.passes_through {
        "what else a provider has is passed on where a route lists it (`pass_through`); OpenAI clients take the base URL with `/v1`, those of Anthropic and Google without"
    } else {
        "OpenAI clients take the base URL with `/v1`, those of Anthropic and Google without"
    };
    let path = shown(path);
    Rejection::new(Code::UnknownPath, format!("there is nothing at `{path}`. hint: {hint}"))
}

/// What a path that is passed on may be called with.
const PASSED_METHODS: &str = "GET, POST, PUT, PATCH, DELETE";

#[cold]
fn not_allowed(allow: &'static str) -> Rejection {
    let mut rejection = Rejection::new(Code::MethodNotAllowed, format!("this path is called with {allow}"));
    rejection.allow = Some(allow);
    rejection
}

/// The API family that a field belongs to.
fn family(known: Known) -> Option<Surface> {
    match known {
        Known::AnthropicVersion => Some(Surface::Anthropic),
        Known::XGoogApiKey => Some(Surface::Gemini),
        _ => None,
    }
}

/// What is left of a query where some of it stays here.
#[inline]
fn sorted_query(input: &[u8], surface: Surface, path: Span, query: Span) -> Option<Box<SortedQuery>> {
    match surface {
        Surface::Gemini => Some(Box::new(gemini_query(input, query))),
        Surface::OpenAi if !query.is_empty() && is_azures(path.of(input)) => {
            Some(Box::new(azure_query(input, query)))
        }
        _ => None,
    }
}

/// Whether Azure's clients call a path in that way, and say in the query which version of its API they mean.
fn is_azures(path: &[u8]) -> bool {
    path.starts_with(b"/openai/") && !path.starts_with(b"/openai/v1/")
}

/// Leaves out the version of an API that is not spoken upstream, or in another version.
#[cold]
fn azure_query(input: &[u8], query: Span) -> SortedQuery {
    let mut found = SortedQuery::default();
    for parameter in query.of(input).split(|byte| *byte == b'&').filter(|parameter| !parameter.is_empty()) {
        if !parameter.starts_with(b"api-version=") {
            found.keep(parameter);
        }
    }
    found
}

/// Takes who calls out of a query: it stays here, as it does in the fields.
#[cold]
fn gemini_query(input: &[u8], query: Span) -> SortedQuery {
    let mut found = SortedQuery::default();
    for parameter in query.of(input).split(|byte| *byte == b'&').filter(|parameter| !parameter.is_empty()) {
        let end = memchr::memchr(b'=', parameter).unwrap_or(parameter.len());
        let (name, value) = parameter.split_at(end);
        match decode_once(name).as_deref() {
            Some("key") => {
                found.key = Span::within(value.get(1..).unwrap_or_default(), input);
                continue;
            }
            // Other ways of Google's to say who calls.
            Some("access_token" | "oauth_token") => continue,
            _ => {}
        }
        found.wants_events |= parameter == b"alt=sse";
        found.keep(parameter);
    }
    found
}

/// The rejection for a head that the codec refused.
pub(crate) fn refused(error: Http1Error) -> Rejection {
    Rejection::new(error.code(), error.message())
}

/// Text of a path for a message: at most 200 characters; the codec lets printable ASCII through only.
fn shown(path: &[u8]) -> String {
    path.iter().take(200).map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }).collect()
}
