//! Answers of a model, as each dialect tells them whole and streamed, and streams folded the way SDKs fold them.

use serde_json::{Value, json};

/// One thing said.
#[derive(Clone, Debug)]
pub(crate) enum Said {
    Text(&'static str),
    Thinking(&'static str, &'static str),
    Redacted(&'static str),
    /// Id, name, JSON text of the input.
    Call(&'static str, &'static str, &'static str),
}

use Said::{Call, Redacted, Text, Thinking};

/// An answer and its stop reason in Anthropic's and in `OpenAI`'s words.
pub(crate) struct Answer {
    pub(crate) name: &'static str,
    pub(crate) said: Vec<Said>,
    pub(crate) stop: (&'static str, &'static str),
}

const WEATHER: Said = Call("call_1", "get_weather", r#"{"city":"Zürich 😀","nested":{"a":[1,"}\"{"]}}"#);
const CLOCK: Said = Call("call_2", "clock", "{}");
const ADD: Said = Call("call_3", "add", r#"{"a":1.50,"b":-2e3}"#);

pub(crate) fn answers() -> Vec<Answer> {
    let stop = ("end_turn", "stop");
    let tools = ("tool_use", "tool_calls");
    let answer = |name, said, stop| Answer { name, said, stop };
    vec![
        answer("text", vec![Text("Grüße, \"Welt\" \\ 😀\n")], stop),
        answer("nothing", vec![], stop),
        answer("cut", vec![Text("It was")], ("max_tokens", "length")),
        answer("refusal", vec![Text("I cannot.")], ("refusal", "content_filter")),
        answer("one tool", vec![Text("Let me see."), WEATHER], tools),
        answer("tool without arguments", vec![CLOCK], tools),
        answer("three tools", vec![WEATHER, CLOCK, ADD], tools),
        answer("thinking", vec![Thinking("Hm, \"so\" 😀", "c2ln"), Text("Yes.")], stop),
        answer(
            "thinking twice",
            vec![Thinking("One", "c2ln"), Thinking("Two", "c2lnMg=="), Text("Then"), WEATHER],
            tools,
        ),
        answer("redacted", vec![Redacted("ZGF0YQ=="), Thinking("", "c2ln"), Text("Yes.")], stop),
    ]
}

const ANTHROPIC_USAGE: &str = r#"{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":85,
    "output_tokens":20,"output_tokens_details":{"thinking_tokens":7}}"#;
const CHAT_USAGE: &str = r#"{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120,
    "prompt_tokens_details":{"cached_tokens":85,"cache_write_tokens":5},
    "completion_tokens_details":{"reasoning_tokens":7}}"#;

const RESPONSES_USAGE: &str = r#"{"input_tokens":100,"output_tokens":20,"total_tokens":120,
    "input_tokens_details":{"cached_tokens":85,"cache_write_tokens":5},
    "output_tokens_details":{"reasoning_tokens":7}}"#;

pub(crate) fn responses_usage() -> Value {
    serde_json::from_str(RESPONSES_USAGE).unwrap()
}

pub(crate) fn anthropic_usage() -> Value {
    serde_json::from_str(ANTHROPIC_USAGE).unwrap()
}

pub(crate) fn chat_usage() -> Value {
    serde_json::from_str(CHAT_USAGE).unwrap()
}

/// A text in pieces of `size` characters.
pub(crate) fn pieces(text: &str, size: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size).map(|piece| piece.iter().collect()).collect()
}

impl Answer {
    pub(crate) fn anthropic(&self) -> Value {
        let block = |said: &Said| match said {
            Text(text) => json!({"type": "text", "text": text}),
            Thinking(text, signature) => {
                json!({"type": "thinking", "thinking": text, "signature": signature})
            }
            Redacted(data) => json!({"type": "redacted_thinking", "data": data}),
            Call(id, name, input) => {
                let input: Value = serde_json::from_str(input).unwrap();
                json!({"type": "tool_use", "id": id, "name": name, "input": input})
            }
        };
        let content: Vec<Value> = self.said.iter().map(block).collect();
        json!({"id": "r1", "type": "message", "role": "assistant", "model": "m", "content": content,
            "stop_reason": self.stop.0, "stop_sequence": null, "usage": anthropic_usage()})
    }

