//! `assay sbom`: what is in it, as a document, and what can be done with documents.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_inspect::{Limits, inspect_cluster};
use assay_model::{Contents, Timestamp};
use assay_sbom::{
    CycloneDxVersion, Difference, Enriched, Generation, Lifecycle, Root, Sbom, Score, Standard, difference, enrich,
    merge, score,
};
use serde::Serialize;

use super::each::{EachPlatform, OfPlatform};
use super::target::{self, Inspected, Target};
use crate::Result;
use crate::failure::{CliError, read_file};
use crate::session::Session;

/// Which version of its format a document is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SpecVersion {
    /// CycloneDX 1.6 or SPDX 2.3.
    #[default]
    Default,
    /// One of CycloneDX.
    CycloneDx(CycloneDxVersion),
    /// SPDX 2.3.
    Spdx2,
    /// SPDX 3.0.1.
    Spdx3,
}

impl SpecVersion {
    /// The version with this number.
    pub(crate) fn parse(text: &str) -> std::result::Result<Self, String> {
        match text {
            "2.3" => Ok(Self::Spdx2),
            "3.0" | "3.0.1" => Ok(Self::Spdx3),
            other => CycloneDxVersion::parse(other)
                .map(Self::CycloneDx)
                .ok_or_else(|| format!("`{other}` is not written (CycloneDX 1.4 to 1.7, SPDX 2.3 and 3.0.1 are)")),
        }
    }

    /// The version of CycloneDX to write.
    pub(crate) fn cyclonedx(self) -> CycloneDxVersion {
        match self {
            Self::CycloneDx(version) => version,
            _ => CycloneDxVersion::default(),
        }
    }
}

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
    /// Which version of the format.
    #[serde(skip)]
    pub(crate) version: SpecVersion,
    /// What was filled in, for people.
    #[serde(skip)]
    pub(crate) enriched: Option<String>,
}

/// Inspects a target.
pub(crate) fn sbom(target: &Target, version: SpecVersion, session: &Session<'_>) -> Result<SbomOutcome> {
    Ok(listed(target::inspect(target, false, session)?, version))
}

/// Inspects the images of all platforms of an index.
pub(crate) fn sbom_each(
    target: &Target,
    version: SpecVersion,
    session: &Session<'_>,
) -> Result<EachPlatform<SbomOutcome>> {
    let each = target::inspect_each(target, false, session)?;
    let of = |(platform, inspected)| OfPlatform { platform, outcome: listed(inspected, version) };
    Ok(EachPlatform { platforms: each.into_iter().map(of).collect() })
}

fn listed(inspected: Inspected, version: SpecVersion) -> SbomOutcome {
    SbomOutcome {
        target: inspected.name,
        contents: inspected.contents,
        root: inspected.root,
        generation: inspected.generation,
        version,
        enriched: None,
    }
}

/// A document, read from a file.
fn read(file: &Path) -> Result<Sbom> {
    Ok(assay_sbom::read(&read_file(file)?)?)
}

/// A document to write that says what one that was read says: about the same artifact, at the same time.
fn outcome(target: String, document: Sbom, version: SpecVersion) -> Result<SbomOutcome> {
    let now = Timestamp::now();
    let stated = target::stated_time(now)?;
    Ok(SbomOutcome {
        root: document.root(&target),
        generation: Generation {
            tool_version: env!("CARGO_PKG_VERSION"),
            created: if stated == now { document.origin.created.unwrap_or(now) } else { stated },
            lifecycle: document.origin.lifecycle.unwrap_or(Lifecycle::PostBuild),
        },
        contents: Arc::new(document.contents),
        target,
        version,
        enriched: None,
    })
}

/// Reads a document to write it in another format.
pub(crate) fn convert(file: &Path, version: SpecVersion) -> Result<SbomOutcome> {
    outcome(file.display().to_string(), read(file)?, version)
}

