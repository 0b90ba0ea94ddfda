//! What the request scan tells of a body, and what it refuses.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "in a test a panic is the finding"
)]

use llm_edge_core::rejection::Code;
use llm_edge_core::scan::{Edit, Scan, ScanErrorKind, escape_json, scan, splice};
use llm_edge_core::span::Span;
use llm_edge_core::surface::Dialect;

fn chat(body: &str) -> Result<Scan, ScanErrorKind> {
    scan(body.as_bytes(), Dialect::OpenaiChat).map_err(|e| e.kind)
}

fn model(body: &str) -> String {
    let found = chat(body).unwrap().model.unwrap();
    found.decode(body.as_bytes()).unwrap().into_owned()
}

#[test]
fn the_fields_that_policy_acts_on_are_found_between_others() {
    let body = r#" {"messages": [{"role":"user","content":"{\"model\":\"no\"}"}], "model" : "gpt-x",
        "stream":true,"stream_options":{"x":[],"include_usage":true},"max_tokens":7,
        "tools":[{"type":"function"}],"temperature":0.5} "#;
    let found = chat(body).unwrap();
    assert_eq!(model(body), "gpt-x");
    assert_eq!(found.stream, Some(true));
    assert_eq!(found.include_usage, Some(true));
    assert_eq!(found.max_tokens, Some(7));
    assert!(found.tools);
}

