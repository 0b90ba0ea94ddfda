//! Pages of the web that an answer leans on, as each dialect tells them.
//!
//! Places in documents that the client has sent are told by Anthropic's API only, and are no part of this. Sources:
//! `OpenAI` API reference, "The chat completion object" and "The response object"; Anthropic API reference, "Web
//! search tool"; the discovery document of `generativelanguage` v1beta (`GroundingMetadata`).

use serde_json::value::RawValue;

use super::json::Json;
use super::read::{object, says_something};
use super::{Losses, Text};

#[derive(Clone, Debug)]
pub(crate) struct Citation<'a> {
    pub(crate) url: Text<'a>,
    pub(crate) title: Option<Text<'a>>,
    /// The characters of the answer's text that lean on it, from and up to; where the provider tells them, and the
    /// text they are counted in is the first one of the answer.
    pub(crate) range: Option<(u64, u64)>,
}

impl<'a> Citation<'a> {
    /// A page of which no more is known than where it is and perhaps how it is called.
    pub(crate) fn of(url: Text<'a>, title: Option<Text<'a>>) -> Self {
        Self { url, title: title.filter(|title| !title.is_empty()), range: None }
    }

    /// The same, independent of the body it came from.
    pub(crate) fn into_owned(self) -> Citation<'static> {
        Citation { url: self.url.into_owned(), title: self.title.map(Text::into_owned), range: self.range }
    }
}

object! {
    /// An annotation of `OpenAI`'s APIs: chat has the members of a citation one level deeper.
    Annotation<'a> {
        kind as "type": Text<'a>,
        url_citation: OfWeb<'a>,
        url: Text<'a>,
        title: Text<'a>,
        start_index: u64,
        end_index: u64,
        ..rest
    }
}

object! {
    OfWeb<'a> { url: Text<'a>, title: Text<'a>, start_index: u64, end_index: u64, ..rest }
}

/// Where annotations stand, as losses name it.
pub(crate) struct Place {
    pub(crate) list: &'static str,
    /// The same with its dot, for a member of one.
    pub(crate) member: &'static str,
}

/// Reads one annotation; one of a file, or of a shape that is not known, is named as lost.
pub(crate) fn of_openai<'a>(
    annotation: &'a RawValue,
    place: &Place,
    losses: &mut Losses,
) -> Option<Citation<'a>> {
    let told: Annotation<'a> = serde_json::from_str(annotation.get()).unwrap_or_default();
    let of_web = told.kind.as_ref().is_some_and(|kind| kind.raw() == "url_citation");
    let members = told.url_citation.unwrap_or(OfWeb {
        url: told.url,
        title: told.title,
        start_index: told.start_index,
        end_index: told.end_index,
        rest: told.rest,
    });
    let url = members.url.filter(|url| of_web && !url.is_empty());
    losses.add_if(url.is_none(), place.list);
    let url = url?;
    losses.unknown(place.member, &members.rest, &[]);
    let range = members.start_index.zip(members.end_index);
    Some(Citation { range, ..Citation::of(url, members.title) })
}

/// Reads a list of them.
pub(crate) fn list_of_openai<'a>(
    list: Option<&'a RawValue>,
    place: &Place,
    losses: &mut Losses,
) -> Vec<Citation<'a>> {
    let Some(list) = list.filter(|list| says_something(list)) else { return Vec::new() };
    let read: Option<Vec<&'a RawValue>> = serde_json::from_str(list.get()).ok();
    losses.add_if(read.is_none(), place.list);
    read.unwrap_or_default().into_iter().filter_map(|one| of_openai(one, place, losses)).collect()
}

/// Writes the members of a citation in `OpenAI`'s APIs, which must all be there: a title that is not known is empty, and
/// so is the range.
pub(crate) fn openai_members(citation: &Citation<'_>, out: &mut Vec<u8>) {
    let (start, end) = citation.range.unwrap_or_default();
    out.key("start_index").number(start);
    out.key("end_index").number(end);
    out.key("title").text(citation.title.as_ref().unwrap_or(&Text::default()));
    out.key("url").text(&citation.url);
}
