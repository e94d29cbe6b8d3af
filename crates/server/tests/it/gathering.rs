//! The whole admission path: a registry on loopback, really signed images, facts through a gatherer, real TLS.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use assay_gate::{Policy, PolicyInput, TrustRootInput, catalogue};
use assay_gather::{Access, Gatherer, Options};
use assay_kinds::{Kind, load_yaml};
use assay_model::{Digest, Reference, Timestamp};
use assay_oci::{Client, ClientOptions, Descriptor, RetryOptions};
use assay_sandbox::sigstore::evidence::KeyPair;
use assay_sandbox::{BuiltImage, Endpoint, Fault, ImageBuilder, Registry, RegistryOptions};
use assay_server::{GatheringFacts, Mutation};
use assay_sign::Statement;
use jiff::SignedDuration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::fixture::{Harness, NOW, Temper, pod, review, start_with};

/// A registry with a signed and an unsigned image.
struct Chain {
    registry: Registry,
    key: KeyPair,
    signed: Digest,
    unsigned: Digest,
}

fn image(name: &str) -> BuiltImage {
    ImageBuilder::new().layer([("app/name", name, 0o644)]).build()
}

fn client() -> Client {
    let retry = RetryOptions { tries: 1, wait: Duration::ZERO, total: Duration::from_secs(5) };
    Client::new(ClientOptions { retry, ..ClientOptions::default() }).unwrap()
}

impl Chain {
    async fn start() -> Self {
        let registry = Registry::start(RegistryOptions::default()).await.unwrap();
        let key = KeyPair::generate("release");
        let good = image("good");
        let signed = registry.put_image("payments/api", "1.0", &good);
        let unsigned = registry.put_image("payments/api", "evil", &image("evil"));
        let artifact = key.bundle(&Statement::image_signature(&signed)).artifact(NOW.parse().unwrap());
        let repository = format!("{}/payments/api:1.0", registry.host()).parse::<Reference>().unwrap();
        let subject = Descriptor::of(good.media_type(), good.manifest());
        client().attach(repository.repository(), &subject, &artifact).await.unwrap();
        Self { registry, key, signed, unsigned }
    }

    fn image(&self, rest: &str) -> String {
        format!("{}/payments/api{rest}", self.registry.host())
    }

    /// prod wants a signature by the key `release`; nothing else.
    fn policy(&self) -> Arc<Policy> {
        self.policy_of(&["require-signature", "trusted-signer"], "deny")
    }

    /// prod wants these; `unknown` is what happens where it cannot be found out who made an image.
    fn policy_of(&self, enforced: &[&str], unknown: &str) -> Arc<Policy> {
        let controls: Vec<String> = catalogue()
            .iter()
            .map(|entry| {
                let wanted = enforced.contains(&entry.id.as_str());
                format!("{}: {{action: {}}}", entry.id, if wanted { "enforce" } else { "off" })
            })
            .collect();
        let text = format!(
            "apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: prod}}\nspec:\n  tier: prod\n  trustRoot: team\n  \
             signers: [{{name: release, for: [signature], key: release}}]\n  failurePolicy: {{identity: {unknown}}}\n  controls: {{{}}}\n",
            controls.join(", ")
        );
        let objects = load_yaml(&text, "prod.yaml").unwrap().objects.into_iter();
        let environments = objects.filter_map(|object| match object.value {
            Kind::Environment(environment) => Some(*environment),
            _ => None,
        });
        let material = &self.key.material;
        let keys = material.keys().iter().map(|key| (key.name().unwrap().to_owned(), key.fingerprint()));
        let root = TrustRootInput { name: "team".into(), material: material.hash(), keys: keys.collect() };
        let input =
            PolicyInput { environments: environments.collect(), trust_roots: vec![root], ..PolicyInput::default() };
        Arc::new(Policy::compile(input).unwrap())
    }

    /// Hangs a signature of an image of `payments/api` beside it.
    fn attach(&self, image: &BuiltImage, key: &KeyPair) {
        let subject = Descriptor::of(image.media_type(), image.manifest());
        let artifact = key.bundle(&Statement::image_signature(&image.digest())).artifact(NOW.parse().unwrap());
        for layer in &artifact.layers {
            self.registry.put_blob("payments/api", layer.bytes.clone());
        }
        self.registry.put_blob("payments/api", b"{}".as_slice());
        let kind = "application/vnd.oci.image.manifest.v1+json";
        self.registry.put_manifest("payments/api", None, kind, artifact.manifest(&subject));
    }

    async fn serve(&self) -> Harness {
        self.serve_at(&Arc::default()).await
    }

