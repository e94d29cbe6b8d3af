//! Contents and packs made by hand.

use assay_model::{Contents, EvidenceTier, Findings, OsRelease, Package, PackageType, Purl, SourcePackage, Timestamp};
use assay_vuln::{Pack, PackBuilder};

/// A package as inspection would give it.
pub(crate) fn package(kind: PackageType, name: &str, version: &str) -> Package {
    Package {
        kind,
        name: name.into(),
        version: version.into(),
        source: None,
        architecture: None,
        licence: None,
        supplier: None,
        purl: Purl::new(kind.purl_type(), None, name, Some(version)),
        tier: EvidenceTier::PackageDatabase,
        path: "file".into(),
        digest: None,
        layer: None,
        depends_on: Vec::new(),
    }
}

/// A binary package of a source package.
pub(crate) fn built_from(mut package: Package, name: &str, version: &str) -> Package {
    package.source = Some(SourcePackage { name: name.into(), version: version.into() });
    package
}

pub(crate) fn release(id: &str, version: &str) -> OsRelease {
    OsRelease { id: id.into(), version_id: Some(version.into()), pretty_name: None, id_like: Vec::new() }
}

pub(crate) fn contents(os: Option<OsRelease>, packages: Vec<Package>) -> Contents {
    Contents { os, packages, ..Contents::default() }
}

/// A pack of records written as JSON, one after the other.
pub(crate) fn pack(records: &str) -> Pack {
    let mut builder = PackBuilder::new();
    builder.add_bytes("records", records.as_bytes(), None).unwrap();
    Pack::from_bytes(builder.build().0).unwrap()
}

pub(crate) fn find(pack: &Pack, contents: &Contents) -> Findings {
    pack.match_contents(contents, Timestamp::UNIX_EPOCH).unwrap()
}

/// Shown identifiers, in the order of the findings.
pub(crate) fn ids(findings: &Findings) -> Vec<&str> {
    findings.vulnerabilities.iter().map(|finding| finding.vulnerability.id.as_str()).collect()
}
