//! The control plane: etcd, kube-apiserver, kube-controller-manager.

use std::io::Write as _;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use crate::certificates;
use crate::peer::{path, present};
use crate::process::{Program, free_ports};

const PROGRAMS: [&str; 4] = ["etcd", "kube-apiserver", "kube-controller-manager", "kubectl"];

static PLANE: OnceLock<Option<Mutex<ControlPlane>>> = OnceLock::new();

/// The control plane, for one test at a time. `None` where it is not installed.
pub(crate) fn plane() -> Option<MutexGuard<'static, ControlPlane>> {
    let started = || present("ASSAY_CLUSTER", &PROGRAMS).then(|| Mutex::new(ControlPlane::start()));
    // A test that failed leaves the cluster as it was: the next one makes what it needs.
    let mut plane = PLANE.get_or_init(started).as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
    plane.clean();
    Some(plane)
}

pub(crate) struct ControlPlane {
    folder: PathBuf,
    ports: [u16; 4],
    etcd: Option<Program>,
    api: Option<Program>,
    _manager: Program,
    /// Deletes the folder when all is over.
    _broom: Program,
}

impl ControlPlane {
    fn start() -> Self {
        let folder = tempfile::Builder::new().prefix("assay-cluster-").tempdir().unwrap().keep();
        // Waits for its own end, which is that of the test binary.
        let mut broom = Command::new("sh");
        broom.args(["-c", "trap 'sleep 3; rm -rf \"$0\"; exit' TERM; while :; do sleep 1; done"]).arg(&folder);
        let broom = Program::start(Path::new(&std::env::temp_dir()), "assay-cluster-broom", &broom);
        certificates::write(&folder);
        let ports: [u16; 4] = free_ports();
        let [_, _, api, manager] = ports;
        let database = database(&folder, ports);
        write_kubeconfig(&folder, api);
        let api = api_server(&folder, ports);
        let mut command = Command::new(path("kube-controller-manager"));
        command.arg("--kubeconfig").arg(folder.join("kubeconfig")).arg("--root-ca-file").arg(folder.join("ca.crt"));
        command.arg("--service-account-private-key-file").arg(folder.join("accounts.key"));
        command.args(["--bind-address", "127.0.0.1", "--leader-elect=false", "--use-service-account-credentials"]);
        command.args(["--authentication-skip-lookup", &format!("--secure-port={manager}")]);
        let manager = Program::start(&folder, "manager", &command);
        let mut plane = Self { folder, ports, etcd: Some(database), api: Some(api), _manager: manager, _broom: broom };
        plane.wait();
        let accounts = || plane.try_kubectl(&["get", "serviceaccount", "default"]).status.success();
        crate::process::eventually("the controller manager works", || accounts().then_some(()).ok_or(String::new()));
        plane
    }

    fn wait(&mut self) {
        let Some(mut api) = self.api.take() else { return };
        api.until("the API server is ready", || self.try_kubectl(&["get", "--raw", "/readyz"]).status.success());
        self.api = Some(api);
    }

    /// Stops the API server, for as long as `meanwhile` takes.
    pub(crate) fn without_api_server(&mut self, meanwhile: impl FnOnce()) {
        drop(self.api.take());
        meanwhile();
        self.api = Some(api_server(&self.folder, self.ports));
        self.wait();
    }

    /// Stops etcd, for as long as `meanwhile` takes. What it holds stays.
    pub(crate) fn without_etcd(&mut self, meanwhile: impl FnOnce(&Self)) {
        drop(self.etcd.take());
        meanwhile(self);
        self.etcd = Some(database(&self.folder, self.ports));
        self.wait();
    }

    /// Everything goes, and comes up again with what etcd holds. The controller manager tries until it is there.
    pub(crate) fn cold_start(&mut self) {
        drop(self.api.take());
        drop(self.etcd.take());
        self.etcd = Some(database(&self.folder, self.ports));
        self.api = Some(api_server(&self.folder, self.ports));
        self.wait();
    }

