//! Virtual keys: what a caller shows, and the hash that is kept instead of it.
//!
//! A key is `sk-edge-` + 32 base62 characters + a base62 checksum; any other non-empty secret works too, so
//! that keys of other systems can be kept. Stored is HMAC-SHA-256 of the whole key under the server's pepper:
//! a stolen table gives no keys, and a look-up by hash leaks nothing about how near a guess was.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// How a key begins that was made by a gateway.
pub const PREFIX: &[u8] = b"sk-edge-";

/// HMAC-SHA-256 of a virtual key.
pub type KeyHash = [u8; 32];

/// The server's secret, absorbed once so that a check costs the key's own blocks only.
#[derive(Clone)]
pub struct Pepper(Hmac<Sha256>);

impl Pepper {
    /// Takes the secret; any length (RFC 2104 hashes a long one first).
    pub fn new(secret: &[u8]) -> Self {
        match Hmac::new_from_slice(secret) {
            Ok(mac) => Self(mac),
            // HMAC takes every key length, so this arm is never taken; an empty key keeps the type total.
            Err(_) => Self(<Hmac<Sha256> as KeyInit>::new(&hmac::digest::Key::<Hmac<Sha256>>::default())),
        }
    }

    /// The hash under which `key` is stored.
    pub fn hash(&self, key: &[u8]) -> KeyHash {
        let mut mac = self.0.clone();
        mac.update(key);
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Pepper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Pepper(***)")
    }
}

/// Compares without an early exit, so that time tells nothing about where two secrets differ.
pub fn equal(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0u8, |acc, (x, y)| acc | (x ^ y)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_hmac_sha256() {
        // RFC 4231 test case 2.
        let hash = Pepper::new(b"Jefe").hash(b"what do ya want for nothing?");
        assert_eq!(hash[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!(hash[28..], [0x64, 0xec, 0x38, 0x43]);
    }

    #[test]
    fn only_equal_secrets_are_equal() {
        assert!(equal(b"abc", b"abc"));
        assert!(!equal(b"abc", b"abd") && !equal(b"abc", b"ab"));
    }
}
