//! The objects of the cluster, and the policy that they make together.
//!
//! One bad object never takes the others with it: what was last good of it stays in force, and what is wrong is kept for
//! its status. Three things are stricter than that. An Exception that cannot be read is none; a TrustRoot that is gone
//! vouches for nothing, even where an Environment still names it; and what cannot be meant is not taken in half.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assay_case::Namespace;
use assay_gate::{ApprovalState, ExceptionInput, ExceptionProblem, Policy, PolicyError, PolicyInput, TrustRootInput};
use assay_kinds::{Approval, Environment, Exception, Kind, ReleaseArtifact, TrustRoot, load_yaml};
use assay_kube::{ENVIRONMENTS, EXCEPTIONS, RELEASE_ARTIFACTS, Resource, StoredObject, TRUST_ROOTS};
use assay_model::{Digest, EnvironmentName, Timestamp};
use assay_trust::{TrustMaterial, TrustedPublicKey};
use serde_json::Value;

use super::vouch::{self, ANNOTATION, RecordKey};
use crate::Namespaces;

/// Before the end of an Exception.
const MOMENT: std::time::Duration = std::time::Duration::from_millis(1);

/// Reads the material of a TrustRoot; the error is what is wrong with it.
pub type MaterialSource = Arc<dyn Fn(&TrustRoot) -> Result<TrustMaterial, String> + Send + Sync>;

/// What is in force beside the objects of the cluster: from files, and what Assay brings along.
#[derive(Clone, Default)]
pub struct Base {
    /// Environments that those of the cluster replace by name.
    pub starters: Vec<Environment>,
    /// Environments that are written in files: the cluster cannot change them.
    pub environments: Vec<Environment>,
    /// Trust roots by name; the cluster replaces none of them.
    pub roots: Vec<(String, TrustMaterial)>,
    /// Exceptions of files, with what is known of their approval.
    pub exceptions: Vec<ExceptionInput>,
}

impl std::fmt::Debug for Base {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Base").field("environments", &self.environments.len()).finish_non_exhaustive()
    }
}

/// The kinds, in the order in which they need each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Sort {
    TrustRoot,
    Environment,
    Exception,
    Release,
}

impl Sort {
    pub(super) const ALL: [Self; 4] = [Self::TrustRoot, Self::Environment, Self::Exception, Self::Release];

    /// Name of the CustomResourceDefinition.
    pub(super) fn definition(self) -> String {
        let resource = self.resource();
        format!("{}.{}", resource.plural, resource.group)
    }

    pub(super) fn resource(self) -> Resource {
        match self {
            Self::TrustRoot => TRUST_ROOTS,
            Self::Environment => ENVIRONMENTS,
            Self::Exception => EXCEPTIONS,
            Self::Release => RELEASE_ARTIFACTS,
        }
    }
}

/// Names an object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Id {
    pub(super) sort: Sort,
    pub(super) name: String,
}

/// An object as it is used.
#[derive(Clone)]
pub(super) enum Part {
    Root(Arc<Root>),
    Environment(Arc<Environment>),
    Exception(Arc<ExceptionInput>),
    Release(Arc<ReleaseArtifact>),
}

/// A trust root and what its name means to a policy.
pub(super) struct Root {
    input: TrustRootInput,
    material: TrustMaterial,
    /// As it stands in the cluster; none where it does not.
    written: Option<Box<TrustRoot>>,
}

impl Root {
    fn new(name: &str, material: TrustMaterial) -> Self {
        let key = |key: &TrustedPublicKey| Some((key.name()?.to_owned(), key.fingerprint()));
        let keys = material.keys().iter().filter_map(key).collect();
        let input = TrustRootInput { name: name.to_owned(), material: material.hash(), keys };
        Self { input, material, written: None }
    }

    /// The same name and the same names of keys, and nothing that any of them would verify.
    fn revoked(&self) -> Self {
        let material = TrustMaterial::new();
        Self { input: TrustRootInput { material: material.hash(), ..self.input.clone() }, material, written: None }
    }
}

/// An object as it came, read at once: of a list of many thousands no page but the last lies in memory as JSON.
pub(super) struct Received {
    name: String,
    kind: Result<Kind, String>,
    held: Held,
}

impl Received {
    pub(super) fn of(object: StoredObject) -> Self {
        let kind = kind_of(&object);
        let held = Held {
            uid: object.uid().into(),
            generation: object.generation(),
            record: object.annotation(ANNOTATION).map(Into::into),
            status: object.0["status"].to_string().into(),
            root: None,
        };
        let name = object.name().to_owned();
        // Of a TrustRoot all stays: what it names may be renewed.
        let root = matches!(kind, Ok(Kind::TrustRoot(_))).then(|| Box::new(object));
        Self { name, kind, held: Held { root, ..held } }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }
}

