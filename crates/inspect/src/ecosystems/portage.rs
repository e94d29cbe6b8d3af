//! Gentoo packages: portage's database, a directory `CATEGORY/NAME-VERSION` for each package.
//!
//! Source: Package Manager Specification, section 3.2 (version syntax) and appendix "VDB"; `portage(5)`, `/var/db/pkg`.

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, package};
use crate::path;

pub(crate) static PORTAGE: Reader =
    Reader::installed("Gentoo packages", EvidenceTier::PackageDatabase, &["/var/db/pkg/*/*-*/CONTENTS"], read);

fn read(file: &File<'_>, found: &mut Found) {
    let mut parts = file.path.rsplit('/').skip(1);
    let (Some(folder), Some(category)) = (parts.next(), parts.next()) else { return };
    let Some((name, version)) = split_version(folder) else { return found.malformed(file.path) };
    // There is no purl type for it: a generic package in the namespace of its category.
    let full = format!("{category}/{name}");
    found.add(file, package(PackageType::Generic, &full, version, EvidenceTier::PackageDatabase, file.path));
    // `obj PATH MD5 MTIME` and `sym PATH -> TARGET MTIME`; a path may have spaces.
    let text = file.text();
    let keys = text.lines().filter_map(|line| {
        let path = if let Some(line) = line.strip_prefix("obj ") {
            line.rsplitn(3, ' ').nth(2)?
        } else {
            line.strip_prefix("sym ")?.split(" -> ").next()?
        };
        Some(path::ownership_key(path.trim_start_matches('/')))
    });
    found.claim(file, &full, keys);
}

/// `name-1.2.3_p4-r5`: the version begins at the last hyphen that a digit follows, and has its revision.
fn split_version(folder: &str) -> Option<(&str, &str)> {
    let is_revision = |text: &str| {
        text.strip_prefix('r').is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
    };
    let end = match folder.rsplit_once('-') {
        Some((before, last)) if is_revision(last) => before,
        _ => folder,
    };
    let at = end.rfind('-').filter(|at| end.as_bytes().get(at + 1).is_some_and(u8::is_ascii_digit))?;
    Some((folder.get(..at)?, folder.get(at + 1..)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{keys, lines, read};

    #[test]
    fn the_directory_has_category_name_and_version() {
        let contents = "dir /usr\nobj /usr/bin/my tool 0123 1700000000\nsym /usr/lib/a.so -> a.so.1 1700000000\n";
        let path = "var/db/pkg/app-shells/bash-5.2_p26-r1/CONTENTS";
        assert_eq!(lines(&PORTAGE, path, contents), ["pkg:generic/app-shells/bash@5.2_p26-r1"]);
        let owned = keys(&read(&PORTAGE, path, contents));
        assert_eq!(owned, [path::ownership_key("usr/bin/my tool"), path::ownership_key("usr/lib/a.so")]);
    }

    #[test]
    fn a_name_may_have_hyphens_and_digits() {
        assert_eq!(split_version("font-adobe-100dpi-1.0.3"), Some(("font-adobe-100dpi", "1.0.3")));
        assert_eq!(split_version("no-version"), None);
    }
}
