//! What becomes of a request.
//!
//! The request with a feature is translated beside the same request without it, so that what differs, and what is
//! named, is the feature's doing. Then every word and number that the feature brought must be found upstream, or
//! the member it stood in must be named; calls of tools, their results and cache markers must stand where they stood
//! ([`structure`]).

use std::collections::BTreeSet;

use llm_edge_core::dialect::Dialect;
use llm_edge_core::translate::{Options, Untranslatable, between};
use serde_json::Value;

use crate::surfaces::{Feature, Surface};
use crate::targets::Target;
use crate::{Fate, OPTIONS, structure};

/// Of how many letters and digits ids of calls are where a provider insists: Mistral's.
const ID_LENGTH: u8 = 9;

/// Words of paths that name no member in particular.
const COMMON: [&str; 7] = ["messages", "input", "contents", "content", "tools", "function", "type"];

/// What becomes of `feature`; an error where something of it is lost in silence.
pub(crate) fn fate(surface: &Surface, target: &Target, feature: &Feature) -> Result<Fate, String> {
    let exemption = exemption(surface, target, feature.name);
    if let Ok(sent) = translated(surface, target, &feature.with, &OPTIONS) {
        let body: Value = serde_json::from_str(&sent.body).map_err(|error| error.to_string())?;
        let (asked, made) = ((surface.dialect, &feature.with), (target.dialect, &body));
        structure::same_steps(asked, made)?;
        if structure::has_markers(target.dialect) && !sent.losses.iter().any(|loss| loss.contains("cache")) {
            structure::same_markers(asked, made)?;
        }
    }
    let short_ids = Options { tool_id_length: Some(ID_LENGTH), ..OPTIONS };
    if target.dialect == Dialect::OpenaiChat
        && let Ok(sent) = translated(surface, target, &feature.with, &short_ids)
    {
        let body: Value = serde_json::from_str(&sent.body).map_err(|error| error.to_string())?;
        let made = (target.dialect, &body);
        structure::same_steps_with_ids_of(ID_LENGTH.into(), (surface.dialect, &feature.with), made)?;
    }
    fate_by(|request| translated(surface, target, request, &OPTIONS), feature, exemption, target.has_ids)
}

/// The same, by what a request is translated to. `exemption`: why the target need not be told.
pub(crate) fn fate_by(
    translated: impl Fn(&Value) -> Result<Sent, Untranslatable>,
    feature: &Feature,
    exemption: Option<&'static str>,
    has_ids: bool,
) -> Result<Fate, String> {
    let (plain, full) = match (translated(&feature.without), translated(&feature.with)) {
        (Ok(plain), Ok(full)) => (plain, full),
        // What it belongs to may be refused already.
        (_, Err(Untranslatable { path, message })) if !path.is_empty() => {
            return Ok(Fate::Refused(format!("`{path}` {message}")));
        }
        (Err(refused), _) | (_, Err(refused)) => return Err(format!("is refused: {refused:?}")),
    };
    let named: Vec<&String> = full.losses.iter().filter(|name| !plain.losses.contains(*name)).collect();
    let list = named.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let nothing_arrived = full.body == plain.body;
    if let Some(reason) = exemption {
        return if nothing_arrived && named.is_empty() {
            Ok(Fate::NotNeeded(reason))
        } else {
            Err(format!("is said not to be needed, but arrives or is named: {list}"))
        };
    }
    let body: Value = serde_json::from_str(&full.body).map_err(|error| error.to_string())?;
    let there = Marks::of(&body);
    // What is lost without the feature too is not its doing.
    let before = Marks::of(&feature.without);
    let before_there = Marks::of(&serde_json::from_str(&plain.body).map_err(|error| error.to_string())?);
    for mark in Marks::of(&feature.with).0 {
        let lost_before = before.has(&mark.what) && !before_there.has(&mark.what);
        let needless = lost_before || (!has_ids && mark.is_id_of_call());
        if there.has(&mark.what) || needless || named.iter().any(|name| mark.is_named(name)) {
            continue;
        }
        return Err(format!(
            "{:?} at {} is lost and not named: {}",
            mark.what,
            mark.path.join("."),
            full.body
        ));
    }
    match (nothing_arrived, named.is_empty()) {
        (true, true) => Err(format!("is left out without a word: {}", full.body)),
        (true, false) => Ok(Fate::Dropped(list)),
        (false, true) => Ok(Fate::Carried),
        (false, false) => Ok(Fate::Changed(list)),
    }
}

/// A request as it is sent.
pub(crate) struct Sent {
    pub(crate) body: String,
    pub(crate) losses: BTreeSet<String>,
}

