//! Which digests were admitted for which workload, in memory: what tells a reschedule from a deploy.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use assay_case::{Operation, PriorAdmission, Request};
use assay_kube::is_built_in_controller;
use assay_model::{Digest, Reference, Timestamp};
use assay_store::DecisionRecord;

use crate::GatheredFacts;

/// Workloads remembered. The oldest is forgotten first; its Pods are then judged as if they were new. Each takes some
/// 200 bytes and 100 for each of its images.
const WORKLOADS_MAX: usize = 100_000;
/// Digests remembered of one workload, the newest: more than the images and platforms of any one Pod.
const DIGESTS_MAX: usize = 256;

/// A namespace and `Kind/name`.
type Place = Arc<(String, String)>;

#[derive(Debug, Default)]
pub(crate) struct Admitted {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_place: HashMap<Place, Vec<Admission>>,
    order: VecDeque<Place>,
}

/// A digest that was admitted at a place.
#[derive(Debug)]
struct Admission {
    digest: Digest,
    decision: Box<str>,
    at: Timestamp,
}

impl Admitted {
    /// Takes in what earlier processes admitted, oldest first.
    pub(crate) fn remember(&self, admissions: impl IntoIterator<Item = PriorAdmission>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for PriorAdmission { digest, namespace, workload, decision, at } in admissions {
            inner.add((namespace, workload).into(), [Admission { digest, decision: decision.into(), at }]);
        }
    }

    /// Takes in a decision, if it admitted something for good that may make Pods: a Pod itself makes none.
    pub(crate) fn record(&self, record: &DecisionRecord) {
        if !record.verdict.allowed || record.dry_run || record.request.workload.kind == "Pod" {
            return;
        }
        let place = (record.request.namespace.clone(), record.request.workload_name());
        let admission = |digest| Admission { digest, decision: record.id.as_str().into(), at: record.at };
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.add(place.into(), record.digests().into_iter().map(admission));
    }

    /// The earlier admissions that make this request a reschedule: a built-in controller creates a Pod for an owner that
    /// was admitted with every one of these digests. Empty otherwise.
    pub(crate) fn reschedules(&self, request: &Request<'_>, facts: &GatheredFacts) -> Vec<PriorAdmission> {
        if request.operation != Operation::Create
            || request.workload.kind != "Pod"
            || !is_built_in_controller(&request.user)
        {
            return Vec::new();
        }
        let Some(owner) = &request.workload.owner else { return Vec::new() };
        // For everything that may run, the digests by which it may have been admitted.
        let mut wanted: Vec<Vec<Digest>> = Vec::new();
        for image in &request.images {
            // Only a digest in the Pod itself binds what runs to what was admitted.
            let Some(named) = image.reference.as_ref().ok().and_then(Reference::digest) else { return Vec::new() };
            match facts.get(&image.written).map(assay_case::Known::get) {
                Some(Ok(platforms)) if !platforms.is_empty() => {
                    wanted.extend(platforms.iter().map(|facts| facts.subject.covering_digests().collect()));
                }
                // No control asks for facts: it is the digest that is written.
                None => wanted.push(vec![named]),
                Some(_) => return Vec::new(),
            }
        }
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (request.namespace.name.clone(), owner.clone());
        let Some(admissions) = inner.by_place.get(&place) else { return Vec::new() };
        let prior = |digests: &Vec<Digest>| {
            let admission = admissions.iter().find(|admission| digests.contains(&admission.digest))?;
            Some(PriorAdmission {
                digest: admission.digest,
                namespace: place.0.clone(),
                workload: place.1.clone(),
                decision: admission.decision.to_string(),
                at: admission.at,
            })
        };
        wanted.iter().map(prior).collect::<Option<Vec<_>>>().unwrap_or_default()
    }
}

impl Inner {
    fn add(&mut self, place: Place, admissions: impl IntoIterator<Item = Admission>) {
        let mut admissions = admissions.into_iter().peekable();
        if admissions.peek().is_none() {
            return;
        }
        let entries = self.by_place.entry(Arc::clone(&place)).or_default();
        if entries.is_empty() {
            self.order.push_back(place);
        }
        for admission in admissions {
            entries.retain(|entry| entry.digest != admission.digest);
            entries.push(admission);
        }
        entries.drain(..entries.len().saturating_sub(DIGESTS_MAX));
        while self.order.len() > WORKLOADS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.by_place.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prior(workload: &str, image: usize) -> PriorAdmission {
        PriorAdmission {
            digest: Digest::of(image.to_string().as_bytes()),
            namespace: "shop".into(),
            workload: workload.into(),
            decision: "7f3a0123456789ab".into(),
            at: Timestamp::UNIX_EPOCH,
        }
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_newest_stays() {
        let admitted = Admitted::default();
        admitted.remember((0..WORKLOADS_MAX + 10).map(|number| prior(&format!("ReplicaSet/api-{number}"), 0)));
        admitted.remember((0..DIGESTS_MAX + 10).map(|number| prior("StatefulSet/db", number)));
        let inner = admitted.inner.lock().unwrap();
        assert_eq!((inner.by_place.len(), inner.order.len()), (WORKLOADS_MAX, WORKLOADS_MAX));
        let of = |workload: &str| inner.by_place.get(&("shop".to_owned(), workload.to_owned()));
        assert!(of("ReplicaSet/api-0").is_none());
        let newest = of("StatefulSet/db").unwrap();
        assert_eq!(newest.len(), DIGESTS_MAX);
        assert_eq!(newest.last().unwrap().digest, prior("", DIGESTS_MAX + 9).digest);
    }
}
