//! A panic anywhere on the way of a request costs that request: it is answered with an error, counted once,
//! and everything beside it goes on (B35). The engine, its sockets and the mock provider are the real ones.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "in a test a panic is the finding, and what is shown of the wire may be lossy"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use llm_edge_engine::{Address, Engine, FAIL_POINTS, Passed, arm_fail_point};
use llm_edge_mock::Mock;
use serde_json::{Value, json};

const OPTIONS: &str = r#"{"listen":{"host":"127.0.0.1","port":0},"workers":1,"reuse_port":false,"tls":null,
    "pepper":"00000000000000000000000000000000","log_fd":2}"#;
const SNAPSHOT: &str = include_str!("../../../tests/golden/snapshots/mock.json");
const BODY: &str =
    r#"{"model":"mock/echo","messages":[{"role":"user","content":"still here"}],"stream":true}"#;

const FAILED: &str = "the gateway failed on this request";

fn points(passed: Passed) -> impl Iterator<Item = &'static str> {
    FAIL_POINTS.into_iter().filter(move |(_, by)| *by == passed).map(|(point, _)| point)
}

/// Passed when the client has its answer.
fn is_after_the_answer(point: &str) -> bool {
    point.starts_with("settle")
}

/// Points that only one of the doors passes.
fn is_of_http1(point: &str) -> bool {
    point.starts_with("http1.") || point == "listener.open"
}

/// Outside of a request nobody is there to be answered: the connection ends.
fn ends_unanswered(point: &str) -> bool {
    is_of_http1(point) || point.starts_with("http2.")
}

/// What is armed is armed for the process.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

struct Gateway {
    engine: Engine,
    address: SocketAddr,
    snapshot: String,
    _mock: llm_edge_mock::MockHandle,
}

impl Gateway {
    fn start() -> Self {
        Self::with(OPTIONS, |_| {})
    }

    /// With every request logged, and the snapshot otherwise as `edit` leaves it.
    fn with(options: &str, edit: impl FnOnce(&mut Value)) -> Self {
        let mock = Mock::start("127.0.0.1:0".parse().unwrap()).unwrap();
        let engine = Engine::new(options.as_bytes()).unwrap();
        let mut snapshot: Value = serde_json::from_str(SNAPSHOT).unwrap();
        snapshot["request_log"]["mode"] = json!("all");
        snapshot["providers"][0]["origin"]["port"] = json!(mock.address().port());
        edit(&mut snapshot);
        engine.set_policy("mine", Box::new(|_| None)).unwrap();
        let snapshot = snapshot.to_string();
        engine.apply(snapshot.as_bytes()).unwrap();
        let Address::Tcp(address) = engine.start().unwrap() else { panic!("not a TCP port") };
        Self { engine, address, snapshot, _mock: mock }
    }

    fn panics(&self) -> u64 {
        self.metric("llm_edge_panics_total")
    }

    fn metric(&self, name: &str) -> u64 {
        let text = self.engine.metrics();
        let line = text.lines().find(|line| line.split(' ').next() == Some(name)).unwrap();
        line.split(' ').nth(1).unwrap().parse().unwrap()
    }

