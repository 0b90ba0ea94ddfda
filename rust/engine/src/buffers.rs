//! Byte buffers that outlive their user, per worker: taken when bytes arrive, given back before waiting, so
//! that an idle connection holds none.

use std::cell::RefCell;

/// What a buffer holds when it is new; most requests and replies fit.
pub(crate) const BUFFER_BYTES: usize = 16 * 1024;
/// Up to this many bytes are put together and written with `send`; beyond it `writev` is cheaper than a copy.
pub(crate) const JOIN_BYTES_MAX: usize = 8 * 1024;
/// A buffer that grew past this is freed instead of kept.
const KEEP_BYTES_MAX: usize = 64 * 1024;
/// Buffers kept per worker.
const KEEP_MAX: usize = 128;

/// The worker's spare buffers.
#[derive(Default)]
pub(crate) struct Buffers {
    spare: RefCell<Vec<Vec<u8>>>,
}

impl Buffers {
    /// An empty buffer with room for [`BUFFER_BYTES`] or more.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.spare.borrow_mut().pop().unwrap_or_else(|| Vec::with_capacity(BUFFER_BYTES))
    }

    /// Takes a buffer back; its bytes are forgotten.
    pub(crate) fn give(&self, mut buffer: Vec<u8>) {
        if !(BUFFER_BYTES..=KEEP_BYTES_MAX).contains(&buffer.capacity()) {
            return;
        }
        buffer.clear();
        let mut spare = self.spare.borrow_mut();
        if spare.len() < KEEP_MAX {
            spare.push(buffer);
        }
    }
}
