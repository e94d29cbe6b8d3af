//! The services that the lab ships, made from real files: a recorded Debian package database, npm and Python packages,
//! and Assay's own binary with its lockfile.

use std::fmt::Write as _;

use assay_sandbox::{BuiltImage, ImageBuilder};
use serde_json::{Value, json};

use super::error::LabError;
use crate::Result;

const OS_RELEASE: &str = include_str!("data/os-release");
const DEBIAN_STATUS: &str = include_str!("data/debian-status");
const PACKAGE_LOCK: &str = include_str!("data/package-lock.json");
const CARGO_LOCK: &str = include_str!("../../../../../Cargo.lock");
/// Name, version and licence of the Python packages.
const PYTHON: [(&str, &str, &str); 3] =
    [("charset-normalizer", "3.4.4", "MIT"), ("packaging", "25.0", "Apache-2.0"), ("six", "1.17.0", "MIT")];
/// A package that has a critical finding, and so is in no image that should run.
const VULNERABLE_PACKAGE: &str = "zlib1g";
/// The company's own npm package. The version before 2.1.1 turns out to be vulnerable while the lab runs.
pub(crate) const SESSION: &str = "@company/session";
/// Largest program that goes into an image: a build for debugging is several times as large as a release.
const PROGRAM_MAX: u64 = 64 << 20;

/// A service that is shipped.
pub(crate) struct Service {
    /// Its name, which is its Deployment's as well.
    pub(crate) name: &'static str,
    /// The team that owns it.
    pub(crate) team: &'static str,
    /// Its repository below an environment's folder.
    pub(crate) path: &'static str,
    /// The version released.
    pub(crate) version: &'static str,
    /// What it is made of, for people.
    pub(crate) made_of: String,
    /// The image.
    pub(crate) image: BuiltImage,
}

/// The services. `program` is Assay's own binary, where it is small enough.
pub(crate) fn services(program: Option<&[u8]>) -> Result<Vec<Service>> {
    Ok(vec![payments(program), web()?])
}

/// Assay's own binary; none where it cannot be read or is a build for debugging.
pub(crate) fn program() -> Option<Vec<u8>> {
    let path = std::env::current_exe().ok()?;
    let size = std::fs::metadata(&path).ok()?.len();
    if size > PROGRAM_MAX {
        return None;
    }
    std::fs::read(path).ok()
}

/// Debian's files, without the package that has a critical finding.
pub(crate) fn base() -> ImageBuilder {
    debian(|name| name != VULNERABLE_PACKAGE)
}

/// Debian's files, with the package that has a critical finding.
pub(crate) fn vulnerable_base() -> ImageBuilder {
    debian(|_| true)
}

fn debian(wanted: impl Fn(&str) -> bool) -> ImageBuilder {
    let is_wanted = |entry: &&str| {
        let name = entry.lines().find_map(|line| line.strip_prefix("Package: "));
        name.is_some_and(&wanted)
    };
    let status: Vec<&str> = DEBIAN_STATUS.split("\n\n").filter(is_wanted).collect();
    let status = status.join("\n\n") + "\n";
    ImageBuilder::new()
        .config("User", "65532")
        .layer([("etc/os-release", OS_RELEASE, 0o644), ("var/lib/dpkg/status", &status, 0o644)])
}

/// The files that installing an npm package leaves.
pub(crate) fn npm_package(name: &str, version: &str) -> (String, Vec<u8>, u32) {
    let manifest = json!({"name": name, "version": version, "license": "Apache-2.0"});
    (format!("srv/app/node_modules/{name}/package.json"), manifest.to_string().into_bytes(), 0o644)
}

fn payments(program: Option<&[u8]>) -> Service {
    let python = PYTHON.map(|(name, version, licence)| {
        let folder = name.replace('-', "_");
        let text = format!("Metadata-Version: 2.4\nName: {name}\nVersion: {version}\nLicense-Expression: {licence}\n");
        (format!("usr/lib/python3/dist-packages/{folder}-{version}.dist-info/METADATA"), text.into_bytes(), 0o644)
    });
    let mut files = vec![("usr/share/doc/assay/Cargo.lock".to_owned(), CARGO_LOCK.as_bytes().to_vec(), 0o644)];
    let mut made_of = format!("Debian 12, {} Python packages, ", PYTHON.len());
    if let Some(program) = program {
        files.push(("usr/local/bin/assay".to_owned(), program.to_vec(), 0o755));
        let _ = write!(made_of, "Assay's own binary ({} MB) and lockfile", program.len() / 1_000_000);
    } else {
        made_of.push_str("Assay's lockfile (its binary is a debug build, too large to ship)");
    }
    Service {
        name: "api",
        team: "payments",
        path: "payments/api",
        version: "1.18.3",
        made_of,
        image: base().layer(python).layer(files).build(),
    }
}

fn web() -> Result<Service> {
    let mut lock: Value = serde_json::from_str(PACKAGE_LOCK).map_err(LabError::fixture("package-lock.json"))?;
    let packages = lock.get_mut("packages").and_then(Value::as_object_mut);
    let packages = packages.ok_or_else(|| LabError::fixture("package-lock.json")("it has no packages"))?;
    packages.insert(format!("node_modules/{SESSION}"), json!({"version": "2.1.0", "license": "Apache-2.0"}));
    let count = packages.len();
    // What `npm ci` leaves: a folder for each package, and its own record of them.
    let mut files = Vec::new();
    for (path, entry) in &*packages {
        let field = |name: &str| entry.get(name).and_then(Value::as_str).unwrap_or_default();
        let name = path.trim_start_matches("node_modules/");
        files.push(npm_package(name, field("version")));
    }
    files.push(("srv/app/node_modules/.package-lock.json".to_owned(), lock.to_string().into_bytes(), 0o644));
    Ok(Service {
        name: "shop",
        team: "web",
        path: "web/shop",
        version: "4.2.0",
        made_of: format!("Debian 12, {count} npm packages"),
        image: base().layer(files).build(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commands::lab::stage::contents;

    fn names(image: &BuiltImage) -> Vec<String> {
        contents(image).unwrap().packages.into_iter().map(|package| package.name).collect()
    }

    #[test]
    fn the_same_files_give_the_same_images() {
        let digests = || services(None).unwrap().into_iter().map(|service| service.image.digest()).collect::<Vec<_>>();
        assert_eq!(digests(), digests());
    }

    #[test]
    fn the_images_hold_what_they_are_made_of() {
        let services = services(None).unwrap();
        let payments = names(&services[0].image);
        assert_eq!(payments.len(), 13 + PYTHON.len());
        assert!(
            payments.contains(&"charset-normalizer".to_owned()) && !payments.contains(&VULNERABLE_PACKAGE.to_owned())
        );
        let web = names(&services[1].image);
        assert!(web.contains(&SESSION.to_owned()) && web.contains(&"express".to_owned()));
        assert!(names(&vulnerable_base().build()).contains(&VULNERABLE_PACKAGE.to_owned()));
    }
}
