//! `fresh-scan`: findings and vulnerability data are recent.

use assay_kinds::Span;
use jiff::SignedDuration;
use serde::Deserialize;

use crate::controls::{Control, ParameterError, Parameters, Reads};
use crate::report::Said;

/// How far two clocks may differ before a time in the future is an error.
const SKEW: SignedDuration = SignedDuration::from_mins(5);

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct Wanted {
    max_age: Span,
    max_pack_age: Span,
}

impl Default for Wanted {
    fn default() -> Self {
        Self { max_age: Span::hours(24), max_pack_age: Span::days(7) }
    }
}

pub(super) fn compile(parameters: Parameters) -> Result<Control, ParameterError> {
    let wanted: Wanted = parameters.read()?;
    Ok(Control::subject(Reads::Contents, move |context, facts, report| {
        let findings = match facts.findings.get() {
            Ok(findings) => findings,
            Err(cause) => return report.unknown("what is vulnerable in it", cause),
        };
        let (matched, data, clock) = (findings.matched_at, findings.pack.data_until, &context.clock);
        if clock.is_ahead(matched, SKEW) || clock.is_ahead(data, SKEW) {
            report.error("the findings are dated in the future: a clock is wrong");
        } else if clock.is_older(matched, wanted.max_age.duration()) {
            let hours = clock.hours_since(matched);
            let why = format!("the findings are {hours} h old, at most {} are wanted", wanted.max_age);
            report.fail(Said::from(why).fix(format!("assay scan {}", facts.subject)));
        } else if clock.is_older(data, wanted.max_pack_age.duration()) {
            let days = clock.hours_since(data) / 24;
            let why = format!("the vulnerability data is {days} days old, at most {} are wanted", wanted.max_pack_age);
            report.fail(Said::from(why).fix("assay db update"));
        } else {
            let (matched, data) = (clock.hours_since(matched), clock.hours_since(data).max(0));
            report.pass(format!("matched {matched} h ago, with data of {data} h ago"));
        }
    }))
}
