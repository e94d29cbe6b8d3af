//! Predicates of known types, read into the forms that decisions need.

pub(crate) mod provenance;
mod sbom;
mod scan;
mod steps;
mod summary;
mod test_result;
mod vex;

use assay_model::Digest;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{EvidenceKind, Predicate, RawPredicate, VerifyError};

/// The predicate type of a plain image signature, as cosign writes it since version 3.
pub const COSIGN_SIGN_V1: &str = "https://sigstore.dev/cosign/sign/v1";
/// SLSA provenance 1.0 and 1.1.
pub const SLSA_PROVENANCE_V1: &str = "https://slsa.dev/provenance/v1";
/// SLSA provenance 0.1.
pub const SLSA_PROVENANCE_V01: &str = "https://slsa.dev/provenance/v0.1";
/// SLSA provenance 0.2.
pub const SLSA_PROVENANCE_V02: &str = "https://slsa.dev/provenance/v0.2";
/// An SPDX document, JSON or tag-value text.
pub const SPDX_DOCUMENT: &str = "https://spdx.dev/Document";
/// A CycloneDX document.
pub const CYCLONEDX_BOM: &str = "https://cyclonedx.org/bom";
/// A vulnerability scan as cosign defines it (`COSIGN_VULN_ATTESTATION_SPEC.md`).
pub const COSIGN_VULN_V1: &str = "https://cosign.sigstore.dev/attestation/vuln/v1";
/// Our own scan: the JSON form of [`crate::ScanSummary`].
pub const ASSAY_SCAN_V1: &str = "https://assay.dev/attestation/scan/v1";
/// The approval of an Exception: a statement without content about the digest of what it says.
pub const ASSAY_APPROVAL_V1: &str = "https://assay.dev/attestation/approval/v1";
/// The approval of a promotion: a statement without content about the digest of what is promoted where.
pub const ASSAY_PROMOTION_APPROVAL_V1: &str = "https://assay.dev/attestation/promotion-approval/v1";
/// OpenVEX; documents append their version (`/v0.2.0`).
pub const OPENVEX: &str = "https://openvex.dev/ns";
/// A vulnerability scan as in-toto defines it.
pub const IN_TOTO_VULNS_V01: &str = "https://in-toto.io/attestation/vulns/v0.1";
/// A vulnerability scan as in-toto defines it, second version.
pub const IN_TOTO_VULNS_V02: &str = "https://in-toto.io/attestation/vulns/v0.2";
/// The result of tests.
pub const TEST_RESULT_V01: &str = "https://in-toto.io/attestation/test-result/v0.1";
/// The name and version under which something was released.
pub const RELEASE_V01: &str = "https://in-toto.io/attestation/release/v0.1";
/// Attributes of an artifact (SCAI).
pub const SCAI_V03: &str = "https://in-toto.io/attestation/scai/v0.3";
/// A step of a supply chain.
pub const LINK_V03: &str = "https://in-toto.io/attestation/link/v0.3";
/// A verification summary.
pub const VERIFICATION_SUMMARY_V1: &str = "https://slsa.dev/verification_summary/v1";
/// A verification summary, with the older field names.
pub const VERIFICATION_SUMMARY_V02: &str = "https://slsa.dev/verification_summary/v0.2";

/// Bytes of a predicate of another type that are kept.
const BODY_MAX: usize = 64 << 10;

/// Reads the predicate of a verified statement. An unknown type is no error; a known one in another form is.
pub(crate) fn read(
    predicate_type: &str,
    predicate: Option<&RawValue>,
) -> Result<(EvidenceKind, Predicate), VerifyError> {
    let reader: fn(&str) -> Result<Predicate, String> = match predicate_type {
        COSIGN_SIGN_V1 => return Ok((EvidenceKind::Signature, Predicate::Signature)),
        SLSA_PROVENANCE_V1 => provenance::read_v1,
        SLSA_PROVENANCE_V02 => provenance::read_v02,
        SLSA_PROVENANCE_V01 => provenance::read_v01,
        VERIFICATION_SUMMARY_V1 => summary::read_v1,
        VERIFICATION_SUMMARY_V02 => summary::read_v02,
        IN_TOTO_VULNS_V01 | IN_TOTO_VULNS_V02 => scan::read_in_toto,
        TEST_RESULT_V01 => test_result::read,
        RELEASE_V01 => steps::read_release,
        SCAI_V03 => steps::read_scai,
        LINK_V03 => steps::read_link,
        COSIGN_VULN_V1 => scan::read_cosign,
        ASSAY_SCAN_V1 => scan::read_own,
        _ if is_version_of(predicate_type, SPDX_DOCUMENT) => sbom::read_spdx,
        _ if is_version_of(predicate_type, CYCLONEDX_BOM) => sbom::read_cyclonedx,
        _ if is_version_of(predicate_type, OPENVEX) => vex::read,
        _ => return Ok((EvidenceKind::Other, Predicate::Other(raw(predicate)))),
    };
    let malformed = |reason| VerifyError::PredicateMalformed { predicate_type: predicate_type.to_owned(), reason };
    let text = predicate.ok_or_else(|| malformed("it is absent".to_owned()))?;
    let predicate = reader(text.get()).map_err(malformed)?;
    let kind = match &predicate {
        Predicate::Signature => EvidenceKind::Signature,
        Predicate::Provenance(_) => EvidenceKind::Provenance,
        Predicate::Sbom(_) => EvidenceKind::Sbom,
        Predicate::Scan(_) => EvidenceKind::Scan,
        Predicate::Vex { .. } => EvidenceKind::Vex,
        Predicate::Test(_) => EvidenceKind::Test,
        Predicate::Summary(_) => EvidenceKind::Vsa,
        Predicate::Release(_) => EvidenceKind::Release,
        Predicate::Attributes(_) => EvidenceKind::Attributes,
        Predicate::Link(_) => EvidenceKind::Link,
        Predicate::Other(_) => EvidenceKind::Other,
    };
    Ok((kind, predicate))
}

