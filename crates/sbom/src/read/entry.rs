//! Entries of any format to packages.
//!
//! The purl decides what a package is; name, version and source of the entry are believed where they agree with it.
//! Conventions of the tools that most documents come from are understood: Syft's `upstream` qualifier, Trivy's `epoch`
//! qualifier and `aquasecurity:trivy:` properties.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use assay_model::{
    Bound, Contents, Digest, EvidenceTier, OsRelease, Package, PackageType, Partial, Purl, SourcePackage,
};

use super::{Described, Origin};
use crate::property::{self, Properties, parse_word};

/// Entries without a usable purl that are named one by one; the rest is counted.
const MAX_NAMED: usize = 100;
/// Bytes of all dependency names together. An edge is a short reference in the document and a whole name here, so that a
/// hostile document could otherwise grow without bound.
const MAX_DEPENDENCY_BYTES: usize = 64 << 20;

/// One component or package of a document.
#[derive(Default)]
pub(crate) struct Entry {
    pub(crate) reference: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) name: String,
    pub(crate) version: Option<String>,
    pub(crate) purl: Option<String>,
    pub(crate) supplier: Option<String>,
    pub(crate) licence: Option<String>,
    pub(crate) digest: Option<Digest>,
    pub(crate) path: Option<String>,
    pub(crate) properties: Properties,
}

/// What a document lists, whatever its format.
#[derive(Default)]
pub(crate) struct Listed {
    pub(crate) entries: Vec<Entry>,
    /// What needs what.
    pub(crate) edges: Vec<(String, Vec<String>)>,
    /// What is part of what.
    pub(crate) parts: Vec<(String, Vec<String>)>,
    pub(crate) os: Option<OsRelease>,
    pub(crate) os_reference: Option<String>,
    /// Where the graph begins.
    pub(crate) root_reference: Option<String>,
    pub(crate) root: Properties,
    pub(crate) described: Option<Described>,
    pub(crate) origin: Origin,
    /// What the document says is missing from it.
    pub(crate) partial: Vec<Partial>,
}

/// What only matters where a document is judged, by the purls of its packages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Observed {
    /// They had no identifier of their own.
    pub(crate) unidentified: BTreeSet<String>,
    /// Nothing leads to them from the root.
    pub(crate) unreachable: BTreeSet<String>,
    /// Names of the properties that begin like this (BSI TR-03183-2), with the purl of their component.
    pub(crate) bsi: BTreeSet<(String, String)>,
}

/// How the properties of BSI TR-03183-2 begin (BSI, CycloneDX property taxonomy).
const BSI: &str = "bsi:component:";

/// The contents that what is listed amounts to.
pub(crate) fn collect(listed: Listed) -> (Contents, Observed) {
    let layers = listed.root.layers();
    let mut partial: Vec<_> = listed.root.partial().chain(listed.partial).collect();
    let (mut packages, mut by_reference, mut unread) = (Vec::new(), HashMap::new(), 0_usize);
    let mut observed = Observed::default();
    for mut entry in listed.entries {
        let reference = entry.reference.take();
        let label: String = entry.purl.as_ref().unwrap_or(&entry.name).chars().take(200).collect();
        let has_purl = entry.purl.is_some();
        let stated: Vec<String> =
            entry.properties.names().filter(|name| name.starts_with(BSI)).map(str::to_owned).collect();
        if let Some(package) = package(entry, layers.len()) {
            if !has_purl {
                observed.unidentified.insert(package.purl.to_string());
            }
            observed.bsi.extend(stated.into_iter().map(|name| (package.purl.to_string(), name)));
            by_reference.extend(reference.map(|reference| (reference, packages.len())));
            packages.push(package);
        } else {
            unread += 1;
            if unread <= MAX_NAMED {
                partial.push(Partial { what: format!("entry `{label}` of the document"), bound: Bound::Malformed });
            }
        }
    }
    if let Some(more @ 1..) = unread.checked_sub(MAX_NAMED) {
        partial.push(Partial { what: format!("{more} more entries of the document"), bound: Bound::Malformed });
    }
    let links = listed.edges.iter().chain(&listed.parts);
    let reached = reached(listed.root_reference.as_deref(), links);
    let named: HashSet<usize> = reached.iter().filter_map(|reference| by_reference.get(*reference)).copied().collect();
    let left = packages.iter().enumerate().filter(|(index, _)| !named.contains(index));
    observed.unreachable = left.map(|(_, package): (usize, &Package)| package.purl.to_string()).collect();
    if !connect(&mut packages, &by_reference, listed.edges) {
        partial.push(Partial { what: "dependencies of the document".to_owned(), bound: Bound::Bytes });
    }
    for package in &mut packages {
        package.depends_on.sort();
        package.depends_on.dedup();
    }
    packages.sort();
    packages.dedup();
    partial.sort();
    let os = listed.os.map(canonical).or_else(|| os_of(&packages));
    (Contents { os, packages, layers, partial, ..Contents::default() }, observed)
}

