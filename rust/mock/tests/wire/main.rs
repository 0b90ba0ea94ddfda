//! The mock over real loopback connections: every model on every surface, streamed and not.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test fails by panicking, its helpers too"
)]

mod client;
mod upstreams;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use client::{Reply, get, post, request, sha256};
use llm_edge_mock::{MODELS, Mock, MockHandle};
use serde_json::{Value, json};

const TEXT_PATHS: [&str; 4] = ["/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages"];

fn mock() -> MockHandle {
    Mock::start("127.0.0.1:0".parse().unwrap()).unwrap()
}

/// A request of `model` with `text` on any text surface.
fn body(path: &str, model: &str, text: &str, stream: bool) -> Value {
    let mut body = json!({"model": model, "stream": stream});
    match path.trim_start_matches("/v1") {
        "/completions" => body["prompt"] = json!(text),
        "/responses" => body["input"] = json!(text),
        path => {
            body["messages"] = json!([{"role": "user", "content": text}]);
            if path == "/messages" {
                body["max_tokens"] = json!(1_000_000);
            }
        }
    }
    if stream && path.ends_with("completions") {
        body["stream_options"] = json!({"include_usage": true});
    }
    body
}

fn with_tool(path: &str, mut body: Value) -> Value {
    let schema = json!({
        "type": "object",
        "properties": {"city": {"type": "string", "minLength": 3}, "days": {"type": "integer", "minimum": 2}},
        "required": ["city", "days"],
    });
    body["tools"] = match path.trim_start_matches("/v1") {
        "/messages" => json!([{"name": "weather", "input_schema": schema}]),
        "/responses" => {
            json!([{"type": "web_search"}, {"type": "function", "name": "weather", "parameters": schema}])
        }
        _ => json!([{"type": "function", "function": {"name": "weather", "parameters": schema}}]),
    };
    body
}

fn text_of(path: &str, reply: &Value) -> String {
    let places: &[&str] = match path.trim_start_matches("/v1") {
        "/completions" => &["/choices/0/text"],
        "/chat/completions" => &["/choices/0/message/content"],
        "/responses" => &["/output/0/content/0/text", "/output/1/content/0/text"],
        _ => &["/content/0/text", "/content/1/text"],
    };
    places
        .iter()
        .find_map(|place| reply.pointer(place)?.as_str())
        .unwrap_or_else(|| panic!("{reply}"))
        .to_owned()
}

/// Input and output tokens of a whole reply, or of the last event of a stream that tells them.
fn usage_of(reply: &Reply, stream: bool) -> (u64, u64) {
    let values =
        if stream { reply.events().into_iter().map(|(_, v)| v).collect() } else { vec![reply.json()] };
    let usage = |value: &Value| {
        let usage =
            value.pointer("/usage").or_else(|| value.pointer("/response/usage")).filter(|u| !u.is_null())?;
        let number = |a: &str, b: &str| usage.get(a).or_else(|| usage.get(b))?.as_u64();
        Some((number("prompt_tokens", "input_tokens")?, number("completion_tokens", "output_tokens")?))
    };
    values.iter().rev().find_map(usage).expect("a usage")
}

fn end_of(reply: &Reply) -> String {
    let (name, data) = reply.events().pop().expect("an event");
    if name.is_empty() { data.as_str().unwrap_or_default().to_owned() } else { name }
}

fn ends_properly(path: &str, reply: &Reply) -> bool {
    let wanted: &[&str] = match path.trim_start_matches("/v1") {
        "/responses" => &["response.completed", "response.incomplete"],
        "/messages" => &["message_stop"],
        _ => &["[DONE]"],
    };
    reply.whole && wanted.contains(&end_of(reply).as_str())
}

