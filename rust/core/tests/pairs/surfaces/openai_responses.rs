//! `OpenAI` responses.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{ADDRESS, Feature, Surface, TEXT, feature, schema, with};
use crate::answers::fold_responses;
use crate::told::{Stop, Told};

pub(super) const SURFACE: Surface = Surface {
    dialect: Dialect::OpenaiResponses,
    title: "responses",
    plain: base,
    features,
    harmless: &[
        ("citations of an earlier turn", "no model reads them"),
        ("padding of a stream", "no content"),
        ("ids and states of earlier items", "no content"),
        ("reasoning in a form that can be sent back", "always told so"),
        ("nothing kept by the provider", "nothing is asked to be kept"),
    ],
    counts_cache_writes: true,
    tells: &["token", "page"],
    fold: fold_responses,
    told,
};

fn base() -> Value {
    input(&json!([user("Hello")]))
}

fn input(items: &Value) -> Value {
    json!({"model": "x", "input": items})
}

fn message(role: &str, content: impl Into<Value>) -> Value {
    json!({"type": "message", "role": role, "content": content.into()})
}

fn user(content: impl Into<Value>) -> Value {
    message("user", content)
}

fn assistant(text: &str) -> Value {
    message("assistant", json!([{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]))
}

/// A user's message of these parts.
fn parts(list: &Value) -> Value {
    input(&json!([user(list.clone())]))
}

fn text(text: &str) -> Value {
    json!({"type": "input_text", "text": text})
}

fn image(url: &str) -> Value {
    json!({"type": "input_image", "image_url": url})
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "name": name, "description": "mark_description", "parameters": schema(), "strict": false})
}

fn tools(list: &Value) -> Value {
    with(base(), "tools", list.clone())
}

fn call(id: &str, arguments: &str) -> Value {
    json!({"type": "function_call", "call_id": id, "name": "mark_tool", "arguments": arguments})
}

fn result(id: &str, output: impl Into<Value>) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": output.into()})
}

/// A conversation in which these items follow what the user said.
fn agent(items: &[Value]) -> Value {
    let mut list = vec![user("Hello")];
    list.extend_from_slice(items);
    with(input(&list.into()), "tools", json!([tool("mark_tool")]))
}

/// What can be asked for.
fn features() -> Vec<Feature> {
    let mut all = contents();
    all.extend(turns());
    all.extend(reasoned());
    all.extend(provider_state());
    all.extend(offers());
    all.extend(calls());
    all.extend(parameters());
    all.extend(markers());
    all
}

fn contents() -> Vec<Feature> {
    let hello = || parts(&json!([text("Hello")]));
    let beside = |part: Value| parts(&json!([text("Hello"), part]));
    let file = |member: &str, value: &str| beside(json!({"type": "input_file", member: value}));
    let inline = || image("data:image/png;base64,mark_image");
    let pdf = "data:application/pdf;base64,mark_pdf";
    let titled =
        with(file("file_data", pdf)["input"][0]["content"][1].take(), "filename", json!("mark_title.pdf"));
    vec![
        feature("text", base(), input(&json!([user(TEXT)]))),
        feature("the whole input as one text", input(&json!("Hello")), input(&json!("mark_text"))),
        feature("several texts", base(), parts(&json!([text("mark_one."), text("mark_two")]))),
        feature("image, base64", hello(), beside(inline())),
        feature("image, by address", hello(), beside(image(ADDRESS))),
        feature("detail of an image", beside(inline()), beside(with(inline(), "detail", json!("high")))),
        feature("image by its id", hello(), beside(json!({"type": "input_image", "file_id": "mark_file"}))),
        feature("document, base64", hello(), file("file_data", pdf)),
        feature("title of a document", file("file_data", pdf), beside(titled)),
        feature("document, by address", hello(), file("file_url", "https://example.com/mark_address.pdf")),
        feature("document that is no PDF", hello(), file("file_data", "data:text/csv;base64,mark_csv")),
        feature("file by its id", hello(), file("file_id", "mark_file")),
    ]
}

