//! Each field that a known predicate needs: taken away or of another type, the evidence is refused with its cause; and
//! every known type becomes evidence of its own kind.

use assay_model::{Digest, Explain as _};
use assay_sandbox::sigstore::evidence::KeyPair;
use assay_sign::Statement;
use assay_trust::{Artifact, Evidence, EvidenceKind, VerifyError, predicates, verify_bundle};
use serde_json::{Value, json};

fn documents() -> Vec<(&'static str, EvidenceKind, Value, Vec<&'static str>)> {
    let builder = json!({"id": "https://builder.example.com"});
    let v1 = json!({"buildDefinition": {"buildType": "b"}, "runDetails": {"builder": builder}});
    let v02 = json!({"builder": builder, "buildType": "b"});
    let scan = json!({"scanner": {"uri": "trivy"}, "metadata": {"scanFinishedOn": "2026-01-01T00:00:00Z"}});
    let summary = json!({"verifier": {"id": "v"}, "resourceUri": "r", "verificationResult": "PASSED"});
    let old_summary = json!({"verifier": {"id": "v"}, "resource_uri": "r", "verification_result": "PASSED"});
    let vex = json!({"statements": [{"vulnerability": {"name": "CVE-2026-1"}, "status": "fixed"}]});
    vec![
        (
            predicates::SLSA_PROVENANCE_V1,
            EvidenceKind::Provenance,
            v1,
            vec![
                "/buildDefinition",
                "/buildDefinition/buildType",
                "/runDetails",
                "/runDetails/builder",
                "/runDetails/builder/id",
            ],
        ),
        (predicates::SLSA_PROVENANCE_V02, EvidenceKind::Provenance, v02, vec!["/builder", "/builder/id", "/buildType"]),
        (
            predicates::SLSA_PROVENANCE_V01,
            EvidenceKind::Provenance,
            json!({"builder": builder}),
            vec!["/builder", "/builder/id"],
        ),
        (
            predicates::VERIFICATION_SUMMARY_V1,
            EvidenceKind::Vsa,
            summary,
            vec!["/verifier", "/verifier/id", "/resourceUri", "/verificationResult"],
        ),
        (
            predicates::VERIFICATION_SUMMARY_V02,
            EvidenceKind::Vsa,
            old_summary,
            vec!["/verifier", "/verifier/id", "/resource_uri", "/verification_result"],
        ),
        (predicates::SPDX_DOCUMENT, EvidenceKind::Sbom, json!({"spdxVersion": "SPDX-2.3"}), vec!["/spdxVersion"]),
        (predicates::CYCLONEDX_BOM, EvidenceKind::Sbom, json!({"bomFormat": "CycloneDX"}), vec!["/bomFormat"]),
        (predicates::COSIGN_VULN_V1, EvidenceKind::Scan, scan.clone(), vec!["/scanner", "/metadata"]),
        (predicates::IN_TOTO_VULNS_V01, EvidenceKind::Scan, scan.clone(), vec!["/scanner", "/metadata"]),
        (predicates::IN_TOTO_VULNS_V02, EvidenceKind::Scan, scan, vec!["/scanner", "/metadata"]),
        (
            predicates::OPENVEX,
            EvidenceKind::Vex,
            vex,
            vec!["/statements", "/statements/0/vulnerability", "/statements/0/status"],
        ),
        (predicates::TEST_RESULT_V01, EvidenceKind::Test, json!({"result": "PASSED"}), vec!["/result"]),
        (predicates::RELEASE_V01, EvidenceKind::Release, json!({"purl": "pkg:npm/a@1"}), vec!["/purl"]),
        (
            predicates::SCAI_V03,
            EvidenceKind::Attributes,
            json!({"attributes": [{"attribute": "A"}]}),
            vec!["/attributes", "/attributes/0/attribute"],
        ),
        (predicates::LINK_V03, EvidenceKind::Link, json!({"name": "build"}), vec!["/name"]),
    ]
}

fn verify(keys: &KeyPair, kind: &str, predicate: &Value) -> Result<Evidence, VerifyError> {
    let image = Digest::of(b"image");
    let statement = Statement::attestation(&image, kind, predicate.to_string().as_bytes()).unwrap();
    let now = "2026-11-01T00:00:00Z".parse().unwrap();
    verify_bundle(keys.bundle(&statement).bytes(), Artifact::Digest(image), &keys.material, now)
}

