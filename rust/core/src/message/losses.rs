//! Names of what could not be carried over as it came.
//!
//! Invariant: bounded, in the order of the first loss, without repetition; names of fields only, in visible
//! ASCII without commas, so that the list may stand in a header.

use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};

/// Most names that are kept; of further losses only the fact.
const LOSSES_MAX: usize = 32;

/// Longest name that is kept.
const NAME_BYTES_MAX: usize = 96;

/// Stands for names that are too many, too long or not fit for a header.
const OTHER: &str = "other";

/// An ordered set of field names; `Display` joins them by commas.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Losses(Vec<Cow<'static, str>>);

impl Losses {
    /// The names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// Whether everything was carried over.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Names a loss.
    pub fn add(&mut self, name: &'static str) {
        self.keep(name, Cow::Borrowed);
    }

    /// Names a loss if there is one.
    pub(crate) fn add_if(&mut self, lost: bool, name: &'static str) {
        if lost {
            self.add(name);
        }
    }

    /// Names the numbers that ask for something else than what is by default, given behind them.
    pub(crate) fn unlike_default(&mut self, numbers: &[(&'static str, Option<&str>, &str)]) {
        for (name, number, default) in numbers {
            self.add_if(number.is_some_and(|number| number.trim_end_matches(".0") != *default), name);
        }
    }

    /// Names the members of `place` (`""` for the document, else with its dot) that nobody knows, but for
    /// those that are `harmless`.
    pub(crate) fn unknown(&mut self, place: &str, names: &[Cow<'_, str>], harmless: &[&str]) {
        for name in names {
            if !harmless.contains(&name.as_ref()) {
                self.named(place, name);
            }
        }
    }

    /// Names a loss by a name that comes from a body.
    pub(crate) fn named(&mut self, place: &str, name: &str) {
        let fit = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.[]".contains(&byte));
        if fit && !name.is_empty() && place.len() + name.len() <= NAME_BYTES_MAX {
            self.keep(&format!("{place}{name}"), |name| Cow::Owned(name.to_owned()));
        } else {
            self.add(OTHER);
        }
    }

    /// Names these losses too, in the words of the API they are told to: the first of a pair is the canonical
    /// name, the second its own.
    pub(crate) fn append(&mut self, losses: Self, words: &[(&str, &'static str)]) {
        for name in losses.0 {
            let own = words.iter().find(|(of, _)| *of == name).map_or(name, |(_, word)| Cow::Borrowed(*word));
            self.keep(&own.clone(), |_| own);
        }
    }

    fn keep<'n>(&mut self, name: &'n str, owned: impl FnOnce(&'n str) -> Cow<'static, str>) {
        if self.0.iter().any(|known| known == name) {
            return;
        }
        if self.0.len() + 1 < LOSSES_MAX {
            self.0.push(owned(name));
        } else if self.0.len() < LOSSES_MAX {
            self.0.push(Cow::Borrowed(OTHER));
        }
    }
}

impl Display for Losses {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, name) in self.names().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(name)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_in_other_words() {
        let mut losses = Losses::default();
        losses.add("b");
        let mut more = Losses::default();
        for name in ["x", "a", "y", "c"] {
            more.add(name);
        }
        losses.append(more, &[("x", "b"), ("y", "z"), ("b", "never")]);
        assert_eq!(losses.to_string(), "b,a,z,c");
    }

    #[test]
    fn names_stay_few_short_and_fit_for_a_header() {
        let mut losses = Losses::default();
        losses.add("n");
        losses.unknown("messages[].", &["name".into(), "kept".into(), "a,b".into(), "ü".into()], &["kept"]);
        losses.add("n");
        assert_eq!(losses.to_string(), "n,messages[].name,other");
        for index in 0..100 {
            losses.named("", &format!("x{index}"));
        }
        losses.named("", &"x".repeat(1000));
        assert_eq!(losses.names().count(), LOSSES_MAX);
        assert_eq!(losses.names().last(), Some(OTHER));
    }
}
