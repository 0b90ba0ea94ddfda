//! Health probes: a provider is asked again and again whether it is there, by a question that costs no tokens.
//!
//! Any reply below 500 is a good one: a refused key or an unknown path come from a provider that is there. What
//! the probes find only changes who is asked first; it never takes a route down.

use std::collections::HashMap;
use std::io::IoSlice;
use std::rc::Rc;
use std::time::Duration;

use llm_edge_core::snapshot::HealthProbe;

use crate::fail_points::fail_point;
use crate::loaded::{Loaded, LoadedProvider};
use crate::telemetry::notice;
use crate::worker::Worker;

/// How often the loop looks whether a probe is due.
const LOOK: Duration = Duration::from_millis(100);

/// What the loop remembers of one provider.
#[derive(Default)]
struct Watch {
    due_ms: u64,
    failures: u32,
}

/// Probes every provider that wants it, for as long as the worker lives.
pub(crate) async fn run(worker: &Rc<Worker>) {
    let mut watches: HashMap<String, Watch> = HashMap::new();
    loop {
        tokio::time::sleep(LOOK).await;
        fail_point!("loop.probes");
        worker.deadlines.look_at_clock();
        let loaded = worker.loaded();
        let now_ms = worker.deadlines.now_ms();
        let snapshot = Rc::clone(&loaded);
        let probed = snapshot.snapshot.providers.iter().zip(&loaded.providers);
        let mut asked = Vec::new();
        for (config, provider) in probed {
            let Some(probe) = &config.health else { continue };
            let watch = watches.entry(config.name.clone()).or_default();
            if watch.due_ms <= now_ms {
                watch.due_ms = now_ms + u64::from(probe.interval_ms);
                asked.push((config.name.as_str(), probe, provider));
            }
        }
        // Side by side: a provider that does not answer must not delay what is found of another.
        let answers =
            join(asked.iter().map(|(_, probe, provider)| ask(worker, &loaded, probe, provider))).await;
        for ((name, probe, provider), is_up) in asked.iter().zip(answers) {
            let Some(watch) = watches.get_mut(*name) else { continue };
            watch.failures = if is_up { 0 } else { watch.failures.saturating_add(1) };
            let down = watch.failures >= probe.failures;
            let is_news = (is_up || down) && provider.health.as_ref().is_some_and(|h| h.set_down(down));
            if is_news {
                tell(worker, name, down);
            }
        }
        watches.retain(|name, _| {
            snapshot.snapshot.providers.iter().any(|p| p.health.is_some() && p.name == *name)
        });
    }
}

/// Runs futures side by side; their outputs in order.
async fn join<F: Future<Output = bool>>(futures: impl Iterator<Item = F>) -> Vec<bool> {
    let mut futures: Vec<_> = futures.map(|future| (Box::pin(future), None)).collect();
    std::future::poll_fn(|cx| {
        let mut pending = false;
        for (future, output) in &mut futures {
            if output.is_none() {
                match future.as_mut().poll(cx) {
                    std::task::Poll::Ready(is_up) => *output = Some(is_up),
                    std::task::Poll::Pending => pending = true,
                }
            }
        }
        if pending { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    futures.into_iter().map(|(_, output)| output.unwrap_or(false)).collect()
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
