//! Gathering against a registry on loopback that counts requests, lies and moves tags.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod advisories;
mod attachments;
mod budget;
mod by_table;
mod notation;
mod pull_secrets;
mod revocation;

use std::sync::Arc;
use std::time::Duration;

use assay_case::{Facts, Known, Resolution};
use assay_gather::{Access, Gatherer, Options, Wanted};
use assay_model::{Digest, Platform, Reference};
use assay_oci::{Artifact, ArtifactLayer, Client, ClientOptions, Descriptor, ImageSource, RetryOptions, Source};
use assay_sandbox::{BuiltImage, Endpoint, Fault, ImageBuilder, Registry, RegistryOptions};
use assay_sign::{KeyAlgorithm, KeySigner, PrivateKey, Statement};
use assay_store::Store;
use assay_trust::TrustMaterial;

const DPKG: &str =
    "Package: zlib1g\nStatus: install ok installed\nArchitecture: amd64\nVersion: 1:1.2.13.dfsg-1\nSource: zlib\n\n";

fn image(name: &str) -> BuiltImage {
    ImageBuilder::new()
        .layer([
            ("etc/os-release", "ID=debian\nVERSION_ID=\"12\"\n", 0o644),
            ("var/lib/dpkg/status", DPKG, 0o644),
            ("app/name", name, 0o644),
        ])
        .build()
}

async fn registry() -> Registry {
    Registry::start(RegistryOptions::default()).await.unwrap()
}

fn access() -> Access {
    let retry = RetryOptions { tries: 1, wait: Duration::ZERO, total: Duration::from_secs(5) };
    Access::new(Client::new(ClientOptions { retry, ..ClientOptions::default() }).unwrap())
}

fn options() -> Options {
    Options { pack: Some(Arc::new(assay_vuln::embedded().unwrap())), ..Options::default() }
}

fn reference(registry: &Registry, rest: &str) -> Reference {
    format!("{}/{rest}", registry.host()).parse().unwrap()
}

fn only(facts: Known<Vec<Arc<Facts>>>) -> Arc<Facts> {
    let facts = facts.get().unwrap().clone();
    assert_eq!(facts.len(), 1);
    Arc::clone(&facts[0])
}

fn cause<T>(known: &Known<T>) -> &str {
    match known {
        Known::Known { .. } => panic!("it is known"),
        Known::Unknown { cause } => &cause.code,
    }
}

#[tokio::test]
async fn a_reference_becomes_facts() {
    let registry = registry().await;
    let digest = registry.put_image("team/app", "1.0", &image("app"));
    let gatherer = Gatherer::new(options());
    let facts = only(gatherer.facts(&access(), &reference(&registry, "team/app:1.0"), &Wanted::default()).await);
    assert_eq!((facts.subject.digest, facts.resolution), (digest, Resolution::ByTag));
    assert_eq!(facts.contents.get().unwrap().packages[0].name, "zlib1g");
    assert_eq!(facts.findings.get().unwrap().uncovered, 0);
    let evidence = facts.evidence.get().unwrap();
    assert!(evidence.verified.is_empty() && evidence.rejected.is_empty() && !evidence.truncated);
}

