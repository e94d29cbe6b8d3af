//! What is to be gathered next.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use assay_model::{Digest, Reference, Repository};

/// Before the evidence of an image is read again: well before it would be too old to answer with at once.
const AGAIN: Duration = Duration::from_mins(10);
/// Before what could not be found out is tried again; it doubles with each failure, up to half an hour.
const RETRY: Duration = Duration::from_mins(1);
/// Doublings of that.
const DOUBLINGS_MAX: u32 = 5;
/// How long a tag that was new is kept warm.
const TAG_KEPT: Duration = Duration::from_hours(6);
/// Releases, images that run, and new tags that are kept warm: together they fit into what a gatherer remembers.
const RELEASES_MAX: usize = 400;
/// Images that run which are kept warm.
pub(super) const RUNNING_MAX: usize = 400;
const TAGS_MAX: usize = 100;

/// Why an image is kept warm, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Why {
    /// A ReleaseArtifact names it.
    Release,
    /// It was pushed a moment ago.
    Tag,
    /// It runs.
    Running,
}

impl Why {
    fn most(self) -> usize {
        match self {
            Self::Release => RELEASES_MAX,
            Self::Tag => TAGS_MAX,
            Self::Running => RUNNING_MAX,
        }
    }
}

/// An image, and in whose namespace it runs (empty: anybody's).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Image {
    pub(super) namespace: String,
    /// Its reference.
    pub(super) written: String,
}

impl Image {
    pub(super) fn by_digest(namespace: &str, repository: &Repository, digest: Digest) -> Self {
        Self { namespace: namespace.to_owned(), written: format!("{repository}@{digest}") }
    }

    /// The digest that it names, if it does.
    pub(super) fn digest(&self) -> Option<Digest> {
        self.written.parse::<Reference>().ok()?.digest()
    }
}

#[derive(Debug)]
struct Entry {
    why: BTreeSet<Why>,
    added: Instant,
    /// When it may be gathered the next time; none = now.
    next: Option<Instant>,
    is_flying: bool,
    is_known: bool,
    failures: u32,
}

/// What is kept warm. Never more than a thousand images.
#[derive(Debug, Default)]
pub(super) struct Plan {
    entries: BTreeMap<Image, Entry>,
}

impl Plan {
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// These, and no others, are wanted for this reason.
    pub(super) fn set(&mut self, why: Why, images: impl Iterator<Item = Image>) {
        let wanted: BTreeSet<Image> = images.take(why.most()).collect();
        for (image, entry) in &mut self.entries {
            if !wanted.contains(image) {
                entry.why.remove(&why);
            }
        }
        self.entries.retain(|_, entry| !entry.why.is_empty());
        let now = Instant::now();
        for image in wanted {
            self.entry(image, now).why.insert(why);
        }
    }

    /// This one is wanted, too.
    pub(super) fn add(&mut self, why: Why, image: Image, now: Instant) {
        let is_old = |entry: &Entry| now.duration_since(entry.added) >= TAG_KEPT;
        for entry in self.entries.values_mut().filter(|entry| is_old(entry)) {
            entry.why.remove(&Why::Tag);
        }
        self.entries.retain(|_, entry| !entry.why.is_empty());
        if self.entries.values().filter(|entry| entry.why.contains(&why)).count() < why.most() {
            self.entry(image, now).why.insert(why);
        }
    }

    fn entry(&mut self, image: Image, added: Instant) -> &mut Entry {
        let fresh =
            || Entry { why: BTreeSet::new(), added, next: None, is_flying: false, is_known: false, failures: 0 };
        self.entries.entry(image).or_insert_with(fresh)
    }

    /// What is to be gathered now, if anything is. It counts as under way until [`gathered`](Self::gathered) is told.
    pub(super) fn next(&mut self, now: Instant) -> Option<Image> {
        let is_due = |entry: &Entry| !entry.is_flying && entry.next.is_none_or(|next| next <= now);
        let due = self.entries.iter_mut().filter(|(_, entry)| is_due(entry));
        // What was never gathered comes before what is gathered again.
        let (image, entry) = due.min_by_key(|(_, entry)| (entry.next, entry.why.first().copied()))?;
        entry.is_flying = true;
        Some(image.clone())
    }

