//! What a command is pointed at, and what is in it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_case::{Cause, Facts, Known};
use assay_gather::Wanted;
use assay_inspect::{ANALYSER, DirectoryOptions, SecretRules};
use assay_model::{BaseImage, Contents, Findings, Platform, Timestamp};
use assay_oci::{ImageSource, Manifest, Source};
use assay_sbom::{Generation, Lifecycle, Root};
use assay_store::Store;

mod checkout;

pub(crate) use checkout::git;

use checkout::Repository;

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
    /// A root file system.
    Root(PathBuf),
    /// A tar archive of sources.
    Archive(PathBuf),
    /// A commit of a git repository.
    Git(Repository),
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
        if let Some(rest) = text.strip_prefix("rootfs:") {
            return Ok(Self::Root(path(rest)));
        }
        if let Some(rest) = text.strip_prefix("archive:") {
            return Ok(Self::Archive(path(rest)));
        }
        if let Some(rest) = text.strip_prefix("git:") {
            return Repository::parse(rest).map(Self::Git);
        }
        if let Some(rest) = text.strip_prefix("sbom:") {
            return Ok(Self::Sbom(path(rest)));
        }
        let written = path(text);
        if let Some(image) = ImageSource::at(&written) {
            return Ok(Self::Image(image));
        }
        if written.is_dir() {
            return Ok(Self::Directory(written));
        }
        if written.is_file() {
            return Ok(match &start_of(&written)[..] {
                start if is_sbom(start) => Self::Sbom(written),
                _ if assay_inspect::is_archive(&written) => Self::Archive(written),
                _ => Self::File(written),
            });
        }
        Ok(Self::Image(text.parse()?))
    }
}

/// The first bytes of a file; fewer where it is shorter, none where it cannot be read, which whoever reads it will say.
fn start_of(path: &Path) -> Vec<u8> {
    use std::io::Read as _;
    let mut start = Vec::new();
    match std::fs::File::open(path).and_then(|file| file.take(4096).read_to_end(&mut start)) {
        Ok(_) => start,
        Err(_) => Vec::new(),
    }
}

/// Whether a file says of itself that it is a bill of materials, in one of the formats that are read.
fn is_sbom(start: &[u8]) -> bool {
    let text = String::from_utf8_lossy(start);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let is_json = text.starts_with('{')
        && ["\"bomFormat\"", "\"spdxVersion\"", "spdx.org/rdf/3", "\"artifactRelationships\"", "\"ArtifactName\""]
            .iter()
            .any(|key| text.contains(key));
    let is_xml = text.starts_with('<') && text.contains("http://cyclonedx.org/schema/bom/");
    is_json || is_xml || text.starts_with("SPDXVersion:")
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
    inspect_with(target, vulnerabilities, SecretRules::built_in(), session)
}

/// The same with other rules for secrets. What is known of layers is kept for everybody, so images have the built-in ones.
pub(crate) fn inspect_with(
    target: &Target,
    vulnerabilities: bool,
    rules: Arc<SecretRules>,
    session: &Session<'_>,
) -> Result<Inspected> {
    let (settings, printer) = (session.settings, session.printer);
    let now = Timestamp::now();
    let options = DirectoryOptions { rules, ..DirectoryOptions::default() };
    let shown = |path: &Path| path.display().to_string();
    let mut described = None;
    let (name, contents, lifecycle) = match target {
        Target::Directory(path) => {
            printer.progress(&format!("reading {}", path.display()));
            (shown(path), assay_inspect::inspect_directory(path, &options)?, Lifecycle::PreBuild)
        }
        Target::File(path) => (shown(path), assay_inspect::inspect_file(path, &options)?, Lifecycle::PreBuild),
        Target::Root(path) => {
            printer.progress(&format!("reading {}", path.display()));
            (shown(path), assay_inspect::inspect_root(path, &options)?, Lifecycle::PostBuild)
        }
        Target::Archive(path) => (shown(path), assay_inspect::inspect_archive(path, &options)?, Lifecycle::PreBuild),
        Target::Git(repository) => {
            let name = assay_model::RedactedUrl::new(&repository.url).to_string();
            printer.progress(&format!("fetching {name}"));
            let folder = repository.fetch()?;
            (name, assay_inspect::inspect_directory(folder.path(), &options)?, Lifecycle::PreBuild)
        }
        Target::Image(image) => return inspect_image(image, vulnerabilities, session),
        Target::Sbom(path) => {
            let document = assay_sbom::read(&read_file(path)?)?;
            described = Some(document.root(&shown(path)));
            (shown(path), document.contents, document.origin.lifecycle.unwrap_or(Lifecycle::PostBuild))
        }
    };
    let findings = if vulnerabilities {
        let pack = database::open(settings.pack.value.as_deref())?;
        Some(Known::new(Arc::new(pack.match_contents(&contents, now)?), now))
    } else {
        None
    };
    let root = described.unwrap_or_else(|| Root::directory(&name));
    let generation = Generation { tool_version: env!("CARGO_PKG_VERSION"), created: stated_time(now)?, lifecycle };
    Ok(Inspected { name, root, contents: Arc::new(contents), findings, generation })
}

