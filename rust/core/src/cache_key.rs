//! The key of the exact cache: equal keys must mean equal meaning, for one caller's scope.
//!
//! A key is the parts themselves, each behind its length, so that no part can pose as the border between two
//! others. It is compared byte for byte: no collision can be crafted, because there is no hash to collide in.
//! Only where the parts are long does their keyed BLAKE3 stand for them, under a random key of the process.

use crate::span::Span;

/// Parts longer than this together are told by their hash.
pub const PLAIN_BYTES_MAX: usize = 8 * 1024;

const PLAIN: u8 = 0;
const HASHED: u8 = 1;

/// Builds a key part by part, in a buffer of the caller's.
pub struct CacheKeyBuilder<'a> {
    secret: &'a [u8; 32],
    key: &'a mut Vec<u8>,
    hasher: Option<Box<blake3::Hasher>>,
}

impl<'a> CacheKeyBuilder<'a> {
    /// Starts a key in `buffer`, which is cleared; `secret` is the process's random key.
    pub fn new(secret: &'a [u8; 32], buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        buffer.push(PLAIN);
        Self { secret, key: buffer, hasher: None }
    }

    /// Adds one part.
    pub fn part(&mut self, bytes: &[u8]) {
        self.key.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        if self.hasher.is_none() && self.key.len() + bytes.len() <= PLAIN_BYTES_MAX {
            self.key.extend_from_slice(bytes);
            return;
        }
        let hasher = self.hasher.get_or_insert_with(|| Box::new(blake3::Hasher::new_keyed(self.secret)));
        hasher.update(self.key).update(bytes);
        self.key.clear();
    }

    /// Adds one part that must not be kept in clear: the keyed hash of `parts` stands for it.
    pub fn secret_part<'b>(&mut self, parts: impl Iterator<Item = &'b [u8]>) {
        let mut hasher = blake3::Hasher::new_keyed(self.secret);
        for part in parts {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
        }
        self.part(hasher.finalize().as_bytes());
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

    /// Ends the key, which is then in the buffer.
    pub fn finish(self) {
        if let Some(mut hasher) = self.hasher {
            hasher.update(self.key);
            self.key.clear();
            self.key.push(HASHED);
            self.key.extend_from_slice(hasher.finalize().as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(parts: &[&[u8]]) -> Vec<u8> {
        let mut key = Vec::new();
        let mut builder = CacheKeyBuilder::new(&[7; 32], &mut key);
        for part in parts {
            builder.part(part);
        }
        builder.finish();
        key
    }

    #[test]
    fn moving_a_byte_over_a_border_changes_the_key() {
        assert_ne!(key(&[b"ab", b"c"]), key(&[b"a", b"bc"]));
        assert_ne!(key(&[b"ab", b""]), key(&[b"ab"]));
    }

    #[test]
    fn a_long_part_counts_like_a_short_one() {
        let long = vec![b'x'; PLAIN_BYTES_MAX + 1];
        assert_ne!(key(&[&long, b"a"]), key(&[&long, b"b"]));
        assert_ne!(key(&[b"a", &long]), key(&[b"b", &long]));
        assert_eq!(key(&[b"a", &long, b"b"]), key(&[b"a", &long, b"b"]));
        assert_eq!(key(&[&long]).len(), 33);
    }

    #[test]
    fn a_secret_counts_and_cannot_be_read() {
        let with = |secret: &[&[u8]]| {
            let mut key = Vec::new();
            let mut builder = CacheKeyBuilder::new(&[7; 32], &mut key);
            builder.secret_part(secret.iter().copied());
            builder.finish();
            key
        };
        assert_eq!(with(&[b"Bearer sk-1"]), with(&[b"Bearer sk-1"]));
        assert_ne!(with(&[b"Bearer sk-1"]), with(&[b"Bearer sk-2"]));
        assert_ne!(with(&[b"ab", b"c"]), with(&[b"a", b"bc"]));
        assert!(!with(&[b"Bearer sk-1"]).windows(4).any(|bytes| bytes == b"sk-1"));
    }

    #[test]
    fn what_a_hole_hides_does_not_matter_and_all_else_does() {
        let with = |body: &[u8], hole: Span| {
            let mut key = Vec::new();
            let mut builder = CacheKeyBuilder::new(&[7; 32], &mut key);
            builder.body(body, [hole].into_iter());
            builder.finish();
            key
        };
        assert_eq!(with(b"aXXb", Span::new(1, 3)), with(b"aYb", Span::new(1, 2)));
        assert_ne!(with(b"aXXb", Span::new(1, 3)), with(b"aXXc", Span::new(1, 3)));
    }
}
