//! Ecosystem names: which version order each has, which package type it is, and which ones a distribution's release has.
//!
//! Names are those of the OSV schema ("Defined ecosystems"): `family[:release]`.

use std::collections::BTreeSet;

use assay_model::{Contents, OsRelease, Package, PackageType};
use assay_version::Scheme;

/// An ecosystem as records name it, for example `Debian:12`: the family before the first colon, the release after it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ecosystem {
    /// `Debian`, `Rocky Linux`, `crates.io`.
    pub family: String,
    /// `12`, `v3.20`, `22.04:LTS`; empty where the family has no releases.
    pub release: String,
}

impl Ecosystem {
    /// Splits a name at its first colon.
    pub fn parse(name: &str) -> Self {
        let (family, release) = name.split_once(':').unwrap_or((name, ""));
        Self { family: family.to_owned(), release: release.to_owned() }
    }

    /// The name as records write it.
    pub fn name(&self) -> String {
        if self.release.is_empty() { self.family.clone() } else { format!("{}:{}", self.family, self.release) }
    }

    /// The package type of its packages, where Assay finds such packages in images.
    pub fn package_type(&self) -> Option<PackageType> {
        purl_type(&self.family).and_then(PackageType::from_purl_type)
    }

    /// Its family, where it is a registry of a language or the like: released as one, or at an address of its own.
    pub(crate) fn registry(&self) -> Option<&'static str> {
        let family = purl_type(&self.family).and_then(of_language).filter(|family| *family == self.family)?;
        (self.release.is_empty() || self.release.starts_with("https://")).then_some(family)
    }

    /// The order of its versions, where it is known.
    pub fn scheme(&self) -> Option<Scheme> {
        match self.family.as_str() {
            "DHI" => Some(Scheme::Semver),
            family => purl_type(family).and_then(Scheme::for_purl_type),
        }
    }
}

/// The purl type of a family's packages (purl-spec, types).
fn purl_type(family: &str) -> Option<&'static str> {
    Some(match family {
        "Debian" | "Ubuntu" | "Echo" => "deb",
        "Alpine" | "Wolfi" | "Chainguard" | "Alpaquita" | "BellSoft Hardened Containers" | "CleanStart" | "MinimOS" => {
            "apk"
        }
        "AlmaLinux" | "Rocky Linux" | "Red Hat" | "SUSE" | "openSUSE" | "Azure Linux" | "Photon OS" | "openEuler"
        | "Mageia" | "Oracle Linux" | "Amazon Linux" => "rpm",
        "npm" => "npm",
        "PyPI" => "pypi",
        "Go" => "golang",
        "crates.io" => "cargo",
        "Maven" => "maven",
        "RubyGems" => "gem",
        "Packagist" => "composer",
        "NuGet" => "nuget",
        "Hex" => "hex",
        "Pub" => "pub",
        "CRAN" => "cran",
        "Bioconductor" => "bioconductor",
        "Hackage" => "hackage",
        "SwiftURL" => "swift",
        "GitHub Actions" => "githubactions",
        "Bitnami" => "bitnami",
        "Arch Linux" => "alpm",
        "Gentoo" => "ebuild",
        _ => return None,
    })
}

/// The ecosystem of a purl type, where a language's or a registry's own.
pub(crate) fn of_language(purl_type: &str) -> Option<&'static str> {
    Some(match purl_type {
        "npm" => "npm",
        "pypi" => "PyPI",
        "golang" => "Go",
        "cargo" => "crates.io",
        "maven" => "Maven",
        "gem" => "RubyGems",
        "composer" => "Packagist",
        "nuget" => "NuGet",
        "hex" => "Hex",
        "pub" => "Pub",
        "cran" => "CRAN",
        "bioconductor" => "Bioconductor",
        "hackage" => "Hackage",
        "swift" => "SwiftURL",
        "github" | "githubactions" => "GitHub Actions",
        "bitnami" => "Bitnami",
        _ => return None,
    })
}

/// The type that decides names and order: the package's own, or its purl's where it is generic.
pub(crate) fn type_of(package: &Package) -> &str {
    if package.kind == PackageType::Generic { &package.purl.kind } else { package.kind.purl_type() }
}

