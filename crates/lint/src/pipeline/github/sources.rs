//! What a workflow takes from others: actions, images, what it fetches.

use assay_model::Severity::{Critical, Medium};
use assay_yaml::Marked;

use super::super::{bytes, is_unpinned};
use super::{GithubCheck, Workflow};
use crate::rule::Standard::Cwe;
use crate::rule::{Check, Marks, Rule};
use crate::shell::rules;

/// Actions whose tags were moved to code that steals secrets, the first version that came after, and where that is recorded.
const COMPROMISED: [(&str, u64, &str); 3] = [
    ("tj-actions/changed-files", 46, "CVE-2025-30066"),
    ("reviewdog/action-setup", 2, "CVE-2025-30154"),
    ("tj-actions/eslint-changed-files", 26, "CVE-2025-30066"),
];

pub(super) static CHECKS: &[GithubCheck] = &[
    Check::new(
        Rule::new(
            "github-unpinned-action",
            Medium,
            "Every action and reusable workflow is named by commit",
            "A tag can be moved: the next run then runs code that nobody here has looked at, with this job's secrets",
            "uses: OWNER/NAME@COMMIT # v1.2.3",
        )
        .also(&[Cwe(1357)]),
        unpinned_action,
    ),
    Check::new(
        Rule::new(
            "github-unpinned-image",
            Medium,
            "Every image that a workflow runs is named by digest",
            "A tag can be moved: the next run then runs something else",
            "assay pin -f FILE writes the digest behind the tag",
        )
        .also(&[Cwe(1357)]),
        unpinned_image,
    ),
    Check::new(
        Rule::new(
            "github-compromised-action",
            Critical,
            "No action is used in a version that was tampered with",
            "Its tags were moved to code that prints the secrets of the job into its log",
            "name a commit of a later release, and change every secret that the workflow had",
        )
        .also(&[Cwe(506)]),
        compromised_action,
    ),
    Check::new(
        rules::fetch_and_run(
            "github-fetch-and-run",
            "Whoever controls the server runs code in the job, with its secrets",
        ),
        fetch_and_run,
    ),
    Check::new(rules::unchecked_fetch("github-unchecked-fetch"), unchecked_fetch),
];

fn unpinned_action(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for (uses, place) in workflow.uses() {
        if uses.starts_with("./") || uses.starts_with("../") || uses.starts_with("docker://") || uses.contains("${{") {
            continue;
        }
        match uses.rsplit_once('@') {
            Some((_, version)) if is_commit(version) => {}
            Some((name, version)) => marks.add(place, format!("{name} is whatever {version} points to")),
            None => marks.add(place, format!("{uses} names no version")),
        }
    }
}

/// Whether a version is the name of a commit.
pub(in super::super) fn is_commit(version: &str) -> bool {
    matches!(version.len(), 40 | 64) && version.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unpinned_image(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for (image, value) in super::images(workflow.root) {
        let image = image.strip_prefix("docker://").unwrap_or(&image);
        if is_unpinned(image) {
            marks.add(bytes(value), format!("{image} has no digest"));
        }
    }
}

fn compromised_action(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for (uses, place) in workflow.uses() {
        let Some((name, version)) = uses.split_once('@') else { continue };
        let name = name.to_ascii_lowercase();
        let major = version.strip_prefix('v').and_then(|version| version.split('.').next()?.parse::<u64>().ok());
        for (_, fixed, record) in COMPROMISED.iter().filter(|(bad, ..)| *bad == name) {
            if major.is_some_and(|major| major < *fixed) {
                marks.add(place.clone(), format!("{uses}: see {record}"));
            }
        }
    }
}

fn fetch_and_run(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    rules::mark_fetch_and_run(workflow.steps().filter_map(|step| step.run.as_ref()), marks);
}

fn unchecked_fetch(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    rules::mark_unchecked_fetch(workflow.steps().filter_map(|step| step.run.as_ref()), marks);
    for field in workflow.environments().into_iter().flat_map(|(_, env)| env.fields()) {
        let value = scalar(&field.value);
        if let Some(how) = crate::shell::unchecked_variable(&field.key, &value) {
            marks.add(field.key_place.start..field.value.place.end, how);
        }
    }
}

/// A variable's value as text: numbers and booleans are written without quotes.
pub(super) fn scalar(value: &Marked<'_>) -> String {
    let text = value.text().map(str::to_owned);
    let number = || value.integer().map(|number| number.to_string());
    text.or_else(number).or_else(|| value.flag().map(|flag| flag.to_string())).unwrap_or_default()
}
