//! What went wrong in other TUF clients: each a test under the advisory's name (`docs/security.md`).

use assay_model::Explain as _;
use assay_sandbox::tuf::{Key, KeyType};
use assay_sign::TufError;
use serde_json::json;

use super::{Client, refused, repository};

fn key() -> Key {
    Key::generate(KeyType::Ed25519)
}

/// go-tuf compared a new root with nothing, so that an older one could be given again.
#[tokio::test]
async fn cve_2022_29173_a_root_is_never_older_than_the_one_trusted() {
    let mut repository = repository();
    repository.publish(&["root"]);
    repository.publish(&["root"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    assert_eq!(client.version("root"), Some(3));
    // The mirror gives the second root as the fourth.
    let second = client.with(|repository| repository.fetch("2.root.json").unwrap());
    client.publish(&["root"]);
    client.with(|repository| repository.replace("root", second));
    refused!(client.refresh().await, TufError::RootVersion { trusted: 3, offered: 2 });
    assert_eq!(client.version("root"), Some(3));
    // Nor is the trusted one given again as a new one.
    let third = client.trusted("root").unwrap();
    client.with(|repository| repository.replace("root", third));
    refused!(client.refresh().await, TufError::RootVersion { trusted: 3, offered: 3 });
}

/// go-tuf asked delegations in another order than the metadata lists them, so that another role could win.
#[tokio::test]
async fn cve_2024_47534_delegations_are_asked_in_the_order_listed() {
    let mut repository = repository();
    for (from, to) in [("targets", "z-first"), ("targets", "a-second"), ("z-first", "m-below-first")] {
        repository.delegate(from, to, &["*"], false);
    }
    repository.add_target("m-below-first", "file", b"of the first branch");
    repository.add_target_with("a-second", "file", b"of the second", &["sha256"]);
    repository.serve_target("file", b"of the first branch");
    repository.publish(&["m-below-first", "z-first", "a-second", "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    assert_eq!(client.target("file").await.unwrap(), b"of the first branch");
}

/// go-tuf stopped with a panic on metadata of an unexpected form.
#[tokio::test]
async fn cve_2026_23991_metadata_of_any_form_is_an_error_and_no_panic() {
    let shapes = [
        json!(null),
        json!([]),
        json!({}),
        json!({"signed": null, "signatures": []}),
        json!({"signed": {}, "signatures": {}}),
        json!({"signed": {"_type": "timestamp"}, "signatures": [null]}),
        json!({"signed": {"_type": "timestamp", "version": -1}, "signatures": []}),
        json!({"signed": {"_type": "timestamp", "version": 1.5, "meta": []}, "signatures": []}),
        json!({"signed": {"_type": "timestamp", "version": 2, "expires": "never", "meta": {}}, "signatures": []}),
    ];
    for role in ["root", "timestamp", "snapshot", "targets"] {
        for shape in &shapes {
            let mut repository = repository();
            repository.publish(&["root"]);
            repository.replace(role, shape.to_string().into_bytes());
            let client = Client::new(repository).await;
            let error = client.refresh().await.unwrap_err();
            assert_eq!(error.code(), "tuf-metadata-malformed", "{role} {shape}: {error}");
        }
        for bytes in [&b""[..], b"\xff\xfe", b"{\"signed\":", &b"[".repeat(100_000)] {
            let mut repository = repository();
            repository.publish(&["root"]);
            repository.replace(role, bytes.to_vec());
            let client = Client::new(repository).await;
            assert!(client.refresh().await.is_err(), "{role}");
        }
    }
    // Metadata that is signed may be as wrong.
    let mut repository = repository();
    repository.signed_mut("timestamp")["meta"] = json!({});
    repository.publish(&["timestamp"]);
    let client = Client::new(repository).await;
    refused!(client.refresh().await, TufError::Malformed { .. });
}

/// go-tuf took a threshold of zero for reached.
#[tokio::test]
async fn cve_2026_23992_a_threshold_of_zero_is_never_reached() {
    for role in ["root", "timestamp", "snapshot", "targets"] {
        let client = Client::new(repository()).await;
        client.with(|repository| {
            repository.set_threshold(role, 0);
            repository.role(role).signers.clear();
            if role == "root" {
                // The old root's threshold holds still: keep its signature.
                let signer = key();
                repository.add_key("root", signer);
            }
            repository.publish(&["root", "targets", "snapshot", "timestamp"]);
        });
        assert!(client.refresh().await.is_err(), "{role}");
        assert!(client.version(role).is_none_or(|version| version == 1), "{role}");
    }
    // Nor in a delegation.
    let mut repository = repository();
    repository.delegate("targets", "team", &["*"], false);
    repository.signed_mut("targets")["delegations"]["roles"][0]["threshold"] = json!(0);
    repository.role("team").signers.clear();
    repository.add_target("team", "file", b"unsigned");
    repository.publish(&["team", "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    refused!(client.target("file").await, TufError::Malformed { .. });
}

/// sigstore's client kept targets under the names that metadata gave, wherever they led.
#[tokio::test]
async fn cve_2026_24137_a_target_name_does_not_leave_the_folder() {
    let names =
        ["../escaped", "/tmp/escaped", "a/../../escaped", "..", "a\\..\\escaped", "a%2f..%2fescaped", "./a", ""];
    let mut repository = repository();
    for name in names {
        repository.add_target("targets", name, b"bytes");
    }
    repository.publish(&["targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    client.server.take_requests();
    for name in names {
        refused!(client.target(name).await, TufError::TargetName { .. });
        assert!(client.server.take_requests().iter().all(|file| !file.contains("escaped")), "{name}");
    }
    assert!(!client.folder.path().parent().unwrap().join("escaped").exists());
    assert!(!client.folder.path().join("targets").exists());
}

/// go-tuf made cache folders of names in a map of repositories, wherever they led.
#[tokio::test]
async fn cve_2026_24686_the_name_of_an_instance_does_not_leave_the_folder() {
    for (given, used) in [("../../etc", "------etc"), ("/abs", "-abs"), ("Company A", "-ompany--"), ("a.b", "a-b")] {
        let instance = assay_sign::TufInstance::custom(given, "https://tuf.example", Vec::new());
        assert_eq!(instance.name(), used);
    }
    // A delegated role is as little a path.
    let mut repository = repository();
    repository.delegate("targets", "../../escaped", &["*"], false);
    repository.publish(&["../../escaped", "targets", "snapshot", "timestamp"]);
    let client = Client::new(repository).await;
    refused!(client.target("file").await, TufError::NoTarget { .. });
    assert!(client.folder.path().join("metadata/..%2F..%2Fescaped.json").exists());
    assert!(!client.folder.path().parent().unwrap().join("escaped.json").exists());
}

/// go-tuf counted one key under two identities as two signers.
#[tokio::test]
async fn ghsa_3633_5h82_39pq_one_key_under_two_identities_is_one_signer() {
    for role in ["timestamp", "snapshot", "targets"] {
        let client = Client::new(repository()).await;
        client.with(|repository| {
            let stolen = repository.role(role).signers[0].clone();
            repository.add_key(role, stolen.called("another identity"));
            repository.set_threshold(role, 2);
            repository.publish(&["root", "targets", "snapshot", "timestamp"]);
        });
        refused!(client.refresh().await, TufError::RepeatedKey { .. });
        assert_eq!(client.version("root"), Some(1));
    }
}

/// Identities are names: real repositories have some that are no hash of their key. A name proves nothing, and a key
/// counts once.
#[tokio::test]
async fn a_key_under_a_name_of_its_own_signs_as_any_other() {
    let client = Client::new(repository()).await;
    client.with(|repository| {
        repository.clear_keys("timestamp");
        repository.add_key("timestamp", key().called("a name"));
        repository.publish(&["root", "timestamp"]);
    });
    client.refresh().await.unwrap();
    // Somebody else's key under the same name does not.
    client.with(|repository| {
        repository.role("timestamp").signers = vec![key().called("a name")];
        repository.publish(&["timestamp"]);
    });
    refused!(client.refresh().await, TufError::Threshold { found: 0, .. });
}

#[tokio::test]
async fn endless_data_ends_at_the_bound_of_each_file() {
    let mut repository = repository();
    repository.add_target("targets", "file", b"content");
    repository.publish(&["targets", "snapshot", "timestamp"]);
    for (file, bound) in [
        ("2.root.json", 512_000),
        ("timestamp.json", 16_384),
        ("2.snapshot.json", 2_000_000),
        ("2.targets.json", 5_000_000),
    ] {
        let mut repository = self::repository();
        repository.publish(&["targets", "snapshot", "timestamp"]);
        let client = Client::new(repository).await;
        client.server.set_endless(Some(file));
        refused!(client.refresh().await, TufError::TooLarge { limit, .. } if limit == bound);
    }
    let client = Client::new(repository).await;
    client.refresh().await.unwrap();
    client.target("file").await.unwrap();
    client.with(|repository| {
        repository.add_target("targets", "other", b"content");
        repository.publish(&["targets", "snapshot", "timestamp"]);
    });
    client.session().await.unwrap();
    let asked = {
        refused!(client_without_target(&client).await, TufError::NoTarget { .. });
        client.target("other").await.unwrap();
        client.server.take_requests().pop().unwrap()
    };
    client.with(|repository| {
        repository.add_target("targets", "third", b"content of the third");
        repository.publish(&["targets", "snapshot", "timestamp"]);
    });
    // A target is bounded by the length that is listed.
    let third = asked.replace("other", "third");
    let hash = assay_model::Digest::of(b"content of the third").hex();
    let third = format!("targets/{hash}.{}", third.rsplit_once('.').unwrap().1);
    client.server.set_endless(Some(&third));
    refused!(client.target("third").await, TufError::TooLarge { limit: 20, .. });
}

async fn client_without_target(client: &Client) -> Result<Vec<u8>, TufError> {
    client.target("missing").await
}

#[tokio::test]
async fn a_chain_of_roots_without_end_is_left() {
    let mut repository = repository();
    for _ in 0..40 {
        repository.publish(&["root"]);
    }
    let client = Client::new(repository).await;
    refused!(client.refresh().await, TufError::Incomplete { .. });
    // What was followed is kept, so that the next refresh goes on from there.
    assert_eq!(client.version("root"), Some(33));
    client.refresh().await.unwrap();
    assert_eq!(client.version("root"), Some(41));
}

#[tokio::test]
async fn a_mirror_that_fails_or_redirects_is_named() {
    let client = Client::new(repository()).await;
    for status in [301, 302, 429, 500, 503] {
        client.server.set_status(Some(status));
        refused!(client.refresh().await, TufError::Refused { status: found, .. } if found == status);
    }
    client.server.set_status(None);
    client.refresh().await.unwrap();
    let Client { server, tuf, .. } = client;
    drop(server);
    refused!(tuf.session(super::now()).await, TufError::Unreachable { .. });
}

#[tokio::test]
async fn a_changed_cache_is_not_believed() {
    let client = Client::new(repository()).await;
    client.refresh().await.unwrap();
    // Somebody who can write the folder puts unsigned files there, of higher versions and with other targets.
    for role in ["timestamp", "snapshot", "targets"] {
        let path = client.folder.path().join(format!("metadata/{role}.json"));
        let mut document: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        document["signed"]["version"] = json!(99);
        document["signed"]["targets"] = json!({"file": {"length": 1, "hashes": {"sha256": "00"}}});
        std::fs::write(&path, document.to_string()).unwrap();
    }
    refused!(client.target("file").await, TufError::NoTarget { .. });
    assert_eq!(client.versions(), [Some(1), Some(1), Some(1), Some(1)]);
}
