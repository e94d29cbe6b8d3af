//! The joint: one reference in, facts out.

use std::sync::Arc;
use std::time::Duration;

use assay_case::{Cause, EvidenceSet, Facts, Known, Resolution};
use assay_model::{Contents, Digest, Findings, Reference, Subject, Timestamp};
use assay_oci::{ImageSource, Source};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::built::Built;
use crate::contents::{self, Held, Reading, Shared};
use crate::evidence::{self, Claims, Judge, Judgements};
use crate::flight::{Flights, Ticket};
use crate::memory::Memory;
use crate::options::{Access, Options, Wanted};
use crate::resolve::{self, Image, ImageKey, Images};

/// Judgements of claims that are remembered for each image that is.
const JUDGEMENTS: usize = 16;

/// A digest as read through one scope of one repository.
type ScopedKey = (Arc<str>, assay_model::Repository, Digest);

/// An image as read through one scope: through another index, other evidence covers it. And whether the tags for attestations
/// are read, too.
type EvidenceKey = (Arc<str>, Subject, bool);

/// The claims about a digest, and whether those under the tags for attestations are among them.
type ClaimsKey = (ScopedKey, bool);

/// The claims about a digest, and which digest they are about.
type Early = (Digest, Ticket<Result<Arc<Claims>, Cause>>);

/// One question: through which scope, how it was resolved, what is wanted and until when, and what its images share.
struct Asked<'a> {
    scope: &'a Arc<str>,
    resolution: Resolution,
    wanted: &'a Wanted,
    until: Option<Instant>,
    shared: Arc<Shared>,
}

/// Gathers facts. Cloning shares the memory, the flights and the store.
#[derive(Clone)]
pub struct Gatherer {
    inner: Arc<Inner>,
}

struct Inner {
    options: Options,
    permits: Arc<Semaphore>,
    images: Memory<ImageKey, Arc<Vec<Arc<Image>>>>,
    contents: Memory<Digest, Held>,
    findings: Memory<(Digest, Digest), Known<Arc<Findings>>>,
    evidence: Memory<EvidenceKey, (EvidenceSet, Timestamp)>,
    built: Built,
    judgements: Arc<Judgements>,
    tag_flights: Flights<(Arc<str>, Reference), Result<Digest, Cause>>,
    image_flights: Flights<ImageKey, Images>,
    contents_flights: Flights<ScopedKey, Result<Held, Cause>>,
    claims_flights: Flights<ClaimsKey, Result<Arc<Claims>, Cause>>,
    evidence_flights: Flights<EvidenceKey, Result<(EvidenceSet, Timestamp), Cause>>,
}

impl std::fmt::Debug for Gatherer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Gatherer").field("options", &self.inner.options).finish_non_exhaustive()
    }
}

