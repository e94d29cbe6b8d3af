//! Results of tests (in-toto/attestation, `spec/predicates/test-result.md`, v0.1).

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::provenance::Resource;
use crate::statement::objects;
use crate::{Predicate, TestResult, TestSummary};

/// Configurations kept.
const CONFIGURATIONS_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    result: TestResult,
    #[serde(default)]
    url: Option<String>,
    #[serde(default, deserialize_with = "objects")]
    configuration: Vec<Resource>,
    #[serde(default)]
    passed_tests: Vec<IgnoredAny>,
    #[serde(default)]
    warned_tests: Vec<IgnoredAny>,
    #[serde(default)]
    failed_tests: Vec<IgnoredAny>,
}

/// Reads a result. A result that says it passed and names failed tests says two things, and is refused.
pub(super) fn read(text: &str) -> Result<Predicate, String> {
    let document: Document = super::parse(text)?;
    if document.result != TestResult::Failed && !document.failed_tests.is_empty() {
        return Err(format!("it passed, and {} tests failed", document.failed_tests.len()));
    }
    let name = |resource: Resource| if resource.name.is_empty() { resource.uri } else { resource.name };
    Ok(Predicate::Test(TestSummary {
        result: document.result,
        url: document.url,
        passed: document.passed_tests.len() as u64,
        warned: document.warned_tests.len() as u64,
        failed: document.failed_tests.len() as u64,
        configurations: document.configuration.into_iter().take(CONFIGURATIONS_MAX).map(name).collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_counted_and_contradictions_refused() {
        let Predicate::Test(summary) = read(
            r#"{"result":"WARNED","url":"https://ci.example.com/1","configuration":[{"name":"ci.yml"}],"passedTests":["a","b"],"warnedTests":["c"]}"#,
        )
        .unwrap() else {
            panic!("a test result")
        };
        assert_eq!((summary.result, summary.passed, summary.warned, summary.failed), (TestResult::Warned, 2, 1, 0));
        assert_eq!(summary.configurations, ["ci.yml"]);
        assert!(read(r#"{"result":"PASSED","failedTests":["a"]}"#).is_err());
        assert!(read(r#"{"result":"SKIPPED"}"#).is_err());
        assert!(read("{}").is_err());
    }
}
