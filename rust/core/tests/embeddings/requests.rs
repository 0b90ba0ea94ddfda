//! What is sent.

use llm_edge_core::embedding::renamed;
use serde_json::{Value, json};

use crate::{
    CohereEmbed, GeminiBatchEmbedContents, GeminiEmbedContent, OllamaEmbed, OpenaiEmbeddings, SURFACES,
    TARGETS, pair, request, sent,
};

fn openai(more: &Value) -> Value {
    let mut body = json!({"model": "asked", "input": ["one", "zwei \"二\""]});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

fn content(text: &str) -> Value {
    json!({"parts": [{"text": text}]})
}

#[test]
fn every_text_is_sent_in_its_order() {
    let body = openai(&json!({}));
    let texts = json!(["one", "zwei \"二\""]);
    let one = |text: &str| json!({"model": "models/m", "content": content(text)});
    assert_eq!(
        sent(OpenaiEmbeddings, GeminiBatchEmbedContents, &body).0,
        json!({"requests": [one("one"), one("zwei \"二\"")]})
    );
    assert_eq!(
        sent(OpenaiEmbeddings, CohereEmbed, &body).0,
        json!({"model": "m", "input_type": "search_document", "texts": texts, "embedding_types": ["float"],
            "truncate": "NONE"})
    );
    assert_eq!(
        sent(OpenaiEmbeddings, OllamaEmbed, &body).0,
        json!({"model": "m", "input": texts, "truncate": false})
    );
    let batch = json!({"requests": [
        {"model": "models/asked", "content": content("one")},
        {"model": "models/asked", "content": {"role": "user", "parts": [{"text": "zwei \"二\""}]}},
    ]});
    assert_eq!(
        sent(GeminiBatchEmbedContents, OpenaiEmbeddings, &batch),
        (json!({"model": "m", "input": texts}), String::new())
    );
    // What Google's clients do not say is left to the provider.
    assert_eq!(sent(GeminiBatchEmbedContents, OllamaEmbed, &batch).0, json!({"model": "m", "input": texts}));
    assert_eq!(
        sent(GeminiBatchEmbedContents, CohereEmbed, &batch).0,
        json!({"model": "m", "input_type": "search_document", "texts": texts, "embedding_types": ["float"]})
    );
}

#[test]
fn one_text_is_sent_wherever_it_stands() {
    let body = json!({"model": "asked", "input": "one"});
    let single = json!({"model": "models/m", "content": content("one")});
    assert_eq!(sent(OpenaiEmbeddings, GeminiEmbedContent, &body).0, single);
    assert_eq!(sent(OpenaiEmbeddings, GeminiBatchEmbedContents, &body).0, json!({"requests": [single]}));
    assert_eq!(sent(OpenaiEmbeddings, CohereEmbed, &body).0["texts"], json!(["one"]));
    let google = json!({"content": content("one")});
    assert_eq!(sent(GeminiEmbedContent, GeminiBatchEmbedContents, &google).0, json!({"requests": [single]}));
    assert_eq!(
        sent(GeminiEmbedContent, OpenaiEmbeddings, &google),
        (json!({"model": "m", "input": ["one"]}), String::new())
    );
    let batch = json!({"requests": [{"content": content("one")}]});
    assert_eq!(sent(GeminiBatchEmbedContents, GeminiEmbedContent, &batch).0, single);
}

#[test]
fn dimensions_and_tasks_are_said_in_the_words_of_the_target() {
    let body = openai(&json!({"dimensions": 256, "input_type": "search_query"}));
    let (google, losses) = sent(OpenaiEmbeddings, GeminiBatchEmbedContents, &body);
    assert_eq!(losses, "");
    for one in google["requests"].as_array().unwrap() {
        assert_eq!(
            (&one["outputDimensionality"], &one["taskType"]),
            (&json!(256), &json!("RETRIEVAL_QUERY"))
        );
    }
    let (cohere, losses) = sent(OpenaiEmbeddings, CohereEmbed, &body);
    assert_eq!((&cohere["output_dimension"], &cohere["input_type"]), (&json!(256), &json!("search_query")));
    assert_eq!(losses, "");
    let (ollama, losses) = sent(OpenaiEmbeddings, OllamaEmbed, &body);
    assert_eq!((&ollama["dimensions"], losses.as_str()), (&json!(256), "input_type"));
    for (word, task) in [
        ("query", "RETRIEVAL_QUERY"),
        ("document", "RETRIEVAL_DOCUMENT"),
        ("passage", "RETRIEVAL_DOCUMENT"),
        ("search_document", "RETRIEVAL_DOCUMENT"),
        ("classification", "CLASSIFICATION"),
        ("clustering", "CLUSTERING"),
    ] {
        let (google, losses) =
            sent(OpenaiEmbeddings, GeminiEmbedContent, &json!({"input": "x", "input_type": word}));
        assert_eq!((&google["taskType"], losses.as_str()), (&json!(task), ""), "{word}");
    }
    let (google, losses) =
        sent(OpenaiEmbeddings, GeminiEmbedContent, &json!({"input": "x", "input_type": "image"}));
    assert_eq!((google.get("taskType"), losses.as_str()), (None, "input_type"));
}

#[test]
fn what_a_google_client_asks_for_is_found_beside_the_content_and_in_its_config() {
    let beside = json!({"content": content("x"), "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 64});
    let snake = json!({"content": content("x"), "task_type": "RETRIEVAL_QUERY", "output_dimensionality": 64});
    let config = json!({"content": content("x"), "taskType": "CLUSTERING", "outputDimensionality": 9,
        "embedContentConfig": {"taskType": "RETRIEVAL_QUERY", "outputDimensionality": 64}});
    for body in [beside, snake, config] {
        let (cohere, losses) = sent(GeminiEmbedContent, CohereEmbed, &body);
        assert_eq!(
            (&cohere["input_type"], &cohere["output_dimension"]),
            (&json!("search_query"), &json!(64))
        );
        assert_eq!(losses, "");
        let (openai, losses) = sent(GeminiEmbedContent, OpenaiEmbeddings, &body);
        assert_eq!((&openai["dimensions"], losses.as_str()), (&json!(64), "taskType"));
    }
}

#[test]
fn a_task_that_cohere_has_no_word_for_is_the_nearest_one_and_named() {
    for (task, word, named) in [
        ("RETRIEVAL_DOCUMENT", "search_document", false),
        ("CLASSIFICATION", "classification", false),
        ("CLUSTERING", "clustering", false),
        ("TASK_TYPE_UNSPECIFIED", "search_document", false),
        ("SEMANTIC_SIMILARITY", "clustering", true),
        ("QUESTION_ANSWERING", "search_query", true),
        ("FACT_VERIFICATION", "search_query", true),
        ("CODE_RETRIEVAL_QUERY", "search_query", true),
        ("OF_TOMORROW", "search_document", true),
    ] {
        let body = json!({"content": content("x"), "taskType": task});
        let (cohere, losses) = sent(GeminiEmbedContent, CohereEmbed, &body);
        assert_eq!(
            (cohere["input_type"].as_str().unwrap(), losses.as_str()),
            (word, if named { "taskType" } else { "" })
        );
    }
}

#[test]
fn what_is_too_long_is_cut_or_refused_as_the_client_has_it() {
    let asked = |cut: bool| json!({"content": content("x"), "embedContentConfig": {"autoTruncate": cut}});
    for (cut, cohere, lost) in [(true, "END", "embedContentConfig.autoTruncate"), (false, "NONE", "")] {
        assert_eq!(sent(GeminiEmbedContent, CohereEmbed, &asked(cut)).0["truncate"], cohere);
        assert_eq!(sent(GeminiEmbedContent, OllamaEmbed, &asked(cut)).0["truncate"], cut);
        assert_eq!(sent(GeminiEmbedContent, OpenaiEmbeddings, &asked(cut)).1, lost);
        let (batch, losses) = sent(GeminiEmbedContent, GeminiBatchEmbedContents, &asked(cut));
        let config = &batch["requests"][0]["embedContentConfig"];
        assert_eq!((config, losses.as_str()), (&json!({"autoTruncate": cut}), ""));
    }
    // OpenAI's API refuses it by itself; Google's is not asked for what few of its models know.
    let google = sent(OpenaiEmbeddings, GeminiEmbedContent, &json!({"input": "x"})).0;
    assert_eq!(google.get("embedContentConfig"), None);
}

#[test]
fn what_a_target_has_no_word_for_is_named_in_the_client_s_words() {
    let body = openai(&json!({"user": "u", "mark": 1, "seed": null}));
    for target in [GeminiBatchEmbedContents, CohereEmbed, OllamaEmbed] {
        assert_eq!(sent(OpenaiEmbeddings, target, &body).1, "mark,user");
    }
    let one = json!({"content": content("x"), "title": "t", "taskType": "CLUSTERING",
        "embedContentConfig": {"documentOcr": true, "audioTrackExtraction": false}});
    assert_eq!(
        sent(GeminiEmbedContent, OllamaEmbed, &one).1,
        "embedContentConfig.documentOcr,title,taskType"
    );
    assert_eq!(
        sent(GeminiBatchEmbedContents, OllamaEmbed, &json!({"requests": [one], "mark": 1})).1,
        "mark,requests[].embedContentConfig.documentOcr,requests[].title,requests[].taskType"
    );
    let (batch, losses) =
        sent(GeminiEmbedContent, GeminiBatchEmbedContents, &json!({"content": content("x"), "title": "t"}));
    assert_eq!((&batch["requests"][0]["title"], losses.as_str()), (&json!("t"), ""));
}

#[test]
fn parts_of_one_input_stay_parts_or_become_lines() {
    let body = json!({"content": {"parts": [{"text": "a"}, {"text": "b \\"}]}});
    for (target, text) in [(OpenaiEmbeddings, "input"), (OllamaEmbed, "input")] {
        let (sent, losses) = sent(GeminiEmbedContent, target, &body);
        assert_eq!((&sent[text], losses.as_str()), (&json!(["a\nb \\"]), "content.parts"));
    }
    let (cohere, losses) = sent(GeminiEmbedContent, CohereEmbed, &body);
    let parts = json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b \\"}]);
    assert_eq!((&cohere["inputs"], losses.as_str()), (&json!([{"content": parts}]), ""));
    assert_eq!(cohere.get("texts"), None);
    let (batch, losses) = sent(GeminiEmbedContent, GeminiBatchEmbedContents, &body);
    assert_eq!((&batch["requests"][0]["content"], losses.as_str()), (&body["content"], ""));
}

#[test]
fn an_image_is_sent_to_who_embeds_images() {
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "-_8"}});
    let batch = json!({"requests": [{"content": {"parts": [image]}}, {"content": content("x")}]});
    let (cohere, losses) = sent(GeminiBatchEmbedContents, CohereEmbed, &batch);
    let url = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,+/8"}});
    assert_eq!(
        (&cohere["inputs"], losses.as_str()),
        (&json!([{"content": [url]}, {"content": [{"type": "text", "text": "x"}]}]), "")
    );
    for target in [OpenaiEmbeddings, OllamaEmbed] {
        let refused = request(pair(GeminiBatchEmbedContents, target), &batch).unwrap_err();
        assert_eq!(refused.path, "requests");
        assert!(refused.message.contains("image"), "{}", refused.message);
    }
}

