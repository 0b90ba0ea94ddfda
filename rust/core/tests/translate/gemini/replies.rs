//! Whole replies, and errors.

use serde_json::{Value, json};

use super::answers::{gemini, is_googles, told, usage};
use super::{AnthropicMessages, Dialect, Gemini, OpenaiChat, pair};
use crate::answers::{Answer, answers};
use crate::{answered, context};

/// Without members that say nothing, and with arguments that are texts as what they hold.
fn plain(mut reply: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|_, value| !value.is_null());
                members.remove("caller");
                if let Some(Value::String(text)) = members.get("arguments") {
                    let parsed = serde_json::from_str(text).unwrap();
                    members.insert("arguments".to_owned(), parsed);
                }
                members.values_mut().for_each(strip);
            }
            Value::Array(list) => list.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut reply);
    reply
}

/// What a client of the dialect is to be told of an answer of Google's: its signatures are Google's then, and nothing
/// is known of what was written to the cache.
fn expected(answer: &Answer, dialect: Dialect) -> Value {
    let reply = if dialect == OpenaiChat { answer.chat() } else { answer.anthropic() };
    let text = reply.to_string().replace("\"signature\":\"", "\"signature\":\"google:");
    let mut reply: Value = serde_json::from_str(&text).unwrap();
    if dialect == OpenaiChat {
        reply["usage"]["prompt_tokens_details"]["cache_write_tokens"] = 0.into();
    } else {
        reply["usage"]["input_tokens"] = 15.into();
        reply["usage"]["cache_creation_input_tokens"] = 0.into();
        reply["content"].as_array_mut().unwrap().retain(|block| block["text"] != "");
    }
    plain(reply)
}

#[test]
fn an_answer_of_gemini_is_told_in_either_dialect() {
    for answer in answers().iter().filter(|answer| is_googles(answer)) {
        for surface in [OpenaiChat, AnthropicMessages] {
            let (reply, losses) = answered(pair(surface, Gemini), &gemini(answer)).unwrap();
            assert_eq!(losses, "", "{}", answer.name);
            let mut reply = plain(reply);
            if surface == AnthropicMessages {
                // Where nothing carries the first signature but an empty text, there is none.
                reply["content"].as_array_mut().unwrap().retain(|block| block["text"] != "");
            }
            assert_eq!(reply, expected(answer, surface), "{} to {surface:?}", answer.name);
        }
    }
}

#[test]
fn an_answer_in_either_dialect_is_told_as_geminis() {
    for answer in answers() {
        for (target, reply) in [(OpenaiChat, answer.chat()), (AnthropicMessages, answer.anthropic())] {
            let (reply, losses) = answered(pair(Gemini, target), &reply).unwrap();
            assert_eq!(losses, "", "{}", answer.name);
            assert_eq!(reply, told(&answer), "{} from {target:?}", answer.name);
        }
    }
}

#[test]
fn reasoning_is_told_only_to_those_who_asked() {
    let answer = answers().into_iter().find(|answer| answer.name == "thinking").unwrap();
    let mut asked = context();
    asked.include_thoughts = false;
    let mut out = Vec::new();
    let pair = pair(Gemini, AnthropicMessages);
    pair.reply(&asked, answer.anthropic().to_string().as_bytes(), &mut out).unwrap();
    let reply: Value = serde_json::from_slice(&out).unwrap();
    let part = told(&answer)["candidates"][0]["content"]["parts"][1].clone();
    assert_eq!(reply["candidates"][0]["content"]["parts"], json!([part]), "what signs it stays");
    let mut translator = pair.stream(asked);
    let mut out = Vec::new();
    translator.push(answer.anthropic_stream(9).as_bytes(), &mut out).unwrap();
    translator.finish(&mut out).unwrap();
    let folded = super::answers::fold(std::str::from_utf8(&out).unwrap());
    assert_eq!(folded["candidates"][0]["content"]["parts"], json!([part]));
}

fn candidate(reason: &str) -> Value {
    json!({"candidates": [{"content": {"role": "model", "parts": [{"text": "a"}]}, "finishReason": reason}]})
}

