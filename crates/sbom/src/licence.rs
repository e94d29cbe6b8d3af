//! Licence texts: which are SPDX expressions, and which are only names.

use assay_model::Digest;

/// A declared licence, sorted by what can be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Licence<'a> {
    /// A valid SPDX licence expression (SPDX 2.3, annex D), a single identifier included.
    Expression(&'a str),
    /// Anything else: a name that only its ecosystem understands.
    Name(&'a str),
}

impl<'a> Licence<'a> {
    /// As its package wrote it.
    pub(crate) fn text(&self) -> &'a str {
        match self {
            Self::Expression(text) | Self::Name(text) => text,
        }
    }

    /// Sorts a licence as written by its package. Empty texts and SPDX's words for "unknown" are no licence.
    pub(crate) fn of(text: &'a str) -> Option<Self> {
        let text = text.trim();
        if matches!(text, "" | "NOASSERTION" | "NONE") {
            return None;
        }
        // Deprecated identifiers such as `GPL-2.0` are still on the list, and packages still declare them.
        let mode = ::spdx::ParseMode { allow_deprecated: true, ..::spdx::ParseMode::STRICT };
        Some(match ::spdx::Expression::parse_mode(text, mode) {
            Ok(_) => Self::Expression(text),
            Err(_) => Self::Name(text),
        })
    }
}

/// Several licences that apply together, as one text.
pub(crate) fn together(texts: impl Iterator<Item = String>) -> Option<String> {
    let mut texts: Vec<_> = texts.filter(|text| !text.is_empty()).collect();
    if texts.len() > 1 {
        for text in texts.iter_mut().filter(|text| text.contains(" OR ")) {
            *text = format!("({text})");
        }
    }
    Some(texts.join(" AND ")).filter(|text| !text.is_empty())
}

/// The names that an expression refers to without saying what they are (`LicenseRef-...`).
pub(crate) fn references(expression: &str) -> impl Iterator<Item = &str> {
    expression
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | ':')))
        .filter(|word| word.starts_with("LicenseRef-"))
}

/// The reference under which a document keeps a licence that SPDX does not list.
pub(crate) fn reference(name: &str) -> String {
    format!("LicenseRef-assay-{}", &Digest::of(name.as_bytes()).hex()[..24])
}

/// Version of the SPDX licence list that expressions are checked against, as `major.minor`.
pub(crate) fn list_version() -> String {
    let mut parts = ::spdx::identifiers::VERSION.split('.');
    format!("{}.{}", parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_and_names_are_told_apart() {
        for text in ["MIT", "Apache-2.0 OR MIT", "GPL-2.0", "GPL-2.0-only WITH Classpath-exception-2.0", "LicenseRef-a"]
        {
            assert_eq!(Licence::of(text), Some(Licence::Expression(text)), "{text}");
        }
        for text in ["GPL-2+ and Artistic", "The MIT License", "MIT/Apache-2.0", "BSD", "(MIT"] {
            assert_eq!(Licence::of(text), Some(Licence::Name(text)), "{text}");
        }
        for text in ["", "  ", "NOASSERTION", "NONE"] {
            assert_eq!(Licence::of(text), None, "{text}");
        }
    }

    #[test]
    fn references_inside_expressions_are_found() {
        let found: Vec<_> = references("MIT AND (LicenseRef-a.1 OR DocumentRef-x:LicenseRef-b)").collect();
        assert_eq!(found, ["LicenseRef-a.1"], "a reference into another document is not this document's to explain");
    }
}
