//! Embeddings between all dialects: what is written for any bytes is JSON and the same every time, and as many
//! vectors come back as were asked for. Putting in a model's name leaves JSON what it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use llm_edge_core::dialect::Dialect;
use llm_edge_core::embedding::{Pair, between, renamed};
use serde::de::IgnoredAny;
use serde_json::Value;

const ONE: [&str; 3] = [
    r#"{"input":"x","encoding_format":"base64"}"#,
    r#"{"content":{"parts":[{"text":"x"}]}}"#,
    r#"{"requests":[{"content":{"parts":[{"text":"x"}]}}]}"#,
];

// Half a surrogate pair passes as it came.
fn json(text: &[u8]) {
    assert!(serde_json::from_slice::<IgnoredAny>(text).is_ok(), "{}", text.escape_ascii());
}

fn check(pair: Pair, bytes: &[u8]) {
    let mut out = Vec::new();
    match pair.request(bytes, "m", &mut out) {
        Ok(translated) => {
            json(&out);
            assert!(translated.losses.to_string().bytes().all(|byte| byte.is_ascii_graphic()));
            let mut again = Vec::new();
            assert!(pair.request(bytes, "m", &mut again).is_ok());
            assert_eq!(out, again);
        }
        Err(_) => assert!(out.is_empty()),
    }
    let context = ONE.iter().find_map(|one| pair.request(one.as_bytes(), "m", &mut Vec::new()).ok());
    let context = context.expect("one of them is the client's").context;
    let mut out = Vec::new();
    match pair.reply(&context, bytes, &mut out) {
        Ok(_) => {
            json(&out);
            if let Ok(reply) = serde_json::from_slice::<Value>(&out) {
                let list = ["data", "embeddings"].into_iter().find_map(|name| reply[name].as_array());
                assert_eq!(list.map_or(1, Vec::len), 1);
            }
        }
        Err(_) => assert!(out.is_empty()),
    }
    let mut out = Vec::new();
    pair.error(500, bytes, "r", &mut out);
    json(&out);
}

fuzz_target!(|bytes: &[u8]| {
    for surface in Dialect::ALL {
        for target in Dialect::ALL {
            if let Some(pair) = between(surface, target) {
                check(pair, bytes);
            }
        }
    }
    let named = renamed(bytes, "m");
    assert_eq!(renamed(&named, "m"), named);
    if serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        json(&named);
    }
});
