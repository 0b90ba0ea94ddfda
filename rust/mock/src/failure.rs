//! The mock's error replies, in the shape of the surface that was called.
//!
//! Sources: `OpenAI` API reference (`ErrorResponse`), Anthropic API reference (`ErrorResponse`), googleapis
//! `google/rpc/code.proto`, service model `bedrock-runtime` 2023-09-30 of botocore 1.44, Cohere `OpenAPI`
//! document (`responses`), Ollama's API documentation ("Errors").

use crate::json::{Json, object};
use crate::surface::Family;

/// A reply that is not a success.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: u16,
    pub(crate) message: String,
    /// The request field at fault.
    pub(crate) param: Option<&'static str>,
    /// `OpenAI`'s `error.code`.
    pub(crate) code: Option<&'static str>,
    /// Value of `retry-after`.
    pub(crate) retry_after_s: Option<u64>,
    /// Value of `allow`.
    pub(crate) allow: Option<&'static str>,
}

impl Failure {
    /// An error on order: what a vendor says with this status.
    pub(crate) fn ordered(status: u16, retry_after_s: Option<u64>) -> Self {
        let code = match status {
            401 => Some("invalid_api_key"),
            404 => Some("model_not_found"),
            429 => Some("rate_limit_exceeded"),
            _ => None,
        };
        let message = format!("The mock was asked to answer with status {status}.");
        Self { status, message, param: None, code, retry_after_s, allow: None }
    }

    /// The request is at fault (400).
    pub(crate) fn bad_request(param: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { status: 400, message: message.into(), param, code: None, retry_after_s: None, allow: None }
    }

    /// Nothing of that name (404).
    pub(crate) fn not_found(code: Option<&'static str>, message: impl Into<String>) -> Self {
        Self { status: 404, code, ..Self::bad_request(None, message) }
    }

    /// The path knows another method (405).
    pub(crate) fn method(allow: &'static str) -> Self {
        let message = format!("method: this path is called with {allow}");
        Self { status: 405, allow: Some(allow), ..Self::bad_request(None, message) }
    }

    /// The body is too large for the mock (413).
    pub(crate) fn too_large(bytes_max: usize) -> Self {
        Self {
            status: 413,
            ..Self::bad_request(None, format!("body: larger than the mock's {bytes_max} bytes"))
        }
    }

    /// The JSON body.
    pub(crate) fn body(&self, family: Family, request_id: &str) -> Json {
        match family {
            Family::OpenAi => object! {"error": object! {
                "message": self.message,
                "type": openai_type(self.status),
                "param": self.param,
                "code": self.code,
            }},
            Family::Anthropic => object! {
                "type": "error",
                "error": object! {"type": anthropic_type(self.status), "message": self.message},
                "request_id": request_id,
            },
            Family::Google => object! {"error": object! {
                "code": u64::from(self.status), "message": self.message, "status": google_status(self.status),
            }},
            Family::Amazon => object! {"message": self.message},
            Family::Cohere => object! {"id": request_id, "message": self.message},
            Family::Ollama => object! {"error": self.message},
        }
    }

    /// The name of Amazon's exception, which its replies have in their head.
    pub(crate) fn amazon_exception(&self) -> &'static str {
        match self.status {
            404 | 405 if self.code != Some("model_not_found") => "UnknownOperationException",
            401 | 403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            408 => "ModelTimeoutException",
            424 => "ModelErrorException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            500.. => "InternalServerException",
            _ => "ValidationException",
        }
    }
}

fn google_status(status: u16) -> &'static str {
    match status {
        401 => "UNAUTHENTICATED",
        403 => "PERMISSION_DENIED",
        404 => "NOT_FOUND",
        429 => "RESOURCE_EXHAUSTED",
        503 => "UNAVAILABLE",
        504 => "DEADLINE_EXCEEDED",
        500.. => "INTERNAL",
        _ => "INVALID_ARGUMENT",
    }
}

fn openai_type(status: u16) -> &'static str {
    match status {
        429 => "requests",
        500.. => "server_error",
        _ => "invalid_request_error",
    }
}

fn anthropic_type(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        503 | 529 => "overloaded_error",
        500.. => "api_error",
        _ => "invalid_request_error",
    }
}
