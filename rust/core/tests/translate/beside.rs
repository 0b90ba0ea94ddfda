//! What stands beside an answer: how likely its tokens were.

use llm_edge_core::dialect::ChatFields;
use llm_edge_core::dialect::Dialect::{
    self, AnthropicMessages, BedrockConverse, Gemini, OpenaiChat, OpenaiResponses,
};
use llm_edge_core::translate::{Options, Pair, between};
use serde_json::{Value, json};

use crate::answers::{chunk, fold_anthropic, fold_chat, fold_responses, numbered, response};
use crate::gemini::answers as gemini;
use crate::{OPTIONS, answered, context, request, sent, streamed};

fn pair(surface: Dialect, target: Dialect) -> Pair {
    between(surface, target).unwrap()
}

type Fold = fn(&str) -> Value;

const SURFACES: [(Dialect, Fold); 4] = [
    (OpenaiChat, fold_chat),
    (OpenaiResponses, fold_responses),
    (AnthropicMessages, fold_anthropic),
    (Gemini, gemini::fold),
];

/// What a client makes of a stream, and what is lost of it; however it is cut.
fn heard(pair: Pair, stream: &str, fold: Fold) -> (Value, String) {
    let (told, ended) = streamed(pair, [stream.as_bytes()]);
    assert_eq!(ended, Ok(()));
    assert_eq!(streamed(pair, stream.as_bytes().chunks(1)), (told.clone(), Ok(())));
    let mut translator = pair.stream(context());
    translator.push(stream.as_bytes(), &mut Vec::new()).unwrap();
    translator.finish(&mut Vec::new()).unwrap();
    (fold(&told), translator.losses().to_string())
}

/// The same answer whole and streamed, as an upstream tells it.
struct Upstream {
    dialect: Dialect,
    whole: Value,
    stream: String,
}

/// Two tokens, half a character each; without the bytes where `bare`.
fn tokens(bare: bool) -> [Value; 2] {
    let token = |text: &str, logprob: f64, bytes: Value| {
        let mut token = json!({"token": text, "logprob": logprob});
        if !bare {
            token["bytes"] = bytes;
        }
        token
    };
    let mut first = token("It \"was\"", -0.25, json!([73, 116, 32, 34, 119, 97, 115, 34]));
    let other = token("\n", -1.5, json!([10]));
    first["top_logprobs"] = json!([first.clone(), other]);
    let mut second = token(" é", -1e-3, json!([32, 195, 169]));
    second["top_logprobs"] = json!([]);
    [first, second]
}

fn of_chat() -> Upstream {
    let tokens = tokens(false);
    let likely = json!({"content": tokens, "refusal": null});
    let message = json!({"role": "assistant", "content": "It \"was\" é", "refusal": null});
    let whole = json!({"id": "r1", "created": 1_700_000_000, "model": "m",
        "choices": [{"index": 0, "message": message, "logprobs": likely, "finish_reason": "stop"}]});
    let piece = |delta: Value, tokens: Value| {
        let choice = json!({"index": 0, "delta": delta, "logprobs": tokens, "finish_reason": null});
        chunk("r1", &json!([choice]), &Value::Null)
    };
    let last = json!([{"index": 0, "delta": {}, "logprobs": null, "finish_reason": "stop"}]);
    let stream = piece(json!({"role": "assistant", "content": ""}), json!({"content": [], "refusal": null}))
        + &piece(json!({"content": "It \"was\""}), json!({"content": [tokens[0]], "refusal": null}))
        + &piece(json!({"content": " é"}), json!({"content": [tokens[1]], "refusal": null}))
        + &chunk("r1", &last, &Value::Null)
        + "data: [DONE]\n\n";
    Upstream { dialect: OpenaiChat, whole, stream }
}