/// The references that can be reached from the root.
fn reached<'a>(root: Option<&'a str>, links: impl Iterator<Item = &'a (String, Vec<String>)>) -> HashSet<&'a str> {
    let mut to: HashMap<&str, Vec<&str>> = HashMap::new();
    for (from, targets) in links {
        to.entry(from).or_default().extend(targets.iter().map(String::as_str));
    }
    let mut reached: HashSet<&str> = HashSet::new();
    let mut open: Vec<&str> = root.into_iter().collect();
    while let Some(reference) = open.pop() {
        if reached.insert(reference) {
            open.extend(to.get(reference).into_iter().flatten());
        }
    }
    reached
}

/// Adds the names of the packages that each package needs. `false` where they have too many bytes together.
fn connect(
    packages: &mut [Package],
    by_reference: &HashMap<String, usize>,
    edges: impl IntoIterator<Item = (String, Vec<String>)>,
) -> bool {
    let mut budget = MAX_DEPENDENCY_BYTES;
    for (from, to) in edges {
        let Some(&from) = by_reference.get(&from) else { continue };
        let to: BTreeSet<usize> = to.iter().filter_map(|to| by_reference.get(to)).copied().collect();
        for to in to {
            // An edge between two packages of one name would read as a package that needs itself.
            if packages[to].kind == packages[from].kind && packages[to].name != packages[from].name {
                let Some(left) = budget.checked_sub(packages[to].name.len()) else { return false };
                budget = left;
                let name = packages[to].name.clone();
                packages[from].depends_on.push(name);
            }
        }
    }
    true
}

/// `None` where nothing names the package, or its purl cannot be read.
fn package(entry: Entry, layers: usize) -> Option<Package> {
    let purl = match &entry.purl {
        Some(text) => text.parse().ok()?,
        None if entry.name.is_empty() => return None,
        None => Purl::new("generic", entry.group.as_deref(), &entry.name, entry.version.as_deref()),
    };
    let kind = PackageType::from_purl_type(&purl.kind).unwrap_or(PackageType::Generic);
    let version = version(&entry, &purl);
    let properties = &entry.properties;
    let layer = properties.first(property::LAYER_INDEX).and_then(|index| index.parse().ok());
    let architecture = properties.first(property::ARCHITECTURE).or(purl.qualifiers.get("arch").map(String::as_str));
    Some(Package {
        kind,
        name: full_name(kind, &entry, &purl),
        source: source(kind, properties, &purl, &version),
        architecture: architecture.map(str::to_owned),
        tier: properties.first(property::TIER).and_then(parse_word).unwrap_or(EvidenceTier::Declared),
        path: path(&entry),
        layer: layer.filter(|&layer: &usize| layer < layers),
        depends_on: Vec::new(),
        licence: entry.licence,
        supplier: entry.supplier,
        digest: entry.digest,
        version,
        purl,
    })
}

/// The name as the ecosystem writes it. The purl's is used unless the entry's own is another spelling of the same name:
/// some purl types change case or separators.
fn full_name(kind: PackageType, entry: &Entry, purl: &Purl) -> String {
    let separator = if kind == PackageType::Maven { ':' } else { '/' };
    let namespace = purl.namespace.as_deref().filter(|_| !kind.is_distribution());
    let canonical = namespace.map_or_else(|| purl.name.clone(), |space| format!("{space}{separator}{}", purl.name));
    let group = entry.group.as_deref().filter(|group| !group.is_empty() && !kind.is_distribution());
    let written = group.map_or_else(|| entry.name.clone(), |group| format!("{group}{separator}{}", entry.name));
    let (space, name) = match written.rsplit_once(separator) {
        Some((space, name)) if !kind.is_distribution() => (Some(space), name),
        _ => (None, written.as_str()),
    };
    let respelt = Purl::new(&purl.kind, space, name, None);
    if respelt.name == purl.name && respelt.namespace.as_deref() == namespace { written } else { canonical }
}

