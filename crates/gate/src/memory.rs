//! What was said of images before. A Pod holds the images of the Pod before it, and most controls look at nothing but an
//! image, its facts and the promotion ledger: what they said stands while those are the very same objects, by the same
//! Policy, until the moment at which the clock turns an answer ([`crate::clock`]). Nothing that denies is remembered, so
//! that Exceptions are looked at every time.
//!
//! It is no part of a decision: with it and without it, [`decide`](crate::decide) gives the same Verdict.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use assay_case::{Case, ControlOutcome, FactParts, Facts, ImageUse, Known, Operation, Promotions, Statement, Target};
use assay_model::{Digest, EnvironmentName, Timestamp};

/// Images remembered, with about a kilobyte each. All are forgotten when there is one more.
const IMAGES_MAX: usize = 4096;
/// Uses of one reference: names of containers, Environments. The oldest is forgotten first.
const USES_MAX: usize = 16;

/// Remembers what controls said of images, for one Policy and one promotion ledger at a time: it is emptied when there is
/// another one.
#[derive(Debug, Default)]
pub struct Memory {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    by: Option<(Digest, Known<Promotions>)>,
    images: usize,
    by_reference: HashMap<String, Vec<Arc<Remembered>>>,
    last: LastSaid,
}

/// What each control of each Environment said last, whatever about.
pub(crate) type LastSaid = Vec<Option<Arc<Statement>>>;

/// Everything beside the facts of an image that what is said about it may depend on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Circumstances {
    pub(crate) environment: EnvironmentName,
    pub(crate) operation: Operation,
    pub(crate) exposed: bool,
    /// Whether the image was admitted before.
    pub(crate) admitted: bool,
}

/// What was said of an image.
#[derive(Debug)]
pub(crate) struct Remembered {
    pub(crate) image: ImageUse,
    pub(crate) circumstances: Circumstances,
    pub(crate) facts: Vec<FactParts>,
    /// When it was said.
    pub(crate) at: Timestamp,
    /// The moment from which on it may be wrong.
    pub(crate) until: Timestamp,
    pub(crate) target: Arc<Target>,
    /// One for each of the facts.
    pub(crate) targets: Vec<Arc<Target>>,
    /// By the control's place in the catalogue; none where it has to be asked.
    pub(crate) said: Vec<Option<Box<[ControlOutcome]>>>,
}

impl Remembered {
    fn fits(&self, case: &Case<'_>, image: &ImageUse, circumstances: &Circumstances, now: Timestamp) -> bool {
        self.at <= now
            && now < self.until
            && self.circumstances == *circumstances
            && self.image == *image
            && are_of(&self.facts, facts_of(case, image))
    }
}

/// The facts of an image; empty where there are none, or it cannot be told.
pub(crate) fn facts_of<'c>(case: &'c Case<'_>, image: &ImageUse) -> &'c [Arc<Facts>] {
    match case.facts.get(&image.written) {
        Some(Known::Known { value, .. }) if image.reference.is_ok() => value,
        _ => &[],
    }
}

fn are_of(parts: &[FactParts], facts: &[Arc<Facts>]) -> bool {
    parts.len() == facts.len() && parts.iter().zip(facts).all(|(parts, facts)| parts.are_of(facts))
}

impl Memory {
    fn of(&self, policy: Digest, promotions: &Known<Promotions>) -> MutexGuard<'_, Inner> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let same = |(own, ledger): &(_, Known<_>)| *own == policy && ledger.is(promotions, Promotions::is);
        if !inner.by.as_ref().is_some_and(same) {
            *inner = Inner { by: Some((policy, promotions.clone())), ..Inner::default() };
        }
        inner
    }

    /// What is remembered of each image, and what was said last.
    pub(crate) fn recall<'i>(
        &self,
        policy: Digest,
        case: &Case<'_>,
        uses: impl Iterator<Item = (&'i ImageUse, Circumstances)>,
        now: Timestamp,
    ) -> (Vec<Option<Arc<Remembered>>>, LastSaid) {
        let inner = self.of(policy, &case.world.promotions);
        let recalled = uses.map(|(image, circumstances)| {
            let of_reference = inner.by_reference.get(&image.written)?;
            of_reference.iter().find(|own| own.fits(case, image, &circumstances, now)).cloned()
        });
        (recalled.collect(), inner.last.clone())
    }

    /// Takes in what was said.
    pub(crate) fn learn(&self, policy: Digest, case: &Case<'_>, learnt: Vec<Remembered>, last: Option<LastSaid>) {
        let mut inner = self.of(policy, &case.world.promotions);
        if let Some(last) = last {
            inner.last = last;
        }
        for own in learnt {
            if inner.images >= IMAGES_MAX {
                inner.by_reference.clear();
                inner.images = 0;
            }
            let uses = inner.by_reference.entry(own.image.written.clone()).or_default();
            let before = uses.len();
            uses.retain(|other| other.image != own.image || other.circumstances != own.circumstances);
            if uses.len() >= USES_MAX {
                uses.remove(0);
            }
            uses.push(Arc::new(own));
            let after = uses.len();
            inner.images = inner.images + after - before;
        }
    }
}
