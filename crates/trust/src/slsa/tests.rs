mod corpus;

use super::*;

const SOURCE: &str = "github.com/company/payments";
const GENERATOR: &str =
    "https://github.com/slsa-framework/slsa-github-generator/.github/workflows/generator_generic_slsa3.yml";

fn signer(subject: &str) -> Signer {
    Signer::Keyless {
        issuer: GITHUB_ISSUER.to_owned(),
        subject: subject.to_owned(),
        claims: Box::new(WorkflowClaims {
            source_repository: Some("https://github.com/company/payments".to_owned()),
            source_digest: Some("4f2c".to_owned()),
            source_ref: Some("refs/heads/main".to_owned()),
            runner_environment: Some("github-hosted".to_owned()),
            ..WorkflowClaims::default()
        }),
    }
}

fn with_claims(change: impl FnOnce(&mut WorkflowClaims)) -> Signer {
    let mut signer = signer(&format!("{GENERATOR}@refs/tags/v2.1.0"));
    if let Signer::Keyless { claims, .. } = &mut signer {
        change(claims);
    }
    signer
}

fn provenance() -> Provenance {
    let uri = "git+https://github.com/company/payments@refs/heads/main".to_owned();
    Provenance {
        builder_id: format!("{GENERATOR}@refs/tags/v2.1.0"),
        trigger_repository: Some("https://github.com/company/payments".to_owned()),
        trigger_ref: Some("refs/heads/main".to_owned()),
        branch: Some("main".to_owned()),
        source_digest: Some("4f2c".to_owned()),
        inputs: [("target".to_owned(), "prod".to_owned())].into(),
        materials: vec![crate::Material { uri, digest: None }],
        ..Provenance::default()
    }
}

fn check(expected: &BuildExpectation, provenance: &Provenance) -> Result<VerifiedBuild, BuildMismatch> {
    expected.check(&signer(&provenance.builder_id), provenance)
}

#[test]
fn a_build_that_is_as_expected_names_its_builder_and_level() {
    for source in [SOURCE.to_owned(), format!("https://{SOURCE}"), format!("git+https://{SOURCE}")] {
        let expected = BuildExpectation::new(&source).with_branch("main").with_input("target", "prod");
        let build = check(&expected, &provenance()).unwrap();
        assert_eq!(build.builder, format!("{GENERATOR}@refs/tags/v2.1.0"));
        assert_eq!((build.level, build.commit.as_deref()), (Some(BuildLevel::L3), Some("4f2c")));
    }
    for id in [GENERATOR.to_owned(), format!("{GENERATOR}@v2.1.0"), format!("{GENERATOR}@refs/tags/v2.1.0")] {
        let expected = BuildExpectation::new(SOURCE).with_builder(BuilderId::parse(&id).unwrap());
        assert!(check(&expected, &provenance()).is_ok(), "{id}");
    }
}

#[test]
fn each_property_that_differs_is_named() {
    type Change = fn(&mut Provenance);
    let changes: [(&str, Change); 9] = [
        ("builder-disagrees", |p| p.builder_id = format!("{GENERATOR}@refs/tags/v2.0.0")),
        ("builder-disagrees", |p| GENERATOR.clone_into(&mut p.builder_id)),
        ("source-mismatch", |p| p.trigger_repository = Some("https://github.com/evil/payments".to_owned())),
        ("source-mismatch", |p| p.trigger_ref = None),
        ("source-mismatch", |p| p.materials.clear()),
        ("source-mismatch", |p| "git+https://github.com/evil/p@refs/heads/main".clone_into(&mut p.materials[0].uri)),
        ("source-ref-disagrees", |p| p.trigger_ref = Some("refs/heads/other".to_owned())),
        ("branch-mismatch", |p| p.branch = None),
        ("input-mismatch", |p| p.inputs.clear()),
    ];
    let expected = BuildExpectation::new(SOURCE).with_branch("main").with_input("target", "prod");
    let signer = signer(&format!("{GENERATOR}@refs/tags/v2.1.0"));
    for (code, change) in changes {
        let mut changed = provenance();
        change(&mut changed);
        assert_eq!(expected.check(&signer, &changed).unwrap_err().code(), code);
    }
}

#[test]
fn the_certificate_counts_and_not_what_the_provenance_says_of_itself() {
    let expected = BuildExpectation::new(SOURCE);
    let refused = |signer: &Signer| expected.check(signer, &provenance()).unwrap_err().code();
    assert_eq!(refused(&with_claims(|claims| claims.source_repository = None)), "source-mismatch");
    let other = with_claims(|claims| claims.workflow_repository = Some("evil/payments".to_owned()));
    assert_eq!(refused(&other), "source-mismatch", "both generations of claims must agree");
    let self_hosted = with_claims(|claims| claims.runner_environment = Some("self-hosted".to_owned()));
    assert_eq!(refused(&self_hosted), "builder-self-hosted");
    let own = signer("https://github.com/company/payments/.github/workflows/release.yml@refs/heads/main");
    assert_eq!(refused(&own), "builder-untrusted");
    assert_eq!(refused(&Signer::Key { fingerprint: assay_model::Digest::of(b"key") }), "builder-not-a-workflow");
    let at_a_branch = signer(&format!("{GENERATOR}@refs/heads/main"));
    assert_eq!(refused(&at_a_branch), "builder-not-released");
}

#[test]
fn a_look_alike_of_a_builder_is_another() {
    let expected = BuildExpectation::new(SOURCE);
    for name in [
        GENERATOR.replace("slsa-framework", "slsa-framework-x"),
        format!("{GENERATOR}x"),
        GENERATOR.replace("https", "http"),
    ] {
        let mut changed = provenance();
        changed.builder_id = format!("{name}@refs/tags/v2.1.0");
        assert_eq!(check(&expected, &changed).unwrap_err().code(), "builder-untrusted", "{name}");
    }
    assert_eq!(BuilderId::parse("a@b@c"), None);
    assert_eq!(BuilderId::parse("a@"), None);
}

#[test]
fn what_a_workflow_says_of_itself_must_be_in_its_certificate() {
    let expected = BuildExpectation::new(SOURCE).with_builder(BuilderId::parse(RUNNER_HOSTED).unwrap());
    let workflow = signer("https://github.com/company/payments/.github/workflows/release.yml@refs/heads/main");
    let mut stated = provenance();
    RUNNER_HOSTED.clone_into(&mut stated.builder_id);
    assert_eq!(expected.check(&workflow, &stated).unwrap().level, Some(BuildLevel::L2));
    stated.source_digest = Some("bad".to_owned());
    assert_eq!(expected.check(&workflow, &stated).unwrap_err().code(), "provenance-disagrees");
}
