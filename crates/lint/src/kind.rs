//! What a file is, by its name.

/// A kind of file that has rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// `Dockerfile`, `Containerfile`, `Dockerfile.NAME`, `NAME.Dockerfile`.
    Dockerfile,
    /// `.github/workflows/*.yml`.
    GithubWorkflow,
    /// `action.yml`.
    GithubAction,
    /// `.gitlab-ci.yml` and what it includes by that ending.
    GitlabPipeline,
    /// Any other YAML or JSON.
    Manifest,
}

impl FileKind {
    /// The kind of the file at this path, `None` where no rule is for it.
    pub fn of(path: &str) -> Option<Self> {
        let path = path.replace('\\', "/").to_ascii_lowercase();
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let stem_of = |endings: [&'static str; 2]| endings.iter().any(|ending| name.ends_with(ending));
        let is_build = |word: &str| {
            name == word
                || name.strip_prefix(word).is_some_and(|rest| rest.starts_with('.'))
                || name.ends_with(&format!(".{word}"))
        };
        if is_build("dockerfile") || is_build("containerfile") {
            // `Dockerfile.dockerignore` is something else.
            return (!name.ends_with(".dockerignore")).then_some(Self::Dockerfile);
        }
        if stem_of([".gitlab-ci.yml", ".gitlab-ci.yaml"]) {
            return Some(Self::GitlabPipeline);
        }
        if stem_of([".yml", ".yaml"]) {
            let is_workflow = folder == ".github/workflows" || folder.ends_with("/.github/workflows");
            let is_action = matches!(name, "action.yml" | "action.yaml");
            return Some(if is_workflow {
                Self::GithubWorkflow
            } else if is_action {
                Self::GithubAction
            } else {
                Self::Manifest
            });
        }
        None
    }

    /// Largest file of this kind that is read, in bytes.
    pub(crate) fn bytes_max(self) -> usize {
        match self {
            Self::Dockerfile => crate::DOCKERFILE_BYTES_MAX,
            Self::GithubWorkflow | Self::GithubAction | Self::GitlabPipeline => crate::PIPELINE_BYTES_MAX,
            Self::Manifest => crate::kubernetes::MANIFEST_BYTES_MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_what_a_file_is() {
        for (path, kind) in [
            ("Dockerfile", Some(FileKind::Dockerfile)),
            ("a/Containerfile", Some(FileKind::Dockerfile)),
            ("a/Dockerfile.prod", Some(FileKind::Dockerfile)),
            ("a/api.Dockerfile", Some(FileKind::Dockerfile)),
            ("Dockerfile.dockerignore", None),
            ("Dockerfiles.md", None),
            ("./.github/workflows/release.yml", Some(FileKind::GithubWorkflow)),
            (".github/workflows/a.yaml", Some(FileKind::GithubWorkflow)),
            (".github/dependabot.yml", Some(FileKind::Manifest)),
            ("actions/build/action.yml", Some(FileKind::GithubAction)),
            (".gitlab-ci.yml", Some(FileKind::GitlabPipeline)),
            ("ci/build.gitlab-ci.yml", Some(FileKind::GitlabPipeline)),
            ("deploy/api.yaml", Some(FileKind::Manifest)),
            ("README.md", None),
        ] {
            assert_eq!(FileKind::of(path), kind, "{path}");
        }
    }
}