    /// The next moment shows it at the latest: counts are added after the client has its answer.
    fn becomes(&self, name: &str, value: u64) {
        let end = Instant::now() + Duration::from_secs(5);
        while self.metric(name) != value {
            assert!(Instant::now() < end, "{name} is {} and not {value}", self.metric(name));
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

struct Client(TcpStream);

impl Client {
    fn connect(gateway: &Gateway) -> Self {
        let socket = TcpStream::connect(gateway.address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        Self(socket)
    }

    fn send(&mut self, fields: &str) {
        self.post("/v1/chat/completions", fields, BODY);
    }

    fn post(&mut self, path: &str, fields: &str, body: &str) {
        let length = body.len();
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: edge\r\n{fields}Content-Length: {length}\r\n\r\n{body}");
        // A connection that was ended already cannot take it, and then there is nothing to read either.
        drop(self.0.write_all(head.as_bytes()));
    }

    fn read_until(&mut self, mark: &str) -> String {
        let mut said = Vec::new();
        let mut piece = [0; 4096];
        while !String::from_utf8_lossy(&said).contains(mark) {
            match self.0.read(&mut piece) {
                Ok(0) => panic!("ended before {mark:?}: {}", String::from_utf8_lossy(&said)),
                Ok(n) => said.extend_from_slice(&piece[..n]),
                Err(e) => panic!("{e} before {mark:?}: {}", String::from_utf8_lossy(&said)),
            }
        }
        String::from_utf8_lossy(&said).into_owned()
    }

    fn read_to_end(&mut self) -> String {
        let mut said = Vec::new();
        // A reset ends it as well.
        drop(self.0.read_to_end(&mut said));
        String::from_utf8_lossy(&said).into_owned()
    }

    fn is_served(&mut self) {
        self.send("");
        let said = self.read_until("0\r\n\r\n");
        assert!(
            said.starts_with("HTTP/1.1 200") && said.contains("still") && said.contains("[DONE]"),
            "{said}"
        );
    }
}

#[test]
fn a_panic_costs_one_request_and_no_other_connection() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let gateway = Gateway::start();
    let mut beside = Client::connect(&gateway);
    beside.is_served();
    let here = points(Passed::Always).filter(|point| !point.starts_with("http2."));
    for (before, point) in here.enumerate() {
        let before = before as u64;
        assert_eq!(gateway.panics(), before);
        arm_fail_point(point);
        let mut victim = Client::connect(&gateway);
        victim.send("Connection: close\r\n");
        let said = victim.read_to_end();
        if is_after_the_answer(point) {
            assert!(said.starts_with("HTTP/1.1 200") && said.contains("[DONE]"), "{point}: {said}");
        } else if ends_unanswered(point) {
            assert_eq!(said, "", "{point}");
        } else if said.starts_with("HTTP/1.1 200") {
            assert_eq!(point, "stream.advance");
            assert!(said.contains("internal_error") && !said.contains("[DONE]"), "{point}: {said}");
            assert!(!said.ends_with("0\r\n\r\n"), "{point}: {said}");
        } else {
            assert!(said.starts_with("HTTP/1.1 500") && said.contains("internal_error"), "{point}: {said}");
        }
        gateway.becomes("llm_edge_panics_total", before + 1);
        beside.is_served();
        Client::connect(&gateway).is_served();
        gateway.becomes("llm_edge_inflight_requests", 0);
        gateway.becomes("llm_edge_connections", 1);
    }
    drop(beside);
    gateway.becomes("llm_edge_connections", 0);
    assert!(gateway.engine.drain(Duration::from_secs(5)));
}

type Sender = h2::client::SendRequest<bytes::Bytes>;

async fn open(sender: &mut Sender) -> (h2::client::ResponseFuture, h2::SendStream<bytes::Bytes>) {
    let request = http::Request::post("http://edge/v1/chat/completions").body(()).unwrap();
    std::future::poll_fn(|cx| sender.poll_ready(cx)).await.unwrap();
    sender.send_request(request, false).unwrap()
}

/// Status and body; the body's end is an error where the stream was reset.
async fn answer(response: h2::client::ResponseFuture) -> (u16, String, bool) {
    let Ok(response) = response.await else { return (0, String::new(), false) };
    let status = response.status().as_u16();
    let mut body = response.into_body();
    let mut said = Vec::new();
    while let Some(piece) = body.data().await {
        let Ok(piece) = piece else { return (status, String::from_utf8(said).unwrap(), false) };
        body.flow_control().release_capacity(piece.len()).unwrap();
        said.extend_from_slice(&piece);
    }
    (status, String::from_utf8(said).unwrap(), true)
}

#[test]
fn a_panic_costs_one_stream_and_not_those_beside_it() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let gateway = Gateway::start();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let socket = tokio::net::TcpStream::connect(gateway.address).await.unwrap();
        let (mut sender, connection) = h2::client::handshake(socket).await.unwrap();
        let driver = tokio::spawn(connection);
        let here = points(Passed::Always).filter(|point| !is_of_http1(point));
        for (before, point) in here.enumerate() {
            let before = before as u64;
            // One that has begun and waits for the rest of its body while the other fails.
            let (beside, mut rest) = open(&mut sender).await;
            rest.send_data(bytes::Bytes::from_static(&BODY.as_bytes()[..20]), false).unwrap();
            tokio::time::sleep(Duration::from_millis(20)).await;
            arm_fail_point(point);
            let (victim, mut whole) = open(&mut sender).await;
            whole.send_data(bytes::Bytes::from_static(BODY.as_bytes()), true).unwrap();
            let (status, said, ended) = answer(victim).await;
            if is_after_the_answer(point) {
                assert!(status == 200 && ended && said.contains("[DONE]"), "{point}: {status} {said}");
            } else if ends_unanswered(point) {
                assert_eq!((status, ended), (0, false), "{point}");
            } else if status == 200 {
                assert_eq!(point, "stream.advance");
                assert!(said.contains("internal_error") && !said.contains("[DONE]") && !ended, "{said}");
            } else {
                assert!(status == 500 && said.contains("internal_error"), "{point}: {status} {said}");
            }
            gateway.becomes("llm_edge_panics_total", before + 1);
            rest.send_data(bytes::Bytes::from_static(&BODY.as_bytes()[20..]), true).unwrap();
            let (status, said, ended) = answer(beside).await;
            assert!(status == 200 && ended && said.contains("[DONE]"), "{point}: {status} {said}");
        }
        gateway.becomes("llm_edge_inflight_requests", 0);
        drop(sender);
        driver.await.unwrap().unwrap();
    });
    gateway.becomes("llm_edge_connections", 0);
    assert!(gateway.engine.drain(Duration::from_secs(5)));
}

