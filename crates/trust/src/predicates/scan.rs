//! Vulnerability scans.

use assay_model::{FindingCounts, Severity};
use serde::Deserialize;

use crate::statement::{object, optional_objects};
use crate::{Predicate, ScanSummary};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CosignVuln {
    #[serde(deserialize_with = "object")]
    scanner: Scanner,
    #[serde(deserialize_with = "object")]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Scanner {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    version: String,
    #[serde(default, deserialize_with = "object")]
    db: Database,
    #[serde(default)]
    result: Option<ScanResult>,
}

#[derive(Default, Deserialize)]
struct Database {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    version: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    #[serde(default)]
    scan_finished_on: Option<String>,
}

/// What scanners put into `result`: Trivy's and Grype's JSON are read, anything else leaves the counts unknown.
#[derive(Deserialize)]
#[serde(untagged)]
enum ScanResult {
    Trivy {
        #[serde(rename = "Results")]
        results: Vec<TrivyTarget>,
    },
    Grype {
        matches: Vec<GrypeMatch>,
    },
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct TrivyTarget {
    #[serde(default, rename = "Vulnerabilities")]
    vulnerabilities: Option<Vec<TrivyFinding>>,
}

#[derive(Deserialize)]
struct TrivyFinding {
    #[serde(default, rename = "Severity")]
    severity: String,
}

#[derive(Deserialize)]
struct GrypeMatch {
    vulnerability: GrypeFinding,
}

#[derive(Deserialize)]
struct GrypeFinding {
    #[serde(default)]
    severity: String,
}

/// `https://cosign.sigstore.dev/attestation/vuln/v1`.
pub(super) fn read_cosign(text: &str) -> Result<Predicate, String> {
    let CosignVuln { scanner, metadata } = super::parse(text)?;
    let counts = match scanner.result {
        Some(ScanResult::Trivy { results }) => Some(count(
            results.iter().flat_map(|target| target.vulnerabilities.iter().flatten()).map(|found| &*found.severity),
        )),
        Some(ScanResult::Grype { matches }) => Some(count(matches.iter().map(|found| &*found.vulnerability.severity))),
        Some(ScanResult::Other(_)) | None => None,
    };
    Ok(summary(scanner.uri, &scanner.version, scanner.db, metadata, counts))
}

#[derive(Deserialize)]
struct InTotoVulns {
    #[serde(deserialize_with = "object")]
    scanner: InTotoScanner,
    #[serde(deserialize_with = "object")]
    metadata: Metadata,
}

#[derive(Deserialize)]
struct InTotoScanner {
    #[serde(default)]
    uri: String,
    #[serde(default)]
    version: String,
    #[serde(default, deserialize_with = "object")]
    db: Database,
    #[serde(default, deserialize_with = "optional_objects")]
    result: Option<Vec<InTotoFinding>>,
}

#[derive(Deserialize)]
struct InTotoFinding {
    #[serde(default)]
    severity: Vec<InTotoRating>,
}

#[derive(Deserialize)]
struct InTotoRating {
    #[serde(default)]
    score: serde_json::Value,
}

/// `https://in-toto.io/attestation/vulns/v0.1` and `/v0.2` (in-toto/attestation, `spec/predicates/vulns_02.md`). Of several
/// ratings of one finding the worst counts; a score is a word or a number of CVSS.
pub(super) fn read_in_toto(text: &str) -> Result<Predicate, String> {
    let InTotoVulns { scanner, metadata } = super::parse(text)?;
    let counts = scanner.result.map(|findings| {
        let worst = |finding: &InTotoFinding| finding.severity.iter().filter_map(rating).max().unwrap_or_default();
        let words: Vec<Severity> = findings.iter().map(worst).collect();
        count(words.iter().map(|severity| severity.name()))
    });
    Ok(summary(scanner.uri, &scanner.version, scanner.db, metadata, counts))
}

fn rating(rating: &InTotoRating) -> Option<Severity> {
    let number = |text: &str| text.parse::<f64>().ok().filter(|score| score.is_finite()).map(Severity::from_score);
    match &rating.score {
        serde_json::Value::Number(score) => score.as_f64().map(Severity::from_score),
        serde_json::Value::String(text) => text.to_ascii_lowercase().parse().ok().or_else(|| number(text)),
        _ => None,
    }
}

fn summary(
    uri: String,
    version: &str,
    database: Database,
    metadata: Metadata,
    counts: Option<FindingCounts>,
) -> Predicate {
    let database = match (database.uri, database.version) {
        (uri, version) if version.is_empty() => uri,
        (uri, version) if uri.is_empty() => version,
        (uri, version) => format!("{uri}@{version}"),
    };
    Predicate::Scan(ScanSummary {
        scanner: if version.is_empty() { uri } else { format!("{uri}@{version}") },
        database: Some(database).filter(|database| !database.is_empty()),
        finished_at: super::time(metadata.scan_finished_on),
        counts,
    })
}

/// Our own form.
pub(super) fn read_own(text: &str) -> Result<Predicate, String> {
    super::parse(text).map(Predicate::Scan)
}

fn count<'a>(severities: impl Iterator<Item = &'a str>) -> FindingCounts {
    let mut counts = FindingCounts::default();
    for severity in severities {
        let counter = match severity.to_ascii_lowercase().parse().unwrap_or(Severity::Unknown) {
            Severity::Critical => &mut counts.critical,
            Severity::High => &mut counts.high,
            Severity::Medium => &mut counts.medium,
            Severity::Low | Severity::Negligible => &mut counts.low,
            Severity::Unknown => &mut counts.unknown,
        };
        *counter = counter.saturating_add(1);
    }
    counts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(read: Result<Predicate, String>) -> ScanSummary {
        match read.unwrap() {
            Predicate::Scan(summary) => summary,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_results_of_known_scanners_are_counted() {
        let trivy = summary(read_cosign(
            r#"{"invocation":{},"scanner":{"uri":"pkg:github/aquasecurity/trivy","version":"0.60","db":{"version":"2"},
            "result":{"Results":[{"Target":"x"},{"Vulnerabilities":[{"Severity":"CRITICAL"},{"Severity":"LOW"},{}]}]}},
            "metadata":{"scanStartedOn":"","scanFinishedOn":"2026-01-02T03:04:05Z"}}"#,
        ));
        assert_eq!(trivy.counts.map(|c| (c.critical, c.low, c.unknown)), Some((1, 1, 1)));
        assert_eq!(trivy.scanner, "pkg:github/aquasecurity/trivy@0.60");
        assert_eq!(trivy.database.as_deref(), Some("2"));
        assert_eq!(trivy.finished_at, Some("2026-01-02T03:04:05Z".parse().unwrap()));
        let grype = summary(read_cosign(
            r#"{"scanner":{"uri":"grype","result":{"matches":[{"vulnerability":{"id":"CVE-1","severity":"High"}}]}},"metadata":{}}"#,
        ));
        assert_eq!(grype.counts.map(|c| c.high), Some(1));
    }

    #[test]
    fn the_worst_rating_of_a_finding_counts() {
        let read = summary(read_in_toto(
            r#"{"scanner":{"uri":"trivy","result":[{"id":"CVE-1","severity":[{"method":"nvd","score":"medium"},
            {"method":"cvss_score","score":"9.8"}]},{"id":"CVE-2","severity":[{"method":"x","score":3.1}]},{"id":"CVE-3"}]},
            "metadata":{"scanFinishedOn":"2026-01-02T03:04:05Z"}}"#,
        ));
        assert_eq!(read.counts.map(|c| (c.critical, c.medium, c.low, c.unknown)), Some((1, 0, 1, 1)));
        let silent = summary(read_in_toto(r#"{"scanner":{"uri":"trivy"},"metadata":{}}"#));
        assert_eq!(silent.counts, None);
    }

    #[test]
    fn an_unknown_result_has_no_counts_rather_than_zeroes() {
        for result in ["", r#","result":null"#, r#","result":{"runs":[]}"#] {
            let text = format!(r#"{{"scanner":{{"uri":"x"{result}}},"metadata":{{"scanFinishedOn":"soon"}}}}"#);
            let read = summary(read_cosign(&text));
            assert_eq!((read.counts, read.finished_at), (None, None), "{text}");
        }
    }

    #[test]
    fn our_own_form_survives_its_json() {
        let scan = ScanSummary {
            scanner: "assay".to_owned(),
            database: Some("2026-11-21T05".to_owned()),
            finished_at: Some("2026-11-21T06:00:00Z".parse().unwrap()),
            counts: Some(FindingCounts { high: 2, ..FindingCounts::default() }),
        };
        assert_eq!(summary(read_own(&serde_json::to_string(&scan).unwrap())), scan);
    }
}
