//! Loops that no request owns.

pub(crate) mod probes;
