//! The APIs that gateways speak to upstreams only: Amazon's Converse, Cohere's chat and Ollama's.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use llm_edge_mock::MODELS;
use serde_json::{Value, json};

use super::client::{Reply, get, post, request, sha256};
use super::{mock, parsed};

const TEXT: &str = "Žluťoučký kůň, \"quoted\"\n漢字 🙂 and a verylongword";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Api {
    Converse,
    Cohere,
    Ollama,
}

const APIS: [Api; 3] = [Api::Converse, Api::Cohere, Api::Ollama];

impl Api {
    /// Where a model is asked; only Converse has the model and the kind of reply in the path.
    fn path(self, model: &str, stream: bool) -> String {
        match self {
            Self::Converse => {
                let model = model.replace('/', "%2F").replace('?', "%3F").replace('&', "%26");
                format!("/model/{model}/converse{}", if stream { "-stream" } else { "" })
            }
            Self::Cohere => "/v2/chat".to_owned(),
            Self::Ollama => "/api/chat".to_owned(),
        }
    }

    fn body(self, model: &str, text: &str, stream: bool) -> Value {
        match self {
            Self::Converse => json!({"messages": [{"role": "user", "content": [{"text": text}]}]}),
            Self::Cohere | Self::Ollama => {
                json!({"model": model, "stream": stream, "messages": [{"role": "user", "content": text}]})
            }
        }
    }

    /// Asks with more members in the body.
    fn ask_with(self, address: SocketAddr, model: &str, stream: bool, more: &Value) -> Reply {
        let mut body = self.body(model, TEXT, stream);
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        post(address, &self.path(model, stream), &body)
    }

    fn ask(self, address: SocketAddr, model: &str, stream: bool) -> Reply {
        self.ask_with(address, model, stream, &json!({}))
    }

    /// The text of a whole reply.
    fn text(self, reply: &Value) -> String {
        let texts = match self {
            Self::Converse => &reply["output"]["message"]["content"],
            Self::Cohere => &reply["message"]["content"],
            Self::Ollama => return reply["message"]["content"].as_str().unwrap().to_owned(),
        };
        texts.as_array().unwrap().iter().filter_map(|part| part["text"].as_str()).collect()
    }

    /// The events of a stream: type and data.
    fn events(self, reply: &Reply) -> Vec<(String, Value)> {
        match self {
            Self::Converse => reply.messages(),
            Self::Cohere => reply.events(),
            Self::Ollama => {
                let kind = |line: &Value| if line["done"] == true { "done" } else { "line" };
                reply.lines().into_iter().map(|line| (kind(&line).to_owned(), line)).collect()
            }
        }
    }

    /// The types of a stream's events, repeated ones once.
    fn names(self, reply: &Reply) -> Vec<String> {
        let mut names: Vec<String> = self.events(reply).into_iter().map(|(name, _)| name).collect();
        names.dedup();
        names
    }

    fn pieces(self, reply: &Reply, place: &str) -> Vec<String> {
        let place = match (self, place) {
            (Self::Converse, "text") => "/delta/text",
            (Self::Converse, "thinking") => "/delta/reasoningContent/text",
            (Self::Converse, _) => "/delta/toolUse/input",
            (Self::Cohere, "text") => "/delta/message/content/text",
            (Self::Cohere, "thinking") => "/delta/message/content/thinking",
            (Self::Cohere, "plan") => "/delta/message/tool_plan",
            (Self::Cohere, _) => "/delta/message/tool_calls/function/arguments",
            (Self::Ollama, "text") => "/message/content",
            (Self::Ollama, _) => "/message/thinking",
        };
        let events = self.events(reply);
        let pieces = events.iter().filter_map(|(_, data)| data.pointer(place)?.as_str());
        pieces.filter(|piece| !piece.is_empty()).map(str::to_owned).collect()
    }

    fn ends_properly(self, reply: &Reply) -> bool {
        let last = self.events(reply).pop().map(|(name, _)| name);
        let wanted = match self {
            Self::Converse => "metadata",
            Self::Cohere => "message-end",
            Self::Ollama => "done",
        };
        reply.whole && last.as_deref() == Some(wanted)
    }

