//! Trusted roots of whole instances: refreshed, kept, and believed again only after verification.

use std::path::{Path, PathBuf};

use assay_model::{Explain as _, Timestamp};
use assay_sandbox::sigstore::Authority;
use assay_sandbox::tuf::{Repository, Server};
use assay_sign::{TufClient, TufError, TufInstance, TufOptions};
use assay_trust::TrustMaterial;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};

use super::{Client, DAY, now, refused, repository, said};

const ALL: [&str; 3] = ["targets", "snapshot", "timestamp"];

/// The repository of a sandbox instance.
fn of(authority: &Authority) -> Repository {
    let mut repository = repository();
    repository.add_target("targets", "trusted_root.json", &authority.trusted_root_json());
    repository.publish(&ALL);
    repository
}

#[tokio::test]
async fn a_refresh_gives_the_trusted_root_and_what_vouches_for_it() {
    let authority = Authority::new(now());
    let mut repository = of(&authority);
    repository.add_target("targets", "signing_config.v0.2.json", b"{}");
    repository.publish(&ALL);
    let client = Client::new(repository).await;
    let roots = client.tuf.refresh(now()).await.unwrap();
    assert_eq!(roots.trusted_root, authority.trusted_root_json());
    assert_eq!(roots.signing_config.as_deref(), Some(&b"{}"[..]));
    let versions = roots.versions;
    assert_eq!([versions.root, versions.timestamp, versions.snapshot, versions.targets], [1, 3, 3, 3]);
    assert_eq!(roots.expires.as_second(), now().as_second() + 30 * DAY);
    TrustMaterial::new().with_trusted_root(&roots.trusted_root).unwrap();
    // The same comes back without the mirror, long after everything has expired.
    let Client { server, tuf, .. } = client;
    drop(server);
    assert_eq!(tuf.last_good().await.unwrap(), Some(roots));
}

#[tokio::test]
async fn an_instance_without_signing_configuration_has_none() {
    let client = Client::new(of(&Authority::new(now()))).await;
    assert_eq!(client.tuf.last_good().await.unwrap(), None, "nothing was refreshed yet");
    assert_eq!(client.tuf.refresh(now()).await.unwrap().signing_config, None);
}

#[tokio::test]
async fn what_is_no_trusted_root_does_not_replace_one() {
    let authority = Authority::new(now());
    let client = Client::new(of(&authority)).await;
    let good = client.tuf.refresh(now()).await.unwrap();
    for bad in [&b"{}"[..], b"", b"no root"] {
        client.with(|repository| {
            repository.add_target("targets", "trusted_root.json", bad);
            repository.publish(&ALL);
        });
        refused!(client.tuf.refresh(now()).await, TufError::Root { .. });
        assert_eq!(client.tuf.last_good().await.unwrap().as_ref(), Some(&good));
    }
    client.with(|repository| {
        repository.signed_mut("targets")["targets"].as_object_mut().unwrap().remove("trusted_root.json");
        repository.publish(&ALL);
    });
    refused!(client.tuf.refresh(now()).await, TufError::NoTarget { name } if name == "trusted_root.json");
    assert_eq!(client.tuf.last_good().await.unwrap(), Some(good));
}

#[tokio::test]
async fn a_refresh_that_fails_half_way_leaves_the_last_good_root_whole() {
    let authority = Authority::new(now());
    let client = Client::new(of(&authority)).await;
    let good = client.tuf.refresh(now()).await.unwrap();
    client.with(|repository| {
        repository.publish(&["targets", "snapshot", "timestamp"]);
        repository.replace("targets", b"{}".to_vec());
    });
    refused!(client.tuf.refresh(now()).await, TufError::Malformed { .. });
    // Timestamp and snapshot went on, as the protocol wants; the last good files still fit each other.
    assert_eq!(client.versions(), [Some(1), Some(3), Some(3), Some(2)]);
    assert_eq!(client.tuf.last_good().await.unwrap(), Some(good));
}

