//! From a request to a reply: the mock's story.
//!
//! Nothing of a request is kept. Every reply has `x-request-id`; every reply but those of `fixed` has
//! `x-mock-saw-body-sha256` (of the request's body as it came) and `x-mock-body-sha256` (of the reply's body,
//! of a stream's too, up to the cut if there is one), both in hex, for tests of byte fidelity.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Response, StatusCode};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::ask::{Ask, text_field};
use crate::body::{Beat, Events, ReplyBody};
use crate::failure::Failure;
use crate::fixed::{self, Canned, Shelf};
use crate::json::Json;
use crate::lorem::Numbers;
use crate::model::{Fixed, Model, Pace, Unknown};
use crate::script::Script;
use crate::surface::{
    self, Called, EVENT_STREAM, Endpoint, Family, Surface, converse, embeddings, gemini, messages, models,
    ollama, rerank, responses,
};
use crate::tape;
use crate::ticket::Ticket;

/// The largest request body read.
const BODY_BYTES_MAX: usize = 128 << 20;
/// How many flaky sequences are remembered; beyond it all begin anew.
const FLAKY_MAX: usize = 1024;

const JSON: &str = "application/json";

/// What outlives a request.
pub(crate) struct State {
    started: u64,
    requests: AtomicU64,
    flaky: Mutex<HashMap<(u64, u64, u16), Numbers>>,
    shelf: Shelf,
}

/// A reply that is decided.
struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    content: Content,
    /// How long nothing is sent at all.
    delay: Duration,
}

enum Content {
    Json(Json),
    /// A JSON body of which only the first bytes come.
    Torn(Json),
    Events {
        canned: Canned,
        beat: Beat,
        cut: bool,
        digest: String,
        media_type: &'static str,
    },
    Fixed(Canned, &'static str),
}

impl State {
    /// A mock that has seen nothing yet.
    pub(crate) fn new() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = u64::try_from(since.as_nanos()).unwrap_or_default();
        Self { started, requests: AtomicU64::new(0), flaky: Mutex::default(), shelf: Shelf::default() }
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<ReplyBody> {
        let seed = self.started.wrapping_add(self.requests.fetch_add(1, Ordering::Relaxed));
        let request_id = Ticket::new(!seed, 0, "", &Value::Null, false).id("req_", 24);
        let (head, incoming) = request.into_parts();
        let (family, endpoint) = surface::endpoint(&head.method, head.uri.path(), &head.headers);
        let mut saw = None;
        let reply = match endpoint {
            Err(failure) => Err(failure),
            Ok(Endpoint::ListModels) => Ok(Reply::json(models::list(family))),
            Ok(Endpoint::ShowModel(id)) => models::show(family, id).map(Reply::json),
            Ok(Endpoint::Version) => Ok(Reply::json(ollama::version())),
            Ok(endpoint) => match read(incoming).await {
                Ok(body) => {
                    // Google's streams are an array unless they are asked for as events.
                    let events = head.uri.query().is_some_and(|q| q.split('&').any(|p| p == "alt=sse"));
                    let reply = self.post(&endpoint, &body, seed, &mut saw);
                    let array = matches!(endpoint, Endpoint::Method(Surface::Gemini, ..)) && !events;
                    if array { reply.map(Reply::into_array) } else { reply }
                }
                Err(failure) => Err(failure),
            },
        };
        let reply = reply.unwrap_or_else(|failure| Reply::failure(&failure, family, &request_id));
        if !reply.delay.is_zero() {
            tokio::time::sleep(reply.delay).await;
        }
        reply.into_response(family, &request_id, saw)
    }

