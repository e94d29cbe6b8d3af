//! `assay vex`: what you say about vulnerabilities in your own product.

use assay_model::{Timestamp, VulnerabilityId};
use assay_vuln::vex::{NewStatement, Status, write_openvex};
use serde::Serialize;

use super::database;
use crate::Result;
use crate::failure::CliError;
use crate::session::Session;

/// What is to be said.
#[derive(Debug)]
pub(crate) struct VexOptions {
    /// The vulnerability.
    pub(crate) vulnerability: VulnerabilityId,
    /// The products.
    pub(crate) products: Vec<String>,
    /// Parts of them.
    pub(crate) subcomponents: Vec<String>,
    /// The verdict.
    pub(crate) status: Status,
    /// One of OpenVEX's justifications.
    pub(crate) justification: Option<String>,
    /// In your own words.
    pub(crate) statement: Option<String>,
    /// Who says so.
    pub(crate) author: String,
}

/// A document that was written.
#[derive(Debug, Serialize)]
pub(crate) struct VexOutcome {
    /// The OpenVEX document.
    pub(crate) document: serde_json::Value,
    /// Its bytes.
    #[serde(skip)]
    pub(crate) text: String,
}

/// Writes a document. Under which other names the vulnerability is known says the data in use.
pub(crate) fn create(options: VexOptions, session: &Session<'_>) -> Result<VexOutcome> {
    let usage = |message: String| CliError::Usage { message, next: "see: assay vex create --help".to_owned() };
    let pack = database::open(session.settings.pack.value.as_deref())?;
    let known = pack.advisories(options.vulnerability.as_str())?.into_iter();
    let names = known.flat_map(|advisory| {
        std::iter::once(advisory.vulnerability.id).chain(advisory.vulnerability.aliases).collect::<Vec<_>>()
    });
    let mut aliases: Vec<VulnerabilityId> = names.filter(|name| *name != options.vulnerability).collect();
    aliases.sort();
    aliases.dedup();
    let new = NewStatement {
        vulnerability: options.vulnerability,
        aliases,
        products: options.products,
        subcomponents: options.subcomponents,
        status: options.status,
        justification: options.justification,
        statement: options.statement,
    };
    let now = super::target::stated_time(Timestamp::now())?;
    let bytes = write_openvex(&[new], &options.author, now).map_err(usage)?;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let document = serde_json::from_str(&text).unwrap_or_default();
    Ok(VexOutcome { document, text })
}
