//! Build hygiene: what a Dockerfile, a pipeline of GitHub or GitLab, or a Kubernetes manifest says that makes a build
//! unsafe, not repeatable, or a workload easier to break out of.
//!
//! Text in, findings out: no input or output, no network, no clock. What the Gate judges of manifests (privileged containers,
//! root, digests, pull policy) is the Gate's and not repeated here. Each [`Rule`] has an example that breaks it and one that
//! does not, in `tests/data`.
//!
//! ```
//! use assay_lint::{FileKind, lint};
//!
//! let report = lint(FileKind::Dockerfile, "FROM debian:12\nRUN curl -sSL https://example.com/x.sh | sh\nUSER 1000\n")?;
//! let ids: Vec<_> = report.findings.iter().map(|finding| (finding.position.line, finding.rule.id)).collect();
//! assert!(ids.contains(&(1, "docker-unpinned-base")) && ids.contains(&(2, "docker-fetch-and-run")));
//! # Ok::<(), assay_lint::LintError>(())
//! ```

mod credential;
mod dockerfile;
mod error;
mod ignore;
mod kind;
mod kubernetes;
mod pipeline;
mod report;
mod rule;
mod script;
mod shell;

pub use dockerfile::{DOCKERFILE_BYTES_MAX, Dockerfile, FromImage};
pub use error::LintError;
pub use ignore::{Ignored, Void, VoidReason};
pub use kind::FileKind;
pub use pipeline::{PIPELINE_BYTES_MAX, PipelineImage, UsedAction, pipeline_images, used_actions};
pub use report::{Finding, Position, Report};
pub use rule::{Rule, Standard};

/// Every rule, in the order of the reference: by what it looks at, then as written.
pub fn rules() -> impl Iterator<Item = &'static Rule> {
    dockerfile::rules().chain(pipeline::rules()).chain(kubernetes::rules())
}

/// What a text breaks, read as a file of this kind.
pub fn lint(kind: FileKind, text: &str) -> Result<Report, LintError> {
    let limit = kind.bytes_max();
    if text.len() > limit {
        return Err(LintError::TooLarge { bytes: text.len(), limit });
    }
    // A control of the Gate is let pass by an Exception, not by a comment.
    let known = |id: &str| rules().any(|rule| rule.id == id);
    match kind {
        FileKind::Dockerfile => Ok(dockerfile::lint(text, &known)),
        FileKind::GithubWorkflow | FileKind::GithubAction => pipeline::lint_github(text, &known),
        FileKind::GitlabPipeline => pipeline::lint_gitlab(text, &known),
        FileKind::Manifest => kubernetes::lint(text, &known),
    }
}
