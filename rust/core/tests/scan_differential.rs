//! The scan against a full parser: it sees the same fields, or it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "in a test a panic is the finding"
)]

use std::path::{Path, PathBuf};

use llm_edge_core::scan::scan;
use llm_edge_core::surface::Dialect;
use proptest::collection::vec;
use proptest::prelude::*;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;

/// The fields of a chat request as a full parser sees them. The last of equal keys wins, as in most parsers.
#[derive(Debug, Default, PartialEq)]
struct Fields {
    model: Option<String>,
    stream: Option<bool>,
    max_tokens: Option<u64>,
    include_usage: Option<bool>,
    tools: bool,
}

/// Parses the whole document with every key kept. `None`: no JSON, no object, or a field of a wrong type.
fn parsed(body: &[u8]) -> Option<Fields> {
    struct Pairs;
    impl<'de> Visitor<'de> for Pairs {
        type Value = Vec<(String, Value)>;
        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object")
        }
        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut pairs = Vec::new();
            while let Some(pair) = map.next_entry()? {
                pairs.push(pair);
            }
            Ok(pairs)
        }
    }
    let mut parser = serde_json::Deserializer::from_slice(body);
    let pairs = parser.deserialize_map(Pairs).ok()?;
    parser.end().ok()?;
    let last = |name: &str| {
        pairs.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value).filter(|v| !v.is_null())
    };
    let tokens = |name: &str| last(name).map(|v| v.as_u64().ok_or(())).transpose().ok();
    Some(Fields {
        model: last("model").map(|v| v.as_str().map(str::to_owned).ok_or(())).transpose().ok()?,
        stream: last("stream").map(|v| v.as_bool().ok_or(())).transpose().ok()?,
        max_tokens: tokens("max_completion_tokens")?.or(tokens("max_tokens")?),
        include_usage: match last("stream_options") {
            Some(options) => match options.as_object()?.get("include_usage") {
                None | Some(Value::Null) => None,
                Some(value) => Some(value.as_bool()?),
            },
            None => None,
        },
        tools: last("tools").map(|v| v.as_array().ok_or(())).transpose().ok()?.is_some_and(|t| !t.is_empty()),
    })
}

/// What the scan sees; `None` when it refuses, the model's text included.
fn scanned(body: &[u8]) -> Option<Fields> {
    let found = scan(body, Dialect::OpenaiChat).ok()?;
    Some(Fields {
        model: found
            .model
            .map(|text| text.decode(body).map(std::borrow::Cow::into_owned))
            .transpose()
            .ok()?,
        stream: found.stream,
        max_tokens: found.max_tokens,
        include_usage: found.include_usage,
        tools: found.tools,
    })
}

fn suite() -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/json-test-suite/test_parsing");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|f| f.unwrap().path()).collect();
    files.sort();
    assert_eq!(files.len(), 318);
    files
        .into_iter()
        .map(|path| (path.file_name().unwrap().to_str().unwrap().to_owned(), std::fs::read(path).unwrap()))
        .collect()
}

#[test]
fn on_every_file_of_the_json_test_suite_the_scan_sees_what_a_parser_sees_or_refuses() {
    let mut accepted = 0;
    for (name, body) in suite() {
        let Some(fields) = scanned(&body) else { continue };
        accepted += 1;
        assert_eq!(fields, parsed(&body).unwrap_or_default(), "{name}");
    }
    // The suite's sound objects; a scan that refused everything would pass otherwise.
    assert!(accepted >= 12, "only {accepted} accepted");
}

#[test]
fn every_sound_object_of_the_json_test_suite_is_accepted() {
    for (name, body) in suite() {
        if name.starts_with("y_") && parsed(&body).is_some() {
            assert!(scanned(&body).is_some(), "{name}");
        }
    }
}

