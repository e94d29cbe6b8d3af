//! Who of several replicas does what only one may do: a Lease (Kubernetes API reference, coordination.k8s.io/v1).
//!
//! The one who holds it writes its name and the time into it again and again. Another one takes it over when what it saw
//! there has not changed for the whole duration by its own clock: clocks of different machines are never compared.

use std::time::{Duration, Instant};

use assay_model::Timestamp;
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{ApiError, Client, LEASES, StoredObject};

/// How long a holder counts that is silent.
const DURATION: Duration = Duration::from_secs(15);
/// How often the holder writes.
const RENEW: Duration = Duration::from_secs(5);
/// After so long without a write that succeeded, the holder stops by itself: before another one begins.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often the others look.
const RETRY: Duration = Duration::from_secs(2);

/// How a candidate stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// It has not been found out yet.
    #[default]
    Unasked,
    /// The Lease is ours.
    Held,
    /// Somebody else holds it.
    Elsewhere,
    /// Nobody can know: the API server lets us not use the Lease, or has said nothing of it for as long as a silent
    /// holder counts. Another candidate may hold it, and may not be there at all.
    Unknowable,
}

/// A candidate for a Lease.
#[derive(Debug)]
pub struct Election {
    client: Client,
    namespace: String,
    name: String,
    identity: String,
    seen: Option<Seen>,
    /// When the Lease was written by us last, while it is ours.
    renewed: Option<Instant>,
    /// Since when nothing is heard of the Lease.
    silent: Option<Instant>,
    standing: Standing,
}

/// What stood in the Lease, and since when by our own clock.
#[derive(Debug)]
struct Seen {
    holder: String,
    renewed: String,
    at: Instant,
}

/// What is to be done about a Lease.
#[derive(Debug, PartialEq)]
enum Claim {
    /// There is none.
    Create(Value),
    /// It is ours, or may be taken.
    Replace(Value),
    /// Somebody else holds it.
    Wait,
}

impl Election {
    /// A candidate. `identity` has to differ from that of every other one.
    pub fn new(client: Client, namespace: &str, name: &str, identity: String) -> Self {
        Self {
            client,
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            identity,
            seen: None,
            renewed: None,
            silent: None,
            standing: Standing::default(),
        }
    }