#[test]
fn null_is_as_good_as_absent() {
    let nulls = r#"{"model":null,"stream":null,"max_tokens":null,"stream_options":null,"tools":null}"#;
    // Where the options stand is no policy.
    let read = |body: &str| Scan { stream_options: None, ..chat(body).unwrap() };
    assert_eq!(read(nulls), chat("{}").unwrap());
    assert_eq!(read(r#"{"stream_options":{"include_usage":null}}"#), Scan::default());
}

#[test]
fn the_newer_limit_wins_in_either_order() {
    for body in [
        r#"{"max_tokens":1,"max_completion_tokens":2}"#,
        r#"{"max_completion_tokens":2,"max_tokens":1}"#,
        r#"{"max_completion_tokens":2,"max_tokens":null}"#,
    ] {
        assert_eq!(chat(body).unwrap().max_tokens, Some(2), "{body}");
    }
    assert_eq!(chat(r#"{"max_completion_tokens":null,"max_tokens":1}"#).unwrap().max_tokens, Some(1));
    let responses = scan(br#"{"max_output_tokens":9}"#, Dialect::OpenaiResponses).unwrap();
    assert_eq!(responses.max_tokens, Some(9));
}

#[test]
fn both_spellings_of_a_gemini_field_are_that_field() {
    let gemini = |body: &str| scan(body.as_bytes(), Dialect::Gemini).map_err(|e| e.kind);
    for body in [
        r#"{"contents":[],"generationConfig":{"temperature":1,"maxOutputTokens":7}}"#,
        r#"{"generation_config":{"max_output_tokens":7}}"#,
        r#"{"generationConfig":{"max_output_tokens":7,"topK":1}}"#,
    ] {
        assert_eq!(gemini(body).unwrap().max_tokens, Some(7), "{body}");
    }
    assert_eq!(gemini(r#"{"generationConfig":null}"#).unwrap().max_tokens, None);
    for (field, body) in [
        ("systemInstruction", r#"{"systemInstruction":{},"system_instruction":{}}"#),
        ("systemInstruction", r#"{"system_instruction":{},"system\u005finstruction":{}}"#),
        ("toolConfig", r#"{"tool_config":{},"toolConfig":{}}"#),
        (
            "generationConfig.maxOutputTokens",
            r#"{"generationConfig":{"maxOutputTokens":1,"max_output_tokens":2}}"#,
        ),
    ] {
        assert_eq!(gemini(body).unwrap_err(), ScanErrorKind::DuplicateField(field), "{body}");
    }
    for body in [
        r#"{"systeminstruction":{}}"#,
        r#"{"SystemInstruction":{}}"#,
        r#"{"\u0053ystemInstruction":{}}"#,
        "{\"\u{17f}ystemInstruction\":{}}",
        r#"{"System_Instruction":{}}"#,
        r#"{"generationConfig":{"maxoutputtokens":1}}"#,
    ] {
        assert!(matches!(gemini(body), Err(ScanErrorKind::FieldCase(_))), "{body}");
    }
    for body in [r#"{"generationConfig":[]}"#, r#"{"generationConfig":{"maxOutputTokens":-1}}"#] {
        assert!(matches!(gemini(body), Err(ScanErrorKind::WrongType { .. })), "{body}");
    }
    assert!(gemini(r#"{"tools":[{}]}"#).unwrap().tools);
}

#[test]
fn an_empty_list_of_tools_is_no_tools() {
    assert!(!chat("{\"tools\":[ \n]}").unwrap().tools);
    assert!(chat(r#"{"tools":[0]}"#).unwrap().tools);
}

#[test]
fn a_model_is_read_with_its_escapes_and_only_if_it_is_sound() {
    assert_eq!(model(r#"{"model":"a\u002fb\"c\ud83d\ude00"}"#), "a/b\"c😀");
    for bad in [&b"{\"model\":\"a\xff\"}"[..], br#"{"model":"\ud83d"}"#, b"{\"model\":\"a\nb\"}"] {
        let found = scan(bad, Dialect::OpenaiChat).unwrap().model.unwrap();
        assert_eq!(found.decode(bad).unwrap_err().kind, ScanErrorKind::BadString);
    }
}

#[test]
fn a_field_given_twice_is_refused_also_when_spelt_with_escapes() {
    for (field, body) in [
        ("model", r#"{"model":"a","model":"b"}"#),
        ("model", r#"{"model":"a","mod\u0065l":"b"}"#),
        ("model", r#"{"\u006d\u006f\u0064\u0065\u006c":"a","model":"b"}"#),
        ("model", r#"{"model":null,"model":"b"}"#),
        ("stream", r#"{"stream":true,"x":1,"str\u0065am":true}"#),
        ("max_tokens", r#"{"max_tokens":1,"max_tokens":1}"#),
        ("messages", r#"{"messages":[],"messages":[1]}"#),
        ("tools", r#"{"tools":[],"tools":[1]}"#),
        ("user", r#"{"user":"a","user":"b"}"#),
        ("metadata", r#"{"metadata":{},"metadata":{}}"#),
        ("stream_options", r#"{"stream_options":{},"stream_options":{}}"#),
        (
            "stream_options.include_usage",
            r#"{"stream_options":{"include_usage":false,"include\u005fusage":true}}"#,
        ),
    ] {
        assert_eq!(chat(body).unwrap_err(), ScanErrorKind::DuplicateField(field), "{body}");
    }
}

#[test]
fn a_key_with_an_escape_is_the_field_it_spells() {
    assert_eq!(model(r#"{"m\u006Fdel":"a"}"#), "a");
    assert_eq!(chat(r#"{"mod\\u0065l":"a"}"#).unwrap().model, None);
}

#[test]
fn a_key_that_differs_only_in_case_is_refused() {
    for body in [
        r#"{"Model":"b"}"#,
        r#"{"model":"a","MODEL":"b"}"#,
        r#"{"\u004dodel":"b"}"#,
        "{\"u\u{17f}er\":1}",
        r#"{"u\u017fer":1}"#,
        "{\"max_to\u{212a}ens\":1}",
    ] {
        assert!(matches!(chat(body), Err(ScanErrorKind::FieldCase(_))), "{body}");
    }
    assert!(chat(r#"{"models":1,"modél":2,"":3}"#).is_ok());
}

#[test]
fn wrong_types_are_refused_by_name() {
    for (field, body) in [
        ("model", r#"{"model":7}"#),
        ("model", r#"{"model":["a"]}"#),
        ("stream", r#"{"stream":"true"}"#),
        ("stream", r#"{"stream":1}"#),
        ("max_tokens", r#"{"max_tokens":-1}"#),
        ("max_tokens", r#"{"max_tokens":1.0}"#),
        ("max_tokens", r#"{"max_tokens":1e3}"#),
        ("max_tokens", r#"{"max_tokens":01}"#),
        ("max_tokens", r#"{"max_tokens":18446744073709551616}"#),
        ("max_tokens", r#"{"max_tokens":"1"}"#),
        ("stream_options", r#"{"stream_options":[]}"#),
        ("stream_options.include_usage", r#"{"stream_options":{"include_usage":1}}"#),
        ("tools", r#"{"tools":{}}"#),
    ] {
        let error = chat(body).unwrap_err();
        assert!(
            matches!(error, ScanErrorKind::WrongType { field: f, .. } if f == field),
            "{body}: {error:?}"
        );
    }
    assert_eq!(chat(r#"{"max_tokens":18446744073709551615}"#).unwrap().max_tokens, Some(u64::MAX));
}

#[test]
fn malformed_bodies_are_refused() {
    for body in [
        "",
        " ",
        "null",
        "[]",
        "\"a\"",
        "7",
        "{",
        "{}}",
        "{} {}",
        "{},",
        "{,}",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1 \"b\":2}",
        "{\"a\":[}}",
        "{\"a\":{]}",
        "{\"a\":[1,[2]}",
        "{'a':1}",
        "{a:1}",
        "{\"a\":tru}",
        "{\"a\":nan}",
        "{\"a\":\\\"b\"}",
        "{\"a\" 1}",
        "{\"a\"::1}",
        "\u{feff}{}",
        "{\"a\":1}\0",
        "{\"a\":[\\\"]\"]}",
        "/* */{}",
        "{\"a\":\"\\\"}",
    ] {
        assert!(chat(body).is_err(), "{body:?}");
    }
}

#[test]
fn a_body_cut_anywhere_is_refused() {
    let body =
        r#"{"model":"m\"\\","messages":[{"content":"a [b] {c} \\"},{"x":[[],{}]}],"stream":true,"n":12}"#;
    assert!(chat(body).is_ok());
    for end in 0..body.len() {
        assert!(scan(&body.as_bytes()[..end], Dialect::OpenaiChat).is_err(), "cut at {end}");
    }
}

#[test]
fn the_rejection_says_where_and_which_field() {
    let body = b"{\n \"model\": 7}";
    let rejection = scan(body, Dialect::OpenaiChat).unwrap_err().rejection(body);
    assert_eq!(rejection.code, Code::InvalidField);
    assert_eq!(rejection.param.as_deref(), Some("model"));
    assert!(rejection.message.contains("line 2 column 11 (byte 12)"), "{}", rejection.message);
    let twice = br#"{"model":"a","model":"secret"}"#;
    let rejection = scan(twice, Dialect::OpenaiChat).unwrap_err().rejection(twice);
    assert_eq!(rejection.code, Code::InvalidJson);
    assert!(!rejection.message.contains("secret"));
}

#[test]
fn members_that_cannot_change_the_reply_are_named_whole() {
    let body = br#"{"user" : "u","model":"m", "metadata":{"a":"}"} ,"prompt_cache_key":1}"#;
    let found = scan(body, Dialect::OpenaiChat).unwrap();
    let members: Vec<_> = found.irrelevant.spans().iter().map(|s| s.of(body)).collect();
    assert_eq!(members, [&br#""user" : "u""#[..], br#""metadata":{"a":"}"}"#, br#""prompt_cache_key":1"#]);
    // A response object repeats these fields, so there they are part of the reply.
    assert!(scan(body, Dialect::OpenaiResponses).unwrap().irrelevant.spans().is_empty());
}

#[test]
fn splicing_the_model_changes_the_model_and_no_other_byte() {
    let body = br#"{"a":1,"model":"team\/x","z":[ ]}"#;
    let found = scan(body, Dialect::OpenaiChat).unwrap();
    let mut text = Vec::new();
    escape_json(&mut text, "new\"model");
    let edit = Edit { span: found.model.unwrap().raw, text: &text };
    assert_eq!(splice(body, Some(edit), None).concat(), br#"{"a":1,"model":"new\"model","z":[ ]}"#);
    let second = Edit { span: Span::new(1, 6), text: b"\"b\":2" };
    let both = br#"{"b":2,"model":"new\"model","z":[ ]}"#;
    assert_eq!(splice(body, Some(edit), Some(second)).concat(), both.as_slice());
    assert_eq!(splice(body, None, None).concat(), body.as_slice());
}
