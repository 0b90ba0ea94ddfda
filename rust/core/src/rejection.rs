//! Every "no" of ours and every failure of theirs that a client can be told, in one table.
//!
//! Invariant: [`Rejection::body`] is the only writer of an error body, in the shape of the surface that was
//! called. Shapes: `OpenAI` API reference (error object), Anthropic API reference (errors).

use std::borrow::Cow;

use crate::surface::Surface;

/// What went wrong. One row of [`Code::row`] each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request is not valid HTTP as we insist on it.
    BadHttp,
    /// The request head is too large, in bytes or in fields.
    HeadTooLarge,
    /// The request target is too long.
    TargetTooLong,
    /// An expectation other than `100-continue`.
    ExpectationFailed,
    /// The HTTP version is not supported.
    VersionNotSupported,
    /// A transfer coding other than `chunked`.
    CodingNotSupported,
    /// No such path.
    UnknownPath,
    /// Known path, other method.
    MethodNotAllowed,
    /// No key, or one that is not known.
    InvalidKey,
    /// The body is not `application/json`.
    UnsupportedMediaType,
    /// The body is not a JSON object that can be acted on.
    InvalidJson,
    /// A field has the wrong type or is missing.
    InvalidField,
    /// The body is larger than allowed.
    BodyTooLarge,
    /// The request took too long to arrive.
    RequestTimeout,
    /// No such model, or none this key may use.
    ModelNotFound,
    /// The model's provider speaks another dialect than the endpoint.
    DialectMismatch,
    /// The model's provider speaks another dialect, in which this request cannot be said.
    Untranslatable,
    /// The request needs something that no target of its route has.
    CapabilityMissing,
    /// What the request goes on with is kept by an account that is not there any more.
    OwnerGone,
    /// Too much is in flight.
    Overloaded,
    /// The gateway is going away.
    Draining,
    /// The upstream could not be reached; no request byte was written.
    UpstreamUnreachable,
    /// The upstream closed or reset the connection before its reply was complete.
    UpstreamClosed,
    /// The upstream took too long.
    UpstreamTimeout,
    /// Our own credential for the upstream is not good any more, and no other is to be had; nothing was sent.
    UpstreamCredential,
    /// The upstream sent something that is not HTTP, or not the reply it announced.
    UpstreamInvalid,
    /// Every target of the route has failed so often that it is left alone for a while.
    CircuitOpen,
    /// A fault of ours.
    Internal,
}

/// One row of the table: status, `OpenAI` type, Anthropic type, code.
pub struct Row {
    /// HTTP status.
    pub status: u16,
    /// `error.type` on the `OpenAI` surface.
    pub openai_type: &'static str,
    /// `error.type` on the Anthropic surface.
    pub anthropic_type: &'static str,
    /// `error.code` on the `OpenAI` surface, and the word in logs and metrics.
    pub code: &'static str,
}

impl Code {
    /// Every code, for tables and reference pages.
    pub const ALL: [Self; 28] = [
        Self::BadHttp,
        Self::HeadTooLarge,
        Self::TargetTooLong,
        Self::ExpectationFailed,
        Self::VersionNotSupported,
        Self::CodingNotSupported,
        Self::UnknownPath,
        Self::MethodNotAllowed,
        Self::InvalidKey,
        Self::UnsupportedMediaType,
        Self::InvalidJson,
        Self::InvalidField,
        Self::BodyTooLarge,
        Self::RequestTimeout,
        Self::ModelNotFound,
        Self::DialectMismatch,
        Self::Untranslatable,
        Self::CapabilityMissing,
        Self::OwnerGone,
        Self::Overloaded,
        Self::Draining,
        Self::UpstreamUnreachable,
        Self::UpstreamClosed,
        Self::UpstreamTimeout,
        Self::UpstreamCredential,
        Self::UpstreamInvalid,
        Self::CircuitOpen,
        Self::Internal,
    ];

