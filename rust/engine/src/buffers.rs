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

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(buffers: &Buffers) -> (usize, usize) {
        let spare = buffers.spare.borrow();
        assert_eq!(spare.bytes, spare.buffers.iter().map(Vec::capacity).sum::<usize>());
        (spare.buffers.len(), spare.bytes)
    }

    #[test]
    fn as_many_are_kept_as_may_be_and_no_larger_ones() {
        let buffers = Buffers::default();
        for _ in 0..2 * KEEP_MAX {
            buffers.give(Vec::with_capacity(BUFFER_BYTES));
        }
        assert_eq!(kept(&buffers), (KEEP_MAX, KEEP_MAX * BUFFER_BYTES));
        let large = Buffers::default();
        for _ in 0..KEEP_MAX {
            large.give(Vec::with_capacity(KEEP_BYTES_MAX));
            large.give(Vec::with_capacity(KEEP_BYTES_MAX + 1));
            large.give(Vec::with_capacity(BUFFER_BYTES - 1));
        }
        assert_eq!(kept(&large), (KEEP_TOTAL_BYTES_MAX / KEEP_BYTES_MAX, KEEP_TOTAL_BYTES_MAX));
    }

    #[test]
    fn one_that_is_taken_is_empty_and_makes_room() {
        let buffers = Buffers::default();
        buffers.give(vec![1; KEEP_BYTES_MAX]);
        let taken = buffers.take();
        assert!(taken.is_empty() && taken.capacity() == KEEP_BYTES_MAX);
        assert_eq!(kept(&buffers), (0, 0));
    }
}
