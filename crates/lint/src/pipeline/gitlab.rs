//! Pipelines of GitLab (docs.gitlab.com, "CI/CD YAML syntax reference").

use std::ops::Range;

use assay_model::Severity::{High, Low, Medium};
use assay_yaml::Marked;

use super::github::ignored_commands;
use super::publishing::Deeds;
use super::{bytes, is_unpinned, texts};
use crate::credential;
use crate::rule::Standard::Cwe;
use crate::rule::{Check, Mark, Marks, Rule};
use crate::script::Script;
use crate::shell::{ShellScript, rules};

/// Top-level keys that are no jobs.
const GLOBALS: [&str; 13] = [
    "default",
    "include",
    "stages",
    "variables",
    "workflow",
    "image",
    "services",
    "cache",
    "before_script",
    "after_script",
    "spec",
    "types",
    "pages_access",
];
/// Variables that anybody can fill who may open a merge request or push a branch (docs.gitlab.com, "Predefined variables").
const UNTRUSTED: [&str; 12] = [
    "CI_COMMIT_MESSAGE",
    "CI_COMMIT_TITLE",
    "CI_COMMIT_DESCRIPTION",
    "CI_COMMIT_AUTHOR",
    "CI_COMMIT_BRANCH",
    "CI_COMMIT_REF_NAME",
    "CI_COMMIT_TAG_MESSAGE",
    "CI_MERGE_REQUEST_TITLE",
    "CI_MERGE_REQUEST_DESCRIPTION",
    "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
    "CI_MERGE_REQUEST_LABELS",
    "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME",
];
const CLOUD_KEYS: [&str; 5] =
    ["AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "GOOGLE_CREDENTIALS", "AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET"];

/// A pipeline, read.
struct Pipeline<'m, 't> {
    root: &'m Marked<'t>,
    jobs: Vec<Job<'m, 't>>,
}

struct Job<'m, 't> {
    name: &'m str,
    node: &'m Marked<'t>,
    place: Range<usize>,
    scripts: Vec<ShellScript>,
}

type GitlabCheck = Check<fn(&Pipeline<'_, '_>, &mut Marks<'_>)>;

static CHECKS: &[GitlabCheck] = &[
    Check::new(
        Rule::new(
            "gitlab-unpinned-image",
            Medium,
            "Every image that a job runs in is named by digest",
            "A tag can be moved: the next job then runs in something else, with its variables",
            "assay pin -f FILE writes the digest behind the tag",
        )
        .also(&[Cwe(1357)]),
        unpinned_image,
    ),
    Check::new(
        Rule::new(
            "gitlab-unpinned-include",
            Medium,
            "What is included is named by commit",
            "Whoever may push there decides what runs here, with this project's variables",
            "ref: COMMIT for a project, integrity: sha256-... for remote, @COMMIT for a component",
        )
        .also(&[Cwe(829)]),
        unpinned_include,
    ),
    Check::new(
        Rule::new(
            "gitlab-script-injection",
            High,
            "No command is put together from what a stranger wrote",
            "A branch or a title with $(...) in it is run by eval, sh -c or ssh",
            "pass it as an argument or by a file, and quote it",
        )
        .also(&[Cwe(78)]),
        script_injection,
    ),
    Check::new(
        Rule::new(
            "gitlab-literal-credential",
            High,
            "No credential is written in a pipeline",
            "Everybody who can read the repository can use it",
            "keep it as a masked and protected variable, or better use id_tokens",
        )
        .also(&[Cwe(798)]),
        literal_credential,
    ),
    Check::new(
        Rule::new(
            "gitlab-cloud-key",
            Medium,
            "Clouds are reached by id_tokens, without a key that lasts",
            "A key that leaks works from anywhere until somebody notices",
            "id_tokens with the audience of the cloud, and a role that trusts this project and branch",
        )
        .also(&[Cwe(798)]),
        cloud_key,
    ),
    Check::new(
        Rule::new(
            "gitlab-docker-in-docker",
            Medium,
            "Images are built without a privileged runner",
            "docker:dind needs one, and whoever gets into the job is root on the runner",
            "build rootless: buildkit rootless, buildah or kaniko",
        )
        .also(&[Cwe(250)]),
        docker_in_docker,
    ),
    Check::new(
        Rule::new(
            "gitlab-plain-docker",
            High,
            "The Docker daemon is reached over TLS",
            "Without TLS every job on the runner's network can command it",
            "DOCKER_TLS_CERTDIR: /certs",
        )
        .also(&[Cwe(319)]),
        plain_docker,
    ),
    Check::new(
        Rule::new(
            "gitlab-debug-trace",
            High,
            "CI_DEBUG_TRACE stays off",
            "It prints every variable of the job into the log, secrets included",
            "remove it",
        )
        .also(&[Cwe(532)]),
        debug_trace,
    ),
    Check::new(
        rules::fetch_and_run(
            "gitlab-fetch-and-run",
            "Whoever controls the server runs code in the job, with its variables",
        ),
        fetch_and_run,
    ),
    Check::new(rules::unchecked_fetch("gitlab-unchecked-fetch"), unchecked_fetch),
    Check::new(
        Rule::new(
            "gitlab-release-unscanned",
            Medium,
            "What is published was scanned",
            "A known vulnerability is found by others first",
            "assay scan IMAGE --fail-on critical before the job that publishes",
        )
        .also(&[Cwe(1395)]),
        |pipeline, marks| without(pipeline, marks, |deeds| deeds.scans, "what no job has scanned"),
    ),
    Check::new(
        Rule::new(
            "gitlab-release-unsigned",
            Medium,
            "What is published is signed",
            "Nobody can tell the release from something that somebody else put in its place",
            "assay sign IMAGE@DIGEST behind the push, with id_tokens: SIGSTORE_ID_TOKEN: {aud: sigstore}",
        )
        .also(&[Cwe(345)]),
        |pipeline, marks| without(pipeline, marks, |deeds| deeds.signs, "what no job signs"),
    ),
    Check::new(
        Rule::new(
            "gitlab-release-unattested",
            Low,
            "What is published comes with its provenance",
            "Nobody can see from which source, by which pipeline it was built",
            "assay attest --type slsaprovenance1, or RUNNER_GENERATE_ARTIFACTS_METADATA: \"true\"",
        )
        .also(&[Cwe(345)]),
        |pipeline, marks| without(pipeline, marks, |deeds| deeds.attests, "without provenance"),
    ),
    Check::new(
        Rule::new(
            "gitlab-release-unprotected",
            Medium,
            "The job that publishes runs for protected branches or tags only",
            "Every branch that somebody pushes can publish",
            "rules: if: $CI_COMMIT_REF_PROTECTED == \"true\", or $CI_COMMIT_TAG with protected tags",
        )
        .also(&[Cwe(284)]),
        unprotected,
    ),
    Check::new(
        Rule::new(
            "gitlab-check-ignored",
            Medium,
            "A scan or a verification that fails stops the pipeline",
            "A check whose answer counts for nothing is none",
            "remove allow_failure or || true; excuse single findings with an Exception or VEX",
        )
        .also(&[Cwe(754)]),
        check_ignored,
    ),
];

pub(super) fn rules() -> impl Iterator<Item = &'static Rule> {
    CHECKS.iter().map(|check| &check.rule)
}

pub(super) fn lint<'t>(root: &Marked<'t>, text: &'t str) -> Vec<Mark> {
    let pipeline = Pipeline { root, jobs: jobs(root, text) };
    let mut found = Vec::new();
    for check in CHECKS {
        (check.run)(&pipeline, &mut Marks::of(&check.rule, &mut found));
    }
    found
}

