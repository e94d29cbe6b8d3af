//! The dependency graph of a document: every package can be reached from the root, and nothing dangles.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap, HashSet};

use assay_model::{Contents, Digest, OsRelease, Package, PackageType};

use crate::Root;

/// Packages of one name that are weighed when a dependency is resolved. A hostile image with a million packages of one
/// name would otherwise cost the square of that.
const MAX_CANDIDATES: usize = 256;

/// Nodes are numbered: the root, then the operating system where there is one, then the packages.
pub(crate) struct Graph<'a> {
    /// Distribution, where there is one.
    pub(crate) os: Option<&'a OsRelease>,
    packages: Vec<&'a Package>,
    references: Vec<String>,
    edges: Vec<BTreeSet<usize>>,
}

impl<'a> Graph<'a> {
    /// Builds the graph of `contents` below `root`.
    ///
    /// A package hangs on the packages that need it. What no package leads to hangs on the operating system where the
    /// distribution's package manager installed it, else on the root.
    pub(crate) fn new(contents: &'a Contents, root: &Root) -> Self {
        let mut packages: Vec<_> = contents.packages.iter().collect();
        packages.sort();
        packages.dedup();
        let os = contents.os.as_ref();
        let references = references(root, os, &packages);
        let mut graph = Self { os, edges: vec![BTreeSet::new(); references.len()], packages, references };
        graph.connect_dependencies();
        graph.connect_rest();
        graph
    }

    /// The root's reference.
    pub(crate) fn root(&self) -> &str {
        self.references.first().map_or("", String::as_str)
    }

    /// The operating system with its reference.
    pub(crate) fn operating_system(&self) -> Option<(&str, &'a OsRelease)> {
        Some((self.references.get(1)?, self.os?))
    }

    /// Each package with its reference, sorted by the package.
    pub(crate) fn packages(&self) -> impl Iterator<Item = (&str, &'a Package)> {
        self.references.iter().skip(self.first_package()).map(String::as_str).zip(self.packages.iter().copied())
    }

    /// Each node with the nodes that it leads to, sorted; leaves included.
    pub(crate) fn edges(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        self.references.iter().zip(&self.edges).map(|(from, to)| {
            let mut to: Vec<_> = to.iter().filter_map(|&node| self.references.get(node)).map(String::as_str).collect();
            to.sort_unstable();
            (from.as_str(), to)
        })
    }

    /// Whether a reference stands for a package.
    pub(crate) fn first_package(&self) -> usize {
        1 + usize::from(self.os.is_some())
    }

    fn connect_dependencies(&mut self) {
        let first = self.first_package();
        let mut named: HashMap<(PackageType, &str), Vec<usize>> = HashMap::new();
        for (index, package) in self.packages.iter().enumerate() {
            named.entry((package.kind, &package.name)).or_default().push(index);
        }
        for (index, package) in self.packages.iter().enumerate() {
            // By its own name a package means itself: a name cannot say which other one of that name would be meant.
            for name in package.depends_on.iter().filter(|name| **name != package.name) {
                let candidates = named.get(&(package.kind, name.as_str())).map_or(&[][..], Vec::as_slice);
                if let Some(found) = self.nearest(package, candidates) {
                    self.edges[first + index].insert(first + found);
                }
            }
        }
    }

    /// The candidate that a package manager would take: the one whose folder is nearest above the dependant.
    fn nearest(&self, dependant: &Package, candidates: &[usize]) -> Option<usize> {
        let closeness = |&&candidate: &&usize| {
            let path = &self.packages[candidate].path;
            let shared = components(path).zip(components(&dependant.path)).take_while(|(a, b)| a == b).count();
            (shared, Reverse(components(path).count()), Reverse(candidate))
        };
        candidates.iter().take(MAX_CANDIDATES).max_by_key(closeness).copied()
    }

    fn connect_rest(&mut self) {
        let first = self.first_package();
        if self.os.is_some() {
            self.edges[0].insert(1);
        }
        let needed: HashSet<usize> = self.edges.iter().skip(first).flatten().copied().collect();
        let mut reached = HashSet::new();
        // Packages that nothing needs first; a second pass then picks up cycles that nothing else leads into.
        for only_unneeded in [true, false] {
            for (index, package) in self.packages.iter().enumerate() {
                let node = first + index;
                if reached.contains(&node) || (only_unneeded && needed.contains(&node)) {
                    continue;
                }
                let owner = usize::from(self.os.is_some() && package.kind.is_distribution());
                self.edges[owner].insert(node);
                let mut open = vec![node];
                while let Some(node) = open.pop() {
                    if reached.insert(node) {
                        open.extend(&self.edges[node]);
                    }
                }
            }
        }
    }
}

fn components(path: &str) -> impl Iterator<Item = &str> {
    path.split(['/', '!'])
}

