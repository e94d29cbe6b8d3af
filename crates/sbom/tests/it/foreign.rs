//! Documents in the manner of other tools, reduced to what matters.

use assay_sbom::{Format, read};
use serde_json::json;

#[test]
fn a_cyclonedx_document_with_nested_components_and_odd_fields() {
    let document = json!({
        "bomFormat": "CycloneDX", "specVersion": "1.4", "version": 3, "serialNumber": null,
        "metadata": {"tools": [{"vendor": "x", "name": "y"}], "component": {"type": "application", "name": "shop",
            "components": [{"type": "library", "name": "inside", "purl": "pkg:cargo/inside@1"}]}},
        "components": [
            {"type": "operating-system", "name": "alpine", "version": "3.20.1"},
            {"type": "file", "name": "/etc/passwd"},
            {"type": "library", "group": "org.apache", "name": "batik", "version": "1.0", "bom-ref": "a",
             "purl": "pkg:maven/org.apache/batik@1.0?type=jar", "hashes": null,
             "licenses": [{"license": {"id": "Apache-2.0"}}, {"license": {"name": "Other"}}],
             "components": [{"type": "library", "bom-ref": "b", "name": "shaded", "version": "2", "group": "g"}]},
            {"type": "library", "bom-ref": "c", "purl": "pkg:maven/g/d@4", "name": "d"},
            {"type": "library", "name": "gem", "version": "1", "purl": "pkg:gem/gem@1"},
            {"type": "library", "name": "broken", "purl": "broken"},
        ],
        "dependencies": [{"ref": "a", "dependsOn": ["c", "nowhere"]}, {"ref": "c"}],
    });
    let sbom = read(document.to_string().as_bytes()).unwrap();
    assert_eq!((sbom.format, sbom.version.as_str()), (Format::CycloneDx, "1.4"));
    assert_eq!(sbom.described.unwrap().name, "shop");
    let contents = sbom.contents;
    assert_eq!(contents.os.unwrap().version_id.as_deref(), Some("3.20.1"));
    let purls: Vec<_> = contents.packages.iter().map(|package| package.purl.to_string()).collect();
    assert_eq!(
        purls,
        [
            "pkg:cargo/inside@1",
            "pkg:maven/g/d@4",
            "pkg:maven/org.apache/batik@1.0?type=jar",
            "pkg:gem/gem@1",
            "pkg:generic/g/shaded@2"
        ]
    );
    let batik = &contents.packages[2];
    assert_eq!(batik.name, "org.apache:batik");
    assert_eq!(batik.licence.as_deref(), Some("Apache-2.0 AND Other"));
    assert_eq!(batik.depends_on, ["g:d"]);
    assert_eq!(contents.partial.len(), 1, "the broken purl is not passed over in silence");
}

#[test]
fn an_spdx_document_without_purposes() {
    let document = json!({
        "spdxVersion": "SPDX-2.2", "name": "image", "documentDescribes": ["SPDXRef-image"],
        "packages": [
            {"SPDXID": "SPDXRef-image", "name": "image", "versionInfo": format!("sha256:{}", "a".repeat(64))},
            {"SPDXID": "SPDXRef-1", "name": "libc6", "versionInfo": "2.36-9", "licenseConcluded": "NOASSERTION",
             "licenseDeclared": "LicenseRef-GPL", "supplier": "Person: Debian", "filesAnalyzed": false,
             "checksums": [{"algorithm": "SHA1", "checksumValue": "x"}, {"algorithm": "SHA256", "checksumValue": "B".repeat(64)}],
             "externalRefs": [
                {"referenceCategory": "SECURITY", "referenceType": "cpe23Type", "referenceLocator": "cpe:2.3:a:b"},
                {"referenceCategory": "PACKAGE_MANAGER", "referenceType": "purl",
                 "referenceLocator": "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc"}]},
            {"SPDXID": "SPDXRef-2", "name": "bash", "supplier": "NOASSERTION", "externalRefs": [
                {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:deb/debian/bash@5"}]},
        ],
        "hasExtractedLicensingInfos": [{"licenseId": "LicenseRef-GPL", "extractedText": "GPL", "name": "GPL"}],
        "relationships": [
            {"spdxElementId": "SPDXRef-1", "relationshipType": "DEPENDENCY_OF", "relatedSpdxElement": "SPDXRef-2"},
            {"spdxElementId": "SPDXRef-2", "relationshipType": "DEPENDS_ON", "relatedSpdxElement": "NONE"}],
    });
    let sbom = read(document.to_string().as_bytes()).unwrap();
    assert!(sbom.described.unwrap().digest.is_some());
    let os = sbom.contents.os.unwrap();
    assert_eq!((os.id.as_str(), os.version_id.as_deref()), ("debian", Some("12")));
    let [bash, libc] = sbom.contents.packages.as_slice() else { panic!("{:?}", sbom.contents.packages) };
    assert_eq!((bash.version.as_str(), bash.supplier.as_deref()), ("5", None));
    assert_eq!(bash.depends_on, ["libc6"]);
    assert_eq!((libc.licence.as_deref(), libc.supplier.as_deref()), (Some("GPL"), Some("Debian")));
    assert_eq!(libc.source.as_ref().map(|source| source.name.as_str()), Some("glibc"));
    assert_eq!(libc.digest.unwrap().hex(), "b".repeat(64));
    assert!(sbom.contents.partial.is_empty());
}

#[test]
fn a_list_that_describes_each_of_its_packages_has_no_root() {
    let document = json!({
        "spdxVersion": "SPDX-2.3",
        "packages": [{"SPDXID": "SPDXRef-a", "name": "a"}, {"SPDXID": "SPDXRef-b", "name": "b"}],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-a"},
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES", "relatedSpdxElement": "SPDXRef-b"}],
    });
    let sbom = read(document.to_string().as_bytes()).unwrap();
    assert_eq!((sbom.described, sbom.contents.packages.len()), (None, 2));
}

#[test]
fn the_only_package_described_is_a_package_if_it_has_a_purl() {
    let read = |references: serde_json::Value| {
        let document = json!({
            "spdxVersion": "SPDX-2.3", "documentDescribes": ["SPDXRef-a"],
            "packages": [{"SPDXID": "SPDXRef-a", "name": "a", "externalRefs": references}],
        });
        let sbom = read(document.to_string().as_bytes()).unwrap();
        (sbom.described.is_some(), sbom.contents.packages.len())
    };
    let purl =
        json!([{"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl", "referenceLocator": "pkg:npm/a@1"}]);
    assert_eq!(read(purl), (false, 1));
    assert_eq!(read(json!([])), (true, 0));
}
