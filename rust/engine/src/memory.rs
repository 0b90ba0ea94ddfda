//! What the process holds: gives memory back to the system after a burst, and tells how much is in use.
//!
//! glibc keeps what was freed unless it lies at the end of its heap; after a thousand streams that is most of
//! what they held. Measured: without this the process stays at 1.7 times its size a minute later.
#![expect(unsafe_code, reason = "malloc_trim and mallinfo2 have no safe binding")]

use crate::pressure::near;

/// Connections a burst must have had to be worth a trim.
const BURST_CONNECTIONS_MIN: u64 = 64;
/// Looks that pass between two trims for want of memory.
const LOOKS_BETWEEN_TRIMS: u32 = 10;

/// Notices the end of a burst, and want of memory.
#[derive(Default)]
pub(crate) struct Trim {
    peak: u64,
    looks_until_trim: u32,
}

impl Trim {
    /// Looks at how many connections are open; trims when a burst has ebbed to a quarter of its peak.
    pub(crate) fn look(&mut self, connections: u64) {
        self.peak = self.peak.max(connections);
        if self.peak >= BURST_CONNECTIONS_MIN && connections <= self.peak / 4 {
            self.peak = connections;
            trim();
        }
    }

    /// Resident memory in bytes. Where it comes near `max`, what was freed is given back first: memory that
    /// nobody uses must refuse no request.
    pub(crate) fn make_room(&mut self, max: u64) -> u64 {
        let resident = resident_bytes();
        if resident <= near(max) {
            self.looks_until_trim = 0;
            return resident;
        }
        if self.looks_until_trim == 0 {
            self.looks_until_trim = LOOKS_BETWEEN_TRIMS;
            trim();
            return resident_bytes();
        }
        self.looks_until_trim -= 1;
        resident
    }
}

/// Resident memory of the process (proc(5), statm); 0 where the system does not tell.
fn resident_bytes() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or_default();
    pages.saturating_mul(page_bytes())
}

fn page_bytes() -> u64 {
    // SAFETY: sysconf takes no pointer and only reads.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

#[cfg(target_env = "gnu")]
fn trim() {
    // SAFETY: malloc_trim takes no pointer and may be called at any time from any thread.
    unsafe {
        libc::malloc_trim(0);
    }
}

#[cfg(not(target_env = "gnu"))]
fn trim() {}

/// Bytes of the heap that are in use, over all arenas, large mappings included (mallinfo(3)).
#[cfg(target_env = "gnu")]
pub(crate) fn heap_live_bytes() -> u64 {
    // SAFETY: mallinfo2 takes no pointer and may be called at any time from any thread.
    let info = unsafe { libc::mallinfo2() };
    (info.uordblks as u64).saturating_add(info.hblkhd as u64)
}

#[cfg(not(target_env = "gnu"))]
pub(crate) fn heap_live_bytes() -> u64 {
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_is_seen() {
        let before = (heap_live_bytes(), resident_bytes());
        let held = vec![1u8; 64 << 20];
        assert!(heap_live_bytes() - before.0 >= 60 << 20);
        assert!(resident_bytes() - before.1 >= 60 << 20, "{}", held.len());
    }
}
