//! Clients that leave in mid-request, and how long it takes until the upstream sees it.

use std::collections::HashMap;
use std::io;
use std::sync::Arc;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::ask::{Ask, Dialect};
use super::client::{Http1, Http2, Http2Pool, Peers};
use super::gateway::Metrics;
use super::scenario::{Abort, Window};
use super::story::Numbers;
use super::upstream::{Oracle, Tarpit};

/// Clients that leave at the same time.
const LANES: usize = 8;
/// Tarpits of each vendor's provider, so that as many waits can be told apart at a time.
pub(super) const TARPITS_EACH: usize = 4;
/// The upstream must see it within this time in 99 of 100 cases, and always within [`SEEN_MAX`].
const SEEN_P99: Duration = Duration::from_millis(250);
const SEEN_MAX: Duration = Duration::from_secs(1);
/// How long a request may take to arrive where it is to wait.
const ARRIVED_MAX: Duration = Duration::from_secs(10);
/// Ids of disconnections are no ids of replies.
const FIRST_ID: u64 = 1;
const FAILURES_SHOWN: usize = 20;
const TASKS: &str = "llm_edge_tasks";

/// What came of all disconnections.
#[derive(Clone, Debug, Default)]
pub struct Disconnects {
    /// Times from the client's leaving to the upstream's seeing it, sorted.
    pub times: Vec<Duration>,
    /// How many clients left.
    pub aborts: u64,
    /// The first that were not seen.
    pub failures: Vec<String>,
    /// Tasks that the gateways have more of than before; unknown of a gateway that is not ours.
    pub leaked_tasks: Option<u64>,
    missed: u64,
}

impl Disconnects {
    /// Seen by the upstream.
    pub fn seen(&self) -> u64 {
        self.times.len() as u64
    }

    /// Not seen, left behind, and figures out of their bounds.
    pub fn failed(&self) -> u64 {
        let late = !self.times.is_empty() && (self.p99() > SEEN_P99 || self.max() > SEEN_MAX);
        self.missed + u64::from(late) + self.leaked_tasks.unwrap_or(0)
    }

    /// Whether all were seen in time, and nothing is left of them.
    pub fn is_clean(&self) -> bool {
        self.failed() == 0
    }

    fn p99(&self) -> Duration {
        let rank = (self.times.len() * 99).div_ceil(100).saturating_sub(1);
        self.times.get(rank).copied().unwrap_or_default()
    }

    fn max(&self) -> Duration {
        self.times.last().copied().unwrap_or_default()
    }

    /// For the report.
    pub fn json(&self) -> Value {
        let ms = |time: Duration| (time.as_secs_f64() * 1e5).round() / 100.0;
        json!({
            "aborts": self.aborts, "seen": self.seen(), "missed": self.missed,
            "p99_ms": ms(self.p99()), "max_ms": ms(self.max()), "leaked_tasks": self.leaked_tasks,
        })
    }
}

/// What the tasks of gateways are counted against: how many each had before.
pub struct Tasks<'a> {
    before: Vec<(&'a str, &'a Metrics, f64)>,
}

impl<'a> Tasks<'a> {
    /// Counts them now, while nobody has called yet.
    ///
    /// # Errors
    /// A metrics port's.
    pub async fn count(gateways: impl Iterator<Item = (&'a str, &'a Metrics)>) -> io::Result<Self> {
        let mut before = Vec::new();
        for (name, metrics) in gateways {
            before.push((name, metrics, metrics.sum(TASKS).await?));
        }
        Ok(Self { before })
    }

    /// Notes in the result what is still there when all clients have left and some time has passed.
    ///
    /// # Errors
    /// A metrics port's.
    pub async fn compare(self, result: &mut Disconnects) -> io::Result<()> {
        let mut leaked_tasks = None;
        for (name, metrics, before) in self.before {
            let left = metrics.settled(TASKS, before).await?;
            let leaked = leaked_tasks.get_or_insert(0);
            if left > before {
                result.failures.push(format!(
                    "gateway `{name}`: `{TASKS}` is {left} when all clients have left, and was {before}"
                ));
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    reason = "a difference of counts, above 0"
                )]
                let more = (left - before) as u64;
                *leaked += more;
            }
        }
        result.leaked_tasks = leaked_tasks;
        Ok(())
    }
}

