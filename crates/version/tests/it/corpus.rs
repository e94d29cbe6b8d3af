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

/// Comparisons that fail because Composer itself answers otherwise than the corpus, which calls PHP's `version_compare` on
/// the raw text: Composer first ignores case and `-stable`, fills numbers up to four, and refuses `#`. docs/conformance.md
/// lists them too.
const COMPOSER_DIFFERS: [&str; 12] = [
    "1.0.0 > 1.0",
    "1.2.3.# = 1.2.3.1",
    "v1.9.0-ALPHA.1 = v1.9.0-BETA.1",
    "v1.9.0-BETA.1 < v1.9.0-ALPHA.2",
    "v1.9.0-ALPHA.2 = v1.9.0-BETA.2",
    "5.1.0-stable < 5.1.0-beta2",
    "v3.0 < v3.0.0-beta",
    "v3.4 < v3.4.0-alpha",
    "v4-beta4 < v4.0-alpha",
    "v4.4 < v4.4.0-beta",
    "v6.5 < v6.5.0-beta-0",
    "v6.6 < v6.6.0-beta",
];

/// Corpus file stem, scheme, and the number of comparisons that must pass; what fails must be in [`COMPOSER_DIFFERS`].
const FILES: [(&str, Scheme, usize); 19] = [
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
    ("packagist-versions", Scheme::Composer, 93),
    ("packagist-versions-generated", Scheme::Composer, 10_620),
    ("rubygems-versions", Scheme::Rubygems, 25),
    ("rubygems-versions-generated", Scheme::Rubygems, 4_098),
    ("nuget-versions", Scheme::Nuget, 35),
    ("pub-versions", Scheme::Dart, 100),
    ("cran-versions", Scheme::Cran, 21),
    ("cran-versions-generated", Scheme::Cran, 57),
    ("hackage-versions", Scheme::Hackage, 11),
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
            let known = scheme == Scheme::Composer && COMPOSER_DIFFERS.contains(&line);
            assert!(known, "{scheme}: {line}, but got {order:?} and in reverse {reverse:?}");
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
        assert!(total >= 11 && passed + 2 >= total, "{name}: {passed} of {total}");
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
