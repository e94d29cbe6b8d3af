//! `assay pin`: tags to digests, and versions of actions to commits, in place, everything else left as it is.

mod actions;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use assay_kinds::Kind;
use assay_kube::{Manifests, Replacement, apply};
use assay_lint::{Dockerfile, FileKind, UsedAction};
use assay_model::{Digest, Reference};
use assay_oci::ImageSource;
use serde::Serialize;

use super::policies;
use super::verify::{VerifiedArtifact, VerifyOptions, WantedKind, WantedSigner, verify};
use crate::failure::{CliError, Failure, read_file, write_file};
use crate::session::Session;
use crate::{Result, Status};

/// What to pin.
#[derive(Debug)]
pub(crate) struct PinOptions {
    /// Files and folders.
    pub(crate) paths: Vec<PathBuf>,
    /// Whether to show instead of write.
    pub(crate) diff: bool,
    /// Whether to say only what is not pinned, and ask no registry.
    pub(crate) check: bool,
    /// Who must have signed every image, where that is asked.
    pub(crate) signer: Option<WantedSigner>,
}

/// What was pinned, or would be.
#[derive(Debug, Default, Serialize)]
pub(crate) struct PinOutcome {
    /// Changes, in the order of the files.
    pub(crate) changes: Vec<PinChange>,
    /// Images that could not be pinned, and why.
    pub(crate) failed: Vec<PinFailure>,
    /// Images that the wanted signer did not sign, with `--verify`; they are not pinned.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) unsigned: Vec<PinFailure>,
    /// Images whose signature was verified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<usize>,
    /// Images without a digest, with `--check`.
    pub(crate) unpinned: Vec<UnpinnedImage>,
    /// Images that carry a digest already.
    pub(crate) pinned: usize,
    /// Whether nothing was written.
    pub(crate) diff: bool,
}

/// An image without a digest.
#[derive(Debug, Serialize)]
pub(crate) struct UnpinnedImage {
    /// The file.
    pub(crate) file: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The image as written.
    pub(crate) image: String,
}

/// One changed line.
#[derive(Debug, Serialize)]
pub(crate) struct PinChange {
    /// The file.
    pub(crate) file: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The line as it was.
    pub(crate) before: String,
    /// The line as it is.
    pub(crate) after: String,
}

/// An image that stays as it is.
#[derive(Debug, Serialize)]
pub(crate) struct PinFailure {
    /// The file.
    pub(crate) file: String,
    /// The line, counted from 1.
    pub(crate) line: usize,
    /// The image as written.
    pub(crate) image: String,
    /// The failure's code.
    pub(crate) code: String,
    /// Why.
    pub(crate) message: String,
}

impl PinOutcome {
    /// Undecided where something could not be pinned; denied where something would change (`--diff`) or should (`--check`),
    /// and where an image is not signed as wanted (`--verify`).
    pub(crate) fn status(&self) -> Status {
        if !self.failed.is_empty() {
            Status::Undecided
        } else if (self.diff && !self.changes.is_empty()) || !self.unpinned.is_empty() || !self.unsigned.is_empty() {
            Status::Denied
        } else {
            Status::Pass
        }
    }
}

/// An image and how to write its digest.
struct Place {
    written: String,
    line: usize,
    edit: Edit,
}

enum Edit {
    /// Replace these bytes by the pinned reference.
    Bytes(std::ops::Range<usize>),
    /// Write the digest behind the text that ends here.
    Behind(usize),
    /// An entry of a Kustomization.
    Kustomize(Box<assay_kube::KustomizeImage>),
    /// An image of a chart's values.
    Values(Box<assay_kube::ValuesImage>),
    /// The value stands where it cannot be edited, for example in a block scalar.
    None,
}

struct FileToPin {
    path: PathBuf,
    text: String,
    /// Images without a digest.
    places: Vec<Place>,
    /// Images with one.
    pinned: Vec<Place>,
    /// Actions that are not named by commit.
    actions: Vec<UsedAction>,
}

