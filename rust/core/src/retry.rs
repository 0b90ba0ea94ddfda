//! What may be tried again, where, when, and how often.
//!
//! Invariant: nothing here can make an attempt happen after a byte of a reply has gone to the client; it is
//! asked before. A request is sent again only where the upstream said that it did not do it (a refusal of the
//! tables in [`crate::dialect`]), or where no byte of it was written (RFC 9110 §9.2.2).

use serde::Deserialize;

use crate::date;

/// What to do with a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is the reply: pass it on.
    Relay,
    /// The same place may say yes later, another one at once.
    Retry,
    /// Asking the same place with the same credential again is useless.
    Elsewhere,
}

/// A status by which an upstream says that it did not do what was asked.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// A word of the body that tells this row from the next of the same status. Where what the client has written may
    /// come back in the error, it has a quote at an end: one in a message is escaped.
    pub marker: Option<&'static str>,
    /// What to do.
    pub disposition: Disposition,
}

/// The row of `refusals` for a reply; `body` is as much of it as has come.
pub fn disposition(refusals: &[Refusal], status: u16, body: &[u8]) -> Disposition {
    let fits = |row: &&Refusal| {
        row.status == status
            && row.marker.is_none_or(|marker| memchr::memmem::find(body, marker.as_bytes()).is_some())
    };
    refusals.iter().find(fits).map_or(Disposition::Relay, |row| row.disposition)
}

/// Whether `status` is the upstream's fault, and not the request's or the credential's.
pub fn is_upstreams_fault(status: u16) -> bool {
    status >= 500
}

/// Whether a refusal is about the credential (not valid, not paid, not allowed, or used too much): another one might
/// not have met it.
pub fn is_of_credential(status: u16, disposition: Disposition) -> bool {
    match disposition {
        // What some do not want to read comes with 403 as well: no caller may lay to rest what others need.
        Disposition::Relay => false,
        Disposition::Retry => status == 429,
        // A request that is too large for what the account may take in a minute: smaller ones are not.
        Disposition::Elsewhere => status != 413,
    }
}

/// How a route tries again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// Requests sent for one of a client's, at most; 1 stands for no retry.
    pub attempts_max: u32,
    /// First pause before the same place is asked again, in milliseconds; doubles each time.
    pub backoff_ms: u32,
    /// Longest pause of our own, in milliseconds.
    pub backoff_max_ms: u32,
    /// Longest `Retry-After` that is waited for, in milliseconds; a longer one is passed on.
    pub retry_after_max_ms: u32,
    /// Requests sent again, in percent of those that came.
    pub budget_percent: u32,
    /// How long a refused credential rests where the upstream does not say, in milliseconds.
    pub cooldown_ms: u32,
}

impl Policy {
    /// The pause before retry number `retry` (from 0) of the same place: half of it fixed, half random, so that
    /// clients refused together do not come back together.
    pub fn backoff_ms(&self, retry: u32, random: u64) -> u32 {
        let whole = self.backoff_ms.saturating_mul(1 << retry.min(20)).min(self.backoff_max_ms);
        let half = u64::from(whole / 2);
        let extra = (u128::from(random) * u128::from(half + 1)) >> 64;
        (whole - whole / 2).saturating_add(u32::try_from(extra).unwrap_or(0))
    }
}

/// Milliseconds from `Retry-After` in seconds (a fraction is understood) or as a date, or from `Retry-After-Ms`.
/// A date that has passed is 0; what cannot be read is `None`.
pub fn retry_after_ms(value: &[u8], is_ms: bool, now_unix_s: u64) -> Option<u64> {
    let text = value.trim_ascii();
    if text.first()?.is_ascii_digit() {
        let whole = memchr::memchr(b'.', text).unwrap_or(text.len());
        return if is_ms { digits(text.get(..whole)?) } else { seconds(text) };
    }
    let at = date::parse_http_date(text)?;
    (!is_ms).then(|| at.saturating_sub(now_unix_s).saturating_mul(1000))
}

/// With its quotes: those of a message are escaped, so that nothing a client has written and gets back is taken for it.
const RETRY_DELAY: &[u8] = b"\"retryDelay\"";

