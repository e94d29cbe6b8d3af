//! Why a text could not be read.

use assay_model::Explain;

/// Why a text could not be read as YAML.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum YamlError {
    /// Not YAML, or YAML that readers disagree on.
    #[error("line {line}, column {column}: {message}")]
    Invalid {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What is wrong.
        message: String,
    },
    /// The same key twice in one object: one reader takes the first, another the last.
    #[error("line {line}, column {column}: the key `{key}` stands twice in one object")]
    DoubledKey {
        /// The key.
        key: String,
        /// Line of the second one.
        line: usize,
        /// Column of the second one.
        column: usize,
    },
    /// Too many of something, often aliases of aliases.
    #[error("line {line}: more than {limit} {what}")]
    Bound {
        /// Of what.
        what: &'static str,
        /// How many are read.
        limit: usize,
        /// Where it was passed.
        line: usize,
    },
}

impl Explain for YamlError {
    fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "manifest-invalid-yaml",
            Self::DoubledKey { .. } => "manifest-doubled-key",
            Self::Bound { .. } => "manifest-bound",
        }
    }
}
