//! Settle: what happened is counted and, where asked for, written down. Runs when the exchange is dropped,
//! so no way out can forget it. Never waits.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use llm_edge_core::rejection::Code;
use llm_edge_core::routing::{Charge, Tokens};
use llm_edge_core::snapshot::RequestLogMode;
use llm_edge_core::tap::Usage;

use crate::breaking;
use crate::exchange::{CacheResult, Ending, Exchange};
use crate::fail_points::fail_point;
use crate::loaded::LoadedRoute;
use crate::stamp::Stamp;
use crate::telemetry::bank::{DURATION_US, KeyCells, KeyLabels, Money, OVERHEAD_US, TargetCells};
use crate::telemetry::line::Line;

/// Settles an exchange.
pub(crate) fn run(x: &mut Exchange) {
    // A reply that went out whole was over with its last write: no need to look at the clock again.
    let written = x.facts.written.filter(|_| x.facts.ending == Ending::Whole);
    let now = written.unwrap_or_else(Stamp::now);
    let cells = &x.worker.bank.worker;
    cells.in_flight.sub(1);
    let facts = &x.facts;
    if facts.streaming {
        cells.open_streams.sub(1);
    }
    // Behind what would otherwise stay counted for ever.
    fail_point!("settle");
    if let Some(cell) = facts.operation.and_then(|o| cells.operations.get(o as usize)) {
        cell.add(1);
    }
    if let Some(cell) = facts.rejection.and_then(|code| cells.rejections.get(code as usize)) {
        cell.add(1);
    }
    if let Some(overhead_us) = overhead_us(x) {
        cells.overhead.observe(&OVERHEAD_US, overhead_us);
    }
    let duration_us = now.us_since(facts.started);
    count_target(x, duration_us);
    log(x, duration_us);
    let input = std::mem::take(&mut x.input);
    x.worker.buffers.give(input);
    let request = std::mem::take(&mut x.request);
    x.worker.give_head(request);
}

/// Time spent here, in microseconds: request read to upstream write, and first reply byte to its write. For a reply of our own
/// (a cache hit, say) everything from request read to its write.
fn overhead_us(x: &Exchange) -> Option<u64> {
    let facts = &x.facts;
    // Of several attempts the waits between them are the upstreams'.
    if facts.attempts.get() > 1 {
        return None;
    }
    let (read, replied) = (facts.read?, facts.replied?);
    match (facts.sent, facts.first_byte) {
        (Some(sent), Some(first_byte)) => Some((sent.ns_since(read) + replied.ns_since(first_byte)) / 1000),
        (None, None) => Some(replied.us_since(read)),
        _ => None,
    }
}

fn count_target(x: &Exchange, duration_us: u64) {
    let facts = &x.facts;
    let Some(asked) = facts.route.and_then(|at| x.loaded.routes.get(at)) else { return };
    let target = match &facts.place {
        Some(place) => place.loaded(),
        None => asked.targets.first(),
    };
    let Some(target) = target else { return };
    let cells = &target.cells;
    if facts.place.as_ref().is_some_and(|place| place.is_fallback(facts.route)) {
        asked.cells.fallbacks.add(1);
    }
    let class = match (facts.ending, facts.status) {
        (Ending::Cancelled, _) => 5,
        (Ending::Cut(_), _) => 4,
        (Ending::Whole, 200..300) if facts.error_event => 6,
        (Ending::Whole, 200..300) => 0,
        (Ending::Whole, 300..400) => 1,
        (Ending::Whole, 400..500) => 2,
        (Ending::Whole, _) => 3,
    };
    if let Some(cell) = cells.requests.get(class) {
        cell.add(1);
    }
    let key_cells = asked.keys.as_ref().and_then(|keys| cells_of_caller(x, asked, keys));
    if let Some(cell) = key_cells.as_ref().and_then(|cells| cells.requests.get(class)) {
        cell.add(1);
    }
    cells.duration.observe(&DURATION_US, duration_us);
    if let (Some(sent), Some(first_byte)) = (facts.sent, facts.first_byte) {
        cells.first_byte.observe(&DURATION_US, first_byte.us_since(sent));
    }
    // An error with a bad status was told to the breaker when its head came.
    let broke_off = matches!(facts.ending, Ending::Cut(code) if code != Code::Draining);
    if facts.status < 400 && facts.cache != CacheResult::Hit && (facts.error_event || broke_off) {
        breaking::upstream_failed_later(x);
    }
    match &facts.usage {
        // A stored reply costs no tokens.
        Some(usage) if facts.cache != CacheResult::Hit => {
            let counts = [
                usage.input_tokens,
                usage.output_tokens,
                usage.cached_input_tokens,
                usage.cache_write_tokens,
                usage.reasoning_tokens,
            ];
            for (cell, count) in cells.tokens.iter().zip(counts) {
                cell.add(count);
            }
            let charged = charge(x, cells, usage);
            if let Some(cells) = &key_cells {
                for (cell, count) in cells.tokens.iter().zip(counts) {
                    cell.add(count);
                }
                cells.money.add(&charged);
            }
            if x.busy.is_some() {
                x.target_used(usage);
                asked.generated(usage.output_tokens);
            }
            cells.search_units.add(usage.search_units);
        }
        None if class == 0 && facts.cache != CacheResult::Hit => cells.without_usage.add(1),
        _ => {}
    }
}

