//! Records in the exact shape of each source, and what of that shape is easily read wrongly.

use assay_model::{FixState, PackageType, Purl, Severity};
use assay_vuln::{PackBuilder, SkipReason};

use crate::contents::{built_from, contents, find, ids, pack, package, release};

const BAD: &str = "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H";

#[test]
fn debian_an_advisory_and_the_tracker_about_one_vulnerability_are_one_finding() {
    // DSA and DLA records repeat what DEBIAN-CVE records say, for several vulnerabilities at once.
    let pack = pack(
        r#"{"schema_version": "1.7.3", "id": "DSA-5000-1", "summary": "curl - security update", "upstream": ["CVE-2099-1", "CVE-2099-2"],
            "affected": [{"package": {"ecosystem": "Debian:12", "name": "curl", "purl": "pkg:deb/debian/curl?arch=source"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "7.88.1-10+deb12u5"}]}]}]}
           {"schema_version": "1.7.3", "id": "DEBIAN-CVE-2099-1", "upstream": ["CVE-2099-1"],
            "affected": [{"package": {"ecosystem": "Debian:12", "name": "curl", "purl": "pkg:deb/debian/curl?arch=source"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "7.88.1-10+deb12u5"}]}],
            "ecosystem_specific": {"urgency": "not yet assigned"}}]}
           {"schema_version": "1.7.3", "id": "DEBIAN-CVE-2099-3", "upstream": ["CVE-2099-3"],
            "affected": [{"package": {"ecosystem": "Debian:12", "name": "curl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}], "ecosystem_specific": {"urgency": "unimportant"}}]}"#,
    );
    let curl = |version: &str| built_from(package(PackageType::Deb, "libcurl4", version), "curl", version);
    let find_in = |version| find(&pack, &contents(Some(release("debian", "12")), vec![curl(version)]));
    let old = find_in("7.88.1-10+deb12u4");
    let mut found = ids(&old);
    found.sort_unstable();
    assert_eq!(found, ["CVE-2099-1", "CVE-2099-2", "CVE-2099-3"]);
    let fixed = find_in("7.88.1-10+deb12u5");
    assert_eq!(ids(&fixed), ["CVE-2099-3"], "without a fix it is open, and nobody says otherwise");
    assert_eq!(fixed.vulnerabilities[0].vulnerability.severity, Severity::Negligible);
    assert_eq!(fixed.vulnerabilities[0].fix, FixState::NotFixed);
}

#[test]
fn ubuntu_a_notice_and_a_record_are_one_finding_and_withdrawn_esm_rows_are_gone() {
    let pack = pack(
        r#"{"schema_version": "1.7.3", "id": "UBUNTU-CVE-2099-1", "upstream": ["CVE-2099-1"], "severity": [{"type": "Ubuntu", "score": "low"}, {"type": "CVSS_V3", "score": "BAD"}],
            "affected": [{"package": {"ecosystem": "Ubuntu:22.04:LTS", "name": "openssl", "purl": "pkg:deb/ubuntu/openssl@3.0.2-0ubuntu1.10?arch=source&distro=jammy"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.2-0ubuntu1.10"}]}],
            "versions": ["3.0.2-0ubuntu1", "3.0.2-0ubuntu1.1", "3.0.2-0ubuntu1.9"], "ecosystem_specific": {"availability": "No subscription required"}}]}
           {"schema_version": "1.7.3", "id": "USN-6000-1", "upstream": ["CVE-2099-1", "UBUNTU-CVE-2099-1"], "related": [],
            "affected": [{"package": {"ecosystem": "Ubuntu:22.04:LTS", "name": "openssl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.2-0ubuntu1.10"}]}]}]}
           {"schema_version": "1.7.3", "id": "UBUNTU-CVE-2099-2", "upstream": ["CVE-2099-2"], "withdrawn": "2099-01-01T00:00:00Z",
            "affected": [{"package": {"ecosystem": "Ubuntu:Pro:22.04:LTS", "name": "openssl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]},
            {"package": {"ecosystem": "Ubuntu:22.04:LTS", "name": "openssl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}"#
            .replace("BAD", BAD)
            .as_str(),
    );
    let openssl = |version: &str| built_from(package(PackageType::Deb, "libssl3", version), "openssl", version);
    let find_in = |version| find(&pack, &contents(Some(release("ubuntu", "22.04")), vec![openssl(version)]));
    let findings = find_in("3.0.2-0ubuntu1.9");
    let found: Vec<_> = ids(&findings).into_iter().filter(|id| id.starts_with("CVE-")).collect();
    assert_eq!(found, ["CVE-2099-1"]);
    let finding = &findings.vulnerabilities[0];
    assert_eq!(finding.vulnerability.severity, Severity::Low, "Ubuntu's word before CVSS");
    assert_eq!(finding.vulnerability.score_tenths, Some(98), "whose score is kept");
    assert!(!finding.reason.range.starts_with("exactly"), "listed versions that the range holds say nothing new");
    assert_eq!(ids(&find_in("3.0.2-0ubuntu1.10")), [""; 0]);
}

#[test]
fn alpine_only_fixes_are_recorded_and_the_origin_is_named() {
    let pack = pack(
        r#"{"schema_version": "1.7.3", "id": "ALPINE-CVE-2099-1", "upstream": ["CVE-2099-1"],
            "affected": [{"package": {"ecosystem": "Alpine:v3.20", "name": "openssl", "purl": "pkg:apk/alpine/openssl?arch=source"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.3.2-r0"}]}]},
            {"package": {"ecosystem": "Alpine:v3.19", "name": "openssl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.7-r0"}]}]}]}"#,
    );
    let libssl = |version: &str| built_from(package(PackageType::Apk, "libssl3", version), "openssl", version);
    for (alpine, version, hit) in [
        ("3.20.1", "3.3.1-r3", true),
        ("3.20.1", "3.3.2-r0", false),
        ("3.19.4", "3.3.1-r3", false),
        ("3.19.4", "3.1.6-r0", true),
    ] {
        let findings = find(&pack, &contents(Some(release("alpine", alpine)), vec![libssl(version)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "{alpine} {version}");
    }
}

#[test]
fn chainguard_and_wolfi_have_no_releases_and_name_the_upstream_twice() {
    let pack = pack(
        r#"{"schema_version": "1.7.3", "id": "CGA-aaaa-bbbb-cccc", "upstream": ["CVE-2099-1", "GHSA-aaaa-bbbb-cccc"],
            "affected": [{"package": {"ecosystem": "Chainguard", "name": "kubectl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.30.2-r1"}]}],
            "ecosystem_specific": {"components": [{"id": "x", "name": "golang.org/x/net", "type": "go-module"}]}},
            {"package": {"ecosystem": "Wolfi", "name": "kubectl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.30.2-r1"}]}]}]}
           {"id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2099-1"]}"#,
    );
    for os in ["wolfi", "chainguard"] {
        let kubectl = |version: &str| vec![package(PackageType::Apk, "kubectl", version)];
        let old = find(&pack, &contents(Some(release(os, "20230201")), kubectl("1.30.2-r0")));
        assert_eq!(ids(&old), ["CVE-2099-1"], "{os}: two names, one finding");
        assert_eq!(ids(&find(&pack, &contents(Some(release(os, "20230201")), kubectl("1.30.2-r1")))), [""; 0]);
    }
    assert_eq!(
        ids(&find(
            &pack,
            &contents(Some(release("alpine", "3.20.0")), vec![package(PackageType::Apk, "kubectl", "1.30.2-r0")])
        )),
        [""; 0]
    );
}

