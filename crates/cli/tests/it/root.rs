//! `trust root`: a root of one's own instance, fetched over TUF, kept, and shown without the mirror.

use assay_model::Timestamp;
use assay_sandbox::sigstore::Authority;
use assay_sandbox::tuf::{Repository, Server};

use crate::assay::Assay;

/// A mirror whose metadata is valid now, and the first root as a file.
async fn mirror(assay: &Assay) -> (Server, Vec<u8>) {
    let trusted_root = Authority::new("2026-03-01T12:00:00Z".parse().unwrap()).trusted_root_json();
    let mut repository = Repository::new(Timestamp::now());
    repository.add_target("targets", "trusted_root.json", &trusted_root);
    repository.publish(&["targets", "snapshot", "timestamp"]);
    assay.file("root.json", repository.first_root());
    (Server::start(repository).await.unwrap(), trusted_root)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_root_is_fetched_kept_and_shown() {
    let assay = Assay::new();
    let (server, trusted_root) = mirror(&assay).await;
    let url = server.url();
    let instance = ["--tuf-mirror", &url, "--tuf-root", "root.json"];
    let run = |command: &[&str]| assay.run(&[&["trust", "root"], command, &instance].concat());

    let before = run(&["show"]);
    assert_eq!(before.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&before.stdout).contains("no refresh has succeeded yet"));

    let update = run(&["update", "--to", "fetched.json"]);
    assert_eq!(update.status.code(), Some(0), "{}", assay.shown(&update));
    assert_eq!(std::fs::read(assay.path().join("fetched.json")).unwrap(), trusted_root);

    // The mirror fails: an update says so, and what was good stays.
    server.set_status(Some(503));
    let failed = run(&["update"]);
    assert_eq!(failed.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&failed.stderr).contains("tuf-refused"), "{}", assay.shown(&failed));
    drop(server);
    let shown = run(&["show", "-o", "json"]);
    assert_eq!(shown.status.code(), Some(0), "{}", assay.shown(&shown));
    let document: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    assert_eq!(document["root"]["versions"], serde_json::json!([1, 2, 2, 2]));
    assert_eq!(document["root"]["digest"], assay_model::Digest::of(&trusted_root).to_string());
    assert_eq!(document["root"]["expired"], false);
}

#[test]
fn an_update_is_refused_offline_and_without_a_usable_address() {
    let assay = Assay::new();
    let offline = assay.run(&["trust", "root", "update", "--offline"]);
    assert_eq!(offline.status.code(), Some(2));
    let plain = assay.run(&["trust", "root", "update", "--tuf-mirror", "http://tuf.example"]);
    assert_eq!(plain.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&plain.stderr).contains("tuf-address-invalid"), "{}", assay.shown(&plain));
}