struct Lanes {
    aborts: Vec<(Abort, u64)>,
    next: Mutex<usize>,
    peers: Peers,
    pools: HashMap<String, Arc<Http2Pool>>,
    oracle: Arc<Oracle>,
    turns: Vec<tokio::sync::Mutex<()>>,
    seed: u64,
    result: Mutex<Disconnects>,
}

/// Plays all of them.
///
/// # Errors
/// A disconnection names a gateway that is not there.
pub async fn play(
    aborts: &[Abort],
    peers: &Peers,
    oracle: &Arc<Oracle>,
    seed: u64,
) -> io::Result<Disconnects> {
    let mut all: Vec<(Abort, u64)> = Vec::new();
    for abort in aborts {
        if !peers.contains_key(&abort.gateway) {
            return Err(io::Error::other(format!("no gateway `{}`", abort.gateway)));
        }
        all.extend((0..abort.count).map(|nth| (abort.clone(), nth)));
    }
    let mut numbers = Numbers::new(seed);
    for at in (1..all.len()).rev() {
        all.swap(at, usize::try_from(numbers.below(at as u64 + 1)).unwrap_or(0));
    }
    let lanes = Arc::new(Lanes {
        aborts: all,
        next: Mutex::new(0),
        peers: peers.clone(),
        pools: peers.iter().map(|(name, peer)| (name.clone(), Http2Pool::new(peer.clone(), 2))).collect(),
        oracle: Arc::clone(oracle),
        turns: oracle.tarpits.iter().map(|_| tokio::sync::Mutex::default()).collect(),
        seed,
        result: Mutex::default(),
    });
    let tasks: Vec<_> = (0..LANES).map(|lane| tokio::spawn(run(Arc::clone(&lanes), lane))).collect();
    for task in tasks {
        task.await.map_err(io::Error::other)?;
    }
    let mut result = lanes.result.lock().unwrap_or_else(PoisonError::into_inner).clone();
    result.times.sort_unstable();
    Ok(result)
}

async fn run(lanes: Arc<Lanes>, lane: usize) {
    loop {
        let at = {
            let mut next = lanes.next.lock().unwrap_or_else(PoisonError::into_inner);
            *next += 1;
            *next - 1
        };
        let Some((abort, nth)) = lanes.aborts.get(at) else { return };
        let id = FIRST_ID + at as u64;
        let seen = leave(&lanes, abort, id, lane, nth % 2 == 1).await;
        drop(lanes.oracle.log.take(id));
        let mut result = lanes.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.aborts += 1;
        match seen {
            Ok(time) => result.times.push(time),
            Err(why) => {
                result.missed += 1;
                if result.failures.len() < FAILURES_SHOWN {
                    result.failures.push(format!("{} #{nth}: {why}", abort.name));
                }
            }
        }
    }
}

/// One client: arrives in its window, leaves, and asks when that was seen.
async fn leave(lanes: &Lanes, abort: &Abort, id: u64, lane: usize, reset: bool) -> Result<Duration, String> {
    let Some(peer) = lanes.peers.get(&abort.gateway) else { return Err("no gateway".to_owned()) };
    let orders = match abort.window {
        Window::Queued | Window::BeforeFirstToken | Window::NonStreaming => "stall:0",
        // Behind the head and some events, of which the gateway has whole ones to pass on.
        Window::MidStream => "stall:1800",
    };
    let ask = Ask {
        dialect: abort.dialect,
        stream: abort.window != Window::NonStreaming && abort.dialect != Dialect::Embeddings,
        usage: false,
        id,
        seed: Numbers::new(lanes.seed ^ id).next(),
        events: 20,
        size: 60,
        plan: orders.parse().map_err(|e| format!("{e}"))?,
    };
    let vendor = abort.dialect.vendor();
    let tarpit = lane % TARPITS_EACH + TARPITS_EACH * vendor as usize;
    let model = match abort.window {
        Window::Queued => format!("queued-{tarpit}"),
        _ => abort.model.clone(),
    };
    let (target, body) = (ask.target(&model), ask.body(&model));
    // Two visits to a tarpit at one time could not be told apart.
    let _alone = match lanes.turns.get(tarpit) {
        Some(turn) if abort.window == Window::Queued => Some(turn.lock().await),
        _ => None,
    };
    let tarpit = (abort.window == Window::Queued).then(|| lanes.oracle.tarpits.get(tarpit)).flatten();
    let before = tarpit.map_or((0, 0), |tarpit| (tarpit.come(), tarpit.gone().len()));
    let left_at = if abort.client.is_h2() {
        let Some(pool) = lanes.pools.get(&abort.gateway) else { return Err("no gateway".to_owned()) };
        let mut http: Http2 = pool.client();
        let waiting = http.send(&target, vendor, &body, body.len()).await.map_err(|e| e.to_string())?;
        arrived(lanes, id, tarpit, before.0).await?;
        if abort.window == Window::MidStream {
            let begun = waiting.first_bytes().await.ok_or("the reply ended before it began")?;
            let at = Instant::now();
            begun.abandon();
            at
        } else {
            let at = Instant::now();
            waiting.abandon();
            at
        }
    } else {
        let mut http = Http1::new(peer.clone());
        http.send(&target, vendor, &body).await.map_err(|e| e.to_string())?;
        arrived(lanes, id, tarpit, before.0).await?;
        if abort.window == Window::MidStream && !http.first_bytes().await {
            return Err("the reply ended before it began".to_owned());
        }
        let at = Instant::now();
        http.abandon(reset);
        at
    };
    seen(lanes, id, tarpit, before.1, left_at).await
}