/// What an object is. Read as a file would be: the same words for the same mistakes.
fn kind_of(object: &StoredObject) -> Result<Kind, String> {
    let loaded = load_yaml(&object.0.to_string(), "object").map_err(|error| without_place(&error.to_string()))?;
    let kind = loaded.objects.into_iter().next().map(|located| located.value);
    kind.ok_or_else(|| "is no object of Assay".to_owned())
}

/// What is kept of an object beside what it says: there may be many thousands.
pub(super) struct Held {
    uid: Box<str>,
    /// Counts the changes of what it says.
    pub(super) generation: i64,
    record: Option<Box<str>>,
    /// Its status, as JSON text.
    status: Box<str>,
    /// All of a TrustRoot: what it names may be renewed.
    root: Option<Box<StoredObject>>,
}

impl Held {
    /// What its status says.
    pub(super) fn status(&self) -> Value {
        serde_json::from_str(&self.status).unwrap_or_default()
    }
}

/// An object, what it says, and what of it is in force.
pub(super) struct Entry {
    /// As the API server has it; `None` where it is gone and still named.
    pub(super) held: Option<Held>,
    read: Result<Part, String>,
    good: Option<Part>,
    /// Why what it says is not in force.
    refusal: Option<String>,
}

impl Entry {
    /// What it should be in force as: what it says, else what it last said that could be used.
    fn candidate(&self, sort: Sort) -> Option<&Part> {
        match &self.read {
            Ok(part) => Some(part),
            Err(_) if sort == Sort::Exception => None,
            Err(_) => self.good.as_ref(),
        }
    }

    /// What is wrong with it, and whether an earlier state of it is in force.
    pub(super) fn problem(&self) -> Option<(&str, bool)> {
        let why = self.read.as_ref().err().or(self.refusal.as_ref())?;
        Some((why, self.good.is_some()))
    }
}

/// What the audit asks of an Exception.
#[derive(Clone, Debug)]
pub(super) struct ExceptionView {
    pub(super) name: String,
    pub(super) owner: Option<String>,
    pub(super) expires: Option<Timestamp>,
    /// The Environments of the namespaces that it names.
    pub(super) environments: Vec<EnvironmentName>,
    /// Whether it counts now.
    pub(super) counts: bool,
    /// Whether somebody who may approve it did.
    pub(super) was_approved: bool,
    /// Whether it lifts even what only an emergency does.
    pub(super) is_break_glass: bool,
}

/// What came of a change.
pub(super) struct Settled {
    /// The policy in force.
    pub(super) policy: Arc<Policy>,
    /// The trust material in force, where it is another than before.
    pub(super) materials: Option<Vec<TrustMaterial>>,
}

/// The objects of the cluster.
pub(super) struct Book {
    base: Base,
    source: MaterialSource,
    key: Option<RecordKey>,
    entries: BTreeMap<Id, Entry>,
    policy: Option<Arc<Policy>>,
    materials: Vec<Digest>,
}

/// The Environments of the namespaces that an Exception names.
fn environments(policy: &Policy, input: &ExceptionInput, namespaces: &Namespaces) -> Vec<EnvironmentName> {
    let of = |name: &String| {
        let namespace = Namespace { name: name.clone(), labels: namespaces.labels(name).cloned() };
        policy.environment_of(&namespace).unwrap_or_else(|| policy.default_environment()).clone()
    };
    let mut environments: Vec<_> = input.exception.spec.scope.namespaces.iter().map(of).collect();
    environments.dedup();
    if environments.is_empty() {
        environments.push(policy.default_environment().clone());
    }
    environments
}

impl Book {
    pub(super) fn new(base: Base, source: MaterialSource) -> Self {
        Self { base, source, key: None, entries: BTreeMap::new(), policy: None, materials: Vec::new() }
    }

    /// The policy in force.
    pub(super) fn policy(&self) -> Option<&Arc<Policy>> {
        self.policy.as_ref()
    }

    /// The key of records, once it is known.
    pub(super) fn key(&self) -> Option<&RecordKey> {
        self.key.as_ref()
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&Id, &Entry)> {
        self.entries.iter()
    }

    /// The trust roots that stand in the cluster and can be read.
    pub(super) fn roots(&self) -> impl Iterator<Item = &TrustRoot> {
        self.entries.values().filter_map(|entry| match &entry.read {
            Ok(Part::Root(root)) => root.written.as_deref(),
            _ => None,
        })
    }

