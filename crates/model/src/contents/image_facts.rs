//! What inspection knows of an image beside its packages: what it left out and why, what somebody who gets in finds there,
//! and which image it was built on.

use serde::{Deserialize, Serialize};

use super::{Contents, FileReference, Package, PackageType};
use crate::Digest;

/// Why something that was found is not listed as a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressionReason {
    /// A package of the distribution lists the file as its own, and is listed itself.
    OwnedByPackage,
    /// A stronger sign names the same package in the same version.
    StrongerSign,
    /// The package manager's own record of this folder does not list it: a test fixture or a stub. Not verified.
    NotInstalled,
}

impl SuppressionReason {
    /// The reason in words, to follow "not listed:".
    pub fn describe(self) -> &'static str {
        match self {
            Self::OwnedByPackage => "the file belongs to a package of the distribution, which is listed",
            Self::StrongerSign => "a stronger sign names the same package",
            Self::NotInstalled => "the package manager's record of the folder does not list it; unverified",
        }
    }
}

/// Something that was found and is not listed as a package. Nothing is left out without one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Suppressed {
    /// Its type.
    #[serde(rename = "type")]
    pub kind: PackageType,
    /// Its name.
    pub name: String,
    /// Its version; empty where none is known.
    pub version: String,
    /// Why it is not listed.
    pub reason: SuppressionReason,
    /// What stands for it: the name of the owning package, or the file of the stronger sign.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// The first file that says so.
    pub file: FileReference,
    /// How many files say so.
    pub files: u64,
}

/// What somebody who gets into a container of the image finds there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Surface {
    /// Paths of shells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shells: Vec<String>,
    /// Paths of package managers' programs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub package_managers: Vec<String>,
    /// Files that run with the rights of their owner or group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub setuid: Vec<String>,
    /// Bytes of all layers, uncompressed.
    pub bytes: u64,
}

impl Surface {
    /// Whether there is neither a shell nor a package manager.
    pub fn is_minimal(&self) -> bool {
        self.shells.is_empty() && self.package_managers.is_empty()
    }
}

/// How a base image is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BaseEvidence {
    /// The image says so of itself (`org.opencontainers.image.base.*`): whoever built it could have written anything.
    Stated,
    /// Its lowest layers are all the layers of a known image.
    Layers,
}

/// The image that another was built on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BaseImage {
    /// Its name, where one is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Digest of its manifest, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// Number of layers, from the bottom, that are its own; none where it is only stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// How it is known.
    pub evidence: BaseEvidence,
}

impl Contents {
    /// The chain IDs of the image's layers, of the lowest one alone to that of all of them (OCI image specification,
    /// config.md, "Layer ChainID"): each names a run of layers from the bottom, content and order, by one digest.
    pub fn chain_ids(&self) -> Vec<Digest> {
        let next = |chain: &mut Option<Digest>, layer: &super::Layer| {
            let id = chain.map_or(layer.diff_id, |below| Digest::of(format!("{below} {}", layer.diff_id).as_bytes()));
            *chain = Some(id);
            Some(id)
        };
        self.layers.iter().scan(None, next).collect()
    }

    /// Whether a package came with the base image (else the build added it); none where that is not known.
    pub fn is_from_base(&self, package: &Package) -> Option<bool> {
        Some(package.layer? < self.base.as_ref()?.layers?)
    }

    /// The longest of these known images whose layers are the lowest layers of this one, but not all of them.
    pub fn find_base<'k>(&self, known: impl IntoIterator<Item = (Digest, &'k Self)>) -> Option<BaseImage> {
        let below = |known: &Self| {
            let count = known.layers.len();
            let own = self.layers.get(..count).filter(|_| count > 0 && count < self.layers.len())?;
            own.iter().zip(&known.layers).all(|(own, known)| own.diff_id == known.diff_id).then_some(count)
        };
        let best = known.into_iter().filter_map(|(digest, contents)| Some((below(contents)?, digest))).max()?;
        Some(BaseImage { name: None, digest: Some(best.1), layers: Some(best.0), evidence: BaseEvidence::Layers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EvidenceTier, Layer, Purl};

    fn image(layers: &[&str]) -> Contents {
        let layer = |text: &&str| {
            let digest = Digest::of(text.as_bytes());
            Layer { digest, diff_id: digest, size: 1, created_by: None }
        };
        Contents { layers: layers.iter().map(layer).collect(), ..Contents::default() }
    }

    #[test]
    fn the_longest_known_prefix_is_the_base() {
        let mut app = image(&["os", "runtime", "app"]);
        let known = [image(&["os"]), image(&["os", "runtime"]), image(&["os", "other"]), image(&[]), app.clone()];
        let digest = |index: usize| Digest::of(&[index as u8]);
        let base = app.find_base(known.iter().enumerate().map(|(index, image)| (digest(index), image)));
        assert_eq!(base.as_ref().map(|base| (base.digest, base.layers)), Some((Some(digest(1)), Some(2))));
        app.base = base;
        let mut package = Package {
            kind: PackageType::Generic,
            name: "a".into(),
            version: "1".into(),
            source: None,
            architecture: None,
            licence: None,
            supplier: None,
            purl: Purl::new("generic", None, "a", Some("1")),
            tier: EvidenceTier::Heuristic,
            path: "a".into(),
            digest: None,
            layer: Some(1),
            depends_on: Vec::new(),
        };
        assert_eq!(app.is_from_base(&package), Some(true));
        package.layer = Some(2);
        assert_eq!(app.is_from_base(&package), Some(false));
        package.layer = None;
        assert_eq!(app.is_from_base(&package), None);
    }

    #[test]
    fn a_chain_names_a_run_of_layers_from_the_bottom() {
        let chains = image(&["os", "runtime"]).chain_ids();
        let (os, runtime) = (Digest::of(b"os"), Digest::of(b"runtime"));
        assert_eq!(chains, [os, Digest::of(format!("{os} {runtime}").as_bytes())]);
        assert_eq!(image(&["os", "runtime", "app"]).chain_ids()[..2], chains);
        assert_ne!(image(&["runtime", "os"]).chain_ids()[1], chains[1]);
        assert!(image(&[]).chain_ids().is_empty());
    }

    #[test]
    fn an_image_without_shell_and_package_manager_is_minimal() {
        assert!(Surface { setuid: vec!["bin/su".into()], ..Surface::default() }.is_minimal());
        assert!(!Surface { shells: vec!["bin/sh".into()], ..Surface::default() }.is_minimal());
    }
}
