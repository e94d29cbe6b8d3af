//! `assay db build --split`, `db update`, `db rollback`, `db push`, `db pull`, `db verify`: packs from a mirror into a folder, and
//! what is asked of them on the way.
//!
//! A mirror is a folder, or an OCI artifact whose layers have these files as titles:
//!
//! ```text
//! index.json                  what there is
//! FAMILY.pack                 a whole pack
//! FAMILY.delta                what changes the whole pack
//! FILE.sigstore.json          the signature of FILE, where it is signed
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use assay_inspect::ANALYSER;
use assay_model::{Digest, Timestamp};
use assay_oci::{Client, Descriptor, ImageSource, Manifest, Source};
use assay_trust::{Artifact, TrustMaterial, verify_bundle};
use assay_vuln::store::{Checks, Store};
use assay_vuln::{Pack, PackBuilder};
use serde::{Deserialize, Serialize};

use super::database::BuildOptions;
use crate::Result;
use crate::failure::{CliError, read_file, read_text, write_file};
use crate::session::Session;

mod exchange;
mod verify;

pub(crate) use exchange::{PullOptions, PulledOutcome, PushOptions, PushedOutcome, pull, push};
pub(crate) use verify::{PacksVerified, VerifyPacksOptions, verify};

/// The index of a mirror.
const INDEX: &str = "index.json";
/// Where OCI artifacts keep the names of their files (oras.land, "artifacts").
const TITLE: &str = "org.opencontainers.image.title";
/// What is added to a file's name for its signature.
const BUNDLE: &str = ".sigstore.json";
/// Most bytes of one file of a mirror.
const MAX_BYTES: u64 = 2 << 30;

/// What a mirror has.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    packs: BTreeMap<String, Entry>,
}

/// One family.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    pack: File,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    delta: Option<File>,
}

/// A file of a mirror.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    file: String,
    digest: Digest,
    bytes: u64,
    data_until: Timestamp,
}

/// A mirror that was built.
#[derive(Debug, Serialize)]
pub(crate) struct MirrorOutcome {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Its files.
    pub(crate) files: Vec<MirrorFile>,
}

/// A file that was written.
#[derive(Debug, Serialize)]
pub(crate) struct MirrorFile {
    /// Its name.
    pub(crate) name: String,
    /// Its size.
    pub(crate) bytes: u64,
    /// Records in it.
    pub(crate) records: u64,
}

/// What is to be installed.
#[derive(Debug)]
pub(crate) struct UpdateOptions {
    /// Families; empty = all.
    pub(crate) families: Vec<String>,
    /// Whether only those are meant that images of the store need.
    pub(crate) needed: bool,
    /// The mirror as typed.
    pub(crate) from: String,
    /// The folder of installed packs.
    pub(crate) to: PathBuf,
    /// The key that must have signed.
    pub(crate) key: Option<PathBuf>,
    /// Oldest data that is accepted.
    pub(crate) max_age_days: Option<u32>,
    /// Whether a pack may lack many records.
    pub(crate) accept_drop: bool,
}

/// What is to be taken back.
#[derive(Debug)]
pub(crate) struct RollbackOptions {
    /// The family.
    pub(crate) family: String,
    /// The folder of installed packs.
    pub(crate) to: PathBuf,
}

/// What was installed, or taken back.
#[derive(Debug, Serialize)]
pub(crate) struct UpdateOutcome {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// What is in use now.
    pub(crate) packs: Vec<UpdatedPack>,
    /// Bytes that were transferred.
    pub(crate) transferred: u64,
}

/// One pack in use.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct UpdatedPack {
    /// The family.
    pub(crate) family: String,
    /// How fresh its data is.
    pub(crate) data_until: Timestamp,
    /// Whether this run changed it.
    pub(crate) changed: bool,
    /// Who signed it, where that was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) signer: Option<String>,
}