#[test]
fn every_reason_is_a_reason_or_a_failure() {
    let reason = |reason: &str| {
        let reply = answered(pair(OpenaiChat, Gemini), &candidate(reason));
        reply.map(|(reply, _)| reply["choices"][0]["finish_reason"].clone())
    };
    assert_eq!(reason("STOP").unwrap(), "stop");
    assert_eq!(reason("MAX_TOKENS").unwrap(), "length");
    for refused in [
        "SAFETY",
        "RECITATION",
        "LANGUAGE",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
        "MODEL_ARMOR",
        "ESCALATION",
    ] {
        assert_eq!(reason(refused).unwrap(), "content_filter", "{refused}");
    }
    for failed in [
        "OTHER",
        "MALFORMED_FUNCTION_CALL",
        "UNEXPECTED_TOOL_CALL",
        "TOO_MANY_TOOL_CALLS",
        "MISSING_THOUGHT_SIGNATURE",
        "MALFORMED_RESPONSE",
        "FINISH_REASON_UNSPECIFIED",
        "NOVEL",
    ] {
        assert!(reason(failed).unwrap_err().message.contains(failed), "{failed}");
    }
    let mut failed = candidate("MALFORMED_FUNCTION_CALL");
    failed["candidates"][0]["finishMessage"] = "print(\"x\")".into();
    let malformed = answered(pair(OpenaiChat, Gemini), &failed).unwrap_err();
    assert!(malformed.message.contains(r#"print("x")"#), "{}", malformed.message);
}

#[test]
fn a_prompt_that_is_refused_is_a_refusal() {
    let reply = json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT", "safetyRatings": []},
        "usageMetadata": {"promptTokenCount": 4, "totalTokenCount": 4}, "modelVersion": "m", "responseId": "r1"});
    let (told, losses) = answered(pair(AnthropicMessages, Gemini), &reply).unwrap();
    assert_eq!(
        (&told["stop_reason"], &told["content"], losses.as_str()),
        (&json!("refusal"), &json!([]), "")
    );
    assert_eq!(told["usage"]["input_tokens"], 4);
}

#[test]
fn what_google_counts_apart_is_added() {
    let mut reply = candidate("STOP");
    reply["usageMetadata"] = usage();
    reply["usageMetadata"]["toolUsePromptTokenCount"] = 11.into();
    let told = answered(pair(OpenaiChat, Gemini), &reply).unwrap().0;
    assert_eq!(told["usage"]["prompt_tokens"], 111);
    assert_eq!(told["usage"]["completion_tokens"], 20);
    assert_eq!(told["usage"]["total_tokens"], 131);
}

#[test]
fn calls_without_ids_get_some_that_are_always_the_same() {
    let call = |id: Value| json!({"functionCall": {"id": id, "name": "f"}});
    let content = json!({"parts": [call(Value::Null), call(json!("")), call(json!("own"))]});
    let reply = json!({"responseId": "r-1_x", "candidates": [{"content": content, "finishReason": "STOP"}]});
    let told = answered(pair(AnthropicMessages, Gemini), &reply).unwrap().0;
    let ids: Vec<_> = told["content"].as_array().unwrap().iter().map(|block| block["id"].clone()).collect();
    assert_eq!(ids, ["call_r-1_x_0", "call_r-1_x_1", "own"]);
    assert_eq!((&told["content"][0]["input"], &told["stop_reason"]), (&json!({}), &json!("tool_use")));
}

