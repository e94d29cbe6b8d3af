//! `docs/reference/controls.md`, rendered from the catalogue and the corpus of decisions. `ASSAY_UPDATE_REFERENCE=1` writes
//! it anew (.ci/generated does).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use assay_case::{ControlOutcome, Outcome, Verdict};
use assay_gate::{ControlEntry, catalogue, decide};
use assay_kinds::Tier;
use serde_json::Value;

use crate::fixture::{Fixture, folder, merge, yaml};

/// A case of the corpus, decided.
struct Example {
    name: String,
    title: String,
    expect: Value,
    verdict: Verdict,
}

fn examples() -> Vec<Example> {
    let base = Fixture::base();
    let mut folders: Vec<_> = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    let read = |path: &Path| {
        let change = yaml(&std::fs::read_to_string(path.join("case.yaml")).unwrap());
        let mut value = base.value.clone();
        merge(&mut value, &change);
        let fixture = Fixture::new(value);
        Example {
            name: path.file_name().unwrap().to_string_lossy().into_owned(),
            title: change["title"].as_str().unwrap().to_owned(),
            expect: change["expect"].clone(),
            verdict: decide(&fixture.policy(), &fixture.case(), fixture.now()),
        }
    };
    folders.iter().map(|path| read(path)).collect()
}

/// Cases shown of a control.
const CASES_MAX: usize = 8;

/// The cases in which somebody expected a control not to be met: those about it alone first, failures before what could
/// not be decided.
fn cases_of<'e>(control: &str, examples: &'e [Example]) -> Vec<(&'e Example, &'e ControlOutcome)> {
    let kinds = [("fail", Outcome::Fail), ("warn", Outcome::Warn), ("error", Outcome::Error)];
    let named = |example: &Example, kind: &str| example.expect[kind].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for (rank, (kind, outcome)) in kinds.iter().enumerate() {
        for example in examples.iter().filter(|example| named(example, kind).iter().any(|own| own == control)) {
            let all: usize = kinds.iter().map(|(kind, _)| named(example, kind).len()).sum();
            let mut own = example.verdict.outcomes.iter();
            let shown = own.find(|own| own.control.as_str() == control && own.outcome == *outcome);
            found.extend(shown.map(|shown| (all, rank, example, shown)));
        }
    }
    found.sort_by_key(|(all, rank, example, _)| (*all, *rank, example.name.clone()));
    found.into_iter().take(CASES_MAX).map(|(_, _, example, shown)| (example, shown)).collect()
}

fn entry(out: &mut String, entry: &ControlEntry, examples: &[Example]) {
    let id = entry.id.as_str();
    let _ = writeln!(out, "## {id}\n\n**{}.** Protects: {}.\n", entry.title, entry.protects.name());
    let _ = writeln!(
        out,
        "- **Asks:** {}\n- **Why:** {}\n- **Fix:** {}\n- **Source:** {}",
        entry.checks, entry.why, entry.fix, entry.source
    );
    let tiers = [Tier::Dev, Tier::Staging, Tier::Prod, Tier::System];
    let _ = writeln!(out, "\n| {} |\n|{}", tiers.map(Tier::name).join(" | "), "---|".repeat(tiers.len()));
    let _ = writeln!(out, "| {} |", tiers.map(|tier| entry.action(tier).to_string()).join(" | "));
    if !entry.parameters.is_empty() {
        out.push_str("\nParameters:\n\n");
        for parameter in &entry.parameters {
            let _ = writeln!(out, "- `{}`: {}", parameter.name, parameter.what);
        }
    }
    for (tier, defaults) in &entry.defaults {
        let _ = writeln!(out, "\n{} starts from `{}`", tier.name(), Value::Object(defaults.clone()));
    }
    let cases = cases_of(id, examples);
    let Some((example, shown)) = cases.first() else {
        out.push_str("\nNo case of the corpus is about it.\n\n");
        return;
    };
    let _ = writeln!(out, "\n{}:\n", example.title);
    let word = if example.verdict.allowed { "allowed" } else { "denied" };
    let _ = writeln!(out, "    {word}  {} {}", example.verdict.operation.name(), example.verdict.workload);
    let _ = writeln!(out, "    {}  {id} [{}]  {}", shown.outcome, shown.action, shown.message);
    if let Some(fix) = &shown.fix {
        let _ = writeln!(out, "    fix   {fix}");
    }
    let _ = writeln!(out, "\nDecided in the corpus:\n");
    for (example, shown) in cases {
        let name = &example.name;
        let _ = writeln!(out, "- {}: {} ([{name}](../../cases/{name}/case.yaml))", shown.outcome, example.title);
    }
    out.push('\n');
}

fn rendered() -> String {
    let mut out = String::from(
        "# Controls\n\nRendered from `policies/controls.yaml` and the corpus of decisions in `cases/` (.ci/generated); do not edit.\n\n\
         What a tier does: `audit` records, `warn` shows, `enforce-with-exception` denies unless an approved Exception covers it,\n\
         `enforce` denies unless break-glass does, `enforce-always` denies. An Environment may change any of them\n\
         ([policy](../guide/policy.md)); `assay policy explain CONTROL` says what is in force.\n\n",
    );
    let mut by_kind: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for entry in catalogue() {
        by_kind.entry(entry.protects).or_default().push(entry.id.as_str());
    }
    for (protects, ids) in by_kind {
        let links: Vec<_> = ids.iter().map(|id| format!("[{id}](#{id})")).collect();
        let _ = writeln!(out, "- {}: {}", protects.name(), links.join(", "));
    }
    out.push('\n');
    let examples = examples();
    for own in catalogue() {
        entry(&mut out, own, &examples);
    }
    out.truncate(out.trim_end().len());
    out + "\n"
}

#[test]
fn the_control_reference_is_fresh() {
    let path = folder().join("../docs/reference/controls.md");
    let text = rendered();
    if std::env::var_os("ASSAY_UPDATE_REFERENCE").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(text == committed, "docs/reference/controls.md is stale; write it with: .ci/generated");
}
