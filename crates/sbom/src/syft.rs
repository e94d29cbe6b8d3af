//! Syft's own JSON (Syft, `schema/json`, version 16): what Grype takes as well as CycloneDX.
//!
//! Its packages have no field for who supplies them, and one for a digest only where they are Java archives or stand in a
//! lock file of Cargo or npm; nothing else is lost.

pub(crate) mod read;
pub(crate) mod write;

use assay_model::PackageType;

/// Version of the schema that is written.
const SCHEMA: &str = "16.0.18";

/// Syft's word for a type of packages, and the language that goes with it.
const TYPES: [(PackageType, &str, &str); 22] = [
    (PackageType::Deb, "deb", ""),
    (PackageType::Rpm, "rpm", ""),
    (PackageType::Apk, "apk", ""),
    (PackageType::Alpm, "alpm", ""),
    (PackageType::Npm, "npm", "javascript"),
    (PackageType::Pypi, "python", "python"),
    (PackageType::Maven, "java-archive", "java"),
    (PackageType::Golang, "go-module", "go"),
    (PackageType::Cargo, "rust-crate", "rust"),
    (PackageType::Gem, "gem", "ruby"),
    (PackageType::Composer, "php-composer", "php"),
    (PackageType::Nuget, "dotnet", "dotnet"),
    (PackageType::Hex, "hex", "elixir"),
    (PackageType::Pub, "dart-pub", "dart"),
    (PackageType::Swift, "swift", "swift"),
    (PackageType::Conan, "conan", "c++"),
    (PackageType::Conda, "conda", ""),
    (PackageType::Hackage, "hackage", "haskell"),
    (PackageType::Cran, "R-package", "R"),
    (PackageType::Luarocks, "lua-rocks", "lua"),
    (PackageType::Github, "github-action", ""),
    (PackageType::Generic, "binary", ""),
];