#[test]
fn echo_answers_with_the_last_user_text_on_every_surface() {
    let mock = mock();
    let text = "Žluťoučký kůň, \"quoted\"\n漢字 🙂 and a verylongword";
    for path in TEXT_PATHS {
        for prefix in ["", "mock/"] {
            let model = format!("{prefix}echo");
            let whole = post(mock.address(), path, &body(path, &model, text, false));
            assert_eq!((whole.status, whole.whole), (200, true), "{path}");
            assert_eq!(text_of(path, &whole.json()), text, "{path}");
            assert_eq!(whole.json()["model"], json!(model));
            let stream = post(mock.address(), path, &body(path, &model, text, true));
            assert_eq!(stream.streamed_text(), text, "{path}");
            assert!(ends_properly(path, &stream), "{path}");
            assert_eq!(usage_of(&stream, true), usage_of(&whole, false), "{path}");
        }
    }
}

#[test]
fn paths_answer_without_their_version_too() {
    let mock = mock();
    for path in TEXT_PATHS {
        let bare = path.strip_prefix("/v1").unwrap();
        assert_eq!(post(mock.address(), bare, &body(path, "echo", "hi", false)).status, 200, "{bare}");
    }
    assert_eq!(get(mock.address(), "/models", "").status, 200);
}

#[test]
fn lorem_says_exactly_the_tokens_asked_for_and_the_same_for_the_same_seed() {
    let mock = mock();
    for path in TEXT_PATHS {
        let say = |model: &str, stream| post(mock.address(), path, &body(path, model, "hi", stream));
        let whole = say("lorem?tokens=57&seed=3", false);
        assert_eq!(usage_of(&whole, false).1, 57, "{path}");
        let stream = say("lorem?tokens=57&seed=3", true);
        assert_eq!(stream.content_events(), 57, "{path}");
        assert_eq!(stream.streamed_text(), text_of(path, &whole.json()));
        assert_ne!(stream.streamed_text(), say("lorem?tokens=57&seed=4", true).streamed_text());
    }
}

#[test]
fn the_output_limit_cuts_the_text_and_is_told() {
    let mock = mock();
    let reason = |path: &str, key: &str, place: &str| {
        let mut body = body(path, "lorem?tokens=50", "hi", false);
        body[key] = json!(7);
        let reply = post(mock.address(), path, &body);
        assert_eq!(usage_of(&reply, false).1, 7, "{path}");
        body["stream"] = json!(true);
        assert_eq!(post(mock.address(), path, &body).content_events(), 7, "{path}");
        reply.json().pointer(place).cloned().unwrap()
    };
    assert_eq!(reason("/v1/chat/completions", "max_completion_tokens", "/choices/0/finish_reason"), "length");
    assert_eq!(reason("/v1/completions", "max_tokens", "/choices/0/finish_reason"), "length");
    assert_eq!(
        reason("/v1/responses", "max_output_tokens", "/incomplete_details/reason"),
        "max_output_tokens"
    );
    assert_eq!(reason("/v1/messages", "max_tokens", "/stop_reason"), "max_tokens");
}