#[test]
fn red_hat_extended_support_counts_for_builds_of_that_minor_release_only() {
    // trivy#1663, grype#3546: EUS and AUS fix in builds of their own, which plain RHEL's bounds lie above.
    let pack = pack(
        r#"{"schema_version": "1.7.3", "id": "RHSA-2099:1", "summary": "Red Hat Security Advisory: openssl security update", "upstream": ["CVE-2099-1"],
            "affected": [{"package": {"ecosystem": "Red Hat:enterprise_linux:8::baseos", "name": "openssl", "purl": "pkg:rpm/redhat/openssl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1:1.1.1k-12.el8_9"}]}]}]}
           {"schema_version": "1.7.3", "id": "RHSA-2099:2", "summary": "Red Hat Security Advisory: openssl security update", "upstream": ["CVE-2099-1"],
            "affected": [{"package": {"ecosystem": "Red Hat:rhel_eus:8.6::baseos", "name": "openssl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1:1.1.1k-9.el8_6"}]}]},
            {"package": {"ecosystem": "Red Hat:rhel_aus:8.4::baseos", "name": "openssl"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1:1.1.1g-16.el8_4"}]}]}]}"#,
    );
    for (version, build, hit) in [
        ("8.6", "1:1.1.1k-9.el8_6", false),
        ("8.6", "1:1.1.1k-8.el8_6", true),
        ("8.6", "1:1.1.1k-8.el8", true),
        ("8.4", "1:1.1.1g-16.el8_4", false),
        ("8.9", "1:1.1.1k-12.el8_9", false),
        ("8.9", "1:1.1.1k-9.el8_6", true),
    ] {
        let findings =
            find(&pack, &contents(Some(release("rhel", version)), vec![package(PackageType::Rpm, "openssl", build)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "RHEL {version} with {build}");
    }
}

#[test]
fn rocky_and_alma_name_their_vulnerabilities_as_related() {
    let pack = pack(
        r#"{"schema_version": "1.7.3", "id": "RLSA-2099:1", "summary": "Important: kernel security update", "related": ["CVE-2099-1", "CVE-2099-2"],
            "affected": [{"package": {"ecosystem": "Rocky Linux:9", "name": "kernel"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "0:5.14.0-427.el9"}]}],
            "database_specific": {"source": "https://example.org"}}]}
           {"schema_version": "1.7.3", "id": "ALSA-2099:1", "summary": "Moderate: kernel security update", "related": ["CVE-2099-1"],
            "affected": [{"package": {"ecosystem": "AlmaLinux:9", "name": "kernel"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "5.14.0-427.el9"}]}]}]}"#,
    );
    for (os, expected, severity) in
        [("rocky", &["CVE-2099-1", "CVE-2099-2"][..], Severity::High), ("almalinux", &["CVE-2099-1"], Severity::Medium)]
    {
        let kernel = package(PackageType::Rpm, "kernel", "5.14.0-362.el9");
        let findings = find(&pack, &contents(Some(release(os, "9.3")), vec![kernel]));
        assert_eq!(ids(&findings), expected, "{os}");
        assert_eq!(findings.vulnerabilities[0].vulnerability.severity, severity, "the word of its title");
    }
}

