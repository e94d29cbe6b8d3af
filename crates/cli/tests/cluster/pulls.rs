//! Credentials of Pods, and why an image is not pulled.

use std::net::TcpListener;
use std::process::Command;

use assay_sandbox::{Authentication, BuiltImage, ImageBuilder, Registry, RegistryOptions};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

use crate::chart::template;
use crate::peer::present;
use crate::plane::{ControlPlane, Said, plane};
use crate::process::eventually;
use crate::serving::{Serving, environment, pod, prepare, registry, runtime};

fn private(runtime: &Runtime) -> Registry {
    let authentication = Authentication::Bearer {
        username: "puller".into(),
        password: "s3cret".into(),
        anonymous_pull: false,
        expires_in: 300,
    };
    registry(runtime, RegistryOptions { authentication, ..RegistryOptions::default() })
}

fn image(name: &str) -> BuiltImage {
    ImageBuilder::new().layer([("app/name", name, 0o644)]).build()
}

/// A Secret as `kubectl create secret docker-registry` makes it.
fn secret(namespace: &str, host: &str, password: &str) -> String {
    let auth = STANDARD.encode(format!("puller:{password}"));
    let config = json!({"auths": {host: {"auth": auth}}}).to_string();
    json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": {"name": "pull", "namespace": namespace},
        "type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": STANDARD.encode(config)},
    })
    .to_string()
}

fn with_secret(pod: &str, name: &str) -> String {
    let mut pod: Value = serde_json::from_str(pod).unwrap();
    pod["spec"]["imagePullSecrets"] = json!([{"name": name}]);
    pod.to_string()
}

fn create(plane: &ControlPlane, pod: &str) -> Said {
    plane.try_kubectl_with(&["create", "--dry-run=server", "-f", "-"], pod)
}