    /// Input and output tokens, of a whole reply or of a stream's last event.
    fn usage(self, reply: &Reply, stream: bool) -> (u64, u64) {
        let said = if stream { self.events(reply).pop().unwrap().1 } else { reply.json() };
        let (usage, input, output) = match self {
            Self::Converse => (&said["usage"], "inputTokens", "outputTokens"),
            Self::Cohere if stream => (&said["delta"]["usage"]["tokens"], "input_tokens", "output_tokens"),
            Self::Cohere => (&said["usage"]["tokens"], "input_tokens", "output_tokens"),
            Self::Ollama => (&said, "prompt_eval_count", "eval_count"),
        };
        (usage[input].as_u64().unwrap(), usage[output].as_u64().unwrap())
    }

    /// Why it ended, of a whole reply or of a stream.
    fn reason(self, reply: &Reply, stream: bool) -> String {
        let events = if stream { self.events(reply) } else { Vec::new() };
        let at = |name: &str| events.iter().find(|(kind, _)| kind == name).unwrap().1.clone();
        let reason = match (self, stream) {
            (Self::Converse, false) => reply.json()["stopReason"].clone(),
            (Self::Converse, true) => at("messageStop")["stopReason"].clone(),
            (Self::Cohere, false) => reply.json()["finish_reason"].clone(),
            (Self::Cohere, true) => at("message-end")["delta"]["finish_reason"].clone(),
            (Self::Ollama, false) => reply.json()["done_reason"].clone(),
            (Self::Ollama, true) => at("done")["done_reason"].clone(),
        };
        reason.as_str().unwrap().to_owned()
    }

    fn tools(self) -> Value {
        let schema = json!({
            "type": "object",
            "properties": {"city": {"type": "string", "minLength": 3}, "days": {"type": "integer", "minimum": 2}},
            "required": ["city", "days"],
        });
        let other = json!({"type": "object"});
        match self {
            Self::Converse => json!({"toolConfig": {"tools": [
                {"toolSpec": {"name": "weather", "inputSchema": {"json": schema}}},
                {"cachePoint": {"type": "default"}},
                {"toolSpec": {"name": "other", "inputSchema": {"json": other}}},
            ]}}),
            Self::Cohere | Self::Ollama => json!({"tools": [
                {"type": "function", "function": {"name": "weather", "parameters": schema}},
                {"type": "function", "function": {"name": "other", "parameters": other}},
            ]}),
        }
    }

    /// Name, arguments and id of the one call of a whole reply.
    fn call(self, reply: &Value) -> (Value, Value, String) {
        let calls = &reply["message"]["tool_calls"];
        let (call, id) = match self {
            Self::Converse => {
                let call = &reply["output"]["message"]["content"][0]["toolUse"];
                return (
                    call["name"].clone(),
                    call["input"].clone(),
                    call["toolUseId"].as_str().unwrap().to_owned(),
                );
            }
            Self::Cohere | Self::Ollama => (&calls[0]["function"], calls[0]["id"].as_str().unwrap()),
        };
        let arguments =
            if self == Self::Cohere { parsed(&call["arguments"]) } else { call["arguments"].clone() };
        (call["name"].clone(), arguments, id.to_owned())
    }

    /// The request that brings the result of the call in a reply.
    fn answered(self, reply: &Value, id: &str) -> Value {
        let mut body = self.body("tools", TEXT, false);
        body.as_object_mut().unwrap().extend(self.tools().as_object().unwrap().clone());
        let (said, result) = match self {
            Self::Converse => {
                let result = json!({"toolUseId": id, "content": [{"text": "sunny"}]});
                (&reply["output"]["message"], json!({"role": "user", "content": [{"toolResult": result}]}))
            }
            Self::Cohere => {
                let content = json!([{"type": "text", "text": "sunny"}]);
                (&reply["message"], json!({"role": "tool", "tool_call_id": id, "content": content}))
            }
            Self::Ollama => {
                (&reply["message"], json!({"role": "tool", "tool_name": "weather", "content": "sunny"}))
            }
        };
        body["messages"].as_array_mut().unwrap().extend([said.clone(), result]);
        body
    }

