//! Trivy's own JSON (Trivy, `types.Report`, schema version 2), as `trivy image --list-all-pkgs --format json` writes it.
//!
//! Packages are listed by where they come from: those of the distribution, and those of each language.

pub(crate) mod read;
pub(crate) mod write;

use assay_model::PackageType;

/// Trivy's word for the packages of a language.
const TYPES: [(PackageType, &str); 17] = [
    (PackageType::Npm, "node-pkg"),
    (PackageType::Pypi, "python-pkg"),
    (PackageType::Maven, "jar"),
    (PackageType::Golang, "gobinary"),
    (PackageType::Cargo, "rustbinary"),
    (PackageType::Gem, "gemspec"),
    (PackageType::Composer, "composer"),
    (PackageType::Nuget, "dotnet-core"),
    (PackageType::Hex, "hex"),
    (PackageType::Pub, "pub"),
    (PackageType::Swift, "swift"),
    (PackageType::Cocoapods, "cocoapods"),
    (PackageType::Conan, "conan"),
    (PackageType::Conda, "conda-pkg"),
    (PackageType::Bitnami, "bitnami"),
    (PackageType::Cran, "r"),
    (PackageType::Generic, "generic"),
];
