//! The server in a cluster: policy from its objects, labels from its namespaces, and a webhook that registers itself.
//!
//! [`Cluster::start`] takes a running [`Server`](crate::Server) and keeps it in step: Environments, TrustRoots, Exceptions,
//! ReleaseArtifacts and namespaces are watched, and every change is in force within a moment, without a restart. What is
//! wrong with an object is written into its status. The webhook configurations and the certificate that they name are made
//! and repaired. Nothing is decided before everything has been listed once; whatever cannot be seen later leaves in force
//! what was.

mod audit;
mod authority;
mod book;
mod controller;
mod drill;
mod exposure;
mod kinds;
mod status;
mod vouch;
mod webhooks;

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use assay_kinds::TrustRoot;
use assay_kube::{Client, Election, Standing};
use assay_model::Digest;
use assay_trust::TrustMaterial;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

pub use self::book::{Base, MaterialSource};
pub use self::webhooks::Called;

pub(crate) use self::kinds::Kinds;

use self::book::Book;
use self::controller::Shared;
use crate::admission::Snapshot;
use crate::{Mutation, Namespaces, Running};

/// What the server is to do in a cluster.
#[derive(Clone)]
pub struct ClusterOptions {
    /// The cluster.
    pub client: Client,
    /// Whom the API server calls.
    pub called: Called,
    /// Assay's own namespace: it holds the certificate, and is not judged.
    pub namespace: String,
    /// What the cluster is called in the inventory and in findings.
    pub cluster: String,
    /// What this replica is called among the others; no two have the same name.
    pub identity: String,
    /// Whose tags are pinned.
    pub mutate: Mutation,
    /// The authority (PEM file) of a certificate that comes from files, which somebody else renews; without one the server
    /// keeps an authority of its own.
    pub authority: Option<PathBuf>,
    /// What is in force beside the objects of the cluster.
    pub base: Base,
    /// How a TrustRoot becomes material.
    pub source: MaterialSource,
    /// Told of other trust material before the policy that goes by it is in force; an error keeps the policy of before.
    pub on_materials: Arc<dyn Fn(Vec<TrustMaterial>) -> Result<(), String> + Send + Sync>,
    /// Told what happens.
    pub notify: Arc<dyn Fn(Notice) + Send + Sync>,
}

impl std::fmt::Debug for ClusterOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClusterOptions")
            .field("client", &self.client)
            .field("called", &self.called)
            .field("namespace", &self.namespace)
            .field("mutate", &self.mutate)
            .finish_non_exhaustive()
    }
}

/// Something that an operator wants to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// Another policy is in force.
    Policy {
        /// Its digest.
        digest: Digest,
        /// Objects that are not in force as they are written.
        refused: usize,
    },
    /// A webhook configuration was written.
    Registered {
        /// Which one, in plural.
        resource: &'static str,
        /// Whether it had been there, and been different.
        repair: bool,
    },
    /// A webhook configuration could not be written.
    NotRegistered {
        /// Why.
        why: String,
    },
    /// There is no certificate yet.
    NoAuthority {
        /// Why.
        why: String,
    },
    /// Something cannot be watched; what was known stays.
    Unseen {
        /// What, in plural.
        what: &'static str,
        /// Why.
        why: String,
        /// Whether the API server knows no such thing.
        is_undefined: bool,
    },
    /// A definition is being deleted, and its objects with it; what was in force stays.
    DefinitionGone {
        /// Plural of the kind.
        plural: &'static str,
    },
    /// Policy, certificate and webhooks are in place for the first time.
    Ready,
    /// This replica audits what runs.
    Leads,
    /// Another replica does.
    Follows,
    /// Whether this replica leads cannot be found out: none audits what runs, and each repairs the registration.
    NoLease {
        /// The Lease, as `namespace/name`.
        lease: String,
        /// Why.
        why: String,
        /// Whether the API server forbids it: a role is missing.
        is_forbidden: bool,
    },
    /// What runs was judged again, and some of it would be denied by now.
    Findings {
        /// Findings that are new.
        count: usize,
    },
}

/// The Lease of the replica that does what only one may do.
const LEASE: &str = "assay";
/// For giving the Lease back.
const RELEASE: std::time::Duration = std::time::Duration::from_secs(2);

/// A server that follows its cluster. Dropping it stops that; the server goes on by what it knows.
pub struct Cluster {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
    election: JoinHandle<()>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.election.abort();
    }
}

impl std::fmt::Debug for Cluster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cluster").field("tasks", &self.tasks.len()).finish_non_exhaustive()
    }
}

impl Cluster {
    /// Begins to follow. The server should have been started without a policy: it is ready when the cluster has been read.
    pub fn start(running: &Running, options: ClusterOptions) -> Self {
        let book = Arc::new(Mutex::new(Book::new(options.base.clone(), Arc::clone(&options.source))));
        let namespaces = Arc::new(Snapshot::new(Namespaces::default()));
        let admissions = running.admissions();
        let clock = Arc::clone(&admissions.clock);
        let kinds = Kinds { book: Arc::clone(&book), namespaces: Arc::clone(&namespaces), clock };
        // Set once: a server follows one cluster.
        let _ = admissions.kinds.set(kinds);
        let shared = Arc::new(Shared {
            options,
            admissions,
            certificate: running.certificate(),
            book,
            namespaces,
            touched: Notify::new(),
            reissue: Notify::new(),
            renewed: Notify::new(),
            rejudge: watch::Sender::new(0),
            routes: Mutex::default(),
            routed: watch::Sender::new(0),
            store: running.store(),
        });
        let ClusterOptions { client, namespace, identity, notify, .. } = &shared.options;
        let election = Election::new(client.clone(), namespace, LEASE, identity.clone());
        let (stands, standing) = watch::channel(Standing::default());
        let failed = {
            let (notify, last) = (Arc::clone(notify), Mutex::new(String::new()));
            let lease = format!("{namespace}/{LEASE}");
            move |error: &assay_kube::ApiError| {
                let why = error.to_string();
                let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                if *last != why {
                    last.clone_from(&why);
                    tracing::error!(why, "the Lease cannot be used");
                    let is_forbidden = matches!(error.status(), Some(401 | 403));
                    notify(Notice::NoLease { lease: lease.clone(), why, is_forbidden });
                }
            }
        };
        let election = tokio::spawn(election.run(stands, failed));
        let tasks = controller::start(&shared, &standing);
        Self { shared, tasks, election }
    }

    /// What is known of images may be different by now, such as with another vulnerability pack: what runs is judged again.
    pub fn facts_changed(&self) {
        self.shared.rejudge.send_modify(|count| *count += 1);
    }

    /// Stops following, and lets another replica lead at once.
    pub async fn stop(mut self) {
        self.tasks.shutdown().await;
        // Nobody listens any more: it gives the Lease back.
        let _ = tokio::time::timeout(RELEASE, &mut self.election).await;
    }

    /// The trust roots that stand in the cluster by now and can be read. What they name may be asked; what only somebody
    /// tried to write never is.
    pub fn trust_roots(&self) -> Vec<TrustRoot> {
        self.shared.book().roots().cloned().collect()
    }

    /// Trust roots have other material by now: these are those of [`Base::roots`], and those of the cluster are read again.
    pub fn renew_roots(&self, roots: Vec<(String, TrustMaterial)>) {
        self.shared.book().renew_roots(roots);
        self.shared.renewed.notify_one();
    }
}
