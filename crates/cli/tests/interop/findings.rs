//! Findings of several scanners, given the same records and the same packages.
//!
//! Each scanner's data is built from the records by its own builder. What it finds is compared as a set of (package,
//! version, vulnerability), where all names of a vulnerability are one. Ours has to be what the records say by the OSV
//! schema's own algorithm; a difference of theirs has to be one of the rules in `differences.rs`, and each rule has to
//! explain something.
//!
//! Where a program is missing the tests say so and pass; with `ASSAY_SCANNERS=required` they fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use crate::home::Home;
use crate::peer::{self, said};

mod bill;
mod databases;
mod differences;
mod programs;
mod records;
mod statements;

use bill::Component;
use differences::{Difference, RULES, Seen};
use programs::{Found, Program};
use records::{ECOSYSTEMS, Records};

/// What builds the data and reads it.
const PEERS: [&str; 5] = ["trivy", "trivy-db", "grype", "grype-db", "osv-scanner"];

fn ready() -> bool {
    peer::present("ASSAY_SCANNERS", &PEERS)
}

/// What the records say about components.
fn by_the_records(records: &Records, components: &[Component]) -> Found {
    let of = |component: &Component| {
        let (kind, name, version) = programs::identity(component);
        records.of(component).into_iter().map(move |id| (kind.clone(), name.clone(), version.clone(), id))
    };
    components.iter().flat_map(of).collect()
}

/// Compares all programs on the components of each ecosystem, and gives which rules explained something.
fn compare(home: &Home, records: &Records, bills: &BTreeMap<&'static str, Vec<Component>>) -> BTreeSet<&'static str> {
    let (mut used, mut unexplained, mut wrong) = (BTreeMap::new(), String::new(), String::new());
    for (kind, components) in bills {
        let file = programs::write(home, kind, components);
        let ours = programs::ours(home, records, &format!("sbom:{file}"), &["--offline"]);
        let expected = by_the_records(records, components);
        for one in ours.symmetric_difference(&expected) {
            writeln!(wrong, "{}: {one:?}", if ours.contains(one) { "not in the records" } else { "missing" }).unwrap();
        }
        for program in Program::ALL {
            let theirs = programs::theirs(program, home, records, &file, &[]);
            let alike = ours.intersection(&theirs).count();
            let (mut less, mut more) = (0, 0);
            // Names that differ by their case only are one to some.
            let mut by_identity: BTreeMap<_, Vec<&Component>> = BTreeMap::new();
            for component in components {
                by_identity.entry(programs::identity(component)).or_default().push(component);
            }
            for one in ours.symmetric_difference(&theirs) {
                let reported = theirs.contains(one);
                *(if reported { &mut more } else { &mut less }) += 1;
                let (kind, name, version, vulnerability) = one.clone();
                let called = by_identity.get(&(kind, name, version)).into_iter().flatten();
                let mut explained = called.filter_map(|component| {
                    let about = records.about(component, &vulnerability);
                    let vulnerability = vulnerability.as_str();
                    let difference = Difference { program, component, reported, vulnerability, about: &about, records };
                    RULES.iter().find(|rule| rule.explains(&difference))
                });
                if let Some(rule) = explained.next() {
                    *used.entry(rule.name).or_insert(0_usize) += 1;
                } else {
                    let who = if reported { "only it" } else { "not it" };
                    writeln!(unexplained, "{}: {who}: {one:?}", program.name()).unwrap();
                }
            }
            let (name, version) = (program.name(), peer::version(program.name()));
            said!(
                "findings, {kind}: {} components, {} findings; {name} {version}: {alike} alike, {less} it does not have, {more} only it has",
                components.len(),
                ours.len()
            );
        }
    }
    for (rule, count) in &used {
        said!("findings: {count} by the rule {rule}");
    }
    let first = |text: &str| text.lines().take(60).collect::<Vec<_>>().join("\n");
    assert!(
        wrong.is_empty() && unexplained.is_empty(),
        "{} of ours are not what the records say:\n{}\n{} without a rule:\n{}",
        wrong.lines().count(),
        first(&wrong),
        unexplained.lines().count(),
        first(&unexplained)
    );
    used.into_keys().collect()
}

/// Every rule that is said to be seen there was, and no other.
fn no_rule_is_stale(used: &BTreeSet<&'static str>, here: Seen) {
    let due = RULES.iter().filter(|rule| rule.seen == here || rule.seen == Seen::Everywhere).map(|rule| rule.name);
    let due: BTreeSet<&str> = due.collect();
    assert_eq!(*used, due);
}

#[test]
fn scanners_find_the_same_in_the_records_of_the_repository() {
    if !ready() {
        return;
    }
    let home = Home::new(Vec::new());
    let records = Records::sample();
    databases::build(&home, &records);
    let mut bills: BTreeMap<_, _> =
        ECOSYSTEMS.iter().map(|&(_, kind)| (kind, bill::around(&records, kind, usize::MAX))).collect();
    bills.get_mut("deb").unwrap().extend(bill::binaries());
    let used = compare(&home, &records, &bills);
    no_rule_is_stale(&used, Seen::Sample);
}

#[test]
fn scanners_find_the_same_in_all_real_records() {
    if !ready() {
        return;
    }
    let Some(records) = Records::whole() else {
        said!("skipped: corpus osv not present");
        return;
    };
    let home = Home::new(Vec::new());
    databases::build(&home, &records);
    let kinds = ["golang", "pypi", "cargo"];
    let bills = kinds.iter().map(|&kind| (kind, bill::around(&records, kind, 4))).collect();
    let used = compare(&home, &records, &bills);
    no_rule_is_stale(&used, Seen::Whole);
}

/// Rules are what `docs/conformance.md` lists.
#[test]
fn every_rule_about_differences_is_documented() {
    let document = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/conformance.md")).unwrap();
    for rule in RULES {
        let row = format!("| {} | {} | {} |", rule.program.name(), rule.name, rule.reason);
        assert!(document.contains(&row), "no row: {row}");
    }
    let names: BTreeSet<&str> = RULES.iter().map(|rule| rule.name).collect();
    assert_eq!(names.len(), RULES.len());
}
