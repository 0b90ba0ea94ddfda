//! Who is calling, and what proves it.

pub mod virtual_key;

use std::sync::Arc;

/// A caller that has been recognised.
#[derive(Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name in the configuration; in logs, never in metric labels.
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
        self.models.iter().any(|pattern| match pattern.strip_suffix('*') {
            Some(prefix) => model.starts_with(prefix),
            None => pattern == model,
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
}