    pub(crate) fn anthropic_stream(&self, size: usize) -> String {
        let mut events = vec![json!({"type": "message_start", "message": {"id": "r1", "type": "message",
            "role": "assistant", "model": "m", "content": [], "stop_reason": null, "stop_sequence": null,
            "usage": {"input_tokens": 10, "cache_creation_input_tokens": 5, "cache_read_input_tokens": 85,
                "output_tokens": 1}}})];
        events.push(json!({"type": "ping"}));
        for (index, said) in self.said.iter().enumerate() {
            let start = match said {
                Text(_) => json!({"type": "text", "text": ""}),
                Thinking(..) => json!({"type": "thinking", "thinking": "", "signature": ""}),
                Redacted(data) => json!({"type": "redacted_thinking", "data": data}),
                Call(id, name, _) => json!({"type": "tool_use", "id": id, "name": name, "input": {}}),
            };
            events.push(json!({"type": "content_block_start", "index": index, "content_block": start}));
            let mut delta = |delta: Value| {
                events.push(json!({"type": "content_block_delta", "index": index, "delta": delta}));
            };
            match said {
                Text(text) => {
                    for piece in pieces(text, size) {
                        delta(json!({"type": "text_delta", "text": piece}));
                    }
                }
                Thinking(text, signature) => {
                    for piece in pieces(text, size) {
                        delta(json!({"type": "thinking_delta", "thinking": piece}));
                    }
                    delta(json!({"type": "signature_delta", "signature": signature}));
                }
                Redacted(_) => {}
                Call(_, _, input) => {
                    delta(json!({"type": "input_json_delta", "partial_json": ""}));
                    for piece in pieces(if *input == "{}" { "" } else { input }, size) {
                        delta(json!({"type": "input_json_delta", "partial_json": piece}));
                    }
                }
            }
            events.push(json!({"type": "content_block_stop", "index": index}));
        }
        events.push(
            json!({"type": "message_delta", "delta": {"stop_reason": self.stop.0, "stop_sequence": null},
            "usage": {"output_tokens": 20, "output_tokens_details": {"thinking_tokens": 7}}}),
        );
        events.push(json!({"type": "message_stop"}));
        let sse = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
        events.iter().map(sse).collect()
    }

    pub(crate) fn chat(&self) -> Value {
        let mut message = json!({"role": "assistant", "content": null, "refusal": null});
        let (mut text, mut reasoning, mut blocks, mut calls) = (String::new(), String::new(), vec![], vec![]);
        for said in &self.said {
            match said {
                Text(more) => text += more,
                Thinking(more, signature) => {
                    reasoning += more;
                    blocks.push(json!({"type": "thinking", "thinking": more, "signature": signature}));
                }
                Redacted(data) => blocks.push(json!({"type": "redacted_thinking", "data": data})),
                Call(id, name, input) => calls.push(
                    json!({"id": id, "type": "function", "function": {"name": name, "arguments": input}}),
                ),
            }
        }
        if !text.is_empty() {
            message["content"] = text.into();
        }
        if !reasoning.is_empty() {
            message["reasoning_content"] = reasoning.into();
        }
        for (key, list) in [("thinking_blocks", blocks), ("tool_calls", calls)] {
            if !list.is_empty() {
                message[key] = list.into();
            }
        }
        json!({"id": "r1", "object": "chat.completion", "created": 1_700_000_000, "model": "m",
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": self.stop.1}],
            "usage": chat_usage()})
    }

