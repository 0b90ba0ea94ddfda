//! Ids of replies, and of the calls in them, where the upstream gives none.
//!
//! Invariant: they are made of the request alone, so that a reply has the same ids whole and streamed, and those of two
//! turns of a conversation differ.

use super::{Part, Text};
use crate::translate::{Context, Options};

/// Hexadecimal digits of what is made of a request.
const DIGITS: usize = 24;

/// What is different in every request. The client may choose its id, and give one to all turns of a conversation.
pub(crate) fn seed(options: &Options<'_>, body: &str) -> String {
    let mut hasher = blake3::Hasher::new();
    hasher.update(options.request_id.as_bytes());
    hasher.update(&options.created_s.to_le_bytes());
    hasher.update(&body.len().to_le_bytes());
    let mut digits = hasher.finalize().to_hex().to_string();
    digits.truncate(DIGITS);
    digits
}

/// The reply's own id, or one that begins as the client's API has it.
pub(crate) fn reply_id(own: Option<&Text<'_>>, prefix: &str, context: &Context) -> Text<'static> {
    match own {
        Some(id) => id.clone().into_owned(),
        None => Text::escaped(format!("{prefix}{}", context.reply_seed)),
    }
}

/// An id for the call at this place, where it has none.
pub(crate) fn name_call(id: &mut Text<'_>, call: usize, seed: &str) {
    if id.is_empty() {
        *id = Text::escaped(format!("call_{seed}_{call}"));
    }
}

/// The same for all calls of a whole reply.
pub(crate) fn name_calls(parts: &mut [Part<'_>], seed: &str) {
    let ids = parts.iter_mut().filter_map(|part| match part {
        Part::ToolCall { id, .. } => Some(id),
        _ => None,
    });
    ids.enumerate().for_each(|(call, id)| name_call(id, call, seed));
}
