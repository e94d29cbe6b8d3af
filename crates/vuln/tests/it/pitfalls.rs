//! The known ways to match wrongly, each with a record in the exact shape of its source, and what people complained about.

use assay_model::{EvidenceTier, FixState, PackageType, Purl, Severity, Timestamp};
use assay_vuln::{LinkedSymbols, Matched, Pack, SuppressedReason};

use crate::contents::{built_from, contents, find, ids, pack, package, release};

fn matched(pack: &Pack, contents: &assay_model::Contents, linked: &LinkedSymbols) -> Matched {
    pack.match_linked(contents, linked, Timestamp::UNIX_EPOCH).unwrap()
}

/// A record in the shape of Debian's export.
fn debian(cve: &str, release: &str, name: &str, events: &str) -> String {
    format!(
        r#"{{"schema_version": "1.7.3", "id": "DEBIAN-{cve}", "upstream": ["{cve}"], "modified": "2099-01-01T00:00:00Z",
            "affected": [{{"package": {{"ecosystem": "Debian:{release}", "name": "{name}", "purl": "pkg:deb/debian/{name}?arch=source"}},
            "ranges": [{{"type": "ECOSYSTEM", "events": [{{"introduced": "0"}}{events}]}}], "ecosystem_specific": {{"urgency": "not yet assigned"}}}}]}}"#
    )
}

const NO_SYMBOLS: fn() -> LinkedSymbols = LinkedSymbols::new;

