//! Language runtimes that were unpacked rather than installed: Java's `release`, Go's `VERSION`, Erlang's `OTP_VERSION`,
//! WordPress.
//!
//! Sources: JEP 223 and JEP 320 (`release` file); Go, `cmd/dist`; Erlang/OTP, "Versions"; WordPress,
//! `wp-includes/version.php`.

use assay_model::{EvidenceTier, PackageType};

use super::{File, Found, Reader, optional, package};

pub(crate) static JAVA: Reader =
    Reader::installed("Java runtimes", EvidenceTier::ArchiveMetadata, &["*/release"], read_java);
pub(crate) static GO: Reader =
    Reader::installed("Go toolchains", EvidenceTier::ArchiveMetadata, &["go/VERSION"], read_go);
pub(crate) static ERLANG: Reader = Reader::installed(
    "Erlang/OTP runtimes",
    EvidenceTier::ArchiveMetadata,
    &["releases/*/OTP_VERSION"],
    |file, found| found.add(file, runtime("erlang", &file.text(), file)),
);
pub(crate) static WORDPRESS: Reader =
    Reader::installed("WordPress", EvidenceTier::ArchiveMetadata, &["wp-includes/version.php"], read_wordpress);

fn runtime(name: &str, version: &str, file: &File<'_>) -> assay_model::Package {
    package(PackageType::Generic, name, version, EvidenceTier::ArchiveMetadata, file.path)
}

/// `KEY="value"` lines. Other files are called `release`, too; only Java's has these keys.
fn read_java(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let value =
        |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix("=\"")?.split('"').next());
    let Some(java) = value("JAVA_VERSION") else { return };
    let version = value("JAVA_RUNTIME_VERSION").unwrap_or(java);
    let mut package = match value("GRAALVM_VERSION") {
        Some(version) => runtime("graalvm", version, file),
        None => runtime("openjdk", version, file),
    };
    package.supplier = value("IMPLEMENTOR").and_then(optional);
    package.architecture = value("OS_ARCH").and_then(optional);
    found.add(file, package);
}

fn read_go(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    if let Some(version) = text.lines().next().and_then(|line| line.strip_prefix("go")) {
        found.add(file, runtime("go", version, file));
    }
}

fn read_wordpress(file: &File<'_>, found: &mut Found) {
    let text = file.text();
    let version = text.lines().find_map(|line| line.strip_prefix("$wp_version")?.split(['\'', '"']).nth(1));
    if let Some(version) = version {
        found.add(file, runtime("wordpress", version, file));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ecosystems::testing::{lines, read};

    #[test]
    fn a_java_runtime_describes_itself() {
        let text = "IMPLEMENTOR=\"Eclipse Adoptium\"\nJAVA_RUNTIME_VERSION=\"17.0.9+9\"\nJAVA_VERSION=\"17.0.9\"\nOS_ARCH=\"x86_64\"\n";
        assert_eq!(lines(&JAVA, "opt/java/openjdk/release", text), ["pkg:generic/openjdk@17.0.9%2B9"]);
        let graal = "JAVA_VERSION=\"21.0.1\"\nGRAALVM_VERSION=\"23.1.1\"\n";
        assert_eq!(lines(&JAVA, "opt/graalvm/release", graal), ["pkg:generic/graalvm@23.1.1"]);
        assert!(read(&JAVA, "etc/release", "NAME=x\n").is_empty());
    }

    #[test]
    fn other_runtimes_have_a_version_file() {
        assert_eq!(lines(&GO, "usr/local/go/VERSION", "go1.21.5\ntime 2023-11-29\n"), ["pkg:generic/go@1.21.5"]);
        assert_eq!(lines(&ERLANG, "usr/lib/erlang/releases/26/OTP_VERSION", "26.2.1\n"), ["pkg:generic/erlang@26.2.1"]);
        let php = "<?php\n$wp_version = '6.4.2';\n";
        assert_eq!(lines(&WORDPRESS, "var/www/wp-includes/version.php", php), ["pkg:generic/wordpress@6.4.2"]);
    }
}
