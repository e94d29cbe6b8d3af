//! What one document lacks and another knows.

use std::collections::HashMap;

use assay_model::{Contents, Package};

/// What was filled in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Enriched {
    /// Licences.
    pub licences: usize,
    /// Suppliers.
    pub suppliers: usize,
    /// Digests.
    pub digests: usize,
    /// Source packages and architectures.
    pub others: usize,
}

/// Fills in the licences, suppliers, digests, source packages and architectures that packages of `contents` lack and that
/// `known` says of a package of the same purl type, namespace, name and version. Nothing that is stated is replaced.
pub fn enrich(contents: &mut Contents, known: &Contents) -> Enriched {
    let key = |package: &Package| {
        let purl = &package.purl;
        (purl.kind.clone(), purl.namespace.clone(), purl.name.clone(), purl.version.clone())
    };
    let mut by_purl: HashMap<_, Package> = HashMap::new();
    for package in &known.packages {
        by_purl.entry(key(package)).and_modify(|have| _ = fill(have, package)).or_insert_with(|| package.clone());
    }
    let mut enriched = Enriched::default();
    for package in &mut contents.packages {
        if let Some(known) = by_purl.get(&key(package)) {
            let more = fill(package, known);
            enriched.licences += more.licences;
            enriched.suppliers += more.suppliers;
            enriched.digests += more.digests;
            enriched.others += more.others;
        }
    }
    contents.packages.sort();
    contents.packages.dedup();
    enriched
}

/// Takes what is missing from another statement about the same package.
pub(crate) fn fill(package: &mut Package, known: &Package) -> Enriched {
    fn take<T: Clone>(missing: &mut Option<T>, known: Option<&T>) -> usize {
        let takes = missing.is_none() && known.is_some();
        if takes {
            *missing = known.cloned();
        }
        usize::from(takes)
    }
    Enriched {
        licences: take(&mut package.licence, known.licence.as_ref()),
        suppliers: take(&mut package.supplier, known.supplier.as_ref()),
        digests: take(&mut package.digest, known.digest.as_ref()),
        others: take(&mut package.source, known.source.as_ref())
            + take(&mut package.architecture, known.architecture.as_ref()),
    }
}

#[cfg(test)]
mod tests {
    use assay_model::{EvidenceTier, PackageType, Purl};

    use super::*;

    fn package(licence: Option<&str>, supplier: Option<&str>, arch: &str) -> Package {
        Package {
            kind: PackageType::Deb,
            name: "a".into(),
            version: "1".into(),
            source: None,
            architecture: None,
            licence: licence.map(str::to_owned),
            supplier: supplier.map(str::to_owned),
            purl: Purl::new("deb", Some("debian"), "a", Some("1")).with_qualifier("arch", arch),
            tier: EvidenceTier::Declared,
            path: String::new(),
            digest: None,
            layer: None,
            depends_on: Vec::new(),
        }
    }

    #[test]
    fn what_is_missing_is_filled_in_and_nothing_is_replaced() {
        let mut contents = Contents { packages: vec![package(Some("MIT"), None, "")], ..Contents::default() };
        let known = Contents { packages: vec![package(Some("Zlib"), Some("S"), "amd64")], ..Contents::default() };
        assert_eq!(enrich(&mut contents, &known), Enriched { suppliers: 1, ..Enriched::default() });
        let package = &contents.packages[0];
        assert_eq!((package.licence.as_deref(), package.supplier.as_deref()), (Some("MIT"), Some("S")));
        assert_eq!(enrich(&mut contents, &known), Enriched::default(), "once");
    }
}
