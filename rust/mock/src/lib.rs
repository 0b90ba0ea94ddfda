//! The mock provider: every surface of the gateway, streamed and not, without a key or a network.
//!
//! A model's name is a behaviour with parameters, `lorem?tokens=200&ttft=80ms`; what is not known is refused.
//! It is made for demos, for the tests of users, and as the upstream of benchmarks. It speaks the APIs of clients
//! (`OpenAI`, Anthropic, Google) and those that only upstreams have (Amazon's Converse, Cohere's chat, Ollama's).
//! It shares no codec, scanner or dialect with the gateway: what both understand the same way, they have
//! understood twice.
//!
//! | model | parameters (default) | answer |
//! |---|---|---|
//! | `echo` | `ttft`, `itl` (0) | the text of the last user message |
//! | `lorem` | `tokens` (100), `seed` (0), `ttft`, `itl` | a text of exactly so many tokens |
//! | `error` | `status` (500), `retry_after` in seconds | an error of that status |
//! | `flaky` | `p` (0.5), `status` (503), `seed` (0), `retry_after` | an error with probability `p`, else as `echo`; the same sequence for the same seed |
//! | `cut` | `after` (5), `ttft`, `itl` | so many content events, then the connection dies; unary: half the body |
//! | `slow` | `total` (10s) | as `echo`, spread over this time |
//! | `tools` | `ttft`, `itl` | a call of the first tool offered (or the one demanded); a text once the tool has answered |
//! | `json` | `ttft`, `itl` | a value of the JSON schema demanded |
//! | `embed` | `dims` (384) | unit vectors; texts that share words are near each other |
//! | `thinking` | `ttft`, `itl` | thinking, then a text |
//! | `big` | `bytes` (1048576) | a text of exactly so many bytes |
//! | `fixed` | `bytes` (1024), or `frames` (64) and `size` (200) | a canned body, or a canned stream, at the least cost; the model alone says which, whatever `stream` says |
//!
//! `ttft` (time to the first token) delays the whole reply, its head included; `itl` is the time between
//! tokens. Tokens are word pieces by a simple rule, the same everywhere: a word of up to eight letters with
//! the white space before it, or any other sign.
//!
//! Read in this order: `server` (listener), `answer` (the story), `surface` (paths and shapes), `ask` (a
//! request, understood), `model` (names), `script` (what is said), `tape` and `body` (how it leaves).
#![warn(missing_docs)]

mod answer;
mod ask;
mod body;
mod calendar;
mod failure;
mod fixed;
mod json;
mod lorem;
mod model;
pub mod oracle;
mod pattern;
mod pieces;
mod schema;
mod script;
mod server;
mod surface;
mod tape;
mod ticket;

pub use model::MODELS;
pub use server::{Mock, MockHandle};
