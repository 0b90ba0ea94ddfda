//! Who is calling, and what proves it.

pub mod virtual_key;

use std::sync::Arc;

use crate::pass_through::covers;

/// A caller that has been recognised.
#[derive(Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name in the configuration; in logs; in metric labels only where the operator asks for it.
    pub name: String,
    /// What keeps its cached replies apart from those of others: the key's hash, or empty for anonymous.
    pub scope: Vec<u8>,
    /// Model names it may ask for; a pattern is a name or ends in `*`.
    pub models: Vec<String>,
}

impl Principal {
    /// The caller where no keys are configured: anyone who reaches the (loopback) listener.
    pub fn anonymous() -> Arc<Self> {
        Arc::new(Self { name: "anonymous".to_owned(), scope: Vec::new(), models: vec!["*".to_owned()] })
    }

    /// Whether this caller may ask for `model`.
    pub fn may_use(&self, model: &str) -> bool {
        covers(&self.models, model.as_bytes())
    }

    /// Whether this caller may ask for every model that one of the patterns covers; where there is no pattern, for
    /// anything at all.
    pub fn may_use_all(&self, patterns: &[String]) -> bool {
        let has = |pattern: &str| {
            self.models.iter().any(|own| match own.strip_suffix('*') {
                Some(start) => pattern.trim_end_matches('*').starts_with(start),
                None => own == pattern,
            })
        };
        if patterns.is_empty() { has("*") } else { patterns.iter().all(|pattern| has(pattern)) }
    }

    /// Whether there is a model, covered by one of the patterns, that this caller may ask for; where there is no
    /// pattern, whether it may for anything at all.
    pub fn may_use_some(&self, patterns: &[String]) -> bool {
        if patterns.is_empty() {
            return self.may_use_all(patterns);
        }
        patterns.iter().any(|pattern| match pattern.strip_suffix('*') {
            None => self.may_use(pattern),
            Some(start) => self.models.iter().any(|own| {
                let own_start = own.strip_suffix('*').unwrap_or(own);
                own_start.starts_with(start) || (own_start.len() < own.len() && start.starts_with(own_start))
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_without_star_is_the_whole_name() {
        let p = Principal { name: "a".into(), scope: vec![], models: vec!["gpt-x".into(), "mock/*".into()] };
        assert!(p.may_use("gpt-x") && p.may_use("mock/echo"));
        assert!(!p.may_use("gpt-xy") && !p.may_use("mock"));
    }

    #[test]
    fn patterns_are_had_whole_or_in_part() {
        let of = |models: &[&str]| Principal {
            name: "a".into(),
            scope: vec![],
            models: models.iter().map(ToString::to_string).collect(),
        };
        let patterns = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        let (any, team, one) = (of(&["*"]), of(&["team/*"]), of(&["team/a"]));
        for (route, [all, some]) in [
            (patterns(&[]), [[true, false, false], [true, false, false]]),
            (patterns(&["team/a"]), [[true, true, true], [true, true, true]]),
            (patterns(&["team/*"]), [[true, true, false], [true, true, true]]),
            (patterns(&["team/a", "b"]), [[true, false, false], [true, true, true]]),
            (patterns(&["*"]), [[true, false, false], [true, true, true]]),
            (patterns(&["b"]), [[true, false, false], [true, false, false]]),
        ] {
            assert_eq!([&any, &team, &one].map(|p| p.may_use_all(&route)), all, "{route:?}");
            assert_eq!([&any, &team, &one].map(|p| p.may_use_some(&route)), some, "{route:?}");
        }
    }
}