#[tokio::test]
async fn the_last_good_root_is_verified_again_when_it_is_read() {
    let client = Client::new(of(&Authority::new(now()))).await;
    client.tuf.refresh(now()).await.unwrap();
    let path = client.folder.path().join("last-good.json");
    let genuine = std::fs::read_to_string(&path).unwrap();
    let document: serde_json::Value = serde_json::from_str(&genuine).unwrap();
    let names: Vec<String> = document["files"].as_object().unwrap().keys().cloned().collect();
    // Every file that decides is verified: another byte anywhere in it, and nothing is believed.
    for name in ["timestamp.json", "snapshot.json", "targets.json", "targets/trusted_root.json"] {
        assert!(names.iter().any(|known| known == name), "{names:?}");
        let mut changed = document.clone();
        changed["files"][name] = serde_json::json!("e30=");
        std::fs::write(&path, changed.to_string()).unwrap();
        let error = client.tuf.last_good().await.unwrap_err();
        assert!(error.code().starts_with("tuf-"), "{name}: {error}");
        changed["files"].as_object_mut().unwrap().remove(name);
        std::fs::write(&path, changed.to_string()).unwrap();
        assert!(client.tuf.last_good().await.is_err(), "{name}");
    }
    // A whole repository of somebody else is none of this instance.
    let other = Client::new(of(&Authority::new(now()))).await;
    other.tuf.refresh(now()).await.unwrap();
    std::fs::copy(other.folder.path().join("last-good.json"), &path).unwrap();
    refused!(client.tuf.last_good().await, TufError::Threshold { found: 0, .. });
    std::fs::write(&path, genuine).unwrap();
    assert!(client.tuf.last_good().await.unwrap().is_some());
}

#[tokio::test]
async fn keys_may_change_between_two_refreshes_and_the_last_good_root_follows() {
    let authority = Authority::new(now());
    let client = Client::new(of(&authority)).await;
    client.tuf.refresh(now()).await.unwrap();
    for _ in 0..3 {
        client.with(|repository| {
            let old = repository.role("root").signers.clone();
            for role in ["root", "targets", "snapshot", "timestamp"] {
                repository.rotate_keys(role);
            }
            // The old keys vouch for the new ones.
            repository.role("root").signers.extend(old);
            repository.publish(&["root"]);
            repository.role("root").signers.truncate(1);
            repository.publish(&ALL);
        });
        let roots = client.tuf.refresh(now()).await.unwrap();
        assert_eq!(client.tuf.last_good().await.unwrap(), Some(roots));
    }
    assert_eq!(client.version("root"), Some(4));
}

#[test]
fn addresses_that_cannot_be_used_are_refused_before_anything_is_asked() {
    let folder = tempfile::tempdir().unwrap();
    for address in ["http://tuf.example", "ftp://tuf.example", "tuf.example", ""] {
        let instance = TufInstance::public_good().with_mirror(address);
        let refused = TufClient::new(instance, folder.path().to_owned(), &TufOptions::default());
        refused!(refused, TufError::Address { .. });
    }
}

/// The corpus of sigstore/root-signing, or nothing.
fn corpus() -> Option<PathBuf> {
    let folder = std::env::var_os("ASSAY_CORPUS")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance"), PathBuf::from);
    let folder = folder.join("sigstore-root");
    if folder.is_dir() {
        return Some(folder);
    }
    said!("skipped: corpus sigstore-root not present");
    None
}

/// Serves the repository of the public-good instance as it was published.
async fn public_good(State(folder): State<PathBuf>, uri: Uri) -> Response {
    let name = uri.path().trim_start_matches('/');
    let (_, plain) = name.split_once('.').unwrap_or_default();
    let path = if name.ends_with(".root.json") {
        folder.join("metadata/root_history").join(name)
    } else if name == "timestamp.json" {
        folder.join("metadata").join(name)
    } else if let Some(target) = name.strip_prefix("targets/") {
        // The hash stands before the last part of the path.
        let (parent, file) = target.rsplit_once('/').unwrap_or(("", target));
        folder.join("targets").join(parent).join(file.split_once('.').unwrap_or_default().1)
    } else {
        folder.join("metadata").join(plain)
    };
    std::fs::read(path)
        .map_or_else(|_| StatusCode::NOT_FOUND.into_response(), axum::response::IntoResponse::into_response)
}

fn root(folder: &Path, version: u64) -> Vec<u8> {
    std::fs::read(folder.join(format!("metadata/root_history/{version}.root.json"))).unwrap()
}

