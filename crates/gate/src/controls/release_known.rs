//! `release-known`: the digest was promoted to this Environment. A promotion itself is judged by the Environment before.

use assay_case::Operation;
use assay_model::EnvironmentName;
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::report::Said;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    after: Option<EnvironmentName>,
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    Ok(Control::subject(Reads::Subject, move |context, facts, report| {
        let promotes = context.operation() == Operation::Promote;
        let environment = match (promotes, &wanted.after) {
            (true, Some(before)) => before,
            (true, None) => return report.skip("nothing comes before this environment"),
            (false, _) => &context.environment.name,
        };
        let promotions = match context.promotions() {
            Ok(promotions) => promotions,
            Err(cause) => return report.unknown("what was promoted", cause),
        };
        let own = facts.subject.covering_digests().flat_map(|digest| promotions.of(digest));
        let last =
            own.filter(|promotion| promotion.environment == *environment).max_by_key(|promotion| promotion.number);
        let Some(promotion) = last else {
            let why = format!("{} was never promoted to {environment}", facts.subject.digest.short());
            return report.fail(Said::from(why).fix(format!("assay release promote NAME --to {environment}")));
        };
        match &promotion.retired {
            None => report.pass(format!("release {}, promoted to {environment}", promotion.release)),
            Some(why) => {
                let why = format!("release {} was withdrawn from {environment}: {why}", promotion.release);
                report.fail(Said::from(why).fix("deploy a release that stands: assay release status"));
            }
        }
    }))
}
