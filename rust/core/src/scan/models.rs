//! `models`: whom a client would have asked, one after the other.
//!
//! No provider's own API but `OpenRouter`'s knows the member, so that it is taken out of the body once it was read.
//! Source: `OpenRouter` API reference, "Model fallbacks".

use super::{Edit, Elements, Members, Scan, ScanError, ScanErrorKind, Text, escape_json, splice};
use crate::span::Span;

/// Most names in `models`; the message below says it too.
const MODELS_MAX: usize = 8;

/// What `models` says.
#[derive(Debug, PartialEq, Eq)]
pub struct Models {
    /// `model`, where it is there, and those of `models`, each once.
    pub names: Vec<String>,
    /// The body without `models`, and with a `model`.
    pub body: Vec<u8>,
}

impl Models {
    /// Reads the member that `scan` found in `body`; `None` where it found none.
    ///
    /// # Errors
    /// [`ScanError`] when it is no array of strings, empty or too long, or a name is not UTF-8.
    pub fn read(body: &[u8], scan: &Scan) -> Result<Option<Self>, ScanError> {
        let Some(member) = scan.models else { return Ok(None) };
        let wrong = |at: usize| {
            let expected = "an array of 1 to 8 names of models, each a string";
            ScanError::new(ScanErrorKind::WrongType { field: "models", expected }, at)
        };
        let mut names = Vec::new();
        if let Some(model) = &scan.model {
            names.push(model.decode(body)?.into_owned());
        }
        let Some(found) = Members::from_key(body, member.start as usize).next()? else { return Ok(None) };
        let value = found.value(body);
        let Some(mut elements) = Elements::of(value) else { return Err(wrong(found.value_start)) };
        let mut count = 0;
        while let Some(element) = elements.next()? {
            let [b'"', inner @ .., b'"'] = element else { return Err(wrong(found.value_start)) };
            let name = Text { raw: Span::new(0, inner.len()), escaped: inner.contains(&b'\\') };
            let name = name.decode(inner).map_err(|_| wrong(found.value_start))?;
            if !names.iter().any(|known| *known == name) {
                names.push(name.into_owned());
            }
            count += 1;
        }
        if !(1..=MODELS_MAX).contains(&count) {
            return Err(wrong(found.value_start));
        }
        let mut rest = without(body, member);
        if scan.model.is_none()
            && let Some(first) = names.first()
        {
            rest = with_model(&rest, first)?;
        }
        Ok(Some(Self { names, body: rest }))
    }
}

/// `body` without a member and one of the commas around it.
fn without(body: &[u8], member: Span) -> Vec<u8> {
    let (before, rest) = body.split_at_checked(member.start as usize).unwrap_or_default();
    let after = rest.get(member.len()..).unwrap_or_default();
    if let Some(after) = after.trim_ascii_start().strip_prefix(b",") {
        return [before, after.trim_ascii_start()].concat();
    }
    let before = before.trim_ascii_end();
    [before.strip_suffix(b",").unwrap_or(before).trim_ascii_end(), after].concat()
}

/// `body`, which names no model, with one: in the place of a null, or else in front of everything.
///
/// # Errors
/// [`ScanError`] where it is no JSON object.
pub fn with_model(body: &[u8], model: &str) -> Result<Vec<u8>, ScanError> {
    let mut text = vec![b'"'];
    escape_json(&mut text, model);
    text.push(b'"');
    let mut members = Members::of_document(body)?;
    let mut is_empty = true;
    while let Some(member) = members.next()? {
        if member.key.decode(body)? == "model" {
            let span = Span::new(member.value_start, member.value_end);
            return Ok(splice(body, Some(Edit { span, text: &text }), None).concat());
        }
        is_empty = false;
    }
    let comma: &[u8] = if is_empty { b"" } else { b"," };
    let at = body.iter().position(|byte| *byte == b'{').map_or(0, |open| open + 1);
    let text = [b"\"model\":", text.as_slice(), comma].concat();
    Ok(splice(body, Some(Edit { span: Span::new(at, at), text: &text }), None).concat())
}

#[cfg(test)]
mod tests {
    use super::super::scan;
    use super::*;
    use crate::surface::Dialect;

    fn read(body: &str) -> Result<Option<(Vec<String>, String)>, ScanError> {
        let scan = scan(body.as_bytes(), Dialect::OpenaiChat)?;
        let models = Models::read(body.as_bytes(), &scan)?;
        Ok(models.map(|models| (models.names, String::from_utf8(models.body).unwrap())))
    }

    #[test]
    fn the_member_goes_wherever_it_stands() {
        for (body, left) in [
            (r#"{"model":"a","models":["b","c"],"n":1}"#, r#"{"model":"a","n":1}"#),
            (r#"{"models" : ["b", "c"] , "model":"a"}"#, r#"{"model":"a"}"#),
            (r#"{"model":"a" , "models":["b","a","c"] }"#, r#"{"model":"a" }"#),
        ] {
            let (names, rest) = read(body).unwrap().unwrap();
            assert_eq!((names.join(" ").as_str(), rest.as_str()), ("a b c", left), "{body}");
        }
    }

    #[test]
    fn the_first_of_them_is_the_model_where_none_is_named() {
        for (body, with) in [
            (r#"{"n":1,"models":["x\"y","b"]}"#, r#"{"model":"x\"y","n":1}"#),
            (r#"{"models":["x\"y","b"]}"#, r#"{"model":"x\"y"}"#),
            (r#"{"mod\u0065l": null,"models":["x\"y","b"]}"#, r#"{"mod\u0065l": "x\"y"}"#),
        ] {
            let (names, rest) = read(body).unwrap().unwrap();
            assert_eq!((names.join(" ").as_str(), rest.as_str()), ("x\"y b", with), "{body}");
        }
    }

    #[test]
    fn what_is_no_list_of_names_is_refused_and_null_is_nothing() {
        assert_eq!(read(r#"{"model":"a","models":null}"#).unwrap(), None);
        let many = format!(r#"{{"models":[{}]}}"#, [r#""a""#; MODELS_MAX + 1].join(","));
        for body in [r#"{"models":"a"}"#, r#"{"models":[]}"#, r#"{"models":["a",1]}"#, many.as_str()] {
            let error = read(body).unwrap_err();
            assert!(
                matches!(error.kind, ScanErrorKind::WrongType { field: "models", .. }),
                "{body}: {error:?}"
            );
        }
    }
}