/// The images that jobs run in, and their services.
pub(super) fn images<'m, 't>(root: &'m Marked<'t>) -> Vec<(String, &'m Marked<'t>)> {
    let mut found = Vec::new();
    let mut holders = vec![root];
    holders.extend(
        root.fields().iter().filter(|field| is_job(&field.key) || field.key == "default").map(|field| &field.value),
    );
    for holder in holders {
        let services = holder.get("services").map_or(&[][..], Marked::items).iter();
        for image in holder.get("image").into_iter().chain(services) {
            let name = if image.text().is_some() { Some(image) } else { image.get("name") };
            found.extend(name.and_then(|name| Some((name.text()?.to_owned(), name))));
        }
    }
    found
}

fn is_job(key: &str) -> bool {
    !GLOBALS.contains(&key)
}

fn jobs<'m, 't>(root: &'m Marked<'t>, text: &'t str) -> Vec<Job<'m, 't>> {
    let mut found = Vec::new();
    for field in root
        .fields()
        .iter()
        .filter(|field| (is_job(&field.key) || field.key == "default") && !field.value.fields().is_empty())
    {
        let place = field.key_place.start..field.key_place.end;
        found.push(Job { name: &field.key, node: &field.value, place, scripts: scripts(&field.value, text) });
    }
    // What stands at the top counts for every job that has none of its own.
    let global = scripts(root, text);
    if !global.is_empty() {
        found.push(Job { name: "", node: root, place: root.place.start..root.place.start, scripts: global });
    }
    found
}

fn scripts<'t>(node: &Marked<'t>, text: &'t str) -> Vec<ShellScript> {
    let mut found = Vec::new();
    for key in ["before_script", "script", "after_script"] {
        let mut values: Vec<&Marked<'t>> = Vec::new();
        if let Some(value) = node.get(key) {
            lines(value, &mut values);
        }
        // Each line is a command of the same script; for what rules ask they can stand alone.
        for value in values {
            let script = value.text().map(|line| Script::of_scalar(line, text, value.place.start..value.place.end));
            found.extend(script.map(ShellScript::of));
        }
    }
    found
}

