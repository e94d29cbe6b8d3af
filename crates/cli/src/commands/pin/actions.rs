//! The commits of actions: `uses: owner/name@v1` becomes `uses: owner/name@COMMIT # v1`.

use std::collections::BTreeMap;
use std::path::Path;

use assay_kube::Replacement;
use assay_lint::UsedAction;

use crate::commands::target::git;
use crate::failure::{CliError, Failure};
use crate::session::Session;
use crate::{Result, variables};

/// Where actions live unless the runner says otherwise.
const SERVER: &str = "https://github.com";

/// The commit of each repository and version.
pub(super) type Commits = BTreeMap<(String, String), std::result::Result<String, Failure>>;

/// Asks the server for each version once.
pub(super) fn resolve<'a>(actions: impl Iterator<Item = &'a UsedAction>, session: &Session<'_>) -> Result<Commits> {
    let mut commits = Commits::new();
    let wanted: std::collections::BTreeSet<(&str, &str)> =
        actions.map(|action| (action.repository.as_str(), action.version.as_str())).collect();
    if wanted.is_empty() {
        return Ok(commits);
    }
    session.online("pin")?;
    session.printer.progress(&format!("resolving {} actions", wanted.len()));
    let server = variables::read(variables::GITHUB_SERVER_URL).unwrap_or_else(|| SERVER.to_owned());
    // Away from the repository at hand, whose settings would count otherwise.
    let folder = tempfile::tempdir().map_err(CliError::unwritable(&std::env::temp_dir()))?;
    for (repository, version) in wanted {
        let commit = commit_of(folder.path(), &server, repository, version);
        commits.insert((repository.to_owned(), version.to_owned()), commit);
    }
    Ok(commits)
}

/// The commit that a tag or a branch points to; of an annotated tag the commit behind it.
fn commit_of(folder: &Path, server: &str, repository: &str, version: &str) -> std::result::Result<String, Failure> {
    let url = format!("{}/{repository}", server.trim_end_matches('/'));
    let (tag, branch) = (format!("refs/tags/{version}"), format!("refs/heads/{version}"));
    let peeled = format!("{tag}^{{}}");
    let said = git(folder, &["ls-remote", "--quiet", "--", &url, &tag, &peeled, &branch])?;
    let of = |wanted: &str| {
        let line = said.lines().find_map(|line| line.split_once('\t').filter(|(_, name)| *name == wanted));
        line.map(|(commit, _)| commit.to_owned())
    };
    let commit = of(&peeled).or_else(|| of(&tag)).or_else(|| of(&branch));
    let is_commit = |text: &String| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    commit.filter(is_commit).ok_or_else(|| {
        CliError::NotFound {
            what: format!("the tag or branch {version} of {repository}"),
            suggestion: None,
            next: format!("git ls-remote {url} lists what there is"),
        }
        .into()
    })
}

/// The commit in the place of the version, and the version as a comment where the line has none.
pub(super) fn edits(text: &str, action: &UsedAction, commit: &str) -> Vec<Replacement> {
    let mut edits = vec![Replacement { bytes: action.bytes.clone(), text: commit.to_owned() }];
    let rest = text.get(action.bytes.end..).and_then(|rest| rest.lines().next()).unwrap_or_default();
    if matches!(rest.trim(), "" | "'" | "\"") {
        let end = action.bytes.end + rest.trim_end().len();
        edits.push(Replacement { bytes: end..end, text: format!(" # {}", action.version) });
    }
    edits
}
