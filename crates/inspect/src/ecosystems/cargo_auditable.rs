//! Rust crates from the list that cargo-auditable leaves in executables.
//!
//! Source: cargo-auditable, `PARSING.md` (section `.dep-v0`, zlib) and its JSON schema. Build-time crates are not in the
//! binary, and are not listed.

use std::io::Read as _;

use assay_model::{Bound, EvidenceTier, PackageType};
use serde::Deserialize;

use super::{About, Ecosystem, Found, names, package};
use crate::elf::Binary;

pub(crate) struct CargoAuditable;

const SECTION: &str = ".dep-v0";
/// Bytes of the inflated list: the bound that cargo-auditable's own reader has.
const JSON_BYTES: u64 = 8 << 20;

#[derive(Deserialize)]
struct Document {
    packages: Vec<Crate>,
}

#[derive(Deserialize)]
struct Crate {
    name: String,
    version: String,
    #[serde(default)]
    kind: Option<String>,
    #[serde(default)]
    dependencies: Vec<usize>,
}

const ABOUT: About = About::installed("Rust executables built with cargo-auditable", EvidenceTier::Installed, &[]);

impl Ecosystem for CargoAuditable {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read_binary(&self, path: &str, binary: &Binary, found: &mut Found) {
        let Some(section) = binary.section(SECTION) else { return };
        let mut json = Vec::new();
        let inflated = flate2::read::ZlibDecoder::new(section).take(JSON_BYTES + 1).read_to_end(&mut json);
        if json.len() as u64 > JSON_BYTES {
            found.bound(path, Bound::Bytes);
            return;
        }
        let Ok(Ok(document)) = inflated.map(|_| serde_json::from_slice::<Document>(&json)) else {
            return found.malformed(path);
        };
        let is_built = |entry: &Crate| entry.kind.as_deref() == Some("build");
        for entry in document.packages.iter().filter(|entry| !is_built(entry)) {
            let mut package = package(PackageType::Cargo, &entry.name, &entry.version, EvidenceTier::Installed, path);
            package.digest = Some(binary.digest());
            package.depends_on = names(
                entry
                    .dependencies
                    .iter()
                    .filter_map(|&index| document.packages.get(index))
                    .filter(|needed| !is_built(needed))
                    .map(|needed| needed.name.clone()),
            );
            found.packages.push(package);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::elf::testing as elf;

    fn read(file: &[u8]) -> Found {
        let mut found = Found::default();
        CargoAuditable.read_binary("usr/bin/rg", &elf::read(file), &mut found);
        found
    }

    fn executable(section: &[u8]) -> Vec<u8> {
        elf::executable(SECTION, section)
    }

    fn deflated(json: &str) -> Vec<u8> {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(json.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn root_and_run_time_crates_are_listed() {
        let json = r#"{"packages":[{"name":"rg","version":"14.1.1","source":"local","root":true,"dependencies":[1,2]},
            {"name":"memchr","version":"2.7.0","source":"crates.io"},
            {"name":"syn","version":"2.0.0","source":"crates.io","kind":"build"}]}"#;
        let found = read(&executable(&deflated(json)));
        let list: Vec<_> = found.packages.iter().map(|p| (p.name.as_str(), p.version.as_str())).collect();
        assert_eq!(list, [("rg", "14.1.1"), ("memchr", "2.7.0")]);
        assert_eq!(found.packages[0].depends_on, ["memchr"]);
        assert!(found.packages[0].digest.is_some());
    }

    #[test]
    fn damaged_and_oversized_lists_are_partial() {
        assert_eq!(read(&executable(b"not zlib")).partial.len(), 1);
        let bomb = " ".repeat(9 << 20);
        assert_eq!(read(&executable(&deflated(&bomb))).partial[0].bound, Bound::Bytes);
    }
}