/// Resolves every tag once and writes its digest beside it.
pub(crate) fn pin(options: PinOptions, session: &Session<'_>) -> Result<PinOutcome> {
    let mut files = Vec::new();
    let mut pinned = 0;
    for given in &options.paths {
        // What is named is read; of a folder, what can be.
        let enters = |name: &str| !name.starts_with('.') || name == ".github" || name.contains("gitlab-ci");
        for path in policies::files_below(given, enters, |path| is_pinnable(path) && !is_template(path))? {
            let mut file = read(path)?;
            let (own, open): (Vec<Place>, Vec<Place>) =
                file.places.into_iter().partition(|place| place.written.contains('@'));
            pinned += own.len();
            (file.pinned, file.places) = (own, open);
            let all = file.actions.len();
            file.actions.retain(|action| !action.is_pinned());
            pinned += all - file.actions.len();
            files.push(file);
        }
    }
    if options.check {
        let unpinned = files.iter().flat_map(unpinned);
        return Ok(PinOutcome { unpinned: unpinned.collect(), pinned, diff: true, ..PinOutcome::default() });
    }
    let references: BTreeSet<String> =
        files.iter().flat_map(|file| &file.places).map(|place| place.written.clone()).collect();
    let mut digests = resolve(&references, session)?;
    let commits = actions::resolve(files.iter().flat_map(|file| &file.actions), session)?;
    let mut outcome = PinOutcome { pinned, diff: options.diff, ..PinOutcome::default() };
    if let Some(signer) = options.signer {
        verify_all(&files, &mut digests, signer, session, &mut outcome);
    }
    for file in files {
        change(&file, &digests, &commits, &mut outcome)?;
    }
    Ok(outcome)
}

type Resolved = BTreeMap<String, std::result::Result<(Reference, Digest), Failure>>;

fn resolve(references: &BTreeSet<String>, session: &Session<'_>) -> Result<Resolved> {
    if references.is_empty() {
        return Ok(Resolved::new());
    }
    let client = session.online("pin")?;
    session.printer.progress(&format!("resolving {} images", references.len()));
    session.run(async {
        let each = references.iter().map(|written| {
            let client = &client;
            async move {
                let resolved = match written.parse::<Reference>() {
                    // The whole manifest is read, so that the digest is of bytes and not of the registry's word.
                    Ok(reference) => match client.root(&reference).await {
                        Ok(raw) => Ok((reference, raw.digest)),
                        Err(error) => Err(Failure::from(error)),
                    },
                    Err(error) => Err(Failure::from(error)),
                };
                (written.clone(), resolved)
            }
        });
        Ok(futures_util::future::join_all(each).await.into_iter().collect())
    })
}