    /// This code's row.
    pub const fn row(self) -> Row {
        const fn row(
            status: u16,
            openai_type: &'static str,
            anthropic_type: &'static str,
            code: &'static str,
        ) -> Row {
            Row { status, openai_type, anthropic_type, code }
        }
        const BAD: &str = "invalid_request_error";
        match self {
            Self::BadHttp => row(400, BAD, BAD, "bad_http"),
            Self::HeadTooLarge => row(431, BAD, BAD, "head_too_large"),
            Self::TargetTooLong => row(414, BAD, BAD, "target_too_long"),
            Self::ExpectationFailed => row(417, BAD, BAD, "expectation_failed"),
            Self::VersionNotSupported => row(505, BAD, BAD, "version_not_supported"),
            Self::CodingNotSupported => row(501, BAD, BAD, "coding_not_supported"),
            Self::UnknownPath => row(404, BAD, "not_found_error", "unknown_path"),
            Self::MethodNotAllowed => row(405, BAD, BAD, "method_not_allowed"),
            Self::InvalidKey => row(401, BAD, "authentication_error", "invalid_api_key"),
            Self::UnsupportedMediaType => row(415, BAD, BAD, "unsupported_media_type"),
            Self::InvalidJson => row(400, BAD, BAD, "invalid_json"),
            Self::InvalidField => row(400, BAD, BAD, "invalid_field"),
            Self::BodyTooLarge => row(413, BAD, "request_too_large", "body_too_large"),
            Self::RequestTimeout => row(408, BAD, BAD, "request_timeout"),
            Self::ModelNotFound => row(404, BAD, "not_found_error", "model_not_found"),
            Self::DialectMismatch => row(400, BAD, BAD, "dialect_mismatch"),
            Self::Untranslatable => row(400, BAD, BAD, "untranslatable"),
            Self::CapabilityMissing => row(400, BAD, BAD, "capability_missing"),
            Self::OwnerGone => row(409, BAD, BAD, "owner_gone"),
            Self::Overloaded => row(503, "server_error", "overloaded_error", "overloaded"),
            Self::Draining => row(503, "server_error", "overloaded_error", "draining"),
            Self::UpstreamUnreachable => row(502, "server_error", "api_error", "upstream_unreachable"),
            Self::UpstreamClosed => row(502, "server_error", "api_error", "upstream_closed"),
            Self::UpstreamTimeout => row(504, "server_error", "api_error", "upstream_timeout"),
            Self::UpstreamCredential => row(502, "server_error", "api_error", "upstream_credential"),
            Self::UpstreamInvalid => row(502, "server_error", "api_error", "upstream_invalid"),
            Self::CircuitOpen => row(503, "server_error", "overloaded_error", "circuit_open"),
            Self::Internal => row(500, "server_error", "api_error", "internal_error"),
        }
    }
}

/// A request that is answered by us instead of an upstream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Which row.
    pub code: Code,
    /// What, where, and how to mend it; for people.
    pub message: String,
    /// The request field at fault (`error.param` on the `OpenAI` surface).
    pub param: Option<Cow<'static, str>>,
    /// Seconds for `Retry-After`.
    pub retry_after_s: Option<u32>,
    /// Value of `x-should-retry`, which SDKs obey: set only where we know.
    pub should_retry: Option<bool>,
    /// Value of `Allow` (405).
    pub allow: Option<&'static str>,
}

