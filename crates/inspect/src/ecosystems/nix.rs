//! Nix packages: the names of the directories in the store.
//!
//! Source: Nix manual, "Store path": `/nix/store/HASH-NAME`, a hash of 32 characters, and a name that ends in the version
//! (`builtins.parseDrvName`: the version begins behind the first hyphen that no letter follows) and possibly an output.

use assay_model::{EvidenceTier, Package, PackageType};

use super::{About, Ecosystem, package};

pub(crate) struct Nix;

const STORE: &str = "nix/store/";
const HASH: usize = 32;
/// Outputs beside the default one (nixpkgs manual, "Multiple-output packages").
const OUTPUTS: [&str; 12] =
    ["bin", "lib", "dev", "out", "doc", "man", "info", "devdoc", "static", "debug", "getent", "terminfo"];

const ABOUT: About = About::installed("Nix store", EvidenceTier::Installed, &["/nix/store/*"]);

impl Ecosystem for Nix {
    fn about(&self) -> &About {
        &ABOUT
    }

    fn wants(&self, path: &str, _: super::Scope) -> bool {
        // Names alone matter; what lies in a store path is never read for it.
        path.strip_prefix(STORE).is_some_and(|name| !name.contains('/') && name.len() <= HASH)
    }

    fn read_path(&self, path: &str) -> Option<Package> {
        let name = path.strip_prefix(STORE)?.split('/').next()?;
        let (hash, full) = name.split_at_checked(HASH)?;
        let full = full.strip_prefix('-').filter(|_| hash.bytes().all(|byte| byte.is_ascii_alphanumeric()))?;
        if full.rsplit_once('.').is_some_and(|(_, extension)| extension == "drv") {
            return None;
        }
        let at = full
            .match_indices('-')
            .map(|(at, _)| at)
            .find(|at| full.as_bytes().get(at + 1).is_some_and(|next| !next.is_ascii_alphabetic()))?;
        let (short, version) = (full.get(..at)?, full.get(at + 1..)?);
        let (version, output) = match version.rsplit_once('-') {
            Some((version, output)) if OUTPUTS.contains(&output) => (version, output),
            _ => (version, ""),
        };
        let place = format!("{STORE}{name}");
        let mut package = package(PackageType::Generic, short, version, EvidenceTier::Installed, &place);
        package.purl = package.purl.with_qualifier("output", output).with_qualifier("store_path", hash);
        Some(package)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_store_path_names_its_package() {
        let of = |name: &str| {
            let path = format!("nix/store/{}-{name}/bin/x", "a".repeat(32));
            Nix.read_path(&path).map(|package| package.purl.to_string())
        };
        let hash = "a".repeat(32);
        assert_eq!(of("glibc-2.38-27").unwrap(), format!("pkg:generic/glibc@2.38-27?store_path={hash}"));
        assert_eq!(
            of("openssl-3.0.12-bin").unwrap(),
            format!("pkg:generic/openssl@3.0.12?output=bin&store_path={hash}")
        );
        assert_eq!(of("gcc-13.2.0-lib").unwrap(), format!("pkg:generic/gcc@13.2.0?output=lib&store_path={hash}"));
        assert_eq!(of("no-version"), None);
        assert_eq!(of("bash-5.2.drv"), None);
        assert_eq!(Nix.read_path("nix/store/short"), None);
        assert_eq!(Nix.read_path("usr/bin/x"), None);
    }
}