    /// Serves by a clock that is so many minutes late.
    async fn serve_at(&self, minutes: &Arc<AtomicI64>) -> Harness {
        let minutes = Arc::clone(minutes);
        start_with(Temper::Silent, move |options| {
            let start: Timestamp = NOW.parse().unwrap();
            options.clock = Arc::new(move || start + SignedDuration::from_mins(minutes.load(Ordering::SeqCst)));
            let gatherer = Gatherer::new(Options {
                pack: Some(Arc::new(assay_vuln::embedded().unwrap())),
                materials: vec![self.key.material.clone()],
                store: Some(Arc::clone(&options.store)),
                clock: Arc::clone(&options.clock),
                ..Options::default()
            });
            options.facts = Arc::new(GatheringFacts::new(gatherer, Access::new(client()), Vec::new()));
            options.policy = Some(self.policy());
            options.mutate = Mutation::Pods;
        })
        .await
    }
}

fn create(image: &str) -> serde_json::Value {
    review("payments-prod", "", "Pod", pod(image))
}

#[tokio::test]
async fn a_signed_image_is_admitted_and_an_unsigned_one_denied() {
    let chain = Chain::start().await;
    let server = chain.serve().await;
    let good = server.validate(&create(&chain.image(&format!("@{}", chain.signed)))).await;
    assert_eq!(good["allowed"], true, "{good}");
    let bad = server.validate(&create(&chain.image(&format!("@{}", chain.unsigned)))).await;
    assert_eq!(bad["allowed"], false, "{bad}");
    assert!(bad["status"]["message"].as_str().unwrap().contains("(require-signature"), "{bad}");
}

#[tokio::test]
async fn what_is_known_by_digest_is_answered_without_the_registry() {
    let chain = Chain::start().await;
    let server = chain.serve().await;
    let pinned = create(&chain.image(&format!("@{}", chain.signed)));
    assert_eq!(server.validate(&pinned).await["allowed"], true);
    chain.registry.clear_requests();
    chain.registry.set_fault(Fault::Status { endpoint: None, status: 503, count: 99, retry_after: None });
    assert_eq!(server.validate(&pinned).await["allowed"], true);
    assert_eq!(chain.registry.requests().len(), 0);
}

/// What was verified some minutes ago admits at once, and refuses nobody: the registry is asked again first.
#[tokio::test]
async fn old_evidence_may_admit_and_is_looked_at_again_before_it_refuses() {
    let chain = Chain::start().await;
    let minutes = Arc::new(AtomicI64::new(0));
    let server = chain.serve_at(&minutes).await;
    let pinned = create(&chain.image(&format!("@{}", chain.signed)));
    assert_eq!(server.validate(&pinned).await["allowed"], true);
    chain.registry.clear_requests();
    minutes.store(10, Ordering::SeqCst);
    assert_eq!(server.validate(&pinned).await["allowed"], true);
    assert_eq!(chain.registry.requests().len(), 0, "nobody waits");
    // A signature of somebody else's comes first; then ours: within that time it counts at the next request.
    let late = chain.registry.put_image("payments/api", "late", &image("late"));
    let other = KeyPair::generate("release");
    chain.attach(&image("late"), &other);
    let pinned = create(&chain.image(&format!("@{late}")));
    assert_eq!(server.validate(&pinned).await["allowed"], false);
    chain.attach(&image("late"), &chain.key);
    minutes.store(15, Ordering::SeqCst);
    assert_eq!(server.validate(&pinned).await["allowed"], true);
    // After a quarter of an hour it is too old for anything.
    chain.registry.clear_requests();
    minutes.store(60, Ordering::SeqCst);
    assert_eq!(server.validate(&pinned).await["allowed"], true);
    assert!(chain.registry.count(Endpoint::Referrers) > 0);
}

/// A registry that fails just then is no way around: the Environment lets through what cannot be found out, and this was.
#[tokio::test]
async fn a_refusal_by_old_evidence_stands_where_the_registry_cannot_be_asked_again() {
    let chain = Chain::start().await;
    let minutes = Arc::new(AtomicI64::new(0));
    let server = chain.serve_at(&minutes).await;
    let pinned = create(&chain.image(&format!("@{}", chain.signed)));
    assert_eq!(server.validate(&pinned).await["allowed"], true);
    server.running.set_policy(chain.policy_of(&["require-sbom"], "warn"));
    minutes.store(10, Ordering::SeqCst);
    chain.registry.set_fault(Fault::Status { endpoint: None, status: 503, count: 99, retry_after: None });
    let refused = server.validate(&pinned).await;
    assert_eq!(refused["allowed"], false, "{refused}");
    assert!(refused["status"]["message"].as_str().unwrap().contains("(require-sbom"), "{refused}");
    assert!(!chain.registry.requests().is_empty());
}

