//! Scenarios: data, one file per family of behaviours, multiplied out along their axes.
//!
//! Invariant: every cell of the matrix is one named scenario with the one class that each of its replies must
//! end in. A file that says anything unknown is refused.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::ask::{Ask, Dialect};
use super::order::{Order, Plan};
use super::script::{Script, script};
use super::story::Numbers;

/// What a reply must end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// [`super::verdict::Verdict::Exact`].
    Exact,
    /// [`super::verdict::Verdict::ExplicitError`].
    ExplicitError,
}

/// How the client calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// HTTP/1.1.
    H1,
    /// HTTP/1.1 over TLS.
    H1Tls,
    /// HTTP/2 with prior knowledge.
    H2,
    /// HTTP/2 over TLS.
    H2Tls,
}

impl Protocol {
    /// As files and names of scenarios have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::H1 => "h1",
            Self::H1Tls => "h1-tls",
            Self::H2 => "h2",
            Self::H2Tls => "h2-tls",
        }
    }

    /// Whether it runs over TLS.
    pub const fn is_tls(self) -> bool {
        matches!(self, Self::H1Tls | Self::H2Tls)
    }

    /// Whether it is HTTP/2.
    pub const fn is_h2(self) -> bool {
        matches!(self, Self::H2 | Self::H2Tls)
    }
}

/// Along which bytes `{at}` moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Along {
    /// Every byte of an HTTP/1.1 reply but the last: head, framing and all.
    Wire,
    /// The same, from the body's first byte on.
    Body,
    /// The body's own bytes, but for the line ends behind the last event.
    Payload,
    /// The numbers of the content events.
    Events,
}

/// A window in which the client goes away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// The gateway has the request, and no connection to the upstream yet.
    Queued,
    /// The upstream has the request and has not begun to reply.
    BeforeFirstToken,
    /// The reply has begun to come.
    MidStream,
    /// The upstream works on a reply that will be one document.
    NonStreaming,
}

