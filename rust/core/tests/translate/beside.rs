//! What stands beside an answer: how likely its tokens were, the pages it leans on, and other answers.

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

fn sse(event: &Value) -> String {
    format!("data: {event}\n\n")
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
fn tokens_that_are_too_many_for_the_end_cost_no_answer() {
    const TOKENS: usize = 5_000;
    let other = json!({"token": "other", "logprob": -0.123_456_78, "bytes": [111, 116, 104, 101, 114]});
    let piece = |at: usize, text: &str| {
        let mut token = other.clone();
        token["token"] = format!("w{at}").into();
        token["top_logprobs"] = json!(vec![&other; 20]);
        let choice = json!({"index": 0, "delta": {"content": text}, "logprobs": {"content": [token]}});
        chunk("r1", &json!([choice]), &Value::Null)
    };
    let last = json!([{"index": 0, "delta": {"content": "."}, "finish_reason": "stop"}]);
    let end = chunk("r1", &last, &Value::Null) + "data: [DONE]\n\n";
    let pair = pair(OpenaiResponses, OpenaiChat);
    // Each with its text, or all of them before any.
    for text in ["a", ""] {
        let stream: String = (0..TOKENS).map(|at| piece(at, text)).collect::<String>() + &end;
        let mut translator = pair.stream(context());
        let mut out = Vec::new();
        translator.push(stream.as_bytes(), &mut out).unwrap();
        translator.finish(&mut out).unwrap();
        assert_eq!(translator.losses().to_string(), "logprobs");
        let out = String::from_utf8(out).unwrap();
        let last = out.trim_end().rsplit_once("data: ").unwrap().1;
        let told: Value = serde_json::from_str(last).unwrap();
        assert_eq!(told["type"], "response.completed");
        let part = &told["response"]["output"][0]["content"][0];
        assert_eq!(part["text"], text.repeat(TOKENS) + ".");
        let kept = part["logprobs"].as_array().unwrap();
        assert!((1_000..TOKENS).contains(&kept.len()), "{}", kept.len());
        let in_order = |(at, token): (usize, &Value)| token["token"] == format!("w{at}");
        assert!(kept.iter().enumerate().all(in_order));
    }
}

#[test]
fn what_stands_beside_in_another_shape_costs_no_answer() {
    let message =
        json!({"content": "It", "annotations": [{"type": "url_citation", "url_citation": {"url": 1}}, 2]});
    for likely in [json!({"content": [1]}), json!({"content": [{"token": "a", "logprob": null}]}), json!([1])]
    {
        let choice = json!({"index": 0, "message": message, "logprobs": likely, "finish_reason": "stop"});
        let whole = json!({"id": "r1", "model": "m", "choices": [choice], "citations": {"a": 1}});
        let (told, losses) = answered(pair(Gemini, OpenaiChat), &whole).unwrap();
        assert_eq!(told["candidates"][0]["content"]["parts"][0]["text"], "It");
        assert_eq!(losses, "choices[].logprobs,choices[].message.annotations,citations");
    }
    let part =
        json!({"type": "output_text", "text": "It", "annotations": {"a": 1}, "logprobs": [{"token": 1}]});
    let item = json!({"type": "message", "role": "assistant", "content": [part]});
    let whole = response("completed", &json!([item]), &Value::Null, None);
    let (told, losses) = answered(pair(OpenaiChat, OpenaiResponses), &whole).unwrap();
    assert_eq!(told["choices"][0]["message"]["content"], "It");
    assert_eq!(losses, "output[].content[].logprobs,output[].content[].annotations");
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

/// Two pages; only of the first it is told where the text leans on it, and how it is called.
const PAGES: [&str; 2] = ["https://example.com/a?b=1", "https://example.org/"];

/// A citation as chat has it.
fn chat_citation(at: usize) -> Value {
    let (start, end, title) = if at == 0 { (3, 8, "A \"title\"") } else { (0, 0, "") };
    json!({"type": "url_citation",
        "url_citation": {"start_index": start, "end_index": end, "title": title, "url": PAGES[at]}})
}

/// As responses have it.
fn annotation(at: usize) -> Value {
    let mut annotation = chat_citation(at)["url_citation"].clone();
    annotation["type"] = "url_citation".into();
    annotation
}

/// As Anthropic has it.
fn citation(at: usize) -> Value {
    let title = if at == 0 { json!("A \"title\"") } else { Value::Null };
    json!({"type": "web_search_result_location", "cited_text": "", "encrypted_index": "", "title": title,
        "url": PAGES[at]})
}

/// As Google has it.
fn page(at: usize) -> Value {
    if at == 0 {
        json!({"web": {"uri": PAGES[at], "title": "A \"title\""}})
    } else {
        json!({"web": {"uri": PAGES[at]}})
    }
}

fn both(of: fn(usize) -> Value) -> Value {
    json!([of(0), of(1)])
}

fn cited_by_chat() -> Upstream {
    let mut second = chat_citation(1);
    second["url_citation"] = json!({"url": PAGES[1]});
    let message =
        json!({"role": "assistant", "content": "It was", "annotations": [chat_citation(0), second]});
    let whole = json!({"id": "r1", "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}]});
    let piece = |delta: Value| chunk("r1", &json!([{"index": 0, "delta": delta}]), &Value::Null);
    let last = json!([{"index": 0, "delta": {}, "finish_reason": "stop"}]);
    let stream = piece(json!({"content": "It"}))
        + &piece(json!({"content": " was", "annotations": [chat_citation(0)]}))
        + &piece(json!({"annotations": [second]}))
        + &chunk("r1", &last, &Value::Null)
        + "data: [DONE]\n\n";
    Upstream { dialect: OpenaiChat, whole, stream }
}

fn cited_by_responses() -> Upstream {
    let part =
        json!({"type": "output_text", "annotations": both(annotation), "logprobs": [], "text": "It was"});
    let item = json!({"id": "msg_r1_0", "type": "message", "status": "completed", "role": "assistant",
        "content": [part]});
    let whole = response("completed", &json!([item]), &Value::Null, None);
    let about = |kind: &str, member: &str, value: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "item_id": "msg_r1_0", "output_index": 0,
            "content_index": 0});
        event[member] = value;
        event
    };
    let stream = numbered(&[
        json!({"type": "response.created", "response": response("in_progress", &json!([]), &Value::Null, None)}),
        about("output_text.delta", "delta", json!("It")),
        about("output_text.delta", "delta", json!(" was")),
        about("output_text.annotation.added", "annotation", annotation(0)),
        about("output_text.annotation.added", "annotation", annotation(1)),
        about("content_part.done", "part", part),
        json!({"type": "response.output_item.done", "output_index": 0, "item": item}),
        json!({"type": "response.completed", "response": whole}),
    ]);
    Upstream { dialect: OpenaiResponses, whole, stream }
}

fn cited_by_anthropic() -> Upstream {
    let mut cited = both(citation);
    cited[0]["encrypted_index"] = "Eo8B".into();
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    let whole = json!({"id": "r1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "content": [{"type": "text", "text": "It was", "citations": cited}], "usage": usage});
    let delta = |delta: Value| json!({"type": "content_block_delta", "index": 0, "delta": delta});
    let cite = |at: usize| delta(json!({"type": "citations_delta", "citation": cited[at]}));
    let events = [
        json!({"type": "message_start", "message": {"id": "r1", "model": "m", "usage": usage}}),
        json!({"type": "content_block_start", "index": 0,
            "content_block": {"type": "text", "text": "", "citations": []}}),
        cite(0),
        delta(json!({"type": "text_delta", "text": "It"})),
        delta(json!({"type": "text_delta", "text": " was"})),
        cite(1),
        json!({"type": "content_block_stop", "index": 0}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 1}}),
        json!({"type": "message_stop"}),
    ];
    let stream = events.iter().map(sse).collect();
    Upstream { dialect: AnthropicMessages, whole, stream }
}

fn cited_by_gemini() -> Upstream {
    let reply = |text: &str, stop: Value, grounding: Value, citation: Value| {
        let content = json!({"role": "model", "parts": [{"text": text}]});
        json!({"candidates": [{"content": content, "index": 0, "finishReason": stop,
            "groundingMetadata": grounding, "citationMetadata": citation}],
            "modelVersion": "m", "responseId": "r1"})
    };
    let grounding = json!({"groundingChunks": [page(0)]});
    let sources = json!({"citationSources": [{"uri": PAGES[1]}]});
    let first = reply("It", Value::Null, grounding.clone(), Value::Null);
    // Some models tell them again.
    let last = reply(" was", json!("STOP"), grounding.clone(), sources.clone());
    Upstream {
        dialect: Gemini,
        whole: reply("It was", json!("STOP"), grounding, sources),
        stream: format!("data: {first}\n\ndata: {last}\n\n"),
    }
}

#[test]
fn the_pages_that_an_answer_leans_on_are_told() {
    for upstream in [cited_by_chat(), cited_by_responses(), cited_by_anthropic(), cited_by_gemini()] {
        for (surface, fold) in SURFACES.into_iter().filter(|(surface, _)| *surface != upstream.dialect) {
            let pair = pair(surface, upstream.dialect);
            for (how, (told, losses)) in [
                ("whole", answered(pair, &upstream.whole).unwrap()),
                ("streamed", heard(pair, &upstream.stream, fold)),
            ] {
                let name = format!("{:?} as {surface:?}, {how}", upstream.dialect);
                assert_eq!(losses, "", "{name}");
                let (cited, mut expected) = match surface {
                    OpenaiChat => (&told["choices"][0]["message"]["annotations"], both(chat_citation)),
                    OpenaiResponses => (&told["output"][0]["content"][0]["annotations"], both(annotation)),
                    AnthropicMessages => (&told["content"][0]["citations"], both(citation)),
                    _ => (&told["candidates"][0]["groundingMetadata"]["groundingChunks"], both(page)),
                };
                if matches!(upstream.dialect, AnthropicMessages | Gemini) {
                    // They tell no characters.
                    for member in ["start_index", "end_index"] {
                        for place in ["/0", "/0/url_citation"] {
                            let members = expected.pointer_mut(place).and_then(Value::as_object_mut);
                            if let Some(number) = members.and_then(|members| members.get_mut(member)) {
                                *number = 0.into();
                            }
                        }
                    }
                }
                assert_eq!(cited, &expected, "{name}");
            }
        }
    }
}

#[test]
fn the_pages_that_are_listed_beside_an_answer_are_told_once() {
    let results = json!([{"title": "A \"title\"", "url": PAGES[0]}, {"title": "", "url": PAGES[1]}]);
    for list in [json!({"search_results": results, "citations": PAGES}), json!({"citations": PAGES})] {
        let with = |mut reply: Value| {
            for (name, value) in list.as_object().unwrap() {
                reply[name] = value.clone();
            }
            reply
        };
        let message = json!({"role": "assistant", "content": "It was"});
        let choice = json!({"index": 0, "message": message, "finish_reason": "stop"});
        let whole = with(json!({"id": "r1", "model": "m", "choices": [choice]}));
        // Perplexity repeats them in every chunk.
        let piece = |text: &str, stop: Value| {
            let choice = json!({"index": 0, "delta": {"content": text}, "finish_reason": stop});
            format!("data: {}\n\n", with(json!({"id": "r1", "model": "m", "choices": [choice]})))
        };
        let pieces = [piece("It", Value::Null), piece(" w", Value::Null), piece("as", json!("stop"))];
        let stream = pieces.concat() + "data: [DONE]\n\n";
        for (surface, fold) in SURFACES.into_iter().filter(|(surface, _)| *surface != OpenaiChat) {
            let pair = pair(surface, OpenaiChat);
            for (told, losses) in [answered(pair, &whole).unwrap(), heard(pair, &stream, fold)] {
                assert_eq!(losses, "", "{surface:?}");
                let text = told.to_string();
                assert_eq!(text.matches(PAGES[0]).count(), 1, "{text}");
                assert_eq!(text.matches(PAGES[1]).count(), 1, "{text}");
                let titled = list.get("search_results").is_some();
                assert_eq!(text.contains("A \\\"title\\\""), titled, "{text}");
            }
        }
    }
}

/// A call as chat has it.
fn called(arguments: &str) -> Value {
    json!([{"index": 0, "id": "c1", "type": "function", "function": {"name": "f", "arguments": arguments}}])
}

/// A stream of chat in which the last chunk but one lists pages or the last one does.
fn listing(deltas: &[Value], stop: &str, late: bool) -> String {
    let mut chunks: Vec<Value> = deltas
        .iter()
        .map(|delta| json!({"id": "r1", "model": "m", "choices": [{"index": 0, "delta": delta}]}))
        .collect();
    let at = chunks.len() - 1;
    let last = json!([{"index": 0, "delta": {}, "finish_reason": stop}]);
    chunks.push(json!({"id": "r1", "model": "m", "choices": last}));
    chunks[at + usize::from(late)]["citations"] = json!(PAGES);
    chunks.iter().map(sse).collect::<String>() + "data: [DONE]\n\n"
}

/// What of a reply its answer is.
fn said(surface: Dialect, told: &Value) -> &Value {
    match surface {
        OpenaiChat => &told["choices"],
        OpenaiResponses => &told["output"],
        AnthropicMessages => &told["content"],
        _ => &told["candidates"],
    }
}

#[test]
fn pages_that_are_listed_cost_no_call_that_was_cut() {
    let call = json!({"tool_calls": called("{\"a\":")});
    for deltas in [vec![call.clone()], vec![json!({"content": "Rome."}), call]] {
        for late in [false, true] {
            let stream = listing(&deltas, "length", late);
            for (surface, word) in [
                (AnthropicMessages, "\"stop_reason\":\"max_tokens\""),
                (OpenaiResponses, "\"reason\":\"max_output_tokens\""),
                (Gemini, "\"finishReason\":\"MAX_TOKENS\""),
            ] {
                let (told, ended) = streamed(pair(surface, OpenaiChat), [stream.as_bytes()]);
                assert_eq!(ended, Ok(()), "{surface:?}");
                assert!(told.contains(word), "{surface:?}: {told}");
            }
        }
    }
}

#[test]
fn pages_are_told_before_what_ends_their_text() {
    let message = json!({"role": "assistant", "content": "Rome.", "tool_calls": called("{}")});
    let choice = json!({"index": 0, "message": message, "finish_reason": "tool_calls"});
    let deltas = [json!({"content": "Rome."}), json!({"tool_calls": called("{}")})];
    let chat = Upstream {
        dialect: OpenaiChat,
        whole: json!({"id": "r1", "model": "m", "choices": [choice], "citations": PAGES}),
        stream: listing(&deltas, "tool_calls", false),
    };
    let google = |others: &Value, stop: Value| {
        let reply = |parts: Value, stop: Value, grounding: Value| {
            json!({"responseId": "r1", "modelVersion": "m", "candidates": [{"index": 0, "finishReason": stop,
                "content": {"role": "model", "parts": parts}, "groundingMetadata": grounding}]})
        };
        let grounding = json!({"groundingChunks": both(page)});
        let text = json!({"text": "Rome."});
        let mut parts = vec![text.clone()];
        parts.extend_from_slice(others.as_array().unwrap());
        let whole = reply(json!(parts), stop.clone(), grounding.clone());
        let two = sse(&reply(json!([text]), Value::Null, Value::Null))
            + &sse(&reply(others.clone(), stop, grounding));
        let upstream = |stream| Upstream { dialect: Gemini, whole: whole.clone(), stream };
        [upstream(sse(&whole)), upstream(two)]
    };
    let signed = google(&json!([{"text": "", "thoughtSignature": "c2lnbmVk"}]), json!("STOP"));
    let calling = google(&json!([{"functionCall": {"id": "c1", "name": "f", "args": {}}}]), json!("STOP"));
    for upstream in [chat].into_iter().chain(signed).chain(calling) {
        for (surface, fold) in SURFACES.into_iter().filter(|(surface, _)| *surface != upstream.dialect) {
            let pair = pair(surface, upstream.dialect);
            let (whole, losses) = answered(pair, &upstream.whole).unwrap();
            assert_eq!(losses, "", "{surface:?}");
            let (told, losses) = heard(pair, &upstream.stream, fold);
            assert_eq!(losses, "", "{surface:?}");
            assert_eq!(said(surface, &told), said(surface, &whole), "{surface:?}");
            assert!(told.to_string().contains(PAGES[1]), "{surface:?}: {told}");
        }
    }
}

#[test]
fn pages_of_no_text_are_named() {
    let message = json!({"role": "assistant", "content": null, "tool_calls": called("{}")});
    let choice = json!({"index": 0, "message": message, "finish_reason": "tool_calls"});
    let chat = Upstream {
        dialect: OpenaiChat,
        whole: json!({"id": "r1", "model": "m", "choices": [choice], "citations": PAGES}),
        stream: listing(&[json!({"tool_calls": called("{}")})], "tool_calls", true),
    };
    let parts = json!([{"functionCall": {"id": "c1", "name": "f", "args": {}}}]);
    let whole = json!({"responseId": "r1", "modelVersion": "m", "candidates": [{"index": 0,
        "content": {"role": "model", "parts": parts}, "finishReason": "STOP",
        "groundingMetadata": {"groundingChunks": both(page)}}]});
    let google = Upstream { dialect: Gemini, stream: sse(&whole), whole };
    for upstream in [chat, google] {
        for (surface, fold) in
            [(AnthropicMessages, fold_anthropic as Fold), (OpenaiResponses, fold_responses)]
        {
            let pair = pair(surface, upstream.dialect);
            let (whole, losses) = answered(pair, &upstream.whole).unwrap();
            assert_eq!(losses, "citations");
            assert_eq!(said(surface, &whole).as_array().unwrap().len(), 1, "{whole}");
            let (told, losses) = heard(pair, &upstream.stream, fold);
            assert_eq!(losses, "citations");
            assert_eq!(said(surface, &told), said(surface, &whole));
        }
    }

    // They came behind all that followed the text, whose block is closed.
    let deltas = [json!({"content": "Rome."}), json!({"tool_calls": called("{}")})];
    let stream = listing(&deltas, "tool_calls", true);
    let (told, losses) = heard(pair(AnthropicMessages, OpenaiChat), &stream, fold_anthropic);
    assert_eq!((told["content"].as_array().unwrap().len(), losses.as_str()), (2, "citations"));
    // There are more than can wait for one.
    let list: Vec<_> = (0..250).map(|at| format!("{}{at}{}", PAGES[1], "x".repeat(2000))).collect();
    let many = stream.replace(&json!(PAGES).to_string(), &json!(list).to_string());
    let (told, losses) = heard(pair(AnthropicMessages, OpenaiChat), &many, fold_anthropic);
    assert_eq!((told["content"].as_array().unwrap().len(), losses.as_str()), (2, "citations"));
}

#[test]
fn what_of_citations_is_lost_is_named() {
    let cited = |citations: Value| {
        json!({"id": "r1", "model": "m", "stop_reason": "end_turn", "usage": {},
            "content": [{"type": "text", "text": "a", "citations": citations}]})
    };
    let mut page = citation(0);
    page["cited_text"] = "It was.".into();
    let place = json!({"type": "char_location", "cited_text": "a", "document_index": 0});
    let (told, losses) = answered(pair(OpenaiChat, AnthropicMessages), &cited(json!([place, page]))).unwrap();
    assert_eq!(losses, "content[].citations,content[].citations[].cited_text");
    let annotations = told["choices"][0]["message"]["annotations"].as_array().unwrap();
    assert_eq!(annotations.len(), 1);

    // Places in a second text are not places in the whole.
    let item = |text: &str| {
        let part = json!({"type": "output_text", "text": text, "annotations": [annotation(0)]});
        json!({"type": "message", "role": "assistant", "content": [part]})
    };
    let whole = response("completed", &json!([item("It was"), item(" so")]), &Value::Null, None);
    let stream = numbered(&[json!({"type": "response.completed", "response": whole})]);
    let of_responses = pair(OpenaiChat, OpenaiResponses);
    for (told, losses) in [answered(of_responses, &whole).unwrap(), heard(of_responses, &stream, fold_chat)] {
        let annotations = &told["choices"][0]["message"]["annotations"];
        assert_eq!(annotations[0], chat_citation(0));
        assert_eq!(annotations[1]["url_citation"]["end_index"], 0);
        assert_eq!(losses, "");
    }

    // To be given some is asked for with a document, and told in an earlier turn.
    let source = json!({"type": "text", "media_type": "text/plain", "data": "x"});
    let document = json!({"type": "document", "source": source, "citations": {"enabled": true}});
    let said = json!([{"type": "text", "text": "a", "citations": [page]}]);
    let turns = json!([{"role": "user", "content": [document]}, {"role": "assistant", "content": said},
        {"role": "user", "content": "b"}]);
    let (_, losses) = sent(pair(AnthropicMessages, OpenaiChat), &json!({"max_tokens": 9, "messages": turns}));
    assert_eq!(losses, "messages[].content[].citations");
}

#[test]
fn several_answers_are_told_apart() {
    let call = |id: Option<&str>| {
        let function = json!({"name": "f", "arguments": "{\"a\":1}"});
        json!({"id": id, "type": "function", "index": 0, "function": function})
    };
    let choice = |index: u64, message: Value, stop: &str| json!({"index": index, "message": message, "finish_reason": stop});
    let usage = crate::answers::chat_usage();
    let whole = json!({"id": "r1", "created": 1_700_000_000, "model": "m", "usage": usage, "choices": [
        choice(1, json!({"content": "Two"}), "length"),
        choice(0, json!({"content": "One"}), "stop"),
        choice(2, json!({"content": null, "tool_calls": [call(None)]}), "tool_calls"),
    ]});
    let piece = |index: u64, delta: Value| json!({"index": index, "delta": delta, "finish_reason": null});
    let last = |index: u64, stop: &str| json!({"index": index, "delta": {}, "finish_reason": stop});
    let chunks = [
        json!([piece(1, json!({"content": "T"}))]),
        json!([piece(0, json!({"content": "O"})), piece(1, json!({"content": "w"}))]),
        json!([piece(1, json!({"content": "o"}))]),
        json!([piece(0, json!({"content": "n"}))]),
        json!([piece(0, json!({"content": "e"})), piece(2, json!({"tool_calls": [call(None)]}))]),
        json!([last(1, "length")]),
        json!([last(0, "stop"), last(2, "tool_calls")]),
    ];
    let chunks: String = chunks.iter().map(|choices| chunk("r1", choices, &Value::Null)).collect();
    let end = chunk("r1", &json!([]), &usage) + "data: [DONE]\n\n";
    let stream = chunks.clone() + &end;

    let to_gemini = pair(Gemini, OpenaiChat);
    let (told, losses) = answered(to_gemini, &whole).unwrap();
    assert_eq!(losses, "");
    let candidates = told["candidates"].as_array().unwrap();
    let texts: Vec<_> = candidates.iter().map(|one| one["content"]["parts"][0]["text"].as_str()).collect();
    assert_eq!(texts, [Some("One"), Some("Two"), None]);
    let stops: Vec<_> = candidates.iter().map(|one| one["finishReason"].as_str().unwrap()).collect();
    assert_eq!(stops, ["STOP", "MAX_TOKENS", "STOP"]);
    let made = &candidates[2]["content"]["parts"][0]["functionCall"];
    assert_eq!((&made["id"], &made["args"]), (&json!("r1_2_0"), &json!({"a": 1})));
    let (streamed_told, ended) = streamed(to_gemini, [stream.as_bytes()]);
    assert_eq!(ended, Ok(()));
    assert_eq!(streamed(to_gemini, stream.as_bytes().chunks(1)).0, streamed_told);
    assert_eq!(&gemini::fold(&streamed_told)["candidates"], &told["candidates"]);
    let counts = streamed_told.matches("usageMetadata").count();
    assert_eq!((counts, streamed_told.lines().filter(|line| line.contains("usageMetadata")).count()), (1, 1));
    assert!(streamed_told.trim_end().rsplit_once("data: ").unwrap().1.contains("usageMetadata"));
    let array = llm_edge_core::translate::Context { json_array: true, ..context() };
    let mut translator = to_gemini.stream(array);
    let mut out = Vec::new();
    translator.push(stream.as_bytes(), &mut out).unwrap();
    translator.finish(&mut out).unwrap();
    let list: Vec<Value> = serde_json::from_slice(&out).unwrap();
    assert_eq!(list.len(), streamed_told.matches("data: ").count());

    // One that has not ended leaves the reply without its end.
    let cut = chunks.replace("\"finish_reason\":\"length\"", "\"finish_reason\":null") + &end;
    let (told, ended) = streamed(to_gemini, [cut.as_bytes()]);
    assert!(ended.is_err() && !told.contains("finishReason"), "{told}");

    // Who can be told of one is told of the first, and of no other.
    for (surface, fold) in [(AnthropicMessages, fold_anthropic as Fold), (OpenaiResponses, fold_responses)] {
        let pair = pair(surface, OpenaiChat);
        for (told, losses) in [answered(pair, &whole).unwrap(), heard(pair, &stream, fold)] {
            assert!(told.to_string().contains("One") && !told.to_string().contains("Two"), "{told}");
            assert_eq!(losses, "choices[]");
        }
    }
}

#[test]
fn several_candidates_are_choices() {
    let part = |text: &str| json!([{"text": text}]);
    let called = json!([{"functionCall": {"name": "f", "args": {"a": 1}}}]);
    let candidate = |index: u64, parts: &Value, stop: &str| {
        let stop = if stop.is_empty() { Value::Null } else { stop.into() };
        json!({"index": index, "content": {"role": "model", "parts": parts}, "finishReason": stop})
    };
    let reply =
        |candidates: Value| json!({"candidates": candidates, "modelVersion": "m", "responseId": "r1"});
    let whole = reply(json!([
        candidate(0, &part("One"), "STOP"),
        candidate(1, &part("Two"), "MAX_TOKENS"),
        candidate(2, &called, "STOP"),
    ]));
    let stream: String = [
        json!([candidate(0, &part("O"), ""), candidate(1, &part("T"), "")]),
        json!([
            candidate(0, &part("n"), ""),
            candidate(1, &part("wo"), "MAX_TOKENS"),
            candidate(2, &called, "STOP")
        ]),
        json!([candidate(0, &part("e"), "STOP")]),
    ]
    .into_iter()
    .map(|candidates| sse(&reply(candidates)))
    .collect();
    let to_chat = pair(OpenaiChat, Gemini);
    let (told, losses) = answered(to_chat, &whole).unwrap();
    assert_eq!(losses, "");
    let choices = told["choices"].as_array().unwrap();
    let texts: Vec<_> = choices.iter().map(|one| one["message"]["content"].as_str()).collect();
    assert_eq!(texts, [Some("One"), Some("Two"), None]);
    let stops: Vec<_> = choices.iter().map(|one| one["finish_reason"].as_str().unwrap()).collect();
    assert_eq!(stops, ["stop", "length", "tool_calls"]);
    assert_eq!(choices[2]["message"]["tool_calls"][0]["id"], "call_r1_2_0");
    let (streamed_told, ended) = streamed(to_chat, [stream.as_bytes()]);
    assert_eq!(ended, Ok(()));
    assert_eq!(streamed(to_chat, stream.as_bytes().chunks(1)).0, streamed_told);
    assert_eq!(&fold_chat(&streamed_told)["choices"], &told["choices"]);
    let (_, ended) = streamed(to_chat, [stream.replace("MAX_TOKENS", "").as_bytes()]);
    assert!(ended.is_err());
    for (surface, fold) in [(AnthropicMessages, fold_anthropic as Fold), (OpenaiResponses, fold_responses)] {
        let pair = pair(surface, Gemini);
        for (told, losses) in [answered(pair, &whole).unwrap(), heard(pair, &stream, fold)] {
            assert!(told.to_string().contains("One") && !told.to_string().contains("Two"), "{told}");
            assert_eq!(losses, "candidates[]");
        }
    }
}

#[test]
fn several_answers_are_asked_for() {
    let chat = |n: Value| json!({"messages": [{"role": "user", "content": "a"}], "n": n});
    let google = |n: Value| json!({"contents": [{"parts": [{"text": "a"}]}], "generationConfig": {"candidateCount": n}});
    let (told, losses) = sent(pair(OpenaiChat, Gemini), &chat(json!(3)));
    assert_eq!((&told["generationConfig"]["candidateCount"], losses.as_str()), (&json!(3), ""));
    let (told, losses) = sent(pair(Gemini, OpenaiChat), &google(json!(3)));
    assert_eq!((&told["n"], losses.as_str()), (&json!(3), ""));
    assert_eq!(sent(pair(OpenaiChat, Gemini), &chat(json!(1))).0["generationConfig"], json!({}));
    assert!(sent(pair(Gemini, OpenaiChat), &google(json!(1))).0.get("n").is_none());
    for target in [AnthropicMessages, OpenaiResponses, BedrockConverse] {
        assert_eq!(sent(pair(OpenaiChat, target), &chat(json!(3))).1, "n", "{target:?}");
        let (_, losses) = sent(pair(Gemini, target), &google(json!(3)));
        assert_eq!(losses, "generationConfig.candidateCount", "{target:?}");
    }
}
