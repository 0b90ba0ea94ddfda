//! What upstreams' names stand for: one look-up at a time for each name, for all workers together.
//!
//! The system's own resolver is asked (getaddrinfo), so that what operators configure there holds here:
//! hosts file, search domains, mDNS. It tells no TTL, so an answer is used for `limits.dns_ttl_ms`; a name in
//! use is asked for again before that is over, off the path of any request. A name that stops resolving keeps
//! the last good answer (B31).

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use arc_swap::ArcSwapOption;
use tokio::sync::Notify;

use crate::fail_points::fail_point;
use crate::panics::{Panics, caught};

/// A connection waits this long for a new answer when the one at hand is old.
const OLD_ANSWER_WAIT: Duration = Duration::from_millis(250);
/// A look-up that takes longer counts as failed, though its answer is taken when it comes.
const LOOKUP_MAX: Duration = Duration::from_secs(5);
/// Answers in a row that must leave an address out, among others that stay, before its connections go: some
/// names give a different choice of their addresses each time.
const MISSING_MAX: u8 = 3;
/// A name that no connection was made for in this time is not asked for again by itself.
const IN_USE: Duration = Duration::from_mins(1);

/// All names, for as long as an origin uses them.
pub(crate) struct Resolver {
    names: Mutex<HashMap<String, Arc<Name>>>,
    failures: Arc<AtomicU64>,
    panics: Panics,
}

impl Resolver {
    pub(crate) fn new(panics: Panics) -> Self {
        Self { names: Mutex::default(), failures: Arc::default(), panics }
    }

    /// The name's entry, made at first use.
    pub(crate) fn name(&self, host: &str) -> Arc<Name> {
        let mut names = self.names();
        names.retain(|_, name| Arc::strong_count(name) > 1);
        let made = || Arc::new(Name::new(host, Arc::clone(&self.failures), self.panics.clone()));
        Arc::clone(names.entry(host.to_owned()).or_insert_with(made))
    }

    /// Look-ups that failed or took too long.
    pub(crate) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// Names in use that do not resolve, and why.
    pub(crate) fn failing(&self) -> Vec<(String, String)> {
        let names = self.names();
        let in_use = names.values().filter(|name| name.is_in_use());
        in_use.filter_map(|name| Some((name.host.clone(), name.failure().clone()?))).collect()
    }

    /// Age of the oldest answer among the names in use, in milliseconds.
    pub(crate) fn oldest_ms(&self) -> u64 {
        let names = self.names();
        let ages = names.values().filter(|name| name.is_in_use()).filter_map(|name| name.age());
        ages.max().map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
    }

