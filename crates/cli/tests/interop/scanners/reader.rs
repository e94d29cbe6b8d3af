//! The scanners, and how each says what it read.

use std::collections::BTreeSet;

use assay_model::Purl;
use serde_json::Value;

use crate::home::Home;

/// A package as it is listed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Listed {
    pub(crate) name: String,
    pub(crate) version: String,
    /// In the canonical form; empty where the scanner says none.
    pub(crate) purl: String,
}

impl Listed {
    pub(crate) fn new(name: &Value, version: &Value, purl: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Self { name: text(name), version: text(version), purl: canonical(&text(purl)) }
    }
}

/// Writers escape different characters; what a purl says is the same.
fn canonical(purl: &str) -> String {
    purl.parse::<Purl>().map_or_else(|_| purl.to_owned(), |purl| purl.to_string())
}

/// A program that reads SBOMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Trivy,
    Syft,
    Grype,
    OsvScanner,
}

/// Ecosystems of which osv-scanner wants a database, were it empty.
const ECOSYSTEMS: [&str; 12] =
    ["Alpine", "Debian", "Go", "Maven", "NuGet", "Packagist", "Pub", "PyPI", "Red Hat", "RubyGems", "crates.io", "npm"];

impl Reader {
    pub(crate) fn program(self) -> &'static str {
        match self {
            Self::Trivy => "trivy",
            Self::Syft => "syft",
            Self::Grype => "grype",
            Self::OsvScanner => "osv-scanner",
        }
    }

    /// What it wants to find before it reads anything: databases, in which there is nothing.
    pub(crate) fn prepare(self, home: &Home) {
        match self {
            Self::Syft => {}
            Self::Trivy => {
                let now = "2024-01-01T00:00:00Z";
                let metadata = format!(
                    r#"{{"Version": 1, "NextUpdate": "2099-01-01T00:00:00Z", "UpdatedAt": "{now}", "DownloadedAt": "{now}"}}"#
                );
                let file = home.file("trivy/java-db/metadata.json", metadata);
                let database = rusqlite::Connection::open(file.with_file_name("trivy-java.db")).unwrap();
                let tables = "create table artifacts(id integer primary key, group_id text, artifact_id text);
                    create table indices(artifact_id integer, version text, sha1 blob, archive_type text);";
                database.execute_batch(tables).unwrap();
            }
            // It makes its tables itself when it takes a database in (anchore/grype, grype/db/v6, `Hydrater`).
            Self::Grype => {
                let file = home.path().join("empty.db");
                let database = rusqlite::Connection::open(&file).unwrap();
                let table = "create table db_metadata(build_timestamp datetime not null, model integer not null,
                    revision integer not null, addition integer not null);
                    insert into db_metadata values ('2026-01-01 00:00:00+00:00', 6, 1, 3);";
                database.execute_batch(table).unwrap();
                drop(database);
                self.run(home, &["db", "import", file.to_str().unwrap()]);
            }
            Self::OsvScanner => {
                let empty_zip = [b"PK\x05\x06".as_slice(), &[0; 18]].concat();
                for ecosystem in ECOSYSTEMS {
                    home.file(&format!("osv/osv-scanner/{ecosystem}/all.zip"), &empty_zip);
                }
            }
        }
    }

    fn run(self, home: &Home, arguments: &[&str]) -> String {
        let mut command = home.command(&crate::peer::path(self.program()));
        command.args(arguments);
        for (name, value) in [
            ("GRYPE_DB_AUTO_UPDATE", "false"),
            ("GRYPE_DB_VALIDATE_AGE", "false"),
            ("GRYPE_CHECK_FOR_APP_UPDATE", "false"),
            ("SYFT_CHECK_FOR_APP_UPDATE", "false"),
        ] {
            command.env(name, value);
        }
        command.env("OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY", home.path().join("osv"));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{self:?} {arguments:?}: {}\n{said}", output.status);
        String::from_utf8(output.stdout).unwrap()
    }

    /// The packages of a document.
    ///
    /// What the document is about and the operating system, which have no purl of a package, are listed by some as packages,
    /// too: they are left out.
    pub(crate) fn list(self, home: &Home, file: &str) -> BTreeSet<Listed> {
        let parsed = |text: String| -> Value { serde_json::from_str(&text).unwrap() };
        match self {
            Self::Syft => {
                let said = parsed(self.run(home, &["convert", "--quiet", file, "-o", "syft-json"]));
                let listed =
                    each(&said["artifacts"]).map(|one| Listed::new(&one["name"], &one["version"], &one["purl"]));
                listed.filter(|one| !one.purl.is_empty()).collect()
            }
            // Its CycloneDX has every package, found vulnerable or not.
            Self::Grype => {
                let said = parsed(self.run(home, &["--quiet", &format!("sbom:{file}"), "-o", "cyclonedx-json"]));
                let listed =
                    each(&said["components"]).map(|one| Listed::new(&one["name"], &one["version"], &one["purl"]));
                listed.filter(|one| !one.purl.is_empty()).collect()
            }
            Self::OsvScanner => {
                let arguments = ["scan", "source", "--offline", "--all-packages", "--format", "json", "-L", file];
                let said = parsed(self.run(home, &arguments));
                let packages = each(&said["results"]).flat_map(|result| each(&result["packages"]));
                let listed =
                    packages.map(|one| Listed::new(&one["package"]["name"], &one["package"]["version"], &Value::Null));
                listed.filter(|one| !one.version.starts_with("sha256:")).collect()
            }
            Self::Trivy => {
                let said = parsed(trivy(home, &["sbom", "--list-all-pkgs", "--format", "json", file]));
                let packages = each(&said["Results"]).flat_map(|result| each(&result["Packages"]));
                packages.map(trivys).collect()
            }
        }
    }

    /// What this program can be expected to say about a package.
    ///
    /// osv-scanner takes names from purls, in which some ecosystems lose their case (purl-spec, types golang and pypi), and
    /// does not say the purls.
    pub(crate) fn expects(self, mut listed: Listed) -> Listed {
        if self == Self::OsvScanner {
            let purl: Purl = listed.purl.parse().unwrap();
            let separator = if purl.kind == "maven" { ':' } else { '/' };
            let namespace = purl.namespace.filter(|_| !["apk", "deb"].contains(&purl.kind.as_str()));
            listed.name = match namespace {
                Some(namespace) => format!("{namespace}{separator}{}", purl.name),
                None => purl.name,
            };
            listed.purl.clear();
        }
        listed
    }
}