impl Gatherer {
    /// Sets up empty memories.
    pub fn new(options: Options) -> Self {
        let remembered = options.remembered;
        let inner = Inner {
            permits: Arc::new(Semaphore::new(options.flights.max(1))),
            images: Memory::new(remembered),
            contents: Memory::new(remembered),
            findings: Memory::new(remembered),
            evidence: Memory::new(remembered),
            built: Built::new(remembered),
            judgements: Arc::new(Judgements::new(remembered.saturating_mul(JUDGEMENTS))),
            tag_flights: Flights::default(),
            image_flights: Flights::default(),
            contents_flights: Flights::default(),
            claims_flights: Flights::default(),
            evidence_flights: Flights::default(),
            options,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Until when the vulnerability data reaches that this goes by; none without any.
    pub fn data_until(&self) -> Option<Timestamp> {
        self.inner.options.pack.as_ref().map(|pack| pack.info().data_until)
    }

    /// The facts of every platform wanted, or why there are none. Call it on a tokio runtime.
    ///
    /// Facts that are not wanted are unknown with the code `not-gathered`; what the deadline cut off is unknown with
    /// `gather-timeout`.
    pub async fn facts(&self, access: &Access, reference: &Reference, wanted: &Wanted) -> Known<Vec<Arc<Facts>>> {
        let until = wanted.deadline.map(|deadline| Instant::now() + deadline);
        let resolved = within(until, Box::pin(self.resolve(access, reference, wanted))).await;
        let (images, resolution) = match resolved {
            Ok(resolved) => resolved,
            Err(cause) => return Known::Unknown { cause },
        };
        let asked = Asked { scope: &access.scope, resolution, wanted, until, shared: Shared::of(&images) };
        let mut facts = Vec::with_capacity(images.len());
        for image in images.iter() {
            let pinned = reference.pinned(image.subject.digest);
            match Source::open(&access.client, &ImageSource::Registry(pinned)).await {
                Ok(source) => facts.push(self.facts_of(&asked, source, image)),
                Err(error) => return Known::Unknown { cause: Cause::from_error(&error) },
            }
        }
        let facts = futures_util::future::join_all(facts).await;
        Known::new(facts.into_iter().map(Arc::new).collect(), self.now())
    }

    /// The facts, if nothing has to be waited for: a digest whose every wanted fact is remembered. A tag always has to be
    /// asked for. Verified evidence may be older here than [`facts`](Self::facts) would use it ([`Options::lasting_age`]);
    /// when it was read stands beside it.
    pub fn remembered(
        &self,
        access: &Access,
        reference: &Reference,
        wanted: &Wanted,
    ) -> Option<Known<Vec<Arc<Facts>>>> {
        let inner = &self.inner;
        let (digest, now) = (reference.digest()?, self.now());
        let lasting = inner.options.lasting_age;
        if let Some(facts) = inner.built.get(&access.scope, reference, wanted) {
            let is_recent = |facts: &Arc<Facts>| match &facts.evidence {
                Known::Known { value, at } => self.is_recent(value, *at, lasting),
                Known::Unknown { .. } => true,
            };
            return facts.iter().all(is_recent).then(|| Known::new(facts, now));
        }
        let age = inner.built.age();
        let key = (Arc::clone(&access.scope), reference.repository().clone(), digest, wanted.platforms.clone());
        let images = inner.images.get(&key)?;
        let mut facts = Vec::with_capacity(images.len());
        for image in images.iter() {
            let (contents, findings) = if wanted.contents {
                let held = inner.contents.get(&image.subject.digest)?;
                let findings = match &inner.options.pack {
                    Some(pack) => inner.findings.get(&(held.digest, pack.info().digest))?,
                    None => Known::unknown("no-pack", "there is no vulnerability data here"),
                };
                (Known::new(held.contents, held.at), findings)
            } else {
                (not_gathered(), not_gathered())
            };
            let evidence = if wanted.evidence {
                let key = (Arc::clone(&access.scope), image.subject.clone(), wanted.attestation_tags);
                let (set, at) = self.kept(&key, lasting)?;
                Known::new(set, at)
            } else {
                not_gathered()
            };
            let (subject, resolution) = (image.subject.clone(), Resolution::ByDigest);
            facts.push(Arc::new(Facts { subject, resolution, contents, findings, evidence }));
        }
        inner.built.put(&access.scope, reference, wanted, age, facts.clone());
        Some(Known::new(facts, now))
    }

    /// The facts of an image that need not be in a registry: of a layout or an archive. Its digests are as good as a
    /// registry's, since all bytes are checked the same way.
    pub async fn facts_of_source(&self, source: &Source, wanted: &Wanted) -> Known<Vec<Arc<Facts>>> {
        let until = wanted.deadline.map(|deadline| Instant::now() + deadline);
        let images = resolve::images(source.clone(), wanted.platforms.clone());
        let images = match within(until, Box::pin(images)).await {
            Ok(images) => images,
            Err(cause) => return Known::Unknown { cause },
        };
        let scope: Arc<str> = "local".into();
        let (resolution, shared) = (Resolution::ByDigest, Shared::of(&images));
        let asked = Asked { scope: &scope, resolution, wanted, until, shared };
        let facts = images.iter().map(|image| self.facts_of(&asked, source.clone(), image));
        let facts = futures_util::future::join_all(facts).await;
        Known::new(facts.into_iter().map(Arc::new).collect(), self.now())
    }

    /// What the pack knows about contents that did not come from a registry: a directory, an archive, an SBOM.
    pub async fn findings_of(&self, contents: Contents) -> (Arc<Contents>, Known<Arc<Findings>>) {
        match Held::new(contents.clone(), self.now()) {
            Ok(held) => (Arc::clone(&held.contents), self.match_held(None, held).await),
            Err(cause) => (Arc::new(contents), Known::Unknown { cause }),
        }
    }

    fn now(&self) -> Timestamp {
        (self.inner.options.clock)()
    }

    async fn resolve(
        &self,
        access: &Access,
        reference: &Reference,
        wanted: &Wanted,
    ) -> Result<(Arc<Vec<Arc<Image>>>, Resolution), Cause> {
        let inner = &self.inner;
        let (digest, resolution) = if let Some(digest) = reference.digest() {
            (digest, Resolution::ByDigest)
        } else {
            let (client, asked) = (access.client.clone(), reference.clone());
            let flight = async move { client.head(&asked).await.map_err(|error| Cause::from_error(&error)) };
            let key = (Arc::clone(&access.scope), reference.clone());
            // The registry's word is enough: what follows is read by this digest and checked against it.
            (landed(inner.tag_flights.join(key, Box::pin(flight)).await)?, Resolution::ByTag)
        };
        let key: ImageKey =
            (Arc::clone(&access.scope), reference.repository().clone(), digest, wanted.platforms.clone());
        if let Some(images) = inner.images.get(&key) {
            return Ok((images, resolution));
        }
        let pinned = ImageSource::Registry(reference.pinned(digest));
        let source = Source::open(&access.client, &pinned).await.map_err(|error| Cause::from_error(&error))?;
        let read = resolve::images(source.clone(), wanted.platforms.clone());
        let (me, remembered, scope) = (self.clone(), key.clone(), Arc::clone(&access.scope));
        let (evidence, tags) = (wanted.evidence, wanted.attestation_tags);
        let repository = reference.repository().clone();
        let flight = async move {
            // The flight of before may have landed since the look above: then its result is remembered by now.
            if let Some(images) = me.inner.images.get(&remembered) {
                return Ok(images);
            }
            let work = async {
                // What refers to this digest is asked for while its manifest is read: one round trip less.
                let early = evidence.then(|| me.begin_claims(&scope, source.clone(), &repository, digest, tags));
                let images: Arc<Vec<Arc<Image>>> = read.await?;
                if let Some(early) = early {
                    for image in images.iter() {
                        let key = (Arc::clone(&scope), image.subject.clone(), tags);
                        me.begin_evidence(key, source.clone(), image, Some((digest, early.clone())));
                    }
                }
                Ok(images)
            };
            let images = me.permitted(Box::pin(work)).await?;
            // Whoever finds the images finds the flight of their evidence, too, or where it landed.
            me.inner.images.put(remembered, Arc::clone(&images));
            me.inner.built.outdate();
            Ok(images)
        };
        let images = landed(inner.image_flights.join(key, Box::pin(flight)).await)?;
        Ok((images, resolution))
    }

    async fn facts_of(&self, asked: &Asked<'_>, source: Source, image: &Arc<Image>) -> Facts {
        let Asked { scope, resolution, wanted, until, .. } = *asked;
        let contents = async {
            if !wanted.contents {
                return (not_gathered(), not_gathered());
            }
            match within(until, Box::pin(self.contents(asked, source.clone(), image))).await {
                Ok(held) => {
                    let contents = Known::new(Arc::clone(&held.contents), held.at);
                    let findings = self.match_held(Some(image.subject.digest), held);
                    let findings = within(until, async { Ok(findings.await) }).await;
                    (contents, findings.unwrap_or_else(|cause| Known::Unknown { cause }))
                }
                Err(cause) => (Known::Unknown { cause: cause.clone() }, Known::Unknown { cause }),
            }
        };
        let evidence = async {
            if !wanted.evidence {
                return not_gathered();
            }
            let key = (Arc::clone(scope), image.subject.clone(), wanted.attestation_tags);
            match within(until, Box::pin(self.evidence(key, source.clone(), image))).await {
                Ok((set, at)) => Known::new(set, at),
                Err(cause) => Known::Unknown { cause },
            }
        };
        let ((contents, findings), evidence) = tokio::join!(contents, evidence);
        Facts { subject: image.subject.clone(), resolution, contents, findings, evidence }
    }

    async fn contents(&self, asked: &Asked<'_>, source: Source, image: &Arc<Image>) -> Result<Held, Cause> {
        let inner = &self.inner;
        let digest = image.subject.digest;
        if let Some(held) = inner.contents.get(&digest) {
            return Ok(held);
        }
        let (store, shared) = (inner.options.store.clone(), Arc::clone(&asked.shared));
        let reading = Reading { limits: inner.options.limits, by_table: inner.options.by_table, shared };
        let read = contents::contents(source, Arc::clone(image), store, reading, self.now());
        let me = self.clone();
        let flight = async move {
            if let Some(held) = me.inner.contents.get(&digest) {
                return Ok(held);
            }
            let held = me.permitted(Box::pin(read)).await?;
            me.inner.contents.put(digest, held.clone());
            me.inner.built.outdate();
            Ok(held)
        };
        landed(inner.contents_flights.join(scoped(asked.scope, image), Box::pin(flight)).await)
    }

    async fn match_held(&self, subject: Option<Digest>, held: Held) -> Known<Arc<Findings>> {
        let options = &self.inner.options;
        let Some(pack) = options.pack.clone() else {
            return Known::unknown("no-pack", "there is no vulnerability data here");
        };
        let key = (held.digest, pack.info().digest);
        if let Some(findings) = self.inner.findings.get(&key) {
            return findings;
        }
        let findings = contents::findings(subject, held, pack, options.store.clone(), self.now()).await;
        if findings.get().is_ok() {
            self.inner.findings.put(key, findings.clone());
            self.inner.built.outdate();
        }
        findings
    }

    async fn evidence(
        &self,
        key: EvidenceKey,
        source: Source,
        image: &Arc<Image>,
    ) -> Result<(EvidenceSet, Timestamp), Cause> {
        if let Some(recent) = self.kept(&key, self.inner.options.evidence_age) {
            return Ok(recent);
        }
        landed(self.begin_evidence(key, source, image, None).landed().await)
    }

    /// Evidence that is remembered and no older than `age`. Where the tags for attestations were read, they are no harm to
    /// whoever does not look at them.
    fn kept(&self, key: &EvidenceKey, age: Duration) -> Option<(EvidenceSet, Timestamp)> {
        let find = |key: &EvidenceKey| self.inner.evidence.get(key).filter(|(set, at)| self.is_recent(set, *at, age));
        let (scope, subject, tags) = key;
        find(key).or_else(|| if *tags { None } else { find(&(Arc::clone(scope), subject.clone(), true)) })
    }

    /// Gathers the evidence of an image, in a flight of its own. Of `early` the claims are on their way.
    fn begin_evidence(
        &self,
        key: EvidenceKey,
        source: Source,
        image: &Arc<Image>,
        early: Option<Early>,
    ) -> Ticket<Result<(EvidenceSet, Timestamp), Cause>> {
        let (me, remembered, image) = (self.clone(), key.clone(), Arc::clone(image));
        let flight = async move {
            if let Some(found) = me.kept(&remembered, me.inner.options.evidence_age) {
                return Ok(found);
            }
            let judge = me.judge();
            let now = judge.now;
            let repository = image.subject.repository.clone();
            let (scope, _, tags) = &remembered;
            let digests: Vec<Digest> = image.subject.covering_digests().collect();
            let work = async {
                let claims = digests.iter().map(|digest| match &early {
                    Some((about, claims)) if about == digest => claims.clone(),
                    _ => me.begin_claims(scope, source.clone(), &repository, *digest, *tags),
                });
                let claims: Vec<_> = claims.map(Ticket::landed).collect();
                let mut set = EvidenceSet::default();
                for (digest, claims) in digests.iter().zip(futures_util::future::join_all(claims).await) {
                    judge.judge(&image, *digest, landed(claims)?, &mut set).await?;
                }
                Ok(set)
            };
            let set: EvidenceSet = me.permitted(Box::pin(work)).await?;
            me.inner.evidence.put(remembered, (set.clone(), now));
            me.inner.built.outdate();
            Ok((set, now))
        };
        self.inner.evidence_flights.begin(key, Box::pin(flight))
    }

    /// Reads what refers to a digest, in a flight of its own: an index is shared by all its platforms.
    fn begin_claims(
        &self,
        scope: &Arc<str>,
        source: Source,
        repository: &assay_model::Repository,
        digest: Digest,
        tags: bool,
    ) -> Ticket<Result<Arc<Claims>, Cause>> {
        let key: ClaimsKey = ((Arc::clone(scope), repository.clone(), digest), tags);
        let read = evidence::claims(source, digest, repository.clone(), self.judge(), tags);
        let flight = async move { read.await.map(Arc::new) };
        self.inner.claims_flights.begin(key, Box::pin(flight))
    }

    fn judge(&self) -> Arc<Judge> {
        let options = &self.inner.options;
        Arc::new(Judge {
            materials: options.materials.clone(),
            authorities: options.revocation.clone(),
            store: options.store.clone(),
            judgements: Arc::clone(&self.inner.judgements),
            limit: options.referrers,
            now: self.now(),
        })
    }

    /// Whether evidence listed at `at` may be used now: `verified` is how old a set may be that holds any. A clock that went
    /// backwards makes it too old.
    fn is_recent(&self, set: &EvidenceSet, at: Timestamp, verified: Duration) -> bool {
        let age = if set.verified.is_empty() { self.inner.options.nothing_age } else { verified };
        let since = self.now().duration_since(at);
        !since.is_negative() && since.unsigned_abs() <= age
    }

    /// Runs a fetch when it is its turn.
    async fn permitted<T>(&self, fetch: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
        let permit = Arc::clone(&self.inner.permits).acquire_owned().await;
        let result = fetch.await;
        drop(permit);
        result
    }
}

fn scoped(scope: &Arc<str>, image: &Image) -> ScopedKey {
    (Arc::clone(scope), image.subject.repository.clone(), image.subject.digest)
}

fn not_gathered<T>() -> Known<T> {
    Known::unknown("not-gathered", "it was not asked for")
}

fn landed<T>(result: Option<Result<T, Cause>>) -> Result<T, Cause> {
    result.unwrap_or_else(|| Err(Cause::new("gather-failed", "the fetch ended early; this is a bug")))
}

/// Waits until the deadline, if there is one.
async fn within<T>(until: Option<Instant>, work: impl Future<Output = Result<T, Cause>>) -> Result<T, Cause> {
    match until {
        None => work.await,
        Some(until) => tokio::time::timeout_at(until, work).await.unwrap_or_else(|_| {
            Err(Cause::new(
                "gather-timeout",
                "it was not found out in time; it is still being fetched for the next try",
            ))
        }),
    }
}
