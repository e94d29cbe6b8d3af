//! npm's two attestations of a package: the registry's that it was published, and the builder's how it was built
//! (npm/attestation, `specs/publish/v0.1`). Each says nothing about the other: a valid provenance beside the publication of
//! another package is an attack (GHSA-r2xv-vpr2-42m9), so that both must be about the same bytes under the same name.

pub(crate) mod keys;

use assay_model::{Explain, Purl, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::sigstore::{Content, bundle};
use crate::statement::Statement;
use crate::{
    Artifact, BuildExpectation, BuildMismatch, Evidence, EvidenceKind, Predicate, Signer, TrustMaterial, VerifiedBuild,
    VerifyError, verify_bundle,
};

/// Attestations of one package: the registry gives two.
const ATTESTATIONS_MAX: usize = 16;
/// The type of the registry's own attestation, before its version.
const PUBLISH: &str = "https://github.com/npm/attestation/tree/main/specs/publish/";

#[derive(Deserialize)]
struct Attestations<'a> {
    #[serde(borrow)]
    attestations: Vec<Attestation<'a>>,
}

#[derive(Deserialize)]
struct Attestation<'a> {
    #[serde(borrow)]
    bundle: &'a RawValue,
}

#[derive(Deserialize)]
struct Publish {
    name: String,
    version: String,
}

/// Both attestations of a package, verified and in agreement.
#[derive(Clone, Debug, PartialEq)]
pub struct NpmEvidence {
    /// How it was built.
    pub provenance: Evidence,
    /// That the registry published it.
    pub publish: Evidence,
    /// The package's name, with its scope.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl NpmEvidence {
    /// Whether it is the wanted package, where a name or version is wanted.
    ///
    /// # Errors
    /// [`NpmError::Package`].
    pub fn check_package(&self, name: Option<&str>, version: Option<&str>) -> Result<(), NpmError> {
        for (what, wanted, found) in [("name", name, &self.name), ("version", version, &self.version)] {
            if let Some(wanted) = wanted.filter(|wanted| wanted != found) {
                return Err(NpmError::Package { what, wanted: wanted.to_owned(), found: found.clone() });
            }
        }
        Ok(())
    }

    /// Whether it was built as expected. The builder must be named: a package's own workflow can publish with provenance
    /// that it wrote itself.
    ///
    /// # Errors
    /// [`BuildMismatch`].
    pub fn check_build(&self, expected: &BuildExpectation) -> Result<VerifiedBuild, BuildMismatch> {
        let Predicate::Provenance(provenance) = self.provenance.predicate() else {
            return Err(BuildMismatch::NoWorkflow { signer: self.provenance.signer().to_string() });
        };
        if expected.builder().is_none() {
            let (found, wanted) = (provenance.builder_id.clone(), "a builder that is named".to_owned());
            return Err(BuildMismatch::Builder { found, wanted });
        }
        expected.check(self.provenance.signer(), provenance)
    }
}

/// Verifies the attestations of an npm package, as the registry serves them
/// (`GET /-/npm/v1/attestations/NAME@VERSION`). The registry's key must be among the keys of the material.
///
/// # Errors
/// A bundle's own cause, or how the two disagree: see [`NpmError`].
pub fn verify_npm(
    attestations: &[u8],
    artifact: Artifact<'_>,
    material: &TrustMaterial,
    now: Timestamp,
) -> Result<NpmEvidence, NpmError> {
    let malformed = |reason: String| NpmError::Malformed { reason };
    let document: Attestations<'_> =
        serde_json::from_slice(attestations).map_err(|error| malformed(error.to_string()))?;
    if document.attestations.len() > ATTESTATIONS_MAX {
        return Err(malformed(format!("it holds {} attestations", document.attestations.len())));
    }
    let (mut provenance, mut publish) = (None, None);
    for Attestation { bundle } in document.attestations {
        let bytes = bundle.get().as_bytes();
        // The type beside the bundle is nobody's word; the signed statement's is what counts.
        let evidence = verify_bundle(bytes, artifact, material, now)?;
        let place = match evidence.predicate_type() {
            _ if evidence.kind() == EvidenceKind::Provenance => &mut provenance,
            Some(kind) if kind.starts_with(PUBLISH) => &mut publish,
            _ => continue,
        };
        let package = package(bytes, artifact)?;
        if place.replace((evidence, package)).is_some() {
            return Err(NpmError::Twice);
        }
    }
    let (provenance, built) = provenance.ok_or(NpmError::Missing { what: "provenance" })?;
    let (publish, published) = publish.ok_or(NpmError::Missing { what: "publish attestation" })?;
    if !matches!(publish.signer(), Signer::Key { .. }) {
        return Err(NpmError::Publisher { signer: publish.signer().to_string() });
    }
    let Predicate::Other(raw) = publish.predicate() else {
        return Err(NpmError::Missing { what: "publish predicate" });
    };
    let stated: Publish = serde_json::from_str(raw.body.as_deref().unwrap_or_default())
        .map_err(|error| malformed(format!("the publish predicate: {error}")))?;
    let (name, version) = agreed(&built, &published, &stated)?;
    Ok(NpmEvidence { provenance, publish, name, version })
}

