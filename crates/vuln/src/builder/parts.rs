//! Packs of a part of the records: one for each ecosystem's family, and deltas against a pack that is there already.

use std::collections::{BTreeMap, BTreeSet};

use super::groups::merge;
use super::{Draft, PackBuilder, write};
use crate::pack::PackError;
use crate::set::Pack;

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
                    draft.details = crate::format::Details::default();
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
            parts.insert(family.to_lowercase().replace(' ', "-"), builder);
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
        let mut carried: BTreeSet<usize> = BTreeSet::new();
        for (at, draft) in drafts.iter().enumerate() {
            let changed = old.get(&draft.id) != Some(&draft.fingerprint());
            if changed {
                carried.extend(groups.of_record.get(at).into_iter().flatten().copied());
            }
        }
        for (at, names) in groups.names.iter().enumerate() {
            let Some(name) = names.first().filter(|_| !carried.contains(&at)) else { continue };
            let exploited = names.iter().filter_map(|name| self.exploited.get(name)).min();
            let predicted = names.iter().filter_map(|name| self.predictions.get(name)).max();
            if exploited.is_none() && predicted.is_none() {
                continue;
            }
            let before = base.advisories(name)?.into_iter().next().map(|advisory| advisory.vulnerability);
            let known = before.as_ref().and_then(|vulnerability| vulnerability.known_exploited.as_ref());
            let chance = |chance: Option<assay_model::ExploitPrediction>| {
                chance.map_or(0, |chance| chance.probability_millionths)
            };
            let was = chance(before.as_ref().and_then(|vulnerability| vulnerability.exploit_prediction));
            if known != exploited || was.abs_diff(chance(predicted.copied())) >= NOTABLE {
                carried.insert(at);
            }
        }
        let current: BTreeSet<&str> = drafts.iter().map(|draft| draft.id.as_str()).collect();
        let removed: Vec<String> = old.keys().filter(|id| !current.contains(id.as_str())).cloned().collect();
        let meant = |of: &[usize]| of.iter().any(|at| carried.contains(at));
        let kept: BTreeMap<String, Draft> = drafts
            .iter()
            .zip(&groups.of_record)
            .filter(|(_, of)| meant(of))
            .map(|(draft, _)| (draft.id.clone(), draft.clone()))
            .collect();
        let replaced: Vec<String> = kept.keys().filter(|id| old.contains_key(*id)).cloned().collect();
        let report =
            DeltaReport { carried: kept.len() as u64, replaced: replaced.len() as u64, removed: removed.len() as u64 };
        let mut superseded: Vec<String> = replaced.into_iter().chain(removed).collect();
        superseded.sort_unstable();
        let builder = Self {
            drafts: kept,
            exploited: self.exploited,
            predictions: self.predictions,
            end_of_life: self.end_of_life,
            delta: Some((base.info().digest.to_string(), superseded)),
            ..Self::default()
        };
        Ok((write::write(builder).0, report))
    }
}
