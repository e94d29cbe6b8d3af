//! The tasks that keep a server and its cluster in step. Nothing here answers a request; a request never waits for it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assay_case::Namespace;
use assay_kube::{
    CUSTOM_RESOURCE_DEFINITIONS, Change, MUTATING_WEBHOOKS, NAMESPACES, Resource, SECRETS, Selection, Standing,
    StoredObject, VALIDATING_WEBHOOKS, Watcher,
};
use assay_model::{Explain as _, Timestamp};
use assay_store::Store;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;

use super::audit;
use super::authority::{self, SECRET};
use super::book::{Book, Received, Sort};
use super::drill;
use super::exposure;
use super::status::{self, Writing};
use super::webhooks::{self, NAME, Repair, Wanted};
use super::{ClusterOptions, Notice};
use crate::Namespaces;
use crate::admission::{Admissions, Snapshot};
use crate::audit::Routes;
use crate::certificate::Certificate;
use crate::gathering::warming::{self, Releases};

/// Changes that come together are taken in together.
const GATHER: Duration = Duration::from_millis(25);
/// How often certificates, webhooks and statuses are looked at without a reason.
const ROUND: Duration = Duration::from_mins(10);
/// Before something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// Changes that may wait.
const QUEUE: usize = 1_024;

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Kind(Sort),
    Namespaces,
    Validating,
    Mutating,
    Secret,
}

impl Source {
    fn name(self) -> &'static str {
        match self {
            Self::Kind(sort) => sort.resource().plural,
            Self::Namespaces => NAMESPACES.plural,
            Self::Validating => VALIDATING_WEBHOOKS.plural,
            Self::Mutating => MUTATING_WEBHOOKS.plural,
            Self::Secret => SECRETS.plural,
        }
    }
}

/// Everything that the tasks share.
pub(super) struct Shared {
    pub(super) options: ClusterOptions,
    pub(super) admissions: Arc<Admissions>,
    pub(super) certificate: Arc<Certificate>,
    pub(super) book: Arc<Mutex<Book>>,
    pub(super) namespaces: Arc<Snapshot<Namespaces>>,
    /// Somebody touched a webhook configuration.
    pub(super) touched: Notify,
    /// Trust roots were renewed.
    pub(super) renewed: Notify,
    /// Somebody touched the Secret.
    pub(super) reissue: Notify,
    /// Counts the reasons to judge again what runs.
    pub(super) rejudge: watch::Sender<u64>,
    /// What leads to workloads from outside.
    pub(super) routes: Mutex<Routes>,
    /// Counts its changes, from when all of it was listed once.
    pub(super) routed: watch::Sender<u64>,
    pub(super) store: Arc<Store>,
}

impl Shared {
    pub(super) fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        (self.admissions.clock)()
    }

    pub(super) fn notice(&self, notice: Notice) {
        (self.options.notify)(notice);
    }
}

