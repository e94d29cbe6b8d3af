//! Which digests were admitted for which workload, in memory: what tells a reschedule from a deploy.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use assay_case::{Operation, PriorAdmission, Request};
use assay_kube::is_built_in_controller;
use assay_model::Digest;
use assay_store::DecisionRecord;

use crate::GatheredFacts;

/// Workloads remembered. The oldest is forgotten first; its Pods are then judged as if they were new.
const WORKLOADS_MAX: usize = 100_000;

/// A namespace and `Kind/name`.
type Place = (String, String);

#[derive(Debug, Default)]
pub(crate) struct Admitted {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by_place: HashMap<Place, Vec<PriorAdmission>>,
    order: VecDeque<Place>,
}

impl Admitted {
    /// Takes in what earlier processes admitted, oldest first.
    pub(crate) fn remember(&self, admissions: impl IntoIterator<Item = PriorAdmission>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for admission in admissions {
            inner.add(admission);
        }
    }

    /// Takes in a decision, if it admitted something for good.
    pub(crate) fn record(&self, record: &DecisionRecord) {
        if !record.verdict.allowed || record.dry_run {
            return;
        }
        self.remember(record.digests().into_iter().map(|digest| PriorAdmission {
            digest,
            namespace: record.request.namespace.clone(),
            workload: record.request.workload_name(),
            decision: record.id.clone(),
            at: record.at,
        }));
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
        let mut digests: Vec<Digest> = Vec::new();
        for image in &request.images {
            // Only a digest in the Pod itself binds what runs to what was admitted.
            let bound = image.reference.as_ref().is_ok_and(|reference| reference.digest().is_some());
            match facts.get(&image.written).map(assay_case::Known::get) {
                Some(Ok(platforms)) if bound && !platforms.is_empty() => {
                    digests.extend(platforms.iter().map(|facts| facts.subject.digest));
                }
                _ => return Vec::new(),
            }
        }
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let place = (request.namespace.name.clone(), owner.clone());
        let Some(admissions) = inner.by_place.get(&place) else { return Vec::new() };
        let known = |digest: &Digest| admissions.iter().find(|admission| admission.digest == *digest).cloned();
        digests.iter().map(known).collect::<Option<Vec<_>>>().unwrap_or_default()
    }
}

impl Inner {
    fn add(&mut self, admission: PriorAdmission) {
        let place = (admission.namespace.clone(), admission.workload.clone());
        let entries = self.by_place.entry(place.clone()).or_default();
        if entries.is_empty() {
            self.order.push_back(place);
        }
        entries.retain(|entry| entry.digest != admission.digest);
        entries.push(admission);
        while self.order.len() > WORKLOADS_MAX {
            if let Some(oldest) = self.order.pop_front() {
                self.by_place.remove(&oldest);
            }
        }
    }
}
