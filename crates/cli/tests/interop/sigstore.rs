//! A Sigstore instance of others' programs: Fulcio, Rekor version 2 and the timestamp authority; the sandbox issues the
//! identity tokens and keeps the certificate log.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use assay_model::Timestamp;
use assay_sandbox::sigstore::{Authority, Identity, Server};
use serde_json::Value;
use tempfile::TempDir;

use crate::home::Home;
use crate::peer;
use crate::service::{Log, Service, get};

/// The programs of an instance.
pub(crate) const PEERS: [&str; 4] = ["cosign", "fulcio", "rekor-server-posix", "timestamp-server"];

/// A running instance.
pub(crate) struct Sigstore {
    people: Issuer,
    workflows: Issuer,
    pub fulcio: SocketAddr,
    pub rekor: SocketAddr,
    pub timestamps: SocketAddr,
    services: [Service; 3],
    folder: TempDir,
    _runtime: tokio::runtime::Runtime,
    /// The timestamp authority shows its metrics on a port that cannot be chosen: one runs at a time on a machine.
    _alone: std::fs::File,
}

/// Who vouches for identities: for people by their addresses, or for workflows as GitHub does.
struct Issuer {
    tokens: Authority,
    server: Server,
}

impl Issuer {
    async fn start() -> Self {
        let tokens = Authority::new(Timestamp::now());
        let server = Server::start(tokens.clone()).await.unwrap();
        Self { tokens, server }
    }

    fn token(&self, identity: Identity) -> String {
        self.tokens.clock().set(Timestamp::now());
        self.tokens.token_text(&identity.of_issuer(&self.server.url())).unwrap()
    }

    /// What Fulcio has to know of it.
    fn configuration(&self, kind: &str) -> Value {
        serde_json::from_slice(&self.server.fulcio_configuration(kind)).unwrap()
    }
}

impl Sigstore {
    /// The instance of all tests that run now: it ends with the last of them.
    pub(crate) fn shared() -> Arc<Self> {
        static RUNNING: Mutex<Weak<Sigstore>> = Mutex::new(Weak::new());
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.upgrade().unwrap_or_else(|| {
            let started = Arc::new(Self::start());
            *running = Arc::downgrade(&started);
            started
        })
    }

    fn start() -> Self {
        let alone = std::fs::File::create(std::env::temp_dir().join("assay-interop.lock")).unwrap();
        alone.lock().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (people, workflows) = runtime.block_on(async { (Issuer::start().await, Issuer::start().await) });
        let home = Home::new(Vec::new());

        let (fulcio_service, fulcio) = start_fulcio(path, &home, &people, &workflows);
        home.assay(&["key", "new", "--algorithm", "ed25519", "--to", &path.join("log").display().to_string()]).ok();
        let (rekor_service, rekor) = Service::start(path, "rekor-server-posix", "/healthz", |[http, grpc, metrics]| {
            let mut command = home.command(&peer::path("rekor-server-posix"));
            command.current_dir(path).arg("serve").args(["--http-address=127.0.0.1", "--grpc-address=127.0.0.1"]);
            command.args(["--storage-dir=log", "--signer-filepath=log.key", "--hostname=127.0.0.1"]);
            command.args(["--checkpoint-interval=100ms", "--batch-max-age=10ms"]);
            command.args([format!("--http-port={http}"), format!("--grpc-port={grpc}")]);
            command.arg(format!("--http-metrics-port={metrics}"));
            command
        });
        let (timestamp_service, timestamps) = Service::start(path, "timestamp-server", "/ping", |[port]| {
            let mut command = home.command(&peer::path("timestamp-server"));
            command.current_dir(path).args(["serve", "--disable-ntp-monitoring", "--host=127.0.0.1"]);
            // Notation knows roots only, and finds the rest of the chain in the token.
            command.arg("--include-chain-in-response").arg(format!("--port={port}"));
            command
        });
        let services = [fulcio_service, rekor_service, timestamp_service];
        Self { people, workflows, fulcio, rekor, timestamps, services, folder, _runtime: runtime, _alone: alone }
    }

    pub(crate) fn logs(&self) -> Vec<Log> {
        self.services.iter().map(|service| service.log.clone()).collect()
    }

    /// Where a timestamp is asked for (RFC 3161, section 3.4).
    pub(crate) fn timestamp_url(&self) -> String {
        format!("http://{}/api/v1/timestamp", self.timestamps)
    }

    /// The base of that, to which Assay adds the path.
    pub(crate) fn url_of_timestamps(&self) -> String {
        format!("http://{}", self.timestamps)
    }

