//! What is said beside the list of packages: what was left out, the surface, the base; and other sources than images.

use assay_inspect::{
    DirectoryOptions, ImageConfiguration, LayerResult, inspect_archive, inspect_directory, inspect_root, merge,
};
use assay_model::{BaseEvidence, Contents, SuppressionReason};

use crate::archive::{Tar, gzip};

fn suppressed(contents: &Contents) -> Vec<(String, SuppressionReason, Option<String>)> {
    contents
        .suppressed
        .iter()
        .map(|left| (format!("{} {}", left.name, left.version), left.reason, left.by.clone()))
        .collect()
}

const STATUS: &str = "Package: python3-idna\nStatus: install ok installed\nVersion: 3.3-1\nArchitecture: all\n";
const METADATA: &str = "Metadata-Version: 2.1\nName: idna\nVersion: 3.3\n";

#[test]
fn a_file_of_a_distribution_package_is_left_out_and_its_owner_named() {
    let path = "usr/lib/python3/dist-packages/idna-3.3.egg-info/PKG-INFO";
    let tar = Tar::default()
        .file("var/lib/dpkg/status", STATUS)
        .file("var/lib/dpkg/info/python3-idna.list", format!("/.\n/{path}\n"))
        .file(path, METADATA);
    let contents = merge(&[tar.layer()], None);
    assert_eq!(contents.packages.len(), 1, "the deb alone");
    assert_eq!(
        suppressed(&contents),
        [("idna 3.3".to_owned(), SuppressionReason::OwnedByPackage, Some("python3-idna".to_owned()))]
    );
    assert_eq!((contents.suppressed[0].file.path.as_str(), contents.suppressed[0].files), (path, 1));
    assert_eq!(contents.suppressed[0].file.layer, Some(0));
}

