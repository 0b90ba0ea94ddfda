//! What a reply says of itself: ids, time, model, and the request it answers.

use serde_json::Value;

use crate::calendar::Moment;
use crate::lorem::Numbers;

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// The envelope of one reply.
pub(crate) struct Ticket<'a> {
    numbers: Numbers,
    /// Seconds since 1970.
    pub(crate) created: u64,
    /// The model's name as the request has it.
    pub(crate) model: &'a str,
    /// The request; some surfaces repeat parts of it.
    pub(crate) request: &'a Value,
    /// Whether a stream tells its usage (`OpenAI` chat and completions).
    pub(crate) include_usage: bool,
    /// Whether the members are written that a vendor could leave out.
    pub(crate) extras: bool,
}

impl<'a> Ticket<'a> {
    /// A ticket whose ids follow from `seed`.
    pub(crate) fn new(
        seed: u64,
        created: u64,
        model: &'a str,
        request: &'a Value,
        include_usage: bool,
    ) -> Self {
        Self { numbers: Numbers::new(seed), created, model, request, include_usage, extras: true }
    }

    /// The same with nothing in the reply that a vendor could leave out.
    pub(crate) fn without_extras(self) -> Self {
        Self { extras: false, ..self }
    }

    /// A new id in the form of a random UUID (RFC 9562 §5.4).
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.numbers.next(), self.numbers.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | (low >> 48 & 0x3fff),
            low & 0xffff_ffff_ffff,
        )
    }

    /// A beginning of the alphabet of any length: what Amazon pads events with.
    pub(crate) fn padding(&mut self) -> &'static str {
        let chars = 2 + self.numbers.below(PADDING.len() - 1);
        PADDING.get(..chars).unwrap_or(PADDING)
    }

    /// When the reply was made, as RFC 3339 has it.
    pub(crate) fn created_at(&self) -> String {
        let Moment { year, month, day, hour, minute, second, .. } = Moment::of(self.created);
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000000Z")
    }

    /// A new id: `prefix` and as many letters and digits as the vendor's.
    pub(crate) fn id(&mut self, prefix: &str, chars: usize) -> String {
        let chars = if self.extras { chars } else { chars.min(8) };
        let mut id = String::with_capacity(prefix.len() + chars);
        id.push_str(prefix);
        id.extend(
            (0..chars)
                .filter_map(|_| ALPHABET.get(self.numbers.below(ALPHABET.len())).map(|b| char::from(*b))),
        );
        id
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (created, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_399, "2000-02-28T23:59:59.000000Z"),
            (951_782_400, "2000-02-29T00:00:00.000000Z"),
            (1_767_225_600, "2026-01-01T00:00:00.000000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000000Z"),
        ] {
            assert_eq!(Ticket::new(0, created, "", &Value::Null, false).created_at(), text);
        }
    }

    #[test]
    fn uuids_have_their_form() {
        let uuid = Ticket::new(7, 0, "", &Value::Null, false).uuid();
        let parts: Vec<&str> = uuid.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12], "{uuid}");
        assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{uuid}");
    }
}
