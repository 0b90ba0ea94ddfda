//! File descriptors: how many this process may have, and which are kept for the control plane.
//!
//! The kernel gives out the lowest number that is free (POSIX `open`), so the number of a new descriptor tells
//! how many are in use. Those with the last [`RESERVED`] numbers are given back by the data path at once:
//! whatever clients do, the admin port, the metrics and the log still find one.
#![expect(unsafe_code, reason = "getrlimit has no safe binding in std")]

use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicU64, Ordering};

/// Descriptors that the data path leaves to the control plane.
const RESERVED: u64 = 32;
/// Soft limit of the process; it may be changed from outside while the process runs (`prlimit`).
static LIMIT: AtomicU64 = AtomicU64::new(u64::MAX);
/// What the process holds before its first connection: listeners, event queues, log, state.
static OWN: AtomicU64 = AtomicU64::new(64);

/// What it opens for itself later: the control plane's event queues, files that are read again.
const OPENED_LATER: u64 = 32;

/// Counts what is open now, before the first connection.
pub(crate) fn count_own() {
    look();
    // Where there is no /proc, the guess stands.
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        OWN.store(open.count() as u64 + OPENED_LATER, Ordering::Relaxed);
    }
}

/// Looks the limit up anew.
pub(crate) fn look() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the pointer is to a local of the type that the call fills.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } == 0 {
        LIMIT.store(limit.rlim_cur, Ordering::Relaxed);
    }
}

/// Client connections for which there are descriptors, each with one of its own towards an upstream.
pub(crate) fn client_connections_max() -> u64 {
    let own = OWN.load(Ordering::Relaxed).saturating_add(RESERVED);
    LIMIT.load(Ordering::Relaxed).saturating_sub(own).max(2) / 2
}

/// Whether this descriptor is one of the last, which are not for the data path.
pub(crate) fn is_reserved(socket: &impl AsFd) -> bool {
    let number = u64::try_from(socket.as_fd().as_raw_fd()).unwrap_or(0);
    number >= LIMIT.load(Ordering::Relaxed).saturating_sub(RESERVED)
}