/// Starts all tasks; they end when the set is dropped.
pub(super) fn start(shared: &Arc<Shared>, standing: &watch::Receiver<Standing>) -> JoinSet<()> {
    let mut tasks = JoinSet::new();
    let (events, inbox) = mpsc::channel(QUEUE);
    let namespace = shared.options.namespace.as_str();
    let mut watched: Vec<(Source, Resource, Selection)> =
        Sort::ALL.map(|sort| (Source::Kind(sort), sort.resource(), Selection::default())).into();
    watched.extend([
        (Source::Namespaces, NAMESPACES, Selection::default()),
        (Source::Validating, VALIDATING_WEBHOOKS, Selection::one(None, NAME)),
        (Source::Mutating, MUTATING_WEBHOOKS, Selection::one(None, NAME)),
        (Source::Secret, SECRETS, Selection::one(Some(namespace), SECRET)),
    ]);
    for (source, resource, selection) in watched {
        let keep = if matches!(source, Source::Kind(_)) { Kept::read } else { Kept::Whole };
        let mut watcher = Watcher::new(shared.options.client.clone(), resource, selection).keeping(keep);
        let events = events.clone();
        tasks.spawn(async move { while events.send((source, watcher.next().await)).await.is_ok() {} });
    }
    let (statuses, wanted_statuses) = watch::channel(Vec::new());
    let (configuration, wanted_configuration) = watch::channel(None);
    let (bundle, known_bundle) = watch::channel(None);
    tasks.spawn(keep_authority(Arc::clone(shared), bundle));
    tasks.spawn(keep_webhooks(Arc::clone(shared), wanted_configuration, standing.clone()));
    tasks.spawn(exposure::keep(Arc::clone(shared)));
    tasks.spawn(audit::keep(Arc::clone(shared), standing.clone()));
    tasks.spawn(drill::keep(Arc::clone(shared)));
    tasks.spawn(write_statuses(Arc::clone(shared), wanted_statuses));
    let (releases, wanted_releases) = watch::channel(Releases::new());
    let (facts, metrics) = (Arc::clone(&shared.admissions.facts), shared.admissions.metrics.warming.clone());
    tasks.spawn(warming::keep(facts, Arc::clone(&shared.store), metrics, wanted_releases));
    let state = State { seen: BTreeSet::new(), known: BTreeMap::new(), silent: BTreeSet::new() };
    let channels = Channels { statuses, configuration, releases };
    tasks.spawn(follow(Arc::clone(shared), inbox, state, channels, known_bundle));
    tasks
}

/// What is kept of an object that is watched.
enum Kept {
    /// What an object of Assay says.
    Read(Box<Received>),
    Whole(StoredObject),
}

impl Kept {
    fn read(object: StoredObject) -> Self {
        Self::Read(Box::new(Received::of(object)))
    }

    fn name(&self) -> &str {
        match self {
            Self::Read(received) => received.name(),
            Self::Whole(object) => object.name(),
        }
    }

    fn labels(&self) -> BTreeMap<String, String> {
        match self {
            Self::Read(_) => BTreeMap::new(),
            Self::Whole(object) => object.labels(),
        }
    }

    fn received(self) -> Received {
        match self {
            Self::Read(received) => *received,
            Self::Whole(object) => Received::of(object),
        }
    }
}

/// What the task knows that follows the changes.
struct State {
    /// What was listed once: before that, nothing is decided.
    seen: BTreeSet<Source>,
    /// Labels by namespace.
    known: BTreeMap<String, BTreeMap<String, String>>,
    /// What could not be asked the last time.
    silent: BTreeSet<Source>,
}

/// Where it tells the other tasks what is wanted by now.
struct Channels {
    statuses: watch::Sender<Vec<Writing>>,
    configuration: watch::Sender<Option<Wanted>>,
    releases: watch::Sender<Releases>,
}

/// What changes ask for. The echo of a status that was written here asks for nothing.
#[derive(Default)]
struct Due {
    policy: bool,
    namespaces: bool,
    /// Time has passed.
    round: bool,
}

