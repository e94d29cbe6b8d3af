//! Matching identities: exact, glob or anchored regular expression.

use regex::Regex;

/// Longest identity pattern, in bytes: identities are URIs and addresses.
const PATTERN_MAX: usize = 2048;

/// A pattern for an identity, an issuer or a claim. It matches the whole value, always.
#[derive(Clone, Debug)]
pub enum Pattern {
    /// The very text.
    Exact(String),
    /// `*` stands for any characters but `/`, `**` for any characters, everything else for itself.
    Glob {
        /// As written.
        written: String,
        /// Compiled.
        compiled: Regex,
    },
    /// A regular expression that begins with `^` and ends with `$`.
    Regexp {
        /// As written.
        written: String,
        /// Compiled.
        compiled: Regex,
    },
}

impl Pattern {
    /// A pattern that matches exactly `text`.
    pub fn exact(text: impl Into<String>) -> Self {
        Self::Exact(text.into())
    }

    /// Compiles a glob.
    pub fn glob(written: &str) -> Result<Self, PatternError> {
        let mut expression = String::from("^(?s:");
        let mut rest = written;
        while let Some(at) = rest.find('*') {
            expression.push_str(&regex::escape(&rest[..at]));
            let double = rest[at..].starts_with("**");
            expression.push_str(if double { ".*" } else { "[^/]*" });
            rest = &rest[at + if double { 2 } else { 1 }..];
        }
        expression.push_str(&regex::escape(rest));
        expression.push_str(")$");
        Ok(Self::Glob { written: written.to_owned(), compiled: compile(written, &expression)? })
    }

    /// Compiles a regular expression, which must be anchored at both ends: an unanchored one matches look-alikes.
    pub fn regexp(written: &str) -> Result<Self, PatternError> {
        let anchored = written.starts_with('^') && written.ends_with('$') && !written.ends_with("\\$");
        if !anchored {
            return Err(PatternError::NotAnchored { pattern: written.to_owned() });
        }
        // `^a|b$` is anchored on one side of each branch only; the group anchors every branch.
        let expression = format!("^(?:{})$", &written[1..written.len() - 1]);
        Ok(Self::Regexp { written: written.to_owned(), compiled: compile(written, &expression)? })
    }

    /// Whether the whole of `value` matches.
    pub fn matches(&self, value: &str) -> bool {
        match self {
            Self::Exact(text) => text == value,
            Self::Glob { compiled, .. } | Self::Regexp { compiled, .. } => compiled.is_match(value),
        }
    }

    /// The pattern as written.
    pub fn written(&self) -> &str {
        match self {
            Self::Exact(written) | Self::Glob { written, .. } | Self::Regexp { written, .. } => written,
        }
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other) && self.written() == other.written()
    }
}

fn compile(written: &str, expression: &str) -> Result<Regex, PatternError> {
    if written.len() > PATTERN_MAX {
        return Err(PatternError::TooLong { length: written.len() });
    }
    regex::RegexBuilder::new(expression)
        .size_limit(1 << 20)
        .build()
        .map_err(|source| PatternError::Invalid { pattern: written.to_owned(), source: Box::new(source) })
}

/// Why a text is not an identity pattern.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PatternError {
    /// The regular expression is not anchored. Write `^...$`.
    #[error("`{pattern}` is not anchored: it would match any identity that contains it; write `^{pattern}$`")]
    NotAnchored {
        /// As written.
        pattern: String,
    },
    /// The pattern is not a regular expression.
    #[error("`{pattern}` is not a regular expression: {source}")]
    Invalid {
        /// As written.
        pattern: String,
        /// What the engine says.
        source: Box<regex::Error>,
    },
    /// The pattern is longer than any identity.
    #[error("the pattern has {length} bytes, at most {PATTERN_MAX} are allowed")]
    TooLong {
        /// Bytes found.
        length: usize,
    },
}

impl assay_model::Explain for PatternError {
    fn code(&self) -> &'static str {
        match self {
            Self::NotAnchored { .. } => "pattern-not-anchored",
            Self::Invalid { .. } => "pattern-invalid",
            Self::TooLong { .. } => "pattern-too-long",
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_glob_star_stays_within_a_path_segment() {
        let glob = Pattern::glob("https://github.com/company/*/.github/workflows/release.yml@refs/tags/**").unwrap();
        assert!(glob.matches("https://github.com/company/api/.github/workflows/release.yml@refs/tags/v1/x"));
        assert!(!glob.matches("https://github.com/company/a/b/.github/workflows/release.yml@refs/tags/v1"));
        assert!(!glob.matches(
            "https://evil.example/?https://github.com/company/api/.github/workflows/release.yml@refs/tags/v1"
        ));
    }

    #[test]
    fn glob_characters_of_regular_expressions_stand_for_themselves() {
        let glob = Pattern::glob("a.b+c").unwrap();
        assert!(glob.matches("a.b+c"));
        assert!(!glob.matches("axbbc"));
    }

    #[test]
    fn a_regexp_must_be_anchored_and_every_branch_is() {
        assert!(matches!(Pattern::regexp("company"), Err(PatternError::NotAnchored { .. })));
        assert!(matches!(Pattern::regexp("^company\\$"), Err(PatternError::NotAnchored { .. })));
        let either = Pattern::regexp("^a|b$").unwrap();
        assert!(either.matches("a") && either.matches("b"));
        assert!(!either.matches("ax") && !either.matches("xb"));
    }

    #[test]
    fn newlines_do_not_hide_a_suffix() {
        assert!(!Pattern::regexp("^a$").unwrap().matches("a\nb"));
        assert!(!Pattern::glob("a").unwrap().matches("a\n"));
    }

    /// The glob again, by trying every way to divide the text.
    fn naive(pattern: &str, text: &str) -> bool {
        if let Some(rest) = pattern.strip_prefix("**") {
            return (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| naive(rest, &text[at..]));
        }
        if let Some(rest) = pattern.strip_prefix('*') {
            let end = text.find('/').unwrap_or(text.len());
            return (0..=end).filter(|at| text.is_char_boundary(*at)).any(|at| naive(rest, &text[at..]));
        }
        let (Some(wanted), Some(found)) = (pattern.chars().next(), text.chars().next()) else {
            return pattern.is_empty() && text.is_empty();
        };
        wanted == found && naive(&pattern[wanted.len_utf8()..], &text[found.len_utf8()..])
    }

    proptest! {
        #[test]
        fn ghsa_pmwq_pjrm_6p5r_one_matcher_agrees_with_a_naive_one(pattern in "[ab/.*]{0,8}", text in "[ab/.]{0,8}") {
            prop_assert_eq!(Pattern::glob(&pattern).unwrap().matches(&text), naive(&pattern, &text));
        }
    }
}