    /// It was gathered, whatever came of it. A tag has done its duty: its digest is kept warm.
    pub(super) fn gathered(&mut self, image: &Image, now: Instant, is_known: bool) {
        if is_known && image.digest().is_none() {
            self.entries.remove(image);
            return;
        }
        if let Some(entry) = self.entries.get_mut(image) {
            entry.is_flying = false;
            entry.is_known = is_known;
            let wait = if is_known { AGAIN } else { RETRY * 2_u32.pow(entry.failures.min(DOUBLINGS_MAX)) };
            entry.failures = if is_known { 0 } else { entry.failures.saturating_add(1) };
            entry.next = Some(now + wait);
        }
    }

    /// What was gathered and is warm no longer is gathered again at once.
    pub(super) fn check(&mut self, is_warm: impl Fn(&Image) -> bool) {
        for (image, entry) in &mut self.entries {
            // What failed has its own time.
            if entry.is_known && !entry.is_flying && !is_warm(image) {
                entry.next = None;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(number: usize) -> Image {
        let repository = "registry.example.com/shop/api".parse().unwrap();
        Image::by_digest("", &repository, Digest::of(number.to_string().as_bytes()))
    }

    #[test]
    fn releases_come_first_and_nothing_is_gathered_twice() {
        let (mut plan, now) = (Plan::default(), Instant::now());
        plan.set(Why::Running, [image(1)].into_iter());
        plan.set(Why::Release, [image(2), image(1)].into_iter());
        plan.add(Why::Tag, image(3), now);
        plan.set(Why::Release, [image(2)].into_iter());
        assert_eq!(plan.next(now), Some(image(2)));
        assert_eq!(plan.next(now), Some(image(3)));
        assert_eq!(plan.next(now), Some(image(1)));
        assert_eq!(plan.next(now), None, "all are under way");
        plan.gathered(&image(2), now, true);
        plan.gathered(&image(1), now, false);
        assert_eq!(plan.next(now), None);
        assert_eq!(plan.next(now + RETRY), Some(image(1)), "what failed is tried again soon");
        plan.gathered(&image(1), now + RETRY, false);
        assert_eq!(plan.next(now + RETRY * 2), None, "and less and less often");
        assert_eq!(plan.next(now + RETRY * 3), Some(image(1)));
        assert_eq!(plan.next(now + AGAIN), Some(image(2)));
        plan.set(Why::Release, std::iter::empty());
        assert_eq!(plan.len(), 2, "what nobody wants is forgotten");
    }

    #[test]
    fn what_is_not_warm_any_more_is_gathered_at_once() {
        let (mut plan, now) = (Plan::default(), Instant::now());
        plan.set(Why::Release, [image(1), image(2)].into_iter());
        for _ in 0..2 {
            let next = plan.next(now).unwrap();
            plan.gathered(&next, now, true);
        }
        plan.check(|own| *own == image(2));
        assert_eq!(plan.next(now), Some(image(1)));
        assert_eq!(plan.next(now), None);
    }

    #[test]
    fn it_is_bounded_and_a_tag_gives_way_to_its_digest() {
        let (mut plan, now) = (Plan::default(), Instant::now());
        plan.set(Why::Release, (0..10_000).map(image));
        plan.set(Why::Running, (10_000..20_000).map(image));
        for number in 20_000..30_000 {
            plan.add(Why::Tag, image(number), now);
        }
        assert_eq!(plan.len(), RELEASES_MAX + RUNNING_MAX + TAGS_MAX);
        let mut plan = Plan::default();
        let tag = Image { namespace: String::new(), written: "registry.example.com/shop/api:1".into() };
        plan.add(Why::Tag, tag.clone(), now);
        assert_eq!(plan.next(now), Some(tag.clone()));
        plan.gathered(&tag, now, true);
        assert_eq!(plan.len(), 0);
        plan.add(Why::Tag, image(1), now);
        plan.add(Why::Tag, image(2), now + TAG_KEPT);
        assert_eq!(plan.len(), 1, "a tag is new for some hours");
    }
}
