//! Google's `generateContent`.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{ADDRESS, Feature, Surface, TEXT, feature, schema, with};
use crate::gemini::{base64, fold};
use crate::told::{Stop, Told};

pub(super) const SURFACE: Surface = Surface {
    dialect: Dialect::Gemini,
    title: "`generateContent`",
    plain: base,
    features,
    harmless: &[
        ("ids of calls", "no content"),
        ("`labels`", "about the bill"),
        ("`store`", "about what Google keeps"),
        ("name of a file", "no content"),
        ("service tier: unspecified", "says nothing"),
    ],
    counts_cache_writes: false,
    tells: &["token", "page", "choice"],
    fold,
    told,
};

fn base() -> Value {
    contents(&json!([user("Hello")]))
}

fn contents(list: &Value) -> Value {
    json!({"contents": list})
}

fn text(text: &str) -> Value {
    json!({"text": text})
}

fn user(said: &str) -> Value {
    json!({"role": "user", "parts": [text(said)]})
}

fn model(parts: &Value) -> Value {
    json!({"role": "model", "parts": parts})
}

/// A user's content of these parts.
fn parts(list: &Value) -> Value {
    contents(&json!([{"role": "user", "parts": list}]))
}

fn inline(media_type: &str, data: &str) -> Value {
    json!({"inlineData": {"mimeType": media_type, "data": data}})
}

fn file(media_type: &str, address: &str) -> Value {
    json!({"fileData": {"mimeType": media_type, "fileUri": address}})
}

fn tool(name: &str) -> Value {
    json!({"name": name, "description": "mark_description", "parametersJsonSchema": schema()})
}

fn tools(declarations: &Value) -> Value {
    with(base(), "tools", json!([{"functionDeclarations": declarations}]))
}

fn call(id: &str, args: &Value) -> Value {
    json!({"functionCall": {"id": id, "name": "mark_tool", "args": args}})
}

fn result(id: &str, response: &Value) -> Value {
    json!({"functionResponse": {"id": id, "name": "mark_tool", "response": response}})
}

/// A conversation in which the model called tools and was answered.
fn agent(said: &Value, results: &Value) -> Value {
    let list = json!([user("Hello"), model(said), {"role": "user", "parts": results}]);
    with(contents(&list), "tools", json!([{"functionDeclarations": [tool("mark_tool")]}]))
}

/// The request of this configuration.
fn config(members: Value) -> Value {
    with(base(), "generationConfig", members)
}

fn features() -> Vec<Feature> {
    let mut all = of_contents();
    all.extend(turns());
    all.extend(tools_and_choices());
    all.extend(calls());
    all.extend(sampling());
    all.extend(parameters());
    all
}

fn of_contents() -> Vec<Feature> {
    let hello = || parts(&json!([text("Hello")]));
    let beside = |part: Value| parts(&json!([text("Hello"), part]));
    let pdf = inline("application/pdf", "mark_pdf");
    let mut named = file("image/png", ADDRESS);
    named["fileData"]["displayName"] = "a.png".into();
    let mut clip = inline("video/mp4", "mark_video");
    clip["videoMetadata"] = json!({"fps": 17});
    let bucket = file("image/png", "gs://mark_bucket/a.png");
    let kept = file("image/png", "https://generativelanguage.googleapis.com/v1beta/files/mark_file");
    vec![
        feature("text", base(), parts(&json!([text(TEXT)]))),
        feature("several texts", base(), parts(&json!([text("mark_one."), text("mark_two")]))),
        feature("image, base64", hello(), beside(inline("image/png", "mark_image"))),
        feature("image, by address", hello(), beside(file("image/png", ADDRESS))),
        feature("name of a file", beside(file("image/png", ADDRESS)), beside(named)),
        feature("document, base64", hello(), beside(pdf)),
        feature(
            "document, by address",
            hello(),
            beside(file("application/pdf", "https://example.com/mark_address.pdf")),
        ),
        feature("document of plain text", hello(), beside(inline("text/plain", &base64("plain")))),
        feature("file by its id", hello(), beside(kept)),
        feature("file in a bucket of Google's", hello(), beside(bucket)),
        feature("audio", hello(), beside(inline("audio/wav", "mark_audio"))),
        feature("video", hello(), beside(clip)),
        feature("cached content", base(), with(base(), "cachedContent", json!("cachedContents/mark_cached"))),
    ]
}