/// Takes changes in, and brings into force what follows from them.
async fn follow(
    shared: Arc<Shared>,
    mut inbox: mpsc::Receiver<(Source, Change<Kept>)>,
    mut state: State,
    channels: Channels,
    mut bundle: watch::Receiver<Option<String>>,
) {
    // What came before everything was listed once is due when it is: a list of namespaces need not be the last one.
    let mut waiting = Due::default();
    loop {
        let now = shared.now();
        let expiry = shared.book().next_expiry(now);
        // One second later it has ended for sure; the Gate itself never waits for this.
        let sleep = expiry.map_or(ROUND, |at| {
            Duration::try_from(at.duration_since(now)).unwrap_or_default() + Duration::from_millis(100)
        });
        let mut is_over = false;
        tokio::select! {
            event = inbox.recv() => {
                let Some(event) = event else { return };
                take(&shared, &mut state, event, &mut waiting).await;
                tokio::time::sleep(GATHER).await;
                while let Ok(event) = inbox.try_recv() {
                    take(&shared, &mut state, event, &mut waiting).await;
                }
            }
            () = tokio::time::sleep(sleep.min(ROUND)) => {
                waiting.round = true;
                is_over = expiry.is_some_and(|at| at <= shared.now());
            }
            () = shared.renewed.notified() => waiting.policy = true,
            changed = bundle.changed() => {
                // The key of records came with it.
                if changed.is_err() { return }
                waiting.policy = true;
            }
        }
        let everything = Sort::ALL.map(Source::Kind).into_iter().chain([Source::Namespaces]);
        if !everything.into_iter().all(|source| state.seen.contains(&source)) {
            continue;
        }
        let mut due = std::mem::take(&mut waiting);
        if due.namespaces {
            let namespaces: Namespaces = state.known.clone().into_iter().collect();
            shared.namespaces.set(namespaces.clone());
            shared.admissions.namespaces.set(namespaces);
        }
        if due.policy || shared.book().policy().is_none() {
            due.policy = true;
            settle(&shared);
        }
        if !(due.policy || due.namespaces || due.round) {
            continue;
        }
        if due.policy || due.namespaces || is_over {
            shared.rejudge.send_modify(|count| *count += 1);
        }
        let _ = channels.statuses.send_replace(writings(&shared));
        let bundle = bundle.borrow_and_update().clone();
        if let Some(bundle) = bundle {
            let open = open(&shared, &state.known);
            let ClusterOptions { called, namespace, mutate, .. } = &shared.options;
            let (called, own_namespace) = (called.clone(), namespace.clone());
            let wanted = Wanted { called, bundle, own_namespace, open, mutate: *mutate };
            channels.configuration.send_if_modified(|held| {
                held.as_ref() != Some(&wanted) && {
                    *held = Some(wanted);
                    true
                }
            });
        }
        let wanted = releases(&shared);
        channels.releases.send_if_modified(|held| {
            let is_other = *held != wanted;
            if is_other {
                *held = wanted;
            }
            is_other
        });
    }
}

/// Takes one change in.
async fn take(shared: &Shared, state: &mut State, (source, change): (Source, Change<Kept>), due: &mut Due) {
    if let Change::Failed(error) = &change {
        if state.silent.insert(source) {
            tracing::warn!(%error, code = error.code(), ?source, "what is watched cannot be seen");
            shared.admissions.metrics.watch_failures.inc();
            let is_undefined = error.is_not_found();
            shared.notice(Notice::Unseen { what: source.name(), why: error.to_string(), is_undefined });
        }
        return;
    }
    state.silent.remove(&source);
    match source {
        Source::Kind(sort) => {
            due.policy |= match change {
                Change::Listed(objects) => {
                    shared.book().list(sort, objects.into_iter().map(Kept::received).collect());
                    true
                }
                Change::Applied(object) => shared.book().apply(sort, object.received()),
                Change::Deleted(object) => {
                    let stays =
                        matches!(sort, Sort::Environment | Sort::TrustRoot) && is_being_removed(shared, sort).await;
                    if stays {
                        tracing::error!(
                            kind = sort.resource().plural,
                            "its definition is being deleted: what was in force stays"
                        );
                        shared.notice(Notice::DefinitionGone { plural: sort.resource().plural });
                    } else {
                        shared.book().remove(sort, object.name());
                    }
                    !stays
                }
                Change::Failed(_) => false,
            };
        }
        Source::Namespaces => {
            due.namespaces = true;
            match change {
                Change::Listed(objects) => {
                    state.known = objects.iter().map(|own| (own.name().to_owned(), own.labels())).collect();
                }
                Change::Applied(object) => drop(state.known.insert(object.name().to_owned(), object.labels())),
                Change::Deleted(object) => drop(state.known.remove(object.name())),
                Change::Failed(_) => {}
            }
        }
        Source::Validating | Source::Mutating => shared.touched.notify_one(),
        Source::Secret => shared.reissue.notify_one(),
    }
    state.seen.insert(source);
}

