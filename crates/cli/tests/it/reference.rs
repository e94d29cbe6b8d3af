use std::path::Path;

use crate::assay::Assay;

/// `docs/reference/cli.md` is what `assay reference --to DIR` writes today. `ASSAY_UPDATE_REFERENCE=1` writes it.
#[test]
fn the_command_reference_is_fresh() {
    let assay = Assay::new();
    let output = assay.run(&["reference", "--to", "reference"]);
    assert!(output.status.success(), "{}", assay.shown(&output));
    let written = std::fs::read_to_string(assay.path().join("reference/cli.md")).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/cli.md");
    if std::env::var_os("ASSAY_UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &written).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == committed, "docs/reference/cli.md is stale; write it with: .ci/generated");
}

/// Whether it is what the types say is tested beside them, in `assay-kube`.
#[test]
fn crds_prints_the_file_of_definitions() {
    let assay = Assay::new();
    let output = assay.run(&["crds"]);
    assert!(output.status.success(), "{}", assay.shown(&output));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/crds.yaml");
    assert!(output.stdout == std::fs::read(path).unwrap());
}

#[test]
fn every_command_has_a_man_page() {
    let assay = Assay::new();
    assay.run(&["man", "--to", "man"]);
    for page in ["assay.1", "assay-config-show.1", "assay-completions.1"] {
        let text = std::fs::read_to_string(assay.path().join("man").join(page)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{page}");
    }
}

#[test]
fn completions_exist_for_every_shell() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let output = Assay::new().run(&["completions", shell]);
        assert!(output.status.success() && output.stdout.len() > 500, "{shell}");
    }
}
