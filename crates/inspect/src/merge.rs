//! Layers put on top of each other: what an image holds when it runs, and what it still ships beneath.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use assay_model::{
    BaseEvidence, BaseImage, Contents, EvidenceTier, FileReference, Layer, OsRelease, Package, PackageType, Partial,
    SecretMatch, Suppressed, SuppressionReason, Surface,
};

use crate::config::{self, ImageConfiguration};
use crate::ecosystems;
use crate::layer::{Fact, LayerResult, Says};
use crate::{os_release, path};

/// A fact of a file that is there when the image runs.
pub(crate) struct Placed {
    /// Index of the layer that brought it; none in directories.
    pub(crate) layer: Option<usize>,
    pub(crate) path: String,
    pub(crate) owner: Option<String>,
    pub(crate) says: Says,
}

/// Links of `os-release` that are followed.
const LINKS: u32 = 8;

/// Makes the contents of an image of its layers, bottom first.
///
/// Whiteouts and opaque directories hide what lies below them (OCI image-spec, layer.md), later files replace earlier ones,
/// files that a distribution package owns are not listed a second time, and each package is attributed to the layer that
/// first brought it. Secrets count in every layer: one whose file is deleted or replaced later is marked `deleted_later`.
/// With a configuration, its environment and history are searched too. Needs no more memory than the results. Layers may be
/// shared (`Arc`): images of one index often have the same ones.
pub fn merge<L: Borrow<LayerResult>>(layers: &[L], configuration: Option<&ImageConfiguration>) -> Contents {
    let layers: Vec<&LayerResult> = layers.iter().map(Borrow::borrow).collect();
    merged(&layers, configuration)
}

fn merged(layers: &[&LayerResult], configuration: Option<&ImageConfiguration>) -> Contents {
    let hidden = Visibility::of(layers);
    let mut facts: Vec<Placed> = Vec::new();
    let mut secrets: Vec<SecretMatch> = Vec::new();
    let mut partial: Vec<Partial> = Vec::new();
    for (index, layer) in layers.iter().enumerate() {
        let is_hidden = |path: &str| hidden.hidden.get(index).is_some_and(|hidden| hidden.contains(path));
        facts.extend(layer.facts.iter().filter(|fact| !is_hidden(&fact.path)).map(|fact| placed(fact, Some(index))));
        secrets.extend(layer.secrets.iter().cloned().map(|mut secret| {
            secret.deleted_later = is_hidden(&secret.file.path);
            secret.file.layer = Some(index);
            secret
        }));
        partial.extend(layer.partial.iter().cloned());
    }
    attribute(&mut facts, layers);
    let mut contents = settle(facts, secrets, partial);
    contents.files = hidden.files;
    contents.surface = surface(layers, &hidden);
    contents.layers = layers
        .iter()
        .map(|layer| Layer { digest: layer.digest, diff_id: layer.diff_id, size: layer.size, created_by: None })
        .collect();
    if let Some(configuration) = configuration {
        config::apply(configuration, &mut contents);
        contents.base = stated_base(&contents.config.labels);
    }
    contents
}

/// Turns facts into sorted contents: what several files say together, purls of distribution packages, no doubles.
pub(crate) fn settle(mut facts: Vec<Placed>, mut secrets: Vec<SecretMatch>, mut partial: Vec<Partial>) -> Contents {
    let os = find_os_release(&facts);
    let mut left_out = LeftOut::default();
    for ecosystem in ecosystems::ALL {
        ecosystem.settle(&mut facts, &mut left_out);
    }
    let mut packages: BTreeSet<Package> = BTreeSet::new();
    for Placed { layer, owner, says, .. } in facts {
        let Says::Packages(list) = says else { continue };
        for mut package in list {
            if let (Some(owner), true) = (&owner, package.tier != EvidenceTier::PackageDatabase) {
                left_out.add(&package, layer, SuppressionReason::OwnedByPackage, Some(owner));
                continue;
            }
            package.layer = package.layer.or(layer);
            if package.kind.is_distribution() {
                qualify(&mut package, os.as_ref());
            }
            packages.insert(package);
        }
    }
    weaker(&mut packages, &mut left_out);
    secrets.sort();
    secrets.dedup();
    partial.sort();
    partial.dedup();
    Contents {
        analyser: crate::ANALYSER,
        os,
        packages: packages.into_iter().collect(),
        secrets,
        partial,
        suppressed: left_out.finish(),
        ..Contents::default()
    }
}

/// Guesses by an executable's name and text are left out where a better sign names the same thing in the same version.
fn weaker(packages: &mut BTreeSet<Package>, left_out: &mut LeftOut) {
    let key = |package: &Package| (package.name.to_lowercase(), package.version.clone());
    let mut strong: HashMap<(String, String), String> = HashMap::new();
    for package in packages.iter().filter(|package| package.tier != EvidenceTier::Heuristic) {
        strong.entry(key(package)).or_insert_with(|| package.path.clone());
    }
    packages.retain(|package| {
        let by = strong
            .get(&key(package))
            .filter(|_| package.tier == EvidenceTier::Heuristic && package.kind == PackageType::Generic);
        if let Some(by) = by {
            left_out.add(package, package.layer, SuppressionReason::StrongerSign, Some(by));
        }
        by.is_none()
    });
}

