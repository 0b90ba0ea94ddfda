//! The structure of a conversation, in no dialect's words: which tools were called with what, in which order, what
//! each call was answered, and on what markers for the prompt cache stand.
//!
//! Words that are found somewhere in a body ([`crate::asked`]) may be in the wrong place there, and `true`, `false` and
//! `null` are no words. Requests of clients and of upstreams are read by the same functions.

use llm_edge_core::dialect::Dialect;
use serde_json::{Value, json};

/// What a failed tool's result begins with where the dialect has no other place for it.
const FAILED: &str = "Error: ";

/// One step of a conversation with tools.
#[derive(Clone, Debug, PartialEq)]
enum Step {
    Call {
        name: String,
        arguments: Value,
    },
    /// What the call was answered that is the so-manieth of the conversation.
    Result {
        of: usize,
        content: Content,
    },
}

/// What a tool gave.
#[derive(Clone, Debug, PartialEq)]
enum Content {
    Texts(String),
    Json(Value),
}

/// The calls of a conversation and their results, in order.
#[derive(Debug, Default)]
struct Steps {
    all: Vec<Step>,
    /// Of each call, by its place: the id, where it has one, and whether it was answered.
    calls: Vec<(Option<String>, String, bool)>,
}

impl Steps {
    fn call(&mut self, id: &Value, name: &Value, arguments: &Value) -> Result<(), String> {
        let name = name.as_str().ok_or_else(|| format!("a call of {name}"))?.to_owned();
        let arguments = match arguments {
            Value::String(text) => serde_json::from_str(text).map_err(|error| format!("{error}: {text}"))?,
            Value::Null => json!({}),
            other => other.clone(),
        };
        self.calls.push((id.as_str().map(str::to_owned), name.clone(), false));
        self.all.push(Step::Call { name, arguments });
        Ok(())
    }

    /// A result without an id is that of the first call of this name, if it has one, that has none yet.
    fn result(&mut self, id: &Value, name: &Value, content: Content) -> Result<(), String> {
        let of = match id.as_str() {
            Some(id) => self.calls.iter().rposition(|(known, ..)| known.as_deref() == Some(id)),
            None => self
                .calls
                .iter()
                .position(|(_, known, answered)| !answered && name.as_str().is_none_or(|name| name == known)),
        };
        let of = of.ok_or_else(|| format!("a result of no call: {id} {name} {content:?}"))?;
        if std::mem::replace(&mut self.calls[of].2, true) {
            return Err(format!("a second result of the call {of}: {content:?}"));
        }
        self.all.push(Step::Result { of, content });
        Ok(())
    }

    fn of(dialect: Dialect, body: &Value) -> Result<Self, String> {
        let mut steps = Self::default();
        for message in list(&body[turns_of(dialect)]) {
            steps.message(dialect, message)?;
        }
        Ok(steps)
    }

    fn message(&mut self, dialect: Dialect, message: &Value) -> Result<(), String> {
        match dialect {
            Dialect::OpenaiResponses => match message["type"].as_str() {
                Some("function_call") => {
                    self.call(&message["call_id"], &message["name"], &message["arguments"])?;
                }
                Some("function_call_output") => {
                    self.result(&message["call_id"], &Value::Null, content(&message["output"]))?;
                }
                _ => {}
            },
            Dialect::AnthropicMessages => {
                for block in list(&message["content"]) {
                    match block["type"].as_str() {
                        Some("tool_use") => self.call(&block["id"], &block["name"], &block["input"])?,
                        Some("tool_result") => {
                            self.result(&block["tool_use_id"], &Value::Null, content(&block["content"]))?;
                        }
                        _ => {}
                    }
                }
            }
            Dialect::Gemini => {
                for part in list(&message["parts"]) {
                    if let Some(call) = part.get("functionCall") {
                        self.call(&call["id"], &call["name"], &call["args"])?;
                    }
                    if let Some(result) = part.get("functionResponse") {
                        self.result(&result["id"], &result["name"], response(&result["response"]))?;
                    }
                }
            }
            Dialect::BedrockConverse => {
                for block in list(&message["content"]) {
                    if let Some(call) = block.get("toolUse") {
                        self.call(&call["toolUseId"], &call["name"], &call["input"])?;
                    }
                    if let Some(result) = block.get("toolResult") {
                        self.result(&result["toolUseId"], &Value::Null, content(&result["content"]))?;
                    }
                }
            }
            // Chat, and those that took their form from it.
            _ => {
                for call in list(&message["tool_calls"]) {
                    self.call(&call["id"], &call["function"]["name"], &call["function"]["arguments"])?;
                }
                if message["role"] == "tool" {
                    let (id, name) = (&message["tool_call_id"], &message["tool_name"]);
                    self.result(id, name, content(&message["content"]))?;
                }
            }
        }
        Ok(())
    }
}

