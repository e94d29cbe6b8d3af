//! What others say about findings counts alike in a scan, in a re-scan, and in a server that a new pack reaches.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use assay_model::{Digest, Timestamp};
use assay_oci::{Client, ClientOptions, Descriptor};
use assay_sandbox::sigstore::{Authority, Identity, evidence};
use assay_sign::Statement;
use serde_json::{Value, json};

use crate::assay::Assay;
use crate::verify::{Lab, key};
use crate::zero_day::{World, debian, image, pods, receiver};

const CVE: &str = "CVE-2099-1";
/// Longer than a look at the pack and a re-scan ever take.
const PATIENCE: Duration = Duration::from_mins(1);

/// A cluster that runs one image with a vulnerability that is rated critical, and a pack that knows it.
struct Running {
    lab: Lab,
    world: World,
    repository: String,
    digest: Digest,
}

impl Running {
    fn new() -> Self {
        Self::with(Assay::new())
    }

    fn with(assay: Assay) -> Self {
        let (lab, world) = (Lab::new(), World { assay: assay.variable("ASSAY_PACK", "packs") });
        let digest = lab.registry.put_image("team/api", "1.0", &image("1:1.2.13.dfsg-1", Some("api")).build());
        let repository = format!("{}/team/api", lab.registry.host());
        let running = Self { lab, world, repository, digest };
        running.install(&[debian("CVE-2098-1", "other", 1, "1")]);
        running.world.assay.file("pods.json", pods(&running.repository, &digest));
        running.world.ok(&["inventory", "sync", "-f", "pods.json", "--cluster", "west"]);
        running
    }

    fn install(&self, records: &[String]) {
        self.world.assay.file("records.jsonl", records.join("\n"));
        self.world.ok(&["db", "build", "records.jsonl", "--split", "--to", "mirror"]);
        self.world.ok(&["db", "update", "--accept-drop", "--from", "file:mirror", "--to", "packs"]);
    }

    /// The record arrives, and others with it.
    fn arrive(&self, more: &[String]) {
        let rating = json!({"id": CVE, "modified": "2026-01-02T00:00:00Z", "summary": "zlib writes beyond its buffer",
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]});
        let own = [debian("CVE-2098-1", "other", 1, "1"), debian(CVE, "zlib", 2, "1:1.3.1"), rating.to_string()];
        self.install(&[&own, more].concat());
    }

    fn image(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }

    /// Writes a statement about the image.
    fn say(&self, product: &str) {
        let create = ["vex", "create", CVE, "--product", product, "--status", "not-affected", "--author", "team-api"];
        let reason = ["--justification", "vulnerable_code_not_in_execute_path"];
        let document = self.world.assay.run(&[&create[..], &reason].concat());
        assert!(document.status.success(), "{}", self.world.assay.shown(&document));
        self.world.assay.file("vex.json", &document.stdout);
    }

    /// Whether a scan has the finding, and whether a re-scan has an alert about it, with the same options.
    fn seen(&self, options: &[&str]) -> (bool, bool) {
        let image = self.image();
        let scan = self.world.json(&[&["scan", image.as_str()], options].concat());
        let findings = scan["vulnerabilities"].as_array().unwrap();
        let has = findings.iter().any(|finding| finding["vulnerability"]["id"] == CVE);
        let rescan = self.world.json(&[&["inventory", "rescan"], options].concat());
        let alerts = rescan["alerts"].as_array().unwrap();
        assert_eq!(rescan["excused"], if has { Value::Null } else { json!(1) }, "{rescan}");
        (has, alerts.iter().any(|alert| alert["subject"] == CVE))
    }
}

const BOTH: (bool, bool) = (true, true);
const NEITHER: (bool, bool) = (false, false);

