//! The pack that comes with the program.

use std::path::{Path, PathBuf};

use assay_model::PackageType;
use assay_vuln::PackBuilder;

use crate::contents::{built_from, contents, find, ids, package, release};

fn data() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("data")
}

/// Runs first where the data changed: `ASSAY_REBUILD_EMBEDDED=1` writes the file.
#[test]
fn the_embedded_pack_is_what_its_sources_give() {
    let mut builder = PackBuilder::new();
    builder.add_path(&data().join("sample.jsonl.zst"), None).unwrap();
    builder.add_path(&data().join("synthetic.jsonl"), None).unwrap();
    let kev = std::fs::read(data().join("known-exploited.json")).unwrap();
    builder.add_known_exploited("known-exploited.json", &kev).unwrap();
    let (bytes, report) = builder.build();
    println!("embedded: {} records, {} vulnerabilities, {} bytes", report.records, report.vulnerabilities, bytes.len());
    assert!(bytes.len() < 1 << 20, "{} bytes", bytes.len());
    let path = data().join("embedded.pack");
    if std::env::var_os("ASSAY_REBUILD_EMBEDDED").is_some() {
        std::fs::write(&path, &bytes).unwrap();
    }
    assert!(std::fs::read(&path).unwrap() == bytes, "data/embedded.pack is stale: run with ASSAY_REBUILD_EMBEDDED=1");
}

#[test]
fn well_known_packages_have_findings() {
    let pack = assay_vuln::embedded().unwrap();
    let debian = Some(release("debian", "12"));
    for (os, package, expected) in [
        (None, package(PackageType::Pypi, "Jinja2", "2.10"), "CVE-2019-10906"),
        (None, package(PackageType::Golang, "stdlib", "go1.20.4"), "CVE-2023-29406"),
        (None, package(PackageType::Golang, "golang.org/x/net", "v0.7.0"), "CVE-2023-39325"),
        (None, package(PackageType::Cargo, "chrono", "0.4.19"), "RUSTSEC-2020-0159"),
        (None, package(PackageType::Maven, "org.apache.logging.log4j:log4j-core", "2.14.1"), "CVE-2021-44228"),
        (None, package(PackageType::Npm, "lodash", "4.17.11"), "CVE-2019-10744"),
        (
            debian.clone(),
            built_from(package(PackageType::Deb, "zlib1g", "1:1.2.13.dfsg-1"), "zlib", "1:1.2.13.dfsg-1"),
            "CVE-2023-45853",
        ),
        (
            debian,
            built_from(package(PackageType::Deb, "liblzma5", "5.6.0-0.2"), "xz-utils", "5.6.0-0.2"),
            "CVE-2024-3094",
        ),
        (Some(release("alpine", "3.20.2")), package(PackageType::Apk, "openssl", "3.3.1-r3"), "CVE-2024-6119"),
        (Some(release("almalinux", "9.2")), package(PackageType::Rpm, "glibc", "2.34-60.el9"), "CVE-2023-4911"),
        (Some(release("alpaquita", "23")), package(PackageType::Apk, "openssl", "3.0.8-r4"), "CVE-2023-5363"),
    ] {
        let name = package.name.clone();
        let findings = find(&pack, &contents(os, vec![package]));
        assert!(ids(&findings).contains(&expected), "{name}: {:?}", ids(&findings));
        assert_eq!(findings.uncovered, 0, "{name}");
    }
}

#[test]
fn exploited_vulnerabilities_are_flagged_across_ecosystems() {
    let pack = assay_vuln::embedded().unwrap();
    let entry = |id: &str| pack.advisory(id).unwrap().unwrap().vulnerability.known_exploited;
    assert!(entry("CVE-2021-44228").is_some_and(|entry| entry.ransomware && entry.since == "2021-12-10"));
    assert!(entry("CVE-2023-4911").is_some());
    assert!(entry("CVE-2024-6119").is_none());
}

#[test]
fn current_versions_have_no_findings() {
    let pack = assay_vuln::embedded().unwrap();
    let packages = vec![
        package(PackageType::Npm, "lodash", "4.17.21"),
        package(PackageType::Maven, "org.apache.logging.log4j:log4j-core", "2.17.1"),
        built_from(package(PackageType::Deb, "liblzma5", "5.4.1-0.2"), "xz-utils", "5.4.1-0.2"),
    ];
    assert_eq!(ids(&find(&pack, &contents(Some(release("debian", "12")), packages))), [""; 0]);
}
