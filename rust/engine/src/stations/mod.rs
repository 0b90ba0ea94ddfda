//! The stations of a request, in the order in which it meets them. A station knows the core, the backends
//! and the telemetry, never another station's insides.

pub(crate) mod head;

pub(crate) mod authenticate;

pub(crate) mod body;

pub(crate) mod authorize;

pub(crate) mod admit;

pub(crate) mod guard;

pub(crate) mod cache;

pub(crate) mod route;

pub(crate) mod policy;

pub(crate) mod estimate;

pub(crate) mod send;

pub(crate) mod stream;

pub(crate) mod settle;
