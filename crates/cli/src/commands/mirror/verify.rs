//! `assay db verify`: every byte of packs, deltas and signatures, of a file, a mirror or what is installed.

use std::path::{Path, PathBuf};

use assay_model::{Digest, Timestamp};
use assay_vuln::Pack;
use assay_vuln::store::Store;
use serde::Serialize;

use super::{INDEX, Mirror, read_index};
use crate::failure::{CliError, read_file};
use crate::session::Session;
use crate::{Result, Status};

/// What is to be verified.
#[derive(Debug)]
pub(crate) struct VerifyPacksOptions {
    /// A pack, a mirror's folder, or the folder of installed packs.
    pub(crate) path: PathBuf,
    /// The key that must have signed.
    pub(crate) key: Option<PathBuf>,
    /// Oldest data that is accepted.
    pub(crate) max_age_days: Option<u32>,
}

/// What was verified.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PacksVerified {
    /// What was looked at.
    pub(crate) path: PathBuf,
    /// Each pack, with the delta over it.
    pub(crate) packs: Vec<VerifiedPack>,
}

/// One pack.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct VerifiedPack {
    /// Its family, or its file.
    pub(crate) name: String,
    /// Records in it, its delta applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) records: Option<u64>,
    /// How fresh its data is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data_until: Option<Timestamp>,
    /// Who signed it, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) problem: Option<String>,
}

impl PacksVerified {
    /// Denied where anything is wrong.
    pub(crate) fn status(&self) -> Status {
        if self.packs.iter().all(|pack| pack.problem.is_none()) { Status::Pass } else { Status::Denied }
    }
}

/// Verifies.
pub(crate) fn verify(options: &VerifyPacksOptions, session: &Session<'_>) -> Result<PacksVerified> {
    let path = &options.path;
    let packs = if path.join(INDEX).exists() {
        of_mirror(options, session)?
    } else if path.is_dir() {
        installed(options)?
    } else {
        let opened = Pack::from_parts(vec![read_file(path)?]).map_err(|error| error.to_string());
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let folder = Mirror::Folder(path.parent().map(Path::to_path_buf).unwrap_or_default());
        let signer = match &options.key {
            Some(key) => Some(folder.signed_by(Some(key), &name, &Digest::of(&read_file(path)?), session)),
            None => None,
        };
        vec![judged(name, opened, signer, options)]
    };
    Ok(PacksVerified { path: path.clone(), packs })
}

/// The packs of a mirror: the files that its index names, their signatures, and each delta over its pack.
fn of_mirror(options: &VerifyPacksOptions, session: &Session<'_>) -> Result<Vec<VerifiedPack>> {
    let folder = &options.path;
    let index = read_index(&read_file(&folder.join(INDEX))?, folder)?;
    let mirror = Mirror::Folder(folder.clone());
    let mut packs = Vec::new();
    for (family, entry) in &index.packs {
        let mut parts = Vec::new();
        let mut signer = None;
        let mut problem = None;
        for file in std::iter::once(&entry.pack).chain(&entry.delta) {
            match read_file(&folder.join(&file.file)) {
                Ok(bytes) if Digest::of(&bytes) == file.digest => parts.push(bytes),
                Ok(_) => problem = Some(format!("{} is not the file that the index names", file.file)),
                Err(error) => problem = Some(error.to_string()),
            }
            if options.key.is_some() && signer.as_ref().is_none_or(std::result::Result::is_ok) {
                signer = Some(mirror.signed_by(options.key.as_deref(), &file.file, &file.digest, session));
            }
        }
        let opened = match problem {
            Some(problem) => Err(problem),
            None => Pack::from_parts(parts).map_err(|error| error.to_string()),
        };
        packs.push(judged(family.clone(), opened, signer, options));
    }
    Ok(packs)
}

/// The packs in use of a folder of installed ones: whether each file is still what its name says.
fn installed(options: &VerifyPacksOptions) -> Result<Vec<VerifiedPack>> {
    if options.key.is_some() {
        return Err(CliError::Usage {
            message: "signatures are checked when packs are installed, and stay in the mirror".to_owned(),
            next: "assay db verify MIRROR --key FILE".to_owned(),
        }
        .into());
    }
    let store = Store::open(&options.path)?;
    if store.slots().is_empty() {
        return Err(CliError::NotFound {
            what: format!("a pack in {}", options.path.display()),
            suggestion: None,
            next: "fill it with: assay db update --to DIR --from MIRROR".to_owned(),
        }
        .into());
    }
    let mut packs = Vec::new();
    for (family, slot) in store.slots() {
        let mut parts = Vec::new();
        let mut problem = None;
        for digest in std::iter::once(&slot.current.pack).chain(&slot.current.delta) {
            let path = store.file_of(digest);
            match read_file(&path) {
                Ok(bytes) if Digest::of(&bytes) == *digest => parts.push(bytes),
                Ok(_) => problem = Some(format!("{} was changed since it was installed", path.display())),
                Err(error) => problem = Some(error.to_string()),
            }
        }
        let opened = match problem {
            Some(problem) => Err(problem),
            None => Pack::from_parts(parts).map_err(|error| error.to_string()),
        };
        packs.push(judged(family.clone(), opened, None, options));
    }
    Ok(packs)
}

fn judged(
    name: String,
    opened: std::result::Result<Pack, String>,
    signer: Option<std::result::Result<String, String>>,
    options: &VerifyPacksOptions,
) -> VerifiedPack {
    let (info, mut problem) = match opened {
        Ok(pack) => (Some(pack.info().clone()), None),
        Err(problem) => (None, Some(problem)),
    };
    let signer = match signer {
        Some(Ok(signer)) => Some(signer),
        Some(Err(cause)) => {
            problem.get_or_insert(format!("the signature is not accepted: {cause}"));
            None
        }
        None => None,
    };
    if let (Some(info), Some(days)) = (&info, options.max_age_days) {
        let age = Timestamp::now().as_second().saturating_sub(info.data_until.as_second()) / 86_400;
        if age > i64::from(days) {
            problem.get_or_insert(format!("the newest data is {age} days old"));
        }
    }
    VerifiedPack {
        name,
        records: info.as_ref().map(|info| info.records),
        data_until: info.as_ref().map(|info| info.data_until),
        signer,
        problem,
    }
}
