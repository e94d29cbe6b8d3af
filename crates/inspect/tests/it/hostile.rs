//! Layers that were made to hurt: every one gives a typed error or a partial result.

use std::io::Read;

use assay_inspect::{LayerError, LayerResult, Limits, inspect_layer, merge};
use assay_model::{Bound, Digest, Explain as _};
use proptest::prelude::*;

use crate::archive::{Tar, gzip, layer, zstd};

fn bounded(bytes: &[u8], limits: Limits) -> LayerResult {
    inspect_layer(bytes, &Digest::of(bytes), "", &limits).unwrap()
}

fn bounds(result: &LayerResult) -> Vec<Bound> {
    result.partial.iter().map(|partial| partial.bound).collect()
}

const PACKAGE: &str = r#"{"name":"a","version":"1.0.0"}"#;

#[test]
fn other_bytes_than_the_manifest_names_are_an_error() {
    let blob = gzip(&Tar::default().file("a", "b").bytes());
    let expected = Digest::of(b"something else");
    let error = inspect_layer(blob.as_slice(), &expected, "", &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "layer-digest-mismatch");
    assert!(matches!(error, LayerError::DigestMismatch { found, .. } if *found == Digest::of(&blob)));
    // Bytes behind the end of the archive belong to the blob.
    let longer = [blob.clone(), b"more".to_vec()].concat();
    assert!(inspect_layer(longer.as_slice(), &Digest::of(&blob), "", &Limits::default()).is_err());
}

#[test]
fn a_layer_that_is_no_archive_is_refused_by_its_media_type() {
    for media_type in ["application/vnd.oci.image.layer.v1.tar+gzip+encrypted", "application/wasm"] {
        let error = inspect_layer(&b""[..], &Digest::of(b""), media_type, &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "layer-media-type-unsupported");
        assert!(error.next_step().is_some());
    }
}

#[test]
fn a_failing_source_is_an_error_and_not_a_short_layer() {
    struct Failing<'a>(&'a [u8]);
    impl Read for Failing<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            if self.0.is_empty() {
                return Err(std::io::Error::other("connection lost"));
            }
            self.0.read(buffer)
        }
    }
    let tar = Tar::default().file("a", vec![1; 5000]).bytes();
    for blob in [tar.clone(), gzip(&tar), zstd(&tar)] {
        for cut in [0, 2, 10, blob.len() / 2, blob.len()] {
            let error = inspect_layer(Failing(&blob[..cut]), &Digest::of(&blob), "", &Limits::default()).unwrap_err();
            assert_eq!(error.code(), "layer-unreadable");
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert_eq!(source, "connection lost");
        }
    }
}

#[test]
fn a_gzip_bomb_stops_at_the_ratio_and_its_digest_is_still_checked() {
    let bomb =
        gzip(&Tar::default().file("zeros", vec![0; 8 << 20]).file("node_modules/a/package.json", PACKAGE).bytes());
    let limits = Limits { ratio: 100, ratio_floor: 1 << 20, ..Limits::default() };
    let result = bounded(&bomb, limits);
    assert_eq!(bounds(&result), [Bound::Ratio]);
    assert!(result.uncompressed < 4 << 20);
    assert_eq!(merge(&[result], None).partial.len(), 1, "contents say so too");
    assert!(inspect_layer(bomb.as_slice(), &Digest::of(b""), "", &limits).is_err());
    assert_eq!(bounds(&bounded(&bomb, Limits::default())), [], "small layers of zeros are harmless");
}

#[test]
fn a_layer_longer_than_allowed_is_partial() {
    let tar = Tar::default().file("a", vec![7; 1 << 20]).bytes();
    for blob in [tar.clone(), gzip(&tar), zstd(&tar)] {
        assert_eq!(bounds(&bounded(&blob, Limits { layer_bytes: 1 << 19, ..Limits::default() })), [Bound::Bytes]);
    }
}

#[test]
fn entries_paths_packages_and_files_are_bounded() {
    let many = |count: usize| {
        (0..count).fold(Tar::default(), |tar, i| tar.file(&format!("node_modules/p{i}/package.json"), PACKAGE)).bytes()
    };
    let tar = many(20);
    assert_eq!(bounds(&bounded(&tar, Limits { entries: 10, ..Limits::default() })), [Bound::Entries]);
    assert_eq!(bounds(&bounded(&tar, Limits { path_bytes: 100, ..Limits::default() })), [Bound::Entries]);
    let few = bounded(&tar, Limits { packages: 5, ..Limits::default() });
    assert_eq!(bounds(&few), [Bound::Entries]);
    assert_eq!(few.diff_id, Digest::of(&tar), "the rest of the layer is still hashed");
    assert_eq!(merge(&[few], None).packages.len(), 5);
    let large = Tar::default().file("var/lib/dpkg/status", vec![b'x'; 5000]).bytes();
    let result = bounded(&large, Limits { file_bytes: 4096, ..Limits::default() });
    assert_eq!((bounds(&result), result.partial[0].what.as_str()), (vec![Bound::Bytes], "var/lib/dpkg/status"));
}

#[test]
fn a_truncated_layer_is_partial_wherever_it_ends() {
    let tar = Tar::default().file("node_modules/a/package.json", PACKAGE).file("b", vec![3; 3000]).bytes();
    let packed = [gzip(&tar), zstd(&tar)];
    for blob in &packed {
        for cut in [5, blob.len() / 2, blob.len() - 1] {
            assert_eq!(bounds(&bounded(&blob[..cut], Limits::default())), [Bound::Malformed], "{cut}");
        }
    }
    assert_eq!(bounds(&bounded(&tar[..2000], Limits::default())), [Bound::Malformed]);
    // The package in front of the damage is still listed.
    assert_eq!(merge(&[bounded(&tar[..2000], Limits::default())], None).packages.len(), 1);
}