/// Verifies every image once; those that are not signed as wanted, or could not be verified, are taken out of `digests`.
fn verify_all(
    files: &[FileToPin],
    digests: &mut Resolved,
    signer: WantedSigner,
    session: &Session<'_>,
    outcome: &mut PinOutcome,
) {
    // By what is written: the reference with its digest.
    let mut images: BTreeMap<String, Reference> = BTreeMap::new();
    for place in files.iter().flat_map(|file| &file.pinned) {
        images.extend(place.written.parse().ok().map(|reference| (place.written.clone(), reference)));
    }
    let resolved = digests.iter().filter_map(|(written, resolved)| Some((written, resolved.as_ref().ok()?)));
    images.extend(resolved.map(|(written, (reference, digest))| (written.clone(), reference.pinned(*digest))));
    let mut signer = Some(signer);
    let mut judged: BTreeMap<String, (bool, String, String)> = BTreeMap::new();
    for (written, reference) in images {
        let Some(own) = signer.take() else { break };
        let artifact = VerifiedArtifact::Image(Box::new(ImageSource::Registry(reference)));
        let options = VerifyOptions { artifact, signer: own, kind: WantedKind::Signature, build: None };
        match verify(&options, session) {
            Ok(found) if found.verified => *outcome.verified.get_or_insert(0) += 1,
            Ok(found) => {
                let nothing = || ("not-signed".to_owned(), format!("there is no {}", found.wanted));
                let why = found.rejected.first().map(|rejected| (rejected.code.clone(), rejected.message.clone()));
                let (code, message) = why.unwrap_or_else(nothing);
                judged.insert(written, (true, code, message));
            }
            Err(failure) => {
                judged.insert(written, (false, failure.code, failure.what));
            }
        }
        signer = Some(options.signer);
    }
    outcome.verified.get_or_insert(0);
    for file in files {
        for place in file.pinned.iter().chain(&file.places) {
            let Some((is_unsigned, code, message)) = judged.get(&place.written) else { continue };
            let failure = PinFailure {
                file: file.path.display().to_string(),
                line: place.line,
                image: place.written.clone(),
                code: code.clone(),
                message: message.clone(),
            };
            if *is_unsigned { outcome.unsigned.push(failure) } else { outcome.failed.push(failure) }
        }
    }
    digests.retain(|written, _| !judged.contains_key(written));
}

fn line_of(text: &str, at: usize) -> usize {
    text.get(..at).map_or(1, |before| before.matches('\n').count() + 1)
}

fn read(path: PathBuf) -> Result<FileToPin> {
    let bytes = read_file(&path)?;
    let shown = path.display().to_string();
    let text = String::from_utf8(bytes).map_err(|error| CliError::Malformed {
        what: shown.clone(),
        message: format!("is not UTF-8 text (byte {})", error.utf8_error().valid_up_to()),
    })?;
    let line_of = |at: usize| line_of(&text, at);
    let mut actions = Vec::new();
    let kind = kind_of(&path);
    let places = match kind {
        FileKind::Dockerfile => {
            let file = Dockerfile::parse(&text);
            let place = |image: &assay_lint::FromImage| Place {
                written: image.written.clone(),
                line: line_of(image.bytes.start),
                edit: Edit::Behind(image.end),
            };
            file.images().iter().map(place).collect()
        }
        FileKind::Manifest => {
            let manifests = Manifests::parse(text.as_bytes(), &Kind::NAMES);
            manifest_places(&manifests.map_err(|error| Failure::from(error).about(shown))?)
        }
        FileKind::GithubWorkflow | FileKind::GithubAction | FileKind::GitlabPipeline => {
            let about = |error: assay_lint::LintError| Failure::from(error).about(&shown);
            let images = assay_lint::pipeline_images(&text).map_err(about)?;
            if kind != FileKind::GitlabPipeline {
                actions = assay_lint::used_actions(&text).map_err(about)?;
            }
            let place = |image: assay_lint::PipelineImage| Place {
                line: line_of(image.bytes.start),
                edit: Edit::Behind(image.bytes.end),
                written: image.written,
            };
            images.into_iter().map(place).collect()
        }
    };
    Ok(FileToPin { path, text, places, pinned: Vec::new(), actions })
}

fn manifest_places(manifests: &Manifests<'_>) -> Vec<Place> {
    let workloads = manifests.workloads.iter().flat_map(assay_kube::Manifest::images).map(|image| Place {
        line: image.place.line,
        edit: image.editable.map_or(Edit::None, Edit::Bytes),
        written: image.written,
    });
    let kustomizations =
        manifests.kustomizations.iter().flat_map(assay_kube::Manifest::kustomize_images).map(|image| Place {
            line: image.place.line,
            written: image.written(),
            edit: Edit::Kustomize(Box::new(image)),
        });
    let values = manifests.values.iter().flat_map(assay_kube::Manifest::values_images).map(|image| Place {
        line: image.place.line,
        written: image.written.clone(),
        edit: Edit::Values(Box::new(image)),
    });
    workloads.chain(kustomizations).chain(values).filter(|place| !place.written.is_empty()).collect()
}