#[test]
fn a_suite_file_as_a_value_hides_and_adds_no_field() {
    for (name, value) in suite() {
        let body = [&br#"{"model":"m","x":"#[..], &value, br#","stream":true,"max_tokens":3}"#].concat();
        let expected = Fields {
            model: Some("m".to_owned()),
            stream: Some(true),
            max_tokens: Some(3),
            ..Fields::default()
        };
        if name.starts_with("y_") {
            assert_eq!(scanned(&body).as_ref(), Some(&expected), "{name}");
        } else if let Some(fields) = scanned(&body) {
            assert_eq!(fields, expected, "{name}");
        }
    }
}

#[test]
fn a_suite_file_cut_short_inside_a_body_is_refused_unless_it_closes_the_body() {
    for (name, value) in suite().into_iter().filter(|(_, value)| value.len() < 200) {
        for cut in 0..=value.len() {
            let body = [&br#"{"model":"m","x":"#[..], &value[..cut]].concat();
            // Where the value closes the object by itself, the rest of it must be nothing.
            if let Some(fields) = scanned(&body) {
                assert_eq!(fields.model.as_deref(), Some("m"), "{name} cut at {cut}");
                assert!(body.trim_ascii_end().ends_with(b"}"), "{name} cut at {cut}");
            }
        }
    }
}

/// Keys and values that matter, in many spellings, as JSON text.
fn member() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        3 => Just("model".to_owned()), 2 => Just("stream".to_owned()), 1 => Just("max_tokens".to_owned()),
        1 => Just("max_completion_tokens".to_owned()), 1 => Just("stream_options".to_owned()),
        1 => Just("tools".to_owned()), 1 => Just("mod\\u0065l".to_owned()), 1 => Just("str\\u0065am".to_owned()),
        3 => "[a-z]{1,8}", 1 => "([a-z]|\\\\n|\\\\\"|\\\\\\\\|é){0,40}",
    ];
    (key, value(), "[ \n\t]{0,2}", "[ \r]{0,2}").prop_map(|(k, v, a, b)| format!("{a}\"{k}\"{b}:{a}{v}{b}"))
}

fn value() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("true".to_owned()),
        Just("false".to_owned()),
        Just("null".to_owned()),
        Just("[]".to_owned()),
        Just(r#"{"include_usage":true}"#.to_owned()),
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,3})?(e[+-]?[0-9])?",
        "\"([a-zA-Z/ {}:,\\[\\]]|\\\\\"|\\\\\\\\|\\\\n|\\\\u00e9|ü|😀){0,90}\"",
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..5).prop_map(|parts| format!("[{}]", parts.join(","))),
            vec(("[a-z]{1,5}", inner), 0..5).prop_map(|parts| {
                let parts: Vec<_> = parts.iter().map(|(k, v)| format!("\"{k}\":{v}")).collect();
                format!("{{{}}}", parts.join(", "))
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn a_sound_body_shows_the_fields_a_parser_sees(members in vec(member(), 0..8)) {
        let body = format!("{{{}}}", members.join(",")).into_bytes();
        if let Some(fields) = scanned(&body) {
            prop_assert_eq!(Some(fields), parsed(&body));
        }
    }

    #[test]
    fn a_damaged_body_that_still_parses_shows_the_fields_a_parser_sees(
        members in vec(member(), 0..6), damage in vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 1..4),
    ) {
        let mut body = format!("{{{}}}", members.join(",")).into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(body.len());
            match how {
                0 => body[at] = byte,
                1 => body.insert(at, b"\"\\{}[],:"[usize::from(byte) % 8]),
                2 => { body.remove(at); }
                _ => body.truncate(at),
            }
            if body.is_empty() { break; }
        }
        if let (Some(fields), Some(parsed)) = (scanned(&body), parsed(&body)) {
            prop_assert_eq!(fields, parsed);
        }
    }

    #[test]
    fn bytes_of_any_kind_are_no_trouble(body in vec(any::<u8>(), 0..300), dialect in 0..Dialect::ALL.len()) {
        let dialect = Dialect::ALL[dialect];
        let closed = body.trim_ascii_end().last() == Some(&b'}');
        prop_assert!(closed || scan(&body, dialect).is_err());
    }
}

#[test]
fn most_generated_bodies_are_accepted() {
    // Guards the property tests above against a generator that the scan refuses as a whole.
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    let mut runner = TestRunner::deterministic();
    let accepted = (0..1_000)
        .filter(|_| {
            let members = vec(member(), 0..4).new_tree(&mut runner).unwrap().current();
            scanned(format!("{{{}}}", members.join(",")).as_bytes()).is_some()
        })
        .count();
    assert!(accepted > 200, "{accepted} of 1000");
}
