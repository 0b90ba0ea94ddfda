//! Anthropic's messages.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

use super::{ADDRESS, Feature, Surface, TEXT, feature, schema, with};
use crate::answers::fold_anthropic;
use crate::told::{Stop, Told};

pub(super) const SURFACE: Surface = Surface {
    dialect: Dialect::AnthropicMessages,
    title: "messages",
    plain: base,
    features,
    harmless: &[
        ("steps in which tool input is streamed", "no content"),
        ("citations of an earlier turn", "no model reads them"),
    ],
    counts_cache_writes: true,
    tells: &["page"],
    fold: fold_anthropic,
    told,
};

fn base() -> Value {
    messages(&json!([user("Hello")]))
}

fn messages(list: &Value) -> Value {
    json!({"model": "x", "max_tokens": 100, "messages": list})
}

fn user(content: impl Into<Value>) -> Value {
    json!({"role": "user", "content": content.into()})
}

fn assistant(content: impl Into<Value>) -> Value {
    json!({"role": "assistant", "content": content.into()})
}

/// A user's turn of these blocks.
fn blocks(list: &Value) -> Value {
    messages(&json!([user(list.clone())]))
}

fn text(text: &str) -> Value {
    json!({"type": "text", "text": text})
}

fn base64(media_type: &str, data: &str) -> Value {
    json!({"type": "base64", "media_type": media_type, "data": data})
}

fn tool(name: &str) -> Value {
    json!({"name": name, "description": "mark_description", "input_schema": schema()})
}

fn tools(list: &Value) -> Value {
    with(base(), "tools", list.clone())
}

fn call(id: &str, input: &Value) -> Value {
    json!({"type": "tool_use", "id": id, "name": "mark_tool", "input": input})
}

fn result(id: &str, content: &Value) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": content})
}

/// A conversation in which the model called tools and was answered.
fn agent(said: &Value, results: &Value) -> Value {
    let list = json!([user("Hello"), assistant(said.clone()), user(results.clone())]);
    with(messages(&list), "tools", json!([tool("mark_tool")]))
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
    let hello = || blocks(&json!([text("Hello")]));
    let beside = |block: Value| blocks(&json!([text("Hello"), block]));
    let of = |kind: &str, source: Value| json!({"type": kind, "source": source});
    let pdf = || of("document", base64("application/pdf", "mark_pdf"));
    let titled = |block: Value| with(block, "title", json!("mark_title"));
    let plain = || of("document", json!({"type": "text", "media_type": "text/plain", "data": "mark_plain"}));
    vec![
        feature("text", base(), messages(&json!([user(TEXT)]))),
        feature("several texts", base(), blocks(&json!([text("mark_one."), text("mark_two")]))),
        feature("image, base64", hello(), beside(of("image", base64("image/png", "mark_image")))),
        feature("image, by address", hello(), beside(of("image", json!({"type": "url", "url": ADDRESS})))),
        feature("document, base64", hello(), beside(pdf())),
        feature("title of a document", beside(pdf()), beside(titled(pdf()))),
        feature(
            "document, by address",
            hello(),
            beside(of("document", json!({"type": "url", "url": "https://example.com/mark_address.pdf"}))),
        ),
        feature("document of plain text", hello(), beside(plain())),
        feature("title of a document of plain text", beside(plain()), beside(titled(plain()))),
        feature(
            "document of blocks",
            hello(),
            beside(of("document", json!({"type": "content", "content": [text("mark_inside")]}))),
        ),
        feature(
            "file by its id",
            hello(),
            beside(of("document", json!({"type": "file", "file_id": "mark_file"}))),
        ),
        feature(
            "search result",
            hello(),
            beside(json!({"type": "search_result", "title": "mark_title", "source": "mark_source",
                "content": [text("mark_found")]})),
        ),
        feature(
            "block of Anthropic's own servers",
            hello(),
            beside(json!({"type": "container_upload", "file_id": "mark_file"})),
        ),
    ]
}

