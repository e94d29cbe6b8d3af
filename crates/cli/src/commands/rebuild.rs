//! `assay rebuild-list`: which images to build again, in which order, on what, and what that would change.
//!
//! An image is built on another that is known if that one's layers are its lowest. Of images that are affected, those come first
//! that others are built on: to build on a base that is still affected changes nothing.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use assay_inspect::ANALYSER;
use assay_model::{Contents, Digest, FindingCounts, FixState, Timestamp};
use assay_store::InventoryRow;
use assay_vuln::{PackageIndex, Rematched};
use serde::Serialize;

use super::database;
use crate::Result;
use crate::session::Session;

/// Better bases that are named of each image.
const BETTER_MAX: usize = 3;

/// What to build again.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RebuildOutcome {
    /// The vulnerability, where one was asked about; else everything with a fix.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) vulnerability: Option<String>,
    /// Images whose content is known.
    pub(crate) known: usize,
    /// The images, in the order in which to build them.
    pub(crate) images: Vec<RebuildImage>,
    /// Images that run and whose content is not known: they may have to be built again too.
    pub(crate) unknown: usize,
}

/// One image.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RebuildImage {
    /// When: all of 1 before any of 2.
    pub(crate) order: usize,
    /// Its repository with its digest, where the inventory has it; else the digest.
    pub(crate) image: String,
    /// Its digest.
    pub(crate) digest: Digest,
    /// The known image that it was built on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<String>,
    /// Images of this list that are built on it, directly or not.
    pub(crate) carries: usize,
    /// What closes it.
    pub(crate) cause: RebuildCause,
    /// Packages to be updated, with the nearest fixed version: `zlib 1.2.13 -> 1.3.1`.
    pub(crate) packages: Vec<String>,
    /// Findings of the image now; a package that is there twice counts once.
    pub(crate) before: FindingCounts,
    /// Bases among the known images with which there would be fewer, best first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) better_bases: Vec<BetterBase>,
    /// Workloads that run it: `cluster/namespace/workload`.
    pub(crate) workloads: Vec<String>,
    /// Who is responsible for them.
    pub(crate) owners: Vec<String>,
    /// Pods that still run it.
    pub(crate) pods: usize,
}

/// Where what is to be fixed comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum RebuildCause {
    /// All of it from the base: building again on a fixed one is enough.
    Base,
    /// From its own layers, or no base is known.
    Own,
    /// From both.
    Both,
}

impl RebuildCause {
    /// In words.
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::Base => "from its base",
            Self::Own => "its own",
            Self::Both => "its own and from its base",
        }
    }
}

/// A known image that would be a better base.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BetterBase {
    /// The image.
    pub(crate) image: String,
    /// Findings of the image built on it.
    pub(crate) after: FindingCounts,
}

/// Everything known about the images, by their place in the list.
struct Known<'a> {
    digests: Vec<Digest>,
    contents: Vec<Contents>,
    /// The place of the image that each was built on.
    bases: Vec<Option<usize>>,
    /// Findings of each, as places in `found`.
    findings: Vec<BTreeSet<usize>>,
    found: Vec<Rematched<'a>>,
    names: BTreeMap<Digest, String>,
    /// What could stand in the place of each base, by the base's place.
    instead: BTreeMap<usize, Vec<usize>>,
}

