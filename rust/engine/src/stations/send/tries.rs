//! Which place is asked next, and when.
//!
//! First every place once: those that are likely to answer, then those whose credentials all rest or whose
//! provider fails its probes. No place
//! twice before all were asked (and whoever could not be reached costs the next one nothing). After that the
//! one that may be asked again soonest, when its time has come. Invariant: requests sent beyond the first are
//! within the route's `attempts_max` and its retry budget.

use std::future::pending;

use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::retry::Disposition;
use llm_edge_core::snapshot::Route;

use super::super::guard::Screened;
use super::super::route::{Places, Plan, owner_gone};
use super::{Begun, Refused, Sender};
use crate::breaking::{self, Permit};
use crate::deadlines::Lapse;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::{Account, LoadedProvider, Place};

/// See the module. Allocates nothing until something has failed.
pub(super) struct Tries<'a> {
    plan: &'a Plan,
    asked: &'a Route,
    places: Places,
    has_alternative: bool,
    /// Places whose credentials all rest, or whose provider fails its probes.
    resting: Vec<Place>,
    failed: Vec<Tried>,
    /// Attempts that count against `attempts_max`.
    counted: u32,
    /// Why the next attempt is made; index into [`crate::telemetry::bank::RETRY_REASONS`].
    reason: Option<usize>,
    /// The latest refusal: what the client gets if nobody does better.
    held: Option<Begun>,
    last: Option<Rejection>,
    /// Something is asked for that only one place has.
    seeks: bool,
    /// Until a place that is left alone may be asked.
    opens_in_ms: Option<u64>,
}

struct Tried {
    place: Place,
    times: u32,
    /// On the worker's coarse clock; `NEVER` where asking again is of no use.
    again_at_ms: u64,
}

const NEVER: u64 = u64::MAX;

const UNSENT: usize = 0;
const REFUSED: usize = 1;
const ERROR_EVENT: usize = 2;

/// Indices into [`crate::telemetry::bank::RETRY_DENIALS`].
const ATTEMPTS: usize = 0;
const BUDGET: usize = 1;
const DEADLINE: usize = 2;
const NOWHERE: usize = 3;

impl<'a> Tries<'a> {
    pub(super) fn new(plan: &'a Plan, asked: &'a Route, screened: &Screened) -> Self {
        Self {
            plan,
            asked,
            places: plan.places(),
            has_alternative: plan.has_alternative(asked, screened),
            resting: Vec::new(),
            failed: Vec::new(),
            counted: 0,
            reason: None,
            held: None,
            last: None,
            seeks: false,
            opens_in_ms: None,
        }
    }

    /// The next place, with its breaker's leave; waits where it must. `None` when there is none.
    ///
    /// # Errors
    /// The gateway is shutting down.
    pub(super) async fn next(
        &mut self,
        x: &Exchange,
        sender: &Sender<'_>,
    ) -> Result<Option<(Place, Permit)>, Rejection> {
        if let Some((place, permit)) = self.unasked(x, sender) {
            return Ok(self.may_send().then_some((place, permit)));
        }
        if self.reason.is_none() {
            return Ok(None);
        }
        // The first round was free where nothing was sent; what follows is not.
        self.counted = self.counted.max(1);
        Box::pin(self.again(x, sender.latest_ms)).await
    }

    /// A place that was not asked yet and may be.
    pub(super) fn unasked(&mut self, x: &Exchange, sender: &Sender<'_>) -> Option<(Place, Permit)> {
        loop {
            let place = match self.places.next(x, self.plan, sender.head, sender.screened, self.asked) {
                Some(place) => {
                    let provider = place.target(&x.loaded.snapshot)?.provider;
                    let snapshot = &x.loaded.snapshot;
                    let stream = sender.screened.envelope().stream;
                    let provider_config = snapshot.providers.get(provider);
                    if provider_config.is_none_or(|p| p.serve(sender.head.operation, stream).is_none()) {
                        continue;
                    }
                    let now_ms = x.worker.deadlines.now_ms();
                    let is_callers = x.credential_for(provider).is_some();
                    let is_last_resort = |p: &LoadedProvider| p.is_last_resort(now_ms, is_callers);
                    if self.has_alternative && x.loaded.providers.get(provider).is_some_and(is_last_resort) {
                        self.resting.push(place);
                        continue;
                    }
                    place
                }
                None if self.resting.is_empty() => return None,
                None => self.resting.remove(0),
            };
            match breaking::admit(x, &place) {
                Ok(permit) => return Some((place, permit)),
                Err(ms) => self.opens_in_ms = Some(self.opens_in_ms.map_or(ms, |other| other.min(ms))),
            }
        }
    }

