use super::*;

fn provenance(read: Result<Predicate, String>) -> Provenance {
    match read.unwrap() {
        Predicate::Provenance(provenance) => *provenance,
        other => panic!("{other:?}"),
    }
}

#[test]
fn version_1_of_github_is_read() {
    let read = provenance(read_v1(
        r#"{"buildDefinition":{"buildType":"https://actions.github.io/buildtypes/workflow/v1","externalParameters":{
        "workflow":{"ref":"refs/heads/main","repository":"https://github.com/company/api","path":".github/workflows/release.yml"},
        "inputs":{"debug":true}},"resolvedDependencies":[{"uri":"pkg:x/y"},
        {"uri":"git+https://github.com/company/api@refs/heads/main","digest":{"gitCommit":"4f2c"}}]},
        "runDetails":{"builder":{"id":"https://github.com/actions/runner/github-hosted"},"metadata":{"startedOn":"2026-01-01T00:00:00Z","finishedOn":""}}}"#,
    ));
    assert_eq!(read.source_repository.as_deref(), Some("https://github.com/company/api"));
    assert_eq!(read.source_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(read.source_digest.as_deref(), Some("4f2c"));
    assert_eq!(read.workflow.as_deref(), Some(".github/workflows/release.yml"));
    assert_eq!(read.parameters.get("inputs.debug").map(String::as_str), Some("true"));
    assert_eq!(read.materials.len(), 2);
    assert!(read.started_at.is_some() && read.finished_at.is_none());
}

#[test]
fn the_commit_of_another_repository_is_not_the_source() {
    let read = provenance(read_v1(
        r#"{"buildDefinition":{"buildType":"b","externalParameters":{"source":"git+https://github.com/company/api@refs/tags/v1"},
        "resolvedDependencies":[{"uri":"git+https://github.com/evil/api@refs/tags/v1","digest":{"gitCommit":"bad"}}]},
        "runDetails":{"builder":{"id":"b"}}}"#,
    ));
    assert_eq!(read.source_repository.as_deref(), Some("https://github.com/company/api"));
    assert_eq!(read.source_digest, None);
}

#[test]
fn version_0_2_is_read() {
    let read = provenance(read_v02(
        r#"{"builder":{"id":"https://github.com/slsa-framework/generator"},"buildType":"b","invocation":{"configSource":{
        "uri":"git+https://github.com/company/api@refs/tags/v1","digest":{"sha1":"4f2c"},"entryPoint":".github/workflows/release.yml"},
        "parameters":{}},"metadata":{"buildFinishedOn":"2026-01-01T00:00:00Z"},"materials":[{"uri":"u","digest":{"sha1":"a"}}]}"#,
    ));
    assert_eq!(read.source_repository.as_deref(), Some("https://github.com/company/api"));
    assert_eq!(read.source_ref.as_deref(), Some("refs/tags/v1"));
    assert_eq!(read.source_digest.as_deref(), Some("4f2c"));
    assert_eq!(read.workflow.as_deref(), Some(".github/workflows/release.yml"));
    assert_eq!(read.materials[0].digest.as_deref(), Some("sha1:a"));
}

#[test]
fn version_0_1_is_read() {
    let read = provenance(read_v01(
        r#"{"builder":{"id":"https://cloudbuild.googleapis.com/GoogleHostedWorker@v0.2"},"recipe":{"type":"https://cloudbuild.googleapis.com/CloudBuildYaml@v0.1",
        "definedInMaterial":1,"entryPoint":"cloudbuild.yaml","arguments":{"substitutions":{"_A":"1"}}},
        "metadata":{"buildStartedOn":"2026-01-01T00:00:00Z"},
        "materials":[{"uri":"x"},{"uri":"git+https://github.com/company/api@refs/heads/main","digest":{"sha1":"4f2c"}}]}"#,
    ));
    assert_eq!(read.source_repository.as_deref(), Some("https://github.com/company/api"));
    assert_eq!((read.branch.as_deref(), read.tag.as_deref()), (Some("main"), None));
    assert_eq!(read.source_digest.as_deref(), Some("4f2c"));
    assert_eq!(read.workflow.as_deref(), Some("cloudbuild.yaml"));
    assert_eq!(read.parameters.get("substitutions._A").map(String::as_str), Some("1"));
    // An index that leads nowhere names no source, and is no panic.
    let astray = provenance(read_v01(r#"{"builder":{"id":"b"},"recipe":{"definedInMaterial":9}}"#));
    assert_eq!(astray.source_repository, None);
}

#[test]
fn a_delegated_build_is_of_the_source_and_not_of_the_callers_ref() {
    let read = provenance(read_v1(
        r#"{"buildDefinition":{"buildType":"https://github.com/slsa-framework/slsa-github-generator/delegator-generic@v0",
        "externalParameters":{"inputs":{"directory":"."}},"internalParameters":{"GITHUB_EVENT_NAME":"push","GITHUB_REF":"refs/heads/main",
        "GITHUB_REF_TYPE":"branch","GITHUB_WORKFLOW_REF":"company/api/.github/workflows/release.yml@refs/heads/main"},
        "resolvedDependencies":[{"uri":"git+https://github.com/company/api@refs/tags/v2","digest":{"sha1":"4f2c"}}]},
        "runDetails":{"builder":{"id":"b"}}}"#,
    ));
    assert_eq!((read.branch.as_deref(), read.tag.as_deref()), (None, Some("v2")));
    assert_eq!(read.trigger_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(read.trigger_repository.as_deref(), Some("https://github.com/company/api"));
}
