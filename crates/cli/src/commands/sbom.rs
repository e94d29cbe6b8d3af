//! `assay sbom`: what is in it, as a document.

use std::path::PathBuf;
use std::sync::Arc;

use assay_model::Contents;
use assay_sbom::{Generation, Root};
use serde::Serialize;

use super::target::{self, Target};
use crate::Result;
use crate::session::Session;

/// Contents that can be written as a document.
#[derive(Debug, Serialize)]
pub(crate) struct SbomOutcome {
    /// What was inspected, for people.
    pub(crate) target: String,
    /// What is in it.
    #[serde(flatten)]
    pub(crate) contents: Arc<Contents>,
    /// The root of the document.
    #[serde(skip)]
    pub(crate) root: Root,
    /// How it came to be.
    #[serde(skip)]
    pub(crate) generation: Generation<'static>,
}

/// Inspects a target.
pub(crate) fn sbom(target: &Target, session: &Session<'_>) -> Result<SbomOutcome> {
    let inspected = target::inspect(target, false, session)?;
    Ok(SbomOutcome {
        target: inspected.name,
        contents: inspected.contents,
        root: inspected.root,
        generation: inspected.generation,
    })
}

/// Reads a document to write it in another format.
pub(crate) fn convert(file: PathBuf, session: &Session<'_>) -> Result<SbomOutcome> {
    sbom(&Target::Sbom(file), session)
}