/// Writes a mirror: whole packs, or deltas of those that an older one has.
pub(crate) fn build(options: &BuildOptions) -> Result<MirrorOutcome> {
    let builder: PackBuilder = super::database::collect(options)?;
    let mut index = Index::default();
    let mut files = Vec::new();
    let old =
        options.delta_from.as_deref().map(|folder| read_index(&read_file(&folder.join(INDEX))?, folder)).transpose()?;
    std::fs::create_dir_all(&options.to).map_err(CliError::unwritable(&options.to))?;
    for (family, part) in builder.split() {
        let before = old.as_ref().and_then(|old| old.packs.get(&family));
        let (name, bytes) = match (&options.delta_from, before) {
            (Some(folder), Some(before)) => {
                let base = Pack::open_verified(&folder.join(&before.pack.file))?;
                (format!("{family}.delta"), part.build_delta(&base)?.0)
            }
            _ => (format!("{family}.pack"), part.build().0),
        };
        write_file(&options.to.join(&name), &bytes)?;
        let opened = match before {
            Some(before) if options.delta_from.is_some() => {
                let folder = options.delta_from.as_deref().unwrap_or(&options.to);
                let whole = read_file(&folder.join(&before.pack.file))?;
                // The delta needs its pack beside it.
                write_file(&options.to.join(&before.pack.file), &whole)?;
                Pack::from_parts(vec![whole, bytes.clone()])?
            }
            _ => Pack::from_bytes(bytes.clone())?,
        };
        let file = File {
            file: name.clone(),
            digest: Digest::of(&bytes),
            bytes: bytes.len() as u64,
            data_until: opened.info().data_until,
        };
        files.push(MirrorFile { name, bytes: file.bytes, records: opened.info().records });
        let entry = match before {
            Some(before) if options.delta_from.is_some() => Entry { pack: before.pack.clone(), delta: Some(file) },
            _ => Entry { pack: file, delta: None },
        };
        index.packs.insert(family, entry);
    }
    let mut text = serde_json::to_vec_pretty(&index).unwrap_or_default();
    text.push(b'\n');
    write_file(&options.to.join(INDEX), &text)?;
    Ok(MirrorOutcome { folder: options.to.clone(), files })
}

impl Index {
    /// Whether it has each of these families.
    fn has_all(&self, families: &[String]) -> Result<()> {
        for family in families {
            if !self.packs.contains_key(family) {
                let known = self.packs.keys().cloned().collect::<Vec<_>>().join(", ");
                return Err(CliError::Usage {
                    message: format!("the mirror has no pack of {family}"),
                    next: format!("it has: {known}"),
                }
                .into());
            }
        }
        Ok(())
    }

    /// All files that it names.
    fn files(&self) -> impl Iterator<Item = &File> {
        self.packs.values().flat_map(|entry| std::iter::once(&entry.pack).chain(&entry.delta))
    }
}

impl File {
    /// Whether these are its bytes.
    fn is(&self, bytes: &[u8]) -> Result<()> {
        if Digest::of(bytes) == self.digest {
            return Ok(());
        }
        Err(CliError::Usage {
            message: format!("{} is not the file that the mirror's index names", self.file),
            next: "fetch the mirror again".to_owned(),
        }
        .into())
    }
}

fn read_index(bytes: &[u8], place: &Path) -> Result<Index> {
    let wrong = |message: String| CliError::Setting {
        origin: place.display().to_string(),
        message: format!("the mirror's index cannot be read: {message}"),
        suggestion: Some("write one with: assay db build --split".to_owned()),
    };
    let index: Index = serde_json::from_slice(bytes).map_err(|error| wrong(error.to_string()))?;
    for file in index.files() {
        // A name that leads out of the mirror would be read, or written, elsewhere.
        let plain = file.file.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if !plain || file.file.starts_with('.') || file.file.is_empty() {
            return Err(wrong(format!("`{}` is no name of a file", file.file)).into());
        }
    }
    Ok(index)
}

/// Where packs come from.
enum Mirror {
    Folder(PathBuf),
    Artifact { source: Source, layers: BTreeMap<String, Descriptor> },
}

impl Mirror {
    fn open(from: &str, session: &Session<'_>) -> Result<Self> {
        if let Some(folder) = from.strip_prefix("file:") {
            return Ok(Self::Folder(folder.into()));
        }
        let image: ImageSource = from.parse()?;
        let client: Client = match image {
            ImageSource::Registry(_) => session.online("db update")?,
            _ => session.client()?,
        };
        session.run(async {
            let source = Source::open(&client, &image).await?;
            let root = source.root().await?;
            let layers = match root.manifest {
                Manifest::Image(manifest) => manifest.layers,
                Manifest::Index(_) => Vec::new(),
            };
            let titled = layers.into_iter().filter_map(|layer| Some((layer.annotations.get(TITLE)?.clone(), layer)));
            Ok(Self::Artifact { source, layers: titled.collect() })
        })
    }

    /// A file of the mirror; `None` where it has none of this name.
    fn read(&self, name: &str, session: &Session<'_>) -> Result<Option<Vec<u8>>> {
        match self {
            Self::Folder(folder) => {
                let path = folder.join(name);
                if path.exists() { Ok(Some(read_file(&path)?)) } else { Ok(None) }
            }
            Self::Artifact { source, layers } => {
                let Some(layer) = layers.get(name) else { return Ok(None) };
                session.run(async { Ok(Some(source.blob(layer).await?.bytes(MAX_BYTES).await?.to_vec())) })
            }
        }
    }

