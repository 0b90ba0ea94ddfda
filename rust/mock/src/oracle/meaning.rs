//! What a reader takes from a reply, whatever bytes say it: for gateways that write replies anew.
//!
//! Text alone is compared, so ids, order of members, usage and further events may differ. Source of what ends a
//! stream and what is an error: the official SDKs, as in [`super::verdict`].

use serde_json::Value;

use super::ask::Dialect;
use super::sse;

/// What Google's SDK looks for at the head of a chunk.
pub(super) const GOOGLE_RAISES_ON: &[u8] = b"{\"error\":";

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Meaning {
    /// All text, in order.
    pub text: String,
    /// The stream's terminal event, or a document's finish reason, was there.
    pub ended: bool,
    /// What the SDK raises on.
    pub error: Option<String>,
}

impl Meaning {
    /// Of a whole document.
    pub fn of_document(dialect: Dialect, body: &[u8]) -> Self {
        let Ok(document) = serde_json::from_slice::<Value>(body) else {
            return Self { error: Some("the document is not JSON".to_owned()), ..Self::default() };
        };
        let at = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
        let parts = |pointer: &str| {
            let parts = document.pointer(pointer).and_then(Value::as_array);
            parts.into_iter().flatten().filter_map(|part| part.get("text")?.as_str()).collect::<String>()
        };
        let (text, ended) = match dialect {
            Dialect::Chat => {
                (at("/choices/0/message/content").to_owned(), !at("/choices/0/finish_reason").is_empty())
            }
            Dialect::Completions => {
                (at("/choices/0/text").to_owned(), !at("/choices/0/finish_reason").is_empty())
            }
            Dialect::Responses => (parts("/output/0/content"), at("/status") == "completed"),
            Dialect::Messages => (parts("/content"), !at("/stop_reason").is_empty()),
            Dialect::Gemini => {
                (parts("/candidates/0/content/parts"), !at("/candidates/0/finishReason").is_empty())
            }
            Dialect::Embeddings => {
                (document.pointer("/data").map(Value::to_string).unwrap_or_default(), true)
            }
        };
        let error = document.get("error").filter(|error| !error.is_null()).map(Value::to_string);
        Self { text, ended, error }
    }

    /// Of an event stream, as far as it came.
    pub fn of_stream(dialect: Dialect, body: &[u8]) -> Self {
        let sse::Stream { mut events, pending } = sse::read(body);
        events.extend(pending);
        let mut found = Self::default();
        for event in events {
            if event.data == b"[DONE]" {
                found.ended |= matches!(dialect, Dialect::Chat | Dialect::Completions);
                continue;
            }
            let Ok(data) = serde_json::from_slice::<Value>(&event.data) else {
                found.error.get_or_insert_with(|| "an event that is not JSON".to_owned());
                continue;
            };
            found.take(dialect, &event, &data);
        }
        found
    }

    fn take(&mut self, dialect: Dialect, event: &sse::Read, data: &Value) {
        let kind = data.get("type").and_then(Value::as_str).unwrap_or_default();
        let raised = match dialect {
            Dialect::Messages => event.name == b"error" || kind == "error",
            Dialect::Responses => matches!(kind, "error" | "response.failed") || data.get("error").is_some(),
            Dialect::Gemini => event.data.starts_with(GOOGLE_RAISES_ON),
            Dialect::Chat | Dialect::Completions | Dialect::Embeddings => {
                data.get("error").is_some_and(|error| !error.is_null())
            }
        };
        // vLLM's older streams say it so; whoever passes that on has hidden nothing.
        if raised || data.get("object").and_then(Value::as_str) == Some("error") {
            self.error.get_or_insert_with(|| data.to_string());
            return;
        }
        let text = match dialect {
            Dialect::Chat => data.pointer("/choices/0/delta/content"),
            Dialect::Completions => data.pointer("/choices/0/text"),
            Dialect::Responses if kind == "response.output_text.delta" => data.get("delta"),
            Dialect::Messages if kind == "content_block_delta" => data.pointer("/delta/text"),
            Dialect::Gemini => data.pointer("/candidates/0/content/parts/0/text"),
            _ => None,
        };
        self.text.push_str(text.and_then(Value::as_str).unwrap_or_default());
        self.ended |= match dialect {
            Dialect::Responses => kind == "response.completed",
            Dialect::Messages => kind == "message_stop",
            Dialect::Gemini => {
                let reason = data.pointer("/candidates/0/finishReason").and_then(Value::as_str);
                reason.is_some_and(|reason| !reason.is_empty())
            }
            Dialect::Chat | Dialect::Completions | Dialect::Embeddings => false,
        };
    }
}
