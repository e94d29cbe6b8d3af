//! The files of the last refresh that succeeded as a whole, in one file.
//!
//! The protocol keeps each file as soon as it is verified, so that after a refresh that failed half-way its files do not
//! fit each other. What a verifier falls back to must: it is written as one, and only after everything held.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{TufError, TufVersions, cache};

/// The form of the file.
const VERSION: u32 = 1;

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    version: u32,
    /// Of root, timestamp, snapshot and targets. They only order two files; what counts is in the metadata.
    metadata: [u64; 4],
    /// Name and base64 of the bytes.
    files: BTreeMap<String, String>,
}

/// Keeps the files, unless newer ones were kept meanwhile by another process.
pub(super) fn keep(directory: &Path, files: &BTreeMap<String, Vec<u8>>, versions: TufVersions) -> Result<(), TufError> {
    let path = path(directory);
    let metadata = [versions.root, versions.timestamp, versions.snapshot, versions.targets];
    if document(&path).ok().flatten().is_some_and(|kept| kept.metadata > metadata) {
        return Ok(());
    }
    let files = files.iter().map(|(name, bytes)| (name.clone(), STANDARD.encode(bytes))).collect();
    let text = serde_json::to_vec(&Document { version: VERSION, metadata, files })
        .map_err(|error| TufError::Malformed { reason: error.to_string() })?;
    cache::replace(&path, &text).map_err(cache::failed(&path))
}

/// The files that were kept; none where no refresh has succeeded yet.
pub(super) fn read(directory: &Path) -> Result<Option<BTreeMap<String, Vec<u8>>>, TufError> {
    let Some(document) = document(&path(directory))? else { return Ok(None) };
    let decoded = document.files.into_iter().map(|(name, text)| {
        let bytes = STANDARD.decode(text).map_err(|error| TufError::Malformed { reason: error.to_string() })?;
        Ok((name, bytes))
    });
    decoded.collect::<Result<_, _>>().map(Some)
}

fn document(path: &Path) -> Result<Option<Document>, TufError> {
    let Some(bytes) = cache::read(path).map_err(cache::failed(path))? else { return Ok(None) };
    let document: Document =
        serde_json::from_slice(&bytes).map_err(|error| TufError::Malformed { reason: error.to_string() })?;
    // Another form is that of another release; it is made anew with the next refresh.
    Ok((document.version == VERSION).then_some(document))
}

fn path(directory: &Path) -> PathBuf {
    directory.join("last-good.json")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(timestamp: u64) -> TufVersions {
        TufVersions { root: 1, timestamp, snapshot: 1, targets: 1 }
    }

    fn files(text: &str) -> BTreeMap<String, Vec<u8>> {
        [("timestamp.json".to_owned(), text.as_bytes().to_vec())].into_iter().collect()
    }

    #[test]
    fn newer_files_replace_older_ones_and_never_the_other_way() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        keep(folder.path(), &files("two"), versions(2)).unwrap();
        keep(folder.path(), &files("one"), versions(1)).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(files("two")));
        keep(folder.path(), &files("three"), versions(3)).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(files("three")));
    }

    #[test]
    fn what_cannot_be_read_is_said_and_replaced_by_the_next_refresh() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(path(folder.path()), "no document").unwrap();
        assert!(matches!(read(folder.path()), Err(TufError::Malformed { .. })));
        keep(folder.path(), &files("one"), versions(1)).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(files("one")));
    }
}
