//! Manifests, indexes, descriptors and configurations (OCI image-spec 1.1; Docker image manifest v2, schema 2).
//!
//! Reading is lenient about what it does not know and strict about what it uses; nothing here writes a manifest back:
//! what was read is kept as bytes, so that a digest stays what it is.

use std::collections::BTreeMap;

use assay_model::{Digest, Platform};
use bytes::Bytes;
use serde::{Deserialize, Deserializer, Serialize};

use crate::{OciError, json};

/// Largest manifest or index that is read, 4 MiB: what registries accept on a push (distribution-spec, "Pushing Manifests").
pub const MANIFEST_MAX: u64 = 4 << 20;
/// Largest configuration that is read.
pub const CONFIG_MAX: u64 = 8 << 20;
/// Most entries of an index, and most layers of a manifest, that are looked at.
const ENTRIES_MAX: usize = 10_000;

/// Media types.
pub mod media_type {
    /// An OCI image manifest.
    pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    /// An OCI image index.
    pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
    /// An OCI image configuration.
    pub const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
    /// The configuration of an artifact that has none (image-spec, "Guidance for an Empty Descriptor").
    pub const EMPTY: &str = "application/vnd.oci.empty.v1+json";
    /// An OCI layer, tar.
    pub const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
    /// An OCI layer, tar in gzip.
    pub const OCI_LAYER_GZIP: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
    /// A Docker manifest, schema 2.
    pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
    /// A Docker manifest list.
    pub const DOCKER_INDEX: &str = "application/vnd.docker.distribution.manifest.list.v2+json";
    /// Docker schema 1, without and with a signature: refused.
    pub const DOCKER_SCHEMA_1: [&str; 2] = [
        "application/vnd.docker.distribution.manifest.v1+json",
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
    ];
    /// What is asked for when a manifest is read.
    pub const ACCEPT: &str = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, \
        application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json";

    /// Whether a descriptor of this type names a manifest or an index.
    pub fn is_manifest(media_type: &str) -> bool {
        matches!(media_type, OCI_MANIFEST | OCI_INDEX | DOCKER_MANIFEST | DOCKER_INDEX)
    }
}

/// What a manifest says about a blob or another manifest (image-spec, descriptor.md).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// Its media type.
    #[serde(default)]
    pub media_type: String,
    /// Its digest.
    pub digest: Digest,
    /// Its size in bytes.
    pub size: u64,
    /// What kind of artifact it is, for manifests in an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_type: Option<String>,
    /// The platform, for images in an index.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "lenient_platform")]
    pub platform: Option<Platform>,
    /// Annotations.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty", deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
    /// Where else a layer lies; Assay never asks there.
    #[serde(default, skip_serializing_if = "Vec::is_empty", deserialize_with = "null_is_default")]
    pub urls: Vec<String>,
}

impl Descriptor {
    /// Describes `bytes`.
    pub fn of(media_type: &str, bytes: &[u8]) -> Self {
        Self::new(media_type, Digest::of(bytes), bytes.len() as u64)
    }

    /// Describes what has this digest and size.
    pub fn new(media_type: &str, digest: Digest, size: u64) -> Self {
        Self {
            media_type: media_type.to_owned(),
            digest,
            size,
            artifact_type: None,
            platform: None,
            annotations: BTreeMap::new(),
            urls: Vec::new(),
        }
    }
}

/// Some builders write `"annotations": null`.
fn null_is_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(deserializer: D) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

/// Attestations in an index have platforms such as `unknown/unknown`, some without an architecture at all.
fn lenient_platform<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Platform>, D::Error> {
    #[derive(Deserialize)]
    struct Loose {
        #[serde(default)]
        os: String,
        #[serde(default)]
        architecture: String,
        #[serde(default)]
        variant: Option<String>,
    }
    let loose = Option::<Loose>::deserialize(deserializer)?;
    Ok(loose.map(|loose| Platform {
        os: loose.os,
        architecture: loose.architecture,
        variant: loose.variant.filter(|variant| !variant.is_empty()),
    }))
}

