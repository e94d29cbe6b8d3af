//! Whose statement takes which finding away, and why another one does not.

use assay_model::{Contents, Digest, Findings, PackageType, Purl, Timestamp};
use assay_vuln::vex::{
    NewStatement, NotAppliedReason, Origin, Status, Subject, VexDocument, VexOutcome, apply, write_openvex,
};
use proptest::prelude::*;

use crate::contents::{built_from, contents, find, pack, package, release};

const DIGEST: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// CVE-2099-1 in zlib1g 1:1.2.13.dfsg-1 of Debian 12.
fn scanned() -> (Contents, Findings) {
    let pack = pack(
        r#"{"id": "DEBIAN-CVE-2099-1", "upstream": ["CVE-2099-1"], "affected": [{"package": {"ecosystem": "Debian:12", "name": "zlib"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}"#,
    );
    let mut zlib = built_from(package(PackageType::Deb, "zlib1g", "1:1.2.13.dfsg-1"), "zlib", "1:1.2.13.dfsg-1");
    zlib.purl = Purl::new("deb", Some("debian"), "zlib1g", Some("1:1.2.13.dfsg-1"))
        .with_qualifier("arch", "amd64")
        .with_qualifier("distro", "debian-12");
    let contents = contents(Some(release("debian", "12")), vec![zlib]);
    let findings = find(&pack, &contents);
    assert_eq!(findings.vulnerabilities.len(), 1);
    (contents, findings)
}

fn subject() -> Subject {
    Subject { digest: Some(DIGEST.parse().unwrap()), repository: Some("ghcr.io/org/app".into()) }
}

fn judge(documents: &[(&str, Origin)]) -> VexOutcome {
    let (contents, findings) = scanned();
    let documents: Vec<_> = documents
        .iter()
        .map(|(text, origin)| VexDocument::read("vex.json", text.as_bytes(), origin.clone()).unwrap())
        .collect();
    apply(findings, &documents, &subject(), &contents)
}

fn openvex(products: &str, rest: &str) -> String {
    format!(
        r#"{{"@context": "https://openvex.dev/ns/v0.2.0", "@id": "x", "author": "a", "timestamp": "2099-01-01T00:00:00Z", "version": 1,
            "statements": [{{"vulnerability": {{"name": "CVE-2099-1"}}, "products": [{products}], {rest}}}]}}"#
    )
}

const ABSENT: &str = r#""status": "not_affected", "justification": "vulnerable_code_not_present""#;

