//! Exceptions that end soon, and that have ended: said at 14 days, at 3, and at the end.

use std::collections::BTreeMap;

use assay_model::Timestamp;
use assay_store::FindingKind;
use jiff::SignedDuration;

use super::Audit;
use crate::audit::{BreakGlass, Draft, Findings, Source};
use crate::cluster::book::ExceptionView;

/// Days before the end at which somebody is reminded.
const DAYS: [i64; 3] = [14, 3, 0];
/// How a verdict begins to say that an Exception has ended.
const ENDED: &str = "it expired at ";
/// Characters of a date.
const DATE: &str = "%Y-%m-%d %H:%M UTC";

impl Audit<'_> {
    /// Looks at every Exception and the clock.
    pub(super) fn remind(&mut self) {
        let now = (self.shared.admissions.clock)();
        let exceptions = self.shared.book().exceptions(&self.shared.namespaces.get(), now);
        let mut needed: BTreeMap<&str, u64> = BTreeMap::new();
        for (key, names) in &self.used {
            let pods = self.population.group(*key).map_or(0, |group| group.pods.len() as u64);
            for name in names {
                *needed.entry(name).or_default() += pods;
            }
        }
        self.break_glass = exceptions
            .iter()
            .filter(|own| own.is_break_glass && own.counts)
            .map(|own| BreakGlass {
                name: own.name.clone(),
                owner: own.owner.clone(),
                pods: needed.get(own.name.as_str()).copied().unwrap_or(0),
            })
            .collect();
        let each = exceptions
            .iter()
            .flat_map(|own| own.environments.iter().map(move |environment| (state(own, now), environment.as_str())));
        self.shared.admissions.metrics.audit.set_exceptions(each);
        let drafts = exceptions.iter().filter_map(|own| {
            let pods = needed.get(own.name.as_str()).copied().unwrap_or(0);
            reminder(&self.findings, own, pods, now)
        });
        let drafts = drafts.collect();
        self.findings.set(Source::Exceptions, drafts);
    }
}

/// Whether an Exception does nothing only because it has ended: what a verdict says of it then.
pub(super) fn has_ended(why: &str) -> bool {
    why.starts_with(ENDED)
}

fn state(exception: &ExceptionView, now: Timestamp) -> &'static str {
    match (exception.counts, exception.expires) {
        (_, Some(at)) if at <= now => "expired",
        (true, Some(at)) if at.duration_since(now) <= days(3) => "ending",
        (true, _) => "active",
        (false, _) => "inactive",
    }
}

fn days(count: i64) -> SignedDuration {
    SignedDuration::from_hours(24 * count)
}

/// What is to be said of an Exception now. One that never counted ends for nobody.
fn reminder(findings: &Findings, exception: &ExceptionView, pods: u64, now: Timestamp) -> Option<Draft> {
    let ends = exception.expires?;
    let left = ends.duration_since(now);
    let due = DAYS.into_iter().filter(|own| left <= days(*own)).min()?;
    let is_over = left <= SignedDuration::ZERO;
    let counted = is_over && exception.was_approved;
    if !exception.counts && !counted {
        return None;
    }
    let whose = exception.owner.as_deref().map(|owner| format!(" of {owner}")).unwrap_or_default();
    let need = match pods {
        0 => String::new(),
        1 => "; 1 running Pod needs it".to_owned(),
        pods => format!("; {pods} running Pods need it"),
    };
    let when = ends.strftime(DATE);
    let message = if is_over {
        format!("exception {}{whose} ended at {when}{need}", exception.name)
    } else {
        format!("exception {}{whose} ends at {when}{need}", exception.name)
    };
    // Each of the three is a matter of its own, and so is another end.
    let part = format!("{due} {}", ends.as_second());
    let object = format!("Exception/{}", exception.name);
    let mut draft = findings.object(FindingKind::ExceptionEnds, &object, &part, message, now);
    draft.record.owner.clone_from(&exception.owner);
    // Pods run on that nothing lifts anything for any more.
    draft.record.denies = is_over && pods > 0;
    Some(draft)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(expires: &str, counts: bool, was_approved: bool) -> ExceptionView {
        ExceptionView {
            name: "zlib".into(),
            owner: Some("team-payments".into()),
            expires: expires.parse().ok(),
            environments: Vec::new(),
            counts,
            was_approved,
            is_break_glass: false,
        }
    }

    #[test]
    fn an_end_is_told_at_fourteen_days_at_three_and_when_it_is_there() {
        let findings = Findings::new("default", BTreeMap::new());
        let exception = view("2026-12-15T00:00:00Z", true, true);
        let at = |time: &str, exception: &ExceptionView| {
            reminder(&findings, exception, 2, time.parse().unwrap())
                .map(|draft| (draft.record.id, draft.record.message))
        };
        assert_eq!(at("2026-11-30T23:59:59Z", &exception), None);
        let (first, message) = at("2026-12-01T00:00:00Z", &exception).unwrap();
        assert_eq!(message, "exception zlib of team-payments ends at 2026-12-15 00:00 UTC; 2 running Pods need it");
        assert_eq!(at("2026-12-11T23:59:59Z", &exception).unwrap().0, first, "said once");
        let (second, _) = at("2026-12-12T00:00:00Z", &exception).unwrap();
        let over = ExceptionView { counts: false, ..exception.clone() };
        let (third, message) = at("2026-12-15T00:00:00Z", &over).unwrap();
        assert!(first != second && second != third && message.contains("ended at"), "{message}");
        assert_eq!(at("2027-01-15T00:00:00Z", &over).unwrap().0, third);
    }

    #[test]
    fn that_it_has_ended_is_read_as_the_gate_says_it() {
        let at = Timestamp::UNIX_EPOCH;
        assert!(has_ended(&assay_gate::ExceptionProblem::Expired { at }.to_string()));
        assert!(!has_ended(&assay_gate::ExceptionProblem::NotAuthenticated.to_string()));
    }

    #[test]
    fn what_never_counted_ends_for_nobody() {
        let findings = Findings::new("default", BTreeMap::new());
        for exception in [view("2026-12-15T00:00:00Z", false, false), view("", true, true)] {
            for now in ["2026-12-14T00:00:00Z", "2026-12-16T00:00:00Z"] {
                assert_eq!(reminder(&findings, &exception, 0, now.parse().unwrap()), None);
            }
        }
    }
}
