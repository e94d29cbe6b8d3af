//! A server on a free port, a client that trusts it, facts from a table.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use assay_case::{EvidenceSet, FactNeeds, Facts, ImageUse, Known, Resolution};
use assay_gate::{Policy, PolicyInput, catalogue};
use assay_kinds::{Kind, load_yaml};
use assay_model::{Digest, Subject, Timestamp};
use assay_server::{CertificateSource, FactSource, GatheredFacts, Namespaces, Puller, Running, Server, ServerOptions};
use assay_store::Store;
use tempfile::TempDir;
use tokio::sync::Notify;

pub(crate) const NOW: &str = "2026-11-21T09:00:00Z";
/// What every tag points to.
pub(crate) fn tagged() -> Digest {
    Digest::of(b"the tag")
}

/// How the table answers.
#[derive(Clone)]
pub(crate) enum Temper {
    /// At once.
    Warm,
    /// Only after being told.
    Gated(Arc<Notify>),
    /// Never.
    Silent,
}

/// Facts from nothing: every reference resolves.
pub(crate) struct Table {
    pub(crate) temper: Mutex<Temper>,
    pub(crate) gathering: AtomicUsize,
    pub(crate) begun: Notify,
}

impl Table {
    pub(crate) fn new(temper: Temper) -> Arc<Self> {
        Arc::new(Self { temper: Mutex::new(temper), gathering: AtomicUsize::new(0), begun: Notify::new() })
    }
}

pub(crate) fn facts(images: &[ImageUse]) -> GatheredFacts {
    let at: Timestamp = NOW.parse().unwrap();
    let known = |image: &ImageUse| {
        let reference = image.reference.as_ref().ok()?;
        let subject = Subject {
            repository: reference.repository().clone(),
            digest: reference.digest().unwrap_or_else(tagged),
            index: None,
            platform: None,
        };
        let facts = Facts {
            subject,
            resolution: if reference.digest().is_some() { Resolution::ByDigest } else { Resolution::ByTag },
            contents: Known::unknown("not-inspected", "this table knows no contents"),
            findings: Known::unknown("not-matched", "this table knows no findings"),
            evidence: Known::new(EvidenceSet::default(), at),
        };
        Some((image.written.clone(), Known::new(vec![Arc::new(facts)], at)))
    };
    images.iter().filter_map(known).collect()
}

impl FactSource for Table {
    fn warm(&self, _: &Puller<'_>, images: &[ImageUse], _: FactNeeds) -> Option<GatheredFacts> {
        matches!(*self.temper.lock().unwrap(), Temper::Warm).then(|| facts(images))
    }

    fn gather<'a>(
        &'a self,
        _: &'a Puller<'a>,
        images: &'a [ImageUse],
        _: FactNeeds,
        _: Instant,
    ) -> Pin<Box<dyn Future<Output = GatheredFacts> + Send + 'a>> {
        Box::pin(async move {
            self.gathering.fetch_add(1, Ordering::SeqCst);
            self.begun.notify_one();
            let temper = self.temper.lock().unwrap().clone();
            match temper {
                Temper::Warm => {}
                Temper::Gated(gate) => gate.notified().await,
                Temper::Silent => std::future::pending().await,
            }
            facts(images)
        })
    }
}

/// prod enforces a digest and one registry, dev warns of a missing digest; that facts are asked for, an SBOM is looked for
/// and its absence recorded. Everything else is off.
pub(crate) fn policy() -> Arc<Policy> {
    let mut text = String::new();
    for (name, action) in [("prod", "enforce"), ("dev", "warn")] {
        let controls: Vec<String> = catalogue()
            .iter()
            .map(|entry| match entry.id.as_str() {
                "require-digest" => format!("require-digest: {{action: {action}}}"),
                "allowed-registries" => format!("allowed-registries: {{action: {action}}}"),
                "require-sbom" => "require-sbom: {action: audit}".to_owned(),
                other => format!("{other}: {{action: off}}"),
            })
            .collect();
        write!(
            text,
            "---\napiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: {name}}}\nspec:\n  tier: {name}\n  \
             namespaces: {{matchLabels: {{assay.dev/environment: {name}}}}}\n  registries: [registry.example.com/]\n  \
             controls: {{{}}}\n",
            controls.join(", ")
        )
        .unwrap();
    }
    let environments = load_yaml(&text, "test.yaml")
        .unwrap()
        .objects
        .into_iter()
        .filter_map(|object| match object.value {
            Kind::Environment(environment) => Some(*environment),
            _ => None,
        })
        .collect();
    Arc::new(Policy::compile(PolicyInput { environments, ..PolicyInput::default() }).unwrap())
}

