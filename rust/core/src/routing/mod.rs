//! Which target a request is sent to: filter, rank, pick.
//!
//! A target that cannot do what is asked is left out ([`Exclusion`]), and nothing brings it back; one that is likely
//! to fail is asked last ([`Standing`]). Of the rest the route's strategy picks one. What is known of the targets at
//! the moment is an argument ([`Live`]), so that a decision can be repeated and explained.

mod capability;
mod conversation;
mod decide;
mod explain;
mod keepsake;
mod needs;
mod pace;
mod price;
mod rule;

pub use capability::{Capabilities, Capability};
pub use conversation::conversation;
pub use decide::{Ask, Decision, Exclusion, Live, Picker, Present, Standing, exclusion};
pub use explain::{
    Explanation, OUTPUT_TOKENS, Question, Redirect, Row, Table, affinity, asked_at, explain, identity,
    output_tokens, row,
};
pub use keepsake::{Keepsakes, sealed};
pub use needs::{Asks, Contents, Needs, Want, needs};
pub use pace::Pace;
pub use price::{Charge, Price, Rates, Tier, Tokens};
pub use rule::{Asked, Hours, Rule, When};