    /// As `OpenAI` streams it, the first chunk being Azure's.
    pub(crate) fn chat_stream(&self, size: usize) -> String {
        let mut deltas = vec![json!({"role": "assistant", "content": ""})];
        let mut call = 0;
        for said in &self.said {
            match said {
                Text(text) => deltas.extend(pieces(text, size).iter().map(|piece| json!({"content": piece}))),
                Thinking(text, signature) => {
                    for piece in pieces(text, size) {
                        let block = json!({"type": "thinking", "thinking": piece});
                        deltas.push(json!({"reasoning_content": piece, "thinking_blocks": [block]}));
                    }
                    let block = json!({"type": "thinking", "thinking": "", "signature": signature});
                    deltas.push(json!({"thinking_blocks": [block]}));
                }
                Redacted(data) => {
                    let block = json!({"type": "redacted_thinking", "data": data});
                    deltas.push(json!({"thinking_blocks": [block]}));
                }
                Call(id, name, input) => {
                    let function = json!({"name": name, "arguments": ""});
                    let begin = json!({"index": call, "id": id, "type": "function", "function": function});
                    deltas.push(json!({"tool_calls": [begin]}));
                    for piece in pieces(if *input == "{}" { "" } else { input }, size) {
                        let more = json!({"index": call, "function": {"arguments": piece}});
                        deltas.push(json!({"tool_calls": [more]}));
                    }
                    call += 1;
                }
            }
        }
        let mut stream = chunk("", &json!([]), &Value::Null);
        for delta in deltas {
            stream +=
                &chunk("r1", &json!([{"index": 0, "delta": delta, "finish_reason": null}]), &Value::Null);
        }
        let last = json!([{"index": 0, "delta": {}, "finish_reason": self.stop.1}]);
        stream += &chunk("r1", &last, &Value::Null);
        stream += &chunk("r1", &json!([]), &chat_usage());
        stream + "data: [DONE]\n\n"
    }
}

/// Who tells a response: `OpenAI`, or the gateway for a provider of another dialect.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Teller {
    Maker,
    Gateway,
}

impl Answer {
    /// The answer as other dialects have it when a provider of responses gave it: its reasoning is bound to the
    /// item it came in, and none is redacted.
    pub(crate) fn of_responses(&self) -> Self {
        let seal = |at: usize, text: &str| &*format!("openai:rs_edge_r1_{at}:{text}").leak();
        let said = self.said.iter().enumerate().map(|(at, said)| match said {
            Thinking(text, signature) => Thinking(text, seal(at, signature)),
            Redacted(data) => Thinking("", seal(at, data)),
            other => other.clone(),
        });
        Self { name: self.name, said: said.collect(), stop: self.stop }
    }

    fn incomplete(&self) -> Option<&'static str> {
        match self.stop.1 {
            "length" => Some("max_output_tokens"),
            "content_filter" => Some("content_filter"),
            _ => None,
        }
    }

    fn output(&self, teller: Teller) -> Vec<Value> {
        let last = self.said.len().saturating_sub(1);
        let item = |(at, said): (usize, &Said)| {
            let cut = at == last && self.incomplete().is_some();
            let status = if cut { "incomplete" } else { "completed" };
            let encrypted = |mark: &str, text: &str| match teller {
                Teller::Maker => text.to_owned(),
                Teller::Gateway => format!("{mark}:{text}"),
            };
            match said {
                Text(text) => json!({"id": format!("msg_r1_{at}"), "type": "message", "status": status,
                    "role": "assistant",
                    "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": text}]}),
                Thinking(text, signature) => {
                    let summary = json!({"type": "summary_text", "text": text});
                    let summary = if text.is_empty() { json!([]) } else { json!([summary]) };
                    json!({"id": format!("rs_edge_r1_{at}"), "type": "reasoning", "summary": summary,
                        "encrypted_content": encrypted("signature", signature)})
                }
                Redacted(data) => {
                    json!({"id": format!("rs_edge_r1_{at}"), "type": "reasoning", "summary": [],
                    "encrypted_content": encrypted("redacted", data)})
                }
                Call(id, name, input) => json!({"id": format!("fc_r1_{at}"), "type": "function_call",
                    "status": status, "call_id": id, "name": name, "arguments": input}),
            }
        };
        self.said.iter().enumerate().map(item).collect()
    }

    pub(crate) fn responses(&self, teller: Teller) -> Value {
        let reason = self.incomplete();
        let status = if reason.is_some() { "incomplete" } else { "completed" };
        response(status, &self.output(teller).into(), &responses_usage(), reason)
    }

    /// As `OpenAI` streams it.
    pub(crate) fn responses_stream(&self, size: usize) -> String {
        let begun = response("in_progress", &json!([]), &Value::Null, None);
        let mut events = vec![json!({"type": "response.created", "response": begun})];
        events.push(json!({"type": "response.in_progress", "response": begun}));
        for (index, (said, item)) in self.said.iter().zip(self.output(Teller::Maker)).enumerate() {
            let mut empty = item.clone();
            for (member, none) in [
                ("content", json!([])),
                ("summary", json!([])),
                ("arguments", json!("")),
                ("status", json!("in_progress")),
            ] {
                if empty.get(member).is_some() {
                    empty[member] = none;
                }
            }
            events.push(json!({"type": "response.output_item.added", "output_index": index, "item": empty}));
            let mut tell = |kind: &str, inner: &str, member: &str, value: Value| {
                let mut event =
                    json!({"type": format!("response.{kind}"), "item_id": item["id"], "output_index": index});
                if !inner.is_empty() {
                    event[inner] = 0.into();
                }
                event[member] = value;
                if kind.ends_with("delta") {
                    event["obfuscation"] = "x7".into();
                }
                events.push(event);
            };
            match said {
                Text(text) => {
                    let part = |text: &str| json!({"type": "output_text", "annotations": [], "logprobs": [], "text": text});
                    tell("content_part.added", "content_index", "part", part(""));
                    for piece in pieces(text, size) {
                        tell("output_text.delta", "content_index", "delta", piece.into());
                    }
                    tell("output_text.done", "content_index", "text", (*text).into());
                    tell("content_part.done", "content_index", "part", part(text));
                }
                Thinking(text, _) if !text.is_empty() => {
                    let part = |text: &str| json!({"type": "summary_text", "text": text});
                    tell("reasoning_summary_part.added", "summary_index", "part", part(""));
                    for piece in pieces(text, size) {
                        tell("reasoning_summary_text.delta", "summary_index", "delta", piece.into());
                    }
                    tell("reasoning_summary_text.done", "summary_index", "text", (*text).into());
                    tell("reasoning_summary_part.done", "summary_index", "part", part(text));
                }
                Thinking(..) | Redacted(_) => {}
                Call(_, _, input) => {
                    for piece in pieces(input, size) {
                        tell("function_call_arguments.delta", "", "delta", piece.into());
                    }
                    tell("function_call_arguments.done", "", "arguments", (*input).into());
                }
            }
            events.push(json!({"type": "response.output_item.done", "output_index": index, "item": item}));
        }
        let ended = self.responses(Teller::Maker);
        events.push(
            json!({"type": format!("response.{}", ended["status"].as_str().unwrap()), "response": ended}),
        );
        numbered(&events)
    }
}