/// The lines of a script: lists may hold lists, which GitLab flattens.
fn lines<'m, 't>(value: &'m Marked<'t>, found: &mut Vec<&'m Marked<'t>>) {
    if value.text().is_some() {
        found.push(value);
    }
    value.items().iter().for_each(|item| lines(item, found));
}

impl<'m, 't> Pipeline<'m, 't> {
    fn scripts(&self) -> impl Iterator<Item = &ShellScript> {
        self.jobs.iter().flat_map(|job| &job.scripts)
    }

    /// `variables` at the top and of each job.
    fn variables(&self) -> impl Iterator<Item = &'m assay_yaml::Field<'t>> {
        let tops = self.root.get("variables").into_iter();
        let jobs = self.jobs.iter().filter(|job| !job.name.is_empty()).filter_map(|job| job.node.get("variables"));
        tops.chain(jobs).flat_map(Marked::fields)
    }
}

/// A variable's value, which may stand below `value`.
fn value_of(field: &assay_yaml::Field<'_>) -> String {
    let value = field.value.get("value").unwrap_or(&field.value);
    let number = || value.integer().map(|number| number.to_string());
    value
        .text()
        .map(str::to_owned)
        .or_else(number)
        .or_else(|| value.flag().map(|flag| flag.to_string()))
        .unwrap_or_default()
}

fn unpinned_image(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    for (image, value) in images(pipeline.root) {
        if is_unpinned(&image) {
            marks.add(bytes(value), format!("{image} has no digest"));
        }
    }
}

