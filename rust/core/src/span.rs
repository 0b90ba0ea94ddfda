//! Places in a byte buffer, small enough to keep by the hundred.

/// Half-open byte range `start..end` in a buffer that the holder knows. Offsets are 32 bit: no buffer here
/// may grow past the limits in [`crate::snapshot::Limits`], which are checked to stay below 4 GiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

impl Span {
    /// A span from `usize` offsets; offsets past `u32::MAX` saturate, which yields empty look-ups.
    pub fn new(start: usize, end: usize) -> Self {
        Self { start: u32::try_from(start).unwrap_or(u32::MAX), end: u32::try_from(end).unwrap_or(u32::MAX) }
    }

    /// Where `part`, a slice of `buf`, lies in it; empty where it is of something else.
    pub fn within(part: &[u8], buf: &[u8]) -> Self {
        match part.as_ptr().addr().checked_sub(buf.as_ptr().addr()) {
            Some(start) if start + part.len() <= buf.len() => Self::new(start, start + part.len()),
            _ => Self::default(),
        }
    }

    /// The bytes this span names in `buf`; empty when it does not lie inside.
    #[inline]
    pub fn of(self, buf: &[u8]) -> &[u8] {
        buf.get(self.start as usize..self.end as usize).unwrap_or_default()
    }

    /// Number of bytes.
    #[inline]
    pub fn len(self) -> usize {
        self.end.saturating_sub(self.start) as usize
    }

    /// Whether no byte is named.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.end <= self.start
    }

    /// The same span, `by` bytes further on.
    #[must_use]
    pub fn shifted(self, by: usize) -> Self {
        Self::new(self.start as usize + by, self.end as usize + by)
    }
}
