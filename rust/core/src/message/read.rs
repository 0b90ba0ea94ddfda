//! Reading JSON objects into borrowed structs, and saying where in the document a fault is.
//!
//! [`object!`] declares a struct whose members are all optional, null counting as absent. Invariants: a member
//! that is known may come once only; with `..rest`, of every other member that says something the name is kept,
//! so that nothing is left out unnoticed. Members that may be of several types stay raw and are read where they are
//! looked at, which is also where their path is known.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

use serde::de::{Deserialize, Deserializer, Error, Visitor};
use serde_json::value::RawValue;

use super::Untranslatable;

/// Declares a struct of optional members with its `Deserialize`; `field`, `field as "key"` or `field as "key" or
/// "other_spelling"`.
macro_rules! object {
    ($(#[$doc:meta])* $name:ident<$a:lifetime> {
        $($field:ident $(as $key:literal $(or $alias:literal)?)? : $kind:ty,)* $(..$rest:ident)?
    }) => {
        $(#[$doc])*
        #[derive(Debug, Default)]
        pub(crate) struct $name<$a> {
            $(pub(crate) $field: Option<$kind>,)*
            $(
                /// Names of the members that are not known.
                pub(crate) $rest: Vec<std::borrow::Cow<$a, str>>,
            )?
        }

        impl<$a> serde::de::Deserialize<$a> for $name<$a> {
            fn deserialize<D: serde::de::Deserializer<$a>>(deserializer: D) -> Result<Self, D::Error> {
                struct Members;
                impl<$a> serde::de::Visitor<$a> for Members {
                    type Value = $name<$a>;
                    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                        f.write_str("an object")
                    }
                    fn visit_map<M: serde::de::MapAccess<$a>>(self, mut map: M) -> Result<$name<$a>, M::Error> {
                        $(let mut $field: Option<Option<$kind>> = None;)*
                        let mut unknown = Vec::new();
                        while let Some($crate::message::read::Key(key)) = map.next_key()? {
                            match &*key {
                                $($crate::message::read::key!($field $($key)?) $($(| $alias)?)? => {
                                    if $field.replace(map.next_value()?).is_some() {
                                        return Err(serde::de::Error::duplicate_field(
                                            $crate::message::read::key!($field $($key)?),
                                        ));
                                    }
                                })*
                                _ => {
                                    if $crate::message::read::says_something(map.next_value()?) {
                                        unknown.push(key);
                                    }
                                }
                            }
                        }
                        Ok($name { $($field: $field.flatten(),)* $($rest: unknown,)? })
                    }
                }
                deserializer.deserialize_map(Members)
            }
        }
    };
}

/// The key of a member: its own spelling, or the name of its field.
macro_rules! key {
    ($field:ident) => {
        stringify!($field)
    };
    ($field:ident $key:literal) => {
        $key
    };
}

pub(crate) use {key, object};

/// A key, borrowed where it has no escapes.
pub(crate) struct Key<'a>(pub(crate) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Key<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl<'de> Visitor<'de> for Text {
            type Value = Key<'de>;
            fn expecting(&self, f: &mut Formatter<'_>) -> fmt::Result {
                f.write_str("a key")
            }
            fn visit_borrowed_str<E: Error>(self, key: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(key)))
            }
            fn visit_str<E: Error>(self, key: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(key.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

/// Whether a member with this value differs from one that was not sent.
pub(crate) fn says_something(value: &RawValue) -> bool {
    !matches!(value.get(), "null" | "false" | "\"\"" | "[]" | "{}")
}

/// A place in a document, as its parents and one step.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At<'p> {
    parent: Option<&'p At<'p>>,
    step: Step,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Root,
    Member(&'static str),
    Index(usize),
}

impl At<'_> {
    /// The whole document.
    pub(crate) const ROOT: At<'static> = At { parent: None, step: Step::Root };

    /// A member of the object here.
    pub(crate) const fn member(&self, name: &'static str) -> At<'_> {
        At { parent: Some(self), step: Step::Member(name) }
    }

    /// An element of the array here.
    pub(crate) const fn index(&self, index: usize) -> At<'_> {
        At { parent: Some(self), step: Step::Index(index) }
    }

    /// Steps from the document to here.
    pub(crate) fn depth(&self) -> usize {
        self.parent.map_or(0, |parent| parent.depth() + 1)
    }

    /// What is wrong here, and what to do about it.
    pub(crate) fn error(&self, message: impl Into<String>) -> Untranslatable {
        Untranslatable { path: self.to_string(), message: message.into() }
    }

    /// The value of a member that must be there.
    pub(crate) fn required<T>(&self, name: &'static str, value: Option<T>) -> Result<T, Untranslatable> {
        value.ok_or_else(|| self.member(name).error("is missing"))
    }

    /// The JSON text of a member that is a number.
    pub(crate) fn number<'a>(
        &self,
        name: &'static str,
        value: Option<&'a RawValue>,
    ) -> Result<Option<&'a str>, Untranslatable> {
        match value.map(RawValue::get) {
            Some(text) if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                Err(self.member(name).error("must be a number"))
            }
            text => Ok(text),
        }
    }

    /// Reads the JSON text that stands here.
    pub(crate) fn parse<'a, T: Deserialize<'a>>(&self, json: &'a str) -> Result<T, Untranslatable> {
        serde_json::from_str(json).map_err(|error| {
            let offset = offset_of(json, error.line(), error.column());
            let mut path = self.to_string();
            path_to(json, offset, &mut path);
            let mut message = error.to_string();
            // The place is told by the path; the line would be one of a part of the body.
            if let Some(end) = message.find(" at line ") {
                message.truncate(end);
            }
            Untranslatable { path, message }
        })
    }
}

