//! The command `llm-edge-chaos`: oracle, gateways, run, report.

use std::collections::{BTreeSet, HashMap};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use serde_json::{Value, json};
use tokio::signal::unix::{SignalKind, signal};

use super::ask::{Dialect, Vendor};
use super::client::Peers;
use super::disconnect::{self, Disconnects, Tasks};
use super::gateway::{Gateway, Other};
use super::run::{Report, Stage, play};
use super::scenario::{Form, Plays, Protocol, Window, load};
use super::tls::Identity;
use super::upstream::Oracle;

struct Options {
    form: Form,
    seed: u64,
    program: PathBuf,
    folder: PathBuf,
    with: Vec<String>,
    only: String,
    clients: usize,
    work: PathBuf,
    result: Option<PathBuf>,
    other: Option<PathBuf>,
    dialects: Vec<String>,
    share: u64,
}

const USAGE: &str = "llm-edge-chaos [--form short|long] [--seed N] [--gateway PROGRAM] [--folder tests/chaos] \
    [--with FEATURE,FEATURE] [--only NAME] [--clients N] [--work FOLDER] [--result FILE] \
    [--other PROGRAM] [--dialects DIALECT,DIALECT] [--share N]
--other plays against another gateway: PROGRAM is started with the oracle's addresses as ours is and with PORT, where it \
    must listen. Only scenarios of the gateway `base` over HTTP/1.1 are played, and replies judged by what they say.
--share plays one in N replies of each scenario, at least one.";

fn options(arguments: impl Iterator<Item = String>) -> Result<Options, String> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_micros());
    let mut options = Options {
        form: Form::Short,
        seed: u64::try_from(now).unwrap_or(0) % 1_000_000_007,
        program: PathBuf::from(".venv/bin/llm-edge-agent"),
        folder: PathBuf::from("tests/chaos"),
        with: Vec::new(),
        only: String::new(),
        clients: 96,
        work: PathBuf::from("target/chaos"),
        result: None,
        other: None,
        dialects: Vec::new(),
        share: 1,
    };
    let mut arguments = arguments;
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("`{name}` needs a value. usage: {USAGE}"));
        let number =
            |text: String| text.parse::<u64>().map_err(|_| format!("`{name} {text}`: a whole number"));
        match name.as_str() {
            "--form" => {
                options.form = match value()?.as_str() {
                    "short" => Form::Short,
                    "long" => Form::Long,
                    other => return Err(format!("`--form {other}`: `short` or `long`")),
                };
            }
            "--seed" => options.seed = number(value()?)?,
            "--clients" => options.clients = usize::try_from(number(value()?)?).unwrap_or(1),
            "--gateway" => options.program = value()?.into(),
            "--folder" => options.folder = value()?.into(),
            "--with" => options.with.extend(value()?.split(',').filter(|f| !f.is_empty()).map(str::to_owned)),
            "--only" => options.only = value()?,
            "--work" => options.work = value()?.into(),
            "--other" => options.other = Some(value()?.into()),
            "--share" => options.share = number(value()?)?.max(1),
            "--dialects" => options.dialects.extend(value()?.split(',').map(str::to_owned)),
            "--result" => options.result = Some(value()?.into()),
            _ => return Err(format!("unknown option `{name}`. usage: {USAGE}")),
        }
    }
    Ok(options)
}

/// Runs the command; exit code 1 for anything that is not as it must be, 2 for what cannot be run.
pub fn main(arguments: impl Iterator<Item = String>) -> ExitCode {
    let run = options(arguments).map_err(io::Error::other).and_then(|options| {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
        runtime.block_on(async {
            let mut term = signal(SignalKind::terminate())?;
            // Whoever ends the run early ends the gateways with it: they are killed when dropped.
            tokio::select! {
                ended = run(options) => ended,
                _ = term.recv() => Err(io::Error::other("terminated")),
                _ = tokio::signal::ctrl_c() => Err(io::Error::other("interrupted")),
            }
        })
    });
    match run {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            drop(writeln!(io::stderr(), "llm-edge-chaos: {error}"));
            ExitCode::from(2)
        }
    }
}

