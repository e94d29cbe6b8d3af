//! From the readable form of a case to a Policy, a Case and a time.
//!
//! Evidence is written as who signed what kind. It comes to life through `Evidence::restore`, with a sealing key that only
//! this test has: the one door into the type besides a verification, and the one that the store uses.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_case::{
    Case, Cause, ContainerRole, Document, EvidenceSet, Exposure, Facts, ImageUse, Known, Namespace, Outcome,
    PriorAdmission, Promotion, PullSecret, RejectedClaim, Request, Resolution, User, Verdict, Workload, World,
};
use assay_gate::{ApprovalState, ExceptionInput, Policy, PolicyInput, TrustRootInput};
use assay_kinds::{Kind, load_yaml};
use assay_model::{
    Contents, Digest, FileReference, Findings, Partial, Reference, Severity, Subject, Timestamp, VulnerabilityFinding,
};
use assay_trust::{Evidence, EvidenceKind, SealedEvidence, SealingKey};
use aws_lc_rs::hmac;
use serde_json::{Map, Value, json};

const SEALING_KEY: [u8; 32] = [7; 32];

pub(crate) fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../cases")
}

/// A case after its differences from `cases/base.yaml` were applied.
#[derive(Clone)]
pub(crate) struct Fixture {
    pub(crate) value: Value,
    /// The object as JSON, its digests written out.
    pub(crate) object: Vec<u8>,
}

/// Objects are merged, anything else replaces; a null removes.
pub(crate) fn merge(base: &mut Value, change: &Value) {
    match (base, change) {
        (Value::Object(base), Value::Object(change)) => {
            for (key, value) in change {
                if value.is_null() {
                    base.remove(key);
                } else {
                    merge(base.entry(key.clone()).or_insert(Value::Object(Map::new())), value);
                }
            }
        }
        (base, change) => *base = change.clone(),
    }
}

pub(crate) fn yaml(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}"))
}

fn digest_of(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// Cases name digests by words: `@a`, `@index`.
pub(crate) fn digest(word: &str) -> Digest {
    word.parse().unwrap_or_else(|_| digest_of(word.trim_start_matches('@')))
}

fn text<'v>(value: &'v Value, field: &str) -> &'v str {
    value.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn list<'v>(value: &'v Value, field: &str) -> &'v [Value] {
    value.get(field).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

impl Fixture {
    pub(crate) fn base() -> Self {
        let text = std::fs::read_to_string(folder().join("base.yaml")).unwrap();
        Self::new(yaml(&text))
    }

    pub(crate) fn new(value: Value) -> Self {
        let object = expand(&value["object"].to_string()).into_bytes();
        Self { value, object }
    }

    pub(crate) fn with(&self, change: &Value) -> Self {
        let mut value = self.value.clone();
        merge(&mut value, change);
        Self::new(value)
    }

    pub(crate) fn with_yaml(&self, change: &str) -> Self {
        self.with(&yaml(change))
    }

    pub(crate) fn now(&self) -> Timestamp {
        text(&self.value, "now").parse().unwrap()
    }