#[tokio::test]
async fn two_hundred_who_ask_at_once_fetch_an_image_once() {
    let registry = registry().await;
    let image = image("app");
    let digest = registry.put_image("team/app", "1.0", &image);
    // Time stands still: how long the machine takes must not matter.
    let clock = Arc::new(|| "2026-06-01T00:00:00Z".parse().unwrap());
    let (gatherer, access) = (Gatherer::new(Options { clock, ..options() }), access());
    let reference = reference(&registry, &format!("team/app@{digest}"));
    let tasks: Vec<_> = (0..200)
        .map(|_| {
            let (gatherer, access, reference) = (gatherer.clone(), access.clone(), reference.clone());
            tokio::spawn(async move { gatherer.facts(&access, &reference, &Wanted::default()).await })
        })
        .collect();
    for task in tasks {
        assert!(only(task.await.unwrap()).contents.get().is_ok());
    }
    let asked = registry.requests();
    let (images, tags): (Vec<_>, Vec<_>) = asked
        .iter()
        .filter(|request| request.endpoint == Endpoint::Manifest)
        .partition(|request| request.path.ends_with(&digest.to_string()));
    assert_eq!(images.len(), 1);
    assert_eq!(registry.count(Endpoint::Blob), 1 + image.layers().len());
    // That there is no evidence is remembered for a moment, so that all of them share one answer.
    assert_eq!(registry.count(Endpoint::Referrers), 1);
    assert_eq!(tags.len(), 3, "cosign's three tags: nothing else is there");

    registry.clear_requests();
    let wanted = Wanted { evidence: false, ..Wanted::default() };
    assert!(only(gatherer.facts(&access, &reference, &wanted).await).contents.get().is_ok());
    assert!(only(gatherer.remembered(&access, &reference, &wanted).unwrap()).contents.get().is_ok());
    assert!(gatherer.remembered(&access, &reference, &Wanted::default()).is_some(), "nor that nobody signed it");
    let tagged = self::reference(&registry, "team/app:1.0");
    assert!(gatherer.remembered(&access, &tagged, &wanted).is_none(), "a tag has to be asked for");
    assert_eq!(registry.requests().len(), 0, "what is known by digest needs no request");
}

#[tokio::test]
async fn what_the_store_keeps_outlives_the_process() {
    let registry = registry().await;
    let digest = registry.put_image("team/app", "1.0", &image("app"));
    let store = Arc::new(Store::in_memory().unwrap());
    let reference = reference(&registry, &format!("team/app@{digest}"));
    let fresh = || Gatherer::new(Options { store: Some(Arc::clone(&store)), ..options() });
    let first = only(fresh().facts(&access(), &reference, &Wanted::default()).await);
    registry.clear_requests();
    let second = only(fresh().facts(&access(), &reference, &Wanted::default()).await);
    assert_eq!(registry.count(Endpoint::Blob), 0);
    assert_eq!(first.contents.get().unwrap(), second.contents.get().unwrap());
    assert_eq!(first.findings.get().unwrap(), second.findings.get().unwrap());
}

/// A registry that answers differently the second time: what was resolved first is what is judged, and every later byte is
/// read by that digest.
#[tokio::test]
async fn cve_2022_47633_registry_changes_its_answer() {
    let registry = registry().await;
    let good = registry.put_image("team/app", "1.0", &image("good"));
    let evil = registry.put_image("team/app", "evil", &image("evil"));
    registry.set_fault(Fault::TagMovesAfterFirstRead { repository: "team/app".into(), tag: "1.0".into(), then: evil });
    let gatherer = Gatherer::new(options());
    let tagged = reference(&registry, "team/app:1.0");
    let facts = only(gatherer.facts(&access(), &tagged, &Wanted::default()).await);
    assert_eq!(facts.subject.digest, good);
    let blobs: Vec<_> = image("good").blobs().iter().map(|blob| Digest::of(blob).to_string()).collect();
    let read: Vec<_> = registry.requests().into_iter().filter(|request| request.endpoint == Endpoint::Blob).collect();
    assert!(!read.is_empty());
    assert!(read.iter().all(|request| blobs.iter().any(|digest| request.path.ends_with(digest))));
}

/// A cache under a mutable name would hand out the old image's good result for the new image.
#[tokio::test]
async fn cve_2023_47630_a_moved_tag_is_a_new_image() {
    let registry = registry().await;
    let good = registry.put_image("team/app", "1.0", &image("good"));
    let (gatherer, access) = (Gatherer::new(options()), access());
    let tagged = reference(&registry, "team/app:1.0");
    assert_eq!(only(gatherer.facts(&access, &tagged, &Wanted::default()).await).subject.digest, good);
    let evil = registry.put_image("team/app", "1.0", &image("evil"));
    assert_ne!(good, evil);
    assert_eq!(only(gatherer.facts(&access, &tagged, &Wanted::default()).await).subject.digest, evil);
}