/// Milliseconds from the `RetryInfo` of an error of Google's (`"retryDelay": "39.5s"`, a `google.protobuf.Duration`),
/// in as much of it as has come. The first counts; one that cannot be read is `None`.
pub fn retry_delay_ms(body: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(body, RETRY_DELAY)? + RETRY_DELAY.len();
    let text =
        body.get(at..)?.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let text = text.get(..memchr::memchr(b'"', text)?)?;
    seconds(text.strip_suffix(b"s")?)
}

/// Milliseconds of decimal seconds.
fn seconds(text: &[u8]) -> Option<u64> {
    text.first().filter(|first| first.is_ascii_digit())?;
    let point = memchr::memchr(b'.', text).unwrap_or(text.len());
    let mut ms = digits(text.get(..point)?)?.saturating_mul(1000);
    let fraction = text.get(point + 1..).unwrap_or_default();
    for (digit, unit) in fraction.iter().zip([100, 10, 1]) {
        ms = ms.saturating_add(u64::from(digit.is_ascii_digit().then(|| digit - b'0')?) * unit);
    }
    Some(ms)
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter().try_fold(0u64, |n, digit| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        Some(n.saturating_mul(10).saturating_add(u64::from(digit)))
    })
}

/// Whole tries that a budget begins with: what a quiet route may spend at once.
const BURST: u32 = 10;

/// Requests whose earnings a budget keeps on top: what a busy route may spend at once.
const KEPT: u32 = 100;

/// How many more tries the traffic has earned: each request earns a share of one, each extra try spends one.
/// So extra tries stay below a share of the traffic, however long an upstream is down.
///
/// Each worker has its own, so that nothing of it is shared between threads: what they earn and spend adds up, and the
/// share holds for the sum as it does for each.
#[derive(Debug)]
pub struct Budget {
    /// Hundredths of a try.
    balance: u32,
    percent: u32,
}

impl Budget {
    /// A budget that earns `percent` of a try with each request; 0 never allows any.
    pub fn new(percent: u32) -> Self {
        Self { balance: if percent == 0 { 0 } else { BURST * 100 }, percent }
    }

    /// A request came.
    pub fn earn(&mut self) {
        let full = (BURST * 100).saturating_add(self.percent.saturating_mul(KEPT));
        self.balance = self.balance.saturating_add(self.percent).min(full);
    }

