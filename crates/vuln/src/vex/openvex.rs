//! OpenVEX 0.2.0 (openvex.dev/ns), and the plain strings of 0.0.x.

use assay_model::VulnerabilityId;
use serde::Deserialize;
use serde_json::Value;

use super::{Product, Statement, Status};

#[derive(Deserialize)]
struct Document {
    #[serde(default)]
    timestamp: String,
    #[serde(default)]
    last_updated: Option<String>,
    statements: Vec<Entry>,
}

#[derive(Deserialize)]
struct Entry {
    vulnerability: Value,
    #[serde(default)]
    products: Vec<Value>,
    #[serde(default)]
    subcomponents: Vec<Value>,
    status: Status,
    #[serde(default)]
    justification: Option<String>,
    #[serde(default)]
    impact_statement: Option<String>,
    #[serde(default)]
    timestamp: Option<String>,
    #[serde(default)]
    last_updated: Option<String>,
}

pub(super) fn statements(json: Value) -> Result<Vec<Statement>, String> {
    let document: Document = serde_json::from_value(json).map_err(|error| error.to_string())?;
    let time = document.last_updated.unwrap_or(document.timestamp);
    document
        .statements
        .into_iter()
        .map(|entry| {
            let parts: Vec<String> = entry.subcomponents.iter().map(identifier).collect::<Result<_, _>>()?;
            let products = entry.products.iter().map(|value| {
                let own = value.get("subcomponents").and_then(Value::as_array);
                let mut subcomponents: Vec<String> =
                    own.into_iter().flatten().map(identifier).collect::<Result<_, _>>()?;
                subcomponents.extend(parts.iter().cloned());
                Ok(Product { id: identifier(value)?, subcomponents })
            });
            Ok(Statement {
                vulnerabilities: names(&entry.vulnerability)?,
                products: products.collect::<Result<_, String>>()?,
                status: entry.status,
                justification: entry.justification.or(entry.impact_statement).filter(|text| !text.trim().is_empty()),
                timestamp: entry.last_updated.or(entry.timestamp).unwrap_or_else(|| time.clone()),
            })
        })
        .collect()
}

/// The purl of a component, else its name. One without either would widen the statement, and is an error.
fn identifier(value: &Value) -> Result<String, String> {
    let text = |value: Option<&Value>| value.and_then(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned);
    let purl = value.get("identifiers").and_then(|identifiers| text(identifiers.get("purl")));
    let hash = || {
        let sha = value.get("hashes").and_then(|hashes| hashes.get("sha-256").or_else(|| hashes.get("sha256")));
        text(sha).map(|hash| format!("sha256:{hash}"))
    };
    purl.or_else(|| text(Some(value)))
        .or_else(|| text(value.get("@id")))
        .or_else(hash)
        .ok_or_else(|| "a product or subcomponent has no identifier".to_owned())
}

fn names(value: &Value) -> Result<Vec<VulnerabilityId>, String> {
    let mut names: Vec<&str> = value.as_str().into_iter().collect();
    if let Some(name) = value.get("name").and_then(Value::as_str) {
        names.push(name);
    } else if let Some(id) = value.get("@id").and_then(Value::as_str) {
        names.push(id.rsplit('/').next().unwrap_or(id));
    }
    names.extend(value.get("aliases").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str));
    if names.is_empty() {
        return Err("a statement names no vulnerability".to_owned());
    }
    names.into_iter().map(str::parse).collect()
}
