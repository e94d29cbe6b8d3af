//! The schemes, and the one door through which versions are compared.

use std::cmp::Ordering;
use std::fmt;

use assay_model::{Explain, PackageType};

use crate::go;

/// Longest version text that is compared, in bytes. The longest version in 47,693 OSV records has 91.
pub const MAX_LENGTH: usize = 1024;

/// Declares the schemes, one row each: its name, and the module whose `compare` is its order.
macro_rules! schemes {
    ($($(#[$documentation:meta])* $variant:ident = $module:ident,)+) => {
        /// How the versions of an ecosystem are ordered.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scheme {
            $($(#[$documentation])* $variant,)+
        }

        impl Scheme {
            /// All schemes.
            pub const ALL: [Self; [$(stringify!($variant)),+].len()] = [$(Self::$variant),+];

            /// The lowercase name, for messages.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($module),)+
                }
            }

            fn order(self) -> fn(&str, &str) -> Ordering {
                match self {
                    $(Self::$variant => crate::$module::compare,)+
                }
            }
        }
    };
}

schemes! {
    /// Debian, Ubuntu and opkg: `[epoch:]upstream[-revision]` (Debian Policy, section 5.6.12).
    Debian = debian,
    /// Alpine, Wolfi, Chainguard, Alpaquita (apk-tools 3 order).
    Apk = apk,
    /// RPM: `[epoch:]version[-release]` (rpm-version(7)).
    Rpm = rpm,
    /// Semantic Versioning 2.0.0 section 11, lenient: npm, crates.io, Hex, Swift, GitHub Actions, Bitnami.
    Semver = semver,
    /// Go modules and the toolchain's `go1.21rc2` form (go.dev/ref/mod#versions).
    Go = go,
    /// Python (PEP 440), with the order that setuptools gave to what PEP 440 rejects.
    Pep440 = pep440,
    /// Maven (POM reference, "Version Order Specification").
    Maven = maven,
    /// RubyGems (`Gem::Version`).
    Rubygems = rubygems,
    /// Packagist (PHP's `version_compare`).
    Composer = composer,
    /// NuGet: four numbers and a pre-release.
    Nuget = nuget,
    /// Dart's pub, in which build metadata counts.
    Dart = dart,
    /// R: CRAN and Bioconductor.
    Cran = cran,
    /// Conda: `[epoch!]version[+local]`.
    Conda = conda,
    /// Hackage.
    Hackage = hackage,
    /// Arch Linux (vercmp(8)).
    Pacman = pacman,
    /// Gentoo (Package Manager Specification, section 3.3).
    Portage = portage,
}

impl Scheme {
    /// The scheme of a package type; `None` where the type says nothing about order.
    pub fn for_package(kind: PackageType) -> Option<Self> {
        Self::for_purl_type(kind.purl_type())
    }

    /// The scheme of a purl type (purl-spec, types); `None` where the type says nothing about order.
    pub fn for_purl_type(kind: &str) -> Option<Self> {
        Some(match kind {
            "deb" | "opkg" => Self::Debian,
            "apk" => Self::Apk,
            "rpm" => Self::Rpm,
            "npm" | "cargo" | "hex" | "swift" | "github" | "githubactions" | "bitnami" => Self::Semver,
            "golang" => Self::Go,
            "pypi" => Self::Pep440,
            "maven" => Self::Maven,
            "gem" => Self::Rubygems,
            "composer" => Self::Composer,
            "nuget" => Self::Nuget,
            "pub" => Self::Dart,
            "cran" | "bioconductor" => Self::Cran,
            "conda" => Self::Conda,
            "hackage" => Self::Hackage,
            "alpm" => Self::Pacman,
            "ebuild" | "portage" => Self::Portage,
            _ => return None,
        })
    }

    /// Orders `left` against `right`. Surrounding white space is ignored.
    pub fn compare(self, left: &str, right: &str) -> Result<Ordering, VersionError> {
        let (left, right) = (self.comparable(left)?, self.comparable(right)?);
        Ok(self.order()(left, right))
    }

    /// Whether `version` has a place in the order at all.
    pub fn check(self, version: &str) -> Result<(), VersionError> {
        self.comparable(version).map(|_| ())
    }

    /// Whether `version` has a place in the order at all; trims it.
    fn comparable(self, version: &str) -> Result<&str, VersionError> {
        let trimmed = version.trim();
        if trimmed.is_empty() {
            return Err(VersionError::Empty);
        }
        if trimmed.len() > MAX_LENGTH {
            return Err(VersionError::TooLong { length: trimmed.len() });
        }
        if self == Self::Go && go::is_development(trimmed) {
            return Err(VersionError::Development { version: trimmed.to_owned() });
        }
        Ok(trimmed)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// Why a version has no place in its ecosystem's order.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// There is no version: the package manager recorded none.
    #[error("an empty version cannot be compared")]
    Empty,
    /// The text is longer than any real version.
    #[error("a version of {length} bytes is not compared; the longest allowed has {MAX_LENGTH}")]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// A build from a working tree (`(devel)`, `devel go1.22-...`): it could be anywhere.
    #[error("`{version}` is a development build, which has no place in the order of versions")]
    Development {
        /// The version as written.
        version: String,
    },
}

impl Explain for VersionError {
    fn code(&self) -> &'static str {
        match self {
            Self::Empty => "version-empty",
            Self::TooLong { .. } => "version-too-long",
            Self::Development { .. } => "version-development",
        }
    }

    fn next_step(&self) -> Option<String> {
        match self {
            Self::Development { .. } => Some("build from a tagged version, so that it can be matched".into()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_carries_no_order_is_an_error_and_never_a_guess() {
        for scheme in Scheme::ALL {
            assert_eq!(scheme.compare(" ", "1"), Err(VersionError::Empty), "{scheme}");
            assert_eq!((scheme.check(" "), scheme.check("1")), (Err(VersionError::Empty), Ok(())), "{scheme}");
            let long = "1".repeat(MAX_LENGTH + 1);
            assert!(matches!(scheme.compare("1", &long), Err(VersionError::TooLong { .. })), "{scheme}");
        }
        for version in ["(devel)", "devel go1.22-a1b2c3 Mon", "unknown"] {
            assert!(
                matches!(Scheme::Go.compare(version, "v1.0.0"), Err(VersionError::Development { .. })),
                "{version}"
            );
        }
    }
}