    /// The releases that are in force.
    pub(super) fn releases(&self) -> impl Iterator<Item = &ReleaseArtifact> {
        self.entries.values().filter_map(|entry| match &entry.good {
            Some(Part::Release(release)) => Some(&**release),
            _ => None,
        })
    }

    /// Takes the key of records in: what was read of Exceptions may be different with it.
    pub(super) fn set_key(&mut self, key: Option<RecordKey>) {
        self.key = key;
        let mut entries = std::mem::take(&mut self.entries);
        for entry in entries.values_mut() {
            if let (Ok(Part::Exception(input)), Some(held)) = (&entry.read, &entry.held) {
                let again = self.vouched(input.exception.clone(), held.record.as_deref());
                entry.read = Ok(Part::Exception(Arc::new(again)));
            }
        }
        self.entries = entries;
    }

    /// Trust roots were renewed where they come from: those of files are these, and those of the cluster are read again.
    pub(super) fn renew_roots(&mut self, roots: Vec<(String, TrustMaterial)>) {
        self.base.roots = roots;
        let mut entries = std::mem::take(&mut self.entries);
        for entry in entries.values_mut() {
            if let Some(root) = entry.held.as_ref().and_then(|held| held.root.as_ref()) {
                entry.read = self.read(Sort::TrustRoot, root);
            }
        }
        self.entries = entries;
    }

    /// All objects of a kind are these.
    pub(super) fn list(&mut self, sort: Sort, objects: Vec<Received>) {
        let names: BTreeSet<&str> = objects.iter().map(Received::name).collect();
        let gone: Vec<String> = self
            .entries
            .keys()
            .filter(|id| id.sort == sort && !names.contains(id.name.as_str()))
            .map(|id| id.name.clone())
            .collect();
        for name in gone {
            self.remove(sort, &name);
        }
        for object in objects {
            self.apply(sort, object);
        }
    }

    /// An object was made or changed. False where nothing that decides is different.
    pub(super) fn apply(&mut self, sort: Sort, object: Received) -> bool {
        let Received { name, kind, held } = object;
        let id = Id { sort, name };
        if let Some(entry) = self.entries.get_mut(&id)
            && entry.held.as_ref().is_some_and(|own| {
                (&own.uid, own.generation, &own.record) == (&held.uid, held.generation, &held.record)
            })
        {
            // Its status, its labels.
            entry.held = Some(held);
            return false;
        }
        let read = self.part(sort, &id.name, kind, held.record.as_deref());
        let good = self.entries.remove(&id).and_then(|entry| entry.good);
        let good = good.filter(|_| sort != Sort::Exception);
        self.entries.insert(id, Entry { held: Some(held), read, good, refusal: None });
        true
    }

    /// An object is gone.
    pub(super) fn remove(&mut self, sort: Sort, name: &str) {
        let id = Id { sort, name: name.to_owned() };
        if let Some(entry) = self.entries.remove(&id)
            && let Some(Part::Root(root)) = entry.good
        {
            let revoked = Part::Root(Arc::new(root.revoked()));
            let entry = Entry { held: None, read: Ok(revoked), good: None, refusal: None };
            self.entries.insert(id, entry);
        }
    }

    /// What an object says.
    pub(super) fn read(&self, sort: Sort, object: &StoredObject) -> Result<Part, String> {
        self.part(sort, object.name(), kind_of(object), object.annotation(ANNOTATION))
    }

    /// What an object says that was read.
    fn part(&self, sort: Sort, name: &str, kind: Result<Kind, String>, record: Option<&str>) -> Result<Part, String> {
        let in_file = match sort {
            Sort::Environment => self.base.environments.iter().any(|own| own.metadata.name == name),
            Sort::TrustRoot => self.base.roots.iter().any(|(own, _)| own == name),
            Sort::Exception => self.base.exceptions.iter().any(|own| own.exception.metadata.name == name),
            Sort::Release => false,
        };
        if in_file {
            return Err("the files that Assay was started with have one of this name, which counts".to_owned());
        }
        match (sort, kind?) {
            (Sort::TrustRoot, Kind::TrustRoot(root)) => {
                let material = (self.source)(&root)?;
                Ok(Part::Root(Arc::new(Root { written: Some(root), ..Root::new(name, material) })))
            }
            (Sort::Environment, Kind::Environment(environment)) => Ok(Part::Environment((*environment).into())),
            (Sort::Exception, Kind::Exception(exception)) => {
                Ok(Part::Exception(Arc::new(self.vouched(*exception, record))))
            }
            (Sort::Release, Kind::ReleaseArtifact(release)) => Ok(Part::Release((*release).into())),
            _ => Err(format!("is no object of {}", sort.resource().plural)),
        }
    }

