//! Loops that no request owns.

pub(crate) mod notices;
pub(crate) mod probes;
