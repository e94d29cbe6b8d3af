//! Who can make a workflow do what its author did not write.

use assay_model::Severity::{Critical, High, Low, Medium};
use assay_yaml::Marked;

use super::super::bytes;
use super::super::expression::{expressions, given, untrusted};
use super::{GithubCheck, Workflow, texts};
use crate::rule::Standard::Cwe;
use crate::rule::{Check, Marks, Rule};

pub(super) static CHECKS: &[GithubCheck] = &[
    Check::new(
        Rule::new(
            "github-untrusted-checkout",
            Critical,
            "A privileged workflow does not check out what a stranger sent",
            "A script, a test or a build file of the pull request then runs with the secrets and the write token of this \
             repository",
            "use pull_request, or split in two: an unprivileged workflow that builds, a privileged one that only reads its \
             result",
        )
        .also(&[Cwe(829)]),
        untrusted_checkout,
    ),
    Check::new(
        Rule::new(
            "github-dangerous-trigger",
            Medium,
            "pull_request_target and workflow_run are not used without need",
            "They run with secrets and a write token, started by whoever opens a pull request",
            "use pull_request; where it has to be, give it no secrets, no checkout, and say why in an ignore comment",
        )
        .also(&[Cwe(284)]),
        dangerous_trigger,
    ),
    Check::new(
        Rule::new(
            "github-untrusted-artifact",
            High,
            "A workflow started by another one does not take its artifacts unchecked",
            "The workflow before was run on a stranger's code, which decides what is in the artifact",
            "unpack it to a folder of its own, treat it as data, check it before use",
        )
        .also(&[Cwe(829)]),
        untrusted_artifact,
    ),
    Check::new(
        Rule::new(
            "github-script-injection",
            High,
            "No script is put together from what a stranger wrote",
            "The expression is replaced before the shell reads the script: a title such as $(...) is run",
            "pass it by env: NAME: ${{ ... }}, and write \"$NAME\" in the script",
        )
        .also(&[Cwe(78)]),
        script_injection,
    ),
    Check::new(
        Rule::new(
            "github-input-in-script",
            Low,
            "No script is put together from the inputs of the workflow",
            "Whoever may start the workflow, or a workflow that calls it, can run any command in its job",
            "pass it by env: NAME: ${{ inputs.name }}, and write \"$NAME\" in the script",
        )
        .also(&[Cwe(78)]),
        input_in_script,
    ),
    Check::new(
        Rule::new(
            "github-environment-file",
            High,
            "A privileged workflow writes no text of strangers to GITHUB_ENV or GITHUB_PATH",
            "A line break in the text sets another variable, LD_PRELOAD for example, for every later step",
            "use GITHUB_OUTPUT, with a delimiter that nobody can guess",
        )
        .also(&[Cwe(74)]),
        environment_file,
    ),
    Check::new(
        Rule::new(
            "github-insecure-commands",
            High,
            "Workflow commands that set variables by printing stay switched off",
            "Any text that a step prints can then set variables for the steps behind it",
            "remove ACTIONS_ALLOW_UNSECURE_COMMANDS, and write to GITHUB_ENV and GITHUB_PATH",
        )
        .also(&[Cwe(74)]),
        insecure_commands,
    ),
    Check::new(
        Rule::new(
            "github-actor-condition",
            Medium,
            "github.actor does not decide what is allowed",
            "It is whoever caused the last event: anybody can make a bot push to their own pull request",
            "ask github.event.pull_request.user.login, or leave it to branch protection",
        )
        .also(&[Cwe(290)]),
        actor_condition,
    ),
    Check::new(
        Rule::new(
            "github-condition-always-true",
            High,
            "Every if can be false",
            "A condition that is more than one expression is a text, and a text that is not empty is true",
            "leave the braces out: if: a && b",
        )
        .also(&[Cwe(571)]),
        always_true,
    ),
    Check::new(
        Rule::new(
            "github-substring-condition",
            Medium,
            "contains() is not asked whether a text is in a text",
            "With a text instead of a list every part of it counts: refs/heads/ma is in 'refs/heads/main'",
            "contains(fromJSON('[\"refs/heads/main\"]'), github.ref)",
        )
        .also(&[Cwe(697)]),
        substring_condition,
    ),
    Check::new(
        Rule::new(
            "github-self-hosted",
            High,
            "Nothing that a stranger can start runs on a self-hosted runner",
            "What a pull request brings stays on the machine and reaches its network and the jobs that follow",
            "use GitHub's runners, or runners that live for one job and see nothing else",
        )
        .also(&[Cwe(653)]),
        self_hosted,
    ),
];

