//! Packs that are cut, altered or no packs at all.

use assay_model::{Explain as _, PackageType, Timestamp};
use assay_vuln::{Pack, PackBuilder};
use proptest::prelude::*;

use crate::contents::{contents, package, release};

fn small() -> Vec<u8> {
    let mut builder = PackBuilder::new();
    builder
        .add_bytes(
            "records",
            br#"{"id": "GHSA-aaaa-bbbb-cccc", "aliases": ["CVE-2024-7"], "details": "text", "affected": [{"package": {"ecosystem":
            "npm", "name": "a"}, "versions": ["7.7.7"], "ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}, {"fixed":
            "1.2.0"}]}]}]}
            {"id": "DEBIAN-CVE-2024-7", "upstream": ["CVE-2024-7"], "affected": [{"package": {"ecosystem": "Debian:12", "name": "a"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}]}]}"#,
            None,
        )
        .unwrap();
    builder.build().0
}

/// Uses every table of a pack that opened; errors are fine, panics are not.
fn use_all(pack: &Pack) {
    let packages = vec![package(PackageType::Npm, "a", "1.0.0"), package(PackageType::Deb, "a", "1")];
    let _ = pack.match_contents(&contents(Some(release("debian", "12")), packages), Timestamp::UNIX_EPOCH);
    for name in ["CVE-2024-7", "DEBIAN-CVE-2024-7", "x"] {
        let _ = pack.affected_packages(name);
    }
}

#[test]
fn what_is_no_pack_is_refused_with_its_cause() {
    let good = small();
    let mut newer = good.clone();
    newer[8] = 99;
    let mut altered = good.clone();
    *altered.last_mut().unwrap() ^= 1;
    for (bytes, code) in [
        (Vec::new(), "pack-unknown"),
        (b"PK\x03\x04".to_vec(), "pack-unknown"),
        (good[..10].to_vec(), "pack-damaged"),
        (good[..good.len() - 1].to_vec(), "pack-damaged"),
        (newer, "pack-format"),
        (altered, "pack-checksum"),
    ] {
        let error = Pack::from_bytes(bytes).unwrap_err();
        assert_eq!(error.code(), code);
        assert!(error.next_step().is_some());
    }
    assert_eq!(Pack::open("/nonexistent/pack".as_ref()).unwrap_err().code(), "pack-unreadable");
}

#[test]
fn a_file_is_opened_by_mapping_and_verified_on_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.pack");
    let mut bytes = small();
    std::fs::write(&path, &bytes).unwrap();
    let (pack, verified) = (Pack::open(&path).unwrap(), Pack::open_verified(&path).unwrap());
    assert_eq!(pack.info(), verified.info());
    assert_eq!(pack.info().ecosystems, ["Debian:12", "npm"]);
    use_all(&pack);
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(Pack::open_verified(&path).unwrap_err().code(), "pack-checksum");
}

proptest! {
    #[test]
    fn altered_packs_give_errors_and_never_panic(changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)) {
        let mut bytes = small();
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        // Opened from a file, since memory is always verified.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.pack");
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(pack) = Pack::open(&path) {
            use_all(&pack);
        }
    }
}

#[test]
fn an_opened_pack_is_shared_between_threads() {
    fn shared<T: Send + Sync + 'static>(value: T) -> std::sync::Arc<T> {
        std::sync::Arc::new(value)
    }
    let pack = shared(Pack::from_bytes(small()).unwrap());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let pack = pack.clone();
            std::thread::spawn(move || pack.affected_packages("CVE-2024-7").unwrap().len())
        })
        .collect();
    assert!(threads.into_iter().all(|thread| thread.join().unwrap() == 2));
}
