//! C and C++ packages of Conan: its lockfile, and exact requirements.
//!
//! Source: Conan documentation, "Lockfiles" (versions 1 and 2) and "conanfile.txt"; references `name/version@user/channel#revision%time`.

use assay_model::{Package, PackageType};
use serde_json::Value;

use super::{File, Found, Reader, declared, list, object, text};

pub(crate) static LOCK: Reader = Reader::declared("Conan lockfiles", &["conan.lock"], read_lock);
pub(crate) static CONANFILE: Reader = Reader::declared("Conan requirements", &["conanfile.txt"], read_conanfile);

fn read_lock(file: &File<'_>, found: &mut Found) {
    let Some(document) = found.whole_json(file) else { return };
    let lists = ["requires", "build_requires", "python_requires"];
    let second = lists.iter().flat_map(|key| list(&document, key)).filter_map(Value::as_str);
    let graph = document.get("graph_lock").unwrap_or(&Value::Null);
    let first = object(graph, "nodes").map(|(_, node)| text(node, "ref"));
    for reference in second.chain(first) {
        if let Some(package) = package(reference, file) {
            found.add(file, package);
        }
    }
}

fn package(reference: &str, file: &File<'_>) -> Option<Package> {
    let (reference, revision) = reference.split_once('#').unwrap_or((reference, ""));
    let (name, user) = reference.split_once('@').unwrap_or((reference, ""));
    let (name, version) = name.trim().split_once('/')?;
    if version.contains(['[', '*', '>', '<', ' ']) {
        return None;
    }
    let mut package = declared(PackageType::Conan, name, version, file);
    let (user, channel) = user.split_once('/').unwrap_or((user, ""));
    package.purl.namespace = (!user.is_empty()).then(|| super::clip(user));
    let revision = revision.split('%').next().unwrap_or_default();
    package.purl = package.purl.with_qualifier("channel", channel).with_qualifier("rrev", revision);
    Some(package)
}

fn read_conanfile(file: &File<'_>, found: &mut Found) {
    let mut is_requires = false;
    for line in file.text().lines() {
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.starts_with('[') {
            is_requires = matches!(line, "[requires]" | "[tool_requires]" | "[build_requires]");
        } else if is_requires && let Some(package) = package(line, file) {
            found.add(file, package);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::lines;

    #[test]
    fn both_versions_of_the_lockfile() {
        let two = r#"{"version":"0.5","requires":["zlib/1.2.13#4e74%1678.1","openssl/3.1.3@acme/stable"],"build_requires":[]}"#;
        assert_eq!(
            lines(&LOCK, "conan.lock", two),
            ["pkg:conan/acme/openssl@3.1.3?channel=stable", "pkg:conan/zlib@1.2.13?rrev=4e74"]
        );
        let one = r#"{"graph_lock":{"nodes":{"0":{"options":""},"1":{"ref":"zlib/1.2.11#d7"}}},"version":"0.4"}"#;
        assert_eq!(lines(&LOCK, "conan.lock", one), ["pkg:conan/zlib@1.2.11?rrev=d7"]);
    }

    #[test]
    fn requirements_that_are_exact() {
        let text = "[requires]\npoco/1.12.4 # network\nzlib/[>=1.2]\n\n[generators]\nCMakeDeps/x\n";
        assert_eq!(lines(&CONANFILE, "conanfile.txt", text), ["pkg:conan/poco@1.12.4"]);
    }
}
