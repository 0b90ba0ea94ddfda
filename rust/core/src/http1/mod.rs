//! HTTP/1.1 as we insist on it: bytes in, spans out, no I/O.
//!
//! A head parser looks at the bytes that have arrived and either asks for more or names every part of the
//! head by its place in that buffer; nothing is copied and the vectors are reused from message to message.
//! The body decoder does the same for the chunked coding.
//!
//! Invariant: a message has one meaning. Wherever two readers of RFC 9110 and RFC 9112 could disagree about
//! where a message ends, whom it is for or which fields it has, it is refused here, so that no reader behind
//! us sees another message than the one that was authorised. What the RFCs let a recipient repair (bare line
//! feeds, folded lines, repeated equal lengths, lists of transfer codings) is refused as well.
//!
//! Second invariant: the outcome does not depend on how the bytes were cut. A decision is made as soon as the
//! bytes that settle it are there, in the order of the bytes, and never looks at later ones.
//!
//! Sources: RFC 9110 (semantics), RFC 9112 (HTTP/1.1). Deviations, all of them towards refusing, are named
//! where they are made.
#![deny(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::arithmetic_side_effects,
    clippy::float_arithmetic
)]

pub mod chunked;
pub mod error;
pub mod field;
pub mod request;
pub mod response;
pub mod write;

mod bytes;
mod head;
mod mask;

pub use chunked::{Chunked, Step};
pub use error::Http1Error;
pub use field::{Field, Known};
pub use request::{RequestFraming, RequestHead};
pub use response::{ResponseFraming, ResponseHead};

/// The version in a start line. Others are refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Version {
    /// `HTTP/1.0`: closes unless told otherwise, has no transfer codings.
    Http10,
    /// `HTTP/1.1`.
    #[default]
    Http11,
}

/// How much a peer may say before its message's body begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the head, start line and the empty line at its end included.
    pub head_bytes_max: usize,
    /// Number of fields.
    pub headers_max: usize,
    /// Bytes of the request target; not used for responses.
    pub target_bytes_max: usize,
}

/// Whether a head is all there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// More bytes are needed; call again with all of them.
    Partial,
    /// The head is complete; its length is in `len`.
    Complete,
}
