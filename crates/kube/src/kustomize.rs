//! The `images` transformer of a Kustomization: where tags of a whole overlay are set.

use assay_yaml::Place;

use crate::edit::Replacement;

use crate::manifest::Manifest;

/// One entry of `images`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KustomizeImage {
    /// The image name it applies to.
    pub name: String,
    /// The name it is replaced by.
    pub new_name: Option<String>,
    /// The tag that is set.
    pub new_tag: Option<String>,
    /// The digest that is set; it wins over the tag.
    pub digest: Option<String>,
    /// Where the entry stands.
    pub place: Place,
    /// From the key `newTag` to the end of its value.
    tag_bytes: Option<std::ops::Range<usize>>,
}

impl KustomizeImage {
    /// The image that the entry stands for, as a reference: what is to be resolved.
    pub fn written(&self) -> String {
        let mut text = self.new_name.as_ref().unwrap_or(&self.name).clone();
        if let Some(tag) = &self.new_tag {
            text = format!("{text}:{tag}");
        }
        if let Some(digest) = &self.digest {
            text = format!("{text}@{digest}");
        }
        text
    }

    /// The edit that pins it: `newTag: X` becomes `digest: sha256:...`. `None` where it has no tag, or has a digest.
    pub fn pin(&self, digest: &assay_model::Digest) -> Option<Replacement> {
        let bytes = self.tag_bytes.clone().filter(|_| self.digest.is_none())?;
        Some(Replacement { bytes, text: format!("digest: {digest}") })
    }
}

pub(crate) fn kustomize_images(manifest: &Manifest<'_>) -> Vec<KustomizeImage> {
    let Some(images) = manifest.root.get("images") else { return Vec::new() };
    images
        .items()
        .iter()
        .filter_map(|entry| {
            let text = |key| entry.get(key).and_then(|value| value.text()).map(str::to_owned);
            let tag = entry.field("newTag").filter(|field| {
                let written = field.value.text().unwrap_or_default();
                manifest.editable(field.value.place, written).is_some()
            });
            Some(KustomizeImage {
                name: text("name")?,
                new_name: text("newName"),
                new_tag: text("newTag"),
                digest: text("digest"),
                place: entry.place,
                tag_bytes: tag.map(|field| field.key_place.start..field.value.place.end),
            })
        })
        .collect()
}
