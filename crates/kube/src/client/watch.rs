//! List and watch: everything that is selected, and each change of it (Kubernetes "API concepts", "Efficient detection of
//! changes").

use std::time::Duration;

use reqwest::Method;
use serde_json::Value;

use super::error::{ApiError, refusal};
use super::{Client, Resource, Selection, StoredObject};

/// How long the API server is asked to keep a watch up.
const SERVER_TIMEOUT: Duration = Duration::from_mins(4);
/// A watch on which nothing came for so long is dead: it ends by itself before.
const SILENCE_MAX: Duration = Duration::from_mins(5);
/// Largest event: an object of the largest size that etcd takes, with room.
const EVENT_MAX: usize = 16 << 20;
/// Pause after the first failure; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What became of what is watched.
#[derive(Clone, Debug, PartialEq)]
pub enum Change<T = StoredObject> {
    /// This is all there is now. Comes first, and again whenever changes may have been missed.
    Listed(Vec<T>),
    /// An object was made or changed.
    Applied(T),
    /// An object is gone; this is what it was.
    Deleted(T),
    /// The API server does not answer, or not so. What was known stays; it is asked again after a pause.
    Failed(ApiError),
}

/// A watch that goes on: through ended connections, restarts of the API server and compactions of its history.
#[derive(Debug)]
pub struct Watcher<T = StoredObject> {
    client: Client,
    resource: Resource,
    selection: Selection,
    /// What is kept of each object.
    keep: fn(StoredObject) -> T,
    /// Where to go on; `None` = everything has to be listed.
    version: Option<String>,
    stream: Option<Events>,
    failures: u32,
}

impl Watcher {
    /// Watches what is selected. Nothing is asked before [`Watcher::next`].
    pub fn new(client: Client, resource: Resource, selection: Selection) -> Self {
        Self { client, resource, selection, keep: |object| object, version: None, stream: None, failures: 0 }
    }

    /// The same, with each object made into what is needed of it before the next page is read: of what there are many
    /// thousands, the whole never lies in memory.
    #[must_use]
    pub fn keeping<T>(self, keep: fn(StoredObject) -> T) -> Watcher<T> {
        let Self { client, resource, selection, version, stream, failures, .. } = self;
        Watcher { client, resource, selection, keep, version, stream, failures }
    }
}

impl<T> Watcher<T> {
    /// What is watched.
    pub fn resource(&self) -> Resource {
        self.resource
    }

    /// The next change. After [`Change::Failed`] the next call waits first. Dropping the future loses nothing but time.
    pub async fn next(&mut self) -> Change<T> {
        loop {
            if self.stream.is_none() && self.failures > 0 {
                tokio::time::sleep(pause(self.failures)).await;
            }
            match self.step().await {
                Ok(Some(change)) => {
                    self.failures = 0;
                    return change;
                }
                Ok(None) => {}
                Err(error) => {
                    self.stream = None;
                    self.failures = self.failures.saturating_add(1);
                    // The history that we knew is gone (410), or what was watched is.
                    if error.status().is_some() {
                        self.version = None;
                    }
                    if error.status() == Some(410) && self.failures == 1 {
                        continue;
                    }
                    return Change::Failed(error);
                }
            }
        }
    }

    async fn step(&mut self) -> Result<Option<Change<T>>, ApiError> {
        let Some(version) = self.version.clone() else {
            let (items, resource_version) = self.client.list_keeping(self.resource, &self.selection, self.keep).await?;
            self.version = Some(resource_version);
            return Ok(Some(Change::Listed(items)));
        };
        let stream = match &mut self.stream {
            Some(stream) => stream,
            none => none.insert(Events::open(&self.client, self.resource, &self.selection, &version).await?),
        };
        let Some(event) = stream.next().await? else {
            // Ended in order: go on from where we are. One that ends at once is not opened again at once.
            let was_empty = self.stream.take().is_some_and(|stream| !stream.is_used);
            if was_empty {
                tokio::time::sleep(FIRST_PAUSE).await;
            }
            return Ok(None);
        };
        let Event { kind, object } = event;
        if kind == "ERROR" {
            let code = object.0["code"].as_u64().and_then(|code| u16::try_from(code).ok()).unwrap_or(500);
            return Err(refusal(code, object.0.to_string().as_bytes()));
        }
        if !object.resource_version().is_empty() {
            self.version = Some(object.resource_version().to_owned());
        }
        Ok(match kind.as_str() {
            "ADDED" | "MODIFIED" => Some(Change::Applied((self.keep)(object))),
            "DELETED" => Some(Change::Deleted((self.keep)(object))),
            // BOOKMARK: only the version is news.
            _ => None,
        })
    }
}

/// Doubles with each failure, and differs a little from watch to watch so that a thousand of them do not return at once.
fn pause(failures: u32) -> Duration {
    let longest = FIRST_PAUSE.saturating_mul(1 << failures.min(10).saturating_sub(1)).min(PAUSE_MAX);
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    longest.mul_f64(0.75 + f64::from(clock.subsec_nanos() % 1000) / 4000.0)
}

struct Event {
    kind: String,
    object: StoredObject,
}

/// The events of one connection: JSON values, one a line.
struct Events {
    response: reqwest::Response,
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold no line end.
    searched: usize,
    /// Whether an event came.
    is_used: bool,
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("buffered", &self.buffer.len()).finish_non_exhaustive()
    }
}

impl Events {
    async fn open(client: &Client, resource: Resource, selection: &Selection, version: &str) -> Result<Self, ApiError> {
        let mut url = client.select(resource, selection);
        url.query_pairs_mut()
            .append_pair("watch", "1")
            .append_pair("allowWatchBookmarks", "true")
            .append_pair("resourceVersion", version)
            .append_pair("timeoutSeconds", &SERVER_TIMEOUT.as_secs().to_string());
        let opening = client.send(Method::GET, url, None, None);
        let silent = |_| ApiError::Unreachable {
            server: client.server().to_string(),
            reason: "no answer to a watch".to_owned(),
        };
        let response = tokio::time::timeout(super::TIMEOUT, opening).await.map_err(silent)??;
        Ok(Self { response, buffer: Vec::new(), searched: 0, is_used: false })
    }

    /// The next event. `None`: the connection ended between two of them. May be dropped and called again.
    async fn next(&mut self) -> Result<Option<Event>, ApiError> {
        let malformed = |message: String| ApiError::Malformed { message };
        loop {
            let unread = self.buffer.get(self.searched..).unwrap_or_default();
            if let Some(end) = unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
                self.searched = 0;
                self.is_used = true;
                let mut event: Value =
                    serde_json::from_slice(&line).map_err(|error| malformed(format!("a watch event: {error}")))?;
                let kind = event["type"].as_str().unwrap_or_default().to_owned();
                return Ok(Some(Event { kind, object: StoredObject::received(event["object"].take()) }));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > EVENT_MAX {
                return Err(malformed(format!("a watch event of more than {EVENT_MAX} bytes")));
            }
            let lost = |reason: String| ApiError::Unreachable { server: String::from("watch"), reason };
            match tokio::time::timeout(SILENCE_MAX, self.response.chunk()).await {
                Ok(Ok(Some(chunk))) => self.buffer.extend_from_slice(&chunk),
                Ok(Ok(None)) => return Ok(None),
                Ok(Err(error)) => return Err(lost(assay_model::innermost(&error))),
                Err(_) => return Err(lost(format!("silent for {} s", SILENCE_MAX.as_secs()))),
            }
        }
    }
}