    /// A place that was asked before, once its time has come.
    async fn again(&mut self, x: &Exchange, latest_ms: u64) -> Result<Option<(Place, Permit)>, Rejection> {
        fail_point!("send.again");
        loop {
            let now_ms = x.worker.deadlines.now_ms();
            let Some(next) = self.failed.iter_mut().min_by_key(|tried| tried.again_at_ms) else {
                return Ok(None);
            };
            if next.again_at_ms == NEVER {
                self.denied(NOWHERE);
                return Ok(None);
            }
            if next.again_at_ms >= latest_ms {
                self.denied(DEADLINE);
                return Ok(None);
            }
            let wait_ms = next.again_at_ms.saturating_sub(now_ms);
            let place = next.place.clone();
            next.again_at_ms = NEVER;
            if self.counted >= self.asked.retry.attempts_max {
                self.denied(ATTEMPTS);
                return Ok(None);
            }
            if wait_ms > 0 {
                let timer = x.client.timer();
                timer.arm(u32::try_from(wait_ms).unwrap_or(u32::MAX).max(1));
                if let Err(lapse @ Lapse::Closing) = timer.limit(pending::<()>()).await {
                    return Err(lapse.rejection(""));
                }
            }
            if let Ok(permit) = breaking::admit(x, &place) {
                return Ok(self.may_send().then_some((place, permit)));
            }
        }
    }

    /// Whether another request may be sent: the first always, one after others that were not sent too.
    fn may_send(&mut self) -> bool {
        let Some(reason) = self.reason else { return true };
        if self.counted > 0 {
            if self.counted >= self.asked.retry.attempts_max {
                self.denied(ATTEMPTS);
                return false;
            }
            if !self.plan.route.retry_budget.borrow_mut().spend() {
                self.denied(BUDGET);
                return false;
            }
        }
        if let Some(cell) = self.plan.route.cells.retries.get(reason) {
            cell.add(1);
        }
        true
    }

    fn denied(&self, why: usize) {
        // A route that does not retry denies nothing.
        if self.asked.retry.attempts_max > 1
            && let Some(cell) = self.plan.route.cells.retries_denied.get(why)
        {
            cell.add(1);
        }
    }

    /// The request cannot be said in the place's dialect, or its credential is lost; nobody was asked.
    pub(super) fn was_not_said(&mut self, rejection: Rejection) {
        self.last.get_or_insert(rejection);
    }

    /// The place was not reached, or has not begun: asking it or another is safe.
    pub(super) fn was_unsent(&mut self, x: &Exchange, rejection: Rejection) {
        self.reason = Some(UNSENT);
        // Whoever let a whole deadline pass is not worth another one.
        let wait_ms = if rejection.code == Code::UpstreamTimeout { NEVER } else { 0 };
        self.last = Some(rejection.should_retry(true));
        let Some(place) = x.facts.place.clone() else { return };
        if self.times(&place) > 0 {
            self.counted += 1;
        }
        self.remember(x, place, Some(wait_ms));
    }

    /// The place does not have what was asked for, or does not let us see: nothing is tried again, the next may have
    /// it. A place that could not say is remembered before one that has it not.
    pub(super) fn was_not_there(&mut self, x: &Exchange, begun: Begun) {
        let discarded = match &self.held {
            Some(held) if held.connection.head.status != 404 => Some(begun),
            _ => self.held.replace(begun),
        };
        if let Some(begun) = discarded {
            begun.discard(x);
        }
        self.seeks = true;
    }

