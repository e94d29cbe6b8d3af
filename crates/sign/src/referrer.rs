//! Bundles as OCI 1.1 referrers (image-spec 1.1, "Guidelines for Artifact Usage"; sigstore/cosign `specs/BUNDLE_SPEC.md`).

use std::collections::BTreeMap;

use assay_model::{Digest, Timestamp};
use serde::Serialize;

use crate::{BUNDLE_MEDIA_TYPE, SignError, SignedBundle};

const MANIFEST_MEDIA_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
/// The empty configuration of artifacts (image-spec, "Guidance for an Empty Descriptor").
const EMPTY_MEDIA_TYPE: &str = "application/vnd.oci.empty.v1+json";
const EMPTY: &[u8] = b"{}";

/// The manifest that is being signed, as the registry knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubjectDescriptor {
    /// Its media type, of an image manifest or an index.
    pub media_type: String,
    /// Its size in bytes.
    pub size: u64,
}

/// A blob to push before the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Its digest.
    pub digest: Digest,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A manifest that attaches a bundle to its subject, with the blobs it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReferrerManifest {
    /// The manifest's bytes: its digest is theirs.
    pub manifest: Vec<u8>,
    /// Its media type.
    pub media_type: &'static str,
    /// Its artifact type, which the referrers endpoint filters by.
    pub artifact_type: &'static str,
    /// Configuration and layer.
    pub blobs: [Blob; 2],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Wire<'a> {
    schema_version: u8,
    media_type: &'static str,
    artifact_type: &'static str,
    config: Descriptor<'a>,
    layers: [Descriptor<'a>; 1],
    subject: Descriptor<'a>,
    annotations: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor<'a> {
    media_type: &'a str,
    digest: Digest,
    size: u64,
}

impl SignedBundle {
    /// The manifest that attaches this bundle to its subject. Same input, same bytes.
    pub fn referrer(&self, subject: &SubjectDescriptor, created: Timestamp) -> Result<ReferrerManifest, SignError> {
        let config = Blob { digest: Digest::of(EMPTY), bytes: EMPTY.to_vec() };
        let layer = Blob { digest: Digest::of(self.bytes()), bytes: self.bytes().to_vec() };
        // Whole seconds, as other tools write them.
        let created = created.round(jiff::Unit::Second).unwrap_or(created);
        let wire = Wire {
            schema_version: 2,
            media_type: MANIFEST_MEDIA_TYPE,
            artifact_type: BUNDLE_MEDIA_TYPE,
            config: descriptor(EMPTY_MEDIA_TYPE, &config),
            layers: [descriptor(BUNDLE_MEDIA_TYPE, &layer)],
            subject: Descriptor { media_type: &subject.media_type, digest: self.subject(), size: subject.size },
            annotations: BTreeMap::from([
                ("org.opencontainers.image.created", created.to_string()),
                ("dev.sigstore.bundle.content", "dsse-envelope".to_owned()),
                ("dev.sigstore.bundle.predicateType", self.predicate_type().to_owned()),
            ]),
        };
        let manifest = serde_json::to_vec(&wire).map_err(|error| SignError::Encode { reason: error.to_string() })?;
        Ok(ReferrerManifest {
            manifest,
            media_type: MANIFEST_MEDIA_TYPE,
            artifact_type: BUNDLE_MEDIA_TYPE,
            blobs: [config, layer],
        })
    }
}

fn descriptor<'a>(media_type: &'a str, blob: &Blob) -> Descriptor<'a> {
    Descriptor { media_type, digest: blob.digest, size: blob.bytes.len() as u64 }
}
