//! A value that a JSON schema accepts: the smallest plausible one, the same for the same schema.
//!
//! Covered is what the vendors accept for tools and structured output and what schema generators write:
//! types, `enum`, `const`, `$ref`, `allOf`, `anyOf`, `oneOf`, bounds, lengths, `pattern`, `format`. Not covered:
//! `not`, `if`/`then`, `dependentSchemas`; a schema that leans on them may get a value it refuses.

use std::cell::Cell;

use serde_json::{Map, Number, Value, json};

use crate::pattern;

// Below the first depth optional members and items are left out, so that recursive schemas end; below the
// second a schema that demands itself gets `null`, for no finite value can satisfy it.
const OPTIONAL_DEPTH_MAX: usize = 4;
const DEPTH_MAX: usize = 24;
const ITEMS_MAX: u64 = 64;
// A schema that demands itself twice doubles at each depth: the whole value ends after so many steps.
const STEPS_MAX: u32 = 20_000;

/// A value that `schema` accepts.
pub(crate) fn example(schema: &Value) -> Value {
    Writer { root: schema, steps_left: Cell::new(STEPS_MAX) }.value(schema, 0)
}

/// Like [`example`], and always an object (arguments of a tool are).
pub(crate) fn example_object(schema: &Value) -> Value {
    match example(schema) {
        object @ Value::Object(_) => object,
        _ => json!({}),
    }
}

struct Writer<'a> {
    root: &'a Value,
    steps_left: Cell<u32>,
}

impl Writer<'_> {
    fn value(&self, schema: &Value, depth: usize) -> Value {
        let schema = self.flatten(schema, 0);
        if depth > DEPTH_MAX || self.steps_left.get() == 0 {
            return Value::Null;
        }
        if let Some(value) = schema.get("const") {
            return value.clone();
        }
        if let Some(value) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
            return value.clone();
        }
        for key in ["anyOf", "oneOf"] {
            if let Some(branches) = schema.get(key).and_then(Value::as_array).filter(|all| !all.is_empty()) {
                return self.branch(&schema, key, branches, depth);
            }
        }
        match kind(&schema, depth) {
            "object" => self.object(&schema, depth),
            "array" => self.array(&schema, depth),
            "string" => Value::String(string(&schema)),
            "integer" => integer(&schema),
            "number" => number(&schema),
            "boolean" => Value::Bool(true),
            _ => Value::Null,
        }
    }

    /// Follows `$ref` and merges `allOf`, until neither is left.
    fn flatten(&self, schema: &Value, depth: usize) -> Map<String, Value> {
        let Some(members) = schema.as_object() else { return Map::new() };
        let mut flat = members.clone();
        self.steps_left.set(self.steps_left.get().saturating_sub(1));
        if depth > DEPTH_MAX || self.steps_left.get() == 0 {
            return flat;
        }
        let target = flat.remove("$ref").and_then(|reference| self.resolve(&reference));
        let parts = match flat.remove("allOf") {
            Some(Value::Array(parts)) => parts,
            _ => Vec::new(),
        };
        for part in target.into_iter().chain(parts) {
            merge(&mut flat, self.flatten(&part, depth + 1));
        }
        flat
    }

    fn resolve(&self, reference: &Value) -> Option<Value> {
        let pointer = reference.as_str()?.strip_prefix('#')?;
        self.root.pointer(pointer).cloned()
    }

    /// The first alternative, but `null` only where nothing else ends the recursion.
    fn branch(&self, schema: &Map<String, Value>, key: &str, branches: &[Value], depth: usize) -> Value {
        let is_null = |branch: &&Value| branch.get("type").and_then(Value::as_str) == Some("null");
        let null = branches.iter().find(is_null);
        let other = branches.iter().find(|branch| !is_null(branch));
        let deep = depth >= OPTIONAL_DEPTH_MAX;
        let chosen = if deep { null.or(other) } else { other.or(null) };
        let mut merged = schema.clone();
        merged.remove(key);
        if let Some(branch) = chosen {
            let branch = self.flatten(branch, 0);
            if branch.contains_key("type") {
                merged.remove("type");
            }
            merge(&mut merged, branch);
        }
        self.value(&Value::Object(merged), depth + 1)
    }

    fn object(&self, schema: &Map<String, Value>, depth: usize) -> Value {
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        let mut object = Map::new();
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            for (name, property) in properties {
                if depth < OPTIONAL_DEPTH_MAX || required.contains(&name.as_str()) {
                    object.insert(name.clone(), self.value(property, depth + 1));
                }
            }
        }
        for name in required {
            if !object.contains_key(name) {
                let property = schema.get("additionalProperties").filter(|value| value.is_object());
                object.insert(name.to_owned(), property.map_or(Value::Null, |p| self.value(p, depth + 1)));
            }
        }
        let least = schema.get("minProperties").and_then(Value::as_u64).unwrap_or(0).min(ITEMS_MAX);
        for position in 1..=least {
            if u64::try_from(object.len()).unwrap_or(u64::MAX) >= least {
                break;
            }
            let property = schema.get("additionalProperties").unwrap_or(&Value::Null);
            object.insert(format!("key{position}"), self.value(property, depth + 1));
        }
        Value::Object(object)
    }

    fn array(&self, schema: &Map<String, Value>, depth: usize) -> Value {
        let bound = |key: &str| schema.get(key).and_then(Value::as_u64);
        let mut items: Vec<Value> = schema
            .get("prefixItems")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|item| self.value(item, depth + 1))
            .collect();
        let wanted = u64::from(depth < OPTIONAL_DEPTH_MAX && items.is_empty());
        let least = bound("minItems").unwrap_or(0);
        let wanted = least.max(wanted).min(bound("maxItems").unwrap_or(ITEMS_MAX)).min(ITEMS_MAX);
        let unique = schema.get("uniqueItems") == Some(&Value::Bool(true));
        let item_schema = schema.get("items").filter(|items| items.is_object());
        while u64::try_from(items.len()).unwrap_or(u64::MAX) < wanted {
            let item = item_schema.map_or(Value::Null, |items| self.value(items, depth + 1));
            let item = if unique { self.distinct(item, &items, item_schema) } else { item };
            items.push(item);
        }
        Value::Array(items)
    }

    /// `item`, changed until it is none of `others`, for the types where that is simple.
    fn distinct(&self, item: Value, others: &[Value], schema: Option<&Value>) -> Value {
        if !others.contains(&item) {
            return item;
        }
        let flat = schema.map(|schema| self.flatten(schema, 0)).unwrap_or_default();
        let candidates = flat.get("enum").and_then(Value::as_array).cloned().unwrap_or_default();
        let changed = (1_i64..=64).filter_map(|step| match &item {
            Value::String(text) => Some(json!(format!("{text}{step}"))),
            Value::Number(number) => Some(json!(number.as_i64()? + step)),
            _ => None,
        });
        candidates.into_iter().chain(changed).find(|value| !others.contains(value)).unwrap_or(item)
    }
}

