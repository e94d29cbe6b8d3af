//! A folder of packs: several side by side, switched at once, taken back, and never replaced by something older or much smaller.
//!
//! ```text
//! packs.json            what is in use, and what was before; replaced by renaming
//! sha256-....pack       a pack or delta, named by its digest and never written again
//! held/sha256-....pack  one that was not switched to, kept for looking at
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use assay_model::{Digest, Explain, Timestamp};
use serde::{Deserialize, Serialize};

use crate::pack::PackError;
use crate::set::Pack;

/// The file that says what is in use.
const STATE: &str = "packs.json";
/// Most bytes of it.
const MAX_STATE: u64 = 1 << 20;
/// Records that may be gone from one version to the next, in a hundred.
const MOST_GONE_PERCENT: usize = 5;

/// A folder of packs.
#[derive(Debug)]
pub struct Store {
    folder: PathBuf,
    state: State,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct State {
    packs: BTreeMap<String, Slot>,
}

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Slot {
    /// The pack in use.
    pub current: Version,
    /// The one before, to go back to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Version>,
}

/// A pack, with the delta over it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Version {
    /// Digest of the whole pack's file.
    pub pack: Digest,
    /// Digest of the delta's file, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<Digest>,
    /// Newest `modified` of any record: how fresh the data is.
    pub data_until: Timestamp,
    /// When it was installed.
    pub installed: Timestamp,
}

/// Checks who signed the file with a digest: the identity, or why it is not accepted.
pub type SignatureCheck<'a> = dyn Fn(&Digest) -> Result<String, String> + 'a;

/// What is asked of a pack before it is switched to.
#[derive(Clone, Copy)]
pub struct Checks<'a> {
    /// The time, which is passed in.
    pub now: Timestamp,
    /// Oldest data that is accepted, in days: an attacker who cannot forge can still serve what was true once.
    pub max_age_days: Option<u32>,
    /// Whether a pack may lack more than 5 % of the records of the one before.
    pub accept_drop: bool,
    /// Checks who signed the file with this digest; gives the identity, or why it is not accepted. `None` = no signature is asked.
    pub signature: Option<&'a SignatureCheck<'a>>,
}

/// What was installed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Installed {
    /// Digest of the file.
    pub digest: Digest,
    /// Whether it was there already.
    pub unchanged: bool,
    /// Who signed it, where that was asked.
    pub signer: Option<String>,
}

/// Why a pack was not switched to. What was in use stays in use.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The operating system refused to read or write.
    #[error("{path}: {cause}")]
    Io {
        /// The file.
        path: String,
        /// The system's reason.
        cause: io::Error,
    },
    /// `packs.json` is not what this program writes.
    #[error("{path}: {message}")]
    State {
        /// The file.
        path: String,
        /// What does not fit.
        message: String,
    },
    /// The offered pack is damaged, or of another format.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The file is not signed by who should have signed it.
    #[error("{name}: the pack's signature is not accepted: {cause}")]
    Signature {
        /// The pack's name.
        name: String,
        /// Why not.
        cause: String,
    },
    /// The offered data is older than the data in use: somebody serves an old pack.
    #[error("{name}: data until {offered} was offered, data until {have} is in use")]
    Downgrade {
        /// The pack's name.
        name: String,
        /// How fresh the data in use is.
        have: Timestamp,
        /// How fresh the offered data is.
        offered: Timestamp,
    },
    /// The newest data on offer is too old: the source stands still, or somebody makes it look so.
    #[error("{name}: the newest data is of {until}, more than {days} days ago")]
    Frozen {
        /// The pack's name.
        name: String,
        /// How fresh it is.
        until: Timestamp,
        /// What was asked for.
        days: u32,
    },
    /// More records are gone than ever go at once: a source is broken, or poisoned. The pack is kept in `held/`.
    #[error("{name}: held back, because {gone} of {of} {what} are gone (for example {example})")]
    Dropped {
        /// The pack's name.
        name: String,
        /// `records`, or `affected packages`: a record that is there and about nothing finds nothing either.
        what: &'static str,
        /// How many the new one lacks.
        gone: usize,
        /// How many are in use.
        of: usize,
        /// One of them.
        example: String,
    },
    /// A delta changes another pack than the one in use.
    #[error("{name}: the delta changes another pack than the one in use ({base})")]
    OtherBase {
        /// The pack's name.
        name: String,
        /// The pack that it changes.
        base: String,
    },
    /// There is no such pack, or nothing before it.
    #[error("{name}: there is nothing to go back to")]
    NoPrevious {
        /// The pack's name.
        name: String,
    },
    /// A name with characters that no pack's name has.
    #[error("`{name}` is no name of a pack")]
    Name {
        /// The name.
        name: String,
    },
}

