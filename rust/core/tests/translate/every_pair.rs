//! What holds for every surface and every target: how a stream is told, that a conversation grows at its end only,
//! and whose reasoning comes back to whom.

use llm_edge_core::dialect::Dialect::{
    self, AnthropicMessages, BedrockConverse, CohereChat, Gemini, OllamaChat, OpenaiChat, OpenaiResponses,
};
use llm_edge_core::dialect::{ChatFields, Platform, ReplayedReasoning};
use llm_edge_core::translate::{Options, between};
use serde_json::{Value, json};

use crate::answers::{Answer, Said, Teller, answers, fold_anthropic, fold_chat, fold_responses};
use crate::cache::{Client, MARKED, Marks, check, play};
use crate::gemini::answers as gemini;
use crate::ollama::told::is_ollamas;
use crate::{OPTIONS, answered, request_of, streamed};

/// A dialect that clients speak.
struct Surface {
    dialect: Dialect,
    client: Client,
    fold: fn(&str) -> Value,
    /// What a client asks next that was told this reply.
    next: fn(&Value) -> Value,
}

const SURFACES: [Surface; 4] = [
    Surface { dialect: OpenaiChat, client: Client::Chat, fold: fold_chat, next: next_of_chat },
    Surface {
        dialect: OpenaiResponses,
        client: Client::Responses,
        fold: fold_responses,
        next: next_of_responses,
    },
    Surface {
        dialect: AnthropicMessages,
        client: Client::Anthropic,
        fold: fold_anthropic,
        next: next_of_anthropic,
    },
    Surface { dialect: Gemini, client: Client::Gemini, fold: gemini::fold, next: next_of_gemini },
];

/// A dialect that upstreams speak, and an answer in it; `None` where it has no words for one.
struct Target {
    dialect: Dialect,
    model: &'static str,
    whole: fn(&Answer) -> Option<Value>,
    stream: fn(&Answer, usize) -> Vec<u8>,
}

const TARGETS: [Target; 7] = [
    Target {
        dialect: OpenaiChat,
        model: "m",
        whole: |answer| Some(answer.chat()),
        stream: |answer, size| answer.chat_stream(size).into(),
    },
    Target {
        dialect: OpenaiResponses,
        model: "m",
        whole: |answer| Some(answer.responses(Teller::Maker)),
        stream: |answer, size| answer.responses_stream(size).into(),
    },
    Target {
        dialect: AnthropicMessages,
        model: "m",
        whole: |answer| Some(answer.anthropic()),
        stream: |answer, size| answer.anthropic_stream(size).into(),
    },
    Target {
        dialect: Gemini,
        model: "gemini-3-flash-preview",
        whole: |answer| gemini::is_googles(answer).then(|| gemini::gemini(answer)),
        stream: |answer, size| gemini::gemini_stream(answer, size).into(),
    },
    Target {
        dialect: BedrockConverse,
        model: "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
        whole: |answer| Some(answer.bedrock()),
        stream: |answer, size| answer.bedrock_events(size).concat(),
    },
    Target {
        dialect: CohereChat,
        model: "m",
        whole: |answer| Some(answer.of_cohere()?.cohere()),
        stream: |answer, size| answer.of_cohere().unwrap().cohere_stream(size).into(),
    },
    Target {
        dialect: OllamaChat,
        model: "m",
        whole: |answer| is_ollamas(answer).then(|| answer.ollama()),
        stream: |answer, size| answer.ollama_stream(size).into(),
    },
];

/// Every pair between which is translated.
fn pairs() -> impl Iterator<Item = (&'static Surface, &'static Target)> {
    let all = SURFACES.iter().flat_map(|surface| TARGETS.iter().map(move |target| (surface, target)));
    all.filter(|(surface, target)| between(surface.dialect, target.dialect).is_some())
}

#[test]
fn no_pair_is_left_out() {
    let known = pairs().count();
    let all = Dialect::ALL.iter().flat_map(|surface| Dialect::ALL.map(|target| between(*surface, target)));
    assert_eq!(all.flatten().count(), known);
}

/// What a client is told at the end only.
const ENDS: [&str; 5] =
    ["[DONE]", "message_stop", "response.completed", "response.incomplete", "finishReason"];

#[test]
fn a_folded_stream_is_the_whole_reply() {
    for (surface, target) in pairs() {
        let pair = between(surface.dialect, target.dialect).unwrap();
        for answer in answers() {
            let Some(whole) = (target.whole)(&answer) else { continue };
            let (whole, losses) = answered(pair, &whole).unwrap();
            for size in [1, 3, 1000] {
                let name =
                    format!("{:?} as {:?}: {} by {size}", target.dialect, surface.dialect, answer.name);
                let stream = (target.stream)(&answer, size);
                let (told, ended) = streamed(pair, [stream.as_slice()]);
                ended.unwrap_or_else(|malformed| panic!("{name}: {}", malformed.message));
                assert_eq!(settled((surface.fold)(&told)), settled(whole.clone()), "{name}");
                let mut translator = pair.stream(crate::context());
                translator.push(&stream, &mut Vec::new()).unwrap();
                translator.finish(&mut Vec::new()).unwrap();
                assert_eq!(translator.losses().to_string(), losses, "{name}");
            }
        }
    }
}

