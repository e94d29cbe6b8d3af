//! Slices of real package records (`tests/data`, see `SOURCE.md` there), each as the layer that it would be in.

use std::path::Path;

use assay_inspect::merge;
use assay_model::{Contents, EvidenceTier, Package, SourcePackage};

use crate::archive::Tar;

fn data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn contents(tar: Tar) -> Contents {
    let contents = merge(&[tar.layer()], None);
    assert_eq!(contents.partial, []);
    contents
}

fn list(contents: &Contents) -> Vec<String> {
    contents.packages.iter().map(|package| format!("{} {}", package.name, package.version)).collect()
}

fn find<'a>(contents: &'a Contents, name: &str) -> &'a Package {
    contents.packages.iter().find(|package| package.name == name).unwrap_or_else(|| panic!("no {name}"))
}

fn source(name: &str, version: &str) -> SourcePackage {
    SourcePackage { name: name.to_owned(), version: version.to_owned() }
}

#[test]
fn a_debian_slice_lists_its_packages_with_sources_and_dependencies() {
    let contents = contents(
        Tar::default()
            .link("etc/os-release", "../usr/lib/os-release")
            .file("usr/lib/os-release", data("debian/os-release"))
            .file("var/lib/dpkg/status", data("debian/status"))
            .file("var/lib/dpkg/info/bash.list", data("debian/bash.list")),
    );
    assert_eq!(
        list(&contents),
        [
            "base-files 12.4+deb12u15",
            "bash 5.2.15-2+b13",
            "debianutils 5.7-0.5~deb12u1",
            "dpkg 1.21.23",
            "libc6 2.36-9+deb12u14",
            "libgcc-s1 12.2.0-14+deb12u1",
            "libtinfo6 6.4-4",
            "tar 1.34+dfsg-1.2+deb12u1",
            "zlib1g 1:1.2.13.dfsg-1",
        ]
    );
    let os = contents.os.as_ref().unwrap();
    assert_eq!((os.id.as_str(), os.version_id.as_deref()), ("debian", Some("12")));
    let libc = find(&contents, "libc6");
    assert_eq!(libc.source, Some(source("glibc", "2.36-9+deb12u14")));
    assert_eq!(
        libc.purl.to_string(),
        "pkg:deb/debian/libc6@2.36-9%2Bdeb12u14?arch=amd64&distro=debian-12&upstream=glibc"
    );
    assert_eq!(libc.depends_on, ["libgcc-s1"]);
    assert!(libc.supplier.as_deref().unwrap().contains("GNU Libc Maintainers"));
    assert_eq!(find(&contents, "bash").source, Some(source("bash", "5.2.15-2")));
    assert_eq!(libc.tier, EvidenceTier::PackageDatabase);
}

#[test]
fn an_alpine_slice_lists_its_packages_with_origins() {
    let contents = contents(
        Tar::default()
            .file("lib/apk/db/installed", data("alpine/installed"))
            .file("etc/os-release", data("alpine/os-release")),
    );
    assert_eq!(contents.packages.len(), 14);
    let ssl = find(&contents, "libssl1.1");
    assert_eq!(ssl.source, Some(source("openssl", "1.1.1q-r0")));
    assert_eq!(
        ssl.purl.to_string(),
        "pkg:apk/alpine/libssl1.1@1.1.1q-r0?arch=x86_64&distro=alpine-3.18.4&upstream=openssl"
    );
    assert_eq!(ssl.depends_on, ["libcrypto1.1", "musl"]);
    assert_eq!(ssl.licence.as_deref(), Some("OpenSSL"));
    assert_eq!(find(&contents, "busybox").source, None);
}

#[test]
fn an_rpm_slice_is_read_from_sqlite() {
    let contents = contents(
        Tar::default()
            .file("var/lib/rpm/rpmdb.sqlite", data("rpm/rpmdb.sqlite"))
            .file("etc/os-release", data("rpm/os-release")),
    );
    assert_eq!(
        list(&contents),
        [
            "bzip2-libs 1.0.8-1.cm2",
            "expat-libs 2.4.3-1.cm2",
            "json-c 0.14-3.cm2",
            "libssh2 1.9.0-1.cm2",
            "mpfr 4.1.0-1.cm2",
            "npth 1.6-4.cm2",
            "popt 1.16-7.cm2",
            "popt-devel 1.16-7.cm2",
            "sed 4.8-1.cm2",
            "xz-libs 5.2.5-1.cm2",
            "zlib-devel 1.2.11-5.cm2",
            "zstd 1.5.0-1.cm2",
            "zstd-devel 1.5.0-1.cm2",
            "zstd-libs 1.5.0-1.cm2",
        ]
    );
    let xz = find(&contents, "xz-libs");
    assert_eq!(xz.source, Some(source("xz", "5.2.5-1.cm2")));
    assert_eq!(
        xz.purl.to_string(),
        "pkg:rpm/mariner/xz-libs@5.2.5-1.cm2?arch=x86_64&distro=mariner-2.0&upstream=xz-5.2.5-1.cm2.src.rpm"
    );
    assert_eq!(xz.supplier.as_deref(), Some("Microsoft Corporation"));
    assert!(xz.licence.is_some());
    assert_eq!(find(&contents, "popt-devel").depends_on, ["popt"]);
}

#[test]
fn an_rpm_slice_is_read_from_ndb() {
    let contents = contents(Tar::default().file("usr/lib/sysimage/rpm/Packages.db", data("rpm/Packages.db")));
    assert_eq!(
        list(&contents),
        [
            "libattr1 2.4.47-2.19",
            "libbz2-1 1.0.6-5.11.1",
            "libcap2 2.26-4.6.1",
            "libgmp10 6.1.2-4.6.1",
            "rpm-config-SUSE 1-5.6.1",
            "system-user-root 20190513-3.3.1",
        ]
    );
}

