//! Cache: has the same been asked before, by the same caller, on the same route.
//!
//! The key covers everything that shapes the reply (see [`llm_edge_core::cache_key`]); a hit is one more
//! source for the same relay. `Cache-Control: no-store` goes without, `no-cache` asks anew and keeps the
//! answer (RFC 9111 §5.2.1).

use std::sync::Arc;

use llm_edge_core::cache_key::CacheKeyBuilder;
use llm_edge_core::http1::Known;
use llm_edge_core::principal::Principal;
use llm_edge_core::surface::Surface;

use super::guard::Screened;
use super::head::Head;
use crate::backends::cache::memory::Stored;
use crate::exchange::{CacheResult, Exchange};
use crate::fail_points::fail_point;
use crate::loaded::LoadedRoute;

/// What the look-up gave.
pub(crate) enum Lookup {
    /// The reply.
    Hit(Arc<Stored>),
    /// Nothing; the flight says whether to keep what comes.
    Miss(Flight),
}

/// What to do with the reply that is on its way.
pub(crate) struct Flight {
    pub(crate) keep: Option<Keep>,
}

/// Keep the reply under this key.
pub(crate) struct Keep {
    pub(crate) key: Box<[u8]>,
    pub(crate) ttl_ms: u64,
    pub(crate) reply_bytes_max: u64,
}

/// Looks for a live reply.
pub(crate) fn look_up(
    x: &mut Exchange,
    head: &Head,
    caller: &Principal,
    route: &LoadedRoute,
    screened: &Screened,
) -> Lookup {
    fail_point!("cache");
    let loaded = std::rc::Rc::clone(&x.loaded);
    let config = loaded.snapshot.routes.get(route.index).and_then(|r| r.cache.as_ref());
    // Of what is not read it is not known what changes something.
    let Some(config) = config.filter(|_| !head.operation.keeps_path()) else {
        return Lookup::Miss(Flight { keep: None });
    };
    let control = control(x);
    if control == Control::NoStore {
        count(x, route, CacheResult::Bypass);
        return Lookup::Miss(Flight { keep: None });
    }
    let key = key(x, head, caller, route, screened);
    let found = match control {
        Control::Normal => x.worker.shared.cache.find(&key, x.facts.started),
        Control::NoCache | Control::NoStore => None,
    };
    if let Some(stored) = found {
        fail_point!("cache.hit");
        x.worker.buffers.give(key);
        count(x, route, CacheResult::Hit);
        return Lookup::Hit(stored);
    }
    count(x, route, if control == Control::NoCache { CacheResult::Bypass } else { CacheResult::Miss });
    let keep =
        Keep { key: key.as_slice().into(), ttl_ms: config.ttl_ms, reply_bytes_max: config.reply_bytes_max };
    x.worker.buffers.give(key);
    Lookup::Miss(Flight { keep: Some(keep) })
}

fn count(x: &mut Exchange, route: &LoadedRoute, result: CacheResult) {
    x.facts.cache = result;
    let at = match result {
        CacheResult::Hit => 0,
        CacheResult::Miss => 1,
        CacheResult::Bypass => 2,
        CacheResult::None => return,
    };
    if let Some(cell) = route.cells.cache.get(at) {
        cell.add(1);
    }
}

#[derive(PartialEq, Eq, Clone, Copy)]
enum Control {
    Normal,
    NoCache,
    NoStore,
}

fn control(x: &Exchange) -> Control {
    let mut control = Control::Normal;
    for field in x.request.fields.iter().filter(|field| field.known == Known::CacheControl) {
        for directive in field.value.of(&x.input).split(|b| *b == b',') {
            let directive = directive.trim_ascii();
            if directive.eq_ignore_ascii_case(b"no-store") {
                return Control::NoStore;
            }
            if directive.eq_ignore_ascii_case(b"no-cache") || directive.eq_ignore_ascii_case(b"max-age=0") {
                control = Control::NoCache;
            }
        }
    }
    control
}

fn key(x: &Exchange, head: &Head, caller: &Principal, route: &LoadedRoute, screened: &Screened) -> Vec<u8> {
    let snapshot = &x.loaded.snapshot;
    let envelope = screened.envelope();
    let mut written = x.worker.buffers.take();
    let mut key = CacheKeyBuilder::new(&x.worker.shared.cache.secret, &mut written);
    key.part(&caller.scope);
    // Another credential, another account: what it was answered is nobody else's.
    if let Some(own) = &x.caller_credential {
        own.write_key(x, &mut key);
    }
    key.part(match head.surface {
        Surface::OpenAi => b"openai",
        Surface::Anthropic => b"anthropic",
        Surface::Gemini => b"gemini",
    });
    key.part(head.operation.name().as_bytes());
    if let Some(route) = snapshot.routes.get(route.index) {
        key.part(route.name.as_bytes());
        key.part(route.policy_hash.as_bytes());
    }
    key.part(head.query(&x.input));
    if let Some(model) = &envelope.path_model {
        key.part(model.as_bytes());
    }
    // Whoever was turned to may have answered.
    match &*envelope.further {
        [] => key.part(b""),
        further => key.secret_part(further.iter().map(|model| model.name.as_bytes())),
    }
    for known in [Known::AnthropicVersion, Known::AnthropicBeta, Known::Accept] {
        for field in x.request.fields.iter().filter(|field| field.known == known) {
            key.part(field.value.of(&x.input));
        }
        key.part(b"");
    }
    // Any field that travels upstream may shape the reply there.
    for field in x.request.fields.iter().filter(|field| field.known == Known::Other) {
        let name = field.name.of(&x.input);
        if may_shape_reply(name) {
            let mut lower = [0; NAME_BYTES_MAX];
            let lower = lower.get_mut(..name.len()).unwrap_or_default();
            lower.copy_from_slice(name.get(..lower.len()).unwrap_or_default());
            lower.make_ascii_lowercase();
            key.part(if lower.is_empty() { name } else { lower });
            key.part(field.value.of(&x.input));
        }
    }
    key.body(envelope.body.of(&x.input), envelope.scan.irrelevant.spans().iter().copied());
    key.finish();
    written
}

/// Names up to this length are compared without regard to case; longer ones as they were sent, which may miss
/// a hit and never gives a wrong one.
const NAME_BYTES_MAX: usize = 64;

/// Whether a field may select what is answered: all but those that are known to tell about the client or to
/// follow a request through systems.
fn may_shape_reply(name: &[u8]) -> bool {
    const STARTS: [&[u8]; 6] =
        [b"x-stainless-", b"sec-", b"x-b3-", b"x-datadog-", b"x-amzn-", b"x-cloud-trace"];
    const NAMES: [&[u8]; 12] = [
        b"accept-language",
        b"b3",
        b"baggage",
        b"dnt",
        b"origin",
        b"pragma",
        b"priority",
        b"referer",
        b"sentry-trace",
        b"x-client-request-id",
        b"x-correlation-id",
        b"x-request-start",
    ];
    let starts = |start: &&[u8]| name.get(..start.len()).is_some_and(|s| s.eq_ignore_ascii_case(start));
    !STARTS.iter().any(starts) && !NAMES.iter().any(|known| known.eq_ignore_ascii_case(name))
}
