//! Anthropic's requests in the form of a platform that serves its models under its own address.
//!
//! Single members of the body change; all others stay byte for byte as they came. Source: "Claude on Vertex AI"
//! (platform.claude.com); the SDK `anthropic` 2.12, `lib/vertex`.

use crate::dialect::Platform;
use crate::scan::{Edit, Members, white_space};
use crate::span::Span;

/// The value of [`VERSION`].
pub(super) const VERTEX_VERSION: &str = "vertex-2023-10-16";

/// The member that stands for the header `anthropic-version`.
const VERSION: &str = "anthropic_version";

/// What of a body changes; the two do not overlap.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// The whole member that names the model gives way.
    pub model: Option<Edit<'static>>,
    /// The version is put in.
    pub version: Option<Edit<'static>>,
}

/// How `body`, in which the scan found a model, changes for `platform`; `in_path`: the path names the model. A
/// version that the client gave stays.
pub fn changes(body: &[u8], platform: Platform, in_path: bool) -> Changes {
    match platform {
        Platform::Own => Changes::default(),
        Platform::Vertex => vertex(body, in_path),
    }
}

fn vertex(body: &[u8], in_path: bool) -> Changes {
    const MEMBER: &[u8] = br#""anthropic_version":"vertex-2023-10-16""#;
    const FIRST: &[u8] = br#""anthropic_version":"vertex-2023-10-16","#;
    let Found { model, has_version } = find(body);
    match model.filter(|_| in_path) {
        Some(Model { member, .. }) if !has_version => {
            Changes { model: Some(Edit { span: member, text: MEMBER }), version: None }
        }
        Some(Model { with_comma, .. }) => {
            Changes { model: Some(Edit { span: with_comma, text: b"" }), version: None }
        }
        None if has_version => Changes::default(),
        None => {
            let behind_brace = white_space(body, 0) + 1;
            let span = Span::new(behind_brace, behind_brace);
            Changes { model: None, version: Some(Edit { span, text: FIRST }) }
        }
    }
}

#[derive(Default)]
struct Found {
    model: Option<Model>,
    has_version: bool,
}

/// Where the member is that names the model.
#[derive(Clone, Copy)]
struct Model {
    member: Span,
    /// With the comma that goes with it.
    with_comma: Span,
}

fn find(body: &[u8]) -> Found {
    let mut found = Found::default();
    let Ok(mut members) = Members::of_document(body) else { return found };
    let mut before_end = None;
    while let Ok(Some(member)) = members.next() {
        if let Some(Model { member: own, with_comma }) = &mut found.model
            && own == with_comma
        {
            // It was the first: the comma behind it goes.
            with_comma.end = Span::new(0, member.start).end;
        }
        match member.key.decode(body) {
            Ok(key) if key == "model" => {
                let own = Span::new(member.start, member.value_end);
                let with_comma = Span::new(before_end.unwrap_or(member.start), member.value_end);
                found.model = Some(Model { member: own, with_comma });
            }
            Ok(key) => found.has_version |= key == VERSION,
            Err(_) => {}
        }
        before_end = Some(member.value_end);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::splice;

    fn formed(body: &str, in_path: bool) -> String {
        let Changes { model, version } = changes(body.as_bytes(), Platform::Vertex, in_path);
        String::from_utf8(splice(body.as_bytes(), model, version).concat()).unwrap()
    }

    #[test]
    fn the_version_stands_where_the_model_stood() {
        for (body, with) in [
            (
                r#"{"model":"claude","max_tokens":1}"#,
                r#"{"anthropic_version":"vertex-2023-10-16","max_tokens":1}"#,
            ),
            (
                r#" { "max_tokens" : 1 , "mod\u0065l" : "a\"b" , "stream":true } "#,
                r#" { "max_tokens" : 1 , "anthropic_version":"vertex-2023-10-16" , "stream":true } "#,
            ),
            (
                r#"{"system":"{\"model\":1}","metadata":{"model":"x"},"model":"m"}"#,
                r#"{"system":"{\"model\":1}","metadata":{"model":"x"},"anthropic_version":"vertex-2023-10-16"}"#,
            ),
        ] {
            assert_eq!(formed(body, true), with);
        }
    }

    #[test]
    fn a_version_that_the_client_gave_stays_and_the_model_goes_with_one_comma() {
        for (body, with) in [
            (r#"{"model":"m","anthropic_version":"v"}"#, r#"{"anthropic_version":"v"}"#),
            (r#"{"anthropic\u005fversion":"v" , "model":"m"}"#, r#"{"anthropic\u005fversion":"v"}"#),
            (r#"{"a":1, "model":"m", "anthropic_version":"v"}"#, r#"{"a":1, "anthropic_version":"v"}"#),
            (r#"{ "model":"m" , "a":1,"anthropic_version":"v"}"#, r#"{ "a":1,"anthropic_version":"v"}"#),
        ] {
            assert_eq!(formed(body, true), with);
        }
    }

    #[test]
    fn a_model_that_the_path_does_not_name_stays() {
        assert_eq!(
            formed(r#" {"model":"m","messages":[]}"#, false),
            r#" {"anthropic_version":"vertex-2023-10-16","model":"m","messages":[]}"#
        );
        let given = r#"{"model":"m","anthropic_version":"v"}"#;
        assert_eq!(formed(given, false), given);
    }

    #[test]
    fn in_the_form_of_the_api_nothing_changes() {
        let body = br#"{"model":"m"}"#;
        assert_eq!(changes(body, Platform::Own, true), Changes::default());
    }
}