fn is_pinnable(path: &Path) -> bool {
    FileKind::of(&path.to_string_lossy()).is_some() || path.extension().is_some_and(|extension| extension == "json")
}

/// What a file is; one that is named and has no known name is a manifest.
fn kind_of(path: &Path) -> FileKind {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    FileKind::of(&whole.to_string_lossy()).unwrap_or(FileKind::Manifest)
}

/// Whether a file is made of templates, which are no manifests before Helm has rendered them: it is below the `templates`
/// folder of a chart.
pub(super) fn is_template(path: &Path) -> bool {
    let is_of_chart = |folder: &Path| {
        folder.file_name().is_some_and(|name| name == "templates")
            && folder.parent().is_some_and(|chart| chart.join("Chart.yaml").is_file())
    };
    path.ancestors().skip(1).any(is_of_chart)
}

/// What is not pinned in a file, in its order.
fn unpinned(file: &FileToPin) -> Vec<UnpinnedImage> {
    let name = file.path.display().to_string();
    let images = file.places.iter().map(|place| (place.line, place.written.clone()));
    let actions = file
        .actions
        .iter()
        .map(|action| (line_of(&file.text, action.bytes.start), format!("{}@{}", action.repository, action.version)));
    let mut found: Vec<_> = images.chain(actions).collect();
    found.sort();
    found.into_iter().map(|(line, image)| UnpinnedImage { file: name.clone(), line, image }).collect()
}

fn change(file: &FileToPin, digests: &Resolved, commits: &actions::Commits, outcome: &mut PinOutcome) -> Result<()> {
    let shown = file.path.display().to_string();
    let mut edits = Vec::new();
    for place in &file.places {
        let fail = |code: &str, message: String| PinFailure {
            file: shown.clone(),
            line: place.line,
            image: place.written.clone(),
            code: code.to_owned(),
            message,
        };
        let (reference, digest) = match digests.get(&place.written) {
            Some(Ok(resolved)) => resolved,
            Some(Err(failure)) => {
                outcome.failed.push(fail(&failure.code, failure.what.clone()));
                continue;
            }
            None => continue,
        };
        let edit = match &place.edit {
            Edit::Bytes(bytes) => {
                Some(Replacement { bytes: bytes.clone(), text: reference.pinned(*digest).written().to_owned() })
            }
            Edit::Behind(at) => Some(Replacement { bytes: *at..*at, text: format!("@{digest}") }),
            Edit::Kustomize(image) => image.pin(digest),
            Edit::Values(image) => image.pin(digest),
            Edit::None => None,
        };
        match edit {
            Some(edit) => edits.push(edit),
            None => {
                outcome.failed.push(fail("not-editable", "it stands in a form that cannot be edited in place".into()));
            }
        }
    }
    for action in &file.actions {
        match commits.get(&(action.repository.clone(), action.version.clone())) {
            Some(Ok(commit)) => edits.extend(actions::edits(&file.text, action, commit)),
            Some(Err(failure)) => outcome.failed.push(PinFailure {
                file: shown.clone(),
                line: line_of(&file.text, action.bytes.start),
                image: format!("{}@{}", action.repository, action.version),
                code: failure.code.clone(),
                message: failure.what.clone(),
            }),
            None => {}
        }
    }
    if edits.is_empty() {
        return Ok(());
    }
    let changed = apply(&file.text, &edits).map_err(|error| Failure::from(error).about(&shown))?;
    let lines = file.text.lines().zip(changed.lines()).enumerate().filter(|(_, (before, after))| before != after);
    outcome.changes.extend(lines.map(|(index, (before, after))| PinChange {
        file: shown.clone(),
        line: index + 1,
        before: before.to_owned(),
        after: after.to_owned(),
    }));
    if !outcome.diff && file.path != Path::new("-") {
        write_file(&file.path, changed.as_bytes())?;
    }
    Ok(())
}
