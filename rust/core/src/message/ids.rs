//! Ids of replies, and of the calls in them, where the upstream gives none.
//!
//! Invariant: they are made of the request alone, so that a reply has the same ids whole and streamed, and those of two
//! turns of a conversation differ.

use std::borrow::Cow;

use super::{Part, Reply, Text};
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

/// Of what ids are made for the calls of a reply that have none.
#[derive(Debug)]
pub(crate) struct CallIds<'s> {
    seed: Cow<'s, str>,
    /// The number of the answer that they are of.
    answer: u64,
}

impl<'s> CallIds<'s> {
    pub(crate) fn new(seed: impl Into<Cow<'s, str>>) -> Self {
        Self { seed: seed.into(), answer: 0 }
    }

    /// What follows is of the answer of this number.
    pub(super) const fn turn_to(&mut self, answer: u64) {
        self.answer = answer;
    }

    /// An id for the call at this place, where it has none.
    pub(super) fn name(&self, id: &mut Text<'_>, call: usize) {
        if id.is_empty() {
            let Self { seed, answer } = self;
            *id = Text::escaped(match answer {
                0 => format!("call_{seed}_{call}"),
                _ => format!("call_{seed}_{answer}_{call}"),
            });
        }
    }

    /// The same for all calls of these parts.
    fn name_all(&self, parts: &mut [Part<'_>]) {
        let ids = parts.iter_mut().filter_map(|part| match part {
            Part::ToolCall { id, .. } => Some(id),
            _ => None,
        });
        ids.enumerate().for_each(|(call, id)| self.name(id, call));
    }
}

/// The same for all calls of a whole reply.
pub(crate) fn name_calls(reply: &mut Reply<'_>, seed: &str) {
    let mut ids = CallIds::new(seed);
    ids.name_all(&mut reply.parts);
    for choice in &mut reply.further {
        ids.turn_to(choice.index);
        ids.name_all(&mut choice.parts);
    }
}
