//! The Debian security tracker's `data/json`: package, CVE, release.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::{Affected, MAX_ENTRIES, malformed, not_affected, until};
use crate::osv::Record;
use crate::source::SourceError;

const FEED: &str = "Debian security tracker";

/// Code names and the numbers that `os-release` has. Later releases are added with their number when they have one.
const RELEASES: [(&str, &str); 7] = [
    ("stretch", "9"),
    ("buster", "10"),
    ("bullseye", "11"),
    ("bookworm", "12"),
    ("trixie", "13"),
    ("forky", "14"),
    ("duke", "15"),
];

#[derive(Deserialize)]
struct Issue {
    #[serde(default)]
    description: String,
    #[serde(default)]
    releases: BTreeMap<String, Release>,
}

#[derive(Deserialize)]
struct Release {
    #[serde(default)]
    status: String,
    #[serde(default)]
    fixed_version: Option<String>,
    #[serde(default)]
    urgency: String,
    #[serde(default)]
    nodsa_reason: Option<String>,
}

pub(super) fn records(name: &str, bytes: &[u8]) -> Result<Vec<Record>, SourceError> {
    let packages: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_slice(bytes).map_err(|error| malformed(name, FEED, error))?;
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    let mut entries = 0;
    for (package, issues) in packages {
        for (id, issue) in issues {
            // Temporary names (`TEMP-...`) change, and nobody else knows them.
            if !id.starts_with("CVE-") {
                continue;
            }
            let issue: Issue = serde_json::from_value(issue)
                .map_err(|error| malformed(name, FEED, format_args!("{package}, {id}: {error}")))?;
            let record = records.entry(id).or_insert_with_key(|id| Record {
                id: format!("DEBIAN-{id}"),
                upstream: vec![id.clone()],
                ..Record::default()
            });
            if record.details.is_empty() {
                record.details = issue.description;
            }
            for (release, state) in issue.releases {
                let Some((_, number)) = RELEASES.iter().find(|(name, _)| *name == release) else { continue };
                entries += 1;
                if entries > MAX_ENTRIES {
                    return Err(malformed(name, FEED, "more entries than any tracker has"));
                }
                record.affected.push(affected(&package, number, &state).into_osv());
            }
        }
    }
    records.retain(|_, record| !record.affected.is_empty());
    Ok(records.into_values().collect())
}

fn affected<'a>(package: &'a str, number: &str, state: &Release) -> Affected<'a> {
    let fixed = state.fixed_version.as_deref().filter(|_| state.status == "resolved");
    let never = state.urgency == "end-of-life" || state.nodsa_reason.as_deref() == Some("ignored");
    let (events, specific) = match fixed {
        // "Fixed in 0" says that no version of this release ever had it.
        Some("0") => (until(None), not_affected("the release never had the vulnerable code")),
        fixed if never => (until(fixed), json!({"urgency": state.urgency, "fix": "will-not-fix"})),
        fixed => (until(fixed), json!({"urgency": state.urgency})),
    };
    Affected { ecosystem: format!("Debian:{number}"), name: package, events, specific }
}
