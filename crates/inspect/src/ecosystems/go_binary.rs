//! Go modules from the build information that the linker leaves in executables.
//!
//! Source: Go's `debug/buildinfo` ("Note on the format") and `runtime/debug.BuildInfo`. Since Go 1.18 the two strings stand
//! in the file after the header; before, the header points to them.

use assay_model::{Bound, EvidenceTier, Package, PackageType};

use super::{About, Ecosystem, Found, package};
use crate::elf::Binary;

pub(crate) struct GoBinary;

const MAGIC: &[u8] = b"\xff Go buildinf:";
const HEADER_BYTES: usize = 32;
const ALIGNMENT: u64 = 16;
/// Bytes of module information: the largest known programs have a tenth of it.
const STRING_BYTES: u64 = 16 << 20;
/// Lines of module information that are read.
const LINES: usize = 100_000;
/// The runtime frames the module text by two 16-byte markers.
const MARKER_BYTES: usize = 16;

const ABOUT: About = About::installed("Go executables", EvidenceTier::Installed, &[]);

impl Ecosystem for GoBinary {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn read_binary(&self, path: &str, binary: &Binary, found: &mut Found) {
        let Some((toolchain, modules)) = build_information(binary) else { return };
        found.packages.extend(packages(path, &toolchain, &modules, binary));
        if modules.lines().nth(LINES).is_some() {
            found.bound(path, Bound::Entries);
        }
    }
}

fn packages(path: &str, toolchain: &str, modules: &str, binary: &Binary) -> Vec<Package> {
    let module = |name: &str, version: &str| {
        // A module built from its own checkout has no version that anybody could compare.
        let version = if version == "(devel)" { "" } else { version };
        let mut package = package(PackageType::Golang, name, version, EvidenceTier::Installed, path);
        package.digest = Some(binary.digest());
        package
    };
    // `go1.22.1 X:boringcrypto` names experiments after the version.
    let mut packages: Vec<Package> =
        toolchain.split_whitespace().next().map(|version| module("stdlib", version)).into_iter().collect();
    let mut main = None;
    for line in modules.lines().take(LINES) {
        let mut words = line.split('\t');
        let (kind, name, version) = (words.next(), words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match kind {
            Some("mod") => {
                main = Some(packages.len());
                packages.push(module(name, version));
            }
            Some("dep") => packages.push(module(name, version)),
            // A replacement: what was built instead of the line above.
            Some("=>") => {
                if let Some(last) = packages.last_mut() {
                    *last = module(name, version);
                }
            }
            _ => {}
        }
    }
    packages.retain(|package| !package.name.is_empty());
    let names: Vec<String> = packages.iter().map(|package| package.name.clone()).collect();
    if let Some(main) = main.and_then(|at| packages.get_mut(at)) {
        main.depends_on = super::names(names.into_iter().filter(|name| *name != main.name));
    }
    packages
}

/// Toolchain version and module text.
fn build_information(binary: &Binary) -> Option<(String, String)> {
    for (address, bytes) in binary.writable() {
        for at in memchr::memmem::find_iter(bytes, MAGIC) {
            if !(address.wrapping_add(at as u64)).is_multiple_of(ALIGNMENT) {
                continue;
            }
            let Some(header) = bytes.get(at..at + HEADER_BYTES) else { continue };
            let flags = header.get(15).copied().unwrap_or_default();
            let strings = if flags & 2 != 0 {
                inline_strings(bytes.get(at + HEADER_BYTES..).unwrap_or_default())
            } else {
                pointed_strings(binary, header)
            };
            // The same 14 bytes also stand in programs that look for them; only a version follows a real header.
            if strings
                .as_ref()
                .is_some_and(|(toolchain, _)| toolchain.starts_with("go") || toolchain.starts_with("devel"))
            {
                return strings;
            }
        }
    }
    None
}

fn inline_strings(bytes: &[u8]) -> Option<(String, String)> {
    let (toolchain, rest) = prefixed(bytes)?;
    let (modules, _) = prefixed(rest)?;
    Some((String::from_utf8_lossy(toolchain).into_owned(), unframed(modules)))
}

/// A string after its length as a variable-length integer (Go's `encoding/binary.Uvarint`).
fn prefixed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0u64;
    for (index, &byte) in bytes.iter().enumerate().take(5) {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte < 0x80 {
            let length = usize::try_from(length).ok().filter(|&length| length as u64 <= STRING_BYTES)?;
            let rest = bytes.get(index + 1..)?;
            return Some((rest.get(..length)?, rest.get(length..)?));
        }
    }
    None
}

