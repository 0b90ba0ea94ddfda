//! The key of the exact cache: equal keys must mean equal meaning, for one caller's scope.
//!
//! Keyed BLAKE3 over length-prefixed parts, so that no part can pose as the border between two others and
//! nobody can craft a collision without the process's random key.

use crate::span::Span;

/// Identifies a reply in the exact cache.
pub type CacheKey = [u8; 32];

/// Builds a [`CacheKey`] part by part.
pub struct CacheKeyBuilder(blake3::Hasher);

impl CacheKeyBuilder {
    /// Starts with the process's random key.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(blake3::Hasher::new_keyed(secret))
    }

    /// Adds one part.
    pub fn part(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
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
    pub fn finish(&self) -> CacheKey {
        self.0.finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[&[u8]]) -> CacheKey {
        let mut builder = CacheKeyBuilder::new(&[7; 32]);
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
    fn what_a_hole_hides_does_not_matter_and_all_else_does() {
        let with = |body: &[u8], hole: Span| {
            let mut builder = CacheKeyBuilder::new(&[7; 32]);
            builder.body(body, [hole].into_iter());
            builder.finish()
        };
        assert_eq!(with(b"aXXb", Span::new(1, 3)), with(b"aYb", Span::new(1, 2)));
        assert_ne!(with(b"aXXb", Span::new(1, 3)), with(b"aXXc", Span::new(1, 3)));
    }
}
