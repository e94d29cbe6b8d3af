//! A TUF repository of our own (The Update Framework, specification 1.0): honest, or as hostile as a test wants it.
//!
//! Metadata is plain JSON that a test may change before it is signed ([`Repository::signed_mut`]) or after
//! ([`Repository::replace`]); every publication raises a version, and all versions stay where a mirror would have them.
//! [`Server`] puts it on 127.0.0.1, counts requests, and sends endless files on demand.
//!
//! ```
//! use assay_sandbox::tuf::Repository;
//!
//! let mut repository = Repository::new("2026-03-01T12:00:00Z".parse()?);
//! repository.add_target("targets", "trusted_root.json", b"{}");
//! repository.publish(&["targets", "snapshot", "timestamp"]);
//! assert_eq!(repository.version("snapshot"), 2);
//! assert!(repository.fetch("2.targets.json").is_some());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod canonical;
mod key;
mod server;

use std::collections::BTreeMap;

use assay_model::{Algorithm, Digest, Hasher, Timestamp};
use serde_json::{Map, Value, json};

use canonical::canonical;

pub use key::{Key, KeyType};
pub use server::Server;

/// The roles that every repository has.
const TOP_LEVEL: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];
/// For how long metadata is valid at first.
const LIFE: i64 = 30 * 86_400;

/// Who signs a role: see [`Repository::role`].
#[derive(Clone, Debug, Default)]
pub struct Role {
    /// The keys that sign the next publication, whether or not the metadata above names them.
    pub signers: Vec<Key>,
}

/// A repository with everything that was ever published in it.
#[derive(Debug)]
pub struct Repository {
    now: Timestamp,
    signed: BTreeMap<String, Value>,
    roles: BTreeMap<String, Role>,
    /// All publications of each role, oldest first.
    published: BTreeMap<String, Vec<(u64, Vec<u8>)>>,
    /// Bytes of targets by path.
    targets: BTreeMap<String, Vec<u8>>,
    /// Timestamp and snapshot name length and hash of what they pin, beside its version.
    pub pins_hashes: bool,
    /// The role whose metadata says a version higher by one than the address it is published at.
    pub says_next_version: Option<String>,
}

impl Repository {
    /// A repository in version 1, with one Ed25519 key for each role, valid for 30 days from `now`.
    pub fn new(now: Timestamp) -> Self {
        let mut repository = Self {
            now,
            signed: BTreeMap::new(),
            roles: BTreeMap::new(),
            published: BTreeMap::new(),
            targets: BTreeMap::new(),
            pins_hashes: false,
            says_next_version: None,
        };
        let expires = repository.after(LIFE);
        let head = |role: &str| json!({"_type": role, "spec_version": "1.0.31", "version": 1, "expires": expires});
        for role in TOP_LEVEL {
            let mut signed = head(role);
            match role {
                "root" => {
                    signed["consistent_snapshot"] = json!(true);
                    signed["keys"] = json!({});
                    signed["roles"] = json!({});
                }
                "targets" => signed["targets"] = json!({}),
                "snapshot" => signed["meta"] = json!({"targets.json": {"version": 1}}),
                _ => signed["meta"] = json!({"snapshot.json": {"version": 1}}),
            }
            repository.signed.insert(role.to_owned(), signed);
        }
        for role in TOP_LEVEL {
            repository.signed_mut("root")["roles"][role] = json!({"keyids": [], "threshold": 1});
            repository.add_key(role, Key::generate(KeyType::Ed25519));
        }
        repository.publish(&TOP_LEVEL);
        repository
    }

    /// The time it was made at.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// A time so many seconds after its making, as metadata writes it.
    pub fn after(&self, seconds: i64) -> String {
        let at = Timestamp::from_second(self.now.as_second().saturating_add(seconds)).unwrap_or(self.now);
        at.to_string()
    }

    /// The metadata of a role before it is signed.
    pub fn signed_mut(&mut self, role: &str) -> &mut Value {
        self.signed.entry(role.to_owned()).or_insert(Value::Null)
    }

    /// Who signs a role.
    pub fn role(&mut self, role: &str) -> &mut Role {
        self.roles.entry(role.to_owned()).or_default()
    }

    /// The version that was published last; 0 before the first.
    pub fn version(&self, role: &str) -> u64 {
        self.published.get(role).and_then(|all| all.last()).map_or(0, |(version, _)| *version)
    }

    /// Names a key for a top-level role in the root, and signs that role with it from now on.
    pub fn add_key(&mut self, role: &str, key: Key) {
        self.name_key(role, &key);
        self.role(role).signers.push(key);
    }

