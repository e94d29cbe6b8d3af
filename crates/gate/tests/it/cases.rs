//! The corpus of decisions: each folder of `cases/` holds what differs from `base.yaml`, what is expected, and the
//! Verdict that was given when it was last looked at. `ASSAY_UPDATE_CASES=1` writes the Verdicts anew.

use assay_case::{Outcome, Verdict};
use assay_gate::decide;
use serde_json::Value;

use crate::fixture::{Fixture, folder, merge, render, yaml};

/// Said to the terminal itself: the test harness would keep a passing test's output to itself.
macro_rules! said {
    ($($text:tt)*) => {{
        use std::io::Write as _;
        std::io::stderr().write_all((format!($($text)*) + "\n").as_bytes()).unwrap();
    }};
}

/// Below this number somebody has lost cases.
const FLOOR: usize = 254;

#[test]
fn every_case_gives_the_recorded_verdict() {
    let base = Fixture::base();
    let mut folders: Vec<_> =
        std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    let (mut passed, mut problems) = (0, Vec::new());
    for path in &folders {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let change = yaml(&std::fs::read_to_string(path.join("case.yaml")).unwrap());
        let mut value = base.value.clone();
        merge(&mut value, &change);
        let fixture = Fixture::new(value);
        let verdict = decide(&fixture.policy(), &fixture.case(), fixture.now());
        let text = render(&verdict);
        let snapshot = path.join("verdict.txt");
        if std::env::var_os("ASSAY_UPDATE_CASES").is_some() {
            std::fs::write(&snapshot, &text).unwrap();
        }
        let before = problems.len();
        if std::fs::read_to_string(&snapshot).ok().as_ref() != Some(&text) {
            problems.push(format!("{name}: another verdict than recorded:\n{text}"));
        }
        problems.extend(unexpected(&change["expect"], &verdict).map(|problem| format!("{name}: {problem}\n{text}")));
        passed += usize::from(problems.len() == before);
    }
    said!("cases: {passed} of {} passed", folders.len());
    assert!(problems.is_empty(), "{}", problems.join("\n"));
    assert!(passed >= FLOOR, "{passed} cases, at least {FLOOR} are recorded");
}

/// What was written down by hand before the Verdict was recorded.
fn unexpected(expect: &Value, verdict: &Verdict) -> Option<String> {
    let allowed = expect["allowed"].as_bool().expect("a case says whether it is allowed");
    if allowed != verdict.allowed {
        return Some(format!("allowed is {}", verdict.allowed));
    }
    for outcome in [Outcome::Fail, Outcome::Error, Outcome::Warn] {
        let mut found: Vec<&str> =
            verdict.outcomes.iter().filter(|own| own.outcome == outcome).map(|own| own.control.as_str()).collect();
        found.sort_unstable();
        found.dedup();
        let mut wanted: Vec<&str> =
            expect[outcome.name()].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        wanted.sort_unstable();
        if found != wanted {
            return Some(format!("{} is {found:?}, wanted {wanted:?}", outcome.name()));
        }
    }
    let says = expect["says"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let text = render(verdict);
    says.into_iter().find(|part| !text.contains(part)).map(|part| format!("it does not say `{part}`"))
}
