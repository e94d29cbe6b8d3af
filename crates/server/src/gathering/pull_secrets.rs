//! The pull Secrets of a cluster, read one by one when somebody pulls with them (Kubernetes, "Pull an Image from a Private
//! Registry").
//!
//! Only in the namespaces that were named: nobody's Secrets are read by default. A Secret is asked for by its name and never
//! listed; what is kept of it opens registries and prints as nothing. It is asked for again after a minute, and at once
//! where a registry did not accept it.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use assay_gather::Access;
use assay_kube::{ApiError, Client, SECRETS, SERVICE_ACCOUNTS};
use assay_model::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::Puller;

/// How long an answer of the API server is used.
const FRESH: Duration = Duration::from_mins(1);
/// Secrets of one Pod that are looked at; the kubelet knows no such limit, and nobody needs more.
const SECRETS_MAX: usize = 16;
/// Secrets, and ServiceAccounts, that are kept.
const KEPT_MAX: usize = 4_096;

/// What a puller pulls with.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    /// Access by each of its Secrets that could be read, in the order in which the kubelet tries them, with the Secret's name.
    pub accesses: Vec<(String, Access)>,
    /// What is wrong with the others, a sentence each.
    pub problems: Vec<String>,
}

/// Reads the pull Secrets of some namespaces.
#[derive(Debug)]
pub struct PullSecrets {
    client: Client,
    base: Access,
    namespaces: BTreeSet<String>,
    secrets: Kept<Result<Held, String>>,
    accounts: Kept<Result<Vec<String>, String>>,
}

/// A Secret that was read.
#[derive(Clone, Debug)]
struct Held {
    access: Access,
    content: Digest,
}

/// By namespace and name: what was read, and when.
#[derive(Debug)]
struct Kept<T>(Mutex<HashMap<(String, String), (T, Instant)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Kept<T> {
    fn fresh(&self, namespace: &str, name: &str) -> Option<T> {
        self.last(namespace, name).filter(|(_, at)| at.elapsed() < FRESH).map(|(value, _)| value)
    }

    /// What was read last, however long ago.
    fn last(&self, namespace: &str, name: &str) -> Option<(T, Instant)> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(&(namespace.to_owned(), name.to_owned())).cloned()
    }

    fn put(&self, namespace: &str, name: &str, value: T) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bound(&mut kept);
        kept.insert((namespace.to_owned(), name.to_owned()), (value, Instant::now()));
    }

    fn forget(&self, namespace: &str, name: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&(namespace.to_owned(), name.to_owned()));
    }
}

/// Makes room: what is fresh stays, and if that is too much, nothing does.
fn bound<K: Eq + Hash, T>(kept: &mut HashMap<K, (T, Instant)>) {
    if kept.len() >= KEPT_MAX {
        kept.retain(|_, (_, at)| at.elapsed() < FRESH);
    }
    if kept.len() >= KEPT_MAX {
        kept.clear();
    }
}

impl PullSecrets {
    /// Reads those of `namespaces` through `client`; `base` says how registries are reached.
    pub fn new(client: Client, base: Access, namespaces: impl IntoIterator<Item = String>) -> Self {
        let namespaces = namespaces.into_iter().collect();
        Self { client, base, namespaces, secrets: Kept::default(), accounts: Kept::default() }
    }

    /// Whether the Secrets of this namespace may be read.
    pub fn serves(&self, namespace: &str) -> bool {
        self.namespaces.contains(namespace)
    }

    /// What a puller pulls with, as far as that is known without asking; `None` where somebody has to be asked.
    pub(super) fn known(&self, puller: &Puller<'_>) -> Option<Vec<Access>> {
        let namespace = &*puller.namespace;
        let listed;
        let names: Vec<&str> = if puller.secrets.is_empty() {
            listed = self.accounts.fresh(namespace, &puller.service_account)?.unwrap_or_default();
            listed.iter().map(String::as_str).collect()
        } else {
            puller.secrets.iter().map(AsRef::as_ref).collect()
        };
        let mut accesses = Vec::with_capacity(names.len());
        for name in names.into_iter().take(SECRETS_MAX) {
            accesses.extend(self.secrets.fresh(namespace, name)?.ok().map(|held| held.access));
        }
        Some(accesses)
    }