/// What one credential may read is not handed to another one that has not read it itself.
#[tokio::test]
async fn cve_2024_39897_a_scope_reads_for_itself() {
    let registry = registry().await;
    let digest = registry.put_image("team/app", "1.0", &image("app"));
    let gatherer = Gatherer::new(options());
    let reference = reference(&registry, &format!("team/app@{digest}"));
    let client = access().client().clone();
    let mine = Access::scoped(client.clone(), "namespace-a");
    assert!(gatherer.facts(&mine, &reference, &Wanted::default()).await.get().is_ok());
    registry.set_fault(Fault::Status { endpoint: Some(Endpoint::Manifest), status: 403, count: 9, retry_after: None });
    let theirs = Access::scoped(client, "namespace-b");
    assert_eq!(cause(&gatherer.facts(&theirs, &reference, &Wanted::default()).await), "registry-refused");
}

#[tokio::test]
async fn a_lying_registry_makes_the_contents_unknown_not_empty() {
    let registry = registry().await;
    let image = image("app");
    registry.put_image("team/app", "1.0", &image);
    registry.set_fault(Fault::LiesAbout(Digest::of(&image.layers()[0])));
    let gatherer = Gatherer::new(options());
    let tagged = reference(&registry, "team/app:1.0");
    let facts = only(gatherer.facts(&access(), &tagged, &Wanted::default()).await);
    assert_eq!(cause(&facts.contents), "digest-mismatch");
    assert!(facts.findings.get().is_err());
    registry.clear_faults();
    let facts = only(gatherer.facts(&access(), &tagged, &Wanted::default()).await);
    assert!(facts.contents.get().is_ok(), "a failure is not remembered");
}

#[tokio::test]
async fn a_registry_that_fails_on_referrers_makes_the_evidence_unknown() {
    let registry = registry().await;
    registry.put_image("team/app", "1.0", &image("app"));
    registry.set_fault(Fault::Status {
        endpoint: Some(Endpoint::Referrers),
        status: 503,
        count: 99,
        retry_after: None,
    });
    let gatherer = Gatherer::new(options());
    let facts = only(gatherer.facts(&access(), &reference(&registry, "team/app:1.0"), &Wanted::default()).await);
    assert_eq!(cause(&facts.evidence), "registry-failed");
    assert!(facts.contents.get().is_ok());
}

#[tokio::test]
async fn a_missing_image_and_a_dead_registry_have_their_own_codes() {
    let registry = registry().await;
    let gatherer = Gatherer::new(options());
    let missing = gatherer.facts(&access(), &reference(&registry, "team/none:1"), &Wanted::default()).await;
    assert_eq!(cause(&missing), "not-found");
    let dead = gatherer.facts(&access(), &"127.0.0.1:1/team/app:1".parse().unwrap(), &Wanted::default()).await;
    assert_eq!(cause(&dead), "registry-unreachable");
}

#[tokio::test]
async fn every_platform_asked_for_is_gathered_and_one_that_is_missing_is_not_invented() {
    let registry = registry().await;
    let platform = |text: &str| text.parse::<Platform>().unwrap();
    let of = |text: &str| ImageBuilder::new().platform(platform(text)).layer([("a", text, 0o644)]).build();
    let index = BuiltImage::index(&[of("linux/amd64"), of("linux/arm64")]);
    registry.put_image("team/app", "1.0", &index);
    let gatherer = Gatherer::new(options());
    let tagged = reference(&registry, "team/app:1.0");
    let ask = async |platforms: &[&str]| {
        let platforms = platforms.iter().map(|text| platform(text)).collect();
        gatherer.facts(&access(), &tagged, &Wanted { platforms, ..Wanted::default() }).await
    };
    let both = ask(&["linux/amd64", "linux/arm64", "linux/s390x"]).await;
    let both = both.get().unwrap();
    assert_eq!(both.len(), 2);
    assert!(both.iter().all(|facts| facts.subject.index == Some(index.digest())));
    assert_eq!(cause(&ask(&["linux/s390x"]).await), "platform-not-found");
}

