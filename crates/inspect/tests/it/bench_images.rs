//! Compares the contents of whole images with the package managers' own listings, where the images are there: a folder
//! `ASSAY_BENCH_IMAGES` with `NAME.oci` (an OCI layout) and `NAME.truth.json` for each. How each list is to be read stands
//! with the script that builds them; in short: every row must be listed, nothing else of its kind may be, but for the lists
//! that are named as neither required nor forbidden.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

use assay_inspect::{ImageConfiguration, Limits, inspect_layer, merge};
use assay_model::{Contents, Digest, Package, PackageType};
use serde_json::Value;

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

const IMAGES: [&str; 10] = [
    "deb-min",
    "node-app",
    "rpm-sqlite",
    "rpm-ndb",
    "apk",
    "deb-full",
    "deb-full-zstd",
    "py-app",
    "java-app",
    "bin-scratch",
];

fn json(path: &Path) -> Value {
    serde_json::from_reader(File::open(path).unwrap()).unwrap()
}

fn blob(layout: &Path, descriptor: &Value) -> (Digest, std::path::PathBuf) {
    let digest: Digest = descriptor["digest"].as_str().unwrap().parse().unwrap();
    (digest, layout.join("blobs/sha256").join(digest.hex()))
}

fn inspect(layout: &Path) -> Contents {
    let index = json(&layout.join("index.json"));
    let manifest = json(&blob(layout, &index["manifests"][0]).1);
    let layers: Vec<_> = manifest["layers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|descriptor| {
            let (digest, path) = blob(layout, descriptor);
            let media_type = descriptor["mediaType"].as_str().unwrap();
            inspect_layer(File::open(path).unwrap(), &digest, media_type, &Limits::default()).unwrap()
        })
        .collect();
    let configuration = std::fs::read(blob(layout, &manifest["config"]).1).unwrap();
    merge(&layers, Some(&ImageConfiguration::parse(&configuration).unwrap()))
}

/// The rows of a list of the truth, as sorted text of these fields.
fn rows(truth: &Value, list: &str, fields: &[&str]) -> Vec<String> {
    let text = |row: &Value, field: &str| match &row[field] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut rows: Vec<String> = truth[list]
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| fields.iter().map(|field| text(row, field)).collect::<Vec<_>>().join(" "))
        .collect();
    rows.sort();
    rows
}

fn listed(contents: &Contents, kind: PackageType, row: impl Fn(&Package) -> String) -> Vec<String> {
    let mut rows: Vec<String> = contents.packages.iter().filter(|package| package.kind == kind).map(row).collect();
    rows.sort();
    rows
}

/// Every row of `required` is found; what else is found is in `allowed`. The count of each.
fn compare(image: &str, kind: &str, required: &[String], found: &[String], allowed: &[String]) -> String {
    let mut open: BTreeMap<&str, i64> = BTreeMap::new();
    for row in found {
        *open.entry(row).or_default() += 1;
    }
    let mut missing = Vec::new();
    for row in required {
        match open.get_mut(row.as_str()) {
            Some(count) if *count > 0 => *count -= 1,
            _ => missing.push(row),
        }
    }
    let allowed: BTreeSet<&str> = allowed.iter().map(String::as_str).collect();
    let extra: Vec<_> = open.iter().filter(|(row, count)| **count > 0 && !allowed.contains(**row)).collect();
    assert!(missing.is_empty() && extra.is_empty(), "{image} {kind}: missing {missing:?}, extra {extra:?}");
    format!("{kind} {} of {}", required.len(), required.len())
}

