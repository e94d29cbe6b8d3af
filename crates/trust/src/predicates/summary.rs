//! Verification summaries (slsa.dev/spec/v1.0/verification_summary; version 0.2 has other field names and one level).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::provenance::{Resource, materials};
use crate::statement::{object, objects};
use crate::{Material, Predicate, VerificationSummary};

/// Levels of one summary.
const LEVELS_MAX: usize = 256;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct V1 {
    #[serde(deserialize_with = "object")]
    verifier: Verifier,
    #[serde(default)]
    time_verified: Option<String>,
    resource_uri: String,
    #[serde(default, deserialize_with = "object")]
    policy: Policy,
    #[serde(default, deserialize_with = "objects")]
    input_attestations: Vec<Resource>,
    verification_result: Outcome,
    #[serde(default)]
    verified_levels: Vec<String>,
}

#[derive(Deserialize)]
struct V02 {
    #[serde(deserialize_with = "object")]
    verifier: Verifier,
    #[serde(default)]
    time_verified: Option<String>,
    resource_uri: String,
    #[serde(default, deserialize_with = "object")]
    policy: Policy,
    #[serde(default, deserialize_with = "objects")]
    input_attestations: Vec<Resource>,
    verification_result: Outcome,
    #[serde(default)]
    policy_level: Option<String>,
}

#[derive(Deserialize)]
struct Verifier {
    id: String,
}

#[derive(Default, Deserialize)]
struct Policy {
    #[serde(default)]
    uri: Option<String>,
    #[serde(default)]
    digest: BTreeMap<String, String>,
}

/// Anything but these two words is refused: an unknown result is not a pass.
#[derive(Deserialize)]
enum Outcome {
    #[serde(rename = "PASSED")]
    Passed,
    #[serde(rename = "FAILED")]
    Failed,
}

/// `https://slsa.dev/verification_summary/v1`.
pub(super) fn read_v1(text: &str) -> Result<Predicate, String> {
    let V1 { verifier, time_verified, resource_uri, policy, input_attestations, verification_result, verified_levels } =
        super::parse(text)?;
    summary(verifier, time_verified, resource_uri, policy, &input_attestations, &verification_result, verified_levels)
}

/// `https://slsa.dev/verification_summary/v0.2`.
pub(super) fn read_v02(text: &str) -> Result<Predicate, String> {
    let V02 { verifier, time_verified, resource_uri, policy, input_attestations, verification_result, policy_level } =
        super::parse(text)?;
    let levels = policy_level.into_iter().collect();
    summary(verifier, time_verified, resource_uri, policy, &input_attestations, &verification_result, levels)
}

fn summary(
    verifier: Verifier,
    time: Option<String>,
    resource: String,
    policy: Policy,
    inputs: &[Resource],
    outcome: &Outcome,
    levels: Vec<String>,
) -> Result<Predicate, String> {
    if levels.len() > LEVELS_MAX {
        return Err(format!("{} levels, at most {LEVELS_MAX} are read", levels.len()));
    }
    let policy_digest = policy.digest.get_key_value("sha256").or_else(|| policy.digest.iter().next());
    Ok(Predicate::Summary(Box::new(VerificationSummary {
        verifier: verifier.id,
        verified_at: super::time(time),
        resource,
        policy: policy.uri,
        policy_digest: policy_digest.map(|(algorithm, value)| format!("{algorithm}:{value}")),
        passed: matches!(outcome, Outcome::Passed),
        levels,
        inputs: materials(inputs)?,
    })))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written<'a> {
    verifier: Named<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_verified: Option<String>,
    resource_uri: &'a str,
    policy: WrittenResource<'a>,
    input_attestations: Vec<WrittenResource<'a>>,
    verification_result: &'static str,
    verified_levels: &'a [String],
    slsa_version: &'static str,
}

#[derive(Serialize)]
struct Named<'a> {
    id: &'a str,
}

#[derive(Serialize)]
struct WrittenResource<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    digest: BTreeMap<&'a str, &'a str>,
}

impl<'a> WrittenResource<'a> {
    fn new(uri: Option<&'a str>, digest: Option<&'a str>) -> Self {
        Self {
            uri: uri.filter(|uri| !uri.is_empty()),
            digest: digest.and_then(|text| text.split_once(':')).into_iter().collect(),
        }
    }
}

impl VerificationSummary {
    /// The predicate of version 1, as JSON.
    pub fn predicate(&self) -> String {
        let input =
            |material: &'_ Material| -> (String, Option<String>) { (material.uri.clone(), material.digest.clone()) };
        let inputs: Vec<_> = self.inputs.iter().map(input).collect();
        let written = Written {
            verifier: Named { id: &self.verifier },
            time_verified: self.verified_at.map(|at| at.to_string()),
            resource_uri: &self.resource,
            policy: WrittenResource::new(self.policy.as_deref(), self.policy_digest.as_deref()),
            input_attestations: inputs
                .iter()
                .map(|(uri, digest)| WrittenResource::new(Some(uri), digest.as_deref()))
                .collect(),
            verification_result: if self.passed { "PASSED" } else { "FAILED" },
            verified_levels: &self.levels,
            slsa_version: "1.0",
        };
        // Plain data with string keys: its serialisation cannot fail, and an empty text would be read as no summary.
        serde_json::to_string(&written).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use assay_model::BuildLevel;

    use super::*;

    fn read(result: Result<Predicate, String>) -> VerificationSummary {
        match result.unwrap() {
            Predicate::Summary(summary) => *summary,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        let summary = VerificationSummary {
            verifier: "https://assay.dev/verifiers/company".to_owned(),
            verified_at: Some("2026-11-21T08:00:00Z".parse().unwrap()),
            resource: "oci://registry.example.com/release/api".to_owned(),
            policy: Some("https://github.com/company/policy".to_owned()),
            policy_digest: Some("sha256:00ff".to_owned()),
            passed: true,
            levels: vec![BuildLevel::L3.word().to_owned(), "COMPANY_REVIEWED".to_owned()],
            inputs: vec![Material { uri: String::new(), digest: Some("sha256:11aa".to_owned()) }],
        };
        assert_eq!(read(read_v1(&summary.predicate())), summary);
        assert_eq!(summary.build_level(), Some(BuildLevel::L3));
        assert!(summary.predicate().contains(r#""slsaVersion":"1.0""#));
    }

    #[test]
    fn the_one_level_of_version_0_2_is_mapped() {
        let old = read(read_v02(
            r#"{"verifier":{"id":"v"},"time_verified":"2026-01-01T00:00:00Z","resource_uri":"r","policy":{"uri":"p"},
            "input_attestations":[{"uri":"a","digest":{"sha256":"00"}}],"verification_result":"PASSED","policy_level":"SLSA_LEVEL_4"}"#,
        ));
        assert_eq!((old.passed, old.build_level()), (true, Some(BuildLevel::L3)));
        assert_eq!(old.inputs[0].digest.as_deref(), Some("sha256:00"));
    }

    #[test]
    fn a_result_that_is_not_known_is_no_pass() {
        for result in ["passed", "PASSED_WITH_WARNINGS", ""] {
            let text = format!(r#"{{"verifier":{{"id":"v"}},"resourceUri":"r","verificationResult":"{result}"}}"#);
            assert!(read_v1(&text).is_err(), "{result}");
        }
        let failed = read(read_v1(r#"{"verifier":{"id":"v"},"resourceUri":"r","verificationResult":"FAILED"}"#));
        assert!(!failed.passed && failed.build_level().is_none());
    }
}