#[test]
fn distribution_data_alone_speaks_for_distribution_packages() {
    // python3-jinja2 of Debian has Debian's fix, whatever PyPI's records say of the version number.
    let pack = pack(&[
        debian("CVE-2099-1", "12", "jinja2", r#", {"fixed": "3.1.2-1+deb12u1"}"#),
        r#"{"id": "PYSEC-2099-1", "aliases": ["CVE-2099-1"], "affected": [{"package": {"ecosystem": "PyPI", "name": "jinja2"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "3.1.3"}]}]}]}"#
            .to_owned(),
    ]
    .join("\n"));
    let installed = |version: &str| built_from(package(PackageType::Deb, "python3-jinja2", version), "jinja2", version);
    let find_in = |version| find(&pack, &contents(Some(release("debian", "12")), vec![installed(version)]));
    assert_eq!(ids(&find_in("3.1.2-1+deb12u1")), [""; 0]);
    let hit = find_in("3.1.2-1");
    assert_eq!(hit.vulnerabilities[0].reason.record.as_str(), "DEBIAN-CVE-2099-1");
    assert_eq!(hit.vulnerabilities[0].fix, FixState::Fixed { versions: vec!["3.1.2-1+deb12u1".into()] });
}

#[test]
fn source_version_counts_where_a_binary_has_another() {
    // grype#1602: the binary's epoch is the package's own, the source has none.
    let pack = pack(&debian("CVE-2099-1", "12", "libgcrypt20", r#", {"fixed": "1.10.2-1"}"#));
    let binary = package(PackageType::Deb, "libgcrypt20-udeb", "9:0.1");
    let os = Some(release("debian", "12"));
    let find_in = |source| find(&pack, &contents(os.clone(), vec![built_from(binary.clone(), "libgcrypt20", source)]));
    assert_eq!(ids(&find_in("1.10.1-3")), ["CVE-2099-1"]);
    assert_eq!(ids(&find_in("1.10.2-1")), [""; 0]);
}

#[test]
fn stable_updates_and_backports_are_told_apart() {
    // wazuh#36985: a backport is a build of the next release's version.
    let pack = pack(
        &[
            debian("CVE-2099-1", "12", "curl", r#", {"fixed": "7.88.1-10+deb12u5"}"#),
            debian("CVE-2099-2", "12", "curl", ""),
            debian("CVE-2099-2", "13", "curl", r#", {"fixed": "8.5.0-1"}"#).replace("DEBIAN-", "DEBIAN-13-"),
            debian("CVE-2099-3", "13", "curl", r#", {"fixed": "8.14.0-1"}"#).replace("DEBIAN-", "DEBIAN-13-"),
        ]
        .join("\n"),
    );
    let os = Some(release("debian", "12"));
    let curl = |version: &str| contents(os.clone(), vec![package(PackageType::Deb, "curl", version)]);
    assert_eq!(ids(&find(&pack, &curl("7.88.1-10+deb12u4"))), ["CVE-2099-1", "CVE-2099-2"]);
    assert_eq!(ids(&find(&pack, &curl("7.88.1-10+deb12u5"))), ["CVE-2099-2"]);
    let backport = matched(&pack, &curl("8.13.0-1~bpo12+1"), &NO_SYMBOLS());
    assert_eq!(ids(&backport.findings), ["CVE-2099-3"], "the next release's advisories speak for it");
    assert_eq!(backport.suppressed[0].reason, SuppressedReason::FixedInChannel);
    assert_eq!(backport.suppressed[0].ecosystem, "Debian:13");
    assert_eq!(
        ids(&find(&pack, &curl("8.14.0-1~bpo12+1"))),
        [""; 0],
        "`~bpo` is not below the version it was built from"
    );
}

#[test]
fn esm_fixes_count_where_the_package_came_from_esm() {
    // trivy#1663, grype#3546
    let pack = pack(include_str!("../data/feeds/ubuntu-osv.json"));
    let os = Some(release("ubuntu", "18.04"));
    let openssl = |version: &str| contents(os.clone(), vec![package(PackageType::Deb, "openssl", version)]);
    let plain = find(&pack, &openssl("1.1.1-1ubuntu2.1~18.04.23"));
    assert_eq!(plain.vulnerabilities[0].fix, FixState::NotFixed);
    let range = &plain.vulnerabilities[0].reason.range;
    assert!(range.ends_with("1.1.1-1ubuntu2.1~18.04.23+esm5 in Ubuntu:Pro:18.04:LTS"), "{range}");
    assert_eq!(plain.vulnerabilities[0].vulnerability.severity, Severity::Medium, "Ubuntu's priority goes before CVSS");
    let fixed = matched(&pack, &openssl("1.1.1-1ubuntu2.1~18.04.23+esm5"), &NO_SYMBOLS());
    assert_eq!(ids(&fixed.findings), [""; 0]);
    assert_eq!(fixed.suppressed[0].by.as_str(), "UBUNTU-CVE-2099-8001");
    let old = find(&pack, &openssl("1.1.1-1ubuntu2.1~18.04.23+esm4"));
    assert_eq!(old.vulnerabilities[0].reason.ecosystem, "Ubuntu:Pro:18.04:LTS");
}

#[test]
fn module_streams_are_not_mixed() {
    let pack = pack(
        r#"{"id": "ALSA-2099:1", "summary": "Important: nodejs:20 security update", "related": ["CVE-2099-1"], "affected": [
            {"package": {"ecosystem": "AlmaLinux:8", "name": "nodejs"}, "ranges": [{"type": "ECOSYSTEM",
             "events": [{"introduced": "0"}, {"fixed": "1:20.9.0-1.module_el8.9.0+1"}]}]},
            {"package": {"ecosystem": "AlmaLinux:8", "name": "npm"}, "ranges": [{"type": "ECOSYSTEM",
             "events": [{"introduced": "0"}, {"fixed": "1:10.1.0-1.20.9.0.1.module_el8.9.0+1"}]}]}]}
           {"id": "ALSA-2099:2", "summary": "Moderate: container-tools:rhel8 security update", "related": ["CVE-2099-2"], "affected": [
            {"package": {"ecosystem": "AlmaLinux:8", "name": "podman"}, "ranges": [{"type": "ECOSYSTEM",
             "events": [{"introduced": "0"}, {"fixed": "3:4.6.1-5.module_el8.9.0+1"}]}]}]}"#,
    );
    let os = Some(release("almalinux", "8.9"));
    let find_in = |name, version| {
        matched(&pack, &contents(os.clone(), vec![package(PackageType::Rpm, name, version)]), &NO_SYMBOLS())
    };
    assert_eq!(ids(&find_in("nodejs", "1:20.8.0-1.module_el8.9.0+1").findings), ["CVE-2099-1"]);
    let other = find_in("nodejs", "1:18.8.0-1.module_el8.9.0+1");
    assert_eq!(ids(&other.findings), [""; 0]);
    assert_eq!(other.suppressed[0].reason, SuppressedReason::OtherStream("nodejs:20".into()));
    assert_eq!(ids(&find_in("podman", "3:3.0.1-1.module_el8.9.0+1").findings), ["CVE-2099-2"], "one line of versions");
    // The label that RPM recorded decides where there is one.
    let mut npm = package(PackageType::Rpm, "npm", "1:9.8.0-1.18.18.0.1.module_el8.9.0+1");
    let find_npm = |package| ids(&find(&pack, &contents(os.clone(), vec![package]))).len();
    assert_eq!(find_npm(npm.clone()), 1, "no label, no proof");
    npm.purl = npm.purl.with_qualifier("rpmmod", "nodejs:18:8090020231019:a75119d5");
    assert_eq!(find_npm(npm), 0);
}

#[test]
fn a_lost_epoch_is_not_compared() {
    let pack = pack(
        r#"{"id": "ALSA-2099:1", "related": ["CVE-2099-1"], "affected": [{"package": {"ecosystem": "AlmaLinux:9", "name": "bind"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "9.16.23-15.el9"}]}]}]}"#,
    );
    let os = Some(release("almalinux", "9.4"));
    let find_in = |version| find(&pack, &contents(os.clone(), vec![package(PackageType::Rpm, "bind", version)]));
    assert_eq!(ids(&find_in("32:9.16.23-14.el9")), ["CVE-2099-1"]);
    assert_eq!(ids(&find_in("32:9.16.23-15.el9")), [""; 0]);
}

#[test]
fn go_development_builds_are_not_taken_for_clean_nor_for_vulnerable() {
    // grype#1797, grype#1863: the main module of a build from a working tree.
    let pack = pack(
        r#"{"id": "GO-2099-1", "aliases": ["CVE-2099-1"], "affected": [{"package": {"ecosystem": "Go", "name": "github.com/a/b"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.2.0"}]}]}]}"#,
    );
    for (version, found, uncovered) in [
        ("(devel)", 0, 1),
        ("", 0, 1),
        ("v0.0.0-20220722155237-a158d28d115b", 1, 0),
        ("v1.2.0-0.20230101000000-abcdefabcdef", 1, 0),
        ("v1.2.1-0.20230101000000-abcdefabcdef+dirty", 0, 0),
        ("v1.2.0", 0, 0),
    ] {
        let findings = find(&pack, &contents(None, vec![package(PackageType::Golang, "github.com/a/b", version)]));
        assert_eq!((findings.vulnerabilities.len(), findings.uncovered), (found, uncovered), "{version}");
    }
}

#[test]
fn the_go_standard_library_is_a_module_of_its_own() {
    // grype#3517: no CPE of "go" is needed to find it, and the toolchain's records are not its.
    let record = |id: &str, name: &str| {
        format!(
            r#"{{"id": "{id}", "affected": [{{"package": {{"ecosystem": "Go", "name": "{name}"}}, "ranges": [{{"type": "SEMVER",
                "events": [{{"introduced": "0"}}, {{"fixed": "1.20.8"}}, {{"introduced": "1.21.0-0"}}, {{"fixed": "1.21.1"}}]}}]}}]}}"#
        )
    };
    let pack = pack(&[record("GO-2099-1", "stdlib"), record("GO-2099-2", "toolchain")].join("\n"));
    let find_in = |name, version| find(&pack, &contents(None, vec![package(PackageType::Golang, name, version)]));
    assert_eq!(ids(&find_in("stdlib", "go1.20.7")), ["GO-2099-1"]);
    assert_eq!(ids(&find_in("stdlib", "go1.21rc2")), ["GO-2099-1"]);
    assert_eq!(ids(&find_in("stdlib", "go1.21.1")), [""; 0]);
    assert_eq!(ids(&find_in("toolchain", "go1.20.7")), ["GO-2099-2"]);
}