impl Window {
    /// As files have it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::BeforeFirstToken => "before_first_token",
            Self::MidStream => "mid_stream",
            Self::NonStreaming => "non_streaming",
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    family: String,
    title: String,
    #[serde(default)]
    requires: Vec<String>,
    #[serde(default = "default_gateway")]
    gateway: String,
    #[serde(default)]
    scenario: Vec<Row>,
    #[serde(default)]
    abort: Vec<AbortRow>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    name: String,
    class: Class,
    #[serde(rename = "do")]
    orders: String,
    along: Option<Along>,
    #[serde(default = "default_route")]
    route: String,
    dialects: Vec<String>,
    #[serde(default = "streamed")]
    stream: Vec<bool>,
    #[serde(default = "default_protocols")]
    clients: Vec<Protocol>,
    #[serde(default = "default_protocols")]
    upstreams: Vec<Protocol>,
    #[serde(default = "default_events")]
    events: u32,
    #[serde(default = "default_size")]
    size: u32,
    short: u64,
    /// Replies of the long form; every offset where it says `"every"`.
    long: Long,
    #[serde(default = "one")]
    executions_max: usize,
    #[serde(default)]
    never_executed: bool,
    #[serde(default)]
    status: Vec<u16>,
    #[serde(default)]
    fields: Vec<String>,
    /// Dialects of the upstream, where it is to be another one than the client's; such replies are translated.
    #[serde(default)]
    to: Vec<String>,
    #[serde(default)]
    losers: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
enum Long {
    Count(u64),
    Word(String),
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AbortRow {
    name: String,
    window: Window,
    #[serde(default = "default_route")]
    route: String,
    dialects: Vec<String>,
    #[serde(default)]
    to: Vec<String>,
    clients: Vec<Protocol>,
    short: u64,
    long: u64,
}

fn default_route() -> String {
    "steady".to_owned()
}
fn default_gateway() -> String {
    "base".to_owned()
}
fn streamed() -> Vec<bool> {
    vec![true]
}
fn default_protocols() -> Vec<Protocol> {
    vec![Protocol::H1]
}
const fn default_events() -> u32 {
    12
}
const fn default_size() -> u32 {
    40
}
const fn one() -> usize {
    1
}

/// One cell of a matrix: a scenario.
#[derive(Clone, Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each says one thing that a scenario file says")]
pub struct Scenario {
    /// `family/name/dialect/stream/client/upstream`; the dialect of what is translated is `chat-to-messages`.
    pub name: String,
    /// The row of the catalogue.
    pub family: String,
    /// The gateway's configuration: a file's name without its ending.
    pub gateway: String,
    /// What it must end in.
    pub class: Class,
    /// The API.
    pub dialect: Dialect,
    /// The API that the gateway is to ask.
    pub upstream: Dialect,
    /// Whether the reply is streamed.
    pub stream: bool,
    /// How the gateway is called.
    pub client: Protocol,
    /// The model asked for: route, upstream protocol, and vendor or, for what is translated, upstream dialect.
    pub model: String,
    /// Replies to ask for.
    pub replies: u64,
    /// Times one request may be executed.
    pub executions_max: usize,
    /// The upstream must see nothing of it.
    pub never_executed: bool,
    /// Statuses an explicit error must have, where it matters.
    pub status: Vec<u16>,
    /// Header fields the reply must have.
    pub fields: Vec<String>,
    /// An attempt may be left by the gateway in favour of another.
    pub losers: bool,
    orders: String,
    along: Option<Along>,
    events: u32,
    size: u32,
    every: bool,
}

/// One matrix cell of disconnections.
#[derive(Clone, Debug)]
pub struct Abort {
    /// `family/name/dialect/client`.
    pub name: String,
    /// The row of the catalogue.
    pub family: String,
    /// The gateway's configuration.
    pub gateway: String,
    /// When the client goes.
    pub window: Window,
    /// The API.
    pub dialect: Dialect,
    /// How the gateway is called.
    pub client: Protocol,
    /// The model asked for, but where a request is to wait for its connection.
    pub model: String,
    /// Aborts to make.
    pub count: u64,
}

/// Everything that is to be played.
#[derive(Clone, Debug, Default)]
pub struct Plays {
    /// Scenarios.
    pub scenarios: Vec<Scenario>,
    /// Disconnections.
    pub aborts: Vec<Abort>,
    /// Families that are left out, and the features they wait for.
    pub waiting: Vec<(String, String)>,
}

/// Which form of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A few minutes.
    Short,
    /// A million replies.
    Long,
}

/// A file that cannot be played: which, and what is wrong with it.
#[derive(Debug)]
pub struct Unplayable {
    file: PathBuf,
    why: String,
}

impl fmt::Display for Unplayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.file.display(), self.why)
    }
}

impl std::error::Error for Unplayable {}

/// Reads every `*.toml` of a folder. Families that require what is not in `with` are left out and named.
///
/// # Errors
/// [`Unplayable`]: a file that does not parse, an unknown word, an order that does not exist.
pub fn load(folder: &Path, form: Form, with: &[String], seed: u64) -> Result<Plays, Unplayable> {
    let fault =
        |file: &Path, why: &dyn fmt::Display| Unplayable { file: file.to_owned(), why: why.to_string() };
    let entries = std::fs::read_dir(folder).map_err(|e| fault(folder, &e))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    files.sort();
    let mut plays = Plays::default();
    let mut features: Vec<String> = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(&path).map_err(|e| fault(&path, &e))?;
        let file: File = toml::from_str(&text).map_err(|e| fault(&path, &e))?;
        add(&mut plays, &file, form, with, seed).map_err(|why| fault(&path, &why))?;
        features.extend(file.requires);
    }
    if let Some(unknown) = with.iter().find(|feature| !features.contains(feature)) {
        features.sort();
        features.dedup();
        let known = features.join("`, `");
        return Err(fault(
            folder,
            &format!("no family waits for `{unknown}`. hint: they wait for `{known}`"),
        ));
    }
    if plays.scenarios.is_empty() {
        return Err(fault(folder, &"no scenario to play"));
    }
    Ok(plays)
}

