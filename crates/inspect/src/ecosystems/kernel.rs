//! Linux kernels, and the modules that were added to them.
//!
//! Sources: Linux, `Documentation/arch/x86/boot.rst` (`HdrS`, `kernel_version`); `include/linux/module.h` (`.modinfo`).
//! Modules of the kernel's own build lie in `kernel/` and are part of it; those in other folders came from elsewhere.

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, optional, package};

pub(crate) static KERNEL: Reader = Reader {
    start: 1 << 20,
    ..Reader::installed(
        "Linux kernels",
        EvidenceTier::ArchiveMetadata,
        &["/boot/vmlinuz*", "/boot/vmlinuz", "/usr/lib/modules/*/vmlinuz", "/lib/modules/*/vmlinuz"],
        read_kernel,
    )
};
pub(crate) static MODULES: Reader = Reader::installed(
    "Linux kernel modules from elsewhere",
    EvidenceTier::ArchiveMetadata,
    &["modules/*/updates/**/*.ko", "modules/*/extra/**/*.ko", "modules/*/misc/**/*.ko"],
    read_module,
);

/// Real-mode header of x86 kernels.
const SIGNATURE: (usize, &[u8]) = (0x202, b"HdrS");
const VERSION_POINTER: usize = 0x20e;
const SETUP: usize = 0x200;

fn read_kernel(file: &File<'_>, found: &mut Found) {
    let bytes = file.bytes;
    if !bytes.get(SIGNATURE.0..).is_some_and(|rest| rest.starts_with(SIGNATURE.1)) {
        // Another processor's kernel, or a placeholder: nothing in it says its version in a known place.
        return;
    }
    let pointer = bytes.get(VERSION_POINTER..).and_then(|rest| rest.first_chunk()).map(|raw| u16::from_le_bytes(*raw));
    let text = pointer
        .and_then(|at| bytes.get(SETUP + usize::from(at)..)?.get(..256))
        .and_then(|text| text.split(|byte| *byte == 0).next());
    let version = text.map(String::from_utf8_lossy).unwrap_or_default();
    match version.split_whitespace().next() {
        Some(release) => {
            found.add(
                file,
                package(PackageType::Generic, "linux-kernel", release, EvidenceTier::ArchiveMetadata, file.path),
            );
        }
        None => found.malformed(file.path),
    }
}

fn read_module(file: &File<'_>, found: &mut Found) {
    // `.modinfo` is a run of `key=value` strings, each with a NUL at its end.
    let value = |key: &[u8]| {
        let at = memchr::memmem::find_iter(file.bytes, key)
            .find(|&at| at.checked_sub(1).and_then(|at| file.bytes.get(at)).is_none_or(|before| *before == 0))?;
        let text = file.bytes.get(at + key.len()..)?.split(|byte| *byte == 0).next()?;
        optional(&String::from_utf8_lossy(text))
    };
    let release = value(b"vermagic=").and_then(|magic| magic.split(' ').next().map(str::to_owned));
    let Some(release) = release else { return found.malformed(file.path) };
    let stem = crate::path::split(file.path).1.trim_end_matches(".ko").to_owned();
    let name = value(b"name=").unwrap_or(stem);
    let version = value(b"version=").unwrap_or_default();
    let mut package = package(PackageType::Generic, &name, &version, EvidenceTier::ArchiveMetadata, file.path);
    package.purl = package.purl.with_qualifier("kernel", &release);
    package.licence = value(b"license=");
    package.supplier = value(b"author=");
    found.add(file, package);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn an_x86_kernel_points_to_its_version() {
        let mut image = vec![0; 0x4000];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image[0x20e..0x210].copy_from_slice(&0x3000u16.to_le_bytes());
        let text = b"6.1.0-13-amd64 (debian-kernel@lists.debian.org) #1 SMP\0";
        image[0x3200..0x3200 + text.len()].copy_from_slice(text);
        assert_eq!(lines(&KERNEL, "boot/vmlinuz-6.1.0-13-amd64", &image), ["pkg:generic/linux-kernel@6.1.0-13-amd64"]);
        image[0x20e..0x210].copy_from_slice(&0xffffu16.to_le_bytes());
        assert_eq!(read(&KERNEL, "boot/vmlinuz", &image).partial.len(), 1);
        assert!(read(&KERNEL, "boot/vmlinuz", b"MZ").is_empty());
    }

    #[test]
    fn a_module_names_the_kernel_that_it_was_built_for() {
        let module =
            b"\x7fELF\0\0version=535.129.03\0license=NVIDIA\0srcversion=1\0name=nvidia\0vermagic=6.1.0-13-amd64 SMP\0";
        assert_eq!(
            lines(&MODULES, "lib/modules/6.1.0-13-amd64/updates/dkms/nvidia.ko", module),
            ["pkg:generic/nvidia@535.129.03?kernel=6.1.0-13-amd64"]
        );
        assert_eq!(read(&MODULES, "lib/modules/1/extra/x.ko", b"\x7fELF").partial.len(), 1);
    }
}