#[test]
fn functions_that_are_not_linked_are_suppressed_and_said() {
    // grype#3573: golang.org/x/crypto is in the binary, its ssh package is not.
    let pack = pack(
        r#"{"id": "GO-2099-1", "aliases": ["CVE-2099-1"], "affected": [{"package": {"ecosystem": "Go", "name": "golang.org/x/crypto"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "0.17.0"}]}],
            "ecosystem_specific": {"imports": [{"path": "golang.org/x/crypto/ssh", "symbols": ["NewServerConn", "Client.Dial"]}]}}]}"#,
    );
    let mut crypto = package(PackageType::Golang, "golang.org/x/crypto", "v0.16.0");
    crypto.path = "usr/bin/app".into();
    let contents = contents(None, vec![crypto]);
    let with = |symbols: &[&str]| {
        let mut linked = LinkedSymbols::new();
        linked.insert("usr/bin/app", symbols.iter().map(|symbol| (*symbol).to_owned()));
        matched(&pack, &contents, &linked)
    };
    let absent = with(&["golang.org/x/crypto/chacha20.NewUnauthenticatedCipher", "main.main"]);
    assert_eq!(ids(&absent.findings), [""; 0]);
    assert_eq!(absent.suppressed[0].reason, SuppressedReason::NotLinked);
    assert_eq!(ids(&with(&["golang.org/x/crypto/ssh.(*Client).Dial"]).findings), ["CVE-2099-1"]);
    assert_eq!(ids(&with(&[]).findings), ["CVE-2099-1"], "a stripped binary proves nothing");
    assert_eq!(ids(&find(&pack, &contents)), ["CVE-2099-1"]);
}