fn turns() -> Vec<Feature> {
    let said = |content: Value| messages(&json!([user("Hello"), assistant(content), user("Go on")]));
    let plain = || said(json!([text("Yes")]));
    vec![
        feature("system prompt", base(), with(base(), "system", json!("mark_system"))),
        feature(
            "system prompt of several texts",
            base(),
            with(base(), "system", json!([text("mark_one."), text("mark_two")])),
        ),
        feature(
            "system message in mid-conversation",
            messages(&json!([user("Hello"), assistant("Yes"), user("Go on")])),
            messages(
                &json!([user("Hello"), assistant("Yes"), {"role": "system", "content": "mark_middle"}, user("Go on")]),
            ),
        ),
        feature(
            "earlier turns",
            messages(&json!([user("mark_last")])),
            messages(&json!([user("mark_first"), assistant("mark_said"), user("mark_last")])),
        ),
        feature(
            "last turn of the assistant",
            base(),
            messages(&json!([user("Hello"), assistant("mark_begun")])),
        ),
        feature(
            "reasoning of an earlier turn, signed by Anthropic",
            plain(),
            said(json!([{"type": "thinking", "thinking": "mark_thinking", "signature": "mark_signature"},
                text("Yes")])),
        ),
        feature(
            "reasoning of an earlier turn, signed by OpenAI",
            plain(),
            said(
                json!([{"type": "thinking", "thinking": "mark_thinking", "signature": "openai:mark_item:mark_encrypted"},
                text("Yes")]),
            ),
        ),
        feature(
            "reasoning of an earlier turn, signed by Google",
            plain(),
            said(
                json!([{"type": "thinking", "thinking": "mark_thinking", "signature": "google:mark_signature"},
                text("Yes")]),
            ),
        ),
        feature(
            "reasoning of an earlier turn, redacted",
            plain(),
            said(json!([{"type": "redacted_thinking", "data": "mark_redacted"}, text("Yes")])),
        ),
        feature(
            "citations of an earlier turn",
            plain(),
            said(json!([{"type": "text", "text": "Yes", "citations": [{"cited_text": "mark_cited"}]}])),
        ),
    ]
}

fn tools_and_calls() -> Vec<Feature> {
    let one = || tools(&json!([tool("mark_tool")]));
    let two = || tools(&json!([tool("mark_tool_a"), tool("mark_tool_b")]));
    let choice = |value: Value| with(one(), "tool_choice", value);
    let input = json!({"mark_city": "mark_zurich 😀", "n": 1.50, "yes": true, "no": [false], "none": null});
    let answered = |result: Value| agent(&json!([call("c1", &json!({}))]), &json!([result]));
    let fine = || result("c1", &json!("mark_result"));
    let image = json!({"type": "image", "source": base64("image/png", "mark_image")});
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
            tools(&json!([{"name": "mark_bare", "input_schema": {"type": "object"}}])),
        ),
        feature("strict tool", one(), tools(&json!([with(tool("mark_tool"), "strict", json!(true))]))),
        feature(
            "tool of Anthropic's own servers",
            base(),
            tools(&json!([{"type": "web_search_20260318", "name": "mark_search"}])),
        ),
        feature(
            "steps in which tool input is streamed",
            one(),
            tools(&json!([with(tool("mark_tool"), "eager_input_streaming", json!(true))])),
        ),
        feature("tool choice: auto", one(), choice(json!({"type": "auto"}))),
        feature("tool choice: none", one(), choice(json!({"type": "none"}))),
        feature("tool choice: some tool", one(), choice(json!({"type": "any"}))),
        feature("tool choice: this tool", one(), choice(json!({"type": "tool", "name": "mark_tool"}))),
        feature(
            "tool choice: this tool of several",
            two(),
            with(two(), "tool_choice", json!({"type": "tool", "name": "mark_tool_a"})),
        ),
        feature(
            "structured output beside tools",
            one(),
            with(
                one(),
                "output_config",
                json!({"format": {"type": "json_schema", "schema": {"type": "mark_type"}}}),
            ),
        ),
        feature(
            "one call at a time",
            choice(json!({"type": "auto"})),
            choice(json!({"type": "auto", "disable_parallel_tool_use": true})),
        ),
        feature(
            "tool call and its result",
            one(),
            agent(&json!([call("mark_c1", &input)]), &json!([result("mark_c1", &json!("mark_result"))])),
        ),
        feature(
            "three calls and their results",
            one(),
            agent(
                &json!([
                    text("mark_plan"),
                    call("mark_c1", &input),
                    call("mark_c2", &json!({})),
                    call("mark_c3", &json!({"mark_c": 1}))
                ]),
                &json!([
                    result("mark_c1", &json!("mark_r1")),
                    result("mark_c2", &json!("mark_r2")),
                    result("mark_c3", &json!("mark_r3"))
                ]),
            ),
        ),
        feature(
            "text behind a call",
            one(),
            agent(
                &json!([text("mark_before."), call("c1", &input), text("mark_behind")]),
                &json!([result("c1", &json!("mark_result"))]),
            ),
        ),
        feature(
            "result of several texts",
            answered(result("c1", &json!("Fine"))),
            answered(result("c1", &json!([text("mark_one."), text("mark_two")]))),
        ),
        feature("failed result", answered(fine()), answered(with(fine(), "is_error", json!(true)))),
        feature(
            "image in a result",
            answered(result("c1", &json!([text("Fine")]))),
            answered(result("c1", &json!([text("Fine"), image]))),
        ),
    ]
}

