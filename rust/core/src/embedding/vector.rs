//! One vector: numbers as JSON, and as base64.

use std::borrow::Cow;

use serde_json::value::RawValue;

use crate::message::{Text, decode_base64, encode_base64};

/// The JSON text of an array of numbers that is not empty, or of what it is packed into.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Vector<'a>(Cow<'a, str>);

impl<'a> Vector<'a> {
    /// A vector as JSON has it; `None` where it is something else.
    pub(crate) fn of(json: &'a RawValue) -> Option<Self> {
        let text = json.get();
        // It is JSON, so these characters can be nothing but numbers.
        let numbers = inside(text)?.bytes().all(|byte| {
            byte.is_ascii_digit()
                || matches!(byte, b',' | b'.' | b'-' | b'+' | b'e' | b'E')
                || byte.is_ascii_whitespace()
        });
        (numbers && !inside(text)?.trim().is_empty()).then_some(Self(Cow::Borrowed(text)))
    }

    /// A vector as `OpenAI` writes it in base64; `None` where it is something else.
    pub(crate) fn of_base64(text: &Text<'_>) -> Option<Self> {
        let bytes = text.clone().decode().and_then(|text| decode_base64(&text))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if numbers.is_empty() || !rest.is_empty() {
            return None;
        }
        let mut json = String::with_capacity(numbers.len() * 12);
        for number in numbers {
            let number = f32::from_le_bytes(*number);
            if !number.is_finite() {
                return None;
            }
            json.push(if json.is_empty() { '[' } else { ',' });
            json.push_str(&number.to_string());
        }
        json.push(']');
        Some(Self(Cow::Owned(json)))
    }

    /// The vector as JSON.
    pub(crate) fn json(&self) -> &str {
        &self.0
    }

    /// An array as `OpenAI` packs it, in single precision with the lowest byte first, as base64; `None` where a number is
    /// too large for that.
    pub(crate) fn packed(&self) -> Option<Vector<'static>> {
        let numbers = inside(&self.0)?;
        let mut bytes = Vec::with_capacity(numbers.len() / 2);
        for number in numbers.split(',') {
            // Rounded once: by way of double precision it may be one off.
            let number: f32 = number.trim().parse().ok()?;
            if !number.is_finite() {
                return None;
            }
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        Some(Vector(Cow::Owned(format!("\"{}\"", encode_base64(&bytes)))))
    }
}

/// What stands between the brackets of an array.
fn inside(json: &str) -> Option<&str> {
    json.strip_prefix('[')?.strip_suffix(']')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Box<RawValue> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn only_an_array_of_numbers_is_a_vector() {
        for text in ["[1]", "[ -0.5, 1e-3 ,\n2E+1]"] {
            assert_eq!(Vector::of(&json(text)).unwrap().json(), text);
        }
        for text in ["[]", "[ ]", "[[1]]", "[1,null]", "[\"1\"]", "[true]", "[{}]", "1", "\"AACAPw==\"", "{}"]
        {
            assert_eq!(Vector::of(&json(text)), None, "{text}");
        }
    }

    #[test]
    fn base64_is_single_precision_with_the_lowest_byte_first() {
        // `struct.pack("<3f", 1, -0.5, 0.1)`
        let text = "AACAPwAAAL/NzMw9";
        let packed = |array: &str| Some(Vector::of(&json(array)).unwrap().packed()?.json().to_owned());
        assert_eq!(packed("[1, -0.5,0.1]").unwrap(), format!("\"{text}\""));
        assert_eq!(Vector::of_base64(&Text::plain(text)).unwrap().json(), "[1,-0.5,0.1]");
        // Halfway between two numbers of single precision but for the last digit.
        let odd = Vector::of_base64(&Text::plain("AQCAPw==")).unwrap();
        assert_eq!(odd.json(), "[1.0000001]");
        assert_eq!(packed("[1.000000059604644775390626]").unwrap(), "\"AQCAPw==\"");
        assert_eq!(packed("[1e39]"), None);
        for text in ["", "AACA", "AACAPwA=", "AACAfw==", "AADAfw==", "?"] {
            assert_eq!(Vector::of_base64(&Text::plain(text)), None, "{text}");
        }
    }
}
