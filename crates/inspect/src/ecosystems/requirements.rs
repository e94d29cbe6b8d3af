//! Pinned requirements of a Python source directory (pip documentation, "Requirements File Format"). Only `name==version`
//! declares something exact; ranges, links and included files do not.

use assay_model::PackageType;

use super::{About, Ecosystem, File, Found, Scope, declared};

pub(crate) struct Requirements;

const ABOUT: About = About::declared("pip requirements", &["requirements*.txt", "requirements.txt"]);

impl Ecosystem for Requirements {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn wants(&self, path: &str, scope: Scope) -> bool {
        let name = crate::path::split(path).1;
        scope == Scope::Directory
            && name.strip_prefix("requirements").is_some_and(|rest| rest.strip_suffix(".txt").is_some())
    }

    fn read(&self, file: &File<'_>, found: &mut Found) {
        for line in file.text().lines() {
            if let Some((name, version)) = exact(line) {
                found.add(file, declared(PackageType::Pypi, name, version, file));
            }
        }
    }
}

/// Name and version of a line that pins one exactly.
pub(super) fn exact(line: &str) -> Option<(&str, &str)> {
    let line = line.split([';', '#']).next().unwrap_or_default();
    let line = line.split(" --").next().unwrap_or_default().trim().trim_end_matches('\\').trim();
    let (name, version) = line.split_once("==")?;
    let name = name.split('[').next().unwrap_or_default().trim();
    let version = version.trim_start_matches('=').trim();
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    (is_name && !name.is_empty() && !version.is_empty() && !version.contains(['*', ',', ' ', '$']))
        .then_some((name, version))
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
