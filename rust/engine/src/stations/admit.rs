//! Admit: first whether there is room for another request at all, then limits and budgets, reserved before
//! anything costs money. Of the latter none can be configured yet, so this is the one branch that an
//! unconfigured feature costs, and the proof that sending asks for.

use llm_edge_core::http1::RequestFraming;
use llm_edge_core::principal::Principal;
use llm_edge_core::rejection::{Code, Rejection};

use super::body::Envelope;
use crate::doors::Client;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::LoadedRoute;
use crate::pressure::Shed;

/// Bodies up to this size are read although their request is refused.
const TAKEN_BYTES_MAX: u64 = 64 * 1024;

/// Proof that limits were looked at. Only this station makes one.
pub(crate) struct Admission(());

impl Admission {
    /// For what we answer ourselves: it costs nothing and is limited by nothing.
    pub(crate) fn exempt() -> Self {
        Self(())
    }
}

/// Whether the gateway has more in hand than it serves well, and what of. Asked before the body is read: a no
/// must cost as little as it can. Probes have been answered by then.
#[inline]
pub(crate) fn pressed(x: &Exchange) -> Option<Shed> {
    x.worker.pressure.sheds(x.worker.bank.worker.in_flight.get())
}

/// The no: 503 with the limit that is pressed and when to come back.
pub(crate) async fn shed(x: &mut Exchange, reason: Shed) -> Rejection {
    if let Some(cell) = x.worker.bank.worker.sheds.get(reason as usize) {
        cell.add(1);
    }
    // A small body is on its way already; taking it costs less than the new connection that the client would
    // need otherwise. Of HTTP/2, a stream ends alone and the connection goes on.
    let small = match (&x.client, x.request.framing) {
        (Client::Http1(_), RequestFraming::None) => true,
        (Client::Http1(_), RequestFraming::Length(length)) => {
            length <= TAKEN_BYTES_MAX && !x.request.expect_continue
        }
        (Client::Http1(_), RequestFraming::Chunked) | (Client::Http2(_), _) => false,
    };
    if small {
        // If it does not come, the connection ends after the answer.
        drop(x.read_body().await);
    }
    // All at the same moment would only bring the load back.
    let retry_after_s = 1 + u32::try_from(x.worker.random() % 3).unwrap_or_default();
    Rejection::new(Code::Overloaded, reason.message()).retry_after_s(retry_after_s)
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
