//! Cache points: where the client's markers end up, where others are set, and that turns are prefixes.

use llm_edge_core::translate::{Options, Pair};
use serde_json::{Value, json};

use super::{CLAUDE, HIDDEN, LLAMA, NOVA, anthropic, chat};
use crate::cache::{Client, MARKED, check};
use crate::{OPTIONS, request_of};

#[test]
fn a_turn_is_a_prefix_of_the_next_for_models_of_other_makers() {
    check(chat(), NOVA, Client::Chat, &MARKED);
    check(anthropic(), LLAMA, Client::Anthropic, &OPTIONS);
}

const POINT: &str = r#",{"cachePoint":{"type":"default""#;

/// The places of cache points, by the text before each, and the names of what is lost.
fn places(pair: Pair, model: &str, body: &Value, options: &Options<'_>) -> (Vec<String>, String) {
    let (written, translated) = request_of(pair, model, body, options).unwrap();
    let mut places = Vec::new();
    let mut rest = written.as_str();
    while let Some(at) = rest.find(POINT) {
        let before = rest[..at].trim_end_matches(['}', ']', '"']);
        let start = before.rfind(['"', '{']).map_or(0, |quote| quote + 1);
        places.push(before[start..].to_owned());
        rest = &rest[at + 1..];
    }
    assert_eq!(written.matches("cachePoint").count(), places.len(), "{written}");
    (places, translated.losses.to_string())
}

fn conversation() -> Value {
    let call = json!({"id": "c1", "function": {"name": "f", "arguments": "{\"a\":1}"}});
    json!({"tools": [{"type": "function", "function": {"name": "f"}},
            {"type": "function", "function": {"name": "g", "parameters": {"type": "schema"}}}],
        "messages": [{"role": "system", "content": "one"}, {"role": "system", "content": "two"},
            {"role": "user", "content": "ask"}, {"role": "assistant", "content": "say", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "result"}]})
}

#[test]
fn points_are_set_where_the_client_sets_none() {
    let mut body = conversation();
    assert_eq!(places(chat(), CLAUDE, &body, &OPTIONS).0, [""; 0]);
    assert_eq!(places(chat(), CLAUDE, &body, &MARKED).0, ["schema", "two", "result"]);
    // Nova takes none behind tools; of others nothing is known.
    assert_eq!(
        places(chat(), NOVA, &body, &MARKED),
        (["two", "result"].map(str::to_owned).to_vec(), String::new())
    );
    assert_eq!(places(chat(), LLAMA, &body, &MARKED), (vec![], String::new()));
    assert_eq!(places(chat(), HIDDEN, &body, &MARKED), (vec![], String::new()));
    body["messages"].as_array_mut().unwrap().extend([
        json!({"role": "assistant", "content": "settled"}),
        json!({"role": "user", "content": "volatile"}),
    ]);
    assert_eq!(places(chat(), CLAUDE, &body, &MARKED).0, ["schema", "two", "settled"]);
    let alone = json!({"messages": [{"role": "user", "content": "once"}]});
    assert_eq!(places(chat(), CLAUDE, &alone, &MARKED).0, [""; 0]);
}

#[test]
fn the_markers_of_the_client_are_carried_and_never_too_many() {
    let mark = json!({"type": "ephemeral"});
    let mut body = conversation();
    body["messages"][4]["cache_control"] = mark.clone();
    for model in [CLAUDE, NOVA, HIDDEN] {
        assert_eq!(
            places(chat(), model, &body, &MARKED),
            (vec!["result".to_owned()], String::new()),
            "{model}"
        );
    }
    assert_eq!(places(chat(), LLAMA, &body, &MARKED), (vec![], "cache_control".to_owned()));
    body["messages"][3]["tool_calls"][0]["cache_control"] = mark.clone();
    body["tools"][1]["function"]["cache_control"] = mark.clone();
    body["messages"][2]["cache_control"] = mark.clone();
    let all = ["schema", "ask", "a\":1", "result"].map(str::to_owned).to_vec();
    let (found, losses) = places(chat(), CLAUDE, &body, &MARKED);
    assert_eq!((found.len(), losses.as_str()), (4, ""));
    assert_eq!((&found[0], &found[1], &found[3]), (&all[0], &all[1], &all[3]));
    let (found, losses) = places(chat(), NOVA, &body, &MARKED);
    assert_eq!((found.len(), losses.as_str()), (3, "cache_control"));
    body["messages"][1]["cache_control"] = mark.clone();
    body["messages"][0]["cache_control"] = mark;
    let (found, losses) = places(chat(), CLAUDE, &body, &MARKED);
    assert_eq!((found.len(), losses.as_str()), (4, "cache_control"));
    assert_eq!((found[0].as_str(), found[1].as_str()), ("two", "ask"));
}

#[test]
fn every_kind_of_block_can_be_marked_or_is_named() {
    let mark = json!({"type": "ephemeral", "ttl": "1h"});
    let block = |mut block: Value| {
        block["cache_control"] = mark.clone();
        json!({"max_tokens": 9, "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, block]}]})
    };
    let document = |media_type: &str| json!({"type": "document", "source": {"type": "base64", "media_type": media_type, "data": "aGk="}});
    let inside = json!([{"type": "text", "text": "y", "cache_control": mark}]);
    for (body, points, lost) in [
        (block(json!({"type": "text", "text": "y"})), 1, ""),
        (
            block(
                json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aGk="}}),
            ),
            1,
            "",
        ),
        (block(document("application/pdf")), 1, ""),
        (block(document("text/csv")), 0, "messages[].content[].cache_control"),
        (block(json!({"type": "tool_result", "tool_use_id": "a", "content": "y"})), 1, ""),
        (
            block(json!({"type": "tool_result", "tool_use_id": "a", "content": inside})),
            1,
            "messages[].content[].cache_control",
        ),
        (block(json!({"type": "tool_use", "id": "a", "name": "f", "input": {}})), 1, ""),
        (block(json!({"type": "text", "text": " "})), 0, "messages[].content[].cache_control"),
    ] {
        let (written, translated) = request_of(anthropic(), CLAUDE, &body, &OPTIONS).unwrap();
        let point = r#"{"cachePoint":{"type":"default","ttl":"1h"}}"#;
        assert_eq!(written.matches(point).count(), points, "{written}");
        assert_eq!(translated.losses.to_string(), lost, "{body}");
    }
    // Inside a result there is no place for it: it ends with the result.
    let mut body = block(json!({"type": "tool_result", "tool_use_id": "a", "content": inside}));
    body["messages"][0]["content"][1].as_object_mut().unwrap().remove("cache_control");
    let (written, translated) = request_of(anthropic(), CLAUDE, &body, &OPTIONS).unwrap();
    assert!(written.contains(r#"}},{"cachePoint":{"type":"default","ttl":"1h"}}"#), "{written}");
    assert_eq!(translated.losses.to_string(), "");
}

#[test]
fn a_marker_for_the_whole_is_put_at_the_end() {
    let mut body = json!({"max_tokens": 9, "cache_control": {"type": "ephemeral", "ttl": "5m"},
        "messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},
            {"role": "user", "content": "c"}]});
    let (found, losses) = places(anthropic(), CLAUDE, &body, &MARKED);
    assert_eq!((found, losses.as_str()), (vec!["c".to_owned()], ""));
    body["cache_control"] = json!({"type": "ephemeral", "ttl": "2h", "novel": 1});
    let (found, losses) = places(anthropic(), CLAUDE, &body, &MARKED);
    assert_eq!((found, losses.as_str()), (vec!["c".to_owned()], "cache_control"));
}