#[test]
fn what_cannot_be_meant_is_refused_with_its_path() {
    let openai = |body: Value, path: &str, says: &str| {
        for target in TARGETS.into_iter().filter(|target| *target != OpenaiEmbeddings) {
            let refused = request(pair(OpenaiEmbeddings, target), &body).unwrap_err();
            assert_eq!(refused.path, path, "{body}");
            assert!(refused.message.contains(says), "{body}: {}", refused.message);
        }
    };
    openai(json!({}), "input", "missing");
    openai(json!({"input": null}), "input", "missing");
    openai(json!({"input": []}), "input", "empty");
    openai(json!({"input": 7}), "input", "text");
    openai(json!({"input": {"text": "x"}}), "input", "text");
    openai(json!({"input": ["x", 7]}), "input[1]", "text");
    openai(json!({"input": ["x", null]}), "input[1]", "text");
    openai(json!({"input": "x", "encoding_format": "int8"}), "encoding_format", "base64");
    openai(json!({"input": "x", "encoding_format": 1}), "encoding_format", "string");
    openai(json!({"input": "x", "dimensions": "64"}), "dimensions", "u64");
    openai(json!({"input": "x", "dimensions": -1}), "dimensions", "u64");
    openai(json!("input"), "", "object");
    for tokens in [json!([1, 2, 3]), json!([[1], [2]])] {
        for (target, path) in
            [(CohereEmbed, "input"), (OllamaEmbed, "input"), (GeminiBatchEmbedContents, "input")]
        {
            let refused = request(pair(OpenaiEmbeddings, target), &json!({"input": tokens})).unwrap_err();
            assert_eq!(refused.path, path);
            assert!(refused.message.contains("send the text"), "{}", refused.message);
        }
    }
    let several =
        request(pair(OpenaiEmbeddings, GeminiEmbedContent), &json!({"input": ["a", "b"]})).unwrap_err();
    assert_eq!(several.path, "input");

    let google = |body: Value, path: &str| {
        let refused = request(pair(GeminiBatchEmbedContents, CohereEmbed), &body).unwrap_err();
        assert_eq!(refused.path, path, "{body}: {}", refused.message);
    };
    google(json!({}), "requests");
    google(json!({"requests": []}), "requests");
    google(json!({"requests": {}}), "requests");
    google(json!({"requests": [{"content": content("x")}, {}]}), "requests[1].content");
    google(json!({"requests": [{"content": {}}]}), "requests[0].content.parts");
    google(json!({"requests": [{"content": {"parts": []}}]}), "requests[0].content.parts");
    google(json!({"requests": [{"content": {"parts": [{"text": 1}]}}]}), "requests[0].content.parts[0].text");
    let video = json!({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}});
    for part in
        [json!({}), video, json!({"fileData": {"fileUri": "x"}}), json!({"text": "x", "inlineData": {}})]
    {
        google(json!({"requests": [{"content": {"parts": [part]}}]}), "requests[0].content.parts[0]");
    }
    let one = json!({"content": content("x"), "taskType": "CLUSTERING"});
    let other = json!({"content": content("x"), "outputDimensionality": 2});
    google(json!({"requests": [one, one, other]}), "requests[2]");
    let refused = request(pair(GeminiEmbedContent, CohereEmbed), &json!({"requests": [one]})).unwrap_err();
    assert_eq!(refused.path, "content");
}

#[test]
fn bytes_that_are_no_json_are_refused_and_nothing_is_written() {
    for surface in SURFACES {
        for target in TARGETS.into_iter().filter(|target| *target != surface) {
            for body in [&b""[..], b"{", b"[]", b"{\"input\":\"\xff\"}", b"{\"input\":\"a\",\"input\":\"b\"}"]
            {
                let mut out = Vec::new();
                assert!(pair(surface, target).request(body, "m", &mut out).is_err());
                assert!(out.is_empty());
            }
        }
    }
}

#[test]
fn a_model_s_name_is_what_it_is_also_where_it_needs_escapes() {
    let mut out = Vec::new();
    let odd = "a\"b\\/é";
    pair(OpenaiEmbeddings, GeminiEmbedContent).request(br#"{"input":"x"}"#, odd, &mut out).unwrap();
    let sent: Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(sent["model"], format!("models/{odd}"));
    let body = renamed(br#"{"model":"models/g/m"}"#, odd);
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap()["model"], format!("models/{odd}"));
}
