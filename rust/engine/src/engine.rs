//! Start, feed and drain the workers.

use std::fs::File;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use arc_swap::ArcSwap;
use llm_edge_core::directory::Directory;
use llm_edge_core::occupancy::Occupancy;
use llm_edge_core::principal::virtual_key::Pepper;
use llm_edge_core::snapshot::Snapshot;
use llm_edge_core::versioned::Versioned;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use crate::backends::cache::memory::ExactCache;
use crate::backends::owners::Owners;
use crate::backends::policies::{Policies, Policy};
use crate::backends::upstream::{Origin, Resolver};
use crate::descriptors;
use crate::doors::balance::{Peer, Peers};
use crate::doors::listener::{self, Place};
use crate::doors::{Certificate, server_config};
use crate::fail_points::fail_point;
use crate::memory::{self, Trim};
use crate::options::{Options, TlsFiles, cores};
use crate::panics::{Panic, Panics};
use crate::shared::{ByTarget, Credentials, Healths, Shared};
use crate::telemetry::bank::Bank;
use crate::telemetry::metrics::{ProcessGauges, render};
use crate::telemetry::request_log::{LogQueue, LogWriter};
use crate::thread::Thread;
use crate::worker::Order;

/// Why the engine refused; the message says what, where and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineError(pub String);

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for EngineError {}

impl From<String> for EngineError {
    fn from(message: String) -> Self {
        Self(message)
    }
}

/// The data path. Cheap to hold, safe to call from any thread; no call blocks but `drain` and `stop`.
pub struct Engine {
    options: Options,
    shared: Arc<Shared>,
    running: Mutex<Option<Running>>,
    /// The process whose threads these are: a forked child has none of them.
    pid: u32,
}

/// Where the API is listened on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// An address and a port.
    Tcp(SocketAddr),
    /// The file of a Unix socket.
    Unix(PathBuf),
}