/// Events of responses, numbered, as they are streamed.
pub(crate) fn numbered(events: &[Value]) -> String {
    let sse = |(number, event): (usize, &Value)| {
        let mut event = event.clone();
        event["sequence_number"] = number.into();
        format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap())
    };
    events.iter().enumerate().map(sse).collect()
}

/// A response object with all that its schema asks for.
pub(crate) fn response(status: &str, output: &Value, usage: &Value, reason: Option<&str>) -> Value {
    let details = reason.map(|reason| json!({"reason": reason}));
    let mut response = json!({"id": "r1", "object": "response", "created_at": 1_700_000_000, "status": status, "error": null,
        "incomplete_details": details, "model": "m", "output": output, "background": false,
        "instructions": null, "max_output_tokens": null, "metadata": {}, "parallel_tool_calls": true,
        "previous_response_id": null, "reasoning": {"effort": null, "summary": null}, "store": false,
        "temperature": null, "text": {"format": {"type": "text"}}, "tool_choice": "auto", "tools": [],
        "top_p": null, "truncation": "disabled"});
    if !usage.is_null() {
        response["usage"] = usage.clone();
    }
    response
}

/// The response that a stream of events amounts to, folded as `OpenAI`'s SDK does; everything that is told
/// twice must be the same.
pub(crate) fn fold_responses(stream: &str) -> Value {
    let (mut items, mut done): (Vec<Value>, Vec<bool>) = (Vec::new(), Vec::new());
    let (mut begun, mut ended) = (Value::Null, Value::Null);
    // Tokens of the pieces of a text.
    let mut likely: Vec<Value> = Vec::new();
    for (number, (name, data)) in events(stream).into_iter().enumerate() {
        assert!(ended.is_null(), "something follows the last event");
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!((&event["type"], &event["sequence_number"]), (&json!(name), &json!(number)));
        let index = event["output_index"].as_u64().map(|index| usize::try_from(index).unwrap());
        if let (Some(index), Some(id)) = (index, event.get("item_id")) {
            assert_eq!((&items[index]["id"], done[index]), (id, false));
        }
        let item = |items: &mut Vec<Value>, pointer: &str| {
            let item: &mut Value = items.get_mut(index.unwrap()).unwrap();
            item.pointer_mut(pointer).unwrap().take()
        };
        match name {
            "response.created" => begun = event["response"].clone(),
            "response.in_progress" => assert_eq!(event["response"], begun),
            "response.output_item.added" => {
                assert_eq!(index, Some(items.len()));
                items.push(event["item"].clone());
                done.push(false);
            }
            "response.content_part.added" => items[index.unwrap()]["content"] = json!([event["part"]]),
            "response.reasoning_summary_part.added" => {
                items[index.unwrap()]["summary"] = json!([event["part"]]);
            }
            "response.output_text.delta"
            | "response.refusal.delta"
            | "response.reasoning_summary_text.delta"
            | "response.function_call_arguments.delta" => {
                likely.extend(event["logprobs"].as_array().into_iter().flatten().cloned());
                let pointer = text_of(name);
                let before = item(&mut items, pointer).as_str().unwrap().to_owned();
                let more = before + event["delta"].as_str().unwrap();
                *items[index.unwrap()].pointer_mut(pointer).unwrap() = more.into();
            }
            "response.output_text.done" | "response.reasoning_summary_text.done" => {
                assert_eq!(items[index.unwrap()].pointer(text_of(name)), Some(&event["text"]));
            }
            "response.refusal.done" => {
                assert_eq!(items[index.unwrap()].pointer(text_of(name)), Some(&event["refusal"]));
            }
            "response.function_call_arguments.done" => {
                assert_eq!(items[index.unwrap()]["arguments"], event["arguments"]);
                assert_eq!(items[index.unwrap()]["name"], event["name"]);
            }
            "response.output_text.annotation.added" => {
                let list = items[index.unwrap()]["content"][0]["annotations"].as_array_mut().unwrap();
                assert_eq!(event["annotation_index"], list.len());
                list.push(event["annotation"].clone());
            }
            "response.content_part.done" => {
                let item = &mut items[index.unwrap()];
                if let Some(list) = event["part"]["logprobs"].as_array() {
                    let bare = |list: &[Value]| -> Vec<Value> { list.iter().map(without_bytes).collect() };
                    assert_eq!(json!(bare(list)), json!(likely), "the parts' tokens are those of the pieces");
                    likely.clear();
                    item["content"][0]["logprobs"] = event["part"]["logprobs"].clone();
                }
                assert_eq!(item["content"][0], event["part"]);
            }
            "response.reasoning_summary_part.done" => {
                assert_eq!(items[index.unwrap()]["summary"][0], event["part"]);
            }
            "response.output_item.done" => {
                let index = index.unwrap();
                for member in ["id", "type", "content", "summary", "arguments", "call_id", "name"] {
                    assert_eq!(items[index].get(member), event["item"].get(member));
                }
                items[index] = event["item"].clone();
                assert!(!std::mem::replace(&mut done[index], true));
            }
            "response.completed" | "response.incomplete" => {
                ended = event["response"].clone();
                assert_eq!(name, format!("response.{}", ended["status"].as_str().unwrap()));
                assert_eq!(ended["output"], json!(items));
                assert!(done.iter().all(|done| *done) && ended["id"] == begun["id"]);
            }
            other => panic!("an event {other}"),
        }
    }
    assert!(!ended.is_null(), "no last event");
    ended
}