    /// The message of an error, whose shape must be the API's.
    fn message(self, reply: &Reply) -> String {
        let error = reply.json();
        let members: Vec<&str> = error.as_object().unwrap().keys().map(String::as_str).collect();
        let (wanted, at): (&[&str], &str) = match self {
            Self::Converse => (&["message"], "message"),
            Self::Cohere => (&["id", "message"], "message"),
            Self::Ollama => (&["error"], "error"),
        };
        assert_eq!(members, wanted);
        error[at].as_str().unwrap().to_owned()
    }
}

#[test]
fn echo_is_the_same_whole_and_streamed() {
    let mock = mock();
    for api in APIS {
        for model in ["echo", "mock/echo"] {
            let whole = api.ask(mock.address(), model, false);
            assert_eq!((whole.status, api.text(&whole.json()).as_str()), (200, TEXT), "{api:?}");
            assert_eq!(whole.header("content-type"), Some("application/json"));
            let stream = api.ask(mock.address(), model, true);
            assert_eq!(api.pieces(&stream, "text").concat(), TEXT, "{api:?}");
            assert!(api.ends_properly(&stream), "{api:?}");
            assert_eq!(api.usage(&stream, true), api.usage(&whole, false), "{api:?}");
            assert_eq!(api.reason(&stream, true), api.reason(&whole, false), "{api:?}");
        }
    }
    let told = |api: Api| api.ask(mock.address(), "echo", true).header("content-type").unwrap().to_owned();
    assert_eq!(told(Api::Converse), "application/vnd.amazon.eventstream");
    assert!(told(Api::Cohere).starts_with("text/event-stream"));
    assert_eq!(told(Api::Ollama), "application/x-ndjson");
}

#[test]
fn events_come_in_the_vendors_order() {
    let mock = mock();
    let names = |api: Api, model: &str| api.names(&api.ask_with(mock.address(), model, true, &api.tools()));
    let ended = ["contentBlockStop", "messageStop", "metadata"];
    assert_eq!(
        names(Api::Converse, "echo"),
        [["messageStart", "contentBlockDelta"].as_slice(), &ended].concat()
    );
    // Of the blocks only calls are begun by an event.
    let called = ["messageStart", "contentBlockStart", "contentBlockDelta"];
    assert_eq!(names(Api::Converse, "tools"), [called.as_slice(), &ended].concat());
    let said = ["content-start", "content-delta", "content-end"];
    let [start, end] = [["message-start"], ["message-end"]];
    assert_eq!(names(Api::Cohere, "echo"), [start.as_slice(), &said, &end].concat());
    assert_eq!(names(Api::Cohere, "thinking"), [start.as_slice(), &said, &said, &end].concat());
    let called = ["tool-plan-delta", "tool-call-start", "tool-call-delta", "tool-call-end"];
    assert_eq!(names(Api::Cohere, "tools"), [start.as_slice(), &called, &end].concat());
    for model in ["echo", "tools", "thinking"] {
        assert_eq!(names(Api::Ollama, model), ["line", "done"]);
    }
    for (name, data) in Api::Cohere.ask(mock.address(), "thinking", true).events() {
        assert_eq!(name, data["type"]);
    }
    let indices: Vec<_> = Api::Converse
        .ask(mock.address(), "thinking", true)
        .messages()
        .iter()
        .filter_map(|(_, data)| data.get("contentBlockIndex")?.as_u64())
        .collect();
    assert!(indices.is_sorted() && indices.first() == Some(&0) && indices.last() == Some(&1));
}

