//! Dates of the Gregorian calendar.

/// A moment in UTC, taken apart.
pub(crate) struct Moment {
    pub(crate) year: u64,
    /// January is 1.
    pub(crate) month: u64,
    pub(crate) day: u64,
    /// Thursday, the first of January 1970, is 0.
    pub(crate) weekday: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

impl Moment {
    /// So many seconds since 1970. Source: Howard Hinnant, "chrono-compatible low-level date algorithms"
    /// (`civil_from_days`), whose years begin in March, so that the leap day is the last.
    pub(crate) fn of(unix_s: u64) -> Self {
        let (days, second) = (unix_s / 86_400, unix_s % 86_400);
        let since = days + 719_468;
        let (era, of_era) = (since / 146_097, since % 146_097);
        let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * of_year + 2) / 153;
        let month = (from_march + 2) % 12 + 1;
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: of_year - (153 * from_march + 2) / 5 + 1,
            weekday: days % 7,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }
}
