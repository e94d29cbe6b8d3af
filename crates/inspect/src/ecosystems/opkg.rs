//! OpenWrt and Yocto packages: opkg's status file and file lists, which have dpkg's form.
//!
//! Source: opkg, `libopkg/pkg_parse.c` and `libopkg/opkg_conf.c` (default directories).

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, clip, field, names, optional, package, paragraphs};
use crate::path;

pub(crate) static OPKG: Reader = Reader::installed(
    "opkg packages",
    EvidenceTier::PackageDatabase,
    &[
        "/usr/lib/opkg/status",
        "/var/lib/opkg/status",
        "/opt/lib/opkg/status",
        "/usr/lib/opkg/info/*.list",
        "/var/lib/opkg/info/*.list",
        "/opt/lib/opkg/info/*.list",
    ],
    read,
);

fn read(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    if file.path.contains("/info/") {
        let paths = text.lines().filter_map(|line| line.split('\t').next());
        let owner = path::split(file.path).1.trim_end_matches(".list");
        return found.claim(file, owner, paths.map(|path| path::ownership_key(path.trim_start_matches('/').trim())));
    }
    paragraphs(&text, |fields| {
        let is_installed =
            field(fields, "Status").is_none_or(|status| status.split_whitespace().nth(2) == Some("installed"));
        let (Some(name), Some(version)) = (field(fields, "Package"), field(fields, "Version")) else { return };
        if !is_installed {
            return;
        }
        let mut package = package(PackageType::Generic, name, version, EvidenceTier::PackageDatabase, file.path);
        package.architecture = field(fields, "Architecture").and_then(optional);
        package.licence = field(fields, "License").and_then(optional);
        package.supplier = field(fields, "Maintainer").and_then(optional);
        let needs = field(fields, "Depends").unwrap_or_default();
        package.depends_on = names(needs.split(',').filter_map(|need| need.trim().split([' ', '(']).next()).map(clip));
        found.add(file, package);
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{keys, lines, read};

    #[test]
    fn installed_packages_and_their_files() {
        let status = "Package: busybox\nVersion: 1.36.1-1\nDepends: libc, libfoo (>= 2)\nStatus: install user installed\n\
                      Architecture: x86_64\n\nPackage: gone\nVersion: 1\nStatus: deinstall ok not-installed\n";
        assert_eq!(lines(&OPKG, "usr/lib/opkg/status", status), ["pkg:generic/busybox@1.36.1-1 -> libc, libfoo"]);
        let found = read(&OPKG, "usr/lib/opkg/info/busybox.list", "/bin/busybox\n/etc/x\t100644\n");
        assert_eq!(keys(&found), [path::ownership_key("bin/busybox"), path::ownership_key("etc/x")]);
    }
}
