//! Facts before anybody waits for them: of releases, of what runs, and of the tags that are new in their repositories.
//!
//! A few images at a time and beside every request: what is gathered here takes its place in the gatherer's own limits like
//! any other fetch. An image whose facts are there is looked at again when its evidence grows old; one whose facts are gone
//! (another trust root, another vulnerability pack) at once. What is warmed is bounded, and warming decides nothing.

mod plan;

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use assay_case::{ContainerRole, FactNeeds, ImageUse, Known};
use assay_model::{Digest, Reference, Repository};
use assay_store::Store;
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::plan::{Image, Plan, Why};
use super::Puller;
use crate::FactSource;
use crate::metrics::WarmingMetrics;

/// Images whose facts are gathered at once.
const AT_ONCE: usize = 2;
/// For the facts of one image.
const WITHIN: Duration = Duration::from_mins(2);
/// How often it is looked for facts that are gone or old.
const LOOK: Duration = Duration::from_secs(20);
/// How often what runs, and which tags there are, is looked up.
const SURVEY: Duration = Duration::from_mins(5);
/// Repositories whose tags are looked at.
const REPOSITORIES_MAX: usize = 100;
/// Tags of one repository; one with more is left alone.
const TAGS_MAX: usize = 10_000;
/// New tags that are warmed of one survey.
const NEW_TAGS_MAX: usize = 32;

/// What has to be warm: the digests of releases, in the order in which they are wanted.
pub(crate) type Releases = Vec<(Repository, Digest)>;

/// Keeps facts warm, until nobody says any more which releases there are.
pub(crate) async fn keep(
    facts: Arc<dyn FactSource>,
    store: Arc<Store>,
    metrics: WarmingMetrics,
    mut releases: watch::Receiver<Releases>,
) {
    let mut plan = Plan::default();
    let mut tags = Tags::default();
    let mut gathering: JoinSet<(Image, Option<Image>, bool)> = JoinSet::new();
    let mut surveys: JoinSet<Survey> = JoinSet::new();
    let mut looks = tokio::time::interval(LOOK);
    let mut times = tokio::time::interval(SURVEY);
    for timer in [&mut looks, &mut times] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        while gathering.len() < AT_ONCE {
            let Some(image) = plan.next(Instant::now()) else { break };
            gathering.spawn(gather(Arc::clone(&facts), image));
        }
        metrics.images.set(i64::try_from(plan.len()).unwrap_or(i64::MAX));
        tokio::select! {
            changed = releases.changed() => {
                if changed.is_err() { return }
                let wanted = releases.borrow_and_update().clone();
                plan.set(Why::Release, wanted.iter().map(|(repository, digest)| Image::by_digest("", repository, *digest)));
            }
            Some(done) = gathering.join_next() => {
                let Ok((image, resolved, is_known)) = done else { continue };
                metrics.gathered.inc();
                plan.gathered(&image, Instant::now(), is_known);
                if let Some(resolved) = resolved {
                    plan.add(Why::Tag, resolved, Instant::now());
                }
            }
            _ = times.tick() => {
                let released = releases.borrow().iter().map(|(repository, _)| repository.clone()).collect();
                // One at a time: the registry may be slow.
                if surveys.is_empty() {
                    surveys.spawn(survey(Arc::clone(&facts), Arc::clone(&store), released));
                }
            }
            Some(found) = surveys.join_next() => {
                let Ok(Survey { running, listed }) = found else { continue };
                if let Some(running) = running {
                    plan.set(Why::Running, running.into_iter());
                }
                for image in tags.take(listed) {
                    plan.add(Why::Tag, image, Instant::now());
                }
            }
            _ = looks.tick() => plan.check(|image| image.digest().is_none() || is_warm(&*facts, image)),
        }
    }
}

fn uses(image: &Image) -> [ImageUse; 1] {
    let (written, reference) = (image.written.clone(), image.written.parse());
    let role = ContainerRole::Release;
    [ImageUse { role, name: String::new(), field: String::new(), written, reference, pull_policy: None }]
}

fn is_warm(facts: &dyn FactSource, image: &Image) -> bool {
    facts.warm(&Puller::anybody_in(&image.namespace), &uses(image), FactNeeds::ALL).is_some()
}

