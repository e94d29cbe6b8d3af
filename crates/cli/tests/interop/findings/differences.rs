//! Where another scanner finds more or less in the same records, and why ours is what the records say.

use serde_json::Value;

use super::bill::Component;
use super::programs::Program;
use super::records::{self, Records};

/// Something that one of two programs finds.
pub(super) struct Difference<'a> {
    pub(super) program: Program,
    pub(super) component: &'a Component,
    /// The other program has it, and ours does not.
    pub(super) reported: bool,
    pub(super) vulnerability: &'a str,
    /// The records about the package under any name of the vulnerability, and their entries for the package.
    pub(super) about: &'a [(&'a Value, Vec<&'a Value>)],
    pub(super) records: &'a Records,
}

impl Difference<'_> {
    fn is(&self, kind: &str) -> bool {
        self.component.kind == kind
    }

    fn entries(&self) -> impl Iterator<Item = &Value> {
        self.about.iter().flat_map(|(_, entries)| entries.iter().copied())
    }

    /// The version, all bounds of the records and all versions that they list.
    fn versions(&self) -> impl Iterator<Item = &str> {
        let scheme = records::scheme(self.component.kind);
        let bounds = self.entries().flat_map(records::ranges).flat_map(move |range| records::events(range, scheme));
        let listed =
            self.entries().filter_map(|entry| entry["versions"].as_array()).flatten().filter_map(Value::as_str);
        let own = [self.component.version.as_str()];
        bounds.map(|(_, version)| version).chain(listed).chain(own).filter(|version| *version != "0")
    }

    /// Versions that are no PEP 440 sort before all that are, of which this is the first.
    fn has_a_version_that_is_no_pep440(&self) -> bool {
        self.is("pypi")
            && self.versions().any(|version| records::scheme("pypi").compare(version, "0.dev0").unwrap().is_lt())
    }

    /// Records about a name whatever the release of Debian.
    fn debian(&self, name: &str, release: impl Fn(&str) -> bool) -> bool {
        let same = |record: &&Value| self.records.vulnerability(record["id"].as_str().unwrap()) == self.vulnerability;
        self.records
            .all
            .iter()
            .filter(same)
            .flat_map(|record| record["affected"].as_array().unwrap())
            .any(|entry| entry["package"]["name"] == name && release(entry["package"]["ecosystem"].as_str().unwrap()))
    }

    fn has_another_source(&self) -> bool {
        self.is("deb") && self.component.source.as_ref().is_some_and(|(name, _)| *name != self.component.name)
    }
}

/// In which records a rule explains something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// In those of the repository.
    Sample,
    /// In all real ones.
    Whole,
    /// In both.
    Everywhere,
}