async fn run(options: Options) -> io::Result<bool> {
    let began = Instant::now();
    let mut plays = load(&options.folder.join("scenarios"), options.form, &options.with, options.seed)
        .map_err(io::Error::other)?;
    plays.scenarios.retain(|scenario| scenario.name.starts_with(&options.only));
    plays.aborts.retain(|abort| abort.name.starts_with(&options.only));
    if options.other.is_some() {
        keep_what_others_can(&mut plays);
    }
    if !options.dialects.is_empty() {
        let wanted = |dialect: Dialect| options.dialects.iter().any(|name| name == dialect.name());
        plays.scenarios.retain(|scenario| wanted(scenario.dialect));
        plays.aborts.retain(|abort| wanted(abort.dialect));
    }
    for scenario in &mut plays.scenarios {
        scenario.replies = scenario.replies.div_ceil(options.share);
    }
    for abort in &mut plays.aborts {
        abort.count = abort.count.div_ceil(options.share);
    }
    announce(&options, &plays)?;
    std::fs::create_dir_all(&options.work)?;
    let work = options.work.canonicalize()?;
    let identity = Arc::new(Identity::new()?);
    let oracle = Arc::new(Oracle::start(&identity, disconnect::TARPITS_EACH * Vendor::ALL.len())?);
    if tokio::net::TcpStream::connect(oracle.refused).await.is_ok() {
        return Err(io::Error::other("a connection that must be refused was accepted"));
    }
    if let Some(program) = options.other.clone() {
        return against(&options, plays, &program, &oracle, &work, began).await;
    }
    let program = options.program.canonicalize().unwrap_or_else(|_| options.program.clone());
    let mut gateways = HashMap::new();
    let names: BTreeSet<&String> = plays
        .scenarios
        .iter()
        .map(|scenario| &scenario.gateway)
        .chain(plays.aborts.iter().map(|abort| &abort.gateway))
        .collect();
    for name in names {
        let folder = options.folder.join("gateways");
        let gateway = Gateway::start(&program, &folder, name, &oracle, &identity, &work).await?;
        drop(gateways.insert(name.clone(), gateway));
    }
    let peers: HashMap<_, _> =
        gateways.iter().map(|(name, gateway)| (name.clone(), gateway.peer.clone())).collect();
    let resets_owed: u64 =
        plays.scenarios.iter().filter(|s| s.model.starts_with("reset-")).map(|s| s.replies).sum();
    let scenarios = plays.scenarios.len();
    let (disconnects, report) = play_all(&options, plays, peers, &gateways, &oracle).await?;
    let mut faults = Vec::new();
    if oracle.resets() < resets_owed {
        faults.push(format!("{} connections were reset, {resets_owed} should have been", oracle.resets()));
    }
    for (name, gateway) in gateways {
        for metric in ["llm_edge_inflight_requests", "llm_edge_open_streams"] {
            let left = gateway.metrics.settled(metric, 0.0).await?;
            if left != 0.0 {
                faults.push(format!("gateway `{name}`: `{metric}` is {left} when all is over"));
            }
        }
        if let Err(e) = gateway.stop().await {
            faults.push(e.to_string());
        }
    }
    conclude(&options, &report, &disconnects, scenarios, &faults, began)
}

/// The disconnections first: their times are to be those of a gateway that is not starved.
async fn play_all(
    options: &Options,
    plays: Plays,
    peers: Peers,
    gateways: &HashMap<String, Gateway>,
    oracle: &Arc<Oracle>,
) -> io::Result<(Disconnects, Report)> {
    let metrics = gateways.iter().map(|(name, gateway)| (name.as_str(), &gateway.metrics));
    let tasks = Tasks::count(metrics).await?;
    let mut disconnects = disconnect::play(&plays.aborts, &peers, oracle, options.seed).await?;
    tasks.compare(&mut disconnects).await?;
    let stage = Stage {
        peers,
        log: Arc::clone(&oracle.log),
        seed: options.seed,
        clients: options.clients,
        by_meaning: options.other.is_some(),
    };
    Ok((disconnects, play(plays.scenarios, stage).await?))
}