pub(crate) struct Harness {
    pub(crate) running: Running,
    pub(crate) store: Arc<Store>,
    pub(crate) table: Arc<Table>,
    pub(crate) client: reqwest::Client,
    pub(crate) directory: TempDir,
}

pub(crate) async fn start(temper: Temper) -> Harness {
    start_with(temper, |options| options.policy = Some(policy())).await
}

pub(crate) async fn start_with(temper: Temper, change: impl FnOnce(&mut ServerOptions)) -> Harness {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&directory.path().join("store.db")).unwrap());
    start_on(store, directory, temper, change).await
}

pub(crate) async fn start_on(
    store: Arc<Store>,
    directory: TempDir,
    temper: Temper,
    change: impl FnOnce(&mut ServerOptions),
) -> Harness {
    let table = Table::new(temper);
    let facts: Arc<dyn FactSource> = Arc::clone(&table) as _;
    let mut options = ServerOptions::new(facts, Arc::clone(&store), directory.path().join("decisions"));
    options.namespaces = namespaces();
    options.clock = Arc::new(|| NOW.parse().unwrap());
    change(&mut options);
    let running = Server::start(options).await.unwrap();
    let client = client(running.ca_certificate().unwrap_or_default());
    Harness { running, store, table, client, directory }
}

pub(crate) fn namespaces() -> Namespaces {
    [("payments-prod", "prod"), ("payments-dev", "dev")]
        .map(|(namespace, environment)| {
            let labels = BTreeMap::from([("assay.dev/environment".to_owned(), environment.to_owned())]);
            (namespace.to_owned(), labels)
        })
        .into_iter()
        .collect()
}

/// A client that trusts this authority only.
pub(crate) fn client(ca: &str) -> reqwest::Client {
    // The second call finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificates =
        if ca.is_empty() { Vec::new() } else { reqwest::Certificate::from_pem_bundle(ca.as_bytes()).unwrap() };
    reqwest::Client::builder().no_proxy().tls_certs_only(certificates).build().unwrap()
}

impl Harness {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.running.address().port())
    }

    pub(crate) async fn post(&self, path: &str, body: impl Into<reqwest::Body>) -> (u16, serde_json::Value) {
        let response = self.client.post(self.url(path)).body(body).send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    /// The `response` of a review.
    pub(crate) async fn validate(&self, review: &serde_json::Value) -> serde_json::Value {
        let (status, mut body) = self.post("/validate?timeout=10s", review.to_string()).await;
        assert_eq!(status, 200, "{body}");
        assert_eq!(body["kind"], "AdmissionReview");
        body["response"].take()
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, String) {
        let response = self.client.get(self.url(path)).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }
}

pub(crate) const PINNED: &str =
    "registry.example.com/payments/api@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
pub(crate) const TAG: &str = "registry.example.com/payments/api:prod";

pub(crate) fn pod(image: &str) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api", "namespace": "payments-prod"},
        "spec": {"containers": [{"name": "api", "image": image, "env": [{"name": "PASSWORD", "value": "s3cret"}]}]}
    })
}

pub(crate) fn review(namespace: &str, group: &str, kind: &str, object: serde_json::Value) -> serde_json::Value {
    serde_json::json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE", "namespace": namespace, "name": "api",
            "kind": {"group": group, "version": "v1", "kind": kind},
            "userInfo": {"username": "ada@example.com", "groups": ["system:authenticated"]},
            "object": object, "oldObject": null, "dryRun": false
        }
    })
}

/// A certificate chain and key for `localhost`, with their own authority, as PEM.
pub(crate) fn chain() -> (String, String, String) {
    use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    (leaf.pem(), key.serialize_pem(), authority.pem())
}

pub(crate) fn files(directory: &TempDir) -> CertificateSource {
    CertificateSource::Files { certificate: directory.path().join("tls.crt"), key: directory.path().join("tls.key") }
}