    fn vouched(&self, exception: Exception, record: Option<&str>) -> ExceptionInput {
        let (author, approval) = vouch::read(self.key.as_ref(), &exception, record);
        ExceptionInput { exception, approval, author }
    }

    /// What the policy would say of one more object.
    pub(super) fn trial(&self, id: &Id, part: &Part) -> Result<(), PolicyError> {
        let good = self.entries.iter().filter(|(own, _)| *own != id).filter_map(|(_, entry)| entry.good.as_ref());
        self.compile(good.chain([part])).map(drop)
    }

    /// What stands against an Exception already when it is written: it has ended, or lasts too long.
    pub(super) fn objection(&self, exception: &Exception, namespaces: &Namespaces, now: Timestamp) -> Option<String> {
        if let Some(at) = exception.spec.expires_at.filter(|at| *at <= now) {
            return Some(ExceptionProblem::Expired { at }.to_string());
        }
        // As if it were approved at this moment: it would never last for less time.
        let mut approved = exception.clone();
        let by = "nobody".to_owned();
        approved.spec.approval.get_or_insert(Approval { by: by.clone(), reference: None, at: now });
        let approval = ApprovalState::Authenticated { by, groups: Vec::new() };
        let input = ExceptionInput { exception: approved, approval, author: None };
        match self.standing(&input, namespaces, now) {
            Err(problem @ ExceptionProblem::BeyondCap { .. }) => Some(problem.to_string()),
            _ => None,
        }
    }

    /// Whether an Exception counts where it wants to; the first thing that is wrong with it otherwise.
    pub(super) fn standing(
        &self,
        input: &ExceptionInput,
        namespaces: &Namespaces,
        now: Timestamp,
    ) -> Result<(), ExceptionProblem> {
        let Some(policy) = &self.policy else { return Ok(()) };
        let environments = environments(policy, input, namespaces);
        let mut checks = environments.iter().filter_map(|name| policy.check_exception(name.as_str(), input, now));
        checks.find(Result::is_err).unwrap_or(Ok(()))
    }

    /// Whether the Exception of an entry counts; `None` where it is no readable Exception.
    pub(super) fn exception_standing(
        &self,
        entry: &Entry,
        namespaces: &Namespaces,
        now: Timestamp,
    ) -> Option<Result<(), ExceptionProblem>> {
        match &entry.read {
            Ok(Part::Exception(input)) => Some(self.standing(input, namespaces, now)),
            _ => None,
        }
    }

    /// The Exceptions that can be read.
    pub(super) fn exceptions(&self, namespaces: &Namespaces, now: Timestamp) -> Vec<ExceptionView> {
        let view = |entry: &Entry| {
            let Ok(Part::Exception(input)) = &entry.read else { return None };
            let standing = self.standing(input, namespaces, now);
            let spec = &input.exception.spec;
            // Of an Exception that has ended nothing else is said: as it was a moment before, it may have been in order.
            let before = spec.expires_at.filter(|at| *at <= now).and_then(|at| at.checked_sub(MOMENT).ok());
            let was_approved = before.map_or(standing.is_ok(), |at| self.standing(input, namespaces, at).is_ok());
            Some(ExceptionView {
                name: input.exception.metadata.name.clone(),
                owner: spec.owner.clone(),
                expires: spec.expires_at,
                environments: self.policy.as_deref().map_or_else(Vec::new, |own| environments(own, input, namespaces)),
                counts: standing.is_ok(),
                was_approved,
                is_break_glass: spec.break_glass,
            })
        };
        self.entries.values().filter_map(view).collect()
    }

    /// When the next Exception ends.
    pub(super) fn next_expiry(&self, now: Timestamp) -> Option<Timestamp> {
        let ends = self.entries.values().filter_map(|entry| match &entry.read {
            Ok(Part::Exception(input)) => input.exception.spec.expires_at,
            _ => None,
        });
        ends.filter(|at| *at > now).min()
    }

