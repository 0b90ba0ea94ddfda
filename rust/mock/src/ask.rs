//! What a model acts on in a request, whatever the surface: filled in by each surface's `read`.

use serde_json::Value;

use crate::failure::Failure;
use crate::pieces;

/// A request, understood.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ask {
    /// The text of the last user message.
    pub(crate) user_text: String,
    /// Pieces of everything the model reads.
    pub(crate) input_tokens: u64,
    /// Pieces the answer may have.
    pub(crate) output_limit: Option<u64>,
    /// Strings that end the answer.
    pub(crate) stops: Vec<String>,
    /// Whether the answer is streamed.
    pub(crate) stream: bool,
    /// Whether the stream tells its usage (`OpenAI` chat and completions).
    pub(crate) include_usage: bool,
    /// The tool to call: the one demanded, else the first one offered.
    pub(crate) tool: Option<Tool>,
    /// Whether a call of `tool` is demanded.
    pub(crate) tool_demanded: bool,
    /// What a tool answered, when that is the last thing said.
    pub(crate) tool_result: Option<String>,
    /// The JSON schema demanded of the answer.
    pub(crate) schema: Option<Value>,
    /// Whether the model says what it will do before it calls a tool.
    pub(crate) plan: Plan,
    /// Whether the model may think before it answers.
    pub(crate) thinking: Thinking,
}

/// Whether a model that thinks does so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Thinking {
    #[default]
    On,
    Off,
}

impl Thinking {
    /// Off where the request says so.
    pub(crate) fn off_if(off: bool) -> Self {
        if off { Self::Off } else { Self::On }
    }
}

/// Whether a model says what it will do before it calls a tool, as Cohere's do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Plan {
    Told,
    #[default]
    Untold,
}

/// A function that is offered.
#[derive(Clone, Debug)]
pub(crate) struct Tool {
    pub(crate) name: String,
    /// JSON schema of its arguments.
    pub(crate) schema: Value,
}

/// Which tools may be called, as the surfaces say it.
pub(crate) enum Choice<'a> {
    /// The model decides.
    Auto,
    /// Some tool must be called.
    Any,
    /// This one must be called.
    Named(&'a str),
    /// None may be called.
    None,
}

impl Ask {
    /// Notes the tools offered and the one to call.
    pub(crate) fn offer(&mut self, tools: Vec<Tool>, choice: &Choice<'_>) -> Result<(), Failure> {
        self.tool_demanded = matches!(choice, Choice::Any | Choice::Named(_));
        self.tool = match choice {
            Choice::None => None,
            Choice::Auto | Choice::Any => tools.into_iter().next(),
            Choice::Named(name) => tools.into_iter().find(|tool| tool.name == *name),
        };
        if self.tool_demanded && self.tool.is_none() {
            let message = "tool_choice: demands a tool that is not among `tools`";
            return Err(Failure::bad_request(Some("tool_choice"), message));
        }
        Ok(())
    }
}

/// `value[key]`, absent and `null` being the same.
pub(crate) fn field<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    value.get(key).filter(|found| !found.is_null())
}

/// `value[key]` as a string.
pub(crate) fn text_field<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

/// `value[key]` as a list; empty when it is absent or no list.
pub(crate) fn list_field<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// `body[key]`, which must be true, false or absent.
pub(crate) fn flag(body: &Value, key: &'static str) -> Result<bool, Failure> {
    match field(body, key) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(_) => Err(Failure::bad_request(Some(key), format!("{key}: must be true or false"))),
    }
}

/// `body[key]`, which must be a whole number of at least 1 or absent.
pub(crate) fn limit(body: &Value, key: &'static str) -> Result<Option<u64>, Failure> {
    let Some(value) = field(body, key) else { return Ok(None) };
    match value.as_u64() {
        Some(limit @ 1..) => Ok(Some(limit)),
        _ => Err(Failure::bad_request(Some(key), format!("{key}: must be a whole number of at least 1"))),
    }
}

/// `body[key]`, a string or a list of strings; empty ones end nothing.
pub(crate) fn strings(body: &Value, key: &str) -> Vec<String> {
    let all = match body.get(key) {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(many)) => many.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => Vec::new(),
    };
    all.into_iter().filter(|text| !text.is_empty()).collect()
}

/// The text of a content, a plain string or a list of parts of any shape that carry `text`.
pub(crate) fn content_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => parts
            .iter()
            .filter_map(|part| part.as_str().or_else(|| text_field(part, "text")))
            .collect::<Vec<_>>()
            .join("\n"),
        _ => String::new(),
    }
}

// Names, kinds and blobs: not what a model reads as text.
const NOT_READ: [&str; 17] = [
    "role",
    "type",
    "id",
    "tool_call_id",
    "tool_use_id",
    "call_id",
    "toolUseId",
    "url",
    "data",
    "bytes",
    "images",
    "file_data",
    "file_id",
    "signature",
    "encrypted_content",
    "cache_control",
    "media_type",
];

/// Pieces of every string in `value` that is text to a model.
pub(crate) fn tokens_of(value: &Value) -> u64 {
    match value {
        Value::String(text) => pieces::count(text),
        Value::Array(items) => items.iter().map(tokens_of).sum(),
        Value::Object(members) => members
            .iter()
            .filter(|(key, _)| !NOT_READ.contains(&key.as_str()))
            .map(|(_, member)| tokens_of(member))
            .sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
    }
}

/// Pieces of the given members of a request; at least 1.
pub(crate) fn input_tokens(body: &Value, keys: &[&str]) -> u64 {
    keys.iter().filter_map(|key| body.get(key)).map(tokens_of).sum::<u64>().max(1)
}

/// The messages of a request: a list that is not empty.
pub(crate) fn messages<'a>(body: &'a Value, key: &'static str) -> Result<&'a [Value], Failure> {
    match list_field(body, key) {
        [] => {
            Err(Failure::bad_request(Some(key), format!("{key}: must be a list with at least one message")))
        }
        messages => Ok(messages),
    }
}

/// The content of the last message of a role, as text.
pub(crate) fn last_text(messages: &[Value], role: &str) -> String {
    let last = messages.iter().rev().find(|message| text_field(message, "role") == Some(role));
    last.and_then(|message| message.get("content")).map(content_text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn text_is_found_in_every_shape_of_content() {
        for content in [
            json!("hi"),
            json!([{"type": "text", "text": "hi"}]),
            json!([{"type": "image_url", "image_url": {"url": "data:…"}}, {"type": "input_text", "text": "hi"}]),
            json!(["hi"]),
        ] {
            assert_eq!(content_text(&content), "hi");
        }
    }

    #[test]
    fn blobs_and_names_of_kinds_do_not_count() {
        let message = json!([{"role": "user", "content": [{"type": "text", "text": "one two"}, {"data": "AAAA AAAA"}]}]);
        assert_eq!(tokens_of(&message), 2);
    }
}