    fn post(
        &self,
        endpoint: &Endpoint<'_>,
        body: &Bytes,
        seed: u64,
        saw: &mut Option<String>,
    ) -> Result<Reply, Failure> {
        if let (Endpoint::Text(surface), Some(fixed)) = (endpoint, fixed::peek(body)) {
            return Ok(self.fixed(*surface, fixed));
        }
        *saw = Some(hex_sha256(body));
        let request: Value = serde_json::from_slice(body)
            .map_err(|error| Failure::bad_request(None, format!("body: not JSON: {error}")))?;
        if !request.is_object() {
            return Err(Failure::bad_request(None, "body: must be a JSON object"));
        }
        let name = match endpoint {
            Endpoint::Method(_, id, _) => models::percent_decoded(id).map(Cow::Owned),
            _ => text_field(&request, "model").map(Cow::Borrowed),
        };
        let Some(name) = name else {
            return Err(Failure::bad_request(Some("model"), "model: must be a string"));
        };
        let model = Model::parse(&name).map_err(|unknown| match unknown {
            Unknown::Name(_) => Failure {
                param: Some("model"),
                ..Failure::not_found(Some("model_not_found"), unknown.message())
            },
            Unknown::Parameter(_) => Failure::bad_request(Some("model"), unknown.message()),
        })?;
        self.may_fail(&model)?;
        let surface = match endpoint {
            Endpoint::Text(surface) | Endpoint::Method(surface, _, Called::Generate | Called::Stream) => {
                Some(*surface)
            }
            _ => None,
        };
        if let (Some(surface), Model::Fixed(fixed)) = (surface, &model) {
            return Ok(self.fixed(surface, *fixed));
        }
        match endpoint {
            Endpoint::Text(surface) => {
                let ask = surface.read(&request)?;
                said(*surface, &model, &name, &request, &ask, seed)
            }
            Endpoint::Method(Surface::Converse, _, Called::CountTokens) => {
                Ok(counted(converse::count(&request)?, &model))
            }
            Endpoint::Method(_, _, Called::CountTokens) => Ok(counted(gemini::count(&request)?, &model)),
            Endpoint::Method(_, _, called @ (Called::Embed | Called::BatchEmbed)) => {
                let dims = dims(&model)?;
                Ok(embedded(embeddings::google(&request, *called, &name, dims)?, &model))
            }
            Endpoint::Method(surface, _, called) => {
                let ask = Ask { stream: *called == Called::Stream, ..surface.read(&request)? };
                said(*surface, &model, &name, &request, &ask, seed)
            }
            Endpoint::CountTokens(Surface::Responses) => Ok(counted(responses::count(&request)?, &model)),
            Endpoint::CountTokens(_) => Ok(counted(messages::count(&request)?, &model)),
            Endpoint::Rerank => {
                ranks(&model)?;
                let id = Ticket::new(seed, 0, "", &Value::Null, false).id("rerank-", 24);
                Ok(embedded(rerank::unary(&request, &name, &id)?, &model))
            }
            Endpoint::Embeddings(Family::Cohere) => {
                let id = Ticket::new(seed, 0, "", &Value::Null, false).id("embed-", 24);
                Ok(embedded(embeddings::cohere(&request, &id, dims(&model)?)?, &model))
            }
            Endpoint::Embeddings(Family::Ollama) => {
                Ok(embedded(embeddings::ollama(&request, &name, dims(&model)?)?, &model))
            }
            _ => Ok(embedded(embeddings::unary(&request, &name, dims(&model)?)?, &model)),
        }
    }

    /// A canned reply.
    fn fixed(&self, surface: Surface, fixed: Fixed) -> Reply {
        let canned = self.shelf.reply(surface, fixed);
        let media_type = if canned.marks.is_some() { surface.stream_media_type() } else { JSON };
        Reply::ok(Content::Fixed(canned, media_type))
    }

