//! What a model can do, as far as a request may need it.

use serde::{Deserialize, Serialize};

/// Something that a request needs and not every model has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Capability {
    /// Calls tools.
    Tools,
    /// Takes pictures, or pages that are looked at.
    Vision,
    /// Answers in the form of a JSON schema.
    JsonSchema,
    /// Thinks before it answers.
    Reasoning,
    /// Takes or gives sound.
    Audio,
}

impl Capability {
    /// Every one, in declaration order.
    pub const ALL: [Self; 5] = [Self::Tools, Self::Vision, Self::JsonSchema, Self::Reasoning, Self::Audio];

    /// The name used in configuration, messages and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Vision => "vision",
            Self::JsonSchema => "json_schema",
            Self::Reasoning => "reasoning",
            Self::Audio => "audio",
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// Some of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "Vec<Capability>")]
pub struct Capabilities(u8);

impl Capabilities {
    /// None.
    pub const NONE: Self = Self(0);

    /// Whether it is none.
    #[inline]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this one is among them.
    #[inline]
    pub const fn has(self, capability: Capability) -> bool {
        self.0 & capability.bit() != 0
    }

    /// Those and this one.
    #[must_use]
    pub const fn with(self, capability: Capability) -> Self {
        Self(self.0 | capability.bit())
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of both.
    #[inline]
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// In declaration order.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |capability| self.has(*capability))
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<T: IntoIterator<Item = Capability>>(them: T) -> Self {
        them.into_iter().fold(Self::NONE, Self::with)
    }
}

impl From<Vec<Capability>> for Capabilities {
    fn from(them: Vec<Capability>) -> Self {
        them.into_iter().collect()
    }
}

impl Serialize for Capabilities {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