fn turns() -> Vec<Feature> {
    let said = |parts: &Value| contents(&json!([user("Hello"), model(parts), user("Go on")]));
    let plain = || said(&json!([text("Yes")]));
    let reasoned = |signature: Option<String>| {
        let mut yes = text("Yes");
        if let Some(signature) = signature {
            yes["thoughtSignature"] = signature.into();
        }
        said(&json!([{"text": "mark_thinking", "thought": true}, yes]))
    };
    let system = |list: &Value| with(base(), "systemInstruction", json!({"parts": list}));
    vec![
        feature("system prompt", base(), system(&json!([text("mark_system")]))),
        feature(
            "system prompt of several texts",
            base(),
            system(&json!([text("mark_one."), text("mark_two")])),
        ),
        feature(
            "earlier turns",
            contents(&json!([user("mark_last")])),
            contents(&json!([user("mark_first"), model(&json!([text("mark_said")])), user("mark_last")])),
        ),
        feature(
            "last turn of the assistant",
            base(),
            contents(&json!([user("Hello"), model(&json!([text("mark_begun")]))])),
        ),
        feature("reasoning of an earlier turn, unsigned", plain(), reasoned(None)),
        feature(
            "reasoning of an earlier turn, signed by Anthropic",
            plain(),
            reasoned(Some(base64("llm-edge:c2ln"))),
        ),
        feature(
            "reasoning of an earlier turn, signed by OpenAI",
            plain(),
            reasoned(Some(base64("llm-edge:openai:rs_1:c2ln"))),
        ),
        feature(
            "reasoning of an earlier turn, signed by Google",
            plain(),
            reasoned(Some("mark_signature".to_owned())),
        ),
        feature(
            "reasoning of an earlier turn, redacted",
            plain(),
            said(&json!([{"text": "Yes", "thoughtSignature": base64("llm-edge-redacted:ZGF0YQ==")}])),
        ),
        feature(
            "earlier call of a tool that the provider runs",
            plain(),
            said(&json!([
                {"executableCode": {"language": "PYTHON", "code": "mark_code"}},
                {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "mark_output"}},
                text("Yes")
            ])),
        ),
    ]
}

