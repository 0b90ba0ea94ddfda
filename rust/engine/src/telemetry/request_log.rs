//! The request log: one JSON line per request that deserves one, without content or secrets.
//!
//! A worker appends to its own queue; a background thread empties all queues ten times a second and writes.
//! Nothing on the path of a request waits for the log or wakes a thread; a full queue drops the line and
//! counts it.

use std::fs::File;
use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use super::bank::Cell64;

/// Bytes a worker's queue may hold until the writer comes by.
const QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// One worker's end of the log.
#[derive(Clone, Default)]
pub(crate) struct LogQueue(Arc<Mutex<Vec<u8>>>);

impl LogQueue {
    /// Queues one line (without its end), or counts it as dropped.
    pub(crate) fn push(&self, line: &[u8], dropped: &Cell64) {
        match self.0.try_lock() {
            Ok(mut queue) if queue.len() + line.len() < QUEUE_BYTES_MAX => {
                queue.extend_from_slice(line);
                queue.push(b'\n');
            }
            // The writer swaps the queue out within microseconds; waiting would still be worse than a
            // counted loss.
            Ok(_) | Err(TryLockError::WouldBlock | TryLockError::Poisoned(_)) => dropped.add(1),
        }
    }

    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Writes what the queues hold.
pub(crate) struct LogWriter {
    queues: Vec<LogQueue>,
    file: File,
}

impl LogWriter {
    pub(crate) fn new(queues: Vec<LogQueue>, file: File) -> Self {
        Self { queues, file }
    }

    /// Empties all queues once.
    pub(crate) fn flush(&mut self) {
        for queue in &self.queues {
            let lines = queue.take();
            if !lines.is_empty() {
                // A log that cannot be written must not stop the traffic, and there is nowhere to say so.
                drop(self.file.write_all(&lines));
            }
        }
    }
}