    /// Names a key for a top-level role without signing with it.
    pub fn name_key(&mut self, role: &str, key: &Key) {
        let root = self.signed_mut("root");
        root["keys"][key.id()] = key.public().clone();
        if let Some(identities) = root["roles"][role]["keyids"].as_array_mut() {
            identities.push(json!(key.id()));
        }
    }

    /// Takes all keys of a top-level role away.
    pub fn clear_keys(&mut self, role: &str) {
        self.signed_mut("root")["roles"][role]["keyids"] = json!([]);
        self.role(role).signers.clear();
    }

    /// Replaces the keys of a top-level role by as many new ones.
    pub fn rotate_keys(&mut self, role: &str) {
        let count = self.role(role).signers.len();
        self.clear_keys(role);
        for _ in 0..count {
            self.add_key(role, Key::generate(KeyType::Ed25519));
        }
    }

    /// How many keys must sign a top-level role.
    pub fn set_threshold(&mut self, role: &str, threshold: u64) {
        self.signed_mut("root")["roles"][role]["threshold"] = json!(threshold);
    }

    /// Delegates `paths` from a targets role to another, with one new key.
    pub fn delegate(&mut self, from: &str, to: &str, paths: &[&str], terminating: bool) {
        let key = Key::generate(KeyType::Ed25519);
        let delegator = self.signed_mut(from);
        if !delegator["delegations"].is_object() {
            delegator["delegations"] = json!({"keys": {}, "roles": []});
        }
        delegator["delegations"]["keys"][key.id()] = key.public().clone();
        if let Some(roles) = delegator["delegations"]["roles"].as_array_mut() {
            let keys = [key.id()];
            roles.push(json!({"name": to, "keyids": keys, "threshold": 1, "terminating": terminating, "paths": paths}));
        }
        self.role(to).signers.push(key);
        let expires = self.after(LIFE);
        self.signed.entry(to.to_owned()).or_insert_with(
            || json!({"_type": "targets", "spec_version": "1.0.31", "version": 1, "expires": expires, "targets": {}}),
        );
    }

    /// Lists a target in a role, with its SHA-256, and serves it.
    pub fn add_target(&mut self, role: &str, path: &str, bytes: &[u8]) {
        self.add_target_with(role, path, bytes, &["sha256"]);
    }

    /// The same with hashes of these algorithms: `sha256`, `sha512`; others get the SHA-512's digits.
    pub fn add_target_with(&mut self, role: &str, path: &str, bytes: &[u8], algorithms: &[&str]) {
        let hashes: Map<String, Value> =
            algorithms.iter().map(|name| ((*name).to_owned(), json!(hash(name, bytes)))).collect();
        self.signed_mut(role)["targets"][path] = json!({"length": bytes.len(), "hashes": hashes});
        self.serve_target(path, bytes);
    }

    /// Serves other bytes than the metadata lists.
    pub fn serve_target(&mut self, path: &str, bytes: &[u8]) {
        self.targets.insert(path.to_owned(), bytes.to_vec());
    }

    /// Signs these roles and puts them where clients look; what was published before gets the next version. A targets
    /// role's version goes into the snapshot, the snapshot's into the timestamp.
    pub fn publish(&mut self, roles: &[&str]) {
        for role in roles {
            self.publish_role(role);
        }
    }

    fn publish_role(&mut self, role: &str) {
        let again = self.published.get(role).is_some_and(|all| !all.is_empty());
        let signed = self.signed_mut(role);
        let before = signed["version"].as_u64().unwrap_or(0);
        let version = if again { before + 1 } else { before };
        signed["version"] = json!(version);
        let astray = self.says_next_version.as_deref() == Some(role);
        if astray {
            self.signed_mut(role)["version"] = json!(version + 1);
        }
        let bytes = self.sign(role);
        let pin = self.pin(version, &bytes);
        match role {
            "root" | "timestamp" => {}
            "snapshot" => self.signed_mut("timestamp")["meta"]["snapshot.json"] = pin,
            targets => {
                let file = format!("{targets}.json");
                self.signed_mut("snapshot")["meta"][file] = pin;
            }
        }
        self.published.entry(role.to_owned()).or_default().push((version, bytes));
    }

    /// Metadata of a role as it stands, signed by its signers.
    pub fn sign(&self, role: &str) -> Vec<u8> {
        let signed = self.signed.get(role).cloned().unwrap_or_default();
        let text = canonical(&signed);
        let signers = self.roles.get(role).map(|role| role.signers.as_slice()).unwrap_or_default();
        let signatures: Vec<Value> =
            signers.iter().map(|key| json!({"keyid": key.id(), "sig": key.sign(&text)})).collect();
        json!({"signed": signed, "signatures": signatures}).to_string().into_bytes()
    }

