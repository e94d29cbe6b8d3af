//! The policy in force: the starter Environments and what `--config` names, compiled.

mod roots;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_gate::{ApprovalState, ExceptionInput, Policy, PolicyInput, TrustRootInput, starter_environments};
use assay_kinds::{Environment, Exception, Kind, Place, load_yaml};
use assay_model::{Digest, Timestamp};
use assay_trust::{Artifact, Signer, TrustMaterial, TrustedPublicKey, predicates, verify_bundle};

use crate::Result;
use crate::failure::{CliError, read_file, read_text};
use crate::settings::Settings;

pub(crate) use roots::{TufSource, material};

/// The root that is known without being written.
const PUBLIC_GOOD: &str = "public-good";
/// Most files of one `--config` folder.
const FILES_MAX: usize = 10_000;
/// Deepest nesting of folders.
const DEPTH_MAX: usize = 16;

/// The policy and what it was compiled from.
pub(crate) struct Policies {
    /// Compiled.
    pub(crate) policy: Policy,
    /// The trust material of each root.
    pub(crate) materials: Vec<TrustMaterial>,
    /// The names of the roots, in the same order.
    pub(crate) roots: Vec<String>,
    /// The TUF repositories that roots are read from.
    pub(crate) repositories: Vec<TufSource>,
    /// The Exceptions and where they are written.
    pub(crate) exceptions: Vec<(Place, ExceptionInput)>,
}

impl Policies {
    /// The trust material of each root, by its name.
    pub(crate) fn named_materials(&self) -> impl Iterator<Item = (&str, &TrustMaterial)> {
        self.roots.iter().map(String::as_str).zip(&self.materials)
    }
}

/// What a policy is compiled from.
pub(crate) struct Parts {
    /// The starters that nothing of `--config` replaces.
    pub(crate) starters: Vec<Environment>,
    /// What is written.
    pub(crate) environments: Vec<Environment>,
    /// Trust material by name.
    pub(crate) materials: Vec<(String, TrustMaterial)>,
    /// The TUF repositories that roots are read from.
    pub(crate) repositories: Vec<TufSource>,
    /// The Exceptions and where they are written.
    pub(crate) exceptions: Vec<(Place, ExceptionInput)>,
}

/// Loads everything.
pub(crate) fn collect(settings: &Settings) -> Result<Parts> {
    let mut environments: BTreeMap<String, _> = BTreeMap::new();
    for environment in starter_environments()? {
        environments.insert(environment.metadata.name.clone(), environment);
    }
    let (mut own, mut roots, mut exceptions) = (Vec::new(), Vec::new(), Vec::new());
    for path in &settings.config.value {
        let all = files(path, &["yaml", "yml", "json"])?;
        for file in all.into_iter().filter(|file| !file.to_string_lossy().ends_with(APPROVAL_SUFFIX)) {
            let loaded = load_yaml(&read_text(&file)?, &file.display().to_string())?;
            for object in loaded.objects {
                match object.value {
                    Kind::Environment(environment) => own.push(*environment),
                    Kind::TrustRoot(root) => roots.push((file.clone(), *root)),
                    Kind::Exception(exception) => exceptions.push((file.clone(), object.place, *exception)),
                    Kind::ReleaseArtifact(_) => {}
                }
            }
        }
    }
    // What somebody wrote replaces the starter of the same name; two of their own by one name are refused by `compile`.
    for environment in &own {
        environments.remove(&environment.metadata.name);
    }
    let mut materials = vec![(PUBLIC_GOOD.to_owned(), TrustMaterial::new().with_public_good()?)];
    let mut repositories = Vec::new();
    for (file, root) in &roots {
        materials.retain(|(name, _)| *name != root.metadata.name || name != PUBLIC_GOOD);
        let (material, repository) = material(file, root, settings)?;
        materials.push((root.metadata.name.clone(), material));
        repositories.extend(repository);
    }
    let now = Timestamp::now();
    let exceptions = exceptions
        .into_iter()
        .map(|(file, place, exception)| {
            let named = materials.iter().map(|(name, material)| (name.as_str(), material));
            let approval = approval(&file, &exception, named, now);
            Ok((place, ExceptionInput { approval: approval?, author: None, exception }))
        })
        .collect::<Result<Vec<_>>>()?;
    Ok(Parts { starters: environments.into_values().collect(), environments: own, materials, repositories, exceptions })
}

/// Loads and compiles everything.
pub(crate) fn load(settings: &Settings) -> Result<Policies> {
    let Parts { starters, environments, materials, repositories, exceptions } = collect(settings)?;
    let policy = Policy::compile(PolicyInput {
        environments: starters.into_iter().chain(environments).collect(),
        exceptions: exceptions.iter().map(|(_, exception)| Arc::new(exception.clone())).collect(),
        trust_roots: materials.iter().map(|(name, material)| input(name, material)).collect(),
        default_environment: None,
    })?;
    let (roots, materials) = materials.into_iter().unzip();
    Ok(Policies { policy, materials, roots, repositories, exceptions })
}

fn input(name: &str, material: &TrustMaterial) -> TrustRootInput {
    let key = |key: &TrustedPublicKey| Some((key.name()?.to_owned(), key.fingerprint()));
    TrustRootInput {
        name: name.to_owned(),
        material: material.hash(),
        keys: material.keys().iter().filter_map(key).collect(),
    }
}

