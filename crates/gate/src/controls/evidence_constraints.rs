//! `evidence-constraints`: of every kind of evidence that the Environment constrains or requires several signers for, there
//! is some that meets it. Where nothing is asked it says nothing.

use assay_kinds::SignerPurpose;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::evidence::kind_of;
use crate::report::Said;
use crate::vouched::Vouched;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::subject(Reads::Asked, |context, facts, report| {
        let asked = &context.environment.asked;
        if asked.is_empty() {
            return;
        }
        let set = match facts.evidence.get() {
            Ok(set) => set,
            Err(cause) => return report.unknown("what is attested", cause),
        };
        let mut met = Vec::new();
        for purpose in asked.iter().copied() {
            let title = kind_of(purpose).title();
            let unmet = match context.vouched(facts, set, purpose, |_, _| None) {
                Vouched::Yes { names, .. } => {
                    met.push(format!("{title} by {names}"));
                    continue;
                }
                Vouched::No(unmet) => unmet,
            };
            let summary = match context.summarised(facts, set) {
                Ok(accepted) => return report.pass(format!("constraints were met, {}", accepted.said)),
                Err(summary) => summary,
            };
            if set.truncated {
                return report.error(format!("no fitting {title} among the evidence that was read, and there is more"));
            }
            let (why, fix) = match unmet {
                Some(unmet) => (format!("the {title} does not count: {}", unmet.why), unmet.fix),
                None => (
                    format!("no {title} by a signer that is named for it{}", instead(context, facts, set, purpose)),
                    FIX,
                ),
            };
            return report.fail(Said::from(why + &summary).fix(fix));
        }
        report.pass(format!("as it is asked for: {}", met.join(", ")));
    }))
}

const FIX: &str = "attest it in the named workflow";

fn instead(
    context: &crate::report::Context<'_>,
    facts: &assay_case::Facts,
    set: &assay_case::EvidenceSet,
    purpose: SignerPurpose,
) -> String {
    let kind = kind_of(purpose);
    match context.evidence(facts, set, kind).next() {
        Some(stranger) => {
            format!(", only {}", context.who_instead(purpose, &facts.subject.repository, stranger.signer()))
        }
        None => context.instead(facts, set, kind),
    }
}
