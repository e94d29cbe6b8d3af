//! Homebrew and snap: where each of them keeps what it installed.
//!
//! Sources: Homebrew, "Formula Cookbook" (`Cellar/NAME/VERSION`, `INSTALL_RECEIPT.json`); snapcraft, `snap.yaml`.

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, clip, installed, list, names, optional, text};

pub(crate) static BREW: Reader =
    Reader::installed("Homebrew formulae", EvidenceTier::Installed, &["Cellar/*/*/INSTALL_RECEIPT.json"], read_receipt);
pub(crate) static SNAP: Reader = Reader::installed(
    "Snaps",
    EvidenceTier::Installed,
    &["/snap/*/*/meta/snap.yaml", "/var/lib/snapd/snap/*/*/meta/snap.yaml", "/meta/snap.yaml"],
    read_snap,
);

fn read_receipt(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.whole_json(file) else { return };
    let mut folders = file.path.rsplit('/').skip(1);
    let (Some(version), Some(name)) = (folders.next(), folders.next()) else { return };
    let tap = document.get("source").map(|source| text(source, "tap")).unwrap_or_default();
    // Homebrew's own collection is the one that is meant where none is named.
    let name = if tap.is_empty() || tap == "homebrew/core" { name.to_owned() } else { format!("{tap}/{name}") };
    let mut package = installed(PackageType::Brew, &name, version, file);
    package.depends_on =
        names(list(&document, "runtime_dependencies").iter().map(|need| clip(text(need, "full_name"))));
    found.add(file, package);
}

fn read_snap(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.yaml(file) else { return };
    let version = match document.get("version") {
        Some(serde_json::Value::String(version)) => version.clone(),
        Some(other) => other.to_string(),
        None => return found.malformed(file.path),
    };
    let mut package = installed(PackageType::Generic, text(&document, "name"), &version, file);
    package.licence = optional(text(&document, "license"));
    package.architecture = list(&document, "architectures").first().and_then(|name| optional(name.as_str()?));
    found.add(file, package);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::lines;

    #[test]
    fn a_receipt_lies_in_the_cellar() {
        let json = r#"{"homebrew_version":"4.2","source":{"tap":"homebrew/core"},"runtime_dependencies":[{"full_name":"oniguruma","version":"6.9.9"}]}"#;
        assert_eq!(
            lines(&BREW, "home/linuxbrew/.linuxbrew/Cellar/jq/1.7.1/INSTALL_RECEIPT.json", json),
            ["pkg:brew/jq@1.7.1 -> oniguruma"]
        );
    }

    #[test]
    fn a_snap_describes_itself() {
        let yaml = "name: core22\nversion: 20240111\nsummary: x\narchitectures:\n- amd64\n";
        assert_eq!(lines(&SNAP, "snap/core22/1122/meta/snap.yaml", yaml), ["pkg:generic/core22@20240111"]);
    }
}
