//! Facts in production: through a [`Gatherer`], with the credentials of this process and, where a namespace opted in, with
//! those of the Pods.

mod pull_secrets;
mod puller;
pub(crate) mod warming;

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use assay_case::{FactNeeds, Facts, ImageUse, Known};
use assay_gather::{Access, Gatherer, Wanted};
use assay_model::{Platform, Reference, Repository, Timestamp};
use tracing::Instrument as _;

pub use self::pull_secrets::{Credentials, PullSecrets};
pub use self::puller::Puller;
use crate::{FactSource, GatheredFacts};

/// What a registry says that would answer others differently: the next credential is tried.
const NOT_FOR_US: [&str; 3] = ["unauthorized", "not-found", "token-failed"];

/// A [`FactSource`] over a [`Gatherer`]. What it remembers by digest answers at once; a tag is always asked for.
#[derive(Debug)]
pub struct GatheringFacts {
    gatherer: RwLock<Arc<Gatherer>>,
    access: Access,
    pull_secrets: Option<PullSecrets>,
    wanted: Wanted,
}

impl GatheringFacts {
    /// Gathers for every one of `platforms` that an index has (none named: linux/amd64, or the only one there is).
    pub fn new(gatherer: Gatherer, access: Access, platforms: Vec<Platform>) -> Self {
        let wanted = Wanted { platforms, ..Wanted::default() };
        Self { gatherer: RwLock::new(Arc::new(gatherer)), access, pull_secrets: None, wanted }
    }

    /// Reads with the pull Secrets of Pods, too, in the namespaces that these serve.
    #[must_use]
    pub fn with_pull_secrets(mut self, secrets: PullSecrets) -> Self {
        self.pull_secrets = Some(secrets);
        self
    }

    /// Gathers with another one from the next request on: other trust roots, another vulnerability pack.
    pub fn replace(&self, gatherer: Gatherer) {
        *self.gatherer.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(gatherer);
    }

    fn gatherer(&self) -> Arc<Gatherer> {
        Arc::clone(&self.gatherer.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The Secrets that count for a puller; none where its namespace did not opt in.
    fn secrets(&self, puller: &Puller<'_>) -> Option<&PullSecrets> {
        self.pull_secrets.as_ref().filter(|secrets| secrets.serves(&puller.namespace))
    }

    /// What the puller's Secrets open, then the credentials of this process: the order of the kubelet, which knows those of
    /// its node.
    async fn accesses(&self, puller: &Puller<'_>) -> Vec<Access> {
        match self.secrets(puller) {
            Some(secrets) => secrets.read(puller).await.accesses.into_iter().map(|(_, access)| access).collect(),
            None => Vec::new(),
        }
    }

    /// Through the first of these that the registry lets in.
    async fn facts(
        &self,
        puller: &Puller<'_>,
        accesses: &[Access],
        reference: &Reference,
        (needs, deadline): (FactNeeds, Instant),
    ) -> Known<Vec<Arc<Facts>>> {
        let gatherer = self.gatherer();
        let given = accesses.iter().filter(|access| access.is_given(reference.repository()));
        let mut refused = None;
        for access in given.chain([&self.access]) {
            let left = deadline.saturating_duration_since(Instant::now());
            let wanted = Wanted { deadline: Some(left), ..self.wanted.only(needs) };
            let span =
                tracing::info_span!("gather", image = %reference, given = access.is_given(reference.repository()));
            let facts = gatherer.facts(access, reference, &wanted).instrument(span).await;
            match &facts {
                Known::Unknown { cause } if NOT_FOR_US.contains(&cause.code.as_str()) => {
                    if let Some(secrets) = self.secrets(puller) {
                        secrets.forget(puller, access);
                    }
                    // The most special one says best what is wrong.
                    refused.get_or_insert(facts);
                }
                _ => return facts,
            }
        }
        refused.unwrap_or_else(|| Known::unknown("unauthorized", "there was nobody to ask as"))
    }
}

impl FactSource for GatheringFacts {
    fn warm(&self, puller: &Puller<'_>, images: &[ImageUse], needs: FactNeeds) -> Option<GatheredFacts> {
        let (gatherer, wanted) = (self.gatherer(), self.wanted.only(needs));
        let mut facts = GatheredFacts::new();
        let mut accesses = None;
        for image in images {
            let Ok(reference) = &image.reference else { continue };
            if facts.contains_key(&image.written) {
                continue;
            }
            let own = || gatherer.remembered(&self.access, reference, &wanted);
            let known = match self.secrets(puller) {
                None => own()?,
                Some(secrets) => {
                    if accesses.is_none() {
                        accesses = secrets.known(puller);
                    }
                    let of = |access: &Access| gatherer.remembered(access, reference, &wanted);
                    own().or_else(|| accesses.as_deref()?.iter().find_map(of))?
                }
            };
            facts.insert(image.written.clone(), known);
        }
        Some(facts)
    }

    fn gather<'a>(
        &'a self,
        puller: &'a Puller<'a>,
        images: &'a [ImageUse],
        needs: FactNeeds,
        deadline: Instant,
    ) -> Pin<Box<dyn Future<Output = GatheredFacts> + Send + 'a>> {
        Box::pin(async move {
            let accesses = tokio::time::timeout_at(deadline.into(), self.accesses(puller)).await.unwrap_or_default();
            let each = images.iter().filter_map(|image| {
                let reference = image.reference.as_ref().ok()?;
                let facts = self.facts(puller, &accesses, reference, (needs, deadline));
                Some(async move { (image.written.clone(), facts.await) })
            });
            // Of two images written alike one answer is kept: both asked the same flight.
            let mut facts = GatheredFacts::new();
            for (written, known) in futures_util::future::join_all(each).await {
                match facts.get(&written) {
                    Some(Known::Known { .. }) => {}
                    _ => drop(facts.insert(written, known)),
                }
            }
            facts
        })
    }

    fn data_until(&self) -> Option<Timestamp> {
        self.gatherer().data_until()
    }

    fn tags<'a>(
        &'a self,
        puller: &'a Puller<'a>,
        repository: &'a Repository,
    ) -> Pin<Box<dyn Future<Output = Option<Vec<String>>> + Send + 'a>> {
        Box::pin(async move {
            let accesses = self.accesses(puller).await;
            for access in accesses.iter().filter(|access| access.is_given(repository)).chain([&self.access]) {
                match access.client().tags(repository).await {
                    Ok(tags) => return Some(tags),
                    Err(error) => tracing::debug!(%error, %repository, "the tags cannot be listed"),
                }
            }
            None
        })
    }
}