    /// Tells `standing` how it stands, until nobody listens any more; gives the Lease back then, so that the next one need
    /// not wait. `failed` hears why the Lease cannot be read or written.
    pub async fn run(mut self, standing: watch::Sender<Standing>, failed: impl Fn(&ApiError) + Send) {
        while !standing.is_closed() {
            let attempt = self.attempt().await;
            if let Err(error) = &attempt {
                failed(error);
            }
            let now = self.stands(&attempt, Instant::now());
            standing.send_if_modified(|held| std::mem::replace(held, now) != now);
            let pause = if matches!(attempt, Ok(true)) { RENEW } else { RETRY };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = standing.closed() => {}
            }
        }
        if self.renewed.is_some() {
            self.release().await;
        }
    }

    /// How it stands after an attempt: whether the Lease is ours, or why that cannot be told.
    fn stands(&mut self, attempt: &Result<bool, ApiError>, clock: Instant) -> Standing {
        let age = |since: Instant| clock.saturating_duration_since(since);
        self.standing = match attempt {
            Ok(true) => {
                (self.renewed, self.silent) = (Some(clock), None);
                Standing::Held
            }
            Ok(false) => {
                (self.renewed, self.silent) = (None, None);
                Standing::Elsewhere
            }
            // What we held is ours until its deadline.
            Err(error) => {
                let silent = *self.silent.get_or_insert(clock);
                if self.renewed.is_some_and(|at| age(at) < DEADLINE) {
                    Standing::Held
                } else if is_final(error) || age(silent) >= DURATION {
                    Standing::Unknowable
                } else if self.standing == Standing::Held {
                    // Whoever may take it now needs a moment.
                    Standing::Elsewhere
                } else {
                    self.standing
                }
            }
        };
        self.standing
    }

    /// Writes what is to be written; whether the Lease is ours then.
    async fn attempt(&mut self) -> Result<bool, ApiError> {
        let namespace = Some(self.namespace.as_str());
        let lease = match self.client.get(LEASES, namespace, &self.name).await {
            Ok(lease) => Some(lease),
            Err(error) if error.is_not_found() => None,
            Err(error) => return Err(error),
        };
        let claim = self.claim(lease.as_ref(), Instant::now(), Timestamp::now());
        let namespace = Some(self.namespace.as_str());
        let written = match claim {
            Claim::Wait => return Ok(false),
            Claim::Create(lease) => self.client.create(LEASES, namespace, &lease).await,
            Claim::Replace(lease) => self.client.replace(LEASES, namespace, &self.name, &lease).await,
        };
        match written {
            Ok(_) => Ok(true),
            // Somebody was quicker.
            Err(error) if error.is_conflict() => Ok(false),
            Err(error) => Err(error),
        }
    }

    fn claim(&mut self, lease: Option<&StoredObject>, clock: Instant, now: Timestamp) -> Claim {
        let Some(lease) = lease else { return Claim::Create(self.lease(None, now)) };
        let spec = &lease.0["spec"];
        let [holder, renewed] = ["holderIdentity", "renewTime"].map(|field| spec[field].as_str().unwrap_or_default());
        if holder.is_empty() || holder == self.identity {
            return Claim::Replace(self.lease(Some(lease), now));
        }
        match &self.seen {
            Some(seen) if seen.holder == holder && seen.renewed == renewed => {
                if clock.saturating_duration_since(seen.at) >= DURATION {
                    Claim::Replace(self.lease(Some(lease), now))
                } else {
                    Claim::Wait
                }
            }
            _ => {
                self.seen = Some(Seen { holder: holder.to_owned(), renewed: renewed.to_owned(), at: clock });
                Claim::Wait
            }
        }
    }

    /// The Lease as it is when it is ours.
    fn lease(&self, held: Option<&StoredObject>, now: Timestamp) -> Value {
        let null = Value::Null;
        let spec = held.map_or(&null, |held| &held.0["spec"]);
        let is_ours = spec["holderIdentity"] == json!(self.identity);
        let now = now.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        let acquired = spec["acquireTime"].as_str().filter(|_| is_ours).unwrap_or(&now);
        let transitions = spec["leaseTransitions"].as_i64().unwrap_or_default() + i64::from(!is_ours && held.is_some());
        let mut metadata = json!({"name": self.name, "namespace": self.namespace});
        if let Some(held) = held {
            metadata["resourceVersion"] = json!(held.resource_version());
        }
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata,
            "spec": {
                "holderIdentity": self.identity, "leaseDurationSeconds": DURATION.as_secs(),
                "acquireTime": acquired, "renewTime": now, "leaseTransitions": transitions,
            },
        })
    }

    /// Gives the Lease back. Where that fails it ends by itself.
    async fn release(&self) {
        let namespace = Some(self.namespace.as_str());
        let Ok(mut lease) = self.client.get(LEASES, namespace, &self.name).await else { return };
        if lease.0["spec"]["holderIdentity"] == json!(self.identity) {
            lease.0["spec"]["holderIdentity"] = json!("");
            let _ = self.client.replace(LEASES, namespace, &self.name, &lease.0).await;
        }
    }
}