fn turns_of(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::OpenaiResponses => "input",
        Dialect::Gemini => "contents",
        _ => "messages",
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// What a text says: JSON, where it is an object.
fn said(text: &str) -> Content {
    let text = text.strip_prefix(FAILED).unwrap_or(text);
    match serde_json::from_str(text) {
        Ok(object @ Value::Object(_)) => Content::Json(object),
        _ => Content::Texts(text.to_owned()),
    }
}

/// The texts of a result, joined: not every dialect takes several.
fn content(value: &Value) -> Content {
    match value {
        Value::String(text) => said(text),
        // Cohere's documents, and Bedrock's JSON.
        parts => {
            let texts = list(parts).filter_map(|part| match part {
                Value::String(text) => Some(text.as_str()),
                part => part["text"].as_str().or_else(|| part["document"]["data"].as_str()),
            });
            said(&texts.map(|text| text.strip_prefix(FAILED).unwrap_or(text)).collect::<String>())
        }
    }
}

/// The object that Google has for a result: texts have a member of it.
fn response(object: &Value) -> Content {
    let members = object.as_object().map_or(0, serde_json::Map::len);
    let text = ["result", "output", "error"].iter().find_map(|name| object.get(*name));
    match text {
        Some(text @ (Value::String(_) | Value::Array(_))) if members == 1 => content(text),
        Some(inner @ Value::Object(_)) if members == 1 => Content::Json(inner.clone()),
        _ => Content::Json(object.clone()),
    }
}

/// Whether an upstream's body has the calls and the results of a client's, each where it belongs; where ids are the
/// client's to choose they are the same too.
pub(crate) fn same_steps(
    (surface, asked): (Dialect, &Value),
    (target, body): (Dialect, &Value),
) -> Result<(), String> {
    let (wanted, there) = (Steps::of(surface, asked)?, Steps::of(target, body)?);
    if wanted.all != there.all {
        return Err(format!("of {:?} came {:?}", wanted.all, there.all));
    }
    for ((wanted, ..), (there, ..)) in wanted.calls.iter().zip(&there.calls) {
        if let (Some(wanted), Some(there)) = (wanted, there)
            && wanted != there
        {
            return Err(format!("the call `{wanted}` is called `{there}`"));
        }
    }
    Ok(())
}

/// The same, where ids may be other ones, but of so many letters and digits.
pub(crate) fn same_steps_with_ids_of(
    length: usize,
    (surface, asked): (Dialect, &Value),
    (target, body): (Dialect, &Value),
) -> Result<(), String> {
    let (wanted, there) = (Steps::of(surface, asked)?, Steps::of(target, body)?);
    if wanted.all != there.all {
        return Err(format!("of {:?} came {:?}", wanted.all, there.all));
    }
    let fits = |id: &str| id.len() == length && id.bytes().all(|byte| byte.is_ascii_alphanumeric());
    match there.calls.iter().find(|(id, ..)| !id.as_deref().is_some_and(fits)) {
        Some(misfit) => Err(format!("{misfit:?} has an id of another form")),
        None => Ok(()),
    }
}

/// A marker for the prompt cache: what it stands on, and how long it is to last, where it says so.
type Marker = (String, String);

/// What a marker can stand on, as it comes, and how long its marker says, if it has one.
#[derive(Default)]
struct Blocks(Vec<(String, Option<String>)>);

fn ttl(marker: &Value) -> Option<String> {
    (!marker.is_null()).then(|| marker["ttl"].as_str().unwrap_or_default().to_owned())
}

impl Blocks {
    fn add(&mut self, block: String, marker: &Value) {
        self.0.push((block, ttl(marker)));
    }

    /// A block that ends what is to be cached.
    fn end(&mut self, point: &Value) {
        if let Some((_, marker)) = self.0.last_mut() {
            *marker = ttl(point);
        }
    }

    fn markers(&self) -> Vec<Marker> {
        let marked = self.0.iter().filter_map(|(block, marker)| Some((block.clone(), marker.clone()?)));
        let mut markers: Vec<Marker> = marked.collect();
        markers.sort();
        markers
    }

    fn of(dialect: Dialect, body: &Value) -> Self {
        let mut blocks = Self::default();
        match dialect {
            Dialect::OpenaiChat => blocks.chat(body),
            Dialect::OpenaiResponses => blocks.responses(body),
            Dialect::AnthropicMessages => blocks.anthropic(body),
            Dialect::BedrockConverse => blocks.bedrock(body),
            _ => {}
        }
        blocks
    }

    fn chat(&mut self, body: &Value) {
        for tool in list(&body["tools"]) {
            let function = &tool["function"];
            self.add(format!("tool {}", function["name"]), one_of(tool, function, "cache_control"));
        }
        for message in list(&body["messages"]) {
            let of_all = &message["cache_control"];
            if message["role"] == "tool" {
                self.add(format!("result of {}", message["tool_call_id"]), of_all);
                continue;
            }
            match &message["content"] {
                Value::String(text) => self.add(named(&message["role"], "text", text), of_all),
                parts => {
                    for part in list(parts) {
                        let kind = part["type"].as_str().unwrap_or_default();
                        let text = part["text"].as_str().unwrap_or_default();
                        self.add(named(&message["role"], kind, text), &part["cache_control"]);
                    }
                }
            }
            for call in list(&message["tool_calls"]) {
                self.add(format!("call {}", call["id"]), &call["cache_control"]);
            }
        }
        self.whole(body);
    }

    fn responses(&mut self, body: &Value) {
        for item in list(&body["input"]) {
            for part in list(&item["output"]) {
                self.add(format!("result of {}", item["call_id"]), &part["prompt_cache_breakpoint"]);
            }
            for part in list(&item["content"]) {
                let kind = part["type"].as_str().unwrap_or_default();
                let text = part["text"].as_str().unwrap_or_default();
                self.add(named(&item["role"], kind, text), &part["prompt_cache_breakpoint"]);
            }
        }
    }

    fn anthropic(&mut self, body: &Value) {
        for tool in list(&body["tools"]) {
            self.add(format!("tool {}", tool["name"]), &tool["cache_control"]);
        }
        for block in list(&body["system"]) {
            let text = block["text"].as_str().unwrap_or_default();
            self.add(named(&json!("system"), "text", text), &block["cache_control"]);
        }
        for message in list(&body["messages"]) {
            if let Value::String(text) = &message["content"] {
                self.add(named(&message["role"], "text", text), &Value::Null);
            }
            for block in list(&message["content"]) {
                let marker = &block["cache_control"];
                match block["type"].as_str().unwrap_or_default() {
                    "tool_use" => self.add(format!("call {}", block["id"]), marker),
                    "tool_result" => {
                        let inside = list(&block["content"]).find_map(|block| block.get("cache_control"));
                        self.add(format!("result of {}", block["tool_use_id"]), inside.unwrap_or(marker));
                    }
                    kind => {
                        let text = block["text"].as_str().unwrap_or_default();
                        self.add(named(&message["role"], kind, text), marker);
                    }
                }
            }
        }
        self.whole(body);
    }

    fn bedrock(&mut self, body: &Value) {
        let turns = list(&body["messages"])
            .flat_map(|turn| list(&turn["content"]).map(move |block| (turn["role"].clone(), block)));
        let tools = list(&body["toolConfig"]["tools"]).chain(list(&body["system"]));
        for (role, block) in tools.map(|block| (json!("system"), block)).chain(turns) {
            let kind = block.as_object().and_then(|members| members.keys().next());
            match kind.map_or("", String::as_str) {
                "cachePoint" => self.end(&block["cachePoint"]),
                "toolSpec" => self.add(format!("tool {}", block["toolSpec"]["name"]), &Value::Null),
                "toolUse" => self.add(format!("call {}", block["toolUse"]["toolUseId"]), &Value::Null),
                "toolResult" => {
                    self.add(format!("result of {}", block["toolResult"]["toolUseId"]), &Value::Null);
                }
                kind => {
                    let text = block["text"].as_str().unwrap_or_default();
                    self.add(named(&role, kind, text), &Value::Null);
                }
            }
        }
    }

    /// A marker on the whole request is one on what it ends with.
    fn whole(&mut self, body: &Value) {
        if let (Some(marker), Some((_, last))) = (ttl(&body["cache_control"]), self.0.last_mut()) {
            *last = Some(marker);
        }
    }
}

fn one_of<'v>(value: &'v Value, other: &'v Value, name: &str) -> &'v Value {
    if value[name].is_null() { &other[name] } else { &value[name] }
}

/// A block by its kind, and by its text where it has one.
fn named(role: &Value, kind: &str, text: &str) -> String {
    let kind = match kind {
        "input_text" | "output_text" => "text",
        "image_url" | "input_image" => "image",
        "file" | "input_file" => "document",
        other => other,
    };
    let who = if role == "system" || role == "developer" { "system" } else { "turn" };
    format!("{who} {kind} {text}")
}

/// Whether the markers of a client's request stand on the same of an upstream's body, for as long.
pub(crate) fn same_markers(
    (surface, asked): (Dialect, &Value),
    (target, body): (Dialect, &Value),
) -> Result<(), String> {
    let (wanted, there) = (Blocks::of(surface, asked).markers(), Blocks::of(target, body).markers());
    if wanted == there { Ok(()) } else { Err(format!("of the markers {wanted:?} came {there:?}")) }
}

/// Whether the dialect has words for markers.
pub(crate) const fn has_markers(target: Dialect) -> bool {
    matches!(target, Dialect::AnthropicMessages | Dialect::BedrockConverse)
}

mod tests {
    use llm_edge_core::translate::{Options, between};
    use serde_json::json;

    use super::{Dialect, Value, has_markers, same_markers, same_steps, same_steps_with_ids_of};
    use crate::OPTIONS;
    use crate::targets::{TARGETS, Target};

    /// Two calls with texts, truths and nothing among their arguments, and their results.
    fn conversation() -> Value {
        let call = |id: &str, word: &str| {
            let arguments = json!({"q": word, "yes": true, "no": false, "none": null, "n": 7});
            json!({"id": id, "type": "function", "function": {"name": "f", "arguments": arguments.to_string()}})
        };
        let result = |id: &str, text: &str| json!({"role": "tool", "tool_call_id": id, "content": text});
        let calls = json!([call("idA", "wordA"), call("idB", "wordB")]);
        json!({"messages": [{"role": "user", "content": "Hello"},
            {"role": "assistant", "content": null, "tool_calls": calls},
            result("idA", "saidA"), result("idB", "saidB")]})
    }

    fn body(target: &Target, asked: &Value, options: &Options<'_>) -> String {
        let Some(pair) = between(Dialect::OpenaiChat, target.dialect) else {
            return asked.to_string();
        };
        let mut body = Vec::new();
        pair.request(asked.to_string().as_bytes(), target.model.0, options, &mut body).unwrap();
        String::from_utf8(body).unwrap()
    }

    fn swapped(text: &str, one: &str, other: &str) -> String {
        let swapped = text.replace(one, "\0").replace(other, one).replace('\0', other);
        assert_ne!(text, swapped, "{one} and {other}");
        swapped
    }

    #[test]
    fn a_conversation_in_which_anything_changed_places_is_another_one() {
        let asked = conversation();
        for target in TARGETS {
            let judge = |text: &str| {
                let body: Value = serde_json::from_str(text).unwrap();
                same_steps((Dialect::OpenaiChat, &asked), (target.dialect, &body))
            };
            let body = body(target, &asked, &OPTIONS);
            assert_eq!(judge(&body), Ok(()), "{body}");
            // Arguments may be a text in which quotes are escaped.
            let inner = |from: &str, to: &str| {
                let escape = |text: &str| text.replace('"', "\\\"");
                let changed = body.replace(from, to).replace(&escape(from), &escape(to));
                assert_ne!(changed, body, "{from}");
                changed
            };
            let changes = [
                ("results are swapped", swapped(&body, "saidA", "saidB")),
                ("arguments are swapped", swapped(&body, "wordA", "wordB")),
                ("a boolean is lost", inner(r#","yes":true"#, "")),
                ("a boolean is turned", inner(r#""no":false"#, r#""no":true"#)),
                ("a null is lost", inner(r#","none":null"#, "")),
                ("a null is a text", inner(r#""none":null"#, r#""none":"null""#)),
                ("a number is a text", inner(r#""n":7"#, r#""n":"7""#)),
                ("a result is another", body.replace("saidB", "said")),
            ];
            for (what, changed) in changes {
                assert!(judge(&changed).is_err(), "{what}: {changed}");
            }
            if target.has_ids {
                let (front, back) = body.split_at(body.find("idB").unwrap() + "idB".len());
                let of_nobody = format!("{front}{}", back.replace("idB", "idC"));
                assert!(judge(&of_nobody).is_err(), "a result of no call: {of_nobody}");
                assert!(judge(&body.replace("idB", "idA")).is_err(), "one id for both");
                assert!(judge(&body.replace("idB", "idC")).is_err(), "another id");
            }
        }
    }

    #[test]
    fn ids_may_be_others_if_they_are_the_same_in_call_and_result() {
        let asked = conversation();
        let target = TARGETS.iter().find(|target| target.dialect == Dialect::CohereChat).unwrap();
        let judge = |text: &str| {
            let body: Value = serde_json::from_str(text).unwrap();
            same_steps_with_ids_of(9, (Dialect::OpenaiChat, &asked), (target.dialect, &body))
        };
        let body = body(target, &asked, &Options { tool_id_length: Some(9), ..OPTIONS });
        assert_eq!(judge(&body), Ok(()), "{body}");
        assert!(judge(&swapped(&body, "saidA", "saidB")).is_err());
        assert!(judge(&asked.to_string()).is_err(), "ids of three characters");
    }

    #[test]
    fn a_marker_that_moved_or_lasts_for_another_time_is_another_one() {
        let mut asked = conversation();
        let marker = json!({"type": "ephemeral", "ttl": "1h"});
        asked["messages"][2]["cache_control"] = marker.clone();
        asked["messages"][0]["content"] = json!([{"type": "text", "text": "One", "cache_control": marker},
            {"type": "text", "text": "Two"}]);
        for target in TARGETS.iter().filter(|target| has_markers(target.dialect)) {
            let judge = |text: &str| {
                let body: Value = serde_json::from_str(text).unwrap();
                same_markers((Dialect::OpenaiChat, &asked), (target.dialect, &body))
            };
            let body = body(target, &asked, &OPTIONS);
            if !body.contains("cache") {
                continue; // A model that caches without.
            }
            assert_eq!(judge(&body), Ok(()), "{body}");
            for (one, other) in [("One", "Two"), ("idA", "idB")] {
                assert!(judge(&swapped(&body, one, other)).is_err(), "{one} and {other}");
            }
            assert!(judge(&body.replacen("1h", "5m", 1)).is_err());
            let forgotten = body.replacen(r#""ttl":"1h","#, "", 1).replacen(r#","ttl":"1h""#, "", 1);
            assert!(judge(&forgotten).is_err(), "{forgotten}");
        }
    }
}
