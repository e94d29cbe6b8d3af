//! What the webhook asks for facts: a gatherer on the lab's registries.

use std::fmt::Write as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use assay_case::{FactNeeds, Facts, ImageUse, Known};
use assay_gather::{Access, Gatherer, Wanted};
use assay_model::{PackInfo, Reference};
use assay_server::{FactSource, GatheredFacts, Puller};

use crate::commands::release::moved;

/// The registry that a second registry of the lab plays.
const PLAYED: &str = "docker.io";

/// Gathers facts in the lab.
pub(crate) struct StageFacts {
    access: Access,
    /// Where `docker.io` really is here.
    public_host: String,
    gatherer: RwLock<(Gatherer, PackInfo)>,
}

impl StageFacts {
    pub(super) fn new(access: Access, public_host: String, gatherer: Gatherer, pack: PackInfo) -> Self {
        Self { access, public_host, gatherer: RwLock::new((gatherer, pack)) }
    }

    /// Asks another gatherer from now on: one with other vulnerability data.
    pub(super) fn replace(&self, gatherer: Gatherer, pack: PackInfo) {
        *self.gatherer.write().unwrap_or_else(PoisonError::into_inner) = (gatherer, pack);
    }

    /// The vulnerability data in use.
    pub(crate) fn pack(&self) -> PackInfo {
        self.gatherer.read().unwrap_or_else(PoisonError::into_inner).1.clone()
    }

    /// The facts of an image.
    pub(crate) async fn of(&self, reference: &Reference, deadline: Option<Duration>) -> Known<Vec<Arc<Facts>>> {
        let gatherer = self.gatherer.read().unwrap_or_else(PoisonError::into_inner).0.clone();
        let wanted = Wanted { deadline, ..Wanted::default() };
        let Some(played) = self.played(reference) else {
            return gatherer.facts(&self.access, reference, &wanted).await;
        };
        moved(gatherer.facts(&self.access, &played, &wanted).await, reference.repository())
    }

    /// The place that plays Docker Hub's repository, for references to it.
    fn played(&self, reference: &Reference) -> Option<Reference> {
        let repository = reference.repository();
        if repository.registry() != PLAYED {
            return None;
        }
        let mut text = format!("{}/{}", self.public_host, repository.path());
        if let Some(tag) = reference.tag() {
            let _ = write!(text, ":{tag}");
        }
        if let Some(digest) = reference.digest() {
            let _ = write!(text, "@{digest}");
        }
        text.parse().ok()
    }
}

impl FactSource for StageFacts {
    fn warm(&self, _: &Puller<'_>, _: &[ImageUse], _: FactNeeds) -> Option<GatheredFacts> {
        None
    }

    fn gather<'a>(
        &'a self,
        _: &'a Puller<'a>,
        images: &'a [ImageUse],
        _: FactNeeds,
        deadline: Instant,
    ) -> Pin<Box<dyn Future<Output = GatheredFacts> + Send + 'a>> {
        Box::pin(async move {
            let mut gathered = GatheredFacts::new();
            for image in images {
                if let Ok(reference) = &image.reference {
                    let left = deadline.saturating_duration_since(Instant::now());
                    gathered.insert(image.written.clone(), self.of(reference, Some(left)).await);
                }
            }
            gathered
        })
    }
}
