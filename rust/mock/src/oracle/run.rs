//! Playing the scenarios: many clients at once against one peer, every reply judged, every fault asked for.

use std::collections::{BTreeMap, HashMap};
use std::io::{self, Write as _};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::ask::Ask;
use super::client::{Http1, Http2, Http2Pool, Outcome, Peers};
use super::log::{Attempt, Log, fingerprint};
use super::scenario::{Class, FIRST_ID, Protocol, Scenario};
use super::story::Numbers;
use super::verdict::{Sameness, Verdict, judge};

/// After so long without an end a request counts as hung. A reply that comes in writes of one byte takes as many turns
/// of everybody, which was half a minute on a busy machine.
const DECIDED_MAX: Duration = Duration::from_secs(90);
/// How long the upstream's log may lag behind the client.
const LOGGED_MAX: Duration = Duration::from_secs(5);
/// How long an attempt may take to show up behind its reply; one that comes later is found at the end.
const ARRIVED_MAX: Duration = Duration::from_millis(50);
/// Connections of all HTTP/2 clients of one peer.
const H2_CONNECTIONS: usize = 8;
const FAILURES_SHOWN: usize = 40;
const TELL_EVERY: Duration = Duration::from_secs(30);

/// What came of a family.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Scenarios played.
    pub scenarios: u64,
    /// Replies judged.
    pub replies: u64,
    /// See [`Verdict`].
    pub exact: u64,
    /// See [`Verdict`].
    pub explicit_error: u64,
    /// See [`Verdict`].
    pub violation: u64,
    /// Replies that ended in another class than the scenario's, violations not among them.
    pub mismatch: u64,
    /// Faults that the upstream's log does not show.
    pub unshown: u64,
}

impl Tally {
    /// Whether nothing is wrong.
    pub const fn is_clean(&self) -> bool {
        self.violation == 0 && self.mismatch == 0 && self.unshown == 0
    }

    fn add(&mut self, other: &Self) {
        self.scenarios += other.scenarios;
        self.replies += other.replies;
        self.exact += other.exact;
        self.explicit_error += other.explicit_error;
        self.violation += other.violation;
        self.mismatch += other.mismatch;
        self.unshown += other.unshown;
    }
}

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// By family.
    pub families: BTreeMap<String, Tally>,
    /// The first replies that are not as they must be: scenario, question, why.
    pub failures: Vec<String>,
}

impl Report {
    /// All families together.
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.families.values() {
            total.add(tally);
        }
        total
    }

    fn fail(&mut self, text: String) {
        if self.failures.len() < FAILURES_SHOWN {
            self.failures.push(text);
        }
    }
}

/// A run's surroundings.
pub struct Stage {
    /// By name of the gateway.
    pub peers: Peers,
    /// The upstream's log.
    pub log: Arc<Log>,
    /// What everything follows from.
    pub seed: u64,
    /// Requests at one time.
    pub clients: usize,
    /// The gateway writes every reply anew.
    pub by_meaning: bool,
}

struct Work {
    scenarios: Vec<Scenario>,
    /// Scenario and number of each reply, shuffled.
    order: Vec<(u32, u32)>,
    next: AtomicUsize,
    done: AtomicU64,
    stage: Stage,
    pools: HashMap<String, Arc<Http2Pool>>,
    report: Mutex<Report>,
}