/// Name and version of the package, if all three say the same.
fn agreed(built: &Purl, published: &Purl, stated: &Publish) -> Result<(String, String), NpmError> {
    if built != published {
        return Err(NpmError::Disagree { built: built.to_string(), published: published.to_string() });
    }
    let name = built.namespace.as_ref().map_or(built.name.clone(), |scope| format!("{scope}/{}", built.name));
    let version = built.version.clone().unwrap_or_default();
    if (&stated.name, &stated.version) != (&name, &version) {
        let published = format!("{}@{}", stated.name, stated.version);
        return Err(NpmError::Disagree { built: built.to_string(), published });
    }
    Ok((name, version))
}

/// The package that a verified statement is about: its only subject.
fn package(bytes: &[u8], artifact: Artifact<'_>) -> Result<Purl, NpmError> {
    let malformed = |reason: String| NpmError::Malformed { reason };
    let Content::Envelope { payload, .. } = bundle::read(bytes, artifact)?.content else {
        return Err(malformed("an attestation without statement".to_owned()));
    };
    let statement = Statement::parse(&payload)?;
    let name = statement.only_subject().ok_or_else(|| malformed("it is about several packages".to_owned()))?;
    let purl: Purl = name.parse().map_err(|error: assay_model::PurlError| malformed(error.to_string()))?;
    if purl.kind != "npm" || purl.version.is_none() {
        return Err(malformed(format!("{name} is no package of npm with its version")));
    }
    Ok(purl)
}

/// Why the attestations of a package were not accepted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NpmError {
    /// The document is not what npm's registry serves. Fetch it again.
    #[error("the attestations of the package cannot be read: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// One of the two does not verify.
    #[error(transparent)]
    Bundle(#[from] VerifyError),
    /// One of the two is not there.
    #[error("there is no {what} of the package")]
    Missing {
        /// Which.
        what: &'static str,
    },
    /// One of the two is there twice, and it is not clear which counts.
    #[error("one kind of attestation is there twice")]
    Twice,
    /// Somebody else than the registry signed the publication.
    #[error("the publication is signed by {signer}, not with a key of the registry")]
    Publisher {
        /// Who signed.
        signer: String,
    },
    /// The two are about different packages.
    #[error("the provenance is about {built}, but published was {published}")]
    Disagree {
        /// The provenance's subject.
        built: String,
        /// The publication's subject or predicate.
        published: String,
    },
    /// It is another package than the wanted one.
    #[error("the {what} of the package is {found}, not {wanted}")]
    Package {
        /// `name` or `version`.
        what: &'static str,
        /// What is asked for.
        wanted: String,
        /// What was attested.
        found: String,
    },
}

impl Explain for NpmError {
    fn code(&self) -> &'static str {
        match self {
            Self::Malformed { .. } => "npm-attestations-malformed",
            Self::Bundle(error) => error.code(),
            Self::Missing { .. } => "npm-attestation-missing",
            Self::Twice => "npm-attestation-twice",
            Self::Publisher { .. } => "npm-publisher-unknown",
            Self::Disagree { .. } => "npm-attestations-disagree",
            Self::Package { .. } => "npm-package-mismatch",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_three_names_of_a_package_must_be_one() {
        let purl = |text: &str| text.parse::<Purl>().unwrap();
        let stated = |name: &str, version: &str| Publish { name: name.to_owned(), version: version.to_owned() };
        let own = purl("pkg:npm/%40scope/a@1.0.0");
        let agree = |published: &str, name: &str, version: &str| agreed(&own, &purl(published), &stated(name, version));
        let wanted = ("@scope/a".to_owned(), "1.0.0".to_owned());
        assert_eq!(agree("pkg:npm/%40scope/a@1.0.0", "@scope/a", "1.0.0"), Ok(wanted));
        for (published, name, version) in [
            ("pkg:npm/%40scope/a@1.0.1", "@scope/a", "1.0.0"),
            ("pkg:npm/%40other/a@1.0.0", "@scope/a", "1.0.0"),
            ("pkg:npm/%40scope/a@1.0.0", "a", "1.0.0"),
            ("pkg:npm/%40scope/a@1.0.0", "@scope/a", "1.0.1"),
        ] {
            assert!(matches!(agree(published, name, version), Err(NpmError::Disagree { .. })), "{published} {name}");
        }
    }
}
