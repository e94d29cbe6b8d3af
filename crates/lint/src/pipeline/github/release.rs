//! How a workflow releases.

use std::ops::Range;

use assay_model::Severity::{High, Low, Medium};

use super::super::publishing::Deeds;
use super::sources::scalar;
use super::{GithubCheck, Job, Step, Workflow};
use crate::rule::Standard::Cwe;
use crate::rule::{Check, Marks, Rule};

pub(super) static CHECKS: &[GithubCheck] = &[
    Check::new(
        Rule::new(
            "github-release-unscanned",
            Medium,
            "What is published was scanned",
            "A known vulnerability is found by others first",
            "assay scan IMAGE --fail-on critical before the step that publishes",
        )
        .also(&[Cwe(1395)]),
        unscanned,
    ),
    Check::new(
        Rule::new(
            "github-release-unsigned",
            Medium,
            "What is published is signed",
            "Nobody can tell the release from something that somebody else put in its place",
            "assay sign IMAGE@DIGEST behind the step that publishes, with id-token: write",
        )
        .also(&[Cwe(345)]),
        unsigned,
    ),
    Check::new(
        Rule::new(
            "github-release-unattested",
            Low,
            "What is published comes with its provenance",
            "Nobody can see from which source, by which workflow it was built",
            "actions/attest-build-provenance, or assay attest --type slsaprovenance1",
        )
        .also(&[Cwe(345)]),
        unattested,
    ),
    Check::new(
        Rule::new(
            "github-release-unprotected",
            Low,
            "The job that publishes belongs to an environment",
            "Without one nobody has to approve, and every branch that the workflow runs on can publish",
            "environment: release, with reviewers and the branches or tags that may use it",
        )
        .also(&[Cwe(284)]),
        unprotected,
    ),
    Check::new(
        Rule::new(
            "github-release-from-pull-request",
            High,
            "No pull request publishes",
            "What nobody has reviewed becomes a release",
            "publish on push to a protected branch or tag, or if: github.event_name != 'pull_request'",
        )
        .also(&[Cwe(284)]),
        from_pull_request,
    ),
    Check::new(
        Rule::new(
            "github-cache-in-release",
            Medium,
            "A job that publishes uses no cache",
            "Another workflow of the repository may have filled the cache; what it put there gets into the release",
            "build the release without a cache: cache: false, lookup-only, or no cache step",
        )
        .also(&[Cwe(349)]),
        cache_in_release,
    ),
    Check::new(
        Rule::new(
            "github-check-ignored",
            Medium,
            "A scan or a verification that fails stops the job",
            "A check whose answer counts for nothing is none",
            "remove continue-on-error or || true; excuse single findings with an Exception or VEX",
        )
        .also(&[Cwe(754)]),
        check_ignored,
    ),
];

fn deeds_of(step: &Step<'_, '_>) -> Deeds {
    let mut deeds = step.run.as_ref().map(|script| Deeds::of_script(&script.commands)).unwrap_or_default();
    if let Some(action) = step.action() {
        deeds.add(Deeds::of_action(&action));
        if action == "docker/build-push-action" || action == "docker/bake-action" {
            let push = step.with("push").map(scalar);
            // An expression may be true.
            deeds.publishes |= push.is_some_and(|push| push != "false");
            let on = |key: &str| step.with(key).is_some_and(|value| !matches!(scalar(value).as_str(), "" | "false"));
            deeds.attests |= on("provenance") || on("sbom") || on("attests");
        }
    }
    deeds
}

/// The steps that publish, with their job and where they stand.
fn publishing<'w, 'm, 't>(workflow: &'w Workflow<'m, 't>) -> Vec<(&'w Job<'m, 't>, Range<usize>)> {
    let mut found = Vec::new();
    for job in &workflow.jobs {
        for step in job.steps.iter().filter(|step| deeds_of(step).publishes) {
            let of_run = || {
                let script = step.run.as_ref()?;
                let command = script.commands.all.iter().find(|command| Deeds::of_command(command).publishes)?;
                Some(script.bytes(command))
            };
            let place = step.uses.clone().map(|(_, place)| place).or_else(of_run);
            found.push((job, place.unwrap_or(step.node.place.start..step.node.place.start)));
        }
    }
    found
}

