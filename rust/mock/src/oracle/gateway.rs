//! The real gateway, started as a user starts it, in front of the oracle.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::client::Peer;
use super::tls::Identity;
use super::upstream::Oracle;

const START_MAX: Duration = Duration::from_secs(30);
/// How long a gateway may clean up after its clients.
const SETTLED_MAX: Duration = Duration::from_secs(2);
const STOP_MAX: Duration = Duration::from_secs(40);

/// A gateway that accepts requests.
pub struct Gateway {
    /// How to call it.
    pub peer: Peer,
    /// What it exposes of itself.
    pub metrics: Metrics,
    process: Child,
    log: PathBuf,
}

/// A port where metrics are.
pub struct Metrics(pub SocketAddr);

impl Metrics {
    /// The sum of a metric's series, as the gateway exposes them.
    ///
    /// # Errors
    /// The metrics port's, or there is no such metric.
    pub async fn sum(&self, name: &str) -> io::Result<f64> {
        let mut stream = TcpStream::connect(self.0).await?;
        let request = format!("GET /metrics HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n\r\n", self.0);
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        let _ = stream.read_to_string(&mut text).await?;
        let series = text
            .lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
        let values: Vec<f64> = series.filter_map(|line| line.rsplit(' ').next()?.parse().ok()).collect();
        if values.is_empty() {
            return Err(io::Error::other(format!("the gateway has no metric `{name}`")));
        }
        Ok(values.iter().sum())
    }

    /// The same, once it has come down to a bound: clients that have just left may still be cleaned up after.
    ///
    /// # Errors
    /// As for [`Self::sum`].
    pub async fn settled(&self, name: &str, bound: f64) -> io::Result<f64> {
        let began = Instant::now();
        loop {
            let value = self.sum(name).await?;
            if value <= bound || began.elapsed() > SETTLED_MAX {
                return Ok(value);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What a gateway's configuration may refer to as `${NAME}`.
fn environment(oracle: &Oracle, work: &Path) -> Vec<(String, String)> {
    let mut variables = vec![
        ("ORACLE_PLAIN".to_owned(), oracle.plain.to_string()),
        ("ORACLE_TLS".to_owned(), oracle.tls.to_string()),
        ("ORACLE_REFUSED".to_owned(), oracle.refused.to_string()),
        ("ORACLE_RESET".to_owned(), oracle.reset.to_string()),
        ("ORACLE_CA".to_owned(), work.join("certificate.pem").display().to_string()),
    ];
    for (at, tarpit) in oracle.tarpits.iter().enumerate() {
        variables.push((format!("ORACLE_TARPIT_{at}"), tarpit.address.to_string()));
    }
    variables
}

impl Gateway {
    /// Starts `program serve` with `<name>.yaml` of the folder; a name that ends in `+tls` listens with TLS.
    ///
    /// # Errors
    /// It does not start: the message holds the end of its log.
    pub async fn start(
        program: &Path,
        folder: &Path,
        name: &str,
        oracle: &Oracle,
        identity: &Arc<Identity>,
        work: &Path,
    ) -> io::Result<Self> {
        let (file, tls) = name.strip_suffix("+tls").map_or((name, false), |file| (file, true));
        let mut config = std::fs::read_to_string(folder.join(format!("{file}.yaml")))
            .map_err(|e| io::Error::other(format!("{}/{file}.yaml: {e}", folder.display())))?;
        if tls {
            config.push_str("\ntls: {cert_file: certificate.pem, key_file: key.pem}\n");
        }
        let (config_path, log) = (work.join(format!("{name}.yaml")), work.join(format!("{name}.log")));
        std::fs::write(&config_path, config)?;
        std::fs::write(work.join("certificate.pem"), &identity.certificate_pem)?;
        std::fs::write(work.join("key.pem"), &identity.key_pem)?;
        let kept = ["PATH", "LANG", "TZ"].into_iter();
        let kept = kept.filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
        let mut process = Command::new(program)
            .args(["serve", "--json", "--port", "0", "--admin-port", "0", "--metrics-port", "0", "--config"])
            .arg(&config_path)
            .env_clear()
            .envs(kept.chain(environment(oracle, work)))
            .env("HOME", work)
            .current_dir(work)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(std::fs::File::create(&log)?)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| io::Error::other(format!("{}: {e}", program.display())))?;
        let mut first = String::new();
        if let Some(stdout) = process.stdout.take() {
            drop(tokio::time::timeout(START_MAX, BufReader::new(stdout).read_line(&mut first)).await);
        }
        let said: Value = serde_json::from_str(&first)
            .map_err(|_| io::Error::other(format!("the gateway did not start: {}", tail(&log))))?;
        let address = |member: &str| -> io::Result<SocketAddr> {
            let url = said.get(member).and_then(Value::as_str).unwrap_or_default();
            let authority = url.split("//").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
            authority.parse().map_err(|e| io::Error::other(format!("`{url}`: {e}")))
        };
        let identity = tls.then(|| Arc::clone(identity));
        let key = said.get("key").and_then(Value::as_str).map(str::to_owned);
        let peer = Peer { address: address("api")?, identity, key };
        Ok(Self { peer, metrics: Metrics(address("metrics")?), process, log })
    }

    /// Ends it by SIGTERM.
    ///
    /// # Errors
    /// It does not end in time, not with 0, or its log tells of a panic.
    pub async fn stop(mut self) -> io::Result<()> {
        let status = terminate(&mut self.process).await?;
        let status = status.ok_or_else(|| io::Error::other("the gateway does not end after SIGTERM"))?;
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        if !status.success() || log.contains("panicked at") || log.contains("Traceback (most recent") {
            return Err(io::Error::other(format!("the gateway ended with {status}: {}", tail(&self.log))));
        }
        Ok(())
    }
}

/// A gateway that is not ours, started by a program of the comparison's.
pub struct Other {
    /// How to call it.
    pub peer: Peer,
    process: Child,
}

/// Some take a minute to import what they are made of.
const OTHER_START_MAX: Duration = Duration::from_mins(3);

impl Other {
    /// Starts `program` with the oracle's addresses in the environment and `PORT`, and waits until it listens.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not listen: the message holds the end of its log.
    pub async fn start(program: &Path, oracle: &Oracle, work: &Path) -> io::Result<Self> {
        let free = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = free.local_addr()?;
        drop(free);
        let log = work.join("other.log");
        let mut process = Command::new(program)
            .envs(environment(oracle, work))
            .env("PORT", address.port().to_string())
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log)?)
            .stderr(std::fs::File::options().append(true).open(&log)?)
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| io::Error::other(format!("{}: {e}", program.display())))?;
        let began = Instant::now();
        while TcpStream::connect(address).await.is_err() {
            if process.try_wait()?.is_some() || began.elapsed() > OTHER_START_MAX {
                return Err(io::Error::other(format!("it does not listen: {}", tail(&log))));
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let key = std::env::var("OTHER_KEY").ok();
        Ok(Self { peer: Peer { address, identity: None, key }, process })
    }

    /// Ends it by SIGTERM, and by SIGKILL if it does not.
    ///
    /// # Errors
    /// It cannot be told.
    pub async fn stop(mut self) -> io::Result<()> {
        if terminate(&mut self.process).await?.is_none() {
            self.process.kill().await?;
        }
        Ok(())
    }
}

/// Tells a process to end; `None` when it has not in good time.
async fn terminate(process: &mut Child) -> io::Result<Option<ExitStatus>> {
    if let Some(pid) = process.id() {
        let _ = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await?;
    }
    tokio::time::timeout(STOP_MAX, process.wait()).await.ok().transpose()
}

fn tail(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n")
}
