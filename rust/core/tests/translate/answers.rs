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

pub(crate) fn anthropic_usage() -> Value {
    serde_json::from_str(ANTHROPIC_USAGE).unwrap()
}

pub(crate) fn chat_usage() -> Value {
    serde_json::from_str(CHAT_USAGE).unwrap()
}

/// A text in pieces of `size` characters.
fn pieces(text: &str, size: usize) -> Vec<String> {
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

/// The completion that a stream of chunks amounts to, thinking blocks as `LiteLLM` folds them.
pub(crate) fn fold_chat(stream: &str) -> Value {
    let mut message = json!({"content": null, "refusal": null});
    let (mut whole, mut usage, mut done, mut finish) = (Value::Null, Value::Null, false, Value::Null);
    let mut block_open = false;
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
        for (key, value) in choice["delta"].as_object().unwrap() {
            match key.as_str() {
                "role" => message["role"] = value.clone(),
                "content" | "reasoning_content" => {
                    let before = message[key].as_str().unwrap_or_default().to_owned();
                    let text = before + value.as_str().unwrap();
                    message[key] = if text.is_empty() { Value::Null } else { text.into() };
                }
                "thinking_blocks" => {
                    if message[key].is_null() {
                        message[key] = json!([]);
                    }
                    let blocks = message[key].as_array_mut().unwrap();
                    for piece in value.as_array().unwrap() {
                        if piece["type"] == "thinking" && block_open {
                            let last = blocks.last_mut().unwrap();
                            let text = last["thinking"].as_str().unwrap().to_owned();
                            last["thinking"] = (text + piece["thinking"].as_str().unwrap()).into();
                            if !piece["signature"].is_null() {
                                last["signature"] = piece["signature"].clone();
                            }
                        } else {
                            blocks.push(piece.clone());
                        }
                        block_open = piece["type"] == "thinking" && piece["signature"].is_null();
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
    whole["choices"] = json!([{"index": 0, "message": message, "logprobs": null, "finish_reason": finish}]);
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
                message["usage"] = event["usage"].clone();
            }
            "message_stop" => done = true,
            other => panic!("an event {other}"),
        }
    }
    assert!(done, "no message_stop");
    message
}
