//! What a verification costs the registry: requests, round trips, tokens. Counted where they arrive.

use assay_oci::Attachment;
use assay_sandbox::{Authentication, RequestRecord};
use assay_sign::{LegacyImage, LegacyLayer, Signer as _, simple_signing_payload};
use futures_util::FutureExt as _;

use super::*;

/// Long beside everything that a loaded machine does between two requests.
const LATENCY: Duration = Duration::from_millis(250);

const WANTED: Wanted =
    Wanted { platforms: Vec::new(), contents: false, evidence: true, attestation_tags: true, deadline: None };

async fn private(latency: Duration) -> Registry {
    let authentication = Authentication::Bearer {
        username: "ada".into(),
        password: "secret".into(),
        anonymous_pull: true,
        expires_in: 300,
    };
    Registry::start(RegistryOptions { authentication, latency, ..RegistryOptions::default() }).await.unwrap()
}

/// Puts a bundle beside the image without a request.
fn signed(registry: &Registry, image: &BuiltImage, subject: &Descriptor) -> TrustMaterial {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let material = TrustMaterial::new().with_public_key(&key.public_key_pem().unwrap()).unwrap();
    let bundle = KeySigner::new(key).sign_now(&Statement::image_signature(&subject.digest)).unwrap();
    let artifact = bundle.artifact("2026-11-21T08:00:00Z".parse().unwrap());
    registry.put_image("team/app", "1.0", image);
    for layer in &artifact.layers {
        registry.put_blob("team/app", layer.bytes.clone());
    }
    let kind = "application/vnd.oci.image.manifest.v1+json";
    registry.put_manifest("team/app", None, kind, artifact.manifest(subject));
    material
}

fn gatherer(material: &TrustMaterial) -> Gatherer {
    Gatherer::new(Options { materials: vec![material.clone()], ..options() })
}

/// Requests that were answered with something, without the question for a token.
fn useful(registry: &Registry) -> Vec<RequestRecord> {
    let requests = registry.requests();
    requests.into_iter().filter(|request| !request.is_authentication() && request.status == 200).collect()
}

