//! What only a server can do: be shared, be down, be somebody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use assay_model::{Digest, Explain as _};
use assay_store::{DecisionLog, LedgerEvent, StoreError};

use crate::fixture::{at, contents, decision, findings, pod, promotion};
use crate::peer::Server;
use crate::place::{Place, open};

#[test]
fn replicas_that_start_together_make_the_tables_once() {
    let Some(place) = Place::postgres() else { return };
    std::thread::scope(|scope| {
        for number in 0..6 {
            let place = &place;
            // Each has its own key, as replicas without a common one do.
            let folder = place.path().join(number.to_string());
            scope.spawn(move || {
                std::fs::create_dir(&folder).unwrap();
                let store = open(&place.url(), &folder).unwrap();
                assert!(store.known_images().unwrap().is_empty());
            });
        }
    });
    assert_eq!(place.ask("SELECT count(*) FROM assay_schema"), ["1"]);
}

#[test]
fn two_replicas_share_one_database() {
    let Some(place) = Place::postgres() else { return };
    let replicas = [Arc::new(place.open()), Arc::new(place.open())];
    let appended = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for (number, store) in (0..).zip(&replicas) {
            let (folder, appended) = (place.path().join(format!("log{number}")), &appended);
            scope.spawn(move || {
                let log = DecisionLog::open(Arc::clone(store), &folder).unwrap();
                for turn in 0..20 {
                    log.append(&decision(number * 1000 + turn, true, b"v1")).unwrap();
                    appended.fetch_add(1, Ordering::Relaxed);
                    store
                        .append_ledger(LedgerEvent::Promotion {
                            promotion: Box::new(promotion(b"v1", "prod")),
                            rollback: false,
                            findings: None,
                            pack: None,
                            exceptions: Vec::new(),
                            decision: None,
                        })
                        .unwrap();
                    let names: Vec<String> =
                        (0..50).map(|name| format!("package-{}", (name * (number + 1)) % 50)).collect();
                    let packages: Vec<_> = names.iter().map(|name| (name.as_str(), "1")).collect();
                    store.put_contents(Digest::of(b"v1"), &contents(&packages), at(1)).unwrap();
                    store.put_findings(Digest::of(b"v1"), Digest::of(b"c"), &findings("CVE-2026-1234")).unwrap();
                    let pods = [pod("api-1", "api", b"v1", at(0)), pod("api-2", "api", b"v2", at(5))];
                    store.sync_inventory("east", at(10), &pods).unwrap();
                }
                assert!(log.flush());
            });
        }
    });
    for store in &replicas {
        assert_eq!(store.verify_ledger().unwrap().entries, 40, "one chain");
        assert_eq!(store.decisions(100).unwrap().len(), appended.load(Ordering::Relaxed), "each other's decisions");
        assert_eq!(store.inventory().unwrap().len(), 2);
        assert_eq!(store.images_with_package("package-0", |_| true).unwrap().len(), 1);
    }
}

#[test]
fn a_database_of_a_later_version_is_refused() {
    let Some(place) = Place::postgres() else { return };
    drop(place.open());
    place.ask("INSERT INTO assay_schema VALUES (999)");
    assert_eq!(open(&place.url(), place.path()).unwrap_err().code(), "store-newer");
}

#[test]
fn the_connection_may_be_encrypted_or_a_socket() {
    let Some(place) = Place::postgres() else { return };
    let server = Server::get().unwrap();
    let name = place.url().rsplit_once('/').unwrap().1.to_owned();
    assert!(open(&server.socket_url(&name), place.path()).unwrap().known_images().unwrap().is_empty());
    let encrypted = place.url().replace("127.0.0.1", "localhost") + "?sslmode=verify-full";
    let error = open(&encrypted, place.path()).unwrap().known_images().unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "nobody vouches for the certificate: {error}");
    let authority = place.path().join("ca.pem");
    std::fs::write(&authority, &server.authority).unwrap();
    let trusted = format!("{encrypted}&sslrootcert={}", authority.display());
    let store = open(&trusted, place.path()).unwrap();
    store.put_layer(Digest::of(b"blob"), 1, &vec![7; 3 << 20]).unwrap();
    assert_eq!(store.layer(Digest::of(b"blob"), 1).unwrap().unwrap().len(), 3 << 20);
    assert_eq!(place.ask("SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl AND datname = current_database() AND application_name = 'assay'"), ["1"]);
    let other_name = trusted.replace("localhost", "127.0.0.1");
    let error = open(&other_name, place.path()).unwrap().known_images().unwrap_err();
    assert!(matches!(error, StoreError::Unreachable { .. }), "a certificate for another name: {error}");
}

#[test]
fn a_wrong_password_is_refused_and_not_shown() {
    let Some(place) = Place::postgres() else { return };
    let error = open(&place.url().replace(":assay@", ":s3cret@"), place.path()).unwrap_err();
    assert_eq!(error.code(), "store-refused");
    assert!(!error.to_string().contains("s3cret"), "{error}");
    let error = open(&place.url().replace(":assay@", "@"), place.path()).unwrap_err();
    assert_eq!(error.code(), "store-refused", "{error}");
    let error = open(&place.url().replace("/assay_", "/nobody_"), place.path()).unwrap_err();
    assert_eq!(error.code(), "store-refused", "{error}");
}

#[test]
fn connections_that_the_server_ended_are_made_again() {
    let Some(place) = Place::postgres() else { return };
    let store = place.open();
    for _ in 0..3 {
        store.put_layer(Digest::of(b"blob"), 1, b"x").unwrap();
        place.ask(
            "DO $$BEGIN PERFORM pg_terminate_backend(pid) FROM pg_stat_activity
             WHERE application_name = 'assay' AND datname = current_database(); END$$",
        );
        assert!(store.layer(Digest::of(b"blob"), 1).unwrap().is_some());
    }
}

#[test]
fn a_server_that_is_down_costs_nobody_a_decision() {
    let Some(place) = Place::postgres() else { return };
    // Nobody listens there.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let port = Server::get().unwrap().port;
    let down = place.url().replace(&format!(":{port}/"), &format!(":{free}/"));
    let folder = place.path().join("log");
    let store = Arc::new(open(&down, place.path()).unwrap());
    assert_eq!(store.decisions(1).unwrap_err().code(), "store-unreachable");
    let log = DecisionLog::open(Arc::clone(&store), &folder).unwrap();
    for number in 1..=3 {
        log.append(&decision(number, true, b"v1")).unwrap();
    }
    assert!(!log.flush());
    drop(log);
    // The next process finds it still down, then up.
    let log = DecisionLog::open(store, &folder).unwrap();
    log.append(&decision(4, true, b"v1")).unwrap();
    assert!(!log.flush());
    assert_eq!(log.waiting(), 4);
    drop(log);
    let store = Arc::new(place.open());
    drop(DecisionLog::open(Arc::clone(&store), &folder).unwrap());
    assert_eq!(store.decisions(10).unwrap().len(), 4);
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
}
