//! What is counted and written down about requests.

pub(crate) mod bank;
pub(crate) mod line;
pub(crate) mod metrics;
pub(crate) mod notice;
pub(crate) mod request_log;
