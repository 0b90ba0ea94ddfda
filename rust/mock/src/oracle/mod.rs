//! The oracle: an upstream whose reply is a pure function of the question, and a client that judges what a
//! gateway makes of it.
//!
//! Every reply is filed as EXACT, EXPLICIT ERROR or VIOLATION ([`verdict`] says what these mean, to the word).
//! Invariant: nothing here shares code with the product: no codec, no scanner, no dialect of `rust/core`.
//! What both sides misunderstood in the same way would otherwise pass.
//!
//! It cannot be flattered: each scenario declares the one class its replies must end in, so that a gateway
//! that refuses everything fails; a fault that the upstream's log does not show fails the run; and planted bugs
//! (`tests/oracle`) show that the harness finds what it is for.
//!
//! Read in this order: [`story`] (what is said), [`ask`] (a question), [`order`] (faults), [`reply`] (dialects),
//! [`script`] (a reply to the byte), [`upstream`], [`log`]; then [`client`], [`sse`], [`verdict`]; then
//! [`scenario`], [`run`], [`disconnect`], [`gateway`], [`command`].

pub mod ask;
pub mod client;
pub mod coding;
pub mod command;
pub mod disconnect;
pub mod gateway;
pub mod log;
pub mod meaning;
pub mod order;
pub mod reply;
pub mod run;
pub mod scenario;
pub mod script;
pub mod sse;
pub mod story;
pub mod tls;
pub mod upstream;
pub mod verdict;
