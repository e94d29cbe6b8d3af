//! Looking up what the pack knows about a name.

use assay_model::PackageType;

use crate::contents::pack;

#[test]
fn any_name_of_a_vulnerability_finds_it_with_details_and_affected_packages() {
    let pack = pack(
        r#"{"id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2024-7"], "summary": "one line", "details": "many\nlines",
            "references": [{"type": "WEB", "url": "https://example.com/7"}], "published": "2024-01-02T03:04:05Z",
            "affected": [{"package": {"ecosystem": "npm", "name": "a"}, "ranges": [{"type": "SEMVER",
            "events": [{"introduced": "1.0.0"}, {"fixed": "1.2.0"}, {"introduced": "2.0.0"}, {"last_affected": "2.1.0"}]}]}]}
           {"id": "DEBIAN-CVE-2024-7", "upstream": ["CVE-2024-7"], "affected": [{"package": {"ecosystem": "Debian:12",
            "name": "node-a"}, "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}"#,
    );
    for name in ["CVE-2024-7", "cve-2024-7", "GHSA-AAAA-bbbb-cccc", "DEBIAN-CVE-2024-7"] {
        let advisory = pack.advisory(name).unwrap().unwrap_or_else(|| panic!("{name}"));
        assert_eq!(advisory.vulnerability.id.as_str(), "CVE-2024-7");
        let records: Vec<_> = advisory.records.iter().map(|record| record.id.as_str()).collect();
        assert_eq!(records, ["DEBIAN-CVE-2024-7", "GHSA-aaaa-bbbb-cccc"]);
        assert_eq!(advisory.records[1].details, "many\nlines");
        assert_eq!(advisory.records[1].references, ["https://example.com/7"]);
        assert_eq!(advisory.records[1].published.unwrap().to_string(), "2024-01-02T03:04:05Z");
    }
    let affected = pack.affected_packages("CVE-2024-7").unwrap();
    assert_eq!(affected.len(), 2);
    assert_eq!((affected[0].ecosystem.as_str(), affected[0].name.as_str()), ("Debian:12", "node-a"));
    assert_eq!(affected[1].package_type(), Some(PackageType::Npm));
    assert_eq!(affected[1].ranges(), ["introduced 1.0.0, fixed 1.2.0", "introduced 2.0.0, last affected 2.1.0"]);
    for (version, expected) in
        [("0.9.0", Some(false)), ("1.1.0", Some(true)), ("1.2.0", Some(false)), ("2.1.0", Some(true)), ("", None)]
    {
        assert_eq!(affected[1].contains(version), expected, "{version}");
    }
    assert!(pack.advisory("CVE-1999-1").unwrap().is_none());
}

#[test]
fn a_record_about_several_vulnerabilities_finds_all_of_them() {
    let pack = pack(r#"{"id": "USN-1-1", "upstream": ["CVE-2024-2", "CVE-2024-1"]}"#);
    let advisories = pack.advisories("USN-1-1").unwrap();
    let found: Vec<_> = advisories.iter().map(|advisory| advisory.vulnerability.id.as_str()).collect();
    assert_eq!(found, ["CVE-2024-1", "CVE-2024-2"]);
}