#[test]
fn lorem_says_the_tokens_asked_for_and_the_same_for_the_same_seed() {
    let mock = mock();
    for api in APIS {
        let whole = api.ask(mock.address(), "lorem?tokens=57&seed=3", false);
        assert_eq!(api.usage(&whole, false).1, 57, "{api:?}");
        let stream = api.ask(mock.address(), "lorem?tokens=57&seed=3", true);
        let pieces = api.pieces(&stream, "text");
        assert_eq!((pieces.len(), pieces.concat()), (57, api.text(&whole.json())), "{api:?}");
        let other = api.ask(mock.address(), "lorem?tokens=57&seed=4", true);
        assert_ne!(api.pieces(&other, "text"), pieces, "{api:?}");
    }
}

#[test]
fn limits_and_stop_strings_end_the_text_and_are_told() {
    let mock = mock();
    for (api, limit, stops, reasons) in [
        (
            Api::Converse,
            json!({"inferenceConfig": {"maxTokens": 7}}),
            json!({"inferenceConfig": {"stopSequences": ["quoted"]}}),
            ["max_tokens", "stop_sequence", "end_turn"],
        ),
        (
            Api::Cohere,
            json!({"max_tokens": 7}),
            json!({"stop_sequences": ["quoted"]}),
            ["MAX_TOKENS", "STOP_SEQUENCE", "COMPLETE"],
        ),
        (
            Api::Ollama,
            json!({"options": {"num_predict": 7}}),
            json!({"options": {"stop": ["quoted"]}}),
            ["length", "stop", "stop"],
        ),
    ] {
        for stream in [false, true] {
            let cut = api.ask_with(mock.address(), "lorem?tokens=50", stream, &limit);
            assert_eq!((api.usage(&cut, stream).1, api.reason(&cut, stream).as_str()), (7, reasons[0]));
            let stopped = api.ask_with(mock.address(), "echo", stream, &stops);
            assert_eq!(api.reason(&stopped, stream), reasons[1], "{api:?}");
            let text = if stream { api.pieces(&stopped, "text").concat() } else { api.text(&stopped.json()) };
            assert_eq!(text, "Žluťoučký kůň, \"", "{api:?}");
            assert_eq!(api.reason(&api.ask(mock.address(), "echo", stream), stream), reasons[2]);
        }
    }
    let endless = json!({"options": {"num_predict": -1}});
    assert_eq!(Api::Ollama.ask_with(mock.address(), "echo", false, &endless).json()["done_reason"], "stop");
}

#[test]
fn tools_calls_the_tool_offered_and_then_answers_with_its_result() {
    let mock = mock();
    let wanted = json!({"city": "text", "days": 2});
    for api in APIS {
        let whole = api.ask_with(mock.address(), "tools", false, &api.tools());
        let (name, arguments, id) = api.call(&whole.json());
        assert_eq!((name, &arguments), (json!("weather"), &wanted), "{api:?}");
        let stream = api.ask_with(mock.address(), "tools", true, &api.tools());
        assert!(api.ends_properly(&stream));
        assert_eq!(api.usage(&stream, true), api.usage(&whole, false));
        assert_eq!(api.reason(&stream, true), api.reason(&whole, false));
        if api == Api::Ollama {
            // Calls come whole.
            assert_eq!(api.call(&stream.lines()[0]).1, wanted);
        } else {
            let streamed = api.pieces(&stream, "arguments").concat();
            assert_eq!(serde_json::from_str::<Value>(&streamed).unwrap(), wanted, "{api:?}");
        }
        let again = post(mock.address(), &api.path("tools", false), &api.answered(&whole.json(), &id));
        assert_eq!(api.text(&again.json()), "The tool answered: sunny", "{api:?}");
        let none = api.ask(mock.address(), "tools", false);
        assert_eq!(none.status, 400);
        assert!(api.message(&none).contains("tools"));
    }
    let said = Api::Cohere.ask_with(mock.address(), "tools", false, &Api::Cohere.tools()).json();
    assert_eq!(said["message"]["tool_plan"], "I will call weather.");
    let json_result = json!([{"toolUse": {"toolUseId": "t", "name": "weather", "input": {}}}]);
    let mut body = Api::Converse.tools();
    body["messages"] = json!([
        {"role": "assistant", "content": json_result},
        {"role": "user", "content": [{"toolResult": {"toolUseId": "t", "content": [{"json": {"sky": "clear"}}]}}]},
    ]);
    let told = post(mock.address(), "/model/tools/converse", &body).json();
    assert_eq!(Api::Converse.text(&told), "The tool answered: {\"sky\":\"clear\"}");
}

