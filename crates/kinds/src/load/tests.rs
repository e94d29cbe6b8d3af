use proptest::prelude::*;

use assay_model::Action;

use super::*;
use crate::{ExceptionSubject, PatternSpec, SignerPurpose, SigstoreInstance, SigstoreRoot, Span, Tier, TufRepository};

const EXAMPLE: &str = include_str!("../../tests/data/example.yaml");

fn one(text: &str) -> Kind {
    load_yaml(text, "test.yaml").unwrap().objects.remove(0).value
}

fn error(text: &str) -> KindsError {
    load_yaml(text, "test.yaml").unwrap_err()
}

fn environment(spec: &str) -> String {
    format!("apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: prod}}\nspec:\n{spec}")
}

#[test]
fn the_documented_example_reads_as_it_is_meant() {
    let loaded = load_yaml(EXAMPLE, "example.yaml").unwrap();
    let names: Vec<_> = loaded.objects.iter().map(|object| (object.value.kind(), object.value.name())).collect();
    assert_eq!(
        names,
        [
            ("Environment", "prod"),
            ("Exception", "payments-zlib"),
            ("ReleaseArtifact", "payments-api-1-18-3"),
            ("TrustRoot", "public-good"),
            ("TrustRoot", "company")
        ]
    );
    let Kind::Environment(prod) = &loaded.objects[0].value else { panic!("an Environment") };
    assert_eq!(prod.spec.tier, Tier::Prod);
    assert_eq!(prod.spec.trust_root, ["public-good"]);
    let signer = &prod.spec.signers[0];
    assert_eq!(signer.purposes, [SignerPurpose::Signature, SignerPurpose::Sbom, SignerPurpose::Scan]);
    let keyless = signer.keyless.as_ref().unwrap();
    assert!(matches!(&keyless.issuer, PatternSpec::Exact(issuer) if issuer.starts_with("https://token.actions")));
    let high = prod.spec.controls.get("high-cve").unwrap();
    assert_eq!(high.action, Some(Action::Warn));
    assert_eq!(high.parameters["whenInternetFacing"], "enforce");
    assert_eq!(prod.spec.exceptions.maximum_duration, Some(Span::days(30)));

    let Kind::Exception(exception) = &loaded.objects[1].value else { panic!("an Exception") };
    assert_eq!(exception.spec.subjects, [ExceptionSubject::Vulnerability("CVE-2026-1234".into())]);
    assert_eq!(exception.spec.expires_at.unwrap().to_string(), "2026-12-15T00:00:00Z");
    assert_eq!(exception.spec.approval.as_ref().unwrap().reference.as_deref(), Some("RISK-4711"));
    assert_eq!(loaded.objects[1].place.to_string(), "example.yaml:27:1");

    let Kind::TrustRoot(root) = &loaded.objects[3].value else { panic!("a TrustRoot") };
    assert_eq!(root.spec.sigstore, Some(SigstoreRoot::PublicGood));
    let Kind::TrustRoot(root) = &loaded.objects[4].value else { panic!("a TrustRoot") };
    assert_eq!(root.spec.sigstore, Some(SigstoreRoot::File("trusted_root.json".into())));
    assert_eq!(root.spec.keys[0].name, "release");
}

#[test]
fn an_unknown_field_is_refused_with_its_place_and_a_suggestion() {
    let text = environment("  tier: prod\n  signers:\n  - name: a\n    for: [signature]\n    keyles: {}\n");
    let refused = error(&text);
    assert_eq!(
        refused.to_string(),
        "test.yaml:9:5: unknown field `keyles` in spec.signers[0], did you mean `keyless`?"
    );
    assert_eq!(refused.code(), "field-unknown");
    assert!(refused.next_step().unwrap().contains("repositories"));
    let top = error(&text.replace("spec:", "spce: {}\nspec:"));
    assert_eq!(top.to_string(), "test.yaml:4:1: unknown field `spce`, did you mean `spec`?");
}

#[test]
fn an_unknown_kind_of_this_group_is_refused_and_others_are_counted() {
    let unknown = error("apiVersion: assay.dev/v1\nkind: Enviroment\nmetadata: {name: x}\nspec: {}\n");
    assert_eq!(
        unknown.to_string(),
        "test.yaml:2:7: `Enviroment` is not a kind of assay.dev/v1, did you mean `Environment`?"
    );
    let version = error("apiVersion: assay.dev/v2\nkind: Environment\n");
    assert_eq!(version.code(), "kind-version-unsupported");
    let nameless = error("kind: Exception\nspec: {}\n");
    assert_eq!(nameless.to_string(), "test.yaml:1:1: missing field `apiVersion`");

    let others = "apiVersion: v1\nkind: Pod\n---\n# nothing\n---\na: 1\n---\n- 1\n";
    let loaded = load_yaml(others, "test.yaml").unwrap();
    assert!(loaded.objects.is_empty());
    assert_eq!(loaded.skipped, 3);
}

