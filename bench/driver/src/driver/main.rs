//! `bench-driver SCENARIO REQUESTS`: the engine in this process, one connection, the same request again and
//! again. `bench-driver list` names the scenarios; `agent_64k_parsed` is what one of them is held against, and
//! `tokens_…` counts the tokens of a text.
//!
//! Run twice under callgrind with different counts, the difference is what a request costs the worker:
//! starting, stopping and the first requests cancel out. Client and provider are threads of their own whose
//! instructions are told apart; the provider writes a whole reply at once, so that no read depends on time.

mod agent;
mod allocations;
mod decide;
mod scenario;
mod texts;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use llm_edge_bench::canned::Shelf;
use llm_edge_bench::{Failure, message};
use llm_edge_core::principal::virtual_key::Pepper;
use llm_edge_engine::{Address, Engine};
use serde_json::json;

use scenario::{KEY, Scenario};

#[global_allocator]
static ALLOCATOR: allocations::Counting = allocations::Counting;

const PEPPER: &[u8] = &[7; 32];
/// Sent before anything counts: pools, caches and tables have their size then.
const WARM_UP: u32 = 20;
const BUFFER_BYTES: usize = 1024 * 1024;

fn main() -> Result<(), Failure> {
    allocations::leave_out_this_thread();
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "list".to_owned());
    let mut out = std::io::stdout();
    if name == "list" {
        for scenario in scenario::ALL {
            writeln!(out, "{}", scenario.name)?;
        }
        return Ok(());
    }
    let requests = |argument: Option<String>| -> Result<u32, Failure> {
        Ok(argument.ok_or("how many requests?")?.parse()?)
    };
    if name == agent::PARSED {
        return agent::parse(requests(arguments.next())?);
    }
    if let Some(text) = texts::named(&name) {
        return texts::count(&text, requests(arguments.next())?);
    }
    if name == decide::NAME {
        allocations::count_this_thread();
        let told = decide::run(requests(arguments.next())?)?;
        writeln!(out, "{told}")?;
        return Ok(());
    }
    let scenario = scenario::ALL.iter().find(|s| s.name == name).ok_or("no such scenario: see `list`")?;
    let requests = requests(arguments.next())?;

    let engine = start(provider()?)?;
    let Address::Tcp(address) = engine.start()? else { return Err("it listens on no port".into()) };
    let mut client = Client::connect(address.port())?;
    client.ask(scenario, WARM_UP)?;
    let before = allocations::count();
    client.ask(scenario, requests)?;
    let allocations = allocations::count() - before;
    engine.stop();
    writeln!(out, "{}", json!({"requests": requests, "allocations": allocations}))?;
    Ok(())
}

fn start(port: u16) -> Result<Engine, Failure> {
    let text = |value: serde_json::Value| value.to_string().into_bytes();
    let engine = Engine::new(&text(scenario::options(PEPPER)))?;
    engine.apply(&text(scenario::snapshot(port)))?;
    let hash = scenario::hex(&Pepper::new(PEPPER).hash(KEY.as_bytes()));
    engine.directory_replace(&text(json!([{"hash": hash, "name": "bench", "models": ["*"]}])))?;
    engine.set_credential("up", "sk-upstream")?;
    Ok(engine)
}

/// Starts the provider on a thread; it ends with the process.
fn provider() -> Result<u16, Failure> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    drop(thread::Builder::new().name("provider".to_owned()).spawn(move || {
        allocations::leave_out_this_thread();
        let mut shelf = Shelf::default();
        // One connection at a time: the engine keeps one open, and a new one follows the end of the old.
        for stream in listener.incoming() {
            let Ok(stream) = stream else { continue };
            drop(answer(stream, &mut shelf));
        }
    })?);
    Ok(port)
}

fn answer(mut stream: TcpStream, shelf: &mut Shelf) -> Result<(), Failure> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; BUFFER_BYTES];
    while let Some(whole) = receive(&mut stream, &mut buffer)? {
        let data = buffer.get(..whole.length).unwrap_or_default();
        let body = data.get(whole.head.bytes..).unwrap_or_default();
        let model = message::model_in_path(data).or_else(|| message::model(body));
        let reply = shelf.reply(model.ok_or("a request without a model")?)?;
        stream.write_all(&reply.bytes)?;
    }
    Ok(())
}

struct Whole {
    head: message::Head,
    length: usize,
}

/// Reads one message into the start of `buffer`; none when the peer has closed.
fn receive(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<Option<Whole>, Failure> {
    let mut length = 0;
    let mut head = None;
    loop {
        let read = stream.read(buffer.get_mut(length..).unwrap_or_default())?;
        if read == 0 {
            return Ok(None);
        }
        length += read;
        let data = buffer.get(..length).unwrap_or_default();
        if head.is_none() {
            head = message::head(data)?;
        }
        let Some(head) = head else { continue };
        let done = match head.body {
            message::Body::Length(body) => length >= head.bytes + body,
            message::Body::Chunked => message::ends_chunked(data),
        };
        if done {
            return Ok(Some(Whole { head, length }));
        }
    }
}

struct Client {
    port: u16,
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Client {
    fn connect(port: u16) -> Result<Self, Failure> {
        Ok(Self { port, stream: dial(port)?, buffer: vec![0; BUFFER_BYTES] })
    }

    fn ask(&mut self, scenario: &Scenario, times: u32) -> Result<(), Failure> {
        let request = scenario.request();
        for _ in 0..times {
            self.stream.write_all(&request)?;
            let whole = receive(&mut self.stream, &mut self.buffer)?.ok_or("closed without a reply")?;
            let data = self.buffer.get(..whole.length).unwrap_or_default();
            if message::status(data) != Some(scenario.status) {
                return Err(String::from_utf8_lossy(data).into());
            }
            if whole.head.close {
                self.stream = dial(self.port)?;
            }
        }
        Ok(())
    }
}

fn dial(port: u16) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}