#[test]
fn the_vendors_order_of_events_is_kept() {
    let mock = mock();
    let names = |path: &str, model: &str| {
        post(mock.address(), path, &with_tool(path, body(path, model, "a b", true))).event_names()
    };
    let item = ["response.output_item.added", "response.content_part.added", "response.output_text.delta"];
    let done = ["response.output_text.done", "response.content_part.done", "response.output_item.done"];
    let wanted =
        [["response.created", "response.in_progress"].as_slice(), &item, &done, &["response.completed"]]
            .concat();
    assert_eq!(names("/v1/responses", "echo"), wanted);
    assert_eq!(
        names("/v1/responses", "tools")[2..6],
        [
            "response.output_item.added",
            "response.function_call_arguments.delta",
            "response.function_call_arguments.done",
            "response.output_item.done"
        ]
    );
    assert_eq!(
        names("/v1/messages", "echo"),
        [
            "message_start",
            "content_block_start",
            "ping",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop"
        ]
    );
    let stream = post(mock.address(), "/v1/responses", &body("/v1/responses", "thinking", "a", true));
    let numbers: Vec<_> =
        stream.events().iter().map(|(_, data)| data["sequence_number"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (0..u64::try_from(numbers.len()).unwrap()).collect::<Vec<_>>());
    for (name, data) in stream.events() {
        assert_eq!(name, data["type"]);
    }
}

#[test]
fn usage_in_a_chat_stream_comes_only_when_asked_for() {
    let mock = mock();
    let mut body = body("/v1/chat/completions", "echo", "hi", true);
    let with = post(mock.address(), "/v1/chat/completions", &body);
    let events = with.events();
    let last = &events[events.len() - 2].1;
    assert_eq!(
        (last["choices"].as_array().unwrap().len(), last["usage"]["total_tokens"].as_u64()),
        (0, Some(2))
    );
    assert!(events[0].1.get("usage").is_some_and(Value::is_null));
    body["stream_options"] = json!(null);
    let without = post(mock.address(), "/v1/chat/completions", &body);
    assert!(without.events().iter().all(|(_, data)| data.get("usage").is_none()));
}

#[test]
fn tools_calls_the_tool_offered_and_then_answers_with_its_result() {
    let mock = mock();
    for path in ["/v1/chat/completions", "/v1/responses", "/v1/messages"] {
        let ask = |stream| with_tool(path, body(path, "tools", "weather?", stream));
        let reply = post(mock.address(), path, &ask(false)).json();
        let (name, arguments) = match path {
            "/v1/messages" => (&reply["content"][0]["name"], reply["content"][0]["input"].clone()),
            "/v1/responses" => (&reply["output"][0]["name"], parsed(&reply["output"][0]["arguments"])),
            _ => {
                let call = &reply["choices"][0]["message"]["tool_calls"][0]["function"];
                (&call["name"], parsed(&call["arguments"]))
            }
        };
        assert_eq!(name, "weather", "{path}");
        assert_eq!(arguments, json!({"city": "text", "days": 2}), "{path}");
        let stream = post(mock.address(), path, &ask(true));
        let streamed: Value = serde_json::from_str(&stream.streamed_text()).unwrap();
        assert_eq!(streamed, arguments, "{path}");
        assert!(ends_properly(path, &stream));

        let mut answered = ask(false);
        match path {
            "/v1/messages" => answered["messages"].as_array_mut().unwrap().extend([
                json!({"role": "assistant", "content": reply["content"]}),
                json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": reply["content"][0]["id"], "content": "sunny"}]}),
            ]),
            "/v1/responses" => {
                let call_id = &reply["output"][0]["call_id"];
                answered["input"] = json!([
                    {"role": "user", "content": "weather?"},
                    reply["output"][0],
                    {"type": "function_call_output", "call_id": call_id, "output": "sunny"},
                ]);
            }
            _ => answered["messages"].as_array_mut().unwrap().extend([
                reply["choices"][0]["message"].clone(),
                json!({"role": "tool", "tool_call_id": "x", "content": "sunny"}),
            ]),
        }
        let text = text_of(path, &post(mock.address(), path, &answered).json());
        assert_eq!(text, "The tool answered: sunny", "{path}");
    }
    let none =
        post(mock.address(), "/v1/chat/completions", &body("/v1/chat/completions", "tools", "x", false));
    assert_eq!(none.status, 400);
}

fn parsed(text: &Value) -> Value {
    serde_json::from_str(text.as_str().unwrap()).unwrap()
}

#[test]
fn json_gives_a_value_of_the_schema_as_each_api_asks_for_it() {
    let mock = mock();
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 41}}, "required": ["n"]});
    for (path, key, format) in [
        (
            "/v1/chat/completions",
            "response_format",
            json!({"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}),
        ),
        ("/v1/responses", "text", json!({"format": {"type": "json_schema", "name": "x", "schema": schema}})),
        ("/v1/messages", "output_config", json!({"format": {"type": "json_schema", "schema": schema}})),
    ] {
        let mut body = body(path, "json", "hi", false);
        body[key] = format;
        let text = text_of(path, &post(mock.address(), path, &body).json());
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({"n": 41}), "{path}");
        body["stream"] = json!(true);
        assert_eq!(post(mock.address(), path, &body).streamed_text(), text, "{path}");
    }
}

