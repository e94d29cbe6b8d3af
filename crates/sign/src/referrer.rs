//! Bundles as OCI 1.1 referrers (image-spec 1.1, "Guidelines for Artifact Usage"; sigstore/cosign `specs/BUNDLE_SPEC.md`).

use std::collections::BTreeMap;

use assay_model::Timestamp;
use assay_oci::{Artifact, ArtifactLayer};

use crate::{BUNDLE_MEDIA_TYPE, SignedBundle};

impl SignedBundle {
    /// The artifact to attach to the bundle's subject (`assay_oci::Client::attach`). Same input, same bytes.
    pub fn artifact(&self, created: Timestamp) -> Artifact {
        // Whole seconds, as other tools write them.
        let created = created.round(jiff::Unit::Second).unwrap_or(created);
        let annotations = [
            ("org.opencontainers.image.created", created.to_string()),
            ("dev.sigstore.bundle.content", "dsse-envelope".to_owned()),
            ("dev.sigstore.bundle.predicateType", self.predicate_type().to_owned()),
        ];
        let layer = ArtifactLayer {
            media_type: BUNDLE_MEDIA_TYPE.to_owned(),
            bytes: self.bytes().to_vec().into(),
            annotations: BTreeMap::new(),
        };
        Artifact {
            artifact_type: BUNDLE_MEDIA_TYPE.to_owned(),
            layers: vec![layer],
            annotations: annotations.into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
        }
    }
}
