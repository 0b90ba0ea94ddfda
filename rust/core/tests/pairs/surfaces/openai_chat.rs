//! Chat completions.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{ADDRESS, Feature, Surface, TEXT, feature, schema, with};
use crate::answers::fold_chat;
use crate::told::{Stop, Told};

pub(super) const SURFACE: Surface = Surface {
    dialect: Dialect::OpenaiChat,
    title: "chat completions",
    plain: base,
    features,
    harmless: &[("citations of an earlier turn", "no model reads them")],
    counts_cache_writes: true,
    tells: &["token", "page", "choice"],
    fold: fold_chat,
    told,
};

fn base() -> Value {
    messages(&json!([user("Hello")]))
}

fn messages(list: &Value) -> Value {
    json!({"model": "x", "messages": list})
}

fn user(content: impl Into<Value>) -> Value {
    json!({"role": "user", "content": content.into()})
}

/// A user's turn of these parts.
fn parts(list: &Value) -> Value {
    messages(&json!([user(list.clone())]))
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "mark_description", "parameters": schema()}})
}

fn tools(list: &Value) -> Value {
    with(base(), "tools", list.clone())
}

fn call(id: &str, arguments: &Value) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "mark_tool", "arguments": arguments}})
}

fn assistant(content: &Value, member: &str, value: Value) -> Value {
    with(json!({"role": "assistant", "content": content}), member, value)
}

/// A conversation in which the model called tools and was answered.
fn agent(assistant: &Value, results: &[Value]) -> Value {
    let mut list = vec![user("Hello"), assistant.clone()];
    list.extend_from_slice(results);
    with(messages(&list.into()), "tools", json!([tool("mark_tool")]))
}

fn result(id: &str, content: &Value) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": content})
}

/// The same part of a request with and without a marker for the prompt cache.
fn marked(name: &'static str, request: impl Fn(Value) -> Value) -> Feature {
    feature(name, request(Value::Null), request(json!({"type": "ephemeral", "ttl": "1h"})))
}

/// What can be asked for.
fn features() -> Vec<Feature> {
    let mut all = contents();
    all.extend(turns());
    all.extend(tools_and_calls());
    all.extend(parameters());
    all.extend(markers());
    all
}

fn contents() -> Vec<Feature> {
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let inline = || image("data:image/png;base64,mark_image");
    let mut detailed = inline();
    detailed["image_url"]["detail"] = "high".into();
    let hello = parts(&json!([text("Hello")]));
    let beside = |part: Value| parts(&json!([text("Hello"), part]));
    let file = |file: Value| beside(json!({"type": "file", "file": file}));
    let pdf = "data:application/pdf;base64,mark_pdf";
    vec![
        feature("text", base(), messages(&json!([user(TEXT)]))),
        feature("several texts", base(), parts(&json!([text("mark_one."), text("mark_two")]))),
        feature("image, base64", hello.clone(), beside(inline())),
        feature("image, by address", hello.clone(), beside(image(ADDRESS))),
        feature("detail of an image", beside(inline()), beside(detailed)),
        feature("document, base64", hello.clone(), file(json!({"file_data": pdf}))),
        feature(
            "title of a document",
            file(json!({"file_data": pdf})),
            file(json!({"file_data": pdf, "filename": "mark_title.pdf"})),
        ),
        feature("file by its id", hello.clone(), file(json!({"file_id": "mark_file"}))),
        feature(
            "audio",
            hello,
            beside(json!({"type": "input_audio", "input_audio": {"data": "mark_audio", "format": "wav"}})),
        ),
    ]
}

