//! Whole inputs that somebody made to exhaust, mislead or break out of a scanner. Each is read in bounded time and memory,
//! says `partial`, and is never a clean result.

use std::fmt::Write as _;
use std::io::Write as _;

use assay_inspect::{LayerResult, Limits, inspect_layer, merge};
use assay_model::{Bound, Digest};
use zip::write::{SimpleFileOptions, ZipWriter};

use crate::archive::{Tar, gzip, layer, zstd};

fn data(name: &str) -> Vec<u8> {
    std::fs::read(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn bounds(result: &LayerResult) -> Vec<Bound> {
    result.partial.iter().map(|partial| partial.bound).collect()
}

/// The contents are never clean: what is partial in a layer is partial in the image.
fn not_clean(result: &LayerResult) {
    assert!(!result.partial.is_empty());
    assert_eq!(merge(std::slice::from_ref(result), None).partial, result.partial);
}

fn jar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn cve_2023_30551_a_gzip_of_ten_million_entries_stops_at_the_ratio() {
    // 10,000 entries a member, a thousand members: 5 GB from some megabytes.
    let entry = Tar::default().file("f", "").bytes();
    let blob = gzip(&entry[..512].repeat(10_000)).repeat(1000);
    let result = layer(&blob);
    assert_eq!(result.digest, Digest::of(&blob), "the digest is that of all bytes");
    assert!(result.uncompressed < 1 << 30, "{}", result.uncompressed);
    assert_eq!(bounds(&result), [Bound::Ratio]);
    not_clean(&result);
}

#[test]
fn a_layer_of_more_entries_than_anybody_ships_stops_at_their_number() {
    let mut tar = Tar::default();
    for index in 0..5_000 {
        tar = tar.file(&format!("f{index}"), "");
    }
    let blob = tar.bytes();
    let limits = Limits { entries: 1_000, ..Limits::default() };
    let result = inspect_layer(&blob[..], &Digest::of(&blob), "", &limits).unwrap();
    assert_eq!(result.paths.lines().count(), 1_000);
    assert_eq!(bounds(&result), [Bound::Entries]);
    not_clean(&result);
}

#[test]
fn cve_2026_48702_a_zstd_bomb_stops_at_the_ratio() {
    let blob = zstd(&vec![0; 600 << 20]);
    assert!(blob.len() < 1 << 20);
    let result = layer(&blob);
    assert_eq!(bounds(&result), [Bound::Ratio]);
    not_clean(&result);
}

#[test]
fn a_jar_whose_entries_inflate_without_end_is_partial() {
    let bomb = vec![0; 64 << 20];
    let jar = jar(&[("lib/inner.jar", &bomb), ("META-INF/MANIFEST.MF", &bomb)]);
    assert!(jar.len() < 1 << 20);
    let blob = Tar::default().file("app.jar", &jar).bytes();
    let limits = Limits { nested_bytes: 1 << 20, ..Limits::default() };
    let result = inspect_layer(&blob[..], &Digest::of(&blob), "", &limits).unwrap();
    assert!(bounds(&result).iter().all(|bound| *bound == Bound::Bytes), "{:?}", result.partial);
    not_clean(&result);
}

#[test]
fn five_thousand_jars_in_a_jar_are_all_read() {
    let inner = jar(&[("META-INF/maven/a/b/pom.properties", b"groupId=a\nartifactId=b\nversion=1\n")]);
    let names: Vec<String> = (0..5_000).map(|index| format!("lib/{index}.jar")).collect();
    let entries: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &inner[..])).collect();
    let contents = merge(&[Tar::default().file("app.jar", jar(&entries)).layer()], None);
    let inside = contents.packages.iter().filter(|package| package.name == "a:b").count();
    assert_eq!((inside, contents.partial.len()), (5_000, 0));
}

#[test]
fn a_jar_in_a_jar_in_a_jar_without_end_stops_at_the_depth() {
    let mut nested = jar(&[("a.txt", b"the innermost")]);
    for _ in 0..50 {
        nested = jar(&[("inner.jar", &nested)]);
    }
    let result = Tar::default().file("app.jar", &nested).layer();
    assert_eq!(bounds(&result), [Bound::Depth]);
    not_clean(&result);
}

#[test]
fn a_jar_that_lies_about_its_sizes_and_places_is_partial() {
    let whole = jar(&[("META-INF/maven/a/b/pom.properties", b"groupId=a\nartifactId=b\nversion=1\n")]);
    let central = memchr::memmem::find(&whole, b"PK\x01\x02").unwrap();
    // Uncompressed size, compressed size, offset of the local header (APPNOTE 4.3.12).
    for (at, length) in [(24, 4), (20, 4), (42, 4)] {
        let mut lying = whole.clone();
        lying[central + at..central + at + length].fill(0xfe);
        let result = Tar::default().file("app.jar", &lying).layer();
        assert!(!result.partial.is_empty(), "at {at}");
        not_clean(&result);
    }
    let mut many = whole.clone();
    let end = many.len() - 22;
    many[end + 10..end + 12].fill(0xff);
    not_clean(&Tar::default().file("app.jar", &many).layer());
}

