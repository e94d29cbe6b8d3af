//! SPDX and CycloneDX documents: only their size and identity; their content is the `sbom` crate's matter.

use assay_model::Digest;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::{Predicate, SbomFormat, SbomSummary};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spdx {
    #[serde(rename = "spdxVersion")]
    _version: String,
    #[serde(default)]
    packages: Vec<IgnoredAny>,
}

/// SPDX 3 is a graph of typed elements (SPDX 3.0.1, serialisation as JSON-LD).
#[derive(Deserialize)]
struct Spdx3 {
    #[serde(rename = "@context")]
    context: serde_json::Value,
    #[serde(rename = "@graph")]
    graph: Vec<Element>,
}

#[derive(Deserialize)]
struct Element {
    #[serde(default, rename = "type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CycloneDx {
    bom_format: String,
    #[serde(default)]
    components: Vec<IgnoredAny>,
}

/// SPDX 2.x as JSON, SPDX 3.0 as JSON-LD, or tag-value text in a JSON string (`cosign attest --type spdx`).
pub(super) fn read_spdx(text: &str) -> Result<Predicate, String> {
    let packages = if text.starts_with('"') {
        let document: String = super::parse(text)?;
        if !document.lines().any(|line| line.starts_with("SPDXVersion:")) {
            return Err("the text has no SPDXVersion".to_owned());
        }
        document.lines().filter(|line| line.starts_with("PackageName:")).count()
    } else {
        match super::parse::<Spdx>(text) {
            Ok(document) => document.packages.len(),
            Err(error) => spdx3_packages(text).ok_or(error)?,
        }
    };
    Ok(summary(SbomFormat::Spdx, packages, text))
}

fn spdx3_packages(text: &str) -> Option<usize> {
    let document: Spdx3 = super::parse(text).ok()?;
    let is_spdx = document.context.as_str().is_some_and(|context| context.starts_with("https://spdx.org/rdf/3."));
    is_spdx.then(|| document.graph.iter().filter(|element| element.kind == "software_Package").count())
}

/// CycloneDX as JSON.
pub(super) fn read_cyclonedx(text: &str) -> Result<Predicate, String> {
    let document: CycloneDx = super::parse(text)?;
    if document.bom_format != "CycloneDX" {
        return Err(format!("bomFormat is `{}`", document.bom_format));
    }
    Ok(summary(SbomFormat::Cyclonedx, document.components.len(), text))
}

fn summary(format: SbomFormat, packages: usize, text: &str) -> Predicate {
    Predicate::Sbom(SbomSummary { format, packages: packages as u64, document: Digest::of(text.as_bytes()) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_counted_in_each_form() {
        let count = |read: Result<Predicate, String>| match read.unwrap() {
            Predicate::Sbom(summary) => summary.packages,
            other => panic!("{other:?}"),
        };
        assert_eq!(count(read_spdx(r#"{"spdxVersion":"SPDX-2.3","packages":[{},{}]}"#)), 2);
        assert_eq!(count(read_spdx(r#""SPDXVersion: SPDX-2.3\nPackageName: a\nPackageName: b\n""#)), 2);
        assert_eq!(count(read_cyclonedx(r#"{"bomFormat":"CycloneDX","components":[{"name":"a"}]}"#)), 1);
        let third = r#"{"@context":"https://spdx.org/rdf/3.0.1/spdx-context.jsonld","@graph":[{"type":"CreationInfo"},{"type":"software_Package"}]}"#;
        assert_eq!(count(read_spdx(third)), 1);
        assert!(read_spdx(&third.replace("spdx.org", "evil.example")).is_err());
        assert!(read_cyclonedx(r#"{"bomFormat":"SPDX"}"#).is_err());
        assert!(read_spdx(r#""PackageName: a""#).is_err());
        assert!(read_spdx(r#"{"packages":[]}"#).is_err());
    }
}
