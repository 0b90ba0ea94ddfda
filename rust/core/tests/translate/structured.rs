//! Schemas that a model is held to: what is said of them between `OpenAI`'s two APIs, and for clients of others.

use llm_edge_core::dialect::{ChatFields, Dialect};
use llm_edge_core::translate::{Options, between};
use serde_json::{Value, json};

use crate::{OPTIONS, anthropic_to_chat, chat_to_anthropic, request, responses_to, sent, to_responses};

/// What `OpenAI`'s APIs can hold a model to.
fn closed() -> Value {
    json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false})
}

/// What others can: a property may be left out.
fn open() -> Value {
    json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false})
}

fn chat(format: &Value) -> Value {
    json!({"response_format": {"type": "json_schema", "json_schema": format},
        "messages": [{"role": "user", "content": "Hi"}]})
}

fn responses(format: &Value) -> Value {
    let mut typed = json!({"type": "json_schema"});
    typed.as_object_mut().unwrap().append(&mut format.as_object().unwrap().clone());
    json!({"text": {"format": typed}, "input": "Hi"})
}

#[test]
fn what_openais_clients_say_of_a_schema_reaches_the_other_of_its_apis() {
    for strict in [true, false] {
        let format = json!({"name": "weather", "description": "d\n", "strict": strict, "schema": open()});
        let (told, losses) = sent(to_responses(Dialect::OpenaiChat), &chat(&format));
        assert_eq!((&told["text"], losses.as_str()), (&responses(&format)["text"], ""));
        let (told, losses) = sent(responses_to(Dialect::OpenaiChat), &responses(&format));
        assert_eq!((&told["response_format"], losses.as_str()), (&chat(&format)["response_format"], ""));
    }
    // Neither of them is strict about a format by itself.
    let format = json!({"name": "weather", "schema": closed()});
    let (told, _) = sent(to_responses(Dialect::OpenaiChat), &chat(&format));
    assert_eq!(told["text"]["format"]["strict"], false);
    let (told, _) = sent(responses_to(Dialect::OpenaiChat), &responses(&format));
    assert_eq!(told["response_format"]["json_schema"]["strict"], false);
}

#[test]
fn a_description_of_a_schema_is_lost_where_it_has_no_place() {
    let format = json!({"name": "weather", "description": "d", "strict": true, "schema": closed()});
    for target in [Dialect::AnthropicMessages, Dialect::Gemini, Dialect::CohereChat, Dialect::OllamaChat] {
        let (_, losses) = sent(between(Dialect::OpenaiChat, target).unwrap(), &chat(&format));
        assert_eq!(losses, "response_format.json_schema.description", "{target:?}");
        let (_, losses) = sent(responses_to(target), &responses(&format));
        assert_eq!(losses, "text.format.description", "{target:?}");
    }
    let (told, losses) = sent(responses_to(Dialect::BedrockConverse), &responses(&format));
    let told = &told["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    assert_eq!((&told["name"], &told["description"]), (&json!("weather"), &json!("d")));
    assert_eq!(losses, "");
    // Without a schema it is any JSON.
    let (_, losses) = sent(chat_to_anthropic(), &chat(&json!({"name": "weather", "description": "d"})));
    assert_eq!(losses, "response_format.json_schema.description,response_format");
}

#[test]
fn openais_apis_are_strict_about_a_schema_of_others_where_they_can_be() {
    for (schema, strict) in [(closed(), true), (open(), false)] {
        let messages = json!({"max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}],
            "output_config": {"format": {"type": "json_schema", "schema": schema}}});
        let gemini = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
            "generationConfig": {"responseMimeType": "application/json", "responseJsonSchema": schema}});
        let format = json!({"name": "output", "strict": strict, "schema": schema});
        for (surface, body) in [(Dialect::AnthropicMessages, messages), (Dialect::Gemini, gemini)] {
            let (told, losses) = sent(between(surface, Dialect::OpenaiChat).unwrap(), &body);
            assert_eq!((&told["response_format"], losses.as_str()), (&chat(&format)["response_format"], ""));
            let (told, losses) = sent(to_responses(surface), &body);
            assert_eq!((&told["text"], losses.as_str()), (&responses(&format)["text"], ""));
        }
    }
    // Google's own form of schemas cannot say that no other property is allowed.
    let own = json!({"contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "generationConfig": {"responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "properties": {"a": {"type": "STRING"}}, "required": ["a"]}}});
    let (told, _) = sent(between(Dialect::Gemini, Dialect::OpenaiChat).unwrap(), &own);
    assert_eq!(told["response_format"]["json_schema"]["strict"], false);
}