fn tools_and_choices() -> Vec<Feature> {
    let one = || tools(&json!([tool("mark_tool")]));
    let two = || tools(&json!([tool("mark_tool_a"), tool("mark_tool_b")]));
    let three = || tools(&json!([tool("mark_tool_a"), tool("mark_tool_b"), tool("mark_tool_c")]));
    let calling = |request: Value, calling: Value| {
        with(request, "toolConfig", json!({"functionCallingConfig": calling}))
    };
    let mode = |mode: &str| calling(one(), json!({"mode": mode}));
    let hosted = |name, members: Value| {
        let mut request = one();
        request["tools"].as_array_mut().unwrap().push(members);
        feature(name, one(), request)
    };
    let of_google = json!({"name": "mark_tool", "parameters": {"type": "OBJECT", "properties": {
        "mark_city": {"type": "STRING", "nullable": true, "description": "mark_open", "enum": ["mark_a"]}}}});
    vec![
        feature("one tool", base(), one()),
        feature("tool with a schema in Google's words", base(), tools(&json!([of_google]))),
        feature("three tools", base(), three()),
        feature("tool without arguments", base(), tools(&json!([{"name": "mark_bare"}]))),
        feature(
            "schema of a tool's result",
            one(),
            tools(&json!([with(tool("mark_tool"), "responseJsonSchema", json!({"title": "mark_result"}))])),
        ),
        hosted("web search", json!({"googleSearch": {}})),
        hosted("file search", json!({"fileSearch": {"fileSearchStoreNames": ["mark_store"]}})),
        hosted("code interpreter", json!({"codeExecution": {}})),
        hosted("content of addresses", json!({"urlContext": {}})),
        hosted("maps", json!({"googleMaps": {}})),
        feature("tool choice: auto", one(), mode("AUTO")),
        feature("tool choice: none", one(), mode("NONE")),
        feature("tool choice: some tool", one(), mode("ANY")),
        feature("tool choice: some tool or none, held to its schema", one(), mode("VALIDATED")),
        feature(
            "tool choice: this tool",
            one(),
            calling(one(), json!({"mode": "ANY", "allowedFunctionNames": ["mark_tool"]})),
        ),
        feature(
            "tool choice: this tool of several",
            two(),
            calling(two(), json!({"mode": "ANY", "allowedFunctionNames": ["mark_tool_a"]})),
        ),
        feature(
            "tool choice: one of these tools",
            calling(three(), json!({"mode": "ANY"})),
            calling(three(), json!({"mode": "ANY", "allowedFunctionNames": ["mark_tool_a", "mark_tool_b"]})),
        ),
        feature(
            "where the user is",
            one(),
            with(one(), "toolConfig", json!({"retrievalConfig": {"languageCode": "mark_language"}})),
        ),
        feature(
            "reasoning beside a tool that must be called",
            mode("ANY"),
            with(mode("ANY"), "generationConfig", json!({"thinkingConfig": {"thinkingLevel": "HIGH"}})),
        ),
        feature(
            "structured output beside tools",
            one(),
            with(
                one(),
                "generationConfig",
                json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "mark_type"}}),
            ),
        ),
    ]
}

fn calls() -> Vec<Feature> {
    let one = || tools(&json!([tool("mark_tool")]));
    let args = json!({"mark_city": "mark_zurich 😀", "n": 1.50, "yes": true, "no": [false], "none": null});
    let answered = |result: Value| agent(&json!([call("c1", &json!({}))]), &json!([result]));
    let fine = || result("c1", &json!({"result": "Fine"}));
    let without_ids = |of: Value| {
        let mut request = of;
        for content in request["contents"].as_array_mut().unwrap() {
            for part in content["parts"].as_array_mut().unwrap() {
                for member in ["functionCall", "functionResponse"] {
                    if let Some(call) = part.get_mut(member) {
                        call.as_object_mut().unwrap().remove("id");
                    }
                }
            }
        }
        request
    };
    let three = || {
        agent(
            &json!([
                text("mark_plan"),
                call("mark_c1", &args),
                call("mark_c2", &json!({})),
                call("mark_c3", &json!({"mark_c": 1}))
            ]),
            &json!([
                result("mark_c1", &json!({"result": "mark_r1"})),
                result("mark_c2", &json!({"output": "mark_r2"})),
                result("mark_c3", &json!({"result": "mark_r3"}))
            ]),
        )
    };
    let mut pictured = fine();
    pictured["functionResponse"]["parts"] = json!([inline("image/png", "mark_image")]);
    let mut more = fine();
    more["functionResponse"]["willContinue"] = true.into();
    let of_name =
        |id: &str| agent(&json!([call(id, &args)]), &json!([result(id, &json!({"result": "mark_result"}))]));
    vec![
        feature("tool call and its result", one(), of_name("c1")),
        feature("three calls and their results", one(), without_ids(three())),
        feature("calls without ids", one(), without_ids(of_name("c1"))),
        feature(
            "text behind a call",
            one(),
            agent(
                &json!([text("mark_before."), call("c1", &args), text("mark_behind")]),
                &json!([result("c1", &json!({"result": "mark_result"}))]),
            ),
        ),
        feature(
            "result that is an object",
            answered(fine()),
            answered(result("c1", &json!({"mark_key": "mark_value", "mark_list": [4711]}))),
        ),
        feature("failed result", answered(fine()), answered(result("c1", &json!({"error": "mark_failed"})))),
        feature("image in a result", answered(fine()), answered(pictured)),
        feature("result of which more is to come", answered(fine()), answered(more)),
    ]
}

