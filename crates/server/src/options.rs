//! What a server is started with.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use assay_gate::Policy;
use assay_model::Timestamp;
use assay_store::Store;

use crate::{AlertTarget, CertificateSource, FactSource, Namespaces};

/// Where the time comes from.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// Requests judged at once. One needs about 100 kB while its facts are gathered.
const IN_FLIGHT: usize = 256;

/// How long decisions are kept. The default is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeepDecisions {
    /// Longest age.
    pub age: Option<Duration>,
    /// Most bytes that they take in the store, packed.
    pub bytes: Option<u64>,
}

/// Whose tags are written as digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mutation {
    /// Nobody's.
    #[default]
    Nothing,
    /// Those of new Pods.
    Pods,
    /// Those of templates, too, that no controller made: then what is stored says what runs, and a tag that moves brings no
    /// second image into a workload that is scaled.
    Templates,
}

/// What a server is started with.
#[derive(Clone)]
pub struct ServerOptions {
    /// Where to listen. Port 0 takes a free one.
    pub address: SocketAddr,
    /// The certificate to present.
    pub certificate: CertificateSource,
    /// What decides. Without one the server runs, is not ready, and refuses.
    pub policy: Option<Arc<Policy>>,
    /// Where facts come from.
    pub facts: Arc<dyn FactSource>,
    /// Where decisions go, and where the promotion ledger is.
    pub store: Arc<Store>,
    /// Directory of the decision segments: on the same disk as the store, not on a network.
    pub decision_directory: PathBuf,
    /// How long decisions are kept; looked at every hour.
    pub retention: KeepDecisions,
    /// Where alerts are delivered to; without one they wait in the store.
    pub alerts: Option<AlertTarget>,
    /// Labels of the namespaces.
    pub namespaces: Namespaces,
    /// Whether `/mutate` is served, and whose tags it pins.
    pub mutate: Mutation,
    /// How many requests are judged at once; beyond that they are refused at once.
    pub in_flight: usize,
    /// Where the time comes from.
    pub clock: Clock,
}

impl ServerOptions {
    /// Options with a development certificate, on a free loopback port, without a policy.
    pub fn new(facts: Arc<dyn FactSource>, store: Arc<Store>, decision_directory: impl Into<PathBuf>) -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            certificate: CertificateSource::Development { names: vec!["localhost".into(), "127.0.0.1".into()] },
            policy: None,
            facts,
            store,
            decision_directory: decision_directory.into(),
            retention: KeepDecisions::default(),
            alerts: None,
            namespaces: Namespaces::default(),
            mutate: Mutation::Nothing,
            in_flight: IN_FLIGHT,
            clock: Arc::new(Timestamp::now),
        }
    }

    /// The same with a policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Arc<Policy>) -> Self {
        self.policy = Some(policy);
        self
    }
}

impl std::fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerOptions")
            .field("address", &self.address)
            .field("certificate", &self.certificate)
            .field("decision_directory", &self.decision_directory)
            .field("mutate", &self.mutate)
            .field("in_flight", &self.in_flight)
            .finish_non_exhaustive()
    }
}