fn inspect_image(image: &ImageSource, vulnerabilities: bool, session: &Session<'_>) -> Result<Inspected> {
    let platforms = session.settings.platform.value.one()?;
    let mut inspected = inspect_images(image, platforms, vulnerabilities, session)?;
    if inspected.is_empty() {
        return Err(Failure::from_cause(&Cause::new("platform-not-found", "there is no image in it")).about(image));
    }
    Ok(inspected.swap_remove(0).1)
}

/// Inspects the images of all platforms of an index in one run: a layer that several have is read once. Each comes with
/// its platform's name.
pub(crate) fn inspect_each(
    target: &Target,
    vulnerabilities: bool,
    session: &Session<'_>,
) -> Result<Vec<(String, Inspected)>> {
    let Target::Image(image) = target else {
        return Err(CliError::Usage {
            message: "only images have platforms".to_owned(),
            next: "without --platform".to_owned(),
        }
        .into());
    };
    let registry = matches!(image, ImageSource::Registry(_));
    let client = if registry { session.online("reading a registry")? } else { session.client()? };
    let root = session.run(async {
        let source = Source::open(&client, image).await.map_err(|error| Failure::from(error).about(image))?;
        source.root().await.map_err(|error| Failure::from(error).about(image))
    })?;
    // What the tag means is decided once.
    let pinned = match image {
        ImageSource::Registry(reference) => ImageSource::Registry(reference.pinned(root.digest)),
        local => local.clone(),
    };
    let Manifest::Index(index) = &root.manifest else {
        return inspect_images(&pinned, Vec::new(), vulnerabilities, session);
    };
    let mut platforms: Vec<Platform> = Vec::new();
    for platform in index.manifests.iter().filter_map(|entry| entry.platform.as_ref()) {
        // Attestations stand in an index as images of an unknown platform (buildkit, attestation-storage.md).
        if platform.os != "unknown" && !platforms.contains(platform) {
            platforms.push(platform.clone());
        }
    }
    inspect_images(&pinned, platforms, vulnerabilities, session)
}

fn inspect_images(
    image: &ImageSource,
    platforms: Vec<Platform>,
    vulnerabilities: bool,
    session: &Session<'_>,
) -> Result<Vec<(String, Inspected)>> {
    let store = session.existing_store()?;
    let gatherer = session.looking_gatherer(store.clone())?;
    let wanted = Wanted { platforms, evidence: false, ..Wanted::default() };
    session.printer.progress(&format!("reading {image}"));
    let facts = session.facts(&gatherer, image, &wanted)?;
    let facts = facts.get().map_err(|cause| Failure::from_cause(cause).about(image))?;
    let one = |facts: &Arc<Facts>| {
        let platform = facts.subject.platform.as_ref().map(ToString::to_string).unwrap_or_default();
        Ok((platform, inspected(image, facts, vulnerabilities, store.as_deref())?))
    };
    facts.iter().map(one).collect()
}

