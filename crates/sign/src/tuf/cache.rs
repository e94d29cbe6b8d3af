//! The files that the protocol keeps, and what was seen of them in one run.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use sigstore_tuf::MetadataStore;
use sigstore_tuf::transport::{FetchFuture, Repository};

use super::TufError;

/// Largest file read back; nothing longer was written.
const FILE_MAX: u64 = 8 << 20;

/// All files of one run: what was read from disk and used, and what was written. Clones share it.
///
/// On disk they lie in `metadata/` without versions in their names (roots of the past in `metadata/root_history/`) and
/// in `targets/`. Without a folder it holds what it was given: the last good files, to be verified again.
#[derive(Clone, Debug)]
pub(super) struct Cache {
    directory: Option<PathBuf>,
    seen: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
}

impl Cache {
    pub(super) fn on_disk(directory: &Path) -> Self {
        Self { directory: Some(directory.to_owned()), seen: Arc::default() }
    }

    pub(super) fn replay(files: BTreeMap<String, Vec<u8>>) -> Self {
        Self { directory: None, seen: Arc::new(Mutex::new(files)) }
    }

    /// All files as they are now.
    pub(super) fn seen(&self) -> BTreeMap<String, Vec<u8>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The files as a repository that has nothing else.
    pub(super) fn repository(&self) -> Replayed {
        Replayed(self.seen())
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        let directory = self.directory.as_ref()?;
        let relative = Path::new(name);
        if !relative.components().all(|part| matches!(part, Component::Normal(_))) {
            return None;
        }
        Some(if name.starts_with("targets/") { directory.join(name) } else { directory.join("metadata").join(name) })
    }

    fn note(&self, name: &str, bytes: &[u8]) {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), bytes.to_vec());
    }
}

impl MetadataStore for Cache {
    fn load(&self, name: &str) -> sigstore_tuf::Result<Option<Vec<u8>>> {
        let Some(path) = self.path(name) else {
            return Ok(self.seen.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned());
        };
        let bytes = read(&path).map_err(|source| sigstore_tuf::Error::io(path.display().to_string(), source))?;
        if let Some(bytes) = &bytes {
            self.note(name, bytes);
        }
        Ok(bytes)
    }

    fn store(&self, name: &str, bytes: &[u8]) -> sigstore_tuf::Result<()> {
        // `7.snapshot.json` is kept as `snapshot.json`.
        if without_version(name).is_some() {
            return Ok(());
        }
        self.note(name, bytes);
        let Some(path) = self.path(name) else { return Ok(()) };
        replace(&path, bytes).map_err(|source| sigstore_tuf::Error::io(path.display().to_string(), source))
    }
}

/// The name after a version in front of it, if there is one.
fn without_version(name: &str) -> Option<&str> {
    let (version, plain) = name.split_once('.')?;
    (!version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit())).then_some(plain)
}

/// A repository of files that are at hand.
pub(super) struct Replayed(BTreeMap<String, Vec<u8>>);

impl Replayed {
    fn metadata(&self, name: &str) -> Option<Vec<u8>> {
        if name.ends_with(".root.json") {
            return self.0.get(&format!("root_history/{name}")).cloned();
        }
        self.0.get(without_version(name).unwrap_or(name)).cloned()
    }
}

impl Repository for Replayed {
    fn fetch_metadata<'a>(&'a self, name: &'a str, _max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move { Ok(self.metadata(name)) })
    }

    /// Targets are taken from the cache before a repository is asked.
    fn fetch_target<'a>(&'a self, _path: &'a str, _max_length: u64) -> FetchFuture<'a> {
        Box::pin(async move { Ok(None) })
    }
}

/// A file of at most [`FILE_MAX`] bytes; none where there is none.
pub(super) fn read(path: &Path) -> std::io::Result<Option<Vec<u8>>> {
    let file = match std::fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take(FILE_MAX + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > FILE_MAX {
        return Err(std::io::Error::other(format!("longer than {FILE_MAX} bytes")));
    }
    Ok(Some(bytes))
}

/// Writes a file as a whole: whoever reads it sees the old or the new one.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

pub(super) fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> TufError {
    let path = path.to_owned();
    move |source| TufError::Cache { path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_kept_without_versions_and_inside_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let cache = Cache::on_disk(folder.path());
        for name in ["snapshot.json", "7.snapshot.json", "..%2Frole.json", "root_history/2.root.json", "targets/a/b"] {
            cache.store(name, name.as_bytes()).unwrap();
        }
        for outside in ["../escaped", "/tmp/escaped", "targets/../../escaped"] {
            cache.store(outside, b"x").unwrap();
            assert!(!folder.path().parent().unwrap().join("escaped").exists());
        }
        let on_disk = |name: &str| folder.path().join(name).exists();
        assert!(on_disk("metadata/snapshot.json") && on_disk("metadata/root_history/2.root.json"));
        assert!(on_disk("metadata/..%2Frole.json") && on_disk("targets/a/b") && !on_disk("metadata/7.snapshot.json"));

        let again = Cache::on_disk(folder.path());
        assert_eq!(again.load("snapshot.json").unwrap().unwrap(), b"snapshot.json");
        assert_eq!(again.load("absent.json").unwrap(), None);
        assert_eq!(again.seen().keys().collect::<Vec<_>>(), ["snapshot.json"]);
    }

    #[test]
    fn a_file_that_is_too_long_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("long");
        std::fs::File::create(&path).unwrap().set_len(FILE_MAX + 1).unwrap();
        assert!(read(&path).is_err());
        std::fs::File::create(&path).unwrap().set_len(FILE_MAX).unwrap();
        assert_eq!(read(&path).unwrap().unwrap().len() as u64, FILE_MAX);
    }

    #[test]
    fn a_replay_knows_versioned_names() {
        let files = [("root_history/3.root.json", "r"), ("snapshot.json", "s"), ("role.json", "d")];
        let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
        let repository = Cache::replay(files.into_iter().collect()).repository();
        assert_eq!(repository.metadata("3.root.json").unwrap(), b"r");
        assert_eq!(repository.metadata("12.snapshot.json").unwrap(), b"s");
        assert_eq!(repository.metadata("snapshot.json").unwrap(), b"s");
        assert_eq!(repository.metadata("1.role.json").unwrap(), b"d");
        assert_eq!(repository.metadata("4.root.json"), None);
    }
}