/// Under which name the pack of a family is built and installed: `debian`, `crates.io`, `red-hat`.
pub(crate) fn part_name(family: &str) -> String {
    family.to_lowercase().replace(' ', "-")
}

/// The packs that speak about some contents, by the names under which they are built: the distribution's, and those of each
/// registry that a package comes from.
pub fn packs_for(contents: &Contents) -> BTreeSet<String> {
    let distribution = contents.os.as_ref().and_then(Distribution::of).map(|distribution| distribution.family);
    let registries = contents.packages.iter().filter_map(|package| of_language(type_of(package)));
    distribution.into_iter().chain(registries).map(part_name).collect()
}

/// The key under which a name is stored and looked up: PyPI names in PEP 503 form, names of registries without regard to
/// case in lower case, all others as written.
pub(crate) fn normal_name(family: &str, name: &str) -> String {
    match family {
        "PyPI" => {}
        "NuGet" | "Packagist" | "GitHub Actions" | "Hex" => return name.to_ascii_lowercase(),
        "SwiftURL" => {
            let name = name.strip_prefix("https://").unwrap_or(name);
            return name.strip_suffix(".git").unwrap_or(name).to_ascii_lowercase();
        }
        _ => return name.to_owned(),
    }
    let mut normal = String::with_capacity(name.len());
    for c in name.chars() {
        if !matches!(c, '-' | '_' | '.') {
            normal.extend(c.to_lowercase());
        } else if !normal.ends_with('-') {
            normal.push('-');
        }
    }
    normal
}

/// Families whose records name binary packages as well as source packages.
pub(crate) fn names_binaries(family: &str) -> bool {
    matches!(
        family,
        "AlmaLinux"
            | "Rocky Linux"
            | "Red Hat"
            | "SUSE"
            | "openSUSE"
            | "Oracle Linux"
            | "Amazon Linux"
            | "Azure Linux"
            | "Photon OS"
    )
}

/// Families whose errata list the vulnerabilities that they fix under `related`.
pub(crate) fn errata_in_related(family: &str) -> bool {
    matches!(family, "AlmaLinux" | "Rocky Linux")
}

/// The ecosystems whose records speak about one release of a distribution.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Distribution {
    family: &'static str,
    release: Release,
    channels: Vec<Channel>,
}

/// Another stream of fixes for the same release, which only packages that came from it follow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Channel {
    /// Beginning of the release part of its ecosystems.
    begins: String,
    /// Texts in a version, one of which shows that a build came from this channel.
    marks: Vec<String>,
    /// Whether it is worth naming as the place of a fix to someone who does not have it: a subscription.
    pub(crate) subscription: bool,
}

impl Channel {
    /// Whether a package's version shows that it came from here.
    pub(crate) fn built(&self, version: &str) -> bool {
        self.marks.iter().any(|mark| version.contains(mark.as_str()))
    }
}

/// What the records of an ecosystem are to one release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Coverage {
    /// They speak about it.
    Release,
    /// They speak about what came from a channel of it.
    Channel(Channel),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Release {
    /// One of these; the empty one for families without releases.
    Is(Vec<String>),
    /// Begins with one of these: Red Hat's CPEs.
    Begins(Vec<String>),
    /// Begins with the first and ends with the second: SUSE's marketing names.
    Between(String, String),
}

