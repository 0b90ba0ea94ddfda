//! Authenticate: key → principal.
//!
//! The key's hash is looked up in the directory. A connection remembers its last good key, so that a
//! kept-alive client costs one comparison in constant time instead of a hash; a change of the directory
//! makes it forget.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use llm_edge_core::http1::Known;
use llm_edge_core::percent::decode_once;
use llm_edge_core::principal::Principal;
use llm_edge_core::principal::virtual_key::equal;
use llm_edge_core::rejection::{Code, Rejection};

use super::head::Head;
use crate::exchange::Exchange;
use crate::fail_points::fail_point;

/// A key that was good on this connection.
pub(crate) struct Remembered {
    key: Vec<u8>,
    principal: Arc<Principal>,
    version: u64,
}

/// Fields a key may come in: `OpenAI`'s, Anthropic's, Azure's, Google's, and [`OWN`].
const FIELDS: [Known; 5] =
    [Known::Authorization, Known::XApiKey, Known::ApiKey, Known::XGoogApiKey, Known::Edge];

/// The field for a key beside a provider's credential, which needs the others.
const OWN: &[u8] = b"x-llm-edge-key";

/// Recognises the caller.
///
/// # Errors
/// 401 when keys are required and none that is known was sent.
pub(crate) fn run(x: &mut Exchange, head: &Head) -> Result<Arc<Principal>, Rejection> {
    fail_point!("authenticate");
    if !x.loaded.snapshot.keys_required {
        let anonymous = Arc::clone(&x.worker.anonymous);
        x.facts.principal = Some(Arc::clone(&anonymous));
        return Ok(anonymous);
    }
    let mut seen = false;
    for field in &x.request.fields {
        if !FIELDS.contains(&field.known) {
            continue;
        }
        if field.known == Known::Edge && !field.name.of(&x.input).eq_ignore_ascii_case(OWN) {
            continue;
        }
        let value = field.value.of(&x.input);
        let key = if field.known == Known::Authorization { bearer(value) } else { Some(value) };
        let Some(key) = key.filter(|key| !key.is_empty()) else { continue };
        seen = true;
        if let Some(principal) = find(x, key) {
            x.facts.principal = Some(Arc::clone(&principal));
            return Ok(principal);
        }
    }
    // Google's clients may put it into the address.
    if let Some(key) = head.query_key().and_then(|key| decode_once(key.of(&x.input))) {
        seen = true;
        if let Some(principal) = find(x, key.as_bytes()) {
            x.facts.principal = Some(Arc::clone(&principal));
            return Ok(principal);
        }
    }
    Err(Rejection::new(
        Code::InvalidKey,
        if seen {
            "this API key is not known here. hint: use a key made by `llm-edge-agent keys create`, not a provider's; beside a provider's, as `x-llm-edge-key: …`"
        } else {
            "no API key was sent. hint: send one as `Authorization: Bearer …` or `x-api-key: …`"
        },
    ))
}

fn find(x: &Exchange, key: &[u8]) -> Option<Arc<Principal>> {
    let shared = &x.worker.shared;
    let version = shared.directory_version.load(Ordering::Acquire);
    let memory = x.client.remembered();
    if let Some(known) = &*memory.borrow()
        && known.version == version
        && equal(&known.key, key)
    {
        return Some(Arc::clone(&known.principal));
    }
    let hash = shared.pepper.hash(key);
    let principal = Arc::clone(shared.directory.load().find(&hash)?);
    *memory.borrow_mut() = Some(Remembered { key: key.to_vec(), principal: Arc::clone(&principal), version });
    Some(principal)
}

/// The token of `Bearer <token>`; the scheme's case does not matter (RFC 9110 §11.1).
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(7)?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_bearer_token_is_a_key() {
        assert_eq!(bearer(b"Bearer sk-1"), Some(&b"sk-1"[..]));
        assert_eq!(bearer(b"bearer  sk-1"), Some(&b"sk-1"[..]));
        assert_eq!(bearer(b"Basic c2s="), None);
        assert_eq!(bearer(b"sk-1"), None);
    }
}