#[test]
fn what_takes_a_finding_away_in_a_scan_closes_its_alert_in_a_rescan() {
    let running = Running::new();
    running.arrive(&[]);
    let assay = &running.world.assay;
    assert_eq!(running.seen(&[]), BOTH);
    running.say(&running.image());
    assert_eq!(running.seen(&["--vex", "vex.json"]), NEITHER);
    let other = Digest::of(b"another image");
    running.say(&format!("{}@{other}", running.repository));
    assert_eq!(running.seen(&["--vex", "vex.json"]), BOTH, "about another image");
    running.say("pkg:deb/debian/zlib1g@1:1.2.13.dfsg-1");
    assert_eq!(running.seen(&["--vex", "vex.json"]), NEITHER, "about the package, wherever it is");

    let rule = |expires: &str| {
        assay.file(
            "ignore.yaml",
            format!("ignore:\n- id: {CVE}\n  owner: team-api\n  reason: ours\n  expires: {expires}\n"),
        );
    };
    rule("2999-01-01");
    assert_eq!(running.seen(&["--ignore-file", "ignore.yaml"]), NEITHER);
    rule("2020-01-01");
    assert_eq!(running.seen(&["--ignore-file", "ignore.yaml"]), BOTH, "the rule ran out");
    assay.file("ignore.yaml", "ignore:\n- id: CVE-1\n");
    let refused = assay.run(&["inventory", "rescan", "--ignore-file", "ignore.yaml"]);
    assert_eq!(refused.status.code(), Some(2), "{}", assay.shown(&refused));

    // Attached to the image, by the signer that was named and by another.
    for name in ["ours", "other"] {
        key(assay, name);
    }
    running.say(&running.image());
    running.world.ok(&[
        "attest",
        &running.image(),
        "--key",
        "ours.pem",
        "--predicate",
        "vex.json",
        "--type",
        "openvex",
    ]);
    assert_eq!(running.seen(&["--vex-key", "ours.pub"]), NEITHER);
    assert_eq!(running.seen(&["--vex-key", "other.pub"]), BOTH);
    let offline = running.world.json(&["inventory", "rescan", "--vex-key", "ours.pub", "--offline"]);
    assert_eq!(offline["alerts"][0]["subject"], CVE, "what could not be asked excuses nothing: {offline}");
    assert!(offline["unheard"][0].as_str().unwrap().contains(&running.image()), "{offline}");
}

/// cosign's older form, on a registry where nothing else is attached.
#[test]
fn vex_behind_an_att_tag_counts() {
    let running = Running::new();
    running.arrive(&[]);
    key(&running.world.assay, "ours");
    running.say(&running.image());
    let attest = ["attest", "--key", "ours.pem", "--predicate", "vex.json", "--type", "openvex", "--legacy-sig"];
    running.world.ok(&[&attest[..], &[&running.image()]].concat());
    let registry = &running.lab.registry;
    let same = registry.put_image("team/moved", "1.0", &image("1:1.2.13.dfsg-1", Some("api")).build());
    assert_eq!(same, running.digest);
    let moved = format!("{}/team/moved@{same}", registry.host());
    let has = || {
        let scan = running.world.json(&["scan", &moved, "--vex-key", "ours.pub"]);
        scan["vulnerabilities"].as_array().unwrap().iter().any(|finding| finding["vulnerability"]["id"] == CVE)
    };
    assert!(has(), "nothing is attached there");
    let tag = format!("{}.att", same.to_string().replace(':', "-"));
    let attached = registry.tag("team/api", &tag).unwrap();
    let manifest = registry.manifest("team/api", attached).unwrap();
    let parsed: Value = serde_json::from_slice(&manifest.bytes).unwrap();
    let layers = parsed["layers"].as_array().unwrap().iter().chain([&parsed["config"]]);
    for blob in layers.map(|blob| blob["digest"].as_str().unwrap().parse().unwrap()) {
        registry.put_blob("team/moved", registry.blob("team/api", blob).unwrap());
    }
    registry.put_manifest("team/moved", Some(&tag), &manifest.media_type, manifest.bytes.clone());
    assert!(!has());
}

