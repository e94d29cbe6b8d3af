//! The arrows between crates, as ARCHITECTURE.md draws them.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// What each crate may use, besides crates from outside. Deeper arrows follow from these.
const ARROWS: [(&str, &[&str]); 20] = [
    ("model", &[]),
    ("yaml", &["model"]),
    ("kinds", &["model"]),
    ("version", &["model"]),
    // What is in it
    ("inspect", &["model"]),
    ("sbom", &["model"]),
    ("lint", &["model", "yaml"]),
    ("vuln", &["model", "version"]),
    // Who made it
    ("trust", &["model", "kinds"]),
    // Where it may run
    ("case", &["model", "trust"]),
    ("gate", &["model", "kinds", "trust", "case", "version"]),
    // The outside world
    ("credentials", &["model"]),
    ("oci", &["model", "credentials"]),
    ("sign", &["model", "trust", "oci", "credentials"]),
    ("store", &["model", "trust", "case", "credentials"]),
    ("kube", &["model", "yaml", "kinds", "case", "credentials"]),
    // Assembly
    ("gather", &["model", "oci", "inspect", "vuln", "trust", "case", "store", "sbom"]),
    ("server", &["model", "kinds", "trust", "case", "gate", "credentials", "kube", "store", "gather"]),
    // The stand-ins speak the protocols that `sign` defines.
    ("sandbox", &["model", "trust", "sign"]),
    (
        "cli",
        &[
            "model",
            "kinds",
            "version",
            "inspect",
            "sbom",
            "vuln",
            "trust",
            "case",
            "gate",
            "credentials",
            "oci",
            "sign",
            "store",
            "kube",
            "lint",
            "gather",
            "server",
            "sandbox",
        ],
    ),
];

/// Crates that do no input or output.
const PURE: [&str; 11] =
    ["model", "yaml", "kinds", "version", "inspect", "sbom", "lint", "vuln", "trust", "case", "gate"];

/// What a pure crate never reaches.
const IMPURE: [&str; 10] =
    ["tokio", "reqwest", "hyper", "axum", "kube", "rusqlite", "libsqlite3_sys", "tokio_postgres", "sqlx", "ureq"];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .other_options(vec!["--locked".to_owned(), "--offline".to_owned()])
        .exec()
        .unwrap()
}

fn ours(name: &str) -> Option<&str> {
    name.strip_prefix("assay-")
}

#[test]
fn every_arrow_between_crates_is_allowed() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        ARROWS.iter().map(|(name, uses)| (*name, uses.iter().copied().collect())).collect();
    for package in metadata.workspace_packages() {
        let Some(name) = ours(&package.name) else { continue };
        let uses = allowed.get(name).unwrap_or_else(|| panic!("crate {name} has no row in ARROWS"));
        for dependency in package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal) {
            let Some(used) = ours(&dependency.name) else { continue };
            assert!(uses.contains(used), "{name} -> {used} is not an arrow of ARCHITECTURE.md");
        }
    }
}

#[test]
fn the_allowed_arrows_have_no_cycle_and_point_from_the_outside_in() {
    for (index, (name, uses)) in ARROWS.iter().enumerate() {
        for used in *uses {
            let at = ARROWS.iter().position(|(other, _)| other == used).unwrap();
            let pure_uses_impure = PURE.contains(name) && !PURE.contains(used);
            assert!(!pure_uses_impure, "{name} -> {used}");
            assert!(at < index || *name == "cli", "{name} -> {used} points outwards");
        }
    }
}

#[test]
fn pure_crates_never_reach_a_runtime_a_network_or_a_database() {
    for pure in PURE {
        // Each crate by itself: in the whole workspace, features that others switch on would blur the picture.
        let package = format!("assay-{pure}");
        let tree = cargo(&["tree", "-p", &package, "-e", "normal", "--prefix", "none", "--format", "{lib}"]);
        let reached: BTreeSet<&str> = tree.lines().map(|line| line.trim_end_matches(" (*)")).collect();
        assert!(reached.contains(format!("assay_{pure}").as_str()), "{tree}");
        for impure in IMPURE {
            assert!(
                !reached.contains(impure),
                "{pure} is pure but reaches {impure}; see cargo tree -p {package} -e normal -i {impure}"
            );
        }
    }
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = std::process::Command::new(cargo)
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