fn sampling() -> Vec<Feature> {
    let set =
        |name, member: &str, value: Value| feature(name, base(), config(with(json!({}), member, value)));
    let warm = |more: Value| {
        let mut members = json!({"temperature": 0.271});
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config(members)
    };
    vec![
        set("bound on tokens", "maxOutputTokens", json!(4711)),
        set("stop sequences", "stopSequences", json!(["mark_a", "mark_b", "mark_c", "mark_d"])),
        set("`temperature`", "temperature", json!(0.271)),
        set("`temperature` above 1", "temperature", json!(1.73)),
        set("`top_p`", "topP", json!(0.31)),
        feature("`top_p` beside `temperature`", warm(json!({})), warm(json!({"topP": 0.31}))),
        set("`top_k`", "topK", json!(31)),
        set("`frequency_penalty`", "frequencyPenalty", json!(0.37)),
        set("`presence_penalty`", "presencePenalty", json!(0.41)),
        set("penalty below 0", "presencePenalty", json!(-0.41)),
        set("`seed`", "seed", json!(4711)),
        set("`logprobs`", "responseLogprobs", json!(true)),
        feature(
            "`top_logprobs`",
            config(json!({"responseLogprobs": true})),
            config(json!({"responseLogprobs": true, "logprobs": 7})),
        ),
        set("`n` above 1", "candidateCount", json!(17)),
        feature(
            "reasoning beside `temperature`",
            warm(json!({})),
            warm(json!({"thinkingConfig": {"thinkingLevel": "HIGH"}})),
        ),
    ]
}

fn parameters() -> Vec<Feature> {
    let top = |name, member: &str, value: Value| feature(name, base(), with(base(), member, value));
    let set =
        |name, member: &str, value: Value| feature(name, base(), config(with(json!({}), member, value)));
    let thinking = |name, members: Value| set(name, "thinkingConfig", members);
    let level = |name, level: &str| set(name, "thinkingConfig", json!({"thinkingLevel": level}));
    let json_format = |more: Value| {
        let mut members = json!({"responseMimeType": "application/json"});
        members.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        config(members)
    };
    let of_google = json!({"type": "OBJECT", "required": ["mark_city"],
        "properties": {"mark_city": {"type": "STRING", "description": "mark_open"}}});
    vec![
        set("structured output: some JSON", "responseMimeType", json!("application/json")),
        feature("structured output: a schema", base(), json_format(json!({"responseJsonSchema": schema()}))),
        feature(
            "structured output: a schema in Google's words",
            base(),
            json_format(json!({"responseSchema": of_google})),
        ),
        feature(
            "structured output: one word of a list",
            base(),
            config(
                json!({"responseMimeType": "text/x.enum", "responseSchema": {"type": "STRING", "enum": ["mark_a"]}}),
            ),
        ),
        thinking("reasoning: off", json!({"thinkingBudget": 0})),
        thinking("reasoning: as the model sees fit", json!({"thinkingBudget": -1})),
        thinking("reasoning: a budget of tokens", json!({"thinkingBudget": 4711})),
        level("reasoning: effort `minimal`", "MINIMAL"),
        level("reasoning: effort `low`", "LOW"),
        level("reasoning: effort `medium`", "MEDIUM"),
        level("reasoning: effort `high`", "HIGH"),
        thinking("reasoning: whether it is told", json!({"includeThoughts": true})),
        set("images in the answer", "responseModalities", json!(["TEXT", "IMAGE"])),
        set("a voice", "speechConfig", json!({"languageCode": "mark_language"})),
        set("detail of images", "mediaResolution", json!("MEDIA_RESOLUTION_LOW")),
        top(
            "bounds on what is harmful",
            "safetySettings",
            json!([{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "mark_threshold"}]),
        ),
        top("service tier: standard", "serviceTier", json!("standard")),
        top("service tier: unspecified", "serviceTier", json!("unspecified")),
        top("service tier of another name", "serviceTier", json!("flex")),
        top("`store`", "store", json!(true)),
        top("`labels`", "labels", json!({"team": "a"})),
    ]
}