/// A reply less what is not the point: blanks between the tokens of arguments, and empty texts, for which SDKs open
/// a block.
fn settled(mut reply: Value) -> Value {
    fn parse(arguments: &mut Value) {
        if let Some(text) = arguments.as_str() {
            *arguments = serde_json::from_str(text).unwrap();
        }
    }
    for item in reply.get_mut("output").and_then(Value::as_array_mut).into_iter().flatten() {
        if item["type"] == "function_call" {
            parse(&mut item["arguments"]);
        }
    }
    let calls = reply.pointer_mut("/choices/0/message/tool_calls").and_then(Value::as_array_mut);
    calls.into_iter().flatten().for_each(|call| parse(&mut call["function"]["arguments"]));
    if let Some(blocks) = reply.get_mut("content").and_then(Value::as_array_mut) {
        blocks.retain(|block| block["text"] != "");
    }
    reply
}

#[test]
fn where_the_stream_is_cut_does_not_show() {
    for (surface, target) in pairs() {
        let pair = between(surface.dialect, target.dialect).unwrap();
        for answer in answers().iter().filter(|answer| (target.whole)(answer).is_some()) {
            let name = format!("{:?} as {:?}: {}", target.dialect, surface.dialect, answer.name);
            for size in [1, 3, 1000] {
                let stream = (target.stream)(answer, size);
                let (whole, ended) = streamed(pair, [stream.as_slice()]);
                assert_eq!(ended, Ok(()), "{name}");
                assert_eq!(streamed(pair, stream.chunks(1)), (whole.clone(), Ok(())), "{name}");
                // The others are long, and as much to the point in few pieces.
                for at in (0..stream.len()).filter(|_| size == 1000) {
                    let (front, back) = stream.split_at(at);
                    assert_eq!(streamed(pair, [front, back]), (whole.clone(), Ok(())), "{name} at {at}");
                }
            }
        }
    }
}

#[test]
fn a_stream_that_is_cut_short_has_no_end() {
    for (surface, target) in pairs() {
        let pair = between(surface.dialect, target.dialect).unwrap();
        for answer in answers().iter().filter(|answer| (target.whole)(answer).is_some()) {
            let name = format!("{:?} as {:?}: {}", target.dialect, surface.dialect, answer.name);
            let stream = (target.stream)(answer, 1000);
            // The last event of a text may lack its empty line, but nothing of its data.
            let last = std::str::from_utf8(&stream).map_or(stream.len(), |text| text.trim_end().len());
            for at in 0..last {
                let (told, ended) = streamed(pair, [&stream[..at]]);
                assert!(ended.is_err(), "{name} at {at}");
                assert!(!ENDS.iter().any(|end| told.contains(end)), "{name} at {at}: {told}");
            }
            assert_eq!(streamed(pair, [&stream[..last]]).1, Ok(()), "{name}");
        }
    }
}

/// Conversations of every surface's clients with one target.
fn check_growth(dialect: Dialect) {
    for (surface, target) in pairs().filter(|(_, target)| target.dialect == dialect) {
        let pair = between(surface.dialect, dialect).unwrap();
        check(pair, target.model, surface.client, &OPTIONS);
        if matches!(dialect, AnthropicMessages | BedrockConverse) {
            check(pair, target.model, surface.client, &MARKED);
        }
        if dialect == OpenaiChat {
            for form in [ReplayedReasoning::Reasoning, ReplayedReasoning::Content] {
                let options = Options { replays_reasoning: Some(form), ..OPTIONS };
                check(pair, target.model, surface.client, &options);
            }
        }
        // Markers of the client's own, and what providers of the dialect have of their own.
        for marks in [Marks::Moving, Marks::TooMany] {
            let most = play(pair, target.model, surface.client, &MARKED, (marks, 2));
            let wanted = match (dialect, surface.client, marks) {
                (AnthropicMessages | BedrockConverse, Client::Responses, Marks::Moving) => 2,
                (AnthropicMessages | BedrockConverse, Client::Chat | Client::Anthropic, Marks::Moving) => 3,
                (AnthropicMessages | BedrockConverse, ..) => 4,
                _ => 0,
            };
            assert!(most == wanted || surface.client == Client::Gemini, "{most} {:?}", surface.dialect);
        }
        for options in [
            Options { tool_id_length: Some(9), chat_fields: ChatFields::Common, ..OPTIONS },
            Options { platform: Platform::Vertex, ..OPTIONS },
        ] {
            play(pair, target.model, surface.client, &options, (Marks::None, 2));
        }
    }
}