#[test]
fn maven_coordinates_are_compared_whole() {
    // trivy#2717, trivy#4080: an artifact of the same name in another group is another artifact.
    let pack = pack(
        r#"{"id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2099-1"], "affected": [{"package": {"ecosystem": "Maven", "name": "org.a:core"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "2.0-beta9"}, {"fixed": "2.15.0"}]}]}]}"#,
    );
    let find_in = |name, version| find(&pack, &contents(None, vec![package(PackageType::Maven, name, version)]));
    assert_eq!(ids(&find_in("org.a:core", "2.14.1")), ["CVE-2099-1"]);
    assert_eq!(ids(&find_in("org.a:core", "2.0-beta9")), ["CVE-2099-1"]);
    assert_eq!(ids(&find_in("org.a:core", "2.0-beta8")), [""; 0]);
    assert_eq!(ids(&find_in("com.b:core", "2.14.1")), [""; 0]);
    assert_eq!(ids(&find_in("core", "2.14.1")), [""; 0]);
}

#[test]
fn shaded_jars_are_found_under_each_of_their_coordinates() {
    // grype#3098: the jars inside a jar vanished.
    let pack = pack(
        r#"{"id": "GHSA-aaaa-bbbb-cccc", "affected": [{"package": {"ecosystem": "Maven", "name": "org.a:core"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": "2.15.0"}]}]}]}"#,
    );
    let mut inner = package(PackageType::Maven, "org.a:core", "2.14.1");
    inner.path = "app/all.jar!META-INF/maven/org.a/core/pom.properties".into();
    inner.tier = EvidenceTier::ArchiveMetadata;
    let outer = package(PackageType::Maven, "org.b:all", "1.0");
    let findings = find(&pack, &contents(None, vec![inner, outer]));
    assert_eq!(findings.vulnerabilities[0].package.path, "app/all.jar!META-INF/maven/org.a/core/pom.properties");
}

#[test]
fn an_npm_alias_is_looked_up_by_its_real_name() {
    let pack = pack(
        r#"{"id": "GHSA-aaaa-bbbb-cccc", "affected": [{"package": {"ecosystem": "npm", "name": "@scope/real"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "2.0.0"}]}]}]}"#,
    );
    let mut alias = package(PackageType::Npm, "nickname", "1.0.0");
    alias.purl = Purl::new("npm", Some("@scope"), "real", Some("1.0.0"));
    assert_eq!(ids(&find(&pack, &contents(None, vec![alias]))), ["GHSA-aaaa-bbbb-cccc"]);
}

#[test]
fn pre_releases_lie_before_their_release_and_after_the_fix_of_the_one_before() {
    let pack = pack(
        r#"{"id": "GHSA-aaaa-bbbb-cccc", "affected": [{"package": {"ecosystem": "npm", "name": "a"},
            "ranges": [{"type": "SEMVER", "events": [{"introduced": "2.0.0-rc.0"}, {"fixed": "2.0.0"}]}]}]}"#,
    );
    for (version, hit) in [("1.9.9", false), ("2.0.0-beta.1", false), ("2.0.0-rc.1", true), ("2.0.0", false)] {
        let findings = find(&pack, &contents(None, vec![package(PackageType::Npm, "a", version)]));
        assert_eq!(!findings.vulnerabilities.is_empty(), hit, "{version}");
    }
}

