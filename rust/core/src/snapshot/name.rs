//! Model names: which route a name takes, and which names are listed.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;

use super::SnapshotError;
use crate::surface::Dialect;

/// Model name → route index. Exact names first, then prefixes in the order given (the compiler sorts them,
/// longest first, written ones before those a provider name implies), then the default of the dialect.
#[derive(Debug, Default)]
pub struct Names {
    exact: HashMap<String, usize>,
    prefixes: Vec<(String, usize)>,
    by_dialect: BTreeMap<Dialect, usize>,
}

impl Names {
    /// The route for a model name asked for in a dialect; in `None`, no route is taken but by its name.
    pub fn route(&self, model: &str, dialect: Option<Dialect>) -> Option<usize> {
        if let Some(route) = self.exact.get(model) {
            return Some(*route);
        }
        if let Some((_, route)) = self.prefixes.iter().find(|(prefix, _)| model.starts_with(prefix.as_str()))
        {
            return Some(*route);
        }
        // A name with a `/` asks for a provider; guessing another one would send text to the wrong place.
        if model.contains('/') {
            return None;
        }
        self.by_dialect.get(&dialect?).copied()
    }

    /// The exact names known, in no order.
    pub fn exact(&self) -> impl Iterator<Item = &str> {
        self.exact.keys().map(String::as_str)
    }

    /// What names begin with that lead somewhere by their beginning, such as `openai/`.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.prefixes.iter().map(|(prefix, _)| prefix.as_str())
    }
}

/// A model that `GET /v1/models` may list.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name to ask for.
    pub id: String,
    /// Provider or route that serves it.
    pub owned_by: String,
    /// Unix time in seconds.
    pub created: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamesDoc {
    exact: BTreeMap<String, usize>,
    prefixes: Vec<(String, usize)>,
    by_dialect: BTreeMap<Dialect, usize>,
}

impl NamesDoc {
    pub(super) fn resolve(self, routes: usize) -> Result<Names, SnapshotError> {
        let known = |path: String, route: usize| {
            if route < routes {
                Ok(())
            } else {
                Err(SnapshotError::at(path, format!("{route} names none of the {routes} routes")))
            }
        };
        for (name, route) in &self.exact {
            known(format!("names.exact.{name}"), *route)?;
        }
        for (at, (_, route)) in self.prefixes.iter().enumerate() {
            known(format!("names.prefixes[{at}]"), *route)?;
        }
        for (dialect, route) in &self.by_dialect {
            known(format!("names.by_dialect.{}", dialect.name()), *route)?;
        }
        Ok(Names {
            exact: self.exact.into_iter().collect(),
            prefixes: self.prefixes,
            by_dialect: self.by_dialect,
        })
    }
}