    /// What a puller pulls with. A Pod's own list counts, else that of its ServiceAccount, as the API server fills it in
    /// (Kubernetes, "Configure Service Accounts for Pods").
    pub async fn read(&self, puller: &Puller<'_>) -> Credentials {
        let (namespace, mut credentials) = (&*puller.namespace, Credentials::default());
        let names = if puller.secrets.is_empty() {
            match self.account(namespace, &puller.service_account).await {
                Ok(names) => names,
                Err(problem) => {
                    credentials.problems.push(problem);
                    Vec::new()
                }
            }
        } else {
            puller.secrets.iter().map(|name| name.clone().into_owned()).collect()
        };
        for name in names.into_iter().take(SECRETS_MAX) {
            match self.secret(namespace, &name).await {
                Ok(held) => credentials.accesses.push((name, held.access)),
                Err(problem) => credentials.problems.push(problem),
            }
        }
        credentials
    }

    /// A registry did not accept what was read: it is read again the next time.
    pub(super) fn forget(&self, puller: &Puller<'_>, access: &Access) {
        let namespace = &*puller.namespace;
        self.accounts.forget(namespace, &puller.service_account);
        let mut kept = self.secrets.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(own, _), (held, _)| {
            own != namespace || !held.as_ref().is_ok_and(|held| held.access.is_same_scope(access))
        });
    }

    async fn account(&self, namespace: &str, name: &str) -> Result<Vec<String>, String> {
        if let Some(known) = self.accounts.fresh(namespace, name) {
            return known;
        }
        let names = match self.client.get(SERVICE_ACCOUNTS, Some(namespace), name).await {
            Ok(account) => {
                let listed = account.0["imagePullSecrets"].as_array().into_iter().flatten();
                Ok(listed.filter_map(|secret| secret["name"].as_str().map(str::to_owned)).collect())
            }
            Err(error) => match self.accounts.last(namespace, name) {
                Some((known @ Ok(_), _)) if !error.is_not_found() => known,
                _ => Err(unread("ServiceAccount", namespace, name, &error)),
            },
        };
        self.accounts.put(namespace, name, names.clone());
        names
    }

    async fn secret(&self, namespace: &str, name: &str) -> Result<Held, String> {
        if let Some(known) = self.secrets.fresh(namespace, name) {
            return known;
        }
        let last = self.secrets.last(namespace, name);
        let held = match self.client.get(SECRETS, Some(namespace), name).await {
            Ok(secret) => self.open(namespace, name, &secret.0, last.and_then(|(known, _)| known.ok())),
            // What was read before is better than nothing, but for what is gone.
            Err(error) => match last {
                Some((known @ Ok(_), _)) if !error.is_not_found() => known,
                _ => Err(unread("Secret", namespace, name, &error)),
            },
        };
        if let Err(problem) = &held {
            tracing::warn!(problem, "a pull Secret is not used");
        }
        self.secrets.put(namespace, name, held.clone());
        held
    }

    /// What a Secret opens. One that says what it said before keeps the tokens that it has got.
    fn open(
        &self,
        namespace: &str,
        name: &str,
        secret: &serde_json::Value,
        last: Option<Held>,
    ) -> Result<Held, String> {
        let full = format!("{namespace}/{name}");
        let kind = secret["type"].as_str().unwrap_or_default();
        let key = if kind == "kubernetes.io/dockercfg" { ".dockercfg" } else { ".dockerconfigjson" };
        let bytes = secret["data"][key].as_str().and_then(|text| STANDARD.decode(text).ok());
        let Some(bytes) = bytes else { return Err(format!("Secret {full} holds no {key}")) };
        let content = Digest::of(&bytes);
        if let Some(held) = last.filter(|held| held.content == content) {
            return Ok(held);
        }
        let access = self.base.by_pull_secret(&full, kind, &bytes).map_err(|error| error.to_string())?;
        Ok(Held { access, content })
    }
}

/// Why something could not be read, without anything that stands in it.
fn unread(kind: &str, namespace: &str, name: &str, error: &ApiError) -> String {
    if error.is_not_found() {
        return format!("{kind} {namespace}/{name} does not exist");
    }
    format!("{kind} {namespace}/{name} cannot be read: {error}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_bounded() {
        let kept: Kept<u32> = Kept::default();
        for number in 0..3 * KEPT_MAX {
            kept.put("shop", &number.to_string(), 0);
            assert!(kept.0.lock().unwrap().len() <= KEPT_MAX);
        }
        assert_eq!(kept.fresh("shop", &(3 * KEPT_MAX - 1).to_string()), Some(0));
        kept.forget("shop", &(3 * KEPT_MAX - 1).to_string());
        assert_eq!(kept.fresh("shop", &(3 * KEPT_MAX - 1).to_string()), None);
    }
}
