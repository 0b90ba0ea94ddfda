//! Health probes: a provider is asked again and again whether it is there, by a question that costs no tokens.
//!
//! Any reply below 500 is a good one: a refused key or an unknown path come from a provider that is there. What
//! the probes find only changes who is asked first; it never takes a route down.

use std::collections::HashMap;
use std::io::IoSlice;
use std::rc::Rc;
use std::time::Duration;

use llm_edge_core::snapshot::HealthProbe;
use tokio::task::JoinSet;

use crate::fail_points::fail_point;
use crate::loaded::{Loaded, LoadedProvider};
use crate::panics::caught;
use crate::telemetry::notice;
use crate::worker::Worker;

/// How often the loop looks whether a probe is due.
const LOOK: Duration = Duration::from_millis(100);

/// What the loop remembers of one provider.
#[derive(Default)]
struct Watch {
    due_ms: u64,
    failures: u32,
    /// The last question is still to be answered.
    is_asked: bool,
}

/// What came of one question.
struct Answer {
    loaded: Rc<Loaded>,
    /// The provider, by its index there.
    at: usize,
    /// `None`: nobody knows.
    is_up: Option<bool>,
}

/// Probes every provider that wants it, for as long as the worker lives.
pub(crate) async fn run(worker: &Rc<Worker>) {
    let mut watches: HashMap<String, Watch> = HashMap::new();
    // Each by itself: a provider that does not answer must not delay what is found of another.
    let mut asked = JoinSet::new();
    loop {
        tokio::time::sleep(LOOK).await;
        fail_point!("loop.probes");
        worker.deadlines.look_at_clock();
        while let Some(Ok(answer)) = asked.try_join_next() {
            heed(worker, &mut watches, &answer);
        }
        let loaded = worker.loaded();
        let now_ms = worker.deadlines.now_ms();
        for (at, config) in loaded.snapshot.providers.iter().enumerate() {
            let Some(probe) = &config.health else { continue };
            let watch = watches.entry(config.name.clone()).or_default();
            if watch.due_ms <= now_ms && !watch.is_asked {
                watch.due_ms = now_ms + u64::from(probe.interval_ms);
                watch.is_asked = true;
                asked.spawn_local(asking(Rc::clone(worker), Rc::clone(&loaded), at));
            }
        }
        watches.retain(|name, _| {
            loaded.snapshot.providers.iter().any(|p| p.health.is_some() && p.name == *name)
        });
    }
}

async fn asking(worker: Rc<Worker>, loaded: Rc<Loaded>, at: usize) -> Answer {
    let provider = loaded.providers.get(at);
    let probe = loaded.snapshot.providers.get(at).and_then(|config| config.health.as_ref());
    let is_up = match (provider, probe) {
        (Some(provider), Some(probe)) => {
            let answer = caught(Box::pin(ask(&worker, &loaded, probe, provider)).as_mut()).await;
            if answer.is_err() {
                worker.shared.panics.count();
            }
            answer.ok()
        }
        _ => None,
    };
    Answer { loaded, at, is_up }
}

/// Remembers an answer, and says so where it is news.
fn heed(worker: &Worker, watches: &mut HashMap<String, Watch>, answer: &Answer) {
    let Answer { loaded, at, is_up } = answer;
    let Some(config) = loaded.snapshot.providers.get(*at) else { return };
    let Some(watch) = watches.get_mut(&config.name) else { return };
    watch.is_asked = false;
    let (Some(is_up), Some(probe)) = (*is_up, &config.health) else { return };
    watch.failures = if is_up { 0 } else { watch.failures.saturating_add(1) };
    let down = watch.failures >= probe.failures;
    let health = loaded.providers.get(*at).and_then(|provider| provider.health.as_ref());
    if (is_up || down) && health.is_some_and(|health| health.set_down(down)) {
        tell(worker, &config.name, down);
    }
}

async fn ask(worker: &Rc<Worker>, loaded: &Loaded, probe: &HealthProbe, provider: &LoadedProvider) -> bool {
    let mut head = Vec::new();
    head.extend_from_slice(b"GET ");
    head.extend_from_slice(probe.path.as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    head.extend_from_slice(&provider.fixed_fields);
    match (provider.credentials.first(), &provider.scope) {
        (Some(credential), Some(scope)) => {
            credential.sign(&mut head, &[], scope);
        }
        (Some(credential), None) => {
            let before = head.len();
            head.extend_from_slice(provider.auth_field(None));
            if credential.write(&mut head) {
                head.extend_from_slice(b"\r\n");
            } else {
                head.truncate(before);
            }
        }
        (None, _) => {}
    }
    head.extend_from_slice(b"\r\n");
    let limits = &loaded.upstream_head_limits;
    let answer = async {
        let mut connection = provider.origin.connect(probe.timeout_ms).await.ok()?;
        connection.send(&mut [IoSlice::new(&head)], limits).await.ok()?;
        loop {
            connection.read_head(limits).await.ok()?;
            if connection.head.status >= 200 {
                return Some(connection.head.status);
            }
            connection.skip_head();
        }
    };
    let timer = worker.deadlines.timer();
    timer.arm(probe.timeout_ms);
    matches!(timer.limit(Box::pin(answer)).await, Ok(Some(status)) if status < 500)
}

fn tell(worker: &Worker, provider: &str, down: bool) {
    notice::write(worker, down, "health", |line| {
        line.text("provider", provider);
        line.text("state", if down { "down" } else { "up" });
    });
}
