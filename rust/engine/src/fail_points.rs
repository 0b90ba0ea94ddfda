//! Places where a test can make the gateway panic (B35). Without the feature `fail-points` there are none:
//! the macro is then nothing at all.

#[cfg(feature = "fail-points")]
use std::sync::{Mutex, PoisonError};

/// Panics here once when a test has armed this name.
#[cfg(feature = "fail-points")]
macro_rules! fail_point {
    ($name:literal) => {
        $crate::fail_points::pass($name)
    };
}
#[cfg(not(feature = "fail-points"))]
macro_rules! fail_point {
    ($name:literal) => {};
}
pub(crate) use fail_point;

/// What passes a point.
#[cfg(feature = "fail-points")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passed {
    /// Every request, or the connection that it comes by.
    Always,
    /// Requests of some kind, or on some routes.
    Sometimes,
    /// A loop that no request owns.
    Loop,
    /// A call from Python.
    Call,
}

/// Every point, for a test that goes through all of them.
#[cfg(feature = "fail-points")]
pub const POINTS: [(&str, Passed); 41] = [
    ("listener.open", Passed::Always),
    ("http1.head", Passed::Always),
    ("http1.write", Passed::Always),
    ("http2.stream", Passed::Always),
    ("http2.respond", Passed::Always),
    ("head", Passed::Always),
    ("authenticate", Passed::Always),
    ("body", Passed::Always),
    ("body.complete", Passed::Always),
    ("authorize", Passed::Always),
    ("admit", Passed::Always),
    ("guard", Passed::Always),
    ("cache", Passed::Always),
    ("route", Passed::Always),
    ("send", Passed::Always),
    ("send.request", Passed::Always),
    ("send.write", Passed::Always),
    ("send.read", Passed::Always),
    ("stream.advance", Passed::Always),
    ("settle", Passed::Always),
    ("settle.log", Passed::Always),
    ("listener.take_over", Passed::Sometimes),
    ("cache.hit", Passed::Sometimes),
    ("cache.store", Passed::Sometimes),
    ("send.connect", Passed::Sometimes),
    ("send.again", Passed::Sometimes),
    ("send.hedge", Passed::Sometimes),
    ("send.commit", Passed::Sometimes),
    ("resolve", Passed::Sometimes),
    ("policy", Passed::Sometimes),
    ("translate.request", Passed::Sometimes),
    ("translate.reply", Passed::Sometimes),
    ("loop.sweep", Passed::Loop),
    ("loop.retire", Passed::Loop),
    ("loop.notices", Passed::Loop),
    ("loop.probes", Passed::Loop),
    ("loop.log", Passed::Loop),
    ("call.apply", Passed::Call),
    ("call.directory", Passed::Call),
    ("call.status", Passed::Call),
    ("call.metrics", Passed::Call),
];

#[cfg(feature = "fail-points")]
static ARMED: Mutex<Option<&'static str>> = Mutex::new(None);

/// Makes whatever passes `name` next panic there.
#[cfg(feature = "fail-points")]
pub fn arm(name: &'static str) {
    ARMED.lock().unwrap_or_else(PoisonError::into_inner).replace(name);
}

#[cfg(feature = "fail-points")]
#[expect(clippy::panic, reason = "what a test asked for")]
pub(crate) fn pass(name: &str) {
    let mut armed = ARMED.lock().unwrap_or_else(PoisonError::into_inner);
    if armed.as_deref() == Some(name) {
        *armed = None;
        drop(armed);
        panic!("on purpose at {name}");
    }
}
