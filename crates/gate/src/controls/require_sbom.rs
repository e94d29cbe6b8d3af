//! `require-sbom`: an SBOM is attested by a signer named for SBOMs.

use assay_kinds::SignerPurpose;
use assay_trust::{EvidenceKind, Predicate, SbomFormat};
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::evidence::place;
use crate::report::Said;
use crate::vouched::Vouched;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    allow_generated: bool,
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    let reads = if wanted.allow_generated { Reads::AttestedContents } else { Reads::Attestations };
    Ok(Control::subject(reads, move |context, facts, report| {
        let set = match facts.evidence.get() {
            Ok(set) => set,
            Err(cause) => return report.unknown("whether an SBOM is attested", cause),
        };
        let vouched = context.vouched(facts, set, SignerPurpose::Sbom, |_, _| None);
        if let Vouched::Yes { evidence, names, .. } = &vouched {
            let what = match evidence.predicate() {
                Predicate::Sbom(sbom) => {
                    let format = match sbom.format {
                        SbomFormat::Cyclonedx => "CycloneDX",
                        SbomFormat::Spdx => "SPDX",
                    };
                    format!("{format} with {} packages", sbom.packages)
                }
                _ => "SBOM".to_owned(),
            };
            return report.pass(format!("{what}, attested by {names}{}", place(facts, evidence)));
        }
        let generated = facts.contents.get().ok().filter(|contents| contents.partial.is_empty());
        if let (true, Some(contents)) = (wanted.allow_generated, generated) {
            let packages = contents.packages.len();
            return report.pass(format!("no SBOM is attested; Assay's own list of {packages} packages stands in"));
        }
        let summary = match context.summarised(facts, set) {
            Ok(accepted) => return report.pass(format!("an SBOM was verified, {}", accepted.said)),
            Err(summary) => summary,
        };
        if set.truncated {
            return report.error("no SBOM among the evidence that was read, and there is more than is read");
        }
        let stranger = context.evidence(facts, set, EvidenceKind::Sbom).next();
        let fix = format!("assay attest {}@{} --from-sbom", facts.subject.repository, facts.subject.digest);
        let (why, fix) = match (vouched, stranger) {
            (Vouched::No(Some(unmet)), _) => (format!("an SBOM is attested, but {}", unmet.why), unmet.fix.to_owned()),
            (_, Some(stranger)) => {
                let (environment, by) = (&context.environment.name, stranger.signer());
                (format!("no SBOM by a signer that {environment} names, only by {by}"), fix)
            }
            (_, None) => (format!("no SBOM is attested{}", context.instead(facts, set, EvidenceKind::Sbom)), fix),
        };
        report.fail(Said::from(why + &summary).fix(fix));
    }))
}