fn inspected(image: &ImageSource, facts: &Facts, vulnerabilities: bool, store: Option<&Store>) -> Result<Inspected> {
    let mut contents = Arc::clone(facts.contents.get().map_err(|cause| Failure::from_cause(cause).about(image))?);
    if let Some(base) = store.map(|store| known_base(&contents, store)).transpose()?.flatten() {
        let stated = contents.base.as_ref().and_then(|stated| stated.name.clone());
        Arc::make_mut(&mut contents).base = Some(BaseImage { name: stated, ..base });
    }
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
        contents,
        findings: vulnerabilities.then(|| facts.findings.clone()),
        generation: Generation { tool_version: env!("CARGO_PKG_VERSION"), created, lifecycle: Lifecycle::PostBuild },
    })
}

/// The image of the store that this one was built on: one whose layers are the lowest of this one.
fn known_base(contents: &Contents, store: &Store) -> Result<Option<BaseImage>> {
    let mut known = Vec::new();
    for digest in store.known_images()? {
        known.extend(store.contents(digest, ANALYSER)?.map(|(contents, _)| (digest, contents)));
    }
    Ok(contents.find_base(known.iter().map(|(digest, contents)| (*digest, contents))))
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
    use std::io::Write as _;

    use super::*;

    /// A tar archive of files with these names.
    fn tar_of(files: &[(&str, &str)]) -> Vec<u8> {
        let mut tar = Vec::new();
        for (name, content) in files {
            let mut header = [0u8; 512];
            header[..name.len()].copy_from_slice(name.as_bytes());
            header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
            header[148..156].fill(b' ');
            header[156] = b'0';
            header[257..265].copy_from_slice(b"ustar\x0000");
            let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
            header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
            tar.extend_from_slice(&header);
            tar.extend_from_slice(content.as_bytes());
            tar.resize(tar.len().next_multiple_of(512), 0);
        }
        tar.resize(tar.len() + 1024, 0);
        tar
    }

    #[test]
    fn an_image_on_disk_is_known_by_what_lies_there() {
        let folder = tempfile::tempdir().unwrap();
        let layout = folder.path().join("layout");
        std::fs::create_dir(&layout).unwrap();
        std::fs::write(layout.join("oci-layout"), "{\"imageLayoutVersion\": \"1.0.0\"}").unwrap();
        let parse = |path: &Path| Target::parse(path.to_str().unwrap()).unwrap();
        assert!(matches!(parse(&layout), Target::Image(ImageSource::Layout { .. })));

        let archive = |name: &str, files: &[(&str, &str)]| {
            let path = folder.path().join(name);
            std::fs::write(&path, tar_of(files)).unwrap();
            parse(&path)
        };
        let saved = ("manifest.json", "[{\"Config\": \"c.json\", \"Layers\": [\"a/layer.tar\"]}]");
        let both = archive("both.tar", &[("oci-layout", "{}"), ("index.json", "{}"), saved]);
        assert!(matches!(both, Target::Image(ImageSource::OciArchive { .. })), "{both:?}");
        let old = archive("saved", &[saved]);
        assert!(matches!(old, Target::Image(ImageSource::DockerArchive { .. })), "{old:?}");
        let extension = archive("sources.tar", &[("manifest.json", "{\"name\": \"a web extension\"}")]);
        assert!(matches!(extension, Target::Archive(_)), "{extension:?}");

        // A compressed archive is one, whatever its name; a compressed file of something else is a file.
        let compressed = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            let file = std::fs::File::create(&path).unwrap();
            let mut encoder = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap();
            parse(&path)
        };
        let sources = compressed("app-1.0.tgz", &tar_of(&[("package/package.json", "{}")]));
        assert!(matches!(sources, Target::Archive(_)), "{sources:?}");
        let page = compressed("assay.1.gz", &[b'.'; 600]);
        assert!(matches!(page, Target::File(_)), "{page:?}");
    }

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
        assert_eq!(Target::parse("rootfs:x").unwrap(), Target::Root("x".into()));
        assert_eq!(Target::parse("archive:x").unwrap(), Target::Archive("x".into()));
        assert!(matches!(Target::parse("git:https://a/b").unwrap(), Target::Git(_)));
    }
}
