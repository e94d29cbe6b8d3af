//! Each feed in the exact shape of its publisher: what it says is found, and what it says is not affected is not.

use std::path::{Path, PathBuf};

use assay_model::{FixState, PackageType, Severity, Timestamp};
use assay_vuln::{LinkedSymbols, Pack, PackBuilder, SkipReason, SuppressedReason};

use crate::contents::{built_from, contents, find, ids, package, release};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/feeds")
}

/// A pack of these files, each told by what it looks like.
fn pack_of(files: &[&str]) -> Pack {
    let mut builder = PackBuilder::new();
    for file in files {
        builder.add_path(&folder().join(file), None).unwrap();
    }
    Pack::from_bytes(builder.build().0).unwrap()
}

#[test]
fn the_debian_tracker_gives_fixes_open_issues_and_proof_of_absence() {
    let pack = pack_of(&["debian-tracker.json"]);
    let zlib = |version: &str| built_from(package(PackageType::Deb, "zlib1g", version), "zlib", version);
    let find_in = |os: &str, version: &str| find(&pack, &contents(Some(release("debian", os)), vec![zlib(version)]));
    assert_eq!(ids(&find_in("12", "1:1.2.13.dfsg-1")), ["CVE-2099-1001"]);
    assert_eq!(ids(&find_in("12", "1:1.2.13.dfsg-1+deb12u1")), [""; 0], "a stable update is a fix");
    let open = find_in("11", "1:1.2.11.dfsg-2");
    assert_eq!(open.vulnerabilities[0].fix, FixState::NotFixed);
    assert_eq!(open.vulnerabilities[0].vulnerability.severity, Severity::Negligible);
    let trixie = contents(Some(release("debian", "13")), vec![zlib("1:1.3.1-1")]);
    let matched = pack.match_linked(&trixie, &LinkedSymbols::new(), Timestamp::UNIX_EPOCH).unwrap();
    assert_eq!(ids(&matched.findings), [""; 0]);
    assert!(matches!(matched.suppressed[0].reason, SuppressedReason::NotAffected(_)), "{:?}", matched.suppressed);
    let old = contents(Some(release("debian", "12")), vec![package(PackageType::Deb, "oldsoft", "1")]);
    assert_eq!(find(&pack, &old).vulnerabilities[0].fix, FixState::WontFix);
    assert!(pack.advisories("TEMP-0000000-ABCDEF").unwrap().is_empty());
}

#[test]
fn secdb_gives_fixes_by_release_and_repository() {
    let pack = pack_of(&["alpine-main.json"]);
    let openssl =
        |version| contents(Some(release("alpine", "3.20.1")), vec![package(PackageType::Apk, "openssl", version)]);
    assert_eq!(ids(&find(&pack, &openssl("3.3.0-r2"))), ["CVE-2099-2001", "CVE-2099-2002"]);
    assert_eq!(ids(&find(&pack, &openssl("3.3.1-r1"))), [""; 0]);
    let other = contents(Some(release("alpine", "3.19.0")), vec![package(PackageType::Apk, "openssl", "3.1.0-r0")]);
    assert_eq!(ids(&find(&pack, &other)), [""; 0]);
}

