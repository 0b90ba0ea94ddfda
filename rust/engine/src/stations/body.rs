//! Body: the whole request, bounded, and what policy must know of it.
//!
//! An incomplete body is never executed: what follows sees only bodies that arrived to their last byte. The
//! body stays where it was read, behind the head; a chunked one is moved together there.

use std::borrow::Cow;
use std::rc::Rc;

use llm_edge_core::http1::Known;
use llm_edge_core::pass_through::form_model;
use llm_edge_core::percent::decode_once;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::scan::{self, Edit, Scan, escape_json, splice};
use llm_edge_core::snapshot::Limits;
use llm_edge_core::span::Span;
use llm_edge_core::surface::Dialect;

use super::head::Head;
use crate::buffers::BUFFER_BYTES;
use crate::deadlines::Timer;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::LoadedRoute;
use crate::stamp::Stamp;

/// A request body that is all there, with the fields that policy acts on.
pub(crate) struct Envelope {
    /// Where it is in the exchange's input.
    pub(crate) body: Span,
    pub(crate) scan: Scan,
    /// The model, where the path names it.
    pub(crate) path_model: Option<Box<str>>,
    /// Whether the reply shall be a stream.
    pub(crate) stream: bool,
    /// The models that the client would have asked next (`models`).
    pub(crate) further: Box<[FurtherModel]>,
}

/// A model to turn to when those before it fail.
pub(crate) struct FurtherModel {
    /// As the client calls it.
    pub(crate) name: Box<str>,
    pub(crate) route: Rc<LoadedRoute>,
}

impl Envelope {
    /// The name by which the client asks for a place, where that is not [`Self::model`].
    pub(crate) fn further_name(&self, further: u8) -> Option<&str> {
        let at = usize::from(further).checked_sub(1)?;
        self.further.get(at).map(|model| &*model.name)
    }

    /// The model as the client calls it, out of the exchange's `input`.
    ///
    /// # Errors
    /// 400 where the name is not UTF-8.
    pub(crate) fn model<'a>(&'a self, input: &'a [u8]) -> Result<Option<Cow<'a, str>>, Rejection> {
        if let Some(name) = &self.path_model {
            return Ok(Some(Cow::Borrowed(name)));
        }
        let body = self.body.of(input);
        self.scan.model.map(|text| text.decode(body)).transpose().map_err(|e| e.rejection(body))
    }
}

/// How a body could not be had.
#[derive(Debug)]
pub(crate) enum BodyError {
    /// The client left, or the connection broke: nobody is there to be told.
    Gone,
    /// Bytes stopped coming.
    Stalled,
    /// They come slower than `limits.body_bytes_per_s_min`.
    TooSlow,
    /// More than `limits.body_bytes_max`.
    TooLarge,
    /// More than `limits.buffered_bytes_max` together with all others.
    NoRoom,
    /// The framing is wrong.
    Invalid(llm_edge_core::http1::Http1Error),
}

/// By when the next bytes of a body must be there: a wait for single bytes ends by `limits.body_progress_ms`,
/// the whole by `limits.body_bytes_per_s_min`, which a client that sends a byte now and then does not keep.
pub(crate) struct Pace {
    begun_ms: u64,
}

impl Pace {
    /// The body begins now, `now_ms` on the worker's coarse clock.
    pub(crate) fn begin(now_ms: u64) -> Self {
        Self { begun_ms: now_ms }
    }

    /// Arms the timer for the next read, `received` bytes being there.
    pub(crate) fn arm(&self, timer: &Timer, limits: &Limits, received: usize) {
        timer.arm_before(limits.body_progress_ms, self.latest_ms(limits, received));
    }

    /// How a wait that lapsed is called.
    pub(crate) fn lapsed(&self, now_ms: u64, limits: &Limits, received: usize) -> BodyError {
        if now_ms >= self.latest_ms(limits, received) { BodyError::TooSlow } else { BodyError::Stalled }
    }

