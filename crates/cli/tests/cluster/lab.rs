//! The lab's images, policy and attacks, tried through a real API server: what is good runs, and each attack meets its
//! control, in the words that kubectl prints.

use std::path::Path;
use std::process::Command;

use assay_cli::lab::ATTACKS;
use serde_json::{Value, json};

use crate::plane::{ControlPlane, Said, plane};
use crate::process::{Program, eventually};
use crate::serving::{Serving, prepare};

/// Attacks that need more than an object: a registry that fails or changes in between, vulnerability data of last week,
/// an Exception (its own tests are beside this one), or no admission at all, since they are a promotion.
const ELSEWHERE: [&str; 10] = [
    "moved-tag",
    "wrong-bytes",
    "registry-down",
    "rate-limited-registry",
    "stale-scan",
    "expired-exception",
    "exception-without-owner",
    "exception-out-of-scope",
    "rebuilt-digest",
    "vulnerable-rollback",
];
/// Who may approve in the lab.
const APPROVER: &str = "security-lead@example.com";

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lab's policy as objects of the cluster: what stands in a file beside the root goes into it.
fn policy(kept: &Path) -> String {
    let root = json!({
        "apiVersion": "assay.dev/v1", "kind": "TrustRoot", "metadata": {"name": "lab"},
        "spec": {"sigstore": {"inline": read(&kept.join("policy/trusted_root.json"))}},
    });
    let mut documents = vec![root.to_string()];
    for name in ["dev", "staging", "prod", "system"] {
        documents.push(read(&kept.join(format!("policy/{name}.yaml"))));
    }
    documents.join("\n---\n")
}

fn namespaces() -> String {
    let mut items = vec![json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "playground"}})];
    for team in ["payments", "web"] {
        for environment in ["dev", "staging", "prod"] {
            let labels = json!({"assay.dev/environment": environment});
            let metadata = json!({"name": format!("{team}-{environment}"), "labels": labels});
            items.push(json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}));
        }
    }
    json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string()
}

/// Makes an attack as somebody with kubectl would.
fn attack(plane: &ControlPlane, review: &Value) -> Said {
    let request = &review["request"];
    // Nothing here reaches the internet: the public registry is another one that is not the company's.
    let object = request["object"].to_string().replace("docker.io/", "127.0.0.1:1/");
    if request["oldObject"].is_null() {
        return plane.try_kubectl_with(&["create", "-f", "-"], &object);
    }
    let old: Value = request["oldObject"].clone();
    let [name, namespace, kind] =
        [&old["metadata"]["name"], &old["metadata"]["namespace"], &old["kind"]].map(|own| own.as_str().unwrap());
    eventually("what is attacked was admitted", || {
        let said = plane.try_kubectl_with(&["create", "-f", "-"], &old.to_string());
        if said.ok { Ok(()) } else { Err(said.text) }
    });
    let said = if request["subResource"] == "ephemeralcontainers" {
        let mut running: Value =
            serde_json::from_str(&plane.kubectl(&["get", kind, name, "-n", namespace, "-o", "json"])).unwrap();
        running["spec"]["ephemeralContainers"] = request["object"]["spec"]["ephemeralContainers"].clone();
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}/ephemeralcontainers");
        plane.try_kubectl_with(&["replace", "--raw", &path, "-f", "-"], &running.to_string())
    } else {
        plane.try_kubectl_with(&["replace", "-f", "-"], &object)
    };
    plane.kubectl(&["delete", kind, name, "-n", namespace, "--force", "--grace-period=0"]);
    said
}

#[test]
fn the_lab_in_a_cluster() {
    let Some(plane) = plane() else { return };
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().join("kept");
    let mut lab = Command::new(env!("CARGO_BIN_EXE_assay"));
    lab.args(["lab", "-q", "--serve", "--keep"]).arg(&kept).env("HOME", folder.path()).current_dir(folder.path());
    let mut lab = Program::start(folder.path(), "lab", &lab);
    lab.until("the lab has been walked", || kept.join("README.txt").is_file());

    prepare(&plane);
    plane.apply(&policy(&kept));
    plane.apply(&namespaces());
    let home = tempfile::tempdir().unwrap();
    std::fs::create_dir(home.path().join("store")).unwrap();
    for entry in std::fs::read_dir(kept.join("store")).unwrap() {
        let entry = entry.unwrap();
        // The ledger and the facts; the lab's own decisions stay where they are.
        if entry.file_name().to_string_lossy().starts_with("assay.db") {
            std::fs::copy(entry.path(), home.path().join("store").join(entry.file_name())).unwrap();
        }
    }
    let pack = kept.join("data/advisories.pack");
    let serving = Serving::start_with(&plane, home, &[("ASSAY_PACK", pack.to_str().unwrap())]);

    good_deploys_run(&plane, &kept);
    attacks_are_refused(&plane, &kept);
    a_critical_finding_can_be_excepted(&plane, &kept);
    drop(serving);
}

