//! Whether `OpenAI`'s APIs can hold a model to a schema.
//!
//! They take only some schemas so, and refuse a request that asks it of another. Invariant: whatever is not known to
//! be taken is said to be none of them; best effort is better than a refusal. Source: `OpenAI` API documentation,
//! "Structured model outputs" ("Supported schemas") and "Function calling" ("Strict mode").

use std::collections::BTreeSet;

use serde_json::{Map, Value};

/// What texts may be formatted as.
const FORMATS: [&str; 9] =
    ["date-time", "time", "date", "duration", "email", "hostname", "ipv4", "ipv6", "uuid"];

/// Whether a schema is an object of which, and of all objects in it, every property is required and no other allowed.
pub(crate) fn is_strict(schema: &str) -> bool {
    match serde_json::from_str(schema) {
        Ok(Value::Object(root)) => {
            root.get("type").is_some_and(|kind| kind == "object")
                && !root.contains_key("anyOf")
                && node(&root, 0)
        }
        _ => false,
    }
}

/// Schemas may be nested so deep.
const DEPTH_MAX: usize = 10;

fn is_node(schema: &Value, depth: usize) -> bool {
    depth <= DEPTH_MAX && schema.as_object().is_some_and(|schema| node(schema, depth))
}

fn node(schema: &Map<String, Value>, depth: usize) -> bool {
    let is_typed = ["type", "anyOf", "enum", "const"].iter().any(|name| schema.contains_key(*name));
    // Nothing may stand beside a reference.
    let is_reference = schema.contains_key("$ref") && schema.len() == 1;
    (is_typed || is_reference)
        && is_closed(schema)
        && schema.iter().all(|(name, value)| takes(name, value, depth + 1))
}

/// Whether it is no object, or one that has exactly the properties it names.
fn is_closed(schema: &Map<String, Value>) -> bool {
    let is_object = match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().any(|kind| kind == "object"),
        kind => kind.is_some_and(|kind| kind == "object"),
    };
    let properties = schema.get("properties").and_then(Value::as_object);
    if !is_object && properties.is_none() {
        return true;
    }
    let required = schema.get("required").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let names = properties.map_or(0, Map::len);
    let is_named = |name: &&str| properties.is_some_and(|known| known.contains_key(*name));
    let named: BTreeSet<&str> = required.iter().filter_map(Value::as_str).filter(is_named).collect();
    schema.get("additionalProperties") == Some(&Value::Bool(false))
        && required.len() == names
        && named.len() == names
}

/// Whether a keyword is understood, with this value.
fn takes(name: &str, value: &Value, depth: usize) -> bool {
    match name {
        "properties" | "$defs" | "definitions" => {
            value.as_object().is_some_and(|all| all.values().all(|value| is_node(value, depth)))
        }
        "anyOf" => value.as_array().is_some_and(|all| all.iter().all(|value| is_node(value, depth))),
        "items" => is_node(value, depth),
        "format" => value.as_str().is_some_and(|format| FORMATS.contains(&format)),
        "type"
        | "enum"
        | "const"
        | "$ref"
        | "$schema"
        | "title"
        | "description"
        | "pattern"
        | "multipleOf"
        | "minimum"
        | "maximum"
        | "exclusiveMinimum"
        | "exclusiveMaximum"
        | "minItems"
        | "maxItems"
        | "minLength"
        | "maxLength"
        | "additionalProperties"
        | "required" => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_closed_objects_with_nothing_optional_are_strict() {
        let object = |rest: &str| format!(r#"{{"type":"object","additionalProperties":false{rest}}}"#);
        let of = |property: &str| object(&format!(r#","properties":{{"a":{property}}},"required":["a"]"#));
        let text = r#"{"type":["string","null"],"description":"d"}"#;
        for (schema, strict) in [
            (object(""), true),
            (of(text), true),
            (of(&of(text)), true),
            (of(&format!(r#"{{"type":"array","items":{}}}"#, of(text))), true),
            (of(&format!(r#"{{"anyOf":[{text},{}]}}"#, of(text))), true),
            (of(r##"{"$ref":"#/$defs/a"}"##), true),
            (of(r#"{"type":"string","format":"date"}"#), true),
            (object(r#","properties":{"a":{"type":"string"}},"required":[]"#), false),
            (object(r#","properties":{"a":{"type":"string"}},"required":["b"]"#), false),
            (object(r#","properties":{},"required":["a"]"#), false),
            (r#"{"type":"object"}"#.to_owned(), false),
            (r#"{"type":"object","additionalProperties":true}"#.to_owned(), false),
            (r#"{"type":"string"}"#.to_owned(), false),
            (of(r#"{"type":"object"}"#), false),
            (of(r#"{"type":"array","items":{"type":"object"}}"#), false),
            (of(r#"{"anyOf":[{"type":"object"}]}"#), false),
            (of(r#"{"type":["object","null"]}"#), false),
            (of("{}"), false),
            (of("true"), false),
            (of(r#"{"oneOf":[{"type":"string"}]}"#), false),
            (of(r#"{"type":"string","default":"a"}"#), false),
            (of(r#"{"type":"integer","format":"int64"}"#), false),
            (of(r##"{"$ref":"#/$defs/a","description":"d"}"##), false),
            (object(r#","$defs":{"a":{"type":"object"}}"#), false),
            ("[]".to_owned(), false),
        ] {
            assert_eq!(is_strict(&schema), strict, "{schema}");
        }
    }
}