    fn names(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Name>>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One name and the last good answer for it.
pub(crate) struct Name {
    host: String,
    answer: ArcSwapOption<Answer>,
    /// Why the last look-up failed, where it did.
    failure: Mutex<Option<String>>,
    asking: AtomicBool,
    /// Look-ups that have ended.
    ended: AtomicU64,
    told: Notify,
    made: Instant,
    /// When it was last needed, in milliseconds since `made`.
    used_ms: AtomicU64,
    failures: Arc<AtomicU64>,
    panics: Panics,
}

struct Answer {
    at: Instant,
    addresses: Vec<Listed>,
}

#[derive(Clone, Copy)]
struct Listed {
    address: IpAddr,
    /// Answers in a row that left it out.
    missing: u8,
}

impl Name {
    fn new(host: &str, failures: Arc<AtomicU64>, panics: Panics) -> Self {
        Self {
            host: host.to_owned(),
            answer: ArcSwapOption::empty(),
            failure: Mutex::new(None),
            asking: AtomicBool::new(false),
            ended: AtomicU64::new(0),
            told: Notify::new(),
            made: Instant::now(),
            used_ms: AtomicU64::new(0),
            failures,
            panics,
        }
    }

    /// Where the name leads now, in the resolver's order.
    ///
    /// # Errors
    /// It does not resolve, and never has.
    pub(crate) async fn addresses(self: &Arc<Self>, ttl: Duration) -> io::Result<Vec<IpAddr>> {
        self.used_ms.store(self.since_made_ms(), Ordering::Relaxed);
        match self.age() {
            None => self.ask_and_wait().await,
            // A resolver that does not answer must not cost every connection a wait.
            Some(age) if age >= ttl && self.failure().is_none() => {
                drop(tokio::time::timeout(OLD_ANSWER_WAIT, self.ask_and_wait()).await);
            }
            Some(age) if age >= ttl => self.ask(),
            Some(_) => {}
        }
        match &*self.answer.load() {
            Some(answer) => {
                Ok(answer.addresses.iter().filter(|at| at.missing == 0).map(|at| at.address).collect())
            }
            None => Err(io::Error::other(self.failure().clone().unwrap_or_default())),
        }
    }

    /// Asks anew when the answer is about to be old and somebody uses the name. Called once a second.
    pub(crate) fn refresh(self: &Arc<Self>, ttl: Duration) {
        let soon = ttl.saturating_sub(Duration::from_secs(1)).max(ttl / 2);
        if self.is_in_use() && self.age().is_some_and(|age| age >= soon) {
            self.ask();
        }
    }

    /// Says that pooled connections keep the name in use.
    pub(crate) fn still_used(&self) {
        self.used_ms.store(self.since_made_ms(), Ordering::Relaxed);
    }

    /// Whether the name still leads to `address`.
    pub(crate) fn lists(&self, address: IpAddr) -> bool {
        let answer = self.answer.load();
        answer.as_ref().is_none_or(|answer| answer.addresses.iter().any(|at| at.address == address))
    }

    fn since_made_ms(&self) -> u64 {
        u64::try_from(self.made.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn is_in_use(&self) -> bool {
        let unused = self.since_made_ms().saturating_sub(self.used_ms.load(Ordering::Relaxed));
        Duration::from_millis(unused) < IN_USE
    }

    fn age(&self) -> Option<Duration> {
        self.answer.load().as_ref().map(|answer| answer.at.elapsed())
    }

    fn failure(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.failure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask_and_wait(self: &Arc<Self>) {
        let before = self.ended.load(Ordering::Acquire);
        loop {
            let told = self.told.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            if self.ended.load(Ordering::Acquire) > before {
                return;
            }
            self.ask();
            told.await;
        }
    }

    /// Starts a look-up of its own task, so that it outlives the request that needs it.
    fn ask(self: &Arc<Self>) {
        if self.asking.swap(true, Ordering::AcqRel) {
            return;
        }
        let name = Arc::clone(self);
        drop(tokio::task::spawn_local(async move {
            // Whoever waits is told, and asks again.
            if caught(pin!(name.look_up())).await.is_err() {
                name.panics.count();
                name.failed("the look-up failed inside the gateway".to_owned());
            }
            name.asking.store(false, Ordering::Release);
            // Who came between the answer and this found it asked, and may have waited for nothing.
            name.told.notify_waiters();
        }));
    }

    async fn look_up(&self) {
        fail_point!("resolve");
        let host = (self.host.clone(), 0);
        let asked = tokio::net::lookup_host(host);
        tokio::pin!(asked);
        let found = if let Ok(found) = tokio::time::timeout(LOOKUP_MAX, asked.as_mut()).await {
            found
        } else {
            self.failed("the resolver does not answer".to_owned());
            asked.await
        };
        match found.map(|found| found.map(|at| at.ip()).collect::<Vec<_>>()) {
            Ok(found) if !found.is_empty() => self.succeeded(found),
            Ok(_) => self.failed("no address".to_owned()),
            Err(e) => self.failed(e.to_string()),
        }
    }

    fn succeeded(&self, found: Vec<IpAddr>) {
        let known = self.answer.load_full();
        let known = known.iter().flat_map(|answer| &answer.addresses);
        let addresses = merge(known, found);
        self.answer.store(Some(Arc::new(Answer { at: Instant::now(), addresses })));
        self.failure().take();
        self.tell();
    }

    fn failed(&self, why: String) {
        self.failures.fetch_add(1, Ordering::Relaxed);
        self.failure().replace(why);
        self.tell();
    }

    fn tell(&self) {
        self.ended.fetch_add(1, Ordering::AcqRel);
        self.told.notify_waiters();
    }
}

/// The new answer, and what the last ones held beside it; a wholly different answer stands alone, since the
/// service has moved.
fn merge<'a>(known: impl Iterator<Item = &'a Listed>, found: Vec<IpAddr>) -> Vec<Listed> {
    let mut left_out = Vec::new();
    let mut overlaps = false;
    for listed in known {
        if found.contains(&listed.address) {
            overlaps = true;
        } else if listed.missing + 1 < MISSING_MAX {
            left_out.push(Listed { missing: listed.missing + 1, ..*listed });
        }
    }
    let mut addresses: Vec<Listed> = Vec::new();
    for address in found {
        // getaddrinfo may say an address twice.
        if !addresses.iter().any(|listed| listed.address == address) {
            addresses.push(Listed { address, missing: 0 });
        }
    }
    if overlaps {
        addresses.extend(left_out);
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    fn after(answers: &[&[u8]]) -> Vec<(IpAddr, u8)> {
        let mut known: Vec<Listed> = Vec::new();
        for answer in answers {
            known = merge(known.clone().iter(), answer.iter().copied().map(ip).collect());
        }
        known.iter().map(|listed| (listed.address, listed.missing)).collect()
    }

    #[test]
    fn an_answer_that_shares_nothing_with_the_last_stands_alone() {
        assert_eq!(after(&[&[1, 2], &[3]]), [(ip(3), 0)]);
    }

    #[test]
    fn an_address_that_is_left_out_among_others_goes_at_the_third_time() {
        assert_eq!(after(&[&[1, 2], &[1]]), [(ip(1), 0), (ip(2), 1)]);
        assert_eq!(after(&[&[1, 2], &[1], &[1]]), [(ip(1), 0), (ip(2), 2)]);
        assert_eq!(after(&[&[1, 2], &[1], &[1], &[1]]), [(ip(1), 0)]);
    }

    #[test]
    fn an_address_that_comes_back_counts_anew() {
        assert_eq!(after(&[&[1, 2], &[1], &[2, 1], &[1]]), [(ip(1), 0), (ip(2), 1)]);
    }
}