/// A token as events have it.
fn without_bytes(token: &Value) -> Value {
    let mut token = token.clone();
    token.as_object_mut().unwrap().remove("bytes");
    for top in token.get_mut("top_logprobs").and_then(Value::as_array_mut).into_iter().flatten() {
        top.as_object_mut().unwrap().remove("bytes");
    }
    token
}

/// Where the text of an item is that an event of this name tells.
fn text_of(event: &str) -> &'static str {
    match event {
        "response.output_text.delta" | "response.output_text.done" => "/content/0/text",
        "response.refusal.delta" | "response.refusal.done" => "/content/0/refusal",
        "response.function_call_arguments.delta" => "/arguments",
        _ => "/summary/0/text",
    }
}

impl Answer {
    /// The answer as other dialects have it when a model of Cohere gave it: no reasoning is signed or redacted, all
    /// that comes at once is one, none is counted, and nothing is refused.
    pub(crate) fn of_cohere(&self) -> Option<Self> {
        let mut said = Vec::new();
        for one in &self.said {
            match (one, said.last_mut()) {
                (Redacted(_), _) => return None,
                (Thinking(text, _), Some(Thinking(before, _))) => *before = format!("{before}{text}").leak(),
                (Thinking(text, _), _) => said.push(Thinking(text, "")),
                (other, _) => said.push(other.clone()),
            }
        }
        (self.stop.0 != "refusal").then_some(Self { name: self.name, said, stop: self.stop })
    }