#[test]
fn a_tool_is_chosen_or_forbidden_as_each_api_says_it() {
    let mock = mock();
    let with = |api: Api, choice: Value| {
        let mut more = api.tools();
        if api == Api::Converse {
            more["toolConfig"]["toolChoice"] = choice;
        } else {
            more["tool_choice"] = choice;
        }
        api.ask_with(mock.address(), "json", false, &more)
    };
    for choice in [json!({"tool": {"name": "other"}}), json!({"any": {}})] {
        let (name, ..) = Api::Converse.call(&with(Api::Converse, choice.clone()).json());
        assert_eq!(name == "other", choice.get("tool").is_some());
    }
    let unknown = with(Api::Converse, json!({"tool": {"name": "unknown"}}));
    assert_eq!(unknown.status, 400);
    assert_eq!(Api::Cohere.call(&with(Api::Cohere, json!("REQUIRED")).json()).0, "weather");
    let mut forbidden = Api::Cohere.tools();
    forbidden["tool_choice"] = json!("NONE");
    assert_eq!(Api::Cohere.ask_with(mock.address(), "tools", false, &forbidden).status, 400);
}

#[test]
fn json_gives_a_value_of_the_schema_as_each_api_asks_for_it() {
    let mock = mock();
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer", "minimum": 41}}, "required": ["n"]});
    let structure = json!({"jsonSchema": {"schema": schema.to_string()}});
    for (api, more) in [
        (
            Api::Converse,
            json!({"outputConfig": {"textFormat": {"type": "json_schema", "structure": structure}}}),
        ),
        (Api::Cohere, json!({"response_format": {"type": "json_object", "json_schema": schema}})),
        (Api::Ollama, json!({"format": schema})),
    ] {
        let text = api.text(&api.ask_with(mock.address(), "json", false, &more).json());
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json!({"n": 41}), "{api:?}");
        let stream = api.ask_with(mock.address(), "json", true, &more);
        assert_eq!(api.pieces(&stream, "text").concat(), text, "{api:?}");
    }
    let free = Api::Ollama.ask_with(mock.address(), "json", false, &json!({"format": "json"}));
    assert_eq!(Api::Ollama.text(&free.json()), "{\"ok\":true}");
}

#[test]
fn thinking_comes_before_the_text_unless_it_is_turned_off() {
    let mock = mock();
    for (api, off) in [
        (Api::Converse, json!({"additionalModelRequestFields": {"thinking": {"type": "disabled"}}})),
        (Api::Cohere, json!({"thinking": {"type": "disabled"}})),
        (Api::Ollama, json!({"think": false})),
    ] {
        let whole = api.ask(mock.address(), "thinking", false);
        let stream = api.ask(mock.address(), "thinking", true);
        let said = whole.json();
        let thought = match api {
            Api::Converse => {
                &said["output"]["message"]["content"][0]["reasoningContent"]["reasoningText"]["text"]
            }
            Api::Cohere => &said["message"]["content"][0]["thinking"],
            Api::Ollama => &said["message"]["thinking"],
        };
        let thought = thought.as_str().unwrap();
        assert!(thought.len() > 20, "{api:?}");
        assert_eq!(api.pieces(&stream, "thinking").concat(), thought, "{api:?}");
        assert_eq!(api.pieces(&stream, "text").concat(), api.text(&said), "{api:?}");
        assert_eq!(api.usage(&stream, true), api.usage(&whole, false), "{api:?}");
        let off = api.ask_with(mock.address(), "thinking", false, &off);
        assert!(!String::from_utf8(off.body).unwrap().contains(thought), "{api:?}");
    }
    let stream = Api::Converse.ask(mock.address(), "thinking", true).messages();
    let signature = stream.iter().find_map(|(_, data)| data.pointer("/delta/reasoningContent/signature"));
    assert!(signature.unwrap().as_str().unwrap().len() > 40);
}

