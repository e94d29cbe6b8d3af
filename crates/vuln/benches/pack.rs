//! Building, opening and matching a pack of all real records; a delta of it. Printed, not asserted (docs/performance.md).
//!
//! `ASSAY_DATA=DIR cargo bench -p assay-vuln --bench pack`
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use assay_model::{Contents, EvidenceTier, OsRelease, Package, PackageType, Purl, Timestamp};
use assay_vuln::{Pack, PackBuilder, osv};

/// Components of the SBOM that is matched.
const COMPONENTS: usize = 2_662;

fn main() {
    let data = std::env::var_os("ASSAY_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), std::path::PathBuf::from);
    if !data.join("osv").is_dir() {
        println!("skipped: corpus osv not present");
        return;
    }
    let lines = lines(&data);
    let bytes: usize = lines.iter().map(String::len).sum();
    println!("records: {}, {:.1} MB of JSON", lines.len(), bytes as f64 / 1e6);

    let parsed = best(3, || {
        for line in &lines {
            std::hint::black_box(osv::parse_record(line.as_bytes()).unwrap());
        }
    });
    println!("parse: {:.0} MB/s", bytes as f64 / 1e6 / parsed.as_secs_f64());

    let text = lines.join("\n");
    let build = |text: &str| {
        let mut builder = PackBuilder::new();
        builder.add_bytes("all.jsonl", text.as_bytes(), None).unwrap();
        builder
    };
    let start = Instant::now();
    let pack_bytes = build(&text).build().0;
    println!("build: {:.2} s, {:.1} MB", start.elapsed().as_secs_f64(), pack_bytes.len() as f64 / 1e6);
    assert!(pack_bytes == build(&text).build().0, "two builds differ");

    let folder = std::env::temp_dir().join(format!("assay-bench-pack-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("all.pack");
    std::fs::write(&path, &pack_bytes).unwrap();
    println!("open: {:.0} us", best(20, || drop(Pack::open(&path).unwrap())).as_secs_f64() * 1e6);
    let pack = Pack::open(&path).unwrap();

    let contents = contents(&lines);
    let mut found = 0;
    let matched = best(20, || {
        found = pack.match_contents(&contents, Timestamp::UNIX_EPOCH).unwrap().vulnerabilities.len();
    });
    println!("match: {} components, {found} findings, {:.2} ms", contents.packages.len(), matched.as_secs_f64() * 1e3);

    // An hour's changes: a hundred records that say something new.
    let changed: Vec<String> = lines
        .iter()
        .enumerate()
        .map(|(at, line)| if at % 477 == 0 { line.replacen("\"id\"", "\"x\": 1, \"id\"", 1) } else { line.clone() })
        .collect();
    let (delta, report) = build(&changed.join("\n")).build_delta(&pack).unwrap();
    println!(
        "delta: {} records carried, {:.1} KB, {:.2} % of the pack",
        report.carried,
        delta.len() as f64 / 1e3,
        100.0 * delta.len() as f64 / pack_bytes.len() as f64
    );
    std::fs::remove_dir_all(&folder).unwrap();
}

fn best(times: u32, mut work: impl FnMut()) -> Duration {
    let once = |_| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    (0..times).map(once).min().unwrap_or_default()
}

fn lines(data: &Path) -> Vec<String> {
    let mut files: Vec<_> = std::fs::read_dir(data.join("osv")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "zst"));
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let text = zstd::stream::decode_all(std::fs::File::open(file).unwrap()).unwrap();
        lines.extend(String::from_utf8(text).unwrap().lines().filter(|line| !line.is_empty()).map(str::to_owned));
    }
    lines
}

/// Packages of several ecosystems that records name, at versions that they name.
fn contents(lines: &[String]) -> Contents {
    let mut packages = Vec::new();
    let mut seen = BTreeSet::new();
    for line in lines.iter().rev().step_by(3) {
        let record = osv::parse_record(line.as_bytes()).unwrap();
        for affected in record.affected {
            let Some(named) = affected.package else { continue };
            let kind = match named.ecosystem.as_str() {
                "Go" => PackageType::Golang,
                "PyPI" => PackageType::Pypi,
                "crates.io" => PackageType::Cargo,
                "AlmaLinux:9" => PackageType::Rpm,
                _ => continue,
            };
            let mut events = affected.ranges.iter().flat_map(|range| &range.events);
            let Some(version) = events.find_map(|event| event.fixed.clone()) else { continue };
            if packages.len() == COMPONENTS || !seen.insert((kind, named.name.clone())) {
                continue;
            }
            packages.push(Package {
                kind,
                purl: Purl::new(kind.purl_type(), None, &named.name, Some(&version)),
                name: named.name,
                version,
                source: None,
                architecture: None,
                licence: None,
                supplier: None,
                tier: EvidenceTier::Installed,
                path: "file".into(),
                digest: None,
                layer: None,
                depends_on: Vec::new(),
            });
        }
    }
    let os =
        OsRelease { id: "almalinux".into(), version_id: Some("9.4".into()), pretty_name: None, id_like: Vec::new() };
    Contents { os: Some(os), packages, ..Contents::default() }
}
