//! The provider's prompt cache: bodies grow at their end only.

use llm_edge_core::translate::Pair;
use serde_json::{Value, json};

use super::{AnthropicMessages, Dialect, Gemini, OpenaiChat, pair};
use crate::cache::{Client, Dice, transcript};
use crate::{OPTIONS, request};

/// Contents of an agent's conversation, each a prefix of the next; ids are left out now and then.
fn contents(dice: &mut Dice, turns: usize) -> Vec<Vec<Value>> {
    let (mut contents, mut bodies) = (Vec::new(), Vec::new());
    for turn in 0..turns {
        contents.push(json!({"role": "user", "parts": [{"text": dice.text()}]}));
        bodies.push(contents.clone());
        let count = dice.roll(4);
        let has_ids = dice.roll(2) == 0;
        let mut parts = vec![
            json!({"text": dice.text(), "thought": true}),
            json!({"text": dice.text() + "!", "thoughtSignature": "bGxtLWVkZ2U6YzJsbg=="}),
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

fn check(pair: Pair, surface: Dialect) {
    for seed in 1..=8 {
        let mut dice = Dice(0x9e37_79b9_7f4a_7c15 ^ seed);
        let bodies: Vec<Value> = if surface == Gemini {
            let tools = json!([{"functionDeclarations": [{"name": "f", "parameters": {"type": "OBJECT"}}]}]);
            let body = |contents| json!({"contents": contents, "tools": tools, "systemInstruction": {"parts": [{"text": "Be brief."}]}});
            contents(&mut dice, 50).into_iter().map(body).collect()
        } else {
            let is_chat = surface == OpenaiChat;
            let tools = if is_chat {
                json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])
            } else {
                json!([{"name": "f", "input_schema": {"type": "object"}}])
            };
            let body = |mut messages: Vec<Value>| {
                if is_chat {
                    messages.insert(0, json!({"role": "system", "content": "Be brief."}));
                }
                json!({"model": "x", "max_tokens": 100, "tools": tools, "messages": messages, "stream": true})
            };
            transcript(&mut dice, if is_chat { Client::Chat } else { Client::Anthropic }, 50)
                .into_iter()
                .map(body)
                .collect()
        };
        assert!(bodies.len() > 60);
        let mut before: Option<String> = None;
        for body in bodies {
            let (written, _) = request(pair, &body, &OPTIONS).unwrap();
            if let Some(before) = before {
                // All but the closing brackets of the last content stays, and may be added to.
                let whole = before.trim_end_matches(['}', ']', '"']);
                assert!(written.starts_with(whole), "seed {seed}:\n{before}\n{written}");
                let last = before.rfind(r#"{"role":""#).unwrap();
                assert!(whole.len() > last, "seed {seed}");
            }
            before = Some(written);
        }
    }
}

#[test]
fn a_turn_is_a_prefix_of_the_next_for_gemini() {
    check(pair(OpenaiChat, Gemini), OpenaiChat);
    check(pair(AnthropicMessages, Gemini), AnthropicMessages);
}

#[test]
fn a_turn_of_gemini_is_a_prefix_of_the_next_for_others() {
    check(pair(Gemini, OpenaiChat), Gemini);
    check(pair(Gemini, AnthropicMessages), Gemini);
}

#[test]
fn the_same_request_gives_the_same_bytes() {
    let body = json!({"messages": transcript(&mut Dice(3), Client::Chat, 5)[4]});
    let written = || request(pair(OpenaiChat, Gemini), &body, &OPTIONS).unwrap().0;
    assert_eq!(written(), written());
}