#[test]
fn suse_names_products_by_their_marketing_names_and_lists_binaries() {
    let pack = pack(
        r#"{"schema_version": "1.7.3", "id": "SUSE-SU-2099:1-1", "upstream": ["CVE-2099-1"],
            "affected": [{"package": {"ecosystem": "SUSE:Linux Enterprise Module for Basesystem 15 SP5", "name": "openssl-3", "purl": "pkg:rpm/suse/openssl-3&distro=SUSE%20Linux"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.8-150500.5.20.1"}]}],
            "ecosystem_specific": {"binaries": [{"libopenssl3": "3.0.8-150500.5.20.1", "openssl-3": "3.0.8-150500.5.20.1"}]}},
            {"package": {"ecosystem": "openSUSE:Leap 15.5", "name": "openssl-3"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.0.8-150500.5.20.1"}]}]}]}"#,
    );
    let library = |version: &str| built_from(package(PackageType::Rpm, "libopenssl3", version), "openssl-3", version);
    for (os, version, build, hit) in [
        ("sles", "15.5", "3.0.8-150500.5.19.1", true),
        ("sles", "15.5", "3.0.8-150500.5.20.1", false),
        ("sles", "15.6", "3.0.8-150500.5.19.1", false),
        ("opensuse-leap", "15.5", "3.0.8-150500.5.19.1", true),
    ] {
        let findings = find(&pack, &contents(Some(release(os, version)), vec![library(build)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "{os} {version} {build}");
    }
}

#[test]
fn github_advisories_end_with_a_last_affected_version_and_rate_by_a_word() {
    let pack = pack(
        r#"{"schema_version": "1.4.0", "id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2099-1"], "summary": "Deserialisation in core",
            "affected": [{"package": {"ecosystem": "Maven", "name": "org.a:core"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "2.0"}, {"fixed": "2.4.1"}]}]},
            {"package": {"ecosystem": "Maven", "name": "org.a:core"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"last_affected": "1.9"}]}], "database_specific": {"last_known_affected_version_range": "<= 1.9"}}],
            "database_specific": {"cwe_ids": ["CWE-502"], "severity": "MODERATE", "github_reviewed": true}}"#,
    );
    for (version, hit, fix) in [
        ("1.9", true, FixState::NotFixed),
        ("1.9.1", false, FixState::NotFixed),
        ("2.4.0", true, FixState::Fixed { versions: vec!["2.4.1".into()] }),
    ] {
        let findings = find(&pack, &contents(None, vec![package(PackageType::Maven, "org.a:core", version)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "{version}");
        if let Some(finding) = findings.vulnerabilities.first() {
            assert_eq!((finding.vulnerability.severity, &finding.fix), (Severity::Medium, &fix), "{version}");
        }
    }
}

#[test]
fn a_limit_ends_what_a_branch_says_and_commits_are_no_versions() {
    let pack = pack(
        r#"{"id": "OSV-2099-1", "affected": [{"package": {"ecosystem": "npm", "name": "a"}, "ranges": [
            {"type": "GIT", "repo": "https://example.org/a", "events": [{"introduced": "4f2c1e9"}]},
            {"type": "SEMVER", "events": [{"limit": "2.0.0"}, {"introduced": "0"}]}]}]}"#,
    );
    for (version, hit) in [("1.9.9", true), ("2.0.0", false)] {
        let findings = find(&pack, &contents(None, vec![package(PackageType::Npm, "a", version)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "{version}");
    }
    let mut builder = PackBuilder::new();
    let commits = br#"{"id": "OSV-2099-2", "affected": [{"package": {"ecosystem": "OSS-Fuzz", "name": "a"}, "ranges": [{"type": "GIT", "repo": "https://example.org/a", "events": [{"introduced": "4f2c1e9"}]}]}]}"#;
    builder.add_bytes("commits", commits, None).unwrap();
    assert_eq!(builder.report().skipped.get(&SkipReason::Unreachable), Some(&1), "and counted");
}

#[test]
fn python_records_list_versions_that_their_ranges_hold_already() {
    // PYSEC records enumerate; what a range holds is not kept twice.
    let listed: Vec<String> = (0..2_000).map(|at| format!("\"1.0.{at}\"")).collect();
    let record = |versions: &str| {
        format!(
            r#"{{"id": "PYSEC-2099-1", "affected": [{{"package": {{"ecosystem": "PyPI", "name": "a"}}, "versions": [{versions}],
            "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}, {{"fixed": "2"}}]}}]}}]}}"#
        )
    };
    let size = |text: &str| {
        let mut builder = PackBuilder::new();
        builder.add_bytes("records", text.as_bytes(), None).unwrap();
        builder.build().0.len()
    };
    assert_eq!(size(&record(&listed.join(","))), size(&record("")));
    let beyond = pack(&record(r#""1.0", "3.0""#));
    for (version, range) in [("1.0", "introduced 0, fixed 2"), ("3.0", "exactly 3.0")] {
        let findings = find(&beyond, &contents(None, vec![package(PackageType::Pypi, "a", version)]));
        assert_eq!(findings.vulnerabilities[0].reason.range, range);
    }
}

#[test]
fn packagist_records_of_a_registry_of_their_own_count_for_packages_from_there() {
    let pack = pack(
        r#"{"id": "DRUPAL-CONTRIB-2099-001", "affected": [{"package": {"ecosystem": "Packagist:https://packages.drupal.org/8", "name": "drupal/token"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "1.5.0"}]}]}]}"#,
    );
    let token = package(PackageType::Composer, "drupal/token", "1.4.0");
    assert_eq!(ids(&find(&pack, &contents(None, vec![token]))), ["DRUPAL-CONTRIB-2099-001"]);
    let mut other = package(PackageType::Composer, "acme/token", "1.4.0");
    other.purl = Purl::new("composer", Some("acme"), "token", Some("1.4.0"));
    assert_eq!(ids(&find(&pack, &contents(None, vec![other]))), [""; 0]);
}

#[test]
fn both_places_of_a_severity_are_read_and_no_schema_version_is_needed() {
    let pack = pack(
        &r#"{"id": "X-1", "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:L/AC:H/PR:H/UI:R/S:U/C:N/I:N/A:L"}], "affected": [{"package": {"ecosystem": "crates.io", "name": "a"},
            "severity": [{"type": "CVSS_V3", "score": "BAD"}], "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]},
            {"package": {"ecosystem": "crates.io", "name": "b"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]}"#
            .replace("BAD", BAD),
    );
    let score = |name| {
        let findings = find(&pack, &contents(None, vec![package(PackageType::Cargo, name, "1.0.0")]));
        findings.vulnerabilities[0].vulnerability.score_tenths
    };
    assert_eq!(score("a"), Some(98), "the package's own");
    assert_eq!(score("b"), Some(18), "else the record's");
}