fn of_responses() -> Upstream {
    let tokens = tokens(false);
    let part = json!({"type": "output_text", "annotations": [], "logprobs": tokens, "text": "It \"was\" é"});
    let item = json!({"id": "msg_r1_0", "type": "message", "status": "completed", "role": "assistant",
        "content": [part]});
    let whole = response("completed", &json!([item]), &Value::Null, None);
    let about = |kind: &str, member: &str, value: Value, likely: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "item_id": "msg_r1_0", "output_index": 0,
            "content_index": 0, "logprobs": likely});
        event[member] = value;
        event
    };
    let delta = |text: &str, token: &Value| about("output_text.delta", "delta", json!(text), json!([token]));
    let stream = numbered(&[
        json!({"type": "response.created", "response": response("in_progress", &json!([]), &Value::Null, None)}),
        delta("It \"was\"", &tokens[0]),
        delta(" é", &tokens[1]),
        about("output_text.done", "text", json!("It \"was\" é"), json!(tokens)),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": whole}),
    ]);
    Upstream { dialect: OpenaiResponses, whole, stream }
}

/// Google's words for the same tokens.
fn googles() -> (Value, Value) {
    let token = |token: &Value| json!({"token": token["token"], "logProbability": token["logprob"]});
    let tokens = tokens(true);
    let top = |of: &Value| json!({"candidates": of["top_logprobs"].as_array().unwrap().iter().map(token).collect::<Vec<_>>()});
    (json!(tokens.iter().map(token).collect::<Vec<_>>()), json!(tokens.iter().map(top).collect::<Vec<_>>()))
}

fn of_gemini() -> Upstream {
    let (chosen, top) = googles();
    let reply = |text: &str, chosen: Value, top: Value, stop: Value| {
        let content = json!({"role": "model", "parts": [{"text": text}]});
        let likely = json!({"chosenCandidates": chosen, "topCandidates": top, "logProbabilitySum": -0.3});
        json!({"candidates": [{"content": content, "index": 0, "finishReason": stop, "logprobsResult": likely}],
            "modelVersion": "m", "responseId": "r1"})
    };
    let first = reply("It \"was\"", json!([chosen[0]]), json!([top[0]]), Value::Null);
    let last = reply(" é", json!([chosen[1]]), json!([top[1]]), json!("STOP"));
    Upstream {
        dialect: Gemini,
        whole: reply("It \"was\" é", chosen, top, json!("STOP")),
        stream: format!("data: {first}\n\ndata: {last}\n\n"),
    }
}

/// Where a client finds how likely the tokens were.
fn likely(surface: Dialect, told: &Value) -> Value {
    match surface {
        OpenaiChat => told["choices"][0]["logprobs"].clone(),
        OpenaiResponses => told["output"][0]["content"][0]["logprobs"].clone(),
        _ => told["candidates"][0]["logprobsResult"].clone(),
    }
}

#[test]
fn how_likely_tokens_were_is_told() {
    let (chosen, top) = googles();
    for upstream in [of_chat(), of_responses(), of_gemini()] {
        for (surface, fold) in SURFACES.into_iter().filter(|(surface, _)| *surface != upstream.dialect) {
            let pair = pair(surface, upstream.dialect);
            for (how, (told, losses)) in [
                ("whole", answered(pair, &upstream.whole).unwrap()),
                ("streamed", heard(pair, &upstream.stream, fold)),
            ] {
                let name = format!("{:?} as {surface:?}, {how}", upstream.dialect);
                if surface == AnthropicMessages {
                    let lost = match upstream.dialect {
                        OpenaiChat => "choices[].logprobs",
                        OpenaiResponses => "output[].content[].logprobs",
                        _ => "candidates[].logprobsResult",
                    };
                    assert_eq!(losses, lost, "{name}");
                    continue;
                }
                assert_eq!(losses, "", "{name}");
                let mut expected = match surface {
                    OpenaiChat => json!({"content": tokens(false), "refusal": null}),
                    OpenaiResponses => json!(tokens(false)),
                    _ => json!({"chosenCandidates": chosen, "topCandidates": top}),
                };
                if (surface, upstream.dialect) == (OpenaiChat, Gemini) {
                    // Google does not tell them.
                    for token in expected["content"].as_array_mut().unwrap() {
                        token["bytes"] = Value::Null;
                        for top in token["top_logprobs"].as_array_mut().unwrap() {
                            top["bytes"] = Value::Null;
                        }
                    }
                }
                assert_eq!(likely(surface, &told), expected, "{name}");
            }
        }
    }
}

