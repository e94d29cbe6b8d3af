//! A new vulnerability, from the record to the closed alert, and the packs on their way.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use assay_model::{Digest, Timestamp};
use assay_sandbox::ImageBuilder;
use assay_server::AlertTarget;
use assay_store::Store;
use serde_json::{Value, json};

use crate::assay::Assay;
use crate::verify::{Lab, key};

const OS: &str = "ID=debian\nVERSION_ID=\"12\"\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n";

fn status(zlib: &str) -> String {
    let package = |name: &str, version: &str, source: &str| {
        format!("Package: {name}\nStatus: install ok installed\nVersion: {version}\n{source}\n")
    };
    format!("{}{}", package("zlib1g", zlib, "Source: zlib\n"), package("bash", "5.2.15-2", ""))
}

/// A base with this zlib, and what is built on it.
pub(crate) fn image(zlib: &str, app: Option<&str>) -> ImageBuilder {
    let status = status(zlib);
    let base = ImageBuilder::new().layer([("etc/os-release", OS, 0o644), ("var/lib/dpkg/status", &status, 0o644)]);
    match app {
        Some(app) => base.layer([("app/name", app, 0o644)]),
        None => base,
    }
}

pub(crate) fn debian(cve: &str, name: &str, day: u32, fixed: &str) -> String {
    json!({"schema_version": "1.7.3", "id": format!("DEBIAN-{cve}"), "upstream": [cve], "modified": format!("2026-01-{day:02}T00:00:00Z"),
        "affected": [{"package": {"ecosystem": "Debian:12", "name": name},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}, {"fixed": fixed}]}]}]})
    .to_string()
}

pub(crate) fn pods(image: &str, digest: &Digest) -> String {
    json!({"kind": "List", "items": [
        {"kind": "Namespace", "metadata": {"name": "payments", "labels": {"assay.dev/environment": "prod"}}},
        {"kind": "Pod", "metadata": {"name": "api-6d5f-x1", "namespace": "payments",
            "labels": {"pod-template-hash": "6d5f", "team": "team-payments"},
            "ownerReferences": [{"kind": "ReplicaSet", "name": "api-6d5f", "controller": true}]},
         "spec": {"containers": [{"name": "api", "image": image}]},
         "status": {"phase": "Running", "startTime": "2026-11-20T08:00:00Z",
            "containerStatuses": [{"name": "api", "imageID": format!("{image}@{digest}")}]}}]})
    .to_string()
}

/// A receiver of webhooks: what arrives, as headers and body.
pub(crate) fn receiver() -> (String, Receiver<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/alerts", listener.local_addr().unwrap());
    let (sender, arrived) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut bytes = Vec::new();
            let mut buffer = [0; 4096];
            loop {
                let count = stream.read(&mut buffer).unwrap();
                bytes.extend_from_slice(&buffer[..count]);
                let text = String::from_utf8_lossy(&bytes).to_lowercase();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.unwrap().trim().parse().unwrap() {
                    let whole = String::from_utf8_lossy(&bytes).into_owned();
                    let (_, body) = whole.split_once("\r\n\r\n").unwrap();
                    sender.send((head.to_owned(), serde_json::from_str(body).unwrap())).unwrap();
                    break;
                }
            }
            stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
        }
    });
    (url, arrived)
}

pub(crate) struct World {
    pub(crate) assay: Assay,
}

