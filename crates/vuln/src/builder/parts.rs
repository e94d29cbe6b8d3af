//! Packs of a part of the records: one for each ecosystem's family, and deltas against a pack that is there already.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::{Groups, is_downstream, merge};
use super::{Draft, PackBuilder, write};
use crate::details::Details;
use crate::ecosystem::Ecosystem;
use crate::pack::PackError;
use crate::rating::Rank;
use crate::set::Pack;

/// Whether a record rates its vulnerability as it did before.
fn rates_alike(draft: &Draft, before: &assay_model::Vulnerability) -> bool {
    let of_record = before.ratings.iter().filter(|rating| rating.source.as_str() == draft.id);
    let before: BTreeSet<_> =
        of_record.map(|rating| (rating.severity, rating.vector.clone().unwrap_or_default())).collect();
    let now: BTreeSet<_> = draft.ratings.iter().map(|rating| (rating.severity, rating.vector.clone())).collect();
    before == now
}

/// Difference between two estimates of exploitation that is worth a delta, in millionths.
const NOTABLE: u32 = 50_000;

/// What a delta changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeltaReport {
    /// Records that are new or changed, with those about the same vulnerabilities.
    pub carried: u64,
    /// Records of the base that it replaces.
    pub replaced: u64,
    /// Records of the base that are gone.
    pub removed: u64,
}

impl PackBuilder {
    /// A builder for each family of ecosystems, by its name in lower case (`debian`, `crates.io`). Each is complete: records of
    /// other families about the same vulnerabilities come with it as far as they name or rate them.
    pub fn split(mut self) -> BTreeMap<String, Self> {
        self.settle();
        let drafts: Vec<Draft> = std::mem::take(&mut self.drafts).into_values().collect();
        let groups = merge(&drafts);
        let families: BTreeSet<&String> =
            drafts.iter().flat_map(|draft| &draft.affected).map(|affected| &affected.ecosystem.family).collect();
        let mut parts = BTreeMap::new();
        for family in families {
            let speaks = |draft: &Draft| draft.affected.iter().any(|affected| affected.ecosystem.family == *family);
            let meant: BTreeSet<usize> = drafts
                .iter()
                .zip(&groups.of_record)
                .filter(|(draft, _)| speaks(draft))
                .flat_map(|(_, vulnerabilities)| vulnerabilities.iter().copied())
                .collect();
            let part = drafts.iter().zip(&groups.of_record).filter(|(_, of)| of.iter().any(|at| meant.contains(at)));
            let part = part.map(|(draft, _)| {
                let mut draft = draft.clone();
                draft.affected.retain(|affected| affected.ecosystem.family == *family);
                if draft.affected.is_empty() {
                    draft.details.keep_times();
                }
                (draft.id.clone(), draft)
            });
            let builder = Self {
                drafts: part.collect(),
                exploited: self.exploited.clone(),
                predictions: self.predictions.clone(),
                end_of_life: self.end_of_life.clone(),
                ..Self::default()
            };
            parts.insert(crate::ecosystem::part_name(family), builder);
        }
        parts
    }

