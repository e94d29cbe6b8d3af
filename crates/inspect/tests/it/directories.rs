//! Folders of sources and root file systems on disk.

use std::fs;
use std::path::Path;

use assay_inspect::{DirectoryOptions, Limits, inspect_directory};

fn limited(limits: Limits) -> DirectoryOptions {
    DirectoryOptions { limits, ..DirectoryOptions::default() }
}
use assay_model::{Bound, Contents, EvidenceTier, Explain as _};

fn write(root: &Path, path: &str, content: &str) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn list(contents: &Contents) -> Vec<String> {
    contents.packages.iter().map(|p| format!("{} {} {} {:?}", p.kind, p.name, p.version, p.tier)).collect()
}

#[test]
fn lockfiles_declare_and_installed_packages_are_listed() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "Cargo.lock", "version = 4\n\n[[package]]\nname = \"memchr\"\nversion = \"2.7.4\"\n");
    write(root, "web/package-lock.json", r#"{"packages":{"node_modules/a":{"version":"1.0.0"}}}"#);
    write(root, "web/node_modules/b/package.json", r#"{"name":"b","version":"2.0.0"}"#);
    write(root, "py/requirements-dev.txt", "flask==3.0.0\nrequests>=2\n");
    write(root, "go/go.mod", "module x\nrequire golang.org/x/net v0.20.0\n");
    write(root, ".git/Cargo.lock", "[[package]]\nname = \"never\"\nversion = \"1\"\n");
    let contents = inspect_directory(root, &DirectoryOptions::default()).unwrap();
    assert_eq!(
        list(&contents),
        [
            "npm a 1.0.0 Declared",
            "npm b 2.0.0 Installed",
            "pypi flask 3.0.0 Declared",
            "golang golang.org/x/net v0.20.0 Declared",
            "cargo memchr 2.7.4 Declared",
        ]
    );
    assert_eq!(contents.files, 5);
    assert!(contents.packages.iter().all(|package| package.layer.is_none()));
    assert_eq!(contents.partial, []);
}

#[test]
fn the_lockfile_of_this_workspace_is_read_whole() {
    let lockfile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../Cargo.lock");
    let folder = tempfile::tempdir().unwrap();
    fs::copy(&lockfile, folder.path().join("Cargo.lock")).unwrap();
    let contents = inspect_directory(folder.path(), &DirectoryOptions::default()).unwrap();
    let tables = fs::read_to_string(lockfile).unwrap().matches("[[package]]").count();
    assert_eq!(contents.packages.len(), tables);
    assert!(contents.packages.iter().all(|package| package.tier == EvidenceTier::Declared));
    let own = contents.packages.iter().find(|package| package.name == "assay-inspect").unwrap();
    assert!(own.depends_on.contains(&"assay-model".to_owned()));
}

#[test]
fn a_root_file_system_is_read_like_an_image() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, "etc/os-release", "ID=alpine\nVERSION_ID=3.20\n");
    write(root, "lib/apk/db/installed", "P:musl\nV:1.2.5-r0\nA:x86_64\n\n");
    write(root, "app/.env", &format!("T=ghp_{}\n", "q7ZkP2mXv9RtB4nLs8WcY3hJd6FgT1aEu5Ko"));
    let contents = inspect_directory(root, &DirectoryOptions::default()).unwrap();
    assert_eq!(contents.packages[0].purl.to_string(), "pkg:apk/alpine/musl@1.2.5-r0?arch=x86_64&distro=alpine-3.20");
    assert_eq!((contents.secrets.len(), contents.secrets[0].file.path.as_str()), (1, "app/.env"));
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    write(outside.path(), "Cargo.lock", "[[package]]\nname = \"outside\"\nversion = \"1\"\n");
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    std::os::unix::fs::symlink(outside.path().join("Cargo.lock"), folder.path().join("Cargo.lock")).unwrap();
    std::os::unix::fs::symlink(".", folder.path().join("loop")).unwrap();
    let contents = inspect_directory(folder.path(), &DirectoryOptions::default()).unwrap();
    assert_eq!((contents.packages.len(), contents.files), (0, 0));
}

#[test]
fn bounds_make_it_partial_and_a_missing_folder_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    for index in 0..5 {
        write(folder.path(), &format!("f{index}"), "text");
    }
    let few = inspect_directory(folder.path(), &limited(Limits { entries: 3, ..Limits::default() })).unwrap();
    assert!(few.partial.iter().any(|partial| partial.bound == Bound::Entries));
    let short = inspect_directory(folder.path(), &limited(Limits { layer_bytes: 10, ..Limits::default() })).unwrap();
    assert_eq!(short.partial[0].bound, Bound::Bytes);
    let error = inspect_directory(&folder.path().join("missing"), &DirectoryOptions::default()).unwrap_err();
    assert_eq!(error.code(), "directory-unreadable");
}
