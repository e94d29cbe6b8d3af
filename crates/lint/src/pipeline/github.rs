//! Workflows and actions of GitHub (docs.github.com, "Workflow syntax for GitHub Actions").

mod access;
mod checks;
mod release;
mod sources;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use assay_yaml::Marked;

pub(super) use release::ignored_commands;
pub(super) use sources::is_commit;

use super::expression::{expressions, untrusted};
use super::texts;
use crate::rule::{Check, Mark, Marks, Rule};
use crate::script::Script;
use crate::shell::ShellScript;

/// Triggers that run with the rights of the repository on something that a stranger made.
pub(super) const PRIVILEGED: [&str; 6] =
    ["pull_request_target", "workflow_run", "issue_comment", "issues", "discussion", "discussion_comment"];

/// A workflow or an action, read.
pub(super) struct Workflow<'m, 't> {
    root: &'m Marked<'t>,
    text: &'t str,
    /// The events that start it.
    triggers: BTreeSet<&'m str>,
    /// Its jobs; of an action made of steps, one without a name.
    jobs: Vec<Job<'m, 't>>,
    is_action: bool,
}

struct Job<'m, 't> {
    name: &'m str,
    node: &'m Marked<'t>,
    /// Where its name stands.
    place: Range<usize>,
    steps: Vec<Step<'m, 't>>,
}

struct Step<'m, 't> {
    node: &'m Marked<'t>,
    /// `uses`.
    uses: Option<(&'m str, Range<usize>)>,
    /// `run`, as a script.
    run: Option<ShellScript>,
}

type GithubCheck = Check<fn(&Workflow<'_, '_>, &mut Marks<'_>)>;

fn all() -> impl Iterator<Item = &'static GithubCheck> {
    sources::CHECKS.iter().chain(checks::CHECKS).chain(access::CHECKS).chain(release::CHECKS)
}

pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    all().map(|check| &check.rule)
}

pub(super) fn lint<'t>(root: &Marked<'t>, text: &'t str) -> Vec<Mark> {
    let workflow = Workflow::of(root, text);
    let mut found = Vec::new();
    for check in all() {
        (check.run)(&workflow, &mut Marks::of(&check.rule, &mut found));
    }
    found
}

/// The images that jobs run in, that services are, and that steps use.
pub(super) fn images<'m, 't>(root: &'m Marked<'t>) -> Vec<(String, &'m Marked<'t>)> {
    let workflow = Workflow::of(root, "");
    let mut found = Vec::new();
    for job in &workflow.jobs {
        let containers = job.node.get("container").into_iter();
        let services = job.node.get("services").map_or(&[][..], Marked::fields).iter().map(|field| &field.value);
        for container in containers.chain(services) {
            let image = if container.text().is_some() { Some(container) } else { container.get("image") };
            found.extend(image.and_then(|image| Some((image.text()?.to_owned(), image))));
        }
        for uses in job.steps.iter().filter_map(|step| step.node.get("uses")) {
            found.extend(uses.text().filter(|text| text.starts_with("docker://")).map(|text| (text.to_owned(), uses)));
        }
    }
    if let Some(image) = root.at(&["runs", "image"])
        && let Some(text) = image.text().filter(|text| text.starts_with("docker://"))
    {
        found.push((text.to_owned(), image));
    }
    found
}

/// Every `uses`, of jobs and of steps.
pub(super) fn uses_values<'m, 't>(root: &'m Marked<'t>) -> Vec<&'m Marked<'t>> {
    let workflow = Workflow::of(root, "");
    let steps = workflow.steps().filter_map(|step| step.node.get("uses"));
    workflow.jobs.iter().filter_map(|job| job.node.get("uses")).chain(steps).collect()
}

impl<'m, 't> Workflow<'m, 't> {
    fn of(root: &'m Marked<'t>, text: &'t str) -> Self {
        let on = root.get("on");
        let mut triggers: BTreeSet<&str> = texts(on).into_iter().map(|(text, _)| text).collect();
        triggers.extend(on.map_or(&[][..], Marked::fields).iter().map(|field| field.key.as_ref()));
        let mut jobs: Vec<Job<'m, 't>> = Vec::new();
        for field in root.get("jobs").map_or(&[][..], Marked::fields) {
            let place = field.key_place.start..field.key_place.end;
            jobs.push(Job { name: &field.key, node: &field.value, place, steps: steps(&field.value, text) });
        }
        let runs = root.get("runs");
        if let Some(runs) = runs {
            let place = runs.place.start..runs.place.start;
            jobs.push(Job { name: "", node: runs, place, steps: steps(runs, text) });
        }
        Self { root, text, triggers, jobs, is_action: runs.is_some() }
    }