/// Collects what is left out, each thing once for each reason.
#[derive(Default)]
pub(crate) struct LeftOut {
    found: BTreeMap<LeftOutKey, (FileReference, u64)>,
}

type LeftOutKey = (PackageType, String, String, SuppressionReason, Option<String>);

impl LeftOut {
    pub(crate) fn add(&mut self, package: &Package, layer: Option<usize>, reason: SuppressionReason, by: Option<&str>) {
        let key = (package.kind, package.name.clone(), package.version.clone(), reason, by.map(str::to_owned));
        let file = FileReference { path: package.path.clone(), layer };
        let (_, files) = self.found.entry(key).or_insert((file, 0));
        *files += 1;
    }

    fn finish(self) -> Vec<Suppressed> {
        self.found
            .into_iter()
            .map(|((kind, name, version, reason, by), (file, files))| Suppressed {
                kind,
                name,
                version,
                reason,
                by,
                file,
                files,
            })
            .collect()
    }
}

/// Programs that run what they are given.
const SHELLS: [&str; 9] = ["sh", "bash", "dash", "ash", "zsh", "ksh", "fish", "busybox", "toybox"];
/// Programs that install packages of the distribution.
const PACKAGE_MANAGERS: [&str; 13] =
    ["apt", "apt-get", "dpkg", "apk", "rpm", "dnf", "microdnf", "tdnf", "yum", "zypper", "pacman", "opkg", "emerge"];
/// Folders of programs.
const PROGRAMS: [&str; 7] = ["bin", "sbin", "usr/bin", "usr/sbin", "usr/local/bin", "usr/local/sbin", "busybox"];

fn surface(layers: &[&LayerResult], visibility: &Visibility<'_>) -> Surface {
    let bytes = layers.iter().map(|layer| layer.uncompressed).sum();
    let mut surface = Surface { bytes, ..programs(visibility.programs.iter().copied()) };
    for (layer, hidden) in layers.iter().zip(&visibility.hidden) {
        surface.setuid.extend(layer.setuid.iter().filter(|path| !hidden.contains(path.as_str())).cloned());
    }
    surface.setuid.sort();
    surface
}

/// Whether a path is where a shell or a package manager is.
pub(crate) fn is_program(path: &str) -> bool {
    let (folder, name) = path::split(path);
    PROGRAMS.contains(&folder) && (SHELLS.contains(&name) || PACKAGE_MANAGERS.contains(&name))
}

/// The shells and package managers among paths for which [`is_program`] holds.
pub(crate) fn programs<'p>(paths: impl Iterator<Item = &'p str>) -> Surface {
    let mut surface = Surface::default();
    for path in paths {
        let name = path::split(path).1;
        let list = if SHELLS.contains(&name) { &mut surface.shells } else { &mut surface.package_managers };
        list.push(path.to_owned());
    }
    surface.shells.sort();
    surface.package_managers.sort();
    surface
}

/// What the image says of its base (OCI image-spec, annotations.md), in labels of its configuration.
fn stated_base(labels: &BTreeMap<String, String>) -> Option<BaseImage> {
    let label = |key: &str| labels.get(&format!("org.opencontainers.image.base.{key}"));
    let name = label("name").map(|name| ecosystems::clip(name)).filter(|name| !name.is_empty());
    let digest = label("digest").and_then(|digest| digest.parse().ok());
    (name.is_some() || digest.is_some()).then_some(BaseImage {
        name,
        digest,
        layers: None,
        evidence: BaseEvidence::Stated,
    })
}

pub(crate) fn placed(fact: &Fact, layer: Option<usize>) -> Placed {
    Placed { layer, path: fact.path.clone(), owner: fact.owner.clone(), says: fact.says.clone() }
}

/// Completes a distribution package's purl (purl-spec, types deb, apk and rpm): namespace, `arch`, `distro`, `upstream`.
fn qualify(package: &mut Package, os: Option<&OsRelease>) {
    let namespace = os.map(|os| match (package.kind, os.id.as_str()) {
        (PackageType::Rpm, "rhel") => "redhat".to_owned(),
        (PackageType::Rpm, id) if id.starts_with("opensuse") => "opensuse".to_owned(),
        // The vendor, as in SUSE's own advisories; Trivy knows no other.
        (PackageType::Rpm, id) if id.starts_with("sle") => "suse".to_owned(),
        (_, id) => id.to_owned(),
    });
    let purl = &mut package.purl;
    purl.namespace = namespace;
    let mut qualified = std::mem::replace(purl, assay_model::Purl::new("generic", None, "", None));
    if let Some(architecture) = &package.architecture {
        qualified = qualified.with_qualifier("arch", architecture);
    }
    if let Some(os) = os {
        let distribution =
            os.version_id.as_ref().map_or_else(|| os.id.clone(), |version| format!("{}-{version}", os.id));
        qualified = qualified.with_qualifier("distro", &distribution);
    }
    if let Some(source) = &package.source {
        let upstream = match package.kind {
            PackageType::Rpm => format!("{}-{}.src.rpm", source.name, source.version),
            _ if source.version == package.version => source.name.clone(),
            _ => format!("{}@{}", source.name, source.version),
        };
        qualified = qualified.with_qualifier("upstream", &upstream);
    }
    package.purl = qualified;
}

