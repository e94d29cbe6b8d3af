//! Builds images from files, without a container engine: the same input gives the same bytes and so the same digest.
//!
//! It is not a Dockerfile interpreter: it writes layers (ustar in gzip, modification time 0), a configuration and a
//! manifest (OCI image-spec 1.1), or an index over several images.
//!
//! ```
//! use assay_sandbox::ImageBuilder;
//!
//! let build = || ImageBuilder::new().layer([("etc/hostname", b"lab\n".as_slice(), 0o644)]).whiteout("etc/motd").build();
//! assert_eq!(build().digest(), build().digest());
//! ```

use std::io::Write as _;

use assay_model::{Digest, Platform};
use bytes::Bytes;
use serde_json::{Map, Value, json};

mod tar;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// Collects layers and configuration; [`build`](ImageBuilder::build) makes the image.
#[derive(Clone, Debug)]
pub struct ImageBuilder {
    layers: Vec<tar::Tar>,
    platform: Platform,
    config: Map<String, Value>,
    annotations: Map<String, Value>,
    created: String,
}

impl Default for ImageBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl ImageBuilder {
    /// An image without layers for linux/amd64, made at the epoch.
    pub fn new() -> Self {
        Self {
            layers: Vec::new(),
            platform: Platform::linux_amd64(),
            config: Map::new(),
            annotations: Map::new(),
            created: "1970-01-01T00:00:00Z".to_owned(),
        }
    }

    /// Adds a layer of files: path (without a leading slash), content, permission bits. Parent directories are added.
    #[must_use]
    pub fn layer<P: AsRef<str>, B: AsRef<[u8]>>(mut self, files: impl IntoIterator<Item = (P, B, u32)>) -> Self {
        let mut layer = tar::Tar::default();
        for (path, bytes, mode) in files {
            layer.file(path.as_ref(), bytes.as_ref(), mode);
        }
        self.layers.push(layer);
        self
    }

    /// Deletes `path` of the layers below: a whiteout (image-spec, layer.md, "Whiteouts") in the layer added last, or
    /// in a new one if there is none.
    #[must_use]
    pub fn whiteout(mut self, path: &str) -> Self {
        let (parent, name) = path.rsplit_once('/').map_or(("", path), |(parent, name)| (parent, name));
        let separator = if parent.is_empty() { "" } else { "/" };
        self.top().file(&format!("{parent}{separator}.wh.{name}"), b"", 0o644);
        self
    }

    /// Hides everything that the layers below have in `directory` (an opaque whiteout), in the layer added last.
    #[must_use]
    pub fn opaque(mut self, directory: &str) -> Self {
        self.top().file(&format!("{}/.wh..wh..opq", directory.trim_end_matches('/')), b"", 0o644);
        self
    }

    /// Adds a symbolic link to the layer added last.
    #[must_use]
    pub fn symlink(mut self, path: &str, target: &str) -> Self {
        self.top().link(path, target, b'2');
        self
    }

    /// Adds a hard link to the layer added last.
    #[must_use]
    pub fn hard_link(mut self, path: &str, target: &str) -> Self {
        self.top().link(path, target, b'1');
        self
    }

    fn top(&mut self) -> &mut tar::Tar {
        if self.layers.is_empty() {
            self.layers.push(tar::Tar::default());
        }
        let last = self.layers.len() - 1;
        &mut self.layers[last]
    }

    /// Sets one field of the configuration's `config` object, for example `User`, `Env`, `Labels`.
    #[must_use]
    pub fn config(mut self, field: &str, value: impl Into<Value>) -> Self {
        self.config.insert(field.to_owned(), value.into());
        self
    }

    /// Sets an annotation of the manifest, for example `org.opencontainers.image.base.digest`.
    #[must_use]
    pub fn annotation(mut self, key: &str, value: &str) -> Self {
        self.annotations.insert(key.to_owned(), value.into());
        self
    }

    /// Sets the platform.
    #[must_use]
    pub fn platform(mut self, platform: Platform) -> Self {
        self.platform = platform;
        self
    }

    /// Sets the time of creation, RFC 3339: two builds that differ only here have different digests.
    #[must_use]
    pub fn created(mut self, time: &str) -> Self {
        time.clone_into(&mut self.created);
        self
    }

    /// Makes layers, configuration and manifest.
    pub fn build(&self) -> BuiltImage {
        let mut layers = Vec::new();
        let mut diff_ids = Vec::new();
        let mut history = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let bytes = layer.finish();
            diff_ids.push(Digest::of(&bytes).to_string());
            history
                .push(json!({ "created": self.created, "created_by": format!("assay sandbox layer {}", index + 1) }));
            layers.push(gzip(&bytes));
        }
        let mut config = json!({
            "created": self.created,
            "architecture": self.platform.architecture,
            "os": self.platform.os,
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": diff_ids },
            "history": history,
        });
        if let Some(variant) = &self.platform.variant {
            config["variant"] = variant.as_str().into();
        }
        let config = Bytes::from(config.to_string());
        let descriptors: Vec<Value> = layers.iter().map(|bytes| descriptor(LAYER, bytes)).collect();
        let mut manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": descriptors,
        });
        if !self.annotations.is_empty() {
            manifest["annotations"] = self.annotations.clone().into();
        }
        let manifest = Bytes::from(manifest.to_string());
        let mut blobs = vec![config.clone()];
        blobs.extend(layers.iter().cloned());
        BuiltImage {
            digest: Digest::of(&manifest),
            media_type: MANIFEST,
            platform: self.platform.clone(),
            manifest: manifest.clone(),
            config,
            layers,
            blobs,
            manifests: vec![(MANIFEST, manifest)],
        }
    }
}

