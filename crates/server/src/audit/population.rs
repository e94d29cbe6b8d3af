//! The Pods that run, by what they have in common.

use std::collections::{BTreeSet, HashMap, HashSet};

use assay_case::{ContainerRole, ImageUse, Node, Operation, Request, User};
use assay_kube::{ContainerView, JobControllers, Origin, PodPhase, PodView, StoredObject, request_of, template_of};
use assay_model::{Digest, Reference, Timestamp};

use crate::Puller;

/// Names a group: the digest of where it is and of what is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GroupKey(Digest);

/// Pods of one workload with the same template that run the same images. The Gate is asked once for all of them.
#[derive(Clone, Debug)]
pub struct Group {
    /// Namespace.
    pub namespace: String,
    /// Kind of the workload at the top of the owners.
    pub workload_kind: String,
    /// Its name.
    pub workload_name: String,
    /// Who is responsible.
    pub owner: Option<String>,
    /// Whether kubelets run it from files of their nodes.
    pub is_static: bool,
    /// What runs.
    pub containers: Vec<ContainerView>,
    /// The object that is judged, JSON.
    pub object: String,
    /// Its Pods that run, by name.
    pub pods: BTreeSet<Box<str>>,
    /// All of its Pods, finished ones included.
    members: usize,
}

/// A Pod that was seen.
#[derive(Clone, Debug)]
struct Seen {
    group: GroupKey,
    started: Option<Timestamp>,
    phase: PodPhase,
}

/// Where a Pod is: namespace and name.
type Place = (Box<str>, Box<str>);

/// The Pods of a cluster. Some 200 bytes a Pod, and two kilobytes a group.
#[derive(Debug, Default)]
pub struct Population {
    pods: HashMap<Place, Seen>,
    groups: HashMap<GroupKey, Group>,
}

impl Group {
    /// `namespace/Kind/name` of the workload.
    pub fn workload(&self) -> String {
        format!("{}/{}/{}", self.namespace, self.workload_kind, self.workload_name)
    }

    /// What runs in a container, as far as that is known.
    pub(super) fn running(&self, image: &ImageUse) -> Option<&ContainerView> {
        let is_same = |own: &&ContainerView| match image.role {
            ContainerRole::ImageVolume => {
                own.role == image.role && own.name.strip_prefix("volume:") == Some(&image.name)
            }
            role => own.role == role && own.name == image.name,
        };
        self.containers.iter().find(is_same)
    }

    /// The request that is judged: an audit of the workload by the object of one of its Pods. `None` where the object
    /// cannot be read, which what was reduced from JSON always can.
    pub(super) fn request(&self, namespace: assay_case::Namespace) -> Option<Request<'_>> {
        let object: Node<'_> = serde_json::from_str(&self.object).ok()?;
        let origin =
            Origin { operation: Operation::Audit, namespace, user: User::default(), name: self.workload_name.clone() };
        let mut request = request_of("", "Pod", object, origin)?;
        request.workload.kind.clone_from(&self.workload_kind);
        request.workload.name.clone_from(&self.workload_name);
        Some(request)
    }

    /// The images whose facts are needed: what runs, where the runtime says so, else what was asked for. A tag may name
    /// something else by now.
    pub fn images(&self) -> Vec<ImageUse> {
        let namespace = assay_case::Namespace { name: self.namespace.clone(), labels: None };
        let Some(request) = self.request(namespace) else { return Vec::new() };
        let own = |image: &ImageUse| self.bound(image).unwrap_or_else(|| image.clone());
        request.images.iter().map(own).collect()
    }

    /// Whose credentials its images are read with.
    pub fn puller(&self) -> Puller<'static> {
        let namespace = assay_case::Namespace { name: self.namespace.clone(), labels: None };
        let Some(request) = self.request(namespace) else { return Puller::anybody_in(&self.namespace).into_owned() };
        Puller::of(&request).into_owned()
    }

    /// An image that was asked for by a tag, as the digest that runs.
    pub(super) fn bound(&self, image: &ImageUse) -> Option<ImageUse> {
        let reference = image.reference.as_ref().ok().filter(|reference| reference.digest().is_none())?;
        let running = self.running(image)?;
        let repository = running.repository.as_ref().unwrap_or(reference.repository());
        let written = format!("{repository}@{}", running.digest?);
        Some(ImageUse { reference: written.parse::<Reference>(), written, ..image.clone() })
    }
}