#[test]
fn a_fixture_that_npm_did_not_install_is_left_out_as_unverified() {
    let tree = r#"{"packages":{"node_modules/a":{"version":"1.0.0"}}}"#;
    let tar = Tar::default()
        .file("app/node_modules/.package-lock.json", tree)
        .file("app/node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#)
        .file("app/node_modules/a/test/node_modules/evil/package.json", r#"{"name":"evil","version":"6.6.6"}"#);
    let contents = merge(&[tar.layer()], None);
    assert_eq!(contents.packages.len(), 1);
    assert_eq!(suppressed(&contents), [("evil 6.6.6".to_owned(), SuppressionReason::NotInstalled, None)]);
}

#[test]
fn a_guess_gives_way_to_a_better_sign() {
    let mut node = vec![0; 4096];
    node[..6].copy_from_slice(b"\x7fELF\x02\x01");
    node[16] = 3;
    node[1000..1020].copy_from_slice(b"\0node.js/v20.20.2\0\0\0");
    let header = "#define NODE_MAJOR_VERSION 20\n#define NODE_MINOR_VERSION 20\n#define NODE_PATCH_VERSION 2\n";
    let alone = merge(&[Tar::default().file("usr/local/bin/node", &node).layer()], None);
    assert_eq!(alone.packages[0].purl.to_string(), "pkg:generic/node@20.20.2");
    assert_eq!(suppressed(&alone), []);
    let tar = Tar::default().file("usr/local/bin/node", &node).file("usr/local/include/node/node_version.h", header);
    let both = merge(&[tar.layer()], None);
    assert_eq!(both.packages.len(), 1);
    assert_eq!(both.packages[0].path, "usr/local/include/node/node_version.h");
    assert_eq!(suppressed(&both)[0].1, SuppressionReason::StrongerSign);
}

#[test]
fn the_surface_is_what_is_left_when_the_image_runs() {
    let base = Tar::default()
        .file("bin/bash", "#!")
        .link("bin/sh", "bash")
        .file("usr/bin/apt-get", "#!")
        .mode("usr/bin/passwd", "4755")
        .mode("usr/bin/wall", "2755")
        .layer();
    let contents = merge(std::slice::from_ref(&base), None);
    assert_eq!(contents.surface.shells, ["bin/bash", "bin/sh"]);
    assert_eq!(contents.surface.package_managers, ["usr/bin/apt-get"]);
    assert_eq!(contents.surface.setuid, ["usr/bin/passwd", "usr/bin/wall"]);
    assert!(!contents.surface.is_minimal() && contents.surface.bytes > 0);
    let stripped = Tar::default().file("bin/.wh.bash", "").file("bin/.wh.sh", "").file("usr/.wh.bin", "").layer();
    let contents = merge(&[base, stripped], None);
    assert!(contents.surface.is_minimal(), "{:?}", contents.surface);
    assert!(contents.surface.setuid.is_empty());
}

#[test]
fn licences_are_expressions_and_texts_stand_in_for_declarations() {
    let mit = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software.\n\
               The above copyright notice and this permission notice shall be included in all copies.\n";
    let tar = Tar::default()
        .file("node_modules/a/package.json", r#"{"name":"a","version":"1.0.0"}"#)
        .file("node_modules/a/LICENSE.md", mit)
        .file(
            "node_modules/b/package.json",
            r#"{"name":"b","version":"1.0.0","license":"Apache License, Version 2.0"}"#,
        )
        .file("node_modules/b/LICENSE", mit)
        .file("node_modules/c/package.json", r#"{"name":"c","version":"1.0.0","license":"SEE LICENSE IN x"}"#);
    let contents = merge(&[tar.layer()], None);
    let licences: Vec<_> = contents.packages.iter().map(|package| package.licence.as_deref()).collect();
    assert_eq!(licences, [Some("MIT"), Some("Apache-2.0"), Some("SEE LICENSE IN x")]);
}

#[test]
fn an_image_may_state_its_base() {
    let configuration = |labels: &str| {
        ImageConfiguration::parse(
            format!(r#"{{"config":{{"Labels":{labels}}},"rootfs":{{"diff_ids":[]}}}}"#).as_bytes(),
        )
        .unwrap()
    };
    let named = configuration(r#"{"org.opencontainers.image.base.name":"docker.io/library/debian:12"}"#);
    let base = merge::<LayerResult>(&[], Some(&named)).base.unwrap();
    assert_eq!((base.name.as_deref(), base.layers), (Some("docker.io/library/debian:12"), None));
    assert_eq!(base.evidence, BaseEvidence::Stated);
    assert_eq!(merge::<LayerResult>(&[], Some(&configuration("{}"))).base, None);
}

#[test]
fn a_root_file_system_counts_what_is_installed_only() {
    let folder = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("var/lib/dpkg/status", STATUS);
    write("bin/sh", "#!");
    write("app/Gemfile.lock", "GEM\n  specs:\n    rack (3.0.8)\n");
    let names = |contents: &Contents| -> Vec<String> { contents.packages.iter().map(|p| p.name.clone()).collect() };
    let root = inspect_root(folder.path(), &DirectoryOptions::default()).unwrap();
    assert_eq!(names(&root), ["python3-idna"]);
    assert_eq!(root.surface.shells, ["bin/sh"]);
    let sources = inspect_directory(folder.path(), &DirectoryOptions::default()).unwrap();
    assert_eq!(names(&sources), ["python3-idna", "rack"]);
    assert!(sources.surface.shells.is_empty(), "a folder of sources has no surface");
}

#[test]
fn an_archive_of_sources_is_read_as_a_directory() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("source.tar.gz");
    let tar = Tar::default().file("app-1.0/Gemfile.lock", "GEM\n  specs:\n    rack (3.0.8)\n");
    std::fs::write(&path, gzip(&tar.bytes())).unwrap();
    let contents = inspect_archive(&path, &DirectoryOptions::default()).unwrap();
    assert_eq!(contents.packages[0].purl.to_string(), "pkg:gem/rack@3.0.8");
    assert!(contents.layers.is_empty() && contents.partial.is_empty());
    std::fs::write(&path, "no archive").unwrap();
    assert!(!inspect_archive(&path, &DirectoryOptions::default()).unwrap().partial.is_empty());
}

#[test]
fn a_zip_archive_of_sources_is_read_as_its_folder_would_be() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("main.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    for (name, content) in [
        ("project/requirements.txt", "flask==3.0.0\n"),
        ("../../etc/requirements.txt", "django==5.0\n"),
        ("project/notes", "key\n"),
    ] {
        writer.start_file(name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap();
    let contents = inspect_archive(&path, &DirectoryOptions::default()).unwrap();
    let listed: Vec<_> =
        contents.packages.iter().map(|package| (package.name.as_str(), package.path.as_str())).collect();
    assert_eq!(listed, [("django", "etc/requirements.txt"), ("flask", "project/requirements.txt")]);
    assert_eq!((contents.files, contents.partial.len()), (3, 0));
    let whole = std::fs::read(&path).unwrap();
    std::fs::write(&path, &whole[..whole.len() - 30]).unwrap();
    assert!(!inspect_archive(&path, &DirectoryOptions::default()).unwrap().partial.is_empty());
}

#[test]
fn a_zip_archive_that_inflates_without_end_is_partial() {
    use std::io::Write as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bomb.zip");
    let mut writer = zip::ZipWriter::new(std::fs::File::create(&path).unwrap());
    for name in ["a", "b", "c"] {
        writer.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(&vec![0; 2 << 20]).unwrap();
    }
    writer.finish().unwrap();
    let limits = assay_inspect::Limits { ratio_floor: 3 << 20, ..assay_inspect::Limits::default() };
    let options = DirectoryOptions { limits, ..DirectoryOptions::default() };
    let contents = inspect_archive(&path, &options).unwrap();
    assert_eq!(contents.partial.iter().map(|partial| partial.bound).collect::<Vec<_>>(), [assay_model::Bound::Ratio]);
}
