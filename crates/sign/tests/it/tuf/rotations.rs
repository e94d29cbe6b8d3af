//! Changes of keys and thresholds.

use assay_sandbox::tuf::{Key, KeyType, Repository};
use assay_sign::TufError;

use super::{Client, Scenario, refused, repository};

/// One publication: which of ten keys are named, how many must sign, which sign.
#[derive(Clone, Copy)]
struct Step {
    keys: &'static [usize],
    threshold: u64,
    signers: &'static [usize],
}

const fn step(keys: &'static [usize], threshold: u64, signers: &'static [usize]) -> Step {
    Step { keys, threshold, signers }
}

/// Name, whether the last root is accepted, roots.
const ROOTS: [(&str, bool, &[Step]); 15] = [
    ("one_key", true, &[step(&[1], 1, &[1]), step(&[2], 1, &[2, 1]), step(&[2], 1, &[2])]),
    (
        "one_key_and_signatures_of_nobody",
        true,
        &[step(&[1], 1, &[3, 1, 4]), step(&[2], 1, &[3, 2, 1, 4]), step(&[2], 1, &[3, 2, 4])],
    ),
    (
        "three_of_five_in_turn",
        true,
        &[
            step(&[0, 1, 2, 3, 4], 3, &[0, 2, 4]),
            step(&[0, 1, 2, 3, 4], 3, &[0, 4, 1]),
            step(&[0, 1, 2, 3, 4], 3, &[0, 1, 3]),
            step(&[0, 1, 2, 3, 4], 3, &[0, 1, 3]),
        ],
    ),
    ("one_of_five", true, &[step(&[0, 1, 2, 3, 4], 3, &[0, 2, 4]), step(&[0, 1, 3, 4, 5], 3, &[0, 4, 1])]),
    (
        "one_of_five_in_two_steps",
        true,
        &[
            step(&[0, 1, 2, 3, 4], 3, &[0, 2, 4]),
            step(&[0, 1, 3, 4, 5], 3, &[0, 2, 4, 5]),
            step(&[0, 1, 3, 4, 5], 3, &[0, 4, 5]),
        ],
    ),
    (
        "all_five_in_two_steps",
        true,
        &[
            step(&[0, 1, 2, 3, 4], 3, &[0, 2, 4]),
            step(&[5, 6, 7, 8, 9], 3, &[0, 2, 4, 5, 6, 7]),
            step(&[5, 6, 7, 8, 9], 3, &[5, 6, 7]),
        ],
    ),
    ("threshold_from_one_to_two_of_three", true, &[step(&[1, 2, 3], 1, &[1]), step(&[1, 2, 3], 2, &[1, 2])]),
    (
        "threshold_from_two_to_one_of_three",
        true,
        &[step(&[1, 2, 3], 2, &[1, 2]), step(&[1, 2, 3], 1, &[1, 2]), step(&[1, 2, 3], 1, &[1])],
    ),
    ("a_second_key_and_threshold", true, &[step(&[1], 1, &[1]), step(&[1, 2], 2, &[1, 2])]),
    ("without_the_old_key", false, &[step(&[1], 1, &[1]), step(&[2], 1, &[2, 3, 4])]),
    ("without_the_new_key", false, &[step(&[1], 1, &[1]), step(&[2], 1, &[1, 3, 4])]),
    ("without_three_new_keys", false, &[step(&[0, 1, 2, 3, 4], 3, &[0, 2, 4]), step(&[0, 1, 3, 4, 5], 3, &[0, 2, 4])]),
    ("without_three_old_keys", false, &[step(&[0, 1, 2, 3, 4], 3, &[0, 2, 4]), step(&[0, 1, 3, 4, 5], 3, &[0, 4, 5])]),
    ("below_the_new_threshold", false, &[step(&[1, 2, 3], 1, &[1]), step(&[1, 2, 3], 2, &[2])]),
    ("below_the_old_threshold", false, &[step(&[1, 2, 3], 2, &[1, 2]), step(&[1, 2, 3], 1, &[1])]),
];

/// Name, whether it is accepted, and the publication, for each of the other roles.
const OTHERS: [(&str, bool, Step); 10] = [
    ("one_key", true, step(&[2], 1, &[2])),
    ("one_key_and_signatures_of_nobody", true, step(&[1], 1, &[3, 1, 4])),
    ("without_the_key", false, step(&[2], 1, &[1, 3, 4])),
    ("one_signature_of_a_key_that_left", false, step(&[0, 1, 3, 4, 5], 3, &[0, 2, 4])),
    ("below_the_threshold", false, step(&[0, 1, 3, 4, 5], 3, &[0, 4])),
    ("keys_0_2_4_of_five", true, step(&[0, 1, 2, 3, 4], 3, &[0, 2, 4])),
    ("keys_0_4_1_of_five", true, step(&[0, 1, 2, 3, 4], 3, &[0, 4, 1])),
    ("keys_0_1_3_of_five", true, step(&[0, 1, 2, 3, 4], 3, &[0, 1, 3])),
    ("keys_1_2_3_of_five", true, step(&[0, 1, 2, 3, 4], 3, &[1, 2, 3])),
    ("keys_2_3_4_of_five", true, step(&[0, 1, 2, 3, 4], 3, &[2, 3, 4])),
];

pub(super) fn scenarios() -> Vec<Scenario> {
    let roots = ROOTS.into_iter().map(|(name, accepted, steps)| -> Scenario {
        (format!("root_rotation_{name}"), Box::pin(root_rotation(accepted, steps)))
    });
    let others = OTHERS
        .into_iter()
        .map(|(name, accepted, step)| -> Scenario { (format!("rotation_{name}"), Box::pin(rotation(accepted, step))) });
    roots.chain(others).collect()
}

fn keys() -> Vec<Key> {
    std::iter::repeat_with(|| Key::generate(KeyType::Ed25519)).take(10).collect()
}

fn apply(repository: &mut Repository, role: &str, step: Step, keys: &[Key]) {
    repository.clear_keys(role);
    repository.set_threshold(role, step.threshold);
    for key in step.keys {
        repository.name_key(role, &keys[*key]);
    }
    repository.role(role).signers = step.signers.iter().map(|key| keys[*key].clone()).collect();
}

async fn root_rotation(accepted: bool, steps: &'static [Step]) {
    let (mut repository, keys) = (repository(), keys());
    repository.forget("root");
    for step in steps {
        apply(&mut repository, "root", *step, &keys);
        repository.publish(&["root"]);
    }
    repository.publish(&["targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    let last = u64::try_from(steps.len()).unwrap();
    if accepted {
        client.refresh().await.unwrap();
        client.assert_newest("root");
        assert_eq!(client.version("root"), Some(last));
    } else {
        refused!(client.refresh().await, TufError::Threshold { role, .. } if role == "root");
        assert_eq!(client.version("root"), Some(last - 1));
    }
}

async fn rotation(accepted: bool, step: Step) {
    let (client, keys) = (Client::new(repository()).await, keys());
    for role in ["timestamp", "snapshot", "targets"] {
        client.with(|repository| {
            apply(repository, role, step, &keys);
            repository.publish(&["root", "targets", "snapshot", "timestamp"]);
        });
        if accepted {
            client.refresh().await.unwrap();
            client.assert_newest(role);
        } else {
            refused!(client.refresh().await, TufError::Threshold { .. });
        }
    }
}