/// `etc/os-release` or what it links to, else `usr/lib/os-release`.
fn find_os_release(facts: &[Placed]) -> Option<OsRelease> {
    let at = |path: &str| {
        facts.iter().rev().find(|fact| fact.path == path && matches!(fact.says, Says::OsRelease(_) | Says::Link(_)))
    };
    os_release::PATHS.iter().find_map(|path| {
        let mut path = (*path).to_owned();
        for _ in 0..LINKS {
            match &at(&path)?.says {
                Says::OsRelease(release) => return Some(release.clone()),
                Says::Link(target) => path.clone_from(target),
                _ => return None,
            }
        }
        None
    })
}

/// A package database is rewritten whole by every layer that installs something. A package belongs to the lowest layer
/// from which on, without a break, the database lists it.
fn attribute(facts: &mut [Placed], layers: &[&LayerResult]) {
    let key = |package: &Package| -> (String, String, Option<String>) {
        (package.name.clone(), package.version.clone(), package.architecture.clone())
    };
    for fact in facts {
        let (Some(top), Says::Packages(packages)) = (fact.layer, &mut fact.says) else { continue };
        if packages.first().is_none_or(|package| package.tier != EvidenceTier::PackageDatabase) {
            continue;
        }
        let mut open: HashMap<_, Vec<usize>> = HashMap::new();
        for (index, package) in packages.iter().enumerate() {
            open.entry(key(package)).or_default().push(index);
        }
        for (below, layer) in layers.iter().enumerate().take(top).rev() {
            let Some(earlier) = find_packages(layer, &fact.path) else { continue };
            let listed: HashSet<_> = earlier.iter().map(key).collect();
            open.retain(|key, _| listed.contains(key));
            for &index in open.values().flatten() {
                if let Some(package) = packages.get_mut(index) {
                    package.layer = Some(below);
                }
            }
        }
    }
}

fn find_packages<'a>(layer: &'a LayerResult, path: &str) -> Option<&'a [Package]> {
    let from = layer.facts.partition_point(|fact| fact.path.as_str() < path);
    layer.facts.get(from..)?.iter().take_while(|fact| fact.path == path).find_map(|fact| match &fact.says {
        Says::Packages(packages) => Some(packages.as_slice()),
        _ => None,
    })
}

/// Which files of each layer the layers above it hide.
struct Visibility<'a> {
    hidden: Vec<HashSet<&'a str>>,
    /// Files that stay.
    files: u64,
    /// Of those, what lies in folders of programs and may be a shell or a package manager.
    programs: Vec<&'a str>,
}

impl<'a> Visibility<'a> {
    /// Looks from the top down, as an overlay file system does.
    fn of(layers: &[&'a LayerResult]) -> Self {
        let mut seen: HashSet<&str> = HashSet::new();
        let mut directories: HashSet<&str> = HashSet::new();
        let mut whiteouts: HashSet<&str> = HashSet::new();
        let mut opaque: HashSet<&str> = HashSet::new();
        let mut hidden: Vec<HashSet<&str>> = Vec::new();
        let mut files = 0;
        let mut programs = Vec::new();
        for layer in layers.iter().rev() {
            let mut hidden_here = HashSet::new();
            let mut fresh = Vec::new();
            let root_is_opaque = opaque.contains("");
            for path in layer.paths.lines().filter(|path| !path.ends_with('/')) {
                let gone = root_is_opaque
                    || seen.contains(path)
                    || directories.contains(path)
                    || whiteouts.contains(path)
                    || path::ancestors(path)
                        .any(|above| whiteouts.contains(above) || opaque.contains(above) || seen.contains(above));
                if gone {
                    hidden_here.insert(path);
                } else {
                    files += 1;
                    if is_program(path) {
                        programs.push(path);
                    }
                    fresh.push(path);
                }
            }
            // A layer hides only what is below it: its own files are added when all of them were looked at.
            for path in fresh {
                seen.insert(path);
                // Archives need not name the directories of their files.
                for directory in path::ancestors(path) {
                    if !directories.insert(directory) {
                        break;
                    }
                }
            }
            for path in layer.paths.lines().filter_map(|path| path.strip_suffix('/')) {
                directories.insert(path);
            }
            whiteouts.extend(layer.whiteouts.iter().map(String::as_str));
            opaque.extend(layer.opaque.iter().map(String::as_str));
            hidden.push(hidden_here);
        }
        hidden.reverse();
        Self { hidden, files, programs }
    }
}
