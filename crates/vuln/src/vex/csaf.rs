//! CSAF 2.0, profile VEX (OASIS, csaf-v2.0, section 4.5): status lists of product identifiers, and the purls behind them.

use std::collections::BTreeMap;

use assay_model::VulnerabilityId;
use serde_json::Value;

use super::{Product, Statement, Status};

/// Deepest nesting of branches.
const MAX_DEPTH: usize = 32;

const STATUSES: [(&str, Status); 7] = [
    ("known_not_affected", Status::NotAffected),
    ("fixed", Status::Fixed),
    ("first_fixed", Status::Fixed),
    ("known_affected", Status::Affected),
    ("first_affected", Status::Affected),
    ("last_affected", Status::Affected),
    ("under_investigation", Status::UnderInvestigation),
];

pub(super) fn statements(json: Value) -> Result<Vec<Statement>, String> {
    let products = products(&json)?;
    let tracking = json.get("document").and_then(|document| document.get("tracking"));
    let time = tracking.and_then(|tracking| text(tracking, "current_release_date")).unwrap_or_default();
    let mut statements = Vec::new();
    for vulnerability in list(&json, "vulnerabilities") {
        let cve = text(vulnerability, "cve");
        let ids = list(vulnerability, "ids").iter().filter_map(|id| text(id, "text"));
        let names: Vec<VulnerabilityId> = cve.into_iter().chain(ids).filter_map(|name| name.parse().ok()).collect();
        if names.is_empty() {
            return Err("a vulnerability has neither a CVE nor another identifier".to_owned());
        }
        for (key, status) in STATUSES {
            let Some(listed) = vulnerability.get("product_status").and_then(|lists| lists.get(key)) else { continue };
            for id in listed.as_array().into_iter().flatten().filter_map(Value::as_str) {
                let Some(product) = products.get(id) else { continue };
                let says = |entry: &&Value| list(entry, "product_ids").iter().any(|other| other.as_str() == Some(id));
                let flag = list(vulnerability, "flags").iter().find(says).and_then(|flag| text(flag, "label"));
                let impact = || {
                    let threats = list(vulnerability, "threats").iter();
                    threats
                        .filter(|threat| text(threat, "category") == Some("impact"))
                        .find(says)
                        .and_then(|threat| text(threat, "details"))
                };
                statements.push(Statement {
                    vulnerabilities: names.clone(),
                    products: vec![product.clone()],
                    status,
                    justification: flag.or_else(impact).map(str::to_owned),
                    timestamp: time.to_owned(),
                });
            }
        }
    }
    Ok(statements)
}

/// Products by identifier. A component of a product that has no purl (a distribution's release, known by its CPE) is meant
/// wherever it is found: its own purl says whose it is.
fn products(json: &Value) -> Result<BTreeMap<String, Product>, String> {
    let mut purls: BTreeMap<&str, &str> = BTreeMap::new();
    let empty = Value::Null;
    let tree = json.get("product_tree").unwrap_or(&empty);
    let mut stack: Vec<(&Value, usize)> = list(tree, "branches").iter().map(|branch| (branch, 0)).collect();
    let mut found: Vec<&Value> = list(tree, "full_product_names").iter().collect();
    while let Some((branch, depth)) = stack.pop() {
        if depth > MAX_DEPTH {
            return Err("branches are nested too deep".to_owned());
        }
        found.extend(branch.get("product"));
        stack.extend(list(branch, "branches").iter().map(|branch| (branch, depth + 1)));
    }
    for product in found {
        let purl = product.get("product_identification_helper").and_then(|helper| text(helper, "purl"));
        if let (Some(id), Some(purl)) = (text(product, "product_id"), purl) {
            purls.insert(id, purl);
        }
    }
    let whole = |purl: &str| Product { id: purl.to_owned(), subcomponents: Vec::new() };
    let mut products: BTreeMap<String, Product> =
        purls.iter().map(|(id, purl)| ((*id).to_owned(), whole(purl))).collect();
    for relationship in list(tree, "relationships") {
        let part = text(relationship, "product_reference").and_then(|id| purls.get(id));
        let of = text(relationship, "relates_to_product_reference").and_then(|id| purls.get(id));
        let id = relationship.get("full_product_name").and_then(|product| text(product, "product_id"));
        let (Some(part), Some(id)) = (part, id) else { continue };
        let product = match of {
            Some(of) => Product { id: (*of).to_owned(), subcomponents: vec![(*part).to_owned()] },
            None => whole(part),
        };
        products.insert(id.to_owned(), product);
    }
    Ok(products)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key).and_then(Value::as_str)
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}