    pub(crate) fn input(&self) -> PolicyInput {
        let policy = &self.value["policy"];
        let mut environments = Vec::new();
        for (name, spec) in policy["environments"].as_object().unwrap() {
            let object =
                json!({"apiVersion": "assay.dev/v1", "kind": "Environment", "metadata": {"name": name}, "spec": spec});
            let Kind::Environment(environment) = load(&object) else { panic!("an Environment") };
            environments.push(*environment);
        }
        let mut exceptions = Vec::new();
        for (name, written) in policy["exceptions"].as_object().unwrap_or(&Map::new()) {
            let mut spec = written.clone();
            let fields = spec.as_object_mut().unwrap();
            let authenticated = fields.remove("authenticated");
            let author = fields.remove("author").and_then(|author| author.as_str().map(str::to_owned));
            let object =
                json!({"apiVersion": "assay.dev/v1", "kind": "Exception", "metadata": {"name": name}, "spec": spec});
            let Kind::Exception(exception) = load(&object) else { panic!("an Exception") };
            let approval = authenticated.map_or(ApprovalState::Unauthenticated, |by| ApprovalState::Authenticated {
                by: text(&by, "by").to_owned(),
                groups: list(&by, "groups").iter().map(|group| group.as_str().unwrap().to_owned()).collect(),
            });
            exceptions.push(Arc::new(ExceptionInput { exception: *exception, approval, author }));
        }
        let trust_roots = ["company", "other"].map(|name| TrustRootInput {
            name: name.to_owned(),
            material: digest_of(name),
            keys: ["release-key", "security-key", "operations-key"]
                .map(|key| (key.to_owned(), digest_of(key)))
                .into_iter()
                // One key under two names is one key.
                .chain([("spare-key".to_owned(), digest_of("release-key"))])
                .collect(),
        });
        PolicyInput { environments, exceptions, trust_roots: trust_roots.to_vec(), default_environment: None }
    }

    pub(crate) fn policy(&self) -> Policy {
        Policy::compile(self.input()).unwrap_or_else(|error| panic!("{error}"))
    }

    pub(crate) fn case(&self) -> Case<'_> {
        let value = &self.value;
        let document = Document::from_json(&self.object).unwrap();
        let namespace = &value["namespace"];
        let images = match value.get("release") {
            Some(release) => vec![image(ContainerRole::Release, "", "image", release.as_str(), None)],
            None => images(&self.object),
        };
        let is_pod = value.get("release").is_none();
        let request = Request {
            operation: serde_json::from_value(value["operation"].clone()).unwrap(),
            workload: serde_json::from_value::<Workload>(value["workload"].clone()).unwrap(),
            namespace: Namespace {
                name: text(namespace, "name").to_owned(),
                labels: namespace.get("labels").map(|labels| serde_json::from_value(labels.clone()).unwrap()),
            },
            environment: value.get("environment").map(|name| name.as_str().unwrap().parse().unwrap()),
            service_account: value.get("serviceAccount").and_then(Value::as_str).map(str::to_owned),
            user: User::default(),
            images,
            document,
            pod_spec: is_pod.then_some(&["spec"]),
            pod_metadata: is_pod.then_some(&["metadata"]),
        };
        let now = self.now();
        let facts = value["facts"].as_object().unwrap().iter().map(|(written, platforms)| {
            let written = expand(written);
            let each = |platforms: &Vec<Value>| platforms.iter().map(|one| facts(&written, one, now)).collect();
            let known = match platforms.as_array() {
                Some(platforms) => Known::new(each(platforms), now),
                None => Known::Unknown { cause: cause(&platforms["unknown"]) },
            };
            (written, known)
        });
        Case { request, facts: facts.collect(), world: Arc::new(world(&value["world"], now)) }
    }
}

fn load(object: &Value) -> Kind {
    let loaded = load_yaml(&expand(&object.to_string()), "case").unwrap_or_else(|error| panic!("{error}"));
    loaded.objects.into_iter().next().unwrap().value
}

/// Writes out the digests that stand as `sha256:WORD`.
fn expand(written: &str) -> String {
    let mut out = String::new();
    let mut rest = written;
    while let Some(at) = rest.find("sha256:") {
        let (before, after) = rest.split_at(at + "sha256:".len());
        let end = after.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(after.len());
        let (word, tail) = after.split_at(end);
        out.push_str(before);
        let hex = if word.len() == 64 { word.to_owned() } else { digest_of(word).hex() };
        out.push_str(&hex);
        rest = tail;
    }
    out + rest
}

fn image(role: ContainerRole, name: &str, field: &str, written: Option<&str>, policy: Option<&str>) -> ImageUse {
    let written = expand(written.unwrap_or_default());
    let reference: Result<Reference, _> = written.parse();
    ImageUse {
        role,
        name: name.to_owned(),
        field: field.to_owned(),
        reference,
        written,
        pull_policy: policy.map(str::to_owned),
    }
}

