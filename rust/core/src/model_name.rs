//! The spellings of one model's name.
//!
//! A name as a provider takes it says more than which model it is: a place (`us.`, an ARN), a release
//! (`-2026-01-01`, `@20260101`, `-v1:0`) or, behind a version, that any release of it will do (`gpt-5-latest`; but
//! `gemini-pro-latest` is no release of `gemini-pro`). Where nothing is known of the whole of it, what is known of it
//! without that holds. Nothing else is ever left out: what is called otherwise is another model.
//!
//! Sources: Amazon Bedrock user guide, "Cross-Region inference" and "Supported foundation models"; Vertex AI,
//! "Model versions"; the rules (`match`) of genai-prices, of which it takes the endings that name a release and leaves
//! the open beginnings, which would price a model that it lacks as its predecessor.

use std::ops::ControlFlow;

/// Not `global.`, whose prices are others.
const PLACES: [&str; 11] = ["us", "us-gov", "eu", "apac", "au", "jp", "ca", "in", "sa", "me", "af"];

const LATEST: &str = "-latest";
const RELEASES_MAX: usize = 3;

/// The first of the spellings for which something is found, the most exact asked first, all in lower case.
pub fn find<T>(name: &str, mut known: impl FnMut(&str) -> Option<T>) -> Option<T> {
    let ask = |spelling: &str| known(spelling).map_or(ControlFlow::Continue(()), ControlFlow::Break);
    match each(&name.to_lowercase(), ask) {
        ControlFlow::Break(found) => Some(found),
        ControlFlow::Continue(()) => None,
    }
}

/// All of them, each once.
pub fn spellings(name: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    find(name, |spelling| {
        if !all.iter().any(|known| known == spelling) {
            all.push(spelling.to_owned());
        }
        None::<()>
    });
    all
}

fn each<T>(name: &str, mut ask: impl FnMut(&str) -> ControlFlow<T>) -> ControlFlow<T> {
    // `ft:<model>:<organisation>:<name>:<id>`: tuned models of one kind have one price.
    let tuned = name.strip_prefix("ft:").and_then(|rest| Some(rest.find(':')? + 3));
    let name = tuned.and_then(|end| name.get(..end)).unwrap_or(name);
    let anywhere = without_place(name);
    for name in anywhere.into_iter().flatten() {
        ask(name)?;
        if let Some(dashed) = dashed(name) {
            ask(&dashed)?;
        }
    }
    for mut name in anywhere.into_iter().flatten() {
        for _ in 0..RELEASES_MAX {
            let Some(shorter) = without_release(name) else { break };
            name = shorter;
            ask(name)?;
        }
        if has_version(name) {
            ask(&format!("{name}{LATEST}"))?;
        }
    }
    ControlFlow::Continue(())
}

/// The name, what is in the folder that it names, and what is behind the place that it names.
fn without_place(name: &str) -> [Option<&str>; 3] {
    let inside = behind_folder(name);
    [Some(name), inside, behind_place(inside.unwrap_or(name))]
}

fn behind_folder(name: &str) -> Option<&str> {
    if let Some(arn) = name.strip_prefix("arn:aws") {
        let rest = arn.trim_start_matches(|c: char| c.is_ascii_lowercase() || c == '-');
        let resource = rest.strip_prefix(":bedrock:")?;
        return [":foundation-model/", ":inference-profile/"]
            .into_iter()
            .filter_map(|kind| Some(resource.rfind(kind)? + kind.len()))
            .max()
            .and_then(|end| resource.get(end..));
    }
    if let Some(rest) = name.strip_prefix("models/") {
        return Some(rest);
    }
    let in_project = name.strip_prefix("projects/").and_then(|rest| {
        let (project, rest) = rest.split_once('/')?;
        let (location, rest) = rest.strip_prefix("locations/")?.split_once('/')?;
        (!project.is_empty() && !location.is_empty()).then_some(rest)
    });
    let (publisher, rest) = in_project.unwrap_or(name).strip_prefix("publishers/")?.split_once('/')?;
    rest.strip_prefix("models/").filter(|_| !publisher.is_empty())
}

fn behind_place(name: &str) -> Option<&str> {
    let (place, rest) = name.split_once('.')?;
    let maker = rest.split_once('.')?.0;
    let is_word =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    (PLACES.contains(&place) && is_word(maker)).then_some(rest)
}

/// The name with the date at its end as others write it: `-20260101` as `-2026-01-01`.
fn dashed(name: &str) -> Option<String> {
    let (before, date) = name.rsplit_once('-')?;
    let [b'2', b'0', _, _, b'0'..=b'1', _, b'0'..=b'3', _] = date.as_bytes() else { return None };
    if !date.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(format!("{before}-{}-{}-{}", date.get(..4)?, date.get(4..6)?, date.get(6..)?))
}

fn has_version(name: &str) -> bool {
    name.bytes().any(|b| b.is_ascii_digit())
}

/// The name without the release at its end; `None` where there is none.
fn without_release(name: &str) -> Option<&str> {
    if let Some(model) = name.strip_suffix(LATEST).filter(|_| has_version(name)) {
        return Some(model);
    }
    let bytes = name.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match release(bytes, at) {
            Some(end) if end == bytes.len() && at > 0 => return name.get(..at),
            Some(end) => at = end,
            None => at += 1,
        }
    }
    None
}

