//! All the real records there are: 47,693 from thirteen sources.
//!
//! Looked for in `ASSAY_DATA` (default `../shared/data` from the repository root).

use std::path::{Path, PathBuf};
use std::time::Instant;

use assay_vuln::{Pack, PackBuilder, SkipReason};

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

fn data() -> Option<PathBuf> {
    let root = std::env::var_os("ASSAY_DATA")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data"), PathBuf::from);
    root.join("osv").is_dir().then_some(root)
}

#[test]
fn every_real_record_is_in_the_pack_or_counted_with_its_reason() {
    let Some(root) = data() else {
        said!("skipped: corpus osv not present");
        return;
    };
    let mut builder = PackBuilder::new();
    let start = Instant::now();
    builder.add_path(&root.join("osv"), None).unwrap();
    let kev = std::fs::read(root.join("kev/known_exploited_vulnerabilities.json")).unwrap();
    builder.add_known_exploited("kev", &kev).unwrap();
    let (bytes, report) = builder.build();
    said!(
        "osv: {} of {} records, {} vulnerabilities ({} known to be exploited), {} affected rows, {:.1} MB, built in {:.1} s",
        report.records,
        report.read,
        report.vulnerabilities,
        report.known_exploited,
        report.affected,
        bytes.len() as f64 / 1e6,
        start.elapsed().as_secs_f64()
    );
    for (reason, count) in &report.skipped {
        said!("osv: {count} {}", reason.describe());
    }
    let dropped = [SkipReason::Withdrawn, SkipReason::Duplicate, SkipReason::Unreachable];
    let dropped: u64 = dropped.iter().filter_map(|reason| report.skipped.get(reason)).sum();
    assert_eq!(
        report.skipped[&SkipReason::EcosystemNotAllowed],
        2_148,
        "CleanStart's claims about Alpine, and 21 others"
    );
    assert!(report.read >= 47_693, "{} records read", report.read);
    assert_eq!(report.records + dropped, report.read);
    assert!(bytes.len() < 16_000_000, "{} bytes", bytes.len());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("all.pack");
    std::fs::write(&path, &bytes).unwrap();
    let start = Instant::now();
    let pack = Pack::open(&path).unwrap();
    said!("osv: opened in {} us", start.elapsed().as_micros());
    assert_eq!(pack.info().records, report.records);
    let affected = pack.affected_packages("CVE-2023-44487").unwrap();
    said!("osv: CVE-2023-44487 affects {} packages in {} ecosystems", affected.len(), {
        let mut ecosystems: Vec<_> = affected.iter().map(|package| &package.ecosystem).collect();
        ecosystems.dedup();
        ecosystems.len()
    });
    assert!(affected.len() > 20);
}
