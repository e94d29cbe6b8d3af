//! From warning to enforcing: what would have been blocked, and the flip.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::plane::{ControlPlane, plane};
use crate::process::eventually;
use crate::serving::{PINNED, Serving, TAGGED, environment, pod, prepare, until};

fn readiness(home: &Path, more: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.env("HOME", home).env_remove("KUBECONFIG").current_dir(home);
    command.arg("--store").arg(format!("sqlite:{}", home.join("store/assay.db").display()));
    let output = command.args(["readiness", "--env", "prod"]).args(more).output().unwrap();
    let text = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), text)
}

fn action(plane: &ControlPlane) -> String {
    plane.kubectl(&["get", "environment", "prod", "-o", "jsonpath={.spec.controls.require-digest.action}"])
}

#[test]
fn a_control_is_flipped_when_nothing_would_break_or_somebody_answers_for_it() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    plane.apply(&environment("prod", &[("require-digest", "warn"), ("disallow-latest", "warn")]).to_string());
    let serving = Serving::start(&plane);
    until(&plane, "shop-prod", TAGGED, "it warns", |said| said.ok && said.text.contains("Warning"));
    plane.apply(&pod("shop-prod", "tagged", TAGGED));
    plane.apply(&pod("shop-prod", "pinned", PINNED));
    let home = serving.home.path().to_owned();
    let report = eventually("both are counted, and what runs is found", || {
        let (_, text) = readiness(&home, &["-o", "json"]);
        let report: Value = serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?;
        let row = report["controls"].as_array().unwrap().iter().find(|row| row["control"] == "require-digest").cloned();
        match row {
            Some(row) if row["judged"] == 2 && row["running"] == 1 => Ok(report),
            _ => Err(text),
        }
    });
    assert_eq!((&report["schema"], &report["days"]), (&Value::from("assay.dev/readiness/v1"), &Value::from(14)));
    let row = |control: &str| {
        let rows = report["controls"].as_array().unwrap();
        rows.iter().find(|row| row["control"] == control).unwrap().clone()
    };
    let digest = row("require-digest");
    assert_eq!((&digest["wouldBlock"], &digest["flips"]["when"]), (&Value::from(1), &Value::from("blocked")));
    assert_eq!(digest["namespaces"][0]["workloads"][0], "Pod/tagged");
    assert_eq!(digest["fixes"][0]["what"], "assay pin -f FILE");
    assert_eq!(row("disallow-latest")["flips"]["when"], "on", "clean, but for a moment only");
    // It would break something: no, unless somebody says why.
    let kubeconfig = plane.kubeconfig();
    let flip = ["--flip", "require-digest", "--by", "ada", "--kubeconfig", kubeconfig.to_str().unwrap()];
    let (code, text) = readiness(&home, &flip);
    assert!(code == Some(1) && text.contains("require-digest stays as it is in prod"), "{text}");
    assert_eq!(action(&plane), "warn");
    let (code, text) = readiness(&home, &[&flip[..], &["--force"]].concat());
    assert_eq!(code, Some(2), "without a reason nothing is forced: {text}");
    // Nothing is enforced that cannot be put on record first.
    let database = rusqlite::Connection::open(home.join("store/assay.db")).unwrap();
    let refuse =
        "CREATE TRIGGER full BEFORE INSERT ON policy_change BEGIN SELECT RAISE(ABORT, 'the disk is full'); END";
    database.execute_batch(refuse).unwrap();
    let forced = [&flip[..], &["--force", "--reason", "the old registry ends tonight"]].concat();
    let (code, text) = readiness(&home, &forced);
    assert_eq!((code, action(&plane).as_str()), (Some(2), "warn"), "{text}");
    database.execute_batch("DROP TRIGGER full").unwrap();
    let (code, text) = readiness(&home, &forced);
    assert!(code == Some(0) && text.contains("require-digest is enforce in prod, although"), "{text}");
    assert_eq!(action(&plane), "enforce");
    let object = plane.kubectl(&["get", "environment", "prod", "-o", "json"]);
    assert!(object.contains("assay.dev/flipped-require-digest") && object.contains("the old registry ends tonight"));
    until(&plane, "shop-prod", TAGGED, "it is enforced", |said| !said.ok && said.text.contains("(require-digest)"));
    let store = assay_store::Store::open(&home.join("store/assay.db")).unwrap();
    let changes = store.policy_changes().unwrap();
    assert_eq!((changes.len(), changes[0].by.as_str(), changes[0].would_block), (1, "ada", 1));
    assert_eq!(changes[0].outcome, assay_store::ChangeState::Made);
    assert_eq!(changes[0].reason.as_deref(), Some("the old registry ends tonight"));
}