#[tokio::test]
async fn an_unsigned_sbom_is_a_claim_that_was_not_accepted() {
    let registry = registry().await;
    let image = image("app");
    registry.put_image("team/app", "1.0", &image);
    let tagged = reference(&registry, "team/app:1.0");
    let access = access();
    let artifact = Artifact {
        artifact_type: "application/vnd.cyclonedx+json".into(),
        layers: vec![ArtifactLayer {
            media_type: "application/vnd.cyclonedx+json".into(),
            bytes: b"{}".as_slice().into(),
            annotations: std::collections::BTreeMap::new(),
        }],
        annotations: std::collections::BTreeMap::new(),
    };
    let bundle = Artifact { artifact_type: "application/vnd.dev.sigstore.bundle.v0.3+json".into(), ..artifact.clone() };
    let bundle = Artifact {
        layers: vec![ArtifactLayer { media_type: bundle.artifact_type.clone(), ..artifact.layers[0].clone() }],
        ..bundle
    };
    let subject = Descriptor::of(image.media_type(), image.manifest());
    for artifact in [artifact, bundle] {
        access.client().attach(tagged.repository(), &subject, &artifact).await.unwrap();
    }
    let facts = only(Gatherer::new(options()).facts(&access, &tagged, &Wanted::default()).await);
    let set = facts.evidence.get().unwrap();
    assert!(set.verified.is_empty());
    let mut codes: Vec<_> = set.rejected.iter().map(|claim| claim.code.as_str()).collect();
    codes.sort_unstable();
    assert_eq!(codes.len(), 2);
    assert!(codes.contains(&"referrer-unsigned"), "{codes:?}");
}

#[tokio::test]
async fn what_is_not_there_in_time_is_unknown_and_goes_on() {
    let options = RegistryOptions { latency: Duration::from_millis(50), ..RegistryOptions::default() };
    let registry = Registry::start(options).await.unwrap();
    registry.put_image("team/app", "1.0", &image("app"));
    let gatherer = Gatherer::new(self::options());
    let tagged = reference(&registry, "team/app:1.0");
    let hurried = Wanted { deadline: Some(Duration::ZERO), ..Wanted::default() };
    assert_eq!(cause(&gatherer.facts(&access(), &tagged, &hurried).await), "gather-timeout");
    assert!(gatherer.facts(&access(), &tagged, &Wanted::default()).await.get().is_ok());
}

#[tokio::test]
async fn a_layout_on_disk_gives_the_same_contents_as_the_registry() {
    let registry = registry().await;
    let digest = registry.put_image("team/app", "1.0", &image("app"));
    let access = access();
    let tagged = reference(&registry, "team/app:1.0");
    let folder = tempfile::tempdir().unwrap();
    let layout: ImageSource = format!("oci:{}", folder.path().join("image").display()).parse().unwrap();
    assay_oci::copy(access.client(), &ImageSource::Registry(tagged.clone()), &layout).await.unwrap();
    let gatherer = Gatherer::new(options());
    let source = Source::open(access.client(), &layout).await.unwrap();
    let local = only(gatherer.facts_of_source(&source, &Wanted::default()).await);
    assert_eq!(local.subject.digest, digest);
    let remote = only(Gatherer::new(options()).facts(&access, &tagged, &Wanted::default()).await);
    assert_eq!(local.contents.get().unwrap(), remote.contents.get().unwrap());
}

/// Signs an image and attaches the bundle; gives the key's trust material.
async fn sign(access: &Access, image: &Reference, subject: &Descriptor) -> TrustMaterial {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let material = TrustMaterial::new().with_public_key(&key.public_key_pem().unwrap()).unwrap();
    let bundle = KeySigner::new(key).sign_now(&Statement::image_signature(&subject.digest)).unwrap();
    let artifact = bundle.artifact("2026-11-21T08:00:00Z".parse().unwrap());
    access.client().attach(image.repository(), subject, &artifact).await.unwrap();
    material
}

fn descriptor(image: &BuiltImage) -> Descriptor {
    Descriptor::of(image.media_type(), image.manifest())
}