    fn latest_ms(&self, limits: &Limits, received: usize) -> u64 {
        let rate = u64::from(limits.body_bytes_per_s_min);
        let earned_ms = (received as u64).saturating_mul(1000).checked_div(rate);
        earned_ms.map_or(u64::MAX, |earned_ms| {
            // Never before a body that stopped at once would be called stalled.
            (self.begun_ms + u64::from(limits.body_progress_ms) + 50).saturating_add(earned_ms)
        })
    }
}

/// Reads the body and scans it.
///
/// # Errors
/// 408, 413, 415, 503 or 400 with the byte at fault.
pub(crate) async fn read(x: &mut Exchange, head: &Head) -> Result<Envelope, Rejection> {
    fail_point!("body");
    let Some(dialect) = head.operation.dialect() else {
        return Box::pin(unread(x, head)).await;
    };
    check_type(x)?;
    let path_model = if head.operation.names_model_in_path() { Some(path_model(x, head)?) } else { None };
    let there = x.input.len();
    let body = x.read_body().await.map_err(|e| refuse(x, &e))?;
    fail_point!("body.complete");
    // A body that came with its head was there when the head was.
    let came_along = x.input.len() == there;
    x.facts.read = Some(if came_along { x.facts.started } else { Stamp::now() });
    let bytes = body.of(&x.input);
    let scan = scan::scan(bytes, dialect).map_err(|e| e.rejection(bytes))?;
    let stream = head.operation.streams().unwrap_or(scan.stream == Some(true));
    let mut envelope = Envelope { body, scan, path_model, stream, further: Box::default() };
    if !head.model_id.is_empty() && envelope.path_model.is_none() {
        say_deployment(x, head, dialect, &mut envelope)?;
    }
    Ok(envelope)
}

/// Has the body say the model that the path says, whether or not it said one: of a deployment's, Azure does not read
/// it.
#[cold]
fn say_deployment(
    x: &mut Exchange,
    head: &Head,
    dialect: Dialect,
    envelope: &mut Envelope,
) -> Result<(), Rejection> {
    let name = path_model(x, head)?;
    let bytes = envelope.body.of(&x.input);
    let changed = match envelope.scan.model {
        Some(text) if text.decode(bytes).is_ok_and(|model| *model == *name) => return Ok(()),
        Some(text) => {
            let mut said = Vec::with_capacity(name.len());
            escape_json(&mut said, &name);
            splice(bytes, Some(Edit { span: text.raw, text: &said }), None).concat()
        }
        None => scan::with_model(bytes, &name).map_err(|e| e.rejection(bytes))?,
    };
    // Nothing lies behind the body: what a client sends ahead is kept elsewhere.
    let start = envelope.body.start as usize;
    x.input.truncate(start);
    x.input.extend_from_slice(&changed);
    envelope.body = Span::new(start, x.input.len());
    envelope.scan = scan::scan(&changed, dialect).map_err(|e| e.rejection(&changed))?;
    Ok(())
}

/// A body of which at most the model matters.
async fn unread(x: &mut Exchange, head: &Head) -> Result<Envelope, Rejection> {
    if head.operation.keeps_path() {
        check_coding(x)?;
    }
    let body = x.read_body().await.map_err(|e| refuse(x, &e))?;
    x.facts.read = Some(Stamp::now());
    let bytes = body.of(&x.input);
    // A GET's body means nothing, but the next request begins behind it.
    let scan = if head.operation.keeps_path() && !bytes.is_empty() {
        named_model(x, bytes)?
    } else {
        Scan::default()
    };
    Ok(Envelope { body, scan, path_model: None, stream: false, further: Box::default() })
}

/// The model in a body of any kind. Of a kind that is not said, JSON is what others would take it for.
fn named_model(x: &Exchange, body: &[u8]) -> Result<Scan, Rejection> {
    let (value, media) = content_type(x).unwrap_or_default();
    let is = |kind: &[u8]| media.eq_ignore_ascii_case(kind);
    if is(b"multipart/form-data") {
        let model = form_model(body, value)
            .map_err(|fault| Rejection::new(Code::InvalidField, fault.message()).param("model"))?;
        return Ok(Scan { model, ..Scan::default() });
    }
    let json = media.is_empty()
        || is(b"application/json")
        || media.get(media.len().saturating_sub(5)..).is_some_and(|end| end.eq_ignore_ascii_case(b"+json"));
    if json { scan::scan_model(body).map_err(|e| e.rejection(body)) } else { Ok(Scan::default()) }
}

