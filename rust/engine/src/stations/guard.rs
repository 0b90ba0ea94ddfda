//! Guard: policy on content. None can be configured yet; the proof type is what sending asks for.

use llm_edge_core::rejection::Rejection;

use super::body::Envelope;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::LoadedRoute;

/// An envelope that guards have seen. Only this station makes one.
pub(crate) struct Screened(Envelope);

impl Screened {
    pub(crate) fn envelope(&self) -> &Envelope {
        &self.0
    }
}

/// Lets the route's guards look at the request.
#[expect(clippy::unnecessary_wraps, reason = "guards refuse here; the signature is what the story relies on")]
pub(crate) fn screen(_x: &Exchange, _route: &LoadedRoute, envelope: Envelope) -> Result<Screened, Rejection> {
    fail_point!("guard");
    Ok(Screened(envelope))
}