/// Gathers the facts of an image. Of a tag also the digest that it names, and whether anything is known now.
async fn gather(facts: Arc<dyn FactSource>, image: Image) -> (Image, Option<Image>, bool) {
    let images = uses(&image);
    let puller = Puller::anybody_in(&image.namespace);
    let gathered = facts.gather(&puller, &images, FactNeeds::ALL, Instant::now() + WITHIN).await;
    let found = gathered.get(&image.written).and_then(|known| known.get().ok());
    let resolved = found.and_then(|found| found.first()).filter(|_| image.digest().is_none()).map(|facts| {
        let subject = &facts.subject;
        Image::by_digest(&image.namespace, &subject.repository, subject.index.unwrap_or(subject.digest))
    });
    let is_known = found.is_some_and(|found| found.iter().all(|facts| matches!(facts.evidence, Known::Known { .. })));
    (image, resolved, is_known)
}

/// What was looked up.
struct Survey {
    /// What runs; `None` where the store does not say.
    running: Option<Vec<Image>>,
    /// The tags of the repositories that could be asked.
    listed: Vec<(Repository, String, Vec<String>)>,
}

/// Looks up what runs, and which tags the repositories of that and of the releases have.
async fn survey(facts: Arc<dyn FactSource>, store: Arc<Store>, released: BTreeSet<Repository>) -> Survey {
    // The store blocks.
    let asked = tokio::task::spawn_blocking(move || store.running_images(plan::RUNNING_MAX)).await;
    let running = match asked {
        Ok(Ok(running)) => Some(running),
        Ok(Err(error)) => {
            tracing::warn!(%error, "what runs is not known, and not kept warm");
            None
        }
        Err(_) => None,
    };
    let mut repositories: BTreeMap<Repository, String> =
        released.into_iter().map(|repository| (repository, String::new())).collect();
    for (namespace, repository, _) in running.iter().flatten() {
        repositories.entry(repository.clone()).or_insert_with(|| namespace.clone());
    }
    let mut listed = Vec::new();
    for (repository, namespace) in repositories.into_iter().take(REPOSITORIES_MAX) {
        if let Some(tags) = facts.tags(&Puller::anybody_in(&namespace), &repository).await {
            listed.push((repository, namespace, tags));
        }
    }
    let image = |(namespace, repository, digest): (String, Repository, Digest)| {
        Image::by_digest(&namespace, &repository, digest)
    };
    Survey { running: running.map(|running| running.into_iter().map(image).collect()), listed }
}

/// The tags that were seen, by repository.
#[derive(Default)]
struct Tags(BTreeMap<Repository, HashSet<String>>);

impl Tags {
    /// The tags that were not there the last time. Of a repository that is seen for the first time none is new.
    fn take(&mut self, listed: Vec<(Repository, String, Vec<String>)>) -> Vec<Image> {
        let mut found = Vec::new();
        self.0.retain(|repository, _| listed.iter().any(|(own, ..)| own == repository));
        for (repository, namespace, tags) in listed {
            if tags.len() > TAGS_MAX {
                self.0.remove(&repository);
                continue;
            }
            if let Some(seen) = self.0.get(&repository) {
                let is_new = |tag: &&String| !seen.contains(*tag) && !is_attachment(tag);
                found.extend(tags.iter().filter(is_new).filter_map(|tag| {
                    let reference: Reference = format!("{repository}:{tag}").parse().ok()?;
                    Some(Image { namespace: namespace.clone(), written: reference.to_string() })
                }));
            }
            self.0.insert(repository, tags.into_iter().collect());
        }
        found.truncate(NEW_TAGS_MAX);
        found
    }
}

/// Where cosign and the referrers' fallback keep what belongs to an image.
fn is_attachment(tag: &str) -> bool {
    tag.starts_with("sha256-") || tag.starts_with("sha512-")
}

#[cfg(test)]
mod tests {
    use std::future::Future;
    use std::pin::Pin;

    use assay_case::{EvidenceSet, Facts, Resolution};
    use assay_model::{Subject, Timestamp};

    use super::*;
    use crate::GatheredFacts;

    /// Every tag is one digest; a repository has one tag.
    struct Registry;

    fn digest() -> Digest {
        Digest::of(b"pushed")
    }

    impl FactSource for Registry {
        fn warm(&self, _: &Puller<'_>, _: &[ImageUse], _: FactNeeds) -> Option<GatheredFacts> {
            None
        }

