//! What changed between two lists.

use std::collections::{BTreeMap, BTreeSet};

use assay_model::{Contents, Package, PackageType};
use serde::Serialize;

/// What changed from one list to another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Difference {
    /// Packages that only the second has, as purls.
    pub added: Vec<String>,
    /// Packages that only the first has, as purls.
    pub removed: Vec<String>,
    /// Packages that both have, and that are not the same.
    pub changed: Vec<Change>,
}

impl Difference {
    /// Whether both list the same.
    pub fn is_empty(&self) -> bool {
        self.added.is_empty() && self.removed.is_empty() && self.changed.is_empty()
    }
}

/// A package that is not the same in both.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Change {
    /// Type of the package.
    #[serde(rename = "type")]
    pub kind: PackageType,
    /// Its name.
    pub name: String,
    /// What changed.
    pub field: Field,
    /// In the first; empty where it was not stated.
    pub before: String,
    /// In the second; empty where it is not stated.
    pub after: String,
}

/// What may change of a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// Its version.
    Version,
    /// Its licence.
    Licence,
    /// Who supplies it.
    Supplier,
    /// Its digest.
    Digest,
}

impl Field {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Version => "version",
            Self::Licence => "licence",
            Self::Supplier => "supplier",
            Self::Digest => "digest",
        }
    }
}

/// Says what changed from `before` to `after`. A package is known by type and name; where each list has one version that
/// the other has not, that is a change of version, else versions are added and removed. Paths and layers do not count.
pub fn difference(before: &Contents, after: &Contents) -> Difference {
    let (old, new) = (named(before), named(after));
    let mut difference = Difference::default();
    for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
        let none = BTreeMap::new();
        let (old, new) = (old.get(key).unwrap_or(&none), new.get(key).unwrap_or(&none));
        let change = |field, before: &str, after: &str| Change {
            kind: key.0,
            name: key.1.to_owned(),
            field,
            before: before.to_owned(),
            after: after.to_owned(),
        };
        let gone: Vec<&Package> =
            old.iter().filter(|(version, _)| !new.contains_key(*version)).map(|(_, p)| *p).collect();
        let came: Vec<&Package> =
            new.iter().filter(|(version, _)| !old.contains_key(*version)).map(|(_, p)| *p).collect();
        if let ([gone], [came]) = (gone.as_slice(), came.as_slice()) {
            difference.changed.push(change(Field::Version, &gone.version, &came.version));
        } else {
            difference.removed.extend(gone.iter().map(|package| package.purl.to_string()));
            difference.added.extend(came.iter().map(|package| package.purl.to_string()));
        }
        for (version, old) in old {
            let Some(new) = new.get(version) else { continue };
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            let digest = |package: &Package| package.digest.as_ref().map(ToString::to_string).unwrap_or_default();
            for (field, before, after) in [
                (Field::Licence, text(&old.licence), text(&new.licence)),
                (Field::Supplier, text(&old.supplier), text(&new.supplier)),
                (Field::Digest, digest(old), digest(new)),
            ] {
                if before != after {
                    difference.changed.push(change(field, &before, &after));
                }
            }
        }
    }
    difference.added.sort();
    difference.removed.sort();
    difference.changed.sort();
    difference
}

/// By type and name, then by version. The same version in several places counts once, the first of them.
fn named(contents: &Contents) -> BTreeMap<(PackageType, &str), BTreeMap<&str, &Package>> {
    let mut named: BTreeMap<_, BTreeMap<&str, &Package>> = BTreeMap::new();
    for package in &contents.packages {
        let versions = named.entry((package.kind, package.name.as_str())).or_default();
        versions.entry(package.version.as_str()).or_insert(package);
    }
    named
}

#[cfg(test)]
mod tests {
    use assay_model::{EvidenceTier, Purl};

    use super::*;

    fn contents(packages: &[(&str, &str, Option<&str>)]) -> Contents {
        let package = |(name, version, licence): &(&str, &str, Option<&str>)| Package {
            kind: PackageType::Npm,
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            source: None,
            architecture: None,
            licence: licence.map(str::to_owned),
            supplier: None,
            purl: Purl::new("npm", None, name, Some(version)),
            tier: EvidenceTier::Installed,
            path: String::new(),
            digest: None,
            layer: None,
            depends_on: Vec::new(),
        };
        Contents { packages: packages.iter().map(package).collect(), ..Contents::default() }
    }

    #[test]
    fn versions_licences_and_packages_that_come_and_go() {
        let before = contents(&[("a", "1", None), ("b", "1", Some("MIT")), ("c", "1", None), ("d", "1", None)]);
        let after =
            contents(&[("a", "2", None), ("b", "1", None), ("d", "1", None), ("d", "2", None), ("e", "1", None)]);
        let found = difference(&before, &after);
        assert_eq!(
            (found.added, found.removed),
            (vec!["pkg:npm/d@2".into(), "pkg:npm/e@1".into()], vec!["pkg:npm/c@1".into()])
        );
        let changes: Vec<_> = found.changed.iter().map(|c| (&*c.name, c.field, &*c.before, &*c.after)).collect();
        assert_eq!(changes, [("a", Field::Version, "1", "2"), ("b", Field::Licence, "MIT", "")]);
        assert!(difference(&before, &before).is_empty());
    }
}
