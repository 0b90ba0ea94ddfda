//! How many tokens a text or a request has, without asking its provider.
//!
//! What is counted is text; a [`Table`] says by whose vocabulary. Where the vendor publishes it, the count of a
//! text is the vendor's own; a request is an estimate nearly always, because what a provider puts around messages
//! and tools, and what it makes of a picture, is told by few and only roughly.
//!
//! Invariants: nothing fails, since whatever is not understood is text; time is linear in the input whatever stands
//! in it ([`counter`]); base64 is never taken for text where it is told apart ([`request`]).
//!
//! The first count by a table unpacks its vocabulary, which takes tens of milliseconds and as many megabytes and
//! is kept: a thread that serves traffic must leave that, and the count of any text over [`ON_THE_SPOT_BYTES_MAX`],
//! to another one, and make do with [`cheap`].

mod counter;
mod form;
mod request;
mod table;
mod text;
mod vocabulary;

pub use request::{Estimate, request};
pub use table::{Exactness, Table};

use counter::Counter;

use crate::surface::Dialect;

/// The longest text that is counted where a request waits for it. Above, a count takes longer than serving the
/// request does (50 to 80 instructions for each byte, see `bench/results/callgrind.json`).
pub const ON_THE_SPOT_BYTES_MAX: usize = 4096;

/// The tokens of `text`, and whether that is the table's own count of it.
///
/// It is not where the table is scaled, and where the text is so long and so unlike language that a part of it is
/// extrapolated ([`counter`]).
pub fn count(text: &str, table: Table) -> (u64, Exactness) {
    let mut counter = Counter::new(table);
    counter.add(text);
    counter.finish()
}

/// The answer to a client that asks in `dialect` how many tokens a request has; `None` where that has no such
/// question.
pub fn answer(dialect: Dialect, tokens: u64) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    crate::dialect::count::client(dialect)?.reply(tokens, &mut body);
    Some(body)
}

/// A guess from the length of a request's body alone, at no cost: four bytes to a token.
///
/// `OpenAI` and Google both say that a token is about four characters of English. JSON around the text and pictures
/// in it make the guess too high, and text that is not Latin makes it up to a third too low.
pub const fn cheap(body_bytes: u64) -> u64 {
    body_bytes.div_ceil(4)
}