#[test]
fn a_list_is_read_item_by_item() {
    let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Pod}\n- apiVersion: assay.dev/v1\n  \
                kind: TrustRoot\n  metadata: {name: a, resourceVersion: '1'}\n  spec: {sigstore: publicGood}\n  status: {}\n";
    let loaded = load_yaml(text, "test.yaml").unwrap();
    assert_eq!((loaded.objects.len(), loaded.skipped), (1, 1));
}

#[test]
fn malformed_yaml_names_line_and_column() {
    for text in ["a: [1\nb: 2\n", "a: 1\n b: 2\n", "a: 'x\n", "%\n"] {
        let KindsError::Syntax { place, message } = error(text) else { panic!("{text}") };
        assert!(place.line >= 1 && place.column >= 1, "{text}: {place}");
        assert!(!message.is_empty() && !message.contains('\n'), "{message}");
    }
    let doubled = error("apiVersion: assay.dev/v1\nkind: TrustRoot\nkind: Exception\n");
    assert!(matches!(&doubled, KindsError::Syntax { place, .. } if place.line == 3), "{doubled}");
    assert!(doubled.to_string().contains("kind"), "{doubled}");
}

#[test]
fn wrong_types_and_forms_are_refused_where_they_stand() {
    let duration = error(&environment("  tier: prod\n  exceptions: {maximumDuration: 30 days}\n"));
    assert!(
        duration.to_string().starts_with("test.yaml:6:33: spec.exceptions.maximumDuration: `30 days`"),
        "{duration}"
    );
    let tier = error(&environment("  tier: production\n"));
    assert!(tier.to_string().contains("spec.tier"), "{tier}");
    let missing = error(&environment("  registries: []\n"));
    assert_eq!(missing.to_string(), "test.yaml:5:3: missing field `tier` in spec");
    let number = error(&environment("  tier: prod\n  registries: [5]\n"));
    assert!(number.to_string().contains("spec.registries[0]"), "{number}");
    let control = error(&environment("  tier: prod\n  controls: {Require_Digest: {action: warn}}\n"));
    assert!(control.to_string().contains("Require_Digest"), "{control}");
    let two = error(
        "apiVersion: assay.dev/v1\nkind: Exception\nmetadata: {name: a}\nspec: {subjects: [{package: a, digest: b}]}\n",
    );
    assert!(two.to_string().contains("exactly one field"), "{two}");
    let pattern = environment(
        "  tier: prod\n  signers: [{name: a, for: [sbom], keyless: {issuer: {glob: a, exact: b}, subject: x}}]\n",
    );
    assert!(error(&pattern).to_string().contains("exactly one of"), "{}", error(&pattern));
}

#[test]
fn off_is_an_action_with_and_without_quotes() {
    for word in ["off", "'off'", "false"] {
        let text = environment(&format!("  tier: prod\n  controls: {{pull-policy: {{action: {word}}}}}\n"));
        let Kind::Environment(prod) = one(&text) else { panic!("an Environment") };
        assert_eq!(prod.spec.controls["pull-policy"].action, Some(Action::Off), "{word}");
    }
    assert!(load_yaml(&environment("  tier: prod\n  controls: {pull-policy: {action: on}}\n"), "t").is_err());
}

#[test]
fn an_incomplete_exception_loads_so_that_the_verdict_can_say_what_it_lacks() {
    let Kind::Exception(empty) = one("apiVersion: assay.dev/v1\nkind: Exception\nmetadata: {name: a}\nspec: {}\n")
    else {
        panic!("an Exception")
    };
    assert!(empty.spec.owner.is_none() && empty.spec.expires_at.is_none() && empty.spec.approval.is_none());
}

#[test]
fn bounds_hold() {
    assert!(matches!(error(&"#".repeat(BYTES_MAX + 1)), KindsError::TooLarge { .. }));
    assert!(matches!(error(&"[".repeat(10_000)), KindsError::Syntax { .. }));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..9 {
        let previous = format!("*a{}, ", level - 1).repeat(10);
        let line = format!("a{level}: &a{level} [{}]\n", previous.trim_end_matches(", "));
        bomb.push_str(&line);
    }
    assert!(matches!(error(&bomb), KindsError::Syntax { .. }), "a bomb of aliases is stopped");
}

