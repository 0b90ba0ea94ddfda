//! Rules that lead some of a route's requests to another route.

use serde::Deserialize;

use super::Capabilities;
use crate::pass_through::covers;

/// Where requests go for which all of `when` holds.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Index into [`crate::snapshot::Snapshot::routes`].
    pub route: usize,
    /// What must hold.
    pub when: When,
}

/// What must hold, all of it; of a list, one of it. A pattern is a word or ends in `*`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct When {
    /// Header fields by their lower-case names.
    pub headers: Vec<(String, Vec<String>)>,
    /// Names of keys.
    pub keys: Vec<String>,
    /// Models as the client calls them.
    pub models: Vec<String>,
    /// Words of the header field [`TAGS`].
    pub tags: Vec<String>,
    /// An estimate of the prompt's tokens, at least.
    pub input_tokens_min: Option<u64>,
    /// The same, at most.
    pub input_tokens_max: Option<u64>,
    /// What the request needs, all of them.
    pub needs: Capabilities,
    /// Whether the reply is to be a stream.
    pub stream: Option<bool>,
    /// A time of the day.
    pub hours: Option<Hours>,
}

/// The header field in which clients tag a request: words, separated by commas.
pub(super) const TAGS: &str = "x-llm-edge-tags";

/// A time of some days, UTC.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Minutes after midnight, at least.
    pub from: u32,
    /// Minutes after midnight, less than; not above `from`: on the next day.
    pub to: u32,
    /// Days of the week on which it begins, Monday being the lowest bit.
    pub days: u8,
}

/// What rules look at.
pub struct Asked<'a> {
    /// The value of a header field by its lower-case name.
    pub header: &'a dyn Fn(&str) -> Option<&'a [u8]>,
    /// Name of the caller's key.
    pub key: &'a str,
    /// The model as the client calls it.
    pub model: &'a str,
    /// What the request needs.
    pub needs: super::Needs,
    /// Whether the reply is to be a stream.
    pub stream: bool,
    /// Seconds since 1970, UTC.
    pub unix_s: u64,
}

impl When {
    /// Whether all of it holds.
    pub fn holds(&self, asked: &Asked<'_>) -> bool {
        let one_of = |patterns: &[String], word: &[u8]| patterns.is_empty() || covers(patterns, word);
        let has = |(name, patterns): &(String, Vec<String>)| {
            (asked.header)(name).is_some_and(|value| covers(patterns, value.trim_ascii()))
        };
        let tagged = || {
            let tags = (asked.header)(TAGS).unwrap_or_default();
            tags.split(|byte| *byte == b',').any(|tag| covers(&self.tags, tag.trim_ascii()))
        };
        let tokens = asked.needs.input_tokens;
        one_of(&self.keys, asked.key.as_bytes())
            && one_of(&self.models, asked.model.as_bytes())
            && self.stream.is_none_or(|stream| stream == asked.stream)
            && self.input_tokens_min.is_none_or(|least| tokens >= least)
            && self.input_tokens_max.is_none_or(|most| tokens <= most)
            && asked.needs.capabilities.and(self.needs) == self.needs
            && self.hours.is_none_or(|hours| hours.hold(asked.unix_s))
            && self.headers.iter().all(has)
            && (self.tags.is_empty() || tagged())
    }

    /// Whether the body has to be looked into.
    pub fn looks_at_needs(&self) -> bool {
        self.input_tokens_min.is_some() || self.input_tokens_max.is_some() || !self.needs.is_empty()
    }
}

impl Hours {
    fn hold(&self, unix_s: u64) -> bool {
        let minute = u32::try_from(unix_s / 60 % (24 * 60)).unwrap_or_default();
        // The first of January 1970 was a Thursday.
        let day = u32::try_from((unix_s / 86_400 + 3) % 7).unwrap_or_default();
        let begins = |day: u32| self.days & (1 << day) != 0;
        if self.from < self.to {
            return (self.from..self.to).contains(&minute) && begins(day);
        }
        (minute >= self.from && begins(day)) || (minute < self.to && begins((day + 6) % 7))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3600;
    /// A Monday.
    const MONDAY: u64 = 4 * 86_400;

    #[test]
    fn a_night_belongs_to_the_day_on_which_it_begins() {
        let friday_night = Hours { from: 22 * 60, to: 6 * 60, days: 1 << 4 };
        let at = |day: u64, hour: u64| friday_night.hold(MONDAY + day * 86_400 + hour * HOUR);
        assert!(at(4, 22) && at(4, 23) && at(5, 0) && at(5, 5));
        assert!(!at(4, 21) && !at(4, 5) && !at(5, 6) && !at(5, 22));
    }

    #[test]
    fn all_conditions_must_hold_and_of_a_list_one() {
        let words = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let when = When {
            headers: vec![("x-tier".to_owned(), words(&["gold", "plat*"]))],
            tags: words(&["batch"]),
            input_tokens_min: Some(10),
            ..When::default()
        };
        let holds = |tier: &'static str, tags: &'static str, input_tokens: u64| {
            let header = |name: &str| match name {
                "x-tier" => Some(tier.as_bytes()),
                TAGS => Some(tags.as_bytes()),
                _ => None,
            };
            let needs = super::super::Needs { input_tokens, ..Default::default() };
            when.holds(&Asked { header: &header, key: "app", model: "m", needs, stream: false, unix_s: 0 })
        };
        assert!(holds("gold", "batch", 10) && holds("platinum", "a, batch ,b", 11));
        assert!(!holds("silver", "batch", 10) && !holds("gold", "batches", 10) && !holds("gold", "batch", 9));
    }
}
