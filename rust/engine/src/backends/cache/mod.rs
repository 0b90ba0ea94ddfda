//! Where replies are kept for a second asking.

pub(crate) mod memory;
