//! Ecosystem names: which version order each has, which package type it is, and which ones a distribution's release has.
//!
//! Names are those of the OSV schema ("Defined ecosystems"): `family[:release]`.

use assay_model::{OsRelease, PackageType};
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
        package_type(&self.family)
    }

    /// The order of its versions, where it is known.
    pub fn scheme(&self) -> Option<Scheme> {
        match self.family.as_str() {
            "Bitnami" | "DHI" => Some(Scheme::Semver),
            family => package_type(family).and_then(Scheme::for_package),
        }
    }
}

fn package_type(family: &str) -> Option<PackageType> {
    Some(match family {
        "Debian" | "Ubuntu" | "Echo" => PackageType::Deb,
        "Alpine" | "Wolfi" | "Chainguard" | "Alpaquita" | "BellSoft Hardened Containers" | "CleanStart" | "MinimOS" => {
            PackageType::Apk
        }
        "AlmaLinux" | "Rocky Linux" | "Red Hat" | "SUSE" | "openSUSE" | "Azure Linux" | "Photon OS" | "openEuler"
        | "Mageia" => PackageType::Rpm,
        "npm" => PackageType::Npm,
        "PyPI" => PackageType::Pypi,
        "Go" => PackageType::Golang,
        "crates.io" => PackageType::Cargo,
        "Maven" => PackageType::Maven,
        _ => return None,
    })
}

/// The ecosystem of a language's packages.
pub(crate) fn of_language(kind: PackageType) -> Option<&'static str> {
    match kind {
        PackageType::Npm => Some("npm"),
        PackageType::Pypi => Some("PyPI"),
        PackageType::Golang => Some("Go"),
        PackageType::Cargo => Some("crates.io"),
        PackageType::Maven => Some("Maven"),
        _ => None,
    }
}

/// The key under which a name is stored and looked up: PyPI names in PEP 503 form, all others as written.
pub(crate) fn normal_name(family: &str, name: &str) -> String {
    if family != "PyPI" {
        return name.to_owned();
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
    matches!(family, "AlmaLinux" | "Rocky Linux" | "Red Hat" | "SUSE" | "openSUSE")
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
            |family, release: String| (!major.is_empty()).then(|| Self { family, release: Release::Is(vec![release]) });
        let unversioned = |family| Some(Self { family, release: Release::Is(vec![String::new()]) });
        match os.id.as_str() {
            "debian" => numbered("Debian", major.to_owned()),
            "ubuntu" => numbered("Ubuntu", version.to_owned()).map(|mut distribution| {
                // Ubuntu:Pro has fixes that an image without a subscription cannot install.
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
            "rhel" => (!major.is_empty()).then(|| Self {
                family: "Red Hat",
                release: Release::Begins(vec![
                    format!("enterprise_linux:{major}::"),
                    format!("enterprise_linux:{version}::"),
                ]),
            }),
            "sles" | "sled" => {
                let (major, pack) = version.split_once('.').unwrap_or((version, ""));
                let pack = if pack.is_empty() { String::new() } else { format!(" SP{pack}") };
                (!major.is_empty()).then(|| Self {
                    family: "SUSE",
                    release: Release::Between("Linux Enterprise".to_owned(), format!(" {major}{pack}")),
                })
            }
            "opensuse-leap" => numbered("openSUSE", format!("Leap {version}")),
            "opensuse-tumbleweed" => {
                Some(Self { family: "openSUSE", release: Release::Is(vec!["Tumbleweed".to_owned()]) })
            }
            "azurelinux" | "mariner" => numbered("Azure Linux", major.to_owned()),
            "photon" => numbered("Photon OS", version.to_owned()),
            "mageia" => numbered("Mageia", major.to_owned()),
            _ => None,
        }
    }

    /// Whether records of this ecosystem speak about the release.
    pub(crate) fn covers(&self, family: &str, release: &str) -> bool {
        self.family == family
            && match &self.release {
                Release::Is(releases) => releases.iter().any(|other| other == release),
                Release::Begins(starts) => starts.iter().any(|start| release.starts_with(start)),
                Release::Between(start, end) => release.starts_with(start) && release.ends_with(end),
            }
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
            assert!(distribution.covers(&yes.family, &yes.release), "{id} {version} is {}", yes.name());
            assert!(!distribution.covers(&no.family, &no.release), "{id} {version} is not {}", no.name());
            assert!(yes.package_type().is_some_and(PackageType::is_distribution));
        }
        for unknown in [os("debian", ""), os("arch", "1"), os("alpine", "edge"), os("rhel", "")] {
            assert_eq!(Distribution::of(&unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn only_python_names_have_a_second_form() {
        assert_eq!(normal_name("PyPI", "Zope.Interface__x"), "zope-interface-x");
        assert_eq!(normal_name("npm", "JSONStream"), "JSONStream");
    }
}