impl Rejection {
    /// A rejection with a message and nothing else.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            param: None,
            retry_after_s: None,
            should_retry: None,
            allow: None,
        }
    }

    /// Names the request field at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<Cow<'static, str>>) -> Self {
        self.param = Some(param.into());
        self
    }

    /// Says when to come back.
    #[must_use]
    pub fn retry_after_s(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Says whether sending the request again is safe.
    #[must_use]
    pub fn should_retry(mut self, safe: bool) -> Self {
        self.should_retry = Some(safe);
        self
    }

    /// The JSON body in the shape of `surface`.
    pub fn body(&self, surface: Surface, request_id: &str) -> Vec<u8> {
        let row = self.code.row();
        let value = match surface {
            Surface::OpenAi => serde_json::json!({"error": {
                "message": self.message, "type": row.openai_type, "param": self.param, "code": row.code,
            }}),
            Surface::Anthropic => serde_json::json!({
                "type": "error",
                "error": {"type": row.anthropic_type, "message": self.message},
                "request_id": request_id,
            }),
            Surface::Gemini => serde_json::json!({"error": {
                "code": row.status, "message": self.message, "status": google_status(row.status),
                "details": self.google_details(row.code),
            }}),
        };
        value.to_string().into_bytes()
    }

    /// The event that tells of an error inside a stream that has begun, in the shape of `surface`; after it
    /// the stream is cut without its terminal event, so that no SDK takes it for a whole one.
    pub fn stream_event(&self, surface: Surface, request_id: &str) -> Vec<u8> {
        let body = self.body(surface, request_id);
        let mut event = match surface {
            Surface::OpenAi | Surface::Gemini => b"data: ".to_vec(),
            Surface::Anthropic => b"event: error\ndata: ".to_vec(),
        };
        event.extend_from_slice(&body);
        event.extend_from_slice(b"\n\n");
        event
    }

    /// The same in a stream of `OpenAI`'s responses, whose events have a type and a number: the one behind the last
    /// event's, or none where the events have passed unread, which the SDKs accept. They raise on any data with a
    /// member `error`; who reads the events by their type finds what the API's own error event has. Source: `OpenAI`
    /// API reference, "Streaming events" (`error`), and its Python SDK (3.54), `_streaming.py`.
    pub fn response_event(&self, sequence_number: Option<u64>) -> Vec<u8> {
        let row = self.code.row();
        let mut event = serde_json::json!({
            "type": "error", "code": row.code, "message": self.message, "param": self.param,
            "error": {"type": row.openai_type, "code": row.code, "message": self.message, "param": self.param},
        });
        if let (Some(members), Some(number)) = (event.as_object_mut(), sequence_number) {
            members.insert("sequence_number".to_owned(), number.into());
        }
        format!("event: error\ndata: {event}\n\n").into_bytes()
    }

    /// What Google's clients look for beside the status: the word for programs, the field, when to come back.
    /// Source: googleapis `google/rpc/error_details.proto`.
    fn google_details(&self, code: &str) -> Vec<serde_json::Value> {
        let mut details = vec![serde_json::json!({
            "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": code, "domain": "llm-edge-agent",
        })];
        if let Some(param) = &self.param {
            details.push(serde_json::json!({
                "@type": "type.googleapis.com/google.rpc.BadRequest",
                "fieldViolations": [{"field": param}],
            }));
        }
        if let Some(seconds) = self.retry_after_s {
            details.push(serde_json::json!({
                "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": format!("{seconds}s"),
            }));
        }
        details
    }
}

/// The word of Google's APIs for an HTTP status. Source: googleapis `google/rpc/code.proto`.
pub(crate) const fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        402 | 403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        409 => "ABORTED",
        408 | 504 => "DEADLINE_EXCEEDED",
        429 => "RESOURCE_EXHAUSTED",
        499 => "CANCELLED",
        501 => "UNIMPLEMENTED",
        502 | 503 | 529 => "UNAVAILABLE",
        400..=498 => "INVALID_ARGUMENT",
        _ => "INTERNAL",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_code_has_its_own_word() {
        let mut words: Vec<_> = Code::ALL.iter().map(|c| c.row().code).collect();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), Code::ALL.len());
    }

    #[test]
    fn a_stream_of_responses_is_told_by_an_event_of_its_own() {
        let rejection = Rejection::new(Code::UpstreamClosed, "a\nb");
        for number in [Some(7), None] {
            let event = String::from_utf8(rejection.response_event(number)).unwrap();
            let data = event.strip_prefix("event: error\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
            let data: serde_json::Value = serde_json::from_str(data).unwrap();
            assert_eq!((&data["type"], &data["code"]), (&"error".into(), &"upstream_closed".into()));
            assert_eq!((&data["message"], &data["param"]), (&"a\nb".into(), &serde_json::Value::Null));
            assert_eq!(data.get("sequence_number"), number.map(serde_json::Value::from).as_ref());
            assert_eq!(data["error"]["type"], "server_error");
        }
    }

    #[test]
    fn a_message_with_quotes_stays_json() {
        let rejection = Rejection::new(Code::InvalidJson, "unexpected `\"` at byte 3").param("model");
        for surface in [Surface::OpenAi, Surface::Anthropic, Surface::Gemini] {
            let body: serde_json::Value = serde_json::from_slice(&rejection.body(surface, "r1")).unwrap();
            assert!(body["error"]["message"].as_str().unwrap().contains('"'));
        }
    }
}
