//! What stands against what runs, and what of it is new.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;

use assay_case::{ControlOutcome, Verdict};
use assay_model::{Digest, Reference, Timestamp};
use assay_store::{FindingKind, FindingRecord};

use super::{Group, GroupKey, Recorded};

/// Findings that are kept at once: a kilobyte each.
const OPEN_MAX: usize = 20_000;
/// Hexadecimal digits of an id.
const ID_DIGITS: usize = 16;
/// Characters of a message.
const MESSAGE_MAX: usize = 400;

/// Where findings come from: what one source says replaces what it said before.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A group of Pods.
    Group(GroupKey),
    /// Assay's Exceptions.
    Exceptions,
    /// A definition of Assay's kinds.
    Definition(&'static str),
}

/// A finding before it is known how long it has been there, and what to tell people of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// What is kept. `opened` is the time at hand, and not yet what it was before.
    pub record: FindingRecord,
    /// The Pod or object that an Event about it names: its name.
    pub about: String,
    /// Whether somebody is told.
    pub tells: bool,
}

/// What is new.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// What was not there before, or is worse than it was.
    pub opened: Vec<Draft>,
    /// What is no longer so.
    pub closed: Vec<FindingRecord>,
    /// Everything that has to be kept differently.
    pub written: Vec<FindingRecord>,
    /// Findings that there was no room for.
    pub left_out: usize,
}

/// The findings of a cluster.
#[derive(Debug)]
pub struct Findings {
    cluster: String,
    sources: HashMap<Source, Vec<Draft>>,
    open: BTreeMap<String, FindingRecord>,
    /// What has not been kept yet, by id: open or closed.
    unwritten: BTreeMap<String, FindingRecord>,
}

impl Findings {
    /// Goes on from what is open already.
    pub fn new(cluster: &str, open: BTreeMap<String, FindingRecord>) -> Self {
        Self { cluster: cluster.to_owned(), sources: HashMap::new(), open, unwritten: BTreeMap::new() }
    }

    /// What is open.
    pub fn open(&self) -> impl Iterator<Item = &FindingRecord> {
        self.open.values()
    }

    /// What a source says now, in place of what it said before.
    pub fn set(&mut self, source: Source, drafts: Vec<Draft>) {
        if drafts.is_empty() {
            self.sources.remove(&source);
        } else {
            self.sources.insert(source, drafts);
        }
    }

    /// Compares what all sources say with what is open. `is_complete` once every source has spoken: before that, what
    /// none of them says may still be so.
    pub fn settle(&mut self, now: Timestamp, is_complete: bool) -> Changes {
        let mut found: BTreeMap<&str, Draft> = BTreeMap::new();
        let mut changes = Changes::default();
        for draft in self.sources.values().flatten() {
            let id = draft.record.id.as_str();
            if let Some(known) = found.get_mut(id) {
                merge(known, draft);
            } else if found.len() < OPEN_MAX {
                found.insert(id, draft.clone());
            } else {
                changes.left_out += 1;
            }
        }
        let mut open = BTreeMap::new();
        for (id, mut draft) in found {
            let before = self.open.remove(id);
            draft.record.opened = before.as_ref().map_or(now, |before| before.opened);
            let is_worse = before.as_ref().is_none_or(|before| !before.denies && draft.record.denies);
            // How many Pods it is about is no news by itself: a rollout would write it all again.
            let is_same = before
                .as_ref()
                .is_some_and(|before| FindingRecord { pods: draft.record.pods, ..before.clone() } == draft.record);
            if !is_same {
                changes.written.push(draft.record.clone());
            }
            let record = draft.record.clone();
            if is_worse {
                changes.opened.push(draft);
            }
            open.insert(record.id.clone(), record);
        }
        if !is_complete {
            open.append(&mut self.open);
        }
        for mut gone in std::mem::replace(&mut self.open, open).into_values() {
            gone.closed = Some(now);
            changes.written.push(gone.clone());
            changes.closed.push(gone);
        }
        for record in &changes.written {
            self.unwritten.remove(&record.id);
        }
        changes
    }

    /// Takes back what could not be kept.
    pub fn put_back(&mut self, records: Vec<FindingRecord>) {
        self.unwritten.extend(records.into_iter().map(|record| (record.id.clone(), record)));
    }

    /// What still has to be kept, as it is by now.
    pub fn take_unwritten(&mut self) -> Vec<FindingRecord> {
        std::mem::take(&mut self.unwritten).into_values().collect()
    }

    /// What a verdict says about a group, and what the decision log says: `settled` where a decision about it would be
    /// known by now, and `is_closed` where something is enforced in its namespace.
    pub fn of_group(
        &self,
        group: &Group,
        verdict: Option<&Verdict>,
        recorded: Option<&Recorded>,
        is_closed: bool,
        now: Timestamp,
    ) -> Vec<Draft> {
        let mut drafts: BTreeMap<String, (Draft, usize)> = BTreeMap::new();
        for outcome in verdict.into_iter().flat_map(|verdict| &verdict.outcomes).filter(|own| counts(own)) {
            let draft = self.control(group, verdict, outcome, now);
            drafts
                .entry(draft.record.id.clone())
                .and_modify(|(known, more)| {
                    merge(known, &draft);
                    known.record.pods = draft.record.pods;
                    *more += 1;
                })
                .or_insert((draft, 0));
        }
        let mut drafts: Vec<Draft> = drafts
            .into_values()
            .map(|(mut draft, more)| {
                if more > 0 {
                    let _ = write!(draft.record.message, ", and {more} more");
                }
                draft
            })
            .collect();
        drafts.extend(self.undecided(group, recorded, is_closed, now));
        drafts
    }

