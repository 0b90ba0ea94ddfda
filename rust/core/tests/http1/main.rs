//! The HTTP/1.1 codec against hostile, odd and plain bytes, whole and in pieces.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "in a test a panic is the finding"
)]

mod bodies;
mod connection;
mod properties;
mod requests;
mod responses;
mod vectors;
