//! Admit: limits and budgets, reserved before anything costs money. None can be configured yet, so this is
//! the one branch that an unconfigured feature costs, and the proof that sending asks for.

use llm_edge_core::principal::Principal;
use llm_edge_core::rejection::Rejection;

use super::body::Envelope;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::LoadedRoute;

/// Proof that limits were looked at. Only this station makes one.
pub(crate) struct Admission(());

impl Admission {
    /// For what we answer ourselves: it costs nothing and is limited by nothing.
    pub(crate) fn exempt() -> Self {
        Self(())
    }
}

/// Reserves what the request is estimated to cost.
#[expect(clippy::unnecessary_wraps, reason = "limits refuse here; the signature is what the story relies on")]
pub(crate) fn reserve(
    _x: &Exchange,
    _caller: &Principal,
    _route: &LoadedRoute,
    _envelope: &Envelope,
) -> Result<Admission, Rejection> {
    fail_point!("admit");
    Ok(Admission(()))
}