#[cold]
fn path_model(x: &Exchange, head: &Head) -> Result<Box<str>, Rejection> {
    let name = decode_once(head.model_id.of(&x.input));
    name.map(String::into_boxed_str).ok_or_else(|| {
        Rejection::new(Code::ModelNotFound, "the model's name in the path is not percent-encoded UTF-8")
    })
}

/// JSON, or not said: clients in shell scripts forget to.
fn check_type(x: &Exchange) -> Result<(), Rejection> {
    if let Some((_, media)) = content_type(x)
        && !media.eq_ignore_ascii_case(b"application/json")
    {
        return Err(Rejection::new(
            Code::UnsupportedMediaType,
            "the body must be JSON. hint: send `Content-Type: application/json`",
        ));
    }
    check_coding(x)
}

/// The value of `Content-Type`, and the media type in it.
#[inline]
fn content_type(x: &Exchange) -> Option<(&[u8], &[u8])> {
    let value = x.request.find(Known::ContentType)?.value.of(&x.input);
    let end = memchr::memchr(b';', value).unwrap_or(value.len());
    Some((value, value.get(..end).unwrap_or_default().trim_ascii()))
}

#[inline]
fn check_coding(x: &Exchange) -> Result<(), Rejection> {
    if let Some(field) = x.request.find(Known::ContentEncoding)
        && !field.value.of(&x.input).eq_ignore_ascii_case(b"identity")
    {
        return Err(Rejection::new(
            Code::UnsupportedMediaType,
            "compressed request bodies are not supported. hint: send the body without `Content-Encoding`",
        ));
    }
    Ok(())
}

fn refuse(x: &Exchange, error: &BodyError) -> Rejection {
    let limits = &x.loaded.snapshot.limits;
    match error {
        BodyError::Gone => Rejection::new(Code::BadHttp, "the request ended before its body was complete"),
        BodyError::Stalled => Rejection::new(
            Code::RequestTimeout,
            format!(
                "no byte of the announced body came for {} ms (`limits.body_progress_ms`)",
                limits.body_progress_ms
            ),
        ),
        BodyError::TooSlow => Rejection::new(
            Code::RequestTimeout,
            format!(
                "the body came slower than {} bytes per second (`limits.body_bytes_per_s_min`)",
                limits.body_bytes_per_s_min
            ),
        ),
        BodyError::TooLarge => Rejection::new(
            Code::BodyTooLarge,
            format!("the body is larger than {} bytes (`limits.body_bytes_max`)", limits.body_bytes_max),
        ),
        BodyError::NoRoom => Rejection::new(
            Code::Overloaded,
            format!(
                "request bodies in memory would exceed {} bytes (`limits.buffered_bytes_max`)",
                limits.buffered_bytes_max
            ),
        )
        .retry_after_s(1),
        BodyError::Invalid(e) => Rejection::new(e.code(), e.message()),
    }
}

impl Exchange {
    pub(super) async fn read_body(&mut self) -> Result<Span, BodyError> {
        let client = self.client.clone();
        client.read_body(self).await
    }

    /// Makes sure that a body of `bytes` may be held; bodies that fit the connection's own buffer always may.
    pub(crate) fn hold(&mut self, bytes: u64) -> Result<(), BodyError> {
        let limits = &self.loaded.snapshot.limits;
        let buffered_bytes_max = limits.buffered_bytes_max;
        if bytes > limits.body_bytes_max {
            return Err(BodyError::TooLarge);
        }
        let held = self.held.as_ref().map_or(0, crate::shared::HeldBytes::bytes);
        if bytes <= BUFFER_BYTES as u64 || bytes <= held {
            return Ok(());
        }
        // Give back first: the new hold covers the old one.
        self.held = None;
        let held = self.worker.shared.hold_bytes(bytes, buffered_bytes_max);
        self.held = Some(held.ok_or(BodyError::NoRoom)?);
        Ok(())
    }
}
