//! The directory: key hash → principal, for up to millions of keys, read without a lock by its holder.
//!
//! The engine publishes a whole [`Directory`] behind one atomic pointer; a reader holds it for one look-up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::Arc;

use serde::Deserialize;

use crate::principal::Principal;
use crate::principal::virtual_key::KeyHash;

/// Principals by the hash of their key.
#[derive(Debug, Default)]
pub struct Directory {
    by_hash: HashMap<KeyHash, Arc<Principal>, BuildHasherDefault<FirstBytes>>,
}

/// The keys are keyed-hash output already: eight of their bytes are as good as hashing them again.
#[derive(Default, Debug)]
pub struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for (at, byte) in bytes.iter().take(8).enumerate() {
            self.0 ^= u64::from(*byte) << (8 * at);
        }
    }

    // The array's length prefix says nothing.
    fn write_usize(&mut self, _: usize) {}
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    hash: String,
    name: String,
    models: Vec<String>,
}

impl Directory {
    /// Reads the JSON array of `{"hash", "name", "models"}` that Python compiles.
    ///
    /// # Errors
    /// A message with the index of the entry at fault: bad JSON, a hash that is not 64 hex digits, two
    /// entries with one hash.
    pub fn parse(json: &[u8]) -> Result<Self, String> {
        let entries: Vec<Entry> = serde_json::from_slice(json).map_err(|e| format!("principals: {e}"))?;
        let mut by_hash = HashMap::with_capacity_and_hasher(entries.len(), BuildHasherDefault::default());
        for (at, entry) in entries.into_iter().enumerate() {
            let hash = from_hex(&entry.hash)
                .ok_or_else(|| format!("principals[{at}].hash: is not 64 hexadecimal digits"))?;
            let principal = Principal { name: entry.name, scope: hash.to_vec(), models: entry.models };
            if let Some(other) = by_hash.insert(hash, Arc::new(principal)) {
                return Err(format!("principals[{at}].hash: is also the hash of `{}`", other.name));
            }
        }
        Ok(Self { by_hash })
    }

    /// The principal whose key has this hash.
    pub fn find(&self, hash: &KeyHash) -> Option<&Arc<Principal>> {
        self.by_hash.get(hash)
    }

    /// Number of principals.
    pub fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_hash.is_empty()
    }
}

fn from_hex(text: &str) -> Option<KeyHash> {
    let mut hash = [0u8; 32];
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(hash)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_principal_is_found_by_its_hash_only() {
        let json = format!(r#"[{{"hash":"{}","name":"app","models":["*"]}}]"#, "ab".repeat(32));
        let directory = Directory::parse(json.as_bytes()).unwrap();
        assert_eq!(directory.find(&[0xab; 32]).unwrap().name, "app");
        assert!(directory.find(&[0xac; 32]).is_none());
    }

    #[test]
    fn a_short_or_repeated_hash_is_refused() {
        assert!(Directory::parse(br#"[{"hash":"ab","name":"a","models":[]}]"#).is_err());
        let entry = format!(r#"{{"hash":"{}","name":"a","models":[]}}"#, "0f".repeat(32));
        assert!(Directory::parse(format!("[{entry},{entry}]").as_bytes()).is_err());
    }
}
