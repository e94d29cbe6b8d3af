//! From a body to an answer.

pub(crate) mod message;
mod pin;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::{Duration, Instant};

use assay_case::{Case, Facts, Known, Operation, Request, Verdict, World};
use assay_gate::{Memory, Policy, decide_remembering};
use assay_kube::{Admission, PassReason, Response, Review, ReviewError, Routing};
use assay_model::Explain as _;
use assay_store::{DecisionLog, DecisionRecord, RequestProjection, decision_id};
use tokio::sync::Semaphore;
use tracing::Instrument as _;

use crate::admitted::Admitted;
use crate::cluster::Kinds;
use crate::metrics::{Answered, Metrics};
use crate::{Clock, FactSource, GatheredFacts, Mutation, Namespaces, Puller};

/// Left of the API server's own time-out for writing the answer and for the network.
const MARGIN: Duration = Duration::from_millis(200);
/// `timeoutSeconds` of a webhook where the API server does not say (its default).
const TIMEOUT: Duration = Duration::from_secs(10);
/// The largest that the API server allows.
const TIMEOUT_MAX: Duration = Duration::from_secs(30);

/// Evidence that is older may allow and not refuse.
const EVIDENCE_AGE: Duration = Duration::from_mins(1);

/// What an HTTP handler sends.
pub(crate) enum Answer {
    /// An AdmissionReview.
    Review(Vec<u8>),
    /// The webhook failed: no AdmissionReview can be given. The API server then goes by `failurePolicy`.
    Failed { status: u16, code: &'static str, message: String },
}

/// A value that is replaced as a whole while others read it.
pub(crate) struct Snapshot<T>(RwLock<Arc<T>>);

impl<T> Snapshot<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(RwLock::new(Arc::new(value)))
    }

    pub(crate) fn get(&self) -> Arc<T> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(crate) fn set(&self, value: T) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(value);
    }
}

/// Which webhook was called.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Webhook {
    Validating,
    Mutating,
}

/// Everything that answering needs.
pub(crate) struct Admissions {
    pub(crate) policy: Snapshot<Option<Arc<Policy>>>,
    pub(crate) world: Snapshot<World>,
    pub(crate) namespaces: Snapshot<Namespaces>,
    pub(crate) facts: Arc<dyn FactSource>,
    pub(crate) log: DecisionLog,
    pub(crate) admitted: Admitted,
    /// What was said of images before.
    pub(crate) memory: Memory,
    pub(crate) in_flight: Semaphore,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) nonce: AtomicU64,
    pub(crate) mutation: Mutation,
    /// Answers for Assay's own kinds, where the server follows a cluster.
    pub(crate) kinds: OnceLock<Kinds>,
    /// What leads to workloads from outside, where the server follows a cluster and has seen it.
    pub(crate) routing: Snapshot<Option<Routing>>,
}

/// Counts a request in while it is judged.
struct InFlight<'a>(&'a Metrics);

impl<'a> InFlight<'a> {
    fn new(metrics: &'a Metrics) -> Self {
        metrics.in_flight.inc();
        Self(metrics)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.in_flight.dec();
    }
}

impl Admissions {
    pub(crate) fn is_ready(&self) -> bool {
        self.policy.get().is_some()
    }

    /// Answers one request. `timeout` is the query parameter by which the API server says how long it waits.
    pub(crate) async fn answer(&self, webhook: Webhook, body: &[u8], timeout: Option<&str>) -> Answer {
        let started = Instant::now();
        let deadline = started + self::timeout(timeout).saturating_sub(MARGIN);
        let mut labels = Answered { operation: "unknown", decision: "error", mode: "live" };
        let span = tracing::info_span!(
            "admission",
            uid = tracing::field::Empty,
            namespace = tracing::field::Empty,
            kind = tracing::field::Empty,
            operation = tracing::field::Empty,
            decision = tracing::field::Empty,
        );
        let answer = self.review(webhook, body, started, deadline, &mut labels).instrument(span.clone()).await;
        span.record("operation", labels.operation).record("decision", labels.decision);
        self.metrics.requests.get_or_create(&labels).inc();
        self.metrics.duration.observe(started.elapsed().as_secs_f64());
        answer
    }

