//! What comes back.

use llm_edge_core::dialect::Dialect;
use llm_edge_core::tap::Usage;
use serde_json::{Value, json};

use crate::{
    CohereEmbed, GeminiBatchEmbedContents, GeminiEmbedContent, OllamaEmbed, OpenaiEmbeddings, SURFACES,
    TARGETS, answered, pair, request,
};

/// Numbers that no parser gives back as they were.
const NUMBERS: [&str; 2] = ["[0.10000000149011612,-1E-3 , 7]", "[1.0,2.50,-0]"];

/// A request of `surface` for so many inputs.
fn asked(surface: Dialect, inputs: usize) -> Value {
    let content = json!({"parts": [{"text": "x"}]});
    match surface {
        OpenaiEmbeddings => json!({"model": "asked", "input": vec!["x"; inputs]}),
        GeminiEmbedContent => json!({"content": content}),
        _ => json!({"requests": vec![json!({"content": content}); inputs]}),
    }
}

/// A reply of `target` with these vectors.
fn reply(target: Dialect, vectors: &[&str]) -> String {
    let list = vectors.join(",");
    match target {
        OpenaiEmbeddings => {
            let data: Vec<_> = vectors
                .iter()
                .enumerate()
                .map(|(index, vector)| {
                    format!(r#"{{"object":"embedding","index":{index},"embedding":{vector}}}"#)
                })
                .collect();
            format!(
                r#"{{"object":"list","data":[{}],"model":"m-1","usage":{{"prompt_tokens":7,"total_tokens":7}}}}"#,
                data.join(",")
            )
        }
        GeminiEmbedContent => {
            format!(r#"{{"embedding":{{"values":{list}}},"usageMetadata":{{"promptTokenCount":7}}}}"#)
        }
        GeminiBatchEmbedContents => {
            let embeddings: Vec<_> =
                vectors.iter().map(|vector| format!(r#"{{"values":{vector}}}"#)).collect();
            format!(
                r#"{{"embeddings":[{}],"usageMetadata":{{"promptTokenCount":7,"promptTokenDetails":[{{"modality":"TEXT","tokenCount":7}}]}}}}"#,
                embeddings.join(",")
            )
        }
        CohereEmbed => format!(
            r#"{{"id":"e1","texts":["x"],"embeddings":{{"float":[{list}]}},"response_type":"embeddings_by_type","meta":{{"api_version":{{"version":"2"}},"billed_units":{{"input_tokens":7.0}}}}}}"#
        ),
        _ => format!(
            r#"{{"model":"m-1","embeddings":[{list}],"total_duration":1,"load_duration":1,"prompt_eval_count":7}}"#
        ),
    }
}

#[test]
fn vectors_come_back_digit_for_digit_with_their_usage() {
    for surface in SURFACES {
        for target in TARGETS.into_iter().filter(|target| *target != surface) {
            let one = [surface, target].contains(&GeminiEmbedContent);
            let vectors = &NUMBERS[..if one { 1 } else { 2 }];
            let asked = asked(surface, vectors.len());
            let (told, losses) = answered(pair(surface, target), &asked, &reply(target, vectors)).unwrap();
            let model = if [OpenaiEmbeddings, OllamaEmbed].contains(&target) { "m-1" } else { "m" };
            let expected = match surface {
                OpenaiEmbeddings => reply(surface, vectors).replace("m-1", model),
                _ => reply(surface, vectors)
                    .replace(r#","promptTokenDetails":[{"modality":"TEXT","tokenCount":7}]"#, ""),
            };
            assert_eq!((told.as_str(), losses.as_str()), (expected.as_str(), ""), "{surface:?} {target:?}");
        }
    }
}

#[test]
fn usage_is_told_to_the_gateway_too() {
    for target in TARGETS.into_iter().filter(|target| *target != OpenaiEmbeddings) {
        let pair = pair(OpenaiEmbeddings, target);
        let (_, _, context) = request(pair, &asked(OpenaiEmbeddings, 1)).unwrap();
        let replied = pair.reply(&context, reply(target, &["[1]"]).as_bytes(), &mut Vec::new()).unwrap();
        assert_eq!(replied.usage, Usage { input_tokens: 7, ..Usage::default() });
    }
}

#[test]
fn usage_that_is_not_told_is_nothing_or_left_out() {
    let silent = r#"{"embeddings":[[1]]}"#;
    let (told, _) =
        answered(pair(OpenaiEmbeddings, OllamaEmbed), &asked(OpenaiEmbeddings, 1), silent).unwrap();
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["usage"], json!({"prompt_tokens": 0, "total_tokens": 0}));
    let (told, _) =
        answered(pair(GeminiEmbedContent, OllamaEmbed), &asked(GeminiEmbedContent, 1), silent).unwrap();
    assert_eq!(told, r#"{"embedding":{"values":[1]}}"#);
    let images =
        r#"{"embeddings":{"float":[[1]]},"meta":{"billed_units":{"input_tokens":2,"image_tokens":3}}}"#;
    let (told, _) =
        answered(pair(GeminiEmbedContent, CohereEmbed), &asked(GeminiEmbedContent, 1), images).unwrap();
    assert_eq!(told, r#"{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":5}}"#);
}

#[test]
fn base64_is_what_openai_packs() {
    let mut body = asked(OpenaiEmbeddings, 2);
    body["encoding_format"] = json!("base64");
    let vectors = ["[1, -0.5,0.1]", "[1.000000059604644775390626]"];
    for target in
        TARGETS.into_iter().filter(|target| ![OpenaiEmbeddings, GeminiEmbedContent].contains(target))
    {
        let (told, _) = answered(pair(OpenaiEmbeddings, target), &body, &reply(target, &vectors)).unwrap();
        let told: Value = serde_json::from_str(&told).unwrap();
        assert_eq!(told["data"][0]["embedding"], "AACAPwAAAL/NzMw9");
        assert_eq!(told["data"][1]["embedding"], "AQCAPw==");
    }
    let huge = answered(pair(OpenaiEmbeddings, OllamaEmbed), &body, r#"{"embeddings":[[1],[1e39]]}"#);
    assert!(huge.unwrap_err().message.contains("single precision"));
}

#[test]
fn openai_s_vectors_are_put_in_order_and_unpacked() {
    let pair = pair(GeminiBatchEmbedContents, OpenaiEmbeddings);
    let told =
        |data: &str| answered(pair, &asked(GeminiBatchEmbedContents, 2), &format!(r#"{{"data":[{data}]}}"#));
    let (in_order, _) =
        told(r#"{"index":1,"embedding":"AACAPwAAAL/NzMw9"},{"index":0,"embedding":[2]}"#).unwrap();
    assert_eq!(in_order, r#"{"embeddings":[{"values":[2]},{"values":[1,-0.5,0.1]}]}"#);
    let (without_index, _) = told(r#"{"embedding":[1]},{"embedding":[2]}"#).unwrap();
    assert_eq!(without_index, r#"{"embeddings":[{"values":[1]},{"values":[2]}]}"#);
    for wrong in [
        r#"{"index":0,"embedding":[1]},{"index":0,"embedding":[2]}"#,
        r#"{"index":1,"embedding":[1]},{"index":2,"embedding":[2]}"#,
        r#"{"index":0,"embedding":[1]},{"index":1,"embedding":"AACA"}"#,
    ] {
        assert!(told(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_reply_that_has_not_one_vector_for_each_input_is_no_reply() {
    for target in TARGETS.into_iter().filter(|target| *target != OpenaiEmbeddings) {
        let pair = pair(OpenaiEmbeddings, target);
        let inputs = if target == GeminiEmbedContent { 1 } else { 2 };
        let whole = vec!["[1]"; inputs];
        assert!(answered(pair, &asked(OpenaiEmbeddings, inputs), &reply(target, &whole)).is_ok());
        if target != GeminiEmbedContent {
            for count in [0, 1, 3] {
                let vectors = vec!["[1]"; count];
                let malformed =
                    answered(pair, &asked(OpenaiEmbeddings, 2), &reply(target, &vectors)).unwrap_err();
                assert!(malformed.message.contains("for 2 inputs"), "{}", malformed.message);
            }
        }
        for vector in ["[]", "[null]", "[\"1\"]", "[[1]]", "{}", "1", "null"] {
            let malformed = answered(pair, &asked(OpenaiEmbeddings, 1), &reply(target, &[vector]));
            assert!(malformed.is_err(), "{target:?} {vector}");
        }
        for broken in ["", "{", "[]", "{}", "null", "\"x\""] {
            assert!(answered(pair, &asked(OpenaiEmbeddings, 1), broken).is_err(), "{target:?} {broken}");
        }
    }
}

#[test]
fn an_error_inside_a_good_status_is_no_reply() {
    for (target, reply) in [
        (OllamaEmbed, r#"{"error":"no such model"}"#),
        (GeminiBatchEmbedContents, r#"{"error":{"code":500,"message":"no such model"}}"#),
    ] {
        let malformed =
            answered(pair(OpenaiEmbeddings, target), &asked(OpenaiEmbeddings, 1), reply).unwrap_err();
        assert!(malformed.message.contains("no such model"), "{}", malformed.message);
    }
}

#[test]
fn what_is_told_beside_the_vectors_is_named() {
    let more = r#"{"embeddings":[[1]],"mark":1,"total_duration":5}"#;
    let (_, losses) =
        answered(pair(OpenaiEmbeddings, OllamaEmbed), &asked(OpenaiEmbeddings, 1), more).unwrap();
    assert_eq!(losses, "mark");
    let other = r#"{"id":"e","embeddings":{"float":[[1]],"int8":[[1]]}}"#;
    let (_, losses) =
        answered(pair(OpenaiEmbeddings, CohereEmbed), &asked(OpenaiEmbeddings, 1), other).unwrap();
    assert_eq!(losses, "embeddings.int8");
    let shaped = r#"{"embedding":{"values":[1],"shape":[1],"mark":1}}"#;
    let (_, losses) =
        answered(pair(OpenaiEmbeddings, GeminiEmbedContent), &asked(OpenaiEmbeddings, 1), shaped).unwrap();
    assert_eq!(losses, "embedding.mark");
}

#[test]
fn an_error_is_told_in_the_client_s_shape() {
    let told = |surface, target, status, body: &str| {
        let mut out = Vec::new();
        pair(surface, target).error(status, body.as_bytes(), "req_1", &mut out);
        serde_json::from_slice::<Value>(&out).unwrap()["error"].clone()
    };
    let of_cohere = told(OpenaiEmbeddings, CohereEmbed, 400, r#"{"id":"e","message":"too many texts"}"#);
    assert_eq!(of_cohere["message"], "too many texts");
    let of_google = told(
        OpenaiEmbeddings,
        GeminiBatchEmbedContents,
        429,
        r#"{"error":{"code":429,"message":"slow down","status":"RESOURCE_EXHAUSTED"}}"#,
    );
    assert_eq!(
        (&of_google["message"], &of_google["type"]),
        (&json!("slow down"), &json!("RESOURCE_EXHAUSTED"))
    );
    for surface in [GeminiEmbedContent, GeminiBatchEmbedContents] {
        let of_ollama = told(surface, OllamaEmbed, 404, r#"{"error":"model not found"}"#);
        assert_eq!(of_ollama, json!({"code": 404, "message": "model not found", "status": "NOT_FOUND"}));
    }
}
