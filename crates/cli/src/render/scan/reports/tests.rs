use std::sync::Arc;

use assay_model::{Contents, Findings};
use assay_sbom::{Generation, Lifecycle, Root};

use assay_vuln::risk::{Surroundings, Use, risk};

use super::*;

fn scanned(text: &str) -> ScanOutcome {
    let read = assay_sbom::read(text.as_bytes()).unwrap();
    let pack = assay_vuln::embedded().unwrap();
    let now = "2026-11-21T08:00:00Z".parse().unwrap();
    let Findings { vulnerabilities, pack, uncovered, .. } = pack.match_contents(&read.contents, now).unwrap();
    ScanOutcome {
        target: "app".into(),
        digest: None,
        os: None,
        packages: 1,
        counts: assay_model::FindingCounts::of(&vulnerabilities),
        risks: vulnerabilities.iter().map(|finding| risk(finding, Use::default(), &Surroundings::default())).collect(),
        vex: Vec::new(),
        ignored: Vec::new(),
        vulnerabilities,
        hidden: 0,
        secrets: Vec::new(),
        uncovered,
        partial: Vec::new(),
        pack: Some(pack),
        sample_pack: true,
        fail_on: None,
        licences: Vec::new(),
        thresholds: Vec::new(),
        now,
        failing: 0,
        contents: Arc::new(Contents { packages: read.contents.packages, ..Contents::default() }),
        surface: None,
        accepted_secrets: 0,
        not_searched: None,
        chain_id: None,
        base: None,
        suppressed: Vec::new(),
        root: Root::directory("app"),
        generation: Generation { tool_version: "0.1.0", created: now, lifecycle: Lifecycle::PreBuild },
    }
}

fn jinja() -> ScanOutcome {
    scanned(
        r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [
            {"type": "library", "name": "Jinja2", "version": "2.10", "purl": "pkg:pypi/jinja2@2.10"}]}"#,
    )
}

#[test]
fn every_finding_is_in_every_report() {
    let scan = jinja();
    assert!(!scan.vulnerabilities.is_empty());
    let log: Value = serde_json::from_str(&sarif(&scan)).unwrap();
    assert_eq!(log["runs"][0]["results"].as_array().unwrap().len(), scan.vulnerabilities.len());
    assert_eq!(junit(&scan).matches("<testcase ").count(), scan.vulnerabilities.len());
    assert_eq!(github(&scan).lines().count(), scan.vulnerabilities.len());
    assert_eq!(markdown(&scan).matches("CVE-2019-10906").count(), 1);
}

#[test]
fn a_fingerprint_survives_an_update_of_the_package_and_differs_between_findings() {
    let log: Value = serde_json::from_str(&sarif(&jinja())).unwrap();
    let prints: std::collections::BTreeSet<_> = log["runs"][0]["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|result| result["partialFingerprints"]["assay/v1"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(prints.len(), jinja().vulnerabilities.len());
}