    /// What earlier tests left and others would stumble over.
    fn clean(&mut self) {
        for kind in [
            "validatingwebhookconfigurations",
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
        ] {
            self.try_kubectl(&["delete", kind, "--all", "--ignore-not-found"]);
        }
        for kind in ["environments", "exceptions", "releaseartifacts", "trustroots"] {
            self.try_kubectl(&["delete", &format!("{kind}.assay.dev"), "--all"]);
        }
        self.try_kubectl(&["delete", "secret,lease", "--all", "-n", "assay-system"]);
        self.try_kubectl(&["delete", "deployments,pods,services,events", "--all", "-A", "--force", "--grace-period=0"]);
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// The kubeconfig of the ServiceAccount whose token was issued.
    pub(crate) fn service_account(&self) -> PathBuf {
        self.folder.join("account.kubeconfig")
    }

    /// Issues a token for a ServiceAccount, in the file that its kubeconfig names.
    pub(crate) fn issue_token(&self, namespace: &str, name: &str) {
        let token = self.kubectl(&["create", "token", name, "-n", namespace, "--duration=1h"]);
        std::fs::write(self.folder.join("token"), token.trim()).unwrap();
        let text = std::fs::read_to_string(self.kubeconfig()).unwrap();
        let user = "{client-certificate: admin.crt, client-key: admin.key}";
        std::fs::write(self.service_account(), text.replace(user, "{tokenFile: token}")).unwrap();
    }

    pub(crate) fn client(&self) -> assay_kube::Client {
        let config = assay_kube::Config::from_files(&[self.kubeconfig()], None).unwrap();
        assay_kube::Client::new(config).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(path("kubectl"));
        command.env_clear().env("HOME", &self.folder).current_dir(&self.folder);
        command.arg("--kubeconfig").arg(self.kubeconfig()).args(arguments);
        command
    }

    /// Runs kubectl, whatever comes of it.
    pub(crate) fn try_kubectl(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs kubectl with something on its standard input.
    pub(crate) fn try_kubectl_with(&self, arguments: &[&str], input: &str) -> Said {
        let mut command = self.command(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // kubectl may refuse before it has read all.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        Said::of(&child.wait_with_output().unwrap())
    }

    /// Runs kubectl and gives what it says, which must be success.
    pub(crate) fn kubectl(&self, arguments: &[&str]) -> String {
        let said = Said::of(&self.try_kubectl(arguments));
        assert!(said.ok, "kubectl {}: {}", arguments.join(" "), said.text);
        said.text
    }

    /// Applies manifests, which must be taken.
    pub(crate) fn apply(&self, manifests: &str) -> String {
        let said = self.try_apply(manifests);
        assert!(said.ok, "{}", said.text);
        said.text
    }

    /// Applies manifests, whatever comes of it.
    pub(crate) fn try_apply(&self, manifests: &str) -> Said {
        self.try_kubectl_with(&["apply", "-f", "-"], manifests)
    }
}

/// What kubectl printed, on both streams.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) ok: bool,
    pub(crate) text: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).concat();
        Self { ok: output.status.success(), text }
    }
}

fn write_kubeconfig(folder: &Path, port: u16) {
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: tests\n\
         clusters: [{{name: tests, cluster: {{server: 'https://127.0.0.1:{port}', certificate-authority: ca.crt}}}}]\n\
         users: [{{name: admin, user: {{client-certificate: admin.crt, client-key: admin.key}}}}]\n\
         contexts: [{{name: tests, context: {{cluster: tests, user: admin}}}}]\n"
    );
    std::fs::write(folder.join("kubeconfig"), text).unwrap();
}

fn database(folder: &Path, [etcd, peers, ..]: [u16; 4]) -> Program {
    let mut command = Command::new(path("etcd"));
    let (clients, peers) = (format!("http://127.0.0.1:{etcd}"), format!("http://127.0.0.1:{peers}"));
    command.args(["--data-dir", &folder.join("etcd").to_string_lossy(), "--unsafe-no-fsync", "--log-level", "warn"]);
    command.args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients]);
    command.args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers]);
    command.args(["--initial-cluster", &format!("default={peers}")]);
    let mut database = Program::start(folder, "etcd", &command);
    database.until("etcd listens", || TcpStream::connect(("127.0.0.1", etcd)).is_ok());
    database
}

fn api_server(folder: &Path, [etcd, _, api, _]: [u16; 4]) -> Program {
    let file = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let mut command = Command::new(path("kube-apiserver"));
    command.args(["--etcd-servers", &format!("http://127.0.0.1:{etcd}"), "--secure-port", &api.to_string()]);
    command.args(["--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"]);
    command.args(["--tls-cert-file", &file("apiserver.crt"), "--tls-private-key-file", &file("apiserver.key")]);
    command.args(["--client-ca-file", &file("ca.crt"), "--service-account-issuer", "https://kubernetes.default.svc"]);
    command.args(["--service-account-key-file", &file("accounts.pub")]);
    command.args(["--service-account-signing-key-file", &file("accounts.key")]);
    command.args(["--service-cluster-ip-range", "10.0.0.0/24", "--authorization-mode", "RBAC", "--allow-privileged"]);
    // Pods need no ServiceAccount then: there is no kubelet that would use its token.
    command.args(["--disable-admission-plugins", "ServiceAccount"]);
    Program::start(folder, "apiserver", &command)
}