impl Distribution {
    /// From `os-release(5)`; `None` where no ecosystem covers it (testing and rolling releases of Debian, for example).
    pub(crate) fn of(os: &OsRelease) -> Option<Self> {
        let version = os.version_id.as_deref().unwrap_or_default();
        let major = version.split('.').next().unwrap_or_default();
        let numbered =
            |family, release: String| (!major.is_empty()).then(|| Self::plain(family, Release::Is(vec![release])));
        let unversioned = |family| Some(Self::plain(family, Release::Is(vec![String::new()])));
        let channel = |begins: String, marks: &[&str], subscription| Channel {
            begins,
            marks: marks.iter().map(|mark| (*mark).to_owned()).collect(),
            subscription,
        };
        match os.id.as_str() {
            "debian" => numbered("Debian", major.to_owned()).map(|mut distribution| {
                // Backports are builds of the next release's versions, and follow its advisories.
                let next = major.parse::<u32>().ok().and_then(|major| major.checked_add(1));
                distribution.channels.extend(next.map(|next| channel(next.to_string(), &["~bpo"], false)));
                distribution
            }),
            "ubuntu" => numbered("Ubuntu", version.to_owned()).map(|mut distribution| {
                // Ubuntu:Pro has fixes that an image without a subscription cannot install.
                distribution.channels = vec![
                    channel(format!("Pro:FIPS-updates:{version}"), &["fips", "Fips"], true),
                    channel(format!("Pro:FIPS:{version}"), &["fips", "Fips"], true),
                    channel(format!("Pro:{version}"), &["+esm", "~esm"], true),
                ];
                if let Release::Is(releases) = &mut distribution.release {
                    releases.push(format!("{version}:LTS"));
                }
                distribution
            }),
            "alpine" => {
                let mut parts = version.split(['.', '_']);
                let (major, minor) = (parts.next()?, parts.next()?);
                numbered("Alpine", format!("v{major}.{minor}"))
            }
            "wolfi" => unversioned("Wolfi"),
            "chainguard" => unversioned("Chainguard"),
            "cleanstart" => unversioned("CleanStart"),
            "minimos" => unversioned("MinimOS"),
            "echo" => unversioned("Echo"),
            "alpaquita" => numbered("Alpaquita", version.to_owned()),
            "bellsoft-hardened-containers" => numbered("BellSoft Hardened Containers", version.to_owned()),
            "almalinux" => numbered("AlmaLinux", major.to_owned()),
            "rocky" => numbered("Rocky Linux", major.to_owned()),
            "rhel" => (!major.is_empty()).then(|| {
                let release = Release::Begins(vec![
                    format!("enterprise_linux:{major}::"),
                    format!("enterprise_linux:{version}::"),
                ]);
                // Extended support of one minor release: builds of it carry the release's number.
                let mark = format!(".el{}", version.replace('.', "_"));
                let extended = |name: &&str| channel(format!("{name}:{version}::"), &[mark.as_str()], true);
                let minor = version.contains('.');
                let names = ["rhel_eus", "rhel_aus", "rhel_tus", "rhel_e4s"];
                let channels = names.iter().filter(|_| minor).map(extended).collect();
                Self { family: "Red Hat", release, channels }
            }),
            "sles" | "sled" => {
                let (major, pack) = version.split_once('.').unwrap_or((version, ""));
                let pack = if pack.is_empty() { String::new() } else { format!(" SP{pack}") };
                let release = Release::Between("Linux Enterprise".to_owned(), format!(" {major}{pack}"));
                (!major.is_empty()).then(|| Self::plain("SUSE", release))
            }
            "opensuse-leap" => numbered("openSUSE", format!("Leap {version}")),
            "opensuse-tumbleweed" => Some(Self::plain("openSUSE", Release::Is(vec!["Tumbleweed".to_owned()]))),
            "ol" => numbered("Oracle Linux", major.to_owned()),
            "amzn" => numbered("Amazon Linux", version.to_owned()),
            "azurelinux" | "mariner" => numbered("Azure Linux", major.to_owned()),
            "photon" => numbered("Photon OS", version.to_owned()),
            "mageia" => numbered("Mageia", major.to_owned()),
            _ => None,
        }
    }

    fn plain(family: &'static str, release: Release) -> Self {
        Self { family, release, channels: Vec::new() }
    }