    fn steps(&self) -> impl Iterator<Item = &Step<'m, 't>> {
        self.jobs.iter().flat_map(|job| &job.steps)
    }

    /// Every `uses`: of steps, and of jobs that are another workflow.
    fn uses(&self) -> Vec<(&'m str, Range<usize>)> {
        let jobs = self.jobs.iter().filter_map(|job| uses_of(job.node));
        let steps = self.steps().filter_map(|step| step.uses.clone());
        jobs.chain(steps).collect()
    }

    /// Triggers among [`PRIVILEGED`].
    fn privileged(&self) -> Vec<&'m str> {
        self.triggers.iter().copied().filter(|trigger| PRIVILEGED.contains(trigger)).collect()
    }

    /// `env` of the workflow, of each job and of each step, each with what it belongs to.
    fn environments(&self) -> Vec<(Scope, &'m Marked<'t>)> {
        let mut found: Vec<_> = self.root.get("env").map(|env| (Scope::Workflow, env)).into_iter().collect();
        for job in &self.jobs {
            found.extend(job.node.get("env").map(|env| (Scope::Job, env)));
            found.extend(job.steps.iter().filter_map(|step| step.node.get("env")).map(|env| (Scope::Step, env)));
        }
        found
    }

    /// Variables that hold what a stranger wrote, by name, with the context.
    fn tainted(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for field in self.environments().into_iter().flat_map(|(_, env)| env.fields()) {
            let context = field
                .value
                .text()
                .and_then(|text| expressions(text).into_iter().find_map(|(inner, _)| untrusted(inner)));
            found.extend(context.map(|context| (field.key.to_ascii_lowercase(), context)));
        }
        found
    }

    /// Texts that are run with their expressions replaced: `run`, and the scripts of actions that take one.
    fn templates(&self) -> Vec<(&Step<'m, 't>, Script)> {
        let mut found = Vec::new();
        for step in self.steps() {
            found.extend(step.run.as_ref().map(|run| (step, run.script.clone())));
            let takes_script = step.uses.as_ref().is_some_and(|(uses, _)| {
                ["actions/github-script@", "azure/cli@", "azure/powershell@", "jannekem/run-python-script-action@"]
                    .iter()
                    .any(|action| uses.to_ascii_lowercase().starts_with(action))
            });
            let with = step.node.get("with").filter(|_| takes_script);
            for key in ["script", "inlineScript", "inlinescript"] {
                let value = with.and_then(|with| with.get(key));
                found.extend(value.and_then(|value| Some((step, self.script(value)?))));
            }
        }
        found
    }

    fn script(&self, value: &Marked<'t>) -> Option<Script> {
        Some(Script::of_scalar(value.text()?, self.text, value.place.start..value.place.end))
    }
}

/// What a variable belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scope {
    Workflow,
    Job,
    Step,
}

fn uses_of<'m>(node: &'m Marked<'_>) -> Option<(&'m str, Range<usize>)> {
    let uses = node.get("uses")?;
    Some((uses.text()?, super::bytes(uses)))
}

fn steps<'m, 't>(job: &'m Marked<'t>, text: &str) -> Vec<Step<'m, 't>> {
    let each = job.get("steps").map_or(&[][..], Marked::items).iter();
    each.map(|node| {
        let run = node.get("run").and_then(|run| Some((run.text()?, run)));
        let run =
            run.map(|(value, run)| ShellScript::of(Script::of_scalar(value, text, run.place.start..run.place.end)));
        Step { node, uses: uses_of(node), run }
    })
    .collect()
}

impl Step<'_, '_> {
    /// The action without its version, in lower case.
    fn action(&self) -> Option<String> {
        let (uses, _) = self.uses.as_ref()?;
        Some(uses.split('@').next().unwrap_or(uses).to_ascii_lowercase())
    }

    /// A value of `with`.
    fn with(&self, key: &str) -> Option<&Marked<'_>> {
        self.node.get("with")?.get(key)
    }
}
