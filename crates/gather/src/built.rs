//! Facts as they were put together, while nothing has been found out since: a warm request asks for the same images again and
//! again, and need not put the same parts together each time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use assay_case::Facts;
use assay_model::{Digest, Reference, Repository};

use crate::Wanted;

/// Facts by digest. All are forgotten when there is one more than fits.
pub(crate) struct Built {
    capacity: usize,
    /// How often something was found out.
    age: AtomicU64,
    inner: Mutex<HashMap<Digest, Vec<Whole>>>,
}

/// The facts of one reference, as one asks for them.
struct Whole {
    age: u64,
    scope: Arc<str>,
    repository: Repository,
    wanted: Wanted,
    facts: Vec<Arc<Facts>>,
}

impl Whole {
    fn is_of(&self, scope: &Arc<str>, reference: &Reference, wanted: &Wanted) -> bool {
        self.scope == *scope
            && self.repository == *reference.repository()
            && self.wanted.contents == wanted.contents
            && self.wanted.evidence == wanted.evidence
            && self.wanted.attestation_tags == wanted.attestation_tags
            && self.wanted.platforms == wanted.platforms
    }
}

impl Built {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { capacity, age: AtomicU64::new(0), inner: Mutex::default() }
    }

    /// Something is known by now that was not, or otherwise: what was put together before is out of date.
    pub(crate) fn outdate(&self) {
        self.age.fetch_add(1, Ordering::AcqRel);
    }

    /// To be asked before the parts are looked at, so that facts are never younger than their parts.
    pub(crate) fn age(&self) -> u64 {
        self.age.load(Ordering::Acquire)
    }

    pub(crate) fn get(&self, scope: &Arc<str>, reference: &Reference, wanted: &Wanted) -> Option<Vec<Arc<Facts>>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let whole = inner.get(&reference.digest()?)?.iter().find(|own| own.is_of(scope, reference, wanted))?;
        (whole.age == self.age()).then(|| whole.facts.clone())
    }

    pub(crate) fn put(
        &self,
        scope: &Arc<str>,
        reference: &Reference,
        wanted: &Wanted,
        age: u64,
        facts: Vec<Arc<Facts>>,
    ) {
        let Some(digest) = reference.digest().filter(|_| self.capacity > 0) else { return };
        let (scope, repository) = (Arc::clone(scope), reference.repository().clone());
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if inner.len() >= self.capacity && !inner.contains_key(&digest) {
            inner.clear();
        }
        let of_digest = inner.entry(digest).or_default();
        let current = self.age();
        of_digest.retain(|own| own.age == current && !own.is_of(&scope, reference, wanted));
        of_digest.push(Whole { age, scope, repository, wanted: wanted.clone(), facts });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_together_holds_until_something_is_found_out() {
        let reference: Reference = format!("registry.example.com/a@{}", Digest::of(b"a")).parse().unwrap();
        let (built, scope, wanted) = (Built::new(2), Arc::from(""), Wanted::default());
        let get = |scope: &Arc<str>, wanted: &Wanted| built.get(scope, &reference, wanted).is_some();
        assert!(!get(&scope, &wanted));
        built.put(&scope, &reference, &wanted, built.age(), Vec::new());
        assert!(get(&scope, &wanted));
        assert!(!get(&Arc::from("b"), &wanted), "read with other credentials");
        assert!(!get(&scope, &Wanted { contents: false, ..wanted.clone() }), "other facts");
        let before = built.age();
        built.outdate();
        assert!(!get(&scope, &wanted));
        built.put(&scope, &reference, &wanted, before, Vec::new());
        assert!(!get(&scope, &wanted), "its parts are of before");
    }

    #[test]
    fn it_never_holds_more_images_than_it_may() {
        let (built, scope, wanted) = (Built::new(3), Arc::from(""), Wanted::default());
        for number in 0_u32..100 {
            let digest = Digest::of(&number.to_le_bytes());
            let reference: Reference = format!("registry.example.com/a@{digest}").parse().unwrap();
            built.put(&scope, &reference, &wanted, built.age(), Vec::new());
            assert!(built.inner.lock().unwrap().len() <= 3);
            assert!(built.get(&scope, &reference, &wanted).is_some());
        }
    }
}