/// A conversation in which the model said this.
fn said(items: &[Value]) -> Value {
    let mut list = vec![user("Hello")];
    list.extend_from_slice(items);
    list.push(user("Go on"));
    input(&list.into())
}

fn yes() -> Value {
    assistant("Yes")
}

fn turns() -> Vec<Feature> {
    let plain = || said(&[yes()]);
    let known = with(with(yes(), "id", json!("msg_1")), "status", json!("completed"));
    vec![
        feature("system prompt", base(), with(base(), "instructions", json!("mark_system"))),
        feature(
            "developer message",
            base(),
            input(&json!([message("developer", "mark_developer"), user("Hello")])),
        ),
        feature(
            "system message in mid-conversation",
            plain(),
            said(&[yes(), message("system", "mark_middle")]),
        ),
        feature(
            "earlier turns",
            input(&json!([user("mark_last")])),
            input(&json!([user("mark_first"), assistant("mark_said"), user("mark_last")])),
        ),
        feature(
            "last turn of the assistant",
            base(),
            input(&json!([user("Hello"), assistant("mark_begun")])),
        ),
        feature("ids and states of earlier items", plain(), said(&[known])),
        feature("phase of a message", plain(), said(&[with(yes(), "phase", json!("commentary"))])),
        feature(
            "refusal of an earlier turn",
            plain(),
            said(&[message("assistant", json!([{"type": "refusal", "refusal": "mark_refusal"}]))]),
        ),
        feature(
            "citations of an earlier turn",
            plain(),
            said(&[message(
                "assistant",
                json!([{"type": "output_text", "text": "Yes", "annotations": [{"type": "url_citation", "url": "mark_cited"}]}]),
            )]),
        ),
        feature(
            "earlier call of a tool that the provider runs",
            plain(),
            said(&[
                json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"query": "mark_query"}}),
                yes(),
            ]),
        ),
        feature(
            "earlier call of a tool of another kind",
            plain(),
            said(&[
                json!({"type": "custom_tool_call", "call_id": "c1", "name": "mark_custom", "input": "mark_input"}),
                json!({"type": "custom_tool_call_output", "call_id": "c1", "output": "mark_output"}),
                yes(),
            ]),
        ),
        feature(
            "earlier turns as the provider compressed them",
            plain(),
            said(&[json!({"type": "compaction", "encrypted_content": "mark_compacted"}), yes()]),
        ),
    ]
}

fn reasoned() -> Vec<Feature> {
    let plain = || said(&[yes()]);
    let reasoning = |members: Value| {
        let mut item = json!({"type": "reasoning", "id": "rs_1", "summary": []});
        item.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        said(&[item, yes()])
    };
    let summary = |text: &str| json!([{"type": "summary_text", "text": text}]);
    vec![
        feature(
            "reasoning of an earlier turn, unsigned",
            plain(),
            reasoning(json!({"summary": summary("mark_reasoning")})),
        ),
        feature(
            "reasoning of an earlier turn, signed by Anthropic",
            plain(),
            reasoning(
                json!({"summary": summary("mark_thinking"), "encrypted_content": "signature:mark_signature"}),
            ),
        ),
        feature(
            "reasoning of an earlier turn, signed by OpenAI",
            plain(),
            reasoning(
                json!({"id": "mark_item", "summary": summary("mark_thinking"), "encrypted_content": "mark_encrypted"}),
            ),
        ),
        feature(
            "reasoning of an earlier turn, signed by Google",
            plain(),
            reasoning(
                json!({"summary": summary("mark_thinking"), "encrypted_content": "signature:google:mark_signature"}),
            ),
        ),
        feature(
            "reasoning of an earlier turn, redacted",
            plain(),
            reasoning(json!({"encrypted_content": "redacted:mark_redacted"})),
        ),
    ]
}

