//! What a workflow may do, and what it knows.

use assay_model::Severity::{High, Low, Medium};
use assay_yaml::Marked;

use super::super::bytes;
use super::super::expression::{contexts, expressions};
use super::sources::scalar;
use super::{GithubCheck, Scope, Workflow};
use crate::credential;
use crate::rule::Standard::Cwe;
use crate::rule::{Check, Marks, Rule};

/// Permissions whose `write` changes what others get (docs.github.com, "permissions").
const FAR_REACHING: [&str; 8] =
    ["actions", "attestations", "contents", "deployments", "id-token", "packages", "pages", "pull-requests"];
/// Variables and inputs by which a long-lived key of a cloud is handed over.
const CLOUD_KEYS: [&str; 12] = [
    "aws-access-key-id",
    "aws-secret-access-key",
    "aws_access_key_id",
    "aws_secret_access_key",
    "credentials_json",
    "creds",
    "google_credentials",
    "gcp_credentials",
    "azure_credentials",
    "azure_client_secret",
    "arm_client_secret",
    "alibaba_cloud_access_key_secret",
];

pub(super) static CHECKS: &[GithubCheck] = &[
    Check::new(
        Rule::new(
            "github-no-permissions",
            Medium,
            "Every workflow says which permissions its token has",
            "Without a word the token has what the repository's setting says, often the right to write everything",
            "permissions: {} at the top, and what a job needs at the job",
        )
        .also(&[Cwe(276)]),
        no_permissions,
    ),
    Check::new(
        Rule::new(
            "github-broad-permissions",
            Medium,
            "Rights to write are given to the job that needs them",
            "Every step of every job, and every action that one of them uses, can use the token",
            "permissions: contents: read at the top, and write rights at the one job",
        )
        .also(&[Cwe(272)]),
        broad_permissions,
    ),
    Check::new(
        Rule::new(
            "github-inherited-secrets",
            Medium,
            "A called workflow gets the secrets that it needs by name",
            "With inherit it gets all of them, those of the organisation included",
            "secrets: NAME: ${{ secrets.NAME }}",
        )
        .also(&[Cwe(272)]),
        inherited_secrets,
    ),
    Check::new(
        Rule::new(
            "github-all-secrets",
            High,
            "No step gets all secrets at once",
            "toJSON(secrets) hands over every secret there is, those of other systems included",
            "name the one secret that is needed",
        )
        .also(&[Cwe(272)]),
        all_secrets,
    ),
    Check::new(
        Rule::new(
            "github-wide-secret",
            Low,
            "A secret is given to the step that needs it",
            "As a variable of the workflow or the job every action in it can read it",
            "move env to the step",
        )
        .also(&[Cwe(272)]),
        wide_secret,
    ),
    Check::new(
        Rule::new(
            "github-secret-in-script",
            Low,
            "No secret is written into a script",
            "It becomes a part of the script's text, with the quotes in it, and is on disk while the job runs",
            "pass it by env, and write \"$NAME\" in the script",
        )
        .also(&[Cwe(532)]),
        secret_in_script,
    ),
    Check::new(
        Rule::new(
            "github-literal-credential",
            High,
            "No credential is written in a workflow",
            "Everybody who can read the repository can use it",
            "keep it as a secret of the environment, or better use OIDC",
        )
        .also(&[Cwe(798)]),
        literal_credential,
    ),
    Check::new(
        Rule::new(
            "github-cloud-key",
            Medium,
            "Clouds are reached by OIDC, without a key that lasts",
            "A key that leaks works from anywhere until somebody notices; an OIDC token only from this workflow, for minutes",
            "permissions: id-token: write, and the role of the workflow: role-to-assume, workload_identity_provider, client-id",
        )
        .also(&[Cwe(798)]),
        cloud_key,
    ),
    Check::new(
        Rule::new(
            "github-kept-token",
            Low,
            "actions/checkout does not leave the token on disk",
            "Every later step, and every artifact of the folder, can take it from .git/config",
            "with: persist-credentials: false",
        )
        .also(&[Cwe(522)]),
        kept_token,
    ),
    Check::new(
        Rule::new(
            "github-whole-folder-artifact",
            Medium,
            "No artifact is made of the whole working folder",
            "It holds .git with the token, and whatever else a step has left there",
            "name the folder with the result",
        )
        .also(&[Cwe(538)]),
        whole_folder_artifact,
    ),
];

fn no_permissions(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    if workflow.is_action || workflow.root.get("permissions").is_some() {
        return;
    }
    for job in workflow.jobs.iter().filter(|job| job.node.get("permissions").is_none()) {
        marks.add(job.place.clone(), format!("the job {} says nothing of its permissions", job.name));
    }
}

fn broad_permissions(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    let top = workflow.root.get("permissions");
    let of_jobs = workflow.jobs.iter().filter_map(|job| job.node.get("permissions"));
    for permissions in top.into_iter().chain(of_jobs) {
        if permissions.text() == Some("write-all") {
            marks.add(bytes(permissions), "every right to write");
        }
    }
    if workflow.jobs.len() < 2 {
        return;
    }
    for field in top.map_or(&[][..], Marked::fields) {
        if field.value.text() == Some("write") && FAR_REACHING.contains(&field.key.as_ref()) {
            marks.add(field.key_place.start..field.value.place.end, format!("every job may write {}", field.key));
        }
    }
}