        fn gather<'a>(
            &'a self,
            _: &'a Puller<'a>,
            images: &'a [ImageUse],
            _: FactNeeds,
            _: Instant,
        ) -> Pin<Box<dyn Future<Output = GatheredFacts> + Send + 'a>> {
            let known = |image: &ImageUse| {
                let repository = image.reference.as_ref().unwrap().repository().clone();
                let facts = Facts {
                    subject: Subject { repository, digest: digest(), index: None, platform: None },
                    resolution: Resolution::ByTag,
                    contents: Known::unknown("none", "none"),
                    findings: Known::unknown("none", "none"),
                    evidence: Known::new(EvidenceSet::default(), Timestamp::UNIX_EPOCH),
                };
                (image.written.clone(), Known::new(vec![Arc::new(facts)], Timestamp::UNIX_EPOCH))
            };
            Box::pin(std::future::ready(images.iter().map(known).collect()))
        }

        fn tags<'a>(
            &'a self,
            _: &'a Puller<'a>,
            _: &'a Repository,
        ) -> Pin<Box<dyn Future<Output = Option<Vec<String>>> + Send + 'a>> {
            Box::pin(std::future::ready(Some(vec!["1.0".to_owned()])))
        }
    }

    #[tokio::test]
    async fn the_tags_of_what_is_released_and_of_what_runs_are_looked_at_and_become_digests() {
        let store = Arc::new(Store::in_memory().unwrap());
        let container = assay_store::RunningContainer {
            name: "api".into(),
            role: ContainerRole::Container,
            requested: "registry.example.com/shop/api:1.0".into(),
            repository: "registry.example.com/shop/api".parse().ok(),
            digest: Some(Digest::of(b"running")),
        };
        let pod = assay_store::RunningPod {
            namespace: "shop".into(),
            name: "api-1".into(),
            workload_kind: "Deployment".into(),
            workload_name: "api".into(),
            owner: None,
            environment: None,
            started: Timestamp::UNIX_EPOCH,
            containers: vec![container],
        };
        store.sync_inventory("default", Timestamp::UNIX_EPOCH, &[pod]).unwrap();
        let facts: Arc<dyn FactSource> = Arc::new(Registry);
        let released = ["registry.example.com/pay/api".parse().unwrap()].into();
        let Survey { running, listed } = survey(Arc::clone(&facts), store, released).await;
        let repository = "registry.example.com/shop/api".parse().unwrap();
        assert_eq!(running.unwrap(), [Image::by_digest("shop", &repository, Digest::of(b"running"))]);
        let seen: Vec<String> = listed.iter().map(|(repository, ..)| repository.to_string()).collect();
        assert_eq!(seen, ["registry.example.com/pay/api", "registry.example.com/shop/api"]);
        let tag = Image { namespace: "shop".into(), written: "registry.example.com/shop/api:1.0".into() };
        let (_, resolved, is_known) = gather(facts, tag).await;
        assert_eq!(resolved, Some(Image::by_digest("shop", &repository, digest())));
        assert!(is_known);
    }

    #[test]
    fn a_tag_is_new_once_and_what_belongs_to_an_image_never() {
        let repository: Repository = "registry.example.com/shop/api".parse().unwrap();
        let mut tags = Tags::default();
        let mut look = |names: &[&str]| -> Vec<String> {
            let listed = names.iter().map(|name| (*name).to_owned()).collect();
            let found = tags.take(vec![(repository.clone(), "shop".into(), listed)]);
            found.into_iter().map(|image| image.written).collect()
        };
        assert!(look(&["1.0", "1.1"]).is_empty(), "the first look finds nothing new");
        assert_eq!(look(&["1.0", "1.1", "1.2", "sha256-ab.sig"]), ["registry.example.com/shop/api:1.2"]);
        assert!(look(&["1.0", "1.1", "1.2"]).is_empty());
        let many: Vec<String> = (0..100).map(|number| format!("n{number}")).collect();
        assert_eq!(look(&many.iter().map(String::as_str).collect::<Vec<_>>()).len(), NEW_TAGS_MAX);
        let endless: Vec<String> = (0..=TAGS_MAX).map(|number| format!("t{number}")).collect();
        assert!(look(&endless.iter().map(String::as_str).collect::<Vec<_>>()).is_empty());
    }
}
