//! A line of the log about something other than a request.

use std::time::{SystemTime, UNIX_EPOCH};

use super::line::Line;
use crate::worker::Worker;

/// Writes one; `warns` where somebody should look.
pub(crate) fn write(worker: &Worker, warns: bool, event: &str, fields: impl FnOnce(&mut Line<'_>)) {
    let at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut bytes = worker.buffers.take();
    let mut line = Line::begin(&mut bytes, at, if warns { "warning" } else { "info" }, event);
    fields(&mut line);
    line.end();
    worker.log.push(&bytes, &worker.bank.worker.log_dropped);
    worker.buffers.give(bytes);
}
