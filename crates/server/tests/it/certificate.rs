//! Certificates change while connections live.

use assay_model::Explain as _;
use assay_server::{Server, ServerOptions};
use serde_json::json;

use crate::fixture::{PINNED, Temper, chain, client, files, pod, policy, review, start_with};

#[tokio::test]
async fn a_new_certificate_is_used_and_old_connections_go_on() {
    let directory = tempfile::tempdir().unwrap();
    let write = |certificate: &str, key: &str| {
        std::fs::write(directory.path().join("tls.crt"), certificate).unwrap();
        std::fs::write(directory.path().join("tls.key"), key).unwrap();
    };
    let (certificate, key, first_ca) = chain();
    write(&certificate, &key);
    let mut server = start_with(Temper::Warm, |options| {
        options.policy = Some(policy());
        options.certificate = files(&directory);
    })
    .await;
    assert!(server.running.ca_certificate().is_none());
    server.client = client(&first_ca);
    let good = review("payments-prod", "", "Pod", pod(PINNED));
    assert_eq!(server.validate(&good).await["allowed"], true);

    let (certificate, key, second_ca) = chain();
    write(&certificate, &key);
    server.running.reload_certificate().unwrap();
    assert_eq!(server.validate(&good).await["allowed"], true, "the kept-alive connection goes on");
    let fresh = client(&first_ca).get(server.url("/healthz")).send().await;
    assert!(fresh.is_err(), "new handshakes get the new certificate");
    server.client = client(&second_ca);
    assert_eq!(server.get("/healthz").await.0, 200);

    write("no certificate", &key);
    assert_eq!(server.running.reload_certificate().unwrap_err().code(), "certificate-mismatch");
    let (_, other_key, _) = chain();
    write(&certificate, &other_key);
    assert_eq!(server.running.reload_certificate().unwrap_err().code(), "certificate-mismatch");
    server.client = client(&second_ca);
    assert_eq!(server.get("/healthz").await.0, 200, "the certificate of before stays");
}

#[tokio::test]
async fn a_certificate_that_cannot_be_read_stops_the_start() {
    let server = start_with(Temper::Warm, |_| {}).await;
    let directory = tempfile::tempdir().unwrap();
    let facts = std::sync::Arc::clone(&server.table) as _;
    let mut options = ServerOptions::new(facts, server.store.clone(), directory.path().join("decisions"));
    options.certificate = files(&directory);
    assert_eq!(Server::start(options).await.unwrap_err().code(), "certificate-unreadable");
}

#[tokio::test]
async fn plain_http_and_untrusting_clients_get_nothing() {
    let server = start_with(Temper::Warm, |_| {}).await;
    let (_, _, other_ca) = chain();
    assert!(client(&other_ca).get(server.url("/healthz")).send().await.is_err());
    let plain = server.url("/healthz").replace("https://", "http://");
    assert!(server.client.get(plain).send().await.is_err());
    let (status, _) = server.post("/validate", json!({}).to_string()).await;
    assert_eq!(status, 400, "and the server still answers");
}