    fn cohere_reason(&self) -> &'static str {
        match self.stop.0 {
            "max_tokens" => "MAX_TOKENS",
            "tool_use" => "TOOL_CALL",
            _ => "COMPLETE",
        }
    }

    /// As Cohere tells it: what is said before calls is their plan.
    pub(crate) fn cohere(&self) -> Value {
        let (mut content, mut plan, mut calls) = (Vec::new(), String::new(), Vec::new());
        for said in &self.said {
            match said {
                Text(text) if self.stop.0 == "tool_use" => plan += text,
                Text(text) => content.push(json!({"type": "text", "text": text})),
                Thinking(text, _) => content.push(json!({"type": "thinking", "thinking": text})),
                Redacted(_) => panic!("Cohere redacts nothing"),
                Call(id, name, input) => calls.push(
                    json!({"id": id, "type": "function", "function": {"name": name, "arguments": input}}),
                ),
            }
        }
        let mut message = json!({"role": "assistant"});
        for (key, list) in [("content", content), ("tool_calls", calls)] {
            if !list.is_empty() {
                message[key] = list.into();
            }
        }
        if !plan.is_empty() {
            message["tool_plan"] = plan.into();
        }
        json!({"id": "r1", "message": message, "finish_reason": self.cohere_reason(), "usage": cohere_usage()})
    }

    pub(crate) fn cohere_stream(&self, size: usize) -> String {
        let mut events = vec![json!({"type": "message-start", "id": "r1",
            "delta": {"message": {"role": "assistant", "content": [], "tool_plan": "", "tool_calls": [], "citations": []}}})];
        let (mut index, mut call) = (0, 0);
        let event = |kind: &str, index: i32, message: Value| json!({"type": kind, "index": index, "delta": {"message": message}});
        for said in &self.said {
            match said {
                Text(text) if self.stop.0 == "tool_use" => {
                    for piece in pieces(text, size) {
                        events.push(
                            json!({"type": "tool-plan-delta", "delta": {"message": {"tool_plan": piece}}}),
                        );
                    }
                }
                Text(text) | Thinking(text, _) => {
                    let kind = if matches!(said, Text(_)) { "text" } else { "thinking" };
                    events.push(event("content-start", index, json!({"content": {"type": kind, kind: ""}})));
                    for piece in pieces(text, size) {
                        events.push(event("content-delta", index, json!({"content": {kind: piece}})));
                    }
                    events.push(json!({"type": "content-end", "index": index}));
                    index += 1;
                }
                Redacted(_) => panic!("Cohere redacts nothing"),
                Call(id, name, input) => {
                    let begun =
                        json!({"id": id, "type": "function", "function": {"name": name, "arguments": ""}});
                    events.push(event("tool-call-start", call, json!({"tool_calls": begun})));
                    for piece in pieces(if *input == "{}" { "" } else { input }, size) {
                        let more = json!({"function": {"arguments": piece}});
                        events.push(event("tool-call-delta", call, json!({"tool_calls": more})));
                    }
                    events.push(json!({"type": "tool-call-end", "index": call}));
                    call += 1;
                }
            }
        }
        events.push(json!({"type": "message-end",
            "delta": {"finish_reason": self.cohere_reason(), "usage": cohere_usage()}}));
        let sse = |event: &Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
        events.iter().map(sse).collect()
    }
}

/// Tokens as Cohere counts them, some with a fraction; what it bills is another number.
pub(crate) fn cohere_usage() -> Value {
    json!({"billed_units": {"input_tokens": 18.0, "output_tokens": 6.0},
        "tokens": {"input_tokens": 100.0, "output_tokens": 20}, "cached_tokens": 85})
}