/// The images of a Pod, as the Kubernetes side extracts them.
fn images(object: &[u8]) -> Vec<ImageUse> {
    let object: Value = serde_json::from_slice(object).unwrap();
    let spec = &object["spec"];
    let mut images = Vec::new();
    for (name, role) in [
        ("initContainers", ContainerRole::InitContainer),
        ("containers", ContainerRole::Container),
        ("ephemeralContainers", ContainerRole::EphemeralContainer),
    ] {
        for (index, container) in list(spec, name).iter().enumerate() {
            let field = format!("spec.{name}[{index}].image");
            let policy = container.get("imagePullPolicy").and_then(Value::as_str);
            let written = container.get("image").and_then(Value::as_str);
            images.push(image(role, text(container, "name"), &field, written, policy));
        }
    }
    for (index, volume) in list(spec, "volumes").iter().enumerate() {
        let Some(source) = volume.get("image") else { continue };
        let field = format!("spec.volumes[{index}].image.reference");
        let policy = source.get("pullPolicy").and_then(Value::as_str);
        let written = source.get("reference").and_then(Value::as_str);
        images.push(image(ContainerRole::ImageVolume, text(volume, "name"), &field, written, policy));
    }
    images
}

fn facts(written: &str, value: &Value, now: Timestamp) -> Arc<Facts> {
    let reference: Reference = written.parse().unwrap();
    let own = digest(text(value, "digest"));
    let index = value.get("index").and_then(Value::as_str).map(digest);
    let subject = Subject {
        repository: reference.repository().clone(),
        digest: own,
        index,
        platform: value.get("platform").map(|platform| platform.as_str().unwrap().parse().unwrap()),
    };
    let unknown = |field: &str| value.get(field).and_then(|part| part.get("unknown")).map(cause);
    let evidence = match unknown("evidence") {
        Some(cause) => Known::Unknown { cause },
        None => Known::new(evidence_set(value, own, index), now),
    };
    let contents = match unknown("contents") {
        Some(cause) => Known::Unknown { cause },
        None => Known::new(Arc::new(contents(value)), now),
    };
    let findings = match unknown("findings") {
        Some(cause) => Known::Unknown { cause },
        None => Known::new(Arc::new(findings(value, now)), now),
    };
    let resolution = if reference.digest().is_some() { Resolution::ByDigest } else { Resolution::ByTag };
    Arc::new(Facts { subject, resolution, contents, findings, evidence })
}

fn cause(value: &Value) -> Cause {
    Cause::new(text(value, "code"), text(value, "message"))
}

fn evidence_set(value: &Value, own: Digest, index: Option<Digest>) -> EvidenceSet {
    let evidence = list(value, "evidence").iter().map(|one| Arc::new(evidence(one, own, index))).collect();
    let rejected = list(value, "rejected").iter().map(|one| RejectedClaim {
        source: digest_of("rejected"),
        kind: one.get("kind").map(|kind| serde_json::from_value(kind.clone()).unwrap()),
        code: text(one, "code").to_owned(),
        message: text(one, "message").to_owned(),
    });
    EvidenceSet { verified: evidence, rejected: rejected.collect(), truncated: value.get("truncated").is_some() }
}