#[test]
fn cve_2024_24579_paths_with_dots_and_nul_stay_inside() {
    let record = |key: &str, value: &[u8]| {
        let mut length = key.len() + value.len() + 4;
        while length.to_string().len() + 1 + key.len() + 1 + value.len() + 1 != length {
            length += 1;
        }
        [length.to_string().as_bytes(), b" ", key.as_bytes(), b"=", value, b"\n"].concat()
    };
    let status = "Package: a\nStatus: install ok installed\nVersion: 1\n";
    let tar = Tar::default()
        .file("../../../../etc/os-release", "ID=evil\n")
        .entry("PaxHeader", b'x', "", &record("path", b"var/lib/dpkg/status\0.txt"))
        .file("x", status)
        .link("etc/passwd", "../../../../../etc/passwd")
        .layer();
    assert!(tar.paths.lines().all(|path| !path.contains("..") && !path.contains('\0')), "{:?}", tar.paths);
    let contents = merge(&[tar], None);
    assert_eq!(contents.packages, [], "a path with NUL is not the path before it");
    assert_eq!(contents.os.map(|os| os.id).as_deref(), Some("evil"), "it is what the root of the image has");
}

#[test]
fn links_in_a_circle_end() {
    let tar = Tar::default()
        .link("etc/os-release", "../usr/lib/os-release")
        .link("usr/lib/os-release", "../../etc/os-release")
        .hard_link("a", "b")
        .hard_link("b", "a");
    assert_eq!(merge(&[tar.layer()], None).os, None);
}

#[test]
fn databases_cut_anywhere_are_never_whole() {
    for (path, name) in
        [("var/lib/rpm/rpmdb.sqlite", "rpm/rpmdb.sqlite"), ("var/lib/rpm/Packages.db", "rpm/Packages.db")]
    {
        let whole = data(name);
        let all = merge(&[Tar::default().file(path, &whole).layer()], None);
        assert!(all.partial.is_empty() && !all.packages.is_empty());
        for tenth in 1..10 {
            let cut = &whole[..whole.len() * tenth / 10];
            let result = Tar::default().file(path, cut).layer();
            let contents = merge(std::slice::from_ref(&result), None);
            assert!(
                contents.packages.len() == all.packages.len() || !contents.partial.is_empty(),
                "{path} cut at {tenth} tenths lost packages without a word"
            );
        }
    }
    for (path, text) in [
        ("opt/conda/conda-meta/a.json", r#"{"name":"a","version":"1""#),
        ("app/x.deps.json", r#"{"libraries":{"a/1":{"type":"package"}"#),
        ("app/vendor/composer/installed.json", r#"{"packages":[{"name":"a/b""#),
        ("var/lib/db/sbom/x.spdx.json", r#"{"packages":["#),
        ("var/lib/rpm/Packages", "\0\0\0\0\0\0\0\0\0\0\0\0\x61\x15\x06\0"),
    ] {
        let result = Tar::default().file(path, text).layer();
        assert_eq!(bounds(&result), [Bound::Malformed], "{path}");
        not_clean(&result);
    }
}

#[test]
fn cve_2026_54448_documents_that_expand_are_refused() {
    let options = assay_inspect::DirectoryOptions::default();
    let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for level in 1..12 {
        let inner = format!("*a{},", level - 1).repeat(10);
        writeln!(bomb, "a{level}: &a{level} [{inner}]").unwrap();
    }
    for path in ["pnpm-lock.yaml", "charts/x/Chart.lock", "environment.yml", ".github/workflows/x.yml"] {
        let contents = assay_inspect::inspect_bytes(path, bomb.as_bytes(), &options);
        assert_eq!(contents.partial.len(), 1, "{path}");
    }
    let deep = "[".repeat(200_000);
    for path in ["pnpm-lock.yaml", "Package.resolved", "uv.lock", "bun.lock", "Chart.lock"] {
        let contents = assay_inspect::inspect_bytes(path, deep.as_bytes(), &options);
        assert_eq!(contents.partial.len(), 1, "{path}");
    }
    let entities = "<!DOCTYPE x [<!ENTITY a 'aaaa'><!ENTITY b '&a;&a;&a;'>]><project><x>&b;</x></project>";
    let contents = assay_inspect::inspect_bytes("pom.xml", entities.as_bytes(), &options);
    assert!(contents.packages.is_empty());
}
