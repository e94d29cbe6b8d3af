//! The file and the key beside it.

use std::os::unix::fs::PermissionsExt as _;

use assay_model::{Digest, Explain as _};
use assay_store::Store;

use crate::fixture::{at, contents};

#[test]
fn facts_survive_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    Store::open(&path).unwrap().put_contents(Digest::of(b"image"), &contents(&[]), at(1)).unwrap();
    assert!(Store::open(&path).unwrap().contents(Digest::of(b"image"), 1).unwrap().is_some());
}

#[test]
fn the_sealing_key_is_its_owners_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    drop(Store::open(&path).unwrap());
    let key = directory.path().join("store.db.key");
    let first = std::fs::read(&key).unwrap();
    assert_eq!(first.len(), 32);
    assert_eq!(std::fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    drop(Store::open(&path).unwrap());
    assert_eq!(std::fs::read(&key).unwrap(), first, "made once");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(Store::open(&path).unwrap_err().code(), "store-key");
}

#[test]
fn a_file_of_a_later_version_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    drop(Store::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 999).unwrap();
    assert_eq!(Store::open(&path).unwrap_err().code(), "store-newer");
}

#[test]
fn what_is_no_store_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    std::fs::write(&path, "this is no database, and long enough to be seen as none".repeat(20)).unwrap();
    assert_eq!(Store::open(&path).unwrap_err().code(), "store-open");
    assert_eq!(Store::open(&directory.path().join("none/store.db")).unwrap_err().code(), "store-open");
}
