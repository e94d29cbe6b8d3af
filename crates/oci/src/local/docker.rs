//! What `docker save` writes (moby, image/spec/v1.2.md, "Combined Image JSON + Filesystem Changeset Format"): `manifest.json`
//! names a configuration and layers. It has no manifest with a digest, so one is made from the bytes that are there.

use std::collections::BTreeMap;
use std::io::Read as _;

use assay_model::{Algorithm, Digest, Hasher};
use bytes::Bytes;
use serde::Deserialize;

use super::files::Files;
use super::{Local, REF_NAME};
use crate::location::Selector;
use crate::manifest::{CONFIG_MAX, Descriptor, MANIFEST_MAX, media_type};
use crate::{OciError, json};

/// Most layers of an image: overlayfs itself ends at 500.
const LAYERS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Saved {
    config: String,
    #[serde(default)]
    repo_tags: Option<Vec<String>>,
    layers: Vec<String>,
}

/// Whether a `manifest.json` is that of `docker save`: other archives have files of this name, too.
pub(super) fn is_saved(bytes: &[u8]) -> bool {
    json::parse::<Vec<Saved>>(bytes).is_ok_and(|saved| !saved.is_empty())
}

/// Hashes every layer of the images that the selector may mean. Blocks.
pub(super) fn open(files: Files, selector: &Selector) -> Result<Local, OciError> {
    let bad = |reason: String| OciError::BadArchive { path: files.path().to_owned(), reason };
    let bytes = files.read("manifest.json", MANIFEST_MAX)?;
    let saved: Vec<Saved> = json::parse(&bytes).map_err(|reason| bad(format!("manifest.json: {reason}")))?;
    let mut index = Vec::new();
    let mut made = BTreeMap::new();
    let mut names = BTreeMap::new();
    for image in saved {
        let tags = image.repo_tags.unwrap_or_default();
        let wanted = match selector {
            Selector::Tag(tag) => tags.iter().find(|name| super::names(name, tag)),
            _ => tags.first(),
        };
        if matches!(selector, Selector::Tag(_)) && wanted.is_none() {
            continue;
        }
        if image.layers.len() > LAYERS_MAX {
            return Err(OciError::TooMany { what: format!("{}: layers", files.path().display()), limit: LAYERS_MAX });
        }
        let config = files.read(&image.config, CONFIG_MAX)?;
        let config_descriptor = Descriptor::of(media_type::OCI_CONFIG, &config);
        names.insert(config_descriptor.digest, image.config);
        let mut layers = Vec::new();
        for name in image.layers {
            let layer = describe(&files, &name)?;
            names.insert(layer.digest, name);
            layers.push(layer);
        }
        let manifest = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": media_type::OCI_MANIFEST,
            "config": config_descriptor,
            "layers": layers,
        });
        let manifest = Bytes::from(manifest.to_string());
        let mut entry = Descriptor::of(media_type::OCI_MANIFEST, &manifest);
        entry.annotations.extend(wanted.map(|name| (REF_NAME.to_owned(), name.clone())));
        made.insert(entry.digest, manifest);
        index.push(entry);
    }
    Ok(Local { index, made, names, ..Local::of(files) })
}

fn describe(files: &Files, name: &str) -> Result<Descriptor, OciError> {
    let (file, length) = files.open(name)?;
    let mut reader = file.take(length);
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut buffer = vec![0u8; super::CHUNK];
    let mut total = 0u64;
    let mut gzip = false;
    loop {
        let read = reader.read(&mut buffer).map_err(|error| OciError::file(files.path(), &error))?;
        let part = buffer.get(..read).unwrap_or_default();
        if part.is_empty() {
            break;
        }
        if total == 0 {
            gzip = part.starts_with(&[0x1f, 0x8b]);
        }
        total += part.len() as u64;
        hasher.update(part);
    }
    let digest: Digest = hasher.finish();
    let kind = if gzip { media_type::OCI_LAYER_GZIP } else { media_type::OCI_LAYER };
    Ok(Descriptor::new(kind, digest, total))
}
