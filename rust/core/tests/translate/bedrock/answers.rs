//! Answers of a model as Converse tells them, whole and as messages of an event stream.

use serde_json::{Value, json};

use crate::answers::{Answer, Said};

/// RFC 1952 §8, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 * (crc & 1)))
    })
}

/// A message of the stream with these headers, all of them texts.
pub(crate) fn message(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut named = Vec::new();
    for (name, value) in headers {
        named.push(u8::try_from(name.len()).unwrap());
        named.extend_from_slice(name.as_bytes());
        named.push(7);
        named.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        named.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + named.len() + payload.len()).unwrap();
    let mut message = total.to_be_bytes().to_vec();
    message.extend(u32::try_from(named.len()).unwrap().to_be_bytes());
    message.extend(crc32(&message).to_be_bytes());
    message.extend_from_slice(&named);
    message.extend_from_slice(payload);
    let crc = crc32(&message);
    message.extend(crc.to_be_bytes());
    message
}

pub(crate) fn event(kind: &str, payload: &Value) -> Vec<u8> {
    let headers = [(":event-type", kind), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.to_string().as_bytes())
}

pub(crate) fn exception(kind: &str, payload: &Value) -> Vec<u8> {
    message(&[(":exception-type", kind), (":message-type", "exception")], payload.to_string().as_bytes())
}

fn pieces(text: &str, size: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    chars.chunks(size).map(|piece| piece.iter().collect()).collect()
}

pub(crate) fn usage() -> Value {
    json!({"inputTokens": 10, "outputTokens": 20, "totalTokens": 120, "cacheReadInputTokens": 85,
        "cacheWriteInputTokens": 5, "cacheDetails": [{"ttl": "5m", "inputTokens": 5}]})
}

impl Answer {
    fn bedrock_stop(&self) -> &'static str {
        if self.stop.0 == "refusal" { "content_filtered" } else { self.stop.0 }
    }

    pub(crate) fn bedrock(&self) -> Value {
        let block = |said: &Said| match said {
            Said::Text(text) => json!({"text": text}),
            Said::Thinking(text, signature) => {
                json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}})
            }
            Said::Redacted(data) => json!({"reasoningContent": {"redactedContent": data}}),
            Said::Call(id, name, input) => {
                let input: Value = serde_json::from_str(input).unwrap();
                json!({"toolUse": {"toolUseId": id, "name": name, "input": input}})
            }
        };
        let content: Vec<Value> = self.said.iter().map(block).collect();
        json!({"output": {"message": {"role": "assistant", "content": content}},
            "stopReason": self.bedrock_stop(), "usage": usage(), "metrics": {"latencyMs": 5}})
    }

    /// As Bedrock streams it: only calls have a start, and events are padded.
    pub(crate) fn bedrock_events(&self, size: usize) -> Vec<Vec<u8>> {
        let mut events = vec![event("messageStart", &json!({"role": "assistant", "p": "abc"}))];
        for (index, said) in self.said.iter().enumerate() {
            let mut deltas = Vec::new();
            match said {
                Said::Text(text) => {
                    deltas.push(json!({"text": ""}));
                    deltas.extend(pieces(text, size).iter().map(|piece| json!({"text": piece})));
                }
                Said::Thinking(text, signature) => {
                    let reasoning = |piece: &String| json!({"reasoningContent": {"text": piece}});
                    deltas.extend(pieces(text, size).iter().map(reasoning));
                    deltas.push(json!({"reasoningContent": {"signature": signature}}));
                }
                Said::Redacted(data) => {
                    // Every four characters of base64 are pieces of their own.
                    let reasoning = |piece: &String| json!({"reasoningContent": {"redactedContent": piece}});
                    deltas.extend(pieces(data, 4).iter().map(reasoning));
                }
                Said::Call(id, name, input) => {
                    let start = json!({"toolUse": {"toolUseId": id, "name": name}});
                    let start = json!({"contentBlockIndex": index, "start": start, "p": "ab"});
                    events.push(event("contentBlockStart", &start));
                    let input = if *input == "{}" { "" } else { input };
                    let delta = |piece: &String| json!({"toolUse": {"input": piece}});
                    deltas.extend(pieces(input, size).iter().map(delta));
                }
            }
            for delta in deltas {
                let delta = json!({"contentBlockIndex": index, "delta": delta, "p": "abcdefgh"});
                events.push(event("contentBlockDelta", &delta));
            }
            events.push(event("contentBlockStop", &json!({"contentBlockIndex": index, "p": ""})));
        }
        events.push(event("messageStop", &json!({"stopReason": self.bedrock_stop(), "p": "abcd"})));
        events.push(event("metadata", &json!({"usage": usage(), "metrics": {"latencyMs": 5}, "p": "a"})));
        events
    }
}