fn without(document: &Value, pointer: &str, replacement: Option<Value>) -> Value {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    let mut changed = document.clone();
    let object = changed.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match replacement {
        Some(value) => drop(object.insert(field.to_owned(), value)),
        None => drop(object.remove(field).unwrap()),
    }
    changed
}

#[test]
fn a_known_predicate_is_of_its_kind_and_every_needed_field_counts() {
    let keys = KeyPair::generate("release");
    for (kind, wanted, document, fields) in documents() {
        let evidence = verify(&keys, kind, &document).unwrap();
        assert_eq!((evidence.kind(), evidence.predicate_type()), (wanted, Some(kind)));
        for field in fields {
            for replacement in [None, Some(json!(7)), Some(json!(["x"])), Some(Value::Null)] {
                let changed = without(&document, field, replacement);
                let error = verify(&keys, kind, &changed).expect_err(&format!("{kind} {changed}"));
                assert_eq!(error.code(), "predicate-malformed", "{kind} {field}: {error}");
            }
        }
    }
}

#[test]
fn evidence_of_every_kind_survives_the_store() {
    let keys = KeyPair::generate("release");
    let sealing = assay_trust::SealingKey::new(&[3; 32]);
    let mut all: Vec<Evidence> =
        documents().iter().map(|(kind, _, document, _)| verify(&keys, kind, document).unwrap()).collect();
    all.push(verify(&keys, "https://example.com/other/v1", &json!({"b": 1})).unwrap());
    for evidence in all {
        let restored = Evidence::restore(&evidence.seal(&sealing), &sealing, evidence.trust_root()).unwrap();
        assert_eq!(restored, evidence);
    }
}

/// An array where an object may stand is no shorter way to write its fields: no format of ours means that.
#[test]
fn what_may_be_left_out_is_an_object_all_the_same() {
    let keys = KeyPair::generate("release");
    let slsa = json!({"buildDefinition": {"buildType": "b"}, "runDetails": {"builder": {"id": "b"}}});
    let v02 = json!({"builder": {"id": "b"}, "buildType": "b"});
    let v01 = json!({"builder": {"id": "b"}});
    let summary = json!({"verifier": {"id": "v"}, "resourceUri": "r", "verificationResult": "PASSED"});
    let scan = json!({"scanner": {"uri": "s"}, "metadata": {}});
    let vex = json!({"statements": [{"vulnerability": "CVE-2026-1", "status": "fixed", "products": [{"@id": "p"}]}]});
    let scai = json!({"attributes": [{"attribute": "A"}]});
    for (kind, document, field, wrong) in [
        (predicates::SLSA_PROVENANCE_V1, &slsa, "/runDetails/metadata", json!(["2026-01-01T00:00:00Z", null])),
        (predicates::SLSA_PROVENANCE_V1, &slsa, "/buildDefinition/resolvedDependencies", json!([["u", "n", {}]])),
        (predicates::SLSA_PROVENANCE_V02, &v02, "/invocation", json!([{}, {}, {}])),
        (predicates::SLSA_PROVENANCE_V02, &v02, "/metadata", json!([null, null])),
        (predicates::SLSA_PROVENANCE_V02, &v02, "/materials", json!([["u", "n", {}]])),
        (predicates::SLSA_PROVENANCE_V01, &v01, "/recipe", json!(["b", 0, null, {}, {}])),
        (predicates::VERIFICATION_SUMMARY_V1, &summary, "/policy", json!(["u", {}])),
        (predicates::VERIFICATION_SUMMARY_V1, &summary, "/inputAttestations", json!([["u", "n", {}]])),
        (predicates::COSIGN_VULN_V1, &scan, "/scanner/db", json!(["u", "v"])),
        (predicates::OPENVEX, &vex, "/statements", json!([["CVE-2026-1", [], [], "fixed", null, null]])),
        (predicates::SCAI_V03, &scai, "/attributes", json!([["A", null, null]])),
        (predicates::SCAI_V03, &scai, "/producer", json!(["u", "n", {}])),
    ] {
        verify(&keys, kind, document).unwrap();
        let changed = without(document, field, Some(wrong));
        let error = verify(&keys, kind, &changed).expect_err(&format!("{kind} {changed}"));
        assert_eq!(error.code(), "predicate-malformed", "{kind} {field}: {error}");
    }
}