#[test]
fn what_is_written_reads_back_and_hashes_alike() {
    for object in load_yaml(EXAMPLE, "example.yaml").unwrap().objects {
        let Kind::Exception(exception) = &object.value else { continue };
        let json = serde_json::to_string(exception).unwrap();
        let Kind::Exception(back) = one(&json) else { panic!("an Exception") };
        assert_eq!(&back, exception);
        assert_eq!(back.spec_digest(), exception.spec_digest());
        let mut other = (*back).clone();
        other.spec.reason = Some("another".into());
        assert_ne!(other.spec_digest(), exception.spec_digest());
        let mut renamed = (*back).clone();
        renamed.metadata.name = "other".into();
        assert_ne!(renamed.spec_digest(), exception.spec_digest());
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in "[\\PC\n]{0,200}") {
        let _ = load_yaml(&text, "fuzz");
    }

    #[test]
    fn no_damage_to_a_real_file_panics(at in 0..EXAMPLE.len(), byte in "[\\PC\n\t]") {
        if EXAMPLE.is_char_boundary(at) {
            let damaged = format!("{}{byte}{}", &EXAMPLE[..at], &EXAMPLE[at..]);
            if let Err(error) = load_yaml(&damaged, "fuzz") {
                prop_assert!(!error.to_string().is_empty());
            }
        }
    }
}

#[test]
fn an_unanchored_regexp_is_refused_where_it_stands() {
    for written in ["company", "^company", "company$", "^company\\\\$"] {
        let text = environment(&format!(
            "  tier: prod\n  signers:\n    - name: a\n      for: [sbom]\n      keyless:\n        issuer: i\n        subject: {{regexp: \"{written}\"}}\n"
        ));
        let error = error(&text);
        assert!(error.to_string().starts_with("test.yaml:11:18: spec.signers[0].keyless.subject: "), "{error}");
        assert!(error.to_string().contains("is not anchored"), "{error}");
    }
    let anchored =
        "  tier: prod\n  signers: [{name: a, for: [sbom], keyless: {issuer: i, subject: {regexp: '^company$'}}}]\n";
    assert!(load_yaml(&environment(anchored), "test.yaml").is_ok());
}

/// Three signers, and what is added to the specification.
fn with_signers(more: &str) -> Result<Loaded, KindsError> {
    let signers = "  tier: prod\n  signers:\n    - {name: release, for: [signature, provenance], key: a}\n    - {name: security, for: [signature], key: b}\n    - {name: tests, for: [test], key: c}\n";
    load_yaml(&environment(&format!("{signers}{more}")), "test.yaml")
}

#[test]
fn what_cannot_be_meant_between_fields_is_refused_with_place_and_hint() {
    for (more, says) in [
        (
            "  require: {signature: {of: [release, securty]}}",
            "test.yaml:10:39: spec.require.signature.of[1]: there is no signer `securty`, did you mean `security`?",
        ),
        (
            "  require: {signature: {of: [release, tests]}}",
            "`tests` is not named for signature, so that it would never count; add signature to its `for`",
        ),
        ("  require: {signature: {of: [release, release]}}", "`release` stands twice, and counts once"),
        ("  require: {signature: {of: []}}", "1 to 16 names of signers are needed"),
        ("  require: {signature: {atLeast: 3, of: [release, security]}}", "3 of 2 signers can never be had"),
        ("  require: {signature: {atLeast: 0, of: [release]}}", "leave `require` out instead"),
        ("  require: {vex: {of: [release]}}", "name one signer for vex instead"),
        ("  require: {signatur: {of: [release]}}", "unknown variant `signatur`"),
        ("  builders: [{id: 'https://b/*', level: L3, signer: release}]", "by its exact id"),
        ("  builders: [{id: b, level: L3, signer: security}]", "`security` is not named for provenance"),
        (
            "  builders: [{id: b, level: L4, signer: release}]",
            "spec.builders[0].level: `L4` is the wording of SLSA 0.1, which had four levels; in the v1 Build track it is L3",
        ),
        ("  builders: [{id: b, level: 3, signer: release}, {id: b, level: 2, signer: release}]", "stands twice"),
        (
            "  constraints: {sbom: {minimumPackages: 5}}",
            "no signer is named for sbom, so that none would ever count; add one to `signers`",
        ),
        ("  constraints: {provenance: {minimumLevel: L3}}", "name the trusted ones in `builders"),
        (
            "  constraints: {provenance: {sorces: [a]}}",
            "unknown field `sorces` in spec.constraints.provenance, did you mean `sources`?",
        ),
        ("  constraints: {test: {maxAge: soon}}", "spec.constraints.test.maxAge: `soon` is not a length of time"),
        ("  vsa: {verifier: v, maxAge: 24h}", "no signer is named for vsa"),
        ("  vsa: {verifier: v, maxAge: 24h, policy: abc}", "`abc` is no digest such as sha256:..."),
        ("  vsa: {verifier: '', maxAge: 24h}", "identifies nobody"),
    ] {
        let error = with_signers(more).unwrap_err().to_string();
        assert!(error.contains(says), "{more}\n{error}");
    }
    let twice = "  tier: prod\n  signers: [{name: a, for: [sbom], key: k}, {name: a, for: [vex], key: l}]\n";
    assert!(error(&environment(twice)).to_string().contains("two signers called `a`"));
    let useless = "  tier: prod\n  signers: [{name: a, for: [vsa], key: k}]\n";
    assert!(error(&environment(useless)).to_string().contains("vsa: {verifier, maxAge}"));
}

