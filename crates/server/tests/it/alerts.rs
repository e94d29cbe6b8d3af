//! Alerts reach a receiver that fails first, signed, once each, and close by themselves.

use std::sync::{Arc, Mutex};

use assay_model::{Severity, Timestamp};
use assay_server::{AlertError, AlertTarget};
use assay_store::{Alert, AlertKey, Store};
use aws_lc_rs::hmac;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use base64::Engine as _;

use crate::fixture::{NOW, Temper, start};

const SECRET: &str = "a secret of at least 24 bytes";

/// A request as it arrived.
type Arrived = Arc<Mutex<Vec<(HeaderMap, String)>>>;

/// A receiver that answers with these statuses, then 204.
async fn receiver(statuses: &[u16]) -> (String, Arrived) {
    let (arrived, statuses) = (Arrived::default(), Mutex::new(Vec::from(statuses).into_iter()));
    let (log, statuses) = (Arc::clone(&arrived), Arc::new(statuses));
    let router = Router::new().fallback(move |headers: HeaderMap, body: String| {
        log.lock().unwrap().push((headers, body));
        let status = StatusCode::from_u16(statuses.lock().unwrap().next().unwrap_or(204)).unwrap();
        async move { (status, [("location", "/elsewhere")]) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, arrived)
}

fn target(url: &str) -> Result<AlertTarget, AlertError> {
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    std::fs::write(&secret, format!("{SECRET}\n")).unwrap();
    AlertTarget::new(url, &secret, None)
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn alert() -> Alert {
    let key = AlertKey { owner: "team-payments".into(), subject: "api".into(), environment: "prod".into() };
    Alert { key, source: "test".to_owned(), severity: Severity::High, summary: "it is bad".into() }
}

#[tokio::test]
async fn a_receiver_that_fails_first_gets_every_alert_signed() {
    let (url, arrived) = receiver(&[500, 302, 204]).await;
    let (store, target) = (Arc::new(Store::in_memory().unwrap()), target(&url).unwrap());
    store.raise_alert(&alert(), at(0)).unwrap();
    assert_eq!(target.deliver(&store, at(0)).await.unwrap(), (0, 1));
    assert_eq!(target.deliver(&store, at(14)).await.unwrap(), (0, 0), "not yet");
    assert_eq!(target.deliver(&store, at(15)).await.unwrap(), (0, 1), "a redirect is not followed");
    store.resolve_alert(&alert().key, at(20)).unwrap();
    assert_eq!(target.deliver(&store, at(45)).await.unwrap(), (1, 0));
    assert_eq!(target.deliver(&store, at(45)).await.unwrap(), (1, 0), "then its end");
    assert_eq!(store.undelivered().unwrap(), (0, None));

    let arrived = arrived.lock().unwrap();
    let header = |index: usize, name: &str| arrived[index].0[name].to_str().unwrap().to_owned();
    assert_eq!(arrived.len(), 4);
    assert_eq!([header(0, "webhook-id"), header(1, "webhook-id")], [header(2, "webhook-id"), header(2, "webhook-id")]);
    assert_ne!(header(3, "webhook-id"), header(2, "webhook-id"));
    let events: Vec<serde_json::Value> = arrived.iter().map(|(_, body)| serde_json::from_str(body).unwrap()).collect();
    assert_eq!((&events[2]["event"], &events[3]["event"]), (&"opened".into(), &"resolved".into()));
    assert_eq!(events[2]["alert"]["owner"], "team-payments");
    for (index, (_, body)) in arrived.iter().enumerate() {
        let signed = format!("{}.{}.{body}", header(index, "webhook-id"), header(index, "webhook-timestamp"));
        let signature = header(index, "webhook-signature");
        let signature =
            base64::engine::general_purpose::STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
    }
}

#[tokio::test]
async fn alerts_go_nowhere_in_the_clear_and_never_with_a_weak_secret() {
    for url in ["http://alerts.example.com/", "ftp://127.0.0.1/", "http://127.0.0.1.example.com/", "alerts"] {
        assert!(matches!(target(url), Err(AlertError::Address { .. })), "{url}");
    }
    let folder = tempfile::tempdir().unwrap();
    let secret = folder.path().join("secret");
    for (text, good) in [("short", false), ("whsec_!", false), ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true)] {
        std::fs::write(&secret, text).unwrap();
        assert_eq!(AlertTarget::new("https://alerts.example.com/", &secret, None).is_ok(), good, "{text}");
    }
}

#[tokio::test]
async fn a_ledger_that_was_changed_is_an_alert_until_it_is_whole() {
    let server = start(Temper::Warm).await;
    let database = rusqlite::Connection::open(server.directory.path().join("store.db")).unwrap();
    database.execute_batch("INSERT INTO ledger_head VALUES (1, 7, 'x')").unwrap();
    server.running.refresh_world();
    let raised = server.store.open_alerts().unwrap().remove(0);
    assert_eq!((raised.key.subject.as_str(), raised.severity), ("promotion-ledger", Severity::Critical));
    assert_eq!(raised.opened, NOW.parse().unwrap());
    database.execute_batch("DELETE FROM ledger_head").unwrap();
    server.running.refresh_world();
    assert!(server.store.open_alerts().unwrap().is_empty(), "closed by itself");
}