fn add(plays: &mut Plays, file: &File, form: Form, with: &[String], seed: u64) -> Result<(), String> {
    let mut scenarios = Vec::new();
    for row in &file.scenario {
        let mut cells = cells(file, row, form, seed)?;
        scenarios.append(&mut cells);
    }
    let mut aborts = Vec::new();
    for row in &file.abort {
        for (dialect, upstream, asked) in pairs(&row.name, &row.dialects, &row.to)? {
            for client in &row.clients {
                aborts.push(Abort {
                    name: format!("{}/{}/{asked}/{}", file.family, row.name, client.name()),
                    family: file.family.clone(),
                    gateway: gateway(&file.gateway, *client),
                    window: row.window,
                    dialect,
                    client: *client,
                    model: format!("{}-h1-{}", row.route, served_by(dialect, upstream)),
                    count: if form == Form::Short { row.short } else { row.long },
                });
            }
        }
    }
    if let Some(missing) = file.requires.iter().find(|feature| !with.contains(feature)) {
        plays.waiting.push((format!("{} {}", file.family, file.title), missing.clone()));
        return Ok(());
    }
    for scenario in scenarios {
        if plays.scenarios.iter().any(|known| known.name == scenario.name) {
            return Err(format!("two scenarios are named `{}`", scenario.name));
        }
        plays.scenarios.push(scenario);
    }
    plays.aborts.append(&mut aborts);
    Ok(())
}

/// TLS belongs to a whole gateway, so there is one with it and one without.
fn gateway(name: &str, client: Protocol) -> String {
    if client.is_tls() { format!("{name}+tls") } else { name.to_owned() }
}

fn parse_dialect(name: &str) -> Result<Dialect, String> {
    let known = || Dialect::ALL.map(Dialect::name).join("`, `");
    let found = Dialect::ALL.into_iter().find(|dialect| dialect.name() == name);
    found.ok_or_else(|| format!("unknown dialect `{name}`. hint: the known ones are `{}`", known()))
}

fn cells(file: &File, row: &Row, form: Form, seed: u64) -> Result<Vec<Scenario>, String> {
    let plan = row.orders.replace("{at}", "0");
    plan.parse::<Plan>().map_err(|e| format!("scenario `{}`: {e}", row.name))?;
    if row.orders.contains("{at}") != row.along.is_some() {
        return Err(format!("scenario `{}`: `{{at}}` in `do` and `along` go together", row.name));
    }
    let every = match &row.long {
        Long::Count(_) => false,
        Long::Word(word) if word == "every" && row.along.is_some() => true,
        Long::Word(word) => {
            return Err(format!("scenario `{}`: `long = \"{word}\"`: a number, or `every`", row.name));
        }
    };
    let mut scenarios = Vec::new();
    for (dialect, upstream, asked) in pairs(&row.name, &row.dialects, &row.to)? {
        for (stream, client, protocol) in product(row) {
            let kind = if stream { "stream" } else { "document" };
            let mut scenario = Scenario {
                name: format!(
                    "{}/{}/{asked}/{kind}/{}/{}",
                    file.family,
                    row.name,
                    client.name(),
                    protocol.name()
                ),
                family: file.family.clone(),
                gateway: gateway(&file.gateway, client),
                class: row.class,
                dialect,
                upstream,
                stream,
                client,
                model: format!("{}-{}-{}", row.route, protocol.name(), served_by(dialect, upstream)),
                replies: row.short,
                executions_max: row.executions_max,
                never_executed: row.never_executed,
                status: row.status.clone(),
                fields: row.fields.clone(),
                losers: row.losers,
                orders: row.orders.clone(),
                along: row.along,
                events: row.events,
                size: row.size,
                every: every && form == Form::Long,
            };
            if form == Form::Long {
                scenario.replies = match &row.long {
                    Long::Count(count) => *count,
                    Long::Word(_) => scenario.offsets(&scenario.ask(FIRST_ID, fixed_seed(seed), 0)).1,
                };
            }
            scenarios.push(scenario);
        }
    }
    Ok(scenarios)
}