#[test]
fn a_turn_is_a_prefix_of_the_next_for_chat() {
    check_growth(OpenaiChat);
}

#[test]
fn a_turn_is_a_prefix_of_the_next_for_responses() {
    check_growth(OpenaiResponses);
}

#[test]
fn a_turn_is_a_prefix_of_the_next_for_anthropic() {
    check_growth(AnthropicMessages);
}

#[test]
fn a_turn_is_a_prefix_of_the_next_for_gemini() {
    check_growth(Gemini);
}

#[test]
fn a_turn_is_a_prefix_of_the_next_for_bedrock() {
    check_growth(BedrockConverse);
}

#[test]
fn a_turn_is_a_prefix_of_the_next_for_cohere() {
    check_growth(CohereChat);
}

#[test]
fn a_turn_is_a_prefix_of_the_next_for_ollama() {
    check_growth(OllamaChat);
}

fn next_of_chat(reply: &Value) -> Value {
    json!({"messages": [{"role": "user", "content": "x"}, reply["choices"][0]["message"],
        {"role": "user", "content": "y"}]})
}

fn next_of_responses(reply: &Value) -> Value {
    let user = |text: &str| json!({"type": "message", "role": "user", "content": text});
    let mut input = vec![user("x")];
    input.extend_from_slice(reply["output"].as_array().unwrap());
    input.push(user("y"));
    json!({"input": input})
}

fn next_of_anthropic(reply: &Value) -> Value {
    json!({"max_tokens": 100, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": reply["content"]}, {"role": "user", "content": "y"}]})
}

fn next_of_gemini(reply: &Value) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "x"}]}, reply["candidates"][0]["content"],
        {"role": "user", "parts": [{"text": "y"}]}]})
}

const SIGNATURE: &str = "c2lnbmVk";
const REDACTED: &str = "cmVkYWN0ZWQ=";

/// Whether a target takes reasoning back that came from the upstream of another one, or the same.
fn takes_back(target: Dialect, maker: Dialect, redacted: bool) -> bool {
    // An upstream that speaks chat hands on what others have signed, Anthropic if nothing else is said.
    let maker = if maker == OpenaiChat { AnthropicMessages } else { maker };
    match target {
        // Bedrock's Claude signs as Anthropic does, but encrypts in a way of its own.
        AnthropicMessages | BedrockConverse if !redacted => {
            matches!(maker, AnthropicMessages | BedrockConverse)
        }
        other => other == maker,
    }
}

#[test]
fn reasoning_comes_back_to_its_maker_only() {
    let mut seen = [0, 0];
    // Cohere and Ollama sign nothing.
    for (surface, maker) in pairs().filter(|(_, maker)| !matches!(maker.dialect, CohereChat | OllamaChat)) {
        let from = between(surface.dialect, maker.dialect).unwrap();
        for (said, needle) in
            [(Said::Thinking("Hm.", SIGNATURE), SIGNATURE), (Said::Redacted(REDACTED), REDACTED)]
        {
            let redacted = needle == REDACTED;
            let answer =
                Answer { name: "reasoned", said: vec![said, Said::Text("Yes.")], stop: ("end_turn", "stop") };
            let Some(whole) = (maker.whole)(&answer) else { continue };
            let (told, ended) = streamed(from, [(maker.stream)(&answer, 2).as_slice()]);
            assert_eq!(ended, Ok(()));
            for reply in [answered(from, &whole).unwrap().0, (surface.fold)(&told)] {
                let next = (surface.next)(&reply);
                for target in TARGETS.iter().filter(|target| target.dialect != surface.dialect) {
                    let to = between(surface.dialect, target.dialect).unwrap();
                    let (sent, translated) = request_of(to, target.model, &next, &OPTIONS).unwrap();
                    let losses = translated.losses.to_string();
                    let name = format!(
                        "{needle} of {:?} through {:?} to {:?}: {losses}: {sent}",
                        maker.dialect, surface.dialect, target.dialect
                    );
                    let taken = takes_back(target.dialect, maker.dialect, redacted);
                    assert_eq!((sent.contains(needle), losses.is_empty()), (taken, taken), "{name}");
                    assert!(sent.contains("Yes."), "{name}");
                    // No trace of how it was marked in between.
                    for mark in ["google:", "openai:", "bedrock:", "signature:", "redacted:", "bGxtLWVkZ2"] {
                        assert!(!sent.contains(mark), "{name}");
                    }
                    seen[usize::from(taken)] += 1;
                }
            }
        }
    }
    assert!(seen.iter().all(|count| *count > 20), "{seen:?}");
}