/// A request of some kind, on a gateway of some kind, and how its reply begins.
struct Provocation {
    point: &'static str,
    edit: fn(&mut Value),
    path: &'static str,
    body: &'static str,
    /// Asked before, without a panic.
    twice: bool,
    says: &'static str,
}

const ECHO: &str = r#"{"model":"echo","messages":[{"role":"user","content":"still"}],"stream":true}"#;
const MESSAGE: &str =
    r#"{"model":"echo","max_tokens":9,"messages":[{"role":"user","content":"still"}],"stream":true}"#;

fn only_chat(snapshot: &mut Value) {
    snapshot["providers"][0]["operations"] = json!({"chat_completions": "/v1/chat/completions"});
}

/// Where there is nothing to choose, nobody is asked.
fn ranked(snapshot: &mut Value) {
    let route = &mut snapshot["routes"][0];
    route["policy"] = json!({"name": "mine", "deadline_ms": 1000});
    let target = route["targets"][0].clone();
    route["targets"] = json!([target, target]);
}

fn slow_and_hedged(snapshot: &mut Value) {
    let route = &mut snapshot["routes"][0];
    route["hedge"] = json!({"delay_ms": 20, "spend_percent": 100});
    route["targets"][0]["model"] = json!({"fixed": "lorem?tokens=2&ttft=300ms"});
}

const PROVOCATIONS: [Provocation; 10] = [
    Provocation { point: "cache.hit", twice: true, ..PLAIN },
    Provocation { point: "cache.store", ..PLAIN },
    Provocation { point: "send.connect", ..PLAIN },
    Provocation {
        point: "send.again",
        body: r#"{"model":"mock/error?status=503","messages":[{"role":"user","content":"x"}]}"#,
        ..PLAIN
    },
    Provocation { point: "send.hedge", edit: slow_and_hedged, ..PLAIN },
    Provocation { point: "send.commit", edit: |s| s["routes"][0]["commit_point"] = json!(true), ..PLAIN },
    // Who waits for a name is told that there is none, and tries again.
    Provocation {
        point: "resolve",
        edit: |s| s["providers"][0]["origin"]["host"] = json!("localhost"),
        says: "HTTP/1.1 200",
        ..PLAIN
    },
    // What a policy does wrong costs its opinion, and nothing else.
    Provocation { point: "policy", edit: ranked, says: "HTTP/1.1 200", ..PLAIN },
    Provocation { point: "translate.request", edit: only_chat, path: "/v1/messages", body: MESSAGE, ..PLAIN },
    Provocation { point: "translate.reply", edit: only_chat, path: "/v1/messages", body: MESSAGE, ..PLAIN },
];
const PLAIN: Provocation = Provocation {
    point: "",
    edit: |_| {},
    path: "/v1/chat/completions",
    body: ECHO,
    twice: false,
    says: "HTTP/1.1 500",
};

