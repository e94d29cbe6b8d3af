//! Directories instead of images: the same parsers, and what lockfiles declare.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read as _};
use std::path::Path;
use std::sync::Arc;

use assay_model::{Bound, Contents};

use crate::analyse::{Analysis, Body};
use crate::ecosystems::Scope;
use crate::error::DirectoryError;
use crate::inflate::Inflate;
use crate::limits::Limits;
use crate::merge;
use crate::path;
use crate::secrets::SecretRules;
use crate::tar::PEEK;

/// Folders that hold tools' own data, not the project.
const SKIPPED: [&str; 3] = [".git", ".hg", ".svn"];
/// Nesting of directories that is followed.
const DEPTH: usize = 256;

/// How directories, files and archives are read.
#[derive(Clone, Debug)]
pub struct DirectoryOptions {
    /// The bounds.
    pub limits: Limits,
    /// What secrets look like.
    pub rules: Arc<SecretRules>,
}

impl Default for DirectoryOptions {
    /// The default bounds and the built-in rules.
    fn default() -> Self {
        Self { limits: Limits::default(), rules: SecretRules::built_in() }
    }
}

/// Reads all files below a directory with the parsers of [`crate::inspect_layer`]; packages that
/// lockfiles and manifests declare are listed too, as tier `declared`.
///
/// Symbolic links are not followed, version control data is skipped, files are visited in the order of their names. The
/// bounds are those of one layer ([`Limits::entries`], [`Limits::layer_bytes`], [`Limits::file_bytes`]) and 256 levels of
/// directories; a file that cannot be opened makes the result `partial`.
pub fn inspect_directory(directory: &Path, options: &DirectoryOptions) -> Result<Contents, DirectoryError> {
    walk(directory, options, Scope::Directory)
}

/// Reads bytes as the file of a directory of sources that has this path.
///
/// ```
/// let options = assay_inspect::DirectoryOptions::default();
/// let contents = assay_inspect::inspect_bytes("app/requirements.txt", b"flask==3.0.0\n", &options);
/// assert_eq!(contents.packages[0].purl.to_string(), "pkg:pypi/flask@3.0.0");
/// ```
pub fn inspect_bytes(path: &str, bytes: &[u8], options: &DirectoryOptions) -> Contents {
    let mut analysis = Analysis::new(options.limits, Scope::Directory, Arc::clone(&options.rules));
    match path::normalise(path.as_bytes()) {
        Some(path) => match analysis.file(&path, bytes.len() as u64, &mut Bytes(bytes)) {
            Ok(()) => {}
            Err(never) => match never {},
        },
        None => analysis.partial("a path longer than 4096 bytes".to_owned(), Bound::Bytes),
    }
    let (facts, secrets, partial) = analysis.finish();
    let facts = facts.iter().map(|fact| merge::placed(fact, None)).collect();
    Contents { files: 1, ..merge::settle(facts, secrets, partial) }
}

/// Content that is in memory.
pub(crate) struct Bytes<'b>(pub(crate) &'b [u8]);

impl Body for Bytes<'_> {
    type Error = std::convert::Infallible;

    fn peek(&mut self) -> Result<&[u8], Self::Error> {
        Ok(self.0)
    }

    fn consume(&mut self, bytes: usize) {
        self.0 = self.0.get(bytes..).unwrap_or_default();
    }
}

/// Reads a root file system (of a virtual machine, a node, an unpacked image): what is installed counts, what lockfiles
/// declare does not, and its surface is told as an image's. Otherwise as [`inspect_directory`].
pub fn inspect_root(directory: &Path, options: &DirectoryOptions) -> Result<Contents, DirectoryError> {
    walk(directory, options, Scope::Image)
}

/// Reads a tar archive of sources, compressed or not, as [`inspect_directory`] reads a directory. Nothing is unpacked.
pub fn inspect_archive(path: &Path, options: &DirectoryOptions) -> Result<Contents, DirectoryError> {
    let open = |source| DirectoryError::Open { path: path.to_owned(), source };
    let file = File::open(path).map_err(open)?;
    let archive =
        crate::layer::read_archive(file, assay_model::Algorithm::Sha256, Scope::Directory, options).map_err(open)?;
    Ok(Contents { layers: Vec::new(), surface: assay_model::Surface::default(), ..merge::merge(&[archive], None) })
}

/// Whether a file is a tar archive, compressed or not, by what is in it (POSIX.1-2001, pax, "ustar Interchange Format":
/// `magic` at byte 257). A file that cannot be read is none, which whoever reads it will say.
#[must_use]
pub fn is_archive(path: &Path) -> bool {
    let start = || -> std::io::Result<Vec<u8>> {
        let file = File::open(path)?;
        let mut start = Vec::new();
        Inflate::new(file, assay_model::Algorithm::Sha256, Limits::default())?.take(512).read_to_end(&mut start)?;
        Ok(start)
    };
    start().is_ok_and(|start| start.get(257..262) == Some(b"ustar"))
}

fn walk(directory: &Path, options: &DirectoryOptions, scope: Scope) -> Result<Contents, DirectoryError> {
    let open = |source| DirectoryError::Open { path: directory.to_owned(), source };
    let top = fs::read_dir(directory).map_err(open)?;
    let mut walk = Walk::new(options, scope);
    walk.directory(top, "", DEPTH);
    let Walk { analysis, entries: files, bytes, programs, mut setuid, .. } = walk;
    let (facts, secrets, partial) = analysis.finish();
    let facts = facts.iter().map(|fact| merge::placed(fact, None)).collect();
    let mut contents = Contents { files, ..merge::settle(facts, secrets, partial) };
    if scope == Scope::Image {
        setuid.sort();
        contents.surface =
            assay_model::Surface { setuid, bytes, ..merge::programs(programs.iter().map(String::as_str)) };
    }
    Ok(contents)
}