/// What can be asked of a gateway that is not ours.
fn keep_what_others_can(plays: &mut Plays) {
    plays.waiting.clear();
    plays.scenarios.retain(|scenario| {
        scenario.gateway == "base"
            && scenario.client == Protocol::H1
            && scenario.model.contains("-h1-")
            && !scenario.model.contains("-h1-tls-")
    });
    plays.aborts.retain(|abort| {
        abort.gateway == "base" && abort.client == Protocol::H1 && abort.window != Window::Queued
    });
}

/// Plays against a gateway that is not ours. How it handles what is left over at the end is its own affair.
async fn against(
    options: &Options,
    plays: Plays,
    program: &Path,
    oracle: &Arc<Oracle>,
    work: &Path,
    began: Instant,
) -> io::Result<bool> {
    let other = Other::start(program, oracle, work).await?;
    let peers: HashMap<_, _> = [("base".to_owned(), other.peer.clone())].into();
    let scenarios = plays.scenarios.len();
    let (disconnects, report) = play_all(options, plays, peers, &HashMap::new(), oracle).await?;
    other.stop().await?;
    conclude(options, &report, &disconnects, scenarios, &[], began)
}

fn announce(options: &Options, plays: &Plays) -> io::Result<()> {
    let mut out = io::stdout().lock();
    let replies: u64 = plays.scenarios.iter().map(|scenario| scenario.replies).sum();
    let aborts: u64 = plays.aborts.iter().map(|abort| abort.count).sum();
    writeln!(
        out,
        "{} scenarios, {replies} replies; {} ways to leave, {aborts} times; seed {}",
        plays.scenarios.len(),
        plays.aborts.len(),
        options.seed
    )?;
    for (family, feature) in &plays.waiting {
        writeln!(out, "left out: {family} (needs `--with {feature}`)")?;
    }
    Ok(())
}

fn conclude(
    options: &Options,
    report: &Report,
    disconnects: &Disconnects,
    scenarios: usize,
    faults: &[String],
    began: Instant,
) -> io::Result<bool> {
    let mut out = io::stdout().lock();
    for failure in report.failures.iter().chain(&disconnects.failures).chain(faults) {
        writeln!(out, "✗ {failure}")?;
    }
    writeln!(
        out,
        "{:<8} {:>9} {:>9} {:>9} {:>14} {:>9} {:>8} {:>7}",
        "family", "scenarios", "replies", "exact", "explicit error", "violation", "mismatch", "unshown"
    )?;
    for (name, t) in &report.families {
        writeln!(
            out,
            "{name:<8} {:>9} {:>9} {:>9} {:>14} {:>9} {:>8} {:>7}",
            t.scenarios, t.replies, t.exact, t.explicit_error, t.violation, t.mismatch, t.unshown
        )?;
    }
    let total = report.total();
    let good = total.is_clean() && disconnects.is_clean() && faults.is_empty();
    let by_family: serde_json::Map<String, Value> = report
        .families
        .iter()
        .map(|(name, t)| {
            let value = json!({
                "scenarios": t.scenarios, "replies": t.replies, "exact": t.exact, "explicit_error": t.explicit_error,
                "violation": t.violation, "mismatch": t.mismatch, "unshown": t.unshown,
            });
            (name.clone(), value)
        })
        .collect();
    let result = json!({
        "scenarios": scenarios, "replies": total.replies, "exact": total.exact,
        "explicit_error": total.explicit_error, "violation": total.violation, "mismatch": total.mismatch,
        "unshown": total.unshown, "by_family": by_family, "disconnect": disconnects.json(), "faults": faults.len(),
        "form": if options.form == Form::Short { "short" } else { "long" }, "seed": options.seed,
        "with": options.with, "share": options.share, "seconds": began.elapsed().as_secs(),
    });
    if let Some(path) = &options.result {
        std::fs::write(path, format!("{result:#}\n"))?;
    }
    let failed =
        total.violation + total.mismatch + total.unshown + disconnects.failed() + faults.len() as u64;
    writeln!(out, "{} passed, {failed} failed", total.replies + disconnects.seen())?;
    writeln!(out, "{result}")?;
    Ok(good)
}
