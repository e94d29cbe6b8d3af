use std::io::Write as _;

use zip::write::{SimpleFileOptions, ZipWriter};

use super::*;

fn jar(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        writer.start_file(*name, SimpleFileOptions::default()).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn read(path: &str, bytes: &[u8], limits: &Limits) -> Found {
    let mut found = Found::default();
    Java.read(&File { path, bytes, limits }, &mut found);
    found
}

fn list(found: &Found) -> Vec<String> {
    found.packages.iter().map(|package| format!("{} {} {}", package.name, package.version, package.path)).collect()
}

const POM: &[u8] = b"#Created\ngroupId=com.google.guava\nartifactId=guava\nversion=14.0.1\n";
const POM_PATH: &str = "META-INF/maven/com.google.guava/guava/pom.properties";

#[test]
fn nested_archives_are_listed_with_their_path() {
    let guava = jar(&[(POM_PATH, POM)]);
    let boot = jar(&[("BOOT-INF/lib/guava-14.0.1.jar", &guava), ("BOOT-INF/lib/spark-core_2.12-3.5.3.jar", &jar(&[]))]);
    let found = read("opt/demo.jar", &boot, &Limits::default());
    assert_eq!(
        list(&found),
        [
            "com.google.guava:guava 14.0.1 opt/demo.jar!BOOT-INF/lib/guava-14.0.1.jar",
            "spark-core_2.12 3.5.3 opt/demo.jar!BOOT-INF/lib/spark-core_2.12-3.5.3.jar",
        ]
    );
    assert!(found.packages[0].digest.is_some());
    assert!(found.partial.is_empty());
}

#[test]
fn a_shaded_jar_lists_every_coordinate() {
    let other = b"version: 1.0\ngroupId: a.b\nartifactId: c\n";
    let shaded = jar(&[(POM_PATH, POM), ("x/META-INF/maven/a.b/c/pom.properties", other)]);
    assert_eq!(
        list(&read("all.jar", &shaded, &Limits::default())),
        ["a.b:c 1.0 all.jar", "com.google.guava:guava 14.0.1 all.jar"]
    );
}

#[test]
fn manifests_and_file_names_stand_in_for_coordinates() {
    let manifest = b"Manifest-Version: 1.0\r\nBundle-SymbolicName: org.osgi.te\r\n st;singleton:=true\r\nBundle-Version: 2.1\r\n\
                     Bundle-Vendor: OSGi\r\nBundle-License: Apache-2.0;link=x\r\n\r\nName: x\r\nImplementation-Version: 9\r\n";
    let bytes = jar(&[("META-INF/MANIFEST.MF", manifest)]);
    let found = read("lib/test.jar", &bytes, &Limits::default());
    assert_eq!(list(&found), ["org.osgi.test 2.1 lib/test.jar"]);
    assert_eq!(found.packages[0].tier, EvidenceTier::ArchiveMetadata);
    assert_eq!(
        (found.packages[0].supplier.as_deref(), found.packages[0].licence.as_deref()),
        (Some("OSGi"), Some("Apache-2.0"))
    );
    let named = read("lib/org.osgi.test-2.1.jar", &bytes, &Limits::default());
    assert_eq!((named.packages[0].name.as_str(), named.packages[0].tier), ("org.osgi.test", EvidenceTier::Heuristic));
    assert!(read("lib/plain.jar", &jar(&[]), &Limits::default()).packages.is_empty());
}

#[test]
fn depth_size_and_damage_make_it_partial() {
    let mut nested = jar(&[(POM_PATH, POM)]);
    for _ in 0..6 {
        nested = jar(&[("inner.jar", &nested)]);
    }
    let found = read("outer.jar", &nested, &Limits::default());
    assert_eq!(found.partial.iter().map(|p| p.bound).collect::<Vec<_>>(), [Bound::Depth]);
    let zeros = vec![0; 3 << 20];
    let small = Limits { nested_bytes: 1 << 20, ..Limits::default() };
    assert_eq!(read("a.jar", &jar(&[("b.jar", &zeros)]), &small).partial[0].bound, Bound::Bytes);
    let few = Limits { archive_entries: 1, ..Limits::default() };
    assert_eq!(read("a.jar", &jar(&[("a", b""), ("b", b"")]), &few).partial[0].bound, Bound::Entries);
    let mut cut = jar(&[(POM_PATH, POM)]);
    cut.truncate(cut.len() - 30);
    assert_eq!(read("a.jar", &cut, &Limits::default()).partial[0].bound, Bound::Malformed);
    assert!(read("template.jar", b"${jar}", &Limits::default()).partial.is_empty());
}

/// The same file, of which only the parts that matter are kept.
fn read_captured(path: &str, bytes: &[u8], limits: &Limits) -> Found {
    let mut body = crate::directory::Bytes(bytes);
    let Ok(captured) =
        crate::zip::capture::capture(&mut body, bytes.len() as u64, limits.archive_depth, super::interest);
    let mut found = Found::default();
    Java.read_captured(path, &captured, limits, &mut found);
    found
}

/// An application with libraries in it, as Spring Boot stores them, one of them compressed.
fn application() -> Vec<u8> {
    let guava = jar(&[(POM_PATH, POM), ("com/google/A.class", &[7; 5000])]);
    let other = jar(&[("META-INF/MANIFEST.MF", b"Implementation-Version: 2.0\nImplementation-Vendor: V\n")]);
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content, method) in [
        ("BOOT-INF/classes/A.class", &[1; 9000][..], zip::CompressionMethod::Deflated),
        ("BOOT-INF/lib/guava-14.0.1.jar", &guava, zip::CompressionMethod::Stored),
        ("BOOT-INF/lib/other.jar", &other, zip::CompressionMethod::Deflated),
        ("META-INF/MANIFEST.MF", b"Implementation-Version: 1.0\n", zip::CompressionMethod::Deflated),
    ] {
        writer.start_file(name, SimpleFileOptions::default().compression_method(method)).unwrap();
        writer.write_all(content).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn a_large_archive_says_the_same_when_only_parts_of_it_are_kept() {
    let bytes = application();
    let (whole, parts) =
        (read("app.jar", &bytes, &Limits::default()), read_captured("app.jar", &bytes, &Limits::default()));
    assert_eq!(whole.packages.len(), 3, "{:?}", list(&whole));
    assert_eq!((parts.packages, parts.partial), (whole.packages, whole.partial));
}

proptest::proptest! {
    #[test]
    fn a_damaged_archive_of_which_parts_are_kept_hides_nothing(at in 0usize..2000, value: u8, cut in 0usize..400) {
        let mut bytes = application();
        let length = bytes.len();
        bytes[at % length] = value;
        bytes.truncate(length - cut % 30);
        let whole = read("app.jar", &bytes, &Limits::default());
        let parts = read_captured("app.jar", &bytes, &Limits::default());
        proptest::prop_assert!(
            parts.packages == whole.packages || !parts.partial.is_empty(),
            "{:?} and {:?} without a word", list(&whole), list(&parts)
        );
    }
}
