//! JSON written in the order the vendors write it.
//!
//! Members come out as they are listed, because readers of real streams may look at the first bytes of an
//! event (`{"type":…`, `{"id":…`) and the mock must not be easier or harder to read than the vendor.

use serde_json::Value;

/// A finished JSON text.
#[derive(Clone, Debug)]
pub(crate) struct Json(pub(crate) Vec<u8>);

/// What can stand as a value in [`object!`].
pub(crate) trait ToJson {
    /// Appends this value as JSON.
    fn append(&self, out: &mut Vec<u8>);
}

macro_rules! through_serde {
    ($($type:ty),*) => {$(
        impl ToJson for $type {
            fn append(&self, out: &mut Vec<u8>) {
                // Writing these into memory cannot fail; the branch keeps the text JSON all the same.
                if serde_json::to_writer(&mut *out, self).is_err() {
                    out.extend_from_slice(b"null");
                }
            }
        }
    )*};
}
through_serde!(str, String, u64, usize, bool, f64, Value, [f32], [i16]);

impl Json {
    /// A value that is no object.
    pub(crate) fn of(value: &(impl ToJson + ?Sized)) -> Self {
        let mut json = Vec::new();
        value.append(&mut json);
        Self(json)
    }

    /// Adds a last member to an object.
    pub(crate) fn put(&mut self, key: &str, value: &(impl ToJson + ?Sized)) {
        self.0.pop();
        member(&mut self.0, key, value);
        self.0.push(b'}');
    }
}

impl ToJson for Json {
    fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.0);
    }
}

/// `null`.
impl ToJson for () {
    fn append(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"null");
    }
}

impl<T: ToJson + ?Sized> ToJson for &T {
    fn append(&self, out: &mut Vec<u8>) {
        (**self).append(out);
    }
}

impl<T: ToJson> ToJson for Option<T> {
    fn append(&self, out: &mut Vec<u8>) {
        match self {
            Some(value) => value.append(out),
            None => ().append(out),
        }
    }
}

impl ToJson for [Json] {
    fn append(&self, out: &mut Vec<u8>) {
        out.push(b'[');
        for (position, item) in self.iter().enumerate() {
            if position > 0 {
                out.push(b',');
            }
            item.append(out);
        }
        out.push(b']');
    }
}

impl<const N: usize> ToJson for [Json; N] {
    fn append(&self, out: &mut Vec<u8>) {
        self.as_slice().append(out);
    }
}

impl ToJson for Vec<Json> {
    fn append(&self, out: &mut Vec<u8>) {
        self.as_slice().append(out);
    }
}

/// Appends `"key":value`, after a comma unless it is the first member.
pub(crate) fn member(out: &mut Vec<u8>, key: &str, value: &(impl ToJson + ?Sized)) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend_from_slice(key.as_bytes());
    out.extend_from_slice(b"\":");
    value.append(out);
}

/// A JSON object whose members keep the order they are written in.
macro_rules! object {
    ($($key:literal: $value:expr),* $(,)?) => {{
        let mut out = ::std::vec::Vec::with_capacity(256);
        out.push(b'{');
        $( $crate::json::member(&mut out, $key, &$value); )*
        out.push(b'}');
        $crate::json::Json(out)
    }};
}
pub(crate) use object;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_nest() {
        let empty: [Json; 0] = [];
        let json = object! {"b": "x\"\n", "a": [object! {}, object! {"n": 1_u64}], "z": (), "e": empty};
        let mut json = json;
        json.put("p", &true);
        assert_eq!(
            String::from_utf8(json.0).unwrap(),
            r#"{"b":"x\"\n","a":[{},{"n":1}],"z":null,"e":[],"p":true}"#
        );
    }
}
