//! What becomes of an answer, whole and streamed.
//!
//! The client is told the same by both, however the texts are cut into pieces, the bytes into reads, and
//! characters written with or without escapes.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use llm_edge_core::translate::{Pair, between};
use serde_json::Value;

use crate::answers::Answer;
use crate::surfaces::Surface;
use crate::targets::{Extra, Target, short};
use crate::told::Told;
use crate::{Fate, context};

/// Characters in a piece of a stream.
const SIZES: [usize; 3] = [1, 3, 1000];

/// What the client was told, and what was named.
type Heard = (Told, BTreeSet<String>);

/// What becomes of `answer`; an error where something of it is lost in silence, or where stream and whole differ.
pub(crate) fn fate(surface: &Surface, target: &Target, answer: &Answer) -> Result<Fate, String> {
    let Some(said) = (target.says)(answer) else { return Ok(Fate::Unsaid) };
    let said = counted(surface, said);
    let (told, losses) = heard(surface, target, answer)?;
    let list = list(&losses);
    match (told == said, losses.is_empty()) {
        (true, true) => Ok(Fate::Carried),
        (false, true) => Err(format!("said {said:?}, told {told:?}, and nothing is named")),
        (_, false) => Ok(Fate::Changed(list)),
    }
}

/// What becomes of something that few dialects tell.
pub(crate) fn fate_of_extra(surface: &Surface, target: &Target, extra: &Extra) -> Result<Fate, String> {
    let pair = between(surface.dialect, target.dialect).unwrap();
    let (told, losses) = whole(surface, pair, &extra.reply.to_string())?;
    let streamed = stream(surface, pair, &extra.stream, extra.stream.len())?;
    if streamed != (told.clone(), losses.clone()) {
        return Err(format!("whole {told:?}, {losses:?}, streamed {streamed:?}"));
    }
    let says = counted(surface, extra.says.clone());
    let is_beside = says == counted(surface, (target.says)(&short()).unwrap());
    match (told == says, is_beside, losses.is_empty()) {
        (false, ..) => Err(format!("said {says:?}, told {told:?}, named {losses:?}")),
        (true, true, true) => Err("is left out without a word".to_owned()),
        (true, true, false) => Ok(Fate::Dropped(list(&losses))),
        (true, false, true) => Ok(Fate::Carried),
        (true, false, false) => Ok(Fate::Changed(list(&losses))),
    }
}

/// What is said, less the counts and the kinds of things beside it that the surface has no member for.
fn counted(surface: &Surface, mut said: Told) -> Told {
    said.beside.retain(|one| surface.tells.iter().any(|kind| one.starts_with(kind)));
    Told { cache_write: if surface.counts_cache_writes { said.cache_write } else { 0 }, ..said }
}

fn list(losses: &BTreeSet<String>) -> String {
    losses.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn heard(surface: &Surface, target: &Target, answer: &Answer) -> Result<Heard, String> {
    let pair = between(surface.dialect, target.dialect).unwrap();
    let reply = (target.reply)(answer).to_string();
    let told = whole(surface, pair, &reply)?;
    let same = |other: Heard, how: &str| {
        if other == told { Ok(()) } else { Err(format!("whole {told:?}, {how} {other:?}")) }
    };
    same(whole(surface, pair, &escaped(&reply))?, "with escapes")?;
    for size in SIZES {
        let bytes = (target.stream)(answer, size);
        same(stream(surface, pair, &bytes, bytes.len())?, "streamed")?;
        same(stream(surface, pair, &bytes, 1)?, "byte by byte")?;
        // Of frames that are not text the lengths and checksums would no longer hold.
        if let Ok(text) = std::str::from_utf8(&bytes) {
            same(stream(surface, pair, escaped(text).as_bytes(), 7)?, "streamed with escapes")?;
        }
        // Once is enough for the longest one.
        if size == 3 && answer.name == "three tools" {
            for at in 1..bytes.len() {
                let (front, back) = bytes.split_at(at);
                same(pieces(surface, pair, [front, back])?, &format!("cut at {at}"))?;
            }
        }
    }
    Ok(told)
}

fn whole(surface: &Surface, pair: Pair, reply: &str) -> Result<Heard, String> {
    let mut out = Vec::new();
    let replied = pair
        .reply(&context(surface, pair), reply.as_bytes(), &mut out)
        .map_err(|malformed| malformed.message.into_owned())?;
    let reply: Value = serde_json::from_slice(&out).map_err(|error| error.to_string())?;
    Ok(((surface.told)(&reply), replied.losses.names().map(str::to_owned).collect()))
}

fn stream(surface: &Surface, pair: Pair, bytes: &[u8], size: usize) -> Result<Heard, String> {
    pieces(surface, pair, bytes.chunks(size))
}

fn pieces<'p>(
    surface: &Surface,
    pair: Pair,
    pieces: impl IntoIterator<Item = &'p [u8]>,
) -> Result<Heard, String> {
    let mut translator = pair.stream(context(surface, pair));
    let mut out = Vec::new();
    let pushed = pieces.into_iter().try_for_each(|piece| translator.push(piece, &mut out));
    pushed.and_then(|()| translator.finish(&mut out)).map_err(|malformed| malformed.message.into_owned())?;
    let folded = (surface.fold)(&String::from_utf8(out).unwrap());
    Ok(((surface.told)(&folded), translator.losses().names().map(str::to_owned).collect()))
}

/// JSON whose characters beyond ASCII are written with escapes, surrogate pairs among them.
fn escaped(json: &str) -> String {
    let mut out = String::new();
    for c in json.chars() {
        if c.is_ascii() {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                let _ = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out
}