#[test]
fn withdrawn_and_rejected_records_are_gone_and_disputed_ones_say_so() {
    let affected = r#""affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]"#;
    let pack = pack(&format!(
        r#"{{"id": "PYSEC-1", "withdrawn": "2099-01-01T00:00:00Z", {affected}}}
           {{"id": "CVE-2099-2", "details": "** REJECT ** Do not use this candidate.", {affected}}}
           {{"id": "CVE-2099-3", "details": "** DISPUTED ** A flaw, or not.", {affected}}}
           {{"id": "CVE-2099-4", "database_specific": {{"isDisputed": true}}, {affected}}}
           {{"id": "CVE-2099-5", {affected}}}"#
    ));
    let findings = find(&pack, &contents(None, vec![package(PackageType::Pypi, "a", "1")]));
    let mut found: Vec<_> = findings
        .vulnerabilities
        .iter()
        .map(|finding| (finding.vulnerability.id.as_str(), finding.vulnerability.disputed))
        .collect();
    found.sort_unstable();
    assert_eq!(found, [("CVE-2099-3", true), ("CVE-2099-4", true), ("CVE-2099-5", false)]);
}

#[test]
fn aliases_are_transitive_and_upstream_is_not() {
    let pack = pack(
        r#"{"id": "A-1", "aliases": ["B-1"], "affected": [{"package": {"ecosystem": "PyPI", "name": "a"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}
           {"id": "B-1", "aliases": ["CVE-2099-1"]}
           {"id": "DOWN-1", "upstream": ["CVE-2099-1", "CVE-2099-2"], "affected": [{"package": {"ecosystem": "npm", "name": "b"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}]}]}"#,
    );
    assert_eq!(ids(&find(&pack, &contents(None, vec![package(PackageType::Pypi, "a", "1")]))), ["CVE-2099-1"]);
    let both = find(&pack, &contents(None, vec![package(PackageType::Npm, "b", "1.0.0")]));
    assert_eq!(ids(&both), ["CVE-2099-1", "CVE-2099-2"], "a downstream record joins nothing");
}

#[test]
fn all_severities_are_kept_and_the_precedence_is_shown() {
    // trivy#2211, trivy#6714: which severity, and whose.
    let pack = pack(
        r#"{"id": "CVE-2099-1", "severity": [{"type": "CVSS_V2", "score": "AV:N/AC:L/Au:N/C:C/I:C/A:C"},
            {"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"},
            {"type": "CVSS_V4", "score": "CVSS:4.0/AV:L/AC:L/AT:N/PR:L/UI:N/VC:N/VI:N/VA:L/SC:N/SI:N/SA:N"}]}
           {"id": "DEBIAN-CVE-2099-1", "upstream": ["CVE-2099-1"], "affected": [{"package": {"ecosystem": "Debian:12", "name": "a"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}], "ecosystem_specific": {"urgency": "low"}}]}"#,
    );
    let findings = find(&pack, &contents(Some(release("debian", "12")), vec![package(PackageType::Deb, "a", "1")]));
    let vulnerability = &findings.vulnerabilities[0].vulnerability;
    assert_eq!(vulnerability.severity, Severity::Low, "the distribution's word counts");
    let said: Vec<_> = vulnerability
        .ratings
        .iter()
        .map(|rating| (rating.source.as_str(), rating.severity, rating.score_tenths))
        .collect();
    assert_eq!(
        said,
        [
            ("DEBIAN-CVE-2099-1", Severity::Low, None),
            ("CVE-2099-1", Severity::Medium, Some(48)),
            ("CVE-2099-1", Severity::Critical, Some(98)),
            ("CVE-2099-1", Severity::Critical, Some(100)),
        ]
    );
}