    fn pin(&self, version: u64, bytes: &[u8]) -> Value {
        if self.pins_hashes {
            json!({"version": version, "length": bytes.len(), "hashes": {"sha256": Digest::of(bytes).hex()}})
        } else {
            json!({"version": version})
        }
    }

    /// The bytes that were published last for a role.
    pub fn latest(&self, role: &str) -> Option<&[u8]> {
        self.published.get(role).and_then(|all| all.last()).map(|(_, bytes)| bytes.as_slice())
    }

    /// Puts other bytes in the place of what was published last.
    pub fn replace(&mut self, role: &str, bytes: Vec<u8>) {
        if let Some(last) = self.published.get_mut(role).and_then(|all| all.last_mut()) {
            last.1 = bytes;
        }
    }

    /// Changes what was published last as JSON, without signing it again.
    pub fn tamper(&mut self, role: &str, change: impl FnOnce(&mut Value)) {
        let Some(bytes) = self.latest(role) else { return };
        let mut document: Value = serde_json::from_slice(bytes).unwrap_or_default();
        change(&mut document);
        self.replace(role, document.to_string().into_bytes());
    }

    /// Forgets what was published of a role, so that it begins again: the next publication keeps the version it has.
    pub fn forget(&mut self, role: &str) {
        self.published.remove(role);
    }

    /// Forgets all but the newest publication of a role.
    pub fn forget_old(&mut self, role: &str) {
        if let Some(all) = self.published.get_mut(role) {
            all.drain(..all.len().saturating_sub(1));
        }
    }

    /// The first root: what a client begins with.
    pub fn first_root(&self) -> Vec<u8> {
        self.published.get("root").and_then(|all| all.first()).map(|(_, bytes)| bytes.clone()).unwrap_or_default()
    }

    /// The file of this name: `timestamp.json`, `2.root.json`, `targets/<hash>.name`.
    pub fn fetch(&self, file: &str) -> Option<Vec<u8>> {
        if let Some(path) = file.strip_prefix("targets/") {
            return self.target(path);
        }
        let name = file.strip_suffix(".json")?;
        if name == "timestamp" {
            return self.latest(name).map(<[u8]>::to_vec);
        }
        let (version, role) = name.split_once('.')?;
        let version: u64 = version.parse().ok()?;
        let all = self.published.get(role)?;
        all.iter().rev().find(|(published, _)| *published == version).map(|(_, bytes)| bytes.clone())
    }

    /// A target under its consistent name: the hash stands before the last part of the path.
    fn target(&self, path: &str) -> Option<Vec<u8>> {
        let (folder, file) = path.rsplit_once('/').map_or(("", path), |(folder, file)| (folder, file));
        let (_, name) = file.split_once('.')?;
        let plain = if folder.is_empty() { name.to_owned() } else { format!("{folder}/{name}") };
        self.targets.get(&plain).cloned()
    }
}

fn hash(algorithm: &str, bytes: &[u8]) -> String {
    let mut hasher = Hasher::new(if algorithm == "sha256" { Algorithm::Sha256 } else { Algorithm::Sha512 });
    hasher.update(bytes);
    hasher.finish().hex()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn publications_raise_versions_and_are_pinned_above() {
        let mut repository = Repository::new("2026-03-01T12:00:00Z".parse().unwrap());
        repository.pins_hashes = true;
        repository.delegate("targets", "team", &["team/*"], false);
        repository.publish(&["team", "targets", "snapshot", "timestamp"]);
        let read = |name: &str| -> Value { serde_json::from_slice(&repository.fetch(name).unwrap()).unwrap() };
        let snapshot = read("2.snapshot.json");
        assert_eq!(snapshot["signed"]["meta"]["team.json"]["version"], 1);
        assert_eq!(snapshot["signed"]["meta"]["targets.json"]["version"], 2);
        let pinned = &read("timestamp.json")["signed"]["meta"]["snapshot.json"];
        let bytes = repository.fetch("2.snapshot.json").unwrap();
        assert_eq!(pinned["hashes"]["sha256"], Digest::of(&bytes).hex());
        assert_eq!(pinned["length"], bytes.len());
        assert_eq!(repository.fetch("3.snapshot.json"), None);
        assert_eq!(repository.first_root(), repository.fetch("1.root.json").unwrap());
    }
}