/// What a reply says. A signature stands on the part behind its reasoning.
fn told(reply: &Value) -> Told {
    let candidate = &reply["candidates"][0];
    let mut told = Told {
        text: String::new(),
        thinking: Vec::new(),
        redacted: Vec::new(),
        calls: Vec::new(),
        stop: Stop::End,
        beside: Vec::new(),
        input: 0,
        cache_read: 0,
        cache_write: 0,
        output: 0,
        reasoning: 0,
    };
    let mut thought = String::new();
    for part in candidate["content"]["parts"].as_array().unwrap() {
        if part["thought"] == true {
            thought += part["text"].as_str().unwrap();
            continue;
        }
        let signature = part["thoughtSignature"].as_str().map(unwrapped);
        match signature {
            Some(Signature::Thinking(sealed)) => told.thinking.push((std::mem::take(&mut thought), sealed)),
            Some(Signature::Redacted(data)) => told.redacted.push(data),
            None => {}
        }
        if !thought.is_empty() {
            told.thinking.push((std::mem::take(&mut thought), String::new()));
        }
        told.text += part["text"].as_str().unwrap_or_default();
        if let Some(call) = part.get("functionCall") {
            let text = |member: &str| call[member].as_str().unwrap().to_owned();
            told.calls.push((text("id"), text("name"), call["args"].clone()));
        }
    }
    if !thought.is_empty() {
        told.thinking.push((thought, String::new()));
    }
    told.stop = match candidate["finishReason"].as_str().unwrap() {
        "STOP" if told.calls.is_empty() => Stop::End,
        "STOP" => Stop::Tools,
        "MAX_TOKENS" => Stop::Length,
        "SAFETY" => Stop::Refusal,
        other => panic!("a finish reason {other}"),
    };
    let tokens = candidate["logprobsResult"]["chosenCandidates"].as_array().into_iter().flatten();
    told.beside = tokens.map(|token| "token ".to_owned() + token["token"].as_str().unwrap()).collect();
    let pages = candidate["groundingMetadata"]["groundingChunks"].as_array().into_iter().flatten();
    told.beside.extend(pages.map(|page| "page ".to_owned() + page["web"]["uri"].as_str().unwrap()));
    let further = reply["candidates"].as_array().unwrap().iter().skip(1);
    let text = |candidate: &Value| candidate["content"]["parts"][0]["text"].as_str().unwrap().to_owned();
    told.beside.extend(further.map(|candidate| "choice ".to_owned() + &text(candidate)));
    let usage = &reply["usageMetadata"];
    let count = |member: &str| usage[member].as_u64().unwrap_or_default();
    told.input = count("promptTokenCount");
    told.cache_read = count("cachedContentTokenCount");
    told.reasoning = count("thoughtsTokenCount");
    told.output = count("candidatesTokenCount") + told.reasoning;
    assert_eq!(count("totalTokenCount"), told.input + told.output);
    told
}

/// What a signature stands for.
enum Signature {
    Thinking(String),
    Redacted(String),
}

fn unwrapped(signature: &str) -> Signature {
    let inside = String::from_utf8(decoded(signature)).unwrap_or_default();
    if let Some(sealed) = inside.strip_prefix("llm-edge:") {
        Signature::Thinking(sealed.to_owned())
    } else if let Some(data) = inside.strip_prefix("llm-edge-redacted:") {
        Signature::Redacted(data.to_owned())
    } else {
        Signature::Thinking(format!("google:{signature}"))
    }
}

/// RFC 4648 §4, read letter by letter.
fn decoded(text: &str) -> Vec<u8> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sextets = text.chars().filter_map(|letter| ALPHABET.find(letter));
    let bits: Vec<char> = sextets.flat_map(|six| format!("{six:06b}").chars().collect::<Vec<_>>()).collect();
    let bytes = bits.chunks_exact(8).map(|byte| byte.iter().collect::<String>());
    bytes.map(|byte| u8::from_str_radix(&byte, 2).unwrap()).collect()
}
