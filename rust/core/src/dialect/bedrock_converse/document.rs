//! Documents and images as the API names their types, and names that it takes for documents.
//!
//! Invariant: every document of a request has a name of its own, which depends on the documents before it only, so
//! that the prompt stays the same when the conversation goes on. Source: service model of botocore 1.44
//! (`ImageFormat`, `DocumentFormat`, `DocumentBlock`); the API refuses names that come twice in a request.

use std::collections::HashSet;

use crate::message::Text;

/// Longest name that the API takes.
const NAME_BYTES_MAX: usize = 200;

/// The name of a document that has none.
const UNTITLED: &str = "document";

/// The API's word for a type of images.
pub(super) fn image_format(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "image/png" => "png",
        "image/jpeg" | "image/jpg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => return None,
    })
}

/// The API's word for a type of documents.
pub(super) fn document_format(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "text/html" => "html",
        "text/markdown" => "md",
        "text/plain" => "txt",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        _ => return None,
    })
}

/// The names given so far, in small letters: the API does not tell large ones apart.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

/// A name, and whether the title it was made of is still to be seen in it.
pub(super) struct Name {
    pub(super) name: String,
    pub(super) is_whole: bool,
}

impl Names {
    /// A name of its own for a document of this title and format.
    pub(super) fn name(&mut self, title: Option<&Text<'_>>, format: &str) -> Name {
        let title = title.and_then(|title| title.borrowed().decode()).unwrap_or_default();
        // The format says it once more.
        let stem = title.strip_suffix(format).and_then(|stem| stem.strip_suffix('.')).unwrap_or(&title);
        let fit = fit(stem);
        let is_whole = fit == stem;
        let base = if fit.is_empty() { UNTITLED.to_owned() } else { fit };
        let mut name = base.clone();
        let mut count = 1_u64;
        while !self.0.insert(name.to_ascii_lowercase()) {
            count += 1;
            name = format!("{base} ({count})");
        }
        Name { name, is_whole }
    }
}

/// What is left of a title in the alphabet of names: letters and digits, hyphens, brackets, single blanks. Room
/// is left for a count.
fn fit(title: &str) -> String {
    let mut name = String::new();
    for c in title.chars() {
        if name.len() >= NAME_BYTES_MAX - 16 {
            break;
        }
        match c {
            ' ' | '\n' | '\r' | '\t' if name.is_empty() || name.ends_with(' ') => {}
            ' ' | '\n' | '\r' | '\t' => name.push(' '),
            _ if c.is_ascii_alphanumeric() || "-_()[]".contains(c) => name.push(c),
            _ => name.push('-'),
        }
    }
    name.truncate(name.trim_end().len());
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_fit_and_its_own() {
        let mut names = Names::default();
        let mut given = |title: Option<&'static str>, format: &str| {
            let Name { name, is_whole } = names.name(title.map(Text::plain).as_ref(), format);
            (name, is_whole)
        };
        for (title, format, name, is_whole) in [
            (None, "pdf", "document", true),
            (None, "txt", "document (2)", true),
            (Some("report.pdf"), "pdf", "report", true),
            (Some("Report.docx"), "docx", "Report (2)", true),
            (Some("report.pdf.txt"), "txt", "report-pdf", false),
            (Some("a  b"), "md", "a b", false),
            (Some("Übersicht (1) [x]_y-z"), "md", "-bersicht (1) [x]_y-z", false),
            (Some(".pdf"), "pdf", "document (3)", true),
            (Some(" "), "pdf", "document (4)", false),
        ] {
            assert_eq!(given(title, format), (name.to_owned(), is_whole), "{title:?}");
        }
        let long = Text::escape(&"x".repeat(1000)).into_owned();
        for _ in 0..20 {
            let name = names.name(Some(&long), "pdf").name;
            assert!(name.len() <= NAME_BYTES_MAX && name.len() > 150, "{name}");
        }
    }
}
