//! What a command is pointed at, and what is in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_case::{Cause, Known};
use assay_gather::Wanted;
use assay_inspect::Limits;
use assay_model::{Contents, Findings, Timestamp};
use assay_oci::ImageSource;
use assay_sbom::{Generation, Lifecycle, Root};

use super::database;
use crate::Result;
use crate::failure::{CliError, Failure, read_file};
use crate::session::Session;
use crate::variables;

/// What a command is pointed at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A folder.
    Directory(PathBuf),
    /// A single file, for example a lockfile.
    File(PathBuf),
    /// An SBOM.
    Sbom(PathBuf),
    /// An image, in a registry or on disk.
    Image(ImageSource),
}

impl Target {
    /// Reads a target as typed: a scheme first, then a path that exists, then an image reference.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let path = |text: &str| PathBuf::from(text);
        if let Some(rest) = text.strip_prefix("dir:") {
            return Ok(Self::Directory(path(rest)));
        }
        if let Some(rest) = text.strip_prefix("sbom:") {
            return Ok(Self::Sbom(path(rest)));
        }
        let written = path(text);
        if written.is_dir() {
            return Ok(Self::Directory(written));
        }
        if written.is_file() {
            return Ok(if is_sbom(&written) { Self::Sbom(written) } else { Self::File(written) });
        }
        Ok(Self::Image(text.parse()?))
    }
}

/// Whether a file says of itself that it is CycloneDX or SPDX JSON.
fn is_sbom(path: &Path) -> bool {
    use std::io::Read as _;
    let mut start = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start));
    let text = String::from_utf8_lossy(&start);
    read.is_ok()
        && text.trim_start().starts_with('{')
        && (text.contains("\"bomFormat\"") || text.contains("\"spdxVersion\""))
}

/// What is in a target.
#[derive(Debug)]
pub(crate) struct Inspected {
    /// Its name for people.
    pub(crate) name: String,
    /// The root of documents about it.
    pub(crate) root: Root,
    /// What is in it.
    pub(crate) contents: Arc<Contents>,
    /// What the pack says about that, if it was asked.
    pub(crate) findings: Option<Known<Arc<Findings>>>,
    /// How documents about it come to be.
    pub(crate) generation: Generation<'static>,
}

/// Inspects a target, and matches what is in it.
pub(crate) fn inspect(target: &Target, vulnerabilities: bool, session: &Session<'_>) -> Result<Inspected> {
    let (settings, printer) = (session.settings, session.printer);
    let now = Timestamp::now();
    let limits = Limits::default();
    let (path, contents, lifecycle) = match target {
        Target::Directory(path) => {
            printer.progress(&format!("reading {}", path.display()));
            (path, assay_inspect::inspect_directory(path, &limits)?, Lifecycle::PreBuild)
        }
        Target::File(path) => (path, assay_inspect::inspect_file(path, &limits)?, Lifecycle::PreBuild),
        Target::Image(image) => return inspect_image(image, vulnerabilities, session),
        Target::Sbom(path) => (path, assay_sbom::read(&read_file(path)?)?.contents, Lifecycle::PostBuild),
    };
    let findings = if vulnerabilities {
        let pack = database::open(settings.pack.value.as_deref())?;
        Some(Known::new(Arc::new(pack.match_contents(&contents, now)?), now))
    } else {
        None
    };
    let name = path.display().to_string();
    let root = Root::directory(&name);
    let generation = Generation { tool_version: env!("CARGO_PKG_VERSION"), created: stated_time(now)?, lifecycle };
    Ok(Inspected { name, root, contents: Arc::new(contents), findings, generation })
}

fn inspect_image(image: &ImageSource, vulnerabilities: bool, session: &Session<'_>) -> Result<Inspected> {
    let gatherer = session.gatherer(Vec::new(), session.existing_store()?)?;
    let platforms = session.settings.platform.value.iter().cloned().collect();
    let wanted = Wanted { platforms, evidence: false, ..Wanted::default() };
    session.printer.progress(&format!("reading {image}"));
    let facts = session.facts(&gatherer, image, &wanted)?;
    let facts = facts.get().map_err(|cause| Failure::from_cause(cause).about(image))?;
    let Some(facts) = facts.first() else {
        return Err(Failure::from_cause(&Cause::new("platform-not-found", "there is no image in it")).about(image));
    };
    let contents = facts.contents.get().map_err(|cause| Failure::from_cause(cause).about(image))?;
    let tag = match image {
        ImageSource::Registry(reference) => reference.effective_tag(),
        _ => None,
    };
    let created = match variables::read(variables::SOURCE_DATE_EPOCH) {
        Some(_) => stated_time(Timestamp::now())?,
        None => contents.config.created.unwrap_or_else(Timestamp::now),
    };
    Ok(Inspected {
        name: image.to_string(),
        root: Root::image(&facts.subject.repository, facts.subject.digest, tag),
        contents: Arc::clone(contents),
        findings: vulnerabilities.then(|| facts.findings.clone()),
        generation: Generation { tool_version: env!("CARGO_PKG_VERSION"), created, lifecycle: Lifecycle::PostBuild },
    })
}

/// The time that documents state: the one that was set, so that a build can be repeated, or now.
pub(super) fn stated_time(now: Timestamp) -> Result<Timestamp> {
    let Some(text) = variables::read(variables::SOURCE_DATE_EPOCH) else { return Ok(now) };
    let time = text.parse().ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    let wrong = || CliError::Setting {
        origin: variables::SOURCE_DATE_EPOCH.to_owned(),
        message: format!("`{text}` is not a number of seconds since 1970"),
        suggestion: None,
    };
    Ok(time.ok_or_else(wrong)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_decides_else_what_the_path_is() {
        let folder = tempfile::tempdir().unwrap();
        let sbom = folder.path().join("a.json");
        std::fs::write(&sbom, "{\"bomFormat\": \"CycloneDX\"}").unwrap();
        let lock = folder.path().join("Cargo.lock");
        std::fs::write(&lock, "version = 4\n").unwrap();
        let parse = |path: &Path| Target::parse(path.to_str().unwrap()).unwrap();
        assert_eq!(parse(folder.path()), Target::Directory(folder.path().into()));
        assert_eq!(parse(&sbom), Target::Sbom(sbom.clone()));
        assert_eq!(parse(&lock), Target::File(lock));
        assert!(matches!(Target::parse("nginx:1").unwrap(), Target::Image(ImageSource::Registry(_))));
        assert!(matches!(Target::parse("oci:x:1").unwrap(), Target::Image(ImageSource::Layout { .. })));
        assert!(Target::parse("No Image").is_err());
        assert_eq!(Target::parse("dir:x").unwrap(), Target::Directory("x".into()));
        assert_eq!(Target::parse("sbom:x").unwrap(), Target::Sbom("x".into()));
    }
}