fn check(image: &str, contents: &Contents, truth: &Value) -> Vec<String> {
    assert!(contents.partial.is_empty(), "{image}: {:?}", contents.partial);
    let mut figures = Vec::new();
    let mut compare = |kind: &str, required: &[String], found: &[String], allowed: &[String]| {
        if !required.is_empty() || !found.is_empty() {
            figures.push(compare(image, kind, required, found, allowed));
        }
    };
    let architecture = |package: &Package| package.architecture.clone().unwrap_or_default();
    let source = |package: &Package| match &package.source {
        Some(source) => format!("{} {}", source.name, source.version),
        None => format!("{} {}", package.name, package.version),
    };
    let deb = |package: &Package| {
        format!("{} {} {} {}", package.name, package.version, architecture(package), source(package))
    };
    let fields = ["name", "version", "arch", "source", "source_version"];
    compare("deb", &rows(truth, "deb", &fields), &listed(contents, PackageType::Deb, deb), &[]);
    let apk = |package: &Package| format!("{} {} {}", package.name, package.version, architecture(package));
    compare("apk", &rows(truth, "apk", &["name", "version", "arch"]), &listed(contents, PackageType::Apk, apk), &[]);
    let rpm = |package: &Package| {
        let (epoch, rest) = package.version.split_once(':').unwrap_or(("0", &package.version));
        let (version, release) = rest.rsplit_once('-').unwrap();
        format!("{} {epoch} {version} {release} {}", package.name, architecture(package))
    };
    compare(
        "rpm",
        &rows(truth, "rpm", &["name", "epoch", "version", "release", "arch"]),
        &listed(contents, PackageType::Rpm, rpm),
        &[],
    );
    let npm = |package: &Package| {
        format!("{} {} {}", package.name, package.version, package.path.strip_suffix("/package.json").unwrap())
    };
    let fields = ["name", "version", "path"];
    let other = rows(truth, "package_json_other", &fields);
    compare("npm", &rows(truth, "npm", &fields), &listed(contents, PackageType::Npm, npm), &other);
    let python = |package: &Package| format!("{} {} {}", package.name, package.version, package.path);
    let vendored = rows(truth, "python_vendored", &fields);
    compare("python", &rows(truth, "python", &fields), &listed(contents, PackageType::Pypi, python), &vendored);
    let rust = |package: &Package| format!("{} {} {}", package.name, package.version, package.path);
    compare("rust", &rows(truth, "rust", &fields), &listed(contents, PackageType::Cargo, rust), &[]);
    // A main module that says (devel) may be listed without a version.
    let go = |package: &Package| {
        let version = if package.version.is_empty() { "(devel)" } else { &package.version };
        format!("{} {version} {}", package.name, package.path)
    };
    compare("go", &rows(truth, "go", &fields), &listed(contents, PackageType::Golang, go), &[]);
    let (poms, unnamed) = jars(truth);
    let found = listed(contents, PackageType::Maven, |package| {
        format!("{}:{} {}", package.name, package.version, package.path)
    });
    let heuristic: Vec<String> =
        found.iter().filter(|row| unnamed.contains(row.rsplit(' ').next().unwrap())).cloned().collect();
    compare("maven", &poms, &found, &heuristic);
    let generic = |package: &Package| format!("{} {}", package.name, package.version);
    compare(
        "binaries",
        &rows(truth, "binaries", &["name", "version"]),
        &listed(contents, PackageType::Generic, generic),
        &[],
    );
    let owned: BTreeSet<String> = rows(truth, "owned_by_deb", &["path"]).into_iter().collect();
    for package in contents.packages.iter().filter(|package| !package.kind.is_distribution()) {
        let folder = package.path.strip_suffix("/package.json").unwrap_or(&package.path);
        assert!(!owned.contains(&package.path) && !owned.contains(folder), "{image}: {} is listed twice", package.path);
    }
    let planted = rows(truth, "secrets", &["kind", "path", "line"]);
    let mut secrets: Vec<String> =
        contents.secrets.iter().map(|found| format!("{} {} {}", found.rule, found.file.path, found.line)).collect();
    secrets.sort();
    assert_eq!(secrets, planted, "{image} secrets");
    figures.push(format!("secrets {} of {}", secrets.len(), planted.len()));
    figures
}

/// Every coordinate with its path, and the jars that have none.
fn jars(truth: &Value) -> (Vec<String>, BTreeSet<String>) {
    let mut poms = BTreeSet::new();
    let mut unnamed = BTreeSet::new();
    for jar in truth["jars"].as_array().into_iter().flatten() {
        let path = jar["path"].as_str().unwrap();
        let named = jar["poms"].as_array().unwrap();
        poms.extend(named.iter().map(|pom| format!("{} {path}", pom.as_str().unwrap())));
        if named.is_empty() {
            unnamed.insert(path.to_owned());
        }
    }
    (poms.into_iter().collect(), unnamed)
}

#[test]
fn images_hold_what_their_package_managers_list() {
    let Some(folder) = std::env::var_os("ASSAY_BENCH_IMAGES") else {
        said!("skipped: ASSAY_BENCH_IMAGES is not set");
        return;
    };
    let folder = Path::new(&folder);
    let mut passed = 0;
    for image in IMAGES.into_iter().chain(["mono"]) {
        let layout = folder.join(format!("{image}.oci"));
        if !layout.is_dir() {
            said!("skipped: image {image} not present");
            continue;
        }
        let contents = inspect(&layout);
        let figures = check(image, &contents, &json(&folder.join(format!("{image}.truth.json"))));
        said!("{image}: {} files, {}", contents.files, figures.join(", "));
        passed += 1;
    }
    assert!(passed > 0, "{} has no image", folder.display());
}
