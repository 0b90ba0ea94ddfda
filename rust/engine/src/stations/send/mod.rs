//! Send: the request goes upstream, and the head of the reply comes back.
//!
//! Place after place is asked until one begins to reply. Another is asked only while nothing of a reply has
//! gone to the client, and only after one that was not reached or that says it did not do it: a request that
//! may have been executed is never sent again (B02, B03). `tries` knows which place is next and when, `attempt`
//! asks one, `refusal` understands a no, `commit` holds a stream until it says something, `hedge` asks two.

mod attempt;
mod commit;
mod hedge;
mod refusal;
mod request;
mod request_body;
mod translated;
mod tries;

use std::num::NonZeroU32;
use std::rc::Rc;

use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::retry::{Disposition, is_upstreams_fault};
use llm_edge_core::snapshot::{Deadlines, Route};
use llm_edge_core::sse;
use llm_edge_core::surface::{Dialect, Operation};
use llm_edge_core::translate::Losses;

use super::admit::Admission;
use super::guard::Screened;
use super::head::Head;
use super::route::Plan;
use crate::backends::owners::Owner;
use crate::backends::upstream::{Connection, Origin};
use crate::breaking::Permit;
use crate::deadlines::Timer;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;
use crate::load::Busy;
use crate::loaded::Place;
use attempt::{Attempt, Failed, Replied};
use hedge::Race;
use request::Request;
use tries::Tries;

pub(crate) use translated::{Awaited, Translation};

/// An upstream's reply whose head is there.
pub(crate) struct Begun {
    pub(crate) connection: Box<Connection>,
    pub(crate) origin: Rc<Origin>,
    pub(crate) place: Place,
    pub(crate) progress_ms: u32,
    /// On the worker's coarse clock; `u64::MAX` for none.
    pub(crate) latest_ms: u64,
    /// It is a refusal after which we have asked again in vain.
    pub(crate) used_up: bool,
    /// When to come back, in seconds, where the error says so in its body alone.
    pub(crate) told_s: Option<NonZeroU32>,
    /// We have asked for the stream's usage, not the client.
    pub(crate) usage_asked: bool,
    /// What the upstream speaks.
    pub(crate) dialect: Option<Dialect>,
    /// What the reply needs, where that is not what the client speaks.
    pub(crate) translation: Option<Box<Translation>>,
    /// What of a request that was not translated was left out.
    pub(crate) losses: Option<Box<Losses>>,
    /// It is known that the stream says something to its reader.
    pub(crate) has_word: bool,
    /// Who gives what the reply holds, where that has to be remembered.
    pub(crate) owner: Option<Box<Owner>>,
}

/// What is the same for all attempts of one request.
struct Sender<'a> {
    head: &'a Head,
    screened: &'a Screened,
    /// The route that was asked for: its rules hold wherever the request goes.
    asked: &'a Route,
    latest_ms: u64,
}

/// A place that is being asked.
struct Asked {
    place: Place,
    permit: Permit,
    request: Request,
}

/// How a place answered.
enum Answer {
    /// With a reply that is to be passed on.
    Reply(Begun),
    /// That it did not do it.
    Refused(Begun, Refused),
    /// That it does not have what is asked for, which another may have.
    NotThere(Begun),
    /// It was not reached, or says that it has not begun.
    Unsent(Rejection),
    /// Not, and nobody knows what it did.
    Lost(Rejection),
}

/// What is known of a refusal.
#[derive(Clone, Copy)]
struct Refused {
    disposition: Disposition,
    /// It is about the credential: with another one it might not have come.
    of_credential: bool,
    /// When to come back, in milliseconds from now, if it was said.
    retry_after_ms: Option<u64>,
    /// It came as an event of a stream.
    is_event: bool,
}