fn translated(
    surface: &Surface,
    target: &Target,
    request: &Value,
    options: &Options<'_>,
) -> Result<Sent, Untranslatable> {
    let pair = between(surface.dialect, target.dialect).unwrap();
    let mut body = Vec::new();
    let translated = pair.request(request.to_string().as_bytes(), target.model.0, options, &mut body)?;
    let body = String::from_utf8(body).unwrap();
    Ok(Sent { body, losses: translated.losses.names().map(str::to_owned).collect() })
}

fn exemption(surface: &Surface, target: &Target, name: &str) -> Option<&'static str> {
    let all = surface.harmless.iter().chain(target.by_itself);
    all.filter(|(begin, _)| name.starts_with(begin)).map(|(_, reason)| *reason).next()
}

/// Something that can be found again.
#[derive(Clone, Debug, PartialEq)]
enum What {
    /// A word that begins with `mark_`.
    Word(String),
    /// A text that is more than ASCII.
    Text(String),
    Number(String),
}

struct Mark {
    what: What,
    /// The names of the members it stands in, and the types of their objects.
    path: Vec<String>,
}

impl Mark {
    fn is_id_of_call(&self) -> bool {
        const NAMES: [&str; 4] = ["id", "call_id", "tool_call_id", "tool_use_id"];
        self.path.last().is_some_and(|step| NAMES.contains(&step.as_str()))
    }

    /// Whether a loss of this name is that of the member it stands in.
    fn is_named(&self, loss: &str) -> bool {
        // An element that is lost whole is named by its list.
        let last = loss.rsplit('.').next().and_then(|word| word.strip_suffix("[]"));
        let words = loss.split('.').map(|word| word.trim_end_matches("[]"));
        let telling = words.filter(|word| !COMMON.contains(word)).chain(last);
        telling.into_iter().any(|word| self.path.iter().any(|step| step == word))
    }
}

/// All that can be found again in a document, JSON inside of texts included.
struct Marks(Vec<Mark>);

impl Marks {
    fn of(document: &Value) -> Self {
        let mut marks = Self(Vec::new());
        marks.walk(document, &mut Vec::new());
        marks
    }

    fn has(&self, what: &What) -> bool {
        self.0.iter().any(|mark| match (&mark.what, what) {
            (What::Text(there), What::Text(wanted)) => there.contains(wanted.as_str()),
            (there, wanted) => there == wanted,
        })
    }

    fn walk(&mut self, value: &Value, path: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                let depth = path.len();
                path.extend(members.get("type").and_then(Value::as_str).map(str::to_owned));
                for (name, value) in members {
                    self.text(name, path);
                    path.push(name.clone());
                    self.walk(value, path);
                    path.pop();
                }
                path.truncate(depth);
            }
            Value::Array(list) => list.iter().for_each(|value| self.walk(value, path)),
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                Ok(inner @ Value::Object(_)) => self.walk(&inner, path),
                _ => self.text(text, path),
            },
            // Google's words for "none" and "as many as it takes".
            Value::Number(number) if matches!(number.as_i64(), Some(-1 | 0)) => {}
            Value::Number(number) => self.push(What::Number(number.to_string()), path),
            Value::Null | Value::Bool(_) => {}
        }
    }

    fn text(&mut self, text: &str, path: &[String]) {
        for (at, _) in text.match_indices("mark_") {
            let end = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let word = end.map_or(&text[at..], |end| &text[at..at + end]);
            self.push(What::Word(word.to_owned()), path);
        }
        if !text.is_ascii() {
            self.push(What::Text(text.to_owned()), path);
        }
    }

    fn push(&mut self, what: What, path: &[String]) {
        self.0.push(Mark { what, path: path.to_vec() });
    }
}

#[test]
fn a_loss_is_found_that_is_not_named() {
    let document: Value =
        serde_json::json!({"a": [{"type": "kind", "b": "x mark_b1 ü", "c": "{\"mark_d\": 1.50}"}]});
    let marks = Marks::of(&document);
    let what: Vec<_> = marks.0.iter().map(|mark| mark.what.clone()).collect();
    assert_eq!(
        what,
        [
            What::Word("mark_b1".to_owned()),
            What::Text("x mark_b1 ü".to_owned()),
            What::Word("mark_d".to_owned()),
            What::Number("1.5".to_owned())
        ]
    );
    let named = |loss| marks.0.iter().map(|mark| mark.is_named(loss)).collect::<Vec<_>>();
    assert_eq!(named("a[].b"), [true; 4], "`a` is a step of them all");
    assert_eq!(named("messages[].b"), [true, true, false, false]);
    assert_eq!(named("messages[].kind"), [true; 4]);
    assert_eq!(named("messages[].type"), [false; 4]);
    assert!(!marks.has(&What::Word("mark_b".to_owned())) && marks.has(&What::Text("ü".to_owned())));
}
