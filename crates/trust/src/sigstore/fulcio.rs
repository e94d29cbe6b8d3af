//! What a Fulcio certificate says: identity, issuer and build claims (sigstore/fulcio, `docs/oid-info.md`).

use x509_cert::der::asn1::{ObjectIdentifier, Utf8StringRef};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::x509::Certificate;
use crate::{Signer, VerifyError, WorkflowClaims};

const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// A user name that is no email address.
const OTHER_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.1.7");
/// Fulcio's extensions without their last number.
const ARC: [u32; 8] = [1, 3, 6, 1, 4, 1, 57264, 1];

/// The signer that the certificate names.
pub(crate) fn signer(certificate: &Certificate) -> Result<Signer, VerifyError> {
    // An empty name is nobody's: a pattern that takes anything must not take it.
    let named = |text: &String| !text.is_empty();
    let subject = subject(certificate)?.filter(named);
    let subject = subject.ok_or(VerifyError::NoIdentity { missing: "subject alternative name" })?;
    let issuer = second(certificate, 8)?.or(first(certificate, 1)?).filter(named);
    let issuer = issuer.ok_or(VerifyError::NoIdentity { missing: "OIDC issuer" })?;
    // The new object identifiers come first; GitHub's first ones (.1.2 to .1.6) are kept beside them, because
    // `workflow_name` has no successor and old certificates have nothing else.
    let claims = WorkflowClaims {
        build_signer_uri: second(certificate, 9)?,
        runner_environment: second(certificate, 11)?,
        source_repository: second(certificate, 12)?,
        source_digest: second(certificate, 13)?,
        source_ref: second(certificate, 14)?,
        source_owner: second(certificate, 16)?,
        build_config_uri: second(certificate, 18)?,
        build_trigger: second(certificate, 20)?,
        run_invocation_uri: second(certificate, 21)?,
        source_visibility: second(certificate, 22)?,
        workflow_trigger: first(certificate, 2)?,
        workflow_sha: first(certificate, 3)?,
        workflow_name: first(certificate, 4)?,
        workflow_repository: first(certificate, 5)?,
        workflow_ref: first(certificate, 6)?,
    };
    Ok(Signer::Keyless { issuer, subject, claims: Box::new(claims) })
}

/// The one name of the certificate: with two, two readers could see two signers.
fn subject(certificate: &Certificate) -> Result<Option<String>, VerifyError> {
    let Some(value) = certificate.extension(SUBJECT_ALT_NAME) else { return Ok(None) };
    let names = SubjectAltName::from_der(value).map_err(|error| malformed(&error))?;
    let [name] = names.0.as_slice() else { return Err(malformed(&"it does not have one name")) };
    Ok(match name {
        GeneralName::Rfc822Name(text) | GeneralName::UniformResourceIdentifier(text) => Some(text.to_string()),
        GeneralName::OtherName(other) if other.type_id == OTHER_NAME => {
            let text = other.value.to_der().map_err(|error| malformed(&error))?;
            Some(Utf8StringRef::from_der(&text).map_err(|error| malformed(&error))?.as_str().to_owned())
        }
        _ => None,
    })
}

/// An extension of the first generation: the text itself.
fn first(certificate: &Certificate, number: u32) -> Result<Option<String>, VerifyError> {
    let value = extension(certificate, number).map(|value| std::str::from_utf8(value).map(str::to_owned));
    value.transpose().map_err(|error| malformed(&error))
}

/// An extension of the second generation: a DER string.
fn second(certificate: &Certificate, number: u32) -> Result<Option<String>, VerifyError> {
    let value = extension(certificate, number).map(Utf8StringRef::from_der);
    Ok(value.transpose().map_err(|error| malformed(&error))?.map(|text| text.as_str().to_owned()))
}

fn extension(certificate: &Certificate, number: u32) -> Option<&[u8]> {
    let arcs = ARC.into_iter().chain([number]);
    certificate.extension(ObjectIdentifier::from_arcs(arcs).ok()?)
}

fn malformed(reason: &dyn std::fmt::Display) -> VerifyError {
    VerifyError::Malformed { part: "certificate", reason: reason.to_string() }
}