/// What an expression or a command takes from a stranger's branch.
fn names_foreign_code(text: &str) -> bool {
    let text = text.to_ascii_lowercase().replace("['", ".").replace("']", "");
    [
        "pull_request.head.",
        "github.head_ref",
        "refs/pull/",
        "workflow_run.head_",
        "issue.number",
        "pull_request.merge_commit_sha",
    ]
    .iter()
    .any(|part| text.contains(part))
}

fn untrusted_checkout(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    let privileged = workflow.privileged();
    let Some(trigger) = privileged.first() else { return };
    for step in workflow.steps() {
        if step.action().is_some_and(|action| action == "actions/checkout") {
            for value in ["ref", "repository"].iter().filter_map(|key| step.with(key)) {
                if value.text().is_some_and(names_foreign_code) {
                    marks.add(bytes(value), format!("a stranger's code is checked out on {trigger}"));
                }
            }
        }
        let Some(script) = &step.run else { continue };
        for command in &script.commands.all {
            let words = || command.arguments().iter().map(|word| word.text.as_str());
            let fetches = match command.name() {
                "gh" => command.is("gh", "pr") && words().any(|word| word == "checkout"),
                "git" => {
                    words().any(|word| matches!(word, "fetch" | "checkout" | "pull" | "clone"))
                        && words().any(|word| names_foreign_code(word) || word.contains("pull/"))
                }
                _ => false,
            };
            if fetches {
                marks.add(script.bytes(command), format!("a stranger's code is checked out on {trigger}"));
            }
        }
    }
}

fn dangerous_trigger(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    let Some(on) = workflow.root.get("on") else { return };
    let mut say = |trigger: &str, place| {
        if matches!(trigger, "pull_request_target" | "workflow_run") {
            marks.add(place, format!("{trigger} runs with the rights of this repository"));
        }
    };
    for (text, value) in texts(Some(on)) {
        say(text, bytes(value));
    }
    for field in on.fields() {
        say(&field.key, field.key_place.start..field.key_place.end);
    }
}

fn untrusted_artifact(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    if !workflow.triggers.contains("workflow_run") {
        return;
    }
    for step in workflow.steps() {
        let of_action = step
            .action()
            .is_some_and(|action| action.contains("download-artifact") || action.contains("artifact-download"));
        if let Some((_, place)) = step.uses.clone().filter(|_| of_action) {
            marks.add(place, "an artifact of the workflow before is taken");
        }
        let Some(script) = &step.run else { continue };
        for command in script.commands.all.iter().filter(|command| command.is("gh", "run")) {
            if command.operands().nth(1).is_some_and(|word| word.text == "download") {
                marks.add(script.bytes(command), "an artifact of the workflow before is taken");
            }
        }
    }
}

fn script_injection(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    let tainted = workflow.tainted();
    for (_, script) in workflow.templates() {
        for (inner, range) in expressions(script.text()) {
            let variable = || {
                let contexts = super::super::expression::contexts(inner);
                contexts.iter().find_map(|context| tainted.get(context.strip_prefix("env.")?).cloned())
            };
            if let Some(context) = untrusted(inner).or_else(variable) {
                marks.add(script.bytes(&range), format!("{context} becomes a part of the script"));
            }
        }
    }
}