    /// The place says that it did not do it.
    pub(super) fn was_refused(&mut self, x: &Exchange, begun: Begun, refused: Refused) {
        self.reason = Some(if refused.is_event { ERROR_EVENT } else { REFUSED });
        self.counted += 1;
        let place = begun.place.clone();
        let now_ms = x.worker.deadlines.now_ms();
        let provider = place.target(&x.loaded.snapshot).map(|target| target.provider);
        let another_credential = provider
            .filter(|at| !matches!(place.account, Account::Only(_)) && x.credential_for(*at).is_none())
            .and_then(|at| x.loaded.providers.get(at))
            .is_some_and(|p| p.credentials.len() > 1 && !p.rests(now_ms));
        let retry_after_ms = refused.retry_after_ms.unwrap_or(0);
        let wait_ms = match refused.disposition {
            _ if another_credential && refused.of_credential => None,
            Disposition::Retry if retry_after_ms <= u64::from(self.asked.retry.retry_after_max_ms) => {
                Some(retry_after_ms)
            }
            Disposition::Retry | Disposition::Elsewhere | Disposition::Relay => Some(NEVER),
        };
        if let Some(before) = self.held.replace(begun) {
            before.discard(x);
        }
        self.remember(x, place, wait_ms);
    }

    fn times(&self, place: &Place) -> u32 {
        self.failed.iter().find(|tried| is_same(&tried.place, place)).map_or(0, |tried| tried.times)
    }

    /// Notes when to ask the place again: at once for `None` (with another credential), else after what the
    /// upstream said and a pause of our own.
    fn remember(&mut self, x: &Exchange, place: Place, wait_ms: Option<u64>) {
        let times = self.times(&place);
        let pause = u64::from(self.asked.retry.backoff_ms(times, x.worker.random()));
        let now_ms = x.worker.deadlines.now_ms();
        let again_at_ms = match wait_ms {
            None => now_ms,
            Some(NEVER) => NEVER,
            Some(ms) => now_ms.saturating_add(ms.max(pause)),
        };
        match self.failed.iter_mut().find(|tried| is_same(&tried.place, &place)) {
            Some(tried) => {
                tried.times += 1;
                tried.again_at_ms = again_at_ms;
            }
            None => self.failed.push(Tried { place, times: 1, again_at_ms }),
        }
    }

    /// Nobody is left to ask: the latest refusal is the reply, or why there is none.
    ///
    /// # Errors
    /// 502, 503 or 504.
    pub(super) fn give_up(self, x: &mut Exchange) -> Result<Begun, Rejection> {
        if let Some(mut begun) = self.held {
            // Who was not reached may have what the others have not.
            if self.seeks
                && let Some(rejection) = self.last
            {
                begun.discard(x);
                return Err(rejection);
            }
            // The client's own key is good: theirs is the gateway's affair.
            if self.plan.is_owned() && begun.connection.head.status == 401 {
                begun.discard(x);
                return Err(owner_gone("does not accept the gateway's credential any more (HTTP 401)"));
            }
            begun.used_up = x.facts.attempts.get() > 1;
            x.facts.place = Some(begun.place.clone());
            return Ok(begun);
        }
        Err(match (self.last, self.opens_in_ms) {
            (Some(rejection), _) => rejection,
            (None, Some(ms)) => {
                let seconds = u32::try_from(ms.div_ceil(1000)).unwrap_or(u32::MAX).max(1);
                let message = format!(
                    "every target of route `{}` has failed lately and is left alone (`breaker.open_ms`)",
                    self.asked.name
                );
                Rejection::new(Code::CircuitOpen, message).retry_after_s(seconds)
            }
            (None, None) => {
                Rejection::new(Code::Internal, "no target of this route is ready to serve the operation")
            }
        })
    }
}

fn is_same(a: &Place, b: &Place) -> bool {
    a.route.index == b.route.index && a.target == b.target && a.account == b.account && a.further == b.further
}