#[test]
fn thinking_comes_before_the_text_and_is_counted() {
    let mock = mock();
    let chat = post(mock.address(), TEXT_PATHS[0], &body(TEXT_PATHS[0], "thinking", "hi", false)).json();
    assert!(chat["choices"][0]["message"]["reasoning_content"].as_str().unwrap().len() > 20);
    assert!(chat["usage"]["completion_tokens_details"]["reasoning_tokens"].as_u64().unwrap() > 20);
    let messages =
        post(mock.address(), "/v1/messages", &body("/v1/messages", "thinking", "hi", false)).json();
    assert_eq!(messages["content"][0]["type"], "thinking");
    assert!(messages["content"][0]["signature"].as_str().unwrap().len() > 40);
    let responses =
        post(mock.address(), "/v1/responses", &body("/v1/responses", "thinking", "hi", false)).json();
    assert_eq!(
        (&responses["output"][0]["type"], &responses["output"][1]["type"]),
        (&json!("reasoning"), &json!("message"))
    );
    for path in TEXT_PATHS {
        let whole = post(mock.address(), path, &body(path, "thinking", "hi", false));
        let stream = post(mock.address(), path, &body(path, "thinking", "hi", true));
        assert_eq!(usage_of(&stream, true), usage_of(&whole, false), "{path}");
    }
}

#[test]
fn big_says_exactly_the_bytes_asked_for() {
    let mock = mock();
    for path in TEXT_PATHS {
        let whole = post(mock.address(), path, &body(path, "big?bytes=1048576", "hi", false));
        assert_eq!(text_of(path, &whole.json()).len(), 1 << 20);
        let stream = post(mock.address(), path, &body(path, "big?bytes=1048576", "hi", true));
        assert_eq!((stream.streamed_text().len(), stream.content_events()), (1 << 20, 64), "{path}");
    }
}

#[test]
fn a_cut_dies_after_that_many_content_events_without_an_end() {
    let mock = mock();
    for path in TEXT_PATHS {
        for after in [0, 1, 5] {
            let model = format!("cut?after={after}");
            let stream = post(mock.address(), path, &body(path, &model, "hi", true));
            assert_eq!((stream.status, stream.content_events(), stream.whole), (200, after, false), "{path}");
            assert!(!ends_properly(path, &stream));
            assert_eq!(stream.header("x-mock-body-sha256"), Some(sha256(&stream.body).as_str()));
        }
        let whole = post(mock.address(), path, &body(path, "cut", "hi", false));
        assert!(!whole.whole && !whole.body.is_empty(), "{path}");
    }
}

#[test]
fn errors_have_the_status_the_header_and_the_shape_of_the_surface() {
    let mock = mock();
    for stream in [false, true] {
        for path in TEXT_PATHS {
            let reply =
                post(mock.address(), path, &body(path, "error?status=429&retry_after=2", "hi", stream));
            assert_eq!((reply.status, reply.header("retry-after")), (429, Some("2")), "{path}");
            let error = reply.json();
            if path == "/v1/messages" {
                assert_eq!(
                    (&error["type"], &error["error"]["type"]),
                    (&json!("error"), &json!("rate_limit_error"))
                );
                assert_eq!(error["request_id"], reply.header("request-id").unwrap());
            } else {
                assert_eq!(error["error"]["code"], "rate_limit_exceeded");
            }
        }
    }
    let overloaded =
        post(mock.address(), "/v1/messages", &body("/v1/messages", "error?status=529", "hi", false));
    assert_eq!((overloaded.status, &overloaded.json()["error"]["type"]), (529, &json!("overloaded_error")));
    let embeddings = post(mock.address(), "/v1/embeddings", &json!({"model": "error", "input": "x"}));
    assert_eq!(embeddings.status, 500);
}

