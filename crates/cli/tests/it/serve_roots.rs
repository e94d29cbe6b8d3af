//! `serve` renews the trusted roots that TrustRoots name by a TUF repository, and goes on where that fails.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use assay_model::Timestamp;
use assay_oci::{Client, ClientOptions, Descriptor};
use assay_sandbox::sigstore::{Authority, Identity, evidence};
use assay_sandbox::tuf::{Repository, Server};
use assay_sandbox::{ImageBuilder, Registry, RegistryOptions};
use assay_sign::Statement;
use serde_json::{Value, json};

use crate::assay::Assay;

const ALL: [&str; 3] = ["targets", "snapshot", "timestamp"];
/// Far longer than the second between two refreshes.
const PATIENCE: Duration = Duration::from_mins(1);

/// A server that runs, and what it says.
struct Running {
    child: Child,
    notes: std::sync::mpsc::Receiver<String>,
    client: reqwest::Client,
    address: String,
}

impl Running {
    fn start(assay: &Assay) -> Self {
        let mut child = assay
            .command()
            .args(["serve", "--listen", "127.0.0.1:0", "--development-certificate", "localhost"])
            .args(["--config", "policy"])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, notes) = std::sync::mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let address = loop {
            let line = notes.recv_timeout(PATIENCE).unwrap();
            if let Some((_, rest)) = line.split_once("listening on https://127.0.0.1:") {
                break format!("https://localhost:{}", rest.split('/').next().unwrap());
            }
        };
        let mut authority = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        while !authority.contains("-----END CERTIFICATE-----") {
            assert_ne!(stdout.read_line(&mut authority).unwrap(), 0, "{authority}");
        }
        std::thread::spawn(move || stdout.read_to_end(&mut Vec::new()));
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let roots = reqwest::Certificate::from_pem_bundle(authority.as_bytes()).unwrap();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only(roots).build().unwrap();
        Self { child, notes, client, address }
    }

    /// Waits for a note that says this.
    fn noted(&self, wanted: &str) -> String {
        let until = Instant::now() + PATIENCE;
        let mut others = Vec::new();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.notes.recv_timeout(left);
            let line = line.unwrap_or_else(|_| panic!("nobody said `{wanted}`, but {others:#?}"));
            if line.contains(wanted) {
                return line;
            }
            others.push(line);
        }
    }

    /// What an admission of a Pod with this image is answered.
    async fn admit(&self, image: &str) -> String {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
            "request": {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "operation": "CREATE", "namespace": "prod", "name": "api",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "userInfo": {"username": "ada@example.com"}, "dryRun": false, "oldObject": null,
                "object": {
                    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "api", "namespace": "prod"},
                    "spec": {"containers": [{"name": "api", "image": image}]}
                }
            }
        });
        let post = self.client.post(format!("{}/validate?timeout=10s", self.address)).body(review.to_string());
        let answer = post.send().await.unwrap();
        assert_eq!(answer.status(), 200);
        let answer: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
        answer["response"].to_string()
    }

    async fn metric(&self, name: &str) -> i64 {
        let text = self.client.get(format!("{}/metrics", self.address)).send().await.unwrap().text().await.unwrap();
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{root=\"custom-")));
        line.unwrap_or_else(|| panic!("{name}\n{text}")).rsplit(' ').next().unwrap().parse().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_root_reaches_a_running_server_and_a_failing_mirror_stops_nothing() {
    let now = Timestamp::now();
    let (before, after) = (Authority::new(now), Authority::new(now));
    let registry = Registry::start(RegistryOptions::default()).await.unwrap();
    let image = ImageBuilder::new().layer([("a", "b", 0o644)]).build();
    let digest = registry.put_image("team/app", "1", &image);
    let written = format!("{}/team/app@{digest}", registry.host());
    let person = Identity::person("https://accounts.example.com", "release@example.com");
    let bundle = evidence::bundle(&after, &person, &Statement::image_signature(&digest));
    let reference: assay_model::Reference = written.parse().unwrap();
    let subject = Descriptor::of(image.media_type(), image.manifest());
    let client = Client::new(ClientOptions::default()).unwrap();
    client.attach(reference.repository(), &subject, &bundle.artifact(now)).await.unwrap();

    let mut repository = Repository::new(now);
    repository.add_target("targets", "trusted_root.json", &before.trusted_root_json());
    repository.publish(&ALL);
    let assay = Assay::new();
    assay.file("policy/root.json", repository.first_root());
    let server = Server::start(repository).await.unwrap();
    assay.file(
        "policy/policy.yaml",
        format!(
            "apiVersion: assay.dev/v1\nkind: TrustRoot\nmetadata: {{name: ours}}\nspec:\n  sigstore:\n    tuf: {{mirror: '{}', \
             root: root.json, refreshEvery: 1s}}\n---\napiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: prod}}\n\
             spec:\n  tier: prod\n  registries: ['{}/team/']\n  trustRoot: [ours]\n  signers:\n  - name: release\n    \
             for: [signature]\n    keyless: {{issuer: {:?}, subject: release@example.com}}\n  controls:\n    \
             require-signature: {{action: enforce}}\n    trusted-signer: {{action: enforce}}\n",
            server.url(),
            registry.host(),
            person.issuer
        ),
    );

    let running = Running::start(&assay);
    let first = running.noted("policy ");
    let denied = running.admit(&written).await;
    assert!(denied.contains("signature"), "the authority is not in the root yet: {denied}");

    server.with(|repository| {
        // The old keys vouch for the new ones.
        let old = repository.role("root").signers.clone();
        repository.rotate_keys("root");
        repository.role("root").signers.extend(old);
        repository.publish(&["root"]);
        repository.add_target("targets", "trusted_root.json", &after.trusted_root_json());
        repository.publish(&ALL);
    });
    assert_ne!(running.noted("policy "), first);
    let admitted = running.admit(&written).await;
    assert!(!admitted.contains("signature") && !admitted.contains("trusted-signer"), "{admitted}");
    assert_eq!(running.metric("assay_trust_root_refresh_failures").await, 0);
    let refreshed = running.metric("assay_trust_root_refresh_timestamp_seconds").await;
    assert!(refreshed >= now.as_second());
    assert!(running.metric("assay_trust_root_expiry_timestamp_seconds").await > refreshed);

    server.set_status(Some(503));
    running.noted("the last good root stays in use");
    assert_eq!(running.admit(&written).await.contains("trusted-signer"), admitted.contains("trusted-signer"));
    assert!(running.metric("assay_trust_root_refresh_failures").await >= 1);
    server.set_status(None);
    running.noted("is renewed again");
}