#[test]
fn tokens_that_come_late_are_not_lost() {
    // With the last chunk, which has no text.
    let tokens = tokens(false);
    let text = json!([{"index": 0, "delta": {"content": "It"}}]);
    let likely = json!({"content": [tokens[0]], "refusal": null});
    let last = json!([{"index": 0, "delta": {}, "logprobs": likely, "finish_reason": "stop"}]);
    let stream = chunk("r1", &text, &Value::Null) + &chunk("r1", &last, &Value::Null) + "data: [DONE]\n\n";
    let (told, _) = heard(pair(Gemini, OpenaiChat), &stream, gemini::fold);
    let result = &told["candidates"][0]["logprobsResult"];
    assert_eq!(result["chosenCandidates"][0]["token"], tokens[0]["token"]);
    let (told, ended) = streamed(pair(OpenaiResponses, OpenaiChat), [stream.as_bytes()]);
    assert_eq!(ended, Ok(()));
    assert_eq!(fold_responses(&told)["output"][0]["content"][0]["logprobs"], json!([tokens[0]]));
    // With the item, whose text has gone by.
    let upstream = of_responses();
    let late: String = upstream
        .stream
        .split_inclusive("\n\n")
        .map(|event| {
            let data: Value = serde_json::from_str(event.split_once("data: ").unwrap().1).unwrap();
            if data["logprobs"].is_array() {
                event.replace("\"logprobs\":[{", "\"novel\":[{")
            } else {
                event.to_owned()
            }
        })
        .collect();
    let (_, losses) = heard(pair(OpenaiChat, OpenaiResponses), &late, fold_chat);
    assert_eq!(losses, "output[].content[].logprobs");
}

#[test]
fn how_likely_tokens_are_is_asked_for() {
    let user = json!([{"role": "user", "content": "a"}]);
    let chat = json!({"messages": user, "logprobs": true, "top_logprobs": 3});
    let responses = json!({"input": "a", "include": ["message.output_text.logprobs"], "top_logprobs": 3});
    let google = json!({"contents": [{"parts": [{"text": "a"}]}],
        "generationConfig": {"responseLogprobs": true, "logprobs": 3}});
    for (surface, body) in [(OpenaiChat, &chat), (OpenaiResponses, &responses), (Gemini, &google)] {
        for (target, expected) in [(OpenaiChat, &chat), (OpenaiResponses, &responses), (Gemini, &google)] {
            if surface == target {
                continue;
            }
            let (sent, losses) = sent(pair(surface, target), body);
            assert_eq!(losses, "", "{surface:?} to {target:?}");
            for name in ["logprobs", "top_logprobs", "include"] {
                assert_eq!(sent[name], expected[name], "{surface:?} to {target:?}");
            }
            for name in ["responseLogprobs", "logprobs"] {
                let of = |body: &Value| body["generationConfig"][name].clone();
                assert_eq!(of(&sent), of(expected), "{surface:?} to {target:?}");
            }
        }
        for target in [AnthropicMessages, BedrockConverse] {
            let (_, losses) = sent(pair(surface, target), body);
            assert_eq!(losses.split(',').count(), 2, "{losses}");
        }
    }
    let reasons = json!({"messages": user, "logprobs": true, "reasoning_effort": "low"});
    let (sent, losses) = sent(pair(OpenaiChat, OpenaiResponses), &reasons);
    let include = json!(["reasoning.encrypted_content", "message.output_text.logprobs"]);
    assert_eq!((&sent["include"], losses.as_str()), (&include, ""));
    // Without the one, the other says nothing that Google takes.
    let top = json!({"messages": user, "top_logprobs": 3});
    let (sent, losses) = self::sent(pair(OpenaiChat, Gemini), &top);
    assert_eq!((&sent["generationConfig"], losses.as_str()), (&json!({}), "top_logprobs"));
    // Servers that are only like OpenAI's may not know them.
    let common = Options { chat_fields: ChatFields::Common, ..OPTIONS };
    let (body, translated) = request(pair(OpenaiChat, OpenaiResponses), &chat, &common).unwrap();
    assert!(!body.contains("logprobs"), "{body}");
    assert_eq!(translated.losses.to_string(), "logprobs,top_logprobs");
}
