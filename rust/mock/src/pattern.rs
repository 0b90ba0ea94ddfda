//! A string that a regular expression matches, for schemas with `pattern`.

use regex_syntax::hir::{Class, Hir, HirKind};

// More repetitions than asked for are tried up to this many, to reach a minimum length.
const EXTRA_MAX: u32 = 64;
const CHARS_MAX: usize = 1 << 16;

/// A match of `pattern` with at least `least` and at most `most` characters; `None` where none is found (the
/// pattern may be of a kind that Rust does not know: look-around, back references).
pub(crate) fn example(pattern: &str, least: usize, most: usize) -> Option<String> {
    let hir = regex_syntax::parse(pattern).ok()?;
    (0..=EXTRA_MAX).find_map(|extra| {
        let mut text = String::new();
        write(&hir, extra, &mut text)?;
        (least..=most).contains(&text.chars().count()).then_some(text)
    })
}

fn write(hir: &Hir, extra: u32, text: &mut String) -> Option<()> {
    if text.len() > CHARS_MAX {
        return None;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => text.push_str(str::from_utf8(&literal.0).ok()?),
        HirKind::Class(Class::Unicode(class)) => {
            let ranges = || class.ranges().iter();
            let plain = ranges().find(|range| range.start().is_ascii_alphanumeric());
            let printable = ranges().find(|range| range.end() >= '!' && range.start() <= '~');
            let char = match (plain, printable) {
                (Some(range), _) => range.start(),
                (None, Some(range)) if range.start() <= 'a' && range.end() >= 'a' => 'a',
                (None, Some(range)) => range.start().max('!'),
                (None, None) => ranges().next()?.start(),
            };
            text.push(char);
        }
        HirKind::Class(Class::Bytes(class)) => text.push(char::from(class.ranges().first()?.start())),
        HirKind::Repetition(repetition) => {
            let most = repetition.max.unwrap_or(u32::MAX);
            for _ in 0..repetition.min.saturating_add(extra).min(most) {
                write(&repetition.sub, extra, text)?;
            }
        }
        HirKind::Capture(capture) => write(&capture.sub, extra, text)?,
        HirKind::Concat(parts) => parts.iter().try_for_each(|part| write(part, extra, text))?,
        HirKind::Alternation(branches) => write(branches.first()?, extra, text)?,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_classes_are_kept() {
        let any = usize::MAX;
        assert_eq!(example("^[a-z]+@x\\.(com|org)$", 0, any).as_deref(), Some("a@x.com"));
        assert_eq!(example("^[a-z]*$", 3, 5).as_deref(), Some("aaa"));
        assert_eq!(example("^\\S+$", 1, any).as_deref().map(str::len), Some(1));
        assert_eq!(example("^a{3}$", 4, any), None);
        assert_eq!(example("(?=x)", 0, any), None);
    }
}
