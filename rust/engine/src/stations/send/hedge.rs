//! Hedging: when the first place is slow, a second one is asked beside it, and the first to reply wins.
//!
//! The other is cancelled by closing its connection; nothing of its reply is read, so nothing of it is counted.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Instant;

use llm_edge_core::hedge::Policy;
use llm_edge_core::rejection::{Code, Rejection};

use super::attempt::{Failed, Replied};
use super::tries::Tries;
use super::{Answer, Asked, CANCELLED, Sender, count};
use crate::breaking;
use crate::deadlines::Timer;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::loaded::LoadedRoute;

/// Indices into [`crate::telemetry::bank::HEDGE_RESULTS`].
const WON: usize = 0;
const LOST: usize = 1;
const CAPPED: usize = 2;

type Ended = Result<Replied, Failed>;

/// How a request's one or two attempts came out.
pub(super) enum Race {
    /// The first was fast enough.
    Alone(Ended),
    /// Boxed: most requests have no second attempt, and should not carry the room for one about.
    Two(Box<Two>),
}

/// Two attempts; `None` where one was cancelled.
pub(super) struct Two {
    of_first: Option<Ended>,
    second: Asked,
    of_second: Option<Ended>,
}

/// Asks `first`, and another place too if the first is slow. What is paid for where it is not: a timer.
pub(super) async fn run(
    x: &Exchange,
    sender: &Sender<'_>,
    tries: &mut Tries<'_>,
    first: &Asked,
    policy: Policy,
) -> Race {
    let mut running = pin!(sender.run(x, first, x.client.timer()));
    let route = &first.place.route;
    route.hedge_budget.borrow_mut().earn();
    let by_percentile = policy.delay_ms == 0;
    let delay_ms = if by_percentile { route.slow.borrow().ms() } else { Some(policy.delay_ms) };
    let started = by_percentile.then(Instant::now);
    // A slot of its own: the first attempt's deadline stays as it is.
    let timer = x.worker.deadlines.timer();
    timer.arm(delay_ms.unwrap_or(0));
    let race = match timer.limit(running.as_mut()).await {
        Ok(ended) => Race::Alone(ended),
        Err(_) => Box::pin(both(x, sender, tries, first, &timer, running)).await,
    };
    if let Some(started) = started
        && race.has_winner()
    {
        let us = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        route.slow.borrow_mut().observe(us);
    }
    race
}

/// Asks a second place beside the first, until one replies with something better than a refusal or both have
/// ended.
async fn both(
    x: &Exchange,
    sender: &Sender<'_>,
    tries: &mut Tries<'_>,
    first: &Asked,
    timer: &Timer,
    mut running: Pin<&mut impl Future<Output = Ended>>,
) -> Race {
    fail_point!("send.hedge");
    let Some(second) = beside(x, sender, tries, first) else {
        return Race::Alone(running.await);
    };
    let (mut of_first, mut of_second) = (None, None);
    {
        let mut beside = pin!(sender.run(x, &second, timer));
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
            if decided || (of_first.is_some() && of_second.is_some()) {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
    Race::Two(Box::new(Two { of_first, second, of_second }))
}

impl Race {
    fn has_winner(&self) -> bool {
        match self {
            Self::Alone(ended) => is_good(ended),
            Self::Two(two) => two.has_winner(),
        }
    }
}

impl Two {
    fn first_won(&self) -> bool {
        self.of_first.as_ref().is_some_and(is_good)
    }

    fn has_winner(&self) -> bool {
        self.first_won() || self.of_second.as_ref().is_some_and(is_good)
    }

    /// The attempt that decides; what the other one has told is in `tries`.
    ///
    /// # Errors
    /// The first attempt that may have been executed and was lost, where the other did not reply either.
    pub(super) async fn decide(
        self,
        x: &mut Exchange,
        sender: &Sender<'_>,
        tries: &mut Tries<'_>,
        first: Asked,
    ) -> Result<(Asked, Ended), Rejection> {
        let (first_won, has_winner) = (self.first_won(), self.has_winner());
        tell(&first.place.route, if has_winner && !first_won { WON } else { LOST });
        let Self { of_first, second, of_second } = self;
        match (of_first, of_second) {
            (of_first, Some(ended)) if !first_won => {
                let lost = settle(x, sender, tries, first, of_first).await;
                if !has_winner {
                    lost?;
                }
                x.facts.place = Some(second.place.clone());
                Ok((second, ended))
            }
            (Some(ended), of_second) => {
                let lost = settle(x, sender, tries, second, of_second).await;
                if !first_won {
                    lost?;
                }
                x.facts.place = Some(first.place.clone());
                Ok((first, ended))
            }
            (None, _) => Err(Rejection::new(Code::Internal, "an attempt ended without an outcome")),
        }
    }
}

/// The place to ask beside the first: another one, or the same where there is no other.
fn beside(x: &Exchange, sender: &Sender<'_>, tries: &mut Tries<'_>, first: &Asked) -> Option<Asked> {
    let route = &first.place.route;
    // Before a place is taken, which would be lost to the tries that may follow.
    if !route.hedge_budget.borrow_mut().spend() {
        tell(route, CAPPED);
        return None;
    }
    while let Some((place, permit)) = tries.unasked(x, sender) {
        match sender.write(x, &place) {
            Ok(Some(request)) => return Some(Asked { place, permit, request }),
            Ok(None) => {}
            Err(rejection) => tries.was_not_said(rejection),
        }
    }
    let permit = breaking::admit(x, &first.place).ok()?;
    let request = sender.write(x, &first.place).ok()??;
    Some(Asked { place: first.place.clone(), permit, request })
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
        Answer::Reply(begun) | Answer::NotThere(begun) => begun.discard(x),
        Answer::Refused(begun, refused) => tries.was_refused(x, begun, refused),
        Answer::Unsent(rejection) => tries.was_unsent(x, rejection),
        Answer::Lost(rejection) => return Err(rejection),
    }
    Ok(())
}
