//! `rollback-risk`: an old digest is judged by what is known today; a withdrawn one is refused.

use assay_case::Operation;
use assay_model::{Severity, VulnerabilityFinding};

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::findings::unexcused;
use crate::report::Said;

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    parameters.none()?;
    Ok(Control::subject(Reads::Findings, |context, facts, report| {
        let environment = &context.environment.name;
        let promotions = match context.promotions() {
            Ok(promotions) => promotions,
            Err(cause) => return report.unknown("what was promoted", cause),
        };
        let own = facts.subject.covering_digests().flat_map(|digest| promotions.of(digest));
        let here = own.filter(|promotion| promotion.environment == *environment);
        let rolls_back = context.operation() == Operation::Rollback;
        let Some(last) = here.max_by_key(|promotion| promotion.number) else {
            if rolls_back {
                let why = format!("{} was never promoted to {environment}", facts.subject.digest.short());
                return report.fail(Said::from(why).fix("assay release status"));
            }
            return report.pass("not a rollback: this digest was not here before");
        };
        if let Some(why) = &last.retired {
            let why = format!("release {} was withdrawn from {environment}: {why}", last.release);
            return report.fail(Said::from(why).fix("deploy a release that stands: assay release status"));
        }
        let is_newest = promotions.newest(environment, &last.service).is_none_or(|number| number <= last.number);
        if !rolls_back && is_newest {
            return report.pass("the newest release of its service here");
        }
        let counts = |finding: &VulnerabilityFinding| {
            finding.vulnerability.severity == Severity::Critical || finding.vulnerability.known_exploited.is_some()
        };
        let found = match unexcused(context, facts, counts) {
            Ok(found) => found,
            Err(cause) => return report.unknown("what is vulnerable in it today", &cause),
        };
        let Some(worst) = found.first() else {
            return report.pass(format!("release {} is clean by what is known today", last.release));
        };
        let then = last.counts.critical;
        let why = format!(
            "release {} had {then} critical findings when it was promoted and has {} critical or exploited ones today: {} in {}",
            last.release,
            found.len(),
            worst.vulnerability.id,
            worst.package.name
        );
        let names = found.iter().map(|finding| finding.vulnerability.id.to_string()).collect();
        let packages = found.iter().map(|finding| finding.package.purl.to_string()).collect();
        let said = Said::from(why).fix("roll forward, or choose a release that is clean today: assay release status");
        report.fail(said.vulnerability(worst.vulnerability.severity, names, packages));
    }))
}
