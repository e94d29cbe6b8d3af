//! CISA's catalogue of known exploited vulnerabilities (cisa.gov/known-exploited-vulnerabilities-catalog, JSON).

use std::collections::BTreeMap;

use assay_model::KnownExploited;
use serde::Deserialize;

/// The parts of the catalogue that matter here.
#[derive(Deserialize)]
struct Catalogue {
    vulnerabilities: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    #[serde(rename = "cveID")]
    id: String,
    date_added: String,
    #[serde(default)]
    known_ransomware_campaign_use: String,
}

/// Entries by CVE.
pub(crate) fn parse(bytes: &[u8]) -> Result<BTreeMap<String, KnownExploited>, serde_json::Error> {
    serde_json::from_slice::<crate::osv::UniqueKeys>(bytes)?;
    let catalogue: Catalogue = serde_json::from_slice(bytes)?;
    let entry = |entry: Entry| {
        let ransomware = entry.known_ransomware_campaign_use == "Known";
        (
            entry.id.to_ascii_uppercase(),
            KnownExploited { since: entry.date_added.chars().take(10).collect(), ransomware },
        )
    };
    Ok(catalogue.vulnerabilities.into_iter().map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_is_read_by_cve() {
        let entries = parse(
            br#"{"title": "x", "vulnerabilities": [{"cveID": "cve-2021-44228", "dateAdded": "2021-12-10",
                "knownRansomwareCampaignUse": "Known", "notes": ""}, {"cveID": "CVE-2024-3094", "dateAdded": "2024-04-01"}]}"#,
        )
        .unwrap();
        assert_eq!(entries["CVE-2021-44228"], KnownExploited { since: "2021-12-10".into(), ransomware: true });
        assert!(!entries["CVE-2024-3094"].ransomware);
        assert!(parse(b"{\"vulnerabilities\": 1}").is_err());
    }
}