    /// What records of this ecosystem are to the release; `None` where they do not speak about it.
    pub(crate) fn coverage(&self, family: &str, release: &str) -> Option<Coverage> {
        if self.family != family {
            return None;
        }
        let covered = match &self.release {
            Release::Is(releases) => releases.iter().any(|other| other == release),
            Release::Begins(starts) => starts.iter().any(|start| release.starts_with(start)),
            Release::Between(start, end) => release.starts_with(start) && release.ends_with(end),
        };
        if covered {
            return Some(Coverage::Release);
        }
        let whole = |channel: &&Channel| {
            let rest = release.strip_prefix(channel.begins.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':') || channel.begins.ends_with(':'))
        };
        self.channels.iter().find(whole).cloned().map(Coverage::Channel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn os(id: &str, version: &str) -> OsRelease {
        OsRelease {
            id: id.into(),
            version_id: Some(version.into()).filter(|text: &String| !text.is_empty()),
            pretty_name: None,
            id_like: Vec::new(),
        }
    }

    #[test]
    fn each_release_is_covered_by_its_own_ecosystem_only() {
        for (id, version, yes, no) in [
            ("debian", "12", "Debian:12", "Debian:11"),
            ("ubuntu", "22.04", "Ubuntu:22.04:LTS", "Ubuntu:Pro:22.04:LTS"),
            ("ubuntu", "23.10", "Ubuntu:23.10", "Debian:12"),
            ("alpine", "3.20.1", "Alpine:v3.20", "Alpine"),
            ("alpine", "3.21.0_alpha20240923", "Alpine:v3.21", "Alpine:v3.2"),
            ("wolfi", "20230201", "Wolfi", "Chainguard"),
            ("almalinux", "9.4", "AlmaLinux:9", "AlmaLinux:8"),
            ("rocky", "9.3", "Rocky Linux:9", "AlmaLinux:9"),
            ("rhel", "9.4", "Red Hat:enterprise_linux:9::baseos", "Red Hat:enterprise_linux:8::baseos"),
            (
                "sles",
                "15.5",
                "SUSE:Linux Enterprise Module for Basesystem 15 SP5",
                "SUSE:Linux Enterprise Server 15 SP4",
            ),
            ("opensuse-leap", "15.5", "openSUSE:Leap 15.5", "openSUSE:Tumbleweed"),
            ("alpaquita", "23", "Alpaquita:23", "Alpaquita:stream"),
            ("mariner", "2.0", "Azure Linux:2", "Azure Linux:3"),
        ] {
            let distribution = Distribution::of(&os(id, version)).unwrap();
            let (yes, no) = (Ecosystem::parse(yes), Ecosystem::parse(no));
            let covers =
                |name: &Ecosystem| distribution.coverage(&name.family, &name.release) == Some(Coverage::Release);
            assert!(covers(&yes), "{id} {version} is {}", yes.name());
            assert!(!covers(&no), "{id} {version} is not {}", no.name());
            assert!(yes.package_type().is_some_and(PackageType::is_distribution));
        }
        for unknown in [os("debian", ""), os("arch", "1"), os("alpine", "edge"), os("rhel", "")] {
            assert_eq!(Distribution::of(&unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn a_channel_is_known_by_the_builds_that_come_from_it() {
        for (id, version, ecosystem, build, other) in [
            ("ubuntu", "18.04", "Ubuntu:Pro:18.04:LTS", "1.2-3ubuntu0.1+esm1", "1.2-3ubuntu0.1"),
            ("debian", "12", "Debian:13", "3.0-1~bpo12+1", "3.0-1+deb12u1"),
            ("rhel", "8.6", "Red Hat:rhel_eus:8.6::appstream", "1.0-4.el8_6.3", "1.0-5.el8_7"),
            ("rhel", "8.6", "Red Hat:rhel_aus:8.6::baseos", "1.0-4.el8_6.3", "1.0-5.el8"),
        ] {
            let name = Ecosystem::parse(ecosystem);
            let Some(Coverage::Channel(channel)) =
                Distribution::of(&os(id, version)).unwrap().coverage(&name.family, &name.release)
            else {
                panic!("{ecosystem} is no channel of {id} {version}");
            };
            assert!(channel.built(build), "{build}");
            assert!(!channel.built(other), "{other}");
        }
        let debian = Distribution::of(&os("debian", "1")).unwrap();
        assert_eq!(debian.coverage("Debian", "20"), None, "2 is no beginning of 20");
    }

    #[test]
    fn only_python_names_have_a_second_form() {
        assert_eq!(normal_name("PyPI", "Zope.Interface__x"), "zope-interface-x");
        assert_eq!(normal_name("npm", "JSONStream"), "JSONStream");
    }
}
