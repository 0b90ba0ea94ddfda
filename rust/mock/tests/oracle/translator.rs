//! Clients of chat completions at an upstream that speaks messages: as little of a translation as the planted bugs need.

use serde_json::{Value, json};

use crate::proxy::{Reply, find};

/// Puts a chat request for a model that is asked by messages into those words; `false` for any other request.
pub(crate) fn rewrite(request: &mut Vec<u8>) -> bool {
    const CHAT: &[u8] = b"POST /v1/chat/completions";
    let asked = request.starts_with(CHAT) && find(request, b"\"steady-h1-messages\"").is_some();
    if asked {
        // What the two APIs call a turn is the same.
        request.splice(..CHAT.len(), *b"POST /v1/messages");
    }
    asked
}

/// Tells the reply in the client's words. What broke off stays broken off.
pub(crate) fn tell(reply: &mut Reply) {
    if !reply.head.starts_with(b"HTTP/1.1 200") {
        return;
    }
    let Some(rest) = &reply.rest else {
        reply.chunks = reply.chunks.iter().flat_map(|chunk| events(chunk)).collect();
        return;
    };
    let Ok(document) = serde_json::from_slice::<Value>(rest) else { return };
    let message = json!({"role": "assistant", "content": document["content"][0]["text"]});
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}).to_string();
    let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length";
    reply.head = format!("{head}: {}\r\n\r\n", body.len()).into_bytes();
    reply.rest = Some(body.into_bytes());
}

/// The chunks that stand for a chunk with one event.
fn events(chunk: &[u8]) -> Vec<Vec<u8>> {
    let written = |data: &Value| format!("data: {data}\n\n").into_bytes();
    let Some(at) = find(chunk, b"data: ") else { return Vec::new() };
    let Ok(event) = serde_json::from_slice::<Value>(&chunk[at + 6..]) else { return vec![chunk.to_vec()] };
    match event["type"].as_str() {
        Some("content_block_delta") => {
            vec![written(&json!({"choices": [{"index": 0, "delta": {"content": event["delta"]["text"]}}]}))]
        }
        Some("message_delta") => {
            vec![written(&json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}))]
        }
        Some("message_stop") => vec![b"data: [DONE]\n\n".to_vec()],
        Some("error") => vec![written(&json!({"error": event["error"]}))],
        _ => Vec::new(),
    }
}