/// Asks the plan's places until one begins to reply.
///
/// # Errors
/// 502, 503 or 504; with `x-should-retry: true` where no byte of the request was written.
pub(crate) async fn first_byte(
    x: &mut Exchange,
    head: &Head,
    _: &Admission,
    plan: &Plan,
    screened: &Screened,
) -> Result<Begun, Rejection> {
    fail_point!("send");
    let loaded = Rc::clone(&x.loaded);
    let Some(asked) = loaded.snapshot.routes.get(plan.route.index) else {
        return Err(Rejection::new(Code::Internal, "the route is not in the snapshot"));
    };
    let total_ms = asked.deadlines.total_ms;
    let latest_ms =
        if total_ms == 0 { u64::MAX } else { x.worker.deadlines.now_ms() + u64::from(total_ms) + 25 };
    let sender = Sender { head, screened, asked, latest_ms };
    let mut tries = Tries::new(plan, asked, screened);
    plan.route.retry_budget.borrow_mut().earn();
    let mut hedge = asked.hedge.filter(|_| !head.operation.keeps_path());
    while let Some((place, permit)) = tries.next(x, &sender).await? {
        let asked = match sender.prepare(x, place, permit) {
            Ok(Some(asked)) => asked,
            Ok(None) => continue,
            // Another place may speak the client's own dialect, or have its credential.
            Err(rejection) if matches!(rejection.code, Code::Untranslatable | Code::UpstreamCredential) => {
                tries.was_not_said(rejection);
                continue;
            }
            Err(rejection) => return Err(rejection),
        };
        let (asked, result) = match hedge.take() {
            None => {
                let result = sender.run(x, &asked, x.client.timer()).await;
                (asked, result)
            }
            Some(policy) => match hedge::run(x, &sender, &mut tries, &asked, policy).await {
                Race::Alone(result) => (asked, result),
                Race::Two(two) => Box::pin(two.decide(x, &sender, &mut tries, asked)).await?,
            },
        };
        match sender.judge(x, asked, result).await {
            Answer::Reply(begun) => return Ok(begun),
            Answer::Lost(rejection) => return Err(rejection),
            Answer::Unsent(rejection) if rejection.code == Code::Draining => return Err(rejection),
            Answer::Unsent(rejection) => tries.was_unsent(x, rejection),
            Answer::Refused(begun, refused) => tries.was_refused(x, begun, refused),
            Answer::NotThere(begun) => tries.was_not_there(x, begun),
        }
    }
    tries.give_up(x)
}

impl Sender<'_> {
    /// Writes the request for a place; `None` where that has lost its credential.
    fn prepare(&self, x: &mut Exchange, place: Place, permit: Permit) -> Result<Option<Asked>, Rejection> {
        let request = self.write(x, &place)?;
        self.takes(x, &place);
        Ok(request.map(|request| Asked { place, permit, request }))
    }

    /// The place works on the request from now on.
    fn takes(&self, x: &mut Exchange, place: &Place) {
        let stream = self.screened.envelope().stream;
        x.busy = place
            .loaded()
            .and_then(|target| target.load.as_ref())
            .map(|load| Box::new(Busy::with(load, stream)));
        x.facts.place = Some(place.clone());
    }

    fn write(&self, x: &Exchange, place: &Place) -> Result<Option<Request>, Rejection> {
        request::check_segment(x, self.head, place, self.screened)?;
        Request::write(x, self.head, place, self.screened, self.asked)
    }

    async fn run(&self, x: &Exchange, asked: &Asked, timer: &Timer) -> Result<Replied, Failed> {
        let deadlines = self.deadlines(x, &asked.place);
        let Self { screened, latest_ms, .. } = *self;
        Attempt { x, timer, deadlines, request: &asked.request, screened, latest_ms }.run().await
    }

    /// A fallback's targets have the patience of their own route; the whole has that of the one asked for.
    fn deadlines(&self, x: &Exchange, place: &Place) -> Deadlines {
        x.loaded.snapshot.routes.get(place.route.index).map_or(self.asked.deadlines, |route| route.deadlines)
    }

    /// Understands how an attempt ended; its breaker, its credential and the counters hear of it.
    async fn judge(&self, x: &mut Exchange, asked: Asked, result: Result<Replied, Failed>) -> Answer {
        let Asked { place, permit, request } = asked;
        let usage_asked = request.asks_usage();
        let Request { origin, credential, dialect, head, body, .. } = request;
        x.worker.buffers.give(head);
        let Replied { connection, sent, first_byte } = match result {
            Ok(replied) => replied,
            Err(failed) => {
                count(&place, result_of(failed.rejection().code));
                // A worker that is told to stop says nothing of the upstream.
                if failed.rejection().code != Code::Draining {
                    permit.failed(x, &place);
                    x.target_failed();
                }
                return match failed {
                    Failed::Unsent(rejection) => Answer::Unsent(rejection),
                    Failed::Sent(rejection) => Answer::Lost(rejection),
                };
            }
        };
        x.facts.sent = Some(sent);
        x.facts.first_byte = Some(first_byte);
        let status = connection.head.status;
        let (translation, losses) = body.into_rest();
        let mut begun = Begun {
            usage_asked,
            has_word: false,
            owner: self.owner(x, &place, dialect, credential),
            connection,
            origin,
            dialect,
            translation,
            losses,
            progress_ms: self.deadlines(x, &place).progress_ms,
            latest_ms: self.latest_ms,
            used_up: false,
            told_s: None,
            place: place.clone(),
        };
        if status < 400 {
            if self.asked.commit_point
                && let Some(answer) = commit::wait(x, &mut begun).await
            {
                permit.failed(x, &place);
                return failed_first(begun, answer);
            }
            count(&place, REPLY);
            permit.succeeded(x, &place);
            x.target_began();
            return Answer::Reply(begun);
        }
        if self.head.operation == Operation::StoredResponse {
            count(&place, if status == 404 { REPLY } else { REFUSED });
            if is_upstreams_fault(status) {
                permit.failed(x, &place);
            } else {
                permit.succeeded(x, &place);
            }
            return Answer::NotThere(begun);
        }
        let refused = Box::pin(refusal::understand(x, self.asked, &mut begun, credential)).await;
        let is_refusal = refused.disposition != Disposition::Relay;
        count(&place, if is_refusal { REFUSED } else { REPLY });
        if is_upstreams_fault(status) {
            permit.failed(x, &place);
            x.target_failed();
        } else {
            permit.succeeded(x, &place);
        }
        if is_refusal { Answer::Refused(begun, refused) } else { Answer::Reply(begun) }
    }

    /// The account that replies, where later requests may go on with what it gives and might go to another. A
    /// caller's own credential comes with whatever goes on.
    #[inline]
    fn owner(
        &self,
        x: &Exchange,
        place: &Place,
        dialect: Option<Dialect>,
        credential: Option<usize>,
    ) -> Option<Box<Owner>> {
        let may_be_another = place.route.has_owners || !self.screened.envelope().further.is_empty();
        if !may_be_another || dialect != Some(Dialect::OpenaiResponses) {
            return None;
        }
        let at = place.loaded()?.provider;
        if x.credential_for(at).is_some() {
            return None;
        }
        x.loaded.providers.get(at).map(|provider| Box::new(provider.owner(credential)))
    }
}

