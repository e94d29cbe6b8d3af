//! Writing OpenVEX 0.2.0.

use assay_model::{Digest, Purl, Timestamp, VulnerabilityId};
use serde_json::{Value, json};

use super::Status;

/// The justifications that OpenVEX knows for "not affected" (section "Status Justifications").
const JUSTIFICATIONS: [&str; 5] = [
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
];

/// A statement to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewStatement {
    /// The vulnerability.
    pub vulnerability: VulnerabilityId,
    /// Its other names: whoever applies the document may know it by one of them only.
    pub aliases: Vec<VulnerabilityId>,
    /// Purls or digests of the products.
    pub products: Vec<String>,
    /// Purls of the parts that are meant; empty = the whole products.
    pub subcomponents: Vec<String>,
    /// The verdict.
    pub status: Status,
    /// One of OpenVEX's justifications.
    pub justification: Option<String>,
    /// In your own words: why it has no impact, or what to do about it.
    pub statement: Option<String>,
}

/// A document, as bytes that follow from the statements, author and time alone.
///
/// # Errors
/// A status that lacks what the specification wants with it: a reason for "not affected", an action for "affected", a product.
pub fn write_openvex(statements: &[NewStatement], author: &str, at: Timestamp) -> Result<Vec<u8>, String> {
    let statements: Vec<Value> = statements.iter().map(statement).collect::<Result<_, _>>()?;
    if statements.is_empty() {
        return Err("a document needs a statement".to_owned());
    }
    let mut document = json!({
        "@context": "https://openvex.dev/ns/v0.2.0",
        "@id": "",
        "author": author,
        "timestamp": at.to_string(),
        "version": 1,
        "statements": statements,
    });
    let digest = Digest::of(document.to_string().as_bytes()).to_string();
    let name = format!("https://openvex.dev/docs/public/vex-{}", digest.trim_start_matches("sha256:"));
    if let Some(id) = document.get_mut("@id") {
        *id = json!(name);
    }
    let mut bytes = serde_json::to_vec_pretty(&document).map_err(|error| error.to_string())?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn statement(new: &NewStatement) -> Result<Value, String> {
    if new.products.is_empty() {
        return Err(format!("{}: name a product, or the statement is about nothing", new.vulnerability));
    }
    let known = new.justification.as_deref().is_none_or(|text| JUSTIFICATIONS.contains(&text));
    if !known {
        return Err(format!("the justification is one of {}", JUSTIFICATIONS.join(", ")));
    }
    match new.status {
        Status::NotAffected if new.justification.is_none() && new.statement.is_none() => {
            return Err(format!(
                "{}: `not affected` needs a justification or a statement of the impact",
                new.vulnerability
            ));
        }
        Status::Affected if new.statement.is_none() => {
            return Err(format!("{}: `affected` needs a statement of what to do", new.vulnerability));
        }
        _ if new.justification.is_some() && new.status != Status::NotAffected => {
            return Err("only `not affected` has a justification".to_owned());
        }
        _ => {}
    }
    let component = |id: &String| match image_purl(id) {
        _ if id.starts_with("pkg:") => json!({"@id": id, "identifiers": {"purl": id}}),
        Some(purl) => json!({"@id": id, "identifiers": {"purl": purl.to_string()}}),
        None => json!({"@id": id}),
    };
    let parts: Vec<Value> = new.subcomponents.iter().map(component).collect();
    let products: Vec<Value> = new
        .products
        .iter()
        .map(|id| {
            let mut value = component(id);
            if let Some(map) = value.as_object_mut().filter(|_| !parts.is_empty()) {
                map.insert("subcomponents".to_owned(), json!(parts));
            }
            value
        })
        .collect();
    let mut vulnerability = json!({"name": new.vulnerability});
    if let Some(map) = vulnerability.as_object_mut().filter(|_| !new.aliases.is_empty()) {
        map.insert("aliases".to_owned(), json!(new.aliases));
    }
    let mut value = json!({"vulnerability": vulnerability, "products": products, "status": new.status});
    if let Some(map) = value.as_object_mut() {
        if let Some(text) = &new.justification {
            map.insert("justification".to_owned(), json!(text));
        }
        if let Some(text) = &new.statement {
            let key = if new.status == Status::NotAffected { "impact_statement" } else { "action_statement" };
            map.insert(key.to_owned(), json!(text));
        }
    }
    Ok(value)
}

/// The purl of an image that is named by `REPOSITORY@DIGEST`. Without its repository: others write that differently, and the
/// digest says which image it is.
fn image_purl(id: &str) -> Option<Purl> {
    let (repository, digest) = id.split_once('@')?;
    let digest: Digest = digest.parse().ok()?;
    let name = repository.rsplit('/').next()?.split(':').next()?;
    (!name.is_empty()).then(|| Purl::new("oci", None, name, Some(&digest.to_string())))
}