#[test]
fn packages_of_suse_carry_the_vendor_in_their_purl() {
    let contents = contents(
        Tar::default()
            .file("usr/lib/sysimage/rpm/Packages.db", data("rpm/Packages.db"))
            .file("etc/os-release", "ID=\"sles\"\nVERSION_ID=\"15.4\"\n"),
    );
    let purl = find(&contents, "libattr1").purl.to_string();
    assert!(purl.starts_with("pkg:rpm/suse/libattr1@2.4.47-2.19?"), "{purl}");
    assert!(purl.contains("distro=sles-15.4"), "{purl}");
}

#[test]
fn a_damaged_berkeley_database_is_named() {
    let contents = merge(&[Tar::default().file("var/lib/rpm/Packages", b"\0\0\0\0").layer()], None);
    assert_eq!(contents.partial[0].what, "var/lib/rpm/Packages");
}

/// The files of the slice below `root`.
fn node(root: &str, mut tar: Tar, leave_out: &str) -> Tar {
    let tree: std::collections::BTreeMap<String, String> = serde_json::from_slice(&data("node/tree.json")).unwrap();
    for (path, content) in tree {
        if path != leave_out {
            tar = tar.file(&format!("{root}{path}"), content);
        }
    }
    tar
}

#[test]
fn a_node_slice_lists_what_npm_installed_and_no_stubs() {
    let contents = contents(node("app/", Tar::default(), ""));
    assert_eq!(
        list(&contents),
        [
            "@babel/code-frame 7.29.7",
            "body-parser 1.19.0",
            "bytes 3.1.0",
            "debug 2.6.9",
            "express 4.17.1",
            "js-tokens 4.0.0",
            "lodash 4.17.15",
            "ms 2.0.0",
            "picocolors 1.1.1",
            "rxjs 7.5.0",
            "tslib 2.3.1",
        ]
    );
    let babel = find(&contents, "@babel/code-frame");
    assert_eq!(babel.purl.to_string(), "pkg:npm/%40babel/code-frame@7.29.7");
    assert!(babel.depends_on.contains(&"js-tokens".to_owned()));
    assert_eq!(
        (babel.licence.as_deref(), babel.path.as_str()),
        (Some("MIT"), "app/node_modules/@babel/code-frame/package.json")
    );
    assert!(babel.supplier.as_deref().unwrap().contains("Babel"));
}

#[test]
fn without_npms_record_the_folders_speak_for_themselves() {
    let contents = contents(node("", Tar::default(), "node_modules/.package-lock.json"));
    assert_eq!(contents.packages.len(), 11, "{:?}", list(&contents));
}

#[test]
fn a_folder_that_npm_did_not_install_is_not_listed_below_its_record() {
    let stray = r#"{"name":"stray","version":"6.6.6"}"#;
    let tar = node("app/", Tar::default(), "")
        .file("app/node_modules/express/test/node_modules/stray/package.json", stray)
        .file("srv/node_modules/stray/package.json", stray);
    let contents = contents(tar);
    let strays: Vec<_> = contents.packages.iter().filter(|package| package.name == "stray").collect();
    assert_eq!(strays.len(), 1, "no record covers srv/");
    assert_eq!(strays[0].path, "srv/node_modules/stray/package.json");
}

#[test]
fn a_python_slice_lists_its_distributions() {
    let site = "usr/local/lib/python3.11/site-packages";
    let contents = contents(
        Tar::default()
            .file(&format!("{site}/markdown-3.11.3.dist-info/METADATA"), data("python/markdown.METADATA"))
            .file(&format!("{site}/platformdirs-4.14.5.dist-info/METADATA"), data("python/platformdirs.METADATA"))
            .file(
                &format!("{site}/old-1.0-py3.11.egg-info"),
                "Metadata-Version: 1.1\nName: old\nVersion: 1.0\nLicense: UNKNOWN\n",
            ),
    );
    assert_eq!(list(&contents), ["Markdown 3.11.3", "old 1.0", "platformdirs 4.14.5"]);
    let markdown = find(&contents, "Markdown");
    assert_eq!(markdown.purl.to_string(), "pkg:pypi/markdown@3.11.3");
    assert_eq!(markdown.licence.as_deref(), Some("BSD-3-Clause"));
    assert!(markdown.supplier.as_deref().unwrap().starts_with("Manfred Stienstra"));
    assert_eq!(find(&contents, "old").licence, None);
}

#[test]
fn a_java_slice_lists_coordinates_and_falls_back_to_the_manifest() {
    let contents = contents(
        Tar::default()
            .file("opt/lib/slf4j-nop.jar", data("java/slf4j-nop.jar"))
            .file("opt/lib/guice-multibindings-4.2.3.jar", data("java/guice-multibindings.jar")),
    );
    assert_eq!(list(&contents), ["guice-multibindings 4.2.3", "org.slf4j:slf4j-nop 1.7.32"]);
    let slf4j = find(&contents, "org.slf4j:slf4j-nop");
    assert_eq!(slf4j.purl.to_string(), "pkg:maven/org.slf4j/slf4j-nop@1.7.32");
    assert_eq!(slf4j.supplier.as_deref(), Some("SLF4J.ORG"));
    assert_eq!(slf4j.digest, Some(assay_model::Digest::of(&data("java/slf4j-nop.jar"))));
    assert_eq!(slf4j.tier, EvidenceTier::ArchiveMetadata);
    assert_eq!(find(&contents, "guice-multibindings").tier, EvidenceTier::Heuristic);
}
