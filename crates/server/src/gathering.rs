//! Facts in production: through a [`Gatherer`], with the credentials of this process.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use assay_case::{ImageUse, Known};
use assay_gather::{Access, Gatherer, Wanted};
use assay_model::Platform;

use crate::{FactSource, GatheredFacts};

/// A [`FactSource`] over a [`Gatherer`]. What it remembers by digest answers at once; a tag is always asked for.
#[derive(Debug)]
pub struct GatheringFacts {
    gatherer: RwLock<Arc<Gatherer>>,
    access: Access,
    wanted: Wanted,
}

impl GatheringFacts {
    /// Gathers for every one of `platforms` that an index has (none named: linux/amd64, or the only one there is).
    pub fn new(gatherer: Gatherer, access: Access, platforms: Vec<Platform>) -> Self {
        let wanted = Wanted { platforms, ..Wanted::default() };
        Self { gatherer: RwLock::new(Arc::new(gatherer)), access, wanted }
    }

    /// Gathers with another one from the next request on: other trust roots, another vulnerability pack.
    pub fn replace(&self, gatherer: Gatherer) {
        *self.gatherer.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(gatherer);
    }

    fn gatherer(&self) -> Arc<Gatherer> {
        Arc::clone(&self.gatherer.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl FactSource for GatheringFacts {
    fn warm(&self, images: &[ImageUse]) -> Option<GatheredFacts> {
        let gatherer = self.gatherer();
        let mut facts = GatheredFacts::new();
        for image in images {
            let Ok(reference) = &image.reference else { continue };
            if !facts.contains_key(&image.written) {
                let known = gatherer.remembered(&self.access, reference, &self.wanted)?;
                facts.insert(image.written.clone(), known);
            }
        }
        Some(facts)
    }

    fn gather<'a>(
        &'a self,
        images: &'a [ImageUse],
        deadline: Instant,
    ) -> Pin<Box<dyn Future<Output = GatheredFacts> + Send + 'a>> {
        let gatherer = self.gatherer();
        let left = deadline.saturating_duration_since(Instant::now());
        let wanted = Wanted { deadline: Some(left), ..self.wanted.clone() };
        Box::pin(async move {
            let each = images.iter().filter_map(|image| {
                let reference = image.reference.as_ref().ok()?;
                let facts = gatherer.facts(&self.access, reference, &wanted);
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
}