#[test]
fn a_namespace_that_opted_in_is_judged_by_its_own_secrets_and_no_other_is() {
    let Some(plane) = plane() else { return };
    if !present("ASSAY_CLUSTER", &["helm"]) {
        return;
    }
    prepare(&plane);
    let runtime = runtime();
    let registry = private(&runtime);
    let host = registry.host();
    let digest = registry.put_image("shop/api", "1", &image("api"));
    let pinned = format!("{host}/shop/api@{digest}");
    for name in ["prod", "dev"] {
        plane.apply(&environment(name, &[("no-secrets-in-layers", "enforce")]).to_string());
        plane.apply(&secret(&format!("shop-{name}"), &host, "s3cret"));
    }
    // What the chart gives for it, and nothing else.
    let roles = template(&["--set", "pullSecrets.namespaces={shop-prod}", "--show-only", "templates/rbac.yaml"]);
    plane.apply(&roles.text);
    let may = |verb: &str, namespace: &str| {
        let account = "--as=system:serviceaccount:assay-system:assay";
        plane.try_kubectl(&["auth", "can-i", verb, "secrets", "-n", namespace, account]).status.success()
    };
    assert!(
        may("get", "shop-prod") && !may("list", "shop-prod") && !may("get", "shop-dev") && !may("get", "kube-system")
    );
    let home = tempfile::tempdir().unwrap();
    let mut serving = Serving::start_as(&plane, home, &[], &["--pull-secrets=shop-prod"]);
    serving.said("pull Secrets  of shop-prod");

    let own = |namespace: &str| with_secret(&pod(namespace, "api", &pinned), "pull");
    eventually("by the Pod's Secret it can be judged", || {
        let said = create(&plane, &own("shop-prod"));
        if said.ok { Ok(()) } else { Err(said.text) }
    });
    // The same Secret lies in the other namespace, whose Secrets are nobody's business; what is known already stays shut.
    for refused in [own("shop-dev"), pod("shop-dev", "api", &pinned), pod("shop-prod", "api", &pinned)] {
        let said = create(&plane, &refused);
        assert!(!said.ok && said.text.contains("could not be found out"), "{}", said.text);
    }
    // A ServiceAccount's list counts for Pods without one, once the answer of before is old or a registry refused it.
    plane.kubectl(&[
        "patch",
        "serviceaccount",
        "default",
        "-n",
        "shop-prod",
        "-p",
        r#"{"imagePullSecrets":[{"name":"pull"}]}"#,
    ]);
    eventually("by the ServiceAccount's Secret, too", || {
        let said = create(&plane, &pod("shop-prod", "api", &pinned));
        if said.ok { Ok(()) } else { Err(said.text) }
    });
    // The password is in nothing that was written.
    assert!(!serving.log().contains("s3cret"));
    plane.kubectl(&["patch", "serviceaccount", "default", "-n", "shop-prod", "-p", r#"{"imagePullSecrets":null}"#]);
    plane.kubectl(&["delete", "secret", "pull", "-n", "shop-prod"]);
    plane.kubectl(&["delete", "secret", "pull", "-n", "shop-dev"]);
}

fn explain(plane: &ControlPlane, name: &str) -> (Option<i32>, Value, String) {
    let home = tempfile::tempdir().unwrap();
    let run = |format: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
        command.env("HOME", home.path()).env_remove("KUBECONFIG").current_dir(home.path());
        command.args(["explain", &format!("shop-prod/{name}"), "-o", format, "--kubeconfig"]).arg(plane.kubeconfig());
        command.output().unwrap()
    };
    let (json, text) = (run("json"), run("text"));
    let error = String::from_utf8_lossy(&json.stderr);
    let outcome = serde_json::from_slice(&json.stdout).unwrap_or_else(|_| panic!("{error}"));
    (json.status.code(), outcome, String::from_utf8(text.stdout).unwrap())
}

/// A Pod on a node, whose kubelet says this of its one container.
fn on_a_node(plane: &ControlPlane, name: &str, image: &str, said: Option<(&str, &str)>) {
    let mut own: Value = serde_json::from_str(&pod("shop-prod", name, image)).unwrap();
    own["spec"]["nodeName"] = json!("worker-1");
    plane.apply(&own.to_string());
    if let Some((reason, message)) = said {
        let waiting = json!({"name": "api", "image": image, "imageID": "", "ready": false, "restartCount": 0,
            "state": {"waiting": {"reason": reason, "message": message}}});
        let status = json!({"status": {"phase": "Pending", "containerStatuses": [waiting]}}).to_string();
        let patch = ["patch", "pod", name, "-n", "shop-prod", "--subresource=status", "--type=merge", "-p", &status];
        plane.kubectl(&patch);
    }
}

/// One fault each, as a registry makes it and as a kubelet words it.
#[test]
fn every_cause_for_which_an_image_is_not_pulled_is_told_apart() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let runtime = runtime();
    let (open, closed) = (registry(&runtime, RegistryOptions::default()), private(&runtime));
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "worker-1"}});
    plane.apply(&node.to_string());
    let info = json!({"status": {"nodeInfo": {"operatingSystem": "linux", "architecture": "amd64", "machineID": "",
        "systemUUID": "", "bootID": "", "kernelVersion": "", "osImage": "", "containerRuntimeVersion": "",
        "kubeletVersion": "", "kubeProxyVersion": ""}}});
    let info = info.to_string();
    plane.kubectl(&["patch", "node", "worker-1", "--subresource=status", "--type=merge", "-p", &info]);
    open.put_image("shop/api", "1.0", &image("api"));
    closed.put_image("shop/api", "1.0", &image("api"));
    let arm = ImageBuilder::new().platform("linux/arm64".parse().unwrap()).layer([("a", "arm", 0o644)]).build();
    open.put_image("shop/arm", "index", &BuiltImage::index(std::slice::from_ref(&arm)));
    open.put_image("shop/arm", "single", &arm);
    // Takes connections and never says a word.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = silent.local_addr().unwrap().to_string();
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let (open, closed) = (open.host(), closed.host());
    let pulling = "Back-off pulling image";
    let resolve = |words: &str| format!("rpc error: code = Unknown desc = failed to resolve reference: {words}");
    let cases = [
        ("authentication", format!("{closed}/shop/api:1.0"), Some(("ErrImagePull", resolve("401 Unauthorized")))),
        (
            "dns",
            "registry.invalid/shop/api:1.0".to_owned(),
            Some(("ErrImagePull", resolve("dial tcp: lookup registry.invalid: no such host"))),
        ),
        ("time-out", format!("{silent}/shop/api:1.0"), Some(("ImagePullBackOff", pulling.to_owned()))),
        ("connection", format!("{free}/shop/api:1.0"), Some(("ImagePullBackOff", pulling.to_owned()))),
        (
            "not-found",
            format!("{open}/shop/nothing:1.0"),
            Some(("ErrImagePull", resolve("shop/nothing:1.0: not found"))),
        ),
        (
            "manifest-unknown",
            format!("{open}/shop/api:1.1"),
            Some(("ErrImagePull", resolve("shop/api:1.1: not found"))),
        ),
        ("architecture", format!("{open}/shop/arm:index"), Some(("ImagePullBackOff", pulling.to_owned()))),
        ("architecture", format!("{open}/shop/arm:single"), None),
        (
            "invalid-name",
            format!("{open}/Shop/api"),
            Some(("InvalidImageName", "couldn't parse image name".to_owned())),
        ),
        ("never-pulled", format!("{open}/shop/api:1.0"), Some(("ErrImageNeverPull", "not present".to_owned()))),
    ];
    for (number, (cause, image, said)) in cases.into_iter().enumerate() {
        let name = format!("pull-{number}");
        on_a_node(&plane, &name, &image, said.as_ref().map(|(reason, message)| (*reason, message.as_str())));
        let (code, outcome, text) = explain(&plane, &name);
        let container = &outcome["containers"][0];
        assert_eq!(container["cause"], cause, "{outcome:#}");
        assert_eq!((code, &outcome["platform"]), (Some(1), &json!("linux/amd64")), "{outcome:#}");
        assert!(container["fix"].as_str().is_some_and(|fix| !fix.is_empty()), "{outcome:#}");
        assert!(text.contains(&format!("{cause}: ")) && text.contains("    fix    "), "{text}");
        if cause == "manifest-unknown" {
            assert!(container["fix"].as_str().unwrap().contains("1.0"), "it names what is there: {outcome:#}");
        }
    }
    // With the Pod's own Secret it can be pulled; with a wrong one the Secret is named.
    for (password, cause, code) in [("s3cret", Value::Null, 0), ("guess", json!("authentication"), 1)] {
        plane.apply(&secret("shop-prod", &closed, password));
        let name = format!("secret-{code}");
        plane.apply(&with_secret(&pod("shop-prod", &name, &format!("{closed}/shop/api:1.0")), "pull"));
        let (own, outcome, _) = explain(&plane, &name);
        let container = &outcome["containers"][0];
        assert_eq!((own, &container["cause"]), (Some(code), &cause), "{outcome:#}");
        assert!(container["probe"].as_str().unwrap().contains("Secret pull"), "{outcome:#}");
        assert!(!outcome.to_string().contains("guess") && !outcome.to_string().contains("s3cret"));
    }
    plane.apply(&with_secret(&pod("shop-prod", "lost", &format!("{closed}/shop/api:1.0")), "gone"));
    let (_, outcome, text) = explain(&plane, "lost");
    assert_eq!(outcome["secrets"], json!(["Secret shop-prod/gone does not exist"]), "{outcome:#}");
    assert!(text.contains("Secret shop-prod/gone does not exist"), "{text}");
    plane.kubectl(&["delete", "secret", "pull", "-n", "shop-prod"]);
    plane.kubectl(&["delete", "node", "worker-1"]);
}

