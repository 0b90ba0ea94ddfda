//! Heap allocations of every thread but the ones that stand for client and provider.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};

static COUNT: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static LEFT_OUT: Cell<bool> = const { Cell::new(false) };
}

/// The system's allocator, counting. Moving a block to another size counts as one.
pub(crate) struct Counting;

/// From here on this thread's allocations do not count.
pub(crate) fn leave_out_this_thread() {
    LEFT_OUT.set(true);
}

/// From here on they do again.
pub(crate) fn count_this_thread() {
    LEFT_OUT.set(false);
}

/// Allocations so far.
pub(crate) fn count() -> u64 {
    COUNT.load(Ordering::Relaxed)
}

fn note() {
    // A thread that is ending has no cell any more; what it still allocates is nobody's request.
    if !LEFT_OUT.try_with(Cell::get).unwrap_or(true) {
        COUNT.fetch_add(1, Ordering::Relaxed);
    }
}

#[expect(unsafe_code, reason = "an allocator is an unsafe trait; every call is passed on as it came")]
// SAFETY: each method passes its arguments to the system's allocator unchanged, so its contract is theirs.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(ptr, layout) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note();
        // SAFETY: as above.
        unsafe { System.realloc(ptr, layout, size) }
    }
}