#[test]
fn paths_and_links_that_lead_outside_stay_inside() {
    let tar = Tar::default()
        .file("../../../../node_modules/a/package.json", PACKAGE)
        .file("/../node_modules/b/package.json", PACKAGE)
        .link("etc/os-release", "../../../../../../usr/lib/os-release")
        .link("loop", "loop")
        .hard_link("node_modules/c/package.json", "../../../etc/shadow")
        .file("../.wh.escape", "");
    let result = tar.layer();
    assert_eq!(
        result.paths,
        "etc/os-release\nloop\nnode_modules/a/package.json\nnode_modules/b/package.json\nnode_modules/c/package.json\n"
    );
    assert_eq!(result.whiteouts, ["escape"]);
    assert_eq!(bounds(&result), [Bound::Malformed], "the link to a file that is not there");
}

#[test]
fn names_cannot_forge_lines_of_a_report() {
    let result = Tar::default().file("a\nnode_modules/x\u{1b}[2J", "").layer();
    assert_eq!(result.paths, "a\u{fffd}node_modules/x\u{fffd}[2J\n");
}

#[test]
fn a_path_longer_than_any_system_allows_is_partial() {
    let long = format!("{}\0", "d/".repeat(3000));
    let result = Tar::default().entry("L", b'L', "", long.as_bytes()).file("x", "").layer();
    assert_eq!(bounds(&result), [Bound::Bytes]);
}

#[test]
fn documents_that_would_grow_in_memory_are_bounded() {
    let limits = Limits { json_bytes: 1000, packages: 3, ..Limits::default() };
    let partial = |path: &str, content: String| bounds(&bounded(&Tar::default().file(path, content).bytes(), limits));
    let long = format!(r#"{{"name":"a","version":"1","x":"{}"}}"#, "x".repeat(1000));
    assert_eq!(partial("node_modules/a/package.json", long.clone()), [Bound::Bytes]);
    assert_eq!(partial("node_modules/.package-lock.json", long), [Bound::Bytes]);
    let status = "Package: a\nStatus: install ok installed\nVersion: 1\n\n".repeat(9);
    assert_eq!(partial("var/lib/dpkg/status", status), [Bound::Entries]);
    assert_eq!(partial("lib/apk/db/installed", "P:a\nV:1\n\n".repeat(9)), [Bound::Entries]);
    let rpm = Tar::default().file("var/lib/rpm/rpmdb.sqlite", data("rpm/rpmdb.sqlite")).bytes();
    assert_eq!(bounds(&bounded(&rpm, limits)), [Bound::Malformed]);
}

#[test]
fn damaged_databases_are_partial() {
    for path in ["var/lib/rpm/rpmdb.sqlite", "usr/lib/sysimage/rpm/Packages.db", "app/node_modules/.package-lock.json"]
    {
        let result = Tar::default().file(path, b"SQLite format 3\0 but not really").layer();
        assert_eq!((bounds(&result), result.partial[0].what.as_str()), (vec![Bound::Malformed], path));
    }
    let nested = "[".repeat(100_000);
    assert_eq!(bounds(&Tar::default().file("node_modules/.package-lock.json", nested).layer()), [Bound::Malformed]);
}

fn data(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..3000), magic in 0usize..3) {
        let magic: &[u8] = [&b""[..], &[0x1f, 0x8b, 8, 0], &[0x28, 0xb5, 0x2f, 0xfd]][magic];
        let blob = [magic, &bytes].concat();
        let _ = merge(&[layer(&blob)], None);
    }

    #[test]
    fn mutated_layers_never_panic(at in any::<usize>(), value: u8, packed in 0usize..3) {
        let tar = Tar::default()
            .file("var/lib/dpkg/status", data("debian/status"))
            .file("node_modules/a/package.json", PACKAGE)
            .file("opt/a.jar", data("java/slf4j-nop.jar"))
            .bytes();
        let mut blob = vec![tar.clone(), gzip(&tar), zstd(&tar)].swap_remove(packed);
        let length = blob.len();
        blob[at % length] = value;
        let _ = merge(&[layer(&blob)], None);
    }

    #[test]
    fn hostile_database_pages_never_panic(
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..20),
        is_ndb: bool,
        near_start: bool,
    ) {
        let (path, name) = if is_ndb {
            ("var/lib/rpm/Packages.db", "rpm/Packages.db")
        } else {
            ("var/lib/rpm/rpmdb.sqlite", "rpm/rpmdb.sqlite")
        };
        let mut bytes = data(name);
        // The first pages hold the header, the schema and the root of the tree.
        let length = if near_start { bytes.len().min(2 * 4096) } else { bytes.len() };
        for (at, value) in changes {
            bytes[at % length] = value;
        }
        let contents = merge(&[Tar::default().file(path, &bytes).layer()], None);
        prop_assert!(contents.packages.len() <= 1000);
    }

    #[test]
    fn mutated_archives_in_layers_never_panic(at in any::<usize>(), value: u8, cut in any::<usize>()) {
        let mut jar = data("java/slf4j-nop.jar");
        let length = jar.len();
        jar[at % length] = value;
        jar.truncate(length - cut % 200);
        let _ = Tar::default().file("a.jar", &jar).layer();
    }

    #[test]
    fn mutated_executables_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600), class in 1u8..3, order in 1u8..3) {
        let mut elf = b"\x7fELF".to_vec();
        elf.extend_from_slice(&[class, order]);
        elf.extend_from_slice(&[0; 10]);
        elf.extend_from_slice(&[2, 2]);
        elf.extend_from_slice(&bytes);
        let _ = Tar::default().file("bin/x", &elf).layer();
    }
}
