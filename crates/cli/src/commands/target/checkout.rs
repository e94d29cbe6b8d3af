//! Sources in a git repository: one commit, fetched by the `git` program into a folder that is gone afterwards.
//!
//! Nothing of the repository is run: no hooks, no submodules, no `ext::` transport, links are written as files.

use std::path::Path;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::Result;
use crate::failure::CliError;

/// A repository and what is wanted of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Repository {
    /// `https://`, `ssh://` or `file://` URL, or `user@host:path`.
    pub(crate) url: String,
    /// Branch, tag or commit; the default branch where none is named.
    pub(crate) revision: Option<String>,
}

impl Repository {
    /// Reads `URL` or `URL#REVISION`.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (url, revision) = text.split_once('#').map_or((text, None), |(url, revision)| (url, Some(revision)));
        let is_url = ["https://", "ssh://", "file://"].iter().any(|scheme| url.starts_with(scheme));
        let is_short = url.contains('@') && url.contains(':') && !url.contains("::");
        let is_revision = |text: &str| {
            !text.is_empty()
                && !text.starts_with('-')
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'/' | b'-'))
        };
        if url.starts_with('-') || !(is_url || is_short) || revision.is_some_and(|text| !is_revision(text)) {
            return Err(CliError::Usage {
                message: format!("`git:{}` is not a repository that is read", assay_model::RedactedUrl::new(text)),
                next: "write git:https://HOST/PATH or git:https://HOST/PATH#BRANCH".to_owned(),
            }
            .into());
        }
        Ok(Self { url: url.to_owned(), revision: revision.map(str::to_owned) })
    }

    /// Fetches the commit into a new folder, which lives as long as what is returned.
    pub(crate) fn fetch(&self) -> Result<TempDir> {
        let folder = tempfile::tempdir().map_err(CliError::unwritable(&std::env::temp_dir()))?;
        let path = folder.path();
        git(path, &["init", "--quiet", "--template="])?;
        let revision = self.revision.as_deref().unwrap_or("HEAD");
        git(
            path,
            &["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules", "--", &self.url, revision],
        )?;
        git(path, &["checkout", "--quiet", "--detach", "FETCH_HEAD"])?;
        Ok(folder)
    }
}

/// Runs `git` in a folder; what it writes to standard output.
pub(crate) fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .args(["-c", "core.symlinks=false", "-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        .arg("-C")
        .arg(folder)
        .args(arguments)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", "https:ssh:file")
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .stdin(Stdio::null())
        .output()
        .map_err(CliError::unreadable(Path::new("git")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said =
        said.lines().find(|line| line.starts_with("fatal:")).unwrap_or("it failed").trim_start_matches("fatal: ");
    let message = said.replace(char::is_control, " ").chars().take(200).collect();
    Err(CliError::Malformed { what: "git".to_owned(), message }.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_urls_of_known_transports_are_taken() {
        let of = |text: &str| Repository::parse(text).ok().map(|found| (found.url, found.revision));
        assert_eq!(of("https://a/b"), Some(("https://a/b".into(), None)));
        assert_eq!(of("git@a:b/c#v1.0"), Some(("git@a:b/c".into(), Some("v1.0".into()))));
        for wrong in
            ["ext::sh -c id", "--upload-pack=x", "/local", "https://a/b#--x", "https://a/b#a b", "http://a/b", "a@b::c"]
        {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
