//! `require-signature`: at least one signature verified, on the digest or on the index through which it was resolved.

use assay_trust::EvidenceKind;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::evidence::place;
use crate::report::Said;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::subject(Reads::Signatures, |context, facts, report| {
        let set = match facts.evidence.get() {
            Ok(set) => set,
            Err(cause) => return report.unknown("who signed it", cause),
        };
        let signatures = context.evidence(facts, set, EvidenceKind::Signature);
        if let Some(evidence) = signatures.min_by_key(|evidence| evidence.source()) {
            report.pass(format!("signed by {}{}", evidence.signer(), place(facts, evidence)));
        } else if let Ok(accepted) = context.summarised(facts, set) {
            report.pass(format!("signatures were verified, {}", accepted.said));
        } else if set.truncated {
            report.error("no signature among the evidence that was read, and there is more than is read");
        } else {
            let why = format!("no signature{}", context.instead(facts, set, EvidenceKind::Signature));
            let fix = format!("assay sign {}@{}", facts.subject.repository, facts.subject.digest);
            report.fail(Said::from(why).fix(fix));
        }
    }))
}
