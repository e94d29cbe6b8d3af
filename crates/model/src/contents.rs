//! What inspection found in an image, a directory or an SBOM.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Digest, Purl, Severity, Timestamp};

mod image_facts;

pub use image_facts::{BaseEvidence, BaseImage, Suppressed, SuppressionReason, Surface};

/// Which package manager or build tool a package belongs to. It decides the version order and the purl type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PackageType {
    /// Debian and Ubuntu packages.
    Deb,
    /// Alpine, Wolfi and other apk packages.
    Apk,
    /// RPM packages.
    Rpm,
    /// Arch Linux packages.
    Alpm,
    /// JavaScript packages.
    Npm,
    /// Python packages.
    Pypi,
    /// Go modules, and the standard library as `stdlib`.
    Golang,
    /// Rust crates.
    Cargo,
    /// Java artifacts, `group:artifact`.
    Maven,
    /// Ruby gems.
    Gem,
    /// PHP packages, `vendor/name`.
    Composer,
    /// .NET packages.
    Nuget,
    /// Erlang and Elixir packages.
    Hex,
    /// Erlang applications that come with the runtime system.
    Otp,
    /// Dart packages.
    Pub,
    /// Swift packages, `host/owner/name`.
    Swift,
    /// CocoaPods.
    Cocoapods,
    /// C and C++ packages of Conan.
    Conan,
    /// Conda packages.
    Conda,
    /// R packages.
    Cran,
    /// Perl distributions.
    Cpan,
    /// Lua rocks.
    Luarocks,
    /// Haskell packages.
    Hackage,
    /// OCaml packages.
    Opam,
    /// Homebrew formulae and casks.
    Brew,
    /// Bitnami components.
    Bitnami,
    /// GitHub repositories: actions and reusable workflows, `owner/name`.
    Github,
    /// Container images that a file names, `namespace/name`.
    Docker,
    /// Models of a Hugging Face repository, `owner/name`.
    Huggingface,
    /// Anything else that has a name and a version.
    Generic,
}

impl PackageType {
    /// All types.
    pub const ALL: [Self; 30] = [
        Self::Deb,
        Self::Apk,
        Self::Rpm,
        Self::Alpm,
        Self::Npm,
        Self::Pypi,
        Self::Golang,
        Self::Cargo,
        Self::Maven,
        Self::Gem,
        Self::Composer,
        Self::Nuget,
        Self::Hex,
        Self::Otp,
        Self::Pub,
        Self::Swift,
        Self::Cocoapods,
        Self::Conan,
        Self::Conda,
        Self::Cran,
        Self::Cpan,
        Self::Luarocks,
        Self::Hackage,
        Self::Opam,
        Self::Brew,
        Self::Bitnami,
        Self::Github,
        Self::Docker,
        Self::Huggingface,
        Self::Generic,
    ];

    /// The purl type (purl-spec, types).
    pub fn purl_type(self) -> &'static str {
        match self {
            Self::Deb => "deb",
            Self::Apk => "apk",
            Self::Rpm => "rpm",
            Self::Alpm => "alpm",
            Self::Npm => "npm",
            Self::Pypi => "pypi",
            Self::Golang => "golang",
            Self::Cargo => "cargo",
            Self::Maven => "maven",
            Self::Gem => "gem",
            Self::Composer => "composer",
            Self::Nuget => "nuget",
            Self::Hex => "hex",
            Self::Otp => "otp",
            Self::Pub => "pub",
            Self::Swift => "swift",
            Self::Cocoapods => "cocoapods",
            Self::Conan => "conan",
            Self::Conda => "conda",
            Self::Cran => "cran",
            Self::Cpan => "cpan",
            Self::Luarocks => "luarocks",
            Self::Hackage => "hackage",
            Self::Opam => "opam",
            Self::Brew => "brew",
            Self::Bitnami => "bitnami",
            Self::Github => "github",
            Self::Docker => "docker",
            Self::Huggingface => "huggingface",
            Self::Generic => "generic",
        }
    }

    /// The type with this purl type, if it is one of these.
    pub fn from_purl_type(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.purl_type() == text)
    }

    /// Whether a Linux distribution's own package manager installs it.
    pub fn is_distribution(self) -> bool {
        matches!(self, Self::Deb | Self::Apk | Self::Rpm | Self::Alpm)
    }
}

impl fmt::Display for PackageType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.purl_type())
    }
}

/// How strong the sign is that a package is there, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvidenceTier {
    /// The distribution's package database lists it.
    PackageDatabase,
    /// A language's package manager recorded its installation, or a compiler wrote it into a binary.
    Installed,
    /// Metadata inside an archive says so.
    ArchiveMetadata,
    /// A lockfile or manifest declares it.
    Declared,
    /// A name or pattern suggests it.
    Heuristic,
}