#[test]
fn quorums_builders_and_constraints_read_as_they_are_meant() {
    let loaded = with_signers(
        "  require: {signature: {atLeast: 2, of: [release, security]}}\n  builders: [{id: 'https://b/v1', level: L3, signer: release}]\n  constraints:\n    provenance: {minimumLevel: SLSA_BUILD_LEVEL_2, materials: {pinned: true}, maxAge: 90d}\n    test: {minimumPassed: 10}\n",
    )
    .unwrap();
    let Kind::Environment(prod) = &loaded.objects[0].value else { panic!("an Environment") };
    let spec = &prod.spec;
    assert_eq!(spec.require[&SignerPurpose::Signature].at_least, Some(2));
    assert_eq!(spec.builders[0].level, assay_model::BuildLevel::L3);
    let provenance = spec.constraints.provenance.as_ref().unwrap();
    assert_eq!(provenance.minimum_level, Some(assay_model::BuildLevel::L2));
    assert!(provenance.materials.as_ref().unwrap().pinned);
    let asked: Vec<SignerPurpose> = spec.constraints.purposes().collect();
    assert_eq!(asked, [SignerPurpose::Provenance, SignerPurpose::Test]);
    // What is not written changes no digest.
    assert!(
        !String::from_utf8(Environment::new("a", EnvironmentSpec::default()).canonical())
            .unwrap()
            .contains("constraints")
    );
}

#[test]
fn a_trust_root_may_have_a_notation_policy() {
    let yaml = "apiVersion: assay.dev/v1
kind: TrustRoot
metadata: {name: wabbit}
spec:
  notation:
    trustPolicies:
      - name: images
        registryScopes: [\"*\"]
        signatureVerification: {level: strict, override: {expiry: log}, verifyTimestamp: afterCertExpiry}
        trustStores: [\"ca:wabbit\"]
        trustedIdentities: [\"x509.subject: C=US, ST=WA, O=wabbit\"]
    trustStores:
      - {type: ca, name: wabbit, files: [wabbit.crt]}
";
    let loaded = load_yaml(yaml, "root.yaml").unwrap();
    let Kind::TrustRoot(root) = &loaded.objects[0].value else { panic!("a TrustRoot") };
    let notation = root.spec.notation.as_ref().unwrap();
    assert_eq!(notation.trust_policies[0].signature_verification.overrides["expiry"], "log");
    assert_eq!(notation.trust_stores[0].files, ["wabbit.crt"]);
    let unknown = error(&yaml.replace("trustedIdentities", "trustedIdentity"));
    assert_eq!(unknown.code(), "field-unknown");
}

#[test]
fn a_sigstore_root_is_built_in_written_or_fetched() {
    let read = |sigstore: &str| {
        let yaml = format!(
            "apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {{name: a}}\nspec: {{sigstore: {sigstore}}}\n"
        );
        load_yaml(&yaml, "root.yaml").map(|loaded| match &loaded.objects[0].value {
            Kind::TrustRoot(root) => root.spec.sigstore.clone().unwrap(),
            other => panic!("{other:?}"),
        })
    };
    for (written, meant) in [
        ("publicGood", SigstoreRoot::PublicGood),
        ("github", SigstoreRoot::Github),
        ("staging", SigstoreRoot::Staging),
        ("{file: a.json}", SigstoreRoot::File("a.json".into())),
        (
            "{tuf: {instance: github, refreshEvery: 1h}}",
            SigstoreRoot::Tuf(TufRepository {
                instance: Some(SigstoreInstance::Github),
                refresh_every: Some(Span::hours(1)),
                ..TufRepository::default()
            }),
        ),
        (
            "{tuf: {mirror: 'https://tuf.example.com', root: root.json}}",
            SigstoreRoot::Tuf(TufRepository {
                mirror: Some("https://tuf.example.com".into()),
                root: Some("root.json".into()),
                ..TufRepository::default()
            }),
        ),
    ] {
        assert_eq!(read(written).unwrap(), meant, "{written}");
    }
    for wrong in ["gitHub", "production", "{tuf: {instance: mine}}", "{tuf: {miror: a}}", "[publicGood]"] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}