/// Plays the scenarios, shuffled by the seed.
///
/// # Errors
/// A scenario names a gateway that is not there.
pub async fn play(scenarios: Vec<Scenario>, stage: Stage) -> io::Result<Report> {
    let mut order: Vec<(u32, u32)> = Vec::new();
    let mut report = Report::default();
    for (at, scenario) in (0_u32..).zip(&scenarios) {
        if !stage.peers.contains_key(&scenario.gateway) {
            return Err(io::Error::other(format!("no gateway `{}`", scenario.gateway)));
        }
        order.extend((0..u32::try_from(scenario.replies).unwrap_or(u32::MAX)).map(|nth| (at, nth)));
        report.families.entry(scenario.family.clone()).or_default().scenarios += 1;
    }
    let mut numbers = Numbers::new(stage.seed);
    for at in (1..order.len()).rev() {
        order.swap(at, usize::try_from(numbers.below(at as u64 + 1)).unwrap_or(0));
    }
    let pools =
        stage.peers.iter().map(|(name, peer)| (name.clone(), Http2Pool::new(peer.clone(), H2_CONNECTIONS)));
    let pools = pools.collect();
    let clients = stage.clients.max(1);
    let work = Arc::new(Work {
        scenarios,
        order,
        next: AtomicUsize::new(0),
        done: AtomicU64::new(0),
        stage,
        pools,
        report: Mutex::new(report),
    });
    let telling = tokio::spawn(tell(Arc::clone(&work)));
    let tasks: Vec<_> = (0..clients).map(|_| tokio::spawn(client(Arc::clone(&work)))).collect();
    for task in tasks {
        task.await.map_err(io::Error::other)?;
    }
    telling.abort();
    // What is executed after its reply was judged is executed once too often.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut report = work.report.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for id in work.stage.log.rest() {
        if work.stage.log.take(id).iter().any(|attempt| attempt.executed) && id >= FIRST_ID {
            let (scenario, nth) = place(&work, id);
            let tally = report.families.entry(scenario.family.clone()).or_default();
            tally.violation += 1;
            report.fail(format!("{} #{nth}: executed again behind its reply", scenario.name));
        }
    }
    Ok(report)
}

/// Says on standard error how far a long run has come.
async fn tell(work: Arc<Work>) {
    let all = work.order.len();
    loop {
        tokio::time::sleep(TELL_EVERY).await;
        let (done, wrong) = {
            let total = work.report.lock().unwrap_or_else(PoisonError::into_inner).total();
            (work.done.load(Ordering::Relaxed), total.violation + total.mismatch + total.unshown)
        };
        drop(writeln!(io::stderr(), "{done} of {all} replies, {wrong} wrong"));
    }
}

fn place(work: &Work, id: u64) -> (&Scenario, u32) {
    let at = usize::try_from(id - FIRST_ID).unwrap_or(0);
    let (scenario, nth) = work.order.get(at).copied().unwrap_or_default();
    #[expect(
        clippy::indexing_slicing,
        reason = "the order holds indices of this very list, which is not empty"
    )]
    (&work.scenarios[scenario as usize], nth)
}

/// One client: one request after the other, its HTTP/1.1 connections kept.
async fn client(work: Arc<Work>) {
    let mut kept: HashMap<String, Http1> = HashMap::new();
    let mut shared: HashMap<String, Http2> = HashMap::new();
    loop {
        let at = work.next.fetch_add(1, Ordering::Relaxed);
        if at >= work.order.len() {
            return;
        }
        let id = FIRST_ID + at as u64;
        let (scenario, nth) = place(&work, id);
        let ask = scenario.question(id, u64::from(nth), work.stage.seed);
        let Some(peer) = work.stage.peers.get(&scenario.gateway) else { return };
        let (target, vendor) = (ask.target(&scenario.model), ask.dialect.vendor());
        let body = ask.body(&scenario.model);
        let outcome = match scenario.client {
            Protocol::H1 | Protocol::H1Tls => {
                let http = kept.entry(scenario.gateway.clone()).or_insert_with(|| Http1::new(peer.clone()));
                let outcome = tokio::time::timeout(DECIDED_MAX, http.call(&target, vendor, &body)).await;
                if outcome.is_err() {
                    http.abandon(true);
                }
                outcome
            }
            Protocol::H2 | Protocol::H2Tls => {
                let Some(pool) = work.pools.get(&scenario.gateway) else { return };
                let http = shared.entry(scenario.gateway.clone()).or_insert_with(|| pool.client());
                tokio::time::timeout(DECIDED_MAX, http.call(&target, vendor, &body)).await
            }
        };
        let outcome = outcome.unwrap_or(Outcome::Hung);
        let attempts = logged(&work.stage.log, id, scenario.never_executed).await;
        file(&work, scenario, &ask, &attempts, &outcome);
        work.done.fetch_add(1, Ordering::Relaxed);
    }
}