fn turns() -> Vec<Feature> {
    let said = |message: Value| messages(&json!([user("Hello"), message, user("Go on")]));
    let plain = said(assistant(&json!("Yes"), "role", json!("assistant")));
    let thinking = |block: Value| said(assistant(&json!("Yes"), "thinking_blocks", json!([block])));
    vec![
        feature(
            "system prompt",
            base(),
            messages(&json!([{"role": "system", "content": "mark_system"}, user("Hello")])),
        ),
        feature(
            "developer message",
            base(),
            messages(&json!([{"role": "developer", "content": "mark_developer"}, user("Hello")])),
        ),
        feature(
            "system message in mid-conversation",
            messages(&json!([user("Hello"), {"role": "assistant", "content": "Yes"}, user("Go on")])),
            messages(&json!([user("Hello"), {"role": "assistant", "content": "Yes"},
                {"role": "system", "content": "mark_middle"}, user("Go on")])),
        ),
        feature(
            "earlier turns",
            messages(&json!([user("mark_last")])),
            messages(
                &json!([user("mark_first"), {"role": "assistant", "content": "mark_said"}, user("mark_last")]),
            ),
        ),
        feature(
            "last turn of the assistant",
            base(),
            messages(&json!([user("Hello"), {"role": "assistant", "content": "mark_begun"}])),
        ),
        feature(
            "name of a speaker",
            base(),
            messages(&json!([with(user("Hello"), "name", json!("mark_name"))])),
        ),
        feature(
            "refusal of an earlier turn",
            plain.clone(),
            said(assistant(&Value::Null, "refusal", json!("mark_refusal"))),
        ),
        feature(
            "citations of an earlier turn",
            plain.clone(),
            said(assistant(
                &json!("Yes"),
                "annotations",
                json!([{"type": "url_citation", "url": "mark_cited"}]),
            )),
        ),
        feature(
            "reasoning of an earlier turn, unsigned",
            plain.clone(),
            said(assistant(&json!("Yes"), "reasoning_content", json!("mark_reasoning"))),
        ),
        feature(
            "reasoning of an earlier turn, signed by Anthropic",
            plain.clone(),
            thinking(json!({"type": "thinking", "thinking": "mark_thinking", "signature": "mark_signature"})),
        ),
        feature(
            "reasoning of an earlier turn, signed by OpenAI",
            plain.clone(),
            thinking(
                json!({"type": "thinking", "thinking": "mark_thinking", "signature": "openai:mark_item:mark_encrypted"}),
            ),
        ),
        feature(
            "reasoning of an earlier turn, signed by Google",
            plain.clone(),
            thinking(
                json!({"type": "thinking", "thinking": "mark_thinking", "signature": "google:mark_signature"}),
            ),
        ),
        feature(
            "reasoning of an earlier turn, redacted",
            plain,
            thinking(json!({"type": "redacted_thinking", "data": "mark_redacted"})),
        ),
    ]
}