fn raw(predicate: Option<&RawValue>) -> RawPredicate {
    let text = predicate.map(RawValue::get);
    RawPredicate {
        digest: text.map(|text| Digest::of(text.as_bytes())),
        body: text.filter(|text| text.len() <= BODY_MAX).map(str::to_owned),
    }
}

/// `https://openvex.dev/ns` and `https://openvex.dev/ns/v0.2.0`, but not `https://openvex.dev/nsx`.
fn is_version_of(predicate_type: &str, base: &str) -> bool {
    predicate_type
        .strip_prefix(base)
        .is_some_and(|rest| rest.is_empty() || rest.strip_prefix("/v").is_some_and(|version| !version.contains('/')))
}

fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// A time as written, where it is one. Generators write empty strings and zero times for "unknown".
fn time(text: Option<String>) -> Option<assay_model::Timestamp> {
    text.and_then(|text| text.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_that_merely_begins_like_a_known_one_is_another() {
        assert!(is_version_of("https://openvex.dev/ns/v0.2.0", OPENVEX));
        assert!(is_version_of("https://openvex.dev/ns", OPENVEX));
        assert!(!is_version_of("https://openvex.dev/nsv0.2.0", OPENVEX));
        assert!(!is_version_of("https://openvex.dev/ns/v0.2.0/x", OPENVEX));
        let other = (EvidenceKind::Other, Predicate::Other(RawPredicate::default()));
        assert_eq!(read("https://slsa.dev/provenance/v1.evil", None), Ok(other));
    }

    #[test]
    fn a_known_type_in_another_form_is_an_error_and_never_other() {
        let number = RawValue::from_string("7".to_owned()).unwrap();
        for known in [
            SLSA_PROVENANCE_V1,
            SLSA_PROVENANCE_V02,
            SLSA_PROVENANCE_V01,
            SPDX_DOCUMENT,
            CYCLONEDX_BOM,
            COSIGN_VULN_V1,
            IN_TOTO_VULNS_V01,
            IN_TOTO_VULNS_V02,
            OPENVEX,
            TEST_RESULT_V01,
            RELEASE_V01,
            SCAI_V03,
            LINK_V03,
            VERIFICATION_SUMMARY_V1,
            VERIFICATION_SUMMARY_V02,
        ] {
            assert!(matches!(read(known, None), Err(VerifyError::PredicateMalformed { .. })), "{known}");
            assert!(matches!(read(known, Some(&number)), Err(VerifyError::PredicateMalformed { .. })), "{known}");
        }
    }

    #[test]
    fn an_unknown_predicate_is_kept_as_written_up_to_a_bound() {
        let written = RawValue::from_string(r#"{ "b": 1.0 }"#.to_owned()).unwrap();
        let Ok((EvidenceKind::Other, Predicate::Other(kept))) = read("https://example.com/p/v1", Some(&written)) else {
            panic!("another predicate")
        };
        assert_eq!(kept.body.as_deref(), Some(r#"{ "b": 1.0 }"#));
        assert_eq!(kept.digest, Some(Digest::of(br#"{ "b": 1.0 }"#)));
        let large = RawValue::from_string(format!("\"{}\"", "x".repeat(BODY_MAX))).unwrap();
        let Ok((_, Predicate::Other(kept))) = read("https://example.com/p/v1", Some(&large)) else { panic!("another") };
        assert!(kept.digest.is_some() && kept.body.is_none());
    }

    proptest::proptest! {
        #[test]
        fn no_predicate_panics_whatever_its_type(text in "\\{\\PC{0,120}\\}", which in 0_usize..8) {
            let types = [SLSA_PROVENANCE_V01, SLSA_PROVENANCE_V1, IN_TOTO_VULNS_V02, TEST_RESULT_V01, SCAI_V03, LINK_V03,
                VERIFICATION_SUMMARY_V1, SPDX_DOCUMENT];
            if let Ok(raw) = RawValue::from_string(text) {
                let _ = read(types[which], Some(&raw));
            }
        }
    }
}
