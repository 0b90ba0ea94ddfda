//! Answers as Gemini tells them whole and streamed, and its streams folded the way SDKs fold them.

use serde_json::{Value, json};

use crate::answers::{Answer, Said, answers_in, events, of_answer, pieces};

/// As Google frames events.
pub(crate) fn sse(chunk: &Value) -> String {
    format!("data: {chunk}\r\n\r\n")
}

pub(crate) fn usage() -> Value {
    json!({"promptTokenCount": 100, "candidatesTokenCount": 13, "totalTokenCount": 120,
        "cachedContentTokenCount": 85, "thoughtsTokenCount": 7})
}

/// RFC 4648 §4, written down once more.
pub(crate) fn base64(text: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |byte: u8, at: u32| if byte >> (7 - at) & 1 == 1 { '1' } else { '0' };
    let bits: Vec<char> = text.bytes().flat_map(|byte| (0..8).map(move |at| bit(byte, at))).collect();
    let letter = |six: &[char]| {
        let six: String = six.iter().chain(&['0'; 6]).take(6).collect();
        char::from(ALPHABET[usize::from_str_radix(&six, 2).unwrap()])
    };
    let mut encoded: String = bits.chunks(6).map(letter).collect();
    while !encoded.len().is_multiple_of(4) {
        encoded.push('=');
    }
    encoded
}

/// A signature of Anthropic's, as the client is told it.
pub(crate) fn wrapped(signature: &str) -> String {
    base64(&format!("llm-edge:{signature}"))
}

fn finish_reason(answer: &Answer) -> &'static str {
    match answer.stop.0 {
        "max_tokens" => "MAX_TOKENS",
        "refusal" => "SAFETY",
        _ => "STOP",
    }
}

/// Whether Google could say it: it has no redacted reasoning.
pub(crate) fn is_googles(answer: &Answer) -> bool {
    !answer.said.iter().any(|said| matches!(said, Said::Redacted(_)))
}

/// The parts of an answer, each text in pieces of `size`; signatures stand on the part behind their reasoning.
fn parts(answer: &Answer, size: usize, sign: fn(&str) -> String) -> Vec<Value> {
    let mut parts: Vec<Value> = Vec::new();
    let mut pending: Option<String> = None;
    let carrier = |signature: String| json!({"text": "", "thoughtSignature": signature});
    for said in &answer.said {
        let mut more = match said {
            Said::Text(text) => pieces(text, size).iter().map(|piece| json!({"text": piece})).collect(),
            Said::Thinking(text, signature) => {
                parts.extend(pending.take().map(carrier));
                let thought = |piece: &String| json!({"text": piece, "thought": true});
                parts.extend(pieces(text, size).iter().map(thought));
                pending = Some(sign(signature));
                continue;
            }
            Said::Redacted(data) => {
                parts.extend(pending.take().map(carrier));
                pending = Some(base64(&format!("llm-edge-redacted:{data}")));
                continue;
            }
            Said::Call(id, name, input) => {
                let args: Value = serde_json::from_str(input).unwrap();
                vec![json!({"functionCall": {"id": id, "name": name, "args": args}})]
            }
        };
        if let (Some(first), Some(signature)) = (more.first_mut(), pending.take()) {
            first["thoughtSignature"] = signature.into();
        }
        parts.append(&mut more);
    }
    parts.extend(pending.map(carrier));
    parts
}

fn whole(answer: &Answer, sign: fn(&str) -> String) -> Value {
    let content = json!({"role": "model", "parts": parts(answer, 1_000_000, sign)});
    json!({"candidates": [{"content": content, "finishReason": finish_reason(answer), "index": 0}],
        "usageMetadata": usage(), "modelVersion": "m", "responseId": "r1"})
}

/// As Google says it.
pub(crate) fn gemini(answer: &Answer) -> Value {
    let mut reply = whole(answer, str::to_owned);
    let verdict = json!([{"category": "HARM_CATEGORY_HARASSMENT", "probability": "NEGLIGIBLE"}]);
    reply["candidates"][0]["safetyRatings"] = verdict;
    reply
}

/// As a client is told what Anthropic said.
pub(crate) fn told(answer: &Answer) -> Value {
    whole(answer, wrapped)
}

/// As Google streams it: usage in every chunk, the reason in the last.
pub(crate) fn gemini_stream(answer: &Answer, size: usize) -> String {
    let mut stream = String::new();
    for part in parts(answer, size, str::to_owned) {
        let content = json!({"role": "model", "parts": [part]});
        stream += &sse(&json!({"candidates": [{"content": content, "index": 0}],
            "usageMetadata": {"promptTokenCount": 100, "totalTokenCount": 100},
            "modelVersion": "m", "responseId": "r1"}));
    }
    let content = json!({"role": "model", "parts": [{"text": ""}]});
    let last = json!({"content": content, "finishReason": finish_reason(answer), "index": 0});
    stream
        + &sse(
            &json!({"candidates": [last], "usageMetadata": usage(), "modelVersion": "m", "responseId": "r1"}),
        )
}

/// The reply that a stream of chunks amounts to, each of its candidates for itself.
pub(crate) fn fold(stream: &str) -> Value {
    let of = |index| {
        let stream = of_answer(stream, "candidates", index);
        fold_chunks(events(&stream).iter().map(|(name, data)| {
            assert_eq!(*name, "");
            serde_json::from_str(data).unwrap()
        }))
    };
    let mut whole = of(0);
    for index in 1..answers_in(stream, "candidates") {
        whole["candidates"].as_array_mut().unwrap().push(of(index)["candidates"][0].take());
    }
    whole
}

pub(crate) fn fold_chunks(chunks: impl Iterator<Item = Value>) -> Value {
    let (mut whole, mut parts): (Value, Vec<Value>) = (Value::Null, Vec::new());
    let mut beside = serde_json::Map::new();
    for chunk in chunks {
        assert!(whole["candidates"][0]["finishReason"].is_null(), "something follows the finish reason");
        let candidate = &chunk["candidates"][0];
        for part in candidate["content"]["parts"].as_array().unwrap() {
            let is_text = |part: &Value| part["text"].is_string();
            let (text, signed) = (part["text"].as_str(), !part["thoughtSignature"].is_null());
            if text == Some("") && !signed {
                continue;
            }
            match parts.last_mut() {
                Some(last)
                    if is_text(last) && is_text(part) && !signed && last["thought"] == part["thought"] =>
                {
                    last["text"] = (last["text"].as_str().unwrap().to_owned() + text.unwrap()).into();
                }
                _ => parts.push(part.clone()),
            }
        }
        for member in ["logprobsResult", "groundingMetadata"] {
            for (name, list) in candidate[member].as_object().into_iter().flatten() {
                let all = beside.entry(member).or_insert_with(|| json!({}));
                let all = all.as_object_mut().unwrap().entry(name.clone()).or_insert_with(|| json!([]));
                all.as_array_mut().unwrap().extend_from_slice(list.as_array().unwrap());
            }
        }
        whole = chunk;
    }
    whole["candidates"][0]["content"]["parts"] = parts.into();
    for (member, told) in beside {
        whole["candidates"][0][member] = told;
    }
    whole
}
