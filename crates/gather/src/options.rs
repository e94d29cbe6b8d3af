//! What to gather, with what.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use assay_case::FactNeeds;
use assay_inspect::Limits;
use assay_model::{Digest, Platform, Repository, Timestamp};
use assay_oci::{Client, OciError};
use assay_store::Store;
use assay_trust::TrustMaterial;
use assay_vuln::Pack;

use crate::revocation::RevocationFetcher;

/// Tells the time: the system's, or a test's.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What a [`Gatherer`](crate::Gatherer) works with. The default knows no pack, trusts nobody and keeps nothing but a
/// bounded memory.
#[derive(Clone)]
pub struct Options {
    /// Vulnerability data; without it findings are unknown.
    pub pack: Option<Arc<Pack>>,
    /// Against what bundles are verified: each by itself, so that evidence names the one trust root that it holds by.
    pub materials: Vec<TrustMaterial>,
    /// Who asks certificate authorities about revocation; without it nobody does, and a trust policy that enforces
    /// revocation refuses certificates that say whom to ask.
    pub revocation: Option<Arc<RevocationFetcher>>,
    /// Where results outlive the process.
    pub store: Option<Arc<Store>>,
    /// The bounds of inspection.
    pub limits: Limits,
    /// The clock.
    pub clock: Clock,
    /// How long a verified set of evidence is used before the registry is asked for its referrers again.
    pub evidence_age: Duration,
    /// How long such a set answers at once where nothing may be waited for ([`Gatherer::remembered`](crate::Gatherer::remembered)):
    /// whoever would refuse because of it asks again first.
    pub lasting_age: Duration,
    /// The same as `evidence_age` for a set without any. Short, since somebody may just be signing; and not nothing, so that a rollout of an
    /// unsigned image asks once and not for each Pod. A registry that failed is asked each time.
    pub nothing_age: Duration,
    /// Referrers of one digest that are read, newest first; more make the set truncated.
    pub referrers: usize,
    /// Images that are fetched at the same time.
    pub flights: usize,
    /// Images of which results stay in memory.
    pub remembered: usize,
    /// Whether layers with a table of contents (eStargz, zstd:chunked) are read by it: only what says something of packages
    /// is fetched, the contents are partial and say so, and nothing of it is kept. Not for whoever decides.
    pub by_table: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pack: None,
            materials: Vec::new(),
            revocation: None,
            store: None,
            limits: Limits::default(),
            clock: Arc::new(Timestamp::now),
            evidence_age: Duration::from_mins(1),
            lasting_age: Duration::from_mins(15),
            nothing_age: Duration::from_secs(3),
            referrers: 64,
            flights: 16,
            remembered: 1024,
            by_table: false,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("pack", &self.pack)
            .field("materials", &self.materials.len())
            .field("evidence_age", &self.evidence_age)
            .finish_non_exhaustive()
    }
}

/// A registry client and the name of the credentials behind it. Nothing that was read through one scope is handed to
/// another that has not read the image itself (CVE-2024-39897).
#[derive(Clone, Debug)]
pub struct Access {
    pub(crate) client: Client,
    pub(crate) scope: Arc<str>,
}

impl Access {
    /// The credentials of this process.
    pub fn new(client: Client) -> Self {
        Self { client, scope: "".into() }
    }

    /// Credentials of somebody else, for example a namespace's; equal names must mean equal credentials.
    pub fn scoped(client: Client, scope: &str) -> Self {
        Self { client, scope: scope.into() }
    }

    /// The same registries by one pull Secret of a cluster and no other credential: its name for messages, its `type` and
    /// its value. Equal Secrets are one scope, wherever they lie.
    pub fn by_pull_secret(&self, secret: &str, kind: &str, value: &[u8]) -> Result<Self, OciError> {
        let client = self.client.with_pull_secret(secret, kind, value)?;
        Ok(Self { client, scope: format!("{kind} {}", Digest::of(value)).into() })
    }

    /// Whether credentials for `repository` were handed to it, by themselves or in a pull Secret.
    pub fn is_given(&self, repository: &Repository) -> bool {
        self.client.is_given(repository)
    }

    /// Whether both read with the same credentials.
    pub fn is_same_scope(&self, other: &Self) -> bool {
        self.scope == other.scope
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }
}

/// Which facts are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Platforms to choose of an index; empty = linux/amd64, or the only one there is.
    pub platforms: Vec<Platform>,
    /// Packages and secrets, and their findings.
    pub contents: bool,
    /// Signatures and attestations.
    pub evidence: bool,
    /// With `evidence`: the attestations and SBOMs, too, that stand under tags of their own.
    pub attestation_tags: bool,
    /// Longest wait. What is not there by then is unknown; the fetch itself goes on for the next one who asks.
    pub deadline: Option<Duration>,
}

impl Wanted {
    /// No more than is needed.
    #[must_use]
    pub fn only(&self, needs: FactNeeds) -> Self {
        Self {
            contents: self.contents && needs.contents,
            evidence: self.evidence && needs.evidence,
            attestation_tags: self.attestation_tags && needs.attestation_tags,
            ..self.clone()
        }
    }
}

impl Default for Wanted {
    /// Everything, of one platform, however long it takes.
    fn default() -> Self {
        Self { platforms: Vec::new(), contents: true, evidence: true, attestation_tags: true, deadline: None }
    }
}