/// What leans on something that the provider keeps.
fn provider_state() -> Vec<Feature> {
    let set = |name, member: &str, value: Value| feature(name, base(), with(base(), member, value));
    vec![
        set("answer to an earlier response", "previous_response_id", json!("mark_response")),
        set("conversation by its id", "conversation", json!({"id": "mark_conversation"})),
        set("prompt template", "prompt", json!({"id": "mark_prompt"})),
        set("answer in the background", "background", json!(true)),
        feature(
            "item by its id",
            base(),
            input(&json!([user("Hello"), {"type": "item_reference", "id": "mark_item"}])),
        ),
    ]
}

fn one_tool() -> Value {
    tools(&json!([tool("mark_tool")]))
}

fn offers() -> Vec<Feature> {
    let one = one_tool;
    let two = || tools(&json!([tool("mark_tool_a"), tool("mark_tool_b")]));
    let choice = |value: Value| with(one(), "tool_choice", value);
    let hosted = |name, members: Value| feature(name, one(), tools(&json!([tool("mark_tool"), members])));
    vec![
        feature("one tool", base(), one()),
        feature(
            "three tools",
            base(),
            tools(&json!([tool("mark_tool_a"), tool("mark_tool_b"), tool("mark_tool_c")])),
        ),
        feature(
            "tool without arguments",
            base(),
            tools(&json!([{"type": "function", "name": "mark_bare", "parameters": null, "strict": null}])),
        ),
        feature("strict tool", one(), tools(&json!([with(tool("mark_tool"), "strict", json!(true))]))),
        hosted(
            "tool of another kind",
            json!({"type": "custom", "name": "mark_custom", "description": "mark_free"}),
        ),
        hosted("web search", json!({"type": "web_search", "search_context_size": "mark_low"})),
        hosted("file search", json!({"type": "file_search", "vector_store_ids": ["mark_store"]})),
        hosted("code interpreter", json!({"type": "code_interpreter", "container": {"type": "mark_auto"}})),
        hosted(
            "tools of an MCP server",
            json!({"type": "mcp", "server_label": "mark_label", "server_url": "mark_url"}),
        ),
        feature("tool choice: auto", one(), choice(json!("auto"))),
        feature("tool choice: none", one(), choice(json!("none"))),
        feature("tool choice: some tool", one(), choice(json!("required"))),
        feature("tool choice: this tool", one(), choice(json!({"type": "function", "name": "mark_tool"}))),
        feature(
            "tool choice: this tool of several",
            two(),
            with(two(), "tool_choice", json!({"type": "function", "name": "mark_tool_a"})),
        ),
        feature(
            "reasoning beside a tool that must be called",
            choice(json!("required")),
            with(choice(json!("required")), "reasoning", json!({"effort": "high"})),
        ),
        feature(
            "structured output beside tools",
            one(),
            with(
                one(),
                "text",
                json!({"format": {"type": "json_schema", "name": "x", "schema": {"type": "mark_type"}}}),
            ),
        ),
        feature(
            "tool choice: one of these tools",
            choice(json!("required")),
            choice(json!({"type": "allowed_tools", "mode": "required",
                "tools": [{"type": "function", "name": "mark_tool"}]})),
        ),
        feature("tool choice: a tool that the provider runs", one(), choice(json!({"type": "web_search"}))),
        feature("one call at a time", one(), with(one(), "parallel_tool_calls", json!(false))),
        feature("bound on calls of tools", one(), with(one(), "max_tool_calls", json!(17))),
    ]
}

