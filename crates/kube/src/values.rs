//! Images in files that are no Kubernetes objects: the values of a Helm chart, a Compose file.
//!
//! Three forms are known: `image: registry/name:tag`; a map of `repository`, `tag` and perhaps `registry` and `digest`; and
//! `image: name` beside `tag`. What a template makes of other keys is the chart's affair.

use assay_model::{Digest, Reference};
use assay_yaml::{Marked, Place, Scalar, Value};

use crate::edit::Replacement;
use crate::manifest::Manifest;

/// An image in such a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValuesImage {
    /// The image, as a reference: what is to be resolved.
    pub written: String,
    /// Where its tag stands, or all of it.
    pub place: Place,
    pin: Pin,
}

/// How its digest is written.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pin {
    /// Behind the text that ends here: `tag: 1.27` becomes `tag: 1.27@sha256:...`, which templates put behind the colon.
    Behind(usize),
    /// In place of an empty `digest`.
    Instead(std::ops::Range<usize>),
    /// The value has a form that cannot be edited without guessing.
    None,
}

impl ValuesImage {
    /// The edit that pins it; `None` where it stands in a form that is not edited: a block scalar, a tag that is a number
    /// (Helm reads `1.10` as 1.1), a map without a tag (the chart's version counts).
    pub fn pin(&self, digest: &Digest) -> Option<Replacement> {
        match &self.pin {
            Pin::Behind(at) => Some(Replacement { bytes: *at..*at, text: format!("@{digest}") }),
            Pin::Instead(bytes) => Some(Replacement { bytes: bytes.clone(), text: digest.to_string() }),
            Pin::None => None,
        }
    }
}

/// The images of a file, in its order.
pub(crate) fn values_images(manifest: &Manifest<'_>) -> Vec<ValuesImage> {
    let mut found = Vec::new();
    collect(manifest, &manifest.root, &mut found);
    found
}

fn collect(manifest: &Manifest<'_>, value: &Marked<'_>, found: &mut Vec<ValuesImage>) {
    match &value.value {
        Value::Scalar(_) => {}
        Value::List(items) => items.iter().for_each(|item| collect(manifest, item, found)),
        Value::Object(fields) => {
            let parts = parts(manifest, value);
            let has_parts = parts.is_some();
            found.extend(parts);
            for field in fields {
                let is_image = field.key == "image" || field.key.ends_with("Image");
                match field.value.text() {
                    Some(text) if is_image && !has_parts => found.extend(whole(manifest, &field.value, text)),
                    _ => collect(manifest, &field.value, found),
                }
            }
        }
    }
}

/// `image: registry/name:tag`. A name without tag and digest is left alone: it may be half of something.
fn whole(manifest: &Manifest<'_>, value: &Marked<'_>, text: &str) -> Option<ValuesImage> {
    let reference: Reference = text.parse().ok()?;
    if reference.tag().is_none() && reference.digest().is_none() {
        return None;
    }
    let pin = manifest.editable(value.place, text).map_or(Pin::None, |bytes| Pin::Behind(bytes.end));
    Some(ValuesImage { written: text.to_owned(), place: value.place, pin })
}

/// `{registry: ..., repository: ..., tag: ..., digest: ...}`, and `{image: name, tag: ...}`.
fn parts(manifest: &Manifest<'_>, map: &Marked<'_>) -> Option<ValuesImage> {
    let filled = |key: &str| map.get(key).and_then(Marked::text).filter(|text| !text.is_empty());
    let (tag, digest) = (map.get("tag"), map.get("digest"));
    tag.or(digest)?;
    let name = filled("repository").or_else(|| filled("image"))?;
    let name = filled("registry").map_or_else(|| name.to_owned(), |registry| format!("{registry}/{name}"));
    name.parse::<Reference>().ok()?;
    if let Some(digest) = filled("digest") {
        let place = map.get("digest")?.place;
        return Some(ValuesImage { written: format!("{name}@{digest}"), place, pin: Pin::None });
    }
    let (Some(value), Some(text)) = (tag, filled("tag")) else {
        let place = tag.map_or(map.place, |tag| tag.place);
        let written = tag.map_or_else(|| name.clone(), |tag| raw(manifest, tag, &name));
        return Some(ValuesImage { written, place, pin: Pin::None });
    };
    let place = value.place;
    let pin = match digest {
        Some(empty) => empty_range(manifest, empty),
        None => manifest.editable(place, text).map_or(Pin::None, |bytes| Pin::Behind(bytes.end)),
    };
    Some(ValuesImage { written: format!("{name}:{text}"), place, pin })
}

