//! Dialects that upstreams speak: answers as their models tell them, and what they need not be asked for.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use crate::answers::{Answer, answers};
use crate::told::Told;

/// A dialect that upstreams speak.
pub(crate) struct Target {
    pub(crate) dialect: Dialect,
    /// Which features it has by itself, and how; those that begin so.
    pub(crate) by_itself: &'static [(&'static str, &'static str)],
    /// What the dialect makes of an answer; `None` where it has no words for it.
    pub(crate) says: fn(&Answer) -> Option<Told>,
    /// The answer as a whole reply.
    pub(crate) reply: fn(&Answer) -> Value,
    /// The answer as a stream, its texts in pieces of so many characters.
    pub(crate) stream: fn(&Answer, usize) -> Vec<u8>,
    /// What only this dialect tells, beside a text: name, whole reply, stream.
    pub(crate) extras: fn() -> Vec<Extra>,
}

/// Something that few dialects tell.
pub(crate) struct Extra {
    pub(crate) name: &'static str,
    pub(crate) reply: Value,
    pub(crate) stream: Vec<u8>,
}

pub(crate) const TARGETS: [Target; 3] = [
    Target {
        dialect: Dialect::OpenaiChat,
        by_itself: &[
            ("cache marker", "caches without markers"),
            ("reasoning: as the model sees fit", "what it does by itself"),
        ],
        says: |answer| Some(Told::by(answer)),
        reply: Answer::chat,
        stream: |answer, size| answer.chat_stream(size).into_bytes(),
        extras: chat_extras,
    },
    Target {
        dialect: Dialect::AnthropicMessages,
        by_itself: &[],
        says: |answer| Some(Told::by(answer)),
        reply: Answer::anthropic,
        stream: |answer, size| answer.anthropic_stream(size).into_bytes(),
        extras: anthropic_extras,
    },
    Target {
        dialect: Dialect::CohereChat,
        by_itself: &[
            ("cache marker", "caches without markers"),
            ("service tier: ", "has one tier"),
            ("tool choice: auto", "what it does by itself"),
        ],
        says: |answer| {
            let told = Told::by(&answer.of_cohere()?);
            Some(Told { cache_write: 0, reasoning: 0, ..told })
        },
        reply: Answer::cohere,
        stream: |answer, size| answer.cohere_stream(size).into_bytes(),
        extras: cohere_extras,
    },
];

/// An answer that is a short text.
pub(crate) fn short() -> Answer {
    answers().into_iter().find(|answer| answer.name == "cut").unwrap()
}

/// A stream with one more event before that which begins so.
pub(crate) fn before(stream: &str, begin: &str, event: &str) -> Vec<u8> {
    let at = stream.find(begin).unwrap_or_else(|| panic!("no {begin} in {stream}"));
    [&stream[..at], event, &stream[at..]].concat().into_bytes()
}

fn chat_extras() -> Vec<Extra> {
    let extra = |name, member: &str, value: Value, in_message: bool| {
        let mut reply = short().chat();
        let choice = &mut reply["choices"][0];
        let mut chunk = json!({"index": 0, "delta": {}});
        if in_message {
            choice["message"][member] = value.clone();
            chunk["delta"][member] = value;
        } else {
            choice[member] = value.clone();
            chunk[member] = value;
        }
        let stream = short().chat_stream(1000);
        let chunk = crate::answers::chunk("r1", &json!([chunk]), &Value::Null);
        // Before the chunk that tells why the model stopped.
        let last = stream.rmatch_indices("data: ").nth(2).unwrap().0;
        let stream = [&stream[..last], &chunk, &stream[last..]].concat().into_bytes();
        Extra { name, reply, stream }
    };
    let mut second = short().chat();
    let choice = json!({"index": 1, "message": {"content": "Other"}, "finish_reason": "stop"});
    second["choices"].as_array_mut().unwrap().push(choice);
    let chunk =
        crate::answers::chunk("r1", &json!([{"index": 1, "delta": {"content": "Other"}}]), &Value::Null);
    vec![
        extra("log probabilities", "logprobs", json!({"content": [{"token": "It", "logprob": -0.5}]}), false),
        extra("citations", "annotations", json!([{"type": "url_citation"}]), true),
        extra("audio", "audio", json!({"id": "a", "data": "aGk="}), true),
        Extra {
            name: "further choices",
            reply: second,
            stream: before(&short().chat_stream(1000), "data: [DONE]", &chunk),
        },
    ]
}

fn anthropic_extras() -> Vec<Extra> {
    let event = |event: Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let stream = short().anthropic_stream(1000);
    let mut cited = short().anthropic();
    cited["content"][0]["citations"] = json!([{"type": "char_location", "cited_text": "was"}]);
    let citation = json!({"type": "content_block_delta", "index": 0,
        "delta": {"type": "citations_delta", "citation": {"cited_text": "was"}}});
    let search = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
    let mut searched = short().anthropic();
    searched["content"].as_array_mut().unwrap().push(search.clone());
    let began = json!({"type": "content_block_start", "index": 1, "content_block": search});
    let ended = json!({"type": "content_block_stop", "index": 1});
    let mut stopped = short().anthropic();
    stopped["stop_sequence"] = "END".into();
    vec![
        Extra {
            name: "citations",
            reply: cited,
            stream: before(&stream, "event: content_block_stop", &event(citation)),
        },
        Extra {
            name: "blocks of Anthropic's own servers",
            reply: searched,
            stream: before(&stream, "event: message_delta", &(event(began) + &event(ended))),
        },
        Extra {
            name: "which stop sequence it was",
            reply: stopped,
            stream: stream.replace("\"stop_sequence\":null}", "\"stop_sequence\":\"END\"}").into_bytes(),
        },
    ]
}

fn cohere_extras() -> Vec<Extra> {
    let event = |event: Value| format!("event: {}\ndata: {event}\n\n", event["type"].as_str().unwrap());
    let stream = short().cohere_stream(1000);
    let citation = json!({"start": 0, "end": 2, "text": "It", "sources": [], "type": "TEXT_CONTENT"});
    let mut cited = short().cohere();
    cited["message"]["citations"] = json!([citation]);
    let began = json!({"type": "citation-start", "index": 0, "delta": {"message": {"citations": citation}}});
    let ended = json!({"type": "citation-end", "index": 0});
    let mut likely = short().cohere();
    let token = json!({"text": "It was", "token_ids": [1], "logprobs": [-0.5]});
    likely["logprobs"] = json!([token]);
    let delta = json!({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": ""}}},
        "logprobs": token});
    vec![
        Extra {
            name: "citations",
            reply: cited,
            stream: before(&stream, "event: content-end", &(event(began) + &event(ended))),
        },
        Extra {
            name: "log probabilities",
            reply: likely,
            stream: before(&stream, "event: content-end", &event(delta)),
        },
    ]
}