#[test]
fn flaky_fails_in_the_same_sequence_for_the_same_seed() {
    let sequence = |model: &str| -> Vec<u16> {
        let mock = mock();
        let path = TEXT_PATHS[0];
        (0..40).map(|_| post(mock.address(), path, &body(path, model, "hi", false)).status).collect()
    };
    let seven = sequence("flaky?p=0.3&status=529&seed=7");
    assert_eq!(seven, sequence("flaky?p=0.3&status=529&seed=7"));
    assert_ne!(seven, sequence("flaky?p=0.3&status=529&seed=8"));
    let failures = seven.iter().filter(|status| **status == 529).count();
    assert!((4..24).contains(&failures) && seven.iter().all(|s| [200, 529].contains(s)), "{seven:?}");
}

#[test]
fn time_is_kept() {
    let mock = mock();
    let path = TEXT_PATHS[0];
    let took = |model: &str, stream| {
        let started = Instant::now();
        assert_eq!(post(mock.address(), path, &body(path, model, "a b c d", stream)).status, 200);
        started.elapsed()
    };
    for stream in [false, true] {
        let paced = took("lorem?tokens=11&ttft=100ms&itl=20ms", stream);
        assert!((Duration::from_millis(300)..Duration::from_millis(900)).contains(&paced), "{paced:?}");
        let slow = took("slow?total=300ms", stream);
        assert!((Duration::from_millis(300)..Duration::from_millis(900)).contains(&slow), "{slow:?}");
    }
}