fn inherited_secrets(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for secrets in workflow.jobs.iter().filter_map(|job| job.node.get("secrets")) {
        if secrets.text() == Some("inherit") {
            marks.add(bytes(secrets), "all secrets are handed on");
        }
    }
}

/// Every text of the workflow, with its value.
fn every_text<'m, 't>(node: &'m Marked<'t>, found: &mut Vec<(&'m str, &'m Marked<'t>)>) {
    found.extend(node.text().map(|text| (text, node)));
    node.items().iter().for_each(|item| every_text(item, found));
    node.fields().iter().for_each(|field| every_text(&field.value, found));
}

fn all_secrets(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    let mut all = Vec::new();
    every_text(workflow.root, &mut all);
    for (text, value) in all {
        for (inner, range) in expressions(text) {
            if contexts(inner).iter().any(|context| context == "secrets" || context == "secrets.*") {
                let place = workflow.script(value).map_or(bytes(value), |script| script.bytes(&range));
                marks.add(place, "all secrets at once");
            }
        }
    }
}

/// The secrets that a text reads, `GITHUB_TOKEN` left out.
fn secrets_of(text: &str) -> Vec<String> {
    let all = expressions(text).into_iter().flat_map(|(inner, _)| contexts(inner));
    all.filter_map(|context| context.strip_prefix("secrets.").filter(|name| *name != "github_token").map(str::to_owned))
        .collect()
}

fn wide_secret(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for (scope, env) in workflow.environments() {
        let many = workflow.steps().count() > 1;
        for field in env.fields().iter().filter(|_| scope != Scope::Step && many) {
            if let Some(name) = field.value.text().and_then(|text| secrets_of(text).into_iter().next()) {
                marks.add(
                    field.key_place.start..field.value.place.end,
                    format!("{} is known to every step", name.to_ascii_uppercase()),
                );
            }
        }
    }
}

fn secret_in_script(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for (_, script) in workflow.templates() {
        for (inner, range) in expressions(script.text()) {
            if let Some(context) = contexts(inner).into_iter().find(|context| context.starts_with("secrets.")) {
                marks.add(script.bytes(&range), format!("{context} becomes a part of the script"));
            }
        }
    }
}

fn literal_credential(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for field in workflow.environments().into_iter().flat_map(|(_, env)| env.fields()) {
        let value = scalar(&field.value);
        if (credential::is_name(&field.key) && credential::is_literal(&value) && value.len() > 3)
            || credential::is_value(&value)
        {
            marks.add(field.key_place.start..field.value.place.end, format!("{} is written out", field.key));
        }
    }
    for job in &workflow.jobs {
        let services = job.node.get("services").map_or(&[][..], Marked::fields).iter().map(|field| &field.value);
        let containers = job.node.get("container").into_iter().chain(services);
        for password in containers.filter_map(|container| container.at(&["credentials", "password"])) {
            if password.text().is_some_and(credential::is_literal) {
                marks.add(bytes(password), "the registry's password is written out");
            }
        }
    }
    for script in workflow.steps().filter_map(|step| step.run.as_ref()) {
        for word in script.commands.all.iter().flat_map(|command| command.words.iter().chain(&command.assignments)) {
            if credential::is_value(&word.text) || credential::in_url(&word.text) {
                marks.add(script.word(word), "a credential is written out");
            }
        }
    }
}

fn cloud_key(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    let with = workflow.steps().filter_map(|step| step.node.get("with"));
    let all = workflow.environments().into_iter().map(|(_, env)| env).chain(with);
    for field in all.flat_map(Marked::fields) {
        let is_key = CLOUD_KEYS.contains(&field.key.to_ascii_lowercase().as_str());
        let is_secret = field.value.text().is_some_and(|text| !secrets_of(text).is_empty());
        if is_key && is_secret {
            marks.add(field.key_place.start..field.value.place.end, format!("{} is a key that lasts", field.key));
        }
    }
}

fn kept_token(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for step in workflow.steps().filter(|step| step.action().is_some_and(|action| action == "actions/checkout")) {
        let kept = step.with("persist-credentials").is_none_or(|value| scalar(value) != "false");
        if let Some((_, place)) = step.uses.clone().filter(|_| kept) {
            marks.add(place, "the token stays in .git/config");
        }
    }
}

fn whole_folder_artifact(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for step in workflow.steps().filter(|step| step.action().is_some_and(|action| action == "actions/upload-artifact"))
    {
        let Some(path) = step.with("path") else { continue };
        let whole = |line: &str| {
            matches!(line.trim(), "." | "./" | "**" | "*" | "./**" | "${{ github.workspace }}" | "~" | "~/")
        };
        if path.text().is_some_and(|text| text.lines().any(whole)) {
            marks.add(bytes(path), "the whole folder is uploaded");
        }
    }
}
