//! The small predicates of in-toto: releases, attributes (SCAI) and links.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::provenance::{Resource, materials};
use crate::statement::{objects, optional_object};
use crate::{AttributeReport, LinkSummary, Predicate, ReleaseSummary};

/// Attributes of one report, and words of one command.
const ENTRIES_MAX: usize = 10_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Release {
    purl: String,
    #[serde(default)]
    package_id: Option<String>,
}

/// `https://in-toto.io/attestation/release/v0.1`.
pub(super) fn read_release(text: &str) -> Result<Predicate, String> {
    let Release { purl, package_id } = super::parse(text)?;
    if !purl.starts_with("pkg:") {
        return Err(format!("`{purl}` is no purl"));
    }
    Ok(Predicate::Release(ReleaseSummary { purl, package_id }))
}

#[derive(Deserialize)]
struct Scai {
    #[serde(deserialize_with = "objects")]
    attributes: Vec<Attribute>,
    #[serde(default, deserialize_with = "optional_object")]
    producer: Option<Resource>,
}

#[derive(Deserialize)]
struct Attribute {
    attribute: String,
    #[serde(default)]
    target: Option<IgnoredAny>,
    #[serde(default)]
    conditions: Option<IgnoredAny>,
}

/// `https://in-toto.io/attestation/scai/v0.3`. An attribute that holds only under conditions, or of something else, is kept
/// apart: taken as the subject's own it would say more than was said.
pub(super) fn read_scai(text: &str) -> Result<Predicate, String> {
    let Scai { attributes, producer } = super::parse(text)?;
    bounded("attributes", attributes.len())?;
    let mut report = AttributeReport { attributes: Vec::new(), conditional: Vec::new(), producer: None };
    for Attribute { attribute, target, conditions } in attributes {
        let own = target.is_none() && conditions.is_none();
        if own { &mut report.attributes } else { &mut report.conditional }.push(attribute);
    }
    let name = |resource: Resource| if resource.uri.is_empty() { resource.name } else { resource.uri };
    report.producer = producer.map(name).filter(|name| !name.is_empty());
    Ok(Predicate::Attributes(report))
}

#[derive(Deserialize)]
struct Link {
    name: String,
    #[serde(default)]
    command: Vec<String>,
    #[serde(default, deserialize_with = "objects")]
    materials: Vec<Resource>,
}

/// `https://in-toto.io/attestation/link/v0.3`.
pub(super) fn read_link(text: &str) -> Result<Predicate, String> {
    let Link { name, command, materials: used } = super::parse(text)?;
    bounded("words of the command", command.len())?;
    Ok(Predicate::Link(LinkSummary { name, command, materials: materials(&used)? }))
}

fn bounded(what: &str, found: usize) -> Result<(), String> {
    if found > ENTRIES_MAX { Err(format!("{found} {what}, at most {ENTRIES_MAX} are read")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_under_conditions_is_not_one_without() {
        let read = read_scai(
            r#"{"attributes":[{"attribute":"REPRODUCIBLE"},{"attribute":"HARDENED","conditions":{"flags":"-f"}},
            {"attribute":"SIGNED","target":{"name":"other"}}],"producer":{"uri":"file:///usr/bin/gcc"}}"#,
        );
        let Predicate::Attributes(report) = read.unwrap() else { panic!("attributes") };
        assert_eq!(report.attributes, ["REPRODUCIBLE"]);
        assert_eq!(report.conditional, ["HARDENED", "SIGNED"]);
        assert_eq!(report.producer.as_deref(), Some("file:///usr/bin/gcc"));
    }

    #[test]
    fn releases_and_links_are_read() {
        let release = read_release(r#"{"purl":"pkg:npm/a@1","packageId":"7"}"#).unwrap();
        assert!(matches!(release, Predicate::Release(summary) if summary.package_id.as_deref() == Some("7")));
        assert!(read_release(r#"{"purl":"a@1"}"#).is_err());
        let link =
            read_link(r#"{"name":"build","command":["make"],"materials":[{"name":"src","digest":{"sha256":"00"}}]}"#);
        let Predicate::Link(link) = link.unwrap() else { panic!("a link") };
        assert_eq!((link.command.len(), link.materials[0].uri.as_str()), (1, "src"));
        assert!(read_link(r#"{"command":[]}"#).is_err());
    }
}
