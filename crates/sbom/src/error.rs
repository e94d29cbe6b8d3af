//! Why a document could not be read.

use assay_model::Explain;

/// Why bytes are not a software bill of materials that Assay reads.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SbomError {
    /// The document has more bytes than [`crate::MAX_BYTES`]. Split it, or inspect the artifact itself.
    #[error("the document has {size} bytes, {limit} are read at most")]
    TooLarge {
        /// Bytes that it has.
        size: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// Objects and lists are nested deeper than [`crate::MAX_DEPTH`]. No tool writes such a document by itself.
    #[error("objects and lists are nested more than {limit} deep")]
    TooDeep {
        /// Levels that it may have.
        limit: usize,
    },
    /// It has more objects than [`crate::MAX_OBJECTS`] or more values than [`crate::MAX_VALUES`].
    #[error("the document has more than {limit} {what}")]
    TooMany {
        /// What there is too much of.
        what: &'static str,
        /// How many there may be.
        limit: usize,
    },
    /// It is a bill of materials (or looks like one) in a format or version that is not read. Convert it first.
    #[error("{found} is not read (CycloneDX 1.4 to 1.7, SPDX 2.2, 2.3 and 3.0, Syft and Trivy JSON are)")]
    Unsupported {
        /// Format and version found.
        found: String,
    },
    /// It is signed, and nobody has verified the signature yet. Verify it first, then read the payload.
    #[error("this is a signed envelope ({kind}), not a bill of materials")]
    Signed {
        /// What kind of envelope.
        kind: &'static str,
    },
    /// It is something else. Give it a bill of materials.
    #[error("this is not a bill of materials: {reason}")]
    NotAnSbom {
        /// What it is instead, or what is missing.
        reason: String,
    },
    /// The format is right, but the document does not follow it. Make it again with the tool that wrote it.
    #[error("{format} document, line {line}, column {column}: {reason}")]
    Malformed {
        /// Which format it claims to be.
        format: &'static str,
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What is wrong there.
        reason: String,
    },
}

impl SbomError {
    pub(crate) fn malformed(format: &'static str, error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let reason = text.split_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned();
        Self::Malformed { format, line: error.line(), column: error.column(), reason }
    }
}

impl Explain for SbomError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } | Self::TooDeep { .. } | Self::TooMany { .. } => "sbom-too-large",
            Self::Unsupported { .. } => "sbom-format-unsupported",
            Self::Signed { .. } => "sbom-not-verified",
            Self::NotAnSbom { .. } => "not-an-sbom",
            Self::Malformed { .. } => "sbom-malformed",
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::TooLarge { .. } | Self::TooDeep { .. } | Self::TooMany { .. } => {
                "scan the artifact itself: assay scan IMAGE"
            }
            Self::Unsupported { .. } => {
                "convert it to CycloneDX 1.6 JSON, or scan the artifact itself: assay scan IMAGE"
            }
            Self::Signed { .. } => "verify it where it is attached: assay verify IMAGE",
            Self::NotAnSbom { .. } => "make one: assay sbom IMAGE",
            Self::Malformed { .. } => "make the document again with the tool that wrote it",
        };
        Some(step.to_owned())
    }
}