/// The entry's version, else the purl's, with the epoch that some tools keep only as a qualifier.
fn version(entry: &Entry, purl: &Purl) -> String {
    let version = entry.version.clone().filter(|version| !version.is_empty()).or_else(|| purl.version.clone());
    let version = version.unwrap_or_default();
    match purl.qualifiers.get("epoch") {
        Some(epoch) if epoch != "0" && !version.contains(':') => format!("{epoch}:{version}"),
        _ => version,
    }
}

fn path(entry: &Entry) -> String {
    let properties = &entry.properties;
    let own = properties.first(property::PATH).map(str::to_owned).or_else(|| entry.path.clone());
    let other = || properties.first("aquasecurity:trivy:FilePath").or_else(|| properties.first("syft:location:0:path"));
    own.or_else(|| other().map(|path| path.trim_start_matches('/').to_owned())).unwrap_or_default()
}

fn source(kind: PackageType, properties: &Properties, purl: &Purl, version: &str) -> Option<SourcePackage> {
    if let Some(source) = properties.source() {
        return Some(source);
    }
    if let Some(name) = properties.first("aquasecurity:trivy:SrcName") {
        let part = |part: &str| properties.first(&format!("aquasecurity:trivy:Src{part}"));
        let mut text = part("Version").map_or_else(|| version.to_owned(), str::to_owned);
        if let Some(release) = part("Release").filter(|release| !release.is_empty()) {
            text = format!("{text}-{release}");
        }
        if let Some(epoch) = part("Epoch").filter(|epoch| *epoch != "0" && !text.contains(':')) {
            text = format!("{epoch}:{text}");
        }
        return Some(SourcePackage { name: name.to_owned(), version: text });
    }
    let upstream = purl.qualifiers.get("upstream")?;
    if kind == PackageType::Rpm {
        // name-version-release.src.rpm
        let (rest, release) = upstream.strip_suffix(".src.rpm")?.rsplit_once('-')?;
        let (name, version) = rest.rsplit_once('-')?;
        return Some(SourcePackage { name: name.to_owned(), version: format!("{version}-{release}") });
    }
    let (name, version) = upstream.split_once('@').unwrap_or((upstream, version));
    Some(SourcePackage { name: name.to_owned(), version: version.to_owned() })
}

/// The distribution that most distribution packages name in their purl's `distro` qualifier.
fn os_of(packages: &[Package]) -> Option<OsRelease> {
    let mut votes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for package in packages.iter().filter(|package| package.kind.is_distribution()) {
        if let (Some(id), Some(distro)) = (&package.purl.namespace, package.purl.qualifiers.get("distro")) {
            *votes.entry((id, distro)).or_default() += 1;
        }
    }
    let ((id, distro), _) = votes.into_iter().max_by_key(|&(_, count)| count)?;
    // `debian-12` and plain `12` are both written; with a prefix, that is the distribution's own identifier.
    let (id, version) = distro.split_once('-').unwrap_or((id, distro));
    Some(canonical(OsRelease {
        id: id.to_owned(),
        version_id: Some(version.to_owned()),
        pretty_name: None,
        id_like: vec![],
    }))
}

