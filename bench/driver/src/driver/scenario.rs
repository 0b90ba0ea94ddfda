//! The requests that are counted: each a fixed input.

use serde_json::{Value, json};

use crate::agent;

/// Key of the caller.
pub(crate) const KEY: &str = "sk-edge-bench";
const PROSE: &str =
    "He said \"The quick brown fox\" jumps over the lazy dog.\\n Then — five boxing wizards. ";

/// What a request says.
#[derive(Clone, Copy)]
enum Body {
    Nothing,
    /// A question of so many bytes, the rest of the body included.
    Prose(usize),
    /// See [`agent`].
    Agent,
}

/// One kind of request.
#[derive(Clone, Copy)]
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    model: &'static str,
    body: Body,
    key: &'static str,
    pub(crate) status: u16,
}

/// Every scenario, in the order of the baseline.
pub(crate) const ALL: [Scenario; 14] = [
    Scenario::new("unary_1k", "up/unary-1024", Body::Prose(1024)),
    Scenario::new("unary_16k", "up/unary-1024", Body::Prose(16 * 1024)),
    Scenario::new("unary_64k", "up/unary-1024", Body::Prose(64 * 1024)),
    Scenario::new("stream_64x200", "up/sse-64x200", Body::Prose(1024)),
    Scenario::new("stream_1000x200", "up/sse-1000x200", Body::Prose(1024)),
    Scenario::new("unary_1k_resilient", "resilient/unary-1024", Body::Prose(1024)),
    Scenario::new("stream_64x200_resilient", "resilient/sse-64x200", Body::Prose(1024)),
    Scenario::new("unary_1k_routed", "routed/unary-1024", Body::Prose(1024)),
    Scenario::new("unary_1k_translated", "claude/message-1024", Body::Prose(1024)),
    Scenario::new("stream_64x200_translated", "claude/message-64x200", Body::Prose(1024)),
    Scenario::new("agent_64k_anthropic", "claude/message-1024", Body::Agent),
    Scenario::new("agent_64k_gemini", "google/content-1024", Body::Agent),
    Scenario::new("cache_hit_1k", "cached/unary-1024", Body::Prose(1024)),
    // Without a body: one that stays unread ends the connection, and a new one each time is not what is counted.
    Scenario {
        key: "sk-edge-wrong",
        status: 401,
        ..Scenario::new("early_401", "up/unary-1024", Body::Nothing)
    },
];

impl Scenario {
    const fn new(name: &'static str, model: &'static str, body: Body) -> Self {
        Self { name, model, body, key: KEY, status: 200 }
    }

    /// The request as the OpenAI SDK writes one.
    pub(crate) fn request(&self) -> Vec<u8> {
        let body = match self.body {
            Body::Nothing => String::new(),
            Body::Prose(bytes) => self.prose(bytes),
            Body::Agent => agent::body(self.model),
        };
        format!(
            "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nAccept: application/json\r\nContent-Type: application/json\r\nUser-Agent: OpenAI/Python 3.54.0\r\nX-Stainless-Lang: python\r\nX-Stainless-Package-Version: 3.54.0\r\nX-Stainless-OS: Linux\r\nX-Stainless-Arch: x64\r\nX-Stainless-Runtime: CPython\r\nX-Stainless-Runtime-Version: 3.11.7\r\nX-Stainless-Retry-Count: 0\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\n\r\n{body}",
            self.key,
            body.len()
        )
        .into_bytes()
    }

    fn prose(&self, bytes: usize) -> String {
        let stream = self.model.contains("sse") || self.model.contains("64x");
        let body = |text: &str| {
            format!(
                r#"{{"messages":[{{"role":"user","content":"{text}"}}],"model":"{}","stream":{stream}}}"#,
                self.model
            )
        };
        // Whole sentences, so that no escape is cut in two; the rest is padding.
        let room = bytes.saturating_sub(body("").len());
        let mut text = PROSE.replace('"', "\\\"").repeat(room / (PROSE.len() + 2));
        text.push_str(&".".repeat(room - text.len()));
        body(&text)
    }
}

/// What the engine starts with.
pub(crate) fn options(pepper: &[u8]) -> Value {
    json!({
        "listen": {"host": "127.0.0.1", "port": 0, "unix": null}, "workers": 1, "reuse_port": false, "tls": null,
        "pepper": hex(pepper), "log_fd": 2,
    })
}

