//! The provider's prompt cache: bodies grow at their end only, markers are counted and set.

use llm_edge_core::translate::{Options, Pair};
use serde_json::{Value, json};

use crate::gemini::answers::base64;
use crate::{OPTIONS, chat_to_anthropic, request, request_of};

pub(crate) const MARKED: Options = Options { cache_breakpoints: true, ..OPTIONS };

/// Steps of a small generator: xorshift, seeded.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn text(&mut self) -> String {
        let words = ["alpha", "\"quoted\"", "ü😀", "{\"a\":1}", "\\", "\n", "omega"];
        (0..=self.roll(6))
            .map(|_| words[usize::try_from(self.roll(7)).unwrap()])
            .collect::<Vec<_>>()
            .join(" ")
            + "."
    }
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Client {
    Chat,
    Anthropic,
    Responses,
    Gemini,
}

/// Messages of an agent's conversation, in the dialect of the client: what the client would send in
/// turn after turn, each a prefix of the next.
fn transcript(dice: &mut Dice, client: Client, turns: usize) -> Vec<Vec<Value>> {
    if client == Client::Gemini {
        return contents(dice, turns);
    }
    let mut messages = Vec::new();
    let mut bodies = Vec::new();
    let mut calls = 0;
    for _ in 0..turns {
        messages.push(json!({"role": "user", "content": dice.text()}));
        if dice.roll(6) == 0 {
            messages.push(json!({"role": "system", "content": dice.text()}));
        }
        bodies.push(messages.clone());
        let count = dice.roll(4);
        let ids: Vec<_> = (0..count).map(|at| format!("call_{}", calls + at)).collect();
        calls += count;
        let signature = ["c2ln", "openai:rs_1:c2ln", "google:c2ln"][usize::try_from(dice.roll(3)).unwrap()];
        let thinking = json!({"type": "thinking", "thinking": dice.text(), "signature": signature});
        let input = json!({"q": dice.text()});
        let said = if dice.roll(3) == 0 { String::new() } else { dice.text() };
        if client == Client::Responses {
            let summary = json!([{"type": "summary_text", "text": thinking["thinking"]}]);
            messages.push(json!({"type": "reasoning", "id": "rs_1", "summary": summary,
                "encrypted_content": format!("signature:{signature}")}));
            messages.push(json!({"type": "message", "role": "assistant", "id": "msg_1",
                "content": [{"type": "output_text", "text": said}]}));
            for id in &ids {
                messages.push(json!({"type": "function_call", "call_id": id, "name": "f", "arguments": input.to_string()}));
            }
            for id in &ids {
                messages.push(json!({"type": "function_call_output", "call_id": id, "output": dice.text()}));
            }
        } else if client == Client::Chat {
            let call = |id: &String| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": input.to_string()}});
            let mut message = json!({"role": "assistant", "content": said, "thinking_blocks": [thinking]});
            if !ids.is_empty() {
                message["tool_calls"] = ids.iter().map(call).collect();
            }
            messages.push(message);
            for id in &ids {
                messages.push(json!({"role": "tool", "tool_call_id": id, "content": dice.text()}));
            }
        } else {
            let mut blocks = vec![thinking, json!({"type": "text", "text": said + "!"})];
            blocks.extend(
                ids.iter().map(|id| json!({"type": "tool_use", "id": id, "name": "f", "input": input})),
            );
            messages.push(json!({"role": "assistant", "content": blocks}));
            if !ids.is_empty() {
                let result = |id: &String| json!({"type": "tool_result", "tool_use_id": id, "content": [{"type": "text", "text": dice.text()}]});
                messages.push(json!({"role": "user", "content": ids.iter().map(result).collect::<Vec<_>>()}));
            }
        }
        if !ids.is_empty() {
            bodies.push(messages.clone());
        }
    }
    bodies
}

/// The same as Google's clients send it: ids are left out now and then, and other makers' signatures wrapped.
fn contents(dice: &mut Dice, turns: usize) -> Vec<Vec<Value>> {
    let (mut contents, mut bodies) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        contents.push(json!({"role": "user", "parts": [{"text": dice.text()}]}));
        bodies.push(contents.clone());
        let count = dice.roll(4);
        let has_ids = dice.roll(2) == 0;
        let signatures = [base64("llm-edge:c2ln"), base64("llm-edge:openai:rs_1:c2ln"), "c2ln".to_owned()];
        let signature = &signatures[usize::try_from(dice.roll(3)).unwrap()];
        let mut parts = vec![
            json!({"text": dice.text(), "thought": true}),
            json!({"text": dice.text() + "!", "thoughtSignature": signature}),
        ];
        let mut results = Vec::new();
        for at in 0..count {
            let mut call = json!({"name": "f", "args": {"q": dice.text()}});
            let mut result = json!({"name": "f", "response": {"result": dice.text()}});
            if has_ids {
                call["id"] = format!("c{turn}_{at}").into();
                result["id"] = call["id"].clone();
            }
            parts.push(json!({"functionCall": call}));
            results.push(json!({"functionResponse": result}));
        }
        contents.push(json!({"role": "model", "parts": parts}));
        if count > 0 {
            contents.push(json!({"role": "user", "parts": results}));
            bodies.push(contents.clone());
        }
    }
    bodies
}