/// How many of the root's keys in `by` signed `metadata`, and how many must. Reads keys as the bare point, which the
/// first four roots have and the specification does not know, and as PEM.
fn root_signatures(metadata: &[u8], by: &[u8]) -> (usize, u64) {
    let [metadata, by]: [serde_json::Value; 2] = [metadata, by].map(|bytes| serde_json::from_slice(bytes).unwrap());
    let signed = sigstore_tuf::canonical_json::to_canonical_bytes(&metadata["signed"]).unwrap();
    let role = &by["signed"]["roles"]["root"];
    let mut points = std::collections::BTreeSet::new();
    for signature in metadata["signatures"].as_array().unwrap() {
        let id = signature["keyid"].as_str().unwrap();
        let Some(public) = by["signed"]["keys"][id]["keyval"]["public"].as_str() else { continue };
        if !role["keyids"].as_array().unwrap().iter().any(|named| named == id) {
            continue;
        }
        let point = hex::decode(public).unwrap_or_else(|_| {
            let (_, spki) = der::pem::decode_vec(public.as_bytes()).unwrap();
            spki[spki.len() - 65..].to_vec()
        });
        let key = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ECDSA_P256_SHA256_ASN1, &point);
        let text = hex::decode(signature["sig"].as_str().unwrap()).unwrap();
        if key.verify(&signed, &text).is_ok() {
            points.insert(point);
        }
    }
    (points.len(), role["threshold"].as_u64().unwrap())
}

#[test]
fn the_first_roots_of_the_public_good_instance_vouch_for_the_next() {
    let Some(folder) = corpus() else { return };
    // Until the fifth root, keys stand in a form that only go-tuf read at that time.
    for version in 1..5 {
        let (old, new) = (root(&folder, version), root(&folder, version + 1));
        for by in [&old, &new] {
            let (found, threshold) = root_signatures(&new, by);
            assert!(u64::try_from(found).unwrap() >= threshold, "{version}: {found} of {threshold}");
        }
        // The check sees a root that was not signed by the one before.
        assert_eq!(root_signatures(&old, &Repository::new(now()).first_root()).0, 0);
    }
    said!("sigstore-root: roots 1 to 5 verified");
}

#[tokio::test]
async fn the_real_history_of_the_public_good_root_verifies_up_to_the_newest() {
    let Some(folder) = corpus() else { return };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = Router::new().fallback(public_good).with_state(folder.clone());
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });

    let instance = TufInstance::custom("public-good", &format!("http://{address}"), root(&folder, 5));
    let cache = tempfile::tempdir().unwrap();
    let client = TufClient::new(instance, cache.path().to_owned(), &TufOptions::default()).unwrap();
    // The metadata was published in August 2026.
    let then: Timestamp = "2026-08-26T00:00:00Z".parse().unwrap();
    let roots = client.refresh(then).await.unwrap();
    assert_eq!(roots.trusted_root, std::fs::read(folder.join("targets/trusted_root.json")).unwrap());
    assert_eq!(roots.versions.root, 15);
    TrustMaterial::new().with_trusted_root(&roots.trusted_root).unwrap();
    assert!(roots.signing_config.is_some());
    assert_eq!(client.last_good().await.unwrap().as_ref(), Some(&roots));
    // Frozen: what was fresh then is not fresh a month later.
    let later: Timestamp = "2026-09-26T00:00:00Z".parse().unwrap();
    refused!(client.refresh(later).await, TufError::Expired { role, .. } if role == "timestamp");
    assert_eq!(client.last_good().await.unwrap(), Some(roots));

    // The delegated role of the npm registry is verified through its delegation.
    let mut session = client.session(then).await.unwrap();
    let keys = session.target("registry.npmjs.org/keys.json").await.unwrap();
    assert_eq!(keys, std::fs::read(folder.join("targets/registry.npmjs.org/keys.json")).unwrap());
    serving.abort();
    said!("sigstore-root: roots 5 to 15 verified by the client");
}

#[test]
fn the_embedded_root_follows_on_the_real_history() {
    let Some(folder) = corpus() else { return };
    let mut trusted = sigstore_tuf::TrustedMetadataSet::from_root(&root(&folder, 5)).unwrap();
    for version in 6..=15 {
        trusted.update_root(&root(&folder, version)).unwrap();
    }
    trusted.update_root(include_bytes!("../../../data/tuf/public-good.root.json")).unwrap();
    assert_eq!(trusted.root().version, 16);
}

#[tokio::test]
async fn a_mirror_of_another_instance_is_refused() {
    let server = Server::start(of(&Authority::new(now()))).await.unwrap();
    for instance in TufInstance::all() {
        let folder = tempfile::tempdir().unwrap();
        let instance = instance.with_mirror(&server.url());
        let client = TufClient::new(instance, folder.path().to_owned(), &TufOptions::default()).unwrap();
        assert!(client.refresh(now()).await.is_err());
        assert_eq!(client.last_good().await.unwrap(), None);
    }
}
