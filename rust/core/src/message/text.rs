//! A JSON string as it stands between its quotes, escapes and all.
//!
//! Both sides of a translation are JSON, so content is copied by its span and decoded only where something
//! must be known about it. Invariant: putting quotes around [`Text::raw`] gives a valid JSON string.
//! Source: RFC 8259 §7.

use std::borrow::Cow;

use serde::de::{Deserialize, Deserializer, Error};
use serde_json::value::RawValue;

use crate::scan::{self, escape_json};
use crate::span::Span;

/// The inside of a JSON string.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text of a JSON string; `None` where `json` is something else.
    pub(crate) fn of(json: &'a RawValue) -> Option<Self> {
        let raw = json.get().strip_prefix('"')?.strip_suffix('"')?;
        Some(Self(Cow::Borrowed(raw)))
    }

    /// Text that needs no escapes: base64, names of ours.
    pub(crate) const fn plain(text: &'a str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Text that is escaped already, such as pieces of other texts with something between them.
    pub(crate) const fn escaped(raw: String) -> Self {
        Self(Cow::Owned(raw))
    }

    /// `text` with the escapes that JSON asks for.
    pub(crate) fn escape(text: &str) -> Self {
        let mut raw = Vec::with_capacity(text.len() + 8);
        escape_json(&mut raw, text);
        // Escapes are ASCII and go between whole characters.
        Self(Cow::Owned(String::from_utf8(raw).unwrap_or_default()))
    }

    /// The text as it stands between the quotes.
    pub(crate) fn raw(&self) -> &str {
        &self.0
    }

    /// Puts another text behind this one.
    pub(crate) fn append(&mut self, more: &Text<'_>) {
        self.0.to_mut().push_str(&more.0);
    }

    /// Whether there is no text.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text with its escapes resolved; `None` where half a surrogate pair cannot be.
    pub(crate) fn decode(self) -> Option<Cow<'a, str>> {
        match self.0 {
            Cow::Borrowed(raw) => decode(raw),
            Cow::Owned(raw) => decode(&raw).map(|text| Cow::Owned(text.into_owned())),
        }
    }

    /// The same text, borrowed from this one.
    pub(crate) fn borrowed(&self) -> Text<'_> {
        Text(Cow::Borrowed(&self.0))
    }

    /// The same text, independent of the body it came from.
    pub(crate) fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }

    /// What follows `prefix`, where the text begins so.
    pub(crate) fn strip_prefix(&self, prefix: &str) -> Option<Text<'a>> {
        Some(match &self.0 {
            Cow::Borrowed(raw) => Text(Cow::Borrowed(raw.strip_prefix(prefix)?)),
            Cow::Owned(raw) => Text(Cow::Owned(raw.strip_prefix(prefix)?.to_owned())),
        })
    }

    /// What stands before and behind the first `separator`.
    pub(crate) fn split_once(&self, separator: &str) -> Option<(Text<'a>, Text<'a>)> {
        Some(match &self.0 {
            Cow::Borrowed(raw) => {
                let (before, behind) = raw.split_once(separator)?;
                (Text(Cow::Borrowed(before)), Text(Cow::Borrowed(behind)))
            }
            Cow::Owned(raw) => {
                let (before, behind) = raw.split_once(separator)?;
                (Text(Cow::Owned(before.to_owned())), Text(Cow::Owned(behind.to_owned())))
            }
        })
    }
}

fn decode(raw: &str) -> Option<Cow<'_, str>> {
    let escaped = memchr::memchr(b'\\', raw.as_bytes()).is_some();
    scan::Text { raw: Span::new(0, raw.len()), escaped }.decode(raw.as_bytes()).ok()
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&'de RawValue>::deserialize(deserializer)?;
        Text::of(json).ok_or_else(|| D::Error::custom("expected a string"))
    }
}