/// One piece of evidence: `{kind, by, on, root, until, at, predicate}`.
fn evidence(value: &Value, own: Digest, index: Option<Digest>) -> Evidence {
    let kind: EvidenceKind = serde_json::from_value(value["kind"].clone()).unwrap();
    let subject = match value.get("on").and_then(Value::as_str) {
        None => own,
        Some("index") => index.unwrap(),
        Some(word) => digest(word),
    };
    let root = digest_of(value.get("root").and_then(Value::as_str).unwrap_or("company"));
    let by = text(value, "by");
    let signer = if by.ends_with("-key") {
        json!({"type": "key", "fingerprint": digest_of(by)})
    } else if by.starts_with("CN=") {
        let issuer = value.get("issuer").and_then(Value::as_str).unwrap_or("CN=Company CA,O=Company,C=US");
        let authority = value.get("authority").and_then(Value::as_str).unwrap_or("company-ca");
        let fingerprint = digest_of(&format!("{by} by {issuer}"));
        json!({"type": "certificate", "subject": by, "issuer": issuer, "authority": authority, "fingerprint": fingerprint})
    } else {
        let claims = value.get("claims").cloned().unwrap_or_else(|| json!({"runnerEnvironment": "github-hosted"}));
        let issuer = value.get("issuer").and_then(Value::as_str).unwrap_or("https://issuer.example.com");
        json!({"type": "keyless", "issuer": issuer, "subject": by, "claims": claims})
    };
    let mut predicate = match kind {
        EvidenceKind::Signature => json!({"predicate": "signature"}),
        EvidenceKind::Sbom => {
            json!({"predicate": "sbom", "format": "spdx", "packages": 212, "document": digest_of("sbom")})
        }
        EvidenceKind::Provenance => json!({
            "predicate": "provenance",
            "builderId": "https://builder.example.com/v1",
            "buildType": "https://slsa.example.com/workflow/v1",
            "sourceRepository": "https://github.com/company/payments",
            "sourceRef": "refs/heads/main",
            "workflow": ".github/workflows/release.yml"
        }),
        EvidenceKind::Vex => json!({"predicate": "vex", "statements": []}),
        EvidenceKind::Scan => json!({
            "predicate": "scan", "scanner": "pkg:github/aquasecurity/trivy@0.60.0", "database": "2",
            "finishedAt": "2026-11-21T06:00:00Z",
            "counts": {"critical": 0, "high": 2, "medium": 7, "low": 30, "unknown": 0, "known_exploited": 0}
        }),
        EvidenceKind::Test => json!({
            "predicate": "test", "result": "PASSED", "passed": 214, "warned": 0, "failed": 0, "configurations": ["ci.yml"]
        }),
        EvidenceKind::Vsa => json!({
            "predicate": "summary", "verifier": "https://ci.example.com/verifier", "verifiedAt": "2026-11-21T06:00:00Z",
            "resource": "oci://registry.example.com/release/payments/api", "policyDigest": format!("{}", digest_of("policy")),
            "passed": true, "levels": ["SLSA_BUILD_LEVEL_3"], "inputs": []
        }),
        EvidenceKind::Release => json!({"predicate": "release", "purl": "pkg:oci/api@1.18"}),
        EvidenceKind::Attributes => json!({
            "predicate": "attributes", "attributes": ["REPRODUCIBLE"], "conditional": ["HARDENED"], "producer": "gcc9.3.0"
        }),
        EvidenceKind::Link => json!({"predicate": "link", "name": "build", "command": ["make"], "materials": []}),
        EvidenceKind::Other => json!({"predicate": "other"}),
    };
    if let Some(change) = value.get("predicate") {
        merge(&mut predicate, change);
    }
    let content = json!({
        "subject": subject,
        "kind": kind,
        "predicateType": null,
        "predicate": predicate,
        "signer": signer,
        "signedAt": value.get("at"),
        "validUntil": value.get("until"),
        "checks": [],
        "trustRoot": root,
        "source": digest_of(&value.to_string()),
    });
    let body = content.to_string();
    let key = hmac::Key::new(hmac::HMAC_SHA256, &SEALING_KEY);
    let seal = hex::encode(hmac::sign(&key, body.as_bytes()).as_ref());
    let sealed: SealedEvidence = serde_json::from_value(json!({"body": body, "seal": seal})).unwrap();
    Evidence::restore(&sealed, &SealingKey::new(&SEALING_KEY), root).unwrap()
}

