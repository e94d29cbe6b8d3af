//! One layer: bytes in, what they hold out.

use std::collections::BTreeSet;
use std::io::Read;

use assay_model::{Algorithm, Bound, Digest, OsRelease, Package, Partial, SecretMatch};
use serde::{Deserialize, Serialize};

use crate::analyse::{Analysis, Body};
use crate::directory::DirectoryOptions;
use crate::ecosystems::Scope;
use crate::error::LayerError;
use crate::inflate::{Finished, Inflate};
use crate::limits::Limits;
use crate::path;
use crate::tar::{Entry, Kind, Tar, TarError};

/// What one layer holds, by itself. It depends on nothing but the bytes, [`crate::ANALYSER`] and the [`Limits`], and can
/// be kept under the blob's verified digest. [`crate::merge`] makes [`assay_model::Contents`] of all layers of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LayerResult {
    /// Version of the analyser that made it.
    pub analyser: u32,
    /// Digest of the blob as transferred: verified, or there would be no result.
    pub digest: Digest,
    /// SHA-256 of the uncompressed tar; where [`Self::partial`] says that the layer was not read to its end, of the part
    /// that was read, which equals no real layer's.
    pub diff_id: Digest,
    /// Bytes as transferred.
    pub size: u64,
    /// Bytes uncompressed.
    pub uncompressed: u64,
    /// All paths, sorted, each with a line feed after it; directories end in `/`.
    pub paths: String,
    /// Paths of lower layers that this one deletes, sorted.
    pub whiteouts: Vec<String>,
    /// Directories whose content in lower layers this one hides, sorted; the root is empty.
    pub opaque: Vec<String>,
    /// Files that run with the rights of their owner or group, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setuid: Vec<String>,
    /// What the parsers found, sorted by path.
    pub facts: Vec<Fact>,
    /// Secrets, sorted; layer indexes are given when layers are merged.
    pub secrets: Vec<SecretMatch>,
    /// What could not be read to its end.
    pub partial: Vec<Partial>,
}

/// Something a file says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// The file.
    pub path: String,
    /// The distribution package of the same layer that lists the file as its own: then the file's packages are the
    /// distribution's, and are not listed a second time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// What it says.
    pub says: Says,
}

/// The kinds of [`Fact`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// These packages are there.
    Packages(Vec<Package>),
    /// npm's record of an installed tree: exactly these packages are below this `node_modules` directory.
    NpmTree {
        /// The directory, without a slash at its end.
        below: String,
        /// The packages, at the paths of their `package.json`.
        packages: Vec<Package>,
    },
    /// The licences of a Debian package, from its copyright file.
    DebianLicence {
        /// Binary package name.
        package: String,
        /// Licence names joined by ` AND `.
        licence: String,
    },
    /// The licence of the package in this folder, by a text beside it.
    LicenceText {
        /// The folder.
        folder: String,
        /// SPDX identifier.
        licence: String,
    },
    /// The distribution, from an `os-release` file.
    OsRelease(OsRelease),
    /// The file is a symbolic link to this path.
    Link(String),
}

/// Reads a layer once: inflates it (gzip with any number of members, zstd, or plain, told apart by the first bytes), hashes
/// it on both sides, walks the tar and hands each file that matters to its parser. Nothing is unpacked to disk.
///
/// `expected` is the digest in the manifest, `media_type` the descriptor's (empty where there is none).
///
/// Memory: about 2 MB of buffers, the paths, the findings, and one file at a time of at most [`Limits::file_bytes`].
/// Reaching a bound, or damage inside a blob whose digest is right, makes the result `partial`; the blob is still read to
/// its end, so that its digest is always checked.
///
/// ```
/// use assay_model::Digest;
///
/// let empty_tar = [0; 1024];
/// let layer = assay_inspect::inspect_layer(&empty_tar[..], &Digest::of(&empty_tar), "", &Default::default())?;
/// assert!(layer.paths.is_empty() && layer.partial.is_empty());
/// # Ok::<(), assay_inspect::LayerError>(())
/// ```
pub fn inspect_layer(
    reader: impl Read,
    expected: &Digest,
    media_type: &str,
    limits: &Limits,
) -> Result<LayerResult, LayerError> {
    // Artifact types that hold a tar say so (`...tar+gzip`, `...tar.gzip`); an encrypted one is not readable as it is.
    if !media_type.is_empty() && (!media_type.contains("tar") || media_type.ends_with("+encrypted")) {
        return Err(LayerError::UnsupportedMediaType { digest: *expected, media_type: media_type.to_owned() });
    }
    // A result is kept under the digest of the blob, so that it may depend on nothing else.
    let options = DirectoryOptions { limits: *limits, ..DirectoryOptions::default() };
    let result = read_archive(reader, expected.algorithm(), Scope::Image, &options)
        .map_err(|source| LayerError::Read { digest: *expected, source })?;
    if result.digest != *expected {
        return Err(LayerError::DigestMismatch { expected: Box::new(*expected), found: Box::new(result.digest) });
    }
    Ok(result)
}