/// Adds `other`'s demands: properties and required names are joined, for the rest the first one stays.
fn merge(into: &mut Map<String, Value>, other: Map<String, Value>) {
    for (key, value) in other {
        match (into.get_mut(&key), value) {
            (Some(Value::Object(mine)), Value::Object(theirs)) if key == "properties" => {
                for (name, property) in theirs {
                    mine.entry(name).or_insert(property);
                }
            }
            (Some(Value::Array(mine)), Value::Array(theirs)) if key == "required" => mine.extend(theirs),
            (Some(_), _) => {}
            (None, value) => {
                into.insert(key, value);
            }
        }
    }
}

/// The type to write: the one named, the first but `null` of several, or what the other members imply.
fn kind(schema: &Map<String, Value>, depth: usize) -> &str {
    match schema.get("type") {
        Some(Value::String(name)) => name,
        Some(Value::Array(names)) => {
            let names = || names.iter().filter_map(Value::as_str);
            if depth >= OPTIONAL_DEPTH_MAX && names().any(|name| name == "null") {
                return "null";
            }
            names().find(|name| *name != "null").unwrap_or("null")
        }
        _ if schema.contains_key("properties") || schema.contains_key("required") => "object",
        _ if schema.contains_key("items") || schema.contains_key("prefixItems") => "array",
        _ if schema.contains_key("minimum") || schema.contains_key("maximum") => "number",
        _ => "string",
    }
}

fn string(schema: &Map<String, Value>) -> String {
    let bound = |key: &str| schema.get(key).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let (least, most) =
        (bound("minLength").unwrap_or(0).min(1 << 16), bound("maxLength").unwrap_or(usize::MAX));
    if let Some(text) =
        schema.get("pattern").and_then(Value::as_str).and_then(|p| pattern::example(p, least, most))
    {
        return text;
    }
    if let Some(text) = schema.get("format").and_then(Value::as_str).and_then(formatted) {
        return text.to_owned();
    }
    let mut text: String = "text".chars().take(most).collect();
    while text.chars().count() < least {
        text.push('x');
    }
    text
}

