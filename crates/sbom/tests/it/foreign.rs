//! Documents in the manner of other tools, reduced to what matters.

use assay_sbom::{CycloneDxVersion, Format, Lifecycle, Standard, read, score};
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
    assert_eq!((sbom.format, sbom.version.as_str()), (Format::CycloneDx(CycloneDxVersion::V1_4), "1.4"));
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

/// What Syft says of an entry of a lock file; and that nobody is named as its supplier is no name.
#[test]
fn digests_of_lock_files_and_suppliers_that_nobody_named() {
    let integrity = "sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let syft = json!({"artifacts": [
        {"id": "a", "name": "log", "version": "0.4.1", "type": "rust-crate", "purl": "pkg:cargo/log@0.4.1",
         "metadataType": "rust-cargo-lock-entry", "metadata": {"name": "log", "version": "0.4.1",
         "source": "registry+https://github.com/rust-lang/crates.io-index", "checksum": "a".repeat(64), "dependencies": []}},
        {"id": "b", "name": "ms", "version": "2.0.0", "type": "npm", "purl": "pkg:npm/ms@2.0.0",
         "metadataType": "javascript-npm-package-lock-entry", "metadata": {"resolved": "", "integrity": integrity}}],
        "descriptor": {"name": "syft"}, "schema": {"version": "16.0.18"}, "source": {"id": "s", "name": "x", "type": "directory"}});
    let packages = read(syft.to_string().as_bytes()).unwrap().contents.packages;
    let seen = |name: &str| {
        let package = packages.iter().find(|package| package.name == name).unwrap();
        (package.digest.unwrap().short(), package.source.is_some())
    };
    assert_eq!(seen("log"), ("sha256:aaaaaaaaaaaa".to_owned(), false), "a registry is no source package");
    assert_eq!(seen("ms"), ("sha256:e3b0c44298fc".to_owned(), false));
    let bom = json!({"bomFormat": "CycloneDX", "specVersion": "1.6", "version": 1, "components": [
        {"type": "library", "name": "a", "purl": "pkg:npm/a@1", "supplier": {"name": "NOASSERTION"}},
        {"type": "library", "name": "b", "purl": "pkg:npm/b@1", "supplier": {"name": "NOASSERTION"}, "publisher": "P"}]});
    let packages = read(bom.to_string().as_bytes()).unwrap().contents.packages;
    let suppliers: Vec<_> = packages.iter().map(|package| package.supplier.as_deref()).collect();
    assert_eq!(suppliers, [None, Some("P")]);
}

#[test]
fn a_document_of_syft() {
    let document = json!({
        "artifacts": [
            {"id": "aaaa", "name": "bash", "version": "5.2.15-2+b2", "type": "deb", "foundBy": "dpkg-db-cataloger",
             "locations": [{"path": "/var/lib/dpkg/status", "layerID": "sha256:1"}],
             "licenses": [{"value": "GPL-3", "spdxExpression": "GPL-3.0-only", "type": "declared"}, {"value": "FSF", "spdxExpression": ""}],
             "language": "", "cpes": [], "purl": "pkg:deb/debian/bash@5.2.15-2%2Bb2?arch=amd64&distro=debian-12&upstream=bash%405.2.15-2",
             "metadataType": "dpkg-db-entry", "metadata": {"package": "bash", "maintainer": "Matthias Klose <doko@debian.org>"}},
            {"id": "bbbb", "name": "libc6", "version": "2.36-9", "type": "deb", "locations": [], "licenses": ["LGPL"],
             "purl": "pkg:deb/debian/libc6@2.36-9?arch=amd64&distro=debian-12&upstream=glibc"},
            {"id": "cccc", "name": "inner", "version": "2.0", "type": "java-archive", "locations": [{"path": "/app/outer.jar"}],
             "licenses": null, "purl": "pkg:maven/org.example/inner@2.0", "metadataType": "java-archive",
             "metadata": {"virtualPath": "/app/outer.jar:inner.jar", "digest": [{"algorithm": "sha256", "value": "c".repeat(64)}]}}],
        "artifactRelationships": [
            {"parent": "bbbb", "child": "aaaa", "type": "dependency-of"},
            {"parent": "source", "child": "aaaa", "type": "contains"}, {"parent": "source", "child": "cccc", "type": "contains"},
            {"parent": "aaaa", "child": "file1", "type": "evident-by"}],
        "source": {"id": "source", "name": "shop", "version": "sha256:x", "type": "image",
            "metadata": {"userInput": "shop:1", "manifestDigest": format!("sha256:{}", "d".repeat(64))}},
        "distro": {"id": "debian", "versionID": "12", "prettyName": "Debian GNU/Linux 12 (bookworm)"},
        "descriptor": {"name": "syft", "version": "1.52.0"}, "schema": {"version": "16.0.18", "url": "https://..."},
    });
    let sbom = read(document.to_string().as_bytes()).unwrap();
    assert_eq!((sbom.format, sbom.version.as_str()), (Format::Syft, "16.0.18"));
    let described = sbom.described.clone().unwrap();
    assert_eq!((described.name.as_str(), described.digest.is_some()), ("shop", true));
    let [bash, libc, inner] = sbom.contents.packages.as_slice() else { panic!("{:?}", sbom.contents.packages) };
    assert_eq!(bash.licence.as_deref(), Some("GPL-3.0-only AND FSF"));
    assert_eq!(bash.supplier.as_deref(), Some("Matthias Klose <doko@debian.org>"));
    assert_eq!(bash.source.as_ref().map(|source| source.version.as_str()), Some("5.2.15-2"));
    assert_eq!((bash.depends_on.as_slice(), libc.licence.as_deref()), (&["libc6".to_owned()][..], Some("LGPL")));
    assert_eq!((inner.name.as_str(), inner.path.as_str()), ("org.example:inner", "app/outer.jar!inner.jar"));
    assert_eq!(inner.digest.unwrap().hex(), "c".repeat(64));
    assert_eq!(score(&sbom, Standard::Ntia).requirements[4].missing, [] as [String; 0], "all are reached");
}

