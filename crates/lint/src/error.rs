//! Why a file could not be judged.

use assay_model::Explain;
use assay_yaml::YamlError;

/// Why a file could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LintError {
    /// Larger than any file of its kind that people write.
    #[error("the file has {bytes} bytes, at most {limit} are read")]
    TooLarge {
        /// Bytes found.
        bytes: usize,
        /// Bytes read.
        limit: usize,
    },
    /// It is no YAML: often a template that has to be rendered first.
    #[error(transparent)]
    Yaml(#[from] YamlError),
}

impl Explain for LintError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "lint-file-too-large",
            Self::Yaml(error) => error.code(),
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::TooLarge { .. } => None,
            Self::Yaml(_) => Some("of a chart, lint what helm template makes: helm template . | assay lint -".into()),
        }
    }
}