fn round_trips(registry: &Registry) -> usize {
    let requests = registry.requests();
    Registry::round_trips(requests.iter().filter(|request| !request.is_authentication()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_image_costs_four_round_trips_and_one_token() {
    let registry = private(LATENCY).await;
    let image = image("app");
    let material = signed(&registry, &image, &descriptor(&image));
    let facts = gatherer(&material).facts(&access(), &reference(&registry, "team/app:1.0"), &WANTED).await;
    assert_eq!(only(facts).evidence.get().unwrap().verified.len(), 1);
    assert_eq!(registry.count(Endpoint::Token), 1);
    // The tag; the manifest, and beside it the list; the referrer; the bundle.
    assert_eq!(round_trips(&registry), 4, "{:#?}", registry.requests());
    assert_eq!(useful(&registry).len(), 5);
    // What cosign kept under tags was asked for on the way, and nobody waited for it.
    let tags = registry.requests().into_iter().filter(|request| request.status == 404);
    assert_eq!(tags.map(|request| request.path).filter(|path| path.contains("sha256-")).count(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_looks_at_attestations_their_tags_are_not_asked_for() {
    let registry = private(Duration::ZERO).await;
    let image = image("app");
    let material = signed(&registry, &image, &descriptor(&image));
    let (gatherer, access) = (gatherer(&material), access());
    let reference = reference(&registry, &format!("team/app@{}", image.digest()));
    let signatures = Wanted { attestation_tags: false, ..WANTED };
    let facts = gatherer.facts(&access, &reference, &signatures).await;
    assert_eq!(only(facts).evidence.get().unwrap().verified.len(), 1);
    let tags = |registry: &Registry| {
        let requests = registry.requests().into_iter().map(|request| request.path);
        requests.filter(|path| path.contains("sha256-")).collect::<Vec<_>>()
    };
    let tag = Attachment::Signatures.tag(image.digest());
    assert_eq!(tags(&registry), [format!("/v2/team/app/manifests/{tag}")]);
    // The manifest, the list, the referrer, the bundle.
    assert_eq!(useful(&registry).len(), 4);

    // Whoever looks at more asks for it; what was read then does for the others, too.
    assert!(gatherer.remembered(&access, &reference, &WANTED).is_none());
    gatherer.facts(&access, &reference, &WANTED).await;
    registry.clear_requests();
    for wanted in [&WANTED, &signatures] {
        assert!(gatherer.remembered(&access, &reference, wanted).is_some());
        gatherer.facts(&access, &reference, wanted).await;
    }
    assert_eq!(registry.requests().len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signature_under_a_tag_costs_no_more() {
    let registry = private(LATENCY).await;
    let image = image("app");
    let digest = registry.put_image("team/app", "1.0", &image);
    let material = legacy(&registry, digest);
    let facts = gatherer(&material).facts(&access(), &reference(&registry, "team/app:1.0"), &WANTED).await;
    assert_eq!(only(facts).evidence.get().unwrap().verified.len(), 1);
    assert_eq!((registry.count(Endpoint::Token), round_trips(&registry)), (1, 3), "{:#?}", registry.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_referrers_are_fetched_side_by_side() {
    let registry = private(LATENCY).await;
    let image = image("app");
    let mut material = TrustMaterial::new();
    for _ in 0..6 {
        material = signed(&registry, &image, &descriptor(&image));
    }
    let facts = gatherer(&material).facts(&access(), &reference(&registry, "team/app:1.0"), &WANTED).await;
    let facts = only(facts);
    let set = facts.evidence.get().unwrap();
    assert_eq!((set.verified.len(), set.rejected.len()), (1, 5));
    assert_eq!(round_trips(&registry), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_who_ask_at_once_cost_what_one_does() {
    for by_tag in [false, true] {
        let registry = private(Duration::from_millis(5)).await;
        let image = image("app");
        let material = signed(&registry, &image, &descriptor(&image));
        let name = if by_tag { "team/app:1.0".to_owned() } else { format!("team/app@{}", image.digest()) };
        let (gatherer, access, reference) = (gatherer(&material), access(), reference(&registry, &name));
        let tasks: Vec<_> = (0..200)
            .map(|_| {
                let (gatherer, access, reference) = (gatherer.clone(), access.clone(), reference.clone());
                tokio::spawn(async move { gatherer.facts(&access, &reference, &WANTED).await })
            })
            .collect();
        for task in tasks {
            assert_eq!(only(task.await.unwrap()).evidence.get().unwrap().verified.len(), 1);
        }
        let heads = registry.requests().iter().filter(|request| request.method == "HEAD").count();
        let gets = useful(&registry).into_iter().filter(|request| request.method == "GET").count();
        assert_eq!(gets, 4, "manifest, list, referrer, bundle: {:#?}", registry.requests());
        assert_eq!(registry.count(Endpoint::Token), 1);
        // Whoever comes after an answer about a tag has to ask again: it may have moved.
        assert!(if by_tag { heads < 200 } else { heads == 0 }, "{heads}");
    }
}

/// A signature as cosign wrote it before there were referrers.
fn legacy(registry: &Registry, digest: Digest) -> TrustMaterial {
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let material = TrustMaterial::new().with_public_key(&key.public_key_pem().unwrap()).unwrap();
    under_tag(registry, digest, &[&KeySigner::new(key)]);
    material
}

/// One and the same payload, signed by each of these: their signatures stand in the annotations only.
fn under_tag(registry: &Registry, digest: Digest, signers: &[&KeySigner]) {
    let payload = simple_signing_payload("team/app", &digest);
    let mut image = LegacyImage::new();
    for signer in signers {
        let signed = signer.sign_message(&payload).now_or_never().unwrap().unwrap();
        image = image.with(&LegacyLayer::signature(&payload, &signed).unwrap());
    }
    registry.put_blob("team/app", payload);
    registry.put_blob("team/app", image.config());
    let kind = "application/vnd.oci.image.manifest.v1+json";
    registry.put_manifest("team/app", Some(&Attachment::Signatures.tag(digest)), kind, image.manifest());
}

/// A gatherer whose clock is moved by hand.
fn with_clock(
    materials: Vec<TrustMaterial>,
    store: Option<&Arc<Store>>,
) -> (Gatherer, Arc<std::sync::Mutex<assay_model::Timestamp>>) {
    let now = Arc::new(std::sync::Mutex::new("2026-06-01T00:00:00Z".parse().unwrap()));
    let told = Arc::clone(&now);
    let clock = Arc::new(move || *told.lock().unwrap());
    let store = store.cloned();
    (Gatherer::new(Options { materials, store, clock, ..options() }), now)
}

fn later(now: &std::sync::Mutex<assay_model::Timestamp>, seconds: i64) {
    let mut now = now.lock().unwrap();
    *now = assay_model::Timestamp::from_second(now.as_second() + seconds).unwrap();
}

async fn evidence(gatherer: &Gatherer, registry: &Registry, digest: Digest) -> assay_case::EvidenceSet {
    let pinned = reference(registry, &format!("team/app@{digest}"));
    only(gatherer.facts(&access(), &pinned, &WANTED).await).evidence.get().unwrap().clone()
}

#[tokio::test]
async fn signatures_under_a_tag_are_verified_once_and_found_again_in_the_store() {
    let registry = registry().await;
    let digest = registry.put_image("team/app", "1.0", &image("app"));
    let signers: Vec<_> = (0..2).map(|_| PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap()).collect();
    let pems: Vec<_> = signers.iter().map(|key| key.public_key_pem().unwrap()).collect();
    let signers: Vec<_> = signers.into_iter().map(KeySigner::new).collect();
    under_tag(&registry, digest, &signers.iter().collect::<Vec<_>>());
    let both = pems.iter().fold(TrustMaterial::new(), |material, pem| material.with_public_key(pem).unwrap());
    let store = Arc::new(Store::in_memory().unwrap());
    let (gatherer, now) = with_clock(vec![both.clone()], Some(&store));
    let first = evidence(&gatherer, &registry, digest).await;
    assert_eq!(first.verified.len(), 2);

    registry.clear_requests();
    assert_eq!(evidence(&gatherer, &registry, digest).await, first);
    assert_eq!(registry.requests().len(), 0, "within a minute nobody is asked");
    later(&now, 61);
    assert_eq!(evidence(&gatherer, &registry, digest).await, first);
    assert!(registry.count(Endpoint::Referrers) == 1 && registry.count(Endpoint::Blob) == 0, "asked, and not read");

    // Another process: one of the two has the place in the store, since they are over the same payload.
    let (fresh, _) = with_clock(vec![both], Some(&store));
    assert_eq!(evidence(&fresh, &registry, digest).await, first);

    // Who takes a signature away revokes it: the payload alone says nothing.
    under_tag(&registry, digest, &[&signers[1]]);
    later(&now, 61);
    let left = evidence(&gatherer, &registry, digest).await;
    assert_eq!(left.verified.len(), 1);
    assert_eq!(
        left.verified[0].signer(),
        first.verified[0].signer(),
        "cosign adds at the end: the second is the newest"
    );

    // Other trust: nothing of before counts.
    let (other, _) = with_clock(vec![TrustMaterial::new().with_public_key(&pems[0]).unwrap()], Some(&store));
    let refused = evidence(&other, &registry, digest).await;
    assert!(refused.verified.is_empty());
    assert_eq!(refused.rejected[0].code, "key-unknown");
}

#[tokio::test]
async fn a_notation_signature_is_verified_once_by_repository_and_trust() {
    let registry = registry().await;
    let client = access().client().clone();
    let layout: ImageSource = format!("oci:{}", notation::layout("e2e-valid-signature").display()).parse().unwrap();
    let target: Reference = reference(&registry, "team/app:1.0");
    assay_oci::copy(&client, &layout, &ImageSource::Registry(target.clone())).await.unwrap();
    let digest = registry.tag("team/app", "1.0").unwrap();
    let store = Arc::new(Store::in_memory().unwrap());
    let material = notation::material("trustpolicy", "e2e");
    let (gatherer, now) = with_clock(vec![material.clone()], Some(&store));
    let first = evidence(&gatherer, &registry, digest).await;
    assert_eq!((first.verified.len(), first.rejected.len()), (1, 0), "{:?}", first.rejected);

    registry.clear_requests();
    later(&now, 61);
    assert_eq!(evidence(&gatherer, &registry, digest).await, first);
    assert_eq!((registry.count(Endpoint::Referrers), registry.count(Endpoint::Blob)), (1, 0));
    let (fresh, _) = with_clock(vec![material.clone()], Some(&store));
    assert_eq!(evidence(&fresh, &registry, digest).await, first);
    assert_eq!(registry.count(Endpoint::Blob), 0, "another process takes it from the store");

    // In another repository another statement may apply: it is judged there by itself.
    let elsewhere = reference(&registry, "other/app:1.0");
    assay_oci::copy(&client, &ImageSource::Registry(target), &ImageSource::Registry(elsewhere.clone())).await.unwrap();
    registry.clear_requests();
    let facts = fresh.facts(&access(), &elsewhere.pinned(digest), &WANTED).await;
    assert_eq!(only(facts).evidence.get().unwrap().verified.len(), 1);
    assert_eq!(registry.count(Endpoint::Blob), 1);

    // Another store of certificates is another trust.
    let (other, _) = with_clock(vec![notation::material("trustpolicy", "new_e2e")], Some(&store));
    let refused = evidence(&other, &registry, digest).await;
    assert!(refused.verified.is_empty());
    assert_eq!(refused.rejected[0].code, "certificate-authority-unknown");

    // Where authorities could be asked, an hour is the longest: then it is verified again.
    registry.clear_requests();
    later(&now, 3_600);
    assert_eq!(evidence(&gatherer, &registry, digest).await.verified.len(), 1);
    assert_eq!(registry.count(Endpoint::Blob), 1);
}

#[tokio::test]
async fn with_several_roots_each_judgement_is_made_once() {
    let registry = registry().await;
    let image = image("app");
    let ours = signed(&registry, &image, &descriptor(&image));
    let other = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap().public_key_pem().unwrap();
    let other = TrustMaterial::new().with_public_key(&other).unwrap();
    let (gatherer, now) = with_clock(vec![other, ours], None);
    assert_eq!(evidence(&gatherer, &registry, image.digest()).await.verified.len(), 1);
    registry.clear_requests();
    later(&now, 61);
    assert_eq!(evidence(&gatherer, &registry, image.digest()).await.verified.len(), 1);
    assert_eq!(registry.count(Endpoint::Blob), 0, "that the other root refuses it is known");
    // A refusal is believed for five minutes: what is not valid yet will be.
    later(&now, 300);
    assert_eq!(evidence(&gatherer, &registry, image.digest()).await.verified.len(), 1);
    assert_eq!(registry.count(Endpoint::Blob), 1);
}

#[tokio::test]
async fn nothing_is_believed_for_three_seconds_and_a_failure_not_at_all() {
    let registry = registry().await;
    let image = image("app");
    let digest = registry.put_image("team/app", "1.0", &image);
    let key = PrivateKey::generate(KeyAlgorithm::EcdsaP256).unwrap();
    let material = TrustMaterial::new().with_public_key(&key.public_key_pem().unwrap()).unwrap();
    let (gatherer, now) = with_clock(vec![material], None);
    assert!(evidence(&gatherer, &registry, digest).await.verified.is_empty());
    registry.clear_requests();
    later(&now, 3);
    assert!(evidence(&gatherer, &registry, digest).await.verified.is_empty());
    assert_eq!(registry.requests().len(), 0);
    under_tag(&registry, digest, &[&KeySigner::new(key)]);
    later(&now, 1);
    assert_eq!(evidence(&gatherer, &registry, digest).await.verified.len(), 1, "somebody has signed");

    later(&now, 61);
    registry.set_fault(Fault::Status { endpoint: Some(Endpoint::Referrers), status: 503, count: 1, retry_after: None });
    let pinned = reference(&registry, &format!("team/app@{digest}"));
    assert_eq!(cause(&only(gatherer.facts(&access(), &pinned, &WANTED).await).evidence), "registry-failed");
    assert_eq!(evidence(&gatherer, &registry, digest).await.verified.len(), 1, "the next one asks again");
}

#[tokio::test]
async fn tags_are_asked_for_where_they_could_count_or_nothing_else_is_there() {
    let registry = registry().await;
    let digest = registry.put_image("team/app", "1.0", &image("app"));
    legacy(&registry, digest);
    // Nobody could verify it: it is named all the same, since nothing else is there.
    let (gatherer, _) = with_clock(vec![notation::material("trustpolicy", "e2e")], None);
    assert_eq!(evidence(&gatherer, &registry, digest).await.rejected[0].code, "trust-material-missing");

    // Beside a Notation signature it is not asked for.
    let layout: ImageSource = format!("oci:{}", notation::layout("e2e-valid-signature").display()).parse().unwrap();
    let target = reference(&registry, "team/app:1.0");
    assay_oci::copy(access().client(), &layout, &ImageSource::Registry(target)).await.unwrap();
    let digest = registry.tag("team/app", "1.0").unwrap();
    legacy(&registry, digest);
    registry.clear_requests();
    let set = evidence(&gatherer, &registry, digest).await;
    assert_eq!((set.verified.len(), set.rejected.len()), (1, 0));
    let asked = registry.requests();
    for kind in [Attachment::Signatures, Attachment::Attestations] {
        assert!(!asked.iter().any(|request| request.path.ends_with(&kind.tag(digest))));
    }
}

/// CVE-2023-46737: ten thousand referrers cost a bounded number of requests, and the set says that it is not all.
#[tokio::test(flavor = "multi_thread")]
async fn cve_2023_46737_ten_thousand_referrers_do_not_hold_an_admission_up() {
    let registry = Registry::start(RegistryOptions { page_size: 500, ..RegistryOptions::default() }).await.unwrap();
    let image = image("app");
    let material = signed(&registry, &image, &descriptor(&image));
    let subject = descriptor(&image);
    let kind = "application/vnd.oci.image.manifest.v1+json";
    for number in 0..10_000 {
        let annotations = std::collections::BTreeMap::from([("n".to_owned(), number.to_string())]);
        let artifact = Artifact { artifact_type: "x/junk".into(), layers: Vec::new(), annotations };
        registry.put_manifest("team/app", None, kind, artifact.manifest(&subject));
    }
    let (gatherer, _) = with_clock(vec![material], None);
    let set = evidence(&gatherer, &registry, image.digest()).await;
    assert!(set.truncated);
    assert!(registry.requests().len() < 100, "{}", registry.requests().len());
}