/// Reads a tar archive, compressed or not, whatever its digest is.
pub(crate) fn read_archive(
    reader: impl Read,
    algorithm: Algorithm,
    scope: Scope,
    options: &DirectoryOptions,
) -> std::io::Result<LayerResult> {
    let inflate = Inflate::new(reader, algorithm, options.limits)?;
    let mut walk = Walk::new(options, scope);
    let mut tar = Tar::new(inflate);
    let damage = walk.run(&mut tar).err();
    let Finished { digest, diff_id, compressed, inflated, stopped } = tar.into_source().finish()?;
    if let Some(bound) = stopped.or(damage.map(|_| Bound::Malformed)) {
        walk.analysis.partial(format!("layer {}", digest.short()), bound);
    }
    Ok(walk.finish(digest, diff_id, compressed, inflated))
}

/// Set-user-ID and set-group-ID (POSIX, `sys/stat.h`).
pub(crate) const SET_ID: u32 = 0o6000;

/// The state of one walk through a tar, or through the table that stands for one.
pub(crate) struct Walk {
    limits: Limits,
    pub(crate) analysis: Analysis,
    entries: u64,
    path_bytes: u64,
    paths: BTreeSet<String>,
    whiteouts: BTreeSet<String>,
    opaque: BTreeSet<String>,
    setuid: BTreeSet<String>,
}

impl Walk {
    pub(crate) fn new(options: &DirectoryOptions, scope: Scope) -> Self {
        Self {
            limits: options.limits,
            analysis: Analysis::new(options.limits, scope, std::sync::Arc::clone(&options.rules)),
            entries: 0,
            path_bytes: 0,
            paths: BTreeSet::new(),
            whiteouts: BTreeSet::new(),
            opaque: BTreeSet::new(),
            setuid: BTreeSet::new(),
        }
    }

    fn run<R: Read>(&mut self, tar: &mut Tar<R>) -> Result<(), TarError> {
        while let Some(entry) = tar.next()? {
            if !self.counts(&entry) {
                self.analysis.partial("entries of the layer".to_owned(), Bound::Entries);
                return Ok(());
            }
            self.entry(entry, tar)?;
        }
        Ok(())
    }

    /// Counts one more entry; whether there may be one.
    pub(crate) fn counts(&mut self, entry: &Entry) -> bool {
        self.entries += 1;
        self.path_bytes = self.path_bytes.saturating_add(entry.path.len() as u64);
        self.entries <= self.limits.entries && self.path_bytes <= self.limits.path_bytes
    }

    /// Takes down what an entry is called. The path, where there is more to look at.
    pub(crate) fn note(&mut self, entry: &Entry) -> Option<String> {
        let Some(path) = path::normalise(&entry.path) else {
            self.analysis.partial("an entry with a path longer than 4096 bytes".to_owned(), Bound::Bytes);
            return None;
        };
        if path.is_empty() {
            return None;
        }
        let (directory, name) = path::split(&path);
        if let Some(hidden) = name.strip_prefix(".wh.") {
            // OCI image-spec, layer.md, "Whiteouts"; other `.wh..wh.` names are AUFS's own book-keeping.
            if name == ".wh..wh..opq" {
                self.opaque.insert(directory.to_owned());
            } else if !hidden.is_empty() && !hidden.starts_with(".wh.") {
                self.whiteouts.insert(path::join(directory, hidden));
            }
            return None;
        }
        // An archive may hold a path twice: the later entry is what a runtime leaves on disk.
        if !self.paths.insert(if entry.kind == Kind::Directory { format!("{path}/") } else { path.clone() })
            && entry.kind != Kind::Directory
        {
            self.analysis.forget(&path);
        }
        if entry.kind == Kind::Regular && entry.mode & SET_ID != 0 {
            self.setuid.insert(path.clone());
        } else {
            self.setuid.remove(&path);
        }
        Some(path)
    }

    fn entry<R: Read>(&mut self, entry: Entry, tar: &mut Tar<R>) -> Result<(), TarError> {
        let Some(path) = self.note(&entry) else { return Ok(()) };
        match entry.kind {
            Kind::Regular if entry.sparse => self.analysis.unread_sparse(&path),
            Kind::Regular => self.analysis.file(&path, entry.size, &mut Content(tar))?,
            Kind::HardLink => {
                if let Some(target) = path::normalise(&entry.link) {
                    self.analysis.hard_link(&path, &target);
                }
            }
            Kind::SymbolicLink => self.analysis.symbolic_link(&path, &String::from_utf8_lossy(&entry.link)),
            Kind::Directory | Kind::Special => {}
        }
        Ok(())
    }

    pub(crate) fn finish(self, digest: Digest, diff_id: Digest, size: u64, uncompressed: u64) -> LayerResult {
        let (facts, secrets, partial) = self.analysis.finish();
        let mut paths = String::with_capacity(self.paths.iter().map(|path| path.len() + 1).sum());
        for path in &self.paths {
            paths.push_str(path);
            paths.push('\n');
        }
        LayerResult {
            analyser: crate::ANALYSER,
            digest,
            diff_id,
            size,
            uncompressed,
            paths,
            whiteouts: self.whiteouts.into_iter().collect(),
            opaque: self.opaque.into_iter().collect(),
            setuid: self.setuid.into_iter().collect(),
            facts,
            secrets,
            partial,
        }
    }
}

/// The content of the tar's current entry.
struct Content<'a, R>(&'a mut Tar<R>);

impl<R: Read> Body for Content<'_, R> {
    type Error = TarError;

    fn peek(&mut self) -> Result<&[u8], TarError> {
        self.0.peek()
    }

    fn consume(&mut self, bytes: usize) {
        self.0.consume(bytes);
    }
}