fn calls() -> Vec<Feature> {
    let one = one_tool;
    let arguments = r#"{"mark_city":"mark_zurich 😀","n":1.50,"yes":true,"no":[false],"none":null}"#;
    let answered = |output: Value| agent(&[call("c1", "{}"), result("c1", output)]);
    vec![
        feature(
            "tool call and its result",
            one(),
            agent(&[call("mark_c1", arguments), result("mark_c1", "mark_result")]),
        ),
        feature(
            "three calls and their results",
            one(),
            agent(&[
                assistant("mark_plan"),
                call("mark_c1", arguments),
                call("mark_c2", "{}"),
                call("mark_c3", r#"{"mark_c":1}"#),
                result("mark_c1", "mark_r1"),
                result("mark_c2", "mark_r2"),
                result("mark_c3", "mark_r3"),
            ]),
        ),
        feature(
            "text behind a call",
            one(),
            agent(&[
                assistant("mark_before."),
                call("c1", arguments),
                assistant("mark_behind"),
                result("c1", "mark_result"),
            ]),
        ),
        feature(
            "result of several texts",
            answered(json!("Fine")),
            answered(json!([text("mark_one."), text("mark_two")])),
        ),
        feature(
            "image in a result",
            answered(json!([text("Fine")])),
            answered(json!([text("Fine"), image("data:image/png;base64,mark_image")])),
        ),
    ]
}

fn parameters() -> Vec<Feature> {
    let set = |name, member: &str, value: Value| feature(name, base(), with(base(), member, value));
    let effort = |name, word: &str| set(name, "reasoning", json!({"effort": word}));
    let warm = || with(base(), "temperature", json!(0.271));
    let format = |members: Value| {
        let mut format = json!({"type": "json_schema", "name": "x", "strict": true, "schema": schema()});
        format.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        with(base(), "text", json!({"format": format}))
    };
    vec![
        set("bound on tokens", "max_output_tokens", json!(4711)),
        set("bound below 16 tokens", "max_output_tokens", json!(7)),
        set("`temperature`", "temperature", json!(0.271)),
        set("`temperature` above 1", "temperature", json!(1.73)),
        set("`top_p`", "top_p", json!(0.31)),
        feature("`top_p` beside `temperature`", warm(), with(warm(), "top_p", json!(0.31))),
        set("`logprobs`", "include", json!(["message.output_text.logprobs"])),
        set("`top_logprobs`", "top_logprobs", json!(7)),
        set("structured output: some JSON", "text", json!({"format": {"type": "json_object"}})),
        feature("structured output: a schema", base(), format(json!({}))),
        feature("description of a schema", format(json!({})), format(json!({"description": "mark_purpose"}))),
        effort("reasoning: off", "none"),
        set("reasoning: as the model sees fit", "reasoning", json!({"summary": "auto"})),
        effort("reasoning: effort `minimal`", "minimal"),
        effort("reasoning: effort `low`", "low"),
        effort("reasoning: effort `medium`", "medium"),
        effort("reasoning: effort `high`", "high"),
        effort("reasoning: effort `xhigh`", "xhigh"),
        effort("reasoning: effort `max`", "max"),
        feature(
            "reasoning: how long its summary is",
            with(base(), "reasoning", json!({"effort": "low"})),
            with(base(), "reasoning", json!({"effort": "low", "summary": "detailed"})),
        ),
        set("reasoning in a form that can be sent back", "include", json!(["reasoning.encrypted_content"])),
        set("further parts of the answer", "include", json!(["file_search_call.results"])),
        feature(
            "reasoning beside `temperature`",
            warm(),
            with(warm(), "reasoning", json!({"effort": "high"})),
        ),
        set("end user", "user", json!("mark_user")),
        set("service tier: the provider's choice", "service_tier", json!("auto")),
        set("service tier: standard", "service_tier", json!("default")),
        set("service tier of another name", "service_tier", json!("flex")),
        set("`metadata`", "metadata", json!({"mark_key": "mark_value"})),
        set("`store`", "store", json!(true)),
        set("nothing kept by the provider", "store", json!(false)),
        set("`verbosity`", "text", json!({"verbosity": "low"})),
        set("input cut where it is too long", "truncation", json!("auto")),
        set(
            "earlier turns compressed by the provider",
            "context_management",
            json!([{"type": "compaction"}]),
        ),
        set("`moderation`", "moderation", json!({"model": "mark_moderation"})),
        set("hints for the prompt cache", "prompt_cache_key", json!("mark_key")),
        set("a stream", "stream", json!(true)),
        feature(
            "padding of a stream",
            with(base(), "stream", json!(true)),
            with(with(base(), "stream", json!(true)), "stream_options", json!({"include_obfuscation": true})),
        ),
    ]
}

fn markers() -> Vec<Feature> {
    let on = |name, part: Value, request: &dyn Fn(Value) -> Value| {
        let marked = with(part.clone(), "prompt_cache_breakpoint", json!({"mode": "explicit"}));
        feature(name, request(part), request(marked))
    };
    let first = |part: Value| parts(&json!([part, text("Hello")]));
    let pdf = json!({"type": "input_file", "file_data": "data:application/pdf;base64,JVBERg=="});
    vec![
        on("cache marker on a system prompt", text("Be brief"), &|part| {
            input(&json!([message("developer", json!([part])), user("Hello")]))
        }),
        on("cache marker on a text", text("Once"), &first),
        on("cache marker on an image", image("data:image/png;base64,aGk="), &first),
        on("cache marker on a document", pdf, &first),
        on("cache marker on a tool result", text("Fine"), &|part| {
            agent(&[call("c1", "{}"), result("c1", json!([part]))])
        }),
    ]
}

/// What a response says.
fn told(reply: &Value) -> Told {
    let items = reply["output"].as_array().unwrap();
    let of_kind = |kind: &str| items.iter().filter(|item| item["type"] == kind).collect::<Vec<_>>();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let joined = |parts: &Value| -> String {
        let told = |part: &Value| text(&part["text"]) + &text(&part["refusal"]);
        parts.as_array().unwrap().iter().map(told).collect()
    };
    let (mut thinking, mut redacted) = (Vec::new(), Vec::new());
    for item in of_kind("reasoning") {
        let encrypted = text(&item["encrypted_content"]);
        if let Some(data) = encrypted.strip_prefix("redacted:") {
            redacted.push(data.to_owned());
        } else {
            let signature = encrypted.strip_prefix("signature:").unwrap_or_default();
            thinking.push((joined(&item["summary"]), signature.to_owned()));
        }
    }
    let calls = of_kind("function_call").into_iter().map(|item| {
        let arguments = serde_json::from_str(item["arguments"].as_str().unwrap()).unwrap();
        (text(&item["call_id"]), text(&item["name"]), arguments)
    });
    let calls: Vec<_> = calls.collect();
    let said = of_kind("message");
    let refused = said.iter().any(|item| item["content"][0]["type"] == "refusal");
    let parts = said.iter().flat_map(|item| item["content"].as_array().unwrap());
    let pages = parts.clone().flat_map(|part| part["annotations"].as_array().into_iter().flatten());
    let tokens = parts.flat_map(|part| part["logprobs"].as_array().into_iter().flatten());
    let usage = &reply["usage"];
    let count = |value: &Value| value.as_u64().unwrap();
    Told {
        text: of_kind("message").iter().map(|item| joined(&item["content"])).collect(),
        thinking,
        redacted,
        stop: match (reply["status"].as_str().unwrap(), &reply["incomplete_details"]["reason"]) {
            ("completed", Value::Null) if refused => Stop::Refusal,
            ("completed", Value::Null) if calls.is_empty() => Stop::End,
            ("completed", Value::Null) => Stop::Tools,
            ("incomplete", reason) if reason == "max_output_tokens" => Stop::Length,
            ("incomplete", reason) if reason == "content_filter" => Stop::Refusal,
            other => panic!("a response that is {other:?}"),
        },
        calls,
        beside: tokens
            .map(|token| "token ".to_owned() + &text(&token["token"]))
            .chain(pages.map(|page| "page ".to_owned() + &text(&page["url"])))
            .collect(),
        input: count(&usage["input_tokens"]),
        cache_read: count(&usage["input_tokens_details"]["cached_tokens"]),
        cache_write: count(&usage["input_tokens_details"]["cache_write_tokens"]),
        output: count(&usage["output_tokens"]),
        reasoning: count(&usage["output_tokens_details"]["reasoning_tokens"]),
    }
}
