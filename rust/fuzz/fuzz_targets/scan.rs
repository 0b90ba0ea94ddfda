//! Request scan: where both accept a body, the fields seen are those of a full parser; a body cut short is
//! refused; a spliced body is the same but for its model, and one without `models` the same but for that.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::scan::{Edit, Models, Scan, escape_json, scan, splice};
use llm_edge_core::stream_usage;
use llm_edge_core::surface::Dialect;
use serde_json::{Map, Value};

fn parsed(body: &[u8]) -> Option<Map<String, Value>> {
    let mut parser = serde_json::Deserializer::from_slice(body);
    let value: Value = serde::Deserialize::deserialize(&mut parser).ok()?;
    parser.end().ok()?;
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

fn model(found: &Scan, body: &[u8]) -> Option<String> {
    found.model.and_then(|text| text.decode(body).ok()).map(std::borrow::Cow::into_owned)
}

fuzz_target!(|input: (u8, &[u8])| {
    let (which, body) = input;
    let dialect = Dialect::ALL[usize::from(which) % Dialect::ALL.len()];
    let Ok(found) = scan(body, dialect) else { return };
    for cut in 0..body.trim_ascii_end().len().min(300) {
        assert!(scan(&body[..cut], dialect).is_err(), "accepted when cut at {cut}");
    }
    if let Some(members) = parsed(body) {
        // The parser keeps the last of equal keys; the scan refuses those it acts on.
        let named = members.get("model").and_then(Value::as_str).filter(|_| names_model(dialect));
        assert_eq!(model(&found, body).as_deref(), named);
        assert_eq!(found.stream, members.get("stream").and_then(Value::as_bool).filter(|_| streams(dialect)));
        for member in found.irrelevant.spans() {
            let alone = [b"{", member.of(body), b"}"].concat();
            assert_eq!(parsed(&alone).map(|m| m.len()), Some(1));
        }
    }
    if let Ok(Some(models)) = Models::read(body, &found) {
        let again = scan(&models.body, dialect).expect("a body without `models` is as good as with it");
        assert_eq!(again.models, None);
        assert_eq!(model(&again, &models.body).as_deref(), models.names.first().map(String::as_str));
        if let Some(mut members) = parsed(body) {
            members.remove("models");
            members.insert("model".to_owned(), Value::String(models.names[0].clone()));
            assert_eq!(parsed(&models.body), Some(members));
        }
    }
    if let Some(text) = found.model {
        let mut name = Vec::new();
        escape_json(&mut name, "a\"b\\\u{1}ü");
        let usage = stream_usage::ask(body, dialect, &found);
        let spliced = splice(body, Some(Edit { span: text.raw, text: &name }), usage).concat();
        let again = scan(&spliced, dialect).expect("a spliced body is as good as the old one");
        assert_eq!(model(&again, &spliced).as_deref(), Some("a\"b\\\u{1}ü"));
        assert_eq!(
            (again.stream, again.max_tokens, again.tools),
            (found.stream, found.max_tokens, found.tools)
        );
        assert_eq!(again.include_usage, if usage.is_some() { Some(true) } else { found.include_usage });
    }
});

/// Whether its bodies name the model; others have it in the path, or are written here only.
fn names_model(dialect: Dialect) -> bool {
    use Dialect::{
        AnthropicMessages, CohereChat, OpenaiChat, OpenaiCompletions, OpenaiEmbeddings, OpenaiResponses,
        Rerank,
    };
    matches!(
        dialect,
        OpenaiChat
            | OpenaiCompletions
            | OpenaiResponses
            | OpenaiEmbeddings
            | AnthropicMessages
            | CohereChat
            | Rerank
    )
}

/// Whether its bodies say whether the reply is a stream.
fn streams(dialect: Dialect) -> bool {
    names_model(dialect) && !matches!(dialect, Dialect::OpenaiEmbeddings | Dialect::Rerank)
}