/// What is wrong with the object itself is refused by what is known: the registry could not change that.
#[tokio::test]
async fn a_refusal_of_the_object_asks_no_registry_however_old_the_evidence() {
    let chain = Chain::start().await;
    let minutes = Arc::new(AtomicI64::new(0));
    let server = chain.serve_at(&minutes).await;
    server.running.set_policy(chain.policy_of(&["require-signature", "no-privileged"], "deny"));
    let mut pinned = create(&chain.image(&format!("@{}", chain.signed)));
    assert_eq!(server.validate(&pinned).await["allowed"], true);
    chain.registry.clear_requests();
    minutes.store(10, Ordering::SeqCst);
    pinned["request"]["object"]["spec"]["containers"][0]["securityContext"] = serde_json::json!({"privileged": true});
    let refused = server.validate(&pinned).await;
    assert_eq!(refused["allowed"], false, "{refused}");
    assert!(refused["status"]["message"].as_str().unwrap().contains("(no-privileged"), "{refused}");
    assert_eq!(chain.registry.requests().len(), 0);
}

/// A rollout: all Pods of a new image come at once, and the registry is asked for each thing once.
#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_pods_of_a_new_image_cost_one_fetch() {
    let chain = Chain::start().await;
    let server = chain.serve().await;
    for (image, allowed) in [(chain.signed, true), (chain.unsigned, false)] {
        chain.registry.clear_requests();
        let pinned = create(&chain.image(&format!("@{image}")));
        let answers = futures_util::future::join_all((0..500).map(|_| server.validate(&pinned))).await;
        // Beyond what is judged at once somebody is refused at once, and tries again; nobody is admitted unjudged.
        let (busy, judged): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer["status"]["code"] == 429);
        assert!(judged.len() >= 256 && judged.iter().all(|answer| answer["allowed"] == allowed), "{}", judged.len());
        assert!(busy.iter().all(|answer| answer["allowed"] == false));
        let asked = chain.registry.requests();
        let paths: std::collections::BTreeSet<_> = asked.iter().map(|request| &request.path).collect();
        assert_eq!(paths.len(), asked.len(), "{asked:#?}");
        // Manifest, configuration, layer, list, and what is under three tags; of the signed one its bundle besides.
        assert_eq!(asked.len(), if allowed { 9 } else { 7 }, "{asked:#?}");
        chain.registry.clear_requests();
        assert_eq!(server.validate(&pinned).await["allowed"], allowed);
        assert_eq!(chain.registry.requests().len(), 0);
    }
}

#[tokio::test]
async fn a_registry_that_does_not_answer_admits_nothing_new() {
    let chain = Chain::start().await;
    chain.registry.set_fault(Fault::Status { endpoint: None, status: 503, count: 99, retry_after: None });
    let server = chain.serve().await;
    let response = server.validate(&create(&chain.image(&format!("@{}", chain.signed)))).await;
    assert_eq!(response["allowed"], false, "{response}");
}

/// Kyverno resolved a tag twice, and the registry gave another digest the second time: what was verified was not what
/// ran. Here the digest that is pinned is the one of the first answer, and the other one is judged by its own evidence.
#[tokio::test]
async fn cve_2022_47633_what_is_pinned_is_what_was_verified() {
    let chain = Chain::start().await;
    let then = chain.unsigned;
    let (repository, tag) = ("payments/api".to_owned(), "1.0".to_owned());
    chain.registry.set_fault(Fault::TagMovesAfterFirstRead { repository, tag, then });
    let server = chain.serve().await;
    let (status, body) = server.post("/mutate?timeout=10s", create(&chain.image(":1.0")).to_string()).await;
    assert_eq!(status, 200);
    let patch = body["response"]["patch"].as_str().unwrap();
    let patch = String::from_utf8(STANDARD.decode(patch).unwrap()).unwrap();
    assert!(patch.contains(&chain.signed.to_string()), "{patch}");
    let pinned = server.validate(&create(&chain.image(&format!("@{}", chain.signed)))).await;
    assert_eq!(pinned["allowed"], true, "{pinned}");
    // Whoever asks by the tag now is given the other image, whose own evidence counts: it has none.
    let moved = server.validate(&create(&chain.image(":1.0"))).await;
    assert_eq!(moved["allowed"], false, "{moved}");
    assert!(chain.registry.count(Endpoint::Referrers) > 0);
}
