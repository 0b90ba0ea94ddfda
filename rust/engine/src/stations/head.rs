//! Head: which endpoint is meant. The codec has already refused what is not HTTP as we insist on it.

use std::sync::atomic::Ordering;

use llm_edge_core::http1::{Http1Error, Known};
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
    pub(crate) query: Span,
    /// The undecoded id of `/v1/models/{id}`.
    pub(crate) model_id: Span,
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
    let anthropic = x.request.find(Known::AnthropicVersion).is_some();
    // One look through the pointer: the borrows below are of different fields.
    let x: &mut State = x;
    match endpoint(x.request.method.of(&x.input), path.of(&x.input), anthropic) {
        Endpoint::Api { surface, operation, model_id } => {
            x.facts.surface = surface;
            x.facts.operation = Some(operation);
            let id_len = model_id.map_or(0, <[u8]>::len);
            let end = path.end as usize;
            Ok(Checked::Api(Head { surface, operation, query, model_id: Span::new(end - id_len, end) }))
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
            let mut rejection =
                Rejection::new(Code::MethodNotAllowed, format!("this path is called with {allow}"));
            rejection.allow = Some(allow);
            Err(rejection)
        }
        Endpoint::NotFound { surface } => {
            x.facts.surface = surface;
            let path = shown(path.of(&x.input));
            Err(Rejection::new(
                Code::UnknownPath,
                format!(
                    "there is nothing at `{path}`. hint: OpenAI clients take the base URL with `/v1`, Anthropic clients without"
                ),
            ))
        }
    }
}

/// The rejection for a head that the codec refused.
pub(crate) fn refused(error: Http1Error) -> Rejection {
    Rejection::new(error.code(), error.message())
}

/// Text of a path for a message: at most 200 characters; the codec lets printable ASCII through only.
fn shown(path: &[u8]) -> String {
    path.iter().take(200).map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '?' }).collect()
}
