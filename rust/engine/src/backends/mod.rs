//! What waits on the world: caches and upstream connections.

pub(crate) mod cache;
pub(crate) mod owners;
pub(crate) mod policies;
pub(crate) mod upstream;