/// What has to be built again for one vulnerability, or for everything that has a fix.
pub(crate) fn list(id: Option<&str>, session: &Session<'_>) -> Result<RebuildOutcome> {
    let store = session.asked_store("kubectl get pods,jobs,namespaces -A -o json | assay inventory sync -f -")?;
    let (mut digests, mut contents) = (Vec::new(), Vec::new());
    for digest in store.known_images()? {
        if let Some((content, _)) = store.contents(digest, ANALYSER)? {
            digests.push(digest);
            contents.push(content);
        }
    }
    let mut index = PackageIndex::new();
    for (digest, contents) in digests.iter().zip(&contents) {
        index.insert(*digest, contents);
    }
    let pack = database::open(session.settings.pack.value.as_deref())?;
    let found = index.rematch(&pack, Timestamp::now())?;
    let place: BTreeMap<Digest, usize> = digests.iter().enumerate().map(|(at, digest)| (*digest, at)).collect();
    let mut findings = vec![BTreeSet::new(); digests.len()];
    for (at, finding) in found.iter().enumerate() {
        for image in finding.images() {
            if let Some(findings) = place.get(&image).and_then(|image| findings.get_mut(*image)) {
                findings.insert(at);
            }
        }
    }
    let mut rows: BTreeMap<Digest, Vec<InventoryRow>> = BTreeMap::new();
    for digest in &digests {
        rows.insert(*digest, store.who_runs(&BTreeSet::from([*digest]))?);
    }
    let named = |(digest, rows): (&Digest, &Vec<InventoryRow>)| {
        let repository = rows.iter().find_map(|row| row.repository.as_ref())?;
        Some((*digest, format!("{repository}@{digest}")))
    };
    let names = rows.iter().filter_map(named).collect();
    let bases = contents
        .iter()
        .map(|own| own.find_base(digests.iter().copied().zip(&contents))?.digest)
        .map(|base| base.and_then(|base| place.get(&base).copied()))
        .collect();
    let mut known = Known { digests, contents, bases, findings, found, names, instead: BTreeMap::new() };
    let place =
        |row: &InventoryRow| (row.cluster.clone(), row.namespace.clone(), row.pod.clone(), row.container.clone());
    let seen: BTreeSet<_> = rows.values().flatten().map(place).collect();
    let unknown: BTreeSet<_> = store
        .inventory()?
        .into_iter()
        .filter(|row| !seen.contains(&place(row)))
        .map(|row| (row.repository, row.digest))
        .collect();
    let mut images = Vec::new();
    let affected: BTreeSet<usize> = (0..known.digests.len()).filter(|at| !known.meant(*at, id).is_empty()).collect();
    let used: BTreeSet<usize> = affected.iter().filter_map(|at| known.base(*at)).collect();
    known.instead = known.replacements(&used, id);
    for at in &affected {
        let Some(digest) = known.digests.get(*at).copied() else { continue };
        let own = rows.get(&digest).map(Vec::as_slice).unwrap_or_default();
        images.push(known.image(*at, digest, id, &affected, own));
    }
    images.sort_by(|left, right| {
        (left.order, Reverse(left.carries), Reverse(left.pods), &left.image).cmp(&(
            right.order,
            Reverse(right.carries),
            Reverse(right.pods),
            &right.image,
        ))
    });
    Ok(RebuildOutcome {
        vulnerability: id.map(str::to_owned),
        known: known.digests.len(),
        images,
        unknown: unknown.len(),
    })
}