fn of_workflow(workflow: &Workflow<'_, '_>) -> Deeds {
    let mut deeds = Deeds::default();
    workflow.steps().for_each(|step| deeds.add(deeds_of(step)));
    for (uses, _) in workflow.uses() {
        deeds.add(Deeds::of_action(&uses.to_ascii_lowercase()));
    }
    deeds
}

/// Each publishing step, where the workflow as a whole does not do what is `wanted`.
fn without(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>, wanted: fn(Deeds) -> bool, what: &str) {
    if workflow.is_action || wanted(of_workflow(workflow)) {
        return;
    }
    for (job, place) in publishing(workflow) {
        marks.add(place, format!("the job {} publishes {what}", job.name));
    }
}

fn unscanned(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    without(workflow, marks, |deeds| deeds.scans, "what no step has scanned");
}

fn unsigned(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    without(workflow, marks, |deeds| deeds.signs, "what no step signs");
}

fn unattested(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    without(workflow, marks, |deeds| deeds.attests, "without provenance");
}

fn unprotected(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for (job, place) in publishing(workflow) {
        if !workflow.is_action && job.node.get("environment").is_none() {
            marks.add(place, format!("the job {} publishes without an environment", job.name));
        }
    }
}

fn from_pull_request(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    let Some(trigger) = workflow.triggers.iter().find(|trigger| trigger.starts_with("pull_request")) else { return };
    for job in &workflow.jobs {
        let guarded = |node: &assay_yaml::Marked<'_>| {
            node.get("if")
                .and_then(assay_yaml::Marked::text)
                .is_some_and(|text| text.contains("event_name") || text.contains("github.ref"))
        };
        if guarded(job.node) {
            continue;
        }
        for step in job.steps.iter().filter(|step| deeds_of(step).publishes && !guarded(step.node)) {
            let push = step.with("push").map(scalar).unwrap_or_default();
            if push.contains("${{") {
                continue;
            }
            let place = step.uses.clone().map_or(step.node.place.start..step.node.place.end, |(_, place)| place);
            marks.add(place, format!("{trigger} publishes"));
        }
    }
}

fn cache_in_release(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for job in workflow.jobs.iter().filter(|job| job.steps.iter().any(|step| deeds_of(step).publishes)) {
        for step in &job.steps {
            let (Some(action), Some((_, place))) = (step.action(), step.uses.clone()) else { continue };
            let on =
                |key: &str| step.with(key).map(scalar).is_some_and(|value| !matches!(value.as_str(), "" | "false"));
            let caches = match action.as_str() {
                "actions/cache" | "actions/cache/restore" | "swatinem/rust-cache" => !on("lookup-only"),
                "actions/setup-node" | "actions/setup-python" | "actions/setup-java" => on("cache"),
                // This one caches unless it is told not to.
                "actions/setup-go" => step.with("cache").map(scalar).is_none_or(|value| value != "false"),
                "docker/build-push-action" => on("cache-from"),
                _ => false,
            };
            if caches {
                marks.add(place, format!("{action} restores a cache in the job {}", job.name));
            }
        }
    }
}

fn check_ignored(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for step in workflow.steps() {
        let deeds = deeds_of(step);
        let value = step.node.get("continue-on-error").filter(|value| scalar(value) == "true");
        if let Some(value) = value.filter(|_| deeds.is_guard()) {
            marks.add(super::super::bytes(value), "the job goes on where the check fails");
        }
        let Some(script) = &step.run else { continue };
        for range in ignored_commands(script) {
            marks.add(range, "the job goes on where the check fails");
        }
    }
}

/// Commands that scan, sign or verify, followed by `|| true`.
pub(in super::super) fn ignored_commands(script: &crate::shell::ShellScript) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for pair in script.commands.all.windows(2) {
        let [command, next] = pair else { continue };
        let between = script.script.text().get(command.range().end..next.range().start).unwrap_or_default();
        let verifies =
            command.is("cosign", "verify") || command.is("assay", "verify") || command.is("gh", "attestation");
        if matches!(next.name(), "true" | ":")
            && between.trim_start().starts_with("||")
            && (Deeds::of_command(command).is_guard() || verifies)
        {
            found.push(script.bytes(command));
        }
    }
    found
}