    /// The failures on order.
    fn may_fail(&self, model: &Model) -> Result<(), Failure> {
        match *model {
            Model::Error { status, retry_after_s } => Err(Failure::ordered(status, retry_after_s)),
            Model::Flaky { p, status, seed, retry_after_s } => {
                let mut sequences = self.flaky.lock().unwrap_or_else(PoisonError::into_inner);
                let key = (seed, p.to_bits(), status);
                if sequences.len() >= FLAKY_MAX && !sequences.contains_key(&key) {
                    sequences.clear();
                }
                let fails = sequences.entry(key).or_insert_with(|| Numbers::new(seed)).fraction() < p;
                if fails { Err(Failure::ordered(status, retry_after_s)) } else { Ok(()) }
            }
            _ => Ok(()),
        }
    }
}

fn said(
    surface: Surface,
    model: &Model,
    name: &str,
    request: &Value,
    ask: &Ask,
    seed: u64,
) -> Result<Reply, Failure> {
    let script = Script::write(model, ask)?;
    let created = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut ticket = Ticket::new(seed, created, name, request, ask.include_usage);
    Ok(if ask.stream {
        streamed(surface, model, &script, &mut ticket)
    } else {
        let json = surface.unary(&script, &mut ticket);
        Reply::unary(json, model).after(unary_delay(model, script.usage.output))
    })
}

fn streamed(surface: Surface, model: &Model, script: &Script, ticket: &mut Ticket<'_>) -> Reply {
    let mut tape = surface.stream(script, ticket);
    let events = u32::try_from(tape.content_events()).unwrap_or(u32::MAX);
    let Pace { ttft, itl } = pace(model);
    let mut delay = ttft;
    let mut beat = Beat { first: Duration::ZERO, step: itl };
    if let Model::Slow { total } = *model {
        // The head leaves at once and the content is spread evenly: a deadline on the whole, not on the start.
        match total.checked_div(events) {
            Some(step) => beat = Beat { first: step, step },
            None => delay = total,
        }
    }
    let cut = if let Model::Cut { after, .. } = model {
        tape.cut(*after);
        true
    } else {
        false
    };
    let (bytes, marks) = tape.finish();
    let digest = hex_sha256(&bytes);
    let canned = Canned { bytes, marks: Some(marks.into()) };
    let media_type = surface.stream_media_type();
    Reply::ok(Content::Events { canned, beat, cut, digest, media_type }).after(delay)
}

fn counted(count: Json, model: &Model) -> Reply {
    Reply::json(count).after(unary_delay(model, 0))
}

fn embedded(json: Json, model: &Model) -> Reply {
    Reply::unary(json, model).after(unary_delay(model, 0))
}

/// How many dimensions a model's vectors have by themselves.
fn dims(model: &Model) -> Result<usize, Failure> {
    match model {
        Model::Embed { dims } => Ok(*dims),
        Model::Flaky { .. } | Model::Slow { .. } | Model::Cut { .. } => Ok(384),
        _ => {
            let message = "model: for embeddings the mock has `embed`, `error`, `flaky`, `cut` and `slow`";
            Err(Failure::bad_request(Some("model"), message))
        }
    }
}

fn ranks(model: &Model) -> Result<(), Failure> {
    match model {
        Model::Rerank | Model::Flaky { .. } | Model::Slow { .. } | Model::Cut { .. } => Ok(()),
        _ => {
            let message = "model: on /v1/rerank the mock has `rerank`, `error`, `flaky`, `cut` and `slow`";
            Err(Failure::bad_request(Some("model"), message))
        }
    }
}

fn pace(model: &Model) -> Pace {
    match *model {
        Model::Echo { pace }
        | Model::Lorem { pace, .. }
        | Model::Cut { pace, .. }
        | Model::Tools { pace }
        | Model::Json { pace }
        | Model::Thinking { pace } => pace,
        Model::Error { .. }
        | Model::Flaky { .. }
        | Model::Slow { .. }
        | Model::Embed { .. }
        | Model::Rerank
        | Model::Big { .. }
        | Model::Fixed(_) => Pace::default(),
    }
}

/// A whole reply comes when the last token of a streamed one would.
fn unary_delay(model: &Model, tokens: u64) -> Duration {
    if let Model::Slow { total } = model {
        return *total;
    }
    let Pace { ttft, itl } = pace(model);
    ttft + itl * u32::try_from(tokens.saturating_sub(1)).unwrap_or(u32::MAX)
}

/// The whole body of a request.
async fn read(incoming: Incoming) -> Result<Bytes, Failure> {
    match Limited::new(incoming, BODY_BYTES_MAX).collect().await {
        Ok(body) => Ok(body.to_bytes()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Failure::too_large(BODY_BYTES_MAX))
        }
        Err(_) => Err(Failure::bad_request(None, "body: incomplete")),
    }
}