#[test]
fn embeddings_are_unit_vectors_of_the_size_asked_for() {
    let mock = mock();
    let embed = |body: Value| post(mock.address(), "/v1/embeddings", &body).json();
    let vector = |reply: &Value, index: usize| -> Vec<f64> {
        reply["data"][index]["embedding"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let input = json!([
        "the quick brown fox",
        "the quick brown dog",
        "something else entirely",
        "the quick brown fox"
    ]);
    let reply = embed(json!({"model": "embed?dims=384", "input": input}));
    let vectors: Vec<_> = (0..4).map(|index| vector(&reply, index)).collect();
    assert_eq!(vectors[0].len(), 384);
    assert!((dot(&vectors[0], &vectors[0]) - 1.0).abs() < 1e-4);
    assert_eq!(vectors[0], vectors[3]);
    assert!(dot(&vectors[0], &vectors[1]) > dot(&vectors[0], &vectors[2]) + 0.3);
    assert_eq!(reply["usage"]["prompt_tokens"], 16);
    let small = embed(json!({"model": "embed", "input": "x", "dimensions": 3, "encoding_format": "base64"}));
    assert_eq!(small["data"][0]["embedding"].as_str().unwrap().len(), 16);
    assert_eq!(embed(json!({"model": "embed", "input": [1, 2, 3]}))["usage"]["total_tokens"], 3);
    for wrong in [json!(""), json!([]), json!(null), json!([""]), json!({})] {
        assert_eq!(
            post(mock.address(), "/v1/embeddings", &json!({"model": "embed", "input": wrong})).status,
            400
        );
    }
}

#[test]
fn google_s_embeddings_are_the_same_vectors() {
    let mock = mock();
    let ask = |path: &str, body: Value| post(mock.address(), path, &body);
    let content = |text: &str| json!({"parts": [{"text": text}]});
    let openai =
        ask("/v1/embeddings", json!({"model": "embed", "input": ["one two", "three"], "dimensions": 5}));
    let vectors: Vec<Value> =
        openai.json()["data"].as_array().unwrap().iter().map(|one| one["embedding"].clone()).collect();
    let one = ask(
        "/v1beta/models/embed:embedContent",
        json!({"content": content("one two"), "embedContentConfig": {"outputDimensionality": 5}}),
    );
    assert_eq!(
        one.json(),
        json!({"embedding": {"values": vectors[0]}, "usageMetadata": {"promptTokenCount": 2}})
    );
    let each = |text: &str, model: &str| json!({"model": model, "content": content(text), "output_dimensionality": 5});
    let path = "/v1/models/embed:batchEmbedContents";
    let batch =
        ask(path, json!({"requests": [each("one two", "models/embed"), each("three", "models/embed")]}));
    let values: Vec<Value> = vectors.iter().map(|vector| json!({"values": vector})).collect();
    assert_eq!(batch.json(), json!({"embeddings": values, "usageMetadata": {"promptTokenCount": 3}}));
    for wrong in [
        json!({}),
        json!({"requests": []}),
        json!({"requests": [{"content": content("x")}]}),
        json!({"requests": [each("x", "models/other")]}),
        json!({"requests": [{"model": "models/embed", "content": {"parts": []}}]}),
    ] {
        let refused = ask(path, wrong.clone());
        assert_eq!((refused.status, &refused.json()["error"]["code"]), (400, &json!(400)), "{wrong}");
    }
}

#[test]
fn documents_are_ranked_by_the_words_they_share_with_the_query() {
    let mock = mock();
    let body = json!({
        "model": "rerank", "query": "Quick brown fox",
        "documents": ["nothing of it", "the QUICK fox", "a fox, a fox", {"text": "brown? quick! fox."}, "fox"],
    });
    let rank = |more: Value| {
        let mut body = body.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post(mock.address(), "/v1/rerank", &body)
    };
    let reply = rank(json!({})).json();
    let order: Vec<u64> =
        reply["results"].as_array().unwrap().iter().map(|one| one["index"].as_u64().unwrap()).collect();
    assert_eq!(order, [3, 1, 2, 4, 0]);
    assert_eq!(reply["results"][0], json!({"index": 3, "relevance_score": 1.0}));
    assert_eq!(reply["results"][4]["relevance_score"], json!(0.0));
    assert_eq!(reply["meta"]["billed_units"]["search_units"], 1);
    let top = rank(json!({"top_n": 1, "return_documents": true})).json();
    assert_eq!(
        top["results"],
        json!([{"index": 3, "relevance_score": 1.0, "document": {"text": "brown? quick! fox."}}])
    );
    assert_eq!(post(mock.address(), "/v2/rerank", &body).json()["results"], reply["results"]);
    for wrong in [
        json!({"query": ""}),
        json!({"documents": []}),
        json!({"documents": [1]}),
        json!({"top_n": 0}),
        json!({"model": "echo"}),
    ] {
        assert_eq!(rank(wrong.clone()).status, 400, "{wrong}");
    }
    assert_eq!(rank(json!({"model": "error?status=429"})).status, 429);
}

#[test]
fn tokens_are_counted_as_the_usage_tells_them() {
    let mock = mock();
    let mut body = body("/v1/messages", "echo", "one two three", false);
    body["system"] = json!("be brief");
    let counted = post(mock.address(), "/v1/messages/count_tokens", &body).json();
    assert_eq!(counted, json!({"input_tokens": 5}));
    assert_eq!(usage_of(&post(mock.address(), "/v1/messages", &body), false), (5, 3));
}

#[test]
fn models_are_listed_and_shown_in_either_shape() {
    let mock = mock();
    let openai = get(mock.address(), "/v1/models", "").json();
    let ids: Vec<_> =
        openai["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, MODELS);
    let anthropic = get(mock.address(), "/v1/models", "anthropic-version: 2023-06-01\r\n").json();
    assert_eq!((&anthropic["has_more"], &anthropic["data"][0]["type"]), (&json!(false), &json!("model")));
    assert_eq!(get(mock.address(), "/v1/models/mock%2Florem", "").json()["id"], "mock/lorem");
    assert_eq!(get(mock.address(), "/v1/models/gpt", "").status, 404);
}

#[test]
fn a_wrong_request_is_told_what_is_wrong_in_the_surfaces_shape() {
    let mock = mock();
    let raw = |path: &str, body: &str| request(mock.address(), "POST", path, "", body.as_bytes());
    for path in TEXT_PATHS {
        for wrong in ["", "{", "[]", "{}", r#"{"model":1}"#, r#"{"model":"echo"}"#] {
            let reply = raw(path, wrong);
            assert_eq!(reply.status, 400, "{path} {wrong}");
            assert!(reply.json()["error"]["message"].as_str().unwrap().len() > 5);
            assert_eq!(reply.json()["type"] == "error", path == "/v1/messages");
        }
        let unknown = post(mock.address(), path, &body(path, "gpt-9", "hi", false));
        assert_eq!(unknown.status, 404);
        assert!(unknown.json()["error"]["message"].as_str().unwrap().contains("`lorem`"));
        let parameter = post(mock.address(), path, &body(path, "lorem?words=2", "hi", false));
        assert_eq!(parameter.status, 400);
        assert!(parameter.json()["error"]["message"].as_str().unwrap().contains("`tokens`"));
        let method = get(mock.address(), path, "");
        assert_eq!((method.status, method.header("allow")), (405, Some("POST")));
    }
    assert_eq!(get(mock.address(), "/v1/chat", "").status, 404);
    let no_limit = json!({"model": "echo", "messages": [{"role": "user", "content": "hi"}]});
    assert_eq!(post(mock.address(), "/v1/messages", &no_limit).status, 400);
}

#[test]
fn digests_tell_what_was_read_and_what_was_sent() {
    let mock = mock();
    for stream in [false, true] {
        for path in TEXT_PATHS {
            let body = body(path, "echo", "a ž b", stream).to_string();
            let reply = request(mock.address(), "POST", path, "", body.as_bytes());
            assert_eq!(reply.header("x-mock-saw-body-sha256"), Some(sha256(body.as_bytes()).as_str()));
            assert_eq!(reply.header("x-mock-body-sha256"), Some(sha256(&reply.body).as_str()));
            assert!(reply.header("x-request-id").unwrap().starts_with("req_"));
        }
    }
}

#[test]
fn fixed_replies_are_whole_replies_of_their_surface() {
    let mock = mock();
    for path in TEXT_PATHS {
        let whole = post(mock.address(), path, &body(path, "fixed?bytes=4096", "hi", false));
        assert!(whole.body.len().abs_diff(4096) < 16, "{path}");
        assert!(usage_of(&whole, false).1 > 100);
        let again = post(mock.address(), path, &body(path, "fixed?bytes=4096", "hi", false));
        assert_eq!(whole.body, again.body);
        let stream = post(mock.address(), path, &body(path, "fixed?frames=64&size=300", "hi", true));
        assert_eq!(stream.content_events(), 64, "{path}");
        assert!(ends_properly(path, &stream));
        assert!(usage_of(&stream, true).1 > 100);
    }
    // The short way, for a body that begins with its model.
    let quick = br#"{"model":"fixed?frames=3","messages":[]}"#;
    let reply = request(mock.address(), "POST", "/v1/chat/completions", "", quick);
    assert_eq!((reply.content_events(), reply.header("x-mock-saw-body-sha256")), (3, None));
}

#[test]
fn http_2_by_prior_knowledge_is_served_and_a_cut_resets_the_stream() {
    let mock = mock();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let fetch = |model: &str| runtime.block_on(fetch_h2(mock.address(), model.to_owned()));
    let (status, body) = fetch("echo");
    assert_eq!(status, 200);
    assert!(String::from_utf8(body.unwrap()).unwrap().contains("message_stop"));
    assert!(fetch("cut?after=2").1.is_err());
}

async fn fetch_h2(address: SocketAddr, model: String) -> (u16, Result<Vec<u8>, hyper::Error>) {
    use http_body_util::{BodyExt, Full};
    use hyper_util::rt::{TokioExecutor, TokioIo};
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let (mut send, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let driver = tokio::spawn(connection);
    let body = body("/v1/messages", &model, "hi", true).to_string();
    let request = hyper::Request::post(format!("http://{address}/v1/messages"))
        .body(Full::<bytes::Bytes>::from(body))
        .unwrap();
    let response = send.send_request(request).await.unwrap();
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.map(|body| body.to_bytes().to_vec());
    driver.abort();
    (status, body)
}

#[test]
fn a_stopped_mock_frees_its_address_and_a_taken_one_is_an_error() {
    let first = mock();
    assert!(Mock::start(first.address()).is_err());
    first.stop();
    first.stop();
    let second = Mock::start(first.address()).unwrap();
    assert_eq!(get(second.address(), "/v1/models", "").status, 200);
    let address = second.address();
    drop(second);
    assert!(std::net::TcpStream::connect(address).is_err());
}