/// One chunk of a chat stream.
pub(crate) fn chunk(id: &str, choices: &Value, usage: &Value) -> String {
    let chunk = json!({"id": id, "object": "chat.completion.chunk", "created": 1_700_000_000, "model": "m",
        "choices": choices, "usage": usage});
    format!("data: {chunk}\n\n")
}

/// Name and data of each event. Every event must be one line of data, after its name if it has one.
pub(crate) fn events(stream: &str) -> Vec<(&str, &str)> {
    let stream = stream.strip_suffix("\n\n").unwrap_or(stream);
    let event = |event| match str::split_once(event, '\n') {
        Some((name, data)) => (name.strip_prefix("event: ").unwrap(), data.strip_prefix("data: ").unwrap()),
        None => ("", str::strip_prefix(event, "data: ").unwrap()),
    };
    stream.split("\n\n").filter(|event| !event.is_empty()).map(event).collect()
}

/// The chunks of a stream that are of this answer, or of all; answers stand in the member `list`.
pub(crate) fn of_answer(stream: &str, list: &str, index: usize) -> String {
    let is_of = |event: &&str| {
        let data = event.strip_prefix("data: ").unwrap_or_default();
        let Ok(data) = serde_json::from_str::<Value>(data.trim_end()) else { return true };
        data[list].as_array().into_iter().flatten().all(|one| one["index"] == index)
    };
    stream.split_inclusive("\n\n").filter(is_of).collect()
}

/// How many answers a stream tells of.
pub(crate) fn answers_in(stream: &str, list: &str) -> usize {
    let data = stream.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let data = data.filter_map(|data| serde_json::from_str::<Value>(data).ok());
    let last =
        data.filter_map(|data| data[list].as_array()?.iter().filter_map(|one| one["index"].as_u64()).max());
    usize::try_from(last.max().unwrap_or_default()).unwrap() + 1
}

/// The completion that a stream of chunks amounts to, each of its choices for itself.
pub(crate) fn fold_chat(stream: &str) -> Value {
    let mut whole = fold_choice(&of_answer(stream, "choices", 0));
    for index in 1..answers_in(stream, "choices") {
        let mut choice = fold_choice(&of_answer(stream, "choices", index))["choices"][0].take();
        choice["index"] = index.into();
        whole["choices"].as_array_mut().unwrap().push(choice);
    }
    whole
}

