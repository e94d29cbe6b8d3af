//! A Verdict is the same whether images are remembered or not.

use std::sync::Arc;

use assay_case::{Case, Known, Operation};
use assay_gate::{Memory, decide, decide_remembering};
use jiff::SignedDuration;
use proptest::prelude::*;
use serde_json::json;

use crate::fixture::Fixture;
use crate::theorems::{Situation, exception, situations};

/// A way in which the next request differs from the one before.
#[derive(Clone, Debug)]
struct Step {
    /// Seconds from the fixture's time.
    seconds: i64,
    operation: Operation,
    /// The facts were gathered anew.
    anew: bool,
    /// By another Policy: one with an Exception more.
    other: bool,
    /// Whether the image was admitted before.
    admitted: bool,
    internal: bool,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let hour = 3600_i64;
    let moments = prop_oneof![
        4 => Just(0_i64),
        2 => (0_i64..200, -1_i64..2).prop_map(move |(hours, seconds)| hours * hour + seconds),
        1 => (-50_i64..1).prop_map(move |hours| hours * hour),
        1 => -4_000_i64..4_000,
    ];
    let operations = prop_oneof![
        4 => Just(Operation::Create),
        1 => Just(Operation::Reschedule),
        1 => Just(Operation::Promote),
        1 => Just(Operation::Rollback),
    ];
    let rarely = || prop::bool::weighted(0.2);
    let step = (moments, operations, rarely(), rarely(), any::<bool>(), rarely());
    proptest::collection::vec(
        step.prop_map(|(seconds, operation, anew, other, admitted, internal)| Step {
            seconds,
            operation,
            anew,
            other,
            admitted,
            internal,
        }),
        1..8,
    )
}

fn with_exception(situation: &Situation) -> Fixture {
    let mut fixture = situation.fixture();
    fixture.value["policy"]["exceptions"] = json!({"late": exception(true)});
    fixture
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_is_remembered_changes_nothing(situation in situations(), steps in steps()) {
        let (fixture, other) = (situation.fixture(), with_exception(&situation));
        let (policy, other) = (fixture.policy(), other.policy());
        let memory = Memory::default();
        let mut case = fixture.case();
        for step in steps {
            if step.anew {
                for known in case.facts.values_mut() {
                    if let Known::Known { value, .. } = known {
                        for facts in value.iter_mut() {
                            *facts = Arc::new((**facts).clone());
                        }
                    }
                }
            }
            let mut next: Case<'_> = case.clone();
            next.request.operation = step.operation;
            let mut world = (*case.world).clone();
            if !step.admitted {
                world.admissions.clear();
            }
            if !step.internal {
                world.exposure.clear();
            }
            next.world = world.into();
            let now = fixture.now().checked_add(SignedDuration::from_secs(step.seconds)).unwrap();
            let policy = if step.other { &other } else { &policy };
            prop_assert_eq!(decide_remembering(policy, &next, now, &memory), decide(policy, &next, now), "{:?}", step);
        }
    }
}

#[test]
fn what_is_said_again_is_pointed_to() {
    let fixture = Fixture::base();
    let (policy, case, memory) = (fixture.policy(), fixture.case(), Memory::default());
    let first = decide_remembering(&policy, &case, fixture.now(), &memory);
    let later = fixture.now().checked_add(SignedDuration::from_mins(1)).unwrap();
    let second = decide_remembering(&policy, &case, later, &memory);
    assert!(!first.outcomes.is_empty());
    for (first, second) in first.outcomes.iter().zip(&second.outcomes) {
        assert!(Arc::ptr_eq(&first.statement, &second.statement), "{}", first.control);
    }
}

#[test]
fn a_deadline_ends_what_is_remembered_to_the_nanosecond() {
    let fixture = Fixture::base();
    let (policy, case, memory) = (fixture.policy(), fixture.case(), Memory::default());
    let known = case.facts.values().next().unwrap().get().unwrap();
    let matched = known[0].findings.get().unwrap().matched_at;
    let end = matched.checked_add(SignedDuration::from_hours(24)).unwrap();
    let fresh = |nanoseconds: i64| {
        let now = end.checked_add(SignedDuration::from_nanos(nanoseconds)).unwrap();
        let verdict = decide_remembering(&policy, &case, now, &memory);
        verdict.of("fresh-scan").all(|outcome| outcome.outcome.is_met())
    };
    assert!(fresh(-1));
    assert!(fresh(0));
    assert!(!fresh(1));
    assert!(fresh(0), "the clock went back");
}