#[test]
fn a_panic_on_a_rarer_way_costs_that_request() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let mut provoked: Vec<_> = PROVOCATIONS.iter().map(|one| one.point).collect();
    // This one has a test of its own.
    provoked.push("listener.take_over");
    assert!(points(Passed::Sometimes).all(|point| provoked.contains(&point)), "a point without a test");
    for Provocation { point, edit, path, body, twice, says } in PROVOCATIONS {
        let gateway = Gateway::with(OPTIONS, edit);
        let ask = || {
            let mut client = Client::connect(&gateway);
            client.post(path, "Connection: close\r\n", body);
            client.read_to_end()
        };
        if twice {
            ask();
        }
        arm_fail_point(point);
        let said = ask();
        assert!(said.starts_with(says), "{point}: {said}");
        assert_eq!(said.contains(FAILED), !["resolve", "policy"].contains(&point), "{point}: {said}");
        gateway.becomes("llm_edge_panics_total", 1);
        let said = ask();
        assert!(!said.contains(FAILED) && !said.is_empty(), "{point}: {said}");
        gateway.becomes("llm_edge_inflight_requests", 0);
        assert_eq!(gateway.panics(), 1, "{point}");
        assert!(gateway.engine.drain(Duration::from_secs(5)));
    }
}

#[test]
fn a_panic_over_a_connection_that_another_worker_gave_costs_that_connection() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let gateway = Gateway::with(&OPTIONS.replace(r#""workers":1"#, r#""workers":2"#), |_| {});
    arm_fail_point("listener.take_over");
    let end = Instant::now() + Duration::from_secs(20);
    let mut clients = Vec::new();
    // The kernel decides who gets a connection, and now and then it is the worker that has more.
    while gateway.panics() == 0 {
        assert!(Instant::now() < end, "no connection was ever handed over");
        clients.push(Client::connect(&gateway));
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut lost = 0;
    for mut client in clients {
        client.send("Connection: close\r\n");
        lost += usize::from(!client.read_to_end().contains("[DONE]"));
    }
    assert_eq!(lost, 1);
    gateway.becomes("llm_edge_connections", 0);
    assert!(gateway.engine.drain(Duration::from_secs(5)));
}

#[test]
fn a_loop_that_no_request_owns_begins_anew() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let gateway = Gateway::start();
    // Deadlines are looked at while somebody is there.
    let mut beside = Client::connect(&gateway);
    beside.is_served();
    let mut before = 0;
    for point in points(Passed::Loop) {
        for _ in 0..2 {
            arm_fail_point(point);
            before += 1;
            gateway.becomes("llm_edge_panics_total", before);
        }
    }
    beside.is_served();
    assert!(gateway.engine.drain(Duration::from_secs(5)));
}

#[test]
fn a_panic_in_a_call_is_an_error_and_changes_nothing() {
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let gateway = Gateway::start();
    let call = |point: &str| {
        gateway.engine.call(|engine| {
            match point {
                "call.apply" => drop(engine.apply(gateway.snapshot.as_bytes())?),
                "call.directory" => drop(engine.directory_replace(b"[]")?),
                "call.status" => drop(engine.status()),
                "call.metrics" => drop(engine.metrics()),
                other => panic!("no call is made for {other}"),
            }
            Ok(())
        })
    };
    for point in points(Passed::Call) {
        let epoch = |status: &str| serde_json::from_str::<Value>(status).unwrap()["epoch"].clone();
        let before = epoch(&gateway.engine.status());
        arm_fail_point(point);
        let error = call(point).unwrap_err();
        assert!(error.to_string().contains("failed inside"), "{point}: {error}");
        assert_eq!(epoch(&gateway.engine.status()), before, "{point}");
        Client::connect(&gateway).is_served();
        assert_eq!(call(point), Ok(()), "{point}");
    }
    assert_eq!(gateway.panics(), points(Passed::Call).count() as u64);
    assert!(gateway.engine.drain(Duration::from_secs(5)));
}