impl Explain for StoreError {
    fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "pack-store-unreadable",
            Self::State { .. } => "pack-store-damaged",
            Self::Pack(error) => error.code(),
            Self::Signature { .. } => "pack-signature",
            Self::Downgrade { .. } => "pack-downgrade",
            Self::Frozen { .. } => "pack-frozen",
            Self::Dropped { .. } => "pack-held-back",
            Self::OtherBase { .. } => "pack-delta-base",
            Self::NoPrevious { .. } => "pack-no-previous",
            Self::Name { .. } => "pack-name",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::Pack(error) => error.next_step(),
            Self::Dropped { .. } => {
                Some("look at what is gone, then accept it with --accept-drop, or fetch the sources again".into())
            }
            Self::Downgrade { .. } => Some("to go back on purpose: assay db rollback".into()),
            Self::Frozen { .. } => Some("check that the mirror is still filled".into()),
            Self::OtherBase { .. } => Some("install the whole pack first".into()),
            _ => None,
        }
    }
}

impl Store {
    /// Opens a folder, which is made when something is installed.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { folder: folder.to_owned(), state: read_state(folder)?.unwrap_or_default() })
    }

    /// What each name stands for.
    pub fn slots(&self) -> &BTreeMap<String, Slot> {
        &self.state.packs
    }

    /// Installs a pack or a delta under a name, and switches to it if it passes all checks.
    pub fn install(&mut self, name: &str, bytes: Vec<u8>, checks: Checks<'_>) -> Result<Installed, StoreError> {
        let name_ok = !name.is_empty()
            && name.len() <= 64
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !name_ok {
            return Err(StoreError::Name { name: name.chars().take(64).collect() });
        }
        let digest = Digest::of(&bytes);
        let owned = || name.to_owned();
        let signer = match checks.signature {
            Some(check) => Some(check(&digest).map_err(|cause| StoreError::Signature { name: owned(), cause })?),
            None => None,
        };
        let slot = self.state.packs.get(name).cloned();
        let in_use = |slot: &Slot| slot.current.pack == digest || slot.current.delta.as_ref() == Some(&digest);
        if slot.as_ref().is_some_and(in_use) {
            return Ok(Installed { digest, unchanged: true, signer });
        }
        let written = bytes.clone();
        // A delta is opened alone only to see what it changes.
        let (base, until) = peek(bytes)?;
        if let Some(slot) = &slot
            && until < slot.current.data_until
        {
            return Err(StoreError::Downgrade { name: owned(), have: slot.current.data_until, offered: until });
        }
        if let Some(days) = checks.max_age_days
            && checks.now.as_second().saturating_sub(until.as_second()) > i64::from(days) * 86_400
        {
            return Err(StoreError::Frozen { name: owned(), until, days });
        }
        let version = match (&base, &slot) {
            (None, _) => Version { pack: digest, delta: None, data_until: until, installed: checks.now },
            (Some(_), Some(slot)) => {
                Version { pack: slot.current.pack, delta: Some(digest), data_until: until, installed: checks.now }
            }
            (Some(base), None) => return Err(StoreError::OtherBase { name: owned(), base: base.clone() }),
        };
        if let Some(slot) = &slot {
            self.compare(name, slot, &written, base.as_deref(), checks.accept_drop)?;
        }
        self.write(&self.path_of(&digest), &written)?;
        let previous = slot.map(|slot| slot.current);
        self.state.packs.insert(owned(), Slot { current: version, previous });
        self.save()?;
        Ok(Installed { digest, unchanged: false, signer })
    }

    /// Goes back to what was in use before; what is in use becomes what was before.
    pub fn rollback(&mut self, name: &str) -> Result<(), StoreError> {
        let none = || StoreError::NoPrevious { name: name.to_owned() };
        let slot = self.state.packs.get_mut(name).ok_or_else(none)?;
        let previous = slot.previous.take().ok_or_else(none)?;
        slot.previous = Some(std::mem::replace(&mut slot.current, previous));
        self.save()
    }

    /// Where the file with this digest is.
    pub fn file_of(&self, digest: &Digest) -> PathBuf {
        self.path_of(digest)
    }

    /// Removes files that nothing in use or before refers to; gives their number.
    pub fn clean(&self) -> Result<usize, StoreError> {
        let mut needed = BTreeSet::new();
        for slot in self.state.packs.values() {
            for version in std::iter::once(&slot.current).chain(&slot.previous) {
                needed.extend(std::iter::once(&version.pack).chain(&version.delta).map(|digest| self.path_of(digest)));
            }
        }
        let fail = |cause| StoreError::Io { path: self.folder.display().to_string(), cause };
        let mut removed = 0;
        for entry in std::fs::read_dir(&self.folder).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.extension().is_some_and(|end| end == "pack") && !needed.contains(&path) {
                std::fs::remove_file(&path).map_err(fail)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Opens what is in use under one name.
    fn current(&self, slot: &Slot) -> Result<Pack, PackError> {
        let digests = std::iter::once(&slot.current.pack).chain(&slot.current.delta);
        let parts = digests.map(|digest| {
            let path = self.path_of(digest);
            std::fs::read(&path).map_err(|cause| PackError::Open { path: path.display().to_string(), cause })
        });
        Pack::from_parts(parts.collect::<Result<_, _>>()?)
    }

    /// Refuses a delta of another pack, and holds back what lacks too many records.
    fn compare(
        &self,
        name: &str,
        slot: &Slot,
        bytes: &[u8],
        base: Option<&str>,
        accept_drop: bool,
    ) -> Result<(), StoreError> {
        let current = self.current(slot)?;
        let offered = match base {
            None => Pack::from_bytes(bytes.to_vec())?,
            Some(base) => {
                let path = self.path_of(&slot.current.pack);
                let whole = std::fs::read(&path)
                    .map_err(|cause| PackError::Open { path: path.display().to_string(), cause })?;
                if Pack::from_bytes(whole.clone())?.info().digest.to_string() != base {
                    return Err(StoreError::OtherBase { name: name.to_owned(), base: base.to_owned() });
                }
                Pack::from_parts(vec![whole, bytes.to_vec()])?
            }
        };
        if accept_drop {
            return Ok(());
        }
        let affected = |pack: &Pack| -> Result<BTreeSet<String>, PackError> {
            Ok(pack.claims()?.into_iter().map(|(record, package)| format!("{record} {package}")).collect())
        };
        for (what, before, after) in [
            ("records", current.record_ids()?, offered.record_ids()?),
            ("affected packages", affected(&current)?, affected(&offered)?),
        ] {
            let gone: Vec<&String> = before.difference(&after).collect();
            if gone.len() * 100 <= before.len() * MOST_GONE_PERCENT {
                continue;
            }
            let held = self.folder.join("held");
            let file = self.path_of(&Digest::of(bytes));
            if let Some(file) = file.file_name() {
                self.write(&held.join(file), bytes)?;
            }
            let example = gone.first().map(|id| (*id).clone()).unwrap_or_default();
            let (gone, of) = (gone.len(), before.len());
            return Err(StoreError::Dropped { name: name.to_owned(), what, gone, of, example });
        }
        Ok(())
    }

    fn path_of(&self, digest: &Digest) -> PathBuf {
        self.folder.join(format!("{}.pack", digest.to_string().replace(':', "-")))
    }

    /// Writes a file beside its place, then renames it there.
    fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
        let fail = |cause| StoreError::Io { path: path.display().to_string(), cause };
        std::fs::create_dir_all(path.parent().unwrap_or(&self.folder)).map_err(fail)?;
        let new = path.with_extension("new");
        std::fs::write(&new, bytes).map_err(fail)?;
        std::fs::File::open(&new).and_then(|file| file.sync_all()).map_err(fail)?;
        std::fs::rename(&new, path).map_err(fail)
    }

    fn save(&self) -> Result<(), StoreError> {
        let path = self.folder.join(STATE);
        let mut bytes = serde_json::to_vec_pretty(&self.state)
            .map_err(|error| StoreError::State { path: path.display().to_string(), message: error.to_string() })?;
        bytes.push(b'\n');
        self.write(&path, &bytes)
    }
}

