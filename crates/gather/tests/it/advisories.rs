//! Weaknesses published for tools that gather evidence; each test is named after one.

use std::collections::BTreeMap;

use assay_gather::{Gatherer, Options, Wanted};
use assay_model::Digest;
use assay_oci::{Artifact, Descriptor};
use assay_sandbox::sigstore::{Authority, Identity, evidence};
use assay_sandbox::{BuiltImage, Endpoint, Fault};
use assay_sign::{BUNDLE_MEDIA_TYPE, Statement};
use serde_json::json;

use crate::{access, cause, image, only, options, reference, registry};

fn authority() -> Authority {
    Authority::new("2026-03-01T12:00:00Z".parse().unwrap())
}

/// Trusts the authority, an hour after it signs.
fn trusting(authority: &Authority) -> Gatherer {
    let now = authority.clock().now() + jiff::SignedDuration::from_hours(1);
    let clock = std::sync::Arc::new(move || now);
    Gatherer::new(Options { materials: vec![evidence::material(authority)], clock, ..options() })
}

/// A signature of one image, as a referrer of some image.
fn signature(authority: &Authority, of: &BuiltImage) -> Artifact {
    let release = Identity::github("company/payments", "release.yml", "refs/heads/main");
    let bundle = evidence::bundle(authority, &release, &Statement::image_signature(&of.digest()));
    bundle.artifact(authority.clock().now())
}

fn descriptor(image: &BuiltImage) -> Descriptor {
    Descriptor::of(image.media_type(), image.manifest())
}

/// notation-go: a registry in other hands has the wrong artifact verified. A good signature that it hangs on another image
/// proves nothing, and other bytes under a good digest are no image.
#[tokio::test]
async fn cve_2023_33959_a_registry_cannot_have_another_artifact_verified() {
    let (registry, authority) = (registry().await, authority());
    let (good, evil) = (image("good"), image("evil"));
    registry.put_image("team/app", "good", &good);
    registry.put_image("team/app", "1.0", &evil);
    let (gatherer, access) = (trusting(&authority), access());
    let tagged = reference(&registry, "team/app:1.0");
    for image in [&good, &evil] {
        let attached = signature(&authority, &good);
        access.client().attach(tagged.repository(), &descriptor(image), &attached).await.unwrap();
    }
    let honest = gatherer.facts(&access, &reference(&registry, "team/app:good"), &Wanted::default()).await;
    assert_eq!(only(honest).evidence.get().unwrap().verified.len(), 1, "the signature itself is good");
    let facts = only(gatherer.facts(&access, &tagged, &Wanted::default()).await);
    assert_eq!(facts.subject.digest, evil.digest());
    let set = facts.evidence.get().unwrap();
    assert!(set.verified.is_empty());
    assert_eq!(set.rejected.iter().map(|claim| claim.code.as_str()).collect::<Vec<_>>(), ["evidence-wrong-digest"]);

    registry.set_fault(Fault::LiesAbout(good.digest()));
    let pinned = reference(&registry, &format!("team/app@{}", good.digest()));
    let fresh = trusting(&authority);
    assert_eq!(cause(&fresh.facts(&access, &pinned, &Wanted::default()).await), "digest-mismatch");
}

/// cosign, notation: as many attachments as a registry likes. The newest are read, and the set says that it is not whole.
#[tokio::test]
async fn cve_2024_29903_and_cve_2023_33957_attachments_without_end_are_bounded_and_said() {
    let (registry, authority) = (registry().await, authority());
    let image = image("app");
    registry.put_image("team/app", "1.0", &image);
    for number in 0..100 {
        let annotations = BTreeMap::from([("n".to_owned(), number.to_string())]);
        let artifact = Artifact { artifact_type: "application/spdx+json".into(), layers: Vec::new(), annotations };
        let manifest = artifact.manifest(&descriptor(&image));
        registry.put_manifest("team/app", None, "application/vnd.oci.image.manifest.v1+json", manifest);
    }
    let limit = options().referrers;
    let facts = trusting(&authority).facts(&access(), &reference(&registry, "team/app:1.0"), &Wanted::default()).await;
    let facts = only(facts);
    let set = facts.evidence.get().unwrap();
    assert!(set.truncated);
    assert_eq!(set.rejected.len(), limit, "no more than {limit} are read");
}

/// cosign, notation: one attachment as large as a registry likes. It is refused by the size it announces and never asked for.
#[tokio::test]
async fn cve_2024_29902_and_cve_2023_33958_an_attachment_that_is_too_large_is_not_read() {
    let (registry, authority) = (registry().await, authority());
    let image = image("app");
    registry.put_image("team/app", "1.0", &image);
    let subject = descriptor(&image);
    let huge = Digest::of(b"huge");
    let manifest = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json", "artifactType": BUNDLE_MEDIA_TYPE,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": Digest::of(b"{}"), "size": 2},
        "layers": [{"mediaType": BUNDLE_MEDIA_TYPE, "digest": huge, "size": 1_u64 << 40}],
        "subject": {"mediaType": image.media_type(), "digest": subject.digest, "size": subject.size}
    });
    let kind = "application/vnd.oci.image.manifest.v1+json";
    registry.put_manifest("team/app", None, kind, manifest.to_string().into_bytes());
    let facts = trusting(&authority).facts(&access(), &reference(&registry, "team/app:1.0"), &Wanted::default()).await;
    let facts = only(facts);
    let set = facts.evidence.get().unwrap();
    assert!(set.truncated && set.verified.is_empty());
    assert_eq!(set.rejected[0].code, "bundle-too-large");
    let asked = registry.requests().into_iter().filter(|request| request.endpoint == Endpoint::Blob);
    assert!(asked.into_iter().all(|request| !request.path.contains(&huge.to_string())));
}