    /// Checks a file's signature by the key that was named.
    fn signed_by(
        &self,
        key: Option<&Path>,
        file: &str,
        digest: &Digest,
        session: &Session<'_>,
    ) -> std::result::Result<String, String> {
        let key = key.ok_or("no key was named")?;
        let name = format!("{file}{BUNDLE}");
        let bundle = self.read(&name, session).map_err(|failure| failure.what)?;
        let bundle = bundle.ok_or_else(|| format!("the mirror has no {name}"))?;
        let pem = read_text(key).map_err(|failure| failure.to_string())?;
        let material = TrustMaterial::new().with_public_key(&pem).map_err(|error| error.to_string())?;
        verify_bundle(&bundle, Artifact::Digest(*digest), &material, Timestamp::now())
            .map_err(|error| error.to_string())?;
        Ok(key.display().to_string())
    }

    fn need(&self, name: &str, session: &Session<'_>) -> Result<Vec<u8>> {
        let missing = || CliError::Usage {
            message: format!("the mirror has no {name}"),
            next: "fill it with: assay db build --split --to DIR".to_owned(),
        };
        Ok(self.read(name, session)?.ok_or_else(missing)?)
    }
}

/// Installs what a mirror has.
pub(crate) fn update(options: &UpdateOptions, session: &Session<'_>) -> Result<UpdateOutcome> {
    let mirror = Mirror::open(&options.from, session)?;
    let index = read_index(&mirror.need(INDEX, session)?, Path::new(&options.from))?;
    index.has_all(&options.families)?;
    let needed = options.needed.then(|| needed_families(session)).transpose()?;
    let mut store = Store::open(&options.to)?;
    let mut outcome = UpdateOutcome { folder: options.to.clone(), packs: Vec::new(), transferred: 0 };
    for (family, entry) in &index.packs {
        let named = options.families.is_empty() || options.families.contains(family);
        if !named || needed.as_ref().is_some_and(|needed| !needed.contains(family)) {
            continue;
        }
        let mut packs =
            UpdatedPack { family: family.clone(), data_until: entry.pack.data_until, changed: false, signer: None };
        // How fresh the data is shows once the delta is over it.
        let last = entry.delta.as_ref().unwrap_or(&entry.pack).digest;
        for file in std::iter::once(&entry.pack).chain(&entry.delta) {
            let in_use = store.slots().get(family).map(|slot| &slot.current);
            let here = in_use.is_some_and(|current| current.pack == file.digest || current.delta == Some(file.digest));
            if here {
                continue;
            }
            session.printer.progress(&format!("fetching {}", file.file));
            let bytes = mirror.need(&file.file, session)?;
            file.is(&bytes)?;
            outcome.transferred += bytes.len() as u64;
            let signature = |digest: &Digest| mirror.signed_by(options.key.as_deref(), &file.file, digest, session);
            let checks = Checks {
                now: Timestamp::now(),
                max_age_days: options.max_age_days.filter(|_| file.digest == last),
                accept_drop: options.accept_drop,
                signature: options.key.is_some().then_some(&signature),
            };
            let installed = store.install(family, bytes, checks)?;
            packs.changed |= !installed.unchanged;
            packs.signer = installed.signer;
        }
        packs.data_until = store.slots().get(family).map_or(packs.data_until, |slot| slot.current.data_until);
        outcome.packs.push(packs);
    }
    store.clean()?;
    Ok(outcome)
}

/// The families of packs that the images of the store need.
fn needed_families(session: &Session<'_>) -> Result<BTreeSet<String>> {
    let store = session.asked_store("kubectl get pods,jobs,namespaces -A -o json | assay inventory sync -f -")?;
    let mut needed = BTreeSet::new();
    for digest in store.known_images()? {
        if let Some((contents, _)) = store.contents(digest, ANALYSER)? {
            needed.extend(assay_vuln::packs_for(&contents));
        }
    }
    if needed.is_empty() {
        return Err(CliError::NotFound {
            what: "an image in the store whose packages are known".to_owned(),
            suggestion: None,
            next: "assay inventory sync, or name the families".to_owned(),
        }
        .into());
    }
    Ok(needed)
}

/// Goes back to what was in use before.
pub(crate) fn rollback(options: &RollbackOptions) -> Result<UpdateOutcome> {
    let mut store = Store::open(&options.to)?;
    store.rollback(&options.family)?;
    let packs = store.slots().get(&options.family).map(|slot| UpdatedPack {
        family: options.family.clone(),
        data_until: slot.current.data_until,
        changed: true,
        signer: None,
    });
    Ok(UpdateOutcome { folder: options.to.clone(), packs: packs.into_iter().collect(), transferred: 0 })
}
