//! Which image of an index is meant.

use assay_model::Platform;

use crate::OciError;
use crate::manifest::{Descriptor, ImageIndex, media_type};

/// BuildKit's mark on an index entry that is an attestation, not an image (BuildKit, "Attestation storage").
const ATTESTATION: &str = "vnd.docker.reference.type";

/// The entry for `wanted`; without it linux/amd64, or the only image.
pub(crate) fn choose<'a>(
    index: &'a ImageIndex,
    wanted: Option<&Platform>,
    what: &str,
) -> Result<&'a Descriptor, OciError> {
    let images: Vec<&Descriptor> = index.manifests.iter().filter(|entry| is_image(entry)).collect();
    if let (None, [only]) = (wanted, images.as_slice()) {
        return Ok(only);
    }
    let default = Platform::linux_amd64();
    let wanted = wanted.unwrap_or(&default);
    let fits = |entry: &&&Descriptor| entry.platform.as_ref().is_some_and(|has| fits(has, wanted));
    images.iter().find(fits).copied().ok_or_else(|| {
        let mut available: Vec<String> =
            images.iter().filter_map(|entry| entry.platform.as_ref()).take(20).map(ToString::to_string).collect();
        available.sort();
        let available = if available.is_empty() { "none".to_owned() } else { available.join(", ") };
        OciError::NoPlatform { what: what.to_owned(), wanted: wanted.to_string(), available }
    })
}

fn is_image(entry: &Descriptor) -> bool {
    (entry.media_type.is_empty() || media_type::is_manifest(&entry.media_type))
        && !entry.annotations.contains_key(ATTESTATION)
        && entry.platform.as_ref().is_none_or(|platform| platform.os != "unknown")
}

fn fits(has: &Platform, wanted: &Platform) -> bool {
    has.os == wanted.os
        && has.architecture == wanted.architecture
        && (wanted.variant.is_none() || variant(has) == variant(wanted))
}

/// The variant that goes without saying: arm64 is v8, arm is v7 (containerd, platforms, "Normalize").
fn variant(platform: &Platform) -> Option<&str> {
    match (platform.architecture.as_str(), platform.variant.as_deref()) {
        ("arm64", None) => Some("v8"),
        ("arm", None) => Some("v7"),
        (_, variant) => variant,
    }
}

#[cfg(test)]
mod tests {
    use assay_model::Digest;

    use super::*;

    fn index(platforms: &[&str]) -> ImageIndex {
        let manifests = platforms
            .iter()
            .map(|text| {
                let mut entry = Descriptor::new(media_type::OCI_MANIFEST, Digest::of(text.as_bytes()), 1);
                entry.platform = text.parse().ok();
                entry
            })
            .collect();
        ImageIndex { artifact_type: None, manifests, subject: None, annotations: std::collections::BTreeMap::new() }
    }

    fn chosen(platforms: &[&str], wanted: Option<&str>) -> Result<String, OciError> {
        let wanted = wanted.map(|text| text.parse().unwrap());
        let index = index(platforms);
        choose(&index, wanted.as_ref(), "test").map(|entry| entry.platform.as_ref().unwrap().to_string())
    }

    #[test]
    fn the_platform_asked_for_or_linux_amd64_or_the_only_one() {
        let all = ["linux/arm/v6", "linux/arm64/v8", "linux/amd64", "unknown/unknown"];
        assert_eq!(chosen(&all, None).unwrap(), "linux/amd64");
        assert_eq!(chosen(&all, Some("linux/arm64")).unwrap(), "linux/arm64/v8");
        assert_eq!(chosen(&["linux/arm64"], Some("linux/arm64/v8")).unwrap(), "linux/arm64");
        assert_eq!(chosen(&["windows/amd64", "unknown/unknown"], None).unwrap(), "windows/amd64");
        let error = chosen(&all, Some("linux/s390x")).unwrap_err().to_string();
        assert!(error.contains("linux/amd64, linux/arm/v6, linux/arm64/v8"), "{error}");
        assert!(chosen(&["linux/arm/v6"], Some("linux/arm/v7")).is_err());
        assert!(chosen(&[], None).is_err());
    }
}