/// One reference for each node, all different. A package's is its purl; packages that share one (the same version in two
/// places) add the start of a digest over path and layer.
fn references(root: &Root, os: Option<&OsRelease>, packages: &[&Package]) -> Vec<String> {
    let purls: Vec<String> = packages.iter().map(|package| package.purl.to_string()).collect();
    let mut count: HashMap<&str, usize> = HashMap::new();
    for purl in &purls {
        *count.entry(purl).or_default() += 1;
    }
    let mut taken = HashSet::new();
    let mut unique = |wanted: String| {
        let mut reference = wanted.clone();
        let mut number = 2;
        while !taken.insert(reference.clone()) {
            reference = format!("{wanted}-{number}");
            number += 1;
        }
        reference
    };
    let mut references = vec![unique(root.purl.as_ref().map_or_else(|| "root".to_owned(), ToString::to_string))];
    references.extend(os.map(|os| unique(format!("os:{}@{}", os.id, os.version_id.as_deref().unwrap_or_default()))));
    for (package, purl) in packages.iter().zip(&purls) {
        references.push(unique(if count.get(purl.as_str()) == Some(&1) {
            purl.clone()
        } else {
            let place = format!("{}\0{:?}", package.path, package.layer);
            format!("{purl}#{}", &Digest::of(place.as_bytes()).hex()[..12])
        }));
    }
    references
}

#[cfg(test)]
mod tests {
    use assay_model::{EvidenceTier, Purl};

    use super::*;

    fn package(kind: PackageType, name: &str, path: &str, depends_on: &[&str]) -> Package {
        Package {
            kind,
            name: name.into(),
            version: "1".into(),
            source: None,
            architecture: None,
            licence: None,
            supplier: None,
            purl: Purl::new(kind.purl_type(), None, name, Some("1")),
            tier: EvidenceTier::Installed,
            path: path.into(),
            digest: None,
            layer: None,
            depends_on: depends_on.iter().map(|&name| name.to_owned()).collect(),
        }
    }

    fn edges(contents: &Contents) -> Vec<(String, Vec<String>)> {
        let graph = Graph::new(contents, &Root::directory("x"));
        graph.edges().map(|(from, to)| (from.to_owned(), to.into_iter().map(str::to_owned).collect())).collect()
    }

    fn targets(contents: &Contents, from: &str) -> Vec<String> {
        edges(contents).into_iter().find(|(name, _)| name == from).unwrap().1
    }

    #[test]
    fn distribution_packages_hang_on_the_operating_system_and_others_on_the_root() {
        let contents = Contents {
            os: Some(OsRelease {
                id: "debian".into(),
                version_id: Some("12".into()),
                pretty_name: None,
                id_like: vec![],
            }),
            packages: vec![
                package(PackageType::Deb, "bash", "status", &["libc6", "not-installed"]),
                package(PackageType::Deb, "libc6", "status", &[]),
                package(PackageType::Npm, "left-pad", "node_modules/left-pad/package.json", &[]),
            ],
            ..Contents::default()
        };
        assert_eq!(targets(&contents, "root"), ["os:debian@12", "pkg:npm/left-pad@1"]);
        assert_eq!(targets(&contents, "os:debian@12"), ["pkg:deb/bash@1"]);
        assert_eq!(targets(&contents, "pkg:deb/bash@1"), ["pkg:deb/libc6@1"]);
    }

    #[test]
    fn a_cycle_that_nothing_needs_is_reached_once() {
        let contents = Contents {
            packages: vec![
                package(PackageType::Npm, "a", "a", &["b", "a"]),
                package(PackageType::Npm, "b", "b", &["a"]),
            ],
            ..Contents::default()
        };
        assert_eq!(targets(&contents, "root"), ["pkg:npm/a@1"]);
        assert_eq!(targets(&contents, "pkg:npm/a@1"), ["pkg:npm/b@1"]);
    }

    #[test]
    fn a_package_that_needs_its_own_name_leads_to_no_other_of_that_name() {
        let contents = Contents {
            packages: vec![
                package(PackageType::Deb, "c", "status", &["c"]),
                package(PackageType::Deb, "c", "status", &[]),
            ],
            ..Contents::default()
        };
        assert!(edges(&contents).iter().skip(1).all(|(_, to)| to.is_empty()));
    }

    #[test]
    fn the_nearest_folder_above_wins() {
        let contents = Contents {
            packages: vec![
                package(PackageType::Npm, "a", "node_modules/a/package.json", &["b"]),
                package(PackageType::Npm, "b", "node_modules/b/package.json", &[]),
                package(PackageType::Npm, "b", "node_modules/c/node_modules/b/package.json", &[]),
                package(PackageType::Npm, "c", "node_modules/c/package.json", &["b"]),
            ],
            ..Contents::default()
        };
        let (a, c) = (targets(&contents, "pkg:npm/a@1"), targets(&contents, "pkg:npm/c@1"));
        assert_eq!((a.len(), c.len()), (1, 1));
        assert_ne!(a, c, "two copies of b, and each dependant takes its own");
    }
}