/// A stream that failed before it said anything.
fn failed_first(begun: Begun, failure: commit::Failure) -> Answer {
    match failure {
        commit::Failure::Told => {
            count(&begun.place, ERROR_EVENT);
            let refused = Refused {
                disposition: Disposition::Retry,
                of_credential: false,
                retry_after_ms: None,
                is_event: true,
            };
            Answer::Refused(begun, refused)
        }
        commit::Failure::Broke(rejection) => {
            count(&begun.place, result_of(rejection.code));
            Answer::Lost(rejection)
        }
    }
}

impl Begun {
    /// Whether the reply is a stream of events that can be looked into.
    pub(crate) fn is_event_stream(&self) -> bool {
        let media_type = match &self.translation {
            None => Some(sse::MEDIA_TYPE),
            Some(translation) => translation.reply.stream_media_type(),
        };
        media_type.is_some_and(|media_type| self.connection.is_plain(media_type))
    }

    /// Another reply is passed on instead; the connection may serve another request if this one has come whole.
    fn discard(mut self, x: &Exchange) {
        let whole = refusal::is_whole(&self.connection);
        x.worker.buffers.give(std::mem::take(&mut self.connection.buffer));
        if whole && self.connection.head.keep_alive && !self.connection.spoiled {
            self.origin.put_idle(self.connection, x.worker.deadlines.now_ms());
        }
    }
}

/// Indices into [`crate::telemetry::bank::ATTEMPT_RESULTS`].
const REPLY: usize = 0;
const REFUSED: usize = 5;
const ERROR_EVENT: usize = 6;
const CANCELLED: usize = 7;

fn result_of(code: Code) -> usize {
    match code {
        Code::UpstreamUnreachable => 1,
        Code::UpstreamTimeout => 3,
        Code::UpstreamInvalid => 4,
        _ => 2,
    }
}

fn count(place: &Place, result: usize) {
    if let Some(cell) = place.loaded().and_then(|target| target.cells.attempts.get(result)) {
        cell.add(1);
    }
}
