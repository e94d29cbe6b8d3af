//! Which packages match which records, and what a finding says.

use assay_model::{FixState, PackageType, Severity};

use crate::contents::{built_from, contents, find, ids, pack, package, release};

fn record(id: &str, names: &str, ecosystem: &str, name: &str, events: &str) -> String {
    format!(
        r#"{{"id": "{id}", "modified": "2024-01-01T00:00:00Z", {names} "affected": [{{"package": {{"ecosystem": "{ecosystem}",
            "name": "{name}"}}, "ranges": [{{"type": "ECOSYSTEM", "events": [{events}]}}]}}]}}"#
    )
}

const FIXED_2: &str = r#"{"introduced": "0"}, {"fixed": "2"}"#;

#[test]
fn a_distribution_package_matches_by_source_name_and_source_version_in_its_own_release_only() {
    let pack = pack(&record(
        "DEBIAN-CVE-2024-1",
        r#""upstream": ["CVE-2024-1"],"#,
        "Debian:12",
        "zlib",
        r#"{"introduced": "0"}, {"fixed": "1:1.2.13.dfsg-2"}"#,
    ));
    let binary = package(PackageType::Deb, "zlib1g", "1:1.2.13.dfsg-1+b1");
    let vulnerable = built_from(binary.clone(), "zlib", "1:1.2.13.dfsg-1");
    let findings = find(&pack, &contents(Some(release("debian", "12")), vec![vulnerable.clone()]));
    assert_eq!(ids(&findings), ["CVE-2024-1"], "the upstream vulnerability is shown");
    let finding = &findings.vulnerabilities[0];
    assert_eq!(finding.vulnerability.aliases[0].as_str(), "DEBIAN-CVE-2024-1");
    assert_eq!(finding.fix, FixState::Fixed { versions: vec!["1:1.2.13.dfsg-2".into()] });
    let reason = &finding.reason;
    assert_eq!(
        (reason.record.as_str(), &*reason.ecosystem, &*reason.name, &*reason.version, &*reason.range),
        ("DEBIAN-CVE-2024-1", "Debian:12", "zlib", "1:1.2.13.dfsg-1", "introduced 0, fixed 1:1.2.13.dfsg-2")
    );
    for (os, package, uncovered) in [
        (Some(release("debian", "11")), vulnerable.clone(), 1),
        (Some(release("ubuntu", "22.04")), vulnerable.clone(), 1),
        (None, vulnerable.clone(), 1),
        (Some(release("debian", "12")), binary.clone(), 0),
        (Some(release("debian", "12")), built_from(binary, "zlib", "1:1.2.13.dfsg-2"), 0),
    ] {
        let findings = find(&pack, &contents(os.clone(), vec![package]));
        assert_eq!((ids(&findings).len(), findings.uncovered), (0, uncovered), "{os:?}");
    }
}

#[test]
fn bare_alpine_claims_never_match_a_release() {
    let pack = pack(&record("CLEANSTART-1", "", "Alpine", "openssl", FIXED_2));
    let openssl = package(PackageType::Apk, "openssl", "1-r0");
    let findings = find(&pack, &contents(Some(release("alpine", "3.20.1")), vec![openssl]));
    assert_eq!((ids(&findings).len(), findings.uncovered), (0, 1));
}