    fn control(&self, group: &Group, verdict: Option<&Verdict>, outcome: &ControlOutcome, now: Timestamp) -> Draft {
        let denies = outcome.denies();
        let mut draft = self.draft(group, FindingKind::ControlNotMet, &outcome.target.name, Some(outcome), now);
        draft.record.environment = verdict.map(|verdict| verdict.environment.clone());
        draft.record.denies = denies;
        draft.record.message = outcome.message.chars().take(MESSAGE_MAX).collect();
        draft.record.fix = outcome.fix.as_ref().map(ToString::to_string);
        draft.record.digest = outcome.target.digest;
        draft.tells = denies;
        draft
    }

    /// The finding that nobody decided about it.
    fn undecided(&self, group: &Group, recorded: Option<&Recorded>, tells: bool, now: Timestamp) -> Option<Draft> {
        let message = if group.is_static {
            "a static Pod: its kubelet runs it from a file of the node, and nobody is asked".to_owned()
        } else {
            let image = unrecorded(group, recorded?)?;
            format!(
                "no decision about {image} is on record in {}: it ran before Assay did, or went around it",
                group.namespace
            )
        };
        let mut draft = self.draft(group, FindingKind::NoDecision, "", None, now);
        draft.record.message = message;
        draft.record.denies = tells && !group.is_static;
        draft.tells = tells;
        Some(draft)
    }

    fn draft(
        &self,
        group: &Group,
        kind: FindingKind,
        container: &str,
        outcome: Option<&ControlOutcome>,
        now: Timestamp,
    ) -> Draft {
        let workload = format!("{}/{}", group.workload_kind, group.workload_name);
        let control = outcome.map(|outcome| outcome.control.clone());
        let place = [container, control.as_ref().map_or("", |control| control.as_str())];
        Draft {
            about: group.pods.first().map(ToString::to_string).unwrap_or_default(),
            tells: false,
            record: FindingRecord {
                id: id(&[kind.name(), &self.cluster, &group.namespace, &workload, place[0], place[1]]),
                cluster: self.cluster.clone(),
                kind,
                namespace: group.namespace.clone(),
                workload,
                container: container.to_owned(),
                control,
                environment: None,
                owner: group.owner.clone(),
                denies: false,
                message: String::new(),
                fix: None,
                digest: None,
                pods: group.pods.len() as u64,
                opened: now,
                closed: None,
            },
        }
    }

    /// A finding about an object that is no Pod.
    pub fn object(&self, kind: FindingKind, object: &str, part: &str, message: String, now: Timestamp) -> Draft {
        Draft {
            about: object.split_once('/').map_or(object, |(_, name)| name).to_owned(),
            tells: true,
            record: FindingRecord {
                id: id(&[kind.name(), &self.cluster, "", object, part]),
                cluster: self.cluster.clone(),
                kind,
                namespace: String::new(),
                workload: object.to_owned(),
                container: String::new(),
                control: None,
                environment: None,
                owner: None,
                denies: false,
                message,
                fix: None,
                digest: None,
                pods: 0,
                opened: now,
                closed: None,
            },
        }
    }
}

/// Whether an outcome stands against what runs. What an Exception lifts does not.
fn counts(outcome: &ControlOutcome) -> bool {
    !outcome.outcome.is_met() && outcome.excepted_by.is_none()
}

/// The same matter from two sources: the worse one speaks for both.
fn merge(known: &mut Draft, other: &Draft) {
    let pods = known.record.pods.saturating_add(other.record.pods);
    if !known.record.denies && other.record.denies {
        known.clone_from(other);
    }
    known.record.pods = pods;
}

/// An image of which is known what it is, and that nobody let into this namespace. A decision names the index, one of its
/// platforms or what the reference itself says; of a tag whose digest nobody reports nothing can be told.
fn unrecorded<'g>(group: &'g Group, recorded: &Recorded) -> Option<&'g str> {
    let is_unknown = |container: &&assay_kube::ContainerView| {
        let asked = container.requested.parse::<Reference>().ok().and_then(|reference| reference.digest());
        let mut digests = container.digest.into_iter().chain(asked).peekable();
        digests.peek().is_some() && !digests.any(|digest| recorded.contains_key(&digest))
    };
    group.containers.iter().find(is_unknown).map(|container| container.requested.as_str())
}

/// The id of a matter.
fn id(parts: &[&str]) -> String {
    let mut hex = Digest::of(parts.join("\n").as_bytes()).hex();
    hex.truncate(ID_DIGITS);
    hex
}

#[cfg(test)]
mod tests;
