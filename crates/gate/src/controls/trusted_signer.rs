//! `trusted-signer`: each kind of evidence comes from a signer that the Environment names for it.

use assay_kinds::SignerPurpose;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::evidence::{kind_of, place};
use crate::report::Said;
use crate::vouched::Vouched;

/// The kinds other than the signature itself, whose absence other controls judge.
const OTHERS: [SignerPurpose; 4] =
    [SignerPurpose::Sbom, SignerPurpose::Provenance, SignerPurpose::Scan, SignerPurpose::Vex];
const FIX: &str = "release it through the named workflow";

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::subject(Reads::Signatures, |context, facts, report| {
        let environment = &context.environment.name;
        let repository = &facts.subject.repository;
        let set = match facts.evidence.get() {
            Ok(set) => set,
            Err(cause) => return report.unknown("who signed it", cause),
        };
        if context.signers(SignerPurpose::Signature, repository).next().is_none() {
            let summary = match context.summarised(facts, set) {
                Ok(accepted) => return report.pass(format!("its signers were verified, {}", accepted.said)),
                Err(summary) => summary,
            };
            let why = format!("{environment} names no signer for signatures of {repository}{summary}");
            return report.fail(Said::from(why).fix(format!("name one in spec.signers of {environment}")));
        }
        let (signature, names) = match context.vouched(facts, set, SignerPurpose::Signature, |_, _| None) {
            Vouched::Yes { evidence, names, .. } => (evidence, names),
            Vouched::No(unmet) => {
                let summary = match context.summarised(facts, set) {
                    Ok(accepted) => return report.pass(format!("its signers were verified, {}", accepted.said)),
                    Err(summary) => summary,
                };
                if set.truncated {
                    return report
                        .error("no wanted signer among the evidence that was read, and there is more than is read");
                }
                let kind = kind_of(SignerPurpose::Signature);
                let (why, fix) = if let Some(unmet) = unmet {
                    (format!("signed, but {}", unmet.why), unmet.fix)
                } else if let Some(evidence) = context.evidence(facts, set, kind).next() {
                    let who = context.who_instead(SignerPurpose::Signature, repository, evidence.signer());
                    (format!("signed, but {who}"), FIX)
                } else {
                    let wanted = context.wanted(SignerPurpose::Signature, repository);
                    (format!("not signed by {wanted}{}", context.instead(facts, set, kind)), FIX)
                };
                return report.fail(Said::from(why + &summary).fix(fix));
            }
        };
        // Where signers are named for a kind, what strangers attached of it must not be all there is.
        for purpose in OTHERS {
            let kind = kind_of(purpose);
            let Some(stranger) = context.evidence(facts, set, kind).next() else { continue };
            let named = context.signers(purpose, repository).next().is_some();
            if named && context.trusted(facts, set, purpose).next().is_none() {
                let title = kind.title();
                let why = format!("{title} {}", context.who_instead(purpose, repository, stranger.signer()));
                return report.fail(Said::from(why).fix(format!("attest the {title} in the named workflow")));
            }
        }
        report.pass(format!("signed by {names}{}", place(facts, signature)));
    }))
}