/// Markers are no content for the provider's cache.
fn without_markers(body: &str) -> String {
    let mut out = body.to_owned();
    for (begin, end) in [(r#","cache_control":{"#, "}"), (r#",{"cachePoint":{"#, "}}")] {
        while let Some(at) = out.find(begin) {
            let inside = at + begin.len();
            let behind = inside + out[inside..].find(end).unwrap() + end.len();
            out.replace_range(at..behind, "");
        }
    }
    out
}

/// Which markers the client sets in each turn.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Marks {
    None,
    /// As Claude Code: on the system prompt, for long, and on what the last two messages of the user's side end
    /// with, so that they move on from turn to turn.
    Moving,
    /// On every message of the user's side, which soon are more than the provider takes.
    TooMany,
}

impl Marks {
    fn on(self, client: Client, messages: &mut [Value]) {
        let count = match self {
            Self::None => 0,
            Self::Moving => 2,
            Self::TooMany => usize::MAX,
        };
        let users = messages.iter_mut().rev().filter(|message| {
            matches!(message["role"].as_str(), Some("user" | "tool"))
                || message["type"] == "function_call_output"
        });
        for message in users.take(count) {
            let marker = json!({"type": "ephemeral"});
            match client {
                // Its API has no markers.
                Client::Gemini => {}
                Client::Chat if message["role"] == "tool" => message["cache_control"] = marker,
                Client::Chat | Client::Anthropic => {
                    if message["content"].is_string() {
                        let text = message["content"].take();
                        message["content"] = json!([{"type": "text", "text": text}]);
                    }
                    let last = message["content"].as_array_mut().unwrap().last_mut().unwrap();
                    last["cache_control"] = marker;
                }
                Client::Responses => {
                    let member = if message["role"] == "user" { "content" } else { "output" };
                    let text = message[member].take();
                    let explicit = json!({"mode": "explicit"});
                    message[member] =
                        json!([{"type": "input_text", "text": text, "prompt_cache_breakpoint": explicit}]);
                }
            }
        }
    }

    fn on_system(self) -> Value {
        let marker = json!({"type": "ephemeral", "ttl": "1h"});
        match self {
            Self::None => "Be brief.".into(),
            Self::Moving | Self::TooMany => {
                json!([{"type": "text", "text": "Be brief.", "cache_control": marker}])
            }
        }
    }
}

