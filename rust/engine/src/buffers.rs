//! Byte buffers that outlive their user, per worker: taken when bytes arrive, given back before waiting, so
//! that an idle connection holds none.

use std::cell::RefCell;

/// What a buffer holds when it is new; most requests and replies fit.
pub(crate) const BUFFER_BYTES: usize = 16 * 1024;
/// Up to this many bytes are put together and written with `send`; beyond it `writev` is cheaper than a copy.
pub(crate) const JOIN_BYTES_MAX: usize = 8 * 1024;
/// A buffer that grew past this is freed instead of kept: an agent's request of usual size should find one in
/// which it needs not be moved.
const KEEP_BYTES_MAX: usize = 128 * 1024;
/// Buffers kept per worker, and what they may hold together.
const KEEP_MAX: usize = 128;
const KEEP_TOTAL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The worker's spare buffers.
#[derive(Default)]
pub(crate) struct Buffers {
    spare: RefCell<Spare>,
}

#[derive(Default)]
struct Spare {
    buffers: Vec<Vec<u8>>,
    /// What they hold together.
    bytes: usize,
}

impl Buffers {
    /// An empty buffer with room for [`BUFFER_BYTES`] or more.
    pub(crate) fn take(&self) -> Vec<u8> {
        let mut spare = self.spare.borrow_mut();
        let Some(buffer) = spare.buffers.pop() else { return Vec::with_capacity(BUFFER_BYTES) };
        spare.bytes -= buffer.capacity();
        buffer
    }

    /// Takes a buffer back; its bytes are forgotten.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        let bytes = buffer.capacity();
        if !(BUFFER_BYTES..=KEEP_BYTES_MAX).contains(&bytes) {
            return;
        }
        buffer.clear();
        let mut spare = self.spare.borrow_mut();
        if spare.buffers.len() < KEEP_MAX && spare.bytes + bytes <= KEEP_TOTAL_BYTES_MAX {
            spare.bytes += bytes;
            spare.buffers.push(buffer);
        }
    }
}
