//! Layers of both kinds, made here: one compressed piece for each file, then the table.

use std::io::Write as _;

use serde_json::{Value, json};

use super::*;
use crate::layer::Says;

struct Made {
    blob: Vec<u8>,
    place: TablePlace,
    digest: Digest,
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ::zstd::stream::encode_all(bytes, 3).unwrap()
}

/// Files with their modes; a content beginning with `->` is a link of the kind behind it.
fn rows(files: &[(&str, &[u8], i64)], pack: fn(&[u8]) -> Vec<u8>) -> (Vec<u8>, Vec<Value>) {
    let (mut blob, mut rows) = (pack(b"the header of the first file"), Vec::new());
    for (name, bytes, mode) in files {
        let digest = Digest::of(bytes).to_string();
        let offset = blob.len();
        // The header of the next file follows in the same piece.
        blob.extend(pack(&[bytes, &b"the next header"[..]].concat()));
        rows.push(json!({"name": name, "type": "reg", "size": bytes.len(), "mode": mode, "offset": offset,
            "digest": digest, "chunkDigest": digest}));
    }
    (blob, rows)
}

fn estargz(files: &[(&str, &[u8], i64)], more: &[Value]) -> Made {
    let (mut blob, mut rows) = rows(files, gzip);
    rows.extend_from_slice(more);
    let json = json!({"version": 1, "entries": rows}).to_string().into_bytes();
    let start = blob.len();
    let mut tar = vec![0; 512];
    tar[..INDEX.len()].copy_from_slice(INDEX);
    tar[124..135].copy_from_slice(format!("{:011o}", json.len()).as_bytes());
    tar.extend(&json);
    blob.extend(gzip(&tar));
    let mut footer = vec![0; FOOTER as usize];
    footer[16..38].copy_from_slice(format!("{start:016x}STARGZ").as_bytes());
    blob.extend(footer);
    let annotations = BTreeMap::from([(ESTARGZ.to_owned(), Digest::of(&json).to_string())]);
    Made { digest: Digest::of(&blob), blob, place: TablePlace::of(&annotations).unwrap() }
}

fn chunked(files: &[(&str, &[u8], i64)]) -> Made {
    let (mut blob, rows) = rows(files, zstd);
    let json = json!({"version": 1, "entries": rows}).to_string().into_bytes();
    let table = zstd(&json);
    let (start, length) = (blob.len(), table.len());
    blob.extend(&table);
    let annotations = BTreeMap::from([
        (CHUNKED.to_owned(), Digest::of(&table).to_string()),
        (CHUNKED_PLACE.to_owned(), format!("{start}:{length}:{}:1", json.len())),
    ]);
    Made { digest: Digest::of(&blob), blob, place: TablePlace::of(&annotations).unwrap() }
}

/// The result, and how many bytes were fetched.
fn read(made: &Made) -> (Result<LayerResult, TableError>, u64) {
    let mut fetched = 0;
    let result =
        inspect_by_table(&made.place, &made.digest, made.blob.len() as u64, &Limits::default(), &mut |at, length| {
            fetched += length;
            let at = at as usize;
            made.blob.get(at..at + length as usize).map(<[u8]>::to_vec).ok_or_else(|| io::Error::other("outside"))
        });
    (result, fetched)
}

const STATUS: &[u8] = b"Package: bash\nStatus: install ok installed\nVersion: 5.2\n\n";
const LIST: &[u8] = b"/usr/bin/bash\n";

/// Bytes that do not compress.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    (0..length)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 33) as u8
        })
        .collect()
}

fn packages(result: &LayerResult) -> Vec<String> {
    let packages = result.facts.iter().filter_map(|fact| match &fact.says {
        Says::Packages(packages) => Some(packages),
        _ => None,
    });
    packages.flatten().map(|package| package.name.clone()).collect()
}

#[test]
fn only_what_says_something_of_packages_is_fetched() {
    let (data, owned) = (noise(400_000), noise(300_000));
    let files: [(&str, &[u8], i64); 5] = [
        ("usr/share/big.dat", &data, 0o644),
        ("usr/bin/bash", &owned, 0o755),
        ("var/lib/dpkg/status", STATUS, 0o644),
        ("var/lib/dpkg/info/bash.list", LIST, 0o644),
        ("usr/bin/.wh.gone", b"", 0o644),
    ];
    let links =
        [json!({"name": "usr/bin/sh", "type": "symlink", "linkName": "bash"}), json!({"name": "usr", "type": "dir"})];
    for made in [estargz(&files, &links), chunked(&files)] {
        let (result, fetched) = read(&made);
        let result = result.unwrap();
        assert_eq!(packages(&result), ["bash"]);
        assert_eq!(result.whiteouts, ["usr/bin/gone"]);
        assert!(result.paths.contains("usr/share/big.dat\n"), "what was not fetched is known by name");
        assert!(fetched * 100 <= made.blob.len() as u64 * 15, "{fetched} of {}", made.blob.len());
        assert_eq!(result.digest, made.digest);
        // Whoever decides sees that this is not the whole layer.
        assert!(result.partial.iter().any(|partial| partial.bound == Bound::NotFetched), "{:?}", result.partial);
    }
}