#[test]
fn a_report_of_trivy_with_and_without_its_packages() {
    let document = json!({
        "SchemaVersion": 2, "CreatedAt": "2026-01-02T03:04:05.123456789Z", "ArtifactName": "shop:1",
        "ArtifactType": "container_image",
        "Metadata": {"OS": {"Family": "alpine", "Name": "3.20.1"}, "RepoDigests": [format!("shop@sha256:{}", "d".repeat(64))]},
        "Results": [
            {"Target": "shop:1 (alpine 3.20.1)", "Class": "os-pkgs", "Type": "alpine", "Packages": [
                {"ID": "musl@1.2.5-r0", "Name": "musl", "Identifier": {"PURL": "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=3.20.1"},
                 "Version": "1.2.5-r0", "Arch": "x86_64", "SrcName": "musl", "SrcVersion": "1.2.5-r0", "Licenses": ["MIT"],
                 "Layer": {"Digest": "sha256:a"}},
                {"ID": "busybox@1.36.1-r29", "Name": "busybox", "Version": "1.36.1-r29",
                 "Identifier": {"PURL": "pkg:apk/alpine/busybox@1.36.1-r29?arch=x86_64&distro=3.20.1"}, "DependsOn": ["musl@1.2.5-r0"]}]},
            {"Target": "app/go", "Class": "lang-pkgs", "Type": "gobinary", "Vulnerabilities": [{"VulnerabilityID": "CVE-1"}]},
            {"Target": "app/key", "Class": "secret"}],
    });
    let sbom = read(document.to_string().as_bytes()).unwrap();
    assert_eq!(sbom.format, Format::Trivy);
    let [busybox, musl] = sbom.contents.packages.as_slice() else { panic!("{:?}", sbom.contents.packages) };
    assert_eq!(busybox.depends_on, ["musl"]);
    assert_eq!((musl.licence.as_deref(), musl.architecture.as_deref()), (Some("MIT"), Some("x86_64")));
    assert_eq!(sbom.contents.os.unwrap().version_id.as_deref(), Some("3.20.1"));
    assert_eq!(sbom.contents.partial.len(), 1, "packages that the report does not list are no empty list");
}

#[test]
fn a_document_of_spdx_3_with_what_others_write() {
    let element = |kind: &str, id: &str, more: serde_json::Value| {
        let mut element = json!({"type": kind, "spdxId": format!("urn:{id}"), "creationInfo": "_:c"});
        element.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        element
    };
    let document = json!({"@context": "https://spdx.org/rdf/3.0.0/spdx-context.jsonld", "@graph": [
        {"type": "CreationInfo", "@id": "_:c", "specVersion": "3.0.0", "created": "2026-01-01T00:00:00Z", "createdBy": ["urn:me"]},
        element("Person", "me", json!({"name": "Me"})),
        element("SpdxDocument", "doc", json!({"rootElement": ["urn:bom"]})),
        element("software_Sbom", "bom", json!({"rootElement": ["urn:root"], "software_sbomType": ["build"]})),
        element("software_Package", "root", json!({"name": "shop", "software_packageVersion": "1"})),
        element("software_Package", "a", json!({"name": "a", "software_packageVersion": "1", "suppliedBy": "urn:me",
            "externalIdentifier": [{"type": "ExternalIdentifier", "externalIdentifierType": "packageUrl", "identifier": "pkg:npm/a@1"}],
            "verifiedUsing": [{"type": "Hash", "algorithm": "sha256", "hashValue": "A".repeat(64)}]})),
        element("software_Package", "b", json!({"name": "b", "software_packageUrl": "pkg:npm/b@2"})),
        element("software_File", "f", json!({"name": "f"})),
        element("Relationship", "r1", json!({"from": "urn:root", "to": ["urn:a"], "relationshipType": "contains"})),
        element("LifecycleScopedRelationship", "r2", json!({"from": "urn:a", "to": ["urn:b"], "relationshipType": "dependsOn"})),
        element("Relationship", "r3", json!({"from": "urn:a", "to": ["http://spdx.org/licenses/MIT"], "relationshipType": "hasConcludedLicense"})),
    ]});
    let sbom = read(document.to_string().as_bytes()).unwrap();
    assert_eq!((sbom.format, sbom.version.as_str()), (Format::Spdx3, "3.0.0"));
    assert_eq!(sbom.described.clone().unwrap().name, "shop");
    assert_eq!(
        (sbom.origin.authors.as_slice(), sbom.origin.lifecycle),
        (&["Me".to_owned()][..], Some(Lifecycle::Build))
    );
    let [a, b] = sbom.contents.packages.as_slice() else { panic!("{:?}", sbom.contents.packages) };
    assert_eq!((a.supplier.as_deref(), a.licence.as_deref()), (Some("Me"), Some("MIT")));
    assert_eq!((a.digest.unwrap().hex(), a.depends_on.as_slice()), ("a".repeat(64), &["b".to_owned()][..]));
    assert_eq!(b.version, "2", "from its purl");
}

#[test]
fn a_statement_about_spdx_3_is_unwrapped() {
    let inner = json!({"@context": "https://spdx.org/rdf/3.0.1/spdx-context.jsonld", "@graph": []});
    let statement = json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": "https://spdx.dev/Document", "predicate": inner});
    assert_eq!(read(statement.to_string().as_bytes()).unwrap().format, Format::Spdx3);
}