/// An image manifest or an artifact manifest (image-spec, manifest.md).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageManifest {
    /// What kind of artifact it is, where it is not an image.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// The configuration.
    pub config: Descriptor,
    /// The layers, lowest first.
    #[serde(default, deserialize_with = "null_is_default")]
    pub layers: Vec<Descriptor>,
    /// What this refers to, for signatures and attestations.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

impl ImageManifest {
    /// The kind of artifact: `artifactType`, or the configuration's media type (distribution-spec, "Listing Referrers").
    pub fn effective_artifact_type(&self) -> &str {
        self.artifact_type.as_deref().filter(|kind| !kind.is_empty()).unwrap_or(&self.config.media_type)
    }
}

/// An index of manifests (image-spec, image-index.md; Docker's manifest list).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ImageIndex {
    /// What kind of artifact it is, where it is not an image.
    #[serde(default)]
    pub artifact_type: Option<String>,
    /// Its entries.
    #[serde(default, deserialize_with = "null_is_default")]
    pub manifests: Vec<Descriptor>,
    /// What this refers to.
    #[serde(default)]
    pub subject: Option<Descriptor>,
    /// Annotations.
    #[serde(default, deserialize_with = "null_is_default")]
    pub annotations: BTreeMap<String, String>,
}

/// A manifest that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Manifest {
    /// One image or artifact.
    Image(Box<ImageManifest>),
    /// An index.
    Index(Box<ImageIndex>),
}

impl Manifest {
    /// What this refers to, if anything.
    pub fn subject(&self) -> Option<&Descriptor> {
        match self {
            Self::Image(manifest) => manifest.subject.as_ref(),
            Self::Index(index) => index.subject.as_ref(),
        }
    }

    /// Its annotations.
    pub fn annotations(&self) -> &BTreeMap<String, String> {
        match self {
            Self::Image(manifest) => &manifest.annotations,
            Self::Index(index) => &index.annotations,
        }
    }
}

/// A manifest, with the bytes that its digest was computed from.
#[derive(Clone, Debug)]
pub struct RawManifest {
    /// The digest of `bytes`.
    pub digest: Digest,
    /// Its media type, from the document itself or else from the answer that carried it.
    pub media_type: String,
    /// The bytes as stored.
    pub bytes: Bytes,
    /// What they say.
    pub manifest: Manifest,
}

