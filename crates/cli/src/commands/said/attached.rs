//! VEX that is attached to an image: referrers and `.att` tags, each verified, of which those count that the wanted signer made.

use assay_oci::ImageSource;
use assay_trust::{Evidence, EvidenceKind, Predicate, VexStatus};
use assay_vuln::vex::{Origin, Product, Statement, Status, VexDocument};

use super::VexFinding;
use crate::Result;
use crate::commands::verify::{WantedSigner, signed_evidence};
use crate::session::Session;

/// What is attached.
#[derive(Debug, Default)]
pub(crate) struct Attached {
    /// Documents that verify, each with who signed it.
    pub(crate) documents: Vec<VexDocument>,
    /// What claims to be VEX and does not verify, or was not read.
    pub(crate) rejected: Vec<VexFinding>,
}

/// Reads what is attached.
pub(super) fn documents(image: &ImageSource, signer: &WantedSigner, session: &Session<'_>) -> Result<Attached> {
    let signed = signed_evidence(image, signer, session)?;
    let mut attached = Attached::default();
    for (evidence, accepted) in &signed.verified {
        let Predicate::Vex { statements } = evidence.predicate() else { continue };
        let signer = evidence.signer().to_string();
        let name = format!("attestation {}", evidence.source().short());
        let origin = if *accepted { Origin::Signed(signer) } else { Origin::SignedByOther(signer) };
        let statements = statements.iter().map(|statement| of_evidence(statement, evidence)).collect();
        attached.documents.push(VexDocument { name, origin, statements });
    }
    let refused = |by: String, reason: String| VexFinding {
        vulnerability: String::new(),
        package: "attached to the image".to_owned(),
        by,
        status: None,
        reason,
    };
    // What does not verify is not read, so that it could be VEX or anything else that is attested.
    let claims = signed.rejected.into_iter().filter(|claim| claim.kind.is_none_or(|kind| kind == EvidenceKind::Vex));
    attached.rejected.extend(claims.map(|claim| {
        let reason = format!("what may be VEX does not verify: {}", claim.message);
        refused(format!("attestation {}", claim.source.short()), reason)
    }));
    if signed.truncated {
        let reason = "there are more referrers than are read; the newest were".to_owned();
        attached.rejected.push(refused("the registry".to_owned(), reason));
    }
    Ok(attached)
}

/// A statement that names no product is about the image that the attestation is about (OpenVEX, "Attesting").
fn of_evidence(statement: &assay_trust::VexStatement, evidence: &Evidence) -> Statement {
    let subject = evidence.subject().to_string();
    let ids = if statement.products.is_empty() { vec![subject] } else { statement.products.clone() };
    let products = ids.into_iter().map(|id| Product { id, subcomponents: statement.subcomponents.clone() });
    Statement {
        vulnerabilities: statement.vulnerabilities.clone(),
        products: products.collect(),
        status: match statement.status {
            VexStatus::NotAffected => Status::NotAffected,
            VexStatus::Affected => Status::Affected,
            VexStatus::Fixed => Status::Fixed,
            VexStatus::UnderInvestigation => Status::UnderInvestigation,
        },
        justification: statement.justification.clone(),
        timestamp: evidence.signed_at().map(|at| at.to_string()).unwrap_or_default(),
    }
}
