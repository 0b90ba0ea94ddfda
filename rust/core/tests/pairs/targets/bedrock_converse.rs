//! Amazon Bedrock's Converse.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{Extra, Target, short, unsaid};
use crate::answers::Answer;
use crate::bedrock::{event, usage};
use crate::told::Told;

/// What models of one maker have and others have not is told from the name.
pub(super) const CLAUDE: Target = Target {
    dialect: Dialect::BedrockConverse,
    model: ("eu.anthropic.claude-sonnet-4-5-20250929-v1:0", "Claude models"),
    by_itself: &[
        ("service tier: the provider's choice", "what it does by itself"),
        ("a stream", "the path says it"),
    ],
    has_ids: true,
    says,
    reply: Answer::bedrock,
    stream: |answer, size| answer.bedrock_events(size).concat(),
    extras,
};

pub(super) const OTHERS: Target = Target {
    model: ("us.meta.llama4-scout-17b-instruct-v1:0", "other models"),
    by_itself: &[
        ("service tier: the provider's choice", "what it does by itself"),
        ("reasoning: whether it is told", "what it does by itself"),
        ("a stream", "the path says it"),
    ],
    ..CLAUDE
};

/// What is encrypted, the provider itself encrypted; and it does not count reasoning apart.
#[allow(clippy::unnecessary_wraps, reason = "other dialects have no words for some answers")]
fn says(answer: &Answer) -> Option<Told> {
    let mut told = Told::by(answer);
    told.redacted.iter_mut().for_each(|data| data.insert_str(0, "bedrock:"));
    told.reasoning = 0;
    Some(told)
}

/// The short text with these events behind it, and these members beside the reason for stopping.
fn stream(events: &[(&str, Value)], members: &[(&str, Value)]) -> Vec<u8> {
    let mut all = short().bedrock_events(1000);
    let end = all.len() - 2;
    let mut stop = json!({"stopReason": "max_tokens"});
    for (name, value) in members {
        stop[name] = value.clone();
    }
    all.splice(
        end..=end,
        events.iter().map(|(kind, payload)| event(kind, payload)).chain([event("messageStop", &stop)]),
    );
    all.concat()
}

fn extras() -> Vec<Extra> {
    let with_block = |block: Value| {
        let mut reply = short().bedrock();
        reply["output"]["message"]["content"].as_array_mut().unwrap().push(block);
        reply
    };
    let delta = |delta: Value| ("contentBlockDelta", json!({"contentBlockIndex": 1, "delta": delta}));
    let start = |start: Value| ("contentBlockStart", json!({"contentBlockIndex": 1, "start": start}));
    let done = || ("contentBlockStop", json!({"contentBlockIndex": 1}));
    let call = json!({"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use", "input": {}}});
    let image = json!({"image": {"format": "png", "source": {"bytes": "aGk="}}});
    let which = || ("additionalModelResponseFields", json!({"stop_sequence": "END"}));
    let mut stopped = short().bedrock();
    stopped[which().0] = which().1;
    let trace = json!({"guardrail": {"modelOutput": ["x"]}});
    let mut traced = short().bedrock();
    traced["trace"] = trace.clone();
    let mut events = short().bedrock_events(1000);
    let last = events.len() - 1;
    events[last] = event("metadata", &json!({"usage": usage(), "metrics": {"latencyMs": 5}, "trace": trace}));
    vec![
        unsaid(
            "citations",
            &CLAUDE,
            with_block(json!({"citationsContent": {"content": [], "citations": [{"title": "t"}]}})),
            stream(&[delta(json!({"citation": {"title": "t"}})), done()], &[]),
        ),
        unsaid(
            "call of a tool that the provider runs",
            &CLAUDE,
            with_block(call.clone()),
            stream(&[start(call), delta(json!({"toolUse": {"input": "{}"}})), done()], &[]),
        ),
        unsaid(
            "image",
            &CLAUDE,
            with_block(image.clone()),
            stream(&[start(json!({"image": {"format": "png"}})), delta(image), done()], &[]),
        ),
        unsaid("which stop sequence it was", &CLAUDE, stopped, stream(&[], &[which()])),
        unsaid("what a guardrail did", &CLAUDE, traced, events.concat()),
    ]
}
