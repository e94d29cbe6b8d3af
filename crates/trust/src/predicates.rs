//! Predicates of known types, read into the forms that decisions need.

mod provenance;
mod sbom;
mod scan;
mod vex;

use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::{EvidenceKind, Predicate, VerifyError};

/// The predicate type of a plain image signature, as cosign writes it since version 3.
pub const COSIGN_SIGN_V1: &str = "https://sigstore.dev/cosign/sign/v1";
/// SLSA provenance 1.0 and 1.1.
pub const SLSA_PROVENANCE_V1: &str = "https://slsa.dev/provenance/v1";
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
/// OpenVEX; documents append their version (`/v0.2.0`).
pub const OPENVEX: &str = "https://openvex.dev/ns";

/// Reads the predicate of a verified statement. An unknown type is no error; a known one in another form is.
pub(crate) fn read(
    predicate_type: &str,
    predicate: Option<&RawValue>,
) -> Result<(EvidenceKind, Predicate), VerifyError> {
    let reader: fn(&str) -> Result<Predicate, String> = match predicate_type {
        COSIGN_SIGN_V1 => return Ok((EvidenceKind::Signature, Predicate::Signature)),
        SLSA_PROVENANCE_V1 => provenance::read_v1,
        SLSA_PROVENANCE_V02 => provenance::read_v02,
        COSIGN_VULN_V1 => scan::read_cosign,
        ASSAY_SCAN_V1 => scan::read_own,
        _ if is_version_of(predicate_type, SPDX_DOCUMENT) => sbom::read_spdx,
        _ if is_version_of(predicate_type, CYCLONEDX_BOM) => sbom::read_cyclonedx,
        _ if is_version_of(predicate_type, OPENVEX) => vex::read,
        _ => return Ok((EvidenceKind::Other, Predicate::Other)),
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
        Predicate::Other => EvidenceKind::Other,
    };
    Ok((kind, predicate))
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
        assert_eq!(read("https://slsa.dev/provenance/v1.evil", None), Ok((EvidenceKind::Other, Predicate::Other)));
    }

    #[test]
    fn a_known_type_in_another_form_is_an_error_and_never_other() {
        let number = RawValue::from_string("7".to_owned()).unwrap();
        for known in [SLSA_PROVENANCE_V1, SLSA_PROVENANCE_V02, SPDX_DOCUMENT, CYCLONEDX_BOM, COSIGN_VULN_V1, OPENVEX] {
            assert!(matches!(read(known, None), Err(VerifyError::PredicateMalformed { .. })), "{known}");
            assert!(matches!(read(known, Some(&number)), Err(VerifyError::PredicateMalformed { .. })), "{known}");
        }
    }
}
