//! What the measuring programs share: canned replies, and just enough HTTP/1.1 to find where a message ends.
//!
//! None of it is the gateway's own code: a fault in a codec must not hide itself by being on both sides.

pub mod canned;
pub mod message;

/// What a program says when it cannot go on: one line for a person.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;