/// Where the release ends that begins here.
fn release(name: &[u8], at: usize) -> Option<usize> {
    let (before, rest) = name.split_at_checked(at)?;
    match rest.split_first()? {
        (b'@', version) => {
            let is_part = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-');
            let length = version.iter().take_while(|b| is_part(b)).count();
            (length > 0).then_some(at + 1 + length)
        }
        (b':', number) => digits(number).map(|length| at + 1 + length),
        (b'-', word) => version_with_number(before, word)
            .or_else(|| (word.starts_with(b"v1") && ends_in_digit(before)).then_some(2))
            .or_else(|| date(word))
            .or_else(|| build(before, word))
            .map(|length| at + 1 + length),
        _ => None,
    }
}

/// `v1:<number>`, and `v<number>:<number>` behind a date: how long it is.
fn version_with_number(before: &[u8], word: &[u8]) -> Option<usize> {
    let rest = word.strip_prefix(b"v")?;
    let version = digits(rest)?;
    let number = digits(rest.get(version..)?.strip_prefix(b":")?)?;
    let is_first = rest.starts_with(b"1:");
    (is_first || ends_in_compact_date(before)).then_some(1 + version + 1 + number)
}

/// `-20260101` at the end.
fn ends_in_compact_date(name: &[u8]) -> bool {
    let date = name.len().checked_sub(9).and_then(|at| name.get(at..)).unwrap_or_default();
    date.starts_with(b"-20") && date.iter().skip(3).all(u8::is_ascii_digit)
}

/// `-1` at the end.
fn ends_in_digit(name: &[u8]) -> bool {
    matches!(name, [.., b'-', digit] if digit.is_ascii_digit())
}

/// `2026-01-01`, with or without either of its dashes: how long it is.
fn date(word: &[u8]) -> Option<usize> {
    let year =
        |text: &[u8]| matches!(text, [b'2', b'0', a, b, ..] if a.is_ascii_digit() && b.is_ascii_digit());
    let part = |text: &[u8], most: u8| {
        let dash = usize::from(text.first() == Some(&b'-'));
        match text.get(dash..dash + 2)? {
            [tens, ones] if (b'0'..=most).contains(tens) && ones.is_ascii_digit() => Some(dash + 2),
            _ => None,
        }
    };
    if !year(word) {
        return None;
    }
    let month = part(word.get(4..)?, b'1')?;
    let day = part(word.get(4 + month..)?, b'3')?;
    Some(4 + month + day)
}

/// `001` behind `-flash`, `-lite` or `-pro`: how long it is.
fn build(before: &[u8], word: &[u8]) -> Option<usize> {
    let is_one = matches!(word, [b'0', b'0', digit, ..] if digit.is_ascii_digit());
    let counts = [&b"-flash"[..], b"-lite", b"-pro"].into_iter().any(|kind| before.ends_with(kind));
    (is_one && counts).then_some(3)
}

/// How many there are, if any.
fn digits(text: &[u8]) -> Option<usize> {
    let count = text.iter().take_while(|b| b.is_ascii_digit()).count();
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_a_place_and_a_release() {
        let known = |names: &[&str], name: &str| {
            find(name, |spelling| names.contains(&spelling).then(|| spelling.to_owned()))
        };
        for (name, is) in [
            ("GPT-4o", "gpt-4o"),
            ("gpt-4o-2024-08-06", "gpt-4o"),
            ("claude-x-20260101", "claude-x"),
            ("claude-x@20260101", "claude-x"),
            ("us.anthropic.claude-x-20260101-v1:0", "anthropic.claude-x"),
            (
                "arn:aws:bedrock:us-east-1:1:inference-profile/eu.anthropic.claude-x-20260101-v2:0",
                "anthropic.claude-x",
            ),
            ("publishers/google/models/gemini-2.5-flash-001", "gemini-2.5-flash"),
            ("projects/p/locations/l/publishers/google/models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("models/gemini-2.5-pro", "gemini-2.5-pro"),
            ("gpt-5", "gpt-5-latest"),
            ("gpt-5-latest", "gpt-5"),
            ("ft:gpt-4o:org:name:id", "ft:gpt-4o"),
            ("x-20260101", "x-2026-01-01"),
        ] {
            assert_eq!(known(&[is], name).as_deref(), Some(is), "{name}");
        }
        for (name, is_not) in [
            ("gpt-4o-mini", "gpt-4o"),
            ("gemini-pro-latest", "gemini-pro"),
            ("us.a.large", "large"),
            ("global.anthropic.claude-x", "anthropic.claude-x"),
            ("größe-2026-13-45", "größe"),
            ("publishers//models/x", "x"),
            ("-2026-01-01", ""),
        ] {
            assert_eq!(known(&[is_not], name), None, "{name}");
        }
    }

    #[test]
    fn the_most_exact_is_found_first_and_each_once() {
        let all = spellings("US.maker.m-1-20260101-v1:0");
        assert_eq!(all.first().map(String::as_str), Some("us.maker.m-1-20260101-v1:0"));
        assert_eq!(all.last().map(String::as_str), Some("maker.m-1-latest"));
        let mut once = all.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), all.len());
    }
}