/// The counters of who asked, on the route that was asked for.
#[cold]
fn cells_of_caller(
    x: &Exchange,
    asked: &LoadedRoute,
    keys: &RefCell<HashMap<String, Arc<KeyCells>>>,
) -> Option<Arc<KeyCells>> {
    let key = &x.facts.principal.as_ref()?.name;
    if let Some(cells) = keys.borrow().get(key) {
        return Some(Arc::clone(cells));
    }
    let route = x.loaded.snapshot.routes.get(asked.index)?.name.clone();
    let cells = x.worker.bank.key(KeyLabels { route, key: key.clone() });
    keys.borrow_mut().insert(key.clone(), Arc::clone(&cells));
    Some(cells)
}

/// What the reply has cost, where the price is known.
#[inline]
fn charge(x: &Exchange, cells: &TargetCells, usage: &Usage) -> Money<u64> {
    let known = x.facts.place.as_ref().and_then(|place| place.facts(&x.loaded.snapshot));
    let Some(price) = known.and_then(|facts| facts.price.as_ref()) else {
        cells.unpriced.add(1);
        return Money::default();
    };
    let tokens = Tokens {
        input: usage.input_tokens,
        cached_input: usage.cached_input_tokens,
        cache_write: usage.cache_write_tokens,
        cache_write_1h: usage.cache_write_1h_tokens,
        output: usage.output_tokens,
    };
    let Charge { cost, uncached } = price.charge(tokens);
    let charged = Money {
        cost,
        cache_saved: uncached.saturating_sub(cost),
        cache_surcharge: cost.saturating_sub(uncached),
    };
    cells.money.add(&charged);
    charged
}

fn log(x: &Exchange, duration_us: u64) {
    let facts = &x.facts;
    let settings = &x.loaded.snapshot.request_log;
    let failed = facts.status >= 400 || facts.ending != Ending::Whole || facts.error_event;
    let wanted = match settings.mode {
        _ if failed => true,
        // Probes come every few seconds and say nothing.
        _ if facts.operation.is_none() => false,
        RequestLogMode::All => true,
        RequestLogMode::Sampled => {
            x.worker.next_request().is_multiple_of(u64::from(settings.sample_every.max(1)))
        }
        RequestLogMode::Off => false,
    };
    // Under overload their number says more than each of them.
    let flood = || {
        facts.rejection == Some(Code::Overloaded) && !x.worker.pressure.may_log(x.worker.deadlines.now_ms())
    };
    if wanted && !flood() {
        fail_point!("settle.log");
        let mut line = x.worker.buffers.take();
        write_line(&mut line, x, duration_us);
        x.worker.log.push(&line, &x.worker.bank.worker.log_dropped);
        x.worker.buffers.give(line);
    }
}

fn write_line(line: &mut Vec<u8>, x: &Exchange, duration_us: u64) {
    let facts = &x.facts;
    let snapshot = &x.loaded.snapshot;
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let upstream_failed = facts.status >= 500 || facts.error_event;
    let level = if upstream_failed || facts.ending != Ending::Whole { "warning" } else { "info" };
    let mut write = Line::begin(line, at, level, "request");
    write.text("request_id", x.request_id.as_str());
    write.text("operation", facts.operation.map_or("", |o| o.name()));
    write.text("key", facts.principal.as_ref().map_or("", |p| &p.name));
    let route = facts.route.and_then(|at| snapshot.routes.get(at));
    write.text("route", route.map_or("", |r| &r.name));
    if let Some(place) = facts.place.as_ref().filter(|place| place.is_fallback(facts.route)) {
        write.text("fallback", snapshot.routes.get(place.route.index).map_or("", |r| &r.name));
    }
    let provider =
        facts.place.as_ref().and_then(|place| snapshot.providers.get(place.target(snapshot)?.provider));
    write.text("provider", provider.map_or("", |p| &p.name));
    write.number("status", u64::from(facts.status));
    write.text(
        "ending",
        match facts.ending {
            Ending::Cancelled => "cancelled",
            Ending::Whole => "whole",
            Ending::Cut(_) => "cut",
        },
    );
    let code = match facts.ending {
        Ending::Cut(code) => Some(code),
        Ending::Cancelled | Ending::Whole => facts.rejection,
    };
    if let Some(code) = code {
        write.text("code", code.row().code);
    }
    match facts.cache {
        CacheResult::None => {}
        CacheResult::Hit => write.text("cache", "hit"),
        CacheResult::Miss => write.text("cache", "miss"),
        CacheResult::Bypass => write.text("cache", "bypass"),
    }
    write.number("attempts", u64::from(facts.attempts.get()));
    write.number("duration_us", duration_us);
    if let Some(overhead_us) = overhead_us(x) {
        write.number("overhead_us", overhead_us);
    }
    if let (Some(sent), Some(first_byte)) = (facts.sent, facts.first_byte) {
        write.number("first_byte_us", first_byte.us_since(sent));
    }
    if let Some(usage) = &facts.usage {
        write.number("input_tokens", usage.input_tokens);
        write.number("cached_input_tokens", usage.cached_input_tokens);
        write.number("output_tokens", usage.output_tokens);
    }
    write.number("reply_bytes", facts.reply_bytes);
    write.number("epoch", x.loaded.epoch);
    write.end();
}
