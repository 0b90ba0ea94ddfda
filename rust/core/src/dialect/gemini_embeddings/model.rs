//! The model's name in the body, which must be the one in the path: Google refuses any other.

use std::borrow::Cow;
use std::ops::Range;

use crate::scan::{Elements, Member, Members, escape_json};
use crate::span::Span;

/// The name of a model as bodies have it.
pub(super) fn name(model: &str) -> Cow<'_, str> {
    // Those of a user's own.
    if model.starts_with("models/") || model.starts_with("tunedModels/") {
        Cow::Borrowed(model)
    } else {
        Cow::Owned(format!("models/{model}"))
    }
}

/// The body of `embedContent` or `batchEmbedContents` with `model` wherever it names one, and every other byte as it
/// came. What is no JSON is left for Google to refuse.
pub fn renamed(body: &[u8], model: &str) -> Vec<u8> {
    let name = name(model);
    let mut out = Vec::with_capacity(body.len() + name.len());
    let mut kept = 0;
    for place in places(body) {
        out.extend_from_slice(body.get(kept..place.start).unwrap_or_default());
        out.push(b'"');
        escape_json(&mut out, &name);
        out.push(b'"');
        kept = place.end;
    }
    out.extend_from_slice(body.get(kept..).unwrap_or_default());
    out
}

/// Where the names stand, quotes and all, in order.
fn places(body: &[u8]) -> Vec<Range<usize>> {
    let mut places = Vec::new();
    let Ok(mut members) = Members::of_document(body) else { return places };
    while let Ok(Some(member)) = members.next() {
        if is(&member, "requests", body) {
            let Some(mut requests) = Elements::of(member.value(body)) else { continue };
            while let Ok(Some(request)) = requests.next() {
                let start = Span::within(request, body).start as usize;
                let Some(mut members) = Members::of_value(body, start) else { continue };
                while let Ok(Some(member)) = members.next() {
                    places.extend(named(&member, body));
                }
            }
        } else {
            places.extend(named(&member, body));
        }
    }
    places
}

/// Where the name stands, if this is the member that holds it.
fn named(member: &Member, body: &[u8]) -> Option<Range<usize>> {
    let is_name = is(member, "model", body) && member.value(body).starts_with(b"\"");
    is_name.then_some(member.value_start..member.value_end)
}

fn is(member: &Member, name: &str, body: &[u8]) -> bool {
    member.key.decode(body).is_ok_and(|key| key == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_models_are_changed() {
        for (body, expected) in [
            (
                r#"{"content": {"model":"x"}, "model" : "models/a/m"}"#,
                r#"{"content": {"model":"x"}, "model" : "models/é\"m"}"#,
            ),
            (
                r#" {"requests":[ {"model":"models/a/m","title":"model"},{},{"mod\u0065l":"","content":{"parts":[]}} ]}"#,
                r#" {"requests":[ {"model":"models/é\"m","title":"model"},{},{"mod\u0065l":"models/é\"m","content":{"parts":[]}} ]}"#,
            ),
            (r#"{"model":null,"requests":{"model":"x"}}"#, r#"{"model":null,"requests":{"model":"x"}}"#),
            (
                r#"{"model":"x","requests":[{"model":"x"},[],{"model":"#,
                r#"{"model":"models/é\"m","requests":[{"model":"x"},[],{"model":"#,
            ),
            ("[]", "[]"),
        ] {
            assert_eq!(String::from_utf8(renamed(body.as_bytes(), "é\"m")).unwrap(), expected);
        }
        assert_eq!(renamed(br#"{"model":"x"}"#, "tunedModels/m"), br#"{"model":"tunedModels/m"}"#);
    }
}
