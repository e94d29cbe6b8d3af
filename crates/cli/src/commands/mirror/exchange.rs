//! `assay db push` and `db pull`: a mirror as an OCI artifact, for registries and for the other side of an air gap.
//!
//! The artifact has the mirror's files as layers, each with its name as title, and the signatures of the packs beside them; the
//! artifact itself is signed as any other is (`assay sign`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assay_model::Digest;
use assay_oci::{ImageSource, copy};
use serde::Serialize;
use serde_json::{Value, json};

use super::{BUNDLE, INDEX, Index, Mirror, TITLE, read_index};
use crate::Result;
use crate::failure::{CliError, Failure, read_file, write_file};
use crate::session::Session;

/// What the artifact is.
const ARTIFACT_TYPE: &str = "application/vnd.assay.packs.v1";
const PACK_TYPE: &str = "application/vnd.assay.pack.v1";
const BUNDLE_TYPE: &str = "application/vnd.dev.sigstore.bundle.v0.3+json";
const MANIFEST_TYPE: &str = "application/vnd.oci.image.manifest.v1+json";
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// What is to be pushed.
#[derive(Debug)]
pub(crate) struct PushOptions {
    /// The folder of a mirror.
    pub(crate) mirror: PathBuf,
    /// Where to.
    pub(crate) to: ImageSource,
}

/// A mirror that was pushed.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PushedOutcome {
    /// Where it is.
    pub(crate) artifact: String,
    /// Digest of its manifest.
    pub(crate) digest: Digest,
    /// Its files.
    pub(crate) files: usize,
    /// Files that carry a signature.
    pub(crate) signed: usize,
    /// Bytes that were sent; what the registry had already is not sent again.
    pub(crate) transferred: u64,
}

/// What is to be pulled.
#[derive(Debug)]
pub(crate) struct PullOptions {
    /// Families; empty = all.
    pub(crate) families: Vec<String>,
    /// The mirror as typed.
    pub(crate) from: String,
    /// The folder to fill.
    pub(crate) to: PathBuf,
    /// The key that must have signed.
    pub(crate) key: Option<PathBuf>,
}

/// A mirror that was filled.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PulledOutcome {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Files that came.
    pub(crate) fetched: Vec<String>,
    /// Files that were there already.
    pub(crate) present: usize,
    /// Bytes that were transferred.
    pub(crate) transferred: u64,
}

/// Pushes a mirror as one artifact. The same mirror has the same digest.
pub(crate) fn push(options: &PushOptions, session: &Session<'_>) -> Result<PushedOutcome> {
    let folder = &options.mirror;
    let index_bytes = read_file(&folder.join(INDEX))?;
    let index = read_index(&index_bytes, folder)?;
    let mut files = vec![(INDEX.to_owned(), "application/json", index_bytes)];
    let mut signed = 0;
    for file in index.files() {
        let bytes = read_file(&folder.join(&file.file))?;
        file.is(&bytes)?;
        files.push((file.file.clone(), PACK_TYPE, bytes));
        let name = format!("{}{BUNDLE}", file.file);
        let bundle = folder.join(&name);
        if bundle.exists() {
            files.push((name, BUNDLE_TYPE, read_file(&bundle)?));
            signed += 1;
        }
    }
    let layout = tempfile::tempdir().map_err(CliError::unwritable(std::env::temp_dir().as_path()))?;
    write_layout(layout.path(), &files)?;
    let registry = matches!(options.to, ImageSource::Registry(_));
    let client = if registry { session.online("db push")? } else { session.client()? };
    let from: ImageSource = format!("oci:{}", layout.path().display()).parse()?;
    session.printer.progress(&format!("pushing {} files", files.len()));
    let report = session.run(async {
        copy(&client, &from, &options.to).await.map_err(|error| Failure::from(error).about(&options.to))
    })?;
    Ok(PushedOutcome {
        artifact: options.to.to_string(),
        digest: report.root.digest,
        files: files.len(),
        signed,
        transferred: report.bytes,
    })
}

/// An OCI layout with the files as the layers of one artifact (image-spec, image-layout.md; manifest.md, "Guidelines for
/// Artifact Usage").
fn write_layout(folder: &Path, files: &[(String, &str, Vec<u8>)]) -> Result<()> {
    let blob = |bytes: &[u8]| -> Result<Value> {
        let digest = Digest::of(bytes);
        write_file(&folder.join("blobs/sha256").join(digest.hex()), bytes)?;
        Ok(json!({"digest": digest.to_string(), "size": bytes.len()}))
    };
    std::fs::create_dir_all(folder.join("blobs/sha256")).map_err(CliError::unwritable(folder))?;
    let described = |media_type: &str, mut descriptor: Value| {
        descriptor["mediaType"] = media_type.into();
        descriptor
    };
    let mut layers = Vec::new();
    for (name, media_type, bytes) in files {
        let mut layer = described(media_type, blob(bytes)?);
        layer["annotations"] = json!({ TITLE: name });
        layers.push(layer);
    }
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "artifactType": ARTIFACT_TYPE,
        "config": described(EMPTY_TYPE, blob(b"{}")?),
        "layers": layers,
    })
    .to_string();
    let root = described(MANIFEST_TYPE, blob(manifest.as_bytes())?);
    let index = json!({"schemaVersion": 2, "manifests": [root]}).to_string();
    write_file(&folder.join("index.json"), index.as_bytes())?;
    write_file(&folder.join("oci-layout"), br#"{"imageLayoutVersion": "1.0.0"}"#)?;
    Ok(())
}

/// Fills a folder with what a mirror has and the folder has not, so that it can be carried elsewhere. The index comes last:
/// it never names a file that is not there.
pub(crate) fn pull(options: &PullOptions, session: &Session<'_>) -> Result<PulledOutcome> {
    let mirror = Mirror::open(&options.from, session)?;
    let mut index: Index = read_index(&mirror.need(INDEX, session)?, Path::new(&options.from))?;
    index.has_all(&options.families)?;
    let meant: BTreeSet<&String> = options.families.iter().collect();
    index.packs.retain(|family, _| meant.is_empty() || meant.contains(family));
    std::fs::create_dir_all(&options.to).map_err(CliError::unwritable(&options.to))?;
    let mut outcome = PulledOutcome { folder: options.to.clone(), fetched: Vec::new(), present: 0, transferred: 0 };
    for file in index.files() {
        let path = options.to.join(&file.file);
        let there = path.exists() && Digest::of(&read_file(&path)?) == file.digest;
        let name = format!("{}{BUNDLE}", file.file);
        let bundle = mirror.read(&name, session)?;
        if options.key.is_some() {
            mirror.signed_by(options.key.as_deref(), &file.file, &file.digest, session).map_err(|cause| {
                CliError::Usage {
                    message: format!("{}: the signature is not accepted: {cause}", file.file),
                    next: "name the key of the mirror, or fetch it again".to_owned(),
                }
            })?;
        }
        if there {
            outcome.present += 1;
        } else {
            session.printer.progress(&format!("fetching {}", file.file));
            let bytes = mirror.need(&file.file, session)?;
            file.is(&bytes)?;
            outcome.transferred += bytes.len() as u64;
            write_file(&path, &bytes)?;
            outcome.fetched.push(file.file.clone());
        }
        if let Some(bundle) = bundle {
            write_file(&options.to.join(name), &bundle)?;
        }
    }
    let mut text = serde_json::to_vec_pretty(&index).unwrap_or_default();
    text.push(b'\n');
    write_file(&options.to.join(INDEX), &text)?;
    Ok(outcome)
}