    /// Brings into force what can be.
    pub(super) fn settle(&mut self) -> Result<Settled, PolicyError> {
        let all = self.entries.iter().filter_map(|(id, entry)| entry.candidate(id.sort));
        let policy = match self.compile(all) {
            Ok(policy) => {
                for (id, entry) in &mut self.entries {
                    entry.good = entry.candidate(id.sort).cloned();
                    entry.refusal = None;
                }
                policy
            }
            Err(_) => self.settle_in_parts()?,
        };
        self.forget_revoked();
        let policy = Arc::new(policy);
        self.policy = Some(Arc::clone(&policy));
        let materials = self.materials();
        let hashes: Vec<Digest> = materials.iter().map(TrustMaterial::hash).collect();
        let changed = hashes != self.materials;
        self.materials = hashes;
        Ok(Settled { policy, materials: changed.then_some(materials) })
    }

    /// Some of them cannot be meant: finds out which, and takes the others in.
    fn settle_in_parts(&mut self) -> Result<Policy, PolicyError> {
        let mut waiting: Vec<Id> = self.entries.keys().cloned().collect();
        loop {
            let before = waiting.len();
            waiting = self.admit(&waiting);
            // What was refused may need what was taken in after it.
            if waiting.is_empty() || waiting.len() == before {
                break;
            }
        }
        self.compile(self.entries.values().filter_map(|entry| entry.good.as_ref()))
    }

    /// Takes in of these what can be, halving until the bad ones are alone. Gives those.
    fn admit(&mut self, ids: &[Id]) -> Vec<Id> {
        let parts = self.entries.iter().filter_map(|(id, entry)| {
            if ids.binary_search(id).is_ok() { entry.candidate(id.sort) } else { entry.good.as_ref() }
        });
        match (self.compile(parts), ids) {
            (Ok(_), _) => {
                for id in ids {
                    if let Some(entry) = self.entries.get_mut(id) {
                        entry.good = entry.candidate(id.sort).cloned();
                        entry.refusal = None;
                    }
                }
                Vec::new()
            }
            (Err(error), [id]) => {
                if let Some(entry) = self.entries.get_mut(id) {
                    entry.refusal = Some(error.to_string());
                }
                vec![id.clone()]
            }
            (Err(_), ids) => {
                let (left, right) = ids.split_at(ids.len() / 2);
                let mut refused = self.admit(left);
                refused.extend(self.admit(right));
                refused
            }
        }
    }

    /// A revoked root is kept only as long as somebody names it.
    fn forget_revoked(&mut self) {
        let gone: Vec<Id> =
            self.entries.iter().filter(|(_, entry)| entry.held.is_none()).map(|(id, _)| id.clone()).collect();
        for id in gone {
            let others = self.entries.iter().filter(|(own, _)| **own != id);
            if self.compile(others.filter_map(|(_, entry)| entry.good.as_ref())).is_ok() {
                self.entries.remove(&id);
            }
        }
    }

    fn compile<'p>(&self, parts: impl Iterator<Item = &'p Part>) -> Result<Policy, PolicyError> {
        let mut environments = self.base.environments.clone();
        let mut exceptions: Vec<_> = self.base.exceptions.iter().cloned().map(Arc::new).collect();
        let base = self.base.roots.iter().map(|(name, material)| Root::new(name, material.clone()).input);
        let mut trust_roots: Vec<TrustRootInput> = base.collect();
        for part in parts {
            match part {
                Part::Root(root) => trust_roots.push(root.input.clone()),
                Part::Environment(environment) => environments.push((**environment).clone()),
                Part::Exception(exception) => exceptions.push(Arc::clone(exception)),
                Part::Release(_) => {}
            }
        }
        for starter in &self.base.starters {
            if !environments.iter().any(|own| own.metadata.name == starter.metadata.name) {
                environments.push(starter.clone());
            }
        }
        Policy::compile(PolicyInput { environments, exceptions, trust_roots, default_environment: None })
    }

    fn materials(&self) -> Vec<TrustMaterial> {
        let own = self.entries.values().filter_map(|entry| match &entry.good {
            Some(Part::Root(root)) => Some(root.material.clone()),
            _ => None,
        });
        self.base.roots.iter().map(|(_, material)| material.clone()).chain(own).collect()
    }
}

/// The parser counts lines of JSON that nobody wrote.
pub(super) fn without_place(message: &str) -> String {
    let numbered = |text: &str| {
        let (line, rest) = text.split_once(':')?;
        let (column, rest) = rest.split_once(": ")?;
        let digits = |number: &str| number.bytes().all(|byte| byte.is_ascii_digit());
        (digits(line) && digits(column)).then(|| rest.to_owned())
    };
    message.strip_prefix("object:").and_then(numbered).unwrap_or_else(|| message.to_owned())
}

#[cfg(test)]
mod tests;
