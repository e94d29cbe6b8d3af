//! The admission webhook: AdmissionReviews in over HTTPS, the Gate's verdict out, a record of each decision kept.
//!
//! It gathers nothing itself ([`FactSource`] does, [`GatheringFacts`] in production) and decides nothing itself (`assay_gate::decide` does). What it owns is
//! behaviour under pressure: bounded bodies, connections and requests in flight, a deadline from the API server's own,
//! prompt refusal instead of queueing, and certificates that change without a dropped connection. A request that cannot be
//! read, judged in time or recorded is never allowed. Inside a cluster, [`Cluster`] keeps it in step with the objects there.
//!
//! ```no_run
//! # use std::sync::Arc;
//! # async fn start(facts: Arc<dyn assay_server::FactSource>, policy: Arc<assay_gate::Policy>) -> Result<(), Box<dyn std::error::Error>> {
//! use assay_server::{Server, ServerOptions};
//! use assay_store::Store;
//!
//! let store = Arc::new(Store::open("assay.db".as_ref())?);
//! let running = Server::start(ServerOptions::new(facts, store, "decisions").with_policy(policy)).await?;
//! println!("listening on https://{}/validate", running.address());
//! running.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod admission;
mod admitted;
mod alerts;
pub mod audit;
mod certificate;
mod cluster;
mod facts;
mod gathering;
mod metrics;
mod namespaces;
mod options;
mod running;
mod server;

pub use admission::message::{denial, warnings};
pub use alerts::{AlertError, AlertTarget};
pub use certificate::{CertificateError, CertificateSource};
pub use cluster::{Base, Called, Cluster, ClusterOptions, MaterialSource, Notice};
pub use facts::{FactSource, GatheredFacts};
pub use gathering::{Credentials, GatheringFacts, PullSecrets, Puller};
pub use metrics::TrustRootStatus;
pub use namespaces::Namespaces;
pub use options::{Clock, KeepDecisions, Mutation, ServerOptions};
pub use running::running_pod;
pub use server::{Running, Server, ServerError};
