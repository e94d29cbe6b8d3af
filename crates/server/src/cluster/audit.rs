//! The background audit: the one replica that holds the Lease watches what runs, and has it judged again whenever
//! something that a verdict depends on has changed, and once a day anyway.

mod events;
mod guard;
mod reminders;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use assay_case::{Exposure, Namespace};
use assay_gate::Policy;
use assay_kube::{
    CUSTOM_RESOURCE_DEFINITIONS, Change, PODS, Resource, Selection, Standing, Watcher, in_use, reduced_pod,
};
use assay_model::Explain as _;
use assay_store::{FindingRecord, RunningPod};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::Notice;
use super::book::Sort;
use super::controller::Shared;
use crate::audit::{BreakGlass, Changes, Findings, GroupKey, Judge, Population, Recorded, Source, Told};
use crate::{GatheredFacts, running_pod};

use self::events::Teller;
pub(super) use self::guard::edited;

/// Changes that come together are judged together.
const GATHER: Duration = Duration::from_millis(25);
/// Everything that runs is judged again, whatever happens.
const DAILY: Duration = Duration::from_hours(24);
/// How often what could not be settled is looked at again.
const TICK: Duration = Duration::from_secs(5);
/// A decision about a Pod is in the store of every replica by then.
const RECORDED: Duration = Duration::from_secs(5);
/// The shortest time between two writes of the inventory, and what each thousand Pods add to it.
const INVENTORY: Duration = Duration::from_secs(2);
/// How often the API groups of the cluster and the Exceptions are looked at without a reason.
const MINUTE: Duration = Duration::from_mins(1);
/// Groups whose facts are gathered at once.
const GATHERING: usize = 2;
/// For the facts of one group.
const GATHER_WITHIN: Duration = Duration::from_mins(2);
/// Groups that are judged before others may use the thread.
const TURN: usize = 32;
/// Changes that may wait.
const QUEUE: usize = 256;

/// What was seen.
enum Seen {
    Pods(Change),
    Definition(Sort, Change),
}

/// Audits for as long as the Lease is ours.
pub(super) async fn keep(shared: Arc<Shared>, mut standing: watch::Receiver<Standing>) {
    loop {
        if standing.wait_for(|standing| *standing == Standing::Held).await.is_err() {
            return;
        }
        let leader = &shared.admissions.metrics.audit.leader;
        leader.set(1);
        shared.notice(Notice::Leads);
        tokio::select! {
            () = lead(&shared) => {}
            lost = standing.wait_for(|standing| *standing != Standing::Held) => if lost.is_err() { return },
        }
        leader.set(0);
        shared.admissions.metrics.age.drop_inventory();
        if *standing.borrow() == Standing::Elsewhere {
            shared.notice(Notice::Follows);
        }
    }
}

async fn lead(shared: &Arc<Shared>) {
    let mut tasks = JoinSet::new();
    let (events, mut inbox) = mpsc::channel(QUEUE);
    watch_all(shared, &events, &mut tasks);
    let teller = Teller::start(shared, &mut tasks);
    let mut rejudge = shared.rejudge.subscribe();
    let mut routed = shared.routed.subscribe();
    // What is known already is news to this audit.
    routed.mark_changed();
    let open = read(shared, |shared| shared.store.open_findings(&shared.options.cluster)).await.unwrap_or_default();
    let mut audit = Audit {
        shared,
        teller,
        findings: Findings::new(&shared.options.cluster, open),
        population: Population::default(),
        exposure: BTreeMap::new(),
        dirty: HashSet::new(),
        first_seen: HashMap::new(),
        gathered: HashMap::new(),
        gathering: HashSet::new(),
        cold: HashMap::new(),
        used: HashMap::new(),
        listed: BTreeSet::new(),
        is_complete: false,
        break_glass: Vec::new(),
        told: Told::default(),
        synced: None,
    };
    let mut facts: JoinSet<(GroupKey, GatheredFacts)> = JoinSet::new();
    let at_once = Arc::new(Semaphore::new(GATHERING));
    let mut ticks = tokio::time::interval(TICK);
    let mut minutes = tokio::time::interval(MINUTE);
    let mut daily = tokio::time::interval_at(Instant::now() + DAILY, DAILY);
    for timer in [&mut ticks, &mut minutes, &mut daily] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        let mut routes = false;
        tokio::select! {
            seen = inbox.recv() => {
                let Some(seen) = seen else { return };
                routes |= audit.take(seen);
                tokio::time::sleep(GATHER).await;
                while let Ok(seen) = inbox.try_recv() {
                    routes |= audit.take(seen);
                }
            }
            changed = rejudge.changed() => {
                if changed.is_err() { return }
                audit.remind();
                audit.everything();
            }
            Some(gathered) = facts.join_next() => audit.took(gathered),
            changed = routed.changed() => {
                if changed.is_err() { return }
                routes = true;
            }
            _ = daily.tick() => audit.everything(),
            _ = minutes.tick() => audit.remind(),
            _ = ticks.tick() => {
                audit.again();
                let unwritten = audit.findings.take_unwritten();
                audit.keep(unwritten).await;
            }
        }
        if routes {
            audit.expose();
        }
        let waiting = audit.judge().await;
        for key in waiting {
            audit.gather(key, &mut facts, &at_once);
        }
        audit.settle().await;
        audit.alert().await;
        audit.keep_inventory().await;
    }
}

