//! `change-approval`: somebody else than who promoted it approved the promotion. Only a verified signature gets into the
//! ledger as an approval; what a person merely writes is none.

use assay_case::{Operation, Promotion};
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::report::Said;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    approvers: Vec<String>,
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    if wanted.approvers.iter().any(|name| name.trim().is_empty()) {
        return Err(ParameterError("`approvers` holds an empty name".to_owned()));
    }
    Ok(Control::subject(Reads::Subject, move |context, facts, report| {
        let environment = &context.environment.name;
        let promotion = if matches!(context.operation(), Operation::Promote | Operation::Rollback) {
            let Some(proposed) = &context.case().world.proposed else {
                return report.fail("nobody says who promotes it, and who approved that");
            };
            proposed
        } else {
            let promotions = match context.promotions() {
                Ok(promotions) => promotions,
                Err(cause) => return report.unknown("who approved its promotion", cause),
            };
            let own = facts.subject.covering_digests().flat_map(|digest| promotions.of(digest));
            let here = own.filter(|promotion| promotion.environment == *environment);
            let Some(last) = here.max_by_key(|promotion| promotion.number) else {
                return report.skip(format!("it was never promoted to {environment} (release-known)"));
            };
            last
        };
        match objection(promotion, &wanted.approvers) {
            Ok(by) => report.pass(format!("release {}, approved by {by}", promotion.release)),
            Err(why) => {
                let fix = format!(
                    "somebody else: assay release approve {} --to {environment}, then promote it with --approval FILE",
                    promotion.release
                );
                report.fail(Said::from(why).fix(fix));
            }
        }
    }))
}

/// Who approved it; what stands against that.
fn objection<'p>(promotion: &'p Promotion, approvers: &[String]) -> Result<&'p str, String> {
    let Promotion { release, environment, by: author, approval, .. } = promotion;
    let Some(approval) = approval else {
        return Err(format!("{author} promotes release {release} to {environment}, and nobody approved that"));
    };
    let by = approval.by.trim();
    let is_same = |one: &str, other: &str| one.trim().eq_ignore_ascii_case(other.trim());
    if is_same(by, author) {
        return Err(format!("{by} approved what {by} promotes: release {release} to {environment}"));
    }
    if !approvers.is_empty() && !approvers.iter().any(|name| is_same(name, by)) {
        return Err(format!("{by} approved release {release}, but may not: {environment} names others"));
    }
    Ok(by)
}
