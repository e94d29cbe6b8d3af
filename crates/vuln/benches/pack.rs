//! Building, opening and matching a pack of all real records; a delta of it. Printed, not asserted (docs/performance.md).
//!
//! `ASSAY_DATA=DIR cargo bench -p assay-vuln --bench pack`
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stdout)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use assay_model::{Contents, EvidenceTier, OsRelease, Package, PackageType, Purl, Timestamp};
use assay_version::Scheme;
use assay_vuln::{Pack, PackBuilder, PackageIndex, osv};

/// Components of the SBOM that is matched.
const COMPONENTS: usize = 2_662;

fn main() {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let data = std::env::var_os("ASSAY_DATA").map_or_else(beside, std::path::PathBuf::from);
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
    println!("(processor time of one thread, best of several)");

    let text = lines.join("\n");
    let build = |text: &str| {
        let mut builder = PackBuilder::new();
        builder.add_bytes("all.jsonl", text.as_bytes(), None).unwrap();
        builder
    };
    let start = used();
    let builder = build(&text);
    let read = used().saturating_sub(start).as_secs_f64();
    let pack_bytes = builder.build().0;
    let all = used().saturating_sub(start).as_secs_f64();
    println!("build: {all:.2} s, {read:.2} of it to read the records; {:.1} MB", pack_bytes.len() as f64 / 1e6);
    assert!(pack_bytes == build(&text).build().0, "two builds differ");

    let folder = std::env::temp_dir().join(format!("assay-bench-pack-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("all.pack");
    std::fs::write(&path, &pack_bytes).unwrap();
    println!("open: {:.1} us", best_of(5, 2_000, || drop(Pack::open(&path).unwrap())).as_secs_f64() * 1e6);
    let pack = Pack::open(&path).unwrap();

    let contents = contents(&lines);
    let mut found = 0;
    let matched = best_of(5, 20, || {
        found = pack.match_contents(&contents, Timestamp::UNIX_EPOCH).unwrap().vulnerabilities.len();
    });
    println!("match: {} components, {found} findings, {:.2} ms", contents.packages.len(), matched.as_secs_f64() * 1e3);

    // The same without a distribution, whose errata are about hundreds of vulnerabilities each.
    let mut languages = contents.clone();
    languages.packages.retain(|package| package.kind != PackageType::Rpm);
    for at in languages.packages.len()..COMPONENTS {
        languages.packages.push(named(PackageType::Golang, format!("nobody-wrote-about-{at}"), "1.2.3".to_owned()));
    }
    let matched = best_of(5, 20, || {
        found = pack.match_contents(&languages, Timestamp::UNIX_EPOCH).unwrap().vulnerabilities.len();
    });
    println!("match: {} components, {found} findings, {:.2} ms", languages.packages.len(), matched.as_secs_f64() * 1e3);

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
    let over = Pack::from_parts(vec![pack_bytes, delta.clone()]).unwrap();
    let whole = Pack::from_bytes(build(&changed.join("\n")).build().0).unwrap();
    let found = |pack: &Pack| pack.match_contents(&contents, Timestamp::UNIX_EPOCH).unwrap().vulnerabilities;
    assert_eq!(found(&over), found(&whole), "the delta over its base says something else");
    rematch(&lines, &contents);
    std::fs::remove_dir_all(&folder).unwrap();
}

/// 500 changed records against 50,000 images of 300 packages.
fn rematch(lines: &[String], contents: &Contents) {
    let mut index = PackageIndex::new();
    for image in 0..50_000_usize {
        let of = |at: usize| contents.packages.get((image * 31 + at * 7) % contents.packages.len()).cloned();
        let packages = (0..300).filter_map(of).collect();
        let digest = assay_model::Digest::of(&image.to_le_bytes());
        index.insert(digest, &Contents { packages, ..Contents { os: contents.os.clone(), ..Contents::default() } });
    }
    let changed: Vec<&str> = lines.iter().step_by(lines.len() / 500).take(500).map(String::as_str).collect();
    let mut builder = PackBuilder::new();
    builder.add_bytes("changed.jsonl", changed.join("\n").as_bytes(), None).unwrap();
    let pack = Pack::from_bytes(builder.build().0).unwrap();
    let (mut findings, mut images) = (0, 0);
    let took = best_of(5, 20, || {
        let found = index.rematch(&pack, Timestamp::UNIX_EPOCH).unwrap();
        findings = found.len();
        images = index.images_of(&found).len();
    });
    println!(
        "rematch: {} distinct packages, {findings} findings in {} images, {:.1} ms",
        index.distinct(),
        images,
        took.as_secs_f64() * 1e3
    );
}

/// What this thread has used of a processor: the wall clock says little on a machine that others use too.
fn used() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(text.split(' ').next().and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or_default())
}

fn best(times: u32, work: impl FnMut()) -> Duration {
    best_of(times, 1, work)
}

/// The same for short work, done `often` in a row: the kernel counts in ticks of some milliseconds.
fn best_of(times: u32, often: u32, mut work: impl FnMut()) -> Duration {
    let once = |_| {
        let start = used();
        (0..often).for_each(|_| work());
        used().saturating_sub(start) / often
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

/// Packages of several ecosystems that records name, at the highest version with a fix: a program that is kept up to date.
fn contents(lines: &[String]) -> Contents {
    let mut newest: BTreeMap<(PackageType, String), String> = BTreeMap::new();
    for line in lines {
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
            let scheme = Scheme::for_package(kind).unwrap();
            let highest = newest.entry((kind, named.name)).or_default();
            for version in
                affected.ranges.iter().flat_map(|range| &range.events).filter_map(|event| event.fixed.as_ref())
            {
                if highest.is_empty() || scheme.compare(version, highest).is_ok_and(std::cmp::Ordering::is_gt) {
                    version.clone_into(highest);
                }
            }
        }
    }
    newest.retain(|_, version| !version.is_empty());
    let step = newest.len().div_ceil(COMPONENTS).max(1);
    let chosen = newest.into_iter().step_by(step).enumerate();
    // One in a hundred was forgotten at its first version.
    let mut packages: Vec<Package> = chosen
        .map(|(at, ((kind, name), version))| {
            named(kind, name, if at % 100 == 0 { "0.0.1".to_owned() } else { version })
        })
        .collect();
    // The others are packages that no record is about, as most are.
    let named_by_records = packages.len();
    for at in named_by_records..COMPONENTS {
        let kind = packages.get(at % named_by_records).map_or(PackageType::Pypi, |package| package.kind);
        packages.push(named(kind, format!("nobody-wrote-about-{at}"), "1.2.3".to_owned()));
    }
    let os =
        OsRelease { id: "almalinux".into(), version_id: Some("9.4".into()), pretty_name: None, id_like: Vec::new() };
    Contents { os: Some(os), packages, ..Contents::default() }
}

fn named(kind: PackageType, name: String, version: String) -> Package {
    Package {
        kind,
        purl: Purl::new(kind.purl_type(), None, &name, Some(&version)),
        name,
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
    }
}
