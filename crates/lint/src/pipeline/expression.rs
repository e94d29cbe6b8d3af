//! Expressions of GitHub Actions (docs.github.com, "Evaluate expressions in workflows and actions"), as far as to say which
//! contexts they read.

use std::ops::Range;

/// Contexts that anybody can fill who may open an issue or a pull request (docs.github.com, "Script injections"; a `*` is any
/// one part).
const UNTRUSTED: [&str; 34] = [
    "github.event.issue.title",
    "github.event.issue.body",
    "github.event.pull_request.title",
    "github.event.pull_request.body",
    "github.event.pull_request.head.ref",
    "github.event.pull_request.head.label",
    "github.event.pull_request.head.repo.default_branch",
    "github.event.pull_request.head.repo.description",
    "github.event.pull_request.head.repo.homepage",
    "github.event.comment.body",
    "github.event.review.body",
    "github.event.review_comment.body",
    "github.event.discussion.title",
    "github.event.discussion.body",
    "github.event.pages.*.page_name",
    "github.event.commits.*.message",
    "github.event.commits.*.author.email",
    "github.event.commits.*.author.name",
    "github.event.commits.*.committer.email",
    "github.event.commits.*.committer.name",
    "github.event.head_commit.message",
    "github.event.head_commit.author.email",
    "github.event.head_commit.author.name",
    "github.event.head_commit.committer.email",
    "github.event.head_commit.committer.name",
    "github.event.workflow_run.head_branch",
    "github.event.workflow_run.display_title",
    "github.event.workflow_run.head_commit.message",
    "github.event.workflow_run.head_commit.author.email",
    "github.event.workflow_run.head_commit.author.name",
    "github.event.workflow_run.pull_requests.*.head.ref",
    "github.event.workflow_run.head_repository.description",
    "github.event.fork.forkee.description",
    "github.head_ref",
];

/// Contexts that whoever may start the workflow can fill.
const GIVEN: [&str; 4] = ["inputs.*", "github.event.inputs.*", "github.event.client_payload.*", "github.ref_name"];

/// `${{ ... }}` in a text: what is between the braces, and where all of it stands.
pub(super) fn expressions(text: &str) -> Vec<(&str, Range<usize>)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(start) = text.get(at..).and_then(|rest| rest.find("${{")).map(|ahead| at + ahead) {
        let inner = start + 3;
        let Some(end) = text.get(inner..).and_then(|rest| rest.find("}}")).map(|ahead| inner + ahead) else { break };
        found.push((text.get(inner..end).unwrap_or_default(), start..end + 2));
        at = end + 2;
    }
    found
}

/// The contexts that an expression reads, in lower case with points: `github['head_ref']` is `github.head_ref`.
pub(super) fn contexts(expression: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut current = String::new();
    let mut rest = expression.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\'' if current.is_empty() => {
                // A text; a doubled quote in it only begins another one.
                for inner in rest.by_ref() {
                    if inner == '\'' {
                        break;
                    }
                }
            }
            'a'..='z' | 'A'..='Z' | '_' | '0'..='9' | '-' => current.push(character.to_ascii_lowercase()),
            '.' | '*' if !current.is_empty() => current.push(character),
            '[' if !current.is_empty() => {
                let inner: String = rest.by_ref().take_while(|c| *c != ']').collect();
                current.push('.');
                let name = inner.trim();
                match name.strip_prefix('\'').and_then(|name| name.strip_suffix('\'')) {
                    Some(name) => current.push_str(&name.to_ascii_lowercase()),
                    None => current.push('*'),
                }
            }
            _ => {
                if current.contains('.') || matches!(current.as_str(), "secrets" | "github" | "inputs") {
                    found.push(current.clone());
                }
                current.clear();
            }
        }
    }
    if !current.is_empty() {
        found.push(current);
    }
    found
}

fn matches(pattern: &str, context: &str) -> bool {
    let (mut wanted, mut got) = (pattern.split('.'), context.split('.'));
    loop {
        match (wanted.next(), got.next()) {
            (None, None) => return true,
            (Some(wanted), Some(got)) if wanted == got || wanted == "*" || got == "*" => {}
            _ => return false,
        }
    }
}

/// What of an expression a stranger can fill, if anything.
pub(super) fn untrusted(expression: &str) -> Option<String> {
    let whole = expression.to_ascii_lowercase().contains("tojson");
    contexts(expression).into_iter().find(|context| {
        UNTRUSTED.iter().any(|pattern| {
            matches(pattern, context)
                || (whole && pattern.strip_prefix(context.as_str()).is_some_and(|rest| rest.starts_with('.')))
        })
    })
}

/// What of an expression whoever starts the workflow can fill, if anything.
pub(super) fn given(expression: &str) -> Option<String> {
    contexts(expression).into_iter().find(|context| GIVEN.iter().any(|pattern| matches(pattern, context)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contexts_are_found_however_they_are_written() {
        for (expression, want) in [
            ("github.event.issue.title", "github.event.issue.title"),
            (" github['head_ref'] ", "github.head_ref"),
            ("github.event.commits[0].message", "github.event.commits.*.message"),
            ("format('x {0}', github.event.comment.body)", "github.event.comment.body"),
            ("GitHub.Event.Issue.Title", "github.event.issue.title"),
            ("toJSON(github.event)", "github.event"),
            ("join(github.event.commits.*.message, ' ')", "github.event.commits.*.message"),
        ] {
            assert_eq!(untrusted(expression).as_deref(), Some(want), "{expression}");
        }
        for expression in [
            "github.event.issue.number",
            "github.sha",
            "'github.head_ref'",
            "github.event.pull_request.head.sha",
            "secrets.X",
        ] {
            assert_eq!(untrusted(expression), None, "{expression}");
        }
        assert_eq!(given("inputs.version").as_deref(), Some("inputs.version"));
    }

    #[test]
    fn expressions_know_where_they_stand() {
        let text = "a ${{ x }} b ${{y}} ${{ open";
        let found = expressions(text);
        assert_eq!(found.len(), 2);
        assert_eq!(&text[found[1].1.clone()], "${{y}}");
    }
}