/// Watches everything that a verdict about what runs depends on.
fn watch_all(shared: &Shared, events: &mpsc::Sender<Seen>, tasks: &mut JoinSet<()>) {
    let client = &shared.options.client;
    let mut spawn = |mut watcher: Watcher, seen: fn(Resource, Change) -> Seen| {
        let events = events.clone();
        tasks.spawn(async move {
            loop {
                let change = watcher.next().await;
                if events.send(seen(watcher.resource(), change)).await.is_err() {
                    return;
                }
            }
        });
    };
    let pods = Watcher::new(client.clone(), PODS, Selection::default()).keeping(reduced_pod);
    spawn(pods, |_, change| Seen::Pods(change));
    for sort in Sort::ALL {
        let definition = Selection::one(None, &sort.definition());
        let watcher = Watcher::new(client.clone(), CUSTOM_RESOURCE_DEFINITIONS, definition);
        let seen: fn(Resource, Change) -> Seen = match sort {
            Sort::TrustRoot => |_, change| Seen::Definition(Sort::TrustRoot, change),
            Sort::Environment => |_, change| Seen::Definition(Sort::Environment, change),
            Sort::Exception => |_, change| Seen::Definition(Sort::Exception, change),
            Sort::Release => |_, change| Seen::Definition(Sort::Release, change),
        };
        spawn(watcher, seen);
    }
}

/// Asks the store, which blocks.
async fn read<T: Send + 'static>(
    shared: &Arc<Shared>,
    ask: impl FnOnce(&Shared) -> Result<T, assay_store::StoreError> + Send + 'static,
) -> Option<T> {
    let shared = Arc::clone(shared);
    match tokio::task::spawn_blocking(move || ask(&shared)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::error!(%error, code = error.code(), "the audit cannot use the store");
            None
        }
        Err(error) => {
            tracing::error!(%error, "the audit's question to the store failed");
            None
        }
    }
}

/// What the leading replica knows.
struct Audit<'a> {
    shared: &'a Arc<Shared>,
    teller: Teller,
    findings: Findings,
    population: Population,
    exposure: BTreeMap<String, Exposure>,
    /// Groups that have to be judged.
    dirty: HashSet<GroupKey>,
    /// When each group was first seen.
    first_seen: HashMap<GroupKey, Instant>,
    /// Facts that were gathered for a group, for its next verdict.
    gathered: HashMap<GroupKey, GatheredFacts>,
    gathering: HashSet<GroupKey>,
    /// What was gathered last for groups whose facts nobody remembers: mostly why they are not known.
    cold: HashMap<GroupKey, GatheredFacts>,
    /// The Exceptions that lift something for a group, or did until they ended.
    used: HashMap<GroupKey, BTreeSet<String>>,
    /// What has been listed once.
    listed: BTreeSet<&'static str>,
    /// Whether everything has been judged once.
    is_complete: bool,
    /// The break-glass Exceptions, and how many Pods run by them.
    break_glass: Vec<BreakGlass>,
    /// The alerts that the store holds.
    told: Told,
    /// When the inventory was written, and whether something has changed since.
    synced: Option<(Instant, bool)>,
}

