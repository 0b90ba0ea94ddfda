//! Estimate: the tokens of a request whose route leads to no provider that would say, estimated here.
//!
//! Not on the way of any other request. A count takes longer than serving a request does, and the first one by a
//! vocabulary unpacks that; so it happens on a thread for what blocks, one at a time for each worker, and nobody
//! else waits for it.

use std::sync::Arc;
use std::time::Duration;

use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::snapshot::ModelName;
use llm_edge_core::tokens::{Exactness, Table, answer, request};

use super::authorize::OwnReply;
use super::guard::Screened;
use super::head::Head;
use crate::exchange::Exchange;
use crate::loaded::LoadedRoute;

/// How long a count may wait for those before it: the largest body takes less than a second.
const TURN_MAX: Duration = Duration::from_secs(10);

/// Answers how many tokens the request has for the first target's model.
///
/// # Errors
/// 503 when too many are counted already.
pub(crate) async fn tokens(
    x: &mut Exchange,
    head: &Head,
    route: &LoadedRoute,
    screened: &Screened,
) -> Result<OwnReply, Rejection> {
    let lost = || Rejection::new(Code::Internal, "the tokens could not be counted");
    let dialect = head.operation.count().ok_or_else(lost)?;
    let envelope = screened.envelope();
    let target = x.loaded.snapshot.routes.get(route.index).and_then(|route| route.targets.first());
    let (table, published) = match target.map(|target| &target.model) {
        Some(ModelName::Fixed(name)) => Table::of_model(name),
        _ => Table::of_model(&envelope.model(&x.input)?.unwrap_or_default()),
    };
    let turn = tokio::time::timeout(TURN_MAX, Arc::clone(&x.worker.counting).acquire_owned()).await;
    let Ok(Ok(turn)) = turn else {
        let full = "too many requests are having their tokens counted";
        return Err(Rejection::new(Code::Overloaded, full).retry_after_s(1));
    };
    let (body, input) = (envelope.body, std::mem::take(&mut x.input));
    let counted = tokio::task::spawn_blocking(move || {
        let found = request(body.of(&input), dialect, table);
        // Not before: who gives up waiting does not end the work.
        drop(turn);
        (found, input)
    });
    let (found, input) = counted.await.map_err(|_| lost())?;
    x.input = input;
    let body = answer(dialect, found.input).ok_or_else(lost)?;
    let is_exact = found.exact && published == Exactness::Exact;
    Ok(OwnReply::counted(body, if is_exact { "exact" } else { "estimate" }))
}
