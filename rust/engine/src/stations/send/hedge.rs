//! Hedging: when the first place is slow, a second one is asked beside it, and the first to reply wins.
//!
//! The other is cancelled by closing its connection; nothing of its reply is read, so nothing of it is counted.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Instant;

use llm_edge_core::hedge::Policy;
use llm_edge_core::rejection::{Code, Rejection};

use super::attempt::{Failed, Replied};
use super::request::Request;
use super::tries::Tries;
use super::{Answer, Asked, CANCELLED, Sender, count};
use crate::breaking;
use crate::exchange::Exchange;
use crate::loaded::LoadedRoute;

/// Indices into [`crate::telemetry::bank::HEDGE_RESULTS`].
const WON: usize = 0;
const LOST: usize = 1;
const CAPPED: usize = 2;

type Ended = Result<Replied, Failed>;

/// Asks `first`, and another place too if the first is slow. Returns the attempt that decides; what the other
/// one has told is in `tries`.
///
/// # Errors
/// The first attempt that may have been executed and was lost, where the other did not reply either.
pub(super) async fn race(
    x: &mut Exchange,
    sender: &Sender<'_>,
    tries: &mut Tries<'_>,
    first: Asked,
    policy: Policy,
) -> Result<(Asked, Ended), Rejection> {
    let route = Rc::clone(&first.place.route);
    route.hedge_budget.borrow_mut().earn();
    let by_percentile = policy.delay_ms == 0;
    let delay_ms = if by_percentile { route.slow.borrow().ms() } else { Some(policy.delay_ms) };
    let started = Instant::now();
    let mut second = None;
    let (first_ended, second_ended) = match delay_ms {
        None => (Some(sender.run(x, &first, x.client.timer()).await), None),
        Some(delay_ms) => both(x, sender, tries, &first, &mut second, delay_ms).await,
    };
    let first_won = first_ended.as_ref().is_some_and(is_good);
    let second_won = !first_won && second_ended.as_ref().is_some_and(is_good);
    if by_percentile && (first_won || second_won) {
        let us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        route.slow.borrow_mut().observe(us);
    }
    if second.is_some() {
        tell(&route, if second_won { WON } else { LOST });
    }
    match (second, second_ended, first_ended) {
        (Some(second), Some(ended), of_first) if !first_won => {
            let lost = settle(x, sender, tries, first, of_first).await;
            if !second_won {
                lost?;
            }
            x.facts.place = Some(second.place.clone());
            Ok((second, ended))
        }
        (second, of_second, Some(ended)) => {
            if let Some(second) = second {
                let lost = settle(x, sender, tries, second, of_second).await;
                if !first_won {
                    lost?;
                }
                x.facts.place = Some(first.place.clone());
            }
            Ok((first, ended))
        }
        (_, _, None) => Err(Rejection::new(Code::Internal, "an attempt ended without an outcome")),
    }
}

/// Runs the first attempt and, after the delay, a second one, until one replies with something better than a
/// refusal or all have ended. The second is put into `slot`.
async fn both(
    x: &Exchange,
    sender: &Sender<'_>,
    tries: &mut Tries<'_>,
    first: &Asked,
    slot: &mut Option<Asked>,
    delay_ms: u32,
) -> (Option<Ended>, Option<Ended>) {
    // A slot of its own: the first attempt's deadline stays as it is.
    let timer = x.worker.deadlines.timer();
    timer.arm(delay_ms);
    let mut running = pin!(sender.run(x, first, x.client.timer()));
    if let Ok(ended) = timer.limit(running.as_mut()).await {
        return (Some(ended), None);
    }
    *slot = beside(x, sender, tries, first);
    let Some(second) = slot.as_ref() else { return (Some(running.await), None) };
    let mut beside = pin!(sender.run(x, second, &timer));
    let (mut of_first, mut of_second) = (None, None);
    poll_fn(|cx| {
        if of_first.is_none()
            && let Poll::Ready(ended) = running.as_mut().poll(cx)
        {
            of_first = Some(ended);
        }
        let decided = of_first.as_ref().is_some_and(is_good);
        if !decided
            && of_second.is_none()
            && let Poll::Ready(ended) = beside.as_mut().poll(cx)
        {
            of_second = Some(ended);
        }
        let decided = decided || of_second.as_ref().is_some_and(is_good);
        if decided || (of_first.is_some() && of_second.is_some()) { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    (of_first, of_second)
}

/// The place to ask beside the first: another one, or the same where there is no other.
fn beside(x: &Exchange, sender: &Sender<'_>, tries: &mut Tries<'_>, first: &Asked) -> Option<Asked> {
    let route = &first.place.route;
    let (place, permit) = tries.unasked(x, sender).or_else(|| {
        let permit = breaking::admit(x, &first.place).ok()?;
        Some((first.place.clone(), permit))
    })?;
    if !route.hedge_budget.borrow_mut().spend() {
        tell(route, CAPPED);
        return None;
    }
    let request = Request::write(x, sender.head, &place, sender.screened, sender.asked)?;
    Some(Asked { place, permit, request })
}

fn tell(route: &LoadedRoute, result: usize) {
    if let Some(cell) = route.cells.hedges.get(result) {
        cell.add(1);
    }
}

fn is_good(ended: &Ended) -> bool {
    ended.as_ref().is_ok_and(|replied| replied.connection.head.status < 400)
}

/// What becomes of the one that does not decide.
async fn settle(
    x: &mut Exchange,
    sender: &Sender<'_>,
    tries: &mut Tries<'_>,
    asked: Asked,
    ended: Option<Ended>,
) -> Result<(), Rejection> {
    let Some(ended) = ended else {
        count(&asked.place, CANCELLED);
        x.worker.buffers.give(asked.request.head);
        return Ok(());
    };
    x.facts.place = Some(asked.place.clone());
    match sender.judge(x, asked, ended).await {
        Answer::Reply(begun) => begun.discard(x),
        Answer::Refused(begun, refused) => tries.was_refused(x, begun, refused),
        Answer::Unsent(rejection) => tries.was_unsent(x, rejection),
        Answer::Lost(rejection) => return Err(rejection),
    }
    Ok(())
}
