//! SBOMs that images bring along: Bitnami's and Wolfi's, and others in their usual places.
//!
//! Sources: SPDX 2.3, section 7 (`packages`, `externalRefs` of type `purl`); CycloneDX 1.6 (`components`); Bitnami, "SPDX
//! files in `/opt/bitnami`"; apko, `/var/lib/db/sbom`. Only purls are read: the conversion of documents is the sbom crate's.

use assay_model::{EvidenceTier, Package, PackageType, Purl, SuppressionReason};
use serde_json::Value;

use super::{About, Ecosystem, File, Found, clip, list, optional, package, text};
use crate::layer::Says;
use crate::merge::{LeftOut, Placed};

pub(crate) struct SbomFiles;

const ABOUT: About = About::installed(
    "SBOMs inside images",
    EvidenceTier::ArchiveMetadata,
    &["/opt/bitnami/**/.spdx-*.spdx", "/var/lib/db/sbom/*.spdx.json", "/usr/share/sbom/*.json", "*.cdx.json"],
);

impl Ecosystem for SbomFiles {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        let Some(document) = found.whole_json(file) else { return };
        for entry in list(&document, "packages") {
            let purl = list(entry, "externalRefs").iter().find(|reference| text(reference, "referenceType") == "purl");
            let licence = [text(entry, "licenseConcluded"), text(entry, "licenseDeclared")];
            let supplier = text(entry, "supplier");
            let supplier = supplier.split_once(": ").map_or(supplier, |(_, name)| name);
            if let Some(purl) = purl {
                add(file, found, text(purl, "referenceLocator"), &licence, supplier);
            }
        }
        for entry in list(&document, "components") {
            let supplier = entry.get("supplier").map(|supplier| text(supplier, "name")).unwrap_or_default();
            add(file, found, text(entry, "purl"), &[], supplier);
        }
    }

    /// What the distribution's own database lists is not listed a second time.
    fn settle(&self, facts: &mut Vec<Placed>, left_out: &mut LeftOut) {
        let listed: std::collections::HashSet<(PackageType, String)> = facts
            .iter()
            .filter_map(|fact| if let Says::Packages(packages) = &fact.says { Some(packages) } else { None })
            .flatten()
            .filter(|package| package.tier == EvidenceTier::PackageDatabase)
            .map(|package| (package.kind, package.name.clone()))
            .collect();
        for fact in facts.iter_mut().filter(|fact| ABOUT.covers(&fact.path, super::Scope::Image)) {
            if let Says::Packages(packages) = &mut fact.says {
                packages.retain(|package| {
                    let keep = !listed.contains(&(package.kind, package.name.clone()));
                    if !keep {
                        left_out.add(package, fact.layer, SuppressionReason::StrongerSign, None);
                    }
                    keep
                });
            }
        }
    }
}

fn add(file: &File<'_>, found: &mut Found, purl: &str, licences: &[&str], supplier: &str) {
    let Ok(purl) = purl.parse::<Purl>() else { return };
    // Images and sources that a document describes are not packages in it.
    let Some(kind) = PackageType::from_purl_type(&purl.kind).filter(|kind| *kind != PackageType::Github) else {
        return;
    };
    let separator = if kind == PackageType::Maven { ":" } else { "/" };
    let name = match &purl.namespace {
        Some(namespace) if !kind.is_distribution() => format!("{namespace}{separator}{}", purl.name),
        _ => purl.name.clone(),
    };
    let version = purl.version.clone().unwrap_or_default();
    let mut package: Package = package(kind, &name, &version, EvidenceTier::ArchiveMetadata, file.path);
    package.architecture = purl.qualifiers.get("arch").map(|name| clip(name));
    package.licence =
        licences.iter().find_map(|text| optional(text).filter(|text| text != "NOASSERTION" && text != "NONE"));
    package.supplier = optional(supplier).filter(|name| name != "NOASSERTION");
    package.purl = purl;
    found.add(file, package);
}

/// The components of a CycloneDX document.
pub(super) fn components(path: &str, document: &Value, found: &mut Found) {
    let limits = crate::limits::Limits::default();
    let file = File { path, bytes: &[], limits: &limits };
    for entry in list(document, "components") {
        add(&file, found, text(entry, "purl"), &[], "");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn the_purls_of_an_spdx_document_are_packages() {
        let json = r#"{"spdxVersion":"SPDX-2.3","packages":[
            {"name":"redis","supplier":"Organization: VMware, Inc.","licenseConcluded":"BSD-3-Clause",
             "externalRefs":[{"referenceType":"cpe23Type","referenceLocator":"cpe:x"},
               {"referenceType":"purl","referenceLocator":"pkg:bitnami/redis@7.2.4-0?arch=amd64&distro=debian-12"}]},
            {"name":"image","externalRefs":[{"referenceType":"purl","referenceLocator":"pkg:oci/redis@sha256:00"}]}]}"#;
        let path = "opt/bitnami/redis/.spdx-redis.spdx";
        assert_eq!(lines(&SbomFiles, path, json), ["pkg:bitnami/redis@7.2.4-0?arch=amd64&distro=debian-12"]);
        let found = read(&SbomFiles, path, json);
        assert_eq!(found.packages[0].licence.as_deref(), Some("BSD-3-Clause"));
        assert_eq!(found.packages[0].supplier.as_deref(), Some("VMware, Inc."));
        assert_eq!(read(&SbomFiles, path, "{").partial.len(), 1);
    }

    #[test]
    fn components_of_cyclonedx_too() {
        let json = r#"{"bomFormat":"CycloneDX","components":[{"purl":"pkg:maven/org.a/b@1"},{"name":"no purl"}]}"#;
        assert_eq!(lines(&SbomFiles, "app/bom.cdx.json", json), ["pkg:maven/org.a/b@1"]);
    }
}