    /// The certificates of the timestamp authority, its root last, in PEM.
    pub(crate) fn timestamp_chain(&self) -> Vec<u8> {
        get(self.timestamps, "/api/v1/timestamp/certchain").unwrap()
    }

    /// Who the certificates of people say vouched.
    pub(crate) fn issuer(&self) -> String {
        self.people.server.url()
    }

    /// Who the certificates of workflows say vouched.
    pub(crate) fn workflow_issuer(&self) -> String {
        self.workflows.server.url()
    }

    /// Writes what a home needs to sign and to verify here: `signing.json`, `trusted.json`, and `token` of this person.
    pub(crate) fn introduce(&self, home: &Home, email: &str) {
        let since = "start-time=2026-01-01T00:00:00Z";
        let chain = get(self.fulcio, "/api/v1/rootCert").unwrap();
        home.file("fulcio.pem", chain);
        home.file("timestamps.pem", self.timestamp_chain());
        home.file("log.pub", std::fs::read(self.folder.path().join("log.pub")).unwrap());
        home.file("certificates.pub", self.people.tokens.certificate_log_key_pem());
        let (fulcio, rekor) = (self.fulcio_url(), format!("http://{}", self.rekor));
        let timestamps = self.timestamp_url();
        let root = [
            format!("--fulcio=url={fulcio},certificate-chain=fulcio.pem,{since}"),
            format!("--rekor=url={rekor},public-key=log.pub,origin=127.0.0.1,{since}"),
            format!("--tsa=url={timestamps},certificate-chain=timestamps.pem,{since}"),
            format!("--ctfe=url={}/ct,public-key=certificates.pub,{since}", self.issuer()),
        ];
        let config = [
            format!("--fulcio=url={fulcio},api-version=1,operator=here,{since}"),
            format!("--rekor=url={rekor},api-version=2,operator=here,{since}"),
            format!("--tsa=url={timestamps},api-version=1,operator=here,{since}"),
            format!("--oidc-provider=url={},api-version=1,operator=here,{since}", self.issuer()),
            "--rekor-config=ANY".to_owned(),
            "--tsa-config=ANY".to_owned(),
        ];
        let create = |kind: &str, file: &str, flags: &[String]| {
            let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
            home.peer("cosign", &[&[kind, "create", "--out", file], &flags[..]].concat()).ok();
        };
        create("trusted-root", "trusted.json", &root);
        create("signing-config", "signing.json", &config);
        // The same services, as another instance would have them.
        home.file("strange.json", Authority::new(Timestamp::now()).trusted_root_json());
        self.token(home, email);
    }

    /// Where certificates are asked for.
    pub(crate) fn fulcio_url(&self) -> String {
        format!("http://{}", self.fulcio)
    }

    /// The trusted root of a home, with the sandbox's logs instead of Rekor.
    pub(crate) fn older_root(&self, home: &Home) -> String {
        let mut root: Value = serde_json::from_slice(&home.read("trusted.json")).unwrap();
        let sandbox: Value = serde_json::from_slice(&self.people.tokens.trusted_root_json()).unwrap();
        root["tlogs"] = sandbox["tlogs"].clone();
        root.to_string()
    }

    /// Writes a fresh token of this person to `token`.
    pub(crate) fn token(&self, home: &Home, email: &str) {
        home.file("token", self.people.token(Identity::person("", email)));
    }

    /// Writes a fresh token of a workflow to `token`.
    pub(crate) fn workflow_token(&self, home: &Home, workflow: Identity) {
        home.file("token", self.workflows.token(workflow));
    }
}

fn start_fulcio(path: &Path, home: &Home, people: &Issuer, workflows: &Issuer) -> (Service, SocketAddr) {
    let mut settings = people.configuration("email");
    let both = settings["OIDCIssuers"].as_object_mut().unwrap();
    both.extend(workflows.configuration("github-workflow")["OIDCIssuers"].as_object().unwrap().clone());
    std::fs::write(path.join("fulcio.yaml"), settings.to_string()).unwrap();
    Service::start(path, "fulcio", "/healthz", |[http, grpc, metrics]| {
        let mut command = home.command(&peer::path("fulcio"));
        command.current_dir(path).args(["serve", "--ca=ephemeralca", "--config-path=fulcio.yaml"]);
        command.args(["--host=127.0.0.1", "--grpc-host=127.0.0.1"]);
        command.args([format!("--port={http}"), format!("--grpc-port={grpc}"), format!("--metrics-port={metrics}")]);
        command.arg(format!("--ct-log-url={}/ct", people.server.url()));
        command
    })
}
