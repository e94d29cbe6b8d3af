//! The same records as the data of each program, in the forms that their own builders read.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::records::{self, Records};
use crate::home::Home;
use crate::peer;

/// Where each program finds its data, below the home.
pub(super) const PACK: &str = "ours.pack";
pub(super) const OSV: &str = "osv";
pub(super) const TRIVY: &str = "trivy";
pub(super) const GRYPE: &str = "grype";

/// Builds all of them.
pub(super) fn build(home: &Home, records: &Records) {
    let lines: Vec<String> = records.all.iter().map(Value::to_string).collect();
    home.file("records/all.jsonl", lines.join("\n"));
    home.assay(&["db", "build", "--to", PACK, "records"]).ok();
    osv(home, records);
    trivy(home, records);
    grype(home, records);
}

fn ecosystem_of(record: &Value) -> &str {
    record["affected"][0]["package"]["ecosystem"].as_str().unwrap_or_default()
}

/// One zip archive of an ecosystem, whatever its releases (osv.dev's exports).
fn osv(home: &Home, records: &Records) {
    let mut by_ecosystem: BTreeMap<&str, Vec<&Value>> = BTreeMap::new();
    for record in &records.all {
        let family = ecosystem_of(record).split(':').next().unwrap();
        by_ecosystem.entry(family).or_default().push(record);
    }
    for (family, records) in by_ecosystem {
        let mut zip = ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for record in records {
            let name = format!("{}.json", record["id"].as_str().unwrap());
            zip.start_file(name, SimpleFileOptions::default()).unwrap();
            zip.write_all(record.to_string().as_bytes()).unwrap();
        }
        home.file(&format!("{OSV}/osv-scanner/{family}/all.zip"), zip.finish().unwrap().into_inner());
    }
}

/// GitHub's and Go's records as they are; Debian's as its tracker's files in the form of aquasecurity/vuln-list-debian.
fn trivy(home: &Home, records: &Records) {
    for record in &records.all {
        let id = record["id"].as_str().unwrap();
        let mut record = record.clone();
        // The reader of GitHub's advisories wants it to be there, and reads its own fields in it; an end before any beginning
        // makes it panic.
        if record["database_specific"].is_null() {
            record["database_specific"] = json!({});
        }
        for affected in record["affected"].as_array_mut().into_iter().flatten() {
            affected.as_object_mut().unwrap().remove("database_specific");
            let kind = affected["package"]["ecosystem"].as_str().and_then(records::purl_type);
            for range in affected["ranges"].as_array_mut().into_iter().flatten() {
                if let Some(kind) =
                    kind.filter(|_| range["type"] != "GIT" && range["events"][0]["introduced"].is_null())
                {
                    let events = records::events(range, records::scheme(kind));
                    range["events"] = events.iter().map(|(event, version)| json!({*event: version})).collect();
                }
            }
        }
        match ecosystem_of(&record) {
            "Debian:12" | "Debian:13" => {
                let mut annotations = Vec::new();
                for affected in record["affected"].as_array().unwrap() {
                    let release = if ecosystem_of(&record) == "Debian:12" { "bookworm" } else { "trixie" };
                    let fixed = fixed(affected);
                    annotations.push(json!({
                        "Type": "package", "Release": release, "Package": affected["package"]["name"],
                        "Kind": if fixed.is_some() { "fixed" } else { "unfixed" }, "Version": fixed.unwrap_or_default(),
                    }));
                }
                let cve = record["upstream"][0].as_str().unwrap();
                let bug = json!({"Header": {"ID": cve, "Description": "(synthetic)"}, "Annotations": annotations});
                home.file(&format!("feeds/vuln-list-debian/tracker/CVE/{cve}.json"), bug.to_string());
            }
            "Go" => {
                home.file(&format!("feeds/govulndb/data/osv/{id}.json"), record.to_string());
                home.file(&format!("feeds/ghsa/advisories/github-reviewed/{id}.json"), record.to_string());
            }
            _ => {
                home.file(&format!("feeds/ghsa/advisories/github-reviewed/{id}.json"), record.to_string());
            }
        }
    }
    let releases = json!({"bookworm": {"major-version": "12"}, "trixie": {"major-version": "13"}});
    home.file("feeds/vuln-list-debian/tracker/distributions.json", releases.to_string());
    for empty in ["tracker/source", "tracker/updates-source", "tracker/CVE", "tracker/DLA", "tracker/DSA"] {
        std::fs::create_dir_all(home.path().join("feeds/vuln-list-debian").join(empty)).unwrap();
    }
    for empty in ["govulndb/data/osv", "cocoapods-specs/Specs"] {
        std::fs::create_dir_all(home.path().join("feeds").join(empty)).unwrap();
    }
    let mut command = home.command(&peer::path("trivy-db"));
    // It asks Go for the names of the standard library's packages.
    command.env("PATH", std::env::var_os("PATH").unwrap());
    command.args(["build", "--cache-dir", "feeds", "--output-dir", &format!("{TRIVY}/db")]);
    for feed in ["ghsa", "govulndb", "debian"] {
        command.args(["--only-update", feed]);
    }
    run(command);
    assert!(home.path().join(TRIVY).join("db/trivy.db").is_file());
}