fn contents(value: &Value) -> Contents {
    let partial = list(value, "partial")
        .iter()
        .map(|what| Partial { what: what.as_str().unwrap().to_owned(), bound: assay_model::Bound::Bytes });
    let secrets = list(value, "secrets").iter().map(|secret| assay_model::SecretMatch {
        rule: text(secret, "rule").to_owned(),
        severity: Severity::High,
        file: FileReference { path: text(secret, "path").to_owned(), layer: Some(2) },
        line: 1,
        excerpt: "***".to_owned(),
        fingerprint: digest_of("secret"),
        deleted_later: secret.get("deleted").is_some(),
    });
    let layers = list(value, "layers").iter().map(|word| {
        let digest = digest_of(word.as_str().unwrap());
        assay_model::Layer { digest, diff_id: digest, size: 1, created_by: None }
    });
    let base = value.get("base").map(|name| assay_model::BaseImage {
        name: name.as_str().map(str::to_owned),
        digest: None,
        layers: None,
        evidence: assay_model::BaseEvidence::Stated,
    });
    let packages = list(value, "packages").iter().map(|purl| {
        let purl: assay_model::Purl = purl.as_str().unwrap().parse().unwrap();
        let version = purl.version.clone().unwrap_or_default();
        let package = json!({
            "type": purl.kind, "name": purl.name, "version": version, "purl": purl.to_string(), "tier": "installed",
            "path": "app/lock"
        });
        serde_json::from_value(package).unwrap()
    });
    Contents {
        partial: partial.collect(),
        secrets: secrets.collect(),
        layers: layers.collect(),
        packages: packages.collect(),
        base,
        ..Contents::default()
    }
}

/// Findings are written as `{id, severity, package, aliases, fixed, exploited}` with the package as a purl.
fn findings(value: &Value, now: Timestamp) -> Findings {
    let finding = |one: &Value| -> VulnerabilityFinding {
        let purl: assay_model::Purl = text(one, "package").parse().unwrap();
        let fix = match one.get("fixed") {
            Some(version) => json!({"state": "fixed", "versions": [version]}),
            None => json!({"state": "not-fixed"}),
        };
        let exploited = one.get("exploited").map(|since| json!({"since": since, "ransomware": false}));
        serde_json::from_value(json!({
            "vulnerability": {
                "id": text(one, "id"), "severity": text(one, "severity"),
                "aliases": one.get("aliases").cloned().unwrap_or(json!([])),
                "known_exploited": exploited
            },
            "package": {
                "type": "npm", "name": purl.name, "version": purl.version.clone().unwrap_or_default(),
                "purl": purl.to_string(), "tier": "installed", "path": "app/package.json"
            },
            "fix": fix,
            "reason": {
                "record": text(one, "id"), "ecosystem": "npm", "name": purl.name, "version": "1", "range": "introduced 0"
            }
        }))
        .unwrap()
    };
    let time = |field: &str| value.get(field).map_or(now, |at| at.as_str().unwrap().parse().unwrap());
    Findings {
        vulnerabilities: list(value, "findings").iter().map(finding).collect(),
        matched_at: time("matchedAt"),
        pack: assay_model::PackInfo {
            digest: digest_of("pack"),
            data_until: time("dataUntil"),
            records: 1,
            ecosystems: vec!["npm".to_owned()],
        },
        uncovered: value.get("uncovered").and_then(Value::as_u64).unwrap_or(0),
    }
}

/// Who approved a promotion: the lead where nothing is said, nobody where that is said.
fn approval(promotion: &Value) -> Value {
    match promotion.get("approval") {
        None => json!({"by": "release-lead", "bundle": digest_of("approval")}),
        Some(Value::String(by)) => json!({"by": by, "bundle": digest_of("approval")}),
        Some(_) => Value::Null,
    }
}

/// Who promoted.
fn by(promotion: &Value) -> &str {
    promotion.get("by").and_then(Value::as_str).unwrap_or("release-bot")
}