/// An image, or an index of images, ready to be stored.
#[derive(Clone, Debug)]
pub struct BuiltImage {
    digest: Digest,
    media_type: &'static str,
    platform: Platform,
    manifest: Bytes,
    config: Bytes,
    layers: Vec<Bytes>,
    blobs: Vec<Bytes>,
    manifests: Vec<(&'static str, Bytes)>,
}

impl BuiltImage {
    /// An index over images of several platforms. [`config`](Self::config) and [`layers`](Self::layers) are empty then.
    pub fn index(images: &[BuiltImage]) -> Self {
        let entries: Vec<Value> = images
            .iter()
            .map(|image| {
                let mut entry = descriptor(image.media_type, &image.manifest);
                entry["platform"] = json!(image.platform);
                entry
            })
            .collect();
        let bytes = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries }).to_string();
        let manifest = Bytes::from(bytes);
        let mut manifests: Vec<_> = images.iter().flat_map(|image| image.manifests.iter().cloned()).collect();
        manifests.push((INDEX, manifest.clone()));
        Self {
            digest: Digest::of(&manifest),
            media_type: INDEX,
            platform: Platform::linux_amd64(),
            manifest,
            config: Bytes::new(),
            layers: Vec::new(),
            blobs: images.iter().flat_map(|image| image.blobs.iter().cloned()).collect(),
            manifests,
        }
    }

    /// The digest of the manifest or index.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The media type of the manifest or index.
    pub fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// The bytes of the manifest or index.
    pub fn manifest(&self) -> &Bytes {
        &self.manifest
    }

    /// The bytes of the configuration.
    pub fn config(&self) -> &Bytes {
        &self.config
    }

    /// The layers, lowest first, as stored (gzip).
    pub fn layers(&self) -> &[Bytes] {
        &self.layers
    }

    /// Every blob: configurations and layers, of all platforms.
    pub fn blobs(&self) -> &[Bytes] {
        &self.blobs
    }

    /// Every manifest with its media type; what an index names comes before the index.
    pub fn manifests(&self) -> &[(&'static str, Bytes)] {
        &self.manifests
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(bytes).to_string(), "size": bytes.len() })
}

/// gzip without a name or a time in its header.
fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = flate2::GzBuilder::new().mtime(0).write(Vec::new(), flate2::Compression::new(6));
    // Writing to memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn the_same_input_gives_the_same_digest_and_another_time_another() {
        let builder = ImageBuilder::new().layer([("a/b", "text", 0o644)]);
        assert_eq!(builder.build().digest(), builder.build().digest());
        assert_ne!(builder.build().digest(), builder.clone().created("2026-01-01T00:00:00Z").build().digest());
    }

    #[test]
    fn manifest_configuration_and_layers_name_each_other() {
        let image = ImageBuilder::new().layer([("a", "1", 0o644)]).layer([("b", "2", 0o755)]).whiteout("a").build();
        let manifest: Value = serde_json::from_slice(image.manifest()).unwrap();
        assert_eq!(manifest["config"]["digest"], Digest::of(image.config()).to_string());
        assert_eq!(manifest["layers"][1]["digest"], Digest::of(&image.layers()[1]).to_string());
        let config: Value = serde_json::from_slice(image.config()).unwrap();
        let mut tar = Vec::new();
        flate2::read::GzDecoder::new(&image.layers()[1][..]).read_to_end(&mut tar).unwrap();
        assert_eq!(config["rootfs"]["diff_ids"][1], Digest::of(&tar).to_string());
        assert!(tar.windows(5).any(|window| window == b".wh.a"));
        assert_eq!(tar.len() % 512, 0);
    }

    #[test]
    fn an_index_holds_every_platform_and_all_their_blobs() {
        let arm = Platform { os: "linux".into(), architecture: "arm64".into(), variant: Some("v8".into()) };
        let one = ImageBuilder::new().layer([("a", "1", 0o644)]).build();
        let two = ImageBuilder::new().layer([("a", "2", 0o644)]).platform(arm).build();
        let index = BuiltImage::index(&[one.clone(), two]);
        let parsed: Value = serde_json::from_slice(index.manifest()).unwrap();
        assert_eq!(parsed["manifests"][0]["digest"], one.digest().to_string());
        assert_eq!(parsed["manifests"][1]["platform"]["variant"], "v8");
        assert_eq!((index.blobs().len(), index.manifests().len()), (4, 3));
    }
}
