//! The private world of the lab: registries, a Sigstore instance, a store, a policy and an admission webhook, all on
//! 127.0.0.1 and all real. Only the clock is the lab's own, so that a day can pass between two steps.

mod admission;
mod advisories;
mod cluster;
mod facts;
mod image;
mod policy;
mod release;
mod signing;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use assay_gate::{ExceptionInput, Policy};
use assay_gather::{Access, Gatherer, Options};
use assay_model::Timestamp;
use assay_oci::{Client, ClientOptions, RetryOptions};
use assay_sandbox::sigstore::{Authority, Clock, Server as SigstoreServer};
use assay_sandbox::{Registry, RegistryOptions};
use assay_server::{Running, Server, ServerOptions};
use assay_sign::{HttpServices, LogVersions, SigningConfigFile};
use assay_store::Store;
use assay_trust::TrustMaterial;
use assay_vuln::Pack;

use super::error::LabError;
use crate::Result;

pub(crate) use admission::{Submission, container};
pub(crate) use advisories::{Advisories, SESSION_ADVISORY};
pub(crate) use cluster::{ENVIRONMENTS, UNLABELLED, namespace};
pub(crate) use facts::StageFacts;
pub(crate) use image::{Published, contents};
pub(crate) use policy::{APPROVER, Policies};
pub(crate) use release::Candidate;
pub(crate) use signing::{Build, generator, release_workflow, sbom_statement, scan_statement};

/// A registry of the lab answers at once or never: two tries tell a hiccup from an outage.
const RETRY: RetryOptions =
    RetryOptions { tries: 2, wait: Duration::from_millis(5), total: Duration::from_millis(500) };

/// The lab's world. Everything in it stops when it is dropped.
pub(crate) struct Stage {
    /// The time in the lab.
    pub(crate) clock: Clock,
    /// The company's registry: tags are immutable.
    pub(crate) registry: Registry,
    /// Plays Docker Hub, which the lab must not reach.
    pub(crate) public_registry: Registry,
    /// Issuer, certificate authority, logs and timestamps.
    pub(crate) authority: Authority,
    pub(crate) sigstore: SigstoreServer,
    /// Registry client.
    pub(crate) client: Client,
    pub(crate) store: Arc<Store>,
    pub(crate) facts: Arc<StageFacts>,
    pub(crate) policies: Policies,
    pub(crate) webhook: Running,
    policy: RwLock<Arc<Policy>>,
    services: HttpServices,
    material: TrustMaterial,
    http: reqwest::Client,
    folder: PathBuf,
    reviews: AtomicU64,
}

impl Stage {
    /// Starts everything. The clock shows `now`; files go below `folder`, which exists.
    pub(crate) async fn start(now: Timestamp, folder: &Path) -> Result<Self> {
        let options = RegistryOptions { immutable_tags: true, ..RegistryOptions::default() };
        let registry = Registry::start(options.clone()).await.map_err(LabError::start("the registry"))?;
        let public_registry = Registry::start(options).await.map_err(LabError::start("the public registry"))?;
        let authority = Authority::new(now);
        let clock = authority.clock().clone();
        let sigstore =
            SigstoreServer::start(authority.clone()).await.map_err(LabError::start("the Sigstore instance"))?;
        // As a signer in the field chooses: the newest log, and a timestamp since it states no time.
        let signing = SigningConfigFile::parse(&sigstore.signing_config_json())?;
        let services = HttpServices::new(signing.endpoints(now, LogVersions::Highest)?)?;
        let material = TrustMaterial::new().with_trusted_root(&authority.trusted_root_json())?;
        let store_folder = folder.join("store");
        std::fs::create_dir_all(&store_folder).map_err(crate::failure::CliError::unwritable(&store_folder))?;
        let store = Arc::new(Store::open(&store_folder.join("assay.db"))?);
        let client = Client::new(ClientOptions { retry: RETRY, ..ClientOptions::default() })?;
        let pack = Advisories::Published.pack(now)?;
        let known = pack.info().clone();
        let gatherer = gatherer(&clock, &material, &store, pack);
        let facts = StageFacts::new(Access::new(client.clone()), public_registry.host(), gatherer, known);
        let facts = Arc::new(facts);
        let policies = Policies::new(&registry.host(), &material)?;
        let policy = Arc::new(policies.compile(&[], &[])?);
        let mut options =
            ServerOptions::new(Arc::clone(&facts) as _, Arc::clone(&store), store_folder.join("decisions"))
                .with_policy(Arc::clone(&policy));
        options.namespaces = cluster::namespaces();
        let time = clock.clone();
        options.clock = Arc::new(move || time.now());
        let webhook = Server::start(options).await?;
        let http = admission::client(webhook.ca_certificate().unwrap_or_default())?;
        Ok(Self {
            clock,
            registry,
            public_registry,
            authority,
            sigstore,
            client,
            store,
            facts,
            policies,
            webhook,
            policy: RwLock::new(policy),
            services,
            material,
            http,
            folder: folder.to_owned(),
            reviews: AtomicU64::new(1),
        })
    }

    /// `127.0.0.1:PORT` of the company's registry.
    pub(crate) fn host(&self) -> String {
        self.registry.host()
    }

    /// Where the lab's files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A name for the next review: like the API server's, never used twice.
    fn next_uid(&self) -> String {
        format!("00000000-0000-4000-8000-{:012x}", self.reviews.fetch_add(1, Ordering::Relaxed))
    }

    /// What decides now.
    pub(crate) fn policy(&self) -> Arc<Policy> {
        Arc::clone(&self.policy.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Judges by the lab's Environments with these Exceptions and without these controls from now on.
    pub(crate) fn set_policy(&self, exceptions: &[ExceptionInput], off: &[&str]) -> Result<()> {
        let policy = Arc::new(self.policies.compile(exceptions, off)?);
        *self.policy.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&policy);
        self.webhook.set_policy(policy);
        Ok(())
    }

    /// Judges vulnerabilities by this state of the world's knowledge from now on.
    pub(crate) fn set_advisories(&self, advisories: Advisories) -> Result<()> {
        let pack = advisories.pack(self.clock.now())?;
        let known = pack.info().clone();
        self.facts.replace(gatherer(&self.clock, &self.material, &self.store, pack), known);
        Ok(())
    }
}

fn gatherer(clock: &Clock, material: &TrustMaterial, store: &Arc<Store>, pack: Pack) -> Gatherer {
    let clock = clock.clone();
    Gatherer::new(Options {
        pack: Some(Arc::new(pack)),
        materials: vec![material.clone()],
        store: Some(Arc::clone(store)),
        clock: Arc::new(move || clock.now()),
        ..Options::default()
    })
}