impl RawManifest {
    /// Reads `bytes` whose digest the caller has established. `content_type` is what the registry says they are; where the
    /// document says something else, they disagree about what it is, and it is refused.
    pub fn parse(bytes: Bytes, digest: Digest, content_type: Option<&str>, what: &str) -> Result<Self, OciError> {
        let invalid = |reason: String| OciError::InvalidManifest { what: what.to_owned(), reason };
        if bytes.len() as u64 > MANIFEST_MAX {
            return Err(OciError::TooLarge { what: what.to_owned(), limit: MANIFEST_MAX });
        }
        // serde reads a struct from an array as well.
        if bytes.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(invalid("it is no JSON object".to_owned()));
        }
        let head: Head = json::parse(&bytes).map_err(invalid)?;
        let content_type = content_type
            .and_then(|kind| kind.split(';').next())
            .map(str::trim)
            .filter(|kind| media_type::is_manifest(kind) || media_type::DOCKER_SCHEMA_1.contains(kind));
        let declared = head.media_type.as_deref().filter(|kind| !kind.is_empty());
        let schema_one = |kind: &str| media_type::DOCKER_SCHEMA_1.contains(&kind);
        if head.schema_version == 1 || declared.is_some_and(schema_one) || content_type.is_some_and(schema_one) {
            return Err(OciError::SchemaOne { what: what.to_owned() });
        }
        if head.schema_version != 2 {
            return Err(invalid(format!("schemaVersion is {}, not 2", head.schema_version)));
        }
        if let (Some(inside), Some(outside)) = (declared, content_type)
            && inside != outside
        {
            return Err(invalid(format!("it calls itself {inside}, the registry calls it {outside}")));
        }
        let media_type = declared.or(content_type).unwrap_or(match (head.manifests.is_some(), head.config.is_some()) {
            (true, false) => media_type::OCI_INDEX,
            _ => media_type::OCI_MANIFEST,
        });
        // A document with both lists is an image to one reader and an index to the other (image-spec, "Ambiguous").
        if head.manifests.is_some() && (head.config.is_some() || head.layers.is_some()) {
            return Err(invalid("it has `manifests` beside `config` or `layers`".to_owned()));
        }
        let manifest = match media_type {
            media_type::OCI_INDEX | media_type::DOCKER_INDEX => {
                Manifest::Index(serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?)
            }
            media_type::OCI_MANIFEST | media_type::DOCKER_MANIFEST => {
                Manifest::Image(serde_json::from_slice(&bytes).map_err(|error| invalid(error.to_string()))?)
            }
            other => return Err(invalid(format!("media type {other} is not a manifest"))),
        };
        let entries = match &manifest {
            Manifest::Image(manifest) => manifest.layers.len(),
            Manifest::Index(index) => index.manifests.len(),
        };
        if entries > ENTRIES_MAX {
            return Err(OciError::TooMany { what: format!("{what}: entries"), limit: ENTRIES_MAX });
        }
        Ok(Self { digest, media_type: media_type.to_owned(), bytes, manifest })
    }

    /// Its descriptor, as an index would list it: with artifact type and annotations where it is a referrer.
    pub fn descriptor(&self) -> Descriptor {
        let mut descriptor = Descriptor::new(&self.media_type, self.digest, self.bytes.len() as u64);
        if self.manifest.subject().is_some() {
            descriptor.artifact_type = match &self.manifest {
                Manifest::Image(manifest) => Some(manifest.effective_artifact_type().to_owned()),
                Manifest::Index(index) => index.artifact_type.clone(),
            };
            descriptor.annotations = self.manifest.annotations().clone();
        }
        descriptor
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    #[serde(default)]
    schema_version: u64,
    #[serde(default)]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    config: Option<serde::de::IgnoredAny>,
    #[serde(default)]
    layers: Option<serde::de::IgnoredAny>,
}

/// An image configuration (image-spec, config.md): what Assay uses of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ImageConfig {
    /// When the image was made, as written.
    pub created: Option<String>,
    /// GOOS value.
    pub os: String,
    /// GOARCH value.
    pub architecture: String,
    /// Processor variant.
    pub variant: Option<String>,
    /// How the container runs.
    #[serde(deserialize_with = "null_is_default")]
    pub config: ContainerConfig,
    /// The layers' uncompressed digests: what the configuration claims, never an identity to cache by.
    #[serde(deserialize_with = "null_is_default")]
    pub rootfs: RootFs,
    /// The build steps.
    #[serde(deserialize_with = "null_is_default")]
    pub history: Vec<HistoryEntry>,
}

/// How a container of the image runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub struct ContainerConfig {
    /// User, with group: `1000:1000`, `nobody`; empty means root.
    pub user: String,
    /// `NAME=value`.
    #[serde(deserialize_with = "null_is_default")]
    pub env: Vec<String>,
    /// Entry point.
    #[serde(deserialize_with = "null_is_default")]
    pub entrypoint: Vec<String>,
    /// Arguments.
    #[serde(deserialize_with = "null_is_default")]
    pub cmd: Vec<String>,
    /// Working directory.
    pub working_dir: String,
    /// Labels.
    #[serde(deserialize_with = "null_is_default")]
    pub labels: BTreeMap<String, String>,
}

/// The layers as the configuration names them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct RootFs {
    /// Uncompressed digests, lowest first.
    pub diff_ids: Vec<Digest>,
}

/// One build step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct HistoryEntry {
    /// When, as written.
    pub created: Option<String>,
    /// The command.
    #[serde(deserialize_with = "null_is_default")]
    pub created_by: String,
    /// Whether the step made no layer.
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads a configuration.
    pub fn parse(bytes: &[u8], what: &str) -> Result<Self, OciError> {
        json::parse(bytes).map_err(|reason| OciError::InvalidManifest { what: what.to_owned(), reason })
    }
}

#[cfg(test)]
mod tests;