#[test]
fn vex_counts_by_the_identity_that_signed_it() {
    let running = Running::with(Assay::new().variable("ASSAY_TRUSTED_ROOT", "root.json"));
    running.arrive(&[]);
    running.say(&running.image());
    let now = Timestamp::now();
    let authority = Authority::new(now);
    let person = Identity::person("https://accounts.example.com", "security@example.com");
    let predicate = std::fs::read(running.world.assay.path().join("vex.json")).unwrap();
    let statement = Statement::attestation(&running.digest, "https://openvex.dev/ns/v0.2.0", &predicate).unwrap();
    let bundle = evidence::bundle(&authority, &person, &statement);
    let built = image("1:1.2.13.dfsg-1", Some("api")).build();
    let subject = Descriptor::of(built.media_type(), built.manifest());
    let reference: assay_model::Reference = running.image().parse().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let client = Client::new(ClientOptions::default()).unwrap();
    runtime.block_on(client.attach(reference.repository(), &subject, &bundle.artifact(now))).unwrap();
    running.world.assay.file("root.json", authority.trusted_root_json());
    let by = |subject: &str, issuer: &str| {
        let options = ["--vex-identity", subject, "--vex-oidc-issuer", issuer];
        let has = |answer: Value, list: &str, name: &str| {
            let found = answer[list].as_array().unwrap().iter();
            found.into_iter().any(|one| one.pointer(name) == Some(&json!(CVE)))
        };
        let image = running.image();
        let with = |first: &[&str]| running.world.json(&[first, &options[..]].concat());
        let scan = has(with(&["scan", &image]), "vulnerabilities", "/vulnerability/id");
        (scan, has(with(&["inventory", "rescan"]), "alerts", "/subject"))
    };
    assert_eq!(by("security@example.com", "https://accounts.example.com"), NEITHER);
    assert_eq!(by("somebody@example.com", "https://accounts.example.com"), BOTH);
    assert_eq!(by("security@example.com", "https://accounts.example.org"), BOTH);
}

#[test]
fn a_pack_that_arrives_while_serving_is_held_against_what_runs() {
    let running = Running::new();
    let assay = &running.world.assay;
    let (url, arrived) = receiver();
    assay.file("alert.secret", "a secret of at least 24 bytes");
    assay.file(
        "policy/policy.yaml",
        "apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {name: prod}\nspec: {tier: dev}\n",
    );
    running.say("pkg:deb/debian/zlib1g@1.0");
    let mut child = assay
        .command()
        .args(["serve", "--listen", "127.0.0.1:0", "--development-certificate", "localhost", "--config", "policy"])
        .args(["--alert-webhook", &url, "--alert-secret", "alert.secret", "--vex", "vex.json"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, notes) = std::sync::mpsc::channel();
    let stderr = BufReader::new(child.stderr.take().unwrap());
    let _server = Stopped(child);
    std::thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let mut all = Vec::new();
    while !all.last().is_some_and(|line: &String| line.contains("what runs was matched again")) {
        all.push(notes.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{all:#?}")));
    }
    assert!(arrived.try_recv().is_err(), "nothing is known yet");
    running.arrive(&[]);
    let (head, body) = arrived.recv_timeout(PATIENCE).unwrap();
    assert!(head.contains("webhook-signature: v1,"), "{head}");
    let alert = &body["alert"];
    assert_eq!(
        (&body["event"], &alert["owner"], &alert["subject"]),
        (&json!("opened"), &json!("team-payments"), &json!(CVE)),
        "{body}"
    );
    // The next pack finds that something else is said of it.
    running.say(&running.image());
    running.arrive(&[debian("CVE-2098-2", "another", 3, "1")]);
    let (_, body) = arrived.recv_timeout(PATIENCE).unwrap();
    assert_eq!((&body["event"], &body["alert"]["subject"]), (&json!("resolved"), &json!(CVE)), "{body}");
}

/// A process that ends with its test.
struct Stopped(std::process::Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