async fn arrived(lanes: &Lanes, id: u64, tarpit: Option<&Tarpit>, before: usize) -> Result<(), String> {
    let began = Instant::now();
    loop {
        let there = match tarpit {
            Some(tarpit) => tarpit.come() > before,
            None => lanes.oracle.log.attempts(id).iter().any(|attempt| attempt.performed),
        };
        if there {
            return Ok(());
        }
        if began.elapsed() > ARRIVED_MAX {
            return Err("the request never arrived where it was to wait".to_owned());
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

async fn seen(
    lanes: &Lanes,
    id: u64,
    tarpit: Option<&Tarpit>,
    before: usize,
    left_at: Instant,
) -> Result<Duration, String> {
    loop {
        let at = if let Some(tarpit) = tarpit {
            tarpit.gone().get(before).copied()
        } else {
            let attempts = lanes.oracle.log.attempts(id);
            if attempts.len() > 1 {
                return Err(format!("executed {} times", attempts.len()));
            }
            attempts.first().and_then(|attempt| attempt.gone).map(|(at, _)| at)
        };
        if let Some(at) = at {
            return Ok(at.saturating_duration_since(left_at));
        }
        if left_at.elapsed() > ARRIVED_MAX {
            return Err(format!("the upstream did not see it within {} s", ARRIVED_MAX.as_secs()));
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    /// Metrics that are scraped: the number of tasks each time, the last one for ever.
    async fn metrics(tasks: &'static [u32]) -> Metrics {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(tokio::spawn(async move {
            for scrape in 0.. {
                let (mut stream, _) = listener.accept().await.unwrap();
                let _ = stream.read(&mut [0; 1024]).await.unwrap();
                let tasks = tasks.get(scrape).or(tasks.last()).unwrap();
                let text = format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{TASKS} {tasks}\n");
                stream.write_all(text.as_bytes()).await.unwrap();
            }
        }));
        Metrics(address)
    }

    #[tokio::test]
    async fn a_task_that_stays_behind_fails_the_run_and_one_that_still_ends_does_not() {
        for (tasks, leaked) in [(&[3, 5, 4, 3][..], 0), (&[3, 2], 0), (&[3, 9, 5], 2)] {
            let metrics = metrics(tasks).await;
            let mut result = Disconnects::default();
            let before = Tasks::count([("base", &metrics)].into_iter()).await.unwrap();
            before.compare(&mut result).await.unwrap();
            assert_eq!(result.leaked_tasks, Some(leaked), "{tasks:?}");
            assert_eq!((result.is_clean(), result.failures.is_empty()), (leaked == 0, leaked == 0));
        }
    }

    #[tokio::test]
    async fn of_a_gateway_without_metrics_nothing_is_said() {
        let mut result = Disconnects::default();
        Tasks::count(std::iter::empty()).await.unwrap().compare(&mut result).await.unwrap();
        assert_eq!((result.leaked_tasks, result.is_clean()), (None, true));
    }
}
