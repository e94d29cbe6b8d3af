//! Each attack of the lab: stopped by the control that it names, by nothing else, and by nothing once that control is off.

use std::collections::BTreeSet;

use assay_case::{Outcome, Verdict};
use assay_cli::lab::{ATTACKS, Arena, Attack};

/// The time on the stage. It must be in the past of any machine: signatures of the future are refused.
const NOW: &str = "2026-03-01T08:00:00Z";
/// What cannot be found out without a cluster's Secrets, and so is never met in the lab. It only warns.
const NEEDS_A_CLUSTER: &str = "no-broad-pull-secrets";
/// Attacks that keep something from being found out: the control could not be checked, which is not a pass.
const UNKNOWN: [&str; 4] = ["oversized-evidence", "wrong-bytes", "registry-down", "rate-limited-registry"];

fn arena() -> Arena {
    Arena::start(NOW.parse().unwrap()).unwrap()
}

fn attack(test: &str) -> &'static Attack {
    let name = test.replace('_', "-");
    ATTACKS.iter().find(|attack| attack.name == name).unwrap_or_else(|| panic!("there is no attack {name}"))
}

/// The controls that are not met.
fn unmet(verdict: &Verdict) -> BTreeSet<&str> {
    let unmet = verdict.outcomes.iter().filter(|outcome| !outcome.outcome.is_met());
    unmet.map(|outcome| outcome.control.as_str()).filter(|control| *control != NEEDS_A_CLUSTER).collect()
}

fn is_stopped_by_its_control(test: &str) {
    let attack = attack(test);
    let arena = arena();
    let prepared = arena.prepare(attack).unwrap();
    let all: Vec<&str> = std::iter::once(attack.control).chain(attack.also.iter().copied()).collect();

    let on = arena.attempt(&prepared, &[]).unwrap();
    assert!(!on.allowed, "{on:#?}");
    let wanted = if UNKNOWN.contains(&attack.name) { Outcome::Error } else { Outcome::Fail };
    let denial = on.of(attack.control).find(|outcome| outcome.denies()).unwrap_or_else(|| panic!("{on:#?}"));
    assert_eq!(denial.outcome, wanted, "{denial:?}");
    assert_eq!(unmet(&on), all.iter().copied().collect(), "the fixture passes every other control");

    let off = arena.attempt(&prepared, &[attack.control]).unwrap();
    assert_eq!(off.of(attack.control).count(), 0, "a control that is off says nothing");
    assert!(!unmet(&off).contains(attack.control));
    assert_eq!(off.allowed, attack.also.is_empty(), "{:?}", off.denials().collect::<Vec<_>>());

    let nothing_left = arena.attempt(&prepared, &all).unwrap();
    assert!(nothing_left.allowed, "{:?}", nothing_left.denials().collect::<Vec<_>>());
}

macro_rules! attacks {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                is_stopped_by_its_control(stringify!($name));
            }
        )*

        #[test]
        fn every_attack_has_a_test_of_its_own() {
            let tests: BTreeSet<String> = [$(stringify!($name).replace('_', "-")),*].into();
            let attacks: BTreeSet<String> = ATTACKS.iter().map(|attack| attack.name.to_owned()).collect();
            assert_eq!(tests, attacks);
            assert_eq!(attacks.len(), ATTACKS.len(), "no name is used twice");
        }
    };
}

attacks! {
    child_pod
    copied_signature
    critical_vulnerability
    exception_out_of_scope
    exception_without_owner
    expired_exception
    image_update
    latest_tag
    malicious_package
    moved_tag
    no_tag
    oversized_evidence
    privileged_builder
    public_registry
    rate_limited_registry
    rebuilt_digest
    registry_down
    replayed_provenance
    secret_in_deleted_file
    self_hosted_runner
    source_tampering
    stale_scan
    swapped_platform
    tag_only
    unlabelled_namespace
    unsigned_ephemeral_container
    unsigned_image
    unsigned_image_volume
    unsigned_init_container
    vulnerable_rollback
    wrong_bytes
    wrong_identity
    wrong_workflow
}
