//! `assay drill` against the API server: it passes where everything is enforced, and names the control that is not.

use std::path::Path;
use std::process::{Command, Output};

use assay_sandbox::{ImageBuilder, RegistryOptions};
use serde_json::{Value, json};

use crate::plane::{ControlPlane, plane};
use crate::process::eventually;
use crate::serving::{PINNED, Serving, environment, pod, prepare, registry, runtime, until};

/// Every control that an attack is made on.
const DRILLED: [&str; 14] = [
    "allowed-registries",
    "disallow-latest",
    "require-digest",
    "require-signature",
    "trusted-signer",
    "require-sbom",
    "require-provenance",
    "release-known",
    "no-secrets-in-layers",
    "critical-cve",
    "known-exploited",
    "high-cve",
    "no-privileged",
    "run-as-non-root",
];
/// One more, without which the last test of a list would prove nothing.
const LAST: &str = "pull-policy";

/// What everybody's feeds say of two packages.
const ADVISORIES: &str = r#"{"id":"GHSA-jfh8-c2jp-5v3q","modified":"2026-11-20T00:00:00Z","published":"2021-12-10T00:00:00Z","aliases":["CVE-2021-44228"],"summary":"log4j","affected":[{"package":{"ecosystem":"Maven","name":"org.apache.logging.log4j:log4j-core"},"ranges":[{"type":"ECOSYSTEM","events":[{"introduced":"2.13.0"},{"fixed":"2.15.0"}]}]}],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:C/C:H/I:H/A:H"}]}
{"id":"GHSA-35jh-r3h4-6jhm","modified":"2026-11-20T00:00:00Z","published":"2021-05-06T00:00:00Z","aliases":["CVE-2021-23337"],"summary":"lodash","affected":[{"package":{"ecosystem":"npm","name":"lodash"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"4.17.21"}]}]}],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:H/UI:N/S:U/C:H/I:H/A:H"}]}
"#;
const EXPLOITED: &str = r#"{"title":"x","catalogVersion":"2026.11.20","dateReleased":"2026-11-20T00:00:00Z","count":1,"vulnerabilities":[{"cveID":"CVE-2021-44228","vendorProject":"Apache","product":"Log4j2","vulnerabilityName":"x","dateAdded":"2021-12-10","shortDescription":"x","requiredAction":"x","dueDate":"2021-12-24","knownRansomwareCampaignUse":"Known","notes":""}]}"#;

fn assay(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.env("HOME", folder).env_remove("KUBECONFIG").current_dir(folder).args(arguments).output().unwrap()
}

fn pack(folder: &Path) -> String {
    std::fs::write(folder.join("osv.jsonl"), ADVISORIES).unwrap();
    std::fs::write(folder.join("kev.json"), EXPLOITED).unwrap();
    let built = assay(folder, &["db", "build", "osv.jsonl", "--kev", "kev.json", "--to", "drill.pack"]);
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    folder.join("drill.pack").to_string_lossy().into_owned()
}

fn prod(host: &str, off: &str) -> String {
    let all = DRILLED.into_iter().chain([LAST]).filter(|control| *control != off);
    let mut prod = environment("prod", &all.map(|control| (control, "enforce")).collect::<Vec<_>>());
    prod["spec"]["registries"] = json!([format!("{host}/shop/")]);
    prod.to_string()
}

/// Runs a drill: whether it passes, and what it says.
fn drill(plane: &ControlPlane, folder: &Path, host: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let (kubeconfig, repository) = (plane.kubeconfig(), format!("{host}/shop/drill"));
    let common = ["drill", "-q", "--namespace", "shop-prod", "--registry", &repository, "--kubeconfig"];
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.env("HOME", folder).env("ASSAY_PLAIN_HTTP", host).current_dir(folder);
    let output = command.args(common).arg(kubeconfig).args(more).output().unwrap();
    let [out, err] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    (output.status.code(), out, err)
}

#[test]
fn a_drill_passes_where_all_is_enforced_and_names_each_control_that_is_off() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let runtime = runtime();
    let registry = registry(&runtime, RegistryOptions::default());
    let (folder, host) = (tempfile::tempdir().unwrap(), registry.host());
    let pack = pack(folder.path());
    // Something runs already: what attaches to it, and what changes it, is tried as well.
    let running = ImageBuilder::new().layer([("etc/os-release", "ID=running\n", 0o644)]).build();
    let digest = registry.put_image("shop/running", "1", &running);
    plane.apply(&pod("shop-prod", "running", &format!("{host}/shop/running@{digest}")));
    plane.apply(&prod(&host, ""));
    let home = tempfile::tempdir().unwrap();
    let serving = Serving::start_with(&plane, home, &[("ASSAY_PACK", &pack), ("ASSAY_PLAIN_HTTP", &host)]);
    until(&plane, "shop-prod", PINNED, "it is enforced", |said| !said.ok && said.text.contains("(require-signature)"));
    let (code, out, err) = drill(&plane, folder.path(), &host, &["-o", "json", "-o", "junit=drill.xml"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let outcome: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(outcome["schema"], "assay.dev/drill/v1");
    let attacks = outcome["attacks"].as_array().unwrap();
    for attack in attacks {
        assert_eq!(attack["verdict"], "denied", "{attack}");
        assert!(!attack["message"].as_str().unwrap().contains("could not be found out"), "{attack}");
    }
    for control in DRILLED.into_iter().chain([LAST]) {
        assert!(attacks.iter().any(|attack| attack["control"] == control), "{control}");
        assert!(!outcome["notDrilled"].as_array().unwrap().contains(&json!(control)), "{control}");
    }
    assert!(outcome["notDrilled"].as_array().unwrap().contains(&json!("fresh-scan")));
    let junit = std::fs::read_to_string(folder.path().join("drill.xml")).unwrap();
    assert!(junit.contains("failures=\"0\"") && junit.contains("not drilled"), "{junit}");
    // Nothing of it is left in the cluster.
    assert!(!plane.kubectl(&["get", "pods,deployments", "-n", "shop-prod", "-o", "name"]).contains("assay-drill"));
    for control in DRILLED.into_iter().chain([LAST]) {
        plane.apply(&prod(&host, control));
        let (out, err) = eventually(control, || match drill(&plane, folder.path(), &host, &["--control", control]) {
            (Some(1), out, err) => Ok((out, err)),
            other => Err(format!("{other:?}")),
        });
        assert!(out.contains(&format!("{control} is not held: ")) && out.contains("NOT STOPPED"), "{out}{err}");
    }
    drop(serving);
}

#[test]
fn a_drill_that_cannot_be_made_shows_nothing() {
    let Some(plane) = plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (code, out, err) = drill(&plane, folder.path(), "127.0.0.1:1", &[]);
    assert_eq!(code, Some(2), "no namespace, and no registry: {out}{err}");
    let (code, _, err) = drill(&plane, folder.path(), "127.0.0.1:1", &["--control", "fresh-scan"]);
    assert!(code == Some(2) && err.contains("an attack on fresh-scan"), "{err}");
}