#[tokio::test]
async fn a_signature_becomes_evidence_is_kept_sealed_and_needs_no_second_look() {
    let (registry, access) = (registry().await, access());
    let image = image("app");
    let digest = registry.put_image("team/app", "1.0", &image);
    let pinned = reference(&registry, &format!("team/app@{digest}"));
    let ours = sign(&access, &pinned, &descriptor(&image)).await;
    let store = Arc::new(Store::in_memory().unwrap());
    let fresh = |materials: Vec<TrustMaterial>| {
        Gatherer::new(Options { materials, store: Some(Arc::clone(&store)), ..options() })
    };
    let gatherer = fresh(vec![ours.clone()]);
    let facts = only(gatherer.facts(&access, &pinned, &Wanted::default()).await);
    let set = facts.evidence.get().unwrap();
    assert_eq!(set.verified.len(), 1);
    assert_eq!((set.verified[0].subject(), set.verified[0].trust_root()), (digest, ours.hash()));

    registry.clear_requests();
    let warm = only(gatherer.remembered(&access, &pinned, &Wanted::default()).unwrap());
    assert_eq!(warm.evidence, facts.evidence);
    assert_eq!(registry.requests().len(), 0);

    // Another process takes the bundle from the store: its blob is not read again.
    let again = only(fresh(vec![ours.clone()]).facts(&access, &pinned, &Wanted::default()).await);
    assert_eq!(again.evidence.get().unwrap().verified, set.verified);
    assert_eq!(registry.count(Endpoint::Blob), 0);

    // Whoever trusts somebody else gets nothing out of it, and is told why.
    let other = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().public_key_pem().unwrap();
    let other = TrustMaterial::new().with_public_key(&other).unwrap();
    let theirs = only(fresh(vec![other.clone()]).facts(&access, &pinned, &Wanted::default()).await);
    let set = theirs.evidence.get().unwrap();
    assert!(set.verified.is_empty());
    assert_eq!(set.rejected[0].code, "key-unknown");

    // With both roots it counts by the one that holds.
    let both = only(fresh(vec![other, ours.clone()]).facts(&access, &pinned, &Wanted::default()).await);
    let set = both.evidence.get().unwrap();
    assert_eq!(set.verified.iter().map(|evidence| evidence.trust_root()).collect::<Vec<_>>(), [ours.hash()]);
}

#[tokio::test]
async fn a_signature_copied_from_another_digest_is_rejected() {
    let (registry, access) = (registry().await, access());
    let (good, evil) = (image("good"), image("evil"));
    registry.put_image("team/app", "good", &good);
    let evil_digest = registry.put_image("team/app", "evil", &evil);
    let repository = reference(&registry, "team/app:good");
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let ours = TrustMaterial::new().with_public_key(&key.public_key_pem().unwrap()).unwrap();
    // The bundle is about the good image; it is attached to the other one.
    let bundle = KeySigner::new(key).sign_now(&Statement::image_signature(&good.digest())).unwrap();
    let artifact = bundle.artifact("2026-11-21T08:00:00Z".parse().unwrap());
    access.client().attach(repository.repository(), &descriptor(&evil), &artifact).await.unwrap();
    let gatherer = Gatherer::new(Options { materials: vec![ours], ..options() });
    let pinned = reference(&registry, &format!("team/app@{evil_digest}"));
    let facts = only(gatherer.facts(&access, &pinned, &Wanted::default()).await);
    let set = facts.evidence.get().unwrap();
    assert!(set.verified.is_empty());
    assert_eq!(set.rejected[0].code, "evidence-wrong-digest");
}

/// CVE-2023-46737, CVE-2024-29902: no number of attachments makes the reader read them all.
#[tokio::test]
async fn cve_2023_46737_a_flood_of_attachments_is_cut_off_and_said() {
    let (registry, access) = (registry().await, access());
    let image = image("app");
    let digest = registry.put_image("team/app", "1.0", &image);
    let pinned = reference(&registry, &format!("team/app@{digest}"));
    for _ in 0..6 {
        sign(&access, &pinned, &descriptor(&image)).await;
    }
    let gatherer = Gatherer::new(Options { referrers: 3, ..options() });
    let facts = only(gatherer.facts(&access, &pinned, &Wanted::default()).await);
    let set = facts.evidence.get().unwrap();
    assert!(set.truncated);
    assert_eq!(set.rejected.len(), 3);
}