/// How the files end that hold approvals; they stand beside the files with Exceptions and are no policy themselves.
const APPROVAL_SUFFIX: &str = ".approval.json";

/// Where the approval of an Exception stands that is written in `file`. A name that would lead elsewhere has none.
pub(crate) fn approval_path(file: &Path, name: &str) -> Option<PathBuf> {
    let beside = Path::new(name).components().eq([std::path::Component::Normal(name.as_ref())]);
    beside.then(|| file.with_file_name(format!("{name}{APPROVAL_SUFFIX}")))
}

/// The signature over an Exception that makes its approval count: a Sigstore bundle `NAME.approval.json` beside its file,
/// with an approval statement about the SHA-256 of what it says. One that does not hold does nothing, and the Exception
/// says why: a single bad file must not take the whole policy with it.
fn approval<'m>(
    file: &Path,
    exception: &Exception,
    materials: impl Iterator<Item = (&'m str, &'m TrustMaterial)>,
    now: Timestamp,
) -> Result<ApprovalState> {
    match approval_path(file, &exception.metadata.name).filter(|path| path.is_file()) {
        Some(path) => Ok(approver(&read_file(&path)?, exception, materials, now)),
        None => Ok(ApprovalState::Unauthenticated),
    }
}

/// Who signed an approval of an Exception.
pub(crate) fn approver<'m>(
    bundle: &[u8],
    exception: &Exception,
    materials: impl Iterator<Item = (&'m str, &'m TrustMaterial)>,
    now: Timestamp,
) -> ApprovalState {
    match signed_by(bundle, exception.spec_digest(), predicates::ASSAY_APPROVAL_V1, materials, now) {
        Signed::By(by) => ApprovalState::Authenticated { by, groups: Vec::new() },
        Signed::Refused(why) => ApprovalState::Refused { why },
    }
}

/// Whose signature an approval is.
pub(crate) enum Signed {
    /// Theirs: the name of a key, the subject of a certificate.
    By(String),
    /// It counts for nothing, for this reason.
    Refused(String),
}

/// Who signed an approval of this type about `subject`, by the first trust root that knows them.
pub(crate) fn signed_by<'m>(
    bundle: &[u8],
    subject: Digest,
    predicate_type: &str,
    materials: impl Iterator<Item = (&'m str, &'m TrustMaterial)>,
    now: Timestamp,
) -> Signed {
    let mut problems = Vec::new();
    for (name, material) in materials {
        match verify_bundle(bundle, Artifact::Digest(subject), material, now) {
            Ok(evidence) if evidence.predicate_type() == Some(predicate_type) => {
                return Signed::By(match evidence.signer() {
                    Signer::Keyless { subject, .. } | Signer::Certificate { subject, .. } => subject.clone(),
                    Signer::Key { fingerprint } => {
                        let key = material.keys().iter().find(|key| key.fingerprint() == *fingerprint);
                        key.and_then(TrustedPublicKey::name).map_or_else(|| fingerprint.to_string(), str::to_owned)
                    }
                });
            }
            Ok(_) => return Signed::Refused("it is a signature, but no approval".to_owned()),
            Err(error) => problems.push(format!("{error} (root {name})")),
        }
    }
    problems.dedup();
    Signed::Refused(problems.join("; "))
}

/// The files of a path with one of these extensions, sorted; a path that is a file is taken as it is. Hidden files and
/// folders are passed over, links are not followed.
pub(crate) fn files(path: &Path, extensions: &[&str]) -> Result<Vec<PathBuf>> {
    files_that(path, |path| extensions.contains(&&*path.extension().unwrap_or_default().to_string_lossy()))
}

/// The same with files of any sort.
pub(crate) fn files_that(path: &Path, is_wanted: impl Fn(&Path) -> bool) -> Result<Vec<PathBuf>> {
    files_below(path, |name| !name.starts_with('.'), is_wanted)
}

/// The same with a say in the names of files and folders that are looked at at all.
pub(crate) fn files_below(
    path: &Path,
    enters: impl Fn(&str) -> bool,
    is_wanted: impl Fn(&Path) -> bool,
) -> Result<Vec<PathBuf>> {
    if path == Path::new("-") || path.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let (mut found, mut folders) = (Vec::new(), vec![(path.to_owned(), 0)]);
    while let Some((folder, depth)) = folders.pop() {
        for entry in std::fs::read_dir(&folder).map_err(CliError::unreadable(&folder))? {
            let entry = entry.map_err(CliError::unreadable(&folder))?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(CliError::unreadable(&folder))?);
            if !enters(&entry.file_name().to_string_lossy()) {
                continue;
            }
            if kind.is_dir() && depth < DEPTH_MAX {
                folders.push((path, depth + 1));
            } else if kind.is_file() && is_wanted(&path) {
                found.push(path);
            }
            if found.len() > FILES_MAX {
                let (bytes, limit) = (found.len() as u64, FILES_MAX as u64);
                return Err(CliError::TooLarge { path: folder, bytes, limit }.into());
            }
        }
    }
    found.sort();
    Ok(found)
}
