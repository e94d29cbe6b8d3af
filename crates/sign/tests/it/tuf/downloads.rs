//! Targets: only what the metadata lists, whatever the mirror sends.

use assay_sign::TufError;

use super::{Client, Scenario, refused, repository};

const ALL: [&str; 3] = ["targets", "snapshot", "timestamp"];

pub(super) fn scenarios() -> Vec<Scenario> {
    let mut all: Vec<Scenario> = super::scenarios![
        a_listed_target_is_downloaded,
        a_target_in_a_folder_is_downloaded,
        a_substituted_target_is_refused,
        each_change_of_a_target_is_seen_and_no_other,
        a_target_with_an_unknown_hash_alone_is_refused,
        a_target_that_is_at_hand_is_not_asked_for_again,
    ];
    let algorithms: [&'static [&'static str]; 3] = [&["sha256"], &["sha512"], &["sha256", "sha512"]];
    for algorithms in algorithms {
        all.push((format!("hashes_{}", algorithms.join("_")), Box::pin(hash_algorithms(algorithms))));
    }
    all
}

async fn with_target(path: &str, bytes: &[u8]) -> Client {
    let mut repository = repository();
    repository.add_target("targets", path, bytes);
    repository.publish(&ALL);
    Client::new(repository).await
}

async fn a_listed_target_is_downloaded() {
    let client = with_target("file.txt", b"content").await;
    client.refresh().await.unwrap();
    assert!(!client.server.take_requests().iter().any(|file| file.starts_with("targets/")));
    assert_eq!(client.target("file.txt").await.unwrap(), b"content");
}

async fn a_target_in_a_folder_is_downloaded() {
    let client = with_target("path/to/a/file.txt", b"content").await;
    assert_eq!(client.target("path/to/a/file.txt").await.unwrap(), b"content");
    let asked = client.server.take_requests().pop().unwrap();
    assert!(asked.starts_with("targets/path/to/a/") && asked.ends_with(".file.txt"), "{asked}");
}

async fn a_substituted_target_is_refused() {
    let client = with_target("one", b"content of one").await;
    client.with(|repository| {
        repository.add_target("targets", "two", b"content");
        repository.publish(&ALL);
    });
    assert_eq!(client.target("one").await.unwrap(), b"content of one");
    for other in [&b"malice"[..], b"malice of one length, longer than either", b""] {
        client.with(|repository| {
            repository.serve_target("one", other);
            repository.serve_target("two", other);
        });
        assert_eq!(client.target("one").await.unwrap(), b"content of one", "from the cache");
        refused!(client.target("two").await, TufError::Mismatch { .. } | TufError::TooLarge { .. });
    }
}

async fn each_change_of_a_target_is_seen_and_no_other() {
    let client = with_target("file", b"content").await;
    for n in 0..11 {
        let content = format!("content {n}").into_bytes();
        client.with(|repository| {
            repository.add_target("targets", "file", &content);
            repository.add_target("targets", &format!("new-{n}"), &content);
            repository.publish(&ALL);
        });
        if n % 5 != 0 {
            continue;
        }
        assert_eq!(client.target("file").await.unwrap(), content);
        assert_eq!(client.target(&format!("new-{n}")).await.unwrap(), content);
        client.with(|repository| {
            repository.serve_target("file", b"malicious");
            repository.publish(&ALL);
        });
        assert_eq!(client.target("file").await.unwrap(), content);
    }
}

async fn hash_algorithms(algorithms: &'static [&'static str]) {
    let mut repository = repository();
    repository.add_target_with("targets", "file", b"content", algorithms);
    repository.publish(&ALL);
    let client = Client::new(repository).await;
    assert_eq!(client.target("file").await.unwrap(), b"content");
}

async fn a_target_with_an_unknown_hash_alone_is_refused() {
    let mut repository = repository();
    repository.add_target_with("targets", "file", b"content", &["unknown-hash"]);
    repository.publish(&ALL);
    let client = Client::new(repository).await;
    refused!(client.target("file").await, TufError::Mismatch { .. });
    assert!(!client.folder.path().join("targets/file").exists());
}

async fn a_target_that_is_at_hand_is_not_asked_for_again() {
    let client = with_target("file", b"content").await;
    for _ in 0..2 {
        assert_eq!(client.target("file").await.unwrap(), b"content");
    }
    let asked = client.server.take_requests();
    assert_eq!(asked.iter().filter(|file| file.starts_with("targets/")).count(), 1);
}
