//! `assay db`: vulnerability packs.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assay_model::{Algorithm, Digest, Hasher, PackInfo};
use assay_vuln::{Pack, PackBuilder};
use serde::Serialize;

use crate::Result;
use crate::failure::{CliError, read_file, write_file};
use crate::settings::Settings;

/// Bytes that are read at a time, to be hashed.
const READ_BYTES: usize = 256 << 10;

/// What to build a pack from.
#[derive(Debug)]
pub(crate) struct BuildOptions {
    /// Files and folders of OSV records.
    pub(crate) sources: Vec<PathBuf>,
    /// Catalogue of known exploited vulnerabilities.
    pub(crate) kev: Option<PathBuf>,
    /// File to write, or folder of a mirror.
    pub(crate) to: PathBuf,
    /// Whether a mirror is written, with a pack for each family.
    pub(crate) split: bool,
    /// What only the changes of are written.
    pub(crate) delta_from: Option<PathBuf>,
}

/// A pack that was built.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BuildOutcome {
    /// The file.
    pub(crate) file: PathBuf,
    /// Its size.
    pub(crate) bytes: usize,
    /// SHA-256 of the whole file.
    pub(crate) file_digest: Digest,
    /// Records read.
    pub(crate) read: u64,
    /// Vulnerabilities, aliases merged.
    pub(crate) vulnerabilities: u64,
    /// Of these, known to be exploited.
    pub(crate) known_exploited: u64,
    /// What was left out, in words.
    pub(crate) skipped: Vec<(String, u64)>,
    /// What is in it.
    pub(crate) pack: PackInfo,
}

/// A pack's description.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct InfoOutcome {
    /// The file; none = the embedded sample.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file: Option<PathBuf>,
    /// SHA-256 of the whole file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) file_digest: Option<Digest>,
    /// What is in it.
    pub(crate) pack: PackInfo,
}

/// Builds a pack. The same records give the same bytes.
pub(crate) fn build(options: &BuildOptions) -> Result<BuildOutcome> {
    let builder = collect(options)?;
    let (bytes, report, pack) = match &options.delta_from {
        None => {
            let (bytes, report) = builder.build();
            let pack = Pack::from_bytes(bytes.clone())?.info().clone();
            (bytes, report, pack)
        }
        Some(path) => {
            let base = Pack::open_verified(path)?;
            let report = builder.report().clone();
            let (bytes, _) = builder.build_delta(&base)?;
            let pack = Pack::from_parts(vec![read_file(path)?, bytes.clone()])?.info().clone();
            (bytes, report, pack)
        }
    };
    let (size, file_digest) = (bytes.len(), Digest::of(&bytes));
    write_file(&options.to, &bytes)?;
    Ok(BuildOutcome {
        file: options.to.clone(),
        bytes: size,
        file_digest,
        read: report.read,
        vulnerabilities: report.vulnerabilities,
        known_exploited: report.known_exploited,
        skipped: report.skipped.iter().map(|(reason, count)| (reason.describe().to_owned(), *count)).collect(),
        pack,
    })
}

/// Reads all sources.
pub(crate) fn collect(options: &BuildOptions) -> Result<PackBuilder> {
    let mut builder = PackBuilder::new();
    for source in &options.sources {
        builder.add_path(source, None)?;
    }
    if let Some(kev) = &options.kev {
        builder.add_known_exploited(&kev.display().to_string(), &read_file(kev)?)?;
    }
    Ok(builder)
}

/// Describes a pack after checking every byte of it.
pub(crate) fn info(file: Option<PathBuf>, settings: &Settings) -> Result<InfoOutcome> {
    let file = file.or_else(|| settings.pack.value.clone());
    let pack = match &file {
        Some(path) => Pack::open_verified(path)?,
        None => assay_vuln::embedded()?,
    };
    let file_digest = file.as_deref().filter(|path| path.is_file()).map(digest_of).transpose()?;
    Ok(InfoOutcome { file, file_digest, pack: pack.info().clone() })
}

/// SHA-256 of a file of any size.
fn digest_of(path: &Path) -> Result<Digest> {
    let mut file = BufReader::with_capacity(READ_BYTES, File::open(path).map_err(CliError::unreadable(path))?);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    loop {
        let bytes = file.fill_buf().map_err(CliError::unreadable(path))?;
        if bytes.is_empty() {
            return Ok(hasher.finish());
        }
        hasher.update(bytes);
        let count = bytes.len();
        file.consume(count);
    }
}

/// The pack in use: the one set, else the embedded sample.
pub(crate) fn open(file: Option<&Path>) -> Result<Arc<Pack>> {
    let pack = match file {
        Some(path) if !path.exists() => {
            let source = std::io::Error::from(std::io::ErrorKind::NotFound);
            return Err(CliError::Unreadable { path: path.to_owned(), source }.into());
        }
        Some(path) => Pack::open(path)?,
        None => assay_vuln::embedded()?,
    };
    Ok(Arc::new(pack))
}