#[test]
fn red_hats_vex_gives_fixes_epochs_channels_modules_and_refusals() {
    let pack = pack_of(&["redhat-vex.json"]);
    let openssl = |version: &str| package(PackageType::Rpm, "openssl", version);
    let find_in = |os: &str, package| find(&pack, &contents(Some(release("rhel", os)), vec![package]));
    let hit = find_in("9.3", openssl("1:3.0.7-24.el9"));
    assert_eq!(ids(&hit), ["CVE-2099-3001"]);
    assert_eq!(hit.vulnerabilities[0].vulnerability.severity, Severity::High);
    assert_eq!(hit.vulnerabilities[0].vulnerability.score_tenths, Some(75));
    assert_eq!(ids(&find_in("9.3", openssl("1:3.0.7-25.el9_3"))), [""; 0]);
    assert_eq!(ids(&find_in("9.3", openssl("3.0.7-99.el9"))), ["CVE-2099-3001"], "the bound's epoch counts");
    assert_eq!(
        ids(&find_in("9.2", openssl("1:3.0.7-18.el9_2"))),
        [""; 0],
        "fixed in the EUS channel that it came from"
    );
    assert_eq!(ids(&find_in("9.2", openssl("1:3.0.7-17.el9_2"))), ["CVE-2099-3001"]);
    assert_eq!(find_in("8.9", openssl("1:1.1.1k-9.el8")).vulnerabilities[0].fix, FixState::WontFix);
    assert_eq!(ids(&find_in("8.9", package(PackageType::Rpm, "compat-openssl10", "1:1.0.2o-4.el8"))), [""; 0]);
    let node = |version: &str| package(PackageType::Rpm, "nodejs", version);
    assert_eq!(ids(&find_in("8.9", node("1:20.8.0-1.module+el8.9.0+1"))), ["CVE-2099-3001"]);
    assert_eq!(ids(&find_in("8.9", node("1:18.8.0-1.module+el8.9.0+1"))), [""; 0], "another stream");
}

#[test]
fn suses_advisories_speak_for_leap_and_for_each_service_pack() {
    let pack = pack_of(&["suse-csaf.json"]);
    // `recommended` is not `fixed`: such a document says which version to have, so it counts like a fix.
    let libz = |version: &str| package(PackageType::Rpm, "libz1", version);
    for (id, os) in [("sles", "15.5"), ("opensuse-leap", "15.5")] {
        let find_in = |package| find(&pack, &contents(Some(release(id, os)), vec![package]));
        assert_eq!(ids(&find_in(libz("1.2.13-150500.4.2.1"))), ["CVE-2099-4001"], "{id}");
        assert_eq!(ids(&find_in(libz("1.2.13-150500.4.3.1"))), [""; 0], "{id}");
    }
    let other = contents(Some(release("sles", "15.4")), vec![libz("1.2.11-1")]);
    assert_eq!(find(&pack, &other).uncovered, 1);
}

#[test]
fn oval_gives_fixes_of_oracle_and_azure_linux() {
    let pack = pack_of(&["oracle-oval.xml", "azurelinux-3.0-oval.xml"]);
    for (id, os, old, new, cve) in [
        ("ol", "9.3", "1:3.0.7-24.0.1.el9", "1:3.0.7-25.0.1.el9_3", "CVE-2099-5001"),
        ("azurelinux", "3.0", "3.3.0-1.azl3", "3.3.0-2.azl3", "CVE-2099-5002"),
    ] {
        let find_in = |version| {
            find(&pack, &contents(Some(release(id, os)), vec![package(PackageType::Rpm, "openssl", version)]))
        };
        assert_eq!(ids(&find_in(old)), [cve], "{id}");
        assert_eq!(ids(&find_in(new)), [""; 0], "{id}");
        assert_eq!(find_in(old).vulnerabilities[0].vulnerability.severity, Severity::High);
    }
}

#[test]
fn amazons_updateinfo_and_photons_list_give_fixes() {
    let pack = pack_of(&["updateinfo.xml", "cve_data_photon5.0.json"]);
    for (id, os, name, old, new, cve) in [
        ("amzn", "2023", "openssl-libs", "1:3.0.8-1.amzn2023.0.9", "1:3.0.8-1.amzn2023.0.10", "CVE-2099-6001"),
        ("photon", "5.0", "openssl", "3.0.8-1.ph5", "3.0.8-2.ph5", "CVE-2099-7001"),
    ] {
        let find_in =
            |version| find(&pack, &contents(Some(release(id, os)), vec![package(PackageType::Rpm, name, version)]));
        assert_eq!(ids(&find_in(old)), [cve], "{id}");
        assert_eq!(ids(&find_in(new)), [""; 0], "{id}");
    }
    let curl = contents(Some(release("photon", "5.0")), vec![package(PackageType::Rpm, "curl", "8.1.2-1.ph5")]);
    assert_eq!(ids(&find(&pack, &curl)), [""; 0], "its maintainers say that it is not affected");
}