/// What vunnel's providers give: GitHub's advisories as its GraphQL API writes them, and Debian's fixes.
fn grype(home: &Home, records: &Records) {
    let (mut github, mut debian) = (Vec::new(), Vec::new());
    for record in &records.all {
        match ecosystem_of(record) {
            "Debian:12" | "Debian:13" => debian.extend(os_entries(record)),
            _ => github.extend(advisory(record)),
        }
    }
    let mut workspaces = Vec::new();
    for (provider, schema, entries) in
        [("github", "github-security-advisory/schema-1.0.1.json", github), ("debian", "os/schema-1.0.1.json", debian)]
    {
        if entries.is_empty() {
            continue;
        }
        let folder = format!("vunnel/{provider}");
        let mut listing = String::new();
        for (number, item) in entries.iter().enumerate() {
            let entry = json!({
                "schema": format!("https://raw.githubusercontent.com/anchore/vunnel/main/schema/vulnerability/{schema}"),
                "identifier": number.to_string(), "item": item,
            });
            home.file(&format!("{folder}/results/{number}.json"), entry.to_string());
            writeln!(listing, "{number:016x}  results/{number}.json").unwrap();
        }
        home.file(&format!("{folder}/results/listing.xxh64"), listing);
        let state = json!({
            "provider": provider, "version": 1, "distribution_version": 1, "processor": "vunnel@0", "store": "flat-file",
            "schema": {"version": "1.0.3", "url": "https://raw.githubusercontent.com/anchore/vunnel/main/schema/provider-workspace-state/schema-1.0.3.json"},
            "timestamp": "2026-11-01T00:00:00+00:00", "urls": [],
            "listing": {"path": "results/listing.xxh64", "digest": "0000000000000000", "algorithm": "xxh64"},
        });
        home.file(&format!("{folder}/metadata.json"), state.to_string());
        workspaces.push(folder);
    }
    let mut command = home.command(&peer::path("grype-db"));
    command.arg(GRYPE).args(&workspaces);
    run(command);
}

/// The advisory of a record: one row for each interval and each listed version that no interval holds.
fn advisory(record: &Value) -> Option<Value> {
    let mut rows = Vec::new();
    for affected in record["affected"].as_array()? {
        let package = &affected["package"];
        let ecosystem = match package["ecosystem"].as_str()? {
            "PyPI" => "python",
            "crates.io" => "rust",
            "npm" => "npm",
            "Maven" => "java",
            "Go" => "go",
            _ => continue,
        };
        let kind = records::purl_type(package["ecosystem"].as_str()?)?;
        let mut row = |range: String, fixed: &str| {
            rows.push(json!({
                "ecosystem": ecosystem, "identifier": fixed, "name": package["name"],
                "namespace": format!("github:{ecosystem}"), "range": range,
            }));
        };
        for range in records::ranges(affected) {
            let mut from: Option<&str> = None;
            for (event, version) in records::events(range, records::scheme(kind)) {
                let begin = |from: &str| if from == "0" { String::new() } else { format!(">= {from}, ") };
                match (event, from) {
                    ("introduced", None) => from = Some(version),
                    ("fixed", Some(start)) => {
                        row(format!("{}< {version}", begin(start)), version);
                        from = None;
                    }
                    ("last_affected", Some(start)) => {
                        row(format!("{}<= {version}", begin(start)), "None");
                        from = None;
                    }
                    _ => {}
                }
            }
            if let Some(start) = from {
                row(format!(">= {start}"), "None");
            }
        }
        let listed = affected["versions"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut ranged = affected.clone();
        ranged["versions"] = json!([]);
        for version in listed
            .filter(|version| records::scheme(kind).check(version).is_err() || !records::holds(&ranged, kind, version))
        {
            row(format!("= {version}"), "None");
        }
    }
    let id = record["id"].as_str()?;
    let cves: Vec<&Value> = record["aliases"].as_array().into_iter().flatten().collect();
    let withdrawn = record["withdrawn"].as_str().map(str::to_owned);
    (!rows.is_empty()).then(|| {
        json!({"Advisory": {
            "Classification": "GENERAL", "CVE": cves, "FixedIn": rows, "Metadata": {"CVE": cves}, "Severity": "High",
            "Summary": "as recorded", "ghsaId": id, "namespace": "github", "url": format!("https://example.com/{id}"),
            "published": "2026-01-01T00:00:00Z", "updated": "2026-01-01T00:00:00Z", "withdrawn": withdrawn,
        }})
    })
}

fn os_entries(record: &Value) -> Vec<Value> {
    let cve = &record["upstream"][0];
    let entry = |affected: &Value| {
        let release = format!("debian:{}", affected["package"]["ecosystem"].as_str()?.strip_prefix("Debian:")?);
        Some(json!({"Vulnerability": {
            "Name": cve, "NamespaceName": release, "Description": "", "Severity": "High", "Metadata": {}, "CVSS": [],
            "Link": "https://example.com", "FixedIn": [{
                "Name": affected["package"]["name"], "NamespaceName": release, "VersionFormat": "dpkg",
                "Version": fixed(affected).unwrap_or("None"),
                "VendorAdvisory": {"NoAdvisory": false, "AdvisorySummary": []},
            }],
        }}))
    };
    record["affected"].as_array().into_iter().flatten().filter_map(entry).collect()
}

fn fixed(affected: &Value) -> Option<&str> {
    affected["ranges"][0]["events"].as_array()?.iter().find_map(|event| event["fixed"].as_str())
}

#[track_caller]
fn run(mut command: Command) {
    let program = Path::new(command.get_program()).display().to_string();
    let output = command.output().unwrap();
    let shown = [output.stdout, output.stderr].map(|stream| String::from_utf8_lossy(&stream).into_owned());
    assert!(output.status.success(), "{program} {}\n{}", output.status, shown.concat());
}