    async fn review(
        &self,
        webhook: Webhook,
        body: &[u8],
        started: Instant,
        deadline: Instant,
        labels: &mut Answered,
    ) -> Answer {
        let review = match Review::parse(body) {
            Ok(review) => review,
            Err(error) => return unreadable(&error),
        };
        labels.operation = review.operation.name();
        labels.mode = if review.dry_run { "dry-run" } else { "live" };
        let (uid, dry_run) = (review.uid.clone(), review.dry_run);
        let namespace_labels = self.namespaces.get().labels(&review.namespace).cloned();
        let request = match review.admission(namespace_labels) {
            Admission::Pass(reason) => {
                labels.decision = "passed";
                return Answer::Review(passed(uid, &reason).to_json());
            }
            Admission::Judge(request) => *request,
        };
        let (namespace, kind) = (request.namespace.name.as_str(), request.workload.kind.as_str());
        tracing::Span::current().record("uid", uid.as_str()).record("namespace", namespace).record("kind", kind);
        let policy = self.policy.get();
        let Some(policy) = policy.as_ref() else {
            let why = "no policy is loaded yet (not-ready): nothing can be decided. Try again in a moment";
            return Answer::Review(Response::deny(uid, 503, "ServiceUnavailable", why).to_json());
        };
        let Ok(_permit) = self.in_flight.try_acquire() else {
            let why = "too many requests are being judged at once (admission-busy): nothing was decided. Try again";
            return Answer::Review(Response::deny(uid, 429, "TooManyRequests", why).to_json());
        };
        let _in_flight = InFlight::new(&self.metrics);
        let facts = match webhook {
            Webhook::Validating if !policy.asks_for_facts(&request) => GatheredFacts::new(),
            _ => self.facts_of(&request, deadline).await,
        };
        match webhook {
            Webhook::Mutating => {
                labels.decision = "allowed";
                let patch = pin::pin(self.mutation, &request, &facts);
                Answer::Review(Response { patch, ..Response::allow(uid) }.to_json())
            }
            Webhook::Validating => {
                let operation = request.operation;
                let (mut case, mut verdict) = self.judge(policy, request, facts);
                if is_refused_by_old_evidence(policy, &case, &verdict) {
                    // Nobody is refused for what was known some minutes ago, and no refusal is undone because nobody can be
                    // asked again: what cannot be found out counts as it was.
                    let request = Request { operation, ..case.request };
                    let mut facts = self.gather(&request, deadline).await;
                    for (written, old) in case.facts {
                        if !facts.get(&written).is_some_and(is_whole) {
                            facts.insert(written, old);
                        }
                    }
                    (case, verdict) = self.judge(policy, request, facts);
                }
                self.give(uid, dry_run, started, &case, verdict, labels)
            }
        }
    }

    /// The facts in memory, else those that can be gathered in time.
    async fn facts_of(&self, request: &Request<'_>, deadline: Instant) -> GatheredFacts {
        if let Some(facts) = self.facts.warm(&Puller::of(request), &request.images) {
            return facts;
        }
        self.gather(request, deadline).await
    }

    /// The facts as they are by now.
    async fn gather(&self, request: &Request<'_>, deadline: Instant) -> GatheredFacts {
        let puller = Puller::of(request);
        let gathering = self.facts.gather(&puller, &request.images, deadline);
        // The source keeps the deadline itself and then gives what it has; this is for one that does not.
        if let Ok(facts) = tokio::time::timeout_at(deadline.into(), gathering).await {
            return facts;
        }
        let why = "the facts could not be gathered before the API server's time-out";
        let unknown = |image: &assay_case::ImageUse| (image.written.clone(), Known::unknown("deadline", why));
        request.images.iter().map(unknown).collect()
    }