#[test]
fn exploitation_known_and_predicted_follows_the_cve_into_every_finding() {
    let pack = pack_of(&[
        "debian-tracker.json",
        "alpine-main.json",
        "epss_scores.csv",
        "known_exploited_vulnerabilities.json",
    ]);
    let entry = |id: &str| pack.advisory(id).unwrap().unwrap().vulnerability;
    let predicted = entry("CVE-2099-1001").exploit_prediction.unwrap();
    assert_eq!((predicted.probability_millionths, predicted.percentile_millionths), (900_000, 990_000));
    assert!(entry("CVE-2099-1001").known_exploited.is_none());
    assert!(entry("CVE-2099-2001").known_exploited.unwrap().ransomware);
    assert!(entry("CVE-2099-2003").exploit_prediction.is_none());
}

#[test]
fn end_of_life_is_known_by_distribution_and_release() {
    let pack = pack_of(&["debian.json"]);
    assert_eq!(pack.end_of_life(&release("debian", "12")).unwrap(), Some("2026-06-10".into()));
    assert_eq!(
        pack.end_of_life(&release("debian", "10.13")).unwrap(),
        Some("2022-09-10".into()),
        "by the major version"
    );
    assert_eq!(pack.end_of_life(&release("ubuntu", "22.04")).unwrap(), None);
}

#[test]
fn malware_is_critical() {
    let pack = pack_of(&["malicious.json"]);
    let findings = find(&pack, &contents(None, vec![package(PackageType::Npm, "assay-invented", "1.0.0")]));
    assert!(findings.vulnerabilities[0].vulnerability.id.is_malware());
    assert_eq!(findings.vulnerabilities[0].vulnerability.severity, Severity::Critical);
}

#[test]
fn a_source_that_claims_anothers_ecosystem_is_refused_and_counted() {
    let mut builder = PackBuilder::new();
    let record = br#"{"id": "CLEANSTART-2099-1", "affected": [
        {"package": {"ecosystem": "Alpine", "name": "openssl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]},
        {"package": {"ecosystem": "CleanStart", "name": "openssl"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}"#;
    builder.add_bytes("cleanstart", record, None).unwrap();
    let (_, report) = builder.build();
    assert_eq!((report.skipped[&SkipReason::EcosystemNotAllowed], report.affected), (1, 1));
}

#[test]
fn all_feeds_together_are_one_pack_whatever_their_order() {
    let mut files: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some());
    files.sort();
    let build = |files: &[PathBuf]| {
        let mut builder = PackBuilder::new();
        for file in files {
            builder.add_path(file, None).unwrap();
        }
        builder.build().0
    };
    let forward = build(&files);
    files.reverse();
    assert!(forward == build(&files), "the order of the files changes the bytes");
    assert!(Pack::from_bytes(forward).unwrap().info().ecosystems.len() > 10);
}

#[test]
fn a_feed_that_is_cut_is_an_error_with_its_name() {
    for file in [
        "debian-tracker.json",
        "alpine-main.json",
        "redhat-vex.json",
        "oracle-oval.xml",
        "updateinfo.xml",
        "cve_data_photon5.0.json",
    ] {
        let whole = std::fs::read(folder().join(file)).unwrap();
        let cut = &whole[..whole.len() * 2 / 3];
        let error = PackBuilder::new().add_bytes(file, cut, None).unwrap_err();
        assert!(error.to_string().starts_with(file), "{error}");
        assert_eq!(assay_model::Explain::code(&error), "feed-malformed", "{file}: {error}");
    }
}