impl Known<'_> {
    fn name(&self, at: usize) -> String {
        let Some(digest) = self.digests.get(at) else { return String::new() };
        if let Some(name) = self.names.get(digest) {
            return name.clone();
        }
        // What an image that was built on it says of its base.
        let stated = self
            .contents
            .iter()
            .filter_map(|contents| contents.base.as_ref())
            .find_map(|base| base.name.as_ref().filter(|name| base.digest == Some(*digest) && !name.is_empty()));
        stated.map_or_else(|| digest.to_string(), |name| format!("{name}@{digest}"))
    }

    fn base(&self, at: usize) -> Option<usize> {
        self.bases.get(at).copied().flatten()
    }

    /// The images below this one, the nearest first.
    fn below(&self, at: usize) -> Vec<usize> {
        let mut below = Vec::new();
        let mut next = self.base(at);
        // Each has fewer layers than the one above it.
        while let Some(base) = next.filter(|base| !below.contains(base)) {
            below.push(base);
            next = self.base(base);
        }
        below
    }

    fn of(&self, at: usize) -> &BTreeSet<usize> {
        static NONE: BTreeSet<usize> = BTreeSet::new();
        self.findings.get(at).unwrap_or(&NONE)
    }

    /// The findings of an image that are asked about.
    fn meant(&self, at: usize, id: Option<&str>) -> BTreeSet<usize> {
        let meant = |finding: &Rematched<'_>| match id {
            Some(id) => {
                let vulnerability = &finding.finding.vulnerability;
                let mut names = std::iter::once(&vulnerability.id).chain(&vulnerability.aliases);
                names.any(|name| name.as_str().eq_ignore_ascii_case(id))
            }
            None => matches!(finding.finding.fix, FixState::Fixed { .. }),
        };
        self.of(at).iter().copied().filter(|finding| self.found.get(*finding).is_some_and(meant)).collect()
    }

    fn counts(&self, findings: &BTreeSet<usize>) -> FindingCounts {
        FindingCounts::of(findings.iter().filter_map(|at| self.found.get(*at)).map(|found| &found.finding))
    }

    fn image(
        &self,
        at: usize,
        digest: Digest,
        id: Option<&str>,
        affected: &BTreeSet<usize>,
        rows: &[InventoryRow],
    ) -> RebuildImage {
        let below = self.below(at);
        let base = below.first().copied();
        let meant = self.meant(at, id);
        let from_base = base.map_or(0, |base| meant.intersection(self.of(base)).count());
        let cause = match from_base {
            0 => RebuildCause::Own,
            all if all == meant.len() => RebuildCause::Base,
            _ => RebuildCause::Both,
        };
        let mut packages: BTreeSet<String> = BTreeSet::new();
        for finding in meant.iter().filter_map(|at| self.found.get(*at)).map(|found| &found.finding) {
            let (name, version) = (&finding.package.name, &finding.package.version);
            packages.insert(match &finding.fix {
                FixState::Fixed { versions } => {
                    format!("{name} {version} -> {}", versions.first().map_or("", String::as_str))
                }
                FixState::NotFixed => format!("{name} {version}, no fix yet"),
                FixState::WontFix => format!("{name} {version}, no fix will come"),
            });
        }
        let workloads: BTreeSet<String> =
            rows.iter().map(|row| format!("{}/{}/{}", row.cluster, row.namespace, row.workload)).collect();
        let owners: BTreeSet<String> = rows.iter().filter_map(|row| row.owner.clone()).collect();
        let pods: BTreeSet<_> = rows.iter().map(|row| (&row.cluster, &row.namespace, &row.pod)).collect();
        RebuildImage {
            order: 1 + below.iter().filter(|below| affected.contains(below)).count(),
            image: self.name(at),
            digest,
            base: base.map(|base| self.name(base)),
            carries: affected.iter().filter(|other| self.below(**other).contains(&at)).count(),
            cause,
            packages: packages.into_iter().collect(),
            before: self.counts(self.of(at)),
            better_bases: base.map(|base| self.better(at, base)).unwrap_or_default(),
            workloads: workloads.into_iter().collect(),
            owners: owners.into_iter().collect(),
            pods: pods.len(),
        }
    }

    /// For each of these bases the known images that have everything that it has, of the same distribution.
    fn replacements(&self, used: &BTreeSet<usize>, id: Option<&str>) -> BTreeMap<usize, Vec<usize>> {
        let packages = |contents: &'_ Contents| -> BTreeSet<String> {
            contents.packages.iter().map(|package| package.name.clone()).collect()
        };
        let has: Vec<BTreeSet<String>> = self.contents.iter().map(packages).collect();
        let distribution = |at: usize| self.contents.get(at).and_then(|contents| contents.os.as_ref()).map(|os| &os.id);
        let replacements = used.iter().map(|base| {
            let fits = |candidate: &usize| {
                *candidate != *base
                    && distribution(*candidate) == distribution(*base)
                    && has.get(*candidate).zip(has.get(*base)).is_some_and(|(has, needed)| has.is_superset(needed))
                    && (id.is_none() || self.meant(*candidate, id).is_empty())
                    && !self.below(*candidate).contains(base)
            };
            let candidates: BTreeSet<usize> = (0..self.digests.len()).filter(fits).collect();
            // What is built on another candidate is a program, not a base.
            let lowest = candidates.iter().copied();
            let lowest =
                lowest.filter(|candidate| !self.below(*candidate).iter().any(|below| candidates.contains(below)));
            (*base, lowest.collect())
        });
        replacements.collect()
    }

    /// Bases that would leave fewer findings.
    fn better(&self, at: usize, base: usize) -> Vec<BetterBase> {
        let before = rank(&self.counts(self.of(at)));
        let candidates = self.instead.get(&base).into_iter().flatten().filter(|candidate| **candidate != at);
        let mut better: Vec<(FindingCounts, String)> = candidates
            .map(|candidate| {
                let own = self.of(at).difference(self.of(base)).copied();
                (self.counts(&own.chain(self.of(*candidate).iter().copied()).collect()), self.name(*candidate))
            })
            .filter(|(after, _)| rank(after) < before)
            .collect();
        better.sort_by(|left, right| (rank(&left.0), &left.1).cmp(&(rank(&right.0), &right.1)));
        better.truncate(BETTER_MAX);
        better.into_iter().map(|(after, image)| BetterBase { image, after }).collect()
    }
}

/// Worse is more.
fn rank(counts: &FindingCounts) -> [u32; 6] {
    [counts.known_exploited, counts.critical, counts.high, counts.medium, counts.low, counts.unknown]
}
