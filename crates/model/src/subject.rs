//! A resolved artifact: what may be trusted, because its content is fixed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Digest, Repository};

/// Operating system and processor (OCI image-spec, image-index.md, `platform`).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Platform {
    /// GOOS value, for example `linux`.
    pub os: String,
    /// GOARCH value, for example `amd64`.
    pub architecture: String,
    /// Processor variant, for example `v8`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// `linux/amd64`: what a cluster runs unless somebody says otherwise.
    pub fn linux_amd64() -> Self {
        Self { os: "linux".into(), architecture: "amd64".into(), variant: None }
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        if let Some(variant) = &self.variant {
            write!(f, "/{variant}")?;
        }
        Ok(())
    }
}

impl FromStr for Platform {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('/');
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(os), Some(architecture), variant, None) if !os.is_empty() && !architecture.is_empty() => Ok(Self {
                os: os.to_owned(),
                architecture: architecture.to_owned(),
                variant: variant.map(str::to_owned),
            }),
            _ => Err(format!("`{text}` is not a platform; write os/architecture[/variant], for example linux/amd64")),
        }
    }
}

/// A manifest digest in a repository, with the index it was reached through and its platform.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// Where it was read.
    pub repository: Repository,
    /// The platform manifest (or the only manifest).
    pub digest: Digest,
    /// The index through which it was resolved, if one was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub index: Option<Digest>,
    /// The platform chosen in that index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<Platform>,
}

impl Subject {
    /// The digests whose evidence covers this subject: its own, then its index's.
    pub fn covering_digests(&self) -> impl Iterator<Item = Digest> + '_ {
        std::iter::once(self.digest).chain(self.index)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.repository, self.digest)
    }
}