fn world(value: &Value, now: Timestamp) -> World {
    let proposed = value.get("proposed").map(|one| {
        serde_json::from_value(json!({
            "number": 0, "release": "payments-api-1-18", "service": "payments-api", "digest": digest("index"),
            "repository": "registry.example.com/release/payments/api", "environment": "prod", "at": now,
            "by": by(one), "approval": approval(one)
        }))
        .unwrap()
    });
    let promotions = value.get("promotions").and_then(Value::as_array).map(|entries| {
        let promotion = |(index, one): (usize, &Value)| -> Promotion {
            serde_json::from_value(json!({
                "number": index + 1,
                "release": text(one, "release"), "service": "payments-api",
                "digest": digest(text(one, "digest")),
                "repository": "registry.example.com/release/payments/api",
                "environment": text(one, "environment"),
                "at": now, "by": by(one),
                "retired": one.get("retired"), "approval": approval(one)
            }))
            .unwrap()
        };
        entries.iter().enumerate().map(promotion).collect::<Vec<_>>().into()
    });
    let secrets =
        value.get("pullSecrets").map(|secrets| serde_json::from_value::<Vec<PullSecret>>(secrets.clone()).unwrap());
    let admissions = list(value, "admissions").iter().map(|one| PriorAdmission {
        digest: digest(text(one, "digest")),
        namespace: text(one, "namespace").to_owned(),
        workload: text(one, "workload").to_owned(),
        decision: "7f3a".to_owned(),
        at: now,
    });
    let exposure: BTreeMap<String, Exposure> =
        value.get("exposure").map(|exposure| serde_json::from_value(exposure.clone()).unwrap()).unwrap_or_default();
    World {
        proposed,
        promotions: promotions.map_or_else(|| World::unknown().promotions, |entries| Known::new(entries, now)),
        pull_secrets: secrets.map_or_else(|| World::unknown().pull_secrets, |entries| Known::new(entries, now)),
        pull_accounts: value.get("pullAccounts").map(|names| serde_json::from_value(names.clone()).unwrap()),
        exposure,
        admissions: admissions.collect(),
    }
}

/// A Verdict for people to review: everything but what passed, which is listed by name.
pub(crate) fn render(verdict: &Verdict) -> String {
    let mut text = String::new();
    let word = if verdict.allowed { "allowed" } else { "denied" };
    let operation = verdict.operation.name();
    let _ = writeln!(text, "{word}  {operation} {} in {}", verdict.workload, verdict.environment);
    let mut met = Vec::new();
    for outcome in &verdict.outcomes {
        let target = &outcome.target;
        let role = target.role.map(|role| format!("{} {}, ", role.title(), target.name)).unwrap_or_default();
        let platform = target.platform.as_ref().map(|platform| format!("{platform}, ")).unwrap_or_default();
        if outcome.outcome <= Outcome::Pass {
            met.push(format!("  {} {}: {role}{platform}{}", outcome.outcome, outcome.control, outcome.message));
            continue;
        }
        let excepted = outcome.excepted_by.as_ref().map(|name| format!(" (excepted by {name})")).unwrap_or_default();
        let (word, control, action) = (outcome.outcome, &outcome.control, outcome.action);
        let _ = writeln!(text, "{word}  {control} [{action}]{excepted}  {role}{platform}{}", outcome.message);
        if !target.field.is_empty() {
            let _ = writeln!(text, "      at {}", target.field);
        }
        if let Some(fix) = &outcome.fix {
            let _ = writeln!(text, "      fix {fix}");
        }
    }
    for note in &verdict.exceptions {
        let what = note.ignored.as_ref().map_or("used".to_owned(), |why| format!("does nothing: {why}"));
        let _ = writeln!(text, "exception {} for {}: {what}", note.name, note.control);
    }
    for note in &verdict.notes {
        let _ = writeln!(text, "note {note}");
    }
    for image in &verdict.unbound {
        let _ = writeln!(text, "unbound {image}");
    }
    let _ = writeln!(text, "met");
    for line in met {
        let _ = writeln!(text, "{line}");
    }
    text
}
