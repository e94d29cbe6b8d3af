//! `assay serve --register` beside the control plane.

use std::path::{Path, PathBuf};
use std::process::Command;

use assay_sandbox::{Registry, RegistryOptions};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::crds::install;
use crate::plane::{ControlPlane, Said};
use crate::process::{Program, eventually};

/// What it says when everything is in place.
const READY: &str = "ready: the cluster is followed";
/// An image that is named well; nothing answers there.
pub(crate) const PINNED: &str =
    "127.0.0.1:1/shop/api@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// The same by its tag.
pub(crate) const TAGGED: &str = "127.0.0.1:1/shop/api:1.0";

/// A server that follows the cluster. Its store outlives it.
pub(crate) struct Serving {
    program: Program,
    kubeconfig: PathBuf,
    pub(crate) home: TempDir,
}

impl Serving {
    /// Starts it on what is in the cluster, and waits until it is ready.
    pub(crate) fn start(plane: &ControlPlane) -> Self {
        Self::start_with(plane, tempfile::tempdir().unwrap(), &[])
    }

    pub(crate) fn start_with(plane: &ControlPlane, home: TempDir, variables: &[(&str, &str)]) -> Self {
        Self::start_as(plane, home, variables, &[])
    }

    /// The same with further arguments.
    pub(crate) fn start_as(
        plane: &ControlPlane,
        home: TempDir,
        variables: &[(&str, &str)],
        arguments: &[&str],
    ) -> Self {
        let program = run(&plane.service_account(), home.path(), variables, arguments);
        let mut serving = Self { program, kubeconfig: plane.service_account(), home };
        serving.said(READY);
        serving
    }

    /// Waits until it has said something.
    pub(crate) fn said(&mut self, text: &str) {
        let log = self.home.path().join("serve.log");
        let has = || std::fs::read_to_string(&log).is_ok_and(|said| said.contains(text));
        self.program.until(text, has);
    }

    /// What it has said.
    pub(crate) fn log(&self) -> String {
        self.program.log()
    }

    /// What `/metrics` says.
    pub(crate) fn metrics(&self) -> String {
        let log = self.log();
        let address = log.split("listening on ").nth(1).and_then(|rest| rest.split("/validate").next()).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        // The second call finds it installed.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        runtime.block_on(async {
            // Somebody else's certificate would do as well: this asks a process of its own on this machine.
            let client = reqwest::Client::builder().no_proxy().tls_danger_accept_invalid_certs(true).build().unwrap();
            client.get(format!("{address}/metrics")).send().await.unwrap().text().await.unwrap()
        })
    }

    /// Resident memory, in megabytes.
    pub(crate) fn megabytes(&self) -> u64 {
        self.program.memory("VmRSS:")
    }

    /// The most that it ever was.
    pub(crate) fn peak_megabytes(&self) -> u64 {
        self.program.memory("VmHWM:")
    }

    /// Kills it, without a word.
    pub(crate) fn kill(&self) {
        self.program.kill();
    }

    /// Stops it. What it keeps stays.
    pub(crate) fn stop(self) -> Stopped {
        self.program.stop();
        std::fs::remove_file(self.home.path().join("serve.log")).unwrap();
        Stopped { kubeconfig: self.kubeconfig, home: self.home }
    }

    /// The decisions that are on record once it has stopped.
    pub(crate) fn decisions(self) -> usize {
        let Stopped { home, .. } = self.stop();
        assay_store::Store::open(&home.path().join("store/assay.db")).unwrap().decisions(100).unwrap().len()
    }
}

/// A server that does not run.
pub(crate) struct Stopped {
    kubeconfig: PathBuf,
    home: TempDir,
}

impl Stopped {
    pub(crate) fn start(self) -> Serving {
        let program = run(&self.kubeconfig, self.home.path(), &[], &[]);
        let mut serving = Serving { program, kubeconfig: self.kubeconfig, home: self.home };
        serving.said(READY);
        serving
    }
}

fn run(kubeconfig: &Path, home: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_assay"));
    command.env("HOME", home).env("ASSAY_OFFLINE", "false").current_dir(home);
    command.args(["serve", "--listen", "127.0.0.1:0", "--register", "127.0.0.1", "--own-namespace", "assay-system"]);
    command.arg("--kubeconfig").arg(kubeconfig).args(arguments);
    command
        .arg("--store")
        .arg(format!("sqlite:{}", home.join("store/assay.db").display()))
        .envs(variables.iter().copied());
    Program::start(home, "serve", &command)
}

/// What runs servers beside a test.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

pub(crate) fn registry(runtime: &Runtime, options: RegistryOptions) -> Registry {
    runtime.block_on(Registry::start(options)).unwrap()
}

/// The definitions, Assay's namespace, and `shop-prod` and `shop-dev` for the Environments of the same name.
pub(crate) fn prepare(plane: &ControlPlane) {
    install(plane);
    let namespaces = [("assay-system", "none"), ("shop-prod", "prod"), ("shop-dev", "dev")].map(|(name, environment)| {
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": {"environment": environment}}})
    });
    plane.apply(&json!({"apiVersion": "v1", "kind": "List", "items": namespaces}).to_string());
    plane.apply(&deployed("rbac.yaml"));
    plane.issue_token("assay-system", "assay");
}

/// A file of `deploy/`.
pub(crate) fn deployed(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// An Environment with these controls, and all others off.
pub(crate) fn environment(name: &str, controls: &[(&str, &str)]) -> Value {
    let actions = assay_gate::catalogue().iter().map(|entry| {
        let id = entry.id.as_str();
        let action = controls.iter().find(|(own, _)| *own == id).map_or("off", |(_, action)| action);
        (id.to_owned(), json!({"action": action}))
    });
    json!({
        "apiVersion": "assay.dev/v1", "kind": "Environment", "metadata": {"name": name},
        "spec": {
            "tier": name,
            "namespaces": {"matchLabels": {"environment": name}},
            "registries": ["127.0.0.1:1/shop/"],
            "controls": actions.collect::<serde_json::Map<_, _>>(),
            "exceptions": {"maximumDuration": "30d", "breakGlassMaximumDuration": "2h", "approvers": ["group:leads"]},
        },
    })
}

pub(crate) fn pod(namespace: &str, name: &str, image: &str) -> String {
    json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "namespace": namespace},
        "spec": {"containers": [{"name": "api", "image": image}]},
    })
    .to_string()
}

/// Tries a Pod as a dry run until the answer is as wanted: changes arrive within a moment, not at once.
pub(crate) fn until(
    plane: &ControlPlane,
    namespace: &str,
    image: &str,
    what: &str,
    wanted: impl Fn(&Said) -> bool,
) -> String {
    eventually(what, || {
        let said = plane.try_kubectl_with(&["create", "--dry-run=server", "-f", "-"], &pod(namespace, "probe", image));
        if wanted(&said) { Ok(said.text) } else { Err(said.text) }
    })
}

/// The condition of an object: status, reason, message.
pub(crate) fn condition(plane: &ControlPlane, object: &str, kind: &str) -> Option<(String, String, String)> {
    let text = plane.kubectl(&["get", object, "-o", "json"]);
    let object: Value = serde_json::from_str(&text).unwrap();
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|own| own["type"] == kind)?;
    let field = |name: &str| found[name].as_str().unwrap().to_owned();
    Some((field("status"), field("reason"), field("message")))
}
