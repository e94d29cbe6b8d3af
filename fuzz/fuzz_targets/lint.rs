#![no_main]
//! Build hygiene: the first byte says which kind of file the rest is.

use assay_lint::{FileKind, lint, pipeline_images};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((first, rest)) = data.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let kind = match first % 5 {
        0 => FileKind::Dockerfile,
        1 => FileKind::GithubWorkflow,
        2 => FileKind::GithubAction,
        3 => FileKind::GitlabPipeline,
        _ => FileKind::Manifest,
    };
    if let Ok(report) = lint(kind, text) {
        for finding in report.findings {
            assert!(finding.position.line >= 1 && finding.position.column >= 1 && finding.position.length >= 1);
        }
    }
    let _ = pipeline_images(text);
});
