//! `OpenAI` text completions. Source: `CreateCompletionResponse`. Thinking and calls have no place here.

use serde_json::Value;

use super::chat;
use crate::ask::{self, Ask, Thinking, field};
use crate::failure::Failure;
use crate::json::{Json, object};
use crate::pieces;
use crate::script::Script;
use crate::tape::Tape;
use crate::ticket::Ticket;

/// Understands a request.
pub(crate) fn read(body: &Value) -> Result<Ask, Failure> {
    for (key, message) in
        [("n", "n: the mock gives one choice"), ("best_of", "best_of: the mock gives one choice")]
    {
        if field(body, key).is_some_and(|n| n.as_u64() != Some(1)) {
            return Err(Failure::bad_request(Some(key), message));
        }
    }
    let (user_text, token_ids) = prompt(body)?;
    Ok(Ask {
        input_tokens: (pieces::count(&user_text) + token_ids).max(1),
        user_text,
        output_limit: ask::limit(body, "max_tokens")?,
        stops: ask::strings(body, "stop"),
        stream: ask::flag(body, "stream")?,
        include_usage: chat::include_usage(body),
        thinking: Thinking::Off,
        ..Ask::default()
    })
}

/// The prompt as text, or the number of its token ids.
fn prompt(body: &Value) -> Result<(String, u64), Failure> {
    let wrong = |message: &str| Err(Failure::bad_request(Some("prompt"), message));
    match body.get("prompt") {
        Some(Value::String(text)) => Ok((text.clone(), 0)),
        Some(Value::Array(items)) => match items.as_slice() {
            [] => wrong("prompt: must not be empty"),
            [Value::String(text)] => Ok((text.clone(), 0)),
            ids if ids.iter().all(Value::is_u64) => {
                Ok((String::new(), u64::try_from(ids.len()).unwrap_or(u64::MAX)))
            }
            _ => wrong("prompt: the mock takes one string or one list of token ids"),
        },
        _ => wrong("prompt: must be a string, a list of one string, or a list of token ids"),
    }
}

/// The whole reply.
pub(crate) fn unary(script: &Script, ticket: &mut Ticket<'_>) -> Json {
    let choice = choice(script.text().unwrap_or_default(), Some(chat::finish_reason(&script.finish)));
    object! {
        "id": ticket.id("cmpl-", 29),
        "object": "text_completion",
        "created": ticket.created,
        "model": ticket.model,
        "choices": [choice],
        "usage": chat::usage(script.usage),
        "system_fingerprint": "fp_mock",
    }
}

fn choice(text: &str, finish_reason: Option<&str>) -> Json {
    object! {"text": text, "index": 0_u64, "logprobs": (), "finish_reason": finish_reason}
}

/// The reply as a stream.
pub(crate) fn stream(script: &Script, ticket: &mut Ticket<'_>) -> Tape {
    let id = ticket.id("cmpl-", 29);
    let chunk = |choices: &[Json], usage: Option<Json>| {
        let mut chunk = object! {
            "id": id,
            "object": "text_completion",
            "created": ticket.created,
            "choices": choices,
            "model": ticket.model,
            "system_fingerprint": "fp_mock",
        };
        if ticket.include_usage {
            chunk.put("usage", &usage);
        }
        chunk
    };
    let mut tape = Tape::default();
    for run in pieces::runs(script.text().unwrap_or_default(), script.run) {
        tape.data(&chunk(&[choice(run, None)], None), true);
    }
    tape.data(&chunk(&[choice("", Some(chat::finish_reason(&script.finish)))], None), false);
    if ticket.include_usage {
        tape.data(&chunk(&[], Some(chat::usage(script.usage))), false);
    }
    tape.done();
    tape
}
