//! The kinds of `assay.dev/v1` as CustomResourceDefinitions (Kubernetes API reference, apiextensions.k8s.io/v1).
//!
//! They are written once, into `deploy/crds.yaml`, and read from there: a test generates them from the Rust types and
//! compares, or writes the file where `ASSAY_UPDATE_REFERENCE` says so. The product needs no schema generator for it.

#[cfg(test)]
mod generate;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod structural;

use serde_json::Value;

use crate::client::Resource;

/// Environments.
pub const ENVIRONMENTS: Resource = Resource::cluster("assay.dev", "v1", "environments");
/// TrustRoots.
pub const TRUST_ROOTS: Resource = Resource::cluster("assay.dev", "v1", "trustroots");
/// Exceptions.
pub const EXCEPTIONS: Resource = Resource::cluster("assay.dev", "v1", "exceptions");
/// ReleaseArtifacts.
pub const RELEASE_ARTIFACTS: Resource = Resource::cluster("assay.dev", "v1", "releaseartifacts");

/// What `kubectl apply` keeps of an object in an annotation may have so many bytes (apimachinery,
/// `TotalAnnotationSizeLimitB`).
pub const ANNOTATION_BYTES_MAX: usize = 262_144;

/// All of them as `kubectl apply` takes them: YAML, one document each, in the order of their names.
pub const CRDS_YAML: &str = include_str!("../../../deploy/crds.yaml");

/// The same, read.
pub fn custom_resource_definitions() -> Vec<Value> {
    // A test reads them: the text is ours.
    serde_saphyr::from_multiple(CRDS_YAML).unwrap_or_default()
}

#[cfg(test)]
mod tests;
