//! A document against the minimum elements that authorities ask for, requirement by requirement.
//!
//! Sources: NTIA, "The Minimum Elements For a Software Bill of Materials" (July 2021), table "Data Fields"; CISA, "2025
//! Minimum Elements for a Software Bill of Materials" (draft of August 2025), table 1; BSI TR-03183-2 version 2.1 (August
//! 2025), sections 4 and 5.2. What only a person can judge (practices, frequency, distribution) is not in it.

use std::collections::BTreeSet;

use assay_model::{Algorithm, Package, PackageType};
use serde::Serialize;

use crate::document::CycloneDxVersion;
use crate::licence::Licence;
use crate::{Format, Sbom};

/// Who asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Standard {
    /// NTIA 2021.
    Ntia,
    /// CISA's draft of 2025.
    Cisa2025,
    /// BSI TR-03183-2.
    Bsi,
}

impl Standard {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Ntia, Self::Cisa2025, Self::Bsi];

    /// Its name.
    pub fn title(self) -> &'static str {
        match self {
            Self::Ntia => "NTIA minimum elements (2021)",
            Self::Cisa2025 => "CISA minimum elements (draft of 2025)",
            Self::Bsi => "BSI TR-03183-2 (2.1)",
        }
    }

    fn requirements(self) -> &'static [Rule] {
        match self {
            Self::Ntia => &NTIA,
            Self::Cisa2025 => &CISA,
            Self::Bsi => &BSI,
        }
    }
}

/// What a requirement is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// The document as a whole.
    Document,
    /// Each of its components.
    Components,
}

/// One requirement, and how far it is met.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Requirement {
    /// As the standard calls it.
    pub name: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// How many meet it.
    pub met: usize,
    /// Of how many: 1 for the document.
    pub of: usize,
    /// Purls of the components that do not, sorted.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<String>,
}

/// How far a document meets one standard.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Score {
    /// Which one.
    pub standard: Standard,
    /// All its requirements.
    pub requirements: Vec<Requirement>,
    /// The mean of their shares, in whole percent, rounded down: 100 means that all are met.
    pub percent: u32,
}

/// What a rule looks at.
enum Check {
    Document(fn(&Sbom) -> bool),
    Component(fn(&Package, &Sbom) -> bool),
}