/// Base and freshness of a pack that may be a delta.
fn peek(bytes: Vec<u8>) -> Result<(Option<String>, Timestamp), PackError> {
    let file = crate::pack::PackFile::from_bytes(bytes)?;
    Ok((file.base()?.map(str::to_owned), file.info().data_until))
}

fn read_state(folder: &Path) -> Result<Option<State>, StoreError> {
    use std::io::Read as _;
    let path = folder.join(STATE);
    let fail = |cause| StoreError::Io { path: path.display().to_string(), cause };
    let file = match std::fs::File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(fail(error)),
    };
    let mut bytes = Vec::new();
    file.take(MAX_STATE).read_to_end(&mut bytes).map_err(fail)?;
    let state = serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::State { path: path.display().to_string(), message: error.to_string() })?;
    Ok(Some(state))
}

/// The files behind a path: itself, or what a store has in use, each delta after its pack.
pub(crate) fn files(path: &Path) -> Result<Vec<PathBuf>, PackError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let store = Store::open(path).map_err(|error| PackError::Store { message: error.to_string() })?;
    let digests =
        store.slots().values().flat_map(|slot| std::iter::once(&slot.current.pack).chain(&slot.current.delta));
    let files: Vec<PathBuf> = digests.map(|digest| store.path_of(digest)).collect();
    if files.is_empty() {
        return Err(PackError::Store { message: format!("{}: no pack is installed there", path.display()) });
    }
    Ok(files)
}
