//! The key of the exact cache: equal keys must mean equal meaning, for one caller's scope.
//!
//! Keyed BLAKE3 over length-prefixed parts, so that no part can pose as the border between two others and
//! nobody can craft a collision without the process's random key.

use crate::span::Span;

/// Identifies a reply in the exact cache.
pub type CacheKey = [u8; 32];

/// Parts are put together up to this many bytes before they are hashed: one long update costs less than many
/// short ones.
const GATHER_BYTES_MAX: usize = 8 * 1024;

/// Builds a [`CacheKey`] part by part.
pub struct CacheKeyBuilder<'a> {
    hasher: blake3::Hasher,
    gathered: &'a mut Vec<u8>,
}

impl<'a> CacheKeyBuilder<'a> {
    /// Starts with the process's random key; `scratch` is cleared and used for small parts.
    pub fn new(secret: &[u8; 32], scratch: &'a mut Vec<u8>) -> Self {
        scratch.clear();
        Self { hasher: blake3::Hasher::new_keyed(secret), gathered: scratch }
    }

    /// Adds one part.
    pub fn part(&mut self, bytes: &[u8]) {
        self.gathered.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        if self.gathered.len() + bytes.len() <= GATHER_BYTES_MAX {
            self.gathered.extend_from_slice(bytes);
        } else {
            self.flush();
            self.hasher.update(bytes);
        }
    }

    /// Adds the body as one part, leaving out `holes` (ascending, not overlapping).
    pub fn body(&mut self, body: &[u8], holes: impl Iterator<Item = Span>) {
        let mut from = 0;
        for hole in holes {
            self.part(body.get(from..hole.start as usize).unwrap_or_default());
            from = hole.end as usize;
        }
        self.part(body.get(from..).unwrap_or_default());
    }

    /// The key.
    pub fn finish(mut self) -> CacheKey {
        self.flush();
        self.hasher.finalize().into()
    }

    fn flush(&mut self) {
        self.hasher.update(self.gathered);
        self.gathered.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[&[u8]]) -> CacheKey {
        let mut scratch = Vec::new();
        let mut builder = CacheKeyBuilder::new(&[7; 32], &mut scratch);
        for part in parts {
            builder.part(part);
        }
        builder.finish()
    }

    #[test]
    fn moving_a_byte_over_a_border_changes_the_key() {
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
        assert_ne!(key(&[b"ab", b""]), key(&[b"ab"]));
    }

    #[test]
    fn a_long_part_counts_like_a_short_one() {
        let long = vec![b'x'; GATHER_BYTES_MAX + 1];
        assert_ne!(key(&[&long, b"a"]), key(&[&long, b"b"]));
        assert_ne!(key(&[b"a", &long]), key(&[b"b", &long]));
        assert_eq!(key(&[b"a", &long, b"b"]), key(&[b"a", &long, b"b"]));
    }

    #[test]
    fn what_a_hole_hides_does_not_matter_and_all_else_does() {
        let with = |body: &[u8], hole: Span| {
            let mut scratch = Vec::new();
            let mut builder = CacheKeyBuilder::new(&[7; 32], &mut scratch);
            builder.body(body, [hole].into_iter());
            builder.finish()
        };
        assert_eq!(with(b"aXXb", Span::new(1, 3)), with(b"aYb", Span::new(1, 2)));
        assert_ne!(with(b"aXXb", Span::new(1, 3)), with(b"aXXc", Span::new(1, 3)));
    }
}