fn of_chat(schema: &Value, strict: &Value) -> Value {
    let mut function = json!({"name": "f", "parameters": schema});
    if !strict.is_null() {
        function["strict"] = strict.clone();
    }
    json!({"messages": [{"role": "user", "content": "Hi"}], "tools": [{"type": "function", "function": function}]})
}

fn of_responses(schema: &Value, strict: &Value) -> Value {
    let mut tool = json!({"type": "function", "name": "f", "parameters": schema});
    if !strict.is_null() {
        tool["strict"] = strict.clone();
    }
    json!({"input": "Hi", "tools": [tool]})
}

fn of_messages(schema: &Value, strict: &Value) -> Value {
    let mut tool = json!({"name": "f", "input_schema": schema});
    if !strict.is_null() {
        tool["strict"] = strict.clone();
    }
    json!({"max_tokens": 99, "messages": [{"role": "user", "content": "Hi"}], "tools": [tool]})
}

#[test]
fn a_tool_is_as_strict_in_the_other_of_openais_apis() {
    let (yes, no, unsaid) = (json!(true), json!(false), Value::Null);
    // What is not said is no in chat, and in responses yes where it can be.
    for (schema, strict, in_chat) in
        [(open(), &yes, &yes), (closed(), &no, &no), (closed(), &unsaid, &yes), (open(), &unsaid, &no)]
    {
        let (told, losses) = sent(responses_to(Dialect::OpenaiChat), &of_responses(&schema, strict));
        assert_eq!((&told["tools"][0]["function"]["strict"], losses.as_str()), (in_chat, ""));
    }
    for (schema, strict, in_responses) in
        [(open(), &yes, &yes), (closed(), &no, &no), (closed(), &unsaid, &no)]
    {
        let (told, losses) = sent(to_responses(Dialect::OpenaiChat), &of_chat(&schema, strict));
        assert_eq!((&told["tools"][0]["strict"], losses.as_str()), (in_responses, ""));
    }
    // What nobody asked for is asked of `OpenAI` only.
    let common = Options { chat_fields: ChatFields::Common, ..OPTIONS };
    let pair = responses_to(Dialect::OpenaiChat);
    let (told, _) = request(pair, &of_responses(&closed(), &unsaid), &common).unwrap();
    assert!(!told.contains("strict"), "{told}");
    let (told, _) = sent(responses_to(Dialect::AnthropicMessages), &of_responses(&closed(), &unsaid));
    assert_eq!(told["tools"][0]["strict"], Value::Null);
}

#[test]
fn openais_apis_are_strict_about_tools_of_others_where_they_can_be() {
    let yes = json!(true);
    for (schema, strict, lost) in [(closed(), true, ""), (open(), false, "tools[].strict")] {
        let (told, losses) = sent(anthropic_to_chat(), &of_messages(&schema, &yes));
        assert_eq!((&told["tools"][0]["function"]["strict"], losses.as_str()), (&json!(strict), lost));
        let (told, losses) = sent(to_responses(Dialect::AnthropicMessages), &of_messages(&schema, &yes));
        assert_eq!((&told["tools"][0]["strict"], losses.as_str()), (&json!(strict), lost));
    }
    let (told, _) = sent(anthropic_to_chat(), &of_messages(&closed(), &Value::Null));
    assert_eq!(told["tools"][0]["function"]["strict"], Value::Null);
    let (told, _) = sent(to_responses(Dialect::AnthropicMessages), &of_messages(&closed(), &Value::Null));
    assert_eq!(told["tools"][0]["strict"], false);
}