/// Reads one file with the parsers of [`inspect_directory`]: a lockfile, an executable, an archive.
pub fn inspect_file(path: &Path, options: &DirectoryOptions) -> Result<Contents, DirectoryError> {
    let open = |source| DirectoryError::Open { path: path.to_owned(), source };
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut walk = Walk::new(options, Scope::Directory);
    walk.file(path, &name).map_err(open)?;
    let (facts, secrets, partial) = walk.analysis.finish();
    let facts = facts.iter().map(|fact| merge::placed(fact, None)).collect();
    Ok(Contents { files: 1, ..merge::settle(facts, secrets, partial) })
}

struct Walk {
    limits: Limits,
    analysis: Analysis,
    /// Files that were visited.
    entries: u64,
    bytes: u64,
    /// Files that may be shells or package managers.
    programs: Vec<String>,
    /// Files with set-user-ID or set-group-ID.
    setuid: Vec<String>,
}

impl Walk {
    fn new(options: &DirectoryOptions, scope: Scope) -> Self {
        Self {
            limits: options.limits,
            analysis: Analysis::new(options.limits, scope, Arc::clone(&options.rules)),
            entries: 0,
            bytes: 0,
            programs: Vec::new(),
            setuid: Vec::new(),
        }
    }

    fn directory(&mut self, entries: fs::ReadDir, place: &str, depth: usize) {
        let mut sorted = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => sorted.push(entry),
                Err(_) => self.analysis.partial(place.to_owned(), Bound::Malformed),
            }
            if sorted.len() as u64 > self.limits.entries {
                self.analysis.partial(format!("{place} (files)"), Bound::Entries);
                return;
            }
        }
        sorted.sort_by_key(fs::DirEntry::file_name);
        for entry in sorted {
            let name = entry.file_name();
            let Some(place) = path::normalise(path::join(place, &name.to_string_lossy()).as_bytes()) else {
                self.analysis.partial("a path longer than 4096 bytes".to_owned(), Bound::Bytes);
                continue;
            };
            // The entry's own type: a link is not followed.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() && !SKIPPED.iter().any(|skipped| name == *skipped) {
                match (depth.checked_sub(1), fs::read_dir(entry.path())) {
                    (Some(depth), Ok(inner)) => self.directory(inner, &place, depth),
                    (None, _) => self.analysis.partial(place, Bound::Depth),
                    (_, Err(_)) => self.analysis.partial(format!("{place} (unreadable)"), Bound::Malformed),
                }
            } else if kind.is_file() {
                self.entries += 1;
                if self.entries > self.limits.entries {
                    self.analysis.partial("files of the directory".to_owned(), Bound::Entries);
                    return;
                }
                if self.file(&entry.path(), &place).is_err() {
                    self.analysis.partial(format!("{place} (unreadable)"), Bound::Malformed);
                }
            } else if kind.is_symlink()
                && let Ok(target) = fs::read_link(entry.path())
            {
                self.programs.extend(merge::is_program(&place).then(|| place.clone()));
                self.analysis.symbolic_link(&place, &target.to_string_lossy());
            }
        }
    }

    fn file(&mut self, path: &Path, place: &str) -> io::Result<()> {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let size = metadata.len();
        self.programs.extend(merge::is_program(place).then(|| place.to_owned()));
        self.setuid.extend(is_set_id(&metadata).then(|| place.to_owned()));
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.limits.layer_bytes {
            self.analysis.partial("bytes of the directory".to_owned(), Bound::Bytes);
            return Ok(());
        }
        // A file that grows while it is read is read to the size it had.
        let mut body = Content { reader: BufReader::with_capacity(64 << 10, file), left: size, start: Vec::new() };
        self.analysis.file(place, size, &mut body)
    }
}

#[cfg(unix)]
fn is_set_id(metadata: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.permissions().mode() & crate::layer::SET_ID != 0
}

#[cfg(not(unix))]
fn is_set_id(_: &fs::Metadata) -> bool {
    false
}

/// The content of a file on disk.
struct Content {
    reader: BufReader<File>,
    left: u64,
    /// Collects short reads, so that the first look shows enough.
    start: Vec<u8>,
}

impl Body for Content {
    type Error = io::Error;

    fn peek(&mut self) -> io::Result<&[u8]> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let available = self.reader.fill_buf()?.len().min(left);
        if self.start.is_empty() && available >= left.min(PEEK) {
            return Ok(self.reader.buffer().get(..available).unwrap_or_default());
        }
        while self.start.len() < left.min(PEEK) {
            let bytes = self.reader.fill_buf()?;
            if bytes.is_empty() {
                break;
            }
            let take = bytes.len().min(left - self.start.len());
            self.start.extend_from_slice(bytes.get(..take).unwrap_or_default());
            self.reader.consume(take);
        }
        Ok(&self.start)
    }

    fn consume(&mut self, bytes: usize) {
        self.left = self.left.saturating_sub(bytes as u64);
        if self.start.is_empty() {
            self.reader.consume(bytes);
        } else {
            self.start.drain(..bytes.min(self.start.len()));
        }
    }
}
