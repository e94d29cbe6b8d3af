//! The two servers and the request.

use std::collections::BTreeMap;
use std::future::Future;
use std::io::{Read as _, Write as _};
use std::pin::Pin;
use std::sync::Arc;

use assay_case::{EvidenceSet, FactNeeds, Facts, ImageUse, Known, Promotion, Resolution};
use assay_gate::{Policy, PolicyInput, TrustRootInput};
use assay_kinds::{Kind, load_yaml};
use assay_model::{Contents, Digest, Findings, PackInfo, Subject, Timestamp};
use assay_sandbox::sigstore::{Authority, Identity, evidence};
use assay_server::{FactSource, GatheredFacts, Namespaces, Puller, Server, ServerOptions};
use assay_store::{LedgerEvent, Store};
use assay_trust::{Evidence, predicates};
use axum::routing::post;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;

const IMAGES: usize = 10;
const REPOSITORY: &str = "registry.example.com/release/payments/api";
const WORKFLOW: &str = "https://github.com/company/payments/.github/workflows/release.yml@refs/heads/main";

const POLICY: &str = "
apiVersion: assay.dev/v1
kind: Environment
metadata: {name: prod}
spec:
  tier: prod
  namespaces: {matchLabels: {assay.dev/environment: prod}}
  registries: [registry.example.com/release/]
  trustRoot: lab
  signers:
    - name: release-workflow
      for: [signature, sbom, provenance, scan]
      keyless:
        issuer: https://token.actions.githubusercontent.com
        subject: https://github.com/company/payments/.github/workflows/release.yml@refs/heads/main
  controls:
    require-provenance: {builders: [https://builder.example.com]}
    release-known: {after: staging}
";

fn image(number: usize) -> Digest {
    Digest::of(format!("image {number}").as_bytes())
}

/// An AdmissionReview of a Pod with ten images by digest.
pub(crate) fn review() -> Arc<str> {
    let containers: Vec<String> = (0..IMAGES)
        .map(|number| {
            format!(
                r#"{{"name":"c{number}","image":"{REPOSITORY}@{}","imagePullPolicy":"IfNotPresent","env":[{{"name":"A","value":"b"}}],"resources":{{"limits":{{"cpu":"1","memory":"64Mi"}}}},"securityContext":{{"runAsNonRoot":true,"allowPrivilegeEscalation":false,"capabilities":{{"drop":["ALL"]}}}}}}"#,
                image(number)
            )
        })
        .collect();
    format!(
        r#"{{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","request":{{"uid":"0df28fbd-5f5f-11e8-bc74-36e6bb280816","kind":{{"group":"","version":"v1","kind":"Pod"}},"resource":{{"group":"","version":"v1","resource":"pods"}},"name":"api","namespace":"payments-prod","operation":"CREATE","userInfo":{{"username":"alice","groups":["system:authenticated"]}},"object":{{"apiVersion":"v1","kind":"Pod","metadata":{{"name":"api","namespace":"payments-prod","labels":{{"app":"api"}}}},"spec":{{"serviceAccountName":"api","containers":[{}]}}}},"oldObject":null,"dryRun":false}}}}"#,
        containers.join(",")
    )
    .into()
}

struct Warm(BTreeMap<String, Known<Vec<Arc<Facts>>>>);

impl FactSource for Warm {
    fn warm(&self, _: &Puller<'_>, images: &[ImageUse], _: FactNeeds) -> Option<GatheredFacts> {
        images.iter().map(|image| Some((image.written.clone(), self.0.get(&image.written)?.clone()))).collect()
    }

    fn gather<'a>(
        &'a self,
        _: &'a Puller<'a>,
        _: &'a [ImageUse],
        _: FactNeeds,
        _: std::time::Instant,
    ) -> Pin<Box<dyn Future<Output = GatheredFacts> + Send + 'a>> {
        Box::pin(std::future::ready(GatheredFacts::new()))
    }
}

