//! Tags become digests where that is asked for, and no controller notices.

use assay_sandbox::{ImageBuilder, RegistryOptions};
use serde_json::{Value, json};

use crate::plane::{ControlPlane, plane};
use crate::process::eventually;
use crate::serving::{Serving, environment, pod, prepare, registry, runtime};

fn deployment(name: &str, image: &str) -> String {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "namespace": "shop-prod"},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": {
            "metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "api", "image": image}]},
        }},
    })
    .to_string()
}

/// The images of the objects of a kind that belong to an app.
fn images(plane: &ControlPlane, kind: &str, app: &str) -> Vec<String> {
    let text = plane.kubectl(&["get", kind, "-n", "shop-prod", "-l", &format!("app={app}"), "-o", "json"]);
    let list: Value = serde_json::from_str(&text).unwrap();
    let spec = |own: &Value| if kind == "pods" { own["spec"].clone() } else { own["spec"]["template"]["spec"].clone() };
    let items = list["items"].as_array().unwrap().iter();
    items.map(|own| spec(own)["containers"][0]["image"].as_str().unwrap().to_owned()).collect()
}

fn pods(plane: &ControlPlane, app: &str, count: usize) -> Vec<String> {
    eventually("its Pods are made", || match images(plane, "pods", app) {
        own if own.len() == count => Ok(own),
        own => Err(format!("{own:?}")),
    })
}

#[test]
fn templates_are_pinned_and_their_controllers_make_each_thing_once() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let runtime = runtime();
    let registry = registry(&runtime, RegistryOptions::default());
    let image = ImageBuilder::new().layer([("app/name", "api", 0o644)]).build();
    let digest = registry.put_image("shop/api", "1.0", &image);
    let (tag, pinned) =
        (format!("{}/shop/api:1.0", registry.host()), format!("{}/shop/api:1.0@{digest}", registry.host()));
    plane.apply(&environment("prod", &[("require-digest", "audit")]).to_string());
    // It was there before anybody pinned anything: its template has a tag.
    plane.apply(&deployment("early", &tag));
    pods(&plane, "early", 2);
    let serving = Serving::start_as(&plane, tempfile::tempdir().unwrap(), &[], &["--mutate=templates"]);
    eventually("a new Pod is pinned", || {
        let said = plane.try_kubectl_with(
            &["create", "--dry-run=server", "-o", "json", "-f", "-"],
            &pod("shop-prod", "probe", &tag),
        );
        if said.text.contains(&pinned) { Ok(()) } else { Err(said.text) }
    });
    plane.apply(&deployment("late", &tag));
    let stored = plane.kubectl(&[
        "get",
        "deployment",
        "late",
        "-n",
        "shop-prod",
        "-o",
        "jsonpath={.spec.template.spec.containers[0].image}",
    ]);
    assert_eq!(stored, pinned);
    assert_eq!(pods(&plane, "late", 2), [pinned.clone(), pinned.clone()]);
    // The one that was there is scaled: its ReplicaSet stays what its template says, its new Pods do not.
    plane.kubectl(&["scale", "deployment", "early", "-n", "shop-prod", "--replicas=4"]);
    let made = pods(&plane, "early", 4);
    assert_eq!(made.iter().filter(|own| **own == pinned).count(), 2, "{made:?}");
    // Applied again it is the same; a Job is pinned when it is made, and what a CronJob makes stays as it was made.
    plane.apply(&deployment("late", &tag));
    for app in ["early", "late"] {
        assert_eq!(images(&plane, "replicasets", app).len(), 1, "{app}: no second ReplicaSet");
        let observed = eventually("the controller has seen it", || {
            let path = "jsonpath={.metadata.generation} {.status.observedGeneration} {.status.collisionCount}";
            let text = plane.kubectl(&["get", "deployment", app, "-n", "shop-prod", "-o", path]);
            let parts: Vec<&str> = text.split(' ').collect();
            if parts[0] == parts[1] { Ok(text) } else { Err(text) }
        });
        assert!(observed.trim_end().split(' ').count() == 2, "{app} met itself: {observed}");
    }
    assert_eq!(images(&plane, "replicasets", "early"), [tag]);
    assert_eq!(images(&plane, "replicasets", "late"), [pinned]);
    plane.kubectl(&["delete", "deployments", "--all", "-n", "shop-prod"]);
    drop(serving);
}