/// Makes one document of several.
pub(crate) fn merged(files: &[PathBuf], name: &str, version: SpecVersion) -> Result<SbomOutcome> {
    let documents = files.iter().map(|file| read(file)).collect::<Result<Vec<Sbom>>>()?;
    let contents = merge(&documents);
    let created = documents.iter().filter_map(|document| document.origin.created).max();
    let now = Timestamp::now();
    let stated = target::stated_time(now)?;
    Ok(SbomOutcome {
        target: name.to_owned(),
        contents: Arc::new(contents),
        root: Root::directory(name),
        generation: Generation {
            tool_version: env!("CARGO_PKG_VERSION"),
            created: if stated == now { created.unwrap_or(now) } else { stated },
            lifecycle: Lifecycle::PostBuild,
        },
        version,
        enriched: None,
    })
}

/// Fills in what a document lacks from what targets say: images, directories, other documents.
pub(crate) fn enriched(
    file: &Path,
    from: &[String],
    version: SpecVersion,
    session: &Session<'_>,
) -> Result<SbomOutcome> {
    let mut document = read(file)?;
    let mut all = Enriched::default();
    for target in from {
        let known = target::inspect(&Target::parse(target)?, false, session)?;
        let more = enrich(&mut document.contents, &known.contents);
        all.licences += more.licences;
        all.suppliers += more.suppliers;
        all.digests += more.digests;
        all.others += more.others;
    }
    let words = format!(
        "filled in: {} licences, {} suppliers, {} digests, {} source packages and architectures",
        all.licences, all.suppliers, all.digests, all.others
    );
    Ok(SbomOutcome { enriched: Some(words), ..outcome(file.display().to_string(), document, version)? })
}

/// Lists what a cluster is made of.
pub(crate) fn cluster(files: &[PathBuf], name: &str, version: SpecVersion) -> Result<SbomOutcome> {
    let documents = files.iter().map(|file| Ok(read_file(file)?)).collect::<Result<Vec<Vec<u8>>>>()?;
    let cluster = inspect_cluster(documents.iter().map(Vec::as_slice), &Limits::default())?;
    Ok(SbomOutcome {
        target: name.to_owned(),
        contents: Arc::new(cluster.contents),
        root: Root { version: cluster.version, ..Root::directory(name) },
        generation: Generation {
            tool_version: env!("CARGO_PKG_VERSION"),
            created: target::stated_time(Timestamp::now())?,
            lifecycle: Lifecycle::PostBuild,
        },
        version,
        enriched: None,
    })
}

/// What changed between two targets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DiffOutcome {
    /// The first.
    pub(crate) before: String,
    /// The second.
    pub(crate) after: String,
    /// What changed.
    #[serde(flatten)]
    pub(crate) difference: Difference,
}

/// Says what changed between two targets, documents or not.
pub(crate) fn diff(before: &str, after: &str, session: &Session<'_>) -> Result<DiffOutcome> {
    let old = target::inspect(&Target::parse(before)?, false, session)?;
    let new = target::inspect(&Target::parse(after)?, false, session)?;
    Ok(DiffOutcome { before: old.name, after: new.name, difference: difference(&old.contents, &new.contents) })
}

/// A document against what authorities ask for.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ScoreOutcome {
    /// The document.
    pub(crate) target: String,
    /// Its format.
    pub(crate) format: &'static str,
    /// The format's version.
    pub(crate) version: String,
    /// One for each standard.
    pub(crate) scores: Vec<Score>,
    /// The least that is accepted of each, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fail_under: Option<u32>,
}

impl ScoreOutcome {
    /// Whether each score reaches what is asked for.
    pub(crate) fn passes(&self) -> bool {
        self.fail_under.is_none_or(|least| self.scores.iter().all(|score| score.percent >= least))
    }
}

/// Holds a document against the standards that are asked for, all where none is.
pub(crate) fn scored(file: &Path, standards: &[Standard], fail_under: Option<u32>) -> Result<ScoreOutcome> {
    if fail_under.is_some_and(|least| least > 100) {
        return Err(CliError::Usage {
            message: "a score is 100 at most".to_owned(),
            next: "--fail-under 90".to_owned(),
        }
        .into());
    }
    let document = read(file)?;
    let standards = if standards.is_empty() { &Standard::ALL[..] } else { standards };
    Ok(ScoreOutcome {
        target: file.display().to_string(),
        format: document.format.name(),
        version: document.version.clone(),
        scores: standards.iter().map(|standard| score(&document, *standard)).collect(),
        fail_under,
    })
}