/// The same of one choice, thinking blocks as `LiteLLM` folds them.
fn fold_choice(stream: &str) -> Value {
    let mut message = json!({"content": null, "refusal": null});
    let mut likely = Value::Null;
    let (mut whole, mut usage, mut done, mut finish) = (Value::Null, Value::Null, false, Value::Null);
    for (_, data) in events(stream) {
        assert!(!done, "something follows [DONE]");
        if data == "[DONE]" {
            done = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).unwrap();
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert!(chunk.get("usage").is_some(), "whoever asks for usage finds the member in every chunk");
        whole = json!({"id": chunk["id"], "object": "chat.completion", "created": chunk["created"],
            "model": chunk["model"]});
        if !chunk["usage"].is_null() {
            assert_eq!(chunk["choices"], json!([]));
            usage = chunk["usage"].clone();
            continue;
        }
        assert!(finish.is_null(), "something follows the finish reason");
        let choice = &chunk["choices"][0];
        finish = choice["finish_reason"].clone();
        if let Some(tokens) = choice["logprobs"]["content"].as_array() {
            if likely.is_null() {
                likely = json!({"content": [], "refusal": null});
            }
            likely["content"].as_array_mut().unwrap().extend_from_slice(tokens);
        }
        for (key, value) in choice["delta"].as_object().unwrap() {
            match key.as_str() {
                "role" => message["role"] = value.clone(),
                "content" | "refusal" | "reasoning_content" => {
                    let before = message[key].as_str().unwrap_or_default().to_owned();
                    let text = before + value.as_str().unwrap();
                    message[key] = if text.is_empty() { Value::Null } else { text.into() };
                }
                "annotations" => {
                    if message[key].is_null() {
                        message[key] = json!([]);
                    }
                    message[key].as_array_mut().unwrap().extend_from_slice(value.as_array().unwrap());
                }
                "thinking_blocks" => {
                    if message[key].is_null() {
                        message[key] = json!([]);
                    }
                    let blocks = message[key].as_array_mut().unwrap();
                    for piece in value.as_array().unwrap() {
                        let mut piece = piece.clone();
                        let index = piece.as_object_mut().unwrap().remove("index").unwrap();
                        let Some(last) = blocks.get_mut(usize::try_from(index.as_u64().unwrap()).unwrap())
                        else {
                            assert_eq!(index, blocks.len());
                            blocks.push(piece);
                            continue;
                        };
                        let text = last["thinking"].as_str().unwrap().to_owned();
                        last["thinking"] = (text + piece["thinking"].as_str().unwrap()).into();
                        if !piece["signature"].is_null() {
                            last["signature"] = piece["signature"].clone();
                        }
                    }
                }
                "tool_calls" => {
                    if message[key].is_null() {
                        message[key] = json!([]);
                    }
                    let calls = message[key].as_array_mut().unwrap();
                    for piece in value.as_array().unwrap() {
                        let index = usize::try_from(piece["index"].as_u64().unwrap()).unwrap();
                        if index == calls.len() {
                            let mut call = piece.clone();
                            call.as_object_mut().unwrap().remove("index");
                            calls.push(call);
                        } else {
                            assert!(piece["id"].is_null() && piece["function"]["name"].is_null());
                            let arguments =
                                calls[index]["function"]["arguments"].as_str().unwrap().to_owned();
                            let more = piece["function"]["arguments"].as_str().unwrap();
                            calls[index]["function"]["arguments"] = (arguments + more).into();
                        }
                    }
                }
                other => panic!("a delta of {other}"),
            }
        }
    }
    assert!(done, "no [DONE]");
    whole["choices"] = json!([{"index": 0, "message": message, "logprobs": likely, "finish_reason": finish}]);
    whole["usage"] = usage;
    whole
}

/// The message that a stream of events amounts to, folded as Anthropic's SDK does.
pub(crate) fn fold_anthropic(stream: &str) -> Value {
    let (mut message, mut input, mut open, mut done) = (Value::Null, String::new(), None, false);
    for (name, data) in events(stream) {
        assert!(!done, "something follows message_stop");
        let event: Value = serde_json::from_str(data).unwrap();
        assert_eq!(event["type"], name);
        let index = event["index"].as_u64().map(|index| usize::try_from(index).unwrap());
        match name {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let content = message["content"].as_array_mut().unwrap();
                assert_eq!((open, index), (None, Some(content.len())));
                content.push(event["content_block"].clone());
                open = index;
                input.clear();
            }
            "content_block_delta" => {
                assert_eq!(open, index);
                let block = &mut message["content"][index.unwrap()];
                let delta = &event["delta"];
                if delta["type"] == "citations_delta" {
                    assert_eq!(block["type"], "text");
                    if block["citations"].is_null() {
                        block["citations"] = json!([]);
                    }
                    block["citations"].as_array_mut().unwrap().push(delta["citation"].clone());
                    continue;
                }
                let (key, of) = match delta["type"].as_str().unwrap() {
                    "text_delta" => ("text", "text"),
                    "thinking_delta" => ("thinking", "thinking"),
                    "signature_delta" => ("signature", "thinking"),
                    "input_json_delta" => ("partial_json", "tool_use"),
                    other => panic!("a delta of type {other}"),
                };
                assert_eq!(block["type"], of);
                let more = delta[key].as_str().unwrap();
                if of == "tool_use" {
                    input += more;
                } else {
                    block[key] = (block[key].as_str().unwrap().to_owned() + more).into();
                }
            }
            "content_block_stop" => {
                assert_eq!(open.take(), index);
                if !input.is_empty() {
                    message["content"][index.unwrap()]["input"] = serde_json::from_str(&input).unwrap();
                }
            }
            "message_delta" => {
                assert_eq!(open, None);
                for (key, value) in event["delta"].as_object().unwrap() {
                    message[key] = value.clone();
                }
                for (key, value) in event["usage"].as_object().unwrap() {
                    message["usage"][key] = value.clone();
                }
            }
            "message_stop" => done = true,
            other => panic!("an event {other}"),
        }
    }
    assert!(done, "no message_stop");
    message
}