impl Display for At<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Root => Ok(()),
            Step::Member(name) if self.parent.is_none_or(|p| matches!(p.step, Step::Root)) => {
                f.write_str(name)
            }
            Step::Member(name) => write!(f, ".{name}"),
            Step::Index(index) => write!(f, "[{index}]"),
        }
    }
}

/// The byte offset of a line and a column, both from 1 and in bytes.
fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let start = match line {
        0 | 1 => 0,
        _ => memchr::memchr_iter(b'\n', text.as_bytes()).nth(line - 2).map_or(text.len(), |at| at + 1),
    };
    start + column
}

/// Longest key that is repeated in a path.
const KEY_BYTES_MAX: usize = 64;

/// Appends the path from the start of `json` to the value that ends or breaks at `offset`. Deeper values are
/// left out where the text is no JSON up to there.
#[cold]
fn path_to(json: &str, offset: usize, path: &mut String) {
    // One entry per open bracket: the key or the index of the value under way.
    let mut open: Vec<Place<'_>> = Vec::new();
    let bytes = json.as_bytes();
    let (mut at, mut key_next) = (0, false);
    // A value that is refused as a whole has its last byte just before `offset`.
    while at < bytes.len() && at + 1 < offset.max(1) {
        match bytes.get(at) {
            Some(b'{') => {
                open.push(Place::Key(""));
                key_next = true;
            }
            Some(b'[') => {
                open.push(Place::Index(0));
                key_next = false;
            }
            Some(b'}' | b']') => {
                open.pop();
                key_next = false;
            }
            Some(b',') => match open.last_mut() {
                Some(Place::Index(index)) => *index += 1,
                _ => key_next = true,
            },
            Some(b'"') => {
                let end = string_end(bytes, at);
                if end > offset {
                    break;
                }
                if std::mem::take(&mut key_next) {
                    let name = json.get(at + 1..end.saturating_sub(1)).unwrap_or_default();
                    if let Some(place) = open.last_mut() {
                        *place = Place::Key(name);
                    }
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    for place in open {
        match place {
            Place::Index(index) => path.extend(["[", &index.to_string(), "]"]),
            Place::Key(key) if key.is_empty() || key.len() > KEY_BYTES_MAX => {}
            Place::Key(key) => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(key);
            }
        }
    }
}

enum Place<'a> {
    Key(&'a str),
    Index(usize),
}

/// One past the closing quote of the string that opens at `at`, or the end.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    while let Some(byte) = bytes.get(end) {
        match byte {
            b'"' => return end + 1,
            b'\\' => end += 2,
            _ => end += 1,
        }
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    object! {
        Inner<'a> { name: &'a RawValue, count as "count" or "number": u64, }
    }
    object! {
        Outer<'a> { list: Vec<Inner<'a>>, kind as "type": super::super::Text<'a>, ..rest }
    }

    #[test]
    fn a_fault_is_named_by_its_path() {
        for (json, path) in [
            (r#"{"type":1}"#, "type"),
            (r#"{"type":"a","list":[{"count":1},{"name":[{"x":","}],"count":-1}]}"#, "list[1].count"),
            (r#"{"list":[{"count":1},{"count":1,"count":2}]}"#, "list[1].count"),
            (r#"{"list":[{"count":1,"number":2}]}"#, "list[0].number"),
            ("{\n\"list\": [\n {\"count\": \"x\"}]}", "list[0].count"),
            (r#"{"list":{}}"#, "list"),
        ] {
            let Err(error) = At::ROOT.parse::<Outer<'_>>(json) else { panic!("{json}") };
            assert_eq!(error.path, path, "{json}: {}", error.message);
        }
        let outer: Outer<'_> = At::ROOT.parse(r#"{"x":null,"y":0,"list":null,"\u0074ype":"a"}"#).unwrap();
        assert_eq!(outer.rest, ["y"]);
        assert_eq!(outer.kind.unwrap().raw(), "a");
        let outer: Outer<'_> = At::ROOT.parse(r#"{"list":[{"name":[1, 2],"count":3,"z":{}}]}"#).unwrap();
        let [inner] = outer.list.unwrap().try_into().unwrap();
        assert_eq!((inner.name.unwrap().get(), inner.count), ("[1, 2]", Some(3)));
        let at = At::ROOT;
        let (at, deep) = (at.member("messages"), 3);
        assert_eq!(at.index(deep).member("content").to_string(), "messages[3].content");
    }
}
