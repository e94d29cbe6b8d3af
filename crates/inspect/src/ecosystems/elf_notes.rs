//! What executables say about themselves: the package note that distributions' linkers leave, and the SBOM in GraalVM's
//! native images.
//!
//! Sources: systemd, "Package Metadata for Executable Files" (section `.note.package`, owner `FDO`, type 0xcafe1a7e);
//! GraalVM, "Embed an SBOM" (symbols `sbom` and `sbom_length`, gzip-compressed CycloneDX).

use std::io::Read as _;

use assay_model::{Bound, EvidenceTier, PackageType};
use serde_json::Value;

use super::{About, Ecosystem, Found, optional, package, sbom_files, text};
use crate::elf::Binary;

pub(crate) struct ElfNotes;
pub(crate) struct NativeImages;

const SECTION: &str = ".note.package";
const NOTE_TYPE: u32 = 0xcafe_1a7e;
/// Bytes of the inflated document.
const SBOM_BYTES: u64 = 16 << 20;

const ABOUT: About = About::installed("Package notes of executables", EvidenceTier::ArchiveMetadata, &[]);
const NATIVE_ABOUT: About = About::installed("GraalVM native images", EvidenceTier::Installed, &[]);

impl Ecosystem for ElfNotes {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read_binary(&self, path: &str, binary: &Binary, found: &mut Found) {
        let Some(section) = binary.section(SECTION) else { return };
        let Some(note) =
            description(section, binary.is_little_endian()).and_then(|json| serde_json::from_slice::<Value>(json).ok())
        else {
            return found.malformed(path);
        };
        let kind = match text(&note, "type") {
            "deb" => PackageType::Deb,
            "rpm" => PackageType::Rpm,
            "apk" => PackageType::Apk,
            "alpm" | "pacman" => PackageType::Alpm,
            _ => PackageType::Generic,
        };
        let (name, version) = (text(&note, "name"), text(&note, "version"));
        if name.is_empty() {
            return;
        }
        let mut package = package(kind, name, version, EvidenceTier::ArchiveMetadata, path);
        package.architecture = optional(text(&note, "architecture"));
        package.digest = Some(binary.digest());
        found.packages.push(package);
    }
}

/// The description of the note: sizes, type, owner and description, each padded to 4 bytes.
fn description(section: &[u8], little: bool) -> Option<&[u8]> {
    let number = |at: usize| {
        let raw = *section.get(at..)?.first_chunk()?;
        Some(if little { u32::from_le_bytes(raw) } else { u32::from_be_bytes(raw) })
    };
    let (owner, length) = (usize::try_from(number(0)?).ok()?, usize::try_from(number(4)?).ok()?);
    let start = 12usize.checked_add(owner.checked_next_multiple_of(4)?)?;
    if number(8)? != NOTE_TYPE || !section.get(12..)?.starts_with(b"FDO\0") {
        return None;
    }
    let json = section.get(start..start.checked_add(length)?)?;
    Some(json.split(|byte| *byte == 0).next().unwrap_or_default())
}

impl Ecosystem for NativeImages {
    fn about(&self) -> &About {
        &NATIVE_ABOUT
    }

    fn read_binary(&self, path: &str, binary: &Binary, found: &mut Found) {
        let (Some(address), Some(length)) = (binary.symbol("sbom"), binary.symbol("sbom_length")) else { return };
        let length = binary
            .at_address(length, 8)
            .and_then(|raw| raw.try_into().ok())
            .map(u64::from_le_bytes)
            .filter(|&length| length <= SBOM_BYTES);
        let Some(compressed) = length.and_then(|length| binary.at_address(address, length)) else {
            return found.malformed(path);
        };
        let mut json = Vec::new();
        let read = flate2::read::GzDecoder::new(compressed).take(SBOM_BYTES + 1).read_to_end(&mut json);
        if json.len() as u64 > SBOM_BYTES {
            return found.bound(path, Bound::Bytes);
        }
        match read.map(|_| serde_json::from_slice::<Value>(&json)) {
            Ok(Ok(document)) => {
                let first = found.packages.len();
                sbom_files::components(path, &document, found);
                for package in found.packages.iter_mut().skip(first) {
                    package.tier = EvidenceTier::Installed;
                    package.digest = Some(binary.digest());
                }
            }
            _ => found.malformed(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;
    use crate::elf::testing::{executable, executable_with_symbols, read};

    fn note(json: &str) -> Vec<u8> {
        let length = json.len() as u32 + 1;
        let head = [4u32.to_le_bytes(), length.to_le_bytes(), NOTE_TYPE.to_le_bytes()].concat();
        [head, b"FDO\0".to_vec(), json.as_bytes().to_vec(), vec![0; 4]].concat()
    }

    #[test]
    fn the_note_names_the_package() {
        let json =
            r#"{"type":"rpm","name":"coreutils","version":"9.3-5.fc39","architecture":"x86_64","osCpe":"cpe:/o:x"}"#;
        let mut found = Found::default();
        ElfNotes.read_binary("usr/bin/ls", &read(&executable(SECTION, &note(json))), &mut found);
        let [package] = found.packages.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            (package.kind, package.name.as_str(), package.version.as_str()),
            (PackageType::Rpm, "coreutils", "9.3-5.fc39")
        );
        let mut found = Found::default();
        ElfNotes.read_binary("usr/bin/ls", &read(&executable(SECTION, b"short")), &mut found);
        assert_eq!(found.partial.len(), 1);
    }

    #[test]
    fn a_native_image_carries_its_components() {
        let json = br#"{"bomFormat":"CycloneDX","components":[{"purl":"pkg:maven/io.micronaut/core@4.2.0"}]}"#;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(json).unwrap();
        let compressed = encoder.finish().unwrap();
        let length = (compressed.len() as u64).to_le_bytes();
        let file = executable_with_symbols(&[("sbom", &compressed), ("sbom_length", &length)]);
        let mut found = Found::default();
        NativeImages.read_binary("app/server", &read(&file), &mut found);
        assert_eq!(found.packages[0].purl.to_string(), "pkg:maven/io.micronaut/core@4.2.0");
        let file = executable_with_symbols(&[("sbom", b"no gzip"), ("sbom_length", &7u64.to_le_bytes())]);
        let mut found = Found::default();
        NativeImages.read_binary("app/server", &read(&file), &mut found);
        assert_eq!(found.partial.len(), 1);
    }
}
