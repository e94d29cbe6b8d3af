//! Amazon Linux's `updateinfo.xml`, the format of yum and dnf: an update with its references and packages.

use super::xml::{Step, walk};
use super::{Affected, MAX_ENTRIES, malformed, until};
use crate::osv::{self, Record};
use crate::source::SourceError;

const FEED: &str = "updateinfo.xml";

#[derive(Default)]
struct Update {
    id: String,
    title: String,
    issued: String,
    severity: String,
    description: String,
    ids: Vec<String>,
    packages: Vec<(String, String)>,
}

pub(super) fn records(name: &str, bytes: &[u8]) -> Result<Vec<Record>, SourceError> {
    let mut records = Vec::new();
    let mut update = Update::default();
    let mut entries = 0;
    walk(name, FEED, bytes, |step| match step {
        Step::Open { name: "update", .. } => update = Update::default(),
        Step::Open { name: "issued", attributes } => {
            update.issued = attributes.get("date").cloned().unwrap_or_default();
        }
        Step::Open { name: "reference", attributes } => {
            update.ids.extend(attributes.get("id").filter(|id| id.starts_with("CVE-")).cloned());
        }
        Step::Open { name: "package", attributes } => {
            let get = |key: &str| attributes.get(key).map(String::as_str).unwrap_or_default();
            entries += 1;
            let epoch = if get("epoch").is_empty() { "0" } else { get("epoch") };
            let package = (get("name").to_owned(), format!("{epoch}:{}-{}", get("version"), get("release")));
            // One row serves all architectures.
            if entries <= MAX_ENTRIES && !package.0.is_empty() && !update.packages.contains(&package) {
                update.packages.push(package);
            }
        }
        // Packages have no text children of these names; only an update's own count.
        Step::Close { name: "id", text } => text.clone_into(&mut update.id),
        Step::Close { name: "title", text } => text.clone_into(&mut update.title),
        Step::Close { name: "severity", text } => text.clone_into(&mut update.severity),
        Step::Close { name: "description", text } => text.clone_into(&mut update.description),
        Step::Close { name: "update", .. } => records.extend(record(&std::mem::take(&mut update))),
        Step::Open { .. } | Step::Close { .. } => {}
    })?;
    if entries > MAX_ENTRIES {
        return Err(malformed(name, FEED, "more packages than any distribution has"));
    }
    if records.is_empty() {
        return Err(malformed(name, FEED, "it holds no update of Amazon Linux (ALAS...)"));
    }
    Ok(records)
}

/// `None` for updates that are not Amazon's, or fix no CVE.
fn record(update: &Update) -> Option<Record> {
    let release = match update.id.split('-').next()? {
        "ALAS" => "2018.03",
        // Extras of Amazon Linux 2 come as `ALAS2DOCKER-...` and `ALASKERNEL-5.10-...`.
        "ALAS2023" => "2023",
        "ALAS2022" => "2022",
        other if other.starts_with("ALAS") => "2",
        _ => return None,
    };
    let affected = update.packages.iter().map(|(name, fixed)| {
        let ecosystem = format!("Amazon Linux:{release}");
        Affected { ecosystem, name, events: until(Some(fixed)), specific: serde_json::Value::Null }.into_osv()
    });
    let affected: Vec<osv::Affected> = affected.collect();
    (!update.ids.is_empty() && !affected.is_empty()).then(|| Record {
        id: update.id.clone(),
        upstream: update.ids.clone(),
        summary: update.title.clone(),
        details: update.description.clone(),
        published: rfc3339(&update.issued),
        modified: rfc3339(&update.issued),
        database_specific: serde_json::json!({"severity": update.severity.to_ascii_lowercase()}),
        affected,
        ..Record::default()
    })
}

/// `2023-02-17 00:31:00` and `2023-02-17T00:31:00Z`.
fn rfc3339(text: &str) -> String {
    let text = text.trim().replacen(' ', "T", 1);
    if text.is_empty() || text.ends_with('Z') { text } else { format!("{text}Z") }
}
