//! Decisions leave as JSON lines, and go when they are kept no longer.

use assay_store::Store;
use serde_json::Value;

use crate::assay::Assay;

#[path = "../../../store/tests/it/fixture.rs"]
#[allow(dead_code, reason = "the store's own tests use the rest")]
mod fixture;

fn recorded() -> Assay {
    let assay = Assay::new();
    let store = Store::open(&assay.file("store.db", "")).unwrap();
    store.put_decisions(&[fixture::decision(1, true, b"v1"), fixture::decision(86_400, false, b"v2")]).unwrap();
    let mut after = fixture::decision(3 * 86_400, true, b"v3");
    after.verdict.exceptions = vec![assay_case::ExceptionNote {
        name: "payments-zlib".into(),
        control: "critical-cve".parse().unwrap(),
        ignored: None,
    }];
    store.put_decisions(&[after]).unwrap();
    assay.variable("ASSAY_STORE", "sqlite:store.db")
}

fn lines(assay: &Assay, arguments: &[&str]) -> Vec<Value> {
    let output = assay.run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn records_leave_whole_and_in_order() {
    let assay = recorded();
    let all = lines(&assay, &["decisions", "export"]);
    assert_eq!(all.len(), 3);
    let record: assay_store::DecisionRecord = serde_json::from_value(all[1].clone()).unwrap();
    assert_eq!(record, fixture::decision(86_400, false, b"v2"));
    let begin = fixture::at(86_400).to_string();
    assert_eq!(lines(&assay, &["decisions", "export", "--since", &begin]), all[1..]);
    assert_eq!(lines(&assay, &["decisions", "export", "--until", &begin]), all[..1]);
    assert_eq!(lines(&assay, &["decisions", "export", "--since", "30m"]), all[..0]);
}

#[test]
fn decisions_leave_as_events_of_an_audit_log() {
    let events = lines(&recorded(), &["decisions", "export", "--as", "audit-events"]);
    assert_eq!(events[0]["apiVersion"], "audit.k8s.io/v1");
    assert_eq!(events[0]["kind"], "Event");
    assert_eq!(events[0]["auditID"], "uid");
    assert_eq!(events[0]["responseStatus"]["code"], 200);
    assert_eq!(
        events[0]["objectRef"],
        serde_json::json!({"resource": "pods", "namespace": "payments-prod", "name": "api"})
    );
    assert_eq!(events[1]["responseStatus"], serde_json::json!({"code": 403, "reason": "Forbidden"}));
    assert_eq!(events[2]["annotations"]["assay.dev/exceptions"], "payments-zlib");
    assert_eq!(events[2]["annotations"]["assay.dev/environment"], "prod");
    assert!(!events[0].to_string().contains("s3cret"));
}

#[test]
fn decisions_go_when_they_are_kept_no_longer() {
    let assay = recorded();
    let output = assay.run(&["decisions", "expire"]);
    assert_eq!(output.status.code(), Some(2), "nothing is removed by chance");
    let seen = assay.seen(&["decisions", "expire", "--keep-decision-bytes", "1GB"]);
    assert!(seen.starts_with("exit 0\n--- stdout\n0 decisions gone"), "{seen}");
    // The fixture's times lie in September 2026.
    let seen = assay.seen(&["decisions", "expire", "--keep-decisions", "1m"]);
    assert!(seen.contains("3 decisions gone") || seen.contains("0 decisions gone"), "{seen}");
    let seen = assay.seen(&["decisions", "expire", "--keep-decision-bytes", "0kB"]);
    assert!(seen.contains(", 0 bytes left"), "{seen}");
    assert!(lines(&assay, &["decisions", "export"]).is_empty());
}

#[test]
fn a_store_that_is_none_is_refused_without_its_password() {
    for (store, code) in [
        ("mysql://a:s3cret@host/db", "setting-invalid"),
        ("postgres://a:s3cret@127.0.0.1/db?sslmode=prefer", "setting-invalid"),
        ("postgres://a:s3cret@127.0.0.1:1/db", "store-unreachable"),
    ] {
        let seen = Assay::new().seen(&["decisions", "export", "--store", store]);
        assert!(seen.starts_with("exit 2") && seen.contains(code) && !seen.contains("s3cret"), "{seen}");
    }
}

#[path = "../../../store/tests/it/peer.rs"]
mod peer;

#[test]
fn commands_share_a_database_as_they_share_a_file() {
    let Some(server) = peer::Server::get() else { return };
    let url = server.url(&server.database());
    let [one, other] = [(); 2].map(|()| Assay::new().variable("ASSAY_STORE", &url));
    let pods = serde_json::json!({"kind": "List", "items": [{"kind": "Pod",
        "metadata": {"name": "api-1", "namespace": "payments"},
        "spec": {"containers": [{"name": "api", "image": "registry.example.com/api:1"}]},
        "status": {"phase": "Running", "startTime": "2026-11-20T08:00:00Z"}}]});
    one.file("pods.json", pods.to_string());
    let seen = one.seen(&["inventory", "sync", "-f", "pods.json", "--cluster", "east"]);
    assert!(seen.starts_with("exit 0"), "{seen}");
    let listed = other.seen(&["inventory", "list"]);
    assert!(listed.starts_with("exit 0") && listed.contains("api-1"), "{listed}");
    assert!(lines(&other, &["decisions", "export"]).is_empty());
    let key = other.path().join(".local/share/assay/store.key");
    assert_eq!(std::fs::read(key).unwrap().len(), 32, "its own key, beside the database and not in it");
}
