//! Files by name, in a folder or in a tar file, and never outside.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use tempfile::TempPath;

use super::{compressed, tar};
use crate::OciError;

/// Links followed from one name to the next.
const LINKS_MAX: usize = 8;

#[derive(Debug)]
pub(super) enum Files {
    /// A folder; its canonical path.
    Folder { path: PathBuf, root: PathBuf },
    /// A tar file and where its entries lie; one in gzip is read from a file that is there only for this.
    Archive { path: PathBuf, inflated: Option<TempPath>, entries: BTreeMap<String, tar::Entry> },
}

impl Files {
    pub(super) fn folder(path: &Path) -> Result<Self, OciError> {
        let root = path.canonicalize().map_err(|error| OciError::file(path, &error))?;
        Ok(Self::Folder { path: path.to_owned(), root })
    }

    pub(super) fn archive(path: &Path) -> Result<Self, OciError> {
        let inflated = compressed::is(path).then(|| compressed::inflated(path)).transpose()?;
        let file = File::open(inflated.as_deref().unwrap_or(path)).map_err(|error| OciError::file(path, &error))?;
        let entries = tar::entries(file).map_err(|reason| OciError::BadArchive { path: path.to_owned(), reason })?;
        Ok(Self::Archive { path: path.to_owned(), inflated, entries })
    }

    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Folder { path, .. } | Self::Archive { path, .. } => path,
        }
    }

    fn bad(&self, reason: String) -> OciError {
        OciError::BadArchive { path: self.path().to_owned(), reason }
    }

    /// A file at its first byte, and its length.
    pub(super) fn open(&self, name: &str) -> Result<(File, u64), OciError> {
        let missing = || OciError::NotFound { registry: self.path().display().to_string(), what: name.to_owned() };
        match self {
            Self::Folder { root, .. } => {
                let path = root.join(name);
                let real = match path.canonicalize() {
                    Ok(real) => real,
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing()),
                    Err(error) => return Err(OciError::file(&path, &error)),
                };
                if !real.starts_with(root) {
                    return Err(self.bad(format!("{name} is a link out of the layout")));
                }
                let file = File::open(&real).map_err(|error| OciError::file(&real, &error))?;
                let metadata = file.metadata().map_err(|error| OciError::file(&real, &error))?;
                if !metadata.is_file() {
                    return Err(self.bad(format!("{name} is not a regular file")));
                }
                Ok((file, metadata.len()))
            }
            Self::Archive { path, inflated, entries } => {
                let mut name = name.to_owned();
                for _ in 0..LINKS_MAX {
                    match entries.get(&name) {
                        None => return Err(missing()),
                        Some(tar::Entry::File { offset, length }) => {
                            let lies = inflated.as_deref().unwrap_or(path);
                            let mut file = File::open(lies).map_err(|error| OciError::file(path, &error))?;
                            file.seek(SeekFrom::Start(*offset)).map_err(|error| OciError::file(path, &error))?;
                            return Ok((file, *length));
                        }
                        Some(tar::Entry::Link { target: Some(target) }) => name.clone_from(target),
                        Some(tar::Entry::Link { target: None }) => {
                            return Err(self.bad(format!("{name} is a link out of the archive")));
                        }
                    }
                }
                Err(self.bad(format!("{name} is a chain of links")))
            }
        }
    }

    /// A small file, whole.
    pub(super) fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>, OciError> {
        let (file, length) = self.open(name)?;
        if length > limit {
            return Err(OciError::TooLarge { what: format!("{} {name}", self.path().display()), limit });
        }
        let mut bytes = Vec::new();
        file.take(length).read_to_end(&mut bytes).map_err(|error| OciError::file(self.path(), &error))?;
        if bytes.len() as u64 != length {
            return Err(self.bad(format!("{name} is cut short")));
        }
        Ok(bytes)
    }
}