fn formatted(format: &str) -> Option<&'static str> {
    Some(match format {
        "date-time" => "2026-01-02T03:04:05Z",
        "date" => "2026-01-02",
        "time" => "03:04:05Z",
        "duration" => "P1D",
        "email" => "user@example.com",
        "hostname" => "example.com",
        "ipv4" => "192.0.2.1",
        "ipv6" => "2001:db8::1",
        "uri" | "uri-reference" | "url" => "https://example.com/",
        "uuid" => "00000000-0000-4000-8000-000000000000",
        _ => return None,
    })
}

fn integer(schema: &Map<String, Value>) -> Value {
    let bound = |key: &str| {
        let value = schema.get(key)?;
        // `5.0` is an integer in JSON Schema; one beyond 64 bits bounds nothing here.
        value.as_i64().or_else(|| value.as_f64().and_then(|float| format!("{float:.0}").parse().ok()))
    };
    let least = bound("minimum").or_else(|| bound("exclusiveMinimum").map(|least| least.saturating_add(1)));
    let most = bound("maximum").or_else(|| bound("exclusiveMaximum").map(|most| most.saturating_sub(1)));
    let step = bound("multipleOf").filter(|step| *step > 0).unwrap_or(1);
    let start = least.unwrap_or_else(|| most.map_or(step, |most| most.min(step)));
    let up = start.saturating_add((step - start.rem_euclid(step)).rem_euclid(step));
    let fits = most.is_none_or(|most| up <= most);
    json!(if fits { up } else { start.saturating_sub(start.rem_euclid(step)) })
}

fn number(schema: &Map<String, Value>) -> Value {
    let bound = |key: &str| schema.get(key).and_then(Value::as_f64);
    let (least, most) = (bound("minimum"), bound("maximum"));
    let (above, below) = (bound("exclusiveMinimum"), bound("exclusiveMaximum"));
    let mut value = match (least.or(above), most.or(below)) {
        (Some(low), Some(high)) => f64::midpoint(low, high),
        (Some(low), None) => low + 1.0,
        (None, Some(high)) => high - 1.0,
        (None, None) => 1.5,
    };
    if let Some(step) = bound("multipleOf").filter(|step| *step > 0.0) {
        value = (value / step).floor() * step;
        if least.is_some_and(|least| value < least) || above.is_some_and(|above| value <= above) {
            value += step;
        }
    }
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_are_kept() {
        for (schema, value) in [
            (json!({"type": "integer", "minimum": 5}), json!(5)),
            (json!({"type": "integer", "exclusiveMinimum": 5, "multipleOf": 4}), json!(8)),
            (json!({"type": "integer", "maximum": -3}), json!(-3)),
            (json!({"type": "integer", "minimum": -10, "maximum": -1, "multipleOf": 7}), json!(-7)),
            (json!({"type": "number", "minimum": 1, "maximum": 2}), json!(1.5)),
            (json!({"type": "string", "minLength": 6, "maxLength": 6}), json!("textxx")),
            (json!({"type": "string", "pattern": "^[A-Z]{3}-\\d+$", "minLength": 7}), json!("AAA-000")),
            (json!({"type": ["null", "boolean"]}), json!(true)),
            (
                json!({"type": "array", "items": {"type": "integer"}, "minItems": 3, "uniqueItems": true}),
                json!([1, 2, 3]),
            ),
        ] {
            assert_eq!(example(&schema), value, "{schema}");
        }
    }

    #[test]
    fn references_and_alternatives_are_followed() {
        let schema = json!({
            "$defs": {"leaf": {"type": "object", "properties": {"kind": {"const": "leaf"}}, "required": ["kind"]}},
            "type": "object",
            "properties": {
                "a": {"$ref": "#/$defs/leaf"},
                "b": {"anyOf": [{"type": "null"}, {"$ref": "#/$defs/leaf"}]},
                "c": {"allOf": [{"$ref": "#/$defs/leaf"}, {"properties": {"n": {"enum": [3, 4]}}}]},
            },
        });
        assert_eq!(
            example(&schema),
            json!({"a": {"kind": "leaf"}, "b": {"kind": "leaf"}, "c": {"kind": "leaf", "n": 3}})
        );
    }

    #[test]
    fn recursive_schemas_end() {
        let list = json!({
            "type": "object",
            "properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}, "items": {"type": "array", "items": {"$ref": "#"}}},
            "required": ["next", "items"],
        });
        assert!(example(&list).to_string().len() < 10_000);
        let hopeless = json!({"type": "object", "properties": {"me": {"$ref": "#"}}, "required": ["me"]});
        assert!(example(&hopeless).is_object());
        let twice = json!({"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": "#"}}, "required": ["a", "b"]});
        assert!(example(&twice).to_string().len() < 1 << 20);
        let circle = json!({"$ref": "#"});
        assert!(example(&circle).to_string().len() < 100);
    }
}
