//! Layers on top of each other: formats, whiteouts, replacement, ownership, attribution.

use assay_inspect::{LayerResult, Limits, inspect_layer, merge};
use assay_model::{Contents, Digest};

use crate::archive::{Tar, gzip, layer, zstd};

fn npm(name: &str, version: &str) -> String {
    format!(r#"{{"name":"{name}","version":"{version}"}}"#)
}

fn with(path: &str, version: &str) -> Tar {
    Tar::default().file(&format!("app/node_modules/{path}/package.json"), npm(path, version))
}

fn list(contents: &Contents) -> Vec<String> {
    contents.packages.iter().map(|p| format!("{} {} {:?}", p.name, p.version, p.layer)).collect()
}

#[test]
fn gzip_zstd_and_plain_layers_hold_the_same() {
    let tar = with("a", "1.0.0").bytes();
    let plain = layer(&tar);
    let half = tar.len() / 2;
    let members = [gzip(&tar[..half]), gzip(&tar[half..])].concat();
    for blob in [gzip(&tar), zstd(&tar), members] {
        let packed = layer(&blob);
        assert_eq!((packed.diff_id, packed.uncompressed), (Digest::of(&tar), tar.len() as u64));
        assert_eq!((packed.digest, packed.size), (Digest::of(&blob), blob.len() as u64));
        assert_eq!((&packed.facts, &packed.paths), (&plain.facts, &plain.paths));
        assert_eq!(packed.partial, []);
    }
}

#[test]
fn a_result_survives_being_kept() {
    let kept = layer(&gzip(&with("a", "1.0.0").file("k", "ghp_").bytes()));
    let again: LayerResult = serde_json::from_str(&serde_json::to_string(&kept).unwrap()).unwrap();
    assert_eq!(again, kept);
    assert_eq!(kept.analyser, assay_inspect::ANALYSER);
}

#[test]
fn a_whiteout_takes_a_file_or_a_folder_away() {
    let bottom =
        with("a", "1.0.0").file("app/node_modules/b/package.json", npm("b", "2.0.0")).file("etc/c", "").layer();
    let top = Tar::default().file("app/node_modules/.wh.a", "").file("etc/.wh.c", "").layer();
    let contents = merge(&[bottom, top], None);
    assert_eq!(list(&contents), ["b 2.0.0 Some(0)"]);
    assert_eq!(contents.files, 1);
}

#[test]
fn a_whiteout_hides_only_what_is_below_it() {
    let bottom = with("a", "1.0.0").layer();
    let top = with("a", "2.0.0").file("app/.wh.node_modules", "").layer();
    assert_eq!(list(&merge(&[bottom.clone(), top.clone()], None)), ["a 2.0.0 Some(1)"]);
    assert_eq!(list(&merge(&[top, bottom], None)), ["a 1.0.0 Some(1)"], "replaced by the later layer");
}

#[test]
fn an_opaque_directory_hides_everything_below_it() {
    let bottom = with("a", "1.0.0").file("srv/node_modules/z/package.json", npm("z", "1.0.0")).layer();
    let opaque = with("b", "1.0.0").file("app/.wh..wh..opq", "").layer();
    assert_eq!(list(&merge(&[bottom.clone(), opaque], None)), ["b 1.0.0 Some(1)", "z 1.0.0 Some(0)"]);
    let root = Tar::default().file(".wh..wh..opq", "").file("new", "").layer();
    let contents = merge(&[bottom, root], None);
    assert_eq!((list(&contents), contents.files), (vec![], 1));
}

#[test]
fn a_file_in_place_of_a_folder_hides_it_and_the_other_way_round() {
    let folder = with("a", "1.0.0").layer();
    let file = Tar::default().file("app", "now a file").layer();
    assert_eq!(list(&merge(&[folder.clone(), file.clone()], None)), [""; 0]);
    assert_eq!(merge(&[file, folder], None).files, 1);
    let lockfile = Tar::default().file("app/node_modules/a/package.json", npm("a", "1.0.0")).layer();
    let empty = Tar::default().directory("app/node_modules/a/package.json").layer();
    assert_eq!(list(&merge(&[lockfile, empty], None)), [""; 0]);
}

#[test]
fn book_keeping_of_aufs_is_no_whiteout() {
    let top = Tar::default().file(".wh..wh.plnk", "").file(".wh.", "").layer();
    assert!(top.whiteouts.is_empty() && top.opaque.is_empty() && top.paths.is_empty());
}

#[test]
fn the_last_entry_of_a_path_is_the_one_that_counts() {
    let twice = with("a", "1.0.0").file("./app//node_modules/x/../a/package.json", npm("a", "1.0.1")).layer();
    assert_eq!(list(&merge(&[twice], None)), ["a 1.0.1 Some(0)"]);
}

#[test]
fn a_hard_link_says_what_its_target_says() {
    let linked =
        with("a", "1.0.0").hard_link("srv/node_modules/a/package.json", "./app/node_modules/a/package.json").layer();
    let contents = merge(&[linked], None);
    let paths: Vec<_> = contents.packages.iter().map(|p| p.path.as_str()).collect();
    assert_eq!(paths, ["app/node_modules/a/package.json", "srv/node_modules/a/package.json"]);
    let unread =
        Tar::default().file("store/1", npm("a", "1")).hard_link("node_modules/a/package.json", "store/1").layer();
    assert_eq!(merge(&[unread], None).partial[0].what, "node_modules/a/package.json (hard link to store/1)");
}

const STATUS: &str = "Package: libslf\nStatus: install ok installed\nArchitecture: all\nVersion: 1.0\n";

#[test]
fn a_file_that_a_distribution_package_owns_is_not_listed_twice() {
    let wheel = "Name: apt-thing\nVersion: 1.0\n";
    let layer = Tar::default()
        .file("usr/lib/python3/dist-packages/owned-1.egg-info", wheel)
        .file("usr/lib/python3/dist-packages/other-1.egg-info", "Name: other\nVersion: 1.0\n")
        .file("var/lib/dpkg/status", STATUS)
        // The list has the spelling from before /lib became a link.
        .file("var/lib/dpkg/info/libslf:all.list", "/.\n/lib\n/lib/python3/dist-packages/owned-1.egg-info\n")
        .layer();
    assert_eq!(list(&merge(std::slice::from_ref(&layer), None)), ["libslf 1.0 Some(0)", "other 1.0 Some(0)"]);
    // What a later layer puts in its place is no longer the distribution's.
    let replaced =
        Tar::default().file("usr/lib/python3/dist-packages/owned-1.egg-info", "Name: mine\nVersion: 2.0\n").layer();
    assert_eq!(list(&merge(&[layer, replaced], None))[1], "mine 2.0 Some(1)");
}

#[test]
fn a_package_belongs_to_the_layer_that_first_lists_it() {
    let package =
        |name: &str, version: &str| format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n\n");
    let status = |text: String| Tar::default().file("var/lib/dpkg/status", text).layer();
    let layers = [
        status(package("base", "1") + &package("curl", "1") + &package("gone", "1")),
        Tar::default().file("unrelated", "").layer(),
        status(package("base", "1") + &package("curl", "2") + &package("new", "1")),
        status(package("base", "1") + &package("curl", "2") + &package("new", "1") + &package("gone", "1")),
    ];
    assert_eq!(
        list(&merge(&layers, None)),
        ["base 1 Some(0)", "curl 2 Some(2)", "gone 1 Some(3)", "new 1 Some(2)"],
        "what was away in between came with the layer that brought it back"
    );
}

#[test]
fn the_distribution_is_read_through_links_and_from_the_fallback() {
    let release = |id: &str| format!("ID={id}\nVERSION_ID=1\n");
    let bottom =
        Tar::default().file("usr/lib/os-release", release("bottom")).link("etc/os-release", "/usr/lib/os-release");
    let bottom = bottom.file("var/lib/dpkg/status", STATUS).layer();
    let top = Tar::default().file("usr/lib/os-release", release("top")).layer();
    let contents = merge(&[bottom, top], None);
    assert_eq!(contents.os.as_ref().unwrap().id, "top");
    assert_eq!(contents.packages[0].purl.to_string(), "pkg:deb/top/libslf@1.0?arch=all&distro=top-1");
    let circle =
        Tar::default().link("etc/os-release", "os-release").file("usr/lib/os-release", release("safe")).layer();
    assert_eq!(merge(&[circle], None).os.unwrap().id, "safe");
}

#[test]
fn equal_bytes_give_equal_contents() {
    let tar = with("b", "1").file("node_modules/a/package.json", npm("a", "1")).file(".env", "x=ghp_").bytes();
    let run = || serde_json::to_string(&merge(&[layer(&gzip(&tar)), layer(&tar)], None)).unwrap();
    assert_eq!(run(), run());
}

#[test]
fn sha512_digests_are_verified_too() {
    let tar = with("a", "1").bytes();
    let mut hasher = assay_model::Hasher::new(assay_model::Algorithm::Sha512);
    hasher.update(&tar);
    let digest = hasher.finish();
    let result =
        inspect_layer(tar.as_slice(), &digest, "application/vnd.oci.image.layer.v1.tar", &Limits::default()).unwrap();
    assert_eq!((result.digest, result.diff_id), (digest, Digest::of(&tar)));
}
