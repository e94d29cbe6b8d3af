//! Alpine's secdb: which version of a package fixed which CVE, by release and repository.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Affected, MAX_ENTRIES, malformed, not_affected, until};
use crate::osv::Record;
use crate::source::SourceError;

const FEED: &str = "secdb";

#[derive(Deserialize)]
struct Database {
    #[serde(default)]
    distroversion: String,
    #[serde(default)]
    reponame: String,
    #[serde(default)]
    packages: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    pkg: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    /// `null` and lists of `null` occur.
    #[serde(default)]
    secfixes: Option<BTreeMap<String, Option<Vec<Option<String>>>>>,
}

pub(super) fn records(name: &str, bytes: &[u8]) -> Result<Vec<Record>, SourceError> {
    let database: Database = serde_json::from_slice(bytes).map_err(|error| malformed(name, FEED, error))?;
    let release = database.distroversion.as_str();
    if !release.starts_with('v') {
        return Err(malformed(name, FEED, format_args!("`{release}` is no release of Alpine")));
    }
    let ecosystem = format!("Alpine:{release}");
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    let mut entries = 0;
    for Entry { pkg: package } in database.packages {
        for (version, ids) in package.secfixes.unwrap_or_default() {
            for text in ids.into_iter().flatten().flatten() {
                entries += 1;
                if entries > MAX_ENTRIES {
                    return Err(malformed(name, FEED, "more entries than any secdb has"));
                }
                // Several names of one issue share a string: `CVE-2019-1 XSA-1`.
                let names: Vec<&str> =
                    text.split(|c: char| c.is_whitespace() || c == ',').filter(|id| !id.is_empty()).collect();
                let Some(id) = names.iter().find(|id| id.starts_with("CVE-")).or(names.first()) else { continue };
                let record = records.entry((*id).to_owned()).or_insert_with(|| Record {
                    id: format!("ALPINE-{id}:{release}:{}", database.reponame),
                    upstream: vec![(*id).to_owned()],
                    ..Record::default()
                });
                let (events, specific) = if version == "0" {
                    (until(None), not_affected("the package never had the vulnerable code"))
                } else {
                    (until(Some(&version)), serde_json::Value::Null)
                };
                let affected = Affected { ecosystem: ecosystem.clone(), name: &package.name, events, specific };
                record.affected.push(affected.into_osv());
            }
        }
    }
    Ok(records.into_values().collect())
}