/// Evidence of all kinds, really signed and verified.
fn evidence_of(authority: &Authority, digest: Digest) -> Vec<Arc<Evidence>> {
    let mut identity = Identity::github("company/payments", ".github/workflows/release.yml", "refs/heads/main");
    WORKFLOW.clone_into(&mut identity.subject);
    let attest = |kind: &str, predicate: &str| evidence::attestation(authority, &identity, &digest, kind, predicate);
    [
        evidence::signature(authority, &identity, &digest),
        attest(predicates::SPDX_DOCUMENT, r#"{"spdxVersion":"SPDX-2.3","packages":[{"name":"a"}]}"#),
        attest(
            predicates::SLSA_PROVENANCE_V1,
            r#"{"buildDefinition":{"buildType":"https://example.com/build","externalParameters":{},"resolvedDependencies":[]},"runDetails":{"builder":{"id":"https://builder.example.com"}}}"#,
        ),
    ]
    .map(Arc::new)
    .into()
}

pub(crate) async fn serve_assay() {
    let now: Timestamp = Timestamp::now();
    // The sandbox's clock has to stay behind the machine's: a log entry from the future is refused.
    let authority = Authority::new(now.checked_sub(jiff::SignedDuration::from_mins(1)).unwrap());
    let material = evidence::material(&authority).hash();
    let environments = load_yaml(POLICY, "policy.yaml")
        .unwrap()
        .objects
        .into_iter()
        .filter_map(|object| match object.value {
            Kind::Environment(environment) => Some(*environment),
            _ => None,
        })
        .collect();
    let trust_roots = vec![TrustRootInput { name: "lab".into(), material, keys: BTreeMap::new() }];
    let policy = Policy::compile(PolicyInput { environments, trust_roots, ..PolicyInput::default() }).unwrap();

    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Store::open(&directory.path().join("store.db")).unwrap());
    let mut facts = BTreeMap::new();
    for number in 0..IMAGES {
        let digest = image(number);
        for environment in ["dev", "staging", "prod"] {
            let promotion = Promotion {
                number: 0,
                release: format!("payments-{number}"),
                service: format!("payments-{number}"),
                digest,
                repository: REPOSITORY.parse().unwrap(),
                environment: environment.parse().unwrap(),
                at: now,
                by: "release".into(),
                retired: None,
                counts: assay_model::FindingCounts::default(),
                approval: Some(assay_case::PromotionApproval { by: "lead".into(), bundle: digest }),
            };
            store
                .append_ledger(LedgerEvent::Promotion {
                    promotion: Box::new(promotion),
                    rollback: false,
                    findings: None,
                    pack: None,
                    exceptions: Vec::new(),
                    decision: None,
                })
                .unwrap();
        }
        let pack =
            PackInfo { digest: Digest::of(b"pack"), data_until: now, records: 1, ecosystems: vec!["Debian:12".into()] };
        let findings = Findings { vulnerabilities: Vec::new(), matched_at: now, pack, uncovered: 0 };
        let subject = Subject { repository: REPOSITORY.parse().unwrap(), digest, index: None, platform: None };
        let of_image = Facts {
            subject,
            resolution: Resolution::ByDigest,
            contents: Known::new(Arc::new(Contents::default()), now),
            findings: Known::new(Arc::new(findings), now),
            evidence: Known::new(
                EvidenceSet { verified: evidence_of(&authority, digest), ..EvidenceSet::default() },
                now,
            ),
        };
        facts.insert(format!("{REPOSITORY}@{digest}"), Known::new(vec![Arc::new(of_image)], now));
    }
    let mut options = ServerOptions::new(Arc::new(Warm(facts)), store, directory.path().join("decisions"));
    options.policy = Some(Arc::new(policy));
    options.namespaces = std::iter::once((
        "payments-prod".to_owned(),
        BTreeMap::from([("assay.dev/environment".to_owned(), "prod".to_owned())]),
    ))
    .collect::<Namespaces>();
    let running = Server::start(options).await.unwrap();
    announce(&format!("https://{}/validate?timeout=5s", running.address()), running.ca_certificate().unwrap());
    wait_for_parent();
    drop(running);
}

/// The same stack (TCP, rustls, hyper, axum) with a handler that reads the body and says yes.
pub(crate) async fn serve_nothing() {
    let key = rcgen::generate_simple_self_signed(vec!["127.0.0.1".into(), "localhost".into()]).unwrap();
    let private = rustls_pki_types::PrivateKeyDer::Pkcs8(key.signing_key.serialize_der().into());
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    const ANSWER: &str = r#"{"apiVersion":"admission.k8s.io/v1","kind":"AdmissionReview","response":{"uid":"0df28fbd-5f5f-11e8-bc74-36e6bb280816","allowed":true}}"#;
    let router = axum::Router::new().route("/", post(async |_: axum::body::Bytes| ANSWER));
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (acceptor, router) = (acceptor.clone(), router.clone());
            tokio::spawn(async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let service = TowerToHyperService::new(router);
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    announce(&format!("https://{address}/"), &key.cert.pem());
    wait_for_parent();
}

fn announce(url: &str, certificate: &str) {
    print!("{url}\n{}\n{certificate}", certificate.len());
    std::io::stdout().flush().unwrap();
}

/// Until the other end of standard input is closed.
fn wait_for_parent() {
    let mut rest = Vec::new();
    let _ = std::io::stdin().lock().read_to_end(&mut rest);
}