    /// What changes `base` into the pack that [`Self::build`] would give: the records that are new or changed, those about the
    /// same vulnerabilities, and the names of those that are gone. A delta is always against a whole pack, never another delta.
    pub fn build_delta(mut self, base: &Pack) -> Result<(Vec<u8>, DeltaReport), PackError> {
        self.settle();
        let old = base.fingerprints()?;
        let drafts: Vec<Draft> = std::mem::take(&mut self.drafts).into_values().collect();
        let groups = merge(&drafts);
        // Vulnerabilities that a changed record is about, and those of which every record must come along, because their name,
        // rating or exploitation changed with it.
        let mut carried: BTreeSet<usize> = BTreeSet::new();
        let mut whole: BTreeSet<usize> = BTreeSet::new();
        for (at, draft) in drafts.iter().enumerate() {
            if old.get(&draft.id) == Some(&draft.fingerprint()) {
                continue;
            }
            for of in groups.of_record.get(at).into_iter().flatten().copied() {
                carried.insert(of);
                let shown = groups.names.get(of).and_then(|names| names.first());
                let before = base.rated(shown.map_or("", String::as_str))?;
                if before.is_none_or(|before| !rates_alike(draft, &before)) {
                    whole.insert(of);
                }
            }
        }
        for (at, names) in groups.names.iter().enumerate() {
            let Some(name) = names.first().filter(|_| !whole.contains(&at)) else { continue };
            let exploited = names.iter().filter_map(|name| self.exploited.get(name)).min();
            let predicted = names.iter().filter_map(|name| self.predictions.get(name)).max();
            if exploited.is_none() && predicted.is_none() {
                continue;
            }
            let before = base.rated(name)?;
            let known = before.as_ref().and_then(|vulnerability| vulnerability.known_exploited.as_ref());
            let chance = |chance: Option<assay_model::ExploitPrediction>| {
                chance.map_or(0, |chance| chance.probability_millionths)
            };
            let was = chance(before.as_ref().and_then(|vulnerability| vulnerability.exploit_prediction));
            if known != exploited || was.abs_diff(chance(predicted.copied())) >= NOTABLE {
                carried.insert(at);
                whole.insert(at);
            }
        }
        let current: BTreeSet<&str> = drafts.iter().map(|draft| draft.id.as_str()).collect();
        let removed: Vec<String> = old.keys().filter(|id| !current.contains(id.as_str())).cloned().collect();
        // Records about the same vulnerabilities: whole where they are about a package that changed too, else as far as they
        // name and rate it. What these say of their own packages stays in the base.
        let mut packages: BTreeSet<(&Ecosystem, &str)> = BTreeSet::new();
        for (draft, of) in drafts.iter().zip(&groups.of_record) {
            let changed = old.get(&draft.id) != Some(&draft.fingerprint());
            if changed || of.iter().any(|at| whole.contains(at)) {
                packages.extend(draft.affected.iter().map(|affected| (&affected.ecosystem, affected.name.as_str())));
            }
        }
        let mut kept: BTreeMap<String, Draft> = BTreeMap::new();
        let mut replaced: Vec<String> = Vec::new();
        let mut report = DeltaReport { removed: removed.len() as u64, ..DeltaReport::default() };
        let needed = Needed::of(&drafts, &groups, &carried);
        for (at, (draft, of)) in drafts.iter().zip(&groups.of_record).enumerate() {
            if !of.iter().any(|at| carried.contains(at)) {
                continue;
            }
            let shares =
                draft.affected.iter().any(|affected| packages.contains(&(&affected.ecosystem, affected.name.as_str())));
            let changed = old.get(&draft.id) != Some(&draft.fingerprint());
            if changed || shares || of.iter().any(|at| whole.contains(at)) {
                report.carried += 1;
                if old.contains_key(&draft.id) {
                    replaced.push(draft.id.clone());
                }
                kept.insert(draft.id.clone(), draft.clone());
            } else if let Some(named) = needed.reduced(at, draft) {
                kept.insert(named.id.clone(), named);
            }
        }
        report.replaced = replaced.len() as u64;
        let mut superseded: Vec<String> = replaced.into_iter().chain(removed).collect();
        superseded.sort_unstable();
        let builder = Self {
            drafts: kept,
            exploited: self.exploited,
            predictions: self.predictions,
            end_of_life: self.end_of_life,
            delta: Some(super::Delta { base: base.info().digest.to_string(), superseded, records: report.carried }),
            ..Self::default()
        };
        Ok((write::write(builder).0, report))
    }
}

/// What a delta must repeat of records that it does not change, so that its vulnerabilities are named and rated as before.
struct Needed<'a> {
    /// Records with the title of a vulnerability.
    speakers: BTreeSet<usize>,
    /// Records that published one first.
    first: BTreeSet<usize>,
    /// Names of the vulnerabilities that are carried.
    names: BTreeSet<&'a str>,
}

impl<'a> Needed<'a> {
    fn of(drafts: &[Draft], groups: &'a Groups, carried: &BTreeSet<usize>) -> Self {
        let mut records: BTreeMap<usize, Vec<(usize, &Draft)>> = BTreeMap::new();
        for (at, (draft, of)) in drafts.iter().zip(&groups.of_record).enumerate() {
            for vulnerability in of.iter().filter(|vulnerability| carried.contains(vulnerability)) {
                records.entry(*vulnerability).or_default().push((at, draft));
            }
        }
        let mut needed = Self { speakers: BTreeSet::new(), first: BTreeSet::new(), names: BTreeSet::new() };
        for (vulnerability, records) in records {
            // As the pack itself chooses: the first of the narrowest, and the first day.
            let titled = records.iter().filter(|(_, draft)| !draft.summary.is_empty());
            needed.speakers.extend(titled.min_by_key(|(at, draft)| (draft.breadth, *at)).map(|(at, _)| *at));
            let dated = records.iter().filter(|(_, draft)| draft.published > 0);
            needed.first.extend(dated.min_by_key(|(at, draft)| (draft.published, *at)).map(|(at, _)| *at));
            needed.names.extend(groups.names.get(vulnerability).into_iter().flatten().map(String::as_str));
        }
        needed
    }

    /// The part of an unchanged record that names or rates a vulnerability; `None` where it does neither.
    fn reduced(&self, at: usize, draft: &Draft) -> Option<Draft> {
        let rating = draft.own_rating();
        let passes_on = is_downstream(draft);
        let says = !passes_on
            || draft.disputed
            || rating.rank != Rank::None
            || !draft.ratings.is_empty()
            || self.speakers.contains(&at)
            || self.first.contains(&at);
        if !says {
            return None;
        }
        let mut draft = Draft { affected: Vec::new(), details: Details::default(), rating, ..draft.clone() };
        // Its fingerprint stays with the whole record, in the base.
        draft.hash = [0; 32];
        if passes_on {
            draft.upstream.retain(|name| self.names.contains(name.as_str()));
        }
        if !self.speakers.contains(&at) {
            draft.summary = String::new();
        }
        Some(draft)
    }
}
