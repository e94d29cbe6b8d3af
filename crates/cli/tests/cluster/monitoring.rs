//! What a server tells of itself and of the cluster around it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::plane::plane;
use crate::policy::{apply_as, approved, at, exception, let_people_write};
use crate::process::eventually;
use crate::serving::{PINNED, Serving, TAGGED, environment, pod, prepare, until};

#[test]
fn the_drill_and_what_runs_are_told() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let_people_write(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce-with-exception")]).to_string());
    let job = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "assay-drill", "namespace": "assay-system"},
        "spec": {"schedule": "17 4 * * *", "suspend": true, "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "drill", "image": "assay"}],
        }}}}},
    });
    plane.apply(&job.to_string());
    let status =
        r#"{"status":{"lastScheduleTime":"2026-11-21T04:17:00Z","lastSuccessfulTime":"2026-11-20T04:18:00Z"}}"#;
    let patch = ["patch", "cronjob", "assay-drill", "-n", "assay-system", "--subresource=status", "--type=merge", "-p"];
    plane.kubectl(&[&patch[..], &[status]].concat());
    plane.apply(&pod("shop-prod", "api", PINNED));
    // A Pod counts by what its runtime reports.
    let digest = PINNED.split_once('@').unwrap().1;
    let running = json!({"status": {"phase": "Running", "containerStatuses": [{"name": "api", "image": PINNED,
        "imageID": PINNED, "ready": true, "restartCount": 0, "state": {"running": {}}}]}});
    let running = running.to_string();
    plane.kubectl(&["patch", "pod", "api", "-n", "shop-prod", "--subresource=status", "--type=merge", "-p", &running]);
    let serving = Serving::start(&plane);
    let asked = exception("digests", "require-digest", &at(100_000), false);
    assert!(apply_as(&plane, "ada", "developers", &asked).ok);
    assert!(apply_as(&plane, "grace", "leads", &approved(asked, "grace")).ok);
    // 2026-11-21T04:17:00Z and 2026-11-20T04:18:00Z.
    for line in [
        "assay_drill_begun_timestamp_seconds{} 1795234620",
        "assay_drill_passed_timestamp_seconds{} 1795148280",
        "assay_inventory_lag_seconds{cluster=\"default\"} ",
        "assay_running_images{environment=\"prod\",severity=\"unscanned\"} 1",
        "assay_exceptions{state=\"ending\",environment=\"prod\"} 1",
        "assay_feed_age_seconds{} ",
        "assay_outbox_oldest_seconds{} 0",
    ] {
        eventually(line, || {
            let metrics = serving.metrics();
            if metrics.contains(line) { Ok(()) } else { Err(metrics) }
        });
    }
    assert!(digest.starts_with("sha256:"));
    plane.kubectl(&["delete", "cronjob", "assay-drill", "-n", "assay-system"]);
}

/// As cert-manager keeps them: files that somebody else renews, and the authority beside them.
#[test]
fn a_certificate_that_somebody_else_keeps_is_presented_and_its_authority_is_registered() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let folder = tempfile::tempdir().unwrap();
    let issue = || crate::certificates::issue(folder.path(), "127.0.0.1");
    issue();
    let file = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let (certificate, key, authority) = (
        format!("--certificate={}", file("tls.crt")),
        format!("--private-key={}", file("tls.key")),
        format!("--authority={}", file("ca.crt")),
    );
    let home = tempfile::tempdir().unwrap();
    let serving = Serving::start_as(&plane, home, &[], &[&certificate, &key, &authority]);
    let registered = || {
        let path = "jsonpath={.webhooks[0].clientConfig.caBundle}";
        plane.kubectl(&["get", "validatingwebhookconfiguration", "assay", "-o", path])
    };
    let bundle = || STANDARD.encode(std::fs::read(folder.path().join("ca.crt")).unwrap());
    assert_eq!(registered(), bundle());
    until(&plane, "shop-prod", TAGGED, "it is asked", |said| !said.ok && said.text.contains("(require-digest)"));
    // Another authority, another certificate: both are taken in while it serves.
    issue();
    eventually("the new authority is registered", || if registered() == bundle() { Ok(()) } else { Err(registered()) });
    until(&plane, "shop-prod", TAGGED, "it is asked again", |said| !said.ok && said.text.contains("(require-digest)"));
    drop(serving);
}
