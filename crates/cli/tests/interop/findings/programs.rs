//! The programs, and what each finds in a document.

use std::collections::BTreeSet;

use assay_model::Purl;
use serde_json::Value;

use super::bill::{self, Component};
use super::databases::{GRYPE, OSV, PACK, TRIVY};
use super::records::{self, Records};
use crate::home::Home;
use crate::peer;

/// A scanner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Program {
    Trivy,
    Grype,
    OsvScanner,
}

impl Program {
    pub(super) const ALL: [Self; 3] = [Self::Trivy, Self::Grype, Self::OsvScanner];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Trivy => "trivy",
            Self::Grype => "grype",
            Self::OsvScanner => "osv-scanner",
        }
    }
}

/// Type, name and version of a package, and the vulnerability that it has.
pub(super) type Found = BTreeSet<(String, String, String, String)>;

/// What these components are called in a `Found`.
pub(super) fn identity(component: &Component) -> (String, String, String) {
    called(component.kind, &component.name, &component.version)
}

/// Some programs write the names of Go's modules and of npm's packages in lower case, and versions of Python's.
fn called(kind: &str, name: &str, version: &str) -> (String, String, String) {
    let (mut name, mut version) = (records::normal(kind, name), version.to_owned());
    match kind {
        "golang" => {
            name = name.to_lowercase();
            version = version.trim_start_matches('v').to_owned();
        }
        "npm" => name = name.to_lowercase(),
        "pypi" => version = version.to_lowercase(),
        _ => {}
    }
    (kind.to_owned(), name, version)
}

fn of_purl(purl: &str) -> (String, String, String) {
    let purl: Purl = purl.parse().unwrap_or_else(|error| panic!("{purl}: {error}"));
    let separator = if purl.kind == "maven" { ":" } else { "/" };
    let space = purl.namespace.filter(|_| purl.kind != "deb");
    let name = space.map_or_else(|| purl.name.clone(), |space| format!("{space}{separator}{}", purl.name));
    let version = purl.version.unwrap_or_default();
    let epoch = purl.qualifiers.get("epoch").filter(|_| !version.contains(':'));
    called(&purl.kind, &name, &epoch.map_or_else(|| version.clone(), |epoch| format!("{epoch}:{version}")))
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_else(|| panic!("no {name}: {value}"))
}

/// What Assay finds.
pub(super) fn ours(home: &Home, records: &Records, target: &str, more: &[&str]) -> Found {
    let scan = ["scan", target, "--pack", PACK, "--scanners", "vulnerabilities", "-o", "json"];
    let answer: Value = serde_json::from_str(&home.assay(&[&scan, more].concat()).ok()).unwrap();
    let mut found = Found::new();
    for finding in list(&answer, "vulnerabilities") {
        let (kind, name, version) = of_purl(text(&finding["package"], "purl"));
        found.insert((kind, name, version, records.vulnerability(text(&finding["vulnerability"], "id"))));
    }
    found
}

/// What a scanner of others finds in a document.
pub(super) fn theirs(program: Program, home: &Home, records: &Records, file: &str, more: &[&str]) -> Found {
    match program {
        Program::Trivy => trivy(records, &run_trivy(home, "sbom", file, more)),
        Program::Grype => grype(records, &run_grype(home, &format!("sbom:{file}"), more)),
        Program::OsvScanner => {
            let command = ["scan", "source", "--offline-vulnerabilities", "--offline", "--format", "json", "-L", file];
            osv_scanner(records, &run_osv_scanner(home, &command))
        }
    }
}

/// What is found in an image in a registry of 127.0.0.1.
pub(super) fn in_image(program: Program, home: &Home, records: &Records, image: &str, more: &[&str]) -> Found {
    match program {
        Program::Trivy => {
            // Without Java's index nothing with Java is looked at.
            let rest = ["--image-src", "remote", "--skip-java-db-update"];
            trivy(records, &run_trivy(home, "image", image, &[&rest, more].concat()))
        }
        Program::Grype => grype(records, &run_grype(home, &format!("registry:{image}"), more)),
        Program::OsvScanner => unreachable!("it pulls by the docker program only"),
    }
}

/// Trivy with its data.
fn run_trivy(home: &Home, command: &str, target: &str, more: &[&str]) -> String {
    let data = [command, "--cache-dir", TRIVY, "--skip-db-update", "--skip-version-check", "--offline-scan"];
    let rest = ["--scanners", "vuln", "--quiet", "--format", "json", target];
    home.peer("trivy", &[&data[..], more, &rest].concat()).ok()
}

/// grype with its data, and arguments more.
fn run_grype(home: &Home, target: &str, more: &[&str]) -> String {
    let mut command = home.command(&peer::path("grype"));
    command.args([&[target, "-o", "json", "-q"], more].concat()).env("GRYPE_DB_CACHE_DIR", home.path().join(GRYPE));
    for (name, value) in [
        ("GRYPE_DB_AUTO_UPDATE", "false"),
        ("GRYPE_DB_VALIDATE_AGE", "false"),
        ("GRYPE_DB_REQUIRE_UPDATE_CHECK", "false"),
        ("GRYPE_CHECK_FOR_APP_UPDATE", "false"),
        ("GRYPE_REGISTRY_INSECURE_USE_HTTP", "true"),
    ] {
        command.env(name, value);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "grype {target}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// It exits 1 where it finds something.
fn run_osv_scanner(home: &Home, arguments: &[&str]) -> String {
    let mut command = home.command(&peer::path("osv-scanner"));
    command.args(arguments).env("OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY", home.path().join(OSV));
    let output = command.output().unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "osv-scanner {code:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn trivy(records: &Records, answer: &str) -> Found {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let mut found = Found::new();
    for finding in list(&answer, "Results").flat_map(|result| list(result, "Vulnerabilities")) {
        let (kind, name, version) = of_purl(text(&finding["PkgIdentifier"], "PURL"));
        found.insert((kind, name, version, records.vulnerability(text(finding, "VulnerabilityID"))));
    }
    found
}

fn grype(records: &Records, answer: &str) -> Found {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let mut found = Found::new();
    for finding in list(&answer, "matches") {
        let (kind, name, version) = of_purl(text(&finding["artifact"], "purl"));
        found.insert((kind, name, version, records.vulnerability(text(&finding["vulnerability"], "id"))));
    }
    found
}

fn osv_scanner(records: &Records, answer: &str) -> Found {
    let answer: Value = serde_json::from_str(answer).unwrap();
    let mut found = Found::new();
    for package in list(&answer, "results").flat_map(|result| list(result, "packages")) {
        let about = &package["package"];
        let family = text(about, "ecosystem").split(':').next().unwrap();
        let kind = records::ECOSYSTEMS.iter().find(|(name, _)| name.split(':').next() == Some(family)).unwrap().1;
        // Debian's are called by their source, and by their own name beside it.
        let name = about["os_package_name"].as_str().unwrap_or_else(|| text(about, "name"));
        for vulnerability in list(package, "vulnerabilities") {
            let (kind, name, version) = called(kind, name, text(about, "version"));
            found.insert((kind, name, version, records.vulnerability(text(vulnerability, "id"))));
        }
    }
    found
}

/// Writes a document of components where all programs find it, under a name that says what it is.
pub(super) fn write(home: &Home, kind: &str, components: &[Component]) -> String {
    let name = format!("{kind}.cdx.json");
    home.file(&name, bill::document(components).to_string());
    name
}
