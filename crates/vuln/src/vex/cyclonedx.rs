//! CycloneDX 1.4 to 1.7: `vulnerabilities[].analysis`, about components of this or another document.

use std::collections::BTreeMap;

use assay_model::VulnerabilityId;
use serde_json::Value;

use super::{Product, Statement, Status};

/// Deepest nesting of components.
const MAX_DEPTH: usize = 64;

pub(super) fn statements(json: Value) -> Result<Vec<Statement>, String> {
    let names = names(&json)?;
    let subject = json.pointer("/metadata/component");
    let subject_reference = subject.and_then(|component| text(component, "bom-ref"));
    let time = json.pointer("/metadata/timestamp").and_then(Value::as_str).unwrap_or_default();
    let mut statements = Vec::new();
    for vulnerability in list(&json, "vulnerabilities") {
        let Some(analysis) = vulnerability.get("analysis") else { continue };
        let status = match text(analysis, "state").unwrap_or_default() {
            "not_affected" | "false_positive" => Status::NotAffected,
            "resolved" | "resolved_with_pedigree" => Status::Fixed,
            "exploitable" => Status::Affected,
            "in_triage" => Status::UnderInvestigation,
            other => return Err(format!("`{other}` is no state of an analysis")),
        };
        let references = list(vulnerability, "references").iter().filter_map(|reference| text(reference, "id"));
        let ids = text(vulnerability, "id").into_iter().chain(references);
        let vulnerabilities: Vec<VulnerabilityId> = ids.filter_map(|id| id.parse().ok()).collect();
        if vulnerabilities.is_empty() {
            return Err("a vulnerability has no identifier".to_owned());
        }
        let false_positive = || (text(analysis, "state") == Some("false_positive")).then_some("false positive");
        let justification =
            text(analysis, "justification").or_else(|| text(analysis, "detail")).or_else(false_positive);
        let products = list(vulnerability, "affects").iter().filter_map(|affected| {
            let reference = text(affected, "ref")?;
            // A BOM-Link to a component of another document: urn:cdx:SERIAL/VERSION#REF
            let local = reference
                .rsplit_once('#')
                .filter(|_| reference.starts_with("urn:cdx:"))
                .map_or(reference, |(_, local)| local);
            let id = names.get(local).map_or(local, |name| name);
            Some(Product { id: id.to_owned(), subcomponents: Vec::new() })
        });
        let stamp = text(analysis, "lastUpdated").or_else(|| text(vulnerability, "updated")).unwrap_or(time);
        statements.push(Statement {
            vulnerabilities,
            products: products.filter(|product| Some(product.id.as_str()) != subject_reference).collect(),
            status,
            justification: justification.filter(|text| !text.trim().is_empty()).map(str::to_owned),
            timestamp: stamp.to_owned(),
        });
    }
    Ok(statements)
}

/// Purls of components by reference, those inside others too.
fn names(json: &Value) -> Result<BTreeMap<String, String>, String> {
    let mut names = BTreeMap::new();
    let mut stack: Vec<(&Value, usize)> = list(json, "components").iter().map(|component| (component, 0)).collect();
    stack.extend(json.pointer("/metadata/component").map(|component| (component, 0)));
    while let Some((component, depth)) = stack.pop() {
        if depth > MAX_DEPTH {
            return Err("components are nested too deep".to_owned());
        }
        if let (Some(reference), Some(purl)) = (text(component, "bom-ref"), text(component, "purl")) {
            names.insert(reference.to_owned(), purl.to_owned());
        }
        stack.extend(list(component, "components").iter().map(|component| (component, depth + 1)));
    }
    Ok(names)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