/// The source package of a distribution package: what advisories name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SourcePackage {
    /// Source package name.
    pub name: String,
    /// Source package version, which may differ from the binary's.
    pub version: String,
}

/// One package, with where it was found.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    /// Which manager or build tool it belongs to.
    #[serde(rename = "type")]
    pub kind: PackageType,
    /// Full name as the ecosystem writes it: `@scope/name`, `group:artifact`, `github.com/a/b`.
    pub name: String,
    /// Version as the ecosystem writes it, for rpm `[epoch:]version-release`. Empty where none is known.
    pub version: String,
    /// Source package, where it has another name or version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourcePackage>,
    /// Processor architecture as the package manager writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub architecture: Option<String>,
    /// Declared licence: an SPDX expression where the package wrote one or its words are known to mean one, else as written.
    /// Where none is declared, that of a licence text beside it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub licence: Option<String>,
    /// Who supplies it: maintainer, vendor or author, as written by the package.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplier: Option<String>,
    /// The package's canonical purl.
    pub purl: Purl,
    /// How strong the sign is.
    pub tier: EvidenceTier,
    /// File that says so, relative to the root, `outer.jar!inner.jar` inside archives.
    pub path: String,
    /// Digest of that file where it *is* the package (jars, binaries), or of the package's archive as a lock file has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Index into [`Contents::layers`] of the layer that brought the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
    /// Names of the packages of the same type and root that it needs, as written by its manager.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
}

/// Distribution and release, from `os-release(5)`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OsRelease {
    /// `ID`, for example `debian`.
    pub id: String,
    /// `VERSION_ID`, for example `12` or `3.20.1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_id: Option<String>,
    /// `PRETTY_NAME`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pretty_name: Option<String>,
    /// `ID_LIKE`, in order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub id_like: Vec<String>,
}

/// One layer of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layer {
    /// Digest of the blob as transferred, verified.
    pub digest: Digest,
    /// Digest of the uncompressed tar, computed while reading (never the one the configuration claims).
    pub diff_id: Digest,
    /// Bytes as transferred.
    pub size: u64,
    /// The command that made it (`history[].created_by`), where the history lines up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created_by: Option<String>,
}

/// A file and the layer it is in.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileReference {
    /// Path relative to the root.
    pub path: String,
    /// Index into [`Contents::layers`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layer: Option<usize>,
}

/// A secret that a rule matched. The secret itself is not kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretMatch {
    /// The rule, for example `private-key`.
    pub rule: String,
    /// How bad a leak of this kind is.
    pub severity: Severity,
    /// File and layer; `image configuration` where it is in the environment or history.
    pub file: FileReference,
    /// Line, counted from 1.
    pub line: u32,
    /// The line around it with the secret as `***`, at most 120 characters.
    pub excerpt: String,
    /// SHA-256 of the secret: equal secrets can be recognised without keeping them.
    pub fingerprint: Digest,
    /// Whether a later layer deletes or replaces the file: it still ships.
    pub deleted_later: bool,
}

/// The parts of the image configuration that decisions and reports need.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageConfig {
    /// `config.User`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// `config.Entrypoint` and `config.Cmd`, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// `config.Labels`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `created`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// `os/architecture`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<crate::Platform>,
}

/// A bound that was reached while reading untrusted bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Bound {
    /// Bytes of one file or stream.
    Bytes,
    /// Entries of an archive or list.
    Entries,
    /// Nesting of archives or documents.
    Depth,
    /// Inflated bytes for each compressed one.
    Ratio,
    /// The input itself is damaged, and what follows could not be read.
    Malformed,
    /// It was left out on purpose, to fetch less.
    NotFetched,
}

/// Something that could not be read to its end. Contents with one are `partial`, and never count as clean.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Partial {
    /// What could not be read to its end.
    pub what: String,
    /// Which bound was reached.
    pub bound: Bound,
}

/// What inspection found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contents {
    /// Version of the analyser: results of another version are not reused.
    pub analyser: u32,
    /// Distribution, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os: Option<OsRelease>,
    /// Packages, sorted and without doubles.
    pub packages: Vec<Package>,
    /// Secrets, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<SecretMatch>,
    /// Layers, bottom first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<Layer>,
    /// Image configuration, where there is one.
    #[serde(default)]
    pub config: ImageConfig,
    /// Number of files after whiteouts.
    pub files: u64,
    /// What somebody who gets in finds there.
    #[serde(default)]
    pub surface: Surface,
    /// The image that this one was built on, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseImage>,
    /// What was found and is not listed among the packages, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub suppressed: Vec<Suppressed>,
    /// What could not be read to its end. Empty = everything was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub partial: Vec<Partial>,
}
