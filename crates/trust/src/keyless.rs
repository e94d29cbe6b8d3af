//! Bundles with a short-lived certificate.

use crate::sigstore::{Bundle, Proven};
use crate::{Artifact, TrustMaterial, VerifyError};

/// Verifies against every root that names the certificate's issuer; one must hold in full. Material of several roots is
/// never mixed: a certificate of one instance does not go with a log of another.
pub(crate) fn verify(bundle: &Bundle, artifact: Artifact<'_>, material: &TrustMaterial) -> Result<Proven, VerifyError> {
    if material.roots().next().is_none() {
        return Err(VerifyError::NoMaterial { wanted: "root" });
    }
    let mut first = None;
    for root in bundle.roots(material.roots())? {
        match root.verify_certificate(artifact, bundle) {
            Ok(proven) => return Ok(proven),
            Err(error) => drop(first.get_or_insert(error)),
        }
    }
    Err(first.unwrap_or(VerifyError::UnknownAuthority))
}
