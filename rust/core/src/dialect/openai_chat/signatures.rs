//! Google's signatures on calls, and where in a turn each belongs.
//!
//! A signature must come back on the part that it came with, and a message of this dialect tells reasoning, text and
//! calls apart, so that the order among them is lost. So a call that is signed has its signature on it, in the member
//! that Google's own endpoint of this form has for it. It stands in `thinking_blocks` too, where it tells between which
//! calls the other blocks were, and is all there is for clients that know those only.
//!
//! Source: Gemini API documentation, "Thought signatures" and "`OpenAI` compatibility".

use std::collections::BTreeSet;

use serde_json::value::RawValue;

use super::wire;
use crate::message::json::Json;
use crate::message::{Block, Maker, Part, Text};

/// The signature on reasoning, where it is Google's.
pub(super) fn of_google<'a>(signature: Option<&Text<'a>>) -> Option<Text<'a>> {
    signature.and_then(|sealed| Maker::Google.unseal(sealed))
}

/// Writes the member that a signed call has.
pub(super) fn extra_content(signature: &Text<'_>, out: &mut Vec<u8>) {
    out.key("extra_content").open(b'{');
    out.key("google").open(b'{');
    out.key("thought_signature").text(signature);
    out.close(b'}');
    out.close(b'}');
}

/// The signature in that member, as the canonical form has it.
pub(super) fn sealed(extra_content: &RawValue) -> Option<Text<'_>> {
    let extra: wire::ExtraContent<'_> = serde_json::from_str(extra_content.get()).ok()?;
    let signature = extra.google?.thought_signature.filter(|signature| !signature.is_empty())?;
    Some(Maker::Google.seal(signature))
}

/// A call, and the signature that stands on it.
pub(super) struct Call<'a> {
    pub(super) block: Block<'a>,
    pub(super) signature: Option<Text<'a>>,
}

/// The signature of a block of reasoning.
fn signature<'p, 'a>(part: &'p Part<'a>) -> Option<&'p Text<'a>> {
    match part {
        Part::Thinking { signature, .. } => signature.as_ref(),
        _ => None,
    }
}

impl Call<'_> {
    /// Where among the blocks of reasoning its signature is.
    fn place(&self, thoughts: &[Part<'_>]) -> Option<usize> {
        let own = self.signature.as_ref()?;
        thoughts.iter().position(|part| signature(part) == Some(own))
    }
}

/// What a message says in the order in which it was said, as far as it can be told: reasoning, text, calls, and each
/// signature in front of its call.
pub(super) fn in_order<'a>(
    mut thoughts: Vec<Part<'a>>,
    mut said: Vec<Block<'a>>,
    calls: Vec<Call<'a>>,
) -> Vec<Block<'a>> {
    let block = |part| Block { part, cache: None };
    let mut all = Vec::with_capacity(thoughts.len() + said.len() + calls.len());
    // Looked up before it is looked for: a request may hold thousands of both.
    let mut known: BTreeSet<String> = if calls.iter().any(|call| call.signature.is_some()) {
        thoughts.iter().filter_map(signature).map(|signature| signature.raw().to_owned()).collect()
    } else {
        BTreeSet::new()
    };
    if !calls.iter().any(|call| call.signature.as_ref().is_some_and(|own| known.contains(own.raw()))) {
        all.extend(thoughts.drain(..).map(block));
    }
    for call in calls {
        let is_known = call.signature.as_ref().is_some_and(|own| known.remove(own.raw()));
        let place = if is_known { call.place(&thoughts) } else { None };
        let own = place.map(|at| thoughts.split_off(at));
        if let Some(mut from) = own {
            // What is behind it was told behind the call.
            let behind = from.split_off(1);
            all.extend(std::mem::replace(&mut thoughts, behind).into_iter().map(block));
            all.append(&mut said);
            all.extend(from.into_iter().map(block));
        } else {
            all.append(&mut said);
            let signature = call.signature.map(Some);
            all.extend(signature.map(|signature| block(Part::Thinking { text: Text::default(), signature })));
        }
        all.push(call.block);
    }
    all.append(&mut said);
    all.extend(thoughts.into_iter().map(block));
    all
}