/// A tag that is no text, as it stands there.
fn raw(manifest: &Manifest<'_>, tag: &Marked<'_>, name: &str) -> String {
    match (&tag.value, manifest.source_of(tag.place)) {
        (Value::Scalar(Scalar::Integer(_) | Scalar::Float(_)), Some(text)) => format!("{name}:{}", text.trim()),
        _ => name.to_owned(),
    }
}

/// The place of an empty `digest`, within its quotes; one that is not written at all has none.
fn empty_range(manifest: &Manifest<'_>, digest: &Marked<'_>) -> Pin {
    let place = digest.place;
    match manifest.source_of(place).map(str::trim_end) {
        Some("\"\"" | "''") => Pin::Instead(place.start + 1..place.start + 1),
        Some(word @ ("null" | "~")) => Pin::Instead(place.start..place.start + word.len()),
        _ => Pin::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Manifests, apply};

    /// Each image as written, and the text with all of them pinned that can be.
    fn pinned(text: &str) -> (Vec<String>, String) {
        let manifests = Manifests::parse(text.as_bytes(), &[]).unwrap();
        let images: Vec<_> = manifests.values.iter().flat_map(Manifest::values_images).collect();
        let digest = Digest::of(b"");
        let edits: Vec<_> = images.iter().filter_map(|image| image.pin(&digest)).collect();
        let after = apply(text, &edits).unwrap().replace(&digest.to_string(), "DIGEST");
        (images.into_iter().map(|image| image.written).collect(), after)
    }

    #[test]
    fn a_map_is_pinned_behind_its_tag_and_comments_stay() {
        let text =
            "image:\n  repository: registry.example.com/api # ours\n  tag: \"1.2\" # x-release\n  pullPolicy: Always\n";
        let (found, after) = pinned(text);
        assert_eq!(found, ["registry.example.com/api:1.2"]);
        assert_eq!(after, text.replace("\"1.2\"", "\"1.2@DIGEST\""));
    }

    #[test]
    fn an_empty_digest_of_the_map_is_filled() {
        for empty in ["\"\"", "''", "null", "~"] {
            let text = format!("image: {{registry: docker.io, repository: bitnami/redis, tag: v7, digest: {empty}}}\n");
            let (found, after) = pinned(&text);
            assert_eq!(found, ["docker.io/bitnami/redis:v7"]);
            let quoted =
                if empty.len() == 2 { format!("{}DIGEST{}", &empty[..1], &empty[1..]) } else { "DIGEST".into() };
            assert_eq!(after, text.replace(&format!("digest: {empty}"), &format!("digest: {quoted}")));
        }
    }

    #[test]
    fn texts_with_a_tag_are_images_and_others_are_not() {
        let text = "image: nginx:1.27\nsidecarImage: 'envoy:v1' # é\nimages:\n  - image: a/b:1\nlogo: {image: logo.png}\nname: x:1\n";
        let (found, after) = pinned(text);
        assert_eq!(found, ["nginx:1.27", "envoy:v1", "a/b:1"]);
        assert_eq!(
            after,
            text.replace("1.27", "1.27@DIGEST").replace("envoy:v1", "envoy:v1@DIGEST").replace("a/b:1", "a/b:1@DIGEST")
        );
    }

    #[test]
    fn a_name_beside_a_tag_is_one_image() {
        let (found, after) = pinned("worker: {image: registry.example.com/worker, tag: r7}\n");
        assert_eq!(found, ["registry.example.com/worker:r7"]);
        assert_eq!(after, "worker: {image: registry.example.com/worker, tag: r7@DIGEST}\n");
    }

    #[test]
    fn what_is_pinned_is_seen_and_what_would_be_guessed_is_left() {
        let digest = Digest::of(b"");
        let full = format!("image: {{repository: a/b, tag: x, digest: \"{digest}\"}}\n");
        assert_eq!(pinned(&full).0, [format!("a/b@{digest}")]);
        for (text, written) in [
            ("image: {repository: a/b, tag: 1.10}\n", "a/b:1.10"),
            ("image: {repository: a/b, tag: \"\"}\n", "a/b"),
            ("image: {repository: a/b, tag: x, digest: }\n", "a/b:x"),
        ] {
            let (found, after) = pinned(text);
            assert_eq!((found.as_slice(), after.as_str()), (&[written.to_owned()][..], text));
        }
        assert!(pinned("git: {repository: \"https://example.com/a b\", tag: v1}\nrepository: a/b\n").0.is_empty());
    }
}