impl Address {
    fn of(place: &Place) -> Self {
        match place {
            Place::Tcp(address) => Self::Tcp(*address),
            Place::Unix(file) => Self::Unix(file.path.clone()),
        }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

struct Running {
    certificate: Option<Arc<Certificate>>,
    place: Place,
    peers: Arc<[Peer]>,
    workers: Vec<(UnboundedSender<Order>, JoinHandle<()>)>,
    banks: Vec<Arc<Bank>>,
    runtimes: Vec<Handle>,
    log_stop: mpsc::Sender<()>,
    log: JoinHandle<()>,
}

impl Engine {
    /// An engine that does nothing yet.
    ///
    /// # Errors
    /// The options do not parse, or there is no randomness.
    pub fn new(options: &[u8]) -> Result<Self, EngineError> {
        let options = Options::parse(options)?;
        let pepper = Pepper::new(&options.pepper_bytes()?);
        let mut secret = [0; 32];
        fill_random(&mut secret)?;
        let panics = Panics::default();
        let shared = Arc::new(Shared {
            published: Versioned::default(),
            directory: ArcSwap::from_pointee(Directory::default()),
            directory_version: AtomicU64::new(0),
            pepper,
            credentials: Credentials::default(),
            breakers: ByTarget::default(),
            loads: ByTarget::default(),
            healths: Healths::default(),
            started: Instant::now(),
            cache: ExactCache::new(secret),
            owners: Owners::default(),
            policies: Policies::default(),
            resolver: Resolver::new(panics.clone()),
            panics,
            draining: AtomicBool::new(false),
            ready: AtomicBool::new(true),
            occupancy: Occupancy::default(),
            clients: Arc::default(),
            buffered_bytes: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            resident_bytes: AtomicU64::new(0),
        });
        Ok(Self { options, shared, running: Mutex::new(None), pid: std::process::id() })
    }

    /// Runs what another language asks for: a panic must not end up on the other side.
    ///
    /// # Errors
    /// Those of `work`, and a panic; its message is on standard error.
    pub fn call<T>(&self, work: impl FnOnce(&Self) -> Result<T, EngineError>) -> Result<T, EngineError> {
        self.shared
            .panics
            .outlive(|| work(self))
            .unwrap_or_else(|Panic| Err(EngineError("the engine failed inside, and goes on".to_owned())))
    }

    pub(crate) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Swaps in a snapshot; returns its epoch.
    ///
    /// # Errors
    /// With the dotted path of the fault; the snapshot in force stays.
    pub fn apply(&self, snapshot: &[u8]) -> Result<u64, EngineError> {
        fail_point!("call.apply");
        let snapshot = Snapshot::parse(snapshot).map_err(|e| EngineError(e.to_string()))?;
        for (at, provider) in snapshot.providers.iter().enumerate() {
            Origin::check(&provider.origin, &self.shared)
                .map_err(|e| format!("snapshot: providers[{at}].origin: {e}"))?;
        }
        // One writer at a time: the cache has the size of the snapshot in force.
        let _running = self.running();
        self.shared.cache.resize(snapshot.cache_bytes_max);
        Ok(self.shared.published.put(Arc::new(snapshot)))
    }

    /// Makes the directory hold exactly these principals; returns their number.
    ///
    /// # Errors
    /// The JSON does not parse; nothing is changed.
    pub fn directory_replace(&self, principals: &[u8]) -> Result<usize, EngineError> {
        fail_point!("call.directory");
        let directory = Directory::parse(principals)?;
        let count = directory.len();
        self.shared.directory.store(Arc::new(directory));
        self.shared.directory_version.fetch_add(1, Ordering::Release);
        Ok(count)
    }

    /// Puts a provider credential into its slot.
    ///
    /// # Errors
    /// The value cannot be carried by a header field.
    pub fn set_credential(&self, slot: &str, value: &str) -> Result<(), EngineError> {
        Ok(self.shared.credentials.set(slot, value)?)
    }

    /// Puts the private key of a client certificate into its slot.
    ///
    /// # Errors
    /// It is none in PEM form.
    pub fn set_private_key(&self, slot: &str, pem: &str) -> Result<(), EngineError> {
        Ok(self.shared.credentials.set_private_key(slot, pem)?)
    }

    /// Empties a credential's slot, whose value is good no more: requests that need it are refused with
    /// `reason`, until another is set.
    pub fn lose_credential(&self, slot: &str, reason: &str) {
        self.shared.credentials.lose(slot, reason);
    }

    /// Replaces the certificate of the API listener: handshakes from now on show it, connections that stand
    /// go on.
    ///
    /// # Errors
    /// What is wrong with certificate or key; the one in force stays. The engine does not run, or was started
    /// without TLS.
    pub fn set_certificate(&self, cert_pem: &str, key_pem: &str) -> Result<(), EngineError> {
        let running = self.running();
        let certificate = running.as_ref().and_then(|running| running.certificate.as_ref());
        let Some(certificate) = certificate else {
            return Err(EngineError("the listener was started without TLS".to_owned()));
        };
        let files = TlsFiles { cert_pem: cert_pem.to_owned(), key_pem: key_pem.to_owned() };
        Ok(certificate.replace(&files)?)
    }

    /// Binds, starts the workers and returns the address.
    ///
    /// # Errors
    /// The address or certificate cannot be used, or there is no snapshot.
    pub fn start(&self) -> Result<Address, EngineError> {
        let mut running = self.running();
        if running.is_some() {
            return Err(EngineError("the engine is running already".to_owned()));
        }
        if self.shared.published.version() == 0 {
            return Err(EngineError("there is no snapshot yet: call `apply` first".to_owned()));
        }
        self.shared.draining.store(false, Ordering::Relaxed);
        let certificate = self.options.tls.as_ref().map(Certificate::new).transpose()?;
        let tls = certificate.as_ref().map(server_config).transpose()?;
        let count = if self.options.workers == 0 { cores() } else { self.options.workers };
        let (place, listeners) = listener::bind(&self.options, count)?;
        let (peers, handed): (Vec<_>, Vec<_>) = (0..count)
            .map(|_| {
                let (sender, receiver) = unbounded_channel();
                (Peer { load: Arc::default(), handed: sender }, receiver)
            })
            .unzip();
        let peers: Arc<[Peer]> = peers.into();
        let mut workers = Vec::new();
        let mut banks = Vec::new();
        let mut runtimes = Vec::new();
        let mut queues = Vec::new();
        for (at, (socket, handed)) in listeners.into_iter().zip(handed).enumerate() {
            let bank = Arc::new(Bank::default());
            let queue = LogQueue::default();
            banks.push(Arc::clone(&bank));
            queues.push(queue.clone());
            let mut seed = [0; 8];
            fill_random(&mut seed)?;
            let (orders, received) = unbounded_channel();
            let (started, outcome) = mpsc::channel();
            let thread = Thread {
                seed: u64::from_le_bytes(seed),
                shared: Arc::clone(&self.shared),
                bank,
                log: queue,
                socket,
                tls: tls.clone(),
                peers: Peers { all: Arc::clone(&peers), own: at },
                handed,
                orders: received,
            };
            let thread = std::thread::Builder::new()
                .name(format!("edge-worker-{at}"))
                .spawn(move || thread.run(&started))
                .map_err(|e| format!("a worker thread could not be started: {e}"))?;
            match outcome.recv() {
                Ok(Ok(runtime)) => {
                    workers.push((orders, thread));
                    runtimes.push(runtime);
                }
                Ok(Err(e)) => return Err(EngineError(e)),
                Err(_) => return Err(EngineError("a worker thread ended at its start".to_owned())),
            }
        }
        descriptors::count_own();
        let (log_stop, log) = start_log(self.options.log_fd, queues, Arc::clone(&self.shared))?;
        let address = Address::of(&place);
        *running = Some(Running { certificate, place, peers, workers, banks, runtimes, log_stop, log });
        Ok(address)
    }

    /// JSON for people and probes.
    pub fn status(&self) -> String {
        let running = self.running();
        fail_point!("call.status");
        let published = self.shared.published.get();
        let snapshot = published.as_ref().map(|(_, snapshot)| snapshot);
        let targets: Vec<_> = snapshot
            .iter()
            .flat_map(|s| s.routes.iter().map(move |route| (s, route)))
            .flat_map(|(s, route)| {
                route.targets.iter().map(move |target| {
                    let model = target.model.label();
                    serde_json::json!({
                        "route": route.name,
                        "provider": s.providers.get(target.provider).map(|p| p.name.as_str()),
                        "model": model,
                    })
                })
            })
            .collect();
        let sum = |of: fn(&Bank) -> u64| -> u64 {
            running.iter().flat_map(|r| &r.banks).fold(0u64, |sum, bank| sum.wrapping_add(of(bank)))
        };
        serde_json::json!({
            "epoch": published.as_ref().map_or(0, |(epoch, _)| *epoch),
            "fingerprint": snapshot.map(|s| s.fingerprint.as_str()),
            "address": running.as_ref().map(|r| Address::of(&r.place).to_string()),
            "workers": running.as_ref().map_or(0, |r| r.workers.len()),
            "ready": self.shared.ready.load(Ordering::Relaxed) && !self.shared.draining() && running.is_some(),
            "draining": self.shared.draining(),
            "in_flight": sum(|bank| bank.worker.in_flight.get()),
            "connections": self.shared.occupancy.connections(),
            "worker_connections": running.iter().flat_map(|r| &*r.peers)
                .map(|peer| peer.load.load(Ordering::Relaxed)).collect::<Vec<_>>(),
            "principals": self.shared.directory.load().len(),
            "targets": targets,
        })
        .to_string()
    }

    /// The metrics of the data path, as Prometheus text.
    pub fn metrics(&self) -> String {
        let running = self.running();
        fail_point!("call.metrics");
        let none = Vec::new();
        let banks = running.as_ref().map_or(&none, |r| &r.banks);
        let breakers = self.shared.breakers.all().into_iter();
        let process = ProcessGauges {
            healths: self.shared.healths.all(),
            breakers: breakers
                .map(|(labels, shared)| {
                    (labels, shared.breaker.state(), shared.opened.load(Ordering::Relaxed))
                })
                .collect(),
            cache_bytes: self.shared.cache.bytes(),
            buffered_bytes: self.shared.buffered_bytes.load(Ordering::Relaxed),
            dns_failures: self.shared.resolver.failures(),
            dns_age_ms: self.shared.resolver.oldest_ms(),
            tasks: running
                .iter()
                .flat_map(|r| &r.runtimes)
                .fold(0, |sum, runtime| sum + runtime.metrics().num_alive_tasks() as u64),
            heap_live_bytes: memory::heap_live_bytes(),
            panics: self.shared.panics.counted(),
        };
        render(banks, &process)
    }

    /// Has a policy rank targets for the routes that name it, from the next snapshot on.
    ///
    /// # Errors
    /// There is no thread for it.
    pub fn set_policy(&self, name: &str, policy: Policy) -> Result<(), EngineError> {
        let panics = self.shared.panics.clone();
        self.shared
            .policies
            .set(name, policy, panics)
            .map_err(|e| EngineError(format!("policy `{name}`: {e}")))
    }

    /// What `/readyz` on the API port answers.
    pub fn set_ready(&self, ready: bool) {
        self.shared.ready.store(ready, Ordering::Relaxed);
    }

    /// Stops accepting and waits for what is in hand; true when all of it ended before the deadline. What is
    /// left then is cut explicitly.
    pub fn drain(&self, deadline: Duration) -> bool {
        self.shared.draining.store(true, Ordering::Relaxed);
        self.order(Order::Drain);
        if let Some(Running { place: Place::Unix(file), .. }) = &*self.running() {
            // Who comes now finds nobody, rather than a socket that is about to close.
            file.remove();
        }
        if self.wait_until_gone(deadline) {
            return true;
        }
        self.order(Order::Cut);
        self.wait_until_gone(Duration::from_secs(2));
        false
    }

    fn wait_until_gone(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        while !self.shared.occupancy.is_deserted() {
            if Instant::now() >= until {
                return false;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        true
    }

    fn order(&self, order: Order) {
        if let Some(running) = &*self.running() {
            for (orders, _) in &running.workers {
                // A worker that is gone needs no orders.
                let _ = orders.send(order);
            }
        }
    }

    /// Stops the workers at once. Does nothing when they are stopped.
    pub fn stop(&self) {
        if std::process::id() != self.pid {
            return self.abandon();
        }
        let Some(running) = self.running().take() else { return };
        for (orders, _) in &running.workers {
            let _ = orders.send(Order::Stop);
        }
        for (_, thread) in running.workers {
            drop(thread.join());
        }
        drop(running.log_stop);
        drop(running.log.join());
    }

    /// In a forked child: the threads stayed with the parent, and waiting for them would take for ever.
    fn abandon(&self) {
        if let Ok(mut running) = self.running.try_lock()
            && let Some(running) = running.take()
        {
            Box::leak(Box::new(running));
        }
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<Running>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.stop();
    }
}

fn start_log(
    fd: i32,
    queues: Vec<LogQueue>,
    shared: Arc<Shared>,
) -> Result<(mpsc::Sender<()>, JoinHandle<()>), EngineError> {
    let (stdout, stderr) = (std::io::stdout(), std::io::stderr());
    let fd: BorrowedFd<'_> = match fd {
        1 => stdout.as_fd(),
        2 => stderr.as_fd(),
        _ => return Err(EngineError("options.log_fd: must be 1 or 2".to_owned())),
    };
    let owned = fd.try_clone_to_owned().map_err(|e| format!("the log cannot be opened: {e}"))?;
    let mut writer = LogWriter::new(queues, File::from(owned));
    let (stop, stopped) = mpsc::channel();
    let thread = std::thread::Builder::new()
        .name("edge-log".to_owned())
        .spawn(move || {
            let mut trim = Trim::default();
            while stopped.recv_timeout(Duration::from_millis(100)) == Err(mpsc::RecvTimeoutError::Timeout) {
                drop(shared.panics.outlive(|| {
                    fail_point!("loop.log");
                    writer.flush();
                    trim.look(shared.occupancy.connections());
                    let max = shared.published.get().map_or(0, |(_, s)| s.limits.memory_bytes_max);
                    if max > 0 {
                        shared.resident_bytes.store(trim.make_room(max), Ordering::Relaxed);
                    }
                }));
            }
            writer.flush();
        })
        .map_err(|e| format!("the log thread could not be started: {e}"))?;
    Ok((stop, thread))
}

fn fill_random(bytes: &mut [u8]) -> Result<(), EngineError> {
    rustls::crypto::aws_lc_rs::default_provider()
        .secure_random
        .fill(bytes)
        .map_err(|_| EngineError("the system has no randomness to give".to_owned()))
}
