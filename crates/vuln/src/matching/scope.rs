//! What a package is looked up as: names and versions, and the ecosystems of the pack that can speak about it.

use std::collections::BTreeMap;

use assay_model::{Contents, Package};

use crate::ecosystem::{Channel, Coverage, Distribution, names_binaries, normal_name, of_language, type_of};
use crate::format::Section;
use crate::pack::{PackError, PackFile};

/// A name and version to look up in one ecosystem.
pub(super) struct Lookup<'a> {
    pub(super) ecosystem: u32,
    pub(super) name: String,
    pub(super) version: &'a str,
    /// What the ecosystem is to the package.
    pub(super) role: Role<'a>,
}

/// What an ecosystem's word is worth for one package.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role<'a> {
    /// It speaks about the package.
    Main,
    /// The package came from this channel, whose word goes before that of [`Self::Main`].
    Origin(&'a Channel),
    /// The package did not come from this subscription, which may have a fix all the same.
    Subscription,
}

/// The ecosystems of the pack that can speak about some contents.
pub(super) struct Scope {
    /// Rows of the distribution's release, and of its channels.
    distribution: Vec<(u32, String, Coverage)>,
    /// Rows of each registry's ecosystem, with the registry's address where it is not the default one.
    registries: BTreeMap<&'static str, Vec<(u32, String)>>,
}

impl Scope {
    pub(super) fn of(pack: &PackFile, contents: &Contents) -> Result<Self, PackError> {
        let release = contents.os.as_ref().and_then(Distribution::of);
        let mut scope = Self { distribution: Vec::new(), registries: BTreeMap::new() };
        for row in 0..pack.rows(Section::Ecosystems) {
            let ecosystem = pack.ecosystem(row)?;
            let coverage = release.as_ref().and_then(|release| release.coverage(&ecosystem.family, &ecosystem.release));
            if let Some(coverage) = coverage {
                scope.distribution.push((row, ecosystem.family, coverage));
                continue;
            }
            if let Some(family) = ecosystem.registry() {
                scope.registries.entry(family).or_default().push((row, ecosystem.release));
            }
        }
        Ok(scope)
    }

    /// What to look up for a package; nothing with [`Role::Main`] where the pack cannot speak about it.
    pub(super) fn lookups<'a>(&'a self, package: &'a Package) -> Vec<Lookup<'a>> {
        if let Some(family) = of_language(type_of(package)) {
            let rows = self.registries.get(family).into_iter().flatten();
            let meant = rows.filter(|(_, address)| address.is_empty() || comes_from(package, address));
            return meant
                .map(|(row, _)| Lookup {
                    ecosystem: *row,
                    name: normal_name(family, &registry_name(package)),
                    version: &package.version,
                    role: Role::Main,
                })
                .collect();
        }
        if !package.kind.is_distribution() {
            return Vec::new();
        }
        let binary = (package.name.as_str(), package.version.as_str());
        let source = package.source.as_ref().map_or(binary, |source| (source.name.as_str(), source.version.as_str()));
        let mut lookups = Vec::new();
        for (ecosystem, family, coverage) in &self.distribution {
            let role = match coverage {
                Coverage::Release => Role::Main,
                Coverage::Channel(channel) if channel.built(source.1) || channel.built(binary.1) => {
                    Role::Origin(channel)
                }
                Coverage::Channel(channel) if channel.subscription => Role::Subscription,
                Coverage::Channel(_) => continue,
            };
            let mut names = vec![source];
            if names_binaries(family) && binary != source {
                names.push(binary);
            }
            lookups.extend(names.into_iter().map(|(name, version)| Lookup {
                ecosystem: *ecosystem,
                name: name.to_owned(),
                // A backport is a build of exactly the version before the mark.
                version: version.split_once("~bpo").map_or(version, |(version, _)| version),
                role,
            }));
        }
        lookups
    }
}

/// The name under which a registry knows the package. A dependency may be installed under an alias (npm's
/// `"a": "npm:b@1"`); the purl then has the real name.
fn registry_name(package: &Package) -> String {
    let purl = &package.purl;
    let separator = if purl.kind == "maven" { ":" } else { "/" };
    let named = match &purl.namespace {
        Some(namespace) => format!("{namespace}{separator}{}", purl.name),
        None => purl.name.clone(),
    };
    let generic = package.kind == assay_model::PackageType::Generic;
    if (generic || purl.kind == "npm") && !named.is_empty() && !named.eq_ignore_ascii_case(&package.name) {
        named
    } else {
        package.name.clone()
    }
}

/// Whether a package came from a registry other than the default one: its purl says so, or its name is reserved there.
fn comes_from(package: &Package, address: &str) -> bool {
    let says = package
        .purl
        .qualifiers
        .get("repository_url")
        .is_some_and(|other| other.trim_end_matches('/') == address.trim_end_matches('/'));
    says || (address.starts_with("https://packages.drupal.org/") && registry_name(package).starts_with("drupal/"))
}
