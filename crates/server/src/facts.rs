//! What the admission path needs from whoever gathers facts.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use assay_case::{Facts, ImageUse, Known};

/// The facts of each image, by the reference as written: one entry for every platform that may run, or why there are none.
pub type GatheredFacts = BTreeMap<String, Known<Vec<Arc<Facts>>>>;

/// Where facts come from: `gather` in production, a table in tests.
pub trait FactSource: Send + Sync + 'static {
    /// The facts of all these images, if nothing has to be waited for: no network, no inspection. `None` otherwise.
    /// Called on the connection's own thread; it must return within microseconds.
    fn warm(&self, images: &[ImageUse]) -> Option<GatheredFacts>;

    /// The facts of all these images, gathered where needed. What is not there by `deadline` is
    /// [`Known::Unknown`], so that the rest still counts. References that do not parse have no entry.
    fn gather<'a>(
        &'a self,
        images: &'a [ImageUse],
        deadline: Instant,
    ) -> Pin<Box<dyn Future<Output = GatheredFacts> + Send + 'a>>;
}
