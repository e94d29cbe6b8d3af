//! What the API server refuses by itself, with no webhook there at all.

use std::process::Command;

use serde_json::{Value, json};

use crate::plane::{ControlPlane, plane};
use crate::process::eventually;
use crate::serving::{PINNED, TAGGED, environment, pod, prepare};

/// What `assay policy backstop` writes for these Environments.
fn written(environments: &[Value]) -> String {
    let folder = tempfile::tempdir().unwrap();
    for (number, environment) in environments.iter().enumerate() {
        std::fs::write(folder.path().join(format!("{number}.yaml")), environment.to_string()).unwrap();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.env_clear().env("HOME", folder.path()).current_dir(folder.path());
    let output = command.arg("--config").arg(folder.path()).args(["policy", "backstop"]).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn create(plane: &ControlPlane, object: &str) -> crate::plane::Said {
    plane.try_kubectl_with(&["create", "--dry-run=server", "-f", "-"], object)
}

#[test]
fn the_worst_is_refused_while_no_webhook_is_there() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let enforced = ["allowed-registries", "disallow-latest", "require-digest", "no-privileged"];
    let prod = environment("prod", &enforced.map(|control| (control, "enforce")));
    let dev = environment("dev", &[("no-privileged", "enforce"), ("require-digest", "enforce-with-exception")]);
    let manifests = written(&[prod, dev]);
    plane.apply(&manifests);
    // The API server takes a moment to compile them.
    eventually("a tag is refused", || {
        let said = create(&plane, &pod("shop-prod", "probe", TAGGED));
        if said.ok { Err(said.text) } else { Ok(()) }
    });
    let refused = |object: &str, words: &str| {
        let said = create(&plane, object);
        assert!(!said.ok && said.text.contains(words), "{words}: {}", said.text);
    };
    refused(
        &pod("shop-prod", "probe", TAGGED),
        &format!("rejected in prod: no digest (require-digest, backstop): {TAGGED}"),
    );
    let (_, digest) = PINNED.split_once('@').unwrap();
    for (image, named) in
        [("nginx", "docker.io/library/nginx"), ("127.0.0.1:1/shopping/api", "127.0.0.1:1/shopping/api")]
    {
        let words = format!("(allowed-registries, backstop): {named}@");
        refused(&pod("shop-prod", "probe", &format!("{image}@{digest}")), &words);
    }
    for image in ["127.0.0.1:1/shop/api", "127.0.0.1:1/shop/api:latest"] {
        refused(&pod("shop-prod", "probe", image), "(disallow-latest, backstop)");
    }
    let with = |change: &dyn Fn(&mut Value)| {
        let mut object: Value = serde_json::from_str(&pod("shop-prod", "probe", PINNED)).unwrap();
        change(&mut object["spec"]);
        object
    };
    refused(
        &with(&|spec| spec["containers"][0]["securityContext"] = json!({"privileged": true})).to_string(),
        "is root on the node",
    );
    refused(&with(&|spec| spec["hostNetwork"] = json!(true)).to_string(), "shares a namespace with the node");
    refused(
        &with(&|spec| spec["volumes"] = json!([{"name": "a", "hostPath": {"path": "/"}}])).to_string(),
        "mounts a path",
    );
    let image = json!([{"name": "data", "image": {"reference": TAGGED}}]);
    refused(&with(&|spec| spec["volumes"] = image.clone()).to_string(), "(require-digest, backstop)");
    refused(
        &with(&|spec| spec["initContainers"] = json!([{"name": "i", "image": TAGGED}])).to_string(),
        "(require-digest",
    );
    // A namespace that no Environment selects is judged by the strictest; every kind that makes Pods is.
    refused(&pod("default", "probe", TAGGED), "rejected in prod: no digest");
    let template = |image: &str| {
        let labels = json!({"app": "api"});
        let template =
            json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": "api", "image": image}]}});
        let spec = json!({"selector": {"matchLabels": labels}, "template": template});
        json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "shop-prod"}, "spec": spec})
    };
    refused(&template(TAGGED).to_string(), "(require-digest, backstop)");
    let job = json!({"template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "a", "image": TAGGED}]}}});
    let cron = json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "c", "namespace": "shop-prod"},
        "spec": {"schedule": "0 0 * * *", "jobTemplate": {"spec": job}}});
    refused(&cron.to_string(), "(require-digest, backstop)");
    // What is good runs, and what an Exception may lift is left to the webhook.
    for object in [
        pod("shop-prod", "probe", PINNED),
        template(PINNED).to_string(),
        pod("shop-dev", "probe", TAGGED),
        pod("assay-system", "probe", TAGGED),
    ] {
        let said = create(&plane, &object);
        assert!(said.ok && !said.text.contains("Warning"), "{}", said.text);
    }
    // What runs already may lose a label and be scaled.
    remove(&plane);
    plane.apply(&template(TAGGED).to_string());
    plane.apply(&manifests);
    eventually("a tag is refused again", || {
        let said = create(&plane, &pod("shop-prod", "probe", TAGGED));
        if said.ok { Err(said.text) } else { Ok(()) }
    });
    plane.kubectl(&["label", "deployment", "api", "-n", "shop-prod", "team=shop"]);
    plane.kubectl(&["scale", "deployment", "api", "-n", "shop-prod", "--replicas=2"]);
    plane.kubectl(&["delete", "deployment", "api", "-n", "shop-prod"]);
    remove(&plane);
}

fn remove(plane: &ControlPlane) {
    for kind in ["validatingadmissionpolicies", "validatingadmissionpolicybindings"] {
        plane.kubectl(&["delete", kind, "-l", "app.kubernetes.io/part-of=assay"]);
    }
    eventually("a tag is admitted", || {
        let said = create(plane, &pod("shop-prod", "probe", TAGGED));
        if said.ok { Ok(()) } else { Err(said.text) }
    });
}
