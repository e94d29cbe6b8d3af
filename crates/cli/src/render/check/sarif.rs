//! SARIF 2.1.0 (OASIS, sarif-v2.1.0-os): one run, a rule for each control, a result for each denial and warning.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::super::sarif;
use super::described;
use crate::commands::check::CheckOutcome;

/// Most results of one run that GitHub's code scanning takes.
const RESULTS_MAX: usize = 25_000;

/// The log.
pub(super) fn write(outcome: &CheckOutcome) -> String {
    let mut rules = BTreeSet::new();
    let mut results = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for object in &outcome.objects {
        for found in object.verdict.outcomes.iter().filter(|found| found.denies() || found.warns()) {
            if results.len() >= RESULTS_MAX {
                break;
            }
            rules.insert(found.control.to_string());
            let mark = object.mark(found);
            let region = match mark {
                Some(mark) => json!({
                    "startLine": mark.line, "startColumn": mark.column, "endColumn": mark.column + mark.length,
                    "snippet": {"text": mark.text},
                }),
                None => json!({"startLine": object.line}),
            };
            // What stays the same when lines move: the object, the container, the control, what was found.
            let identity = format!(
                "{}|{}|{}|{}|{}",
                object.verdict.workload,
                found.target.name,
                found.control,
                found.vulnerabilities.join(","),
                found.packages.join(","),
            );
            let fingerprint = assay_model::Digest::of(identity.as_bytes()).hex();
            let again = seen.entry(fingerprint.clone()).or_default();
            *again += 1;
            results.push(json!({
                "ruleId": found.control,
                "level": if found.denies() { "error" } else { "warning" },
                "message": {"text": format!("{}: {}", described(object, found), found.message)},
                "locations": [{"physicalLocation": {
                    "artifactLocation": {"uri": sarif::uri(&object.file)},
                    "region": region,
                }}],
                "partialFingerprints": {"assay/v1": format!("{fingerprint}:{again}")},
                "properties": {
                    "environment": object.verdict.environment, "outcome": found.outcome, "action": found.action,
                    "fix": found.fix,
                },
            }));
        }
    }
    sarif::log(&rules.into_iter().map(rule).collect::<Vec<_>>(), &results)
}

fn rule(id: String) -> Value {
    json!({
        "id": id,
        "shortDescription": {"text": format!("assay.dev control {id}")},
        "help": {"text": format!("assay policy explain {id}")},
    })
}
