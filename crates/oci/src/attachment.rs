//! What cosign kept beside an image before registries listed referrers: a manifest under a tag that is made of the image's
//! digest (sigstore/cosign, specs/SIGNATURE_SPEC.md and ATTESTATION_SPEC.md), whose layers each hold one document.
//!
//! A tag proves nothing about whom it belongs to: every document has to name the image's digest itself.

use assay_model::Digest;

/// A kind of tag beside an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Attachment {
    /// `sha256-<hex>.sig`: simple-signing payloads, their signatures in annotations.
    Signatures,
    /// `sha256-<hex>.att`: DSSE envelopes.
    Attestations,
    /// `sha256-<hex>.sbom`: an SBOM that nobody signed.
    Sbom,
}

impl Attachment {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Signatures, Self::Attestations, Self::Sbom];

    /// The tag that it has beside the image or index of this digest.
    ///
    /// ```
    /// use assay_model::Digest;
    /// use assay_oci::Attachment;
    ///
    /// let tag = Attachment::Signatures.tag(Digest::of(b"an image manifest"));
    /// assert!(tag.starts_with("sha256-") && tag.ends_with(".sig"));
    /// ```
    pub fn tag(self, digest: Digest) -> String {
        let suffix = match self {
            Self::Signatures => "sig",
            Self::Attestations => "att",
            Self::Sbom => "sbom",
        };
        format!("{}.{suffix}", digest.fallback_tag())
    }

    /// What `cosign save` writes into the annotation `kind` of an entry, instead of a tag; SBOMs it leaves out
    /// (sigstore/cosign, pkg/oci/layout/write.go).
    pub(crate) fn layout_kind(self) -> Option<&'static str> {
        match self {
            Self::Signatures => Some("dev.cosignproject.cosign/sigs"),
            Self::Attestations => Some("dev.cosignproject.cosign/atts"),
            Self::Sbom => None,
        }
    }
}