type Rule = (&'static str, Check);

const NTIA: [Rule; 7] = [
    ("supplier name", Check::Component(has_supplier)),
    ("component name", Check::Component(has_name)),
    ("version of the component", Check::Component(has_version)),
    ("other unique identifiers", Check::Component(has_identifier)),
    ("dependency relationship", Check::Component(is_reachable)),
    ("author of SBOM data", Check::Document(has_author)),
    ("timestamp", Check::Document(has_time)),
];

const CISA: [Rule; 11] = [
    ("SBOM author", Check::Document(has_author)),
    ("software producer", Check::Component(has_supplier)),
    ("component name", Check::Component(has_name)),
    ("component version", Check::Component(has_version)),
    ("software identifiers", Check::Component(has_identifier)),
    ("component hash", Check::Component(has_hash)),
    ("licence", Check::Component(has_licence)),
    ("dependency relationship", Check::Component(is_reachable)),
    ("tool name", Check::Document(has_tool)),
    ("timestamp", Check::Document(has_time)),
    ("generation context", Check::Document(has_context)),
];

const BSI: [Rule; 14] = [
    ("format and version", Check::Document(has_bsi_format)),
    ("creator of the SBOM", Check::Document(has_contact)),
    ("timestamp", Check::Document(has_time)),
    ("SBOM-URI", Check::Document(has_identity)),
    ("component creator", Check::Component(has_supplier)),
    ("component name", Check::Component(has_name)),
    ("component version", Check::Component(has_version)),
    ("filename of the component", Check::Component(has_filename)),
    ("dependencies on other components", Check::Component(is_reachable)),
    ("distribution licences", Check::Component(has_expression)),
    ("hash value of the deployable component (SHA-512)", Check::Component(has_sha512)),
    ("executable property", Check::Component(|package, sbom| states(package, sbom, "bsi:component:executable"))),
    ("archive property", Check::Component(|package, sbom| states(package, sbom, "bsi:component:archive"))),
    ("structured property", Check::Component(|package, sbom| states(package, sbom, "bsi:component:structured"))),
];

fn has_supplier(package: &Package, _: &Sbom) -> bool {
    package.supplier.as_deref().is_some_and(|supplier| !supplier.trim().is_empty())
}

fn has_name(package: &Package, _: &Sbom) -> bool {
    !package.name.is_empty()
}

fn has_version(package: &Package, _: &Sbom) -> bool {
    !package.version.is_empty()
}

/// A purl of the document's own; one that was made up of a name while it was read identifies nothing.
fn has_identifier(package: &Package, sbom: &Sbom) -> bool {
    package.kind != PackageType::Generic || !sbom.observed.unidentified.contains(&package.purl.to_string())
}

fn is_reachable(package: &Package, sbom: &Sbom) -> bool {
    sbom.observed.unreachable.is_empty() || !sbom.observed.unreachable.contains(&package.purl.to_string())
}

fn has_hash(package: &Package, _: &Sbom) -> bool {
    package.digest.is_some()
}

fn has_sha512(package: &Package, _: &Sbom) -> bool {
    package.digest.as_ref().is_some_and(|digest| digest.algorithm() == Algorithm::Sha512)
}

fn has_licence(package: &Package, _: &Sbom) -> bool {
    package.licence.as_deref().and_then(Licence::of).is_some()
}

fn has_expression(package: &Package, _: &Sbom) -> bool {
    matches!(package.licence.as_deref().and_then(Licence::of), Some(Licence::Expression(_)))
}

fn has_filename(package: &Package, sbom: &Sbom) -> bool {
    !package.path.is_empty() || states(package, sbom, "bsi:component:filename")
}

fn states(package: &Package, sbom: &Sbom, property: &str) -> bool {
    !sbom.observed.bsi.is_empty() && sbom.observed.bsi.contains(&(package.purl.to_string(), property.to_owned()))
}

/// A tool is who made the data where nobody else is named (NTIA, "Author of SBOM Data": "the name of the entity that
/// creates the SBOM data").
fn has_author(sbom: &Sbom) -> bool {
    !sbom.origin.authors.is_empty() || has_tool(sbom)
}

/// An e-mail address or a URL (section 5.2.1), which a tool's name is not.
fn has_contact(sbom: &Sbom) -> bool {
    sbom.origin.authors.iter().any(|author| author.contains('@') || author.contains("://"))
}

fn has_tool(sbom: &Sbom) -> bool {
    sbom.origin.tools.iter().any(|tool| !tool.is_empty())
}

fn has_time(sbom: &Sbom) -> bool {
    sbom.origin.created.is_some()
}

fn has_context(sbom: &Sbom) -> bool {
    sbom.origin.lifecycle.is_some()
}

fn has_identity(sbom: &Sbom) -> bool {
    sbom.origin.identifier.is_some()
}

/// CycloneDX 1.6 or later, or SPDX 3.0.1 or later (section 4).
fn has_bsi_format(sbom: &Sbom) -> bool {
    match sbom.format {
        Format::CycloneDx(version) | Format::CycloneDxXml(version) => version >= CycloneDxVersion::V1_6,
        Format::Spdx3 => sbom.version != "3.0" && sbom.version != "3.0.0",
        Format::Spdx | Format::SpdxTagValue | Format::Syft | Format::Trivy => false,
    }
}

/// Holds a document against a standard. The document's own root is no component of it.
pub fn score(sbom: &Sbom, standard: Standard) -> Score {
    let packages = &sbom.contents.packages;
    let requirement = |(name, check): &Rule| match check {
        Check::Document(holds) => {
            Requirement { name, subject: Subject::Document, met: usize::from(holds(sbom)), of: 1, missing: Vec::new() }
        }
        Check::Component(holds) => {
            let missing = packages.iter().filter(|package| !holds(package, sbom));
            let (mut count, mut purls) = (0, BTreeSet::new());
            for package in missing {
                count += 1;
                purls.insert(package.purl.to_string());
            }
            let met = packages.len() - count;
            let missing = purls.into_iter().collect();
            Requirement { name, subject: Subject::Components, met, of: packages.len(), missing }
        }
    };
    let requirements: Vec<Requirement> = standard.requirements().iter().map(requirement).collect();
    let share = |one: &Requirement| if one.of == 0 { 1.0 } else { one.met as f64 / one.of as f64 };
    let mean = requirements.iter().map(share).sum::<f64>() / requirements.len().max(1) as f64;
    let all = requirements.iter().all(|one| one.met == one.of);
    // 99.99 is not all.
    let percent = if all { 100 } else { ((mean * 100.0) as u32).min(99) };
    Score { standard, requirements, percent }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::read;

    fn met<'a>(score: &'a Score, name: &str) -> (usize, usize, &'a [String]) {
        let found = score.requirements.iter().find(|one| one.name == name).unwrap();
        (found.met, found.of, &found.missing)
    }

    #[test]
    fn what_is_missing_is_named_component_by_component() {
        let document = json!({"bomFormat": "CycloneDX", "specVersion": "1.5", "serialNumber": "urn:uuid:1",
            "metadata": {"timestamp": "2026-01-01T00:00:00Z", "component": {"type": "application", "name": "x", "bom-ref": "r"}},
            "components": [
                {"type": "library", "bom-ref": "a", "name": "a", "version": "1", "purl": "pkg:npm/a@1",
                 "supplier": {"name": "S"}, "licenses": [{"license": {"name": "free"}}],
                 "properties": [{"name": "bsi:component:archive", "value": "archive"}]},
                {"type": "library", "bom-ref": "b", "name": "b"}],
            "dependencies": [{"ref": "r", "dependsOn": ["a"]}]});
        let sbom = read(document.to_string().as_bytes()).unwrap();
        let ntia = score(&sbom, Standard::Ntia);
        let b = ["pkg:generic/b".to_owned()];
        for name in ["supplier name", "version of the component", "other unique identifiers", "dependency relationship"]
        {
            assert_eq!(met(&ntia, name), (1, 2, &b[..]), "{name}");
        }
        assert_eq!(met(&ntia, "component name"), (2, 2, &[][..]));
        assert_eq!(met(&ntia, "author of SBOM data"), (0, 1, &[][..]));
        assert_eq!(ntia.percent, 57, "(4 halves + 1 + 0 + 1) of 7");
        let cisa = score(&sbom, Standard::Cisa2025);
        assert_eq!((met(&cisa, "component hash").0, met(&cisa, "licence").0, met(&cisa, "tool name").0), (0, 1, 0));
        let bsi = score(&sbom, Standard::Bsi);
        assert_eq!(met(&bsi, "format and version").0, 0, "1.5 is too old");
        assert_eq!((met(&bsi, "archive property").0, met(&bsi, "distribution licences").0), (1, 0));
    }

    #[test]
    fn an_empty_list_misses_nothing_of_components() {
        let sbom = read(br#"{"bomFormat":"CycloneDX","specVersion":"1.6"}"#).unwrap();
        let ntia = score(&sbom, Standard::Ntia);
        assert_eq!((ntia.percent, met(&ntia, "supplier name")), (71, (0, 0, &[][..])));
    }
}