fn good_deploys_run(plane: &ControlPlane, kept: &Path) {
    let mut deployed = 0;
    // The lab's other service turns out to hold a new vulnerability before it ends: it would not be admitted again.
    let of_payments = |name: &str| name.starts_with("payments-");
    for entry in std::fs::read_dir(kept.join("manifests")).unwrap() {
        let entry = entry.unwrap();
        if !of_payments(&entry.file_name().to_string_lossy()) {
            continue;
        }
        let manifest = read(&entry.path());
        // The first deploy of a digest fetches what is known of it, and may run out of time on a busy machine.
        eventually("a good deploy is admitted", || {
            let said = plane.try_apply(&manifest);
            if said.ok { Ok(()) } else { Err(said.text) }
        });
        deployed += 1;
    }
    assert_eq!(deployed, 3);
    let said = plane.try_apply(&read(&kept.join("manifests/web-shop-prod.yaml")));
    assert!(!said.ok && said.text.contains("ASSAY-LAB-2026-0001 critical in @company/session"), "{}", said.text);
    // Not only the Deployment: what the built-in controllers make of it is admitted as well, and made again.
    let pods = || {
        let text = plane.kubectl(&["get", "pods", "-n", "payments-prod", "-o", "name"]);
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let two = |what: &str| {
        eventually(what, || match pods() {
            own if own.len() == 2 => Ok(own),
            own => Err(format!("{own:?}")),
        })
    };
    let first = two("its Pods are made");
    plane.kubectl(&["delete", &first[0], "-n", "payments-prod", "--force", "--grace-period=0"]);
    let second = two("a Pod that is gone is made again");
    assert!(!second.contains(&first[0]));
    plane.kubectl(&["delete", "deployments", "--all", "-n", "payments-prod"]);
}

fn attacks_are_refused(plane: &ControlPlane, kept: &Path) {
    let mut tried = 0;
    for own in ATTACKS.iter().filter(|own| !ELSEWHERE.contains(&own.name)) {
        let review: Value = serde_json::from_str(&read(&kept.join(format!("attacks/{}.json", own.name)))).unwrap();
        // Facts that are not gathered in time refuse as well; what is wanted is the control's own refusal.
        eventually(own.title, || {
            let said = attack(plane, &review);
            assert!(!said.ok, "{} was admitted: {}", own.name, said.text);
            let denied = said.text.contains("admission webhook \"closed.assay.dev\" denied the request: ");
            let named =
                said.text.contains(&format!("({})", own.control)) && said.text.contains(" is rejected in prod: ");
            let helped = said.text.contains(". Fix: assay check -f FILE --env prod. Why: assay explain ");
            if denied && named && helped { Ok(()) } else { Err(said.text) }
        });
        tried += 1;
    }
    assert_eq!(tried, ATTACKS.len() - ELSEWHERE.len());
}

/// The way through with an Exception: asked for by one, approved by another.
fn a_critical_finding_can_be_excepted(plane: &ControlPlane, kept: &Path) {
    let review: Value = serde_json::from_str(&read(&kept.join("attacks/critical-vulnerability.json"))).unwrap();
    let object = &review["request"]["object"];
    let image = object["spec"]["template"]["spec"]["containers"][0]["image"].as_str().unwrap();
    let (_, digest) = image.split_once('@').unwrap();
    let users = ["developer@example.com", APPROVER]
        .map(|user| json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}));
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": "lab-people"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": users,
    });
    plane.apply(&binding.to_string());
    let now = this_second();
    let mut exception = json!({
        "apiVersion": "assay.dev/v1", "kind": "Exception", "metadata": {"name": "no-fix-yet"},
        "spec": {
            "owner": "team-payments", "reason": "no fix exists", "controls": ["critical-cve", "known-exploited"],
            "subjects": [{"digest": digest}], "scope": {"namespaces": ["payments-prod"]},
            "expiresAt": later(now), "compensatingControl": "egress blocked",
        },
    });
    let apply = |user: &str, object: &Value| {
        let said = plane.try_kubectl_with(&["apply", "-f", "-", "--as", user], &object.to_string());
        assert!(said.ok, "{}", said.text);
        said.text
    };
    apply("developer@example.com", &exception);
    exception["spec"]["approval"] = json!({"by": APPROVER, "reference": "RISK-4711", "at": now.to_string()});
    let said = apply(APPROVER, &exception);
    assert!(!said.contains("does nothing"), "{said}");
    eventually("what is excepted is admitted", || {
        let said = plane.try_kubectl_with(&["create", "-f", "-"], &object.to_string());
        if said.ok { Ok(()) } else { Err(said.text) }
    });
}

fn this_second() -> assay_model::Timestamp {
    assay_model::Timestamp::from_second(assay_model::Timestamp::now().as_second()).unwrap()
}

fn later(now: assay_model::Timestamp) -> String {
    assay_model::Timestamp::from_second(now.as_second() + 10 * 86_400).unwrap().to_string()
}
