//! OVAL (oval.mitre.org, 5.11) as Oracle and Azure Linux publish it: definitions whose tests say that a package is earlier than
//! a version.
//!
//! Of a definition's criteria only the tests of package versions are read. Tests of the release are not needed, since the
//! release comes from the definition's platform or the file's name; tests of signatures say nothing about a vulnerability.

use std::collections::BTreeMap;

use super::xml::{Step, walk};
use super::{Affected, MAX_ENTRIES, malformed, until};
use crate::osv::{Record, Reference};
use crate::source::SourceError;

const FEED: &str = "OVAL file";

#[derive(Default)]
struct Definition {
    title: String,
    description: String,
    severity: String,
    platforms: Vec<String>,
    ids: Vec<String>,
    /// The vendor's own identifier: `ELSA-2023-1`.
    advisory: String,
    issued: String,
    tests: Vec<String>,
    urls: Vec<String>,
}

#[derive(Default)]
struct Tables {
    /// Object and state of each test.
    tests: BTreeMap<String, (String, String)>,
    /// Package name of each object.
    objects: BTreeMap<String, String>,
    /// Version that a package must be earlier than, of each state that says so.
    states: BTreeMap<String, String>,
}

pub(super) fn records(name: &str, bytes: &[u8]) -> Result<Vec<Record>, SourceError> {
    let mut definitions: Vec<Definition> = Vec::new();
    let mut tables = Tables::default();
    let mut current: Option<Definition> = None;
    // The test, object or state that is open, by its identifier.
    let mut open = String::new();
    let mut test = (String::new(), String::new());
    let mut earlier_than = false;
    let mut entries = 0_usize;
    walk(name, FEED, bytes, |step| {
        entries += 1;
        match step {
            Step::Open { name: "definition", .. } => current = Some(Definition::default()),
            Step::Close { name: "definition", .. } => definitions.extend(current.take()),
            Step::Open { name: "rpminfo_test" | "rpminfo_object" | "rpminfo_state", attributes } => {
                open = attributes.get("id").cloned().unwrap_or_default();
                test = Default::default();
            }
            Step::Open { name: "object", attributes } => {
                test.0 = attributes.get("object_ref").cloned().unwrap_or_default();
            }
            Step::Open { name: "state", attributes } => {
                test.1 = attributes.get("state_ref").cloned().unwrap_or_default();
            }
            Step::Close { name: "rpminfo_test", .. } => {
                tables.tests.insert(std::mem::take(&mut open), std::mem::take(&mut test));
            }
            Step::Open { name: "evr", attributes } => {
                earlier_than = attributes.get("operation").is_some_and(|operation| operation == "less than");
            }
            Step::Close { name: "evr", text } if earlier_than && !open.is_empty() => {
                tables.states.insert(open.clone(), text.to_owned());
            }
            Step::Close { name: "name", text } if !open.is_empty() => {
                tables.objects.insert(open.clone(), text.to_owned());
            }
            Step::Close { name: "rpminfo_object" | "rpminfo_state", .. } => open.clear(),
            step => {
                if let Some(definition) = &mut current {
                    describe(definition, step);
                }
            }
        }
    })?;
    if entries > MAX_ENTRIES * 4 {
        return Err(malformed(name, FEED, "more elements than any OVAL file has"));
    }
    let file = name.rsplit(['/', '!']).next().unwrap_or(name).to_ascii_lowercase();
    Ok(definitions.iter().filter_map(|definition| record(&file, definition, &tables)).collect())
}

fn describe(definition: &mut Definition, step: Step<'_>) {
    match step {
        Step::Close { name: "title", text } => text.clone_into(&mut definition.title),
        Step::Close { name: "description", text } => text.clone_into(&mut definition.description),
        Step::Close { name: "severity", text } => text.clone_into(&mut definition.severity),
        Step::Close { name: "platform", text } => definition.platforms.push(text.to_owned()),
        Step::Open { name: "reference", attributes } => {
            let id = attributes.get("ref_id").cloned().unwrap_or_default();
            definition.urls.extend(attributes.get("ref_url").cloned());
            if id.starts_with("CVE-") {
                definition.ids.push(id);
            } else if definition.advisory.is_empty() {
                definition.advisory = id;
            }
        }
        Step::Open { name: "issued", attributes } => {
            definition.issued = attributes.get("date").cloned().unwrap_or_default();
        }
        Step::Open { name: "criterion", attributes } => definition.tests.extend(attributes.get("test_ref").cloned()),
        Step::Open { .. } | Step::Close { .. } => {}
    }
}

fn record(file: &str, definition: &Definition, tables: &Tables) -> Option<Record> {
    let ecosystem = definition.platforms.iter().find_map(|platform| ecosystem(file, platform))?;
    let mut ids = definition.ids.clone();
    ids.sort_unstable();
    ids.dedup();
    let advisory = definition.advisory.trim();
    let id = match (advisory.is_empty(), ids.first()) {
        (false, _) => advisory.to_owned(),
        (true, Some(cve)) => format!("AZL-{}-{cve}", ecosystem.rsplit(':').next().unwrap_or_default()),
        (true, None) => return None,
    };
    let mut affected: Vec<(&str, &str)> = definition
        .tests
        .iter()
        .filter_map(|test| {
            let (object, state) = tables.tests.get(test)?;
            Some((tables.objects.get(object)?.as_str(), tables.states.get(state)?.as_str()))
        })
        .collect();
    affected.sort_unstable();
    affected.dedup();
    let affected: Vec<_> = affected
        .into_iter()
        .map(|(name, fixed)| {
            let specific = serde_json::Value::Null;
            Affected { ecosystem: ecosystem.clone(), name, events: until(Some(fixed)), specific }.into_osv()
        })
        .collect();
    let issued = if definition.issued.len() == 10 {
        format!("{}T00:00:00Z", definition.issued)
    } else {
        definition.issued.clone()
    };
    (!affected.is_empty() && !ids.is_empty()).then(|| Record {
        id,
        upstream: ids,
        summary: definition.title.clone(),
        details: definition.description.clone(),
        published: issued.clone(),
        modified: issued,
        references: definition.urls.iter().map(|url| Reference { url: url.clone() }).collect(),
        database_specific: serde_json::json!({"severity": definition.severity.to_ascii_lowercase()}),
        affected,
        ..Record::default()
    })
}

fn ecosystem(file: &str, platform: &str) -> Option<String> {
    if let Some(release) = platform.strip_prefix("Oracle Linux ") {
        return Some(format!("Oracle Linux:{release}"));
    }
    // Azure's platform has no number; its files do: `azurelinux-3.0-oval.xml`, `cbl-mariner-2.0-oval.xml`.
    if platform.contains("Mariner") || platform.contains("Azure Linux") {
        let number: String = platform
            .chars()
            .chain(file.chars())
            .skip_while(|c| !c.is_ascii_digit())
            .take_while(char::is_ascii_digit)
            .collect();
        return (!number.is_empty()).then(|| format!("Azure Linux:{number}"));
    }
    None
}