/// A kind of difference, and its reason.
pub(super) struct Rule {
    pub(super) name: &'static str,
    pub(super) program: Program,
    /// Whether it is about what the program reports and we do not.
    pub(super) reported: bool,
    pub(super) seen: Seen,
    /// As `docs/conformance.md` says it.
    pub(super) reason: &'static str,
    holds: fn(&Difference<'_>) -> bool,
}

impl Rule {
    pub(super) fn explains(&self, difference: &Difference<'_>) -> bool {
        self.program == difference.program && self.reported == difference.reported && (self.holds)(difference)
    }
}

const CUSTOM_RANGES: &str =
    "more: it reads `introduced: 0` where `custom_ranges` of the same entry say which tags are meant";
const LISTED: &str = "more: it takes a listed version as a range; the schema has it as a name, equal or not";

const COMMITS: &str = "less: it reads `introduced: 0`, every version, as `>= 0`; `v0.0.0-DATE-COMMIT` comes before 0";

/// All of them.
pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "trivy-custom-ranges",
        program: Program::Trivy,
        reported: true,
        seen: Seen::Everywhere,
        reason: CUSTOM_RANGES,
        holds: has_custom_ranges,
    },
    Rule {
        name: "grype-custom-ranges",
        program: Program::Grype,
        reported: true,
        seen: Seen::Everywhere,
        reason: CUSTOM_RANGES,
        holds: has_custom_ranges,
    },
    Rule {
        name: "osv-scanner-custom-ranges",
        program: Program::OsvScanner,
        reported: true,
        seen: Seen::Everywhere,
        reason: CUSTOM_RANGES,
        holds: has_custom_ranges,
    },
    Rule {
        name: "trivy-commits",
        program: Program::Trivy,
        reported: false,
        seen: Seen::Whole,
        reason: COMMITS,
        holds: is_before_zero,
    },
    Rule {
        name: "grype-commits",
        program: Program::Grype,
        reported: false,
        seen: Seen::Whole,
        reason: COMMITS,
        holds: is_before_zero,
    },
    Rule {
        name: "trivy-fixed-elsewhere",
        program: Program::Trivy,
        reported: false,
        seen: Seen::Whole,
        reason: "less: it takes a version that ends one range for fixed, where another range of the same record holds it",
        holds: |difference| {
            let scheme = records::scheme(difference.component.kind);
            let mut events =
                difference.entries().flat_map(records::ranges).flat_map(|range| records::events(range, scheme));
            let own = difference.component.version.as_str();
            events.any(|(event, bound)| event == "fixed" && scheme.compare(own, bound).unwrap().is_eq())
        },
    },
    Rule {
        name: "trivy-listed",
        program: Program::Trivy,
        reported: true,
        seen: Seen::Sample,
        reason: LISTED,
        holds: is_equal_to_a_listed_version,
    },
    Rule {
        name: "grype-listed",
        program: Program::Grype,
        reported: true,
        seen: Seen::Sample,
        reason: LISTED,
        holds: is_equal_to_a_listed_version,
    },
    Rule {
        name: "trivy-pep440",
        program: Program::Trivy,
        reported: false,
        seen: Seen::Everywhere,
        reason: "less: it gives a record up of which a bound or a listed version is no PEP 440; PyPI had such, and sorts them first",
        holds: |difference| difference.has_a_version_that_is_no_pep440(),
    },
    Rule {
        name: "grype-pep440",
        program: Program::Grype,
        reported: false,
        seen: Seen::Everywhere,
        reason: "less: it cannot compare a version that is no PEP 440",
        holds: |difference| difference.has_a_version_that_is_no_pep440(),
    },
    Rule {
        name: "grype-pep440-guessed",
        program: Program::Grype,
        reported: true,
        seen: Seen::Everywhere,
        reason: "more: it guesses an order where a bound is no PEP 440, which comes before every version that is one",
        holds: |difference| difference.has_a_version_that_is_no_pep440(),
    },
    Rule {
        name: "trivy-npm-short",
        program: Program::Trivy,
        reported: false,
        seen: Seen::Sample,
        reason: "less: it compares no npm version of fewer than three parts",
        holds: |difference| {
            let plain = difference.component.version.split(['-', '+']).next().unwrap();
            difference.is("npm") && plain.matches('.').count() < 2
        },
    },
    Rule {
        name: "grype-maven-qualifiers",
        program: Program::Grype,
        reported: false,
        seen: Seen::Sample,
        reason: "less: it puts a pre-release of a version with a qualifier (`42.2.27.jre7-SNAPSHOT`) behind that version, Maven before it",
        holds: |difference| {
            difference.is("maven")
                && ["-SNAPSHOT", "-alpha-1"].iter().any(|end| {
                    let bound = difference.component.version.strip_suffix(end);
                    bound.is_some_and(|bound| bound.contains(|c: char| c.is_ascii_alphabetic()))
                })
        },
    },
    Rule {
        name: "osv-scanner-maven-final",
        program: Program::OsvScanner,
        reported: true,
        seen: Seen::Sample,
        reason: "more: it puts a number after `Final` or `RELEASE` before the version without it, Maven after it",
        holds: |difference| {
            let version = &difference.component.version;
            difference.is("maven") && [".Final.", ".RELEASE."].iter().any(|part| version.contains(part))
        },
    },
    Rule {
        name: "osv-scanner-commits-first",
        program: Program::OsvScanner,
        reported: false,
        seen: Seen::Everywhere,
        reason: "less: it reads no range of an entry behind one of commits",
        holds: |difference| {
            difference.entries().any(|entry| {
                let mut kinds = entry["ranges"].as_array().into_iter().flatten().map(|range| range["type"] != "GIT");
                kinds.next() == Some(false) && kinds.any(|versions| versions)
            })
        },
    },
    Rule {
        name: "osv-scanner-case",
        program: Program::OsvScanner,
        reported: false,
        seen: Seen::Everywhere,
        reason: "less: it looks names of Go and npm from a purl up in lower case, which records keep as they are",
        holds: |difference| {
            (difference.is("golang") || difference.is("npm"))
                && difference.component.name.contains(|c: char| c.is_ascii_uppercase())
        },
    },
    Rule {
        name: "osv-scanner-local",
        program: Program::OsvScanner,
        reported: false,
        seen: Seen::Everywhere,
        reason: "less: it holds a local build (`1.11.0+local`) to be later than its version; PEP 440 has bounds mean both",
        holds: |difference| difference.is("pypi") && difference.component.version.contains('+'),
    },
    Rule {
        name: "grype-debian-binary",
        program: Program::Grype,
        reported: true,
        seen: Seen::Sample,
        reason: "more: it looks a binary's name up among the sources",
        holds: |difference| difference.has_another_source() && difference.debian(&difference.component.name, |_| true),
    },
    Rule {
        name: "osv-scanner-touching",
        program: Program::OsvScanner,
        reported: false,
        seen: Seen::Whole,
        reason: "less: it sees nothing behind a version at which one interval ends and the next begins",
        holds: |difference| {
            let scheme = records::scheme(difference.component.kind);
            difference.entries().flat_map(records::ranges).any(|range| {
                records::events(range, scheme).windows(2).any(|pair| pair[0].0 == "fixed" && pair[0].1 == pair[1].1)
            })
        },
    },
    Rule {
        name: "grype-case",
        program: Program::Grype,
        reported: true,
        seen: Seen::Whole,
        reason: "more: it gives a Go module the records of every spelling of its name; the paths of modules are told apart by case",
        holds: |difference| {
            difference.is("golang") && difference.component.name.contains(|c: char| c.is_ascii_uppercase())
        },
    },
    Rule {
        name: "osv-scanner-debian-source",
        program: Program::OsvScanner,
        reported: false,
        seen: Seen::Sample,
        reason: "less: it takes no source package from an SBOM, and Debian's records are about sources",
        holds: |difference| difference.has_another_source(),
    },
    Rule {
        name: "osv-scanner-debian-binary",
        program: Program::OsvScanner,
        reported: true,
        seen: Seen::Sample,
        reason: "more: it looks a binary's name up among the sources",
        holds: |difference| difference.has_another_source() && difference.debian(&difference.component.name, |_| true),
    },
    Rule {
        name: "osv-scanner-debian-release",
        program: Program::OsvScanner,
        reported: true,
        seen: Seen::Sample,
        reason: "more: it takes no release from an SBOM, and counts the records of all of them",
        holds: |difference| {
            let (name, _) = difference.component.looked_up();
            difference.is("deb") && difference.debian(name, |ecosystem| ecosystem != "Debian:12")
        },
    },
];

fn has_custom_ranges(difference: &Difference<'_>) -> bool {
    difference.is("golang") && difference.entries().any(|entry| records::custom_ranges(entry).is_some())
}

/// A commit without any tag, in a range from the beginning.
fn is_before_zero(difference: &Difference<'_>) -> bool {
    let everything = |range: &Value| range["events"].as_array().is_some_and(|events| events.len() == 1);
    difference.is("golang")
        && difference.component.version.starts_with("0.0.0-")
        && difference.entries().flat_map(records::ranges).any(everything)
}

/// Equal in the order of the ecosystem, and not by its letters.
fn is_equal_to_a_listed_version(difference: &Difference<'_>) -> bool {
    let (scheme, version) = (records::scheme(difference.component.kind), difference.component.version.as_str());
    difference.entries().any(|entry| {
        let listed = entry["versions"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut listed = listed.filter(|listed| *listed != version);
        listed.any(|listed| scheme.compare(listed, version).is_ok_and(std::cmp::Ordering::is_eq))
    })
}
