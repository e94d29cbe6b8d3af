//! The Gate, asked about what runs.

use std::collections::BTreeMap;
use std::sync::Arc;

use assay_case::{Case, Exposure, Known, Namespace, Operation, PriorAdmission, Verdict, World};
use assay_gate::{Policy, decide};
use assay_model::{Digest, Timestamp};

use super::Group;
use crate::{GatheredFacts, Namespaces};

/// What was admitted in a namespace: the newest decision about each digest, and its time.
pub type Recorded = BTreeMap<Digest, (String, Timestamp)>;

/// Judges groups by one policy and one state of the world.
#[derive(Debug)]
pub struct Judge<'j> {
    /// The policy.
    pub policy: &'j Policy,
    /// Labels of the namespaces.
    pub namespaces: &'j Namespaces,
    /// What is known beside facts and exposure.
    pub world: &'j World,
    /// Exposure by `namespace/Kind/name`.
    pub exposure: &'j BTreeMap<String, Exposure>,
    /// The time that is asked for.
    pub now: Timestamp,
}

impl Judge<'_> {
    /// The namespace of a group.
    pub fn namespace(&self, group: &Group) -> Namespace {
        Namespace { name: group.namespace.clone(), labels: self.namespaces.labels(&group.namespace).cloned() }
    }

    /// What the Gate says of a group by these facts, which are those of [`Group::images`]. `None` where the group holds no
    /// readable object.
    pub fn verdict(&self, group: &Group, facts: &GatheredFacts, recorded: &Recorded) -> Option<Verdict> {
        let request = group.request(self.namespace(group))?;
        debug_assert_eq!(request.operation, Operation::Audit);
        let mut found = GatheredFacts::new();
        for image in &request.images {
            let bound = group.bound(image);
            let of = facts.get(bound.as_ref().map_or(&image.written, |bound| &bound.written));
            match (of, found.get_mut(&image.written)) {
                // The same tag runs as two different images: both are judged, wherever it stands.
                (Some(Known::Known { value, .. }), Some(Known::Known { value: known, .. })) => {
                    for own in value {
                        if !known.iter().any(|known| known.subject == own.subject) {
                            known.push(Arc::clone(own));
                        }
                    }
                }
                // What is unknown of one of them is unknown.
                (None, _) | (Some(_), Some(Known::Unknown { .. })) => {}
                (Some(own), _) => drop(found.insert(image.written.clone(), own.clone())),
            }
        }
        let world = Arc::new(self.world_of(group, recorded));
        let case = Case { request, facts: found, world };
        Some(decide(self.policy, &case, self.now))
    }

    /// Of the world, what concerns a group.
    fn world_of(&self, group: &Group, recorded: &Recorded) -> World {
        let workload = group.workload();
        let exposure = self.exposure.get(&workload).map(|exposure| (workload, *exposure)).into_iter().collect();
        let running = group.containers.iter().filter_map(|container| container.digest);
        let admission = |digest: Digest| {
            let (decision, at) = recorded.get(&digest)?;
            Some(PriorAdmission {
                digest,
                namespace: group.namespace.clone(),
                workload: format!("{}/{}", group.workload_kind, group.workload_name),
                decision: decision.clone(),
                at: *at,
            })
        };
        World {
            promotions: self.world.promotions.clone(),
            proposed: None,
            exposure,
            pull_secrets: self.world.pull_secrets.clone(),
            pull_accounts: self.world.pull_accounts.clone(),
            admissions: running.filter_map(admission).collect(),
        }
    }
}