/// Whether the API server would say the same the next time: a role, a namespace or the whole API is missing. Too many
/// requests and its own troubles pass.
fn is_final(error: &ApiError) -> bool {
    error.status().is_some_and(|status| (400..500).contains(&status) && !matches!(status, 408 | 409 | 429))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::Config;

    fn candidate(identity: &str) -> Election {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config");
        let text = "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'https://127.0.0.1:1'}}]\n\
                    users: [{name: u, user: {}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\n";
        std::fs::write(&file, text).unwrap();
        let client = Client::new(Config::from_files(&[file], None).unwrap()).unwrap();
        Election::new(client, "assay-system", "assay", identity.to_owned())
    }

    fn stored(claim: Claim) -> StoredObject {
        match claim {
            Claim::Create(lease) | Claim::Replace(lease) => StoredObject(lease),
            Claim::Wait => panic!("it waits"),
        }
    }

    #[test]
    fn who_is_first_holds_it_and_the_next_one_waits_until_it_is_silent() {
        let (mut first, mut second) = (candidate("a"), candidate("b"));
        let (clock, now) = (Instant::now(), Timestamp::UNIX_EPOCH);
        let mut lease = stored(first.claim(None, clock, now));
        assert_eq!(lease.0["spec"]["renewTime"], "1970-01-01T00:00:00.000000Z");
        let mut later = now;
        // Renewed, it is never taken, however long that goes on.
        for step in 0..10 {
            assert_eq!(second.claim(Some(&lease), clock + RENEW * step, now), Claim::Wait);
            later += RENEW;
            lease = stored(first.claim(Some(&lease), clock, later));
            assert_eq!(lease.0["spec"]["leaseTransitions"], 0);
        }
        let silent = clock + RENEW * 10;
        assert_eq!(second.claim(Some(&lease), silent, later), Claim::Wait);
        assert_eq!(second.claim(Some(&lease), silent + RENEW, later), Claim::Wait);
        let taken = stored(second.claim(Some(&lease), silent + DURATION, later));
        assert_eq!(
            (&taken.0["spec"]["holderIdentity"], &taken.0["spec"]["leaseTransitions"]),
            (&json!("b"), &json!(1))
        );
        assert_eq!(first.claim(Some(&taken), silent + DURATION, later), Claim::Wait, "the first one lost it");
    }

    #[test]
    fn what_was_given_back_is_taken_at_once() {
        let mut lease = stored(candidate("a").claim(None, Instant::now(), Timestamp::UNIX_EPOCH));
        lease.0["spec"]["holderIdentity"] = json!("");
        lease.0["metadata"]["resourceVersion"] = json!("7");
        let taken = stored(candidate("b").claim(Some(&lease), Instant::now(), Timestamp::UNIX_EPOCH));
        assert_eq!(
            (&taken.0["spec"]["holderIdentity"], &taken.0["metadata"]["resourceVersion"]),
            (&json!("b"), &json!("7"))
        );
    }

    #[test]
    fn a_lease_that_says_nothing_is_taken() {
        let lease = StoredObject(json!({"metadata": {"name": "assay"}, "spec": {"holderIdentity": 7}}));
        assert!(matches!(candidate("b").claim(Some(&lease), Instant::now(), Timestamp::UNIX_EPOCH), Claim::Replace(_)));
    }

    fn status(code: u16) -> Result<bool, ApiError> {
        Err(ApiError::Status { code, reason: String::new(), message: String::new() })
    }

    #[test]
    fn a_lease_that_nobody_may_use_is_nobody_elses() {
        let clock = Instant::now();
        for code in [401, 403, 404] {
            assert_eq!(candidate("a").stands(&status(code), clock), Standing::Unknowable, "{code}");
        }
        // Held before, it is so until its deadline.
        let mut first = candidate("a");
        assert_eq!(first.stands(&Ok(true), clock), Standing::Held);
        assert_eq!(first.stands(&status(403), clock + RENEW), Standing::Held);
        assert_eq!(first.stands(&status(403), clock + DEADLINE), Standing::Unknowable);
        assert_eq!(first.stands(&Ok(false), clock + DEADLINE), Standing::Elsewhere);
    }

    #[test]
    fn an_api_server_that_is_away_for_a_moment_changes_nothing_that_is_known() {
        let clock = Instant::now();
        let away = || Err(ApiError::Unreachable { server: "s".into(), reason: "r".into() });
        let mut second = candidate("b");
        assert_eq!(second.stands(&away(), clock), Standing::Unasked);
        assert_eq!(second.stands(&Ok(false), clock), Standing::Elsewhere);
        for busy in [away(), status(429), status(500), status(503)] {
            assert_eq!(second.stands(&busy, clock + RETRY), Standing::Elsewhere, "{busy:?}");
        }
        assert_eq!(second.stands(&away(), clock + RETRY + DURATION), Standing::Unknowable);
        // Ours is not ours beyond the deadline; whoever takes it does what only one may do.
        let mut first = candidate("a");
        assert_eq!(first.stands(&Ok(true), clock), Standing::Held);
        assert_eq!(first.stands(&away(), clock + RETRY), Standing::Held);
        assert_eq!(first.stands(&away(), clock + DEADLINE), Standing::Elsewhere);
        assert_eq!(first.stands(&Ok(true), clock + DURATION), Standing::Held);
    }
}