/// Whether objects go because their definition goes: an accident that must not change what is decided. A definition that
/// cannot be asked for counts as there: what somebody deletes is deleted.
async fn is_being_removed(shared: &Shared, sort: Sort) -> bool {
    match shared.options.client.get(CUSTOM_RESOURCE_DEFINITIONS, None, &sort.definition()).await {
        Ok(definition) => StoredObject::is_terminating(&definition),
        Err(error) => error.is_not_found(),
    }
}

/// Compiles, and brings into force.
fn settle(shared: &Shared) {
    let mut book = shared.book();
    let before = book.policy().map(|policy| policy.digest());
    match book.settle() {
        Ok(settled) => {
            let refused = book.entries().filter(|(_, entry)| entry.problem().is_some()).count();
            shared.admissions.metrics.objects_refused.set(i64::try_from(refused).unwrap_or(i64::MAX));
            drop(book);
            if let Some(materials) = settled.materials
                && let Err(why) = (shared.options.on_materials)(materials)
            {
                tracing::error!(why, "trust material cannot be used");
                return;
            }
            let digest = settled.policy.digest();
            shared.admissions.policy.set(Some(settled.policy));
            if before != Some(digest) {
                shared.notice(Notice::Policy { digest, refused });
            }
        }
        Err(error) => tracing::error!(%error, code = error.code(), "the policy of before stays in force"),
    }
}

/// The statuses that differ from what objects show.
fn writings(shared: &Shared) -> Vec<Writing> {
    let book = shared.book();
    let Some(policy) = book.policy().map(|policy| policy.digest()) else { return Vec::new() };
    let (namespaces, now) = (shared.namespaces.get(), shared.now());
    let entries = book.entries();
    entries
        .filter_map(|(id, entry)| {
            let standing = book.exception_standing(entry, &namespaces, now);
            status::writing(id, entry, standing, policy, now)
        })
        .collect()
}

/// The namespaces in which an unanswered webhook lets through.
fn open(shared: &Shared, known: &BTreeMap<String, BTreeMap<String, String>>) -> Vec<String> {
    let book = shared.book();
    let Some(policy) = book.policy() else { return Vec::new() };
    let is_open = |name: &String, labels: &BTreeMap<String, String>| {
        !policy.fails_closed(&Namespace { name: name.clone(), labels: Some(labels.clone()) })
    };
    known.iter().filter(|(name, labels)| is_open(name, labels)).map(|(name, _)| name.clone()).collect()
}

/// The releases whose facts are wanted before anybody deploys them.
fn releases(shared: &Shared) -> Releases {
    let book = shared.book();
    book.releases().map(|release| (release.spec.image.repository.clone(), release.spec.image.digest)).collect()
}

