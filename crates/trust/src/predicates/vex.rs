//! OpenVEX documents (OpenVEX specification 0.2.0; the string forms of 0.0.1 are read too).

use assay_model::VulnerabilityId;
use serde::Deserialize;

use crate::statement::{object, objects};
use crate::{Predicate, VexStatement, VexStatus};

/// Statements of one document.
const STATEMENTS_MAX: usize = 100_000;

#[derive(Deserialize)]
struct Document {
    #[serde(deserialize_with = "objects")]
    statements: Vec<Statement>,
}

#[derive(Deserialize)]
struct Statement {
    vulnerability: Vulnerability,
    #[serde(default)]
    products: Vec<Component>,
    #[serde(default)]
    subcomponents: Vec<Component>,
    status: VexStatus,
    #[serde(default)]
    justification: Option<String>,
    #[serde(default)]
    impact_statement: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vulnerability {
    Name(String),
    Object {
        #[serde(default)]
        name: String,
        #[serde(default, rename = "@id")]
        id: String,
        #[serde(default)]
        aliases: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Component {
    Id(String),
    Object {
        #[serde(default, rename = "@id")]
        id: Option<String>,
        #[serde(default, deserialize_with = "object")]
        identifiers: Identifiers,
        #[serde(default)]
        subcomponents: Vec<Component>,
    },
}

#[derive(Default, Deserialize)]
struct Identifiers {
    #[serde(default)]
    purl: Option<String>,
}

impl Component {
    fn identifier(&self) -> Result<String, String> {
        let found = match self {
            Self::Id(id) => Some(id),
            Self::Object { id, identifiers, .. } => identifiers.purl.as_ref().or(id.as_ref()),
        };
        // A component that cannot be named would widen the statement to everything if it were left out.
        found.filter(|id| !id.is_empty()).cloned().ok_or_else(|| "a component without an identifier".to_owned())
    }

    fn parts(&self) -> &[Self] {
        match self {
            Self::Id(_) => &[],
            Self::Object { subcomponents, .. } => subcomponents,
        }
    }
}

/// Reads a document.
pub(super) fn read(text: &str) -> Result<Predicate, String> {
    let document: Document = super::parse(text)?;
    if document.statements.len() > STATEMENTS_MAX {
        return Err(format!("{} statements, at most {STATEMENTS_MAX} are read", document.statements.len()));
    }
    let statements = document.statements.iter().map(statement).collect::<Result<_, _>>()?;
    Ok(Predicate::Vex { statements })
}

fn statement(statement: &Statement) -> Result<VexStatement, String> {
    let names: Vec<&str> = match &statement.vulnerability {
        Vulnerability::Name(name) => vec![name],
        Vulnerability::Object { name, id, aliases } => {
            let own = if name.is_empty() { id.rsplit('/').next().unwrap_or(id) } else { name };
            std::iter::once(own).chain(aliases.iter().map(String::as_str)).collect()
        }
    };
    let vulnerabilities = names.into_iter().map(str::parse).collect::<Result<Vec<VulnerabilityId>, _>>()?;
    let subcomponents = statement.products.iter().flat_map(Component::parts).chain(&statement.subcomponents);
    Ok(VexStatement {
        vulnerabilities,
        products: statement.products.iter().map(Component::identifier).collect::<Result<_, _>>()?,
        subcomponents: subcomponents.map(Component::identifier).collect::<Result<_, _>>()?,
        status: statement.status,
        justification: statement.justification.clone().or_else(|| statement.impact_statement.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn statements(text: &str) -> Vec<VexStatement> {
        match read(text).unwrap() {
            Predicate::Vex { statements } => statements,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_forms_of_the_format_are_read() {
        let new = statements(
            r#"{"statements":[{"vulnerability":{"name":"CVE-2026-1","aliases":["GHSA-a"]},"products":[{"@id":"pkg:oci/a",
            "subcomponents":[{"@id":"x","identifiers":{"purl":"pkg:deb/debian/zlib1g"}}]}],
            "status":"not_affected","justification":"vulnerable_code_not_in_execute_path"}]}"#,
        );
        assert_eq!(new[0].vulnerabilities.len(), 2);
        assert_eq!(new[0].products, ["pkg:oci/a"]);
        assert_eq!(new[0].subcomponents, ["pkg:deb/debian/zlib1g"]);
        assert_eq!(new[0].status, VexStatus::NotAffected);
        let old =
            statements(r#"{"statements":[{"vulnerability":"cve-2026-1","products":["pkg:a/b"],"status":"fixed"}]}"#);
        assert_eq!(old[0].vulnerabilities[0].as_str(), "CVE-2026-1");
    }

    #[test]
    fn what_would_widen_a_statement_is_refused() {
        let nameless = r#"{"statements":[{"vulnerability":"CVE-2026-1","products":[{}],"status":"not_affected"}]}"#;
        assert!(read(nameless).is_err());
        let odd = r#"{"statements":[{"vulnerability":"CVE-2026-1","status":"fine"}]}"#;
        assert!(read(odd).is_err());
    }
}
