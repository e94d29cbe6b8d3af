//! The attacks that can be tried as a dry run, each with the control that has to stop it.

use assay_kube::{PODS, Resource, StoredObject};
use serde_json::{Value, json};

use super::images::Images;

/// How an attack is made.
#[derive(Debug)]
pub(super) enum Attempt {
    /// An object is created.
    Create(Resource, Value),
    /// One that runs is changed.
    Replace {
        /// What it is.
        resource: Resource,
        /// Its name.
        name: String,
        /// The subresource that is written.
        sub_resource: Option<&'static str>,
        /// What it is to become.
        object: Value,
    },
    /// It cannot be tried here.
    NotPossible(&'static str),
}

/// An attack.
pub(super) struct DrillAttack {
    /// A stable name, kebab-case.
    pub(super) name: &'static str,
    /// The same for people.
    pub(super) title: &'static str,
    /// The control that stops it.
    pub(super) control: &'static str,
    /// With the images, the namespace, and a Pod that runs there.
    pub(super) make: fn(&Images, &str, Option<&StoredObject>) -> Attempt,
}

const fn attack(
    name: &'static str,
    title: &'static str,
    control: &'static str,
    make: fn(&Images, &str, Option<&StoredObject>) -> Attempt,
) -> DrillAttack {
    DrillAttack { name, title, control, make }
}

/// Deployments.
const DEPLOYMENTS: Resource = Resource::namespaced("apps", "v1", "deployments");
const NO_POD: &str = "no Pod runs in the namespace that it could be made to";

/// All of them: how an image is named, who vouches for it, what is in it, how it runs, and the ways around.
pub(super) const ATTACKS: &[DrillAttack] = &[
    attack("public-registry", "image of another registry", "allowed-registries", |images, namespace, _| {
        pod(namespace, &images.elsewhere())
    }),
    attack("latest-tag", "the tag latest", "disallow-latest", |images, namespace, _| {
        pod(namespace, &format!("{}:latest", images.bare()))
    }),
    attack("no-tag", "no tag at all", "disallow-latest", |images, namespace, _| pod(namespace, &images.bare())),
    attack("tag-only", "a tag instead of a digest", "require-digest", |images, namespace, _| {
        pod(namespace, &images.tagged())
    }),
    attack("unsigned-image", "unsigned image", "require-signature", |images, namespace, _| {
        pod(namespace, &images.plain())
    }),
    attack("unsigned-template", "unsigned image in a Deployment", "require-signature", |images, namespace, _| {
        let labels = json!({"app": "drill"});
        let template = json!({"metadata": {"labels": labels}, "spec": spec(&images.plain())});
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata(namespace),
            "spec": {"selector": {"matchLabels": labels}, "template": template},
        });
        Attempt::Create(DEPLOYMENTS, object)
    }),
    attack("unsigned-init-container", "unsigned init container", "require-signature", |images, namespace, _| {
        changed(namespace, &images.plain(), |spec| {
            spec["initContainers"] = json!([{"name": "init", "image": images.plain()}]);
        })
    }),
    attack("unsigned-image-volume", "unsigned image volume", "require-signature", |images, namespace, _| {
        changed(namespace, &images.plain(), |spec| {
            spec["volumes"] = json!([{"name": "data", "image": {"reference": images.plain()}}]);
        })
    }),
    attack(
        "unsigned-ephemeral-container",
        "unsigned ephemeral container",
        "require-signature",
        |images, _, running| {
            let Some(running) = running else { return Attempt::NotPossible(NO_POD) };
            let mut object = running.0.clone();
            if let Some(spec) = object["spec"].as_object_mut() {
                let own = spec.entry("ephemeralContainers").or_insert_with(|| json!([]));
                if let Some(own) = own.as_array_mut() {
                    own.push(json!({"name": "assay-drill", "image": images.plain()}));
                }
            }
            Attempt::Replace {
                resource: PODS,
                name: running.name().to_owned(),
                sub_resource: Some("ephemeralcontainers"),
                object,
            }
        },
    ),
    attack("image-update", "another image in a Pod that runs", "require-signature", |images, _, running| {
        let Some(running) = running else { return Attempt::NotPossible(NO_POD) };
        let mut object = running.0.clone();
        object["spec"]["containers"][0]["image"] = json!(images.plain());
        Attempt::Replace { resource: PODS, name: running.name().to_owned(), sub_resource: None, object }
    }),
    attack("child-pod", "Pod below a permitted parent", "require-signature", |images, namespace, _| {
        let mut object = pod_object(namespace, spec(&images.plain()));
        object["metadata"]["ownerReferences"] = json!([{
            "apiVersion": "apps/v1", "kind": "ReplicaSet", "name": "permitted", "controller": true,
            "uid": "00000000-0000-4000-8000-000000000000",
        }]);
        Attempt::Create(PODS, object)
    }),
    attack("no-trusted-signer", "nobody signed who may", "trusted-signer", |images, namespace, _| {
        pod(namespace, &images.plain())
    }),
    attack("no-sbom", "no list of contents", "require-sbom", |images, namespace, _| pod(namespace, &images.plain())),
    attack("no-provenance", "built by nobody knows whom", "require-provenance", |images, namespace, _| {
        pod(namespace, &images.plain())
    }),
    attack("never-promoted", "digest that was never promoted", "release-known", |images, namespace, _| {
        pod(namespace, &images.plain())
    }),
    attack(
        "secret-in-deleted-file",
        "secret deleted in a later layer",
        "no-secrets-in-layers",
        |images, namespace, _| pod(namespace, &images.secret()),
    ),
    attack("critical-vulnerability", "critical vulnerability", "critical-cve", |images, namespace, _| {
        pod(namespace, &images.vulnerable())
    }),
    attack("exploited-vulnerability", "vulnerability that is exploited", "known-exploited", |images, namespace, _| {
        pod(namespace, &images.vulnerable())
    }),
    attack("high-vulnerability", "high vulnerability", "high-cve", |images, namespace, _| {
        pod(namespace, &images.vulnerable())
    }),
    attack("privileged", "privileged container", "no-privileged", |images, namespace, _| {
        changed(namespace, &images.plain(), |spec| {
            spec["containers"][0]["securityContext"] = json!({"privileged": true});
        })
    }),
    attack("runtime-socket", "socket of the container runtime", "no-privileged", |images, namespace, _| {
        changed(namespace, &images.plain(), |spec| {
            spec["volumes"] = json!([{"name": "socket", "hostPath": {"path": "/run/containerd/containerd.sock"}}]);
        })
    }),
    attack("root", "container that runs as root", "run-as-non-root", |images, namespace, _| {
        changed(namespace, &images.plain(), |spec| {
            spec["containers"][0]["securityContext"] = json!({"runAsUser": 0});
        })
    }),
    attack("never-pulled", "image that lies on the node", "pull-policy", |images, namespace, _| {
        changed(namespace, &images.plain(), |spec| spec["containers"][0]["imagePullPolicy"] = json!("Never"))
    }),
];

fn metadata(namespace: &str) -> Value {
    json!({"name": "assay-drill", "namespace": namespace, "labels": {"app.kubernetes.io/part-of": "assay"}})
}

/// A Pod specification that passes the restricted standard (Kubernetes, "Pod Security Standards"): what refuses it is what
/// an attack changes, and not somebody else's webhook.
fn spec(image: &str) -> Value {
    json!({
        "automountServiceAccountToken": false,
        "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [{
            "name": "drill", "image": image, "imagePullPolicy": "IfNotPresent",
            "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
        }],
    })
}

fn pod_object(namespace: &str, spec: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": metadata(namespace), "spec": spec})
}

fn pod(namespace: &str, image: &str) -> Attempt {
    Attempt::Create(PODS, pod_object(namespace, spec(image)))
}

fn changed(namespace: &str, image: &str, change: impl FnOnce(&mut Value)) -> Attempt {
    let mut spec = spec(image);
    change(&mut spec);
    Attempt::Create(PODS, pod_object(namespace, spec))
}