fn parameters() -> Vec<Feature> {
    let set = |name, member: &str, value: Value| feature(name, base(), with(base(), member, value));
    let effort = |name, word: &str| set(name, "output_config", json!({"effort": word}));
    let thinking = |budget: u64| json!({"type": "enabled", "budget_tokens": budget});
    let warm = || with(base(), "temperature", json!(0.271));
    vec![
        feature(
            "bound on tokens",
            with(base(), "max_tokens", json!(99)),
            with(base(), "max_tokens", json!(4711)),
        ),
        feature(
            "bound below 16 tokens",
            with(base(), "max_tokens", json!(99)),
            with(base(), "max_tokens", json!(7)),
        ),
        set("stop sequences", "stop_sequences", json!(["mark_a", "mark_b", "mark_c", "mark_d"])),
        set(
            "more than five stop sequences",
            "stop_sequences",
            json!(["mark_a", "mark_b", "mark_c", "mark_d", "mark_e", "mark_f"]),
        ),
        set("`temperature`", "temperature", json!(0.271)),
        set("`top_p`", "top_p", json!(0.31)),
        feature("`top_p` beside `temperature`", warm(), with(warm(), "top_p", json!(0.31))),
        set("`top_k`", "top_k", json!(31)),
        set(
            "structured output: a schema",
            "output_config",
            json!({"format": {"type": "json_schema", "schema": schema()}}),
        ),
        set("reasoning: off", "thinking", json!({"type": "disabled"})),
        set("reasoning: as the model sees fit", "thinking", json!({"type": "adaptive"})),
        set("reasoning: between tool calls only", "thinking", json!({"type": "between_tools"})),
        set("reasoning: a budget of tokens", "thinking", thinking(4711)),
        effort("reasoning: effort `low`", "low"),
        effort("reasoning: effort `medium`", "medium"),
        effort("reasoning: effort `high`", "high"),
        effort("reasoning: effort `xhigh`", "xhigh"),
        effort("reasoning: effort `max`", "max"),
        feature(
            "reasoning: an effort beside a budget",
            with(base(), "thinking", thinking(2000)),
            with(with(base(), "thinking", thinking(2000)), "output_config", json!({"effort": "max"})),
        ),
        set("end user", "metadata", json!({"user_id": "mark_user"})),
        set("service tier: the provider's choice", "service_tier", json!("auto")),
        set("service tier: standard", "service_tier", json!("standard_only")),
        set("container", "container", json!("mark_container")),
        set("a stream", "stream", json!(true)),
    ]
}

/// Puts a marker on a block, or leaves it.
type Mark = fn(Value) -> Value;

fn markers() -> Vec<Feature> {
    let on = |name, request: &dyn Fn(Mark) -> Value| {
        let mark = |block: Value| with(block, "cache_control", json!({"type": "ephemeral", "ttl": "1h"}));
        feature(name, request(|block| block), request(mark))
    };
    let image = json!({"type": "image", "source": base64("image/png", "aGk=")});
    let document = json!({"type": "document", "source": base64("application/pdf", "JVBERg==")});
    let call = || call("c1", &json!({}));
    let result = || result("c1", &json!("Fine"));
    vec![
        on("cache marker on the whole request", &|mark| mark(base())),
        on("cache marker on a system prompt", &|mark| {
            with(base(), "system", json!([mark(text("Be brief"))]))
        }),
        on("cache marker on a text", &|mark| blocks(&json!([mark(text("Once")), text("Hello")]))),
        on("cache marker on an image", &|mark| blocks(&json!([mark(image.clone()), text("Hello")]))),
        on("cache marker on a document", &|mark| blocks(&json!([mark(document.clone()), text("Hello")]))),
        on("cache marker on a tool", &|mark| tools(&json!([mark(tool("f"))]))),
        on("cache marker on a tool call", &|mark| agent(&json!([mark(call())]), &json!([result()]))),
        on("cache marker on a tool result", &|mark| agent(&json!([call()]), &json!([mark(result())]))),
    ]
}

/// What a message says.
fn told(reply: &Value) -> Told {
    let content = reply["content"].as_array().unwrap();
    let of_kind = |kind: &str| content.iter().filter(|block| block["type"] == kind).collect::<Vec<_>>();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let usage = &reply["usage"];
    let count = |name: &str| usage[name].as_u64().unwrap();
    let (read, written) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    Told {
        text: of_kind("text").iter().map(|block| text(&block["text"])).collect(),
        thinking: of_kind("thinking").iter().map(|b| (text(&b["thinking"]), text(&b["signature"]))).collect(),
        redacted: of_kind("redacted_thinking").iter().map(|block| text(&block["data"])).collect(),
        calls: of_kind("tool_use")
            .iter()
            .map(|block| (text(&block["id"]), text(&block["name"]), block["input"].clone()))
            .collect(),
        stop: match reply["stop_reason"].as_str().unwrap() {
            "end_turn" | "stop_sequence" => Stop::End,
            "max_tokens" => Stop::Length,
            "tool_use" => Stop::Tools,
            "refusal" => Stop::Refusal,
            other => panic!("a stop reason {other}"),
        },
        beside: content
            .iter()
            .flat_map(|block| block["citations"].as_array().into_iter().flatten())
            .map(|citation| "page ".to_owned() + &text(&citation["url"]))
            .collect(),
        input: count("input_tokens") + read + written,
        cache_read: read,
        cache_write: written,
        output: count("output_tokens"),
        reasoning: usage["output_tokens_details"]["thinking_tokens"].as_u64().unwrap(),
    }
}