#[test]
fn a_statement_counts_for_exactly_the_product_that_it_names() {
    // docker-hardened-images#2051, grype#3657, grype#1836, trivy#10985: qualifiers, digests and parts.
    let image = format!(r#"{{"@id": "pkg:oci/app@{DIGEST}?repository_url=ghcr.io/org"}}"#);
    let image = image.replace("@sha256:", "@sha256%3A");
    for (products, counts) in [
        (image.as_str(), true),
        (r#"{"@id": "pkg:oci/app?repository_url=https://ghcr.io/org/"}"#, true),
        (r#"{"@id": "pkg:oci/app?repository_url=ghcr.io/org/app"}"#, true),
        (r#"{"@id": "pkg:oci/app?repository_url=docker.io/org/app"}"#, false),
        (r#"{"@id": "pkg:oci/app@latest?repository_url=ghcr.io/org/app"}"#, false),
        (
            r#"{"@id": "pkg:oci/app@sha256%3Abbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb?repository_url=ghcr.io/org/app"}"#,
            false,
        ),
        (&format!(r#""ghcr.io/org/app@{DIGEST}""#), true),
        (r#"{"@id": "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1"}"#, true),
        (r#"{"@id": "pkg:deb/debian/zlib1g?arch=amd64"}"#, true),
        (r#"{"@id": "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=arm64"}"#, false),
        (r#"{"@id": "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-2"}"#, false),
        (r#"{"@id": "pkg:deb/ubuntu/zlib1g@1:1.2.13.dfsg-1"}"#, false),
        (
            r#"{"@id": "pkg:oci/app?repository_url=ghcr.io/org/app", "subcomponents": [{"@id": "pkg:deb/debian/zlib1g"}]}"#,
            true,
        ),
        (
            r#"{"@id": "pkg:oci/app?repository_url=ghcr.io/org/app", "subcomponents": [{"@id": "pkg:deb/debian/openssl"}]}"#,
            false,
        ),
        (
            r#"{"@id": "pkg:oci/other?repository_url=ghcr.io/org/other", "subcomponents": [{"@id": "pkg:deb/debian/zlib1g"}]}"#,
            false,
        ),
    ] {
        let outcome = judge(&[(&openvex(products, ABSENT), Origin::Given)]);
        assert_eq!(outcome.findings.vulnerabilities.is_empty(), counts, "{products}");
        assert_eq!(
            (outcome.applied.len(), outcome.not_applied.len()),
            if counts { (1, 0) } else { (0, 1) },
            "{products}"
        );
        if !counts {
            assert!(
                matches!(
                    outcome.not_applied[0].reason,
                    NotAppliedReason::OtherProduct(_) | NotAppliedReason::OtherPart(_)
                ),
                "{products}: {}",
                outcome.not_applied[0].reason.describe()
            );
        }
    }
}

#[test]
fn nobodys_word_changes_nothing_and_a_signers_is_named() {
    let text = openvex(r#""pkg:deb/debian/zlib1g""#, ABSENT);
    let outcome = judge(&[(&text, Origin::Unsigned)]);
    assert_eq!(outcome.findings.vulnerabilities.len(), 1);
    assert_eq!(outcome.not_applied[0].reason, NotAppliedReason::Unsigned);
    let outcome = judge(&[(&text, Origin::SignedByOther("mallory@example.com".into()))]);
    assert_eq!(outcome.findings.vulnerabilities.len(), 1);
    let reason = outcome.not_applied[0].reason.describe();
    assert_eq!(reason, "it is signed by mallory@example.com, whose word was not asked for");
    let outcome = judge(&[(&text, Origin::Signed("security@example.com".into()))]);
    assert_eq!(outcome.applied[0].by, "vex.json, signed by security@example.com");
    assert_eq!(outcome.applied[0].justification, "vulnerable_code_not_present");
}

#[test]
fn not_affected_needs_a_reason_and_the_later_word_counts() {
    let bare = openvex(r#""pkg:deb/debian/zlib1g""#, r#""status": "not_affected""#);
    assert_eq!(judge(&[(&bare, Origin::Given)]).not_applied[0].reason, NotAppliedReason::NoReason);
    let absent = openvex(r#""pkg:deb/debian/zlib1g""#, ABSENT);
    let later = openvex(
        r#""pkg:deb/debian/zlib1g""#,
        r#""status": "affected", "timestamp": "2099-02-01T00:00:00Z", "action_statement": "update""#,
    );
    let outcome = judge(&[(&absent, Origin::Given), (&later, Origin::Given)]);
    assert_eq!(outcome.findings.vulnerabilities.len(), 1);
    assert_eq!(outcome.confirmed[0].status, Status::Affected);
    assert!(matches!(outcome.not_applied[0].reason, NotAppliedReason::Overruled(_)));
    // At the same time the more careful word counts, in whatever order they come.
    let same = openvex(r#""pkg:deb/debian/zlib1g""#, r#""status": "under_investigation""#);
    assert_eq!(judge(&[(&absent, Origin::Given), (&same, Origin::Given)]).findings.vulnerabilities.len(), 1);
    assert_eq!(judge(&[(&same, Origin::Given), (&absent, Origin::Given)]).findings.vulnerabilities.len(), 1);
}

#[test]
fn all_three_formats_say_the_same() {
    let csaf = r#"{"document": {"category": "csaf_vex", "csaf_version": "2.0", "tracking": {"id": "x", "current_release_date": "2099-01-01T00:00:00Z"}},
        "product_tree": {"branches": [{"category": "vendor", "name": "v", "branches": [{"category": "product_version", "name": "z",
          "product": {"name": "z", "product_id": "P1", "product_identification_helper": {"purl": "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1?arch=amd64"}}}]}]},
        "vulnerabilities": [{"cve": "CVE-2099-1", "flags": [{"label": "component_not_present", "product_ids": ["P1"]}], "product_status": {"known_not_affected": ["P1"]}}]}"#;
    let cyclonedx = r#"{"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [{"type": "library", "bom-ref": "z", "name": "zlib1g",
        "purl": "pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1"}], "vulnerabilities": [{"id": "CVE-2099-1", "analysis": {"state": "not_affected",
        "justification": "code_not_reachable"}, "affects": [{"ref": "z"}]}]}"#;
    let link = r#"{"bomFormat": "CycloneDX", "specVersion": "1.5", "vulnerabilities": [{"id": "CVE-2099-1", "analysis": {"state": "false_positive"},
        "affects": [{"ref": "urn:cdx:3e671687-395b-41f5-a30f-a58921a69b79/1#pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1"}]}]}"#;
    let statement = format!(
        r#"{{"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://openvex.dev/ns/v0.2.0", "subject": [], "predicate": {}}}"#,
        openvex(r#""pkg:deb/debian/zlib1g""#, ABSENT)
    );
    for text in [csaf, cyclonedx, link, &statement] {
        let outcome = judge(&[(text, Origin::Given)]);
        assert!(outcome.findings.vulnerabilities.is_empty(), "{text}: {:?}", outcome.not_applied);
        assert!(!outcome.applied[0].justification.is_empty(), "{text}");
    }
}

#[test]
fn no_statement_excuses_malicious_code() {
    let pack = pack(include_str!("../data/feeds/malicious.json"));
    let mut bad = package(PackageType::Npm, "assay-invented", "1.0.0");
    bad.purl = Purl::new("npm", None, "assay-invented", Some("1.0.0"));
    let contents = contents(None, vec![bad]);
    let findings = find(&pack, &contents);
    let text = openvex(r#""pkg:npm/assay-invented""#, ABSENT).replace("CVE-2099-1", "MAL-2099-1");
    let document = VexDocument::read("vex.json", text.as_bytes(), Origin::Given).unwrap();
    let outcome = apply(findings, &[document], &subject(), &contents);
    assert_eq!(outcome.findings.vulnerabilities.len(), 1);
    assert_eq!(outcome.not_applied[0].reason, NotAppliedReason::Malice);
}

#[test]
fn what_we_write_we_apply_and_the_same_input_gives_the_same_bytes() {
    let new = NewStatement {
        vulnerability: "CVE-2099-1".parse().unwrap(),
        aliases: vec!["GHSA-2222-3333-4444".parse().unwrap()],
        products: vec![format!("pkg:oci/app@{}?repository_url=ghcr.io/org/app", DIGEST.replace(':', "%3A"))],
        subcomponents: vec!["pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1".into()],
        status: Status::NotAffected,
        justification: Some("vulnerable_code_not_in_execute_path".into()),
        statement: Some("only our own files are inflated".into()),
    };
    let at = Timestamp::UNIX_EPOCH;
    let bytes = write_openvex(std::slice::from_ref(&new), "team", at).unwrap();
    assert_eq!(bytes, write_openvex(std::slice::from_ref(&new), "team", at).unwrap());
    let text = String::from_utf8(bytes).unwrap();
    assert!(judge(&[(&text, Origin::Given)]).findings.vulnerabilities.is_empty(), "{text}");
    // Whoever knows it by another name, and the image by its repository, is told the same.
    let other = NewStatement {
        vulnerability: "GHSA-2222-3333-4444".parse().unwrap(),
        aliases: vec!["CVE-2099-1".parse().unwrap()],
        products: vec![format!("ghcr.io/org/app@{DIGEST}")],
        ..new.clone()
    };
    let text = String::from_utf8(write_openvex(&[other], "team", at).unwrap()).unwrap();
    assert!(text.contains(&format!("pkg:oci/app@{DIGEST}")), "{text}");
    assert!(judge(&[(&text, Origin::Given)]).findings.vulnerabilities.is_empty(), "{text}");
    for wrong in [
        NewStatement { products: Vec::new(), ..new.clone() },
        NewStatement { justification: Some("because".into()), ..new.clone() },
        NewStatement { justification: None, statement: None, ..new.clone() },
        NewStatement { status: Status::Fixed, ..new.clone() },
        NewStatement { status: Status::Affected, justification: None, statement: None, ..new },
    ] {
        assert!(write_openvex(std::slice::from_ref(&wrong), "team", at).is_err(), "{wrong:?}");
    }
}

#[test]
fn what_is_no_document_is_refused_with_its_cause() {
    for (text, code) in [
        ("", "vex-malformed"),
        ("{}", "vex-format-unknown"),
        (r#"{"statements": [{"vulnerability": {}, "status": "fixed"}]}"#, "vex-malformed"),
        (r#"{"statements": [{"vulnerability": "CVE-1", "products": [{}], "status": "fixed"}]}"#, "vex-malformed"),
        (r#"{"statements": [{"vulnerability": "CVE-1", "status": "harmless"}]}"#, "vex-malformed"),
        (r#"{"statements": [], "statements": []}"#, "vex-malformed"),
        (
            r#"{"bomFormat": "CycloneDX", "vulnerabilities": [{"id": "CVE-1", "analysis": {"state": "fine"}}]}"#,
            "vex-malformed",
        ),
    ] {
        let error = VexDocument::read("v", text.as_bytes(), Origin::Given).unwrap_err();
        assert_eq!(assay_model::Explain::code(&error), code, "{text}: {error}");
    }
    assert!(Digest::of(b"").to_string().starts_with("sha256:"));
}

proptest! {
    #[test]
    fn no_document_panics(text in "\\{(\"(statements|document|bomFormat|vulnerabilities|product_tree|components|analysis|state)\": ?(\\[\\]|\\{\\}|\"x\"|1|null),? ?){0,4}\\}") {
        let _ = VexDocument::read("v", text.as_bytes(), Origin::Given);
    }
}
