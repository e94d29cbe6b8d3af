//! Pipelines: workflows and actions of GitHub, pipelines of GitLab.
//!
//! Read as YAML 1.2 with merges, never run: a value that another file makes is not followed.

mod expression;
mod github;
mod gitlab;
mod publishing;

use std::ops::Range;

use assay_yaml::{Dialect, Document, Marked};

use crate::error::LintError;
use crate::report::Report;
use crate::rule::Rule;

/// Largest pipeline that is read, in bytes.
pub const PIPELINE_BYTES_MAX: usize = 4 << 20;

/// An image or an action that a pipeline names, for pinning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineImage {
    /// The image, without `docker://`.
    pub written: String,
    /// Its bytes in the file.
    pub bytes: Range<usize>,
}

/// An action or workflow of another repository that a workflow of GitHub uses, for pinning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsedAction {
    /// `owner/name`.
    pub repository: String,
    /// What stands behind the `@`: a tag, a branch or a commit.
    pub version: String,
    /// Its bytes in the file.
    pub bytes: Range<usize>,
}

impl UsedAction {
    /// Whether the version is a commit, which nobody can move.
    pub fn is_pinned(&self) -> bool {
        github::is_commit(&self.version)
    }
}

pub(crate) fn rules() -> impl Iterator<Item = &'static Rule> {
    github::rules().chain(gitlab::rules())
}

pub(crate) fn lint_github(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Report, LintError> {
    let documents = read(text)?;
    let found = documents.first().map(|document| github::lint(&document.root, text)).unwrap_or_default();
    Ok(Report::new(text, found, &[], known))
}

pub(crate) fn lint_gitlab(text: &str, known: &dyn Fn(&str) -> bool) -> Result<Report, LintError> {
    let documents = read(text)?;
    // A file of a component has its inputs in a document of their own, in front.
    let found = documents.last().map(|document| gitlab::lint(&document.root, text)).unwrap_or_default();
    Ok(Report::new(text, found, &[], known))
}

/// The container images that a pipeline of GitHub or GitLab runs, where a digest can be written behind them: those made of
/// variables are left out.
pub fn pipeline_images(text: &str) -> Result<Vec<PipelineImage>, LintError> {
    let documents = read(text)?;
    let mut found = Vec::new();
    for document in &documents {
        let images = if document.root.get("jobs").is_some() || document.root.get("runs").is_some() {
            github::images(&document.root)
        } else {
            gitlab::images(&document.root)
        };
        for (image, value) in images {
            let raw = text.get(value.place.start..value.place.end).unwrap_or_default();
            let written = image.strip_prefix("docker://").unwrap_or(&image);
            if let Some(at) = raw.find(written).filter(|_| !written.contains('$')) {
                let start = value.place.start + at;
                found.push(PipelineImage { written: written.to_owned(), bytes: start..start + written.len() });
            }
        }
    }
    found.sort_by_key(|image| image.bytes.start);
    found.dedup();
    Ok(found)
}

/// The actions and workflows of other repositories that a workflow or an action of GitHub uses.
pub fn used_actions(text: &str) -> Result<Vec<UsedAction>, LintError> {
    let mut found = Vec::new();
    for document in &read(text)? {
        for value in github::uses_values(&document.root) {
            let uses = value.text().filter(|uses| !uses.starts_with('.') && !uses.starts_with("docker://"));
            let Some((name, version)) = uses.and_then(|uses| uses.split_once('@')) else { continue };
            let mut parts = name.split('/');
            let (Some(owner), Some(repository)) = (parts.next(), parts.next()) else { continue };
            let is_name = |word: &str| {
                !word.is_empty()
                    && !word.starts_with(['-', '.'])
                    && word
                        .bytes()
                        .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'/'))
            };
            let raw = text.get(value.place.start..value.place.end).unwrap_or_default();
            let at = raw.find(&format!("{name}@{version}")).map(|at| value.place.start + at + name.len() + 1);
            if let Some(start) = at.filter(|_| [owner, repository, version].iter().all(|word| is_name(word))) {
                found.push(UsedAction {
                    repository: format!("{owner}/{repository}"),
                    version: version.to_owned(),
                    bytes: start..start + version.len(),
                });
            }
        }
    }
    found.sort_by_key(|action| action.bytes.start);
    Ok(found)
}

fn read(text: &str) -> Result<Vec<Document<'_>>, LintError> {
    Ok(assay_yaml::parse(text, Dialect::Core)?)
}

/// The bytes of a value, to be marked: of a list or an object, where it begins.
fn bytes(value: &Marked<'_>) -> Range<usize> {
    value.place.start..value.place.end.max(value.place.start)
}

/// A text, or each text of a list.
fn texts<'m, 't>(value: Option<&'m Marked<'t>>) -> Vec<(&'m str, &'m Marked<'t>)> {
    let Some(value) = value else { return Vec::new() };
    let items = if value.text().is_some() { std::slice::from_ref(value) } else { value.items() };
    items.iter().filter_map(|item| Some((item.text()?, item))).collect()
}

/// Whether an image lacks a digest; one that is made of variables is not known.
fn is_unpinned(image: &str) -> bool {
    !image.contains("@sha256:") && !image.contains("@sha512:") && !image.contains('$') && !image.is_empty()
}
