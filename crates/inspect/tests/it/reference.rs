//! `docs/reference/inspection.md`, rendered from the registry. `ASSAY_UPDATE_REFERENCE=1` writes it, otherwise it must be
//! what it says.

use std::fmt::Write as _;
use std::path::Path;

use assay_inspect::{Scope, SecretRules, known_programs, registry};
use assay_model::EvidenceTier;

fn tier(tier: EvidenceTier) -> &'static str {
    match tier {
        EvidenceTier::PackageDatabase => "package database",
        EvidenceTier::Installed => "recorded by its manager",
        EvidenceTier::ArchiveMetadata => "metadata of an archive",
        EvidenceTier::Declared => "declared",
        EvidenceTier::Heuristic => "guessed by name and content",
    }
}

fn table(out: &mut String, scope: Scope) {
    out.push_str("| what | files | how strong a sign |\n|---|---|---|\n");
    for row in registry().filter(|row| row.scope == scope) {
        let files: Vec<String> = row.files.iter().map(|file| format!("`{file}`")).collect();
        let files = if files.is_empty() { "in executables (ELF)".to_owned() } else { files.join(", ") };
        let _ = writeln!(out, "| {} | {files} | {} |", row.name, tier(row.tier));
    }
}

fn rendered() -> String {
    let mut out = String::from(
        "# What inspection reads\n\nGenerated from the registry of `crates/inspect`; change it there, then run `.ci/generated`.\n\n\
         Patterns: `/` at the front is the root of the file system, `*` any part of a name, `**` any number of folders.\n\
         A file that a package of the distribution lists as its own is not listed a second time: `assay scan TARGET --explain NAME`\n\
         says what was left out, and why. A file that cannot be read to its end makes the result `partial`, never clean.\n\n\
         ## Installed: images, root file systems, directories\n\n",
    );
    table(&mut out, Scope::Image);
    out.push_str("\n## Declared: directories, git repositories and archives of sources only\n\n");
    table(&mut out, Scope::Directory);
    out.push_str("\n## Executables known by the version inside\n\n");
    out.push_str(
        "Marked as guessed; not listed where a better sign names the same thing in the same version, or where a package owns\n\
         the file.\n\n",
    );
    let _ = writeln!(out, "{}.", known_programs().collect::<Vec<_>>().join(", "));
    let rules = SecretRules::built_in();
    let _ = write!(
        out,
        "\n## Secrets\n\nSearched in every text file, in environment and history of image configurations, and in files that a later layer\n\
         deletes. {} rules; `--secret-rules FILE` takes a gitleaks configuration instead (directories only), `--secret-baseline FILE`\n\
         leaves out what is known. Nothing is sent anywhere to be checked.\n\n{}.\n",
        rules.names().count(),
        rules.names().collect::<Vec<_>>().join(", ")
    );
    out
}

#[test]
fn the_list_of_what_is_read_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/reference/inspection.md");
    let text = rendered();
    if std::env::var_os("ASSAY_UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == committed, "docs/reference/inspection.md is stale; write it with: .ci/generated");
}