impl Audit<'_> {
    /// Takes a change in. Whether exposure may be another one with it.
    fn take(&mut self, seen: Seen) -> bool {
        match seen {
            Seen::Pods(Change::Failed(error)) => {
                self.lost(PODS, &error);
                false
            }
            Seen::Pods(change) => {
                let changed = match change {
                    Change::Listed(pods) => self.population.list(&pods),
                    Change::Applied(pod) => self.population.apply(&pod),
                    Change::Deleted(pod) => self.population.remove(&pod).into_iter().collect(),
                    Change::Failed(_) => Vec::new(),
                };
                self.listed.insert(PODS.plural);
                self.inventory_changed();
                let is_changed = !changed.is_empty();
                self.dirty.extend(changed);
                is_changed
            }
            Seen::Definition(sort, change) => {
                self.definition(sort, &change);
                false
            }
        }
    }

    fn lost(&self, resource: Resource, error: &assay_kube::ApiError) {
        tracing::warn!(%error, code = error.code(), resource = resource.plural, "what runs cannot be watched");
        self.shared.admissions.metrics.watch_failures.inc();
    }

    /// Everything is judged again; which Environment a namespace is of may be another one, too.
    fn everything(&mut self) {
        self.dirty.extend(self.population.groups().map(|(key, _)| key));
        self.inventory_changed();
    }

    /// What was written of the inventory is not what it is now.
    fn inventory_changed(&mut self) {
        if let Some((_, is_changed)) = &mut self.synced {
            *is_changed = true;
        }
    }

    /// What could not be settled before is looked at again.
    fn again(&mut self) {
        let now = Instant::now();
        let is_due = |since: &Instant| {
            let age = now.duration_since(*since);
            age >= RECORDED && age < RECORDED + TICK * 2
        };
        self.dirty.extend(self.first_seen.iter().filter(|(_, since)| is_due(since)).map(|(key, _)| *key));
    }

    fn took(&mut self, gathered: Result<(GroupKey, GatheredFacts), tokio::task::JoinError>) {
        match gathered {
            Ok((key, facts)) => {
                self.gathering.remove(&key);
                self.gathered.insert(key, facts);
                self.dirty.insert(key);
            }
            Err(error) => {
                tracing::error!(%error, "facts could not be gathered for the audit");
                self.gathering.clear();
            }
        }
    }

    /// Finds out what leads to what, and has those judged again for whom that is different.
    fn expose(&mut self) {
        if !self.listed.contains(PODS.plural) || *self.shared.routed.borrow() == 0 {
            return;
        }
        let exposure = self.shared.routes.lock().unwrap_or_else(PoisonError::into_inner).exposure(&self.population);
        if exposure != self.exposure {
            let is_other = |workload: &String| exposure.get(workload) != self.exposure.get(workload);
            let groups = self.population.groups();
            self.dirty.extend(groups.filter(|(_, group)| is_other(&group.workload())).map(|(key, _)| key));
            self.exposure = exposure;
        }
    }

    /// Judges what has to be, as far as its facts are known; gives those whose facts have to be gathered.
    async fn judge(&mut self) -> Vec<GroupKey> {
        let admissions = &self.shared.admissions;
        let Some(policy) = Option::clone(&admissions.policy.get()) else { return Vec::new() };
        if self.dirty.is_empty() || !self.listed.contains(PODS.plural) {
            return Vec::new();
        }
        let started = std::time::Instant::now();
        let dirty = std::mem::take(&mut self.dirty);
        let own = self.shared.options.namespace.as_str();
        let (runs, gone): (Vec<GroupKey>, Vec<GroupKey>) =
            dirty.into_iter().partition(|key| self.population.group(*key).is_some_and(|group| group.namespace != own));
        for key in gone {
            self.forget(key);
        }
        let recorded = self.recorded(&runs).await;
        let (namespaces, world) = (admissions.namespaces.get(), admissions.world.get());
        let judge = Judge {
            policy: &policy,
            namespaces: &namespaces,
            world: &world,
            exposure: &self.exposure,
            now: (admissions.clock)(),
        };
        let mut waiting = Vec::new();
        let mut uses_changed = false;
        for (number, key) in runs.iter().enumerate() {
            let Some(group) = self.population.group(*key) else { continue };
            let since = *self.first_seen.entry(*key).or_insert_with(Instant::now);
            let images = group.images();
            let facts = match (self.gathered.remove(key), admissions.facts.warm(&group.puller(), &images)) {
                (_, Some(warm)) => {
                    self.cold.remove(key);
                    warm
                }
                (Some(gathered), None) => {
                    self.cold.insert(*key, gathered.clone());
                    gathered
                }
                // Judged at once by what was known last, and again when it has been looked at anew.
                (None, None) => {
                    waiting.push(*key);
                    let Some(known) = self.cold.get(key) else { continue };
                    known.clone()
                }
            };
            let recorded = recorded.get(&group.namespace).filter(|_| since.elapsed() >= RECORDED);
            let known = recorded.cloned().unwrap_or_default();
            let verdict = judge.verdict(group, &facts, &known);
            let is_closed = policy.fails_closed(&judge.namespace(group));
            let drafts = self.findings.of_group(group, verdict.as_ref(), recorded, is_closed, judge.now);
            let notes = verdict.iter().flat_map(|verdict| &verdict.exceptions);
            let used: BTreeSet<String> = notes
                .filter(|note| note.ignored.as_deref().is_none_or(reminders::has_ended))
                .map(|note| note.name.clone())
                .collect();
            uses_changed |= self.used.get(key).is_none_or(|before| *before != used);
            self.used.insert(*key, used);
            self.findings.set(Source::Group(*key), drafts);
            if number % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        if uses_changed {
            // A break-glass that is used is told at once, not within the minute.
            self.remind();
        }
        let metrics = &admissions.metrics.audit;
        metrics.judged.inc_by(runs.len().saturating_sub(waiting.len()) as u64);
        metrics.duration.observe(started.elapsed().as_secs_f64());
        waiting
    }

    fn forget(&mut self, key: GroupKey) {
        self.findings.set(Source::Group(key), Vec::new());
        self.used.remove(&key);
        self.gathered.remove(&key);
        self.cold.remove(&key);
        self.first_seen.remove(&key);
    }

    /// What was admitted in the namespaces of these groups. A namespace that the store does not tell about has no entry.
    async fn recorded(&self, keys: &[GroupKey]) -> BTreeMap<String, Recorded> {
        let groups = keys.iter().filter_map(|key| self.population.group(*key));
        let namespaces: BTreeSet<String> = groups.map(|group| group.namespace.clone()).collect();
        let asked = read(self.shared, move |shared| {
            // What was answered a moment ago is on its way.
            shared.admissions.log.flush();
            let of = |namespace: String| Ok((namespace.clone(), shared.store.admitted_digests(&namespace)?));
            namespaces.into_iter().map(of).collect::<Result<BTreeMap<_, _>, assay_store::StoreError>>()
        });
        asked.await.unwrap_or_default()
    }

    /// Has the facts of a group gathered, a few groups at a time.
    fn gather(&mut self, key: GroupKey, facts: &mut JoinSet<(GroupKey, GatheredFacts)>, at_once: &Arc<Semaphore>) {
        let Some(group) = self.population.group(key) else { return };
        if !self.gathering.insert(key) {
            return;
        }
        let (images, puller) = (group.images(), group.puller());
        let (source, at_once) = (Arc::clone(&self.shared.admissions.facts), Arc::clone(at_once));
        facts.spawn(async move {
            // Never closed.
            let _permit = at_once.acquire().await;
            let deadline = std::time::Instant::now() + GATHER_WITHIN;
            (key, source.gather(&puller, &images, deadline).await)
        });
    }

    /// Keeps and tells what is new.
    async fn settle(&mut self) {
        // Before everything was judged once, what another replica found must not be taken for gone.
        let is_judged = self.listed.contains(PODS.plural) && self.gathering.is_empty() && self.dirty.is_empty();
        self.is_complete |= is_judged && self.shared.admissions.is_ready();
        let now = (self.shared.admissions.clock)();
        let Changes { opened, closed, written, left_out } = self.findings.settle(now, self.is_complete);
        let metrics = &self.shared.admissions.metrics.audit;
        metrics.findings_left_out.set(i64::try_from(left_out).unwrap_or(i64::MAX));
        metrics.pods.set(i64::try_from(self.population.len()).unwrap_or(i64::MAX));
        metrics.groups.set(i64::try_from(self.population.groups().count()).unwrap_or(i64::MAX));
        if opened.is_empty() && closed.is_empty() && written.is_empty() {
            return;
        }
        metrics.set_findings(self.findings.open());
        for draft in opened.iter().filter(|draft| draft.tells) {
            self.teller.tell(draft);
        }
        self.keep(written).await;
        let told = opened.iter().filter(|draft| draft.tells).count();
        if told > 0 {
            self.shared.notice(Notice::Findings { count: told });
        }
    }

    /// Raises the alerts that stand by now, and resolves the others. What the store does not take is told at the next look.
    async fn alert(&mut self) {
        // Before everything was judged once, nothing is known to be over; what is found meanwhile is told.
        let standing = crate::audit::standing(&self.shared.options.cluster, self.findings.open(), &self.break_glass);
        let (raised, over) = self.told.news(&standing);
        let over = over && self.is_complete;
        if raised.is_empty() && !over {
            return;
        }
        let (keys, now) = (standing.keys().cloned().collect::<Vec<_>>(), (self.shared.admissions.clock)());
        let kept = read(self.shared, move |shared| {
            for alert in &raised {
                shared.store.raise_alert(alert, now)?;
            }
            if !over {
                return Ok(());
            }
            let source = crate::audit::source(&shared.options.cluster);
            shared.store.resolve_other_alerts(&source, &keys, now).map(drop)
        });
        if kept.await.is_some() {
            self.told.kept(standing, over);
        }
    }

    /// Keeps findings in the store. What it does not take now it is given again at the next tick.
    async fn keep(&mut self, findings: Vec<FindingRecord>) {
        if !findings.is_empty() && !keep_findings(self.shared, findings.clone()).await {
            self.findings.put_back(findings);
        }
    }

    /// Writes the inventory, not more often than it is worth.
    async fn keep_inventory(&mut self) {
        if !self.listed.contains(PODS.plural) {
            return;
        }
        let pause = INVENTORY * (1 + u32::try_from(self.population.len() / 1_000).unwrap_or(u32::MAX)).min(300);
        if self.synced.is_some_and(|(at, is_changed)| !is_changed || at.elapsed() < pause) {
            return;
        }
        let Some(policy) = Option::clone(&self.shared.admissions.policy.get()) else { return };
        let pods = self.inventory(&policy);
        let at = (self.shared.admissions.clock)();
        let written = read(self.shared, move |shared| {
            shared.store.sync_inventory(&shared.options.cluster, at, &pods)?;
            shared.store.running_risks(&shared.options.cluster)
        });
        if let Some(running) = written.await {
            let metrics = &self.shared.admissions.metrics.audit;
            metrics.inventory_at.set(at.as_second());
            self.shared.admissions.metrics.age.set_inventory(&self.shared.options.cluster, at);
            metrics.set_running(&running);
        }
        self.synced = Some((Instant::now(), false));
    }

    fn inventory(&self, policy: &Policy) -> Vec<RunningPod> {
        let (namespaces, now) = (self.shared.admissions.namespaces.get(), (self.shared.admissions.clock)());
        let mut known = BTreeMap::new();
        let pods = in_use(self.population.views()).into_iter().map(|pod| {
            let environment = known.entry(pod.namespace.clone()).or_insert_with(|| {
                let labels = namespaces.labels(&pod.namespace).cloned();
                policy.environment_of(&Namespace { name: pod.namespace.clone(), labels }).cloned()
            });
            let environment = environment.clone();
            running_pod(pod, environment, now)
        });
        pods.collect()
    }
}

/// Keeps findings. False where the store does not take them.
async fn keep_findings(shared: &Arc<Shared>, findings: Vec<FindingRecord>) -> bool {
    read(shared, move |shared| shared.store.record_findings(&findings)).await.is_some()
}