    /// Takes an extra try, if there is one.
    pub fn spend(&mut self) -> bool {
        let left = self.balance.checked_sub(100).filter(|_| self.percent > 0);
        self.balance = left.unwrap_or(self.balance);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: Policy = Policy {
        attempts_max: 3,
        backoff_ms: 100,
        backoff_max_ms: 1_000,
        retry_after_max_ms: 10_000,
        budget_percent: 10,
        cooldown_ms: 30_000,
    };

    #[test]
    fn pauses_double_to_their_cap_and_half_of_each_is_random() {
        for (retry, whole) in [(0, 100), (1, 200), (2, 400), (3, 800), (4, 1_000), (63, 1_000)] {
            assert_eq!(POLICY.backoff_ms(retry, 0), whole / 2);
            assert_eq!(POLICY.backoff_ms(retry, u64::MAX), whole);
        }
    }

    #[test]
    fn retry_after_is_read_in_every_form_it_has() {
        let now = 784_111_777;
        for (value, ms) in [
            (&b"0"[..], Some(0)),
            (b" 12 ", Some(12_000)),
            (b"1.5", Some(1_500)),
            (b"0.0625", Some(62)),
            (b"Sun, 06 Nov 1994 08:49:40 GMT", Some(3_000)),
            (b"Sunday, 06-Nov-94 08:49:40 GMT", Some(3_000)),
            (b"Sun Nov  6 08:49:40 1994", Some(3_000)),
            (b"Sun, 06 Nov 1994 08:49:37 GMT", Some(0)),
            (b"Sun, 06 Nov 1993 08:49:37 GMT", Some(0)),
            (b"99999999999999999999999", Some(u64::MAX)),
            (b"", None),
            (b"-1", None),
            (b"1s", None),
            (b"1.x", None),
            (b"soon", None),
        ] {
            assert_eq!(retry_after_ms(value, false, now), ms, "{}", value.escape_ascii());
        }
        assert_eq!(retry_after_ms(b"250", true, now), Some(250));
        assert_eq!(retry_after_ms(b"Sun, 06 Nov 1994 08:49:40 GMT", true, now), None);
    }

    #[test]
    fn a_retry_delay_is_read_wherever_it_stands() {
        let told = |delay: &str| {
            let body = format!(
                r#"{{"error": {{"code": 429, "message": "Please retry in 1s. \"retryDelay\": \"2s\"", "details": [
                    {{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": {delay}}}]}}}}"#
            );
            retry_delay_ms(body.as_bytes())
        };
        for (delay, ms) in [
            (r#""39s""#, Some(39_000)),
            (r#""39.5s""#, Some(39_500)),
            (r#""45.837906927s""#, Some(45_837)),
            (r#""0s""#, Some(0)),
            (r#""0.0005s""#, Some(0)),
            (r#""315576000000s""#, Some(315_576_000_000_000)),
            (r#""99999999999999999999s""#, Some(u64::MAX)),
            (r#""s""#, None),
            (r#""-1s""#, None),
            (r#"".5s""#, None),
            (r#""39""#, None),
            (r#""39ms""#, None),
            (r#""1.xs""#, None),
            ("39", None),
            ("null", None),
            (r#"{"seconds": 39}"#, None),
        ] {
            assert_eq!(told(delay), ms, "{delay}");
        }
        assert_eq!(retry_delay_ms(br#"{"retryDelay":"7s"}"#), Some(7_000));
    }

    #[test]
    fn a_retry_delay_that_is_cut_off_is_none() {
        let body = br#"{"details":[{"retryDelay" : "39s"}]}"#;
        let whole = body.len() - 4;
        for cut in 0..=whole {
            assert_eq!(retry_delay_ms(&body[..cut]), None, "cut at {cut}");
        }
        assert_eq!(retry_delay_ms(body), Some(39_000));
    }

    #[test]
    fn a_credential_is_to_blame_for_what_is_not_about_the_request() {
        use Disposition::{Elsewhere, Relay, Retry};
        for (status, disposition, is) in [
            (401, Elsewhere, true),
            (400, Elsewhere, true),
            (412, Elsewhere, true),
            (429, Elsewhere, true),
            (429, Retry, true),
            (413, Elsewhere, false),
            (503, Retry, false),
            (498, Retry, false),
            (403, Relay, false),
            (500, Relay, false),
        ] {
            assert_eq!(is_of_credential(status, disposition), is, "{status} {disposition:?}");
        }
    }

    #[test]
    fn extra_tries_stay_below_their_share_of_the_traffic() {
        let mut budget = Budget::new(10);
        let granted = (0..10_000)
            .filter(|_| {
                budget.earn();
                budget.spend()
            })
            .count();
        assert!((1_000..=1_010).contains(&granted), "{granted}");
        assert!(!Budget::new(0).spend());
    }

    #[test]
    fn what_came_before_a_failure_is_kept_up_to_a_bound() {
        let mut budget = Budget::new(10);
        (0..10_000).for_each(|_| budget.earn());
        assert_eq!((0..100).filter(|_| budget.spend()).count(), 20);
    }

    #[test]
    fn a_marker_tells_two_refusals_of_one_status_apart() {
        let rows = [
            Refusal { status: 429, marker: Some("insufficient_quota"), disposition: Disposition::Elsewhere },
            Refusal { status: 429, marker: None, disposition: Disposition::Retry },
        ];
        assert_eq!(disposition(&rows, 429, b"{\"code\":\"insufficient_quota\"}"), Disposition::Elsewhere);
        assert_eq!(disposition(&rows, 429, b"{}"), Disposition::Retry);
        assert_eq!(disposition(&rows, 500, b"{}"), Disposition::Relay);
    }
}