impl World {
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.assay.run(arguments);
        let shown = self.assay.shown(&output);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{shown}");
        shown
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.assay.run(&[arguments, &["-o", "json"]].concat());
        assert_eq!(output.status.code(), Some(0), "{arguments:?}\n{}", self.assay.shown(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[test]
fn a_zero_day_goes_from_the_record_to_the_closed_alert() {
    let lab = Lab::new();
    let store_path = tempfile::tempdir().unwrap();
    let store_path = store_path.path().join("assay.db");
    let store = format!("sqlite:{}", store_path.display());
    let assay = Assay::new()
        .variable("USER", "release-manager")
        .variable("ASSAY_PACK", "packs")
        .variable("ASSAY_STORE", &store);
    let world = World { assay };
    let host = lab.registry.host();
    let base = lab.registry.put_image("base/debian", "12", &image("1:1.2.13.dfsg-1", None).build());
    let app = lab.registry.put_image("team/api", "1.0", &image("1:1.2.13.dfsg-1", Some("api")).build());
    let repository = format!("{host}/team/api");

    // What is known today: nothing about zlib.
    let mut records: Vec<String> =
        (0..60).map(|at| debian(&format!("CVE-2098-{at}"), &format!("other{at}"), 1, "1")).collect();
    world.assay.file("old.jsonl", records.join("\n"));
    world.ok(&["db", "build", "old.jsonl", "--split", "--to", "mirror"]);
    world.ok(&["db", "update", "--from", "file:mirror", "--to", "packs"]);
    world.assay.file("pods.json", pods(&repository, &app));
    world.ok(&["inventory", "sync", "-f", "pods.json", "--cluster", "west"]);
    world.ok(&["scan", &format!("{host}/base/debian@{base}")]);
    assert_eq!(world.json(&["inventory", "rescan"])["alerts"], json!([]));
    assert_eq!(world.json(&["rebuild-list"])["images"], json!([]));

    // A record arrives, and a delta with it.
    records.push(debian("CVE-2099-1", "zlib", 2, "1:1.3.1"));
    records.push(
        json!({"id": "CVE-2099-1", "modified": "2026-01-02T00:00:00Z", "summary": "zlib writes beyond its buffer",
            "severity": [{"type": "CVSS_V3", "score": "CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]})
        .to_string(),
    );
    world.assay.file("new.jsonl", records.join("\n"));
    world.ok(&["db", "build", "new.jsonl", "--split", "--to", "hourly", "--delta-from", "mirror"]);
    assert!(world.assay.path().join("hourly/debian.delta").exists());
    let updated = world.json(&["db", "update", "--needed", "--from", "file:hourly", "--to", "packs"]);
    assert_eq!(updated["packs"][0]["changed"], true, "{updated}");

    // Who runs it, and who is told.
    assert!(world.ok(&["who-runs", "CVE-2099-1"]).contains("1 Pod"));
    let rescan = world.json(&["inventory", "rescan"]);
    let alert = &rescan["alerts"][0];
    assert_eq!(
        (alert["owner"].as_str(), alert["subject"].as_str(), alert["environment"].as_str(), alert["event"].as_str()),
        (Some("team-payments"), Some("CVE-2099-1"), Some("prod"), Some("opened")),
        "{rescan}"
    );
    assert!(alert["summary"].as_str().unwrap().contains("west/payments/api"), "{alert}");
    assert_eq!(world.json(&["inventory", "rescan"])["alerts"][0]["event"], Value::Null, "one is open, however often");
    let (url, arrived) = receiver();
    let secret = world.assay.file("alert.secret", "a secret of at least 24 bytes");
    let target = AlertTarget::new(&url, &secret, None).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let deliver = || {
        let store = Arc::new(Store::open(&store_path).unwrap());
        runtime.block_on(target.deliver(&store, Timestamp::now())).unwrap()
    };
    assert_eq!(deliver(), (1, 0));
    let (head, body) = arrived.recv().unwrap();
    assert!(head.contains("webhook-signature: v1,"), "{head}");
    assert_eq!((&body["event"], &body["alert"]["owner"]), (&json!("opened"), &json!("team-payments")));

    // What to build again: the base before what is built on it.
    let list = world.json(&["rebuild-list", "CVE-2099-1"]);
    let images: Vec<(u64, &str, u64, &str)> = list["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|image| {
            let digest = image["digest"].as_str().unwrap();
            (
                image["order"].as_u64().unwrap(),
                digest,
                image["pods"].as_u64().unwrap(),
                image["cause"].as_str().unwrap(),
            )
        })
        .collect();
    let (base_digest, app_digest) = (base.to_string(), app.to_string());
    assert_eq!(images, [(1, base_digest.as_str(), 0, "own"), (2, app_digest.as_str(), 1, "base")], "{list}");
    assert_eq!(list["images"][0]["carries"], 1);
    assert_eq!(list["images"][1]["packages"], json!(["zlib1g 1:1.2.13.dfsg-1 -> 1:1.3.1"]));
    assert_eq!(list["images"][1]["before"]["critical"], 1);
    assert_eq!(list["images"][1]["betterBases"], Value::Null, "no base is known that has the fix");

    // The base is built again, and known; then the program on it.
    let newer = lab.registry.put_image("base/debian", "12", &image("1:1.3.1", None).build());
    world.ok(&["scan", &format!("{host}/base/debian@{newer}")]);
    let list = world.json(&["rebuild-list", "CVE-2099-1"]);
    let better = &list["images"][1]["betterBases"][0];
    assert!(better["image"].as_str().unwrap().contains(&newer.to_string()), "{list}");
    assert_eq!(better["after"]["critical"], 0, "before 1, after 0");
    let text = world.ok(&["rebuild-list", "CVE-2099-1"]);
    assert!(text.contains("1. ") && text.contains("2. ") && text.contains("team-payments"), "{text}");
    let fixed = lab.registry.put_image("team/api", "1.1", &image("1:1.3.1", Some("api")).build());

    // The fixed digest is promoted, and rolled out.
    world.assay.file(
        "policy.yaml",
        format!("apiVersion: assay.dev/v1\nkind: Environment\nmetadata: {{name: prod}}\nspec: {{tier: dev, registries: [{host}/team/]}}\n"),
    );
    let pinned = format!("{repository}@{fixed}");
    let create = [
        "release",
        "create",
        "api-1-1",
        "--service",
        "api",
        "--source",
        "github.com/company/api",
        "--commit",
        "4f2c1e9",
    ];
    world.ok(&[&create[..], &["--image", &pinned]].concat());
    world.ok(&["release", "promote", "api-1-1", "--to", "prod", "--config", "policy.yaml"]);
    world.assay.file("pods.json", pods(&repository, &fixed));
    world.ok(&["inventory", "sync", "-f", "pods.json", "--cluster", "west"]);

    // The alert closes by itself, and says so.
    let rescan = world.json(&["inventory", "rescan"]);
    assert_eq!((&rescan["alerts"], &rescan["resolved"][0]["subject"]), (&json!([]), &json!("CVE-2099-1")), "{rescan}");
    assert_eq!(deliver(), (1, 0));
    let (_, body) = arrived.recv().unwrap();
    assert_eq!(body["event"], "resolved");
    let list = world.json(&["rebuild-list", "CVE-2099-1"]);
    assert!(list["images"].as_array().unwrap().iter().all(|image| image["pods"] == 0), "no Pod is left behind: {list}");
    assert!(world.ok(&["who-runs", "CVE-2099-1"]).contains("runs nowhere"));
}

/// What runs and cannot be looked into may still have it.
#[test]
fn an_alert_stays_open_while_its_owner_runs_what_nobody_looked_into() {
    let lab = Lab::new();
    let world = World { assay: Assay::new().variable("ASSAY_PACK", "one.pack") };
    let app = lab.registry.put_image("team/api", "1.0", &image("1:1.2.13.dfsg-1", Some("api")).build());
    let repository = format!("{}/team/api", lab.registry.host());
    world.assay.file("one.jsonl", debian("CVE-2099-1", "zlib", 1, "1:1.3.1"));
    world.ok(&["db", "build", "one.jsonl", "--to", "one.pack"]);
    world.assay.file("pods.json", pods(&repository, &app));
    world.ok(&["inventory", "sync", "-f", "pods.json", "--cluster", "west"]);
    let rescan = world.json(&["inventory", "rescan"]);
    assert_eq!(
        (&rescan["findings"], &rescan["alerts"]),
        (&json!(1), &json!([])),
        "nobody rates it, nobody exploits it"
    );
    let rescan = world.json(&["inventory", "rescan", "--alert-on", "fixable"]);
    assert_eq!(rescan["alerts"][0]["event"], "opened", "{rescan}");
    world.assay.file("pods.json", pods(&repository, &Digest::of(b"gone from the registry")));
    world.ok(&["inventory", "sync", "-f", "pods.json", "--cluster", "west"]);
    let rescan = world.json(&["inventory", "rescan", "--alert-on", "fixable"]);
    assert_eq!((&rescan["resolved"], &rescan["unknown"]), (&json!([]), &json!(1)), "{rescan}");
}

#[test]
fn a_mirror_is_pushed_pulled_and_verified() {
    let lab = Lab::new();
    let world = World { assay: Assay::new() };
    let assay = &world.assay;
    let names = |folder: &str| -> BTreeMap<String, Vec<u8>> {
        std::fs::read_dir(assay.path().join(folder))
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
            .collect()
    };
    let mut records: Vec<String> =
        (0..30).map(|at| debian(&format!("CVE-2098-{at}"), &format!("other{at}"), 1, "1")).collect();
    records.push(debian("CVE-2098-99", "x", 1, "1").replace("Debian:12", "PyPI").replace("DEBIAN-", "PYSEC-"));
    assay.file("old.jsonl", records.join("\n"));
    records.push(debian("CVE-2099-1", "zlib", 2, "1:1.3.1"));
    assay.file("new.jsonl", records.join("\n"));
    world.ok(&["db", "build", "old.jsonl", "--split", "--to", "mirror"]);
    world.ok(&["db", "build", "new.jsonl", "--split", "--to", "hourly", "--delta-from", "mirror"]);
    for name in ["ours", "other"] {
        key(assay, name);
    }
    for file in ["debian.pack", "debian.delta", "pypi.pack", "pypi.delta"] {
        let (path, bundle) = (format!("hourly/{file}"), format!("hourly/{file}.sigstore.json"));
        world.ok(&["sign", &path, "--key", "ours.pem", "--bundle", &bundle]);
    }
    let verified = world.json(&["db", "verify", "hourly", "--key", "ours.pub"]);
    assert_eq!(verified["packs"].as_array().unwrap().len(), 2);
    assert_eq!((&verified["packs"][0]["records"], &verified["packs"][0]["signer"]), (&json!(31), &json!("ours.pub")));
    let refused = assay.run(&["db", "verify", "hourly", "--key", "other.pub"]);
    assert!(refused.status.code() == Some(1) && assay.shown(&refused).contains("the signature is not accepted"));

    let artifact = format!("{}/security/packs:1", lab.registry.host());
    let pushed = world.json(&["db", "push", "hourly", &artifact]);
    assert_eq!((&pushed["files"], &pushed["signed"]), (&json!(9), &json!(4)));
    let again = world.json(&["db", "push", "hourly", &artifact]);
    assert_eq!((&again["digest"], &again["transferred"]), (&pushed["digest"], &json!(0)), "the same bytes are there");
    let on_disk = world.json(&["db", "push", "hourly", "oci:layout"]);
    assert_eq!(on_disk["digest"], pushed["digest"]);
    world.ok(&[
        "sign",
        &format!("{artifact}@{}", pushed["digest"].as_str().unwrap()).replace(":1@", "@"),
        "--key",
        "ours.pem",
    ]);

    let pulled = world.json(&["db", "pull", "--from", &artifact, "--to", "carried", "--key", "ours.pub"]);
    assert_eq!(pulled["fetched"].as_array().unwrap().len(), 4);
    assert_eq!(names("carried"), names("hourly"));
    let pulled = world.json(&["db", "pull", "debian", "--from", "oci:layout", "--to", "carried"]);
    assert_eq!((&pulled["fetched"], &pulled["present"], &pulled["transferred"]), (&json!([]), &json!(2), &json!(0)));
    let refused = assay.run(&["db", "pull", "--from", "oci:layout", "--to", "refused", "--key", "other.pub"]);
    assert!(refused.status.code() == Some(2) && assay.shown(&refused).contains("the signature is not accepted"));
    let unknown = assay.run(&["db", "pull", "alpine", "--from", "oci:layout", "--to", "refused"]);
    assert!(assay.shown(&unknown).contains("the mirror has no pack of alpine"));

    // From where it was carried to it is installed, and what is installed is verified.
    world.ok(&["db", "update", "--from", "file:carried", "--to", "packs", "--key", "ours.pub"]);
    assert_eq!(world.json(&["db", "verify", "packs"])["packs"][0]["records"], 31);
    world.ok(&["db", "verify", "mirror/debian.pack"]);
    let stale = assay.run(&["db", "verify", "packs", "--max-age", "1"]);
    assert!(stale.status.code() == Some(1) && assay.shown(&stale).contains("days old"), "{}", assay.shown(&stale));
    for (folder, message) in
        [("packs", "was changed since it was installed"), ("carried", "is not the file that the index names")]
    {
        let file = names(folder)
            .into_iter()
            .find(|(name, _)| std::path::Path::new(name).extension().is_some_and(|end| end == "pack"))
            .unwrap();
        let mut bytes = file.1;
        *bytes.last_mut().unwrap() ^= 1;
        assay.file(&format!("{folder}/{}", file.0), bytes);
        let altered = assay.run(&["db", "verify", folder]);
        assert!(
            altered.status.code() == Some(1) && assay.shown(&altered).contains(message),
            "{}",
            assay.shown(&altered)
        );
    }
    assert_eq!(assay.run(&["db", "verify", "packs", "--key", "ours.pub"]).status.code(), Some(2));
    assert_eq!(assay.run(&["db", "verify", "nowhere"]).status.code(), Some(2));
}

#[test]
fn cve_2026_50162_a_mirror_names_no_file_outside_of_its_folder() {
    let world = World { assay: Assay::new() };
    world.assay.file("all.jsonl", debian("CVE-2099-1", "zlib", 1, "1:1.3.1"));
    world.ok(&["db", "build", "all.jsonl", "--split", "--to", "mirror"]);
    let text = std::fs::read_to_string(world.assay.path().join("mirror/index.json")).unwrap();
    for name in ["../debian.pack", "/tmp/debian.pack", ".debian.pack", "a/debian.pack", ""] {
        world.assay.file("mirror/index.json", text.replace("debian.pack", name));
        for command in [["pull", "--to", "carried/here"], ["update", "--to", "packs"]] {
            let arguments = [&["db", command[0], "--from", "file:mirror"], &command[1..]].concat();
            let refused = world.assay.run(&arguments);
            assert!(world.assay.shown(&refused).contains("is no name of a file"), "{}", world.assay.shown(&refused));
        }
        assert!(!world.assay.path().join("carried").exists());
    }
}

#[test]
fn only_the_packs_that_images_need_are_fetched() {
    let lab = Lab::new();
    let world = World { assay: Assay::new() };
    let python = debian("CVE-2098-99", "x", 1, "1").replace("Debian:12", "PyPI").replace("DEBIAN-", "PYSEC-");
    world.assay.file("all.jsonl", format!("{}\n{python}", debian("CVE-2099-1", "zlib", 1, "1:1.3.1")));
    world.ok(&["db", "build", "all.jsonl", "--split", "--to", "mirror"]);
    let without = world.assay.run(&["db", "update", "--needed", "--from", "file:mirror", "--to", "packs"]);
    assert_eq!(without.status.code(), Some(2), "{}", world.assay.shown(&without));
    let app = lab.push("team/app", "1.0", "app");
    world.assay.file("pods.json", pods(&format!("{}/team/app", lab.registry.host()), &app));
    world.ok(&["inventory", "sync", "-f", "pods.json", "--cluster", "west"]);
    let updated = world.json(&["db", "update", "--needed", "--from", "file:mirror", "--to", "packs"]);
    let families: Vec<&str> =
        updated["packs"].as_array().unwrap().iter().map(|pack| pack["family"].as_str().unwrap()).collect();
    assert_eq!(families, ["debian"]);
}

#[test]
fn vex_that_is_attached_to_an_image_counts_where_the_named_signer_made_it() {
    let lab = Lab::new();
    let world = World { assay: Assay::new() };
    let assay = &world.assay;
    let digest = lab.push("team/app", "1.0", "app");
    let image = format!("{}/team/app@{digest}", lab.registry.host());
    for name in ["ours", "other"] {
        key(assay, name);
    }
    let scan = |arguments: &[&str]| world.json(&[&["scan", image.as_str()], arguments].concat());
    let has = |scan: &Value| {
        let findings = scan["vulnerabilities"].as_array().unwrap();
        findings.iter().any(|finding| finding["vulnerability"]["id"] == "CVE-2023-45853")
    };
    assert!(has(&scan(&[])));
    assert!(has(&scan(&["--vex-key", "ours.pub"])), "nothing is attached yet");
    let create = [
        "vex",
        "create",
        "CVE-2023-45853",
        "--product",
        image.as_str(),
        "--status",
        "not-affected",
        "--justification",
        "vulnerable_code_not_in_execute_path",
        "--author",
        "team-app",
    ];
    let document = assay.run(&create);
    assert!(document.status.success(), "{}", assay.shown(&document));
    assay.file("vex.json", &document.stdout);
    world.ok(&["attest", &image, "--key", "ours.pem", "--predicate", "vex.json", "--type", "openvex"]);
    let taken = scan(&["--vex-key", "ours.pub"]);
    assert!(!has(&taken), "{taken}");
    let said = &taken["vex"][0];
    assert_eq!((&said["vulnerability"], &said["status"]), (&json!("CVE-2023-45853"), &json!("not affected")));
    assert!(said["by"].as_str().unwrap().contains("signed by key sha256:"), "{said}");
    // Whoever else may write to the registry has no say, and the scan says so.
    let kept = scan(&["--vex-key", "other.pub"]);
    assert!(has(&kept));
    let reason = kept["vex"][0]["reason"].as_str().unwrap();
    assert!(reason.starts_with("what may be VEX does not verify: "), "{kept}");
    assert_eq!(kept["vex"][0]["status"], Value::Null);
    assert!(has(&scan(&[])), "and nobody has where nobody was named");
    let explained = world.ok(&["scan", &image, "--vex-key", "ours.pub", "--explain", "CVE-2023-45853"]);
    assert!(explained.contains("not affected") && explained.contains("signed by key"), "{explained}");
    let folder = assay.run(&["scan", "dir:.", "--vex-key", "ours.pub"]);
    assert_eq!(folder.status.code(), Some(2), "only an image has anything attached");
}
