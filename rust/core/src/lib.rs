//! The nouns of the gateway: types and rules without I/O, clock or environment.
//!
//! Everything here is a pure function of its arguments; time and randomness are handed in. The verbs
//! (what happens to a request, in order) live in `llm-edge-engine`. Read in this order:
#![warn(missing_docs)]

pub mod address;
pub mod date;
pub mod span;

pub mod snapshot;

pub mod directory;
pub mod principal;

pub mod http1;
pub mod pass_through;
pub mod percent;
pub mod sigv4;

pub mod dialect;
pub mod embedding;
pub mod event_stream;
mod message;
pub mod model_name;
pub mod ndjson;
pub mod scan;
pub mod sse;
pub mod stream_usage;
pub mod surface;
pub mod tap;
pub mod tokens;
pub mod translate;

pub mod cache_key;
pub mod routing;
pub mod strategy;

// The models of concurrency in `tests/` compile what follows with locks and atomics of their own under this
// name.
pub(crate) use std::sync;

pub mod breaker;
pub mod occupancy;
pub mod versioned;

pub mod hedge;
pub mod retry;

pub mod rejection;
