//! What is known of models: of a target's own, and of all that a provider has, for targets that leave the model to
//! the client.

use std::collections::HashMap;
use std::num::NonZeroU16;

use serde::Deserialize;

use super::SnapshotError;
use crate::model_name;
use crate::routing::{Capabilities, Price};

/// What is known of a model.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFacts {
    /// What it is known not to do.
    pub lacks: Capabilities,
    /// Tokens of prompt and reply together that it takes; `None`: not known.
    pub context_window: Option<u64>,
    /// What it costs; `None`: not known.
    pub price: Option<Price>,
}

/// The models of a provider of which something is known, by the names under which they may stand.
#[derive(Debug, Default)]
pub struct KnownModels {
    names: HashMap<String, KnownModel>,
    facts: Vec<ModelFacts>,
}

/// One of them: its number there, counted from 1, so that none of them takes no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownModel(NonZeroU16);

impl KnownModels {
    /// Whether nothing is known of any.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The model of that name, if something is known of it.
    pub fn find(&self, name: &str) -> Option<KnownModel> {
        // Most names are written as they are known.
        let find = |name: &str| self.names.get(name).copied();
        find(name).or_else(|| model_name::find(name, find))
    }

    /// What is known of a model that was found.
    pub fn get(&self, found: KnownModel) -> Option<&ModelFacts> {
        self.facts.get(usize::from(found.0.get()) - 1)
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KnownModelsDoc {
    names: HashMap<String, usize>,
    facts: Vec<ModelFacts>,
}

impl KnownModelsDoc {
    pub(super) fn resolve(self, path: &str) -> Result<KnownModels, SnapshotError> {
        let count = self.facts.len();
        let number = |(name, at): (String, usize)| {
            let within = u16::try_from(at).ok().filter(|_| at < count);
            let number = within.and_then(|at| NonZeroU16::new(at.wrapping_add(1))).ok_or_else(|| {
                let message = format!("{at} names none of the {count} models, or one too many");
                SnapshotError::at(format!("{path}.names.{name}"), message)
            })?;
            Ok((name, KnownModel(number)))
        };
        let names = self.names.into_iter().map(number).collect::<Result<_, _>>()?;
        Ok(KnownModels { names, facts: self.facts })
    }
}