fn input_in_script(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    // An input of these types cannot hold a command.
    let is_harmless = |context: &str| {
        let name = context.rsplit('.').next().unwrap_or_default();
        ["workflow_dispatch", "workflow_call"].iter().any(|trigger| {
            let declared = workflow.root.at(&["on", trigger, "inputs"]);
            let field =
                declared.and_then(|inputs| inputs.fields().iter().find(|field| field.key.eq_ignore_ascii_case(name)));
            let kind = field.and_then(|field| field.value.get("type")).and_then(Marked::text);
            matches!(kind, Some("boolean" | "number" | "choice" | "environment"))
        })
    };
    for (_, script) in workflow.templates() {
        for (inner, range) in expressions(script.text()) {
            if let Some(context) = given(inner).filter(|context| !is_harmless(context)) {
                marks.add(script.bytes(&range), format!("{context} becomes a part of the script"));
            }
        }
    }
}

fn environment_file(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    if workflow.privileged().is_empty() {
        return;
    }
    for script in workflow.steps().filter_map(|step| step.run.as_ref()) {
        for command in &script.commands.all {
            let file = command
                .redirections
                .iter()
                .find(|word| word.text.contains("GITHUB_ENV") || word.text.contains("GITHUB_PATH"));
            if let Some(word) = file.filter(|_| command.arguments().iter().any(|word| word.text.contains('$'))) {
                marks.add(
                    script.word(word),
                    format!("{} is given a text with a variable in it", word.text.trim_matches('"')),
                );
            }
        }
    }
}

fn insecure_commands(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for field in workflow.environments().into_iter().flat_map(|(_, env)| env.fields()) {
        if field.key == "ACTIONS_ALLOW_UNSECURE_COMMANDS" && super::sources::scalar(&field.value) == "true" {
            marks.add(field.key_place.start..field.value.place.end, "set-env and add-path count again");
        }
    }
}

/// Every `if`, of jobs and of steps.
fn conditions<'m, 't>(workflow: &'m Workflow<'m, 't>) -> impl Iterator<Item = (&'m str, &'m Marked<'t>)> {
    let jobs = workflow.jobs.iter().filter(|_| !workflow.is_action).map(|job| job.node);
    let nodes = jobs.chain(workflow.steps().map(|step| step.node));
    nodes.filter_map(|node| node.get("if")).filter_map(|value| Some((value.text()?, value)))
}

fn actor_condition(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for (text, value) in conditions(workflow) {
        let flat: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let asks = ["github.actor==", "github.triggering_actor==", "==github.actor", "contains(github.actor"];
        if asks.iter().any(|part| flat.contains(part)) && flat.contains("[bot]") {
            marks.add(bytes(value), "github.actor is compared with a bot");
        }
    }
}

fn always_true(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for (text, value) in conditions(workflow) {
        let all = expressions(text);
        let Some((_, first)) = all.first() else { continue };
        if all.len() > 1 || *first != (0..text.len()) {
            marks.add(bytes(value), "the condition is a text that is never empty");
        }
    }
}

fn substring_condition(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    for (text, value) in conditions(workflow) {
        let flat: String = text.chars().filter(|c| !c.is_whitespace()).collect();
        let mut rest = flat.as_str();
        while let Some(at) = rest.find("contains('") {
            rest = rest.get(at + "contains('".len()..).unwrap_or_default();
            if rest
                .find('\'')
                .and_then(|end| rest.get(end..))
                .is_some_and(|tail| tail.starts_with("',github.") || tail.starts_with("',inputs."))
            {
                marks.add(bytes(value), "any part of the text counts");
                break;
            }
        }
    }
}

fn self_hosted(workflow: &Workflow<'_, '_>, marks: &mut Marks<'_>) {
    let public = [
        "pull_request",
        "pull_request_target",
        "issue_comment",
        "issues",
        "discussion",
        "discussion_comment",
        "fork",
        "watch",
    ];
    let Some(trigger) = workflow.triggers.iter().find(|trigger| public.contains(*trigger)) else { return };
    for runs_on in workflow.jobs.iter().filter_map(|job| job.node.get("runs-on")) {
        let labels = texts(Some(runs_on)).into_iter().chain(texts(runs_on.get("labels")));
        let own = labels.into_iter().any(|(label, _)| label == "self-hosted") || runs_on.get("group").is_some();
        if own {
            marks.add(bytes(runs_on), format!("{trigger} starts a job on a self-hosted runner"));
        }
    }
}