/// Trivy without a network.
pub(crate) fn trivy(home: &Home, arguments: &[&str]) -> String {
    let (command, more) = arguments.split_first().unwrap();
    let offline = [
        command,
        "--quiet",
        "--cache-dir",
        "trivy",
        "--scanners",
        "license",
        "--skip-db-update",
        "--offline-scan",
        "--skip-version-check",
    ];
    let java: &[&str] = if *command == "image" { &["--skip-java-db-update"] } else { &[] };
    Reader::Trivy.run(home, &[&offline, java, more].concat())
}

/// A package of Trivy's JSON: of distributions' versions it has the parts.
fn trivys(one: &Value) -> Listed {
    let mut listed = Listed::new(&one["Name"], &one["Version"], &one["Identifier"]["PURL"]);
    if let Some(release) = one["Release"].as_str().filter(|release| !release.is_empty()) {
        listed.version = format!("{}-{release}", listed.version);
    }
    if let Some(epoch) = one["Epoch"].as_u64().filter(|epoch| *epoch > 0) {
        listed.version = format!("{epoch}:{}", listed.version);
    }
    listed
}

pub(crate) fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

/// Every purl in a document, wherever it stands in it. That of the image itself is what the document is about.
pub(crate) fn purls(what: &str, text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("pkg:") {
        let end = |c: char| c.is_whitespace() || matches!(c, '"' | '<' | '\\');
        let purl = text[at..].split(end).next().unwrap_or_default().replace("&amp;", "&");
        // Syft's references are purls with a number of its own.
        let is_reference = purl.contains("package-id=");
        if purl.parse::<Purl>().is_ok() && !purl.starts_with("pkg:oci/") && !is_reference {
            found.insert(canonical(&purl));
        }
    }
    assert!(!found.is_empty(), "no purl in {what}");
    found
}
