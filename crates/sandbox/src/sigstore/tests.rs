//! The instance as a verifier sees it: what it signs verifies in full, and each fault is found for what it is.

use assay_model::{Digest, Timestamp};
use assay_sign::{HttpServices, KeylessSigner, Signer as _, Statement};
use assay_trust::{Artifact, CheckName, Evidence, EvidenceKind, Predicate, Signer, VerifyError, verify_bundle};

use super::{Authority, AuthorityOptions, GITHUB_ISSUER, Identity, KeyKind, Server, evidence};

mod faults;
mod services;

fn authority() -> Authority {
    Authority::new("2026-03-01T12:00:00Z".parse().unwrap())
}

fn release() -> Identity {
    Identity::github("company/payments", "release.yml", "refs/heads/main")
}

fn verify(authority: &Authority, bundle: &[u8], subject: Digest) -> Result<Evidence, VerifyError> {
    let later = Timestamp::from_second(authority.clock().now().as_second() + 7200).unwrap();
    verify_bundle(bundle, Artifact::Digest(subject), &evidence::material(authority), later)
}

#[test]
fn what_the_sandbox_signs_passes_every_check() {
    let authority = authority();
    let evidence = evidence::signature(&authority, &release(), &Digest::of(b"image"));
    let made: Vec<CheckName> = evidence.checks().iter().filter(|check| check.made).map(|check| check.name).collect();
    assert_eq!(
        made,
        [
            CheckName::Signature,
            CheckName::Subject,
            CheckName::CertificateChain,
            CheckName::CertificateTransparency,
            CheckName::TransparencyLog,
            CheckName::Timestamp,
        ]
    );
    assert_eq!(evidence.signed_at(), Some(authority.clock().now()));
    let Signer::Keyless { issuer, subject, claims } = evidence.signer() else { panic!("{:?}", evidence.signer()) };
    assert_eq!(issuer, GITHUB_ISSUER);
    assert_eq!(*subject, release().subject);
    assert_eq!(claims.source_repository.as_deref(), Some("https://github.com/company/payments"));
    assert_eq!(claims.source_ref.as_deref(), Some("refs/heads/main"));
    assert_eq!(claims.build_signer_uri.as_deref(), Some(&*release().subject));
    assert_eq!(claims.runner_environment.as_deref(), Some("github-hosted"));
    assert_eq!(claims.build_trigger.as_deref(), Some("push"));
    assert_eq!(claims.workflow_repository.as_deref(), Some("company/payments"));
}

#[test]
fn many_entries_make_a_tree_and_all_of_them_verify() {
    let authority = authority();
    for n in 0..12u8 {
        authority.clock().advance(60);
        let subject = Digest::of(&[n]);
        assert_eq!(evidence::signature(&authority, &release(), &subject).subject(), subject);
    }
}

#[test]
fn a_log_of_version_2_with_either_kind_of_key_proves_entries_and_no_time() {
    for log in [KeyKind::Ed25519, KeyKind::EcdsaP256] {
        let options = AuthorityOptions { log, ..AuthorityOptions::default() };
        let authority = Authority::with("2026-03-01T12:00:00Z".parse().unwrap(), options);
        for n in 0..5u8 {
            authority.clock().advance(60);
            let subject = Digest::of(&[n]);
            let bundle = evidence::bundle_v2(&authority, &release(), &Statement::image_signature(&subject));
            let evidence = verify(&authority, &bundle, subject).unwrap();
            assert_eq!(evidence.signed_at(), Some(authority.clock().now()));
            assert!(evidence.checks().iter().all(|check| check.made || check.name == CheckName::Revocation));
            // The timestamp is what proves the time.
            let mut unstamped: serde_json::Value = serde_json::from_slice(&bundle).unwrap();
            unstamped["verificationMaterial"]["timestampVerificationData"] = serde_json::Value::Null;
            let refused = verify(&authority, unstamped.to_string().as_bytes(), subject);
            assert!(matches!(refused, Err(VerifyError::NoTime)), "{refused:?}");
        }
    }
}

#[test]
fn people_and_attestations_are_signed_too() {
    let authority = authority();
    let person = Identity::person("https://accounts.example.com", "someone@example.com");
    let document = r#"{"bomFormat":"CycloneDX","components":[{"name":"zlib"}]}"#;
    let evidence =
        evidence::attestation(&authority, &person, &Digest::of(b"image"), "https://cyclonedx.org/bom", document);
    assert_eq!(evidence.kind(), EvidenceKind::Sbom);
    assert!(matches!(evidence.predicate(), Predicate::Sbom(summary) if summary.packages == 1));
    assert!(matches!(evidence.signer(), Signer::Keyless { subject, .. } if subject == "someone@example.com"));
}

#[test]
fn another_instance_is_another_root() {
    let (ours, theirs) = (authority(), authority());
    let subject = Digest::of(b"image");
    let bundle = evidence::bundle(&theirs, &release(), &Statement::image_signature(&subject));
    // The names of the authorities are the same in every instance; the keys are not.
    assert!(verify(&ours, bundle.bytes(), subject).is_err());
    assert!(verify(&theirs, bundle.bytes(), subject).is_ok());
    let both = evidence::material(&ours).with_trusted_root(&theirs.trusted_root_json()).unwrap();
    assert!(verify_bundle(bundle.bytes(), Artifact::Digest(subject), &both, ours.clock().now()).is_ok());
}

#[test]
fn tokens_of_others_and_old_ones_get_no_certificate() {
    let authority = authority();
    let sign = |token| {
        let signer = KeylessSigner::new(authority.services(), token);
        futures_util::FutureExt::now_or_never(signer.sign(&Statement::image_signature(&Digest::of(b"image"))))
    };
    let foreign = self::authority().token(&release()).unwrap();
    assert!(matches!(sign(foreign), Some(Err(assay_sign::SignError::Refused { status: 401, .. }))));
    let old = authority.token(&release()).unwrap();
    authority.clock().advance(301);
    assert!(matches!(sign(old), Some(Err(assay_sign::SignError::Refused { status: 401, .. }))));
}

#[test]
fn keys_sign_without_any_service() {
    let pair = evidence::KeyPair::generate("release");
    let evidence = pair.signature(&Digest::of(b"image"));
    assert_eq!(evidence.signed_at(), None);
    let trusted = pair.material.key("release").unwrap().fingerprint();
    assert_eq!(*evidence.signer(), Signer::Key { fingerprint: trusted });
}

#[tokio::test]
async fn the_same_works_over_http() {
    let authority = authority();
    let server = Server::start(authority.clone()).await.unwrap();
    let subject = Digest::of(b"image");
    let signer =
        KeylessSigner::new(HttpServices::new(server.signing_config()).unwrap(), authority.token(&release()).unwrap());
    let bundle = signer.sign(&Statement::image_signature(&subject)).await.unwrap();
    assert_eq!(verify(&authority, bundle.bytes(), subject).unwrap().subject(), subject);
}