/// One provider at `port`; its models as `up/…`, as `cached/…` through the cache, as `resilient/…` with all that
/// answers failures configured and nothing failing, as `routed/…` by price, capability and window though there is one
/// target only, as `claude/…` in Anthropic's dialect and as `google/…` in Google's.
pub(crate) fn snapshot(port: u16) -> Value {
    let deadlines =
        json!({"connect_ms": 5000, "first_byte_ms": 600_000, "progress_ms": 300_000, "total_ms": 0});
    let retry = json!({"attempts_max": 3, "backoff_ms": 250, "backoff_max_ms": 4000,
        "retry_after_max_ms": 5000, "budget_percent": 10, "cooldown_ms": 30_000});
    let patient =
        json!({"connect_ms": 5000, "first_byte_ms": 600_000, "progress_ms": 300_000, "total_ms": 600_000});
    let targets = |provider: usize| {
        json!([{"provider": provider, "model": "rest", "weight": 1,
        "facts": {"lacks": [], "context_window": null, "price": null}}])
    };
    let route = |name: &str, more: Value| {
        let plain = json!({
            "name": name, "models": [], "pass_through": [],
            "rules": [], "strategy": "round_robin", "affinity": "conversation", "policy": null, "targets": targets(0), "cache": null,
            "deadlines": deadlines, "fallbacks": [], "retry": retry, "breaker": null,
            "commit_point": false, "ask_usage": false,
            "translation": {"strict": false, "cache_breakpoints": true, "max_tokens": 8192},
            "hedge": null, "policy_hash": name,
        });
        with(plain, more)
    };
    let breaker =
        json!({"failures": 5, "failure_percent": 50, "window_ms": 10_000, "open_ms": 5_000, "probes": 1});
    let provider = |name: &str, more: Value| {
        let plain = json!({
            "name": name,
            "origin": {"scheme": "http", "host": "127.0.0.1", "port": port, "ca_pem": null,
                       "http2": "never", "allow_addresses": []},
            "host_header": format!("127.0.0.1:{port}"), "chat_fields": "common", "chat_members": {}, "takes_models": false, "is_anthropic": false, "takes_extra_content": false, "platform": "own",
            "headers": [], "default_headers": [], "withheld_headers": [], "credentials": ["up"], "accounts": ["up"], "credential_weights": [1],
            "health": null,
            "models": {"names": {}, "facts": []},
        });
        with(plain, more)
    };
    json!({
        "version": 1, "fingerprint": "bench", "keys_required": true,
        "limits": {
            "body_bytes_max": 33_554_432, "buffered_bytes_max": 1 << 30, "head_bytes_max": 65536,
            "headers_max": 128, "target_bytes_max": 8192, "connections_max": 16384,
            "connections_per_client_max": 0, "body_bytes_per_s_min": 1024,
            "in_flight_max": 16384, "queue_ms_max": 10, "memory_bytes_max": 0, "head_ms": 600_000,
            "body_progress_ms": 600_000, "idle_ms": 600_000, "write_stall_ms": 600_000,
            "upstream_idle_max": 256, "upstream_idle_ms": 600_000, "upstream_head_bytes_max": 65536,
            "upstream_age_max_ms": 600_000, "upstream_http2_connections_max": 32, "upstream_ping_ms": 30_000,
            "dns_ttl_ms": 5_000,
            "event_bytes_max": 16_777_216,
        },
        "request_log": {"mode": "sampled", "sample_every": 100},
        "debug_headers": false,
        "metrics_by_key": false,
        "cache_bytes_max": 1 << 28,
        "providers": [
            provider("up", json!({
                "operations": {"chat_completions": "/v1/chat/completions"},
                "operation_auth": {}, "auth": {"header": "authorization", "prefix": "Bearer "},
            })),
            provider("claude", json!({
                "operations": {"messages": "/v1/messages"},
                "operation_auth": {}, "auth": {"header": "x-api-key", "prefix": ""},
                "default_headers": [["anthropic-version", "2023-06-01"]],
            })),
            provider("google", json!({
                "operations": {
                    "generate_content": "/v1beta/models/{model}:generateContent",
                    "stream_generate_content": "/v1beta/models/{model}:streamGenerateContent",
                },
                "operation_auth": {}, "auth": {"header": "x-goog-api-key", "prefix": ""},
            })),
        ],
        "routes": [
            route("up", json!({})),
            route("cached", json!({"cache": {"ttl_ms": 3_600_000, "reply_bytes_max": 1 << 20}})),
            route("resilient", json!({
                "fallbacks": [0], "deadlines": patient, "breaker": breaker, "commit_point": true,
                "hedge": {"delay_ms": 60_000, "spend_percent": 5},
            })),
            route("claude", json!({"targets": targets(1)})),
            route("google", json!({"targets": targets(2)})),
            route("routed", json!({
                "strategy": "cost",
                "targets": [{"provider": 0, "model": "rest", "weight": 1, "facts": {
                    "lacks": ["vision", "audio"], "context_window": 128_000,
                    "price": {"base": {"input": 37_500, "output": 150_000, "cached_input": null, "cache_write": null,
                        "cache_write_1h": null}, "tiers": []},
                }}],
            })),
        ],
        "names": {"exact": {}, "prefixes": [["cached/", 1], ["up/", 0], ["routed/", 5], ["resilient/", 2], ["claude/", 3], ["google/", 4]], "by_dialect": {}},
        "models": [],
    })
}

/// An object with further members, which replace its own.
fn with(mut object: Value, more: Value) -> Value {
    if let (Value::Object(members), Value::Object(more)) = (&mut object, more) {
        members.extend(more);
    }
    object
}

/// Bytes as hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |digits, byte| digits + &format!("{byte:02x}"))
}
