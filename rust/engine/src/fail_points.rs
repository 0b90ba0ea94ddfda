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

/// Every name, for a test that goes through all of them.
#[cfg(feature = "fail-points")]
pub const NAMES: [&str; 16] = [
    "listener.open",
    "http1.head",
    "http1.write",
    "http2.stream",
    "http2.respond",
    "head",
    "authenticate",
    "body",
    "body.complete",
    "authorize",
    "admit",
    "guard",
    "cache",
    "route",
    "send",
    "stream.advance",
];

#[cfg(feature = "fail-points")]
static ARMED: Mutex<Option<&'static str>> = Mutex::new(None);

/// Makes the next request that passes `name` panic there.
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
