//! VMware Photon OS: a JSON list of CVE, package and resolved version; the release is in the file's name
//! (`cve_data_photon5.0.json`).

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Affected, malformed, not_affected, until};
use crate::osv::Record;
use crate::source::SourceError;

const FEED: &str = "Photon feed";

#[derive(Deserialize)]
struct Entry {
    cve_id: String,
    pkg: String,
    #[serde(default)]
    res_ver: Option<String>,
    #[serde(default)]
    status: Option<String>,
    #[serde(default)]
    cve_score: Option<f64>,
}

pub(super) fn records(name: &str, bytes: &[u8]) -> Result<Vec<Record>, SourceError> {
    let entries: Vec<Entry> = serde_json::from_slice(bytes).map_err(|error| malformed(name, FEED, error))?;
    let file = name.rsplit(['/', '!']).next().unwrap_or(name);
    let release: String = file
        .split_once("photon")
        .map(|(_, rest)| rest.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect())
        .unwrap_or_default();
    let release = release.trim_end_matches('.');
    if release.is_empty() {
        return Err(malformed(name, FEED, "the file's name does not say which release it is about"));
    }
    let mut records: BTreeMap<String, Record> = BTreeMap::new();
    for entry in &entries {
        let record = records.entry(entry.cve_id.clone()).or_insert_with_key(|id| Record {
            id: format!("PHOTON-{release}-{id}"),
            upstream: vec![id.clone()],
            database_specific: match entry.cve_score {
                Some(score) => serde_json::json!({"severity": assay_model::Severity::from_score(score).name()}),
                None => serde_json::Value::Null,
            },
            ..Record::default()
        });
        let untouched = entry.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("not affected"));
        let fixed =
            entry.res_ver.as_deref().filter(|version| !version.is_empty() && !version.eq_ignore_ascii_case("na"));
        let (events, specific) = if untouched {
            (until(None), not_affected("Photon's maintainers say so"))
        } else {
            (until(fixed), serde_json::Value::Null)
        };
        let ecosystem = format!("Photon OS:{release}");
        record.affected.push(Affected { ecosystem, name: &entry.pkg, events, specific }.into_osv());
    }
    Ok(records.into_values().collect())
}
