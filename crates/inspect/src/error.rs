//! Why inspection could not begin or could not be trusted.

use std::path::PathBuf;

use assay_model::{Digest, Explain};

/// Why a layer has no result. Damage inside a layer whose digest is right is no error: its result is `partial`.
#[derive(Debug, thiserror::Error)]
pub enum LayerError {
    /// The bytes could not be read from their source. Try again, or check the file or the network.
    #[error("layer {digest} could not be read")]
    Read {
        /// The layer that was asked for.
        digest: Digest,
        /// What the source said.
        source: std::io::Error,
    },
    /// The bytes are not the ones that the manifest names. Nothing found in them is returned.
    #[error("layer {expected} has other bytes: they hash to {found}")]
    DigestMismatch {
        /// The digest in the manifest.
        expected: Box<Digest>,
        /// The digest of the bytes that came.
        found: Box<Digest>,
    },
    /// The media type names something that is not a readable tar archive, for example an encrypted layer.
    #[error("layer {digest} has media type `{media_type}`, which is not a readable tar archive")]
    UnsupportedMediaType {
        /// The layer that was asked for.
        digest: Digest,
        /// Its media type, as the manifest has it.
        media_type: String,
    },
}

impl Explain for LayerError {
    fn code(&self) -> &'static str {
        match self {
            Self::Read { .. } => "layer-unreadable",
            Self::DigestMismatch { .. } => "layer-digest-mismatch",
            Self::UnsupportedMediaType { .. } => "layer-media-type-unsupported",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::Read { .. } => "read the image again; if it is a local file, check that it is complete".to_owned(),
            Self::DigestMismatch { .. } => {
                "do not use these bytes: the registry, a mirror or the disk altered them; pull from the origin"
                    .to_owned()
            }
            Self::UnsupportedMediaType { .. } => {
                "inspect the image before it is encrypted, or name an image rather than another artifact".to_owned()
            }
        })
    }
}

/// Why a directory has no result.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// The path cannot be opened, or is no directory. Single unreadable files below it are no error: the result is `partial`.
    #[error("directory {} cannot be read", path.display())]
    Open {
        /// The directory that was asked for.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Explain for DirectoryError {
    fn code(&self) -> &'static str {
        "directory-unreadable"
    }

    fn next_step(&self) -> Option<String> {
        Some("name an existing directory that this user may read, as dir:PATH".to_owned())
    }
}

/// Why an image configuration was not understood.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The document is larger than [`crate::CONFIG_BYTES`].
    #[error("the image configuration has {bytes} bytes, more than the {limit} that are read")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// The document is not JSON, or is nested deeper than 128 levels.
    #[error("the image configuration is not a JSON object: {source}")]
    Malformed {
        /// Where and why.
        source: serde_json::Error,
    },
}

impl Explain for ConfigError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "image-config-too-large",
            Self::Malformed { .. } => "image-config-malformed",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some("build the image again with a current builder; no runtime would start it as it is".to_owned())
    }
}

/// Why a layer cannot be read by its table of contents. Then the whole blob is read, which its own digest checks.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
    /// A part of the blob could not be fetched, for example because the registry serves no ranges, or not be inflated.
    #[error("a part of the layer could not be read")]
    Fetch(#[source] std::io::Error),
    /// The table or a chunk has other bytes than its digest says.
    #[error("expected {expected}, received {found}")]
    Digest {
        /// What the manifest or the table says.
        expected: Box<Digest>,
        /// What came.
        found: Box<Digest>,
    },
    /// The table is not one, or contradicts itself.
    #[error("the table of contents cannot be used: {0}")]
    Malformed(String),
}

impl Explain for TableError {
    fn code(&self) -> &'static str {
        match self {
            Self::Fetch(_) => "table-part-unreadable",
            Self::Digest { .. } => "table-digest-mismatch",
            Self::Malformed(_) => "table-malformed",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some("read the whole layer".to_owned())
    }
}

/// Why nothing can be said about a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// A document is larger than [`crate::Limits::json_bytes`].
    #[error("the document has {size} bytes, more than the {limit} that are read")]
    TooLarge {
        /// Its size.
        size: u64,
        /// The bound.
        limit: u64,
    },
    /// A document is not JSON.
    #[error("the document is not JSON: {reason}")]
    NotJson {
        /// Where and why.
        reason: String,
    },
    /// There is neither a Node nor a Pod in the documents.
    #[error("there is neither a Node nor a Pod in it")]
    Nothing,
}

impl Explain for ClusterError {
    fn code(&self) -> &'static str {
        match self {
            Self::TooLarge { .. } => "cluster-too-large",
            Self::NotJson { .. } => "cluster-not-json",
            Self::Nothing => "cluster-empty",
        }
    }

    fn next_step(&self) -> Option<String> {
        Some(match self {
            Self::TooLarge { .. } => "give the cluster's own: kubectl get pods -n kube-system -o json".to_owned(),
            Self::NotJson { .. } | Self::Nothing => {
                "kubectl get nodes,pods -A -o json | assay sbom cluster -".to_owned()
            }
        })
    }
}
