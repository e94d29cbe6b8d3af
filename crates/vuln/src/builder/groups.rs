//! Merging: which names mean the same vulnerability, and which vulnerabilities a record speaks about.

use std::collections::BTreeMap;

use super::Draft;

/// Names by vulnerability, and vulnerabilities by record.
pub(super) struct Groups {
    /// All names of each vulnerability, the shown one first, the others sorted.
    pub(super) names: Vec<Vec<String>>,
    /// For each record, in the order of the drafts, the vulnerabilities it speaks about.
    pub(super) of_record: Vec<Vec<usize>>,
}

/// Names joined by union-find: `aliases` are symmetric and transitive, `upstream` is neither.
#[derive(Default)]
struct Names<'a> {
    index: BTreeMap<&'a str, usize>,
    parent: Vec<usize>,
}

impl<'a> Names<'a> {
    fn node(&mut self, name: &'a str) -> usize {
        let next = self.parent.len();
        let node = *self.index.entry(name).or_insert(next);
        if node == next {
            self.parent.push(next);
        }
        node
    }

    fn root(&mut self, mut node: usize) -> usize {
        while let Some(&parent) = self.parent.get(node) {
            if parent == node {
                break;
            }
            // Halve the path on the way up.
            let above = self.parent.get(parent).copied().unwrap_or(parent);
            if let Some(slot) = self.parent.get_mut(node) {
                *slot = above;
            }
            node = above;
        }
        node
    }

    fn join(&mut self, left: usize, right: usize) {
        let (left, right) = (self.root(left), self.root(right));
        if let Some(slot) = self.parent.get_mut(left.max(right)) {
            *slot = left.min(right);
        }
    }
}

/// Whether a record passes vulnerabilities on instead of naming one itself: an erratum or a distribution's tracker entry.
pub(super) fn is_downstream(draft: &Draft) -> bool {
    let names_cve = draft.id.starts_with("CVE-") || draft.aliases.iter().any(|alias| alias.starts_with("CVE-"));
    !draft.upstream.is_empty() && !names_cve
}

pub(super) fn merge(drafts: &[Draft]) -> Groups {
    let mut names = Names::default();
    for draft in drafts {
        if is_downstream(draft) {
            for name in &draft.upstream {
                names.node(name);
            }
        } else {
            let own = names.node(&draft.id);
            for alias in &draft.aliases {
                let alias = names.node(alias);
                names.join(own, alias);
            }
        }
    }
    let index: Vec<(&str, usize)> = names.index.iter().map(|(name, node)| (*name, *node)).collect();
    let mut members: BTreeMap<usize, Vec<&str>> = BTreeMap::new();
    for (name, node) in index {
        let root = names.root(node);
        members.entry(root).or_default().push(name);
    }
    let mut groups: Vec<(usize, Vec<String>)> = members
        .into_iter()
        .map(|(root, mut members)| {
            // CVE first; GHSA next, since most tools know it; else what comes first.
            members.sort_by_key(|name| (!name.starts_with("CVE-"), !name.starts_with("GHSA-"), *name));
            (root, members.into_iter().map(str::to_owned).collect())
        })
        .collect();
    groups.sort_by(|(_, left), (_, right)| left.cmp(right));
    let position: BTreeMap<usize, usize> = groups.iter().enumerate().map(|(at, (root, _))| (*root, at)).collect();
    let mut of_record = Vec::with_capacity(drafts.len());
    for draft in drafts {
        let own = [draft.id.clone()];
        let spoken_of: &[String] = if is_downstream(draft) { &draft.upstream } else { &own };
        let mut found = Vec::new();
        for name in spoken_of {
            let node = names.index.get(name.as_str()).copied();
            let root = node.map(|node| names.root(node));
            found.extend(root.and_then(|root| position.get(&root).copied()));
        }
        found.sort_unstable();
        found.dedup();
        of_record.push(found);
    }
    Groups { names: groups.into_iter().map(|(_, names)| names).collect(), of_record }
}