impl Reply {
    fn ok(content: Content) -> Self {
        Self { status: 200, headers: Vec::new(), content, delay: Duration::ZERO }
    }

    fn json(json: Json) -> Self {
        Self::ok(Content::Json(json))
    }

    /// A whole reply, torn if that is what the model does.
    fn unary(json: Json, model: &Model) -> Self {
        Self::ok(if matches!(model, Model::Cut { .. }) { Content::Torn(json) } else { Content::Json(json) })
    }

    fn failure(failure: &Failure, family: Family, request_id: &str) -> Self {
        let retry_after = failure.retry_after_s.map(|seconds| ("retry-after", seconds.to_string()));
        let allow = failure.allow.map(|allow| ("allow", allow.to_owned()));
        let exception =
            (family == Family::Amazon).then(|| ("x-amzn-errortype", failure.amazon_exception().to_owned()));
        let headers = retry_after.into_iter().chain(allow).chain(exception).collect();
        let content = Content::Json(failure.body(family, request_id));
        Self { status: failure.status, headers, content, delay: Duration::ZERO }
    }

    /// A stream of events as one JSON array, and everything else as it is.
    fn into_array(self) -> Self {
        let Content::Events { canned: Canned { bytes, marks: Some(marks) }, beat, cut, .. } = self.content
        else {
            return self;
        };
        let (bytes, marks) = tape::as_array(&bytes, &marks, cut);
        let digest = hex_sha256(&bytes);
        let canned = Canned { bytes, marks: Some(marks.into()) };
        Self { content: Content::Events { canned, beat, cut, digest, media_type: JSON }, ..self }
    }

    fn after(self, delay: Duration) -> Self {
        Self { delay, ..self }
    }

    fn into_response(self, family: Family, request_id: &str, saw: Option<String>) -> Response<ReplyBody> {
        let mut headers = self.headers;
        headers.extend(saw.map(|digest| ("x-mock-saw-body-sha256", digest)));
        let (body, media_type) = match self.content {
            Content::Json(json) => {
                headers.push(("x-mock-body-sha256", hex_sha256(&json.0)));
                (ReplyBody::Whole(Some(Bytes::from(json.0))), JSON)
            }
            Content::Torn(json) => {
                headers.push(("content-length", json.0.len().to_string()));
                let bytes = Bytes::from(json.0);
                let half = bytes.slice(..bytes.len() / 2);
                headers.push(("x-mock-body-sha256", hex_sha256(&half)));
                let mark = crate::tape::Mark { end: half.len(), content: false };
                (ReplyBody::Events(Events::new(half, [mark].into(), Beat::default(), true)), JSON)
            }
            Content::Events { canned, beat, cut, digest, media_type } => {
                headers.push(("x-mock-body-sha256", digest));
                (events(canned, beat, cut), media_type)
            }
            Content::Fixed(canned, media_type) => (events(canned, Beat::default(), false), media_type),
        };
        let mut response = Response::new(body);
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let map = response.headers_mut();
        map.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
        if media_type == EVENT_STREAM {
            map.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        }
        headers.push(("x-request-id", request_id.to_owned()));
        match family {
            Family::Anthropic => headers.push(("request-id", request_id.to_owned())),
            Family::Amazon => headers.push(("x-amzn-requestid", request_id.to_owned())),
            Family::OpenAi | Family::Google | Family::Cohere | Family::Ollama => {}
        }
        for (name, value) in headers {
            if let Ok(value) = HeaderValue::from_str(&value) {
                map.insert(HeaderName::from_static(name), value);
            }
        }
        response
    }
}

fn events(canned: Canned, beat: Beat, cut: bool) -> ReplyBody {
    match canned.marks {
        Some(marks) => ReplyBody::Events(Events::new(canned.bytes, marks, beat, cut)),
        None => ReplyBody::Whole(Some(canned.bytes)),
    }
}

fn hex_sha256(bytes: &[u8]) -> String {
    let mut hex = String::with_capacity(64);
    for byte in Sha256::digest(bytes) {
        // Writing to a string cannot fail.
        if write!(hex, "{byte:02x}").is_err() {
            break;
        }
    }
    hex
}
