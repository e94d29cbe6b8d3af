//! One key is one signer, under however many names it stands.
//!
//! Thresholds count key identities, and identities are whatever the metadata calls them: real repositories have some
//! that are no hash of the key. So that a key cannot be counted twice under two of them, a role may not name it twice.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::TufError;

#[derive(Deserialize)]
struct Envelope {
    signed: Signed,
}

/// What root and targets metadata say of keys; other roles have none.
#[derive(Deserialize)]
struct Signed {
    #[serde(default)]
    keys: BTreeMap<String, Key>,
    #[serde(default)]
    roles: BTreeMap<String, Role>,
    #[serde(default)]
    delegations: Option<Delegations>,
}

#[derive(Deserialize)]
struct Delegations {
    #[serde(default)]
    keys: BTreeMap<String, Key>,
    #[serde(default)]
    roles: Vec<Delegated>,
}

#[derive(Deserialize)]
struct Key {
    keyval: Value,
}

#[derive(Deserialize)]
struct Role {
    #[serde(default)]
    keyids: Vec<String>,
}

#[derive(Deserialize)]
struct Delegated {
    name: String,
    #[serde(default)]
    keyids: Vec<String>,
}

/// Refuses metadata in which one key stands under two identities for one role. What is no metadata is left to the
/// verifier, which says so.
pub(super) fn check(metadata: &[u8]) -> Result<(), TufError> {
    let Ok(Envelope { signed }) = serde_json::from_slice(metadata) else { return Ok(()) };
    for (name, role) in &signed.roles {
        distinct(name, &role.keyids, &signed.keys)?;
    }
    if let Some(delegations) = &signed.delegations {
        for role in &delegations.roles {
            distinct(&role.name, &role.keyids, &delegations.keys)?;
        }
    }
    Ok(())
}

fn distinct(role: &str, identities: &[String], keys: &BTreeMap<String, Key>) -> Result<(), TufError> {
    let mut seen: BTreeMap<String, &String> = BTreeMap::new();
    for identity in identities {
        let Some(public) = keys.get(identity).and_then(|key| key.keyval.get("public")).and_then(Value::as_str) else {
            continue;
        };
        // PEM text may be wrapped and ended in more than one way.
        let public: String = public.chars().filter(|c| !c.is_whitespace()).collect();
        if seen.insert(public, identity).is_some_and(|before| before != identity) {
            return Err(TufError::RepeatedKey { role: role.to_owned(), key: identity.clone() });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root(second: &str) -> Vec<u8> {
        serde_json::json!({"signed": {
            "keys": {
                "a": {"keyval": {"public": "-----BEGIN-----\nAB\nCD\n"}},
                "b": {"keyval": {"public": second}},
            },
            "roles": {"timestamp": {"keyids": ["a", "b"], "threshold": 2}},
        }})
        .to_string()
        .into_bytes()
    }

    #[test]
    fn one_key_under_two_identities_is_refused() {
        assert!(check(&root("other")).is_ok());
        for same in ["-----BEGIN-----\nAB\nCD\n", "-----BEGIN-----\nABCD"] {
            let refused = check(&root(same)).unwrap_err();
            assert!(matches!(refused, TufError::RepeatedKey { role, key } if role == "timestamp" && key == "b"));
        }
    }

    #[test]
    fn delegations_are_looked_at_too() {
        let targets = serde_json::json!({"signed": {"delegations": {
            "keys": {"a": {"keyval": {"public": "x"}}, "b": {"keyval": {"public": "x"}}},
            "roles": [{"name": "team", "keyids": ["a", "b"]}],
        }}});
        let refused = check(targets.to_string().as_bytes());
        assert!(matches!(refused, Err(TufError::RepeatedKey { role, .. }) if role == "team"));
    }

    #[test]
    fn what_is_no_metadata_is_left_to_the_verifier() {
        for other in ["", "{}", "[]", r#"{"signed":{"roles":{"a":{"keyids":["missing"]}}}}"#] {
            assert!(check(other.as_bytes()).is_ok());
        }
    }
}
