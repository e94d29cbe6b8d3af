//! What else is known: an immutable snapshot beside the facts of each image.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use assay_model::{Digest, EnvironmentName, FindingCounts, Repository, Timestamp};
use serde::{Deserialize, Serialize};

use crate::Known;

/// An entry of the promotion ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Promotion {
    /// Position in the ledger, counted from 1.
    pub number: u64,
    /// ReleaseArtifact name.
    pub release: String,
    /// The service it belongs to.
    pub service: String,
    /// What was promoted.
    pub digest: Digest,
    /// Where it was promoted from.
    pub repository: Repository,
    /// Where to.
    pub environment: EnvironmentName,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: String,
    /// Set when the digest was withdrawn from this environment: refused from then on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retired: Option<String>,
    /// What was known of its risk at that moment.
    #[serde(default)]
    pub counts: FindingCounts,
    /// Who approved it; none = nobody whose signature holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<PromotionApproval>,
}

/// That somebody approved a promotion. It is made of a signature that was verified, and of nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionApproval {
    /// Who: the name of a key in a trust root, or the subject of a certificate.
    pub by: String,
    /// SHA-256 of the bundle that says so.
    pub bundle: Digest,
}

/// The promotion ledger, by what controls ask for: every image of every request asks, and a ledger only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Promotion>", into = "Vec<Promotion>")]
pub struct Promotions {
    /// By digest, then by number. Shared: a World is made for many requests.
    entries: Arc<[Promotion]>,
    /// The newest number of each service, by environment.
    newest: Arc<BTreeMap<EnvironmentName, BTreeMap<String, u64>>>,
}

impl Promotions {
    /// What is in the ledger about a digest, oldest first.
    pub fn of(&self, digest: Digest) -> &[Promotion] {
        let begin = self.entries.partition_point(|entry| entry.digest < digest);
        let rest = self.entries.get(begin..).unwrap_or_default();
        rest.get(..rest.partition_point(|entry| entry.digest == digest)).unwrap_or_default()
    }

    /// Whether both are the very same ledger, read at the same time. False says nothing.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.entries, &other.entries) && Arc::ptr_eq(&self.newest, &other.newest)
    }

    /// The newest promotion of a service to an environment, by its number.
    pub fn newest(&self, environment: &EnvironmentName, service: &str) -> Option<u64> {
        self.newest.get(environment)?.get(service).copied()
    }
}

impl From<Vec<Promotion>> for Promotions {
    fn from(mut entries: Vec<Promotion>) -> Self {
        entries.sort_by_key(|entry| (entry.digest, entry.number));
        let mut newest = BTreeMap::<EnvironmentName, BTreeMap<String, u64>>::new();
        for Promotion { environment, service, number, .. } in &entries {
            let newest = newest.entry(environment.clone()).or_default().entry(service.clone()).or_default();
            *newest = (*newest).max(*number);
        }
        Self { entries: entries.into(), newest: Arc::new(newest) }
    }
}

impl From<Promotions> for Vec<Promotion> {
    fn from(promotions: Promotions) -> Self {
        let mut entries = promotions.entries.to_vec();
        entries.sort_by_key(|entry| entry.number);
        entries
    }
}

/// Whether a workload can be reached from outside the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exposure {
    /// A LoadBalancer or NodePort Service, an Ingress or a Gateway route selects it, or a label says so.
    InternetFacing,
    /// What was looked at reaches it from within the cluster only.
    Internal,
}

/// A registry credential that Pods use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PullSecret {
    /// Namespace it lives in.
    pub namespace: String,
    /// Secret name.
    pub name: String,
    /// The registries or repository paths it holds static credentials for.
    pub scopes: Vec<String>,
    /// ServiceAccounts of the namespace that carry it.
    pub service_accounts: Vec<String>,
    /// Number of namespaces that hold the very same credential, this one included.
    pub namespaces: u32,
}

/// That a digest was admitted before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PriorAdmission {
    /// What was admitted.
    pub digest: Digest,
    /// Where.
    pub namespace: String,
    /// The workload, `Kind/name`.
    pub workload: String,
    /// The decision record.
    pub decision: String,
    /// When.
    pub at: Timestamp,
}

/// What else is known. Controls that need a part which is unknown answer `error`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct World {
    /// The promotion ledger.
    pub promotions: Known<Promotions>,
    /// The promotion that is being judged, where one is: what the ledger would hold of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed: Option<Box<Promotion>>,
    /// Exposure by `namespace/Kind/name`. A workload that is not listed is exposed for all anyone knows.
    #[serde(default)]
    pub exposure: BTreeMap<String, Exposure>,
    /// Registry credentials in the namespaces concerned.
    pub pull_secrets: Known<Vec<PullSecret>>,
    /// The ServiceAccounts, `namespace/name`, all of whose credentials are among `pull_secrets`; none = every one is.
    /// Given where a set of manifests is looked at instead of a cluster: a Secret that is not in it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pull_accounts: Option<BTreeSet<String>>,
    /// Earlier admissions of the digests concerned.
    #[serde(default)]
    pub admissions: Vec<PriorAdmission>,
}

impl World {
    /// A World of which nothing is known: files checked without a store or cluster.
    pub fn unknown() -> Self {
        Self {
            promotions: Known::unknown("no-ledger", "there is no promotion ledger here"),
            proposed: None,
            exposure: BTreeMap::new(),
            pull_secrets: Known::unknown("no-cluster", "Secrets and ServiceAccounts are not known outside the cluster"),
            pull_accounts: None,
            admissions: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promotions_are_found_by_digest_and_written_in_the_ledgers_order() {
        let promotion = |number, image: &[u8]| Promotion {
            number,
            release: "api-1".into(),
            service: "api".into(),
            digest: Digest::of(image),
            repository: "registry.example.com/api".parse().unwrap(),
            environment: "prod".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            by: "ada".into(),
            retired: None,
            counts: FindingCounts::default(),
            approval: None,
        };
        let written = vec![promotion(1, b"b"), promotion(2, b"a"), promotion(3, b"b"), promotion(4, b"c")];
        let promotions = Promotions::from(written.clone());
        let numbers = |image: &[u8]| {
            promotions.of(Digest::of(image)).iter().map(|promotion| promotion.number).collect::<Vec<_>>()
        };
        assert_eq!(numbers(b"b"), [1, 3]);
        assert_eq!(numbers(b"a"), [2]);
        assert!(numbers(b"none").is_empty());
        assert!(Promotions::default().of(Digest::of(b"b")).is_empty());
        let prod = "prod".parse().unwrap();
        assert_eq!((promotions.newest(&prod, "api"), promotions.newest(&prod, "other")), (Some(4), None));
        assert_eq!(promotions.newest(&"dev".parse().unwrap(), "api"), None);
        assert_eq!(Vec::from(promotions), written);
    }
}