#[test]
fn kernel_headers_are_not_a_kernel() {
    // grype#3129: thousands of rows for linux-libc-dev. It is built from the kernel's source, and Debian's records name that
    // source with its own version: what Debian fixed is fixed.
    let pack = pack(&debian("CVE-2099-1", "12", "linux", r#", {"fixed": "6.1.90-1"}"#));
    let os = Some(release("debian", "12"));
    let headers = |version: &str| built_from(package(PackageType::Deb, "linux-libc-dev", version), "linux", version);
    assert_eq!(ids(&find(&pack, &contents(os.clone(), vec![headers("6.1.90-1")]))), [""; 0]);
    let upstream_name = package(PackageType::Deb, "linux-libc-dev", "6.1.80-1");
    assert_eq!(ids(&find(&pack, &contents(os, vec![upstream_name]))), [""; 0], "no name is guessed");
}

#[test]
fn one_package_found_twice_gives_one_finding_for_each_place() {
    // grype#1373, grype#1387: duplicates.
    let pack = pack(
        r#"{"id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2099-1"], "affected": [
            {"package": {"ecosystem": "npm", "name": "a"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "1.0.0"}, {"fixed": "1.5.0"}]}]},
            {"package": {"ecosystem": "npm", "name": "a"}, "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed": "1.4.0"}]}]}]}"#,
    );
    let findings = find(&pack, &contents(None, vec![package(PackageType::Npm, "a", "1.2.0")]));
    assert_eq!(ids(&findings), ["CVE-2099-1"]);
    assert_eq!(findings.vulnerabilities[0].fix, FixState::Fixed { versions: vec!["1.4.0".into(), "1.5.0".into()] });
}

#[test]
fn packages_of_registries_without_a_type_of_their_own_are_found_by_their_purl() {
    let record = |id: &str, ecosystem: &str, name: &str, fixed: &str| {
        format!(
            r#"{{"id": "{id}", "affected": [{{"package": {{"ecosystem": "{ecosystem}", "name": "{name}"}}, "ranges": [{{"type": "ECOSYSTEM",
                "events": [{{"introduced": "0"}}, {{"fixed": "{fixed}"}}]}}]}}]}}"#
        )
    };
    let cases = [
        ("R-1", "RubyGems", "rails", "7.0.8.1", "gem", None, "rails", "7.0.8", "7.0.8.1"),
        (
            "R-2",
            "Packagist",
            "symfony/http-kernel",
            "5.4.20",
            "composer",
            Some("symfony"),
            "http-kernel",
            "v5.4.19",
            "v5.4.20",
        ),
        ("R-3", "NuGet", "Newtonsoft.Json", "13.0.1", "nuget", None, "newtonsoft.json", "12.0.3", "13.0.1.0"),
        ("R-4", "Hex", "plug", "1.15.0", "hex", None, "plug", "1.15.0-rc.1", "1.15.0"),
        ("R-5", "Pub", "http", "0.13.3", "pub", None, "http", "0.13.2+1", "0.13.3"),
        ("R-6", "CRAN", "commonmark", "1.8", "cran", None, "commonmark", "1.7", "1.8.0"),
        ("R-7", "Hackage", "aeson", "2.0.1.0", "hackage", None, "aeson", "2.0.0.0", "2.0.1.0"),
        (
            "R-8",
            "GitHub Actions",
            "tj-actions/changed-files",
            "46.0.1",
            "githubactions",
            Some("tj-actions"),
            "changed-files",
            "v45.0.7",
            "v46.0.1",
        ),
        (
            "R-9",
            "SwiftURL",
            "https://github.com/apple/swift-nio",
            "2.39.1",
            "swift",
            Some("github.com/apple"),
            "swift-nio",
            "2.39.0",
            "2.39.1",
        ),
        (
            "R-10",
            "Packagist:https://packages.drupal.org/8",
            "drupal/access_code",
            "2.0.4",
            "composer",
            Some("drupal"),
            "access_code",
            "2.0.3",
            "2.0.4",
        ),
    ];
    let records: Vec<_> =
        cases.iter().map(|(id, ecosystem, name, fixed, ..)| record(id, ecosystem, name, fixed)).collect();
    let pack = pack(&records.join("\n"));
    for (id, _, _, _, kind, namespace, name, old, new) in cases {
        let find_in = |version| {
            let mut package = package(PackageType::Generic, name, version);
            package.purl = Purl::new(kind, namespace, name, Some(version));
            find(&pack, &contents(None, vec![package]))
        };
        assert_eq!(ids(&find_in(old)), [id], "{kind}");
        assert_eq!((ids(&find_in(new)).len(), find_in(new).uncovered), (0, 0), "{kind}");
    }
    let mut action = package(PackageType::Generic, "changed-files", "v45");
    action.purl = Purl::new("githubactions", Some("tj-actions"), "changed-files", Some("v45"));
    assert_eq!(find(&pack, &contents(None, vec![action])).uncovered, 1, "a tag that moves has no place in the order");
}