fn is_commit(text: &str) -> bool {
    text.len() == 40 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn unpinned_include(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    let Some(include) = pipeline.root.get("include") else { return };
    let one = std::slice::from_ref(include);
    let entries = if include.items().is_empty() { one } else { include.items() };
    for entry in entries {
        let remote =
            entry.get("remote").or(Some(entry).filter(|entry| entry.text().is_some_and(|text| text.contains("://"))));
        if let Some(remote) = remote.filter(|_| entry.get("integrity").is_none()) {
            marks.add(bytes(remote), "nothing checks what is included");
        }
        if let Some(project) = entry.get("project") {
            match entry.get("ref") {
                Some(version) if version.text().is_some_and(is_commit) => {}
                Some(version) => marks.add(bytes(version), "the included file is of a branch or tag that moves"),
                None => marks.add(bytes(project), "the included file is of the default branch"),
            }
        }
        if let Some(component) = entry.get("component")
            && let Some(text) = component.text()
            && !text
                .rsplit_once('@')
                .is_some_and(|(_, version)| is_commit(version) || version.contains("$CI_COMMIT_SHA"))
        {
            marks.add(bytes(component), "the component is of a version that moves");
        }
    }
}

fn script_injection(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    for script in pipeline.scripts() {
        for command in &script.commands.all {
            let runs = matches!(command.name(), "eval" | "ssh") || (command.is_interpreter() && command.has("-c"));
            let named = |text: &str| {
                UNTRUSTED
                    .iter()
                    .find(|name| text.contains(&format!("${name}")) || text.contains(&format!("${{{name}}}")))
            };
            for word in command.arguments().iter().filter(|_| runs) {
                if let Some(name) = named(&word.text) {
                    marks.add(script.word(word), format!("{} runs a text with {name} in it", command.name()));
                }
            }
        }
    }
}

fn literal_credential(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    for field in pipeline.variables() {
        let value = value_of(field);
        if (credential::is_name(&field.key) && credential::is_literal(&value)) || credential::is_value(&value) {
            marks.add(field.key_place.start..field.value.place.end, format!("{} is written out", field.key));
        }
    }
    for script in pipeline.scripts() {
        for word in script.commands.all.iter().flat_map(|command| command.words.iter().chain(&command.assignments)) {
            if credential::is_value(&word.text) || credential::in_url(&word.text) {
                marks.add(script.word(word), "a credential is written out");
            }
        }
    }
}

fn cloud_key(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    for field in pipeline.variables().filter(|field| CLOUD_KEYS.contains(&field.key.as_ref())) {
        marks.add(field.key_place.start..field.value.place.end, format!("{} is a key that lasts", field.key));
    }
    for script in pipeline.scripts() {
        for word in script.commands.all.iter().flat_map(|command| command.words.iter().chain(&command.assignments)) {
            if let Some(name) = CLOUD_KEYS
                .iter()
                .find(|name| word.text.contains(&format!("${name}")) || word.text.contains(&format!("${{{name}}}")))
            {
                marks.add(script.word(word), format!("{name} is a key that lasts"));
            }
        }
    }
}

fn docker_in_docker(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    for (image, value) in images(pipeline.root) {
        let name = image.split('@').next().unwrap_or_default();
        if name.contains("docker:") && name.contains("dind") && !name.contains("rootless") {
            marks.add(bytes(value), format!("{name} needs a privileged runner"));
        }
    }
}

fn plain_docker(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    for field in pipeline.variables() {
        let value = value_of(field);
        let off = field.key == "DOCKER_TLS_CERTDIR" && value.is_empty();
        let plain = field.key == "DOCKER_HOST" && value.ends_with(":2375");
        if off || plain {
            marks.add(
                field.key_place.start..field.value.place.end.max(field.key_place.end),
                "the daemon is reached without TLS",
            );
        }
    }
}

fn debug_trace(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    for field in pipeline.variables().filter(|field| field.key == "CI_DEBUG_TRACE" || field.key == "CI_DEBUG_SERVICES")
    {
        if matches!(value_of(field).as_str(), "true" | "1") {
            marks
                .add(field.key_place.start..field.value.place.end, format!("{} prints the job's variables", field.key));
        }
    }
}

fn fetch_and_run(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    rules::mark_fetch_and_run(pipeline.scripts(), marks);
}

fn unchecked_fetch(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    rules::mark_unchecked_fetch(pipeline.scripts(), marks);
    for field in pipeline.variables() {
        if let Some(how) = crate::shell::unchecked_variable(&field.key, &value_of(field)) {
            marks.add(field.key_place.start..field.value.place.end, how);
        }
    }
}

fn deeds_of(job: &Job<'_, '_>) -> Deeds {
    let mut deeds = Deeds::default();
    job.scripts.iter().for_each(|script| deeds.add(Deeds::of_script(&script.commands)));
    deeds.publishes |= job.node.get("release").is_some_and(|release| !release.fields().is_empty());
    deeds
}

/// Templates of GitLab that scan (docs.gitlab.com, "Application security").
fn includes_scan(pipeline: &Pipeline<'_, '_>) -> bool {
    let Some(include) = pipeline.root.get("include") else { return false };
    let entries = std::iter::once(include).chain(include.items());
    let names = entries.flat_map(|entry| texts(entry.get("template")).into_iter().chain(texts(entry.get("component"))));
    names.into_iter().any(|(name, _)| {
        name.contains("Container-Scanning")
            || name.contains("container-scanning")
            || name.contains("Dependency-Scanning")
    })
}

fn without(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>, wanted: fn(Deeds) -> bool, what: &str) {
    let mut all = Deeds { scans: includes_scan(pipeline), ..Deeds::default() };
    pipeline.jobs.iter().for_each(|job| all.add(deeds_of(job)));
    all.attests |= pipeline
        .variables()
        .any(|field| field.key == "RUNNER_GENERATE_ARTIFACTS_METADATA" && value_of(field) == "true");
    if wanted(all) {
        return;
    }
    for job in pipeline.jobs.iter().filter(|job| deeds_of(job).publishes) {
        marks.add(job.place.clone(), format!("the job {} publishes {what}", job.name));
    }
}

fn unprotected(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    let is_limited = |text: &str| {
        ["CI_COMMIT_REF_PROTECTED", "CI_COMMIT_TAG", "CI_DEFAULT_BRANCH", "CI_COMMIT_BRANCH =="]
            .iter()
            .any(|part| text.contains(part))
    };
    let limits = |node: &Marked<'_>| {
        let rules = node.get("rules").or_else(|| node.get("workflow").and_then(|workflow| workflow.get("rules")));
        let by_rules = rules
            .map_or(&[][..], Marked::items)
            .iter()
            .any(|rule| rule.get("if").and_then(Marked::text).is_some_and(is_limited));
        let only = node.get("only");
        let refs = texts(only).into_iter().chain(texts(only.and_then(|only| only.get("refs"))));
        by_rules || refs.into_iter().any(|(name, _)| matches!(name, "tags" | "main" | "master"))
    };
    for job in pipeline.jobs.iter().filter(|job| deeds_of(job).publishes) {
        if !limits(job.node) && !limits(pipeline.root) {
            marks.add(job.place.clone(), format!("the job {} publishes from every branch", job.name));
        }
    }
}

fn check_ignored(pipeline: &Pipeline<'_, '_>, marks: &mut Marks<'_>) {
    for job in &pipeline.jobs {
        let value = job.node.get("allow_failure").filter(|value| value.flag() == Some(true));
        if let Some(value) = value.filter(|_| deeds_of(job).is_guard()) {
            marks.add(bytes(value), "the pipeline goes on where the check fails");
        }
        for range in job.scripts.iter().flat_map(ignored_commands) {
            marks.add(range, "the pipeline goes on where the check fails");
        }
    }
}