#[test]
fn each_language_matches_in_its_own_ecosystem_and_name_form() {
    let records = [
        record("P-1", "", "PyPI", "Zope_Interface", FIXED_2),
        record("N-1", "", "npm", "@scope/name", FIXED_2),
        record("M-1", "", "Maven", "org.a:b", FIXED_2),
        record("C-1", "", "crates.io", "time", FIXED_2),
        record("G-1", "", "Go", "stdlib", r#"{"introduced": "1.21.0-0"}, {"fixed": "1.21.5"}"#),
        record("G-2", "", "Go", "golang.org/x/net", r#"{"introduced": "0"}, {"fixed": "0.17.0"}"#),
    ]
    .join("\n");
    let pack = pack(&records);
    let packages = vec![
        package(PackageType::Pypi, "zope.interface", "1.9.post1"),
        package(PackageType::Npm, "@scope/name", "2.0.0-rc.1"),
        package(PackageType::Maven, "org.a:b", "2-SNAPSHOT"),
        package(PackageType::Cargo, "time", "1.9.9"),
        package(PackageType::Golang, "stdlib", "go1.21rc2"),
        package(PackageType::Golang, "golang.org/x/net", "v0.0.0-20220722155237-a158d28d115b"),
    ];
    let findings = find(&pack, &contents(None, packages));
    let mut found = ids(&findings);
    found.sort_unstable();
    assert_eq!(found, ["C-1", "G-1", "G-2", "M-1", "N-1", "P-1"]);
    assert_eq!(findings.uncovered, 0);
}

#[test]
fn what_cannot_be_compared_or_looked_up_is_counted_and_not_taken_for_clean() {
    let pack = pack(&record("G-1", "", "Go", "example.com/a", FIXED_2));
    let packages = vec![
        package(PackageType::Golang, "example.com/a", "(devel)"),
        package(PackageType::Golang, "example.com/a", ""),
        package(PackageType::Npm, "example.com/a", "1.0.0"),
        package(PackageType::Generic, "example.com/a", "1"),
    ];
    let findings = find(&pack, &contents(None, packages));
    assert_eq!((ids(&findings).len(), findings.uncovered), (0, 4));
}

#[test]
fn records_of_one_vulnerability_give_one_finding_named_after_the_cve() {
    let records = [
        record(
            "GHSA-aaaa-bbbb-cccc",
            r#""aliases": ["CVE-2024-7"],"#,
            "PyPI",
            "a",
            r#"{"introduced": "0"}, {"fixed": "1.5"}"#,
        ),
        record("PYSEC-2024-7", r#""aliases": ["GHSA-aaaa-bbbb-cccc"],"#, "PyPI", "a", FIXED_2),
    ]
    .join("\n");
    let pack = pack(&records);
    let findings = find(&pack, &contents(None, vec![package(PackageType::Pypi, "a", "1.0")]));
    assert_eq!(ids(&findings), ["CVE-2024-7"]);
    let finding = &findings.vulnerabilities[0];
    let aliases: Vec<_> = finding.vulnerability.aliases.iter().map(assay_model::VulnerabilityId::as_str).collect();
    assert_eq!(aliases, ["GHSA-aaaa-bbbb-cccc", "PYSEC-2024-7"]);
    assert_eq!(finding.fix, FixState::Fixed { versions: vec!["1.5".into(), "2".into()] }, "nearest first");
}

#[test]
fn an_erratum_gives_one_finding_for_each_vulnerability_it_fixes() {
    let records = [
        r#"{"id": "ALSA-2024:1", "summary": "Important: a security update", "related": ["CVE-2024-2", "CVE-2024-1", "RHSA-2024:1"],
           "affected": [{"package": {"ecosystem": "AlmaLinux:9", "name": "openssl-libs"}, "ranges": [{"type": "ECOSYSTEM",
           "events": [{"introduced": "0"}, {"fixed": "3.0.7-25.el9_3"}]}]}]}"#,
    ]
    .join("\n");
    let pack = pack(&records);
    // The installed version has an epoch, the bound lost it.
    let libs = built_from(package(PackageType::Rpm, "openssl-libs", "1:3.0.7-24.el9"), "openssl", "1:3.0.7-24.el9");
    let findings = find(&pack, &contents(Some(release("almalinux", "9.3")), vec![libs]));
    assert_eq!(ids(&findings), ["CVE-2024-1", "CVE-2024-2"]);
    assert!(findings.vulnerabilities.iter().all(|finding| finding.vulnerability.severity == Severity::High));
    let fixed = package(PackageType::Rpm, "openssl-libs", "1:3.0.7-25.el9_3");
    assert_eq!(ids(&find(&pack, &contents(Some(release("almalinux", "9.3")), vec![fixed]))), [""; 0]);
}

#[test]
fn module_builds_and_plain_builds_do_not_match_each_other() {
    let bound = r#"{"introduced": "0"}, {"fixed": "1:20.9.0-1.module_el9.2.0+1"}"#;
    let pack = pack(&record("ALSA-1", "", "AlmaLinux:9", "nodejs", bound));
    let os = Some(release("almalinux", "9"));
    let plain = package(PackageType::Rpm, "nodejs", "1:16.20.2-1.el9");
    let module = package(PackageType::Rpm, "nodejs", "1:20.8.0-1.module_el9.2.0+1");
    assert_eq!(ids(&find(&pack, &contents(os.clone(), vec![plain]))), [""; 0]);
    assert_eq!(ids(&find(&pack, &contents(os, vec![module]))), ["ALSA-1"]);
}

#[test]
fn findings_come_worst_first_and_the_distribution_rates_first() {
    let records = r#"
        {"id": "DEBIAN-CVE-2024-1", "upstream": ["CVE-2024-1"],
         "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}],
         "affected": [{"package": {"ecosystem": "Debian:12", "name": "a"}, "ecosystem_specific": {"urgency": "unimportant"},
           "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}
        {"id": "DEBIAN-CVE-2024-2", "upstream": ["CVE-2024-2"],
         "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:U/C:H/I:H/A:H"}],
         "affected": [{"package": {"ecosystem": "Debian:12", "name": "a"}, "ecosystem_specific": {"urgency": "end-of-life"},
           "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}
        {"id": "DEBIAN-CVE-2024-3", "upstream": ["CVE-2024-3"],
         "affected": [{"package": {"ecosystem": "Debian:12", "name": "a"}, "ecosystem_specific": {"urgency": "not yet assigned"},
           "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}
        {"id": "CVE-2024-3", "database_specific": {"severity": "MODERATE"}}"#;
    let pack = pack(records);
    let findings = find(&pack, &contents(Some(release("debian", "12.5")), vec![package(PackageType::Deb, "a", "1")]));
    let rows: Vec<_> = findings
        .vulnerabilities
        .iter()
        .map(|finding| (finding.vulnerability.id.as_str(), finding.vulnerability.severity, &finding.fix))
        .collect();
    assert_eq!(
        rows,
        [
            ("CVE-2024-2", Severity::High, &FixState::WontFix),
            ("CVE-2024-3", Severity::Medium, &FixState::NotFixed),
            ("CVE-2024-1", Severity::Negligible, &FixState::NotFixed),
        ]
    );
}

#[test]
fn listed_versions_match_exactly_and_malware_is_kept() {
    let pack = pack(
        r#"{"id": "MAL-2024-1", "summary": "Malicious code in a", "affected": [{"package": {"ecosystem": "npm", "name": "a"},
            "versions": ["1.0.1", "6.6.6"]}]}"#,
    );
    let find = |version| find(&pack, &contents(None, vec![package(PackageType::Npm, "a", version)]));
    let findings = find("6.6.6");
    assert_eq!(findings.vulnerabilities[0].reason.range, "exactly 6.6.6");
    assert!(findings.vulnerabilities[0].vulnerability.id.is_malware());
    assert_eq!(ids(&find("6.6.5")), [""; 0]);
}

#[test]
fn custom_ranges_of_go_modules_bound_the_tags_and_leave_untagged_commits_affected() {
    let pack = pack(
        r#"{"id": "G-1", "affected": [{"package": {"ecosystem": "Go", "name": "example.com/a"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
            "ecosystem_specific": {"custom_ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "5.0.0"}, {"fixed": "5.0.4"}]}]}}]}"#,
    );
    for (version, hit) in [
        ("v5.0.3+incompatible", true),
        ("v5.0.4+incompatible", false),
        ("v4.9.0", false),
        ("v0.0.0-20231016150651-428517fef5b9", true),
    ] {
        let findings = find(&pack, &contents(None, vec![package(PackageType::Golang, "example.com/a", version)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "{version}");
    }
}

/// As GO-2025-4003 about LXD has it: commits are bounds beside tags.
#[test]
fn custom_ranges_that_speak_of_commits_bound_them_too() {
    let pack = pack(
        r#"{"id": "G-1", "affected": [{"package": {"ecosystem": "Go", "name": "example.com/a"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
            "ecosystem_specific": {"custom_ranges": [{"type": "ECOSYSTEM", "events": [
                {"introduced": "0.0.0-20220401034332-1e1349e3cbf3"}, {"fixed": "0.0.0-20250827065555-0494f5d47e41"},
                {"introduced": "6.0.0"}, {"fixed": "6.5.0"}]}]}}]}"#,
    );
    for (version, hit) in [
        ("v0.0.0-20210401034332-1e1349e3cbf3", false),
        ("v0.0.0-20240403103450-0e7f2b5bf4d2", true),
        ("v0.0.0-20250827065555-0494f5d47e41", false),
        ("v6.4.0", true),
        ("v6.5.0", false),
    ] {
        let findings = find(&pack, &contents(None, vec![package(PackageType::Golang, "example.com/a", version)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "{version}");
    }
}

/// PyTorch's wheels are `1.13.1+cu117`, and what is said of 1.13.1 is said of them.
#[test]
fn a_local_build_of_a_python_package_is_its_version() {
    let pack = pack(
        r#"{"id": "P-1", "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "versions": ["0.5"],
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "1.13.0"}, {"last_affected": "1.13.1"},
                {"introduced": "2.0"}, {"fixed": "2.0.1+cpu"}]}]}]}"#,
    );
    for (version, hit) in [
        ("1.13.1", true),
        ("1.13.1+cu117", true),
        ("1.13.2+cu117", false),
        ("0.5+local", true),
        ("0.5.1+local", false),
        // A bound that names a local build is compared with it.
        ("2.0.1", true),
        ("2.0.1+cpu", false),
    ] {
        let findings = find(&pack, &contents(None, vec![package(PackageType::Pypi, "a", version)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "{version}");
    }
}

#[test]
fn events_out_of_order_do_not_change_what_matches() {
    let events = r#"{"fixed": "2.3"}, {"introduced": "2.0"}, {"fixed": "1.5"}, {"introduced": "1.0"}"#;
    let pack = pack(&record("P-1", "", "PyPI", "a", events));
    for (version, hit) in [("0.9", false), ("1.2", true), ("1.5", false), ("2.2", true), ("2.3", false)] {
        let findings = find(&pack, &contents(None, vec![package(PackageType::Pypi, "a", version)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "{version}");
    }
}
