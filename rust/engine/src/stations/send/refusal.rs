//! A reply that is an error: what it says of itself, and what follows for the credential it was sent with.

use std::num::NonZeroU32;
use std::time::{SystemTime, UNIX_EPOCH};

use llm_edge_core::dialect::facts;
use llm_edge_core::http1::{Chunked, Known, ResponseFraming, Step};
use llm_edge_core::retry::{
    Disposition, Policy, disposition, is_of_credential, retry_after_ms, retry_delay_ms,
};
use llm_edge_core::snapshot::Route;

use super::{Begun, Refused};
use crate::backends::upstream::{Connection, End};
use crate::exchange::Exchange;
use crate::telemetry::notice;

/// Most bytes of an error that are waited for, and how long: what tells two errors of one status apart.
const BODY_BYTES_MAX: usize = 16 * 1024;
const BODY_MS: u32 = 1_000;

/// Longest rest of a credential, whatever its upstream says: asking now and then is how we hear of a change.
const REST_MS_MAX: u64 = 300_000;

/// Reads what the error says, and lets the credential rest that is to blame.
pub(super) async fn understand(
    x: &Exchange,
    asked: &Route,
    begun: &mut Begun,
    credential: Option<usize>,
) -> Refused {
    let status = begun.connection.head.status;
    let Some(dialect) = begun.dialect else {
        return Refused {
            disposition: Disposition::Relay,
            of_credential: false,
            retry_after_ms: None,
            is_event: false,
        };
    };
    let refusals = facts(dialect).refusals;
    if refusals.iter().any(|row| row.status == status) {
        read_body(x, &mut begun.connection, begun.latest_ms).await;
    }
    let connection = &begun.connection;
    let body = connection.buffer.get(connection.head.len..).unwrap_or_default();
    let disposition = disposition(refusals, status, body);
    let said_ms = said(connection);
    let told_ms = if said_ms.is_none() { retry_delay_ms(body) } else { None };
    begun.told_s = told_ms.and_then(|ms| NonZeroU32::new(u32::try_from(ms.div_ceil(1000)).ok()?));
    let mut refused = Refused {
        disposition,
        of_credential: is_of_credential(status, disposition),
        retry_after_ms: said_ms.or(told_ms),
        is_event: false,
    };
    let provider = begun.place.target(&x.loaded.snapshot).map(|target| target.provider);
    if refused.of_credential && provider.is_some_and(|provider| x.credential_for(provider).is_some()) {
        // Whether theirs is good is between the two: nobody else is asked at another's expense. Used too much is
        // told the route, which may have somewhere to go.
        if status != 429 {
            refused.disposition = Disposition::Relay;
        }
    } else if refused.of_credential {
        rest(x, asked.retry, begun, credential, refused.retry_after_ms);
    }
    refused
}

/// When the reply says to come back, in milliseconds from now.
fn said(connection: &Connection) -> Option<u64> {
    let head = &connection.head;
    let (field, is_ms) = match head.find(Known::RetryAfterMs) {
        Some(field) => (field, true),
        None => (head.find(Known::RetryAfter)?, false),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    retry_after_ms(field.value.of(&connection.buffer), is_ms, now.as_secs())
}

fn rest(x: &Exchange, policy: Policy, begun: &Begun, credential: Option<usize>, said_ms: Option<u64>) {
    let provider = begun.place.target(&x.loaded.snapshot).map(|target| target.provider);
    let provider = provider.and_then(|at| x.loaded.providers.get(at));
    let slot = provider.and_then(|provider| provider.credentials.get(credential?));
    let Some(slot) = slot else { return };
    // Used too much is over soon; not valid, not paid or not allowed is not.
    let silent_ms =
        if begun.connection.head.status == 429 { policy.backoff_max_ms } else { policy.cooldown_ms };
    let rest_ms = said_ms.unwrap_or(u64::from(silent_ms)).min(REST_MS_MAX);
    let now_ms = x.worker.deadlines.now_ms();
    let is_news = !slot.rests(now_ms);
    slot.rest_until(now_ms.saturating_add(rest_ms));
    if let Some(target) = begun.place.loaded() {
        target.cells.cooldowns.add(1);
    }
    if is_news {
        notice::write(&x.worker, true, "credential", |line| {
            line.text("state", "resting");
            line.text("provider", provider.map_or("", |provider| &provider.name));
            line.number("credential", credential.map_or(0, |at| at as u64));
            line.number("status", u64::from(begun.connection.head.status));
            line.number("rest_ms", rest_ms);
        });
    }
}

/// Waits for the rest of an error, if it is small and comes soon.
async fn read_body(x: &Exchange, connection: &mut Connection, latest_ms: u64) {
    x.client.timer().arm_before(BODY_MS, latest_ms);
    while !is_whole(connection) && connection.buffer.len() - connection.head.len < BODY_BYTES_MAX {
        match x.client.timer().limit(connection.read()).await {
            // Whatever is wrong with it, the relay meets it again and tells the client.
            Ok(Ok(0) | Err(_)) | Err(_) => return,
            Ok(Ok(_)) => {}
        }
    }
}

/// Whether the reply has come to its last byte, and nothing behind it.
pub(super) fn is_whole(connection: &Connection) -> bool {
    let start = connection.head.len;
    let there = connection.buffer.len().saturating_sub(start) as u64;
    match connection.end() {
        End::Declared(_) => connection.is_ended(),
        End::Framed(ResponseFraming::None) => there == 0,
        End::Framed(ResponseFraming::Length(length)) => there == length,
        End::Framed(ResponseFraming::UntilClose) => false,
        End::Framed(ResponseFraming::Chunked) => {
            let mut decoder = Chunked::new();
            let mut at = start;
            loop {
                match decoder.step(&connection.buffer, at) {
                    Ok(Step::Size { next, .. } | Step::ChunkEnd { next, .. } | Step::Trailer { next }) => {
                        at = next;
                    }
                    Ok(Step::Data { end, .. }) => at = end,
                    Ok(Step::End { next }) => return next == connection.buffer.len(),
                    Ok(Step::NeedMore) | Err(_) => return false,
                }
            }
        }
    }
}