#[test]
fn what_a_reply_loses_is_named() {
    let parts = json!([{"text": "a", "partMetadata": {"b": 1}}, {"executableCode": {"code": "1", "language": "PYTHON"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK"}}, {"inlineData": {"mimeType": "image/png", "data": "aGk="}},
        {"toolCall": {"toolType": "URL_CONTEXT"}}, {"functionCall": {"name": "f", "args": {}, "novel": 1}}]);
    let choice = json!({"content": {"role": "model", "parts": parts, "novel": 1}, "finishReason": "STOP",
        "groundingMetadata": {"webSearchQueries": ["q"]}, "citationMetadata": {"citationSources": [{}]},
        "logprobsResult": {"topCandidates": [{}]}, "avgLogprobs": -0.1, "tokenCount": 3, "safetyRatings": [{}]});
    let reply = json!({"candidates": [choice, choice], "modelStatus": {"modelStage": "STABLE"}, "novel": 1,
        "createTime": "2026-01-01T00:00:00Z", "promptFeedback": {"safetyRatings": [{}], "novel": 1}});
    let (told, losses) = answered(pair(OpenaiChat, Gemini), &reply).unwrap();
    assert_eq!(told["choices"][0]["message"]["content"], "a");
    assert_eq!(
        losses,
        "novel,promptFeedback.novel,candidates[].groundingMetadata.webSearchQueries,\
         candidates[].logprobsResult,candidates[].content.novel,candidates[].content.parts[].partMetadata,\
         candidates[].content.parts[].executableCode,candidates[].content.parts[].codeExecutionResult,\
         candidates[].content.parts[].inlineData,candidates[].content.parts[].toolCall,\
         candidates[].content.parts[].functionCall.novel"
    );
}

#[test]
fn a_reply_that_is_none_is_malformed() {
    let with = |part: Value| json!({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]});
    for (reply, said) in [
        (json!([]), "an object"),
        (json!({}), "finishReason"),
        (json!({"candidates": []}), "finishReason"),
        (json!({"candidates": [{"content": {"parts": [{"text": "a"}]}}]}), "finishReason"),
        (json!({"error": {"code": 500, "message": "boom", "status": "INTERNAL"}}), "boom"),
        (with(json!({"functionCall": {"name": "f", "args": []}})), "args"),
        (with(json!({"functionCall": {"args": {}}})), "name"),
        (with(json!({"functionCall": {"name": "f", "partialArgs": [{}]}})), "in parts"),
        (with(json!({"functionCall": {"name": "f", "willContinue": true}})), "in parts"),
        (with(json!({"text": 1})), "text"),
    ] {
        for surface in [OpenaiChat, AnthropicMessages] {
            let malformed = answered(pair(surface, Gemini), &reply).unwrap_err();
            assert!(malformed.message.contains(said), "{said} in {}", malformed.message);
        }
    }
}

#[test]
fn an_error_is_told_in_the_shape_of_the_surface() {
    let told = |surface, target, status, body: &str| {
        let mut out = Vec::new();
        pair(surface, target).error(status, body.as_bytes(), "req_1", &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()
    };
    let google = r#"{"error":{"code":429,"message":"Quota \"x\"","status":"RESOURCE_EXHAUSTED","details":[{"@type":"t"}]}}"#;
    let chat = json!({"error": {"message": "Quota \"x\"", "type": "RESOURCE_EXHAUSTED", "param": null, "code": "429"}});
    assert_eq!(told(OpenaiChat, Gemini, 429, google), chat);
    assert_eq!(
        told(OpenaiChat, Gemini, 429, &format!("[{google}]\n")),
        chat,
        "as where a stream was asked for"
    );
    let anthropic = told(AnthropicMessages, Gemini, 429, google);
    assert_eq!(anthropic["error"]["type"], "rate_limit_error");
    assert_eq!(anthropic["error"]["message"], "Quota \"x\"");
    let chat = r#"{"error":{"message":"Too long","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
    for (status, word) in [
        (400, "INVALID_ARGUMENT"),
        (401, "UNAUTHENTICATED"),
        (402, "PERMISSION_DENIED"),
        (403, "PERMISSION_DENIED"),
        (404, "NOT_FOUND"),
        (408, "DEADLINE_EXCEEDED"),
        (409, "ABORTED"),
        (413, "INVALID_ARGUMENT"),
        (422, "INVALID_ARGUMENT"),
        (429, "RESOURCE_EXHAUSTED"),
        (500, "INTERNAL"),
        (502, "UNAVAILABLE"),
        (503, "UNAVAILABLE"),
        (504, "DEADLINE_EXCEEDED"),
        (529, "UNAVAILABLE"),
    ] {
        let shape = json!({"error": {"code": status, "message": "Too long", "status": word}});
        assert_eq!(told(Gemini, OpenaiChat, status, chat), shape);
    }
}