/// Keeps the certificate: takes what the Secret holds, and renews it there.
async fn keep_authority(shared: Arc<Shared>, bundle: watch::Sender<Option<String>>) {
    let names = shared.options.called.names();
    let mut held = None;
    loop {
        let ClusterOptions { client, namespace, .. } = &shared.options;
        let pause = match authority::obtain(client, namespace, &names, shared.now()).await {
            // The Secret holds the key of records as well; the certificate is not its affair then.
            Ok(authority) if shared.options.authority.is_some() => {
                shared.book().set_key(authority.record_key());
                foreign(&shared, &bundle)
            }
            Ok(authority) if held.as_ref() == Some(&authority) => ROUND,
            Ok(authority) => {
                let (certificate, key) = authority.leaf();
                match shared.certificate.present(certificate, key) {
                    Ok(()) => {
                        shared.book().set_key(authority.record_key());
                        bundle.send_replace(Some(authority.bundle()));
                        held = Some(authority);
                        ROUND
                    }
                    Err(error) => {
                        tracing::error!(%error, code = error.code(), "the certificate of before is presented");
                        ROUND
                    }
                }
            }
            Err(error) => {
                tracing::error!(%error, "there is no certificate from the Secret {SECRET}");
                shared.notice(Notice::NoAuthority { why: error.to_string() });
                AGAIN
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.reissue.notified() => {}
        }
    }
}

/// Takes the authority in that somebody else keeps in a file, and says when to look again.
fn foreign(shared: &Shared, bundle: &watch::Sender<Option<String>>) -> Duration {
    let Some(path) = &shared.options.authority else { return ROUND };
    match std::fs::read_to_string(path) {
        Ok(pem) if pem.contains("BEGIN CERTIFICATE") => {
            bundle.send_if_modified(|held| {
                let is_other = held.as_ref() != Some(&pem);
                if is_other {
                    *held = Some(pem);
                }
                is_other
            });
        }
        Ok(_) => shared.notice(Notice::NoAuthority { why: format!("{} holds no certificate", path.display()) }),
        Err(error) => shared.notice(Notice::NoAuthority { why: format!("{}: {error}", path.display()) }),
    }
    AGAIN
}

/// Keeps the webhook configurations what they have to be. Only the replica that holds the Lease changes what is there: two
/// versions side by side would take each other's work for an edit. Where nobody can know who holds it, every replica does:
/// a registration that nobody repairs is worse than one that is written twice.
async fn keep_webhooks(
    shared: Arc<Shared>,
    mut wanted: watch::Receiver<Option<Wanted>>,
    mut standing: watch::Receiver<Standing>,
) {
    if standing.wait_for(|standing| *standing != Standing::Unasked).await.is_err() {
        return;
    }
    let mut is_first = true;
    let mut kept: Option<Wanted> = None;
    loop {
        let stands = *standing.borrow_and_update();
        let leads = matches!(stands, Standing::Held | Standing::Unknowable);
        let mut wrote = false;
        let now = wanted.borrow_and_update().clone();
        let mut pause = ROUND;
        for (resource, object) in now.iter().flat_map(Wanted::objects) {
            match webhooks::repair(&shared.options.client, resource, &object, leads).await {
                // What the leading replica keeps is in place, be it of another version.
                Ok(Repair::None | Repair::Left) => {}
                Ok(repair) => {
                    wrote = true;
                    shared.admissions.metrics.webhook_writes.inc();
                    shared.notice(Notice::Registered { resource: resource.plural, repair: repair == Repair::Replaced });
                    if leads && kept == now {
                        audit::edited(&shared, resource, repair == Repair::Created).await;
                    }
                }
                Err(error) => {
                    pause = AGAIN;
                    if !error.is_conflict() {
                        tracing::error!(%error, code = error.code(), "a webhook configuration could not be written");
                        shared.notice(Notice::NotRegistered { why: error.to_string() });
                    }
                }
            }
        }
        if now.is_some() && pause == ROUND {
            kept = now.filter(|_| leads);
            if std::mem::take(&mut is_first) {
                shared.notice(Notice::Ready);
            }
        }
        if wrote && stands == Standing::Unknowable {
            // Another version may have it otherwise, and answer each write with one of its own.
            tokio::time::sleep(AGAIN).await;
        }
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = shared.touched.notified() => {}
            changed = wanted.changed() => if changed.is_err() { return },
            changed = standing.changed() => if changed.is_err() { return },
        }
    }
}

/// Writes statuses, the newest wish of each object. What fails is tried again; what is written is done.
async fn write_statuses(shared: Arc<Shared>, mut wanted: watch::Receiver<Vec<Writing>>) {
    let mut waiting = Vec::new();
    loop {
        while let Some(Writing { sort, name, status }) = waiting.last() {
            match shared.options.client.merge_status(sort.resource(), None, name, status).await {
                Ok(_) => {}
                Err(error) if error.is_not_found() || error.is_conflict() => {}
                Err(error) => {
                    tracing::warn!(%error, code = error.code(), name, "a status could not be written");
                    break;
                }
            }
            waiting.pop();
            // A newer wish comes first.
            if wanted.has_changed().unwrap_or(true) {
                break;
            }
        }
        let pause = if waiting.is_empty() { ROUND } else { AGAIN };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            changed = wanted.changed() => {
                if changed.is_err() { return }
                waiting.clone_from(&wanted.borrow_and_update());
            }
        }
    }
}