#[test]
fn a_program_that_no_package_claims_is_fetched_and_looked_into() {
    let program = [&b"\x7fELF"[..], &noise(1000)].concat();
    let made = estargz(&[("app/server", &program, 0o755), ("app/data", &noise(5000), 0o644)], &[]);
    let (result, fetched) = read(&made);
    result.unwrap();
    assert!(fetched > 1000);
    let owned = estargz(
        &[
            ("var/lib/dpkg/info/a.list", b"/app/server\n", 0o644),
            ("pad", &noise(70_000), 0o644),
            ("app/server", &program, 0o755),
        ],
        &[],
    );
    let (result, again) = read(&owned);
    result.unwrap();
    assert!(again < fetched, "{again}");
}

#[test]
fn every_byte_that_is_used_is_checked() {
    let good = || estargz(&[("var/lib/dpkg/status", STATUS, 0o644)], &[]);
    assert!(read(&good()).0.is_ok());
    // Another table than the manifest names.
    let mut other = good();
    other.place.digest = Digest::of(b"another");
    assert!(matches!(read(&other).0, Err(TableError::Digest { .. })));
    // Other bytes than the table names.
    let lie = json!({"name": "etc/os-release", "type": "reg", "size": 28, "offset": 0, "digest": Digest::of(b"x").to_string()});
    assert!(matches!(read(&estargz(&[], &[lie])).0, Err(TableError::Digest { .. })));
    // No footer; cut short; an empty blob.
    for length in [0, 10, 60] {
        let mut cut = good();
        cut.blob.truncate(length);
        assert!(read(&cut).0.is_err());
    }
}

#[test]
fn rows_that_contradict_the_blob_are_refused() {
    let digest = Digest::of(b"x").to_string();
    for row in [
        json!({"name": "etc/os-release", "type": "reg", "size": 5, "offset": 1_u64 << 40, "digest": digest}),
        json!({"name": "etc/os-release", "type": "reg", "size": 5, "offset": 1, "chunkSize": 9, "chunkDigest": digest}),
        json!({"name": "etc/os-release", "type": "reg", "size": 5, "offset": 1, "chunkOffset": 9, "chunkDigest": digest}),
        json!({"name": "etc/os-release", "type": "reg", "size": 5, "offset": 1}),
        json!({"name": "x", "type": "chunk", "size": 5, "offset": 1, "chunkDigest": digest}),
        json!({"name": "etc/os-release", "type": "reg", "size": 5, "offset": 1, "innerOffset": u64::MAX, "digest": digest}),
    ] {
        assert!(read(&estargz(&[], std::slice::from_ref(&row))).0.is_err(), "{row}");
    }
}

#[test]
fn annotations_that_are_none_are_none() {
    let of = |key: &str, value: &str| TablePlace::of(&BTreeMap::from([(key.to_owned(), value.to_owned())]));
    assert_eq!(of("other", "x"), None);
    assert_eq!(of(ESTARGZ, "sha256:short"), None);
    assert_eq!(of(CHUNKED, &Digest::of(b"x").to_string()), None, "without its place");
}

proptest::proptest! {
    #[test]
    fn any_table_is_read_or_refused(
        text in "(\\{\"name\":\"(a|etc/os-release|.wh.a)\",|\"type\":\"(reg|chunk|dir|hardlink)\",|\"size\":[0-9]{1,3},|\"offset\":[0-9]{1,20},|\"chunkSize\":[0-9]{1,20},|\"mode\":-?[0-9]{1,6}\\},){0,12}",
    ) {
        let json = format!("{{\"entries\":[{}]}}", text.trim_end_matches(','));
        let table = zstd(json.as_bytes());
        let place = TablePlace { digest: Digest::of(&table), position: Some((0, table.len() as u64)) };
        let _ = read(&Made { digest: Digest::of(&table), place, blob: table });
    }
}
