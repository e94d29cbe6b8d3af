//! Layers -> contents -> findings.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use assay_case::{Cause, Known};
use assay_inspect::{
    ANALYSER, ImageConfiguration, LayerError, LayerResult, Limits, TablePlace, inspect_by_table, inspect_layer, merge,
};
use assay_model::{Bound, Contents, Digest, Findings, Timestamp};
use assay_oci::{CONFIG_MAX, Descriptor, OciError, Source};
use assay_store::Store;
use assay_vuln::Pack;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::OnceCell;

use crate::resolve::Image;

/// Layers of one image that are read at the same time: enough to overlap waiting and inflating.
const LAYERS_AT_ONCE: usize = 3;

/// Layers that several images of one question have in common: each is read once. The others are dropped when their image is
/// merged.
#[derive(Debug, Default)]
pub(crate) struct Shared(HashMap<Digest, OnceCell<Arc<LayerResult>>>);

impl Shared {
    /// What more than one of the images has.
    pub(crate) fn of(images: &[Arc<Image>]) -> Arc<Self> {
        let mut seen: HashMap<Digest, usize> = HashMap::new();
        for image in images {
            let own: HashSet<Digest> = image.layers.iter().map(|layer| layer.digest).collect();
            for digest in own {
                *seen.entry(digest).or_default() += 1;
            }
        }
        let several = seen.into_iter().filter(|(_, images)| *images > 1);
        Arc::new(Self(several.map(|(digest, _)| (digest, OnceCell::new())).collect()))
    }
}

/// How the layers of an image are read.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) limits: Limits,
    pub(crate) by_table: bool,
    pub(crate) shared: Arc<Shared>,
}

/// Contents and the digest by which their findings are kept.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) contents: Arc<Contents>,
    pub(crate) digest: Digest,
    pub(crate) at: Timestamp,
}

impl Held {
    pub(crate) fn new(contents: Contents, at: Timestamp) -> Result<Self, Cause> {
        let bytes = serde_json::to_vec(&contents)
            .map_err(|error| Cause::new("contents-unwritable", format!("the contents cannot be kept: {error}")))?;
        Ok(Self { contents: Arc::new(contents), digest: Digest::of(&bytes), at })
    }
}

/// What is in an image: from the store, or read layer by layer.
pub(crate) async fn contents(
    source: Source,
    image: Arc<Image>,
    store: Option<Arc<Store>>,
    reading: Reading,
    now: Timestamp,
) -> Result<Held, Cause> {
    let Reading { limits, by_table, shared } = reading;
    let subject = image.subject.digest;
    if let Some(index) = image.subject.index {
        keep(store.as_deref(), |store| store.put_index_member(index, subject));
    }
    if let Some((contents, at)) = kept(store.as_deref(), |store| store.contents(subject, ANALYSER)) {
        return Held::new(contents, at);
    }
    let configuration = source.blob(&image.config).await.map_err(|error| Cause::from_error(&error))?;
    let configuration = configuration.bytes(CONFIG_MAX).await.map_err(|error| Cause::from_error(&error))?;
    let configuration = ImageConfiguration::parse(&configuration).map_err(|error| Cause::from_error(&error))?;
    let layers: Vec<Arc<LayerResult>> = stream::iter(image.layers.iter().cloned())
        .map(|layer| {
            let (source, store, shared) = (source.clone(), store.clone(), &shared);
            async move {
                let digest = layer.digest;
                let read = async move { Ok(Arc::new(read_layer(source, layer, store, limits, by_table).await?)) };
                match shared.0.get(&digest) {
                    Some(cell) => cell.get_or_try_init(|| read).await.cloned(),
                    None => read.await,
                }
            }
        })
        .buffered(LAYERS_AT_ONCE)
        .try_collect()
        .await?;
    let contents = blocking(move || merge(&layers, Some(&configuration))).await?;
    if contents.partial.iter().all(|partial| partial.bound != Bound::NotFetched) {
        keep(store.as_deref(), |store| store.put_contents(subject, &contents, now));
    }
    Held::new(contents, now)
}

