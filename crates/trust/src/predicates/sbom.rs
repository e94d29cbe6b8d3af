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

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CycloneDx {
    bom_format: String,
    #[serde(default)]
    components: Vec<IgnoredAny>,
}

/// SPDX 2.x as JSON, or tag-value text in a JSON string (`cosign attest --type spdx`).
pub(super) fn read_spdx(text: &str) -> Result<Predicate, String> {
    let packages = if text.starts_with('"') {
        let document: String = super::parse(text)?;
        if !document.lines().any(|line| line.starts_with("SPDXVersion:")) {
            return Err("the text has no SPDXVersion".to_owned());
        }
        document.lines().filter(|line| line.starts_with("PackageName:")).count()
    } else {
        super::parse::<Spdx>(text)?.packages.len()
    };
    Ok(summary(SbomFormat::Spdx, packages, text))
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
        assert!(read_cyclonedx(r#"{"bomFormat":"SPDX"}"#).is_err());
        assert!(read_spdx(r#""PackageName: a""#).is_err());
        assert!(read_spdx(r#"{"packages":[]}"#).is_err());
    }
}
