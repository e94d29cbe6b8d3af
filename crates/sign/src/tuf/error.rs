//! Why a trusted root was not refreshed.

use std::path::PathBuf;

use assay_model::{Explain, Timestamp};

/// Why a TUF repository was not believed, or not reached. What was trusted before stays trusted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TufError {
    /// The address of the mirror cannot be used: not a URL, or plain HTTP beyond this machine.
    #[error("the address `{address}` of the TUF mirror is not usable: {reason}")]
    Address {
        /// As given.
        address: String,
        /// What was wrong.
        reason: String,
    },
    /// TLS could not be set up, or the file of certificate authorities cannot be used.
    #[error("connections cannot be set up: {reason}")]
    Setup {
        /// What was wrong.
        reason: String,
    },
    /// The mirror could not be reached or did not answer in time.
    #[error("the TUF mirror cannot be reached ({file}): {reason}")]
    Unreachable {
        /// What was asked for.
        file: String,
        /// What the connection says.
        reason: String,
    },
    /// The mirror answered with an error.
    #[error("the TUF mirror answered {status} ({file})")]
    Refused {
        /// What was asked for.
        file: String,
        /// HTTP status.
        status: u16,
    },
    /// The mirror's answer is longer than this file may be.
    #[error("{file} has more than {limit} bytes")]
    TooLarge {
        /// What was asked for.
        file: String,
        /// The most that is read.
        limit: u64,
    },
    /// The mirror lacks a file that its own metadata names, or has more roots than are followed.
    #[error("the TUF repository is incomplete: {reason}")]
    Incomplete {
        /// What is missing.
        reason: String,
    },
    /// Metadata cannot be read.
    #[error("TUF metadata cannot be read: {reason}")]
    Malformed {
        /// What was wrong.
        reason: String,
    },
    /// Fewer keys than the role's threshold signed.
    #[error("the TUF role {role} has {found} valid signatures of {threshold}")]
    Threshold {
        /// The role.
        role: String,
        /// Distinct keys that signed.
        found: usize,
        /// How many must sign.
        threshold: usize,
    },
    /// One key stands under two names for a role, or signs twice.
    #[error("the TUF role {role} counts one key twice ({key})")]
    RepeatedKey {
        /// The role.
        role: String,
        /// The identity of the key.
        key: String,
    },
    /// The mirror offers an older version than is trusted.
    #[error("the TUF role {role} was rolled back from version {trusted} to {offered}")]
    Rollback {
        /// The role.
        role: String,
        /// Version that is trusted.
        trusted: u64,
        /// Version that was offered.
        offered: u64,
    },
    /// A root does not have the version that follows on the trusted one.
    #[error("the TUF root after version {trusted} says that it is version {offered}")]
    RootVersion {
        /// Version that is trusted.
        trusted: u64,
        /// Version that was offered.
        offered: u64,
    },
    /// Metadata has expired: the mirror is stale, or somebody holds newer metadata back.
    #[error("the TUF role {role} expired at {at}")]
    Expired {
        /// The role.
        role: String,
        /// When.
        at: Timestamp,
    },
    /// A file is not the one that the metadata above it names: length, hash or version differ.
    #[error("a file is not the one that TUF metadata names: {reason}")]
    Mismatch {
        /// What differs.
        reason: String,
    },
    /// No role that is trusted for this name lists it.
    #[error("the TUF repository has no `{name}`")]
    NoTarget {
        /// What was asked for.
        name: String,
    },
    /// A target name would leave its folder.
    #[error("`{name}` is no name of a target")]
    TargetName {
        /// As asked for.
        name: String,
    },
    /// The repository is genuine, and what it gives cannot be used as a trusted root.
    #[error("the trusted root of the TUF repository cannot be used: {reason}")]
    Root {
        /// What was wrong.
        reason: String,
    },
    /// The folder of the cache cannot be read or written.
    #[error("{}: {source}", path.display())]
    Cache {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

impl Explain for TufError {
    fn code(&self) -> &'static str {
        match self {
            Self::Address { .. } => "tuf-address-invalid",
            Self::Setup { .. } => "tuf-setup-failed",
            Self::Unreachable { .. } => "tuf-unreachable",
            Self::Refused { .. } => "tuf-refused",
            Self::TooLarge { .. } => "tuf-file-too-large",
            Self::Incomplete { .. } => "tuf-repository-incomplete",
            Self::Malformed { .. } => "tuf-metadata-malformed",
            Self::Threshold { .. } => "tuf-threshold-not-met",
            Self::RepeatedKey { .. } => "tuf-key-repeated",
            Self::Rollback { .. } => "tuf-rollback",
            Self::RootVersion { .. } => "tuf-root-version",
            Self::Expired { .. } => "tuf-metadata-expired",
            Self::Mismatch { .. } => "tuf-file-mismatch",
            Self::NoTarget { .. } => "tuf-target-missing",
            Self::TargetName { .. } => "tuf-target-name-invalid",
            Self::Root { .. } => "trusted-root-invalid",
            Self::Cache { .. } => "tuf-cache-failed",
        }
    }

    fn next_step(&self) -> Option<String> {
        let step = match self {
            Self::Address { .. } => "give an https:// address",
            Self::Unreachable { .. } | Self::Refused { .. } => {
                "the last good root stays in use; check the mirror's address, the proxy variables and the CA file"
            }
            Self::Expired { .. } => {
                "the last good root stays in use; check this machine's clock, then ask the mirror's operator"
            }
            Self::Threshold { .. } | Self::RepeatedKey { .. } | Self::Rollback { .. } | Self::RootVersion { .. } => {
                "the last good root stays in use; treat the mirror as compromised until its operator explains"
            }
            Self::Mismatch { .. } | Self::Incomplete { .. } => {
                "the last good root stays in use; the mirror may be in the middle of an update, try again later"
            }
            Self::Cache { .. } => "make the folder writable, or name another with --cache-dir",
            _ => return None,
        };
        Some(step.to_owned())
    }
}

/// The library's error as a cause. An error of our own transport comes back as it went in.
pub(super) fn cause(error: sigstore_tuf::Error) -> TufError {
    use sigstore_tuf::Error;
    match error {
        Error::Transport { message, source } => {
            match source.map(<dyn std::error::Error + Send + Sync>::downcast::<TufError>) {
                Some(Ok(own)) => *own,
                Some(Err(other)) => TufError::Incomplete { reason: format!("{message}: {other}") },
                None => TufError::Incomplete { reason: message },
            }
        }
        Error::ThresholdNotMet { role, found, threshold } => TufError::Threshold { role, found, threshold },
        Error::DuplicateSignature { role, key_id } => TufError::RepeatedKey { role, key: key_id },
        Error::Rollback { role, trusted, new } => TufError::Rollback { role, trusted, offered: new },
        Error::BadRootVersion { trusted, new } => TufError::RootVersion { trusted, offered: new },
        Error::Expired { role, expires } => TufError::Expired { role, at: expires },
        Error::IntegrityMismatch(reason) => TufError::Mismatch { reason },
        Error::TargetNotFound(name) => TufError::NoTarget { name },
        Error::Json(error) => TufError::Malformed { reason: error.to_string() },
        other => TufError::Malformed { reason: other.to_string() },
    }
}