#[test]
fn big_and_fixed_have_the_size_asked_for() {
    let mock = mock();
    for api in APIS {
        let whole = api.ask(mock.address(), "big?bytes=1048576", false);
        assert_eq!(api.text(&whole.json()).len(), 1 << 20);
        let stream = api.ask(mock.address(), "big?bytes=1048576", true);
        let pieces = api.pieces(&stream, "text");
        assert_eq!((pieces.concat().len(), pieces.len()), (1 << 20, 64), "{api:?}");
        let whole = api.ask(mock.address(), "fixed?bytes=4096", false);
        assert!(whole.body.len().abs_diff(4096) < 16, "{api:?}");
        let stream = api.ask(mock.address(), "fixed?frames=64&size=300", true);
        assert_eq!(api.pieces(&stream, "text").len(), 64, "{api:?}");
        assert!(api.ends_properly(&stream) && api.usage(&stream, true).1 > 100);
        let told = stream.header("content-type").unwrap();
        assert_eq!(told, api.ask(mock.address(), "echo", true).header("content-type").unwrap());
    }
}

#[test]
fn a_cut_dies_after_that_many_content_events_without_an_end() {
    let mock = mock();
    for api in APIS {
        for after in [0, 1, 5] {
            let stream = api.ask(mock.address(), &format!("cut?after={after}"), true);
            assert_eq!((stream.status, stream.whole), (200, false), "{api:?}");
            assert_eq!(api.pieces(&stream, "text").len(), after, "{api:?}");
            assert!(!api.ends_properly(&stream));
        }
        let whole = api.ask(mock.address(), "cut", false);
        assert!(!whole.whole && !whole.body.is_empty(), "{api:?}");
    }
}

#[test]
fn errors_have_the_status_the_headers_and_the_shape_of_the_api() {
    let mock = mock();
    for stream in [false, true] {
        for api in APIS {
            let reply = api.ask(mock.address(), "error?status=429&retry_after=2", stream);
            assert_eq!((reply.status, reply.header("retry-after")), (429, Some("2")), "{api:?}");
            assert!(api.message(&reply).contains("429"));
            assert_eq!(api.ask(mock.address(), "flaky?p=1", stream).status, 503);
            assert_eq!(api.ask(mock.address(), "flaky?p=0", stream).status, 200);
        }
    }
    for (status, kind) in [
        (400, "ValidationException"),
        (403, "AccessDeniedException"),
        (404, "ResourceNotFoundException"),
        (408, "ModelTimeoutException"),
        (424, "ModelErrorException"),
        (429, "ThrottlingException"),
        (500, "InternalServerException"),
        (503, "ServiceUnavailableException"),
    ] {
        let reply = Api::Converse.ask(mock.address(), &format!("error?status={status}"), true);
        assert_eq!((reply.status, reply.header("x-amzn-errortype")), (status, Some(kind)));
        assert_eq!(reply.header("x-amzn-requestid"), reply.header("x-request-id"));
    }
}

#[test]
fn time_is_kept() {
    let mock = mock();
    for api in APIS {
        for stream in [false, true] {
            for model in ["lorem?tokens=11&ttft=100ms&itl=20ms", "slow?total=300ms"] {
                let started = Instant::now();
                assert_eq!(api.ask(mock.address(), model, stream).status, 200);
                let took = started.elapsed();
                assert!((Duration::from_millis(300)..Duration::from_millis(900)).contains(&took), "{took:?}");
            }
        }
    }
}

