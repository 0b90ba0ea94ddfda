//! Body: the whole request, bounded, and what policy must know of it.
//!
//! An incomplete body is never executed: what follows sees only bodies that arrived to their last byte. The
//! body stays where it was read, behind the head; a chunked one is moved together there.

use std::borrow::Cow;
use std::time::Instant;

use llm_edge_core::http1::Known;
use llm_edge_core::percent::decode_once;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::scan::{self, Scan};
use llm_edge_core::snapshot::Limits;
use llm_edge_core::span::Span;

use super::head::Head;
use crate::buffers::BUFFER_BYTES;
use crate::deadlines::Timer;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;

/// A request body that is all there, with the fields that policy acts on.
pub(crate) struct Envelope {
    /// Where it is in the exchange's input.
    pub(crate) body: Span,
    pub(crate) scan: Scan,
    /// The model, where the path names it.
    pub(crate) path_model: Option<Box<str>>,
    /// Whether the reply shall be a stream.
    pub(crate) stream: bool,
}

impl Envelope {
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
        // A GET's body means nothing, but the next request begins behind it.
        let body = x.read_body().await.map_err(|e| refuse(x, &e))?;
        return Ok(Envelope { body, scan: Scan::default(), path_model: None, stream: false });
    };
    check_type(x)?;
    let path_model = if head.operation.names_model_in_path() { Some(path_model(x, head)?) } else { None };
    let there = x.input.len();
    let body = x.read_body().await.map_err(|e| refuse(x, &e))?;
    fail_point!("body.complete");
    // A body that came with its head was there when the head was.
    let came_along = x.input.len() == there;
    x.facts.read = Some(if came_along { x.facts.started } else { Instant::now() });
    let bytes = body.of(&x.input);
    let scan = scan::scan(bytes, dialect).map_err(|e| e.rejection(bytes))?;
    let stream = head.operation.streams().unwrap_or(scan.stream == Some(true));
    Ok(Envelope { body, scan, path_model, stream })
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
    if let Some(field) = x.request.find(Known::ContentType) {
        let value = field.value.of(&x.input);
        let end = memchr::memchr(b';', value).unwrap_or(value.len());
        let media = value.get(..end).unwrap_or_default().trim_ascii();
        if !media.eq_ignore_ascii_case(b"application/json") {
            return Err(Rejection::new(
                Code::UnsupportedMediaType,
                "the body must be JSON. hint: send `Content-Type: application/json`",
            ));
        }
    }
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
