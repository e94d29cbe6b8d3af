//! Scans for other programs: SARIF, JUnit XML, Markdown, workflow commands.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use assay_model::{Digest, Severity};
use serde_json::{Value, json};

use super::super::{markdown, sarif, workflow, xml};
use super::fix;
use crate::commands::scan::ScanOutcome;

/// Most results of one run that GitHub's code scanning takes.
const RESULTS_MAX: usize = 25_000;

/// One line of any report.
struct Line {
    id: String,
    severity: Severity,
    /// Whether the scan fails for it.
    fails: bool,
    message: String,
    file: String,
    line: u32,
    /// What stays the same from scan to scan.
    identity: String,
}

fn lines(scan: &ScanOutcome) -> Vec<Line> {
    let vulnerabilities = scan.vulnerabilities.iter().zip(&scan.risks).map(|(finding, risk)| {
        let (vulnerability, package) = (&finding.vulnerability, &finding.package);
        let exploited = if vulnerability.known_exploited.is_some() { ", known to be exploited" } else { "" };
        Line {
            id: vulnerability.id.to_string(),
            severity: vulnerability.severity,
            fails: scan.fails(finding, risk),
            message: format!(
                "{} {} in {} {}, fixed in: {}{exploited}",
                vulnerability.id,
                vulnerability.severity,
                package.name,
                package.version,
                fix(finding)
            ),
            file: package.path.clone(),
            line: 1,
            identity: format!("{}|{}|{}", vulnerability.id, package.purl.without_version(), package.path),
        }
    });
    let secrets = scan.secrets.iter().map(|secret| Line {
        id: secret.rule.clone(),
        severity: secret.severity,
        fails: scan.fails_secret(secret.severity),
        message: format!("{} in {}: {}", secret.rule, secret.file.path, secret.excerpt),
        file: secret.file.path.clone(),
        line: secret.line.max(1),
        identity: format!("{}|{}|{}", secret.rule, secret.file.path, secret.fingerprint),
    });
    vulnerabilities.chain(secrets).collect()
}

pub(super) fn sarif(scan: &ScanOutcome) -> String {
    let mut rules: BTreeMap<String, Value> = BTreeMap::new();
    for finding in &scan.vulnerabilities {
        let vulnerability = &finding.vulnerability;
        let score = vulnerability.score_tenths.map(|tenths| format!("{:.1}", f64::from(tenths) / 10.0));
        rules.entry(vulnerability.id.to_string()).or_insert_with(|| {
            json!({
                "id": vulnerability.id,
                "shortDescription": {"text": if vulnerability.summary.is_empty() { vulnerability.id.as_str() } else { &vulnerability.summary }},
                "properties": {"security-severity": score.unwrap_or_else(|| assumed_score(vulnerability.severity).to_owned()), "tags": ["vulnerability", "security"]},
            })
        });
    }
    for secret in &scan.secrets {
        rules.entry(secret.rule.clone()).or_insert_with(|| {
            json!({
                "id": secret.rule,
                "shortDescription": {"text": format!("a {} is in a file", secret.rule)},
                "properties": {"security-severity": assumed_score(secret.severity), "tags": ["secret", "security"]},
            })
        });
    }
    let result = |line: Line| {
        json!({
            "ruleId": line.id,
            "level": if line.fails { "error" } else if line.severity == Severity::Medium { "warning" } else { "note" },
            "message": {"text": line.message},
            "locations": [{"physicalLocation": {
                "artifactLocation": {"uri": sarif::uri(&line.file)},
                "region": {"startLine": line.line},
            }}],
            "partialFingerprints": {"assay/v1": Digest::of(line.identity.as_bytes()).hex()},
        })
    };
    let results: Vec<_> = lines(scan).into_iter().take(RESULTS_MAX).map(result).collect();
    sarif::log(&rules.into_values().collect::<Vec<_>>(), &results)
}

/// The middle of each band, for findings without a score: code scanning sorts by this number.
fn assumed_score(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "9.5",
        Severity::High => "8.0",
        Severity::Medium => "5.5",
        Severity::Low => "2.0",
        Severity::Negligible | Severity::Unknown => "0.0",
    }
}

pub(super) fn junit(scan: &ScanOutcome) -> String {
    let lines = lines(scan);
    let failures = lines.iter().filter(|line| line.fails).count();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"assay scan\">\n  \
         <testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{}\">\n",
        xml::escape(&scan.target),
        lines.len() + scan.partial.len(),
        scan.partial.len(),
    );
    for line in lines {
        let message = xml::escape(&line.message);
        let _ = write!(
            out,
            "    <testcase classname=\"{}\" name=\"{}\"",
            xml::escape(&line.file),
            xml::escape(&line.identity)
        );
        if line.fails {
            let _ = writeln!(out, "><failure message=\"{message}\"/></testcase>");
        } else {
            let _ = writeln!(out, "><system-out>{message}</system-out></testcase>");
        }
    }
    for partial in &scan.partial {
        let what = xml::escape(&partial.what);
        let _ = writeln!(
            out,
            "    <testcase classname=\"partial\" name=\"{what}\"><error message=\"not read to its end\"/></testcase>"
        );
    }
    out.push_str("  </testsuite>\n</testsuites>\n");
    out
}

pub(super) fn markdown(scan: &ScanOutcome) -> String {
    let counts = scan.counts;
    let mut out = format!(
        "### assay scan: {}\n\n{} critical, {} high, {} medium, {} low, {} unrated; {} known to be exploited; {} secrets\n",
        markdown::cell(&scan.target),
        counts.critical,
        counts.high,
        counts.medium,
        counts.low,
        counts.unknown,
        counts.known_exploited,
        scan.secrets.len(),
    );
    if !scan.vulnerabilities.is_empty() {
        out.push_str("\n| severity | vulnerability | package | version | fixed in |\n|---|---|---|---|---|\n");
    }
    for finding in &scan.vulnerabilities {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {} |",
            finding.vulnerability.severity,
            markdown::cell(finding.vulnerability.id.as_str()),
            markdown::cell(&finding.package.name),
            markdown::cell(&finding.package.version),
            markdown::cell(&fix(finding)),
        );
    }
    if !scan.secrets.is_empty() {
        out.push_str("\n| severity | secret | file |\n|---|---|---|\n");
    }
    for secret in &scan.secrets {
        let file = markdown::cell(&format!("{}:{}", secret.file.path, secret.line));
        let _ = writeln!(out, "| {} | {} | {file} |", secret.severity, markdown::cell(&secret.rule));
    }
    for partial in &scan.partial {
        let _ = writeln!(out, "\nnot read to its end: {}", markdown::cell(&partial.what));
    }
    out
}

pub(super) fn github(scan: &ScanOutcome) -> String {
    let mut out = String::new();
    for line in lines(scan) {
        let level = if line.fails { "error" } else { "warning" };
        out.push_str(&workflow::command(level, &line.file, line.line as usize, 1, &line.id, &line.message));
    }
    out
}

#[cfg(test)]
mod tests;
