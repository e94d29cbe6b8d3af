//! Pinned requirements of a Python source directory (pip documentation, "Requirements File Format"). Only `name==version`
//! declares something exact; ranges, links and included files do not.

use assay_model::{EvidenceTier, PackageType};

use super::{Ecosystem, File, Found, Scope, package};

pub(crate) struct Requirements;

impl Ecosystem for Requirements {
    fn wants(&self, path: &str, scope: Scope) -> bool {
        let name = crate::path::split(path).1;
        scope == Scope::Directory
            && name.strip_prefix("requirements").is_some_and(|rest| rest.strip_suffix(".txt").is_some())
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        for line in file.text().lines() {
            let line = line.split([';', '#']).next().unwrap_or_default();
            let line = line.split(" --").next().unwrap_or_default().trim().trim_end_matches('\\').trim();
            let Some((name, version)) = line.split_once("==") else { continue };
            let name = name.split('[').next().unwrap_or_default().trim();
            let version = version.trim_start_matches('=').trim();
            let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
            if is_name
                && !name.is_empty()
                && found.has_room(file)
                && !version.is_empty()
                && !version.contains(['*', ',', ' ', '$'])
            {
                found.packages.push(package(PackageType::Pypi, name, version, EvidenceTier::Declared, file.path));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::Limits;

    #[test]
    fn only_exact_versions_are_declared() {
        let bytes =
            b"flask==3.0.0 # web\nrequests[socks]==2.31.0 ; python_version > '3'\nurllib3>=2\nx==1.*\n-r other.txt\n\
                      numpy==1.26.0 \\\n    --hash=sha256:00\n";
        let mut found = Found::default();
        Requirements.read(&File { path: "requirements.txt", bytes, limits: &Limits::default() }, &mut found);
        let list: Vec<_> = found.packages.iter().map(|p| p.purl.to_string()).collect();
        assert_eq!(list, ["pkg:pypi/flask@3.0.0", "pkg:pypi/requests@2.31.0", "pkg:pypi/numpy@1.26.0"]);
    }
}