/// Whom a row's clients ask in which dialect, whom the gateway is to ask, and how the pair is called.
fn pairs(row: &str, dialects: &[String], to: &[String]) -> Result<Vec<(Dialect, Dialect, String)>, String> {
    let mut pairs = Vec::new();
    for name in dialects {
        let dialect = parse_dialect(name)?;
        if to.is_empty() {
            pairs.push((dialect, dialect, name.clone()));
        }
        for other in to {
            let upstream = parse_dialect(other)?;
            if upstream != dialect {
                pairs.push((dialect, upstream, format!("{name}-to-{other}")));
            }
        }
    }
    if pairs.is_empty() {
        return Err(format!("scenario `{row}`: `to` names no other dialect than `dialects`"));
    }
    Ok(pairs)
}

/// With what the names of models end.
const fn served_by(dialect: Dialect, upstream: Dialect) -> &'static str {
    if dialect as usize == upstream as usize { dialect.vendor().name() } else { upstream.name() }
}

fn product(row: &Row) -> impl Iterator<Item = (bool, Protocol, Protocol)> {
    row.stream.iter().flat_map(move |stream| {
        row.clients
            .iter()
            .flat_map(move |client| row.upstreams.iter().map(move |upstream| (*stream, *client, *upstream)))
    })
}

/// Ids are all of one length, so that they do not move the offsets of a reply.
pub const FIRST_ID: u64 = 1_000_000_000;

/// A sweep over every offset tells one story, so that the offsets stay where they are.
const fn fixed_seed(seed: u64) -> u64 {
    seed ^ 0x0ff5_e7ed
}

impl Scenario {
    /// Whether the gateway has to write the reply anew.
    pub fn is_translated(&self) -> bool {
        self.upstream != self.dialect
    }

    /// The question of the scenario's reply number `nth`.
    pub fn question(&self, id: u64, nth: u64, seed: u64) -> Ask {
        let mut numbers = Numbers::new(seed ^ id.wrapping_mul(0x9e37_79b9));
        let own = if self.every { fixed_seed(seed) } else { numbers.next() };
        if self.along.is_none() {
            return self.ask(id, own, 0);
        }
        let (first, offsets) = self.offsets(&self.ask(id, own, 0));
        let at = if self.every {
            nth % offsets
        } else {
            // Spread over the whole length, each somewhere within its share.
            let share = (offsets / self.replies.max(1)).max(1);
            (nth * offsets / self.replies.max(1) + numbers.below(share)) % offsets
        };
        self.ask(id, own, first + at)
    }

    fn ask(&self, id: u64, seed: u64, at: u64) -> Ask {
        let orders = self.orders.replace("{at}", &at.to_string());
        // Checked when the file was read.
        let plan = orders.parse().unwrap_or_else(|_| Plan::clean());
        Ask {
            dialect: self.dialect,
            stream: self.stream,
            usage: self.stream
                && seed % 2 == 1
                && matches!(self.dialect, Dialect::Chat | Dialect::Completions),
            id,
            seed,
            events: self.events,
            size: self.size,
            plan,
        }
    }

    /// The first place that `{at}` may take, and how many there are: at least 1.
    fn offsets(&self, ask: &Ask) -> (u64, u64) {
        if self.along == Some(Along::Events) {
            return (0, if self.stream { u64::from(self.events) + 1 } else { 1 });
        }
        // What moves is a place in what the upstream sends.
        let still = still(&Ask { dialect: self.upstream, ..ask.clone() });
        let length: usize = still.pieces.iter().map(Vec::len).sum();
        let (first, places) = match self.along {
            None | Some(Along::Events) => (0, 1),
            Some(Along::Wire) => (0, still.wire.len()),
            Some(Along::Body) => (still.body_at, still.wire.len() - still.body_at),
            Some(Along::Payload) => (0, length.saturating_sub(2)),
        };
        (first as u64, (places as u64).max(1))
    }
}

/// The reply without the order that moves.
fn still(ask: &Ask) -> Script {
    let moves = |order: &Order| {
        matches!(
            order,
            Order::Rst(_)
                | Order::Fin(_)
                | Order::Stall(_)
                | Order::Split(_)
                | Order::LengthAt(_)
                | Order::Pause(..)
                | Order::ErrorEvent(..)
                | Order::BadChunk(_)
        )
    };
    let orders: Vec<Order> = ask.plan.attempt(0).iter().copied().filter(|order| !moves(order)).collect();
    script(ask, &orders)
}
