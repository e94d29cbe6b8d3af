//! Which of many images a change of the data is about, without matching them again: packages by name, and the images of each.
//!
//! Images share most of their packages, so every distinct package is kept once, with the images that have it. A delta names few
//! packages; only these are matched, against the delta alone.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use assay_model::{Contents, Digest, OsRelease, Package, Timestamp, VulnerabilityFinding};

use crate::ecosystem::{normal_name, of_language, type_of};
use crate::pack::PackError;
use crate::set::Pack;

/// Packages of many images, by name.
#[derive(Debug, Default)]
pub struct PackageIndex {
    images: Vec<Digest>,
    releases: Vec<Option<OsRelease>>,
    entries: Vec<Entry>,
    /// Release, purl, source name and source version of an entry.
    known: HashMap<(u32, String, String), u32>,
    by_name: HashMap<String, Vec<u32>>,
}

/// A distinct package.
#[derive(Debug)]
struct Entry {
    release: u32,
    package: Package,
    /// Indices of the images that have it, ascending.
    images: Vec<u32>,
}

/// A finding, and every image that has it.
#[derive(Clone, Debug)]
pub struct Rematched<'a> {
    /// The finding; its package's place is that of the first image.
    pub finding: VulnerabilityFinding,
    index: &'a PackageIndex,
    /// Indices of images, ascending.
    images: &'a [u32],
}

impl<'a> Rematched<'a> {
    /// The images, in the order in which they were added.
    pub fn images(&self) -> impl Iterator<Item = Digest> + 'a {
        let index = self.index;
        self.images.iter().filter_map(|image| index.images.get(*image as usize).copied())
    }
}

impl PackageIndex {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an image. One that is there already must not be added again.
    pub fn insert(&mut self, image: Digest, contents: &Contents) {
        let at = self.images.len() as u32;
        self.images.push(image);
        let release = self.release(contents.os.as_ref());
        for package in &contents.packages {
            let source = package.source.as_ref();
            let from = source.map(|source| format!("{} {}", source.name, source.version)).unwrap_or_default();
            let key = (release, package.purl.to_string(), from);
            let entry = match self.known.get(&key) {
                Some(entry) => *entry,
                None => self.add(key, release, package),
            };
            if let Some(entry) = self.entries.get_mut(entry as usize)
                && entry.images.last() != Some(&at)
            {
                entry.images.push(at);
            }
        }
    }

    /// Number of distinct packages.
    pub fn distinct(&self) -> usize {
        self.entries.len()
    }

    /// The images of all these findings, each once, in the order in which they were added.
    pub fn images_of(&self, found: &[Rematched<'_>]) -> Vec<Digest> {
        let mut meant = vec![false; self.images.len()];
        for image in found.iter().flat_map(|found| found.images) {
            if let Some(meant) = meant.get_mut(*image as usize) {
                *meant = true;
            }
        }
        self.images.iter().zip(meant).filter(|(_, meant)| *meant).map(|(image, _)| *image).collect()
    }

    fn release(&mut self, os: Option<&OsRelease>) -> u32 {
        let found = self.releases.iter().position(|release| release.as_ref() == os);
        found.unwrap_or_else(|| {
            self.releases.push(os.cloned());
            self.releases.len() - 1
        }) as u32
    }

    fn add(&mut self, key: (u32, String, String), release: u32, package: &Package) -> u32 {
        let at = self.entries.len() as u32;
        let mut names = BTreeSet::from([package.name.clone(), package.purl.name.clone()]);
        names.extend(package.source.iter().map(|source| source.name.clone()));
        let purl = &package.purl;
        names.extend(
            purl.namespace
                .iter()
                .flat_map(|space| [format!("{space}/{}", purl.name), format!("{space}:{}", purl.name)]),
        );
        if let Some(family) = of_language(type_of(package)) {
            names = names.iter().map(|name| normal_name(family, name)).collect();
        }
        for name in names {
            self.by_name.entry(name).or_default().push(at);
        }
        self.entries.push(Entry { release, package: package.clone(), images: Vec::new() });
        self.known.insert(key, at);
        at
    }

    /// The findings that `pack` gives in any image, worst first within each distribution's release. Give it the delta as a pack of
    /// its own (built of the changed records alone), so that only what changed is matched.
    pub fn rematch(&self, pack: &Pack, now: Timestamp) -> Result<Vec<Rematched<'_>>, PackError> {
        let mut meant: BTreeMap<u32, BTreeSet<u32>> = BTreeMap::new();
        for name in pack.package_names()? {
            for at in self.by_name.get(name).into_iter().flatten() {
                if let Some(entry) = self.entries.get(*at as usize) {
                    meant.entry(entry.release).or_default().insert(*at);
                }
            }
        }
        let mut found = Vec::new();
        for (release, entries) in meant {
            let os = self.releases.get(release as usize).cloned().flatten();
            let of = |at: &u32| self.entries.get(*at as usize);
            // Where a package lies tells the entries apart again.
            let packages = entries.iter().filter_map(|at| {
                let mut package = of(at)?.package.clone();
                package.path = format!("{at}!{}", package.path);
                Some(package)
            });
            let contents = Contents { os, packages: packages.collect(), ..Contents::default() };
            for mut finding in pack.match_contents(&contents, now)?.vulnerabilities {
                let (at, path) = finding.package.path.split_once('!').unwrap_or_default();
                let Some(entry) = at.parse().ok().and_then(|at: u32| self.entries.get(at as usize)) else { continue };
                let path = path.to_owned();
                finding.package.path = path;
                found.push(Rematched { finding, index: self, images: &entry.images });
            }
        }
        Ok(found)
    }
}
