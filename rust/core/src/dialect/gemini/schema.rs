//! Schemas in the words of `OpenAPI` 3.0, which the dialect has beside JSON Schema → JSON Schema.
//!
//! Types are in capitals there, lengths may be texts, and null is allowed by `nullable`. Everything else means the
//! same in both and is copied as it came. Source: the discovery document's `Schema`.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::wire::Entries;
use crate::message::json::Json;
use crate::message::read::At;
use crate::message::{Losses, Text, Untranslatable};

/// Deepest nesting; every level is read once more by the one above it.
const DEPTH_MAX: usize = 32;

/// The JSON Schema for `schema`, which stands at `at`.
pub(super) fn json_schema(
    at: &At<'_>,
    schema: &RawValue,
    losses: &mut Losses,
) -> Result<String, Untranslatable> {
    let mut out = Vec::with_capacity(schema.get().len());
    write(at, schema.get(), 0, losses, &mut out)?;
    Ok(String::from_utf8(out).unwrap_or_default())
}

fn write(
    at: &At<'_>,
    schema: &str,
    depth: usize,
    losses: &mut Losses,
    out: &mut Vec<u8>,
) -> Result<(), Untranslatable> {
    if depth > DEPTH_MAX {
        return Err(at.error("is nested deeper than the API allows"));
    }
    let Entries(members) = at.parse(schema)?;
    let nullable = members.iter().any(|(key, value)| key == "nullable" && value.get() == "true");
    let properties = members.iter().find(|(key, _)| key == "properties");
    let Entries(properties) =
        properties.map_or(Ok(Entries::default()), |(_, value)| at.parse(value.get()))?;
    out.open(b'{');
    for (key, value) in members {
        let value = value.get();
        match &*key {
            "nullable" => {}
            "propertyOrdering" | "property_ordering" => {
                // Where it is the order of `properties`, that tells it.
                let order: Vec<Text<'_>> = at.parse(value)?;
                losses.add_if(
                    !order.iter().map(Text::raw).eq(properties.iter().map(|(name, _)| &**name)),
                    "propertyOrdering",
                );
            }
            "type" => kind(value, nullable, out.key("type")),
            "enum" if nullable => with_null(value, out.key("enum")),
            "items" | "additionalProperties" if value.starts_with('{') => {
                write(at, value, depth + 1, losses, out.key(&key))?;
            }
            "anyOf" | "any_of" => {
                let of: Vec<&RawValue> = at.parse(value)?;
                out.key("anyOf").open(b'[');
                for one in of {
                    write(at, one.get(), depth + 1, losses, out)?;
                }
                if nullable {
                    out.raw(r#"{"type":"null"}"#);
                }
                out.close(b']');
            }
            "properties" => {
                out.key("properties").open(b'{');
                for (name, property) in &properties {
                    name_key(name, out);
                    write(at, property.get(), depth + 1, losses, out)?;
                }
                out.close(b'}');
            }
            other => {
                let name = camel_case(other);
                name_key(&name, out);
                match value.strip_prefix('"').and_then(|digits| digits.strip_suffix('"')?.parse().ok()) {
                    Some(count) if is_count(&name) => out.number(count),
                    _ => out.raw(value),
                }
            }
        }
    }
    out.close(b'}');
    Ok(())
}

/// A key that comes from a body.
fn name_key(name: &str, out: &mut Vec<u8>) {
    out.string(name);
    out.push(b':');
}

/// The type, in small letters, and null where it is allowed too.
fn kind(value: &str, nullable: bool, out: &mut Vec<u8>) {
    let value = value.to_ascii_lowercase();
    if nullable && value != "\"null\"" && value.starts_with('"') {
        out.open(b'[');
        out.raw(&value);
        out.raw("\"null\"");
        out.close(b']');
    } else {
        out.raw(&value);
    }
}

fn with_null(values: &str, out: &mut Vec<u8>) {
    match values.strip_suffix(']') {
        Some(values) => {
            out.raw(values.trim_ascii_end());
            out.raw("null");
            out.close(b']');
        }
        None => out.raw(values),
    }
}

/// Whole numbers of 64 bits are texts in JSON that stands for protocol buffers.
fn is_count(name: &str) -> bool {
    matches!(name, "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties")
}

/// The spelling of JSON Schema for a name in the other one.
fn camel_case(name: &str) -> Cow<'_, str> {
    let known = ["min_items", "max_items", "min_length", "max_length", "min_properties", "max_properties"];
    match known.contains(&name).then(|| name.split_once('_')).flatten() {
        Some((before, behind)) => {
            let (first, rest) = behind.split_at_checked(1).unwrap_or((behind, ""));
            Cow::Owned(format!("{before}{}{rest}", first.to_ascii_uppercase()))
        }
        None => Cow::Borrowed(name),
    }
}
