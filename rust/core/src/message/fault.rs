//! What an upstream says of its own failure.
//!
//! Read leniently, because proxies of all kinds answer in place of a provider: the object `error`, or the
//! document itself where it has none, or a text. Sources: `OpenAI` API reference (error object), Anthropic API
//! reference (errors), vLLM (`{"object":"error",…}`), `FastAPI` (`detail`),
//! AWS's front doors (`Message`), Google (`{"error":{code,message,status}}`, in an array where a stream was asked
//! for as one).

use serde_json::value::RawValue;

use super::read::object;
use super::{Malformed, Text};

/// Longest message that is made of a body that is not JSON.
const MESSAGE_BYTES_MAX: usize = 1000;

/// A failure, as far as it was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fault<'a> {
    /// For people.
    pub(crate) message: Text<'a>,
    /// Its class, in the words of the upstream.
    pub(crate) kind: Option<Text<'a>>,
    /// A word for programs; numbers are written as text.
    pub(crate) code: Option<Text<'a>>,
    /// The request field at fault.
    pub(crate) param: Option<Text<'a>>,
}

object! {
    Envelope<'a> {
        error: &'a RawValue,
        message: &'a RawValue,
        capital_message as "Message": &'a RawValue,
        detail: &'a RawValue,
        kind as "type": &'a RawValue,
        status: &'a RawValue,
        code: &'a RawValue,
        param: &'a RawValue,
    }
}

impl<'a> Fault<'a> {
    /// Reads the body of an error reply.
    pub(crate) fn of_body(body: &'a [u8]) -> Self {
        let text = body.trim_ascii();
        let Ok(text) = std::str::from_utf8(text) else {
            return Self::saying(Text::plain("the upstream's error is not text"));
        };
        let first =
            serde_json::from_str::<Vec<&'a RawValue>>(text).ok().and_then(|list| list.first().copied());
        let text = first.map_or(text, RawValue::get);
        if let Ok(envelope) = serde_json::from_str::<Envelope<'a>>(text) {
            return match envelope.error {
                Some(error) => Self::of_error(error),
                None => Self::told(&envelope),
            };
        }
        if text.is_empty() {
            return Self::saying(Text::plain("the upstream gave no reason"));
        }
        let end = text.floor_char_boundary(MESSAGE_BYTES_MAX);
        Self::saying(Text::escape(text.get(..end).unwrap_or_default()))
    }

    /// Reads the value of a member `error`: an object, or just the message.
    pub(crate) fn of_error(error: &'a RawValue) -> Self {
        match serde_json::from_str(error.get()) {
            Ok(envelope) => Self::told(&envelope),
            Err(_) => Self::saying(text_of(error)),
        }
    }

    fn told(envelope: &Envelope<'a>) -> Self {
        let message = envelope.message.or(envelope.capital_message).or(envelope.detail).map(text_of);
        Self {
            message: message.unwrap_or(Text::plain("the upstream gave no reason")),
            kind: envelope.kind.or(envelope.status).and_then(Text::of),
            code: envelope.code.map(text_of),
            param: envelope.param.and_then(Text::of),
        }
    }

    fn saying(message: Text<'a>) -> Self {
        Self { message, ..Self::default() }
    }

    /// That a whole reply is an error in spite of its status.
    pub(crate) fn inside_reply(self) -> Malformed {
        let message = self.message.decode().unwrap_or_default();
        Malformed::new(format!("the reply holds an error: {message}"))
    }

    /// The word for programs, which clients of `OpenAI`'s APIs count on: the upstream's own, or its class.
    pub(crate) fn code(&self, status: Option<u16>) -> Text<'_> {
        let own = self.code.as_ref().or(self.kind.as_ref()).map(Text::borrowed);
        own.unwrap_or_else(|| Text::plain(self.anthropic_kind(status)))
    }

    /// The class in one of Anthropic's words, which clients choose their exception by: from the status where
    /// there is one (not inside a stream), else from the upstream's own word.
    pub(crate) fn anthropic_kind(&self, status: Option<u16>) -> &'static str {
        const KINDS: [&str; 10] = [
            "invalid_request_error",
            "authentication_error",
            "billing_error",
            "permission_error",
            "not_found_error",
            "request_too_large",
            "rate_limit_error",
            "timeout_error",
            "overloaded_error",
            "api_error",
        ];
        let said = self.kind.as_ref().map_or("", Text::raw);
        if let Some(kind) = KINDS.iter().find(|kind| **kind == said) {
            return kind;
        }
        match status {
            Some(401) => "authentication_error",
            Some(402) => "billing_error",
            Some(403) => "permission_error",
            Some(404) => "not_found_error",
            Some(413) => "request_too_large",
            Some(429) => "rate_limit_error",
            // The first is Bedrock's for a model that took too long, and 424 for one that failed. Source: Amazon Bedrock
            // API reference, "Converse" (errors).
            Some(408 | 504) => "timeout_error",
            Some(424) => "api_error",
            Some(503 | 529) => "overloaded_error",
            Some(400..=499) => "invalid_request_error",
            Some(_) => "api_error",
            None => {
                let code = self.code.as_ref().map_or("", Text::raw);
                match (said, code) {
                    _ if said.starts_with("rate_limit") || code.starts_with("rate_limit") => {
                        "rate_limit_error"
                    }
                    ("tokens" | "requests" | "insufficient_quota" | "RESOURCE_EXHAUSTED", _) | (_, "429") => {
                        "rate_limit_error"
                    }
                    ("UNAUTHENTICATED", _) => "authentication_error",
                    ("PERMISSION_DENIED", _) => "permission_error",
                    ("NOT_FOUND", _) => "not_found_error",
                    ("DEADLINE_EXCEEDED", _) => "timeout_error",
                    ("invalid_request" | "BadRequestError" | "INVALID_ARGUMENT", _) | (_, "400") => {
                        "invalid_request_error"
                    }
                    ("overloaded" | "service_unavailable" | "UNAVAILABLE", _) | (_, "503" | "529") => {
                        "overloaded_error"
                    }
                    _ => "api_error",
                }
            }
        }
    }
}

/// A text; what is something else becomes its JSON as text.
fn text_of(value: &RawValue) -> Text<'_> {
    Text::of(value).unwrap_or_else(|| Text::escape(value.get()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_known_shape_tells_its_message() {
        for (body, message) in [
            (r#"{"error":{"message":"a","type":"t","code":null}}"#, "a"),
            (r#"{"type":"error","error":{"type":"overloaded_error","message":"a"}}"#, "a"),
            (r#"{"object":"error","message":"a","code":400}"#, "a"),
            (r#"{"error":"a"}"#, "a"),
            (r#"[{"error":{"code":400,"message":"a","status":"INVALID_ARGUMENT"}}]"#, "a"),
            (r#"{"detail":[1]}"#, "[1]"),
            (r#"{"message":"a","id":"x"}"#, "a"),
            (r#"{"Message":"a"}"#, "a"),
            (" a\n", "a"),
            ("<a \"b\">", r#"<a \"b\">"#),
            ("", "the upstream gave no reason"),
            ("{}", "the upstream gave no reason"),
        ] {
            assert_eq!(Fault::of_body(body.as_bytes()).message.raw(), message, "{body}");
        }
        let long = "ü".repeat(2000);
        assert_eq!(Fault::of_body(long.as_bytes()).message.raw().len(), MESSAGE_BYTES_MAX);
        assert_eq!(Fault::of_body(b"\xff").message.raw(), "the upstream's error is not text");
    }
}
