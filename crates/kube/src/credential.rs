//! The registry credentials that Pods pull with, by the Secrets and ServiceAccounts around them.
//!
//! Which registries a Secret opens is read (Kubernetes, "Pull an Image from a Private Registry"); the credential itself is
//! only compared with others, and never leaves this module.

use std::collections::{BTreeMap, BTreeSet};

use assay_case::{Node, PullSecret};
use assay_model::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use crate::object::Object;

/// Largest credential file that is read, in bytes: a Secret holds at most 1 MiB.
const CREDENTIAL_BYTES_MAX: usize = 1 << 20;

/// What is known of the credentials in a set of objects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PullCredentials {
    /// The registry credentials.
    pub secrets: Vec<PullSecret>,
    /// ServiceAccounts, `namespace/name`, all of whose credentials are among them.
    pub accounts: BTreeSet<String>,
}

/// Whether the objects of this group and kind say something about pull credentials.
pub(crate) fn concerns_credentials(group: &str, kind: &str) -> bool {
    group.is_empty() && matches!(kind, "Secret" | "ServiceAccount")
}

/// Reads the pull credentials of a set of objects. A Secret whose content cannot be read (encrypted, a placeholder that
/// something fills in later) is none that is known.
pub fn pull_credentials(objects: &[Object<'_>]) -> PullCredentials {
    let of_kind = |kind: &'static str| objects.iter().filter(move |own| own.group.is_empty() && own.kind == kind);
    let mut accounts: BTreeMap<(&str, &str), Vec<&str>> = BTreeMap::new();
    for account in of_kind("ServiceAccount") {
        let listed = account.node.get("imagePullSecrets").items().iter();
        let names = listed.filter_map(|secret| secret.get("name").as_str()).collect();
        accounts.insert((&account.namespace, account.name()), names);
    }
    let mut holders: BTreeMap<Digest, BTreeSet<&str>> = BTreeMap::new();
    let mut read = Vec::new();
    for secret in of_kind("Secret") {
        let Some((scopes, content)) = registries(&secret.node) else { continue };
        holders.entry(content).or_default().insert(&secret.namespace);
        read.push((secret, scopes, content));
    }
    let seen: BTreeSet<(&str, &str)> =
        read.iter().map(|(secret, ..)| (secret.namespace.as_str(), secret.name())).collect();
    let known =
        accounts.iter().filter(|((namespace, _), names)| names.iter().all(|name| seen.contains(&(*namespace, *name))));
    let known = known.map(|((namespace, name), _)| format!("{namespace}/{name}")).collect();
    let secrets = read.iter().map(|(secret, scopes, content)| {
        let carriers = accounts
            .iter()
            .filter(|((namespace, _), names)| *namespace == secret.namespace && names.contains(&secret.name()));
        PullSecret {
            namespace: secret.namespace.clone(),
            name: secret.name().to_owned(),
            scopes: scopes.clone(),
            service_accounts: carriers.map(|((_, name), _)| (*name).to_owned()).collect(),
            namespaces: holders.get(content).map_or(1, |holders| u32::try_from(holders.len()).unwrap_or(u32::MAX)),
        }
    });
    PullCredentials { secrets: secrets.collect(), accounts: known }
}

/// The registries that a Secret opens, and the digest of its credentials.
fn registries(secret: &Node<'_>) -> Option<(Vec<String>, Digest)> {
    // `kubernetes.io/dockercfg` holds what `auths` is in the newer form.
    [(".dockerconfigjson", Some("auths")), (".dockercfg", None)].into_iter().find_map(|(key, below)| {
        let bytes = match (secret.get("stringData").get(key).as_str(), secret.get("data").get(key).as_str()) {
            (Some(text), _) if text.len() <= CREDENTIAL_BYTES_MAX => text.as_bytes().to_vec(),
            (None, Some(text)) if text.len() <= CREDENTIAL_BYTES_MAX / 3 * 4 => {
                STANDARD.decode(text.split_ascii_whitespace().collect::<String>()).ok()?
            }
            _ => return None,
        };
        let mut config: Value = serde_json::from_slice(&bytes).ok()?;
        let auths = match below {
            Some(field) => config.get_mut(field)?.take(),
            None => config,
        };
        // In order, so that equal credentials have equal bytes.
        let auths: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_value(auths).ok()?;
        let content = Digest::of(&serde_json::to_vec(&auths).ok()?);
        Some((auths.into_keys().collect(), content))
    })
}

#[cfg(test)]
mod tests;