/// Strings through two pointers of the header, each to a Go string header (address, length).
fn pointed_strings(binary: &Binary, header: &[u8]) -> Option<(String, String)> {
    let width = usize::from(*header.get(14)?);
    let little = header.get(15)? & 1 == 0;
    if little != binary.is_little_endian() || !matches!(width, 4 | 8) {
        return None;
    }
    let word = |bytes: &[u8], at: usize| {
        let raw = bytes.get(at..at.checked_add(width)?)?;
        let fold = |value: u64, &byte: &u8| value << 8 | u64::from(byte);
        Some(if little { raw.iter().rev().fold(0, fold) } else { raw.iter().fold(0, fold) })
    };
    let string = |pointer: u64| {
        let pair = binary.at_address(pointer, 2 * width as u64)?;
        let (address, length) = (word(pair, 0)?, word(pair, width)?);
        if length > STRING_BYTES {
            return None;
        }
        binary.at_address(address, length).filter(|bytes| bytes.len() as u64 == length)
    };
    let toolchain = string(word(header, 16)?)?;
    let modules = string(word(header, 16 + width)?).unwrap_or_default();
    Some((String::from_utf8_lossy(toolchain).into_owned(), unframed(modules)))
}

fn unframed(modules: &[u8]) -> String {
    let end = modules.len().saturating_sub(MARKER_BYTES);
    String::from_utf8_lossy(modules.get(MARKER_BYTES..end).unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::elf::Capture;

    /// An ELF file with one writable segment that holds `data`, at an aligned address.
    fn executable(data: &[u8]) -> Vec<u8> {
        let mut file = vec![0; 128];
        file[..6].copy_from_slice(b"\x7fELF\x02\x01");
        file[16] = 2;
        file[32] = 64;
        file[54] = 56;
        file[56] = 1;
        let size = data.len() as u64;
        file[64..72].copy_from_slice(&[1, 0, 0, 0, 6, 0, 0, 0]);
        file[72..80].copy_from_slice(&128u64.to_le_bytes());
        file[80..88].copy_from_slice(&0x4000u64.to_le_bytes());
        file[96..104].copy_from_slice(&size.to_le_bytes());
        file.extend_from_slice(data);
        file
    }

    fn list(file: &[u8]) -> Vec<(String, String)> {
        let mut capture = Capture::begin(file, file.len() as u64, 1 << 20).unwrap();
        for piece in file.chunks(7) {
            capture.push(piece);
        }
        let mut found = Found::default();
        GoBinary.read_binary("usr/bin/x", &capture.finish(), &mut found);
        found.packages.into_iter().map(|package| (package.name, package.version)).collect()
    }

    const MODULES: &str = "path\texample.com/x\nmod\texample.com/x\t(devel)\t\ndep\tgolang.org/x/net\tv0.1.0\th1:a=\n\
                           dep\tgithub.com/a/b\tv1.0.0\n=>\tgithub.com/fork/b\tv1.0.1\th1:b=\n";

    fn expected() -> Vec<(String, String)> {
        [("stdlib", "go1.22.1"), ("example.com/x", ""), ("golang.org/x/net", "v0.1.0"), ("github.com/fork/b", "v1.0.1")]
            .map(|(name, version)| (name.to_owned(), version.to_owned()))
            .to_vec()
    }

    #[test]
    fn inline_build_information_is_listed_with_replacements() {
        let mut data = vec![0; 16];
        data.extend_from_slice(MAGIC);
        data.extend_from_slice(&[8, 2]);
        data.resize(16 + HEADER_BYTES, 0);
        data.push(8);
        data.extend_from_slice(b"go1.22.1");
        let framed = [&[b'<'; 16][..], MODULES.as_bytes(), &[b'>'; 16]].concat();
        data.push((framed.len() & 0x7f) as u8 | 0x80);
        data.push((framed.len() >> 7) as u8);
        data.extend_from_slice(&framed);
        assert_eq!(list(&executable(&data)), expected());
        for cut in 0..data.len() {
            let _ = list(&executable(&data[..cut]));
        }
    }

    #[test]
    fn pointers_of_old_toolchains_are_followed() {
        let framed = [&[b'<'; 16][..], MODULES.as_bytes(), &[b'>'; 16]].concat();
        let mut data = MAGIC.to_vec();
        data.extend_from_slice(&[8, 0]);
        let words = [0x4020u64, 0x4030, 0x4040, 8, 0x4048, framed.len() as u64];
        for word in words {
            data.extend_from_slice(&word.to_le_bytes());
        }
        data.extend_from_slice(b"go1.22.1");
        data.extend_from_slice(&framed);
        assert_eq!(list(&executable(&data)), expected());
    }
}
