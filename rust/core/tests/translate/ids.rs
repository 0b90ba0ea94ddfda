//! Ids of replies and of calls, where the upstream gives none.

use llm_edge_core::dialect::Dialect;
use llm_edge_core::translate::{Options, Pair, between};
use serde_json::{Value, json};

use crate::answers::answers;
use crate::{OPTIONS, SEED, answered, request, sent, streamed};

const CLIENTS: [(Dialect, &str, &str); 4] = [
    (Dialect::OpenaiChat, "/id", "chatcmpl-"),
    (Dialect::AnthropicMessages, "/id", "msg_"),
    (Dialect::OpenaiResponses, "/id", "resp_"),
    (Dialect::Gemini, "/responseId", ""),
];

/// Two calls without an id, in a reply without one, whole and streamed.
fn gemini() -> Value {
    let call = json!({"functionCall": {"name": "f", "args": {}}});
    json!({"candidates": [{"content": {"role": "model", "parts": [call, call]}, "finishReason": "STOP"}]})
}

/// A reply without an id, whole and streamed.
fn upstreams() -> Vec<(Dialect, Value, Vec<u8>)> {
    let ollama = &answers()[0];
    vec![
        (Dialect::Gemini, gemini(), format!("data: {}\n\n", gemini()).into_bytes()),
        (Dialect::OllamaChat, ollama.ollama(), ollama.ollama_stream(3).into_bytes()),
        (Dialect::BedrockConverse, ollama.bedrock(), ollama.bedrock_events(3).concat()),
    ]
}

/// The data of the first event of a stream that has an id at this path.
fn first_id(stream: &str, path: &str) -> Option<String> {
    let documents =
        stream.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
    let paths = [path.to_owned(), format!("/message{path}"), format!("/response{path}")];
    let mut ids = documents
        .filter_map(|data| paths.iter().find_map(|path| Some(data.pointer(path)?.as_str()?.to_owned())));
    ids.next()
}

#[test]
fn a_reply_without_an_id_is_given_one_of_the_clients_api() {
    for (target, whole, stream) in upstreams() {
        for (surface, path, prefix) in CLIENTS {
            let Some(pair) = between(surface, target) else { continue };
            let id = format!("{prefix}{SEED}");
            let (told, _) = answered(pair, &whole).unwrap();
            assert_eq!(told.pointer(path), Some(&json!(id)), "{surface:?} {target:?}");
            let (told, ended) = streamed(pair, [stream.as_slice()]);
            ended.unwrap();
            assert_eq!(first_id(&told, path), Some(id), "{surface:?} {target:?}: {told}");
        }
    }
}

#[test]
fn calls_without_an_id_have_the_same_one_whole_and_streamed() {
    let (first, second) = (format!("call_{SEED}_0"), format!("call_{SEED}_1"));
    for (surface, ..) in CLIENTS {
        let Some(pair) = between(surface, Dialect::Gemini) else { continue };
        let whole = answered(pair, &gemini()).unwrap().0.to_string();
        let (stream, ended) = streamed(pair, [format!("data: {}\n\n", gemini()).as_bytes()]);
        ended.unwrap();
        for told in [whole, stream] {
            assert!(told.contains(&first) && told.contains(&second), "{surface:?}: {told}");
        }
    }
}

#[test]
fn items_of_a_response_are_named_after_it() {
    let pair = between(Dialect::OpenaiResponses, Dialect::Gemini).unwrap();
    let (told, _) = answered(pair, &gemini()).unwrap();
    assert_eq!(told["output"][1]["id"], format!("fc_{SEED}_1"));
}

/// What the ids of a reply to this request are made of.
fn seed(pair: Pair, body: &Value, options: &Options<'_>) -> String {
    request(pair, body, options).unwrap().1.context.reply_seed
}

#[test]
fn the_next_turn_has_other_ids() {
    let pair = between(Dialect::OpenaiChat, Dialect::Gemini).unwrap();
    let turns = |count: usize| json!({"messages": vec![json!({"role": "user", "content": "Hi"}); count]});
    let first = seed(pair, &turns(1), &OPTIONS);
    assert!(first.len() == 24 && first.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{first}");
    assert_eq!(seed(pair, &turns(1), &OPTIONS), first);
    assert_ne!(seed(pair, &turns(1), &Options { request_id: "req_2", ..OPTIONS }), first);
    // Of a client that gives all turns one id.
    assert_ne!(seed(pair, &turns(2), &OPTIONS), first);
}

#[test]
fn calls_that_were_given_ids_come_back_with_their_results() {
    let pair = between(Dialect::OpenaiChat, Dialect::Gemini).unwrap();
    let message = answered(pair, &gemini()).unwrap().0["choices"][0]["message"].clone();
    let results = message["tool_calls"]
        .as_array()
        .unwrap()
        .iter()
        .rev()
        .map(|call| json!({"role": "tool", "tool_call_id": call["id"], "content": call["id"]}));
    let mut messages = vec![json!({"role": "user", "content": "Hi"}), message.clone()];
    messages.extend(results);
    let (told, _) = sent(pair, &json!({"messages": messages}));
    let response = |call: usize| told["contents"][2]["parts"][call]["functionResponse"]["response"].clone();
    for call in [0, 1] {
        assert_eq!(response(call), json!({"result": message["tool_calls"][call]["id"]}));
    }
}

#[test]
fn calls_of_several_answers_have_ids_of_their_own() {
    let pair = between(Dialect::OpenaiChat, Dialect::Gemini).unwrap();
    let mut reply = gemini();
    let mut second = reply["candidates"][0].clone();
    second["index"] = json!(1);
    reply["candidates"].as_array_mut().unwrap().push(second);
    let whole = answered(pair, &reply).unwrap().0.to_string();
    let (stream, ended) = streamed(pair, [format!("data: {reply}\n\n").as_bytes()]);
    ended.unwrap();
    for told in [whole, stream] {
        for id in ["0", "1", "1_0", "1_1"] {
            assert_eq!(told.matches(&format!("\"call_{SEED}_{id}\"")).count(), 1, "{id}: {told}");
        }
    }
}