/// Names that other tools give to distributions, as `ID` of os-release(5).
fn canonical(mut os: OsRelease) -> OsRelease {
    let id = match os.id.as_str() {
        "redhat" => "rhel",
        "amazon" => "amzn",
        "oracle" => "ol",
        "alma" => "almalinux",
        "opensuse.leap" => "opensuse-leap",
        "suse linux enterprise server" => "sles",
        _ => return os,
    };
    id.clone_into(&mut os.id);
    os
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(purl: &str, version: Option<&str>, properties: &[(&str, &str)]) -> Package {
        let mut entry = Entry { purl: Some(purl.into()), version: version.map(str::to_owned), ..Entry::default() };
        for (name, value) in properties {
            entry.properties.push((*name).into(), (*value).into());
        }
        package(entry, 0).unwrap()
    }

    #[test]
    fn the_epoch_comes_back_from_the_qualifier() {
        assert_eq!(read("pkg:rpm/rhel/bash@5.1-6?epoch=1", Some("5.1-6"), &[]).version, "1:5.1-6");
        assert_eq!(read("pkg:rpm/rhel/bash@5.1-6?epoch=1", Some("1:5.1-6"), &[]).version, "1:5.1-6");
        assert_eq!(read("pkg:deb/debian/bash@5.1-6", None, &[]).version, "5.1-6");
    }

    #[test]
    fn the_source_package_is_found_in_the_forms_of_other_tools() {
        let source = |package: Package| package.source.map(|source| format!("{} {}", source.name, source.version));
        let syft_deb = read("pkg:deb/debian/libc6@2.36-9?upstream=glibc", None, &[]);
        let syft_versioned = read("pkg:deb/debian/liba@1.2?upstream=a%401.1", None, &[]);
        let syft_rpm = read("pkg:rpm/rhel/bash-libs@5.1-6?upstream=bash-5.1-6.el9.src.rpm", None, &[]);
        let trivy = [("SrcName", "openssl"), ("SrcVersion", "3.0"), ("SrcRelease", "4.el9"), ("SrcEpoch", "1")]
            .map(|(name, value)| (format!("aquasecurity:trivy:{name}"), value));
        let trivy: Vec<_> = trivy.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        let trivy = read("pkg:rpm/rhel/openssl-libs@3.0-4.el9", None, &trivy);
        assert_eq!(source(syft_deb).as_deref(), Some("glibc 2.36-9"));
        assert_eq!(source(syft_versioned).as_deref(), Some("a 1.1"));
        assert_eq!(source(syft_rpm).as_deref(), Some("bash 5.1-6.el9"));
        assert_eq!(source(trivy).as_deref(), Some("openssl 1:3.0-4.el9"));
    }

    #[test]
    fn names_follow_their_ecosystem() {
        let name = |purl: &str, group: Option<&str>, name: &str| {
            let group = group.map(str::to_owned);
            package(Entry { purl: Some(purl.into()), group, name: name.into(), ..Entry::default() }, 0).unwrap().name
        };
        assert_eq!(name("pkg:maven/org.apache/batik@1", Some("org.apache"), "batik"), "org.apache:batik");
        assert_eq!(name("pkg:maven/org.apache/batik@1", None, "whatever"), "org.apache:batik");
        assert_eq!(name("pkg:npm/%40a/b@1", Some("@a"), "b"), "@a/b");
        assert_eq!(name("pkg:deb/debian/bash@1", Some("debian"), "bash"), "bash");
        assert_eq!(name("pkg:pypi/django-x@1", None, "Django_x"), "Django_x");
    }

    #[test]
    fn the_operating_system_is_the_one_most_packages_name() {
        let os = |purls: &[&str]| {
            let packages: Vec<_> = purls.iter().map(|purl| read(purl, None, &[])).collect();
            os_of(&packages).map(|os| format!("{} {}", os.id, os.version_id.unwrap_or_default()))
        };
        assert_eq!(
            os(&[
                "pkg:deb/debian/a@1?distro=debian-12",
                "pkg:deb/debian/b@1?distro=debian-12",
                "pkg:deb/debian/c@1?distro=debian-11"
            ])
            .as_deref(),
            Some("debian 12")
        );
        assert_eq!(os(&["pkg:apk/alpine/a@1?distro=3.20.1"]).as_deref(), Some("alpine 3.20.1"));
        assert_eq!(os(&["pkg:rpm/redhat/a@1?distro=redhat-9.4"]).as_deref(), Some("rhel 9.4"));
        assert_eq!(os(&["pkg:npm/a@1?distro=debian-12"]), None);
    }

    #[test]
    fn entries_that_cannot_be_read_make_the_contents_partial() {
        let entry = Entry { purl: Some("not a purl".into()), ..Entry::default() };
        let (contents, _) = collect(Listed { entries: vec![entry], ..Listed::default() });
        assert_eq!(contents.partial[0].what, "entry `not a purl` of the document");
    }
}
