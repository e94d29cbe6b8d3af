//! What the admission path needs from whoever gathers facts.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use assay_case::{FactNeeds, Facts, ImageUse, Known};
use assay_model::{Repository, Timestamp};

use crate::Puller;

/// The facts of each image, by the reference as written: one entry for every platform that may run, or why there are none.
pub type GatheredFacts = BTreeMap<String, Known<Vec<Arc<Facts>>>>;

/// Where facts come from: `gather` in production, a table in tests.
pub trait FactSource: Send + Sync + 'static {
    /// The facts of all these images that are needed, if nothing has to be waited for: no network, no inspection. `None` otherwise.
    /// Called on the connection's own thread; it must return within microseconds. Evidence may be some minutes old here;
    /// [`gather`](Self::gather) gives newer.
    fn warm(&self, puller: &Puller<'_>, images: &[ImageUse], needs: FactNeeds) -> Option<GatheredFacts>;

    /// The facts of all these images that are needed, gathered where they are not there. What is not there by `deadline` is
    /// [`Known::Unknown`], so that the rest still counts. References that do not parse have no entry.
    fn gather<'a>(
        &'a self,
        puller: &'a Puller<'a>,
        images: &'a [ImageUse],
        needs: FactNeeds,
        deadline: Instant,
    ) -> Pin<Box<dyn Future<Output = GatheredFacts> + Send + 'a>>;

    /// Until when the vulnerability data reaches that findings come from; `None` where there is none.
    fn data_until(&self) -> Option<Timestamp> {
        None
    }

    /// Every tag of a repository; `None` where that cannot be found out.
    fn tags<'a>(
        &'a self,
        _puller: &'a Puller<'a>,
        _repository: &'a Repository,
    ) -> Pin<Box<dyn Future<Output = Option<Vec<String>>> + Send + 'a>> {
        Box::pin(std::future::ready(None))
    }
}