/// Where the last message of an upstream's body begins.
fn last_message(body: &str) -> usize {
    // Items of responses depend on nothing but themselves, so that each stays whole.
    body.rfind(r#"{"role":""#).unwrap_or(body.len() - "]}".len())
}

/// Plays conversations of an agent for `model`: a turn is a prefix of the next.
pub(crate) fn check(pair: Pair, model: &str, client: Client, options: &Options<'_>) {
    assert_eq!(play(pair, model, client, options, (Marks::None, 8)) > 0, options.cache_breakpoints);
}

/// The same of so many conversations with markers of the client's; how many markers there were at most.
pub(crate) fn play(
    pair: Pair,
    model: &str,
    client: Client,
    options: &Options<'_>,
    (marks, seeds): (Marks, u64),
) -> usize {
    let mut most = 0;
    for seed in 1..=seeds {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
        let mut before: Option<String> = None;
        let bodies = transcript(&mut dice, client, 50);
        assert!(bodies.len() > 60);
        for mut messages in bodies {
            marks.on(client, &mut messages);
            let tool = json!({"type": "object", "properties": {"q": {"type": "string"}}});
            let tools = match client {
                Client::Chat => json!([{"type": "function", "function": {"name": "f", "parameters": tool}}]),
                Client::Anthropic => json!([{"name": "f", "input_schema": tool}]),
                Client::Responses => json!([{"type": "function", "name": "f", "parameters": tool}]),
                Client::Gemini => {
                    json!([{"functionDeclarations": [{"name": "f", "parametersJsonSchema": tool}]}])
                }
            };
            let mut body = json!({"model": "x", "max_tokens": 100, "tools": tools, "stream": true});
            match client {
                Client::Chat => {
                    let system = json!({"role": "system", "content": marks.on_system()});
                    body["messages"] = [vec![system], messages].concat().into();
                }
                Client::Anthropic => {
                    body["messages"] = messages.into();
                    body["system"] = marks.on_system();
                }
                Client::Responses => {
                    body =
                        json!({"model": "x", "tools": tools, "instructions": "Be brief.", "input": messages});
                }
                Client::Gemini => {
                    let system = json!({"parts": [{"text": "Be brief."}]});
                    body = json!({"tools": tools, "systemInstruction": system, "contents": messages});
                }
            }
            let (written, _) = request_of(pair, model, &body, options).unwrap();
            let markers = written.matches("cache_control").count() + written.matches("cachePoint").count();
            let ours = marks == Marks::None && options.cache_breakpoints;
            assert!(markers <= 4 && (markers > 0 || !ours), "{markers}");
            most = most.max(markers);
            let written = without_markers(&written);
            if let Some(before) = before {
                // All but the closing brackets of the last message stays, and may be added to.
                let kept = last_message(&before);
                assert_eq!(before[..kept], written[..kept], "seed {seed}");
                let whole = before.trim_end_matches(['}', ']', '"']);
                assert!(written.starts_with(whole), "seed {seed}:\n{before}\n{written}");
            }
            before = Some(written);
        }
    }
    most
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let body = &transcript(&mut Dice(3), Client::Chat, 5)[4];
    let body = json!({"messages": body});
    let written = || request(chat_to_anthropic(), &body, &MARKED).unwrap().0;
    assert_eq!(written(), written());
}

/// The places of markers, by the text before each.
fn marked(body: &Value, options: &Options<'_>) -> (Vec<String>, String) {
    let (written, translated) = request(chat_to_anthropic(), body, options).unwrap();
    let mut places = Vec::new();
    let mut rest = written.as_str();
    while let Some(at) = rest.find(r#","cache_control""#) {
        let start = rest[..at].rfind([':', ',']).map_or(0, |colon| colon + 1);
        places.push(rest[start..at].trim_matches('"').to_owned());
        rest = &rest[at + 1..];
    }
    (places, translated.losses.to_string())
}

fn conversation() -> Value {
    let call = json!({"id": "c1", "function": {"name": "f", "arguments": "{}"}});
    json!({"tools": [{"type": "function", "function": {"name": "f"}}, {"type": "function", "function": {"name": "g", "description": "d"}}],
        "messages": [{"role": "system", "content": "one"}, {"role": "system", "content": "two"},
            {"role": "user", "content": "ask"}, {"role": "assistant", "content": "say", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "result"}]})
}

#[test]
fn markers_are_set_where_the_client_sets_none() {
    let mut body = conversation();
    assert_eq!(marked(&body, &OPTIONS).0, [""; 0]);
    // The last tool, the last system block, and the results, which are sent again as they are.
    assert_eq!(marked(&body, &MARKED).0, ["{}}", "two", "result"]);
    // What was typed last may be something else next time.
    body["messages"].as_array_mut().unwrap().extend([
        json!({"role": "assistant", "content": "settled", "thinking_blocks": []}),
        json!({"role": "user", "content": "volatile"}),
    ]);
    assert_eq!(marked(&body, &MARKED).0, ["{}}", "two", "settled"]);
    let alone = json!({"messages": [{"role": "user", "content": "once"}]});
    assert_eq!(marked(&alone, &MARKED).0, [""; 0]);
}

#[test]
fn the_markers_of_the_client_are_carried_and_never_too_many() {
    let mark = json!({"type": "ephemeral"});
    let mut body = conversation();
    body["messages"][4]["cache_control"] = mark.clone();
    assert_eq!(marked(&body, &MARKED), (vec!["result".to_owned()], String::new()));
    body["messages"][3]["tool_calls"][0]["cache_control"] = mark.clone();
    body["tools"][0]["function"]["cache_control"] = mark.clone();
    body["messages"][2]["content"] =
        json!([{"type": "text", "text": "ask", "prompt_cache_breakpoint": {"mode": "explicit"}}]);
    assert_eq!(
        marked(&body, &MARKED),
        (["{}}", "ask", "{}", "result"].map(str::to_owned).to_vec(), String::new())
    );
    body["messages"][1]["cache_control"] = mark.clone();
    body["messages"][0]["cache_control"] = mark;
    let (places, losses) = marked(&body, &MARKED);
    assert_eq!(
        (places.as_slice(), losses.as_str()),
        (["two", "ask", "{}", "result"].map(str::to_owned).as_slice(), "cache_control")
    );
}