#[test]
fn a_wrong_request_is_told_what_is_wrong_in_the_api_s_shape() {
    let mock = mock();
    for api in APIS {
        let path = api.path("echo", false);
        for wrong in ["", "{", "[]", "{}", r#"{"model":"echo"}"#, r#"{"model":"echo","messages":[]}"#] {
            let reply = request(mock.address(), "POST", &path, "", wrong.as_bytes());
            assert_eq!(reply.status, 400, "{api:?} {wrong}");
            assert!(api.message(&reply).len() > 5);
        }
        let unknown = api.ask(mock.address(), "gpt-9", true);
        assert_eq!(unknown.status, 404);
        assert!(api.message(&unknown).contains("`lorem`"));
        let parameter = api.ask(mock.address(), "lorem?words=2", false);
        assert_eq!(parameter.status, 400);
        assert!(api.message(&parameter).contains("`tokens`"));
        assert_eq!(api.ask(mock.address(), "embed", false).status, 400);
        let method = get(mock.address(), &path, "");
        assert_eq!((method.status, method.header("allow")), (405, Some("POST")), "{api:?}");
        assert!(api.message(&method).contains("POST"));
        let nowhere = post(mock.address(), &format!("{path}s"), &api.body("echo", TEXT, false));
        assert_eq!(nowhere.status, 404);
        assert!(api.message(&nowhere).contains(&path));
        // An address that ends in a version of another API's is not mended.
        let doubled = post(mock.address(), &format!("/v1{path}"), &api.body("echo", TEXT, false));
        assert_eq!(doubled.status, 404, "{api:?}");
    }
    let ranked = post(mock.address(), "/v2/rerank", &json!({"model": "rerank"}));
    assert_eq!(ranked.status, 400);
    assert!(Api::Cohere.message(&ranked).contains("query"));
    assert_eq!(post(mock.address(), "/model/%FF/converse", &json!({"messages": []})).status, 400);
    let bare = get(mock.address(), "/model/", "");
    assert_eq!((bare.status, bare.header("x-amzn-errortype")), (404, Some("UnknownOperationException")));
}

#[test]
fn digests_tell_what_was_read_and_what_was_sent() {
    let mock = mock();
    for api in APIS {
        for stream in [false, true] {
            let body = api.body("echo", TEXT, stream).to_string();
            let reply = request(mock.address(), "POST", &api.path("echo", stream), "", body.as_bytes());
            assert_eq!(reply.header("x-mock-saw-body-sha256"), Some(sha256(body.as_bytes()).as_str()));
            assert_eq!(reply.header("x-mock-body-sha256"), Some(sha256(&reply.body).as_str()));
        }
    }
}

#[test]
fn converse_counts_tokens_as_the_usage_tells_them() {
    let mock = mock();
    let mut body = Api::Converse.body("echo", "one two three", false);
    body["system"] = json!([{"text": "be brief"}]);
    let counted = post(mock.address(), "/model/echo/count-tokens", &json!({"input": {"converse": body}}));
    assert_eq!(counted.json(), json!({"inputTokens": 5}));
    let said = post(mock.address(), "/model/echo/converse", &body);
    assert_eq!(Api::Converse.usage(&said, false), (5, 3));
    assert_eq!(post(mock.address(), "/model/echo/count-tokens", &json!({"input": {}})).status, 400);
}

#[test]
fn ollama_streams_unless_it_is_told_not_to_and_lists_its_models() {
    let mock = mock();
    let body = json!({"model": "echo", "messages": [{"role": "user", "content": "a b"}]});
    let stream = post(mock.address(), "/api/chat", &body);
    assert_eq!(Api::Ollama.names(&stream), ["line", "done"]);
    let tags = get(mock.address(), "/api/tags", "").json();
    let names: Vec<_> =
        tags["models"].as_array().unwrap().iter().map(|model| model["name"].as_str().unwrap()).collect();
    assert_eq!(names, MODELS);
    let version = get(mock.address(), "/api/version", "").json();
    assert!(version["version"].as_str().unwrap().split('.').all(|number| number.parse::<u32>().is_ok()));
    let posted = post(mock.address(), "/api/tags", &json!({}));
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET")));
    assert!(Api::Ollama.message(&posted).contains("GET"));
}
