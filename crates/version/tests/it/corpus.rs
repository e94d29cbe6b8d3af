//! Comparisons recorded from the ecosystems' own tools: the `semantic` corpus of osv-scalibr.
//!
//! A sample lives under `tests/data`; the whole corpus is looked for in `ASSAY_CORPUS` (default
//! `../shared/conformance` from the repository root).

use std::cmp::Ordering;
use std::path::{Path, PathBuf};

use assay_version::Scheme;

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

/// Corpus file stem, scheme, and the number of comparisons that must pass.
const FILES: [(&str, Scheme, usize); 10] = [
    ("debian-versions", Scheme::Debian, 30),
    ("debian-versions-generated", Scheme::Debian, 14_442),
    ("alpine-versions", Scheme::Apk, 778),
    ("alpine-versions-generated", Scheme::Apk, 13_979),
    ("redhat-versions", Scheme::Rpm, 165),
    ("semver-versions", Scheme::Semver, 86),
    ("pypi-versions", Scheme::Pep440, 37),
    ("pypi-versions-generated", Scheme::Pep440, 12_375),
    ("maven-versions", Scheme::Maven, 102),
    ("maven-versions-generated", Scheme::Maven, 14_752),
];

fn corpus() -> Option<PathBuf> {
    let root = std::env::var_os("ASSAY_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"), PathBuf::from);
    let folder = root.join("versions/semantic/testdata");
    folder.is_dir().then_some(folder)
}

/// Passed and total; failures go to stdout.
fn run(file: &Path, scheme: Scheme) -> (usize, usize) {
    let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let (mut passed, mut total) = (0, 0);
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#') && !line.starts_with("//")) {
        let [left, operator, right] = line.split(' ').collect::<Vec<_>>()[..] else {
            panic!("{}: `{line}` is not a comparison", file.display());
        };
        let expected = match operator {
            "<" => Ordering::Less,
            "=" => Ordering::Equal,
            ">" => Ordering::Greater,
            _ => panic!("{}: `{line}` has an unknown operator", file.display()),
        };
        total += 1;
        let (order, reverse) = (scheme.compare(left, right), scheme.compare(right, left));
        if order == Ok(expected) && reverse == Ok(expected.reverse()) {
            passed += 1;
        } else {
            said!("{scheme}: {line}, but got {order:?} and in reverse {reverse:?}");
        }
    }
    (passed, total)
}

#[test]
fn the_sample_orders_as_the_ecosystems_do() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/semantic");
    for (name, scheme, _) in FILES {
        let (passed, total) = run(&folder.join(format!("{name}.txt")), scheme);
        said!("sample {name}: {passed} of {total} passed");
        assert!(total >= 30 && passed == total, "{name}: {passed} of {total}");
    }
}

#[test]
fn the_whole_corpus_orders_as_the_ecosystems_do() {
    let Some(folder) = corpus() else {
        said!("skipped: corpus versions not present");
        return;
    };
    let (mut all_passed, mut all_total) = (0, 0);
    for (name, scheme, floor) in FILES {
        let (passed, total) = run(&folder.join(format!("{name}.txt")), scheme);
        said!("versions/{name}: {passed} of {total} passed");
        assert!(passed >= floor, "{name}: {passed} of {total} passed, the floor is {floor}");
        (all_passed, all_total) = (all_passed + passed, all_total + total);
    }
    said!("versions: {all_passed} of {all_total} passed");
}
