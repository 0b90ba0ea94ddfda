//! Header fields of replies: what comes back from an upstream, and what we add.

use std::time::{SystemTime, UNIX_EPOCH};

use llm_edge_core::date;
use llm_edge_core::http1::{Known, write};
use llm_edge_core::routing;

use crate::exchange::{CacheResult, Exchange};
use crate::stations::send::Begun;

/// Whose body follows the head.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Media {
    /// The upstream's, as its fields say.
    Upstream,
    /// One that is made here.
    Own,
}

/// The upstream's fields but those of its own connection, its cookies and its ids. Then who answered.
pub(super) fn write_upstream(out: &mut Vec<u8>, x: &Exchange, begun: &Begun, media: Media) {
    let head = &begun.connection.head;
    write::lines(out, &begun.connection.buffer, &head.fields, head.len.saturating_sub(2), |field| {
        let replaced = begun.used_up && field.known == Known::XShouldRetry;
        let made_here =
            media == Media::Own && matches!(field.known, Known::ContentType | Known::ContentEncoding);
        !replaced
            && !made_here
            && !matches!(
                field.known,
                Known::HopByHop
                    | Known::ContentLength
                    | Known::TransferEncoding
                    | Known::SetCookie
                    | Known::AltSvc
                    | Known::Edge
                    | Known::XRequestId
                    | Known::RequestId
            )
    });
    let snapshot = &x.loaded.snapshot;
    let target = begun.place.target(snapshot);
    if let Some(provider) = target.and_then(|t| snapshot.providers.get(t.provider)) {
        write::field(out, b"x-llm-edge-provider", provider.name.as_bytes());
    }
}

/// How often an upstream was asked.
pub(super) fn write_attempts(out: &mut Vec<u8>, x: &Exchange) {
    out.extend_from_slice(b"x-llm-edge-attempts: ");
    write::decimal(out, u64::from(x.facts.attempts.get()));
    out.extend_from_slice(b"\r\n");
}

/// When to come back, as clients look for it, where the upstream has said so in another way.
pub(super) fn write_told(out: &mut Vec<u8>, begun: &Begun) {
    if let Some(seconds) = begun.told_s {
        out.extend_from_slice(b"retry-after: ");
        write::decimal(out, u64::from(seconds.get()));
        out.extend_from_slice(b"\r\n");
    }
}

/// The upstream's id under a name of its own, since `x-request-id` names the request here.
pub(super) fn write_upstream_id(out: &mut Vec<u8>, begun: &Begun) {
    let head = &begun.connection.head;
    if let Some(field) = head.find(Known::XRequestId).or_else(|| head.find(Known::RequestId)) {
        write::field(out, b"x-llm-edge-upstream-request-id", field.value.of(&begun.connection.buffer));
    }
}

/// The moment, for replies that are made here (RFC 9110 §6.6.1).
pub(super) fn write_date(out: &mut Vec<u8>) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    out.extend_from_slice(b"date: ");
    date::http_date(out, now.as_secs());
    out.extend_from_slice(b"\r\n");
}

/// The request's id under both names that SDKs read.
pub(super) fn write_ids(out: &mut Vec<u8>, x: &Exchange) {
    write::field(out, b"x-request-id", x.request_id.as_bytes());
    write::field(out, b"request-id", x.request_id.as_bytes());
    if x.loaded.snapshot.debug_headers {
        write_debug(out, x);
    }
}

/// For whoever asks: under which configuration the request was served, by whom, and why.
fn write_debug(out: &mut Vec<u8>, x: &Exchange) {
    if x.asks_for_debug() {
        out.extend_from_slice(b"x-llm-edge-epoch: ");
        write::decimal(out, x.loaded.epoch);
        out.extend_from_slice(b"\r\n");
        if let Some(decision) = &x.facts.decision {
            write::field(out, b"x-llm-edge-decision", decision.as_bytes());
        }
        let snapshot = &x.loaded.snapshot;
        if let Some(place) = &x.facts.place
            && let Some(target) = place.target(snapshot)
        {
            let names = x.facts.names.as_ref();
            let written = names.and_then(|names| names.get(usize::from(place.further)));
            let name = routing::asked_at(snapshot, target, written.map(|name| &**name));
            write::field(out, b"x-llm-edge-target", name.as_bytes());
        }
    }
}

/// What the cache did, where the route has one (RFC 9211).
pub(super) fn write_cache_state(out: &mut Vec<u8>, x: &Exchange) {
    match x.facts.cache {
        CacheResult::None | CacheResult::Hit => {}
        CacheResult::Miss => {
            out.extend_from_slice(b"x-llm-edge-cache: miss\r\ncache-status: llm-edge; fwd=miss\r\n");
        }
        CacheResult::Bypass => {
            out.extend_from_slice(b"x-llm-edge-cache: bypass\r\ncache-status: llm-edge; fwd=request\r\n");
        }
    }
}

/// A hit, with its age and the seconds it has left (RFC 9211, RFC 9111 §5.1).
pub(super) fn write_hit(out: &mut Vec<u8>, age_s: u64, left_s: u64) {
    out.extend_from_slice(b"x-llm-edge-cache: hit\r\ncache-status: llm-edge; hit; ttl=");
    write::decimal(out, left_s);
    out.extend_from_slice(b"\r\nage: ");
    write::decimal(out, age_s);
    out.extend_from_slice(b"\r\n");
}