async fn read_layer(
    source: Source,
    layer: Descriptor,
    store: Option<Arc<Store>>,
    limits: Limits,
    by_table: bool,
) -> Result<LayerResult, Cause> {
    // Other media types than layers (foreign layers, artifacts) are what inspection says they are.
    if let Some(bytes) = kept(store.as_deref(), |store| store.layer(layer.digest, ANALYSER))
        && let Ok(result) = serde_json::from_slice::<LayerResult>(&bytes)
        && result.digest == layer.digest
    {
        return Ok(result);
    }
    if by_table && let Some(result) = read_by_table(&source, &layer, limits).await? {
        return Ok(result);
    }
    let blob = source.blob(&layer).await.map_err(|error| Cause::from_error(&error))?;
    let reader = blob.into_reader(tokio::runtime::Handle::current());
    let (digest, media_type) = (layer.digest, layer.media_type);
    let result = blocking(move || inspect_layer(reader, &digest, &media_type, &limits))
        .await?
        .map_err(|error| unread(&error))?;
    keep(store.as_deref(), |store| match serde_json::to_vec(&result) {
        Ok(bytes) => store.put_layer(digest, ANALYSER, &bytes),
        Err(_) => Ok(()),
    });
    Ok(result)
}

/// A layer by its table of contents; none where it has none, or where anything is wrong with it: the whole blob is checked by
/// its own digest.
async fn read_by_table(source: &Source, layer: &Descriptor, limits: Limits) -> Result<Option<LayerResult>, Cause> {
    let Some(place) = TablePlace::of(&layer.annotations) else { return Ok(None) };
    let (source, layer, runtime) = (source.clone(), layer.clone(), tokio::runtime::Handle::current());
    let result = blocking(move || {
        let mut fetch = |start, length| {
            let part = runtime.block_on(source.blob_part(&layer, start, length)).map_err(std::io::Error::other)?;
            part.map(Vec::from).ok_or_else(|| std::io::Error::other("the registry serves no parts of blobs"))
        };
        inspect_by_table(&place, &layer.digest, layer.size, &limits, &mut fetch)
    });
    match result.await? {
        Ok(result) => Ok(Some(result)),
        Err(error) => {
            tracing::debug!(%error, "a layer is read as a whole, and not by its table of contents");
            Ok(None)
        }
    }
}

/// Why there is no result of a layer. Where its stream failed, what the registry did says more than that it failed.
fn unread(error: &LayerError) -> Cause {
    let stream = match error {
        LayerError::Read { source, .. } => source.get_ref().and_then(|inner| inner.downcast_ref::<OciError>()),
        _ => None,
    };
    stream.map_or_else(|| Cause::from_error(error), Cause::from_error)
}

/// What the pack says about contents: from the store, or matched now.
pub(crate) async fn findings(
    subject: Option<Digest>,
    held: Held,
    pack: Arc<Pack>,
    store: Option<Arc<Store>>,
    now: Timestamp,
) -> Known<Arc<Findings>> {
    let pack_digest = pack.info().digest;
    if let Some(findings) = kept(store.as_deref(), |store| store.findings(held.digest, pack_digest)) {
        let at = findings.matched_at;
        return Known::new(Arc::new(findings), at);
    }
    let contents = Arc::clone(&held.contents);
    match blocking(move || pack.match_contents(&contents, now)).await {
        Ok(Ok(findings)) => {
            if let Some(subject) = subject {
                keep(store.as_deref(), |store| store.put_findings(subject, held.digest, &findings));
            }
            Known::new(Arc::new(findings), now)
        }
        Ok(Err(error)) => Known::Unknown { cause: Cause::from_error(&error) },
        Err(cause) => Known::Unknown { cause },
    }
}

/// What the store has; a store that fails is as one that has nothing: the work is done again.
fn kept<T>(
    store: Option<&Store>,
    read: impl FnOnce(&Store) -> Result<Option<T>, assay_store::StoreError>,
) -> Option<T> {
    read(store?).unwrap_or_else(|error| {
        tracing::warn!(%error, "the store cannot be read; the work is done again");
        None
    })
}

/// Keeps a result; a store that fails costs the next one time, nothing else.
pub(crate) fn keep(store: Option<&Store>, write: impl FnOnce(&Store) -> Result<(), assay_store::StoreError>) {
    if let Some(Err(error)) = store.map(write) {
        tracing::warn!(%error, "the store cannot be written; the result is not kept");
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Cause> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Cause::new("analysis-failed", format!("the analysis ended early: {error}")))
}