fn tools_and_calls() -> Vec<Feature> {
    let one = || tools(&json!([tool("mark_tool")]));
    let two = || tools(&json!([tool("mark_tool_a"), tool("mark_tool_b")]));
    let choice = |value: Value| with(one(), "tool_choice", value);
    let bare = json!({"type": "function", "function": {"name": "mark_bare"}});
    let mut strict = tool("mark_tool");
    strict["function"]["strict"] = true.into();
    let arguments = json!(r#"{"mark_city":"mark_zurich 😀","n":1.50,"yes":true,"no":[false],"none":null}"#);
    let three = assistant(
        &json!("mark_plan"),
        "tool_calls",
        json!([
            call("mark_c1", &arguments),
            call("mark_c2", &json!("{}")),
            call("mark_c3", &json!(r#"{"mark_c":1}"#))
        ]),
    );
    let single = assistant(&Value::Null, "tool_calls", json!([call("c1", &json!("{}"))]));
    let answered = |content: Value| agent(&single, &[result("c1", &content)]);
    vec![
        feature("one tool", base(), one()),
        feature(
            "three tools",
            base(),
            tools(&json!([tool("mark_tool_a"), tool("mark_tool_b"), tool("mark_tool_c")])),
        ),
        feature("tool without arguments", base(), tools(&json!([bare]))),
        feature("strict tool", one(), tools(&json!([strict]))),
        feature(
            "tool of another kind",
            base(),
            tools(&json!([{"type": "custom", "custom": {"name": "mark_custom"}}])),
        ),
        feature("tool choice: auto", one(), choice(json!("auto"))),
        feature("tool choice: none", one(), choice(json!("none"))),
        feature("tool choice: some tool", one(), choice(json!("required"))),
        feature(
            "tool choice: this tool",
            one(),
            choice(json!({"type": "function", "function": {"name": "mark_tool"}})),
        ),
        feature(
            "tool choice: this tool of several",
            two(),
            with(two(), "tool_choice", json!({"type": "function", "function": {"name": "mark_tool_a"}})),
        ),
        feature(
            "reasoning beside a tool that must be called",
            choice(json!("required")),
            with(choice(json!("required")), "reasoning_effort", json!("high")),
        ),
        feature(
            "structured output beside tools",
            one(),
            with(
                one(),
                "response_format",
                json!({"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "mark_type"}}}),
            ),
        ),
        feature(
            "tool choice: one of these tools",
            choice(json!("required")),
            choice(json!({"type": "allowed_tools", "allowed_tools": {"mode": "required",
                "tools": [{"type": "function", "function": {"name": "mark_tool"}}]}})),
        ),
        feature("one call at a time", one(), with(one(), "parallel_tool_calls", json!(false))),
        feature(
            "tool call and its result",
            one(),
            agent(
                &assistant(&Value::Null, "tool_calls", json!([call("mark_c1", &arguments)])),
                &[result("mark_c1", &json!("mark_result"))],
            ),
        ),
        feature(
            "three calls and their results",
            one(),
            agent(
                &three,
                &[
                    result("mark_c1", &json!("mark_r1")),
                    result("mark_c2", &json!("mark_r2")),
                    result("mark_c3", &json!("mark_r3")),
                ],
            ),
        ),
        feature(
            "result of several texts",
            answered(json!("Fine")),
            answered(json!([text("mark_one."), text("mark_two")])),
        ),
    ]
}

fn parameters() -> Vec<Feature> {
    let set = |name, member: &str, value: Value| feature(name, base(), with(base(), member, value));
    let format = |kind: &str| json!({"type": kind});
    let mut structured = format("json_schema");
    structured["json_schema"] = json!({"name": "x", "strict": true, "schema": schema()});
    let mut described = structured.clone();
    described["json_schema"]["description"] = "mark_purpose".into();
    let warm = || with(base(), "temperature", json!(0.271));
    vec![
        set("bound on tokens", "max_completion_tokens", json!(4711)),
        set("bound below 16 tokens", "max_tokens", json!(7)),
        set("stop sequences", "stop", json!(["mark_a", "mark_b", "mark_c", "mark_d"])),
        set(
            "more than five stop sequences",
            "stop",
            json!(["mark_a", "mark_b", "mark_c", "mark_d", "mark_e", "mark_f"]),
        ),
        set("`temperature`", "temperature", json!(0.271)),
        set("`temperature` above 1", "temperature", json!(1.73)),
        set("`top_p`", "top_p", json!(0.31)),
        feature("`top_p` beside `temperature`", warm(), with(warm(), "top_p", json!(0.31))),
        set("`top_k`", "top_k", json!(31)),
        set("`frequency_penalty`", "frequency_penalty", json!(0.37)),
        set("`presence_penalty`", "presence_penalty", json!(0.41)),
        set("penalty below 0", "presence_penalty", json!(-0.41)),
        set("`seed`", "seed", json!(4711)),
        set("`logit_bias`", "logit_bias", json!({"4711": 17})),
        set("`logprobs`", "logprobs", json!(true)),
        set("`top_logprobs`", "top_logprobs", json!(7)),
        set("`n` above 1", "n", json!(17)),
        set("structured output: some JSON", "response_format", format("json_object")),
        set("structured output: a schema", "response_format", structured.clone()),
        feature(
            "description of a schema",
            with(base(), "response_format", structured),
            with(base(), "response_format", described),
        ),
        set("reasoning: off", "reasoning_effort", json!("none")),
        set("reasoning: effort `minimal`", "reasoning_effort", json!("minimal")),
        set("reasoning: effort `low`", "reasoning_effort", json!("low")),
        set("reasoning: effort `medium`", "reasoning_effort", json!("medium")),
        set("reasoning: effort `high`", "reasoning_effort", json!("high")),
        set("reasoning: effort `xhigh`", "reasoning_effort", json!("xhigh")),
        set("reasoning: effort `max`", "reasoning_effort", json!("max")),
        feature("reasoning beside `temperature`", warm(), with(warm(), "reasoning_effort", json!("high"))),
        set("end user", "user", json!("mark_user")),
        set("service tier: the provider's choice", "service_tier", json!("auto")),
        set("service tier: standard", "service_tier", json!("default")),
        set("service tier of another name", "service_tier", json!("flex")),
        set("`metadata`", "metadata", json!({"mark_key": "mark_value"})),
        set("`store`", "store", json!(true)),
        set("`verbosity`", "verbosity", json!("low")),
        set("web search", "web_search_options", json!({"search_context_size": "low"})),
        set("`prediction`", "prediction", json!({"type": "content", "content": "mark_prediction"})),
        set("hints for the prompt cache", "prompt_cache_key", json!("mark_key")),
        set("a stream", "stream", json!(true)),
    ]
}

fn markers() -> Vec<Feature> {
    let with_marker = |mut value: Value, marker: Value| {
        value["cache_control"] = marker;
        value
    };
    let part =
        |part: Value| move |marker: Value| parts(&json!([with_marker(part.clone(), marker), text("Hello")]));
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}});
    let file = json!({"type": "file", "file": {"file_data": "JVBERg=="}});
    vec![
        marked("cache marker on the whole request", |marker| with_marker(base(), marker)),
        marked("cache marker on a system prompt", |marker| {
            let part = with_marker(text("Be brief"), marker);
            messages(&json!([{"role": "system", "content": [part]}, user("Hello")]))
        }),
        marked("cache marker on a text", part(text("Once"))),
        marked("cache marker on an image", part(image)),
        marked("cache marker on a document", part(file)),
        marked("cache marker on a message", |marker| messages(&json!([with_marker(user("Hello"), marker)]))),
        marked("cache marker on a tool", |marker| tools(&json!([with_marker(tool("f"), marker)]))),
        marked("cache marker on a tool call", |marker| {
            let call = with_marker(call("c1", &json!("{}")), marker);
            agent(&assistant(&Value::Null, "tool_calls", json!([call])), &[result("c1", &json!("Fine"))])
        }),
        marked("cache marker on a tool result", |marker| {
            let call = call("c1", &json!("{}"));
            let result = with_marker(result("c1", &json!("Fine")), marker);
            agent(&assistant(&Value::Null, "tool_calls", json!([call])), &[result])
        }),
    ]
}

/// What a completion says.
fn told(reply: &Value) -> Told {
    let message = &reply["choices"][0]["message"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let blocks = list(&message["thinking_blocks"]);
    let of_kind = |kind: &str| blocks.iter().filter(|block| block["type"] == kind).collect::<Vec<_>>();
    let choices = list(&reply["choices"]);
    let further = choices.iter().skip(1);
    let pages = list(&message["annotations"]);
    let tokens = list(&reply["choices"][0]["logprobs"]["content"]);
    let usage = &reply["usage"];
    let count = |value: &Value| value.as_u64().unwrap_or_default();
    Told {
        text: text(&message["content"]) + &text(&message["refusal"]),
        thinking: of_kind("thinking").iter().map(|b| (text(&b["thinking"]), text(&b["signature"]))).collect(),
        redacted: of_kind("redacted_thinking").iter().map(|block| text(&block["data"])).collect(),
        calls: list(&message["tool_calls"])
            .iter()
            .map(|call| {
                let function = &call["function"];
                let arguments = serde_json::from_str(function["arguments"].as_str().unwrap()).unwrap();
                (text(&call["id"]), text(&function["name"]), arguments)
            })
            .collect(),
        stop: match reply["choices"][0]["finish_reason"].as_str().unwrap() {
            "stop" if message["refusal"].is_null() => Stop::End,
            "length" => Stop::Length,
            "tool_calls" => Stop::Tools,
            "stop" | "content_filter" => Stop::Refusal,
            other => panic!("a finish reason {other}"),
        },
        beside: tokens
            .iter()
            .map(|token| "token ".to_owned() + &text(&token["token"]))
            .chain(further.map(|choice| "choice ".to_owned() + &text(&choice["message"]["content"])))
            .chain(pages.iter().map(|page| "page ".to_owned() + &text(&page["url_citation"]["url"])))
            .collect(),
        input: count(&usage["prompt_tokens"]),
        cache_read: count(&usage["prompt_tokens_details"]["cached_tokens"]),
        cache_write: count(&usage["prompt_tokens_details"]["cache_write_tokens"]),
        output: count(&usage["completion_tokens"]),
        reasoning: count(&usage["completion_tokens_details"]["reasoning_tokens"]),
    }
}