#[test]
fn a_pod_that_a_policy_keeps_out_is_explained_by_its_workload() {
    let Some(plane) = plane() else { return };
    prepare(&plane);
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "api", "namespace": "shop-prod"},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"app": "api"}}, "template": {
            "metadata": {"labels": {"app": "api"}},
            "spec": {"containers": [{"name": "api", "image": crate::serving::TAGGED}]},
        }},
    });
    plane.apply(&deployment.to_string());
    plane.apply(&environment("prod", &[("require-digest", "enforce")]).to_string());
    let serving = Serving::start(&plane);
    crate::serving::until(&plane, "shop-prod", crate::serving::TAGGED, "it is enforced", |said| !said.ok);
    plane.kubectl(&["scale", "deployment", "api", "-n", "shop-prod", "--replicas=1"]);
    let outcome = eventually("the ReplicaSet says why it makes no Pod", || {
        let events = plane.kubectl(&["get", "events", "-n", "shop-prod", "-o", "json"]);
        if !events.contains("FailedCreate") {
            return Err(events);
        }
        Ok(explain(&plane, "api"))
    });
    let (code, outcome, text) = outcome;
    assert_eq!((code, &outcome["containers"][0]["cause"]), (Some(1), &json!("policy")), "{outcome:#}");
    assert!(text.contains("(require-digest)") && text.contains("ReplicaSet/api-"), "{text}");
    plane.kubectl(&["delete", "deployments", "--all", "-n", "shop-prod"]);
    drop(serving);
}
