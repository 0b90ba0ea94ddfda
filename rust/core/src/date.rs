//! Unix time as people and HTTP write it. Calendar arithmetic after Hinnant, "chrono-compatible low-level
//! date algorithms".

/// A moment in UTC.
struct Civil {
    year: u64,
    month: u64,
    day: u64,
    weekday: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

fn civil(unix_s: u64) -> Civil {
    let (days, second) = (unix_s / 86_400, unix_s % 86_400);
    let z = days + 719_468;
    let era = z / 146_097;
    let day_of_era = z % 146_097;
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    Civil {
        year: year_of_era + era * 400 + u64::from(month <= 2),
        month,
        day: day_of_year - (153 * shifted_month + 2) / 5 + 1,
        // The epoch was a Thursday.
        weekday: (days + 4) % 7,
        hour: second / 3600,
        minute: second / 60 % 60,
        second: second % 60,
    }
}

/// `2024-02-29T12:34:56Z` (RFC 3339) of Unix seconds.
pub fn rfc3339(unix_s: u64) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = civil(unix_s);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

/// `2024-02-29T12:34:56.000789Z` (RFC 3339) of Unix seconds and microseconds.
pub fn rfc3339_micros(unix_s: u64, micros: u32) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = civil(unix_s);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Appends `Thu, 29 Feb 2024 12:34:56 GMT` (RFC 9110 §5.6.7) of Unix seconds.
pub fn http_date(out: &mut Vec<u8>, unix_s: u64) {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let moment = civil(unix_s);
    let name = |names: &[&'static str], at: u64| {
        usize::try_from(at).ok().and_then(|at| names.get(at).copied()).unwrap_or_default()
    };
    let two = |out: &mut Vec<u8>, n: u64| {
        for digit in [n / 10 % 10, n % 10] {
            out.push(b'0' + u8::try_from(digit).unwrap_or(0));
        }
    };
    out.extend_from_slice(name(&DAYS, moment.weekday).as_bytes());
    out.extend_from_slice(b", ");
    two(out, moment.day);
    out.push(b' ');
    out.extend_from_slice(name(&MONTHS, moment.month.wrapping_sub(1)).as_bytes());
    out.push(b' ');
    two(out, moment.year / 100);
    two(out, moment.year % 100);
    for (mark, n) in [(b' ', moment.hour), (b':', moment.minute), (b':', moment.second)] {
        out.push(mark);
        two(out, n);
    }
    out.extend_from_slice(b" GMT");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_time_reads_as_a_date() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(rfc3339_micros(1_709_210_096, 789), "2024-02-29T12:34:56.000789Z");
        let mut out = Vec::new();
        http_date(&mut out, 784_111_777);
        assert_eq!(out, b"Sun, 06 Nov 1994 08:49:37 GMT");
    }
}