    /// Asks the Gate. Gives the Case with it, of which the Verdict is.
    fn judge<'r>(&self, policy: &Policy, mut request: Request<'r>, facts: GatheredFacts) -> (Case<'r>, Verdict) {
        let mut world = self.world.get();
        let admissions = self.admitted.reschedules(&request, &facts);
        if !admissions.is_empty() {
            request.operation = Operation::Reschedule;
            world = Arc::new(World { admissions, ..World::clone(&world) });
        }
        if let Some(exposure) = self.routing.get().as_ref().as_ref().and_then(|routing| routing.exposure(&request)) {
            let assay_case::Workload { kind, name, .. } = &request.workload;
            let workload = format!("{}/{kind}/{name}", request.namespace.name);
            world = Arc::new(World { exposure: BTreeMap::from([(workload, exposure)]), ..World::clone(&world) });
        }
        let case = Case { request, facts, world };
        let verdict = decide_remembering(policy, &case, (self.clock)(), &self.memory);
        (case, verdict)
    }

    /// Puts a Verdict on record, and answers with it.
    fn give(
        &self,
        uid: String,
        dry_run: bool,
        started: Instant,
        case: &Case<'_>,
        verdict: Verdict,
        labels: &mut Answered,
    ) -> Answer {
        let now = verdict.decided_at;
        let microseconds = u64::try_from(started.elapsed().as_micros()).unwrap_or(u64::MAX);
        let id = decision_id(&uid, now, self.nonce.fetch_add(1, Ordering::Relaxed));
        let allowed = verdict.allowed;
        let mut response = if allowed {
            Response::allow(uid.clone())
        } else {
            let recorded = (!dry_run).then_some(id.as_str());
            Response::deny(uid.clone(), 403, "Forbidden", &message::denial(&verdict, recorded))
        };
        response.warnings = message::warnings(&verdict);
        response.audit_annotations = BTreeMap::from([
            ("decision".to_owned(), id.clone()),
            ("environment".to_owned(), verdict.environment.to_string()),
            ("policy".to_owned(), verdict.policy.to_string()),
        ]);
        labels.decision = if allowed { "allowed" } else { "denied" };
        // A dry run leaves nothing behind: the webhook is registered with `sideEffects: NoneOnDryRun`.
        if dry_run {
            response.audit_annotations.remove("decision");
            return Answer::Review(response.to_json());
        }
        let record =
            DecisionRecord { id, at: now, uid, dry_run, request: RequestProjection::of(case), verdict, microseconds };
        if let Err(error) = self.log.append(&record) {
            tracing::error!(%error, code = error.code(), "a decision could not be recorded");
            self.metrics.unrecorded.inc();
            // An allow that nobody can trace is none. A refusal stands without its record.
            if allowed {
                labels.decision = "error";
                let message = format!("the decision could not be recorded, so that it is not given: {error}");
                return Answer::Failed { status: 503, code: "decision-not-recorded", message };
            }
        }
        self.admitted.record(&record);
        Answer::Review(response.to_json())
    }
}

/// Whether the evidence of all platforms of an image is known.
fn is_whole(known: &Known<Vec<Arc<Facts>>>) -> bool {
    let is_known = |facts: &Arc<Facts>| matches!(facts.evidence, Known::Known { .. });
    known.get().is_ok_and(|platforms| platforms.iter().all(is_known))
}

/// Whether a control that looks at facts refuses, and evidence among them is older than what would be gathered now. What is
/// refused for the object itself is refused without asking a registry again.
fn is_refused_by_old_evidence(policy: &Policy, case: &Case<'_>, verdict: &Verdict) -> bool {
    let now = verdict.decided_at;
    let is_old = |facts: &Arc<Facts>| match &facts.evidence {
        Known::Known { at, .. } => now.duration_since(*at).unsigned_abs() > EVIDENCE_AGE,
        Known::Unknown { .. } => false,
    };
    let of_image = |known: &Known<Vec<Arc<Facts>>>| known.get().is_ok_and(|platforms| platforms.iter().any(is_old));
    !verdict.allowed
        && verdict.outcomes.iter().any(|outcome| outcome.denies() && policy.looks_at_facts(&outcome.control))
        && case.facts.values().any(of_image)
}

/// Nothing new would run.
fn passed(uid: String, reason: &PassReason) -> Response {
    let annotations = BTreeMap::from([("passed".to_owned(), reason.to_string())]);
    Response { audit_annotations: annotations, ..Response::allow(uid) }
}

/// A body that cannot be read: refused where the uid is known, failed otherwise.
fn unreadable(error: &ReviewError) -> Answer {
    match error.uid() {
        Some(uid) => {
            let message = format!("{}: {error}", error.code());
            Answer::Review(Response::deny(uid, 400, "BadRequest", &message).to_json())
        }
        None => Answer::Failed {
            status: if matches!(error, ReviewError::TooLarge { .. }) { 413 } else { 400 },
            code: error.code(),
            message: error.to_string(),
        },
    }
}

/// The API server's `?timeout=`: a Go duration of seconds, such as `10s` (it writes no other form).
fn timeout(text: Option<&str>) -> Duration {
    let Some(text) = text else { return TIMEOUT };
    let parsed = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(millis), _) => millis.parse().ok().map(Duration::from_millis),
        (None, Some(seconds)) => {
            seconds.parse().ok().and_then(|seconds: f64| Duration::try_from_secs_f64(seconds).ok())
        }
        (None, None) => None,
    };
    parsed.unwrap_or(TIMEOUT).min(TIMEOUT_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_timeout_is_the_api_servers() {
        assert_eq!(timeout(None), TIMEOUT);
        assert_eq!(timeout(Some("5s")), Duration::from_secs(5));
        assert_eq!(timeout(Some("1.5s")), Duration::from_millis(1500));
        assert_eq!(timeout(Some("250ms")), Duration::from_millis(250));
        assert_eq!(timeout(Some("1000000000s")), TIMEOUT_MAX);
        for text in ["", "s", "-5s", "x", "5m", "NaNs", "infs"] {
            assert!(timeout(Some(text)) <= TIMEOUT_MAX, "{text}");
        }
    }
}
