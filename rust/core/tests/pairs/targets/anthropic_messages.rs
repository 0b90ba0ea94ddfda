//! Anthropic's messages.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{Extra, Target, before, beside, short, unsaid};
use crate::answers::Answer;
use crate::told::Told;

pub(super) const TARGET: Target = Target {
    dialect: Dialect::AnthropicMessages,
    model: ("m", ""),
    by_itself: &[],
    has_ids: true,
    says: |answer| Some(Told::by(answer)),
    reply: Answer::anthropic,
    stream: |answer, size| answer.anthropic_stream(size).into_bytes(),
    extras,
};

fn extras() -> Vec<Extra> {
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
        unsaid(
            "citations of documents",
            &TARGET,
            cited,
            before(&stream, "event: content_block_stop", &event(citation)),
        ),
        web_cited(),
        unsaid(
            "call of a tool that the provider runs",
            &TARGET,
            searched,
            before(&stream, "event: message_delta", &(event(began) + &event(ended))),
        ),
        unsaid(
            "which stop sequence it was",
            &TARGET,
            stopped,
            stream.replace("\"stop_sequence\":null}", "\"stop_sequence\":\"END\"}").into_bytes(),
        ),
    ]
}

/// A page that the text leans on.
fn web_cited() -> Extra {
    let page = json!({"type": "web_search_result_location", "url": "https://example.com", "title": "t",
        "encrypted_index": "x", "cited_text": ""});
    let mut cited = short().anthropic();
    cited["content"][0]["citations"] = json!([page]);
    let delta = json!({"type": "content_block_delta", "index": 0,
        "delta": {"type": "citations_delta", "citation": page}});
    let delta = format!("event: content_block_delta\ndata: {delta}\n\n");
    let stream = before(&short().anthropic_stream(1000), "event: content_block_stop", &delta);
    beside(unsaid("citations of web pages", &TARGET, cited, stream), "page https://example.com")
}
