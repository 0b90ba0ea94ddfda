//! Named limits and the request log's setting.

use serde::Deserialize;

use super::SnapshotError;

/// Every bound a client can meet. Each is named in the error that it causes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Request body, in bytes: 413 above.
    pub body_bytes_max: u64,
    /// Request bodies held in memory at one time by the whole process, in bytes: 503 above.
    pub buffered_bytes_max: u64,
    /// Request head (request line and header fields), in bytes: 431 above.
    pub head_bytes_max: u32,
    /// Header fields in a request: 431 above.
    pub headers_max: u16,
    /// Request target, in bytes: 414 above.
    pub target_bytes_max: u32,
    /// Open client connections of the whole process; more are closed at once.
    pub connections_max: u32,
    /// Of these, open ones from one client address (IPv6: one /64); 0 stands for three quarters of them.
    pub connections_per_client_max: u32,
    /// Requests in hand in the whole process; from seven eighths of it on a growing share gets a 503. 0: any
    /// number.
    pub in_flight_max: u32,
    /// How long what is ready may wait for its turn on a worker, in milliseconds, before a growing share of
    /// new requests gets a 503. 0: as long as it takes.
    pub queue_ms_max: u32,
    /// Resident memory of the process, in bytes; from seven eighths of it on a growing share of new requests
    /// gets a 503. 0: any amount.
    pub memory_bytes_max: u64,
    /// From the first byte of a request to the end of its head, in milliseconds.
    pub head_ms: u32,
    /// Without a byte of an announced request body, in milliseconds.
    pub body_progress_ms: u32,
    /// Once `body_progress_ms` have passed, how fast a request body must have come on average, in bytes per
    /// second; 0 stands for no such bound.
    pub body_bytes_per_s_min: u32,
    /// A kept-alive connection without a request, in milliseconds.
    pub idle_ms: u32,
    /// A client that reads nothing of its reply, in milliseconds.
    pub write_stall_ms: u32,
    /// Idle connections kept to one upstream, for each worker.
    pub upstream_idle_max: u32,
    /// How long an idle upstream connection is kept, in milliseconds.
    pub upstream_idle_ms: u32,
    /// Head of an upstream's reply, in bytes: 502 above.
    pub upstream_head_bytes_max: u32,
    /// How old an upstream connection may become before it takes no more requests, in milliseconds.
    pub upstream_age_max_ms: u32,
    /// HTTP/2 connections to one upstream, for each worker.
    pub upstream_http2_connections_max: u32,
    /// Silence on an HTTP/2 upstream connection with open streams before it is pinged, in milliseconds; one
    /// that stays silent for as long again is given up. 0: no pings.
    pub upstream_ping_ms: u32,
    /// How long the addresses of an upstream's name are used before they are asked for again, in
    /// milliseconds.
    pub dns_ttl_ms: u32,
    /// One event of an upstream's stream as it comes, in bytes: the stream is broken off above.
    pub event_bytes_max: u32,
}

impl Limits {
    pub(super) fn check(&self) -> Result<(), SnapshotError> {
        if self.body_bytes_max > u64::from(u32::MAX / 2) {
            return Err(SnapshotError::at("limits.body_bytes_max", "must be below 2 GiB"));
        }
        if self.headers_max > 1000 {
            return Err(SnapshotError::at("limits.headers_max", "must be at most 1000"));
        }
        for (name, value) in [
            ("head_ms", self.head_ms),
            ("body_progress_ms", self.body_progress_ms),
            ("idle_ms", self.idle_ms),
            ("write_stall_ms", self.write_stall_ms),
            ("connections_max", self.connections_max),
            ("head_bytes_max", self.head_bytes_max),
            ("upstream_age_max_ms", self.upstream_age_max_ms),
            ("upstream_http2_connections_max", self.upstream_http2_connections_max),
            ("dns_ttl_ms", self.dns_ttl_ms),
            ("event_bytes_max", self.event_bytes_max),
        ] {
            if value == 0 {
                return Err(SnapshotError::at(format!("limits.{name}"), "must be above 0"));
            }
        }
        Ok(())
    }
}

/// Which requests get a line on the request log. Errors always do, unless the log is off.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestLog {
    /// Off, sampled or all.
    pub mode: RequestLogMode,
    /// With `sampled`: one successful request in this many.
    pub sample_every: u32,
}

/// See [`RequestLog`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestLogMode {
    /// Only errors.
    Off,
    /// Errors and one in `sample_every` of the others.
    Sampled,
    /// Every request.
    All,
}