/// The attempts, once nothing more happens to any of them.
async fn logged(log: &Log, id: u64, never: bool) -> Vec<Attempt> {
    let began = Instant::now();
    loop {
        let attempts = log.attempts(id);
        // What was executed is in the log before its reply is with the client.
        let there = !attempts.is_empty() || never || began.elapsed() > ARRIVED_MAX;
        let settled = attempts.iter().all(|attempt| attempt.over) && there;
        if settled || began.elapsed() > LOGGED_MAX {
            return log.take(id);
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

fn file(work: &Work, scenario: &Scenario, ask: &Ask, attempts: &[Attempt], outcome: &Outcome) {
    let orders = ask.plan.attempt(attempts.len().saturating_sub(1));
    let anew = work.stage.by_meaning || scenario.is_translated();
    let sameness = if anew { Sameness::Meaning } else { Sameness::Bytes };
    let mut verdict = judge(ask, orders, sameness, outcome);
    let executed = attempts.iter().filter(|attempt| attempt.executed).count();
    let allowed = if scenario.never_executed { 0 } else { scenario.executions_max };
    if executed > allowed {
        verdict = Verdict::Violation(format!("executed {executed} times, {allowed} allowed"));
    } else if verdict == Verdict::Exact && executed == 0 {
        verdict = Verdict::Violation("a reply that the upstream never gave".to_owned());
    }
    let mismatch = wrong_class(scenario, &verdict, outcome);
    // Of a request that the gateway refused on its own, no fault was to be seen either.
    let asked = fingerprint(&ask.prompt());
    let lost = |attempt: &Attempt| scenario.losers && attempt.gone.is_some();
    let meant = |attempt: &Attempt| attempt.prompt == asked && attempt.dialect == scenario.upstream;
    let shown = |attempt: &Attempt| (attempt.performed || lost(attempt)) && meant(attempt);
    let unshown = !attempts.iter().all(shown) || (attempts.is_empty() && !scenario.never_executed);
    let mut report = work.report.lock().unwrap_or_else(PoisonError::into_inner);
    let tally = report.families.entry(scenario.family.clone()).or_default();
    tally.replies += 1;
    let mut told = Vec::new();
    match verdict {
        Verdict::Exact => tally.exact += 1,
        Verdict::ExplicitError(_) => tally.explicit_error += 1,
        Verdict::Violation(why) => {
            tally.violation += 1;
            told.push(format!("VIOLATION: {why}"));
        }
    }
    if let Some(why) = mismatch {
        tally.mismatch += 1;
        told.push(why);
    }
    if unshown {
        tally.unshown += 1;
        let came = match outcome {
            Outcome::Reply(reply) => {
                format!("{} {}", reply.status, reply.cut.as_deref().unwrap_or("whole"))
            }
            other => format!("{other:?}"),
        };
        told.push(format!("the upstream's log does not show the fault ({came}): {attempts:?}"));
    }
    for why in told {
        report.fail(format!("{}: {}\n    {why}", scenario.name, ask.prompt()));
    }
}

/// What is wrong with a reply that is no violation.
fn wrong_class(scenario: &Scenario, verdict: &Verdict, outcome: &Outcome) -> Option<String> {
    match (scenario.class, verdict) {
        (_, Verdict::Violation(_)) => return None,
        (Class::Exact, Verdict::ExplicitError(why)) => return Some(format!("must be exact: {why}")),
        (Class::ExplicitError, Verdict::Exact) => return Some("must be an explicit error: exact".to_owned()),
        (Class::Exact, Verdict::Exact) | (Class::ExplicitError, Verdict::ExplicitError(_)) => {}
    }
    let Outcome::Reply(reply) = outcome else { return None };
    if !scenario.status.is_empty() && !scenario.status.contains(&reply.status) {
        return Some(format!("status {} is none of {:?}", reply.status, scenario.status));
    }
    let missing = scenario.fields.iter().find(|name| reply.field(name).is_none());
    missing.map(|name| format!("the reply has no field `{name}`"))
}
