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

/// `20240229T123456Z` (ISO 8601, basic format) of Unix seconds.
pub fn iso8601_basic(unix_s: u64) -> String {
    let Civil { year, month, day, hour, minute, second, .. } = civil(unix_s);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z")
}

/// Appends `Thu, 29 Feb 2024 12:34:56 GMT` (RFC 9110 §5.6.7) of Unix seconds.
pub fn http_date(out: &mut Vec<u8>, unix_s: u64) {
    const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
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

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Unix seconds of a date in one of the three forms that a recipient must understand (RFC 9110 §5.6.7); the
/// name of the weekday is not looked at. `None` for anything else, and for moments before 1970.
pub fn parse_http_date(text: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(text).ok()?;
    let mut words = text.split([' ', '-', ',']).filter(|word| !word.is_empty());
    let weekday = words.next()?;
    let second = words.next()?;
    let (day, month, year, clock) = if let Some(month) = month(second) {
        // asctime: Sun Nov  6 08:49:37 1994
        let (day, clock) = (words.next()?, words.next()?);
        (day, month, words.next()?, clock)
    } else {
        let (month, year, clock) = (month(words.next()?)?, words.next()?, words.next()?);
        if words.next()? != "GMT" {
            return None;
        }
        (second, month, year, clock)
    };
    if words.next().is_some() || !weekday.bytes().all(|b| b.is_ascii_alphabetic()) {
        return None;
    }
    let year = match (year.len(), number(year)?) {
        (4, year) => year,
        // RFC 850 has two digits: the century that makes it nearest, for some decades to come.
        (2, year) if year < 70 => 2000 + year,
        (2, year) => 1900 + year,
        _ => return None,
    };
    let mut clock = clock.split(':');
    let (hour, minute, second) = (number(clock.next()?)?, number(clock.next()?)?, number(clock.next()?)?);
    let day = number(day)?;
    if clock.next().is_some() || hour > 23 || minute > 59 || second > 60 || !(1..=31).contains(&day) {
        return None;
    }
    let days = days(year, month, day)?;
    Some(days * 86_400 + hour * 3_600 + minute * 60 + second)
}

fn month(name: &str) -> Option<u64> {
    MONTHS.iter().zip(1..).find(|(known, _)| **known == name).map(|(_, at)| at)
}

fn number(text: &str) -> Option<u64> {
    let short = (1..=4).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    short.then(|| text.parse().ok())?
}

/// Days since 1970-01-01.
fn days(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year.checked_sub(1)? } else { year };
    let era = year / 400;
    let year_of_era = year % 400;
    let shifted_month = (month + 9) % 12;
    let day_of_year = (153 * shifted_month + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unix_time_reads_as_a_date() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_709_210_096), "2024-02-29T12:34:56Z");
        assert_eq!(iso8601_basic(1_709_210_096), "20240229T123456Z");
        assert_eq!(rfc3339_micros(1_709_210_096, 789), "2024-02-29T12:34:56.000789Z");
        let mut out = Vec::new();
        http_date(&mut out, 784_111_777);
        assert_eq!(out, b"Sun, 06 Nov 1994 08:49:37 GMT");
    }

    #[test]
    fn a_date_that_was_written_can_be_read() {
        for unix_s in [0, 784_111_777, 1_709_210_096, 951_782_400, 4_102_444_799] {
            let mut out = Vec::new();
            http_date(&mut out, unix_s);
            assert_eq!(parse_http_date(&out), Some(unix_s));
        }
    }

    #[test]
    fn what_is_no_date_is_not_read() {
        for text in [
            "",
            "Sun",
            "Sun, 06 Nov 1994",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 32 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 24:49:37 GMT",
            "Sun, 06 Nov 94 8:49 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT x",
            "Wed, 31 Dec 1969 23:59:59 GMT",
            "1, 06 Nov 1994 08:49:37 GMT",
        ] {
            assert_eq!(parse_http_date(text.as_bytes()), None, "{text}");
        }
    }
}
