//! The caller's own credential, where a route passes it on to a provider.
//!
//! It is what is left of the fields that say who calls, once the gateway's own keys are taken out of them.
//! Invariants: it goes to the one provider that the route names, whichever place is asked; no key of the
//! gateway is ever part of it; it is never written down, not even in the key of a cache.

use llm_edge_core::cache_key::CacheKeyBuilder;
use llm_edge_core::http1::Known;
use llm_edge_core::percent::decode_once;
use llm_edge_core::principal::virtual_key::PREFIX;
use llm_edge_core::rejection::{Code, Rejection};
use llm_edge_core::surface::Operation;

use crate::exchange::State;
use crate::loaded::LoadedProvider;

/// Fields that a provider's credential may come in.
const FIELDS: [Known; 4] = [Known::Authorization, Known::XApiKey, Known::ApiKey, Known::XGoogApiKey];

/// One bit for each of some [`Known`].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Fields(u64);

impl Fields {
    /// `Authorization`, which every provider may be shown, and the fields of this name too.
    pub(crate) fn that_carry_credentials<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut fields = Self::default();
        fields.add(Known::Authorization);
        for name in names {
            let known = Known::of(name.as_bytes());
            if FIELDS.contains(&known) {
                fields.add(known);
            }
        }
        fields
    }

    /// The field that begins a line.
    fn named(line: &[u8]) -> Self {
        let name = line.split(|byte| *byte == b':').next().unwrap_or_default();
        let mut fields = Self::default();
        fields.add(Known::of(name));
        fields
    }

    #[inline]
    pub(crate) fn has(self, known: Known) -> bool {
        self.0 & (1 << known as u64) != 0
    }

    #[inline]
    pub(crate) fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn add(&mut self, known: Known) {
        self.0 |= 1 << known as u64;
    }

    fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

/// See the module.
pub(crate) struct CallerCredential {
    /// Index into the snapshot's providers.
    provider: usize,
    /// The fields that hold it.
    fields: Fields,
    /// The credential alone, without what stands before it in its field.
    bare: Vec<u8>,
}

impl CallerCredential {
    /// Finds what the caller has sent for the provider. `query_key` is what Google's clients put into the
    /// address, undecoded.
    ///
    /// # Errors
    /// 401 when there is nothing.
    #[cold]
    pub(crate) fn find(
        x: &State,
        provider: usize,
        route: &str,
        query_key: Option<&[u8]>,
    ) -> Result<Box<Self>, Rejection> {
        let mut found = Self { provider, fields: Fields::default(), bare: Vec::new() };
        let mut keys = Fields::default();
        for field in x.request.fields.iter().filter(|field| FIELDS.contains(&field.known)) {
            let value = field.value.of(&x.input);
            let bare = if field.known == Known::Authorization { bearer(value) } else { value };
            if is_key(x, bare) {
                keys.add(field.known);
            } else if !bare.is_empty() {
                found.fields.add(field.known);
            }
        }
        // A field of the name that holds a key of ours stays here with all its lines.
        found.fields = found.fields.without(keys);
        let mut held = x.request.fields.iter().filter(|field| found.fields.has(field.known));
        if let Some(field) = held.next() {
            let value = field.value.of(&x.input);
            found.bare = if field.known == Known::Authorization { bearer(value) } else { value }.to_vec();
            return Ok(Box::new(found));
        }
        if let Some(key) = query_key.and_then(decode_once)
            && !key.is_empty()
            && key.bytes().all(|byte| byte.is_ascii_graphic())
            && !is_key(x, key.as_bytes())
        {
            found.bare = key.into_bytes();
            return Ok(Box::new(found));
        }
        Err(missing(x, provider, route))
    }

    /// Whether it goes to this provider (by its index).
    #[inline]
    pub(crate) fn is_for(&self, provider: usize) -> bool {
        self.provider == provider
    }

    /// The fields that pass to the provider as they came. None where it has to be shown in another way: a client
    /// of another dialect (then `translated_to` is what is asked) uses the field of that, and Google's query
    /// stays here.
    pub(crate) fn passing(&self, provider: &LoadedProvider, translated_to: Option<Operation>) -> Fields {
        let accepted = match translated_to {
            None => provider.credential_fields,
            Some(_) => Fields::named(provider.auth_field(translated_to)),
        };
        self.fields.and(accepted)
    }

    /// The credential alone.
    pub(crate) fn bare(&self) -> &[u8] {
        &self.bare
    }

    /// Makes it part of a cache's key, not to be read there.
    pub(crate) fn write_key(&self, x: &State, key: &mut CacheKeyBuilder<'_>) {
        let held = x.request.fields.iter().filter(|field| self.fields.has(field.known));
        let held = held.flat_map(|field| [field.name.of(&x.input), field.value.of(&x.input)]);
        key.secret_part(held.chain([self.bare()]));
    }
}

/// What follows the scheme in `Bearer <token>`; another scheme's value is a whole.
fn bearer(value: &[u8]) -> &[u8] {
    let end = value.iter().position(u8::is_ascii_whitespace).unwrap_or(value.len());
    let (scheme, token) = value.split_at(end);
    if scheme.eq_ignore_ascii_case(b"bearer") { token.trim_ascii() } else { value }
}

/// Whether it is one of the gateway's own keys, or looks like one: that of another gateway, or of the day
/// before. Whatever stands before it.
fn is_key(x: &State, value: &[u8]) -> bool {
    let shared = &x.worker.shared;
    let directory = shared.directory.load();
    let is = |word: &[u8]| word.starts_with(PREFIX) || directory.find(&shared.pepper.hash(word)).is_some();
    is(value) || value.rsplit(u8::is_ascii_whitespace).next().is_some_and(is)
}

fn missing(x: &State, provider: usize, route: &str) -> Rejection {
    let config = x.loaded.snapshot.providers.get(provider);
    let name = config.map_or("", |config| config.name.as_str());
    let field = config.and_then(|config| config.auth_field());
    let own = match field {
        Some(field) if field.header != "authorization" => format!("`{}: …` or ", field.header),
        Some(_) | None => String::new(),
    };
    let beside = if x.loaded.snapshot.keys_required {
        ", and the gateway's key beside it as `x-llm-edge-key: …`"
    } else {
        ""
    };
    Rejection::new(
        Code::InvalidKey,
        format!(
            "route `{route}` passes the caller's own credential on to provider `{name}`, and none was sent. hint: send it as {own}`Authorization: Bearer …`{beside}"
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_is_shown_its_own_field_and_authorization_and_no_other() {
        let fields = Fields::that_carry_credentials(["x-api-key", "x-something", "content-type"].into_iter());
        for (known, is_shown) in [
            (Known::Authorization, true),
            (Known::XApiKey, true),
            (Known::ApiKey, false),
            (Known::XGoogApiKey, false),
            (Known::ContentType, false),
            (Known::Other, false),
        ] {
            assert_eq!(fields.has(known), is_shown, "{known:?}");
        }
    }

    #[test]
    fn another_scheme_is_part_of_the_credential() {
        assert_eq!(bearer(b"bearer  t"), b"t");
        assert_eq!(bearer(b"Bearer\tt"), b"t");
        assert_eq!(bearer(b"Bearer"), b"");
        assert_eq!(bearer(b"Basic dTpw"), b"Basic dTpw");
    }
}
