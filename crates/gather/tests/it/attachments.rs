//! What cosign kept under tags beside an image: read beside the referrers, bounded, and evidence only where it is signed.

use assay_case::EvidenceSet;
use assay_oci::{Artifact, ArtifactLayer, Attachment};
use assay_trust::EvidenceKind;
use serde_json::{Value, json};

use super::*;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const SBOM: &str = "application/vnd.cyclonedx+json";

/// A layer whose bytes are in the registry.
fn layer(registry: &Registry, media_type: &str, content: &str) -> Value {
    let digest = registry.put_blob("team/app", content.to_owned().into_bytes());
    json!({"mediaType": media_type, "digest": digest, "size": content.len()})
}

fn tagged(registry: &Registry, kind: Attachment, subject: Digest, layers: &[Value]) -> Digest {
    let config =
        json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b"{}"), "size": 2});
    let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers});
    registry.put_manifest("team/app", Some(&kind.tag(subject)), MANIFEST, manifest.to_string().into_bytes())
}

async fn evidence(registry: &Registry, digest: Digest) -> Known<EvidenceSet> {
    let options = Options { materials: vec![TrustMaterial::new()], ..options() };
    let pinned = reference(registry, &format!("team/app@{digest}"));
    let wanted = Wanted { contents: false, ..Wanted::default() };
    only(Gatherer::new(options).facts(&access(), &pinned, &wanted).await).evidence.clone()
}

#[tokio::test]
async fn sboms_that_nobody_signed_are_claims_under_a_tag_and_as_referrers() {
    let registry = registry().await;
    let image = image("app");
    let digest = registry.put_image("team/app", "1.0", &image);
    let document = layer(&registry, SBOM, "{\"bomFormat\":\"CycloneDX\"}");
    let under_tag = tagged(&registry, Attachment::Sbom, digest, &[document]);
    let referring = Artifact {
        artifact_type: SBOM.to_owned(),
        layers: vec![ArtifactLayer {
            media_type: SBOM.to_owned(),
            bytes: "{}".into(),
            annotations: std::collections::BTreeMap::new(),
        }],
        annotations: std::collections::BTreeMap::new(),
    };
    let subject = Descriptor::of(image.media_type(), image.manifest());
    let referring = registry.put_manifest("team/app", None, MANIFEST, referring.manifest(&subject));

    // Where a referrer is an SBOM, nobody asks for the tag.
    registry.clear_requests();
    let claims = |set: &EvidenceSet| {
        assert!(set.verified.is_empty() && !set.truncated);
        set.rejected.iter().map(|claim| (claim.source, claim.kind, claim.code.clone())).collect::<Vec<_>>()
    };
    let (sbom, code) = (Some(EvidenceKind::Sbom), "referrer-unsigned".to_owned());
    let known = evidence(&registry, digest).await;
    assert_eq!(claims(known.get().unwrap()), [(referring, sbom, code.clone())]);
    let tag = Attachment::Sbom.tag(digest);
    assert!(!registry.requests().iter().any(|request| request.path.ends_with(&tag)));

    let other = self::image("other");
    let digest = registry.put_image("team/app", "2.0", &other);
    let document = layer(&registry, SBOM, "{\"bomFormat\":\"CycloneDX\"}");
    tagged(&registry, Attachment::Sbom, digest, &[document]);
    let known = evidence(&registry, digest).await;
    assert_eq!(claims(known.get().unwrap()), [(under_tag, sbom, code)], "the same manifest under its tag");
}

#[tokio::test]
async fn of_a_tag_without_end_the_newest_are_read_and_the_rest_is_said_to_be_missing() {
    let registry = registry().await;
    let digest = registry.put_image("team/app", "1.0", &image("app"));
    let kind = "application/vnd.dev.cosign.simplesigning.v1+json";
    let layers: Vec<Value> = (0..100).map(|number| layer(&registry, kind, &format!("{{\"n\":{number}}}"))).collect();
    tagged(&registry, Attachment::Signatures, digest, &layers);
    let known = evidence(&registry, digest).await;
    let set = known.get().unwrap();
    assert!(set.truncated && set.verified.is_empty());
    assert_eq!(set.rejected.len(), options().referrers);
    // cosign adds at the end.
    assert_eq!(set.rejected[0].source, Digest::of(b"{\"n\":99}"));
}

#[tokio::test]
async fn a_tag_that_cannot_be_read_is_not_the_same_as_none() {
    let registry = registry().await;
    let digest = registry.put_image("team/app", "1.0", &image("app"));
    let none = evidence(&registry, digest).await;
    assert!(none.get().unwrap().rejected.is_empty());
    // The image's own manifest is read first.
    let images = 1;
    for status in [403, 500] {
        registry.clear_requests();
        let gatherer = Gatherer::new(Options { materials: vec![TrustMaterial::new()], ..options() });
        let pinned = reference(&registry, &format!("team/app@{digest}"));
        let wanted = Wanted { contents: false, evidence: false, ..Wanted::default() };
        only(gatherer.facts(&access(), &pinned, &wanted).await);
        assert_eq!(registry.count(Endpoint::Manifest), images);
        registry.set_fault(Fault::Status { endpoint: Some(Endpoint::Manifest), status, count: 99, retry_after: None });
        let wanted = Wanted { contents: false, ..Wanted::default() };
        let facts = only(gatherer.facts(&access(), &pinned, &wanted).await);
        assert!(facts.evidence.get().is_err(), "{status}");
        registry.clear_faults();
    }
}
