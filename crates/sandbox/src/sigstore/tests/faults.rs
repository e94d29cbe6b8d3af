//! Each fault is refused by `assay-trust` for what it is, with either version of the log and over HTTP.

use assay_model::Digest;
use assay_sign::Statement;
use assay_trust::VerifyError;

use super::super::{Authority, Fault, evidence};
use super::{authority, release, verify};

/// With which versions of Rekor a fault shows.
#[derive(Clone, Copy, PartialEq)]
enum Shows {
    Both,
    FirstOnly,
}

/// The cause that a verifier must name.
fn expected(fault: Fault) -> (fn(&VerifyError) -> bool, Shows) {
    use VerifyError as E;
    let cause: fn(&VerifyError) -> bool = match fault {
        Fault::ExpiredCertificate => |error| matches!(error, E::CertificateExpired { .. }),
        Fault::WrongKeyUsage | Fault::ImpostorAuthority => |error| matches!(error, E::CertificateChain { .. }),
        Fault::UnknownAuthority => |error| matches!(error, E::UnknownAuthority),
        Fault::EmptyIssuer => |error| matches!(error, E::NoIdentity { missing: "OIDC issuer" }),
        Fault::WrongCertificateLogKey | Fault::SctOverOtherBytes | Fault::NoSct => {
            |error| matches!(error, E::CertificateTransparency { .. })
        }
        Fault::EntryForAnotherSignature => |error| matches!(error, E::LogEntryMismatch { .. }),
        Fault::EntryOfAnotherArtifact => |error| matches!(error, E::LogEntryMismatch { .. }),
        Fault::UnknownLog => |error| matches!(error, E::UnknownLog { .. }),
        Fault::WrongLogKey
        | Fault::ForkedCheckpoint
        | Fault::CheckpointOfAnotherOrigin
        | Fault::ProofOfAnotherLeaf
        | Fault::PromiseOverAnotherBody => |error| matches!(error, E::LogProof { .. }),
        Fault::RetiredLogKey => |error| matches!(error, E::LogTime { .. }),
        Fault::LateLogEntry => |error| matches!(error, E::CertificateExpired { .. } | E::LogTime { .. }),
        Fault::LateTimestamp => |error| matches!(error, E::CertificateExpired { .. }),
        Fault::EarlyTimestamp => |error| matches!(error, E::CertificateNotYetValid { .. }),
        Fault::TimestampOfAnotherSignature | Fault::TimestampAuthorityWithoutUsage => {
            |error| matches!(error, E::TimestampInvalid { .. })
        }
        Fault::RetiredTimestampAuthority => |error| matches!(error, E::TimestampOutsideAuthority { .. }),
    };
    let shows = match fault {
        Fault::PromiseOverAnotherBody | Fault::LateLogEntry => Shows::FirstOnly,
        _ => Shows::Both,
    };
    (cause, shows)
}

type Sign = fn(&Authority, &Digest) -> Vec<u8>;

fn sign_v1(authority: &Authority, subject: &Digest) -> Vec<u8> {
    evidence::bundle(authority, &release(), &Statement::image_signature(subject)).bytes().to_vec()
}

fn sign_v2(authority: &Authority, subject: &Digest) -> Vec<u8> {
    evidence::bundle_v2(authority, &release(), &Statement::image_signature(subject))
}

#[test]
fn every_fault_is_refused_for_what_it_is() {
    let mut wrong = Vec::new();
    for fault in Fault::ALL {
        let (is_cause, shows) = expected(fault);
        let signers: [(&str, Sign); 2] = [("v1", sign_v1), ("v2", sign_v2)];
        for (version, sign) in signers {
            let (authority, subject) = (authority(), Digest::of(b"image"));
            // Other entries and the fault switched off again change nothing.
            assert!(verify(&authority, &sign(&authority, &subject), subject).is_ok(), "{fault:?} {version}");
            authority.set_fault(Some(fault));
            let faulty = sign(&authority, &subject);
            let verdict = verify(&authority, &faulty, subject);
            let right = match (&verdict, shows, version) {
                (Ok(_), Shows::FirstOnly, "v2") => true,
                (Err(error), _, _) => is_cause(error),
                (Ok(_), _, _) => false,
            };
            if !right {
                wrong.push(format!("{fault:?} {version}: {:?}", verdict.map(|evidence| evidence.signed_at())));
            }
            authority.set_fault(None);
            assert!(verify(&authority, &sign(&authority, &subject), subject).is_ok(), "{fault:?} {version}");
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