impl Population {
    /// How many Pods there are, finished ones included.
    pub fn len(&self) -> usize {
        self.pods.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pods.is_empty()
    }

    /// The groups that run.
    pub fn groups(&self) -> impl Iterator<Item = (GroupKey, &Group)> {
        self.groups.iter().filter(|(_, group)| !group.pods.is_empty()).map(|(key, group)| (*key, group))
    }

    /// A group that runs.
    pub fn group(&self, key: GroupKey) -> Option<&Group> {
        self.groups.get(&key).filter(|group| !group.pods.is_empty())
    }

    /// Takes a reduced Pod in. The groups that came or went with it.
    pub fn apply(&mut self, pod: &StoredObject) -> Vec<GroupKey> {
        let view = PodView::of(&pod.0, &JobControllers::new());
        let place: Place = (view.namespace.as_str().into(), view.name.as_str().into());
        // What has ended counts only where the same is about to begin again.
        if view.phase == PodPhase::Unknown || (view.phase == PodPhase::Finished && view.workload_kind != "CronJob") {
            return self.forget(&place).into_iter().collect();
        }
        let object = template_of(pod);
        let text = format!(
            "{}\n{}\n{}\n{:?}\n{}\n{object}",
            view.namespace, view.workload_kind, view.workload_name, view.owner, view.is_static
        );
        let key = GroupKey(Digest::of(text.as_bytes()));
        let runs = view.phase == PodPhase::Running;
        let seen = Seen { group: key, started: view.started, phase: view.phase };
        if let Some(known) = self.pods.get_mut(&place)
            && (known.group, known.phase) == (key, seen.phase)
        {
            *known = seen;
            return Vec::new();
        }
        let mut changed: Vec<GroupKey> = self.forget(&place).into_iter().collect();
        let group = self.groups.entry(key).or_insert_with(|| Group {
            namespace: view.namespace,
            workload_kind: view.workload_kind,
            workload_name: view.workload_name,
            owner: view.owner,
            is_static: view.is_static,
            containers: view.containers,
            object,
            pods: BTreeSet::new(),
            members: 0,
        });
        group.members += 1;
        if runs && group.pods.insert(place.1.clone()) && group.pods.len() == 1 {
            changed.push(key);
        }
        self.pods.insert(place, seen);
        changed
    }

    /// A Pod is gone. The group that went with it.
    pub fn remove(&mut self, pod: &StoredObject) -> Option<GroupKey> {
        self.forget(&(pod.namespace().into(), pod.name().into()))
    }

    /// All Pods are these. The groups that came or went.
    pub fn list(&mut self, pods: &[StoredObject]) -> Vec<GroupKey> {
        let listed: HashSet<(&str, &str)> = pods.iter().map(|pod| (pod.namespace(), pod.name())).collect();
        let is_gone = |place: &&Place| !listed.contains(&(&*place.0, &*place.1));
        let gone: Vec<Place> = self.pods.keys().filter(is_gone).cloned().collect();
        let mut changed: Vec<GroupKey> = gone.iter().filter_map(|place| self.forget(place)).collect();
        changed.extend(pods.iter().flat_map(|pod| self.apply(pod)));
        changed
    }

    fn forget(&mut self, place: &Place) -> Option<GroupKey> {
        let key = self.pods.remove(place)?.group;
        let group = self.groups.get_mut(&key)?;
        let ended = group.pods.remove(&place.1) && group.pods.is_empty();
        group.members -= 1;
        // Between two runs of a CronJob its group stays for the inventory.
        if group.members == 0 {
            self.groups.remove(&key);
        }
        ended.then_some(key)
    }

    /// Every Pod as the inventory wants it.
    pub fn views(&self) -> impl Iterator<Item = PodView> {
        self.pods.iter().filter_map(|((namespace, name), seen)| {
            let group = self.groups.get(&seen.group)?;
            Some(PodView {
                namespace: namespace.to_string(),
                name: name.to_string(),
                workload_kind: group.workload_kind.clone(),
                workload_name: group.workload_name.clone(),
                owner: group.owner.clone(),
                started: seen.started,
                phase: seen.phase,
                is_static: group.is_static,
                containers: group.containers.clone(),
            })
        })
    }
}
